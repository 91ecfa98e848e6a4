//! Who may ask, and where: readers, and standbys.

use cdp_server_tests::{Client, Server, ServerOptions};

/// What a reader can ask, each with its answer.
fn ask(client: &mut Client) {
    let mut one = |sql: &str| -> String {
        client
            .query_one(sql, &[])
            .unwrap_or_else(|e| panic!("{sql}: {:?}", e.as_db_error()))
            .get(0)
    };
    let answers = [
        (
            "SELECT (cdp.resolve('email', ' JANE@example.com') = cdp.resolve('user_id', 'u1'))::text",
            "true",
        ),
        (
            "SELECT cdp.profile(cdp.resolve('user_id', 'u1')) #>> '{traits,country,value}'",
            "PT",
        ),
        (
            "SELECT string_agg(from_value || ' ' || to_value, ', ' ORDER BY step) \
             FROM cdp.explain_identity('anonymous_id', 'a1', 'email', 'jane@example.com')",
            "a1 u1, u1 jane@example.com",
        ),
        (
            "SELECT members::text FROM cdp.preview_segment($$ country = 'PT' $$)",
            "1",
        ),
        (
            "SELECT string_agg(segment, ',') FROM cdp.segment_members",
            "portuguese",
        ),
        ("SELECT string_agg(country, ',') FROM cdp.profiles", "PT"),
        (
            "SELECT string_agg(value, ',' ORDER BY value) FROM cdp.profile_identifiers",
            "a1,jane@example.com,u1",
        ),
        ("SELECT count(*)::text FROM cdp.profile_events", "1"),
        (
            "SELECT value FROM cdp.status() WHERE item = 'dead letters'",
            "none",
        ),
    ];
    for (sql, answer) in answers {
        assert_eq!(one(sql), answer, "{sql}");
    }
}

#[test]
fn readers_get_answers_and_nothing_else_also_on_a_standby() {
    let primary = Server::start(ServerOptions::default());
    primary.create_cdp_db("app");
    let mut owner = primary.connect("app");
    owner
        .batch_execute(
            "CREATE ROLE analyst LOGIN IN ROLE cdp_reader; CREATE ROLE collector LOGIN IN ROLE cdp_ingest; \
             SELECT cdp.create_trait('country', type => 'text'); \
             SELECT cdp.create_segment('portuguese', $$ country = 'PT' $$)",
        )
        .unwrap();

    // A collector takes in by all ways, and reads nothing.
    let mut collector = primary.connect_as("collector", "app");
    collector
        .batch_execute(
            "SELECT cdp.identify('u1', traits => '{\"email\": \"Jane@example.com\", \"country\": \"PT\"}'); \
             SELECT cdp.track('Seen', user_id => 'u1', anonymous_id => 'a1'); \
             SELECT cdp.ingest('[]'); \
             INSERT INTO cdp.inbox (source, message) \
             VALUES ('default', '{\"type\": \"alias\", \"userId\": \"u1\", \"previousId\": \"u1\"}')",
        )
        .unwrap();
    for sql in [
        "SELECT message FROM cdp.inbox",
        "SELECT * FROM cdp.profiles",
        "SELECT cdp.resolve('user_id', 'u1')",
        "SELECT cdp.profile(1)",
        "INSERT INTO cdp.inbox (kind, message) VALUES ('r', '{}')",
    ] {
        let error = collector.batch_execute(sql).expect_err(sql);
        assert_eq!(error.code().map(|code| code.code()), Some("42501"), "{sql}");
    }
    owner.batch_execute("CALL cdp.process_all()").unwrap();

    // A reader is answered, and changes nothing.
    let mut reader = primary.connect_as("analyst", "app");
    ask(&mut reader);
    for sql in [
        "SELECT cdp.ingest('{}')",
        "INSERT INTO cdp.inbox (message) VALUES ('{}')",
        "DELETE FROM cdp.profile_rows",
        "SELECT cdp.create_source('x')",
        "SELECT cdp.rebuild()",
        "SELECT message FROM cdp.dead_letter",
        "SELECT * FROM cdp.profile_records",
    ] {
        let error = reader.batch_execute(sql).expect_err(sql);
        assert_eq!(error.code().map(|code| code.code()), Some("42501"), "{sql}");
    }

    let standby = primary.backup_to_standby();
    primary.wait_for_standby(&standby);
    ask(&mut standby.connect_as("analyst", "app"));
    ask(&mut standby.connect("app"));
}
