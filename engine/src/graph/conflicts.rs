//! Cannot-links between clusters that grow.

use std::collections::{HashMap, HashSet};

/// Which clusters must stay apart.
///
/// A cluster with cannot-links belongs to a group, and the enemies of a group are groups. When two
/// clusters join, the group with fewer enemies is relabelled, so that c cannot-links cost
/// O(c log c) in all; a look-up is O(1), and clusters without cannot-links cost nothing but that.
#[derive(Default)]
pub(super) struct Conflicts {
    /// By the cluster's root.
    group: HashMap<u32, u32>,
    /// By group; symmetric.
    enemies: HashMap<u32, HashSet<u32>>,
}

impl Conflicts {
    /// For clusters of one node each. A pair of one node with itself says nothing.
    pub(super) fn new(cannot: &[(u32, u32)]) -> Self {
        let mut all = Conflicts::default();
        for &(a, b) in cannot.iter().filter(|(a, b)| a != b) {
            for (x, y) in [(a, b), (b, a)] {
                all.group.insert(x, x);
                all.enemies.entry(x).or_default().insert(y);
            }
        }
        all
    }

    /// Whether the clusters of two roots must stay apart.
    pub(super) fn forbid(&self, a: u32, b: u32) -> bool {
        match (self.group.get(&a), self.group.get(&b)) {
            (Some(a), Some(b)) => self.enemies[a].contains(b),
            _ => false,
        }
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
        for enemy in self.enemies.remove(&small).unwrap_or_default() {
            let theirs = self.enemies.entry(enemy).or_default();
            theirs.remove(&small);
            theirs.insert(large);
            self.enemies.entry(large).or_default().insert(enemy);
        }
        self.group.insert(root, large);
    }
}
