//! Records that share no identifier, yet tell of one person: probabilistic matching.
//!
//! The model is that of Fellegi and Sunter ("A theory for record linkage", 1969). A pair of records is
//! seen as its *levels*: for each comparison, how well two values agree. For every level, `m` is how
//! often pairs of one person show it, `u` how often unrelated pairs do; the base-2 logarithm of their
//! ratio is the level's *weight*, the sum over comparisons and of the prior odds is the weight of the
//! pair, and the logistic function of it the probability that both are one person.
//!
//! From records to clusters:
//!
//! 1. [`records`]: the columns, each distinct value once, normalised by its [`Meaning`], by threads
//!    while they come ([`Intake`]);
//! 2. [`blocking`]: which pairs are looked at, each once, by rules that say beforehand how many there are;
//! 3. [`comparison`]: the levels of a pair;
//! 4. [`model`]: `m`, `u`, priors and frequencies of values, found without examples;
//! 5. [`cluster`]: from pairs to persons, where one wrong pair joins no two families;
//! 6. [`report`]: what was found and why, for people to look at.
//!
//! [`matcher`] is all of them together.
//!
//! Nothing here depends on the number of threads, or on the order of records.

pub mod blocking;
pub mod cluster;
pub mod comparison;
mod intake;
pub mod live;
pub mod matcher;
pub mod meaning;
pub mod model;
mod naming;
pub mod prepare;
pub mod records;
pub mod report;
pub mod score;
pub mod spec;
pub mod train;

#[cfg(test)]
mod order_tests;
#[cfg(test)]
mod tests;

pub use blocking::{Key, Share};
pub use intake::Intake;
pub use live::LiveKeys;
pub use matcher::Matcher;
pub use meaning::Meaning;
pub use model::Model;
pub use records::{Column, Records, Value, name};
pub use score::PairScore;
pub use spec::{Error, Settings, Spec};
pub use train::{Progress, train, train_and_prepare};
