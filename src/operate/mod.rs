//! Operation: how things stand, stopping and going on, and what was rejected.

mod status;

use pgrx::datum::TimestampWithTimeZone;
use pgrx::prelude::*;

use crate::args;
use crate::install;
use crate::pg::error::OrRaise;
use crate::pg::{Error, Result, role, sql, transaction};

/// The version of the library.
#[pg_extern(stable, parallel_safe)]
#[search_path(pg_catalog, pg_temp)]
fn version() -> &'static str {
    env!("CARGO_PKG_VERSION")
}

/// Stops processing until `cdp.resume()`; messages are still taken in. A batch that is running ends
/// first. Who and when is kept, and shown by `cdp.status()`.
///
/// # Errors
/// 55000 before `cdp.init()`.
#[pg_extern(volatile, parallel_unsafe)]
#[search_path(pg_catalog, pg_temp)]
fn pause(reason: default!(Option<&str>, "NULL")) -> String {
    as_operator(|| {
        let paused = sql::first(
            "UPDATE cdp.installation \
                SET paused_at = clock_timestamp(), paused_by = session_user, pause_reason = $1 \
              WHERE paused_at IS NULL RETURNING true",
            args![reason],
            |row| row.want::<bool>(1),
        );
        Ok(match paused {
            Some(_) => "paused: messages are taken in and wait for cdp.resume()".to_owned(),
            None => format!("already paused {}", paused_by().unwrap_or_default()),
        })
    })
    .or_raise()
}

/// Goes on after `cdp.pause()`.
///
/// # Errors
/// 55000 before `cdp.init()`.
#[pg_extern(volatile, parallel_unsafe)]
#[search_path(pg_catalog, pg_temp)]
fn resume() -> String {
    as_operator(|| {
        let was = paused_by();
        sql::run(
            "UPDATE cdp.installation SET paused_at = NULL, paused_by = NULL, pause_reason = NULL \
              WHERE paused_at IS NOT NULL",
            args![],
        );
        crate::worker::announce_installation();
        Ok(match was {
            Some(was) => format!("resumed; it was paused {was}"),
            None => "not paused".to_owned(),
        })
    })
    .or_raise()
}

/// Puts dead letters back into the inbox, to be processed once more: those with this reason, recorded
/// since then, from this source; NULL is any. Each is retried once: one that is rejected again is a
/// dead letter of its own. The number of messages put back.
///
/// # Errors
/// 55000 before `cdp.init()`.
#[pg_extern(volatile, parallel_unsafe)]
#[search_path(pg_catalog, pg_temp)]
fn retry_dead_letters(
    reason: default!(Option<&str>, "NULL"),
    since: default!(Option<TimestampWithTimeZone>, "NULL"),
    source: default!(Option<&str>, "NULL"),
) -> i64 {
    let retry = || {
        let put_back = sql::run(
            include_str!("../../sql/operate/retry.sql"),
            args![reason, since, source],
        );
        Ok(i64::try_from(put_back).unwrap_or(i64::MAX))
    };
    as_operator(retry).or_raise()
}

fn as_operator<T>(body: impl FnOnce() -> Result<T>) -> Result<T> {
    if transaction::on_standby() {
        return Err(Error::new(
            PgSqlErrorCode::ERRCODE_READ_ONLY_SQL_TRANSACTION,
            "this server is a standby",
        )
        .hint("Run it on the primary."));
    }
    role::as_owner(|| {
        install::require_tables()?;
        body()
    })
}

/// By whom, since when and why processing is paused.
fn paused_by() -> Option<String> {
    sql::read_first(
        "SELECT format('by %s since %s%s', paused_by, date_trunc('second', paused_at), \
                       ': ' || pause_reason) \
           FROM cdp.installation WHERE paused_at IS NOT NULL",
        args![],
        |row| row.get::<String>(1),
    )
    .flatten()
}
