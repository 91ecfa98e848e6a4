//! The harness itself, and that the extension can be created at all.

use std::time::Duration;

use cdp_server_tests::{Server, ServerOptions, StopMode, bare_db, fresh_db};

#[test]
fn the_extension_can_be_created() {
    let db = fresh_db();
    let row = db.connect().query_one(
        "SELECT extversion FROM pg_extension WHERE extname = 'pg_cdp'",
        &[],
    );
    assert_eq!(row.unwrap().get::<_, String>(0), env!("CARGO_PKG_VERSION"));
}

#[test]
fn the_extension_can_be_created_without_preload() {
    let server = Server::start(ServerOptions {
        preload: false,
        settings: &[],
    });
    server.create_cdp_db("app");
    let libraries: String = server
        .connect("app")
        .query_one("SHOW shared_preload_libraries", &[])
        .unwrap()
        .get(0);
    assert_eq!(libraries, "");
}

#[test]
fn dropping_the_extension_leaves_the_server_well() {
    let db = fresh_db();
    db.connect()
        .batch_execute("DROP EXTENSION pg_cdp CASCADE")
        .unwrap();
}

#[test]
fn a_server_survives_stops_and_crashes() {
    let mut server = Server::start(ServerOptions::default());
    server.createdb("app");
    let sql = "CREATE TABLE t AS SELECT g FROM generate_series(1, 1000) g";
    server.connect("app").batch_execute(sql).unwrap();
    let count = |server: &Server| -> i64 {
        server
            .connect("app")
            .query_one("SELECT count(*) FROM t", &[])
            .unwrap()
            .get(0)
    };

    server.restart(StopMode::Fast);
    assert_eq!(count(&server), 1000);

    server.restart(StopMode::Immediate);
    assert_eq!(count(&server), 1000);

    let crashes = server.crashes();
    let mut victim = server.connect("app");
    let pid: i32 = victim
        .query_one("SELECT pg_backend_pid()", &[])
        .unwrap()
        .get(0);
    server.kill9(pid);
    server.wait_for_recovery(crashes);
    assert_eq!(count(&server), 1000);

    server.kill9_postmaster();
    server.start_again();
    assert_eq!(count(&server), 1000);
}

#[test]
fn a_dump_can_be_restored() {
    let db = bare_db();
    db.connect()
        .batch_execute("CREATE TABLE t AS SELECT 42 AS answer")
        .unwrap();
    let file = db.server().dump(&db.name);
    let copy = format!("{}_copy", db.name);
    db.server().restore(&file, &copy);
    let answer: i32 = db
        .server()
        .connect(&copy)
        .query_one("SELECT answer FROM t", &[])
        .unwrap()
        .get(0);
    assert_eq!(answer, 42);
}

#[test]
fn a_standby_follows() {
    let primary = Server::start(ServerOptions::default());
    primary.createdb("app");
    let standby = primary.backup_to_standby();
    primary
        .connect("app")
        .batch_execute("CREATE TABLE t AS SELECT 42 AS answer")
        .unwrap();
    primary.wait_for_standby(&standby);
    let answer: i32 = standby
        .connect("app")
        .query_one("SELECT answer FROM t", &[])
        .unwrap()
        .get(0);
    assert_eq!(answer, 42);
    standby.promote();
    standby
        .connect("app")
        .batch_execute("INSERT INTO t VALUES (43)")
        .unwrap();
}

#[test]
#[should_panic(expected = "waited 50ms in vain for what never comes")]
fn waiting_in_vain_says_for_what() {
    let server = cdp_server_tests::shared_server();
    server.wait_for("what never comes", Duration::from_millis(50), || None::<()>);
}
