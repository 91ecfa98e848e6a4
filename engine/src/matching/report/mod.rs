//! What a matcher knows and did, for people to look at: the [waterfall] of one pair, and a [page] about
//! a matcher.
//!
//! Both need nothing else: no script, no style sheet, no picture from elsewhere. Values of records are
//! text in them and nothing more, whatever they are made of.

mod chart;
mod markup;
mod page;
#[cfg(test)]
mod tests;
mod waterfall;

pub use page::page;
pub use waterfall::waterfall;

use serde::{Deserialize, Serialize};

use super::blocking::RuleReport;
use super::cluster::Expected;
use super::model::probability;

/// Counts by weight.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Histogram {
    /// The lowest bin: it begins at this many times [`STEP`](Self::STEP).
    lowest: i32,
    counts: Vec<u64>,
}

impl Histogram {
    /// The width of a bin, in hundredths of a bit.
    pub const STEP: i32 = 50;

    /// Counts one more of this weight.
    pub fn add(&mut self, weight: i32) {
        self.add_to(weight.div_euclid(Self::STEP), 1);
    }

    /// Takes in what another counted.
    pub fn merge(&mut self, other: &Histogram) {
        for (bin, &count) in (other.lowest..).zip(&other.counts) {
            self.add_to(bin, count);
        }
    }

    fn add_to(&mut self, bin: i32, count: u64) {
        if self.counts.is_empty() {
            self.lowest = bin;
        } else if bin < self.lowest {
            let more = (self.lowest - bin) as usize;
            self.counts.splice(0..0, std::iter::repeat_n(0, more));
            self.lowest = bin;
        }
        let position = (bin - self.lowest) as usize;
        if position >= self.counts.len() {
            self.counts.resize(position + 1, 0);
        }
        self.counts[position] += count;
    }

    /// How many were counted.
    pub fn total(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// How many weigh less. Exact where the weight is a border of bins; else its bin counts by its part.
    pub fn below(&self, weight: i32) -> f64 {
        self.bins()
            .map(|(from, count)| {
                let part = f64::from(weight - from) / f64::from(Self::STEP);
                count as f64 * part.clamp(0.0, 1.0)
            })
            .sum()
    }

    /// Where each bin begins, and its count.
    pub fn bins(&self) -> impl DoubleEndedIterator<Item = (i32, u64)> {
        let bins = (self.lowest..)
            .zip(&self.counts)
            .map(|(bin, &count)| (bin * Self::STEP, count));
        bins.collect::<Vec<_>>().into_iter()
    }

    /// How many pairs of a bin are of one person, by their weight.
    fn expected(from: i32, count: u64) -> f64 {
        count as f64 * probability(from + Self::STEP / 2)
    }
}

/// What is expected at a threshold.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Point {
    /// The threshold, in hundredths of a bit.
    pub threshold: i32,
    /// The share of right ones among the pairs that are put together.
    pub precision: f64,
    /// Where it lies with 95 % certainty.
    pub interval: (f64, f64),
    /// The share of the pairs of one person that are put together.
    pub recall: f64,
}

impl From<Expected> for Point {
    fn from(expected: Expected) -> Self {
        Point {
            threshold: expected.threshold,
            precision: expected.precision,
            interval: expected.interval,
            recall: expected.recall,
        }
    }
}

/// How many pairs were of each kind, and what became of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Found {
    /// Pairs that make clusters.
    pub links: u64,
    /// Pairs over the threshold that do not: weak bridges.
    pub cuts: u64,
    /// Pairs that wait for somebody to decide.
    pub review: u64,
    /// Pairs of two persons of one household.
    pub households: u64,
    /// Clusters of two records or more.
    pub clusters: u64,
    /// Records in them.
    pub clustered: u64,
}

/// What a run of a matcher counted. It is kept with the model.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Findings {
    /// How many records were matched.
    pub records: u64,
    /// The pairs that were compared, by weight.
    pub pairs: Histogram,
    /// The records, by the weight of each with a copy of itself: who says too little to be found.
    pub copies: Histogram,
    /// What each rule of blocking gave.
    pub rules: Vec<RuleReport>,
    /// The share of the pairs of one person that the rules find, at most, if it can be told.
    pub recall: Option<f64>,
    /// What is expected of clusters, by threshold. Empty: pairs are told of instead.
    pub expected: Vec<Point>,
    /// What came of it.
    pub found: Found,
}

impl Findings {
    /// Expected precision and recall of pairs by threshold, from the weights alone, the lowest first.
    pub fn by_pairs(&self) -> Vec<Point> {
        let all: f64 = self
            .pairs
            .bins()
            .map(|(from, count)| Histogram::expected(from, count))
            .sum();
        let all = all / self.recall.unwrap_or(1.0).max(0.01);
        let (mut pairs, mut right, mut variance) = (0.0, 0.0, 0.0);
        let mut points: Vec<Point> = self
            .pairs
            .bins()
            .rev()
            .filter_map(|(from, count)| {
                pairs += count as f64;
                let expected = Histogram::expected(from, count);
                right += expected;
                variance += expected * (1.0 - expected / (count as f64).max(1.0));
                let precision = right / pairs;
                let spread = 1.96 * variance.sqrt() / pairs;
                (pairs > 0.0 && all > 0.0).then_some(Point {
                    threshold: from,
                    precision,
                    interval: ((precision - spread).max(0.0), (precision + spread).min(1.0)),
                    recall: right / all,
                })
            })
            .collect();
        points.reverse();
        points
    }

    /// What is told of: clusters, or else pairs.
    fn points(&self) -> Vec<Point> {
        if self.expected.is_empty() {
            return self.by_pairs();
        }
        let mut points = self.expected.clone();
        points.sort_by_key(|point| point.threshold);
        points
    }
}

/// A weight in bits: `+3.21`.
fn bits(weight: i32) -> String {
    let sign = if weight < 0 { '−' } else { '+' };
    let size = weight.unsigned_abs();
    format!("{sign}{}.{:02}", size / 100, size % 100)
}

/// A share, with as many digits as tell it from none and from all: `99.98 %`.
fn percent(share: f64) -> String {
    let rest = share.min(1.0 - share).max(0.0);
    if rest <= 0.0 {
        return format!("{} %", if share > 0.5 { 100 } else { 0 });
    }
    let digits = match rest {
        0.1.. => 0,
        0.01.. => 1,
        0.001.. => 2,
        0.0001.. => 3,
        0.00001.. => 4,
        _ if share > 0.5 => return "> 99.999 %".to_owned(),
        _ => return "< 0.001 %".to_owned(),
    };
    format!("{:.digits$} %", share * 100.0)
}

/// A count, in groups of three digits.
fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut grouped = String::with_capacity(digits.len() + 8);
    for (position, digit) in digits.chars().enumerate() {
        if position > 0 && (digits.len() - position).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}
