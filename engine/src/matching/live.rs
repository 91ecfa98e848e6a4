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

use super::blocking::key::{self, Found};
use super::blocking::{BlockingError, MOST_RULES, Rule};

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

    /// How many records a block of a rule may hold.
    pub fn cap(&self, rule: u16) -> u32 {
        self.rules[usize::from(rule)].cap
    }
}
