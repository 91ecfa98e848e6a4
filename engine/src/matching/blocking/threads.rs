//! Work shared among threads, with results that do not depend on how many there are.

use std::sync::atomic::{AtomicUsize, Ordering};

/// Works on each item, whichever state is free; there are as many threads as states.
pub(crate) fn with_states<I: Sync, S: Send>(
    items: &[I],
    states: &mut [S],
    work: impl Fn(&mut S, usize, &I) + Sync,
) {
    let next = AtomicUsize::new(0);
    let run = |state: &mut S| {
        loop {
            let position = next.fetch_add(1, Ordering::Relaxed);
            match items.get(position) {
                Some(item) => work(state, position, item),
                None => return,
            }
        }
    };
    let Some((first, others)) = states.split_first_mut() else {
        return;
    };
    let wanted = items.len().saturating_sub(1).min(others.len());
    std::thread::scope(|scope| {
        let run = &run;
        let others: Vec<_> = others[..wanted]
            .iter_mut()
            .map(|state| scope.spawn(move || run(state)))
            .collect();
        run(first);
        for other in others {
            if let Err(panic) = other.join() {
                std::panic::resume_unwind(panic);
            }
        }
    });
}

/// Works on each item; the results are in the order of the items.
pub(crate) fn each_of<I: Sync, R: Send>(
    items: &[I],
    threads: usize,
    work: impl Fn(&I) -> R + Sync,
) -> Vec<R> {
    let mut states: Vec<Vec<(usize, R)>> = Vec::new();
    states.resize_with(threads.clamp(1, items.len().max(1)), Vec::new);
    with_states(items, &mut states, |done, position, item| {
        done.push((position, work(item)));
    });
    let mut all: Vec<(usize, R)> = states.into_iter().flatten().collect();
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

    #[test]
    fn each_item_meets_one_state() {
        let items: Vec<usize> = (0..1000).collect();
        for threads in 1..4 {
            let mut sums = vec![0; threads];
            with_states(&items, &mut sums, |sum, position, item| {
                assert_eq!(position, *item);
                *sum += item;
            });
            assert_eq!(sums.iter().sum::<usize>(), 499_500);
        }
    }
}
