//! Identifier types: what people are known by, and the rules by which it joins them.

mod former;
mod functions;

use std::collections::BTreeMap;

use cdp_engine::identifier::{IdentifierTypes, Normaliser, TypeSpec};
use pgrx::prelude::*;
use serde_json::{Map, Value};

use super::declared::Declared;
use super::effects::Effects;
use super::fault::{Fault, Outcome};
use super::node::{Node, Object};
use super::{Reading, names};
use crate::args;
use crate::pg::{Error, Result, sql};

/// The lowest rank that can be declared. The types of mapped records rank after it.
pub const MAX_PRIORITY: i32 = 999;

/// What the names of the types of mapped records begin with.
const RECORD_PREFIX: &str = "record:";

/// Which of two links that are equally strong wins.
const KEEP: [&str; 2] = ["first", "last"];

const NORMALISERS: [&str; 6] = ["text", "casefold", "email", "phone", "digits", "none"];

/// A declared identifier type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdentifierType {
    name: String,
    priority: i32,
    max_per_profile: Option<i32>,
    bridges: bool,
    normaliser: String,
    default_region: Option<String>,
    pattern: Option<String>,
    blocked_values: Vec<String>,
    blocked_patterns: Vec<String>,
    builtin_blocked: bool,
    max_degree: BTreeMap<String, i32>,
    paths: Vec<String>,
    time_sliced: bool,
    keep: String,
}

impl IdentifierType {
    fn new(name: String, priority: i32) -> Self {
        Self {
            name,
            priority,
            max_per_profile: None,
            bridges: true,
            normaliser: "text".to_owned(),
            default_region: None,
            pattern: None,
            blocked_values: Vec::new(),
            blocked_patterns: Vec::new(),
            builtin_blocked: true,
            max_degree: BTreeMap::new(),
            paths: Vec::new(),
            time_sliced: false,
            keep: KEEP[0].to_owned(),
        }
    }

    /// As the engine wants it.
    fn spec(&self) -> Outcome<TypeSpec> {
        let normaliser = match self.normaliser.as_str() {
            "text" => Normaliser::Text,
            "casefold" => Normaliser::Casefold,
            "email" => Normaliser::Email,
            "phone" => Normaliser::Phone {
                default_region: self.default_region.clone(),
            },
            "digits" => Normaliser::Digits,
            "none" => Normaliser::None,
            other => {
                let error = Error::invalid(format!("unknown normaliser \"{other}\""))
                    .hint(names::hint(other, "normalisers", &NORMALISERS));
                return Err(Fault::of("normaliser", error));
            }
        };
        Ok(TypeSpec {
            name: self.name.clone(),
            paths: self.paths.clone(),
            normaliser,
            pattern: self.pattern.clone(),
            blocked_values: self.blocked_values.clone(),
            blocked_patterns: self.blocked_patterns.clone(),
            use_builtin_blocked: self.builtin_blocked,
        })
    }

    fn write(&self, statement: &str) {
        let max_degree = Value::Object(
            (self.max_degree.iter())
                .map(|(name, most)| (name.clone(), Value::from(*most)))
                .collect(),
        );
        sql::run(
            statement,
            args![
                self.name.as_str(),
                self.priority,
                self.max_per_profile,
                self.bridges,
                self.normaliser.as_str(),
                self.default_region.as_deref(),
                self.pattern.as_deref(),
                self.blocked_values.clone(),
                self.blocked_patterns.clone(),
                self.builtin_blocked,
                pgrx::JsonB(max_degree),
                self.paths.clone(),
                self.time_sliced,
                self.keep.as_str(),
            ],
        );
    }
}

/// Checks what no type shows by itself: that all together are good for the engine, that no two have
/// one priority, and that types are known which others name.
pub fn check_all() -> Outcome<()> {
    let all = IdentifierType::all(Reading::Latest);
    let specs = all.iter().map(IdentifierType::spec);
    let specs = specs.collect::<Outcome<Vec<_>>>()?;
    if let Err(error) = IdentifierTypes::new(specs) {
        return Err(fault_of(error));
    }
    for pair in all.windows(2) {
        if pair[0].priority == pair[1].priority {
            let error = Error::invalid(format!(
                "priority {} is that of both \"{}\" and \"{}\"",
                pair[0].priority, pair[0].name, pair[1].name
            ))
            .detail("Priorities rank the types: which of two links is the stronger, and which identifier names a profile.")
            .hint("Give each identifier type a priority of its own.");
            let fault = Fault::of("priority", error);
            return Err(fault.at(IdentifierType::SECTION, &pair[1].name));
        }
    }
    let known: Vec<&str> = all.iter().map(Declared::name).collect();
    for declared in &all {
        for name in declared.max_degree.keys() {
            if !known.contains(&name.as_str()) {
                let error = Error::unknown(format!("identifier type \"{name}\" does not exist"))
                    .detail(format!(
                        "It is in the max_degree of identifier type \"{}\".",
                        declared.name
                    ))
                    .hint(names::hint(name, "identifier types", &known));
                let fault = Fault::of("max_degree", error);
                return Err(fault.at(IdentifierType::SECTION, &declared.name));
            }
        }
    }
    Ok(())
}

/// The engine's error as a fault of the type and attribute.
fn fault_of(error: cdp_engine::identifier::SpecError) -> Box<Fault> {
    let attribute = match error.field {
        "normaliser" => "default_region",
        field => field,
    };
    // A regular expression's fault is shown over several lines.
    let error_of_type = match error.message.contains('\n') {
        false => Error::invalid(format!(
            "{attribute} of identifier type \"{}\" is not valid: {}",
            error.type_name, error.message
        )),
        true => Error::invalid(format!(
            "{attribute} of identifier type \"{}\" is not valid",
            error.type_name
        ))
        .detail(error.message),
    };
    Fault::of(attribute, error_of_type).at(IdentifierType::SECTION, &error.type_name)
}

impl Declared for IdentifierType {
    const KIND: &'static str = "identifier type";
    const SECTION: &'static str = "identifier_types";
    const ALTER: &'static str = "cdp.alter_identifier_type()";
    const KEYS: &'static [&'static str] = &[
        "name",
        "priority",
        "max_per_profile",
        "bridges",
        "normaliser",
        "default_region",
        "pattern",
        "blocked_values",
        "blocked_patterns",
        "builtin_blocked",
        "max_degree",
        "paths",
        "time_sliced",
        "keep",
    ];

    fn name(&self) -> &str {
        &self.name
    }

    fn attributes(&self) -> Map<String, Value> {
        let default = Self::new(String::new(), 0);
        let mut out = Map::new();
        let mut put = |key: &str, given: bool, value: Value| {
            if given {
                out.insert(key.to_owned(), value);
            }
        };
        put("priority", true, Value::from(self.priority));
        put(
            "max_per_profile",
            self.max_per_profile.is_some(),
            Value::from(self.max_per_profile),
        );
        put("bridges", !self.bridges, Value::from(self.bridges));
        put(
            "normaliser",
            self.normaliser != default.normaliser,
            Value::from(self.normaliser.as_str()),
        );
        put(
            "default_region",
            self.default_region.is_some(),
            Value::from(self.default_region.as_deref()),
        );
        put(
            "pattern",
            self.pattern.is_some(),
            Value::from(self.pattern.as_deref()),
        );
        put(
            "blocked_values",
            !self.blocked_values.is_empty(),
            Value::from(self.blocked_values.as_slice()),
        );
        put(
            "blocked_patterns",
            !self.blocked_patterns.is_empty(),
            Value::from(self.blocked_patterns.as_slice()),
        );
        put(
            "builtin_blocked",
            !self.builtin_blocked,
            Value::from(self.builtin_blocked),
        );
        let max_degree = (self.max_degree.iter()).map(|(k, v)| (k.clone(), Value::from(*v)));
        put(
            "max_degree",
            !self.max_degree.is_empty(),
            Value::Object(max_degree.collect()),
        );
        put(
            "paths",
            !self.paths.is_empty(),
            Value::from(self.paths.as_slice()),
        );
        put(
            "time_sliced",
            self.time_sliced,
            Value::from(self.time_sliced),
        );
        put(
            "keep",
            self.keep != default.keep,
            Value::from(self.keep.as_str()),
        );
        out
    }

    fn read(name: String, object: &Object) -> Result<Self> {
        let default = Self::new(name, object.want("priority")?.integer()?);
        Ok(Self {
            max_per_profile: object.maybe("max_per_profile", Node::integer)?,
            bridges: object.or("bridges", default.bridges, Node::boolean)?,
            normaliser: object.or("normaliser", default.normaliser, Node::text)?,
            default_region: object.maybe("default_region", Node::text)?,
            pattern: object.maybe("pattern", Node::text)?,
            blocked_values: object.or("blocked_values", Vec::new(), Node::texts)?,
            blocked_patterns: object.or("blocked_patterns", Vec::new(), Node::texts)?,
            builtin_blocked: object.or("builtin_blocked", true, Node::boolean)?,
            max_degree: object.or("max_degree", BTreeMap::new(), degrees)?,
            paths: object.or("paths", Vec::new(), Node::texts)?,
            time_sliced: object.or("time_sliced", false, Node::boolean)?,
            keep: object.or("keep", default.keep, Node::text)?,
            name: default.name,
            priority: default.priority,
        })
    }

    fn all(reading: Reading) -> Vec<Self> {
        let sql = "SELECT name, priority, max_per_profile, bridges, normaliser, default_region, \
                          pattern, blocked_values, blocked_patterns, builtin_blocked, max_degree, \
                          paths, time_sliced, keep \
                   FROM cdp.identifier_types WHERE record_source_id IS NULL \
                   ORDER BY priority, type_id";
        reading.rows(sql, args![], |row| Self {
            name: row.want(1),
            priority: row.want(2),
            max_per_profile: row.get(3),
            bridges: row.want(4),
            normaliser: row.want(5),
            default_region: row.get(6),
            pattern: row.get(7),
            blocked_values: row.want(8),
            blocked_patterns: row.want(9),
            builtin_blocked: row.want(10),
            max_degree: stored_degrees(&row.want::<pgrx::JsonB>(11).0),
            paths: row.want(12),
            time_sliced: row.want(13),
            keep: row.want(14),
        })
    }

    fn check(&self) -> Outcome<()> {
        let fault =
            |attribute: &str, message: String| Err(Fault::of(attribute, Error::invalid(message)));
        names::check(Self::KIND, &self.name).map_err(|error| Fault::of("name", error))?;
        if self.name.starts_with(RECORD_PREFIX) {
            let error = Error::invalid(format!("the name \"{}\" is reserved", self.name))
                .hint("Identifier types record:… are made for the rows of mapped tables.");
            return Err(Fault::of("name", error));
        }
        if !(1..=MAX_PRIORITY).contains(&self.priority) {
            return fault(
                "priority",
                format!(
                    "priority {} is not between 1 and {MAX_PRIORITY}",
                    self.priority
                ),
            );
        }
        if let Some(most) = self.max_per_profile.filter(|most| *most < 1) {
            return fault(
                "max_per_profile",
                format!("max_per_profile {most} is not greater than 0"),
            );
        }
        for (name, most) in &self.max_degree {
            let attribute = format!("max_degree.{name}");
            if *most < 1 {
                let message = format!("max_degree {most} for \"{name}\" is not greater than 0");
                return fault(&attribute, message);
            }
            if *name == self.name {
                let message = "max_degree is for other types than the one declared".to_owned();
                return fault(&attribute, message);
            }
        }
        if self.default_region.is_some() && self.normaliser != "phone" {
            return fault(
                "default_region",
                "default_region is for the normaliser \"phone\" only".to_owned(),
            );
        }
        if !KEEP.contains(&self.keep.as_str()) {
            let error = Error::invalid(format!("unknown keep \"{}\"", self.keep))
                .hint(names::hint(&self.keep, "values of keep", &KEEP));
            return Err(Fault::of("keep", error));
        }
        let joins = [
            ("max_per_profile", self.max_per_profile.is_some()),
            ("max_degree", !self.max_degree.is_empty()),
            ("keep", self.keep != KEEP[0]),
        ];
        if self.time_sliced
            && let Some((attribute, _)) = joins.iter().find(|(_, given)| *given)
        {
            let error = Error::invalid(format!(
                "{attribute} does not go with time_sliced: \"{}\" joins no profile",
                self.name
            ))
            .hint(format!(
                "Leave out {attribute}, or time_sliced. To set one back: cdp.alter_identifier_type('{}', reset => '{{{attribute}}}').",
                self.name
            ));
            return Err(Fault::of(*attribute, error));
        }
        IdentifierTypes::new(vec![self.spec()?]).map_err(fault_of)?;
        Ok(())
    }

    fn create(&self, effects: &mut Effects) -> Outcome<()> {
        effects.evidence = true;
        self.write(
            "INSERT INTO cdp.identifier_types \
                 (name, priority, max_per_profile, bridges, normaliser, default_region, pattern, \
                  blocked_values, blocked_patterns, builtin_blocked, max_degree, paths, \
                  time_sliced, keep) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)",
        );
        Ok(())
    }

    fn alter(&self, old: &Self, effects: &mut Effects) -> Outcome<()> {
        effects.identity = true;
        // Where values stand and how they are brought to one form decides which identifiers a
        // stored message shows.
        effects.evidence |= (
            &self.normaliser,
            &self.default_region,
            &self.pattern,
            &self.paths,
        ) != (
            &old.normaliser,
            &old.default_region,
            &old.pattern,
            &old.paths,
        );
        self.write(
            "UPDATE cdp.identifier_types \
                SET priority = $2, max_per_profile = $3, bridges = $4, normaliser = $5, \
                    default_region = $6, pattern = $7, blocked_values = $8, \
                    blocked_patterns = $9, builtin_blocked = $10, max_degree = $11, paths = $12, \
                    time_sliced = $13, keep = $14, version = version + 1 \
              WHERE name = $1",
        );
        Ok(())
    }

    fn drop(&self, effects: &mut Effects) -> Outcome<()> {
        let name = self.name.as_str();
        let refuse = |why: String, hint: &str| {
            Err(Error::new(
                PgSqlErrorCode::ERRCODE_DEPENDENT_OBJECTS_STILL_EXIST,
                format!("cannot drop identifier type \"{name}\": {why}"),
            )
            .hint(hint)
            .into())
        };
        let used = sql::one::<bool>(
            "SELECT EXISTS (SELECT 1 FROM cdp.identifiers i JOIN cdp.identifier_types t \
                            USING (type_id) WHERE t.name = $1)",
            args![name],
        );
        if used == Some(true) {
            return refuse(
                "identifiers of it were accepted".to_owned(),
                "To keep it from joining profiles, set its paths to '{}' and block its values with blocked_patterns => '{.*}'.",
            );
        }
        let others = Self::all(Reading::Latest);
        if !effects.whole
            && let Some(other) = others
                .iter()
                .find(|other| other.max_degree.contains_key(name))
        {
            return refuse(
                format!("identifier type \"{}\" names it in max_degree", other.name),
                "Take it out of max_degree first.",
            );
        }
        if let Some(source) = super::mappings::that_show(name) {
            return refuse(
                format!("the mapping of source \"{source}\" shows it"),
                "Change the mapping first.",
            );
        }
        sql::run(
            "DELETE FROM cdp.identifier_types WHERE name = $1",
            args![name],
        );
        Ok(())
    }
}

/// max_degree, of a document or an argument.
fn degrees(node: &Node) -> Result<BTreeMap<String, i32>> {
    let entries = node.entries()?;
    let degree = |(name, node): (&str, Node)| Ok((name.to_owned(), node.integer()?));
    entries.into_iter().map(degree).collect()
}

fn stored_degrees(value: &Value) -> BTreeMap<String, i32> {
    degrees(&Node::root(value)).unwrap_or_default()
}
