//! `cdp.rebuild()` of identity: stopped half-way it leaves everything as it was, and its memory is bounded.

use std::time::Duration;

use cdp_server_tests::sql::{assert_same, fails, one, run, tables};
use cdp_server_tests::{Client, TestDb, fresh_db};

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
