//! The incremental pass gives what a full pass gives, and reads no more than it must.

use cdp_engine::graph::{
    Apart, ApartBy, Changes, Decided, Decision, Evidence, Link, Moved, Node, Refusal, Store,
    StoredLink, StoredNode, TypeRule, Update, resolve, update,
};
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::convert::Infallible;

/// A link's ends, and which piece of evidence between them it is.
type LinkKey = (i64, i64, u8);

/// A graph in memory.
#[derive(Clone, Debug, Default)]
struct Memory {
    nodes: BTreeMap<i64, StoredNode>,
    links: BTreeMap<LinkKey, StoredLink>,
    apart: BTreeSet<Apart<i64>>,
    /// Nodes read since this was last cleared.
    nodes_read: usize,
    links_read: usize,
    calls: usize,
}

impl Store for Memory {
    type Error = Infallible;

    fn clusters_of(&mut self, node_ids: &[i64]) -> Result<Vec<StoredNode>, Infallible> {
        assert_distinct(node_ids);
        self.calls += 1;
        let wanted = |n: &&StoredNode| {
            node_ids
                .iter()
                .filter_map(|id| self.nodes.get(id))
                .any(|m| {
                    m.node.id == n.node.id || m.profile_id.is_some() && m.profile_id == n.profile_id
                })
        };
        let found: Vec<StoredNode> = self.nodes.values().filter(wanted).cloned().collect();
        self.nodes_read += found.len();
        Ok(found)
    }

    fn links_of(&mut self, node_ids: &[i64]) -> Result<Vec<StoredLink>, Infallible> {
        assert_distinct(node_ids);
        let of = |l: &&StoredLink| node_ids.contains(&l.a_id) || node_ids.contains(&l.b_id);
        let found: Vec<StoredLink> = self.links.values().filter(of).copied().collect();
        self.links_read += found.len();
        Ok(found)
    }

    fn accepted_within(&mut self, clusters: &[Vec<i64>]) -> Result<Vec<StoredLink>, Infallible> {
        let of = |l: &&StoredLink| {
            let within = |c: &Vec<i64>| c.contains(&l.a_id) && c.contains(&l.b_id);
            l.decision == Some(Decision::Accepted) && clusters.iter().any(within)
        };
        let found: Vec<StoredLink> = self.links.values().filter(of).copied().collect();
        self.links_read += found.len();
        Ok(found)
    }

    fn links_between(&mut self, pairs: &[(i64, i64)]) -> Result<Vec<StoredLink>, Infallible> {
        let of = |l: &&StoredLink| {
            pairs.contains(&(l.a_id, l.b_id)) || pairs.contains(&(l.b_id, l.a_id))
        };
        Ok(self.links.values().filter(of).copied().collect())
    }

    fn apart_of(&mut self, node_ids: &[i64]) -> Result<Vec<Apart<i64>>, Infallible> {
        let of = |p: &&Apart<i64>| node_ids.contains(&p.a) || node_ids.contains(&p.b);
        Ok(self.apart.iter().filter(of).copied().collect())
    }
}

fn assert_distinct(ids: &[i64]) {
    assert_eq!(ids.iter().collect::<BTreeSet<_>>().len(), ids.len());
}

impl Memory {
    fn add_node(&mut self, id: i64, type_idx: u16) {
        let node = Node {
            id,
            type_idx,
            // In another order than ids.
            value: id.reverse_bits().to_string().into(),
        };
        let profile_id = None;
        self.nodes.insert(id, StoredNode { node, profile_id });
    }

    /// Adds a link, or changes it; either keeps the decision it may have had.
    fn put_link(&mut self, key: LinkKey, evidence: Evidence, confirmed: bool, first_seen: i64) {
        let before = self.links.get(&key);
        let link = StoredLink {
            a_id: key.0,
            b_id: key.1,
            evidence,
            confirmed,
            first_seen,
            decision: before.and_then(|l| l.decision),
        };
        self.links.insert(key, link);
    }

    fn observe(&mut self, a: i64, b: i64, first_seen: i64) {
        self.put_link((a, b, 0), Evidence::Observed, true, first_seen);
    }

    /// Writes what an update found, checking that it starts from what is stored and tells nothing
    /// that was known.
    fn apply(&mut self, update: &Update) {
        for &Moved { node_id, from, to } in &update.moved {
            let node = self.nodes.get_mut(&node_id).expect("a stored node moved");
            assert_eq!(node.profile_id, from);
            assert_ne!(from, Some(to));
            node.profile_id = Some(to);
        }
        for &Decided { link, decision } in &update.decided {
            let mut stored = self.links.values_mut().filter(|l| **l == link);
            let first = stored.next().expect("a stored link was decided");
            assert_ne!(first.decision, Some(decision));
            first.decision = Some(decision);
        }
    }

    /// An update after nodes were disturbed.
    fn update(&mut self, disturbed: &[i64], rules: &[TypeRule]) -> Update {
        self.update_after(
            &Changes {
                disturbed: disturbed.to_vec(),
                ..Changes::default()
            },
            rules,
        )
    }

    fn update_after(&mut self, changes: &Changes, rules: &[TypeRule]) -> Update {
        (self.nodes_read, self.links_read, self.calls) = (0, 0, 0);
        let found = match update(self, changes, rules) {
            Ok(found) => found,
            Err(never) => match never {},
        };
        self.apply(&found);
        found
    }

    /// Everything that is derived, from scratch.
    fn rebuilt(&self, rules: &[TypeRule]) -> Memory {
        let nodes: Vec<Node> = self.nodes.values().map(|n| n.node.clone()).collect();
        let position: HashMap<i64, u32> = (0..).zip(&nodes).map(|(i, n)| (n.id, i)).collect();
        let links: Vec<Link> = self
            .links
            .values()
            .map(|l| Link {
                a: position[&l.a_id],
                b: position[&l.b_id],
                evidence: l.evidence,
                confirmed: l.confirmed,
                first_seen: l.first_seen,
            })
            .collect();
        let of_nodes = |p: &Apart<i64>| {
            let (a, b) = (*position.get(&p.a)?, *position.get(&p.b)?);
            Some(Apart { a, b, by: p.by })
        };
        let apart: Vec<_> = self.apart.iter().filter_map(of_nodes).collect();
        let full = resolve(&nodes, &links, &apart, rules);
        let mut all = self.clone();
        for (i, n) in (0..).zip(all.nodes.values_mut()) {
            n.profile_id = Some(full.profile_id(&nodes, i));
        }
        for (l, &decision) in all.links.values_mut().zip(&full.decisions) {
            l.decision = Some(decision);
        }
        all
    }

    fn profile(&self, id: i64) -> Option<i64> {
        self.nodes[&id].profile_id
    }
}

fn rule_of(priority: i32, max_per_profile: Option<u32>, bridges: bool) -> TypeRule {
    TypeRule {
        priority,
        max_per_profile,
        bridges,
        ..TypeRule::default()
    }
}

/// user_id and email unique, anonymous_id without limits but not bridging.
fn three_types() -> [TypeRule; 3] {
    [
        rule_of(1, Some(1), true),
        rule_of(2, Some(1), true),
        rule_of(3, None, false),
    ]
}

/// user_ids 1, 3, 5, … and emails 2, 4, 6, …: each user_id has the e-mail after it, and is refused
/// the one before.
fn alternating_chain(length: i64) -> Memory {
    let mut memory = Memory::default();
    for id in 1..=length {
        memory.add_node(id, if id % 2 == 1 { 0 } else { 1 });
        if id > 1 {
            memory.observe(id - 1, id, id);
        }
    }
    memory
}

#[test]
fn a_removed_link_turns_a_chain_that_it_does_not_touch() {
    let rules = three_types();
    let mut memory = alternating_chain(5);
    memory.update(&[1, 2, 3, 4, 5], &rules);
    let profiles = |m: &Memory| (1..=5).map(|id| m.profile(id)).collect::<Vec<_>>();
    assert_eq!(profiles(&memory), [1, 1, 3, 3, 5].map(Some));

    memory.links.remove(&(1, 2, 0));
    let found = memory.update(&[1, 2], &rules);
    assert_eq!(profiles(&memory), [1, 3, 3, 5, 5].map(Some));
    assert_eq!(found.moved.len(), 2);
    assert_eq!(found.decided.len(), 3);

    // And back, ids included.
    memory.observe(1, 2, 2);
    memory.update(&[1, 2], &rules);
    assert_eq!(profiles(&memory), [1, 1, 3, 3, 5].map(Some));
}

#[test]
fn a_long_chain_turns_to_its_end() {
    let rules = three_types();
    let mut memory = alternating_chain(101);
    memory.update(&(1..=101).collect::<Vec<_>>(), &rules);
    memory.links.remove(&(1, 2, 0));
    let found = memory.update(&[1], &rules);
    assert_eq!(found.moved.len(), 50);
    assert_eq!(found.decided.len(), 99);
}

#[test]
fn the_reason_of_a_refusal_is_kept_up_to_date_on_the_boundary() {
    let rules = three_types();
    let mut memory = alternating_chain(3);
    memory.update(&[1, 2, 3], &rules);
    memory.apart.insert(Apart::by_hand((1, 3)));
    let found = memory.update(&[1, 3], &rules);
    assert_eq!(found.moved, []);
    let [decided] = found.decided[..] else {
        panic!("one link is refused for another reason: {found:?}");
    };
    assert_eq!(decided.decision, Decision::Refused(Refusal::CannotLink));
}

#[test]
fn nothing_changed_is_nothing_found() {
    let rules = three_types();
    let mut memory = alternating_chain(9);
    memory.update(&(1..=9).collect::<Vec<_>>(), &rules);
    let found = memory.update(&[4, 5], &rules);
    assert_eq!(found.moved, []);
    assert_eq!(found.decided, []);
}

#[test]
fn an_added_link_reads_its_clusters_and_their_boundary_only() {
    let rules = three_types();
    // Five thousand people of a user_id, an e-mail and a device, each refused the next one's e-mail.
    let mut memory = Memory::default();
    let people = 5_000;
    for first in (0..people).map(|i| i * 3 + 1) {
        for (id, type_idx) in (first..).zip(0..3) {
            memory.add_node(id, type_idx);
        }
        memory.observe(first, first + 1, first);
        memory.observe(first, first + 2, first);
    }
    for first in (1..people).map(|i| i * 3 + 1) {
        memory.observe(first, first - 2, first + 1);
    }
    memory = memory.rebuilt(&rules);
    let device = people * 3 + 1;
    memory.add_node(device, 2);
    memory.observe(3_001, device, 1);
    let gained = |a: i64, b: i64| Changes {
        gained: vec![(a, b)],
        ..Changes::default()
    };
    let found = memory.update_after(&gained(3_001, device), &rules);
    assert_eq!(found.moved.len(), 1);
    assert_eq!(found.decided.len(), 1);
    // The person and the device: no rule asks how many devices somebody has.
    assert_eq!((memory.nodes_read, memory.calls), (3 + 1, 1));

    // An e-mail may change for what reason the neighbours are refused: those on both sides are read.
    let email = device + 1;
    memory.add_node(email, 1);
    memory.apart.insert(Apart::by_hand((email, 1)));
    memory.observe(3_001, email, 1);
    memory.update_after(&gained(3_001, email), &rules);
    assert_eq!(memory.nodes_read, 3 + 1 + 1 + 2 * 3);
    let full = memory.rebuilt(&rules);
    assert_eq!((memory.nodes, memory.links), (full.nodes, full.links));
}

#[test]
fn one_more_person_at_a_kiosk_reads_none_of_the_others() {
    let rules = three_types();
    let kiosk = 10_000;
    let mut memory = Memory::default();
    memory.add_node(kiosk, 2);
    for user in 1..=1_000 {
        memory.add_node(user, 0);
        memory.observe(user, kiosk, user);
    }
    memory = memory.rebuilt(&rules);
    let refused = |m: &Memory| {
        m.links
            .values()
            .filter(|l| l.decision != Some(Decision::Accepted))
            .count()
    };
    assert_eq!(refused(&memory), 999);

    let one_more = |memory: &mut Memory, user: i64, first_seen: i64| {
        if !memory.nodes.contains_key(&user) {
            memory.add_node(user, 0);
        }
        memory.observe(user, kiosk, first_seen);
        let changes = Changes {
            gained: vec![(user, kiosk)],
            ..Changes::default()
        };
        memory.update_after(&changes, &rules)
    };
    let found = one_more(&mut memory, 2_000, 2_000);
    assert_eq!((found.moved.len(), found.decided.len()), (1, 1));
    assert_eq!((memory.nodes_read, memory.links_read), (3, 1));
    // Nor does one that was there before, and is known to have come earlier.
    let found = one_more(&mut memory, 500, 50);
    assert_eq!((found.moved.len(), found.decided.len()), (0, 0));
    assert_eq!((memory.nodes_read, memory.links_read), (3, 1));
    // Who takes it over is another matter: the reason of every refusal is looked at.
    let found = one_more(&mut memory, 700, 0);
    assert_eq!((found.moved.len(), found.decided.len()), (1, 2));
    let full = memory.rebuilt(&rules);
    assert_eq!((memory.nodes, memory.links), (full.nodes, full.links));
}

/// Checks an update after links were gained against a full pass.
fn gain(memory: &mut Memory, pairs: &[(i64, i64)], rules: &[TypeRule]) {
    let changes = Changes {
        gained: pairs.to_vec(),
        ..Changes::default()
    };
    memory.update_after(&changes, rules);
    let full = memory.rebuilt(rules);
    assert_eq!(memory.nodes, full.nodes);
    assert_eq!(memory.links, full.links);
}

#[test]
fn a_device_that_must_not_meet_somebody_changes_the_reason() {
    let rules = three_types();
    let mut memory = Memory::default();
    for (id, type_idx) in [(1, 0), (2, 0), (3, 2), (4, 2)] {
        memory.add_node(id, type_idx);
    }
    memory.observe(1, 3, 1);
    memory.observe(2, 3, 9);
    memory.apart.insert(Apart::by_hand((4, 2)));
    memory = memory.rebuilt(&rules);
    memory.observe(1, 4, 3);
    gain(&mut memory, &[(1, 4)], &rules);
    let decision = memory.links[&(2, 3, 0)].decision;
    assert_eq!(decision, Some(Decision::Refused(Refusal::CannotLink)));
}

#[test]
fn parts_that_meet_earlier_over_a_device_change_the_reason() {
    let rules = [
        rule_of(1, Some(1), true),
        rule_of(2, None, true),
        rule_of(3, Some(1), true),
        rule_of(4, Some(1), true),
    ];
    let mut memory = Memory::default();
    for (id, type_idx) in [(1, 0), (2, 3), (3, 2), (4, 3), (5, 2), (6, 1)] {
        memory.add_node(id, type_idx);
    }
    memory.put_link((1, 2, 1), Evidence::Asserted, true, 0);
    memory.put_link((4, 5, 1), Evidence::Asserted, true, 0);
    memory.observe(1, 3, 5);
    memory.observe(1, 5, 3);
    memory = memory.rebuilt(&rules);
    let reason = |m: &Memory| m.links[&(1, 5, 0)].decision.and_then(Decision::type_idx);
    assert_eq!(reason(&memory), Some(3));
    memory.observe(1, 6, 1);
    memory.observe(3, 6, 1);
    gain(&mut memory, &[(1, 6), (3, 6)], &rules);
    assert_eq!(reason(&memory), Some(2));
}

/// One change of the stored graph.
#[derive(Clone, Debug)]
enum Change {
    Put(LinkKey, bool, i64),
    /// Of the links there are, by number.
    Remove(usize),
    Forbid(Apart<i64>),
    /// Of what is apart, by number.
    Allow(usize),
    RemoveNode(i64),
}

const NODES: i64 = 12;

fn change() -> impl Strategy<Value = Change> {
    let kind = prop_oneof![1 => Just(0), 12 => Just(1), 1 => Just(2), 1 => Just(3)];
    let key = (1..=NODES, 1..=NODES, kind).prop_map(|(a, b, kind)| (a.min(b), a.max(b), kind));
    let by = prop_oneof![
        1 => Just(ApartBy::Hand),
        3 => (-1..3).prop_map(|priority| ApartBy::Matcher { priority }),
    ];
    prop_oneof![
        20 => (key, any::<bool>(), 0..8_i64).prop_map(|(k, c, t)| Change::Put(k, c, t)),
        10 => any::<usize>().prop_map(Change::Remove),
        2 => (1..=NODES, 1..=NODES, by).prop_map(|(a, b, by)| Change::Forbid(Apart { a, b, by })),
        1 => any::<usize>().prop_map(Change::Allow),
        1 => (1..=NODES).prop_map(Change::RemoveNode),
    ]
}

/// Whether a link now comes no later in the order of the pass than it did.
fn is_earlier(now: &StoredLink, before: &StoredLink, keeps_last: bool) -> bool {
    let key = |l: &StoredLink| match l.evidence {
        Evidence::Observed if keeps_last => (0, false, -l.first_seen),
        Evidence::Matched { weight, .. } => (-weight, !l.confirmed, l.first_seen),
        _ => (0, !l.confirmed, l.first_seen),
    };
    key(now) <= key(before)
}

impl Memory {
    /// Makes a change, and names no more than must be named: of pairs, one end.
    fn change(&mut self, change: &Change, rules: &[TypeRule], types: &[u16], named: &mut Named) {
        let refused = |l: &StoredLink| matches!(l.decision, None | Some(Decision::Refused(_)));
        match *change {
            Change::Put(key, confirmed, first_seen) => {
                for id in [key.0, key.1] {
                    if !self.nodes.contains_key(&id) {
                        self.add_node(id, types[id as usize - 1]);
                        named.changes.nodes.push(id);
                    }
                }
                let evidence = match key.2 {
                    0 => Evidence::Asserted,
                    1 => Evidence::Observed,
                    kind => Evidence::Matched {
                        priority: i32::from(kind) - 2,
                        weight: first_seen as i32 % 3,
                    },
                };
                let before = self.links.get(&key).copied();
                self.put_link(key, evidence, confirmed, first_seen);
                let weaker = [key.0, key.1].map(|id| types[id as usize - 1]);
                let weaker = weaker
                    .into_iter()
                    .max_by_key(|&t| (rules[usize::from(t)].priority, t));
                let keeps_last = weaker.is_some_and(|t| rules[usize::from(t)].keep_last);
                let is_gain = before.is_none_or(|before| {
                    refused(&before) || is_earlier(&self.links[&key], &before, keeps_last)
                });
                if is_gain && evidence != Evidence::Asserted {
                    named.changes.gained.push((key.1, key.0));
                } else {
                    named.pairs.push((key.0, key.1));
                }
            }
            Change::Remove(n) => {
                let key = n.checked_rem(self.links.len());
                let key = key.and_then(|n| self.links.keys().nth(n).copied());
                let gone = key.and_then(|key| self.links.remove(&key));
                let gone = gone.filter(|l| !refused(l));
                named.pairs.extend(gone.map(|l| (l.b_id, l.a_id)));
            }
            Change::Forbid(apart) => {
                self.apart.insert(apart);
                named.pairs.push((apart.a, apart.b));
            }
            Change::Allow(n) => {
                let one = n.checked_rem(self.apart.len());
                let one = one.and_then(|n| self.apart.iter().nth(n).copied());
                let gone = one.filter(|one| self.apart.remove(one));
                named.pairs.extend(gone.map(|p| (p.a, p.b)));
            }
            Change::RemoveNode(id) => {
                self.nodes.remove(&id);
                let of = |key: &LinkKey| key.0 == id || key.1 == id;
                let gone = self.links.iter().filter(|(k, l)| of(k) && !refused(l));
                named.pairs.extend(gone.map(|(k, _)| (k.0, k.1)));
                self.links.retain(|key, _| !of(key));
            }
        }
    }
}

/// What a batch of changes names.
#[derive(Default)]
struct Named {
    changes: Changes,
    /// One end of each is to be disturbed.
    pairs: Vec<(i64, i64)>,
}

fn rules() -> impl Strategy<Value = Vec<TypeRule>> {
    let max = prop_oneof![4 => Just(Some(1)), 1 => Just(Some(2)), 3 => Just(None)];
    let rule = (0..3, max, any::<bool>(), any::<bool>());
    let rule = rule.prop_map(|(p, m, b, keep_last)| TypeRule {
        keep_last,
        ..rule_of(p, m, b)
    });
    prop::collection::vec(rule, 4)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_changes_in_any_batches_give_what_a_full_pass_gives(
        rules in rules(),
        types in prop::collection::vec(0..4_u16, NODES as usize),
        batches in prop::collection::vec(prop::collection::vec(change(), 1..8), 1..12),
    ) {
        let mut memory = Memory::default();
        for mut batch in batches {
            // An id is not reused, so a batch does not remove a node and then add it.
            batch.sort_by_key(|c| matches!(c, Change::RemoveNode(_)));
            let mut named = Named::default();
            for change in &batch {
                memory.change(change, &rules, &types, &mut named);
            }
            let Named { mut changes, pairs } = named;
            // One end of each suffices, if it still exists.
            let exists = |id: &i64| memory.nodes.contains_key(id);
            changes.disturbed = pairs.iter().filter_map(|&(a, b)| [a, b].into_iter().find(exists)).collect();
            memory.update_after(&changes, &rules);
            let full = memory.rebuilt(&rules);
            prop_assert_eq!(&memory.nodes, &full.nodes);
            prop_assert_eq!(&memory.links, &full.links);
        }
    }
}
