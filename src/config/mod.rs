//! Configuration: what is declared (sources, identifier types, traits, segments, matchers, schedules), by
//! functions for people and by one JSON document for version control.
//!
//! Each kind is a struct that implements [`Declared`]. The functions of a kind change one; the
//! document ([`document`]) changes all, by the same code: see [`apply`].

mod apply;
pub mod columns;
mod declared;
mod document;
mod effects;
mod fault;
mod identifier_types;
mod interval;
mod mappings;
mod matchers;
mod names;
mod node;
mod plan_effects;

mod schedules;
mod segments;
mod sources;
mod traits;
pub mod view;

use crate::pg::{Error, Result, role, transaction};
use crate::{install, pg};

use declared::Declared;
use effects::{Effects, Mode};
use fault::{Fault, Outcome};

/// Runs one change of the configuration as the owner role, under the pipeline lock, and then what
/// follows from it.
fn change<T>(what: &str, body: impl FnOnce(&mut Effects) -> Outcome<T>) -> Result<T> {
    if transaction::on_standby() {
        return Err(Error::new(
            pgrx::PgSqlErrorCode::ERRCODE_READ_ONLY_SQL_TRANSACTION,
            format!("{what} cannot run on a standby"),
        )
        .hint("Run it on the primary."));
    }
    let caller = role::current();
    role::as_owner(|| {
        install::require_tables()?;
        transaction::require_read_committed(what)?;
        install::lock_pipeline();
        let mut effects = Effects::new(caller, Mode::Keep);
        let result = body(&mut effects)?;
        effects.finish()?;
        Ok(result)
    })
}

/// Declares something new.
fn create<D: Declared>(what: &str, wanted: D) -> Result<()> {
    change(what, |effects| {
        if D::all(Reading::Latest)
            .iter()
            .any(|known| known.name() == wanted.name())
        {
            return Err(Fault::new(
                Error::duplicate(format!("{} \"{}\" already exists", D::KIND, wanted.name()))
                    .hint(format!("To change it, run {}.", D::ALTER)),
            ));
        }
        wanted.check()?;
        wanted.create(effects)
    })
}

/// Changes something declared, by `edit`.
fn alter<D: Declared>(
    what: &str,
    name: &str,
    edit: impl FnOnce(&mut D) -> Outcome<()>,
) -> Result<()> {
    change(what, |effects| {
        let old = find::<D>(name)?;
        let mut new = old.clone();
        edit(&mut new)?;
        new.check()?;
        if new == old {
            return Ok(());
        }
        new.alter(&old, effects)
    })
}

/// Drops something declared.
fn drop_one<D: Declared>(what: &str, name: &str) -> Result<()> {
    change(what, |effects| find::<D>(name)?.drop(effects))
}

fn find<D: Declared>(name: &str) -> Result<D> {
    let all = D::all(Reading::Latest);
    if let Some(found) = all.iter().find(|known| known.name() == name) {
        return Ok(found.clone());
    }
    let known: Vec<&str> = all.iter().map(Declared::name).collect();
    Err(
        Error::unknown(format!("{} \"{name}\" does not exist", D::KIND)).hint(names::hint(
            name,
            &format!("{}s", D::KIND),
            &known,
        )),
    )
}

/// Which state a query sees.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reading {
    /// That of the caller's snapshot, also on a standby.
    Snapshot,
    /// With all that the transaction has written.
    Latest,
}

impl Reading {
    fn rows<T>(self, sql: &str, args: &pg::Args, read: impl FnMut(pg::Row) -> T) -> Vec<T> {
        match self {
            Self::Snapshot => pg::sql::read_rows(sql, args, read),
            Self::Latest => pg::sql::rows(sql, args, read),
        }
    }
}

/// An attribute that has a default, and what sets it.
type Resettable<D> = (&'static str, fn(&mut D));

/// Sets attributes back to their defaults, for `alter` functions, where a NULL argument means
/// "unchanged".
fn reset<D: Declared>(
    spec: &mut D,
    attributes: Option<Vec<String>>,
    resettable: &[Resettable<D>],
) -> Outcome<()> {
    for attribute in attributes.unwrap_or_default() {
        match resettable.iter().find(|(name, _)| *name == attribute) {
            Some((_, set)) => set(spec),
            None => {
                let names: Vec<&str> = resettable.iter().map(|(name, _)| *name).collect();
                let error = Error::invalid(format!("cannot reset \"{attribute}\"")).hint(
                    names::hint(&attribute, "attributes that can be reset", &names),
                );
                return Err(Fault::of("reset", error));
            }
        }
    }
    Ok(())
}
