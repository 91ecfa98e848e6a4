//! Nodes that are found by a hash of their name.

use std::hint::black_box;

use super::{TooLarge, reserve};

/// Marks a root; the rest of its `parent` is then the position of its smallest node.
const ROOT: u32 = 1 << 31;

/// Nodes in the order of their first mention, as a union-find forest (path halving; the older node
/// becomes the root), with an index of hashes. What a node is called is a word: its number, or where
/// its bytes are.
pub(super) struct Dense {
    /// The upper half of an entry is the hash, the lower one the position of the node, from 1; 0 is
    /// free. An entry's place is the top of its hash, so that the table grows without a look at the
    /// nodes: a walk through memory from one end to the other.
    index: Vec<u64>,
    /// How far a hash is shifted to the right to give a place.
    shift: u32,
    nodes: Vec<Node>,
    limit: usize,
}

/// Twelve bytes side by side, since a look-up needs all of them.
#[derive(Clone, Copy)]
struct Node {
    word: [u32; 2],
    parent: u32,
}

impl Node {
    fn word(self) -> u64 {
        u64::from(self.word[0]) << 32 | u64::from(self.word[1])
    }
}

const SMALLEST: usize = 1 << 10;

impl Dense {
    pub(super) fn new(limit: usize) -> Self {
        Dense {
            index: vec![0; SMALLEST],
            shift: u32::BITS - SMALLEST.ilog2(),
            nodes: Vec::new(),
            limit,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.nodes.len()
    }

    pub(super) fn bytes(&self) -> usize {
        self.index.capacity() * size_of::<u64>() + self.nodes.capacity() * size_of::<Node>()
    }

    /// What [`bytes`](Self::bytes) will be after the index has grown once more.
    pub(super) fn bytes_when_grown(&self) -> usize {
        self.bytes() + self.index.len() * size_of::<u64>()
    }

    /// Whether the index must grow to take so many nodes more.
    pub(super) fn is_full(&self, more: usize) -> bool {
        // Linear probing: at three quarters a miss takes some eight steps in one or two cache lines.
        self.nodes.len() + more > self.index.len() / 4 * 3
    }

    /// Makes room for so many nodes more; `others` are the bytes that the caller holds.
    pub(super) fn reserve(&mut self, more: usize, others: usize) -> Result<(), TooLarge> {
        let nodes = self.nodes.len();
        let too_large = |needed| TooLarge { nodes, needed };
        if nodes + more >= ROOT as usize {
            return Err(too_large(usize::MAX));
        }
        while self.is_full(more) {
            self.grow(others).map_err(too_large)?;
        }
        let index = self.index.capacity() * size_of::<u64>();
        reserve(&mut self.nodes, more, others + index, self.limit).map_err(too_large)
    }

    fn grow(&mut self, others: usize) -> Result<(), usize> {
        let size = self.index.len() * 2;
        let needed = others + self.bytes() + size * size_of::<u64>();
        let mut index = Vec::new();
        if needed > self.limit || index.try_reserve_exact(size).is_err() {
            return Err(needed);
        }
        index.resize(size, 0);
        self.shift -= 1;
        for &entry in self.index.iter().filter(|&&entry| entry != 0) {
            let mut place = (entry >> 32 >> self.shift) as usize;
            while index[place] != 0 {
                place = (place + 1) & (size - 1);
            }
            index[place] = entry;
        }
        self.index = index;
        Ok(())
    }

    /// Loads what the look-ups of these hashes will need. The loads do not wait for one another, as
    /// those of the look-ups do: most of the time of a large graph is waiting for memory.
    pub(super) fn touch(&self, hashes: &[u32]) {
        let mut sum = 0;
        for hash in hashes {
            sum ^= self.index[(hash >> self.shift) as usize];
        }
        black_box(sum);
        let mut sum = 0;
        for hash in hashes {
            let entry = self.index[(hash >> self.shift) as usize];
            if let Some(node) = self.nodes.get((entry as u32).wrapping_sub(1) as usize) {
                sum |= node.parent;
            }
        }
        black_box(sum);
    }

    /// The position of a node, which is added if it is new. There must be room for it.
    #[inline]
    pub(super) fn find_or_add(
        &mut self,
        hash: u32,
        is: impl Fn(u64) -> bool,
        word: impl FnOnce() -> u64,
    ) -> u32 {
        let mut place = (hash >> self.shift) as usize;
        loop {
            let entry = self.index[place];
            if entry == 0 {
                break;
            }
            let position = (entry as u32) - 1;
            if (entry >> 32) as u32 == hash && is(self.nodes[position as usize].word()) {
                return position;
            }
            place = (place + 1) & (self.index.len() - 1);
        }
        let word = word();
        let position = self.nodes.len() as u32;
        self.nodes.push(Node {
            word: [(word >> 32) as u32, word as u32],
            parent: position,
        });
        self.index[place] = u64::from(hash) << 32 | u64::from(position + 1);
        position
    }

    pub(super) fn root(&mut self, mut node: u32) -> u32 {
        loop {
            let up = self.nodes[node as usize].parent;
            if up == node {
                return node;
            }
            let above = self.nodes[up as usize].parent;
            self.nodes[node as usize].parent = above;
            node = above;
        }
    }

    #[inline]
    pub(super) fn join(&mut self, a: u32, b: u32) {
        let (a, b) = (self.root(a), self.root(b));
        if a < b {
            self.nodes[b as usize].parent = a;
        } else {
            self.nodes[a as usize].parent = b;
        }
    }

    pub(super) fn word(&self, node: u32) -> u64 {
        self.nodes[node as usize].word()
    }

    /// Notes at each root the smallest node of its component. Only [`names`](Self::names) may follow.
    pub(super) fn name(&mut self, less: impl Fn(u64, u64) -> bool) {
        self.index = Vec::new();
        for node in 0..self.nodes.len() as u32 {
            // A root comes before all others of its component.
            let parent = self.nodes[node as usize].parent;
            if parent == node {
                self.nodes[node as usize].parent = ROOT | node;
                continue;
            }
            // The parent is older, so it was seen: it is a root, or points to one by now.
            let above = self.nodes[parent as usize].parent;
            let root = if above & ROOT == 0 { above } else { parent };
            self.nodes[node as usize].parent = root;
            let best = self.nodes[root as usize].parent & !ROOT;
            if less(self.word(node), self.word(best)) {
                self.nodes[root as usize].parent = ROOT | node;
            }
        }
    }

    /// The node that names the component of a node, once they are named.
    pub(super) fn named_by(&self, node: u32) -> u32 {
        let parent = self.nodes[node as usize].parent;
        if parent & ROOT == 0 {
            self.nodes[parent as usize].parent & !ROOT
        } else {
            parent & !ROOT
        }
    }
}
