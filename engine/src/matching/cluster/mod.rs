//! From pairs to persons.
//!
//! Pairs that agree well enough make components; but one wrong pair would make one person of two
//! families. So clusters are joined only when the records of both agree *on average* (average linkage): the
//! pair of clusters that agree best joins first, and pairs that no rule found, or whose evidence is
//! against, count as much as the one that is for. What a single pair holds together stays apart.
//!
//! All that is done once, for every threshold: the [`Tree`] of joins says how surely two clusters are one
//! person, so the expected precision and recall of the clusters are known for any threshold, and
//! the best one can be [chosen](Tree::best), or one that [holds a precision](Tree::precise).
//!
//! Work and memory grow with the number of pairs, not with the square of a component's size: beside the
//! pairs given 16 bytes a record while the tree is built; of what is in components 32 more a record and 12 a
//! pair; and 320 a pair of the large components in hand, one a thread. What that comes to is known, and
//! refused where it is too much, before it is taken.
//!
//! Weights are whole hundredths of a bit and sums of them exact: neither the order of records and pairs
//! nor the number of threads changes what comes out.

mod expected;
mod linkage;
mod tree;

#[cfg(test)]
mod tests;

pub use expected::Expected;
pub use tree::Tree;

/// What tells records apart whatever their order, by which ties are broken.
pub trait Naming: Sync {
    /// A number of the record: mostly its own.
    fn name(&self, record: u32) -> u32;
    /// A number of what it says. Asked where names are alike.
    fn content(&self, record: u32) -> u64;
}

/// A pair of records and the logarithm of the odds that both are one person, in hundredths of a bit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct ScoredPair {
    /// A record.
    pub a: u32,
    /// Another.
    pub b: u32,
    /// The weight.
    pub weight: i32,
}

/// How clusters are made.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Settings {
    /// Clusters whose pairs average less than this, in hundredths of a bit, never join.
    pub lowest: i32,
    /// What a pair weighs that no rule found: not over `lowest`.
    pub absent: i32,
    /// The weight of a pair of which nothing is known: the prior odds. A model knows it.
    pub prior: i32,
    /// Records that agree on average agree more surely when they are many: evidence beyond the prior counts
    /// as often as the pairs between two clusters, to this power. 0 takes all for one observation, 1 for
    /// as many that do not depend on one another.
    pub growth: f64,
    /// No pair weighs more than this, for or against: one value cannot outvote all others.
    pub most: i32,
    /// Components of up to so many records have every pair scored, when a scorer is given; in larger
    /// ones a pair that no rule found weighs `absent`.
    pub scored_wholly: usize,
    /// Where the second of two files begins.
    pub second: Option<u32>,
    /// Which of the two files has no duplicates: no cluster holds two of its records.
    pub single: [bool; 2],
    /// How many threads work.
    pub threads: usize,
    /// Bytes that the tree may take while it is built.
    pub memory: u64,
}

/// Why there is no tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Error {
    /// The caller gave up.
    Cancelled,
    /// It would take more memory than it may.
    Memory {
        /// Bytes.
        needed: u64,
        /// Bytes.
        allowed: u64,
    },
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            lowest: -300,
            absent: -600,
            prior: -1400,
            growth: 0.15,
            most: 1500,
            scored_wholly: 100,
            second: None,
            single: [false; 2],
            threads: std::thread::available_parallelism().map_or(1, usize::from),
            memory: u64::MAX,
        }
    }
}

/// Scores pairs that no rule found.
pub type Score<'a> = &'a (dyn Fn(&[(u32, u32)]) -> Vec<i32> + Sync);

/// The probability that a weight stands for.
pub(crate) fn probability(weight: f64) -> f64 {
    1.0 / (1.0 + (-weight / 100.0).exp2())
}

/// Sums of probabilities are exact in these parts of one, so that no order of adding changes them.
pub(crate) const PARTS: f64 = (1u64 << 24) as f64;

/// The probability that a weight stands for, in whole parts.
pub(crate) fn probability_in_parts(weight: i32) -> u64 {
    (probability(f64::from(weight)) * PARTS).round() as u64
}
