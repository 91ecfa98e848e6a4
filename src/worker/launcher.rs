//! The launcher: starts a worker for every database that may have pg_cdp, and again when it ended.
//! It is connected to no database, so that it keeps none from being dropped or copied; whether a
//! database has pg_cdp, the worker finds out, and leaves if not.

use std::collections::HashMap;
use std::time::Duration;

use pgrx::prelude::*;

use super::state::{self, State};
use crate::pg::latch::{self, Latch};
use crate::pg::process::{self, Database, Spawned};
use crate::pg::shmem::{self, Line};
use crate::pg::{Error, guc, time};

/// A worker that the postmaster has not started by then will not come.
const START_DEADLINE: Duration = Duration::from_secs(30);

/// The main function of the launcher.
pub fn main() {
    process::take_signals();
    process::connect(None);
    shmem::write(|board| board.launcher = Latch::own());
    process::at_exit(|_| {
        shmem::write(|board| board.launcher = Latch::NONE);
    });
    let mut launcher = Launcher::default();
    loop {
        pgrx::check_for_interrupts!();
        if process::reload_configuration() {
            look_everywhere();
        }
        let pause = launcher.look();
        process::report_idle("");
        latch::wait(pause);
    }
}

#[derive(Default)]
struct Launcher {
    /// Workers that were asked for, by database.
    asked_for: HashMap<u32, Spawned>,
    /// Whether the lack of processes was reported, since one was last found.
    warned: bool,
}

/// What to do about a database.
enum Next {
    Start,
    /// Somebody who asks goes first; others one after another.
    StartInTurn,
    Wait(i64),
    Nothing,
}

impl Launcher {
    /// Starts what is due; how long to wait for the next.
    fn look(&mut self) -> Duration {
        let discovery = Duration::from_millis(guc::DISCOVERY_INTERVAL.get().unsigned_abs().into());
        if !guc::WORKERS.get() {
            return discovery;
        }
        let databases = process::databases();
        self.tidy(&databases);
        let mut pause = discovery;
        for database in &databases {
            match next(database, state::micros(discovery)) {
                Next::Start => self.start(database),
                Next::StartInTurn if starting() => {}
                Next::StartInTurn => self.start(database),
                Next::Wait(until) => pause = pause.min(time_until(until)),
                Next::Nothing => {}
            }
        }
        if starting() {
            pause = pause.min(START_DEADLINE);
        }
        pause
    }

    /// Clears the lines of databases that are gone, and of workers that never came to life.
    fn tidy(&mut self, databases: &[Database]) {
        self.asked_for.retain(|_, worker| worker.alive());
        shmem::write(|board| {
            for line in board.lines.iter_mut().filter(|line| line.pid == 0) {
                let late = time::now() - line.since > state::micros(START_DEADLINE);
                let asked_for = self.asked_for.contains_key(&line.database);
                if !databases.iter().any(|known| known.oid == line.database) {
                    line.database = 0;
                } else if State::of(line) == State::Starting && (late || !asked_for) {
                    line.requested = false;
                    state::write_failure(line, State::Restarting);
                }
            }
        });
    }

    fn start(&mut self, database: &Database) {
        let line = shmem::write(|board| {
            let line = board.line_or_new(database.oid, state::may_go)?;
            State::Starting.set(line);
            Some(())
        });
        if line.flatten().is_none() {
            self.warn(Error::new(
                PgSqlErrorCode::ERRCODE_CONFIGURATION_LIMIT_EXCEEDED,
                format!(
                    "more than {} databases of this server use pg_cdp",
                    shmem::DATABASES
                ),
            ));
            return;
        }
        let name = format!("pg_cdp worker: {}", database.name);
        if let Some(worker) = process::spawn("pg_cdp worker", &name, "pg_cdp_worker", database.oid)
        {
            self.asked_for.insert(database.oid, worker);
            self.warned = false;
            return;
        }
        let error = no_process("its worker", &database.name);
        state::write_error(database.oid, &error.message);
        shmem::write(|board| {
            if let Some(line) = board.line(database.oid) {
                state::write_failure(line, State::NoProcess);
            }
        });
        self.warn(error);
    }

    fn warn(&mut self, error: Error) {
        if !std::mem::replace(&mut self.warned, true) {
            error.warn();
        }
    }
}

/// The error of a server that has no process left for `what`.
pub fn no_process(what: &str, database: &str) -> Error {
    Error::new(
        PgSqlErrorCode::ERRCODE_INSUFFICIENT_RESOURCES,
        format!(
            "no background process is free for pg_cdp to start {what} in database \"{database}\""
        ),
    )
    .hint(
        "Raise max_worker_processes: pg_cdp needs one for the launcher, one for each database, \
         and one for each job that runs.",
    )
}

fn next(database: &Database, discovery: i64) -> Next {
    let now = time::now();
    let line = shmem::read(|board| {
        let line = board
            .lines
            .iter()
            .find(|line| line.database == database.oid);
        line.copied()
    });
    let Some(line) = line.flatten() else {
        return Next::StartInTurn;
    };
    let at = |time: i64, then: Next| if time <= now { then } else { Next::Wait(time) };
    match State::of(&line) {
        State::Starting => Next::Nothing,
        _ if alive(&line) => Next::Nothing,
        State::NoProcess => at(line.retry_at, Next::StartInTurn),
        _ if line.requested => Next::Start,
        State::Running | State::Restarting => at(line.retry_at, Next::Start),
        State::Unknown => Next::StartInTurn,
        State::Off => at(line.since + 1_000_000, Next::StartInTurn),
        _ => at(line.since + discovery, Next::StartInTurn),
    }
}

/// Makes a look at every database without a worker due.
fn look_everywhere() {
    shmem::write(|board| {
        for line in board.lines.iter_mut().filter(|line| line.pid == 0) {
            if State::of(line) != State::Starting {
                line.since = 0;
                line.retry_at = 0;
            }
        }
    });
}

fn alive(line: &Line) -> bool {
    line.pid != 0 && process::exists(line.pid)
}

/// Whether any worker is on its way: those that may find nothing to do start one at a time, so that
/// they do not use up the server's processes.
fn starting() -> bool {
    shmem::read(|board| {
        let mut lines = board.lines.iter().filter(|line| line.database != 0);
        lines.any(|line| State::of(line) == State::Starting)
    }) == Some(true)
}

fn time_until(time: i64) -> Duration {
    Duration::from_micros((time - time::now()).max(0).unsigned_abs())
}
