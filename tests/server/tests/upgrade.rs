//! A restored copy of an older version waits, is brought up to date by `cdp.init()`, and then works on.
//!
//! `tests/upgrade/N.sql` is a plain dump of a small database of schema version N. It is never made anew:
//! what is released is frozen.

use cdp_server_tests::sql::{column, fails, one, run};
use cdp_server_tests::{Client, Server, ServerOptions};

/// Everything in our schemas but the months of events, as the catalogue has it: columns with defaults,
/// indexes, constraints, views, functions, triggers, comments, owners, rights. Columns of traits are
/// what the data made them.
const SHAPE: &str = "
WITH relations AS (
    SELECT c.* FROM pg_class c WHERE c.relnamespace IN ('cdp'::regnamespace, 'cdp_segment'::regnamespace)
       AND c.relname NOT SIMILAR TO 'events_[0-9]{4}_[0-9]{2}%' AND c.relname NOT IN ('profile_rows', 'profiles', 'profile_traits')
), acl AS (
    SELECT c.relname::text AS name, c.relowner AS owner, c.relacl AS acl FROM relations c
    UNION ALL SELECT p.oid::regprocedure::text, p.proowner, p.proacl FROM pg_proc p WHERE p.pronamespace = 'cdp'::regnamespace
    UNION ALL SELECT 'schema ' || nspname, nspowner, nspacl FROM pg_namespace WHERE nspname IN ('cdp', 'cdp_segment')
    UNION ALL SELECT c.relname || '.' || a.attname, c.relowner, a.attacl FROM relations c JOIN pg_attribute a ON a.attrelid = c.oid
)
SELECT format('%s %s %s %s %s %s', c.relkind, c.relname, a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull,
              pg_get_expr(d.adbin, d.adrelid))
  FROM relations c JOIN pg_attribute a ON a.attrelid = c.oid
  LEFT JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum
 WHERE c.relkind IN ('r', 'p', 'v') AND a.attnum > 0 AND NOT a.attisdropped
UNION ALL
SELECT pg_get_indexdef(c.oid) FROM relations c WHERE c.relkind IN ('i', 'I')
UNION ALL
SELECT format('%s %s %s', c.relname, n.conname, pg_get_constraintdef(n.oid)) FROM relations c JOIN pg_constraint n ON n.conrelid = c.oid
UNION ALL
SELECT format('%s %s', c.relname, pg_get_viewdef(c.oid)) FROM relations c WHERE c.relkind = 'v'
UNION ALL
SELECT format('%s %s %s', c.relname, c.reloptions, pg_get_partkeydef(c.oid)) FROM relations c
UNION ALL
SELECT format('%s %s', pg_get_triggerdef(t.oid), t.tgenabled) FROM relations c JOIN pg_trigger t ON t.tgrelid = c.oid AND NOT t.tgisinternal
UNION ALL
SELECT pg_get_functiondef(p.oid) FROM pg_proc p WHERE p.pronamespace = 'cdp'::regnamespace
UNION ALL
SELECT format('comment %s %s %s', c.relname, d.objsubid, d.description) FROM relations c
  JOIN pg_description d ON d.classoid = 'pg_class'::regclass AND d.objoid = c.oid
UNION ALL
SELECT format('comment %s %s', p.oid::regprocedure, obj_description(p.oid, 'pg_proc')) FROM pg_proc p WHERE p.pronamespace = 'cdp'::regnamespace
UNION ALL
SELECT format('right %s %s %s', name, CASE a.grantee WHEN 0 THEN 'PUBLIC' ELSE a.grantee::regrole::text END, a.privilege_type)
  FROM acl, aclexplode(acl) a WHERE a.grantee <> owner
UNION ALL
SELECT format('owner %s %s', name, owner::regrole) FROM acl WHERE name NOT LIKE 'pg_toast%'
ORDER BY 1";

#[test]
fn a_restored_copy_of_version_1_is_upgraded_and_works_on() {
    let server = Server::start(ServerOptions {
        preload: true,
        settings: &[("cdp.discovery_interval", "200ms")],
    });
    restore(&server, include_str!("../../upgrade/1.sql"));
    let mut client = server.connect("old");

    // Until it is upgraded it takes messages in, and says what to do.
    let advice: String = one(
        &mut client,
        "SELECT advice FROM cdp.status() WHERE item = 'state'",
    );
    assert!(advice.contains("cdp.init()"), "{advice}");
    let (code, message) = fails(&mut client, "SELECT cdp.process()");
    assert_eq!(code, "55000", "{message}");
    run(
        &mut client,
        "SELECT cdp.track('Order Completed', 'u1', message_id => 'm4', source => 'web')",
    );

    let said: String = one(&mut client, "SELECT cdp.init()");
    assert!(said.starts_with("upgraded: schema version 1 to "), "{said}");
    assert!(one::<String>(&mut client, "SELECT cdp.init()").starts_with("up to date"));
    server.create_cdp_db("new");
    let fresh: Vec<String> = column(&mut server.connect("new"), SHAPE);
    let upgraded: Vec<String> = column(&mut client, SHAPE);
    run(
        &mut client,
        "SELECT canonical_segment_id, country, visits FROM cdp_segment.profile_traits",
    );
    let only_in = |these: &[String], those: &[String]| -> Vec<String> {
        let missing = these.iter().filter(|line| !those.contains(line));
        missing.cloned().collect()
    };
    assert_eq!(
        (only_in(&fresh, &upgraded), only_in(&upgraded, &fresh)),
        (Vec::new(), Vec::new()),
        "only in a new schema, and only in an upgraded one"
    );

    // A copy still waits for the word to work here; then it does, and counts nothing twice.
    assert_eq!(fails(&mut client, "SELECT cdp.process()").0, "55000");
    run(&mut client, "SELECT cdp.start()");
    server.wait_for(
        "the messages of before and after the upgrade",
        std::time::Duration::from_secs(30),
        || (one::<i64>(&mut client, "SELECT count(*) FROM cdp.events") == 3).then_some(()),
    );
    assert_eq!(
        one::<i64>(&mut client, "SELECT count(*) FROM cdp.dead_letter"),
        1
    );
    assert_eq!(
        one::<i64>(
            &mut client,
            "SELECT count(*) FROM cdp.events WHERE message_id = 'm2'"
        ),
        1
    );
    let of_ann = "SELECT string_agg(source || ' ' || key, ', ') FROM cdp.profile_records
                   WHERE profile_id = cdp.resolve('email', 'ann@example.com')";
    assert_eq!(one::<String>(&mut client, of_ann), "crm 1");
    assert_eq!(
        one::<i64>(&mut client, "SELECT count(*) FROM cdp.unmatched_records"),
        1
    );
    run(
        &mut client,
        "UPDATE contacts SET country = 'MZ' WHERE id = 1",
    );
    server.wait_for(
        "a change of a mapped row",
        std::time::Duration::from_secs(30),
        || {
            let country =
                "SELECT country FROM cdp.profiles WHERE profile_id = cdp.resolve('user_id', 'u1')";
            (one::<Option<String>>(&mut client, country).as_deref() == Some("MZ")).then_some(())
        },
    );
}

/// Restores a plain dump into database `old`, with the roles that a dump names but does not hold.
fn restore(server: &Server, dump: &str) {
    let mut admin: Client = server.connect("postgres");
    run(
        &mut admin,
        "CREATE ROLE cdp_owner; CREATE ROLE cdp_ingest; CREATE ROLE cdp_reader",
    );
    if !one::<bool>(
        &mut admin,
        "SELECT EXISTS (SELECT 1 FROM pg_roles WHERE rolname = 'postgres')",
    ) {
        run(&mut admin, "CREATE ROLE postgres SUPERUSER");
    }
    server.createdb("old");
    let mut psql = server.client_command("psql", "old");
    psql.args(["-X", "-q", "-v", "ON_ERROR_STOP=1", "-f", "-"]);
    psql.stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::null());
    let mut child = psql.spawn().expect("psql starts");
    std::io::Write::write_all(
        &mut child.stdin.take().expect("its input is piped"),
        dump.as_bytes(),
    )
    .expect("psql reads the dump");
    assert!(
        child.wait().expect("psql ends").success(),
        "the dump does not restore"
    );
}
