//! Gives values the type of what they are compared with.

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
    if value_type == ValueType::Timestamptz
        && let Literal::Text(text) = &value.value
        && let Some(Written::Day(day)) = dates::read(text)
    {
        let start = Scalar::Instant(day.at(0, 0, 0, 0));
        let end = match day.tomorrow() {
            Ok(next) => Scalar::Instant(next.at(0, 0, 0, 0)),
            Err(_) => return Err(bad_date(value, text)),
        };
        return Ok(match comparison {
            Comparison::Less => vec![(Comparison::Less, start)],
            Comparison::LessOrEqual => vec![(Comparison::Less, end)],
            Comparison::Greater => vec![(Comparison::GreaterOrEqual, end)],
            Comparison::GreaterOrEqual => vec![(Comparison::GreaterOrEqual, start)],
            Comparison::Equal | Comparison::NotEqual => {
                vec![(Comparison::GreaterOrEqual, start), (Comparison::Less, end)]
            }
        });
    }
    Ok(vec![(comparison, scalar(subject, value_type, value)?)])
}

fn scalar(subject: &str, value_type: ValueType, value: &Value) -> Result<Scalar, RuleError> {
    match (value_type, &value.value) {
        (ValueType::Text, Literal::Text(text)) => Ok(Scalar::Text(text.clone())),
        // A number that is no bigint is still a number to compare with.
        (ValueType::BigInt, Literal::Number(number)) => Ok(match number.parse() {
            Ok(integer) => Scalar::Integer(integer),
            Err(_) => Scalar::Decimal(number.clone()),
        }),
        (ValueType::Numeric, Literal::Number(number)) => Ok(Scalar::Decimal(number.clone())),
        (ValueType::Double, Literal::Number(number)) => match number.parse::<f64>() {
            // The lexer's limit on the length of a number keeps it within the range of a double.
            Ok(double) => Ok(Scalar::Double(double)),
            Err(_) => Err(mismatch(subject, value_type, value)),
        },
        (ValueType::Boolean, Literal::Boolean(truth)) => Ok(Scalar::Boolean(*truth)),
        (ValueType::Date, Literal::Now) => Ok(Scalar::Today(None)),
        (ValueType::Date, Literal::Text(text)) => match dates::read(text) {
            Some(Written::Day(day)) => Ok(Scalar::Date(day)),
            Some(Written::Instant(_)) => Err(RuleError::new(
                value.span,
                format!("{subject} is a date, and '{text}' has a time of day"),
            )
            .with_hint("write a day as '2024-01-31'")),
            None => Err(bad_date(value, text)),
        },
        (ValueType::Timestamptz, Literal::Now) => Ok(Scalar::Now(None)),
        (ValueType::Timestamptz, Literal::Text(text)) => match dates::read(text) {
            Some(Written::Instant(instant)) => Ok(Scalar::Instant(instant)),
            Some(Written::Day(day)) => Ok(Scalar::Instant(day.at(0, 0, 0, 0))),
            None => Err(bad_date(value, text)),
        },
        _ => Err(mismatch(subject, value_type, value)),
    }
}

fn bad_date(value: &Value, text: &str) -> RuleError {
    RuleError::new(value.span, format!("'{text}' is not a date")).with_hint(dates::FORMATS)
}

/// The error that a value is not of the type of what it is compared with.
pub(super) fn mismatch(subject: &str, value_type: ValueType, value: &Value) -> RuleError {
    let kind = match value.value {
        Literal::Text(_) => "text",
        Literal::Number(_) => "a number",
        Literal::Boolean(_) => "a boolean",
        Literal::Now => "now",
    };
    let hint = match (value_type, &value.value) {
        (ValueType::Text | ValueType::TextArray | ValueType::Jsonb, written) => match written {
            Literal::Now => "write text in single quotes".to_owned(),
            _ => format!("write it in single quotes: '{}'", written),
        },
        (ValueType::BigInt | ValueType::Numeric | ValueType::Double, _) => {
            "write a number, without quotes".to_owned()
        }
        (ValueType::Boolean, _) => "write true or false, without quotes".to_owned(),
        (ValueType::Date | ValueType::Timestamptz, _) => dates::FORMATS.to_owned(),
    };
    RuleError::new(
        value.span,
        format!("{subject} is {value_type} and cannot be compared with {kind}"),
    )
    .with_hint(hint)
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
