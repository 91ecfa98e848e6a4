//! Installation: roles, tables by numbered migrations, and which server may run the worker.
//!
//! The extension owns functions and types only. Tables are ordinary objects, so that a dump is a
//! backup; `cdp.init()` makes, upgrades and adopts them.

mod guard;
mod migrations;

use pgrx::prelude::*;

use crate::args;
use crate::pg::error::OrRaise;
use crate::pg::{Error, Result, role, sql, transaction};

pub use migrations::SCHEMA_VERSION;

/// Makes or upgrades the tables, roles and rights of pg_cdp in this database, and adopts what a
/// restore left with another owner. Safe to run again. A first installation starts at once; a
/// restored or cloned one waits for `cdp.start()`.
///
/// # Errors
/// 42501 if the caller is no superuser; 55000 if the schema holds objects of somebody else.
#[pg_extern(volatile, parallel_unsafe)]
#[search_path(pg_catalog, pg_temp)]
fn init() -> String {
    initialise().or_raise()
}

/// Lets this server run the worker on this database: after a restore, a clone or a move. Moves the
/// sequences past what the tables hold and marks the inbox to be read from the start; what was
/// accepted before is recognised and not counted twice.
///
/// # Errors
/// As `cdp.init()`.
#[pg_extern(volatile, parallel_unsafe)]
#[search_path(pg_catalog, pg_temp)]
fn start() -> String {
    let caller = role::current();
    initialise()
        .and_then(|done| {
            let started = role::as_owner(|| take_over(caller))?;
            // A first installation starts by itself.
            Ok(if done.starts_with("installed") {
                done
            } else {
                started
            })
        })
        .or_raise()
}

fn initialise() -> Result<String> {
    if transaction::on_standby() {
        return Err(Error::state("cdp.init() cannot run on a standby")
            .hint("Run it on the primary; its tables arrive by replication."));
    }
    if !role::is_superuser() {
        return Err(
            Error::privilege("cdp.init() and cdp.start() need a superuser")
                .detail("They make roles, and give the tables to role cdp_owner.")
                .hint("Run it as a superuser, as CREATE EXTENSION."),
        );
    }
    transaction::require_read_committed("cdp.init()")?;
    guard::require_utf8()?;
    guard::one_at_a_time();
    guard::refuse_planted_objects()?;
    guard::ensure_roles()?;
    guard::ensure_schema();
    guard::adopt()?;
    let outcome = role::as_owner(migrations::run)?;
    sql::run(include_str!("../../sql/grants.sql"), args![]);
    let (from, to) = outcome;
    if from == 0 {
        let caller = role::current();
        role::as_owner(|| take_over(caller))?;
    }
    crate::worker::announce_installation();
    Ok(match from {
        0 => format!("installed: schema version {to}"),
        _ if from == to => format!("up to date: schema version {to}"),
        _ => format!("upgraded: schema version {from} to {to}"),
    })
}

fn take_over(caller: pg_sys::Oid) -> Result<String> {
    let here = (
        transaction::system_identifier(),
        transaction::database_oid(),
    );
    let there = sql::first(
        "SELECT system_identifier, database_oid FROM cdp.installation",
        args![],
        |row| (row.get::<i64>(1), row.get::<i64>(2)),
    );
    if there == Some((Some(here.0), Some(here.1))) {
        crate::worker::announce_installation();
        return Ok("running here already".to_owned());
    }
    lock_pipeline();
    // Transaction ids of another server mean nothing here: all that is left in the inbox counts as
    // just arrived, after writers have been waited for.
    sql::run("LOCK TABLE cdp.inbox IN SHARE MODE", args![]);
    sql::run(include_str!("../../sql/take_over.sql"), args![]);
    crate::ingest::inbox::begin_ledger();
    sql::run(
        "UPDATE cdp.installation SET system_identifier = $1, database_oid = $2",
        args![here.0, here.1],
    );
    crate::jobs::confirm(caller)?;
    crate::worker::announce_installation();
    Ok("started: this server now runs the worker on this database".to_owned())
}

/// Takes the pipeline lock, to the end of the transaction. Call it before anything is read, and in a
/// transaction that sees with each statement what has been committed by then.
pub fn lock_pipeline() {
    sql::run(
        "LOCK TABLE cdp.pipeline_lock IN SHARE ROW EXCLUSIVE MODE",
        args![],
    );
}

/// What the tables are, against what this library needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// `cdp.init()` has not run.
    Absent,
    /// The tables are of another version; `cdp.init()` must run.
    OtherVersion(i32),
    /// A restored or cloned copy; `cdp.start()` must run.
    Elsewhere,
    /// Paused by somebody.
    Paused,
    /// Ready to work.
    Ready,
}

/// What the catalogue says of pg_cdp, for those who may not read its tables or should not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InCatalogue {
    /// No extension.
    Nothing,
    /// The extension, but `cdp.init()` has not given its schema to the owner role.
    Extension,
    /// The extension, and the owner role may use its schema.
    Schema,
}

/// What the catalogue says. Reads nothing that a user could have made.
pub fn in_catalogue() -> InCatalogue {
    let found = sql::read_first(
        "SELECT EXISTS (SELECT FROM pg_catalog.pg_extension WHERE extname = 'pg_cdp'), \
                EXISTS (SELECT FROM pg_catalog.pg_roles r, pg_catalog.pg_namespace n \
                         WHERE r.rolname = $1 AND n.nspname = 'cdp' \
                           AND pg_catalog.has_schema_privilege(r.oid, n.oid, 'USAGE'))",
        args![role::OWNER],
        |row| (row.want::<bool>(1), row.want::<bool>(2)),
    );
    match found {
        Some((true, true)) => InCatalogue::Schema,
        Some((true, false)) => InCatalogue::Extension,
        _ => InCatalogue::Nothing,
    }
}

/// Where this database stands. Reads only; works on a standby.
pub fn state() -> State {
    // Between CREATE EXTENSION and cdp.init() the schema is still its installer's, and closed.
    let exists = sql::read_first(
        "SELECT EXISTS (SELECT 1 FROM pg_catalog.pg_class c \
           JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
          WHERE n.nspname = 'cdp' AND c.relname = 'installation' \
            AND pg_catalog.has_schema_privilege(n.oid, 'USAGE'))",
        args![],
        |row| row.get::<bool>(1),
    );
    if exists.flatten() != Some(true) {
        return State::Absent;
    }
    let row = sql::read_first(
        "SELECT schema_version, system_identifier, database_oid, paused_at IS NOT NULL \
         FROM cdp.installation",
        args![],
        |row| {
            (
                row.want::<i32>(1),
                row.get::<i64>(2),
                row.get::<i64>(3),
                row.want::<bool>(4),
            )
        },
    );
    let here = (
        Some(transaction::system_identifier()),
        Some(transaction::database_oid()),
    );
    match row {
        None => State::Absent,
        Some((version, ..)) if version != SCHEMA_VERSION => State::OtherVersion(version),
        Some((_, system, database, _)) if (system, database) != here => State::Elsewhere,
        Some((.., true)) => State::Paused,
        Some(_) => State::Ready,
    }
}

/// Fails unless the tables are there and of this library's version.
pub fn require_tables() -> Result<()> {
    match state() {
        State::Absent => Err(Error::state("pg_cdp is not initialised in this database")
            .hint("Run SELECT cdp.init();")),
        State::OtherVersion(version) => Err(Error::state(format!(
            "the tables of pg_cdp are of version {version}, this library needs {SCHEMA_VERSION}"
        ))
        .hint("Run SELECT cdp.init(); to upgrade them.")),
        State::Elsewhere | State::Paused | State::Ready => Ok(()),
    }
}

/// Fails unless batches may run here and now.
pub fn require_ready() -> Result<()> {
    require_tables()?;
    match state() {
        State::Elsewhere => Err(
            Error::state("this database is a copy that has not been started")
                .detail(
                    "It was restored, cloned or moved: another server may still run the original.",
                )
                .hint("Run SELECT cdp.start(); to go on here."),
        ),
        State::Paused => {
            Err(Error::state("processing is paused").hint("Run SELECT cdp.resume(); to go on."))
        }
        State::Absent | State::OtherVersion(_) | State::Ready => Ok(()),
    }
}
