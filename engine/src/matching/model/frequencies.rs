//! How frequent values are.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::matching::records::Column;

/// How many values are kept with a count of their own.
const KEPT: usize = 50_000;

/// How frequent the values of a column are.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Frequencies {
    /// How many values all records hold.
    pub total: u64,
    /// How many distinct ones.
    pub distinct: u32,
    /// How often two random values are the same.
    pub same: f64,
    /// The counts of the frequent ones.
    frequent: BTreeMap<String, u32>,
    /// The mean count of the others.
    other: u32,
}

impl Frequencies {
    /// Those of a column.
    pub fn of(column: &Column) -> Self {
        let mut counts: Vec<u32> = column.values.iter().map(|value| value.count).collect();
        counts.sort_unstable_by(|a, b| b.cmp(a));
        // All of one count are kept or none, so that the order of records says nothing.
        let least = counts.get(KEPT).map_or(2, |&count| (count + 1).max(2));
        let total: u64 = counts.iter().copied().map(u64::from).sum();
        let pairs: u128 = counts
            .iter()
            .map(|&count| u128::from(count) * u128::from(count.saturating_sub(1)))
            .sum();
        let rare: Vec<u64> = counts
            .iter()
            .filter(|&&count| count < least)
            .map(|&count| u64::from(count))
            .collect();
        let other = match rare.len() as u64 {
            0 => 1,
            len => ((rare.iter().sum::<u64>() + len / 2) / len).max(1) as u32,
        };
        Frequencies {
            total,
            distinct: counts.len() as u32,
            same: if total > 1 {
                pairs as f64 / (total as f64 * (total - 1) as f64)
            } else {
                0.0
            },
            frequent: column
                .values
                .iter()
                .filter(|value| value.count >= least)
                .map(|value| (value.text.to_string(), value.count))
                .collect(),
            other,
        }
    }

    /// How many records hold a value, as far as it is known.
    pub fn count(&self, text: &str) -> u32 {
        self.frequent.get(text).copied().unwrap_or(self.other)
    }

    /// Which share of all values this is.
    pub fn share(&self, text: &str) -> f64 {
        f64::from(self.count(text)) / self.total.max(1) as f64
    }

    /// The most frequent values with their counts.
    pub fn most_frequent(&self, len: usize) -> Vec<(&str, u32)> {
        let mut all: Vec<(&str, u32)> = self
            .frequent
            .iter()
            .map(|(text, &count)| (&**text, count))
            .collect();
        all.sort_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(b.0)));
        all.truncate(len);
        all
    }
}
