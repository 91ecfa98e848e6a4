//! Average linkage of one component.

use std::collections::{BinaryHeap, HashMap};
use std::hash::{BuildHasherDefault, Hasher};

use super::{Naming, Settings, probability_in_parts};

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

/// What is known between two clusters; of none there is no pair.
#[derive(Clone, Copy, Default)]
struct Between {
    sum: i64,
    known: u64,
    /// How many of those are across the two files.
    across: u64,
    right: u64,
}

impl Between {
    fn add(&mut self, other: Between) {
        self.sum += other.sum;
        self.known += other.known;
        self.across += other.across;
        self.right += other.right;
    }
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

/// Of a component of up to so many records every two clusters have their place in a table.
const TABLED: usize = 128;
/// Bytes for a pair of a larger component: both ends and the offer, at their fullest.
pub(super) const LARGE: u64 = 320;

/// Works on one component after the other.
pub(super) struct Linkage<'a> {
    settings: &'a Settings,
    len: usize,
    /// What is known between the clusters of a small component, by both roots.
    table: Vec<Between>,
    /// Of a large one, by root: what is known to others, by their root.
    others: Vec<Others>,
    sides: Vec<Sides>,
    parent: Vec<u32>,
    /// The lowest join within each cluster.
    level: Vec<i32>,
    /// Orders clusters whichever record came first: by the record in each that is first by its name.
    name: Vec<u32>,
    in_order: Vec<(u32, u32)>,
    offers: BinaryHeap<Offer>,
}

/// The height of a join, the names of the clusters, and the clusters.
type Offer = (i32, u32, u32, u32, u32);

impl<'a> Linkage<'a> {
    pub(super) fn new(settings: &'a Settings) -> Self {
        Linkage {
            settings,
            len: 0,
            table: Vec::new(),
            others: Vec::new(),
            sides: Vec::new(),
            parent: Vec::new(),
            level: Vec::new(),
            name: Vec::new(),
            in_order: Vec::new(),
            offers: BinaryHeap::new(),
        }
    }

    /// Adds the joins of the records of a component. `pairs` are of positions in `records`, each once.
    pub(super) fn joins(
        &mut self,
        records: &[u32],
        naming: &dyn Naming,
        pairs: &[(u32, u32, i32)],
        joins: &mut Vec<Join>,
    ) {
        self.start(records, naming);
        for &pair in pairs {
            self.learn(pair);
        }
        for &(a, b, _) in pairs {
            let offered = self.offered(a, b);
            self.offers.extend(offered);
        }
        while let Some(offered) = self.offers.pop() {
            let (a, b) = (self.root(offered.3), self.root(offered.4));
            if a == b {
                continue;
            }
            let Some(now) = self.offered(a, b) else {
                continue;
            };
            // Clusters have grown since. What is offered only ever comes down: an average of averages is
            // no more than the greater, and a name is the least within.
            if (now.0, now.1, now.2) < (offered.0, offered.1, offered.2) {
                self.offers.push(now);
                continue;
            }
            let height = self
                .grown(a, b, now.0)
                .min(self.level[a as usize])
                .min(self.level[b as usize]);
            let (pairs, right) = self.join(a, b, height);
            joins.push(Join {
                height,
                a: records[a as usize],
                b: records[b as usize],
                pairs,
                right,
            });
        }
    }

    fn start(&mut self, records: &[u32], naming: &dyn Naming) {
        let len = records.len();
        self.len = len;
        self.table.clear();
        self.others.clear();
        if len <= TABLED {
            self.table.resize(len * len, Between::default());
        } else {
            self.others.resize(len, Others::default());
        }
        self.sides.clear();
        self.sides.extend(records.iter().map(|record| {
            let second = self.settings.second.is_some_and(|second| *record >= second);
            Sides {
                first: u64::from(!second),
                second: u64::from(second),
            }
        }));
        self.parent.clear();
        self.parent.extend(0..len as u32);
        self.level.clear();
        self.level.resize(len, i32::MAX);
        self.name.clear();
        self.name.extend(0..len as u32);
        // Of two records there are no two joins to choose from.
        if len > 2 {
            self.put_in_order(records, naming);
        }
    }

    fn put_in_order(&mut self, records: &[u32], naming: &dyn Naming) {
        self.in_order.clear();
        let named = (0..).zip(records);
        self.in_order
            .extend(named.map(|(place, &record)| (naming.name(record), place)));
        self.in_order.sort_unstable();
        for alike in self.in_order.chunk_by_mut(|a, b| a.0 == b.0) {
            if alike.len() > 1 {
                alike.sort_by_cached_key(|(_, place)| naming.content(records[*place as usize]));
            }
        }
        for (position, (_, place)) in (0..).zip(&self.in_order) {
            self.name[*place as usize] = position;
        }
    }

    fn learn(&mut self, (a, b, weight): (u32, u32, i32)) {
        let most = self.settings.most;
        let across = self.settings.second.is_none()
            || self.sides[a as usize].first != self.sides[b as usize].first;
        let between = Between {
            sum: i64::from(weight.clamp(-most, most)),
            known: 1,
            across: u64::from(across),
            right: if across {
                probability_in_parts(weight)
            } else {
                0
            },
        };
        self.put(a, b, between);
        self.put(b, a, between);
    }

    fn put(&mut self, a: u32, b: u32, between: Between) {
        match self.others.get_mut(a as usize) {
            Some(others) => {
                others.insert(b, between);
            }
            None => self.table[a as usize * self.len + b as usize] = between,
        }
    }

    fn between(&self, a: u32, b: u32) -> Option<Between> {
        match self.others.get(a as usize) {
            Some(others) => others.get(&b).copied(),
            None => Some(self.table[a as usize * self.len + b as usize])
                .filter(|between| between.known > 0),
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
        let between = self.between(a, b)?;
        if !self.may_join(a, b) {
            return None;
        }
        let unknown = self.pairs(a, b) - between.across;
        let counted = (unknown + between.known) as i64;
        let sum = between.sum + unknown as i64 * i64::from(self.settings.absent);
        let height = sum.div_euclid(counted) as i32;
        (height >= self.settings.lowest).then_some(height)
    }

    /// How surely two clusters are one person that average this.
    fn grown(&self, a: u32, b: u32, height: i32) -> i32 {
        let known = self.between(a, b).map_or(0, |between| between.known);
        if known == 1 {
            return height;
        }
        let prior = f64::from(self.settings.prior);
        let evidence = f64::from(height) - prior;
        (prior + evidence * (known as f64).powf(self.settings.growth)).round() as i32
    }

    fn offered(&self, a: u32, b: u32) -> Option<Offer> {
        let height = self.height(a, b)?;
        let (one, other) = (self.name[a as usize], self.name[b as usize]);
        Some((height, one.min(other), one.max(other), a, b))
    }

    /// Makes one of two; how many pairs that adds, and how many of them are right, each by itself.
    fn join(&mut self, a: u32, b: u32, level: i32) -> (u64, u64) {
        let Between { across, right, .. } = self.between(a, b).unwrap_or_default();
        let pairs = self.pairs(a, b);
        let absent = probability_in_parts(self.settings.absent);
        let right = right + (pairs - across) * absent;
        let size = |cluster: u32| {
            let others = self.others.get(cluster as usize).map_or(0, HashMap::len);
            (others, self.name[cluster as usize])
        };
        let (small, large) = if size(a) < size(b) { (a, b) } else { (b, a) };
        self.merge(small, large);
        let Sides { first, second } = self.sides[small as usize];
        self.sides[large as usize].first += first;
        self.sides[large as usize].second += second;
        self.name[large as usize] = self.name[large as usize].min(self.name[small as usize]);
        self.parent[small as usize] = large;
        self.level[large as usize] = level;
        (pairs, right)
    }

    /// What is known to the small one is known to the large one.
    fn merge(&mut self, small: u32, large: u32) {
        let (of_small, of_large) = (small as usize, large as usize);
        if self.others.is_empty() {
            let len = self.len;
            for other in 0..len {
                if other != of_large {
                    let between = std::mem::take(&mut self.table[of_small * len + other]);
                    self.table[of_large * len + other].add(between);
                    let between = std::mem::take(&mut self.table[other * len + of_small]);
                    self.table[other * len + of_large].add(between);
                }
            }
            return;
        }
        self.others[of_small].remove(&large);
        self.others[of_large].remove(&small);
        for (other, between) in std::mem::take(&mut self.others[of_small]) {
            let to_large = self.others[of_large].entry(other).or_default();
            to_large.add(between);
            let now = *to_large;
            let of_other = &mut self.others[other as usize];
            of_other.remove(&small);
            of_other.insert(large, now);
        }
    }
}
