//! The keys of all records by one rule, brought together.
//!
//! By the leading bits of their keys, entries go to buckets that fit a cache. There each becomes one
//! number, the next bits of its key before its place in the bucket, and numbers are fast to sort. Places
//! ascend with records, so the records of a block are in order.

use super::super::Records;
use super::key::Keys;
use super::report::pairs_of;
use crate::background::Cancel;

/// How many entries a bucket is meant to hold.
const TOGETHER: u32 = 1 << 11;
/// There are two to the power of this of buckets, at most.
const MOST_BITS: u32 = 9;
/// Where memory is short, only keys with certain leading bits are taken at a time: at most so many bits.
const MOST_SHARED: u32 = 12;
/// After how many records it is asked whether to go on.
const STEP: usize = 1 << 14;

/// Records with one key.
pub(super) struct Block<'a> {
    pub key: u64,
    /// In order.
    pub records: &'a [u32],
    pub pairs: u64,
}

/// Why keys were not brought together.
pub(super) enum Stopped {
    /// So many bytes are needed at least.
    Memory(u64),
    Cancelled,
}

/// A key in two halves, and the record that has it: 12 bytes, not 16.
#[derive(Clone, Copy)]
pub(super) struct Entry {
    key: [u32; 2],
    record: u32,
}

impl Entry {
    pub fn new(key: u64, record: u32) -> Self {
        Entry {
            key: [(key >> 32) as u32, key as u32],
            record,
        }
    }

    fn key(self) -> u64 {
        u64::from(self.key[0]) << 32 | u64::from(self.key[1])
    }
}

/// What is needed to bring keys together, to be used for one rule after another.
#[derive(Default)]
pub(super) struct Grouping {
    buckets: Vec<Vec<Entry>>,
    room: Room,
}

/// What is needed to sort the entries of a bucket.
#[derive(Default)]
pub(super) struct Room {
    numbers: Vec<u64>,
    records: Vec<u32>,
}

/// Keys that begin with certain bits.
#[derive(Clone, Copy)]
struct Share {
    start: u64,
    bits: u32,
}

impl Share {
    const ALL: Share = Share { start: 0, bits: 0 };

    fn holds(self, key: u64) -> bool {
        self.bits == 0 || key >> (64 - self.bits) == self.start
    }

    /// The upper and the lower half.
    fn halves(self) -> [Share; 2] {
        [1, 0].map(|last| Share {
            start: self.start << 1 | last,
            bits: self.bits + 1,
        })
    }
}

impl Grouping {
    /// Gives every key that several records have, ascending. `allowed` bytes may be taken. Tells how many
    /// records have a key.
    pub fn each_block(
        &mut self,
        records: &Records,
        second: Option<u32>,
        keys: &mut Keys<'_>,
        allowed: u64,
        cancel: &Cancel,
        mut each: impl FnMut(&Block<'_>),
    ) -> Result<u32, Stopped> {
        let mut with_a_key = 0;
        let mut ahead = vec![Share::ALL];
        while let Some(share) = ahead.pop() {
            match self.collect(records, keys, share, allowed, cancel) {
                Ok(found) => with_a_key = found,
                Err(Stopped::Memory(_)) if share.bits < MOST_SHARED => {
                    ahead.extend(share.halves());
                    continue;
                }
                Err(stopped) => return Err(stopped),
            }
            let taken = share.bits + self.buckets.len().ilog2();
            for bucket in &self.buckets {
                if cancel.is_set() {
                    return Err(Stopped::Cancelled);
                }
                blocks_of(bucket, taken, second, &mut self.room, &mut each);
            }
        }
        Ok(with_a_key)
    }

    /// Puts the keys of a share into buckets.
    fn collect(
        &mut self,
        records: &Records,
        keys: &mut Keys<'_>,
        share: Share,
        allowed: u64,
        cancel: &Cancel,
    ) -> Result<u32, Stopped> {
        let expected = records.len() >> share.bits;
        let bits = (expected / TOGETHER).max(1).ilog2().min(MOST_BITS);
        self.buckets.resize_with(1 << bits, Vec::new);
        self.buckets.iter_mut().for_each(Vec::clear);
        let mut with_a_key = 0;
        for step in super::threads::ranges(records.len() as usize, STEP) {
            let buckets = &mut self.buckets;
            keys.each(step.start as u32..step.end as u32, |record, keys| {
                with_a_key += u32::from(!keys.is_empty());
                for key in keys.iter().filter(|key| share.holds(**key)) {
                    let rest = key << share.bits;
                    // Twice, for no number may be shifted by all its bits.
                    let bucket = rest >> 1 >> (63 - bits);
                    buckets[bucket as usize].push(Entry::new(*key, record));
                }
            });
            if cancel.is_set() {
                return Err(Stopped::Cancelled);
            }
            let needed = self.memory();
            if needed > allowed {
                self.buckets = Vec::new();
                return Err(Stopped::Memory(needed));
            }
        }
        Ok(with_a_key)
    }

    /// Bytes held, with those of the blocks that are made of it.
    fn memory(&self) -> u64 {
        let of_bucket = |bucket: &Vec<Entry>| bucket.capacity() * size_of::<Entry>();
        let held: usize = self.buckets.iter().map(of_bucket).sum();
        let entries: usize = self.buckets.iter().map(Vec::len).sum();
        (held + entries * 2 * size_of::<u32>()) as u64
    }
}

/// The blocks of entries whose keys have these many leading bits alike, by key; the records of a block are
/// in the order of entries.
pub(super) fn blocks_of(
    entries: &[Entry],
    taken: u32,
    second: Option<u32>,
    room: &mut Room,
    each: &mut impl FnMut(&Block<'_>),
) {
    let Room { numbers, records } = room;
    let place = (1u64 << (usize::BITS - entries.len().leading_zeros())) - 1;
    numbers.clear();
    let number = |(entry, at): (&Entry, u64)| entry.key() << taken & !place | at;
    numbers.extend(entries.iter().zip(0..).map(number));
    numbers.sort_unstable();
    for alike in numbers.chunk_by(|a, b| a ^ b <= place) {
        if alike.len() == 1 {
            continue;
        }
        let entry = |number: &u64| entries[(number & place) as usize];
        let key = entry(&alike[0]).key();
        if alike.iter().all(|number| entry(number).key() == key) {
            let of_block = alike.iter().map(|number| entry(number).record);
            give(records, key, of_block, second, each);
        } else {
            // The bits that were left out differ.
            let mut entries: Vec<Entry> = alike.iter().map(entry).collect();
            entries.sort_by_key(|entry| entry.key());
            for alike in entries.chunk_by(|a, b| a.key == b.key) {
                let of_block = alike.iter().map(|entry| entry.record);
                give(records, alike[0].key(), of_block, second, each);
            }
        }
    }
}

fn give(
    held: &mut Vec<u32>,
    key: u64,
    records: impl Iterator<Item = u32>,
    second: Option<u32>,
    each: &mut impl FnMut(&Block<'_>),
) {
    held.clear();
    held.extend(records);
    let size = held.len() as u64;
    let pairs = match second {
        None => pairs_of(size),
        Some(second) => {
            let first = held.partition_point(|record| *record < second) as u64;
            first * (size - first)
        }
    };
    each(&Block {
        key,
        records: held,
        pairs,
    });
}
