//! Components of byte strings.

use super::dense::Dense;
use super::{Batch, Forest, TooLarge, reserve};

const BLOCK: usize = 64;

/// Links between byte strings.
#[derive(Default)]
pub struct Pairs {
    bytes: Vec<u8>,
    /// Where each node ends in `bytes`; two a link.
    ends: Vec<u32>,
}

impl Pairs {
    /// Adds a link.
    ///
    /// # Panics
    /// At 4 GB.
    pub fn push(&mut self, a: &[u8], b: &[u8]) {
        for node in [a, b] {
            self.bytes.extend_from_slice(node);
            let end = u32::try_from(self.bytes.len()).expect("at most 4 GB at once");
            self.ends.push(end);
        }
    }

    /// How many links there are.
    pub fn len(&self) -> usize {
        self.ends.len() / 2
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// Bytes of the nodes.
    pub fn bytes(&self) -> usize {
        self.bytes.len()
    }

    fn node(&self, n: usize) -> &[u8] {
        let start = if n == 0 { 0 } else { self.ends[n - 1] };
        &self.bytes[start as usize..self.ends[n] as usize]
    }
}

impl Batch for Pairs {
    fn clear(&mut self) {
        self.bytes.clear();
        self.ends.clear();
    }
}

/// Nodes that are byte strings, compared byte by byte.
pub struct Texts {
    nodes: Dense,
    /// The strings, one after the other, each behind its length in four bytes.
    strings: Vec<u8>,
    limit: usize,
    seed: u64,
}

impl Texts {
    /// No nodes; at most `limit` bytes.
    pub fn new(limit: usize) -> Self {
        use std::hash::{BuildHasher, RandomState};
        Texts {
            nodes: Dense::new(limit),
            strings: Vec::new(),
            limit,
            seed: RandomState::new().hash_one(0u8),
        }
    }

    /// How many nodes there are.
    pub fn len(&self) -> usize {
        self.nodes.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Bytes held.
    pub fn bytes(&self) -> usize {
        self.nodes.bytes() + self.strings.capacity()
    }

    /// A node, and the smallest of its component. After [`Forest::name`].
    pub fn name_of(&self, node: usize) -> (&[u8], &[u8]) {
        let string = |node| string_at(&self.strings, self.nodes.word(node));
        let node = node as u32;
        (string(node), string(self.nodes.named_by(node)))
    }
}

fn string_at(strings: &[u8], at: u64) -> &[u8] {
    let (length, rest) = strings[at as usize..].split_at(4);
    let length = u32::from_le_bytes([length[0], length[1], length[2], length[3]]);
    &rest[..length as usize]
}

impl Forest for Texts {
    type Links = Pairs;

    fn join(&mut self, links: &Pairs) -> Result<(), TooLarge> {
        let mut hashes = [0; 2 * BLOCK];
        for first in (0..2 * links.len()).step_by(2 * BLOCK) {
            let block = first..(2 * links.len()).min(first + 2 * BLOCK);
            let mut bytes = 0;
            for (hash, n) in hashes.iter_mut().zip(block.clone()) {
                let node = links.node(n);
                bytes += node.len() + size_of::<u32>();
                *hash = (xxhash_rust::xxh3::xxh3_64_with_seed(node, self.seed) >> 32) as u32;
            }
            let Texts {
                nodes,
                strings,
                limit,
                ..
            } = self;
            nodes.reserve(block.len(), strings.capacity())?;
            reserve(strings, bytes, nodes.bytes(), *limit).map_err(|needed| TooLarge {
                nodes: nodes.len(),
                needed,
            })?;
            nodes.touch(&hashes[..block.len()]);
            let mut before = 0;
            for (&hash, n) in hashes.iter().zip(block) {
                let node = links.node(n);
                let (known, new) = (&*strings, strings.len() as u64);
                let mut added = false;
                let found = nodes.find_or_add(
                    hash,
                    |at| string_at(known, at) == node,
                    || {
                        added = true;
                        new
                    },
                );
                if added {
                    // A string is at most as long as a batch.
                    strings.extend_from_slice(&(node.len() as u32).to_le_bytes());
                    strings.extend_from_slice(node);
                }
                if n % 2 == 1 {
                    nodes.join(before, found);
                }
                before = found;
            }
        }
        Ok(())
    }

    fn name(&mut self) {
        let strings = &self.strings;
        self.nodes
            .name(|a, b| string_at(strings, a) < string_at(strings, b));
    }
}
