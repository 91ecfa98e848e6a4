//! The tree of joins, for every threshold.

use super::linkage::{Join, LARGE, Linkage};
use super::{Error, Naming, Score, ScoredPair, Settings, probability_in_parts};
use crate::background::Cancel;
use crate::matching::blocking::threads;

/// How many records of components are worked on in one go.
const BATCH: usize = 1 << 12;

/// Which clusters join at which threshold.
#[derive(Debug)]
pub struct Tree {
    len: u32,
    /// The highest first.
    pub(super) joins: Vec<Join>,
    /// The sum of the probabilities of all pairs given, in parts.
    pub(super) right: u64,
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

/// The components of several records.
struct Components {
    /// Their records, component after component, ascending in each.
    records: Vec<u32>,
    /// Their pairs, in the same order of components.
    pairs: Vec<ScoredPair>,
    /// Where each ends in both.
    ends: Vec<(u32, usize)>,
    /// Of each record its place in its component.
    place: Vec<u32>,
    /// The sum of the probabilities of pairs that are in none, in parts.
    right: u64,
}

#[derive(Clone, Copy)]
struct Component<'a> {
    records: &'a [u32],
    pairs: &'a [ScoredPair],
}

/// In no component.
const ALONE: u32 = u32::MAX;

impl Components {
    fn of(
        len: u32,
        pairs: impl Iterator<Item = ScoredPair> + Clone,
        settings: &Settings,
        cancel: &Cancel,
    ) -> Result<Self, Error> {
        let stopped = || match cancel.is_set() {
            true => Err(Error::Cancelled),
            false => Ok(()),
        };
        // Four numbers a record while components are told apart.
        let needed = 16 * u64::from(len);
        allow(needed, settings)?;
        let mut parent: Vec<u32> = (0..len).collect();
        for pair in pairs.clone() {
            if pair.weight >= settings.lowest {
                unite(&mut parent, pair.a, pair.b);
            }
        }
        stopped()?;
        // How many records each root has, then which component it is.
        let mut of_root = vec![0u32; len as usize];
        for record in 0..len {
            let root = root(&mut parent, record);
            parent[record as usize] = root;
            of_root[root as usize] += 1;
        }
        let mut ends: Vec<(u32, usize)> = Vec::new();
        let mut records = 0;
        for size in &mut of_root {
            if *size > 1 {
                records += *size;
                *size = ends.len() as u32;
                ends.push((records, 0));
            } else {
                *size = ALONE;
            }
        }
        let component = |record: u32| of_root[parent[record as usize] as usize] as usize;
        stopped()?;
        let mut right = 0;
        for pair in pairs.clone() {
            let of_a = component(pair.a);
            if of_a != ALONE as usize && of_a == component(pair.b) {
                ends[of_a].1 += 1;
            } else {
                right += probability_in_parts(pair.weight);
            }
        }
        let mut largest: Vec<usize> = Vec::new();
        let mut total = 0;
        for (_, end) in &mut ends {
            largest.push(*end);
            total += *end;
            *end = total;
        }
        largest.sort_unstable_by(|a, b| b.cmp(a));
        let in_hand: usize = largest.iter().take(settings.threads.max(1)).sum();
        let needed = needed
            + size_of_val(&ends[..]) as u64
            + total as u64 * size_of::<ScoredPair>() as u64
            + u64::from(records) * size_of::<Join>() as u64
            + in_hand as u64 * LARGE;
        allow(needed, settings)?;
        drop(largest);
        let mut next: Vec<(u32, usize)> = Vec::with_capacity(ends.len());
        next.push((0, 0));
        next.extend(&ends[..ends.len().saturating_sub(1)]);
        stopped()?;
        let mut by_component = vec![ScoredPair::default(); total];
        for pair in pairs {
            let of_a = component(pair.a);
            if of_a != ALONE as usize && of_a == component(pair.b) {
                by_component[next[of_a].1] = pair;
                next[of_a].1 += 1;
            }
        }
        stopped()?;
        let mut in_order = vec![0; records as usize];
        let mut place = vec![0; len as usize];
        for record in 0..len {
            let of = component(record);
            if of != ALONE as usize {
                let start = if of == 0 { 0 } else { ends[of - 1].0 };
                in_order[next[of].0 as usize] = record;
                place[record as usize] = next[of].0 - start;
                next[of].0 += 1;
            }
        }
        Ok(Components {
            records: in_order,
            pairs: by_component,
            ends,
            place,
            right,
        })
    }

    fn get(&self, component: usize) -> Component<'_> {
        let start = match component {
            0 => (0, 0),
            _ => self.ends[component - 1],
        };
        let end = self.ends[component];
        Component {
            records: &self.records[start.0 as usize..end.0 as usize],
            pairs: &self.pairs[start.1..end.1],
        }
    }

    /// Batches of about as much work: where each begins and ends.
    fn batches(&self) -> Vec<std::ops::Range<usize>> {
        let mut batches = Vec::new();
        let (mut start, mut before) = (0, 0);
        for (component, &(end, _)) in self.ends.iter().enumerate() {
            if (end - before) as usize >= BATCH {
                batches.push(start..component + 1);
                (start, before) = (component + 1, end);
            }
        }
        batches.push(start..self.ends.len());
        batches
    }
}

fn allow(needed: u64, settings: &Settings) -> Result<(), Error> {
    match needed <= settings.memory {
        true => Ok(()),
        false => Err(Error::Memory {
            needed,
            allowed: settings.memory,
        }),
    }
}

impl Tree {
    /// Joins `len` records by pairs, each given once. `naming` breaks ties. Pairs
    /// far below the lowest threshold count as well as those over it, if they are given. With a scorer, small
    /// components have the pairs scored that no rule found.
    ///
    /// # Errors
    /// When it is told to stop, and before it takes more memory than the settings allow.
    pub fn build(
        len: u32,
        pairs: impl Iterator<Item = ScoredPair> + Clone,
        naming: &dyn Naming,
        score: Option<Score<'_>>,
        settings: &Settings,
        cancel: &Cancel,
    ) -> Result<Self, Error> {
        let components = Components::of(len, pairs, settings, cancel)?;
        let batches = components.batches();
        let found = threads::each_of(&batches, settings.threads, |batch| {
            if cancel.is_set() {
                return (Vec::new(), 0);
            }
            of_batch(&components, batch.clone(), naming, score, settings)
        });
        if cancel.is_set() {
            return Err(Error::Cancelled);
        }
        let mut right = components.right;
        let mut joins: Vec<Join> =
            Vec::with_capacity(found.iter().map(|(joins, _)| joins.len()).sum());
        for (of_batch, of_pairs) in found {
            joins.extend(of_batch);
            right += of_pairs;
        }
        joins.sort_unstable_by_key(|join| (std::cmp::Reverse(join.height), join.pairs, join.right));
        Ok(Tree { len, joins, right })
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
}

/// The joins of some components, and the sum of the probabilities of their pairs.
fn of_batch(
    components: &Components,
    batch: std::ops::Range<usize>,
    naming: &dyn Naming,
    score: Option<Score<'_>>,
    settings: &Settings,
) -> (Vec<Join>, u64) {
    let mut unknown: Vec<(u32, u32)> = Vec::new();
    let mut counts = Vec::with_capacity(batch.len());
    let mut given = Vec::new();
    for component in batch.clone() {
        let component = components.get(component);
        let before = unknown.len();
        if score.is_some() && component.records.len() <= settings.scored_wholly {
            component.unknown(&components.place, &mut given, &mut unknown);
        }
        counts.push(unknown.len() - before);
    }
    let weights = score.map_or_else(Vec::new, |score| score(&unknown));
    let mut scored = unknown.iter().zip(weights);
    let mut joins = Vec::new();
    let mut right = 0;
    let mut linkage = Linkage::new(settings);
    let mut pairs: Vec<(u32, u32, i32)> = Vec::new();
    let place = |record: u32| components.place[record as usize];
    for (component, count) in batch.zip(counts) {
        let component = components.get(component);
        pairs.clear();
        for pair in component.pairs {
            pairs.push((place(pair.a), place(pair.b), pair.weight));
            right += probability_in_parts(pair.weight);
        }
        let scored = scored.by_ref().take(count);
        pairs.extend(scored.map(|(&(a, b), weight)| (place(a), place(b), weight)));
        linkage.joins(component.records, naming, &pairs, &mut joins);
    }
    (joins, right)
}

impl Component<'_> {
    /// Adds the pairs that are not given.
    fn unknown(&self, place: &[u32], given: &mut Vec<bool>, unknown: &mut Vec<(u32, u32)>) {
        let len = self.records.len();
        if self.pairs.len() == len * (len - 1) / 2 {
            return;
        }
        given.clear();
        given.resize(len * len, false);
        for pair in self.pairs {
            let (a, b) = (place[pair.a as usize], place[pair.b as usize]);
            given[a.min(b) as usize * len + a.max(b) as usize] = true;
        }
        for (at, &a) in self.records.iter().enumerate() {
            for (other, &b) in self.records.iter().enumerate().skip(at + 1) {
                if !given[at * len + other] {
                    unknown.push((a, b));
                }
            }
        }
    }
}
