//! Mapped tables as the document has them. What a mapping means, and the functions that declare one,
//! are in the area of mapping.

use cdp_engine::mapping::Mapping as Meaning;
use pgrx::pg_sys::Oid;
use pgrx::prelude::*;
use serde_json::{Map, Value};

use super::Reading;
use super::declared::Declared;
use super::effects::Effects;
use super::fault::{Fault, Outcome};
use super::interval::Interval;
use super::node::{Node, Object};
use crate::args;
use crate::mapping::{self, Request};
use crate::pg::{Error, Result, role, sql};

/// A mapped table. Its name is that of the source.
#[derive(Debug, Clone, PartialEq)]
pub struct Mapping {
    source: String,
    relation: String,
    mapping: Value,
    capture: String,
    watermark: Option<String>,
    poll_every: Interval,
    compare_every: Interval,
    overlap: Interval,
}

const DEFAULT_CAPTURE: &str = "trigger";

/// The defaults of `cdp.map_table()`. The overlap of foreign tables is another.
const DEFAULT_POLL: Interval = Interval::seconds(10);
const DEFAULT_COMPARE: Interval = Interval::seconds(3_600);
const DEFAULT_OVERLAP: Interval = Interval::seconds(60);

/// A source whose mapping shows identifiers of that type.
pub fn that_show(identifier_type: &str) -> Option<String> {
    sql::one(
        "SELECT s.name FROM cdp.mappings m JOIN cdp.sources s USING (source_id) \
          WHERE m.mapping -> 'identifiers' ? $1 ORDER BY s.name LIMIT 1",
        args![identifier_type],
    )
}

/// A table by its name with its schema, quoted as PostgreSQL quotes it: its key and primary key.
/// Needs no rights on the schema.
fn relation(name: &str) -> Option<(Oid, Vec<String>)> {
    sql::read_first(
        include_str!("../../sql/config/relation.sql"),
        args![name],
        |row| (row.want(1), row.want(2)),
    )
}

impl Mapping {
    fn require_relation(&self) -> Outcome<Oid> {
        relation(&self.relation)
            .map(|(oid, _)| oid)
            .ok_or_else(|| Fault::of("relation", unknown_relation(&self.relation)))
    }

    /// As whoever applies the document, who must own the table.
    fn map(&self, effects: &Effects) -> Outcome<()> {
        let oid = self.require_relation()?;
        role::as_user(effects.caller, "pg_catalog, pg_temp", || {
            if !effects.keeps() {
                return mapping::check(oid, &self.mapping);
            }
            mapping::map(&Request {
                source: &self.source,
                relation: oid,
                mapping: &self.mapping,
                capture: &self.capture,
                watermark: self.watermark.as_deref(),
                poll_every: self.poll_every.to_pg()?,
                compare_every: self.compare_every.to_pg()?,
                overlap: Some(self.overlap.to_pg()?),
            })?;
            Ok(())
        })?;
        if !effects.keeps() {
            // For what else the document says of the source.
            sql::run(
                "INSERT INTO cdp.sources (name) VALUES ($1) ON CONFLICT DO NOTHING",
                args![self.source.as_str()],
            );
        }
        Ok(())
    }

    fn unmap(&self, effects: &Effects) -> Outcome<()> {
        if !effects.keeps() {
            sql::run(
                "DELETE FROM cdp.mappings m USING cdp.sources s \
                  WHERE s.name = $1 AND m.source_id = s.source_id",
                args![self.source.as_str()],
            );
            return Ok(());
        }
        role::as_user(effects.caller, "pg_catalog, pg_temp", || {
            mapping::unmap(&self.source, false)
        })?;
        Ok(())
    }
}

fn unknown_relation(name: &str) -> Error {
    Error::unknown(format!("relation {name} does not exist"))
        .hint("Write it with its schema, and quoted where it must be, such as public.contacts.")
}

impl Declared for Mapping {
    const KIND: &'static str = "mapping";
    const SECTION: &'static str = "mappings";
    const ALTER: &'static str = "cdp.map_table()";
    const KEYS: &'static [&'static str] = &[
        "source",
        "relation",
        "mapping",
        "capture",
        "watermark",
        "poll_every",
        "compare_every",
        "overlap",
    ];
    const NAME_KEY: &'static str = "source";

    fn name(&self) -> &str {
        &self.source
    }

    fn attributes(&self) -> Map<String, Value> {
        let mut out = Map::new();
        let mut put = |key: &str, value: Value| {
            out.insert(key.to_owned(), value);
        };
        put("relation", Value::from(self.relation.as_str()));
        put("mapping", self.mapping.clone());
        if self.capture != DEFAULT_CAPTURE {
            put("capture", Value::from(self.capture.as_str()));
        }
        if let Some(watermark) = &self.watermark {
            put("watermark", Value::from(watermark.as_str()));
        }
        for (key, interval, default) in [
            ("poll_every", self.poll_every, DEFAULT_POLL),
            ("compare_every", self.compare_every, DEFAULT_COMPARE),
            ("overlap", self.overlap, DEFAULT_OVERLAP),
        ] {
            if interval != default {
                put(key, Value::from(interval.to_string()));
            }
        }
        out
    }

    fn read(name: String, object: &Object) -> Result<Self> {
        let interval = |node: &Node| {
            Interval::parse(&node.text()?).map_err(|error| Error {
                message: format!("{}: {}", node.path, error.message),
                code: PgSqlErrorCode::ERRCODE_INVALID_PARAMETER_VALUE,
                ..error
            })
        };
        let relation_node = object.want("relation")?;
        let relation_name = relation_node.text()?;
        let Some((_, primary_key)) = relation(&relation_name) else {
            let error = unknown_relation(&relation_name);
            return Err(Fault::new(error).in_document(&relation_node.path));
        };
        let node = object.want("mapping")?;
        // As it is stored: in its long form, with the key that it leaves to the table.
        let mut meaning = Meaning::parse(&node.value()).map_err(|fault| {
            let place = match fault.path.is_empty() {
                true => node.path.clone(),
                false => format!("{}.{}", node.path, fault.path),
            };
            let error = Error::invalid(format!("{place}: {}", fault.message));
            match fault.hint {
                Some(hint) => error.hint(hint),
                None => error,
            }
        })?;
        if meaning.key.is_empty() {
            meaning.key = primary_key;
        }
        let capture = object.or("capture", DEFAULT_CAPTURE.to_owned(), Node::text)?;
        Ok(Self {
            source: name,
            relation: relation_name,
            mapping: meaning.to_json(),
            capture,
            watermark: object.maybe("watermark", Node::text)?,
            poll_every: object.or("poll_every", DEFAULT_POLL, interval)?,
            compare_every: object.or("compare_every", DEFAULT_COMPARE, interval)?,
            overlap: object.or("overlap", DEFAULT_OVERLAP, interval)?,
        })
    }

    fn all(reading: Reading) -> Vec<Self> {
        reading.rows(
            include_str!("../../sql/config/mappings.sql"),
            args![],
            |row| Self {
                source: row.want(1),
                relation: row.want(2),
                mapping: row.want::<pgrx::JsonB>(3).0,
                capture: row.want(4),
                watermark: row.get(5),
                poll_every: Interval::from(row.want::<pgrx::datum::Interval>(6)),
                compare_every: Interval::from(row.want::<pgrx::datum::Interval>(7)),
                overlap: Interval::from(row.want::<pgrx::datum::Interval>(8)),
            },
        )
    }

    fn check(&self) -> Outcome<()> {
        super::names::check("source", &self.source).map_err(|error| Fault::of("source", error))?;
        match self.capture.as_str() {
            "trigger" | "poll" => Ok(()),
            other => {
                let error = Error::invalid(format!("capture \"{other}\" is not known"))
                    .hint("It is trigger or poll.");
                Err(Fault::of("capture", error))
            }
        }
    }

    fn create(&self, effects: &mut Effects) -> Outcome<()> {
        self.map(effects)
    }

    /// The table is taken over anew.
    fn alter(&self, old: &Self, effects: &mut Effects) -> Outcome<()> {
        old.unmap(effects)?;
        self.map(effects)
    }

    fn drop(&self, effects: &mut Effects) -> Outcome<()> {
        self.unmap(effects)
    }
}
