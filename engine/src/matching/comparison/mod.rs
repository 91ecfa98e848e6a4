//! How well two records agree: for each comparison a level, and how frequent the value is on which
//! they agree.

mod address;
mod date;
mod email;
mod kind;
mod name;
mod number;
mod strings;
mod text;

pub use kind::{Kind, LevelKind, ValueTerm};

use super::Meaning;
use super::prepare::Prepared;
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

/// Compares pairs of records. Each thread has its own: it remembers what it has compared.
pub struct Comparer<'a> {
    prepared: &'a Prepared<'a>,
    remembered: Vec<Remembered>,
}

/// Outcomes of pairs of values seen lately.
struct Remembered(Vec<(u64, Outcome)>);

const REMEMBERED_BITS: u32 = 10;

impl Remembered {
    fn get_or(&mut self, a: u32, b: u32, compare: impl FnOnce() -> Outcome) -> Outcome {
        let (low, high) = if a < b { (a, b) } else { (b, a) };
        // Plus one, so that an empty slot is no pair.
        let key = (u64::from(low) << 32 | u64::from(high)) + 1;
        let slot = (key.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> (64 - REMEMBERED_BITS)) as usize;
        let entry = &mut self.0[slot];
        if entry.0 != key {
            *entry = (key, compare());
        }
        entry.1
    }
}

/// The outcomes of a pair, comparison by comparison.
pub type Outcomes = [Outcome; MAX_COMPARISONS];

impl<'a> Comparer<'a> {
    /// For these records.
    pub fn new(prepared: &'a Prepared<'a>) -> Self {
        let remembered = prepared
            .comparisons
            .iter()
            .map(|_| Remembered(vec![(0, Outcome::MISSING); 1 << REMEMBERED_BITS]))
            .collect();
        Comparer {
            prepared,
            remembered,
        }
    }

    /// What each comparison says of two records; the same whichever comes first.
    pub fn compare(&mut self, a: u32, b: u32) -> Outcomes {
        let mut outcomes = [Outcome::MISSING; MAX_COMPARISONS];
        let prepared = self.prepared;
        for (position, comparison) in prepared.comparisons.iter().enumerate() {
            let field = &prepared.fields[position];
            let remembered = &mut self.remembered[position];
            let mut best = |compare: &dyn Fn(u32, u32) -> Outcome| {
                let mut best = Outcome::MISSING;
                for &x in field.of(a) {
                    for &y in field.of(b) {
                        best = best.better(remembered.get_or(x, y, || compare(x, y)));
                    }
                }
                best
            };
            outcomes[position] = match comparison.kind {
                Kind::Given => best(&|x, y| name::given(field, x, y)),
                Kind::Family => best(&|x, y| name::family(field, x, y)),
                Kind::FullName => best(&|x, y| name::full(field, x, y)),
                Kind::Middle => best(&|x, y| name::middle(field, x, y)),
                Kind::Birth => best(&|x, y| date::birth(field, x, y)),
                Kind::Email => {
                    let outcome = best(&|x, y| email::email(field, x, y));
                    // The names say it already.
                    if email::alike_by_name(field, a, b, outcome)
                        && name::names_agree(prepared, &outcomes)
                    {
                        Outcome::MISSING
                    } else {
                        outcome
                    }
                }
                Kind::Phone => best(&|x, y| number::phone(field, x, y)),
                Kind::NationalId => best(&|x, y| number::national_id(field, x, y)),
                Kind::Address => best(&|x, y| address::address(field, x, y)),
                Kind::Place => match address::agree(prepared, &outcomes) {
                    // Who lives in one house lives in one town.
                    true => Outcome::MISSING,
                    false => address::place(field, a, b),
                },
                Kind::Gender => {
                    let outcome = best(&|x, y| text::gender(field, x, y));
                    // The first name says it already.
                    if outcome.level() == 1 && name::given_agree(prepared, &outcomes) {
                        Outcome::MISSING
                    } else {
                        outcome
                    }
                }
                Kind::Location => best(&|x, y| number::location(field, x, y)),
                Kind::Category => best(&|x, y| text::category(field, x, y)),
                Kind::Text => best(&|x, y| text::words(field, x, y)),
            };
        }
        name::across(prepared, a, b, &mut outcomes);
        outcomes
    }
}
