//! Resolves the names of a rule, gives its values types, and refuses what makes no sense.

use std::collections::BTreeSet;

use super::ast::{
    Bound, Comparison, Count, Did, EventFilter, Expr, ExprKind, Literal, Located, Path, Predicate,
    Test, TextOperator, Value, Window,
};
use super::checked::{Case, Check, Condition, Events, Operand, Scalar, Shift, View};
use super::error::{RuleError, nearest};
use super::operators::{json_view, require_operator};
use super::values::{comparisons, kind, window_unit};
use super::{Catalog, ValueType, pattern};

/// What every profile has besides its traits.
const BUILT_IN: [(&str, &str); 2] = [("first_seen", "p.first_seen"), ("last_seen", "p.last_seen")];

/// A rule that makes sense, and what it refers to.
pub(super) struct Checked {
    pub condition: Condition,
    pub traits: BTreeSet<String>,
    pub events: BTreeSet<String>,
    pub segments: BTreeSet<i64>,
    pub patterns: BTreeSet<String>,
    /// Whether it has a window that moves, or `now`.
    pub moving: bool,
    /// Whether it asks when a profile was first or last seen.
    pub seen: bool,
}

/// Checks a rule against a catalog.
pub(super) fn check(rule: &Expr, catalog: &dyn Catalog) -> Result<Checked, RuleError> {
    let mut checker = Checker {
        catalog,
        traits: BTreeSet::new(),
        events: BTreeSet::new(),
        segments: BTreeSet::new(),
        patterns: BTreeSet::new(),
        moving: false,
        seen: false,
    };
    let condition = checker.condition(rule, Scope::Profile)?;
    Ok(Checked {
        condition,
        traits: checker.traits,
        events: checker.events,
        segments: checker.segments,
        patterns: checker.patterns,
        moving: checker.moving,
        seen: checker.seen,
    })
}

/// What names stand for.
#[derive(Clone, Copy)]
enum Scope {
    /// Traits.
    Profile,
    /// Fields of an event.
    Event,
}

struct Checker<'c> {
    catalog: &'c dyn Catalog,
    traits: BTreeSet<String>,
    events: BTreeSet<String>,
    segments: BTreeSet<i64>,
    patterns: BTreeSet<String>,
    moving: bool,
    seen: bool,
}

impl Checker<'_> {
    fn condition(&mut self, expr: &Expr, scope: Scope) -> Result<Condition, RuleError> {
        match &expr.kind {
            ExprKind::All(parts) => Ok(Condition::All(self.conditions(parts, scope)?)),
            ExprKind::Any(parts) => Ok(Condition::Any(self.conditions(parts, scope)?)),
            ExprKind::Not(inner) => Ok(negation(self.condition(inner, scope)?)),
            ExprKind::Test(test) => {
                let condition = self.test(test, scope)?;
                Ok(if test.negated {
                    negation(condition)
                } else {
                    condition
                })
            }
            ExprKind::Did(did) => {
                let condition = self.did(did)?;
                Ok(if did.negated {
                    negation(condition)
                } else {
                    condition
                })
            }
            ExprKind::InSegment(name) => self.segment(name),
        }
    }

    fn conditions(&mut self, parts: &[Expr], scope: Scope) -> Result<Vec<Condition>, RuleError> {
        parts
            .iter()
            .map(|part| self.condition(part, scope))
            .collect()
    }

    fn segment(&mut self, name: &Located<String>) -> Result<Condition, RuleError> {
        let Some(id) = self.catalog.segment_id(&name.value) else {
            let names = self.catalog.segment_names();
            let error = RuleError::new(name.span, format!("unknown segment '{}'", name.value));
            return Err(
                match nearest(&name.value, names.iter().map(String::as_str)) {
                    Some(meant) => error.with_hint(format!("did you mean '{meant}'?")),
                    None if names.is_empty() => error.with_hint("there is no segment yet"),
                    None => error.with_hint(format!("there are: {}", listed(names))),
                },
            );
        };
        self.segments.insert(id);
        Ok(Condition::Member(id))
    }

    fn did(&mut self, did: &Did) -> Result<Condition, RuleError> {
        let EventFilter {
            name,
            condition,
            window,
        } = &did.events;
        self.events.insert(name.value.clone());
        let condition = match condition {
            Some(condition) => Some(Box::new(self.condition(condition, Scope::Event)?)),
            None => None,
        };
        let subject = format!("the time of '{}'", name.value);
        let window = match window {
            None => Vec::new(),
            Some(Window::Last(duration)) => {
                self.moving = true;
                vec![(
                    Comparison::Greater,
                    Scalar::Now(Some(Shift::Back(*duration))),
                )]
            }
            Some(Window::Between(from, to)) => {
                self.range(&subject, ValueType::Timestamptz, from, to)?
            }
            Some(Window::Before(value)) => {
                self.compare(&subject, ValueType::Timestamptz, Comparison::Less, value)?
            }
            Some(Window::After(value)) => {
                self.compare(&subject, ValueType::Timestamptz, Comparison::Greater, value)?
            }
        };
        let Count { bound, times } = did.count.unwrap_or(Count {
            bound: Bound::AtLeast,
            times: 1,
        });
        Ok(Condition::Did(Events {
            name: name.value.clone(),
            condition,
            window,
            bound,
            times,
        }))
    }

    /// Finds what a path stands for.
    fn operand(&mut self, path: &Path, scope: Scope) -> Result<Operand, RuleError> {
        match scope {
            Scope::Profile => self.trait_operand(path),
            Scope::Event => event_operand(path),
        }
    }

    fn trait_operand(&mut self, path: &Path) -> Result<Operand, RuleError> {
        let name = path.parts[0].as_str();
        let inner = &path.parts[1..];
        let built_in = BUILT_IN.iter().find(|(built_in, _)| *built_in == name);
        let (column, value_type) = if let Some((_, column)) = built_in {
            self.seen = true;
            ((*column).to_owned(), ValueType::Timestamptz)
        } else if let Some(value_type) = self.catalog.trait_type(name) {
            self.traits.insert(name.to_owned());
            (self.catalog.column(name), value_type)
        } else {
            return Err(self.unknown_trait(path));
        };
        if value_type == ValueType::Jsonb {
            return Ok(Operand::Json {
                document: column,
                path: inner.to_vec(),
                view: View::Text,
            });
        }
        if !inner.is_empty() {
            return Err(RuleError::new(
                path.span,
                format!("\"{name}\" is {value_type} and has no fields"),
            )
            .with_hint("only a trait of type jsonb has fields; a name with a dot in it takes double quotes"));
        }
        Ok(Operand::Column(column, value_type))
    }

    fn unknown_trait(&self, path: &Path) -> RuleError {
        let name = path.parts[0].as_str();
        let error = RuleError::new(path.span, format!("unknown trait \"{name}\""));
        if is_event_document(name) {
            return error.with_hint(format!(
                "{name} belongs to an event: did '…' where {path} …, joined with and"
            ));
        }
        let names = self.catalog.trait_names();
        let built_in = BUILT_IN.iter().map(|(name, _)| *name);
        match nearest(name, names.iter().map(String::as_str).chain(built_in)) {
            Some(meant) => error.with_hint(format!("did you mean \"{meant}\"?")),
            None => error.with_hint(format!(
                "rules ask for declared traits: declare it with cdp.create_trait('{}')",
                name.replace('\'', "''")
            )),
        }
    }

    fn test(&mut self, test: &Test, scope: Scope) -> Result<Condition, RuleError> {
        let operand = self.operand(&test.subject, scope)?;
        let subject = test.subject.to_string();
        let declared = match &operand {
            Operand::Column(_, value_type) => *value_type,
            Operand::Json { .. } => ValueType::Jsonb,
        };
        require_operator(&subject, declared, test)?;
        // A JSON value has no declared type: it is tested as what it is compared with.
        let (operand, value_type) = match operand {
            Operand::Json { document, path, .. } => {
                let (view, value_type) = json_view(&subject, test)?;
                let operand = Operand::Json {
                    document,
                    path,
                    view,
                };
                (operand, value_type)
            }
            column => (column, declared),
        };
        let case = match test.ignoring_case {
            None => Case::Exact,
            Some(_) if matches!(value_type, ValueType::Text | ValueType::TextArray) => {
                Case::Ignored
            }
            Some(span) => {
                return Err(RuleError::new(
                    span,
                    format!("ignoring case is for text, and {subject} is {value_type}"),
                ));
            }
        };
        self.predicate(&test.predicate, operand, value_type, case, &subject)
    }

    /// Checks the values of a test whose operator its operand has.
    fn predicate(
        &mut self,
        predicate: &Predicate,
        operand: Operand,
        value_type: ValueType,
        case: Case,
        subject: &str,
    ) -> Result<Condition, RuleError> {
        let comparisons = match predicate {
            Predicate::IsSet => return Ok(Condition::Test(operand, Check::Set)),
            Predicate::Text(operator, value) => {
                let Literal::Text(text) = &value.value else {
                    return Err(RuleError::new(
                        value.span,
                        format!(
                            "{} takes text, not {}",
                            operator.words(),
                            kind(&value.value)
                        ),
                    )
                    .with_hint("write text in single quotes"));
                };
                if *operator == TextOperator::Matches {
                    if let Some(fault) = pattern::fault(text) {
                        let message = format!("the regular expression {fault}");
                        return Err(RuleError::new(value.span, message)
                            .with_hint("a backslash before a character takes it literally"));
                    }
                    self.patterns.insert(text.clone());
                }
                return Ok(Condition::Test(
                    operand,
                    Check::Text(*operator, text.clone(), case),
                ));
            }
            Predicate::OneOf(values) => {
                return self.one_of(values, operand, value_type, case, subject);
            }
            Predicate::Compare(Comparison::NotEqual, value) => {
                let mut equal = self.compare(subject, value_type, Comparison::Equal, value)?;
                if equal.len() > 1 {
                    // Not on that day, but at some instant.
                    return Ok(Condition::All(vec![
                        Condition::Test(operand.clone(), Check::Set),
                        negation(Condition::Test(operand, Check::Compare(equal, case))),
                    ]));
                }
                for (comparison, _) in &mut equal {
                    *comparison = Comparison::NotEqual;
                }
                equal
            }
            Predicate::Compare(comparison, value) => {
                self.compare(subject, value_type, *comparison, value)?
            }
            Predicate::Between(low, high) => self.range(subject, value_type, low, high)?,
            Predicate::Before(value) => {
                self.compare(subject, value_type, Comparison::Less, value)?
            }
            Predicate::After(value) => {
                self.compare(subject, value_type, Comparison::Greater, value)?
            }
            Predicate::InLast(duration) => {
                self.moving = true;
                let present = window_unit(subject, value_type, duration)?;
                vec![
                    (Comparison::Greater, present(Some(Shift::Back(*duration)))),
                    (Comparison::LessOrEqual, present(None)),
                ]
            }
            Predicate::InNext(duration) => {
                self.moving = true;
                let present = window_unit(subject, value_type, duration)?;
                vec![
                    (Comparison::Greater, present(None)),
                    (
                        Comparison::LessOrEqual,
                        present(Some(Shift::Ahead(*duration))),
                    ),
                ]
            }
        };
        Ok(Condition::Test(operand, Check::Compare(comparisons, case)))
    }

    fn one_of(
        &mut self,
        values: &[Value],
        operand: Operand,
        value_type: ValueType,
        case: Case,
        subject: &str,
    ) -> Result<Condition, RuleError> {
        let mut scalars = Vec::new();
        let mut days = Vec::new();
        for value in values {
            let mut equal = self.compare(subject, value_type, Comparison::Equal, value)?;
            if equal.len() > 1 {
                days.push(Condition::Test(
                    operand.clone(),
                    Check::Compare(equal, case),
                ));
            } else {
                scalars.extend(equal.drain(..).map(|(_, scalar)| scalar));
            }
        }
        if days.is_empty() {
            return Ok(Condition::Test(operand, Check::OneOf(scalars, case)));
        }
        if !scalars.is_empty() {
            days.push(Condition::Test(operand, Check::OneOf(scalars, case)));
        }
        Ok(Condition::Any(days))
    }

    fn range(
        &mut self,
        subject: &str,
        value_type: ValueType,
        low: &Value,
        high: &Value,
    ) -> Result<Vec<(Comparison, Scalar)>, RuleError> {
        let mut range = self.compare(subject, value_type, Comparison::GreaterOrEqual, low)?;
        range.extend(self.compare(subject, value_type, Comparison::LessOrEqual, high)?);
        Ok(range)
    }

    fn compare(
        &mut self,
        subject: &str,
        value_type: ValueType,
        comparison: Comparison,
        value: &Value,
    ) -> Result<Vec<(Comparison, Scalar)>, RuleError> {
        self.moving |= value.value == Literal::Now;
        comparisons(subject, value_type, comparison, value)
    }
}

fn negation(condition: Condition) -> Condition {
    Condition::Not(Box::new(condition))
}

fn is_event_document(name: &str) -> bool {
    matches!(name, "properties" | "context")
}

fn event_operand(path: &Path) -> Result<Operand, RuleError> {
    let document = path.parts[0].as_str();
    if !is_event_document(document) {
        return Err(RuleError::new(
            path.span,
            format!("\"{document}\" is not a field of an event"),
        )
        .with_hint(
            "fields begin with properties. or context.; to go on with a trait, end the event \
             with a parenthesis: (did '…' where …) and …",
        ));
    }
    if path.parts.len() == 1 {
        return Err(
            RuleError::new(path.span, format!("{document} needs the name of a field"))
                .with_hint(format!("write {document}.name")),
        );
    }
    Ok(Operand::Json {
        document: format!("e.{document}"),
        path: path.parts[1..].to_vec(),
        view: View::Text,
    })
}

/// At most ten names, in order.
fn listed(mut names: Vec<String>) -> String {
    names.sort_unstable();
    let more = names.len().saturating_sub(10);
    names.truncate(10);
    let names = names.join(", ");
    match more {
        0 => names,
        _ => format!("{names} and {more} more"),
    }
}
