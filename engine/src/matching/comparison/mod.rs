//! How well two records agree: for each comparison a level, and how frequent the value is on which
//! they agree.

mod address;
mod comparer;
mod date;
mod email;
mod kind;
mod name;
mod number;
mod strings;
mod text;

pub use comparer::Comparer;
pub use kind::{Kind, LevelKind, ValueTerm};

use super::Meaning;
use super::records::Records;
use super::spec::Error;

/// The most comparisons of a matcher.
pub const MAX_COMPARISONS: usize = 16;

/// What one comparison says of a pair: its level, 0 where a value is missing, and the bucket of
/// the frequency of the value.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Outcome(u16);

impl Outcome {
    /// Nothing known.
    pub const MISSING: Outcome = Outcome(0);

    /// A level on a value whose frequency has that bucket.
    pub fn new(level: u8, bucket: u16) -> Self {
        Outcome(u16::from(level) << 12 | bucket)
    }

    /// A level without value.
    pub fn level_only(level: u8) -> Self {
        Self::new(level, 0)
    }

    /// The position in [`Kind::levels`], plus one; 0 where a value is missing.
    pub fn level(self) -> u8 {
        (self.0 >> 12) as u8
    }

    /// The bucket of the frequency: see [`bucket`].
    pub fn bucket(self) -> u16 {
        self.0 & 0xfff
    }

    /// The better of two: of a stronger level, or of the rarer value.
    fn better(self, other: Self) -> Self {
        match (self.level(), other.level()) {
            (0, _) => other,
            (_, 0) => self,
            _ => self.min(other),
        }
    }
}

/// The outcomes of a pair, comparison by comparison.
pub type Outcomes = [Outcome; MAX_COMPARISONS];

/// Buckets of counts: sixteen to a doubling.
pub fn bucket(count: u32) -> u16 {
    (f64::from(count.max(1)).log2() * 16.0).round() as u16
}

/// How many buckets there are.
pub const BUCKETS: usize = 32 * 16 + 1;

/// The count that a bucket stands for.
pub fn count_of(bucket: u16) -> f64 {
    (f64::from(bucket) / 16.0).exp2()
}

/// A comparison: its kind, and the columns it looks at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Comparison {
    /// Its name: that of its first column, or of its meaning.
    pub name: String,
    /// How it compares.
    pub kind: Kind,
    /// Positions of columns: those of its main meaning.
    pub columns: Vec<usize>,
}

/// The comparisons that these columns ask for, by their meaning.
///
/// # Errors
/// When there are none, or too many.
pub fn plan(meanings: &[(String, Meaning)]) -> Result<Vec<Comparison>, Error> {
    let mut comparisons = Vec::new();
    let of = |wanted: Meaning| -> Vec<usize> {
        meanings
            .iter()
            .enumerate()
            .filter(|(_, (_, meaning))| *meaning == wanted)
            .map(|(position, _)| position)
            .collect()
    };
    let mut add = |kind: Kind, name: &str, columns: Vec<usize>| {
        if !columns.is_empty() {
            comparisons.push(Comparison {
                name: name.to_owned(),
                kind,
                columns,
            });
        }
    };
    let (first, last) = (of(Meaning::FirstName), of(Meaning::LastName));
    let in_parts = !first.is_empty() && !last.is_empty();
    add(Kind::Given, "first_name", first);
    add(Kind::Family, "last_name", last);
    // All names in one say nothing new beside first and last name.
    if !in_parts {
        add(Kind::FullName, "full_name", of(Meaning::FullName));
    }
    add(Kind::Middle, "middle_name", of(Meaning::MiddleName));
    add(Kind::Birth, "birth_date", of(Meaning::BirthDate));
    add(Kind::Email, "email", of(Meaning::Email));
    add(Kind::Phone, "phone", of(Meaning::Phone));
    let mut address = of(Meaning::Street);
    address.extend(of(Meaning::HouseNumber));
    add(Kind::Address, "address", address);
    let mut place = of(Meaning::Postcode);
    place.extend(of(Meaning::City));
    place.extend(of(Meaning::Region));
    add(Kind::Place, "place", place);
    add(Kind::Gender, "gender", of(Meaning::Gender));
    add(Kind::NationalId, "national_id", of(Meaning::NationalId));
    add(Kind::Location, "location", of(Meaning::Location));
    for (position, (name, meaning)) in meanings.iter().enumerate() {
        match meaning {
            Meaning::Category | Meaning::Country => add(Kind::Category, name, vec![position]),
            Meaning::Text => add(Kind::Text, name, vec![position]),
            _ => {}
        }
    }
    match comparisons.len() {
        0 => Err(Error::NoColumns),
        1..=MAX_COMPARISONS => Ok(comparisons),
        _ => Err(Error::TooManyColumns(MAX_COMPARISONS)),
    }
}

/// The comparisons for these records.
///
/// # Errors
/// As [`plan`].
pub fn plan_for(records: &Records) -> Result<Vec<Comparison>, Error> {
    let meanings: Vec<_> = records
        .columns
        .iter()
        .map(|column| (column.name.clone(), column.meaning))
        .collect();
    plan(&meanings)
}
