//! Stores what was accepted: events and messages.

use super::{Body, Statement, sets};
use crate::pg::append::append;
use crate::pg::value::{Json, Time, Values};

/// The columns that events and messages share.
const SHARED: [&str; 11] = [
    "set_id",
    "time",
    "event_id",
    "source_id",
    "type",
    "received_at",
    "message_id",
    "content_hash",
    "context",
    "rest",
    "revoked",
];

/// Stores events and messages; the event id of each statement, 0 for records.
pub fn store(statements: &[Statement]) -> Vec<i64> {
    let stored = |statement: &&Statement| !matches!(statement.body, Body::Record);
    let count = statements.iter().filter(stored).count();
    if count == 0 {
        return vec![0; statements.len()];
    }
    let mut next = sets::reserve_event_ids(count);
    let ids: Vec<i64> = statements
        .iter()
        .map(|statement| match statement.body {
            Body::Record => 0,
            _ => {
                next += 1;
                next - 1
            }
        })
        .collect();
    let numbered = || statements.iter().zip(ids.iter().copied());
    let columns = |own: &[&'static str]| [&SHARED[..], own].concat();
    append(
        "cdp.events",
        &columns(&["name", "properties"]),
        numbered().filter(|(s, _)| matches!(s.body, Body::Event { .. })),
        |values, (statement, id)| {
            if let Body::Event {
                kind,
                name,
                properties,
                context,
                rest,
            } = &statement.body
            {
                put_shared(values, statement, id, kind, context, rest);
                values.put(name.as_deref()).put(json(properties));
            }
        },
    );
    append(
        "cdp.messages",
        &columns(&["traits"]),
        numbered().filter(|(s, _)| matches!(s.body, Body::Message { .. })),
        |values, (statement, id)| {
            if let Body::Message {
                kind,
                traits,
                context,
                rest,
            } = &statement.body
            {
                put_shared(values, statement, id, kind, context, rest);
                values.put(json(traits));
            }
        },
    );
    ids
}

fn put_shared(
    values: &mut Values,
    statement: &Statement,
    event_id: i64,
    kind: &str,
    context: &Option<String>,
    rest: &Option<String>,
) {
    values
        .put(statement.set_id)
        .put(Time(statement.time))
        .put(event_id)
        .put(statement.source_id)
        .put(kind)
        .put(Time(statement.received_at))
        .put(statement.message_id.as_deref())
        .put(statement.content_hash)
        .put(json(context))
        .put(json(rest))
        .put(false);
}

fn json(text: &Option<String>) -> Option<Json<'_>> {
    text.as_deref().map(Json)
}
