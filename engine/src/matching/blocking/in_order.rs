//! The keys of all records by a rule, in their order.

use std::sync::{Mutex, PoisonError};

use super::key::{Found, Keys};
use super::{Hashed, threads};
use crate::background::Cancel;

/// A key of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Key {
    /// The key, as a signed number.
    pub key: i64,
    /// The name of the record.
    pub name: i64,
}

/// One of so many shares of all keys: a range of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Share {
    /// Which one, from 0.
    pub number: u32,
    /// How many there are.
    pub of: u32,
}

impl Share {
    /// Each is sorted by itself.
    const PARTS: u32 = 64;
    const MOST: u64 = 1 << 10;

    /// The part of this share that a key is in, if it is in any.
    fn part(self, key: i64) -> Option<usize> {
        let place = (unsigned(key) * u128::from(self.of * Self::PARTS)) >> 64;
        let place = place as u32;
        (place / Self::PARTS == self.number).then_some((place % Self::PARTS) as usize)
    }

    /// The least and the greatest key.
    pub fn range(self) -> (i64, i64) {
        let start = |number: u32| (u128::from(number) << 64).div_ceil(u128::from(self.of));
        let signed = |number: u128| (number as u64 ^ 1 << 63) as i64;
        (
            signed(start(self.number)),
            signed(start(self.number + 1) - 1),
        )
    }
}

/// In the order of signed numbers, from 0.
fn unsigned(key: i64) -> u128 {
    u128::from(key as u64 ^ 1 << 63)
}

/// Works out the keys of all records, rule after rule.
pub(crate) struct InOrder<'a> {
    hashed: Hashed<'a>,
    names: &'a [i64],
    threads: usize,
    cancel: &'a Cancel,
}

impl<'a> InOrder<'a> {
    /// `names` are those of the records.
    pub fn new(hashed: Hashed<'a>, names: &'a [i64], threads: usize, cancel: &'a Cancel) -> Self {
        InOrder {
            hashed,
            names,
            threads,
            cancel,
        }
    }

    /// Gives `each` the keys by a rule, a share after the other, each in parts that follow one another; a share
    /// takes no more bytes than said. Whether all were given: not when it is told to stop, nor when `each` says
    /// no.
    pub fn by(
        &self,
        rule: &Found,
        memory: u64,
        mut each: impl FnMut(Share, Vec<Vec<Key>>) -> bool,
    ) -> bool {
        let of = self.shares(rule, memory);
        (0..of).all(|number| {
            let share = Share { number, of };
            let keys = self.share(rule, share);
            !self.cancel.is_set() && each(share, keys)
        })
    }

    /// In how many shares keys are worked out.
    fn shares(&self, rule: &Found, memory: u64) -> u32 {
        let records = self.hashed.records;
        let parts = self.hashed.parts(std::slice::from_ref(rule), self.threads);
        let mut keys = Keys::by(records, rule, &parts);
        let sampled = (0..records.len()).step_by((records.len() as usize / 1000).max(1));
        let samples = sampled.len() as u64;
        let found: u64 = sampled.map(|record| keys.of(record).len() as u64).sum();
        let all = found * u64::from(records.len()) / samples.max(1);
        // Room grows by doubling.
        let needed = all * 2 * size_of::<Key>() as u64;
        let allowed = memory.saturating_sub(parts.bytes() as u64).max(1);
        needed.div_ceil(allowed).clamp(1, Share::MOST) as u32
    }

    fn share(&self, rule: &Found, share: Share) -> Vec<Vec<Key>> {
        /// Records that are worked on in one go.
        const RANGE: usize = 1 << 13;
        let records = self.hashed.records;
        let parts = self.hashed.parts(std::slice::from_ref(rule), self.threads);
        let all: Vec<Mutex<Vec<Key>>> = (0..Share::PARTS).map(|_| Mutex::default()).collect();
        let ranges = threads::ranges(records.len() as usize, RANGE);
        threads::each_of(&ranges, self.threads, |range| {
            if self.cancel.is_set() {
                return;
            }
            let mut keys = Keys::by(records, rule, &parts);
            let mut found: Vec<Vec<Key>> = (0..Share::PARTS).map(|_| Vec::new()).collect();
            let records = range.clone().map(|record| record as u32);
            keys.each(records, |record, of_record| {
                let name = self.names[record as usize];
                for &key in of_record {
                    let key = key as i64;
                    if let Some(part) = share.part(key) {
                        found[part].push(Key { key, name });
                    }
                }
            });
            for (part, found) in all.iter().zip(found) {
                let mut part = part.lock().unwrap_or_else(PoisonError::into_inner);
                part.extend(found);
            }
        });
        threads::each_of(&all, self.threads, |part| {
            let mut part = part.lock().unwrap_or_else(PoisonError::into_inner);
            let mut keys = std::mem::take(&mut *part);
            if !self.cancel.is_set() {
                keys.sort_unstable();
            }
            keys
        })
    }
}
