//! The history of who was who: merges and splits with their evidence, ids that were superseded, and
//! who somebody was at a time.

use cdp_server_tests::sql::{column, one, run};
use cdp_server_tests::{Client, Server, ServerOptions, TestDb, fresh_db};

fn db() -> (TestDb, Client) {
    let db = fresh_db();
    let mut client = db.connect();
    run(&mut client, "SELECT cdp.create_source('web')");
    (db, client)
}

fn accept(client: &mut Client, calls: &[&str]) {
    for call in calls {
        run(client, &format!("SELECT cdp.{call}"));
    }
    run(client, "CALL cdp.process_all()");
}

fn id(client: &mut Client, name: &str, value: &str) -> i64 {
    one(client, &format!("SELECT cdp.resolve('{name}', '{value}')"))
}

fn ids(client: &mut Client, old: i64) -> Vec<i64> {
    column(client, &format!("SELECT cdp.profile_ids({old})"))
}

/// The latest changes, by the names of the identifiers that name profiles.
fn changes(client: &mut Client, after: i64) -> Vec<String> {
    column(
        client,
        &format!(
            "SELECT concat_ws(' ', kind, f.value || '>' || t.value, identifiers, cause, change_id, evidence, \
                    least(value_a, value_b) || '-' || greatest(value_a, value_b), source, message_id) \
               FROM cdp.identity_changes c LEFT JOIN cdp.identifiers f ON f.node_id = c.from_profile \
               LEFT JOIN cdp.identifiers t ON t.node_id = c.to_profile \
              WHERE step_id > {after} ORDER BY step_id, f.value, t.value"
        ),
    )
}

fn last(client: &mut Client) -> i64 {
    one(
        client,
        "SELECT coalesce(max(step_id), 0) FROM cdp.identity_steps",
    )
}

fn now(client: &mut Client) -> String {
    one(client, "SELECT clock_timestamp()::text")
}

#[test]
fn what_merged_and_split_is_kept_with_its_evidence() {
    let (_db, mut c) = db();
    accept(
        &mut c,
        &[
            "track('View', anonymous_id => 'k1', \"timestamp\" => '2026-01-01Z')",
            "track('View', anonymous_id => 'k2', \"timestamp\" => '2026-01-01Z')",
        ],
    );
    assert_eq!(changes(&mut c, 0), Vec::<String>::new(), "new is no change");
    let mut step = last(&mut c);
    let mut next = |c: &mut Client, expected: &[&str]| {
        assert_eq!(changes(c, step), expected);
        step = last(c);
    };

    // Somebody signs in: the profile goes over to the stronger identifier.
    accept(
        &mut c,
        &[
            "identify('u1', anonymous_id => 'k1', message_id => 'm1', source => 'web', \"timestamp\" => '2026-01-02Z')",
        ],
    );
    next(&mut c, &["rename k1>u1 1 batch observed k1-u1 web m1"]);
    // A second browser, with an e-mail on the way.
    accept(
        &mut c,
        &[
            "identify('u1', anonymous_id => 'k2', traits => '{\"email\": \"a@x.org\"}', message_id => 'm2', \
                      \"timestamp\" => '2026-01-03Z')",
        ],
    );
    next(&mut c, &["merge k2>u1 1 batch observed k2-u1 default m2"]);
    accept(&mut c, &["identify('u2', \"timestamp\" => '2026-01-01Z')"]);
    next(&mut c, &[]);
    run(&mut c, "SELECT cdp.link('user_id', 'u1', 'user_id', 'u2')");
    next(&mut c, &["merge u2>u1 1 link 1 asserted u1-u2"]);
    run(&mut c, "SELECT cdp.undo(1)");
    next(&mut c, &["split u1>u2 1 undo 2 asserted u1-u2"]);
    run(
        &mut c,
        "SELECT cdp.unlink('anonymous_id', 'k2', 'user_id', 'u1')",
    );
    next(&mut c, &["split u1>k2 1 unlink 3 cannot_link k2-u1"]);
    run(&mut c, "SELECT cdp.revoke_message('web', 'm1')");
    next(&mut c, &["split u1>k1 1 revoke_message 4 observed k1-u1"]);
    accept(
        &mut c,
        &[
            "identify('u2', anonymous_id => 'k1', message_id => 'm3', \"timestamp\" => '2026-01-04Z')",
        ],
    );
    next(&mut c, &["merge k1>u2 1 batch observed k1-u2 default m3"]);
    run(&mut c, "SELECT cdp.undo(4)");
    // The older message says that k1 is of u1.
    next(&mut c, &["move u2>u1 1 undo 5 observed k1-u2"]);
    // A rule.
    run(
        &mut c,
        "SELECT cdp.alter_identifier_type('anonymous_id', blocked_values => '{k1}')",
    );
    next(&mut c, &["removal 1 rules observed k1-u1"]);

    // A rebuild changes none of it.
    let all = changes(&mut c, 0);
    run(&mut c, "SELECT cdp.rebuild()");
    assert_eq!(changes(&mut c, 0), all);

    let merges: Vec<String> = column(
        &mut c,
        "SELECT format('%s %s>%s', kind, f.value, t.value) FROM cdp.profile_merges m \
           JOIN cdp.identifiers f ON f.node_id = m.from_profile JOIN cdp.identifiers t ON t.node_id = m.into_profile \
          ORDER BY step_id",
    );
    assert_eq!(
        merges,
        ["rename k1>u1", "merge k2>u1", "merge u2>u1", "merge k1>u2"]
    );
}

#[test]
fn an_old_profile_id_leads_to_all_that_it_was() {
    let (_db, mut c) = db();
    accept(
        &mut c,
        &["track('View', anonymous_id => 'k1')", "identify('u2')"],
    );
    let k1 = id(&mut c, "anonymous_id", "k1");
    assert_eq!(ids(&mut c, k1), [k1]);
    accept(&mut c, &["identify('u1', anonymous_id => 'k1')"]);
    let (u1, u2) = (id(&mut c, "user_id", "u1"), id(&mut c, "user_id", "u2"));
    assert_eq!((ids(&mut c, k1), ids(&mut c, u1)), (vec![u1], vec![u1]));
    run(&mut c, "SELECT cdp.link('user_id', 'u1', 'user_id', 'u2')");
    let one_person = u1.min(u2);
    assert_eq!(
        (ids(&mut c, k1), ids(&mut c, u1), ids(&mut c, u2)),
        (vec![one_person], vec![one_person], vec![one_person])
    );
    // Who kept the id of the two while they were one may mean either; its own comes first.
    run(&mut c, "SELECT cdp.undo(1)");
    let other = u1.max(u2);
    assert_eq!(ids(&mut c, one_person), [one_person, other]);
    assert_eq!(ids(&mut c, other), [other]);
    run(
        &mut c,
        "SELECT cdp.unlink('user_id', 'u1', 'anonymous_id', 'k1')",
    );
    assert!(ids(&mut c, u1).contains(&k1) && ids(&mut c, u1).contains(&u1));
    assert_eq!(ids(&mut c, 1_000_000), Vec::<i64>::new());
}

#[test]
fn an_identifier_resolves_to_who_it_was() {
    let (_db, mut c) = db();
    let start = now(&mut c);
    let mut told: Vec<(String, Vec<Option<i64>>)> = Vec::new();
    let who = |c: &mut Client, at: Option<&str>| -> Vec<Option<i64>> {
        let at = at.map_or(String::new(), |at| format!(", as_of => '{at}'"));
        [
            ("anonymous_id", "k1"),
            ("user_id", "u1"),
            ("user_id", "u2"),
            ("user_id", "never"),
        ]
        .iter()
        .map(|(name, value)| one(c, &format!("SELECT cdp.resolve('{name}', '{value}'{at})")))
        .collect()
    };
    for change in [
        "SELECT cdp.track('View', anonymous_id => 'k1'); SELECT cdp.process()",
        "SELECT cdp.identify('u1', anonymous_id => 'k1'); SELECT cdp.process()",
        "SELECT cdp.identify('u2', anonymous_id => 'k1', message_id => 'm'); SELECT cdp.process()",
        "SELECT cdp.link('user_id', 'u1', 'user_id', 'u2')",
        "SELECT cdp.undo(1)",
        "SELECT cdp.unlink('user_id', 'u1', 'anonymous_id', 'k1')",
        "SELECT cdp.revoke_source('default')",
        "SELECT cdp.undo(4)",
    ] {
        run(&mut c, change);
        let present = who(&mut c, None);
        told.push((now(&mut c), present));
    }
    for (at, present) in &told {
        assert_eq!(&who(&mut c, Some(at)), present, "{at}");
    }
    assert_eq!(who(&mut c, Some(&start)), [None; 4]);
    assert_eq!(who(&mut c, Some("-infinity")), [None; 4]);
    assert_eq!(who(&mut c, Some("infinity")), told.last().expect("some").1);
    // History is no derived state: a rebuild leaves it.
    run(&mut c, "SELECT cdp.rebuild()");
    for (at, present) in &told {
        assert_eq!(&who(&mut c, Some(at)), present, "{at}");
    }
}

/// Steps in which identifiers only became known are kept to the minute, after a day.
#[test]
fn what_only_became_known_is_thinned() {
    let server = Server::start(ServerOptions {
        preload: true,
        settings: &[("cdp.workers", "off"), ("cdp.discovery_interval", "200ms")],
    });
    server.create_cdp_db("app");
    let mut c = server.connect("app");
    run(
        &mut c,
        "INSERT INTO cdp.identity_steps (decided_at, cause, last_node_id, moves) \
         SELECT date_trunc('minute', now()) - age + second * interval '1 second', 'batch', n, moves \
           FROM (VALUES (1, interval '3 days', 10, 1), (2, '3 days', 20, 0), (3, '3 days', 30, 0), (4, '3 days', 59, 0), \
                        (5, '2 days', 10, 0), (6, '2 days', 20, 1), (7, '1 hour', 10, 0), (8, '1 hour', 20, 0)) \
                s (n, age, second, moves) ORDER BY n",
    );
    run(&mut c, "ALTER SYSTEM SET cdp.workers = on");
    run(&mut c, "SELECT pg_reload_conf()");
    let left =
        "SELECT string_agg(last_node_id::text, ' ' ORDER BY step_id) FROM cdp.identity_steps";
    server.wait_for(
        "the worker to keep house",
        std::time::Duration::from_secs(30),
        || (one::<String>(&mut c, left) == "1 4 6 7 8").then_some(()),
    );
}
