//! The order in which the greedy pass takes links.

use super::{Evidence, Identifiers, Link, TypeRule};
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

/// Positions of `links`, the strongest first: asserted, then by the rank of the weaker end or of
/// the matcher, then by weight, confirmed before seen once, first seen (for types that keep the last
/// link: last seen alone), and at last the types and values of the ends as bytes. The order depends on nothing but what the links say: not on their
/// positions, nor on ids or the order of ends. Links that it cannot tell apart are the same
/// evidence twice.
///
/// O(m log m) for m links; values are read on ties only.
pub(super) fn by_strength(
    nodes: &(impl Identifiers + ?Sized),
    node_ranks: &[u16],
    links: &[Link],
    rules: &[TypeRule],
    ranks: &Ranks,
) -> Vec<u32> {
    struct Key {
        strength: u64,
        first_seen: i64,
        link: u32,
    }
    let count = u32::try_from(links.len()).expect("at most 4,294,967,295 links");
    let classes = Classes::new(links, rules, ranks);
    let mut keys: Vec<Key> = (0..count)
        .zip(links)
        .map(|(link, l)| {
            let weaker = node_ranks[l.a as usize].max(node_ranks[l.b as usize]);
            let keep_last = l.evidence == Evidence::Observed
                && rules[usize::from(ranks.type_at(weaker))].keep_last;
            let strength = classes.strength(l, weaker);
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
        })
        .collect();
    let ends = |link: u32| {
        let l = &links[link as usize];
        let end = |n: u32| (node_ranks[n as usize], nodes.value(n));
        let (a, b) = (end(l.a), end(l.b));
        if a <= b { (a, b) } else { (b, a) }
    };
    keys.sort_unstable_by(|x, y| {
        (x.strength, x.first_seen)
            .cmp(&(y.strength, y.first_seen))
            .then_with(|| ends(x.link).cmp(&ends(y.link)))
    });
    keys.into_iter().map(|k| k.link).collect()
}

/// Numbers 1, 2, … for the types and the matchers' priorities together, the strongest first, so
/// that the strength of a link fits 64 bits.
struct Classes {
    /// By rank of the type.
    of_rank: Vec<u64>,
    /// Priority of matchers, ascending, and the class of each.
    of_matcher: Vec<(i32, u64)>,
}

impl Classes {
    fn new(links: &[Link], rules: &[TypeRule], ranks: &Ranks) -> Self {
        let matchers: BTreeSet<i32> = links
            .iter()
            .filter_map(|l| match l.evidence {
                Evidence::Matched { priority, .. } => Some(priority),
                Evidence::Asserted | Evidence::Observed => None,
            })
            .collect();
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

    /// Class, weight and confirmation in one number, smaller for the stronger link.
    fn strength(&self, link: &Link, weaker_rank: u16) -> u64 {
        let (class, weight) = match link.evidence {
            Evidence::Asserted => (0, 0),
            Evidence::Observed => (self.of_rank[usize::from(weaker_rank)], 0),
            Evidence::Matched { priority, weight } => {
                let at = self.of_matcher.partition_point(|&(p, _)| p < priority);
                // As an unsigned number that falls while the weight rises.
                let falling = u64::from(i32::MAX.abs_diff(weight));
                (self.of_matcher[at].1, falling)
            }
        };
        class << 33 | weight << 1 | u64::from(!link.confirmed)
    }
}
