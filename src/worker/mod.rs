//! Background workers: the launcher, one pipeline worker a database, and how they are woken.

/// Tells the launcher, at commit, that this database may have become ready for a worker.
pub fn announce_installation() {}

/// What the workers of this database do, in a line.
pub fn describe() -> String {
    "unknown".to_owned()
}
