//! Reads conditions on events: `did 'Order Completed' where … at least 2 times in last 30 days`.

use super::{LOWEST, Parser};
use crate::segment::ast::{Bound, Count, Did, EventFilter, Expr, ExprKind, Located, Window};
use crate::segment::error::{RuleError, Span};

impl Parser<'_> {
    /// Reads what follows `did`, which stood at `start`. The clauses may come in any order, each
    /// once.
    pub(super) fn did(&mut self, start: Span) -> Result<Expr, RuleError> {
        let negated = self.take_word("not");
        let mut events = EventFilter {
            name: self.event_name()?,
            condition: None,
            window: None,
        };
        let mut count = None;
        loop {
            let clause = self.peek().span;
            if self.take_word("where") {
                let condition = self.event_condition()?;
                if events.condition.replace(Box::new(condition)).is_some() {
                    return Err(twice(clause, "where").with_hint("join conditions with and"));
                }
            } else if let Some(read) = self.count()? {
                if count.replace(read).is_some() {
                    return Err(twice(clause, "count"));
                }
            } else if let Some(read) = self.window()? {
                if events.window.replace(read).is_some() {
                    return Err(twice(clause, "window"));
                }
            } else {
                break;
            }
        }
        Ok(Expr {
            span: start.to(self.last_span()),
            kind: ExprKind::Did(Did {
                negated,
                events,
                count,
            }),
        })
    }

    fn event_name(&mut self) -> Result<Located<String>, RuleError> {
        match self.text() {
            Some(name) => Ok(name),
            None => Err(
                RuleError::new(self.peek().span, "did needs the name of an event")
                    .with_hint("write it in single quotes: did 'Order Completed'"),
            ),
        }
    }

    /// Reads what follows `where`, as far as it goes: `and` and `or` belong to it.
    fn event_condition(&mut self) -> Result<Expr, RuleError> {
        self.in_where = true;
        let condition = self.expr(LOWEST)?;
        self.in_where = false;
        Ok(condition)
    }

    fn count(&mut self) -> Result<Option<Count>, RuleError> {
        let bound = if self.take_words("at", "least") {
            Bound::AtLeast
        } else if self.take_words("at", "most") {
            Bound::AtMost
        } else if self.take_word("exactly") {
            Bound::Exactly
        } else {
            return Ok(None);
        };
        let span = self.peek().span;
        let times = self.whole_number("write how often, such as 2 times")?;
        if times == 0 && bound == Bound::AtLeast {
            return Err(RuleError::new(span, "at least 0 times is always true")
                .with_hint("write at least 1 times, or did not"));
        }
        if !self.take_word("times") && !self.take_word("time") {
            return Err(self.unexpected_word(&["times"], "expected times"));
        }
        Ok(Some(Count { bound, times }))
    }

    fn window(&mut self) -> Result<Option<Window>, RuleError> {
        Ok(if self.take_words("in", "last") {
            Some(Window::Last(self.duration()?))
        } else if self.take_word("between") {
            let (from, to) = self.two_values()?;
            Some(Window::Between(from, to))
        } else if self.take_word("before") {
            Some(Window::Before(self.value()?))
        } else if self.take_word("after") {
            Some(Window::After(self.value()?))
        } else {
            None
        })
    }
}

fn twice(span: Span, clause: &str) -> RuleError {
    RuleError::new(span, format!("an event can have only one {clause}"))
}
