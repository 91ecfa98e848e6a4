//! Making the database match a document.

use pgrx::JsonB;
use pgrx::prelude::*;
use serde_json::Value;

use super::declared::{Declared, difference, summary};
use super::document::{Document, Item};
use super::effects::{Effects, Mode};
use super::fault::Fault;
use super::segments::{self, Segment};
use super::{Reading, change, names};
use crate::install;
use crate::pg::error::OrRaise;
use crate::pg::{Error, Result, role, transaction};

/// What applying a document does to one declaration.
pub struct Change {
    action: &'static str,
    kind: &'static str,
    name: String,
    detail: String,
}

type Changes = TableIterator<
    'static,
    (
        name!(action, String),
        name!(kind, String),
        name!(name, String),
        name!(detail, String),
    ),
>;

fn table(changes: Vec<Change>) -> Changes {
    let row = |change: Change| {
        (
            change.action.to_owned(),
            change.kind.to_owned(),
            change.name,
            change.detail,
        )
    };
    TableIterator::new(changes.into_iter().map(row))
}

/// Makes the database match a document such as `cdp.config()` gives: declares, changes and drops, and
/// then recomputes once. What is absent from a section is dropped; a section that is absent is left
/// alone. A document that is not valid changes nothing. One row a change; none if all is as it should
/// be.
///
/// # Errors
/// 22023 with the JSON path of what is not valid; 2BP01 if something that is to be dropped is in use.
#[pg_extern(volatile, parallel_unsafe)]
#[search_path(pg_catalog, pg_temp)]
fn apply(
    config: Option<JsonB>,
) -> TableIterator<
    'static,
    (
        name!(action, String),
        name!(kind, String),
        name!(name, String),
        name!(detail, String),
    ),
> {
    let apply = || {
        let JsonB(config) = names::required(config, "config")?;
        let document = Document::read(&config)?;
        change("cdp.apply()", |effects| {
            let changes = perform(&document, effects)?;
            // Here, so that a fault of the whole gets its path.
            let effects = std::mem::replace(effects, Effects::new(effects.caller, effects.mode));
            effects
                .finish()
                .map_err(|fault| Fault::new(document.error(*fault)))?;
            Ok(changes)
        })
    };
    table(apply().or_raise())
}

/// What `cdp.apply()` would do, without doing it.
///
/// # Errors
/// As `cdp.apply()`.
#[pg_extern(volatile, parallel_unsafe)]
#[search_path(pg_catalog, pg_temp)]
fn plan(
    config: Option<JsonB>,
) -> TableIterator<
    'static,
    (
        name!(action, String),
        name!(kind, String),
        name!(name, String),
        name!(detail, String),
    ),
> {
    let plan = || {
        let JsonB(config) = names::required(config, "config")?;
        planned(&config)
    };
    table(plan().or_raise())
}

/// Applies the document but for what others would notice, and undoes it.
fn planned(config: &Value) -> Result<Vec<Change>> {
    let document = Document::read(config)?;
    let caller = role::current();
    role::as_owner(|| {
        install::require_tables()?;
        transaction::undone(|| {
            let mut effects = Effects::new(caller, Mode::List);
            let changes = perform(&document, &mut effects)?;
            effects.finish().map_err(|fault| document.error(*fault))?;
            Ok(changes)
        })
    })
}

/// Makes the changes, each after what it depends on.
pub fn perform(document: &Document, effects: &mut Effects) -> Result<Vec<Change>> {
    effects.whole = true;
    let mut changes = Vec::new();
    let ordered = document.segments.as_deref().map(in_order).transpose()?;
    put(&document.sources, effects, &mut changes)?;
    put(&document.identifier_types, effects, &mut changes)?;
    put(&document.traits, effects, &mut changes)?;
    put(&document.mappings, effects, &mut changes)?;
    put(&document.matchers, effects, &mut changes)?;
    put(&ordered, effects, &mut changes)?;
    put(&document.schedules, effects, &mut changes)?;
    drop_absent(&document.schedules, effects, &mut changes, |all| all)?;
    drop_absent(&document.segments, effects, &mut changes, |all| {
        segments::in_order(all).into_iter().rev().collect()
    })?;
    drop_absent(&document.matchers, effects, &mut changes, |all| all)?;
    drop_absent(&document.mappings, effects, &mut changes, |all| all)?;
    drop_absent(&document.traits, effects, &mut changes, |all| all)?;
    drop_absent(&document.identifier_types, effects, &mut changes, |all| all)?;
    drop_absent(&document.sources, effects, &mut changes, |all| all)?;
    Ok(changes)
}

/// Declares what is new, changes what is different.
fn put<D: Declared>(
    items: &Option<Vec<Item<D>>>,
    effects: &mut Effects,
    changes: &mut Vec<Change>,
) -> Result<()> {
    let Some(items) = items else {
        return Ok(());
    };
    let present = D::all(Reading::Latest);
    for item in items {
        let wanted = &item.spec;
        let old = present.iter().find(|old| old.name() == wanted.name());
        let (action, outcome, detail) = match old {
            Some(old) if old == wanted => continue,
            Some(old) => {
                let detail = difference(old, wanted);
                ("alter", wanted.alter(old, effects), detail)
            }
            None => ("create", wanted.create(effects), summary(wanted)),
        };
        outcome.map_err(|fault| fault.in_document(&item.path))?;
        changes.push(Change {
            action,
            kind: D::KIND,
            name: wanted.name().to_owned(),
            detail,
        });
    }
    Ok(())
}

/// Drops what the section no longer has.
fn drop_absent<D: Declared>(
    items: &Option<Vec<Item<D>>>,
    effects: &mut Effects,
    changes: &mut Vec<Change>,
    order: impl Fn(Vec<D>) -> Vec<D>,
) -> Result<()> {
    let Some(items) = items else {
        return Ok(());
    };
    let stays = |old: &D| items.iter().any(|item| item.spec.name() == old.name());
    for old in order(D::all(Reading::Latest)) {
        if stays(&old) {
            continue;
        }
        old.drop(effects).map_err(|fault| Error {
            message: format!("$.{}: {}", D::SECTION, fault.error.message),
            detail: fault.error.detail.or_else(|| {
                let missing = format!("{} \"{}\" is not in the document.", D::KIND, old.name());
                Some(capitalised(&missing))
            }),
            ..fault.error
        })?;
        changes.push(Change {
            action: "drop",
            kind: D::KIND,
            name: old.name().to_owned(),
            detail: summary(&old),
        });
    }
    Ok(())
}

fn capitalised(text: &str) -> String {
    names::sentence(text.trim_end_matches('.'))
}

/// Segments, each after those that its rule refers to.
fn in_order(items: &[Item<Segment>]) -> Result<Vec<Item<Segment>>> {
    let all: Vec<Segment> = items.iter().map(|item| item.spec.clone()).collect();
    for item in items {
        let references = item.spec.references();
        let missing = references
            .iter()
            .find(|name| !all.iter().any(|segment| segment.name() == name.as_str()));
        if let Some(missing) = missing {
            let known: Vec<&str> = all.iter().map(Declared::name).collect();
            let error = Error::invalid(format!("segment \"{missing}\" is not in the document"))
                .hint(names::hint(missing, "segments", &known));
            return Err(Fault::of("rule", error).in_document(&item.path));
        }
    }
    let ordered = segments::in_order(all.clone());
    // A circle leaves its segments at the end, in whichever order.
    let mut before: Vec<&str> = Vec::with_capacity(ordered.len());
    for segment in &ordered {
        let ready = |name: &String| before.contains(&name.as_str());
        if !segment.references().iter().all(ready)
            && let Some(fault) = segments::circle(segment, &all)
        {
            let item = items.iter().find(|item| item.spec.name() == segment.name());
            let path = item.map_or("$.segments", |item| item.path.as_str());
            return Err(fault.in_document(path));
        }
        before.push(segment.name());
    }
    let item = |segment: &Segment| {
        let found = items.iter().find(|item| item.spec.name() == segment.name());
        found.cloned()
    };
    Ok(ordered.iter().filter_map(item).collect())
}
