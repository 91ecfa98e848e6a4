//! Reads what is stored again for identifiers, after a type or its normaliser changed. What now shows
//! other identifiers moves to another set; this is the one thing that rewrites stored messages.

use cdp_engine::message::{self, Reason};
use pgrx::datum::TimestampWithTimeZone;

use super::{Body, Statement, sets};
use crate::args;
use crate::pg::{Error, Result, sql, time};
use crate::rules::Rules;

/// How many are read before their sets are looked up.
const PART: usize = 20_000;

/// A stored message or row.
struct Place {
    storage: String,
    set_id: i64,
    time: TimestampWithTimeZone,
    event_id: i64,
    source_id: i32,
    key: Option<String>,
}

/// Reads all that is stored again under the rules in force.
pub fn all(rules: &Rules) -> Result<()> {
    let mut places = Vec::new();
    let mut statements = Vec::new();
    sql::stream(include_str!("../../sql/reread.sql"), args![], |row| {
        let place = Place {
            storage: row.want(1),
            set_id: row.want(2),
            time: row.want(3),
            event_id: row.want(4),
            source_id: row.want(5),
            key: row.get(6),
        };
        let identifiers = match &place.key {
            Some(key) => of_row(rules, place.source_id, key, &row.want::<String>(7))?,
            None => match of_message(rules, &row.want::<String>(7), time::from_pg(place.time)) {
                Some(identifiers) => identifiers,
                None => return Ok(()),
            },
        };
        statements.push(statement(&place, identifiers));
        places.push(place);
        if places.len() == PART {
            settle(rules, &mut places, &mut statements)?;
        }
        Ok(())
    })?;
    settle(rules, &mut places, &mut statements)
}

/// The identifiers of a stored message; `None` if it cannot be read any more, for its text grew past
/// the limit in storage: it stays in its set.
fn of_message(rules: &Rules, text: &str, received_at: i64) -> Option<Vec<(usize, String)>> {
    match message::parse(text, received_at, &rules.types) {
        Ok(message) => Some(super::read::normalise(rules, &message.found).0),
        // It was accepted for an identifier that is none any more: kept, unattributed.
        Err(rejection) if rejection.reason == Reason::NoIdentifier => Some(Vec::new()),
        Err(_) => None,
    }
}

fn of_row(rules: &Rules, source_id: i32, key: &str, shown: &str) -> Result<Vec<(usize, String)>> {
    let shown: Vec<(String, String)> = serde_json::from_str(shown)
        .map_err(|error| Error::internal(format!("a stored record cannot be read: {error}")))?;
    let mut identifiers: Vec<(usize, String)> = shown
        .iter()
        .filter_map(|(type_name, raw)| {
            let index = rules.types.index_of(type_name)?;
            Some((index, rules.types.normalise(index, raw).ok()?))
        })
        .collect();
    identifiers.extend(
        rules
            .record_types
            .get(&source_id)
            .map(|&index| (index, key.to_owned())),
    );
    identifiers.sort_unstable();
    identifiers.dedup();
    Ok(identifiers)
}

fn statement(place: &Place, identifiers: Vec<(usize, String)>) -> Statement {
    let time = time::from_pg(place.time);
    Statement {
        source_id: place.source_id,
        inbox_id: 0,
        received_at: time,
        time,
        linked_at: time,
        said_at: time,
        message_id: None,
        content_hash: 0,
        identifiers,
        trait_values: Vec::new(),
        body: Body::Record,
        set_id: place.set_id,
    }
}

/// Looks up the sets, and moves what now belongs to another.
fn settle(rules: &Rules, places: &mut Vec<Place>, statements: &mut Vec<Statement>) -> Result<()> {
    sets::resolve(rules, statements.iter_mut())?;
    let moved: Vec<(&Place, i64)> = places
        .iter()
        .zip(statements.iter())
        .filter(|(place, statement)| place.set_id != statement.set_id)
        .map(|(place, statement)| (place, statement.set_id))
        .collect();
    for (storage, table) in [("e", "cdp.events"), ("m", "cdp.messages")] {
        let of: Vec<_> = moved
            .iter()
            .filter(|(p, _)| p.event_id != 0 && is_in(p, storage))
            .collect();
        if !of.is_empty() {
            sql::run(
                &format!(
                    "UPDATE {table} t SET set_id = u.new FROM unnest($1::bigint[], $2::timestamptz[], \
                         $3::bigint[], $4::bigint[]) u (old, \"time\", event_id, new) \
                     WHERE t.set_id = u.old AND t.\"time\" = u.\"time\" AND t.event_id = u.event_id"
                ),
                args![
                    of.iter().map(|(p, _)| p.set_id).collect::<Vec<_>>(),
                    of.iter().map(|(p, _)| p.time).collect::<Vec<_>>(),
                    of.iter().map(|(p, _)| p.event_id).collect::<Vec<_>>(),
                    of.iter().map(|(_, new)| *new).collect::<Vec<_>>()
                ],
            );
        }
    }
    let rows: Vec<_> = moved.iter().filter(|(p, _)| p.key.is_some()).collect();
    if !rows.is_empty() {
        sql::run(
            "UPDATE cdp.records r SET set_id = u.set_id \
             FROM unnest($1::integer[], $2::text[], $3::bigint[]) u (source_id, key, set_id) \
             WHERE r.source_id = u.source_id AND r.key = u.key",
            args![
                rows.iter().map(|(p, _)| p.source_id).collect::<Vec<_>>(),
                rows.iter()
                    .map(|(p, _)| p.key.as_deref())
                    .collect::<Vec<_>>(),
                rows.iter().map(|(_, new)| *new).collect::<Vec<_>>()
            ],
        );
    }
    places.clear();
    statements.clear();
    Ok(())
}

/// Whether a place is in that storage; a mapped event is in `cdp.events` as well as in its record.
fn is_in(place: &Place, storage: &str) -> bool {
    place.storage == storage || (place.storage == "r" && storage == "e")
}
