//! Matching: which records are of one person, though they share no identifier. The algorithms are the
//! engine's (`cdp_engine::matching`); here are the functions of SQL, what is stored, and when it runs.
//!
//! - [`standalone`]: any query's rows, with its caller's rights; nothing is stored.

mod columns;
mod standalone;
mod table;
mod work;
