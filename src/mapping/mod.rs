//! Mapping: existing tables as sources, and the capture of their changes into the inbox.
//!
//! What the columns mean is the engine's ([`cdp_engine::mapping`]); here is what it takes of the
//! database: [`trigger`] and [`poll`] capture, [`columns`] follows names, [`functions`] are the SQL face.
//!
//! Rights. A mapping is made by somebody who may act for the table's owner and for `cdp_owner`. Later
//! nobody relies on what the row in `cdp.mappings` says of that: the trigger on the table, or SELECT
//! granted to `cdp_owner`, is the proof, and the relation is read as its own owner, so that a
//! function in a view has its author's rights and no others.

mod columns;
mod functions;
mod inbox;
mod poll;
mod reader;
mod relation;
mod trigger;

use cdp_engine::mapping::{self as meaning, Kind, Mapping};
use cdp_engine::message::Rejection;
use cdp_engine::record::CapturedRow;
use pgrx::pg_sys;
use serde_json::Value;

use crate::args;
use crate::pg::{Error, Result, role, sql, time, transaction};
use relation::Relation;
use trigger::Captured;

pub use cdp_engine::mapping::Interpreted;
pub use functions::{Request, check, map, unmap};

/// A mapping in force.
#[derive(Debug, Clone)]
pub struct LoadedMapping {
    /// The source's id.
    pub source_id: i32,
    /// The source's name.
    pub source_name: String,
    /// What its rows are.
    pub kind: Kind,
    /// What its columns mean, with their present names.
    pub mapping: Mapping,
}

impl LoadedMapping {
    /// Whether its rows are events.
    pub fn is_events(&self) -> bool {
        self.kind == Kind::Events
    }

    /// What a captured row says; of a deleted one, no more than its key.
    pub fn interpret(&self, row: &CapturedRow) -> std::result::Result<Interpreted, Rejection> {
        meaning::interpret_row(&self.mapping, row)
    }

    /// The key of a row, whether the rest of it can be read or not.
    pub fn key(&self, row: &CapturedRow) -> Option<String> {
        meaning::row_key(&self.mapping, row)
    }

    /// The key that an updated row had before, if it was another.
    pub fn former_key(&self, row: &CapturedRow) -> Option<String> {
        meaning::former_key(&self.mapping, row)
    }
}

/// Whether a captured TRUNCATE is of every row of its source, and not of one part. No mapping is
/// needed for that: the source may be mapped no more.
pub fn is_every_part(part: &str) -> bool {
    part == inbox::EVERY_PART
}

struct Stored {
    source_id: i32,
    source: String,
    relation: pg_sys::Oid,
    mapping: Value,
    column_state: Value,
    capture: String,
    watermark: Option<String>,
    compare_every: f64,
    overlap: String,
    poll_state: Value,
}

fn stored(condition: &str, args: &crate::pg::Args) -> Vec<Stored> {
    let json = |row: &crate::pg::Row, n| {
        serde_json::from_str(&row.want::<String>(n)).unwrap_or(Value::Null)
    };
    sql::rows(
        &format!(
            "SELECT m.source_id, s.name, m.relation::oid, m.mapping::text, m.column_state::text, \
                    m.capture, m.watermark, extract(epoch FROM m.compare_every)::float8, \
                    m.overlap::text, m.poll_state::text \
             FROM cdp.mappings m JOIN cdp.sources s USING (source_id) {condition}"
        ),
        args,
        |row| Stored {
            source_id: row.want(1),
            source: row.want(2),
            relation: row.want(3),
            mapping: json(&row, 4),
            column_state: json(&row, 5),
            capture: row.want(6),
            watermark: row.get(7),
            compare_every: row.want(8),
            overlap: row.want(9),
            poll_state: json(&row, 10),
        },
    )
}

impl Stored {
    fn mapping(&self) -> Result<Mapping> {
        let mut mapping = Mapping::parse(&self.mapping).map_err(|fault| {
            Error::state(format!(
                "the mapping of source \"{}\" cannot be read",
                self.source
            ))
            .detail(fault.to_string())
            .hint("Run cdp.unmap_table() and cdp.map_table() again.")
        })?;
        if let Some(relation) = Relation::find(self.relation) {
            columns::resolve(&mut mapping, &relation, &self.column_state);
        }
        Ok(mapping)
    }

    fn captured(&self) -> Captured {
        Captured {
            source_id: self.source_id,
            source: self.source.clone(),
        }
    }
}

/// The mappings in force, to interpret captured rows by. As the owner role. Rows of one that cannot be
/// read have no mapping, and belong into the dead letters.
pub fn load() -> Result<Vec<LoadedMapping>> {
    let mut loaded = Vec::new();
    for stored in stored("ORDER BY source_id", args![]) {
        match stored.mapping() {
            Ok(mapping) => loaded.push(LoadedMapping {
                source_id: stored.source_id,
                kind: mapping.kind,
                source_name: stored.source,
                mapping,
            }),
            Err(error) => pgrx::warning!("{error}"),
        }
    }
    Ok(loaded)
}

/// Polls the sources that are due; how many captures they gave. One that fails is reported in
/// `cdp.mappings.fault` and does not stop the others. Call it outside a batch, in a transaction.
pub fn poll_due() -> Result<u64> {
    role::as_owner(|| {
        let now = time::to_pg(time::now());
        // Asked every second: without a transaction id.
        let due = sql::read_rows(
            "SELECT source_id FROM cdp.mappings WHERE capture = 'poll' \
             AND coalesce((poll_state ->> 'polled_at')::numeric / 1000000, 0) \
                 + extract(epoch FROM poll_every) <= extract(epoch FROM $1) ORDER BY source_id",
            args![now],
            |row| row.want::<i32>(1),
        );
        let mut written = 0;
        for source_id in due {
            written += poll_one(source_id).unwrap_or_default();
        }
        Ok(written)
    })
}

/// Polls one source now, unless another session does. Its failure is recorded, and returned.
fn poll_one(source_id: i32) -> Result<u64> {
    let result = transaction::in_subtransaction(|| {
        let found = stored(
            "WHERE source_id = $1 AND capture = 'poll' FOR UPDATE OF m SKIP LOCKED",
            args![source_id],
        );
        let Some(stored) = found.first() else {
            return Ok(0);
        };
        poll_stored(stored, false)
    });
    match &result {
        Ok(_) => record_health(source_id, None),
        Err(error) => {
            // A failing poll waits for its turn like any other.
            sql::run(
                "UPDATE cdp.mappings SET poll_state = poll_state \
                 || jsonb_build_object('polled_at', $2) WHERE source_id = $1",
                args![source_id, time::now()],
            );
            record_health(source_id, Some(error));
        }
    }
    result
}

fn poll_stored(stored: &Stored, compare: bool) -> Result<u64> {
    let part = sql::one::<String>(
        "SELECT part FROM cdp.mapping_parts WHERE source_id = $1",
        args![stored.source_id],
    );
    let polled = poll::Polled {
        source_id: stored.source_id,
        source: stored.source.clone(),
        mapping: stored.mapping()?,
        relation: stored.relation,
        part: part.unwrap_or_default(),
        watermark: stored.watermark.clone(),
        compare_every: stored.compare_every,
        overlap: stored.overlap.clone(),
        state: stored.poll_state.clone(),
    };
    let (written, state) = poll::poll(&polled, compare)?;
    sql::run(
        "UPDATE cdp.mappings SET poll_state = poll_state || $2::text::jsonb WHERE source_id = $1",
        args![stored.source_id, state.to_string()],
    );
    Ok(u64::try_from(written).unwrap_or_default())
}

fn record_health(source_id: i32, error: Option<&Error>) {
    let fault = error.map(|error| match &error.hint {
        Some(hint) => format!("{error}. {hint}"),
        None => error.to_string(),
    });
    sql::run(
        "UPDATE cdp.mappings SET fault = $2, \
                fault_since = CASE WHEN $2 IS NOT NULL THEN coalesce(fault_since, now()) END \
         WHERE source_id = $1 AND fault IS DISTINCT FROM $2",
        args![source_id, fault],
    );
}

/// Keeps up with what changed about mapped tables: partitions that came and went, columns that were
/// renamed, triggers that were lost. Called by the worker from time to time, outside a batch, in a
/// transaction; how many captures it gave.
pub fn maintain() -> Result<u64> {
    role::as_owner(|| {
        let mut written = 0;
        for stored in stored("ORDER BY source_id", args![]) {
            let result = transaction::in_subtransaction(|| maintain_one(&stored));
            if stored.capture == "trigger" || result.is_err() {
                record_health(stored.source_id, result.as_ref().err());
            }
            written += result.unwrap_or_default();
        }
        Ok(written)
    })
}

fn maintain_one(stored: &Stored) -> Result<u64> {
    // One session at a time: two would make the same trigger.
    sql::run(
        "SELECT FROM cdp.mappings WHERE source_id = $1 FOR UPDATE",
        args![stored.source_id],
    );
    let relation = Relation::find(stored.relation).ok_or_else(|| {
        Error::unknown("the mapped relation does not exist any more")
            .hint("Run cdp.unmap_table(); what was captured stays unless it is withdrawn.")
    })?;
    let state = columns::state(&stored.mapping()?, &relation);
    if state != stored.column_state {
        sql::run(
            "UPDATE cdp.mappings SET column_state = $2::text::jsonb WHERE source_id = $1",
            args![stored.source_id, state.to_string()],
        );
    }
    if stored.capture != "trigger" {
        return Ok(0);
    }
    let written = trigger::keep_up(&stored.captured(), &relation)?;
    Ok(u64::try_from(written).unwrap_or_default())
}
