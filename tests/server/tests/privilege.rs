//! Least privilege: who may do what, and that nobody's objects are ever run with the rights of another.

mod common;

use cdp_server_tests::sql::{column, fails, one, run};
use cdp_server_tests::{Client, TestDb, bare_db, fresh_db};
use common::SOON;

/// Roles belong to the whole server, which other tests use: a login role of one test, dropped with it.
struct Role {
    name: String,
}

impl Role {
    fn new(db: &TestDb, name: &str, member_of: &[&str]) -> Self {
        let name = format!("{}_{name}", db.name);
        let mut client = db.connect();
        run(&mut client, &format!("CREATE ROLE {name} LOGIN"));
        for group in member_of {
            run(&mut client, &format!("GRANT {group} TO {name}"));
        }
        Self { name }
    }

    fn connect(&self, db: &TestDb) -> Client {
        db.connect_as(&self.name)
    }
}

fn drain(client: &mut Client) {
    while one::<i64>(client, "SELECT cdp.process()") > 0 {}
}

/// As [`fails`], in a transaction of its own.
fn fails_in_transaction(client: &mut Client, sql: &str) -> (String, String) {
    run(client, "BEGIN");
    let failed = fails(client, sql);
    run(client, "ROLLBACK");
    failed
}

/// What a role may do in schema cdp, as the server itself answers: tables, columns, sequences,
/// functions, the schema.
fn may(client: &mut Client, role: &str) -> Vec<String> {
    column(
        client,
        &format!(
            "SELECT format('%s %s', r.oid::regclass, p) FROM pg_class r, \
                    unnest('{{SELECT,INSERT,UPDATE,DELETE,TRUNCATE,REFERENCES,TRIGGER}}'::text[]) p \
              WHERE relnamespace IN ('cdp'::regnamespace, 'cdp_segment'::regnamespace) AND relkind IN ('r', 'p', 'v', 'm', 'f') \
                AND has_table_privilege('{role}', r.oid, p) \
             UNION ALL \
             SELECT format('%s(%s) %s', r.oid::regclass, attname, p) FROM pg_class r JOIN pg_attribute a ON attrelid = r.oid, \
                    unnest('{{SELECT,INSERT,UPDATE,REFERENCES}}'::text[]) p \
              WHERE relnamespace IN ('cdp'::regnamespace, 'cdp_segment'::regnamespace) AND relkind IN ('r', 'p', 'v', 'm', 'f') AND attnum > 0 AND NOT attisdropped \
                AND NOT has_table_privilege('{role}', r.oid, p) AND has_column_privilege('{role}', r.oid, attnum, p) \
             UNION ALL \
             SELECT format('%s %s', r.oid::regclass, p) FROM pg_class r, unnest('{{USAGE,SELECT,UPDATE}}'::text[]) p \
              WHERE relnamespace IN ('cdp'::regnamespace, 'cdp_segment'::regnamespace) AND relkind = 'S' AND has_sequence_privilege('{role}', r.oid, p) \
             UNION ALL \
             SELECT format('%s EXECUTE', f.oid::regproc) FROM pg_proc f \
              WHERE pronamespace = 'cdp'::regnamespace AND has_function_privilege('{role}', f.oid, 'EXECUTE') \
             UNION ALL \
             SELECT format('schema %s', p) FROM unnest('{{USAGE,CREATE}}'::text[]) p WHERE has_schema_privilege('{role}', 'cdp', p) \
             UNION ALL \
             SELECT format('schema cdp_segment %s', p) FROM unnest('{{USAGE,CREATE}}'::text[]) p \
              WHERE has_schema_privilege('{role}', 'cdp_segment', p) \
             ORDER BY 1"
        ),
    )
}

#[test]
fn nothing_is_granted_to_everybody() {
    let db = fresh_db();
    let role = Role::new(&db, "stranger", &[]);
    let mut client = db.connect();
    run(
        &mut client,
        "SELECT cdp.create_trait('city', 'text'); SELECT cdp.create_segment('s', 'city is set')",
    );
    assert_eq!(may(&mut client, &role.name), Vec::<String>::new());
    let mut stranger = role.connect(&db);
    let objects: Vec<String> = column(
        &mut client,
        "SELECT 'SELECT FROM ' || oid::regclass FROM pg_class WHERE relnamespace IN ('cdp'::regnamespace, 'cdp_segment'::regnamespace) AND relkind IN ('r', 'p', 'v') \
         UNION ALL SELECT 'LOCK TABLE ' || oid::regclass || ' IN ACCESS SHARE MODE' FROM pg_class \
          WHERE relnamespace IN ('cdp'::regnamespace, 'cdp_segment'::regnamespace) AND relkind IN ('r', 'p', 'v')",
    );
    for sql in objects.iter().map(String::as_str).chain([
        "SELECT cdp.track('e', user_id => 'u1')",
        "SELECT cdp.process()",
        "CALL cdp.process_all()",
        "SELECT cdp.init()",
        "SELECT cdp.start()",
        "SELECT cdp.resolve('email', 'a@x')",
        "COPY cdp.inbox (message) FROM STDIN",
        "CREATE TABLE cdp.mine (a integer)",
        "SELECT nextval('cdp.inbox_id_seq')",
        "CREATE TABLE public.t (a integer); CREATE TRIGGER t AFTER INSERT ON public.t FOR EACH ROW EXECUTE FUNCTION cdp.capture_row('default')",
        "CREATE TABLE pg_temp.t (a integer); CREATE TRIGGER t AFTER INSERT ON pg_temp.t FOR EACH ROW EXECUTE FUNCTION cdp.capture_row('default')",
    ]) {
        let (code, said) = fails_in_transaction(&mut stranger, sql);
        assert_eq!(code, "42501", "{sql}: {said}");
    }
}

#[test]
fn an_ingest_role_ingests_and_nothing_else() {
    let db = fresh_db();
    let role = Role::new(&db, "collector", &["cdp_ingest"]);
    let mut client = db.connect();
    let allowed = may(&mut client, &role.name);
    assert_eq!(
        allowed,
        [
            "cdp.\"group\" EXECUTE",
            "cdp.alias EXECUTE",
            "cdp.identify EXECUTE",
            "cdp.inbox(message) INSERT",
            "cdp.inbox(source) INSERT",
            "cdp.inbox_id_seq USAGE",
            "cdp.inbox_wake EXECUTE",
            "cdp.ingest EXECUTE",
            "cdp.optional_objects EXECUTE",
            "cdp.page EXECUTE",
            "cdp.screen EXECUTE",
            "cdp.track EXECUTE",
            "cdp.version EXECUTE",
            "schema USAGE",
        ]
    );
    let mut collector = role.connect(&db);
    run(
        &mut collector,
        r#"SELECT cdp.identify('u1', '{"email": "a@x.org"}'), cdp.track('e', user_id => 'u1'), cdp.page('p', user_id => 'u1'),
                  cdp.screen('s', user_id => 'u1'), cdp."group"('g', user_id => 'u1'), cdp.alias('u0', 'u1');
           SELECT cdp.ingest('[{"type": "track", "event": "e", "userId": "u1"}]', 'default');
           INSERT INTO cdp.inbox (source, message) VALUES (NULL, '{"type":"track","event":"e","userId":"u1"}')"#,
    );
    for columns in ["message", "source, message"] {
        let mut copy = collector
            .copy_in(&format!("COPY cdp.inbox ({columns}) FROM STDIN"))
            .expect("COPY");
        let line = "{\"type\":\"track\",\"event\":\"copied\",\"userId\":\"u1\"}\n";
        let source = if columns == "message" {
            ""
        } else {
            "default\t"
        };
        std::io::Write::write_all(&mut copy, format!("{source}{line}").as_bytes()).expect("a line");
        copy.finish().expect("COPY ends");
    }
    for sql in [
        "INSERT INTO cdp.inbox (kind, message) VALUES ('r', '{}')",
        "INSERT INTO cdp.inbox (xact, message) VALUES ('1', '{}')",
        "INSERT INTO cdp.inbox (id, message) VALUES (1, '{}')",
        "INSERT INTO cdp.inbox (slot, message) VALUES (1, '{}')",
        "INSERT INTO cdp.inbox (received_at, message) VALUES (now(), '{}')",
        "INSERT INTO cdp.inbox_0 (message) VALUES ('{}')",
        "INSERT INTO cdp.inbox (message) VALUES ('{}') RETURNING id",
        "COPY cdp.inbox FROM STDIN",
        "COPY cdp.inbox (message) TO STDOUT",
        "SELECT setval('cdp.inbox_id_seq', 1)",
        "SELECT last_value FROM cdp.inbox_id_seq",
        "SELECT message FROM cdp.inbox",
        "UPDATE cdp.inbox SET message = ''",
        "DELETE FROM cdp.inbox",
        "TRUNCATE cdp.inbox",
        "LOCK TABLE cdp.pipeline_lock",
        "LOCK TABLE cdp.pipeline_lock IN ACCESS SHARE MODE",
        "LOCK TABLE cdp.inbox IN ACCESS EXCLUSIVE MODE",
        "SELECT * FROM cdp.profiles",
        "SELECT * FROM cdp.events",
        "SELECT * FROM cdp.dead_letter",
        "SELECT cdp.resolve('email', 'a@x')",
        "SELECT cdp.process()",
        "SELECT cdp.rebuild()",
        "SELECT cdp.config()",
        "SELECT cdp.create_source('mine')",
        "SELECT cdp.profile(1)",
        "CREATE TABLE pg_temp.t (a integer); CREATE TRIGGER t AFTER INSERT ON pg_temp.t FOR EACH ROW EXECUTE FUNCTION cdp.capture_row('default')",
    ] {
        let (code, said) = fails_in_transaction(&mut collector, sql);
        assert_eq!(code, "42501", "{sql}: {said}");
    }
    drain(&mut client);
    // Seven events: two tracked by functions, a page, a screen, one inserted, two copied.
    assert_eq!(
        one::<i64>(&mut client, "SELECT count(*) FROM cdp.events"),
        7
    );
    assert_eq!(
        one::<i64>(&mut client, "SELECT count(*) FROM cdp.messages"),
        3
    );
    assert_eq!(
        one::<i64>(&mut client, "SELECT count(*) FROM cdp.dead_letter"),
        0
    );
}

#[test]
fn a_reader_reads_people_and_no_machinery() {
    let db = fresh_db();
    let role = Role::new(&db, "analyst", &["cdp_reader"]);
    let mut client = db.connect();
    run(
        &mut client,
        r#"SELECT cdp.create_trait('city', 'text'); SELECT cdp.create_segment('porto', 'city = ''Porto''');
           SELECT cdp.identify('u1', '{"email": "a@x.org", "city": "Porto"}'); SELECT cdp.track('e', user_id => 'u1')"#,
    );
    drain(&mut client);
    let mut reader = role.connect(&db);
    assert_eq!(
        one::<String>(
            &mut reader,
            "SELECT city FROM cdp.profiles WHERE profile_id = cdp.resolve('email', 'A@X.org')"
        ),
        "Porto"
    );
    assert_eq!(
        one::<i64>(
            &mut reader,
            "SELECT count(*) FROM cdp.segment_members WHERE segment = 'porto'"
        ),
        1
    );
    for view in [
        "profile_events",
        "profile_identifiers",
        "segment_history",
        "unmatched_records",
        "segments",
    ] {
        run(&mut reader, &format!("SELECT * FROM cdp.{view}"));
    }
    for sql in [
        "SELECT message FROM cdp.dead_letter",
        "SELECT * FROM cdp.messages",
        "SELECT message FROM cdp.inbox",
        "SELECT \"row\" FROM cdp.row_versions",
        "SELECT sample FROM cdp.value_issues",
        "SELECT command FROM cdp.jobs",
        "SELECT mapping FROM cdp.mappings",
        "SELECT * FROM cdp.message_keys",
        "SELECT cdp.track('e', user_id => 'u1')",
        "INSERT INTO cdp.inbox (message) VALUES ('{}')",
        "UPDATE cdp.sources SET name = 'x'",
        "UPDATE cdp.profiles SET city = 'x'",
        "DELETE FROM cdp.profile_rows",
        "INSERT INTO cdp.segments (name, rule) VALUES ('a', 'b')",
        "SELECT cdp.create_segment('a', 'city is set')",
        "SELECT cdp.config()",
        "SELECT cdp.process()",
        "LOCK TABLE cdp.pipeline_lock IN ACCESS SHARE MODE",
        "LOCK TABLE cdp.clusters IN ROW EXCLUSIVE MODE",
    ] {
        let (code, said) = fails_in_transaction(&mut reader, sql);
        assert_eq!(code, "42501", "{sql}: {said}");
    }
    let wrong: Vec<String> = may(&mut client, &role.name)
        .into_iter()
        .filter(|right| {
            right.ends_with("INSERT")
                || right.ends_with("UPDATE")
                || right.ends_with("DELETE")
                || right.ends_with("TRUNCATE")
                || right.ends_with("TRIGGER")
                || right.ends_with("REFERENCES")
                || right.ends_with("CREATE")
        })
        .collect();
    assert_eq!(wrong, Vec::<String>::new());
}

/// Every view is for readers, all of it but the rows of mapped tables, in which there are columns that
/// nobody mapped. And each kind of rule can be previewed, each part of a profile be shown.
#[test]
fn a_reader_reads_every_view_and_is_answered_everything() {
    let db = fresh_db();
    let role = Role::new(&db, "analyst", &["cdp_reader"]);
    let mut client = db.connect();
    run(
        &mut client,
        r#"SELECT cdp.create_trait('city', 'text'); SELECT cdp.create_segment('porto', $$ city = 'Porto' $$);
           CREATE TABLE people (id int PRIMARY KEY, mail text, city text, salary int);
           INSERT INTO people VALUES (1, 'a@x.org', 'Porto', 100);
           SELECT cdp.map_table('crm', 'people', '{"email": "mail", "traits": {"city": "city"}}');
           SELECT cdp.identify('u1', '{"email": "a@x.org"}'); SELECT cdp.track('e', user_id => 'u1')"#,
    );
    drain(&mut client);
    let closed: Vec<String> = column(
        &mut client,
        &format!(
            "SELECT format('%s.%s', c.relname, a.attname) FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid \
              WHERE c.relnamespace IN ('cdp'::regnamespace, 'cdp_segment'::regnamespace) AND c.relkind = 'v' AND a.attnum > 0 AND NOT a.attisdropped \
                AND NOT has_column_privilege('{}', c.oid, a.attnum, 'SELECT') ORDER BY 1",
            role.name
        ),
    );
    // What blocking keys are made of could be guessed from them.
    let keys = ["key", "matcher_id", "node_id", "rule"].map(|key| format!("match_keys.{key}"));
    assert_eq!(closed[..4], keys);
    assert_eq!(closed[4..], ["profile_records.row"]);
    let mut reader = role.connect(&db);
    let records = "SELECT source || ' ' || key FROM cdp.profile_records \
                    WHERE profile_id = cdp.resolve('email', 'a@x.org')";
    assert_eq!(one::<String>(&mut reader, records), "crm 1");
    for rule in [
        "city = 'Porto'",
        "did 'e'",
        "did 'e' at least 1 times in last 30 days",
        "not did 'e' or in segment 'porto'",
        "first_seen is set",
    ] {
        let sql = format!("SELECT members FROM cdp.preview_segment($$ {rule} $$)");
        assert_eq!(one::<i64>(&mut reader, &sql), 1, "{rule}");
    }
    let shown: String = one(
        &mut reader,
        "SELECT cdp.profile(cdp.resolve('user_id', 'u1'))::text",
    );
    for part in ["a@x.org", "Porto", "porto", "\"e\""] {
        assert!(shown.contains(part), "{part}: {shown}");
    }
    assert!(!shown.contains("salary"), "{shown}");
    let (code, said) = fails(&mut reader, "SELECT \"row\" FROM cdp.profile_records");
    assert_eq!(code, "42501", "{said}");
}

#[test]
fn functions_are_pinned_and_none_has_the_rights_of_a_superuser() {
    let db = fresh_db();
    let mut client = db.connect();
    let unpinned: Vec<String> = column(
        &mut client,
        "SELECT oid::regprocedure::text FROM pg_proc WHERE pronamespace = 'cdp'::regnamespace \
            AND NOT coalesce(proconfig && '{\"search_path=pg_catalog, pg_temp\"}', false) ORDER BY 1",
    );
    // Two commit, which a procedure with settings cannot; two are C, and run no SQL; of one, every name
    // in its SQL is qualified, for the sake of its speed; five run the query that they are given, as it is;
    // those of texts run none.
    let known = [
        "cdp.connected_components(text)",
        "cdp.connected_components(text,anyelement)",
        "cdp.connected_components_into(text,text)",
        "cdp.damerau_levenshtein(text,text)",
        "cdp.dedupe(text,jsonb,text,jsonb)",
        "cdp.double_metaphone(text)",
        "cdp.inbox_wake()",
        "cdp.jaccard(text,text,integer)",
        "cdp.jaccard(text[],text[])",
        "cdp.jaro_winkler(text,text)",
        "cdp.levenshtein(text,text)",
        "cdp.link_records(text,text,jsonb,text,jsonb)",
        "cdp.normalize_address(text)",
        "cdp.normalize_email(text)",
        "cdp.normalize_name(text)",
        "cdp.normalize_phone(text)",
        "cdp.normalize_phone(text,text)",
        "cdp.process_all(integer)",
        "cdp.resolve(text,text)",
        "cdp.run_due_jobs()",
        "cdp.wake_worker()",
    ];
    assert_eq!(unpinned, known);
    let definers: Vec<String> = column(
        &mut client,
        "SELECT format('%s of %s', p.oid::regproc, r.rolname) FROM pg_proc p JOIN pg_roles r ON r.oid = proowner \
          WHERE pronamespace = 'cdp'::regnamespace AND prosecdef ORDER BY 1",
    );
    assert_eq!(
        definers,
        [
            "cdp.capture_row of cdp_owner",
            "cdp.capture_truncate of cdp_owner"
        ]
    );
    let member_definers: Vec<String> = column(
        &mut client,
        "SELECT p.oid::regproc::text FROM pg_proc p JOIN pg_depend d ON d.classid = 'pg_proc'::regclass AND d.objid = p.oid \
          WHERE d.deptype = 'e' AND d.refobjid = (SELECT oid FROM pg_extension WHERE extname = 'pg_cdp') AND p.prosecdef",
    );
    assert_eq!(member_definers, Vec::<String>::new());
    let owner: String = one(
        &mut client,
        "SELECT concat_ws(' ', rolsuper, rolcanlogin, rolcreaterole, rolcreatedb, rolreplication, rolbypassrls) \
           FROM pg_roles WHERE rolname = 'cdp_owner'",
    );
    assert_eq!(owner, "f f f f f f");
    // What has a trigger runs for whoever writes: of the large tables none has one.
    let triggers: Vec<String> = column(
        &mut client,
        "SELECT DISTINCT tgrelid::regclass::text FROM pg_trigger t JOIN pg_class c ON c.oid = tgrelid \
          WHERE relnamespace IN ('cdp'::regnamespace, 'cdp_segment'::regnamespace) AND NOT relispartition ORDER BY 1",
    );
    assert_eq!(triggers, ["cdp.inbox"]);
}

/// Whoever could create something in schema cdp beforehand has it looked at, not run.
#[test]
fn what_is_planted_before_init_is_refused() {
    let objects = [
        ("relation cdp.inbox", "CREATE TABLE cdp.inbox (id integer)"),
        (
            "relation cdp.harmless",
            "CREATE TABLE cdp.harmless (id integer)",
        ),
        (
            "relation cdp.profiles",
            "CREATE VIEW cdp.profiles AS SELECT 1 AS profile_id",
        ),
        (
            "relation cdp.inbox_id_seq",
            "CREATE SEQUENCE cdp.inbox_id_seq",
        ),
        (
            "relation cdp.m",
            "CREATE MATERIALIZED VIEW cdp.m AS SELECT 1",
        ),
        (
            "function cdp.inbox_written()",
            "CREATE FUNCTION cdp.inbox_written() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'",
        ),
        (
            "function cdp.ingest(text)",
            "CREATE FUNCTION cdp.ingest(text) RETURNS bigint LANGUAGE sql AS 'SELECT 1::bigint'",
        ),
        (
            "function cdp.p()",
            "CREATE PROCEDURE cdp.p() LANGUAGE sql AS 'SELECT 1'",
        ),
        (
            "function cdp.agg(integer)",
            "CREATE AGGREGATE cdp.agg (integer) (SFUNC = int4pl, STYPE = integer)",
        ),
        ("type cdp.mine", "CREATE TYPE cdp.mine AS ENUM ('a')"),
        ("type cdp.mine", "CREATE DOMAIN cdp.mine AS text"),
        (
            "operator cdp.=(text,text)",
            "CREATE OPERATOR cdp.= (LEFTARG = text, RIGHTARG = text, FUNCTION = texteq)",
        ),
        ("collation", "CREATE COLLATION cdp.mine FROM \"C\""),
        (
            "conversion",
            "CREATE CONVERSION cdp.mine FOR 'UTF8' TO 'LATIN1' FROM utf8_to_iso8859_1",
        ),
        (
            "text search",
            "CREATE TEXT SEARCH CONFIGURATION cdp.mine (COPY = pg_catalog.english)",
        ),
    ];
    for (what, sql) in objects {
        let db = bare_db();
        let role = Role::new(&db, "planter", &[]);
        let mut client = db.connect();
        run(
            &mut client,
            &format!(
                "CREATE EXTENSION pg_cdp; GRANT ALL ON SCHEMA cdp TO {}",
                role.name
            ),
        );
        run(&mut role.connect(&db), sql);
        let (code, said) = fails(&mut client, "SELECT cdp.init()");
        assert_eq!(code, "55000", "{sql}: {said}");
        assert!(said.contains(what), "{sql}: {said}");
        assert!(said.contains(&role.name), "{sql}: {said}");
        assert!(!one::<bool>(
            &mut client,
            "SELECT EXISTS (SELECT 1 FROM pg_class WHERE relname = 'installation' AND relnamespace = 'cdp'::regnamespace)"
        ));
    }
    // The schema itself: it may be there before the extension is.
    let db = bare_db();
    let role = Role::new(&db, "planter", &[]);
    let mut client = db.connect();
    run(
        &mut client,
        &format!(
            "CREATE SCHEMA cdp AUTHORIZATION {}; CREATE EXTENSION pg_cdp",
            role.name
        ),
    );
    let (code, said) = fails(&mut client, "SELECT cdp.init()");
    assert_eq!(code, "55000", "{said}");
    assert!(said.contains("schema cdp"), "{said}");
}

/// Everything in pg_catalog that can be shadowed is, by functions and operators that tell.
const SHADOWS: &str = r#"
CREATE SCHEMA evil;
CREATE TABLE evil.caught (what text, who text DEFAULT current_user);
GRANT ALL ON SCHEMA evil TO PUBLIC;
GRANT ALL ON evil.caught TO PUBLIC;
DO $do$
DECLARE f record;
BEGIN
    FOR f IN SELECT p.oid, p.proname, pg_get_function_identity_arguments(p.oid) AS args, pg_get_function_result(p.oid) AS result, p.proretset
               FROM pg_proc p WHERE pronamespace = 'pg_catalog'::regnamespace AND prokind = 'f' AND prolang <> (SELECT oid FROM pg_language WHERE lanname = 'c')
    LOOP
        BEGIN
            EXECUTE format('CREATE FUNCTION evil.%I(%s) RETURNS %s LANGUAGE plpgsql AS %L', f.proname, f.args, f.result,
                format('BEGIN RAISE EXCEPTION ''evil function %s was called''; END', f.proname));
        EXCEPTION WHEN OTHERS THEN NULL;
        END;
    END LOOP;
    FOR f IN SELECT o.oprname, format_type(oprleft, NULL) AS l, format_type(oprright, NULL) AS r, format_type(oprresult, NULL) AS result, o.oid
               FROM pg_operator o WHERE oprnamespace = 'pg_catalog'::regnamespace AND oprkind = 'b'
    LOOP
        BEGIN
            EXECUTE format('CREATE FUNCTION evil.op_%s(%s, %s) RETURNS %s LANGUAGE plpgsql AS %L', f.oid, f.l, f.r, f.result,
                format('BEGIN RAISE EXCEPTION ''evil operator %s was called''; END', f.oprname));
            EXECUTE format('CREATE OPERATOR evil.%s (LEFTARG = %s, RIGHTARG = %s, FUNCTION = evil.op_%s)', f.oprname, f.l, f.r, f.oid);
        EXCEPTION WHEN OTHERS THEN NULL;
        END;
    END LOOP;
    FOR f IN SELECT typname FROM pg_type WHERE typnamespace = 'pg_catalog'::regnamespace AND typtype = 'b' AND typelem = 0
    LOOP
        EXECUTE format('CREATE DOMAIN evil.%I AS pg_catalog.%I CHECK (false)', f.typname, f.typname);
    END LOOP;
END $do$;
"#;

/// Tables of the same names as ours and the catalogue's, in the session's own schema.
const TEMPORARY: &str = r#"
DO $do$
DECLARE n text;
BEGIN
    FOR n IN SELECT relname FROM pg_class WHERE relkind IN ('r', 'p', 'v')
                AND relnamespace IN ('cdp'::regnamespace, 'pg_catalog'::regnamespace)
    LOOP
        EXECUTE format('CREATE TEMP TABLE %I (evil integer)', n);
    END LOOP;
END $do$;
"#;

#[test]
fn no_search_path_leads_astray() {
    let db = fresh_db();
    let mut admin = db.connect();
    run(
        &mut admin,
        "CREATE TABLE public.contacts (id integer PRIMARY KEY, email text)",
    );
    run(&mut admin, SHADOWS);
    let shadows: i64 = one(
        &mut admin,
        "SELECT count(*) FROM pg_proc WHERE pronamespace = 'evil'::regnamespace",
    );
    assert!(shadows > 2_000, "only {shadows} shadows");
    drop(admin);
    for (n, setup) in [
        "SET search_path = evil, pg_catalog, cdp, public",
        &format!("{TEMPORARY} SET search_path = pg_temp, pg_catalog, cdp, public"),
    ]
    .into_iter()
    .enumerate()
    {
        let mut client = db.connect();
        run(&mut client, setup);
        let calls = [
            "SELECT cdp.init()".to_owned(),
            "SELECT cdp.start()".to_owned(),
            format!("SELECT cdp.create_source('s{n}', max_backdate => '1 day')"),
            format!("SELECT cdp.create_trait('t{n}', 'text')"),
            format!("SELECT cdp.create_identifier_type('i{n}', priority => 5{n})"),
            format!(
                "SELECT cdp.create_segment('g{n}', 't{n} is set and did ''e'' in last 3 days')"
            ),
            format!("SELECT cdp.map_table('m{n}', 'public.contacts', '{{\"email\": \"email\"}}')"),
            format!("INSERT INTO public.contacts VALUES ({n}, 'c{n}@x.org')"),
            format!(
                "SELECT cdp.identify('u{n}', '{{\"email\": \"a{n}@x.org\", \"t{n}\": \"x\"}}', 'k', '{{\"phone\": \"+12015550123\"}}', '{{}}')"
            ),
            format!("SELECT cdp.track('e', user_id => 'u{n}', properties => '{{}}')"),
            format!(
                "SELECT cdp.page('p', user_id => 'u{n}'), cdp.screen('p', user_id => 'u{n}'), cdp.\"group\"('p', user_id => 'u{n}'), cdp.alias('p', 'u{n}')"
            ),
            "SELECT cdp.ingest('[{\"type\": \"bad\"}]')".to_owned(),
            "INSERT INTO cdp.inbox (message) VALUES ('{}')".to_owned(),
            "SELECT cdp.process()".to_owned(),
            format!("SELECT cdp.track('e', user_id => 'v{n}')"),
            "CALL cdp.process_all()".to_owned(),
            "CALL cdp.run_due_jobs()".to_owned(),
            format!("SELECT cdp.resolve('email', 'a{n}@x.org')"),
            format!("SELECT cdp.profile(cdp.resolve('email', 'a{n}@x.org'))"),
            format!("SELECT * FROM cdp.explain_identity('email', 'a{n}@x.org', 'user_id', 'u{n}')"),
            format!("SELECT * FROM cdp.refresh_segment('g{n}')"),
            "SELECT * FROM cdp.preview_segment('first_seen is set')".to_owned(),
            "SELECT * FROM cdp.status()".to_owned(),
            "SELECT cdp.config()".to_owned(),
            "SELECT * FROM cdp.plan(cdp.config())".to_owned(),
            "SELECT * FROM cdp.plan_effects(cdp.config())".to_owned(),
            "SELECT * FROM cdp.apply(cdp.config())".to_owned(),
            "SELECT cdp.rebuild()".to_owned(),
            "SELECT cdp.retry_dead_letters()".to_owned(),
            "SELECT cdp.pause(); SELECT cdp.resume()".to_owned(),
            "UPDATE public.contacts SET email = 'd@x.org'".to_owned(),
            "TRUNCATE public.contacts".to_owned(),
            "SELECT cdp.process()".to_owned(),
            format!("SELECT cdp.unmap_table('m{n}')"),
            format!("SELECT cdp.drop_segment('g{n}')"),
            format!("SELECT cdp.drop_trait('t{n}')"),
        ];
        for call in &calls {
            if let Err(error) = client.batch_execute(call) {
                panic!("{call}: {}", cdp_server_tests::sql::describe(&error));
            }
        }
    }
    let mut admin = db.connect();
    let failed: Vec<String> = column(
        &mut admin,
        "SELECT detail FROM cdp.dead_letter WHERE reason = 'failed'",
    );
    assert_eq!(failed, Vec::<String>::new());
    let rows: i64 = one(&mut admin, "SELECT count(*) FROM evil.caught");
    assert_eq!(rows, 0);
}

/// Nobody without rights can keep pg_cdp from working by holding a lock.
#[test]
fn nobody_without_rights_can_hold_up_an_installation() {
    let db = fresh_db();
    let role = Role::new(&db, "stranger", &["cdp_ingest", "cdp_reader"]);
    let mut stranger = role.connect(&db);
    // Every advisory lock that one could think of: by number, and those of words.
    run(
        &mut stranger,
        "BEGIN; SELECT pg_advisory_lock(hashtext(w)), pg_advisory_lock(hashtextextended(w, 0)) \
           FROM unnest('{pg_cdp,pg_cdp init,cdp,cdp init,pg_cdp pipeline,pg_cdp worker}'::text[]) w",
    );
    let mut client = db.connect();
    run(&mut client, "SET lock_timeout = '5s'");
    for sql in [
        "SELECT cdp.init()",
        "SELECT cdp.start()",
        "SELECT cdp.process()",
        "SELECT cdp.rebuild()",
        "CALL cdp.process_all()",
    ] {
        run(&mut client, sql);
    }
    // Two who initialise at once wait for each other all the same.
    run(&mut client, "BEGIN; SELECT cdp.init()");
    let mut other = db.connect();
    let pid: i32 = one(&mut other, "SELECT pg_backend_pid()");
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| run(&mut other, "SELECT cdp.init()"));
        db.server().wait_for("a second cdp.init() to wait", SOON, || {
            let sql = format!("SELECT coalesce(wait_event_type, '') = 'Lock' FROM pg_stat_activity WHERE pid = {pid}");
            one::<bool>(&mut client, &sql).then_some(())
        });
        run(&mut client, "COMMIT");
        waiting.join().expect("it goes on");
    });
}

/// A member of cdp_owner has what it needs to operate, and an outsider gets none of it by a function
/// of theirs.
#[test]
fn the_functions_of_the_owner_ask_who_calls() {
    let db = fresh_db();
    let operator = Role::new(&db, "operator", &["cdp_owner"]);
    let mut client = operator.connect(&db);
    run(&mut client, "SELECT cdp.track('e', user_id => 'u1')");
    drain(&mut client);
    run(
        &mut client,
        "SELECT cdp.create_trait('city', 'text'); SELECT cdp.rebuild(); SELECT cdp.profile(cdp.resolve('user_id', 'u1'))",
    );
    // EXECUTE alone is not enough, were it ever granted by mistake.
    let outsider = Role::new(&db, "outsider", &[]);
    run(
        &mut db.connect(),
        &format!(
            "GRANT USAGE ON SCHEMA cdp TO {0}; GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA cdp TO {0}",
            outsider.name
        ),
    );
    let mut client = outsider.connect(&db);
    for sql in [
        "SELECT cdp.process()",
        "SELECT cdp.rebuild()",
        "SELECT cdp.profile(1)",
        "SELECT cdp.config()",
        "SELECT cdp.init()",
        "SELECT cdp.start()",
        "SELECT cdp.pause()",
        "SELECT cdp.create_trait('a', 'text')",
        "SELECT * FROM cdp.refresh_segment('a')",
        "SELECT * FROM cdp.preview_segment('first_seen is set')",
        "SELECT * FROM cdp.explain_identity('user_id', 'u1', 'user_id', 'u1')",
        "SELECT cdp.resolve('user_id', 'u1')",
        "SELECT cdp.track('e', user_id => 'u1')",
        "SELECT cdp.retry_dead_letters()",
        "SELECT cdp.await_turn()",
        "SELECT cdp.begin_batch()",
        "SELECT cdp.run_begun_batch(1)",
        "SELECT cdp.keep_house(true, 0)",
    ] {
        let (code, said) = fails(&mut client, sql);
        assert_eq!(code, "42501", "{sql}: {said}");
    }
}
