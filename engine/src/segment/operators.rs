//! Which operators the types have.

use super::ValueType;
use super::ast::{Literal, Predicate, Test, Value};
use super::checked::View;
use super::error::RuleError;
use super::values::kind;

/// As what a JSON value is tested: the kind of the values that it is compared with, and their
/// type.
pub(super) fn json_view(subject: &str, test: &Test) -> Result<(View, ValueType), RuleError> {
    let values: Vec<&Value> = match &test.predicate {
        Predicate::Compare(_, value) => vec![value],
        Predicate::Between(low, high) => vec![low, high],
        Predicate::OneOf(values) => values.iter().collect(),
        _ => return Ok((View::Text, ValueType::Text)),
    };
    let first = &values[0].value;
    if let Some(other) = values.iter().find(|v| kind(&v.value) != kind(first)) {
        return Err(RuleError::new(
            other.span,
            format!(
                "{subject} cannot be compared with both {} and {}",
                kind(first),
                kind(&other.value)
            ),
        )
        .with_hint("give all values the same type"));
    }
    match first {
        Literal::Text(_) => Ok((View::Text, ValueType::Text)),
        Literal::Number(_) => Ok((View::Number, ValueType::Numeric)),
        Literal::Boolean(_) => {
            require_operator(subject, ValueType::Boolean, test)?;
            Ok((View::Boolean, ValueType::Boolean))
        }
        Literal::Now => Err(RuleError::new(
            values[0].span,
            format!("{subject} is jsonb and cannot be compared with now"),
        )
        .with_hint("JSON has no dates; keep the date in a trait of type timestamptz")),
    }
}

/// Refuses a test whose operator is not one of its subject's type.
pub(super) fn require_operator(
    subject: &str,
    value_type: ValueType,
    test: &Test,
) -> Result<(), RuleError> {
    let used = operator(&test.predicate);
    let operators = operators(value_type);
    if operators.contains(&used) {
        return Ok(());
    }
    Err(RuleError::new(
        test.operator,
        format!("{subject} is {value_type} and has no operator {used}"),
    )
    .with_hint(format!("{value_type} has {}", operators.join(", "))))
}

/// The operator of a predicate, as it stands in [`operators`].
fn operator(predicate: &Predicate) -> &'static str {
    match predicate {
        Predicate::IsSet => "is set",
        Predicate::Compare(comparison, _) => comparison.symbol(),
        Predicate::Between(..) => "between",
        Predicate::OneOf(_) => "in",
        Predicate::Text(operator, _) => operator.words(),
        Predicate::Before(_) => "before",
        Predicate::After(_) => "after",
        Predicate::InLast(_) => "in last",
        Predicate::InNext(_) => "in next",
    }
}

/// The operators of a type.
fn operators(value_type: ValueType) -> &'static [&'static str] {
    match value_type {
        ValueType::Text | ValueType::Jsonb => &[
            "=",
            "!=",
            "<",
            "<=",
            ">",
            ">=",
            "between",
            "in",
            "contains",
            "starts with",
            "ends with",
            "matches",
            "is set",
        ],
        ValueType::BigInt | ValueType::Numeric | ValueType::Double => {
            &["=", "!=", "<", "<=", ">", ">=", "between", "in", "is set"]
        }
        ValueType::Boolean => &["=", "!=", "is set"],
        ValueType::Date | ValueType::Timestamptz => &[
            "=", "!=", "<", "<=", ">", ">=", "between", "in", "before", "after", "in last",
            "in next", "is set",
        ],
        ValueType::TextArray => &["contains", "is set"],
    }
}
