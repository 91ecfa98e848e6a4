//! The identity graph of one profile, for people to look at: as JSON ([`json`]), for Graphviz
//! ([`dot`]), and as a picture of its own ([`svg`]).
//!
//! The picture is a tree round the identifier that names the profile, drawn to both sides, so that
//! neither nodes nor the labels of links overlap; links beside the tree are arcs. One graph gives one
//! picture, to the byte.

mod arcs;
mod dot;
mod json;
mod label;
mod layout;
mod svg;
#[cfg(test)]
mod tests;
pub(crate) mod text;
mod tree;

pub use dot::dot;
pub use json::json;
pub(crate) use layout::number;
pub use svg::svg;

use crate::graph::Decision;

/// What is drawn.
#[derive(Clone, Debug, Default)]
pub struct Picture {
    /// The profile.
    pub profile_id: i64,
    /// Names of the identifier types, from the strongest. A `type_idx` is a position in here.
    pub types: Vec<String>,
    /// The profile's identifiers, and those of others at the other end of a link. No two have one id.
    pub nodes: Vec<Identifier>,
    /// Links between them.
    pub links: Vec<Shown>,
    /// What there is besides.
    pub left_out: LeftOut,
}

/// An identifier.
#[derive(Clone, Debug)]
pub struct Identifier {
    /// Its node id.
    pub id: i64,
    /// Its type.
    pub type_idx: u16,
    /// Its normalised value.
    pub value: String,
    /// The profile that it belongs to; `None` if it belongs to nobody.
    pub profile_id: Option<i64>,
    /// Whether it joins profiles.
    pub standing: Standing,
}

/// Whether an identifier joins profiles.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It does.
    Ordinary,
    /// It does not: its value stands for nobody.
    Blocked,
    /// It does not: it was seen with too many identifiers of another type.
    Shared {
        /// That type.
        type_idx: u16,
        /// How many at least: they are not counted further than the limit.
        degree: u32,
    },
    /// It does not: it serves one person after another.
    TimeSliced,
}

/// A link between two identifiers, with its evidence.
#[derive(Clone, Debug)]
pub struct Shown {
    /// Position of one end.
    pub a: u32,
    /// Position of the other.
    pub b: u32,
    /// What it rests on.
    pub kind: Kind,
    /// What became of it. `None` where an end joins nothing, so that there was nothing to decide.
    pub decision: Option<Decision>,
    /// Whether it counts as confirmed.
    pub confirmed: bool,
    /// The sources that showed it, or who asserted it.
    pub sources: Vec<String>,
    /// How often it was shown.
    pub count: i64,
    /// When first, in microseconds since the epoch, UTC.
    pub first_seen: i64,
    /// When last.
    pub last_seen: i64,
    /// Why it was asserted.
    pub reason: Option<String>,
    /// When a time-sliced identifier was whose it is linked with, in order.
    pub slices: Vec<Slice>,
}

/// A stretch of time, in microseconds since the epoch, UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Slice {
    /// From when on; `None` from the beginning.
    pub from: Option<i64>,
    /// Until before when; `None` to the end.
    pub until: Option<i64>,
}

/// What a link rests on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Seen together in a message or a record.
    Observed,
    /// Found by a matcher.
    Matched {
        /// How strongly, in hundredths of a bit.
        weight: i32,
    },
    /// Held for two persons by a matcher.
    NonMatch {
        /// The same; the smaller, the surer.
        weight: i32,
    },
    /// Said by hand to be one person.
    Asserted,
    /// Said by hand to be two persons.
    AssertedApart,
    /// A time-sliced identifier with one of those whom it serves in turn.
    TimeSliced,
}

impl Kind {
    /// Whether it says that the two are of two persons.
    pub fn is_apart(self) -> bool {
        matches!(self, Kind::AssertedApart | Kind::NonMatch { .. })
    }

    /// The weight that a matcher gave.
    fn weight(self) -> Option<i32> {
        match self {
            Kind::Matched { weight } | Kind::NonMatch { weight } => Some(weight),
            Kind::Observed | Kind::Asserted | Kind::AssertedApart | Kind::TimeSliced => None,
        }
    }

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Observed => "observed",
            Kind::Matched { .. } => "matched",
            Kind::NonMatch { .. } => "non_match",
            Kind::Asserted => "asserted",
            Kind::AssertedApart => "cannot_link",
            Kind::TimeSliced => "time_sliced",
        }
    }
}

/// What is not in the picture.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LeftOut {
    /// Identifiers of the profile.
    pub identifiers: u64,
    /// Links of the identifiers drawn that lead out of the profile.
    pub links: u64,
}

impl Picture {
    fn type_name(&self, type_idx: u16) -> &str {
        self.types
            .get(usize::from(type_idx))
            .map_or("", String::as_str)
    }

    fn node(&self, position: u32) -> &Identifier {
        &self.nodes[position as usize]
    }

    /// Whether the node belongs to the profile that is drawn.
    fn is_own(&self, position: u32) -> bool {
        self.node(position).profile_id == Some(self.profile_id)
    }
}
