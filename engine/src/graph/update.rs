//! The greedy pass over the part of a stored graph that a change can reach.

use super::order::Ranks;
use super::{Apart, Decision, Evidence, Link, Node, Resolution, TypeRule, resolve};
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

/// The graph as stored: the change is already written to nodes, links and what is apart, while
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

    /// All links within each of these clusters whose stored decision is that they are accepted, each
    /// once. Of a hub with thousands of refused links it should not read those.
    fn accepted_within(&mut self, clusters: &[Vec<i64>]) -> Result<Vec<StoredLink>, Self::Error>;

    /// The links, but for asserted ones, between the ends of each of these pairs. A pair without one is
    /// left out.
    fn links_between(&mut self, pairs: &[(i64, i64)]) -> Result<Vec<StoredLink>, Self::Error>;

    /// All cannot-links and non-matches with one or both ends among these nodes.
    fn apart_of(&mut self, node_ids: &[i64]) -> Result<Vec<Apart<i64>>, Self::Error>;

    /// Told as the change spreads. An error stops the update.
    fn spreads(&mut self, spread: Spread) -> Result<(), Self::Error> {
        let _ = spread;
        Ok(())
    }

    /// Runs a pass over so many nodes. It reads nothing, so it may run in a thread, and be abandoned.
    fn run<T: Send + 'static>(
        &mut self,
        nodes: usize,
        pass: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Self::Error> {
        let _ = nodes;
        Ok(pass())
    }
}

/// How far a change has spread.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Spread {
    /// Nodes all of whose links were read.
    pub read: usize,
    /// Nodes that are known.
    pub reached: usize,
    /// Clusters that these were in.
    pub clusters: usize,
}

impl Spread {
    /// The memory that this takes, with a pass over it: as measured, 310 bytes a node with a link in one
    /// cluster of a million, and 710 a node in clusters of two.
    pub fn bytes(&self) -> usize {
        self.reached * 320 + self.clusters * 800
    }
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

/// What changed in the stored graph.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Changes {
    /// Nodes that must have a profile: every new node is named here or in another list.
    pub nodes: Vec<i64>,
    /// The ends of links, other than asserted ones, that were added, that now come earlier in the
    /// order of the pass, or that changed and were refused before.
    pub gained: Vec<(i64, i64)>,
    /// At least one end, of those that still exist, of every link, cannot-link and non-match that changed
    /// in any other way: an accepted one removed or weakened, one that is asserted. (Removing a node removes
    /// its links, so their other ends are named.) Refused links that were removed are not missed.
    pub disturbed: Vec<i64>,
}

/// Brings clusters and decisions up to date after a change of links, of what is apart, or of nodes, and
/// gives what [`resolve`] over the whole graph would give, reading only what the change can reach.
/// (A change of rules can reach everything, so it needs a full pass.)
///
/// Naming more changes than there are is harmless.
///
/// The view starts as the clusters of the nodes named, with the accepted links within them and the
/// links gained. A pass over the view shows which clusters are *turned*: they may have grown otherwise
/// than before, or into more. Of those alone all other links are read, with the clusters that they lead
/// to; this repeats until no further cluster turns. So a refused link to a hub of thousands of refused
/// links reads none of them.
///
/// Why that is enough: a link between two clusters was refused, and a refused link leaves no trace, so
/// every cluster was decided as if nothing else existed. A cluster that is not turned has the same
/// links within it in the same order as far as they join anything, and all of those are still accepted:
/// it goes through the same stages as before. At any stage it may hold more only by what joined it from
/// outside, and then ([`View::turned`]) that is nodes of types that no rule asks about (no limit, nothing
/// that it is apart from, nothing that keeps a weaker type from bridging), joined by as many links as make a tree
/// of clusters, so that no two parts of it met earlier than before. Neither changes the answer of any
/// rule: a link that leaves a cluster that is not turned, and was not read, is refused as before and for
/// the same reason. By induction over the order of links, the pass over everything decides as the one
/// over the view, and as before elsewhere.
///
/// Each round is a few reads and one pass over what has been read. Where the change runs along a chain
/// of refused links that fall one after the other, each round after the first few reads as far ahead as
/// doubles the view, so that n clusters take O(log n) passes and not n.
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
    changes: &Changes,
    rules: &[TypeRule],
) -> Result<Update, S::Error> {
    let neutral = neutral_types(rules);
    let mut view = View::default();
    let gained = changes.gained.iter().flat_map(|&(a, b)| [a, b]);
    let named = changes.nodes.iter().chain(&changes.disturbed).copied();
    view.load(store, named.chain(gained).collect())?;
    view.add_links(store.links_between(&changes.gained)?);
    view.gained = changes
        .gained
        .iter()
        .map(|&(a, b)| (a.min(b), a.max(b)))
        .collect();
    let mut next = view.formers_of(&changes.disturbed);
    view.turned = view.new_but(&next);
    for round in 0.. {
        view.turn(store, next)?;
        if round >= ROUNDS_OF_ONE_STEP {
            view.look_ahead(store)?;
        }
        let pass = view.resolve(store, rules)?;
        next = view.turned(&pass, &neutral);
        if next.is_empty() {
            return Ok(view.differences(&pass));
        }
    }
    unreachable!("every round turns a cluster")
}

/// Nodes that are asked for at once. What is told of long changes is told after each of these.
const PART: usize = 10_000;

/// Rounds that read no further than they must; nearly all changes end within them.
const ROUNDS_OF_ONE_STEP: usize = 6;

/// The types that no rule asks about: a cluster may gain or lose identifiers of them, and no link is
/// decided otherwise for it.
fn neutral_types(rules: &[TypeRule]) -> Vec<bool> {
    let ranks = Ranks::new(rules);
    let of = |t: u16| &rules[usize::from(t)];
    let last_to_ask = (ranks.types().iter()).rposition(|&t| !of(t).bridges);
    let mut neutral = vec![false; rules.len()];
    for (rank, &t) in ranks.types().iter().enumerate() {
        // A type that does not bridge asks about all that are stronger.
        neutral[usize::from(t)] =
            of(t).max_per_profile.is_none() && last_to_ask.is_none_or(|last| rank >= last);
    }
    neutral
}

/// A cluster before the change: a profile, or a new node.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Former {
    Profile(i64),
    New(i64),
}

/// The ends of a link, the smaller first.
fn pair(link: &StoredLink) -> (i64, i64) {
    (link.a_id.min(link.b_id), link.a_id.max(link.b_id))
}

/// What has been read: whole former clusters, with the links gained, all accepted links within them,
/// and all links of those that are turned.
#[derive(Default)]
struct View {
    nodes: Vec<Node>,
    /// The former cluster of every node.
    former: Vec<Former>,
    /// Positions by id.
    position: HashMap<i64, u32>,
    /// The nodes of every former cluster.
    members: HashMap<Former, Vec<u32>>,
    links: Vec<StoredLink>,
    /// What is in `links`; links of one pair differ in their evidence.
    known: HashSet<((i64, i64), Evidence)>,
    /// The pairs whose links may differ from those that the stored decisions rest on.
    gained: HashSet<(i64, i64)>,
    apart: HashSet<Apart<i64>>,
    /// Clusters all of whose links are read, with the clusters that they lead to.
    turned: HashSet<Former>,
    /// How many nodes these hold.
    read: usize,
    /// How many nodes were read and known when that was told last.
    told: usize,
    /// The clusters that were read last.
    edge: Vec<Former>,
    /// How many nodes the last pass was over.
    passed: usize,
}

/// The pass over a view.
struct Pass {
    /// The links of the view with both ends in it: positions in the view, as the pass took them.
    taken: Vec<usize>,
    links: Vec<Link>,
    resolution: Resolution,
}

impl View {
    /// Reads the clusters of some nodes, with the accepted links within them.
    fn load<S: Store>(&mut self, store: &mut S, mut ids: Vec<i64>) -> Result<(), S::Error> {
        self.edge.clear();
        ids.sort_unstable();
        ids.dedup();
        for part in ids.chunks(PART) {
            self.load_part(store, part)?;
            self.tell(store)?;
        }
        Ok(())
    }

    /// Tells how far the change has spread, now and then.
    fn tell<S: Store>(&mut self, store: &mut S) -> Result<(), S::Error> {
        let now = self.read + self.nodes.len();
        if now < self.told + PART / 10 {
            return Ok(());
        }
        self.told = now;
        store.spreads(Spread {
            read: self.read,
            reached: self.nodes.len(),
            clusters: self.members.len(),
        })
    }

    fn load_part<S: Store>(&mut self, store: &mut S, ids: &[i64]) -> Result<(), S::Error> {
        let unknown = |id: &i64| !self.position.contains_key(id);
        let ids: Vec<i64> = ids.iter().copied().filter(unknown).collect();
        if ids.is_empty() {
            return Ok(());
        }
        let (read, loaded) = (self.nodes.len(), self.edge.len());
        for StoredNode { node, profile_id } in store.clusters_of(&ids)? {
            let position = u32::try_from(self.nodes.len()).expect("at most 4,294,967,295 nodes");
            let former = match profile_id {
                Some(profile) => Former::Profile(profile),
                None => Former::New(node.id),
            };
            self.position.insert(node.id, position);
            let members = self.members.entry(former).or_default();
            if members.is_empty() {
                self.edge.push(former);
            }
            members.push(position);
            self.former.push(former);
            self.nodes.push(node);
        }
        let new: Vec<i64> = self.nodes[read..].iter().map(|n| n.id).collect();
        let id = |&position: &u32| self.nodes[position as usize].id;
        let clusters = self.edge[loaded..]
            .iter()
            .map(|former| &self.members[former]);
        let several: Vec<Vec<i64>> = clusters
            .filter(|members| members.len() > 1)
            .map(|members| members.iter().map(id).collect())
            .collect();
        if !several.is_empty() {
            let links = store.accepted_within(&several)?;
            self.add_links(links);
        }
        self.apart.extend(store.apart_of(&new)?);
        Ok(())
    }

    fn add_links(&mut self, links: Vec<StoredLink>) {
        for link in links {
            if self.known.insert((pair(&link), link.evidence)) {
                self.links.push(link);
            }
        }
    }

    /// Reads all links of some clusters, and the clusters that they lead to.
    fn turn<S: Store>(&mut self, store: &mut S, clusters: HashSet<Former>) -> Result<(), S::Error> {
        let nodes: Vec<i64> = (clusters.iter())
            .filter(|former| !self.turned.contains(former))
            .flat_map(|former| &self.members[former])
            .map(|&position| self.nodes[position as usize].id)
            .collect();
        self.turned.extend(clusters);
        let mut ends = Vec::new();
        for part in nodes.chunks(PART) {
            let links = store.links_of(part)?;
            ends.extend(links.iter().flat_map(|l| [l.a_id, l.b_id]));
            self.add_links(links);
            self.read += part.len();
            self.tell(store)?;
        }
        self.load(store, ends)
    }

    /// Reads on from what was read last, as if it were all turned, until there is twice as much as in
    /// the last pass.
    fn look_ahead<S: Store>(&mut self, store: &mut S) -> Result<(), S::Error> {
        while self.nodes.len() < 2 * self.passed && !self.edge.is_empty() {
            let edge = std::mem::take(&mut self.edge);
            self.turn(store, edge.into_iter().collect())?;
        }
        Ok(())
    }

    fn formers_of(&self, ids: &[i64]) -> HashSet<Former> {
        let known = ids.iter().filter_map(|id| self.position.get(id));
        known.map(|&p| self.former[p as usize]).collect()
    }

    /// The new nodes, but for these: every link that they have was gained, and has been read.
    fn new_but(&self, disturbed: &HashSet<Former>) -> HashSet<Former> {
        let new = self.members.keys().filter(|f| matches!(f, Former::New(_)));
        new.filter(|f| !disturbed.contains(f)).copied().collect()
    }

    fn resolve<S: Store>(&mut self, store: &mut S, rules: &[TypeRule]) -> Result<Pass, S::Error> {
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
        let apart: Vec<Apart> = self
            .apart
            .iter()
            .filter_map(|&Apart { a, b, by }| ends(a, b).map(|(a, b)| Apart { a, b, by }))
            .collect();
        self.passed = self.nodes.len();
        let (nodes, rules) = (std::mem::take(&mut self.nodes), rules.to_vec());
        let (nodes, links, resolution) = store.run(self.passed, move || {
            let resolution = resolve(&nodes, &links, &apart, &rules);
            (nodes, links, resolution)
        })?;
        self.nodes = nodes;
        Ok(Pass {
            taken,
            links,
            resolution,
        })
    }

    /// The clusters that the pass shows to be turned, and that were not known to be.
    fn turned(&self, pass: &Pass, neutral: &[bool]) -> HashSet<Former> {
        let mut turned = HashSet::new();
        // By new cluster: the accepted links between the former clusters in it, and these.
        let mut joined: HashMap<u32, (usize, HashSet<Former>)> = HashMap::new();
        let decided = pass.taken.iter().zip(&pass.links);
        for ((&at, link), &decision) in decided.zip(&pass.resolution.decisions) {
            let stored = &self.links[at];
            let accepted = decision == Decision::Accepted;
            let [a, b] = [link.a, link.b].map(|n| self.former[n as usize]);
            if a != b {
                if accepted {
                    let name = pass.resolution.cluster[link.a as usize];
                    let (links, formers) = joined.entry(name).or_default();
                    *links += 1;
                    formers.extend([a, b]);
                }
            } else if accepted {
                // It may have joined them earlier than before.
                if self.gained.contains(&pair(stored)) {
                    turned.insert(a);
                }
            } else if stored.decision == Some(Decision::Accepted) {
                turned.insert(a);
            }
        }
        let forbidden: HashSet<i64> = self.apart.iter().flat_map(|p| [p.a, p.b]).collect();
        let asked_about = |former: &Former| {
            self.members[former].iter().any(|&position| {
                let node = &self.nodes[position as usize];
                !neutral[usize::from(node.type_idx)] || forbidden.contains(&node.id)
            })
        };
        for (links, formers) in joined.into_values() {
            let is_tree = links + 1 == formers.len();
            let asked_about: HashSet<Former> =
                formers.iter().copied().filter(asked_about).collect();
            turned.extend(formers.into_iter().filter(|former| {
                let others = asked_about.len() - usize::from(asked_about.contains(former));
                !is_tree || others > 0
            }));
        }
        turned.retain(|former| !self.turned.contains(former));
        turned
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
