//! What one row says.

use serde_json::{Map, Value};

use super::{EventName, Kind, Mapping, Values};
use crate::message::{MAX_NAME_BYTES, Reason, Rejection};
use crate::record::{CapturedRow, Operation, parse_time, to_json};

/// What a row of a mapped table says.
#[derive(Clone, Debug, PartialEq)]
pub struct Interpreted {
    /// What tells the row apart from the others: the text of its key column, or for several the
    /// text of a JSON array of them.
    pub key: String,
    /// Types of identifiers and what the row holds of each, not normalised. NULL shows none; a
    /// column that is an array shows each of its elements.
    pub identifiers: Vec<(String, String)>,
    /// The traits of a record. NULL says nothing, so there is none.
    pub traits: Vec<(String, Value)>,
    /// When the record came to be, in microseconds since the Unix epoch.
    pub created_at: Option<i64>,
    /// When the record was changed last, or the event happened.
    pub time: Option<i64>,
    /// What the event is called.
    pub event: Option<String>,
    /// The properties of an event, an object; `{}` for a record.
    pub properties: Value,
    /// The whole row, an object.
    pub row: Value,
    /// Columns that the mapping names and the row does not have: dropped since. They count as NULL.
    pub missing: Vec<String>,
}

/// A row by its parts.
struct Row<'a> {
    mapping: &'a Mapping,
    names: Vec<&'a str>,
    types: Vec<&'a str>,
    values: Vec<Option<&'a str>>,
}

impl<'a> Row<'a> {
    /// Where a column of the document is in the row: under its present name, else under the one
    /// that the document has for it.
    fn position(&self, column: &str) -> Option<usize> {
        let of = |name: &str| self.names.iter().position(|known| *known == name);
        of(self.mapping.present_name(column)).or_else(|| of(column))
    }

    fn value(&self, column: &str) -> Option<&'a str> {
        self.values[self.position(column)?]
    }

    fn json(&self, n: usize) -> Value {
        self.values[n].map_or(Value::Null, |value| to_json(value, self.types[n]))
    }

    fn time(&self, column: Option<&String>) -> Option<i64> {
        let n = self.position(column?)?;
        parse_time(self.values[n]?, self.types[n])
    }

    fn object(&self, keep: impl Fn(&str) -> bool) -> Map<String, Value> {
        let columns = self.names.iter().enumerate();
        columns
            .filter(|(_, name)| keep(name))
            .map(|(n, name)| ((*name).to_owned(), self.json(n)))
            .collect()
    }

    /// `name: value` for the columns that become traits or properties.
    fn named_values(&self) -> Map<String, Value> {
        match &self.mapping.values {
            Values::None => Map::new(),
            Values::All if self.mapping.kind == Kind::Events => self.object(|_| true),
            Values::All => {
                let taken = self.mapping.columns();
                let taken: Vec<&str> = taken
                    .into_iter()
                    .flat_map(|name| [name, self.mapping.present_name(name)])
                    .collect();
                self.object(|name| !taken.contains(&name))
            }
            Values::Named(pairs) => pairs
                .iter()
                .filter_map(|(name, column)| {
                    Some((name.clone(), self.json(self.position(column)?)))
                })
                .collect(),
        }
    }

    fn key(&self) -> Result<String, Rejection> {
        let columns = &self.mapping.key;
        let mut values = Vec::with_capacity(columns.len());
        for column in columns {
            let n = self.position(column).ok_or_else(|| {
                let detail = format!("the row has no key column \"{column}\"");
                Rejection::new(Reason::MissingField, detail)
            })?;
            values.push(self.values[n].ok_or_else(|| {
                let detail = format!("key column \"{column}\" is NULL");
                Rejection::new(Reason::MissingField, detail)
            })?);
        }
        let key = match values.as_slice() {
            [] => {
                return Err(Rejection::new(
                    Reason::MissingField,
                    "the mapping has no key",
                ));
            }
            [one] => (*one).to_owned(),
            several => Value::from(several).to_string(),
        };
        if key.len() > MAX_NAME_BYTES {
            let detail = format!("the key is longer than {MAX_NAME_BYTES} bytes");
            return Err(Rejection::new(Reason::TooLong, detail));
        }
        Ok(key)
    }

    fn identifiers(&self) -> Vec<(String, String)> {
        let mut found = Vec::new();
        for (name, columns) in &self.mapping.identifiers {
            for column in columns {
                let Some(n) = self.position(column) else {
                    continue;
                };
                let Some(text) = self.values[n] else { continue };
                let elements = if self.types[n].ends_with("[]") {
                    self.json(n)
                } else {
                    Value::Null
                };
                let Value::Array(elements) = elements else {
                    found.push((name.clone(), text.to_owned()));
                    continue;
                };
                for element in elements {
                    match element {
                        Value::Null => {}
                        Value::String(text) => found.push((name.clone(), text)),
                        other => found.push((name.clone(), other.to_string())),
                    }
                }
            }
        }
        let mut seen = std::collections::HashSet::new();
        found.retain(|pair| seen.insert(pair.clone()));
        found
    }

    fn event(&self) -> Result<Option<String>, Rejection> {
        let column = match &self.mapping.event {
            None => return Ok(None),
            Some(EventName::Fixed(name)) => return Ok(Some(name.clone())),
            Some(EventName::Column(column)) => column,
        };
        let name = self
            .value(column)
            .filter(|name| !name.trim().is_empty())
            .ok_or_else(|| {
                let detail =
                    format!("column \"{column}\", the name of the event, is NULL or blank");
                Rejection::new(Reason::MissingField, detail)
            })?;
        if name.len() > MAX_NAME_BYTES {
            let detail = format!("the event's name is longer than {MAX_NAME_BYTES} bytes");
            return Err(Rejection::new(Reason::TooLong, detail));
        }
        Ok(Some(name.to_owned()))
    }

    fn event_time(&self) -> Result<i64, Rejection> {
        let column = self.mapping.time.as_deref().unwrap_or_default();
        let fault = |reason, what: String| Rejection::new(reason, what);
        let Some(n) = self.position(column) else {
            let detail = format!("the row has no column \"{column}\", the time of the event");
            return Err(fault(Reason::MissingField, detail));
        };
        let Some(text) = self.values[n] else {
            let detail = format!("column \"{column}\", the time of the event, is NULL");
            return Err(fault(Reason::MissingField, detail));
        };
        parse_time(text, self.types[n]).ok_or_else(|| {
            let detail = format!(
                "column \"{column}\", the time of the event, is \"{text}\" of type {}",
                self.types[n]
            );
            fault(Reason::BadTimestamp, detail)
        })
    }

    fn interpret(&self) -> Result<Interpreted, Rejection> {
        let mapping = self.mapping;
        let key = self.key()?;
        let values = self.named_values();
        let (time, event, traits, properties) = match mapping.kind {
            Kind::Records => {
                let traits = values
                    .into_iter()
                    .filter(|(_, value)| !value.is_null())
                    .collect();
                (
                    self.time(mapping.updated_at.as_ref()),
                    None,
                    traits,
                    Map::new(),
                )
            }
            Kind::Events => (Some(self.event_time()?), self.event()?, Vec::new(), values),
        };
        let named = mapping.columns().into_iter();
        Ok(Interpreted {
            key,
            identifiers: self.identifiers(),
            traits,
            created_at: self.time(mapping.created_at.as_ref()),
            time,
            event,
            properties: Value::Object(properties),
            row: Value::Object(self.object(|_| true)),
            missing: named
                .filter(|column| self.position(column).is_none())
                .map(str::to_owned)
                .collect(),
        })
    }
}

fn row_of<'a>(mapping: &'a Mapping, row: &'a CapturedRow) -> Row<'a> {
    let columns = row.columns.iter();
    Row {
        mapping,
        names: columns.clone().map(|column| column.name.as_str()).collect(),
        types: columns
            .clone()
            .map(|column| column.type_name.as_str())
            .collect(),
        values: columns.map(|column| column.value.as_deref()).collect(),
    }
}

/// Reads a row: its columns' names, the names of their types, and their values as printed, each in
/// the same order.
///
/// # Errors
/// A row without key; an event without name or time. It belongs into the dead letters.
pub fn interpret(
    mapping: &Mapping,
    columns: &[String],
    types: &[String],
    values: &[Option<String>],
) -> Result<Interpreted, Rejection> {
    if columns.len() != values.len() || types.len() != values.len() {
        let (columns, types, values) = (columns.len(), types.len(), values.len());
        let detail = format!("{columns} columns, {types} types and {values} values");
        return Err(Rejection::new(Reason::BadRecord, detail));
    }
    let row = Row {
        mapping,
        names: columns.iter().map(String::as_str).collect(),
        types: types.iter().map(String::as_str).collect(),
        values: values.iter().map(Option::as_deref).collect(),
    };
    row.interpret()
}

/// Reads a captured row; see [`interpret`]. Of a deleted row only the key: one that was found by
/// polling has no other columns.
///
/// # Errors
/// As [`interpret`].
pub fn interpret_row(mapping: &Mapping, row: &CapturedRow) -> Result<Interpreted, Rejection> {
    let read = row_of(mapping, row);
    if row.operation != Operation::Delete {
        return read.interpret();
    }
    Ok(Interpreted {
        key: read.key()?,
        identifiers: Vec::new(),
        traits: Vec::new(),
        created_at: None,
        time: None,
        event: None,
        properties: Value::Object(Map::new()),
        row: Value::Object(read.object(|_| true)),
        missing: Vec::new(),
    })
}

/// The key of a captured row, whether the rest of it can be read or not.
pub fn row_key(mapping: &Mapping, row: &CapturedRow) -> Option<String> {
    row_of(mapping, row).key().ok()
}

/// The key that an updated row had before, where it was another: what was known of the row under
/// that key is withdrawn.
pub fn former_key(mapping: &Mapping, row: &CapturedRow) -> Option<String> {
    let former = row.former_values.as_ref()?;
    let mut before = row_of(mapping, row);
    let present = before.key().ok();
    before.values = former.iter().map(Option::as_deref).collect();
    before
        .key()
        .ok()
        .filter(|key| present.as_ref() != Some(key))
}
