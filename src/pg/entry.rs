//! What the postmaster calls by name in a new background process.

use pgrx::prelude::*;

/// The launcher.
#[pg_guard]
#[unsafe(no_mangle)]
pub extern "C-unwind" fn pg_cdp_launcher(_argument: pg_sys::Datum) {
    crate::worker::launcher::main();
}

/// The pipeline worker of a database.
#[pg_guard]
#[unsafe(no_mangle)]
pub extern "C-unwind" fn pg_cdp_worker(database: pg_sys::Datum) {
    crate::worker::rounds::main(database.value() as u32);
}

/// A process that runs the jobs of a database that are due.
#[pg_guard]
#[unsafe(no_mangle)]
pub extern "C-unwind" fn pg_cdp_jobs(database: pg_sys::Datum) {
    crate::jobs::runner::main(database.value() as u32);
}
