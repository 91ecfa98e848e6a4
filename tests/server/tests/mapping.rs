//! Mapped tables: what is captured, when, with whose rights.
//!
//! The library is not preloaded, so no worker runs: what is in the inbox stays there to be looked at.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use cdp_server_tests::postgres::Error;
use cdp_server_tests::{Client, Server, ServerOptions};

const CONTACTS: &str =
    r#"{"user_id":"id","email":"mail","traits":{"country":"country"},"created_at":"created"}"#;

fn server() -> &'static Server {
    static SERVER: OnceLock<Server> = OnceLock::new();
    SERVER.get_or_init(|| {
        let server = Server::start(ServerOptions {
            preload: false,
            settings: &[("wal_level", "logical"), ("max_prepared_transactions", "4")],
        });
        // The roles are of all databases: the first installation makes them.
        server.create_cdp_db("first");
        let mut client = server.connect("postgres");
        exec(
            &mut client,
            "CREATE ROLE app LOGIN; CREATE ROLE mallory LOGIN; CREATE ROLE marketer LOGIN; \
             GRANT cdp_owner TO marketer",
        );
        server
    })
}

/// A database with pg_cdp, and with tables that belong to `app`.
fn fresh() -> (String, Client) {
    static NEXT: AtomicU32 = AtomicU32::new(1);
    let name = format!("m{}", NEXT.fetch_add(1, Ordering::Relaxed));
    server().create_cdp_db(&name);
    let mut client = server().connect(&name);
    exec(
        &mut client,
        "GRANT CREATE, USAGE ON SCHEMA public TO app, mallory; CREATE SCHEMA AUTHORIZATION mallory; \
         SET ROLE app; \
         CREATE TABLE contacts (id int PRIMARY KEY, mail text, country text, created timestamptz); \
         RESET ROLE;",
    );
    (name, client)
}

fn exec(client: &mut Client, sql: &str) {
    client
        .batch_execute(sql)
        .unwrap_or_else(|error| panic!("{sql}: {}", describe(&error)));
}

fn describe(error: &Error) -> String {
    error
        .as_db_error()
        .map_or_else(|| error.to_string(), |db| format!("{db:?}"))
}

/// The first column, as text.
fn all(client: &mut Client, sql: &str) -> Vec<String> {
    let wrapped = format!("SELECT format('%s', x) FROM ({sql}) q (x)");
    let rows = client
        .query(&wrapped, &[])
        .unwrap_or_else(|error| panic!("{sql}: {}", describe(&error)));
    rows.iter().map(|row| row.get(0)).collect()
}

fn one(client: &mut Client, sql: &str) -> String {
    let mut rows = all(client, sql);
    assert_eq!(rows.len(), 1, "{sql}: {rows:?}");
    rows.remove(0)
}

/// SQLSTATE, message and hint of a statement that fails.
fn fault(client: &mut Client, sql: &str) -> (String, String, String) {
    let error = client.batch_execute(sql).expect_err(sql);
    let db = error.as_db_error().unwrap_or_else(|| panic!("{error}"));
    (
        db.code().code().to_owned(),
        db.message().to_owned(),
        db.hint().unwrap_or_default().to_owned(),
    )
}

/// Operation, part and row of every capture of a source.
fn captures(client: &mut Client, source: &str) -> Vec<String> {
    all(
        client,
        &format!(
            "SELECT concat_ws(' ', m ->> 'op', m ->> 'rel', m ->> 'row') \
             FROM (SELECT id, message::json AS m FROM cdp.inbox WHERE source = '{source}') i \
             ORDER BY id"
        ),
    )
}

fn forget_captures(client: &mut Client) {
    exec(client, "CALL cdp.process_all()");
    exec(client, "DELETE FROM cdp.inbox");
}

/// The keys of the rows of a source that stand, after everything was processed; nothing is polled or
/// kept up with for that.
fn standing(client: &mut Client, source: &str) -> Vec<String> {
    while one(client, "SELECT cdp.process()") != "0" {}
    all(
        client,
        &format!(
            "SELECT r.key FROM cdp.records r JOIN cdp.sources s USING (source_id) \
             WHERE s.name = '{source}' AND r.set_id IS NOT NULL ORDER BY r.key"
        ),
    )
}

#[test]
fn every_change_is_captured() {
    let (_, mut c) = fresh();
    exec(
        &mut c,
        "INSERT INTO contacts VALUES (1, 'a@example.com', 'PT', '2024-01-01')",
    );
    let map = format!("SELECT cdp.map_table('crm', 'contacts', '{CONTACTS}')");
    assert_eq!(one(&mut c, &map), "1");
    exec(
        &mut c,
        "SET datestyle = 'German'; SET timezone = 'Asia/Kolkata'; \
         INSERT INTO contacts VALUES (2, E'q\"u''o,t\\\\e\\n(d)', NULL, '2024-01-02T00:00Z'); \
         UPDATE contacts SET country = 'BR' WHERE id = 2; \
         UPDATE contacts SET country = 'BR' WHERE id = 2; \
         UPDATE contacts SET id = 3 WHERE id = 2; \
         DELETE FROM contacts WHERE id = 3",
    );
    let quoted = r#""q""u'o,t\\e
(d)""#;
    assert_eq!(
        captures(&mut c, "crm"),
        [
            "I public.contacts (1,a@example.com,PT,\"2024-01-01 00:00:00+00\")".to_owned(),
            format!("I public.contacts (2,{quoted},,\"2024-01-02 00:00:00+00\")"),
            format!("U public.contacts (2,{quoted},BR,\"2024-01-02 00:00:00+00\")"),
            format!("U public.contacts (3,{quoted},BR,\"2024-01-02 00:00:00+00\")"),
            format!("D public.contacts (3,{quoted},BR,\"2024-01-02 00:00:00+00\")"),
        ]
    );
    assert_eq!(standing(&mut c, "crm"), ["1"]);
    assert_eq!(
        one(&mut c, "SELECT extra ->> 'country' FROM cdp.profiles"),
        "PT",
        "the trait of the row that stands"
    );
    exec(&mut c, "UPDATE contacts SET id = 7");
    assert_eq!(standing(&mut c, "crm"), ["7"]);
    exec(&mut c, "TRUNCATE contacts");
    assert!(standing(&mut c, "crm").is_empty());
    assert_eq!(one(&mut c, "SELECT count(*) FROM cdp.dead_letter"), "0");
}

#[test]
fn rows_of_every_shape_are_captured() {
    let (_, mut c) = fresh();
    exec(
        &mut c,
        r#"CREATE TYPE mood AS ENUM ('sad', 'so "so"'); CREATE TYPE pair AS (a int, b text);
           CREATE DOMAIN code AS text CHECK (value <> '');
           CREATE TABLE odd ("select" int PRIMARY KEY, "a ""b""" text, m mood, p pair, ps pair[],
               js json, jb jsonb, by bytea, arr text[], cd code, r int4range, i interval, f float8,
               twice int GENERATED ALWAYS AS ("select" * 2) STORED);
           SELECT cdp.map_table('odd', 'odd', '{"user_id":"select","traits":"*"}');
           SET extra_float_digits = -10; SET intervalstyle = 'sql_standard'; SET bytea_output = 'escape';
           INSERT INTO odd VALUES (1, E'\\ " \n \t ,()', 'so "so"', (1, 'x,"y"'), ARRAY[(2, NULL)::pair],
               '{"a": "\\u0041"}', '[1, {"b": null}]', '\x00ff', '{NULL,"NULL","a b"}', 'c', '[1,5)',
               '1 day 02:03:04', 0.1);
           INSERT INTO odd ("select") VALUES (2);
           CREATE TABLE wide (id int PRIMARY KEY, big text);
           ALTER TABLE wide ALTER big SET STORAGE EXTERNAL;
           SELECT cdp.map_table('wide', 'wide', '{"user_id":"id","traits":"*"}');
           INSERT INTO wide VALUES (1, repeat('"', 3000000)); UPDATE wide SET id = 2;"#,
    );
    let columns = (1..=300).map(|n| format!(", c{n} int DEFAULT {n}"));
    exec(
        &mut c,
        &format!(
            "CREATE TABLE long (id int PRIMARY KEY {}); INSERT INTO long VALUES (0); \
             SELECT cdp.map_table('long', 'long', '{{\"user_id\":\"id\",\"traits\":\"*\"}}'); \
             INSERT INTO long VALUES (1)",
            columns.collect::<String>()
        ),
    );
    assert_eq!(standing(&mut c, "odd"), ["1", "2"]);
    assert_eq!(standing(&mut c, "wide"), ["2"]);
    assert_eq!(standing(&mut c, "long"), ["0", "1"]);
    assert_eq!(one(&mut c, "SELECT count(*) FROM cdp.dead_letter"), "0");
    let value = |name: &str| {
        format!(
            "SELECT v.\"row\" ->> '{name}' FROM cdp.row_versions v JOIN cdp.sources s USING (source_id) \
             WHERE s.name = 'odd' AND v.key = '1'"
        )
    };
    for (name, expected) in [
        ("select", "1"),
        ("a \"b\"", "\\ \" \n \t ,()"),
        ("m", "so \"so\""),
        ("p", "(1,\"x,\"\"y\"\"\")"),
        ("by", "\\x00ff"),
        ("arr", "[null, \"NULL\", \"a b\"]"),
        ("i", "P1DT2H3M4S"),
        ("f", "0.1"),
        ("twice", "2"),
    ] {
        assert_eq!(one(&mut c, &value(name)), expected, "{name}");
    }
    let length = "SELECT length(v.\"row\" ->> 'big') FROM cdp.row_versions v \
                  JOIN cdp.sources s USING (source_id) \
                  WHERE s.name = 'wide' AND v.key = '2' AND v.\"row\" IS NOT NULL";
    assert_eq!(one(&mut c, length), "3000000");
}

#[test]
fn a_row_too_large_to_be_written_down_is_written_all_the_same() {
    let (_, mut c) = fresh();
    exec(
        &mut c,
        "CREATE TABLE huge (id int PRIMARY KEY, big text); \
         SELECT cdp.map_table('huge', 'huge', '{\"user_id\":\"id\"}'); \
         INSERT INTO huge VALUES (1, repeat('x', 160000000)); \
         UPDATE huge SET big = 'small'",
    );
    exec(&mut c, "CALL cdp.process_all()");
    assert_eq!(
        one(&mut c, "SELECT reason FROM cdp.dead_letter"),
        "missing_field"
    );
    assert_eq!(standing(&mut c, "huge"), ["1"]);
}

#[test]
fn whoever_writes_the_table_needs_no_right_on_pg_cdp() {
    let (name, mut c) = fresh();
    exec(
        &mut c,
        "SET ROLE app; GRANT INSERT, SELECT, UPDATE, DELETE ON contacts TO mallory; RESET ROLE",
    );
    exec(
        &mut c,
        &format!("SELECT cdp.map_table('crm', 'contacts', '{CONTACTS}')"),
    );
    let mut writer = server().connect_as("mallory", &name);
    exec(
        &mut writer,
        "SELECT 1; \
         CREATE FUNCTION mallory.format(text, contacts) RETURNS text LANGUAGE sql AS $$ SELECT 'evil' $$; \
         SET search_path = mallory, pg_catalog, public; SET row_security = off; \
         INSERT INTO contacts VALUES (1, 'a@example.com')",
    );
    assert_eq!(
        captures(&mut c, "crm"),
        ["I public.contacts (1,a@example.com,,)"]
    );
    for sql in [
        "SELECT * FROM cdp.inbox",
        "INSERT INTO cdp.inbox (message) VALUES ('x')",
        "CREATE TABLE mine (id int); \
         CREATE TRIGGER t AFTER INSERT ON mine FOR EACH ROW EXECUTE FUNCTION cdp.capture_row('crm', '2', 'x')",
        "SELECT cdp.map_table('m', 'contacts', '{}')",
    ] {
        assert_eq!(fault(&mut writer, sql).0, "42501", "{sql}");
    }
}

#[test]
fn a_hostile_cast_never_runs() {
    let (name, mut c) = fresh();
    exec(&mut c, "GRANT CREATE ON DATABASE postgres TO app");
    let mut app = server().connect_as("app", &name);
    for target in ["text", "json", "jsonb", "varchar"] {
        exec(
            &mut app,
            &format!(
                "CREATE FUNCTION evil_{target}(contacts) RETURNS {target} LANGUAGE plpgsql AS \
                 $$ BEGIN EXECUTE 'CREATE TABLE cdp.planted_{target} ()'; RETURN NULL; END $$; \
                 CREATE CAST (contacts AS {target}) WITH FUNCTION evil_{target}(contacts) AS IMPLICIT;"
            ),
        );
    }
    exec(
        &mut app,
        "CREATE TYPE secret AS ENUM ('x'); \
         CREATE FUNCTION evil(secret) RETURNS json LANGUAGE plpgsql AS \
         $$ BEGIN EXECUTE 'CREATE TABLE cdp.planted ()'; RETURN '1'; END $$; \
         CREATE CAST (secret AS json) WITH FUNCTION evil(secret) AS IMPLICIT; \
         ALTER TABLE contacts ADD s secret DEFAULT 'x'; INSERT INTO contacts (id) VALUES (1);",
    );
    exec(
        &mut c,
        "SELECT cdp.map_table('crm', 'contacts', '{\"user_id\":\"id\",\"traits\":\"*\"}'); \
         SELECT cdp.map_table('polled', 'contacts', '{\"user_id\":\"id\"}', capture => 'poll', \
                              poll_every => '1 day')",
    );
    exec(
        &mut app,
        "INSERT INTO contacts (id) VALUES (2); UPDATE contacts SET mail = 'x'; DELETE FROM contacts",
    );
    exec(&mut c, "SELECT cdp.poll()");
    assert_eq!(captures(&mut c, "crm").len(), 6);
    assert_eq!(captures(&mut c, "polled").len(), 1);
    exec(&mut c, "CALL cdp.process_all()");
    let planted = "SELECT count(*) FROM pg_class WHERE relname LIKE 'planted%'";
    assert_eq!(one(&mut c, planted), "0");
}

/// A row that loses its key is a dead letter, and nothing that it said before stands beside it.
#[test]
fn a_row_whose_key_becomes_unreadable_is_withdrawn() {
    let (_, mut c) = fresh();
    exec(
        &mut c,
        "CREATE TABLE cards (code text, mail text); \
         INSERT INTO cards VALUES ('a', 'a@x.org'), ('b', 'b@x.org'), ('c', 'c@x.org'); \
         SELECT cdp.map_table('cards', 'cards', '{\"key\": \"code\", \"email\": \"mail\"}')",
    );
    assert_eq!(standing(&mut c, "cards"), ["a", "b", "c"]);
    exec(
        &mut c,
        "UPDATE cards SET code = NULL WHERE code = 'a'; \
         UPDATE cards SET code = repeat('x', 2000) WHERE code = 'b'",
    );
    assert_eq!(standing(&mut c, "cards"), ["c"]);
    let letters = "SELECT string_agg(reason, ',' ORDER BY reason) FROM cdp.dead_letter";
    assert_eq!(one(&mut c, letters), "missing_field,too_long");
    let left =
        "SELECT count(*) FROM cdp.profiles p WHERE p.profile_id = cdp.resolve('email', 'a@x.org')";
    assert_eq!(one(&mut c, left), "0");
}

#[test]
fn writes_go_on_without_the_library() {
    let (name, mut c) = fresh();
    exec(
        &mut c,
        &format!("SELECT cdp.map_table('crm', 'contacts', '{CONTACTS}')"),
    );
    exec(
        &mut c,
        "UPDATE pg_proc SET probin = '$libdir/gone' WHERE probin LIKE '%pg_cdp'",
    );
    let mut app = server().connect_as("app", &name);
    exec(&mut app, "INSERT INTO contacts (id) VALUES (1)");
    assert_eq!(fault(&mut c, "SELECT cdp.inbox_wake()").0, "58P01");
    exec(&mut c, "DROP EXTENSION pg_cdp CASCADE");
    let mut app = server().connect_as("app", &name);
    exec(
        &mut app,
        "INSERT INTO contacts (id) VALUES (2); UPDATE contacts SET mail = 'x' WHERE id = 1; \
         DELETE FROM contacts WHERE id = 1; TRUNCATE contacts",
    );
    assert_eq!(captures(&mut c, "crm").len(), 5);
}

#[test]
fn changes_of_the_table_are_survived() {
    let (name, mut c) = fresh();
    exec(
        &mut c,
        "INSERT INTO contacts VALUES (1, 'a@example.com', 'PT')",
    );
    exec(
        &mut c,
        &format!("SELECT cdp.map_table('crm', 'contacts', '{CONTACTS}')"),
    );
    let mut writer = server().connect(&name);
    exec(
        &mut writer,
        "INSERT INTO contacts VALUES (2, 'b@example.com', 'PT')",
    );
    // The writer's session has planned its capture already.
    exec(
        &mut c,
        "ALTER TABLE contacts RENAME mail TO \"e-mail\"; ALTER TABLE contacts DROP COLUMN country; \
         ALTER TABLE contacts ADD vip boolean DEFAULT true; ALTER TABLE contacts ALTER id TYPE bigint",
    );
    exec(
        &mut writer,
        "INSERT INTO contacts VALUES (3, 'c@example.com', NULL, false)",
    );
    exec(&mut writer, "UPDATE contacts SET vip = false WHERE id = 1");
    assert_eq!(standing(&mut c, "crm"), ["1", "2", "3"]);
    let emails = "SELECT count(*) FROM cdp.identifiers i JOIN cdp.identifier_types t USING (type_id) \
                  WHERE t.name = 'email' AND i.value LIKE '%@example.com'";
    assert_eq!(one(&mut c, emails), "3", "found under the new name");
    let missing = "SELECT name FROM cdp.value_issues WHERE reason = 'missing'";
    assert_eq!(one(&mut c, missing), "country");
    // Numbers of columns mean nothing after a restore; names do, once they were noted.
    exec(
        &mut c,
        "SELECT cdp.refresh_mappings(); \
         UPDATE cdp.mappings SET column_state = jsonb_set(column_state, '{of}', '\"elsewhere\"'); \
         INSERT INTO contacts VALUES (4, 'd@example.com')",
    );
    assert_eq!(standing(&mut c, "crm").len(), 4);
    assert_eq!(one(&mut c, emails), "4");
    // A renamed table is the same table.
    exec(
        &mut c,
        "ALTER TABLE contacts RENAME TO people; TRUNCATE people",
    );
    assert!(standing(&mut c, "crm").is_empty());
    assert_eq!(one(&mut c, "SELECT count(*) FROM cdp.dead_letter"), "0");
}

const ORDERS: &str = r#"{"kind":"events","user_id":"customer","time":"at","key":"id",
    "event":"Order Completed","properties":{"total":"total"}}"#;

fn orders(c: &mut Client) {
    exec(
        c,
        "SET ROLE app; \
         CREATE TABLE orders (id int, customer text, at timestamptz, total numeric) PARTITION BY RANGE (at); \
         CREATE TABLE orders_24 PARTITION OF orders FOR VALUES FROM ('2024-01-01') TO ('2025-01-01'); \
         CREATE TABLE orders_25 PARTITION OF orders FOR VALUES FROM ('2025-01-01') TO ('2026-01-01') \
             PARTITION BY LIST (customer); \
         CREATE TABLE orders_25_rest PARTITION OF orders_25 DEFAULT; \
         INSERT INTO orders VALUES (1, 'c1', '2024-05-05', 10); RESET ROLE",
    );
    exec(
        c,
        &format!("SELECT cdp.map_table('shop', 'orders', '{ORDERS}')"),
    );
}

#[test]
fn partitions_are_captured_wherever_they_are_written() {
    let (_, mut c) = fresh();
    orders(&mut c);
    exec(
        &mut c,
        "INSERT INTO orders_24 VALUES (2, 'c1', '2024-06-06', 20); \
         INSERT INTO orders_25_rest VALUES (3, 'c2', '2025-06-06', 30); \
         UPDATE orders SET at = '2025-07-07' WHERE id = 2",
    );
    assert_eq!(
        captures(&mut c, "shop"),
        [
            "I public.orders_24 (1,c1,\"2024-05-05 00:00:00+00\",10)",
            "I public.orders_24 (2,c1,\"2024-06-06 00:00:00+00\",20)",
            "I public.orders_25_rest (3,c2,\"2025-06-06 00:00:00+00\",30)",
            "D public.orders_24 (2,c1,\"2024-06-06 00:00:00+00\",20)",
            "I public.orders_25_rest (2,c1,\"2025-07-07 00:00:00+00\",20)",
        ]
    );
    assert_eq!(standing(&mut c, "shop"), ["1", "2", "3"]);
    exec(&mut c, "TRUNCATE orders_24");
    assert_eq!(standing(&mut c, "shop"), ["2", "3"]);
    exec(&mut c, "TRUNCATE orders");
    assert!(standing(&mut c, "shop").is_empty());
    assert_eq!(one(&mut c, "SELECT count(*) FROM cdp.events"), "0");
    assert_eq!(one(&mut c, "SELECT count(*) FROM cdp.dead_letter"), "0");
}

#[test]
fn partitions_that_come_and_go_are_kept_up_with() {
    let (name, mut c) = fresh();
    orders(&mut c);
    // A partition of another owner, filled before it is attached.
    exec(
        &mut c,
        "CREATE TABLE orders_26 PARTITION OF orders FOR VALUES FROM ('2026-01-01') TO ('2027-01-01'); \
         CREATE TABLE old (LIKE orders); INSERT INTO old VALUES (9, 'c9', '2020-01-01', 90); \
         ALTER TABLE orders ATTACH PARTITION old FOR VALUES FROM ('2020-01-01') TO ('2021-01-01'); \
         ALTER TABLE old OWNER TO mallory; \
         INSERT INTO orders VALUES (4, 'c4', '2026-02-02', 40)",
    );
    assert_eq!(standing(&mut c, "shop"), ["1", "4"]);
    assert_eq!(
        one(&mut c, "SELECT cdp.refresh_mappings()"),
        "2",
        "9, and 4 once more"
    );
    assert_eq!(standing(&mut c, "shop"), ["1", "4", "9"]);
    assert_eq!(one(&mut c, "SELECT cdp.refresh_mappings()"), "0");
    assert_eq!(
        one(
            &mut c,
            "SELECT count(*) FROM cdp.mappings WHERE fault IS NOT NULL"
        ),
        "0"
    );
    let lent = "SELECT has_schema_privilege('mallory', 'cdp', 'USAGE') \
                OR has_function_privilege('mallory', 'cdp.capture_truncate()', 'EXECUTE')";
    assert_eq!(one(&mut c, lent), "f", "what was lent was taken back");
    let disabled = "SELECT count(*) FROM pg_trigger WHERE tgname LIKE 'cdp_%' AND tgenabled <> 'A'";
    assert_eq!(one(&mut c, disabled), "0");
    let mut mallory = server().connect_as("mallory", &name);
    exec(&mut mallory, "TRUNCATE old");
    assert_eq!(standing(&mut c, "shop"), ["1", "4"]);
    exec(
        &mut c,
        "INSERT INTO orders VALUES (10, 'c9', '2020-01-01', 90); \
         ALTER TABLE orders DETACH PARTITION old; DROP TABLE orders_26",
    );
    assert_eq!(
        one(&mut c, "SELECT cdp.refresh_mappings()"),
        "2",
        "{:?}",
        all(&mut c, "SELECT fault FROM cdp.mappings")
    );
    assert_eq!(standing(&mut c, "shop"), ["1"]);
    let left = "SELECT count(*) FROM pg_trigger WHERE tgrelid = 'old'::regclass";
    assert_eq!(one(&mut c, left), "0");
    // A trigger that is gone is reported, not made anew: somebody may have meant it.
    exec(
        &mut c,
        "DROP TRIGGER cdp_capture_2 ON orders; SELECT cdp.refresh_mappings()",
    );
    let fault = one(&mut c, "SELECT fault FROM cdp.mappings");
    assert!(fault.contains("has lost its capture trigger"), "{fault}");
}

#[test]
fn replicated_rows_are_captured() {
    let (name, mut c) = fresh();
    orders(&mut c);
    exec(
        &mut c,
        &format!("SELECT cdp.map_table('crm', 'contacts', '{CONTACTS}')"),
    );
    exec(
        &mut c,
        "SET session_replication_role = replica; INSERT INTO orders VALUES (5, 'c5', '2024-01-01', 1); \
         RESET session_replication_role",
    );
    assert_eq!(standing(&mut c, "shop"), ["1", "5"]);

    let origin = format!("{name}_origin");
    server().createdb(&origin);
    let mut o = server().connect(&origin);
    exec(
        &mut o,
        "CREATE TABLE contacts (id int PRIMARY KEY, mail text, country text, created timestamptz); \
         INSERT INTO contacts VALUES (1, 'a@example.com'); CREATE PUBLICATION p FOR TABLE contacts",
    );
    exec(
        &mut o,
        &format!("SELECT pg_create_logical_replication_slot('{name}', 'pgoutput')"),
    );
    let socket = one(&mut c, "SELECT current_setting('unix_socket_directories')");
    exec(
        &mut c,
        &format!(
            "CREATE SUBSCRIPTION s CONNECTION 'host={socket} dbname={origin} user=postgres' \
             PUBLICATION p WITH (create_slot = false, slot_name = '{name}')"
        ),
    );
    let wait_for = |c: &mut Client, expected: &[&str]| {
        server().wait_for("replication", Duration::from_secs(60), || {
            (captures(c, "crm") == expected).then_some(())
        });
    };
    wait_for(&mut c, &["I public.contacts (1,a@example.com,,)"]);
    exec(
        &mut o,
        "INSERT INTO contacts VALUES (2); UPDATE contacts SET country = 'PT' WHERE id = 1; \
         DELETE FROM contacts WHERE id = 2; TRUNCATE contacts",
    );
    wait_for(
        &mut c,
        &[
            "I public.contacts (1,a@example.com,,)",
            "I public.contacts (2,,,)",
            "U public.contacts (1,a@example.com,PT,)",
            "D public.contacts (2,,,)",
            "T public.contacts",
        ],
    );
    exec(&mut c, "DROP SUBSCRIPTION s");
}

const POLLED: &str = "capture => 'poll', watermark => 'changed', poll_every => '1 day'";

fn polled_table(c: &mut Client) {
    exec(
        c,
        "SET ROLE app; \
         CREATE TABLE p (id int PRIMARY KEY, v text, changed timestamptz DEFAULT clock_timestamp()); \
         INSERT INTO p SELECT g, 'v' FROM generate_series(1, 3) g; \
         CREATE VIEW pv AS SELECT * FROM p; RESET ROLE",
    );
}

#[test]
fn polling_finds_what_changed() {
    let (_, mut c) = fresh();
    polled_table(&mut c);
    for (source, relation) in [("table", "p"), ("view", "pv")] {
        let map = format!(
            "SELECT cdp.map_table('{source}', '{relation}', '{{\"key\":\"id\",\"user_id\":\"v\"}}', {POLLED})"
        );
        assert_eq!(one(&mut c, &map), "3");
    }
    assert_eq!(one(&mut c, "SELECT cdp.poll()"), "0");
    exec(
        &mut c,
        "UPDATE p SET v = 'w', changed = clock_timestamp() WHERE id = 1; DELETE FROM p WHERE id = 2; \
         INSERT INTO p VALUES (4, 'v')",
    );
    assert_eq!(one(&mut c, "SELECT cdp.poll('table')"), "2");
    assert_eq!(one(&mut c, "SELECT cdp.poll('view')"), "2");
    assert_eq!(standing(&mut c, "view"), ["1", "2", "3", "4"]);
    // A change without a new watermark: a table's is seen, a view's not before all is compared.
    exec(
        &mut c,
        "UPDATE p SET v = 'x' WHERE id = 3; UPDATE cdp.mappings SET overlap = '0'",
    );
    exec(
        &mut c,
        "UPDATE p SET changed = clock_timestamp() WHERE id = 4; SELECT cdp.poll()",
    );
    exec(&mut c, "UPDATE p SET v = 'y' WHERE id = 3");
    assert_eq!(one(&mut c, "SELECT cdp.poll('table')"), "1");
    assert_eq!(one(&mut c, "SELECT cdp.poll('view')"), "0");
    exec(&mut c, "UPDATE cdp.mappings SET compare_every = '0'");
    assert_eq!(
        one(&mut c, "SELECT cdp.poll('view')"),
        "2",
        "3 changed, 2 is gone"
    );
    assert_eq!(one(&mut c, "SELECT cdp.poll('table')"), "1", "2 is gone");
    for source in ["table", "view"] {
        assert_eq!(standing(&mut c, source), ["1", "3", "4"]);
        assert_eq!(captures(&mut c, source).last().map(|c| &c[..1]), Some("D"));
    }
    assert_eq!(one(&mut c, "SELECT count(*) FROM cdp.dead_letter"), "0");
}

#[test]
fn rows_that_commit_late_are_found() {
    let (name, mut c) = fresh();
    polled_table(&mut c);
    exec(
        &mut c,
        &format!(
            "SELECT cdp.map_table('table', 'p', '{{\"user_id\":\"v\"}}', {POLLED}); \
             SELECT cdp.map_table('view', 'pv', '{{\"key\":\"id\",\"user_id\":\"v\"}}', {POLLED}); \
             UPDATE cdp.mappings SET overlap = '0'"
        ),
    );
    let mut late = server().connect(&name);
    let mut prepared = server().connect(&name);
    exec(&mut late, "BEGIN; INSERT INTO p VALUES (10, 'late', now())");
    exec(
        &mut prepared,
        "BEGIN; INSERT INTO p VALUES (11, 'prepared', now())",
    );
    for n in 20..24 {
        exec(
            &mut c,
            &format!("INSERT INTO p VALUES ({n}, 'x'); SELECT cdp.poll()"),
        );
        if n == 21 {
            exec(&mut prepared, "PREPARE TRANSACTION 'x'");
        }
    }
    exec(&mut late, "COMMIT");
    assert_eq!(one(&mut c, "SELECT cdp.poll('table')"), "1");
    assert_eq!(one(&mut c, "SELECT cdp.poll('view')"), "1");
    exec(&mut c, "INSERT INTO p VALUES (25, 'x'); SELECT cdp.poll()");
    exec(&mut prepared, "COMMIT PREPARED 'x'");
    assert_eq!(one(&mut c, "SELECT cdp.poll('table')"), "1");
    assert_eq!(one(&mut c, "SELECT cdp.poll('view')"), "1");
    // With a watermark from long ago: a table's is found by visibility.
    exec(
        &mut late,
        "BEGIN; INSERT INTO p VALUES (12, 'old', '2001-01-01')",
    );
    exec(&mut c, "INSERT INTO p VALUES (26, 'x'); SELECT cdp.poll()");
    exec(&mut late, "COMMIT");
    assert_eq!(one(&mut c, "SELECT cdp.poll('table')"), "1");
    assert_eq!(standing(&mut c, "table").len(), 12);
}

#[test]
fn a_polled_view_has_no_right_beyond_its_owners() {
    let (name, mut c) = fresh();
    let mut mallory = server().connect_as("mallory", &name);
    exec(
        &mut mallory,
        "CREATE TABLE public.log (who text); \
         CREATE FUNCTION public.attack(statement text) RETURNS text LANGUAGE plpgsql AS $$ \
         BEGIN EXECUTE statement; RETURN 'done'; EXCEPTION WHEN OTHERS THEN RETURN SQLSTATE; END $$; \
         CREATE FUNCTION public.who() RETURNS text LANGUAGE sql AS \
             $$ INSERT INTO public.log VALUES (current_user); SELECT 'who' $$; \
         CREATE VIEW public.v AS SELECT 1 AS id, public.who() AS w, \
             public.attack('RESET ROLE') AS a, \
             public.attack('SET ROLE postgres') AS b, \
             public.attack('SET SESSION AUTHORIZATION postgres') AS c, \
             public.attack('INSERT INTO cdp.dead_letter (reason) VALUES (1)') AS d, \
             public.attack('SELECT * FROM cdp.inbox') AS e, \
             public.attack('ALTER ROLE mallory SUPERUSER') AS f, \
             public.attack('CREATE TEMP TABLE x ()') AS g",
    );
    // Mapped by a superuser.
    exec(
        &mut c,
        "SELECT cdp.map_table('v', 'v', '{\"key\":\"id\",\"user_id\":\"w\"}', capture => 'poll', \
                              poll_every => '1 day')",
    );
    let captured = captures(&mut c, "v");
    assert_eq!(captured.len(), 1);
    let row = &captured[0];
    for (n, code) in row.trim_end_matches(')').split(',').skip(2).enumerate() {
        assert_eq!(code, "42501", "attack {n}: {row}");
    }
    assert_eq!(one(&mut c, "SELECT DISTINCT who FROM log"), "mallory");
    assert_eq!(
        one(
            &mut c,
            "SELECT count(*) FROM pg_roles WHERE rolname = 'mallory' AND rolsuper"
        ),
        "0"
    );
}

#[test]
fn a_row_of_the_mappings_gives_no_right() {
    let (name, mut c) = fresh();
    polled_table(&mut c);
    exec(
        &mut c,
        "CREATE TABLE salaries (id int PRIMARY KEY, v text); INSERT INTO salaries VALUES (1, 'secret'); \
         CREATE TABLE parts (id int, v text) PARTITION BY LIST (id); \
         CREATE TABLE parts_1 PARTITION OF parts FOR VALUES IN (1); INSERT INTO parts VALUES (1, 'secret'); \
         SELECT cdp.map_table('p', 'p', '{\"user_id\":\"v\"}', capture => 'poll', poll_every => '1 day')",
    );
    let mut marketer = server().connect_as("marketer", &name);
    exec(
        &mut marketer,
        "UPDATE cdp.mappings SET relation = 'salaries', owner = 'postgres', poll_state = '{}'",
    );
    let (code, message, hint) = fault(&mut marketer, "SELECT cdp.poll('p')");
    assert_eq!(code, "42501");
    assert!(
        message.contains("may not read public.salaries"),
        "{message}"
    );
    assert!(
        hint.contains("GRANT SELECT ON public.salaries TO cdp_owner"),
        "{hint}"
    );
    exec(
        &mut marketer,
        "UPDATE cdp.mappings SET relation = 'parts', capture = 'trigger'; SELECT cdp.refresh_mappings()",
    );
    let reported = one(&mut c, "SELECT fault FROM cdp.mappings");
    assert!(
        reported.contains("has lost its capture trigger"),
        "{reported}"
    );
    assert!(
        !captures(&mut c, "p")
            .iter()
            .any(|capture| capture.contains("secret"))
    );
    for sql in [
        "SELECT cdp.map_table('s', 'salaries', '{\"user_id\":\"v\"}')",
        "SELECT cdp.map_table('s', 'salaries', '{\"user_id\":\"v\"}', capture => 'poll')",
    ] {
        assert_eq!(fault(&mut marketer, sql).0, "42501", "{sql}");
    }
}

#[test]
fn foreign_tables_are_polled() {
    let (name, mut c) = fresh();
    let far = format!("{name}_far");
    server().createdb(&far);
    let mut f = server().connect(&far);
    exec(
        &mut f,
        "CREATE TABLE t (id int PRIMARY KEY, v text, changed timestamptz DEFAULT clock_timestamp()); \
         INSERT INTO t VALUES (1, 'a'), (2, 'b')",
    );
    let socket = one(&mut c, "SELECT current_setting('unix_socket_directories')");
    exec(
        &mut c,
        &format!(
            "CREATE EXTENSION postgres_fdw; \
             CREATE SERVER far FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host '{socket}', dbname '{far}'); \
             CREATE USER MAPPING FOR app SERVER far OPTIONS (user 'postgres', password_required 'false'); \
             GRANT USAGE ON FOREIGN SERVER far TO app; SET ROLE app; \
             CREATE FOREIGN TABLE ft (id int, v text, changed timestamptz) SERVER far OPTIONS (table_name 't'); \
             RESET ROLE"
        ),
    );
    let by_trigger = fault(
        &mut c,
        "SELECT cdp.map_table('f', 'ft', '{\"key\":\"id\",\"user_id\":\"v\"}')",
    );
    assert_eq!(by_trigger.0, "42809");
    assert!(by_trigger.2.contains("capture => 'poll'"), "{by_trigger:?}");
    let map = format!(
        "SELECT cdp.map_table('f', 'ft', '{{\"key\":\"id\",\"user_id\":\"v\"}}', {POLLED})"
    );
    assert_eq!(one(&mut c, &map), "2");
    exec(
        &mut f,
        "UPDATE t SET v = 'c', changed = clock_timestamp() WHERE id = 1; DELETE FROM t WHERE id = 2",
    );
    assert_eq!(one(&mut c, "SELECT cdp.poll('f')"), "1");
    exec(&mut c, "UPDATE cdp.mappings SET compare_every = '0'");
    assert_eq!(one(&mut c, "SELECT cdp.poll('f')"), "1");
    assert_eq!(standing(&mut c, "f"), ["1"]);
    // While it cannot be reached, nothing counts as gone.
    exec(&mut f, "ALTER TABLE t RENAME TO elsewhere");
    fault(&mut c, "SELECT cdp.poll('f')");
    assert_eq!(standing(&mut c, "f"), ["1"]);
    // A failure of one is no failure of all, and is told.
    exec(&mut c, "SELECT cdp.poll()");
    assert_eq!(
        one(&mut c, "SELECT fault IS NOT NULL FROM cdp.mappings"),
        "t"
    );
    exec(&mut f, "ALTER TABLE elsewhere RENAME TO t");
    exec(&mut c, "SELECT cdp.poll('f')");
    assert_eq!(one(&mut c, "SELECT fault IS NULL FROM cdp.mappings"), "t");
}

#[test]
fn a_mapping_ends_and_begins_again() {
    let (_, mut c) = fresh();
    exec(
        &mut c,
        "INSERT INTO contacts VALUES (1, 'a@example.com'), (2, 'b@example.com')",
    );
    let map = format!("SELECT cdp.map_table('crm', 'contacts', '{CONTACTS}')");
    exec(&mut c, &map);
    assert_eq!(standing(&mut c, "crm"), ["1", "2"]);
    exec(
        &mut c,
        "SELECT cdp.unmap_table('crm'); DELETE FROM contacts WHERE id = 1",
    );
    assert_eq!(
        standing(&mut c, "crm"),
        ["1", "2"],
        "what was captured stays"
    );
    exec(&mut c, &map);
    assert_eq!(standing(&mut c, "crm"), ["2"]);
    exec(&mut c, "SELECT cdp.unmap_table('crm', withdraw => true)");
    assert!(standing(&mut c, "crm").is_empty());
    assert_eq!(fault(&mut c, "SELECT cdp.unmap_table('crm')").0, "42704");
    exec(&mut c, &map);
    exec(&mut c, "DROP TABLE contacts; SELECT cdp.refresh_mappings()");
    let reported = one(&mut c, "SELECT fault FROM cdp.mappings");
    assert!(reported.contains("does not exist any more"), "{reported}");
    exec(&mut c, "SELECT cdp.unmap_table('crm', withdraw => true)");
    assert!(standing(&mut c, "crm").is_empty());
}

#[test]
fn what_cannot_be_mapped_is_told() {
    let (name, mut c) = fresh();
    polled_table(&mut c);
    exec(&mut c, "SELECT cdp.create_source('web')");
    for (arguments, code, message, hint) in [
        (
            "'web', 'contacts', '{\"user_id\":\"id\"}'",
            "42710",
            "kind \"stream\"",
            "source of its own",
        ),
        (
            "'v', 'pv', '{\"user_id\":\"v\",\"key\":\"id\"}'",
            "42809",
            "is a view",
            "capture => 'poll'",
        ),
        (
            "'v', 'pv', '{\"user_id\":\"v\"}', 'poll'",
            "22023",
            "at key: the table has no primary key",
            "Name the column",
        ),
        (
            "'i', 'cdp.inbox', '{\"user_id\":\"source\",\"key\":\"id\"}'",
            "42809",
            "a table of pg_cdp",
            "",
        ),
        (
            "'c', 'contacts', '{\"user_id\":\"idd\"}'",
            "22023",
            "at user_id: column \"idd\" does not exist",
            "Did you mean \"id\"?",
        ),
        (
            "'c', 'contacts', '{\"emial\":\"mail\"}'",
            "22023",
            "at emial: identifier type",
            "Did you mean \"email\"?",
        ),
        (
            "'c', 'contacts', '{\"record:x\":\"mail\"}'",
            "22023",
            "identifier type \"record:x\"",
            "",
        ),
        (
            "'c', 'contacts', '{\"user_id\":\"id\"}', 'magic'",
            "22023",
            "capture \"magic\"",
            "trigger or poll",
        ),
        (
            "'c', 'contacts', '{\"user_id\":\"id\"}', 'poll', 'mail'",
            "22023",
            "of type text",
            "watermark is a time",
        ),
        (
            "'c', 'contacts', '{\"user_id\":\"id\"}', 'poll', 'x'",
            "22023",
            "watermark: column \"x\"",
            "id, mail",
        ),
        (
            "'c', 'contacts', NULL",
            "22023",
            "mapping must not be NULL",
            "",
        ),
        (
            "'c', 'pg_class', '{\"user_id\":\"oid\"}'",
            "42809",
            "a table of PostgreSQL",
            "",
        ),
    ] {
        let told = fault(&mut c, &format!("SELECT cdp.map_table({arguments})"));
        assert_eq!(told.0, code, "{arguments}: {told:?}");
        assert!(told.1.contains(message), "{arguments}: {told:?}");
        assert!(told.2.contains(hint), "{arguments}: {told:?}");
    }
    exec(
        &mut c,
        &format!("SELECT cdp.map_table('crm', 'contacts', '{CONTACTS}')"),
    );
    let again = fault(
        &mut c,
        &format!("SELECT cdp.map_table('crm', 'p', '{CONTACTS}')"),
    );
    assert_eq!(again.0, "22023", "{again:?}");
    let again = fault(
        &mut c,
        "SELECT cdp.map_table('crm', 'p', '{\"user_id\":\"v\"}')",
    );
    assert_eq!(
        (again.0.as_str(), again.1.as_str()),
        ("42710", "source \"crm\" is mapped already")
    );
    let mut app = server().connect_as("app", &name);
    assert_eq!(
        fault(&mut app, "SELECT cdp.map_table('x', 'p', '{}')").0,
        "42501"
    );
    exec(&mut c, "ALTER TABLE p ENABLE ROW LEVEL SECURITY");
    let secured = fault(
        &mut c,
        "SELECT cdp.map_table('x', 'p', '{\"user_id\":\"v\"}', 'poll')",
    );
    assert_eq!(secured.0, "42501", "{secured:?}");
    exec(&mut c, "GRANT SELECT ON p TO cdp_owner");
    let secured = fault(
        &mut c,
        "SELECT cdp.map_table('x', 'p', '{\"user_id\":\"v\"}', 'poll')",
    );
    assert!(secured.1.contains("row security"), "{secured:?}");
    assert_eq!(one(&mut c, "SELECT count(*) FROM cdp.mappings"), "1");
}

#[test]
fn a_member_of_both_roles_maps_and_the_lock_is_held_until_the_end() {
    let (name, mut c) = fresh();
    exec(&mut c, "INSERT INTO contacts VALUES (1, 'a@example.com')");
    exec(&mut c, "GRANT app TO marketer");
    let mut marketer = server().connect_as("marketer", &name);
    exec(
        &mut marketer,
        &format!("BEGIN; SELECT cdp.map_table('crm', 'contacts', '{CONTACTS}')"),
    );
    exec(&mut c, "SET lock_timeout = '100ms'");
    assert_eq!(fault(&mut c, "INSERT INTO contacts VALUES (2)").0, "55P03");
    exec(&mut c, "RESET lock_timeout; SELECT count(*) FROM contacts");
    exec(&mut marketer, "COMMIT");
    exec(&mut c, "INSERT INTO contacts VALUES (2)");
    assert_eq!(standing(&mut c, "crm"), ["1", "2"]);
    assert_eq!(one(&mut c, "SELECT owner FROM cdp.mappings"), "marketer");
    exec(&mut marketer, "SELECT cdp.unmap_table('crm')");
    forget_captures(&mut c);
    exec(&mut c, "INSERT INTO contacts VALUES (3)");
    assert!(captures(&mut c, "crm").is_empty());
    exec(&mut c, "REVOKE app FROM marketer");
}

#[test]
fn the_worker_polls_and_keeps_up() {
    let server = Server::start(ServerOptions::default());
    server.create_cdp_db("app");
    let mut c = server.connect("app");
    exec(
        &mut c,
        "CREATE TABLE p (id int PRIMARY KEY, v text); INSERT INTO p VALUES (1, 'a'); \
         SELECT cdp.map_table('p', 'p', '{\"user_id\":\"v\"}', capture => 'poll', poll_every => '1 second'); \
         CREATE TABLE o (id int PRIMARY KEY, v text); \
         SELECT cdp.map_table('o', 'o', '{\"user_id\":\"v\"}'); \
         INSERT INTO p VALUES (2, 'b'); INSERT INTO o VALUES (1, 'a')",
    );
    let known = "SELECT string_agg(s.name || r.key, ' ' ORDER BY s.name, r.key) \
                 FROM cdp.records r JOIN cdp.sources s USING (source_id)";
    server.wait_for("captured rows", Duration::from_secs(60), || {
        (one(&mut c, known) == "o1 p1 p2").then_some(())
    });
}
