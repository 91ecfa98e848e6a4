//! The partitions of `cdp.events`: a month each for the recent past and the near future, and two
//! wide ones for all before and after, so that a wrong clock cannot create thousands.

use pgrx::PgSqlErrorCode;

use crate::args;
use crate::pg::{Error, Result, sql, transaction};

/// Months behind the first installation, and ahead of now, that have a partition of their own.
const MONTHS_BEHIND: i32 = 6;
const MONTHS_AHEAD: i32 = 3;

/// Makes the partitions that are missing, or leaves that to the worker where somebody reads
/// `cdp.events` at length.
pub fn ensure_or_later() -> Result<()> {
    match transaction::in_subtransaction(ensure) {
        Err(error) if error.code == PgSqlErrorCode::ERRCODE_LOCK_NOT_AVAILABLE => {
            Error::new(
                PgSqlErrorCode::ERRCODE_WARNING,
                "the next months of cdp.events have no partitions yet",
            )
            .detail("Somebody has been using cdp.events for more than a second.")
            .hint("Nothing is lost: the worker, or CALL cdp.process_all(), makes them later.")
            .warn();
            Ok(())
        }
        done => done,
    }
}

/// Makes the partitions that are missing. Not part of a batch: it locks `cdp.events` for a moment,
/// and gives up after a second, to be tried again, rather than queue behind a reader.
///
/// # Errors
/// 55P03 when somebody reads `cdp.events` for so long.
pub fn ensure() -> Result<()> {
    // A worker may be at it while somebody runs cdp.init(): one at a time, beside readers and writers.
    sql::run(
        "LOCK TABLE cdp.events IN SHARE UPDATE EXCLUSIVE MODE",
        args![],
    );
    // Bounds are read and written as text.
    sql::run("SET LOCAL datestyle = 'ISO, YMD'", args![]);
    sql::run("SET LOCAL timezone = 'UTC'", args![]);
    let after_start = sql::one::<String>(
        "SELECT (regexp_match(pg_get_expr(c.relpartbound, c.oid), $$FROM \\('([^']+)'\\)$$))[1] \
         FROM pg_class c WHERE c.oid = pg_catalog.to_regclass('cdp.events_after')",
        args![],
    );
    match after_start {
        None => create_all(),
        Some(start) => extend(&start),
    }
    Ok(())
}

fn create_all() {
    let months = sql::rows(
        "SELECT to_char(m, 'YYYY_MM'), m::text, (m + interval '1 month')::text \
         FROM generate_series(date_trunc('month', now() AT TIME ZONE 'UTC') - make_interval(months => $1), \
                              date_trunc('month', now() AT TIME ZONE 'UTC') + make_interval(months => $2), \
                              interval '1 month') m ORDER BY m",
        args![MONTHS_BEHIND, MONTHS_AHEAD],
        |row| {
            (
                row.want::<String>(1),
                row.want::<String>(2),
                row.want::<String>(3),
            )
        },
    );
    let (Some(first), Some(last)) = (months.first(), months.last()) else {
        return;
    };
    create("before", "MINVALUE", &format!("'{}Z'", first.1));
    create("after", &format!("'{}Z'", last.2), "MAXVALUE");
    for (name, from, to) in &months {
        create(name, &format!("'{from}Z'"), &format!("'{to}Z'"));
    }
}

fn create(name: &str, from: &str, to: &str) {
    sql::run(
        &format!("CREATE TABLE cdp.events_{name} (LIKE cdp.events INCLUDING ALL)"),
        args![],
    );
    sql::run(
        &format!(
            "ALTER TABLE cdp.events ATTACH PARTITION cdp.events_{name} FOR VALUES FROM ({from}) TO ({to})"
        ),
        args![],
    );
}

/// Cuts the months that have come near out of `events_after`, with the rows that are there already.
fn extend(after_start: &str) {
    let months = sql::rows(
        "SELECT to_char(m, 'YYYY_MM'), m::text, (m + interval '1 month')::text \
         FROM generate_series($1::timestamptz AT TIME ZONE 'UTC', \
                              date_trunc('month', now() AT TIME ZONE 'UTC') + make_interval(months => $2), \
                              interval '1 month') m ORDER BY m",
        args![after_start, MONTHS_AHEAD],
        |row| {
            (
                row.want::<String>(1),
                row.want::<String>(2),
                row.want::<String>(3),
            )
        },
    );
    let Some(last) = months.last() else { return };
    sql::run("SET LOCAL lock_timeout = '1s'", args![]);
    sql::run(
        "ALTER TABLE cdp.events DETACH PARTITION cdp.events_after",
        args![],
    );
    for (name, from, to) in &months {
        create(name, &format!("'{from}Z'"), &format!("'{to}Z'"));
        sql::run(
            &format!(
                "WITH moved AS (DELETE FROM cdp.events_after \
                  WHERE \"time\" >= '{from}Z' AND \"time\" < '{to}Z' RETURNING *) \
                 INSERT INTO cdp.events_{name} SELECT * FROM moved"
            ),
            args![],
        );
    }
    sql::run(
        &format!(
            "ALTER TABLE cdp.events ATTACH PARTITION cdp.events_after FOR VALUES FROM ('{}Z') TO (MAXVALUE)",
            last.2
        ),
        args![],
    );
}
