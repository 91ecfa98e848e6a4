//! The launcher and the pipeline workers, on real servers.

mod common;

use std::io::Write;
use std::time::{Duration, Instant};

use cdp_server_tests::{Server, ServerOptions, StopMode, wait_until};
use common::*;

/// Polling and looking round so seldom that only a wake-up can be what works.
const ONLY_WOKEN: &[(&str, &str)] = &[
    ("cdp.poll_interval", "1h"),
    ("cdp.discovery_interval", "1h"),
];

#[test]
fn a_commit_is_processed_within_a_second() {
    let server = server_with_app(ONLY_WOKEN);
    wait_for_worker(&server, "app");
    let mut client = server.connect("app");
    let mut best = Duration::MAX;
    for round in 0..5 {
        send(&mut client, round, 1);
        let sent = Instant::now();
        wait_for_events(&server, "app", round + 1);
        best = best.min(sent.elapsed());
    }
    assert!(best < Duration::from_secs(1), "{best:?} at best");
}

#[test]
fn copy_wakes_the_worker_too() {
    let server = server_with_app(ONLY_WOKEN);
    wait_for_worker(&server, "app");
    let mut client = server.connect("app");
    let mut copy = client
        .copy_in("COPY cdp.inbox (message) FROM STDIN")
        .unwrap();
    for n in 0..10 {
        writeln!(
            copy,
            r#"{{"type":"track","userId":"u{n}","event":"Viewed","messageId":"{n}"}}"#
        )
        .unwrap();
    }
    copy.finish().unwrap();
    wait_for_events(&server, "app", 10);
}

#[test]
fn a_transaction_of_many_inserts_wakes_once_at_its_commit() {
    let server = server_with_app(ONLY_WOKEN);
    wait_for_worker(&server, "app");
    let mut client = server.connect("app");
    let mut transaction = client.transaction().unwrap();
    for n in 0..200 {
        let message =
            format!(r#"{{"type":"track","userId":"u","event":"Viewed","messageId":"{n}"}}"#);
        transaction
            .execute("INSERT INTO cdp.inbox (message) VALUES ($1)", &[&message])
            .unwrap();
    }
    assert_eq!(events(&mut server.connect("app")), (0, 0));
    transaction.commit().unwrap();
    wait_for_events(&server, "app", 200);
}

#[test]
fn a_prepared_transaction_is_found_by_polling() {
    let settings = [
        ("max_prepared_transactions", "2"),
        ("cdp.poll_interval", "100ms"),
    ];
    let server = server_with_app(&settings);
    wait_for_worker(&server, "app");
    let mut client = server.connect("app");
    run(&mut client, "BEGIN");
    send(&mut client, 1, 3);
    run(&mut client, "PREPARE TRANSACTION 'p'");
    send(&mut client, 10, 1);
    wait_for_events(&server, "app", 1);
    run(&mut client, "COMMIT PREPARED 'p'");
    wait_for_events(&server, "app", 4);
}

#[test]
fn an_idle_worker_uses_no_transaction_ids() {
    let server = server_with_app(&[("cdp.poll_interval", "20ms"), ("autovacuum", "off")]);
    let mut client = server.connect("app");
    send(&mut client, 1, 10);
    wait_for_events(&server, "app", 10);
    run(
        &mut client,
        "SELECT cdp.schedule('later', '@yearly', 'SELECT 1')",
    );
    let next = "SELECT pg_snapshot_xmax(pg_current_snapshot())::text";
    // What a worker does once when it starts has to be over first.
    let quiet = wait_until(SOON, || {
        let before: String = one(&mut client, next, &[]);
        run(&mut client, "SELECT pg_sleep(1)");
        (before == one::<String>(&mut client, next, &[])).then_some(())
    });
    assert!(quiet.is_some(), "an idle worker writes");
}

#[test]
fn a_bad_message_goes_to_the_dead_letters_and_the_rest_goes_on() {
    let server = server_with_app(&[]);
    let mut client = server.connect("app");
    run(&mut client, "BEGIN");
    send(&mut client, 1, 10);
    run(
        &mut client,
        "INSERT INTO cdp.inbox (message) VALUES ('{not json')",
    );
    send(&mut client, 11, 10);
    run(&mut client, "COMMIT");
    wait_for_events(&server, "app", 20);
    let message: String = one(&mut client, "SELECT message FROM cdp.dead_letter", &[]);
    assert_eq!(message, "{not json");
}

#[test]
fn a_killed_worker_loses_nothing_and_doubles_nothing() {
    let server = server_with_app(&[("cdp.batch_size", "100")]);
    let mut client = server.connect("app");
    send(&mut client, 1, 2000);
    for round in 1..=3 {
        let crashes = server.crashes();
        // In the middle of it: some of it is done, most is not.
        server.wait_for("some events", SOON, || {
            let mut client = server.try_connect("postgres", "app").ok()?;
            let done = client
                .query_one("SELECT count(*) FROM cdp.events", &[])
                .ok()?;
            (done.get::<_, i64>(0) >= round * 100).then_some(())
        });
        server.kill9(wait_for_worker(&server, "app"));
        server.wait_for_recovery(crashes);
    }
    wait_for_events(&server, "app", 2000);
    let mut client = server.connect("app");
    assert_eq!(
        one::<i64>(&mut client, "SELECT count(*) FROM cdp.dead_letter", &[]),
        0
    );
    send(&mut client, 3000, 10);
    wait_for_events(&server, "app", 2010);
}

#[test]
fn a_terminated_worker_ends_at_once_and_comes_back() {
    let server = server_with_app(&[]);
    let first = wait_for_worker(&server, "app");
    let mut client = server.connect("app");
    run(
        &mut client,
        &format!("SELECT pg_terminate_backend({first})"),
    );
    let second = server.wait_for("another worker", SOON, || {
        worker_pid(&server, "app").filter(|pid| *pid != first)
    });
    // In the middle of a batch, which waits for a lock.
    run(&mut client, "BEGIN; LOCK TABLE cdp.pipeline_lock");
    send(&mut server.connect("app"), 1, 5);
    let waits = "SELECT count(*) FROM pg_locks WHERE NOT granted AND pid = $1";
    server.wait_for("the worker to wait for the lock", SOON, || {
        (one::<i64>(&mut client, waits, &[&second]) > 0).then_some(())
    });
    run(
        &mut client,
        &format!("SELECT pg_terminate_backend({second})"),
    );
    server.wait_for("the worker to end", Duration::from_secs(5), || {
        (worker_pid(&server, "app") != Some(second)).then_some(())
    });
    run(&mut client, "ROLLBACK");
    wait_for_events(&server, "app", 5);
}

#[test]
fn a_cancelled_batch_is_tried_again() {
    let server = server_with_app(&[]);
    let worker = wait_for_worker(&server, "app");
    let mut client = server.connect("app");
    run(&mut client, "BEGIN; LOCK TABLE cdp.pipeline_lock");
    send(&mut server.connect("app"), 1, 5);
    let waits = "SELECT count(*) FROM pg_locks WHERE NOT granted AND pid = $1";
    server.wait_for("the worker to wait for the lock", SOON, || {
        (one::<i64>(&mut client, waits, &[&worker]) > 0).then_some(())
    });
    run(&mut client, &format!("SELECT pg_cancel_backend({worker})"));
    run(&mut client, "ROLLBACK");
    wait_for_events(&server, "app", 5);
    let mut client = server.connect("app");
    assert_eq!(
        one::<i64>(&mut client, "SELECT count(*) FROM cdp.dead_letter", &[]),
        0
    );
}

#[test]
fn work_goes_on_after_a_restart() {
    let mut server = server_with_app(&[]);
    wait_for_worker(&server, "app");
    server.reload_with(&[("cdp.workers", "off")]);
    wait_for_no_worker(&server, "app");
    send(&mut server.connect("app"), 1, 5);
    server.reload_with(&[("cdp.workers", "on")]);
    wait_for_events(&server, "app", 5);

    send(&mut server.connect("app"), 6, 5);
    server.restart(StopMode::Immediate);
    wait_for_events(&server, "app", 10);
    server.restart(StopMode::Fast);
    send(&mut server.connect("app"), 11, 5);
    wait_for_events(&server, "app", 15);
    server.kill9_postmaster();
    server.start_again();
    send(&mut server.connect("app"), 16, 5);
    wait_for_events(&server, "app", 20);
}

#[test]
fn drop_extension_sends_the_worker_away_and_create_extension_brings_it_back() {
    let server = server_with_app(&[("cdp.discovery_interval", "1h")]);
    wait_for_worker(&server, "app");
    let mut client = server.connect("app");
    run(&mut client, "DROP EXTENSION pg_cdp CASCADE");
    wait_for_no_worker(&server, "app");
    // The tables have stayed, and writes to the inbox go on.
    send(&mut client, 1, 5);
    run(&mut client, "CREATE EXTENSION pg_cdp");
    wait_for_events(&server, "app", 5);
}

#[test]
fn drop_database_with_force_does_not_wait() {
    let server = server_with_app(&[]);
    wait_for_worker(&server, "app");
    let mut client = server.connect("postgres");
    let began = Instant::now();
    run(&mut client, "DROP DATABASE app WITH (FORCE)");
    assert!(began.elapsed() < Duration::from_secs(5));
    // The launcher and the server are well.
    server.create_cdp_db("app");
    send(&mut server.connect("app"), 1, 5);
    wait_for_events(&server, "app", 5);
    assert_eq!(server.crashes(), 0);
}

#[test]
fn a_later_installation_is_noticed_at_its_commit() {
    let server = Server::start(ServerOptions {
        preload: true,
        settings: &[("cdp.discovery_interval", "1h")],
    });
    server.createdb("late");
    let mut client = server.connect("late");
    run(&mut client, "CREATE EXTENSION pg_cdp");
    // Not initialised: nothing to do.
    wait_for_no_worker(&server, "late");
    run(&mut client, "BEGIN; SELECT cdp.init(); ROLLBACK");
    wait_for_no_worker(&server, "late");
    run(&mut client, "BEGIN; SELECT cdp.init()");
    send(&mut client, 1, 5);
    run(&mut client, "COMMIT");
    wait_for_events(&server, "late", 5);
    wait_for_worker(&server, "late");
}

#[test]
fn each_database_has_its_own_worker() {
    let server = server_with_app(&[]);
    server.create_cdp_db("second");
    let first = wait_for_worker(&server, "app");
    let second = wait_for_worker(&server, "second");
    assert_ne!(first, second);
    send(&mut server.connect("app"), 1, 5);
    send(&mut server.connect("second"), 1, 7);
    wait_for_events(&server, "app", 5);
    wait_for_events(&server, "second", 7);
    // One that waits for a lock keeps the other from nothing.
    let mut client = server.connect("app");
    run(&mut client, "BEGIN; LOCK TABLE cdp.pipeline_lock");
    send(&mut server.connect("app"), 6, 5);
    send(&mut server.connect("second"), 8, 7);
    wait_for_events(&server, "second", 14);
}

#[test]
fn templates_are_left_alone_and_can_be_copied() {
    let server = server_with_app(&[("cdp.discovery_interval", "100ms")]);
    wait_for_worker(&server, "app");
    let mut client = server.connect("postgres");
    for n in 0..5 {
        run(
            &mut client,
            &format!("CREATE DATABASE copy{n} TEMPLATE template1"),
        );
    }
    // A template that has pg_cdp has no worker.
    run(
        &mut client,
        "CREATE DATABASE golden TEMPLATE template0 IS_TEMPLATE true",
    );
    server.install("golden");
    run(&mut client, "CREATE DATABASE from_golden TEMPLATE golden");
    run(
        &mut client,
        "CREATE DATABASE from_golden_too TEMPLATE golden",
    );
    assert_eq!(worker_pid(&server, "golden"), None);
    // Its copy waits for cdp.start(): it could be a copy of what runs elsewhere.
    let mut copy = server.connect("from_golden");
    send(&mut copy, 1, 5);
    run(&mut copy, "SELECT pg_sleep(0.5)");
    assert_eq!(events(&mut copy), (0, 0));
    assert_eq!(error_code(&mut copy, "SELECT cdp.process()"), "55000");
    run(&mut copy, "SELECT cdp.start()");
    wait_for_events(&server, "from_golden", 5);
}

#[test]
fn the_launcher_is_connected_to_no_database() {
    let server = server_with_app(&[]);
    wait_for_worker(&server, "app");
    let mut client = server.connect("app");
    let connected: bool = one(
        &mut client,
        "SELECT bool_or(datid IS NOT NULL) FROM pg_stat_activity WHERE backend_type = 'pg_cdp launcher'",
        &[],
    );
    assert!(!connected);
    // It comes back when it is ended.
    let pid = "SELECT pid FROM pg_stat_activity WHERE backend_type = 'pg_cdp launcher'";
    let first: i32 = one(&mut client, pid, &[]);
    run(
        &mut client,
        &format!("SELECT pg_terminate_backend({first})"),
    );
    server.wait_for("another launcher", SOON, || {
        let row = client.query_opt(pid, &[]).ok()??;
        (row.get::<_, i32>(0) != first).then_some(())
    });
    server.create_cdp_db("after");
    wait_for_worker(&server, "after");
}

#[test]
fn a_standby_reads_and_works_from_its_promotion_on() {
    let primary = server_with_app(&[]);
    send(&mut primary.connect("app"), 1, 5);
    wait_for_events(&primary, "app", 5);
    let standby = primary.backup_to_standby();
    send(&mut primary.connect("app"), 6, 5);
    wait_for_events(&primary, "app", 10);
    primary.wait_for_standby(&standby);

    let mut client = standby.connect("app");
    assert_eq!(events(&mut client), (10, 10));
    run(
        &mut client,
        "SELECT * FROM cdp.profiles; SELECT * FROM cdp.progress()",
    );
    assert_eq!(error_code(&mut client, "SELECT cdp.process()"), "25006");
    assert_eq!(error_code(&mut client, "CALL cdp.process_all()"), "25006");
    assert_eq!(error_code(&mut client, "CALL cdp.run_due_jobs()"), "25006");
    assert_eq!(worker_pid(&standby, "app"), None);

    drop(primary);
    standby.promote();
    send(&mut standby.connect("app"), 11, 5);
    wait_for_events(&standby, "app", 15);
}

#[test]
fn too_few_processes_are_reported_once_and_processing_by_hand_works() {
    // PostgreSQL's own launcher of logical replication takes one, ours the other.
    let server = server_with_app(&[
        ("max_worker_processes", "2"),
        ("cdp.discovery_interval", "100ms"),
    ]);
    let complaint = "no background process is free for pg_cdp";
    server.wait_for("a message in the log", SOON, || {
        server.log().contains(complaint).then_some(())
    });
    assert!(server.log().contains("Raise max_worker_processes"));
    let mut client = server.connect("app");
    send(&mut client, 1, 5);
    run(&mut client, "SELECT pg_sleep(1)");
    assert_eq!(server.log().matches(complaint).count(), 1);
    run(&mut client, "CALL cdp.process_all()");
    assert_eq!(events(&mut client), (5, 5));
}

#[test]
fn a_worker_that_is_paused_leaves_and_comes_back_when_told() {
    let server = server_with_app(&[("cdp.discovery_interval", "1h")]);
    wait_for_worker(&server, "app");
    let mut client = server.connect("app");
    run(
        &mut client,
        "UPDATE cdp.installation SET paused_at = now(); SELECT cdp.wake_worker()",
    );
    wait_for_no_worker(&server, "app");
    send(&mut client, 1, 5);
    assert_eq!(error_code(&mut client, "SELECT cdp.process()"), "55000");
    // Now the database can be renamed, copied, dropped.
    run(
        &mut server.connect("postgres"),
        "CREATE DATABASE other TEMPLATE template0",
    );
    run(
        &mut client,
        "UPDATE cdp.installation SET paused_at = NULL; SELECT cdp.wake_worker()",
    );
    wait_for_events(&server, "app", 5);
}

#[test]
fn a_message_that_crashes_the_server_is_found_and_set_aside() {
    let server = server_with_app(&[("cdp.batch_size", "16"), ("cdp.workers", "off")]);
    let mut client = server.connect("app");
    wait_for_no_worker(&server, "app");
    // Stands for a fault of ours: the process that stores this event dies.
    run(
        &mut client,
        "CREATE FUNCTION public.die() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$ \
         BEGIN IF NEW.name = 'Bang' THEN COPY (SELECT 1) TO PROGRAM 'kill -9 $PPID'; END IF; \
         RETURN NEW; END $$; \
         CREATE TRIGGER die BEFORE INSERT ON cdp.events FOR EACH ROW EXECUTE FUNCTION public.die()",
    );
    run(&mut client, "BEGIN");
    send(&mut client, 1, 20);
    run(
        &mut client,
        r#"INSERT INTO cdp.inbox (message) VALUES
           ('{"type":"track","userId":"u","event":"Bang","messageId":"b"}')"#,
    );
    send(&mut client, 21, 20);
    run(&mut client, "COMMIT");
    server.reload_with(&[("cdp.workers", "on")]);
    wait_for_events(&server, "app", 40);
    let mut client = server.wait_for("a connection", SOON, || {
        server.try_connect("postgres", "app").ok()
    });
    let row = client
        .query_one("SELECT reason, message FROM cdp.dead_letter", &[])
        .unwrap();
    assert_eq!(row.get::<_, String>(0), "crashed");
    assert!(row.get::<_, String>(1).contains("Bang"));
    assert!(server.crashes() <= 9, "{} crashes", server.crashes());
}

#[test]
fn a_full_inbox_refuses_more_but_never_capture() {
    let server = server_with_app(&[("cdp.workers", "off")]);
    let mut client = server.connect("app");
    run(
        &mut client,
        "CREATE ROLE app_writer LOGIN; GRANT cdp_ingest TO app_writer; \
         ALTER DATABASE app SET cdp.inbox_limit = '1MB'",
    );
    let fill =
        "INSERT INTO cdp.inbox (message) SELECT repeat('x', 1000) FROM generate_series(1, 2000)";
    let mut writer = server.connect_as("app_writer", "app");
    assert_eq!(error_code(&mut writer, fill), "53400");
    assert_eq!(error_code(&mut writer, fill), "53400");
    // A transaction that goes on after the error is refused again.
    run(&mut writer, "BEGIN; SAVEPOINT s");
    assert_eq!(error_code(&mut writer, fill), "53400");
    run(&mut writer, "ROLLBACK TO s");
    assert_eq!(
        error_code(&mut writer, "INSERT INTO cdp.inbox (message) VALUES ('x')"),
        "53400"
    );
    run(&mut writer, "ROLLBACK");
    // Capture acts as the owner.
    run(&mut client, "SET ROLE cdp_owner");
    run(
        &mut client,
        "INSERT INTO cdp.inbox (kind, source, message) VALUES ('r', 's', '{}')",
    );
}

#[test]
fn nothing_planted_in_the_tables_runs_as_a_superuser() {
    let server = server_with_app(&[("cdp.poll_interval", "100ms")]);
    let mut client = server.connect("app");
    // A member of the owner role plants code that looks who it is, at once and at the commit.
    run(
        &mut client,
        "CREATE ROLE mallory LOGIN; GRANT cdp_owner TO mallory; \
         CREATE TABLE public.seen (who text, session text, how text); \
         GRANT ALL ON public.seen TO public; GRANT CREATE ON SCHEMA public TO mallory",
    );
    let mut mallory = server.connect_as("mallory", "app");
    run(
        &mut mallory,
        "CREATE FUNCTION public.look() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN \
           BEGIN RESET ROLE; EXCEPTION WHEN OTHERS THEN NULL; END; \
           BEGIN SET SESSION AUTHORIZATION DEFAULT; EXCEPTION WHEN OTHERS THEN NULL; END; \
           BEGIN SET ROLE postgres; EXCEPTION WHEN OTHERS THEN NULL; END; \
           INSERT INTO public.seen VALUES (current_user, session_user, TG_ARGV[0]); \
           RETURN NULL; END $$; \
         SET ROLE cdp_owner; \
         CREATE TRIGGER now AFTER INSERT ON cdp.batches \
           FOR EACH ROW EXECUTE FUNCTION public.look('at once'); \
         CREATE CONSTRAINT TRIGGER later AFTER INSERT ON cdp.batches \
           DEFERRABLE INITIALLY DEFERRED \
           FOR EACH ROW EXECUTE FUNCTION public.look('at commit')",
    );
    send(&mut client, 1, 5);
    wait_for_events(&server, "app", 5);
    let seen = client
        .query("SELECT how, who FROM public.seen ORDER BY how", &[])
        .unwrap();
    let seen: Vec<(String, String)> = seen.iter().map(|r| (r.get(0), r.get(1))).collect();
    let owner = |how: &str| (how.to_owned(), "cdp_owner".to_owned());
    assert_eq!(seen, [owner("at commit"), owner("at once")]);
}

#[test]
fn without_preload_everything_works_by_hand() {
    let server = Server::start(ServerOptions {
        preload: false,
        settings: &[],
    });
    server.create_cdp_db("app");
    let mut client = server.connect("app");
    send(&mut client, 1, 250);
    assert_eq!(one::<i64>(&mut client, "SELECT cdp.process(100)", &[]), 100);
    assert_eq!(events(&mut client), (100, 100));
    run(&mut client, "CALL cdp.process_all(60)");
    assert_eq!(events(&mut client), (250, 250));
    assert_eq!(one::<i64>(&mut client, "SELECT cdp.process()", &[]), 0);
    let batches: Vec<i64> = client
        .query(
            "SELECT read FROM cdp.batches WHERE read > 0 ORDER BY batch_id",
            &[],
        )
        .unwrap()
        .iter()
        .map(|row| row.get(0))
        .collect();
    assert_eq!(batches, [100, 60, 60, 30]);
    assert_eq!(error_code(&mut client, "SELECT cdp.process(0)"), "22023");
    for level in ["REPEATABLE READ", "SERIALIZABLE"] {
        run(&mut client, &format!("BEGIN ISOLATION LEVEL {level}"));
        assert_eq!(error_code(&mut client, "SELECT cdp.process()"), "25000");
        run(&mut client, "ROLLBACK");
    }
    run(
        &mut client,
        "SELECT cdp.wake_worker(); SELECT * FROM cdp.progress()",
    );
    // Whoever is no member of the owner role may not.
    run(
        &mut client,
        "CREATE ROLE stranger; GRANT USAGE ON SCHEMA cdp TO stranger; SET ROLE stranger",
    );
    assert_eq!(error_code(&mut client, "SELECT cdp.process()"), "42501");
    assert_eq!(error_code(&mut client, "CALL cdp.process_all()"), "42501");
}

#[test]
fn progress_of_a_long_task_is_seen_and_ends_with_it() {
    let server = server_with_app(&[("cdp.workers", "off")]);
    let mut client = server.connect("app");
    run(&mut client, "BEGIN; LOCK TABLE cdp.pipeline_lock");
    let mut other = server.connect("app");
    let pid: i32 = one(&mut other, "SELECT pg_backend_pid()", &[]);
    let rebuild = std::thread::spawn(move || other.batch_execute("SELECT cdp.rebuild()"));
    let row = server.wait_for("progress", SOON, || {
        let mut reader = server.connect("postgres");
        run(&mut reader, "CREATE EXTENSION IF NOT EXISTS pg_cdp");
        let sql = "SELECT pid, database, phase, done FROM cdp.progress()";
        reader.query_opt(sql, &[]).unwrap()
    });
    assert_eq!(row.get::<_, i32>(0), pid);
    assert_eq!(row.get::<_, &str>(1), "app");
    assert!(row.get::<_, &str>(2).starts_with("rebuild"));
    run(&mut client, &format!("SELECT pg_cancel_backend({pid})"));
    rebuild.join().unwrap().expect_err("it was cancelled");
    let count = "SELECT count(*) FROM cdp.progress()";
    assert_eq!(one::<i64>(&mut client, count, &[]), 0);
    run(&mut client, "ROLLBACK; SELECT cdp.rebuild()");
    assert_eq!(one::<i64>(&mut client, count, &[]), 0);
}

#[test]
fn two_who_process_at_once_do_not_double() {
    let server = server_with_app(&[("cdp.batch_size", "50")]);
    send(&mut server.connect("app"), 1, 1000);
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| run(&mut server.connect("app"), "CALL cdp.process_all(70)"));
        }
    });
    wait_for_events(&server, "app", 1000);
}
