//! Identity: from evidence to clusters. Derived under the rules in force, and only what a change can
//! reach is derived anew.
//!
//! A change is a list of sets whose evidence, or whose members' standing, is new. It passes through
//! four steps: which identifiers are shared now ([`shared`]), the stars of the sets and the links
//! that they show ([`links`]), who used time-sliced identifiers when ([`slices`]), the clusters of those
//! links' region (the engine's `graph::update`).
//! What is said by hand joins at the last step, as links and cannot-links
//! ([`asserted`]). Whatever changes is written to the [`history`].

mod as_of;
pub mod asserted;
pub mod explain;
mod graph;
pub mod history;
mod links;
pub mod resolve;
mod shared;
pub mod slices;

use asserted::Pair;
use history::Cause;

use crate::args;
use crate::evidence::sets::Known;
use crate::evidence::tally::Added;
use crate::pg::{Result, sql};
use crate::rules::Rules;

/// Profiles whose nodes or sets are others than before, whether they still exist or not.
pub type Touched = Vec<i64>;

/// Brings identity up to date after the evidence of sets changed.
pub fn update(rules: &Rules, evidence: Added, known: &Known, cause: &Cause) -> Result<Touched> {
    let mut sets = evidence.changed;
    if sets.is_empty() && evidence.shown.is_empty() {
        return Ok(Vec::new());
    }
    sets.extend(shared::update(rules, &evidence.appeared, known)?);
    sets.sort_unstable();
    sets.dedup();
    let mut concerned = links::derive(rules, &sets, known)?;
    slices::update(rules, &evidence.shown, &evidence.recounted, &mut concerned)?;
    let outcome = graph::update(rules, concerned, known)?;
    history::record(cause, &outcome, &sets)?;
    Ok(outcome.touched)
}

/// Brings identity up to date after something was said by hand of these pairs.
pub fn update_asserted(rules: &Rules, pairs: &[Pair], cause: &Cause) -> Result<Touched> {
    let outcome = graph::update(rules, asserted::derive(pairs), &Known::default())?;
    history::record(cause, &outcome, &[])?;
    Ok(outcome.touched)
}

/// Derives identity anew for everything stored, and writes the differences.
pub fn rebuild(rules: &Rules, cause: &Cause) -> Result<Touched> {
    reclassify(rules)?;
    asserted::rebuild();
    shared::rebuild(rules)?;
    let sets = sql::rows("SELECT set_id FROM cdp.identifier_sets", args![], |row| {
        row.want::<i64>(1)
    });
    let known = Known::default();
    for part in sets.chunks(50_000) {
        pgrx::check_for_interrupts!();
        links::derive(rules, part, &known)?.store_undecided();
    }
    slices::rebuild(rules)?;
    let outcome = graph::rebuild(rules)?;
    history::record(cause, &outcome, &[])?;
    Ok(outcome.touched)
}

/// Finds what was said by hand under changed normalisers.
pub fn reread(rules: &Rules) -> Result<()> {
    asserted::reread(rules)
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
