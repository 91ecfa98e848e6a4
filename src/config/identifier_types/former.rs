//! Functions under the arguments that they once had. A dump grants rights on functions by the types of
//! their arguments, so those stay. Without defaults, they are never meant by a call that leaves any out.

#![allow(clippy::too_many_arguments, reason = "arguments of an SQL function")]

use pgrx::JsonB;
use pgrx::prelude::*;

use super::functions::{alter_identifier_type, create_identifier_type};

#[pg_extern(volatile, parallel_unsafe, name = "create_identifier_type")]
#[search_path(pg_catalog, pg_temp)]
fn former_create_identifier_type(
    name: Option<&str>,
    priority: Option<i32>,
    max_per_profile: Option<i32>,
    bridges: Option<bool>,
    normaliser: Option<&str>,
    default_region: Option<&str>,
    pattern: Option<&str>,
    blocked_values: Option<Vec<String>>,
    blocked_patterns: Option<Vec<String>>,
    builtin_blocked: Option<bool>,
    max_degree: Option<JsonB>,
    paths: Option<Vec<String>>,
) {
    create_identifier_type(
        name,
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
        None,
        None,
    );
}

#[pg_extern(volatile, parallel_unsafe, name = "alter_identifier_type")]
#[search_path(pg_catalog, pg_temp)]
fn former_alter_identifier_type(
    name: Option<&str>,
    priority: Option<i32>,
    max_per_profile: Option<i32>,
    bridges: Option<bool>,
    normaliser: Option<&str>,
    default_region: Option<&str>,
    pattern: Option<&str>,
    blocked_values: Option<Vec<String>>,
    blocked_patterns: Option<Vec<String>>,
    builtin_blocked: Option<bool>,
    max_degree: Option<JsonB>,
    paths: Option<Vec<String>>,
    reset: Option<Vec<String>>,
) {
    alter_identifier_type(
        name,
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
        None,
        None,
        reset,
    );
}
