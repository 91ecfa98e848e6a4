//! From an identifier to its profile, from SQL.

use pgrx::prelude::*;

use crate::args;
use crate::pg::error::OrRaise;
use crate::pg::row::{Key, Lookup};
use crate::pg::{Error, Result, sql};
use crate::rules;

static TYPE: Lookup = Lookup {
    table: (c"cdp", c"identifier_types"),
    key: &[c"name"],
    columns: &[c"type_id", c"normaliser", c"default_region", c"time_sliced"],
    sql: "SELECT t.type_id, t.normaliser, t.default_region, t.time_sliced FROM cdp.identifier_types t \
          WHERE t.name OPERATOR(pg_catalog.=) $1",
};

static NODE: Lookup = Lookup {
    table: (c"cdp", c"identifiers"),
    key: &[c"value", c"type_id"],
    columns: &[c"node_id"],
    sql: "SELECT i.node_id FROM cdp.identifiers i \
          WHERE i.value OPERATOR(pg_catalog.=) $1 AND i.type_id OPERATOR(pg_catalog.=) $2",
};

static PROFILE: Lookup = Lookup {
    table: (c"cdp", c"clusters"),
    key: &[c"node_id"],
    columns: &[c"profile_id"],
    sql: "SELECT c.profile_id FROM cdp.clusters c WHERE c.node_id OPERATOR(pg_catalog.=) $1",
};

/// The profile that an identifier belongs to now; NULL if it belongs to nobody. A time-sliced one
/// belongs to whoever was seen with it last. The value is brought to the normal form of its type first.
/// O(log n).
///
/// # Errors
/// 42704 if there is no such identifier type.
#[pg_extern(
    stable,
    parallel_safe,
    // Written out for the sake of one name: of `r#type` it would make "r#type". Without SET search_path,
    // which costs as much as the look-up: every name in its statements is qualified instead.
    sql = r#"
CREATE FUNCTION cdp."resolve"("type" text, "value" text) RETURNS bigint
STRICT STABLE PARALLEL SAFE
LANGUAGE c AS 'MODULE_PATHNAME', '@FUNCTION_NAME@';
"#
)]
fn resolve(r#type: &str, value: &str) -> Option<i64> {
    if !TYPE.exists() {
        // The same as everywhere else, and not what SQL says of a table that is not there.
        crate::install::require_tables().or_raise();
    }
    let node = node(r#type, value).or_raise()?;
    let found = PROFILE.find(&[Key::Bigint(node.id)], |row| row.want::<i64>(1));
    found.or_else(|| node.time_sliced.then(|| last_seen_with(node.id)).flatten())
}

/// An identifier that is known.
pub struct Known {
    /// Its node.
    pub id: i64,
    /// Whether it serves one person after another.
    time_sliced: bool,
}

/// The node of an identifier, if it was ever seen.
///
/// # Errors
/// 42704 if there is no such identifier type.
pub fn node(type_name: &str, raw: &str) -> Result<Option<Known>> {
    let Some((type_id, time_sliced, value)) = normal_form(type_name, raw)? else {
        return Ok(None);
    };
    let key = [Key::Text(&value), Key::Int(type_id)];
    Ok(NODE.find(&key, |row| Known {
        id: row.want(1),
        time_sliced,
    }))
}

/// The type's id, whether it is time-sliced, and the value in the normal form of the type. A value that cannot be normalised was
/// never accepted as an identifier: none.
fn normal_form(type_name: &str, raw: &str) -> Result<Option<(i32, bool, String)>> {
    let declared = TYPE.find(&[Key::Text(type_name)], |row| {
        (
            row.want::<i32>(1),
            row.want::<String>(2),
            row.get::<String>(3),
            row.want::<bool>(4),
        )
    });
    let Some((type_id, normaliser, region, time_sliced)) = declared else {
        let known = sql::read_rows(
            "SELECT name FROM cdp.identifier_types WHERE record_source_id IS NULL ORDER BY priority",
            args![],
            |row| row.want::<String>(1),
        );
        return Err(
            Error::unknown(format!("no identifier type \"{type_name}\""))
                .hint(format!("Declared: {}.", known.join(", "))),
        );
    };
    let normaliser = rules::normaliser(&normaliser, region)?;
    let value = cdp_engine::identifier::normalise(&normaliser, raw).ok();
    Ok(value.map(|value| (type_id, time_sliced, value)))
}

/// The profile that a node belongs to now.
pub fn profile_of(node_id: i64) -> Option<i64> {
    cluster_of(node_id).or_else(|| last_seen_with(node_id))
}

/// The same, but none for a time-sliced identifier that serves one person after another.
pub fn cluster_of(node_id: i64) -> Option<i64> {
    PROFILE.find(&[Key::Bigint(node_id)], |row| row.want::<i64>(1))
}

/// The profile of whoever was seen last with a time-sliced identifier.
fn last_seen_with(node_id: i64) -> Option<i64> {
    sql::look_up(
        "SELECT c.profile_id FROM cdp.switch_points w \
         JOIN cdp.clusters c ON c.node_id OPERATOR(pg_catalog.=) w.person_id \
         WHERE w.node_id OPERATOR(pg_catalog.=) $1 ORDER BY w.switched_at DESC LIMIT 1",
        args![node_id],
        |row| row.want::<i64>(1),
    )
}
