//! The SQL functions by which people say who is who.

use pgrx::prelude::*;

use super::store::{self, About, Kind, Named, Stored};
use super::{Author, change, ends, follow};
use crate::args;
use crate::pg::error::OrRaise;
use crate::pg::{Error, Result, sql};
use crate::rules::Rules;

/// Says that two identifiers are of one person, whatever the limits; its change id. Either may be one
/// that was never seen.
///
/// # Errors
/// 42704 for a type that is not declared; 22023 for a value that its type refuses or blocks, or for
/// one identifier twice; 22004 for NULL.
#[pg_extern(volatile, parallel_unsafe)]
#[search_path(pg_catalog, pg_temp)]
fn link(
    type_a: Option<&str>,
    value_a: Option<&str>,
    type_b: Option<&str>,
    value_b: Option<&str>,
    reason: default!(Option<&str>, "NULL"),
) -> i64 {
    pair(
        "cdp.link()",
        Kind::Link,
        (type_a, value_a),
        (type_b, value_b),
        reason,
    )
    .or_raise()
}

/// Says that two identifiers are of two persons: no evidence joins their profiles while it stands. Its
/// change id.
///
/// # Errors
/// As `cdp.link()`.
#[pg_extern(volatile, parallel_unsafe)]
#[search_path(pg_catalog, pg_temp)]
fn unlink(
    type_a: Option<&str>,
    value_a: Option<&str>,
    type_b: Option<&str>,
    value_b: Option<&str>,
    reason: default!(Option<&str>, "NULL"),
) -> i64 {
    pair(
        "cdp.unlink()",
        Kind::Unlink,
        (type_a, value_a),
        (type_b, value_b),
        reason,
    )
    .or_raise()
}

type Given<'a> = (Option<&'a str>, Option<&'a str>);

/// A word on two identifiers; its change id.
pub fn pair(what: &str, kind: Kind, a: Given, b: Given, reason: Option<&str>) -> Result<i64> {
    let a = (required(a.0, "type_a")?, required(a.1, "value_a")?);
    let b = (required(b.0, "type_b")?, required(b.1, "value_b")?);
    change(what, |rules, author| {
        let nodes = ends(rules, a, b)?;
        let named = |(type_id, node), value| Named {
            type_id,
            value,
            node,
        };
        let about = About {
            ends: Some((named(nodes.0, a.1), named(nodes.1, b.1))),
            ..About::default()
        };
        say(rules, author, kind, &about, reason)
    })
}

/// Revokes all that a source said, and will say, as evidence: it stays stored, and counts as never
/// accepted. The change id.
///
/// # Errors
/// 42704 if there is no such source; 22004 for NULL.
#[pg_extern(volatile, parallel_unsafe)]
#[search_path(pg_catalog, pg_temp)]
fn revoke_source(source: Option<&str>, reason: default!(Option<&str>, "NULL")) -> i64 {
    required(source, "source")
        .and_then(|source| {
            change("cdp.revoke_source()", |rules, author| {
                let about = About {
                    source_id: Some(source_of(rules, source)?),
                    ..About::default()
                };
                say(rules, author, Kind::RevokeSource, &about, reason)
            })
        })
        .or_raise()
}

/// Revokes one message, or the row of that key of a mapped table, as evidence: it stays stored, and
/// counts as never accepted. The change id.
///
/// # Errors
/// 42704 if there is no such source, or it never sent such a message; 22004 for NULL.
#[pg_extern(volatile, parallel_unsafe)]
#[search_path(pg_catalog, pg_temp)]
fn revoke_message(
    source: Option<&str>,
    message_id: Option<&str>,
    reason: default!(Option<&str>, "NULL"),
) -> i64 {
    let given = || {
        Ok((
            required(source, "source")?,
            required(message_id, "message_id")?,
        ))
    };
    given()
        .and_then(|(source, message_id)| {
            change("cdp.revoke_message()", |rules, author| {
                let about = About {
                    source_id: Some(source_of(rules, source)?),
                    message_id: Some(message_id),
                    ..About::default()
                };
                let known = sql::one::<bool>(
                    "SELECT EXISTS (SELECT 1 FROM cdp.message_keys WHERE source_id = $1 AND message_id = $2) \
                         OR EXISTS (SELECT 1 FROM cdp.records WHERE source_id = $1 AND key = $2)",
                    args![about.source_id, message_id],
                );
                if known != Some(true) {
                    return Err(Error::unknown(format!(
                        "source \"{source}\" sent no message \"{message_id}\""
                    ))
                    .hint("It is the messageId of a message, or the key of a mapped row; for a message \
                           without one, use cdp.revoke_event()."));
                }
                say(rules, author, Kind::RevokeMessage, &about, reason)
            })
        })
        .or_raise()
}

/// As `cdp.revoke_message()`, by the `event_id` under which `cdp.events` or `cdp.messages` holds it.
///
/// # Errors
/// 42704 if nothing is stored under that id; 22004 for NULL.
#[pg_extern(volatile, parallel_unsafe)]
#[search_path(pg_catalog, pg_temp)]
fn revoke_event(event_id: Option<i64>, reason: default!(Option<&str>, "NULL")) -> i64 {
    required(event_id, "event_id")
        .and_then(|event_id| {
            change("cdp.revoke_event()", |rules, author| {
                let stored = sql::first(
                    "SELECT source_id, message_id FROM cdp.events WHERE event_id = $1 \
                     UNION ALL SELECT source_id, message_id FROM cdp.messages WHERE event_id = $1",
                    args![event_id],
                    |row| (row.want::<i32>(1), row.get::<String>(2)),
                );
                let Some((source_id, message_id)) = stored else {
                    return Err(
                        Error::unknown(format!("nothing is stored as event {event_id}"))
                            .hint("See event_id in cdp.events and cdp.messages."),
                    );
                };
                let about = About {
                    source_id: Some(source_id),
                    event_id: message_id.is_none().then_some(event_id),
                    message_id: message_id.as_deref(),
                    ..About::default()
                };
                say(rules, author, Kind::RevokeMessage, &about, reason)
            })
        })
        .or_raise()
}

/// Undoes what was said by hand, as if it had never been said; its change id. An undo can be undone.
///
/// # Errors
/// 42704 if there is no such change; 55000 if it is undone already; 22004 for NULL.
#[pg_extern(volatile, parallel_unsafe)]
#[search_path(pg_catalog, pg_temp)]
fn undo(change_id: Option<i64>, reason: default!(Option<&str>, "NULL")) -> i64 {
    required(change_id, "change_id")
        .and_then(|change_id| {
            change("cdp.undo()", |rules, author| {
                let target = find(change_id)?;
                if let Some(by) = target.undone_by {
                    return Err(Error::state(format!(
                        "change {change_id} is undone already, by change {by}"
                    ))
                    .hint(format!("To let it stand again: SELECT cdp.undo({by});")));
                }
                let about = About {
                    undoes: Some(change_id),
                    ..About::default()
                };
                let undo = store::insert(Kind::Undo, &about, author, reason)?;
                let root = settle(target)?;
                follow(rules, &root, Kind::Undo, undo)?;
                Ok(undo)
            })
        })
        .or_raise()
}

/// Stores an assertion, and what follows from it; its id.
fn say(
    rules: &Rules,
    author: &Author,
    kind: Kind,
    about: &About,
    reason: Option<&str>,
) -> Result<i64> {
    let change_id = store::insert(kind, about, author, reason)?;
    follow(rules, &find(change_id)?, kind, change_id)?;
    Ok(change_id)
}

/// Writes whether an assertion stands, and, where it is an undo, whether what it undid does, and so
/// on; the one at the end.
fn settle(mut assertion: Stored) -> Result<Stored> {
    loop {
        store::settle(assertion.change_id);
        match assertion.undoes {
            Some(undone) => assertion = find(undone)?,
            None => return Ok(assertion),
        }
    }
}

fn find(change_id: i64) -> Result<Stored> {
    store::load(change_id)?.ok_or_else(|| {
        Error::unknown(format!("there is no change {change_id}"))
            .hint("See cdp.assertion_log for all that was said by hand.")
    })
}

fn source_of(rules: &Rules, name: &str) -> Result<i32> {
    rules
        .sources
        .get(name)
        .map(|source| source.id)
        .ok_or_else(|| {
            let mut known: Vec<&str> = rules.sources.keys().map(String::as_str).collect();
            known.sort_unstable();
            Error::unknown(format!("source \"{name}\" does not exist"))
                .hint(format!("There are: {}.", known.join(", ")))
        })
}

fn required<T>(value: Option<T>, name: &str) -> Result<T> {
    value.ok_or_else(|| {
        Error::new(
            PgSqlErrorCode::ERRCODE_NULL_VALUE_NOT_ALLOWED,
            format!("{name} must not be NULL"),
        )
    })
}
