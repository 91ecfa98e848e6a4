//! Who may ask, and where: readers, and standbys.

use cdp_server_tests::sql::{fails, one, run};
use cdp_server_tests::{Client, Server, ServerOptions, fresh_db};

/// What a reader can ask, each with its answer.
fn ask(client: &mut Client) {
    let mut one = |sql: &str| -> String {
        client
            .query_one(sql, &[])
            .unwrap_or_else(|e| panic!("{sql}: {:?}", e.as_db_error()))
            .get(0)
    };
    let answers = [
        (
            "SELECT (cdp.resolve('email', ' JANE@example.com') = cdp.resolve('user_id', 'u1'))::text",
            "true",
        ),
        (
            "SELECT cdp.profile(cdp.resolve('user_id', 'u1')) #>> '{traits,country,value}'",
            "PT",
        ),
        (
            "SELECT string_agg(from_value || ' ' || to_value, ', ' ORDER BY step) \
             FROM cdp.explain_identity('anonymous_id', 'a1', 'email', 'jane@example.com')",
            "a1 u1, u1 jane@example.com",
        ),
        (
            "SELECT members::text FROM cdp.preview_segment($$ country = 'PT' $$)",
            "1",
        ),
        (
            "SELECT string_agg(segment, ',') FROM cdp.segment_members",
            "portuguese",
        ),
        ("SELECT string_agg(country, ',') FROM cdp.profiles", "PT"),
        (
            "SELECT string_agg(value, ',' ORDER BY value) FROM cdp.profile_identifiers",
            "a1,jane@example.com,u1",
        ),
        ("SELECT count(*)::text FROM cdp.profile_events", "1"),
        (
            "SELECT value FROM cdp.status() WHERE item = 'dead letters'",
            "none",
        ),
    ];
    for (sql, answer) in answers {
        assert_eq!(one(sql), answer, "{sql}");
    }
}

#[test]
fn readers_get_answers_and_nothing_else_also_on_a_standby() {
    let primary = Server::start(ServerOptions::default());
    primary.create_cdp_db("app");
    let mut owner = primary.connect("app");
    owner
        .batch_execute(
            "CREATE ROLE analyst LOGIN IN ROLE cdp_reader; CREATE ROLE collector LOGIN IN ROLE cdp_ingest; \
             SELECT cdp.create_trait('country', type => 'text'); \
             SELECT cdp.create_segment('portuguese', $$ country = 'PT' $$)",
        )
        .unwrap();

    // A collector takes in by all ways, and reads nothing.
    let mut collector = primary.connect_as("collector", "app");
    collector
        .batch_execute(
            "SELECT cdp.identify('u1', traits => '{\"email\": \"Jane@example.com\", \"country\": \"PT\"}'); \
             SELECT cdp.track('Seen', user_id => 'u1', anonymous_id => 'a1'); \
             SELECT cdp.ingest('[]'); \
             INSERT INTO cdp.inbox (source, message) \
             VALUES ('default', '{\"type\": \"alias\", \"userId\": \"u1\", \"previousId\": \"u1\"}')",
        )
        .unwrap();
    for sql in [
        "SELECT message FROM cdp.inbox",
        "SELECT * FROM cdp.profiles",
        "SELECT cdp.resolve('user_id', 'u1')",
        "SELECT cdp.profile(1)",
        "INSERT INTO cdp.inbox (kind, message) VALUES ('r', '{}')",
    ] {
        let error = collector.batch_execute(sql).expect_err(sql);
        assert_eq!(error.code().map(|code| code.code()), Some("42501"), "{sql}");
    }
    owner.batch_execute("CALL cdp.process_all()").unwrap();

    // A reader is answered, and changes nothing.
    let mut reader = primary.connect_as("analyst", "app");
    ask(&mut reader);
    for sql in [
        "SELECT cdp.ingest('{}')",
        "INSERT INTO cdp.inbox (message) VALUES ('{}')",
        "DELETE FROM cdp.profile_rows",
        "SELECT cdp.create_source('x')",
        "SELECT cdp.rebuild()",
        "SELECT message FROM cdp.dead_letter",
        "SELECT * FROM cdp.profile_records",
    ] {
        let error = reader.batch_execute(sql).expect_err(sql);
        assert_eq!(error.code().map(|code| code.code()), Some("42501"), "{sql}");
    }

    let standby = primary.backup_to_standby();
    primary.wait_for_standby(&standby);
    ask(&mut standby.connect_as("analyst", "app"));
    ask(&mut standby.connect("app"));
}

/// One record against all, asked of a primary and of a standby, by a reader too: the same, and nothing is
/// written.
#[test]
fn one_record_is_matched_against_all_on_a_standby() {
    let primary = Server::start(ServerOptions::default());
    primary.create_cdp_db("app");
    let mut owner = primary.connect("app");
    run(
        &mut owner,
        "CREATE ROLE analyst LOGIN IN ROLE cdp_reader; CREATE ROLE keeper LOGIN IN ROLE cdp_owner;
         CREATE TABLE public.people AS
         SELECT p * 2 + n AS id, 'A' || substr(md5(p::text), 1, 5) AS first_name,
                CASE n WHEN 1 THEN 'x' ELSE '' END || substr(md5((p * 7)::text), 1, 7) AS last_name,
                (date '1940-01-01' + p * 31 % 20000)::text AS birth_date, 'm' || p || '@x.org' AS email
           FROM generate_series(1, 150) p, generate_series(0, 1) n WHERE n <= p % 2;
         ALTER TABLE public.people ADD PRIMARY KEY (id);
         SELECT cdp.map_table('crm', 'public.people', '{\"email\": \"email\"}')",
    );
    run(&mut owner, "CALL cdp.process_all()");
    run(
        &mut owner,
        r#"SELECT cdp.create_matcher('people', settings => '{"random_pairs": 20000, "training_pairs": 5000}');
           SELECT cdp.run_matcher('people')"#,
    );
    let standby = primary.backup_to_standby();
    let ask = "SELECT string_agg(c::text, ' ' ORDER BY c.key) FROM (SELECT * FROM public.people WHERE id = 22) p, \
         cdp.match_candidates('people', to_jsonb(p) - 'id') c";
    run(
        &mut owner,
        "GRANT SELECT ON public.people TO analyst, keeper",
    );
    let answer: String = one(&mut owner, ask);
    assert!(answer.contains("(crm,22,"), "{answer}");
    let explained =
        "SELECT string_agg(e::text, ' ') FROM cdp.explain_match('people', '22', '23') e";
    primary.wait_for_standby(&standby);
    let mut there = standby.connect("app");
    assert!(one::<bool>(&mut there, "SELECT pg_is_in_recovery()"));
    for _ in 0..2 {
        assert_eq!(one::<String>(&mut there, ask), answer);
    }
    assert_eq!(
        one::<String>(&mut there, explained),
        one::<String>(&mut owner, explained)
    );
    for reads in [
        "SELECT length(cdp.explain_match_svg('people', '22', '23')) > 100",
        "SELECT length(cdp.matcher_report('people')) > 100",
        "SELECT count(*) > 10 FROM cdp.match_pairs",
        "SELECT count(*) > 10 FROM cdp.dedupe('TABLE public.people')",
    ] {
        assert!(one::<bool>(&mut there, reads), "{reads}");
    }
    // Whoever may ask on the primary may ask here, and nobody else.
    for role in ["analyst", "keeper"] {
        let asked = |server: &Server| {
            let answer = server.connect_as(role, "app").query_one(ask, &[]);
            let answer = answer.map(|row| row.get::<_, String>(0));
            answer.map_err(|error| error.code().map(|code| code.code().to_owned()))
        };
        assert_eq!(asked(&standby), asked(&primary), "{role}");
    }
    // What would write says that it cannot.
    for writes in [
        "SELECT * FROM cdp.run_matcher('people')",
        "SELECT cdp.train_matcher('people')",
        "SELECT cdp.accept_match('crm', '22', 'crm', '23')",
    ] {
        let (code, said) = fails(&mut there, writes);
        assert_eq!(code, "25006", "{writes}: {said}");
    }
    // Another model, and what it finds, is there with the next answer.
    run(
        &mut owner,
        "UPDATE public.people SET first_name = 'Zoe' WHERE id = 22",
    );
    run(&mut owner, "CALL cdp.process_all()");
    run(
        &mut owner,
        "SELECT cdp.train_matcher('people'); SELECT cdp.run_matcher('people')",
    );
    primary.wait_for_standby(&standby);
    let now: String = one(&mut owner, ask);
    assert_ne!(now, answer);
    assert_eq!(one::<String>(&mut there, ask), now);
}

const RESOLVE: &str = "SELECT cdp.resolve('code', 'AbC')";

/// A database where type `code` knows `AbC` and, of somebody else, `abc`; both resolve to their own.
fn with_codes(client: &mut Client) -> (i64, i64) {
    run(
        client,
        "SELECT cdp.create_identifier_type('code', priority => 5, normaliser => 'none'); \
         SELECT cdp.identify('u1', identifiers => '{\"code\": \"AbC\"}'); \
         SELECT cdp.identify('u2', identifiers => '{\"code\": \"abc\"}')",
    );
    while one::<i64>(client, "SELECT cdp.process()") > 0 {}
    let written = one::<i64>(client, RESOLVE);
    let folded = one::<i64>(client, "SELECT cdp.resolve('code', 'abc')");
    assert_ne!(written, folded);
    (written, folded)
}

/// A look-up keeps nothing that a change could make wrong.
#[test]
fn resolve_sees_every_change_at_the_next_statement_and_only_what_its_snapshot_shows() {
    let db = fresh_db();
    let mut owner = db.connect();
    let (written, folded) = with_codes(&mut owner);
    let mut reader = db.connect();
    let mut repeating = db.connect();
    assert_eq!(one::<i64>(&mut reader, RESOLVE), written);
    run(&mut repeating, "BEGIN ISOLATION LEVEL REPEATABLE READ");
    assert_eq!(one::<i64>(&mut repeating, RESOLVE), written);
    run(
        &mut owner,
        "UPDATE cdp.identifier_types SET normaliser = 'casefold' WHERE name = 'code'",
    );
    assert_eq!(one::<i64>(&mut reader, RESOLVE), folded);
    assert_eq!(one::<i64>(&mut repeating, RESOLVE), written);
    run(&mut repeating, "COMMIT");
    assert_eq!(one::<i64>(&mut repeating, RESOLVE), folded);
    // What was rolled back was never so.
    run(
        &mut reader,
        "BEGIN; UPDATE cdp.identifier_types SET normaliser = 'none' WHERE name = 'code'",
    );
    assert_eq!(one::<i64>(&mut reader, RESOLVE), written);
    run(&mut reader, "ROLLBACK");
    assert_eq!(one::<i64>(&mut reader, RESOLVE), folded);
    // A new type, and one that is gone.
    run(
        &mut owner,
        "SELECT cdp.create_identifier_type('card', priority => 6)",
    );
    assert_eq!(
        one::<Option<i64>>(&mut reader, "SELECT cdp.resolve('card', '1')"),
        None
    );
    run(&mut owner, "SELECT cdp.drop_identifier_type('card')");
    let (code, said) = fails(&mut reader, "SELECT cdp.resolve('card', '1')");
    assert_eq!(code, "42704", "{said}");
    assert!(said.contains("Declared: "), "{said}");
}

/// The tables may be changed under a session that has looked into them.
#[test]
fn resolve_follows_changes_of_its_tables() {
    let db = fresh_db();
    let mut owner = db.connect();
    let (written, _) = with_codes(&mut owner);
    let mut reader = db.connect();
    for change in [
        "REINDEX TABLE cdp.identifiers; REINDEX TABLE cdp.clusters",
        "ALTER TABLE cdp.identifiers DROP CONSTRAINT identifiers_pkey",
        "ALTER TABLE cdp.identifiers ADD PRIMARY KEY (value, type_id)",
        "ALTER TABLE cdp.clusters ADD extra int; ALTER TABLE cdp.clusters DROP COLUMN extra",
        "CREATE TABLE cdp.other (LIKE cdp.clusters INCLUDING ALL); INSERT INTO cdp.other SELECT * FROM cdp.clusters; \
         DROP TABLE cdp.clusters CASCADE; ALTER TABLE cdp.other RENAME TO clusters",
        "ALTER TABLE cdp.clusters RENAME TO clusters_table; CREATE VIEW cdp.clusters AS SELECT * FROM cdp.clusters_table",
    ] {
        assert_eq!(one::<i64>(&mut reader, RESOLVE), written, "before {change}");
        run(&mut owner, change);
        assert_eq!(one::<i64>(&mut reader, RESOLVE), written, "{change}");
        assert_eq!(one::<i64>(&mut owner, RESOLVE), written, "{change}");
    }
    run(&mut owner, "DROP VIEW cdp.clusters");
    let (code, said) = fails(&mut reader, RESOLVE);
    assert_eq!(code, "42P01", "{said}");
}

/// Rights are asked for at each call, as by a query: of the table or the columns, and by row.
#[test]
fn resolve_reads_with_the_rights_of_its_caller() {
    let db = fresh_db();
    let mut owner = db.connect();
    let (written, _) = with_codes(&mut owner);
    let role = format!("{}_caller", db.name);
    run(
        &mut owner,
        &format!(
            "CREATE ROLE {role} LOGIN; GRANT USAGE ON SCHEMA cdp TO {role}; \
             GRANT EXECUTE ON FUNCTION cdp.resolve(text, text) TO {role}"
        ),
    );
    let mut caller = db.connect_as(&role);
    let grants = [
        ("identifier_types", "SELECT"),
        ("identifiers", "SELECT (value, type_id, node_id)"),
        ("clusters", "SELECT (node_id, profile_id)"),
    ];
    for (table, right) in grants {
        let (code, said) = fails(&mut caller, RESOLVE);
        assert_eq!(code, "42501", "{said}");
        assert!(
            said.contains(&format!("permission denied for table {table}")),
            "{said}"
        );
        run(
            &mut owner,
            &format!("GRANT {right} ON cdp.{table} TO {role}"),
        );
    }
    assert_eq!(one::<i64>(&mut caller, RESOLVE), written);
    run(
        &mut owner,
        "ALTER TABLE cdp.clusters ENABLE ROW LEVEL SECURITY",
    );
    assert_eq!(one::<Option<i64>>(&mut caller, RESOLVE), None);
    run(
        &mut owner,
        "ALTER TABLE cdp.clusters DISABLE ROW LEVEL SECURITY",
    );
    assert_eq!(one::<i64>(&mut caller, RESOLVE), written);
    run(
        &mut owner,
        &format!("REVOKE SELECT (profile_id) ON cdp.clusters FROM {role}"),
    );
    let (code, said) = fails(&mut caller, RESOLVE);
    assert_eq!(code, "42501", "{said}");
    run(
        &mut owner,
        &format!("DROP OWNED BY {role}; DROP ROLE {role}"),
    );
}
