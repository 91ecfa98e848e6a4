//! Exactly once: whatever is killed, cancelled or left open, every committed message is accepted once,
//! and nothing else.

mod common;

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write as _;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use cdp_server_tests::postgres::NoTls;
use cdp_server_tests::sql::{assert_same, column, fails, one, run, tables};
use cdp_server_tests::{Client, Server, ServerOptions, StopMode};
use common::SOON;

fn server(settings: &[(&str, &str)]) -> Server {
    let server = Server::start(ServerOptions {
        preload: true,
        settings,
    });
    server.create_cdp_db("app");
    server
}

/// A server on which only the test processes anything.
fn quiet_server() -> Server {
    server(&[("cdp.workers", "off"), ("max_prepared_transactions", "5")])
}

fn message(id: &str, user: usize) -> String {
    format!(
        r#"{{"type":"track","event":"e","messageId":"{id}","userId":"u{user}","anonymousId":"k{}"}}"#,
        user % 7
    )
}

fn send(client: &mut Client, id: &str) {
    let text = message(id, id.bytes().map(usize::from).sum::<usize>() % 40);
    run(
        client,
        &format!("INSERT INTO cdp.inbox (message) VALUES ('{text}')"),
    );
}

fn drain(client: &mut Client) -> i64 {
    let mut all = 0;
    loop {
        match one::<i64>(client, "SELECT cdp.process()") {
            0 => return all,
            read => all += read,
        }
    }
}

/// Ids of the events stored, in order; twice where one is stored twice.
fn stored(client: &mut Client) -> Vec<String> {
    column(
        client,
        "SELECT message_id FROM cdp.events ORDER BY message_id COLLATE \"C\"",
    )
}

/// All that was derived is what a rebuild derives, and the counts agree with what is stored.
fn check_consistent(client: &mut Client) {
    // The worker empties the inbox when it likes, once all of it is consumed.
    const EXCEPT: &[&str] = &["segments", "inbox"];
    let before = tables(client, EXCEPT);
    run(client, "SELECT cdp.rebuild()");
    assert_same("a rebuild changed", &before, &tables(client, EXCEPT));
    let said: i64 = one(
        client,
        "SELECT (SELECT count(*) FROM cdp.events) + (SELECT count(*) FROM cdp.messages)",
    );
    for (what, sql) in [
        (
            "evidence",
            "SELECT coalesce(sum(count), 0)::bigint FROM cdp.set_evidence",
        ),
        (
            "the ledger",
            "SELECT coalesce(sum(accepted), 0)::bigint FROM cdp.batches",
        ),
        ("message keys", "SELECT count(*) FROM cdp.message_keys"),
        (
            "events of profiles",
            "SELECT (SELECT count(*) FROM cdp.profile_events) + (SELECT count(*) FROM cdp.messages)",
        ),
    ] {
        assert_eq!(one::<i64>(client, sql), said, "{what}");
    }
}

// ------------------------------------------------------------------------------------ kill -9

/// What a writer knows of the groups of messages that it sent, each in a transaction.
#[derive(Default)]
struct Sent {
    committed: BTreeSet<String>,
    /// Those whose COMMIT was not answered.
    unknown: Vec<Vec<String>>,
}

/// Sends groups of messages until told to stop. `resends`: sends a group again until its commit is
/// answered, as a collector does.
fn write(server: &Server, name: usize, resends: bool, copies: bool, stop: &AtomicBool) -> Sent {
    let mut sent = Sent::default();
    let mut client = None;
    let mut again: Option<Vec<String>> = None;
    let mut n = 0;
    while !stop.load(Ordering::Relaxed) || again.is_some() {
        if client.is_none() {
            client = server.try_connect("postgres", "app").ok();
        }
        let Some(connection) = client.as_mut() else {
            std::thread::sleep(Duration::from_millis(5));
            continue;
        };
        let group = again.take().unwrap_or_else(|| {
            n += 1;
            (0..1 + n % 9)
                .map(|m| format!("w{name}-{n:05}-{m}"))
                .collect()
        });
        if send_group(connection, &group, copies).is_ok() {
            sent.committed.extend(group);
        } else {
            client = None;
            match resends {
                true => again = Some(group),
                false => sent.unknown.push(group),
            }
        }
    }
    sent
}

fn send_group(
    client: &mut Client,
    group: &[String],
    copies: bool,
) -> Result<(), Box<dyn std::error::Error>> {
    let mut transaction = client.transaction()?;
    let texts: Vec<String> = (0..).zip(group).map(|(n, id)| message(id, n)).collect();
    if copies {
        let mut copy = transaction.copy_in("COPY cdp.inbox (message) FROM STDIN")?;
        for text in &texts {
            writeln!(copy, "{text}")?;
        }
        copy.finish()?;
    } else {
        for text in &texts {
            transaction.execute("INSERT INTO cdp.inbox (message) VALUES ($1)", &[text])?;
        }
    }
    transaction.commit()?;
    Ok(())
}

/// Kills processes of the server, one after another, with `kill -9`, while writers write and
/// something processes.
fn kill_and_check(server: &Server, kills: usize, by_hand: bool) {
    let stop = AtomicBool::new(false);
    let all: Mutex<Vec<Sent>> = Mutex::default();
    std::thread::scope(|scope| {
        for name in 0..4 {
            let (stop, all) = (&stop, &all);
            scope.spawn(move || {
                let sent = write(server, name, name % 2 == 0, name >= 2, stop);
                all.lock().expect("no writer panics").push(sent);
            });
        }
        if by_hand {
            let stop = &stop;
            scope.spawn(move || {
                while !stop.load(Ordering::Relaxed) {
                    if let Ok(mut client) = server.try_connect("postgres", "app") {
                        while !stop.load(Ordering::Relaxed)
                            && client.batch_execute("CALL cdp.process_all(7)").is_ok()
                        {
                        }
                    }
                }
            });
        }
        for round in 0..kills {
            let crashes = server.crashes();
            // The one that processes every other time, if it can be seen; else any writer.
            let victims = if round % 2 == 0 {
                "backend_type = 'pg_cdp worker' OR query LIKE 'CALL cdp.process_all%'"
            } else {
                "query LIKE '%cdp.inbox%' OR query = 'COMMIT'"
            };
            let pid = server.wait_for("somebody to kill", SOON, || {
                let mut client = server.try_connect("postgres", "app").ok()?;
                let sql = format!(
                    "SELECT pid FROM pg_stat_activity WHERE datname = 'app' AND ({victims}) \
                     AND pid <> pg_backend_pid() AND state IS DISTINCT FROM 'idle' \
                     ORDER BY random() LIMIT 1"
                );
                Some(client.query_opt(&sql, &[]).ok()??.get::<_, i32>(0))
            });
            server.kill9(pid);
            server.wait_for_recovery(crashes);
            // Some work between two crashes, however slow the machine.
            let enough = Instant::now() + Duration::from_millis(300);
            server.wait_for("work after a crash", SOON, || {
                (Instant::now() > enough).then_some(())
            });
        }
        stop.store(true, Ordering::Relaxed);
    });

    let mut client = server.connect("app");
    drain(&mut client);
    let events = stored(&mut client);
    let mut times: BTreeMap<&String, usize> = BTreeMap::new();
    for id in &events {
        *times.entry(id).or_default() += 1;
    }
    let twice: Vec<_> = times.iter().filter(|(_, times)| **times > 1).collect();
    assert!(twice.is_empty(), "accepted twice: {twice:?}");
    let all = all.into_inner().expect("no writer panics");
    let mut expected: BTreeSet<String> = BTreeSet::new();
    for sent in all {
        expected.extend(sent.committed);
        for group in sent.unknown {
            let there = group.iter().filter(|id| times.contains_key(id)).count();
            assert!(
                there == 0 || there == group.len(),
                "half of a transaction was accepted: {group:?}"
            );
            if there > 0 {
                expected.extend(group);
            }
        }
    }
    let accepted: BTreeSet<String> = times.into_keys().cloned().collect();
    let lost: Vec<_> = expected.difference(&accepted).collect();
    let invented: Vec<_> = accepted.difference(&expected).collect();
    assert!(lost.is_empty(), "lost: {lost:?}");
    assert!(invented.is_empty(), "never committed: {invented:?}");
    assert!(
        expected.len() > kills * 10,
        "only {} messages",
        expected.len()
    );
    let letters: Vec<String> = column(
        &mut client,
        "SELECT concat_ws(' ', reason, detail) FROM cdp.dead_letter",
    );
    assert_eq!(letters, Vec::<String>::new());
    check_consistent(&mut client);
}

#[test]
fn processes_killed_while_the_worker_processes() {
    let server = server(&[("cdp.batch_size", "20")]);
    kill_and_check(&server, 8, false);
}

#[test]
fn processes_killed_while_a_session_processes() {
    let server = quiet_server();
    kill_and_check(&server, 8, true);
}

#[test]
fn the_postmaster_killed_in_the_middle() {
    let mut server = server(&[("cdp.batch_size", "5")]);
    let mut sent = BTreeSet::new();
    for round in 0..3 {
        let mut client = server.connect("app");
        for n in 0..60 {
            let id = format!("r{round}-{n:03}");
            send(&mut client, &id);
            sent.insert(id);
        }
        drop(client);
        if round == 1 {
            server.restart(StopMode::Immediate);
        } else {
            server.kill9_postmaster();
            server.start_again();
        }
    }
    let mut client = server.connect("app");
    drain(&mut client);
    assert_eq!(stored(&mut client), sent.into_iter().collect::<Vec<_>>());
    check_consistent(&mut client);
}

// ------------------------------------------------------------------------------------- cancel

/// Begins a statement in a session of its own, waits until it stands before a lock that the test
/// holds, and cancels it there.
fn cancel_before(server: &Server, sql: &'static str, table: &str) {
    let mut holder = server.connect("app");
    run(
        &mut holder,
        &format!("BEGIN; LOCK TABLE cdp.{table} IN ACCESS EXCLUSIVE MODE"),
    );
    let mut other = server.connect("app");
    let pid: i32 = one(&mut other, "SELECT pg_backend_pid()");
    let token = other.cancel_token();
    std::thread::scope(|scope| {
        let waiting = scope.spawn(move || fails(&mut other, sql));
        let mut watcher = server.connect("postgres");
        server.wait_for(&format!("{sql} before cdp.{table}"), SOON, || {
            let sql = format!("SELECT coalesce(wait_event_type, '') = 'Lock' FROM pg_stat_activity WHERE pid = {pid}");
            one::<bool>(&mut watcher, &sql).then_some(())
        });
        token.cancel_query(NoTls).expect("a cancel can be sent");
        let (code, said) = waiting.join().expect("it fails");
        assert_eq!(code, "57014", "{sql} before {table}: {said}");
    });
}

#[test]
fn a_cancel_leaves_everything_as_it_was() {
    let server = quiet_server();
    let mut client = server.connect("app");
    run(
        &mut client,
        "SELECT cdp.create_trait('city', 'text'); \
         SELECT cdp.create_segment('everybody', 'first_seen is set')",
    );
    for n in 0..30 {
        send(&mut client, &format!("a{n}"));
    }
    drain(&mut client);
    run(
        &mut client,
        r#"SELECT cdp.identify('u' || g, '{"city": "Porto", "email": "a@x.org"}', 'k' || g % 3, message_id => 'i' || g)
           FROM generate_series(1, 20) g"#,
    );
    let before = tables(&mut client, &[]);
    for table in [
        "sources",
        "message_keys",
        "identifiers",
        "identifier_sets",
        "messages",
        "set_evidence",
        "inert_identifiers",
        "set_nodes",
        "set_links",
        "links",
        "clusters",
        "set_traits",
        "profile_rows",
        "memberships",
        "batches",
    ] {
        cancel_before(&server, "SELECT cdp.process()", table);
        assert_same(
            &format!("a cancel before {table}"),
            &before,
            &tables(&mut client, &[]),
        );
    }
    assert_eq!(drain(&mut client), 20);
    let done = tables(&mut client, &["segments"]);
    for table in [
        "events",
        "set_evidence",
        "set_links",
        "links",
        "clusters",
        "set_traits",
        "profile_rows",
        "memberships",
    ] {
        cancel_before(&server, "SELECT cdp.rebuild()", table);
        assert_same(
            &format!("a cancel of a rebuild before {table}"),
            &done,
            &tables(&mut client, &["segments"]),
        );
    }
    assert_eq!(
        one::<i64>(&mut client, "SELECT count(*) FROM cdp.dead_letter"),
        0
    );
    check_consistent(&mut client);
}

/// A statement_timeout in the midst of a batch is a cancel too: no message is blamed for it.
#[test]
fn a_timeout_blames_no_message() {
    let server = quiet_server();
    let mut client = server.connect("app");
    run(
        &mut client,
        "INSERT INTO cdp.inbox (message) \
         SELECT json_build_object('type', 'track', 'event', 'e', 'userId', 'u' || g, 'messageId', g)::text \
         FROM generate_series(1, 3000) g",
    );
    let mut timed_out = 0;
    for timeout in [1, 2, 5, 10, 20, 50, 100, 200] {
        run(&mut client, &format!("SET statement_timeout = {timeout}"));
        if let Err(error) = client.batch_execute("SELECT cdp.process()") {
            assert_eq!(error.code().map(|c| c.code()), Some("57014"), "{error}");
            timed_out += 1;
        }
    }
    assert!(timed_out > 0, "no timeout struck");
    run(&mut client, "RESET statement_timeout");
    drain(&mut client);
    assert_eq!(
        one::<i64>(&mut client, "SELECT count(*) FROM cdp.events"),
        3000
    );
    assert_eq!(
        one::<i64>(&mut client, "SELECT count(*) FROM cdp.dead_letter"),
        0
    );
}

// ----------------------------------------------------------------- transactions, early and late

#[test]
fn those_who_process_at_once_share_the_work() {
    let server = quiet_server();
    let mut client = server.connect("app");
    for n in 0..200 {
        send(&mut client, &format!("m{n:03}"));
    }
    let read: i64 = std::thread::scope(|scope| {
        let workers: Vec<_> = [3, 7, 11]
            .into_iter()
            .map(|size| {
                let server = &server;
                scope.spawn(move || {
                    let mut client = server.connect("app");
                    let mut all = 0;
                    loop {
                        match one::<i64>(&mut client, &format!("SELECT cdp.process({size})")) {
                            0 => return all,
                            read => all += read,
                        }
                    }
                })
            })
            .collect();
        workers
            .into_iter()
            .map(|w| w.join().expect("it drains"))
            .sum()
    });
    assert_eq!(read, 200);
    assert_eq!(stored(&mut client).len(), 200);
    check_consistent(&mut client);
}

/// Ids and transactions in one order, commits in another, and batches that end anywhere.
#[test]
fn late_commits_are_neither_lost_nor_doubled() {
    let server = quiet_server();
    let mut worker = server.connect("app");
    let mut writers: Vec<Client> = (0..5).map(|_| server.connect("app")).collect();
    let mut sent = Vec::new();
    // All open, oldest first, each with two messages now and one at its end.
    for (n, writer) in writers.iter_mut().enumerate() {
        run(writer, "BEGIN");
        for m in 0..2 {
            send(writer, &format!("t{n}-{m}"));
        }
    }
    for (step, n) in [3, 1, 4, 0, 2].into_iter().enumerate() {
        for size in [1, 2] {
            one::<i64>(&mut worker, &format!("SELECT cdp.process({size})"));
        }
        send(&mut writers[n], &format!("t{n}-2"));
        if n == 1 {
            run(&mut writers[n], "ROLLBACK");
        } else {
            run(&mut writers[n], "COMMIT");
            sent.extend((0..3).map(|m| format!("t{n}-{m}")));
        }
        if step == 2 {
            // A batch that takes a part of the window, then a newer transaction.
            assert_eq!(one::<i64>(&mut worker, "SELECT cdp.process(1)"), 1);
            send(&mut writers[1], "new");
            sent.push("new".to_owned());
        }
    }
    drain(&mut worker);
    sent.sort();
    assert_eq!(stored(&mut worker), sent);
    check_consistent(&mut worker);
}

/// A batch that takes just what there is leaves its window open; what comes then is read with the next one, not
/// with the one after an empty one.
#[test]
fn what_comes_after_a_full_batch_is_read_at_once() {
    let server = quiet_server();
    let mut client = server.connect("app");
    let mut sent = Vec::new();
    for (n, read) in ["SELECT cdp.process()", "CALL cdp.process_all()"]
        .into_iter()
        .enumerate()
    {
        for when in ["before", "after"] {
            let id = format!("m{n} {when}");
            send(&mut client, &id);
            sent.push(id);
            if when == "before" {
                assert_eq!(one::<i64>(&mut client, "SELECT cdp.process(1)"), 1);
            }
        }
        run(&mut client, read);
        sent.sort();
        assert_eq!(stored(&mut client), sent, "{read}");
    }
}

/// Who has begun a batch and waits for its turn has not crashed.
#[test]
fn sessions_that_begin_at_once_set_nothing_aside() {
    let server = quiet_server();
    let mut client = server.connect("app");
    send(&mut client, "a");
    let mut begun: Vec<Client> = (0..4).map(|_| server.connect("app")).collect();
    for session in &mut begun {
        let attempt: Option<i64> = one(session, "SELECT cdp.begin_batch(1)");
        assert!(attempt.is_some());
    }
    run(&mut client, "CALL cdp.process_all(1)");
    assert_eq!(stored(&mut client), ["a"]);
    assert_eq!(
        one::<i64>(&mut client, "SELECT count(*) FROM cdp.dead_letter"),
        0
    );
}

/// Who is cancelled while somebody else has the pipeline has attempted nothing.
#[test]
fn who_gives_up_waiting_sets_nothing_aside() {
    let server = quiet_server();
    let mut client = server.connect("app");
    send(&mut client, "a");
    let mut busy = server.connect("app");
    run(
        &mut busy,
        "BEGIN; LOCK TABLE cdp.pipeline_lock IN SHARE ROW EXCLUSIVE MODE",
    );
    for _ in 0..4 {
        let mut session = server.connect("app");
        run(&mut session, "SET statement_timeout = 300");
        let (code, _) = fails(&mut session, "CALL cdp.process_all()");
        assert_eq!(code, "57014");
    }
    run(&mut busy, "COMMIT");
    run(&mut client, "CALL cdp.process_all()");
    assert_eq!(stored(&mut client), ["a"]);
    assert_eq!(
        one::<i64>(&mut client, "SELECT count(*) FROM cdp.dead_letter"),
        0
    );
}

/// Two sessions find that a message crashed the server, and one message is set aside.
#[test]
fn one_message_that_crashed_is_set_aside_once() {
    let server = quiet_server();
    let mut client = server.connect("app");
    send(&mut client, "a");
    send(&mut client, "b");
    // As three crashes leave it.
    run(
        &mut client,
        "INSERT INTO cdp.attempts (after_batch, messages, suspects, started_at) \
         SELECT (SELECT max(batch_id) FROM cdp.batches), 1, 1, now() FROM generate_series(1, 3)",
    );
    run(
        &mut client,
        "BEGIN; LOCK TABLE cdp.pipeline_lock IN SHARE ROW EXCLUSIVE MODE",
    );
    std::thread::scope(|scope| {
        for _ in 0..2 {
            let mut session = server.connect("app");
            scope.spawn(move || run(&mut session, "CALL cdp.process_all()"));
        }
        server.wait_for("both wait", SOON, || {
            let waiting: i64 = one(
                &mut client,
                "SELECT count(*) FROM pg_locks WHERE relation = 'cdp.pipeline_lock'::regclass AND NOT granted",
            );
            (waiting == 2).then_some(())
        });
        run(&mut client, "COMMIT");
    });
    assert_eq!(stored(&mut client), ["b"]);
    assert_eq!(
        one::<i64>(&mut client, "SELECT count(*) FROM cdp.dead_letter"),
        1
    );
}

#[test]
fn savepoints_and_prepared_transactions() {
    let mut server = quiet_server();
    let mut client = server.connect("app");
    run(&mut client, "BEGIN");
    send(&mut client, "s1");
    run(&mut client, "SAVEPOINT a");
    send(&mut client, "s2 rolled back");
    run(&mut client, "SAVEPOINT b");
    send(&mut client, "s3 rolled back");
    run(&mut client, "ROLLBACK TO a");
    send(&mut client, "s4");
    run(&mut client, "RELEASE a; COMMIT");

    run(&mut client, "BEGIN");
    send(&mut client, "p1");
    run(&mut client, "PREPARE TRANSACTION 'first'");
    run(&mut client, "BEGIN");
    send(&mut client, "p2 rolled back");
    run(&mut client, "PREPARE TRANSACTION 'second'");
    send(&mut client, "between");
    drain(&mut client);
    assert_eq!(stored(&mut client), ["between", "s1", "s4"]);

    drop(client);
    server.restart(StopMode::Immediate);
    let mut client = server.connect("app");
    send(&mut client, "later");
    drain(&mut client);
    run(&mut client, "COMMIT PREPARED 'first'");
    run(&mut client, "ROLLBACK PREPARED 'second'");
    drain(&mut client);
    assert_eq!(stored(&mut client), ["between", "later", "p1", "s1", "s4"]);
    check_consistent(&mut client);
}

/// A session may process in a transaction in which it writes. Whatever other transactions end in the
/// meantime, what it writes before and after is read once.
#[test]
fn a_transaction_that_writes_and_processes() {
    let server = quiet_server();
    let mut client = server.connect("app");
    let mut other = server.connect("app");
    run(&mut client, "BEGIN");
    send(&mut client, "before");
    // A younger transaction ends before the older one processes.
    send(&mut other, "other");
    one::<i64>(&mut client, "SELECT cdp.process()");
    send(&mut client, "after");
    one::<i64>(&mut client, "SELECT cdp.process()");
    send(&mut client, "last");
    run(&mut client, "COMMIT");
    drain(&mut other);
    assert_eq!(stored(&mut other), ["after", "before", "last", "other"]);
    check_consistent(&mut other);
}

/// A batch that is rolled back is read again.
#[test]
fn a_batch_rolled_back_is_read_again() {
    let server = quiet_server();
    let mut client = server.connect("app");
    send(&mut client, "m1");
    let before = tables(&mut client, &[]);
    run(&mut client, "BEGIN; SELECT cdp.process(); ROLLBACK");
    assert_same("a rollback", &before, &tables(&mut client, &[]));
    run(
        &mut client,
        "BEGIN; SAVEPOINT a; SELECT cdp.process(); ROLLBACK TO a; SELECT cdp.process(); COMMIT",
    );
    assert_eq!(stored(&mut client), ["m1"]);
    assert_eq!(drain(&mut client), 0);
    check_consistent(&mut client);
}

#[test]
fn other_isolation_levels_are_refused() {
    let server = quiet_server();
    let mut client = server.connect("app");
    send(&mut client, "m1");
    for level in ["REPEATABLE READ", "SERIALIZABLE"] {
        for sql in [
            "SELECT cdp.process()",
            "SELECT cdp.rebuild()",
            "SELECT cdp.refresh_segment('any')",
            "SELECT cdp.start()",
            "SELECT cdp.init()",
        ] {
            run(&mut client, &format!("BEGIN ISOLATION LEVEL {level}"));
            let (code, said) = fails(&mut client, sql);
            assert_eq!(code, "25000", "{sql} at {level}: {said}");
            run(&mut client, "ROLLBACK");
        }
    }
    assert_eq!(drain(&mut client), 1);
}

// ----------------------------------------------------------------------------------- truncation

/// Space is given back only once everything in it is consumed, and everybody can see that.
#[test]
fn giving_back_space_loses_nothing() {
    let server = quiet_server();
    let mut client = server.connect("app");
    let mut late = server.connect("app");
    let text = |id: &str| message(id, 1);
    for slot in 0..4 {
        run(
            &mut client,
            &format!(
                "INSERT INTO cdp.inbox (slot, message) VALUES ({slot}, '{}')",
                text(&format!("s{slot}"))
            ),
        );
    }
    // Slot 1 holds what is not committed, slot 2 what is not consumed.
    run(
        &mut late,
        &format!(
            "BEGIN; INSERT INTO cdp.inbox (slot, message) VALUES (1, '{}')",
            text("late")
        ),
    );
    drain(&mut client);
    run(
        &mut client,
        &format!(
            "SELECT cdp.pause(); INSERT INTO cdp.inbox (slot, message) VALUES (2, '{}')",
            text("waiting")
        ),
    );
    run(&mut client, "SELECT cdp.resume()");
    // Paused is over, but the worker's own first look at the inbox is before its first housekeeping:
    // what waits is consumed by then, and the reader of old keeps it from being given back.
    let mut reader = server.connect("app");
    run(
        &mut reader,
        "BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM cdp.batches",
    );
    server.reload_with(&[("cdp.workers", "on"), ("cdp.poll_interval", "50")]);
    let sizes = "SELECT count(*) FILTER (WHERE pg_relation_size(inhrelid) > 0) FROM pg_inherits \
                 WHERE inhparent = 'cdp.inbox'::regclass";
    server.wait_for("the worker to have consumed everything", SOON, || {
        (stored(&mut client).len() == 5).then_some(())
    });
    let seen: i64 = one(&mut reader, "SELECT count(*) FROM cdp.inbox");
    assert_eq!(seen, 5, "an old snapshot sees what it saw");
    run(&mut reader, "COMMIT");
    run(&mut late, "COMMIT");
    server.wait_for("the late message", SOON, || {
        (stored(&mut client).len() == 6).then_some(())
    });
    // The worker keeps house at its start, and then every minute.
    let pid: i32 = common::wait_for_worker(&server, "app");
    run(&mut client, &format!("SELECT pg_terminate_backend({pid})"));
    server.wait_for(
        "the space to be given back",
        Duration::from_secs(90),
        || (one::<i64>(&mut client, sizes) == 0).then_some(()),
    );
    assert_eq!(stored(&mut client).len(), 6);
    send(&mut client, "after");
    server.wait_for("a message after that", SOON, || {
        (stored(&mut client).len() == 7).then_some(())
    });
    check_consistent(&mut client);
}
