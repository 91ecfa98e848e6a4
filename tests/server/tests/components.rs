//! `cdp.connected_components()`: any pairs, with the rights of the caller.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use cdp_server_tests::sql::{column, fails, one, run};
use cdp_server_tests::{Client, bare_db, fresh_db};

/// node → component, as texts.
fn components(client: &mut Client, call: &str) -> BTreeMap<String, String> {
    let rows = client
        .query(
            &format!("SELECT node::text, component::text FROM {call}"),
            &[],
        )
        .unwrap_or_else(|error| panic!("{call}: {error:?}"));
    let all: BTreeMap<String, String> = rows.iter().map(|row| (row.get(0), row.get(1))).collect();
    assert_eq!(all.len(), rows.len(), "a node comes twice");
    all
}

fn map(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs
        .iter()
        .map(|&(node, component)| (node.to_owned(), component.to_owned()))
        .collect()
}

#[test]
fn of_numbers_and_texts() {
    // It needs no tables: only the extension.
    let db = bare_db();
    let mut client = db.connect();
    run(&mut client, "CREATE EXTENSION pg_cdp");
    run(
        &mut client,
        "CREATE TABLE pairs (a bigint, b integer, c smallint);
         INSERT INTO pairs VALUES (10, 9, 1), (-4, 10, 1), (7, 7, 1), (NULL, 8, 1), (11, NULL, 1), (NULL, NULL, NULL),
                                  (9007199254740993, 70000, 2), (70000, 9, 3);
         CREATE DOMAIN key AS varchar(20);
         CREATE TABLE names (a text, b key);
         INSERT INTO names VALUES ('b', 'a'), ('b', 'B'), ('ä', 'z'), ('', 'ä'), (NULL, 'x'), ('y', NULL), ('q', 'q');
         INSERT INTO names SELECT repeat('long', 5000), 'q';",
    );
    let numbers = map(&[
        ("-4", "-4"),
        ("9", "-4"),
        ("10", "-4"),
        ("70000", "-4"),
        ("9007199254740993", "-4"),
        ("7", "7"),
        ("8", "8"),
        ("11", "11"),
    ]);
    let query = "cdp.connected_components('SELECT a, b FROM pairs'";
    assert_eq!(components(&mut client, &format!("{query})")), numbers);
    assert_eq!(
        components(&mut client, &format!("{query}, NULL::bigint)")),
        numbers
    );
    assert_eq!(
        components(
            &mut client,
            "cdp.connected_components('SELECT b, c FROM pairs WHERE c = 1', 0)"
        ),
        map(&[("1", "1"), ("7", "1"), ("8", "1"), ("9", "1"), ("10", "1")])
    );
    let types: Vec<String> = column(
        &mut client,
        "SELECT pg_typeof(node)::text FROM cdp.connected_components('SELECT 1, 2') \
         UNION ALL SELECT pg_typeof(component)::text FROM cdp.connected_components('SELECT 1, 1', NULL::bigint) \
         UNION ALL SELECT pg_typeof(node)::text FROM cdp.connected_components('SELECT 1, 1', NULL::integer) \
         UNION ALL SELECT pg_typeof(node)::text FROM cdp.connected_components('SELECT 1, 1', NULL::varchar)",
    );
    assert_eq!(
        types,
        ["text", "text", "bigint", "integer", "character varying"]
    );

    let long = "long".repeat(5000);
    let names = components(
        &mut client,
        "cdp.connected_components('SELECT a, b FROM names')",
    );
    let expected = [
        ("B", "B"),
        ("a", "B"),
        ("b", "B"),
        ("", ""),
        ("ä", ""),
        ("z", ""),
        ("x", "x"),
        ("y", "y"),
        (&long, &long),
        ("q", &long),
    ];
    assert_eq!(names, map(&expected));
    assert_eq!(
        components(
            &mut client,
            "cdp.connected_components('SELECT a, b FROM pairs WHERE false')"
        ),
        map(&[])
    );
}

#[test]
fn as_the_obvious_recursive_query() {
    let db = bare_db();
    let mut client = db.connect();
    run(&mut client, "CREATE EXTENSION pg_cdp");
    run(
        &mut client,
        "SELECT setseed(0.5);
         CREATE TABLE pairs AS SELECT (random() * 900)::bigint << 40 AS a, (random() * 900)::bigint << 40 AS b
                                 FROM generate_series(1, 500);
         CREATE VIEW both_ways AS SELECT a, b FROM pairs UNION SELECT b, a FROM pairs;
         CREATE TABLE expected AS
             WITH RECURSIVE reached (node, other) AS (
                 SELECT a, a FROM both_ways UNION SELECT r.node, w.b FROM reached r JOIN both_ways w ON w.a = r.other)
             SELECT node, min(other) AS component FROM reached GROUP BY node;",
    );
    let differing: i64 = one(
        &mut client,
        "SELECT count(*) FROM expected e FULL JOIN \
         cdp.connected_components('SELECT a, b FROM pairs', NULL::bigint) c \
             ON c.node = e.node AND c.component = e.component \
         WHERE c.node IS NULL OR e.node IS NULL",
    );
    assert_eq!(differing, 0);
    // As text, where the smallest is another.
    run(
        &mut client,
        "CREATE TABLE written AS SELECT * FROM cdp.connected_components('SELECT a::text, b::text FROM pairs')",
    );
    let mixed: i64 = one(
        &mut client,
        "SELECT count(*) FROM (SELECT 1 FROM written w JOIN expected e ON e.node = w.node::bigint \
                                GROUP BY w.component HAVING count(DISTINCT e.component) > 1) m",
    );
    assert_eq!(mixed, 0);
    let counts: Vec<i64> = column(
        &mut client,
        "SELECT count(DISTINCT component) FROM written UNION ALL SELECT count(DISTINCT component) FROM expected \
         UNION ALL SELECT count(*) FROM written UNION ALL SELECT count(*) FROM expected",
    );
    assert_eq!((counts[0], counts[2]), (counts[1], counts[3]));
}

#[test]
fn mistakes_are_explained() {
    let db = bare_db();
    let mut client = db.connect();
    run(&mut client, "CREATE EXTENSION pg_cdp");
    let mut said = |call: &str, code: &str, words: &[&str]| {
        let (found, text) = fails(
            &mut client,
            &format!("SELECT * FROM cdp.connected_components({call})"),
        );
        assert_eq!(found, code, "{call}: {text}");
        for word in words {
            assert!(text.contains(word), "{call}: {text}");
        }
    };
    said("'SELECT 1'", "42804", &["1 columns", "HINT"]);
    said("'SELECT 1, 2, 3'", "42804", &["3 columns", "HINT"]);
    said(
        "'SELECT 1.5 AS x, 2.5 AS y'",
        "42804",
        &["numeric", "x::text, y::text"],
    );
    said("'SELECT 1, ''a'''", "42804", &["integer and text", "HINT"]);
    said(
        "'SELECT ''a'', ''b''', NULL::bigint",
        "42804",
        &["texts", "Leave out node_type"],
    );
    said(
        "'SELECT 1::bigint, 2', NULL::integer",
        "42804",
        &["do not fit type integer", "NULL::bigint"],
    );
    said(
        "'SELECT 1, 2', NULL::date",
        "42804",
        &["type date", "NULL::bigint"],
    );
    said("NULL", "22023", &["query is NULL", "HINT"]);
    said("'SELECT 1, 2; SELECT 3, 4'", "42601", &["one query"]);
    said("''", "42601", &[]);
    said("'SELEC 1'", "42601", &["SELEC"]);
    said("'SELECT a, b FROM nowhere'", "42P01", &["nowhere"]);
    said("'SELECT 1/0, 1'", "22012", &[]);
    said("'COMMIT'", "42601", &[]);
    said(
        "'CREATE TABLE t (a int)'",
        "42601",
        &["does not return tuples"],
    );
    said(
        "'WITH d AS (DELETE FROM pg_class RETURNING 1, 2) SELECT 1, 2 FROM d'",
        "0A000",
        &["not allowed in a non-volatile function"],
    );
    // After all of that the session is as it was.
    assert_eq!(
        components(&mut client, "cdp.connected_components('VALUES (2, 1)')").len(),
        2
    );
}

#[test]
fn the_query_has_the_rights_of_its_caller() {
    let db = fresh_db();
    let mut client = db.connect();
    run(
        &mut client,
        "DROP ROLE IF EXISTS stitching_analyst; CREATE ROLE stitching_analyst LOGIN IN ROLE cdp_reader;
         CREATE TABLE secret AS SELECT 1 AS a, 2 AS b;
         CREATE SCHEMA analyst AUTHORIZATION stitching_analyst;
         SET ROLE stitching_analyst; CREATE TABLE analyst.own AS SELECT 3 AS a, 4 AS b; RESET ROLE;",
    );
    let mut analyst = db.connect_as("stitching_analyst");
    run(&mut analyst, "SET search_path = analyst");
    assert_eq!(
        components(
            &mut analyst,
            "cdp.connected_components('SELECT a, b FROM own')"
        ),
        map(&[("3", "3"), ("4", "3")])
    );
    let (code, _) = fails(
        &mut analyst,
        "SELECT * FROM cdp.connected_components('SELECT a, b FROM public.secret')",
    );
    assert_eq!(code, "42501");
    run(
        &mut client,
        "CREATE ROLE stitching_nobody LOGIN; GRANT USAGE ON SCHEMA cdp TO stitching_nobody",
    );
    let (code, _) = fails(
        &mut db.connect_as("stitching_nobody"),
        "SELECT * FROM cdp.connected_components('SELECT 1, 2')",
    );
    assert_eq!(code, "42501");
    drop(analyst);
    run(
        &mut client,
        "DROP SCHEMA analyst CASCADE; REVOKE USAGE ON SCHEMA cdp FROM stitching_nobody;
         DROP ROLE stitching_analyst, stitching_nobody",
    );
}

#[test]
fn into_a_new_table() {
    let db = bare_db();
    let mut client = db.connect();
    run(&mut client, "CREATE EXTENSION pg_cdp");
    // More rows than are written at once, and texts that are kept in full, compressed and apart.
    run(
        &mut client,
        "SELECT setseed(0.5);
         CREATE TABLE pairs AS SELECT (random() * 4000)::bigint << 40 AS a, -(random() * 4000)::bigint AS b
                                 FROM generate_series(1, 3000);
         CREATE TABLE names AS SELECT a::text AS a, b::text AS b FROM pairs;
         INSERT INTO names VALUES ('', NULL), ('ä', 'ß'), (repeat('long', 5000), '0');
         INSERT INTO names SELECT string_agg(md5(n::text), ''), 'ä' FROM generate_series(1, 200) n;
         CREATE SCHEMA \"Odd.One\";",
    );
    let tables = [
        (
            "SELECT a, b FROM pairs",
            ", NULL::bigint",
            "numbers",
            "bigint",
        ),
        (
            "SELECT 1::smallint, b::integer FROM pairs",
            ", NULL::bigint",
            "public.small",
            "bigint",
        ),
        (
            "SELECT a, b FROM names",
            "",
            "\"Odd.One\".\"The Names\"",
            "text",
        ),
        (
            "SELECT a, b::varchar FROM names",
            "",
            "pg_temp.passing",
            "text",
        ),
        (
            "SELECT a, b FROM pairs WHERE false",
            ", NULL::bigint",
            "nothing",
            "bigint",
        ),
    ];
    for (query, node_type, table, of_type) in tables {
        let written: i64 = one(
            &mut client,
            &format!("SELECT cdp.connected_components_into('{query}', '{table}')"),
        );
        let call = format!("cdp.connected_components('{query}'{node_type})");
        let counts: Vec<i64> = column(
            &mut client,
            &format!(
                "SELECT count(*) FROM {table} UNION ALL SELECT count(*) FROM {call} \
                 UNION ALL SELECT count(*) FROM (TABLE {table} EXCEPT SELECT * FROM {call}) d \
                 UNION ALL SELECT count(*) FROM {table} WHERE pg_typeof(node) = '{of_type}'::regtype"
            ),
        );
        assert_eq!(counts, [written, written, 0, written], "{table}");
        let columns: Vec<String> = column(
            &mut client,
            &format!(
                "SELECT format('%s %s %s', attname, atttypid::regtype, attnotnull) FROM pg_attribute \
                  WHERE attrelid = '{table}'::regclass AND attnum > 0 ORDER BY attnum"
            ),
        );
        assert_eq!(
            columns,
            [
                format!("node {of_type} t"),
                format!("component {of_type} t")
            ]
        );
    }
    assert!(one::<i64>(&mut client, "SELECT count(*) FROM numbers") > 2_000);
    // What was written is what an index finds, and it ends as its transaction does.
    run(
        &mut client,
        "ALTER TABLE numbers ADD PRIMARY KEY (node);
         CREATE INDEX ON \"Odd.One\".\"The Names\" USING hash (component);
         SET enable_seqscan = off;",
    );
    let alone: i64 = one(
        &mut client,
        "SELECT count(*) FROM numbers n WHERE NOT EXISTS (SELECT FROM numbers c WHERE c.node = n.component)",
    );
    assert_eq!(alone, 0);
    run(
        &mut client,
        "BEGIN; SAVEPOINT before; SELECT cdp.connected_components_into('SELECT 1, 2', 'undone'); TABLE undone;
         ROLLBACK TO before; SELECT cdp.connected_components_into('SELECT 3, 4', 'undone');
         DO $$ BEGIN ASSERT (SELECT array_agg(node ORDER BY node) = '{3,4}' FROM undone); END $$;
         ROLLBACK;",
    );
    let (code, _) = fails(&mut client, "TABLE undone");
    assert_eq!(code, "42P01");
}

const RELATIONS: &str = "SELECT oid::regclass::text FROM pg_class WHERE oid >= 16384 ORDER BY 1";

#[test]
fn mistakes_leave_no_table() {
    let db = bare_db();
    let mut client = db.connect();
    run(
        &mut client,
        "CREATE EXTENSION pg_cdp;
         CREATE TABLE taken (a int);
         CREATE FUNCTION guard() RETURNS event_trigger LANGUAGE plpgsql AS $$
         DECLARE
             v_made text := (SELECT object_identity FROM pg_event_trigger_ddl_commands() WHERE command_tag = 'CREATE TABLE');
         BEGIN
             CASE v_made
                 WHEN 'public.guarded' THEN ALTER TABLE guarded ENABLE ROW LEVEL SECURITY;
                 WHEN 'public.indexed' THEN CREATE INDEX ON indexed (node);
                 WHEN 'public.wide' THEN ALTER TABLE wide ADD COLUMN noted timestamptz DEFAULT now();
                 WHEN 'public.gone' THEN DROP TABLE gone;
                 ELSE NULL;
             END CASE;
         END $$;
         CREATE EVENT TRIGGER guard ON ddl_command_end WHEN TAG IN ('CREATE TABLE') EXECUTE FUNCTION guard();",
    );
    let before: Vec<String> = column(&mut client, RELATIONS);
    // Fails when it is read: these are found out before.
    const UNREAD: &str = "'SELECT 1 / 0, 1'";
    let mut said = |query: &str, table: &str, code: &str, words: &[&str]| {
        let call = format!("SELECT cdp.connected_components_into({query}, {table})");
        let (found, text) = fails(&mut client, &call);
        assert_eq!(found, code, "{call}: {text}");
        for word in words {
            assert!(text.contains(word), "{call}: {text}");
        }
        let after: Vec<String> = column(&mut client, RELATIONS);
        assert_eq!(after, before, "{call}");
    };
    said(UNREAD, "'taken'", "42P07", &["already exists", "HINT"]);
    said(UNREAD, "'nowhere.new'", "3F000", &["nowhere"]);
    said(UNREAD, "'a.b.c.d'", "42601", &["a.b.c.d"]);
    said(UNREAD, "'elsewhere.a.b'", "0A000", &["cross-database"]);
    said(UNREAD, "''", "42602", &["invalid name"]);
    said(UNREAD, "'new; DROP TABLE taken'", "42602", &[]);
    said(UNREAD, "NULL", "22023", &["table_name is NULL", "HINT"]);
    said("NULL", "'new'", "22023", &["query is NULL", "HINT"]);
    said("'SELECT 1'", "'new'", "42804", &["1 columns", "HINT"]);
    said("$$SELECT 1, 'a'$$", "'new'", "42804", &["integer and text"]);
    said(UNREAD, "'new'", "22012", &[]);
    said("'DELETE FROM taken'", "'new'", "42601", &[]);
    for made in ["guarded", "indexed", "wide", "gone"] {
        let words = ["event trigger", made, "HINT"];
        said("'SELECT 1, 2'", &format!("'{made}'"), "0A000", &words);
    }
    for (setting, query, code) in [
        (
            "statement_timeout = '300ms'",
            "SELECT pg_sleep(1e6)::text, 1::text",
            "57014",
        ),
        (
            "cdp.graph_memory = '2MB'",
            "SELECT g << 30, g FROM generate_series(1, 200000::bigint) g",
            "53400",
        ),
        ("transaction_read_only = on", "SELECT 1 / 0, 1", "25006"),
    ] {
        let mut transaction = client.transaction().unwrap();
        transaction
            .batch_execute(&format!("SET LOCAL {setting}"))
            .unwrap();
        let error = transaction
            .batch_execute(&format!(
                "SELECT cdp.connected_components_into('{query}', 'new')"
            ))
            .unwrap_err();
        let found = error.code().map(|code| code.code().to_owned());
        assert_eq!(found.as_deref(), Some(code), "{setting}: {error:?}");
        transaction.rollback().unwrap();
        let after: Vec<String> = column(&mut client, RELATIONS);
        assert_eq!(after, before, "{setting}");
    }
    // The session is as it was.
    run(
        &mut client,
        "SELECT cdp.connected_components_into('SELECT 1, 2', 'new')",
    );
}

#[test]
fn the_new_table_is_its_callers() {
    let db = fresh_db();
    let mut client = db.connect();
    run(
        &mut client,
        "DROP ROLE IF EXISTS stitching_writer; CREATE ROLE stitching_writer LOGIN IN ROLE cdp_reader;
         CREATE SCHEMA writer AUTHORIZATION stitching_writer; CREATE SCHEMA closed;
         CREATE TABLE closed.secret AS SELECT 1 AS a, 2 AS b;",
    );
    let mut writer = db.connect_as("stitching_writer");
    run(
        &mut writer,
        "SET search_path = writer; SELECT cdp.connected_components_into('SELECT 1, 2', 'own')",
    );
    let owner: String = one(
        &mut client,
        "SELECT relowner::regrole::text FROM pg_class WHERE oid = 'writer.own'::regclass",
    );
    assert_eq!(owner, "stitching_writer");
    for (query, table) in [
        ("SELECT 1, 2", "closed.other"),
        ("SELECT 1, 2", "cdp.other"),
        ("SELECT a, b FROM closed.secret", "other"),
    ] {
        let (code, text) = fails(
            &mut writer,
            &format!("SELECT cdp.connected_components_into('{query}', '{table}')"),
        );
        assert_eq!(code, "42501", "{text}");
    }
    drop(writer);
    run(
        &mut client,
        "DROP SCHEMA writer CASCADE; DROP SCHEMA closed CASCADE; DROP ROLE stitching_writer",
    );
}

#[test]
fn more_than_the_memory_allowed_is_refused() {
    let db = bare_db();
    let mut client = db.connect();
    run(
        &mut client,
        "CREATE EXTENSION pg_cdp; SET cdp.graph_memory = '2MB'",
    );
    for links in [
        "SELECT g << 30, (g + 1) << 30 FROM generate_series(1, 200000::bigint) g",
        "SELECT g, g + 1 FROM generate_series(1, 2000000::bigint) g",
        "SELECT ''name '' || g, ''name '' || g + 1 FROM generate_series(1, 100000) g",
    ] {
        let (code, text) = fails(
            &mut client,
            &format!("SELECT * FROM cdp.connected_components('{links}')"),
        );
        assert_eq!(code, "53400", "{text}");
        assert!(text.contains("cdp.graph_memory"), "{text}");
        assert!(text.contains("2 MB are allowed"), "{text}");
        assert!(text.contains("HINT"), "{text}");
    }
    run(&mut client, "RESET cdp.graph_memory");
    let nodes: i64 = one(
        &mut client,
        "SELECT count(*) FROM cdp.connected_components('SELECT g << 30, (g + 1) << 30 \
         FROM generate_series(1, 200000::bigint) g') WHERE component = (1::bigint << 30)::text",
    );
    assert_eq!(nodes, 200_001);
}

#[test]
fn a_cancel_is_followed_within_a_second() {
    let db = bare_db();
    let mut client = db.connect();
    run(&mut client, "CREATE EXTENSION pg_cdp");
    run(&mut client, "SET statement_timeout = '300ms'");
    // Endless for the purpose of the test, whether it reads or sleeps.
    for query in [
        "SELECT g, g << 20 FROM generate_series(1, 1e12::bigint) g",
        "SELECT pg_sleep(1e6)::text, 1::text",
    ] {
        let started = Instant::now();
        let (code, text) = fails(
            &mut client,
            &format!("SELECT * FROM cdp.connected_components('{query}')"),
        );
        assert_eq!(code, "57014", "{text}");
        assert!(started.elapsed() < Duration::from_secs(10), "{text}");
    }
    run(&mut client, "RESET statement_timeout");
    // The session lives on, without the threads of the calls that were cancelled.
    assert_eq!(
        components(&mut client, "cdp.connected_components('SELECT 1, 2')").len(),
        2
    );
    let pid: i32 = one(&mut client, "SELECT pg_backend_pid()");
    db.server()
        .wait_for("the threads to end", Duration::from_secs(30), || {
            let threads = std::fs::read_dir(format!("/proc/{pid}/task")).map(Iterator::count);
            matches!(threads, Ok(1)).then_some(())
        });
}
