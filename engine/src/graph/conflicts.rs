//! Which clusters must stay apart, as they grow.

use std::collections::HashMap;

/// Which clusters must stay apart, and from which class of links on.
///
/// A cluster with conflicts belongs to a group, and the enemies of a group are groups. When two
/// clusters join, the group with fewer enemies is relabelled, so that c conflicts cost
/// O(c log c) in all; a look-up is O(1), and clusters without conflicts cost nothing but that.
#[derive(Default)]
pub(super) struct Conflicts {
    /// By the cluster's root.
    group: HashMap<u32, u32>,
    /// By group; symmetric. The strongest class of links that must not join the two.
    enemies: HashMap<u32, HashMap<u32, u64>>,
}

impl Conflicts {
    /// For clusters of one node each. A pair of one node with itself says nothing.
    pub(super) fn new(pairs: impl Iterator<Item = (u32, u32, u64)>) -> Self {
        let mut all = Conflicts::default();
        for (a, b, from) in pairs.filter(|(a, b, _)| a != b) {
            for (x, y) in [(a, b), (b, a)] {
                all.group.insert(x, x);
                all.forbid_from(x, y, from);
            }
        }
        all
    }

    /// From which class of links on the clusters of two roots must stay apart; `None` if never.
    pub(super) fn between(&self, a: u32, b: u32) -> Option<u64> {
        let (a, b) = (self.group.get(&a)?, self.group.get(&b)?);
        self.enemies[a].get(b).copied()
    }

    /// Notes that the cluster of root `gone` became part of that of root `root`.
    pub(super) fn merge(&mut self, root: u32, gone: u32) {
        let Some(mut small) = self.group.remove(&gone) else {
            return;
        };
        let Some(&(mut large)) = self.group.get(&root) else {
            self.group.insert(root, small);
            return;
        };
        if self.enemies[&small].len() > self.enemies[&large].len() {
            std::mem::swap(&mut small, &mut large);
        }
        for (enemy, from) in self.enemies.remove(&small).unwrap_or_default() {
            self.enemies.entry(enemy).or_default().remove(&small);
            // A link that was stronger than what kept them apart has joined them.
            if enemy != large {
                self.forbid_from(enemy, large, from);
                self.forbid_from(large, enemy, from);
            }
        }
        self.group.insert(root, large);
    }

    fn forbid_from(&mut self, group: u32, enemy: u32, from: u64) {
        let known = self.enemies.entry(group).or_default();
        let class = known.entry(enemy).or_insert(from);
        *class = from.min(*class);
    }
}
