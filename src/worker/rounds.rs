//! The pipeline worker of one database: round after round it looks, drains the inbox, has jobs run
//! and keeps house. Everything but the look at the catalogue is done as the owner role, so that
//! nothing that was put in its tables can act as the superuser that a worker connects as.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use super::attempts::{self, Step};
use super::maintenance::Maintenance;
use super::state::{self, State};
use crate::pg::latch::{self, Latch};
use crate::pg::{Error, Result, guc, process, role, shmem, time, transaction};
use crate::{ingest, install, jobs, pipeline};

/// Batches of one message that were set aside in a row, before that is done only once a while: by
/// then it is hardly the messages' fault.
const SET_ASIDE_IN_A_ROW: u32 = 20;

static DATABASE: AtomicU32 = AtomicU32::new(0);

/// The main function of a worker.
pub fn main(database: u32) {
    process::take_signals();
    DATABASE.store(database, Ordering::Relaxed);
    if !arrive(database) {
        return;
    }
    process::at_exit(leave);
    process::connect(Some(database));
    for (name, value) in [
        (c"application_name", c"pg_cdp worker"),
        (c"search_path", c"pg_catalog, pg_temp"),
        (c"default_transaction_isolation", c"read committed"),
        (c"default_transaction_read_only", c"off"),
        (c"statement_timeout", c"0"),
        (c"lock_timeout", c"0"),
    ] {
        process::pin(name, value);
    }
    let mut worker = Worker::default();
    loop {
        pgrx::check_for_interrupts!();
        process::reload_configuration();
        match worker.round() {
            Round::Again => {}
            Round::Wait(pause) => {
                process::report_idle("");
                latch::wait(pause);
            }
            Round::Leave(state) => return rest(state),
        }
    }
}

/// Puts this process on its database's line; false if another is at work there.
fn arrive(database: u32) -> bool {
    let own = process::own_pid();
    shmem::write(|board| {
        let Some(line) = board.line_or_new(database, state::may_go) else {
            return false;
        };
        if line.pid != 0 && line.pid != own && process::exists(line.pid) {
            return false;
        }
        line.pid = own;
        line.latch = Latch::own();
        line.requested = false;
        true
    }) == Some(true)
}

/// Takes this process off its line. Whoever neither finished nor found nothing to do has failed.
fn leave(_code: i32) {
    let database = DATABASE.load(Ordering::Relaxed);
    shmem::write(|board| {
        if let Some(line) = board.line(database)
            && line.pid == process::own_pid()
        {
            line.pid = 0;
            line.latch = Latch::NONE;
            if matches!(State::of(line), State::Starting | State::Running) {
                line.requested = false;
                state::write_failure(line, State::Restarting);
            }
        }
        board.launcher.set();
    });
}

fn rest(state: State) {
    let database = DATABASE.load(Ordering::Relaxed);
    shmem::write(|board| {
        if let Some(line) = board.line(database) {
            line.failures = 0;
            state.set(line);
        }
    });
}

enum Round {
    Again,
    Wait(Duration),
    Leave(State),
}

/// What a look at the database shows.
struct Look {
    state: State,
    waiting: bool,
    jobs: jobs::Due,
}

#[derive(Default)]
struct Worker {
    running: bool,
    /// Errors in a row, and until when batches are not tried after the last.
    failures: u32,
    blocked_until: Option<Instant>,
    set_aside: u32,
    /// Whether the last batch found nothing.
    empty: bool,
    runners: jobs::runner::Runners,
    maintenance: Maintenance,
}

impl Worker {
    fn round(&mut self) -> Round {
        let look = match look() {
            Ok(look) => look,
            Err(error) => return Round::Wait(self.failed("look at the database", &error)),
        };
        if look.state != State::Running {
            return Round::Leave(look.state);
        }
        self.announce();
        self.runners.start(&look.jobs);
        let mut again = false;
        let mut pause = Duration::from_millis(guc::POLL_INTERVAL.get().unsigned_abs().into());
        if look.waiting {
            match self
                .blocked_until
                .map(|until| until.saturating_duration_since(Instant::now()))
            {
                Some(left) if !left.is_zero() => pause = pause.min(left),
                _ => match self.step() {
                    // A window of the inbox may end with an empty batch, and the next one not.
                    Ok(0) => again = !std::mem::replace(&mut self.empty, true),
                    Ok(_) => {
                        again = true;
                        self.empty = false;
                    }
                    Err(error) => pause = self.failed("run a batch", &error),
                },
            }
        }
        self.maintenance.run_due();
        if again {
            return Round::Again;
        }
        if let Some(at) = look.jobs.next_at {
            pause = pause.min(Duration::from_micros(
                (at - time::now()).max(0).unsigned_abs(),
            ));
        }
        Round::Wait(pause)
    }

    /// One batch, or one message set aside; how many messages it consumed.
    fn step(&mut self) -> Result<i64> {
        process::report("reading a batch from the inbox");
        owned(|| {
            attempts::await_turn();
            Ok(())
        })?;
        // Meanwhile somebody else may have read what was there.
        let begin = || attempts::begin(pipeline::of_next());
        let Some(step) = owned(|| attempts::anything_to_do().then(begin).transpose())? else {
            return Ok(0);
        };
        let (report, attempt) = match &step {
            Step::SetAside(fault) => {
                let report = owned(|| attempts::set_aside(fault))?;
                self.set_aside += 1;
                if self.set_aside > SET_ASIDE_IN_A_ROW {
                    self.block(state::backoff(self.failures.max(4)));
                }
                return Ok(report.read);
            }
            Step::Run(attempt) => (owned(|| attempts::run(attempt)), attempt),
        };
        match report {
            Ok(report) => {
                self.failures = 0;
                self.blocked_until = None;
                self.set_aside = 0;
                Ok(report.read)
            }
            Err(error) => {
                // If this fails too, the batch after next is smaller for no reason, no more.
                let noted = owned(|| attempts::note_failure(attempt, &error));
                noted.and(Err(error))
            }
        }
    }

    /// Reports an error, and how long not to try again.
    fn failed(&mut self, what: &str, error: &Error) -> Duration {
        self.failures = self.failures.saturating_add(1);
        let pause = state::backoff(self.failures);
        self.block(pause);
        state::write_error(DATABASE.load(Ordering::Relaxed), &error.to_string());
        let mut report = error.clone();
        report.message = format!("pg_cdp could not {what}: {}", error.message);
        report.warn();
        pause
    }

    fn block(&mut self, pause: Duration) {
        self.blocked_until = Some(Instant::now() + pause);
    }

    /// Shows that it runs, once.
    fn announce(&mut self) {
        if !std::mem::replace(&mut self.running, true) {
            shmem::write(|board| {
                if let Some(line) = board.line(DATABASE.load(Ordering::Relaxed)) {
                    State::Running.set(line);
                }
                board.launcher.set();
            });
        }
    }
}

fn owned<T>(body: impl FnOnce() -> Result<T>) -> Result<T> {
    transaction::in_transaction_as(role::OWNER, body)
}

/// Looks, without writing: an idle worker uses no transaction ids.
fn look() -> Result<Look> {
    let nothing = |state| Look {
        state,
        waiting: false,
        jobs: jobs::Due::default(),
    };
    if !guc::WORKERS.get() {
        return Ok(nothing(State::Off));
    }
    match transaction::in_transaction(|| Ok(install::in_catalogue()))? {
        install::InCatalogue::Nothing => return Ok(nothing(State::NoExtension)),
        install::InCatalogue::Extension => return Ok(nothing(State::NotInitialised)),
        install::InCatalogue::Schema => {}
    }
    owned(|| {
        let state = match install::state() {
            install::State::Absent => State::NotInitialised,
            install::State::OtherVersion(_) => State::OtherVersion,
            install::State::Elsewhere => State::Elsewhere,
            install::State::Paused => State::Paused,
            install::State::Ready => {
                return Ok(Look {
                    state: State::Running,
                    waiting: ingest::inbox::has_more(),
                    jobs: jobs::due(),
                });
            }
        };
        Ok(nothing(state))
    })
}
