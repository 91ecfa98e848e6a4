//! Work shared among threads, with results that do not depend on how many there are.

use std::sync::atomic::{AtomicUsize, Ordering};

/// Works on each item; the results are in the order of the items.
pub(crate) fn each_of<I: Sync, R: Send>(
    items: &[I],
    threads: usize,
    work: impl Fn(&I) -> R + Sync,
) -> Vec<R> {
    let threads = threads.clamp(1, items.len().max(1));
    if threads == 1 {
        return items.iter().map(work).collect();
    }
    let next = AtomicUsize::new(0);
    let run = || {
        let mut done = Vec::new();
        loop {
            let position = next.fetch_add(1, Ordering::Relaxed);
            match items.get(position) {
                Some(item) => done.push((position, work(item))),
                None => return done,
            }
        }
    };
    let mut all: Vec<(usize, R)> = std::thread::scope(|scope| {
        let others: Vec<_> = (1..threads).map(|_| scope.spawn(run)).collect();
        let mut all = run();
        for other in others {
            match other.join() {
                Ok(done) => all.extend(done),
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
        all
    });
    all.sort_unstable_by_key(|(position, _)| *position);
    all.into_iter().map(|(_, result)| result).collect()
}

/// Parts of `0..len`, of about this length.
pub(crate) fn ranges(len: usize, length: usize) -> Vec<std::ops::Range<usize>> {
    let length = length.max(1);
    (0..len)
        .step_by(length)
        .map(|start| start..(start + length).min(len))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_keep_their_order() {
        let items: Vec<usize> = (0..1000).collect();
        for threads in [1, 2, 5] {
            let doubled = each_of(&items, threads, |item| item * 2);
            assert_eq!(
                doubled,
                items.iter().map(|item| item * 2).collect::<Vec<_>>()
            );
        }
        assert_eq!(each_of(&[], 3, |item: &u8| *item), [0u8; 0]);
        assert_eq!(ranges(5, 2), [0..2, 2..4, 4..5]);
        assert_eq!(ranges(0, 2), [0..0; 0]);
    }
}
