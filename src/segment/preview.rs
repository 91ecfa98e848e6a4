//! Looking at a segment from SQL: preview, refresh.

use pgrx::prelude::*;

use crate::args;
use crate::pg::error::OrRaise;
use crate::pg::{Error, role, sql, time, transaction};

/// Who a rule would take in now, at most `limit` profiles; nothing is written.
///
/// # Errors
/// 42601 where the rule is wrong, with the place and what would be right.
#[pg_extern(volatile, parallel_unsafe)]
#[search_path(pg_catalog, pg_temp)]
fn preview_segment(
    rule: &str,
    limit: default!(i32, 100),
) -> TableIterator<'static, (name!(profile_id, i64), name!(members, i64))> {
    let found = || {
        crate::install::require_tables()?;
        let compiled = super::compile(rule)?;
        let statement = format!(
            "SELECT p.profile_id, count(*) OVER () FROM cdp.profile_rows p WHERE {} \
             ORDER BY p.profile_id LIMIT $2",
            compiled.sql
        );
        Ok(sql::rows(
            &statement,
            args![time::to_pg(time::now()), limit],
            |row| (row.want::<i64>(1), row.want::<i64>(2)),
        ))
    };
    let found = found().or_raise();
    TableIterator::new(found)
}

/// Evaluates a segment for everybody: who entered, who left, how many are in it.
///
/// # Errors
/// 42704 if there is no such segment.
#[pg_extern(volatile, parallel_unsafe)]
#[search_path(pg_catalog, pg_temp)]
fn refresh_segment(
    name: &str,
) -> TableIterator<'static, (name!(entered, i64), name!(left, i64), name!(members, i64))> {
    let done = role::as_owner(|| {
        crate::install::require_tables()?;
        transaction::require_read_committed("cdp.refresh_segment()")?;
        crate::install::lock_pipeline();
        let id = sql::one::<i32>(
            "SELECT segment_id FROM cdp.segments WHERE name = $1",
            args![name],
        )
        .ok_or_else(|| {
            Error::unknown(format!("no segment \"{name}\""))
                .hint("See SELECT name FROM cdp.segments;")
        })?;
        super::refresh(id)
    })
    .or_raise();
    TableIterator::once((done.entered, done.left, done.members))
}
