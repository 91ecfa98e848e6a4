//! The kinds of comparison and their levels.

use serde::{Deserialize, Serialize};

/// How a comparison compares.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// First names.
    Given,
    /// Last names.
    Family,
    /// All names in one.
    FullName,
    /// Middle names or their initials.
    Middle,
    /// Birth dates.
    Birth,
    /// E-mail addresses.
    Email,
    /// Telephone numbers.
    Phone,
    /// Street and house number.
    Address,
    /// Postcode, else city, else region.
    Place,
    /// Male, female or else.
    Gender,
    /// Numbers that the state gives.
    NationalId,
    /// Distance.
    Location,
    /// One of few values.
    Category,
    /// Words in common.
    Text,
}

/// Whether the weight of a level depends on how frequent the value is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ValueTerm {
    /// Both hold the value: the rarer, the more it says.
    Same,
    /// They hold values alike: the frequency of the more frequent one counts by its square root.
    Alike,
    /// It does not.
    None,
}

/// A level of a kind.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LevelKind {
    /// Its name.
    pub label: &'static str,
    /// Whether the value counts.
    pub value: ValueTerm,
    /// Where training starts: how often pairs of one person show it.
    pub person: f64,
    /// The same of two persons of one household.
    pub household: f64,
}

const fn level(label: &'static str, value: ValueTerm, person: f64, household: f64) -> LevelKind {
    LevelKind {
        label,
        value,
        person,
        household,
    }
}

use ValueTerm::{Alike, None, Same};

const GIVEN: [LevelKind; 7] = [
    level("same", Same, 0.80, 0.02),
    level("nickname", Alike, 0.03, 0.004),
    level("close", Alike, 0.07, 0.01),
    level("similar", Alike, 0.02, 0.02),
    level("initial", None, 0.02, 0.01),
    level("swapped with last name", None, 0.01, 0.0001),
    level("different", None, 0.05, 0.94),
];

const FAMILY: [LevelKind; 6] = [
    level("same", Same, 0.84, 0.75),
    level("close", Alike, 0.07, 0.05),
    level("similar", Alike, 0.02, 0.02),
    level("part", Alike, 0.01, 0.02),
    level("in the other's first name", Same, 0.01, 0.001),
    level("different", None, 0.05, 0.16),
];

const FULL_NAME: [LevelKind; 5] = [
    level("same", Same, 0.75, 0.001),
    level("same words", Alike, 0.08, 0.001),
    level("close", Alike, 0.08, 0.01),
    level("part", Alike, 0.05, 0.6),
    level("different", None, 0.04, 0.388),
];

const MIDDLE: [LevelKind; 4] = [
    level("same", Same, 0.60, 0.03),
    level("initial", Same, 0.30, 0.08),
    level("close", Alike, 0.04, 0.02),
    level("different", None, 0.06, 0.87),
];

const BIRTH: [LevelKind; 8] = [
    level("same", Same, 0.85, 0.01),
    level("one digit or day and month swapped", None, 0.06, 0.003),
    level("two parts or a month apart", None, 0.03, 0.01),
    level("same year, a default day", None, 0.01, 0.006),
    level("same year", None, 0.015, 0.03),
    level("default days, one digit of the year", None, 0.005, 0.01),
    level("a year apart", None, 0.01, 0.05),
    level("different", None, 0.02, 0.881),
];

const EMAIL: [LevelKind; 5] = [
    level("same", Same, 0.70, 0.10),
    level("same before the @", Alike, 0.06, 0.02),
    level("close", Alike, 0.06, 0.01),
    level("similar", None, 0.03, 0.03),
    level("different", None, 0.15, 0.84),
];

const PHONE: [LevelKind; 4] = [
    level("same", Same, 0.70, 0.35),
    level("same end", Alike, 0.04, 0.02),
    level("one digit", None, 0.05, 0.02),
    level("different", None, 0.21, 0.61),
];

const ADDRESS: [LevelKind; 5] = [
    level("same", Same, 0.68, 0.80),
    level("close", Alike, 0.10, 0.10),
    level("same street", Alike, 0.03, 0.02),
    level("similar street", None, 0.02, 0.01),
    level("different", None, 0.17, 0.07),
];

const PLACE: [LevelKind; 6] = [
    level("same postcode", Same, 0.70, 0.80),
    level("close postcode", None, 0.07, 0.05),
    level("same city", Same, 0.10, 0.08),
    level("close city", Alike, 0.03, 0.02),
    level("same region", Same, 0.05, 0.02),
    level("different", None, 0.05, 0.03),
];

const GENDER: [LevelKind; 2] = [
    level("same", None, 0.97, 0.45),
    level("different", None, 0.03, 0.55),
];

const NATIONAL_ID: [LevelKind; 3] = [
    level("same", Same, 0.90, 0.001),
    level("one digit", None, 0.07, 0.001),
    level("different", None, 0.03, 0.998),
];

const LOCATION: [LevelKind; 5] = [
    level("within 100 m", None, 0.70, 0.80),
    level("within 1 km", None, 0.08, 0.05),
    level("within 10 km", None, 0.10, 0.06),
    level("within 50 km", None, 0.05, 0.04),
    level("farther", None, 0.07, 0.05),
];

const CATEGORY: [LevelKind; 3] = [
    level("same", Same, 0.80, 0.40),
    level("close", Alike, 0.08, 0.05),
    level("different", None, 0.12, 0.55),
];

const TEXT: [LevelKind; 5] = [
    level("same", Same, 0.50, 0.10),
    level("four words of five", Alike, 0.15, 0.05),
    level("every second word", Alike, 0.10, 0.10),
    level("every fourth word", None, 0.10, 0.10),
    level("different", None, 0.15, 0.65),
];

impl Kind {
    /// The levels, the strongest first. The level of an outcome is the position here plus one.
    pub fn levels(self) -> &'static [LevelKind] {
        match self {
            Kind::Given => &GIVEN,
            Kind::Family => &FAMILY,
            Kind::FullName => &FULL_NAME,
            Kind::Middle => &MIDDLE,
            Kind::Birth => &BIRTH,
            Kind::Email => &EMAIL,
            Kind::Phone => &PHONE,
            Kind::Address => &ADDRESS,
            Kind::Place => &PLACE,
            Kind::Gender => &GENDER,
            Kind::NationalId => &NATIONAL_ID,
            Kind::Location => &LOCATION,
            Kind::Category => &CATEGORY,
            Kind::Text => &TEXT,
        }
    }

    /// Whether members of one household share the value more often than others do. Where they do
    /// not, the levels of a household are those of unrelated persons, and stay so.
    pub fn of_household(self) -> bool {
        matches!(
            self,
            Kind::Family
                | Kind::FullName
                | Kind::Email
                | Kind::Phone
                | Kind::Address
                | Kind::Place
                | Kind::Location
                | Kind::Category
                | Kind::Text
        )
    }

    /// Whether it is a part of the name: namesakes share it.
    pub fn of_name(self) -> bool {
        matches!(self, Kind::Given | Kind::Family | Kind::FullName)
    }
}
