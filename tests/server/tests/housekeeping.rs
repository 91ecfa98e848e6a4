//! What a worker does besides its batches, and `cdp.process_all()` where there is none.

mod common;

use cdp_server_tests::{Client, Server, ServerOptions};
use common::*;

/// A server without the library preloaded, so without workers, and one database, `app`.
fn server_without_workers() -> Server {
    let server = Server::start(ServerOptions {
        preload: false,
        // An ANALYZE holds a snapshot, which is no fault of what is tested.
        settings: &[("autovacuum", "off")],
    });
    server.create_cdp_db("app");
    server
}

fn inbox_bytes(client: &mut Client) -> i64 {
    one(
        client,
        "SELECT sum(pg_relation_size(inhrelid))::bigint FROM pg_inherits \
          WHERE inhparent = 'cdp.inbox'::regclass",
        &[],
    )
}

/// Takes away the months from this one on, as if time had gone by: how many are there then.
fn months_ago(client: &mut Client) -> i64 {
    run(
        client,
        r#"DO $$
        DECLARE v_month text; v_start text := to_char(now() AT TIME ZONE 'UTC', 'YYYY-MM-01') || 'T00:00:00Z';
        BEGIN
            FOR v_month IN SELECT relname FROM pg_class WHERE relname ~ '^events_\d{4}_\d\d$'
                              AND relname >= to_char(now() AT TIME ZONE 'UTC', '"events_"YYYY_MM') LOOP
                EXECUTE format('DROP TABLE cdp.%I', v_month);
            END LOOP;
            ALTER TABLE cdp.events DETACH PARTITION cdp.events_after;
            EXECUTE format('ALTER TABLE cdp.events ATTACH PARTITION cdp.events_after FOR VALUES FROM (%L) TO (MAXVALUE)', v_start);
        END $$"#,
    );
    months(client)
}

fn months(client: &mut Client) -> i64 {
    let sql = r"SELECT count(*) FROM pg_inherits WHERE inhparent = 'cdp.events'::regclass AND inhrelid::regclass::text ~ '\d{4}_\d\d$'";
    one(client, sql, &[])
}

#[test]
fn the_space_of_consumed_messages_is_given_back_when_no_snapshot_needs_it() {
    let server = server_without_workers();
    let mut client = server.connect("app");
    let mut backup = server.connect("app");
    send(&mut client, 1, 100);
    assert!(inbox_bytes(&mut client) > 0);
    run(
        &mut backup,
        "BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM cdp.batches",
    );
    run(&mut client, "CALL cdp.process_all()");
    assert_eq!(events(&mut client), (100, 100));
    assert!(inbox_bytes(&mut client) > 0, "a snapshot may still read it");
    assert_eq!(
        one::<i64>(&mut backup, "SELECT count(*) FROM cdp.inbox", &[]),
        100
    );
    run(&mut backup, "COMMIT");
    run(&mut client, "CALL cdp.process_all()");
    assert_eq!(inbox_bytes(&mut client), 0);
    // And at once where nobody holds one.
    send(&mut client, 101, 100);
    run(&mut client, "CALL cdp.process_all()");
    assert_eq!(inbox_bytes(&mut client), 0);
    assert_eq!(events(&mut client), (200, 200));
}

#[test]
fn process_all_does_all_that_a_worker_does() {
    let server = server_without_workers();
    let mut client = server.connect("app");
    let all = months(&mut client);
    let before = months_ago(&mut client);
    assert_eq!(before, all - 4);
    // An event of next month waits in the wide partition; a polled table has a row; the ledger is old.
    run(
        &mut client,
        "SELECT cdp.track('Visited', user_id => 'u1', \"timestamp\" => date_trunc('month', now()) + interval '40 days'); \
         CREATE TABLE visits (id int PRIMARY KEY, who text, at timestamptz); \
         INSERT INTO visits VALUES (1, 'u1', now()); \
         SELECT cdp.map_table('visits', 'public.visits', \
             '{\"kind\": \"events\", \"user_id\": \"who\", \"time\": \"at\", \"event\": \"Seen\"}', \
             capture => 'poll', poll_every => '1 second'); \
         UPDATE cdp.mappings SET poll_state = '{}'",
    );
    run(&mut client, "CALL cdp.process_all()");
    let named = "SELECT string_agg(name, ',' ORDER BY name) FROM cdp.events";
    assert_eq!(one::<String>(&mut client, named, &[]), "Seen,Visited");
    assert_eq!(months(&mut client), all);
    let moved = "SELECT (SELECT count(*) FROM cdp.events_after) = 0";
    assert!(one::<bool>(&mut client, moved, &[]));

    run(
        &mut client,
        "UPDATE cdp.batches SET finished_at = now() - interval '2 days'; \
         UPDATE cdp.mappings SET poll_state = poll_state - 'polled_at'; \
         INSERT INTO visits VALUES (2, 'u2', now())",
    );
    run(&mut client, "CALL cdp.process_all()");
    let seen = "SELECT count(*) FROM cdp.events WHERE name = 'Seen'";
    assert_eq!(
        one::<i64>(&mut client, seen, &[]),
        2,
        "polled before it processed"
    );
    let old = "SELECT count(*) FROM cdp.batches WHERE finished_at < now() - interval '1 day'";
    assert_eq!(one::<i64>(&mut client, old, &[]), 0);
}

#[test]
fn a_step_that_fails_is_a_warning_and_the_others_go_on() {
    let server = server_without_workers();
    let mut client = server.connect("app");
    let all = months(&mut client);
    let before = months_ago(&mut client);
    send(&mut client, 1, 10);
    let mut reader = server.connect("app");
    run(&mut reader, "BEGIN; SELECT count(*) FROM cdp.events");
    run(&mut client, "CALL cdp.process_all()");
    assert_eq!(events(&mut client), (10, 10));
    assert_eq!(months(&mut client), before);
    let said = server.log();
    assert!(
        said.contains("WARNING:  pg_cdp could not make the partitions of events"),
        "{said}"
    );
    run(&mut reader, "COMMIT");
    run(&mut client, "CALL cdp.process_all()");
    assert_eq!(months(&mut client), all);
    assert_eq!(inbox_bytes(&mut client), 0);
}

/// An upgrade or a restore does not fail because of a long report.
#[test]
fn init_and_start_go_on_beside_a_long_reader() {
    let server = server_without_workers();
    let mut client = server.connect("app");
    let all = months(&mut client);
    let before = months_ago(&mut client);
    let mut reader = server.connect("app");
    run(&mut reader, "BEGIN; SELECT count(*) FROM cdp.events");
    for (sql, done) in [
        ("SELECT cdp.init()", "up to date"),
        ("SELECT cdp.start()", "running here already"),
    ] {
        let answer: String = one(&mut client, sql, &[]);
        assert!(answer.starts_with(done), "{answer}");
        assert_eq!(months(&mut client), before);
    }
    let said = server.log();
    assert!(
        said.contains("WARNING:  the next months of cdp.events have no partitions yet"),
        "{said}"
    );
    // What comes meanwhile has its place, and moves when the months are made.
    send(&mut client, 1, 10);
    assert_eq!(one::<i64>(&mut client, "SELECT cdp.process()", &[]), 10);
    run(&mut reader, "COMMIT");
    run(&mut client, "CALL cdp.process_all()");
    assert_eq!(months(&mut client), all);
    assert_eq!(events(&mut client), (10, 10));
}
