//! The distinct values that a comparison looks at, and which records hold them.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

use xxhash_rust::xxh3::xxh3_64_with_seed;

use crate::matching::records::{Column, Records};

/// A number that chance might have given (splitmix64).
pub(in crate::matching) fn mixed(mut number: u64) -> u64 {
    number = number.wrapping_add(0x9E37_79B9_7F4A_7C15);
    number = (number ^ number >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    number = (number ^ number >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
    number ^ number >> 31
}

/// Hashes short keys that nobody chose to collide.
#[derive(Default)]
pub(in crate::matching) struct Short(u64);

impl Hasher for Short {
    fn write(&mut self, bytes: &[u8]) {
        self.0 = xxh3_64_with_seed(bytes, self.0);
    }

    fn write_u8(&mut self, number: u8) {
        self.0 = self.0.rotate_left(8) ^ u64::from(number);
    }

    fn write_u32(&mut self, number: u32) {
        self.write_u64(u64::from(number));
    }

    fn write_u64(&mut self, number: u64) {
        self.0 = mixed(self.0 ^ number);
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

pub(in crate::matching) type ShortMap<K, V> = HashMap<K, V, BuildHasherDefault<Short>>;

/// Positions of values, record after record, and how many records hold each.
#[derive(Default)]
pub(super) struct Lists {
    held: Vec<u32>,
    ends: Vec<u32>,
    counts: Vec<u32>,
}

impl Lists {
    pub(super) fn of_capacity(records: u32) -> Self {
        Lists {
            held: Vec::with_capacity(records as usize),
            ends: Vec::with_capacity(records as usize),
            counts: Vec::new(),
        }
    }

    /// What records hold in some columns, as the places that each column's values have among all.
    pub(super) fn of_places(records: u32, places: &[(&Column, Vec<u32>)]) -> Self {
        let mut lists = Lists::of_capacity(records);
        for record in 0..records {
            lists.push(places.iter().flat_map(|(column, places)| {
                let values = column.of(record).iter();
                values.map(|&value| places[value as usize])
            }));
        }
        lists
    }

    /// Adds what the next record holds.
    pub(super) fn push(&mut self, values: impl IntoIterator<Item = u32>) {
        let start = self.held.len();
        for value in values {
            if !self.held[start..].contains(&value) {
                if self.counts.len() <= value as usize {
                    self.counts.resize(value as usize + 1, 0);
                }
                self.counts[value as usize] += 1;
                self.held.push(value);
            }
        }
        self.ends.push(self.held.len() as u32);
    }

    fn bytes(&self) -> usize {
        (self.held.capacity() + self.ends.capacity() + self.counts.capacity()) * size_of::<u32>()
    }

    fn of(&self, record: u32) -> &[u32] {
        let record = record as usize;
        let start = if record == 0 {
            0
        } else {
            self.ends[record - 1]
        };
        &self.held[start as usize..self.ends[record] as usize]
    }
}

/// The values of a column, or of one made of several.
pub(super) enum Values<'a> {
    Of(&'a Column),
    United(Vec<&'a str>, Lists),
    /// What the values are, the forms say.
    Made(Lists),
    Nothing,
}

impl<'a> Values<'a> {
    /// The values of several columns as those of one.
    pub(super) fn united(records: &'a Records, columns: &[usize]) -> Self {
        match columns {
            [] => return Values::Nothing,
            [only] => return Values::Of(&records.columns[*only]),
            _ => {}
        }
        let mut known: ShortMap<&str, u32> = ShortMap::default();
        let mut texts = Vec::new();
        let places: Vec<(&Column, Vec<u32>)> = columns
            .iter()
            .map(|&column| {
                let column = &records.columns[column];
                let places = column.values.iter().map(|value| {
                    *known.entry(&value.text).or_insert_with(|| {
                        texts.push(&*value.text);
                        texts.len() as u32 - 1
                    })
                });
                (column, places.collect())
            })
            .collect();
        Values::United(texts, Lists::of_places(records.len(), &places))
    }

    /// Those of a record.
    pub(super) fn of(&self, record: u32) -> &[u32] {
        match self {
            Values::Of(column) => column.of(record),
            Values::United(_, lists) | Values::Made(lists) => lists.of(record),
            Values::Nothing => &[],
        }
    }

    pub(super) fn text(&self, value: u32) -> &str {
        match self {
            Values::Of(column) => &column.values[value as usize].text,
            Values::United(texts, _) => texts[value as usize],
            Values::Made(_) | Values::Nothing => "",
        }
    }

    pub(super) fn texts(&self) -> impl Iterator<Item = &str> {
        (0..self.len() as u32).map(|value| self.text(value))
    }

    pub(super) fn len(&self) -> usize {
        match self {
            Values::Of(column) => column.values.len(),
            Values::United(_, lists) | Values::Made(lists) => lists.counts.len(),
            Values::Nothing => 0,
        }
    }

    /// How many records hold each.
    pub(super) fn counts(&self) -> Vec<u32> {
        match self {
            Values::Of(column) => column.values.iter().map(|value| value.count).collect(),
            Values::United(_, lists) | Values::Made(lists) => lists.counts.clone(),
            Values::Nothing => Vec::new(),
        }
    }

    /// Bytes held, beside the records.
    pub(super) fn bytes(&self) -> usize {
        match self {
            Values::Of(_) | Values::Nothing => 0,
            Values::United(texts, lists) => size_of_val(&**texts) + lists.bytes(),
            Values::Made(lists) => lists.bytes(),
        }
    }
}
