//! The tree of joins, for every threshold.

use super::linkage::{self, Join};
use super::{Score, ScoredPair, Settings, probability_in_parts};
use crate::background::Cancel;
use crate::matching::blocking::threads;

/// How many records of small components are worked on in one go.
const BATCH: usize = 1 << 12;

/// Which clusters join at which threshold.
#[derive(Debug)]
pub struct Tree {
    len: u32,
    settings: Settings,
    /// The highest first.
    pub(super) joins: Vec<Join>,
    /// Those of at least the lowest threshold.
    pairs: Vec<ScoredPair>,
    /// The sum of the probabilities of all pairs given, in parts.
    pub(super) right: u64,
}

/// Why records stay apart that a pair would join.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// On average, the pairs between their clusters are below the threshold.
    WeakBridge,
    /// Their file has no duplicates, and each cluster a record of it.
    NoDuplicates,
}

/// A pair at or over the threshold whose records stay in clusters apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cut {
    /// The pair.
    pub pair: ScoredPair,
    /// How many records each of the clusters has, that of `a` first.
    pub sizes: [u32; 2],
    /// How many pairs between the two are at or over the threshold.
    pub bridges: u32,
    /// The sum of their weights, in hundredths of a bit.
    pub weight: i64,
    /// Why.
    pub reason: Reason,
}

fn root(parent: &mut [u32], mut record: u32) -> u32 {
    while parent[record as usize] != record {
        let up = parent[parent[record as usize] as usize];
        parent[record as usize] = up;
        record = up;
    }
    record
}

// The lowest record is the root.
fn unite(parent: &mut [u32], a: u32, b: u32) {
    let (a, b) = (root(parent, a), root(parent, b));
    parent[a.max(b) as usize] = a.min(b);
}

struct Component<'a> {
    records: Vec<u32>,
    pairs: &'a [(u32, ScoredPair)],
}

impl Tree {
    /// Joins `len` records by pairs, each given once. `names` tell records apart whatever their order (a
    /// hash of what they say), by which ties are broken. Pairs far below the lowest threshold count as
    /// well as those over it, if they are given. With a scorer, small components have the pairs scored
    /// that no rule found. Nothing is given when it is told to stop.
    pub fn build(
        len: u32,
        pairs: &[ScoredPair],
        names: &[u64],
        score: Option<Score<'_>>,
        settings: &Settings,
        cancel: &Cancel,
    ) -> Option<Self> {
        let mut parent: Vec<u32> = (0..len).collect();
        let strong: Vec<ScoredPair> = pairs
            .iter()
            .filter(|pair| pair.weight >= settings.lowest)
            .copied()
            .collect();
        for pair in &strong {
            unite(&mut parent, pair.a, pair.b);
        }
        let mut by_component: Vec<(u32, ScoredPair)> = Vec::new();
        let mut right = 0;
        for pair in pairs {
            right += probability_in_parts(pair.weight);
            let of_a = root(&mut parent, pair.a);
            if of_a == root(&mut parent, pair.b) {
                by_component.push((of_a, *pair));
            }
        }
        by_component.sort_unstable();
        let components: Vec<Component<'_>> = by_component
            .chunk_by(|a, b| a.0 == b.0)
            .map(|pairs| {
                let mut records: Vec<u32> = pairs
                    .iter()
                    .flat_map(|(_, pair)| [pair.a, pair.b])
                    .collect();
                records.sort_unstable();
                records.dedup();
                Component { records, pairs }
            })
            .collect();
        // Batches of about as much work.
        let mut batches: Vec<&[Component<'_>]> = Vec::new();
        let mut start = 0;
        let mut work = 0;
        for (position, component) in components.iter().enumerate() {
            work += component.records.len();
            if work >= BATCH {
                batches.push(&components[start..=position]);
                start = position + 1;
                work = 0;
            }
        }
        batches.push(&components[start..]);
        let joins = threads::each_of(&batches, settings.threads, |batch| {
            if cancel.is_set() {
                return Vec::new();
            }
            of_batch(batch, names, score, settings)
        });
        if cancel.is_set() {
            return None;
        }
        let mut joins = joins.concat();
        joins.sort_unstable_by_key(|join| (std::cmp::Reverse(join.height), join.pairs, join.right));
        Some(Tree {
            len,
            settings: *settings,
            joins,
            pairs: strong,
            right,
        })
    }

    /// For each record its cluster at a threshold: the lowest record of it.
    pub fn clusters(&self, threshold: i32) -> Vec<u32> {
        let mut parent: Vec<u32> = (0..self.len).collect();
        let count = self.joins.partition_point(|join| join.height >= threshold);
        for join in &self.joins[..count] {
            unite(&mut parent, join.a, join.b);
        }
        (0..self.len)
            .map(|record| root(&mut parent, record))
            .collect()
    }

    /// The pairs at or over a threshold whose records are in clusters apart.
    pub fn cuts(&self, threshold: i32) -> Vec<Cut> {
        let clusters = self.clusters(threshold);
        let is_second =
            |record: u32| usize::from(self.settings.second.is_some_and(|second| record >= second));
        let mut sizes = vec![[0u32; 2]; self.len as usize];
        for record in 0..self.len {
            sizes[clusters[record as usize] as usize][is_second(record)] += 1;
        }
        let mut cut: Vec<([u32; 2], ScoredPair)> = self
            .pairs
            .iter()
            .filter(|pair| pair.weight >= threshold)
            .map(|pair| {
                (
                    [clusters[pair.a as usize], clusters[pair.b as usize]],
                    *pair,
                )
            })
            .filter(|([a, b], _)| a != b)
            .collect();
        cut.sort_unstable_by_key(|([a, b], pair)| (*a.min(b), *a.max(b), pair.a, pair.b));
        cut.chunk_by(|(one, _), (other, _)| {
            (one[0].min(one[1]), one[0].max(one[1]))
                == (other[0].min(other[1]), other[0].max(other[1]))
        })
        .flat_map(|cuts| {
            let weight = cuts.iter().map(|(_, pair)| i64::from(pair.weight)).sum();
            let sizes = &sizes;
            cuts.iter().map(move |([a, b], pair)| {
                let (of_a, of_b) = (sizes[*a as usize], sizes[*b as usize]);
                let refused = (0..2)
                    .any(|side| self.settings.single[side] && of_a[side] > 0 && of_b[side] > 0);
                Cut {
                    pair: *pair,
                    sizes: [of_a.iter().sum(), of_b.iter().sum()],
                    bridges: cuts.len() as u32,
                    weight,
                    reason: if refused {
                        Reason::NoDuplicates
                    } else {
                        Reason::WeakBridge
                    },
                }
            })
        })
        .collect()
    }
}

fn of_batch(
    batch: &[Component<'_>],
    names: &[u64],
    score: Option<Score<'_>>,
    settings: &Settings,
) -> Vec<Join> {
    let mut unknown: Vec<(u32, u32)> = Vec::new();
    let mut counts = Vec::with_capacity(batch.len());
    for component in batch {
        let before = unknown.len();
        if score.is_some() && component.records.len() <= settings.scored_wholly {
            add_unknown(component, &mut unknown);
        }
        counts.push(unknown.len() - before);
    }
    let weights = score.map_or_else(Vec::new, |score| score(&unknown));
    let mut joins = Vec::new();
    let mut start = 0;
    for (component, count) in batch.iter().zip(counts) {
        let records = &component.records;
        let place = |record: u32| records.partition_point(|other| *other < record) as u32;
        let known = component
            .pairs
            .iter()
            .map(|(_, pair)| (place(pair.a), place(pair.b), pair.weight));
        let scored = unknown[start..start + count]
            .iter()
            .zip(&weights[start.min(weights.len())..])
            .map(|((a, b), weight)| (place(*a), place(*b), *weight));
        let pairs: Vec<(u32, u32, i32)> = known.chain(scored).collect();
        let named: Vec<u64> = records
            .iter()
            .map(|record| names.get(*record as usize).copied().unwrap_or(0))
            .collect();
        joins.extend(linkage::joins(records, &named, &pairs, settings));
        start += count;
    }
    joins
}

/// The pairs of a component that are not given.
fn add_unknown(component: &Component<'_>, unknown: &mut Vec<(u32, u32)>) {
    let records = &component.records;
    let all = records.len() * (records.len() - 1) / 2;
    if component.pairs.len() == all {
        return;
    }
    let mut given: Vec<(u32, u32)> = component
        .pairs
        .iter()
        .map(|(_, pair)| (pair.a.min(pair.b), pair.a.max(pair.b)))
        .collect();
    given.sort_unstable();
    for (place, a) in records.iter().enumerate() {
        for b in &records[place + 1..] {
            if given.binary_search(&(*a, *b)).is_err() {
                unknown.push((*a, *b));
            }
        }
    }
}
