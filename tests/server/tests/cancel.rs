//! A cancel of long work is followed at once, wherever it strikes, and leaves everything as it was.
//!
//! As they are these tests take some minutes in a debug build. CDP_CANCEL=20 takes twenty times the rows;
//! `--nocapture` tells how late each cancel was followed.

use cdp_server_tests::cancel::everywhere;
use cdp_server_tests::sql::{assert_same, one, run, send_path, tables};
use cdp_server_tests::{Client, Server, ServerOptions};

/// So many times the rows.
fn scale() -> i64 {
    let given = std::env::var("CDP_CANCEL").ok();
    given.map_or(1, |given| given.parse().expect("a number"))
}

/// A server on which only the test processes anything.
fn server() -> Server {
    let server = Server::start(ServerOptions {
        preload: true,
        settings: &[
            ("cdp.workers", "off"),
            ("autovacuum", "off"),
            ("max_wal_size", "8GB"),
        ],
    });
    server.create_cdp_db("app");
    server
}

/// Customers with a country, and some of them with somebody else's e-mail; a segment of most of them.
fn customers(client: &mut Client, count: i64) {
    run(
        client,
        &format!(
            "SELECT cdp.create_trait('country', 'text'); SELECT cdp.create_segment('pt', $$ country = 'PT' $$);
             CREATE TABLE public.customers (id bigint PRIMARY KEY, login text, email text, country text);
             INSERT INTO public.customers
             SELECT n, CASE WHEN n % 2 = 0 THEN 'u' || n END, 'p' || n - CASE WHEN n % 10 = 0 THEN 1 ELSE 0 END || '@example.com', 'PT'
               FROM generate_series(1, {count}) n"
        ),
    );
}

const MAP: &str = r#"SELECT cdp.map_table('crm', 'public.customers',
    '{"key": "id", "user_id": "login", "email": "email", "traits": {"country": "country"}}')"#;

#[test]
fn a_backfill_is_cancelled_everywhere() {
    let server = server();
    let mut client = server.connect("app");
    let count = 6_000 * scale();
    customers(&mut client, count);
    everywhere(&server, "app", MAP, &[]);
    run(&mut client, MAP);
    let bulk = format!(
        "SET LOCAL cdp.batch_size = {}; SET LOCAL cdp.bulk_batch_size = {count}; SELECT cdp.process({count})",
        1_000 * scale()
    );
    everywhere(
        &server,
        "app",
        &bulk,
        &[
            "many rows: taking them in",
            "identity: reading identifiers",
            "identity: reading identifier sets",
            "identity: stars of the sets",
            "identity: writing set nodes",
            "identity: writing links of sets",
            "identity: links",
            "identity: resolving",
            "identity: writing clusters",
            "identity: writing links",
        ],
    );
    run(&mut client, &format!("BEGIN; {bulk}; COMMIT"));
    let customers: i64 = one(&mut client, "SELECT count(*) FROM cdp.segment_members");
    let profiles: i64 = one(&mut client, "SELECT count(*) FROM cdp.profiles");
    assert_eq!((customers, profiles), (profiles, count - count / 10));
}

#[test]
fn a_rebuild_is_cancelled_everywhere() {
    let server = server();
    let mut client = server.connect("app");
    customers(&mut client, 6_000 * scale());
    run(&mut client, MAP);
    run(
        &mut client,
        "SELECT cdp.track('Seen', user_id => 'u' || n, anonymous_id => 'a' || n % 500,
             context => '{\"traits\": {\"country\": \"ES\"}}') FROM generate_series(1, 2000) n",
    );
    run(&mut client, "CALL cdp.process_all()");
    let whole = tables(&mut client, &["segments"]);
    // Something to write for each of its steps.
    run(
        &mut client,
        "DELETE FROM cdp.set_evidence WHERE set_id % 3 = 0;
         DELETE FROM cdp.set_links WHERE set_id % 3 = 0;
         INSERT INTO cdp.set_links SELECT set_id, low - 1, high FROM cdp.set_links WHERE set_id % 3 = 1;
         DELETE FROM cdp.set_nodes WHERE set_id % 4 = 0;
         UPDATE cdp.set_nodes SET node_id = node_id - 1 WHERE set_id % 4 = 1;
         DELETE FROM cdp.links WHERE low % 5 = 0;
         INSERT INTO cdp.links (low, high, confirmed, first_seen, decision)
         SELECT low - 1, high, confirmed, first_seen, decision FROM cdp.links WHERE low % 5 = 1 ON CONFLICT DO NOTHING;
         UPDATE cdp.links SET decision = 2 WHERE low % 5 = 2;
         INSERT INTO cdp.inert_identifiers (node_id, blocked, shared)
         SELECT node_id, true, false FROM cdp.identifiers WHERE node_id % 5 = 0 ON CONFLICT DO NOTHING;
         UPDATE cdp.clusters SET profile_id = node_id WHERE node_id % 7 = 0;
         DELETE FROM cdp.clusters WHERE node_id % 7 = 1;
         DELETE FROM cdp.set_traits WHERE set_id % 3 = 0;
         DELETE FROM cdp.profile_rows WHERE profile_id % 3 = 0",
    );
    everywhere(
        &server,
        "app",
        "SELECT cdp.rebuild()",
        &[
            "rebuild: evidence",
            "identity: reading identifiers",
            "identity: reading identifier sets",
            "identity: stars of the sets",
            "identity: identifiers that join again",
            "identity: sets of others",
            "identity: writing set nodes",
            "identity: links shown no more",
            "identity: writing links of sets",
            "identity: links",
            "identity: resolving",
            "identity: nodes of another profile",
            "identity: writing clusters",
            "identity: links that are no more",
            "identity: links that changed",
            "identity: writing links",
            "traits",
            "segments",
        ],
    );
    run(&mut client, "SELECT cdp.rebuild()");
    // That much was otherwise for a while is history now.
    let history = ["identity_steps", "identity_moves", "profile_changes"];
    let but_history = |mut all: cdp_server_tests::sql::Tables| {
        all.retain(|name, _| !history.contains(&name.as_str()));
        all
    };
    let now = tables(&mut client, &["segments"]);
    assert_same("a rebuild", &but_history(whole), &but_history(now));
}

#[test]
fn stitching_is_cancelled_everywhere() {
    let server = server();
    let mut client = server.connect("app");
    let links = 400_000 * scale();
    run(
        &mut client,
        &format!(
            "CREATE TABLE public.pairs AS SELECT n AS a, n + 1 + n % 3 AS b, 'n' || n AS c, 'n' || n + 1 + n % 3 AS d
               FROM generate_series(1, {links}) n"
        ),
    );
    let phases = [
        "connected components: reading links",
        "connected components: writing nodes",
    ];
    for columns in ["a, b", "c, d"] {
        let query = format!("SELECT {columns} FROM public.pairs");
        let read = format!("SELECT count(*) FROM cdp.connected_components('{query}')");
        everywhere(&server, "app", &read, &phases);
        let into = format!("SELECT cdp.connected_components_into('{query}', 'public.people')");
        everywhere(&server, "app", &into, &phases);
    }
    let left: i64 = one(
        &mut client,
        "SELECT count(*) FROM pg_class WHERE relname = 'people'",
    );
    assert_eq!(left, 0);
}

#[test]
fn a_plan_is_cancelled_everywhere() {
    let server = server();
    let mut client = server.connect("app");
    customers(&mut client, 6_000 * scale());
    run(&mut client, MAP);
    run(&mut client, "CALL cdp.process_all()");
    // All are parted, and the history of it is looked through for samples.
    let document = r#"(SELECT jsonb_build_object('identifier_types', jsonb_agg(
            CASE WHEN i ->> 'name' = 'email' THEN i || '{"blocked_patterns": ["^p.*[05]@"]}' ELSE i END))
        FROM jsonb_array_elements(cdp.config() -> 'identifier_types') i)"#;
    everywhere(
        &server,
        "app",
        &format!("SELECT count(*) FROM cdp.plan_effects({document}, 1000)"),
        &[
            "plan: counting what is",
            "plan: computing what would be",
            "identity: reading identifiers",
            "identity: resolving",
            "segments",
            "plan: comparing",
        ],
    );
}

/// A profile that is a path of so many identifiers.
fn path(client: &mut Client, links: i64) {
    send_path(client, links);
    run(client, "CALL cdp.process_all()");
    run(
        client,
        "SELECT cdp.alter_identifier_type('token', reset => '{blocked_patterns}')",
    );
}

#[test]
fn work_on_a_long_path_is_cancelled_everywhere() {
    let server = server();
    let mut client = server.connect("app");
    let links = 20_000 * scale();
    path(&mut client, links);
    let profiles = "SELECT count(*) FROM cdp.profiles";
    assert_eq!(one::<i64>(&mut client, profiles), 1);
    let whole = tables(&mut client, &["segments"]);
    let middle = links / 2;
    // The chain is looked for in the whole profile, and told link by link.
    let chain = format!(
        "SELECT count(*) FROM cdp.explain_identity('token', 't{}', 'token', 't{}')",
        middle - 500,
        middle + 500
    );
    everywhere(&server, "app", &chain, &[]);
    let reached = [
        "identity: reading what a change reaches",
        "identity: deciding links",
        "identity: writing what a change moved",
    ];
    let unlink = format!(
        "SELECT cdp.unlink('token', 't{middle}', 'token', 't{}')",
        middle + 1
    );
    everywhere(&server, "app", &unlink, &reached);
    let unlinked: i64 = one(&mut client, &unlink);
    assert_eq!(one::<i64>(&mut client, profiles), 2);
    everywhere(&server, "app", &chain, &[]);
    let undo = format!("SELECT cdp.undo({unlinked})");
    everywhere(&server, "app", &undo, &reached);
    run(&mut client, &undo);
    assert_eq!(one::<i64>(&mut client, profiles), 1);
    let now = tables(&mut client, &["segments"]);
    for table in ["links", "clusters", "set_nodes", "profile_rows"] {
        assert_eq!(whole[table], now[table], "{table} after unlink and undo");
    }
    everywhere(&server, "app", "SELECT cdp.revoke_source('default')", &[]);
    let graph = "SELECT length(cdp.profile_graph_svg(profile_id, 1000)) FROM cdp.profiles";
    everywhere(&server, "app", graph, &[]);
}

/// Persons with a birth date and an e-mail, of whom some are there twice, with a typo.
fn persons(client: &mut Client, count: i64) {
    run(
        client,
        &format!(
            "CREATE TABLE public.persons AS
             SELECT p * 2 + n AS id,
                    (ARRAY['Ana','Rui','Eva','João','Maria','Pedro','Inês','Tiago'])[1 + abs(hashint8(p)) % 8] || substr(md5(p::text), 1, 2) AS first_name,
                    CASE n WHEN 1 THEN 'x' ELSE '' END || substr(md5((p * 7)::text), 1, 7) AS last_name,
                    (date '1940-01-01' + abs(hashint8(p * 31)) % 22000)::text AS birth_date,
                    CASE n WHEN 0 THEN 'm' || p || '@x.org' END AS email,
                    (1000 + abs(hashint8(p * 3)) % 900)::text AS postcode
               FROM generate_series(1, {count}) p, generate_series(0, 1) n WHERE n <= p % 2;
             ALTER TABLE public.persons ADD PRIMARY KEY (id)"
        ),
    );
}

/// Fewer pairs than usual to train with; a debug build takes long for those.
const SETTINGS: &str = r#"'{"random_pairs": 100000, "training_pairs": 20000}'"#;

/// Phases that surely take longer than the time between two looks at the thread that works.
const TRAINING: [&str; 4] = [
    "training: random pairs",
    "training: pairs that share values",
    "training: estimation",
    "training: pairs",
];

#[test]
fn matching_of_queries_is_cancelled_everywhere() {
    let server = server();
    let mut client = server.connect("app");
    persons(&mut client, 1_000 * scale());
    let phases = TRAINING.map(|phase| phase.replace("training", "matching"));
    let phases: Vec<&str> = phases.iter().map(String::as_str).collect();
    let dedupe =
        format!("SELECT count(*) FROM cdp.dedupe('TABLE public.persons', settings => {SETTINGS})");
    everywhere(&server, "app", &dedupe, &phases);
    let link = format!(
        "SELECT count(*) FROM cdp.link_records('SELECT * FROM public.persons WHERE id % 2 = 0', \
             'SELECT * FROM public.persons WHERE id % 2 = 1', settings => {SETTINGS})"
    );
    everywhere(&server, "app", &link, &[]);
}

/// Persons in a mapped table, with a matcher of them that was not run.
fn matched_persons(client: &mut Client, count: i64) {
    persons(client, count);
    run(
        client,
        "SELECT cdp.map_table('crm', 'public.persons', '{\"email\": \"email\"}')",
    );
    run(client, "CALL cdp.process_all()");
    run(
        client,
        &format!("SELECT cdp.create_matcher('people', settings => {SETTINGS})"),
    );
}

#[test]
fn a_matcher_is_cancelled_everywhere() {
    let server = server();
    let mut client = server.connect("app");
    matched_persons(&mut client, 1_000 * scale());
    let run_matcher = "SELECT * FROM cdp.run_matcher('people')";
    let written = "matching: writing keys";
    let first: Vec<&str> = TRAINING.into_iter().chain([written]).collect();
    everywhere(&server, "app", run_matcher, &first);
    everywhere(&server, "app", "SELECT cdp.train_matcher('people')", &[]);
    run(&mut client, run_matcher);
    // Of what it found a part is wrong, and all of it is found again.
    run(
        &mut client,
        "DELETE FROM cdp.matches WHERE low % 3 = 0; DELETE FROM cdp.match_key_pages WHERE last_node % 3 = 0;
         UPDATE cdp.matches SET weight = weight + 1 WHERE low % 3 = 1",
    );
    let again = ["matching: pairs", written];
    everywhere(&server, "app", run_matcher, &again);
    everywhere(&server, "app", "SELECT cdp.rebuild()", &again);
    run(&mut client, run_matcher);
    let now = tables(&mut client, &["segments", "matcher_models"]);
    run(&mut client, "SELECT cdp.rebuild()");
    let rebuilt = tables(&mut client, &["segments", "matcher_models"]);
    assert_same("a rebuild", &now, &rebuilt);
}

#[test]
fn a_batch_with_a_matcher_is_cancelled_everywhere() {
    let server = server();
    let mut client = server.connect("app");
    matched_persons(&mut client, 2_000 * scale());
    run(&mut client, "SELECT cdp.run_matcher('people')");
    run(
        &mut client,
        "UPDATE public.persons SET last_name = 'y' || last_name WHERE id % 2 = 1;
         UPDATE public.persons SET postcode = '1000' WHERE id % 4 = 2",
    );
    everywhere(&server, "app", "SELECT cdp.process()", &[]);
    everywhere(&server, "app", "SELECT cdp.revoke_source('crm')", &[]);
    run(&mut client, "CALL cdp.process_all()");
    let now = tables(&mut client, &["segments", "matcher_models"]);
    run(&mut client, "SELECT cdp.rebuild()");
    let rebuilt = tables(&mut client, &["segments", "matcher_models"]);
    assert_same("a rebuild", &now, &rebuilt);
}
