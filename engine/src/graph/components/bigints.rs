//! Components of 64-bit integers.

use std::hash::{BuildHasher, RandomState};

use super::dense::Dense;
use super::{Forest, TooLarge, reserve};

/// Links that are looked up together, see [`Dense::touch`].
const BLOCK: usize = 64;

/// Numbers up to here are kept by position whatever there is of them.
const SMALL: usize = 1 << 20;

/// Nodes that are 64-bit integers.
///
/// Where numbers are dense, as those of a sequence are, a node is kept at the position of its number;
/// otherwise by a hash of it. Which of the two is decided by what comes, and anew while it comes.
pub struct Bigints {
    nodes: Nodes,
    limit: usize,
    seed: u64,
    /// The largest number; `None` when one of them cannot be a position.
    largest: Option<u32>,
    /// Whether nodes may be moved to the positions of their numbers. Once only: nobody's choice of
    /// numbers can have them moved to and fro.
    may_turn_direct: bool,
}

enum Nodes {
    Direct(Direct),
    Dense(Dense),
}

impl Bigints {
    /// No nodes; at most `limit` bytes.
    pub fn new(limit: usize) -> Self {
        Bigints {
            nodes: Nodes::Direct(Direct::default()),
            limit,
            seed: RandomState::new().hash_one(0u8),
            largest: Some(0),
            may_turn_direct: true,
        }
    }

    /// How many nodes there are.
    pub fn len(&self) -> usize {
        match &self.nodes {
            Nodes::Direct(direct) => direct.nodes,
            Nodes::Dense(dense) => dense.len(),
        }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Bytes held.
    pub fn bytes(&self) -> usize {
        match &self.nodes {
            Nodes::Direct(direct) => direct.parent.capacity() * size_of::<u32>(),
            Nodes::Dense(dense) => dense.bytes(),
        }
    }

    /// The next nodes, each with the smallest of its component, into `names`, from place `from` on; the
    /// place to go on from, `None` at the end. After [`Forest::name`].
    pub fn names(&self, from: usize, names: &mut Vec<(i64, i64)>) -> Option<usize> {
        const STEP: usize = 4096;
        names.clear();
        let size = match &self.nodes {
            Nodes::Direct(direct) => direct.parent.len(),
            Nodes::Dense(dense) => dense.len(),
        };
        let end = size.min(from + STEP);
        match &self.nodes {
            Nodes::Direct(direct) => {
                let present = (from..end).filter(|&n| direct.parent[n] != 0);
                names.extend(present.map(|n| (n as i64, i64::from(direct.parent[n]) - 1)));
            }
            Nodes::Dense(dense) => names.extend(
                (from as u32..end as u32)
                    .map(|n| (dense.word(n) as i64, dense.word(dense.named_by(n)) as i64)),
            ),
        }
        (end < size).then_some(end)
    }

    /// Has room for these links, in the better of the two ways to keep them.
    fn prepare(&mut self, block: &[(i64, i64)]) -> Result<(), TooLarge> {
        for &(a, b) in block {
            for number in [a, b] {
                // One less than fits, since positions are stored from 1.
                let position = u32::try_from(number).ok().filter(|&n| n < u32::MAX);
                self.largest = match (self.largest, position) {
                    (Some(largest), Some(position)) => Some(largest.max(position)),
                    _ => None,
                };
            }
        }
        let more = 2 * block.len();
        if let Nodes::Direct(direct) = &mut self.nodes {
            let fits = self.largest.is_some_and(|largest| {
                (largest as usize) < SMALL.max(8 * (direct.nodes + more))
                    && direct.reserve(largest, self.limit).is_ok()
            });
            if fits {
                return Ok(());
            }
            let nodes = direct.nodes;
            let dense = direct.densify(self.seed, self.limit);
            self.nodes = Nodes::Dense(dense.map_err(|error| TooLarge { nodes, ..error })?);
        }
        let Nodes::Dense(dense) = &mut self.nodes else {
            unreachable!("direct nodes were dealt with above")
        };
        if let Some(largest) = self.largest
            && self.may_turn_direct
            && dense.is_full(more)
            && largest as usize * size_of::<u32>() <= dense.bytes_when_grown() / 2
        {
            self.may_turn_direct = false;
            if let Some(direct) = Direct::of(dense, largest, self.limit) {
                self.nodes = Nodes::Direct(direct);
                return Ok(());
            }
        }
        dense.reserve(more, 0)
    }
}

impl Forest for Bigints {
    type Links = Vec<(i64, i64)>;

    fn join(&mut self, links: &Self::Links) -> Result<(), TooLarge> {
        for block in links.chunks(BLOCK) {
            self.prepare(block)?;
            match &mut self.nodes {
                Nodes::Direct(direct) => direct.join_all(block),
                Nodes::Dense(dense) => join_all(dense, block, self.seed),
            }
        }
        Ok(())
    }

    fn name(&mut self) {
        match &mut self.nodes {
            Nodes::Direct(direct) => direct.name(),
            Nodes::Dense(dense) => dense.name(|a, b| (a as i64) < (b as i64)),
        }
    }
}

/// Half of a folded product: every bit of the number moves every bit of it.
#[inline]
fn hash(number: i64, seed: u64) -> u32 {
    let product = u128::from(number as u64 ^ seed) * 0x9E37_79B9_7F4A_7C15;
    (((product >> 64) as u64 ^ product as u64) >> 32) as u32
}

fn join_all(dense: &mut Dense, block: &[(i64, i64)], seed: u64) {
    let mut hashes = [0; 2 * BLOCK];
    for (pair, &(a, b)) in hashes.chunks_exact_mut(2).zip(block) {
        pair[0] = hash(a, seed);
        pair[1] = hash(b, seed);
    }
    let hashes = &hashes[..2 * block.len()];
    dense.touch(hashes);
    for (hashes, &(a, b)) in hashes.chunks_exact(2).zip(block) {
        let one = dense.find_or_add(hashes[0], |word| word == a as u64, || a as u64);
        let other = dense.find_or_add(hashes[1], |word| word == b as u64, || b as u64);
        dense.join(one, other);
    }
}

/// A union-find forest in which the position of a node is its number, and the smaller root wins: the
/// root is the component's smallest node.
#[derive(Default)]
struct Direct {
    /// Positions from 1; 0 where there is no such node.
    parent: Vec<u32>,
    nodes: usize,
}

impl Direct {
    fn reserve(&mut self, largest: u32, limit: usize) -> Result<(), usize> {
        let wanted = largest as usize + 1;
        if wanted > self.parent.len() {
            let more = wanted - self.parent.len();
            reserve(&mut self.parent, more, 0, limit)?;
            // All that there is room for, so that it is cleared in few steps.
            self.parent.resize(self.parent.capacity(), 0);
        }
        Ok(())
    }

    #[inline]
    fn root(&mut self, mut node: u32) -> u32 {
        loop {
            let up = self.parent[node as usize] - 1;
            if up == node {
                return node;
            }
            let above = self.parent[up as usize];
            self.parent[node as usize] = above;
            node = above - 1;
        }
    }

    #[inline]
    fn add(&mut self, node: u32) {
        if self.parent[node as usize] == 0 {
            self.parent[node as usize] = node + 1;
            self.nodes += 1;
        }
    }

    fn join_all(&mut self, block: &[(i64, i64)]) {
        let touched = block.iter().fold(0, |sum, &(a, b)| {
            sum | self.parent[a as usize] | self.parent[b as usize]
        });
        std::hint::black_box(touched);
        for &(a, b) in block {
            let (a, b) = (a as u32, b as u32);
            self.add(a);
            self.add(b);
            let (a, b) = (self.root(a), self.root(b));
            self.parent[a.max(b) as usize] = a.min(b) + 1;
        }
    }

    /// Every node points to the root.
    fn name(&mut self) {
        for node in 0..self.parent.len() {
            let parent = self.parent[node];
            if parent != 0 {
                // The parent is smaller, so it points to the root by now.
                self.parent[node] = self.parent[parent as usize - 1];
            }
        }
    }

    fn densify(&mut self, seed: u64, limit: usize) -> Result<Dense, TooLarge> {
        self.name();
        let held = self.parent.capacity() * size_of::<u32>();
        let mut dense = Dense::new(limit);
        let numbers = 0..self.parent.len();
        for block in numbers.step_by(BLOCK) {
            let mut links = Vec::with_capacity(BLOCK);
            for n in block..self.parent.len().min(block + BLOCK) {
                if self.parent[n] != 0 {
                    links.push((i64::from(self.parent[n]) - 1, n as i64));
                }
            }
            dense.reserve(2 * links.len(), held)?;
            join_all(&mut dense, &links, seed);
        }
        Ok(dense)
    }

    /// `None` where there is no room for it beside the other.
    fn of(dense: &mut Dense, largest: u32, limit: usize) -> Option<Self> {
        let mut direct = Direct::default();
        direct
            .reserve(largest, limit.saturating_sub(dense.bytes()))
            .ok()?;
        for node in 0..dense.len() as u32 {
            let root = dense.root(node);
            let link = (dense.word(node) as i64, dense.word(root) as i64);
            direct.join_all(&[link]);
        }
        Some(direct)
    }
}
