//! Evidence: accepted messages and captured rows, deduplicated, with their identifiers and sets.
//! Nothing here decides who is who.
//!
//! A [`Statement`] is what one message, or one row of a mapped table, says: identifiers, a time,
//! trait values, perhaps an event. From here on the pipeline knows no other form.

pub mod keys;
pub mod partitions;
pub mod read;
pub mod reread;
pub mod revoked;
pub mod rows;
pub mod sets;
pub mod store;
pub mod tally;

use serde_json::Value;

/// What one message or one row of a mapped table says.
#[derive(Debug)]
pub struct Statement {
    /// Its source.
    pub source_id: i32,
    /// The inbox id it came with.
    pub inbox_id: i64,
    /// When it was received.
    pub received_at: i64,
    /// When it happened.
    pub time: i64,
    /// The time that its links date from.
    pub linked_at: i64,
    /// When its trait values were said: the time of a message, the last change of a record.
    pub said_at: i64,
    /// The sender's id of it; of a mapped row, its key.
    pub message_id: Option<String>,
    /// Hash of what it says.
    pub content_hash: i64,
    /// Its normalised identifiers: type index and value.
    pub identifiers: Vec<(usize, String)>,
    /// What it says of the person.
    pub trait_values: Vec<(String, Value)>,
    /// What is stored of it.
    pub body: Body,
    /// Its identifier set; known after [`sets::resolve`].
    pub set_id: i64,
}

/// What is stored of a statement.
#[derive(Debug)]
pub enum Body {
    /// A track, page or screen message, or a mapped event.
    Event {
        /// `track`, `page`, `screen`.
        kind: &'static str,
        /// Name of the event or page.
        name: Option<String>,
        /// JSON.
        properties: Option<String>,
        /// JSON.
        context: Option<String>,
        /// Every other field, JSON.
        rest: Option<String>,
    },
    /// An identify, group or alias message.
    Message {
        /// `identify`, `group`, `alias`.
        kind: &'static str,
        /// JSON.
        traits: Option<String>,
        /// JSON.
        context: Option<String>,
        /// Every other field, JSON.
        rest: Option<String>,
    },
    /// A record: the row itself is stored as a row version.
    Record,
}

impl Statement {
    /// What breaks ties of time between this and other statements.
    pub fn tie(&self) -> String {
        tie(self.message_id.as_deref(), self.content_hash)
    }
}

/// What breaks ties of time between statements: something that a message carries itself.
pub fn tie(message_id: Option<&str>, content_hash: i64) -> String {
    message_id.map_or_else(|| format!("{content_hash:016x}"), str::to_owned)
}
