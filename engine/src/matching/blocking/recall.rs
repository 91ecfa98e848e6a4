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

/// Estimates the share of the pairs of one person that rules find, from pairs that they found: for each
/// which of so many rules have it ([`Blocks::mask`](super::Blocks::mask)), and the probability that it is
/// one person. A sample will do.
pub fn estimate_recall(rules: usize, pairs: impl IntoIterator<Item = (u64, f64)>) -> Recall {
    let (mut found, mut once, mut twice) = (0.0f64, 0.0f64, 0.0f64);
    for (mask, probability) in pairs {
        found += probability;
        match mask.count_ones() {
            1 => once += probability,
            2 => twice += probability,
            _ => {}
        }
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_how_many_independent_rules_miss() {
        // Four rules, each of which finds a pair with the same chance: binomial counts.
        for chance in [0.9f64, 0.6, 0.4] {
            let total = 100_000.0;
            let pairs = (1u64..16).map(|mask| {
                let hits = mask.count_ones() as i32;
                let share = chance.powi(hits) * (1.0 - chance).powi(4 - hits);
                (mask, share * total)
            });
            let recall = estimate_recall(4, pairs);
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
        assert_eq!(estimate_recall(3, []).recall, 1.0);
        assert_eq!(estimate_recall(3, [(1, 1.0)]).recall, 1.0);
    }
}
