//! One pass over a text that checks that it is JSON *and* that PostgreSQL's `jsonb` can hold every part
//! of it, and notes where each value lies.
//!
//! This is not built on `serde_json`: its own limit of 128 levels is too low and its unlimited mode is
//! recursive, so that a message could crash the process; and it does not say what `jsonb` refuses.

use super::json::{Node, NodeId, Shape};
use super::{Reason, Rejection, number};

/// The deepest nesting that is stored. PostgreSQL parses JSON recursively, and this stays far from
/// the end of its stack at the default `max_stack_depth`.
pub const MAX_DEPTH: usize = 2_000;

/// The longest text of one message. `jsonb` holds at most 256 MB, and a short number takes up to
/// six times its text there. Given back as text, exponents are written out: that text has a limit as
/// well, or nothing could read or dump it.
pub const MAX_BYTES: usize = 32 << 20;

/// The nodes of a text, or why it is not JSON that can be stored.
pub(super) fn nodes(text: &str) -> Result<Vec<Node>, Rejection> {
    if text.len() > MAX_BYTES {
        let detail = format!("{} bytes; the most is {MAX_BYTES}", text.len());
        return Err(Rejection::new(Reason::TooLarge, detail));
    }
    let mut scanner = Scanner {
        text: text.as_bytes(),
        at: 0,
        nodes: Vec::with_capacity(text.len() / 8 + 8),
        open: Vec::new(),
        written_out: 0,
    };
    scanner.document()?;
    Ok(scanner.nodes)
}

/// The bytes that stand for themselves in a string.
const IS_PLAIN: [bool; 256] = {
    let mut plain = [true; 256];
    let mut byte = 0;
    while byte < 0x20 {
        plain[byte] = false;
        byte += 1;
    }
    plain[b'"' as usize] = false;
    plain[b'\\' as usize] = false;
    plain
};

struct Scanner<'a> {
    text: &'a [u8],
    at: usize,
    nodes: Vec<Node>,
    /// The containers not yet closed, outermost first.
    open: Vec<NodeId>,
    /// The bytes of all numbers with exponents, written out.
    written_out: usize,
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
            let plain = self.text[self.at..]
                .iter()
                .position(|&byte| !IS_PLAIN[byte as usize]);
            self.at = plain.map_or(self.text.len(), |length| self.at + length);
            match self.peek() {
                Some(b'"') => break,
                Some(b'\\') => {
                    escaped = true;
                    self.escape()?;
                }
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
        let has_exponent = matches!(self.peek(), Some(b'e' | b'E'));
        if has_exponent {
            self.at += 1;
            if matches!(self.peek(), Some(b'+' | b'-')) {
                self.at += 1;
            }
            self.digits()?;
        }
        if !number::is_storable(&self.text[start..self.at]) {
            return Err(self.not_storable("a number that numeric cannot hold"));
        }
        if has_exponent {
            self.written_out += number::plain_length(&self.text[start..self.at]);
            if self.written_out > MAX_BYTES {
                let detail = format!("its numbers written out take more than {MAX_BYTES} bytes");
                return Err(Rejection::new(Reason::TooLarge, detail));
            }
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
