//! Sources: where data comes from.

use pgrx::prelude::*;
use serde_json::{Map, Value};

use super::declared::Declared;
use super::effects::Effects;
use super::fault::{Fault, Outcome};
use super::interval::Interval;
use super::node::Object;
use super::{Reading, alter, change, create, find, names, reset};
use crate::args;
use crate::pg::error::OrRaise;
use crate::pg::{Error, Result, sql};

/// A declared source of messages. Those of mapped tables are declared by mapping them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    name: String,
    max_backdate: Option<Interval>,
}

/// Declares a source of messages. Its links date from no earlier than `max_backdate` before a message
/// was received, so that one back-dated message takes no identifier from another profile.
///
/// # Errors
/// 42710 if it exists; 22023 if an argument is not valid.
#[pg_extern(volatile, parallel_unsafe)]
#[search_path(pg_catalog, pg_temp)]
fn create_source(
    name: Option<&str>,
    max_backdate: default!(Option<pgrx::datum::Interval>, "NULL"),
) {
    names::required(name, "name")
        .and_then(|name| {
            let source = Source {
                max_backdate: max_backdate.map(Interval::from),
                ..Source::new(name)
            };
            create("cdp.create_source()", source)
        })
        .or_raise();
}

/// Changes a source. A NULL argument leaves the attribute as it is; `reset` names those to set back
/// to their defaults.
///
/// # Errors
/// 42704 if it does not exist; 22023 if an argument is not valid.
#[pg_extern(volatile, parallel_unsafe)]
#[search_path(pg_catalog, pg_temp)]
fn alter_source(
    name: Option<&str>,
    max_backdate: default!(Option<pgrx::datum::Interval>, "NULL"),
    reset: default!(Option<Vec<String>>, "NULL"),
) {
    names::required(name, "name")
        .and_then(|name| {
            alter::<Source>("cdp.alter_source()", name, |source| {
                if let Some(interval) = max_backdate {
                    source.max_backdate = Some(interval.into());
                }
                self::reset(
                    source,
                    reset,
                    &[("max_backdate", |source| source.max_backdate = None)],
                )
            })
        })
        .or_raise();
}

/// Drops a source from which nothing was accepted.
///
/// # Errors
/// 42704 if it does not exist; 2BP01 if something was accepted from it, a table is mapped as it, or a
/// trait ranks it.
#[pg_extern(volatile, parallel_unsafe)]
#[search_path(pg_catalog, pg_temp)]
fn drop_source(name: Option<&str>) {
    names::required(name, "name")
        .and_then(|name| {
            change("cdp.drop_source()", |effects| {
                match kind_of(name).as_deref() {
                    None | Some("stream") => find::<Source>(name)?.drop(effects),
                    // Of a table that is mapped no more.
                    Some(_) => Source::new(name).drop(effects),
                }
            })
        })
        .or_raise();
}

impl Source {
    fn new(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            max_backdate: None,
        }
    }
}

/// The kind of the source of that name.
fn kind_of(name: &str) -> Option<String> {
    sql::one("SELECT kind FROM cdp.sources WHERE name = $1", args![name])
}

impl Declared for Source {
    const KIND: &'static str = "source";
    const SECTION: &'static str = "sources";
    const ALTER: &'static str = "cdp.alter_source()";
    const KEYS: &'static [&'static str] = &["name", "max_backdate"];

    fn name(&self) -> &str {
        &self.name
    }

    fn attributes(&self) -> Map<String, Value> {
        let interval = self.max_backdate.map(|interval| interval.to_string());
        interval
            .map(|interval| ("max_backdate".to_owned(), Value::from(interval)))
            .into_iter()
            .collect()
    }

    fn read(name: String, object: &Object) -> Result<Self> {
        let max_backdate = object.maybe("max_backdate", |node| {
            Interval::parse(&node.text()?).map_err(|error| Error {
                message: format!("{}: {}", node.path, error.message),
                code: PgSqlErrorCode::ERRCODE_INVALID_PARAMETER_VALUE,
                ..error
            })
        })?;
        Ok(Self { name, max_backdate })
    }

    fn all(reading: Reading) -> Vec<Self> {
        let sql = "SELECT name, max_backdate FROM cdp.sources WHERE kind = 'stream' \
                   ORDER BY name COLLATE \"C\"";
        reading.rows(sql, args![], |row| Self {
            name: row.want(1),
            max_backdate: row.get::<pgrx::datum::Interval>(2).map(Interval::from),
        })
    }

    fn check(&self) -> Outcome<()> {
        names::check(Self::KIND, &self.name).map_err(|error| Fault::of("name", error))?;
        match self.max_backdate {
            Some(interval) if interval.is_negative() => {
                let error = Error::invalid(format!("max_backdate is negative: {interval}"));
                Err(Fault::of("max_backdate", error))
            }
            _ => Ok(()),
        }
    }

    fn create(&self, _effects: &mut Effects) -> Outcome<()> {
        if kind_of(&self.name).is_some() {
            let error = Error::duplicate(format!("source \"{}\" is a mapped table", self.name))
                .hint("Give the source of messages a name of its own.");
            return Err(Fault::of("name", error));
        }
        sql::run(
            "INSERT INTO cdp.sources (name, max_backdate) VALUES ($1, $2::pg_catalog.interval)",
            args![
                self.name.as_str(),
                self.max_backdate.map(|interval| interval.to_string()),
            ],
        );
        Ok(())
    }

    fn alter(&self, _old: &Self, effects: &mut Effects) -> Outcome<()> {
        effects.evidence = true;
        sql::run(
            "UPDATE cdp.sources SET max_backdate = $2::pg_catalog.interval WHERE name = $1",
            args![
                self.name.as_str(),
                self.max_backdate.map(|interval| interval.to_string()),
            ],
        );
        Ok(())
    }

    fn drop(&self, _effects: &mut Effects) -> Outcome<()> {
        let name = self.name.as_str();
        let in_the_way = sql::one::<String>(
            include_str!("../../sql/config/source_in_use.sql"),
            args![name],
        );
        if let Some(what) = in_the_way {
            let hint = match what.as_str() {
                "a table is mapped as it" => "Run cdp.unmap_table() first.",
                "a trait ranks it" => "Take it out of the trait's source_priority first.",
                _ => {
                    "A source stays as long as what was accepted from it. One that sends nothing \
                     does no harm."
                }
            };
            return Err(Error::new(
                PgSqlErrorCode::ERRCODE_DEPENDENT_OBJECTS_STILL_EXIST,
                format!("cannot drop source \"{name}\": {what}"),
            )
            .hint(hint)
            .into());
        }
        sql::run(
            "DELETE FROM cdp.identifier_types t USING cdp.sources s \
              WHERE s.name = $1 AND t.record_source_id = s.source_id",
            args![name],
        );
        sql::run("DELETE FROM cdp.sources WHERE name = $1", args![name]);
        Ok(())
    }
}
