//! One text for one JSON value, so that values can be compared and counted as bytes.

use serde_json::Value;

use super::coerce::Misfit;
use super::decimal::Decimal;

/// The deepest nesting of a value that is kept. The state around it adds three levels, and together
/// they must stay below the 128 levels that the JSON parser reads.
const MAX_DEPTH: usize = 120;

/// The canonical text of a JSON value: compact, keys sorted as bytes, numbers in plain decimal
/// notation without trailing zeros. Equal values have equal texts, also after a round trip through
/// jsonb, which reorders keys and writes `1e16` as `10000000000000000`.
pub fn canonical_json(value: &Value) -> String {
    let mut text = String::new();
    write_value(&mut text, value);
    text
}

/// Checks that jsonb can hold a value: it has no place for the character U+0000.
pub(super) fn check_storable(value: &Value) -> Result<(), Misfit> {
    check_at(value, 0)
}

fn check_at(value: &Value, depth: usize) -> Result<(), Misfit> {
    if depth > MAX_DEPTH {
        return Err(Misfit::new(format!(
            "is nested deeper than {MAX_DEPTH} levels"
        )));
    }
    match value {
        Value::String(text) => check_text(text),
        Value::Array(elements) => elements.iter().try_for_each(|e| check_at(e, depth + 1)),
        Value::Object(fields) => fields.iter().try_for_each(|(key, field)| {
            check_text(key)?;
            check_at(field, depth + 1)
        }),
        _ => Ok(()),
    }
}

/// Checks that a text can be stored: PostgreSQL's text has no place for U+0000 either.
pub(super) fn check_text(text: &str) -> Result<(), Misfit> {
    if text.contains('\0') {
        return Err(Misfit::new("contains the character U+0000"));
    }
    Ok(())
}

/// The canonical text of a number.
pub(super) fn canonical_number(number: &serde_json::Number) -> String {
    let shortest = number.to_string();
    match Decimal::parse(&shortest) {
        Ok(decimal) => decimal.trimmed().to_string(),
        // No 64-bit integer or double has more digits than a decimal takes; its own text is as good.
        Err(_) => shortest,
    }
}

/// Appends a text as a JSON string.
pub(super) fn write_string(out: &mut String, text: &str) {
    out.push_str(&Value::from(text).to_string());
}

fn write_value(out: &mut String, value: &Value) {
    match value {
        Value::Null => out.push_str("null"),
        Value::Bool(true) => out.push_str("true"),
        Value::Bool(false) => out.push_str("false"),
        Value::Number(number) => out.push_str(&canonical_number(number)),
        Value::String(text) => write_string(out, text),
        Value::Array(elements) => {
            out.push('[');
            for (i, element) in elements.iter().enumerate() {
                if i > 0 {
                    out.push(',');
                }
                write_value(out, element);
            }
            out.push(']');
        }
        Value::Object(fields) => {
            // The map may keep the order of insertion, depending on how serde_json is built.
            let mut sorted: Vec<_> = fields.iter().collect();
            sorted.sort_by_key(|(key, _)| *key);
            out.push('{');
            for (i, (key, field)) in sorted.into_iter().enumerate() {
                if i > 0 {
                    out.push(',');
                }
                write_string(out, key);
                out.push(':');
                write_value(out, field);
            }
            out.push('}');
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn canonical(text: &str) -> String {
        canonical_json(&serde_json::from_str(text).unwrap())
    }

    #[test]
    fn one_text_for_one_value() {
        assert_eq!(
            canonical(r#" { "b" : [1.0, 2.50, -0.0], "a": {"z":null,"y":"\u0041\n"} } "#),
            r#"{"a":{"y":"A\n","z":null},"b":[1,2.5,0]}"#
        );
    }

    #[test]
    fn numbers_survive_the_notation_of_jsonb() {
        for (given, kept_as) in [
            ("1e16", "10000000000000000"),
            ("1.8446744073709552e19", "18446744073709552000"),
            ("12345678901234567e2", "1234567890123456800"),
            ("1e-7", "0.0000001"),
            ("18446744073709551615", "18446744073709551615"),
        ] {
            assert_eq!(canonical(given), kept_as);
            assert_eq!(canonical(kept_as), kept_as);
        }
        for extreme in [f64::MAX, f64::MIN_POSITIVE, 5e-324, -f64::MAX] {
            let once = canonical_json(&json!(extreme));
            assert_eq!(canonical(&once), once);
        }
    }

    #[test]
    fn what_jsonb_cannot_hold_is_found_at_any_depth() {
        assert!(check_storable(&json!({"a": ["b", {"c": "d"}]})).is_ok());
        assert!(check_storable(&json!("a\0b")).is_err());
        assert!(check_storable(&json!({"a": ["b", {"c\0": 1}]})).is_err());
        let nested = |levels: usize| (0..levels).fold(json!(1), |inner, _| json!([inner]));
        assert!(check_storable(&nested(MAX_DEPTH)).is_ok());
        assert!(check_storable(&nested(MAX_DEPTH + 1)).is_err());
    }
}
