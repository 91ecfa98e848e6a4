//! What rules give, and what they leave out.

use serde::{Deserialize, Serialize};

use super::super::Records;
use super::Rule;
use super::group::Block;
use super::key::{self, Found};

/// How many over-full blocks of a rule are reported one by one, the largest.
const REPORTED: usize = 20;

/// A block over its rule's cap: it gives no pair.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Overfull {
    /// What its records agree on.
    pub key: String,
    /// How many they are.
    pub records: u32,
    /// How many pairs they would be.
    pub pairs: u64,
}

/// What a rule gives.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RuleReport {
    /// The rule.
    pub rule: Rule,
    /// How many records have a key by it.
    pub records: u32,
    /// How many blocks give pairs.
    pub blocks: u64,
    /// The size of the largest of them.
    pub largest: u32,
    /// How many pairs they hold; earlier rules may have given some of them.
    pub pairs: u64,
    /// How many blocks are over the cap.
    pub overfull_blocks: u64,
    /// How many pairs those would hold.
    pub overfull_pairs: u64,
    /// The largest of them.
    pub overfull: Vec<Overfull>,
}

impl RuleReport {
    pub(super) fn new(rule: &Rule) -> Self {
        RuleReport {
            rule: rule.clone(),
            records: 0,
            blocks: 0,
            largest: 0,
            pairs: 0,
            overfull_blocks: 0,
            overfull_pairs: 0,
            overfull: Vec::new(),
        }
    }

    /// Counts a block in; whether it gives pairs.
    pub(super) fn counts(&mut self, records: &Records, rule: &Found, block: &Block<'_>) -> bool {
        let size = block.records.len() as u32;
        if block.pairs == 0 {
            return false;
        }
        if block.pairs <= most_pairs(rule.cap) {
            self.blocks += 1;
            self.pairs += block.pairs;
            self.largest = self.largest.max(size);
            return true;
        }
        self.overfull_blocks += 1;
        self.overfull_pairs += block.pairs;
        let least = self.overfull.last().map_or(0, |last| last.pairs);
        if self.overfull.len() < REPORTED || block.pairs > least {
            let overfull = Overfull {
                key: key::text(records, rule, block.records[0], block.key),
                records: size,
                pairs: block.pairs,
            };
            let place = self
                .overfull
                .partition_point(|other| (other.pairs, &overfull.key) >= (block.pairs, &other.key));
            self.overfull.insert(place, overfull);
            self.overfull.truncate(REPORTED);
        }
        false
    }
}

/// The pairs of as many records as a cap allows. Across two files a block may hold more records, if
/// they are not more pairs.
pub(super) fn most_pairs(cap: u32) -> u64 {
    pairs_of(u64::from(cap))
}

pub(super) fn pairs_of(records: u64) -> u64 {
    records * records.saturating_sub(1) / 2
}
