//! The SQL face: `cdp.map_table`, `cdp.unmap_table`, `cdp.poll`.

use cdp_engine::mapping::{Kind, Mapping, MappingError};
use pgrx::datum::Interval;
use pgrx::prelude::*;
use serde_json::Value;

use crate::args;
use crate::install;
use crate::pg::error::OrRaise;
use crate::pg::{Error, Result, role, sql, transaction};

use super::relation::Relation;
use super::trigger::{self, Captured};
use super::{columns, inbox, poll, poll_stored, stored};

/// The priority of records among types of identifiers: below all others.
const RECORD_PRIORITY: i32 = 1_000_000;

/// How changes are captured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Capture {
    Trigger,
    Poll,
}

/// What is to be mapped.
pub struct Request<'a> {
    /// The source's name.
    pub source: &'a str,
    /// The table.
    pub relation: pg_sys::Oid,
    /// What its columns mean.
    pub mapping: &'a Value,
    /// `trigger` or `poll`.
    pub capture: &'a str,
    /// For polling: the column that grows with every change.
    pub watermark: Option<&'a str>,
    /// For polling: the time between polls.
    pub poll_every: Interval,
    /// For polling: the time between comparisons of all rows.
    pub compare_every: Interval,
    /// For polling: how far below the watermark a poll reads.
    pub overlap: Option<Interval>,
}

/// Maps an existing table as a source: of records (a CRM's contacts) or of events (orders). Takes
/// over the rows that are there and captures every change from then on. Returns how many rows were
/// queued.
///
/// By triggers, it needs a member of `cdp_owner` who owns the table, and locks the table against
/// writes (SHARE ROW EXCLUSIVE) until the transaction ends. By polling, the owner of a relation, or
/// one whose owner granted SELECT to `cdp_owner`.
///
/// # Errors
/// 22023 for a fault in the mapping, with its path; 42710 if the source is mapped or a stream; 42501
/// if the caller may not; 42809 if the relation cannot be captured so.
#[pg_extern(
    volatile,
    parallel_unsafe,
    sql = r#"
CREATE FUNCTION cdp."map_table"(
    "source" text, "relation" regclass, "mapping" jsonb, "capture" text DEFAULT 'trigger',
    "watermark" text DEFAULT NULL, "poll_every" interval DEFAULT '10 seconds',
    "compare_every" interval DEFAULT '1 hour', "overlap" interval DEFAULT NULL
) RETURNS bigint
VOLATILE PARALLEL UNSAFE SET search_path TO pg_catalog, pg_temp
LANGUAGE c AS 'MODULE_PATHNAME', '@FUNCTION_NAME@';
"#
)]
#[allow(clippy::too_many_arguments)]
fn map_table(
    source: Option<&str>,
    relation: Option<pg_sys::Oid>,
    mapping: Option<pgrx::JsonB>,
    capture: Option<&str>,
    watermark: Option<&str>,
    poll_every: Option<Interval>,
    compare_every: Option<Interval>,
    overlap: Option<Interval>,
) -> i64 {
    let wanted = |name: &str| Error::invalid(format!("{name} must not be NULL"));
    let request = || {
        let mapping = mapping.as_ref().ok_or_else(|| wanted("mapping"))?;
        map(&Request {
            source: source.ok_or_else(|| wanted("source"))?,
            relation: relation.ok_or_else(|| wanted("relation"))?,
            mapping: &mapping.0,
            capture: capture.ok_or_else(|| wanted("capture"))?,
            watermark,
            poll_every: poll_every.ok_or_else(|| wanted("poll_every"))?,
            compare_every: compare_every.ok_or_else(|| wanted("compare_every"))?,
            overlap,
        })
    };
    request().or_raise()
}

/// Ends the capture of a mapped source. What was captured stays; `withdraw` takes it all back, as if
/// every row were deleted. The source can be mapped again.
///
/// # Errors
/// 42704 if no source of that name is mapped; 42501 if the caller may not drop its triggers.
#[pg_extern(volatile, parallel_unsafe)]
#[search_path(pg_catalog, pg_temp)]
fn unmap_table(source: &str, withdraw: default!(bool, false)) {
    unmap(source, withdraw).or_raise();
}

/// Polls one source, or all that are polled, now and not when they are due. Returns how many rows
/// were queued.
///
/// # Errors
/// 42704 if no source of that name is polled; what stopped the poll of a named source.
#[pg_extern(volatile, parallel_unsafe)]
#[search_path(pg_catalog, pg_temp)]
fn poll(source: default!(Option<&str>, "NULL")) -> i64 {
    poll_now(source).or_raise()
}

/// Takes up at once what the worker takes up every minute: partitions that came or went, columns that
/// were renamed, triggers that were lost. Returns how many captures were queued.
///
/// # Errors
/// 42501 if the caller is no member of `cdp_owner`.
#[pg_extern(volatile, parallel_unsafe)]
#[search_path(pg_catalog, pg_temp)]
fn refresh_mappings() -> i64 {
    let refreshed = transaction::require_read_committed("cdp.refresh_mappings()")
        .and_then(|()| role::as_owner(install::require_tables))
        .and_then(|()| super::maintain());
    i64::try_from(refreshed.or_raise()).unwrap_or(i64::MAX)
}

fn poll_now(source: Option<&str>) -> Result<i64> {
    poll::require_snapshots()?;
    role::as_owner(|| {
        install::require_tables()?;
        let ids = sql::rows(
            "SELECT m.source_id FROM cdp.mappings m JOIN cdp.sources s USING (source_id) \
             WHERE m.capture = 'poll' AND ($1 IS NULL OR s.name = $1) ORDER BY 1",
            args![source],
            |row| row.want::<i32>(1),
        );
        if let (Some(name), true) = (source, ids.is_empty()) {
            return Err(Error::unknown(format!("no source \"{name}\" is polled")));
        }
        let mut written = 0;
        for id in ids {
            match super::poll_one(id) {
                Ok(captures) => written += captures,
                Err(error) if source.is_some() => return Err(error),
                Err(error) => pgrx::warning!("{error}"),
            }
        }
        Ok(i64::try_from(written).unwrap_or(i64::MAX))
    })
}

/// Maps a table; see [`map_table`].
pub fn map(request: &Request) -> Result<i64> {
    transaction::require_read_committed("cdp.map_table()")?;
    role::as_owner(install::require_tables)?;
    let capture = match request.capture {
        "trigger" => Capture::Trigger,
        "poll" => Capture::Poll,
        other => {
            return Err(Error::invalid(format!("capture \"{other}\" is not known"))
                .hint("It is trigger or poll."));
        }
    };
    if request.source.is_empty() || request.source.len() > 255 {
        return Err(Error::invalid("the name of a source has 1 to 255 bytes"));
    }
    let relation = Relation::find(request.relation).ok_or_else(|| {
        Error::new(
            PgSqlErrorCode::ERRCODE_WRONG_OBJECT_TYPE,
            "this is no table or view",
        )
    })?;
    require_capturable(&relation, capture)?;
    let mapping = checked_mapping(request.mapping, &relation)?;
    require_watermark(request, capture, &relation)?;
    if !relation.has_unique_key(&mapping.key) {
        pgrx::warning!(
            "no unique index of {} covers its key ({}): of rows with one key only the last counts",
            relation.name,
            mapping.key.join(", ")
        );
    }
    let (source_id, was_mapped) = role::as_owner(|| reserve_source(request.source, mapping.kind))?;

    let caller = role::current();
    // The table before the pipeline: waiting for its writers must not keep the pipeline waiting.
    let captured = Captured {
        source_id,
        source: request.source.to_owned(),
    };
    let granted = match capture {
        Capture::Trigger => {
            relation.require_ownership("capture its changes")?;
            let plain = (relation.kind != 'p').then_some(relation.name.as_str());
            let part = match plain {
                Some(_) => Some(role::as_owner(|| {
                    Ok(trigger::add_part(source_id, &relation))
                })?),
                None => None,
            };
            captured.create(&relation, part.as_deref());
            false
        }
        Capture::Poll => {
            role::as_owner(|| Ok(trigger::add_part(source_id, &relation)))?;
            grant_select(&relation)?
        }
    };
    role::as_owner(|| {
        install::lock_pipeline();
        // Both may have changed before the locks were there.
        let relation = Relation::find(request.relation)
            .ok_or_else(|| Error::unknown("the table was dropped"))?;
        let mapping = checked_mapping(request.mapping, &relation)?;
        store(request, &captured, &mapping, &relation, granted, caller)?;
        if was_mapped {
            // Rows that were captured then may be gone since.
            inbox::append_truncate(request.source, inbox::EVERY_PART);
        }
        match capture {
            Capture::Trigger => take_over(&captured, &relation),
            Capture::Poll => {
                let stored = stored("WHERE source_id = $1 FOR UPDATE OF m", args![source_id]);
                let stored = stored
                    .first()
                    .ok_or_else(|| Error::internal("no mapping"))?;
                poll_stored(stored, true).map(|n| i64::try_from(n).unwrap_or(i64::MAX))
            }
        }
    })
}

/// Checks what a mapping says of a table, without mapping it.
pub fn check(relation: pg_sys::Oid, mapping: &Value) -> Result<()> {
    let relation = Relation::find(relation).ok_or_else(|| {
        Error::new(
            PgSqlErrorCode::ERRCODE_WRONG_OBJECT_TYPE,
            "this is no table or view",
        )
    })?;
    checked_mapping(mapping, &relation).map(|_| ())
}

fn require_capturable(relation: &Relation, capture: Capture) -> Result<()> {
    let wrong = |message: String| Error::new(PgSqlErrorCode::ERRCODE_WRONG_OBJECT_TYPE, message);
    let name = &relation.name;
    if relation.temporary {
        return Err(wrong(format!(
            "{name} is temporary, so no other session can read it"
        )));
    }
    if matches!(
        relation.schema.as_str(),
        "cdp" | "pg_catalog" | "information_schema"
    ) {
        return Err(wrong(format!(
            "{name} is a table of {}",
            match relation.schema.as_str() {
                "cdp" => "pg_cdp itself",
                _ => "PostgreSQL itself",
            }
        )));
    }
    if capture == Capture::Poll {
        return Ok(());
    }
    let hint = "Map it with capture => 'poll', and a watermark if it has one.";
    match relation.kind {
        'r' => Ok(()),
        'p' => {
            let mut leaves = relation.leaves().into_iter().filter_map(Relation::find);
            match leaves.find(|leaf| leaf.kind == 'f') {
                None => Ok(()),
                Some(leaf) => Err(wrong(format!("partition {} is a foreign table", leaf.name))
                    .detail("Remote changes fire no triggers here.")
                    .hint(hint)),
            }
        }
        'f' => Err(wrong(format!("{name} is a foreign table"))
            .detail("Remote changes fire no triggers here.")
            .hint(hint)),
        _ => Err(wrong(format!("{name} is a view"))
            .detail("Changes of the tables below fire no triggers of a view.")
            .hint(hint)),
    }
}

fn checked_mapping(document: &Value, relation: &Relation) -> Result<Mapping> {
    let report = |fault: MappingError| {
        let place = if fault.path.is_empty() {
            String::new()
        } else {
            format!(" at {}", fault.path)
        };
        let error = Error::invalid(format!("invalid mapping{place}: {}", fault.message));
        match fault.hint {
            Some(hint) => error.hint(hint),
            None => error,
        }
    };
    let mut mapping = Mapping::parse(document).map_err(report)?;
    if mapping.key.is_empty() {
        mapping.key.clone_from(&relation.primary_key);
    }
    let types = role::as_owner(|| {
        Ok(sql::rows(
            "SELECT name FROM cdp.identifier_types WHERE record_source_id IS NULL ORDER BY priority",
            args![],
            |row| row.want::<String>(1),
        ))
    })?;
    mapping
        .check(&relation.table_columns(), &types)
        .map_err(report)?;
    Ok(mapping)
}

fn require_watermark(request: &Request, capture: Capture, relation: &Relation) -> Result<()> {
    let Some(watermark) = request.watermark else {
        return Ok(());
    };
    if capture == Capture::Trigger {
        return Err(Error::invalid(
            "a watermark is of use only with capture => 'poll'",
        ));
    }
    let column = relation.column(watermark).ok_or_else(|| {
        Error::invalid(format!("watermark: column \"{watermark}\" does not exist")).hint(format!(
            "The columns are: {}.",
            relation.column_names().join(", ")
        ))
    })?;
    if !poll::WATERMARK_TYPES.contains(&column.type_name.as_str()) {
        return Err(Error::invalid(format!(
            "watermark: column \"{watermark}\" is of type {}",
            column.type_name
        ))
        .hint("A watermark is a time or a whole number that grows with every change."));
    }
    Ok(())
}

/// The id of the source, and whether it was mapped before. As the owner role.
fn reserve_source(name: &str, kind: Kind) -> Result<(i32, bool)> {
    let known = sql::first(
        "SELECT s.source_id, s.kind, m.source_id IS NOT NULL \
         FROM cdp.sources s LEFT JOIN cdp.mappings m USING (source_id) WHERE s.name = $1",
        args![name],
        |row| {
            (
                row.want::<i32>(1),
                row.want::<String>(2),
                row.want::<bool>(3),
            )
        },
    );
    match known {
        None => sql::one::<i32>(
            "INSERT INTO cdp.sources (name, kind) VALUES ($1, $2) RETURNING source_id",
            args![name, kind.as_str()],
        )
        .map(|id| (id, false))
        .ok_or_else(|| Error::internal("a source got no id")),
        Some((_, _, true)) => Err(
            Error::duplicate(format!("source \"{name}\" is mapped already"))
                .hint("Run cdp.unmap_table() first, which keeps what was captured."),
        ),
        Some((id, known, false)) if known == kind.as_str() => Ok((id, true)),
        Some((_, known, false)) => Err(Error::duplicate(format!(
            "source \"{name}\" is a source of kind \"{known}\""
        ))
        .hint(format!(
            "A mapping of {} needs a source of its own.",
            kind.as_str()
        ))),
    }
}

/// Lets `cdp_owner` read the relation, if it may not yet; whether it was granted here.
fn grant_select(relation: &Relation) -> Result<bool> {
    if poll::require_consent(relation).is_ok() {
        return Ok(false);
    }
    if !relation.row_security {
        relation.require_ownership("let pg_cdp poll it")?;
        sql::run(
            &format!("GRANT SELECT ON TABLE {} TO {}", relation.name, role::OWNER),
            args![],
        );
    }
    poll::require_consent(relation)?;
    Ok(true)
}

/// As the owner role, under the pipeline lock.
fn store(
    request: &Request,
    captured: &Captured,
    mapping: &Mapping,
    relation: &Relation,
    granted: bool,
    mapped_by: pg_sys::Oid,
) -> Result<()> {
    let id = captured.source_id;
    if mapping.kind == Kind::Records {
        let clash = sql::one::<bool>(
            "SELECT true FROM cdp.identifier_types \
             WHERE name = 'record:' || $1 AND record_source_id IS DISTINCT FROM $2",
            args![request.source, id],
        );
        if clash == Some(true) {
            return Err(Error::duplicate(format!(
                "identifier type \"record:{}\" exists already",
                request.source
            ))
            .hint("Name the source otherwise, or drop that type."));
        }
        sql::run(
            "INSERT INTO cdp.identifier_types AS t \
                 (name, priority, max_per_profile, bridges, normaliser, paths, record_source_id) \
             VALUES ('record:' || $1, $2, $3, true, 'text', '{}', $4) \
             ON CONFLICT (record_source_id) DO UPDATE \
             SET max_per_profile = EXCLUDED.max_per_profile, version = t.version + 1 \
             WHERE t.max_per_profile IS DISTINCT FROM EXCLUDED.max_per_profile",
            args![request.source, RECORD_PRIORITY, mapping.max_per_profile, id],
        );
    }
    let default_overlap = if relation.kind == 'f' {
        "10 minutes"
    } else {
        "1 minute"
    };
    sql::run(
        "INSERT INTO cdp.mappings (source_id, relation, key_columns, mapping, capture, watermark, \
                                   owner, poll_every, compare_every, overlap, column_state, poll_state) \
         VALUES ($1, $2::oid::regclass, $3, $4::text::jsonb, $5, $6, $13::oid::regrole, $7, $8, \
                 coalesce($9, $10::text::interval), $11::text::jsonb, \
                 jsonb_build_object('granted', $12))",
        args![
            id,
            relation.oid,
            mapping.key.clone(),
            mapping.to_json().to_string(),
            request.capture,
            request.watermark,
            request.poll_every,
            request.compare_every,
            request.overlap,
            default_overlap,
            columns::state(mapping, relation).to_string(),
            granted,
            mapped_by
        ],
    );
    Ok(())
}

/// Queues what the table holds. As the owner role.
fn take_over(captured: &Captured, relation: &Relation) -> Result<i64> {
    let mut written = 0;
    for leaf in relation.leaves().into_iter().filter_map(Relation::find) {
        let part = trigger::add_part(captured.source_id, &leaf);
        written += inbox::backfill(&captured.source, &part, &leaf)?;
    }
    Ok(written)
}

/// Ends the capture of a source; see [`unmap_table`].
pub fn unmap(source: &str, withdraw: bool) -> Result<()> {
    transaction::require_read_committed("cdp.unmap_table()")?;
    let found = role::as_owner(|| {
        install::require_tables()?;
        Ok(stored("WHERE s.name = $1", args![source]))
    })?;
    let stored = found.first().ok_or_else(|| {
        Error::unknown(format!("no source \"{source}\" is mapped"))
            .hint("See cdp.mappings for those that are.")
    })?;
    if let Some(relation) = Relation::find(stored.relation) {
        if stored.capture == "trigger" {
            relation.require_ownership("drop its triggers")?;
            stored.captured().drop(&relation);
        } else if stored.poll_state.get("granted") == Some(&Value::Bool(true))
            && role::has_rights_of(relation.owner)
        {
            let revoke = format!(
                "REVOKE SELECT ON TABLE {} FROM {}",
                relation.name,
                role::OWNER
            );
            sql::run(&revoke, args![]);
        }
    }
    role::as_owner(|| {
        install::lock_pipeline();
        if withdraw {
            inbox::append_truncate(source, inbox::EVERY_PART);
        }
        for table in ["mappings", "mapping_parts", "polled_keys"] {
            let delete = format!("DELETE FROM cdp.{table} WHERE source_id = $1");
            sql::run(&delete, args![stored.source_id]);
        }
        Ok(())
    })
}
