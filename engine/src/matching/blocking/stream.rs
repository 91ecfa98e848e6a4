//! The pairs of blocks, each once, a chunk at a time, on several threads.
//!
//! A pair belongs to its lower record, and records are taken piece by piece. Block after block is read, and
//! each of its pairs put where the pairs of its piece are gathered; then a piece is sorted, and a
//! pair that several rules give has become neighbours. So pairs come by record, and nothing of a
//! record has to be looked up. Where the pairs of all pieces would take too much memory, blocks are
//! read several times, for some of the pieces each time.

use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};

use super::blocks::{Blocks, Members};
use super::threads;
use crate::background::Cancel;

/// How many pairs a piece has, those of several rules counted several times, and how many a chunk may hold.
const PIECE: u64 = 1 << 15;
/// How many records' pairs are counted together: two to the power of this.
const TOGETHER: u32 = 4;
/// How many records a piece may hold.
const MOST_RECORDS: u32 = 1 << 26;
/// How many records of blocks are read in one go.
const READ: u32 = 1 << 16;
/// Of the memory allowed, pairs may take this part.
const PAIRS: u64 = 8;
/// What a pair takes while it is gathered: twice its size, for lists grow by doubling.
const EACH: u64 = 16;

/// Pairs, by their lower record, then the higher.
#[derive(Clone, Copy, Debug)]
pub struct Chunk<'a> {
    /// Orders chunks whatever threads made them. Those of one number come one after the other from the
    /// same thread.
    pub number: u32,
    /// Records, the lower one first.
    pub pairs: &'a [(u32, u32)],
    /// For each of them, which rules have it in a block: the lowest bit for the first.
    pub rules: &'a [u64],
}

/// Records whose pairs are gathered together.
#[derive(Clone, Copy)]
struct Piece {
    from: u32,
    to: u32,
    pairs: u64,
}

/// Blocks of a rule.
struct Slice {
    rule: usize,
    blocks: Range<usize>,
}

/// What a thread works with.
struct Worker<S> {
    state: S,
    gathered: Vec<u64>,
    pairs: Vec<(u32, u32)>,
    rules: Vec<u64>,
}

impl Blocks {
    /// Streams every pair once. Each of the threads has a state, to which it adds its chunks; the states
    /// are given back, in no order, or nothing when it was told to stop. `done` counts pairs, up to
    /// [`pairs`](Self::pairs).
    pub fn stream<S: Send>(
        &self,
        threads: usize,
        cancel: &Cancel,
        done: &AtomicU64,
        start: impl Fn() -> S,
        add: impl Fn(&mut S, Chunk<'_>) + Sync,
    ) -> Option<Vec<S>> {
        let threads = threads.max(1);
        let slices = self.slices();
        let pieces = self.pieces(&slices, threads);
        let place = places(&pieces, self.len);
        let mut workers: Vec<Worker<S>> = (0..threads)
            .map(|_| Worker {
                state: start(),
                gathered: Vec::new(),
                pairs: Vec::new(),
                rules: Vec::new(),
            })
            .collect();
        // By thread, and by piece of those in hand.
        let mut lists: Vec<Vec<Vec<u64>>> = vec![Vec::new(); threads];
        let memory = (self.allowed / PAIRS).min(self.allowed.saturating_sub(self.memory()) / 2);
        let most = memory / EACH;
        let mut first = 0;
        while first < pieces.len() {
            let mut pairs = 0;
            let fitting = pieces[first..].iter().take_while(|piece| {
                pairs += piece.pairs;
                pairs <= most
            });
            let in_hand = &pieces[first..first + fitting.count().max(1)];
            for lists in &mut lists {
                lists.resize_with(lists.len().max(in_hand.len()), Vec::new);
                lists.iter_mut().for_each(Vec::clear);
            }
            let span = in_hand[0].from..in_hand[in_hand.len() - 1].to;
            threads::with_states(&slices, &mut lists, |lists, _, slice| {
                if cancel.is_set() {
                    return;
                }
                self.rows(slice, &span, |a, others| {
                    let position = place[(a >> TOGETHER) as usize] as usize;
                    let row = u64::from(a - pieces[position].from) << 38 | slice.rule as u64;
                    lists[position - first].extend(others.iter().map(|b| row | u64::from(*b) << 6));
                });
            });
            threads::with_states(in_hand, &mut workers, |worker, position, piece| {
                if cancel.is_set() {
                    return;
                }
                worker.gathered.clear();
                for lists in &lists {
                    worker.gathered.extend_from_slice(&lists[position]);
                }
                worker.sort(piece.from);
                let number = (first + position) as u32;
                let chunks = worker.pairs.chunks(PIECE as usize);
                for (pairs, rules) in chunks.zip(worker.rules.chunks(PIECE as usize)) {
                    add(
                        &mut worker.state,
                        Chunk {
                            number,
                            pairs,
                            rules,
                        },
                    );
                }
                done.fetch_add(piece.pairs, Ordering::Relaxed);
            });
            if cancel.is_set() {
                return None;
            }
            first += in_hand.len();
        }
        Some(workers.into_iter().map(|worker| worker.state).collect())
    }

    /// All blocks, in parts of about the same size.
    fn slices(&self) -> Vec<Slice> {
        let mut slices = Vec::new();
        for (rule, Members { ends, .. }) in self.members.iter().enumerate() {
            let mut start = 0;
            while start < ends.len() {
                let before = if start == 0 { 0 } else { ends[start - 1] };
                let more = ends[start..].partition_point(|end| end - before < READ) + 1;
                let end = (start + more).min(ends.len());
                slices.push(Slice {
                    rule,
                    blocks: start..end,
                });
                start = end;
            }
        }
        slices
    }

    /// Gives each record within a span that is the lower one of pairs of these blocks, and the higher
    /// ones.
    fn rows(&self, slice: &Slice, span: &Range<u32>, mut give: impl FnMut(u32, &[u32])) {
        let members = &self.members[slice.rule];
        for block in slice.blocks.clone() {
            let records = members.of(block);
            let second = self
                .second
                .map(|second| records.partition_point(|record| *record < second));
            let rows = &records[..second.unwrap_or(records.len() - 1)];
            for (row, a) in rows.iter().enumerate() {
                if span.contains(a) {
                    give(*a, &records[second.unwrap_or(row + 1)..]);
                }
            }
        }
    }

    /// All records, in pieces of about as many pairs.
    fn pieces(&self, slices: &[Slice], threads: usize) -> Vec<Piece> {
        let groups = (self.len as usize >> TOGETHER) + 1;
        let mut counts = vec![vec![0u64; groups]; threads];
        threads::with_states(slices, &mut counts, |counts, _, slice| {
            self.rows(slice, &(0..self.len), |a, others| {
                counts[(a >> TOGETHER) as usize] += others.len() as u64;
            });
        });
        let mut pieces: Vec<Piece> = Vec::new();
        for group in 0..groups {
            let pairs = counts.iter().map(|counts| counts[group]).sum();
            let from = (group << TOGETHER) as u32;
            let to = self.len.min(from + (1 << TOGETHER));
            match pieces.last_mut() {
                Some(piece) if piece.pairs + pairs <= PIECE && to - piece.from < MOST_RECORDS => {
                    piece.to = to;
                    piece.pairs += pairs;
                }
                _ => pieces.push(Piece { from, to, pairs }),
            }
        }
        pieces.retain(|piece| piece.pairs > 0);
        pieces
    }
}

/// For each group of records, the piece that holds it.
fn places(pieces: &[Piece], len: u32) -> Vec<u32> {
    let mut places = vec![0; (len as usize >> TOGETHER) + 1];
    for (piece, position) in pieces.iter().zip(0..) {
        let groups = piece.from as usize >> TOGETHER..piece.to.div_ceil(1 << TOGETHER) as usize;
        places[groups].fill(position);
    }
    places
}

impl<S> Worker<S> {
    /// Sorts what is gathered: each pair once, with all its rules.
    fn sort(&mut self, from: u32) {
        self.gathered.sort_unstable();
        self.pairs.clear();
        self.rules.clear();
        let mut last = u64::MAX;
        for number in &self.gathered {
            let rule = 1 << (number & 63);
            if number >> 6 == last {
                if let Some(rules) = self.rules.last_mut() {
                    *rules |= rule;
                }
                continue;
            }
            last = number >> 6;
            self.pairs
                .push((from + (number >> 38) as u32, (number >> 6) as u32));
            self.rules.push(rule);
        }
    }
}
