//! Segments: named rules. What a rule means, and who is in a segment, is in [`crate::segment`].

use std::collections::{BTreeMap, BTreeSet};

use cdp_engine::segment::{cycle, dependencies};
use pgrx::prelude::*;
use serde_json::{Map, Value};

use super::declared::Declared;
use super::effects::Effects;
use super::fault::{Fault, Outcome};
use super::node::{Node, Object};
use super::{Reading, alter, create, drop_one, names, reset};
use crate::args;
use crate::pg::error::OrRaise;
use crate::pg::{Error, Result, sql};

/// A declared segment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Segment {
    name: String,
    rule: String,
    description: Option<String>,
}

/// Declares a segment and finds its members.
///
/// # Errors
/// 42710 if it exists; 42601 if the rule is not valid, with the place of the fault.
#[pg_extern(volatile, parallel_unsafe)]
#[search_path(pg_catalog, pg_temp)]
fn create_segment(
    name: Option<&str>,
    rule: Option<&str>,
    description: default!(Option<&str>, "NULL"),
) {
    let declare = || {
        let wanted = Segment {
            name: names::required(name, "name")?.to_owned(),
            rule: names::required(rule, "rule")?.to_owned(),
            description: description.map(str::to_owned),
        };
        create("cdp.create_segment()", wanted)
    };
    declare().or_raise();
}

/// Changes the rule of a segment, who then enters and leaves it, or its description. A NULL argument
/// leaves the attribute as it is; `reset` names those to set back to their defaults.
///
/// # Errors
/// 42704 if it does not exist; 42601 if the rule is not valid; 42P17 if it refers to itself by way of
/// other segments.
#[pg_extern(volatile, parallel_unsafe)]
#[search_path(pg_catalog, pg_temp)]
fn alter_segment(
    name: Option<&str>,
    rule: default!(Option<&str>, "NULL"),
    description: default!(Option<&str>, "NULL"),
    reset: default!(Option<Vec<String>>, "NULL"),
) {
    names::required(name, "name")
        .and_then(|name| {
            alter::<Segment>("cdp.alter_segment()", name, |wanted| {
                self::reset(wanted, reset, &[("description", |s| s.description = None)])?;
                if let Some(rule) = rule {
                    wanted.rule = rule.to_owned();
                }
                if let Some(description) = description {
                    wanted.description = Some(description.to_owned());
                }
                Ok(())
            })
        })
        .or_raise();
}

/// Drops a segment that no other refers to, with the record of who was in it.
///
/// # Errors
/// 42704 if it does not exist; 2BP01 if another segment refers to it.
#[pg_extern(volatile, parallel_unsafe)]
#[search_path(pg_catalog, pg_temp)]
fn drop_segment(name: Option<&str>) {
    names::required(name, "name")
        .and_then(|name| drop_one::<Segment>("cdp.drop_segment()", name))
        .or_raise();
}

impl Segment {
    /// The segments that the rule refers to. A rule that does not parse refers to none.
    pub fn references(&self) -> Vec<String> {
        dependencies(&self.rule).unwrap_or_default()
    }

    fn compile(&self) -> Outcome<cdp_engine::segment::Compiled> {
        crate::segment::compile(&self.rule)
            .map_err(|error| Fault::of("rule", error).at(Self::SECTION, &self.name))
    }
}

/// Checks every rule against the traits and segments that there are.
pub fn check_all() -> Outcome<()> {
    for segment in Segment::all(Reading::Latest) {
        segment.compile().map_err(|mut fault| {
            let about = format!("segment \"{}\": {}", segment.name, fault.error.message);
            fault.error.message = about;
            fault
        })?;
    }
    Ok(())
}

/// A segment whose rule tests a trait.
pub fn that_tests(of_trait: &str) -> Option<String> {
    Segment::all(Reading::Latest)
        .into_iter()
        .find(|segment| {
            crate::segment::compile(&segment.rule)
                .is_ok_and(|compiled| compiled.traits.iter().any(|name| name == of_trait))
        })
        .map(|segment| segment.name)
}

/// The ids of these segments and of those that refer to them, each after those that it refers to.
pub fn with_dependants(changed: &BTreeSet<String>) -> Vec<i32> {
    if changed.is_empty() {
        return Vec::new();
    }
    let mut affected = changed.clone();
    let ordered = in_order(Segment::all(Reading::Latest));
    let mut ids = Vec::new();
    for segment in ordered {
        if affected.contains(&segment.name)
            || segment
                .references()
                .iter()
                .any(|name| affected.contains(name))
        {
            affected.insert(segment.name.clone());
            ids.extend(sql::one::<i32>(
                "SELECT segment_id FROM cdp.segments WHERE name = $1",
                args![segment.name.as_str()],
            ));
        }
    }
    ids
}

/// Segments, each after those among them that its rule refers to. Of a circle, whichever order.
pub fn in_order(segments: Vec<Segment>) -> Vec<Segment> {
    let mut waiting: Vec<(Segment, Vec<String>)> = segments
        .into_iter()
        .map(|segment| {
            let references = segment.references();
            (segment, references)
        })
        .collect();
    let mut ordered = Vec::with_capacity(waiting.len());
    while !waiting.is_empty() {
        let names: BTreeSet<String> = waiting
            .iter()
            .map(|(segment, _)| segment.name.clone())
            .collect();
        let (blocked, ready): (Vec<_>, Vec<_>) = waiting
            .into_iter()
            .partition(|(_, references)| references.iter().any(|name| names.contains(name)));
        if ready.is_empty() {
            ordered.extend(blocked.into_iter().map(|(segment, _)| segment));
            break;
        }
        ordered.extend(ready.into_iter().map(|(segment, _)| segment));
        waiting = blocked;
    }
    ordered
}

/// The fault of rules that refer to each other in a circle through `segment`, if they do.
pub fn circle(segment: &Segment, all: &[Segment]) -> Option<Box<Fault>> {
    let mut references: BTreeMap<String, Vec<String>> = all
        .iter()
        .map(|segment| (segment.name.clone(), segment.references()))
        .collect();
    references.insert(segment.name.clone(), segment.references());
    let path = cycle(&segment.name, &references)?;
    let error = Error::new(
        PgSqlErrorCode::ERRCODE_INVALID_OBJECT_DEFINITION,
        format!("segment \"{}\" would refer to itself", segment.name),
    )
    .detail(format!("{}.", path.join(" → ")))
    .hint("A segment can refer only to segments that do not refer back to it.");
    Some(Fault::of("rule", error).at(Segment::SECTION, &segment.name))
}

impl Declared for Segment {
    const KIND: &'static str = "segment";
    const SECTION: &'static str = "segments";
    const ALTER: &'static str = "cdp.alter_segment()";
    const KEYS: &'static [&'static str] = &["name", "rule", "description"];

    fn name(&self) -> &str {
        &self.name
    }

    fn attributes(&self) -> Map<String, Value> {
        let mut out = Map::new();
        out.insert("rule".to_owned(), Value::from(self.rule.as_str()));
        if let Some(description) = &self.description {
            let description = Value::from(description.as_str());
            out.insert("description".to_owned(), description);
        }
        out
    }

    fn read(name: String, object: &Object) -> Result<Self> {
        Ok(Self {
            name,
            rule: object.want("rule")?.text()?,
            description: object.maybe("description", Node::text)?,
        })
    }

    fn all(reading: Reading) -> Vec<Self> {
        let sql = "SELECT name, rule, description FROM cdp.segments ORDER BY name COLLATE \"C\"";
        reading.rows(sql, args![], |row| Self {
            name: row.want(1),
            rule: row.want(2),
            description: row.get(3),
        })
    }

    fn check(&self) -> Outcome<()> {
        names::check(Self::KIND, &self.name).map_err(|error| Fault::of("name", error))
    }

    fn create(&self, effects: &mut Effects) -> Outcome<()> {
        self.compile()?;
        effects.segments.insert(self.name.clone());
        sql::run(
            "INSERT INTO cdp.segments (name, rule, description) VALUES ($1, $2, $3)",
            args![
                self.name.as_str(),
                self.rule.as_str(),
                self.description.as_deref(),
            ],
        );
        Ok(())
    }

    fn alter(&self, old: &Self, effects: &mut Effects) -> Outcome<()> {
        if self.rule != old.rule {
            self.compile()?;
            if let Some(fault) = circle(self, &Self::all(Reading::Latest)) {
                return Err(fault);
            }
            effects.segments.insert(self.name.clone());
        }
        sql::run(
            "UPDATE cdp.segments SET rule = $2, description = $3 WHERE name = $1",
            args![
                self.name.as_str(),
                self.rule.as_str(),
                self.description.as_deref(),
            ],
        );
        Ok(())
    }

    fn drop(&self, effects: &mut Effects) -> Outcome<()> {
        let all = Self::all(Reading::Latest);
        if let Some(other) = all
            .iter()
            .find(|other| other.name != self.name && other.references().contains(&self.name))
        {
            return Err(Error::new(
                PgSqlErrorCode::ERRCODE_DEPENDENT_OBJECTS_STILL_EXIST,
                format!(
                    "cannot drop segment \"{}\": segment \"{}\" refers to it",
                    self.name, other.name
                ),
            )
            .hint("Change or drop that segment first.")
            .into());
        }
        effects.segments.remove(&self.name);
        if effects.computes() {
            sql::run(
                "DELETE FROM cdp.memberships m USING cdp.segments s \
                  WHERE s.name = $1 AND m.segment_id = s.segment_id",
                args![self.name.as_str()],
            );
        }
        sql::run(
            "DELETE FROM cdp.segments WHERE name = $1",
            args![self.name.as_str()],
        );
        Ok(())
    }
}
