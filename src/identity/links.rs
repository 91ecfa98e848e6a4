//! From sets to links: the star of each set, and each link's age and confirmation from all the sets
//! that show it.

use std::collections::{HashMap, HashSet};

use cdp_engine::graph::{SetNode, star};

use crate::args;
use crate::evidence::sets::Known;
use crate::evidence::tally::DAY;
use crate::pg::append::append;
use crate::pg::look_up::{self, LookUp};
use crate::pg::value::Values;
use crate::pg::{Result, sql, time};
use crate::rules::Rules;

/// A member of a set, as stored.
struct Member {
    node_id: i64,
    type_index: u16,
    value: String,
    blocked: bool,
    shared: bool,
}

/// Nodes that a change concerns.
#[derive(Default)]
pub struct Concerned {
    /// Those whose links may have changed.
    pub changed: Vec<i64>,
    /// Those among them that lost a link or a set, and may be in the graph no more.
    pub loosened: Vec<i64>,
    /// Those that gained or lost a set: the profiles they are in have other events and traits, also
    /// where no node moves.
    pub recentred: Vec<i64>,
    /// Links that are no more.
    pub unlinked: Vec<Pair>,
    /// Links that are new, and not written yet: they are written with their decision.
    pub new: Vec<NewLink>,
}

/// A link that no set showed before.
#[derive(Clone, Copy)]
pub struct NewLink {
    /// Its ends, the smaller first.
    pub pair: Pair,
    /// See `cdp_engine::graph::Link`.
    pub confirmed: bool,
    /// The same.
    pub first_seen: i64,
}

/// Derives the stars of these sets anew, and the links that they showed or show.
pub fn derive(rules: &Rules, sets: &[i64], known: &Known) -> Result<Concerned> {
    let members = load(rules, sets, known)?;
    let mut centres: Vec<(i64, i64)> = Vec::new();
    let mut edges: HashSet<(i64, i64, i64)> = HashSet::new();
    for (set_id, members) in &members {
        let nodes: Vec<SetNode> = members
            .iter()
            .map(|m| SetNode {
                node_id: m.node_id,
                type_idx: m.type_index,
                value: &m.value,
                blocked: m.blocked,
                shared: m.shared,
            })
            .collect();
        let star = star(&nodes, &rules.type_rules);
        let Some(centre) = star.centre else { continue };
        centres.push((*set_id, centre));
        edges.extend(
            star.leaves
                .iter()
                .map(|&leaf| (*set_id, centre.min(leaf), centre.max(leaf))),
        );
    }
    let mut concerned = Concerned::default();
    let old: Vec<i64> = sets
        .iter()
        .copied()
        .filter(|set| !known.new_sets.contains(set))
        .collect();
    write_centres(&old, &centres, &mut concerned);
    let pairs = write_edges(&old, edges, &mut concerned);
    let Concerned { changed, .. } = &mut concerned;
    changed.extend(pairs.iter().flat_map(|&(low, high)| [low, high]));
    changed.sort_unstable();
    changed.dedup();
    recompute(rules, &pairs, known, &mut concerned);
    Ok(concerned)
}

/// The members of those of the sets that something still shows.
fn load(rules: &Rules, sets: &[i64], known: &Known) -> Result<Vec<(i64, Vec<Member>)>> {
    let mut evidence = LookUp::open("cdp.set_evidence", &["set_id"], &["source_id"]);
    let mut stored_sets = LookUp::open("cdp.identifier_sets", &["set_id"], &["nodes"]);
    let mut nodes = Nodes::open(rules, known);
    let mut inert = LookUp::open(
        "cdp.inert_identifiers",
        &["node_id"],
        &["blocked", "shared"],
    );
    let mut standing: HashMap<i64, (bool, bool)> = HashMap::new();
    let mut loaded = Vec::with_capacity(sets.len());
    for &set in sets {
        let by_set = |values: &mut Values| {
            values.put(set);
        };
        let mut shown = false;
        evidence.find(by_set, |_| {
            shown = true;
            false
        });
        if !shown {
            continue;
        }
        let mut stored = Vec::new();
        let ids = match known.members.get(&set) {
            Some(members) => members,
            None => {
                stored_sets.find(by_set, |found| {
                    stored = found.want(1);
                    false
                });
                &stored
            }
        };
        let mut members = Vec::with_capacity(ids.len());
        for &node_id in ids {
            let Some((type_index, value)) = nodes.get(node_id)? else {
                continue;
            };
            let (blocked, shared) = *standing.entry(node_id).or_insert_with(|| {
                let mut flags = (false, false);
                inert.find(
                    |values| {
                        values.put(node_id);
                    },
                    |found| {
                        flags = (found.want(1), found.want(2));
                        false
                    },
                );
                flags
            });
            members.push(Member {
                node_id,
                type_index,
                value,
                blocked,
                shared,
            });
        }
        loaded.push((set, members));
    }
    evidence.close();
    stored_sets.close();
    nodes.close();
    inert.close();
    Ok(loaded)
}

/// Types and values of nodes.
pub struct Nodes<'a> {
    rules: &'a Rules,
    known: &'a Known,
    stored: LookUp,
}

impl<'a> Nodes<'a> {
    /// Opens the dictionary of identifiers; what the batch knows is not looked up.
    pub fn open(rules: &'a Rules, known: &'a Known) -> Self {
        Self {
            rules,
            known,
            stored: LookUp::open("cdp.identifiers", &["node_id"], &["type_id", "value"]),
        }
    }

    /// Type index and value of a node; none if there is no such.
    pub fn get(&mut self, node: i64) -> Result<Option<(u16, String)>> {
        if let Some(known) = self.known.nodes.get(&node) {
            return Ok(Some(known.clone()));
        }
        let mut read = None;
        self.stored.find(
            |values| {
                values.put(node);
            },
            |found| {
                read = Some((found.want::<i32>(1), found.want::<String>(2)));
                false
            },
        );
        read.map(|(type_id, value)| Ok((self.rules.type_index(type_id)? as u16, value)))
            .transpose()
    }

    /// Closes it.
    pub fn close(self) {
        self.stored.close();
    }
}

/// Writes which node each set belongs to; `old` are those of the sets that can have had one.
fn write_centres(old: &[i64], centres: &[(i64, i64)], concerned: &mut Concerned) {
    let mut before: HashMap<i64, i64> = HashMap::new();
    look_up::each(
        ("cdp.set_nodes", &["set_id"]),
        &["node_id"],
        old.iter().copied(),
        |values, set| {
            values.put(set);
        },
        |set, found| {
            before.insert(set, found.want(1));
        },
    );
    let mut moved: Vec<(i64, i64)> = Vec::new();
    let mut new: Vec<(i64, i64)> = Vec::new();
    let Concerned {
        changed, loosened, ..
    } = concerned;
    for &(set_id, node_id) in centres {
        match before.remove(&set_id) {
            Some(known) if known == node_id => {}
            Some(known) => {
                moved.push((set_id, node_id));
                changed.push(node_id);
                loosened.push(known);
            }
            None => {
                new.push((set_id, node_id));
                changed.push(node_id);
            }
        }
    }
    loosened.extend(before.values());
    changed.extend_from_slice(loosened);
    concerned.recentred = concerned.changed.clone();
    if !before.is_empty() {
        sql::run(
            "DELETE FROM cdp.set_nodes WHERE set_id = ANY ($1)",
            args![before.into_keys().collect::<Vec<_>>()],
        );
    }
    let columns = |rows: Vec<(i64, i64)>| -> (Vec<i64>, Vec<i64>) { rows.into_iter().unzip() };
    if !moved.is_empty() {
        let (sets, nodes) = columns(moved);
        sql::run(
            "UPDATE cdp.set_nodes d SET node_id = u.node_id \
             FROM unnest($1::bigint[], $2::bigint[]) u (set_id, node_id) WHERE d.set_id = u.set_id",
            args![sets, nodes],
        );
    }
    new.sort_unstable();
    append(
        "cdp.set_nodes",
        &["set_id", "node_id"],
        new,
        |values, (set, node)| {
            values.put(set).put(node);
        },
    );
}

/// Writes the links that each set shows; every pair that one of them showed or shows. `old` are
/// those of the sets that can have shown some.
fn write_edges(
    old: &[i64],
    edges: HashSet<(i64, i64, i64)>,
    concerned: &mut Concerned,
) -> Vec<(i64, i64)> {
    let mut before: HashSet<(i64, i64, i64)> = HashSet::new();
    look_up::each(
        ("cdp.set_links", &["set_id"]),
        &["low", "high"],
        old.iter().copied(),
        |values, set| {
            values.put(set);
        },
        |set, found| {
            before.insert((set, found.want(1), found.want(2)));
        },
    );
    let columns = |rows: &[&(i64, i64, i64)]| {
        (
            rows.iter().map(|e| e.0).collect::<Vec<i64>>(),
            rows.iter().map(|e| e.1).collect::<Vec<i64>>(),
            rows.iter().map(|e| e.2).collect::<Vec<i64>>(),
        )
    };
    let gone: Vec<_> = before.difference(&edges).collect();
    if !gone.is_empty() {
        concerned
            .loosened
            .extend(gone.iter().flat_map(|edge| [edge.1, edge.2]));
        let (sets, lows, highs) = columns(&gone);
        sql::run(
            "DELETE FROM cdp.set_links d USING unnest($1::bigint[], $2::bigint[], $3::bigint[]) \
                 g (set_id, low, high) \
             WHERE d.set_id = g.set_id AND d.low = g.low AND d.high = g.high",
            args![sets, lows, highs],
        );
    }
    let mut new: Vec<_> = edges.difference(&before).copied().collect();
    new.sort_unstable();
    append(
        "cdp.set_links",
        &["set_id", "low", "high"],
        new,
        |values, (set, low, high)| {
            values.put(set).put(low).put(high);
        },
    );
    let mut pairs: Vec<(i64, i64)> = before.union(&edges).map(|e| (e.1, e.2)).collect();
    pairs.sort_unstable();
    pairs.dedup();
    pairs
}

/// What the sets that show a link say of it: it dates from the earliest, and is confirmed by two UTC
/// days, two sources, or a record.
#[derive(Clone, Copy)]
struct Shown {
    linked_at: i64,
    first_seen: i64,
    last_seen: i64,
    source: i32,
    confirmed: bool,
}

impl Shown {
    fn join(&mut self, other: &Self) {
        self.linked_at = self.linked_at.min(other.linked_at);
        self.first_seen = self.first_seen.min(other.first_seen);
        self.last_seen = self.last_seen.max(other.last_seen);
        self.confirmed |= other.confirmed || self.source != other.source;
    }

    /// The link's confirmation and age.
    fn link(&self) -> (bool, i64) {
        let days = self.first_seen.div_euclid(DAY) != self.last_seen.div_euclid(DAY);
        (self.confirmed || days, self.linked_at)
    }
}

/// The ends of a link, the smaller first.
pub type Pair = (i64, i64);

/// Computes these links from all the sets that show them. A link's decision stays until the graph
/// has been brought up to date.
fn recompute(rules: &Rules, pairs: &[Pair], known: &Known, concerned: &mut Concerned) {
    if pairs.is_empty() {
        return;
    }
    let records: HashSet<i32> = rules
        .sources
        .values()
        .filter(|source| source.states_records)
        .map(|source| source.id)
        .collect();
    let columns = |pairs: &[Pair]| -> (Vec<i64>, Vec<i64>) { pairs.iter().copied().unzip() };
    let fresh = shown(pairs, &records);
    // A link of a node that came with this batch came with it too.
    let old = pairs
        .iter()
        .copied()
        .filter(|pair| !known.is_new(pair.0) && !known.is_new(pair.1));
    let mut stored: HashMap<Pair, (bool, i64)> = HashMap::new();
    look_up::each(
        ("cdp.links", &["low", "high"]),
        &["confirmed", "first_seen"],
        old,
        |values, pair| {
            values.put(pair.0).put(pair.1);
        },
        |pair, found| {
            stored.insert(pair, (found.want(1), time::from_pg(found.want(2))));
        },
    );
    let (mut gone, mut other) = (Vec::new(), Vec::new());
    for pair in pairs {
        match (stored.get(pair), fresh.get(pair).map(Shown::link)) {
            (Some(_), None) => gone.push(*pair),
            (None, Some((confirmed, first_seen))) => concerned.new.push(NewLink {
                pair: *pair,
                confirmed,
                first_seen,
            }),
            (Some(known), Some(link)) if *known != link => other.push(*pair),
            _ => {}
        }
    }
    if !gone.is_empty() {
        let (lows, highs) = columns(&gone);
        sql::run(
            "DELETE FROM cdp.links l USING unnest($1::bigint[], $2::bigint[]) g (low, high) \
             WHERE l.low = g.low AND l.high = g.high",
            args![lows, highs],
        );
    }
    if !other.is_empty() {
        let (lows, highs) = columns(&other);
        let links: Vec<_> = other.iter().map(|pair| fresh[pair].link()).collect();
        sql::run(
            "UPDATE cdp.links l SET confirmed = u.confirmed, first_seen = u.first_seen \
             FROM unnest($1::bigint[], $2::bigint[], $3::boolean[], $4::timestamptz[]) \
                  u (low, high, confirmed, first_seen) \
             WHERE l.low = u.low AND l.high = u.high",
            args![
                lows,
                highs,
                links.iter().map(|link| link.0).collect::<Vec<_>>(),
                links
                    .iter()
                    .map(|link| time::to_pg(link.1))
                    .collect::<Vec<_>>()
            ],
        );
    }
    concerned.unlinked = gone;
}

/// What all the sets that show these links say of them.
fn shown(pairs: &[Pair], records: &HashSet<i32>) -> HashMap<Pair, Shown> {
    let mut sets = LookUp::open("cdp.set_links", &["low", "high"], &["set_id"]);
    let mut evidence = LookUp::open(
        "cdp.set_evidence",
        &["set_id"],
        &["linked_at", "first_seen", "last_seen", "source_id"],
    );
    let mut shown: HashMap<Pair, Shown> = HashMap::with_capacity(pairs.len());
    for &pair in pairs {
        sets.find(
            |values| {
                values.put(pair.0).put(pair.1);
            },
            |found| {
                let set: i64 = found.want(1);
                evidence.find(
                    |values| {
                        values.put(set);
                    },
                    |found| {
                        let source = found.want(4);
                        let by_set = Shown {
                            linked_at: time::from_pg(found.want(1)),
                            first_seen: time::from_pg(found.want(2)),
                            last_seen: time::from_pg(found.want(3)),
                            source,
                            confirmed: records.contains(&source),
                        };
                        shown
                            .entry(pair)
                            .and_modify(|known| known.join(&by_set))
                            .or_insert(by_set);
                        true
                    },
                );
                true
            },
        );
    }
    sets.close();
    evidence.close();
    shown
}
