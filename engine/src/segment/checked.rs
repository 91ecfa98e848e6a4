//! A rule after the checker: names are resolved, values have types, and what can be said by simpler
//! means has been. Every value of these types can be written as SQL.

use jiff::civil::{Date, DateTime};

use super::ValueType;
use super::ast::{Bound, Comparison, Duration, TextOperator};

/// A condition. All of them are true or false, never NULL.
#[derive(Debug)]
pub(super) enum Condition {
    All(Vec<Condition>),
    Any(Vec<Condition>),
    Not(Box<Condition>),
    /// Membership in the segment of this id.
    Member(i64),
    Did(Events),
    Test(Operand, Check),
}

/// How many events there are.
#[derive(Debug)]
pub(super) struct Events {
    pub name: String,
    pub condition: Option<Box<Condition>>,
    /// What the time of the event must satisfy, besides being past.
    pub window: Vec<(Comparison, Scalar)>,
    pub bound: Bound,
    pub times: u32,
}

/// What is tested.
#[derive(Debug, Clone)]
pub(super) enum Operand {
    /// A column, by its SQL.
    Column(String, ValueType),
    /// A place in a JSON document.
    Json {
        /// The document, by its SQL.
        document: String,
        path: Vec<String>,
        view: View,
    },
}

/// As what a JSON value is tested. What is not of that kind fails the test.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum View {
    /// As the text of anything but null.
    Text,
    Number,
    Boolean,
}

/// What is asked of an operand. The comparisons are true only of what is set.
#[derive(Debug)]
pub(super) enum Check {
    Set,
    /// All of these comparisons.
    Compare(Vec<(Comparison, Scalar)>, Case),
    /// Equality with one of these.
    OneOf(Vec<Scalar>, Case),
    Text(TextOperator, String, Case),
}

/// Whether upper and lower case differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Case {
    Exact,
    Ignored,
}

/// A value with its type.
#[derive(Debug)]
pub(super) enum Scalar {
    Text(String),
    Integer(i64),
    /// A number, as written.
    Decimal(String),
    Double(f64),
    Boolean(bool),
    Date(Date),
    /// In UTC.
    Instant(DateTime),
    /// The instant of the evaluation.
    Now(Option<Shift>),
    /// The day of the evaluation, in UTC.
    Today(Option<Shift>),
}

/// A distance from the present.
#[derive(Debug, Clone, Copy)]
pub(super) enum Shift {
    Back(Duration),
    Ahead(Duration),
}
