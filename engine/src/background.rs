//! Work in a thread of its own, while the caller stays free to be interrupted.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread::JoinHandle;
use std::time::Duration;

/// Whether the caller still wants the result.
#[derive(Clone, Debug, Default)]
pub struct Cancel(Arc<AtomicBool>);

impl Cancel {
    /// Whether to give up. Asked every few milliseconds of work.
    pub fn is_set(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    /// Says that nobody wants the result any more.
    pub fn set(&self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// A piece of work under way. Dropped, it is told to give up, and nobody waits for it.
pub struct Task<T> {
    cancel: Cancel,
    result: Receiver<T>,
    thread: Option<JoinHandle<()>>,
}

impl<T: Send + 'static> Task<T> {
    /// Starts it.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub fn start(work: impl FnOnce(&Cancel) -> T + Send + 'static) -> std::io::Result<Self> {
        let cancel = Cancel::default();
        let (finished, result) = channel();
        let given = cancel.clone();
        let thread = std::thread::Builder::new()
            .name("cdp engine".to_owned())
            .spawn(move || {
                let _ = finished.send(work(&given));
            })?;
        Ok(Task {
            cancel,
            result,
            thread: Some(thread),
        })
    }

    /// Waits for the result; calls `meanwhile` ten times a second, which may panic to give up.
    pub fn finish(mut self, mut meanwhile: impl FnMut()) -> T {
        loop {
            match self.result.recv_timeout(Duration::from_millis(100)) {
                Ok(result) => return result,
                Err(RecvTimeoutError::Timeout) => meanwhile(),
                // It ended without a result: a fault of ours, raised here.
                Err(RecvTimeoutError::Disconnected) => {
                    match self.thread.take().map(JoinHandle::join) {
                        Some(Err(panic)) => std::panic::resume_unwind(panic),
                        _ => unreachable!("a thread ends with a result or a panic"),
                    }
                }
            }
        }
    }
}

impl<T> Drop for Task<T> {
    fn drop(&mut self) {
        self.cancel.set();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gives_its_result_and_calls_meanwhile() {
        let (go, wait) = channel::<()>();
        let task = Task::start(move |_| wait.recv().map(|()| 42)).expect("a thread");
        let mut go = Some(go);
        let result = task.finish(|| {
            if let Some(go) = go.take() {
                go.send(()).expect("it waits");
            }
        });
        assert_eq!(result, Ok(42));
    }

    #[test]
    fn is_told_when_nobody_waits_any_more() {
        let (ended, wait) = channel();
        let task = Task::start(move |cancel| {
            while !cancel.is_set() {
                std::thread::yield_now();
            }
            ended.send(()).expect("the test waits");
        });
        drop(task);
        assert_eq!(wait.recv(), Ok(()));
    }

    #[test]
    #[should_panic(expected = "as it fell")]
    fn a_panic_is_passed_on() {
        Task::start(|_| panic!("as it fell"))
            .expect("a thread")
            .finish(|| ())
    }
}
