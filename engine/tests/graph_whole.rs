//! The whole graph at once gives what stars and links one by one give.

use std::collections::{BTreeMap, BTreeSet};

use cdp_engine::background::Cancel;
use cdp_engine::graph::whole::{Limit, Nodes, Sets, Shared};
use cdp_engine::graph::{Identifiers, SetNode, TypeRule, star};
use proptest::prelude::*;

const DAY: i64 = 86_400_000_000;

#[derive(Clone, Debug)]
struct Shown {
    source: i32,
    confirms: bool,
    linked_at: i64,
    first: i64,
    last: i64,
}

#[derive(Clone, Debug)]
struct World {
    rules: Vec<TypeRule>,
    /// Type, blocked; the id is 100 less seven times the place, so that ids fall.
    nodes: Vec<(u16, bool)>,
    sets: Vec<(BTreeSet<usize>, Vec<Shown>)>,
    limits: Vec<Limit>,
}

fn id(node: usize) -> i64 {
    1_000 - 7 * node as i64
}

fn value(node: usize) -> String {
    ["b", "a", "aa", "ä"][node % 4].repeat(1 + node / 4)
}

impl World {
    /// Members, blocked ones left out, that a set shows where it is shown at all.
    fn standing(&self) -> impl Iterator<Item = &(BTreeSet<usize>, Vec<Shown>)> {
        self.sets.iter().filter(|(_, shown)| !shown.is_empty())
    }

    /// By node, the first limit that it is past.
    fn shared(&self) -> BTreeMap<usize, usize> {
        let mut shared = BTreeMap::new();
        for node in 0..self.nodes.len() {
            let past = self.limits.iter().position(|limit| {
                let others: BTreeSet<usize> = self
                    .standing()
                    .filter(|(members, _)| members.len() > 1 && members.contains(&node))
                    .flat_map(|(members, _)| members.iter().copied())
                    .filter(|&other| self.nodes[other] == (limit.other, false))
                    .collect();
                self.nodes[node] == (limit.of, false) && others.len() > limit.most as usize
            });
            shared.extend(past.map(|limit| (node, limit)));
        }
        shared
    }

    fn star(&self, set: usize, shared: &BTreeMap<usize, usize>) -> (Option<i64>, BTreeSet<i64>) {
        let (members, shown) = &self.sets[set];
        if shown.is_empty() {
            return (None, BTreeSet::new());
        }
        let values: Vec<String> = members.iter().map(|&n| value(n)).collect();
        let nodes: Vec<SetNode> = members
            .iter()
            .zip(&values)
            .map(|(&n, value)| SetNode {
                node_id: id(n),
                type_idx: self.nodes[n].0,
                value,
                blocked: self.nodes[n].1,
                shared: shared.contains_key(&n),
            })
            .collect();
        let star = star(&nodes, &self.rules);
        (star.centre, star.leaves.into_iter().collect())
    }

    /// By pair of ids, the lower first: whether confirmed, and since when.
    fn links(&self, shared: &BTreeMap<usize, usize>) -> BTreeMap<(i64, i64), (bool, i64)> {
        let mut shown: BTreeMap<(i64, i64), Vec<&Shown>> = BTreeMap::new();
        for (n, (_, evidence)) in self.sets.iter().enumerate() {
            let (Some(centre), leaves) = self.star(n, shared) else {
                continue;
            };
            for leaf in leaves {
                let pair = (centre.min(leaf), centre.max(leaf));
                shown.entry(pair).or_default().extend(evidence);
            }
        }
        shown
            .into_iter()
            .map(|(pair, all)| {
                let sources: BTreeSet<i32> = all.iter().map(|s| s.source).collect();
                let first = all.iter().map(|s| s.first.div_euclid(DAY)).min();
                let last = all.iter().map(|s| s.last.div_euclid(DAY)).max();
                let confirmed =
                    sources.len() > 1 || first != last || all.iter().any(|s| s.confirms);
                let since = all.iter().map(|s| s.linked_at).min().expect("some");
                (pair, (confirmed, since))
            })
            .collect()
    }
}

fn world() -> impl Strategy<Value = World> {
    let rule = (0..3, any::<bool>()).prop_map(|(priority, bridges)| TypeRule {
        priority,
        max_per_profile: None,
        bridges,
        ..TypeRule::default()
    });
    let shown =
        (0..3, -2..3_i64, 0..3_i64, any::<bool>()).prop_map(|(source, day, days, confirms)| {
            Shown {
                source,
                confirms: confirms && source == 2,
                linked_at: day * DAY / 2,
                first: day * DAY / 2,
                last: day * DAY / 2 + days * DAY / 3,
            }
        });
    let limit =
        (0..3_u16, 0..3_u16, 0..4_u32).prop_map(|(of, other, most)| Limit { of, other, most });
    let nodes = prop::collection::vec((0..3_u16, prop::bool::weighted(0.15)), 1..14);
    (prop::collection::vec(rule, 3), nodes).prop_flat_map(move |(rules, nodes)| {
        let members = prop::collection::btree_set(0..nodes.len(), 1..5);
        let set = (members, prop::collection::vec(shown.clone(), 0..3));
        let sets = prop::collection::vec(set, 0..16);
        let limits = prop::collection::vec(limit.clone(), 0..3);
        (Just(rules), Just(nodes), sets, limits).prop_map(|(rules, nodes, sets, limits)| World {
            rules,
            nodes,
            sets,
            limits,
        })
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 3_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn is_what_one_by_one_gives(world in world(), apart in any::<bool>()) {
        // Ids of sets that fill their range, and that do not.
        let set_id = |n: usize| if apart { (n as i64) << 40 } else { n as i64 };
        let mut nodes = Nodes::default();
        for (n, &(type_idx, blocked)) in world.nodes.iter().enumerate() {
            nodes.push(id(n), type_idx, &value(n), blocked);
        }
        nodes.close();
        let mut sets = Sets::default();
        for (n, (members, _)) in world.sets.iter().enumerate() {
            sets.push(set_id(n), members.iter().filter_map(|&m| nodes.position(id(m))));
        }
        sets.close();
        for (n, (_, shown)) in world.sets.iter().enumerate() {
            let set = sets.position(set_id(n)).expect("it was added");
            for s in shown {
                sets.show(set, s.source, s.confirms, s.linked_at, (s.first, s.last));
            }
        }
        let cancel = Cancel::default();

        let expected = world.shared();
        let shared = sets.shared(&nodes, &world.limits, &cancel).expect("not cancelled");
        let found: BTreeMap<usize, usize> =
            shared.iter().map(|Shared { node, limit }| (*node as usize, *limit)).collect();
        prop_assert_eq!(found.len(), shared.len());
        prop_assert_eq!(&found, &expected);

        let stars = sets.stars(&nodes, &shared, &world.rules, &cancel).expect("not cancelled");
        for set in 0..sets.len() {
            let place = sets.position(set_id(set)).expect("it was added");
            let centre = stars.centre(place).map(|n| nodes.id(n));
            let leaves: BTreeSet<i64> = sets.leaves(&stars, place).map(|n| nodes.id(n)).collect();
            prop_assert_eq!((centre, leaves), world.star(set, &expected));
        }

        let links = sets.links(&nodes, &stars, &world.rules, &cancel).expect("not cancelled");
        let found: BTreeMap<(i64, i64), (bool, i64)> = links
            .links
            .iter()
            .map(|l| ((nodes.id(l.a), nodes.id(l.b)), (l.confirmed, l.first_seen)))
            .collect();
        prop_assert_eq!(found.len(), links.links.len());
        prop_assert_eq!(&found, &world.links(&expected));
        for (n, link) in links.links.iter().enumerate() {
            prop_assert_eq!(links.find(link.a, link.b), Some(n));
            prop_assert_eq!(links.find(link.b, link.a), None);
        }
    }
}
