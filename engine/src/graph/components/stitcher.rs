//! A forest that grows in a thread of its own, while links are being read.

use std::sync::mpsc::{
    Receiver, RecvTimeoutError, SyncSender, TryRecvError, channel, sync_channel,
};
use std::thread::JoinHandle;
use std::time::Duration;

use super::{Batch, Forest, TooLarge};

/// Batches that wait at most: reading waits for the forest, so that what is read takes no memory.
const WAITING: usize = 4;

enum Message<F: Forest> {
    Join(F::Links),
    Finish,
}

/// Joins links in a thread of its own. Dropped before its end, the thread ends
/// after the batches that wait, some milliseconds, and nobody waits for it.
pub struct Stitcher<F: Forest> {
    batches: SyncSender<Message<F>>,
    /// Batches to be filled again.
    used: Receiver<F::Links>,
    result: Receiver<Result<F, TooLarge>>,
    thread: Option<JoinHandle<()>>,
}

impl<F: Forest> Stitcher<F> {
    /// Starts the thread.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub fn start(mut forest: F) -> std::io::Result<Self> {
        let (batches, to_join) = sync_channel::<Message<F>>(WAITING);
        let (give_back, used) = channel();
        let (finished, result) = channel();
        let thread = std::thread::Builder::new()
            .name("cdp stitcher".to_owned())
            .spawn(move || {
                // Without a word that it is to finish, nobody wants the result.
                for message in to_join {
                    let joined = match message {
                        Message::Join(links) => forest.join(&links).map(|()| {
                            let _ = give_back.send(links);
                        }),
                        Message::Finish => {
                            forest.name();
                            let _ = finished.send(Ok(forest));
                            return;
                        }
                    };
                    if let Err(error) = joined {
                        // The queue ends with the thread: so the reader learns of it.
                        let _ = finished.send(Err(error));
                        return;
                    }
                }
            })?;
        Ok(Stitcher {
            batches,
            used,
            result,
            thread: Some(thread),
        })
    }

    /// Joins these links; gives an empty batch for the next. Waits while others wait.
    ///
    /// # Errors
    /// When memory ran out.
    pub fn send(&mut self, links: F::Links) -> Result<F::Links, TooLarge> {
        if self.batches.send(Message::Join(links)).is_err() {
            return match self.result.recv() {
                Ok(Err(error)) => Err(error),
                _ => self.fell(),
            };
        }
        Ok(match self.used.try_recv() {
            Ok(mut links) => {
                links.clear();
                links
            }
            Err(TryRecvError::Empty | TryRecvError::Disconnected) => F::Links::default(),
        })
    }

    /// Waits for the forest, and names its components; calls `meanwhile` ten times a second.
    ///
    /// # Errors
    /// When memory ran out.
    pub fn finish(mut self, mut meanwhile: impl FnMut()) -> Result<F, TooLarge> {
        // Where the thread has ended, the result says why.
        let _ = self.batches.send(Message::Finish);
        loop {
            match self.result.recv_timeout(Duration::from_millis(100)) {
                Ok(result) => return result,
                Err(RecvTimeoutError::Timeout) => meanwhile(),
                Err(RecvTimeoutError::Disconnected) => return self.fell(),
            }
        }
    }

    /// The thread ended without a result: a fault of ours, raised here.
    fn fell<T>(&mut self) -> T {
        match self.thread.take().map(JoinHandle::join) {
            Some(Err(panic)) => std::panic::resume_unwind(panic),
            _ => unreachable!("the thread ends with a result or a panic"),
        }
    }
}
