//! Exactly once: what was accepted is known by source and messageId. The first accepted stands; a
//! copy with the same content is a duplicate, one with other content a dead letter.

use std::collections::HashMap;

use super::Statement;
use super::read::DeadLetter;
use cdp_engine::message;

use crate::ingest::inbox::Arrival;
use crate::pg::append::append;
use crate::pg::look_up;

/// Source of the keys of messages that carry no id: they are known by their inbox id.
const NO_MESSAGE_ID: i32 = 0;

/// What is left after deduplication.
pub struct Deduplicated {
    /// New statements.
    pub statements: Vec<Statement>,
    /// Those sent before: their inbox ids.
    pub repeated: Vec<i64>,
    /// Copies with other content.
    pub dead: Vec<DeadLetter>,
}

/// Keeps what is new, and remembers it.
pub fn deduplicate(statements: Vec<Statement>, arrivals: &[Arrival]) -> Deduplicated {
    let mut out = Deduplicated {
        statements: Vec::new(),
        repeated: Vec::new(),
        dead: Vec::new(),
    };
    if statements.is_empty() {
        return out;
    }
    let keyed: Vec<(Key, Statement)> = statements
        .into_iter()
        .map(|statement| (key_of(&statement), statement))
        .collect();
    let mut accepted = accepted_before(keyed.iter().map(|(key, _)| key));
    let mut new = Vec::with_capacity(keyed.len());
    for (key, statement) in keyed {
        match accepted.get(&key) {
            None => {
                accepted.insert(key.clone(), statement.content_hash);
                new.push((key, statement));
            }
            Some(&hash) => out.repeat(statement, hash, arrivals),
        }
    }
    if new.is_empty() {
        return out;
    }
    // Under the pipeline lock nobody else accepts anything between the look and this.
    append(
        "cdp.message_keys",
        &["source_id", "message_id", "content_hash"],
        &new,
        |values, (key, statement)| {
            values
                .put(key.0)
                .put(key.1.as_str())
                .put(statement.content_hash);
        },
    );
    out.statements
        .extend(new.into_iter().map(|(_, statement)| statement));
    out
}

type Key = (i32, String);

/// Those of these keys that were accepted before, with the hash of what was accepted.
fn accepted_before<'a>(keys: impl Iterator<Item = &'a Key>) -> HashMap<Key, i64> {
    let mut accepted = HashMap::new();
    look_up::each(
        ("cdp.message_keys", &["source_id", "message_id"]),
        &["content_hash"],
        keys,
        |values, key| {
            values.put(key.0).put(key.1.as_str());
        },
        |key, found| {
            accepted.insert(key.clone(), found.want(1));
        },
    );
    accepted
}

impl Deduplicated {
    fn repeat(&mut self, statement: Statement, accepted_hash: i64, arrivals: &[Arrival]) {
        if statement.content_hash == accepted_hash {
            self.repeated.push(statement.inbox_id);
        } else if let Some(arrival) = arrivals.iter().find(|a| a.id == statement.inbox_id) {
            let former = arrival
                .text
                .as_deref()
                .and_then(message::former_content_hash);
            if former == Some(accepted_hash) {
                self.repeated.push(statement.inbox_id);
                return;
            }
            let id = statement.message_id.unwrap_or_default();
            self.dead.push(DeadLetter::of(
                arrival,
                "conflicting_duplicate",
                format!("messageId \"{id}\" of this source was accepted before with other content"),
            ));
        }
    }
}

fn key_of(statement: &Statement) -> Key {
    match &statement.message_id {
        Some(id) => (statement.source_id, id.clone()),
        None => (NO_MESSAGE_ID, statement.inbox_id.to_string()),
    }
}
