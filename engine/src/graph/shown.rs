//! What the sets that show a link say of it.

/// Microseconds a day.
const DAY: i64 = 86_400_000_000;

/// What sources say of a set or a link: a link dates from the earliest, and is confirmed by two UTC
/// days, two sources, or a record.
#[derive(Clone, Copy, Debug)]
pub struct Shown {
    /// The time that the link dates from.
    pub linked_at: i64,
    /// First seen.
    pub first_seen: i64,
    /// Last seen.
    pub last_seen: i64,
    /// One source that showed it.
    pub source: i32,
    /// Whether more than days confirm it: a record, or a second source.
    pub confirmed: bool,
}

impl Shown {
    /// Adds what another set, or another source, says.
    pub fn join(&mut self, other: &Self) {
        self.linked_at = self.linked_at.min(other.linked_at);
        self.first_seen = self.first_seen.min(other.first_seen);
        self.last_seen = self.last_seen.max(other.last_seen);
        self.confirmed |= other.confirmed || self.source != other.source;
    }

    /// Whether it was seen on two UTC days, in two sources, or stated by a record.
    pub fn is_confirmed(&self) -> bool {
        self.confirmed || self.first_seen.div_euclid(DAY) != self.last_seen.div_euclid(DAY)
    }
}
