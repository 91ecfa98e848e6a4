//! What the board says of a database's worker.

use std::time::Duration;

use crate::pg::latch::Latch;
use crate::pg::shmem::{self, Line, Text};
use crate::pg::{process, time, transaction};

/// The state of a database's worker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum State {
    /// Nobody has looked yet.
    Unknown,
    /// The postmaster was asked to start it.
    Starting,
    /// It runs.
    Running,
    /// The database has no extension pg_cdp.
    NoExtension,
    /// `cdp.init()` has not run.
    NotInitialised,
    /// The tables are of another version; `cdp.init()` must run.
    OtherVersion,
    /// A restored or cloned copy; `cdp.start()` must run.
    Elsewhere,
    /// Paused; `cdp.resume()` must run.
    Paused,
    /// `cdp.workers` is off.
    Off,
    /// It ended; it will be started again.
    Restarting,
    /// All `max_worker_processes` are in use.
    NoProcess,
}

impl State {
    const ALL: [Self; 11] = [
        Self::Unknown,
        Self::Starting,
        Self::Running,
        Self::NoExtension,
        Self::NotInitialised,
        Self::OtherVersion,
        Self::Elsewhere,
        Self::Paused,
        Self::Off,
        Self::Restarting,
        Self::NoProcess,
    ];

    /// The state that a line says.
    pub fn of(line: &Line) -> Self {
        let state = Self::ALL.get(usize::from(line.state));
        state.copied().unwrap_or(Self::Unknown)
    }

    /// For people.
    pub fn text(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Starting => "starting",
            Self::Running => "running",
            Self::NoExtension => "no extension",
            Self::NotInitialised => "not initialised",
            Self::OtherVersion => "other version",
            Self::Elsewhere => "elsewhere",
            Self::Paused => "paused",
            Self::Off => "off",
            Self::Restarting => "restarting",
            Self::NoProcess => "no free worker process",
        }
    }

    /// Writes it on a line.
    pub fn set(self, line: &mut Line) {
        line.state = self as u8;
        line.since = time::now();
    }
}

/// A worker that ran this long was healthy: what ended it has nothing to do with the ends before.
const HEALTHY: Duration = Duration::from_secs(60);
const LONGEST_BACKOFF: Duration = Duration::from_secs(60);

/// Writes a failure on a line: when to try again, later each time.
pub fn write_failure(line: &mut Line, state: State) {
    let now = time::now();
    if State::of(line) == State::Running && now - line.since > micros(HEALTHY) {
        line.failures = 0;
    }
    line.failures = line.failures.saturating_add(1);
    line.retry_at = now + micros(backoff(line.failures));
    state.set(line);
}

/// How long to wait after so many failures in a row.
pub fn backoff(failures: u32) -> Duration {
    let doubled = Duration::from_secs(1).saturating_mul(1 << failures.saturating_sub(1).min(10));
    doubled.min(LONGEST_BACKOFF)
}

/// A duration as our times count.
pub fn micros(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
}

/// Whether a line can be given to another database.
pub fn may_go(line: &Line) -> bool {
    let nothing_there = matches!(State::of(line), State::Unknown | State::NoExtension);
    line.pid == 0 && !line.requested && nothing_there
}

/// Writes an error on the line of a database.
pub fn write_error(database: u32, error: &str) {
    shmem::write(|board| {
        if let Some(line) = board.line(database) {
            line.error = Text::new(error);
            line.error_at = time::now();
        }
    });
}

/// What `cdp.status()` says of this database's worker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WorkerState {
    /// `running`, or why not.
    pub state: String,
    /// Since when, in microseconds since 1970.
    pub since: Option<i64>,
    /// Its process.
    pub pid: Option<i32>,
    /// The newest error since the server started.
    pub last_error: Option<String>,
    /// When that happened, in microseconds since 1970.
    pub last_error_at: Option<i64>,
}

/// The worker of this database.
pub fn describe() -> WorkerState {
    let database = transaction::database_oid() as u32;
    let only = |state: &str| WorkerState {
        state: state.to_owned(),
        since: None,
        pid: None,
        last_error: None,
        last_error_at: None,
    };
    if !shmem::present() {
        return only("not preloaded");
    }
    if transaction::on_standby() {
        return only("standby");
    }
    let found = shmem::read(|board| {
        let line = board.lines.iter().find(|line| line.database == database);
        (board.launcher != Latch::NONE, line.copied())
    });
    let line = match found {
        Some((_, Some(line))) => line,
        Some((false, None)) => return only("no launcher"),
        _ => return only(State::Unknown.text()),
    };
    let when = |time: i64| (time != 0).then_some(time);
    WorkerState {
        state: State::of(&line).text().to_owned(),
        since: when(line.since),
        pid: process::exists(line.pid).then_some(line.pid),
        last_error: when(line.error_at).map(|_| line.error.as_str().to_owned()),
        last_error_at: when(line.error_at),
    }
}
