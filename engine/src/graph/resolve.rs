//! The greedy pass over a whole graph.

use super::clusters::Clusters;
use super::order::{Classes, Order, Ranks, by_component};
use super::whole::{Cancelled, STRIDE, go_on};
use super::{Apart, Decision, Evidence, Identifiers, Link, TypeRule};
use crate::background::Cancel;

/// What [`resolve`] found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resolution {
    /// For every node, the position of the node that names its cluster: the one with the smallest
    /// id among the cluster's nodes of its strongest type. Nodes are in one cluster exactly when
    /// these are equal.
    pub cluster: Vec<u32>,
    /// For every link, what became of it.
    pub decisions: Vec<Decision>,
}

impl Resolution {
    /// The profile that a node belongs to, given the nodes that were resolved.
    pub fn profile_id(&self, nodes: &(impl Identifiers + ?Sized), node: u32) -> i64 {
        nodes.id(self.cluster[node as usize])
    }
}

/// Decides every link and so the clusters, by the greedy pass that the [module](super) describes.
///
/// `apart` holds pairs of nodes that must not be in one cluster: see [`ApartBy`](super::ApartBy) for the
/// links that they beat. Links of one node with itself are accepted and change nothing. The result depends on neither the order of
/// nodes, links, pairs nor ends, and on ids only for the choice of names.
///
/// Links are sorted within their connected component: O(m log c) for m links in components of c, the
/// rest is near-linear. Memory is about 12 bytes a link, 24 more for those of the largest component, and
/// 38 bytes a node beside the arguments (with at most 64 types, and 4 more a node for every type with a
/// limit other than 1).
///
/// One thread. Of 0.9 s for a million links a seventh finds components; the rest goes by component and
/// could be shared among threads, at best 1.7 times as fast with two. It is not: in a rebuild the pass
/// is one part in a hundred of the time, nearly all of which goes into reading and writing tables.
///
/// # Panics
///
/// When a position or a type index is out of range, or there are more than `u32::MAX` nodes or
/// links.
pub fn resolve(
    nodes: &(impl Identifiers + ?Sized),
    links: &[Link],
    apart: &[Apart],
    rules: &[TypeRule],
) -> Resolution {
    match resolve_unless(nodes, links, apart, rules, &Cancel::default()) {
        Ok(resolution) => resolution,
        Err(Cancelled) => unreachable!("nobody cancels it"),
    }
}

/// [`resolve`], given up soon after it is cancelled.
///
/// # Errors
///
/// When it is cancelled.
///
/// # Panics
///
/// As [`resolve`].
pub fn resolve_unless(
    nodes: &(impl Identifiers + ?Sized),
    links: &[Link],
    apart: &[Apart],
    rules: &[TypeRule],
    cancel: &Cancel,
) -> Result<Resolution, Cancelled> {
    let ranks = Ranks::new(rules);
    let node_ranks = ranks.of_nodes(nodes);
    let classes = Classes::new(links, apart, rules, &ranks);
    let mut clusters = Clusters::new(rules, &ranks, &node_ranks, apart, &classes);
    let mut decisions = vec![Decision::Accepted; links.len()];
    let (mut positions, ends) = by_component(nodes.len(), links, cancel)?;
    let mut order = Order::new(nodes, &node_ranks, links, rules, &ranks, &classes);
    let (mut start, mut done) = (0, 0);
    for end in ends {
        let component = &mut positions[start as usize..end as usize];
        start = end;
        order.sort(component);
        for &link in &*component {
            done += 1;
            if done % STRIDE == 0 {
                go_on(cancel)?;
            }
            let l = &links[link as usize];
            let (a, b) = (clusters.root(l.a), clusters.root(l.b));
            if a == b {
                continue;
            }
            let joined = match l.evidence {
                Evidence::Asserted => clusters.join_asserted(a, b),
                Evidence::Observed | Evidence::Matched { .. } => {
                    let weaker = node_ranks[l.a as usize].max(node_ranks[l.b as usize]);
                    clusters.join(a, b, weaker, classes.of(l, weaker))
                }
            };
            if let Err(refusal) = joined {
                decisions[link as usize] = Decision::Refused(refusal);
            }
        }
    }
    Ok(Resolution {
        cluster: name_clusters(nodes, &node_ranks, &mut clusters),
        decisions,
    })
}

/// For every node, the node that names its cluster.
fn name_clusters(
    nodes: &(impl Identifiers + ?Sized),
    node_ranks: &[u16],
    clusters: &mut Clusters,
) -> Vec<u32> {
    let standing = |n: u32| (node_ranks[n as usize], nodes.id(n));
    let count = node_ranks.len() as u32;
    // By root; every node is its own candidate until a better one of its cluster is found.
    let mut name: Vec<u32> = (0..count).collect();
    for node in 0..count {
        let best = &mut name[clusters.root(node) as usize];
        if standing(node) < standing(*best) {
            *best = node;
        }
    }
    (0..count)
        .map(|node| name[clusters.root(node) as usize])
        .collect()
}
