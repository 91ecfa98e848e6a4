//! Record and array literals: the output of `record_out` and `array_out`.

use std::fmt;

/// A text that `record_out` does not print.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordError {
    /// The byte where it goes wrong.
    pub at: usize,
    /// What is wrong.
    pub message: &'static str,
}

impl fmt::Display for RecordError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, at byte {}", self.message, self.at)
    }
}

impl std::error::Error for RecordError {}

/// Reads a record literal such as `(1,"a ""quoted"" b",,"x\\y")`: the values of its columns, `None`
/// for NULL. `()` is read as one NULL; a row without columns prints the same.
pub fn parse_record(literal: &str) -> Result<Vec<Option<String>>, RecordError> {
    let mut reader = Reader {
        text: literal,
        at: 0,
    };
    reader.expect(b'(', "a record starts with (")?;
    let mut fields = Vec::new();
    loop {
        fields.push(match reader.peek() {
            Some(b',' | b')') => None,
            Some(b'"') => Some(reader.quoted()?),
            _ => Some(reader.bare(b"()")?.to_owned()),
        });
        match reader.next() {
            Some(b',') => {}
            Some(b')') => break,
            _ => return Err(reader.error("a comma or ) is missing")),
        }
    }
    reader.end()?;
    Ok(fields)
}

/// Reads a one-dimensional array literal such as `{a,"b c",NULL}`; `None` for any other text, also
/// for an array of arrays.
pub(super) fn parse_array(literal: &str) -> Option<Vec<Option<String>>> {
    // Bounds other than the usual are printed before the array: `[0:1]={1,2}`.
    let text = match literal.strip_prefix('[') {
        Some(bounded) => bounded.split_once("]=")?.1,
        None => literal,
    };
    if text == "{}" {
        return Some(Vec::new());
    }
    let mut reader = Reader { text, at: 0 };
    reader.expect(b'{', "").ok()?;
    let mut elements = Vec::new();
    loop {
        elements.push(match reader.peek()? {
            b'"' => Some(reader.quoted().ok()?),
            _ => match reader.bare(b"{}").ok()? {
                "" => return None,
                // Any text that could be taken for NULL is quoted.
                "NULL" => None,
                text => Some(text.to_owned()),
            },
        });
        match reader.next()? {
            b',' => {}
            b'}' => break,
            _ => return None,
        }
    }
    reader.end().ok()?;
    Some(elements)
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Reader<'a> {
    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn next(&mut self) -> Option<u8> {
        let byte = self.peek()?;
        self.at += 1;
        Some(byte)
    }

    fn expect(&mut self, byte: u8, message: &'static str) -> Result<(), RecordError> {
        match self.next() {
            Some(next) if next == byte => Ok(()),
            _ => Err(self.error(message)),
        }
    }

    fn end(&self) -> Result<(), RecordError> {
        match self.peek() {
            None => Ok(()),
            Some(_) => Err(self.error("text after the end")),
        }
    }

    fn error(&self, message: &'static str) -> RecordError {
        RecordError {
            at: self.at,
            message,
        }
    }

    /// A value without quotes, up to the next comma or the closing one of the literal's brackets.
    fn bare(&mut self, [open, close]: &[u8; 2]) -> Result<&'a str, RecordError> {
        let start = self.at;
        while let Some(byte) = self.peek() {
            // PostgreSQL quotes a value that holds any of these.
            let is_quoted = matches!(byte, b'"' | b'\\' | b'\t'..=b'\r' | b' ') || byte == *open;
            if is_quoted {
                return Err(self.error("a quote is missing"));
            }
            if byte == b',' || byte == *close {
                break;
            }
            self.at += 1;
        }
        Ok(&self.text[start..self.at])
    }

    /// A value in quotes. In it a quote is doubled or escaped, and a backslash escapes what follows.
    fn quoted(&mut self) -> Result<String, RecordError> {
        self.at += 1;
        let mut value = String::new();
        loop {
            let start = self.at;
            // Both are ASCII, so they lie between characters.
            while self
                .peek()
                .is_some_and(|byte| !matches!(byte, b'"' | b'\\'))
            {
                self.at += 1;
            }
            value.push_str(&self.text[start..self.at]);
            match self.next() {
                Some(b'"') if self.peek() == Some(b'"') => {
                    self.at += 1;
                    value.push('"');
                }
                Some(b'"') => return Ok(value),
                Some(_) => {
                    let Some(escaped) = self.text[self.at..].chars().next() else {
                        return Err(self.error("nothing follows a backslash"));
                    };
                    self.at += escaped.len_utf8();
                    value.push(escaped);
                }
                None => return Err(self.error("a quote has no end")),
            }
        }
    }
}

#[cfg(test)]
#[path = "literal_tests.rs"]
mod tests;
