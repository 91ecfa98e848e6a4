//! Evidence: accepted messages and captured rows, deduplicated, with their identifiers and sets.
//! Nothing here decides who is who.

pub mod partitions;
