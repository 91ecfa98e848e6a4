//! What is known of how records of one person, of one household and of strangers agree.

mod em;
mod frequencies;
mod weights;

pub(super) use em::{
    Data, Fit, Half, Labelled, Masked, Parameters, Pattern, Stratum, fit, likelihood, misfit,
    pattern, prior,
};
pub use frequencies::Frequencies;
pub use weights::{Verdict, Weights, probability};

use serde::{Deserialize, Serialize};

use super::comparison::{Comparison, Kind};
use super::spec::{ColumnSpec, Settings, SureRule};

/// The version of the form of a model.
pub const VERSION: u32 = 1;

/// What two records are to each other, beside strangers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Class {
    /// One person.
    Person,
    /// Two persons of one household.
    Household,
    /// Two persons of one name.
    Namesake,
}

/// A level of a comparison.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LevelModel {
    /// Its name.
    pub label: String,
    /// How often pairs of each class of the model show it, if both have a value.
    pub m: Vec<f64>,
    /// How often strangers do.
    pub u: f64,
}

/// A comparison.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ComparisonModel {
    /// Its name.
    pub name: String,
    /// How it compares.
    pub kind: Kind,
    /// Positions of its columns.
    pub columns: Vec<usize>,
    /// The levels, the strongest first.
    pub levels: Vec<LevelModel>,
    /// How frequent values are, by part.
    pub frequencies: Vec<Frequencies>,
}

/// How well the model fits what it was trained on.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct FitStatistic {
    /// Pairs it was trained on.
    pub pairs: u64,
    /// The mean logarithm (base 2) of the likelihood of a held-out pair, against strangers.
    pub held_out: f64,
    /// How much two comparisons tell of each other among pairs of one person, where the model has them
    /// tell nothing: the most of any two, in bits. Over 0.2 the probabilities are not to be trusted.
    pub misfit: f64,
}

/// A trained model. It scores any two records of its columns, whatever other records there are.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Model {
    /// [`VERSION`].
    pub version: u32,
    /// The columns.
    pub columns: Vec<ColumnSpec>,
    /// What is a match without weighing.
    pub rules: Vec<SureRule>,
    /// The settings it was trained by.
    pub settings: Settings,
    /// How many records it was trained on.
    pub records: u32,
    /// The classes beside strangers; the first is the person.
    pub classes: Vec<Class>,
    /// How often a random pair is of each class.
    pub priors: Vec<f64>,
    /// How many other records of one person a record has.
    pub duplicates: f64,
    /// The comparisons.
    pub comparisons: Vec<ComparisonModel>,
    /// How well it fits.
    pub fit: FitStatistic,
    /// Pairs of at least this weight are matches: hundredths of a bit. Even odds, until clusters of
    /// records have shown a better one.
    pub threshold: i32,
}

impl Model {
    /// The comparisons, as [`Prepared`](super::prepare::Prepared) takes them.
    pub fn plan(&self) -> Vec<Comparison> {
        self.comparisons
            .iter()
            .map(|comparison| Comparison {
                name: comparison.name.clone(),
                kind: comparison.kind,
                columns: comparison.columns.clone(),
            })
            .collect()
    }

    /// The frequencies of values, by comparison and part.
    pub fn frequencies(&self) -> Vec<&[Frequencies]> {
        self.comparisons
            .iter()
            .map(|comparison| comparison.frequencies.as_slice())
            .collect()
    }
}
