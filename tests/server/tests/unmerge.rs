//! What people say by hand about who is who: links, cannot-links, revoked evidence, and undoing them.

use cdp_server_tests::sql::{column, fails, one, run};
use cdp_server_tests::{Client, TestDb, fresh_db};

/// A database without a worker of its own to wait for.
fn db() -> (TestDb, Client) {
    let db = fresh_db();
    let mut client = db.connect();
    run(
        &mut client,
        "SELECT cdp.create_trait('city', 'text'); \
         SELECT cdp.create_segment('porto', $$ city = 'Porto' $$); \
         SELECT cdp.create_segment('buyers', $$ did 'Buy' at least 2 times $$); \
         SELECT cdp.create_source('web'); SELECT cdp.create_source('app')",
    );
    (db, client)
}

/// Messages, then all that waits is processed.
fn accept(client: &mut Client, calls: &[&str]) {
    for call in calls {
        run(client, &format!("SELECT cdp.{call}"));
    }
    run(client, "CALL cdp.process_all()");
}

/// Every profile: its id, its identifiers, its city, its events and its segments.
const PEOPLE: &str = "
SELECT format('%s: %s | %s | %s | %s', p.profile_id,
              (SELECT string_agg(value, ' ' ORDER BY value COLLATE \"C\") FROM cdp.profile_identifiers i WHERE i.profile_id = p.profile_id),
              p.city,
              (SELECT string_agg(name, ' ' ORDER BY name, \"time\") FROM cdp.profile_events e WHERE e.profile_id = p.profile_id),
              (SELECT string_agg(segment, ' ' ORDER BY segment) FROM cdp.segment_members m WHERE m.profile_id = p.profile_id))
  FROM cdp.profiles p ORDER BY p.profile_id";

fn people(client: &mut Client) -> Vec<String> {
    column(client, PEOPLE)
}

fn are_one(client: &mut Client, a: (&str, &str), b: (&str, &str)) -> bool {
    let (a, b) = [a, b]
        .map(|(name, value)| format!("cdp.resolve('{name}', '{value}')"))
        .into();
    one(client, &format!("SELECT coalesce({a} = {b}, false)"))
}

/// A rebuild finds nothing to change.
fn rebuilt(client: &mut Client) {
    let before = people(client);
    run(client, "SELECT cdp.rebuild()");
    assert_eq!(people(client), before, "a rebuild changed something");
}

#[test]
fn two_accounts_merged_by_hand_are_one_until_it_is_undone() {
    let (_db, mut c) = db();
    accept(
        &mut c,
        &[
            "identify('u1', traits => '{\"email\": \"a@x.org\", \"city\": \"Porto\"}', \"timestamp\" => '2026-01-01Z')",
            "identify('u2', traits => '{\"email\": \"b@x.org\", \"city\": \"Faro\"}', \"timestamp\" => '2026-01-02Z')",
            "track('Buy', 'u1')",
            "track('Buy', 'u2')",
        ],
    );
    let apart = people(&mut c);
    let (u1, u2): (i64, i64) = (
        one(&mut c, "SELECT cdp.resolve('user_id', 'u1')"),
        one(&mut c, "SELECT cdp.resolve('user_id', 'u2')"),
    );
    // A person has one user id; somebody who knows says that this one has two.
    let link: i64 = one(
        &mut c,
        "SELECT cdp.link('user_id', 'u1', 'user_id', 'u2', reason => 'called us')",
    );
    assert_eq!(
        people(&mut c),
        [format!(
            "{u1}: a@x.org b@x.org u1 u2 | Faro | Buy Buy | buyers"
        )],
        "at once, in the same transaction"
    );
    rebuilt(&mut c);

    // Later messages of both are of the one person, and the limit still counts: the two are one
    // towards it, a third is too many.
    accept(
        &mut c,
        &[
            "identify('u2', traits => '{\"city\": \"Porto\"}', anonymous_id => 'k2', \"timestamp\" => '2026-02-01Z')",
            "track('View', 'u1', anonymous_id => 'k1')",
            "identify('u3', traits => '{\"email\": \"a@x.org\"}', \"timestamp\" => '2026-02-02Z')",
        ],
    );
    assert!(are_one(
        &mut c,
        ("anonymous_id", "k1"),
        ("anonymous_id", "k2")
    ));
    assert!(!are_one(&mut c, ("user_id", "u3"), ("user_id", "u1")));
    assert!(are_one(&mut c, ("email", "a@x.org"), ("user_id", "u1")));
    assert_eq!(
        one::<String>(
            &mut c,
            &format!("SELECT city FROM cdp.profiles WHERE profile_id = {u1}")
        ),
        "Porto"
    );
    rebuilt(&mut c);

    run(&mut c, &format!("SELECT cdp.undo({link}, 'no, a sister')"));
    assert_eq!(
        one::<i64>(&mut c, "SELECT cdp.resolve('user_id', 'u2')"),
        u2
    );
    let now = people(&mut c);
    assert_eq!(
        now[..2],
        [
            format!("{u1}: a@x.org k1 u1 | Porto | Buy View | porto"),
            format!("{u2}: b@x.org k2 u2 | Porto | Buy | porto"),
        ]
    );
    assert_ne!(now, apart);
    rebuilt(&mut c);
}

#[test]
fn linked_and_undone_is_never_linked() {
    let (_db, mut c) = db();
    accept(
        &mut c,
        &[
            "identify('u1', traits => '{\"email\": \"a@x.org\", \"city\": \"Porto\"}')",
            "track('Buy', anonymous_id => 'k1')",
            "track('Buy', anonymous_id => 'k1')",
        ],
    );
    let before = people(&mut c);
    let link: i64 = one(
        &mut c,
        "SELECT cdp.link('email', ' A@X.org', 'anonymous_id', 'k1')",
    );
    assert_eq!(people(&mut c).len(), 1);
    // Unlinked again, or undone: the same, as long as nothing else joins them.
    let unlink: i64 = one(
        &mut c,
        "SELECT cdp.unlink('anonymous_id', 'k1', 'email', 'a@x.org')",
    );
    assert_eq!(people(&mut c), before);
    run(&mut c, &format!("SELECT cdp.undo({unlink})"));
    assert_eq!(people(&mut c).len(), 1, "the link stands again");
    let undo: i64 = one(&mut c, &format!("SELECT cdp.undo({link})"));
    assert_eq!(people(&mut c), before);
    run(&mut c, &format!("SELECT cdp.undo({undo})"));
    assert_eq!(people(&mut c).len(), 1, "an undo can be undone");
    rebuilt(&mut c);
}

#[test]
fn what_is_unlinked_is_not_linked_by_the_next_message() {
    let (_db, mut c) = db();
    let message =
        "track('Buy', 'u1', anonymous_id => 'k1', identifiers => '{\"email\": \"a@x.org\"}')";
    accept(&mut c, &[message]);
    let before = people(&mut c);
    let unlink: i64 = one(
        &mut c,
        "SELECT cdp.unlink('user_id', 'u1', 'anonymous_id', 'k1', reason => 'his sister''s telephone')",
    );
    assert!(!are_one(&mut c, ("user_id", "u1"), ("anonymous_id", "k1")));
    accept(
        &mut c,
        &[
            message,
            // Nor by a detour.
            "identify(anonymous_id => 'k1', traits => '{\"email\": \"a@x.org\"}')",
        ],
    );
    assert!(!are_one(&mut c, ("user_id", "u1"), ("anonymous_id", "k1")));
    assert!(are_one(&mut c, ("user_id", "u1"), ("email", "a@x.org")));
    let refused: Vec<String> = column(
        &mut c,
        "SELECT b.value FROM cdp.links l JOIN cdp.identifiers b ON b.node_id = l.high WHERE decision = 1 ORDER BY 1",
    );
    assert_eq!(refused, ["k1", "k1"]);
    rebuilt(&mut c);
    run(&mut c, &format!("SELECT cdp.undo({unlink})"));
    assert!(are_one(&mut c, ("user_id", "u1"), ("anonymous_id", "k1")));
    assert_eq!(people(&mut c).len(), before.len());
    rebuilt(&mut c);
}

#[test]
fn cannot_links_beat_links() {
    let (_db, mut c) = db();
    run(
        &mut c,
        "SELECT cdp.link('user_id', 'u1', 'user_id', 'u2'); SELECT cdp.unlink('user_id', 'u1', 'user_id', 'u3')",
    );
    run(&mut c, "SELECT cdp.link('user_id', 'u2', 'user_id', 'u3')");
    assert!(
        !are_one(&mut c, ("user_id", "u2"), ("user_id", "u3")),
        "cannot-links win"
    );
    assert!(are_one(&mut c, ("user_id", "u1"), ("user_id", "u2")));
    let decisions: Vec<i16> = column(
        &mut c,
        "SELECT decision FROM cdp.asserted_links ORDER BY change_id",
    );
    assert_eq!(decisions, [0, 1]);
    // Never seen in any message: they have ids, and nothing to show.
    assert_eq!(people(&mut c), Vec::<String>::new());
    rebuilt(&mut c);
}

#[test]
fn a_revoked_message_was_never_accepted() {
    let (_db, mut c) = db();
    accept(
        &mut c,
        &[
            "identify('u1', traits => '{\"email\": \"a@x.org\", \"city\": \"Faro\"}', \"timestamp\" => '2026-01-01Z')",
            "identify('u2', traits => '{\"email\": \"b@x.org\", \"city\": \"Faro\"}', \"timestamp\" => '2026-01-01Z')",
            "track('Buy', anonymous_id => 'k1', \"timestamp\" => '2026-01-01Z')",
            "track('Buy', 'u1', \"timestamp\" => '2026-01-01Z')",
        ],
    );
    let without = people(&mut c);
    let wrong = "identify('u1', anonymous_id => 'k1', traits => '{\"city\": \"Porto\"}', message_id => 'w1', source => 'web', \
                  \"timestamp\" => '2026-02-01Z')";
    accept(&mut c, &[wrong]);
    let with = people(&mut c);
    assert!(
        with[0].ends_with("| Porto | Buy Buy | buyers porto"),
        "{with:?}"
    );

    let revoked: i64 = one(
        &mut c,
        "SELECT cdp.revoke_message('web', 'w1', reason => 'a shared computer')",
    );
    assert_eq!(people(&mut c), without);
    rebuilt(&mut c);
    let stored: (bool, String) = {
        let row = c
            .query_one(
                "SELECT revoked, traits ->> 'city' FROM cdp.messages WHERE message_id = 'w1'",
                &[],
            )
            .expect("it stays");
        (row.get(0), row.get(1))
    };
    assert_eq!(stored, (true, "Porto".to_owned()));
    // Sent again it is known.
    accept(&mut c, &[wrong]);
    assert_eq!(people(&mut c), without);

    run(&mut c, &format!("SELECT cdp.undo({revoked})"));
    assert_eq!(people(&mut c), with);
    rebuilt(&mut c);

    // One without a messageId is named by its place.
    accept(
        &mut c,
        &["track('Buy', 'u2', anonymous_id => 'k1', \"timestamp\" => '2026-02-03Z')"],
    );
    let after = people(&mut c);
    let event: i64 = one(&mut c, "SELECT max(event_id) FROM cdp.events");
    let revoked: i64 = one(&mut c, &format!("SELECT cdp.revoke_event({event})"));
    assert_eq!(people(&mut c), with);
    rebuilt(&mut c);
    run(&mut c, &format!("SELECT cdp.undo({revoked})"));
    assert_eq!(people(&mut c), after);
}

#[test]
fn a_revoked_source_says_nothing_now_and_later() {
    let (_db, mut c) = db();
    run(
        &mut c,
        "CREATE TABLE public.contacts (id integer PRIMARY KEY, mail text, city text, created timestamptz); \
         INSERT INTO public.contacts VALUES (1, 'a@x.org', 'Porto', '2026-01-01Z'); \
         SELECT cdp.map_table('crm', 'public.contacts', '{\"email\": \"mail\", \"traits\": [\"city\"], \"created_at\": \"created\"}')",
    );
    accept(
        &mut c,
        &[
            "identify('u1', traits => '{\"email\": \"a@x.org\"}', \"timestamp\" => '2026-01-01Z')",
            "track('Buy', 'u1', anonymous_id => 'k1', source => 'app', \"timestamp\" => '2026-01-02Z')",
            "track('Buy', 'u2', source => 'app', \"timestamp\" => '2026-01-02Z')",
        ],
    );
    let with = people(&mut c);
    assert_eq!(with.len(), 2);
    let app: i64 = one(
        &mut c,
        "SELECT cdp.revoke_source('app', 'a broken release')",
    );
    let crm: i64 = one(&mut c, "SELECT cdp.revoke_source('crm')");
    let now = people(&mut c);
    assert_eq!(now.len(), 1, "{now:?}");
    assert!(now[0].ends_with(": a@x.org u1 |  |  | "), "{now:?}");
    rebuilt(&mut c);

    // What comes in later is stored, and says nothing either.
    run(
        &mut c,
        "UPDATE public.contacts SET mail = 'c@x.org'; INSERT INTO public.contacts VALUES (2, 'd@x.org', 'Faro', '2026-01-01Z')",
    );
    accept(
        &mut c,
        &["track('Buy', 'u1', anonymous_id => 'k3', source => 'app', message_id => 'late')"],
    );
    assert_eq!(people(&mut c), now);
    assert_eq!(
        one::<i64>(&mut c, "SELECT count(*) FROM cdp.events WHERE revoked"),
        3
    );
    assert_eq!(
        one::<i64>(&mut c, "SELECT count(*) FROM cdp.profile_records"),
        0
    );
    rebuilt(&mut c);

    run(&mut c, &format!("SELECT cdp.undo({app}), cdp.undo({crm})"));
    assert_eq!(
        one::<i64>(&mut c, "SELECT count(*) FROM cdp.events WHERE revoked"),
        0
    );
    assert_eq!(
        one::<i64>(&mut c, "SELECT count(*) FROM cdp.profile_records"),
        2
    );
    assert!(are_one(&mut c, ("user_id", "u1"), ("anonymous_id", "k3")));
    let cities: Vec<String> = column(
        &mut c,
        "SELECT city FROM cdp.profiles WHERE city IS NOT NULL ORDER BY 1",
    );
    assert_eq!(cities, ["Faro", "Porto"]);
    rebuilt(&mut c);

    // One row of a mapped table, also after it changed.
    let row: i64 = one(&mut c, "SELECT cdp.revoke_message('crm', '1')");
    run(&mut c, "UPDATE public.contacts SET city = 'Braga'");
    accept(&mut c, &["track('Look', 'u9')"]);
    let cities: Vec<String> = column(
        &mut c,
        "SELECT city FROM cdp.profiles WHERE city IS NOT NULL ORDER BY 1",
    );
    assert_eq!(cities, ["Braga"]);
    rebuilt(&mut c);
    run(&mut c, &format!("SELECT cdp.undo({row})"));
    assert_eq!(
        one::<i64>(
            &mut c,
            "SELECT count(*) FROM cdp.profiles WHERE city = 'Braga'"
        ),
        2
    );
}

#[test]
fn changed_rules_apply_to_what_was_said_by_hand() {
    let (_db, mut c) = db();
    run(&mut c, "SELECT cdp.create_identifier_type('loyalty', 99)");
    accept(
        &mut c,
        &[
            "identify('u1')",
            "track('Buy', identifiers => '{\"loyalty\": \"ab-1\"}')",
        ],
    );
    run(
        &mut c,
        "SELECT cdp.link('user_id', 'u1', 'loyalty', 'AB-1')",
    );
    let (card, person) = (("loyalty", "ab-1"), ("user_id", "u1"));
    assert!(
        !are_one(&mut c, card, person),
        "other letters, another card"
    );
    // Read anew under the normaliser in force, as every message is.
    run(
        &mut c,
        "SELECT cdp.alter_identifier_type('loyalty', normaliser => 'casefold')",
    );
    assert!(are_one(&mut c, card, person));
    rebuilt(&mut c);
    // What is blocked stands for nobody, whatever is said of it.
    run(
        &mut c,
        "SELECT cdp.alter_identifier_type('loyalty', blocked_values => '{ab-1}')",
    );
    assert!(!are_one(&mut c, card, person));
    rebuilt(&mut c);
    run(
        &mut c,
        "SELECT cdp.alter_identifier_type('loyalty', reset => '{blocked_values}')",
    );
    assert!(are_one(&mut c, card, person));
    // Nor is what is no value of its type any more; the word is kept.
    run(
        &mut c,
        "SELECT cdp.alter_identifier_type('loyalty', pattern => '^[0-9]+$')",
    );
    assert!(!are_one(&mut c, card, person));
    run(
        &mut c,
        "SELECT cdp.alter_identifier_type('loyalty', reset => '{pattern}')",
    );
    assert!(are_one(&mut c, card, person));
    rebuilt(&mut c);
    // A limit is none for it.
    run(
        &mut c,
        "SELECT cdp.alter_identifier_type('user_id', max_per_profile => 1); SELECT cdp.link('loyalty', 'ab-1', 'user_id', 'u2')",
    );
    assert!(are_one(&mut c, ("user_id", "u2"), person));
    rebuilt(&mut c);
}

#[test]
fn what_is_said_by_hand_is_kept_with_who_when_and_why() {
    let (db, mut c) = db();
    run(
        &mut c,
        "CREATE ROLE steward LOGIN IN ROLE cdp_owner; CREATE ROLE team IN ROLE cdp_owner; GRANT team TO steward",
    );
    let mut steward = db.connect_as("steward");
    run(
        &mut steward,
        "SELECT cdp.link('user_id', 'u1', 'email', 'A@x.org', reason => 'ticket 7'); \
         SET ROLE team; SELECT cdp.undo(1, 'ticket 8')",
    );
    let log: Vec<String> = column(
        &mut c,
        "SELECT concat_ws(', ', change_id, kind, made_by, login, reason, stands, undone_by, undone_because, \
                          type_a, value_a, type_b, value_b, undoes, undone_by_change) \
           FROM cdp.assertion_log WHERE made_at <= now() ORDER BY change_id",
    );
    assert_eq!(
        log,
        [
            "1, link, steward, steward, ticket 7, f, team, ticket 8, user_id, u1, email, A@x.org, 2",
            "2, undo, team, steward, ticket 8, t, 1",
        ]
    );
    run(&mut steward, "RESET ROLE; DROP OWNED BY team");
    run(&mut c, "DROP ROLE team, steward");
}

#[test]
fn what_cannot_be_said_is_refused() {
    let (db, mut c) = db();
    accept(&mut c, &["identify('u1', message_id => 'm1')"]);
    let wrong = [
        (
            "SELECT cdp.link('user_id', 'u1', 'user_id', ' u1 ')",
            "22023",
            "one identifier",
        ),
        (
            "SELECT cdp.link('shoe', 'u1', 'user_id', 'u2')",
            "42704",
            "Declared: user_id",
        ),
        (
            "SELECT cdp.link('user_id', 'null', 'user_id', 'u2')",
            "22023",
            "blocked",
        ),
        (
            "SELECT cdp.unlink('email', 'no mail', 'user_id', 'u2')",
            "22023",
            "no value",
        ),
        (
            "SELECT cdp.link(NULL, 'u1', 'user_id', 'u2')",
            "22004",
            "type_a",
        ),
        ("SELECT cdp.revoke_source('nowhere')", "42704", "There are:"),
        ("SELECT cdp.revoke_source(NULL)", "22004", "source"),
        (
            "SELECT cdp.revoke_message('web', 'm1')",
            "42704",
            "sent no message",
        ),
        ("SELECT cdp.revoke_event(99)", "42704", "nothing is stored"),
        ("SELECT cdp.undo(99)", "42704", "assertion_log"),
        (
            "SELECT cdp.undo(cdp.link('user_id', 'u1', 'user_id', 'u2')); SELECT cdp.undo(1)",
            "55000",
            "cdp.undo(2)",
        ),
        (
            "BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT cdp.link('user_id', 'u1', 'user_id', 'u2')",
            "25000",
            "",
        ),
    ];
    for (sql, code, part) in wrong {
        let (found, message) = fails(&mut c, sql);
        assert_eq!(found, code, "{sql}: {message}");
        assert!(message.contains(part), "{sql}: {message}");
        run(&mut c, "ROLLBACK");
    }
    assert_eq!(one::<i64>(&mut c, "SELECT count(*) FROM cdp.assertions"), 0);

    run(
        &mut c,
        "CREATE ROLE analyst2 LOGIN IN ROLE cdp_reader, cdp_ingest",
    );
    let mut analyst = db.connect_as("analyst2");
    for call in [
        "link('user_id', 'u1', 'user_id', 'u2')",
        "unlink('user_id', 'u1', 'user_id', 'u2')",
        "revoke_source('web')",
        "revoke_message('web', 'm1')",
        "revoke_event(1)",
        "undo(1)",
    ] {
        let (code, message) = fails(&mut analyst, &format!("SELECT cdp.{call}"));
        assert_eq!(code, "42501", "{call}: {message}");
    }
    run(&mut analyst, "SELECT * FROM cdp.assertion_log");
    drop(analyst);
    run(&mut c, "DROP ROLE analyst2");
}
