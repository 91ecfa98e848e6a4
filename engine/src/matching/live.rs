//! The blocking keys of one record, to be stored and looked up.
//!
//! A table of (rule, key, record) finds the candidates of a record: those that share a key with it. That
//! gives the same pairs as [`Blocks`](super::blocking::Blocks) over all records do, when blocks are capped
//! as there: with a count of records for every (rule, key), a block whose count exceeds the rule's cap
//! gives no pair. So a record that takes a block past its cap withdraws the pairs that this block alone
//! gave; one that leaves it again at the cap brings them back. A pair is withdrawn unless its records share
//! another key whose block is within its cap.
//!
//! Keys stay the same in every version and on every platform.

use std::sync::{Mutex, PoisonError};

use super::Records;
use super::blocking::key::{self, Found};
use super::blocking::{BlockingError, MOST_RULES, Rule, threads};
use crate::background::Cancel;

/// Works out the keys of single records.
#[derive(Clone, Debug)]
pub struct LiveKeys {
    rules: Vec<Found>,
}

impl LiveKeys {
    /// Keys by these rules, of records with these columns.
    ///
    /// # Errors
    /// When a rule names no column, or there are too many.
    pub fn new(rules: &[Rule], columns: &[&str]) -> Result<Self, BlockingError> {
        if rules.len() > MOST_RULES {
            return Err(BlockingError::TooManyRules(rules.len()));
        }
        Ok(LiveKeys {
            rules: key::find(rules, columns)?,
        })
    }

    /// The keys of a record, of each rule none, one or several: the position of the rule, and the key.
    /// `values` are those of each column, in their one form.
    pub fn of<T: AsRef<str>>(&self, values: &[Vec<T>]) -> Vec<(u16, u64)> {
        let mut keys = Vec::new();
        for (position, rule) in self.rules.iter().enumerate() {
            keys.extend(
                key::of_texts(rule, values)
                    .into_iter()
                    .map(|key| (position as u16, key)),
            );
        }
        keys
    }

    /// In how many shares the keys of these records are to be worked out, so that each takes no more bytes.
    pub fn shares(&self, records: &Records, memory: u64) -> u32 {
        let sampled = (0..records.len()).step_by((records.len() as usize / 1000).max(1));
        let mut texts = Vec::new();
        let mut keys = 0;
        for record in sampled.clone() {
            said(records, record, &mut texts);
            keys += self.of(&texts).len() as u64;
        }
        let all = keys * u64::from(records.len()) / (sampled.len() as u64).max(1);
        // Room grows by doubling.
        let needed = all * 2 * size_of::<Key>() as u64;
        needed.div_ceil(memory.max(1)).clamp(1, 1 << 10) as u32
    }

    /// The keys of all records, each once: of so many shares of all keys one. One after the other the shares
    /// are in the order of keys, and so is what is given, one after the other. Nothing is given when it is
    /// told to stop.
    pub fn of_all(
        &self,
        records: &Records,
        (share, shares): (u32, u32),
        threads: usize,
        cancel: &Cancel,
    ) -> Option<Vec<Vec<Key>>> {
        /// Records that are worked on in one go.
        const RANGE: usize = 1 << 13;
        /// Parts of a share, each sorted by itself.
        const PARTS: u32 = 64;
        let parts: Vec<Mutex<Vec<Key>>> = (0..PARTS).map(|_| Mutex::default()).collect();
        let locked = |part: &Mutex<Vec<Key>>| -> Vec<Key> {
            std::mem::take(&mut *part.lock().unwrap_or_else(PoisonError::into_inner))
        };
        let ranges = threads::ranges(records.len() as usize, RANGE);
        threads::each_of(&ranges, threads, |range| {
            if cancel.is_set() {
                return;
            }
            let mut found: Vec<Vec<Key>> = (0..PARTS).map(|_| Vec::new()).collect();
            let mut texts = Vec::new();
            for record in range.clone() {
                let record = record as u32;
                said(records, record, &mut texts);
                for (rule, key) in self.of(&texts) {
                    let key = key as i64;
                    // Of signed numbers the order is that of unsigned ones with the other sign.
                    let place = u128::from(key as u64 ^ 1 << 63) * u128::from(shares * PARTS) >> 64;
                    let place = place as u32;
                    if place / PARTS == share {
                        found[(place % PARTS) as usize].push(Key { key, rule, record });
                    }
                }
            }
            for (part, found) in parts.iter().zip(found) {
                let mut part = part.lock().unwrap_or_else(PoisonError::into_inner);
                part.extend(found);
            }
        });
        let sorted = threads::each_of(&parts, threads, |part| {
            let mut keys = locked(part);
            if !cancel.is_set() {
                keys.sort_unstable();
                keys.dedup();
            }
            keys
        });
        (!cancel.is_set()).then_some(sorted)
    }

    /// How many records a block of a rule may hold.
    pub fn cap(&self, rule: u16) -> u32 {
        self.rules[usize::from(rule)].cap
    }
}

/// A key of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Key {
    /// The key, as a signed number.
    pub key: i64,
    /// The position of the rule.
    pub rule: u16,
    /// The record.
    pub record: u32,
}

/// What a record says, by column.
fn said<'a>(records: &'a Records, record: u32, texts: &mut Vec<Vec<&'a str>>) {
    texts.resize_with(records.columns.len(), Vec::new);
    for (column, texts) in records.columns.iter().zip(texts) {
        texts.clear();
        let values = column.of(record).iter();
        texts.extend(values.map(|&value| &*column.values[value as usize].text));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::matching::{Column, Meaning};

    #[test]
    fn all_keys_are_those_of_each_record_in_order() {
        let mut records = Records::new(vec![Column::new("name", Meaning::LastName)]);
        for n in 0..20_000 {
            let name = format!("name {}", n % 7_000);
            records.push_raw(&[vec![&*name, "other"]]);
        }
        let rules = ["name", "name up to 9"].map(|rule| rule.parse::<Rule>().expect("a rule"));
        let keys = LiveKeys::new(&rules, &["name"]).expect("keys");
        let mut expected = Vec::new();
        let mut texts = Vec::new();
        for record in 0..records.len() {
            said(&records, record, &mut texts);
            let of = keys.of(&texts).into_iter();
            expected.extend(of.map(|(rule, key)| Key {
                key: key as i64,
                rule,
                record,
            }));
        }
        expected.sort_unstable();
        assert_eq!(expected.len(), 80_000);
        let cancel = Cancel::default();
        for (shares, threads) in [(1, 1), (1, 3), (5, 2)] {
            let found: Vec<Key> = (0..shares)
                .flat_map(|share| keys.of_all(&records, (share, shares), threads, &cancel))
                .flatten()
                .flatten()
                .collect();
            assert_eq!(found, expected, "{shares} shares, {threads} threads");
        }
        assert_eq!(keys.shares(&records, u64::MAX), 1);
        assert_eq!(keys.shares(&records, 80_000 * 16), 2);
        cancel.set();
        assert_eq!(keys.of_all(&records, (0, 1), 2, &cancel), None);
    }
}
