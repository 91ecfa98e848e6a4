//! Typed traits and survivorship: which of the values that sources gave for a trait a profile shows.
//!
//! - [`TraitType`] and [`coerce`] decide whether a JSON value fits the declared type of a trait, and
//!   give the text that PostgreSQL's input function accepts for it.
//! - [`Candidates`] is the partial state of one identifier set and one source. It is kept as jsonb,
//!   and merging such states in any order and grouping gives the same state.
//! - [`survive`] picks the winner among the candidates of all the sets and sources of a profile.
//!
//! What survives is a pure function of the multiset of (value, time, tie, source), whatever the order
//! of arrival. A JSON null is no value: it is no candidate, and clears nothing.

mod candidates;
mod coerce;
mod decimal;
mod iso8601;
mod json;
mod survive;
mod types;

pub use candidates::{Candidate, Candidates, Keep};
pub use coerce::{Coerced, Misfit, coerce};
pub use json::canonical_json;
pub use survive::{Survival, TraitSpec, Unfit, Winner, survive};
pub use types::{Survivorship, TraitError, TraitType};
