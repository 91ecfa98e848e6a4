//! The segment language: rules such as
//!
//! ```text
//! lifetime_value >= 500 and country in ('PT', 'BR')
//!     and did 'Order Completed' at least 2 times in last 30 days
//! ```
//!
//! A rule goes through four steps, each a module: `lexer` cuts it into tokens, `parser` reads
//! them into a syntax tree ([`ast`]), `check` resolves names and types against a [`Catalog`], and
//! `sql` writes one SQL expression. Every fault is a [`RuleError`] that knows its place in the
//! rule; what has passed the checker compiles without fail. `docs/segments.md` is the guide for
//! those who write rules.
//!
//! # The SQL of a rule
//!
//! [`Compiled::sql`] is a boolean expression over the alias `p`, a row of `cdp.profile_rows`, and
//! the parameter `$1`, a `timestamptz`: the instant at which the rule is evaluated. It is **never
//! NULL**: a test of a trait that is not set is false, and so `not` of it is true. It never raises
//! an error on the data, whatever JSON they hold. It depends neither on `search_path` (all names
//! are qualified, operators too) nor on the session's time zone or date style, and it can stand as
//! an operand of AND.
//!
//! Windows are half-open: an event or an instant counts from the moment at which it happens, up
//! to but not including the moment at which it is as old as the window is long. So each has one
//! moment of leaving, its own time moved by the window's length in UTC's calendar, in windows of
//! months too. No event counts before it has happened.

pub mod ast;
mod check;
mod checked;
mod cycle;
mod dates;
mod error;
mod lexer;
mod operators;
mod parser;
mod pattern;
mod print;
mod sql;
mod values;

use std::fmt;

pub use cycle::cycle;
pub use error::{RuleError, Span};
pub use lexer::MAX_RULE_BYTES;
pub use parser::{MAX_DEPTH, parse};

/// The SQL type of a trait, as far as the language tells types apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ValueType {
    /// `text`
    Text,
    /// `bigint`
    BigInt,
    /// `numeric`
    Numeric,
    /// `double precision`
    Double,
    /// `boolean`
    Boolean,
    /// `date`
    Date,
    /// `timestamptz`
    Timestamptz,
    /// `jsonb`
    Jsonb,
    /// `text[]`
    TextArray,
}

impl fmt::Display for ValueType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            ValueType::Text => "text",
            ValueType::BigInt => "bigint",
            ValueType::Numeric => "numeric",
            ValueType::Double => "double precision",
            ValueType::Boolean => "boolean",
            ValueType::Date => "date",
            ValueType::Timestamptz => "timestamptz",
            ValueType::Jsonb => "jsonb",
            ValueType::TextArray => "text[]",
        })
    }
}

/// What a rule can refer to. Names are compared exactly.
///
/// Every profile also has `first_seen` and `last_seen`, of type `timestamptz`; they need no entry,
/// and hide a trait of the same name.
pub trait Catalog {
    /// The type of a trait, or nothing if there is no such trait.
    fn trait_type(&self, name: &str) -> Option<ValueType>;
    /// All traits, to suggest what a misspelt one was meant to be.
    fn trait_names(&self) -> Vec<String>;
    /// The column of an existing trait, as it stands in SQL: qualified by `p` and quoted, such as
    /// `p."country"`.
    fn column(&self, name: &str) -> String;
    /// The id of a segment, or nothing if there is no such segment.
    fn segment_id(&self, name: &str) -> Option<i64>;
    /// All segments, to suggest what a misspelt one was meant to be.
    fn segment_names(&self) -> Vec<String>;
}

/// A rule that was found good. Lists are sorted and without repetition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Compiled {
    /// The rule as a boolean SQL expression over `p` and `$1`, never NULL.
    pub sql: String,
    /// The declared traits that the rule tests; `first_seen` and `last_seen` are not among them.
    pub traits: Vec<String>,
    /// The names of the events that the rule counts.
    pub events: Vec<String>,
    /// The segments that the rule refers to.
    pub segments: Vec<i64>,
    /// The regular expressions of the rule. Only faults of every dialect have been ruled out: it is
    /// PostgreSQL that decides, and a match of each against an empty text makes it do so.
    pub patterns: Vec<String>,
    /// Whether the result depends on `$1` at all. It does for every rule that counts events, since
    /// an event dated in the future does not count yet.
    pub uses_time: bool,
    /// Whether a profile whose data all lie in the past can still enter or leave as time passes:
    /// whether the rule has a window that moves, or `now`. Where this is false and `uses_time` is
    /// true, only the arrival of an event's own time changes the result.
    pub moving: bool,
    /// Whether the rule asks for `first_seen` or `last_seen`, which any message may change.
    pub seen: bool,
}

/// Compiles a rule to SQL.
pub fn compile(rule: &str, catalog: &dyn Catalog) -> Result<Compiled, RuleError> {
    let checked = check::check(&parse(rule)?, catalog)?;
    Ok(Compiled {
        sql: sql::expression(&checked.condition),
        uses_time: checked.moving || !checked.events.is_empty(),
        traits: checked.traits.into_iter().collect(),
        events: checked.events.into_iter().collect(),
        segments: checked.segments.into_iter().collect(),
        patterns: checked.patterns.into_iter().collect(),
        moving: checked.moving,
        seen: checked.seen,
    })
}

/// The names of the segments that a rule refers to, sorted and without repetition, whether or not
/// they exist: what [`cycle`] asks for.
pub fn dependencies(rule: &str) -> Result<Vec<String>, RuleError> {
    let tree = parse(rule)?;
    let mut names = std::collections::BTreeSet::new();
    let mut pending = vec![&tree];
    while let Some(expr) = pending.pop() {
        match &expr.kind {
            ast::ExprKind::All(parts) | ast::ExprKind::Any(parts) => pending.extend(parts),
            ast::ExprKind::Not(inner) => pending.push(inner),
            ast::ExprKind::InSegment(name) => {
                names.insert(name.value.clone());
            }
            // The condition of an event cannot refer to a segment.
            ast::ExprKind::Test(_) | ast::ExprKind::Did(_) => {}
        }
    }
    Ok(names.into_iter().collect())
}
