//! Identifiers that serve one person after another, and types that keep the last link.

mod common;

use cdp_server_tests::sql::{column, difference, tables};
use cdp_server_tests::{Client, Server, ServerOptions};
use common::{error_code, one, run};

fn start() -> Server {
    let server = Server::start(ServerOptions {
        preload: true,
        settings: &[("cdp.workers", "off")],
    });
    server.create_cdp_db("app");
    server
}

/// Messages with single quotes for double ones.
fn say(client: &mut Client, messages: &[&str]) {
    for message in messages {
        let message = message.replace('\'', "\"");
        client
            .execute("INSERT INTO cdp.inbox (message) VALUES ($1)", &[&message])
            .expect("a message");
    }
    while one::<i64>(client, "SELECT cdp.process()", &[]) > 0 {}
    let dead: i64 = one(client, "SELECT count(*) FROM cdp.dead_letter", &[]);
    assert_eq!(dead, 0);
}

fn check_rebuild(client: &mut Client) {
    let before = tables(client, &["segments"]);
    run(client, "SELECT cdp.rebuild()");
    let after = tables(client, &["segments"]);
    if let Some(difference) = difference(&before, &after) {
        panic!("a rebuild changed\n{difference}");
    }
}

/// Whose the pages are: page and user id, by time; "-" where it is nobody's that has one.
fn pages(client: &mut Client) -> Vec<String> {
    column(
        client,
        "SELECT e.name || ' ' || coalesce((SELECT string_agg(i.value, '+') FROM cdp.profile_identifiers i \
                 WHERE i.profile_id = e.profile_id AND i.type = 'user_id'), '-') \
           FROM cdp.profile_events e WHERE e.type = 'page' ORDER BY e.\"time\"",
    )
}

#[test]
fn a_tablet_that_a_family_takes_turns_on() {
    let server = start();
    let client = &mut server.connect("app");
    run(
        client,
        "SELECT cdp.alter_identifier_type('anonymous_id', time_sliced => true); \
         SELECT cdp.create_trait('theme', 'text'); \
         SELECT cdp.create_segment('readers', $$ did 'p4' $$); \
         SELECT cdp.create_segment('dark', $$ theme = 'dark' $$)",
    );
    // Before anybody signs in, the tablet is somebody by itself.
    say(
        client,
        &["{'type':'page','name':'p1','anonymousId':'tab','timestamp':'2026-01-01'}"],
    );
    assert_eq!(pages(client), ["p1 -"]);
    let tablet: i64 = one(client, "SELECT cdp.resolve('anonymous_id', 'tab')", &[]);

    // u1, u2, u1 again; each with what is shown between the two.
    say(
        client,
        &[
            "{'type':'identify','userId':'u1','anonymousId':'tab','timestamp':'2026-01-02'}",
            "{'type':'page','name':'p3','anonymousId':'tab','timestamp':'2026-01-03'}",
            "{'type':'identify','userId':'u2','anonymousId':'tab','timestamp':'2026-01-04'}",
            "{'type':'page','name':'p5','anonymousId':'tab','timestamp':'2026-01-05','context':{'traits':{'theme':'dark'}}}",
            "{'type':'identify','userId':'u1','anonymousId':'tab','timestamp':'2026-01-06'}",
            "{'type':'page','name':'p7','anonymousId':'tab','timestamp':'2026-01-07'}",
        ],
    );
    assert_eq!(pages(client), ["p1 u1", "p3 u1", "p5 u2", "p7 u1"]);
    // It joins nothing, and what it was before is found where it is now.
    let people = "SELECT count(*) FROM cdp.profiles";
    assert_eq!(one::<i64>(client, people, &[]), 2);
    let links: i64 = one(client, "SELECT count(*) FROM cdp.links", &[]);
    assert_eq!(links, 0);
    let is_u1 = "SELECT cdp.resolve('anonymous_id', 'tab') = cdp.resolve('user_id', 'u1') \
                    AND cdp.profile($1) = cdp.profile(cdp.resolve('user_id', 'u1'))";
    assert!(one::<bool>(client, is_u1, &[&tablet]));
    // A profile is as young as what it did signed out, and has the traits that it said then.
    let of = |client: &mut Client, user: &str| {
        column::<String>(
            client,
            &format!(
                "SELECT to_char(first_seen, 'MM-DD ') || to_char(last_seen, 'MM-DD ') || coalesce(theme, '-') \
                   FROM cdp.profiles WHERE profile_id = cdp.resolve('user_id', '{user}')"
            ),
        )
        .remove(0)
    };
    assert_eq!(of(client, "u1"), "01-01 01-07 -");
    assert_eq!(of(client, "u2"), "01-04 01-05 dark");
    let dark: String = one(
        client,
        "SELECT cdp.profile(cdp.resolve('user_id', 'u2')) #>> '{traits,theme,value}'",
        &[],
    );
    assert_eq!(dark, "dark");
    let members = "SELECT (SELECT count(*) FROM cdp.segment_members WHERE segment = 'dark' \
        AND profile_id = cdp.resolve('user_id', $1))";
    assert_eq!(one::<i64>(client, members, &[&"u2"]), 1);
    check_rebuild(client);

    // A login that comes late takes the slice that it falls into, and no row but those of that slice.
    let before = column::<String>(client, "SELECT w::text FROM cdp.switch_points w ORDER BY 1");
    let rows = column::<String>(
        client,
        "SELECT e.ctid::text || e.tableoid FROM cdp.events e ORDER BY 1",
    );
    say(
        client,
        &[
            "{'type':'identify','userId':'u3','anonymousId':'tab','timestamp':'2026-01-04T12:00:00Z'}",
        ],
    );
    assert_eq!(pages(client), ["p1 u1", "p3 u1", "p5 u3", "p7 u1"]);
    assert_eq!(of(client, "u2"), "01-04 01-04 -");
    assert_eq!(of(client, "u3"), "01-04 01-05 dark");
    assert_eq!(one::<i64>(client, members, &[&"u2"]), 0);
    assert_eq!(one::<i64>(client, members, &[&"u3"]), 1);
    let after = column::<String>(client, "SELECT w::text FROM cdp.switch_points w ORDER BY 1");
    assert_eq!(after.len(), before.len() + 1);
    assert!(before.iter().all(|point| after.contains(point)));
    let same = column::<String>(
        client,
        "SELECT e.ctid::text || e.tableoid FROM cdp.events e ORDER BY 1",
    );
    assert_eq!(rows, same, "events were rewritten");
    check_rebuild(client);

    // An event that comes late finds its slice; so does what an earlier login leaves of one.
    say(
        client,
        &[
            "{'type':'page','name':'p4','anonymousId':'tab','timestamp':'2026-01-04T06:00:00Z'}",
            "{'type':'identify','userId':'u2','anonymousId':'tab','timestamp':'2026-01-02T12:00:00Z'}",
        ],
    );
    assert_eq!(pages(client), ["p1 u1", "p3 u2", "p4 u2", "p5 u3", "p7 u1"]);
    let readers: bool = one(
        client,
        "SELECT array_agg(profile_id) = ARRAY[cdp.resolve('user_id', 'u2')] \
           FROM cdp.segment_members WHERE segment = 'readers'",
        &[],
    );
    assert!(readers);
    check_rebuild(client);

    // Two profiles that become one take their slices along.
    say(
        client,
        &[
            "{'type':'identify','userId':'u9','traits':{'email':'a@x.org'},'timestamp':'2026-02-01'}",
            "{'type':'page','name':'p9','traits':{},'anonymousId':'tab2','timestamp':'2026-02-02'}",
            "{'type':'identify','anonymousId':'tab2','traits':{'email':'a@x.org'},'timestamp':'2026-02-03'}",
        ],
    );
    assert_eq!(pages(client).last().map(String::as_str), Some("p9 u9"));
    check_rebuild(client);

    // No longer sliced, a tablet is one person's again: of the first who signed in.
    run(
        client,
        "SELECT cdp.alter_identifier_type('anonymous_id', reset => '{time_sliced}')",
    );
    assert_eq!(
        pages(client)[..5],
        ["p1 u1", "p3 u1", "p4 u1", "p5 u1", "p7 u1"]
    );
    check_rebuild(client);
    run(
        client,
        "SELECT cdp.alter_identifier_type('anonymous_id', time_sliced => true)",
    );
    assert_eq!(
        pages(client)[..5],
        ["p1 u1", "p3 u2", "p4 u2", "p5 u3", "p7 u1"]
    );
    check_rebuild(client);
}

#[test]
fn back_dated_logins_are_bounded_like_links() {
    let server = start();
    let client = &mut server.connect("app");
    run(
        client,
        "SELECT cdp.alter_identifier_type('anonymous_id', time_sliced => true); \
         SELECT cdp.alter_source('default', max_backdate => '7 days'); \
         INSERT INTO cdp.inbox (message, received_at) VALUES \
             ('{\"type\":\"page\",\"name\":\"p\",\"anonymousId\":\"k\",\"timestamp\":\"2025-12-31\"}', '2026-01-02'), \
             ('{\"type\":\"identify\",\"userId\":\"u1\",\"anonymousId\":\"k\",\"timestamp\":\"2026-01-01\"}', '2026-01-01')",
    );
    say(
        client,
        &["{'type':'identify','userId':'mallory','anonymousId':'k','timestamp':'2001-01-01'}"],
    );
    assert_eq!(pages(client), ["p u1"]);
    check_rebuild(client);
}

#[test]
fn the_newest_link_wins_where_that_is_asked_for() {
    let server = start();
    let client = &mut server.connect("app");
    let seen = |user: &str, day: u8| {
        format!(
            "{{'type':'track','event':'x','userId':'{user}','anonymousId':'k','timestamp':'2026-01-0{day}'}}"
        )
    };
    let whose = |client: &mut Client| -> String {
        one(
            client,
            "SELECT value FROM cdp.profile_identifiers WHERE type = 'user_id' \
                AND profile_id = cdp.resolve('anonymous_id', 'k')",
            &[],
        )
    };
    for (user, day) in [("u1", 1), ("u2", 2), ("u1", 3), ("u2", 4)] {
        say(client, &[&seen(user, day)]);
    }
    assert_eq!(whose(client), "u1");
    run(
        client,
        "SELECT cdp.alter_identifier_type('anonymous_id', keep => 'last')",
    );
    assert_eq!(whose(client), "u2");
    for (user, day) in [("u1", 5), ("u3", 6)] {
        say(client, &[&seen(user, day)]);
        assert_eq!(whose(client), user);
        check_rebuild(client);
    }
    // What comes late is not newest.
    say(client, &[&seen("u2", 5)]);
    assert_eq!(whose(client), "u3");
    check_rebuild(client);
}

#[test]
fn what_joins_no_profile_has_no_rules_of_joining() {
    let server = start();
    let client = &mut server.connect("app");
    for (with, sqlstate) in [
        ("time_sliced => true, max_per_profile => 1", "22023"),
        (
            "time_sliced => true, max_degree => '{\"user_id\": 3}'",
            "22023",
        ),
        ("time_sliced => true, keep => 'last'", "22023"),
        ("keep => 'newest'", "22023"),
    ] {
        let sql = format!("SELECT cdp.create_identifier_type('till', 70, {with})");
        assert_eq!(error_code(client, &sql), sqlstate, "{with}");
    }
    run(
        client,
        "SELECT cdp.create_identifier_type('till', 70, time_sliced => true); \
         SELECT cdp.alter_identifier_type('email', keep => 'last')",
    );
    // The document says so too, and means the same.
    let config = "SELECT cdp.config() -> 'identifier_types' @> \
        '[{\"name\": \"till\", \"time_sliced\": true}, {\"name\": \"email\", \"keep\": \"last\"}]' \
        AND NOT EXISTS (SELECT 1 FROM cdp.plan(cdp.config()))";
    assert!(one::<bool>(client, config, &[]));
}

/// The first columns of an explanation, without who said what by hand.
fn explained(client: &mut Client, a: (&str, &str), b: (&str, &str)) -> Vec<String> {
    column(
        client,
        &format!(
            "SELECT concat_ws(' ', step, from_value, to_value, kind, decision, rule, sources, count) \
               FROM cdp.explain_identity('{}', '{}', '{}', '{}')",
            a.0, a.1, b.0, b.1
        ),
    )
}

#[test]
fn it_is_explained_whose_a_tablet_was_when() {
    let server = start();
    let client = &mut server.connect("app");
    run(
        client,
        "SELECT cdp.alter_identifier_type('anonymous_id', time_sliced => true)",
    );
    say(
        client,
        &[
            "{'type':'page','name':'p1','anonymousId':'tab','timestamp':'2026-01-01'}",
            "{'type':'identify','userId':'u1','anonymousId':'tab','timestamp':'2026-01-02','traits':{'email':'u1@x.org'}}",
            "{'type':'identify','userId':'u2','anonymousId':'tab','timestamp':'2026-01-04T10:30:00Z'}",
            "{'type':'identify','userId':'u1','anonymousId':'tab','timestamp':'2026-01-06'}",
            "{'type':'identify','userId':'u2','anonymousId':'other','timestamp':'2026-01-07'}",
            "{'type':'identify','userId':'u9','timestamp':'2026-01-07'}",
        ],
    );
    let tab = ("anonymous_id", "tab");
    let u1 = "time_sliced: anonymous_id tab serves one person after another, user_id u1 \
              until 2026-01-04T10:30:00Z, from 2026-01-06T00:00:00Z on {default} 2";
    let u2 = "time_sliced: anonymous_id tab serves one person after another, user_id u2 \
              from 2026-01-04T10:30:00Z until 2026-01-06T00:00:00Z {default} 1";
    assert_eq!(
        explained(client, ("user_id", "u1"), tab),
        [format!("1 u1 tab time_sliced sliced {u1}")]
    );
    assert_eq!(
        explained(client, tab, ("email", "u1@x.org")),
        [
            format!("1 tab u1 time_sliced sliced {u1}"),
            "2 u1 u1@x.org observed accepted {default} 1".to_owned()
        ]
    );
    assert_eq!(
        explained(client, ("user_id", "u2"), tab),
        [format!("1 u2 tab time_sliced sliced {u2}")]
    );
    // Two devices of one person; and somebody who never used the tablet: then it is said whose it is.
    assert_eq!(
        explained(client, ("anonymous_id", "other"), tab),
        [
            "1 other u2 time_sliced sliced time_sliced: anonymous_id other serves one person after another, \
             user_id u2 at all times {default} 1"
                .to_owned(),
            format!("2 u2 tab time_sliced sliced {u2}")
        ]
    );
    assert_eq!(
        explained(client, ("user_id", "u9"), tab),
        [format!("u1 tab time_sliced sliced {u1}")]
    );
    // The pictures show it too.
    let graph: String = one(
        client,
        "SELECT string_agg(concat_ws(' ', l ->> 'kind', l ->> 'decision', l ->> 'count', l -> 'slices'), '; ') \
           FROM jsonb_array_elements(cdp.profile_graph(cdp.resolve('user_id', 'u1')) -> 'links') l \
          WHERE l ->> 'kind' <> 'observed'",
        &[],
    );
    assert_eq!(
        graph,
        "time_sliced sliced 2 [{\"from\": null, \"until\": \"2026-01-04T10:30:00Z\"}, \
         {\"from\": \"2026-01-06T00:00:00Z\", \"until\": null}]"
    );
    let sliced = "SELECT count(*) FROM jsonb_array_elements(cdp.profile_graph(cdp.resolve('user_id', $1)) -> 'identifiers') i \
         WHERE i -> 'time_sliced' = 'true' AND i -> 'profile_id' = 'null'";
    for (user, tablets) in [("u1", 1), ("u2", 2), ("u9", 0)] {
        assert_eq!(one::<i64>(client, sliced, &[&user]), tablets, "{user}");
    }
    for (picture, words) in [
        ("svg", "until 2026-01-04 10:30, from 2026-01-06"),
        ("svg", "anonymous_id · time-sliced"),
        ("svg", "time-sliced: one person after another"),
        ("dot", "until 2026-01-04 10:30, from 2026-01-06"),
    ] {
        let drawn: String = one(
            client,
            &format!("SELECT cdp.profile_graph_{picture}(cdp.resolve('user_id', 'u1'))"),
            &[],
        );
        assert!(drawn.contains(words), "{words} in {drawn}");
    }
}

#[test]
fn what_is_said_by_hand_counts_more_than_turns() {
    let server = start();
    let client = &mut server.connect("app");
    run(
        client,
        "SELECT cdp.alter_identifier_type('anonymous_id', time_sliced => true)",
    );
    say(
        client,
        &[
            "{'type':'page','name':'p1','anonymousId':'tab','timestamp':'2026-01-01'}",
            "{'type':'identify','userId':'u1','anonymousId':'tab','timestamp':'2026-01-02'}",
            "{'type':'page','name':'p3','anonymousId':'tab','timestamp':'2026-01-03'}",
            "{'type':'identify','userId':'u2','anonymousId':'tab','timestamp':'2026-01-04','traits':{'email':'u2@x.org'}}",
            "{'type':'page','name':'p5','anonymousId':'tab','timestamp':'2026-01-05'}",
            "{'type':'identify','userId':'u1','anonymousId':'tab','timestamp':'2026-01-06'}",
            "{'type':'page','name':'p7','anonymousId':'tab','timestamp':'2026-01-07'}",
        ],
    );
    let in_turn = ["p1 u1", "p3 u1", "p5 u2", "p7 u1"];
    assert_eq!(pages(client), in_turn);
    let say_by_hand = |client: &mut Client, said: &str| -> i64 {
        one(client, &format!("SELECT cdp.{said}"), &[])
    };

    // Linked, it is hers at all times, whoever signs in on it: an identifier like any other.
    let linked = say_by_hand(client, "link('user_id', 'u2', 'anonymous_id', 'tab')");
    assert_eq!(pages(client), ["p1 u2", "p3 u2", "p5 u2", "p7 u2"]);
    let hers = "SELECT cdp.resolve('anonymous_id', 'tab') = cdp.resolve('user_id', 'u2')";
    assert!(one::<bool>(client, hers, &[]));
    assert_eq!(
        explained(client, ("email", "u2@x.org"), ("anonymous_id", "tab")).len(),
        2
    );
    check_rebuild(client);
    say(
        client,
        &[
            "{'type':'identify','userId':'u3','anonymousId':'tab','timestamp':'2026-01-08'}",
            "{'type':'page','name':'p9','anonymousId':'tab','timestamp':'2026-01-09'}",
        ],
    );
    assert_eq!(pages(client), ["p1 u2", "p3 u2", "p5 u2", "p7 u2", "p9 u2"]);
    check_rebuild(client);
    say_by_hand(client, &format!("undo({linked})"));
    assert_eq!(pages(client), ["p1 u1", "p3 u1", "p5 u2", "p7 u1", "p9 u3"]);
    check_rebuild(client);

    // Unlinked, nobody's turn is his: it goes on with whoever was before, or begins with who comes next.
    let apart = say_by_hand(
        client,
        "unlink('anonymous_id', 'tab', 'user_id', 'u1', reason => 'sold')",
    );
    assert_eq!(pages(client), ["p1 u2", "p3 u2", "p5 u2", "p7 u2", "p9 u3"]);
    assert!(
        explained(client, ("user_id", "u1"), ("anonymous_id", "tab"))
            .iter()
            .any(|step| step.contains("cannot_link apart"))
    );
    check_rebuild(client);
    // It stands: what he shows on it later is his own, and no turn either.
    say(
        client,
        &[
            "{'type':'track','event':'x','userId':'u1','anonymousId':'tab','timestamp':'2026-01-10'}",
            "{'type':'page','name':'q1','anonymousId':'tab','timestamp':'2026-01-11'}",
        ],
    );
    assert_eq!(pages(client).last().map(String::as_str), Some("q1 u3"));
    check_rebuild(client);
    // By whichever identifier of a message she is named.
    let other = say_by_hand(client, "unlink('email', 'u2@x.org', 'anonymous_id', 'tab')");
    assert_eq!(
        pages(client),
        ["p1 u3", "p3 u3", "p5 u3", "p7 u3", "p9 u3", "q1 u3"]
    );
    check_rebuild(client);
    for change in [other, apart] {
        say_by_hand(client, &format!("undo({change})"));
        check_rebuild(client);
    }
    assert_eq!(
        pages(client),
        ["p1 u1", "p3 u1", "p5 u2", "p7 u1", "p9 u3", "q1 u1"]
    );
    // Said, and undone, of a tablet that nobody used since, it is as if never said.
    run(
        client,
        "SELECT cdp.revoke_event(event_id) FROM cdp.events WHERE \"time\" >= '2026-01-08'; \
                 SELECT cdp.revoke_event(event_id) FROM cdp.messages WHERE \"time\" >= '2026-01-08'",
    );
    assert_eq!(pages(client), in_turn);
}
