//! The weight of every outcome.

use super::{Class, Model};
use crate::matching::comparison::{BUCKETS, Kind, MAX_COMPARISONS, Outcomes, ValueTerm, count_of};

/// Which part of the frequencies (see [`parts`](crate::matching::prepare::parts)) the value of a
/// level is counted in.
pub(crate) fn part_of(kind: Kind, level: u8) -> usize {
    match (kind, level) {
        (Kind::Place, 3 | 4) => 1,
        (Kind::Place, 5) => 2,
        (Kind::Middle, 2) => 1,
        _ => 0,
    }
}

/// What the ratio of likelihoods of a level depends on.
#[derive(Clone, Copy, Debug)]
pub(super) struct LevelTerms {
    pub value: ValueTerm,
    pub m: f64,
    pub u: f64,
    /// How often two random values are the same.
    pub same: f64,
    /// How many values there are.
    pub total: f64,
    /// How many records of the same person hold the value of a record, beside it.
    pub own: f64,
}

/// Values alike count by this power of their frequency.
const ALIKE_POWER: f64 = 0.5;
/// And by no more than so many times.
const ALIKE_MOST: f64 = 32.0;

impl LevelTerms {
    /// How many times as likely the level is on a value held by so many, as among strangers.
    ///
    /// A pair of the class has its value from one source with probability k (else by chance), and
    /// then it is a value as frequent as it is among all, where strangers meet on it by the square
    /// of that: so (1 − k) + k / f. The k that gives m over all values is (m − u) / (1 − u).
    pub fn ratio(&self, count: f64) -> f64 {
        let plain = self.m / self.u;
        if self.m <= self.u {
            return plain;
        }
        // What one person's own records add to a count is no coincidence.
        let strangers = (count - self.own).max(count * 0.15).max(1.0);
        let frequency = (strangers / self.total).min(1.0);
        match self.value {
            ValueTerm::None => plain,
            ValueTerm::Same => {
                let k = (self.m - self.u) / (1.0 - self.u).max(1e-9);
                (1.0 - k) + k / frequency
            }
            ValueTerm::Alike => {
                let times = (self.same.max(1.0 / self.total) / frequency)
                    .powf(ALIKE_POWER)
                    .clamp(1.0 / ALIKE_MOST, ALIKE_MOST);
                1.0 + (plain - 1.0) * times
            }
        }
    }
}

/// Hundredths of a bit.
fn hundredths(ratio: f64) -> i32 {
    (ratio.max(1e-12).log2() * 100.0).round() as i32
}

/// The most classes of a model.
pub(super) const MAX_CLASSES: usize = 4;

/// The weights of a model, laid out for speed: by comparison, level and bucket.
pub struct Weights {
    classes: usize,
    /// Hundredths of a bit, against strangers.
    priors: [i32; MAX_CLASSES],
    household: usize,
    tables: Vec<Vec<[i32; MAX_CLASSES]>>,
}

/// What a model says of a pair.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Verdict {
    /// The logarithm of the odds that both are one person: hundredths of a bit.
    pub weight: i32,
    /// Of the same as a probability.
    pub probability: f64,
    /// How probable it is that they are two persons of one household.
    pub household: f64,
}

impl Weights {
    /// Those of a model.
    pub fn new(model: &Model) -> Self {
        let classes = model.classes.len();
        let strangers = (1.0 - model.priors.iter().sum::<f64>()).max(1e-9);
        let mut priors = [0; MAX_CLASSES];
        for (prior, of_class) in priors.iter_mut().zip(&model.priors) {
            *prior = hundredths(of_class / strangers);
        }
        let tables = model
            .comparisons
            .iter()
            .map(|comparison| {
                let levels = comparison.kind.levels();
                let mut table = vec![[0; MAX_CLASSES]; (levels.len() + 1) * BUCKETS];
                for (level, (kind, of_model)) in (1..).zip(levels.iter().zip(&comparison.levels)) {
                    let frequencies = &comparison.frequencies[part_of(comparison.kind, level)];
                    for (class, &m) in of_model.m.iter().enumerate() {
                        let terms = LevelTerms {
                            value: kind.value,
                            m,
                            u: of_model.u,
                            same: frequencies.same,
                            total: frequencies.total.max(1) as f64,
                            own: model.duplicates * comparison.levels[0].m[0],
                        };
                        for bucket in 0..BUCKETS {
                            table[usize::from(level) * BUCKETS + bucket][class] =
                                hundredths(terms.ratio(count_of(bucket as u16)));
                        }
                    }
                }
                table
            })
            .collect();
        Weights {
            classes,
            priors,
            household: model
                .classes
                .iter()
                .position(|&class| class == Class::Household)
                .unwrap_or(MAX_CLASSES),
            tables,
        }
    }

    /// The weight of one outcome for each class, against strangers.
    pub fn of(
        &self,
        comparison: usize,
        outcome: crate::matching::comparison::Outcome,
    ) -> [i32; MAX_CLASSES] {
        self.tables[comparison]
            [usize::from(outcome.level()) * BUCKETS + usize::from(outcome.bucket())]
    }

    /// The weights of a pair for each class, priors included.
    fn sums(&self, outcomes: &Outcomes) -> [i32; MAX_CLASSES] {
        let mut sums = self.priors;
        for (comparison, outcome) in outcomes
            .iter()
            .enumerate()
            .take(self.tables.len().min(MAX_COMPARISONS))
        {
            let weights = self.of(comparison, *outcome);
            for (sum, weight) in sums.iter_mut().zip(weights) {
                *sum += weight;
            }
        }
        sums
    }

    /// The prior weight of the person.
    pub fn prior(&self) -> i32 {
        self.priors[0]
    }

    /// What takes from the weight for the person because they may be two of another class.
    pub(crate) fn others(&self, outcomes: &Outcomes) -> i32 {
        let sums = self.sums(outcomes);
        self.weight(&sums) - sums[0]
    }

    fn weight(&self, sums: &[i32; MAX_CLASSES]) -> i32 {
        let mut others = 1.0;
        for &sum in &sums[1..self.classes] {
            if sum > -1000 {
                others += (f64::from(sum) / 100.0).exp2();
            }
        }
        if others > 1.0 {
            sums[0] - hundredths(others)
        } else {
            sums[0]
        }
    }

    /// What the model says of a pair.
    pub fn verdict(&self, outcomes: &Outcomes) -> Verdict {
        let sums = self.sums(outcomes);
        let weight = self.weight(&sums);
        let probability = probability(weight);
        let household = if self.household < self.classes {
            (1.0 - probability)
                * probability_of(f64::from(sums[self.household]) / 100.0, || {
                    (1..self.classes)
                        .filter(|&class| class != self.household)
                        .map(|class| (f64::from(sums[class]) / 100.0).exp2())
                        .sum::<f64>()
                })
        } else {
            0.0
        };
        Verdict {
            weight,
            probability,
            household,
        }
    }

    /// The weight for the person alone: what is asked of every pair.
    pub fn pair_weight(&self, outcomes: &Outcomes) -> i32 {
        self.weight(&self.sums(outcomes))
    }
}

/// The share of a class of this weight among it, strangers and others.
fn probability_of(weight: f64, others: impl Fn() -> f64) -> f64 {
    let of_class = weight.min(500.0).exp2();
    of_class / (1.0 + of_class + others().min(f64::MAX / 4.0))
}

/// The probability that a weight in hundredths of a bit stands for.
pub fn probability(weight: i32) -> f64 {
    1.0 / (1.0 + (-f64::from(weight) / 100.0).exp2())
}
