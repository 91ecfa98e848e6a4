//! Clusters that grow by joining, and the rules that forbid a join.

use super::conflicts::Conflicts;
use super::order::{Classes, Ranks};
use super::{Apart, Refusal, TypeRule};

const WORD: usize = u64::BITS as usize;

/// A union-find forest (union by size, path halving: Tarjan and van Leeuwen 1984) whose roots carry
/// what the rules ask about a cluster, in flat arrays:
///
/// - one bit a type: whether the cluster holds one. It decides the bridge rule, and `max_per_profile
///   = 1` as well, since a cluster that holds one such identifier can take no other;
/// - one counter for each type with another limit.
///
/// A check or a join costs O(types / 64 + limits other than 1), beside what must stay apart.
pub(super) struct Clusters<'a> {
    rules: &'a [TypeRule],
    ranks: &'a Ranks,
    parent: Vec<u32>,
    size: Vec<u32>,
    /// Words a cluster in `present`.
    words: usize,
    /// Bit sets of ranks.
    present: Vec<u64>,
    /// The ranks of which a profile may hold one: one cluster's worth of words.
    unique: Vec<u64>,
    /// Ranks with another limit, the strongest first, with that limit.
    limited: Vec<(u16, u32)>,
    /// How many of each limited rank a cluster holds: `limited.len()` counters a cluster.
    counts: Vec<u32>,
    conflicts: Conflicts,
}

impl<'a> Clusters<'a> {
    /// One cluster for every node, given the nodes' ranks.
    pub(super) fn new(
        rules: &'a [TypeRule],
        ranks: &'a Ranks,
        node_ranks: &[u16],
        apart: &[Apart],
        classes: &Classes,
    ) -> Self {
        let count = u32::try_from(node_ranks.len()).expect("at most 4,294,967,295 nodes");
        let words = rules.len().div_ceil(WORD);
        let mut unique = vec![0; words];
        let mut limited = Vec::new();
        for (rank, &t) in (0..).zip(ranks.types()) {
            match rules[usize::from(t)].max_per_profile {
                Some(1) => unique[usize::from(rank) / WORD] |= bit(rank),
                Some(max) => limited.push((rank, max)),
                None => {}
            }
        }
        let mut present = vec![0; node_ranks.len() * words];
        let mut counts = Vec::with_capacity(node_ranks.len() * limited.len());
        for (node, &rank) in node_ranks.iter().enumerate() {
            present[node * words + usize::from(rank) / WORD] = bit(rank);
            counts.extend(limited.iter().map(|&(r, _)| u32::from(r == rank)));
        }
        Clusters {
            rules,
            ranks,
            parent: (0..count).collect(),
            size: vec![1; node_ranks.len()],
            words,
            present,
            unique,
            limited,
            counts,
            conflicts: Conflicts::new(
                apart
                    .iter()
                    .map(|apart| (apart.a, apart.b, classes.first_beaten(apart.by))),
            ),
        }
    }

    /// The root of a node's cluster.
    pub(super) fn root(&mut self, mut node: u32) -> u32 {
        loop {
            let up = self.parent[node as usize];
            if up == node {
                return node;
            }
            let above = self.parent[up as usize];
            self.parent[node as usize] = above;
            node = above;
        }
    }

    /// Joins the clusters of two different roots because of an assertion, which only a cannot-link
    /// stops. Must come before any [`join`](Self::join) of the same connected component: what assertions
    /// join counts as one towards the limits, so a counter stays at most 1 for now.
    pub(super) fn join_asserted(&mut self, a: u32, b: u32) -> Result<(), Refusal> {
        if self.conflicts.between(a, b) == Some(Classes::ASSERTED) {
            return Err(Refusal::CannotLink);
        }
        self.merge(a, b, u32::max);
        Ok(())
    }

    /// Joins the clusters of two different roots because of a link of class `class` whose weaker end
    /// has rank `weaker`, unless that breaks a rule.
    pub(super) fn join(&mut self, a: u32, b: u32, weaker: u16, class: u64) -> Result<(), Refusal> {
        let apart_from = self.conflicts.between(a, b);
        if apart_from == Some(Classes::ASSERTED) {
            return Err(Refusal::CannotLink);
        }
        if let Some(rank) = self.over_limit(a, b) {
            let type_idx = self.ranks.type_at(rank);
            return Err(Refusal::MaxPerProfile { type_idx });
        }
        if !self.rules[usize::from(self.ranks.type_at(weaker))].bridges
            && let Some(rank) = self.strongest_shared(a, b, |w| below(weaker, w))
        {
            let type_idx = self.ranks.type_at(rank);
            return Err(Refusal::Bridge { type_idx });
        }
        if apart_from.is_some_and(|from| from <= class) {
            return Err(Refusal::NonMatch);
        }
        self.merge(a, b, |x, y| x + y);
        Ok(())
    }

    /// The strongest rank of which the two clusters together hold too many.
    fn over_limit(&self, a: u32, b: u32) -> Option<u16> {
        let unique = self.strongest_shared(a, b, |w| self.unique[w]);
        let [a, b] = [a, b].map(|root| &self.counts[self.counters(root)]);
        let limited = self
            .limited
            .iter()
            .zip(a.iter().zip(b))
            .find(|((_, max), (x, y))| *x + *y > *max)
            .map(|(&(rank, _), _)| rank);
        match (unique, limited) {
            (Some(x), Some(y)) => Some(x.min(y)),
            (one, other) => one.or(other),
        }
    }

    /// The strongest rank that both clusters hold, among those in the mask of each word.
    fn strongest_shared(&self, a: u32, b: u32, mask: impl Fn(usize) -> u64) -> Option<u16> {
        let (a, b) = (a as usize * self.words, b as usize * self.words);
        (0..self.words).find_map(|w| {
            let shared = self.present[a + w] & self.present[b + w] & mask(w);
            // A rank is a u16 by construction, so its position in the bit set is one as well.
            (shared != 0).then(|| (w * WORD) as u16 + shared.trailing_zeros() as u16)
        })
    }

    fn merge(&mut self, a: u32, b: u32, add: impl Fn(u32, u32) -> u32) {
        let (root, gone) = if self.size[a as usize] < self.size[b as usize] {
            (b, a)
        } else {
            (a, b)
        };
        self.parent[gone as usize] = root;
        self.size[root as usize] += self.size[gone as usize];
        for w in 0..self.words {
            self.present[root as usize * self.words + w] |=
                self.present[gone as usize * self.words + w];
        }
        for (to, from) in self.counters(root).zip(self.counters(gone)) {
            self.counts[to] = add(self.counts[to], self.counts[from]);
        }
        self.conflicts.merge(root, gone);
    }

    fn counters(&self, root: u32) -> std::ops::Range<usize> {
        let start = root as usize * self.limited.len();
        start..start + self.limited.len()
    }
}

/// The bit of a rank within its word.
fn bit(rank: u16) -> u64 {
    1 << (usize::from(rank) % WORD)
}

/// The part in word `word` of the set of all ranks stronger than `rank`.
fn below(rank: u16, word: usize) -> u64 {
    match word.cmp(&(usize::from(rank) / WORD)) {
        std::cmp::Ordering::Less => u64::MAX,
        std::cmp::Ordering::Equal => bit(rank) - 1,
        std::cmp::Ordering::Greater => 0,
    }
}
