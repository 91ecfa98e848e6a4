//! The top-level fields of a message.

use std::borrow::Cow;

use super::json::{NodeId, Shape, Tree};
use super::{Kind, Reason, Rejection, time};

/// The fields that mean something here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Field {
    Type,
    MessageId,
    UserId,
    AnonymousId,
    PreviousId,
    GroupId,
    Event,
    Name,
    Properties,
    Traits,
    Context,
    Timestamp,
    OriginalTimestamp,
    SentAt,
    ReceivedAt,
    Identifiers,
}

const FIELDS: usize = Field::Identifiers as usize + 1;

impl Field {
    /// The name in the Segment spec.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Type => "type",
            Self::MessageId => "messageId",
            Self::UserId => "userId",
            Self::AnonymousId => "anonymousId",
            Self::PreviousId => "previousId",
            Self::GroupId => "groupId",
            Self::Event => "event",
            Self::Name => "name",
            Self::Properties => "properties",
            Self::Traits => "traits",
            Self::Context => "context",
            Self::Timestamp => "timestamp",
            Self::OriginalTimestamp => "originalTimestamp",
            Self::SentAt => "sentAt",
            Self::ReceivedAt => "receivedAt",
            Self::Identifiers => "identifiers",
        }
    }
}

/// The field that a key names, and whether it is the name of the spec rather than its snake_case form.
pub(super) fn field_of(key: &str) -> Option<(Field, bool)> {
    Some(match key {
        "type" => (Field::Type, true),
        "messageId" => (Field::MessageId, true),
        "message_id" => (Field::MessageId, false),
        "userId" => (Field::UserId, true),
        "user_id" => (Field::UserId, false),
        "anonymousId" => (Field::AnonymousId, true),
        "anonymous_id" => (Field::AnonymousId, false),
        "previousId" => (Field::PreviousId, true),
        "previous_id" => (Field::PreviousId, false),
        "groupId" => (Field::GroupId, true),
        "group_id" => (Field::GroupId, false),
        "event" => (Field::Event, true),
        "name" => (Field::Name, true),
        "properties" => (Field::Properties, true),
        "traits" => (Field::Traits, true),
        "context" => (Field::Context, true),
        "timestamp" => (Field::Timestamp, true),
        "originalTimestamp" => (Field::OriginalTimestamp, true),
        "original_timestamp" => (Field::OriginalTimestamp, false),
        "sentAt" => (Field::SentAt, true),
        "sent_at" => (Field::SentAt, false),
        "receivedAt" => (Field::ReceivedAt, true),
        "received_at" => (Field::ReceivedAt, false),
        "identifiers" => (Field::Identifiers, true),
        _ => return None,
    })
}

/// Where the fields of a message are.
pub(super) struct Envelope<'t, 'a> {
    tree: &'t Tree<'a>,
    fields: [Option<NodeId>; FIELDS],
    /// The values that the message's own columns hold in full, and that `rest` need not repeat.
    taken: Vec<NodeId>,
}

impl<'t, 'a> Envelope<'t, 'a> {
    pub(super) fn read(tree: &'t Tree<'a>) -> Result<Self, Rejection> {
        if tree.shape(Tree::ROOT) != Shape::Object {
            let detail = "a message must be a JSON object";
            return Err(Rejection::new(Reason::NotAnObject, detail));
        }
        let mut own = [None; FIELDS];
        let mut snake = [None; FIELDS];
        for (key, value) in tree.members(Tree::ROOT) {
            if let Some((field, is_own)) = field_of(&tree.string(key)) {
                let names = if is_own { &mut own } else { &mut snake };
                names[field as usize] = Some(value);
            }
        }
        let given = |id: &NodeId| tree.shape(*id) != Shape::Null;
        let mut fields = [None; FIELDS];
        for (field, slot) in fields.iter_mut().enumerate() {
            *slot = own[field].filter(given).or(snake[field].filter(given));
        }
        Ok(Self {
            tree,
            fields,
            taken: Vec::with_capacity(8),
        })
    }

    /// Where a field is; `None` if it is absent or `null`.
    pub(super) fn get(&self, field: Field) -> Option<NodeId> {
        self.fields[field as usize]
    }

    pub(super) fn kind(&mut self) -> Result<Kind, Rejection> {
        let text = self.required(Field::Type, Self::text)?;
        Kind::ALL
            .into_iter()
            .find(|kind| kind.as_str() == text)
            .ok_or_else(|| Rejection::new(Reason::UnknownType, format!("type \"{text}\"")))
    }

    /// A field that must not be absent or blank.
    pub(super) fn required<T>(
        &mut self,
        field: Field,
        read: impl FnOnce(&mut Self, Field) -> Result<Option<T>, Rejection>,
    ) -> Result<T, Rejection> {
        read(self, field)?.ok_or_else(|| {
            let detail = format!("{} is missing or blank", field.name());
            Rejection::new(Reason::MissingField, detail)
        })
    }

    /// A field that must be a string.
    pub(super) fn text(&mut self, field: Field) -> Result<Option<String>, Rejection> {
        let Some(id) = self.get(field) else {
            return Ok(None);
        };
        if self.tree.shape(id) != Shape::String {
            return Err(self.wrong_type(field, "a string"));
        }
        Ok(self.take_text(id))
    }

    /// A field that must be a string or a number, of which the text counts.
    pub(super) fn id(&mut self, field: Field) -> Result<Option<String>, Rejection> {
        let Some(id) = self.get(field) else {
            return Ok(None);
        };
        if !matches!(self.tree.shape(id), Shape::String | Shape::Number) {
            return Err(self.wrong_type(field, "a string or a number"));
        }
        if field == Field::MessageId && self.tree.shape(id) == Shape::String {
            return Ok(self.take_text(id));
        }
        Ok(self.tree.scalar(id).map(Cow::into_owned))
    }

    fn take_text(&mut self, id: NodeId) -> Option<String> {
        let text = self.tree.scalar(id)?.into_owned();
        self.taken.push(id);
        Some(text)
    }

    /// A field that must be an object. An empty array is an empty object to PHP.
    pub(super) fn object(&mut self, field: Field) -> Result<Option<NodeId>, Rejection> {
        match self.get(field) {
            None => Ok(None),
            Some(id) if self.tree.shape(id) == Shape::Object => {
                self.taken.push(id);
                Ok(Some(id))
            }
            Some(id) if self.tree.is_empty_array(id) => Ok(None),
            Some(_) => Err(self.wrong_type(field, "an object")),
        }
    }

    /// A field that must be a time; blank counts as absent.
    pub(super) fn time(&self, field: Field) -> Result<Option<i64>, Rejection> {
        let Some(id) = self.get(field) else {
            return Ok(None);
        };
        let time = match self.tree.shape(id) {
            Shape::String => match self.tree.scalar(id) {
                Some(text) => time::read_text(&text),
                None => return Ok(None),
            },
            Shape::Number => time::read_epoch(self.tree.text(id)),
            _ => return Err(self.wrong_type(field, "a string or a number")),
        };
        match time {
            Some(time) => Ok(Some(time)),
            None => {
                let shown: String = self.tree.text(id).chars().take(60).collect();
                let detail = format!("{} {shown} is no time from 1900 to 9999", field.name());
                Err(Rejection::new(Reason::BadTimestamp, detail))
            }
        }
    }

    pub(super) fn wrong_type(&self, field: Field, wanted: &str) -> Rejection {
        let detail = format!("{} must be {wanted}", field.name());
        Rejection::new(Reason::WrongType, detail)
    }

    /// An object of all members that nothing has taken.
    pub(super) fn rest(&self) -> String {
        let members = self.tree.members(Tree::ROOT);
        let mut rest = String::from("{");
        for (key, value) in members.filter(|(_, value)| !self.taken.contains(value)) {
            if rest.len() > 1 {
                rest.push(',');
            }
            rest.push_str(self.tree.text_between(key, value));
        }
        rest.push('}');
        rest
    }
}
