//! Candidate rules tried on a share of their keys.

use std::collections::HashMap;

use xxhash_rust::xxh3::xxh3_64;

use super::super::Records;
use super::blocks::{most_pairs, pairs_of};
use super::choose::Budget;
use super::choose::Taken;
use super::key::{self, AllParts, Found, Keys};
use super::{Part, Settings, threads};

/// How many records' worth of keys each candidate is tried on.
pub(super) const TRIED: u32 = 1 << 14;
/// How many records are counted to know how large a block is.
pub(super) const COUNTED: u32 = 1 << 18;
/// Blocks by size: up to 2, 4, … records. Larger ones are never taken.
pub(super) const BANDS: usize = 11;
/// How many pairs of a band are looked at.
pub(super) const LOOKED_AT: u64 = 64;
/// How many pairs of a band are drawn for as many that the rules taken do not give.
pub(super) const DRAWN: u64 = 1024;
/// The pairs of a candidate in blocks of about one size.
#[derive(Debug, Default)]
pub(super) struct Band {
    /// How many pairs each of those looked at stands for.
    pub each: f64,
    pub pairs: Vec<Pair>,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Pair {
    pub a: u32,
    pub b: u32,
    pub likely: f64,
    /// Which of the chosen rules give it, the lowest bit for the first.
    pub given: u64,
}

pub(super) struct Tried {
    /// Where the rule stands among the candidates.
    pub rule: usize,
    pub bands: Vec<Band>,
    /// How many bands are taken.
    pub taken: usize,
}

impl Tried {
    pub fn pairs(&self) -> impl Iterator<Item = &Pair> {
        self.bands.iter().flat_map(|band| &band.pairs)
    }

    /// Whether some cap gives enough for its pairs.
    pub fn may_do(&self, budget: &Budget) -> bool {
        let (mut gain, mut cost) = (0.0, 0.0);
        self.bands.iter().any(|band| {
            gain += band.each * band.pairs.iter().map(|pair| pair.likely).sum::<f64>();
            cost += band.each * band.pairs.len() as f64;
            gain > 0.0 && gain * 1000.0 >= cost * budget.per_thousand
        })
    }
}

pub(super) fn cap(bands: usize) -> u32 {
    1 << bands
}

/// The sizes of the blocks of a rule: the keys of the records counted, ascending, those of each side.
pub(super) struct Sizes([Vec<u64>; 2]);

impl Sizes {
    pub fn of(&self, key: u64) -> [u64; 2] {
        [0, 1].map(|side| {
            let from = &self.0[side][self.0[side].partition_point(|other| *other < key)..];
            from.partition_point(|other| *other == key) as u64
        })
    }
}

/// A rule taken, ready to tell whether it gives a pair.
pub(super) struct Gives<'a> {
    pub of_a: Keys<'a>,
    pub of_b: Keys<'a>,
    pub sizes: &'a Sizes,
    pub most: u64,
}

/// How many pairs there are up to and with a block, and its entries.
pub(super) type UpTo<'a> = (u64, &'a [(u64, u32)]);

/// What candidates are tried on.
pub(super) struct Trial<'a> {
    pub records: &'a Records,
    pub parts: &'a AllParts,
    pub second: Option<u32>,
    pub threads: usize,
    /// Parts of the first term with any of these bits are left out.
    pub left_out: u64,
    /// A hash of all that each record says: it orders records, whichever came first.
    pub contents: Vec<u64>,
    /// The records that are counted to know how large a block is, one in `one_in`.
    pub counted: Vec<u32>,
    pub one_in: u64,
    /// For each first term, the records with a part of it that is not left out.
    pub with_first: HashMap<(Vec<usize>, Part), Vec<u32>>,
}

impl<'a> Trial<'a> {
    pub fn of(
        records: &'a Records,
        found: &[Found],
        parts: &'a AllParts,
        settings: &Settings,
    ) -> Self {
        let halvings = (records.len() / TRIED)
            .checked_ilog2()
            .map_or(0, |log| log + 1);
        let left_out = (1u64 << halvings) - 1;
        let texts: Vec<Vec<u64>> = threads::each_of(&records.columns, settings.threads, |column| {
            column
                .values
                .iter()
                .map(|value| key::hash(&value.text))
                .collect()
        });
        let ranges = threads::ranges(records.len() as usize, 1 << 14);
        let contents = threads::each_of(&ranges, settings.threads, |range| {
            let mut said = Vec::new();
            range
                .clone()
                .map(|record| {
                    said.clear();
                    for (column, texts) in records.columns.iter().zip(&texts) {
                        let start = said.len();
                        let values = column.of(record as u32);
                        said.extend(values.iter().map(|value| texts[*value as usize]));
                        said[start..].sort_unstable();
                        said.push(values.len() as u64);
                    }
                    let bytes: Vec<u8> = said.iter().flat_map(|hash| hash.to_le_bytes()).collect();
                    xxh3_64(&bytes)
                })
                .collect::<Vec<u64>>()
        })
        .concat();
        let mut firsts: Vec<(Vec<usize>, Part)> =
            found.iter().map(|rule| rule.terms[0].clone()).collect();
        firsts.sort_unstable();
        firsts.dedup();
        let lists = threads::each_of(&firsts, settings.threads, |first| {
            parts.with_any(records, first, left_out)
        });
        let one_in = u64::from((records.len() / COUNTED).max(1).next_power_of_two());
        let counted = (0..records.len())
            .filter(|record| contents[*record as usize] & (one_in - 1) == 0)
            .collect();
        Trial {
            records,
            parts,
            second: settings.second,
            threads: settings.threads,
            left_out,
            contents,
            counted,
            one_in,
            with_first: firsts.into_iter().zip(lists).collect(),
        }
    }

    pub fn of_rule(
        &self,
        position: usize,
        rule: &Found,
        most: f64,
        likely: &(dyn Fn(u32, u32) -> f64 + Sync),
        given: &mut [Gives<'_>],
    ) -> Tried {
        let mut keys = Keys::by(self.records, rule, self.parts).without(self.left_out);
        let mut entries: Vec<(u64, u32)> = Vec::new();
        for record in &self.with_first[&rule.terms[0]] {
            entries.extend(keys.of(*record).iter().map(|key| (*key, *record)));
        }
        entries.sort_unstable();
        // The blocks of each band, with the number of pairs up to and with each.
        let mut blocks: Vec<Vec<UpTo<'_>>> = vec![Vec::new(); BANDS];
        for block in entries.chunk_by(|a, b| a.0 == b.0) {
            let pairs = self.pairs(block);
            if pairs == 0 {
                continue;
            }
            if let Some(band) = (1..=BANDS).find(|bands| pairs <= most_pairs(cap(*bands))) {
                let before = blocks[band - 1].last().map_or(0, |(before, _)| *before);
                blocks[band - 1].push((before + pairs, block));
            }
        }
        let scale = (self.left_out + 1) as f64;
        let mut bands = Vec::with_capacity(BANDS);
        let mut so_far = 0.0;
        for blocks in blocks {
            let total = blocks.last().map_or(0, |(total, _)| *total);
            so_far += scale * total as f64;
            if so_far > most {
                break;
            }
            let wanted = total.min(if given.is_empty() { LOOKED_AT } else { DRAWN });
            let mut pairs = Vec::new();
            let mut drawn = 0;
            let mut in_hand = (usize::MAX, Vec::new(), None);
            while drawn < wanted && (pairs.len() as u64) < LOOKED_AT {
                // Evenly spread, each at a place of its own within its stretch.
                let stretch = total as f64 / wanted as f64;
                let jitter = xxh3_64(&drawn.to_le_bytes()) as f64 / u64::MAX as f64;
                let place = ((drawn as f64 + jitter) * stretch) as u64;
                let place = place.min(total - 1);
                drawn += 1;
                let block = blocks.partition_point(|(end, _)| *end <= place);
                let (end, entries) = blocks[block];
                if in_hand.0 != block {
                    let (records, first) = self.by_content(entries);
                    in_hand = (block, records, first);
                }
                let (a, b) = pair(&in_hand.1, in_hand.2, end - place - 1);
                if !given.iter_mut().any(|rule| self.gives(rule, a, b)) {
                    pairs.push(Pair {
                        a,
                        b,
                        likely: likely(a.min(b), a.max(b)),
                        given: 0,
                    });
                }
            }
            bands.push(Band {
                pairs,
                each: scale * total as f64 / drawn.max(1) as f64,
            });
        }
        Tried {
            rule: position,
            bands,
            taken: 0,
        }
    }

    pub fn pairs(&self, block: &[(u64, u32)]) -> u64 {
        let size = block.len() as u64;
        match self.second {
            None => pairs_of(size),
            Some(second) => {
                let first = block.partition_point(|entry| entry.1 < second) as u64;
                first * (size - first)
            }
        }
    }

    /// The records of a block, each side in an order that does not depend on which came first, and how
    /// many are of the first side.
    pub fn by_content(&self, block: &[(u64, u32)]) -> (Vec<u32>, Option<usize>) {
        let mut records: Vec<u32> = block.iter().map(|entry| entry.1).collect();
        let first = self
            .second
            .map(|second| records.partition_point(|record| *record < second));
        let (ones, others) = records.split_at_mut(first.unwrap_or(0));
        for side in [ones, others] {
            side.sort_unstable_by_key(|record| self.contents[*record as usize]);
        }
        (records, first)
    }

    pub fn given<'b>(&'b self, found: &[Found], taken: &'b [Taken]) -> Vec<Gives<'b>> {
        let keys = |rule| Keys::by(self.records, rule, self.parts);
        taken
            .iter()
            .map(|taken| Gives {
                of_a: keys(&found[taken.rule]),
                of_b: keys(&found[taken.rule]),
                sizes: &taken.sizes,
                most: most_pairs(cap(taken.bands)),
            })
            .collect()
    }

    pub fn gives(&self, rule: &mut Gives<'_>, a: u32, b: u32) -> bool {
        let keys = (rule.of_a.of(a), rule.of_b.of(b));
        self.in_block(rule.sizes, (a, b), keys)
            .is_some_and(|pairs| pairs <= rule.most)
    }

    /// How many pairs the block holds that two records share, by their keys.
    pub fn in_block(
        &self,
        sizes: &Sizes,
        (a, b): (u32, u32),
        keys: (&[u64], &[u64]),
    ) -> Option<u64> {
        // One block of its several is enough to go by.
        let key = keys
            .0
            .iter()
            .find(|key| keys.1.binary_search(key).is_ok())?;
        // The two are surely in it; each other record that is counted stands for several.
        let [first, second] = sizes.of(*key);
        let (of_a, of_b) = (self.counts(a), self.counts(b));
        let size = |known, counted: u64| known + counted * self.one_in;
        Some(match self.second {
            None => pairs_of(size(2, first.saturating_sub(of_a + of_b))),
            Some(_) => size(1, first.saturating_sub(of_a)) * size(1, second.saturating_sub(of_b)),
        })
    }

    pub fn counts(&self, record: u32) -> u64 {
        u64::from(self.contents[record as usize] & (self.one_in - 1) == 0)
    }

    pub fn sizes(&self, rule: &Found) -> Sizes {
        let ranges = threads::ranges(self.counted.len(), 1 << 14);
        let keys = threads::each_of(&ranges, self.threads, |range| {
            let mut keys = Keys::by(self.records, rule, self.parts);
            let mut sides = [Vec::new(), Vec::new()];
            for record in &self.counted[range.clone()] {
                let side = usize::from(self.second.is_some_and(|second| *record >= second));
                sides[side].extend_from_slice(keys.of(*record));
            }
            sides
        });
        let mut sides = [Vec::new(), Vec::new()];
        for [first, second] in keys {
            sides[0].extend(first);
            sides[1].extend(second);
        }
        sides.iter_mut().for_each(|keys| keys.sort_unstable());
        Sizes(sides)
    }

    /// For every pair looked at, how many pairs the block holds that it shares by a rule.
    pub fn shared(&self, rule: &Found, sizes: &Sizes, all: &[Tried]) -> Vec<Vec<u64>> {
        threads::each_of(all, self.threads, |tried| {
            let mut of_a = Keys::by(self.records, rule, self.parts);
            let mut of_b = Keys::by(self.records, rule, self.parts);
            tried
                .pairs()
                .map(|pair| {
                    let keys = (of_a.of(pair.a), of_b.of(pair.b));
                    self.in_block(sizes, (pair.a, pair.b), keys)
                        .unwrap_or(u64::MAX)
                })
                .collect()
        })
    }
}

/// The pair of a block at a place among them: of all its records, or of one of the first side and another.
pub(super) fn pair(records: &[u32], first: Option<usize>, place: u64) -> (u32, u32) {
    if let Some(first) = first {
        let others = (records.len() - first) as u64;
        let column = first + (place % others) as usize;
        return (records[(place / others) as usize], records[column]);
    }
    let (mut row, mut rest) = (1, place);
    while rest >= row {
        rest -= row;
        row += 1;
    }
    (records[row as usize], records[rest as usize])
}
