//! The SQL functions of jobs.

use pgrx::prelude::*;

use super::run::{self, Outcome};
use super::store::{self, Job};
use crate::pg::error::OrRaise;
use crate::pg::{Error, Result, role, sql, transaction};
use crate::{args, install, worker};

pgrx::extension_sql_file!(
    "../../sql/functions/jobs.sql",
    name = "jobs",
    requires = [claim_due_job, run_claimed_job]
);

/// Schedules a command, with the rights of the caller: by a cron expression in a time zone
/// (`*/15 * * * *`, `@daily`) or at an interval (`every 10 minutes`). A job of that name is changed.
/// Returns its key.
///
/// # Errors
/// 22023 for a schedule or time zone that cannot be read; 42501 if the job belongs to a role that
/// the caller is no member of.
#[pg_extern(volatile, parallel_unsafe)]
#[search_path(pg_catalog, pg_temp)]
fn schedule(name: &str, schedule: &str, command: &str, time_zone: default!(&str, "'UTC'")) -> i32 {
    let caller = role::current();
    in_tables(|| {
        let id = store::put(caller, name, schedule, command, time_zone)?;
        worker::wake_worker();
        Ok(id)
    })
    .or_raise()
}

/// Removes a job; its runs stay in `cdp.job_runs`. False if there is none of that name.
///
/// # Errors
/// 42501 if the job belongs to a role that the caller is no member of.
#[pg_extern(volatile, parallel_unsafe)]
#[search_path(pg_catalog, pg_temp)]
fn unschedule(name: &str) -> bool {
    let caller = role::current();
    in_tables(|| {
        let Some(job) = Job::by_name(name) else {
            return Ok(false);
        };
        store::require_rights(caller, &job)?;
        sql::run("DELETE FROM cdp.jobs WHERE job_id = $1", args![job.id]);
        worker::wake_worker();
        Ok(true)
    })
    .or_raise()
}

/// Runs a job now, in this session and transaction, with the rights of its owner, whether it is due
/// or not. Returns the run's key in `cdp.job_runs`; a job that fails gives a warning.
///
/// # Errors
/// 42704 if there is no such job, 55006 if it runs at this moment, 42501 if it belongs to a role
/// that the caller is no member of.
#[pg_extern(volatile, parallel_unsafe)]
#[search_path(pg_catalog, pg_temp)]
fn run_job(name: &str) -> i64 {
    run_now(name).or_raise()
}

fn run_now(name: &str) -> Result<i64> {
    let caller = role::current();
    let (run, job) = in_tables(|| {
        let job = Job::by_name(name).ok_or_else(|| Error::unknown(format!("no job \"{name}\"")))?;
        store::require_rights(caller, &job)?;
        if !job.lock().try_take_for_transaction() {
            return Err(Error::new(
                PgSqlErrorCode::ERRCODE_OBJECT_IN_USE,
                format!("job \"{name}\" runs at this moment"),
            ));
        }
        Ok((run::start(&job)?, job))
    })?;
    let outcome = run::execute(&job, false);
    if let Outcome::Failed(error) = &outcome {
        if outcome.cancelled() {
            return Err(error.clone());
        }
        let mut warning = error.clone();
        warning.message = format!("job \"{name}\" failed: {}", error.message);
        warning.warn();
    }
    in_tables(|| {
        run::record(run, &outcome);
        Ok(run)
    })
}

/// For `cdp.run_due_jobs()`: claims a job that is due and whose owner the caller may act for. NULL
/// if there is none.
#[pg_extern(volatile, parallel_unsafe)]
#[search_path(pg_catalog, pg_temp)]
fn claim_due_job() -> Option<i64> {
    let caller = role::current();
    let what = "cdp.run_due_jobs()";
    transaction::require_primary(what)
        .and_then(|()| transaction::require_read_committed(what))
        .and_then(|()| {
            role::as_owner(|| {
                install::require_ready()?;
                run::claim(caller)
            })
        })
        .or_raise()
}

/// For `cdp.run_due_jobs()`: runs what this session has claimed; `succeeded`, `failed` or
/// `cancelled`.
#[pg_extern(volatile, parallel_unsafe)]
#[search_path(pg_catalog, pg_temp)]
fn run_claimed_job(run: i64) -> &'static str {
    let (_, outcome) = run::run_claimed(run, role::current()).or_raise();
    match outcome {
        Outcome::Succeeded(_) => "succeeded",
        Outcome::Failed(_) if outcome.cancelled() => "cancelled",
        Outcome::Failed(_) => "failed",
    }
}

fn in_tables<T>(body: impl FnOnce() -> Result<T>) -> Result<T> {
    role::as_owner(|| {
        install::require_tables()?;
        body()
    })
}
