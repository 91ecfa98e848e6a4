//! Identity: from evidence to clusters. Derived under the rules in force, and only what a change can
//! reach is derived anew.
//!
//! A change is a list of sets whose evidence, or whose members' standing, is new. It passes through
//! four steps: which identifiers are shared now ([`shared`]), the stars of the sets and the links
//! that they show ([`links`]), who used time-sliced identifiers when ([`slices`]), the clusters of those
//! links' region (the engine's `graph::update`).

pub mod explain;
mod graph;
mod links;
pub mod resolve;
mod shared;
pub mod slices;

use crate::args;
use crate::pg::{Result, sql};
use crate::rules::Rules;

/// Profiles whose nodes or sets are others than before, whether they still exist or not.
pub type Touched = Vec<i64>;

/// Brings identity up to date after the evidence of these sets changed. `shown` are the sets and times
/// that were added, also of sets that are known; of the sets `recounted` evidence may be gone.
pub fn update(
    rules: &Rules,
    sets: &[i64],
    shown: &[(i64, i64)],
    recounted: &[i64],
) -> Result<Touched> {
    if sets.is_empty() && !rules.slices_time() {
        return Ok(Vec::new());
    }
    let mut sets = sets.to_vec();
    sets.extend(shared::update(rules, &sets)?);
    sets.sort_unstable();
    sets.dedup();
    let mut concerned = links::derive(rules, &sets)?;
    slices::update(rules, shown, recounted, &mut concerned)?;
    graph::update(rules, concerned)
}

/// Derives identity anew for everything stored, and writes the differences.
pub fn rebuild(rules: &Rules) -> Result<Touched> {
    reclassify(rules)?;
    shared::rebuild(rules)?;
    let sets = sql::rows("SELECT set_id FROM cdp.identifier_sets", args![], |row| {
        row.want::<i64>(1)
    });
    for part in sets.chunks(50_000) {
        pgrx::check_for_interrupts!();
        links::derive(rules, part)?;
    }
    let mut concerned = links::Concerned::default();
    slices::rebuild(rules, &mut concerned)?;
    graph::rebuild(rules)
}

/// Asks anew of every identifier whether it is blocked.
fn reclassify(rules: &Rules) -> Result<()> {
    let known = sql::rows(
        "SELECT i.node_id, i.type_id, i.value, coalesce(x.blocked, false) \
         FROM cdp.identifiers i LEFT JOIN cdp.inert_identifiers x USING (node_id)",
        args![],
        |row| {
            (
                row.want::<i64>(1),
                row.want::<i32>(2),
                row.want::<String>(3),
                row.want::<bool>(4),
            )
        },
    );
    let (mut block, mut free) = (Vec::new(), Vec::new());
    for (node, type_id, value, was) in known {
        let is = rules.types.is_blocked(rules.type_index(type_id)?, &value);
        match (was, is) {
            (false, true) => block.push(node),
            (true, false) => free.push(node),
            _ => {}
        }
    }
    sql::run(
        "INSERT INTO cdp.inert_identifiers (node_id, blocked, shared) \
         SELECT n, true, false FROM unnest($1::bigint[]) n \
         ON CONFLICT (node_id) DO UPDATE SET blocked = true",
        args![block],
    );
    sql::run(
        "UPDATE cdp.inert_identifiers SET blocked = false WHERE node_id = ANY ($1)",
        args![free],
    );
    shared::forget_ordinary();
    Ok(())
}
