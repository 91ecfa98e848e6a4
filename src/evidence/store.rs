//! Stores what was accepted: events and messages.

use pgrx::datum::TimestampWithTimeZone;

use super::{Body, Statement, sets};
use crate::args;
use crate::pg::{sql, time};

/// The columns that events and messages share.
#[derive(Default)]
struct Columns {
    set_id: Vec<i64>,
    time: Vec<TimestampWithTimeZone>,
    event_id: Vec<i64>,
    source_id: Vec<i32>,
    kind: Vec<&'static str>,
    received_at: Vec<TimestampWithTimeZone>,
    message_id: Vec<Option<String>>,
    content_hash: Vec<i64>,
    context: Vec<Option<String>>,
    rest: Vec<Option<String>>,
    /// Properties of an event, traits of a message.
    content: Vec<Option<String>>,
    name: Vec<Option<String>>,
}

impl Columns {
    fn push(&mut self, statement: &Statement, event_id: i64, kind: &'static str) {
        self.set_id.push(statement.set_id);
        self.time.push(time::to_pg(statement.time));
        self.event_id.push(event_id);
        self.source_id.push(statement.source_id);
        self.kind.push(kind);
        self.received_at.push(time::to_pg(statement.received_at));
        self.message_id.push(statement.message_id.clone());
        self.content_hash.push(statement.content_hash);
    }
}

/// Stores events and messages; the event id of each statement, 0 for records.
pub fn store(statements: &mut [Statement]) -> Vec<i64> {
    let first = if statements.is_empty() {
        0
    } else {
        sets::reserve_event_ids(statements.len())
    };
    let mut ids = vec![0; statements.len()];
    let mut events = Columns::default();
    let mut messages = Columns::default();
    for (n, statement) in statements.iter_mut().enumerate() {
        let id = first + n as i64;
        // The JSON is not needed after this: it moves into the arguments.
        match std::mem::replace(&mut statement.body, Body::Record) {
            Body::Event {
                kind,
                name,
                properties,
                context,
                rest,
            } => {
                events.push(statement, id, kind);
                events.name.push(name);
                events.content.push(properties);
                events.context.push(context);
                events.rest.push(rest);
                ids[n] = id;
            }
            Body::Message {
                kind,
                traits,
                context,
                rest,
            } => {
                messages.push(statement, id, kind);
                messages.content.push(traits);
                messages.context.push(context);
                messages.rest.push(rest);
                ids[n] = id;
            }
            Body::Record => {}
        }
    }
    if !events.set_id.is_empty() {
        sql::run(
            "INSERT INTO cdp.events (set_id, \"time\", event_id, source_id, type, received_at, \
                 message_id, content_hash, properties, context, rest, name) \
             SELECT u.a, u.b, u.c, u.d, u.e, u.f, u.g, u.h, u.i::jsonb, u.j::jsonb, u.k::jsonb, u.l \
             FROM unnest($1::bigint[], $2::timestamptz[], $3::bigint[], $4::integer[], $5::text[], \
                  $6::timestamptz[], $7::text[], $8::bigint[], $9::text[], $10::text[], $11::text[], \
                  $12::text[]) u (a, b, c, d, e, f, g, h, i, j, k, l)",
            args![
                events.set_id,
                events.time,
                events.event_id,
                events.source_id,
                events.kind,
                events.received_at,
                events.message_id,
                events.content_hash,
                events.content,
                events.context,
                events.rest,
                events.name
            ],
        );
    }
    if !messages.set_id.is_empty() {
        sql::run(
            "INSERT INTO cdp.messages (set_id, \"time\", event_id, source_id, type, received_at, \
                 message_id, content_hash, traits, context, rest) \
             SELECT u.a, u.b, u.c, u.d, u.e, u.f, u.g, u.h, u.i::jsonb, u.j::jsonb, u.k::jsonb \
             FROM unnest($1::bigint[], $2::timestamptz[], $3::bigint[], $4::integer[], $5::text[], \
                  $6::timestamptz[], $7::text[], $8::bigint[], $9::text[], $10::text[], $11::text[]) \
                  u (a, b, c, d, e, f, g, h, i, j, k)",
            args![
                messages.set_id,
                messages.time,
                messages.event_id,
                messages.source_id,
                messages.kind,
                messages.received_at,
                messages.message_id,
                messages.content_hash,
                messages.content,
                messages.context,
                messages.rest
            ],
        );
    }
    ids
}
