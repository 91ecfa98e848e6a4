//! The columns of `cdp.profile_rows` that hold declared traits.
//!
//! They are named by number and type, not by trait (`t3_text`), are only ever appended, and are used
//! again when a trait is dropped. A spare one of each type is kept: taking it needs no lock that
//! readers of profiles would wait for while the new trait is computed for everybody.

use cdp_engine::traits::TraitType;
use pgrx::PgSqlErrorCode;

use crate::args;
use crate::pg::{Error, Result, sql, transaction};

/// How often a lock on what everybody reads is tried for, and how long each time. In between, readers
/// that queued up behind get through.
const TRIES: u32 = 30;
const LOCK_TIMEOUT: &str = "200ms";
const PAUSE_SECONDS: f64 = 0.3;

/// A free column of that type; a new one if there is none, which is added if `make`. Mark it as taken in `cdp.traits`.
pub fn take(ty: TraitType, make: bool) -> Result<String> {
    if let Some(free) = spare(ty) {
        return Ok(free);
    }
    let name = format!("t{}_{}", next_number(), suffix(ty));
    if make {
        add(&name, ty)?;
    }
    Ok(name)
}

/// Gives up the column of a trait, emptied if `empty`, so that another can have it.
pub fn clear(of_trait: &str, empty: bool) {
    let sql = "SELECT column_name FROM cdp.traits WHERE name = $1";
    let Some(column) = sql::one::<String>(sql, args![of_trait]) else {
        return;
    };
    if empty {
        sql::run(
            &format!(
                "UPDATE cdp.profile_rows SET \"{column}\" = NULL WHERE \"{column}\" IS NOT NULL"
            ),
            args![],
        );
    }
}

/// Sees to it that there is a spare column of each type. What cannot be added now is added later.
pub fn ensure_spares() {
    for ty in TraitType::ALL {
        if spare(ty).is_none() {
            let name = format!("t{}_{}", next_number(), suffix(ty));
            let sql = add_statement(&name, ty);
            if try_locking(&sql).is_err() {
                return;
            }
        }
    }
}

fn spare(ty: TraitType) -> Option<String> {
    sql::one(
        "SELECT a.attname::text FROM pg_catalog.pg_attribute a \
          WHERE a.attrelid = 'cdp.profile_rows'::regclass AND a.attnum > 0 AND NOT a.attisdropped \
            AND a.attname ~ '^t[0-9]+_[a-z]+$' AND a.atttypid = $1::regtype \
            AND NOT EXISTS (SELECT 1 FROM cdp.traits t WHERE t.column_name = a.attname::text) \
          ORDER BY a.attnum LIMIT 1",
        args![ty.as_sql()],
    )
}

/// The number of the next new column. Plans count too, which have names in `cdp.traits` only.
fn next_number() -> i32 {
    sql::one(
        "SELECT coalesce(max(substring(name FROM '^t([0-9]+)_')::integer), 0) + 1 \
           FROM (SELECT attname::text AS name FROM pg_catalog.pg_attribute \
                  WHERE attrelid = 'cdp.profile_rows'::regclass AND attname ~ '^t[0-9]+_' \
                 UNION ALL SELECT column_name FROM cdp.traits) names",
        args![],
    )
    .unwrap_or(1)
}

fn suffix(ty: TraitType) -> &'static str {
    match ty {
        TraitType::Double => "double",
        TraitType::TextArray => "texts",
        other => other.as_sql(),
    }
}

fn add_statement(name: &str, ty: TraitType) -> String {
    format!(
        "ALTER TABLE cdp.profile_rows ADD COLUMN \"{name}\" {}",
        ty.as_sql()
    )
}

fn add(name: &str, ty: TraitType) -> Result<()> {
    run_locking(&add_statement(name, ty))
}

/// Runs DDL on what everybody reads, without making readers queue behind a long one: gives up waiting
/// soon, lets them through, and tries again.
pub fn run_locking(ddl: &str) -> Result<()> {
    for _ in 0..TRIES {
        match try_locking(ddl) {
            Err(error) if error.code == PgSqlErrorCode::ERRCODE_LOCK_NOT_AVAILABLE => {
                sql::run("SELECT pg_catalog.pg_sleep($1)", args![PAUSE_SECONDS]);
            }
            other => return other,
        }
    }
    Err(Error::new(
        PgSqlErrorCode::ERRCODE_LOCK_NOT_AVAILABLE,
        "the columns of cdp.profiles cannot be changed while a transaction reads it for long",
    )
    .detail("Nothing was changed.")
    .hint("Look for it in pg_stat_activity, and try again when it has ended."))
}

fn try_locking(ddl: &str) -> Result<()> {
    transaction::in_subtransaction(|| {
        let before =
            sql::one::<String>("SELECT pg_catalog.current_setting('lock_timeout')", args![]);
        let set = "SELECT pg_catalog.set_config('lock_timeout', $1, true)";
        sql::run(set, args![LOCK_TIMEOUT]);
        sql::run(ddl, args![]);
        sql::run(set, args![before.as_deref().unwrap_or("0")]);
        Ok(())
    })
}
