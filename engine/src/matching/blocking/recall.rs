//! How many pairs of one person the rules find, estimated without the truth.
//!
//! By capture and recapture: pairs that only one rule found are close to those that none did. With f₁
//! pairs found by just one of t rules and f₂ by just two, at least (t - 1) / t · f₁² / 2 f₂ are found by
//! none (Chao, 1987): at least, because pairs that are hard to find for one rule are so for others too.
//! It holds as far as rules differ; those that look at the same column find much the same.

use serde::{Deserialize, Serialize};

/// What rules find, of all there is.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Recall {
    /// How many pairs of one person they found, by the probabilities given.
    pub found: f64,
    /// How many more there are, at least.
    pub missed: f64,
    /// The share found, at most; 1 where there is nothing to find.
    pub recall: f64,
}

/// By how many rules pairs of one person were found. The order of pairs does not matter: sums are of whole
/// numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Captures {
    found: u64,
    once: u64,
    twice: u64,
}

/// The probability of a pair is counted in so small parts.
const PARTS: f64 = (1u64 << 32) as f64;

impl Captures {
    /// Counts a pair: which rules have it ([`Chunk::rules`](super::Chunk::rules)), and the probability that
    /// it is one person.
    pub fn add(&mut self, rules: u64, probability: f64) {
        let parts = (probability * PARTS) as u64;
        self.found += parts;
        match rules.count_ones() {
            1 => self.once += parts,
            2 => self.twice += parts,
            _ => {}
        }
    }

    /// Counts what others have counted.
    pub fn merge(&mut self, other: &Captures) {
        self.found += other.found;
        self.once += other.once;
        self.twice += other.twice;
    }

    /// The share of the pairs of one person that so many rules find.
    pub fn recall(&self, rules: usize) -> Recall {
        let [found, once, twice] =
            [self.found, self.once, self.twice].map(|parts| parts as f64 / PARTS);
        let turns = rules.max(1) as f64;
        let missed = (turns - 1.0) / turns * once * (once - 1.0).max(0.0) / (2.0 * (twice + 1.0));
        Recall {
            found,
            missed,
            recall: if found > 0.0 {
                found / (found + missed)
            } else {
                1.0
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_how_many_independent_rules_miss() {
        // Four rules, each of which finds a pair with the same chance: binomial counts.
        for chance in [0.9f64, 0.6, 0.4] {
            let total = 100_000.0;
            let mut captures = Captures::default();
            for rules in 1u64..16 {
                let hits = rules.count_ones() as i32;
                let share = chance.powi(hits) * (1.0 - chance).powi(4 - hits);
                let mut others = Captures::default();
                others.add(rules, share * total);
                captures.merge(&others);
            }
            let recall = captures.recall(4);
            let truth = 1.0 - (1.0 - chance).powi(4);
            assert!((recall.found / total - truth).abs() < 1e-9);
            assert!(
                (recall.recall - truth).abs() < 1e-3,
                "{} for {truth}",
                recall.recall
            );
        }
    }

    #[test]
    fn nothing_found_is_nothing_missed() {
        assert_eq!(Captures::default().recall(3).recall, 1.0);
        let mut one = Captures::default();
        one.add(1, 1.0);
        assert_eq!(one.recall(3).recall, 1.0);
    }
}
