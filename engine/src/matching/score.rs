//! Scores pairs of records by a model.

use std::sync::Arc;

use serde::Serialize;
use xxhash_rust::xxh3::xxh3_64;

use super::comparison::{Comparer, Outcomes};
use super::model::{Model, Verdict, Weights, probability};
use super::prepare::Prepared;
use super::records::Records;
use super::spec::Error;

/// The weight of a pair that a rule declares one person: hundredths of a bit.
pub const SURE: i32 = 4000;

/// What one comparison adds.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Contribution {
    /// The comparison, or `prior`, `household or namesake`, `rule`.
    pub name: String,
    /// The level, empty where a value is missing.
    pub level: String,
    /// The value of either record, several with commas.
    pub values: [String; 2],
    /// Hundredths of a bit; their sum is the weight.
    pub weight: i32,
}

/// What a model says of two records.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PairScore {
    /// The logarithm of the odds that both are one person: hundredths of a bit.
    pub weight: i32,
    /// The probability that both are one person.
    pub probability: f64,
    /// The probability that they are two persons of one household.
    pub household: f64,
    /// What adds up to the weight.
    pub contributions: Vec<Contribution>,
}

/// A model, ready to score pairs of some records.
pub struct Scorer<'a> {
    model: &'a Model,
    records: &'a Records,
    prepared: Prepared<'a>,
    weights: Arc<Weights>,
    /// For each rule, of each record what it must share; 0 if it has nothing to share.
    sure: Vec<Vec<u64>>,
}

/// Scores pairs in one thread.
pub struct Scoring<'a> {
    scorer: &'a Scorer<'a>,
    comparer: Comparer<'a>,
}

impl<'a> Scorer<'a> {
    /// For these records.
    ///
    /// # Errors
    /// When they have other columns than the model.
    pub fn new(model: &'a Model, records: &'a Records) -> Result<Self, Error> {
        Self::with_weights(model, Arc::new(Weights::new(model)), records)
    }

    /// The same, with the weights of the model: of few records they are most of the work.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn with_weights(
        model: &'a Model,
        weights: Arc<Weights>,
        records: &'a Records,
    ) -> Result<Self, Error> {
        check(model, records)?;
        let frequencies = model.frequencies();
        let threads = model.settings.threads;
        let prepared = Prepared::new(model.plan(), records, &frequencies, threads);
        Self::of(model, weights, records, prepared)
    }

    /// For the records it was trained on, as training left them.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn trained(
        model: &'a Model,
        records: &'a Records,
        prepared: Prepared<'a>,
    ) -> Result<Self, Error> {
        check(model, records)?;
        Self::of(model, Arc::new(Weights::new(model)), records, prepared)
    }

    fn of(
        model: &'a Model,
        weights: Arc<Weights>,
        records: &'a Records,
        prepared: Prepared<'a>,
    ) -> Result<Self, Error> {
        Ok(Scorer {
            model,
            records,
            prepared,
            weights,
            sure: sure(model, records)?,
        })
    }

    /// To be used in one thread.
    pub fn scoring(&'a self) -> Scoring<'a> {
        Scoring {
            scorer: self,
            comparer: Comparer::new(&self.prepared),
        }
    }

    /// Bytes held, beside the records.
    pub fn bytes(&self) -> usize {
        let sure: usize = self.sure.iter().map(Vec::len).sum();
        self.prepared.bytes() + sure * size_of::<u64>()
    }

    /// Which rule declares two records one person.
    pub fn rule(&self, a: u32, b: u32) -> Option<usize> {
        self.sure
            .iter()
            .position(|keys| keys[a as usize] != 0 && keys[a as usize] == keys[b as usize])
    }

    fn weight(&self, (a, b): (u32, u32), outcomes: &Outcomes) -> i32 {
        let weight = self.weights.pair_weight(outcomes);
        match self.rule(a, b) {
            Some(_) => weight.max(SURE),
            None => weight,
        }
    }

    fn verdict(&self, (a, b): (u32, u32), outcomes: &Outcomes) -> Verdict {
        let verdict = self.weights.verdict(outcomes);
        match self.rule(a, b) {
            Some(_) if verdict.weight < SURE => Verdict {
                weight: SURE,
                probability: probability(SURE),
                household: 0.0,
            },
            _ => verdict,
        }
    }
}

fn check(model: &Model, records: &Records) -> Result<(), Error> {
    let same = model.columns.len() == records.columns.len()
        && model
            .columns
            .iter()
            .zip(&records.columns)
            .all(|(model, column)| model.name == column.name && model.meaning == column.meaning);
    if same {
        Ok(())
    } else {
        Err(Error::OtherColumns)
    }
}

/// What records must share by each rule.
fn sure(model: &Model, records: &Records) -> Result<Vec<Vec<u64>>, Error> {
    model
        .rules
        .iter()
        .map(|rule| {
            let mut keys = vec![1_u64; records.len() as usize];
            for same in &rule.same {
                let column = records
                    .columns
                    .iter()
                    .find(|column| column.name == same.column)
                    .ok_or_else(|| Error::UnknownColumn(same.column.clone()))?;
                for (key, record) in keys.iter_mut().zip(0..) {
                    // The first value stands for the record.
                    let part = column
                        .of(record)
                        .first()
                        .and_then(|&value| same.part.of(&column.values[value as usize].text));
                    *key = match part {
                        Some(part) if *key != 0 => xxh3_64(part.as_bytes())
                            .wrapping_add(key.rotate_left(7))
                            .max(1),
                        _ => 0,
                    };
                }
            }
            Ok(keys)
        })
        .collect()
}

impl Scoring<'_> {
    /// The weight of a pair: hundredths of a bit.
    pub fn weight(&mut self, a: u32, b: u32) -> i32 {
        let outcomes = self.comparer.compare(a, b);
        self.scorer.weight((a, b), &outcomes)
    }

    /// The weights of many pairs, each given with its position: it takes less time than alone.
    pub fn weights(&mut self, pairs: &[(u32, u32)], mut each: impl FnMut(usize, i32)) {
        self.comparer.compare_all(pairs, |place, outcomes| {
            each(place, self.scorer.weight(pairs[place], outcomes));
        });
    }

    /// Weight and probabilities of a pair.
    pub fn verdict(&mut self, a: u32, b: u32) -> Verdict {
        let outcomes = self.comparer.compare(a, b);
        self.scorer.verdict((a, b), &outcomes)
    }

    /// The same of many pairs, each given with its position: it takes less time than alone.
    pub fn verdicts(&mut self, pairs: &[(u32, u32)], mut each: impl FnMut(usize, Verdict)) {
        self.comparer.compare_all(pairs, |place, outcomes| {
            each(place, self.scorer.verdict(pairs[place], outcomes));
        });
    }

    /// The levels of a pair, by comparison.
    pub fn outcomes(&mut self, a: u32, b: u32) -> Outcomes {
        self.comparer.compare(a, b)
    }

    /// All that is to say of a pair.
    pub fn explain(&mut self, a: u32, b: u32) -> PairScore {
        let outcomes = self.comparer.compare(a, b);
        let verdict = self.verdict(a, b);
        let Scorer {
            model,
            records,
            weights,
            ..
        } = self.scorer;
        let bare = |name: &str, weight: i32| Contribution {
            name: name.to_owned(),
            level: String::new(),
            values: [String::new(), String::new()],
            weight,
        };
        let mut contributions = vec![bare("prior", weights.prior())];
        for (position, comparison) in model.comparisons.iter().enumerate() {
            let outcome = outcomes[position];
            let values = |record: u32| {
                let texts: Vec<&str> = comparison
                    .columns
                    .iter()
                    .flat_map(|&column| {
                        let column = &records.columns[column];
                        column
                            .of(record)
                            .iter()
                            .map(|&value| &*column.values[value as usize].text)
                    })
                    .collect();
                texts.join(", ")
            };
            contributions.push(Contribution {
                name: comparison.name.clone(),
                level: match outcome.level() {
                    0 => String::new(),
                    level => comparison.levels[usize::from(level) - 1].label.clone(),
                },
                values: [values(a), values(b)],
                weight: weights.of(position, outcome)[0],
            });
        }
        let others = weights.others(&outcomes);
        if others != 0 {
            contributions.push(bare("household or namesake", others));
        }
        let sum: i32 = contributions.iter().map(|one| one.weight).sum();
        if verdict.weight != sum {
            contributions.push(bare("rule", verdict.weight - sum));
        }
        PairScore {
            weight: verdict.weight,
            probability: verdict.probability,
            household: verdict.household,
            contributions,
        }
    }
}

/// All that a model says of two records.
///
/// # Errors
/// When the records have other columns than the model.
pub fn pair(model: &Model, records: &Records, a: u32, b: u32) -> Result<PairScore, Error> {
    let scorer = Scorer::new(model, records)?;
    Ok(scorer.scoring().explain(a, b))
}
