//! Blocking: which pairs of records are compared at all.
//!
//! Of n records there are n²/2 pairs; only those that agree on something are worth a look. A [`Rule`]
//! says on what; the records that agree on all its terms are a *block*, and each two of a block are a
//! pair. Rules are stated, or [chosen](choose()) from the values themselves.
//!
//! - **Caps.** A block of more records than its rule's cap gives no pair by that rule: a default value, a
//!   blank, a family of placeholders. Which records are in the block alone decides, never their order.
//!   Such blocks are [reported](RuleReport::overfull); the other rules go on.
//! - **Once.** A pair is given by the first rule that has it in a block, and by none after.
//! - **Memory.** [`Blocks`] holds for each record and rule 4 bytes, and for each key of a record that is in
//!   a block about 6 (20 more where a record has several keys by one rule); while they are built 36 for
//!   each key of the rule in hand, and up to 32 for each record. Pairs are streamed, never held.
//! - **Two files.** With [`Settings::second`] only pairs across the two are given.
//! - **One record.** [`live`](super::live) gives the same keys for a record alone.

mod blocks;
mod candidates;
mod choose;
mod evidence;
pub(crate) mod key;
mod part;
mod phonetic;
mod recall;
mod rule;
mod stream;
pub(crate) mod threads;
mod trial;

#[cfg(test)]
mod tests;

use std::fmt;

pub use blocks::{Blocks, Overfull, RuleReport, predict};
pub use choose::{Budget, choose};
pub use part::Part;
pub use recall::{Recall, estimate_recall};
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
