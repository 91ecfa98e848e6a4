//! Reading a mapping's document, and checking it against the table.

use std::fmt;

use serde_json::{Map, Value};

use super::{EventName, Kind, Mapping, Values};

/// How like a name another must be to be proposed.
const LIKENESS: f64 = 0.8;

const FIELDS_OF_BOTH: [&str; 3] = ["kind", "key", "identifiers"];
const FIELDS_OF_RECORDS: [&str; 4] = ["traits", "created_at", "updated_at", "max_per_profile"];
const FIELDS_OF_EVENTS: [&str; 3] = ["time", "event", "properties"];

/// A fault in a mapping's document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MappingError {
    /// Where in the document: `traits.country`, `identifiers.email[1]`. Empty for all of it.
    pub path: String,
    /// What is wrong.
    pub message: String,
    /// What to do.
    pub hint: Option<String>,
}

impl MappingError {
    fn new(path: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            path: path.into(),
            message: message.into(),
            hint: None,
        }
    }

    fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

impl fmt::Display for MappingError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.path.is_empty() {
            return f.write_str(&self.message);
        }
        write!(f, "{}: {}", self.path, self.message)
    }
}

impl std::error::Error for MappingError {}

type Result<T> = std::result::Result<T, MappingError>;

/// A column of the table that is mapped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TableColumn {
    /// Its name.
    pub name: String,
    /// The name of its type.
    pub type_name: String,
}

pub(super) fn mapping(document: &Value) -> Result<Mapping> {
    let fields = document
        .as_object()
        .ok_or_else(|| wrong_type("", document, "an object such as {\"user_id\": \"id\"}"))?;
    let kind = kind(fields)?;
    let mut identifiers = Vec::new();
    if let Some(declared) = fields.get("identifiers") {
        let declared = declared
            .as_object()
            .ok_or_else(|| wrong_type("identifiers", declared, "an object of type and column"))?;
        for (name, value) in declared {
            identifiers.push((
                name.clone(),
                columns(&format!("identifiers.{name}"), value)?,
            ));
        }
    }
    let mut short_form = Vec::new();
    let (own, others) = match kind {
        Kind::Records => (FIELDS_OF_RECORDS.as_slice(), FIELDS_OF_EVENTS.as_slice()),
        Kind::Events => (FIELDS_OF_EVENTS.as_slice(), FIELDS_OF_RECORDS.as_slice()),
    };
    for (name, value) in fields {
        let name = name.as_str();
        if FIELDS_OF_BOTH.contains(&name) || own.contains(&name) {
            continue;
        }
        if others.contains(&name) {
            let message = format!("a mapping of kind \"{}\" has no \"{name}\"", kind.as_str());
            return Err(MappingError::new(name, message)
                .hint(format!("Its fields are: {}.", list(own.iter().copied()))));
        }
        // The short form: what is no field is a type of identifiers.
        if identifiers.iter().any(|(known, _)| known == name) {
            return Err(MappingError::new(name, "is in \"identifiers\" too"));
        }
        identifiers.push((name.to_owned(), columns(name, value)?));
        short_form.push(name.to_owned());
    }
    let values = match kind {
        Kind::Records => values("traits", fields.get("traits"))?,
        Kind::Events => values("properties", fields.get("properties"))?,
    };
    // A record without identifiers is still somebody, to be matched by what is said of him; an event is
    // nobody's.
    if identifiers.is_empty() && (kind == Kind::Events || values == Values::None) {
        return Err(MappingError::new("identifiers", "no identifier is mapped")
            .hint("Say which column holds which type, for example \"email\": \"email_address\"."));
    }
    let mapping = Mapping {
        kind,
        key: fields
            .get("key")
            .map_or(Ok(Vec::new()), |value| columns("key", value))?,
        identifiers,
        values,
        created_at: column_field(fields, "created_at")?,
        updated_at: column_field(fields, "updated_at")?,
        time: column_field(fields, "time")?,
        event: fields.get("event").map(event_name).transpose()?,
        max_per_profile: fields
            .get("max_per_profile")
            .map(max_per_profile)
            .transpose()?
            .flatten(),
        short_form,
        renamed: Vec::new(),
    };
    if kind == Kind::Events {
        let missing = |field: &str, hint: &str| {
            let message = "a mapping of kind \"events\" needs it";
            Err(MappingError::new(field, message).hint(hint))
        };
        if mapping.time.is_none() {
            return missing("time", "Name the column that says when it happened.");
        }
        if mapping.event.is_none() {
            return missing(
                "event",
                "Give the event's name, \"Order Completed\", or the column that holds it, {\"column\": \"status\"}.",
            );
        }
    }
    Ok(mapping)
}

fn kind(fields: &Map<String, Value>) -> Result<Kind> {
    match fields.get("kind") {
        // Only events have a name.
        None if fields.contains_key("event") => Ok(Kind::Events),
        None => Ok(Kind::Records),
        Some(Value::String(kind)) if kind == "records" => Ok(Kind::Records),
        Some(Value::String(kind)) if kind == "events" => Ok(Kind::Events),
        Some(other) => Err(wrong_type("kind", other, "\"records\" or \"events\"")),
    }
}

fn wrong_type(path: &str, found: &Value, expected: &str) -> MappingError {
    let found: String = found.to_string().chars().take(60).collect();
    MappingError::new(path, format!("expected {expected}, found {found}"))
}

fn column(path: &str, value: &Value) -> Result<String> {
    match value {
        Value::String(name) if !name.is_empty() => Ok(name.clone()),
        other => Err(wrong_type(path, other, "the name of a column")),
    }
}

fn columns(path: &str, value: &Value) -> Result<Vec<String>> {
    let Value::Array(items) = value else {
        return Ok(vec![column(path, value)?]);
    };
    if items.is_empty() {
        return Err(wrong_type(path, value, "the names of columns"));
    }
    let mut out: Vec<String> = Vec::new();
    for (n, item) in items.iter().enumerate() {
        let path = format!("{path}[{n}]");
        let name = column(&path, item)?;
        if out.contains(&name) {
            return Err(MappingError::new(
                path,
                format!("column \"{name}\" is there twice"),
            ));
        }
        out.push(name);
    }
    Ok(out)
}

fn column_field(fields: &Map<String, Value>, name: &str) -> Result<Option<String>> {
    match fields.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(value) => column(name, value).map(Some),
    }
}

fn values(path: &str, value: Option<&Value>) -> Result<Values> {
    match value {
        None | Some(Value::Null) => Ok(Values::None),
        Some(Value::String(all)) if all == "*" => Ok(Values::All),
        Some(Value::Array(_)) => {
            let names = columns(path, value.unwrap_or(&Value::Null))?;
            Ok(Values::Named(
                names.into_iter().map(|name| (name.clone(), name)).collect(),
            ))
        }
        Some(Value::Object(pairs)) => {
            let mut named = Vec::with_capacity(pairs.len());
            for (name, value) in pairs {
                if name.is_empty() {
                    return Err(MappingError::new(path, "a name is empty"));
                }
                named.push((name.clone(), column(&format!("{path}.{name}"), value)?));
            }
            Ok(Values::Named(named))
        }
        Some(other) => {
            let expected = "\"*\", an array of columns, or an object of name and column";
            Err(wrong_type(path, other, expected))
        }
    }
}

fn event_name(value: &Value) -> Result<EventName> {
    let expected = "the name of the event, or {\"column\": \"name of a column\"}";
    match value {
        Value::String(name) if !name.trim().is_empty() => {
            if name.len() > crate::message::MAX_NAME_BYTES {
                let message = format!("longer than {} bytes", crate::message::MAX_NAME_BYTES);
                return Err(MappingError::new("event", message));
            }
            Ok(EventName::Fixed(name.clone()))
        }
        Value::Object(fields) if fields.len() == 1 => match fields.get("column") {
            Some(name) => column("event.column", name).map(EventName::Column),
            None => Err(wrong_type("event", value, expected)),
        },
        other => Err(wrong_type("event", other, expected)),
    }
}

fn max_per_profile(value: &Value) -> Result<Option<i32>> {
    if value.is_null() {
        return Ok(None);
    }
    let number = value
        .as_i64()
        .and_then(|n| i32::try_from(n).ok())
        .filter(|n| *n > 0);
    number
        .map(Some)
        .ok_or_else(|| wrong_type("max_per_profile", value, "a whole number above 0"))
}

/// Where the document has the columns of a type of identifiers.
fn path_of(mapping: &Mapping, identifier_type: &str) -> String {
    if mapping
        .short_form
        .iter()
        .any(|name| name == identifier_type)
    {
        return identifier_type.to_owned();
    }
    format!("identifiers.{identifier_type}")
}

/// Every place in the document that names a column.
pub(super) fn places(mapping: &Mapping) -> Vec<(String, &str)> {
    let several = |path: &str, n: usize, of: usize| match of {
        1 => path.to_owned(),
        _ => format!("{path}[{n}]"),
    };
    let mut out = Vec::new();
    for (n, column) in mapping.key.iter().enumerate() {
        out.push((several("key", n, mapping.key.len()), column.as_str()));
    }
    for (name, columns) in &mapping.identifiers {
        for (n, column) in columns.iter().enumerate() {
            let path = path_of(mapping, name);
            out.push((several(&path, n, columns.len()), column.as_str()));
        }
    }
    if let Values::Named(pairs) = &mapping.values {
        let field = match mapping.kind {
            Kind::Records => "traits",
            Kind::Events => "properties",
        };
        for (name, column) in pairs {
            out.push((format!("{field}.{name}"), column.as_str()));
        }
    }
    if let Some(EventName::Column(column)) = &mapping.event {
        out.push(("event.column".to_owned(), column.as_str()));
    }
    for (path, column) in times(mapping) {
        out.push((path.to_owned(), column));
    }
    out
}

fn times(mapping: &Mapping) -> impl Iterator<Item = (&'static str, &str)> {
    let fields = [
        ("created_at", &mapping.created_at),
        ("updated_at", &mapping.updated_at),
        ("time", &mapping.time),
    ];
    fields
        .into_iter()
        .filter_map(|(path, column)| Some((path, column.as_deref()?)))
}

pub(super) fn check(
    mapping: &Mapping,
    table: &[TableColumn],
    identifier_types: &[String],
) -> Result<()> {
    for (name, _) in &mapping.identifiers {
        if !identifier_types.contains(name) {
            let message = format!("identifier type \"{name}\" does not exist");
            let hint = did_you_mean(name, identifier_types.iter().map(String::as_str), "types")
                + " Others are declared with cdp.create_identifier_type().";
            return Err(MappingError::new(path_of(mapping, name), message).hint(hint));
        }
    }
    for (path, column) in places(mapping) {
        if !table.iter().any(|known| known.name == column) {
            let names = table.iter().map(|known| known.name.as_str());
            let message = format!("column \"{column}\" does not exist");
            let hint = did_you_mean(column, names, "columns");
            return Err(MappingError::new(path, message).hint(hint));
        }
    }
    for (path, column) in times(mapping) {
        let type_name = table
            .iter()
            .find(|known| known.name == column)
            .map(|c| &c.type_name);
        if let Some(type_name) = type_name.filter(|name| !crate::record::is_time(name)) {
            let message = format!("column \"{column}\" is of type {type_name}, which is no time");
            return Err(MappingError::new(path, message)
                .hint("Name a column of type timestamptz, timestamp or date."));
        }
    }
    if mapping.key.is_empty() {
        return Err(
            MappingError::new("key", "the table has no primary key, and no key is given").hint(
                "Name the column, or the columns, that tell its rows apart: \"key\": \"id\".",
            ),
        );
    }
    Ok(())
}

fn did_you_mean<'a>(
    wanted: &str,
    known: impl Iterator<Item = &'a str> + Clone,
    what: &str,
) -> String {
    let nearest = known
        .clone()
        .map(|name| {
            (
                strsim::jaro_winkler(&wanted.to_lowercase(), &name.to_lowercase()),
                name,
            )
        })
        .filter(|(likeness, _)| *likeness >= LIKENESS)
        .max_by(|a, b| a.0.total_cmp(&b.0));
    match nearest {
        Some((_, name)) => format!("Did you mean \"{name}\"?"),
        None => format!("Its {what} are: {}.", list(known)).replacen("Its types", "The types", 1),
    }
}

fn list<'a>(names: impl Iterator<Item = &'a str>) -> String {
    const SHOWN: usize = 30;
    let mut out: Vec<&str> = names.collect();
    let more = out.len() > SHOWN;
    out.truncate(SHOWN);
    let mut out = out.join(", ");
    if more {
        out.push_str(", …");
    }
    out
}
