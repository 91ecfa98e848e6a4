//! How right clusters are, expected from the weights.

use serde::{Deserialize, Serialize};

use super::linkage::Join;
use super::{PARTS, Tree, probability};

/// What is expected of the clusters at a threshold.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Expected {
    /// The threshold, in hundredths of a bit.
    pub threshold: i32,
    /// How many pairs are in one cluster.
    pub pairs: u64,
    /// How many of them are one person.
    pub right: f64,
    /// Their share.
    pub precision: f64,
    /// Where it lies with 95 % certainty, if probabilities are right.
    pub interval: (f64, f64),
    /// The share of all pairs of one person that are in one cluster.
    pub recall: f64,
    /// The harmonic mean of precision and recall.
    pub f1: f64,
}

impl Tree {
    /// What is expected at each threshold at which something joins, the highest first. `missed` is how many
    /// pairs of one person no rule finds.
    pub fn expected(&self, missed: f64) -> Vec<Expected> {
        let (mut pairs, mut right, mut variance) = (0, 0.0, 0.0);
        let mut curve: Vec<Expected> = Vec::new();
        let alone: u64 = self.joins.iter().map(|join| join.right).sum();
        let together: f64 = self.joins.iter().map(Join::right).sum();
        let others = self.right.saturating_sub(alone) as f64 / PARTS;
        let total = others + together + missed;
        for (position, join) in self.joins.iter().enumerate() {
            pairs += join.pairs;
            right += join.right();
            // The pairs of a join are right together or wrong together.
            let share = probability(f64::from(join.height));
            variance += share * (1.0 - share) * (join.pairs as f64).powi(2);
            let ends = self
                .joins
                .get(position + 1)
                .is_none_or(|next| next.height < join.height);
            if ends && pairs > 0 {
                curve.push(Expected::of(
                    join.height,
                    pairs,
                    right,
                    variance,
                    total.max(right),
                ));
            }
        }
        curve
    }

    /// The threshold with the highest expected F1.
    pub fn best(&self, missed: f64) -> Option<Expected> {
        self.expected(missed)
            .into_iter()
            .reduce(|best, next| if next.f1 > best.f1 { next } else { best })
    }

    /// The lowest threshold whose clusters have at least this precision, by the lower end of its interval.
    pub fn precise(&self, precision: f64, missed: f64) -> Option<Expected> {
        self.expected(missed)
            .into_iter()
            .rev()
            .find(|expected| expected.interval.0 >= precision)
    }
}

impl Join {
    /// How many of its pairs are right: all or none, by its height.
    fn right(&self) -> f64 {
        self.pairs as f64 * probability(f64::from(self.height))
    }
}

impl Expected {
    fn of(threshold: i32, pairs: u64, right: f64, variance: f64, total: f64) -> Self {
        let count = pairs as f64;
        let precision = right / count;
        let recall = right / total;
        // At least one join more may go either way.
        let spread = 1.96 * (variance + 1.0).sqrt() / count;
        Expected {
            threshold,
            pairs,
            right,
            precision,
            interval: ((precision - spread).max(0.0), (precision + spread).min(1.0)),
            recall,
            f1: 2.0 * right / (count + total),
        }
    }
}
