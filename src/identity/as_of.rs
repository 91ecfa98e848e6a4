//! Who was who: an identifier's profile at an instant, and where the identifiers of a profile are now.

use pgrx::prelude::*;

use super::resolve;
use crate::args;
use crate::pg::Result;
use crate::pg::error::OrRaise;
use crate::pg::sql;

/// The profile that an identifier belonged to at `as_of`, by what had been decided then; NULL if it
/// belonged to nobody or was not known.
///
/// # Errors
/// 42704 if there is no such identifier type.
#[pg_extern(
    stable,
    parallel_safe,
    sql = r#"
CREATE FUNCTION cdp."resolve"("type" text, "value" text, "as_of" timestamptz) RETURNS bigint
STRICT STABLE PARALLEL SAFE
SET search_path TO pg_catalog, pg_temp
LANGUAGE c AS 'MODULE_PATHNAME', '@FUNCTION_NAME@';
"#
)]
fn resolve_as_of(r#type: &str, value: &str, as_of: TimestampWithTimeZone) -> Option<i64> {
    crate::install::require_tables()
        .and_then(|()| at(r#type, value, as_of))
        .or_raise()
}

fn at(type_name: &str, value: &str, as_of: TimestampWithTimeZone) -> Result<Option<i64>> {
    let Some(node) = resolve::node(type_name, value)? else {
        return Ok(None);
    };
    let known = sql::look_up(
        "SELECT s.last_node_id FROM cdp.identity_steps s WHERE s.decided_at <= $1 \
         ORDER BY s.decided_at DESC, s.step_id DESC LIMIT 1",
        args![as_of],
        |row| row.want::<i64>(1),
    );
    if known.is_none_or(|known| known < node.id) {
        return Ok(None);
    }
    // What it left first after that time is where it was then.
    let left = sql::look_up(
        "SELECT m.from_profile FROM cdp.identity_moves m \
         JOIN cdp.identity_steps s ON s.step_id = m.step_id \
         WHERE m.node_id = $1 AND s.decided_at > $2 ORDER BY m.step_id LIMIT 1",
        args![node.id, as_of],
        |row| row.get::<i64>(1),
    );
    Ok(match left {
        Some(profile) => profile,
        None => resolve::profile_of(node.id),
    })
}

/// The profiles that hold now what profile `profile_id` ever held: mostly one; after a split, all of
/// them. The one that its own identifier belongs to comes first. No rows if there is nobody left.
#[pg_extern(stable, parallel_safe)]
#[search_path(pg_catalog, pg_temp)]
fn profile_ids(profile_id: i64) -> SetOfIterator<'static, i64> {
    crate::install::require_tables().or_raise();
    let mut ids = sql::read_rows(
        "SELECT c.profile_id FROM cdp.identity_moves m JOIN cdp.clusters c ON c.node_id = m.node_id \
          WHERE m.from_profile = $1 \
         UNION SELECT profile_id FROM cdp.clusters WHERE node_id = $1 \
         UNION SELECT profile_id FROM cdp.clusters WHERE profile_id = $1 ORDER BY 1",
        args![profile_id],
        |row| row.want::<i64>(1),
    );
    if let Some(own) = resolve::profile_of(profile_id)
        && let Some(place) = ids.iter().position(|id| *id == own)
    {
        ids.remove(place);
        ids.insert(0, own);
    }
    SetOfIterator::new(ids)
}
