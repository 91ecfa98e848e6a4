//! Scheduled jobs, on real servers.

mod common;

use std::time::Duration;

use cdp_server_tests::{Client, Server, ServerOptions, TestDb, fresh_db};
use common::*;

/// A role that may schedule, and a table that everybody may write.
fn prepare(client: &mut Client, role: &str) {
    run(
        client,
        &format!(
            "DO $$ BEGIN CREATE ROLE {role} LOGIN; EXCEPTION WHEN duplicate_object THEN NULL; END $$; \
             GRANT cdp_owner TO {role}; \
             CREATE TABLE IF NOT EXISTS public.done (what text, who text DEFAULT current_user); \
             GRANT ALL ON public.done TO public"
        ),
    );
}

/// A row of `cdp.job_runs`.
#[derive(Debug, PartialEq, Eq)]
struct Run {
    status: String,
    rows: Option<i64>,
    error: Option<String>,
}

/// The ended runs of a job, in order.
fn runs(client: &mut Client, job: &str) -> Vec<Run> {
    let sql = "SELECT status, rows, error FROM cdp.job_runs \
               WHERE job = $1 AND finished_at >= started_at ORDER BY run_id";
    let rows = client.query(sql, &[&job]).unwrap();
    rows.iter()
        .map(|row| Run {
            status: row.get(0),
            rows: row.get(1),
            error: row.get(2),
        })
        .collect()
}

fn wait_for_runs(db: &TestDb, job: &str, count: usize) -> Vec<Run> {
    wait_for_runs_on(db.server(), &db.name, job, count)
}

fn wait_for_runs_on(server: &Server, db: &str, job: &str, count: usize) -> Vec<Run> {
    let mut client = server.connect(db);
    server.wait_for(&format!("{count} runs of {job}"), SOON, || {
        let runs = runs(&mut client, job);
        (runs.len() >= count).then_some(runs)
    })
}

/// Has a job run as soon as possible, once.
fn make_due(client: &mut Client, job: &str) {
    let sql = "UPDATE cdp.jobs SET next_run_at = now() - interval '1 hour' WHERE name = $1";
    assert_eq!(client.execute(sql, &[&job]).unwrap(), 1);
    run(client, "SELECT cdp.inbox_wake()");
}

#[test]
fn a_job_runs_on_its_schedule_with_the_rights_of_who_scheduled_it() {
    let db = fresh_db();
    prepare(&mut db.connect(), "ann");
    let mut ann = db.connect_as("ann");
    run(
        &mut ann,
        "SELECT cdp.schedule('tick', 'every 1 second', \
           'INSERT INTO public.done SELECT ''first''; \
            INSERT INTO public.done SELECT ''second'' FROM generate_series(1, 3)')",
    );
    let runs = wait_for_runs(&db, "tick", 2);
    assert_eq!(
        runs[0],
        Run {
            status: "succeeded".into(),
            rows: Some(3),
            error: None
        }
    );
    let who: Vec<String> = ann
        .query("SELECT DISTINCT who FROM public.done", &[])
        .unwrap()
        .iter()
        .map(|row| row.get(0))
        .collect();
    assert_eq!(who, ["ann"]);

    // The same name again: changed, and the owner stays.
    let mut client = db.connect();
    run(
        &mut client,
        "SELECT cdp.schedule('tick', '@daily', 'SELECT 1', 'Europe/Lisbon')",
    );
    let row = client
        .query_one(
            "SELECT owner::text, schedule, time_zone, count(*) OVER () FROM cdp.jobs",
            &[],
        )
        .unwrap();
    assert_eq!(row.get::<_, String>(0), "ann");
    assert_eq!(row.get::<_, String>(1), "@daily");
    assert_eq!(row.get::<_, String>(2), "Europe/Lisbon");
    assert_eq!(row.get::<_, i64>(3), 1);
    assert!(one::<bool>(
        &mut client,
        "SELECT cdp.unschedule('tick')",
        &[]
    ));
    assert!(!one::<bool>(
        &mut client,
        "SELECT cdp.unschedule('tick')",
        &[]
    ));
}

#[test]
fn what_cannot_be_scheduled_is_refused() {
    let db = fresh_db();
    let mut client = db.connect();
    for schedule in ["", "every", "* * *", "61 * * * *", "every 0 seconds"] {
        let sql = format!("SELECT cdp.schedule('x', '{schedule}', 'SELECT 1')");
        assert_eq!(error_code(&mut client, &sql), "22023", "{schedule}");
    }
    let sql = "SELECT cdp.schedule('x', '@daily', 'SELECT 1', 'Nowhere/City')";
    assert_eq!(error_code(&mut client, sql), "22023");
    assert_eq!(
        error_code(&mut client, "SELECT cdp.schedule('', '@daily', 'SELECT 1')"),
        "22023"
    );
    assert_eq!(
        error_code(&mut client, "SELECT cdp.run_job('nothing')"),
        "42704"
    );
    run(
        &mut client,
        "CREATE ROLE nobody_here; GRANT USAGE ON SCHEMA cdp TO nobody_here",
    );
    run(&mut client, "SET ROLE nobody_here");
    assert_eq!(
        error_code(
            &mut client,
            "SELECT cdp.schedule('x', '@daily', 'SELECT 1')"
        ),
        "42501"
    );
    run(
        &mut client,
        "RESET ROLE; REVOKE USAGE ON SCHEMA cdp FROM nobody_here; DROP ROLE nobody_here",
    );
}

#[test]
fn only_its_owner_and_those_with_its_rights_change_or_run_a_job() {
    let db = fresh_db();
    prepare(&mut db.connect(), "ann");
    prepare(&mut db.connect(), "ben");
    run(
        &mut db.connect_as("ann"),
        "SELECT cdp.schedule('hers', '@daily', 'SELECT 1')",
    );
    let mut ben = db.connect_as("ben");
    for sql in [
        "SELECT cdp.schedule('hers', '@daily', 'SELECT 2')",
        "SELECT cdp.unschedule('hers')",
        "SELECT cdp.run_job('hers')",
    ] {
        assert_eq!(error_code(&mut ben, sql), "42501", "{sql}");
    }
    run(&mut db.connect(), "GRANT ann TO ben");
    run(&mut ben, "SELECT cdp.run_job('hers')");
    run(
        &mut ben,
        "SELECT cdp.schedule('hers', '@daily', 'SELECT 2')",
    );
    let mut client = db.connect();
    assert_eq!(
        one::<String>(&mut client, "SELECT owner::text FROM cdp.jobs", &[]),
        "ann"
    );
    run(&mut client, "REVOKE ann FROM ben");
}

#[test]
fn a_job_that_fails_hurts_no_other() {
    let db = fresh_db();
    let mut client = db.connect();
    prepare(&mut client, "ann");
    run(
        &mut client,
        "SELECT cdp.schedule('bad', 'every 1 second', 'INSERT INTO public.done VALUES (''bad''); SELECT 1 / 0'); \
         SELECT cdp.schedule('worse', 'every 1 second', 'this is not SQL'); \
         SELECT cdp.schedule('ends', 'every 1 second', 'COMMIT'); \
         SELECT cdp.schedule('good', 'every 1 second', 'INSERT INTO public.done VALUES (''good'')')",
    );
    assert_eq!(wait_for_runs(&db, "good", 2)[1].status, "succeeded");
    for (job, error) in [
        ("bad", "division by zero"),
        ("worse", "syntax error"),
        ("ends", "cannot end it"),
    ] {
        for run in wait_for_runs(&db, job, 2) {
            assert_eq!((run.status.as_str(), run.rows), ("failed", None));
            assert!(
                run.error.as_deref().unwrap_or("").contains(error),
                "{run:?}"
            );
        }
    }
    // What it did is rolled back.
    let bad = "SELECT count(*) FROM public.done WHERE what = 'bad'";
    assert_eq!(one::<i64>(&mut client, bad, &[]), 0);
    // Messages go on meanwhile.
    send(&mut client, 1, 5);
    wait_for_events(db.server(), &db.name, 5);
}

#[test]
fn a_job_gets_no_right_that_its_owner_does_not_have() {
    let db = fresh_db();
    let mut client = db.connect();
    prepare(&mut client, "ann");
    run(
        &mut client,
        "CREATE TABLE public.secret (x int); INSERT INTO public.secret VALUES (1); \
         GRANT CREATE ON SCHEMA public TO ann",
    );
    let mut ann = db.connect_as("ann");
    run(
        &mut ann,
        "CREATE TABLE public.mine (x int); \
         CREATE FUNCTION public.look() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN \
           INSERT INTO public.done VALUES ('at commit'); RETURN NULL; END $$; \
         CREATE CONSTRAINT TRIGGER later AFTER INSERT ON public.mine DEFERRABLE INITIALLY DEFERRED \
           FOR EACH ROW EXECUTE FUNCTION public.look()",
    );
    let ways = [
        "SELECT * FROM public.secret",
        "RESET ROLE; SELECT * FROM public.secret",
        "SET ROLE postgres; SELECT * FROM public.secret",
        "SET SESSION AUTHORIZATION DEFAULT; SELECT * FROM public.secret",
        "RESET SESSION AUTHORIZATION; SELECT * FROM public.secret",
        "SELECT set_config('role', 'postgres', false); SELECT * FROM public.secret",
        "SELECT set_config('session_authorization', 'postgres', false); SELECT * FROM public.secret",
        "DO $$ BEGIN RESET ROLE; EXCEPTION WHEN OTHERS THEN NULL; END $$; SELECT * FROM public.secret",
        "DISCARD ALL; SELECT * FROM public.secret",
        "COPY (SELECT 1) TO PROGRAM 'true'",
    ];
    for (n, way) in ways.iter().enumerate() {
        ann.execute(
            "SELECT cdp.schedule($1, '@yearly', $2)",
            &[&format!("way{n}"), way],
        )
        .unwrap();
    }
    run(
        &mut ann,
        "SELECT cdp.schedule('deferred', '@yearly', 'INSERT INTO public.mine VALUES (1)')",
    );
    run(
        &mut ann,
        "SELECT cdp.schedule('harmless', '@yearly', 'INSERT INTO public.done VALUES (''x'')')",
    );
    run(
        &mut ann,
        "UPDATE cdp.jobs SET next_run_at = now(); SELECT cdp.inbox_wake()",
    );
    for (n, way) in ways.iter().enumerate() {
        let runs = wait_for_runs(&db, &format!("way{n}"), 1);
        assert_eq!(runs[0].status, "failed", "{way}");
    }
    assert_eq!(wait_for_runs(&db, "deferred", 1)[0].status, "succeeded");
    assert_eq!(wait_for_runs(&db, "harmless", 1)[0].status, "succeeded");
    let others = "SELECT count(*) FROM public.done WHERE who <> 'ann'";
    assert_eq!(one::<i64>(&mut client, others, &[]), 0);
    // In a session of a superuser: the same.
    run(&mut client, "UPDATE cdp.jobs SET next_run_at = now()");
    run(&mut client, "CALL cdp.run_due_jobs()");
    for (n, way) in ways.iter().enumerate() {
        for run in wait_for_runs(&db, &format!("way{n}"), 2) {
            assert_eq!(run.status, "failed", "{way}");
        }
    }
    assert_eq!(one::<i64>(&mut client, others, &[]), 0);
    assert_eq!(
        one::<String>(&mut client, "SELECT current_user::text", &[]),
        "postgres"
    );
}

#[test]
fn a_job_written_into_the_table_does_not_run() {
    let db = fresh_db();
    let mut client = db.connect();
    prepare(&mut client, "ann");
    run(
        &mut client,
        "SELECT cdp.schedule('root', '@yearly', 'INSERT INTO public.done VALUES (''root'')')",
    );
    let mut ann = db.connect_as("ann");
    // A forged row, a changed command, a changed owner, a copied seal.
    run(
        &mut ann,
        "SELECT cdp.schedule('hers', '@yearly', 'INSERT INTO public.done VALUES (''hers'')'); \
         UPDATE cdp.jobs SET owner = 'postgres' WHERE name = 'hers'; \
         UPDATE cdp.jobs SET command = command || '; SELECT 1' WHERE name = 'root'; \
         INSERT INTO cdp.jobs (name, schedule, command, owner, seal) \
           SELECT 'forged', schedule, 'INSERT INTO public.done VALUES (''forged'')', owner, seal \
             FROM cdp.jobs WHERE name = 'root'; \
         UPDATE cdp.jobs SET next_run_at = now(); SELECT cdp.inbox_wake()",
    );
    for job in ["root", "hers", "forged"] {
        let runs = wait_for_runs(&db, job, 1);
        assert_eq!(runs[0].status, "failed");
        assert!(
            runs[0]
                .error
                .as_deref()
                .unwrap()
                .contains("was not scheduled on this server")
        );
    }
    assert_eq!(
        one::<i64>(&mut client, "SELECT count(*) FROM public.done", &[]),
        0
    );
    // Scheduled again by its owner, it runs.
    run(
        &mut client,
        "SELECT cdp.schedule('root', '@yearly', 'INSERT INTO public.done VALUES (''root'')')",
    );
    make_due(&mut client, "root");
    assert_eq!(wait_for_runs(&db, "root", 2)[1].status, "succeeded");
}

#[test]
fn missed_runs_are_made_up_for_by_one() {
    let db = fresh_db();
    let mut client = db.connect();
    run(
        &mut client,
        "SELECT cdp.schedule('hourly', '@hourly', 'SELECT 1')",
    );
    run(
        &mut client,
        "UPDATE cdp.jobs SET next_run_at = now() - interval '30 days', \
           counted_from = now() - interval '31 days'; SELECT cdp.inbox_wake()",
    );
    wait_for_runs(&db, "hourly", 1);
    let next =
        "SELECT next_run_at > now() AND next_run_at <= now() + interval '1 hour' FROM cdp.jobs";
    assert!(one::<bool>(&mut client, next, &[]));
    std::thread::sleep(Duration::from_secs(2));
    assert_eq!(runs(&mut client, "hourly").len(), 1);
}

#[test]
fn a_clock_that_was_set_back_keeps_no_job_waiting() {
    let db = fresh_db();
    let mut client = db.connect();
    run(
        &mut client,
        "SELECT cdp.schedule('tick', 'every 1 second', 'SELECT 1')",
    );
    wait_for_runs(&db, "tick", 1);
    run(
        &mut client,
        "UPDATE cdp.jobs SET next_run_at = now() + interval '1 year', \
           counted_from = now() + interval '1 year'; SELECT cdp.inbox_wake()",
    );
    let before = runs(&mut client, "tick").len();
    wait_for_runs(&db, "tick", before + 2);
}

#[test]
fn a_job_that_takes_long_keeps_no_message_and_no_other_job_waiting() {
    let db = fresh_db();
    let mut client = db.connect();
    run(
        &mut client,
        "SELECT cdp.schedule('long', 'every 1 second', 'SELECT pg_sleep(600)')",
    );
    db.server().wait_for("the long job", SOON, || {
        let running = "SELECT count(*) FROM cdp.job_runs WHERE status = 'running'";
        (one::<i64>(&mut client, running, &[]) == 1).then_some(())
    });
    run(
        &mut client,
        "SELECT cdp.schedule('short', 'every 1 second', 'SELECT 1')",
    );
    wait_for_runs(&db, "short", 2);
    send(&mut client, 1, 5);
    wait_for_events(db.server(), &db.name, 5);
    // It does not run twice at a time, and nobody else can run it.
    let long = "SELECT count(*) FROM cdp.job_runs WHERE job = 'long'";
    assert_eq!(one::<i64>(&mut client, long, &[]), 1);
    assert_eq!(
        error_code(&mut client, "SELECT cdp.run_job('long')"),
        "55006"
    );
    run(
        &mut client,
        "UPDATE cdp.jobs SET next_run_at = now() WHERE name = 'long'",
    );
    run(&mut client, "CALL cdp.run_due_jobs()");
    assert_eq!(one::<i64>(&mut client, long, &[]), 1);
    // It can be cancelled.
    run(
        &mut client,
        "SELECT pg_cancel_backend(pid) FROM pg_stat_activity \
          WHERE backend_type = 'pg_cdp jobs' AND datname = current_database()",
    );
    let runs = wait_for_runs(&db, "long", 1);
    assert_eq!(runs[0].status, "failed");
    run(&mut client, "SELECT cdp.unschedule('long')");
    run(
        &mut client,
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
          WHERE backend_type = 'pg_cdp jobs' AND datname = current_database()",
    );
}

#[test]
fn a_job_that_crashes_is_recorded_as_crashed() {
    let server = server_with_app(&[("cdp.poll_interval", "100ms")]);
    let mut client = server.connect("app");
    prepare(&mut client, "ann");
    run(
        &mut client,
        "SELECT cdp.schedule('bang', '@yearly', 'COPY (SELECT 1) TO PROGRAM ''kill -9 $PPID''')",
    );
    run(
        &mut client,
        "SELECT cdp.schedule('tick', 'every 1 second', 'SELECT 1')",
    );
    let crashes = server.crashes();
    run(
        &mut client,
        "UPDATE cdp.jobs SET next_run_at = now() WHERE name = 'bang'; SELECT cdp.inbox_wake()",
    );
    server.wait_for_recovery(crashes);
    let runs = wait_for_runs_on(&server, "app", "bang", 1);
    assert_eq!(runs[0].status, "crashed");
    // Not again before it is due, and the others go on.
    let mut client = server.connect("app");
    let before = one::<i64>(
        &mut client,
        "SELECT count(*) FROM cdp.job_runs WHERE job = 'tick'",
        &[],
    );
    wait_for_runs_on(&server, "app", "tick", before as usize + 2);
    assert_eq!(server.crashes(), crashes + 1);
}

#[test]
fn statement_timeout_of_the_owner_ends_a_job() {
    let db = fresh_db();
    let mut client = db.connect();
    prepare(&mut client, "tim");
    run(
        &mut client,
        &format!(
            "ALTER ROLE tim IN DATABASE {} SET statement_timeout = '300ms'",
            db.name
        ),
    );
    let mut tim = db.connect_as("tim");
    run(
        &mut tim,
        "SELECT cdp.schedule('long', 'every 1 second', 'SELECT pg_sleep(600)')",
    );
    let runs = wait_for_runs(&db, "long", 2);
    assert!(
        runs[0]
            .error
            .as_deref()
            .unwrap()
            .contains("statement timeout")
    );
}

#[test]
fn a_job_finds_its_tables_by_the_search_path_of_its_owner() {
    let db = fresh_db();
    let mut client = db.connect();
    prepare(&mut client, "sue");
    run(
        &mut client,
        &format!(
            "CREATE SCHEMA things; CREATE TABLE things.t (x int); GRANT ALL ON SCHEMA things TO sue; \
             GRANT ALL ON things.t TO sue; ALTER ROLE sue IN DATABASE {} SET search_path = things",
            db.name
        ),
    );
    run(
        &mut db.connect_as("sue"),
        "SELECT cdp.schedule('put', 'every 1 second', 'INSERT INTO t VALUES (1)')",
    );
    assert_eq!(wait_for_runs(&db, "put", 1)[0].status, "succeeded");
}

#[test]
fn a_job_whose_owner_is_gone_fails() {
    let db = fresh_db();
    let mut client = db.connect();
    prepare(&mut client, "gone");
    run(
        &mut db.connect_as("gone"),
        "SELECT cdp.schedule('orphan', '@yearly', 'SELECT 1')",
    );
    // Connections end a moment after they are closed.
    run(
        &mut client,
        "DROP OWNED BY gone; REVOKE cdp_owner FROM gone; DROP ROLE gone",
    );
    make_due(&mut client, "orphan");
    let runs = wait_for_runs(&db, "orphan", 1);
    assert!(
        runs[0].error.as_deref().unwrap().contains("does not exist"),
        "{runs:?}"
    );
}

#[test]
fn a_job_can_be_run_by_hand() {
    let db = fresh_db();
    let mut client = db.connect();
    prepare(&mut client, "ann");
    run(
        &mut client,
        "SELECT cdp.schedule('j', '@yearly', 'INSERT INTO public.done VALUES (1), (2)')",
    );
    run(
        &mut client,
        "SELECT cdp.schedule('bad', '@yearly', 'SELECT 1 / 0')",
    );
    run(
        &mut client,
        "SELECT cdp.run_job('j'); SELECT cdp.run_job('bad')",
    );
    assert_eq!(runs(&mut client, "j")[0].rows, Some(2));
    assert_eq!(runs(&mut client, "bad")[0].status, "failed");
}

#[test]
fn without_preload_due_jobs_run_by_hand() {
    let server = Server::start(ServerOptions {
        preload: false,
        settings: &[],
    });
    server.create_cdp_db("app");
    let mut client = server.connect("app");
    prepare(&mut client, "ann");
    prepare(&mut client, "ben");
    run(
        &mut client,
        "SELECT cdp.schedule('root', '@yearly', 'INSERT INTO public.done VALUES (''root'')')",
    );
    for role in ["ann", "ben"] {
        let mut own = server.connect_as(role, "app");
        let sql = "SELECT cdp.schedule($1, '@yearly', 'INSERT INTO public.done VALUES (''x''); SELECT 1')";
        own.execute(sql, &[&role]).unwrap();
    }
    run(
        &mut client,
        "SELECT cdp.schedule('bad', '@yearly', 'SELECT 1 / 0')",
    );
    run(&mut client, "UPDATE cdp.jobs SET next_run_at = now()");
    // Only those whose owner she may act for.
    let mut ann = server.connect_as("ann", "app");
    run(&mut ann, "CALL cdp.run_due_jobs()");
    let did = "SELECT string_agg(job || ' ' || status, ',' ORDER BY run_id) FROM cdp.job_runs";
    assert_eq!(one::<String>(&mut client, did, &[]), "ann succeeded");
    // A superuser may act for all, and each runs as its owner.
    run(&mut client, "CALL cdp.run_due_jobs()");
    let ended = "SELECT count(*) FROM cdp.job_runs WHERE status IN ('succeeded', 'failed')";
    assert_eq!(one::<i64>(&mut client, ended, &[]), 4);
    let who = "SELECT string_agg(who, ',' ORDER BY who) FROM public.done";
    assert_eq!(one::<String>(&mut client, who, &[]), "ann,ben,postgres");
    run(&mut client, "CALL cdp.run_due_jobs()");
    assert_eq!(one::<i64>(&mut client, ended, &[]), 4);
    // What nobody claimed cannot be run.
    assert_eq!(
        error_code(&mut client, "SELECT cdp.run_claimed_job(1)"),
        "42704"
    );
}

#[test]
fn with_no_process_to_spare_jobs_run_in_the_worker() {
    // PostgreSQL's own launcher of logical replication, ours, and the worker.
    let server = server_with_app(&[("max_worker_processes", "3")]);
    let mut client = server.connect("app");
    run(
        &mut client,
        "SELECT cdp.schedule('tick', 'every 1 second', 'SELECT 1')",
    );
    wait_for_runs_on(&server, "app", "tick", 2);
    assert!(
        server
            .log()
            .contains("no background process is free for pg_cdp to start its jobs")
    );
    send(&mut client, 1, 5);
    wait_for_events(&server, "app", 5);
}

#[test]
fn a_restored_job_waits_for_cdp_start() {
    let db = fresh_db();
    let mut client = db.connect();
    prepare(&mut client, "ann");
    run(
        &mut db.connect_as("ann"),
        "SELECT cdp.schedule('hers', '@yearly', 'INSERT INTO public.done VALUES (''x'')')",
    );
    run(
        &mut client,
        "UPDATE cdp.jobs SET next_run_at = now() + interval '1 minute'",
    );
    let file = db.server().dump(&db.name);
    let copy = format!("{}_copy", db.name);
    db.server().restore(&file, &copy);
    let mut client = db.server().connect(&copy);
    run(&mut client, "UPDATE cdp.jobs SET next_run_at = now()");
    assert_eq!(error_code(&mut client, "CALL cdp.run_due_jobs()"), "55000");
    run(&mut client, "SELECT cdp.start()");
    let runs = wait_for_runs_on(db.server(), &copy, "hers", 1);
    assert_eq!(runs[0].status, "succeeded");
    assert_eq!(
        one::<String>(&mut client, "SELECT who FROM public.done", &[]),
        "ann"
    );
    drop(client);
    run(
        &mut db.connect(),
        &format!("DROP DATABASE {copy} WITH (FORCE)"),
    );
}
