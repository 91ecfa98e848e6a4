//! Assertions as they are stored.

use super::Author;
use crate::args;
use crate::identity::asserted::{Pair, pair};
use crate::pg::{Error, Result, sql};

/// What an assertion does.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    Link,
    Unlink,
    RevokeSource,
    RevokeMessage,
    Undo,
}

impl Kind {
    pub fn name(self) -> &'static str {
        match self {
            Self::Link => "link",
            Self::Unlink => "unlink",
            Self::RevokeSource => "revoke_source",
            Self::RevokeMessage => "revoke_message",
            Self::Undo => "undo",
        }
    }

    fn of(name: &str) -> Result<Self> {
        Ok(match name {
            "link" => Self::Link,
            "unlink" => Self::Unlink,
            "revoke_source" => Self::RevokeSource,
            "revoke_message" => Self::RevokeMessage,
            "undo" => Self::Undo,
            _ => {
                return Err(Error::internal(format!(
                    "no kind of assertion is \"{name}\""
                )));
            }
        })
    }
}

/// An identifier as somebody named it.
pub struct Named<'a> {
    pub type_id: i32,
    pub value: &'a str,
    pub node: i64,
}

/// What an assertion is about.
#[derive(Default)]
pub struct About<'a> {
    pub ends: Option<(Named<'a>, Named<'a>)>,
    pub source_id: Option<i32>,
    pub message_id: Option<&'a str>,
    pub event_id: Option<i64>,
    pub undoes: Option<i64>,
}

/// Stores an assertion; its id.
pub fn insert(kind: Kind, about: &About, author: &Author, reason: Option<&str>) -> Result<i64> {
    let (a, b) = match &about.ends {
        Some((a, b)) => (Some(a), Some(b)),
        None => (None, None),
    };
    sql::one::<i64>(
        "INSERT INTO cdp.assertions (kind, made_at, made_by, login, reason, type_a, value_a, node_a, \
             type_b, value_b, node_b, source_id, message_id, event_id, undoes) \
         VALUES ($1, clock_timestamp(), $2, session_user, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13) \
         RETURNING change_id",
        args![
            kind.name(),
            author.role.as_str(),
            reason,
            a.map(|a| a.type_id),
            a.map(|a| a.value),
            a.map(|a| a.node),
            b.map(|b| b.type_id),
            b.map(|b| b.value),
            b.map(|b| b.node),
            about.source_id,
            about.message_id,
            about.event_id,
            about.undoes
        ],
    )
    .ok_or_else(|| Error::internal("the assertion was not stored"))
}

/// A stored assertion.
pub struct Stored {
    pub change_id: i64,
    pub kind: Kind,
    pub undone_by: Option<i64>,
    nodes: (Option<i64>, Option<i64>),
    pub source_id: Option<i32>,
    pub message_id: Option<String>,
    pub event_id: Option<i64>,
    pub undoes: Option<i64>,
}

impl Stored {
    /// The pair of nodes that it is about; none if they are no identifiers any more.
    pub fn pair(&self) -> Option<Pair> {
        match self.nodes {
            (Some(a), Some(b)) if a != b => Some(pair(a, b)),
            _ => None,
        }
    }
}

/// The assertion of that id.
pub fn load(change_id: i64) -> Result<Option<Stored>> {
    sql::first(
        "SELECT kind, undone_by, node_a, node_b, source_id, message_id, event_id, undoes \
         FROM cdp.assertions WHERE change_id = $1",
        args![change_id],
        |row| {
            Ok(Stored {
                change_id,
                kind: Kind::of(&row.want::<String>(1))?,
                undone_by: row.get(2),
                nodes: (row.get(3), row.get(4)),
                source_id: row.get(5),
                message_id: row.get(6),
                event_id: row.get(7),
                undoes: row.get(8),
            })
        },
    )
    .transpose()
}

/// Writes whether assertion `change_id` stands: which standing undo there is of it, if any.
pub fn settle(change_id: i64) {
    sql::run(
        "UPDATE cdp.assertions a SET undone_by = ( \
             SELECT max(u.change_id) FROM cdp.assertions u \
              WHERE u.undoes = a.change_id AND u.undone_by IS NULL) \
         WHERE a.change_id = $1",
        args![change_id],
    );
}
