//! Whether a JSON value fits a declared type, and what it is in that type.

use std::cmp::Ordering;
use std::error::Error;
use std::fmt;

use jiff::civil::{Date, DateTime};
use serde_json::Value;

use super::decimal::{Decimal, DecimalError};
use super::iso8601::{Moment, show_utc};
use super::json::{canonical_json, canonical_number, check_storable, check_text};
use super::types::TraitType;

/// Why a value does not fit a type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Misfit {
    /// The reason, to be read after the words "the value".
    pub reason: String,
}

impl Misfit {
    pub(super) fn new(reason: impl Into<String>) -> Misfit {
        Misfit {
            reason: reason.into(),
        }
    }
}

impl fmt::Display for Misfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the value {}", self.reason)
    }
}

impl Error for Misfit {}

/// A value in its declared type. Values of one type compare as that type does: numbers by size,
/// dates by time, texts by their bytes.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Coerced(Typed);

/// Only values of one type are ever compared, so the order of the variants means nothing.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Typed {
    Text(String),
    Bigint(i64),
    Numeric(Decimal),
    Double(Finite),
    Boolean(bool),
    Date(Date),
    Timestamptz(DateTime),
    Jsonb(String),
    TextArray(Vec<String>),
}

/// A double that is neither NaN nor infinite nor minus zero, so that it has one order and one text.
#[derive(Debug, Clone, Copy)]
struct Finite(f64);

impl Ord for Finite {
    fn cmp(&self, other: &Self) -> Ordering {
        self.0.total_cmp(&other.0)
    }
}

impl PartialOrd for Finite {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Finite {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Finite {}

impl Coerced {
    /// The text that PostgreSQL's input function of the type accepts, under any settings.
    pub fn to_text(&self) -> String {
        match &self.0 {
            Typed::Text(text) | Typed::Jsonb(text) => text.clone(),
            Typed::Bigint(number) => number.to_string(),
            Typed::Numeric(number) => number.to_string(),
            // The debug form turns to an exponent where the display form writes 300 digits.
            Typed::Double(number) => format!("{:?}", number.0),
            Typed::Boolean(truth) => truth.to_string(),
            Typed::Date(date) => date.to_string(),
            Typed::Timestamptz(at) => show_utc(*at),
            Typed::TextArray(elements) => array_literal(elements),
        }
    }

    /// How long the value is: the elements of an array, the characters of anything else.
    pub(super) fn length(&self) -> usize {
        match &self.0 {
            Typed::TextArray(elements) => elements.len(),
            Typed::Text(text) => text.chars().count(),
            _ => self.to_text().chars().count(),
        }
    }

    /// The elements of an array; anything else is its own one element.
    pub(super) fn into_elements(self) -> Vec<String> {
        match self.0 {
            Typed::TextArray(elements) => elements,
            _ => vec![self.to_text()],
        }
    }

    /// The array of these elements.
    pub(super) fn from_elements(elements: Vec<String>) -> Coerced {
        Coerced(Typed::TextArray(elements))
    }
}

/// Reads a JSON value as a declared type. Nothing is guessed: what could mean two things is a misfit.
///
/// | type | takes |
/// | --- | --- |
/// | `text` | strings, numbers, booleans |
/// | `bigint` | whole numbers in range, also in a string, also as `5.0` |
/// | `numeric` | numbers, also in a string, of up to 1,000 digits on either side of the point |
/// | `double precision` | numbers, also in a string; no NaN, no infinity |
/// | `boolean` | `true`/`false`, 1/0, and the strings true/false, t/f, yes/no, y/n, on/off, 1/0 |
/// | `date` | `YYYY-MM-DD`; of a full ISO 8601 time, the date as written |
/// | `timestamptz` | ISO 8601; without an offset it is UTC |
/// | `jsonb` | everything without U+0000, nested up to 120 levels |
/// | `text[]` | an array of what `text` takes; one such value is one element |
///
/// Spaces round a string are ignored except for `text`, `text[]` and `jsonb`. Null fits no type,
/// since it is no value: callers leave it out before.
pub fn coerce(value: &Value, ty: TraitType) -> Result<Coerced, Misfit> {
    if value.is_null() {
        return Err(Misfit::new("is null, which is no value"));
    }
    let typed = match ty {
        TraitType::Text => Typed::Text(text(value)?),
        TraitType::Bigint => Typed::Bigint(decimal(value, ty)?.to_i64().map_err(|error| {
            Misfit::new(match error {
                DecimalError::NotANumber => "is not a whole number",
                DecimalError::OutOfRange => "is out of the range of bigint",
            })
        })?),
        TraitType::Numeric => Typed::Numeric(decimal(value, ty)?),
        TraitType::Double => Typed::Double(double(value)?),
        TraitType::Boolean => Typed::Boolean(boolean(value)?),
        TraitType::Date => Typed::Date(moment(value, ty)?.date),
        TraitType::Timestamptz => Typed::Timestamptz(
            moment(value, ty)?
                .in_utc()
                .ok_or_else(|| Misfit::new("is out of the years 1 to 9999 in UTC"))?,
        ),
        TraitType::Jsonb => {
            check_storable(value)?;
            Typed::Jsonb(canonical_json(value))
        }
        TraitType::TextArray => Typed::TextArray(match value {
            Value::Array(elements) => elements.iter().map(text).collect::<Result<_, _>>()?,
            scalar => vec![text(scalar)?],
        }),
    };
    Ok(Coerced(typed))
}

fn text(value: &Value) -> Result<String, Misfit> {
    match value {
        Value::String(text) => {
            check_text(text)?;
            Ok(text.clone())
        }
        Value::Number(number) => Ok(canonical_number(number)),
        Value::Bool(truth) => Ok(truth.to_string()),
        Value::Null => Err(Misfit::new("has a null among its elements")),
        Value::Array(_) => Err(Misfit::new("is or contains an array, which is no text")),
        Value::Object(_) => Err(Misfit::new("is or contains an object, which is no text")),
    }
}

/// The number that a JSON number or a string says, as text.
fn number_text(value: &Value, ty: TraitType) -> Result<String, Misfit> {
    match value {
        Value::Number(number) => Ok(canonical_number(number)),
        Value::String(text) => Ok(text.trim().to_string()),
        other => Err(wrong_kind(other, ty)),
    }
}

fn decimal(value: &Value, ty: TraitType) -> Result<Decimal, Misfit> {
    Decimal::parse(&number_text(value, ty)?).map_err(|error| {
        Misfit::new(match error {
            DecimalError::NotANumber => "is not a number",
            DecimalError::OutOfRange => "has more than 1000 digits before or after the point",
        })
    })
}

fn double(value: &Value) -> Result<Finite, Misfit> {
    let text = number_text(value, TraitType::Double)?;
    // Rust reads "inf", "NaN" and the like, which have no place among the values of a trait.
    if text
        .bytes()
        .any(|b| !matches!(b, b'0'..=b'9' | b'+' | b'-' | b'.' | b'e' | b'E'))
    {
        return Err(Misfit::new("is not a number"));
    }
    let number: f64 = text.parse().map_err(|_| Misfit::new("is not a number"))?;
    let mantissa = text.split(['e', 'E']).next().unwrap_or_default();
    let vanished = number == 0.0 && mantissa.bytes().any(|b| matches!(b, b'1'..=b'9'));
    if number.is_infinite() || vanished {
        return Err(Misfit::new("is out of the range of double precision"));
    }
    // Adding zero turns minus zero into zero.
    Ok(Finite(number + 0.0))
}

fn boolean(value: &Value) -> Result<bool, Misfit> {
    let word = match value {
        Value::Bool(truth) => return Ok(*truth),
        Value::Number(number) => canonical_number(number),
        Value::String(text) => text.trim().to_ascii_lowercase(),
        other => return Err(wrong_kind(other, TraitType::Boolean)),
    };
    match word.as_str() {
        "true" | "t" | "yes" | "y" | "on" | "1" => Ok(true),
        "false" | "f" | "no" | "n" | "off" | "0" => Ok(false),
        _ => Err(Misfit::new("is neither true nor false")),
    }
}

fn moment(value: &Value, ty: TraitType) -> Result<Moment, Misfit> {
    let Value::String(text) = value else {
        // A number could be seconds or milliseconds, and days from some epoch.
        return Err(wrong_kind(value, ty));
    };
    Moment::parse(text.trim()).ok_or_else(|| {
        Misfit::new(format!(
            "is no valid {ty} in ISO 8601, such as {}",
            match ty {
                TraitType::Date => "2024-05-31",
                _ => "2024-05-31T10:30:00Z",
            }
        ))
    })
}

fn wrong_kind(value: &Value, ty: TraitType) -> Misfit {
    let kind = match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    };
    Misfit::new(format!("is {kind}, which is no {ty}"))
}

/// Every element is quoted: then no element can be taken for NULL, a brace or a separator.
fn array_literal(elements: &[String]) -> String {
    let quoted: Vec<String> = elements
        .iter()
        .map(|element| format!("\"{}\"", element.replace('\\', r"\\").replace('"', "\\\"")))
        .collect();
    format!("{{{}}}", quoted.join(","))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    /// The text of a value that fits, or "misfit: " and the reason.
    fn shown(value: Value, ty: TraitType) -> String {
        match coerce(&value, ty) {
            Ok(coerced) => coerced.to_text(),
            Err(misfit) => format!("misfit: {}", misfit.reason),
        }
    }

    fn assert_misfits(ty: TraitType, values: Vec<Value>) {
        for value in values {
            assert!(coerce(&value, ty).is_err(), "{value} as {ty}");
        }
    }

    #[test]
    fn text() {
        let ty = TraitType::Text;
        assert_eq!(shown(json!("  O'Brien\n"), ty), "  O'Brien\n");
        assert_eq!(shown(json!(""), ty), "");
        assert_eq!(shown(json!(5.0), ty), "5");
        assert_eq!(shown(json!(true), ty), "true");
        assert_misfits(
            ty,
            vec![json!(null), json!("a\0b"), json!([1]), json!({"a": 1})],
        );
    }

    #[test]
    fn bigint() {
        let ty = TraitType::Bigint;
        assert_eq!(shown(json!(i64::MIN), ty), "-9223372036854775808");
        assert_eq!(shown(json!(5.0), ty), "5");
        assert_eq!(shown(json!(" +42 "), ty), "42");
        assert_eq!(shown(json!("1e3"), ty), "1000");
        assert_eq!(shown(json!(5.5), ty), "misfit: is not a whole number");
        assert_eq!(
            shown(json!(u64::MAX), ty),
            "misfit: is out of the range of bigint"
        );
        assert_misfits(
            ty,
            vec![
                json!(1e19),
                json!(""),
                json!("1,000"),
                json!("0x10"),
                json!(true),
                json!([1]),
            ],
        );
    }

    #[test]
    fn numeric() {
        let ty = TraitType::Numeric;
        assert_eq!(shown(json!("12.50"), ty), "12.50");
        assert_eq!(shown(json!(0.1), ty), "0.1");
        assert_eq!(shown(json!(1e20), ty), "100000000000000000000");
        assert_eq!(
            shown(json!("-123456789012345678901234567890.5"), ty),
            "-123456789012345678901234567890.5"
        );
        assert_misfits(
            ty,
            vec![
                json!("NaN"),
                json!("Infinity"),
                json!("1e9999"),
                json!("€5"),
                json!(false),
            ],
        );
    }

    #[test]
    fn double() {
        let ty = TraitType::Double;
        assert_eq!(shown(json!("12.5"), ty), "12.5");
        assert_eq!(shown(json!(f64::MAX), ty), "1.7976931348623157e308");
        assert_eq!(shown(json!("-0"), ty), "0.0");
        assert_eq!(shown(json!("0e-999"), ty), "0.0");
        assert_eq!(shown(json!("5e-324"), ty), "5e-324");
        assert_misfits(
            ty,
            vec![
                json!("1e309"),
                json!("-1e309"),
                json!("1e-400"),
                json!("nan"),
                json!("inf"),
            ],
        );
        assert_misfits(
            ty,
            vec![json!(""), json!("e5"), json!("."), json!("1e"), json!({})],
        );
    }

    #[test]
    fn boolean() {
        let ty = TraitType::Boolean;
        for truth in [
            json!(true),
            json!(1),
            json!(1.0),
            json!("Yes"),
            json!(" ON "),
            json!("t"),
        ] {
            assert_eq!(shown(truth, ty), "true");
        }
        for falsehood in [json!(false), json!(0), json!("0"), json!("N"), json!("off")] {
            assert_eq!(shown(falsehood, ty), "false");
        }
        assert_misfits(
            ty,
            vec![
                json!(2),
                json!(""),
                json!("maybe"),
                json!([true]),
                json!(-1),
            ],
        );
    }

    #[test]
    fn date() {
        let ty = TraitType::Date;
        assert_eq!(shown(json!("0001-01-01"), ty), "0001-01-01");
        assert_eq!(shown(json!("9999-12-31"), ty), "9999-12-31");
        assert_eq!(shown(json!("1990-05-01T00:00:00+02:00"), ty), "1990-05-01");
        assert_eq!(
            shown(json!("01/05/1990"), ty),
            "misfit: is no valid date in ISO 8601, such as 2024-05-31"
        );
        assert_misfits(
            ty,
            vec![
                json!("2023-02-29"),
                json!(19_000),
                json!("today"),
                json!(""),
            ],
        );
    }

    #[test]
    fn timestamptz() {
        let ty = TraitType::Timestamptz;
        assert_eq!(shown(json!("2024-05-01"), ty), "2024-05-01T00:00:00Z");
        assert_eq!(
            shown(json!("2024-05-01T10:00:00+02:00"), ty),
            "2024-05-01T08:00:00Z"
        );
        assert_eq!(
            shown(json!(1_700_000_000), ty),
            "misfit: is a number, which is no timestamptz"
        );
        assert_misfits(
            ty,
            vec![
                json!("infinity"),
                json!("0001-01-01T00:00+01"),
                json!("10:00"),
            ],
        );
    }

    #[test]
    fn jsonb() {
        let ty = TraitType::Jsonb;
        assert_eq!(
            shown(json!({"b": [1.0, null], "a": "x"}), ty),
            r#"{"a":"x","b":[1,null]}"#
        );
        assert_eq!(shown(json!("x"), ty), "\"x\"");
        assert_misfits(ty, vec![json!(null), json!({"a": "\0"}), json!({"\0": 1})]);
    }

    #[test]
    fn text_array() {
        let ty = TraitType::TextArray;
        assert_eq!(
            shown(json!(["a,b", "NULL", "", "{}", "q\"\\", 5, true, " "]), ty),
            r#"{"a,b","NULL","","{}","q\"\\","5","true"," "}"#
        );
        assert_eq!(shown(json!([]), ty), "{}");
        assert_eq!(shown(json!("{a,b}"), ty), r#"{"{a,b}"}"#);
        assert_misfits(
            ty,
            vec![
                json!([null]),
                json!([["a"]]),
                json!(["\0"]),
                json!({"a": 1}),
            ],
        );
    }

    #[test]
    fn values_compare_by_type() {
        let less = |a: Value, b: Value, ty| coerce(&a, ty).unwrap() < coerce(&b, ty).unwrap();
        assert!(less(json!("9"), json!(10), TraitType::Bigint));
        assert!(less(json!("10"), json!("9"), TraitType::Text));
        assert!(less(json!("-1e3"), json!("1e-3"), TraitType::Numeric));
        assert!(less(json!(-1.5), json!(0), TraitType::Double));
        assert!(less(
            json!("2024-05-01T10:00+05:00"),
            json!("2024-05-01T06:00Z"),
            TraitType::Timestamptz
        ));
        assert!(less(json!("Z"), json!("a"), TraitType::Text));
        assert!(less(json!("z"), json!("é"), TraitType::Text));
    }
}
