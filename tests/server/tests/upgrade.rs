//! A restored copy of an older version waits, is brought up to date by `cdp.init()`, and then works on.
//!
//! `tests/upgrade/N.sql` is a plain dump of a small database of schema version N. It is never made anew:
//! what is released is frozen.

use cdp_server_tests::sql::{column, fails, one, run};
use cdp_server_tests::{Client, Server, ServerOptions};

/// The relations of schema `cdp`, with their columns, as the catalogue has them.
const SHAPE: &str = "SELECT format('%s %s %s %s', c.relkind, c.relname, a.attname, format_type(a.atttypid, a.atttypmod))
    FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
   WHERE c.relnamespace = 'cdp'::regnamespace AND c.relkind IN ('r', 'p', 'v')
     AND c.relname NOT SIMILAR TO 'events_[0-9]{4}_[0-9]{2}' AND a.attnum > 0 AND NOT a.attisdropped
     AND c.relname NOT IN ('profile_rows', 'profiles')
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
    assert_eq!(
        column::<String>(&mut client, SHAPE),
        fresh,
        "an upgraded schema is another than a new one"
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
