//! The identity graph as a whole, in `cdp.rebuild()` and in the backfill of very many rows: stopped
//! half-way they leave everything as it was, and memory is bounded.

use std::time::{Duration, Instant};

use cdp_server_tests::sql::{assert_same, column, fails, one, run, tables};
use cdp_server_tests::{Client, Server, ServerOptions, TestDb, fresh_db};

/// A database with that many persons, each with a user id, an e-mail and a browser.
fn with_people(count: i32) -> (TestDb, Client) {
    let db = fresh_db();
    let mut client = db.connect();
    run(
        &mut client,
        &format!(
            "SELECT cdp.pause();
             INSERT INTO cdp.inbox (message)
             SELECT json_build_object('type', 'identify', 'messageId', 'm' || n, 'userId', 'u' || n / 2, 'anonymousId', 'b' || n,
                                      'traits', json_build_object('email', 'p' || n / 2 || '@example.com'))::text
               FROM generate_series(1, {count}) n;
             SELECT cdp.resume();"
        ),
    );
    run(&mut client, "CALL cdp.process_all()");
    (db, client)
}

#[test]
fn a_cancelled_rebuild_leaves_everything_as_it_was() {
    let (db, mut client) = with_people(300);
    // Something to write before it is stopped, which the cancel takes back.
    run(
        &mut client,
        "DELETE FROM cdp.set_links WHERE set_id % 3 = 0; DELETE FROM cdp.links WHERE low % 5 = 0;
         DELETE FROM cdp.set_nodes WHERE set_id % 4 = 0; UPDATE cdp.clusters SET profile_id = node_id WHERE node_id % 7 = 0",
    );
    let before = tables(&mut client, &[]);
    // It stops where it reads clusters: after the sets and the engine, before the links.
    let mut holder = db.connect();
    run(
        &mut holder,
        "BEGIN; LOCK TABLE cdp.clusters IN ACCESS EXCLUSIVE MODE",
    );
    let mut rebuilder = db.connect();
    let pid: i32 = one(&mut rebuilder, "SELECT pg_backend_pid()");
    let rebuilding = std::thread::spawn(move || {
        let failed = fails(&mut rebuilder, "SELECT cdp.rebuild()");
        // The session is well, and holds nothing.
        (
            failed,
            one::<i64>(&mut rebuilder, "SELECT count(*) FROM cdp.sources"),
        )
    });
    let mut watcher = db.connect();
    db.server().wait_for(
        "the rebuild to wait for clusters",
        Duration::from_secs(60),
        || {
            one::<bool>(
                &mut watcher,
                &format!(
                    "SELECT EXISTS (SELECT 1 FROM pg_locks WHERE pid = {pid} AND NOT granted \
                         AND relation = 'cdp.clusters'::regclass)"
                ),
            )
            .then_some(())
        },
    );
    let written: bool = one(
        &mut watcher,
        &format!(
            "SELECT EXISTS (SELECT 1 FROM pg_locks WHERE pid = {pid} AND mode = 'RowExclusiveLock' \
                 AND relation = 'cdp.set_links'::regclass)"
        ),
    );
    assert!(written, "the rebuild has written nothing yet");
    run(&mut watcher, &format!("SELECT pg_cancel_backend({pid})"));
    let ((code, text), _) = rebuilding.join().expect("it failed as it should");
    assert_eq!(code, "57014", "{text}");
    run(&mut holder, "ROLLBACK");
    assert_same("a cancelled rebuild", &before, &tables(&mut client, &[]));
    let tasks: i64 = one(
        &mut client,
        &format!("SELECT count(*) FROM cdp.progress() WHERE pid = {pid}"),
    );
    assert_eq!(tasks, 0);
    run(&mut client, "SELECT cdp.rebuild()");
    let missing: i64 = one(
        &mut client,
        "SELECT count(*) FROM cdp.identifier_sets s LEFT JOIN cdp.set_nodes n USING (set_id) WHERE n IS NULL",
    );
    assert_eq!(missing, 0);
}

#[test]
fn a_graph_beyond_its_memory_is_refused() {
    let (_db, mut client) = with_people(6_000);
    // When a segment was last evaluated for everybody is no derived state.
    let before = tables(&mut client, &["segments"]);
    run(&mut client, "SET cdp.graph_memory = '1MB'");
    let (code, text) = fails(&mut client, "SELECT cdp.rebuild()");
    assert_eq!(code, "53400", "{text}");
    assert!(text.contains("1 MB are allowed"), "{text}");
    assert!(text.contains("HINT: Raise it"), "{text}");
    assert_same(
        "a refused rebuild",
        &before,
        &tables(&mut client, &["segments"]),
    );
    run(&mut client, "RESET cdp.graph_memory; SELECT cdp.rebuild()");
    assert_same("a rebuild", &before, &tables(&mut client, &["segments"]));
}

/// So many rows of contacts wait: every third is somebody's second. They are very many for these
/// settings, and read in parts.
const CONTACTS: &str = r#"
SELECT cdp.create_trait('country', 'text'); SELECT cdp.create_segment('pt', 'country = ''PT''');
CREATE TABLE public.contacts (id bigint PRIMARY KEY, login text, email text, country text);
INSERT INTO public.contacts
SELECT n, CASE WHEN n % 2 = 0 THEN 'u' || n END, 'p' || n - CASE WHEN n % 3 = 0 THEN 1 ELSE 0 END || '@example.com', 'PT'
  FROM generate_series(1, 3000) n;
SELECT cdp.map_table('crm', 'public.contacts', '{"key": "id", "user_id": "login", "email": "email", "traits": {"country": "country"}}')"#;
const BULK: &str = "SET cdp.batch_size = 400; SET cdp.bulk_batch_size = 4000";

/// How many batches read anything, and how many rows they read.
fn batches(client: &mut Client) -> (i64, i64) {
    let sql =
        "SELECT ARRAY[count(*), coalesce(sum(read), 0)::bigint] FROM cdp.batches WHERE read > 0";
    let both: Vec<i64> = one(client, sql);
    (both[0], both[1])
}

fn assert_rebuilt(client: &mut Client) {
    let before = tables(client, &["segments"]);
    run(client, "SELECT cdp.rebuild()");
    assert_same("a rebuild", &before, &tables(client, &["segments"]));
}

#[test]
fn very_many_rows_are_one_batch() {
    let db = fresh_db();
    let mut client = db.connect();
    run(&mut client, &format!("SELECT cdp.pause(); {CONTACTS}"));
    // A message among the rows.
    run(
        &mut client,
        r#"INSERT INTO cdp.inbox (message) VALUES ('{"type": "identify", "userId": "u2"}')"#,
    );
    run(&mut client, &format!("SELECT cdp.resume(); {BULK}"));
    run(&mut client, "CALL cdp.process_all()");
    assert_eq!(batches(&mut client), (1, 3001));
    // Of 2 and 3 the one has a login, and of 5 and 6 the other; 3 and 6 have the e-mail of those before.
    let profiles: i64 = one(&mut client, "SELECT count(*) FROM cdp.profiles");
    assert_eq!(profiles, 2000, "every third is somebody's second");
    let members: i64 = one(&mut client, "SELECT count(*) FROM cdp.segment_members");
    assert_eq!(members, 2000);
    let moves: i64 = one(&mut client, "SELECT count(*) FROM cdp.identity_moves");
    assert_eq!(moves, 0, "nobody was anybody else before");
    let own = "SELECT count(*) FROM cdp.progress() WHERE pid = pg_backend_pid()";
    assert_eq!(one::<i64>(&mut client, own), 0);
    assert_rebuilt(&mut client);

    // The same rows again. Two profiles come to a third: history tells by which row.
    run(
        &mut client,
        "UPDATE public.contacts SET country = 'ES';
         UPDATE public.contacts SET email = 'p1@example.com' WHERE id IN (4, 7)",
    );
    run(&mut client, "CALL cdp.process_all()");
    assert_eq!(batches(&mut client), (2, 6003));
    assert_rebuilt(&mut client);
    let evidence: Vec<String> = column(
        &mut client,
        "SELECT DISTINCT message_id FROM cdp.identity_changes WHERE message_id IS NOT NULL ORDER BY 1",
    );
    assert_eq!(evidence, ["4", "7"]);
    let members: i64 = one(&mut client, "SELECT count(*) FROM cdp.segment_members");
    assert_eq!(members, 0);
}

#[test]
fn faults_among_very_many_rows_are_found() {
    let db = fresh_db();
    let mut client = db.connect();
    run(&mut client, &format!("SELECT cdp.pause(); {CONTACTS}"));
    // Constraints of somebody's: one fails where a row is taken in, the other where its profile is
    // derived.
    run(
        &mut client,
        "UPDATE public.contacts SET country = 'XX' WHERE id = 1700;
         ALTER TABLE cdp.records ADD CONSTRAINT theirs CHECK (key <> '1111');
         ALTER TABLE cdp.profile_rows ADD CONSTRAINT theirs CHECK (profile_rows::text NOT LIKE '%XX%')",
    );
    run(&mut client, &format!("SELECT cdp.resume(); {BULK}"));
    run(&mut client, "CALL cdp.process_all()");
    let letters: Vec<String> = column(
        &mut client,
        r"SELECT substring(message FROM '\((\d+)') FROM cdp.dead_letter WHERE reason = 'failed' ORDER BY 1",
    );
    assert_eq!(letters, ["1111", "1700"]);
    let records: i64 = one(
        &mut client,
        "SELECT count(*) FROM cdp.records WHERE set_id IS NOT NULL",
    );
    assert_eq!(records, 2999, "the row stands as it was captured first");
    assert_eq!(batches(&mut client).1, 3001);
    assert_rebuilt(&mut client);
}

/// A server of its own, where very many rows wait.
fn with_many_rows() -> (Server, Client) {
    let server = Server::start(ServerOptions {
        preload: true,
        settings: &[("cdp.workers", "off")],
    });
    server.create_cdp_db("app");
    let mut client = server.connect("app");
    run(&mut client, CONTACTS);
    (server, client)
}

/// Runs `CALL cdp.process_all()` over very many rows up to where it writes clusters, in a session that
/// `stop` then stops, given its process; what became of it, and after how long.
fn stopped_half_way(
    server: &Server,
    stop: impl FnOnce(&mut Client, i32),
) -> (Result<(), cdp_server_tests::postgres::Error>, Duration) {
    let connect = || server.connect("app");
    let mut holder = connect();
    run(&mut holder, "BEGIN; LOCK TABLE cdp.clusters IN SHARE MODE");
    let mut processor = connect();
    run(&mut processor, BULK);
    let pid: i32 = one(&mut processor, "SELECT pg_backend_pid()");
    let processing = std::thread::spawn(move || {
        let ended = processor.batch_execute("CALL cdp.process_all()");
        (ended, Instant::now())
    });
    let mut watcher = connect();
    let soon = Duration::from_secs(120);
    server.wait_for("the graph to be derived as a whole", soon, || {
        one::<bool>(
            &mut watcher,
            &format!(
                "SELECT EXISTS (SELECT 1 FROM pg_locks WHERE pid = {pid} AND NOT granted \
                                   AND relation = 'cdp.clusters'::regclass) \
                    AND EXISTS (SELECT 1 FROM cdp.progress() WHERE pid = {pid} AND phase LIKE 'identity: %')"
            ),
        )
        .then_some(())
    });
    let stopped = Instant::now();
    stop(&mut watcher, pid);
    let (ended, at) = processing.join().expect("no panic");
    (ended, at - stopped)
}

#[test]
fn a_cancelled_backfill_leaves_everything_as_it_was() {
    let (server, mut client) = with_many_rows();
    let before = tables(&mut client, &[]);
    let cancel = |watcher: &mut Client, pid| {
        run(watcher, &format!("SELECT pg_cancel_backend({pid})"));
    };
    let (ended, after) = stopped_half_way(&server, cancel);
    let error = ended.expect_err("it was cancelled");
    let code = error.code().map(|code| code.code().to_owned());
    assert_eq!(code.as_deref(), Some("57014"), "{error:?}");
    assert!(after < Duration::from_secs(30), "{after:?}");
    assert_same("a cancelled backfill", &before, &tables(&mut client, &[]));
    run(&mut client, "CALL cdp.process_all()");
    assert_eq!(batches(&mut client).1, 3000);
    assert_rebuilt(&mut client);
}

#[test]
fn a_backfill_killed_half_way_is_neither_lost_nor_doubled() {
    let (server, mut client) = with_many_rows();
    let before = tables(&mut client, &[]);
    let kill = |_: &mut Client, pid| server.kill9(pid);
    let (ended, _) = stopped_half_way(&server, kill);
    ended.expect_err("it was killed");
    server.wait_for_recovery(0);
    let mut client = server.connect("app");
    assert_same("a killed backfill", &before, &tables(&mut client, &[]));
    run(&mut client, BULK);
    run(&mut client, "CALL cdp.process_all()");
    assert_eq!(batches(&mut client).1, 3000);
    let versions: i64 = one(&mut client, "SELECT count(*) FROM cdp.row_versions");
    assert_eq!(versions, 3000);
    assert_rebuilt(&mut client);
}
