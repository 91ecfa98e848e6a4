//! Keeping house: what a worker does once in a while, each step in a transaction of its own.

use std::time::{Duration, Instant};

use crate::pg::{Result, process, role, size, sql, transaction};
use crate::{args, evidence, ingest, jobs, mapping};

const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3600);

/// A step: what it does, how often, and how.
type Step = (&'static str, Duration, fn() -> Result<()>);

const SECOND: Duration = Duration::from_secs(1);

const STEPS: [Step; 7] = [
    ("poll the mapped tables", SECOND, poll),
    ("keep up with the mapped tables", MINUTE, keep_up),
    (
        "give back the space of consumed messages",
        MINUTE,
        truncate_inbox,
    ),
    ("mark the jobs that crashed", MINUTE, jobs::mark_crashed),
    (
        "make the partitions of events",
        HOUR,
        evidence::partitions::ensure,
    ),
    ("trim the ledger", HOUR, trim_ledger),
    ("trim the job runs", HOUR, trim_job_runs),
];

/// When each step was last taken, and what it failed with.
#[derive(Default)]
pub struct Maintenance {
    steps: [Taken; STEPS.len()],
}

#[derive(Default)]
struct Taken {
    at: Option<Instant>,
    error: Option<String>,
}

impl Maintenance {
    /// Takes the steps that are due. One that fails is tried again when it is due next, and reported
    /// when it fails with something new.
    pub fn run_due(&mut self) {
        for ((what, every, step), taken) in STEPS.iter().zip(&mut self.steps) {
            if taken.at.is_some_and(|at| at.elapsed() < *every) {
                continue;
            }
            taken.at = Some(Instant::now());
            process::report(what);
            let error = transaction::in_transaction_as(role::OWNER, step).err();
            let text = error.as_ref().map(ToString::to_string);
            if let Some(mut error) = error
                && text != taken.error
            {
                error.message = format!("pg_cdp could not {what}: {}", error.message);
                error.warn();
            }
            taken.error = text;
            pgrx::check_for_interrupts!();
        }
    }
}

fn poll() -> Result<()> {
    mapping::poll_due().map(|_| ())
}

fn keep_up() -> Result<()> {
    mapping::maintain().map(|_| ())
}

fn truncate_inbox() -> Result<()> {
    if size::of_partitions(c"cdp", c"inbox") != Some(0) {
        ingest::truncate::truncate_consumed()?;
    }
    Ok(())
}

/// Keeps a day of the ledger, and its newest row whatever its age; and a minute's precision of when
/// identifiers became known.
fn trim_ledger() -> Result<()> {
    crate::identity::history::thin();
    sql::run(
        "DELETE FROM cdp.batches WHERE finished_at < now() - interval '1 day' \
         AND batch_id < (SELECT max(batch_id) FROM cdp.batches)",
        args![],
    );
    sql::run(
        "DELETE FROM cdp.attempts WHERE started_at < now() - interval '1 day' \
         AND attempt_id < (SELECT max(attempt_id) FROM cdp.attempts)",
        args![],
    );
    Ok(())
}

/// Keeps a month of job runs.
fn trim_job_runs() -> Result<()> {
    sql::run(
        "DELETE FROM cdp.job_runs \
         WHERE finished_at < now() - interval '30 days' AND status <> 'running'",
        args![],
    );
    Ok(())
}
