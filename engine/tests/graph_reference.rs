//! The greedy pass agrees with a slow version that follows the documentation word by word, and does
//! not depend on how a graph is written down.

use cdp_engine::graph::{
    Apart, ApartBy, Decision, Evidence, Link, Node, Refusal, TypeRule, resolve,
};
use proptest::prelude::*;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

type Set = BTreeSet<usize>;

#[derive(Clone)]
struct World {
    nodes: Vec<Node>,
    links: Vec<Link>,
    apart: Vec<Apart>,
    rules: Vec<TypeRule>,
}

struct Answer {
    clusters: BTreeSet<Set>,
    decisions: Vec<Decision>,
    profile_ids: Vec<i64>,
}

impl World {
    /// Of a type, smaller for the stronger.
    fn standing(&self, type_idx: u16) -> (i32, u16) {
        (self.rules[usize::from(type_idx)].priority, type_idx)
    }

    fn type_of(&self, node: usize) -> u16 {
        self.nodes[node].type_idx
    }

    fn types_by_standing(&self) -> Vec<u16> {
        let mut types: Vec<u16> = (0..self.rules.len() as u16).collect();
        types.sort_by_key(|&t| self.standing(t));
        types
    }

    fn weaker_type(&self, link: &Link) -> u16 {
        let ends = [link.a, link.b].map(|n| self.type_of(n as usize));
        let weaker = ends.into_iter().max_by_key(|&t| self.standing(t));
        weaker.expect("a link has ends")
    }

    fn sorted(&self) -> Vec<usize> {
        let mut order: Vec<usize> = (0..self.links.len()).collect();
        order.sort_by_key(|&i| {
            let link = &self.links[i];
            let mut ends = [link.a, link.b].map(|n| {
                let node = &self.nodes[n as usize];
                (self.standing(node.type_idx), node.value.as_bytes())
            });
            ends.sort();
            let (priority, of_type) = self.standing(self.weaker_type(link));
            let strength = match link.evidence {
                Evidence::Asserted => (0, 0, 0, 0, Reverse(0)),
                Evidence::Observed => (1, priority, 0, of_type, Reverse(0)),
                Evidence::Matched { priority, weight } => (1, priority, 1, 0, Reverse(weight)),
            };
            let keeps_last = self.rules[usize::from(of_type)].keep_last;
            let (confirmed, time) = match keeps_last && link.evidence == Evidence::Observed {
                true => (false, -link.first_seen),
                false => (link.confirmed, link.first_seen),
            };
            (strength, Reverse(confirmed), time, ends)
        });
        order
    }

    fn of_type(&self, set: &Set, type_idx: u16) -> Set {
        let all = set.iter().copied();
        all.filter(|&n| self.type_of(n) == type_idx).collect()
    }

    /// The rule that joining two clusters by a link would break; `asserted` is what assertions
    /// alone have joined.
    fn broken(&self, link: &Link, one: &Set, other: &Set, asserted: &[Set]) -> Option<Refusal> {
        let both = one | other;
        let within = |n: u32| both.contains(&(n as usize));
        let mut apart = self.apart.iter().filter(|apart| apart.a != apart.b);
        if apart.any(|p| p.by == ApartBy::Hand && within(p.a) && within(p.b)) {
            return Some(Refusal::CannotLink);
        }
        if link.evidence == Evidence::Asserted {
            return None;
        }
        for type_idx in self.types_by_standing() {
            let of_type = self.of_type(&both, type_idx);
            let counted: BTreeSet<&Set> = of_type.iter().map(|&n| holding(asserted, n)).collect();
            let max = self.rules[usize::from(type_idx)].max_per_profile;
            if max.is_some_and(|max| counted.len() > max as usize) {
                return Some(Refusal::MaxPerProfile { type_idx });
            }
        }
        let weaker = self.weaker_type(link);
        for type_idx in self.types_by_standing() {
            if !self.rules[usize::from(weaker)].bridges
                && self.standing(type_idx) < self.standing(weaker)
                && !self.of_type(one, type_idx).is_empty()
                && !self.of_type(other, type_idx).is_empty()
            {
                return Some(Refusal::Bridge { type_idx });
            }
        }
        let strength = match link.evidence {
            Evidence::Matched { priority, .. } => (priority, 1),
            _ => (self.standing(weaker).0, 0),
        };
        let between = |p: &Apart| {
            let [a, b] = [p.a as usize, p.b as usize];
            one.contains(&a) && other.contains(&b) || one.contains(&b) && other.contains(&a)
        };
        let beaten = |p: &Apart| match p.by {
            ApartBy::Hand => false,
            ApartBy::Matcher { priority } => strength > (priority, 1),
        };
        let non_match = self.apart.iter().any(|p| beaten(p) && between(p));
        non_match.then_some(Refusal::NonMatch)
    }

    fn profile_id(&self, cluster: &Set) -> i64 {
        let types = self.types_by_standing();
        let strongest = types.iter().map(|&t| self.of_type(cluster, t));
        let strongest = strongest.into_iter().find(|s| !s.is_empty());
        let ids = strongest.into_iter().flatten().map(|n| self.nodes[n].id);
        ids.min().expect("a cluster has nodes")
    }

    fn answer(&self) -> Answer {
        let mut clusters: Vec<Set> = (0..self.nodes.len()).map(|n| Set::from([n])).collect();
        let mut asserted = clusters.clone();
        let mut decisions = vec![Decision::Accepted; self.links.len()];
        for i in self.sorted() {
            let link = &self.links[i];
            let ends = [link.a as usize, link.b as usize];
            let [one, other] = ends.map(|n| holding(&clusters, n));
            if one == other {
                continue;
            }
            if let Some(refusal) = self.broken(link, one, other, &asserted) {
                decisions[i] = Decision::Refused(refusal);
                continue;
            }
            join(&mut clusters, ends);
            if link.evidence == Evidence::Asserted {
                join(&mut asserted, ends);
            }
        }
        let profile_ids = (0..self.nodes.len()).map(|n| self.profile_id(holding(&clusters, n)));
        Answer {
            profile_ids: profile_ids.collect(),
            decisions,
            clusters: clusters.into_iter().collect(),
        }
    }
}

fn holding(clusters: &[Set], node: usize) -> &Set {
    let found = clusters.iter().find(|c| c.contains(&node));
    found.expect("every node is in a cluster")
}

fn join(clusters: &mut Vec<Set>, ends: [usize; 2]) {
    let (touched, mut rest): (Vec<Set>, Vec<Set>) = clusters
        .drain(..)
        .partition(|c| ends.iter().any(|n| c.contains(n)));
    rest.push(touched.into_iter().flatten().collect());
    *clusters = rest;
}

fn rules() -> impl Strategy<Value = Vec<TypeRule>> {
    let max = prop_oneof![
        8 => Just(Some(1)),
        4 => Just(None),
        2 => Just(Some(2)),
        2 => Just(Some(3)),
        1 => Just(Some(0)),
    ];
    let rule = (0..4, max, any::<bool>(), any::<bool>());
    let rule = rule.prop_map(|(priority, max_per_profile, bridges, keep_last)| TypeRule {
        priority,
        max_per_profile,
        bridges,
        keep_last,
        ..TypeRule::default()
    });
    prop::collection::vec(rule, 4)
}

/// Ids do not follow positions, and values do not follow either.
fn nodes() -> impl Strategy<Value = Vec<Node>> {
    let types = prop::collection::vec(0..4_u16, 1..13);
    let ids = types.prop_flat_map(|types| {
        let ids: Vec<i64> = (10..).take(types.len()).collect();
        (Just(ids).prop_shuffle(), Just(types))
    });
    ids.prop_map(|(ids, types)| {
        let nodes = ids.into_iter().zip(types).enumerate();
        let value = |i: usize| ["b", "a", "aa", "B"][i % 4].repeat(1 + i / 4 * 2);
        let node = |(i, (id, type_idx))| Node {
            id,
            type_idx,
            value: value(i).into(),
        };
        nodes.map(node).collect()
    })
}

fn links(nodes: u32) -> impl Strategy<Value = Vec<Link>> {
    let evidence = prop_oneof![
        1 => Just(Evidence::Asserted),
        6 => Just(Evidence::Observed),
        2 => (-1..5, -2..3).prop_map(|(priority, weight)| Evidence::Matched { priority, weight }),
    ];
    let link = (0..nodes, 0..nodes, evidence, any::<bool>(), -1..3_i64);
    let link = link.prop_map(|(a, b, evidence, confirmed, first_seen)| Link {
        a,
        b,
        evidence,
        confirmed,
        first_seen,
    });
    prop::collection::vec(link, 0..30)
}

fn apart(nodes: u32) -> impl Strategy<Value = Vec<Apart>> {
    let by = prop_oneof![
        1 => Just(ApartBy::Hand),
        2 => (-1..5).prop_map(|priority| ApartBy::Matcher { priority }),
    ];
    let one = (0..nodes, 0..nodes, by).prop_map(|(a, b, by)| Apart { a, b, by });
    prop::collection::vec(one, 0..6)
}

prop_compose! {
    fn world()(nodes in nodes())(
        links in links(nodes.len() as u32),
        apart in apart(nodes.len() as u32),
        rules in rules(),
        nodes in Just(nodes),
    ) -> World {
        World { nodes, links, apart, rules }
    }
}

impl std::fmt::Debug for World {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        writeln!(f, "{:#?}\n{:#?}", self.rules, self.nodes)?;
        self.links.iter().try_for_each(|l| writeln!(f, "{l:?}"))?;
        write!(f, "{:?}", self.apart)
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn agrees_with_the_obvious_version(world in world()) {
        let expected = world.answer();
        let World { nodes, links, apart, rules } = &world;
        let found = resolve(nodes, links, apart, rules);
        let mut clusters: BTreeMap<u32, Set> = BTreeMap::new();
        for (node, &cluster) in found.cluster.iter().enumerate() {
            clusters.entry(cluster).or_default().insert(node);
        }
        prop_assert_eq!(clusters.into_values().collect::<BTreeSet<_>>(), expected.clusters);
        let profile_ids = (0..nodes.len() as u32).map(|n| found.profile_id(nodes, n));
        prop_assert_eq!(profile_ids.collect::<Vec<_>>(), expected.profile_ids);
        prop_assert_eq!(found.decisions, expected.decisions);
    }

    #[test]
    fn positions_and_order_mean_nothing(
        (world, seats, order) in world().prop_flat_map(|w| {
            let seats: Vec<u32> = (0..w.nodes.len() as u32).collect();
            let order: Vec<usize> = (0..w.links.len()).collect();
            (Just(w), Just(seats).prop_shuffle(), Just(order).prop_shuffle())
        })
    ) {
        let World { nodes, links, apart, rules } = &world;
        let seat = |n: u32| seats[n as usize];
        let mut moved_nodes = nodes.clone();
        for (node, &to) in nodes.iter().zip(&seats) {
            moved_nodes[to as usize] = node.clone();
        }
        let moved_links: Vec<Link> = order.iter().map(|&i| {
            let l = links[i];
            let (a, b) = if i % 2 == 0 { (l.a, l.b) } else { (l.b, l.a) };
            Link { a: seat(a), b: seat(b), ..l }
        }).collect();
        let moved_apart: Vec<_> = apart.iter().rev().map(|p| Apart { a: seat(p.b), b: seat(p.a), by: p.by }).collect();
        let before = resolve(nodes, links, apart, rules);
        let after = resolve(&moved_nodes, &moved_links, &moved_apart, rules);
        for (&name, &to) in before.cluster.iter().zip(&seats) {
            prop_assert_eq!(after.cluster[to as usize], seat(name));
        }
        for (&decision, &i) in after.decisions.iter().zip(&order) {
            prop_assert_eq!(decision, before.decisions[i]);
        }
    }
}
