//! What the functions of identity say of what they cannot do: what is wrong, and what to do.

use cdp_server_tests::sql::{fails, one, run};
use cdp_server_tests::{Client, TestDb, fresh_db};

fn db() -> (TestDb, Client) {
    let db = fresh_db();
    let mut client = db.connect();
    run(
        &mut client,
        "SELECT cdp.identify('u1', '{\"email\": \"a@x.org\"}', message_id => 'm1'); \
         SELECT cdp.identify('u2', '{\"email\": \"b@x.org\"}')",
    );
    run(&mut client, "CALL cdp.process_all()");
    (db, client)
}

/// Each call fails with that SQLSTATE, and says all that.
#[track_caller]
fn all_fail(client: &mut Client, calls: &[(&str, &str, &[&str])]) {
    for (call, code, words) in calls {
        let (found, said) = fails(client, &format!("SELECT * FROM {call}"));
        assert_eq!(&found, code, "{call}: {said}");
        for word in *words {
            assert!(said.contains(word), "{call}: {said}");
        }
    }
}

#[test]
fn words_by_hand() {
    let (_db, mut c) = db();
    let link: i64 = one(&mut c, "SELECT cdp.link('user_id', 'u1', 'user_id', 'u2')");
    let undo: i64 = one(&mut c, &format!("SELECT cdp.undo({link})"));
    for function in ["link", "unlink"] {
        let call = |arguments: &str| format!("cdp.{function}({arguments})");
        all_fail(
            &mut c,
            &[
                (
                    &call("'email', 'a@x.org', 'email', ' A@X.org'"),
                    "22023",
                    &[
                        "email \"a@x.org\" and email \" A@X.org\" are one identifier",
                        "HINT: Name two different ones",
                    ],
                ),
                (
                    &call("'mail', 'a@x.org', 'user_id', 'u1'"),
                    "42704",
                    &["no identifier type \"mail\"", "HINT: Declared: ", "email"],
                ),
                (
                    &call("'user_id', 'u1', 'email', 'no mail'"),
                    "22023",
                    &["\"no mail\" is no value of identifier type \"email\": "],
                ),
                (
                    &call("'user_id', 'null', 'email', 'a@x.org'"),
                    "22023",
                    &[
                        "user_id \"null\" is blocked: it stands for nobody",
                        "HINT: See blocked_values",
                    ],
                ),
                (
                    &call("NULL, 'a', 'email', 'a@x.org'"),
                    "22004",
                    &["type_a must not be NULL"],
                ),
                (
                    &call("'email', NULL, 'email', 'a@x.org'"),
                    "22004",
                    &["value_a must not be NULL"],
                ),
                (
                    &call("'email', 'a@x.org', NULL, 'a'"),
                    "22004",
                    &["type_b must not be NULL"],
                ),
                (
                    &call("'email', 'a@x.org', 'email', NULL"),
                    "22004",
                    &["value_b must not be NULL"],
                ),
            ],
        );
    }
    all_fail(
        &mut c,
        &[
            (
                &format!("cdp.undo({link})"),
                "55000",
                &[
                    &format!("change {link} is undone already, by change {undo}"),
                    &format!("HINT: To let it stand again: SELECT cdp.undo({undo});"),
                ],
            ),
            (
                "cdp.undo(999)",
                "42704",
                &["there is no change 999", "HINT: See cdp.assertion_log"],
            ),
            ("cdp.undo(NULL)", "22004", &["change_id must not be NULL"]),
            (
                "cdp.revoke_source('shop')",
                "42704",
                &[
                    "source \"shop\" does not exist",
                    "HINT: There are: default.",
                ],
            ),
            (
                "cdp.revoke_source(NULL)",
                "22004",
                &["source must not be NULL"],
            ),
            (
                "cdp.revoke_message('shop', 'm1')",
                "42704",
                &[
                    "source \"shop\" does not exist",
                    "HINT: There are: default.",
                ],
            ),
            (
                "cdp.revoke_message('default', 'm2')",
                "42704",
                &[
                    "source \"default\" sent no message \"m2\"",
                    "use cdp.revoke_event()",
                ],
            ),
            (
                "cdp.revoke_message(NULL, 'm1')",
                "22004",
                &["source must not be NULL"],
            ),
            (
                "cdp.revoke_message('default', NULL)",
                "22004",
                &["message_id must not be NULL"],
            ),
            (
                "cdp.revoke_event(999)",
                "42704",
                &[
                    "nothing is stored as event 999",
                    "HINT: See event_id in cdp.events and cdp.messages.",
                ],
            ),
            (
                "cdp.revoke_event(NULL)",
                "22004",
                &["event_id must not be NULL"],
            ),
        ],
    );
    let said: i64 = one(&mut c, "SELECT count(*) FROM cdp.assertions");
    assert_eq!(said, 2, "what failed was not kept");
}

/// What a statement warns of, and its result.
fn warned(db: &TestDb, sql: &str) -> (String, String) {
    let output = db
        .server()
        .client_command("psql", &db.name)
        .args(["-X", "-A", "-t", "-c", sql])
        .output()
        .expect("psql runs");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (text(&output.stderr), text(&output.stdout))
}

#[test]
fn a_link_that_joins_nothing_is_warned_of() {
    let (db, mut c) = db();
    run(
        &mut c,
        "SELECT cdp.link('user_id', 'u1', 'email', 'a@x.org'); \
         SELECT cdp.link('user_id', 'u2', 'email', 'b@x.org'); \
         SELECT cdp.unlink('user_id', 'u1', 'user_id', 'u2')",
    );
    let (warning, change) = warned(
        &db,
        "SELECT cdp.link('email', 'a@x.org', 'email', 'b@x.org')",
    );
    assert!(
        warning.contains("WARNING:  the link joins nothing: others in these profiles are unlinked"),
        "{warning}"
    );
    assert!(
        warning.contains("HINT:  Call cdp.explain_identity()"),
        "{warning}"
    );
    let kept: i64 = one(&mut c, "SELECT max(change_id) FROM cdp.assertions");
    assert_eq!(change.trim(), kept.to_string());
    // What does join warns of nothing.
    run(&mut c, &format!("SELECT cdp.undo({kept})"));
    let (warning, _) = warned(
        &db,
        "SELECT cdp.link('email', 'a@x.org', 'phone', '+12015550123')",
    );
    assert_eq!(warning, "");
}

#[test]
fn explanations_and_pictures() {
    let (db, mut c) = db();
    all_fail(
        &mut c,
        &[
            (
                "cdp.explain_identity(999, 1)",
                "42704",
                &[
                    "there is no profile 999",
                    "HINT: Profile ids are in cdp.profiles; those of before in cdp.identity_changes.",
                ],
            ),
            (
                "cdp.explain_identity((SELECT min(profile_id) FROM cdp.profiles), 998)",
                "42704",
                &["there is no profile 998"],
            ),
            (
                "cdp.explain_identity('user_id', 'u1', 'user_id', 'u9')",
                "42704",
                &[
                    "user_id \"u9\" was never seen",
                    "HINT: Look it up in cdp.identifiers",
                ],
            ),
            (
                "cdp.explain_identity('login', 'u1', 'user_id', 'u2')",
                "42704",
                &["no identifier type \"login\"", "HINT: Declared: "],
            ),
        ],
    );
    for function in ["profile_graph", "profile_graph_dot", "profile_graph_svg"] {
        for identifiers in [0, 1_001, -1] {
            let call = format!("cdp.{function}(1, {identifiers})");
            let said = format!("identifiers must be from 1 to 1000, not {identifiers}");
            all_fail(&mut c, &[(&call, "22023", &[&said])]);
        }
        let none: Option<String> = one(&mut c, &format!("SELECT cdp.{function}(999)::text"));
        assert_eq!(none, None);
    }
    // More refused links than anybody would look through: written, as a test has no time for so many messages.
    run(
        &mut c,
        "INSERT INTO cdp.identifiers (node_id, type_id, value) SELECT nextval('cdp.node_id_seq'), type_id, 'k' || n \
           FROM cdp.identifier_types, generate_series(1, 100001) n WHERE name = 'user_id'; \
         INSERT INTO cdp.clusters (node_id, profile_id) SELECT node_id, node_id FROM cdp.identifiers WHERE value LIKE 'k%'; \
         INSERT INTO cdp.links (low, high, confirmed, first_seen, decision) \
         SELECT a.node_id, b.node_id, false, now(), 2 FROM cdp.identifiers a, cdp.identifiers b \
          WHERE a.value = 'a@x.org' AND b.value LIKE 'k%'",
    );
    let (warning, steps) = warned(
        &db,
        "SELECT count(*) FROM cdp.explain_identity('user_id', 'u1', 'user_id', 'u2')",
    );
    assert!(
        warning.contains("WARNING:  no chain was found among 100000 refused links"),
        "{warning}"
    );
    assert!(
        warning.contains("HINT:  Ask for identifiers that are nearer"),
        "{warning}"
    );
    assert_eq!(steps.trim(), "0");
}

#[test]
fn components_of_what_is_no_graph() {
    let (_db, mut c) = db();
    let of = |query: &str, more: &str| format!("cdp.connected_components('{query}'{more})");
    all_fail(
        &mut c,
        &[
            (
                &of("SELECT 1, 2, 3", ""),
                "42804",
                &[
                    "the query gives 3 columns, not two",
                    "DETAIL: Each of its rows is a link",
                    "HINT: For instance: ",
                ],
            ),
            (
                &of("SELECT 1, now()", ""),
                "42804",
                &[
                    "the query gives columns of types integer and timestamp with time zone, not two of integers or of texts",
                    "HINT: Cast both: ",
                ],
            ),
            (
                &of("SELECT 1, 2", ", NULL::date"),
                "42804",
                &[
                    "nodes cannot be of type date",
                    "HINT: node_type is NULL::text, as by default, or NULL::bigint.",
                ],
            ),
            (
                &of("SELECT $$a$$::text, $$b$$::text", ", NULL::bigint"),
                "42804",
                &[
                    "the nodes of the query are texts",
                    "HINT: Leave out node_type, which is of type bigint.",
                ],
            ),
            (
                &of("SELECT 1::bigint, 2", ", NULL::integer"),
                "42804",
                &[
                    "the nodes of the query do not fit type integer",
                    "HINT: Give NULL::bigint as node_type.",
                ],
            ),
        ],
    );
    run(&mut c, "SET cdp.graph_memory = '1MB'");
    let many = "SELECT hashint8extended(n, 0), hashint8extended(n / 2, 0) FROM generate_series(1, 200000) n";
    for call in [
        of(many, ""),
        format!("cdp.connected_components_into('{many}', 'people')"),
    ] {
        all_fail(
            &mut c,
            &[(
                &call,
                "53400",
                &[
                    "the graph takes more memory than cdp.graph_memory allows",
                    "1 MB are allowed.",
                    "HINT: Raise it",
                ],
            )],
        );
    }
}

/// What reaches further than there is memory for is refused, with how much it would take; what reaches less
/// goes on.
#[test]
fn a_change_that_reaches_too_far() {
    let (_db, mut c) = db();
    run(
        &mut c,
        "SELECT cdp.create_identifier_type('token', 40); \
         SELECT cdp.identify(identifiers => jsonb_build_object('token', jsonb_build_array('t' || n, 't' || n + 1)), \
             \"timestamp\" => '2026-01-01') FROM generate_series(1, 6000) n",
    );
    run(&mut c, "CALL cdp.process_all()");
    let people = "SELECT count(DISTINCT profile_id) FROM cdp.clusters";
    assert_eq!(one::<i64>(&mut c, people), 3);
    run(&mut c, "SET cdp.graph_memory = '1MB'");
    all_fail(
        &mut c,
        &[(
            "cdp.unlink('token', 't3000', 'token', 't3001')",
            "53400",
            &[
                "the part of the identity graph that a change reaches takes more memory than cdp.graph_memory allows",
                "1 MB are allowed.",
                "HINT: Raise it, if the machine has the memory: SET cdp.graph_memory = '64MB'",
            ],
        )],
    );
    run(
        &mut c,
        "SELECT cdp.unlink('user_id', 'u1', 'email', 'a@x.org')",
    );
    assert_eq!(one::<i64>(&mut c, people), 4);
    run(
        &mut c,
        "RESET cdp.graph_memory; SELECT cdp.unlink('token', 't3000', 'token', 't3001')",
    );
    assert_eq!(one::<i64>(&mut c, people), 5);
}
