//! The greedy pass over the part of a stored graph that a change can reach.

use super::{Decision, Evidence, Link, Node, Resolution, TypeRule, resolve};
use std::collections::{HashMap, HashSet};

/// A node with the profile it belonged to when last resolved; `None` for a new node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredNode {
    /// The node.
    pub node: Node,
    /// Nodes of one cluster have one profile, and nodes of different clusters different ones.
    pub profile_id: Option<i64>,
}

/// A link between two node ids, as it stands after the change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StoredLink {
    /// One end.
    pub a_id: i64,
    /// The other end.
    pub b_id: i64,
    /// See [`Link::evidence`].
    pub evidence: Evidence,
    /// See [`Link::confirmed`].
    pub confirmed: bool,
    /// See [`Link::first_seen`].
    pub first_seen: i64,
    /// As last decided; `None` for a link that is new. Only what is compared with the new decision:
    /// a changed link may keep its old one.
    pub decision: Option<Decision>,
}

/// The graph as stored: the change is already written to nodes, links and cannot-links, while
/// profiles and decisions are still those of before. Every call asks for a whole batch, of distinct
/// ids, so that each can be one query.
pub trait Store {
    /// What can go wrong while reading.
    type Error;

    /// All nodes of the clusters that hold any of these nodes, each once; a new node is a cluster
    /// of its own. Ids that no longer exist are left out.
    fn clusters_of(&mut self, node_ids: &[i64]) -> Result<Vec<StoredNode>, Self::Error>;

    /// All links with one or both ends among these nodes, each once.
    fn links_of(&mut self, node_ids: &[i64]) -> Result<Vec<StoredLink>, Self::Error>;

    /// All cannot-links with one or both ends among these nodes.
    fn cannot_of(&mut self, node_ids: &[i64]) -> Result<Vec<(i64, i64)>, Self::Error>;
}

/// A node that is in another profile than before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Moved {
    /// The node.
    pub node_id: i64,
    /// Its profile before; `None` for a new node.
    pub from: Option<i64>,
    /// Its profile now.
    pub to: i64,
}

/// A link that is new, or whose decision is another than before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Decided {
    /// The link as it was read, with its decision before.
    pub link: StoredLink,
    /// Its decision now.
    pub decision: Decision,
}

/// What a change changed: only differences, by node id and by ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Update {
    /// Nodes that are in another profile.
    pub moved: Vec<Moved>,
    /// Links that were decided otherwise.
    pub decided: Vec<Decided>,
}

/// Brings clusters and decisions up to date after a change of links, cannot-links or nodes, and
/// gives what [`resolve`] over the whole graph would give, reading only what the change can reach.
/// (A change of rules can reach everything, so it needs a full pass.)
///
/// `changed` must name every new node and at least one end, of those that still exist, of every link
/// and cannot-link that was added, changed or removed. (Removing a node removes its links, so their
/// other ends are named.) Naming more is harmless.
///
/// The region starts as the clusters of those nodes, and its boundary is every cluster that a link
/// ties to it. The pass runs over both. Where it accepts a link between two former clusters, they
/// join the region, which moves the boundary; this repeats until the region stands still.
///
/// Why that is enough: without the change, a cluster's links are decided as if nothing else existed,
/// since all links that leave it were refused, and a refused link leaves no trace. A cluster outside
/// the region has no change within, so it still evolves that way until a link that leaves it is
/// accepted. By induction over the order of links, the pass over everything decides as this one, in
/// which no such link is accepted any more. All that can differ is the reason of a refused link
/// between region and boundary, and those are compared too.
///
/// Each round is three reads and one pass over what has been read. Added evidence mostly takes one
/// or two rounds; a chain of refused links that fall one after the other takes one round a cluster.
///
/// # Errors
///
/// Those of the store, unchanged.
///
/// # Panics
///
/// When a type index is out of range.
pub fn update<S: Store>(
    store: &mut S,
    changed: &[i64],
    rules: &[TypeRule],
) -> Result<Update, S::Error> {
    let mut view = View::default();
    view.load(store, changed.to_vec())?;
    let mut region: HashSet<Former> = view.former.iter().copied().collect();
    let mut frontier = view.frontier(&region);
    loop {
        if !frontier.is_empty() {
            view.load(store, frontier)?;
        }
        let pass = view.resolve(rules);
        let grown = view.extend(&mut region, &pass);
        frontier = view.frontier(&region);
        if !grown || frontier.is_empty() {
            return Ok(view.differences(&pass));
        }
    }
}

/// A cluster before the change: a profile, or a new node.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Former {
    Profile(i64),
    New(i64),
}

/// What has been read: whole former clusters, and all their links.
#[derive(Default)]
struct View {
    nodes: Vec<Node>,
    /// The former cluster of every node.
    former: Vec<Former>,
    /// Positions by id.
    position: HashMap<i64, u32>,
    links: Vec<StoredLink>,
    cannot: Vec<(i64, i64)>,
}

/// The pass over a view.
struct Pass {
    /// The links of the view with both ends in it: positions in the view, as the pass took them.
    taken: Vec<usize>,
    links: Vec<Link>,
    resolution: Resolution,
}

impl View {
    /// Reads the clusters of some nodes that have not been read yet.
    fn load<S: Store>(&mut self, store: &mut S, mut ids: Vec<i64>) -> Result<(), S::Error> {
        ids.sort_unstable();
        ids.dedup();
        let read = self.nodes.len();
        for StoredNode { node, profile_id } in store.clusters_of(&ids)? {
            let position = u32::try_from(self.nodes.len()).expect("at most 4,294,967,295 nodes");
            self.position.insert(node.id, position);
            self.former.push(match profile_id {
                Some(profile) => Former::Profile(profile),
                None => Former::New(node.id),
            });
            self.nodes.push(node);
        }
        let new: Vec<i64> = self.nodes[read..].iter().map(|n| n.id).collect();
        // What ties the new nodes to those read before was read with the latter.
        let before = |id: &i64| self.position.get(id).is_some_and(|&p| (p as usize) < read);
        let mut links = store.links_of(&new)?;
        links.retain(|l| !before(&l.a_id) && !before(&l.b_id));
        self.links.extend(links);
        // Read twice or once is the same for these.
        self.cannot.extend(store.cannot_of(&new)?);
        Ok(())
    }

    /// Nodes not read yet that a link ties to the region.
    fn frontier(&self, region: &HashSet<Former>) -> Vec<i64> {
        let inside = |id: &i64| {
            let position = self.position.get(id);
            position.is_some_and(|&p| region.contains(&self.former[p as usize]))
        };
        let outside = |id: &i64| !self.position.contains_key(id);
        self.links
            .iter()
            .flat_map(|l| [(l.a_id, l.b_id), (l.b_id, l.a_id)])
            .filter(|(from, to)| inside(from) && outside(to))
            .map(|(_, to)| to)
            .collect()
    }

    fn resolve(&self, rules: &[TypeRule]) -> Pass {
        let ends = |a, b| Some((*self.position.get(&a)?, *self.position.get(&b)?));
        let (taken, links): (Vec<usize>, Vec<Link>) = self
            .links
            .iter()
            .enumerate()
            .filter_map(|(at, l)| {
                let (a, b) = ends(l.a_id, l.b_id)?;
                let link = Link {
                    a,
                    b,
                    evidence: l.evidence,
                    confirmed: l.confirmed,
                    first_seen: l.first_seen,
                };
                Some((at, link))
            })
            .unzip();
        let cannot: Vec<_> = self
            .cannot
            .iter()
            .filter_map(|&(a, b)| ends(a, b))
            .collect();
        let resolution = resolve(&self.nodes, &links, &cannot, rules);
        Pass {
            taken,
            links,
            resolution,
        }
    }

    /// Takes into the region what an accepted link now joins; whether there was anything.
    fn extend(&self, region: &mut HashSet<Former>, pass: &Pass) -> bool {
        let before = region.len();
        for (link, &decision) in pass.links.iter().zip(&pass.resolution.decisions) {
            let [a, b] = [link.a, link.b].map(|n| self.former[n as usize]);
            if a != b && decision == Decision::Accepted {
                region.extend([a, b]);
            }
        }
        region.len() > before
    }

    fn differences(&self, pass: &Pass) -> Update {
        let moved = (0..).zip(self.nodes.iter().zip(&self.former));
        let moved = moved.filter_map(|(position, (node, former))| {
            let to = pass.resolution.profile_id(&self.nodes, position);
            let from = match *former {
                Former::Profile(profile) => Some(profile),
                Former::New(_) => None,
            };
            (from != Some(to)).then_some(Moved {
                node_id: node.id,
                from,
                to,
            })
        });
        let decided = pass.taken.iter().zip(&pass.resolution.decisions);
        let decided = decided.filter_map(|(&at, &decision)| {
            let link = self.links[at];
            (link.decision != Some(decision)).then_some(Decided { link, decision })
        });
        Update {
            moved: moved.collect(),
            decided: decided.collect(),
        }
    }
}
