//! What the tests of the worker and of jobs share.
#![allow(dead_code)] // each test binary uses a part of it

use std::time::Duration;

use cdp_server_tests::postgres::types::{FromSql, ToSql};
use cdp_server_tests::{Client, Server, ServerOptions};

/// How long anything may take that takes a moment; generous, since builds run beside the tests.
pub const SOON: Duration = Duration::from_secs(30);

/// A preloaded server with further settings and one database, `app`, that has pg_cdp.
pub fn server_with_app(settings: &[(&str, &str)]) -> Server {
    let server = Server::start(ServerOptions {
        preload: true,
        settings,
    });
    server.create_cdp_db("app");
    server
}

/// The first column of the one row of a query.
pub fn one<T: for<'a> FromSql<'a>>(
    client: &mut Client,
    sql: &str,
    parameters: &[&(dyn ToSql + Sync)],
) -> T {
    client
        .query_one(sql, parameters)
        .unwrap_or_else(|e| panic!("{sql}: {e:?}"))
        .get(0)
}

/// Runs statements.
pub fn run(client: &mut Client, sql: &str) {
    client
        .batch_execute(sql)
        .unwrap_or_else(|e| panic!("{sql}: {e:?}"));
}

/// The SQLSTATE that a statement fails with.
pub fn error_code(client: &mut Client, sql: &str) -> String {
    let error = client.batch_execute(sql).expect_err(sql);
    let code = error.code().unwrap_or_else(|| panic!("{sql}: {error:?}"));
    code.code().to_owned()
}

/// The process of a database's worker.
pub fn worker_pid(server: &Server, db: &str) -> Option<i32> {
    let mut client = server.try_connect("postgres", "postgres").ok()?;
    let sql = "SELECT pid FROM pg_stat_activity \
               WHERE backend_type = 'pg_cdp worker' AND datname = $1";
    let rows = client.query(sql, &[&db]).ok()?;
    rows.first().map(|row| row.get(0))
}

/// Waits until a database has a worker that has found something to work on; its process.
pub fn wait_for_worker(server: &Server, db: &str) -> i32 {
    server.wait_for(&format!("the worker of {db}"), SOON, || {
        let pid = worker_pid(server, db)?;
        // A worker that only looks whether pg_cdp is there is gone in a moment.
        std::thread::sleep(Duration::from_millis(50));
        (worker_pid(server, db) == Some(pid)).then_some(pid)
    })
}

/// Waits until a database has no worker, and makes sure that it stays so.
pub fn wait_for_no_worker(server: &Server, db: &str) {
    server.wait_for(&format!("the worker of {db} to leave"), SOON, || {
        worker_pid(server, db).is_none().then_some(())
    });
}

/// Sends `count` messages with keys from `first` on, in one statement.
pub fn send(client: &mut Client, first: i64, count: i64) {
    let sql = "INSERT INTO cdp.inbox (message) SELECT json_build_object('type', 'track', \
               'messageId', 'm' || g, 'userId', 'u' || g % 50, 'event', 'Viewed')::text \
               FROM generate_series($1::bigint, $1 + $2 - 1) g";
    client
        .execute(sql, &[&first, &count])
        .unwrap_or_else(|e| panic!("{sql}: {e:?}"));
}

/// Events stored, and how many of them are different.
pub fn events(client: &mut Client) -> (i64, i64) {
    let row = client
        .query_one(
            "SELECT count(*), count(DISTINCT message_id) FROM cdp.events",
            &[],
        )
        .unwrap_or_else(|e| panic!("events: {e:?}"));
    (row.get(0), row.get(1))
}

/// Waits until a database has exactly `count` events, none of them twice.
pub fn wait_for_events(server: &Server, db: &str, count: i64) {
    let mut client = None;
    server.wait_for(&format!("{count} events in {db}"), SOON * 2, || {
        if client.is_none() {
            client = server.try_connect("postgres", db).ok();
        }
        let query = "SELECT count(*) FROM cdp.events";
        match client.as_mut()?.query_one(query, &[]) {
            Ok(row) => (row.get::<_, i64>(0) >= count).then_some(()),
            Err(_) => {
                client = None;
                None
            }
        }
    });
    assert_eq!(events(&mut server.connect(db)), (count, count));
}
