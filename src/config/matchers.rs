//! Matchers: which records are compared, and by what.

use std::collections::BTreeMap;

use pgrx::prelude::*;
use serde_json::{Map, Value, json};

use super::declared::Declared;
use super::effects::Effects;
use super::fault::{Fault, Outcome};
use super::node::{Node, Object};
use super::{Reading, alter, change, drop_one, find, names, reset};
use crate::args;
use crate::matching::store::Sources;
use crate::matching::{meanings, settings_fault};
use crate::pg::error::OrRaise;
use crate::pg::{Error, Result, sql};

/// Just above anonymous ids, below what people are known by.
const PRIORITY: i32 = 85;

/// A declared matcher.
#[derive(Debug, Clone, PartialEq)]
pub struct Matcher {
    name: String,
    sources: Sources,
    priority: i32,
    settings: Option<Value>,
}

/// Declares a matcher of the records of `sources` (all mapped tables of records by default). `columns` says
/// what their columns mean, as one object, or one for each source; by default their names tell. It does
/// nothing until `cdp.run_matcher()`.
///
/// # Errors
/// 42710 if it exists; 42704 for a source that is none of records; 22023 if an argument is not valid.
#[pg_extern(
    volatile,
    parallel_unsafe,
    sql = r#"
CREATE FUNCTION cdp."create_matcher"(
    "name" text, "sources" text[] DEFAULT NULL, "columns" jsonb DEFAULT NULL, "priority" integer DEFAULT 85,
    "settings" jsonb DEFAULT NULL
) RETURNS void
VOLATILE PARALLEL UNSAFE SET search_path TO pg_catalog, pg_temp
LANGUAGE c AS 'MODULE_PATHNAME', '@FUNCTION_NAME@';
"#
)]
fn create_matcher(
    name: Option<&str>,
    sources: Option<Vec<String>>,
    columns: Option<pgrx::JsonB>,
    priority: Option<i32>,
    settings: Option<pgrx::JsonB>,
) {
    names::required(name, "name")
        .and_then(|name| {
            change("cdp.create_matcher()", |effects| {
                if find::<Matcher>(name).is_ok() {
                    return Err(Fault::new(
                        Error::duplicate(format!("matcher \"{name}\" already exists"))
                            .hint("To change it, run cdp.alter_matcher()."),
                    ));
                }
                let matcher = Matcher {
                    name: name.to_owned(),
                    sources: columns_of(sources, columns.map(|json| json.0))?,
                    priority: priority.unwrap_or(PRIORITY),
                    settings: settings.map(|json| json.0),
                };
                matcher.check()?;
                matcher.create(effects)
            })
        })
        .or_raise();
}

/// Changes a matcher. A NULL argument leaves the attribute as it is; `reset` names those to set back to
/// their defaults. With other columns or settings it has to be trained and run again, and till then
/// what it found counts no more.
///
/// # Errors
/// 42704 if it does not exist; 22023 if an argument is not valid.
#[pg_extern(
    volatile,
    parallel_unsafe,
    sql = r#"
CREATE FUNCTION cdp."alter_matcher"(
    "name" text, "sources" text[] DEFAULT NULL, "columns" jsonb DEFAULT NULL, "priority" integer DEFAULT NULL,
    "settings" jsonb DEFAULT NULL, "reset" text[] DEFAULT NULL
) RETURNS void
VOLATILE PARALLEL UNSAFE SET search_path TO pg_catalog, pg_temp
LANGUAGE c AS 'MODULE_PATHNAME', '@FUNCTION_NAME@';
"#
)]
fn alter_matcher(
    name: Option<&str>,
    sources: Option<Vec<String>>,
    columns: Option<pgrx::JsonB>,
    priority: Option<i32>,
    settings: Option<pgrx::JsonB>,
    reset: Option<Vec<String>>,
) {
    names::required(name, "name")
        .and_then(|name| {
            alter::<Matcher>("cdp.alter_matcher()", name, |matcher| {
                if sources.is_some() || columns.is_some() {
                    let sources =
                        sources.or_else(|| Some(matcher.sources.keys().cloned().collect()));
                    matcher.sources = columns_of(sources, columns.map(|json| json.0))?;
                }
                matcher.priority = priority.unwrap_or(matcher.priority);
                if let Some(settings) = settings {
                    matcher.settings = Some(settings.0);
                }
                self::reset(
                    matcher,
                    reset,
                    &[
                        ("priority", |matcher| matcher.priority = PRIORITY),
                        ("settings", |matcher| matcher.settings = None),
                    ],
                )
            })
        })
        .or_raise();
}

/// Drops a matcher, with its models and all that it found.
///
/// # Errors
/// 42704 if it does not exist.
#[pg_extern(volatile, parallel_unsafe)]
#[search_path(pg_catalog, pg_temp)]
fn drop_matcher(name: Option<&str>) {
    names::required(name, "name")
        .and_then(|name| drop_one::<Matcher>("cdp.drop_matcher()", name))
        .or_raise();
}

/// The sources of records, each with the columns of its table.
fn of_records() -> BTreeMap<String, Vec<String>> {
    sql::rows(
        "SELECT s.name, array_agg(a.attname::text ORDER BY a.attnum) \
           FROM cdp.sources s JOIN cdp.mappings m USING (source_id) \
           JOIN pg_catalog.pg_attribute a ON a.attrelid = m.relation AND a.attnum > 0 AND NOT a.attisdropped \
          WHERE s.kind = 'records' GROUP BY s.name",
        args![],
        |row| (row.want(1), row.want(2)),
    )
    .into_iter()
    .collect()
}

/// What the columns of these sources mean: as stated, or as their names tell.
fn columns_of(sources: Option<Vec<String>>, columns: Option<Value>) -> Outcome<Sources> {
    let mut there = of_records();
    let by_source = columns
        .as_ref()
        .and_then(Value::as_object)
        .is_some_and(|columns| columns.values().any(Value::is_object));
    let named = match (sources, by_source, &columns) {
        (Some(sources), ..) => sources,
        (None, true, Some(Value::Object(columns))) => columns.keys().cloned().collect(),
        _ => there.keys().cloned().collect(),
    };
    if named.is_empty() {
        let error = Error::invalid("there is no mapped table of records to match").hint(
            "Map one: SELECT cdp.map_table('crm', 'public.contacts', '{\"email\": \"email\"}');",
        );
        return Err(Fault::of("sources", error));
    }
    let mut found = Sources::new();
    for source in named {
        let Some(there) = there.remove(&source) else {
            let known: Vec<String> = of_records().into_keys().collect();
            let known: Vec<&str> = known.iter().map(String::as_str).collect();
            let error =
                Error::unknown(format!("source \"{source}\" is no mapped table of records"))
                    .hint(names::hint(&source, "sources of records", &known));
            return Err(Fault::of("sources", error));
        };
        let stated = match &columns {
            Some(columns) if by_source => columns.get(&source),
            columns => columns.as_ref(),
        };
        let meanings = meanings(stated, &there).map_err(|error| Fault::of("columns", error))?;
        found.insert(source, meanings.into_iter().collect());
    }
    Ok(found)
}

impl Declared for Matcher {
    const KIND: &'static str = "matcher";
    const SECTION: &'static str = "matchers";
    const ALTER: &'static str = "cdp.alter_matcher()";
    const KEYS: &'static [&'static str] = &["name", "sources", "priority", "settings"];

    fn name(&self) -> &str {
        &self.name
    }

    fn attributes(&self) -> Map<String, Value> {
        let mut out = Map::new();
        out.insert("sources".to_owned(), json!(self.sources));
        if self.priority != PRIORITY {
            out.insert("priority".to_owned(), Value::from(self.priority));
        }
        if let Some(settings) = &self.settings {
            out.insert("settings".to_owned(), settings.clone());
        }
        out
    }

    fn read(name: String, object: &Object) -> Result<Self> {
        let mut sources = Sources::new();
        for (source, columns) in object.want("sources")?.entries()? {
            let mut of_source = BTreeMap::new();
            for (column, meaning) in columns.entries()? {
                let text = meaning.text()?;
                let known = cdp_engine::matching::Meaning::named(&text).ok_or_else(|| {
                    meaning.fault(format!("\"{text}\" is no meaning of a column"))
                })?;
                of_source.insert(column.to_owned(), known);
            }
            sources.insert(source.to_owned(), of_source);
        }
        Ok(Self {
            name,
            sources,
            priority: object.or("priority", PRIORITY, Node::integer)?,
            settings: object.get("settings").map(|node| node.value()),
        })
    }

    fn all(reading: Reading) -> Vec<Self> {
        let sql = "SELECT name, priority, spec::text FROM cdp.matchers ORDER BY name COLLATE \"C\"";
        reading.rows(sql, args![], |row| {
            let mut spec: Value =
                serde_json::from_str(&row.want::<String>(3)).unwrap_or(Value::Null);
            Self {
                name: row.want(1),
                priority: row.want(2),
                sources: serde_json::from_value(spec["sources"].take()).unwrap_or_default(),
                settings: Some(spec["settings"].take()).filter(|settings| !settings.is_null()),
            }
        })
    }

    fn check(&self) -> Outcome<()> {
        names::check(Self::KIND, &self.name).map_err(|error| Fault::of("name", error))?;
        if self.priority < 1 {
            let error = Error::invalid(format!("priority {} is less than 1", self.priority));
            return Err(Fault::of("priority", error));
        }
        if self.sources.values().all(BTreeMap::is_empty) {
            let error = Error::invalid("no column is compared");
            return Err(Fault::of("sources", error));
        }
        settings_fault(&self.sources, self.settings.as_ref())
            .map_err(|error| Fault::of("settings", error))
    }

    fn create(&self, _effects: &mut Effects) -> Outcome<()> {
        self.require_sources()?;
        sql::run(
            "INSERT INTO cdp.matchers (name, priority, spec) VALUES ($1, $2, $3::text::pg_catalog.jsonb)",
            args![self.name.as_str(), self.priority, self.spec()],
        );
        Ok(())
    }

    fn alter(&self, old: &Self, effects: &mut Effects) -> Outcome<()> {
        self.require_sources()?;
        effects.identity = true;
        sql::run(
            "UPDATE cdp.matchers SET priority = $2 WHERE name = $1",
            args![self.name.as_str(), self.priority],
        );
        if (&self.sources, &self.settings) != (&old.sources, &old.settings) {
            // A model of other columns says nothing.
            self.forget();
            sql::run(
                "UPDATE cdp.matchers SET spec = $2::text::pg_catalog.jsonb, model = NULL, live = false WHERE name = $1",
                args![self.name.as_str(), self.spec()],
            );
        }
        Ok(())
    }

    fn drop(&self, effects: &mut Effects) -> Outcome<()> {
        effects.identity = true;
        self.forget();
        sql::run(
            "DELETE FROM cdp.matcher_models d USING cdp.matchers m \
              WHERE m.name = $1 AND d.matcher_id = m.matcher_id",
            args![self.name.as_str()],
        );
        sql::run(
            "DELETE FROM cdp.matchers WHERE name = $1",
            args![self.name.as_str()],
        );
        Ok(())
    }
}

impl Matcher {
    fn spec(&self) -> String {
        json!({"sources": self.sources, "settings": self.settings}).to_string()
    }

    fn require_sources(&self) -> Outcome<()> {
        let there = of_records();
        for (source, columns) in &self.sources {
            let Some(there) = there.get(source) else {
                let error =
                    Error::unknown(format!("source \"{source}\" is no mapped table of records"))
                        .hint("Map the table first.");
                return Err(Fault::of("sources", error));
            };
            if let Some(absent) = columns.keys().find(|column| !there.contains(column)) {
                let error =
                    Error::unknown(format!("source \"{source}\" has no column \"{absent}\""))
                        .hint(format!("There are: {}.", there.join(", ")));
                return Err(Fault::of("sources", error));
            }
        }
        Ok(())
    }

    /// Forgets all that it found, and by what.
    fn forget(&self) {
        for table in [
            "cdp.matches",
            "cdp.match_records",
            "cdp.match_key_pages",
            "cdp.match_key_changes",
        ] {
            sql::run(
                &format!(
                    "DELETE FROM {table} d USING cdp.matchers m \
                      WHERE m.name = $1 AND d.matcher_id = m.matcher_id"
                ),
                args![self.name.as_str()],
            );
        }
    }
}
