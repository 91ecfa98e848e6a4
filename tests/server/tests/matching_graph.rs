//! What a matcher found as evidence: links and non-matches among records, explained, drawn and withdrawn.
//! (Here they are written into the table; `matching.rs` has a matcher find them.)

use cdp_server_tests::sql::{column, one, run};
use cdp_server_tests::{Client, TestDb, fresh_db};

/// Contacts without any number of their own, and a matcher of the default priority.
fn db(rows: &str) -> (TestDb, Client) {
    let db = fresh_db();
    let mut client = db.connect();
    run(
        &mut client,
        &format!(
            "CREATE TABLE public.contacts (id integer PRIMARY KEY, name text, email text, phone text);
             INSERT INTO public.contacts VALUES {rows};
             SELECT cdp.map_table('crm', 'public.contacts', '{{\"email\": \"email\", \"phone\": \"phone\"}}');
             INSERT INTO cdp.matchers (name, priority, spec) VALUES ('people', 85, '{{}}')"
        ),
    );
    run(&mut client, "CALL cdp.process_all()");
    (db, client)
}

/// Writes what the matcher finds of two contacts.
fn finds(client: &mut Client, a: i32, b: i32, kind: &str, weight: i32) {
    run(
        client,
        &format!(
            "INSERT INTO cdp.matches (low, high, matcher_id, kind, weight, probability, decision)
             SELECT least(a.node_id, b.node_id), greatest(a.node_id, b.node_id), m.matcher_id, '{kind}', {weight}, 0.5,
                    CASE '{kind}' WHEN 'link' THEN -1 WHEN 'cut' THEN 5 END
               FROM cdp.matchers m, cdp.identifiers a JOIN cdp.identifier_types t USING (type_id), cdp.identifiers b
              WHERE t.name = 'record:crm' AND b.type_id = a.type_id AND a.value = '{a}' AND b.value = '{b}'"
        ),
    );
}

/// Every profile by its contacts.
fn people(client: &mut Client) -> Vec<String> {
    column(
        client,
        "SELECT string_agg(key, ' ' ORDER BY key) FROM cdp.profile_records GROUP BY profile_id ORDER BY 1",
    )
}

fn explained(client: &mut Client, a: i32, b: i32) -> Vec<String> {
    column(
        client,
        &format!(
            "SELECT concat_ws(' | ', step, from_type || ' ' || from_value, to_type || ' ' || to_value, kind, decision, \
                              rule, weight, reason) \
               FROM cdp.explain_identity('record:crm', '{a}', 'record:crm', '{b}')"
        ),
    )
}

#[test]
fn a_match_joins_two_contacts_until_it_is_withdrawn() {
    let (_db, mut c) =
        db("(1, 'Ana Reis', 'ana@x.org', NULL), (2, 'Ana Reis', NULL, '+351912345678')");
    assert_eq!(people(&mut c), ["1", "2"]);
    let ids = "SELECT profile_id FROM cdp.profiles ORDER BY 1";
    let apart: Vec<i64> = column(&mut c, ids);
    finds(&mut c, 1, 2, "link", 1234);
    run(&mut c, "SELECT cdp.rebuild()");
    assert_eq!(people(&mut c), ["1 2"]);
    assert_eq!(
        explained(&mut c, 1, 2),
        ["1 | record:crm 1 | record:crm 2 | matched | accepted | 1234 | matcher people"]
    );
    let merges: Vec<String> = column(
        &mut c,
        "SELECT concat_ws(' ', kind, evidence, type_a, value_a, type_b, value_b) FROM cdp.profile_merges",
    );
    assert_eq!(merges, ["merge matched record:crm 1 record:crm 2"]);
    let drawn: String = one(
        &mut c,
        "SELECT cdp.profile_graph_svg(profile_id) FROM cdp.profiles",
    );
    assert!(drawn.contains("weight 12.34"), "{drawn}");

    run(&mut c, "DELETE FROM cdp.matches; SELECT cdp.rebuild()");
    assert_eq!(column::<i64>(&mut c, ids), apart);
}

#[test]
fn a_non_match_parts_a_family_that_shares_an_email() {
    let (_db, mut c) =
        db("(1, 'Ana Reis', 'reis@x.org', NULL), (2, 'Rui Reis', 'reis@x.org', NULL)");
    assert_eq!(people(&mut c), ["1 2"]);
    finds(&mut c, 1, 2, "household", -900);
    run(&mut c, "SELECT cdp.rebuild()");
    assert_eq!(people(&mut c), ["1", "2"]);
    let told = explained(&mut c, 1, 2);
    assert_eq!(
        told,
        [
            "1 | record:crm 1 | email reis@x.org | observed | accepted",
            "2 | email reis@x.org | record:crm 2 | observed | refused | non_match: matcher people holds record:crm 1 and record:crm 2 for two persons",
            "record:crm 1 | record:crm 2 | non_match | apart | non_match: matcher people holds them for two persons of one household | -900",
        ]
    );
    let rules: Vec<String> = column(
        &mut c,
        "SELECT DISTINCT l ->> 'rule' FROM cdp.profiles p, \
                jsonb_array_elements(cdp.profile_graph(p.profile_id)::jsonb -> 'links') l WHERE l ->> 'decision' = 'refused'",
    );
    assert_eq!(rules, ["non_match"]);
    // Whoever knows that they are one says so.
    run(
        &mut c,
        "SELECT cdp.link('record:crm', '1', 'record:crm', '2', reason => 'Rui is her pen name')",
    );
    assert_eq!(people(&mut c), ["1 2"]);
}

#[test]
fn a_cut_bridge_and_a_limit_are_told() {
    let (_db, mut c) =
        db("(1, 'Ana', 'a@x.org', NULL), (2, 'Ana', 'b@x.org', NULL), (3, 'Eva', 'c@x.org', NULL)");
    finds(&mut c, 1, 2, "cut", 900);
    finds(&mut c, 2, 3, "link", 800);
    run(&mut c, "SELECT cdp.rebuild()");
    assert_eq!(people(&mut c), ["1", "2 3"]);
    let told = explained(&mut c, 1, 2);
    assert!(
        told[0].contains("matched | refused | weak_bridge: "),
        "{told:?}"
    );
    // A source that states that it has no duplicates.
    run(
        &mut c,
        "UPDATE cdp.identifier_types SET max_per_profile = 1 WHERE name = 'record:crm'; SELECT cdp.rebuild()",
    );
    assert_eq!(people(&mut c), ["1", "2", "3"]);
    let told = explained(&mut c, 2, 3);
    assert!(
        told[0].contains("matched | refused | max_per_profile: "),
        "{told:?}"
    );
}
