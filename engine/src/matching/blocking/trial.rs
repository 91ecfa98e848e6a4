//! Candidate rules tried on a share of their keys.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use xxhash_rust::xxh3::xxh3_64;

use super::super::Records;
use super::choose::{Budget, Taken};
use super::given::{Agreement, Gives, Sizes, Terms};
use super::group::{self, Entry};
use super::key::{self, Found, Keys};
use super::parts::AllParts;
use super::report::{most_pairs, pairs_of};
use super::{Part, Settings, threads};

/// How many records' worth of keys each candidate is tried on.
const TRIED: u32 = 1 << 14;
/// How many records are counted to know how large a block is.
const COUNTED: u32 = 1 << 18;
/// Blocks by size: up to 2, 4, … records. Larger ones are never taken.
const BANDS: usize = 11;
/// How many pairs of a band are looked at.
const LOOKED_AT: usize = 64;
/// How many pairs of a band are drawn for as many that the rules taken do not give.
const DRAWN: usize = 512;

/// How likely a pair is one person.
pub(super) type Likely<'a> = &'a (dyn Fn(u32, u32) -> f64 + Sync);

/// The pairs of a candidate in blocks of about one size.
#[derive(Debug, Default)]
pub(super) struct Band {
    /// How many there are.
    total: f64,
    /// Pairs evenly spread among them.
    drawn: Vec<(u32, u32)>,
    /// How many pairs each of those looked at stands for.
    pub each: f64,
    /// Those looked at.
    pub pairs: Vec<Pair>,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Pair {
    pub a: u32,
    pub b: u32,
    pub likely: f64,
    /// Which of the chosen rules give it, the lowest bit for the first.
    pub given: u64,
    agreement: Agreement,
}

pub(super) struct Tried {
    /// Where the rule stands among the candidates.
    pub rule: usize,
    pub bands: Vec<Band>,
    /// How many bands are taken.
    pub taken: usize,
}

impl Tried {
    pub fn pairs_mut(&mut self) -> impl Iterator<Item = &mut Pair> {
        self.bands.iter_mut().flat_map(|band| &mut band.pairs)
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

/// What candidates are tried on.
pub(super) struct Trial<'a> {
    records: &'a Records,
    found: &'a [Found],
    parts: &'a AllParts,
    terms: Terms<'a>,
    second: Option<u32>,
    pub threads: usize,
    /// Parts of the first term with any of these bits are left out.
    left_out: u64,
    /// The records that are counted to know how large a block is, one in `one_in`.
    counted: Vec<u32>,
    is_counted: Vec<bool>,
    one_in: u64,
    /// For each first term, the records with a part of it that is not left out: by side, then by what they
    /// say, whichever came first.
    with_first: HashMap<(Vec<usize>, Part), Vec<u32>>,
}

impl<'a> Trial<'a> {
    pub fn of(
        records: &'a Records,
        found: &'a [Found],
        parts: &'a AllParts,
        settings: &Settings,
    ) -> Self {
        let halvings = (records.len() / TRIED)
            .checked_ilog2()
            .map_or(0, |log| log + 1);
        let left_out = (1u64 << halvings) - 1;
        let contents = contents(records, settings.threads);
        let mut firsts: Vec<(Vec<usize>, Part)> =
            found.iter().map(|rule| rule.terms[0].clone()).collect();
        firsts.sort_unstable();
        firsts.dedup();
        let lists = threads::each_of(&firsts, settings.threads, |first| {
            let mut list = parts.with_any(records, first, left_out);
            list.sort_by_cached_key(|record| {
                let of_second = settings.second.is_some_and(|second| *record >= second);
                (of_second, contents[*record as usize])
            });
            list
        });
        let one_in = u64::from((records.len() / COUNTED).max(1).next_power_of_two());
        let is_counted: Vec<bool> = contents
            .iter()
            .map(|content| content & (one_in - 1) == 0)
            .collect();
        let counted = (0..records.len()).zip(&is_counted);
        let counted = counted.filter_map(|(record, is)| is.then_some(record));
        Trial {
            records,
            found,
            parts,
            terms: Terms::of(records, found, parts),
            second: settings.second,
            threads: settings.threads,
            left_out,
            counted: counted.collect(),
            is_counted,
            one_in,
            with_first: firsts.into_iter().zip(lists).collect(),
        }
    }

    /// Tries a candidate: draws pairs of its blocks and looks at some. Blocks are not looked at that have
    /// more pairs than `most`, in all.
    pub fn first(&self, rule: usize, most: f64, likely: Likely<'_>) -> Tried {
        let scale = (self.left_out + 1) as f64;
        let mut bands = Vec::with_capacity(BANDS);
        let mut so_far = 0.0;
        for drawing in self.blocks(rule) {
            let total = scale * drawing.total() as f64;
            so_far += total;
            if so_far > most {
                break;
            }
            let drawn = drawing.pairs();
            let looked_at = drawn.len().min(LOOKED_AT);
            let pairs = (0..looked_at).map(|number| {
                let (a, b) = drawn[(2 * number + 1) * drawn.len() / (2 * looked_at)];
                Pair {
                    a,
                    b,
                    likely: likely(a.min(b), a.max(b)),
                    given: 0,
                    agreement: Agreement::default(),
                }
            });
            bands.push(Band {
                pairs: pairs.collect(),
                each: total / looked_at.max(1) as f64,
                total,
                drawn,
            });
        }
        Tried {
            rule,
            bands,
            taken: 0,
        }
    }

    /// Looks at pairs that the rules taken do not give.
    pub fn again(&self, tried: &Tried, taken: &[Taken], likely: Likely<'_>) -> Tried {
        let mut rules: Vec<(usize, Gives<'_>)> = taken
            .iter()
            .map(|taken| (taken.rule, self.gives(taken.rule, &taken.sizes)))
            .collect();
        let most: Vec<u64> = taken
            .iter()
            .map(|taken| most_pairs(cap(taken.bands)))
            .collect();
        let bands = tried.bands.iter().map(|band| {
            let mut pairs = Vec::with_capacity(LOOKED_AT);
            let mut seen = 0;
            for &(a, b) in &band.drawn {
                if pairs.len() == LOOKED_AT {
                    break;
                }
                seen += 1;
                let mut agreement = Agreement::default();
                let given = rules.iter_mut().zip(&most).any(|((rule, gives), most)| {
                    self.terms.agree(*rule, a, b, &mut agreement)
                        && gives.in_block(a, b).is_some_and(|pairs| pairs <= *most)
                });
                if !given {
                    pairs.push(Pair {
                        a,
                        b,
                        likely: likely(a.min(b), a.max(b)),
                        given: 0,
                        agreement,
                    });
                }
            }
            Band {
                each: band.total / f64::from(seen.max(1)),
                total: band.total,
                drawn: Vec::new(),
                pairs,
            }
        });
        let now = taken.iter().find(|taken| taken.rule == tried.rule);
        Tried {
            rule: tried.rule,
            bands: bands.collect(),
            taken: now.map_or(0, |taken| taken.bands),
        }
    }

    /// The blocks of a candidate by band.
    fn blocks(&self, rule: usize) -> Vec<Drawing> {
        let rule = &self.found[rule];
        let mut keys = Keys::by(self.records, rule, self.parts).without(self.left_out);
        let mut entries: Vec<Entry> = Vec::new();
        let with_first = self.with_first[&rule.terms[0]].iter().copied();
        keys.each(with_first, |record, keys| {
            entries.extend(keys.iter().map(|key| Entry::new(*key, record)));
        });
        let mut bands = Vec::new();
        bands.resize_with(BANDS, Drawing::default);
        let mut room = group::Room::default();
        group::blocks_of(&entries, 0, self.second, &mut room, &mut |block| {
            let band = (1..=BANDS).find(|bands| block.pairs <= most_pairs(cap(*bands)));
            if let Some(band) = band.filter(|_| block.pairs > 0) {
                bands[band - 1].add(block, self.second);
            }
        });
        bands
    }

    pub fn gives<'b>(&'b self, rule: usize, sizes: &'b Sizes) -> Gives<'b> {
        let keys = || Keys::by(self.records, &self.found[rule], self.parts);
        Gives {
            of_a: keys(),
            of_b: keys(),
            sizes,
            is_counted: &self.is_counted,
            one_in: self.one_in,
            across: self.second.is_some(),
        }
    }

    pub fn sizes(&self, rule: usize) -> Sizes {
        let ranges = threads::ranges(self.counted.len(), 1 << 14);
        let keys = threads::each_of(&ranges, self.threads, |range| {
            let mut keys = Keys::by(self.records, &self.found[rule], self.parts);
            let mut sides = [Vec::new(), Vec::new()];
            let counted = self.counted[range.clone()].iter().copied();
            keys.each(counted, |record, keys| {
                let side = usize::from(self.second.is_some_and(|second| record >= second));
                sides[side].extend_from_slice(keys);
            });
            sides
        });
        Sizes::of(keys)
    }

    /// Of the pairs looked at, by their place, those that share a block by a rule, and how many pairs it
    /// holds.
    pub fn shared(&self, rule: usize, sizes: &Sizes, all: &mut [Tried]) -> Vec<Vec<(usize, u64)>> {
        let all: Vec<Mutex<&mut Tried>> = all.iter_mut().map(Mutex::new).collect();
        threads::each_of(&all, self.threads, |tried| {
            let mut tried = tried.lock().unwrap_or_else(PoisonError::into_inner);
            let mut gives = self.gives(rule, sizes);
            let mut shared = Vec::new();
            for (place, pair) in tried.pairs_mut().enumerate() {
                let (a, b) = (pair.a, pair.b);
                if self.terms.agree(rule, a, b, &mut pair.agreement)
                    && let Some(pairs) = gives.in_block(a, b)
                {
                    shared.push((place, pairs));
                }
            }
            shared
        })
    }
}

/// A hash of all that each record says: it orders records, whichever came first.
fn contents(records: &Records, threads: usize) -> Vec<u64> {
    let texts: Vec<Vec<u64>> = threads::each_of(&records.columns, threads, |column| {
        let values = column.values.iter();
        values.map(|value| key::hash(&value.text)).collect()
    });
    let ranges = threads::ranges(records.len() as usize, 1 << 14);
    threads::each_of(&ranges, threads, |range| {
        let of_record = |record: usize| {
            let columns = records.columns.iter().zip(&texts);
            columns.fold(0, |so_far, (column, texts)| {
                let values = column.of(record as u32);
                let said = values
                    .iter()
                    .map(|value| texts[*value as usize])
                    .fold(values.len() as u64, u64::wrapping_add);
                key::mix(so_far, said)
            })
        };
        range.clone().map(of_record).collect::<Vec<u64>>()
    })
    .concat()
}

/// The blocks of a band, to draw pairs from.
#[derive(Default)]
struct Drawing {
    records: Vec<u32>,
    /// Of each block, how many pairs there are up to and with it, and where its records end; how many of
    /// them are of the first side.
    blocks: Vec<(u64, usize, Option<usize>)>,
}

impl Drawing {
    fn total(&self) -> u64 {
        self.blocks.last().map_or(0, |(total, ..)| *total)
    }

    fn add(&mut self, block: &group::Block<'_>, second: Option<u32>) {
        let total = self.total() + block.pairs;
        self.records.extend_from_slice(block.records);
        let first = second.map(|second| block.records.partition_point(|one| *one < second));
        self.blocks.push((total, self.records.len(), first));
    }

    /// Pairs evenly spread, each at a place of its own within its stretch.
    fn pairs(&self) -> Vec<(u32, u32)> {
        let total = self.total();
        let wanted = total.min(DRAWN as u64);
        let stretch = total as f64 / wanted as f64;
        let draw = |number: u64| {
            let jitter = xxh3_64(&number.to_le_bytes()) as f64 / u64::MAX as f64;
            let place = (((number as f64 + jitter) * stretch) as u64).min(total - 1);
            let block = self.blocks.partition_point(|(end, ..)| *end <= place);
            let (end, last, first) = self.blocks[block];
            let start = block
                .checked_sub(1)
                .map_or(0, |before| self.blocks[before].1);
            pair(&self.records[start..last], first, end - place - 1)
        };
        (0..wanted).map(draw).collect()
    }
}

/// The pair of a block at a place among them: of all its records, or of one of the first side and another.
fn pair(records: &[u32], first: Option<usize>, place: u64) -> (u32, u32) {
    if let Some(first) = first {
        let others = (records.len() - first) as u64;
        let column = first + (place % others) as usize;
        return (records[(place / others) as usize], records[column]);
    }
    // Each record with all before it: the last row whose pairs begin at the place or before.
    let mut row = (((8 * place + 1) as f64).sqrt() as u64).div_ceil(2);
    while pairs_of(row) > place {
        row -= 1;
    }
    while pairs_of(row + 1) <= place {
        row += 1;
    }
    (
        records[row as usize],
        records[(place - pairs_of(row)) as usize],
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::matching::blocking::Hashed;
    use crate::matching::{Column, Meaning};

    #[test]
    fn every_place_is_a_pair_of_its_own() {
        let records: Vec<u32> = (0..300).collect();
        for first in [None, Some(1), Some(120)] {
            let all = first.map_or(300 * 299 / 2, |first| first * (300 - first)) as u64;
            let mut pairs: Vec<_> = (0..all)
                .map(|place| pair(&records, first, place))
                .map(|(a, b)| (a.min(b), a.max(b)))
                .collect();
            pairs.sort_unstable();
            pairs.dedup();
            assert_eq!(pairs.len() as u64, all);
            let across = |(a, b): &(u32, u32)| {
                a < b && first.is_none_or(|first| *a < first as u32 && *b >= first as u32)
            };
            assert!(pairs.iter().all(across));
        }
    }

    #[test]
    fn the_second_look_is_at_pairs_that_no_rule_taken_gives() {
        // 5,000 couples of one last name, all but 150 of one first name too.
        let mut records = Records::new(vec![
            Column::new("first", Meaning::FirstName),
            Column::new("last", Meaning::LastName),
        ]);
        for record in 0..10_000 {
            let couple = record / 2;
            let other = if couple % 100 < 3 { record % 2 } else { 0 };
            let (first, last) = (format!("a{couple} {other}"), format!("b{couple}"));
            records.push(&[vec![first.as_str()], vec![last.as_str()]]);
        }
        let rules = ["first", "last"].map(|text| text.parse().expect("a rule"));
        let found = key::find(&rules, &["first", "last"]).expect("columns");
        let hashed = Hashed::new(&records);
        let parts = hashed.parts(&found, 1);
        let trial = Trial::of(&records, &found, &parts, &Settings::default());
        let likely = |_, _| 1.0;
        let first = trial.first(1, f64::INFINITY, &likely);
        let taken = Taken {
            rule: 0,
            bands: 1,
            sizes: trial.sizes(0),
        };
        let again = trial.again(&first, &[taken], &likely);
        let stands_for = |tried: &Tried| -> f64 {
            let bands = tried.bands.iter();
            bands.map(|band| band.each * band.pairs.len() as f64).sum()
        };
        assert_eq!(stands_for(&first), 5000.0);
        assert!(
            (75.0..300.0).contains(&stands_for(&again)),
            "{}",
            stands_for(&again)
        );
        for pair in again.bands.iter().flat_map(|band| &band.pairs) {
            assert_eq!(pair.a / 2, pair.b / 2);
            assert!(pair.a / 2 % 100 < 3, "given by the rule taken");
        }
    }
}
