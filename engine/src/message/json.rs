//! A flat index over one JSON text.
//!
//! One pass checks that the text is JSON *and* that PostgreSQL's `jsonb` can hold every part of it,
//! and notes where each value lies. Everything later (fields, paths, the content hash, trait values)
//! reads that index instead of parsing again. Nothing here recurses, so no nesting can overflow the
//! stack: that is why this is not built on `serde_json`, whose own limit of 128 levels is too low and
//! whose unlimited mode is recursive.

use std::borrow::Cow;

use serde_json::{Map, Number, Value};

use super::number;
use super::{Reason, Rejection};

/// The deepest nesting that is stored. PostgreSQL parses JSON recursively, and this stays far from
/// the end of its stack at the default `max_stack_depth`.
pub const MAX_DEPTH: usize = 2_000;

/// The longest text of one message. `jsonb` holds at most 256 MB, and a short number takes up to
/// eight times its text there.
pub const MAX_BYTES: usize = 32 << 20;

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
struct Node {
    shape: Shape,
    /// Whether a string holds escapes, and so differs from its text.
    escaped: bool,
    start: u32,
    end: u32,
    /// The node that follows this one and all it contains.
    after: u32,
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
        if text.len() > MAX_BYTES {
            let detail = format!("{} bytes; the most is {MAX_BYTES}", text.len());
            return Err(Rejection::new(Reason::TooLarge, detail));
        }
        let mut scanner = Scanner {
            text: text.as_bytes(),
            at: 0,
            nodes: Vec::with_capacity(text.len() / 8 + 8),
            open: Vec::new(),
        };
        scanner.document()?;
        Ok(Self {
            text,
            nodes: scanner.nodes,
        })
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
        if node.shape != Shape::String {
            return Cow::Borrowed(self.text(id));
        }
        let inner = &self.text[node.start as usize + 1..node.end as usize - 1];
        if node.escaped {
            Cow::Owned(unescape(inner))
        } else {
            Cow::Borrowed(inner)
        }
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
        &self.text[node.start as usize + 1..node.end as usize - 1] == key
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

/// A JSON number as a value; as a string of its digits where no `i64`, `u64` or `f64` holds it
/// exactly.
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
            Number::from_f64(float).map_or_else(|| Value::from(text), Value::Number)
        }
        _ => Value::from(text),
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

struct Scanner<'a> {
    text: &'a [u8],
    at: usize,
    nodes: Vec<Node>,
    /// The containers not yet closed, outermost first.
    open: Vec<NodeId>,
}

impl Scanner<'_> {
    fn document(&mut self) -> Result<(), Rejection> {
        loop {
            self.value()?;
            loop {
                self.skip_space();
                let Some(&container) = self.open.last() else {
                    return match self.peek() {
                        None => Ok(()),
                        Some(_) => Err(self.not_json("text after the end")),
                    };
                };
                let is_object = self.nodes[container as usize].shape == Shape::Object;
                // A container that has just been opened has no value before its end.
                let is_empty = container as usize + 1 == self.nodes.len();
                match self.peek() {
                    Some(b'}') if is_object => self.close(container),
                    Some(b']') if !is_object => self.close(container),
                    Some(b',') if !is_empty => {
                        self.at += 1;
                        if is_object {
                            self.key()?;
                        }
                        break;
                    }
                    Some(_) if is_empty => {
                        if is_object {
                            self.key()?;
                        }
                        break;
                    }
                    _ => return Err(self.not_json("a comma or the end of a container is missing")),
                }
            }
        }
    }

    /// Reads a scalar, or the opening bracket of a container.
    fn value(&mut self) -> Result<(), Rejection> {
        self.skip_space();
        match self.peek() {
            Some(b'"') => self.string(),
            Some(b'{') => self.open(Shape::Object),
            Some(b'[') => self.open(Shape::Array),
            Some(b't') => self.word("true", Shape::Bool),
            Some(b'f') => self.word("false", Shape::Bool),
            Some(b'n') => self.word("null", Shape::Null),
            Some(b'-' | b'0'..=b'9') => self.number(),
            _ => Err(self.not_json("a value is missing")),
        }
    }

    fn key(&mut self) -> Result<(), Rejection> {
        self.skip_space();
        if self.peek() != Some(b'"') {
            return Err(self.not_json("a key is missing"));
        }
        self.string()?;
        self.skip_space();
        if self.peek() != Some(b':') {
            return Err(self.not_json("a colon is missing"));
        }
        self.at += 1;
        Ok(())
    }

    fn open(&mut self, shape: Shape) -> Result<(), Rejection> {
        if self.open.len() >= MAX_DEPTH {
            let detail = format!("nested deeper than {MAX_DEPTH} levels");
            return Err(Rejection::new(Reason::TooDeep, detail));
        }
        self.open.push(self.nodes.len() as NodeId);
        self.at += 1;
        // The end is filled in when the container closes.
        self.push(shape, self.at - 1, false);
        Ok(())
    }

    fn close(&mut self, container: NodeId) {
        self.at += 1;
        self.open.pop();
        let after = self.nodes.len() as NodeId;
        let node = &mut self.nodes[container as usize];
        node.end = self.at as u32;
        node.after = after;
    }

    /// Notes a node that ends here. The casts hold because of [`MAX_BYTES`].
    fn push(&mut self, shape: Shape, start: usize, escaped: bool) {
        self.nodes.push(Node {
            shape,
            escaped,
            start: start as u32,
            end: self.at as u32,
            after: self.nodes.len() as NodeId + 1,
        });
    }

    fn word(&mut self, word: &str, shape: Shape) -> Result<(), Rejection> {
        let start = self.at;
        if !self.text[start..].starts_with(word.as_bytes()) {
            return Err(self.not_json("a value is missing"));
        }
        self.at += word.len();
        self.push(shape, start, false);
        Ok(())
    }

    fn string(&mut self) -> Result<(), Rejection> {
        let start = self.at;
        let mut escaped = false;
        self.at += 1;
        loop {
            match self.peek() {
                Some(b'"') => break,
                Some(b'\\') => {
                    escaped = true;
                    self.escape()?;
                }
                Some(0x20..) => self.at += 1,
                Some(_) => return Err(self.not_json("a control character in a string")),
                None => return Err(self.not_json("a string has no end")),
            }
        }
        self.at += 1;
        self.push(Shape::String, start, escaped);
        Ok(())
    }

    fn escape(&mut self) -> Result<(), Rejection> {
        self.at += 1;
        match self.peek() {
            Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => {
                self.at += 1;
                return Ok(());
            }
            Some(b'u') => self.at += 1,
            _ => return Err(self.not_json("an unknown escape in a string")),
        }
        match self.hex()? {
            0 => Err(self.not_storable("\\u0000 cannot be stored")),
            0xDC00..0xE000 => Err(self.not_storable("half a surrogate pair")),
            0xD800..0xDC00 => {
                if !self.text[self.at..].starts_with(b"\\u") {
                    return Err(self.not_storable("half a surrogate pair"));
                }
                self.at += 2;
                match self.hex()? {
                    0xDC00..0xE000 => Ok(()),
                    _ => Err(self.not_storable("half a surrogate pair")),
                }
            }
            _ => Ok(()),
        }
    }

    fn hex(&mut self) -> Result<u32, Rejection> {
        let mut unit = 0;
        for _ in 0..4 {
            let digit = self.peek().and_then(|byte| char::from(byte).to_digit(16));
            let Some(digit) = digit else {
                return Err(self.not_json("an escape needs four hexadecimal digits"));
            };
            unit = unit * 16 + digit;
            self.at += 1;
        }
        Ok(unit)
    }

    fn number(&mut self) -> Result<(), Rejection> {
        let start = self.at;
        if self.peek() == Some(b'-') {
            self.at += 1;
        }
        match self.peek() {
            Some(b'0') => self.at += 1,
            _ => self.digits()?,
        }
        if self.peek() == Some(b'.') {
            self.at += 1;
            self.digits()?;
        }
        if matches!(self.peek(), Some(b'e' | b'E')) {
            self.at += 1;
            if matches!(self.peek(), Some(b'+' | b'-')) {
                self.at += 1;
            }
            self.digits()?;
        }
        if !number::is_storable(&self.text[start..self.at]) {
            return Err(self.not_storable("a number that numeric cannot hold"));
        }
        self.push(Shape::Number, start, false);
        Ok(())
    }

    fn digits(&mut self) -> Result<(), Rejection> {
        let start = self.at;
        while matches!(self.peek(), Some(b'0'..=b'9')) {
            self.at += 1;
        }
        if self.at == start {
            return Err(self.not_json("a digit is missing"));
        }
        Ok(())
    }

    fn skip_space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    fn peek(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }

    fn not_json(&self, what: &str) -> Rejection {
        Rejection::new(Reason::NotJson, format!("{what}, at byte {}", self.at))
    }

    fn not_storable(&self, what: &str) -> Rejection {
        Rejection::new(Reason::NotStorable, format!("{what}, at byte {}", self.at))
    }
}

#[cfg(test)]
#[path = "json_tests.rs"]
mod tests;
