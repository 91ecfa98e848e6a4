//! Blocking: which pairs of records are compared at all.
//!
//! Of n records there are n²/2 pairs; only those that agree on something are worth a look. A [`Rule`]
//! says on what; the records that agree on all its terms are a *block*, and each two of a block are a
//! pair. Rules are stated, or [chosen](choose()) from the values themselves.
//!
//! - **Caps.** A block of more records than its rule's cap gives no pair by that rule: a default value, a
//!   blank, a family of placeholders. Which records are in the block alone decides, never their order.
//!   Such blocks are [reported](RuleReport::overfull); the other rules go on.
//! - **Once.** A pair is given once, with all the rules that have it in a block.
//! - **Memory.** [`Blocks`] holds for each key of a record that is in a block about 6 bytes: 57 MB for 18
//!   rules of a million persons, 3 bytes a record and rule. While they are
//!   built, keys are brought together in a quarter of the memory allowed: where those of all records do not
//!   fit, for some of the keys at a time. [`Hashed`] holds besides 8 bytes, or 12, for each distinct value
//!   of a column and part of it that a rule wants. Pairs are streamed: an eighth of the memory
//!   allowed is taken for those in hand.
//! - **Two files.** With [`Settings::second`] only pairs across the two are given.
//! - **One record.** [`live`](super::live) gives the same keys for a record alone.

mod blocks;
mod candidates;
mod choose;
mod evidence;
mod given;
mod group;
pub(super) mod in_order;
pub(crate) mod key;
mod part;
mod parts;
mod phonetic;
mod recall;
mod report;
mod rule;
mod stream;
pub(crate) mod threads;
mod trial;

#[cfg(test)]
mod tests;

use std::fmt;

pub use blocks::{Blocks, predict};
pub use choose::{Budget, choose};
pub use in_order::{Key, Share};
pub use part::Part;
pub use parts::Hashed;
pub use recall::{Captures, Recall};
pub use report::{Overfull, RuleReport};
pub use rule::{DEFAULT_CAP, NoRule, Rule, Term};
pub use stream::Chunk;

/// How many rules there may be.
pub const MOST_RULES: usize = 64;

/// How blocking is done; nothing of it changes which pairs are given, but `second`.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// How much memory blocks may take, in bytes.
    pub memory: u64,
    /// How many threads work.
    pub threads: usize,
    /// Where the second of two files begins, in which case only pairs across them are given.
    pub second: Option<u32>,
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            memory: 2 << 30,
            threads: std::thread::available_parallelism().map_or(1, usize::from),
            second: None,
        }
    }
}

/// Why there are no blocks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BlockingError {
    /// A rule names a column that is not there.
    Column {
        /// The rule.
        rule: String,
        /// The column.
        column: String,
    },
    /// There are more rules than [`MOST_RULES`].
    TooManyRules(usize),
    /// More memory would be needed than is allowed.
    Memory {
        /// How many bytes are needed, at least.
        needed: u64,
        /// How many are allowed.
        allowed: u64,
        /// The rule that was in hand.
        rule: String,
    },
    /// It was told to stop.
    Cancelled,
}

impl fmt::Display for BlockingError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            BlockingError::Column { rule, column } => {
                write!(
                    f,
                    "blocking rule \"{rule}\": there is no column \"{column}\""
                )
            }
            BlockingError::TooManyRules(rules) => {
                write!(
                    f,
                    "there are {rules} blocking rules, of at most {MOST_RULES}"
                )
            }
            BlockingError::Memory {
                needed,
                allowed,
                rule,
            } => write!(
                f,
                "blocking rule \"{rule}\" needs {} MB of memory, more than the {} MB allowed",
                needed.div_ceil(1 << 20),
                allowed >> 20
            ),
            BlockingError::Cancelled => f.write_str("cancelled"),
        }
    }
}

impl std::error::Error for BlockingError {}
