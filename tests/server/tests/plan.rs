//! What `cdp.plan_effects()` says of each kind of changed rule, and that it changes nothing. That what it
//! says is what comes of it, whatever the messages and the rules, is tested in `invariants/planned.rs`.

use std::time::Duration;

use cdp_server_tests::postgres::NoTls;
use cdp_server_tests::sql::{assert_same, column, fails, one, run, tables};
use cdp_server_tests::{Client, Server, ServerOptions};

/// Long enough for a loaded machine.
const SOON: Duration = Duration::from_secs(60);

/// A server on which only the test processes anything.
fn quiet_server() -> Server {
    let server = Server::start(ServerOptions {
        preload: true,
        settings: &[("cdp.workers", "off")],
    });
    server.create_cdp_db("app");
    server
}

/// Twelve people, and an e-mail address that three of them are seen with.
fn people(client: &mut Client) {
    run(
        client,
        "SELECT cdp.create_source('web'); SELECT cdp.create_trait('city', 'text'); \
         SELECT cdp.create_segment('porto', $$ city = 'Porto' $$); \
         SELECT cdp.alter_identifier_type('user_id', max_per_profile => 3); \
         SELECT cdp.identify('u' || g, jsonb_build_object('email', 'u' || g || '@x.org', 'city', 'Porto')) \
           FROM generate_series(1, 9) g; \
         SELECT cdp.identify('k' || g, '{\"email\": \"till@shop.example\", \"city\": \"Faro\"}', source => 'web') \
           FROM generate_series(1, 3) g",
    );
    run(client, "CALL cdp.process_all()");
}

/// The configuration with another identifier type, or one that is changed.
fn with_type(change: &str) -> String {
    format!(
        "(SELECT jsonb_build_object('identifier_types', \
            (SELECT jsonb_agg(CASE WHEN i -> 'name' = c -> 'name' THEN i || c ELSE i END) \
               FROM jsonb_array_elements(cdp.config() -> 'identifier_types') i) || \
            CASE WHEN (cdp.config() -> 'identifier_types') @> jsonb_build_array(jsonb_build_object('name', c -> 'name')) \
                 THEN '[]' ELSE c END) \
         FROM (SELECT '{change}'::jsonb AS c) change)"
    )
}

/// What would change, a line each; of segments, all.
fn effects(client: &mut Client, document: &str) -> Vec<String> {
    column(
        client,
        &format!(
            "SELECT concat_ws(' ', effect, name, before, after) \
               FROM (SELECT {document}) d (document), cdp.plan_effects(document) \
              WHERE before IS DISTINCT FROM after OR name = 'unchanged' OR effect IN ('segment', 'sample')"
        ),
    )
}

/// The links that explain the first sample: ends, decision, rule.
fn because(client: &mut Client, document: &str) -> Vec<String> {
    column(
        client,
        &format!(
            "SELECT concat_ws(' | ', l ->> 'from', l ->> 'to', l ->> 'decision', l ->> 'rule') \
               FROM (SELECT {document}) d (document), \
                    LATERAL (SELECT detail FROM cdp.plan_effects(document) WHERE effect = 'sample' LIMIT 1) s, \
                    jsonb_array_elements(detail -> 'because') WITH ORDINALITY b (because, n), \
                    jsonb_array_elements(because -> 'links') WITH ORDINALITY l (l, m) ORDER BY n, m"
        ),
    )
}

#[test]
fn a_blocked_value_a_limit_and_a_shared_value_part_people() {
    let server = quiet_server();
    let mut c = server.connect("app");
    people(&mut c);
    assert_eq!(one::<i64>(&mut c, "SELECT count(*) FROM cdp.profiles"), 10);

    let blocked = with_type(r#"{"name": "email", "blocked_values": ["till@shop.example"]}"#);
    let parted = |also: &[&str]| -> Vec<String> {
        let first = [
            "profiles all 10 12",
            "profiles unchanged 9 9",
            "profiles split 1 3",
        ];
        let last = [
            "largest identifiers 4 1",
            "segment porto 9 9",
            "sample split 1 3",
        ];
        first
            .iter()
            .chain(also)
            .chain(&last)
            .map(|line| (*line).to_owned())
            .collect()
    };
    assert_eq!(
        effects(&mut c, &blocked),
        parted(&["identifiers blocked 0 1", "links accepted 12 9"])
    );
    assert_eq!(
        because(&mut c, &blocked),
        [
            "email till@shop.example | user_id k2 | refused | blocked: email till@shop.example stands for nobody",
            "email till@shop.example | user_id k3 | refused | blocked: email till@shop.example stands for nobody",
            "user_id k1 | email till@shop.example | refused | blocked: email till@shop.example stands for nobody",
        ]
    );

    let shared = with_type(r#"{"name": "email", "max_degree": {"user_id": 2}}"#);
    assert_eq!(
        effects(&mut c, &shared),
        parted(&["identifiers shared 0 1", "links accepted 12 9"])
    );
    let why = because(&mut c, &shared);
    assert!(
        why[0].contains("max_degree: email till@shop.example is shared"),
        "{why:?}"
    );

    let limited = with_type(r#"{"name": "user_id", "max_per_profile": 1}"#);
    let said = effects(&mut c, &limited);
    assert!(said.contains(&"links refused 0 2".to_owned()), "{said:?}");
    assert!(said.contains(&"profiles split 1 3".to_owned()), "{said:?}");
    let why = because(&mut c, &limited);
    assert!(why[0].contains("refused | max_per_profile: "), "{why:?}");

    // And so it comes, with the history that was told.
    run(&mut c, &format!("SELECT cdp.apply({blocked})"));
    assert_eq!(
        column::<String>(
            &mut c,
            "SELECT format('%s -> %s %s %s-%s', f.value, t.value, c.kind, l.value, h.value) \
               FROM cdp.profile_changes c JOIN cdp.identifiers f ON f.node_id = c.from_profile \
               LEFT JOIN cdp.identifiers t ON t.node_id = c.to_profile \
               JOIN cdp.identifiers l ON l.node_id = c.low JOIN cdp.identifiers h ON h.node_id = c.high \
              WHERE c.kind = 'split' ORDER BY 1"
        ),
        [
            "k1 -> k2 split till@shop.example-k2",
            "k1 -> k3 split till@shop.example-k3"
        ]
    );
}

#[test]
fn a_new_identifier_type_a_normaliser_and_a_priority_join_people() {
    let server = quiet_server();
    let mut c = server.connect("app");
    people(&mut c);
    run(
        &mut c,
        "SELECT cdp.alter_identifier_type('email', normaliser => 'none'); \
         SELECT cdp.identify(NULL, '{\"email\": \"U1@x.org\", \"loyaltyId\": \"L1\", \"city\": \"Porto\"}'); \
         SELECT cdp.identify('u2', '{\"loyaltyId\": \"L1\"}')",
    );
    run(&mut c, "CALL cdp.process_all()");
    let loyalty =
        with_type(r#"{"name": "loyalty_id", "priority": 15, "paths": ["traits.loyaltyId"]}"#);
    assert_eq!(
        effects(&mut c, &loyalty),
        [
            "profiles all 11 10",
            "profiles unchanged 9 9",
            "profiles merged 2 1",
            "links accepted 12 14",
            "largest identifiers 2 4",
            "segment porto 10 9",
            "sample merged 2 1"
        ]
    );
    assert_eq!(
        because(&mut c, &loyalty),
        [
            "user_id u2 | loyalty_id L1 | accepted",
            "loyalty_id L1 | email U1@x.org | accepted"
        ]
    );
    // New identifiers have the ids that were told.
    let told: String = one(
        &mut c,
        &format!(
            "SELECT (detail -> 'after')::text FROM (SELECT {loyalty}) d (document), \
                    cdp.plan_effects(document) WHERE effect = 'sample'"
        ),
    );
    let lower = with_type(r#"{"name": "email", "normaliser": "email"}"#);
    // An identifier that is written otherwise is no more.
    let said = effects(&mut c, &lower);
    assert!(said.contains(&"profiles gone 1 0".to_owned()), "{said:?}");
    assert!(said.contains(&"segment porto 10 9".to_owned()), "{said:?}");
    assert_eq!(
        because(&mut c, &lower),
        ["email U1@x.org | email U1@x.org | gone | normaliser: email U1@x.org is read as u1@x.org"]
    );

    // Another identifier names the profile: the same people, by other ids.
    let ranked = with_type(r#"{"name": "email", "priority": 1}"#);
    let said = effects(&mut c, &ranked);
    assert!(
        said.contains(&"profiles unchanged 1 1".to_owned()),
        "{said:?}"
    );
    assert!(said.contains(&"segment porto 10 10".to_owned()), "{said:?}");

    run(&mut c, &format!("SELECT cdp.apply({loyalty})"));
    assert_eq!(
        one::<String>(
            &mut c,
            "SELECT jsonb_build_array(jsonb_build_object('profile_id', p.profile_id, \
                    'identifiers', count(*), 'named_by', 'user_id u2'))::text \
               FROM cdp.profile_identifiers p WHERE p.profile_id = cdp.resolve('user_id', 'u2') \
              GROUP BY p.profile_id"
        ),
        told
    );
}

/// What was in no profile joins one: a tablet that people took turns on, a value that was blocked, a new
/// type of identifiers.
#[test]
fn identifiers_that_begin_to_join_are_explained() {
    let server = quiet_server();
    let mut c = server.connect("app");
    run(
        &mut c,
        "SELECT cdp.alter_identifier_type('anonymous_id', time_sliced => true); \
         SELECT cdp.alter_identifier_type('phone', blocked_patterns => '{555}'); \
         SELECT cdp.identify('u1', '{\"loyaltyId\": \"L1\"}', anonymous_id => 'tab'); \
         SELECT cdp.identify('u2', '{\"phone\": \"+12015550123\"}'); \
         SELECT cdp.identify(NULL, '{\"email\": \"a@x.org\"}', anonymous_id => 'kiosk'); \
         SELECT cdp.identify('u3', anonymous_id => 'kiosk'); \
         SELECT cdp.identify(NULL, '{\"phone\": \"+12015550124\"}')",
    );
    run(&mut c, "CALL cdp.process_all()");
    let all = |client: &mut Client, document: &str| -> Vec<String> {
        column(
            client,
            &format!(
                "SELECT concat_ws(' | ', name, n, l ->> 'from', l ->> 'to', l ->> 'decision') \
                   FROM (SELECT {document}) d (document), cdp.plan_effects(document) \
                   LEFT JOIN LATERAL jsonb_array_elements(detail -> 'because') WITH ORDINALITY b (because, n) ON true \
                   LEFT JOIN LATERAL jsonb_array_elements(because -> 'links') WITH ORDINALITY l (l, m) ON true \
                  WHERE effect = 'sample' ORDER BY name DESC, n, m, 1"
            ),
        )
    };
    let joining = with_type(r#"{"name": "anonymous_id", "time_sliced": false}"#);
    assert_eq!(
        all(&mut c, &joining),
        [
            "merged | 1 | user_id u3 | anonymous_id kiosk | accepted",
            "merged | 1 | anonymous_id kiosk | email a@x.org | accepted",
            "changed | 1 | user_id u1 | anonymous_id tab | accepted",
        ]
    );
    let unblocked = with_type(r#"{"name": "phone", "blocked_patterns": []}"#);
    assert_eq!(
        all(&mut c, &unblocked),
        [
            "new",
            "changed | 1 | user_id u2 | phone +12015550123 | accepted"
        ]
    );
    // It is of a stronger type, so the profile is named after it.
    let stronger =
        with_type(r#"{"name": "loyalty_id", "priority": 5, "paths": ["traits.loyaltyId"]}"#);
    assert_eq!(
        all(&mut c, &stronger),
        ["changed | 1 | user_id u1 | loyalty_id L1 | accepted"]
    );
    // Several that begin to join at once.
    run(
        &mut c,
        "SELECT cdp.alter_identifier_type('email', blocked_patterns => '{new}'); \
         SELECT cdp.identify(NULL, '{\"phone\": \"+12015550125\", \"email\": \"new@x.org\"}')",
    );
    run(&mut c, "CALL cdp.process_all()");
    let both = "(SELECT jsonb_build_object('identifier_types', jsonb_agg(CASE WHEN i ->> 'name' IN ('phone', 'email') \
                THEN i - 'blocked_patterns' ELSE i END)) FROM jsonb_array_elements(cdp.config() -> 'identifier_types') i)";
    assert_eq!(
        all(&mut c, both),
        [
            "new | 1 | email new@x.org | phone +12015550125 | accepted",
            "new",
            "changed | 1 | user_id u2 | phone +12015550123 | accepted",
        ]
    );
}

#[test]
fn what_does_not_touch_identity_is_told_too() {
    let server = quiet_server();
    let mut c = server.connect("app");
    people(&mut c);
    let unchanged = ["profiles unchanged 10 10".to_owned()];
    for (document, expected) in [
        ("'{}'::jsonb", &["segment porto 9 9"][..]),
        (
            r#"'{"segments": [{"name": "faro", "rule": "city = ''Faro''"}]}'::jsonb"#,
            &["segment faro 1", "segment porto 9"],
        ),
        (
            r#"'{"segments": [{"name": "porto", "rule": "city is set"}]}'::jsonb"#,
            &["segment porto 9 10"],
        ),
        // Two new traits of one type, of which one takes a column that is not there yet.
        (
            r#"'{"traits": [{"name": "city", "type": "text"}, {"name": "email", "type": "text"}, {"name": "zip", "type": "text"}],
                 "segments": [{"name": "porto", "rule": "city = ''Porto''"}, {"name": "one", "rule": "email = ''u1@x.org'' and zip is not set"}]}'::jsonb"#,
            &["segment one 1", "segment porto 9 9"],
        ),
        (
            r#"'{"sources": [{"name": "default"}, {"name": "web", "max_backdate": "1 day"}]}'::jsonb"#,
            &["segment porto 9 9"],
        ),
    ] {
        let expected: Vec<String> = unchanged
            .iter()
            .cloned()
            .chain(expected.iter().map(|line| (*line).to_owned()))
            .collect();
        assert_eq!(effects(&mut c, document), expected, "{document}");
    }
}

/// A plan that is made, one that fails and one that is cancelled leave everything as it was, and hold
/// nothing up afterwards.
#[test]
fn planning_changes_nothing() {
    let server = quiet_server();
    let mut c = server.connect("app");
    people(&mut c);
    let blocked =
        with_type(r#"{"name": "email", "blocked_patterns": [".*"], "normaliser": "none"}"#);
    let before = tables(&mut c, &[]);

    run(&mut c, "BEGIN");
    effects(&mut c, &blocked);
    // The pipeline goes on while the transaction lasts.
    let mut other = server.connect("app");
    run(
        &mut other,
        "BEGIN; LOCK TABLE cdp.pipeline_lock NOWAIT; ROLLBACK",
    );
    run(&mut c, "COMMIT");
    assert_same("planning changed", &before, &tables(&mut c, &[]));

    for (document, code, what) in [
        ("NULL", "22004", "config"),
        (
            "'{\"traits\": [{\"name\": \"x\", \"type\": \"strng\"}]}'",
            "22023",
            "$.traits[0].type",
        ),
        (
            "'{\"identifier_types\": []}'",
            "2BP01",
            "$.identifier_types",
        ),
        ("'{}', -1", "22023", "samples -1 is less than 0"),
        ("'{}', NULL", "22004", "samples"),
    ] {
        let (found, said) = fails(
            &mut c,
            &format!("SELECT * FROM cdp.plan_effects({document})"),
        );
        assert_eq!(found, code, "{document}: {said}");
        assert!(said.contains(what), "{document}: {said}");
    }
    let (code, _) = fails(
        &mut c,
        "BEGIN READ ONLY; SELECT * FROM cdp.plan_effects('{}')",
    );
    assert_eq!(code, "25006");
    run(&mut c, "ROLLBACK");
    let (code, _) = fails(
        &mut c,
        "BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT * FROM cdp.plan_effects('{}')",
    );
    assert_eq!(code, "25000");
    run(&mut c, "ROLLBACK");

    // Cancelled in the midst of it: it stands before a table that the test holds.
    for table in [
        "pipeline_lock",
        "identifier_sets",
        "clusters",
        "memberships",
    ] {
        let mut holder = server.connect("app");
        run(
            &mut holder,
            &format!("BEGIN; LOCK TABLE cdp.{table} IN ACCESS EXCLUSIVE MODE"),
        );
        let mut planner = server.connect("app");
        let pid: i32 = one(&mut planner, "SELECT pg_backend_pid()");
        let token = planner.cancel_token();
        let sql =
            format!("SELECT * FROM (SELECT {blocked}) d (document), cdp.plan_effects(document)");
        std::thread::scope(|scope| {
            let waiting = scope.spawn(|| fails(&mut planner, &sql));
            let mut watcher = server.connect("postgres");
            server.wait_for(&format!("a plan before {table}"), SOON, || {
                let sql = format!(
                    "SELECT wait_event_type = 'Lock' FROM pg_stat_activity WHERE pid = {pid}"
                );
                one::<Option<bool>>(&mut watcher, &sql).filter(|waits| *waits)
            });
            token.cancel_query(NoTls).expect("a cancel can be sent");
            assert_eq!(waiting.join().expect("it fails").0, "57014", "{table}");
        });
        run(&mut holder, "ROLLBACK");
        let phases: i64 = one(&mut c, "SELECT count(*) FROM cdp.progress()");
        assert_eq!(phases, 0);
    }
    assert_same("a plan that failed changed", &before, &tables(&mut c, &[]));
    assert_eq!(one::<i64>(&mut c, "SELECT cdp.rebuild()"), 10);
}

#[test]
fn planning_takes_membership_in_the_owner_role() {
    let server = quiet_server();
    let mut c = server.connect("app");
    people(&mut c);
    run(
        &mut c,
        "CREATE ROLE plan_member LOGIN; GRANT cdp_owner TO plan_member; \
         CREATE ROLE plan_reader LOGIN; GRANT cdp_reader TO plan_reader; \
         CREATE ROLE plan_stranger LOGIN; GRANT USAGE ON SCHEMA cdp TO plan_stranger",
    );
    let plan = "SELECT count(*) FROM cdp.plan_effects('{}')";
    for role in ["plan_reader", "plan_stranger"] {
        let mut stranger = server.connect_as(role, "app");
        assert_eq!(fails(&mut stranger, plan).0, "42501", "{role}");
    }
    assert!(one::<i64>(&mut server.connect_as("plan_member", "app"), plan) > 10);
}
