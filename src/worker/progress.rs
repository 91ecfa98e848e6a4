//! How far a long task is. In shared memory, since the rows of a running transaction are invisible;
//! without preload, in `pg_stat_activity`.

use std::cell::Cell;

use pgrx::prelude::*;

use crate::pg::shmem::{self, Task, Text};
use crate::pg::{process, time, transaction, transaction_end};

thread_local! {
    /// What is done of how much, where there is no board.
    static UNSHARED: Cell<Option<(Text<100>, i64)>> = const { Cell::new(None) };
}

/// Begins a phase of a long task of this session, `total` steps long (0: unknown). A phase before
/// it ends. An error, and the end of the session, end it too.
pub fn start(phase: &str, total: i64) {
    let pid = process::own_pid();
    let shared = shmem::write(|board| {
        let index = board
            .tasks
            .iter()
            .position(|task| task.pid == pid)
            .or_else(|| {
                board
                    .tasks
                    .iter()
                    .position(|task| !process::exists(task.pid))
            });
        if let Some(index) = index {
            board.tasks[index] = Task {
                pid,
                database: transaction::database_oid() as u32,
                phase: Text::new(phase),
                done: 0,
                total,
                started_at: time::now(),
            };
        }
    });
    if shared.is_none() {
        UNSHARED.set(Some((Text::new(phase), total)));
    }
    step(0);
}

/// So much of the phase is done.
pub fn step(done: i64) {
    tell(done, None);
}

/// So much of the phase is done, of a total that turned out to be another.
pub fn step_of(done: i64, total: i64) {
    if let Some((phase, _)) = UNSHARED.get() {
        UNSHARED.set(Some((phase, total)));
    }
    tell(done, Some(total));
}

fn tell(done: i64, total: Option<i64>) {
    let pid = process::own_pid();
    shmem::write(|board| {
        if let Some(task) = board.tasks.iter_mut().find(|task| task.pid == pid) {
            task.done = done;
            task.total = total.unwrap_or(task.total);
        }
    });
    transaction_end::call(finish_unless);
    if let Some((phase, total)) = UNSHARED.get() {
        let of = if total > 0 {
            format!(" of {total}")
        } else {
            String::new()
        };
        process::report(&format!("pg_cdp: {}: {done}{of}", phase.as_str()));
    }
}

/// Ends the task.
pub fn finish() {
    let pid = process::own_pid();
    shmem::write(|board| {
        if let Some(task) = board.tasks.iter_mut().find(|task| task.pid == pid) {
            task.pid = 0;
        }
    });
    UNSHARED.set(None);
}

/// A procedure that commits in between goes on; what fails does not.
fn finish_unless(committed: bool) {
    if !committed {
        finish();
    }
}

/// What takes long at this moment, in any database of this server, and how far it is. Empty where
/// the library is not preloaded; `pg_stat_activity.query` then tells.
#[pg_extern(volatile, parallel_restricted)]
#[search_path(pg_catalog, pg_temp)]
fn progress() -> TableIterator<
    'static,
    (
        name!(pid, i32),
        name!(database, String),
        name!(phase, String),
        name!(done, i64),
        name!(total, Option<i64>),
        name!(started_at, TimestampWithTimeZone),
    ),
> {
    let tasks = shmem::read(|board| board.tasks).unwrap_or([Task::FREE; shmem::TASKS]);
    let rows: Vec<_> = tasks
        .iter()
        .filter(|task| process::exists(task.pid))
        .map(|task| {
            (
                task.pid,
                process::database_name(task.database).unwrap_or_default(),
                task.phase.as_str().to_owned(),
                task.done,
                (task.total > 0).then_some(task.total),
                time::to_pg(task.started_at),
            )
        })
        .collect();
    TableIterator::new(rows)
}
