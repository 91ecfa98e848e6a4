//! A flat index over one JSON text.
//!
//! Everything that is read from a message (fields, paths, the content hash, trait values) is read from
//! this index, so the text is parsed once. Nothing here recurses, so no nesting can overflow the stack.

use std::borrow::Cow;

use serde_json::{Map, Number, Value};

use super::{Rejection, number, scan};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    Null,
    Bool,
    Number,
    String,
    Array,
    Object,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Node {
    pub(super) shape: Shape,
    /// Whether a string holds escapes, and so differs from its text.
    pub(super) escaped: bool,
    /// The bytes of the text that this node is.
    pub(super) start: u32,
    pub(super) end: u32,
    /// The node that follows this one and all it contains.
    pub(super) after: NodeId,
}

/// The number of a node: its place in the text's order.
pub(crate) type NodeId = u32;

/// The nodes of one JSON text, parents before children. A member of an object is two nodes: the key,
/// then the value.
#[derive(Debug)]
pub(crate) struct Tree<'a> {
    text: &'a str,
    nodes: Vec<Node>,
}

impl<'a> Tree<'a> {
    /// Indexes a text, or says why it is not JSON that can be stored.
    pub(crate) fn scan(text: &'a str) -> Result<Self, Rejection> {
        let nodes = scan::nodes(text)?;
        Ok(Self { text, nodes })
    }

    /// The node of the whole text.
    pub(crate) const ROOT: NodeId = 0;

    fn node(&self, id: NodeId) -> Node {
        self.nodes[id as usize]
    }

    pub(crate) fn shape(&self, id: NodeId) -> Shape {
        self.node(id).shape
    }

    /// The text of a node, verbatim: a string with its quotes.
    pub(crate) fn text(&self, id: NodeId) -> &'a str {
        let node = self.node(id);
        &self.text[node.start as usize..node.end as usize]
    }

    /// The text from the start of one node to the end of another.
    pub(crate) fn text_between(&self, first: NodeId, last: NodeId) -> &'a str {
        &self.text[self.node(first).start as usize..self.node(last).end as usize]
    }

    /// What a string says; the bare text of any other node.
    pub(crate) fn string(&self, id: NodeId) -> Cow<'a, str> {
        let node = self.node(id);
        match node.shape {
            Shape::String if node.escaped => Cow::Owned(unescape(self.inner(node))),
            Shape::String => Cow::Borrowed(self.inner(node)),
            _ => Cow::Borrowed(self.text(id)),
        }
    }

    /// What a string with escapes says; `None` for a node that says just what its text is.
    pub(crate) fn escaped_string(&self, id: NodeId) -> Option<String> {
        let node = self.node(id);
        node.escaped.then(|| unescape(self.inner(node)))
    }

    /// The text between the quotes of a string.
    fn inner(&self, node: Node) -> &'a str {
        &self.text[node.start as usize + 1..node.end as usize - 1]
    }

    /// The keys and values of an object; nothing for any other node.
    pub(crate) fn members(&self, id: NodeId) -> impl Iterator<Item = (NodeId, NodeId)> + '_ {
        let mut values = self.children(id, Shape::Object);
        std::iter::from_fn(move || Some((values.next()?, values.next()?)))
    }

    /// The elements of an array; nothing for any other node.
    pub(crate) fn elements(&self, id: NodeId) -> impl Iterator<Item = NodeId> + '_ {
        self.children(id, Shape::Array)
    }

    pub(crate) fn is_empty_array(&self, id: NodeId) -> bool {
        self.shape(id) == Shape::Array && self.elements(id).next().is_none()
    }

    fn children(&self, id: NodeId, shape: Shape) -> impl Iterator<Item = NodeId> + '_ {
        let node = self.node(id);
        let end = if node.shape == shape { node.after } else { id };
        let mut next = id + 1;
        std::iter::from_fn(move || {
            if next >= end {
                return None;
            }
            let child = next;
            next = self.node(child).after;
            Some(child)
        })
    }

    /// The value of a key. Of keys given twice the last counts, as in `jsonb`.
    pub(crate) fn get(&self, object: NodeId, key: &str) -> Option<NodeId> {
        self.members(object)
            .filter(|&(k, _)| self.is_key(k, key))
            .last()
            .map(|(_, value)| value)
    }

    fn is_key(&self, id: NodeId, key: &str) -> bool {
        let node = self.node(id);
        if node.escaped {
            return self.string(id) == key;
        }
        // The lengths first: this runs for every member of every object on a declared path.
        (node.end - node.start) as usize == key.len() + 2 && self.inner(node) == key
    }

    /// The text of a string or a number, unless it is blank: what a field such as `userId` says.
    pub(crate) fn scalar(&self, id: NodeId) -> Option<Cow<'a, str>> {
        match self.shape(id) {
            Shape::String | Shape::Number => {
                Some(self.string(id)).filter(|text| !text.trim().is_empty())
            }
            _ => None,
        }
    }

    /// A node as a value. A number that a double cannot hold exactly becomes a string of its digits,
    /// so that none is lost.
    pub(crate) fn value(&self, id: NodeId) -> Value {
        // Children come after their parents, so going backwards finds every child ready, the first
        // on top.
        let mut ready: Vec<Value> = Vec::new();
        for id in (id..self.node(id).after).rev() {
            let value = match self.shape(id) {
                Shape::Array => self
                    .elements(id)
                    .map(|_| ready.pop().unwrap_or_default())
                    .collect(),
                Shape::Object => {
                    let mut map = Map::new();
                    for _ in self.members(id) {
                        if let (Some(Value::String(key)), Some(value)) = (ready.pop(), ready.pop())
                        {
                            map.insert(key, value);
                        }
                    }
                    Value::Object(map)
                }
                _ => self.scalar_value(id),
            };
            ready.push(value);
        }
        ready.pop().unwrap_or_default()
    }

    fn scalar_value(&self, id: NodeId) -> Value {
        match self.shape(id) {
            Shape::String => Value::String(self.string(id).into_owned()),
            Shape::Number => number_value(self.text(id)),
            Shape::Bool => Value::Bool(self.text(id) == "true"),
            Shape::Null | Shape::Array | Shape::Object => Value::Null,
        }
    }
}

/// A JSON number as a value; where no `i64`, `u64` or `f64` holds it exactly, as a string of its
/// digits, in the notation in which `jsonb` gives it back.
pub(crate) fn number_value(text: &str) -> Value {
    if let Ok(number) = text.parse::<i64>() {
        // "-0" is an integer only to Rust: as an i64 it would lose its sign, which says nothing.
        return Value::from(number);
    }
    if let Ok(number) = text.parse::<u64>() {
        return Value::from(number);
    }
    match text.parse::<f64>() {
        Ok(float) if number::same(text, float) => {
            Number::from_f64(float).map_or_else(|| Value::from(number::plain(text)), Value::Number)
        }
        _ => Value::from(number::plain(text)),
    }
}

/// Resolves the escapes of a string that the scanner has accepted.
fn unescape(inner: &str) -> String {
    let mut out = String::with_capacity(inner.len());
    let mut rest = inner;
    while let Some(at) = rest.find('\\') {
        out.push_str(&rest[..at]);
        let escape = rest.as_bytes().get(at + 1).copied().unwrap_or(b'\\');
        rest = rest.get(at + 2..).unwrap_or_default();
        match escape {
            b'b' => out.push('\u{8}'),
            b'f' => out.push('\u{c}'),
            b'n' => out.push('\n'),
            b'r' => out.push('\r'),
            b't' => out.push('\t'),
            b'u' => {
                let (unit, after) = hex_unit(rest);
                rest = after;
                let mut code = unit;
                if (0xD800..0xDC00).contains(&unit) {
                    let (low, after) = hex_unit(rest.get(2..).unwrap_or_default());
                    rest = after;
                    code = 0x10000 + ((unit - 0xD800) << 10) + (low & 0x3FF);
                }
                out.push(char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER));
            }
            other => out.push(char::from(other)),
        }
    }
    out.push_str(rest);
    out
}

/// Takes the four hexadecimal digits at the start of a text.
fn hex_unit(text: &str) -> (u32, &str) {
    let unit = text
        .get(..4)
        .and_then(|hex| u32::from_str_radix(hex, 16).ok());
    (unit.unwrap_or_default(), text.get(4..).unwrap_or_default())
}

#[cfg(test)]
#[path = "json_tests.rs"]
mod tests;
