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
mod bulk;
mod components;
pub mod explain;
mod graph;
pub mod history;
mod links;
mod picture;
pub mod regrouped;
pub mod resolve;
mod shared;
pub mod slices;

use asserted::Pair;
pub use bulk::derives_whole;
pub use graph::Outcome;
use history::Cause;

use crate::evidence::sets::Known;
use crate::evidence::tally::Added;
use crate::pg::Result;
use crate::rules::Rules;

/// Profiles whose nodes or sets are others than before, whether they still exist or not.
pub type Touched = Vec<i64>;

/// Brings identity up to date after the evidence of sets changed.
pub fn update(rules: &Rules, evidence: Added, known: &Known, cause: &Cause) -> Result<Touched> {
    let mut sets = evidence.changed;
    if sets.is_empty() && evidence.shown.is_empty() {
        return Ok(Vec::new());
    }
    if !slices::concerns(rules) && derives_whole(sets.len() as i64, 0) {
        match bulk::derive(rules) {
            Ok(outcome) => {
                sets.sort_unstable();
                sets.dedup();
                history::record(cause, &outcome, &sets)?;
                return Ok(outcome.touched);
            }
            // There are more identifiers in a set than most have. Nothing is written yet.
            Err(error) if bulk::is_too_large(&error) => {}
            Err(error) => return Err(error),
        }
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
pub fn rebuild(rules: &Rules, cause: &Cause) -> Result<Outcome> {
    let outcome = bulk::derive(rules)?;
    history::record(cause, &outcome, &[])?;
    Ok(outcome)
}

/// Finds what was said by hand under changed normalisers.
pub fn reread(rules: &Rules) -> Result<()> {
    asserted::reread(rules)
}
