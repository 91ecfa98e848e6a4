//! The algorithms of pg_cdp. This crate knows nothing of PostgreSQL: it takes plain values, gives
//! plain values, and can be tested without a server. It alone may use threads.

pub mod background;
pub mod graph;
pub mod identifier;
pub mod mapping;
pub mod matching;
pub mod message;
pub mod picture;
pub mod record;
pub mod schedule;
pub mod segment;
pub mod traits;

/// A 128-bit hash (xxh3), for naming contents: not for security.
pub fn fingerprint(bytes: &[u8]) -> u128 {
    xxhash_rust::xxh3::xxh3_128(bytes)
}
