//! A matcher whole: from records to what is frozen when it is trained, and from that to pairs.

use std::sync::atomic::AtomicU64;

use serde::{Deserialize, Serialize};

use super::blocking::{self, BlockingError, Blocks, Budget, Rule};
use super::model::Verdict;
use super::score::{SURE, Scorer};
use super::{Error, Model, Progress, Records, Spec, train};
use crate::background::Cancel;

/// Weights at which a pair is one thing or another: hundredths of a bit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Thresholds {
    /// From here on one person.
    pub link: i32,
    /// From here on somebody should look.
    pub review: i32,
    /// Up to here surely two persons.
    pub apart: i32,
}

/// A pair more probable than this to be of one household, and not of one person, is one.
const HOUSEHOLD: f64 = 0.5;
/// A pair that is one person with so little probability is surely two: `apart`.
const SURELY_TWO: f64 = 0.01;
/// With so much probability it is worth somebody's look: `review`.
const WORTH_A_LOOK: f64 = 0.1;

fn weight_of(probability: f64) -> i32 {
    ((probability / (1.0 - probability)).log2() * 100.0).round() as i32
}

impl Thresholds {
    fn of(model: &Model) -> Self {
        let link = model.threshold.min(SURE);
        let apart = weight_of(SURELY_TWO).min(link - 1);
        let review = weight_of(WORTH_A_LOOK).min(link);
        Thresholds {
            link,
            review: review.max(apart + 1),
            apart,
        }
    }
}

/// What a pair is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// One person.
    Link,
    /// Perhaps one person.
    Review,
    /// Two persons of one household.
    Household,
    /// Two persons, surely.
    NonMatch,
}

/// A pair that was found.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Pair {
    /// The one record, the lower position.
    pub a: u32,
    /// The other.
    pub b: u32,
    /// What it is.
    pub kind: Kind,
    /// Hundredths of a bit.
    pub weight: i32,
    /// That both are one person.
    pub probability: f64,
    /// That they are two of one household.
    pub household: f64,
}

/// What is frozen when a matcher is trained.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Matcher {
    /// How records agree.
    pub model: Model,
    /// Which pairs are looked at.
    pub rules: Vec<Rule>,
    /// What a pair is by its weight.
    pub thresholds: Thresholds,
}

/// Why there is no result.
#[derive(Clone, Debug, PartialEq)]
pub enum Failure {
    /// Of the model.
    Model(Error),
    /// Of the blocks.
    Blocking(BlockingError),
    /// More memory would be needed than is allowed, for what.
    Memory {
        /// What it is needed for.
        what: &'static str,
        /// Bytes.
        needed: u64,
        /// Bytes.
        allowed: u64,
    },
    /// The caller gave up.
    Cancelled,
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        match error {
            Error::Cancelled => Failure::Cancelled,
            error => Failure::Model(error),
        }
    }
}

impl From<BlockingError> for Failure {
    fn from(error: BlockingError) -> Self {
        match error {
            BlockingError::Cancelled => Failure::Cancelled,
            error => Failure::Blocking(error),
        }
    }
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Failure::Model(error) => error.fmt(f),
            Failure::Blocking(error) => error.fmt(f),
            Failure::Memory {
                what,
                needed,
                allowed,
            } => write!(
                f,
                "{what} need {} MB of memory, more than the {} MB allowed",
                needed.div_ceil(1 << 20),
                allowed >> 20
            ),
            Failure::Cancelled => f.write_str("cancelled"),
        }
    }
}

/// What a run may take.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Bytes, beside the records.
    pub memory: u64,
    /// Threads.
    pub threads: usize,
    /// Where the second of two files begins: only pairs across them are looked at.
    pub second: Option<u32>,
}

impl Limits {
    fn blocking(&self) -> blocking::Settings {
        blocking::Settings {
            memory: self.memory,
            threads: self.threads,
            second: self.second,
        }
    }
}

impl Matcher {
    /// Trains one on records; `decisions` are pairs of which somebody has said whether they are one
    /// person.
    ///
    /// # Errors
    /// When the specification does not fit the records, when memory does not suffice, when told to stop.
    pub fn train(
        spec: &Spec,
        records: &Records,
        decisions: &[(u32, u32, bool)],
        limits: &Limits,
        cancel: &Cancel,
        progress: Progress<'_>,
    ) -> Result<Self, Failure> {
        let model = train(spec, records, decisions, cancel, progress)?;
        progress("blocking rules", 0.9);
        let rules = blocking::choose(
            records,
            &Budget::of(records.len()),
            &limits.blocking(),
            None,
            cancel,
        )?;
        Ok(Matcher {
            thresholds: Thresholds::of(&model),
            model,
            rules,
        })
    }

    /// What a pair of that verdict is; none where it is nothing to speak of.
    pub fn kind(&self, verdict: &Verdict) -> Option<Kind> {
        if verdict.weight >= self.thresholds.link {
            Some(Kind::Link)
        } else if verdict.weight >= self.thresholds.review {
            Some(Kind::Review)
        } else if verdict.household >= HOUSEHOLD {
            Some(Kind::Household)
        } else {
            None
        }
    }

    /// What a pair of that verdict is, where the two share an identifier that would make them one.
    pub fn kind_of_tied(&self, verdict: &Verdict) -> Option<Kind> {
        let apart = verdict.weight <= self.thresholds.apart;
        self.kind(verdict)
            .or_else(|| apart.then_some(Kind::NonMatch))
    }

    /// All pairs of records that are something, in the order of records. `tied` are pairs, the lower
    /// position first, that share an identifier: of them it is also told which are surely two persons.
    /// The result does not depend on the number of threads.
    ///
    /// # Errors
    /// As [`train`](Self::train).
    pub fn run(
        &self,
        records: &Records,
        tied: &[(u32, u32)],
        limits: &Limits,
        cancel: &Cancel,
        progress: Progress<'_>,
    ) -> Result<(Vec<Pair>, Vec<blocking::RuleReport>), Failure> {
        progress("blocks", 0.0);
        let done = AtomicU64::new(0);
        let blocks = Blocks::build(records, &self.rules, &limits.blocking(), cancel, &done)?;
        let scorer = Scorer::new(&self.model, records)?;
        progress("pairs", 0.2);
        let done = AtomicU64::new(0);
        let total = blocks.pairs().max(1) as f64;
        let allowed = limits.memory.saturating_sub(blocks.memory());
        let most = allowed / size_of::<Pair>() as u64 / limits.threads.max(1) as u64;
        let start = || (scorer.scoring(), Vec::new());
        let states = blocks.stream(limits.threads, cancel, &done, start, |state, chunk| {
            let (scoring, found) = state;
            for &(a, b) in chunk.pairs {
                if found.len() as u64 > most {
                    break;
                }
                let verdict = scoring.verdict(a, b);
                found.extend(self.kind(&verdict).map(|kind| pair((a, b), kind, &verdict)));
            }
            let done = done.load(std::sync::atomic::Ordering::Relaxed) as f64;
            progress("pairs", 0.2 + 0.7 * (done / total).min(1.0));
        });
        let states = states.ok_or(Failure::Cancelled)?;
        if states.iter().any(|(_, found)| found.len() as u64 > most) {
            return Err(Failure::Memory {
                what: "the pairs found",
                needed: limits.memory + limits.memory / 2,
                allowed: limits.memory,
            });
        }
        let mut pairs: Vec<Pair> = states.into_iter().flat_map(|(_, found)| found).collect();
        let mut scoring = scorer.scoring();
        for (n, &(a, b)) in tied.iter().enumerate() {
            if n % 4096 == 0 && cancel.is_set() {
                return Err(Failure::Cancelled);
            }
            let verdict = scoring.verdict(a, b);
            pairs.extend(
                self.kind_of_tied(&verdict)
                    .map(|kind| pair((a, b), kind, &verdict)),
            );
        }
        pairs.sort_unstable_by_key(|pair| (pair.a, pair.b));
        pairs.dedup_by_key(|pair| (pair.a, pair.b));
        Ok((pairs, blocks.report().to_vec()))
    }
}

fn pair((a, b): (u32, u32), kind: Kind, verdict: &Verdict) -> Pair {
    Pair {
        a,
        b,
        kind,
        weight: verdict.weight,
        probability: verdict.probability,
        household: verdict.household,
    }
}
