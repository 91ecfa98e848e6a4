//! The table of jobs.

use cdp_engine::schedule::{Schedule, ScheduleError, Zone};
use pgrx::prelude::*;

use crate::args;
use crate::pg::lock::Key;
use crate::pg::{Error, Result, role, seal, sql, time};

/// A job.
#[derive(Debug, Clone)]
pub struct Job {
    /// Its key.
    pub id: i32,
    /// Its name.
    pub name: String,
    /// The schedule, as written.
    pub schedule: String,
    /// The time zone that a cron expression is read in.
    pub time_zone: String,
    /// The SQL.
    pub command: String,
    /// The role with whose rights it runs.
    pub owner: pg_sys::Oid,
    seal: Option<String>,
    /// When the schedule was set: what intervals are counted from.
    anchor: i64,
    counted_from: i64,
}

const COLUMNS: &str = "job_id, name, schedule, time_zone, command, owner::oid, seal, scheduled_at, \
                       counted_from";

fn read(row: &sql::Row) -> Job {
    Job {
        id: row.want(1),
        name: row.want(2),
        schedule: row.want(3),
        time_zone: row.want(4),
        command: row.want(5),
        owner: row.want(6),
        seal: row.get(7),
        anchor: time::from_pg(row.want(8)),
        counted_from: time::from_pg(row.want(9)),
    }
}

impl Job {
    /// The job of that name, its row locked.
    pub fn by_name(name: &str) -> Option<Self> {
        sql::first(
            &format!("SELECT {COLUMNS} FROM cdp.jobs WHERE name = $1 FOR UPDATE"),
            args![name],
            |row| read(&row),
        )
    }

    /// The job of a run.
    pub fn of_run(run: i64) -> Option<Self> {
        sql::first(
            &format!(
                "SELECT {COLUMNS} FROM cdp.jobs WHERE job_id = (SELECT job_id FROM cdp.job_runs \
                 WHERE run_id = $1 AND status = 'running')"
            ),
            args![run],
            |row| read(&row),
        )
    }

    /// The enabled jobs that are due, the longest overdue first.
    pub fn all_due() -> Vec<Self> {
        sql::rows(
            &format!(
                "SELECT {COLUMNS} FROM cdp.jobs WHERE enabled AND next_run_at <= clock_timestamp() \
                 ORDER BY next_run_at, job_id"
            ),
            args![],
            |row| read(&row),
        )
    }

    /// What a session holds while it runs this job.
    pub fn lock(&self) -> Key {
        lock(self.id)
    }

    /// Proof that owner and command went through `cdp.schedule()` here.
    fn true_seal(&self) -> String {
        let (id, owner) = (self.id.to_string(), self.owner.to_u32().to_string());
        seal::of(
            "job",
            &[
                &id,
                &owner,
                &self.name,
                &self.schedule,
                &self.time_zone,
                &self.command,
            ],
        )
    }

    /// Fails if somebody wrote this job into the table, or restored it from another server.
    pub fn require_seal(&self) -> Result<()> {
        if self.seal.as_deref() == Some(&self.true_seal()) {
            return Ok(());
        }
        Err(Error::privilege(format!(
            "job \"{}\" was not scheduled on this server",
            self.name
        ))
        .detail("Its row was written or changed by other means than cdp.schedule().")
        .hint("Let its owner call cdp.schedule() again with the same arguments."))
    }

    fn write_seal(&self) {
        sql::run(
            "UPDATE cdp.jobs SET seal = $2 WHERE job_id = $1",
            args![self.id, self.true_seal()],
        );
    }

    /// Counts the next run from `from`.
    fn next_after(&self, from: i64) -> Result<Option<i64>> {
        let (schedule, zone) = parse(&self.schedule, &self.time_zone)?;
        Ok(schedule.next_after(from, &zone, self.anchor))
    }

    /// Writes that the job is run now, and when next; false if another session was faster.
    pub fn advance(&self) -> Result<bool> {
        let now = time::now();
        // One that cannot be read any more runs, fails and is not due again.
        let next = self.next_after(now).ok().flatten();
        let rows = sql::run(
            "UPDATE cdp.jobs SET counted_from = $2, next_run_at = $3 \
             WHERE job_id = $1 AND enabled AND next_run_at <= clock_timestamp()",
            args![self.id, time::to_pg(now), next.map(time::to_pg)],
        );
        Ok(rows == 1)
    }
}

fn lock(job_id: i32) -> Key {
    let relation = sql::read_first("SELECT 'cdp.jobs'::regclass::oid", args![], |row| {
        row.want::<pg_sys::Oid>(1)
    });
    Key {
        relation: relation.unwrap_or(pg_sys::InvalidOid).to_u32(),
        number: job_id as u32,
    }
}

/// What a session holds while it runs the job of that key.
pub fn lock_of(job_id: i32) -> Key {
    lock(job_id)
}

fn parse(schedule: &str, time_zone: &str) -> Result<(Schedule, Zone)> {
    let invalid = |error: ScheduleError| Error::invalid(error.message).hint(error.hint);
    Ok((
        Schedule::parse(schedule).map_err(invalid)?,
        Zone::parse(time_zone).map_err(invalid)?,
    ))
}

/// Makes a job of `owner`'s, or changes one that `owner` may act for, whose owner it leaves; its key.
pub fn put(
    owner: pg_sys::Oid,
    name: &str,
    schedule: &str,
    command: &str,
    time_zone: &str,
) -> Result<i32> {
    if name.is_empty() || name.len() > 255 {
        return Err(Error::invalid("a job's name takes 1 to 255 bytes"));
    }
    let (parsed, zone) = parse(schedule, time_zone)?;
    let now = time::now();
    let next = parsed.next_after(now, &zone, now).map(time::to_pg);
    let id = match Job::by_name(name) {
        Some(job) => {
            require_rights(owner, &job)?;
            let same = (job.schedule.as_str(), job.time_zone.as_str()) == (schedule, time_zone);
            if !same {
                sql::run(
                    "UPDATE cdp.jobs SET schedule = $2, time_zone = $3, scheduled_at = $4, \
                     counted_from = $4, next_run_at = $5 WHERE job_id = $1",
                    args![job.id, schedule, time_zone, time::to_pg(now), next],
                );
            }
            sql::run(
                "UPDATE cdp.jobs SET command = $2 WHERE job_id = $1",
                args![job.id, command],
            );
            job.id
        }
        None => sql::one::<i32>(
            "INSERT INTO cdp.jobs (name, schedule, time_zone, command, owner, created_at, \
                 scheduled_at, counted_from, next_run_at) \
             VALUES ($1, $2, $3, $4, $5::oid::regrole, $6, $6, $6, $7) RETURNING job_id",
            args![
                name,
                schedule,
                time_zone,
                command,
                owner,
                time::to_pg(now),
                next
            ],
        )
        .ok_or_else(|| Error::internal("the job was not stored"))?,
    };
    Job::by_name(name)
        .ok_or_else(|| Error::internal("the job was not stored"))?
        .write_seal();
    Ok(id)
}

/// Fails unless `caller` has the rights of the job's owner.
pub fn require_rights(caller: pg_sys::Oid, job: &Job) -> Result<()> {
    if role::may_act_for(caller, job.owner) {
        return Ok(());
    }
    let owner = role::name_of(job.owner).unwrap_or_else(|| job.owner.to_u32().to_string());
    Err(
        Error::privilege(format!("job \"{}\" belongs to role {owner}", job.name))
            .hint("Its owner, members of its owner and superusers can change and run it."),
    )
}

/// After this server has taken over a copy: seals the jobs whose owner `caller` may act for, as if
/// it had scheduled them again.
pub fn confirm(caller: pg_sys::Oid) -> Result<()> {
    let jobs = sql::rows(
        &format!("SELECT {COLUMNS} FROM cdp.jobs ORDER BY job_id"),
        args![],
        |row| read(&row),
    );
    for job in jobs {
        let owner = role::name_of(job.owner);
        if let Some(owner) = owner
            && role::may_act_for(caller, job.owner)
            && job.require_seal().is_err()
        {
            job.write_seal();
            pgrx::notice!("job \"{}\" of role {owner} will run here", job.name);
        }
    }
    Ok(())
}

/// Which jobs are due, and when the next one will be.
#[derive(Debug, Default, Clone)]
pub struct Due {
    /// Jobs that are due and do not run yet.
    pub ready: usize,
    /// When the next will be due, in microseconds since 1970.
    pub next_at: Option<i64>,
    /// Whether the clock was set back since a run was counted.
    pub clock_set_back: bool,
}

/// Looks what is due, without writing.
pub fn due() -> Due {
    let due = sql::read_rows(
        "SELECT job_id FROM cdp.jobs WHERE enabled AND next_run_at <= clock_timestamp()",
        args![],
        |row| row.want::<i32>(1),
    );
    // A job that still runs is due again when it has ended; the lock is kept for a moment.
    let ready = due
        .into_iter()
        .filter(|id| lock(*id).try_take_for_transaction())
        .count();
    let next = sql::read_first(
        "SELECT min(next_run_at) FILTER (WHERE next_run_at > clock_timestamp()), \
                coalesce(bool_or(counted_from > clock_timestamp()), false) \
           FROM cdp.jobs WHERE enabled",
        args![],
        |row| (row.get(1).map(time::from_pg), row.want::<bool>(2)),
    );
    let (next_at, clock_set_back) = next.unwrap_or_default();
    Due {
        ready,
        next_at,
        clock_set_back,
    }
}

/// Counts again what was counted from a time that is still to come: the clock was set back.
pub fn count_again() -> Result<()> {
    let now = time::now();
    let jobs = sql::rows(
        &format!(
            "SELECT {COLUMNS} FROM cdp.jobs WHERE enabled AND counted_from > clock_timestamp() \
             FOR UPDATE SKIP LOCKED"
        ),
        args![],
        |row| read(&row),
    );
    for job in jobs {
        let next = parse(&job.schedule, &job.time_zone)
            .ok()
            .and_then(|(schedule, zone)| schedule.due_at(job.counted_from, now, &zone, job.anchor));
        sql::run(
            "UPDATE cdp.jobs SET counted_from = $2, next_run_at = $3 WHERE job_id = $1",
            args![job.id, time::to_pg(now), next.map(time::to_pg)],
        );
    }
    Ok(())
}
