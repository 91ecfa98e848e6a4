//! What one more message reads of a profile with very many identifiers.

use cdp_server_tests::sql::{assert_same, one, run, tables};
use cdp_server_tests::{Client, Server, ServerOptions};

const DEVICES: i64 = 2_000;

/// A server with one person: a user id, an e-mail, and very many devices, each seen with both on one day.
fn with_devices() -> (Server, Client) {
    let server = Server::start(ServerOptions {
        preload: true,
        settings: &[("cdp.workers", "off"), ("autovacuum", "off")],
    });
    server.create_cdp_db("app");
    let mut client = server.connect("app");
    for device in 1..=DEVICES {
        say(&mut client, device, 1);
    }
    run(&mut client, "CALL cdp.process_all()");
    run(&mut client, "ANALYZE");
    let identifiers: i64 = one(
        &mut client,
        "SELECT max(n) FROM (SELECT count(*) AS n FROM cdp.clusters GROUP BY profile_id) c",
    );
    assert_eq!(identifiers, DEVICES + 2);
    (server, client)
}

/// The person is seen with a device on a day of January.
fn say(client: &mut Client, device: i64, day: i32) {
    let sql = format!(
        "SELECT cdp.track('Seen', user_id => 'u1', anonymous_id => 'd{device}', \
             identifiers => '{{\"email\": \"a@x.org\"}}', \"timestamp\" => '2026-01-{day:02}T12:00:00Z')"
    );
    run(client, &sql);
}

/// How many rows of the tables of identity and of profiles the next batch reads.
fn read_by_a_batch(client: &mut Client) -> i64 {
    // What was read before counts no more.
    run(client, "SELECT pg_stat_force_next_flush()");
    run(client, "BEGIN");
    assert_eq!(one::<i64>(client, "SELECT cdp.process()"), 1);
    let read = one(
        client,
        "SELECT sum(seq_tup_read + coalesce(idx_tup_fetch, 0))::bigint FROM pg_stat_xact_user_tables \
          WHERE schemaname = 'cdp' AND relname IN ('set_evidence', 'set_links', 'set_nodes', 'set_members', \
                'identifier_sets', 'identifiers', 'links', 'clusters', 'set_traits', 'profile_rows')",
    );
    run(client, "COMMIT");
    read
}

#[test]
fn a_message_that_shows_nothing_new_reads_little_of_it() {
    let (_server, mut client) = with_devices();
    // That a device belongs to the person is confirmed on its second day; that the e-mail does, by the first
    // device that comes back.
    say(&mut client, 7, 2);
    read_by_a_batch(&mut client);
    for (day, what) in [
        (2, "the same day"),
        (3, "another day"),
        (1, "an earlier day"),
    ] {
        say(&mut client, 7, day);
        let read = read_by_a_batch(&mut client);
        assert!(read < 100, "{what}: {read} rows");
    }
    let confirmed: i64 = one(
        &mut client,
        "SELECT count(*) FROM cdp.links WHERE confirmed",
    );
    assert_eq!(confirmed, 2);
    assert_rebuilt(&mut client);
}

#[track_caller]
fn assert_rebuilt(client: &mut Client) {
    let before = tables(client, &["segments"]);
    run(client, "SELECT cdp.rebuild()");
    assert_same("a rebuild", &before, &tables(client, &["segments"]));
}

/// While nothing is confirmed, one of the sets that show a link speaks for all; and what is withdrawn is
/// counted anew from them all.
#[test]
fn evidence_that_grows_and_shrinks_is_what_a_rebuild_counts() {
    let (_server, mut client) = with_devices();
    run(&mut client, "SELECT cdp.create_source('app')");
    let confirmed = "SELECT count(*) FROM cdp.links WHERE confirmed";
    // A set of the same day and source confirms nothing.
    say(&mut client, DEVICES + 1, 1);
    read_by_a_batch(&mut client);
    assert_eq!(one::<i64>(&mut client, confirmed), 0);
    assert_rebuilt(&mut client);
    // One of another day confirms what others showed before it, and nothing of its own.
    say(&mut client, DEVICES + 2, 5);
    read_by_a_batch(&mut client);
    assert_eq!(one::<i64>(&mut client, confirmed), 1);
    assert_rebuilt(&mut client);
    // Withdrawn, it confirms nothing.
    let last = "SELECT cdp.revoke_event(max(event_id)) FROM cdp.events";
    let change: i64 = one(&mut client, last);
    assert_eq!(one::<i64>(&mut client, confirmed), 0);
    assert_rebuilt(&mut client);
    // Another source, on the same day.
    run(
        &mut client,
        "SELECT cdp.track('Seen', user_id => 'u1', anonymous_id => 'd3', identifiers => '{\"email\": \"a@x.org\"}', \
             source => 'app', \"timestamp\" => '2026-01-01T12:00:00Z')",
    );
    read_by_a_batch(&mut client);
    assert_eq!(one::<i64>(&mut client, confirmed), 2);
    assert_rebuilt(&mut client);
    run(&mut client, &format!("SELECT cdp.undo({change})"));
    run(&mut client, "SELECT cdp.revoke_source('app')");
    assert_eq!(one::<i64>(&mut client, confirmed), 1);
    assert_rebuilt(&mut client);
}
