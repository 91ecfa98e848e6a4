//! Identity: from evidence to clusters. Derived under the rules in force, and only what a change can
//! reach is derived anew.
//!
//! A change is a list of sets whose evidence, or whose members' standing, is new. It passes through
//! four steps: which identifiers are shared now ([`shared`]), the stars of the sets and the links
//! that they show ([`links`]), who used time-sliced identifiers when ([`slices`]), the clusters of those
//! links' region (the engine's `graph::update`).
//! What is said by hand joins at the last step, as links and cannot-links
//! ([`asserted`]), and so does what matchers find ([`matched`]). Whatever changes is written to the [`history`].

mod as_of;
pub mod asserted;
mod bulk;
mod components;
pub mod explain;
mod graph;
pub mod history;
mod links;
pub mod matched;
mod picture;
pub mod regrouped;
pub mod resolve;
mod shared;
mod shown;
pub mod slices;

use asserted::Pair;
pub use bulk::derives_whole;
pub use graph::Outcome;
use history::Cause;

use crate::evidence::sets::Known;
use crate::evidence::tally::Added;
use crate::pg::{Error, Result, guc};
use crate::rules::Rules;

/// Profiles whose nodes or sets are others than before, whether they still exist or not.
pub type Touched = Vec<i64>;

/// Brings identity up to date after the evidence of sets changed, and what matchers find of records.
pub fn update(
    rules: &Rules,
    evidence: Added,
    matches: &[matched::Change],
    known: &Known,
    cause: &Cause,
) -> Result<Touched> {
    let mut sets = evidence.changed;
    if sets.is_empty() && evidence.shown.is_empty() && matches.is_empty() {
        return Ok(Vec::new());
    }
    if matches.is_empty() && !slices::concerns(rules) && derives_whole(sets.len() as i64, 0) {
        match bulk::derive(rules, &[], 0) {
            Ok(outcome) => {
                sets.sort_unstable();
                sets.dedup();
                history::record(cause, &outcome, &sets)?;
                return Ok(outcome.touched);
            }
            // There are more identifiers in a set than most have. Nothing is written yet.
            Err(error) if is_too_large(&error) => {}
            Err(error) => return Err(error),
        }
    }
    sets.extend(shared::update(rules, &evidence.appeared, known)?);
    sets.sort_unstable();
    sets.dedup();
    let mut concerned = links::derive(rules, &sets, &evidence.recounted, known)?;
    slices::update(rules, &evidence.shown, &evidence.recounted, &mut concerned)?;
    matched::replace(matches, &mut concerned)?;
    let outcome = graph::update(rules, concerned, known)?;
    history::record(cause, &outcome, &sets)?;
    Ok(outcome.touched)
}

/// Brings identity up to date after something was said by hand of these pairs.
pub fn update_asserted(rules: &Rules, pairs: &[Pair], cause: &Cause) -> Result<Touched> {
    let mut concerned = asserted::derive(pairs);
    slices::update_asserted(rules, pairs, &mut concerned)?;
    let outcome = graph::update(rules, concerned, &Known::default())?;
    history::record(cause, &outcome, &[])?;
    Ok(outcome.touched)
}

/// From so many matches on, deriving the whole graph anew is quicker than what they can reach.
const MANY_MATCHES: usize = 20_000;

/// Brings identity up to date after matchers found something else of these pairs.
pub fn update_matched(
    rules: &Rules,
    changes: &[matched::Change],
    cause: &Cause,
) -> Result<Touched> {
    let mut concerned = links::Concerned::default();
    let outcome = if changes.len() > MANY_MATCHES {
        let new = matched::take_out(changes, &mut concerned)?;
        let beside = size_of_val(changes) + size_of_val(&new[..]);
        Outcome {
            unmatched: concerned.unmatched,
            ..bulk::derive(rules, &new, beside)?
        }
    } else {
        matched::replace(changes, &mut concerned)?;
        graph::update(rules, concerned, &Known::default())?
    };
    history::record(cause, &outcome, &[])?;
    Ok(outcome.touched)
}

/// Derives identity anew for everything stored, and writes the differences.
/// `changes`: what matchers find otherwise.
pub fn rebuild(rules: &Rules, changes: &[matched::Change], cause: &Cause) -> Result<Outcome> {
    let mut concerned = links::Concerned::default();
    let new = matched::take_out(changes, &mut concerned)?;
    let beside = size_of_val(changes) + size_of_val(&new[..]);
    let outcome = Outcome {
        unmatched: concerned.unmatched,
        ..bulk::derive(rules, &new, beside)?
    };
    history::record(cause, &outcome, &[])?;
    Ok(outcome)
}

/// Finds what was said by hand under changed normalisers.
pub fn reread(rules: &Rules) -> Result<()> {
    asserted::reread(rules)
}

/// Whether the graph, or the part of it that a change reaches, takes more memory than is allowed.
pub fn is_too_large(error: &Error) -> bool {
    error.code == TOO_LARGE
}

const TOO_LARGE: pgrx::PgSqlErrorCode = pgrx::PgSqlErrorCode::ERRCODE_CONFIGURATION_LIMIT_EXCEEDED;

/// Fails when so many bytes are more than `cdp.graph_memory`.
fn allow(what: &str, bytes: usize) -> Result<()> {
    if bytes <= guc::graph_memory() {
        return Ok(());
    }
    let megabytes = bytes.div_ceil(1 << 20);
    Err(Error::new(
        TOO_LARGE,
        format!("{what} takes more memory than cdp.graph_memory allows"),
    )
    .detail(format!(
        "{megabytes} MB are needed; {} MB are allowed.",
        guc::graph_memory() >> 20
    ))
    .hint(format!(
        "Raise it, if the machine has the memory: SET cdp.graph_memory = '{0}MB'; or, for the worker too, \
         ALTER SYSTEM SET cdp.graph_memory = '{0}MB'; SELECT pg_reload_conf();",
        megabytes.next_multiple_of(64)
    )))
}
