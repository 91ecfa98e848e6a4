//! The pairs of blocks, each once, a chunk at a time, on several threads.

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};

use super::blocks::{Blocks, MANY, Members, pairs_of};
use crate::background::Cancel;

/// How many pairs a piece of work has before those given by earlier rules are left out, and how many
/// a chunk may hold.
const PIECE: u64 = 1 << 15;

/// Pairs that one rule gives.
#[derive(Clone, Copy, Debug)]
pub struct Chunk<'a> {
    /// Orders chunks whatever threads made them. Those of one number come one after the other from the
    /// same thread.
    pub number: u32,
    /// The position of the rule.
    pub rule: u16,
    /// Records, the lower one first.
    pub pairs: &'a [(u32, u32)],
}

/// Where a piece of work begins: a block of a rule, and the record in it.
#[derive(Clone, Copy)]
struct Piece {
    rule: u16,
    block: u32,
    row: u32,
}

impl Blocks {
    /// Streams every pair once. Each of the threads makes a state, to which it adds its chunks; the states
    /// are given back, in no order, or nothing when it was told to stop. `done` counts pairs, up to
    /// [`pairs`](Self::pairs).
    pub fn stream<S: Send>(
        &self,
        threads: usize,
        cancel: &Cancel,
        done: &AtomicU64,
        start: impl Fn() -> S + Sync,
        add: impl Fn(&mut S, Chunk<'_>) + Sync,
    ) -> Option<Vec<S>> {
        let pieces = self.pieces();
        let next = AtomicUsize::new(0);
        let stopped = AtomicBool::new(false);
        let run = || {
            let mut state = start();
            let mut pairs = Vec::with_capacity(PIECE as usize);
            loop {
                let position = next.fetch_add(1, Ordering::Relaxed);
                let Some(piece) = pieces.get(position) else {
                    return state;
                };
                if cancel.is_set() {
                    stopped.store(true, Ordering::Relaxed);
                    return state;
                }
                let seen = self.work(*piece, pieces.get(position + 1), &mut pairs, |pairs| {
                    add(
                        &mut state,
                        Chunk {
                            number: position as u32,
                            rule: piece.rule,
                            pairs,
                        },
                    );
                });
                done.fetch_add(seen, Ordering::Relaxed);
            }
        };
        let states = std::thread::scope(|scope| {
            let others: Vec<_> = (1..threads.clamp(1, pieces.len().max(1)))
                .map(|_| scope.spawn(run))
                .collect();
            let mut states = vec![run()];
            for other in others {
                match other.join() {
                    Ok(state) => states.push(state),
                    Err(panic) => std::panic::resume_unwind(panic),
                }
            }
            states
        });
        (!stopped.into_inner()).then_some(states)
    }

    /// The first records of a block that go with later ones, and where those begin.
    fn rows(&self, block: &[u32]) -> (usize, Option<usize>) {
        match self.second {
            None => (block.len() - 1, None),
            Some(second) => {
                let first = block.partition_point(|record| *record < second);
                (first, Some(first))
            }
        }
    }

    fn pieces(&self) -> Vec<Piece> {
        let mut pieces = Vec::new();
        for (rule, members) in self.members.iter().enumerate() {
            // The first block of a rule begins a piece.
            let mut pairs = PIECE;
            for block in 0..members.ends.len() {
                let records = members.of(block);
                let (rows, second) = self.rows(records);
                let all = match second {
                    None => pairs_of(records.len() as u64),
                    Some(second) => (second * (records.len() - second)) as u64,
                };
                let mut begin = |row: usize| {
                    pieces.push(Piece {
                        rule: rule as u16,
                        block: block as u32,
                        row: row as u32,
                    });
                };
                if pairs + all <= PIECE {
                    pairs += all;
                    continue;
                }
                begin(0);
                pairs = 0;
                if all <= PIECE {
                    pairs = all;
                    continue;
                }
                for row in 0..rows {
                    let of_row = (records.len() - second.unwrap_or(row + 1)) as u64;
                    if pairs > 0 && pairs + of_row > PIECE {
                        begin(row);
                        pairs = 0;
                    }
                    pairs += of_row;
                }
            }
        }
        pieces
    }

    fn work(
        &self,
        piece: Piece,
        end: Option<&Piece>,
        pairs: &mut Vec<(u32, u32)>,
        mut give: impl FnMut(&[(u32, u32)]),
    ) -> u64 {
        let rule = usize::from(piece.rule);
        let members: &Members = &self.members[rule];
        let several = &self.several[..self.several.partition_point(|other| *other <= rule)];
        let (last_block, last_row) = match end.filter(|end| end.rule == piece.rule) {
            Some(end) => (end.block as usize, end.row as usize),
            None => (members.ends.len(), 0),
        };
        let mut seen = 0;
        let mut block = piece.block as usize;
        let mut row = piece.row as usize;
        while (block, row) < (last_block, last_row) {
            let records = members.of(block);
            let (mut rows, second) = self.rows(records);
            if block == last_block {
                rows = rows.min(last_row);
            }
            let number = block as u32 + 1;
            for row in row..rows {
                let a = records[row];
                let row_a = self.row(a);
                let others = &records[second.unwrap_or(row + 1)..];
                seen += others.len() as u64;
                for b in others {
                    let row_b = self.row(*b);
                    let earlier = row_a[..rule]
                        .iter()
                        .zip(&row_b[..rule])
                        .fold(false, |found, (a, b)| found | ((a == b) & (*a != 0)));
                    if earlier || self.shared_earlier(several, rule, number, row_a, row_b) {
                        continue;
                    }
                    pairs.push((a, *b));
                    if pairs.len() == PIECE as usize {
                        give(pairs);
                        pairs.clear();
                    }
                }
            }
            if block == last_block {
                break;
            }
            block += 1;
            row = 0;
        }
        if !pairs.is_empty() {
            give(pairs);
            pairs.clear();
        }
        seen
    }

    /// Whether a rule with several keys a record has given the pair: an earlier one, or this one by
    /// an earlier block.
    fn shared_earlier(
        &self,
        several: &[usize],
        rule: usize,
        number: u32,
        row_a: &[u32],
        row_b: &[u32],
    ) -> bool {
        several.iter().any(|other| {
            let (a, b) = (row_a[*other], row_b[*other]);
            (a | b) & MANY != 0
                && match self.shared(a, b) {
                    Some(shared) => *other < rule || shared < number,
                    None => false,
                }
        })
    }
}
