//! Values as the output functions of their types print them, under `DateStyle = ISO`.

use serde_json::Value;

use super::literal::parse_array;
use crate::message::is_plausible_time;
use crate::message::json::{Tree, number_value};
use crate::message::time::{read_iso, write_iso};

/// What a type's values become in JSON.
#[derive(Clone, Copy)]
enum Class {
    Number,
    Bool,
    Json,
    Timestamptz,
    Timestamp,
    Date,
    Other,
}

/// Takes `(3)` and the like out of a type's name: `timestamp(3) with time zone`, `numeric(10,2)`.
fn without_modifier(type_name: &str) -> String {
    match (type_name.find('('), type_name.find(')')) {
        (Some(open), Some(close)) if open < close => {
            format!("{}{}", &type_name[..open], &type_name[close + 1..])
        }
        _ => type_name.to_owned(),
    }
}

fn class_of(type_name: &str) -> Class {
    let plain = without_modifier(type_name.trim());
    match plain.strip_prefix("pg_catalog.").unwrap_or(&plain) {
        "int2" | "int4" | "int8" | "smallint" | "integer" | "bigint" | "oid" | "float4"
        | "float8" | "real" | "double precision" | "numeric" | "decimal" => Class::Number,
        "bool" | "boolean" => Class::Bool,
        "json" | "jsonb" => Class::Json,
        "timestamptz" | "timestamp with time zone" => Class::Timestamptz,
        "timestamp" | "timestamp without time zone" => Class::Timestamp,
        "date" => Class::Date,
        _ => Class::Other,
    }
}

/// The type of an array's elements, by `_text` or `text[]`.
fn element_type(type_name: &str) -> Option<&str> {
    let plain = type_name.strip_prefix("pg_catalog.").unwrap_or(type_name);
    plain.strip_prefix('_').or_else(|| plain.strip_suffix("[]"))
}

/// A value as JSON. A type that JSON has no counterpart of, and a value that does not fit its type's
/// counterpart (`NaN`, `infinity`, a year before Christ), is a string, as printed; so is a number that
/// a double cannot hold exactly. `timestamptz` is written in UTC, whatever zone it was printed in, and
/// a one-dimensional array becomes an array.
pub fn to_json(value: &str, type_name: &str) -> Value {
    let converted = match element_type(type_name) {
        Some(element) => parse_array(value).map(|elements| {
            elements
                .into_iter()
                .map(|text| text.map_or(Value::Null, |text| scalar(&text, element)))
                .collect()
        }),
        None => return scalar(value, type_name),
    };
    converted.unwrap_or_else(|| Value::from(value))
}

fn scalar(value: &str, type_name: &str) -> Value {
    let converted = match class_of(type_name) {
        Class::Number => number(value),
        Class::Bool => match value {
            "t" => Some(Value::Bool(true)),
            "f" => Some(Value::Bool(false)),
            _ => None,
        },
        Class::Json => Tree::scan(value).ok().map(|tree| tree.value(Tree::ROOT)),
        Class::Timestamptz => read_iso(value).and_then(write_iso).map(Value::from),
        Class::Timestamp => read_iso(value).map(|_| Value::from(value.replacen(' ', "T", 1))),
        Class::Date | Class::Other => None,
    };
    converted.unwrap_or_else(|| Value::from(value))
}

fn number(value: &str) -> Option<Value> {
    // Only what JSON calls a number: `NaN` and `Infinity` are numbers to Rust.
    let tree = Tree::scan(value).ok()?;
    matches!(value.as_bytes(), [b'-' | b'0'..=b'9', ..])
        .then(|| number_value(tree.text(Tree::ROOT)))
}

/// Whether [`parse_time`] reads values of a type.
pub fn is_time(type_name: &str) -> bool {
    matches!(
        class_of(type_name),
        Class::Timestamptz | Class::Timestamp | Class::Date
    )
}

/// A value as a time, in microseconds since the Unix epoch: `timestamptz`, `timestamp` (taken as UTC)
/// and `date` (its midnight, UTC). `None` for other types, for `infinity`, and outside the years that
/// events can be stored with.
pub fn parse_time(value: &str, type_name: &str) -> Option<i64> {
    let time = match class_of(type_name) {
        Class::Timestamptz | Class::Timestamp | Class::Date => read_iso(value)?,
        Class::Number | Class::Bool | Class::Json | Class::Other => return None,
    };
    is_plausible_time(time).then_some(time)
}

#[cfg(test)]
#[path = "value_tests.rs"]
mod tests;
