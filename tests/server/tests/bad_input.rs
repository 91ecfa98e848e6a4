//! Input that is wrong in every way: nothing is lost, nothing breaks, and what is good beside it lands.

use cdp_server_tests::sql::{column, describe, fails, one, run};
use cdp_server_tests::{Client, TestDb, fresh_db};

/// Stops whatever would process the inbox but the test.
fn quiet() -> (TestDb, Client) {
    let db = fresh_db();
    let mut client = db.connect();
    run(&mut client, "SET jit = off");
    (db, client)
}

fn send(client: &mut Client, source: Option<&str>, text: Option<&str>) {
    client
        .execute(
            "INSERT INTO cdp.inbox (source, message) VALUES ($1, $2)",
            &[&source, &text],
        )
        .unwrap_or_else(|e| panic!("{}", describe(&e)));
}

/// Processes until nothing waits: by this session or a worker, whoever is first.
fn drain(client: &mut Client) {
    while one::<i64>(client, "SELECT cdp.process()") > 0 {}
}

fn nested(depth: usize) -> String {
    format!("{}{}", "[".repeat(depth), "]".repeat(depth))
}

fn track(rest: &str) -> String {
    format!(r#"{{"type":"track","event":"e","userId":"u1"{rest}}}"#)
}

/// Each bad message, and the reason that its dead letter gives.
fn bad() -> Vec<(Option<String>, &'static str)> {
    let text = |text: &str| Some(text.to_owned());
    let long = "x".repeat(2_000);
    vec![
        (None, "not_json"),
        (text(""), "not_json"),
        (text("   "), "not_json"),
        (text("hello"), "not_json"),
        (text("{"), "not_json"),
        (
            text(r#"{"type":"track","event":"e","userId":"u1"} {}"#),
            "not_json",
        ),
        (text("{'type':'track'}"), "not_json"),
        (text("NaN"), "not_json"),
        (text("\u{feff}{}"), "not_json"),
        (text("[]"), "not_an_object"),
        (text("null"), "not_an_object"),
        (text("12"), "not_an_object"),
        (text(r#""track""#), "not_an_object"),
        (text("{}"), "missing_field"),
        (text(r#"{"type":null,"userId":"u1"}"#), "missing_field"),
        (
            text(r#"{"type":"TRACK","event":"e","userId":"u1"}"#),
            "unknown_type",
        ),
        (
            text(r#"{"type":["track"],"event":"e","userId":"u1"}"#),
            "wrong_type",
        ),
        (text(r#"{"type":"track","userId":"u1"}"#), "missing_field"),
        (
            text(r#"{"type":"track","event":" ","userId":"u1"}"#),
            "missing_field",
        ),
        (
            text(r#"{"type":"track","event":5,"userId":"u1"}"#),
            "wrong_type",
        ),
        (text(r#"{"type":"group","userId":"u1"}"#), "missing_field"),
        (text(r#"{"type":"alias","userId":"u1"}"#), "missing_field"),
        (text(r#"{"type":"track","event":"e"}"#), "no_identifier"),
        (
            text(r#"{"type":"track","event":"e","userId":" "}"#),
            "no_identifier",
        ),
        (
            text(r#"{"type":"identify","traits":{"email":"not an address"}}"#),
            "no_identifier",
        ),
        (
            text(r#"{"type":"track","event":"e","userId":{"id":1}}"#),
            "wrong_type",
        ),
        (
            text(r#"{"type":"track","event":"e","userId":true}"#),
            "wrong_type",
        ),
        (Some(track(r#","identifiers":"u2""#)), "wrong_type"),
        (
            Some(track(r#","identifiers":{"email":{"a":1}}"#)),
            "wrong_type",
        ),
        (Some(track(r#","properties":"p""#)), "wrong_type"),
        (Some(track(r#","context":[1]"#)), "wrong_type"),
        (
            text(r#"{"type":"identify","userId":"u1","traits":7}"#),
            "wrong_type",
        ),
        (
            Some(format!(
                r#"{{"type":"track","event":"e","userId":"{long}"}}"#
            )),
            "no_identifier",
        ),
        (
            Some(track(&format!(r#","messageId":"{long}""#))),
            "too_long",
        ),
        (
            Some(format!(
                r#"{{"type":"track","event":"{long}","userId":"u1"}}"#
            )),
            "too_long",
        ),
        (
            Some(track(r#","properties":{"a":"\u0000"}"#)),
            "not_storable",
        ),
        (Some(track(r#","properties":{"\u0000":1}"#)), "not_storable"),
        (
            Some(track(r#","properties":{"a":"\ud800"}"#)),
            "not_storable",
        ),
        (
            Some(track(r#","properties":{"a":"\udc00\ud800"}"#)),
            "not_storable",
        ),
        (
            Some(track(r#","properties":{"a":"\ud800\u0041"}"#)),
            "not_storable",
        ),
        (
            Some(track(r#","properties":{"a":1e200000}"#)),
            "not_storable",
        ),
        (
            Some(track(&format!(
                r#","properties":{{"a":1{}}}"#,
                "0".repeat(200_000)
            ))),
            "not_storable",
        ),
        (
            Some(track(r#","properties":{"a":1e-20000}"#)),
            "not_storable",
        ),
        (
            Some(track(&format!(
                r#","properties":[{}]"#,
                ["1e131000"; 10_000].join(",")
            ))),
            "too_large",
        ),
        (
            Some(track(&format!(
                r#","properties":{{"a":{}}}"#,
                nested(5_000)
            ))),
            "too_deep",
        ),
        (
            Some(track(&format!(
                r#","properties":{{"a":{}}}"#,
                nested(100_000)
            ))),
            "too_deep",
        ),
        (Some("[".repeat(1_000_000)), "too_deep"),
        (
            Some(track(r#","timestamp":"10000-01-01T00:00:00Z""#)),
            "bad_timestamp",
        ),
        (
            Some(track(r#","timestamp":"1899-12-31T23:59:59Z""#)),
            "bad_timestamp",
        ),
        (Some(track(r#","timestamp":"yesterday""#)), "bad_timestamp"),
        (Some(track(r#","timestamp":"2024-02-30""#)), "bad_timestamp"),
        (Some(track(r#","timestamp":1e300"#)), "bad_timestamp"),
        (Some(track(r#","timestamp":{}"#)), "wrong_type"),
        (Some(track(r#","sentAt":"soon""#)), "bad_timestamp"),
    ]
}

#[test]
fn every_bad_message_is_kept_with_its_reason_and_the_good_beside_it_land() {
    let (_db, mut client) = quiet();
    let bad = bad();
    run(&mut client, "BEGIN");
    for (n, (text, _)) in bad.iter().enumerate() {
        let good =
            format!(r#"{{"type":"track","event":"good","userId":"g{n}","messageId":"g{n}"}}"#);
        send(&mut client, None, Some(&good));
        send(&mut client, None, text.as_deref());
    }
    send(&mut client, Some("nowhere"), Some(&track("")));
    send(&mut client, Some(""), Some(&track("")));
    run(&mut client, "COMMIT");
    drain(&mut client);

    let good: i64 = one(
        &mut client,
        "SELECT count(*) FROM cdp.events WHERE name = 'good'",
    );
    assert_eq!(good as usize, bad.len());
    let all: i64 = one(&mut client, "SELECT count(*) FROM cdp.events");
    assert_eq!(all, good, "only the good ones were accepted");
    let letters: Vec<(String, Option<String>)> = client
        .query(
            "SELECT reason, message FROM cdp.dead_letter ORDER BY inbox_id",
            &[],
        )
        .unwrap()
        .iter()
        .map(|row| (row.get(0), row.get(1)))
        .collect();
    assert_eq!(letters.len(), bad.len() + 2);
    for ((text, expected), (reason, kept)) in bad.iter().zip(&letters) {
        let shown: String = text
            .as_deref()
            .unwrap_or("NULL")
            .chars()
            .take(100)
            .collect();
        assert_eq!(reason, expected, "{shown}");
        assert_eq!(kept, text, "{shown}: the whole text is kept");
    }
    for (reason, _) in &letters[bad.len()..] {
        assert_eq!(reason, "unknown_source");
    }
    // By code, not by an exception of the database: no batch was halved for these.
    assert_eq!(
        column::<String>(
            &mut client,
            "SELECT detail FROM cdp.dead_letter WHERE reason = 'failed'"
        ),
        Vec::<String>::new()
    );
}

#[test]
fn unusual_messages_are_accepted_whole() {
    let (_db, mut client) = quiet();
    let many: Vec<String> = (0..500).map(|n| format!("\"many{n}@x.org\"")).collect();
    let big = "é".repeat(5_000_000);
    let cases = [
        (
            "deep",
            track(&format!(r#","properties":{{"a":{}}}"#, nested(1_000))),
        ),
        (
            "deepest",
            track(&format!(r#","properties":{{"a":{}}}"#, nested(1_998))),
        ),
        (
            "deep trait",
            format!(
                r#"{{"type":"identify","userId":"u1","traits":{{"a":{}}}}}"#,
                nested(1_000)
            ),
        ),
        (
            "deep context trait",
            track(&format!(
                r#","context":{{"traits":{{"a":{}}}}}"#,
                nested(500)
            )),
        ),
        ("10 MB", track(&format!(r#","properties":{{"a":"{big}"}}"#))),
        (
            "10 MB trait",
            format!(r#"{{"type":"identify","userId":"u1","traits":{{"big":"{big}"}}}}"#),
        ),
        (
            "large number",
            track(r#","properties":{"a":1e400,"b":-1e131000,"c":1e-16000}"#),
        ),
        (
            "large trait",
            r#"{"type":"identify","userId":"u1","traits":{"n":1e131000}}"#.to_owned(),
        ),
        (
            "keys twice",
            track(r#","properties":{"a":1,"a":2},"x":1,"x":2"#),
        ),
        (
            "500 identifiers",
            track(&format!(
                r#","identifiers":{{"email":[{}]}}"#,
                many.join(",")
            )),
        ),
        (
            "surrogates",
            track(r#","properties":{"a":"\ud83d\ude00","\u0001":"\u001f"}"#),
        ),
        ("epoch", track(r#","timestamp":0"#)),
        (
            "last second",
            track(r#","timestamp":"9999-12-31T23:59:59.999999Z""#),
        ),
        (
            "first second",
            track(r#","timestamp":"1900-01-01T00:00:00Z""#),
        ),
        ("no timestamp", track(r#","timestamp":null"#)),
        (
            "wild clock",
            track(r#","timestamp":"1901-01-01","sentAt":"9999-01-01""#),
        ),
        (
            "empty name",
            r#"{"type":"page","userId":"u1","name":""}"#.to_owned(),
        ),
        (
            "number as id",
            r#"{"type":"track","event":"e","userId":12345678901234567890123}"#.to_owned(),
        ),
        (
            "php",
            track(r#","properties":[],"context":[],"identifiers":[]"#),
        ),
        ("empty key", track(r#","":{"":""}"#)),
        (
            "own columns",
            track(r#","event_id":1,"set_id":"x","__proto__":{}"#),
        ),
    ];
    for (_, text) in &cases {
        send(&mut client, None, Some(text));
    }
    drain(&mut client);
    let letters: Vec<String> = column(
        &mut client,
        "SELECT concat_ws(' ', inbox_id, reason, detail) FROM cdp.dead_letter",
    );
    assert_eq!(letters, Vec::<String>::new());
    let stored: i64 = one(
        &mut client,
        "SELECT (SELECT count(*) FROM cdp.events) + (SELECT count(*) FROM cdp.messages)",
    );
    assert_eq!(stored as usize, cases.len());
    // What was accepted can be derived anew, and read.
    run(&mut client, "SELECT cdp.rebuild()");
    run(
        &mut client,
        "SELECT cdp.profile(cdp.resolve('user_id', 'u1'))",
    );
    run(
        &mut client,
        "SELECT length(string_agg(e::text, '')) FROM cdp.events e",
    );
    let five_hundred: i64 = one(
        &mut client,
        "SELECT count(*) FROM cdp.identifiers WHERE value LIKE 'many%'",
    );
    assert_eq!(five_hundred, 500);
    assert_eq!(
        one::<String>(
            &mut client,
            "SELECT properties ->> 'a' FROM cdp.events WHERE rest ? 'x'"
        ),
        "2"
    );
}

#[test]
fn a_bad_identifier_is_reported_and_the_good_beside_it_kept() {
    let (_db, mut client) = quiet();
    let long = "é".repeat(513);
    let fits = "é".repeat(512);
    for text in [
        format!(r#"{{"type":"track","event":"e","userId":"{long}","anonymousId":"k1"}}"#),
        format!(r#"{{"type":"track","event":"e","userId":"{fits}","anonymousId":"k1"}}"#),
        r#"{"type":"identify","userId":"u1","traits":{"email":"nobody at all","phone":"12"}}"#
            .to_owned(),
    ] {
        send(&mut client, None, Some(&text));
    }
    drain(&mut client);
    let letters: i64 = one(&mut client, "SELECT count(*) FROM cdp.dead_letter");
    assert_eq!(letters, 0);
    let issues: Vec<String> = column(
        &mut client,
        "SELECT name || ' ' || count FROM cdp.value_issues WHERE kind = 'identifier' ORDER BY 1",
    );
    assert_eq!(issues, ["email 1", "phone 1", "user_id 1"]);
    let kept: Vec<String> = column(
        &mut client,
        "SELECT type || ' ' || length(value) FROM cdp.profile_identifiers ORDER BY type COLLATE \"C\", length(value)",
    );
    assert_eq!(
        kept,
        ["anonymous_id 2", "user_id 2", "user_id 512"].map(String::from)
    );
}

#[test]
fn a_value_that_does_not_fit_its_trait_is_kept_and_reported() {
    let (_db, mut client) = quiet();
    run(
        &mut client,
        "SELECT cdp.create_trait('age', 'bigint'); SELECT cdp.create_trait('born', 'date')",
    );
    for text in [
        r#"{"type":"identify","userId":"u1","timestamp":"2024-01-01","traits":{"age":40,"born":"1984-02-29"}}"#,
        r#"{"type":"identify","userId":"u1","timestamp":"2024-01-02","traits":{"age":"old","born":"1985-02-29"}}"#,
        r#"{"type":"identify","userId":"u1","timestamp":"2024-01-03","traits":{"age":99999999999999999999}}"#,
        r#"{"type":"identify","userId":"u1","timestamp":"2024-01-04","traits":{"age":null}}"#,
    ] {
        send(&mut client, None, Some(text));
    }
    drain(&mut client);
    let shown: String = one(
        &mut client,
        "SELECT concat_ws(' ', age, born, extra) FROM cdp.profiles",
    );
    assert_eq!(
        shown,
        r#"40 1984-02-29 {"age": "99999999999999999999", "born": "1985-02-29"}"#
    );
    let issues: Vec<String> = column(
        &mut client,
        "SELECT concat_ws(' ', name, sum(count)) FROM cdp.value_issues WHERE kind = 'trait' \
         GROUP BY name ORDER BY 1",
    );
    assert_eq!(issues, ["age 2", "born 1"]);
}

/// What is only found out while a batch is applied costs that message, not its neighbours.
#[test]
fn a_message_that_fails_alone_is_isolated() {
    let (_db, mut client) = quiet();
    // A constraint of somebody's, which no check of ours foresees.
    run(
        &mut client,
        "ALTER TABLE cdp.events ADD CONSTRAINT theirs CHECK (name <> 'forbidden')",
    );
    run(&mut client, "BEGIN");
    for n in 0..40 {
        let name = if n == 7 || n == 31 {
            "forbidden"
        } else {
            "fine"
        };
        let text =
            format!(r#"{{"type":"track","event":"{name}","userId":"u{n}","messageId":"m{n}"}}"#);
        send(&mut client, None, Some(&text));
    }
    run(&mut client, "COMMIT");
    drain(&mut client);
    assert_eq!(
        one::<i64>(&mut client, "SELECT count(*) FROM cdp.events"),
        38
    );
    let letters: Vec<String> = column(
        &mut client,
        "SELECT reason || ' ' || (message::jsonb ->> 'messageId') FROM cdp.dead_letter ORDER BY inbox_id",
    );
    assert_eq!(letters, ["failed m7", "failed m31"]);
    let keys: i64 = one(&mut client, "SELECT count(*) FROM cdp.message_keys");
    assert_eq!(keys, 38, "what failed can be sent again");
    let nobody: i64 = one(
        &mut client,
        "SELECT count(*) FROM cdp.identifiers WHERE value IN ('u7', 'u31')",
    );
    assert_eq!(nobody, 0);
}

#[test]
fn functions_refuse_what_cannot_be_a_message() {
    let (_db, mut client) = quiet();
    for (sql, code) in [
        ("SELECT cdp.ingest(NULL)", "22004"),
        ("SELECT cdp.ingest('null')", "22023"),
        ("SELECT cdp.ingest('5')", "22023"),
        ("SELECT cdp.ingest('\"track\"')", "22023"),
        ("SELECT cdp.ingest('not json')", "22P02"),
        ("SELECT cdp.track('e', traits => '{}')", "42883"),
        ("SELECT cdp.process(0)", "22023"),
        ("SELECT cdp.process(-1)", "22023"),
        ("SELECT cdp.resolve('shoe_size', '44')", "42704"),
    ] {
        let (found, said) = fails(&mut client, sql);
        assert_eq!(found, code, "{sql}: {said}");
    }
    assert_eq!(one::<i64>(&mut client, "SELECT cdp.ingest('[]')"), 0);
    // What is missing is found by the one who knows the rules: the pipeline.
    for sql in [
        "SELECT cdp.track(NULL, user_id => 'u1')",
        "SELECT cdp.track('', user_id => 'u1')",
        "SELECT cdp.track('e')",
        "SELECT cdp.track('e', user_id => '')",
        "SELECT cdp.identify()",
        "SELECT cdp.identify(traits => 'null')",
        "SELECT cdp.identify(user_id => 'u1', traits => '[1]')",
        "SELECT cdp.page()",
        "SELECT cdp.screen(NULL)",
        "SELECT cdp.\"group\"(NULL, user_id => 'u1')",
        "SELECT cdp.alias(NULL, 'u1')",
        "SELECT cdp.alias('', '')",
        "SELECT cdp.ingest('[1, null, \"x\", []]')",
        "SELECT cdp.track('e', user_id => 'u1', \"timestamp\" => 'infinity')",
        "SELECT cdp.track('e', user_id => 'u1', \"timestamp\" => '4000-01-01 BC')",
        "SELECT cdp.track('e', user_id => 'u1', source => 'nowhere')",
        "SELECT cdp.track('e', user_id => 'u1', message_id => repeat('x', 2000))",
    ] {
        run(&mut client, sql);
    }
    drain(&mut client);
    assert_eq!(
        one::<i64>(&mut client, "SELECT count(*) FROM cdp.events"),
        0
    );
    let letters: i64 = one(&mut client, "SELECT count(*) FROM cdp.dead_letter");
    assert_eq!(letters, 16 + 4);
}

/// A batch is bounded in bytes too: large messages do not add up to a fault.
#[test]
fn many_large_messages_are_read_in_parts() {
    let (_db, mut client) = quiet();
    run(
        &mut client,
        "INSERT INTO cdp.inbox (message) \
         SELECT json_build_object('type', 'track', 'event', 'e', 'userId', 'u' || g, \
                    'properties', json_build_object('a', repeat('x', 12000000)))::text \
         FROM generate_series(1, 14) g",
    );
    let mut parts = Vec::new();
    loop {
        match one::<i64>(&mut client, "SELECT cdp.process()") {
            0 => break,
            read => parts.push(read),
        }
    }
    let stored: i64 = one(&mut client, "SELECT count(*) FROM cdp.events");
    assert_eq!(stored, 14);
    assert!(
        parts.len() <= 1 || parts.iter().all(|&read| read <= 6),
        "{parts:?}"
    );
}

/// Names and values are never read as SQL.
#[test]
fn nothing_is_injected() {
    let (_db, mut client) = quiet();
    let hostile = r#"'); DROP TABLE cdp.events; -- \" $1 %s {} \\"#;
    let json = hostile.replace('\\', "\\\\").replace('"', "\\\"");
    let text = format!(
        r#"{{"type":"track","event":"{json}","userId":"{json}","properties":{{"{json}":"{json}"}},"context":{{"traits":{{"{json}":"{json}"}}}},"{json}":"{json}","messageId":"{json}"}}"#
    );
    send(&mut client, None, Some(&text));
    send(&mut client, Some(hostile), Some(&text));
    drain(&mut client);
    let found = client
        .query_one(
            "SELECT cdp.resolve('user_id', $1) IS NOT NULL, (SELECT count(*) FROM cdp.events WHERE name = $1), \
             (SELECT count(*) FROM cdp.dead_letter WHERE source = $1)",
            &[&hostile],
        )
        .unwrap();
    assert_eq!(
        (
            found.get::<_, bool>(0),
            found.get::<_, i64>(1),
            found.get::<_, i64>(2)
        ),
        (true, 1, 1)
    );
}

/// JSON is UTF-8, and so must be what it is kept in: said at once, not at the first accent.
#[test]
fn a_database_in_another_encoding_is_refused() {
    let db = fresh_db();
    let mut client = db.connect();
    for encoding in ["LATIN1", "SQL_ASCII"] {
        let name = format!("{}_{}", db.name, encoding.to_lowercase());
        run(
            &mut client,
            &format!("CREATE DATABASE {name} TEMPLATE template0 ENCODING '{encoding}' LOCALE 'C'"),
        );
        let mut there = db.server().connect(&name);
        run(&mut there, "CREATE EXTENSION pg_cdp");
        let (code, said) = fails(&mut there, "SELECT cdp.init()");
        assert_eq!(code, "0A000", "{said}");
        assert!(said.contains(encoding), "{said}");
        drop(there);
        run(&mut client, &format!("DROP DATABASE {name}"));
    }
}

#[test]
fn an_identifier_of_no_declared_type_is_reported_and_the_rest_stands() {
    let (_db, mut client) = quiet();
    run(
        &mut client,
        "SELECT cdp.track('Seen', 'v1', identifiers => '{\"emial\": [\"a@example.com\", 7], \"phone\": null}'); \
         SELECT cdp.track('Seen', identifiers => '{\"emial\": \"b@example.com\"}')",
    );
    drain(&mut client);
    assert_eq!(
        column::<String>(
            &mut client,
            "SELECT concat_ws(' ', kind, name, reason, count, sample) FROM cdp.value_issues"
        ),
        ["identifier emial undeclared_type 2 a@example.com"]
    );
    assert_eq!(
        column::<String>(
            &mut client,
            "SELECT reason || ': ' || detail FROM cdp.dead_letter"
        ),
        ["no_identifier: the message shows no identifier of a declared type; not declared: emial"]
    );
    // Once it is declared, the dead letter is good.
    run(
        &mut client,
        "SELECT cdp.create_identifier_type('emial', normaliser => 'email', priority => 40); SELECT cdp.retry_dead_letters()",
    );
    drain(&mut client);
    assert_eq!(
        one::<i64>(&mut client, "SELECT count(*) FROM cdp.profiles"),
        2
    );
}

#[test]
fn before_and_outside_of_what_they_need_calls_say_what_to_do() {
    let db = cdp_server_tests::bare_db();
    let mut client = db.connect();
    run(&mut client, "CREATE EXTENSION pg_cdp");
    for call in [
        "SELECT cdp.track('Seen', 'u1')",
        "SELECT cdp.ingest('[]')",
        "SELECT cdp.resolve('email', 'a@example.com')",
    ] {
        let (code, message) = fails(&mut client, call);
        assert_eq!(code, "55000", "{call}: {message}");
    }
    assert_eq!(
        one::<String>(&mut client, "SELECT cdp.start()"),
        one::<String>(
            &mut client,
            "SELECT 'installed: schema version ' || schema_version FROM cdp.installation"
        )
    );
    for call in ["CALL cdp.process_all()", "CALL cdp.run_due_jobs()"] {
        run(&mut client, "BEGIN");
        assert_eq!(fails(&mut client, call).0, "25001", "{call}");
        run(&mut client, "ROLLBACK");
    }
    // Neither members of the owner role nor those who may make roles can install.
    run(
        &mut client,
        "CREATE ROLE half_admin LOGIN CREATEROLE IN ROLE cdp_owner",
    );
    let mut half = db.connect_as("half_admin");
    for call in ["SELECT cdp.init()", "SELECT cdp.start()"] {
        assert_eq!(fails(&mut half, call).0, "42501", "{call}");
    }
}

#[test]
fn a_key_that_is_not_unique_is_warned_of() {
    let db = fresh_db();
    let mut client = db.connect();
    run(
        &mut client,
        "CREATE TABLE loose (id int, mail text); CREATE UNIQUE INDEX ON loose (mail) WHERE id > 0; \
         CREATE TABLE sound (id int, part int, mail text, UNIQUE (id))",
    );
    let warnings = |table: &str| {
        let mapped = db
            .server()
            .client_command("psql", &db.name)
            .args(["-X", "-q", "-c"])
            .arg(format!(
                "SELECT cdp.map_table('{table}', '{table}', '{{\"key\": [\"id\", \"mail\"], \"email\": \"mail\"}}')"
            ))
            .output()
            .unwrap();
        assert!(mapped.status.success(), "{mapped:?}");
        String::from_utf8(mapped.stderr).unwrap()
    };
    assert!(warnings("loose").contains(
        "WARNING:  no unique index of public.loose covers its key (id, mail): of rows with one key only the last counts"
    ));
    assert_eq!(warnings("sound"), "");
}
