//! The views in Segment's terms: its published example with its rows, and what its readers rely on.

use cdp_server_tests::sql::{column, one, run};
use cdp_server_tests::{Client, TestDb, fresh_db};

/// Segment's case study: two visits, each anonymous at first, and then with one e-mail address. (Its page
/// shows an e-mail in the third event too; the rows that it publishes are those of a visit without one.)
const EVENTS: [&str; 4] = [
    r#"{"type": "page", "messageId": "event_1", "anonymousId": "5285bc35-05ef-4d21",
        "context": {"url": "twilio.com"}, "timestamp": "2022-05-02T14:01:00Z"}"#,
    r#"{"type": "identify", "messageId": "event_2", "anonymousId": "5285bc35-05ef-4d21",
        "context": {"url": "twilio.com/try-twilio"}, "traits": {"email": "jane.kim@segment.com"},
        "timestamp": "2022-05-02T14:01:47Z"}"#,
    r#"{"type": "page", "messageId": "event_3", "anonymousId": "b50e18a5-1b8d-451c",
        "context": {"url": "twilio.com/education"}, "timestamp": "2022-06-22T10:47:15Z"}"#,
    r#"{"type": "identify", "messageId": "event_4", "anonymousId": "b50e18a5-1b8d-451c",
        "context": {"url": "twilio.com/events/webinars"}, "traits": {"email": "jane.kim@segment.com"},
        "timestamp": "2022-06-22T10:48:00Z"}"#,
];

/// Takes in messages, each processed before the next.
fn say(client: &mut Client, messages: &[&str]) {
    for message in messages {
        client
            .execute("SELECT cdp.ingest($1::text::jsonb)", &[message])
            .expect("it is taken in");
        run(client, "CALL cdp.process_all()");
    }
}

/// The rows of a query, each its columns with a bar between. A column in brackets is a profile id; shown is
/// the identifier that has it as its number: the published profiles by their names, others by their value.
fn rows(client: &mut Client, columns: &str, of: &str) -> Vec<String> {
    run(client, "SET TIME ZONE 'UTC'");
    let columns = columns
        .replace(
            '[',
            "(SELECT CASE value WHEN '5285bc35-05ef-4d21' THEN 'profile_1' \
                                WHEN 'b50e18a5-1b8d-451c' THEN 'profile_2' ELSE value END \
               FROM cdp.identifiers WHERE node_id = ",
        )
        .replace(']', ")");
    column(
        client,
        &format!("SELECT concat_ws(' | ', {columns}) FROM {of}"),
    )
}

const UPDATES: &str = "[segment_id], [canonical_segment_id], triggering_event_type, triggering_event_id, \
                       \"timestamp\"::timestamp";

fn updates(client: &mut Client) -> Vec<String> {
    rows(
        client,
        UPDATES,
        "cdp_segment.id_graph_updates ORDER BY \"timestamp\", canonical_segment_id, segment_id",
    )
}

/// A database in which a cookie is stronger than an e-mail, so that an id is not given up for that of an
/// e-mail that comes to be known, as in Segment no id ever is.
fn of_cookies() -> TestDb {
    let db = fresh_db();
    run(
        &mut db.connect(),
        "SELECT cdp.create_trait('email', 'text'); SELECT cdp.alter_identifier_type('anonymous_id', 15)",
    );
    db
}

#[test]
fn the_published_example_has_the_published_rows() {
    let db = of_cookies();
    let mut client = db.connect();
    say(&mut client, &EVENTS);
    assert_eq!(
        updates(&mut client),
        [
            "profile_1 | profile_1 | page | event_1 | 2022-05-02 14:01:00",
            "profile_2 | profile_2 | page | event_3 | 2022-06-22 10:47:15",
            "profile_2 | profile_1 | identify | event_4 | 2022-06-22 10:48:00",
        ]
    );
    assert_eq!(
        rows(
            &mut client,
            "[segment_id], [canonical_segment_id], \"timestamp\"::timestamp",
            "cdp_segment.profile_merges ORDER BY segment_id"
        ),
        [
            "profile_1 | profile_1 | 2022-05-02 14:01:00",
            "profile_2 | profile_1 | 2022-06-22 10:48:00"
        ]
    );
    // The published table dates the last by event 4, and says of it that event 3 was the first to show it.
    assert_eq!(
        rows(
            &mut client,
            "[canonical_segment_id], external_id_type, external_id_value, \"timestamp\"::timestamp",
            "cdp_segment.external_id_mapping ORDER BY \"timestamp\""
        ),
        [
            "profile_1 | anonymous_id | 5285bc35-05ef-4d21 | 2022-05-02 14:01:00",
            "profile_1 | email | jane.kim@segment.com | 2022-05-02 14:01:47",
            "profile_1 | anonymous_id | b50e18a5-1b8d-451c | 2022-06-22 10:47:15",
        ]
    );
    assert_eq!(
        rows(
            &mut client,
            "[canonical_segment_id], type, value",
            "cdp_segment.user_identifiers ORDER BY seq"
        ),
        [
            "profile_1 | anonymous_id | 5285bc35-05ef-4d21",
            "profile_1 | email | jane.kim@segment.com",
            "profile_1 | anonymous_id | b50e18a5-1b8d-451c",
        ]
    );
    assert_eq!(
        rows(
            &mut client,
            "[canonical_segment_id], coalesce(email, '-'), coalesce([merged_to], '-')",
            "cdp_segment.profile_traits ORDER BY canonical_segment_id"
        ),
        [
            "profile_1 | jane.kim@segment.com | -",
            "profile_2 | - | profile_1"
        ]
    );
}

#[test]
fn an_id_given_up_for_a_stronger_identifier_is_a_row_more() {
    let db = fresh_db();
    let mut client = db.connect();
    say(&mut client, &EVENTS);
    assert_eq!(
        updates(&mut client),
        [
            "profile_1 | profile_1 | page | event_1 | 2022-05-02 14:01:00",
            "profile_1 | jane.kim@segment.com | identify | event_2 | 2022-05-02 14:01:47",
            "jane.kim@segment.com | jane.kim@segment.com | identify | event_2 | 2022-05-02 14:01:47",
            "profile_2 | profile_2 | page | event_3 | 2022-06-22 10:47:15",
            "profile_2 | jane.kim@segment.com | identify | event_4 | 2022-06-22 10:48:00",
        ]
    );
}

#[test]
fn whoever_was_merged_before_goes_along() {
    let db = of_cookies();
    let mut client = db.connect();
    say(&mut client, &EVENTS);
    say(
        &mut client,
        &[
            r#"{"type": "page", "messageId": "m5", "userId": "u1", "timestamp": "2022-07-01T10:00:00Z"}"#,
            r#"{"type": "page", "messageId": "m6", "userId": "u1", "anonymousId": "5285bc35-05ef-4d21",
                "timestamp": "2022-07-02T10:00:00Z"}"#,
        ],
    );
    assert_eq!(
        updates(&mut client)[3..],
        [
            "u1 | u1 | page | m5 | 2022-07-01 10:00:00",
            "profile_1 | u1 | page | m6 | 2022-07-02 10:00:00",
            "profile_2 | u1 | page | m6 | 2022-07-02 10:00:00",
        ]
    );
    // As their models read it: the newest row of each id.
    let newest = "(SELECT DISTINCT ON (segment_id) * FROM cdp_segment.id_graph_updates \
                   ORDER BY segment_id, seq DESC) g ORDER BY segment_id";
    let all = ["profile_1 | u1", "profile_2 | u1", "u1 | u1"];
    let ids = "[segment_id], [canonical_segment_id]";
    assert_eq!(rows(&mut client, ids, newest), all);
    assert_eq!(
        rows(
            &mut client,
            ids,
            "cdp_segment.profile_merges ORDER BY segment_id"
        ),
        all
    );
}

#[test]
fn what_was_decided_last_is_the_newest_whenever_it_happened() {
    let db = of_cookies();
    let mut client = db.connect();
    say(
        &mut client,
        &[
            r#"{"type": "page", "userId": "u1", "timestamp": "2026-03-01T10:00:00Z"}"#,
            r#"{"type": "page", "anonymousId": "a1", "timestamp": "2026-03-02T10:00:00Z"}"#,
            r#"{"type": "page", "userId": "u1", "anonymousId": "a1", "timestamp": "2026-02-01T10:00:00Z"}"#,
            r#"{"type": "page", "anonymousId": "a1", "timestamp": "2026-01-01T10:00:00Z"}"#,
        ],
    );
    assert_eq!(
        rows(
            &mut client,
            "[segment_id], [canonical_segment_id], \"timestamp\"::date",
            "cdp_segment.id_graph_updates WHERE segment_id <> cdp.resolve('user_id', 'u1') ORDER BY seq"
        ),
        ["a1 | a1 | 2026-01-01", "a1 | u1 | 2026-02-01"]
    );
}

#[test]
fn what_is_undone_leads_back() {
    let db = of_cookies();
    let mut client = db.connect();
    say(&mut client, &EVENTS);
    let change: i64 = one(
        &mut client,
        "SELECT cdp.unlink('anonymous_id', 'b50e18a5-1b8d-451c', 'email', 'jane.kim@segment.com')",
    );
    let of_3 = |client: &mut Client| -> Vec<String> {
        rows(
            client,
            "[canonical_segment_id], triggering_event_type, triggering_event_id",
            "cdp_segment.id_graph_updates WHERE segment_id = \
              (SELECT node_id FROM cdp.identifiers WHERE value = 'b50e18a5-1b8d-451c') ORDER BY seq",
        )
    };
    let merges = "cdp_segment.profile_merges ORDER BY segment_id";
    assert_eq!(
        of_3(&mut client),
        [
            "profile_2 | page | event_3",
            "profile_1 | identify | event_4",
            &format!("profile_2 | unlink | {change}")
        ]
    );
    assert_eq!(
        rows(&mut client, "[segment_id], [canonical_segment_id]", merges),
        ["profile_1 | profile_1", "profile_2 | profile_2"]
    );
    run(&mut client, &format!("SELECT cdp.undo({change})"));
    assert_eq!(
        of_3(&mut client)
            .last()
            .map(|row| row.split(" | ").take(2).collect::<Vec<_>>()),
        Some(vec!["profile_1", "undo"])
    );
    assert_eq!(
        rows(&mut client, "[segment_id], [canonical_segment_id]", merges),
        ["profile_1 | profile_1", "profile_2 | profile_1"]
    );
}

#[test]
fn the_columns_are_the_documented_ones() {
    let db = of_cookies();
    let mut client = db.connect();
    let mut columns = |view: &str| -> Vec<String> {
        column(
            &mut client,
            &format!(
                "SELECT attname::text FROM pg_attribute WHERE attrelid = 'cdp_segment.{view}'::regclass AND attnum > 0"
            ),
        )
    };
    let documented = [
        (
            "id_graph_updates",
            "segment_id canonical_segment_id triggering_event_type triggering_event_id timestamp",
        ),
        (
            "profile_merges",
            "canonical_segment_id segment_id seq received_at uuid_ts timestamp",
        ),
        (
            "user_identifiers",
            "canonical_segment_id type value seq received_at uuid_ts timestamp",
        ),
        (
            "external_id_mapping",
            "canonical_segment_id external_id_type external_id_value external_id_hash timestamp uuid_ts",
        ),
        ("profile_traits", "canonical_segment_id merged_to email"),
    ];
    for (view, names) in documented {
        let found = columns(view);
        let missing: Vec<&str> = names
            .split(' ')
            .filter(|name| !found.iter().any(|column| column == name))
            .collect();
        assert!(missing.is_empty(), "{view} has not {missing:?}");
    }
}

#[test]
fn rows_of_tables_and_words_by_hand_are_evidence_too() {
    let db = fresh_db();
    let mut client = db.connect();
    run(
        &mut client,
        "CREATE TABLE contacts (id bigint PRIMARY KEY, mail text, created timestamptz);
         INSERT INTO contacts VALUES (1, 'a@example.com', '2026-01-05 10:00Z');
         SELECT cdp.map_table('crm', 'contacts', '{\"email\": \"mail\", \"created_at\": \"created\"}')",
    );
    run(&mut client, "CALL cdp.process_all()");
    run(
        &mut client,
        "SELECT cdp.link('email', 'a@example.com', 'user_id', 'u9')",
    );
    assert_eq!(
        rows(
            &mut client,
            "type, value, \"timestamp\"::timestamp, received_at IS NULL",
            "cdp_segment.user_identifiers ORDER BY type"
        ),
        [
            "email | a@example.com | 2026-01-05 10:00:00 | f",
            "user_id | u9 | t"
        ]
    );
    let kinds = rows(
        &mut client,
        "triggering_event_type",
        "cdp_segment.id_graph_updates WHERE triggering_event_type IS NOT NULL ORDER BY 1",
    );
    assert_eq!(kinds, ["link", "record"]);
}

#[test]
fn traits_come_and_go_as_in_profiles() {
    let db = of_cookies();
    let mut client = db.connect();
    say(&mut client, &EVENTS);
    run(
        &mut client,
        "SELECT cdp.create_trait('plan', 'text');
         CREATE ROLE marketing; GRANT USAGE ON SCHEMA cdp_segment TO marketing;
         GRANT SELECT ON cdp_segment.profile_traits TO marketing;
         SELECT cdp.drop_trait('plan');
         SELECT cdp.create_trait('merged_to', 'text')",
    );
    let columns = "SELECT string_agg(attname, ' ' ORDER BY attnum) FROM pg_attribute \
                   WHERE attrelid = 'cdp_segment.profile_traits'::regclass AND attnum > 0 AND NOT attisdropped";
    // A trait of the name of a column of Segment's is in cdp.profiles only.
    assert_eq!(
        one::<String>(&mut client, columns),
        "canonical_segment_id merged_to extra email"
    );
    assert!(one::<bool>(
        &mut client,
        "SELECT has_table_privilege('marketing', 'cdp_segment.profile_traits', 'SELECT')"
    ));
    // What a user built on a column stays, with nothing in it.
    run(
        &mut client,
        "CREATE VIEW mails AS SELECT canonical_segment_id, email FROM cdp_segment.profile_traits;
         SELECT cdp.drop_trait('email'); SELECT cdp.create_trait('city', 'text')",
    );
    assert_eq!(
        one::<i64>(
            &mut client,
            "SELECT count(*) FROM mails WHERE email IS NOT NULL"
        ),
        0
    );
    assert_eq!(
        one::<String>(&mut client, columns),
        "canonical_segment_id merged_to extra email city"
    );
}

#[test]
fn readers_read_them_and_others_do_not() {
    let db = of_cookies();
    let mut client = db.connect();
    say(&mut client, &EVENTS[..1]);
    run(
        &mut client,
        "CREATE ROLE segment_reader IN ROLE cdp_reader; CREATE ROLE segment_stranger",
    );
    let views = "SELECT c.oid::regclass::text FROM pg_class c \
                 WHERE c.relnamespace = 'cdp_segment'::regnamespace ORDER BY 1";
    let views: Vec<String> = column(&mut client, views);
    assert_eq!(views.len(), 5);
    for view in &views {
        run(
            &mut client,
            &format!("SET ROLE segment_reader; TABLE {view}; RESET ROLE"),
        );
        run(&mut client, "SET ROLE segment_stranger");
        let error = client
            .batch_execute(&format!("TABLE {view}"))
            .expect_err(view);
        assert_eq!(
            error.code().map(|code| code.code()),
            Some("42501"),
            "{view}"
        );
        run(&mut client, "RESET ROLE");
    }
    let foreign: Vec<String> = column(
        &mut client,
        "SELECT relname::text FROM pg_class WHERE relnamespace = 'cdp_segment'::regnamespace
            AND pg_get_userbyid(relowner) <> 'cdp_owner'
         UNION ALL SELECT nspname::text FROM pg_namespace
          WHERE nspname = 'cdp_segment' AND pg_get_userbyid(nspowner) <> 'cdp_owner'",
    );
    assert!(foreign.is_empty(), "{foreign:?}");
}

#[test]
fn a_dump_holds_them() {
    let db = of_cookies();
    let mut client = db.connect();
    say(&mut client, &EVENTS);
    let before = updates(&mut client);
    let server = db.server();
    let dump = server.dump(&db.name);
    let copy = format!("{}_copy", db.name);
    server.restore(&dump, &copy);
    let mut restored = server.connect(&copy);
    run(&mut restored, "SELECT cdp.start()");
    assert_eq!(updates(&mut restored), before);
}

#[test]
fn a_schema_of_somebody_else_is_refused() {
    let db = cdp_server_tests::bare_db();
    let mut client = db.connect();
    run(
        &mut client,
        "CREATE EXTENSION pg_cdp; CREATE ROLE segment_planter; CREATE SCHEMA cdp_segment AUTHORIZATION segment_planter",
    );
    let (code, said) = cdp_server_tests::sql::fails(&mut client, "SELECT cdp.init()");
    assert_eq!(code, "55000", "{said}");
    assert!(
        said.contains("schema cdp_segment belongs to segment_planter"),
        "{said}"
    );
    run(
        &mut client,
        "ALTER SCHEMA cdp_segment OWNER TO CURRENT_USER; SELECT cdp.init()",
    );
}
