//! Rules chosen from the values themselves, for the most recall that a budget of pairs buys.
//!
//! Every candidate rule is tried on a share of its keys: how many pairs would its blocks give, by the size
//! of the block, and how many of a sample of them look like one person. Then, step by step, the rule (or
//! the higher cap of a rule already taken) is taken that finds the most new pairs of one person for its
//! new pairs in all, as long as the budget lasts. Small blocks are dense in what is sought, large ones
//! are not: that gives each rule its own cap.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU32, Ordering};

use xxhash_rust::xxh3::xxh3_64;

use super::super::Records;
use super::blocks::{most_pairs, pairs_of};
use super::candidates::candidates;
use super::evidence::Evidence;
use super::key::{self, AllParts, Found, Keys};
use super::{BlockingError, MOST_RULES, Part, Rule, Settings, threads};
use crate::background::Cancel;

/// How many records' worth of keys each candidate is tried on.
const TRIED: u32 = 1 << 14;
/// How many records are counted to know how large a block is.
const COUNTED: u32 = 1 << 17;
/// Blocks by size: up to 2, 4, … records. Larger ones are never taken.
const BANDS: usize = 11;
/// How many pairs of a band are looked at.
const LOOKED_AT: u64 = 64;
/// What a rule costs besides its pairs, in pairs a record.
const A_RULE: f64 = 0.1;

/// A rule that alone finds less than this share of what all find is left out.
const IDLE: f64 = 5e-5;

/// What may be spent, and on what.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Budget {
    /// How many pairs may be given, for each record.
    pub pairs_per_record: f64,
    /// How many rules there may be.
    pub rules: usize,
    /// How many pairs of one person, at least, a thousand new pairs must hold.
    pub per_thousand: f64,
}

impl Budget {
    /// What suits so many records: generous to few of them.
    pub fn of(records: u32) -> Self {
        Budget {
            pairs_per_record: (4e6 / f64::from(records.max(1))).clamp(8.0, 100.0),
            rules: 24,
            per_thousand: 1.0,
        }
    }
}

/// The pairs of a candidate in blocks of about one size.
#[derive(Debug, Default)]
struct Band {
    /// How many pairs each of those looked at stands for.
    each: f64,
    pairs: Vec<Pair>,
}

#[derive(Clone, Copy, Debug)]
struct Pair {
    a: u32,
    b: u32,
    likely: f64,
    /// Which of the chosen rules give it, the lowest bit for the first.
    given: u64,
}

struct Tried {
    /// Where the rule stands among the candidates.
    rule: usize,
    bands: Vec<Band>,
    /// How many bands are taken.
    taken: usize,
}

impl Tried {
    fn pairs(&self) -> impl Iterator<Item = &Pair> {
        self.bands.iter().flat_map(|band| &band.pairs)
    }

    /// Whether some cap gives enough for its pairs.
    fn may_do(&self, budget: &Budget) -> bool {
        let (mut gain, mut cost) = (0.0, 0.0);
        self.bands.iter().any(|band| {
            gain += band.each * band.pairs.iter().map(|pair| pair.likely).sum::<f64>();
            cost += band.each * band.pairs.len() as f64;
            gain > 0.0 && gain * 1000.0 >= cost * budget.per_thousand
        })
    }
}

/// The best next step.
#[derive(Clone, Copy)]
struct Step {
    candidate: usize,
    bands: usize,
    gain: f64,
    cost: f64,
    worth: f64,
}

/// Chooses rules for records. `likely` tells how likely a pair is one person, once a model can; until then
/// that is estimated from what agrees and how rare it is. The same records in another order get
/// the same rules.
///
/// # Errors
/// When it is told to stop.
pub fn choose(
    records: &Records,
    budget: &Budget,
    settings: &Settings,
    likely: Option<&(dyn Fn(u32, u32) -> f64 + Sync)>,
    cancel: &Cancel,
) -> Result<Vec<Rule>, BlockingError> {
    let rules = candidates(records);
    let names: Vec<&str> = records
        .columns
        .iter()
        .map(|column| column.name.as_str())
        .collect();
    let found = key::find(&rules, &names)?;
    let parts = AllParts::of(records, &found, settings.threads);
    let trial = Trial::of(records, &found, &parts, settings);
    let evidence = Evidence::of(records);
    let rough = |a, b| evidence.probability(a, b);
    let likely = likely.unwrap_or(&rough);
    let positions: Vec<usize> = (0..found.len()).collect();
    let mut tried = threads::each_of(&positions, settings.threads, |position| {
        if cancel.is_set() {
            return None;
        }
        Some(trial.of_rule(*position, &found[*position], likely))
    });
    let mut all: Vec<Tried> = tried.drain(..).flatten().collect();
    if cancel.is_set() || all.len() < found.len() {
        return Err(BlockingError::Cancelled);
    }
    let total = f64::from(records.len());
    let mut left = budget.pairs_per_record * total;
    let mut gained = 0.0;
    all.retain(|tried| tried.may_do(budget));
    let mut chosen: Vec<usize> = Vec::new();
    let mut shared: Vec<Vec<Vec<u64>>> = Vec::new();
    while let Some(step) = best_step(&all, &chosen, budget, left, gained, total) {
        if cancel.is_set() {
            return Err(BlockingError::Cancelled);
        }
        gained += step.gain;
        left -= step.cost;
        let turn = match chosen.iter().position(|other| *other == step.candidate) {
            Some(turn) => turn,
            None => {
                chosen.push(step.candidate);
                shared.push(trial.shared(&found[all[step.candidate].rule], &all));
                chosen.len() - 1
            }
        };
        all[step.candidate].taken = step.bands;
        let most = most_pairs(cap(step.bands));
        for (tried, shared) in all.iter_mut().zip(&shared[turn]) {
            let pairs = tried.bands.iter_mut().flat_map(|band| &mut band.pairs);
            for (pair, in_block) in pairs.zip(shared) {
                if *in_block <= most {
                    pair.given |= 1 << turn;
                }
            }
        }
    }
    let chosen = without_idle(&all, chosen, gained);
    Ok(chosen
        .into_iter()
        .map(|candidate| Rule {
            cap: cap(all[candidate].taken),
            ..rules[all[candidate].rule].clone()
        })
        .collect())
}

/// Leaves out rules whose pairs are found by others that were chosen later.
fn without_idle(all: &[Tried], chosen: Vec<usize>, gained: f64) -> Vec<usize> {
    let mut standing: u64 = if chosen.len() < 64 {
        (1 << chosen.len()) - 1
    } else {
        u64::MAX
    };
    for (turn, candidate) in chosen.iter().enumerate() {
        let others = standing & !(1 << turn);
        let tried = &all[*candidate];
        let alone: f64 = tried.bands[..tried.taken]
            .iter()
            .flat_map(|band| band.pairs.iter().map(move |pair| (band.each, pair)))
            .filter(|(_, pair)| pair.given & others == 0)
            .map(|(each, pair)| each * pair.likely)
            .sum();
        if alone < gained * IDLE {
            standing = others;
        }
    }
    chosen
        .into_iter()
        .enumerate()
        .filter_map(|(turn, candidate)| (standing >> turn & 1 == 1).then_some(candidate))
        .collect()
}

fn cap(bands: usize) -> u32 {
    1 << bands
}

fn best_step(
    all: &[Tried],
    chosen: &[usize],
    budget: &Budget,
    left: f64,
    gained: f64,
    total: f64,
) -> Option<Step> {
    let mut best: Option<Step> = None;
    for (candidate, tried) in all.iter().enumerate() {
        let is_new = tried.taken == 0;
        if is_new && chosen.len() >= budget.rules.min(MOST_RULES) {
            continue;
        }
        let (mut gain, mut cost) = (0.0, 0.0);
        for (position, band) in tried.bands.iter().enumerate().skip(tried.taken) {
            for pair in band.pairs.iter().filter(|pair| pair.given == 0) {
                gain += band.each * pair.likely;
                cost += band.each;
            }
            if cost > left {
                break;
            }
            let worth = gain / (cost + if is_new { A_RULE * total } else { 0.0 });
            let enough = gain * 1000.0 >= cost * budget.per_thousand
                && gain > 0.0
                && gain >= gained * if is_new { 2e-4 } else { 1e-4 };
            if enough && best.is_none_or(|best| worth > best.worth) {
                best = Some(Step {
                    candidate,
                    bands: position + 1,
                    gain,
                    cost,
                    worth,
                });
            }
        }
    }
    best
}

/// How many pairs there are up to and with a block, and its entries.
type UpTo<'a> = (u64, &'a [(u64, u32)]);

/// What candidates are tried on.
struct Trial<'a> {
    records: &'a Records,
    parts: &'a AllParts,
    second: Option<u32>,
    threads: usize,
    /// Parts of the first term with any of these bits are left out.
    left_out: u64,
    /// A hash of all that each record says: it orders records, whichever came first.
    contents: Vec<u64>,
    /// For each first term, the records with a part of it that is not left out.
    with_first: HashMap<(Vec<usize>, Part), Vec<u32>>,
}

impl<'a> Trial<'a> {
    fn of(records: &'a Records, found: &[Found], parts: &'a AllParts, settings: &Settings) -> Self {
        let halvings = (records.len() / TRIED)
            .checked_ilog2()
            .map_or(0, |log| log + 1);
        let left_out = (1u64 << halvings) - 1;
        let texts: Vec<Vec<u64>> = threads::each_of(&records.columns, settings.threads, |column| {
            column
                .values
                .iter()
                .map(|value| key::hash(&value.text))
                .collect()
        });
        let ranges = threads::ranges(records.len() as usize, 1 << 14);
        let contents = threads::each_of(&ranges, settings.threads, |range| {
            let mut said = Vec::new();
            range
                .clone()
                .map(|record| {
                    said.clear();
                    for (column, texts) in records.columns.iter().zip(&texts) {
                        let start = said.len();
                        let values = column.of(record as u32);
                        said.extend(values.iter().map(|value| texts[*value as usize]));
                        said[start..].sort_unstable();
                        said.push(values.len() as u64);
                    }
                    let bytes: Vec<u8> = said.iter().flat_map(|hash| hash.to_le_bytes()).collect();
                    xxh3_64(&bytes)
                })
                .collect::<Vec<u64>>()
        })
        .concat();
        let mut firsts: Vec<(Vec<usize>, Part)> =
            found.iter().map(|rule| rule.terms[0].clone()).collect();
        firsts.sort_unstable();
        firsts.dedup();
        let lists = threads::each_of(&firsts, settings.threads, |first| {
            let only = Found {
                terms: vec![first.clone()],
                cap: 2,
            };
            let mut keys = Keys::by(records, &only, parts).without(left_out);
            (0..records.len())
                .filter(|record| !keys.of(*record).is_empty())
                .collect()
        });
        Trial {
            records,
            parts,
            second: settings.second,
            threads: settings.threads,
            left_out,
            contents,
            with_first: firsts.into_iter().zip(lists).collect(),
        }
    }

    fn of_rule(
        &self,
        position: usize,
        rule: &Found,
        likely: &(dyn Fn(u32, u32) -> f64 + Sync),
    ) -> Tried {
        let mut keys = Keys::by(self.records, rule, self.parts).without(self.left_out);
        let mut entries: Vec<(u64, u32)> = Vec::new();
        for record in &self.with_first[&rule.terms[0]] {
            entries.extend(keys.of(*record).iter().map(|key| (*key, *record)));
        }
        entries.sort_unstable();
        // The blocks of each band, with the number of pairs up to and with each.
        let mut blocks: Vec<Vec<UpTo<'_>>> = vec![Vec::new(); BANDS];
        for block in entries.chunk_by(|a, b| a.0 == b.0) {
            let pairs = self.pairs(block);
            if pairs == 0 {
                continue;
            }
            if let Some(band) = (1..=BANDS).find(|bands| pairs <= most_pairs(cap(*bands))) {
                let before = blocks[band - 1].last().map_or(0, |(before, _)| *before);
                blocks[band - 1].push((before + pairs, block));
            }
        }
        let scale = (self.left_out + 1) as f64;
        let bands = blocks
            .into_iter()
            .map(|blocks| {
                let total = blocks.last().map_or(0, |(total, _)| *total);
                let wanted = total.min(LOOKED_AT);
                let pairs = (0..wanted).map(|turn| {
                    // Evenly spread, each at a place of its own within its stretch.
                    let stretch = total as f64 / wanted as f64;
                    let jitter = xxh3_64(&turn.to_le_bytes()) as f64 / u64::MAX as f64;
                    let place = ((turn as f64 + jitter) * stretch) as u64;
                    let place = place.min(total - 1);
                    let block = blocks.partition_point(|(end, _)| *end <= place);
                    let (end, entries) = blocks[block];
                    let (a, b) = self.pair(entries, end - place - 1);
                    Pair {
                        a,
                        b,
                        likely: likely(a.min(b), a.max(b)),
                        given: 0,
                    }
                });
                Band {
                    pairs: pairs.collect(),
                    each: scale * total as f64 / wanted.max(1) as f64,
                }
            })
            .collect();
        Tried {
            rule: position,
            bands,
            taken: 0,
        }
    }

    fn pairs(&self, block: &[(u64, u32)]) -> u64 {
        let size = block.len() as u64;
        match self.second {
            None => pairs_of(size),
            Some(second) => {
                let first = block.partition_point(|entry| entry.1 < second) as u64;
                first * (size - first)
            }
        }
    }

    /// The pair of a block at a place among them, whatever the order of records.
    fn pair(&self, block: &[(u64, u32)], place: u64) -> (u32, u32) {
        let by_content = |entries: &[(u64, u32)]| {
            let mut records: Vec<u32> = entries.iter().map(|entry| entry.1).collect();
            records.sort_unstable_by_key(|record| self.contents[*record as usize]);
            records
        };
        if let Some(second) = self.second {
            let (first, others) = block.split_at(block.partition_point(|entry| entry.1 < second));
            let (first, others) = (by_content(first), by_content(others));
            let row = (place / others.len() as u64) as usize;
            let column = (place % others.len() as u64) as usize;
            return (first[row], others[column]);
        }
        let records = by_content(block);
        let (mut row, mut rest) = (1, place);
        while rest >= row {
            rest -= row;
            row += 1;
        }
        (records[row as usize], records[rest as usize])
    }

    /// For every pair looked at, how many pairs the block holds that it shares by a rule.
    fn shared(&self, rule: &Found, all: &[Tried]) -> Vec<Vec<u64>> {
        // One block of its several is enough to go by; 0 for none.
        let keys: Vec<Vec<u64>> = threads::each_of(all, self.threads, |tried| {
            let mut of_a = Keys::by(self.records, rule, self.parts);
            let mut of_b = Keys::by(self.records, rule, self.parts);
            tried
                .pairs()
                .map(|pair| {
                    let (a, b) = (of_a.of(pair.a), of_b.of(pair.b));
                    let shared = a.iter().find(|key| b.binary_search(key).is_ok());
                    shared.copied().unwrap_or(0)
                })
                .collect()
        });
        let mut counts: HashMap<u64, [AtomicU32; 2]> = HashMap::new();
        for key in keys.iter().flatten().filter(|key| **key != 0) {
            counts.entry(*key).or_default();
        }
        let one_in = (self.records.len() / COUNTED).max(1).next_power_of_two();
        let ranges = threads::ranges(self.records.len() as usize, 1 << 14);
        threads::each_of(&ranges, self.threads, |range| {
            let mut keys = Keys::by(self.records, rule, self.parts);
            for record in range.start as u32..range.end as u32 {
                if self.contents[record as usize] & u64::from(one_in - 1) != 0 {
                    continue;
                }
                let side = usize::from(self.second.is_some_and(|second| record >= second));
                for key in keys.of(record) {
                    if let Some(count) = counts.get(key) {
                        count[side].fetch_add(1, Ordering::Relaxed);
                    }
                }
            }
        });
        let pairs = |key: &u64| {
            let Some([first, second]) = counts.get(key) else {
                return u64::MAX;
            };
            let size =
                |count: &AtomicU32| u64::from(count.load(Ordering::Relaxed)) * u64::from(one_in);
            match self.second {
                None => pairs_of(size(first)),
                Some(_) => size(first) * size(second),
            }
        };
        keys.iter()
            .map(|keys| keys.iter().map(pairs).collect())
            .collect()
    }
}
