//! Waking at commit. What is asked for in a transaction is done once, when it has committed and its
//! rows can be seen; NOTIFY would serialise commits.

use std::sync::atomic::{AtomicBool, Ordering};

use pgrx::prelude::*;

use crate::pg::error::OrRaise;
use crate::pg::{Error, Result, guc, role, shmem, size, transaction, transaction_end};

static WAKE: AtomicBool = AtomicBool::new(false);
static ANNOUNCE: AtomicBool = AtomicBool::new(false);
static CHECKED: AtomicBool = AtomicBool::new(false);

/// Tells the launcher, at commit, that this database may have become ready for a worker.
pub fn announce_installation() {
    if shmem::present() {
        ANNOUNCE.store(true, Ordering::Relaxed);
        transaction_end::call(at_end);
    }
}

/// Wakes this database's worker at commit, if it runs.
pub fn wake_worker() {
    if shmem::present() {
        WAKE.store(true, Ordering::Relaxed);
        transaction_end::call(at_end);
    }
}

fn at_end(committed: bool) {
    let wake = WAKE.swap(false, Ordering::Relaxed);
    let announce = ANNOUNCE.swap(false, Ordering::Relaxed);
    CHECKED.store(false, Ordering::Relaxed);
    let database = transaction::database_oid() as u32;
    if !committed || database == 0 {
        return;
    }
    if announce {
        shmem::write(|board| {
            let line = board.line_or_new(database, super::state::may_go);
            if let Some(line) = line {
                line.requested = true;
                line.retry_at = 0;
                line.latch.set();
            }
            board.launcher.set();
        });
    } else if wake {
        shmem::read(|board| {
            let line = board.lines.iter().find(|line| line.database == database);
            if let Some(line) = line {
                line.latch.set();
            }
        });
    }
}

/// Called by the trigger on `cdp.inbox`: wakes the worker at commit, and refuses more when the
/// inbox is full. Any number of calls in a transaction cost as much as one.
///
/// # Errors
/// 53400 when the inbox takes more than `cdp.inbox_limit`. Capture from mapped tables, which acts as
/// the owner role, is never refused.
#[pg_extern(volatile, parallel_restricted)]
fn inbox_wake() {
    if CHECKED.load(Ordering::Relaxed) {
        return;
    }
    within_limit().or_raise();
    CHECKED.store(true, Ordering::Relaxed);
    WAKE.store(true, Ordering::Relaxed);
    transaction_end::call(at_end);
}

fn within_limit() -> Result<()> {
    if role::by_name(role::OWNER) == Some(role::current()) {
        return Ok(());
    }
    let megabytes = guc::INBOX_LIMIT.get();
    let size = size::of_partitions(c"cdp", c"inbox").unwrap_or(0);
    if size <= u64::from(megabytes.unsigned_abs()) << 20 {
        return Ok(());
    }
    Err(Error::new(
        PgSqlErrorCode::ERRCODE_CONFIGURATION_LIMIT_EXCEEDED,
        "the inbox of pg_cdp is full",
    )
    .detail(format!(
        "It takes {} MB; cdp.inbox_limit is {megabytes} MB.",
        size >> 20
    ))
    .hint("See cdp.status() for what keeps the worker from draining it, or raise cdp.inbox_limit."))
}

/// Has the launcher look at this database, at commit, and start its worker or wake it.
#[pg_extern(name = "wake_worker", volatile, parallel_restricted)]
fn wake_worker_sql() {
    announce_installation();
}
