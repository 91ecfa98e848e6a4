//! The blocks of records by rule.

use std::ops::Range;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use serde::{Deserialize, Serialize};

use super::super::Records;
use super::key::{self, AllParts, Found, Keys};
use super::{BlockingError, MOST_RULES, Rule, Settings, threads};
use crate::background::Cancel;

/// How many over-full blocks of a rule are reported one by one, the largest.
const REPORTED: usize = 20;
/// Rules whose numbers are put in the rows of records in one go: a row is far from the next in memory.
const RULES: usize = 8;
/// Records whose keys are worked out in one go.
const RANGE: usize = 1 << 16;

/// A block over its rule's cap: it gives no pair.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Overfull {
    /// What its records agree on.
    pub key: String,
    /// How many they are.
    pub records: u32,
    /// How many pairs they would be.
    pub pairs: u64,
}

/// What a rule gives.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RuleReport {
    /// The rule.
    pub rule: Rule,
    /// How many records have a key by it.
    pub records: u32,
    /// How many blocks give pairs.
    pub blocks: u64,
    /// The size of the largest of them.
    pub largest: u32,
    /// How many pairs they hold; earlier rules may have given some of them.
    pub pairs: u64,
    /// How many blocks are over the cap.
    pub overfull_blocks: u64,
    /// How many pairs those would hold.
    pub overfull_pairs: u64,
    /// The largest of them.
    pub overfull: Vec<Overfull>,
}

/// The members of the blocks of a rule.
#[derive(Debug, Default)]
pub(super) struct Members {
    /// Where each block ends in `records`; block n + 1 is at n.
    pub ends: Vec<u32>,
    /// Block after block, ascending.
    pub records: Vec<u32>,
}

impl Members {
    /// The records of the block at this position, whose number is one more.
    pub fn of(&self, position: usize) -> &[u32] {
        let start = if position == 0 {
            0
        } else {
            self.ends[position - 1]
        };
        &self.records[start as usize..self.ends[position] as usize]
    }
}

/// Marks a position in `lists` instead of the number of a block.
pub(super) const MANY: u32 = 1 << 31;

/// Records by what they agree on.
#[derive(Debug)]
pub struct Blocks {
    pub(super) rules: usize,
    pub(super) second: Option<u32>,
    /// For each record a number a rule: that of its block, from 1; 0 for none; or `MANY` and where in
    /// `lists` its blocks are.
    pub(super) numbers: Vec<u32>,
    /// How many blocks, then their numbers, ascending.
    pub(super) lists: Vec<u32>,
    pub(super) members: Vec<Members>,
    /// Rules by which a record can be in several blocks.
    pub(super) several: Vec<usize>,
    report: Vec<RuleReport>,
}

impl Blocks {
    /// Puts records into blocks. `done` counts records, once a rule.
    ///
    /// # Errors
    /// When a rule names no column, when memory does not suffice, when told to stop.
    pub fn build(
        records: &Records,
        rules: &[Rule],
        settings: &Settings,
        cancel: &Cancel,
        done: &AtomicU64,
    ) -> Result<Self, BlockingError> {
        let found = find(records, rules)?;
        let len = records.len() as usize;
        let mut blocks = Blocks {
            rules: rules.len(),
            second: settings.second,
            numbers: Vec::new(),
            lists: Vec::new(),
            members: Vec::with_capacity(rules.len()),
            several: Vec::new(),
            report: Vec::with_capacity(rules.len()),
        };
        let numbers = 4 * len as u64 * rules.len() as u64;
        let too_much = |needed, rule: &Rule| BlockingError::Memory {
            needed,
            allowed: settings.memory,
            rule: rule.to_string(),
        };
        if let Some(rule) = rules.first()
            && numbers > settings.memory
        {
            return Err(too_much(numbers, rule));
        }
        blocks.numbers = vec![0; len * rules.len()];
        let parts = AllParts::of(records, &found, settings.threads);
        // Of the rules of the batch in hand, the numbers by record.
        let mut batch: Vec<Vec<u32>> = Vec::with_capacity(RULES);
        for (position, (rule, found)) in rules.iter().zip(&found).enumerate() {
            let held = blocks.memory() + 4 * (len * (batch.len() + 1)) as u64;
            let allowed = settings.memory.saturating_sub(held);
            let pass = Pass::of(records, found, &parts, settings, allowed, cancel, done)
                .map_err(|stopped| stopped.error(held, |needed| too_much(needed, rule)))?;
            let mut report = pass.report(rule);
            let mut members = Members::default();
            pass.each_block(|block| {
                if report.counts(records, found, &block) {
                    members
                        .records
                        .extend(block.entries.iter().map(|(_, record)| *record));
                    members.ends.push(members.records.len() as u32);
                }
            });
            let several = pass.several;
            drop(pass);
            members.records.shrink_to_fit();
            members.ends.shrink_to_fit();
            if several {
                blocks.several.push(position);
                batch.push(blocks.numbers_of_several(&members, len));
            } else {
                let mut numbers = vec![0; len];
                for block in 0..members.ends.len() {
                    for record in members.of(block) {
                        numbers[*record as usize] = block as u32 + 1;
                    }
                }
                batch.push(numbers);
            }
            if batch.len() == RULES || position + 1 == rules.len() {
                let first = position + 1 - batch.len();
                for (record, row) in blocks.numbers.chunks_exact_mut(rules.len()).enumerate() {
                    for (number, numbers) in row[first..=position].iter_mut().zip(&batch) {
                        *number = numbers[record];
                    }
                }
                batch.clear();
            }
            blocks.members.push(members);
            blocks.report.push(report);
            if blocks.memory() > settings.memory {
                return Err(too_much(blocks.memory(), rule));
            }
        }
        Ok(blocks)
    }

    /// What each rule gives.
    pub fn report(&self) -> &[RuleReport] {
        &self.report
    }

    /// How many pairs the rules hold, those that several have counted several times.
    pub fn pairs(&self) -> u64 {
        self.report.iter().map(|rule| rule.pairs).sum()
    }

    /// How many bytes they take.
    pub fn memory(&self) -> u64 {
        let members = self
            .members
            .iter()
            .map(|members| members.ends.capacity() as u64 + members.records.capacity() as u64);
        4 * (self.numbers.capacity() as u64 + self.lists.capacity() as u64 + members.sum::<u64>())
    }

    /// Which rules have a pair in a block: the lowest bit for the first.
    pub fn mask(&self, a: u32, b: u32) -> u64 {
        let (row_a, row_b) = (self.row(a), self.row(b));
        (0..self.rules)
            .filter(|rule| self.shared(row_a[*rule], row_b[*rule]).is_some())
            .fold(0, |mask, rule| mask | 1 << rule)
    }

    pub(super) fn row(&self, record: u32) -> &[u32] {
        let start = record as usize * self.rules;
        &self.numbers[start..start + self.rules]
    }

    /// The first block that two records share by a rule.
    pub(super) fn shared(&self, a: u32, b: u32) -> Option<u32> {
        if (a | b) & MANY == 0 {
            return (a == b && a != 0).then_some(a);
        }
        let (one_a, one_b) = ([a], [b]);
        let (a, b) = (self.list(a, &one_a), self.list(b, &one_b));
        let (mut left, mut right) = (0, 0);
        while left < a.len() && right < b.len() {
            match a[left].cmp(&b[right]) {
                std::cmp::Ordering::Less => left += 1,
                std::cmp::Ordering::Greater => right += 1,
                std::cmp::Ordering::Equal => return Some(a[left]).filter(|block| *block != 0),
            }
        }
        None
    }

    fn list<'a>(&'a self, number: u32, one: &'a [u32; 1]) -> &'a [u32] {
        if number & MANY == 0 {
            return one;
        }
        let start = (number & !MANY) as usize;
        &self.lists[start + 1..start + 1 + self.lists[start] as usize]
    }

    /// For each record its number by a rule that has it in several blocks.
    fn numbers_of_several(&mut self, members: &Members, len: usize) -> Vec<u32> {
        let mut ends = vec![0u32; len + 1];
        for record in &members.records {
            ends[*record as usize + 1] += 1;
        }
        for record in 0..len {
            ends[record + 1] += ends[record];
        }
        let mut starts = ends;
        let mut blocks = vec![0u32; members.records.len()];
        for block in 0..members.ends.len() {
            for record in members.of(block) {
                let next = &mut starts[*record as usize];
                blocks[*next as usize] = block as u32 + 1;
                *next += 1;
            }
        }
        // Each start has become an end.
        let mut start = 0;
        for record in &mut starts[..len] {
            let end = *record as usize;
            *record = match &blocks[start..end] {
                [] => 0,
                [block] => *block,
                several => {
                    let position = self.lists.len() as u32;
                    self.lists.push(several.len() as u32);
                    self.lists.extend_from_slice(several);
                    position | MANY
                }
            };
            start = end;
        }
        starts.truncate(len);
        starts
    }
}

/// What rules would give, before any pair is looked at.
///
/// # Errors
/// As [`Blocks::build`].
pub fn predict(
    records: &Records,
    rules: &[Rule],
    settings: &Settings,
    cancel: &Cancel,
    done: &AtomicU64,
) -> Result<Vec<RuleReport>, BlockingError> {
    let found = find(records, rules)?;
    let parts = AllParts::of(records, &found, settings.threads);
    rules
        .iter()
        .zip(&found)
        .map(|(rule, found)| {
            let pass = Pass::of(
                records,
                found,
                &parts,
                settings,
                settings.memory,
                cancel,
                done,
            )
            .map_err(|stopped| {
                stopped.error(0, |needed| BlockingError::Memory {
                    needed,
                    allowed: settings.memory,
                    rule: rule.to_string(),
                })
            })?;
            let mut report = pass.report(rule);
            pass.each_block(|block| {
                report.counts(records, found, &block);
            });
            Ok(report)
        })
        .collect()
}

fn find(records: &Records, rules: &[Rule]) -> Result<Vec<Found>, BlockingError> {
    if rules.len() > MOST_RULES {
        return Err(BlockingError::TooManyRules(rules.len()));
    }
    let names: Vec<&str> = records
        .columns
        .iter()
        .map(|column| column.name.as_str())
        .collect();
    key::find(rules, &names)
}

/// Records with one key.
pub(super) struct Block<'a> {
    pub entries: &'a [(u64, u32)],
    pub pairs: u64,
}

impl RuleReport {
    /// Counts a block in; whether it gives pairs.
    fn counts(&mut self, records: &Records, rule: &Found, block: &Block<'_>) -> bool {
        let size = block.entries.len() as u32;
        if block.pairs == 0 {
            return false;
        }
        if block.pairs <= most_pairs(rule.cap) {
            self.blocks += 1;
            self.pairs += block.pairs;
            self.largest = self.largest.max(size);
            return true;
        }
        self.overfull_blocks += 1;
        self.overfull_pairs += block.pairs;
        let least = self.overfull.last().map_or(0, |last| last.pairs);
        if self.overfull.len() < REPORTED || block.pairs > least {
            let (key, record) = block.entries[0];
            let overfull = Overfull {
                key: key::text(records, rule, record, key),
                records: size,
                pairs: block.pairs,
            };
            let place = self
                .overfull
                .partition_point(|other| (other.pairs, &overfull.key) >= (block.pairs, &other.key));
            self.overfull.insert(place, overfull);
            self.overfull.truncate(REPORTED);
        }
        false
    }
}

/// The pairs of as many records as a cap allows. Across two files a block may hold more records, if
/// they are not more pairs.
pub(super) fn most_pairs(cap: u32) -> u64 {
    pairs_of(u64::from(cap))
}

pub(super) fn pairs_of(records: u64) -> u64 {
    records * records.saturating_sub(1) / 2
}

/// Why a pass did not end.
pub(super) enum Stopped {
    Memory(u64),
    Cancelled,
}

impl Stopped {
    fn error(self, held: u64, memory: impl FnOnce(u64) -> BlockingError) -> BlockingError {
        match self {
            Stopped::Memory(needed) => memory(held + needed),
            Stopped::Cancelled => BlockingError::Cancelled,
        }
    }
}

/// The keys of all records by one rule, sorted.
pub(super) struct Pass {
    entries: Vec<(u64, u32)>,
    records: u32,
    /// Whether a record has several keys.
    pub several: bool,
    second: Option<u32>,
}

impl Pass {
    pub fn of(
        records: &Records,
        rule: &Found,
        parts: &AllParts,
        settings: &Settings,
        allowed: u64,
        cancel: &Cancel,
        done: &AtomicU64,
    ) -> Result<Self, Stopped> {
        let ranges = threads::ranges(records.len() as usize, RANGE);
        let taken = AtomicU64::new(0);
        let collected = threads::each_of(&ranges, settings.threads, |range| {
            // Twice 16 bytes while they are sorted, 4 for their block.
            let too_much = taken.load(Ordering::Relaxed) > allowed;
            if cancel.is_set() || too_much {
                return (Vec::new(), 0, false);
            }
            let collected = collect(records, rule, parts, range);
            taken.fetch_add(36 * collected.0.len() as u64, Ordering::Relaxed);
            done.fetch_add(range.len() as u64, Ordering::Relaxed);
            collected
        });
        if cancel.is_set() {
            return Err(Stopped::Cancelled);
        }
        let needed = taken.into_inner();
        if needed > allowed {
            return Err(Stopped::Memory(needed));
        }
        let with_a_key = collected.iter().map(|(_, records, _)| records).sum();
        let several = collected.iter().any(|(_, _, several)| *several);
        let entries = sort(
            collected.into_iter().map(|(entries, _, _)| entries),
            settings.threads,
        );
        Ok(Pass {
            entries,
            records: with_a_key,
            several,
            second: settings.second,
        })
    }

    pub fn report(&self, rule: &Rule) -> RuleReport {
        RuleReport {
            rule: rule.clone(),
            records: self.records,
            blocks: 0,
            largest: 0,
            pairs: 0,
            overfull_blocks: 0,
            overfull_pairs: 0,
            overfull: Vec::new(),
        }
    }

    pub fn each_block(&self, mut each: impl FnMut(Block<'_>)) {
        for entries in self.entries.chunk_by(|a, b| a.0 == b.0) {
            let size = entries.len() as u64;
            let pairs = match self.second {
                None => pairs_of(size),
                Some(second) => {
                    let first = entries.partition_point(|(_, record)| *record < second) as u64;
                    first * (size - first)
                }
            };
            each(Block { entries, pairs });
        }
    }
}

fn collect(
    records: &Records,
    rule: &Found,
    parts: &AllParts,
    range: &Range<usize>,
) -> (Vec<(u64, u32)>, u32, bool) {
    let mut keys = Keys::by(records, rule, parts);
    let mut entries = Vec::with_capacity(range.len());
    let (mut with_a_key, mut several) = (0, false);
    for record in range.start as u32..range.end as u32 {
        let keys = keys.of(record);
        with_a_key += u32::from(!keys.is_empty());
        several |= keys.len() > 1;
        entries.extend(keys.iter().map(|key| (*key, record)));
    }
    (entries, with_a_key, several)
}

/// Sorts by key, then record.
fn sort(ranges: impl Iterator<Item = Vec<(u64, u32)>>, threads: usize) -> Vec<(u64, u32)> {
    let ranges: Vec<Vec<(u64, u32)>> = ranges.collect();
    let len: usize = ranges.iter().map(Vec::len).sum();
    // By the leading bits into buckets that fit a cache, each then sorted by itself.
    let bits = (len / 2048).max(1).ilog2().min(12);
    let bucket = |key: u64| {
        if bits == 0 {
            0
        } else {
            (key >> (64 - bits)) as usize
        }
    };
    let mut starts = vec![0usize; (1 << bits) + 1];
    for (key, _) in ranges.iter().flatten() {
        starts[bucket(*key) + 1] += 1;
    }
    for position in 1..starts.len() {
        starts[position] += starts[position - 1];
    }
    let mut sorted = vec![(0u64, 0u32); len];
    let mut next = starts.clone();
    for entries in ranges {
        for entry in entries {
            let place = &mut next[bucket(entry.0)];
            sorted[*place] = entry;
            *place += 1;
        }
    }
    let mut rest = sorted.as_mut_slice();
    let mut buckets = Vec::with_capacity(1 << bits);
    for bounds in starts.windows(2) {
        let (bucket, after) = rest.split_at_mut(bounds[1] - bounds[0]);
        buckets.push(Mutex::new(bucket));
        rest = after;
    }
    threads::each_of(&buckets, threads, |bucket| {
        bucket
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
            .sort_unstable();
    });
    sorted
}
