//! Threads of the engine beside the backend's own.

use cdp_engine::background::{Cancel, Results, Stream, Task};
use pgrx::PgSqlErrorCode;

use super::{Error, Result};

/// Runs `body`, which starts threads, so that they get none of this process's signals: PostgreSQL's
/// handlers may only run on the backend's own thread.
pub fn without_signals<T>(body: impl FnOnce() -> T) -> T {
    struct Restore(libc::sigset_t);
    impl Drop for Restore {
        fn drop(&mut self) {
            // SAFETY: the mask that this thread had before.
            unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, &self.0, std::ptr::null_mut()) };
        }
    }
    // SAFETY: plain sets of signals on the stack; a new thread inherits the mask of the one that
    // starts it. Signals that arrive meanwhile wait.
    let _restore = unsafe {
        let mut all = std::mem::zeroed();
        let mut before = Restore(std::mem::zeroed());
        libc::sigfillset(&mut all);
        libc::pthread_sigmask(libc::SIG_SETMASK, &all, &mut before.0);
        before
    };
    body()
}

/// Runs work of the engine in a thread, and waits for it; a cancel is followed within a tenth of a
/// second.
pub fn run<T: Send + 'static>(work: impl FnOnce(&Cancel) -> T + Send + 'static) -> Result<T> {
    run_while(work, || {})
}

/// The same; calls `meanwhile` ten times a second.
pub fn run_while<T: Send + 'static>(
    work: impl FnOnce(&Cancel) -> T + Send + 'static,
    mut meanwhile: impl FnMut(),
) -> Result<T> {
    let task = without_signals(|| Task::start(work)).map_err(no_thread)?;
    Ok(task.finish(|| {
        pgrx::check_for_interrupts!();
        meanwhile();
    }))
}

/// Starts work of the engine in a thread, whose results are taken by [`next`].
pub fn stream<T: Send + 'static>(
    work: impl FnOnce(&Cancel, &Results<T>) + Send + 'static,
) -> Result<Stream<T>> {
    without_signals(|| Stream::start(work)).map_err(no_thread)
}

/// Waits for the next result, none after the last; a cancel is followed within a tenth of a second.
pub fn next<T: Send + 'static>(stream: &mut Stream<T>) -> Option<T> {
    stream.next(|| {
        pgrx::check_for_interrupts!();
    })
}

/// The error when the system gives no thread.
pub fn no_thread(error: std::io::Error) -> Error {
    Error::new(
        PgSqlErrorCode::ERRCODE_INSUFFICIENT_RESOURCES,
        format!("no thread to compute in: {error}"),
    )
}
