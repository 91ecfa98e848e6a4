//! The forms of values that the comparisons need, made once for each distinct value.

use std::borrow::Cow;

use super::Meaning;
use super::comparison::{Comparison, Kind, bucket};
use super::model::Frequencies;
use super::records::{Column, Records};
use crate::similarity::nicknames;

/// Records ready to compare.
pub struct Prepared<'a> {
    /// What to compare.
    pub comparisons: Vec<Comparison>,
    /// For each comparison what it looks at.
    pub fields: Vec<Field<'a>>,
}

/// What a comparison looks at: a column, or one made of several.
pub struct Field<'a> {
    column: Cow<'a, Column>,
    /// For each value its form.
    pub forms: Forms,
    /// For each value the bucket of its frequency.
    pub buckets: Vec<u16>,
    /// Further columns: see [`parts`].
    pub parts: Vec<Field<'a>>,
}

/// The forms of values.
pub enum Forms {
    /// The text serves.
    Plain,
    /// Names.
    Names(Vec<Name>),
    /// Dates.
    Dates(Vec<Date>),
    /// Where the `@` is; the length if nowhere.
    Emails(Vec<u32>),
    /// Where the number ends and the street begins, and the street.
    Addresses(Vec<(u32, Name)>),
    /// Latitude and longitude.
    Locations(Vec<(f64, f64)>),
    /// Words, sorted.
    Words(Vec<Box<[u64]>>),
}

/// A name.
#[derive(Clone, Copy, Debug)]
pub struct Name {
    /// Characters.
    pub chars: u32,
    /// The first one.
    pub initial: char,
    /// Which letters it has, each one bit (some share one).
    pub letters: u64,
    /// The groups of nicknames it is in.
    pub nicknames: &'static [u16],
    /// Whether it has several words.
    pub several: bool,
    /// The position of the initial in the second part, for middle names.
    pub initial_value: u32,
}

/// A date, its digits as written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Date {
    /// `YYYYMMDD`.
    pub digits: [u8; 8],
    /// Days since some day, if it is a date.
    pub day: Option<i32>,
    /// Whether day and month are those that stand for "unknown".
    pub default_day: bool,
}

impl Field<'_> {
    /// The values of a record.
    pub fn of(&self, record: u32) -> &[u32] {
        self.column.of(record)
    }

    /// The text of a value.
    pub fn text(&self, value: u32) -> &str {
        &self.column.values[value as usize].text
    }

    /// Of each value a hash of its text.
    pub(super) fn hashes(&self) -> Vec<u64> {
        self.column
            .values
            .iter()
            .map(|value| xxhash_rust::xxh3::xxh3_64(value.text.as_bytes()))
            .collect()
    }

    /// The bucket of the frequency of a value.
    pub fn bucket(&self, value: u32) -> u16 {
        self.buckets[value as usize]
    }
}

/// The columns that the frequencies of a comparison count, the main one first: for a place postcode,
/// city and region, for a middle name its initial, for a date month and day.
pub fn parts<'a>(comparison: &Comparison, records: &'a Records) -> Vec<Cow<'a, Column>> {
    let with = |wanted: Meaning| -> Vec<usize> {
        comparison
            .columns
            .iter()
            .copied()
            .filter(|&column| records.columns[column].meaning == wanted)
            .collect()
    };
    match comparison.kind {
        Kind::Address => vec![Cow::Owned(addresses(
            records,
            &with(Meaning::Street),
            &with(Meaning::HouseNumber),
        ))],
        Kind::Place => [Meaning::Postcode, Meaning::City, Meaning::Region]
            .into_iter()
            .map(|meaning| united(records, &with(meaning), meaning))
            .collect(),
        Kind::Middle => {
            let main = united(records, &comparison.columns, Meaning::MiddleName);
            let initials = derived(records.len(), &main, |text| {
                text.chars().next().map(String::from)
            });
            vec![main, Cow::Owned(initials)]
        }
        Kind::Birth => {
            let main = united(records, &comparison.columns, Meaning::BirthDate);
            let days = derived(records.len(), &main, |text| {
                digits(text).map(|digits| String::from_utf8_lossy(&digits[4..]).into_owned())
            });
            vec![main, Cow::Owned(days)]
        }
        _ => vec![united(
            records,
            &comparison.columns,
            records.columns[comparison.columns[0]].meaning,
        )],
    }
}

/// One column of several.
fn united<'a>(records: &'a Records, columns: &[usize], meaning: Meaning) -> Cow<'a, Column> {
    if let [only] = columns {
        return Cow::Borrowed(&records.columns[*only]);
    }
    let mut united = Column::new(meaning.name(), meaning);
    for record in 0..records.len() {
        united.push(columns.iter().flat_map(|&column| {
            let column = &records.columns[column];
            column
                .of(record)
                .iter()
                .map(|&value| &*column.values[value as usize].text)
        }));
    }
    Cow::Owned(united)
}

/// A column of something about the values of another.
fn derived(records: u32, main: &Column, of: impl Fn(&str) -> Option<String>) -> Column {
    let texts: Vec<Option<String>> = main.values.iter().map(|value| of(&value.text)).collect();
    let mut derived = Column::new(main.name.clone(), main.meaning);
    for record in 0..records {
        derived.push(
            main.of(record)
                .iter()
                .filter_map(|&value| texts[value as usize].as_deref()),
        );
    }
    derived
}

/// Between house number and street.
const BETWEEN: char = '|';

/// The addresses: number and street in one, as unrelated people of one street share the number less
/// often than members of a household.
fn addresses(records: &Records, streets: &[usize], numbers: &[usize]) -> Column {
    let mut addresses = Column::new("address", Meaning::Street);
    let texts = |columns: &[usize], record: u32| -> Vec<&str> {
        columns
            .iter()
            .flat_map(|&column| {
                let column = &records.columns[column];
                column
                    .of(record)
                    .iter()
                    .map(|&value| &*column.values[value as usize].text)
            })
            .collect()
    };
    for record in 0..records.len() {
        let streets = texts(streets, record);
        let numbers_of = texts(numbers, record);
        let all: Vec<String> = (0..streets.len().max(numbers_of.len()))
            .map(|place| {
                let street = streets.get(place).copied().unwrap_or("");
                match numbers_of.get(place) {
                    Some(number) => format!("{number}{BETWEEN}{street}"),
                    None if numbers.is_empty() => in_street(street),
                    None => format!("{BETWEEN}{street}"),
                }
            })
            .collect();
        addresses.push(all.iter().map(String::as_str));
    }
    addresses
}

/// A street with its number before it or after it.
fn in_street(street: &str) -> String {
    let numeric = |word: &&str| word.starts_with(|character: char| character.is_numeric());
    let words: Vec<&str> = street.split(' ').collect();
    let number = words
        .first()
        .filter(|word| numeric(word))
        .map(|_| 0)
        .or_else(|| words.iter().rposition(numeric));
    match number {
        Some(position) => {
            let others: Vec<&str> = words
                .iter()
                .enumerate()
                .filter(|&(other, _)| other != position)
                .map(|(_, word)| *word)
                .collect();
            format!("{}{BETWEEN}{}", words[position], others.join(" "))
        }
        None => format!("{BETWEEN}{street}"),
    }
}

/// The eight digits of a date (some may be no digits), if it has the form of one.
fn digits(text: &str) -> Option<[u8; 8]> {
    let bytes = text.as_bytes();
    if bytes.len() != 10 || bytes[4] != b'-' || bytes[7] != b'-' {
        return None;
    }
    let mut digits = [0; 8];
    digits[..4].copy_from_slice(&bytes[..4]);
    digits[4..6].copy_from_slice(&bytes[5..7]);
    digits[6..].copy_from_slice(&bytes[8..]);
    Some(digits)
}

/// Days since the year 0, as the calendar of today would have it.
fn day_number(digits: &[u8; 8]) -> Option<i32> {
    let number = |range: std::ops::Range<usize>| -> Option<i32> {
        std::str::from_utf8(&digits[range]).ok()?.parse().ok()
    };
    let (year, month, day) = (number(0..4)?, number(4..6)?, number(6..8)?);
    if !(1..=12).contains(&month) || !(1..=31).contains(&day) {
        return None;
    }
    let (year, month) = if month > 2 {
        (year, month - 3)
    } else {
        (year - 1, month + 9)
    };
    Some(year * 365 + year / 4 - year / 100 + year / 400 + (month * 153 + 2) / 5 + day)
}

/// A day of the year held by more than this share of all stands for "unknown": twelve times as often
/// as a day should be.
const DEFAULT_DAY: f64 = 12.0 / 365.25;

impl<'a> Prepared<'a> {
    /// Records ready to compare, with these frequencies of values by comparison and part.
    pub fn new(
        comparisons: Vec<Comparison>,
        records: &'a Records,
        frequencies: &[impl AsRef<[Frequencies]>],
    ) -> Self {
        let fields = comparisons
            .iter()
            .zip(frequencies)
            .map(|(comparison, frequencies)| {
                Self::field(comparison, parts(comparison, records), frequencies.as_ref())
            })
            .collect();
        Prepared {
            comparisons,
            fields,
        }
    }

    fn field(
        comparison: &Comparison,
        columns: Vec<Cow<'a, Column>>,
        frequencies: &[Frequencies],
    ) -> Field<'a> {
        let mut fields: Vec<Field<'a>> = columns
            .into_iter()
            .zip(frequencies)
            .map(|(column, frequencies)| Field {
                buckets: column
                    .values
                    .iter()
                    .map(|value| bucket(frequencies.count(&value.text)))
                    .collect(),
                forms: Forms::Plain,
                parts: Vec::new(),
                column,
            })
            .collect();
        let mut parts = fields.split_off(1);
        let mut field = fields.remove(0);
        field.forms = forms(comparison.kind, &field.column, &parts, frequencies);
        if comparison.kind == Kind::Place {
            for part in &mut parts {
                part.forms =
                    Forms::Names(part.column.values.iter().map(|v| name(&v.text)).collect());
            }
        }
        field.parts = parts;
        field
    }
}

fn name(text: &str) -> Name {
    Name {
        nicknames: nicknames::groups(text),
        chars: text.chars().count() as u32,
        initial: text.chars().next().unwrap_or(' '),
        letters: text.chars().fold(0, |letters, character| {
            letters | 1 << (character as u32 % 64)
        }),
        several: text.contains(' '),
        initial_value: 0,
    }
}

fn forms(kind: Kind, column: &Column, parts: &[Field<'_>], frequencies: &[Frequencies]) -> Forms {
    let texts = column.values.iter().map(|value| &*value.text);
    match kind {
        Kind::Given | Kind::Family | Kind::FullName | Kind::Category => {
            Forms::Names(texts.map(name).collect())
        }
        Kind::Middle => {
            let initials: std::collections::HashMap<&str, u32> = parts[0]
                .column
                .values
                .iter()
                .zip(0..)
                .map(|(value, position)| (&*value.text, position))
                .collect();
            Forms::Names(
                texts
                    .map(|text| {
                        let name = name(text);
                        let mut buffer = [0; 4];
                        Name {
                            initial_value: initials[&*name.initial.encode_utf8(&mut buffer)],
                            ..name
                        }
                    })
                    .collect(),
            )
        }
        Kind::Birth => Forms::Dates(
            texts
                .map(|text| match digits(text) {
                    Some(digits) => Date {
                        digits,
                        day: day_number(&digits),
                        default_day: frequencies[1].share(&String::from_utf8_lossy(&digits[4..]))
                            > DEFAULT_DAY,
                    },
                    None => Date {
                        digits: [0; 8],
                        day: None,
                        default_day: false,
                    },
                })
                .collect(),
        ),
        Kind::Email => Forms::Emails(
            texts
                .map(|text| text.find('@').unwrap_or(text.len()) as u32)
                .collect(),
        ),
        Kind::Address => Forms::Addresses(
            texts
                .map(|text| {
                    let end = text.find(BETWEEN).unwrap_or(0);
                    (end as u32, name(text.get(end + 1..).unwrap_or("")))
                })
                .collect(),
        ),
        Kind::Location => Forms::Locations(
            texts
                .map(|text| {
                    text.split_once(',')
                        .and_then(|(latitude, longitude)| {
                            Some((latitude.parse().ok()?, longitude.parse().ok()?))
                        })
                        .unwrap_or((f64::NAN, f64::NAN))
                })
                .collect(),
        ),
        Kind::Text => Forms::Words(
            texts
                .map(|text| {
                    let mut words: Vec<u64> = text
                        .split(' ')
                        .map(|word| xxhash_rust::xxh3::xxh3_64(word.as_bytes()))
                        .collect();
                    words.sort_unstable();
                    words.dedup();
                    words.into_boxed_slice()
                })
                .collect(),
        ),
        Kind::Phone | Kind::Place | Kind::Gender | Kind::NationalId => Forms::Plain,
    }
}
