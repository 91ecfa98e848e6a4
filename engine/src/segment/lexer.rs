//! Cuts a rule into tokens, each with its place.

use super::error::{RuleError, Span};

/// The longest rule, in bytes. It bounds the work that one rule can cause.
pub const MAX_RULE_BYTES: usize = 64 * 1024;

/// The longest number, in characters: PostgreSQL's `numeric` holds any number of this length.
const MAX_NUMBER_LENGTH: usize = 100;

/// A token and its place in the rule.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Token<'a> {
    pub kind: TokenKind<'a>,
    pub span: Span,
}

/// What a token is.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum TokenKind<'a> {
    /// A bare word: a keyword or a name, which only the parser can tell.
    Word(&'a str),
    /// A name in double quotes, which is never a keyword.
    Quoted(String),
    /// A text in single quotes.
    Text(String),
    /// Digits with an optional sign and fraction, as written.
    Number(&'a str),
    /// Punctuation or a comparison.
    Symbol(Symbol),
    /// The end of the rule. Its span is empty and follows the last token.
    End,
}

/// Punctuation and comparisons.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Symbol {
    Open,
    Close,
    Comma,
    Dot,
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

/// Whether `c` can begin a bare word.
pub(super) fn begins_word(c: char) -> bool {
    c.is_alphabetic() || c == '_'
}

/// Whether `c` can stand in a bare word after its beginning.
pub(super) fn continues_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_' || c == '$'
}

/// Cuts `rule` into tokens; the last is always [`TokenKind::End`].
pub(super) fn tokens(rule: &str) -> Result<Vec<Token<'_>>, RuleError> {
    if rule.len() > MAX_RULE_BYTES {
        return Err(RuleError::new(
            Span { start: 0, end: 0 },
            format!(
                "the rule has {} bytes, more than {MAX_RULE_BYTES}",
                rule.len()
            ),
        )
        .with_hint("keep long lists in a trait or in another segment"));
    }
    let mut lexer = Lexer {
        rule,
        at: 0,
        tokens: Vec::new(),
    };
    while lexer.next()? {}
    let end = lexer.tokens.last().map_or(0, |token| token.span.end);
    lexer.tokens.push(Token {
        kind: TokenKind::End,
        span: Span { start: end, end },
    });
    Ok(lexer.tokens)
}

struct Lexer<'a> {
    rule: &'a str,
    at: usize,
    tokens: Vec<Token<'a>>,
}

impl<'a> Lexer<'a> {
    fn rest(&self) -> &'a str {
        &self.rule[self.at..]
    }

    /// How many bytes from here on are characters that `belongs` accepts.
    fn run(&self, from: usize, belongs: impl Fn(char) -> bool) -> usize {
        let rest = &self.rest()[from..];
        rest.find(|c| !belongs(c)).unwrap_or(rest.len())
    }

    fn span(&self, length: usize) -> Span {
        Span {
            start: self.at,
            end: self.at + length,
        }
    }

    fn push(&mut self, length: usize, kind: TokenKind<'a>) {
        let span = self.span(length);
        self.tokens.push(Token { kind, span });
        self.at += length;
    }

    /// Takes one token, blank or comment; false at the end.
    fn next(&mut self) -> Result<bool, RuleError> {
        let rest = self.rest();
        let Some(c) = rest.chars().next() else {
            return Ok(false);
        };
        if c.is_whitespace() {
            self.at += c.len_utf8();
        } else if rest.starts_with("--") {
            self.at += rest.find('\n').unwrap_or(rest.len());
        } else if begins_word(c) {
            let length = self.run(0, continues_word);
            self.push(length, TokenKind::Word(&rest[..length]));
        } else if c.is_ascii_digit()
            || (c == '-' && rest[1..].starts_with(|d: char| d.is_ascii_digit()))
        {
            self.number()?;
        } else if c == '\'' {
            let (text, length) = self.quoted('\'', "text")?;
            self.push(length, TokenKind::Text(text));
        } else if c == '"' {
            let (name, length) = self.quoted('"', "quoted name")?;
            if name.is_empty() {
                return Err(RuleError::new(self.span(length), "a name cannot be empty")
                    .with_hint("text is written in single quotes: ''"));
            }
            self.push(length, TokenKind::Quoted(name));
        } else {
            self.symbol(c)?;
        }
        Ok(true)
    }

    fn number(&mut self) -> Result<(), RuleError> {
        let rest = self.rest();
        let sign = usize::from(rest.starts_with('-'));
        let mut length = sign + self.run(sign, |c| c.is_ascii_digit());
        // After a dot the digits are an index into a JSON array, as in `items.0.sku`, and a dot
        // that follows them begins the next part.
        let is_index = matches!(
            self.tokens.last(),
            Some(Token { kind: TokenKind::Symbol(Symbol::Dot), span }) if span.end == self.at
        );
        if !is_index && rest[length..].starts_with('.') {
            let digits = self.run(length + 1, |c| c.is_ascii_digit());
            if digits > 0 {
                length += 1 + digits;
            }
        }
        let tail = self.run(length, continues_word);
        if tail > 0 {
            return Err(RuleError::new(
                self.span(length + tail),
                "a number cannot be followed by letters",
            )
            .with_hint("write digits with an optional sign and fraction, such as -49.90, and a unit apart, such as 30 days"));
        }
        if length > MAX_NUMBER_LENGTH {
            return Err(RuleError::new(
                self.span(length),
                format!("a number cannot have more than {MAX_NUMBER_LENGTH} characters"),
            ));
        }
        self.push(length, TokenKind::Number(&rest[..length]));
        Ok(())
    }

    /// Reads what stands between two `quote`s, where a doubled quote stands for one; gives it with
    /// its length in the rule.
    fn quoted(&self, quote: char, what: &str) -> Result<(String, usize), RuleError> {
        let mut content = String::new();
        let mut characters = self.rest().char_indices().skip(1).peekable();
        while let Some((at, c)) = characters.next() {
            if c == '\0' {
                return Err(RuleError::new(
                    Span {
                        start: self.at + at,
                        end: self.at + at + 1,
                    },
                    "a rule cannot hold the character U+0000",
                ));
            }
            if c != quote {
                content.push(c);
            } else if characters.next_if(|(_, next)| *next == quote).is_some() {
                content.push(quote);
            } else {
                return Ok((content, at + 1));
            }
        }
        Err(
            RuleError::new(self.span(self.rest().len()), format!("unterminated {what}")).with_hint(
                format!("close it with {quote}, and write a {quote} within it twice"),
            ),
        )
    }

    fn symbol(&mut self, c: char) -> Result<(), RuleError> {
        use Symbol::*;
        const SYMBOLS: [(&str, Symbol); 11] = [
            // The longer come first.
            ("!=", NotEqual),
            ("<>", NotEqual),
            ("<=", LessOrEqual),
            (">=", GreaterOrEqual),
            ("=", Equal),
            ("<", Less),
            (">", Greater),
            ("(", Open),
            (")", Close),
            (",", Comma),
            (".", Dot),
        ];
        let rest = self.rest();
        if let Some((text, symbol)) = SYMBOLS.iter().find(|(text, _)| rest.starts_with(text)) {
            self.push(text.len(), TokenKind::Symbol(*symbol));
            return Ok(());
        }
        let error = RuleError::new(
            self.span(c.len_utf8()),
            format!("unexpected character {:?}", c.to_string()),
        );
        Err(match c {
            '‘' | '’' | '“' | '”' | '`' | '´' => {
                error.with_hint("write text in straight single quotes: 'text'")
            }
            '&' => error.with_hint("write and"),
            '|' => error.with_hint("write or"),
            '!' => error.with_hint("write not, or != for a comparison"),
            _ => error,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kinds(rule: &str) -> Vec<TokenKind<'_>> {
        tokens(rule)
            .unwrap()
            .into_iter()
            .map(|token| token.kind)
            .collect()
    }

    #[test]
    fn tokens_have_their_places() {
        let tokens = tokens("age >= 18 -- adults\n and x").unwrap();
        let places: Vec<_> = tokens.iter().map(|t| (t.span.start, t.span.end)).collect();
        assert_eq!(
            places,
            [(0, 3), (4, 6), (7, 9), (21, 24), (25, 26), (26, 26)]
        );
    }

    #[test]
    fn quotes_are_doubled() {
        assert_eq!(
            kinds(r#"'it''s' "a ""b""" '\'"#),
            [
                TokenKind::Text("it's".into()),
                TokenKind::Quoted("a \"b\"".into()),
                TokenKind::Text("\\".into()),
                TokenKind::End,
            ]
        );
    }

    #[test]
    fn numbers_and_indexes() {
        assert_eq!(
            kinds("-1.50 a.0.1"),
            [
                TokenKind::Number("-1.50"),
                TokenKind::Word("a"),
                TokenKind::Symbol(Symbol::Dot),
                TokenKind::Number("0"),
                TokenKind::Symbol(Symbol::Dot),
                TokenKind::Number("1"),
                TokenKind::End,
            ]
        );
    }

    #[test]
    fn faults() {
        for (rule, message) in [
            ("'open", "unterminated text"),
            ("\"open", "unterminated quoted name"),
            ("\"\"", "a name cannot be empty"),
            ("30d", "a number cannot be followed by letters"),
            ("'\0'", "a rule cannot hold the character U+0000"),
            ("a & b", "unexpected character \"&\""),
            ("a = ‘b’", "unexpected character \"‘\""),
        ] {
            assert_eq!(tokens(rule).unwrap_err().message, message, "{rule}");
        }
        let long = "1".repeat(101);
        assert!(tokens(&long).unwrap_err().message.contains("more than 100"));
        let too_long = " ".repeat(MAX_RULE_BYTES + 1);
        assert!(tokens(&too_long).unwrap_err().message.contains("65537"));
    }
}
