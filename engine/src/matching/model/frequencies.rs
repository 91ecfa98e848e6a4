//! How frequent values are.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::matching::prepare::ShortMap;
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
        let counts: Vec<u32> = column.values.iter().map(|value| value.count).collect();
        Self::counted(&counts, |value| {
            column.values[value as usize].text.to_string()
        })
    }

    /// Those of values that so many records hold, with the text of each.
    pub(in crate::matching) fn counted(counts: &[u32], text: impl Fn(u32) -> String) -> Self {
        // All of one count are kept or none, so that the order of records says nothing.
        let least = if counts.len() > KEPT {
            let mut counts = counts.to_vec();
            let (_, &mut count, _) = counts.select_nth_unstable_by(KEPT, |a, b| b.cmp(a));
            (count + 1).max(2)
        } else {
            2
        };
        let (mut total, mut pairs) = (0_u64, 0_u128);
        let (mut rare, mut of_rare) = (0_u64, 0_u64);
        let mut frequent = Vec::new();
        for (value, &count) in (0..).zip(counts) {
            total += u64::from(count);
            pairs += u128::from(count) * u128::from(count.saturating_sub(1));
            if count >= least {
                frequent.push((text(value), count));
            } else {
                rare += 1;
                of_rare += u64::from(count);
            }
        }
        Frequencies {
            total,
            distinct: counts.len() as u32,
            same: if total > 1 {
                pairs as f64 / (total as f64 * (total - 1) as f64)
            } else {
                0.0
            },
            frequent: frequent.into_iter().collect(),
            other: (of_rare + rare / 2).checked_div(rare).unwrap_or(1).max(1) as u32,
        }
    }

    /// How many bytes those of so many values take at most, while they are found.
    pub(in crate::matching) fn most_bytes(values: usize) -> usize {
        values.min(KEPT) * 128 + values * 8
    }

    /// How many records hold a value, as far as it is known.
    pub fn count(&self, text: &str) -> u32 {
        self.frequent.get(text).copied().unwrap_or(self.other)
    }

    /// How many records hold a value that is not known.
    pub(in crate::matching) fn other(&self) -> u32 {
        self.other
    }

    /// How many values have a count of their own.
    pub(in crate::matching) fn kept(&self) -> usize {
        self.frequent.len()
    }

    /// The counts of the frequent ones, to be looked up often.
    pub(in crate::matching) fn by_text(&self) -> ShortMap<&str, u32> {
        self.frequent
            .iter()
            .map(|(text, &count)| (text.as_str(), count))
            .collect()
    }

    /// What [`count`](Self::count) says of a value of those that were counted.
    pub(in crate::matching) fn by_count(&self) -> impl Fn(u32) -> u32 + use<> {
        let least = self.frequent.values().copied().min().unwrap_or(u32::MAX);
        let other = self.other;
        move |count| if count >= least { count } else { other }
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
