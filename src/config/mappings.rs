//! Mapped tables as the document has them. What a mapping means, and the functions that declare one,
//! are in the area of mappings.

use pgrx::prelude::*;
use serde_json::{Map, Value};

use super::Reading;
use super::declared::Declared;
use super::effects::Effects;
use super::fault::Outcome;
use super::interval::Interval;
use super::node::{Node, Object};
use crate::args;
use crate::pg::{Error, Result, sql};

/// A mapped table.
#[derive(Debug, Clone, PartialEq)]
pub struct Mapping {
    source: String,
    relation: String,
    key: Vec<String>,
    mapping: Value,
    capture: String,
    watermark: Option<String>,
    poll_every: Option<String>,
    compare_every: Option<String>,
}

const DEFAULT_CAPTURE: &str = "trigger";
const DEFAULT_POLL: &str = "10 seconds";
const DEFAULT_COMPARE: &str = "1 hour";

/// A source whose mapping shows identifiers of that type.
pub fn that_show(identifier_type: &str) -> Option<String> {
    sql::one(
        "SELECT s.name FROM cdp.mappings m JOIN cdp.sources s USING (source_id) \
          WHERE m.mapping ? $1 ORDER BY s.name LIMIT 1",
        args![identifier_type],
    )
}

impl Declared for Mapping {
    const KIND: &'static str = "mapping";
    const SECTION: &'static str = "mappings";
    const ALTER: &'static str = "cdp.map_table()";
    const KEYS: &'static [&'static str] = &[
        "source",
        "relation",
        "key",
        "mapping",
        "capture",
        "watermark",
        "poll_every",
        "compare_every",
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
        put("key", Value::from(self.key.as_slice()));
        put("mapping", self.mapping.clone());
        if self.capture != DEFAULT_CAPTURE {
            put("capture", Value::from(self.capture.as_str()));
        }
        for (key, value) in [
            ("watermark", &self.watermark),
            ("poll_every", &self.poll_every),
            ("compare_every", &self.compare_every),
        ] {
            if let Some(value) = value {
                put(key, Value::from(value.as_str()));
            }
        }
        out
    }

    fn read(name: String, object: &Object) -> Result<Self> {
        let interval = |node: &Node| {
            let interval = Interval::parse(&node.text()?).map_err(|error| Error {
                message: format!("{}: {}", node.path, error.message),
                code: PgSqlErrorCode::ERRCODE_INVALID_PARAMETER_VALUE,
                ..error
            })?;
            Ok(interval.to_string())
        };
        let but = |text: Option<String>, default: &str| text.filter(|text| text != default);
        Ok(Self {
            source: name,
            relation: object.want("relation")?.text()?,
            key: object.want("key")?.texts()?,
            mapping: object.want("mapping")?.value(),
            capture: object.or("capture", DEFAULT_CAPTURE.to_owned(), Node::text)?,
            watermark: object.maybe("watermark", Node::text)?,
            poll_every: but(object.maybe("poll_every", interval)?, DEFAULT_POLL),
            compare_every: but(object.maybe("compare_every", interval)?, DEFAULT_COMPARE),
        })
    }

    fn all(reading: Reading) -> Vec<Self> {
        let sql = "SELECT s.name, m.relation::text, m.key_columns, m.mapping, m.capture, m.watermark, \
                          m.poll_every, m.compare_every \
                   FROM cdp.mappings m JOIN cdp.sources s USING (source_id) \
                   ORDER BY s.name COLLATE \"C\"";
        let shown = |interval: pgrx::datum::Interval, default: &str| {
            Some(Interval::from(interval).to_string()).filter(|text| text != default)
        };
        reading.rows(sql, args![], |row| Self {
            source: row.want(1),
            relation: row.want(2),
            key: row.want(3),
            mapping: row.want::<pgrx::JsonB>(4).0,
            capture: row.want(5),
            watermark: row.get(6),
            poll_every: shown(row.want(7), DEFAULT_POLL),
            compare_every: shown(row.want(8), DEFAULT_COMPARE),
        })
    }

    fn check(&self) -> Outcome<()> {
        Ok(())
    }

    fn create(&self, _effects: &mut Effects) -> Outcome<()> {
        Err(by_function("declared", "cdp.map_table()").into())
    }

    fn alter(&self, _old: &Self, _effects: &mut Effects) -> Outcome<()> {
        Err(by_function("changed", "cdp.map_table()").into())
    }

    fn drop(&self, _effects: &mut Effects) -> Outcome<()> {
        Err(by_function("dropped", "cdp.unmap_table()").into())
    }
}

fn by_function(what: &str, function: &str) -> Error {
    Error::new(
        PgSqlErrorCode::ERRCODE_FEATURE_NOT_SUPPORTED,
        format!("a mapping cannot be {what} by a document"),
    )
    .hint(format!("Run {function}."))
}
