//! The forms of values that the comparisons need, made once for each distinct value.
//!
//! They take, beside the records: for each record 4 bytes a comparison (12 for a place, 12 for an address
//! or for columns of one meaning); for each distinct value 2 bytes, and 8 (telephone numbers, numbers of
//! the state), 12 (addresses), 16 (towns, last names, dates, e-mail addresses) or 32 (first names) more.
//! [`Prepared::bytes`] says what is held, [`most_bytes`] what training may take.

mod address;
mod forms;
mod values;

use std::ops::Range;

pub use address::Addresses;
pub use forms::{Date, Digits, Forms, Sketch};

use super::Meaning;
use super::blocking::threads::{each_of, ranges};
use super::comparison::{Comparison, Kind, bucket};
use super::model::Frequencies;
use super::records::{Column, Records};
pub(super) use forms::before_at;
use forms::{location, month_and_day, nicknames, words};
use values::Values;
pub(super) use values::{ShortMap, mixed};

/// Records ready to compare.
pub struct Prepared<'a> {
    /// What to compare.
    pub comparisons: Vec<Comparison>,
    /// For each comparison what it looks at.
    pub fields: Vec<Field<'a>>,
    /// The one value of each record by field, record after record.
    cells: Vec<u32>,
    /// How many cells a record has.
    pub(super) width: usize,
}

/// In the place of the position of a value: the record has several.
pub(super) const SEVERAL: u32 = u32::MAX - 1;
/// The record has none.
pub(super) const NONE: u32 = u32::MAX;

/// What a comparison looks at: a column, or one made of several.
pub struct Field<'a> {
    values: Values<'a>,
    /// For each value its form.
    pub forms: Forms<'a>,
    /// For each value the bucket of its frequency.
    pub buckets: Vec<u16>,
    /// Of a place, city and region.
    pub parts: Vec<Field<'a>>,
    /// Which cell of a record is of this field.
    pub(super) cell: usize,
}

impl Field<'_> {
    /// The values of a record.
    pub fn of(&self, record: u32) -> &[u32] {
        self.values.of(record)
    }

    /// The text of a value; none for an address.
    pub fn text(&self, value: u32) -> &str {
        self.values.text(value)
    }

    /// Whether it is that column, as it is.
    pub(super) fn is(&self, column: &Column) -> bool {
        matches!(self.values, Values::Of(own) if std::ptr::eq(own, column))
    }

    /// Of each value a hash of what it says.
    pub(super) fn hashes(&self) -> Vec<u64> {
        match &self.forms {
            Forms::Addresses(addresses) => addresses.hashes(),
            _ => self
                .values
                .texts()
                .map(|text| xxhash_rust::xxh3::xxh3_64(text.as_bytes()))
                .collect(),
        }
    }

    /// The bucket of the frequency of a value.
    pub fn bucket(&self, value: u32) -> u16 {
        self.buckets[value as usize]
    }

    fn bytes(&self) -> usize {
        self.buckets.len() * size_of::<u16>() + self.values.bytes() + self.forms.bytes()
    }
}

/// A day of the year held by more than this share of all stands for "unknown": twelve times as often
/// as a day should be.
const DEFAULT_DAY: f64 = 12.0 / 365.25;

/// Fewer records than this are prepared by one thread.
const MANY: u32 = 5_000;

/// Records that a thread lays out in one go.
const BATCH: usize = 1 << 14;

impl<'a> Prepared<'a> {
    /// Records ready to compare, with these frequencies of values by comparison and part.
    pub fn new(
        comparisons: Vec<Comparison>,
        records: &'a Records,
        frequencies: &[&[Frequencies]],
        threads: usize,
    ) -> Self {
        let threads = if records.len() < MANY { 1 } else { threads };
        let given: Vec<_> = comparisons.iter().zip(frequencies).collect();
        let fields = each_of(&given, threads, |&(comparison, frequencies)| {
            let made = Made::of(comparison, records);
            let buckets = (0..made.parts().count())
                .map(|part| made.buckets_by_text(part, &frequencies[part]))
                .collect();
            made.field(comparison.kind, frequencies, buckets)
        });
        Self::of_fields(comparisons, records, fields, threads)
    }

    /// Records ready to compare, and how frequent their own values are, by comparison and part: for a place
    /// postcode, city and region, for a middle name also its initial, for a date also month and day.
    pub fn with_frequencies(
        comparisons: Vec<Comparison>,
        records: &'a Records,
        threads: usize,
    ) -> (Self, Vec<Vec<Frequencies>>) {
        let threads = if records.len() < MANY { 1 } else { threads };
        let made = each_of(&comparisons, threads, |comparison| {
            let made = Made::of(comparison, records);
            let frequencies = made.frequencies(comparison.kind);
            let buckets = (0..made.parts().count())
                .map(|part| made.buckets_by_count(part, &frequencies[part]))
                .collect();
            (
                made.field(comparison.kind, &frequencies, buckets),
                frequencies,
            )
        });
        let (fields, frequencies) = made.into_iter().unzip();
        (
            Self::of_fields(comparisons, records, fields, threads),
            frequencies,
        )
    }

    fn of_fields(
        comparisons: Vec<Comparison>,
        records: &Records,
        mut fields: Vec<Field<'a>>,
        threads: usize,
    ) -> Self {
        let mut width = 0;
        for field in &mut fields {
            field.cell = width;
            for (place, part) in (1..).zip(&mut field.parts) {
                part.cell = width + place;
            }
            width += 1 + field.parts.len();
        }
        let batches = ranges(records.len() as usize, BATCH);
        let laid_out = each_of(&batches, threads, |batch| cells(&fields, width, batch));
        Prepared {
            comparisons,
            fields,
            cells: laid_out.concat(),
            width,
        }
    }

    /// The cells of a record: for each field the position of its one value, or [`SEVERAL`], or [`NONE`].
    pub(super) fn cells(&self, record: u32) -> &[u32] {
        let start = record as usize * self.width;
        &self.cells[start..start + self.width]
    }

    /// Every field, parts after what they are parts of: in the order of cells.
    pub(super) fn all_fields(&self) -> impl Iterator<Item = &Field<'a>> {
        self.fields
            .iter()
            .flat_map(|field| std::iter::once(field).chain(&field.parts))
    }

    /// How many records there are.
    pub(super) fn len(&self) -> usize {
        self.cells.len() / self.width.max(1)
    }

    /// Bytes held, beside the records.
    pub fn bytes(&self) -> usize {
        let of_fields: usize = self.all_fields().map(Field::bytes).sum();
        self.cells.len() * size_of::<u32>() + of_fields
    }
}

/// How many bytes training on records takes at most beside them, the forms of values included: 64 for each
/// record and 8 for each of its columns; 56 for each distinct value, 168 for one of a street, a house number
/// or one of several columns of a meaning, and 128 more for each of the most frequent 50,000. Afterwards
/// [`Prepared::bytes`] are held, less than half.
pub fn most_bytes(records: &Records) -> usize {
    let columns = &records.columns;
    let of_columns: usize = columns
        .iter()
        .map(|column| {
            let len = column.values.len();
            let alone = columns
                .iter()
                .filter(|other| other.meaning == column.meaning);
            let of_value = match column.meaning {
                Meaning::Street | Meaning::HouseNumber => 160,
                _ if alone.count() > 1 => 160,
                _ => 48,
            };
            let words: usize = match column.meaning {
                Meaning::Text => column.values.iter().map(|value| value.text.len() * 4).sum(),
                _ => 0,
            };
            len * of_value + words + Frequencies::most_bytes(len)
        })
        .sum();
    of_columns + records.len() as usize * (48 + (columns.len() + 2) * 8)
}

/// The cells of some records.
fn cells(fields: &[Field<'_>], width: usize, records: &Range<usize>) -> Vec<u32> {
    let mut cells = vec![NONE; records.len() * width];
    let all = fields
        .iter()
        .flat_map(|field| std::iter::once(field).chain(&field.parts));
    for (place, field) in all.enumerate() {
        for (record, cells) in records.clone().zip(cells.chunks_mut(width)) {
            cells[place] = match field.of(record as u32) {
                [] => NONE,
                [value] => *value,
                _ => SEVERAL,
            };
        }
    }
    cells
}

/// The values that a comparison looks at.
struct Made<'a> {
    main: Values<'a>,
    others: Vec<Values<'a>>,
    addresses: Option<Addresses<'a>>,
}

impl<'a> Made<'a> {
    fn of(comparison: &Comparison, records: &'a Records) -> Self {
        let with = |wanted: Meaning| -> Vec<usize> {
            comparison
                .columns
                .iter()
                .copied()
                .filter(|&column| records.columns[column].meaning == wanted)
                .collect()
        };
        match comparison.kind {
            Kind::Address => {
                let (main, addresses) = address::addresses(
                    records,
                    &with(Meaning::Street),
                    &with(Meaning::HouseNumber),
                );
                Made {
                    main,
                    others: Vec::new(),
                    addresses: Some(addresses),
                }
            }
            Kind::Place => Made {
                main: Values::united(records, &with(Meaning::Postcode)),
                others: [Meaning::City, Meaning::Region]
                    .map(|meaning| Values::united(records, &with(meaning)))
                    .into(),
                addresses: None,
            },
            _ => Made {
                main: Values::united(records, &comparison.columns),
                others: Vec::new(),
                addresses: None,
            },
        }
    }

    fn parts(&self) -> impl Iterator<Item = &Values<'a>> {
        std::iter::once(&self.main).chain(&self.others)
    }

    fn part(&self, part: usize) -> &Values<'a> {
        match part {
            0 => &self.main,
            part => &self.others[part - 1],
        }
    }

    /// Lets `each` have the text of every value of a part, in order.
    fn each_text(&self, part: usize, mut each: impl FnMut(&str)) {
        match &self.addresses {
            Some(addresses) => {
                let mut text = String::new();
                for value in 0..addresses.parts.len() as u32 {
                    addresses.write(value, &mut text);
                    each(&text);
                }
            }
            None => self.part(part).texts().for_each(each),
        }
    }

    /// How frequent the values are, by part.
    fn frequencies(&self, kind: Kind) -> Vec<Frequencies> {
        let mut all: Vec<Frequencies> = self
            .parts()
            .map(|values| {
                Frequencies::counted(&values.counts(), |value| match &self.addresses {
                    Some(addresses) => {
                        let mut text = String::new();
                        addresses.write(value, &mut text);
                        text
                    }
                    None => values.text(value).to_owned(),
                })
            })
            .collect();
        match kind {
            Kind::Birth => all.push(self.derived(month_and_day)),
            Kind::Middle => all.push(self.derived(initial)),
            _ => {}
        }
        all
    }

    /// How frequent something about the values is.
    fn derived(&self, of: impl Fn(&str) -> Option<String>) -> Frequencies {
        let mut counts: ShortMap<String, u32> = ShortMap::default();
        for (text, count) in self.main.texts().zip(self.main.counts()) {
            if let Some(about) = of(text) {
                let sum = counts.entry(about).or_default();
                *sum = sum.saturating_add(count);
            }
        }
        let (texts, counts): (Vec<String>, Vec<u32>) = counts.into_iter().unzip();
        Frequencies::counted(&counts, |value| texts[value as usize].clone())
    }

    /// The buckets of values by how often they were counted here.
    fn buckets_by_count(&self, part: usize, frequencies: &Frequencies) -> Vec<u16> {
        let known = frequencies.by_count();
        let of_rare: Vec<u16> = (0..256).map(|count| bucket(known(count))).collect();
        self.part(part)
            .counts()
            .into_iter()
            .map(|count| match of_rare.get(count as usize) {
                Some(&bucket) => bucket,
                None => bucket(known(count)),
            })
            .collect()
    }

    /// The buckets of values by how often they were counted elsewhere.
    fn buckets_by_text(&self, part: usize, frequencies: &Frequencies) -> Vec<u16> {
        let len = self.part(part).len();
        let mut buckets = Vec::with_capacity(len);
        if len < frequencies.kept() / 16 {
            self.each_text(part, |text| buckets.push(bucket(frequencies.count(text))));
        } else {
            let known = frequencies.by_text();
            let other = bucket(frequencies.other());
            self.each_text(part, |text| {
                buckets.push(known.get(text).map_or(other, |&count| bucket(count)));
            });
        }
        buckets
    }

    fn field(self, kind: Kind, frequencies: &[Frequencies], buckets: Vec<Vec<u16>>) -> Field<'a> {
        let forms = match self.addresses {
            Some(addresses) => Forms::Addresses(addresses),
            None => forms(kind, &self.main, frequencies),
        };
        let mut buckets = buckets.into_iter();
        let mut field = |values: Values<'a>, forms: Forms<'a>| Field {
            values,
            forms,
            buckets: buckets.next().unwrap_or_default(),
            parts: Vec::new(),
            cell: 0,
        };
        let mut main = field(self.main, forms);
        main.parts = self
            .others
            .into_iter()
            .map(|values| {
                let sketches = values.texts().map(Sketch::of).collect();
                field(values, Forms::Names(sketches))
            })
            .collect();
        main
    }
}

fn initial(text: &str) -> Option<String> {
    text.chars().next().map(String::from)
}

fn forms<'a>(kind: Kind, values: &Values<'a>, frequencies: &[Frequencies]) -> Forms<'a> {
    let sketches = || values.texts().map(Sketch::of).collect();
    match kind {
        Kind::Given => Forms::Given(sketches(), nicknames(values.texts())),
        Kind::Family | Kind::FullName | Kind::Category => Forms::Names(sketches()),
        Kind::Middle => {
            let of_initial = |text: &str| {
                initial(text).map_or(0, |initial| bucket(frequencies[1].count(&initial)))
            };
            Forms::Middle(sketches(), values.texts().map(of_initial).collect())
        }
        Kind::Birth => {
            let is_default = |day: &str| frequencies[1].share(day) > DEFAULT_DAY;
            Forms::Dates(
                values
                    .texts()
                    .map(|text| Date::of(text, is_default))
                    .collect(),
            )
        }
        Kind::Email => Forms::Emails(
            values
                .texts()
                .map(|text| Sketch::of(before_at(text)))
                .collect(),
        ),
        Kind::Phone | Kind::NationalId => Forms::Numbers(values.texts().map(Digits::of).collect()),
        Kind::Location => Forms::Locations(values.texts().map(location).collect()),
        Kind::Text => Forms::Words(words(values.texts())),
        Kind::Address | Kind::Place | Kind::Gender => Forms::Plain,
    }
}
