//! The identity graph: which identifiers belong to one person.
//!
//! Identifiers are nodes, evidence that two of them belong together are links, and a cluster of
//! nodes is a profile. Clusters are a pure function of links and rules, computed by one greedy
//! pass: links are taken from the strongest to the weakest, and each joins two clusters unless the
//! result would break a rule; then it is refused, and the rule is its recorded reason. (This is
//! Kruskal's algorithm for a minimum spanning forest, with rules that veto a join.)
//!
//! - [`resolve`] runs the pass over a whole graph in near-linear time;
//! - [`update`] runs it over the part of a stored graph that a change can reach, and gives the same
//!   result as a full pass;
//! - [`whole`] derives everything from all identifier sets at once;
//! - [`star`] derives the links of one identifier set;
//! - [`chain`] explains why two identifiers are in one cluster;
//! - [`regroup`](mod@regroup) tells what became of the profiles of before;
//! - [`components`] are the clusters where no rule forbids anything.

mod chain;
mod clusters;
pub mod components;
mod conflicts;
mod decision;
mod order;
pub mod regroup;
mod resolve;
mod shown;
mod slices;
mod star;
mod update;
pub mod whole;

pub use chain::chain;
pub use decision::{Decision, Refusal};
pub use resolve::{Resolution, resolve, resolve_unless};
pub use shown::Shown;
pub use slices::{Sighting, SwitchPoint, Torn, switch_points, torn};
pub use star::{SetNode, Star, star};
pub use update::{Changes, Decided, Moved, Spread, Store, StoredLink, StoredNode, Update, update};

/// What holds for all identifiers of one type. The types of a graph are a slice of these, and a
/// `type_idx` is a position in that slice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TypeRule {
    /// Smaller is stronger. Of types with one priority, the one with the smaller index is stronger.
    pub priority: i32,
    /// How many identifiers of this type a profile may hold, those that assertions join counting as
    /// one; `None` for any number. With 0, only assertions join an identifier of this type.
    pub max_per_profile: Option<u32>,
    /// Whether a link whose weaker type is this one may join two clusters that both hold a value of
    /// one same stronger type.
    pub bridges: bool,
    /// Whether, of links whose weaker type is this one, the one seen last comes first, and not the one
    /// that is confirmed or was seen first.
    pub keep_last: bool,
    /// Whether identifiers of this type serve one person after another: they join nothing, and what
    /// they show alone belongs to whoever was seen with them last.
    pub time_sliced: bool,
}

impl Default for TypeRule {
    /// A type without limits that joins all it is seen with.
    fn default() -> Self {
        TypeRule {
            priority: 0,
            max_per_profile: None,
            bridges: true,
            keep_last: false,
            time_sliced: false,
        }
    }
}

/// An identifier.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node {
    /// Identifies the node for good; the smallest one of a cluster's strongest type names the
    /// profile.
    pub id: i64,
    /// Position of the type in the slice of rules.
    pub type_idx: u16,
    /// The normalised value. No two nodes of a graph share type and value.
    pub value: Box<str>,
}

/// Identifiers, by position.
pub trait Identifiers {
    /// How many there are.
    fn len(&self) -> usize;
    /// See [`Node::id`].
    fn id(&self, node: u32) -> i64;
    /// See [`Node::type_idx`].
    fn type_idx(&self, node: u32) -> u16;
    /// See [`Node::value`].
    fn value(&self, node: u32) -> &str;

    /// Whether there are none.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl Identifiers for [Node] {
    fn len(&self) -> usize {
        self.len()
    }
    fn id(&self, node: u32) -> i64 {
        self[node as usize].id
    }
    fn type_idx(&self, node: u32) -> u16 {
        self[node as usize].type_idx
    }
    fn value(&self, node: u32) -> &str {
        &self[node as usize].value
    }
}

impl Identifiers for Vec<Node> {
    fn len(&self) -> usize {
        self.as_slice().len()
    }
    fn id(&self, node: u32) -> i64 {
        self.as_slice().id(node)
    }
    fn type_idx(&self, node: u32) -> u16 {
        self.as_slice().type_idx(node)
    }
    fn value(&self, node: u32) -> &str {
        self.as_slice().value(node)
    }
}

/// Why two identifiers are believed to belong to one person.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Evidence {
    /// Somebody said so: stronger than anything else, and free of all limits but cannot-links.
    Asserted,
    /// Seen together in a message or a record: as strong as the weaker of the two types.
    Observed,
    /// Found by a matcher: as strong as the matcher, and then as the weight.
    Matched {
        /// The matcher's priority, on the same scale as that of the types. At one priority,
        /// observed links come before matched ones.
        priority: i32,
        /// Larger is stronger.
        weight: i32,
    },
}

/// That two nodes are of two persons, and so must not be in one cluster. A node is its position in a
/// slice of nodes, or its id where the graph is stored. A node apart from itself says nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Apart<N = u32> {
    /// One of them.
    pub a: N,
    /// The other. Their order means nothing.
    pub b: N,
    /// Who says so.
    pub by: ApartBy,
}

/// Who says that two nodes are of two persons.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ApartBy {
    /// Somebody by hand: a cannot-link, which beats every link.
    Hand,
    /// A matcher of that priority: a non-match. It beats the links that come after the matcher's own in
    /// the order of the pass; those that are stronger may join the two all the same.
    Matcher {
        /// As of [`Evidence::Matched`].
        priority: i32,
    },
}

impl<N> Apart<N> {
    /// Said by hand of these two.
    pub fn by_hand((a, b): (N, N)) -> Self {
        let by = ApartBy::Hand;
        Apart { a, b, by }
    }
}

/// A piece of evidence between two nodes, which are positions in a slice of nodes.
///
/// Two nodes may have several links, of different evidence; each is decided by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Link {
    /// One end.
    pub a: u32,
    /// The other end. The order of the ends means nothing.
    pub b: u32,
    /// What the link rests on.
    pub evidence: Evidence,
    /// Confirmed links come before those of equal strength that were seen only once.
    pub confirmed: bool,
    /// Microseconds since the epoch, UTC. Among equals the earlier link comes first. (Where the weaker
    /// type is [`keep_last`](TypeRule::keep_last), when it was seen last; the later comes first.)
    pub first_seen: i64,
}
