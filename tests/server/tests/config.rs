//! Declarations, the document, and operation: what they do, and what they say when they refuse.

use cdp_server_tests::postgres::Client;
use cdp_server_tests::postgres::error::DbError;
use cdp_server_tests::{Server, ServerOptions, TestDb, bare_db, fresh_db};

// ------------------------------------------------------------------------------------ helpers

fn run(client: &mut Client, sql: &str) {
    client
        .batch_execute(sql)
        .unwrap_or_else(|error| panic!("{sql}: {error:?}"));
}

fn text(client: &mut Client, sql: &str) -> String {
    let row = client
        .query_one(sql, &[])
        .unwrap_or_else(|error| panic!("{sql}: {error:?}"));
    row.get::<_, Option<String>>(0).unwrap_or_default()
}

/// Rows of texts, each as one line.
fn lines(client: &mut Client, sql: &str) -> Vec<String> {
    client
        .query(sql, &[])
        .unwrap_or_else(|error| panic!("{sql}: {error:?}"))
        .iter()
        .map(|row| {
            let cells = (0..row.len()).map(|n| row.get::<_, Option<String>>(n).unwrap_or_default());
            cells.collect::<Vec<_>>().join(" | ")
        })
        .collect()
}

fn refused(client: &mut Client, sql: &str) -> DbError {
    let error = client.batch_execute(sql).expect_err(sql);
    error.as_db_error().expect(sql).clone()
}

/// Each statement is refused with this SQLSTATE and message, and a hint that holds these words.
fn assert_refused(client: &mut Client, cases: &[(&str, &str, &str, &str)]) {
    for (sql, code, message, hint) in cases {
        let error = refused(client, sql);
        let said = (error.code().code(), error.message());
        assert_eq!(said, (*code, *message), "{sql}");
        let given = error.hint().unwrap_or_default();
        assert!(given.contains(hint), "{sql}: the hint is {given:?}");
        assert!(hint.is_empty() == given.is_empty(), "{sql}: hint {given:?}");
    }
}

/// Gives a message to the inbox and processes what waits.
fn accept(client: &mut Client, source: &str, message: &str) {
    client
        .execute(
            "INSERT INTO cdp.inbox (source, message) VALUES ($1, $2)",
            &[&source, &message],
        )
        .expect("the inbox takes a message");
    process(client);
}

fn process(client: &mut Client) {
    while client
        .query_one("SELECT cdp.process()", &[])
        .expect("cdp.process() works")
        .get::<_, i64>(0)
        > 0
    {}
}

fn config(client: &mut Client) -> String {
    text(client, "SELECT jsonb_pretty(cdp.config())")
}

fn apply(client: &mut Client, document: &str) -> Vec<String> {
    let sql = format!("SELECT action, kind, name FROM cdp.apply($doc${document}$doc$)");
    lines(client, &sql)
}

fn started() -> (TestDb, Client) {
    let db = fresh_db();
    let client = db.connect();
    (db, client)
}

/// Something of everything.
const FULL: &str = r#"{
    "version": 1,
    "sources": [{"name": "default"}, {"name": "pos", "max_backdate": "1 month 2 days 90 minutes"},
                {"name": "web", "max_backdate": "30 days"}],
    "identifier_types": [
        {"name": "user_id", "priority": 10, "max_per_profile": 1, "paths": ["userId"]},
        {"name": "email", "priority": 20, "normaliser": "email", "max_degree": {"user_id": 3},
         "blocked_values": ["x@y"], "blocked_patterns": ["^info@"], "paths": ["traits.email"]},
        {"name": "phone", "priority": 30, "normaliser": "phone", "default_region": "PT",
         "builtin_blocked": false},
        {"name": "loyalty", "priority": 40, "pattern": "^L[0-9]+$", "bridges": false}],
    "traits": [
        {"name": "country", "type": "text", "survivorship": "source_priority",
         "source_priority": ["pos", "web"], "description": "where they live; it's \"home\""},
        {"name": "Points Earned", "type": "numeric", "survivorship": "max"},
        {"name": "tags", "type": "text[]", "survivorship": "union"}],
    "segments": [
        {"name": "a", "rule": "in segment 'b' and country = 'PT'", "description": "through b"},
        {"name": "b", "rule": "country in ('PT', 'BR')"}],
    "schedules": [
        {"name": "nightly", "schedule": "0 3 * * *", "command": "SELECT 1", "time_zone": "Europe/Lisbon"},
        {"name": "often", "schedule": "every 10 minutes", "command": "SELECT 2"}]
}"#;

// ------------------------------------------------------------------------------------ refusals

#[test]
fn declarations_say_what_is_wrong_and_what_would_be_right() {
    let (_db, mut c) = started();
    run(
        &mut c,
        "SELECT cdp.create_source('web');
         SELECT cdp.create_trait('country', 'text');
         SELECT cdp.create_segment('portugal', $$country = 'PT'$$);
         SELECT cdp.create_segment('lisbon', $$in segment 'portugal'$$)",
    );
    assert_refused(
        &mut c,
        &[
            // sources
            (
                "SELECT cdp.create_source(NULL)",
                "22004",
                "name must not be null",
                "",
            ),
            (
                "SELECT cdp.create_source(' ')",
                "22023",
                "a source needs a name",
                "",
            ),
            (
                "SELECT cdp.create_source('web')",
                "42710",
                "source \"web\" already exists",
                "cdp.alter_source()",
            ),
            (
                "SELECT cdp.create_source('x', '-1 day')",
                "22023",
                "max_backdate is negative: -1 days",
                "",
            ),
            (
                "SELECT cdp.create_source(' x')",
                "22023",
                "the name \" x\" of a source has white space around it, or a control character",
                "",
            ),
            (
                "SELECT cdp.drop_source('wbe')",
                "42704",
                "source \"wbe\" does not exist",
                "Did you mean \"web\"?",
            ),
            (
                "SELECT cdp.alter_source('pos')",
                "42704",
                "source \"pos\" does not exist",
                "The sources are: default, web.",
            ),
            (
                "SELECT cdp.alter_source('web', reset => '{max_backdat}')",
                "22023",
                "cannot reset \"max_backdat\"",
                "Did you mean \"max_backdate\"?",
            ),
            // identifier types
            (
                "SELECT cdp.create_identifier_type('email', 1)",
                "42710",
                "identifier type \"email\" already exists",
                "cdp.alter_identifier_type()",
            ),
            (
                "SELECT cdp.create_identifier_type('x', NULL)",
                "22004",
                "priority must not be null",
                "",
            ),
            (
                "SELECT cdp.create_identifier_type('x', 0)",
                "22023",
                "priority 0 is not between 1 and 999",
                "",
            ),
            (
                "SELECT cdp.create_identifier_type('x', 20)",
                "22023",
                "priority 20 is that of both \"email\" and \"x\"",
                "a priority of its own",
            ),
            (
                "SELECT cdp.create_identifier_type('x', 11, max_per_profile => 0)",
                "22023",
                "max_per_profile 0 is not greater than 0",
                "",
            ),
            (
                "SELECT cdp.create_identifier_type('x', 11, normaliser => 'emial')",
                "22023",
                "unknown normaliser \"emial\"",
                "Did you mean \"email\"?",
            ),
            (
                "SELECT cdp.create_identifier_type('x', 11, normaliser => 'soundex')",
                "22023",
                "unknown normaliser \"soundex\"",
                "The normalisers are: text, casefold, email, phone, digits, none.",
            ),
            (
                "SELECT cdp.create_identifier_type('x', 11, pattern => '[a')",
                "22023",
                "pattern of identifier type \"x\" is not valid",
                "",
            ),
            (
                "SELECT cdp.create_identifier_type('x', 11, blocked_patterns => '{(}')",
                "22023",
                "blocked_patterns of identifier type \"x\" is not valid",
                "",
            ),
            (
                "SELECT cdp.create_identifier_type('x', 11, default_region => 'PT')",
                "22023",
                "default_region is for the normaliser \"phone\" only",
                "",
            ),
            (
                "SELECT cdp.create_identifier_type('x', 11, normaliser => 'phone', default_region => 'XX')",
                "22023",
                "default_region of identifier type \"x\" is not valid: \"XX\" is no region; give two letters such as PT",
                "",
            ),
            (
                "SELECT cdp.create_identifier_type('x', 11, paths => '{a..b}')",
                "22023",
                "paths of identifier type \"x\" is not valid: \"a..b\" has an empty part",
                "",
            ),
            (
                "SELECT cdp.create_identifier_type('x', 11, max_degree => '{\"usr_id\": 3}')",
                "42704",
                "identifier type \"usr_id\" does not exist",
                "Did you mean \"user_id\"?",
            ),
            (
                "SELECT cdp.create_identifier_type('x', 11, max_degree => '{\"x\": 3}')",
                "22023",
                "max_degree is for other types than the one declared",
                "",
            ),
            (
                "SELECT cdp.create_identifier_type('x', 11, max_degree => '{\"user_id\": 0}')",
                "22023",
                "max_degree 0 for \"user_id\" is not greater than 0",
                "",
            ),
            (
                "SELECT cdp.create_identifier_type('x', 11, max_degree => '[3]')",
                "22023",
                "max_degree: $: expected an object, found an array",
                "",
            ),
            (
                "SELECT cdp.create_identifier_type('record:crm', 11)",
                "22023",
                "the name \"record:crm\" is reserved",
                "mapped tables",
            ),
            (
                "SELECT cdp.alter_identifier_type('emial', 11)",
                "42704",
                "identifier type \"emial\" does not exist",
                "Did you mean \"email\"?",
            ),
            (
                "SELECT cdp.alter_identifier_type('email', reset => '{patern}')",
                "22023",
                "cannot reset \"patern\"",
                "Did you mean \"pattern\"?",
            ),
            (
                "SELECT cdp.drop_identifier_type('user_id')",
                "2BP01",
                "cannot drop identifier type \"user_id\": identifier type \"email\" names it in max_degree",
                "max_degree first",
            ),
            // traits
            (
                "SELECT cdp.create_trait('x', NULL)",
                "22004",
                "type must not be null",
                "",
            ),
            (
                "SELECT cdp.create_trait('country', 'text')",
                "42710",
                "trait \"country\" already exists",
                "cdp.alter_trait()",
            ),
            (
                "SELECT cdp.create_trait('extra', 'text')",
                "22023",
                "the name \"extra\" is reserved",
                "cdp.profiles has a column",
            ),
            (
                "SELECT cdp.create_trait(repeat('x', 64), 'text')",
                "22023",
                "the name of a trait is 64 bytes long, and 63 is the most for a column",
                "",
            ),
            (
                "SELECT cdp.create_trait('x', 'strng')",
                "22023",
                "unknown trait type \"strng\"",
                "Did you mean \"string\"?",
            ),
            (
                "SELECT cdp.create_trait('x', 'uuid')",
                "22023",
                "unknown trait type \"uuid\"",
                "Use one of: text, bigint",
            ),
            (
                "SELECT cdp.create_trait('x', 'timestamp')",
                "22023",
                "a trait cannot be of type timestamp without time zone",
                "Use timestamptz, or date.",
            ),
            (
                "SELECT cdp.create_trait('x', 'text', 'most_recnt')",
                "22023",
                "unknown survivorship \"most_recnt\"",
                "Did you mean \"most_recent\"?",
            ),
            (
                "SELECT cdp.create_trait('x', 'text', 'union')",
                "22023",
                "survivorship union does not suit the type text",
                "text[]",
            ),
            (
                "SELECT cdp.create_trait('x', 'text', 'source_priority')",
                "22023",
                "survivorship source_priority ranks no source in source_priority",
                "the best first",
            ),
            (
                "SELECT cdp.create_trait('x', 'text', source_priority => '{web}')",
                "22023",
                "source_priority means nothing with survivorship most_recent",
                "survivorship => 'source_priority'",
            ),
            (
                "SELECT cdp.create_trait('x', 'text', 'source_priority', '{web,wbe}')",
                "42704",
                "source \"wbe\" does not exist",
                "Did you mean \"web\"?",
            ),
            (
                "SELECT cdp.create_trait('x', 'text', 'source_priority', '{web,web}')",
                "22023",
                "source \"web\" is ranked twice",
                "",
            ),
            (
                "SELECT cdp.alter_trait('contry', description => 'x')",
                "42704",
                "trait \"contry\" does not exist",
                "Did you mean \"country\"?",
            ),
            (
                "SELECT cdp.drop_trait('country')",
                "2BP01",
                "cannot drop trait \"country\": segment \"portugal\" tests it",
                "the segment first",
            ),
            // segments
            (
                "SELECT cdp.create_segment('portugal', 'true')",
                "42710",
                "segment \"portugal\" already exists",
                "cdp.alter_segment()",
            ),
            (
                "SELECT cdp.create_segment('x', NULL)",
                "22004",
                "rule must not be null",
                "",
            ),
            (
                "SELECT cdp.create_segment('x', $$contry = 'PT'$$)",
                "42601",
                "unknown trait \"contry\"",
                "country",
            ),
            (
                "SELECT cdp.alter_segment('portugal', $$in segment 'lisbon'$$)",
                "42P17",
                "segment \"portugal\" would refer to itself",
                "do not refer back",
            ),
            (
                "SELECT cdp.alter_segment('portugol', 'x = 1')",
                "42704",
                "segment \"portugol\" does not exist",
                "Did you mean \"portugal\"?",
            ),
            (
                "SELECT cdp.drop_segment('portugal')",
                "2BP01",
                "cannot drop segment \"portugal\": segment \"lisbon\" refers to it",
                "that segment first",
            ),
            (
                "SELECT cdp.apply(NULL)",
                "22004",
                "config must not be null",
                "",
            ),
            (
                "SELECT cdp.plan(NULL)",
                "22004",
                "config must not be null",
                "",
            ),
        ],
    );
    let circle = refused(
        &mut c,
        "SELECT cdp.alter_segment('portugal', $$in segment 'lisbon'$$)",
    );
    assert_eq!(circle.detail(), Some("portugal → lisbon → portugal."));
    let rule = refused(&mut c, "SELECT cdp.create_segment('x', $$contry = 'PT'$$)");
    assert!(
        rule.detail().unwrap_or_default().contains("^^^^^^"),
        "{rule:?}"
    );
}

#[test]
fn a_document_that_is_not_valid_changes_nothing_and_names_the_path() {
    let (_db, mut c) = started();
    apply(&mut c, FULL);
    let before = config(&mut c);
    let cases: &[(&str, &str, &str, &str)] = &[
        ("[]", "22023", "$: expected an object, found an array", ""),
        (
            "{\"trait\": []}",
            "22023",
            "$: unknown key \"trait\"",
            "Did you mean \"traits\"?",
        ),
        (
            "{\"version\": 2}",
            "22023",
            "$.version: unknown version 2",
            "version 1",
        ),
        (
            "{\"traits\": {}}",
            "22023",
            "$.traits: expected an array, found an object",
            "",
        ),
        (
            "{\"traits\": [1]}",
            "22023",
            "$.traits[0]: expected an object, found the number 1",
            "",
        ),
        (
            "{\"traits\": [{}]}",
            "22023",
            "$.traits[0]: \"name\" is missing",
            "",
        ),
        (
            "{\"traits\": [{\"name\": \"x\"}]}",
            "22023",
            "$.traits[0]: \"type\" is missing",
            "",
        ),
        (
            "{\"traits\": [{\"name\": \"x\", \"type\": 1}]}",
            "22023",
            "$.traits[0].type: expected a string, found the number 1",
            "",
        ),
        (
            "{\"traits\": [{\"name\": \"x\", \"type\": \"text\"}, {\"name\": \"y\", \"type\": \"text\"}, {\"name\": \"z\", \"type\": \"strng\"}]}",
            "22023",
            "$.traits[2].type: unknown trait type \"strng\"",
            "Did you mean \"string\"?",
        ),
        (
            "{\"traits\": [{\"name\": \"x\", \"type\": \"text\"}, {\"name\": \"x\", \"type\": \"text\"}]}",
            "22023",
            "$.traits[1].name: trait \"x\" is declared twice",
            "",
        ),
        (
            "{\"traits\": [{\"name\": \"x\", \"type\": \"text\", \"survivorship\": \"source_priority\", \"source_priority\": [\"web\", \"shop\"]}], \"segments\": []}",
            "22023",
            "$.traits[0].source_priority[1]: source \"shop\" does not exist",
            "sources are",
        ),
        (
            "{\"traits\": [{\"name\": \"x\", \"type\": \"text\", \"typ\": 1}]}",
            "22023",
            "$.traits[0]: unknown key \"typ\"",
            "Did you mean \"type\"?",
        ),
        (
            "{\"sources\": [{\"name\": \"x\", \"max_backdate\": \"soon\"}]}",
            "22023",
            "$.sources[0].max_backdate: invalid input syntax for type interval: \"soon\"",
            "30 days",
        ),
        (
            "{\"identifier_types\": [{\"name\": \"a\", \"priority\": \"high\"}]}",
            "22023",
            "$.identifier_types[0].priority: expected a whole number, found a string",
            "",
        ),
        (
            "{\"identifier_types\": [{\"name\": \"a\", \"priority\": 1}, {\"name\": \"b\", \"priority\": 1}]}",
            "22023",
            "$.identifier_types[1].priority: priority 1 is that of both \"a\" and \"b\"",
            "of its own",
        ),
        (
            "{\"identifier_types\": [{\"name\": \"a\", \"priority\": 1, \"max_degree\": {\"b c\": \"x\"}}]}",
            "22023",
            "$.identifier_types[0].max_degree[\"b c\"]: expected a whole number, found a string",
            "",
        ),
        (
            "{\"identifier_types\": [{\"name\": \"a\", \"priority\": 1, \"pattern\": \"(\"}]}",
            "22023",
            "$.identifier_types[0].pattern: pattern of identifier type \"a\" is not valid",
            "",
        ),
        (
            "{\"segments\": [{\"name\": \"x\", \"rule\": \"country = 1\"}]}",
            "22023",
            "$.segments[0].rule: country is text and cannot be compared with a number",
            "quotes",
        ),
        (
            "{\"segments\": [{\"name\": \"x\", \"rule\": \"in segment 'a'\"}]}",
            "22023",
            "$.segments[0].rule: segment \"a\" is not in the document",
            "segments are: x.",
        ),
        (
            "{\"segments\": [{\"name\": \"a\", \"rule\": \"in segment 'b'\"}, {\"name\": \"b\", \"rule\": \"in segment 'a'\"}]}",
            "22023",
            "$.segments[0].rule: segment \"a\" would refer to itself",
            "do not refer back",
        ),
        (
            "{\"traits\": [{\"name\": \"country\", \"type\": \"bigint\"}, {\"name\": \"tags\", \"type\": \"text[]\"}]}",
            "22023",
            "$: segment \"a\": country is bigint and cannot be compared with text",
            "number",
        ),
        (
            "{\"traits\": []}",
            "2BP01",
            "$.traits: cannot drop trait \"country\": segment \"a\" tests it",
            "segment first",
        ),
        (
            "{\"sources\": []}",
            "2BP01",
            "$.sources: cannot drop source \"pos\": a trait ranks it",
            "source_priority first",
        ),
        (
            "{\"schedules\": [{\"name\": \"x\", \"schedule\": \"61 * * * *\", \"command\": \"SELECT 1\"}]}",
            "22023",
            "$.schedules[0].schedule: ",
            "",
        ),
        (
            "{\"schedules\": [{\"name\": \"x\", \"schedule\": \"@daily\", \"command\": \"SELECT 1\", \"time_zone\": \"Mars\"}]}",
            "22023",
            "$.schedules[0].time_zone: unknown time zone \"Mars\"",
            "Europe/Lisbon",
        ),
        (
            "{\"schedules\": [{\"name\": \"x\", \"schedule\": \"@daily\", \"command\": \" \"}]}",
            "22023",
            "$.schedules[0].command: the command is empty",
            "",
        ),
    ];
    for (document, code, message, hint) in cases {
        for function in ["apply", "plan"] {
            let sql = format!("SELECT cdp.{function}($doc${document}$doc$)");
            let error = refused(&mut c, &sql);
            assert_eq!(error.code().code(), *code, "{sql}");
            assert!(
                error.message().starts_with(message),
                "{sql}: {}",
                error.message()
            );
            assert!(
                error.hint().unwrap_or_default().contains(hint),
                "{sql}: {:?}",
                error.hint()
            );
            assert_eq!(config(&mut c), before, "{sql}");
        }
    }
}

// ------------------------------------------------------------------------------------ the document

#[test]
fn a_document_is_applied_once() {
    let (_db, mut c) = started();
    let planned = lines(
        &mut c,
        &format!("SELECT action, kind, name FROM cdp.plan($doc${FULL}$doc$)"),
    );
    let done = apply(&mut c, FULL);
    assert_eq!(planned, done);
    assert_eq!(
        done,
        [
            "create | source | pos",
            "create | source | web",
            "alter | identifier type | user_id",
            "alter | identifier type | email",
            "alter | identifier type | phone",
            "create | identifier type | loyalty",
            "create | trait | country",
            "create | trait | Points Earned",
            "create | trait | tags",
            "create | segment | b",
            "create | segment | a",
            "create | schedule | nightly",
            "create | schedule | often",
            "drop | identifier type | device_id",
            "drop | identifier type | anonymous_id",
        ]
    );
    assert_eq!(apply(&mut c, FULL), [""; 0]);
    assert_eq!(
        lines(
            &mut c,
            "SELECT action, kind, name FROM cdp.apply(cdp.config())"
        ),
        [""; 0]
    );
    let equal =
        format!("SELECT (cdp.config() - 'mappings' - 'matchers' = $doc${FULL}$doc$::jsonb)::text");
    let normal = FULL.replace(
        "1 month 2 days 90 minutes",
        "1 month 2 days 1 hour 30 minutes",
    );
    assert_eq!(
        text(&mut c, &equal.replace(FULL, &normal)),
        "true",
        "{}",
        config(&mut c)
    );

    // A section that is absent is left alone, one that is empty is emptied.
    assert_eq!(apply(&mut c, "{}"), [""; 0]);
    assert_eq!(
        apply(&mut c, "{\"segments\": [], \"schedules\": []}"),
        [
            "drop | schedule | nightly",
            "drop | schedule | often",
            "drop | segment | a",
            "drop | segment | b"
        ]
    );
}

#[test]
fn what_differs_is_told() {
    let (_db, mut c) = started();
    apply(&mut c, FULL);
    let changed = FULL
        .replace("\"user_id\": 3", "\"user_id\": 4")
        .replace("\"max\"", "\"min\"")
        .replace("('PT', 'BR')", "('PT')");
    assert_eq!(
        lines(
            &mut c,
            &format!("SELECT * FROM cdp.apply($doc${changed}$doc$)")
        ),
        [
            "alter | identifier type | email | max_degree: {\"user_id\":3} → {\"user_id\":4}",
            "alter | trait | Points Earned | survivorship: \"max\" → \"min\"",
            "alter | segment | b | rule: \"country in ('PT', 'BR')\" → \"country in ('PT')\"",
        ]
    );
    let version = "SELECT version::text FROM cdp.identifier_types WHERE name = 'email'";
    assert_eq!(text(&mut c, version), "3");
}

#[test]
fn a_configuration_goes_round() {
    let (_one, mut c) = started();
    apply(&mut c, FULL);
    let there = text(&mut c, "SELECT cdp.config()::text");
    let (_two, mut d) = started();
    // Settings of the session change nothing.
    run(
        &mut d,
        "SET intervalstyle = 'sql_standard'; SET datestyle = 'German'",
    );
    apply(&mut d, &there);
    assert_eq!(text(&mut d, "SELECT cdp.config()::text"), there);
    let columns = "SELECT string_agg(attname || ' ' || atttypid::regtype, ', ' ORDER BY attnum)
                   FROM pg_attribute WHERE attrelid = 'cdp.profiles'::regclass";
    assert_eq!(text(&mut c, columns), text(&mut d, columns));
}

#[test]
fn segments_can_change_places() {
    let (_db, mut c) = started();
    let doc = |a: &str, b: &str| {
        format!(
            r#"{{"traits": [{{"name": "t", "type": "text"}}],
                 "segments": [{{"name": "a", "rule": "{a}"}}, {{"name": "b", "rule": "{b}"}}]}}"#
        )
    };
    apply(&mut c, &doc("in segment 'b'", "t = 'x'"));
    let turned = apply(&mut c, &doc("t = 'x'", "in segment 'a'"));
    assert_eq!(turned, ["alter | segment | a", "alter | segment | b"]);
}

#[test]
fn a_plan_writes_nothing_and_waits_for_nobody() {
    let (db, mut c) = started();
    run(&mut c, "SELECT cdp.create_trait('city', 'text')");
    let before = config(&mut c);
    let state = "SELECT (SELECT string_agg(c.oid || ' ' || c.relname || ' ' || c.xmin::text, ',' ORDER BY c.oid)
                           FROM pg_class c WHERE relnamespace = 'cdp'::regnamespace)
                     || (SELECT string_agg(t::text || xmin::text, ',') FROM cdp.traits t)
                     || (SELECT string_agg(t::text || xmin::text, ',') FROM cdp.identifier_types t)
                     || (SELECT string_agg(s::text || xmin::text, ',') FROM cdp.sources s)
                     || (SELECT count(*) FROM cdp.segments) || (SELECT count(*) FROM cdp.jobs)";
    let rows = text(&mut c, state);
    // Somebody reads profiles, somebody processes, and neither ends.
    let mut reader = db.connect();
    run(
        &mut reader,
        "BEGIN; SELECT * FROM cdp.profiles; LOCK cdp.pipeline_lock IN SHARE ROW EXCLUSIVE MODE",
    );
    run(&mut c, "SET lock_timeout = '2s'");
    // More traits of a type than there are spare columns.
    let document = r#"{"traits": [{"name": "a", "type": "date"}, {"name": "b", "type": "date"}, {"name": "c", "type": "date"}],
                       "segments": [{"name": "s", "rule": "a = '2020-01-01' or b = '2020-01-01'"}]}"#;
    let planned = lines(
        &mut c,
        &format!(
            "SELECT action, name FROM cdp.plan('{}')",
            document.replace('\'', "''")
        ),
    );
    assert_eq!(
        planned,
        [
            "create | a",
            "create | b",
            "create | c",
            "create | s",
            "drop | city"
        ]
    );
    run(&mut reader, "ROLLBACK");
    assert_eq!(config(&mut c), before);
    assert_eq!(text(&mut c, state), rows);
}

// ------------------------------------------------------------------------------------ traits

#[test]
fn a_trait_is_filled_from_the_past_and_goes_back_to_extra() {
    let (_db, mut c) = started();
    accept(
        &mut c,
        "default",
        r#"{"type": "identify", "userId": "u1", "messageId": "m1", "traits": {"country": "PT", "age": 30}}"#,
    );
    let extra = "SELECT extra::text FROM cdp.profiles";
    assert_eq!(text(&mut c, extra), r#"{"age": 30, "country": "PT"}"#);
    run(
        &mut c,
        "SELECT cdp.create_trait('country', 'text'); SELECT cdp.create_trait('age', 'int')",
    );
    assert_eq!(
        lines(
            &mut c,
            "SELECT country, age::text, extra::text FROM cdp.profiles"
        ),
        ["PT | 30 | {}"]
    );

    let column = "SELECT column_name FROM cdp.traits WHERE name = '{}'";
    let former = text(&mut c, &column.replace("{}", "country"));
    run(&mut c, "SELECT cdp.drop_trait('country')");
    assert_eq!(text(&mut c, extra), r#"{"country": "PT"}"#);
    let stored = format!("SELECT \"{former}\" FROM cdp.profile_rows");
    assert_eq!(text(&mut c, &stored), "", "the column is empty");

    // The column is used again, by a trait of the same type and another name.
    run(&mut c, "SELECT cdp.create_trait('city', 'text')");
    assert_eq!(text(&mut c, &column.replace("{}", "city")), former);
    assert_eq!(
        lines(&mut c, "SELECT city, age::text FROM cdp.profiles"),
        [" | 30"]
    );
    let shown = "SELECT string_agg(attname, ',' ORDER BY attnum) FROM pg_attribute
                 WHERE attrelid = 'cdp.profiles'::regclass AND attnum > 0 AND NOT attisdropped";
    assert_eq!(
        text(&mut c, shown),
        "profile_id,first_seen,last_seen,extra,age,city"
    );
}

#[test]
fn columns_do_not_pile_up() {
    let (_db, mut c) = started();
    let count = "SELECT count(*)::text FROM pg_attribute
                 WHERE attrelid = 'cdp.profile_rows'::regclass AND attnum > 0";
    run(
        &mut c,
        "SELECT cdp.create_trait('x', 'text'); SELECT cdp.drop_trait('x')",
    );
    let before = text(&mut c, count);
    for n in 0..10 {
        run(
            &mut c,
            &format!("SELECT cdp.create_trait('x{n}', 'text'); SELECT cdp.drop_trait('x{n}')"),
        );
    }
    assert_eq!(text(&mut c, count), before);
}

#[test]
fn views_and_rights_of_users_survive() {
    let (_db, mut c) = started();
    run(
        &mut c,
        "SELECT cdp.create_trait('country', 'text'); SELECT cdp.create_trait('plan', 'text');
         CREATE ROLE config_analyst; CREATE ROLE config_clerk;
         GRANT SELECT ON cdp.profiles TO config_analyst WITH GRANT OPTION;
         GRANT SELECT (profile_id, plan) ON cdp.profiles TO config_clerk;
         CREATE VIEW public.mine AS SELECT profile_id, country, plan FROM cdp.profiles",
    );
    accept(
        &mut c,
        "default",
        r#"{"type": "identify", "userId": "u1", "traits": {"country": "PT", "plan": "gold", "age": 3}}"#,
    );
    let mine = "SELECT country, plan FROM public.mine";
    run(&mut c, "SELECT cdp.create_trait('age', 'bigint')");
    assert_eq!(lines(&mut c, mine), ["PT | gold"]);
    // The column stays, empty, while somebody's view is there.
    run(&mut c, "SELECT cdp.drop_trait('country')");
    assert_eq!(lines(&mut c, mine), [" | gold"]);
    assert_eq!(
        lines(&mut c, "SELECT country, extra::text FROM cdp.profiles"),
        [" | {\"country\": \"PT\"}"]
    );
    // A trait of the same name and type takes it over.
    run(&mut c, "SELECT cdp.create_trait('country', 'text')");
    assert_eq!(lines(&mut c, mine), ["PT | gold"]);
    // One of another type does not.
    run(
        &mut c,
        "SELECT cdp.drop_trait('country'); SELECT cdp.create_trait('country', 'text[]')",
    );
    assert_eq!(lines(&mut c, mine), [" | gold"]);
    assert_eq!(
        lines(
            &mut c,
            "SELECT country_dropped, country::text FROM cdp.profiles"
        ),
        [" | {PT}"]
    );
    // Nothing depends on the view: it is made anew, with its rights, columns' rights and comment.
    run(
        &mut c,
        "DROP VIEW public.mine; SELECT cdp.drop_trait('country')",
    );
    let shown = "SELECT string_agg(attname, ',' ORDER BY attnum) FROM pg_attribute
                 WHERE attrelid = 'cdp.profiles'::regclass AND attnum > 0 AND NOT attisdropped";
    assert_eq!(
        text(&mut c, shown),
        "profile_id,first_seen,last_seen,extra,plan,age"
    );
    assert_eq!(
        lines(
            &mut c,
            "SELECT has_table_privilege('cdp_reader', 'cdp.profiles', 'SELECT')::text,
                    has_table_privilege('config_analyst', 'cdp.profiles', 'SELECT WITH GRANT OPTION')::text,
                    has_column_privilege('config_clerk', 'cdp.profiles', 'plan', 'SELECT')::text,
                    has_column_privilege('config_clerk', 'cdp.profiles', 'age', 'SELECT')::text,
                    (obj_description('cdp.profiles'::regclass) IS NOT NULL)::text,
                    (SELECT relowner::regrole::text FROM pg_class WHERE oid = 'cdp.profiles'::regclass)"
        ),
        ["true | true | true | false | true | cdp_owner"]
    );
    run(
        &mut c,
        "DROP OWNED BY config_analyst, config_clerk; DROP ROLE config_analyst, config_clerk",
    );
}

#[test]
fn the_type_of_a_trait_can_change_in_a_document() {
    let (_db, mut c) = started();
    run(
        &mut c,
        "SELECT cdp.create_trait('age', 'text', description => 'years')",
    );
    accept(
        &mut c,
        "default",
        r#"{"type": "identify", "userId": "u1", "traits": {"age": 30}}"#,
    );
    accept(
        &mut c,
        "default",
        r#"{"type": "identify", "userId": "u2", "traits": {"age": "old"}}"#,
    );
    let done = lines(
        &mut c,
        r#"SELECT * FROM cdp.apply('{"traits": [{"name": "age", "type": "integer"}]}')"#,
    );
    assert_eq!(
        done,
        [r#"alter | trait | age | description: "years" → default; type: "text" → "bigint""#]
    );
    assert_eq!(
        lines(
            &mut c,
            "SELECT age::text, pg_typeof(age)::text, extra::text FROM cdp.profiles ORDER BY 1"
        ),
        ["30 | bigint | {}", " | bigint | {\"age\": \"old\"}"]
    );
}

#[test]
fn a_description_is_the_comment_of_the_column() {
    let (_db, mut c) = started();
    let comment = "SELECT col_description('cdp.profiles'::regclass, 5)";
    run(
        &mut c,
        "SELECT cdp.create_trait('age', 'bigint', description => 'it''s in years')",
    );
    assert_eq!(text(&mut c, comment), "it's in years");
    run(
        &mut c,
        "SELECT cdp.alter_trait('age', description => 'full years')",
    );
    assert_eq!(text(&mut c, comment), "full years");
    run(
        &mut c,
        "SELECT cdp.alter_trait('age', reset => '{description}')",
    );
    assert_eq!(text(&mut c, comment), "");
}

#[test]
fn a_new_trait_lets_readers_through_and_waits_for_them() {
    let (db, mut c) = started();
    let mut reader = db.connect();
    run(&mut reader, "BEGIN; SELECT * FROM cdp.profiles");
    let other = std::thread::spawn(move || {
        std::thread::sleep(std::time::Duration::from_millis(1500));
        run(&mut reader, "COMMIT");
    });
    run(&mut c, "SELECT cdp.create_trait('age', 'bigint')");
    other.join().expect("the reader ends");
    assert_eq!(text(&mut c, "SELECT current_setting('lock_timeout')"), "0");
}

// ------------------------------------------------------------------------------------ the others

#[test]
fn changed_rules_of_identity_apply_to_the_past() {
    let (_db, mut c) = started();
    for (n, user) in ["u1", "u2"].into_iter().enumerate() {
        let message = format!(
            r#"{{"type": "identify", "userId": "{user}", "messageId": "m{n}", "traits": {{"email": "a@b.example"}}}}"#
        );
        accept(&mut c, "default", &message);
    }
    let profiles = "SELECT count(DISTINCT profile_id)::text FROM cdp.clusters";
    assert_eq!(text(&mut c, profiles), "2", "user_id is unique");
    run(
        &mut c,
        "SELECT cdp.alter_identifier_type('user_id', max_per_profile => 2)",
    );
    assert_eq!(text(&mut c, profiles), "1");
    run(
        &mut c,
        "SELECT cdp.alter_identifier_type('user_id', reset => '{max_per_profile}')",
    );
    assert_eq!(text(&mut c, profiles), "1");
    run(
        &mut c,
        "SELECT cdp.alter_identifier_type('user_id', max_per_profile => 1)",
    );
    assert_eq!(text(&mut c, profiles), "2");

    assert_refused(
        &mut c,
        &[
            (
                "SELECT cdp.drop_source('default')",
                "2BP01",
                "cannot drop source \"default\": messages were accepted from it",
                "does no harm",
            ),
            (
                "SELECT cdp.drop_identifier_type('email')",
                "2BP01",
                "cannot drop identifier type \"email\": identifiers of it were accepted",
                "blocked_patterns",
            ),
        ],
    );
    run(
        &mut c,
        "SELECT cdp.create_source('new'); SELECT cdp.drop_source('new')",
    );
    run(&mut c, "SELECT cdp.drop_identifier_type('device_id')");
}

#[test]
fn a_segment_has_its_members_at_once() {
    let (_db, mut c) = started();
    run(&mut c, "SELECT cdp.create_trait('country', 'text')");
    for (user, country) in [("u1", "PT"), ("u2", "PT"), ("u3", "BR")] {
        let message = format!(
            r#"{{"type": "identify", "userId": "{user}", "traits": {{"country": "{country}"}}}}"#
        );
        accept(&mut c, "default", &message);
    }
    let members = "SELECT segment, count(*)::text FROM cdp.segment_members GROUP BY 1 ORDER BY 1";
    run(
        &mut c,
        "SELECT cdp.create_segment('local', $$country = 'PT'$$);
         SELECT cdp.create_segment('foreign', $$not in segment 'local'$$)",
    );
    assert_eq!(lines(&mut c, members), ["foreign | 1", "local | 2"]);
    // Those that depend on it follow.
    run(
        &mut c,
        "SELECT cdp.alter_segment('local', $$country in ('PT', 'BR')$$)",
    );
    assert_eq!(lines(&mut c, members), ["local | 3"]);
    run(
        &mut c,
        "SELECT cdp.drop_segment('foreign'); SELECT cdp.drop_segment('local')",
    );
    assert_eq!(
        text(&mut c, "SELECT count(*)::text FROM cdp.memberships"),
        "0"
    );
}

#[test]
fn a_document_maps_tables() {
    let (_db, mut c) = started();
    run(
        &mut c,
        "CREATE SCHEMA \"the CRM\";
         CREATE TABLE \"the CRM\".contacts (id bigint PRIMARY KEY, mail text, country text);
         INSERT INTO \"the CRM\".contacts VALUES (1, 'a@b.example', 'PT');
         CREATE TABLE public.orders (id bigint, email text, at timestamptz, total numeric)",
    );
    let document = r#"{
        "traits": [{"name": "country", "type": "text", "survivorship": "source_priority", "source_priority": ["crm"]}],
        "mappings": [
            {"source": "crm", "relation": "\"the CRM\".contacts",
             "mapping": {"user_id": "id", "email": "mail", "traits": {"country": "country"}}},
            {"source": "shop", "relation": "public.orders", "capture": "poll", "poll_every": "1 hour", "watermark": "at",
             "mapping": {"kind": "events", "key": ["id"], "email": "email", "time": "at",
                         "event": "Order Completed", "properties": {"total": "total"}}}]}"#;
    let expected = [
        "create | trait | country",
        "create | mapping | crm",
        "create | mapping | shop",
    ];
    let triggers =
        "SELECT count(*)::text FROM pg_trigger WHERE tgrelid = '\"the CRM\".contacts'::regclass";
    let planned = format!("SELECT action, kind, name FROM cdp.plan($doc${document}$doc$)");
    assert_eq!(lines(&mut c, &planned), expected);
    assert_eq!(text(&mut c, triggers), "0");
    assert_eq!(text(&mut c, "SELECT count(*)::text FROM cdp.sources"), "1");
    assert_eq!(apply(&mut c, document), expected);
    assert_ne!(text(&mut c, triggers), "0");
    assert_eq!(apply(&mut c, document), [""; 0]);
    assert_eq!(
        lines(&mut c, "SELECT * FROM cdp.apply(cdp.config())"),
        [""; 0]
    );
    // Sources of mapped tables are declared by their mappings alone.
    assert_eq!(
        text(&mut c, "SELECT (cdp.config() -> 'sources')::text"),
        r#"[{"name": "default"}]"#
    );
    run(
        &mut c,
        "INSERT INTO \"the CRM\".contacts VALUES (2, 'b@b.example', 'BR')",
    );
    process(&mut c);
    assert_eq!(
        text(
            &mut c,
            "SELECT string_agg(country, ',' ORDER BY country) FROM cdp.profiles"
        ),
        "BR,PT"
    );

    let before = config(&mut c);
    for (from, to, path) in [
        (
            "public.orders",
            "public.order",
            "$.mappings[1].relation: relation public.order does not exist",
        ),
        (
            "\"poll\"",
            "\"pol\"",
            "$.mappings[1].capture: capture \"pol\" is not known",
        ),
        (
            "\"time\": \"at\"",
            "\"time\": 1",
            "$.mappings[1].mapping.time: ",
        ),
        (
            "\"email\": \"mail\"",
            "\"email\": \"mial\"",
            "$.mappings[0]: ",
        ),
    ] {
        for function in ["plan", "apply"] {
            let sql = format!(
                "SELECT cdp.{function}($doc${}$doc$)",
                document.replace(from, to)
            );
            let error = refused(&mut c, &sql);
            assert_eq!(error.code().code(), "22023", "{error:?}");
            assert!(error.message().starts_with(path), "{error:?}");
            assert_eq!(config(&mut c), before);
        }
    }
    assert_refused(
        &mut c,
        &[
            (
                "SELECT cdp.create_source('crm')",
                "42710",
                "source \"crm\" is a mapped table",
                "a name of its own",
            ),
            (
                "SELECT cdp.drop_source('crm')",
                "2BP01",
                "cannot drop source \"crm\": a table is mapped as it",
                "cdp.unmap_table()",
            ),
        ],
    );
    let hourly = document.replace("1 hour", "2 hours");
    assert_eq!(apply(&mut c, &hourly), ["alter | mapping | shop"]);
    assert_eq!(
        apply(&mut c, r#"{"mappings": []}"#),
        ["drop | mapping | crm", "drop | mapping | shop"]
    );
    assert_eq!(text(&mut c, triggers), "0");
}

#[test]
fn declaring_takes_membership_in_the_owner_role() {
    let (db, mut c) = started();
    run(
        &mut c,
        "CREATE ROLE config_member LOGIN; GRANT cdp_owner TO config_member;
         CREATE ROLE config_reader LOGIN; GRANT cdp_reader TO config_reader",
    );
    apply(
        &mut c,
        r#"{"schedules": [{"name": "root's", "schedule": "@daily", "command": "SELECT 1"}]}"#,
    );
    let mut reader = db.connect_as("config_reader");
    for sql in [
        "SELECT cdp.create_trait('x', 'text')",
        "SELECT cdp.apply('{}')",
        "SELECT cdp.plan('{}')",
        "SELECT cdp.config()",
        "SELECT cdp.pause()",
    ] {
        assert_eq!(refused(&mut reader, sql).code().code(), "42501", "{sql}");
    }
    assert_eq!(
        text(&mut reader, "SELECT cdp.version()"),
        env!("CARGO_PKG_VERSION")
    );
    assert_eq!(
        text(
            &mut reader,
            "SELECT value FROM cdp.status() WHERE item = 'state'"
        ),
        "ready"
    );

    let mut member = db.connect_as("config_member");
    run(&mut member, "SELECT cdp.create_trait('x', 'text')");
    // Whoever changes a job could else have SQL run with the rights of its owner.
    let other =
        r#"{"schedules": [{"name": "root's", "schedule": "@daily", "command": "SELECT 2"}]}"#;
    let error = refused(&mut member, &format!("SELECT cdp.apply($doc${other}$doc$)"));
    assert_eq!(error.code().code(), "42501", "{error:?}");
    let mine = r#"{"name": "mine", "schedule": "@daily", "command": "SELECT 3"}"#;
    let error = refused(
        &mut member,
        &format!(r#"SELECT cdp.apply('{{"schedules": [{mine}]}}')"#),
    );
    assert_eq!(error.code().code(), "42501", "{error:?}");
    let both = other
        .replace("SELECT 2", "SELECT 1")
        .replace("[", &format!("[{mine}, "));
    assert_eq!(apply(&mut member, &both), ["create | schedule | mine"]);
    assert_eq!(
        lines(
            &mut c,
            "SELECT name, owner::text FROM cdp.jobs ORDER BY name"
        ),
        ["mine | config_member", "root's | postgres"]
    );
    run(
        &mut c,
        "SELECT cdp.apply('{\"schedules\": []}'); DROP OWNED BY config_member, config_reader;
         DROP ROLE config_member, config_reader",
    );
}

// ------------------------------------------------------------------------------------ operation

#[test]
fn the_status_says_what_to_do() {
    let db = bare_db();
    let mut c = db.connect();
    run(&mut c, "CREATE EXTENSION pg_cdp");
    let state = "SELECT value, advice FROM cdp.status() WHERE item = 'state'";
    assert_eq!(
        lines(&mut c, state),
        ["not initialised | run SELECT cdp.init();"]
    );
    let error = refused(&mut c, "SELECT cdp.create_trait('x', 'text')");
    assert_eq!(
        (error.code().code(), error.hint()),
        ("55000", Some("Run SELECT cdp.init();"))
    );

    run(&mut c, "SELECT cdp.init()");
    assert_eq!(lines(&mut c, state), ["ready | "]);
    let item = |name: &str| format!("SELECT value, advice FROM cdp.status() WHERE item = '{name}'");
    assert_eq!(lines(&mut c, &item("queue")), ["0 | "]);
    assert_eq!(lines(&mut c, &item("last batch")), ["none yet | "]);
    assert_eq!(lines(&mut c, &item("dead letters")), ["none | "]);

    assert_eq!(
        text(&mut c, "SELECT cdp.pause('a move')"),
        "paused: messages are taken in and wait for cdp.resume()"
    );
    assert!(text(&mut c, "SELECT cdp.pause()").starts_with("already paused by postgres since "));
    assert_eq!(lines(&mut c, state), ["paused | run SELECT cdp.resume();"]);
    let paused = text(
        &mut c,
        "SELECT value FROM cdp.status() WHERE item = 'paused'",
    );
    assert!(
        paused.starts_with("by postgres since ") && paused.ends_with(": a move"),
        "{paused}"
    );
    run(
        &mut c,
        "INSERT INTO cdp.inbox (message) VALUES ('{}'), ('{}'), (NULL)",
    );
    assert_eq!(
        refused(&mut c, "SELECT cdp.process()").code().code(),
        "55000"
    );
    assert_eq!(lines(&mut c, &item("queue")), ["3 | "]);
    assert_ne!(lines(&mut c, &item("oldest waiting")), ["- | "]);
    // Rules can change while processing is paused.
    run(&mut c, "SELECT cdp.create_trait('x', 'text')");

    assert!(text(&mut c, "SELECT cdp.resume()").starts_with("resumed; it was paused by postgres"));
    assert_eq!(text(&mut c, "SELECT cdp.resume()"), "not paused");
    process(&mut c);
    assert_eq!(lines(&mut c, &item("queue")), ["0 | "]);
    let dead = lines(&mut c, &item("dead letters"));
    assert!(
        dead[0].starts_with("3, 3 in 24 hours, the newest: "),
        "{dead:?}"
    );
    assert!(dead[0].contains("cdp.retry_dead_letters()"), "{dead:?}");
    let messages = lines(&mut c, &item("messages"));
    assert_eq!(
        messages,
        ["3 read, 0 accepted, 0 duplicates, 3 rejected | "]
    );

    let mut holder = db.connect();
    run(
        &mut holder,
        "BEGIN; LOCK cdp.pipeline_lock IN SHARE ROW EXCLUSIVE MODE",
    );
    let lock = text(
        &mut c,
        "SELECT value FROM cdp.status() WHERE item = 'pipeline lock'",
    );
    assert!(
        lock.contains("(postgres)") && lock.contains("LOCK cdp.pipeline_lock"),
        "{lock}"
    );
    run(&mut holder, "ROLLBACK");
}

#[test]
fn the_status_works_on_a_standby_and_without_preload() {
    let server = Server::start(ServerOptions {
        preload: false,
        settings: &[],
    });
    server.create_cdp_db("app");
    let mut c = server.connect("app");
    let workers = text(
        &mut c,
        "SELECT advice FROM cdp.status() WHERE item = 'worker'",
    );
    assert!(
        workers.contains("not preloaded: CALL cdp.process_all();"),
        "{workers}"
    );
    let standby = server.backup_to_standby();
    server.wait_for_standby(&standby);
    let mut s = standby.connect("app");
    assert_eq!(
        text(
            &mut s,
            "SELECT value FROM cdp.status() WHERE item = 'state'"
        ),
        "standby: read-only, as the primary left it"
    );
    assert_eq!(
        text(&mut s, "SELECT cdp.config()::text"),
        text(&mut c, "SELECT cdp.config()::text")
    );
    for sql in ["SELECT cdp.create_trait('x', 'text')", "SELECT cdp.pause()"] {
        let error = refused(&mut s, sql);
        assert_eq!(
            (error.code().code(), error.hint()),
            ("25006", Some("Run it on the primary.")),
            "{sql}"
        );
    }
}

#[test]
fn a_copy_waits_and_says_so() {
    let (_db, mut c) = started();
    run(&mut c, "UPDATE cdp.installation SET database_oid = 1");
    assert_eq!(
        lines(
            &mut c,
            "SELECT advice FROM cdp.status() WHERE item = 'state'"
        ),
        ["run SELECT cdp.start(); to let this server process messages"]
    );
    run(
        &mut c,
        "UPDATE cdp.installation SET schema_version = 1000000",
    );
    assert_eq!(
        lines(&mut c, "SELECT item, advice FROM cdp.status()"),
        [
            "state | install the newer pg_cdp on this server",
            "version | "
        ]
    );
    assert_eq!(
        refused(&mut c, "SELECT cdp.config()").code().code(),
        "55000"
    );
}

#[test]
fn dead_letters_are_retried_once() {
    let (_db, mut c) = started();
    accept(
        &mut c,
        "shop",
        r#"{"type": "identify", "userId": "u1", "traits": {"plan": "gold"}}"#,
    );
    accept(&mut c, "shop", r#"{"type": "identify", "userId": "u2"}"#);
    accept(&mut c, "default", "no json");
    let dead = "SELECT source, reason, (retried_at IS NOT NULL)::text FROM cdp.dead_letter ORDER BY dead_letter_id";
    assert_eq!(lines(&mut c, dead).len(), 3);
    let retry = |c: &mut Client, arguments: &str| {
        let count = text(
            c,
            &format!("SELECT cdp.retry_dead_letters({arguments})::text"),
        );
        process(c);
        count
    };
    assert_eq!(retry(&mut c, "since => now() + interval '1 hour'"), "0");
    assert_eq!(retry(&mut c, "'no_such_reason'"), "0");
    run(&mut c, "SELECT cdp.create_source('shop')");
    let received = text(&mut c, "SELECT min(received_at)::text FROM cdp.dead_letter");
    assert_eq!(retry(&mut c, "'unknown_source', source => 'shop'"), "2");
    assert_eq!(
        text(
            &mut c,
            "SELECT extra::text FROM cdp.profiles WHERE extra <> '{}'"
        ),
        r#"{"plan": "gold"}"#
    );
    assert_eq!(
        text(&mut c, "SELECT min(received_at)::text FROM cdp.messages"),
        received
    );
    assert_eq!(retry(&mut c, "source => 'shop'"), "0");
    // One that is rejected again is a dead letter of its own.
    assert_eq!(retry(&mut c, ""), "1");
    let last = lines(&mut c, dead);
    assert_eq!(last.len(), 4);
    assert!(
        last[2].ends_with("true") && last[3].ends_with("false"),
        "{last:?}"
    );
}

#[test]
fn every_function_has_a_comment_and_none_is_for_public() {
    let (_db, mut c) = started();
    let functions = "SELECT p.oid::regprocedure::text FROM pg_proc p
                      WHERE p.pronamespace = 'cdp'::regnamespace AND ";
    assert_eq!(
        lines(
            &mut c,
            &format!(
                "{functions} obj_description(p.oid, 'pg_proc') IS NULL AND p.prorettype <> 'trigger'::regtype"
            )
        ),
        [""; 0]
    );
    run(&mut c, "CREATE ROLE config_nobody");
    assert_eq!(
        lines(
            &mut c,
            &format!("{functions} has_function_privilege('config_nobody', p.oid, 'EXECUTE')")
        ),
        [""; 0]
    );
    run(&mut c, "DROP ROLE config_nobody");
}

#[test]
fn the_examples_of_the_guide_run() {
    let (_db, mut c) = started();
    let guide = include_str!("../../../docs/configuration.md");
    let mut examples = 0;
    for block in guide.split("\n```sql\n").skip(1) {
        let example = block.split("\n```").next().unwrap_or_default();
        run(&mut c, example);
        examples += 1;
    }
    assert!(examples > 10, "{examples}");
}
