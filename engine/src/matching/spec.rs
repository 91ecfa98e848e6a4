//! What to match and how: what a matcher is created from.

use serde::{Deserialize, Serialize};

use super::Meaning;
use super::records::{Column, Records};

/// A column to compare.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ColumnSpec {
    /// Its name.
    pub name: String,
    /// What it says.
    pub meaning: Meaning,
}

/// Which part of a value two records must share.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SamePart {
    /// All of it.
    Whole,
    /// So many characters at its start; of a birth date 4 are the year.
    Prefix(u8),
    /// So many characters at its end.
    Suffix(u8),
}

impl SamePart {
    /// That part of a value; none of one that is too short.
    pub fn of(self, text: &str) -> Option<&str> {
        let cut = |chars: usize| {
            text.char_indices()
                .map(|(position, _)| position)
                .chain([text.len()])
                .nth(chars)
        };
        match self {
            SamePart::Whole => Some(text),
            SamePart::Prefix(len) => cut(usize::from(len)).map(|end| &text[..end]),
            SamePart::Suffix(len) => text
                .chars()
                .count()
                .checked_sub(usize::from(len))
                .and_then(cut)
                .map(|start| &text[start..]),
        }
    }
}

/// A condition of a [`SureRule`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Same {
    /// The column.
    pub column: String,
    /// The part of it.
    #[serde(default = "whole")]
    pub part: SamePart,
}

fn whole() -> SamePart {
    SamePart::Whole
}

/// Records that share all of this are one person, whatever else they say.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SureRule {
    /// All that must be the same.
    pub same: Vec<Same>,
}

/// What can be set; the defaults serve.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// For what is drawn by chance.
    pub seed: u64,
    /// How many threads to use.
    pub threads: usize,
    /// Hold at least this precision of pairs, instead of the best balance of precision and recall.
    pub precision: Option<f64>,
    /// How many random pairs to look at, to find how often unrelated records agree.
    pub random_pairs: u32,
    /// How many pairs to look at for each way in which one person's records can be found.
    pub training_pairs: u32,
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            seed: 1,
            threads: 2,
            precision: None,
            random_pairs: 250_000,
            training_pairs: 60_000,
        }
    }
}

/// What to match and how.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Spec {
    /// The columns to compare, as [`Records`] has them.
    pub columns: Vec<ColumnSpec>,
    /// What is a match without weighing.
    #[serde(default)]
    pub rules: Vec<SureRule>,
    /// What can be set.
    #[serde(default)]
    pub settings: Settings,
}

impl Spec {
    /// Of these columns, all else by default.
    pub fn new<'a>(columns: impl IntoIterator<Item = (&'a str, Meaning)>) -> Self {
        Spec {
            columns: columns
                .into_iter()
                .map(|(name, meaning)| ColumnSpec {
                    name: name.to_owned(),
                    meaning,
                })
                .collect(),
            rules: Vec::new(),
            settings: Settings::default(),
        }
    }

    /// No records yet, with these columns.
    pub fn records(&self) -> Records {
        Records::new(
            self.columns
                .iter()
                .map(|column| Column::new(column.name.clone(), column.meaning))
                .collect(),
        )
    }
}

/// Why there is no model.
#[derive(Clone, Debug, PartialEq)]
pub enum Error {
    /// The caller gave up.
    Cancelled,
    /// No column that can be compared.
    NoColumns,
    /// The records have other columns than the specification or the model.
    OtherColumns,
    /// A rule names a column that is not there.
    UnknownColumn(String),
    /// More comparisons than a pattern can hold.
    TooManyColumns(usize),
    /// A setting out of its range: what it must be.
    Setting(&'static str),
}

impl std::fmt::Display for Error {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Error::Cancelled => f.write_str("cancelled"),
            Error::NoColumns => f.write_str("no column that can be compared"),
            Error::OtherColumns => f.write_str("the records have other columns than the matcher"),
            Error::UnknownColumn(name) => {
                write!(f, "a rule names column \"{name}\", which is not there")
            }
            Error::TooManyColumns(most) => {
                write!(f, "too many columns: at most {most} comparisons")
            }
            Error::Setting(must) => f.write_str(must),
        }
    }
}

impl std::error::Error for Error {}
