//! From sets to links: the star of each set, and each link's age and confirmation from all the sets
//! that show it.

use std::collections::{HashMap, HashSet};

use cdp_engine::graph::{Changes, SetNode, star};

use super::slices;
use crate::args;
use crate::evidence::tally::DAY;
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
}

/// Derives the stars of these sets anew, and the links that they showed or show.
pub fn derive(rules: &Rules, sets: &[i64]) -> Result<Concerned> {
    let members = load(rules, sets)?;
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
    slices::register(rules, sets, &sliced, &mut concerned);
    let lasting: Vec<i64> = (sets.iter().copied())
        .filter(|set| !sliced.contains_key(set))
        .collect();
    write_centres(&lasting, &centres, &mut concerned);
    let pairs = write_edges(sets, edges, &mut concerned);
    recompute(rules, &pairs, &mut concerned.changes)?;
    Ok(concerned)
}

/// The members of those of the sets that something still shows.
fn load(rules: &Rules, sets: &[i64]) -> Result<HashMap<i64, Vec<Member>>> {
    let mut loaded: HashMap<i64, Vec<Member>> = HashMap::with_capacity(sets.len());
    let rows = sql::rows(
        "SELECT s.set_id, i.node_id, i.type_id, i.value, \
                coalesce(x.blocked, false), coalesce(x.shared, false) \
         FROM unnest($1::bigint[]) u (set_id) \
         JOIN cdp.identifier_sets s ON s.set_id = u.set_id \
         CROSS JOIN LATERAL unnest(s.nodes) n (node_id) \
         JOIN cdp.identifiers i ON i.node_id = n.node_id \
         LEFT JOIN cdp.inert_identifiers x ON x.node_id = n.node_id \
         WHERE EXISTS (SELECT 1 FROM cdp.set_evidence e WHERE e.set_id = s.set_id)",
        args![sets.to_vec()],
        |row| {
            let member = (
                row.want::<i64>(2),
                row.want::<String>(4),
                row.want(5),
                row.want(6),
            );
            (row.want::<i64>(1), row.want::<i32>(3), member)
        },
    );
    for (set_id, type_id, (node_id, value, blocked, shared)) in rows {
        let type_index = rules.type_index(type_id)? as u16;
        loaded.entry(set_id).or_default().push(Member {
            node_id,
            type_index,
            value,
            blocked,
            shared,
        });
    }
    Ok(loaded)
}

/// Writes which node each set belongs to.
fn write_centres(sets: &[i64], centres: &[(i64, i64)], concerned: &mut Concerned) {
    let mut before: HashMap<i64, i64> = sql::rows(
        "SELECT d.set_id, d.node_id FROM unnest($1::bigint[]) s (set_id) \
         JOIN cdp.set_nodes d ON d.set_id = s.set_id",
        args![sets.to_vec()],
        |row| (row.want(1), row.want(2)),
    )
    .into_iter()
    .collect();
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
    if !new.is_empty() {
        new.sort_unstable();
        let (sets, nodes) = columns(new);
        sql::run(
            "INSERT INTO cdp.set_nodes (set_id, node_id) SELECT * FROM unnest($1::bigint[], $2::bigint[])",
            args![sets, nodes],
        );
    }
}

/// Writes the links that each set shows; every pair that one of them showed or shows.
fn write_edges(
    sets: &[i64],
    edges: HashSet<(i64, i64, i64)>,
    concerned: &mut Concerned,
) -> Vec<(i64, i64)> {
    let before: HashSet<(i64, i64, i64)> = sql::rows(
        "SELECT l.set_id, l.low, l.high FROM unnest($1::bigint[]) s (set_id) \
         JOIN cdp.set_links l ON l.set_id = s.set_id",
        args![sets.to_vec()],
        |row| (row.want(1), row.want(2), row.want(3)),
    )
    .into_iter()
    .collect();
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
    let new: Vec<_> = edges.difference(&before).collect();
    if !new.is_empty() {
        let (sets, lows, highs) = columns(&new);
        sql::run(
            "INSERT INTO cdp.set_links (set_id, low, high) \
             SELECT * FROM unnest($1::bigint[], $2::bigint[], $3::bigint[])",
            args![sets, lows, highs],
        );
    }
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

    fn link(&self, keeps_last: bool) -> Stated {
        let days = self.first_seen.div_euclid(DAY) != self.last_seen.div_euclid(DAY);
        Stated {
            confirmed: self.confirmed || days,
            first_seen: self.linked_at,
            last_seen: keeps_last.then_some(self.last_seen),
        }
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

type Pair = (i64, i64);

/// Those of these pairs whose weaker type keeps the last link.
fn keeping_last(rules: &Rules, pairs: &[Pair]) -> Result<HashSet<Pair>> {
    if !rules.keeps_last() {
        return Ok(HashSet::new());
    }
    let mut nodes: Vec<i64> = pairs.iter().flat_map(|&(low, high)| [low, high]).collect();
    nodes.sort_unstable();
    nodes.dedup();
    let types: HashMap<i64, usize> = sql::rows(
        "SELECT i.node_id, i.type_id FROM unnest($1::bigint[]) n (node_id) \
         JOIN cdp.identifiers i ON i.node_id = n.node_id",
        args![nodes],
        |row| Ok((row.want(1), rules.type_index(row.want(2))?)),
    )
    .into_iter()
    .collect::<Result<_>>()?;
    // Types are in order of their priority.
    let weaker = |&(low, high): &Pair| types[&low].max(types[&high]);
    let kept = pairs.iter().copied();
    Ok(kept
        .filter(|pair| rules.type_rules[weaker(pair)].keep_last)
        .collect())
}

/// Computes these links from all the sets that show them. A link's decision stays until the graph
/// has been brought up to date.
fn recompute(rules: &Rules, pairs: &[Pair], changes: &mut Changes) -> Result<()> {
    if pairs.is_empty() {
        return Ok(());
    }
    let keeping_last = keeping_last(rules, pairs)?;
    let records: HashSet<i32> = rules
        .sources
        .values()
        .filter(|source| source.states_records)
        .map(|source| source.id)
        .collect();
    let columns = |pairs: &[Pair]| -> (Vec<i64>, Vec<i64>) { pairs.iter().copied().unzip() };
    let (lows, highs) = columns(pairs);
    let mut fresh: HashMap<Pair, Shown> = HashMap::with_capacity(pairs.len());
    for (pair, shown) in sql::rows(
        "SELECT l.low, l.high, e.linked_at, e.first_seen, e.last_seen, e.source_id \
         FROM unnest($1::bigint[], $2::bigint[]) p (low, high) \
         JOIN cdp.set_links l ON l.low = p.low AND l.high = p.high \
         JOIN cdp.set_evidence e ON e.set_id = l.set_id",
        args![lows.clone(), highs.clone()],
        |row| {
            let source = row.want(6);
            let shown = Shown {
                linked_at: time::from_pg(row.want(3)),
                first_seen: time::from_pg(row.want(4)),
                last_seen: time::from_pg(row.want(5)),
                source,
                confirmed: records.contains(&source),
            };
            ((row.want(1), row.want(2)), shown)
        },
    ) {
        fresh
            .entry(pair)
            .and_modify(|known| known.join(&shown))
            .or_insert(shown);
    }
    let fresh: HashMap<Pair, Stated> = fresh
        .into_iter()
        .map(|(pair, shown)| (pair, shown.link(keeping_last.contains(&pair))))
        .collect();
    // Each with whether it was refused.
    let stored: HashMap<Pair, (Stated, bool)> = sql::rows(
        "SELECT l.low, l.high, l.confirmed, l.first_seen, l.last_seen, l.decision > 0 \
         FROM unnest($1::bigint[], $2::bigint[]) p (low, high) \
         JOIN cdp.links l ON l.low = p.low AND l.high = p.high",
        args![lows, highs],
        |row| {
            let stated = Stated {
                confirmed: row.want(3),
                first_seen: time::from_pg(row.want(4)),
                last_seen: row.get(5).map(time::from_pg),
            };
            ((row.want(1), row.want(2)), (stated, row.want(6)))
        },
    )
    .into_iter()
    .collect();
    let (mut gone, mut new, mut other) = (Vec::new(), Vec::new(), Vec::new());
    for pair in pairs {
        match (stored.get(pair), fresh.get(pair)) {
            (Some((_, refused)), None) => {
                gone.push(*pair);
                if !refused {
                    changes.disturbed.extend([pair.0, pair.1]);
                }
            }
            (None, Some(_)) => {
                new.push(*pair);
                changes.gained.push(*pair);
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
    if !gone.is_empty() {
        let (lows, highs) = columns(&gone);
        sql::run(
            "DELETE FROM cdp.links l USING unnest($1::bigint[], $2::bigint[]) g (low, high) \
             WHERE l.low = g.low AND l.high = g.high",
            args![lows, highs],
        );
    }
    let write = |statement: &str, pairs: &[Pair]| {
        if pairs.is_empty() {
            return;
        }
        let (lows, highs) = columns(pairs);
        let links = || pairs.iter().map(|pair| &fresh[pair]);
        let confirmed: Vec<bool> = links().map(|link| link.confirmed).collect();
        let first_seen: Vec<_> = links().map(|link| time::to_pg(link.first_seen)).collect();
        let last_seen: Vec<_> = links()
            .map(|link| link.last_seen.map(time::to_pg))
            .collect();
        sql::run(
            statement,
            args![lows, highs, confirmed, first_seen, last_seen],
        );
    };
    write(
        "INSERT INTO cdp.links (low, high, confirmed, first_seen, last_seen) \
         SELECT * FROM unnest($1::bigint[], $2::bigint[], $3::boolean[], $4::timestamptz[], \
             $5::timestamptz[])",
        &new,
    );
    write(
        "UPDATE cdp.links l \
         SET confirmed = u.confirmed, first_seen = u.first_seen, last_seen = u.last_seen \
         FROM unnest($1::bigint[], $2::bigint[], $3::boolean[], $4::timestamptz[], \
              $5::timestamptz[]) u (low, high, confirmed, first_seen, last_seen) \
         WHERE l.low = u.low AND l.high = u.high",
        &other,
    );
    Ok(())
}
