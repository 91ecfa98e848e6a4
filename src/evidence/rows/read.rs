//! Reading a captured row under its mapping: what it changes, and why it cannot stand.

use cdp_engine::message::Rejection;
use cdp_engine::record::{Operation, parse_capture};

use super::{Capture, Change, Row, RowChange};
use crate::evidence::read::{Issues, check_traits};
use crate::ingest::inbox::Arrival;
use crate::mapping::{self, LoadedMapping};
use crate::rules::{Rules, Source};

/// Why a row cannot be read: reason and detail.
pub type Fault = (String, String);

/// What a captured row changes; and where it is no evidence any more, why. Whatever stood for it
/// before is withdrawn then: what it said is no longer so.
#[derive(Debug, Default)]
pub struct Read {
    /// What changes.
    pub changes: Vec<RowChange>,
    /// Why the row as it is now cannot stand.
    pub fault: Option<Fault>,
}

impl From<Vec<RowChange>> for Read {
    fn from(changes: Vec<RowChange>) -> Self {
        Self {
            changes,
            fault: None,
        }
    }
}

/// Reads a captured row under its mapping: what changed, or why it cannot be read at all.
pub fn read(
    rules: &Rules,
    source: &Source,
    mapping: Option<&LoadedMapping>,
    arrival: &Arrival,
    text: &str,
    issues: &mut Issues,
) -> Result<Read, Fault> {
    let fault = |reason: &str, detail: &str| (reason.to_owned(), detail.to_owned());
    let rejected = |r: Rejection| (r.reason.as_str().to_owned(), r.detail);
    let capture = parse_capture(text).map_err(rejected)?;
    let change = |what| RowChange {
        at: Capture {
            source_id: source.id,
            version: arrival.id,
            received_at: arrival.received_at,
            part: capture.relation.clone(),
        },
        what,
    };
    if capture.operation == Operation::Truncate {
        let whole = mapping::is_every_part(&capture.relation);
        return Ok(vec![change(Change::Truncate { whole })].into());
    }
    let mapping =
        mapping.ok_or_else(|| fault("not_mapped", "the source maps no table any more"))?;
    let former = mapping.former_key(&capture);
    let mut changes: Vec<RowChange> = former
        .map(|key| change(Change::Delete { key }))
        .into_iter()
        .collect();
    let Some(key) = mapping.key(&capture) else {
        let whole = mapping.interpret(&capture).map_err(rejected);
        let no_key = || fault("bad_record", "the row has no key");
        return Ok(Read {
            changes,
            fault: Some(whole.err().unwrap_or_else(no_key)),
        });
    };
    if key.len() > 1024 {
        let fault = fault("too_long", "the key of a row has at most 1,024 bytes");
        return Ok(Read {
            changes,
            fault: Some(fault),
        });
    }
    let row = match mapping.interpret(&capture) {
        Ok(row) => row,
        Err(rejection) => {
            changes.push(change(Change::Delete { key }));
            return Ok(Read {
                changes,
                fault: Some(rejected(rejection)),
            });
        }
    };
    for column in &row.missing {
        issues.add(arrival, source.id, "column", column, "missing", &row.key);
    }
    if capture.operation == Operation::Delete {
        changes.push(change(Change::Delete { key: row.key }));
        return Ok(changes.into());
    }
    let mut identifiers = Vec::new();
    if let Some(&index) = rules.record_types.get(&source.id) {
        identifiers.push((index, row.key.clone()));
    }
    for (type_name, raw) in &row.identifiers {
        let found = rules
            .types
            .index_of(type_name)
            .ok_or("unknown_type")
            .and_then(|index| {
                let value = rules
                    .types
                    .normalise(index, raw)
                    .map_err(|invalid| invalid.reason)?;
                Ok((index, value))
            });
        match found {
            Ok(identifier) => identifiers.push(identifier),
            Err(reason) => {
                issues.add(arrival, source.id, "identifier", type_name, reason, raw);
            }
        }
    }
    identifiers.sort_unstable();
    identifiers.dedup();
    let unfit = if identifiers.is_empty() {
        Some(fault("no_identifier", "the row shows no identifier"))
    } else if mapping.is_events() && row.time.is_none() {
        let detail = "the event's time is NULL or not a time";
        Some(fault("bad_timestamp", detail))
    } else {
        None
    };
    if unfit.is_some() {
        changes.push(change(Change::Delete { key: row.key }));
        return Ok(Read {
            changes,
            fault: unfit,
        });
    }
    check_traits(rules, source.id, arrival, &row.traits, issues);
    changes.push(change(Change::Put(Box::new(Row {
        key: row.key,
        json: row.row.to_string(),
        identifiers,
        shown: row.identifiers,
        trait_values: row.traits,
        time: if mapping.is_events() {
            row.time
        } else {
            row.created_at
        },
        said_at: row.time,
        event: mapping
            .is_events()
            .then(|| (row.event.unwrap_or_default(), row.properties.to_string())),
        max_backdate: source.max_backdate,
    }))));
    Ok(changes.into())
}
