//! Mappings: what the columns of an existing table mean, and what one of its rows then says.
//!
//! A mapping is a JSON document that its author wrote by hand, so a fault names its place in the
//! document. A row is read with whatever columns it has: a column that was dropped since is NULL
//! and reported, one that was renamed is found under its new name.

mod interpret;
mod parse;

use serde_json::{Map, Value, json};

pub use interpret::{Interpreted, former_key, interpret, interpret_row, row_key};
pub use parse::{MappingError, TableColumn};

/// What the rows of a table are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Somebody's identifiers and traits, as they stand now.
    Records,
    /// Things that somebody did.
    Events,
}

impl Kind {
    /// As in the document and in `cdp.sources`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Records => "records",
            Self::Events => "events",
        }
    }
}

/// Where the name of an event comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EventName {
    /// All rows are events of this name.
    Fixed(String),
    /// A column holds it.
    Column(String),
}

/// Which columns become traits or properties.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Values {
    /// None.
    #[default]
    None,
    /// `"*"`: as traits, every column that the mapping does not name otherwise; as properties, every
    /// column.
    All,
    /// These, each with the column that holds it.
    Named(Vec<(String, String)>),
}

/// What the columns of a table mean.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mapping {
    /// What its rows are.
    pub kind: Kind,
    /// The columns that tell rows apart. Empty in a document that leaves it to the primary key.
    pub key: Vec<String>,
    /// Types of identifiers, each with the columns that hold some.
    pub identifiers: Vec<(String, Vec<String>)>,
    /// Traits of a record, properties of an event.
    pub values: Values,
    /// When a record came to be.
    pub created_at: Option<String>,
    /// When a record was changed last.
    pub updated_at: Option<String>,
    /// When an event happened.
    pub time: Option<String>,
    /// What an event is called.
    pub event: Option<EventName>,
    /// How many records of the source one person can have.
    pub max_per_profile: Option<i32>,
    /// Types of identifiers that the document has in the short form, beside its fields.
    pub short_form: Vec<String>,
    /// Columns that the document names, with the names that they have now, where another.
    pub renamed: Vec<(String, String)>,
}

impl Mapping {
    /// Reads a document.
    ///
    /// ```
    /// use cdp_engine::mapping::{Kind, Mapping};
    ///
    /// let short = serde_json::json!({"user_id": "id", "traits": {"country": "country"}});
    /// let mapping = Mapping::parse(&short)?;
    /// assert_eq!(mapping.kind, Kind::Records);
    /// assert_eq!(mapping.identifiers, [("user_id".to_owned(), vec!["id".to_owned()])]);
    /// # Ok::<(), cdp_engine::mapping::MappingError>(())
    /// ```
    ///
    /// # Errors
    /// The first fault, with its path in the document.
    pub fn parse(document: &Value) -> Result<Self, MappingError> {
        parse::mapping(document)
    }

    /// Checks it against the columns of the table and the declared types of identifiers.
    ///
    /// # Errors
    /// The first name that is not there, with its path in the document and those that come near.
    pub fn check(
        &self,
        columns: &[TableColumn],
        identifier_types: &[String],
    ) -> Result<(), MappingError> {
        parse::check(self, columns, identifier_types)
    }

    /// The document in its long form.
    pub fn to_json(&self) -> Value {
        let mut out = Map::new();
        let mut put = |name: &str, value: Value| out.insert(name.to_owned(), value);
        put("kind", json!(self.kind.as_str()));
        if !self.key.is_empty() {
            put("key", json!(self.key));
        }
        let identifiers = self.identifiers.iter();
        put(
            "identifiers",
            identifiers
                .map(|(name, columns)| (name.clone(), json!(columns)))
                .collect(),
        );
        let values = match &self.values {
            Values::None => json!({}),
            Values::All => json!("*"),
            Values::Named(pairs) => pairs
                .iter()
                .map(|(name, column)| (name.clone(), json!(column)))
                .collect(),
        };
        match self.kind {
            Kind::Records => put("traits", values),
            Kind::Events => put("properties", values),
        };
        match &self.event {
            Some(EventName::Fixed(name)) => {
                put("event", json!(name));
            }
            Some(EventName::Column(column)) => {
                put("event", json!({"column": column}));
            }
            None => {}
        }
        let columns = [
            ("created_at", &self.created_at),
            ("updated_at", &self.updated_at),
            ("time", &self.time),
        ];
        for (name, column) in columns {
            if let Some(column) = column {
                put(name, json!(column));
            }
        }
        if let Some(most) = self.max_per_profile {
            put("max_per_profile", json!(most));
        }
        Value::Object(out)
    }

    /// Every column that the mapping names, each once.
    pub fn columns(&self) -> Vec<&str> {
        let mut all: Vec<&str> = parse::places(self)
            .into_iter()
            .map(|(_, column)| column)
            .collect();
        all.sort_unstable();
        all.dedup();
        all
    }

    /// The name that a column of the document has now.
    fn present_name<'a>(&'a self, column: &'a str) -> &'a str {
        let renamed = self.renamed.iter().find(|(former, _)| former == column);
        renamed.map_or(column, |(_, present)| present)
    }
}

#[cfg(test)]
mod tests;
