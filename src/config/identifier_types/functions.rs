//! The functions that declare identifier types.

#![allow(
    clippy::too_many_arguments,
    reason = "named arguments of an SQL function"
)]

use pgrx::JsonB;
use pgrx::prelude::*;

use super::super::node::Node;
use super::super::{Resettable, alter, create, drop_one, names, reset};
use super::{IdentifierType, KEEP, degrees};
use crate::pg::error::OrRaise;
use crate::pg::{Error, Result};

/// Declares an identifier type. The past is seen by the new rules at once.
///
/// # Errors
/// 42710 if it exists; 22023 if an argument is not valid; 42704 if max_degree names an unknown type.
#[pg_extern(volatile, parallel_unsafe)]
#[search_path(pg_catalog, pg_temp)]
pub(super) fn create_identifier_type(
    name: Option<&str>,
    priority: Option<i32>,
    max_per_profile: default!(Option<i32>, "NULL"),
    bridges: default!(Option<bool>, "true"),
    normaliser: default!(Option<&str>, "'text'"),
    default_region: default!(Option<&str>, "NULL"),
    pattern: default!(Option<&str>, "NULL"),
    blocked_values: default!(Option<Vec<String>>, "NULL"),
    blocked_patterns: default!(Option<Vec<String>>, "NULL"),
    builtin_blocked: default!(Option<bool>, "true"),
    max_degree: default!(Option<JsonB>, "NULL"),
    paths: default!(Option<Vec<String>>, "NULL"),
    time_sliced: default!(Option<bool>, "false"),
    keep: default!(Option<&str>, "'first'"),
) {
    let declare = || {
        let name = names::required(name, "name")?;
        let priority = names::required(priority, "priority")?;
        let mut wanted = IdentifierType::new(name.to_owned(), priority);
        let given = Given {
            priority: None,
            max_per_profile,
            bridges,
            normaliser,
            default_region,
            pattern,
            blocked_values,
            blocked_patterns,
            builtin_blocked,
            max_degree,
            paths,
            time_sliced,
            keep,
        };
        given.put(&mut wanted)?;
        create("cdp.create_identifier_type()", wanted)
    };
    declare().or_raise();
}

/// Changes the rules of an identifier type; what was accepted is seen by the new rules at once. A NULL
/// argument leaves the attribute as it is; `reset` names those to set back to their defaults.
///
/// # Errors
/// 42704 if it does not exist; 22023 if an argument is not valid.
#[pg_extern(volatile, parallel_unsafe)]
#[search_path(pg_catalog, pg_temp)]
pub(super) fn alter_identifier_type(
    name: Option<&str>,
    priority: default!(Option<i32>, "NULL"),
    max_per_profile: default!(Option<i32>, "NULL"),
    bridges: default!(Option<bool>, "NULL"),
    normaliser: default!(Option<&str>, "NULL"),
    default_region: default!(Option<&str>, "NULL"),
    pattern: default!(Option<&str>, "NULL"),
    blocked_values: default!(Option<Vec<String>>, "NULL"),
    blocked_patterns: default!(Option<Vec<String>>, "NULL"),
    builtin_blocked: default!(Option<bool>, "NULL"),
    max_degree: default!(Option<JsonB>, "NULL"),
    paths: default!(Option<Vec<String>>, "NULL"),
    time_sliced: default!(Option<bool>, "NULL"),
    keep: default!(Option<&str>, "NULL"),
    reset: default!(Option<Vec<String>>, "NULL"),
) {
    let given = Given {
        priority,
        max_per_profile,
        bridges,
        normaliser,
        default_region,
        pattern,
        blocked_values,
        blocked_patterns,
        builtin_blocked,
        max_degree,
        paths,
        time_sliced,
        keep,
    };
    names::required(name, "name")
        .and_then(|name| {
            alter::<IdentifierType>("cdp.alter_identifier_type()", name, |wanted| {
                self::reset(wanted, reset, RESETTABLE)?;
                Ok(given.put(wanted)?)
            })
        })
        .or_raise();
}

/// Drops an identifier type of which no identifier was accepted.
///
/// # Errors
/// 42704 if it does not exist; 2BP01 if identifiers of it were accepted, or another type or a mapping
/// names it.
#[pg_extern(volatile, parallel_unsafe)]
#[search_path(pg_catalog, pg_temp)]
fn drop_identifier_type(name: Option<&str>) {
    names::required(name, "name")
        .and_then(|name| drop_one::<IdentifierType>("cdp.drop_identifier_type()", name))
        .or_raise();
}

const RESETTABLE: &[Resettable<IdentifierType>] = &[
    ("max_per_profile", |t| t.max_per_profile = None),
    ("bridges", |t| t.bridges = true),
    ("normaliser", |t| {
        t.normaliser = "text".to_owned();
        t.default_region = None;
    }),
    ("default_region", |t| t.default_region = None),
    ("pattern", |t| t.pattern = None),
    ("blocked_values", |t| t.blocked_values.clear()),
    ("blocked_patterns", |t| t.blocked_patterns.clear()),
    ("builtin_blocked", |t| t.builtin_blocked = true),
    ("max_degree", |t| t.max_degree.clear()),
    ("paths", |t| t.paths.clear()),
    ("time_sliced", |t| t.time_sliced = false),
    ("keep", |t| t.keep = KEEP[0].to_owned()),
];

/// The arguments that were given.
struct Given<'a> {
    priority: Option<i32>,
    max_per_profile: Option<i32>,
    bridges: Option<bool>,
    normaliser: Option<&'a str>,
    default_region: Option<&'a str>,
    pattern: Option<&'a str>,
    blocked_values: Option<Vec<String>>,
    blocked_patterns: Option<Vec<String>>,
    builtin_blocked: Option<bool>,
    max_degree: Option<JsonB>,
    paths: Option<Vec<String>>,
    time_sliced: Option<bool>,
    keep: Option<&'a str>,
}

impl Given<'_> {
    fn put(self, wanted: &mut IdentifierType) -> Result<()> {
        fn set<T>(attribute: &mut T, given: Option<T>) {
            if let Some(value) = given {
                *attribute = value;
            }
        }
        set(&mut wanted.priority, self.priority);
        set(&mut wanted.bridges, self.bridges);
        set(&mut wanted.builtin_blocked, self.builtin_blocked);
        set(
            &mut wanted.normaliser,
            self.normaliser.map(|name| name.trim().to_lowercase()),
        );
        set(&mut wanted.blocked_values, self.blocked_values);
        set(&mut wanted.blocked_patterns, self.blocked_patterns);
        set(&mut wanted.paths, self.paths);
        set(&mut wanted.time_sliced, self.time_sliced);
        set(
            &mut wanted.keep,
            self.keep.map(|keep| keep.trim().to_lowercase()),
        );
        if self.max_per_profile.is_some() {
            wanted.max_per_profile = self.max_per_profile;
        }
        if let Some(region) = self.default_region {
            wanted.default_region = Some(region.to_owned());
        }
        if let Some(pattern) = self.pattern {
            wanted.pattern = Some(pattern.to_owned());
        }
        if let Some(JsonB(value)) = self.max_degree {
            wanted.max_degree = degrees(&Node::root(&value)).map_err(|error| Error {
                message: format!("max_degree: {}", error.message),
                ..error
            })?;
        }
        Ok(())
    }
}
