//! Whether a rule gives a pair, without the blocks of all records.

use super::super::{Column, Records};
use super::key::{Found, Keys};
use super::parts::{AllParts, Parts};
use super::report::pairs_of;

/// On which terms two records agree, as far as that was asked.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Agreement {
    known: u64,
    agreed: u64,
}

/// The terms of rules, each once: the same ones are in many rules.
pub(super) struct Terms<'a> {
    terms: Vec<Vec<(&'a Column, &'a Parts)>>,
    /// By rule, which terms it has.
    of_rules: Vec<Vec<usize>>,
}

impl<'a> Terms<'a> {
    pub fn of(records: &'a Records, rules: &[Found], parts: &'a AllParts) -> Self {
        let mut terms: Vec<_> = rules.iter().flat_map(|rule| &rule.terms).collect();
        terms.sort_unstable();
        terms.dedup();
        let position = |term| terms.partition_point(|known| *known < term);
        let of_rules = rules
            .iter()
            .map(|rule| rule.terms.iter().map(position).collect())
            .collect();
        let of_term = |(columns, part): &&(Vec<usize>, _)| {
            let parts = |column: &usize| (&records.columns[*column], parts.get(*column, *part));
            columns.iter().map(parts).collect()
        };
        Terms {
            terms: terms.iter().map(of_term).collect(),
            of_rules,
        }
    }

    /// Whether two records agree on all terms of a rule.
    pub fn agree(&self, rule: usize, a: u32, b: u32, agreement: &mut Agreement) -> bool {
        self.of_rules[rule].iter().all(|term| {
            // Of many terms only the first are kept in mind.
            let bit = 1u64.checked_shl(*term as u32).unwrap_or(0);
            if agreement.known & bit != 0 {
                return agreement.agreed & bit != 0;
            }
            let agreed = share_a_part(&self.terms[*term], a, b);
            agreement.known |= bit;
            if agreed {
                agreement.agreed |= bit;
            }
            agreed
        })
    }
}

fn share_a_part(term: &[(&Column, &Parts)], a: u32, b: u32) -> bool {
    let parts = |record: u32| {
        term.iter().flat_map(move |(column, parts)| {
            column.of(record).iter().flat_map(|value| parts.of(*value))
        })
    };
    parts(a).any(|part| parts(b).any(|other| part == other))
}

/// The sizes of the blocks of a rule, by the keys of the records counted, those of each side.
pub(super) struct Sizes([Side; 2]);

struct Side {
    /// Ascending.
    keys: Vec<u64>,
    /// Where those with the same leading bits begin.
    starts: Vec<u32>,
    bits: u32,
}

impl Side {
    fn of(mut keys: Vec<u64>) -> Self {
        keys.sort_unstable();
        let bits = keys.len().max(2).ilog2();
        let mut starts = Vec::with_capacity((1 << bits) + 1);
        for (position, key) in keys.iter().enumerate() {
            while starts.len() as u64 <= key >> (64 - bits) {
                starts.push(position as u32);
            }
        }
        starts.resize((1 << bits) + 1, keys.len() as u32);
        Side { keys, starts, bits }
    }

    /// How often a key is there.
    fn count(&self, key: u64) -> u64 {
        let place = (key >> (64 - self.bits)) as usize;
        let near = &self.keys[self.starts[place] as usize..self.starts[place + 1] as usize];
        let from = &near[near.partition_point(|other| *other < key)..];
        from.partition_point(|other| *other == key) as u64
    }
}

impl Sizes {
    pub fn of(keys: Vec<[Vec<u64>; 2]>) -> Self {
        let mut sides = [Vec::new(), Vec::new()];
        for [first, second] in keys {
            sides[0].extend(first);
            sides[1].extend(second);
        }
        Sizes(sides.map(Side::of))
    }
}

/// A rule, ready to tell whether it gives a pair.
pub(super) struct Gives<'a> {
    pub of_a: Keys<'a>,
    pub of_b: Keys<'a>,
    pub sizes: &'a Sizes,
    pub is_counted: &'a [bool],
    pub one_in: u64,
    /// Whether only pairs across two sides are given.
    pub across: bool,
}

impl Gives<'_> {
    /// How many pairs the block holds that two records share.
    pub fn in_block(&mut self, a: u32, b: u32) -> Option<u64> {
        let (of_a, of_b) = (self.of_a.of(a), self.of_b.of(b));
        // One block of its several is enough to go by.
        let key = of_a.iter().find(|key| of_b.binary_search(key).is_ok())?;
        // The two are surely in it; each other record that is counted stands for several.
        let Sizes([first, second]) = self.sizes;
        let is_counted = |record: u32| u64::from(self.is_counted[record as usize]);
        let size = |known, counted: u64| known + counted * self.one_in;
        Some(if self.across {
            let first = first.count(*key).saturating_sub(is_counted(a.min(b)));
            let second = second.count(*key).saturating_sub(is_counted(a.max(b)));
            size(1, first) * size(1, second)
        } else {
            let two = is_counted(a) + is_counted(b);
            pairs_of(size(2, first.count(*key).saturating_sub(two)))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::matching::Meaning;
    use crate::matching::blocking::{Hashed, key};

    #[test]
    fn sizes_are_estimated_without_bias() {
        // 2,000 blocks of ten, one record in four counted.
        let mut records = Records::new(vec![Column::new("last", Meaning::LastName)]);
        for record in 0..20_000 {
            records.push(&[vec![format!("a{}", record / 10).as_str()]]);
        }
        let rule = "last".parse().expect("a rule");
        let found = key::find(&[rule], &["last"]).expect("columns");
        let hashed = Hashed::new(&records);
        let parts = hashed.parts(&found, 1);
        let is_counted: Vec<bool> = (0..records.len())
            .map(|record| key::hash(&record.to_string()).is_multiple_of(4))
            .collect();
        let keys = || Keys::by(&records, &found[0], &parts);
        let mut of_counted = keys();
        let counted = (0..records.len()).filter(|record| is_counted[*record as usize]);
        let counted: Vec<u64> = counted
            .flat_map(|one| of_counted.of(one).to_vec())
            .collect();
        let sizes = Sizes::of(vec![[counted, Vec::new()]]);
        let mut gives = Gives {
            of_a: keys(),
            of_b: keys(),
            sizes: &sizes,
            is_counted: &is_counted,
            one_in: 4,
            across: false,
        };
        let mut sum = 0.0;
        for block in 0..2_000 {
            let pairs = gives.in_block(10 * block, 10 * block + 7).expect("shared");
            sum += (1.0 + (1.0 + 8.0 * pairs as f64).sqrt()) / 2.0;
        }
        let mean = sum / 2_000.0;
        assert!((mean - 10.0).abs() < 0.3, "{mean}");
        assert_eq!(gives.in_block(0, 10), None);
    }

    #[test]
    fn a_side_counts_keys() {
        let keys: Vec<u64> = [0, 7, 7, 1 << 63, u64::MAX, u64::MAX, u64::MAX].to_vec();
        let side = Side::of(keys);
        let counts = [0, 7, 8, 1 << 63, u64::MAX].map(|key| side.count(key));
        assert_eq!(counts, [1, 2, 0, 1, 3]);
        assert_eq!(Side::of(Vec::new()).count(7), 0);
    }
}
