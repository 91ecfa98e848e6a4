//! Processing in the caller's session: the same code as the worker's, for tests and for servers
//! where the library is not preloaded.

use pgrx::prelude::*;

use super::attempts::{self, Step};
use super::maintenance::{self, When};
use crate::pg::error::OrRaise;
use crate::pg::{Error, Result, guc, role, transaction};
use crate::{install, pipeline};

pgrx::extension_sql_file!(
    "../../sql/functions/process.sql",
    name = "process",
    requires = [
        begin_batch,
        run_begun_batch,
        keep_house,
        require_own_transaction,
        wake_worker_sql
    ]
);

/// Reads one batch of at most `batch_size` messages (default: `cdp.batch_size`) from the inbox, and
/// gives how many it read.
///
/// # Errors
/// 55000 if pg_cdp is paused, not initialised or not started here; 25000 in a transaction above READ
/// COMMITTED.
#[pg_extern(volatile, parallel_unsafe)]
#[search_path(pg_catalog, pg_temp)]
fn process(batch_size: default!(Option<i32>, "NULL")) -> i64 {
    as_ready("cdp.process()", || {
        pipeline::run_batch(checked(batch_size)?).map(|report| report.read)
    })
    .or_raise()
}

/// For procedures that commit: fails with 25001 where a transaction block is open, in which they could
/// not. (Within a function PostgreSQL's own error says so.)
#[pg_extern(volatile, parallel_unsafe)]
#[search_path(pg_catalog, pg_temp)]
fn require_own_transaction(what: &str) {
    transaction::require_none_open(what).or_raise();
}

/// For `cdp.process_all()`: waits until nobody else derives anything.
#[pg_extern(volatile, parallel_unsafe)]
#[search_path(pg_catalog, pg_temp)]
fn await_turn() {
    as_ready("cdp.process_all()", || {
        attempts::await_turn();
        Ok(())
    })
    .or_raise();
}

/// For `cdp.process_all()`: notes that a batch is begun, to be committed before it is run. NULL when
/// there is nothing to read.
#[pg_extern(volatile, parallel_unsafe)]
#[search_path(pg_catalog, pg_temp)]
fn begin_batch(batch_size: default!(Option<i32>, "NULL")) -> Option<i64> {
    as_ready("cdp.process_all()", || {
        let full = batch_size.map(|size| checked(Some(size))).transpose()?;
        while attempts::anything_to_do() {
            pgrx::check_for_interrupts!();
            match attempts::begin(full.unwrap_or_else(pipeline::of_next))? {
                Step::Run(attempt) => return Ok(Some(attempt.id)),
                Step::SetAside(fault) => attempts::set_aside(&fault)?,
            };
        }
        Ok(None)
    })
    .or_raise()
}

/// For `cdp.process_all()`: runs the batch that `cdp.begin_batch()` noted; how many messages it read.
#[pg_extern(volatile, parallel_unsafe)]
#[search_path(pg_catalog, pg_temp)]
fn run_begun_batch(attempt: i64) -> i64 {
    as_ready("cdp.process_all()", || {
        let attempt = attempts::find(attempt)
            .ok_or_else(|| Error::unknown(format!("there is no attempt {attempt}")))?;
        attempts::run(&attempt).map(|report| report.read)
    })
    .or_raise()
}

/// For `cdp.process_all()`: takes a step of what a worker does besides batches, of those that come
/// before or after them, from 0; false if there are no more.
#[pg_extern(volatile, parallel_unsafe)]
#[search_path(pg_catalog, pg_temp)]
fn keep_house(after_batches: bool, step: i32) -> bool {
    let when = if after_batches {
        When::After
    } else {
        When::Before
    };
    as_ready("cdp.process_all()", || {
        let step = usize::try_from(step)
            .map_err(|_| Error::invalid(format!("there is no step {step}")))?;
        maintenance::take(when, step)
    })
    .or_raise()
}

fn as_ready<T>(what: &str, body: impl FnOnce() -> Result<T>) -> Result<T> {
    transaction::require_primary(what)?;
    transaction::require_read_committed(what)?;
    role::as_owner(|| {
        install::require_ready()?;
        body()
    })
}

fn checked(batch_size: Option<i32>) -> Result<i32> {
    match batch_size.unwrap_or_else(|| guc::BATCH_SIZE.get()) {
        size @ 1..=1_000_000 => Ok(size),
        size => Err(Error::invalid(format!("batch_size cannot be {size}"))
            .hint("Give a number from 1 to 1000000.")),
    }
}
