//! The identity graph of a profile: what is in it, as JSON, and that the pictures show the same.

use cdp_server_tests::sql::{column, fails, one, run};
use cdp_server_tests::{Client, Server, ServerOptions, TestDb, fresh_db};

/// Two people: Jane with a cookie and a telephone, and one who showed her e-mail later. A kiosk's address
/// that twelve showed, and a value that stands for nobody.
fn people() -> TestDb {
    let db = fresh_db();
    let mut client = db.connect();
    run(
        &mut client,
        r#"SELECT cdp.create_source('web');
        SELECT cdp.ingest('[
            {"type": "identify", "userId": "u1", "anonymousId": "a1", "timestamp": "2026-01-05T10:00:00Z",
             "traits": {"email": "jane@example.com"}},
            {"type": "track", "event": "Seen", "userId": "u1", "anonymousId": "a1", "timestamp": "2026-01-07T10:00:00Z"},
            {"type": "identify", "userId": "u2", "timestamp": "2026-02-01T10:00:00Z",
             "traits": {"email": "jane@example.com"}},
            {"type": "track", "event": "Seen", "userId": "u1", "anonymousId": "null", "timestamp": "2026-02-02T10:00:00Z"}]',
            'web');
        SELECT cdp.ingest(jsonb_agg(jsonb_build_object('type', 'identify', 'userId', 'k' || n,
                   'timestamp', '2026-03-01T10:00:00Z', 'traits', '{"email": "info@kiosk.com"}'::jsonb)))
          FROM generate_series(1, 12) n;
        SELECT cdp.identify('u1', traits => '{"email": "info@kiosk.com"}', "timestamp" => '2026-03-02T10:00:00Z')"#,
    );
    process(&mut client);
    db
}

fn process(client: &mut Client) {
    run(client, "CALL cdp.process_all()");
}

const JANE: &str = "cdp.resolve('user_id', 'u1')";

/// Links as `from - to: kind decision rule type sources count first last`.
fn links(client: &mut Client, of: &str) -> Vec<String> {
    column(
        client,
        &format!(
            "WITH g AS MATERIALIZED (SELECT cdp.profile_graph({of}) AS graph),
                  i AS (SELECT i ->> 'id' AS id, i ->> 'value' AS value
                          FROM g, jsonb_array_elements(graph -> 'identifiers') i)
             SELECT concat_ws(' ', least(a.value, b.value), '-', greatest(a.value, b.value) || ':', l ->> 'kind',
                        l ->> 'decision', l ->> 'rule', l ->> 'rule_of', l ->> 'sources', l ->> 'count',
                        CASE WHEN l ->> 'kind' = 'observed' THEN left(l ->> 'first_seen', 10) END,
                        CASE WHEN l ->> 'kind' = 'observed' THEN left(l ->> 'last_seen', 10) END)
               FROM g, jsonb_array_elements(graph -> 'links') l
               JOIN i a ON a.id = l ->> 'from' JOIN i b ON b.id = l ->> 'to'
              ORDER BY 1"
        ),
    )
}

#[test]
fn the_graph_holds_links_and_those_that_were_refused() {
    let db = people();
    let mut client = db.connect();
    assert_eq!(
        links(&mut client, JANE),
        [
            r#"a1 - u1: observed accepted ["web"] 2 2026-01-05 2026-01-07"#,
            r#"info@kiosk.com - u1: observed refused max_degree user_id ["default"] 1 2026-03-02 2026-03-02"#,
            r#"jane@example.com - u1: observed accepted ["web"] 1 2026-01-05 2026-01-05"#,
            r#"jane@example.com - u2: observed refused max_per_profile user_id ["web"] 1 2026-02-01 2026-02-01"#,
            r#"null - u1: observed refused blocked ["web"] 1 2026-02-02 2026-02-02"#,
        ]
    );
    // The other side sees the same refused link.
    assert_eq!(
        links(&mut client, "cdp.resolve('user_id', 'u2')"),
        [
            r#"jane@example.com - u2: observed refused max_per_profile user_id ["web"] 1 2026-02-01 2026-02-01"#
        ]
    );
    let standings: String = one(
        &mut client,
        &format!(
            "SELECT string_agg(concat_ws(' ', i ->> 'type', i ->> 'value',
                        (i ->> 'profile_id')::bigint = {JANE}, i ->> 'shared', i ->> 'blocked'), ', '
                        ORDER BY i ->> 'type', i ->> 'value')
               FROM jsonb_array_elements(cdp.profile_graph({JANE}) -> 'identifiers') i"
        ),
    );
    assert_eq!(
        standings,
        "anonymous_id a1 t, anonymous_id null true, email info@kiosk.com {\"by\": \"user_id\", \"degree\": 11}, \
         email jane@example.com t, user_id u1 t, user_id u2 f"
    );
    let left_out: String = one(
        &mut client,
        &format!("SELECT cdp.profile_graph({JANE}) ->> 'left_out'"),
    );
    assert_eq!(left_out, r#"{"links": 0, "identifiers": 0}"#);
}

#[test]
fn what_is_said_by_hand_is_in_the_graph() {
    let db = people();
    let mut client = db.connect();
    run(
        &mut client,
        "SELECT cdp.link('user_id', 'u1', 'user_id', 'old', reason => 'ticket 7');
         SELECT cdp.unlink('user_id', 'u1', 'user_id', 'twin', reason => 'twins')",
    );
    let by_hand: Vec<String> = links(&mut client, JANE)
        .into_iter()
        .filter(|link| !link.contains("observed"))
        .collect();
    assert_eq!(
        by_hand,
        [
            r#"old - u1: asserted accepted ["postgres"] 0"#,
            r#"twin - u1: cannot_link refused cannot_link ["postgres"] 0"#,
        ]
    );
    let svg: String = one(
        &mut client,
        &format!("SELECT cdp.profile_graph_svg({JANE})"),
    );
    // What keeps apart those that were seen together, changes nothing of how often they were.
    run(
        &mut client,
        "SELECT cdp.unlink('user_id', 'u1', 'anonymous_id', 'a1', reason => 'borrowed')",
    );
    let borrowed: Vec<String> = links(&mut client, JANE)
        .into_iter()
        .filter(|link| link.starts_with("a1 "))
        .collect();
    assert_eq!(
        borrowed,
        [
            r#"a1 - u1: cannot_link refused cannot_link ["postgres"] 0"#,
            r#"a1 - u1: observed refused cannot_link ["web"] 2 2026-01-05 2026-01-07"#,
        ]
    );
    for said in ["ticket 7", "twins", "asserted by hand", "asserted apart"] {
        assert!(svg.contains(said), "{said}");
    }
}

#[test]
fn pictures_show_it_and_nothing_that_was_sent_becomes_markup() {
    let db = people();
    let mut client = db.connect();
    run(
        &mut client,
        r#"SELECT cdp.track('Seen', 'u1', anonymous_id => '</text><script>alert("1")</script>')"#,
    );
    process(&mut client);
    let svg: String = one(
        &mut client,
        &format!("SELECT cdp.profile_graph_svg({JANE})"),
    );
    assert!(svg.starts_with("<svg ") && svg.ends_with("</svg>"));
    for shown in [
        "jane@example.com",
        "refused: max_per_profile of user_id",
        "shared by 11+ user_id",
    ] {
        assert!(svg.contains(shown), "{shown}");
    }
    assert!(!svg.contains("<script"));
    assert!(one::<bool>(
        &mut client,
        &format!("SELECT xml_is_well_formed_document(cdp.profile_graph_svg({JANE}))")
    ));
    let dot: String = one(
        &mut client,
        &format!("SELECT cdp.profile_graph_dot({JANE})"),
    );
    assert!(dot.starts_with("graph profile_") && dot.contains("jane@example.com"));
}

#[test]
fn of_a_large_profile_the_strongest_are_shown_and_the_rest_counted() {
    let db = fresh_db();
    let mut client = db.connect();
    run(
        &mut client,
        "SELECT count(cdp.track('Seen', 'u1', anonymous_id => 'a' || n)) FROM generate_series(1, 700) n;
         SELECT cdp.identify('u1', traits => '{\"email\": \"jane@example.com\"}');
         SELECT count(cdp.track('Seen', 'v' || n, anonymous_id => 'a1')) FROM generate_series(1, 150) n",
    );
    process(&mut client);
    let counts = |client: &mut Client, most: i32| -> String {
        one(
            client,
            &format!(
                "SELECT concat_ws(' ', count(*) FILTER (WHERE (i ->> 'profile_id')::bigint = {JANE}), count(*),
                            g -> 'left_out')
                   FROM (SELECT cdp.profile_graph({JANE}, {most})) _ (g), jsonb_array_elements(g -> 'identifiers') i
                  GROUP BY g"
            ),
        )
    };
    // A hundred of those at a1, and none of the other links of a1.
    assert_eq!(
        counts(&mut client, 200),
        r#"200 300 {"links": 50, "identifiers": 502}"#
    );
    assert_eq!(
        counts(&mut client, 1),
        r#"1 1 {"links": 0, "identifiers": 701}"#
    );
    assert_eq!(
        counts(&mut client, 2),
        r#"2 2 {"links": 0, "identifiers": 700}"#
    );
    let second: String = one(
        &mut client,
        &format!(
            "SELECT cdp.profile_graph({JANE}, 2) #>> '{{links,0,kind}}' || ' ' || (cdp.profile_graph({JANE}, 2))::text"
        ),
    );
    assert!(
        second.contains("jane@example.com"),
        "the e-mail is stronger than any cookie: {second}"
    );
    let svg: String = one(
        &mut client,
        &format!("SELECT cdp.profile_graph_svg({JANE}, 50)"),
    );
    assert!(svg.contains("Not drawn: 652 identifiers of this profile, the most weakly linked"));
}

#[test]
fn odd_questions_are_answered() {
    let db = people();
    let mut client = db.connect();
    let nobody: bool = one(
        &mut client,
        "SELECT num_nonnulls(cdp.profile_graph(0), cdp.profile_graph_svg(-7), cdp.profile_graph_dot(NULL)) = 0",
    );
    assert!(nobody);
    for most in ["0", "-1", "1001"] {
        let (code, said) = fails(
            &mut client,
            &format!("SELECT cdp.profile_graph({JANE}, {most})"),
        );
        assert_eq!(code, "22023", "{said}");
    }
    // A superseded id gives the profile that it belongs to now.
    let same: bool = one(
        &mut client,
        &format!(
            "SELECT bool_and(cdp.profile_graph(node_id) = cdp.profile_graph({JANE}))
               FROM cdp.profile_identifiers WHERE profile_id = {JANE}"
        ),
    );
    assert!(same);
}

#[test]
fn the_picture_does_not_depend_on_what_came_first() {
    let said = [
        r#"SELECT cdp.ingest('[{"type": "identify", "userId": "u1", "anonymousId": "a1", "timestamp": "2026-01-05T10:00:00Z",
            "traits": {"email": "jane@example.com", "phone": "+4930123456"}}]', 'web')"#,
        r#"SELECT cdp.ingest('[{"type": "identify", "userId": "u1", "anonymousId": "null", "timestamp": "2026-01-05T10:00:00Z",
            "traits": {"email": "info@kiosk.com"}}]', 'web')"#,
        r#"SELECT cdp.ingest(jsonb_agg(jsonb_build_object('type', 'identify', 'userId', 'k' || n,
            'timestamp', '2026-01-05T10:00:00Z', 'traits', '{"email": "info@kiosk.com"}'::jsonb)), 'web')
            FROM generate_series(1, 12) n"#,
        r#"SELECT cdp.ingest('[{"type": "identify", "anonymousId": "a2", "timestamp": "2026-01-05T10:00:00Z",
            "traits": {"email": "jane@example.com", "phone": "+4930123456"}}]', 'web')"#,
    ];
    let drawn = |said: &mut dyn Iterator<Item = &&str>| {
        let db = fresh_db();
        let mut client = db.connect();
        run(&mut client, "SELECT cdp.create_source('web')");
        for said in said {
            run(&mut client, said);
            process(&mut client);
        }
        one::<String>(
            &mut client,
            &format!(
                "SELECT replace(cdp.profile_graph_svg({JANE}), 'Profile ' || {JANE}, 'Profile')"
            ),
        )
    };
    let picture = drawn(&mut said.iter());
    assert!(picture.contains("a2") && picture.contains("info@kiosk.com"));
    assert_eq!(drawn(&mut said.iter().rev()), picture);
}

#[test]
fn readers_may_look_also_on_a_standby() {
    let primary = Server::start(ServerOptions::default());
    primary.create_cdp_db("app");
    let mut owner = primary.connect("app");
    run(
        &mut owner,
        "CREATE ROLE analyst LOGIN IN ROLE cdp_reader;
         SELECT cdp.track('Seen', 'u1', anonymous_id => 'a1')",
    );
    process(&mut owner);
    run(
        &mut owner,
        "SELECT cdp.link('user_id', 'u1', 'user_id', 'u0')",
    );
    let standby = primary.backup_to_standby();
    primary.wait_for_standby(&standby);
    for server in [&primary, &standby] {
        let mut reader = server.connect_as("analyst", "app");
        let svg: String = one(
            &mut reader,
            &format!("SELECT cdp.profile_graph_svg({JANE})"),
        );
        assert!(svg.contains("u0"));
        assert_eq!(links(&mut reader, JANE).len(), 2);
    }
}
