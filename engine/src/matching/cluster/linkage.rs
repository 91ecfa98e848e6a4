//! Average linkage of one component.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};
use std::hash::{BuildHasherDefault, Hasher};

use super::{Settings, probability_in_parts};

/// Two clusters that become one.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Join {
    /// How surely they are one person, in hundredths of a bit: no more than any join within.
    pub height: i32,
    /// A record of each.
    pub a: u32,
    /// Of the other.
    pub b: u32,
    /// How many pairs they are, across the two files where there are two.
    pub pairs: u64,
    /// The sum of the probabilities of those pairs, each by itself, in parts.
    pub right: u64,
}

/// What is known between two clusters.
#[derive(Clone, Copy, Default)]
struct Between {
    sum: i64,
    known: u64,
    /// How many of those are across the two files.
    across: u64,
    right: u64,
}

type Others = HashMap<u32, Between, BuildHasherDefault<Spread>>;

/// Hashes positions.
#[derive(Clone, Copy, Default)]
struct Spread(u64);

impl Hasher for Spread {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.write_u32(u32::from(*byte));
        }
    }

    fn write_u32(&mut self, number: u32) {
        self.0 = (self.0 ^ u64::from(number)).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        self.0 ^= self.0 >> 32;
    }
}

#[derive(Clone, Copy, Default)]
struct Sides {
    first: u64,
    second: u64,
}

struct Linkage<'a> {
    settings: &'a Settings,
    /// By root: what is known to others, by their root.
    between: Vec<Others>,
    sides: Vec<Sides>,
    parent: Vec<u32>,
    /// The lowest join within each cluster.
    level: Vec<i32>,
    /// Orders clusters whichever record came first: the least name in each.
    name: Vec<(u64, u32)>,
}

/// The joins of the records of a component, the highest first. `pairs` are of positions in `records`.
pub(super) fn joins(
    records: &[u32],
    names: &[u64],
    pairs: &[(u32, u32, i32)],
    settings: &Settings,
) -> Vec<Join> {
    let mut linkage = Linkage::of(records, names, settings);
    linkage.learn(pairs);
    let mut heap = BinaryHeap::new();
    heap.extend(pairs.iter().filter_map(|(a, b, _)| linkage.offered(*a, *b)));
    let mut joins = Vec::new();
    while let Some(offered) = heap.pop() {
        let (a, b) = (linkage.root(offered.3), linkage.root(offered.4));
        if a == b {
            continue;
        }
        let Some(now) = linkage.offered(a, b) else {
            continue;
        };
        // Clusters have grown since. What is offered only ever comes down: an average of averages is no more
        // than the greater, and a name is the least within.
        if (now.0, now.1, now.2) < (offered.0, offered.1, offered.2) {
            heap.push(now);
            continue;
        }
        let level = linkage
            .grown(a, b, now.0)
            .min(linkage.level[a as usize])
            .min(linkage.level[b as usize]);
        let (pairs, right) = linkage.join(a, b, level);
        joins.push(Join {
            height: level,
            a: records[a as usize],
            b: records[b as usize],
            pairs,
            right,
        });
    }
    joins.sort_by_key(|join| Reverse(join.height));
    joins
}

/// The height of a join, the names of the clusters, and the clusters.
type Offer = (i32, (u64, u32), (u64, u32), u32, u32);

impl<'a> Linkage<'a> {
    fn of(records: &[u32], names: &[u64], settings: &'a Settings) -> Self {
        Linkage {
            settings,
            between: vec![Others::default(); records.len()],
            sides: records
                .iter()
                .map(|record| {
                    let second = settings.second.is_some_and(|second| *record >= second);
                    Sides {
                        first: u64::from(!second),
                        second: u64::from(second),
                    }
                })
                .collect(),
            parent: (0..records.len() as u32).collect(),
            level: vec![i32::MAX; records.len()],
            name: names.iter().copied().zip(records.iter().copied()).collect(),
        }
    }

    fn learn(&mut self, pairs: &[(u32, u32, i32)]) {
        let most = self.settings.most;
        for (a, b, weight) in pairs {
            let across = self.settings.second.is_none()
                || self.sides[*a as usize].first != self.sides[*b as usize].first;
            let between = Between {
                sum: i64::from((*weight).clamp(-most, most)),
                known: 1,
                across: u64::from(across),
                right: if across {
                    probability_in_parts(*weight)
                } else {
                    0
                },
            };
            self.between[*a as usize].insert(*b, between);
            self.between[*b as usize].insert(*a, between);
        }
    }

    fn root(&mut self, mut record: u32) -> u32 {
        while self.parent[record as usize] != record {
            let up = self.parent[self.parent[record as usize] as usize];
            self.parent[record as usize] = up;
            record = up;
        }
        record
    }

    /// How many pairs two clusters are, across the two files where there are two.
    fn pairs(&self, a: u32, b: u32) -> u64 {
        let (a, b) = (self.sides[a as usize], self.sides[b as usize]);
        if self.settings.second.is_some() {
            a.first * b.second + a.second * b.first
        } else {
            a.first * b.first
        }
    }

    fn may_join(&self, a: u32, b: u32) -> bool {
        let (a, b) = (self.sides[a as usize], self.sides[b as usize]);
        let [first, second] = self.settings.single;
        !(first && a.first > 0 && b.first > 0 || second && a.second > 0 && b.second > 0)
    }

    /// The average between two clusters, if they may join at all.
    fn height(&self, a: u32, b: u32) -> Option<i32> {
        let between = self.between[a as usize].get(&b)?;
        if !self.may_join(a, b) {
            return None;
        }
        let unknown = self.pairs(a, b) - between.across;
        let counted = (unknown + between.known) as f64;
        let sum = between.sum + unknown as i64 * i64::from(self.settings.absent);
        let height = sum.div_euclid(counted as i64) as i32;
        (height >= self.settings.lowest).then_some(height)
    }

    /// How surely two clusters are one person that average this.
    fn grown(&self, a: u32, b: u32, height: i32) -> i32 {
        let between = self.between[a as usize].get(&b);
        let known = between.map_or(0, |between| between.known) as f64;
        let prior = f64::from(self.settings.prior);
        let evidence = f64::from(height) - prior;
        (prior + evidence * known.powf(self.settings.growth)).round() as i32
    }

    fn offered(&self, a: u32, b: u32) -> Option<Offer> {
        let height = self.height(a, b)?;
        let (one, other) = (self.name[a as usize], self.name[b as usize]);
        Some((height, one.min(other), one.max(other), a, b))
    }

    /// Makes one of two; how many pairs that adds, and how many of them are right, each by itself.
    fn join(&mut self, a: u32, b: u32, level: i32) -> (u64, u64) {
        let Between { across, right, .. } = self.between[a as usize].remove(&b).unwrap_or_default();
        self.between[b as usize].remove(&a);
        let pairs = self.pairs(a, b);
        let absent = probability_in_parts(self.settings.absent);
        let right = right + (pairs - across) * absent;
        let size = |cluster: u32| {
            let cluster = cluster as usize;
            (self.between[cluster].len(), self.name[cluster])
        };
        let (small, large) = if size(a) < size(b) { (a, b) } else { (b, a) };
        let Sides { first, second } = self.sides[small as usize];
        self.sides[large as usize].first += first;
        self.sides[large as usize].second += second;
        self.name[large as usize] = self.name[large as usize].min(self.name[small as usize]);
        self.parent[small as usize] = large;
        self.level[large as usize] = level;
        for (other, between) in std::mem::take(&mut self.between[small as usize]) {
            let to_large = self.between[large as usize].entry(other).or_default();
            to_large.sum += between.sum;
            to_large.known += between.known;
            to_large.across += between.across;
            to_large.right += between.right;
            let now = *to_large;
            let of_other = &mut self.between[other as usize];
            of_other.remove(&small);
            of_other.insert(large, now);
        }
        (pairs, right)
    }
}
