//! Profiles: derived from the sets of each cluster. Which values win is the engine's `traits`.

pub mod candidates;
mod read;
pub mod rows;
mod sets;
mod sliced;
