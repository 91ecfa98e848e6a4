//! Which links make the tree of the picture, and which are drawn beside it.

use std::collections::VecDeque;

use super::Picture;
use crate::graph::Decision;

/// Nodes at a greater depth stand below their parents, not beside them: a chain of identifiers would
/// make the picture endlessly wide.
pub const COLUMNS: usize = 4;

/// The picture as a tree.
pub struct Tree {
    /// The node in the middle.
    pub root: u32,
    /// The node one step nearer to it.
    pub parent: Vec<Option<u32>>,
    /// Nodes one step further away, the strongest first.
    pub children: Vec<Vec<u32>>,
    /// Steps from the root.
    pub depth: Vec<usize>,
    /// Links that end at the node on the side of the root, the tree's own first.
    pub entries: Vec<Vec<u32>>,
    /// All other links.
    pub arcs: Vec<u32>,
}

impl Tree {
    /// The shortest paths from the identifier that names the profile: by accepted links, and only
    /// where none leads by others.
    pub fn new(picture: &Picture) -> Self {
        let count = picture.nodes.len();
        let root = picture
            .nodes
            .iter()
            .position(|n| n.id == picture.profile_id)
            .unwrap_or(0) as u32;
        let mut tree = Self {
            root,
            parent: vec![None; count],
            children: vec![Vec::new(); count],
            depth: vec![0; count],
            entries: vec![Vec::new(); count],
            arcs: Vec::new(),
        };
        let mut placed = vec![false; count];
        if count == 0 {
            return tree;
        }
        placed[root as usize] = true;
        let accepted =
            |link: u32| picture.links[link as usize].decision == Some(Decision::Accepted);
        let neighbours = Neighbours::new(picture);
        let all: Vec<u32> = tree.grow(&neighbours, &mut placed, vec![root], accepted);
        tree.grow(&neighbours, &mut placed, all, |_| true);
        for node in 0..count as u32 {
            if !placed[node as usize] {
                tree.attach(node, root, None);
            }
        }
        for link in 0..picture.links.len() as u32 {
            tree.add_beside(picture, link);
        }
        tree
    }

    /// Adds what these nodes lead to, step by step; all nodes placed since, after the given ones.
    fn grow(
        &mut self,
        neighbours: &Neighbours,
        placed: &mut [bool],
        from: Vec<u32>,
        usable: impl Fn(u32) -> bool,
    ) -> Vec<u32> {
        let mut queue: VecDeque<u32> = from.into();
        let mut reached = Vec::new();
        while let Some(node) = queue.pop_front() {
            reached.push(node);
            for &(other, link) in &neighbours.of[node as usize] {
                if !placed[other as usize] && usable(link) {
                    placed[other as usize] = true;
                    self.attach(other, node, Some(link));
                    queue.push_back(other);
                }
            }
        }
        reached
    }

    fn attach(&mut self, node: u32, parent: u32, link: Option<u32>) {
        self.parent[node as usize] = Some(parent);
        self.depth[node as usize] = self.depth[parent as usize] + 1;
        self.children[parent as usize].push(node);
        self.entries[node as usize].extend(link);
    }

    /// A link that is not of the tree enters the node that is further from the root, where there is
    /// room beside that node.
    fn add_beside(&mut self, picture: &Picture, link: u32) {
        let (a, b) = {
            let shown = &picture.links[link as usize];
            (shown.a as usize, shown.b as usize)
        };
        if self.entries[a].contains(&link) || self.entries[b].contains(&link) {
            return;
        }
        let (near, far) = if self.depth[a] < self.depth[b] {
            (a, b)
        } else {
            (b, a)
        };
        if self.depth[near] < self.depth[far] && self.depth[far] <= COLUMNS {
            self.entries[far].push(link);
        } else {
            self.arcs.push(link);
        }
    }

    /// The root's child that a node hangs from; none for the root itself.
    pub fn branch(&self, mut node: u32) -> Option<u32> {
        while let Some(parent) = self.parent[node as usize] {
            if parent == self.root {
                return Some(node);
            }
            node = parent;
        }
        None
    }
}

/// Of each node, the others with the links to them, the strongest first.
struct Neighbours {
    of: Vec<Vec<(u32, u32)>>,
}

impl Neighbours {
    fn new(picture: &Picture) -> Self {
        let mut of = vec![Vec::new(); picture.nodes.len()];
        for (n, link) in (0u32..).zip(&picture.links) {
            of[link.a as usize].push((link.b, n));
            of[link.b as usize].push((link.a, n));
        }
        let strength = |&(node, link): &(u32, u32)| {
            let other = &picture.nodes[node as usize];
            let link = &picture.links[link as usize];
            let undecided = link.decision.map_or(i16::MAX, Decision::as_code);
            (undecided, other.type_idx, &other.value, other.id)
        };
        for list in &mut of {
            list.sort_by(|x, y| strength(x).cmp(&strength(y)));
        }
        Self { of }
    }
}
