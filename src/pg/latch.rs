//! Waking a process, and waiting to be woken.

use std::time::Duration;

use pgrx::prelude::*;

/// The latch of a process: an address in shared memory that stays valid, though it may come to
/// belong to another process. Waking the wrong one costs it a look round.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Latch(usize);

impl Latch {
    /// Nobody's.
    pub const NONE: Self = Self(0);

    /// This process's own.
    pub fn own() -> Self {
        // SAFETY: reads a global of this process; a worker's latch is part of its PGPROC, in shared
        // memory, by the time its main function runs.
        Self(unsafe { pg_sys::MyLatch } as usize)
    }

    /// Wakes the process.
    pub fn set(self) {
        if self != Self::NONE {
            // SAFETY: `own` took the address from a process with a PGPROC; the array of these lives
            // as long as the postmaster, and shared memory is mapped at one address everywhere.
            unsafe { pg_sys::SetLatch(self.0 as *mut pg_sys::Latch) }
        }
    }
}

/// Waits to be woken, for `at_most`. Ends the process with the postmaster, or when told to end.
pub fn wait(at_most: Duration) {
    let events = pg_sys::WL_LATCH_SET | pg_sys::WL_TIMEOUT | pg_sys::WL_EXIT_ON_PM_DEATH;
    let milliseconds = at_most.as_millis().clamp(1, 86_400_000) as i64;
    // SAFETY: called by the main loop of a worker, outside any transaction, on its own latch.
    unsafe {
        pg_sys::WaitLatch(
            pg_sys::MyLatch,
            events as i32,
            milliseconds,
            pg_sys::PG_WAIT_EXTENSION,
        );
        pg_sys::ResetLatch(pg_sys::MyLatch);
    }
    pg_sys::check_for_interrupts!();
}
