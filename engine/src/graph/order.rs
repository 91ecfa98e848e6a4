//! The order in which the greedy pass takes links.

use super::whole::{Cancelled, STRIDE, go_on};
use super::{Apart, ApartBy, Evidence, Identifiers, Link, TypeRule};
use crate::background::Cancel;
use std::collections::BTreeSet;

/// The types from the strongest to the weakest. A type's rank is its place in that row, so that
/// ranks compare where priorities may tie.
pub(super) struct Ranks {
    rank_of: Vec<u16>,
    type_at: Vec<u16>,
}

impl Ranks {
    pub(super) fn new(rules: &[TypeRule]) -> Self {
        let count = u16::try_from(rules.len()).expect("at most 65,535 identifier types");
        let mut type_at: Vec<u16> = (0..count).collect();
        type_at.sort_by_key(|&t| rules[usize::from(t)].priority);
        let mut rank_of = vec![0; rules.len()];
        for (rank, &t) in (0..count).zip(&type_at) {
            rank_of[usize::from(t)] = rank;
        }
        Ranks { rank_of, type_at }
    }

    pub(super) fn rank_of(&self, type_idx: u16) -> u16 {
        self.rank_of[usize::from(type_idx)]
    }

    pub(super) fn type_at(&self, rank: u16) -> u16 {
        self.type_at[usize::from(rank)]
    }

    /// All types, the strongest first.
    pub(super) fn types(&self) -> &[u16] {
        &self.type_at
    }

    /// The rank of every node: a dense copy, because the pass reads it at random and the nodes
    /// themselves are many times larger.
    pub(super) fn of_nodes(&self, nodes: &(impl Identifiers + ?Sized)) -> Vec<u16> {
        (0..nodes.len() as u32)
            .map(|n| self.rank_of(nodes.type_idx(n)))
            .collect()
    }
}

/// The order of links: asserted, then by the rank of the weaker end or of the matcher, then by
/// weight, confirmed before seen once, first seen (for types that keep the last link: last seen
/// alone), and at last the types and values of the ends as
/// bytes. It depends on nothing but what the links say: not on their positions, nor on ids or the
/// order of ends. Links that it cannot tell apart are the same evidence twice.
pub(super) struct Order<'a, N: Identifiers + ?Sized> {
    nodes: &'a N,
    node_ranks: &'a [u16],
    links: &'a [Link],
    classes: &'a Classes,
    rules: &'a [TypeRule],
    ranks: &'a Ranks,
    /// What is being sorted; kept for the next.
    keys: Vec<Key>,
}

struct Key {
    strength: u64,
    first_seen: i64,
    link: u32,
}

impl<'a, N: Identifiers + ?Sized> Order<'a, N> {
    pub(super) fn new(
        nodes: &'a N,
        node_ranks: &'a [u16],
        links: &'a [Link],
        rules: &'a [TypeRule],
        ranks: &'a Ranks,
        classes: &'a Classes,
    ) -> Self {
        Order {
            nodes,
            node_ranks,
            links,
            classes,
            rules,
            ranks,
            keys: Vec::new(),
        }
    }

    /// Sorts positions of links, the strongest first. O(m log m) for m links; values are read on ties
    /// only.
    pub(super) fn sort(&mut self, positions: &mut [u32]) {
        if positions.len() < 2 {
            return;
        }
        let mut keys = std::mem::take(&mut self.keys);
        keys.clear();
        keys.extend(positions.iter().map(|&link| {
            let l = &self.links[link as usize];
            let weaker = self.node_ranks[l.a as usize].max(self.node_ranks[l.b as usize]);
            let keep_last = l.evidence == Evidence::Observed
                && self.rules[usize::from(self.ranks.type_at(weaker))].keep_last;
            let strength = self.classes.strength(l, weaker);
            Key {
                strength: if keep_last { strength & !1 } else { strength },
                // In bits, NOT is the order turned round.
                first_seen: if keep_last {
                    !l.first_seen
                } else {
                    l.first_seen
                },
                link,
            }
        }));
        keys.sort_unstable_by(|x, y| {
            (x.strength, x.first_seen)
                .cmp(&(y.strength, y.first_seen))
                .then_with(|| self.ends(x.link).cmp(&self.ends(y.link)))
        });
        for (position, key) in positions.iter_mut().zip(&keys) {
            *position = key.link;
        }
        self.keys = keys;
    }

    /// What the ends are, the stronger one first.
    fn ends(&self, link: u32) -> [(u16, &str); 2] {
        let l = &self.links[link as usize];
        let end = |n: u32| (self.node_ranks[n as usize], self.nodes.value(n));
        let (a, b) = (end(l.a), end(l.b));
        if a <= b { [a, b] } else { [b, a] }
    }
}

/// Positions of links by connected component, and where each component starts.
///
/// Components never touch, so the pass can take one after the other. That makes it near-linear: what
/// is sorted is small, fits the cache, and hardly ever ties.
///
/// # Errors
/// When it is cancelled.
pub(super) fn by_component(
    nodes: usize,
    links: &[Link],
    cancel: &Cancel,
) -> Result<(Vec<u32>, Vec<u32>), Cancelled> {
    let count = u32::try_from(links.len()).expect("at most 4,294,967,295 links");
    let mut parent: Vec<u32> = (0..nodes as u32).collect();
    let root = |parent: &mut [u32], mut node: u32| {
        while parent[node as usize] != node {
            let above = parent[parent[node as usize] as usize];
            parent[node as usize] = above;
            node = above;
        }
        node
    };
    for part in links.chunks(STRIDE) {
        go_on(cancel)?;
        for link in part {
            let (a, b) = (root(&mut parent, link.a), root(&mut parent, link.b));
            parent[a.max(b) as usize] = a.min(b);
        }
    }
    // How many links each component has; then where they start; then where the next goes.
    let mut starts = vec![0_u32; nodes + 1];
    for part in links.chunks(STRIDE) {
        go_on(cancel)?;
        for link in part {
            starts[root(&mut parent, link.a) as usize] += 1;
        }
    }
    let mut next = 0;
    for start in &mut starts {
        (*start, next) = (next, next + *start);
    }
    let mut order = vec![0; links.len()];
    for (position, link) in (0..count).zip(links) {
        if (position as usize).is_multiple_of(STRIDE) {
            go_on(cancel)?;
        }
        let start = &mut starts[root(&mut parent, link.a) as usize];
        order[*start as usize] = position;
        *start += 1;
    }
    // Each start has moved to the next one's: they are ends now.
    starts.pop();
    starts.dedup();
    Ok((order, starts))
}

/// Numbers 1, 2, … for the types and the matchers' priorities together, the strongest first, so
/// that the strength of a link fits 64 bits.
pub(super) struct Classes {
    /// By rank of the type.
    of_rank: Vec<u64>,
    /// Priority of matchers, ascending, and the class of each.
    of_matcher: Vec<(i32, u64)>,
}

impl Classes {
    /// The class of asserted links, the strongest of all.
    pub(super) const ASSERTED: u64 = 0;

    pub(super) fn new(links: &[Link], apart: &[Apart], rules: &[TypeRule], ranks: &Ranks) -> Self {
        let of_links = links.iter().filter_map(|l| match l.evidence {
            Evidence::Matched { priority, .. } => Some(priority),
            Evidence::Asserted | Evidence::Observed => None,
        });
        let of_apart = apart.iter().filter_map(|apart| match apart.by {
            ApartBy::Matcher { priority } => Some(priority),
            ApartBy::Hand => None,
        });
        let matchers: BTreeSet<i32> = of_links.chain(of_apart).collect();
        let mut matchers = matchers.into_iter().peekable();
        let mut class = 0;
        let mut of_matcher = Vec::new();
        let mut of_rank = Vec::with_capacity(rules.len());
        for &t in ranks.types() {
            while let Some(priority) = matchers.next_if(|&p| p < rules[usize::from(t)].priority) {
                class += 1;
                of_matcher.push((priority, class));
            }
            class += 1;
            of_rank.push(class);
        }
        for priority in matchers {
            class += 1;
            of_matcher.push((priority, class));
        }
        assert!(class < 1 << 31, "too many different matcher priorities");
        Classes {
            of_rank,
            of_matcher,
        }
    }

    fn of_matcher(&self, priority: i32) -> u64 {
        let at = self.of_matcher.partition_point(|&(p, _)| p < priority);
        self.of_matcher[at].1
    }

    /// The class of a link whose weaker end has that rank: smaller for the stronger link.
    pub(super) fn of(&self, link: &Link, weaker_rank: u16) -> u64 {
        match link.evidence {
            Evidence::Asserted => Self::ASSERTED,
            Evidence::Observed => self.of_rank[usize::from(weaker_rank)],
            Evidence::Matched { priority, .. } => self.of_matcher(priority),
        }
    }

    /// The strongest class of links that do not join what these say is apart.
    pub(super) fn first_beaten(&self, by: ApartBy) -> u64 {
        match by {
            ApartBy::Hand => Self::ASSERTED,
            ApartBy::Matcher { priority } => self.of_matcher(priority) + 1,
        }
    }

    /// Class, weight and confirmation in one number, smaller for the stronger link.
    fn strength(&self, link: &Link, weaker_rank: u16) -> u64 {
        let class = self.of(link, weaker_rank);
        let weight = match link.evidence {
            Evidence::Asserted | Evidence::Observed => 0,
            // As an unsigned number that falls while the weight rises.
            Evidence::Matched { weight, .. } => u64::from(i32::MAX.abs_diff(weight)),
        };
        class << 33 | weight << 1 | u64::from(!link.confirmed)
    }
}
