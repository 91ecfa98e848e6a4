//! Background processes: a launcher, which is connected to no database, and a pipeline worker for
//! each database that has pg_cdp. Without preload the same work is done by `cdp.process()`,
//! `CALL cdp.process_all()` and `CALL cdp.run_due_jobs()`.
//!
//! What they know of each other is a board in shared memory, a line a database: [`state`] says what
//! a line can say, [`launcher`] starts workers by it, [`rounds`] is what a worker does, and [`wake`]
//! is how a commit wakes them.

pub mod attempts;
pub mod functions;
pub mod launcher;
pub mod maintenance;
pub mod progress;
pub mod rounds;
pub mod state;
pub mod wake;

use std::time::Duration;

use crate::pg::{process, shmem};

pub use state::{WorkerState, describe};
pub use wake::{announce_installation, wake_worker};

/// Registers the launcher and its board, where the library is preloaded. Called by `_PG_init`.
pub fn register() {
    if shmem::preloading() {
        shmem::reserve();
        process::register("pg_cdp launcher", "pg_cdp_launcher", Duration::from_secs(3));
    }
}
