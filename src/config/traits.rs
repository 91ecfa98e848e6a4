//! Traits: the attributes of a profile that have a column of their own.

use cdp_engine::traits::{Survivorship, TraitError, TraitType};
use pgrx::prelude::*;
use serde_json::{Map, Value};

use super::declared::Declared;
use super::effects::Effects;
use super::fault::{Fault, Outcome};
use super::node::{Node, Object};
use super::{Reading, alter, columns, create, drop_one, names, reset, segments, view};
use crate::args;
use crate::pg::error::OrRaise;
use crate::pg::{Error, Result, sql};

/// The columns that the view of profiles has without any trait.
pub const RESERVED: [&str; 4] = ["profile_id", "first_seen", "last_seen", "extra"];

/// The most bytes of a column's name.
const MAX_BYTES: usize = 63;

/// Names of types that are taken too, to be found behind a slip of the pen.
const ALIASES: [&str; 6] = ["string", "integer", "decimal", "float", "json", "string[]"];

const DEFAULT_SURVIVORSHIP: &str = "most_recent";

/// A declared trait.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trait {
    name: String,
    ty: String,
    survivorship: String,
    source_priority: Vec<String>,
    description: Option<String>,
}

/// Declares a trait: `cdp.profiles` gets a typed column of that name, filled from what was accepted.
/// Values that do not fit the type stay in `extra`.
///
/// # Errors
/// 42710 if it exists; 22023 if an argument is not valid; 42704 if source_priority names an unknown
/// source; 55P03 if a session that reads profiles for long does not let the column be added.
#[pg_extern(
    volatile,
    parallel_unsafe,
    // Written out for the sake of one name: of `r#type` it would make "r#type".
    sql = r#"
CREATE FUNCTION cdp."create_trait"(
    "name" text, "type" text, "survivorship" text DEFAULT 'most_recent', "source_priority" text[] DEFAULT '{}',
    "description" text DEFAULT NULL
) RETURNS void
VOLATILE PARALLEL UNSAFE SET search_path TO pg_catalog, pg_temp
LANGUAGE c AS 'MODULE_PATHNAME', '@FUNCTION_NAME@';
"#
)]
fn create_trait(
    name: Option<&str>,
    r#type: Option<&str>,
    survivorship: default!(Option<&str>, "'most_recent'"),
    source_priority: default!(Option<Vec<String>>, "'{}'"),
    description: default!(Option<&str>, "NULL"),
) {
    let declare = || {
        let wanted = Trait {
            name: names::required(name, "name")?.to_owned(),
            ty: names::required(r#type, "type")?.to_owned(),
            survivorship: survivorship.unwrap_or(DEFAULT_SURVIVORSHIP).to_owned(),
            source_priority: source_priority.unwrap_or_default(),
            description: description.map(str::to_owned),
        };
        create("cdp.create_trait()", wanted.canonical())
    };
    declare().or_raise();
}

/// Changes how the value of a trait is chosen, or its description. A NULL argument leaves the
/// attribute as it is; `reset` names those to set back to their defaults. To change the type, drop the
/// trait and create it again.
///
/// # Errors
/// 42704 if it does not exist; 22023 if an argument is not valid.
#[pg_extern(volatile, parallel_unsafe)]
#[search_path(pg_catalog, pg_temp)]
fn alter_trait(
    name: Option<&str>,
    survivorship: default!(Option<&str>, "NULL"),
    source_priority: default!(Option<Vec<String>>, "NULL"),
    description: default!(Option<&str>, "NULL"),
    reset: default!(Option<Vec<String>>, "NULL"),
) {
    names::required(name, "name")
        .and_then(|name| {
            alter::<Trait>("cdp.alter_trait()", name, |wanted| {
                self::reset(
                    wanted,
                    reset,
                    &[
                        ("survivorship", |t| {
                            t.survivorship = DEFAULT_SURVIVORSHIP.to_owned();
                        }),
                        ("source_priority", |t| t.source_priority.clear()),
                        ("description", |t| t.description = None),
                    ],
                )?;
                if let Some(survivorship) = survivorship {
                    wanted.survivorship = survivorship.to_owned();
                }
                if let Some(sources) = source_priority {
                    wanted.source_priority = sources;
                }
                if let Some(description) = description {
                    wanted.description = Some(description.to_owned());
                }
                *wanted = wanted.clone().canonical();
                Ok(())
            })
        })
        .or_raise();
}

/// Drops a trait that no segment tests. Its values are then in `extra`, with those of all traits that
/// are not declared. Views of yours over `cdp.profiles` stay: while there are any, the column stays
/// too, empty.
///
/// # Errors
/// 42704 if it does not exist; 2BP01 if a segment tests it.
#[pg_extern(volatile, parallel_unsafe)]
#[search_path(pg_catalog, pg_temp)]
fn drop_trait(name: Option<&str>) {
    names::required(name, "name")
        .and_then(|name| drop_one::<Trait>("cdp.drop_trait()", name))
        .or_raise();
}

impl Trait {
    /// With the type and the rule by their own names, where they are known.
    fn canonical(mut self) -> Self {
        if let Ok(ty) = TraitType::parse(&self.ty) {
            self.ty = ty.as_sql().to_owned();
        }
        if let Ok(rule) = Survivorship::parse(&self.survivorship) {
            self.survivorship = rule.as_str().to_owned();
        }
        self
    }

    fn parsed_type(&self) -> Outcome<TraitType> {
        TraitType::parse(&self.ty).map_err(|error| {
            let known = TraitType::ALL.map(TraitType::as_sql);
            fault_of("type", &error, &self.ty, &[&known[..], &ALIASES].concat())
        })
    }
}

fn fault_of(attribute: &str, error: &TraitError, written: &str, known: &[&str]) -> Box<Fault> {
    let near = names::nearest(written, known.iter().copied());
    let hint = match near.filter(|_| error.message.starts_with("unknown")) {
        Some(near) => format!("Did you mean \"{near}\"?"),
        None => names::sentence(&error.hint),
    };
    Fault::of(attribute, Error::invalid(error.message.as_str()).hint(hint))
}

/// Checks that every source that a trait ranks is declared.
pub fn check_all() -> Outcome<()> {
    let unknown = sql::first(
        "SELECT t.name, (s.ordinality - 1)::integer, s.name \
           FROM cdp.traits t, unnest(t.source_priority) WITH ORDINALITY s (name) \
          WHERE NOT EXISTS (SELECT 1 FROM cdp.sources WHERE sources.name = s.name) \
          ORDER BY t.trait_id, s.ordinality",
        args![],
        |row| {
            (
                row.want::<String>(1),
                row.want::<i32>(2),
                row.get::<String>(3),
            )
        },
    );
    let Some((declared, at, source)) = unknown else {
        return Ok(());
    };
    let source = source.unwrap_or_default();
    let sources = sql::rows("SELECT name FROM cdp.sources ORDER BY 1", args![], |row| {
        row.want::<String>(1)
    });
    let known: Vec<&str> = sources.iter().map(String::as_str).collect();
    let error = Error::unknown(format!("source \"{source}\" does not exist"))
        .detail(format!(
            "It is in the source_priority of trait \"{declared}\"."
        ))
        .hint(names::hint(&source, "sources", &known));
    Err(Fault::of(format!("source_priority[{at}]"), error).at(Trait::SECTION, &declared))
}

impl Declared for Trait {
    const KIND: &'static str = "trait";
    const SECTION: &'static str = "traits";
    const ALTER: &'static str = "cdp.alter_trait()";
    const KEYS: &'static [&'static str] = &[
        "name",
        "type",
        "survivorship",
        "source_priority",
        "description",
    ];

    fn name(&self) -> &str {
        &self.name
    }

    fn attributes(&self) -> Map<String, Value> {
        let mut out = Map::new();
        out.insert("type".to_owned(), Value::from(self.ty.as_str()));
        if self.survivorship != DEFAULT_SURVIVORSHIP {
            let survivorship = Value::from(self.survivorship.as_str());
            out.insert("survivorship".to_owned(), survivorship);
        }
        if !self.source_priority.is_empty() {
            let sources = Value::from(self.source_priority.as_slice());
            out.insert("source_priority".to_owned(), sources);
        }
        if let Some(description) = &self.description {
            let description = Value::from(description.as_str());
            out.insert("description".to_owned(), description);
        }
        out
    }

    fn read(name: String, object: &Object) -> Result<Self> {
        let read = Self {
            name,
            ty: object.want("type")?.text()?,
            survivorship: object.or("survivorship", DEFAULT_SURVIVORSHIP.to_owned(), Node::text)?,
            source_priority: object.or("source_priority", Vec::new(), Node::texts)?,
            description: object.maybe("description", Node::text)?,
        };
        Ok(read.canonical())
    }

    fn all(reading: Reading) -> Vec<Self> {
        let sql = "SELECT name, type, survivorship, source_priority, description \
                   FROM cdp.traits ORDER BY trait_id";
        reading.rows(sql, args![], |row| Self {
            name: row.want(1),
            ty: row.want(2),
            survivorship: row.want(3),
            source_priority: row.want(4),
            description: row.get(5),
        })
    }

    fn check(&self) -> Outcome<()> {
        names::check(Self::KIND, &self.name).map_err(|error| Fault::of("name", error))?;
        let bad_name = |error: Error| Err(Fault::of("name", error));
        if self.name.len() > MAX_BYTES {
            return bad_name(Error::invalid(format!(
                "the name of a trait is {} bytes long, and {MAX_BYTES} is the most for a column",
                self.name.len()
            )));
        }
        if RESERVED.contains(&self.name.as_str()) {
            return bad_name(
                Error::invalid(format!("the name \"{}\" is reserved", self.name))
                    .hint("cdp.profiles has a column of that name for every profile."),
            );
        }
        let ty = self.parsed_type()?;
        let rule = Survivorship::parse(&self.survivorship).map_err(|error| {
            let known = Survivorship::ALL.map(Survivorship::as_str);
            fault_of("survivorship", &error, &self.survivorship, &known)
        })?;
        rule.check(ty).map_err(|error| {
            let hint = names::sentence(&error.hint);
            Fault::of(
                "survivorship",
                Error::invalid(error.message.as_str()).hint(hint),
            )
        })?;
        let ranked = &self.source_priority;
        if let Some(at) = (1..ranked.len()).find(|&at| ranked[..at].contains(&ranked[at])) {
            let error = Error::invalid(format!("source \"{}\" is ranked twice", ranked[at]));
            return Err(Fault::of(format!("source_priority[{at}]"), error));
        }
        match (rule, ranked.is_empty()) {
            (Survivorship::SourcePriority, true) => {
                let error = Error::invalid(
                    "survivorship source_priority ranks no source in source_priority",
                )
                .hint("List sources in source_priority, the best first.");
                Err(Fault::of("source_priority", error))
            }
            (Survivorship::SourcePriority, false) | (_, true) => Ok(()),
            (_, false) => {
                let error = Error::invalid(format!(
                    "source_priority means nothing with survivorship {rule}"
                ))
                .hint("Use survivorship => 'source_priority', or reset source_priority.");
                Err(Fault::of("source_priority", error))
            }
        }
    }

    fn create(&self, effects: &mut Effects) -> Outcome<()> {
        let column = columns::take(self.parsed_type()?, effects.computes())?;
        effects.traits = true;
        effects.view = true;
        sql::run(
            "INSERT INTO cdp.traits \
                 (name, type, survivorship, source_priority, description, column_name) \
             VALUES ($1, $2, $3, $4, $5, $6)",
            args![
                self.name.as_str(),
                self.ty.as_str(),
                self.survivorship.as_str(),
                self.source_priority.clone(),
                self.description.as_deref(),
                column,
            ],
        );
        Ok(())
    }

    /// Also with another type, which a document can ask for: the column is then another one.
    fn alter(&self, old: &Self, effects: &mut Effects) -> Outcome<()> {
        if self.ty != old.ty {
            let column = columns::take(self.parsed_type()?, effects.computes())?;
            columns::clear(&self.name, effects.computes());
            sql::run(
                "UPDATE cdp.traits SET type = $2, column_name = $3 WHERE name = $1",
                args![self.name.as_str(), self.ty.as_str(), column],
            );
            effects.rules = true;
            effects.view = true;
        }
        let but_for_description = Self {
            description: old.description.clone(),
            ..self.clone()
        };
        effects.traits |= but_for_description != *old;
        sql::run(
            "UPDATE cdp.traits SET survivorship = $2, source_priority = $3, description = $4 \
              WHERE name = $1",
            args![
                self.name.as_str(),
                self.survivorship.as_str(),
                self.source_priority.clone(),
                self.description.as_deref(),
            ],
        );
        if !effects.view && effects.keeps() && self.description != old.description {
            view::describe(&self.name, self.description.as_deref());
        }
        Ok(())
    }

    fn drop(&self, effects: &mut Effects) -> Outcome<()> {
        if let Some(segment) = segments::that_tests(&self.name) {
            return Err(Error::new(
                PgSqlErrorCode::ERRCODE_DEPENDENT_OBJECTS_STILL_EXIST,
                format!(
                    "cannot drop trait \"{}\": segment \"{segment}\" tests it",
                    self.name
                ),
            )
            .hint("Change or drop the segment first.")
            .into());
        }
        columns::clear(&self.name, effects.computes());
        effects.traits = true;
        effects.view = true;
        sql::run(
            "DELETE FROM cdp.traits WHERE name = $1",
            args![self.name.as_str()],
        );
        Ok(())
    }
}
