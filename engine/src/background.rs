//! Work in a thread of its own, while the caller stays free to be interrupted.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, channel, sync_channel};
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

/// Work whose results come one after the other: the next is worked out while the last is looked at, no more
/// than one ahead. Dropped, it is told to give up.
pub struct Stream<T> {
    results: Receiver<T>,
    task: Option<Task<()>>,
}

/// Where results go.
pub struct Results<T>(SyncSender<T>);

impl<T> Results<T> {
    /// Gives one, when it is wanted; whether somebody still wants more.
    pub fn give(&self, result: T) -> bool {
        self.0.send(result).is_ok()
    }
}

impl<T: Send + 'static> Stream<T> {
    /// Starts it.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub fn start(
        work: impl FnOnce(&Cancel, &Results<T>) + Send + 'static,
    ) -> std::io::Result<Self> {
        let (give, results) = sync_channel(0);
        let task = Task::start(move |cancel| work(cancel, &Results(give)))?;
        Ok(Stream {
            results,
            task: Some(task),
        })
    }

    /// The next result, none after the last; calls `meanwhile` as [`Task::finish`] does.
    pub fn next(&mut self, mut meanwhile: impl FnMut()) -> Option<T> {
        loop {
            match self.results.recv_timeout(Duration::from_millis(100)) {
                Ok(result) => return Some(result),
                Err(RecvTimeoutError::Timeout) => meanwhile(),
                Err(RecvTimeoutError::Disconnected) => {
                    if let Some(task) = self.task.take() {
                        task.finish(meanwhile);
                    }
                    return None;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gives_one_result_after_the_other() {
        let mut stream = Stream::start(|_, results| {
            assert!((0..3).all(|n| results.give(n)));
        })
        .expect("a thread");
        let given: Vec<i32> = std::iter::from_fn(|| stream.next(|| ())).collect();
        assert_eq!(given, [0, 1, 2]);
        assert_eq!(stream.next(|| ()), None);
    }

    #[test]
    fn nobody_wants_more_of_what_is_dropped() {
        let (ended, wait) = channel();
        let mut stream = Stream::start(move |cancel, results| {
            while results.give(()) {}
            ended.send(cancel.is_set()).expect("the test waits");
        })
        .expect("a thread");
        assert_eq!(stream.next(|| ()), Some(()));
        drop(stream);
        assert!(wait.recv().is_ok());
    }

    #[test]
    #[should_panic(expected = "as it fell")]
    fn a_panic_among_results_is_passed_on() {
        let mut stream = Stream::<()>::start(|_, _| panic!("as it fell")).expect("a thread");
        stream.next(|| ());
    }

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
