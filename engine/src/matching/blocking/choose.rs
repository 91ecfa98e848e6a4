//! Rules chosen from the values themselves, for the most recall that a budget of pairs buys.
//!
//! Every candidate rule is tried on a share of its keys: how many pairs would its blocks give, by the size
//! of the block, and how many of a sample of them look like one person. Then, step by step, the rule (or
//! the higher cap of a rule already taken) is taken that finds the most new pairs of one person for its
//! new pairs in all, as long as the budget lasts. Small blocks are dense in what is sought, large ones
//! are not: that gives each rule its own cap.
//!
//! Of many records few pairs can be looked at, and soon the rules taken give nearly all of them that are
//! one person. So every candidate is then tried once more, on pairs that those rules do not give.

use std::collections::HashMap;

use super::candidates::candidates;
use super::evidence::Evidence;
use super::given::Sizes;
use super::key;
use super::parts::Hashed;
use super::report::most_pairs;
use super::trial::{Trial, Tried, cap};
use super::{BlockingError, MOST_RULES, Rule, Settings, threads};
use crate::background::Cancel;

/// Blocks are not looked at that have more pairs than so many times the budget.
const TOO_MANY: f64 = 8.0;
/// Candidates are tried once more when this share of the budget is left.
const WORTH_A_SECOND: f64 = 0.05;
/// What a rule costs besides its pairs, in pairs a record.
const A_RULE: f64 = 0.1;
/// Of so many records a rule more, or large blocks, cost more time than they are worth.
const MANY: u32 = 1 << 18;
/// A rule that alone finds less than this part of its even share makes room for another.
const IDLE: f64 = 1.0 / 16.0;

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
        let pairs_per_record = (4e6 / f64::from(records.max(1))).clamp(8.0, 100.0);
        let (rules, per_thousand) = match records < MANY {
            true => (32, 1.0),
            false => (16, 60.0),
        };
        Budget {
            pairs_per_record,
            rules,
            per_thousand,
        }
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
    hashed: &Hashed<'_>,
    budget: &Budget,
    settings: &Settings,
    likely: Option<&(dyn Fn(u32, u32) -> f64 + Sync)>,
    cancel: &Cancel,
) -> Result<Vec<Rule>, BlockingError> {
    let records = hashed.records;
    let rules = candidates(records);
    let names: Vec<&str> = records
        .columns
        .iter()
        .map(|column| column.name.as_str())
        .collect();
    let found = key::find(&rules, &names)?;
    let parts = hashed.parts(&found, settings.threads);
    let trial = Trial::of(records, &found, &parts, settings);
    let evidence = Evidence::of(records);
    let rough = |a, b| evidence.probability(a, b);
    let likely = likely.unwrap_or(&rough);
    let total = f64::from(records.len());
    let mut choice = Choice {
        trial: &trial,
        budget,
        cancel,
        total,
        left: budget.pairs_per_record * total,
        gained: 0.0,
        taken: Vec::new(),
    };
    let positions: Vec<usize> = (0..found.len()).collect();
    let most = TOO_MANY * budget.pairs_per_record * total;
    let mut all = choice.tried(&positions, |rule| trial.first(*rule, most, likely))?;
    choice.take(&mut all)?;
    choice.leave_idle_out(&all);
    if choice.left >= WORTH_A_SECOND * budget.pairs_per_record * total {
        let mut all = choice.tried(&all, |tried| trial.again(tried, &choice.taken, likely))?;
        choice.take(&mut all)?;
    }
    Ok(choice
        .taken
        .into_iter()
        .map(|taken| Rule {
            cap: cap(taken.bands),
            ..rules[taken.rule].clone()
        })
        .collect())
}

/// A rule that is taken.
pub(super) struct Taken {
    /// Where it stands among the candidates.
    pub rule: usize,
    /// How many bands of it are taken.
    pub bands: usize,
    pub sizes: Sizes,
}

/// What is chosen so far.
struct Choice<'a> {
    trial: &'a Trial<'a>,
    budget: &'a Budget,
    cancel: &'a Cancel,
    total: f64,
    left: f64,
    gained: f64,
    taken: Vec<Taken>,
}

impl Choice<'_> {
    /// Tries candidates. Gives back those that may pay.
    fn tried<I: Sync>(
        &self,
        candidates: &[I],
        work: impl Fn(&I) -> Tried + Sync,
    ) -> Result<Vec<Tried>, BlockingError> {
        let tried = threads::each_of(candidates, self.trial.threads, |candidate| {
            (!self.cancel.is_set()).then(|| work(candidate))
        });
        let mut all: Vec<Tried> = tried.into_iter().flatten().collect();
        if all.len() < candidates.len() {
            return Err(BlockingError::Cancelled);
        }
        all.retain(|tried| tried.may_do(self.budget));
        Ok(all)
    }

    /// Takes, step by step, what pays.
    fn take(&mut self, all: &mut [Tried]) -> Result<(), BlockingError> {
        let trial = self.trial;
        // By turn, how many pairs the block holds that a pair shares.
        let mut shared: HashMap<usize, Vec<Vec<(usize, u64)>>> = HashMap::new();
        while let Some(step) = self.best_step(all) {
            if self.cancel.is_set() {
                return Err(BlockingError::Cancelled);
            }
            self.gained += step.gain;
            self.left -= step.cost;
            let rule = all[step.candidate].rule;
            let turn = self.taken.iter().position(|taken| taken.rule == rule);
            let turn = turn.unwrap_or_else(|| {
                self.taken.push(Taken {
                    rule,
                    bands: 0,
                    sizes: trial.sizes(rule),
                });
                self.taken.len() - 1
            });
            self.taken[turn].bands = step.bands;
            all[step.candidate].taken = step.bands;
            let most = most_pairs(cap(step.bands));
            let sizes = &self.taken[turn].sizes;
            let shared = shared
                .entry(turn)
                .or_insert_with(|| trial.shared(rule, sizes, all));
            for (tried, shared) in all.iter_mut().zip(shared) {
                let mut shared = shared.iter().filter(|(_, in_block)| *in_block <= most);
                let mut next = shared.next();
                for (place, pair) in tried.pairs_mut().enumerate() {
                    if next.is_some_and(|(given, _)| *given == place) {
                        pair.given |= 1 << turn;
                        next = shared.next();
                    }
                }
            }
        }
        Ok(())
    }

    /// Leaves out rules whose pairs are found by others that were taken later.
    fn leave_idle_out(&mut self, all: &[Tried]) {
        let mut idle: u64 = 0;
        let idle_below = self.gained * IDLE / self.budget.rules as f64;
        for (turn, taken) in self.taken.iter().enumerate() {
            let others = !(idle | 1 << turn);
            let alone: f64 = all
                .iter()
                .filter(|tried| tried.rule == taken.rule)
                .flat_map(|tried| &tried.bands[..tried.taken])
                .flat_map(|band| band.pairs.iter().map(move |pair| (band.each, pair)))
                .filter(|(_, pair)| pair.given & others == 0)
                .map(|(each, pair)| each * pair.likely)
                .sum();
            if alone < idle_below {
                idle |= 1 << turn;
            }
        }
        let mut turn = 0;
        self.taken.retain(|_| {
            turn += 1;
            idle >> (turn - 1) & 1 == 0
        });
    }

    fn best_step(&self, all: &[Tried]) -> Option<Step> {
        let mut best: Option<Step> = None;
        for (candidate, tried) in all.iter().enumerate() {
            let is_new = tried.taken == 0;
            if is_new && self.taken.len() >= self.budget.rules.min(MOST_RULES) {
                continue;
            }
            let (mut gain, mut cost) = (0.0, 0.0);
            for (position, band) in tried.bands.iter().enumerate().skip(tried.taken) {
                for pair in band.pairs.iter().filter(|pair| pair.given == 0) {
                    gain += band.each * pair.likely;
                    cost += band.each;
                }
                if cost > self.left {
                    break;
                }
                let worth = gain / (cost + if is_new { A_RULE * self.total } else { 0.0 });
                let enough = gain * 1000.0 >= cost * self.budget.per_thousand
                    && gain > 0.0
                    && gain >= self.gained * if is_new { 2e-4 } else { 1e-4 };
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
}
