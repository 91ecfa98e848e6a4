//! Whatever a server's or a database's settings say of formats, isolation and the like, the same comes
//! out.

use std::time::Duration;

use cdp_server_tests::sql::{column, one, run};
use cdp_server_tests::{Client, Server, ServerOptions};

/// Settings that change how text is written or read, or how transactions run.
const UNUSUAL: [(&str, &str); 17] = [
    ("datestyle", "Postgres, DMY"),
    ("intervalstyle", "sql_standard"),
    ("timezone", "Asia/Kolkata"),
    ("bytea_output", "escape"),
    ("extra_float_digits", "-5"),
    ("standard_conforming_strings", "off"),
    ("quote_all_identifiers", "on"),
    ("array_nulls", "off"),
    ("transform_null_equals", "on"),
    ("plpgsql.variable_conflict", "error"),
    ("default_transaction_isolation", "repeatable read"),
    ("default_transaction_read_only", "on"),
    ("default_transaction_deferrable", "on"),
    ("statement_timeout", "700ms"),
    ("lock_timeout", "500ms"),
    ("row_security", "off"),
    ("jit_above_cost", "0"),
];

/// As a session must be for the test's own statements; everything of pg_cdp must bear the rest.
const SESSION: &str = "SET default_transaction_isolation = 'read committed'; SET default_transaction_read_only = off; \
     SET statement_timeout = 0; SET lock_timeout = 0; SET standard_conforming_strings = on";

fn fill(client: &mut Client) {
    run(
        client,
        r#"
        CREATE TABLE public.contacts (id integer PRIMARY KEY, email text, seen timestamptz, local timestamp, day date, took interval,
            share double precision, price numeric, raw bytea, tags text[], created timestamptz);
        INSERT INTO public.contacts VALUES
            (1, 'a@x.org', '2024-02-03 04:05:06.789+00', '2024-02-03 04:05:06', '2024-02-03', '1 year 2 days -03:04:05', 0.1::float8 + 0.2, 1.50,
             '\x00ff5c27', ARRAY['a', NULL, 'b c'], '2024-01-02 03:04:05+00');
        SELECT cdp.create_source('web', max_backdate => '100 years');
        SELECT cdp.create_trait('seen', 'timestamptz'); SELECT cdp.create_trait('day', 'date'); SELECT cdp.create_trait('share', 'double precision');
        SELECT cdp.create_trait('price', 'numeric'); SELECT cdp.create_trait('tags', 'text[]', survivorship => 'union');
        SELECT cdp.create_segment('recent', 'seen after ''2024-02-03 04:00'' and day = ''2024-02-03''');
        SELECT cdp.create_segment('visitors', 'did ''Visit'' after ''2024-03-01'' and did ''Visit'' before ''2024-03-03''');
        SELECT cdp.map_table('crm', 'public.contacts', '{"email": "email", "created_at": "created", "updated_at": "created",
            "traits": {"seen": "seen", "local": "local", "day": "day", "took": "took", "share": "share", "price": "price", "raw": "raw", "tags": "tags"}}');
        SELECT cdp.track('Visit', 'u1', '{"n": 0.30000000000000004, "s": "a\\b''c"}', context => '{"traits": {"email": "a@x.org"}}',
            "timestamp" => '2024-03-02 00:30:00+00', message_id => 'm1', source => 'web');
        SELECT cdp.track('Visit', 'u2', "timestamp" => '2024-02-29 23:30:00+00', message_id => 'm2');
        SELECT cdp.ingest('{"type": "nothing"}');
        UPDATE public.contacts SET price = 2.5, took = '-1 day' WHERE id = 1;
        "#,
    );
}

/// What came out, as text that settings of the session cannot change.
fn answers(client: &mut Client) -> Vec<String> {
    run(
        client,
        "SET datestyle = 'ISO'; SET timezone = 'UTC'; SET intervalstyle = 'postgres'; SET bytea_output = 'hex'; \
         SET extra_float_digits = 1; SET quote_all_identifiers = off",
    );
    column(
        client,
        "SELECT 'profile ' || (to_jsonb(p) - 'profile_id')::text FROM cdp.profiles p \
         UNION ALL SELECT 'member ' || segment || ' ' || profile_id FROM cdp.segment_members \
         UNION ALL SELECT 'event ' || (to_jsonb(e) - 'received_at')::text FROM cdp.events e \
         UNION ALL SELECT 'evidence ' || e::text FROM cdp.set_evidence e \
         UNION ALL SELECT 'link ' || l::text FROM cdp.links l \
         UNION ALL SELECT 'row ' || concat_ws(' ', source_id, key, \"row\") FROM cdp.row_versions \
         UNION ALL SELECT 'letter ' || concat_ws(' ', reason, detail) FROM cdp.dead_letter \
         UNION ALL SELECT 'partition ' || relname || ' ' || pg_get_expr(relpartbound, oid) FROM pg_class \
                    WHERE relispartition AND relkind = 'r' AND relname LIKE 'events%' \
         ORDER BY 1",
    )
}

/// Takes away the month that was made last, as if time had gone by.
fn a_month_ago(client: &mut Client) {
    run(
        client,
        r#"DO $$
        DECLARE v_last text; v_start text;
        BEGIN
            SELECT relname INTO v_last FROM pg_class WHERE relname ~ '^events_\d{4}_\d\d$' ORDER BY relname DESC LIMIT 1;
            v_start := to_char(to_date(right(v_last, 7), 'YYYY_MM'), 'YYYY-MM-DD') || 'T00:00:00Z';
            EXECUTE format('DROP TABLE cdp.%I', v_last);
            ALTER TABLE cdp.events DETACH PARTITION cdp.events_after;
            EXECUTE format('ALTER TABLE cdp.events ATTACH PARTITION cdp.events_after FOR VALUES FROM (%L) TO (MAXVALUE)', v_start);
        END $$"#,
    );
}

fn outcome(settings: &[(&str, &str)]) -> Vec<String> {
    let mut all = vec![
        ("cdp.poll_interval", "50"),
        ("cdp.discovery_interval", "200"),
    ];
    all.extend(settings);
    let server = Server::start(ServerOptions {
        preload: true,
        settings: &all,
    });
    // CREATE DATABASE is the test's own, not pg_cdp's.
    let mut admin = server.connect("postgres");
    run(&mut admin, SESSION);
    run(&mut admin, "CREATE DATABASE app TEMPLATE template0");
    let mut client = server.connect("app");
    run(&mut client, SESSION);
    run(&mut client, "CREATE EXTENSION pg_cdp");
    run(&mut client, "SELECT cdp.init()");
    a_month_ago(&mut client);
    run(&mut client, "SELECT cdp.init()");
    fill(&mut client);
    // The worker has the server's settings, not the session's.
    server.wait_for("the worker to be done", Duration::from_secs(30), || {
        one::<bool>(
            &mut client,
            "SELECT count(*) = 3 FROM (SELECT 1 FROM cdp.events UNION ALL SELECT 1 FROM cdp.dead_letter) d",
        )
        .then_some(())
    });
    run(&mut client, "CALL cdp.process_all()");
    run(&mut client, "SELECT cdp.rebuild()");
    answers(&mut client)
}

#[test]
fn unusual_settings_change_nothing() {
    let usual = outcome(&[]);
    assert!(
        usual.iter().any(|line| line.starts_with("member recent")),
        "{usual:#?}"
    );
    assert!(
        usual.iter().any(|line| line.starts_with("member visitors")),
        "{usual:#?}"
    );
    let unusual = outcome(&UNUSUAL);
    for (usual, unusual) in usual.iter().zip(&unusual) {
        assert_eq!(usual, unusual);
    }
    assert_eq!(usual.len(), unusual.len());
}
