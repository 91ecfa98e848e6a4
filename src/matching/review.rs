//! What people decide about pairs of records: words by hand like any other, of which matchers learn.

use pgrx::prelude::*;

use crate::assertion::{self, Verdict};
use crate::pg::error::OrRaise;
use crate::pg::{Error, Result};

/// Says that two records are of one person: as `cdp.link()` of them, which `cdp.undo()` undoes. Its change
/// id.
///
/// # Errors
/// 42704 for a source that is none of records; 22023 for one record twice; 22004 for NULL.
#[pg_extern(volatile, parallel_unsafe)]
#[search_path(pg_catalog, pg_temp)]
fn accept_match(
    source_a: Option<&str>,
    key_a: Option<&str>,
    source_b: Option<&str>,
    key_b: Option<&str>,
    reason: default!(Option<&str>, "NULL"),
) -> i64 {
    let ends = [(source_a, key_a), (source_b, key_b)];
    decide("cdp.accept_match()", Verdict::Linked, ends, reason).or_raise()
}

/// Says that two records are of two persons: as `cdp.unlink()` of them, which `cdp.undo()` undoes. Its change
/// id.
///
/// # Errors
/// As `cdp.accept_match()`.
#[pg_extern(volatile, parallel_unsafe)]
#[search_path(pg_catalog, pg_temp)]
fn reject_match(
    source_a: Option<&str>,
    key_a: Option<&str>,
    source_b: Option<&str>,
    key_b: Option<&str>,
    reason: default!(Option<&str>, "NULL"),
) -> i64 {
    let ends = [(source_a, key_a), (source_b, key_b)];
    decide("cdp.reject_match()", Verdict::Apart, ends, reason).or_raise()
}

type Given<'a> = (Option<&'a str>, Option<&'a str>);

fn decide(what: &str, verdict: Verdict, ends: [Given; 2], reason: Option<&str>) -> Result<i64> {
    let type_of = |(source, _): Given| {
        source
            .map(|source| format!("record:{source}"))
            .ok_or_else(|| {
                Error::new(
                    PgSqlErrorCode::ERRCODE_NULL_VALUE_NOT_ALLOWED,
                    "a source must not be NULL",
                )
            })
    };
    let types = [type_of(ends[0])?, type_of(ends[1])?];
    assertion::of_pair(
        what,
        verdict,
        (Some(&types[0]), ends[0].1),
        (Some(&types[1]), ends[1].1),
        reason,
    )
}
