//! From all identifier sets to links.

use std::collections::HashMap;

use super::super::order::Ranks;
use super::super::{Evidence, Identifiers, Link, Shown, TypeRule};
use super::places::Places;
use super::{Cancelled, Nodes, STRIDE, go_on};
use crate::background::Cancel;

const NONE: u32 = u32::MAX;

/// All identifier sets, by position, with what shows them.
#[derive(Default)]
pub struct Sets {
    ids: Vec<i64>,
    /// Where the members of each begin.
    starts: Vec<u32>,
    members: Vec<u32>,
    shown: Vec<Option<Shown>>,
    places: Places,
}

/// An identifier of type `of` that is seen with more than `most` values of type `other` is shared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limit {
    /// The type that the limit is about.
    pub of: u16,
    /// The type whose values are counted.
    pub other: u16,
    /// How many there may be.
    pub most: u32,
}

/// A shared identifier.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shared {
    /// Its position.
    pub node: u32,
    /// Which limit it is past: a position in the slice of limits, the first of several.
    pub limit: usize,
}

/// The star of every set.
pub struct Stars {
    centres: Vec<u32>,
    /// By set that shows time-sliced identifiers alone: the strongest of them.
    sliced: HashMap<u32, u32>,
    /// By node: it joins nothing.
    inert: Vec<bool>,
}

/// Links, grouped by their lower end.
#[derive(Default)]
pub struct Links {
    /// `a` is the end with the lower id. The first are in groups, see [`Links::find`].
    pub links: Vec<Link>,
    starts: Vec<u32>,
    /// When those links date from whose `first_seen` is when they were seen last, by position.
    dates: HashMap<usize, i64>,
}

impl Sets {
    /// Adds one, given the positions of its members.
    ///
    /// # Panics
    /// At more than 4,294,967,295 members of all sets together.
    pub fn push(&mut self, id: i64, members: impl Iterator<Item = u32>) {
        self.ids.push(id);
        let start = u32::try_from(self.members.len()).expect("at most 4,294,967,295 members");
        self.starts.push(start);
        self.members.extend(members);
    }

    /// After the last: so that positions can be found by id, and evidence be added.
    pub fn close(&mut self) {
        self.places = Places::of(&self.ids);
        self.shown = vec![None; self.ids.len()];
        let end = u32::try_from(self.members.len()).expect("at most 4,294,967,295 members");
        self.starts.push(end);
    }

    /// Adds that a source showed a set; `confirms`: as a record does.
    pub fn show(
        &mut self,
        set: u32,
        source: i32,
        confirms: bool,
        linked_at: i64,
        (first_seen, last_seen): (i64, i64),
    ) {
        let shown = Shown {
            linked_at,
            first_seen,
            last_seen,
            source,
            confirmed: confirms,
        };
        match &mut self.shown[set as usize] {
            Some(known) => known.join(&shown),
            none => *none = Some(shown),
        }
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.ids.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.ids.is_empty()
    }

    /// How many members they have together.
    pub fn members(&self) -> usize {
        self.members.len()
    }

    /// Where a set is.
    #[inline]
    pub fn position(&self, id: i64) -> Option<u32> {
        self.places.get(id)
    }

    /// Its id.
    #[inline]
    pub fn id(&self, set: u32) -> i64 {
        self.ids[set as usize]
    }

    /// Bytes held.
    pub fn bytes(&self) -> usize {
        self.ids.capacity() * size_of::<i64>()
            + (self.starts.capacity() + self.members.capacity()) * size_of::<u32>()
            + self.shown.capacity() * size_of::<Option<Shown>>()
            + self.places.bytes()
    }

    #[inline]
    fn of(&self, set: u32) -> &[u32] {
        let set = set as usize;
        &self.members[self.starts[set] as usize..self.starts[set + 1] as usize]
    }

    /// The sets that something shows, with their members.
    fn standing(&self) -> impl Iterator<Item = (u32, &[u32])> {
        let all = (0..self.ids.len() as u32).zip(&self.shown);
        all.filter(|(_, shown)| shown.is_some())
            .map(|(set, _)| (set, self.of(set)))
    }

    /// Who is shared, under these limits. Each distinct other value counts once, blocked ones not.
    ///
    /// # Errors
    /// When it is cancelled.
    pub fn shared(
        &self,
        nodes: &Nodes,
        limits: &[Limit],
        cancel: &Cancel,
    ) -> Result<Vec<Shared>, Cancelled> {
        let mut found: Vec<Shared> = Vec::new();
        let mut known = vec![false; if limits.is_empty() { 0 } else { nodes.len() }];
        for (n, limit) in limits.iter().enumerate() {
            let over = self.over(nodes, limit, cancel)?;
            for node in over {
                if !std::mem::replace(&mut known[node as usize], true) {
                    found.push(Shared { node, limit: n });
                }
            }
        }
        Ok(found)
    }

    fn over(&self, nodes: &Nodes, limit: &Limit, cancel: &Cancel) -> Result<Vec<u32>, Cancelled> {
        let is_other = |&&n: &&u32| nodes.type_idx(n) == limit.other && !nodes.is_blocked(n);
        // A blocked one joins nothing anyway.
        let is_of = |&&n: &&u32| nodes.type_idx(n) == limit.of && !nodes.is_blocked(n);
        // At first how many, the same value again and again: hardly anybody has that many, and only
        // those need a list.
        let mut most = vec![0_u32; nodes.len()];
        for (step, (_, members)) in self.standing().enumerate() {
            if step % STRIDE == 0 {
                go_on(cancel)?;
            }
            if members.len() > 1 {
                let others = members.iter().filter(is_other).count() as u32;
                for &node in members.iter().filter(is_of) {
                    most[node as usize] = most[node as usize].saturating_add(others);
                }
            }
        }
        let mut seen: Vec<(u32, u32)> = Vec::new();
        for (step, (_, members)) in self.standing().enumerate() {
            if step % STRIDE == 0 {
                go_on(cancel)?;
            }
            if members.len() > 1 {
                let near = members.iter().filter(is_of);
                for &node in near.filter(|&&n| most[n as usize] > limit.most) {
                    seen.extend(members.iter().filter(is_other).map(|&other| (node, other)));
                }
            }
        }
        seen.sort_unstable();
        seen.dedup();
        let groups = seen.chunk_by(|one, next| one.0 == next.0);
        Ok(groups
            .filter(|group| group.len() > limit.most as usize)
            .map(|group| group[0].0)
            .collect())
    }

    /// The star of every set that something shows, as [`star`](super::super::star) gives it.
    ///
    /// # Errors
    /// When it is cancelled.
    pub fn stars(
        &self,
        nodes: &Nodes,
        shared: &[Shared],
        rules: &[TypeRule],
        cancel: &Cancel,
    ) -> Result<Stars, Cancelled> {
        let ranks = Ranks::new(rules);
        let is_sliced = |n: u32| rules[usize::from(nodes.type_idx(n))].time_sliced;
        let mut inert: Vec<bool> = (0..nodes.len() as u32)
            .map(|n| nodes.is_blocked(n) || is_sliced(n))
            .collect();
        for shared in shared {
            inert[shared.node as usize] = true;
        }
        let mut centres = vec![NONE; self.ids.len()];
        let mut sliced = HashMap::new();
        for (step, (set, members)) in self.standing().enumerate() {
            if step % STRIDE == 0 {
                go_on(cancel)?;
            }
            // What is left after the blocked ones is inert by being time-sliced, or by being shared.
            let usable = members.iter().filter(|&&n| !nodes.is_blocked(n));
            let centre = usable.min_by_key(|&&n| {
                let rank = ranks.rank_of(nodes.type_idx(n));
                (inert[n as usize], !is_sliced(n), rank, nodes.value(n))
            });
            match centre {
                Some(&centre) if is_sliced(centre) => {
                    sliced.insert(set, centre);
                }
                Some(&centre) => centres[set as usize] = centre,
                None => {}
            }
        }
        Ok(Stars {
            centres,
            sliced,
            inert,
        })
    }

    /// The leaves of a set's star.
    pub fn leaves<'a>(&'a self, stars: &'a Stars, set: u32) -> impl Iterator<Item = u32> + 'a {
        let centre = stars.centres[set as usize];
        let members = if centre == NONE { &[] } else { self.of(set) };
        let own = members
            .iter()
            .copied()
            .filter(|&n| !stars.inert[n as usize]);
        own.filter(move |&n| n != centre)
    }

    /// The links that the stars show, each with its age and confirmation from all its sets.
    ///
    /// # Errors
    /// When it is cancelled.
    ///
    /// # Panics
    /// At more than 4,294,967,295 of them.
    pub fn links(
        &self,
        nodes: &Nodes,
        stars: &Stars,
        rules: &[TypeRule],
        cancel: &Cancel,
    ) -> Result<Links, Cancelled> {
        let ranks = Ranks::new(rules);
        let keeps_last = |one: u32, other: u32| {
            let weaker = [one, other].into_iter().map(|n| nodes.type_idx(n));
            let weaker = weaker.max_by_key(|&type_idx| ranks.rank_of(type_idx));
            weaker.is_some_and(|type_idx| rules[usize::from(type_idx)].keep_last)
        };
        let ends = |set: u32, leaf: u32| {
            let centre = stars.centres[set as usize];
            if nodes.id(centre) < nodes.id(leaf) {
                (centre, leaf)
            } else {
                (leaf, centre)
            }
        };
        // How many at each lower end; then where they start; then where the next goes.
        let mut starts = vec![0_u32; nodes.len() + 1];
        let mut count: u32 = 0;
        for (step, set) in (0..self.ids.len() as u32).enumerate() {
            if step % STRIDE == 0 {
                go_on(cancel)?;
            }
            for leaf in self.leaves(stars, set) {
                starts[ends(set, leaf).0 as usize] += 1;
                count = count.checked_add(1).expect("at most 4,294,967,295 links");
            }
        }
        let mut next = 0;
        for start in &mut starts {
            (*start, next) = (next, next + *start);
        }
        let mut edges = vec![(0_u32, 0_u32); count as usize];
        for (step, set) in (0..self.ids.len() as u32).enumerate() {
            if step % STRIDE == 0 {
                go_on(cancel)?;
            }
            for leaf in self.leaves(stars, set) {
                let (low, high) = ends(set, leaf);
                edges[starts[low as usize] as usize] = (high, set);
                starts[low as usize] += 1;
            }
        }
        // Each start has moved to the next one's.
        let mut links = Links {
            links: Vec::with_capacity(edges.len()),
            starts: Vec::with_capacity(starts.len()),
            dates: HashMap::new(),
        };
        let mut from = 0;
        for (low, &to) in (0..nodes.len() as u32).zip(&starts) {
            if (low as usize).is_multiple_of(STRIDE) {
                go_on(cancel)?;
            }
            links.starts.push(links.links.len() as u32);
            let group = &mut edges[from as usize..to as usize];
            group.sort_unstable();
            for of_pair in group.chunk_by(|one, next| one.0 == next.0) {
                let (mut link, last_seen) = self.link(low, of_pair);
                if keeps_last(link.a, link.b) {
                    links.dates.insert(links.links.len(), link.first_seen);
                    link.first_seen = last_seen;
                }
                links.links.push(link);
            }
            from = to;
        }
        links.starts.push(links.links.len() as u32);
        Ok(links)
    }

    /// The link that sets show of a node and another, and when it was seen last.
    fn link(&self, low: u32, shown_by: &[(u32, u32)]) -> (Link, i64) {
        let mut all = shown_by
            .iter()
            .filter_map(|&(_, set)| self.shown[set as usize]);
        let first = all.next().expect("only sets that are shown have stars");
        let shown = all.fold(first, |mut known, other| {
            known.join(&other);
            known
        });
        let link = Link {
            a: low,
            b: shown_by[0].0,
            evidence: Evidence::Observed,
            confirmed: shown.is_confirmed(),
            first_seen: shown.linked_at,
        };
        (link, shown.last_seen)
    }
}

impl Stars {
    /// The node that a set belongs to; none where all its members are blocked, or nothing shows it.
    #[inline]
    pub fn centre(&self, set: u32) -> Option<u32> {
        Some(self.centres[set as usize]).filter(|&n| n != NONE)
    }

    /// Of a set that shows time-sliced identifiers alone, the strongest of them.
    pub fn sliced(&self, set: u32) -> Option<u32> {
        self.sliced.get(&set).copied()
    }

    /// Bytes held.
    pub fn bytes(&self) -> usize {
        self.centres.capacity() * size_of::<u32>()
            + self.sliced.capacity() * 16
            + self.inert.capacity()
    }
}

impl Links {
    /// Where the link of two nodes is, the one with the lower id first.
    pub fn find(&self, low: u32, high: u32) -> Option<usize> {
        let start = self.starts[low as usize] as usize;
        let group = &self.links[start..self.starts[low as usize + 1] as usize];
        let at = group.binary_search_by_key(&high, |link| link.b).ok()?;
        Some(start + at)
    }

    /// When a link dates from, and where the last one is kept, when it was seen last.
    pub fn dates(&self, link: usize) -> (i64, Option<i64>) {
        let ordered_by = self.links[link].first_seen;
        match self.dates.get(&link) {
            Some(&first_seen) => (first_seen, Some(ordered_by)),
            None => (ordered_by, None),
        }
    }

    /// Bytes held.
    pub fn bytes(&self) -> usize {
        self.links.capacity() * size_of::<Link>()
            + self.starts.capacity() * size_of::<u32>()
            + self.dates.capacity() * 32
    }
}
