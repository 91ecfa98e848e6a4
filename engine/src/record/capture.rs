//! Captured rows: what the trigger of a mapped table writes for each change.

use serde::Deserialize;
use serde_json::Value;

use super::literal::parse_record;
use super::value::to_json;
use crate::message::{Reason, Rejection};

/// What happened to a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// `I`: the row is new.
    Insert,
    /// `U`: the row is as it stands now.
    Update,
    /// `D`: the row is as it was.
    Delete,
    /// `T`: all rows are gone; there is none in the capture.
    Truncate,
}

/// A column of a captured row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CapturedColumn {
    /// The column's name.
    pub name: String,
    /// The name of its type.
    pub type_name: String,
    /// The value as its type's output function prints it; `None` for NULL.
    pub value: Option<String>,
}

impl CapturedColumn {
    /// The value as JSON.
    pub fn to_json(&self) -> Value {
        self.value
            .as_deref()
            .map_or(Value::Null, |value| to_json(value, &self.type_name))
    }
}

/// One change of one row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CapturedRow {
    /// The table, as `schema.name`.
    pub relation: String,
    /// What happened.
    pub operation: Operation,
    /// The row's columns; none for [`Operation::Truncate`].
    pub columns: Vec<CapturedColumn>,
    /// The values of the same columns before an update.
    pub former_values: Option<Vec<Option<String>>>,
}

impl CapturedRow {
    /// A column by its name.
    pub fn column(&self, name: &str) -> Option<&CapturedColumn> {
        self.columns.iter().find(|column| column.name == name)
    }
}

#[derive(Deserialize)]
struct Envelope {
    rel: Option<String>,
    op: Option<String>,
    #[serde(default)]
    cols: Vec<String>,
    #[serde(default)]
    types: Vec<String>,
    row: Option<String>,
    old: Option<String>,
}

/// Reads a captured row:
/// `{"rel":"public.contacts","op":"U","cols":["id"],"types":["int4"],"row":"(1)"}`.
pub fn parse_capture(text: &str) -> Result<CapturedRow, Rejection> {
    let envelope: Envelope = serde_json::from_str(text).map_err(|error| {
        let reason = match error.classify() {
            serde_json::error::Category::Data => Reason::WrongType,
            _ => Reason::NotJson,
        };
        Rejection::new(reason, error.to_string())
    })?;
    let missing = |field: &str| Rejection::new(Reason::MissingField, format!("{field} is missing"));
    let relation = envelope.rel.ok_or_else(|| missing("rel"))?;
    let op = envelope.op.ok_or_else(|| missing("op"))?;
    let operation = match op.as_str() {
        "I" => Operation::Insert,
        "U" => Operation::Update,
        "D" => Operation::Delete,
        "T" => Operation::Truncate,
        other => {
            let detail = format!("op \"{other}\"");
            return Err(Rejection::new(Reason::UnknownType, detail));
        }
    };
    let mut row = CapturedRow {
        relation,
        operation,
        columns: Vec::new(),
        former_values: None,
    };
    if operation == Operation::Truncate {
        return Ok(row);
    }
    let literal = envelope.row.ok_or_else(|| missing("row"))?;
    let mut values = parse_record(&literal)
        .map_err(|error| Rejection::new(Reason::BadRecord, error.to_string()))?;
    if envelope.cols.is_empty() && literal == "()" {
        values.clear();
    }
    let (cols, types) = (envelope.cols, envelope.types);
    if cols.len() != values.len() || types.len() != values.len() {
        let detail = format!(
            "{} columns, {} types and {} values",
            cols.len(),
            types.len(),
            values.len()
        );
        return Err(Rejection::new(Reason::BadRecord, detail));
    }
    row.former_values = match envelope.old.as_deref().map(parse_record) {
        Some(Ok(former)) if former.len() == cols.len() => Some(former),
        None => None,
        _ => {
            let detail = "the row before the update does not fit its columns";
            return Err(Rejection::new(Reason::BadRecord, detail));
        }
    };
    row.columns = cols
        .into_iter()
        .zip(types)
        .zip(values)
        .map(|((name, type_name), value)| CapturedColumn {
            name,
            type_name,
            value,
        })
        .collect();
    Ok(row)
}

#[cfg(test)]
#[path = "capture_tests.rs"]
mod tests;
