//! Threads of the engine beside the backend's own.

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
