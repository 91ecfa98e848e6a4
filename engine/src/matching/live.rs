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

use super::Records;
use super::blocking::in_order::InOrder;
use super::blocking::key::{self, Found};
use super::blocking::{BlockingError, Hashed, Key, MOST_RULES, Rule, Share};
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

    /// Gives `each` the keys of all records, rule after rule (by its position), in their order within each; see
    /// [`Share`]. `names` are those of the records. One share takes no more than this memory. Whether all were
    /// given: not when it is told to stop, nor when `each` says no.
    pub fn of_all(
        &self,
        (records, names): (&Records, &[i64]),
        memory: u64,
        threads: usize,
        cancel: &Cancel,
        mut each: impl FnMut(u16, Share, Vec<Vec<Key>>) -> bool,
    ) -> bool {
        let in_order = InOrder::new(Hashed::new(records), names, threads, cancel);
        self.rules.iter().zip(0..).all(|(rule, position)| {
            in_order.by(rule, memory, |share, keys| each(position, share, keys))
        })
    }

    /// How many rules there are.
    pub fn rules(&self) -> u16 {
        self.rules.len() as u16
    }

    /// How many records a block of a rule may hold.
    pub fn cap(&self, rule: u16) -> u32 {
        self.rules[usize::from(rule)].cap
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
        let mut expected: Vec<(u16, Key)> = Vec::new();
        for record in 0..records.len() {
            let said = said(&records, record);
            let name = names[record as usize];
            let of = keys.of(&[said]).into_iter();
            expected.extend(of.map(|(rule, key)| {
                let key = key as i64;
                (rule, Key { key, name })
            }));
        }
        expected.sort_unstable();
        assert_eq!(expected.len(), 80_000);
        let cancel = Cancel::default();
        let given = (&records, &names[..]);
        for (memory, threads) in [(u64::MAX, 1), (u64::MAX, 3), (1 << 20, 2)] {
            let mut found = Vec::new();
            let mut shares = 0;
            let mut next = i128::from(i64::MIN);
            let all = keys.of_all(given, memory, threads, &cancel, |rule, share, parts| {
                let (least, greatest) = share.range();
                assert_eq!(i128::from(least), next);
                next = match greatest {
                    i64::MAX => i128::from(i64::MIN),
                    greatest => i128::from(greatest) + 1,
                };
                for key in parts.into_iter().flatten() {
                    assert!((least..=greatest).contains(&key.key));
                    found.push((rule, key));
                }
                shares += 1;
                true
            });
            assert!(
                all && found == expected,
                "{memory} bytes, {threads} threads"
            );
            assert_eq!(shares > 2, memory < u64::MAX, "{shares}");
        }
        assert!(!keys.of_all(given, u64::MAX, 1, &cancel, |rule, _, _| rule < 1));
        cancel.set();
        assert!(!keys.of_all(given, u64::MAX, 2, &cancel, |_, _, _| true));
    }

    fn said(records: &Records, record: u32) -> Vec<&str> {
        let column = &records.columns[0];
        let values = column.of(record).iter();
        values
            .map(|&value| &*column.values[value as usize].text)
            .collect()
    }
}
