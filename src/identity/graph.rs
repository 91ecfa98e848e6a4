//! The stored graph, as the engine reads it, and what the engine decided, written back.

use std::collections::{HashMap, HashSet};

use cdp_engine::graph::{
    self, Apart, Changes, Decided, Decision, Evidence, Moved, Node, Spread, Store, StoredLink,
    StoredNode, Update,
};

use super::asserted::pair;
use super::links::{Concerned, NewLink, Nodes, Pair};
use super::{Touched, matched};
use crate::args;
use crate::evidence::sets::Known;
use crate::pg::append::append;
use crate::pg::look_up::{self, Found, LookUp};
use crate::pg::value::{Time, Values};
use crate::pg::{Error, Result, Row, sql, thread, time};
use crate::rules::Rules;
use crate::worker::progress;

/// What became of the graph.
#[derive(Default)]
pub struct Outcome {
    /// Profiles whose nodes or sets are others than before.
    pub touched: Touched,
    /// Nodes that left the graph, with the profile that each was in.
    pub removed: Vec<(i64, i64)>,
    /// Nodes in another profile, and links decided otherwise.
    pub update: Option<Update>,
    /// Links that are no more.
    pub unlinked: Vec<(i64, i64)>,
    /// Those that a matcher found, and finds no more.
    pub unmatched: Vec<(i64, i64)>,
}

/// Brings the clusters of these nodes' region up to date.
pub fn update(rules: &Rules, concerned: Concerned, known: &Known) -> Result<Outcome> {
    let Concerned {
        mut changes,
        loosened,
        recentred,
        unlinked,
        unmatched,
        new,
        ..
    } = concerned;
    let mut outcome = Outcome {
        unlinked,
        unmatched,
        ..Outcome::default()
    };
    if !loosened.is_empty() {
        let mut dead = dead_among(&loosened);
        for link in &new {
            dead.remove(&link.pair.0);
            dead.remove(&link.pair.1);
        }
        changes.nodes.extend(loosened);
        changes.nodes.retain(|node| !dead.contains(node));
        changes.disturbed.retain(|node| !dead.contains(node));
        outcome.removed = remove(dead);
    }
    let mut touched: Touched = (outcome.removed.iter())
        .map(|(_, profile)| *profile)
        .collect();
    if changes != Changes::default() {
        let mut stored = Stored {
            rules,
            known,
            new: by_end(&new),
            by_hand: anything_by_hand(),
            matched: matched::any(rules),
            phase: "",
            spread: Spread::default(),
        };
        let update = graph::update(&mut stored, &changes, &rules.type_rules)?;
        let written = update.moved.len() + update.decided.len();
        super::allow(REACHED, stored.spread.bytes() + written * WRITTEN_BYTES)?;
        stored.tell("identity: writing what a change moved", 0, written);
        touched.extend(write(rules, &update, &new)?);
        outcome.update = Some(update);
    }
    touched.extend(profiles_of(&recentred));
    touched.sort_unstable();
    touched.dedup();
    outcome.touched = touched;
    Ok(outcome)
}

/// Whether there are links or cannot-links by hand. Mostly there are none, and nothing need be asked
/// of each region.
fn anything_by_hand() -> bool {
    sql::one::<bool>(
        "SELECT EXISTS (SELECT 1 FROM cdp.asserted_links) OR EXISTS (SELECT 1 FROM cdp.cannot_links)",
        args![],
    ) == Some(true)
}

fn by_end(new: &[NewLink]) -> HashMap<i64, Vec<NewLink>> {
    let mut by_end: HashMap<i64, Vec<NewLink>> = HashMap::with_capacity(new.len());
    for link in new {
        by_end.entry(link.pair.0).or_default().push(*link);
        by_end.entry(link.pair.1).or_default().push(*link);
    }
    by_end
}

fn profiles_of(nodes: &[i64]) -> Vec<i64> {
    let mut profiles = Vec::with_capacity(nodes.len());
    look_up::each(
        ("cdp.clusters", &["node_id"]),
        &["profile_id"],
        nodes.iter().copied(),
        |values, node| {
            values.put(node);
        },
        |_, found| profiles.push(found.want(1)),
    );
    profiles.sort_unstable();
    profiles.dedup();
    profiles
}

const ASSERTED: &str = "SELECT l.low, l.high, true, l.first_seen, l.decision, l.rule_type \
     FROM cdp.asserted_links l";
const CANNOT: &str = "SELECT l.low, l.high FROM cdp.cannot_links l";

/// That node `n` is held by no set and no link.
const DEAD: &str = "NOT EXISTS (SELECT 1 FROM cdp.set_nodes s WHERE s.node_id = n.node_id) \
     AND NOT EXISTS (SELECT 1 FROM cdp.links l WHERE l.low = n.node_id) \
     AND NOT EXISTS (SELECT 1 FROM cdp.links l WHERE l.high = n.node_id) \
     AND NOT EXISTS (SELECT 1 FROM cdp.asserted_links l WHERE l.low = n.node_id) \
     AND NOT EXISTS (SELECT 1 FROM cdp.asserted_links l WHERE l.high = n.node_id) \
     AND NOT EXISTS (SELECT 1 FROM cdp.matches m WHERE m.low = n.node_id AND m.kind = 'link') \
     AND NOT EXISTS (SELECT 1 FROM cdp.matches m WHERE m.high = n.node_id AND m.kind = 'link')";

/// Those of these nodes that no set and no link holds any more.
fn dead_among(nodes: &[i64]) -> HashSet<i64> {
    sql::rows(
        &format!("SELECT n.node_id FROM unnest($1::bigint[]) n (node_id) WHERE {DEAD}"),
        args![nodes.to_vec()],
        |row| row.want::<i64>(1),
    )
    .into_iter()
    .collect()
}

/// Takes nodes out of the graph; each with the profile that it was in.
fn remove(nodes: HashSet<i64>) -> Vec<(i64, i64)> {
    sql::rows(
        "DELETE FROM cdp.clusters WHERE node_id = ANY ($1) RETURNING node_id, profile_id",
        args![nodes.into_iter().collect::<Vec<_>>()],
        |row| (row.want::<i64>(1), row.want::<i64>(2)),
    )
}

/// The graph in the tables.
struct Stored<'a> {
    rules: &'a Rules,
    /// What the batch knows of nodes.
    known: &'a Known,
    /// Links that are not written yet, by each of their ends.
    new: HashMap<i64, Vec<NewLink>>,
    /// Whether there are links or cannot-links by hand.
    by_hand: bool,
    /// Whether matchers found anything.
    matched: bool,
    /// What is told of a change that spreads far.
    phase: &'static str,
    spread: Spread,
}

/// A change that reaches so many nodes takes seconds: it says how far it is, and its passes are left
/// to a thread, so that they can be cancelled.
const FAR: usize = 10_000;
const REACHED: &str = "the part of the identity graph that a change reaches";
/// What it takes to write that a node moved or a link was decided, with its history.
const WRITTEN_BYTES: usize = 600;

impl Stored<'_> {
    /// Says how far a change is that spreads far.
    fn tell(&mut self, phase: &'static str, done: usize, total: usize) {
        if total < FAR {
            return;
        }
        if self.phase != phase {
            self.phase = phase;
            progress::start(phase, total as i64);
        }
        progress::step_of(done as i64, total as i64);
    }
}

/// The rows of a selection from a table of pairs that have an end among nodes `$1`.
fn at_nodes(select: &str) -> String {
    format!(
        "{select} JOIN unnest($1::bigint[]) n (node_id) ON l.low = n.node_id \
         UNION {select} JOIN unnest($1::bigint[]) n (node_id) ON l.high = n.node_id"
    )
}

/// What is read of a link.
const LINK_COLUMNS: [&str; 7] = [
    "low",
    "high",
    "confirmed",
    "first_seen",
    "decision",
    "rule_type",
    "last_seen",
];

/// Up to here, looking up all pairs of a cluster's nodes costs no more than reading their links.
const SMALL_CLUSTER: usize = 8;

impl Store for Stored<'_> {
    type Error = Error;

    fn clusters_of(&mut self, node_ids: &[i64]) -> Result<Vec<StoredNode>> {
        let mut of_node = LookUp::open("cdp.clusters", &["node_id"], &["profile_id"]);
        let mut of_profile = LookUp::open("cdp.clusters", &["profile_id"], &["node_id"]);
        let mut nodes = Nodes::open(self.rules, self.known);
        let mut profiles: HashSet<i64> = HashSet::new();
        let mut reached: Vec<(i64, Option<i64>)> = Vec::with_capacity(node_ids.len());
        for &node in node_ids {
            let mut profile = None;
            if !self.known.is_new(node) {
                of_node.find(
                    |values| {
                        values.put(node);
                    },
                    |found| {
                        profile = Some(found.want::<i64>(1));
                        false
                    },
                );
            }
            match profile {
                // A node that the graph does not know yet stands alone.
                None => reached.push((node, None)),
                Some(profile) if profiles.insert(profile) => of_profile.find(
                    |values| {
                        values.put(profile);
                    },
                    |found| {
                        reached.push((found.want(1), Some(profile)));
                        true
                    },
                ),
                Some(_) => {}
            }
        }
        let mut read = Vec::with_capacity(reached.len());
        for (id, profile_id) in reached {
            if let Some((type_idx, value)) = nodes.get(id)? {
                let node = Node {
                    id,
                    type_idx,
                    value: value.into_boxed_str(),
                };
                read.push(StoredNode { node, profile_id });
            }
        }
        of_node.close();
        of_profile.close();
        nodes.close();
        Ok(read)
    }

    fn links_of(&mut self, node_ids: &[i64]) -> Result<Vec<StoredLink>> {
        let asked: HashSet<i64> = node_ids.iter().copied().collect();
        let mut by_low = LookUp::open("cdp.links", &["low"], &LINK_COLUMNS);
        let mut by_high = LookUp::open("cdp.links", &["high"], &LINK_COLUMNS);
        let mut links = Vec::with_capacity(node_ids.len());
        for &node in node_ids {
            let new = self.new.get(&node).into_iter().flatten();
            // A link with both ends asked for is found at its lower one.
            links.extend(
                new.filter(|link| link.pair.0 == node || !asked.contains(&link.pair.0))
                    .map(NewLink::undecided),
            );
            if self.known.is_new(node) {
                continue;
            }
            let at = |values: &mut Values| {
                values.put(node);
            };
            by_low.find(at, |found| {
                links.push(found_link(self.rules, found));
                true
            });
            by_high.find(at, |found| {
                if !asked.contains(&found.want(1)) {
                    links.push(found_link(self.rules, found));
                }
                true
            });
        }
        by_low.close();
        by_high.close();
        if self.by_hand {
            links.extend(sql::rows(
                &at_nodes(ASSERTED),
                args![node_ids.to_vec()],
                |row| read_asserted(self.rules, &row),
            ));
        }
        if self.matched {
            matched::at_nodes(node_ids, |stored| {
                links.extend(stored.link(self.rules)?);
                Ok(())
            })?;
        }
        Ok(links)
    }

    fn accepted_within(&mut self, clusters: &[Vec<i64>]) -> Result<Vec<StoredLink>> {
        let mut links = Vec::new();
        let mut of_pair = LookUp::open("cdp.links", &["low", "high"], &LINK_COLUMNS);
        let mut by_low = LookUp::open("cdp.links", &["low"], &LINK_COLUMNS);
        for cluster in clusters {
            let mut keep = |found: &Found| {
                let link = found_link(self.rules, found);
                links.extend((link.decision == Some(Decision::Accepted)).then_some(link));
                true
            };
            for (n, &a) in cluster.iter().enumerate() {
                if cluster.len() > SMALL_CLUSTER {
                    // An accepted link has both ends in one cluster.
                    by_low.find(
                        |values| {
                            values.put(a);
                        },
                        &mut keep,
                    );
                    continue;
                }
                // Pair by pair: one of the nodes may be a kiosk with thousands of refused links.
                for &b in &cluster[n + 1..] {
                    of_pair.find(
                        |values| {
                            values.put(a.min(b)).put(a.max(b));
                        },
                        &mut keep,
                    );
                }
            }
        }
        of_pair.close();
        by_low.close();
        if self.by_hand {
            let nodes: Vec<i64> = clusters.iter().flatten().copied().collect();
            let asserted = sql::rows(&at_nodes(ASSERTED), args![nodes], |row| {
                read_asserted(self.rules, &row)
            });
            let accepted = |link: &StoredLink| link.decision == Some(Decision::Accepted);
            links.extend(asserted.into_iter().filter(accepted));
        }
        if self.matched {
            for cluster in clusters {
                // An accepted link has both ends in one cluster.
                matched::at_nodes(cluster, |stored| {
                    let link = stored.link(self.rules)?;
                    links.extend(link.filter(|link| link.decision == Some(Decision::Accepted)));
                    Ok(())
                })?;
            }
        }
        Ok(links)
    }

    fn links_between(&mut self, pairs: &[(i64, i64)]) -> Result<Vec<StoredLink>> {
        let mut links = Vec::with_capacity(pairs.len());
        let mut of_pair = LookUp::open("cdp.links", &["low", "high"], &LINK_COLUMNS);
        for &(a, b) in pairs {
            let pair = (a.min(b), a.max(b));
            let new = self.new.get(&pair.0).into_iter().flatten();
            if let Some(new) = new.clone().find(|link| link.pair == pair) {
                links.push(new.undecided());
                continue;
            }
            of_pair.find(
                |values| {
                    values.put(pair.0).put(pair.1);
                },
                |found| {
                    links.push(found_link(self.rules, found));
                    false
                },
            );
        }
        of_pair.close();
        if self.matched {
            let pairs: Vec<Pair> = pairs.iter().map(|&(a, b)| pair(a, b)).collect();
            matched::of_pairs(&pairs, |stored| {
                links.extend(stored.link(self.rules)?);
                Ok(())
            })?;
        }
        Ok(links)
    }

    fn apart_of(&mut self, node_ids: &[i64]) -> Result<Vec<Apart<i64>>> {
        let mut apart = Vec::new();
        if self.by_hand {
            apart = sql::rows(&at_nodes(CANNOT), args![node_ids.to_vec()], |row| {
                Apart::by_hand((row.want(1), row.want(2)))
            });
        }
        if self.matched {
            matched::at_nodes(node_ids, |stored| {
                apart.extend(stored.apart(self.rules)?);
                Ok(())
            })?;
        }
        Ok(apart)
    }

    fn spreads(&mut self, spread: Spread) -> Result<()> {
        pgrx::check_for_interrupts!();
        self.tell(
            "identity: reading what a change reaches",
            spread.read,
            spread.reached,
        );
        self.spread = spread;
        super::allow(REACHED, spread.bytes())
    }

    fn run<T: Send + 'static>(
        &mut self,
        nodes: usize,
        pass: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T> {
        if nodes < FAR {
            return Ok(pass());
        }
        self.tell("identity: deciding links", 0, nodes);
        thread::run(move |_| pass())
    }
}

impl NewLink {
    fn undecided(&self) -> StoredLink {
        StoredLink {
            a_id: self.pair.0,
            b_id: self.pair.1,
            evidence: Evidence::Observed,
            confirmed: self.confirmed,
            first_seen: self.last_seen.unwrap_or(self.first_seen),
            decision: None,
        }
    }
}

fn found_link(rules: &Rules, found: &Found) -> StoredLink {
    let rule_type = found
        .get::<i32>(6)
        .and_then(|id| rules.type_index(id).ok())
        .map(|n| n as u16);
    StoredLink {
        a_id: found.want(1),
        b_id: found.want(2),
        evidence: Evidence::Observed,
        confirmed: found.want(3),
        first_seen: time::from_pg(found.get(7).unwrap_or_else(|| found.want(4))),
        decision: Decision::from_code(found.want(5), rule_type),
    }
}

fn read_asserted(rules: &Rules, row: &Row) -> StoredLink {
    let rule_type = row
        .get::<i32>(6)
        .and_then(|id| rules.type_index(id).ok())
        .map(|n| n as u16);
    StoredLink {
        a_id: row.want(1),
        b_id: row.want(2),
        evidence: Evidence::Asserted,
        confirmed: row.want(3),
        first_seen: time::from_pg(row.want(4)),
        decision: Decision::from_code(row.want(5), rule_type),
    }
}

/// Writes what was decided; the profiles that lost or gained a node. Links that are `new` come into
/// the table with their decision.
fn write(rules: &Rules, outcome: &Update, new: &[NewLink]) -> Result<Vec<i64>> {
    let (mut entered, moved): (Vec<&Moved>, Vec<&Moved>) =
        outcome.moved.iter().partition(|moved| moved.from.is_none());
    entered.sort_unstable_by_key(|moved| moved.node_id);
    append(
        "cdp.clusters",
        &["node_id", "profile_id"],
        entered,
        |values, moved| {
            values.put(moved.node_id).put(moved.to);
        },
    );
    if !moved.is_empty() {
        sql::run(
            "UPDATE cdp.clusters c SET profile_id = u.profile_id \
             FROM unnest($1::bigint[], $2::bigint[]) u (node_id, profile_id) \
             WHERE c.node_id = u.node_id",
            args![
                moved.iter().map(|m| m.node_id).collect::<Vec<_>>(),
                moved.iter().map(|m| m.to).collect::<Vec<_>>()
            ],
        );
    }
    let rule_type = |d: &Decided| d.decision.type_idx().map(|n| rules.type_ids[n as usize]);
    let pair = |d: &Decided| pair(d.link.a_id, d.link.b_id);
    let new: HashMap<Pair, &NewLink> = new.iter().map(|link| (link.pair, link)).collect();
    let is_new = |d: &&Decided| d.link.evidence == Evidence::Observed && new.contains_key(&pair(d));
    let mut undecided: Vec<&Decided> = outcome.decided.iter().filter(is_new).collect();
    if undecided.len() != new.len() {
        return Err(Error::internal(format!(
            "{} links are new, and {} were decided",
            new.len(),
            undecided.len()
        )));
    }
    undecided.sort_unstable_by_key(|d| pair(d));
    append(
        "cdp.links",
        &[
            "low",
            "high",
            "confirmed",
            "first_seen",
            "last_seen",
            "decision",
            "rule_type",
        ],
        undecided,
        |values, decided| {
            let (low, high) = pair(decided);
            let link = new[&(low, high)];
            values
                .put(low)
                .put(high)
                .put(link.confirmed)
                .put(Time(link.first_seen))
                .put(link.last_seen.map(Time))
                .put(decided.decision.as_code())
                .put(rule_type(decided));
        },
    );
    for (table, evidence) in [
        ("cdp.links", Evidence::Observed),
        ("cdp.asserted_links", Evidence::Asserted),
    ] {
        let decided: Vec<&Decided> = outcome
            .decided
            .iter()
            .filter(|d| d.link.evidence == evidence && !is_new(d))
            .collect();
        if decided.is_empty() {
            continue;
        }
        sql::run(
            &format!(
                "UPDATE {table} l SET decision = u.decision, rule_type = u.rule_type \
                 FROM unnest($1::bigint[], $2::bigint[], $3::smallint[], $4::integer[]) \
                      u (low, high, decision, rule_type) \
                 WHERE l.low = u.low AND l.high = u.high"
            ),
            args![
                decided.iter().map(|d| pair(d).0).collect::<Vec<_>>(),
                decided.iter().map(|d| pair(d).1).collect::<Vec<_>>(),
                decided
                    .iter()
                    .map(|d| d.decision.as_code())
                    .collect::<Vec<_>>(),
                decided.iter().map(|d| rule_type(d)).collect::<Vec<_>>()
            ],
        );
    }
    write_matched(rules, outcome);
    let mut touched: Vec<i64> = outcome
        .moved
        .iter()
        .flat_map(|m| m.from.into_iter().chain([m.to]))
        .collect();
    touched.sort_unstable();
    touched.dedup();
    Ok(touched)
}

/// Writes what was decided of matches. Several matchers of one strength are one piece of evidence.
fn write_matched(rules: &Rules, outcome: &Update) {
    let decided: Vec<(&Decided, i32, i32)> = outcome
        .decided
        .iter()
        .filter_map(|d| match d.link.evidence {
            Evidence::Matched { priority, weight } => Some((d, priority, weight)),
            _ => None,
        })
        .collect();
    if decided.is_empty() {
        return;
    }
    let ends = |d: &Decided| pair(d.link.a_id, d.link.b_id);
    let rule_type = |d: &Decided| d.decision.type_idx().map(|n| rules.type_ids[n as usize]);
    sql::run(
        "UPDATE cdp.matches m SET decision = u.decision, rule_type = u.rule_type \
         FROM unnest($1::bigint[], $2::bigint[], $3::integer[], $4::integer[], $5::smallint[], \
                     $6::integer[]) u (low, high, priority, weight, decision, rule_type) \
         JOIN cdp.matchers r ON r.priority = u.priority \
         WHERE m.low = u.low AND m.high = u.high AND m.matcher_id = r.matcher_id \
           AND m.weight = u.weight AND m.kind = 'link'",
        args![
            decided.iter().map(|d| ends(d.0).0).collect::<Vec<_>>(),
            decided.iter().map(|d| ends(d.0).1).collect::<Vec<_>>(),
            decided.iter().map(|d| d.1).collect::<Vec<_>>(),
            decided.iter().map(|d| d.2).collect::<Vec<_>>(),
            decided
                .iter()
                .map(|d| d.0.decision.as_code())
                .collect::<Vec<_>>(),
            decided.iter().map(|d| rule_type(d.0)).collect::<Vec<_>>()
        ],
    );
}
