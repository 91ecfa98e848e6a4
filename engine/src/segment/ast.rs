//! The syntax tree of a rule. It keeps what was written and where, and knows nothing of traits:
//! the checker gives it meaning.
//!
//! Two shapes are chosen for what the language is to say later. A [`Test`] is a subject and a
//! predicate, so that an aggregate over events (`sum(properties.total) of 'Order Completed' in last
//! 90 days >= 500`) is one more kind of subject under the same predicates. An [`EventFilter`] is
//! one kind of event within a window, whether it is counted by [`Did`], summed by an aggregate, or
//! a step of a sequence.

use super::error::Span;

/// A condition and its place in the rule. Places of conditions in parentheses leave out the
/// parentheses, of which the tree keeps no other trace.
#[derive(Debug, Clone, PartialEq)]
pub struct Expr {
    /// What the condition says.
    pub kind: ExprKind,
    /// Where it stands.
    pub span: Span,
}

/// What a condition says.
#[derive(Debug, Clone, PartialEq)]
pub enum ExprKind {
    /// `a and b and c`: two or more.
    All(Vec<Expr>),
    /// `a or b or c`: two or more.
    Any(Vec<Expr>),
    /// `not a`.
    Not(Box<Expr>),
    /// A test of a trait, or of a field of an event within `where`.
    Test(Test),
    /// `did 'Order Completed' …`.
    Did(Did),
    /// `in segment 'big_spenders'`.
    InSegment(Located<String>),
}

/// A value and where it was written.
#[derive(Debug, Clone, PartialEq)]
pub struct Located<T> {
    /// The value.
    pub value: T,
    /// Where it stands.
    pub span: Span,
}

/// A subject and what is asked of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Test {
    /// What is tested.
    pub subject: Path,
    /// Whether `not` stands before the operator, as in `not in` and `is not set`.
    pub negated: bool,
    /// What is asked.
    pub predicate: Predicate,
    /// Where the operator stands, without its values.
    pub operator: Span,
    /// Where `ignoring case` stands, if it does.
    pub ignoring_case: Option<Span>,
}

/// A trait, or a part of a JSON document: `country`, `"Lifetime Value"`, `properties.items.0.sku`.
#[derive(Debug, Clone, PartialEq)]
pub struct Path {
    /// The parts between the dots; at least one.
    pub parts: Vec<String>,
    /// Where it stands.
    pub span: Span,
}

/// What a test asks of its subject.
#[derive(Debug, Clone, PartialEq)]
pub enum Predicate {
    /// `is set`.
    IsSet,
    /// `= 5`, `!= 5`, `< 5`, …
    Compare(Comparison, Value),
    /// `between 18 and 30`, both ends included.
    Between(Value, Value),
    /// `in ('PT', 'BR')`: one or more.
    OneOf(Vec<Value>),
    /// `contains 'ann'`, `starts with 'Li'`, …
    Text(TextOperator, Value),
    /// `before '2000-01-01'`.
    Before(Value),
    /// `after now`.
    After(Value),
    /// `in last 90 days`.
    InLast(Duration),
    /// `in next 7 days`.
    InNext(Duration),
}

/// A comparison.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Comparison {
    /// `=`
    Equal,
    /// `!=`, also written `<>`
    NotEqual,
    /// `<`
    Less,
    /// `<=`
    LessOrEqual,
    /// `>`
    Greater,
    /// `>=`
    GreaterOrEqual,
}

/// An operator on text. `contains` is for lists as well.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TextOperator {
    /// `contains`
    Contains,
    /// `starts with`
    StartsWith,
    /// `ends with`
    EndsWith,
    /// `matches`: a regular expression of PostgreSQL
    Matches,
}

/// A value that a subject is compared with.
pub type Value = Located<Literal>;

/// A value as written; its type follows from the subject.
#[derive(Debug, Clone, PartialEq)]
pub enum Literal {
    /// `'PT'`: a text, or a date.
    Text(String),
    /// `49.90`, as written.
    Number(String),
    /// `true` or `false`.
    Boolean(bool),
    /// `now`: the instant of the evaluation.
    Now,
}

/// A length of time.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Duration {
    /// How many units; at least one.
    pub count: u32,
    /// The unit.
    pub unit: Unit,
    /// Where it stands.
    pub span: Span,
}

/// A unit of time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// Seconds.
    Second,
    /// Minutes.
    Minute,
    /// Hours.
    Hour,
    /// Days.
    Day,
    /// Weeks of seven days.
    Week,
    /// Months of the calendar.
    Month,
    /// Years of the calendar.
    Year,
}

/// `did 'Order Completed' where … at least 2 times in last 30 days`.
#[derive(Debug, Clone, PartialEq)]
pub struct Did {
    /// Whether it says `did not`.
    pub negated: bool,
    /// Which events count.
    pub events: EventFilter,
    /// How many there must be; at least one where nothing is said.
    pub count: Option<Count>,
}

/// Events of one name that satisfy a condition and lie within a window.
#[derive(Debug, Clone, PartialEq)]
pub struct EventFilter {
    /// The name of the events.
    pub name: Located<String>,
    /// What follows `where`: tests of `properties` and `context` alone.
    pub condition: Option<Box<Expr>>,
    /// When they must have happened.
    pub window: Option<Window>,
}

/// How often: `at least 2 times`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Count {
    /// Which side of the number is meant.
    pub bound: Bound,
    /// The number.
    pub times: u32,
}

/// Which side of a number is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bound {
    /// `at least`
    AtLeast,
    /// `at most`
    AtMost,
    /// `exactly`
    Exactly,
}

/// When events must have happened.
#[derive(Debug, Clone, PartialEq)]
pub enum Window {
    /// `in last 30 days`.
    Last(Duration),
    /// `between '2024-01-01' and '2024-06-30'`, both days included.
    Between(Value, Value),
    /// `before '2024-01-01'`.
    Before(Value),
    /// `after '2024-01-01'`.
    After(Value),
}

impl Comparison {
    /// The operator, as in a rule.
    pub fn symbol(self) -> &'static str {
        match self {
            Comparison::Equal => "=",
            Comparison::NotEqual => "!=",
            Comparison::Less => "<",
            Comparison::LessOrEqual => "<=",
            Comparison::Greater => ">",
            Comparison::GreaterOrEqual => ">=",
        }
    }
}

impl TextOperator {
    /// The operator, as in a rule.
    pub fn words(self) -> &'static str {
        match self {
            TextOperator::Contains => "contains",
            TextOperator::StartsWith => "starts with",
            TextOperator::EndsWith => "ends with",
            TextOperator::Matches => "matches",
        }
    }
}

impl Bound {
    /// The words, as in a rule.
    pub fn words(self) -> &'static str {
        match self {
            Bound::AtLeast => "at least",
            Bound::AtMost => "at most",
            Bound::Exactly => "exactly",
        }
    }
}

impl Unit {
    /// Every unit.
    pub const ALL: [Unit; 7] = [
        Unit::Second,
        Unit::Minute,
        Unit::Hour,
        Unit::Day,
        Unit::Week,
        Unit::Month,
        Unit::Year,
    ];

    /// The word for one of it; an `s` makes it the word for several.
    pub fn word(self) -> &'static str {
        match self {
            Unit::Second => "second",
            Unit::Minute => "minute",
            Unit::Hour => "hour",
            Unit::Day => "day",
            Unit::Week => "week",
            Unit::Month => "month",
            Unit::Year => "year",
        }
    }

    /// The most of it that a window can have: about a thousand years, so that no instant of the
    /// present, moved by it, leaves the range of PostgreSQL's `timestamptz`.
    pub fn limit(self) -> u32 {
        match self {
            Unit::Second => u32::MAX,
            Unit::Minute => 525_600_000,
            Unit::Hour => 8_760_000,
            Unit::Day => 365_000,
            Unit::Week => 52_000,
            Unit::Month => 12_000,
            Unit::Year => 1_000,
        }
    }
}
