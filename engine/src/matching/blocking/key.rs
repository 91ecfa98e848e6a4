//! The keys of records by a rule: 64 bits for what they agree on.
//!
//! Keys are the same on every platform and in every version: they are stored. A part of a value is
//! hashed by XXH3 (64 bits, no seed); the hashes of a rule's terms are mixed in their order.

use std::borrow::Cow;

use xxhash_rust::xxh3::xxh3_64;

use super::super::{Column, Records};
use super::parts::{AllParts, Parts};
use super::{BlockingError, Part, Rule};

/// How many parts of a record count for one term, the first by hash.
const PARTS_OF_A_TERM: usize = 12;
/// How many keys a record has by one rule, at most.
const KEYS_OF_A_RULE: usize = 48;

pub(super) fn hash(text: &str) -> u64 {
    xxh3_64(text.as_bytes())
}

pub(super) fn mix(so_far: u64, part: u64) -> u64 {
    let mixed = (so_far.rotate_left(29) ^ part).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    mixed ^ (mixed >> 32)
}

/// A rule whose columns are found.
#[derive(Clone, Debug)]
pub(crate) struct Found {
    pub terms: Vec<(Vec<usize>, Part)>,
    pub cap: u32,
}

/// Finds the columns of rules among those named.
pub(crate) fn find(rules: &[Rule], columns: &[&str]) -> Result<Vec<Found>, BlockingError> {
    let find_column = |rule: &Rule, name: &String| {
        columns
            .iter()
            .position(|known| known == name)
            .ok_or_else(|| BlockingError::Column {
                rule: rule.to_string(),
                column: name.clone(),
            })
    };
    rules
        .iter()
        .map(|rule| {
            let terms = rule
                .terms
                .iter()
                .map(|term| {
                    let columns = term.columns.iter().map(|name| find_column(rule, name));
                    Ok((columns.collect::<Result<_, _>>()?, term.part))
                })
                .collect::<Result<_, _>>()?;
            Ok(Found {
                terms,
                cap: rule.cap,
            })
        })
        .collect()
}

/// Works out keys by one rule, record after record.
#[derive(Debug)]
pub(super) struct Keys<'a> {
    terms: Vec<Vec<(&'a Column, &'a Parts)>>,
    left_out: u64,
    keys: Vec<u64>,
    parts: Vec<u64>,
    longer: Vec<u64>,
    ahead: Vec<u32>,
    values: Vec<u32>,
}

/// So many records are worked on in one go.
const AHEAD: usize = 64;

impl<'a> Keys<'a> {
    pub fn by(records: &'a Records, rule: &Found, parts: &'a AllParts) -> Self {
        let terms = rule
            .terms
            .iter()
            .map(|(columns, part)| {
                let of_column =
                    |column: &usize| (&records.columns[*column], parts.get(*column, *part));
                columns.iter().map(of_column).collect()
            })
            .collect();
        Keys {
            terms,
            left_out: 0,
            keys: Vec::new(),
            parts: Vec::new(),
            longer: Vec::new(),
            ahead: Vec::new(),
            values: Vec::new(),
        }
    }

    /// Leaves parts of the first term out whose hash has any of these bits.
    pub fn without(mut self, left_out: u64) -> Self {
        self.left_out = left_out;
        self
    }

    /// The keys of each of these records. Most of the time goes into fetching what they are made of, which
    /// takes less for many records at once.
    pub fn each(
        &mut self,
        mut records: impl Iterator<Item = u32>,
        mut give: impl FnMut(u32, &[u64]),
    ) {
        let mut ahead = std::mem::take(&mut self.ahead);
        loop {
            ahead.clear();
            ahead.extend(records.by_ref().take(AHEAD));
            if ahead.is_empty() {
                break;
            }
            self.fetch(&ahead);
            for record in &ahead {
                give(*record, self.of(*record));
            }
        }
        self.ahead = ahead;
    }

    /// Brings what the keys of these records are made of near.
    fn fetch(&mut self, records: &[u32]) {
        for (column, parts) in self.terms.iter().flatten() {
            self.values.clear();
            for record in records {
                // One by one: mostly there is one.
                column
                    .of(*record)
                    .iter()
                    .for_each(|value| self.values.push(*value));
            }
            parts.fetch(&self.values);
        }
    }

    /// The keys of a record, ascending, each once.
    pub fn of(&mut self, record: u32) -> &[u64] {
        let Keys {
            terms,
            left_out,
            keys,
            parts: together,
            longer,
            ..
        } = self;
        start(keys);
        let mut left_out = *left_out;
        for term in terms.iter() {
            // Mostly there is one value, and what it says is in order.
            let mut found: &[u64] = &[];
            let mut several = false;
            for (column, parts) in term {
                for value in column.of(record) {
                    let of_value = parts.of(*value);
                    if found.is_empty() {
                        found = of_value;
                    } else if !of_value.is_empty() {
                        if !several {
                            several = true;
                            together.clear();
                            together.extend_from_slice(found);
                        }
                        together.extend_from_slice(of_value);
                    }
                }
            }
            if several {
                in_order(together);
            }
            if left_out != 0 {
                if !several {
                    several = true;
                    together.clear();
                    together.extend_from_slice(found);
                }
                together.retain(|part| part & left_out == 0);
                left_out = 0;
            }
            extend(keys, if several { together } else { found }, longer);
            if keys.is_empty() {
                break;
            }
        }
        finish(keys);
        keys
    }
}

fn start(keys: &mut Vec<u64>) {
    keys.clear();
    keys.push(0);
}

/// Those parts of a term that count.
pub(super) fn in_order(parts: &mut Vec<u64>) {
    parts.sort_unstable();
    parts.dedup();
    parts.truncate(PARTS_OF_A_TERM);
}

/// Every key so far, with every part of the next term.
fn extend(keys: &mut Vec<u64>, parts: &[u64], longer: &mut Vec<u64>) {
    if let [part] = parts {
        keys.iter_mut().for_each(|key| *key = mix(*key, *part));
        return;
    }
    longer.clear();
    for key in keys.iter() {
        longer.extend(parts.iter().map(|part| mix(*key, *part)));
    }
    std::mem::swap(keys, longer);
}

fn finish(keys: &mut Vec<u64>) {
    if keys.len() > 1 {
        keys.sort_unstable();
        keys.dedup();
        keys.truncate(KEYS_OF_A_RULE);
    }
}

/// The keys of one record by a rule, ascending; `texts` are its values by column, in their one form.
pub(crate) fn of_texts<T: AsRef<str>>(rule: &Found, texts: &[Vec<T>]) -> Vec<u64> {
    let mut keys = Vec::new();
    let mut longer = Vec::new();
    start(&mut keys);
    for (columns, part) in &rule.terms {
        let mut parts = Vec::new();
        for text in columns.iter().flat_map(|column| &texts[*column]) {
            part.of(text.as_ref(), |text| parts.push(hash(text)));
        }
        in_order(&mut parts);
        extend(&mut keys, &parts, &mut longer);
    }
    finish(&mut keys);
    keys
}

/// What a key of a record says, to be read by people: its terms, with ` / ` between.
pub(super) fn text(records: &Records, rule: &Found, record: u32, key: u64) -> String {
    let mut so_far: Vec<(u64, Cow<'static, str>)> = vec![(0, Cow::Borrowed(""))];
    for (columns, part) in &rule.terms {
        let mut parts = Vec::new();
        for column in columns {
            let column = &records.columns[*column];
            for value in column.of(record) {
                part.of(&column.values[*value as usize].text, |text| {
                    parts.push(text.to_owned());
                });
            }
        }
        so_far = so_far
            .iter()
            .flat_map(|(key, said)| {
                parts.iter().map(move |text| {
                    let said = if said.is_empty() {
                        text.clone()
                    } else {
                        format!("{said} / {text}")
                    };
                    (mix(*key, hash(text)), Cow::Owned(said))
                })
            })
            .collect();
    }
    so_far
        .into_iter()
        .find_map(|(made, said)| (made == key).then(|| said.into_owned()))
        .unwrap_or_default()
}
