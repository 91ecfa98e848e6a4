//! The greedy pass over a whole graph, by example.

use cdp_engine::background::Cancel;
use cdp_engine::graph::whole::Cancelled;
use cdp_engine::graph::{
    Apart, ApartBy, Decision, Evidence, Identifiers, Link, Node, Refusal, TypeRule, chain, resolve,
    resolve_unless,
};
use std::collections::{BTreeMap, BTreeSet};

const ACCEPTED: Decision = Decision::Accepted;
const CANNOT: Decision = Decision::Refused(Refusal::CannotLink);
const NON_MATCH: Decision = Decision::Refused(Refusal::NonMatch);

const fn too_many(type_idx: u16) -> Decision {
    Decision::Refused(Refusal::MaxPerProfile { type_idx })
}

const fn bridge(type_idx: u16) -> Decision {
    Decision::Refused(Refusal::Bridge { type_idx })
}

// The types of the examples, the strongest first.
const USER: u16 = 0;
const EMAIL: u16 = 1;
const ANONYMOUS: u16 = 2;
const RECORD: u16 = 3;

/// A graph whose nodes are written `u1` (user_id), `e1` (email), `a1` (anonymous_id), `r1` (record).
/// Node ids and link times follow the order of first mention.
struct Graph {
    rules: Vec<TypeRule>,
    nodes: Vec<Node>,
    links: Vec<Link>,
    apart: Vec<Apart>,
}

impl Graph {
    /// user_id and email are unique; anonymous ids and records are not, and the former do not bridge.
    fn new() -> Self {
        let rule = |priority, max_per_profile, bridges| TypeRule {
            priority,
            max_per_profile,
            bridges,
            ..TypeRule::default()
        };
        Graph {
            rules: vec![
                rule(10, Some(1), true),
                rule(20, Some(1), true),
                rule(30, None, false),
                rule(40, None, true),
            ],
            nodes: Vec::new(),
            links: Vec::new(),
            apart: Vec::new(),
        }
    }

    fn rule(mut self, type_idx: u16, change: impl FnOnce(&mut TypeRule)) -> Self {
        change(&mut self.rules[usize::from(type_idx)]);
        self
    }

    fn max(self, type_idx: u16, max: Option<u32>) -> Self {
        self.rule(type_idx, |r| r.max_per_profile = max)
    }

    fn node(&mut self, name: &str) -> u32 {
        let known = self.nodes.iter().position(|n| &*n.value == name);
        known.unwrap_or_else(|| {
            self.nodes.push(Node {
                id: 100 + self.nodes.len() as i64,
                type_idx: "uear".find(&name[..1]).expect("a known type") as u16,
                value: name.into(),
            });
            self.nodes.len() - 1
        }) as u32
    }

    fn link(mut self, a: &str, b: &str, evidence: Evidence) -> Self {
        let (a, b) = (self.node(a), self.node(b));
        self.links.push(Link {
            a,
            b,
            evidence,
            confirmed: true,
            first_seen: self.links.len() as i64,
        });
        self
    }

    fn observed(self, a: &str, b: &str) -> Self {
        self.link(a, b, Evidence::Observed)
    }

    fn asserted(self, a: &str, b: &str) -> Self {
        self.link(a, b, Evidence::Asserted)
    }

    fn matched(self, a: &str, b: &str, priority: i32, weight: i32) -> Self {
        self.link(a, b, Evidence::Matched { priority, weight })
    }

    fn cannot(mut self, a: &str, b: &str) -> Self {
        let pair = (self.node(a), self.node(b));
        self.apart.push(Apart::by_hand(pair));
        self
    }

    fn non_match(mut self, a: &str, b: &str, priority: i32) -> Self {
        let (a, b) = (self.node(a), self.node(b));
        let by = ApartBy::Matcher { priority };
        self.apart.push(Apart { a, b, by });
        self
    }

    /// Changes the link that was added last.
    fn last(mut self, change: impl FnOnce(&mut Link)) -> Self {
        change(self.links.last_mut().expect("a link was added"));
        self
    }

    /// Checks the decisions, in the order of links, and the profiles: each a list of names of which
    /// the first gives the id.
    #[track_caller]
    fn gives(self, decisions: &[Decision], profiles: &[&str]) {
        let found = resolve(&self.nodes, &self.links, &self.apart, &self.rules);
        assert_eq!(found.decisions, decisions);
        let mut members: BTreeMap<i64, BTreeSet<&str>> = BTreeMap::new();
        for (i, n) in self.nodes.iter().enumerate() {
            let profile = found.profile_id(&self.nodes, i as u32);
            members.entry(profile).or_default().insert(&n.value);
        }
        let expected = profiles.iter().map(|names| {
            let first = names.split(' ').next();
            let named = self.nodes.iter().find(|n| Some(&*n.value) == first);
            let id = named.expect("a profile is of known nodes").id;
            (id, names.split(' ').collect())
        });
        assert_eq!(members, expected.collect());
    }
}

#[test]
fn a_second_user_id_does_not_merge_over_an_email() {
    Graph::new()
        .observed("u_abc123", "e_jane")
        .observed("u_abc456", "e_jane")
        .gives(
            &[ACCEPTED, too_many(USER)],
            &["u_abc123 e_jane", "u_abc456"],
        );
}

#[test]
fn a_removed_link_turns_a_whole_chain() {
    let rest = |graph: Graph| {
        graph
            .observed("u2", "e1")
            .observed("u2", "e2")
            .observed("u3", "e2")
    };
    rest(Graph::new().observed("u1", "e1")).gives(
        &[ACCEPTED, too_many(USER), ACCEPTED, too_many(USER)],
        &["u1 e1", "u2 e2", "u3"],
    );
    // u2 now has e1 and no room for e2, which goes to u3.
    rest(Graph::new()).gives(&[ACCEPTED, too_many(EMAIL), ACCEPTED], &["u2 e1", "u3 e2"]);
}

#[test]
fn a_device_attaches_to_a_person_and_does_not_fuse_two() {
    let graph = || {
        Graph::new()
            .max(USER, None)
            .observed("u1", "a1")
            .observed("a1", "a2")
            .observed("u2", "a2")
    };
    graph().gives(&[ACCEPTED, ACCEPTED, bridge(USER)], &["u1 a1 a2", "u2"]);
    graph()
        .rule(ANONYMOUS, |r| r.bridges = true)
        .gives(&[ACCEPTED; 3], &["u1 a1 a2 u2"]);
}

#[test]
fn a_device_joins_what_shares_no_stronger_type() {
    Graph::new()
        .observed("u1", "a1")
        .observed("e1", "a1")
        .gives(&[ACCEPTED; 2], &["u1 a1 e1"]);
}

#[test]
fn a_limit_is_reported_before_a_bridge() {
    Graph::new()
        .observed("u1", "a1")
        .observed("u2", "a1")
        .gives(&[ACCEPTED, too_many(USER)], &["u1 a1", "u2"]);
}

#[test]
fn a_stronger_link_is_taken_first_however_late() {
    Graph::new()
        .observed("e1", "a1")
        .observed("u1", "a1")
        .observed("u2", "e1")
        .gives(&[ACCEPTED, too_many(USER), ACCEPTED], &["u2 e1 a1", "u1"]);
}

#[test]
fn a_confirmed_link_comes_before_an_older_one_seen_once() {
    Graph::new()
        .observed("u1", "e1")
        .last(|l| l.confirmed = false)
        .observed("u2", "e1")
        .gives(&[too_many(USER), ACCEPTED], &["u1", "u2 e1"]);
}

#[test]
fn at_one_time_values_decide_as_bytes() {
    Graph::new()
        .observed("ub", "e1")
        .observed("uB", "e1")
        .last(|l| l.first_seen = 0)
        .gives(&[too_many(USER), ACCEPTED], &["ub", "uB e1"]);
}

#[test]
fn types_of_one_priority_rank_by_position() {
    // Were both one type, the earlier link would win the anonymous id.
    Graph::new()
        .rule(ANONYMOUS, |r| r.priority = 40)
        .observed("u1", "r1")
        .observed("r1", "a1")
        .observed("u2", "a1")
        .gives(&[ACCEPTED, too_many(USER), ACCEPTED], &["u1 r1", "u2 a1"]);
}

#[test]
fn an_assertion_ignores_limits() {
    Graph::new()
        .asserted("u1", "u2")
        .observed("u1", "e1")
        .observed("u2", "e2")
        .gives(&[ACCEPTED, ACCEPTED, too_many(EMAIL)], &["u1 u2 e1", "e2"]);
}

#[test]
fn what_an_assertion_joins_counts_as_one() {
    Graph::new()
        .max(USER, Some(2))
        .asserted("u1", "u2")
        .observed("u1", "e1")
        .observed("u3", "e1")
        .observed("u4", "e1")
        .gives(
            &[ACCEPTED, ACCEPTED, ACCEPTED, too_many(USER)],
            &["u1 u2 u3 e1", "u4"],
        );
}

#[test]
fn a_chain_of_assertions_counts_as_one_too() {
    Graph::new()
        .rule(ANONYMOUS, |r| r.bridges = true)
        .asserted("u1", "e1")
        .asserted("e1", "u2")
        .observed("u1", "a1")
        .observed("u3", "a1")
        .gives(
            &[ACCEPTED, ACCEPTED, ACCEPTED, too_many(USER)],
            &["u1 u2 e1 a1", "u3"],
        );
}

#[test]
fn an_assertion_ignores_bridging() {
    Graph::new()
        .max(USER, None)
        .observed("u1", "a1")
        .observed("u2", "a2")
        .asserted("a1", "a2")
        .gives(&[ACCEPTED, bridge(USER), ACCEPTED], &["u1 a1 a2", "u2"]);
    Graph::new()
        .asserted("u1", "a1")
        .asserted("u2", "a1")
        .gives(&[ACCEPTED; 2], &["u1 u2 a1"]);
}

#[test]
fn cannot_link_beats_everything() {
    Graph::new()
        .cannot("u1", "a1")
        .asserted("u1", "a1")
        .observed("u1", "e1")
        .observed("e1", "a1")
        .gives(&[CANNOT, ACCEPTED, CANNOT], &["u1 e1", "a1"]);
}

#[test]
fn cannot_links_stay_with_clusters_that_grow() {
    Graph::new()
        .cannot("r1", "r2")
        .asserted("a1", "r1")
        .asserted("a2", "r2")
        .asserted("a3", "a1")
        .asserted("a3", "a2")
        .gives(
            &[ACCEPTED, ACCEPTED, ACCEPTED, CANNOT],
            &["a1 a3 r1", "a2 r2"],
        );
}

#[test]
fn two_of_a_family_share_an_email_and_are_two() {
    let family = |priority| {
        Graph::new()
            .non_match("r1", "r2", priority)
            .observed("e1", "r1")
            .observed("e1", "r2")
    };
    family(25).gives(&[ACCEPTED, NON_MATCH], &["e1 r1", "r2"]);
    // A matcher that is weaker than what records say, or as strong, forbids nothing.
    family(40).gives(&[ACCEPTED, ACCEPTED], &["e1 r1 r2"]);
    family(25)
        .asserted("r1", "r2")
        .gives(&[ACCEPTED, ACCEPTED, ACCEPTED], &["e1 r1 r2"]);
}

#[test]
fn a_non_match_stays_with_clusters_that_grow_and_ends_when_they_join() {
    Graph::new()
        .non_match("r1", "r2", 25)
        .asserted("e1", "r1")
        .asserted("a2", "r2")
        .observed("e1", "a1")
        .observed("a1", "a2")
        .observed("r3", "e1")
        .observed("r3", "a2")
        .gives(
            &[ACCEPTED, ACCEPTED, ACCEPTED, NON_MATCH, ACCEPTED, NON_MATCH],
            &["e1 r1 a1 r3", "a2 r2"],
        );
    // By a stronger link the two are one person, and it keeps others out no more than one.
    Graph::new()
        .non_match("r1", "r2", 35)
        .asserted("a1", "r1")
        .asserted("a2", "r2")
        .observed("a1", "a2")
        .observed("r1", "r3")
        .observed("r2", "r3")
        .gives(&[ACCEPTED; 5], &["a1 a2 r1 r2 r3"]);
}

#[test]
fn a_weaker_match_does_not_join_what_a_stronger_matcher_holds_apart() {
    let two = |of_match| {
        Graph::new()
            .non_match("r1", "r2", 25)
            .matched("r1", "r2", of_match, 900)
    };
    two(26).gives(&[NON_MATCH], &["r1", "r2"]);
    two(25).gives(&[ACCEPTED], &["r1 r2"]);
    two(24).gives(&[ACCEPTED], &["r1 r2"]);
}

#[test]
fn with_a_limit_of_none_only_assertions_join() {
    Graph::new()
        .max(USER, Some(0))
        .observed("u1", "e1")
        .asserted("u2", "e1")
        .gives(&[too_many(USER), ACCEPTED], &["u1", "u2 e1"]);
}

#[test]
fn a_match_is_as_strong_as_its_matcher() {
    let graph = |priority| {
        Graph::new()
            .observed("u1", "r1")
            .observed("u2", "r2")
            .matched("r1", "r2", priority, 0)
    };
    // Weaker than what records say: each has its user_id already.
    graph(50).gives(&[ACCEPTED, ACCEPTED, too_many(USER)], &["u1 r1", "u2 r2"]);
    // Stronger: the records are one person when the second user_id comes.
    graph(25).gives(&[ACCEPTED, too_many(USER), ACCEPTED], &["u1 r1 r2", "u2"]);
    // At one priority, what was seen comes first.
    graph(40).gives(&[ACCEPTED, ACCEPTED, too_many(USER)], &["u1 r1", "u2 r2"]);
}

#[test]
fn the_heavier_match_comes_first() {
    for (light, heavy) in [(-1, 1), (i32::MIN, i32::MAX), (0, 1), (-2, -1)] {
        Graph::new()
            .max(RECORD, Some(2))
            .matched("r1", "r2", 25, light)
            .matched("r2", "r3", 25, heavy)
            .gives(&[too_many(RECORD), ACCEPTED], &["r1", "r2 r3"]);
    }
}

#[test]
fn a_source_without_duplicates_keeps_its_records_apart() {
    Graph::new()
        .max(RECORD, Some(1))
        .observed("e1", "r1")
        .observed("e1", "r2")
        .gives(&[ACCEPTED, too_many(RECORD)], &["e1 r1", "r2"]);
}

#[test]
fn the_strongest_type_names_the_profile() {
    // Cookie and e-mail were known first, and still the user_id gives the id.
    Graph::new()
        .observed("a1", "e1")
        .observed("e1", "u1")
        .gives(&[ACCEPTED; 2], &["u1 e1 a1"]);
    Graph::new()
        .observed("r1", "r2")
        .gives(&[ACCEPTED], &["r1 r2"]);
}

#[test]
fn more_types_than_bits_in_a_word() {
    // Type 129 is the strongest, type 0 the weakest.
    let rules: Vec<TypeRule> = (0..130)
        .map(|t| TypeRule {
            priority: -t,
            max_per_profile: (t == 1).then_some(1),
            bridges: t != 0,
            ..TypeRule::default()
        })
        .collect();
    let nodes: Vec<Node> = (0..)
        .zip([0, 1, 1, 0, 100, 100])
        .map(|(id, type_idx)| Node {
            id,
            type_idx,
            value: id.to_string().into(),
        })
        .collect();
    let links = [(0, 1), (0, 2), (3, 4), (3, 5)].map(|(a, b)| Link {
        a,
        b,
        evidence: Evidence::Observed,
        confirmed: false,
        first_seen: i64::from(b),
    });
    let found = resolve(&nodes, &links, &[], &rules);
    assert_eq!(
        found.decisions,
        [ACCEPTED, too_many(1), ACCEPTED, bridge(100)]
    );
    assert_eq!(found.cluster, [1, 1, 2, 4, 4, 5]);
}

#[test]
fn a_chain_is_short_and_then_strong() {
    let graph = Graph::new()
        .observed("u1", "a1") // 0
        .observed("u1", "e1") // 1
        .observed("a1", "r1") // 2
        .observed("e1", "r1") // 3: as strong as 2, but later
        .observed("u1", "r2") // 4
        .observed("r2", "r3") // 5
        .observed("r3", "r1"); // 6
    let find = |links: &[Link], from, to| {
        let at = |name| graph.nodes.iter().position(|n| &*n.value == name);
        let ends = at(from).zip(at(to)).expect("both are nodes");
        chain(
            &graph.nodes,
            links,
            &graph.rules,
            ends.0 as u32,
            ends.1 as u32,
        )
    };
    assert_eq!(find(&graph.links, "u1", "r1"), Some(vec![0, 2]));
    assert_eq!(find(&graph.links, "r1", "u1"), Some(vec![2, 0]));
    assert_eq!(find(&graph.links, "e1", "a1"), Some(vec![1, 0]));
    assert_eq!(find(&graph.links, "u1", "u1"), Some(vec![]));
    assert_eq!(find(&graph.links[..2], "u1", "r1"), None);
}

/// The identifiers of a hub's graph. Looked at by value, as links are that nothing else tells apart, it
/// cancels what looks.
struct Hub<'a>(usize, &'a Cancel);

impl Identifiers for Hub<'_> {
    fn len(&self) -> usize {
        self.0
    }
    fn id(&self, node: u32) -> i64 {
        node.into()
    }
    fn type_idx(&self, _: u32) -> u16 {
        0
    }
    fn value(&self, _: u32) -> &str {
        self.1.set();
        "one value"
    }
}

#[test]
fn a_pass_under_way_is_given_up() {
    let leaves = 1 << 17;
    let links: Vec<Link> = (1..=leaves)
        .map(|leaf| Link {
            a: 0,
            b: leaf,
            evidence: Evidence::Observed,
            confirmed: false,
            first_seen: 0,
        })
        .collect();
    let cancel = Cancel::default();
    let hub = Hub(leaves as usize + 1, &cancel);
    let rules = [TypeRule::default()];
    let found = resolve_unless(&hub, &links, &[], &rules, &cancel);
    assert_eq!(found, Err(Cancelled));
    // What is given up before it begins looks at no value.
    assert!(cancel.is_set());
    let found = resolve_unless(&hub, &links[..1], &[], &rules, &cancel);
    assert_eq!(found, Err(Cancelled));
}
