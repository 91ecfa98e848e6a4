//! Identity derived anew for everything stored: read at the speed of the executor, computed in the
//! engine ([`cdp_engine::graph::whole`]), only differences written. It gives what the changes would
//! have given one after the other.
//!
//! Whatever stops it, a cancel or a full disk, leaves everything as it was: it is part of its caller's
//! transaction. Its memory is known before it is taken, and past `cdp.graph_memory` it stops with an
//! error.

mod read;
mod write;

use std::collections::HashMap;

use cdp_engine::background::Cancel;
use cdp_engine::graph::whole::{Cancelled, Limit, Links, Nodes, Sets, Shared, Stars};
use cdp_engine::graph::{
    self, Apart, Decided, Decision, Evidence, Identifiers, Link, Moved, Resolution, StoredLink,
    Update,
};

use super::graph::Outcome;
use super::{matched, slices};
use crate::args;
use crate::pg::{Error, Result, guc, sql, thread};
use crate::rules::Rules;
use crate::worker::progress;

/// Whether deriving everything anew is cheaper than deriving what so many changed sets reach, and small
/// enough, with so many sets still to come. A set costs some 5 microseconds to read, compute and
/// compare, and some 50 to derive by itself.
pub fn derives_whole(changed: i64, to_come: i64) -> bool {
    const LEAST_SHARE: i64 = 10;
    const SET: i64 = 350;
    const NODE: i64 = 60;
    let bulk = i64::from(guc::BULK_BATCH_SIZE.get());
    if bulk == 0 || changed < bulk / 10 {
        return false;
    }
    let last = |sequence: &str| {
        let last = format!("SELECT last_value FROM {sequence}");
        sql::one::<i64>(&last, args![]).unwrap_or(i64::MAX)
    };
    let sets = last("cdp.set_id_seq").saturating_add(to_come);
    let bytes = || {
        let nodes = last("cdp.node_id_seq").saturating_add(to_come.saturating_mul(3));
        sets.saturating_mul(SET)
            .saturating_add(nodes.saturating_mul(NODE))
    };
    sets / LEAST_SHARE <= changed
        && usize::try_from(bytes()).is_ok_and(|bytes| bytes <= guc::graph_memory())
}

/// Derives shared identifiers, stars, links, decisions and clusters, and writes the differences. `new`: what
/// matchers found, in order, that is not stored yet; `beside`: so many bytes are held for that.
pub fn derive(rules: &Rules, new: &[matched::New], beside: usize) -> Result<Outcome> {
    progress::start("identity: reading identifiers", 0);
    let nodes = read::nodes(rules)?;
    progress::start("identity: reading identifier sets", 0);
    let sets = read::sets(rules, &nodes)?;
    let most = most_bytes(&nodes, &sets) + beside;
    super::allow("the identity graph", most)?;

    progress::start("identity: stars of the sets", sets.len() as i64);
    let limits = limits(rules);
    let type_rules = rules.type_rules.clone();
    let given = limits.clone();
    let (nodes, sets, found) = thread::run(move |cancel| {
        let found = stars(&nodes, &sets, &given, &type_rules, cancel);
        (nodes, sets, found)
    })?;
    let (shared, stars) = found.map_err(gave_up)?;
    write::inert(rules, &nodes, &shared, &limits)?;
    let recentred = write::set_nodes(&nodes, &sets, &stars)?;
    write::set_links(&nodes, &sets, &stars)?;
    let sliced: HashMap<i64, i64> = (0..sets.len() as u32)
        .filter_map(|set| Some((sets.id(set), nodes.id(stars.sliced(set)?))))
        .collect();
    // It is written by now what is blocked; and slices ask what was said by hand.
    super::asserted::rebuild();
    let holders = slices::rebuild(rules, &sliced)?;

    progress::start("identity: links", 0);
    let mut present = vec![false; nodes.len()];
    for set in 0..sets.len() as u32 {
        if let Some(centre) = stars.centre(set) {
            present[centre as usize] = true;
        }
    }
    for node in holders {
        if let Some(node) = nodes.position(node) {
            present[node as usize] = true;
        }
    }
    let type_rules = rules.type_rules.clone();
    let (nodes, found) = thread::run(move |cancel| {
        let links = sets.links(&nodes, &stars, &type_rules, cancel);
        (nodes, links)
    })?;
    let mut links = found.map_err(gave_up)?;
    let by_hand = read::by_hand(rules, &nodes)?;
    let observed = links.links.len();
    let matched = read::matched(rules, &nodes, new)?;
    super::allow("the identity graph", most + matched.bytes())?;
    links
        .links
        .extend(by_hand.links.iter().map(|(link, _)| *link));
    let by_matchers = links.links.len();
    let stored = matched.links.len();
    links
        .links
        .extend(matched.links.iter().map(|(link, ..)| *link));
    links.links.extend(matched.found);
    for link in &links.links {
        present[link.a as usize] = true;
        present[link.b as usize] = true;
    }

    progress::start("identity: resolving", links.links.len() as i64);
    let type_rules = rules.type_rules.clone();
    let mut apart = by_hand.apart;
    apart.extend(matched.apart);
    let (nodes, links, found) = thread::run(move |cancel| {
        let found = graph::resolve_unless(&nodes, &links.links, &apart, &type_rules, cancel);
        (nodes, links, found)
    })?;
    let resolution = found.map_err(gave_up)?;
    let (moved, removed) = write::clusters(&nodes, &present, &resolution)?;
    let graph = Graph {
        rules,
        nodes,
        links,
        observed,
        resolution,
    };
    let history = Historic::of(&graph, &moved, &removed);
    let (mut decided, unlinked) = write::links(&graph, &history)?;
    decided.extend(write::asserted_links(&graph, by_hand.links, &history)?);
    decided.extend(write::matches(
        &graph,
        by_matchers,
        matched.links,
        &history,
    )?);
    decided.extend(write::found(&graph, by_matchers + stored, new, &history));
    let mut touched: Vec<i64> = removed.iter().map(|(_, profile)| *profile).collect();
    touched.extend(moved.iter().flat_map(|m| m.from.into_iter().chain([m.to])));
    let gained_or_lost_sets = recentred
        .into_iter()
        .filter_map(|node| graph.nodes.position(node))
        .filter(|&node| present[node as usize]);
    touched.extend(gained_or_lost_sets.map(|n| graph.resolution.profile_id(&graph.nodes, n)));
    touched.sort_unstable();
    touched.dedup();
    Ok(Outcome {
        touched,
        removed,
        update: Some(Update { moved, decided }),
        unlinked,
        unmatched: Vec::new(),
    })
}

/// All that was computed.
struct Graph<'a> {
    rules: &'a Rules,
    nodes: Nodes,
    links: Links,
    /// How many of the links are observed; those by hand come after them, then matches.
    observed: usize,
    resolution: Resolution,
}

impl Graph<'_> {
    fn link(&self, n: usize) -> (&Link, Decision) {
        (&self.links.links[n], self.resolution.decisions[n])
    }

    /// The ids of a link's ends, the lower first.
    fn ends(&self, link: &Link) -> (i64, i64) {
        super::asserted::pair(self.nodes.id(link.a), self.nodes.id(link.b))
    }

    fn rule_type(&self, decision: Decision) -> Option<i32> {
        decision.type_idx().map(|n| self.rules.type_ids[n as usize])
    }
}

/// The nodes whose way history tells: they were in one profile, and are in another now, or in none.
/// Only links at those can have decided anything of it.
struct Historic(Vec<bool>);

impl Historic {
    fn of(graph: &Graph, moved: &[Moved], removed: &[(i64, i64)]) -> Self {
        let mut told = vec![false; graph.nodes.len()];
        let moved = moved.iter().filter(|moved| moved.from.is_some());
        let moved = moved.map(|moved| moved.node_id);
        for node_id in moved.chain(removed.iter().map(|(node, _)| *node)) {
            if let Some(node) = graph.nodes.position(node_id) {
                told[node as usize] = true;
            }
        }
        Historic(told)
    }

    /// Whether a link between these nodes, where there was one, can have decided anything.
    fn tells(&self, ends: (Option<u32>, Option<u32>)) -> bool {
        let told = |end: Option<u32>| end.is_some_and(|node| self.0[node as usize]);
        told(ends.0) || told(ends.1)
    }

    /// The decision of a link as history wants it.
    fn decided(&self, graph: &Graph, n: usize, before: Option<Decision>) -> Option<Decided> {
        let (link, decision) = graph.link(n);
        let told = self.0[link.a as usize] || self.0[link.b as usize];
        (told && before != Some(decision)).then(|| {
            let (a_id, b_id) = graph.ends(link);
            Decided {
                link: StoredLink {
                    a_id,
                    b_id,
                    evidence: link.evidence,
                    confirmed: link.confirmed,
                    first_seen: link.first_seen,
                    decision: before,
                },
                decision,
            }
        })
    }
}

fn stars(
    nodes: &Nodes,
    sets: &Sets,
    limits: &[Limit],
    type_rules: &[graph::TypeRule],
    cancel: &Cancel,
) -> std::result::Result<(Vec<Shared>, Stars), Cancelled> {
    let shared = sets.shared(nodes, limits, cancel)?;
    let stars = sets.stars(nodes, &shared, type_rules, cancel)?;
    Ok((shared, stars))
}

/// The limits by which identifiers are shared; of several that one is past, the first by type counts.
fn limits(rules: &Rules) -> Vec<Limit> {
    let mut limits: Vec<Limit> = (0u16..)
        .zip(&rules.max_degree)
        .flat_map(|(of, others)| {
            others.iter().map(move |&(other, most)| Limit {
                of,
                other: other as u16,
                most,
            })
        })
        .collect();
    limits.sort_by_key(|limit| (limit.of, rules.type_ids[usize::from(limit.other)]));
    limits
}

/// The most that it takes from here on, in bytes. What is computed first is dropped before the pass.
fn most_bytes(nodes: &Nodes, sets: &Sets) -> usize {
    const EDGE: usize = 2 * size_of::<u32>();
    const LINK: usize = size_of::<Link>();
    // Standing, links' starts; the forest with what it knows of each cluster, ranks, names, former.
    const NODE: usize = 2 + 4;
    const PASS_NODE: usize = 2 + 4 + 4 + 8 + 2 + 4 + 16;
    let most_links = sets.members().saturating_sub(sets.len());
    let stars = sets.bytes() + sets.len() * 5 + most_links * (EDGE + LINK) + nodes.len() * NODE;
    let pass = most_links * (LINK + PASS_LINK) + nodes.len() * (NODE + PASS_NODE);
    nodes.bytes() + stars.max(pass)
}

/// The work is given up only when nobody waits for it.
fn gave_up(_: Cancelled) -> Error {
    Error::internal("the engine gave up")
}

/// What was said by hand.
struct ByHand {
    /// Each with its decision as stored.
    links: Vec<(Link, Option<Decision>)>,
    apart: Vec<Apart>,
}

/// What matchers found.
#[derive(Default)]
struct Matched {
    /// Each with its key, and its decision as stored.
    links: Vec<(Link, matched::Key, Option<Decision>)>,
    /// Those that are not stored yet.
    found: Vec<Link>,
    apart: Vec<Apart>,
}

impl Matched {
    /// What the pass takes for it.
    fn bytes(&self) -> usize {
        const LINK: usize = size_of::<(Link, matched::Key, Option<Decision>)>();
        self.links.len() * (LINK + size_of::<Link>() + PASS_LINK)
            + self.found.len() * (2 * size_of::<Link>() + PASS_LINK)
            + self.apart.len() * (size_of::<Apart>() + APART)
    }
}

/// What the pass takes for a link: a key to sort by, a place in the order, a decision; and for a pair
/// that is apart: two groups that know each other.
const PASS_LINK: usize = 24 + 4 + size_of::<Decision>();
const APART: usize = 2 * 96;

/// A decision as it is stored.
fn decision(rules: &Rules, code: i16, rule_type: Option<i32>) -> Option<Decision> {
    let type_idx = rule_type.and_then(|id| rules.type_index(id).ok());
    Decision::from_code(code, type_idx.map(|n| n as u16))
}

fn link(a: u32, b: u32, evidence: Evidence, confirmed: bool, first_seen: i64) -> Link {
    Link {
        a,
        b,
        evidence,
        confirmed,
        first_seen,
    }
}
