//! Reads tokens into a syntax tree: recursive descent, with binding powers for `and` and `or`.
//!
//! Keywords are known by where they stand, so that a trait may be called `last` or `set`; only the
//! words of [`is_reserved`] cannot begin the name of a trait without quotes.

mod did;
mod test;

use super::ast::{Expr, ExprKind, Located, Path};
use super::error::{RuleError, Span, nearest};
use super::lexer::{Symbol, Token, TokenKind, tokens};

/// How deep conditions nest, counted in parentheses and `not`s. It keeps every walk over the tree,
/// ours and PostgreSQL's, far from the end of its stack.
pub const MAX_DEPTH: usize = 200;

/// Reads a rule into its syntax tree.
pub fn parse(rule: &str) -> Result<Expr, RuleError> {
    let mut parser = Parser {
        tokens: tokens(rule)?,
        at: 0,
        depth: 0,
        in_where: false,
    };
    if parser.peek().kind == TokenKind::End {
        return Err(
            RuleError::new(Span { start: 0, end: 0 }, "the rule is empty")
                .with_hint("write a condition, such as country = 'PT'"),
        );
    }
    let expr = parser.expr(LOWEST)?;
    match parser.peek().kind {
        TokenKind::End => Ok(expr),
        TokenKind::Symbol(Symbol::Close) => {
            Err(parser.unexpected().with_hint("no parenthesis is open here"))
        }
        _ => {
            Err(parser.unexpected_word(&["and", "or"], "expected and, or, or the end of the rule"))
        }
    }
}

/// Whether `word` cannot begin a trait's name without quotes.
pub(super) fn is_reserved(word: &str) -> bool {
    const RESERVED: [&str; 10] = [
        "and", "between", "did", "false", "in", "is", "not", "or", "true", "where",
    ];
    RESERVED.iter().any(|r| word.eq_ignore_ascii_case(r))
}

/// How strongly the operators that join conditions bind.
const LOWEST: u8 = 0;
const OR: u8 = 1;
const AND: u8 = 2;

struct Parser<'a> {
    tokens: Vec<Token<'a>>,
    at: usize,
    depth: usize,
    /// Whether the condition being read belongs to an event.
    in_where: bool,
}

impl<'a> Parser<'a> {
    fn peek(&self) -> &Token<'a> {
        &self.tokens[self.at]
    }

    /// The token after the next; the last token stands for all that would follow it.
    fn peek_second(&self) -> &Token<'a> {
        &self.tokens[(self.at + 1).min(self.tokens.len() - 1)]
    }

    fn advance(&mut self) {
        self.at = (self.at + 1).min(self.tokens.len() - 1);
    }

    /// The place of the last token taken.
    fn last_span(&self) -> Span {
        self.tokens[self.at.saturating_sub(1)].span
    }

    fn at_word(&self, word: &str) -> bool {
        is_word(self.peek(), word)
    }

    /// Takes the next token if it is this keyword.
    fn take_word(&mut self, word: &str) -> bool {
        let found = self.at_word(word);
        if found {
            self.advance();
        }
        found
    }

    /// Takes the next two tokens if they are these keywords.
    fn take_words(&mut self, first: &str, second: &str) -> bool {
        let found = self.at_word(first) && is_word(self.peek_second(), second);
        if found {
            self.advance();
            self.advance();
        }
        found
    }

    fn take_symbol(&mut self, symbol: Symbol) -> bool {
        let found = self.peek().kind == TokenKind::Symbol(symbol);
        if found {
            self.advance();
        }
        found
    }

    fn expect_word(&mut self, word: &str) -> Result<(), RuleError> {
        if self.take_word(word) {
            return Ok(());
        }
        Err(self.unexpected().with_hint(format!("expected {word}")))
    }

    /// The error that the next token cannot stand where it does.
    fn unexpected(&self) -> RuleError {
        let token = self.peek();
        let message = match &token.kind {
            TokenKind::End => "unexpected end of the rule".to_owned(),
            TokenKind::Word(word) => format!("unexpected \"{}\"", shorten(word)),
            TokenKind::Quoted(name) => format!("unexpected name \"{}\"", shorten(name)),
            TokenKind::Text(text) => format!("unexpected text '{}'", shorten(text)),
            TokenKind::Number(number) => format!("unexpected number {}", shorten(number)),
            TokenKind::Symbol(symbol) => format!("unexpected {}", symbol_text(*symbol)),
        };
        RuleError::new(token.span, message)
    }

    /// The same, where one of `words` was likely meant if the token resembles it.
    fn unexpected_word(&self, words: &[&str], otherwise: &str) -> RuleError {
        let meant = match self.peek().kind {
            TokenKind::Word(word) => nearest(word, words.iter().copied()),
            _ => None,
        };
        match meant {
            Some(meant) => self
                .unexpected()
                .with_hint(format!("did you mean {meant}?")),
            None => self.unexpected().with_hint(otherwise),
        }
    }

    /// Reads conditions joined by operators that bind more strongly than `power`.
    fn expr(&mut self, power: u8) -> Result<Expr, RuleError> {
        let mut left = self.prefix()?;
        loop {
            let (word, strength, joined): (_, _, fn(Vec<Expr>) -> ExprKind) =
                if self.at_word("and") && AND > power {
                    ("and", AND, ExprKind::All)
                } else if self.at_word("or") && OR > power {
                    ("or", OR, ExprKind::Any)
                } else {
                    return Ok(left);
                };
            // One node for a whole row of conditions: a long list must not become a deep tree.
            let mut parts = vec![left];
            while self.take_word(word) {
                parts.push(self.expr(strength)?);
            }
            let span = parts[0].span.to(parts[parts.len() - 1].span);
            left = Expr {
                kind: joined(parts),
                span,
            };
        }
    }

    /// Reads one condition, with what stands before it.
    fn prefix(&mut self) -> Result<Expr, RuleError> {
        let start = self.peek().span;
        if self.take_words("in", "segment") {
            if self.in_where {
                return Err(self.not_in_where(start, "in segment"));
            }
            let name = self.segment_name()?;
            return Ok(Expr {
                span: start.to(name.span),
                kind: ExprKind::InSegment(name),
            });
        }
        if self.take_word("not") {
            let inner = self.nested(start, Self::prefix)?;
            return Ok(Expr {
                span: start.to(inner.span),
                kind: ExprKind::Not(Box::new(inner)),
            });
        }
        if self.take_symbol(Symbol::Open) {
            let inner = self.nested(start, |parser| parser.expr(LOWEST))?;
            if self.take_symbol(Symbol::Close) {
                return Ok(inner);
            }
            return Err(match self.peek().kind {
                TokenKind::End => RuleError::new(start, "this parenthesis is never closed")
                    .with_hint("expected and, or or ) before the end of the rule"),
                _ => self.unexpected_word(&["and", "or"], "expected and, or or )"),
            });
        }
        if self.at_word("did") {
            self.advance();
            if self.in_where {
                return Err(self.not_in_where(start, "did"));
            }
            return self.did(start);
        }
        self.test()
    }

    /// Reads what stands one level deeper, if that is not too deep.
    fn nested(
        &mut self,
        opened: Span,
        read: impl FnOnce(&mut Self) -> Result<Expr, RuleError>,
    ) -> Result<Expr, RuleError> {
        if self.depth == MAX_DEPTH {
            return Err(RuleError::new(
                opened,
                format!("conditions are nested more than {MAX_DEPTH} deep"),
            )
            .with_hint("move a part of the rule to a segment of its own"));
        }
        self.depth += 1;
        let read = read(self)?;
        self.depth -= 1;
        Ok(read)
    }

    fn not_in_where(&self, span: Span, what: &str) -> RuleError {
        RuleError::new(
            span,
            format!("{what} cannot be part of the where of an event"),
        )
        .with_hint("end the event with a parenthesis: (did '…' where …) and …")
    }

    fn segment_name(&mut self) -> Result<Located<String>, RuleError> {
        match self.text() {
            Some(name) => Ok(name),
            None => Err(self
                .unexpected()
                .with_hint("expected the name of a segment in single quotes: in segment 'vip'")),
        }
    }

    /// Takes the next token if it is a text.
    fn text(&mut self) -> Option<Located<String>> {
        let token = self.peek();
        let TokenKind::Text(text) = &token.kind else {
            return None;
        };
        let text = Located {
            value: text.clone(),
            span: token.span,
        };
        self.advance();
        Some(text)
    }

    /// Reads the name of a trait or of a field of an event.
    fn path(&mut self) -> Result<Path, RuleError> {
        let token = self.peek();
        let start = token.span;
        let first = match &token.kind {
            TokenKind::Word(word) if !is_reserved(word) => (*word).to_owned(),
            TokenKind::Quoted(name) => name.clone(),
            TokenKind::Text(_) => {
                return Err(self
                    .unexpected()
                    .with_hint("expected a trait first; an odd name takes double quotes"));
            }
            _ => {
                return Err(self
                    .unexpected()
                    .with_hint("expected a trait, did, in segment, not or ("));
            }
        };
        self.advance();
        let mut parts = vec![first];
        while self.take_symbol(Symbol::Dot) {
            let part = match &self.peek().kind {
                TokenKind::Word(word) => (*word).to_owned(),
                TokenKind::Quoted(name) => name.clone(),
                TokenKind::Number(index) if index.bytes().all(|b| b.is_ascii_digit()) => {
                    (*index).to_owned()
                }
                _ => {
                    return Err(self.unexpected().with_hint(
                        "expected the name of a field, or the index of a list, after the dot",
                    ));
                }
            };
            self.advance();
            parts.push(part);
        }
        Ok(Path {
            parts,
            span: start.to(self.last_span()),
        })
    }
}

fn is_word(token: &Token<'_>, word: &str) -> bool {
    matches!(token.kind, TokenKind::Word(written) if written.eq_ignore_ascii_case(word))
}

/// The beginning of a long token: a message stays one line.
fn shorten(written: &str) -> String {
    const SHOWN: usize = 40;
    match written.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}…", &written[..end]),
        None => written.to_owned(),
    }
}

fn symbol_text(symbol: Symbol) -> &'static str {
    match symbol {
        Symbol::Open => "(",
        Symbol::Close => ")",
        Symbol::Comma => "comma",
        Symbol::Dot => "dot",
        Symbol::Equal => "=",
        Symbol::NotEqual => "!=",
        Symbol::Less => "<",
        Symbol::LessOrEqual => "<=",
        Symbol::Greater => ">",
        Symbol::GreaterOrEqual => ">=",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The tree with all its parentheses.
    fn grouped(expr: &Expr) -> String {
        let joined = |parts: &[Expr], word: &str| {
            let parts: Vec<String> = parts.iter().map(grouped).collect();
            format!("({})", parts.join(word))
        };
        match &expr.kind {
            ExprKind::All(parts) => joined(parts, " and "),
            ExprKind::Any(parts) => joined(parts, " or "),
            ExprKind::Not(inner) => format!("not {}", grouped(inner)),
            _ => expr.to_string(),
        }
    }

    #[test]
    fn not_binds_before_and_and_and_before_or() {
        for (rule, expected) in [
            (
                "a = 1 or b = 2 and not c = 3 and d = 4 or e = 5",
                "(a = 1 or (b = 2 and not c = 3 and d = 4) or e = 5)",
            ),
            (
                "(a = 1 or b = 2) and (c = 3 and d = 4)",
                "((a = 1 or b = 2) and (c = 3 and d = 4))",
            ),
            ("not not (a = 1 or b = 2)", "not not (a = 1 or b = 2)"),
            (
                "a between 1 and 2 and b = 3",
                "(a between 1 and 2 and b = 3)",
            ),
        ] {
            assert_eq!(grouped(&parse(rule).unwrap()), expected);
        }
    }

    #[test]
    fn keywords_take_any_case_and_are_known_by_their_place() {
        let rule = "Last IS NOT SET AND set STARTS WITH 'x' and days in last 3 DAYS";
        assert_eq!(
            parse(rule).unwrap().to_string(),
            "Last is not set and set starts with 'x' and days in last 3 days"
        );
        assert!(parse("where = 1").is_err());
        assert_eq!(parse("\"where\" = 1").unwrap().to_string(), "\"where\" = 1");
    }

    #[test]
    fn the_clauses_of_an_event_take_any_order() {
        let expected = "did 'A' where properties.x = 1 and properties.y = 2 \
                        at least 2 times in last 3 days";
        for rule in [
            "did 'A' where properties.x = 1 and properties.y = 2 at least 2 times in last 3 days",
            "did 'A' in last 3 days at least 2 times where properties.x = 1 and properties.y = 2",
        ] {
            assert_eq!(parse(rule).unwrap().to_string(), expected);
        }
    }

    #[test]
    fn conditions_have_their_places() {
        let rule = "a = 1 and (not b in ('x', 'y') or did 'Z' in last 2 days)";
        let ExprKind::All(parts) = parse(rule).unwrap().kind else {
            panic!("a row of conditions joined by and");
        };
        let ExprKind::Any(inner) = &parts[1].kind else {
            panic!("a row of conditions joined by or");
        };
        let places: Vec<&str> = [&parts[0], &parts[1], &inner[0], &inner[1]]
            .iter()
            .map(|expr| &rule[expr.span.start..expr.span.end])
            .collect();
        assert_eq!(
            places,
            [
                "a = 1",
                "not b in ('x', 'y') or did 'Z' in last 2 days",
                "not b in ('x', 'y')",
                "did 'Z' in last 2 days",
            ]
        );
    }
}
