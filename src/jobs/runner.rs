//! The process that runs jobs, apart from the worker: a long one keeps no message waiting, and what
//! a job leaves behind in its process goes with it.

use super::store::Due;
use super::{run, store};
use crate::install;
use crate::pg::process::{self, Spawned};
use crate::pg::{Error, Result, guc, role, transaction};

/// Processes that run jobs of one database at the same time.
const AT_ONCE: usize = 2;

/// The main function of a runner: runs what is due, one job after another, and ends.
pub fn main(database: u32) {
    process::take_signals();
    process::connect(Some(database));
    for (name, value) in [
        (c"application_name", c"pg_cdp jobs"),
        // For what is ours; a job has the search_path of its owner.
        (c"search_path", c"pg_catalog, pg_temp"),
        (c"default_transaction_isolation", c"read committed"),
        (c"default_transaction_read_only", c"off"),
    ] {
        process::pin(name, value);
    }
    loop {
        pgrx::check_for_interrupts!();
        process::reload_configuration();
        match run_one() {
            Ok(true) => {}
            Ok(false) => return,
            Err(error) => return warn(error),
        }
    }
}

/// The runners of a worker.
#[derive(Default)]
pub struct Runners {
    running: Vec<Spawned>,
    /// Whether the lack of a process was reported, since one was last found.
    warned: bool,
}

impl Runners {
    /// Has what is due run: in processes of their own, or where there are none, in this one.
    pub fn start(&mut self, due: &Due) {
        self.running.retain(Spawned::alive);
        if due.clock_set_back
            && let Err(error) = transaction::in_transaction_as(role::OWNER, store::count_again)
        {
            warn(error);
        }
        let database = transaction::database_oid() as u32;
        for _ in 0..due.ready.min(AT_ONCE.saturating_sub(self.running.len())) {
            let name = transaction::in_transaction(|| Ok(process::database_name(database)));
            let name = name.ok().flatten().unwrap_or_default();
            let title = format!("pg_cdp jobs: {name}");
            match process::spawn("pg_cdp jobs", &title, "pg_cdp_jobs", database) {
                Some(runner) => {
                    self.running.push(runner);
                    self.warned = false;
                }
                None => {
                    if !std::mem::replace(&mut self.warned, true) {
                        crate::worker::launcher::no_process("its jobs", &name)
                            .detail("The jobs run in the worker, and messages wait for them.")
                            .warn();
                    }
                    if let Err(error) = run_one() {
                        warn(error);
                    }
                    return;
                }
            }
        }
    }
}

fn warn(mut error: Error) {
    error.message = format!("pg_cdp could not run its jobs: {}", error.message);
    error.warn();
}

/// Claims a job and runs it; whether there was one.
fn run_one() -> Result<bool> {
    // The session's own user, a superuser: acts for any owner, and is never acted as.
    let server = role::current();
    let run = transaction::in_transaction_as(role::OWNER, || {
        let ready = guc::WORKERS.get()
            && install::in_catalogue() == install::InCatalogue::Schema
            && install::state() == install::State::Ready;
        if ready { run::claim(server) } else { Ok(None) }
    })?;
    let Some(run) = run else { return Ok(false) };
    process::report("running a job");
    transaction::in_transaction_as(role::OWNER, || {
        let (job, outcome) = run::run_claimed(run, server)?;
        if let run::Outcome::Failed(error) = outcome {
            pgrx::log!("job \"{}\" of pg_cdp failed: {error}", job.name);
        }
        Ok(())
    })?;
    process::report_idle("");
    Ok(true)
}
