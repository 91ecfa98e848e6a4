//! Keeping house: what a worker does once in a while, and `cdp.process_all()` each time, a
//! transaction a step.

use std::time::{Duration, Instant};

use pgrx::PgSqlErrorCode;

use crate::pg::{Error, Result, process, role, size, sql, transaction};
use crate::{args, evidence, ingest, jobs, mapping};

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3600);

/// When `cdp.process_all()` takes a step. A worker, which comes round again, takes all after a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum When {
    /// Before its batches, which then read what the step captured.
    Before,
    /// After them, when there is something to put away.
    After,
}

struct Step {
    what: &'static str,
    every: Duration,
    when: When,
    take: fn() -> Result<()>,
}

const fn step(what: &'static str, every: Duration, when: When, take: fn() -> Result<()>) -> Step {
    Step {
        what,
        every,
        when,
        take,
    }
}

const STEPS: [Step; 7] = [
    step("poll the mapped tables", SECOND, When::Before, poll),
    step(
        "keep up with the mapped tables",
        MINUTE,
        When::Before,
        keep_up,
    ),
    step(
        "give back the space of consumed messages",
        MINUTE,
        When::After,
        truncate_inbox,
    ),
    step(
        "mark the jobs that crashed",
        MINUTE,
        When::After,
        jobs::mark_crashed,
    ),
    step(
        "make the partitions of events",
        HOUR,
        When::After,
        evidence::partitions::ensure,
    ),
    step("trim the ledger", HOUR, When::After, trim_ledger),
    step("trim the job runs", HOUR, When::After, trim_job_runs),
];

impl Step {
    fn fault(&self, error: &Error) -> Error {
        Error {
            message: format!("pg_cdp could not {}: {}", self.what, error.message),
            ..error.clone()
        }
    }
}

/// Takes the `n`-th of the steps of before or after the batches, from 0, in the current transaction;
/// false if there are no more. One that fails gives a warning, as in a worker.
///
/// # Errors
/// 57014 when it is cancelled.
pub fn take(when: When, n: usize) -> Result<bool> {
    let Some(step) = STEPS.iter().filter(|step| step.when == when).nth(n) else {
        return Ok(false);
    };
    match transaction::in_subtransaction(step.take) {
        Err(error) if error.code == PgSqlErrorCode::ERRCODE_QUERY_CANCELED => return Err(error),
        Err(error) => step.fault(&error).warn(),
        Ok(()) => {}
    }
    Ok(true)
}

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
        for (step, taken) in STEPS.iter().zip(&mut self.steps) {
            if taken.at.is_some_and(|at| at.elapsed() < step.every) {
                continue;
            }
            taken.at = Some(Instant::now());
            process::report(step.what);
            let error = transaction::in_transaction_as(role::OWNER, step.take).err();
            let text = error.as_ref().map(ToString::to_string);
            if let Some(error) = error
                && text != taken.error
            {
                step.fault(&error).warn();
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
