//! Gives values the type of what they are compared with.

use jiff::civil::Date;

use super::ValueType;
use super::ast::{Comparison, Duration, Literal, Unit, Value};
use super::checked::{Scalar, Shift};
use super::dates::{self, Written};
use super::error::RuleError;

/// What a comparison with a value comes to. It is one comparison, save that a day without a time
/// stands, beside an instant, for all of that day: equality with it is a range of two.
/// [`Comparison::NotEqual`] is never asked of such a day.
pub(super) fn comparisons(
    subject: &str,
    value_type: ValueType,
    comparison: Comparison,
    value: &Value,
) -> Result<Vec<(Comparison, Scalar)>, RuleError> {
    let single = match (value_type, &value.value) {
        (ValueType::Text, Literal::Text(text)) => Scalar::Text(text.clone()),
        // A number that is no bigint is still a number to compare with.
        (ValueType::BigInt, Literal::Number(number)) => match number.parse() {
            Ok(integer) => Scalar::Integer(integer),
            Err(_) => Scalar::Decimal(number.clone()),
        },
        (ValueType::Numeric, Literal::Number(number)) => Scalar::Decimal(number.clone()),
        (ValueType::Double, Literal::Number(number)) => match number.parse() {
            // The lexer's limit on the length of a number keeps it within the range of a double.
            Ok(double) => Scalar::Double(double),
            Err(_) => return Err(mismatch(subject, value_type, value)),
        },
        (ValueType::Boolean, Literal::Boolean(truth)) => Scalar::Boolean(*truth),
        (ValueType::Date, Literal::Now) => Scalar::Today(None),
        (ValueType::Date, Literal::Text(text)) => match dates::read(text) {
            Some(Written::Day(day)) => Scalar::Date(day),
            Some(Written::Instant(_)) => {
                return Err(RuleError::new(
                    value.span,
                    format!("{subject} is a date, and '{text}' has a time of day"),
                )
                .with_hint("write a day as '2024-01-31'"));
            }
            None => return Err(bad_date(value, text)),
        },
        (ValueType::Timestamptz, Literal::Now) => Scalar::Now(None),
        (ValueType::Timestamptz, Literal::Text(text)) => match dates::read(text) {
            Some(Written::Instant(instant)) => Scalar::Instant(instant),
            Some(Written::Day(day)) => {
                return whole_day(comparison, day).ok_or_else(|| bad_date(value, text));
            }
            None => return Err(bad_date(value, text)),
        },
        _ => return Err(mismatch(subject, value_type, value)),
    };
    Ok(vec![(comparison, single)])
}

/// A comparison of an instant with a day; nothing if the day has no next day.
fn whole_day(comparison: Comparison, day: Date) -> Option<Vec<(Comparison, Scalar)>> {
    let start = Scalar::Instant(day.at(0, 0, 0, 0));
    let end = Scalar::Instant(day.tomorrow().ok()?.at(0, 0, 0, 0));
    Some(match comparison {
        Comparison::Less => vec![(Comparison::Less, start)],
        Comparison::LessOrEqual => vec![(Comparison::Less, end)],
        Comparison::Greater => vec![(Comparison::GreaterOrEqual, end)],
        Comparison::GreaterOrEqual => vec![(Comparison::GreaterOrEqual, start)],
        Comparison::Equal | Comparison::NotEqual => {
            vec![(Comparison::GreaterOrEqual, start), (Comparison::Less, end)]
        }
    })
}

fn bad_date(value: &Value, text: &str) -> RuleError {
    RuleError::new(value.span, format!("'{text}' is not a date")).with_hint(dates::FORMATS)
}

/// What a value is called in messages.
pub(super) fn kind(literal: &Literal) -> &'static str {
    match literal {
        Literal::Text(_) => "text",
        Literal::Number(_) => "a number",
        Literal::Boolean(_) => "a boolean",
        Literal::Now => "now",
    }
}

/// The error that a value is not of the type of what it is compared with.
fn mismatch(subject: &str, value_type: ValueType, value: &Value) -> RuleError {
    let hint = match value_type {
        ValueType::Text | ValueType::TextArray | ValueType::Jsonb => {
            format!("write it in single quotes: '{}'", value.value)
        }
        ValueType::BigInt | ValueType::Numeric | ValueType::Double => {
            "write a number, without quotes".to_owned()
        }
        ValueType::Boolean => "write true or false, without quotes".to_owned(),
        ValueType::Date | ValueType::Timestamptz => dates::FORMATS.to_owned(),
    };
    let message = format!(
        "{subject} is {value_type} and cannot be compared with {}",
        kind(&value.value)
    );
    RuleError::new(value.span, message).with_hint(hint)
}

/// What the present is for a window over a date or an instant, if the window's unit suits it.
pub(super) fn window_unit(
    subject: &str,
    value_type: ValueType,
    duration: &Duration,
) -> Result<fn(Option<Shift>) -> Scalar, RuleError> {
    if value_type != ValueType::Date {
        return Ok(Scalar::Now);
    }
    if matches!(duration.unit, Unit::Second | Unit::Minute | Unit::Hour) {
        return Err(RuleError::new(
            duration.span,
            format!("{subject} is a date and has no {}s", duration.unit.word()),
        )
        .with_hint("write days, weeks, months or years"));
    }
    Ok(Scalar::Today)
}
