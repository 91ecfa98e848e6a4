//! The parts of the distinct values of columns, hashed, each once.

use std::collections::HashMap;
use std::hint::black_box;
use std::sync::{Arc, Mutex, PoisonError};

use super::super::{Column, Records};
use super::key::{Found, hash, in_order};
use super::{Part, phonetic, threads};

/// The parts of the distinct values of a column, hashed.
#[derive(Debug)]
pub(super) struct Parts {
    /// Where those of each value end in `hashes`; none when each value has just one.
    ends: Option<Vec<u32>>,
    /// Those of a value that count, ascending.
    hashes: Vec<u64>,
}

impl Parts {
    fn of_column(column: &Column, part: Part) -> Self {
        let values = &column.values;
        let mut hashes = Vec::with_capacity(values.len());
        let mut ends = Vec::with_capacity(values.len());
        let mut one_each = true;
        let (mut of_value, mut written) = (Vec::new(), String::new());
        let mut sounds = Sounds::default();
        for value in values {
            of_value.clear();
            match part {
                Part::Phonetic => sounds.of(&value.text, |hash| of_value.push(hash)),
                _ => part.write(&value.text, &mut written, |text| of_value.push(hash(text))),
            }
            if of_value.len() > 1 {
                in_order(&mut of_value);
            }
            one_each &= of_value.len() == 1;
            hashes.extend_from_slice(&of_value);
            ends.push(hashes.len() as u32);
        }
        Parts {
            ends: (!one_each).then_some(ends),
            hashes,
        }
    }

    /// Reads something of each value, one right after the other, and waits for none.
    pub fn fetch(&self, values: &[u32]) {
        let start = |value: &u32| match &self.ends {
            None => *value,
            Some(ends) => ends[*value as usize],
        };
        if self.ends.is_some() {
            black_box(values.iter().map(start).fold(0, |all, one| all ^ one));
        }
        let last = |value| self.hashes[(start(value) as usize).min(self.hashes.len() - 1)];
        if !self.hashes.is_empty() {
            black_box(values.iter().map(last).fold(0, |all, one| all ^ one));
        }
    }

    pub fn of(&self, value: u32) -> &[u64] {
        let value = value as usize;
        match &self.ends {
            None => &self.hashes[value..=value],
            Some(ends) => {
                let start = if value == 0 { 0 } else { ends[value - 1] };
                &self.hashes[start as usize..ends[value] as usize]
            }
        }
    }
}

/// How words sound: there are far fewer than values that hold them.
#[derive(Default)]
struct Sounds(HashMap<u64, Vec<u64>>);

impl Sounds {
    fn of(&mut self, text: &str, mut add: impl FnMut(u64)) {
        for word in super::part::words(text) {
            let codes = self.0.entry(hash(word)).or_insert_with(|| {
                let mut codes = Vec::with_capacity(2);
                phonetic::codes(word, &mut |code| codes.push(hash(code)));
                codes
            });
            codes.iter().for_each(|code| add(*code));
        }
    }
}

/// Records, and the parts of their values that rules want. Those that the rules before wanted too are not
/// worked out again, others are forgotten.
#[derive(Debug)]
pub struct Hashed<'a> {
    pub(super) records: &'a Records,
    held: Mutex<AllParts>,
}

/// The parts of values that some rules want.
#[derive(Clone, Debug, Default)]
pub(super) struct AllParts(HashMap<(usize, Part), Arc<Parts>>);

impl<'a> Hashed<'a> {
    /// Of these records nothing is worked out yet.
    pub fn new(records: &'a Records) -> Self {
        Hashed {
            records,
            held: Mutex::default(),
        }
    }

    /// The records alone; what was worked out is forgotten.
    pub fn into_records(self) -> &'a Records {
        self.records
    }

    /// The parts that the rules want; those of several columns are worked out at a time.
    pub(super) fn parts(&self, rules: &[Found], threads: usize) -> AllParts {
        let mut wanted: Vec<(usize, Part)> = rules
            .iter()
            .flat_map(|rule| &rule.terms)
            .flat_map(|(columns, part)| columns.iter().map(|column| (*column, *part)))
            .collect();
        wanted.sort_unstable();
        wanted.dedup();
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        held.0
            .retain(|known, _| wanted.binary_search(known).is_ok());
        wanted.retain(|wanted| !held.0.contains_key(wanted));
        // The long ones first.
        let values = |column: usize| self.records.columns[column].values.len();
        wanted.sort_by_key(|(column, _)| std::cmp::Reverse(values(*column)));
        let made = threads::each_of(&wanted, threads, |(column, part)| {
            Arc::new(Parts::of_column(&self.records.columns[*column], *part))
        });
        held.0.extend(wanted.into_iter().zip(made));
        held.clone()
    }
}

impl AllParts {
    /// Bytes held.
    pub fn bytes(&self) -> usize {
        let of = |parts: &Arc<Parts>| {
            let ends = parts.ends.as_ref().map_or(0, Vec::capacity);
            ends * size_of::<u32>() + parts.hashes.capacity() * size_of::<u64>()
        };
        self.0.values().map(of).sum()
    }

    pub fn get(&self, column: usize, part: Part) -> &Parts {
        &self.0[&(column, part)]
    }

    /// The records with any part of these columns that has none of the bits.
    pub fn with_any(
        &self,
        records: &Records,
        (columns, part): &(Vec<usize>, Part),
        left_out: u64,
    ) -> Vec<u32> {
        let columns: Vec<(usize, Vec<bool>)> = columns
            .iter()
            .map(|column| {
                let parts = self.get(*column, *part);
                let values = 0..records.columns[*column].values.len() as u32;
                let with =
                    values.map(|value| parts.of(value).iter().any(|part| part & left_out == 0));
                (*column, with.collect())
            })
            .collect();
        (0..records.len())
            .filter(|record| {
                columns.iter().any(|(column, with)| {
                    let mut values = records.columns[*column].of(*record).iter();
                    values.any(|value| with[*value as usize])
                })
            })
            .collect()
    }
}
