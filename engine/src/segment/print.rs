//! Writes a syntax tree as a rule that parses to the same tree: lower-case keywords, one space
//! between words, `where`, count and window of a `did` in this order.

use std::fmt::{self, Display, Formatter, Write};

use super::ast::*;
use super::lexer::{begins_word, continues_word};
use super::parser::is_reserved;

impl Display for Expr {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match &self.kind {
            ExprKind::All(parts) => write_joined(f, parts, " and "),
            ExprKind::Any(parts) => write_joined(f, parts, " or "),
            ExprKind::Not(inner) => {
                f.write_str("not ")?;
                write_operand(f, inner)
            }
            ExprKind::Test(test) => test.fmt(f),
            ExprKind::Did(did) => did.fmt(f),
            ExprKind::InSegment(name) => {
                f.write_str("in segment ")?;
                write_text(f, &name.value)
            }
        }
    }
}

fn write_joined(f: &mut Formatter<'_>, parts: &[Expr], between: &str) -> fmt::Result {
    for (index, part) in parts.iter().enumerate() {
        if index > 0 {
            f.write_str(between)?;
        }
        write_operand(f, part)?;
    }
    Ok(())
}

/// Writes an operand of `and`, `or` or `not`, in parentheses where it would otherwise be read
/// differently. A `did … where` takes them too: its condition would go on over the next `and`.
fn write_operand(f: &mut Formatter<'_>, operand: &Expr) -> fmt::Result {
    let open_ended = match &operand.kind {
        ExprKind::All(_) | ExprKind::Any(_) => true,
        ExprKind::Did(did) => did.events.condition.is_some(),
        ExprKind::Not(_) | ExprKind::Test(_) | ExprKind::InSegment(_) => false,
    };
    if open_ended {
        write!(f, "({operand})")
    } else {
        operand.fmt(f)
    }
}

impl Display for Test {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{} ", self.subject)?;
        if self.negated && self.predicate != Predicate::IsSet {
            f.write_str("not ")?;
        }
        match &self.predicate {
            Predicate::IsSet if self.negated => f.write_str("is not set")?,
            Predicate::IsSet => f.write_str("is set")?,
            Predicate::Compare(comparison, value) => {
                write!(f, "{} {}", comparison.symbol(), value.value)?;
            }
            Predicate::Between(low, high) => {
                write!(f, "between {} and {}", low.value, high.value)?;
            }
            Predicate::OneOf(values) => {
                f.write_str("in (")?;
                for (index, value) in values.iter().enumerate() {
                    if index > 0 {
                        f.write_str(", ")?;
                    }
                    value.value.fmt(f)?;
                }
                f.write_char(')')?;
            }
            Predicate::Text(operator, value) => {
                write!(f, "{} {}", operator.words(), value.value)?;
            }
            Predicate::Before(value) => write!(f, "before {}", value.value)?,
            Predicate::After(value) => write!(f, "after {}", value.value)?,
            Predicate::InLast(duration) => write!(f, "in last {duration}")?,
            Predicate::InNext(duration) => write!(f, "in next {duration}")?,
        }
        if self.ignoring_case.is_some() {
            f.write_str(" ignoring case")?;
        }
        Ok(())
    }
}

impl Display for Path {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        for (index, part) in self.parts.iter().enumerate() {
            let bare = if index == 0 {
                is_word(part) && !is_reserved(part)
            } else {
                f.write_char('.')?;
                is_word(part) || is_index(part)
            };
            if bare {
                f.write_str(part)?;
            } else {
                write!(f, "\"{}\"", part.replace('"', "\"\""))?;
            }
        }
        Ok(())
    }
}

fn is_word(name: &str) -> bool {
    name.starts_with(begins_word) && name.chars().all(continues_word)
}

/// Whether a part of a path can be written in bare digits; a number longer than the lexer takes
/// goes in quotes.
fn is_index(part: &str) -> bool {
    (1..=9).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_digit())
}

impl Display for Literal {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Literal::Text(text) => write_text(f, text),
            Literal::Number(number) => f.write_str(number),
            Literal::Boolean(truth) => truth.fmt(f),
            Literal::Now => f.write_str("now"),
        }
    }
}

fn write_text(f: &mut Formatter<'_>, text: &str) -> fmt::Result {
    write!(f, "'{}'", text.replace('\'', "''"))
}

impl Display for Duration {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let plural = if self.count == 1 { "" } else { "s" };
        write!(f, "{} {}{plural}", self.count, self.unit.word())
    }
}

impl Display for Did {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(if self.negated { "did not " } else { "did " })?;
        write_text(f, &self.events.name.value)?;
        if let Some(condition) = &self.events.condition {
            write!(f, " where {condition}")?;
        }
        if let Some(Count { bound, times }) = self.count {
            let plural = if times == 1 { "" } else { "s" };
            write!(f, " {} {times} time{plural}", bound.words())?;
        }
        match &self.events.window {
            None => Ok(()),
            Some(Window::Last(duration)) => write!(f, " in last {duration}"),
            Some(Window::Between(from, to)) => {
                write!(f, " between {} and {}", from.value, to.value)
            }
            Some(Window::Before(value)) => write!(f, " before {}", value.value),
            Some(Window::After(value)) => write!(f, " after {}", value.value),
        }
    }
}
