//! The pairs to train on: random ones, and ones that share values.
//!
//! They depend on what records say alone, never on the order of records. Drawing them takes 32 bytes a
//! record, 8 for each distinct value, and for each thread 32 for each of [`BLOCKED`] records.

use std::ops::Range;

use xxhash_rust::xxh3::xxh3_64;

use crate::background::Cancel;
use crate::matching::blocking::threads::{each_of, ranges};
use crate::matching::comparison::{Comparer, Comparison, Kind, Outcomes};
use crate::matching::model::{Masked, Pattern, Stratum, pattern};
use crate::matching::prepare::{Field, NONE, Prepared, SEVERAL, ShortMap, mixed};
use crate::matching::records::{Column, Records};
use crate::matching::spec::{Error, Settings};

/// How many records a thread looks at before it asks whether to go on.
const STEP: usize = 1 << 14;
/// The same of pairs to compare.
const PAIRS: usize = 1 << 12;
/// A block with more records than this is no sample of persons, but a value that stands for none.
const LARGEST_BLOCK: usize = 1000;
/// A stratum with more pairs than this for each record drowns the matches in it.
const PAIRS_A_RECORD: f64 = 300.0;
/// Of more records than this some blocks are taken, that hold about as many.
const BLOCKED: u32 = 200_000;

/// Draws pairs of records.
pub(super) struct Sampler<'a> {
    prepared: &'a Prepared<'a>,
    settings: &'a Settings,
    cancel: &'a Cancel,
    /// By column, of each value a hash; then by field that is made of several.
    hashes: Vec<Vec<u64>>,
    /// Which of these are those of a cell.
    of_cells: Vec<usize>,
    /// Of each record, by what it says.
    fingerprints: Vec<u64>,
    /// The records, ordered by that.
    order: Vec<u32>,
}

/// Pairs that share the first value of some comparisons.
struct Sharing {
    /// Some of them.
    pairs: Vec<(u32, u32)>,
    /// How many there are.
    all: f64,
    /// How often two records have these values at all.
    filled: f64,
}

impl<'a> Sampler<'a> {
    pub(super) fn of(
        records: &Records,
        prepared: &'a Prepared<'a>,
        settings: &'a Settings,
        cancel: &'a Cancel,
    ) -> Self {
        let columns = &records.columns;
        let mut hashes = each_of(columns, settings.threads, |column| -> Vec<u64> {
            let texts = column.values.iter().map(|value| value.text.as_bytes());
            texts.map(xxh3_64).collect()
        });
        let fingerprints = each_of(&ranges(prepared.len(), STEP), settings.threads, |range| {
            fingerprints(columns, &hashes, range)
        })
        .concat();
        let of_cells = prepared
            .all_fields()
            .map(|field| {
                let same = |column: &Column| field.is(column);
                columns.iter().position(same).unwrap_or_else(|| {
                    hashes.push(field.hashes());
                    hashes.len() - 1
                })
            })
            .collect();
        // Sorted by each thread a part of all fingerprints there can be.
        let parts = settings.threads.clamp(1, 8) as u64;
        let sorted = each_of(&(0..parts).collect::<Vec<_>>(), settings.threads, |&part| {
            let here = |fingerprint: u64| ((fingerprint >> 32) * parts) >> 32 == part;
            let keyed = fingerprints.iter().copied().zip(0..);
            let mut keyed: Vec<(u64, u32)> = keyed.filter(|keyed| here(keyed.0)).collect();
            keyed.sort_unstable();
            keyed
                .into_iter()
                .map(|(_, record)| record)
                .collect::<Vec<u32>>()
        });
        Sampler {
            prepared,
            settings,
            cancel,
            hashes,
            of_cells,
            fingerprints,
            order: sorted.concat(),
        }
    }

    fn of_pair(&self, (a, b): (u32, u32)) -> u64 {
        self.fingerprints[a as usize].wrapping_add(self.fingerprints[b as usize])
    }

    /// Compares pairs in pieces, on several threads; each piece gives one result.
    fn compare<R: Send>(
        &self,
        pieces: &[Range<usize>],
        pair: impl Fn(usize) -> (u32, u32) + Sync,
        start: impl Fn() -> R + Sync,
        add: impl Fn(&mut R, &Outcomes) + Sync,
    ) -> Result<Vec<R>, Error> {
        let results = each_of(pieces, self.settings.threads, |piece| {
            let mut comparer = Comparer::new(self.prepared);
            let mut result = start();
            let mut numbers = piece.clone();
            while !numbers.is_empty() && !self.cancel.is_set() {
                let pairs: Vec<_> = numbers.by_ref().take(PAIRS).map(&pair).collect();
                comparer.compare_all(&pairs, |_, outcomes| add(&mut result, outcomes));
            }
            result
        });
        match self.cancel.is_set() {
            true => Err(Error::Cancelled),
            false => Ok(results),
        }
    }

    /// How often random pairs show each level, by comparison and level; the first level is "missing".
    pub(super) fn random_levels(&self) -> Result<Vec<Vec<u64>>, Error> {
        let len = self.order.len() as u64;
        let all = len * len.saturating_sub(1) / 2;
        let wanted = u64::from(self.settings.random_pairs).min(all);
        let seed = self.settings.seed;
        let pair = |number: usize| {
            let number = number as u64;
            let (a, b) = if wanted == all {
                triangle(number)
            } else {
                let drawn = mixed(seed ^ mixed(number));
                let a = ((u128::from(drawn) * u128::from(len)) >> 64) as u64;
                let b = ((u128::from(mixed(drawn)) * u128::from(len - 1)) >> 64) as u64;
                (a, if b >= a { b + 1 } else { b })
            };
            (self.order[a as usize], self.order[b as usize])
        };
        let none = || -> Vec<Vec<u64>> {
            let comparisons = self.prepared.comparisons.iter();
            comparisons
                .map(|comparison| vec![0; comparison.kind.levels().len() + 1])
                .collect()
        };
        let pieces = ranges(
            wanted as usize,
            (wanted as usize).div_ceil(self.settings.threads.clamp(1, 64)),
        );
        let seen = self.compare(&pieces, pair, none, |seen, outcomes| {
            for (seen, outcome) in seen.iter_mut().zip(outcomes) {
                seen[usize::from(outcome.level())] += 1;
            }
        })?;
        let mut sum = none();
        for seen in seen {
            for (sum, seen) in sum.iter_mut().flatten().zip(seen.into_iter().flatten()) {
                *sum += seen;
            }
        }
        Ok(sum)
    }

    /// Pairs that share values, by the values they share.
    pub(super) fn strata(&self) -> Result<Vec<Stratum>, Error> {
        let keys: Vec<(u64, Vec<usize>)> = (0..).zip(keys(&self.prepared.comparisons)).collect();
        let strata = each_of(&keys, self.settings.threads, |(number, key)| {
            let seed = mixed(self.settings.seed ^ *number);
            let sharing = self.pairs_sharing(key, seed)?;
            let masked = Masked(key.iter().fold(0, |mask, position| mask | 1 << position));
            Some(Stratum {
                masked,
                pairs: sharing.all,
                filled: sharing.filled,
                patterns: self.patterns(&sharing.pairs, masked),
            })
        });
        match self.cancel.is_set() {
            true => Err(Error::Cancelled),
            false => Ok(strata.into_iter().flatten().collect()),
        }
    }

    /// Some of the pairs that share the first value of each of these comparisons; none if there are none,
    /// or so many that they say nothing.
    fn pairs_sharing(&self, key: &[usize], seed: u64) -> Option<Sharing> {
        let len = self.order.len();
        let taken = (f64::from(BLOCKED) / len as f64).min(1.0);
        let most = (taken * u64::MAX as f64) as u64;
        let fields: Vec<(&Field<'_>, &[u64])> = key
            .iter()
            .map(|&position| &self.prepared.fields[position])
            .map(|field| (field, self.hashes[self.of_cells[field.cell]].as_slice()))
            .collect();
        let mut keyed: Vec<(u64, u32)> = Vec::new();
        for record in 0..len as u32 {
            if (record as usize).is_multiple_of(STEP) && self.cancel.is_set() {
                return None;
            }
            let cells = self.prepared.cells(record);
            let hash = fields.iter().try_fold(seed, |hash, (field, hashes)| {
                let value = match cells[field.cell] {
                    NONE => return None,
                    SEVERAL => field.of(record)[0],
                    value => value,
                };
                Some(mixed(hash ^ hashes[value as usize]))
            });
            if let Some(hash) = hash.filter(|&hash| hash <= most) {
                keyed.push((hash, record));
            }
        }
        keyed.sort_unstable();
        let blocks = || {
            keyed
                .chunk_by(|a, b| a.0 == b.0)
                .filter(|block| block.len() <= LARGEST_BLOCK)
        };
        let total: f64 = blocks()
            .map(|block| (block.len() * (block.len() - 1) / 2) as f64)
            .sum();
        let in_blocks: f64 = blocks().map(|block| block.len() as f64).sum();
        if total == 0.0 || total / in_blocks > PAIRS_A_RECORD {
            return None;
        }
        let rate = (f64::from(self.settings.training_pairs) / total).min(1.0);
        let limit = (rate * u64::MAX as f64) as u64;
        let mut pairs = Vec::new();
        for block in blocks() {
            for (place, &(_, a)) in block.iter().enumerate() {
                for &(_, b) in &block[..place] {
                    if rate >= 1.0 || mixed(seed ^ self.of_pair((a, b))) < limit {
                        pairs.push((a, b));
                    }
                }
            }
        }
        let share = in_blocks / taken / len as f64;
        Some(Sharing {
            pairs,
            all: total / taken,
            filled: share * share,
        })
    }

    /// The patterns of pairs, counted.
    fn patterns(&self, pairs: &[(u32, u32)], masked: Masked) -> Vec<(Pattern, [f64; 2])> {
        let mut comparer = Comparer::new(self.prepared);
        let mut counts: ShortMap<Pattern, [u32; 2]> = ShortMap::default();
        for pairs in pairs.chunks(PAIRS) {
            if self.cancel.is_set() {
                break;
            }
            comparer.compare_all(pairs, |place, outcomes| {
                let half = (mixed(self.of_pair(pairs[place])) & 1) as usize;
                counts.entry(pattern(outcomes, masked)).or_default()[half] += 1;
            });
        }
        let mut patterns: Vec<(Pattern, [f64; 2])> = counts
            .into_iter()
            .map(|(pattern, counts)| (pattern, counts.map(f64::from)))
            .collect();
        patterns.sort_unstable_by_key(|&(pattern, _)| pattern);
        patterns
    }
}

/// Of each of some records a hash of what it says.
fn fingerprints(columns: &[Column], hashes: &[Vec<u64>], records: &Range<usize>) -> Vec<u64> {
    let mut fingerprints = vec![0_u64; records.len()];
    for (column, hashes) in columns.iter().zip(hashes) {
        for (fingerprint, record) in fingerprints.iter_mut().zip(records.clone()) {
            // The order of several values says nothing.
            let held = column.of(record as u32).iter().fold(0_u64, |sum, &value| {
                sum.wrapping_add(hashes[value as usize])
            });
            *fingerprint = mixed(fingerprint.wrapping_mul(31).wrapping_add(held));
        }
    }
    fingerprints
}

/// The pair of that number, of all pairs in order.
fn triangle(number: u64) -> (u64, u64) {
    let mut high = ((((8 * number + 1) as f64).sqrt() + 1.0) / 2.0) as u64;
    while high * (high - 1) / 2 > number {
        high -= 1;
    }
    while high * (high + 1) / 2 <= number {
        high += 1;
    }
    (high, number - high * (high - 1) / 2)
}

/// The sets of values that pairs of a stratum share.
fn keys(comparisons: &[Comparison]) -> Vec<Vec<usize>> {
    let at = |wanted: Kind| {
        comparisons
            .iter()
            .enumerate()
            .filter(move |(_, comparison)| comparison.kind == wanted)
            .map(|(position, _)| position)
    };
    let mut keys: Vec<Vec<usize>> = Vec::new();
    for kind in [
        Kind::Birth,
        Kind::Email,
        Kind::Phone,
        Kind::Address,
        Kind::NationalId,
        Kind::FullName,
        Kind::Family,
    ] {
        keys.extend(at(kind).map(|one| vec![one]));
    }
    for (one, other) in [
        (Kind::Given, Kind::Family),
        (Kind::Family, Kind::Place),
        (Kind::Given, Kind::Place),
        (Kind::Family, Kind::Category),
        (Kind::Given, Kind::Category),
        (Kind::Place, Kind::Category),
    ] {
        for one in at(one) {
            keys.extend(at(other).map(|other| vec![one, other]));
        }
    }
    keys
}
