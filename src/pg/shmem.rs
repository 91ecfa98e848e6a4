//! The board in shared memory: which database has which worker, and what takes long. It is there
//! only where the library was preloaded; everything works without it.

use std::sync::atomic::{AtomicBool, Ordering};

use pgrx::prelude::*;
use pgrx::{PGRXSharedMemory, PgLwLock, pg_shmem_init};

use super::latch::Latch;

/// Databases that have a line on the board, at most. Those without pg_cdp give theirs up.
pub const DATABASES: usize = 128;
/// Long tasks on the board, at most.
pub const TASKS: usize = 64;

/// Text of a fixed size, cut at a character when too long.
#[derive(Clone, Copy)]
pub struct Text<const N: usize> {
    length: u16,
    bytes: [u8; N],
}

impl<const N: usize> Text<N> {
    /// No text.
    pub const EMPTY: Self = Self {
        length: 0,
        bytes: [0; N],
    };

    /// As much of `text` as fits.
    pub fn new(text: &str) -> Self {
        let kept = &text[..text.floor_char_boundary(N)];
        let mut new = Self::EMPTY;
        new.bytes[..kept.len()].copy_from_slice(kept.as_bytes());
        new.length = kept.len() as u16;
        new
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.bytes[..usize::from(self.length)]).unwrap_or_default()
    }
}

/// The worker of one database. Times are microseconds since 1970; 0 is never.
#[derive(Clone, Copy)]
pub struct Line {
    /// The database; 0 where the line is free.
    pub database: u32,
    /// The worker's process, 0 without one.
    pub pid: i32,
    /// The worker's latch.
    pub latch: Latch,
    /// A number that the worker area gives meaning to.
    pub state: u8,
    /// Since when it is in that state.
    pub since: i64,
    /// Asked for by somebody since the worker last started.
    pub requested: bool,
    /// When a worker may be started again.
    pub retry_at: i64,
    /// Starts that ended in failure, in a row.
    pub failures: u32,
    /// The newest error, and when.
    pub error: Text<300>,
    /// When the newest error happened.
    pub error_at: i64,
}

impl Line {
    const FREE: Self = Self {
        database: 0,
        pid: 0,
        latch: Latch::NONE,
        state: 0,
        since: 0,
        requested: false,
        retry_at: 0,
        failures: 0,
        error: Text::EMPTY,
        error_at: 0,
    };
}

/// Something that takes long, and how far it is.
#[derive(Clone, Copy)]
pub struct Task {
    /// The process at it; 0 where the entry is free.
    pub pid: i32,
    /// Its database.
    pub database: u32,
    /// What it does.
    pub phase: Text<100>,
    /// How much of it is done.
    pub done: i64,
    /// How much there is; 0 where unknown.
    pub total: i64,
    /// When it began, in microseconds since 1970.
    pub started_at: i64,
}

impl Task {
    /// No task.
    pub const FREE: Self = Self {
        pid: 0,
        database: 0,
        phase: Text::EMPTY,
        done: 0,
        total: 0,
        started_at: 0,
    };
}

/// All of it.
#[derive(Clone, Copy)]
pub struct Board {
    /// The launcher's latch.
    pub launcher: Latch,
    /// A line a database.
    pub lines: [Line; DATABASES],
    /// What takes long, in any database.
    pub tasks: [Task; TASKS],
}

impl Board {
    const EMPTY: Self = Self {
        launcher: Latch::NONE,
        lines: [Line::FREE; DATABASES],
        tasks: [Task::FREE; TASKS],
    };

    /// The line of a database.
    pub fn line(&mut self, database: u32) -> Option<&mut Line> {
        self.lines
            .iter_mut()
            .find(|line| line.database == database && database != 0)
    }

    /// The line of a database, made if need be out of a free one or one that `may_go`.
    pub fn line_or_new(
        &mut self,
        database: u32,
        may_go: impl Fn(&Line) -> bool,
    ) -> Option<&mut Line> {
        let position = |test: &dyn Fn(&Line) -> bool| self.lines.iter().position(test);
        let index = match position(&|line| line.database == database) {
            Some(index) => index,
            None => {
                let index = position(&|line| line.database == 0).or_else(|| position(&may_go))?;
                self.lines[index] = Line {
                    database,
                    ..Line::FREE
                };
                index
            }
        };
        Some(&mut self.lines[index])
    }
}

// SAFETY: plain values without pointers into any process's own memory; `Latch` holds the address of
// a latch in shared memory, which every process maps at the same place.
unsafe impl PGRXSharedMemory for Board {}

// SAFETY: the name is used for no other lock of ours, and is prefixed by our own.
static BOARD: PgLwLock<Board> = unsafe { PgLwLock::new(c"pg_cdp board") };
static PRESENT: AtomicBool = AtomicBool::new(false);

/// Whether the library is being preloaded by the postmaster at this moment.
pub fn preloading() -> bool {
    // SAFETY: reads a global of this process.
    unsafe { pg_sys::process_shared_preload_libraries_in_progress }
}

/// Asks for the memory. Only from `_PG_init`, while preloading.
#[allow(unexpected_cfgs)] // the macro asks for versions that this library does not know
pub fn reserve() {
    pg_shmem_init!(BOARD = Board::EMPTY);
    PRESENT.store(true, Ordering::Relaxed);
}

/// Whether the library was preloaded.
pub fn present() -> bool {
    PRESENT.load(Ordering::Relaxed)
}

/// Reads the board. `body` must be short and raise nothing. `None` where there is no board.
pub fn read<T>(body: impl FnOnce(&Board) -> T) -> Option<T> {
    present().then(|| body(&BOARD.share()))
}

/// Changes the board. `body` must be short and raise nothing. `None` where there is no board.
pub fn write<T>(body: impl FnOnce(&mut Board) -> T) -> Option<T> {
    present().then(|| body(&mut BOARD.exclusive()))
}
