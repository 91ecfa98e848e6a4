//! A run of a job. It is claimed in one transaction, which writes a row that says so; it runs in the
//! next, its SQL in a subtransaction, and that transaction writes how it went. The session holds a
//! lock on the job all the while: a row that says running without a holder of that lock crashed.

use pgrx::prelude::*;

use super::store::{self, Job};
use crate::args;
use crate::pg::{Error, Result, command, role, sql, time, transaction};

/// How a run went.
#[derive(Debug, Clone)]
pub enum Outcome {
    /// It gave or touched so many rows.
    Succeeded(i64),
    /// It was rolled back.
    Failed(Error),
}

impl Outcome {
    /// Whether somebody cancelled it.
    pub fn cancelled(&self) -> bool {
        matches!(self, Self::Failed(error) if error.code == PgSqlErrorCode::ERRCODE_QUERY_CANCELED)
    }
}

/// Claims the job that is longest overdue, does not run, and whose owner `caller` may act for; the
/// run. The transaction is to be committed, and the run then run by this session. As the owner role.
pub fn claim(caller: pg_sys::Oid) -> Result<Option<i64>> {
    store::count_again()?;
    for job in Job::all_due() {
        let missing = role::name_of(job.owner).is_none();
        if !role::may_act_for(caller, job.owner) && !missing {
            continue;
        }
        if !job.lock().try_take_for_session() {
            continue;
        }
        if job.advance()? {
            return start(&job).map(Some);
        }
        job.lock().release();
    }
    Ok(None)
}

/// Writes that a job runs; its lock is held.
pub fn start(job: &Job) -> Result<i64> {
    mark_crashed_of(job.id);
    sql::one::<i64>(
        "INSERT INTO cdp.job_runs (job_id, job, started_at, status) \
         VALUES ($1, $2, clock_timestamp(), 'running') RETURNING run_id",
        args![job.id, job.name.as_str()],
    )
    .ok_or_else(|| Error::internal("the run was not recorded"))
}

/// Runs a job's SQL, with the rights of its owner and no others, in a subtransaction.
///
/// With `own_transaction`, nothing else happens in this transaction, and deferred constraints are
/// made immediate: at the commit they would be checked with other rights than the owner's.
pub fn execute(job: &Job, own_transaction: bool) -> Outcome {
    let prepared = role::as_owner(|| {
        if role::name_of(job.owner).is_none() {
            return Err(Error::unknown(format!(
                "the role that owned job \"{}\" does not exist",
                job.name
            )));
        }
        job.require_seal()?;
        Ok(sql::rows(
            include_str!("../../sql/job_settings.sql"),
            args![job.owner],
            |row| (row.want::<String>(1), row.want::<String>(2)),
        ))
    });
    let settings = match prepared {
        Ok(settings) => settings,
        Err(error) => return Outcome::Failed(error),
    };
    let outcome = transaction::in_subtransaction(|| {
        role::as_user(job.owner, "\"$user\", public", || {
            for (name, value) in &settings {
                role::set(name, value);
            }
            if own_transaction {
                command::run("SET CONSTRAINTS ALL IMMEDIATE")?;
            }
            command::with_statement_timeout(|| command::run(&job.command))
        })
    });
    match outcome {
        Ok(rows) => Outcome::Succeeded(rows),
        Err(error) => Outcome::Failed(error),
    }
}

/// Writes how a run went. As the owner role.
pub fn record(run: i64, outcome: &Outcome) {
    let (status, rows, error) = match outcome {
        Outcome::Succeeded(rows) => ("succeeded", Some(*rows), None),
        Outcome::Failed(error) => ("failed", None, Some(error.to_string())),
    };
    sql::run(
        "UPDATE cdp.job_runs SET status = $2, rows = $3, error = $4, \
                finished_at = clock_timestamp() \
          WHERE run_id = $1",
        args![run, status, rows, error],
    );
}

/// Runs what this session has claimed and writes how it went; how, and the job. The lock is given up
/// with the end of the transaction's work: another session that takes it waits for no result.
pub fn run_claimed(run: i64, caller: pg_sys::Oid) -> Result<(Job, Outcome)> {
    let job = role::as_owner(|| {
        Job::of_run(run)
            .filter(|job| job.lock().held())
            .ok_or_else(|| Error::unknown(format!("this session has not claimed run {run}")))
    })?;
    store::require_rights(caller, &job).or_else(|error| match role::name_of(job.owner) {
        None => Ok(()),
        Some(_) => Err(error),
    })?;
    // Held to the end of the transaction too, when the result can be seen.
    job.lock().try_take_for_transaction();
    let outcome = execute(&job, true);
    role::as_owner(|| {
        record(run, &outcome);
        Ok(())
    })?;
    job.lock().release();
    Ok((job, outcome))
}

/// Marks the runs of jobs that nobody runs any more.
pub fn mark_crashed() -> Result<()> {
    let running = sql::read_rows(
        "SELECT DISTINCT job_id FROM cdp.job_runs WHERE status = 'running'",
        args![],
        |row| row.want::<i32>(1),
    );
    for job_id in running {
        if store::lock_of(job_id).try_take_for_transaction() {
            mark_crashed_of(job_id);
        }
    }
    Ok(())
}

/// Marks the runs of one job, whose lock this session has, that never ended.
fn mark_crashed_of(job_id: i32) {
    sql::run(
        "UPDATE cdp.job_runs SET status = 'crashed', finished_at = $2, \
                error = 'the session or the server ended during the run' \
          WHERE job_id = $1 AND status = 'running'",
        args![job_id, time::to_pg(time::now())],
    );
}
