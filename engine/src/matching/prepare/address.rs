//! Addresses: number and street in one, as unrelated people of one street share the number less often
//! than members of a household.

use std::borrow::Cow;
use std::fmt::Write;

use xxhash_rust::xxh3::xxh3_64;

use super::forms::Sketch;
use super::values::{Lists, ShortMap, Values, mixed};
use crate::matching::records::{Column, Records};

/// Between house number and street.
const BETWEEN: char = '|';

/// Distinct addresses. Numbers and streets are far fewer than addresses are.
pub struct Addresses<'a> {
    /// Of each address the positions of number and street; 0 stands for none.
    pub parts: Vec<(u32, u32)>,
    /// The distinct house numbers, the first one empty.
    pub numbers: Vec<Cow<'a, str>>,
    /// The distinct streets, the first one empty.
    pub streets: Vec<Cow<'a, str>>,
    /// Those of the streets.
    pub sketches: Vec<Sketch>,
}

/// Texts, each once.
struct Texts<'a> {
    known: ShortMap<Cow<'a, str>, u32>,
    texts: Vec<Cow<'a, str>>,
}

impl<'a> Texts<'a> {
    fn new() -> Self {
        let mut texts = Texts {
            known: ShortMap::default(),
            texts: Vec::new(),
        };
        texts.position(Cow::Borrowed(""));
        texts
    }

    fn position(&mut self, text: Cow<'a, str>) -> u32 {
        if let Some(&position) = self.known.get(&text) {
            return position;
        }
        let position = self.texts.len() as u32;
        self.texts.push(text.clone());
        self.known.insert(text, position);
        position
    }
}

/// The addresses of records, from columns of streets and of house numbers.
pub(super) fn addresses<'a>(
    records: &'a Records,
    streets: &[usize],
    numbers: &[usize],
) -> (Values<'a>, Addresses<'a>) {
    let (mut all_numbers, mut all_streets) = (Texts::new(), Texts::new());
    let mut known: ShortMap<u64, u32> = ShortMap::default();
    let mut parts: Vec<(u32, u32)> = Vec::new();
    let mut position = |number: u32, street: u32| {
        let both = u64::from(number) << 32 | u64::from(street);
        *known.entry(both).or_insert_with(|| {
            parts.push((number, street));
            parts.len() as u32 - 1
        })
    };
    let column = |&column: &usize| -> &'a Column { &records.columns[column] };
    let lists = if numbers.is_empty() {
        let places: Vec<(&Column, Vec<u32>)> = streets
            .iter()
            .map(column)
            .map(|column| {
                let places = column.values.iter().map(|value| {
                    let (number, street) = in_street(&value.text);
                    position(
                        all_numbers.position(Cow::Borrowed(number)),
                        all_streets.position(street),
                    )
                });
                (column, places.collect())
            })
            .collect();
        Lists::of_places(records.len(), &places)
    } else {
        let places = |columns: &[usize], texts: &mut Texts<'a>| -> Vec<(&'a Column, Vec<u32>)> {
            columns
                .iter()
                .map(column)
                .map(|column| {
                    let places = column
                        .values
                        .iter()
                        .map(|value| texts.position(Cow::Borrowed(&value.text)));
                    (column, places.collect())
                })
                .collect()
        };
        let streets = places(streets, &mut all_streets);
        let numbers = places(numbers, &mut all_numbers);
        let gather = |columns: &[(&Column, Vec<u32>)], record: u32, into: &mut Vec<u32>| {
            into.clear();
            for (column, places) in columns {
                into.extend(
                    column
                        .of(record)
                        .iter()
                        .map(|&value| places[value as usize]),
                );
            }
        };
        let mut lists = Lists::of_capacity(records.len());
        let (mut of_streets, mut of_numbers) = (Vec::new(), Vec::new());
        for record in 0..records.len() {
            gather(&streets, record, &mut of_streets);
            gather(&numbers, record, &mut of_numbers);
            lists.push((0..of_streets.len().max(of_numbers.len())).map(|place| {
                let at = |list: &[u32]| list.get(place).copied().unwrap_or(0);
                position(at(&of_numbers), at(&of_streets))
            }));
        }
        lists
    };
    let streets = all_streets.texts;
    let sketches = streets.iter().map(|street| Sketch::of(street)).collect();
    (
        Values::Made(lists),
        Addresses {
            parts,
            numbers: all_numbers.texts,
            streets,
            sketches,
        },
    )
}

impl Addresses<'_> {
    /// Writes an address as one text.
    pub(super) fn write(&self, value: u32, text: &mut String) {
        let (number, street) = self.parts[value as usize];
        let (number, street) = (
            &self.numbers[number as usize],
            &self.streets[street as usize],
        );
        text.clear();
        // Writing to a string does not fail.
        let _ = write!(text, "{number}{BETWEEN}{street}");
    }

    pub(super) fn bytes(&self) -> usize {
        size_of_val(&*self.parts)
            + size_of_val(&*self.numbers)
            + size_of_val(&*self.streets)
            + size_of_val(&*self.sketches)
    }

    /// Of each address a hash of what it says.
    pub(super) fn hashes(&self) -> Vec<u64> {
        let of = |texts: &[Cow<'_, str>]| -> Vec<u64> {
            texts.iter().map(|text| xxh3_64(text.as_bytes())).collect()
        };
        let (numbers, streets) = (of(&self.numbers), of(&self.streets));
        self.parts
            .iter()
            .map(|&(number, street)| {
                mixed(numbers[number as usize]).wrapping_add(streets[street as usize])
            })
            .collect()
    }
}

/// Number and street of a street with its number before it or after it.
fn in_street(street: &str) -> (&str, Cow<'_, str>) {
    let numeric = |word: &str| word.starts_with(char::is_numeric);
    let number = street
        .split(' ')
        .next()
        .filter(|word| numeric(word))
        .or_else(|| street.rsplit(' ').find(|word| numeric(word)));
    let Some(number) = number else {
        return ("", Cow::Borrowed(street));
    };
    // Where it stands in the text.
    let start = number.as_ptr() as usize - street.as_ptr() as usize;
    let (before, after) = (&street[..start], &street[start + number.len()..]);
    let rest = match (before, after) {
        ("", after) => Cow::Borrowed(after.strip_prefix(' ').unwrap_or(after)),
        (before, "") => Cow::Borrowed(before.strip_suffix(' ').unwrap_or(before)),
        (before, after) => Cow::Owned(format!("{}{after}", before.trim_end_matches(' '))),
    };
    (number, rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_number_is_found_in_the_street() {
        for (street, number, rest) in [
            ("12 elm street", "12", "elm street"),
            ("elm street 12a", "12a", "elm street"),
            ("elm street 12 b", "12", "elm street b"),
            ("4 and 5 elm street", "4", "and 5 elm street"),
            ("box 4 elm 5 street", "5", "box 4 elm street"),
            ("elm street", "", "elm street"),
            ("12", "12", ""),
            ("", "", ""),
        ] {
            assert_eq!(in_street(street), (number, Cow::Borrowed(rest)), "{street}");
        }
    }
}
