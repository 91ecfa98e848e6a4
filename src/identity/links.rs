//! From sets to links: the star of each set, and each link's age and confirmation from all the sets
//! that show it.

use std::collections::{BTreeMap, HashMap, HashSet};

use cdp_engine::graph::{Changes, SetNode, Shown, star};

use super::shown::Sets;
use super::slices;
use crate::args;
use crate::evidence::sets::Known;
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

/// What a change of sets comes to for the graph.
#[derive(Default)]
pub struct Concerned {
    /// Links and nodes that changed.
    pub changes: Changes,
    /// Nodes that lost a link or a set, and may be in the graph no more.
    pub loosened: Vec<i64>,
    /// Those that gained or lost a set: the profiles they are in have other events and traits, also
    /// where no node moves.
    pub recentred: Vec<i64>,
    /// Sets that show time-sliced identifiers alone, and did not before or not this one.
    pub sliced: Vec<i64>,
    /// Sets that were or became evidence of who uses a time-sliced identifier, or of somebody else.
    pub reshaped: Vec<i64>,
    /// Links that are no more.
    pub unlinked: Vec<Pair>,
    /// Those that a matcher found, and finds no more.
    pub unmatched: Vec<Pair>,
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
    /// Only where the last link is kept and not the first.
    pub last_seen: Option<i64>,
}

/// Derives the stars of these sets anew, and the links that they showed or show. `recounted`: those of
/// which something was withdrawn; what is known of the others only grew.
pub fn derive(rules: &Rules, sets: &[i64], recounted: &[i64], known: &Known) -> Result<Concerned> {
    let members = load(rules, sets, known)?;
    let mut centres: Vec<(i64, i64)> = Vec::new();
    let mut sliced: HashMap<i64, i64> = HashMap::new();
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
        let Some(centre) = star.centre else {
            sliced.extend(star.sliced.first().map(|&first| (*set_id, first)));
            continue;
        };
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
    slices::register(rules, sets, &sliced, &mut concerned);
    let lasting: Vec<i64> = (old.iter().copied())
        .filter(|set| !sliced.contains_key(set))
        .collect();
    write_centres(&lasting, &centres, &mut concerned);
    let shown = write_edges(&old, edges, recounted, &mut concerned);
    recompute(rules, &shown, known, &mut concerned)?;
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
        changes,
        loosened,
        recentred,
        reshaped,
        ..
    } = concerned;
    let (mut changed, mut lost) = (Vec::new(), Vec::new());
    for &(set_id, node_id) in centres {
        match before.remove(&set_id) {
            Some(known) if known == node_id => {}
            Some(known) => {
                moved.push((set_id, node_id));
                changed.push(node_id);
                lost.push(known);
                reshaped.push(set_id);
            }
            None => {
                new.push((set_id, node_id));
                changed.push(node_id);
            }
        }
    }
    lost.extend(before.values());
    reshaped.extend(before.keys());
    recentred.extend(changed.iter().chain(&lost));
    loosened.extend(lost);
    changes.nodes.extend(changed);
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

/// A pair that sets whose evidence changed show, or showed.
#[derive(Default)]
struct ByChanged {
    /// Those that show it now.
    sets: Vec<i64>,
    /// Whether less is known of it than was: one of them shows it no more, or less of it.
    lessened: bool,
}

/// Writes the links that each set shows; every pair that one of them showed or shows. `old` are
/// those of the sets that can have shown some.
fn write_edges(
    old: &[i64],
    edges: HashSet<(i64, i64, i64)>,
    recounted: &[i64],
    concerned: &mut Concerned,
) -> BTreeMap<Pair, ByChanged> {
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
    let recounted: HashSet<i64> = recounted.iter().copied().collect();
    let mut pairs: BTreeMap<Pair, ByChanged> = BTreeMap::new();
    for &(set, low, high) in &edges {
        let pair = pairs.entry((low, high)).or_default();
        pair.sets.push(set);
        pair.lessened |= recounted.contains(&set);
    }
    for &(_, low, high) in before.difference(&edges) {
        pairs.entry((low, high)).or_default().lessened = true;
    }
    pairs
}

fn stated(shown: &Shown, keeps_last: bool) -> Stated {
    Stated {
        confirmed: shown.is_confirmed(),
        first_seen: shown.linked_at,
        last_seen: keeps_last.then_some(shown.last_seen),
    }
}

/// A link's confirmation and age.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Stated {
    confirmed: bool,
    first_seen: i64,
    /// Only where the last link is kept and not the first.
    last_seen: Option<i64>,
}

impl Stated {
    /// What it is with what more is shown.
    fn grown(&self, more: &Shown) -> Self {
        Self {
            confirmed: self.confirmed || more.is_confirmed(),
            first_seen: self.first_seen.min(more.linked_at),
            last_seen: self.last_seen.map(|last| last.max(more.last_seen)),
        }
    }

    /// Whether it comes no later in the order of the graph's pass than it did.
    fn is_no_later_than(&self, before: &Self) -> bool {
        match (self.last_seen, before.last_seen) {
            (Some(now), Some(before)) => now >= before,
            (None, None) => {
                (!self.confirmed, self.first_seen) <= (!before.confirmed, before.first_seen)
            }
            _ => false,
        }
    }
}

/// The ends of a link, the smaller first.
pub type Pair = (i64, i64);

/// Those of these pairs whose weaker type keeps the last link.
fn keeping_last(rules: &Rules, pairs: &[Pair], known: &Known) -> Result<HashSet<Pair>> {
    let mut found = HashSet::new();
    if !rules.keeps_last() {
        return Ok(found);
    }
    let mut nodes = Nodes::open(rules, known);
    for &pair in pairs {
        let (low, high) = (nodes.get(pair.0)?, nodes.get(pair.1)?);
        // Types are in order of their priority.
        let weaker = low.max(high).map(|(type_index, _)| type_index);
        if weaker.is_some_and(|index| rules.type_rules[usize::from(index)].keep_last) {
            found.insert(pair);
        }
    }
    nodes.close();
    Ok(found)
}

/// Computes these links from the sets that show them. A link's decision stays until the graph
/// has been brought up to date.
fn recompute(
    rules: &Rules,
    changed: &BTreeMap<Pair, ByChanged>,
    known: &Known,
    concerned: &mut Concerned,
) -> Result<()> {
    if changed.is_empty() {
        return Ok(());
    }
    let pairs: Vec<Pair> = changed.keys().copied().collect();
    let keeping_last = keeping_last(rules, &pairs, known)?;
    let records: HashSet<i32> = rules
        .sources
        .values()
        .filter(|source| source.states_records)
        .map(|source| source.id)
        .collect();
    let columns = |pairs: &[Pair]| -> (Vec<i64>, Vec<i64>) { pairs.iter().copied().unzip() };
    // A link of a node that came with this batch came with it too.
    let old = pairs
        .iter()
        .copied()
        .filter(|pair| !known.is_new(pair.0) && !known.is_new(pair.1));
    // Each with whether it was refused.
    let mut stored: HashMap<Pair, (Stated, bool)> = HashMap::new();
    look_up::each(
        ("cdp.links", &["low", "high"]),
        &["confirmed", "first_seen", "last_seen", "decision"],
        old,
        |values, pair| {
            values.put(pair.0).put(pair.1);
        },
        |pair, found| {
            let stated = Stated {
                confirmed: found.want(1),
                first_seen: time::from_pg(found.want(2)),
                last_seen: found.get(3).map(time::from_pg),
            };
            stored.insert(pair, (stated, found.want::<i16>(4) > 0));
        },
    );
    let mut sets = Sets::open(&records);
    let mut fresh: HashMap<Pair, Stated> = HashMap::with_capacity(pairs.len());
    for (&pair, by) in changed {
        let keeps_last = keeping_last.contains(&pair);
        let before = stored.get(&pair).map(|(before, _)| before);
        let grew = before
            .filter(|before| !by.lessened && before.last_seen.is_some() == keeps_last)
            .and_then(|before| {
                Some(before.grown(&sets.grown(pair, &by.sets, before.confirmed)?))
            });
        let all = || Some(stated(&sets.all(pair)?, keeps_last));
        if let Some(now) = grew.or_else(all) {
            fresh.insert(pair, now);
        }
    }
    sets.close();
    let Concerned {
        changes,
        new,
        unlinked,
        ..
    } = concerned;
    let mut other = Vec::new();
    for pair in &pairs {
        match (stored.get(pair), fresh.get(pair)) {
            (Some((_, refused)), None) => {
                unlinked.push(*pair);
                if !refused {
                    changes.disturbed.extend([pair.0, pair.1]);
                }
            }
            (None, Some(link)) => {
                changes.gained.push(*pair);
                new.push(NewLink {
                    pair: *pair,
                    confirmed: link.confirmed,
                    first_seen: link.first_seen,
                    last_seen: link.last_seen,
                });
            }
            (Some((known, refused)), Some(link)) if known != link => {
                other.push(*pair);
                if *refused || link.is_no_later_than(known) {
                    changes.gained.push(*pair);
                } else {
                    changes.disturbed.extend([pair.0, pair.1]);
                }
            }
            _ => {}
        }
    }
    let gone = &*unlinked;
    if !gone.is_empty() {
        let (lows, highs) = columns(gone);
        sql::run(
            "DELETE FROM cdp.links l USING unnest($1::bigint[], $2::bigint[]) g (low, high) \
             WHERE l.low = g.low AND l.high = g.high",
            args![lows, highs],
        );
    }
    if !other.is_empty() {
        let (lows, highs) = columns(&other);
        let links = || other.iter().map(|pair| &fresh[pair]);
        sql::run(
            "UPDATE cdp.links l \
             SET confirmed = u.confirmed, first_seen = u.first_seen, last_seen = u.last_seen \
             FROM unnest($1::bigint[], $2::bigint[], $3::boolean[], $4::timestamptz[], \
                         $5::timestamptz[]) u (low, high, confirmed, first_seen, last_seen) \
             WHERE l.low = u.low AND l.high = u.high",
            args![
                lows,
                highs,
                links().map(|link| link.confirmed).collect::<Vec<_>>(),
                links()
                    .map(|link| time::to_pg(link.first_seen))
                    .collect::<Vec<_>>(),
                links()
                    .map(|link| link.last_seen.map(time::to_pg))
                    .collect::<Vec<_>>()
            ],
        );
    }
    Ok(())
}
