//! Why two identifiers are of one person, or why they are not.

use cdp_server_tests::sql::{column, fails, one, run};
use cdp_server_tests::{Client, TestDb, fresh_db};

fn db(calls: &[&str]) -> (TestDb, Client) {
    let db = fresh_db();
    let mut client = db.connect();
    run(&mut client, "SELECT cdp.create_source('web')");
    accept(&mut client, calls);
    (db, client)
}

fn accept(client: &mut Client, calls: &[&str]) {
    for call in calls {
        run(client, &format!("SELECT cdp.{call}"));
    }
    run(client, "CALL cdp.process_all()");
}

/// Each row in short.
fn explain(client: &mut Client, arguments: &str) -> Vec<String> {
    column(
        client,
        &format!(
            "SELECT concat_ws(' ', coalesce(step::text, '-'), from_value || '>' || to_value, kind, decision, \
                    nullif(array_to_string(sources, '+'), ''), 'x' || count, change_id, '| ' || rule, '| ' || reason) \
               FROM cdp.explain_identity({arguments})"
        ),
    )
}

#[test]
fn a_chain_says_what_each_link_rests_on() {
    let (_db, mut c) = db(&[
        "identify('u1', traits => '{\"email\": \"a@x.org\"}', \"timestamp\" => '2026-01-01Z')",
        "identify('u1', traits => '{\"email\": \"a@x.org\"}', source => 'web', \"timestamp\" => '2026-02-01Z')",
        "track('View', 'u2', anonymous_id => 'k2', \"timestamp\" => '2026-01-02Z')",
    ]);
    run(
        &mut c,
        "SELECT cdp.link('user_id', 'u1', 'user_id', 'u2', 'ticket 7')",
    );
    let steps = [
        "1 a@x.org>u1 observed accepted default+web x2",
        "2 u1>u2 asserted accepted 1 | postgres: ticket 7",
        "3 u2>k2 observed accepted default x1",
    ];
    assert_eq!(
        explain(&mut c, "'email', 'A@x.org', 'anonymous_id', 'k2'"),
        steps
    );
    let dates: Vec<String> = column(
        &mut c,
        "SELECT concat_ws(' ', (first_seen AT TIME ZONE 'UTC')::date, (last_seen AT TIME ZONE 'UTC')::date, confirmed) \
           FROM cdp.explain_identity('email', 'a@x.org', 'user_id', 'u1')",
    );
    assert_eq!(dates, ["2026-01-01 2026-02-01 t"]);
    // Two profile ids, one of which was superseded: what tied the identifiers that they are named after.
    let other: i64 = one(&mut c, "SELECT from_profile FROM cdp.profile_merges");
    let present: i64 = one(&mut c, "SELECT into_profile FROM cdp.profile_merges");
    assert_eq!(explain(&mut c, &format!("{present}, {other}")).len(), 1);
    assert_eq!(
        explain(&mut c, &format!("{present}, {present}")),
        Vec::<String>::new()
    );
    assert_eq!(
        fails(&mut c, "SELECT cdp.explain_identity(1, 999999)").0,
        "42704"
    );
    assert_eq!(
        fails(
            &mut c,
            "SELECT cdp.explain_identity('user_id', 'u1', 'user_id', 'u9')"
        )
        .0,
        "42704"
    );
}

#[test]
fn what_keeps_two_apart_is_said_with_its_rule() {
    let (_db, mut c) = db(&[
        "identify('u1', traits => '{\"email\": \"a@x.org\"}', \"timestamp\" => '2026-01-01Z')",
        "identify('u2', traits => '{\"email\": \"a@x.org\"}', \"timestamp\" => '2026-01-02Z')",
        "identify('u2', anonymous_id => 'k1', \"timestamp\" => '2026-01-03Z')",
        "identify('u3', anonymous_id => 'k1', \"timestamp\" => '2026-01-04Z')",
        "track('View', 'u4')",
    ]);
    let limit = "| max_per_profile: a profile has at most 1 user_id, and these two together would have more";
    // One user id a person.
    assert_eq!(
        explain(&mut c, "'user_id', 'u1', 'user_id', 'u2'"),
        [
            "1 u1>a@x.org observed accepted default x1".to_owned(),
            format!("2 a@x.org>u2 observed refused default x1 {limit}"),
        ]
    );
    // Over a third.
    let steps = explain(&mut c, "'user_id', 'u1', 'user_id', 'u3'");
    assert_eq!(
        steps,
        [
            "1 u1>a@x.org observed accepted default x1".to_owned(),
            format!("2 a@x.org>u2 observed refused default x1 {limit}"),
            "3 u2>k1 observed accepted default x1".to_owned(),
            format!("4 k1>u3 observed refused default x1 {limit}"),
        ]
    );
    // With nothing between them.
    assert_eq!(
        explain(&mut c, "'user_id', 'u1', 'user_id', 'u4'"),
        Vec::<String>::new()
    );

    // What does not bridge, where any number of user ids is allowed.
    run(
        &mut c,
        "SELECT cdp.alter_identifier_type('user_id', reset => '{max_per_profile}')",
    );
    assert_eq!(
        explain(&mut c, "'user_id', 'u2', 'user_id', 'u3'"),
        [
            "1 u2>k1 observed accepted default x1",
            "2 k1>u3 observed refused default x1 | bridges: anonymous_id does not bridge, and each of the two profiles has a user_id",
        ]
    );

    // By hand: the links that it refuses, and the word itself.
    run(
        &mut c,
        "SELECT cdp.unlink('user_id', 'u1', 'user_id', 'u2', 'two sisters')",
    );
    let rule = "cannot_link: user_id u1 and user_id u2 are unlinked by hand (change 1, postgres: two sisters)";
    assert_eq!(
        explain(&mut c, "'user_id', 'u1', 'user_id', 'u2'"),
        [
            "1 u1>a@x.org observed accepted default x1".to_owned(),
            format!("2 a@x.org>u2 observed refused default x1 | {rule}"),
            "- u1>u2 cannot_link apart 1 | cannot_link: unlinked by hand | postgres: two sisters"
                .to_owned(),
        ]
    );
    let here: i64 = one(&mut c, "SELECT cdp.resolve('user_id', 'u1')");
    let there: i64 = one(&mut c, "SELECT cdp.resolve('user_id', 'u2')");
    assert_eq!(explain(&mut c, &format!("{here}, {there}")).len(), 3);
    // A link by hand that it refuses is another tie between the two, and the first to be told.
    run(
        &mut c,
        "SELECT cdp.link('email', 'a@x.org', 'user_id', 'u1'); SELECT cdp.link('email', 'a@x.org', 'user_id', 'u2')",
    );
    assert_eq!(
        explain(&mut c, "'user_id', 'u1', 'user_id', 'u2'"),
        [
            "1 u1>a@x.org asserted accepted 2 | postgres".to_owned(),
            format!("2 a@x.org>u2 asserted refused 3 | {rule} | postgres"),
            format!("- a@x.org>u2 observed refused default x1 | {rule}"),
            "- u1>u2 cannot_link apart 1 | cannot_link: unlinked by hand | postgres: two sisters"
                .to_owned(),
        ]
    );
}

#[test]
fn identifiers_that_join_nothing_say_why() {
    let (_db, mut c) = db(&[]);
    run(
        &mut c,
        "SELECT cdp.alter_identifier_type('email', max_degree => '{\"user_id\": 2}', blocked_values => '{nobody@x.org}')",
    );
    accept(
        &mut c,
        &[
            "identify('u1', traits => '{\"email\": \"info@x.org\"}')",
            "identify('u2', traits => '{\"email\": \"info@x.org\"}')",
            "identify('u3', traits => '{\"email\": \"info@x.org\"}')",
            "identify('u4', traits => '{\"email\": \"nobody@x.org\"}')",
        ],
    );
    assert_eq!(
        explain(&mut c, "'user_id', 'u1', 'email', 'info@x.org'"),
        [
            "- u1>info@x.org observed refused default x1 | max_degree: email info@x.org is shared: seen with 3 or more \
          values of user_id, where 2 are allowed"
        ]
    );
    assert_eq!(
        explain(&mut c, "'user_id', 'u4', 'email', 'nobody@x.org'"),
        [
            "- u4>nobody@x.org observed refused default x1 | blocked: email nobody@x.org stands for nobody"
        ]
    );
    assert_eq!(
        explain(&mut c, "'user_id', 'u1', 'email', 'nobody@x.org'"),
        Vec::<String>::new()
    );
}

#[test]
fn what_only_an_unlink_names_is_told_with_who_when_and_why() {
    let (_db, mut client) = db(&["identify('u1', traits => '{\"email\": \"u1@x.org\"}')"]);
    run(
        &mut client,
        "SELECT cdp.unlink('user_id', 'u1', 'email', 'never@x.org', reason => 'her brother''s'); \
         SELECT cdp.unlink('email', 'never@x.org', 'phone', '+12015550123')",
    );
    for (a, b, told) in [
        (
            "'user_id', 'u1'",
            "'email', 'never@x.org'",
            "u1 never@x.org cannot_link apart t 1 postgres: her brother's",
        ),
        (
            "'email', 'never@x.org'",
            "'user_id', 'u1'",
            "never@x.org u1 cannot_link apart t 1 postgres: her brother's",
        ),
        // From what is in her profile, too; and between two that nobody ever saw.
        (
            "'email', 'u1@x.org'",
            "'email', 'never@x.org'",
            "u1 never@x.org cannot_link apart t 1 postgres: her brother's",
        ),
        (
            "'phone', '+12015550123'",
            "'email', 'never@x.org'",
            "+12015550123 never@x.org cannot_link apart t 2 postgres",
        ),
    ] {
        let steps: Vec<String> = column(
            &mut client,
            &format!(
                "SELECT concat_ws(' ', step, from_value, to_value, kind, decision, first_seen IS NOT NULL, change_id, reason) \
                   FROM cdp.explain_identity({a}, {b})"
            ),
        );
        assert_eq!(steps, [told]);
    }
    let none: Vec<String> = column(
        &mut client,
        "SELECT kind FROM cdp.explain_identity('user_id', 'u1', 'phone', '+12015550123')",
    );
    assert!(none.is_empty(), "{none:?}");
}
