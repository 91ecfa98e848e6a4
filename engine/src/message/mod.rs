//! Messages of the Segment spec: parsing, time correction, what cannot be stored.

mod canonical;
mod envelope;
mod identifiers;
pub(crate) mod json;
mod number;
mod scan;
pub(crate) mod time;

use std::fmt;

use serde_json::Value;
use serde_json::value::RawValue;

use crate::identifier::IdentifierTypes;
use canonical::Numbers;
use envelope::{Envelope, Field};
use json::{NodeId, Shape, Tree};

pub use scan::{MAX_BYTES, MAX_DEPTH};
pub use time::{EARLIEST_TIME, TIME_LIMIT, is_plausible_time};

/// The most bytes of a `messageId` and of an event's name: both are indexed.
pub const MAX_NAME_BYTES: usize = 1_024;

/// What a message is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Who somebody is.
    Identify,
    /// What somebody did.
    Track,
    /// A page that somebody looked at.
    Page,
    /// A screen of an app that somebody looked at.
    Screen,
    /// What somebody belongs to.
    Group,
    /// Two ids of one person.
    Alias,
}

impl Kind {
    const ALL: [Self; 6] = [
        Self::Identify,
        Self::Track,
        Self::Page,
        Self::Screen,
        Self::Group,
        Self::Alias,
    ];

    /// The `type` of such a message.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Identify => "identify",
            Self::Track => "track",
            Self::Page => "page",
            Self::Screen => "screen",
            Self::Group => "group",
            Self::Alias => "alias",
        }
    }

    /// Whether such a message is stored as an event.
    pub fn is_event(self) -> bool {
        matches!(self, Self::Track | Self::Page | Self::Screen)
    }
}

/// The name and the value of an identifier whose type is not declared.
pub type Undeclared = (String, String);

/// An identifier as a message shows it, before normalisation.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Found {
    /// The index of its type in the [`IdentifierTypes`] that the message was parsed with.
    pub type_index: usize,
    /// The text of the string or number.
    pub value: String,
}

/// One message.
#[derive(Clone, Debug)]
pub struct Message<'a> {
    /// What the message is.
    pub kind: Kind,
    /// The sender's id of the message.
    pub message_id: Option<String>,
    /// When it happened: corrected for the sender's clock, always within the years 1900 to 9999
    /// unless the time of receipt itself is not.
    pub time: i64,
    /// The event of a `track`, the name of a `page` or `screen`.
    pub name: Option<String>,
    /// The properties of an event, verbatim; always an object.
    pub properties: Option<&'a RawValue>,
    /// The traits of an `identify` or `group`, verbatim; always an object.
    pub traits: Option<&'a RawValue>,
    /// The context, verbatim; always an object.
    pub context: Option<&'a RawValue>,
    /// An object of every top-level field that is not in a field above in full, verbatim.
    pub rest: String,
    /// The identifiers, in order of type and value, each once. Never empty.
    pub found: Vec<Found>,
    /// Members of the `identifiers` object that are no declared type: name and value. They are stored
    /// with the message, and mean nothing as long as the type is not declared.
    pub undeclared: Vec<Undeclared>,
    /// What the message says of the person: the traits of an `identify`, the `context.traits` of any
    /// other message. A number that a double cannot hold exactly is a string of its digits.
    pub trait_values: Vec<(String, Value)>,
    /// A hash of all that the message says but when it was sent and received: equal for a retry,
    /// whatever its order of keys, white space, escapes, and ways to write a number.
    pub content_hash: i64,
}

/// Why a message is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Reason {
    /// The text is not JSON.
    NotJson,
    /// The JSON is not an object.
    NotAnObject,
    /// `type` (or the operation of a captured row) is none that is known.
    UnknownType,
    /// A field that must be there is not, or is blank.
    MissingField,
    /// A field holds a value of another type than it should.
    WrongType,
    /// The message holds something that PostgreSQL's `jsonb` cannot.
    NotStorable,
    /// The message is nested deeper than [`MAX_DEPTH`].
    TooDeep,
    /// The message is longer than [`MAX_BYTES`].
    TooLarge,
    /// `messageId` or a name is longer than [`MAX_NAME_BYTES`].
    TooLong,
    /// A time is not one, or not in the years 1900 to 9999.
    BadTimestamp,
    /// The message shows no identifier of a declared type.
    NoIdentifier,
    /// The row of a mapped table cannot be read.
    BadRecord,
}

impl Reason {
    /// The code that dead letters are counted and searched by.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NotJson => "not_json",
            Self::NotAnObject => "not_an_object",
            Self::UnknownType => "unknown_type",
            Self::MissingField => "missing_field",
            Self::WrongType => "wrong_type",
            Self::NotStorable => "not_storable",
            Self::TooDeep => "too_deep",
            Self::TooLarge => "too_large",
            Self::TooLong => "too_long",
            Self::BadTimestamp => "bad_timestamp",
            Self::NoIdentifier => "no_identifier",
            Self::BadRecord => "bad_record",
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A message that is not taken, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rejection {
    /// The code.
    pub reason: Reason,
    /// What exactly is wrong, for people.
    pub detail: String,
}

impl Rejection {
    pub(crate) fn new(reason: Reason, detail: impl Into<String>) -> Self {
        Self {
            reason,
            detail: detail.into(),
        }
    }
}

impl fmt::Display for Rejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.reason, self.detail)
    }
}

impl std::error::Error for Rejection {}

/// Parses one message that was received at a time.
///
/// Fields may be written in the spec's camelCase or, as warehouses do, in snake_case (`user_id`); of
/// both, camelCase counts. Ids may be strings or numbers. `null` and blank ids count as absent, and so
/// does `[]` for an object (PHP writes an empty one so). A message's own `receivedAt` does not count.
pub fn parse<'a>(
    text: &'a str,
    received_at: i64,
    types: &IdentifierTypes,
) -> Result<Message<'a>, Rejection> {
    let tree = Tree::scan(text)?;
    let mut fields = Envelope::read(&tree)?;
    let kind = fields.kind()?;

    let timestamp = fields.time(Field::Timestamp)?;
    let original = fields.time(Field::OriginalTimestamp)?;
    let sent_at = fields.time(Field::SentAt)?;
    let message_id = fields.id(Field::MessageId)?;
    let name = match kind {
        Kind::Track => Some(fields.required(Field::Event, Envelope::text)?),
        Kind::Page | Kind::Screen => fields.text(Field::Name)?,
        Kind::Identify | Kind::Group | Kind::Alias => None,
    };
    check_length("messageId", message_id.as_deref())?;
    check_length("the name", name.as_deref())?;
    match kind {
        Kind::Group => drop(fields.required(Field::GroupId, Envelope::id)?),
        Kind::Alias => drop(fields.required(Field::PreviousId, Envelope::id)?),
        _ => {}
    }
    fields.id(Field::UserId)?;
    fields.id(Field::AnonymousId)?;

    let context = fields.object(Field::Context)?;
    let properties = match kind.is_event() {
        true => fields.object(Field::Properties)?,
        false => None,
    };
    let traits = match kind {
        Kind::Identify | Kind::Group => fields.object(Field::Traits)?,
        _ => None,
    };
    let person_traits = match kind {
        Kind::Identify => traits,
        _ => context.and_then(|context| tree.get(context, "traits")),
    };

    let (found, undeclared) = identifiers::find(&tree, &fields, kind, types)?;
    if found.is_empty() {
        let mut detail = "the message shows no identifier of a declared type".to_owned();
        if !undeclared.is_empty() {
            let names: Vec<&str> = undeclared.iter().map(|(name, _)| name.as_str()).collect();
            detail = format!("{detail}; not declared: {}", names.join(", "));
        }
        return Err(Rejection::new(Reason::NoIdentifier, detail));
    }
    Ok(Message {
        kind,
        message_id,
        time: time::corrected(timestamp, original, sent_at, received_at),
        name,
        properties: raw(&tree, properties)?,
        traits: raw(&tree, traits)?,
        context: raw(&tree, context)?,
        rest: fields.rest(),
        found,
        undeclared,
        trait_values: person_traits.map_or_else(Vec::new, |id| members(&tree, id)),
        content_hash: canonical::content_hash(&tree, Numbers::ByValue, is_of_sending),
    })
}

/// The hash of a message as it was once, with numbers as they are written, for what was accepted then;
/// `None` if it is no message.
pub fn former_content_hash(text: &str) -> Option<i64> {
    let tree = Tree::scan(text).ok()?;
    Envelope::read(&tree).ok()?;
    Some(canonical::content_hash(
        &tree,
        Numbers::AsWritten,
        is_of_sending,
    ))
}

/// Whether a field says when the message was sent or received.
fn is_of_sending(key: &str) -> bool {
    matches!(
        envelope::field_of(key),
        Some((Field::SentAt | Field::ReceivedAt, _))
    )
}

fn check_length(what: &str, value: Option<&str>) -> Result<(), Rejection> {
    match value.map_or(0, str::len) {
        length if length > MAX_NAME_BYTES => {
            let detail = format!("{what} has {length} bytes; the most is {MAX_NAME_BYTES}");
            Err(Rejection::new(Reason::TooLong, detail))
        }
        _ => Ok(()),
    }
}

fn raw<'a>(tree: &Tree<'a>, id: Option<NodeId>) -> Result<Option<&'a RawValue>, Rejection> {
    // The scanner takes nothing that serde_json does not, so this never fails in practice.
    id.map(|id| serde_json::from_str(tree.text(id)))
        .transpose()
        .map_err(|error| Rejection::new(Reason::NotJson, error.to_string()))
}

/// What the text of a traits object says, as [`Message::trait_values`] of the message it came with.
pub fn trait_values(text: &str) -> Result<Vec<(String, Value)>, Rejection> {
    Ok(members(&Tree::scan(text)?, Tree::ROOT))
}

/// The members of an object, of a key given twice the last.
fn members(tree: &Tree<'_>, object: NodeId) -> Vec<(String, Value)> {
    if tree.shape(object) != Shape::Object {
        return Vec::new();
    }
    match tree.value(object) {
        Value::Object(map) => map.into_iter().collect(),
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests;
