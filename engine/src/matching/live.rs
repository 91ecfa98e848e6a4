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

    /// The keys of all records, and `more`, each once: of so many shares of all keys one. `names` are those of
    /// the records. Shares follow one another in the order of keys, and so do the parts of each. Nothing is
    /// given when it is told to stop.
    pub fn of_all(
        &self,
        (records, names): (&Records, &[i64]),
        more: &[Key],
        share: Share,
        threads: usize,
        cancel: &Cancel,
    ) -> Option<Vec<Vec<Key>>> {
        /// Records that are worked on in one go.
        const RANGE: usize = 1 << 13;
        let parts: Vec<Mutex<Vec<Key>>> = (0..Share::PARTS).map(|_| Mutex::default()).collect();
        let ranges = threads::ranges(records.len() as usize, RANGE);
        threads::each_of(&ranges, threads, |range| {
            if cancel.is_set() {
                return;
            }
            let mut found: Vec<Vec<Key>> = (0..Share::PARTS).map(|_| Vec::new()).collect();
            let mut texts = Vec::new();
            for record in range.clone() {
                said(records, record as u32, &mut texts);
                for (rule, key) in self.of(&texts) {
                    let key = key as i64;
                    if let Some(part) = share.part(key) {
                        let (rule, name) = (rule as i16, names[record]);
                        found[part].push(Key { key, rule, name });
                    }
                }
            }
            for (part, found) in parts.iter().zip(found) {
                let mut part = part.lock().unwrap_or_else(PoisonError::into_inner);
                part.extend(found);
            }
        });
        for key in more {
            if let Some(part) = share.part(key.key) {
                let mut part = parts[part].lock().unwrap_or_else(PoisonError::into_inner);
                part.push(*key);
            }
        }
        let sorted = threads::each_of(&parts, threads, |part| {
            let mut part = part.lock().unwrap_or_else(PoisonError::into_inner);
            let mut keys = std::mem::take(&mut *part);
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
    pub rule: i16,
    /// The name of the record.
    pub name: i64,
}

/// One of so many shares of all keys: a range of them.
#[derive(Clone, Copy, Debug)]
pub struct Share {
    /// Which one, from 0.
    pub number: u32,
    /// How many there are.
    pub of: u32,
}

impl Share {
    /// Each is sorted by itself.
    const PARTS: u32 = 64;

    /// The part of this share that a key is in, if it is in any.
    fn part(self, key: i64) -> Option<usize> {
        let place = (unsigned(key) * u128::from(self.of * Self::PARTS)) >> 64;
        let place = place as u32;
        (place / Self::PARTS == self.number).then_some((place % Self::PARTS) as usize)
    }

    /// The least and the greatest key.
    pub fn range(self) -> (i64, i64) {
        let start = |number: u32| (u128::from(number) << 64).div_ceil(u128::from(self.of));
        let signed = |number: u128| (number as u64 ^ 1 << 63) as i64;
        (
            signed(start(self.number)),
            signed(start(self.number + 1) - 1),
        )
    }
}

/// In the order of signed numbers, from 0.
fn unsigned(key: i64) -> u128 {
    u128::from(key as u64 ^ 1 << 63)
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
        let names: Vec<i64> = (0..20_000).map(|n: i64| n * 7_919 % 20_011).collect();
        let more = [i64::MIN, -1, 0, 77, i64::MAX].map(|key| Key {
            key,
            rule: -1,
            name: 5,
        });
        let mut expected = more.to_vec();
        let mut texts = Vec::new();
        for record in 0..records.len() {
            said(&records, record, &mut texts);
            let of = keys.of(&texts).into_iter();
            expected.extend(of.map(|(rule, key)| Key {
                key: key as i64,
                rule: rule as i16,
                name: names[record as usize],
            }));
        }
        expected.sort_unstable();
        assert_eq!(expected.len(), 80_005);
        let cancel = Cancel::default();
        for (shares, threads) in [(1, 1), (1, 3), (5, 2)] {
            let mut found = Vec::new();
            let mut next = i128::from(i64::MIN);
            for number in 0..shares {
                let share = Share { number, of: shares };
                let parts = keys.of_all((&records, &names), &more, share, threads, &cancel);
                let (least, greatest) = share.range();
                assert_eq!(i128::from(least), next);
                next = i128::from(greatest) + 1;
                for key in parts.expect("not cancelled").into_iter().flatten() {
                    assert!((least..=greatest).contains(&key.key));
                    found.push(key);
                }
            }
            assert_eq!(next, i128::from(i64::MAX) + 1);
            assert!(found == expected, "{shares} shares, {threads} threads");
        }
        assert_eq!(keys.shares(&records, u64::MAX), 1);
        assert_eq!(keys.shares(&records, 80_000 * 24), 2);
        cancel.set();
        let share = Share { number: 0, of: 1 };
        assert_eq!(
            keys.of_all((&records, &names), &[], share, 2, &cancel),
            None
        );
    }
}
