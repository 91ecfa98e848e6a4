//! One PostgreSQL server of a test.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, ExitStatus};
use std::sync::OnceLock;
use std::time::Duration;

use postgres::{Client, Config, NoTls};
use rustix::process::Signal;

use crate::os;
use crate::sql::describe;
use crate::wait::wait_until;

/// How long a server may take to start (with recovery) or to stop.
const PATIENCE: Duration = Duration::from_secs(60);

/// How much of the log a failure shows.
const LOG_TAIL: usize = 40;

/// What a server is started with.
#[derive(Clone, Copy, Debug)]
pub struct ServerOptions<'a> {
    /// Whether `shared_preload_libraries` holds pg_cdp, so that its workers run.
    pub preload: bool,
    /// Further settings; they win over the harness' own.
    pub settings: &'a [(&'a str, &'a str)],
}

impl Default for ServerOptions<'_> {
    fn default() -> Self {
        Self {
            preload: true,
            settings: &[],
        }
    }
}

/// How a server is stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StopMode {
    /// Sessions are ended and rolled back, everything is written.
    Fast,
    /// A crash: recovery follows at the next start.
    Immediate,
}

/// A running PostgreSQL server of its own, gone when dropped.
#[derive(Debug)]
pub struct Server {
    pub(crate) folder: PathBuf,
    socket: PathBuf,
    postmaster: Option<Child>,
    watchdog: Option<Child>,
}

impl Server {
    /// A new server: an empty cluster, started.
    ///
    /// It does not fsync (a killed process loses nothing by that, only a machine's crash would).
    pub fn start(options: ServerOptions<'_>) -> Self {
        let mut server = Self::prepare();
        os::copy_folder(template(), &server.data());
        server.configure(options);
        server.start_again();
        server
    }

    /// The folders of a server that has no data yet.
    pub(crate) fn prepare() -> Self {
        let folder = os::new_folder("s");
        let socket = os::socket_folder(&folder);
        let watchdog = os::watchdog(&folder.join("data"), &[&folder, &socket]);
        Self {
            folder,
            socket,
            postmaster: None,
            watchdog: Some(watchdog),
        }
    }

    pub(crate) fn configure(&self, options: ServerOptions<'_>) {
        let socket = self.socket.to_str().expect("a test folder's path is UTF-8");
        let mut settings = vec![
            ("listen_addresses", ""),
            ("unix_socket_directories", socket),
            ("fsync", "off"),
            ("shared_buffers", "64MB"),
            ("max_connections", "60"),
            ("max_worker_processes", "40"),
            ("timezone", "UTC"),
            ("log_timezone", "UTC"),
            ("log_line_prefix", "%m [%p] %b %d "),
            ("log_min_messages", "info"),
        ];
        if options.preload {
            settings.push(("shared_preload_libraries", "pg_cdp"));
        }
        settings.extend(options.settings);
        let lines = settings
            .iter()
            .map(|(name, value)| format!("{name} = '{}'\n", value.replace('\'', "''")));
        fs::write(self.folder.join("settings"), lines.collect::<String>())
            .expect("settings can be written");
    }

    fn data(&self) -> PathBuf {
        self.folder.join("data")
    }

    /// Starts it where it was stopped or has ended; waits until it takes connections.
    pub fn start_again(&mut self) {
        assert!(self.postmaster.is_none(), "the server runs already");
        let log = fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(self.log_path())
            .expect("a log file");
        let mut command = os::pg_command("postgres");
        command.arg("-D").arg(self.data());
        command
            .stdout(log.try_clone().expect("a second handle"))
            .stderr(log);
        self.postmaster = Some(
            command
                .spawn()
                .unwrap_or_else(|e| panic!("{command:?}: {e}")),
        );
        self.wait_for_connections();
    }

    fn wait_for_connections(&mut self) {
        let mut last = String::new();
        let up = wait_until(PATIENCE, || {
            let child = self.postmaster.as_mut().expect("it was started");
            if let Ok(Some(status)) = child.try_wait() {
                return Some(Err(format!("it ended with {status}")));
            }
            self.try_connect("postgres", "postgres")
                .map(|_| Ok(()))
                .map_err(|e| last = e.to_string())
                .ok()
        });
        match up {
            Some(Ok(())) => {}
            Some(Err(reason)) => panic!("the server did not start: {reason}\n{}", self.log_tail()),
            None => panic!(
                "no connection within {PATIENCE:?}: {last}\n{}",
                self.log_tail()
            ),
        }
    }

    /// A connection as the superuser `postgres`.
    pub fn connect(&self, db: &str) -> Client {
        self.connect_as("postgres", db)
    }

    /// A connection as `role`. Every role may connect without a password.
    pub fn connect_as(&self, role: &str, db: &str) -> Client {
        self.try_connect(role, db)
            .unwrap_or_else(|e| panic!("no connection to {db} as {role}: {e}\n{}", self.log_tail()))
    }

    /// A connection, or why there is none.
    pub fn try_connect(&self, role: &str, db: &str) -> Result<Client, postgres::Error> {
        let mut config = Config::new();
        config
            .host_path(&self.socket)
            .port(5432)
            .user(role)
            .dbname(db);
        config
            .application_name("cdp_server_tests")
            .connect_timeout(Duration::from_secs(10));
        config.connect(NoTls)
    }

    /// The folder of its socket, for client programs (`-h`); the port is 5432.
    pub fn socket(&self) -> &Path {
        &self.socket
    }

    /// A client program (`psql`, `pgbench`, …) with the connection's options, ready for more arguments.
    pub fn client_command(&self, program: &str, db: &str) -> std::process::Command {
        let mut command = os::pg_command(program);
        command
            .arg("-h")
            .arg(&self.socket)
            .args(["-p", "5432", "-U", "postgres", "-d", db]);
        command
    }

    /// Makes an empty database.
    pub fn createdb(&self, name: &str) {
        // From template0: nobody is ever connected to it, so tests at the same time do not disturb each other.
        let sql = format!("CREATE DATABASE \"{name}\" TEMPLATE template0");
        self.connect("postgres")
            .batch_execute(&sql)
            .unwrap_or_else(|e| panic!("{sql}: {e}\n{}", self.log_tail()));
    }

    /// `CREATE EXTENSION pg_cdp` and `cdp.init()` in a database.
    pub fn install(&self, db: &str) {
        for sql in ["CREATE EXTENSION pg_cdp", "SELECT cdp.init()"] {
            self.connect(db)
                .batch_execute(sql)
                .unwrap_or_else(|e| panic!("{sql} in {db}: {}\n{}", describe(&e), self.log_tail()));
        }
    }

    /// Makes a database with the extension in it, initialised.
    pub fn create_cdp_db(&self, name: &str) {
        self.createdb(name);
        self.install(name);
    }

    /// Stops it; its data stays, for [`Server::start_again`].
    pub fn stop(&mut self, mode: StopMode) {
        let Some(child) = &self.postmaster else {
            return;
        };
        let pid = i32::try_from(child.id()).expect("a process id");
        let signal = match mode {
            StopMode::Fast => Signal::INT,
            StopMode::Immediate => Signal::QUIT,
        };
        os::send(pid, signal);
        self.wait_for_end();
    }

    /// Waits until the postmaster has ended by itself, or after a signal from the test.
    pub fn wait_for_end(&mut self) -> ExitStatus {
        let child = self.postmaster.as_mut().expect("the server was started");
        let ended = wait_until(PATIENCE, || {
            child.try_wait().expect("a child can be waited for")
        });
        let status = ended
            .unwrap_or_else(|| panic!("it did not end within {PATIENCE:?}\n{}", self.log_tail()));
        self.postmaster = None;
        status
    }

    /// Stops it and starts it again.
    pub fn restart(&mut self, mode: StopMode) {
        self.stop(mode);
        self.start_again();
    }

    /// `kill -9` of one of its processes (a process id from `pg_stat_activity` or `pg_backend_pid()`).
    ///
    /// The postmaster then restarts all the others; see [`Server::wait_for_recovery`].
    pub fn kill9(&self, pid: i32) {
        os::kill9(pid);
    }

    /// The postmaster's process id.
    pub fn postmaster_pid(&self) -> i32 {
        let child = self.postmaster.as_ref().expect("the server was started");
        i32::try_from(child.id()).expect("a process id")
    }

    /// `kill -9` of the postmaster; its children end by themselves, and then it can be started again.
    pub fn kill9_postmaster(&mut self) {
        os::kill9(self.postmaster_pid());
        self.wait_for_end();
        // A new postmaster refuses to start while a child still holds the old shared memory.
        let pid_file = self.data().join("postmaster.pid");
        let left = fs::read_to_string(&pid_file).unwrap_or_default();
        let segment: Option<u64> = left
            .lines()
            .nth(6)
            .and_then(|l| l.split_whitespace().nth(1)?.parse().ok());
        self.wait_for(
            "the processes of a killed postmaster to end",
            PATIENCE,
            || {
                let segments = fs::read_to_string("/proc/sysvipc/shm").unwrap_or_default();
                let attached = segments.lines().skip(1).any(|line| {
                    let field = |n| {
                        line.split_whitespace()
                            .nth(n)
                            .and_then(|f| f.parse::<u64>().ok())
                    };
                    field(1) == segment && segment.is_some() && field(6) != Some(0)
                });
                (!attached).then_some(())
            },
        );
    }

    /// After a `kill9`: waits until the crash has been noticed and connections are taken again.
    ///
    /// `crashes` is how often the log told of one before (see [`Server::crashes`]).
    pub fn wait_for_recovery(&self, crashes: usize) {
        self.wait_for("recovery after a crash", PATIENCE, || {
            let ready =
                self.crashes() > crashes && self.try_connect("postgres", "postgres").is_ok();
            ready.then_some(())
        });
    }

    /// How often the log tells that all processes were ended because of a crash of one.
    pub fn crashes(&self) -> usize {
        self.log()
            .matches("terminating any other active server processes")
            .count()
    }

    /// Changes settings of the running server (`ALTER SYSTEM`) and reloads them.
    pub fn reload_with(&self, settings: &[(&str, &str)]) {
        let mut client = self.connect("postgres");
        for (name, value) in settings {
            let sql = format!("ALTER SYSTEM SET {name} = '{}'", value.replace('\'', "''"));
            client
                .batch_execute(&sql)
                .unwrap_or_else(|e| panic!("{sql}: {}", describe(&e)));
        }
        client
            .batch_execute("SELECT pg_reload_conf()")
            .expect("settings can be reloaded");
    }

    /// `pg_dump -Fc` of a database; the file lives as long as the server.
    pub fn dump(&self, db: &str) -> PathBuf {
        let file = self.folder.join(format!("{db}.dump"));
        os::run(
            self.client_command("pg_dump", db)
                .arg("-Fc")
                .arg("-f")
                .arg(&file),
        );
        file
    }

    /// `pg_restore` of a dump (of any server) into an empty database, which it makes. Any error fails.
    pub fn restore(&self, file: &Path, db: &str) {
        self.createdb(db);
        os::run(
            self.client_command("pg_restore", db)
                .arg("--exit-on-error")
                .arg(file),
        );
    }

    fn log_path(&self) -> PathBuf {
        self.folder.join("log")
    }

    /// Everything the server has logged.
    pub fn log(&self) -> String {
        let bytes = fs::read(self.log_path()).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// The end of the log, for messages.
    pub fn log_tail(&self) -> String {
        let log = self.log();
        let lines: Vec<_> = log.lines().collect();
        let from = lines.len().saturating_sub(LOG_TAIL);
        format!(
            "--- the end of the server's log\n{}",
            lines[from..].join("\n")
        )
    }

    /// Calls `probe` until it gives a value. Panics with `what` and the end of the log when it takes too long.
    pub fn wait_for<T>(
        &self,
        what: &str,
        deadline: Duration,
        probe: impl FnMut() -> Option<T>,
    ) -> T {
        wait_until(deadline, probe).unwrap_or_else(|| {
            panic!(
                "waited {deadline:?} in vain for {what}\n{}",
                self.log_tail()
            )
        })
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(mut postmaster) = self.postmaster.take() {
            // No panic in here: the test may be failing already, and the watchdog makes sure.
            let _ = postmaster.try_wait().map(|ended| {
                ended
                    .is_none()
                    .then(|| os::send(i32::try_from(postmaster.id()).unwrap_or(0), Signal::QUIT))
            });
            let _ = postmaster.wait();
        }
        if let Some(mut watchdog) = self.watchdog.take() {
            // `wait` closes its standard input first: it now removes the folders.
            let _ = watchdog.wait();
        }
    }
}

/// A data folder made by initdb, to copy from: initdb takes longer than the copy.
fn template() -> &'static Path {
    static TEMPLATE: OnceLock<PathBuf> = OnceLock::new();
    TEMPLATE.get_or_init(|| {
        let ready = os::test_dir().join("template");
        if ready.join("PG_VERSION").exists() {
            return ready;
        }
        // Other test binaries may be at it too: each makes its own, and the first one's stays.
        let folder = os::new_folder("initdb");
        let data = folder.join("data");
        let mut command = os::pg_command("initdb");
        command.args([
            "-U",
            "postgres",
            "-A",
            "trust",
            "-E",
            "UTF8",
            "--locale=C.UTF-8",
            "--no-sync",
        ]);
        os::run(command.arg("-D").arg(&data));
        let conf = data.join("postgresql.conf");
        let mut text = fs::read_to_string(&conf).expect("initdb made it");
        text.push_str("\ninclude = '../settings'\n");
        fs::write(&conf, text).expect("postgresql.conf can be written");
        let _ = fs::rename(&data, &ready);
        let _ = fs::remove_dir_all(&folder);
        assert!(
            ready.join("PG_VERSION").exists(),
            "{} was not made",
            ready.display()
        );
        ready
    })
}
