//! The rules in force: sources, identifier types, traits, as one batch needs them. Loaded under the
//! pipeline lock, so they cannot change while a batch runs.

use std::collections::HashMap;

use cdp_engine::graph::TypeRule;
use cdp_engine::identifier::{IdentifierTypes, Normaliser, TypeSpec};
use cdp_engine::traits::{Keep, Survivorship, TraitSpec, TraitType};

use crate::args;
use crate::pg::{Error, Result, sql};

/// The rules in force.
pub struct Rules {
    /// Sources by name.
    pub sources: HashMap<String, Source>,
    /// Identifier types, compiled; a type is known by its index in here.
    pub types: IdentifierTypes,
    /// `type_id` by index.
    pub type_ids: Vec<i32>,
    /// What the graph asks of each type, by index.
    pub type_rules: Vec<TypeRule>,
    /// By index: the types of which an identifier may be seen with only so many before it counts as
    /// shared.
    pub max_degree: Vec<Vec<(usize, u32)>>,
    /// By source: the index of the identifier type of its records.
    pub record_types: HashMap<i32, usize>,
    /// Declared matchers, by id.
    pub matchers: HashMap<i32, Matcher>,
    /// Declared traits, in order of declaration.
    pub traits: Vec<Trait>,
    trait_index: HashMap<String, usize>,
}

/// A source.
#[derive(Debug, Clone)]
pub struct Source {
    /// Its id.
    pub id: i32,
    /// Whether its rows are records: they confirm the links that they state.
    pub states_records: bool,
    /// How far before its receipt a message may date a link, in microseconds.
    pub max_backdate: Option<i64>,
    /// Whether somebody revoked it: what it says counts as never accepted.
    pub revoked: bool,
    /// Whether somebody revoked single messages or rows of it.
    pub revoked_in_part: bool,
}

/// A declared matcher, as far as the graph asks.
#[derive(Debug, Clone)]
pub struct Matcher {
    /// Its name.
    pub name: String,
    /// How strong its links are, on the scale of the types.
    pub priority: i32,
}

/// A declared trait.
#[derive(Debug)]
pub struct Trait {
    /// Name, type and survivorship.
    pub spec: TraitSpec,
    /// Its column in `cdp.profile_rows`.
    pub column: String,
}

impl Rules {
    /// Loads the rules in force.
    pub fn load() -> Result<Self> {
        let sources = load_sources();
        let (types, type_ids, type_rules, max_degree, record_types) = load_types()?;
        let traits = load_traits(&sources)?;
        let trait_index = traits
            .iter()
            .enumerate()
            .map(|(n, t)| (t.spec.name.clone(), n))
            .collect();
        Ok(Self {
            sources,
            types,
            type_ids,
            type_rules,
            max_degree,
            record_types,
            matchers: load_matchers(),
            traits,
            trait_index,
        })
    }

    /// The declared trait of that name.
    pub fn declared(&self, name: &str) -> Option<&Trait> {
        self.trait_index.get(name).map(|&n| &self.traits[n])
    }

    /// Which candidates of a trait are kept.
    pub fn keep(&self, name: &str) -> Keep {
        self.declared(name)
            .map_or(Keep::UNDECLARED, |declared| declared.spec.keep())
    }

    /// Whether identifiers of some type serve one person after another.
    pub fn slices_time(&self) -> bool {
        self.type_rules.iter().any(|rule| rule.time_sliced)
    }

    /// The types whose identifiers serve one person after another.
    pub fn sliced_types(&self) -> Vec<i32> {
        let types = self.type_rules.iter().zip(&self.type_ids);
        types
            .filter(|(rule, _)| rule.time_sliced)
            .map(|(_, &id)| id)
            .collect()
    }

    /// Whether of some type the last link is kept.
    pub fn keeps_last(&self) -> bool {
        self.type_rules.iter().any(|rule| rule.keep_last)
    }

    /// The priority of a matcher by its id.
    pub fn matcher_priority(&self, matcher_id: i32) -> Result<i32> {
        self.matchers
            .get(&matcher_id)
            .map(|matcher| matcher.priority)
            .ok_or_else(|| Error::internal(format!("no matcher with id {matcher_id}")))
    }

    /// The index of a type by its id.
    pub fn type_index(&self, type_id: i32) -> Result<usize> {
        self.type_ids
            .iter()
            .position(|&known| known == type_id)
            .ok_or_else(|| Error::internal(format!("no identifier type with id {type_id}")))
    }
}

fn load_sources() -> HashMap<String, Source> {
    sql::rows(
        "SELECT name, source_id, kind = 'records', \
                (extract(epoch FROM max_backdate) * 1000000)::bigint, \
                coalesce(r.whole, false), coalesce(r.part, false) \
         FROM cdp.sources s LEFT JOIN ( \
             SELECT source_id, bool_or(kind = 'revoke_source') AS whole, \
                    bool_or(kind = 'revoke_message') AS part \
               FROM cdp.assertions \
              WHERE source_id IS NOT NULL AND undone_by IS NULL GROUP BY source_id) r USING (source_id)",
        args![],
        |row| {
            let source = Source {
                id: row.want(2),
                states_records: row.want(3),
                max_backdate: row.get(4),
                revoked: row.want(5),
                revoked_in_part: row.want(6),
            };
            (row.want::<String>(1), source)
        },
    )
    .into_iter()
    .collect()
}

fn load_matchers() -> HashMap<i32, Matcher> {
    sql::rows(
        "SELECT matcher_id, name, priority FROM cdp.matchers",
        args![],
        |row| {
            let matcher = Matcher {
                name: row.want(2),
                priority: row.want(3),
            };
            (row.want(1), matcher)
        },
    )
    .into_iter()
    .collect()
}

type Types = (
    IdentifierTypes,
    Vec<i32>,
    Vec<TypeRule>,
    Vec<Vec<(usize, u32)>>,
    HashMap<i32, usize>,
);

fn load_types() -> Result<Types> {
    struct Loaded {
        id: i32,
        spec: TypeSpec,
        rule: TypeRule,
        max_degree: String,
        record_source: Option<i32>,
    }
    let loaded: Vec<Result<Loaded>> = sql::rows(
        "SELECT type_id, name, priority, max_per_profile, bridges, normaliser, default_region, \
                pattern, blocked_values, blocked_patterns, builtin_blocked, paths, \
                max_degree::text, record_source_id, keep = 'last', time_sliced \
         FROM cdp.identifier_types ORDER BY priority, type_id",
        args![],
        |row| {
            let name: String = row.want(2);
            Ok(Loaded {
                id: row.want(1),
                rule: TypeRule {
                    priority: row.want(3),
                    max_per_profile: row.get::<i32>(4).map(|max| max.max(0) as u32),
                    bridges: row.want(5),
                    keep_last: row.want(15),
                    time_sliced: row.want(16),
                },
                spec: TypeSpec {
                    normaliser: normaliser(&row.want::<String>(6), row.get(7))?,
                    pattern: row.get(8),
                    blocked_values: row.want(9),
                    blocked_patterns: row.want(10),
                    use_builtin_blocked: row.want(11),
                    paths: row.want(12),
                    name,
                },
                max_degree: row.want(13),
                record_source: row.get(14),
            })
        },
    );
    let loaded = loaded.into_iter().collect::<Result<Vec<_>>>()?;
    let position = |name: &str| loaded.iter().position(|l| l.spec.name == name);
    let mut max_degree = Vec::with_capacity(loaded.len());
    for l in &loaded {
        let limits: HashMap<String, u32> =
            serde_json::from_str(&l.max_degree).map_err(|error| {
                Error::invalid(format!(
                    "max_degree of identifier type \"{}\": {error}",
                    l.spec.name
                ))
            })?;
        let mut limits: Vec<_> = limits
            .into_iter()
            .filter_map(|(name, limit)| position(&name).map(|index| (index, limit)))
            .collect();
        limits.sort_unstable();
        max_degree.push(limits);
    }
    let record_types = loaded
        .iter()
        .enumerate()
        .filter_map(|(index, l)| l.record_source.map(|source| (source, index)))
        .collect();
    let ids = loaded.iter().map(|l| l.id).collect();
    let rules = loaded.iter().map(|l| l.rule.clone()).collect();
    let specs = loaded.into_iter().map(|l| l.spec).collect();
    let types = IdentifierTypes::new(specs).map_err(|error| Error::invalid(error.to_string()))?;
    Ok((types, ids, rules, max_degree, record_types))
}

/// The normaliser of that name.
pub fn normaliser(name: &str, default_region: Option<String>) -> Result<Normaliser> {
    Ok(match name {
        "text" => Normaliser::Text,
        "casefold" => Normaliser::Casefold,
        "email" => Normaliser::Email,
        "phone" => Normaliser::Phone { default_region },
        "digits" => Normaliser::Digits,
        "none" => Normaliser::None,
        _ => {
            return Err(Error::invalid(format!("unknown normaliser \"{name}\""))
                .hint("One of: text, casefold, email, phone, digits, none."));
        }
    })
}

fn load_traits(sources: &HashMap<String, Source>) -> Result<Vec<Trait>> {
    let fault =
        |error: cdp_engine::traits::TraitError| Error::invalid(error.message).hint(error.hint);
    sql::rows(
        "SELECT name, type, survivorship, source_priority, column_name FROM cdp.traits ORDER BY trait_id",
        args![],
        |row| {
            let ranked: Vec<String> = row.want(4);
            Ok(Trait {
                spec: TraitSpec {
                    name: row.want(1),
                    ty: TraitType::parse(&row.want::<String>(2)).map_err(fault)?,
                    survivorship: Survivorship::parse(&row.want::<String>(3)).map_err(fault)?,
                    source_rank: (0u32..)
                        .zip(&ranked)
                        .filter_map(|(rank, name)| sources.get(name).map(|source| (source.id, rank)))
                        .collect(),
                },
                column: row.want(5),
            })
        },
    )
    .into_iter()
    .collect()
}
