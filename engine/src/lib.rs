//! The algorithms of pg_cdp. This crate knows nothing of PostgreSQL: it takes plain values, gives
//! plain values, and can be tested without a server. It alone may use threads.

pub mod graph;
pub mod identifier;
pub mod message;
pub mod record;
pub mod schedule;
pub mod segment;
pub mod traits;
