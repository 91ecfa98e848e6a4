//! A harness for tests of pg_cdp against real servers.
//!
//! Run by `scripts/test server [FILTER]`, which builds the extension and sets
//!
//! - `CDP_PG_BIN`: the programs of the private PostgreSQL that pg_cdp is installed in,
//! - `CDP_TEST_DIR`: a folder that the servers' operating system user can enter,
//! - `CDP_OS_USER`: that user (only followed where the tests run as root).
//!
//! Servers listen on a Unix socket only, in a folder of their own, and end with the test: by `Drop`, and whatever
//! else happens to the test process, by a watchdog process that waits for the end of its standard input.
//!
//! ```no_run
//! use cdp_server_tests::{Server, ServerOptions, StopMode, fresh_db};
//!
//! // most tests: a database of their own on the server that the test binary's tests share
//! let db = fresh_db();
//! let mut client = db.connect();
//!
//! // tests that crash, stop or configure a server: one of their own
//! let mut server = Server::start(ServerOptions { preload: true, settings: &[("log_statement", "all")] });
//! server.create_cdp_db("app");
//! server.stop(StopMode::Immediate);
//! server.start_again();
//! ```

pub mod cancel;
mod os;
mod server;
pub mod sql;
mod standby;
mod wait;

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

pub use os::kill9;
pub use postgres;
pub use postgres::Client;
pub use server::{Server, ServerOptions, StopMode};
pub use wait::wait_until;

/// The server that the tests of one test binary share: preloaded, with default settings.
///
/// For tests that leave it running and unharmed; others start their own.
pub fn shared_server() -> &'static Server {
    static SHARED: OnceLock<Server> = OnceLock::new();
    SHARED.get_or_init(|| Server::start(ServerOptions::default()))
}

/// A new database on the [`shared_server`], with the extension created and initialised.
pub fn fresh_db() -> TestDb {
    let db = bare_db();
    shared_server().install(&db.name);
    db
}

/// A new database on the [`shared_server`], without the extension.
pub fn bare_db() -> TestDb {
    static NEXT: AtomicU32 = AtomicU32::new(1);
    let name = format!("t{}", NEXT.fetch_add(1, Ordering::Relaxed));
    shared_server().createdb(&name);
    TestDb { name }
}

/// A database of one test on the shared server; dropped with it, unless the test fails.
#[derive(Debug)]
pub struct TestDb {
    /// Its name.
    pub name: String,
}

impl TestDb {
    /// A connection as the superuser `postgres`.
    pub fn connect(&self) -> Client {
        shared_server().connect(&self.name)
    }

    /// A connection as `role`.
    pub fn connect_as(&self, role: &str) -> Client {
        shared_server().connect_as(role, &self.name)
    }

    /// The server it is on.
    pub fn server(&self) -> &'static Server {
        shared_server()
    }
}

impl Drop for TestDb {
    fn drop(&mut self) {
        if std::thread::panicking() {
            return;
        }
        // A test that keeps a connection open is no error; one whose server is gone is seen elsewhere.
        if let Ok(mut client) = shared_server().try_connect("postgres", "postgres") {
            let _ = client.batch_execute(&format!("DROP DATABASE \"{}\" WITH (FORCE)", self.name));
        }
    }
}
