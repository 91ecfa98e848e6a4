//! Reads tests, `age >= 18`, and the values and durations in them.

use super::{Parser, is_word};
use crate::segment::ast::{
    Comparison, Duration, Expr, ExprKind, Literal, Predicate, Test, TextOperator, Unit, Value,
};
use crate::segment::error::{RuleError, Span, nearest};
use crate::segment::lexer::{Symbol, TokenKind};

/// The words that an operator can begin with, for the repair of a slip.
const OPERATOR_WORDS: [&str; 9] = [
    "after", "before", "between", "contains", "ends", "in", "is", "matches", "starts",
];

impl Parser<'_> {
    /// Reads a test of a trait, or of a field of an event.
    pub(super) fn test(&mut self) -> Result<Expr, RuleError> {
        let subject = self.path()?;
        let operator_start = self.peek().span;
        let negated = self.take_word("not");
        let (predicate, operator_end, negated) = if !negated && self.take_word("is") {
            let negated = self.take_word("not");
            self.expect_set()?;
            (Predicate::IsSet, self.last_span(), negated)
        } else {
            let (predicate, end) = self.predicate(negated)?;
            (predicate, end, negated)
        };
        let case_start = self.peek().span;
        let takes_case = !matches!(
            predicate,
            Predicate::IsSet | Predicate::InLast(_) | Predicate::InNext(_)
        );
        let ignoring_case = (takes_case && self.take_words("ignoring", "case"))
            .then(|| case_start.to(self.last_span()));
        Ok(Expr {
            span: subject.span.to(self.last_span()),
            kind: ExprKind::Test(Test {
                subject,
                negated,
                predicate,
                operator: operator_start.to(operator_end),
                ignoring_case,
            }),
        })
    }

    fn expect_set(&mut self) -> Result<(), RuleError> {
        if self.take_word("set") {
            return Ok(());
        }
        let error = self.unexpected();
        Err(match &self.peek().kind {
            TokenKind::Word(word) if nearest(word, ["null"]).is_some() => {
                error.with_hint("write is set or is not set")
            }
            _ => error.with_hint("expected set: is set or is not set; values are compared with ="),
        })
    }

    /// Reads an operator with its values; gives it with the place of the operator's last word.
    fn predicate(&mut self, negated: bool) -> Result<(Predicate, Span), RuleError> {
        if !negated && let Some(comparison) = self.comparison() {
            let operator = self.last_span();
            return Ok((Predicate::Compare(comparison, self.value()?), operator));
        }
        if self.take_word("between") {
            let operator = self.last_span();
            let (low, high) = self.two_values()?;
            return Ok((Predicate::Between(low, high), operator));
        }
        if self.take_words("in", "last") {
            let operator = self.last_span();
            return Ok((Predicate::InLast(self.duration()?), operator));
        }
        if self.take_words("in", "next") {
            let operator = self.last_span();
            return Ok((Predicate::InNext(self.duration()?), operator));
        }
        if self.take_word("in") {
            let operator = self.last_span();
            return Ok((Predicate::OneOf(self.list()?), operator));
        }
        if self.take_word("before") {
            let operator = self.last_span();
            return Ok((Predicate::Before(self.value()?), operator));
        }
        if self.take_word("after") {
            let operator = self.last_span();
            return Ok((Predicate::After(self.value()?), operator));
        }
        let text = if self.take_word("contains") {
            TextOperator::Contains
        } else if self.take_words("starts", "with") {
            TextOperator::StartsWith
        } else if self.take_words("ends", "with") {
            TextOperator::EndsWith
        } else if self.take_word("matches") {
            TextOperator::Matches
        } else {
            return Err(self.no_operator(negated));
        };
        let operator = self.last_span();
        Ok((Predicate::Text(text, self.value()?), operator))
    }

    fn comparison(&mut self) -> Option<Comparison> {
        let TokenKind::Symbol(symbol) = self.peek().kind else {
            return None;
        };
        let comparison = match symbol {
            Symbol::Equal => Comparison::Equal,
            Symbol::NotEqual => Comparison::NotEqual,
            Symbol::Less => Comparison::Less,
            Symbol::LessOrEqual => Comparison::LessOrEqual,
            Symbol::Greater => Comparison::Greater,
            Symbol::GreaterOrEqual => Comparison::GreaterOrEqual,
            Symbol::Open | Symbol::Close | Symbol::Comma | Symbol::Dot => return None,
        };
        self.advance();
        Some(comparison)
    }

    fn no_operator(&self, negated: bool) -> RuleError {
        if self.at_word("starts") || self.at_word("ends") {
            return self
                .unexpected()
                .with_hint("write starts with or ends with");
        }
        if self.at_word("like") {
            return self
                .unexpected()
                .with_hint("write contains, starts with, ends with or matches");
        }
        let operators = if negated {
            "expected in, between, contains, starts with, ends with, matches, before, after, \
             in last or in next after not"
        } else {
            "expected =, !=, <, <=, >, >=, in, between, contains, starts with, ends with, matches, \
             before, after, in last, in next, is set or is not set"
        };
        self.unexpected_word(&OPERATOR_WORDS, operators)
    }

    fn list(&mut self) -> Result<Vec<Value>, RuleError> {
        if !self.take_symbol(Symbol::Open) {
            return Err(self.unexpected_word(
                &["last", "next"],
                "expected a list of values, such as ('PT', 'BR'), or last or next",
            ));
        }
        let mut values = vec![self.value()?];
        while self.take_symbol(Symbol::Comma) {
            values.push(self.value()?);
        }
        if !self.take_symbol(Symbol::Close) {
            return Err(self
                .unexpected()
                .with_hint("expected a comma or ) in the list of values"));
        }
        Ok(values)
    }

    /// Reads `low and high`, what follows `between`.
    pub(super) fn two_values(&mut self) -> Result<(Value, Value), RuleError> {
        let low = self.value()?;
        self.expect_word("and")?;
        Ok((low, self.value()?))
    }

    /// Reads a value.
    pub(super) fn value(&mut self) -> Result<Value, RuleError> {
        let token = self.peek();
        let value = match &token.kind {
            TokenKind::Text(text) => Literal::Text(text.clone()),
            TokenKind::Number(number) => Literal::Number((*number).to_owned()),
            _ if is_word(token, "true") => Literal::Boolean(true),
            _ if is_word(token, "false") => Literal::Boolean(false),
            _ if is_word(token, "now") => Literal::Now,
            _ => return Err(self.no_value()),
        };
        let value = Value {
            value,
            span: token.span,
        };
        self.advance();
        Ok(value)
    }

    fn no_value(&self) -> RuleError {
        let error = self.unexpected();
        match &self.peek().kind {
            TokenKind::Quoted(_) => {
                error.with_hint("double quotes are for names; write text in single quotes")
            }
            TokenKind::Word(word) if word.eq_ignore_ascii_case("null") => {
                error.with_hint("write is set or is not set")
            }
            TokenKind::Symbol(Symbol::Equal) => error.with_hint("equality is a single ="),
            _ => error
                .with_hint("expected a value: text in single quotes, a number, true, false or now"),
        }
    }

    /// Reads `30 days`.
    pub(super) fn duration(&mut self) -> Result<Duration, RuleError> {
        let start = self.peek().span;
        let count = self.whole_number("expected a number and a unit, such as 30 days")?;
        let unit = match self.peek().kind {
            TokenKind::Word(word) => Unit::ALL.into_iter().find(|unit| {
                let singular = word.strip_suffix(['s', 'S']).unwrap_or(word);
                singular.eq_ignore_ascii_case(unit.word())
            }),
            _ => None,
        };
        let Some(unit) = unit else {
            return Err(self.unexpected_word(
                &[
                    "seconds", "minutes", "hours", "days", "weeks", "months", "years",
                ],
                "expected seconds, minutes, hours, days, weeks, months or years",
            ));
        };
        self.advance();
        let span = start.to(self.last_span());
        if count == 0 || count > unit.limit() {
            return Err(RuleError::new(
                span,
                format!("a window has from 1 to {} {}s", unit.limit(), unit.word()),
            ));
        }
        Ok(Duration { count, unit, span })
    }

    /// Reads a number without sign and fraction.
    pub(super) fn whole_number(&mut self, expected: &str) -> Result<u32, RuleError> {
        let TokenKind::Number(number) = self.peek().kind else {
            return Err(self.unexpected().with_hint(expected));
        };
        let Ok(number) = number.parse() else {
            let message = format!("expected a whole number from 0 to {}", u32::MAX);
            return Err(RuleError::new(self.peek().span, message).with_hint(expected));
        };
        self.advance();
        Ok(number)
    }
}
