//! Work of the engine in a thread, with progress and cancel.

use std::sync::{Arc, Mutex};

use cdp_engine::background::Cancel;
use cdp_engine::matching::matcher::{Failure, Limits};
use cdp_engine::matching::{Intake, Records};
use pgrx::PgSqlErrorCode;

use super::columns;
use crate::pg::{Error, Result, guc, thread};
use crate::worker::progress;

/// Runs work of matching in a thread; a cancel is followed within a tenth of a second. `what` names it
/// in `cdp.progress()`.
pub fn run<T: Send + 'static>(
    what: &str,
    work: impl FnOnce(&Cancel, &(dyn Fn(&'static str, f64) + Sync)) -> std::result::Result<T, Failure>
    + Send
    + 'static,
) -> Result<T> {
    const PARTS: f64 = 1000.0;
    let told = Arc::new(Mutex::new(("", 0.0)));
    let tell = Arc::clone(&told);
    let mut phase = "";
    let result = thread::run_while(
        move |cancel| {
            work(cancel, &|phase, share| {
                if let Ok(mut told) = tell.lock() {
                    *told = (phase, share);
                }
            })
        },
        || {
            let Ok((now, share)) = told.lock().map(|told| *told) else {
                return;
            };
            if now != phase {
                phase = now;
                progress::start(&format!("{what}: {now}"), PARTS as i64);
            }
            progress::step((share.clamp(0.0, 1.0) * PARTS) as i64);
        },
    )?;
    result.map_err(failure)
}

/// Takes records in by threads.
pub fn intake(none: Records) -> Result<Intake> {
    thread::without_signals(|| Intake::start(none, columns::threads())).map_err(thread::no_thread)
}

/// All records that were taken in.
pub fn taken(intake: Intake) -> Records {
    intake.finish(|| {
        pgrx::check_for_interrupts!();
    })
}

/// What a run may take beside so many bytes that are held for it here.
pub fn limits(second: Option<u32>, beside: usize) -> Limits {
    Limits {
        memory: guc::matching_memory().saturating_sub(beside) as u64,
        threads: columns::threads(),
        second,
    }
}

/// Fails when so many bytes are more than `cdp.matching_memory`; `what` takes them.
pub fn allow(what: &str, bytes: usize) -> Result<()> {
    let allowed = guc::matching_memory();
    if bytes <= allowed {
        return Ok(());
    }
    Err(too_much(format!(
        "{what} take {} MB; {} MB are allowed.",
        bytes.div_ceil(1 << 20),
        allowed >> 20
    )))
}

fn too_much(detail: String) -> Error {
    Error::new(
        PgSqlErrorCode::ERRCODE_CONFIGURATION_LIMIT_EXCEEDED,
        "matching takes more memory than cdp.matching_memory allows",
    )
    .detail(detail)
    .hint("Raise it, if the machine has the memory: SET cdp.matching_memory = '4GB';")
}

pub fn failure(failure: Failure) -> Error {
    match failure {
        Failure::Memory { .. }
        | Failure::Blocking(cdp_engine::matching::blocking::BlockingError::Memory { .. }) => {
            too_much(format!("{failure}."))
        }
        Failure::Cancelled => Error::internal("the engine gave up"),
        failure => Error::invalid(failure.to_string()),
    }
}
