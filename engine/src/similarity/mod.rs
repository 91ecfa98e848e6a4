//! How alike two texts are, and the one form of a name, an address, a telephone number.
//!
//! Metrics look at characters as they are given; who wants `Ana` and `ANA` to be equal normalises
//! first. Edit distances are those of the crate strsim, phonetic codes those of rphonetic.

mod fold;
mod jaccard;
mod jaro;
pub mod nicknames;
mod normalize;
mod phonetic;

pub use fold::fold;
pub use jaccard::{jaccard, jaccard_of_sets};
pub use jaro::{jaro_winkler, jaro_winkler_either_way};
pub use normalize::{normalize_address, normalize_email, normalize_name, normalize_phone};
pub use phonetic::double_metaphone;
pub use strsim::{damerau_levenshtein, levenshtein};

#[cfg(test)]
mod tests;
