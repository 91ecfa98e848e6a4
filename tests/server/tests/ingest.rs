//! What sources say, and what becomes of it: calls of the Segment spec, times, unknown fields, copies.

use cdp_server_tests::sql::{column, fails, one, run};
use cdp_server_tests::{Client, Server, ServerOptions};

/// A database on which only the test processes anything.
fn quiet() -> (Server, Client) {
    let server = Server::start(ServerOptions {
        preload: true,
        settings: &[("cdp.workers", "off")],
    });
    server.create_cdp_db("app");
    let client = server.connect("app");
    (server, client)
}

fn send(client: &mut Client, source: Option<&str>, texts: &[&str]) {
    for text in texts {
        client
            .execute(
                "INSERT INTO cdp.inbox (source, message, received_at) VALUES ($1, $2, '2024-03-01 12:00:00Z')",
                &[&source, text],
            )
            .expect("the inbox takes everything");
    }
}

/// Batches until nothing waits; what the ledger counted: accepted, duplicates, rejected.
fn drain(client: &mut Client) -> (i64, i64, i64) {
    let before: i64 = one(client, "SELECT max(batch_id) FROM cdp.batches");
    while one::<i64>(client, "SELECT cdp.process()") > 0 {}
    let counted = client
        .query_one(
            "SELECT coalesce(sum(accepted), 0)::bigint, coalesce(sum(duplicates), 0)::bigint, \
                    coalesce(sum(rejected), 0)::bigint FROM cdp.batches WHERE batch_id > $1",
            &[&before],
        )
        .expect("a ledger");
    (counted.get(0), counted.get(1), counted.get(2))
}

fn nobody_complained(client: &mut Client) {
    let letters: Vec<String> = column(
        client,
        "SELECT concat_ws(' ', reason, detail, message) FROM cdp.dead_letter",
    );
    assert_eq!(letters, Vec::<String>::new());
}

#[test]
fn every_call_of_the_spec_is_stored_whole() {
    let (_server, mut client) = quiet();
    send(
        &mut client,
        None,
        &[
            r#"{"type":"identify","userId":"u1","traits":{"email":"a@x.org","name":"Ana"},"integrations":{"All":false}}"#,
            r#"{"type":"track","userId":"u1","event":"Order Completed","properties":{"total":12.50,"products":[{"sku":"a"}]},"version":2}"#,
            r#"{"type":"page","userId":"u1","name":"Home","category":"Docs","properties":{"url":"https://x.org"}}"#,
            r#"{"type":"page","userId":"u1"}"#,
            r#"{"type":"screen","anonymousId":"k1","name":"Main","context":{"device":{"id":"d1"},"ip":"10.0.0.1"}}"#,
            r#"{"type":"group","userId":"u1","groupId":"acme","traits":{"email":"sales@acme.org","plan":"pro"}}"#,
            r#"{"type":"alias","userId":"u1","previousId":"u0"}"#,
        ],
    );
    assert_eq!(drain(&mut client), (7, 0, 0));
    let events: Vec<String> = column(
        &mut client,
        "SELECT concat_ws(' | ', type, name, properties, context, rest - 'type') FROM cdp.events ORDER BY event_id",
    );
    assert_eq!(
        events,
        [
            r#"track | Order Completed | {"total": 12.50, "products": [{"sku": "a"}]} | {"userId": "u1", "version": 2}"#,
            r#"page | Home | {"url": "https://x.org"} | {"userId": "u1", "category": "Docs"}"#,
            r#"page | {"userId": "u1"}"#,
            r#"screen | Main | {"ip": "10.0.0.1", "device": {"id": "d1"}} | {"anonymousId": "k1"}"#,
        ]
    );
    let messages: Vec<String> = column(
        &mut client,
        "SELECT concat_ws(' | ', type, traits, rest - 'type') FROM cdp.messages ORDER BY event_id",
    );
    assert_eq!(
        messages,
        [
            r#"identify | {"name": "Ana", "email": "a@x.org"} | {"userId": "u1", "integrations": {"All": false}}"#,
            r#"group | {"plan": "pro", "email": "sales@acme.org"} | {"userId": "u1", "groupId": "acme"}"#,
            r#"alias | {"userId": "u1", "previousId": "u0"}"#,
        ]
    );
    // A group's e-mail is not the person's; user_id is unique, so an alias joins nobody by itself.
    let people: Vec<String> = column(
        &mut client,
        "SELECT string_agg(type || ':' || value, ' ' ORDER BY type COLLATE \"C\", value) FROM cdp.profile_identifiers \
         GROUP BY profile_id ORDER BY 1",
    );
    assert_eq!(
        people,
        [
            "anonymous_id:k1 device_id:d1",
            "email:a@x.org user_id:u1",
            "user_id:u0"
        ]
    );
    nobody_complained(&mut client);
}

#[test]
fn functions_say_the_same_as_messages() {
    let (_server, mut client) = quiet();
    let at = "\"timestamp\" => '2024-02-01 10:00:00+00'";
    let calls = [
        format!(
            "SELECT cdp.identify('u1', '{{\"city\": null, \"n\": 1.10}}', 'k1', '{{\"phone\": [\"+12015550123\"]}}', '{{\"ip\": null}}', {at}, message_id => 'f0')"
        ),
        format!(
            "SELECT cdp.track('e', 'u1', '{{\"a\": null}}', 'k1', '{{\"loyalty\": 1}}', '{{}}', {at}, message_id => 'f1', source => 'default')"
        ),
        format!("SELECT cdp.page('p', 'u1', '{{}}', {at}, message_id => 'f2')"),
        format!("SELECT cdp.screen('s', 'u1', {at}, message_id => 'f3')"),
        format!(
            "SELECT cdp.\"group\"('g', 'u1', '{{\"plan\": \"pro\"}}', {at}, message_id => 'f4')"
        ),
        format!("SELECT cdp.alias('u0', 'u1', {at}, message_id => 'f5')"),
    ];
    let at = r#""timestamp":"2024-02-01T10:00:00Z""#;
    let messages = [
        format!(
            r#"{{"type":"identify","userId":"u1","traits":{{"city":null,"n":1.10}},"anonymousId":"k1","identifiers":{{"phone":["+12015550123"]}},"context":{{"ip":null}},{at},"messageId":"m0"}}"#
        ),
        format!(
            r#"{{"type":"track","event":"e","userId":"u1","properties":{{"a":null}},"anonymousId":"k1","identifiers":{{"loyalty":1}},"context":{{}},{at},"messageId":"m1"}}"#
        ),
        format!(
            r#"{{"type":"page","name":"p","userId":"u1","properties":{{}},{at},"messageId":"m2"}}"#
        ),
        format!(r#"{{"type":"screen","name":"s","userId":"u1",{at},"messageId":"m3"}}"#),
        format!(
            r#"{{"type":"group","groupId":"g","userId":"u1","traits":{{"plan":"pro"}},{at},"messageId":"m4"}}"#
        ),
        format!(r#"{{"type":"alias","previousId":"u0","userId":"u1",{at},"messageId":"m5"}}"#),
    ];
    for call in &calls {
        run(&mut client, call);
    }
    send(&mut client, None, &messages.each_ref().map(String::as_str));
    assert_eq!(drain(&mut client), (12, 0, 0));
    nobody_complained(&mut client);
    // Each in two copies that differ in their id and time of receipt alone.
    for table in ["events", "messages"] {
        let unlike: Vec<String> = column(
            &mut client,
            &format!(
                "SELECT min(m.content) || ' <> ' || max(m.content) FROM (SELECT substr(message_id, 2) AS n, \
                    (to_jsonb(e) - '{{event_id,message_id,received_at,content_hash}}'::text[] #- '{{rest,timestamp}}')::text AS content \
                   FROM cdp.{table} e) m GROUP BY n HAVING min(m.content) <> max(m.content) OR count(*) <> 2"
            ),
        );
        assert_eq!(unlike, Vec::<String>::new());
    }
}

#[test]
fn clocks_are_corrected() {
    let (_server, mut client) = quiet();
    let case = |fields: &str| format!(r#"{{"type":"track","event":"e","userId":"u1"{fields}}}"#);
    // Received at noon on 1 March 2024.
    let cases = [
        ("", "2024-03-01 12:00:00+00"),
        (
            r#","timestamp":"2024-02-01T00:00:00Z""#,
            "2024-02-01 00:00:00+00",
        ),
        (
            r#","originalTimestamp":"2024-02-01T00:00:00Z""#,
            "2024-02-01 00:00:00+00",
        ),
        // The sender's clock is a year ahead: what happened an hour before it was sent.
        (
            r#","originalTimestamp":"2025-03-01T11:00:00Z","sentAt":"2025-03-01T12:00:00Z""#,
            "2024-03-01 11:00:00+00",
        ),
        (
            r#","timestamp":"2025-03-01T11:00:00Z","sentAt":"2025-03-01T12:00:00Z""#,
            "2024-03-01 11:00:00+00",
        ),
        (
            r#","timestamp":"1999-01-01","originalTimestamp":"2023-01-01T00:00:00Z","sentAt":"2023-01-01T00:00:01Z""#,
            "2024-03-01 11:59:59+00",
        ),
        // Sent before it happened: a clock that was set in between; still so long after.
        (
            r#","timestamp":"2024-01-01T00:00:10Z","sentAt":"2024-01-01T00:00:00Z""#,
            "2024-03-01 12:00:10+00",
        ),
        (r#","timestamp":1709290800"#, "2024-03-01 11:00:00+00"),
        (
            r#","timestamp":1709290800123"#,
            "2024-03-01 11:00:00.123+00",
        ),
        (
            r#","timestamp":"2024-03-01T09:00:00-02:00""#,
            "2024-03-01 11:00:00+00",
        ),
        (r#","timestamp":"","sentAt":null"#, "2024-03-01 12:00:00+00"),
        // Its own word on when it was received does not count.
        (r#","receivedAt":"2020-01-01""#, "2024-03-01 12:00:00+00"),
        (
            r#","timestamp":"2099-01-01T00:00:00Z""#,
            "2099-01-01 00:00:00+00",
        ),
    ];
    for (fields, _) in &cases {
        send(&mut client, None, &[&case(fields)]);
    }
    drain(&mut client);
    nobody_complained(&mut client);
    let times: Vec<String> = column(
        &mut client,
        "SELECT \"time\"::text FROM cdp.events ORDER BY event_id",
    );
    assert_eq!(times, cases.map(|(_, time)| time));
}

/// A message that comes late is where it belongs: in first_seen and last_seen, in traits, in links.
#[test]
fn late_messages_take_their_place() {
    let (_server, mut client) = quiet();
    run(
        &mut client,
        "SELECT cdp.create_trait('city', 'text'); SELECT cdp.create_trait('origin', 'text', survivorship => 'first')",
    );
    let identify = |day: &str, user: &str, traits: &str| {
        format!(
            r#"{{"type":"identify","userId":"{user}","timestamp":"2024-02-{day}","traits":{{{traits}}}}}"#
        )
    };
    let shown = "SELECT concat_ws(' ', first_seen::date, last_seen::date, city, origin) FROM cdp.profiles ORDER BY profile_id LIMIT 1";
    for (day, city, expected) in [
        ("10", "Porto", "2024-02-10 2024-02-10 Porto Porto"),
        ("05", "Faro", "2024-02-05 2024-02-10 Porto Faro"),
        ("12", "Braga", "2024-02-05 2024-02-12 Braga Faro"),
        ("11", "Lagos", "2024-02-05 2024-02-12 Braga Faro"),
        ("01", "Evora", "2024-02-01 2024-02-12 Braga Evora"),
    ] {
        let traits = format!(r#""city":"{city}","origin":"{city}""#);
        send(&mut client, None, &[&identify(day, "u1", &traits)]);
        drain(&mut client);
        assert_eq!(one::<String>(&mut client, shown), expected);
    }
    // An e-mail belongs to whom it was seen with first, in time and not in order of arrival.
    run(
        &mut client,
        "SELECT cdp.alter_identifier_type('email', max_per_profile => 5)",
    );
    let of_mail = "SELECT string_agg(value, ',' ORDER BY value) FROM cdp.profile_identifiers WHERE type = 'user_id' AND profile_id = cdp.resolve('email', 'm@x.org')";
    send(
        &mut client,
        None,
        &[&identify("20", "late", r#""email":"m@x.org""#)],
    );
    drain(&mut client);
    assert_eq!(one::<String>(&mut client, of_mail), "late");
    send(
        &mut client,
        None,
        &[&identify("15", "early", r#""email":"m@x.org""#)],
    );
    drain(&mut client);
    assert_eq!(one::<String>(&mut client, of_mail), "early");
    // A source that may not date back takes nothing from anybody.
    run(
        &mut client,
        "SELECT cdp.create_source('app', max_backdate => '1 day')",
    );
    send(
        &mut client,
        Some("app"),
        &[&identify("01", "thief", r#""email":"m@x.org""#)],
    );
    drain(&mut client);
    assert_eq!(one::<String>(&mut client, of_mail), "early");
    nobody_complained(&mut client);
}

#[test]
fn nothing_that_a_source_said_is_lost() {
    let (_server, mut client) = quiet();
    let said = r#"{"type":"track","event":"e","userId":"u1","_metadata":{"bundled":["a"]},"channel":"server","integrations":{},"properties":{"deep":{"er":[1,{"x":null}]}},"context":{"library":{"name":"l"},"unknown":[true]},"projectId":"p","writeKey":7,"😀":"ü"}"#;
    send(&mut client, None, &[said]);
    drain(&mut client);
    let whole: bool = client
        .query_one(
            "SELECT m.said @> jsonb_build_object('properties', e.properties, 'context', e.context) \
                AND m.said - '{type,event,messageId,properties,context}'::text[] <@ e.rest \
                AND m.said -> 'properties' = e.properties AND m.said -> 'context' = e.context \
               FROM cdp.events e, (SELECT $1::text::jsonb AS said) m",
            &[&said],
        )
        .expect("one event")
        .get(0);
    assert!(whole);
}

#[test]
fn a_message_counts_once_within_and_across_batches() {
    let (_server, mut client) = quiet();
    run(&mut client, "SELECT cdp.create_source('app')");
    let with = |id: &str, rest: &str| {
        format!(r#"{{"type":"track","event":"e","userId":"u1","messageId":{id}{rest}}}"#)
    };
    let first = with("\"m1\"", r#","properties":{"a":1,"b":2}"#);
    // A retry: sent at another time, its keys in another order, an escape.
    let retry = r#"{"messageId":"m1","sentAt":"2024-03-01T12:00:00Z","properties":{"b":2,"\u0061":1},"userId":"u1","event":"e","type":"track"}"#;
    let other = with("\"m1\"", r#","properties":{"a":2}"#);
    // In one batch.
    send(&mut client, None, &[&first, retry, &first, &other]);
    assert_eq!(drain(&mut client), (1, 2, 1));
    // In later ones, each alone and together.
    send(&mut client, None, &[retry]);
    assert_eq!(drain(&mut client), (0, 1, 0));
    send(
        &mut client,
        None,
        &[&other, &first, &with("\"m2\"", ""), &with("\"m2\"", "")],
    );
    assert_eq!(drain(&mut client), (1, 2, 1));
    // Each source has its own ids; the default one is the same named or not.
    send(&mut client, Some("app"), &[&first, &first]);
    assert_eq!(drain(&mut client), (1, 1, 0));
    send(&mut client, Some("default"), &[&first]);
    assert_eq!(drain(&mut client), (0, 1, 0));
    // A number and its text are one id; case and space make another.
    send(&mut client, None, &[&with("7", ""), &with("\"7\"", "")]);
    let (accepted, duplicates, rejected) = drain(&mut client);
    assert_eq!((accepted, duplicates + rejected), (1, 1));
    send(
        &mut client,
        None,
        &[&with("\"M2\"", ""), &with("\"m2 \"", "")],
    );
    assert_eq!(drain(&mut client), (2, 0, 0));
    // Without an id, or with none to speak of, every message counts.
    let without = r#"{"type":"track","event":"none","userId":"u1"}"#;
    send(
        &mut client,
        None,
        &[
            without,
            without,
            &with("null", ""),
            &with("\"\"", ""),
            &with("\" \"", ""),
        ],
    );
    assert_eq!(drain(&mut client), (5, 0, 0));
    // What is of another kind is another content.
    send(
        &mut client,
        None,
        &[r#"{"type":"identify","userId":"u1","messageId":"m2"}"#],
    );
    assert_eq!(drain(&mut client), (0, 0, 1));
    let letters: Vec<String> = column(&mut client, "SELECT DISTINCT reason FROM cdp.dead_letter");
    assert_eq!(letters, ["conflicting_duplicate"]);
    let counted: i64 = one(
        &mut client,
        "SELECT sum(count)::bigint FROM cdp.set_evidence",
    );
    assert_eq!(
        counted,
        one::<i64>(&mut client, "SELECT count(*) FROM cdp.events")
    );
}

#[test]
fn copy_takes_messages_with_and_without_a_source() {
    let (_server, mut client) = quiet();
    run(&mut client, "SELECT cdp.create_source('app')");
    let message = |n: usize| {
        format!(r#"{{"type":"track","event":"e","userId":"u{n}","properties":{{"t":"a\tb"}}}}"#)
    };
    let mut copy = client
        .copy_in(
            "COPY cdp.inbox (message) FROM STDIN (FORMAT csv, QUOTE e'\\x01', DELIMITER e'\\x02')",
        )
        .expect("COPY");
    for n in 0..100 {
        std::io::Write::write_all(&mut copy, (message(n) + "\n").as_bytes()).expect("a line");
    }
    copy.finish().expect("COPY ends");
    let mut copy = client
        .copy_in("COPY cdp.inbox (source, message) FROM STDIN")
        .expect("COPY");
    for (n, source) in ["app", "\\N", "default", "nowhere"].into_iter().enumerate() {
        let escaped = message(n).replace('\\', "\\\\");
        std::io::Write::write_all(&mut copy, format!("{source}\t{escaped}\n").as_bytes())
            .expect("a line");
    }
    copy.finish().expect("COPY ends");
    assert_eq!(drain(&mut client), (103, 0, 1));
    let by_source: Vec<String> = column(
        &mut client,
        "SELECT s.name || ' ' || count(*) FROM cdp.events JOIN cdp.sources s USING (source_id) \
          WHERE properties ->> 't' = e'a\\tb' GROUP BY s.name ORDER BY 1",
    );
    assert_eq!(by_source, ["app 1", "default 102"]);
    // One bad line of COPY is a dead letter, and does not cost the others.
    let mut copy = client
        .copy_in("COPY cdp.inbox (message) FROM STDIN")
        .expect("COPY");
    std::io::Write::write_all(&mut copy, b"{\"type\":\"track\",\"event\":\"x\\\\u0000\",\"userId\":\"u1\"}\nnonsense\n\\N\n{\"type\":\"track\",\"event\":\"good\",\"userId\":\"u1\"}\n")
        .expect("lines");
    copy.finish().expect("COPY ends");
    assert_eq!(drain(&mut client), (1, 0, 3));
}

/// Messages without a source have the server's, whatever a collector's session would rather.
#[test]
fn the_default_source_is_the_servers() {
    let (server, mut client) = quiet();
    run(&mut client, "SELECT cdp.create_source('app')");
    let text = r#"{"type":"track","event":"e","userId":"u1"}"#;
    let (code, said) = fails(&mut client, "SET cdp.default_source = 'app'");
    assert_eq!(code, "55P02", "{said}");
    server.reload_with(&[("cdp.default_source", "app")]);
    server.wait_for("the setting", std::time::Duration::from_secs(30), || {
        (one::<String>(&mut client, "SHOW cdp.default_source") == "app").then_some(())
    });
    send(&mut client, None, &[text]);
    send(&mut client, Some("default"), &[text]);
    drain(&mut client);
    let sources: Vec<String> = column(
        &mut client,
        "SELECT s.name FROM cdp.events JOIN cdp.sources s USING (source_id) ORDER BY 1",
    );
    assert_eq!(sources, ["app", "default"]);
}

/// What is not committed is not read, and what is committed is read at once, whatever its id.
#[test]
fn only_what_is_visible_is_read() {
    let (server, mut client) = quiet();
    let mut writer = server.connect("app");
    let text =
        |n: usize| format!(r#"{{"type":"track","event":"e","userId":"u1","messageId":"{n}"}}"#);
    run(&mut writer, "BEGIN");
    send(&mut writer, None, &[&text(1)]);
    send(&mut client, None, &[&text(2)]);
    assert_eq!(drain(&mut client).0, 1);
    assert_eq!(one::<i64>(&mut client, "SELECT cdp.process()"), 0);
    send(&mut writer, None, &[&text(3)]);
    run(&mut writer, "COMMIT");
    assert_eq!(one::<i64>(&mut client, "SELECT cdp.process()"), 2);
    run(&mut writer, "BEGIN");
    send(&mut writer, None, &[&text(4)]);
    run(&mut writer, "ROLLBACK");
    assert_eq!(one::<i64>(&mut client, "SELECT cdp.process()"), 0);
    let ids: Vec<String> = column(
        &mut client,
        "SELECT message_id FROM cdp.events ORDER BY event_id",
    );
    assert_eq!(ids, ["2", "1", "3"]);
}

/// Times outside the months that have partitions of their own find a place, and stay findable.
#[test]
fn every_time_has_a_partition() {
    let (_server, mut client) = quiet();
    run(
        &mut client,
        "INSERT INTO cdp.inbox (message) SELECT json_build_object('type', 'track', 'event', 'e', 'userId', 'u1', \
             'timestamp', to_char(t AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"'))::text \
           FROM generate_series(now() - interval '2 years', now() + interval '2 years', interval '13 days 5 hours') t",
    );
    run(
        &mut client,
        "INSERT INTO cdp.inbox (message) SELECT json_build_object('type', 'track', 'event', 'e', 'userId', 'u1', 'timestamp', t)::text \
           FROM unnest('{1900-01-01,1969-12-31T23:59:59Z,9999-12-31T23:59:59.999999Z}'::text[]) t",
    );
    let sent: i64 = one(&mut client, "SELECT count(*) FROM cdp.inbox");
    assert_eq!(drain(&mut client), (sent, 0, 0));
    let misplaced: i64 = one(
        &mut client,
        "SELECT count(*) FROM cdp.events WHERE tableoid::regclass::text ~ '_\\d{4}_\\d\\d$' \
            AND to_char(\"time\" AT TIME ZONE 'UTC', '_YYYY_MM') <> right(tableoid::regclass::text, 8)",
    );
    assert_eq!(misplaced, 0);
    let used: i64 = one(
        &mut client,
        "SELECT count(DISTINCT tableoid) FROM cdp.events",
    );
    assert!(used >= 10, "{used} partitions were used");
    assert_eq!(one::<i64>(&mut client, "SELECT cdp.rebuild()"), 1);
}

/// One message by two ways, of which one writes numbers anew, is one message. And a message of before
/// that was so is known by the hash that it had then.
#[test]
fn a_number_is_the_same_however_it_is_written() {
    let (_server, mut client) = quiet();
    let paid = |id: &str, total: &str| {
        format!(
            r#"{{"type":"track","messageId":"{id}","userId":"u","event":"Paid","properties":{{"total":{total}}}}}"#
        )
    };
    send(
        &mut client,
        None,
        &[&paid("a", "1e2"), &paid("b", "1.5e300")],
    );
    assert_eq!(drain(&mut client), (2, 0, 0));
    for (id, total) in [
        ("a", "1e2"),
        ("a", "100.0"),
        ("b", "1.5e300"),
        ("b", "15e299"),
    ] {
        run(
            &mut client,
            &format!("SELECT cdp.ingest('{}')", paid(id, total)),
        );
        assert_eq!(drain(&mut client), (0, 1, 0), "{id} {total}");
    }
    send(&mut client, None, &[&paid("a", "1e3")]);
    assert_eq!(drain(&mut client), (0, 0, 1));

    send(&mut client, None, &[&paid("old", "12.50")]);
    assert_eq!(drain(&mut client), (1, 0, 0));
    let first_version: i64 = -2_552_582_327_246_102_668;
    let stored = "UPDATE cdp.message_keys SET content_hash = $1 WHERE message_id = 'old' AND content_hash <> $1";
    assert_eq!(client.execute(stored, &[&first_version]).unwrap(), 1);
    send(&mut client, None, &[&paid("old", "12.50")]);
    assert_eq!(drain(&mut client), (0, 1, 0));
    send(&mut client, None, &[&paid("old", "12.51")]);
    assert_eq!(drain(&mut client), (0, 0, 1));
}
