//! What differs from what is stored, written.

use std::collections::{HashMap, HashSet};

use cdp_engine::graph::whole::{Limit, Nodes, Sets, Shared, Stars};
use cdp_engine::graph::{Decided, Decision, Identifiers, Link, Moved, Resolution};

use super::{Graph, Historic, decision};
use crate::args;
use crate::identity::asserted::Pair;
use crate::identity::matched::{self, Kind};
use crate::pg::append;
use crate::pg::reader::{self, Micros};
use crate::pg::value::{Time, Values};
use crate::pg::{Result, sql, time};
use crate::rules::Rules;
use crate::worker::progress;

/// Rows a statement.
const PART: usize = 50_000;

/// Writes rows in parts, with progress.
fn in_parts<T>(phase: &str, rows: &[T], mut write: impl FnMut(&[T])) {
    if rows.is_empty() {
        return;
    }
    progress::start(&format!("identity: {phase}"), rows.len() as i64);
    for (n, part) in rows.chunks(PART).enumerate() {
        pgrx::check_for_interrupts!();
        write(part);
        progress::step((n * PART + part.len()) as i64);
    }
}

/// Appends rows that are made as they are written, with progress.
fn append<T>(
    phase: &str,
    (table, columns): (&str, &[&str]),
    rows: impl Iterator<Item = T>,
    put: impl FnMut(&mut Values, T),
) {
    const STRIDE: i64 = 1 << 14;
    let counted = (0i64..).zip(rows).map(|(n, row)| {
        if n == 0 {
            progress::start(&format!("identity: {phase}"), 0);
        } else if n % STRIDE == 0 {
            progress::step(n);
        }
        row
    });
    append::append(table, columns, counted, put);
}

fn column<T, C>(rows: &[T], get: impl FnMut(&T) -> C) -> Vec<C> {
    rows.iter().map(get).collect()
}

/// An identifier that joins nothing.
#[derive(Clone, Copy, PartialEq)]
struct Inert {
    blocked: bool,
    /// How many of another type it was seen with, and which type.
    shared: Option<(i32, i32)>,
}

/// Who is blocked, and who is shared.
pub fn inert(rules: &Rules, nodes: &Nodes, shared: &[Shared], limits: &[Limit]) -> Result<()> {
    let mut fresh: HashMap<i64, Inert> = (0..nodes.len() as u32)
        .filter(|&n| nodes.is_blocked(n))
        .map(|n| {
            let inert = Inert {
                blocked: true,
                shared: None,
            };
            (nodes.id(n), inert)
        })
        .collect();
    for Shared { node, limit } in shared {
        let limit = &limits[*limit];
        // Nobody counts further than one past the limit.
        let degree = i32::try_from(limit.most)
            .unwrap_or(i32::MAX)
            .saturating_add(1);
        let by = rules.type_ids[usize::from(limit.other)];
        fresh
            .entry(nodes.id(*node))
            .or_insert(Inert {
                blocked: false,
                shared: None,
            })
            .shared = Some((degree, by));
    }
    let mut gone: Vec<i64> = Vec::new();
    reader::each(
        "SELECT node_id, blocked, shared, degree, by_type FROM cdp.inert_identifiers",
        args![],
        |row| {
            let node: i64 = row.want(1);
            let shared = row.want::<bool>(3);
            let stored = Inert {
                blocked: row.want(2),
                shared: shared.then(|| (row.get(4).unwrap_or(0), row.get(5).unwrap_or(0))),
            };
            match fresh.get(&node) {
                Some(inert) if *inert == stored => {
                    fresh.remove(&node);
                }
                Some(_) => {}
                None => gone.push(node),
            }
            Ok(())
        },
    )?;
    in_parts("identifiers that join again", &gone, |part| {
        sql::run(
            "DELETE FROM cdp.inert_identifiers WHERE node_id = ANY ($1)",
            args![part.to_vec()],
        );
    });
    let mut put: Vec<(i64, Inert)> = fresh.into_iter().collect();
    put.sort_unstable_by_key(|row| row.0);
    in_parts("identifiers that join nothing", &put, |part| {
        sql::run(
            "INSERT INTO cdp.inert_identifiers (node_id, blocked, shared, degree, by_type) \
             SELECT u.node_id, u.blocked, u.degree IS NOT NULL, u.degree, u.by_type \
             FROM unnest($1::bigint[], $2::boolean[], $3::integer[], $4::integer[]) \
                  u (node_id, blocked, degree, by_type) \
             ON CONFLICT (node_id) DO UPDATE SET blocked = EXCLUDED.blocked, \
                 shared = EXCLUDED.shared, degree = EXCLUDED.degree, by_type = EXCLUDED.by_type",
            args![
                column(part, |row| row.0),
                column(part, |row| row.1.blocked),
                column(part, |row| row.1.shared.map(|shared| shared.0)),
                column(part, |row| row.1.shared.map(|shared| shared.1))
            ],
        );
    });
    Ok(())
}

/// Which node each set belongs to. The nodes that gained or lost one.
pub fn set_nodes(nodes: &Nodes, sets: &Sets, stars: &Stars) -> Result<Vec<i64>> {
    let mut seen = vec![false; sets.len()];
    let (mut moved, mut gone) = (Vec::new(), Vec::new());
    let mut recentred: Vec<i64> = Vec::new();
    reader::each(
        "SELECT set_id, node_id, starts IS NOT NULL FROM cdp.set_nodes",
        args![],
        |row| {
            let (set_id, node): (i64, i64) = (row.want(1), row.want(2));
            let set = sets.position(set_id);
            if set.is_some_and(|set| stars.sliced(set).is_some()) {
                return Ok(());
            }
            if row.want(3) {
                gone.push(set_id);
                recentred.push(node);
                return Ok(());
            }
            match set.and_then(|set| Some((set, nodes.id(stars.centre(set)?)))) {
                Some((set, centre)) => {
                    seen[set as usize] = true;
                    if centre != node {
                        moved.push((set_id, centre));
                        recentred.extend([node, centre]);
                    }
                }
                None => {
                    gone.push(set_id);
                    recentred.push(node);
                }
            }
            Ok(())
        },
    )?;
    let new = (0..sets.len() as u32)
        .filter(|&set| !seen[set as usize])
        .filter_map(|set| Some((sets.id(set), nodes.id(stars.centre(set)?))));
    in_parts("sets of nobody", &gone, |part| {
        sql::run(
            "DELETE FROM cdp.set_nodes WHERE set_id = ANY ($1)",
            args![part.to_vec()],
        );
    });
    in_parts("sets of others", &moved, |part| {
        sql::run(
            "UPDATE cdp.set_nodes d SET node_id = u.node_id \
             FROM unnest($1::bigint[], $2::bigint[]) u (set_id, node_id) WHERE d.set_id = u.set_id",
            args![column(part, |row| row.0), column(part, |row| row.1)],
        );
    });
    let table = ("cdp.set_nodes", &["set_id", "node_id"][..]);
    append("writing set nodes", table, new, |values, (set, node)| {
        recentred.push(node);
        values.put(set);
        values.put(node);
    });
    recentred.sort_unstable();
    recentred.dedup();
    Ok(recentred)
}

type SetLink = (i64, i64, i64);

/// Which links each set shows.
pub fn set_links(nodes: &Nodes, sets: &Sets, stars: &Stars) -> Result<()> {
    let star_of = |set: u32| {
        let centre = stars.centre(set).map(|n| nodes.id(n)).unwrap_or_default();
        let leaves = sets.leaves(stars, set).map(|n| nodes.id(n));
        leaves.map(move |leaf| (centre.min(leaf), centre.max(leaf)))
    };
    let mut found = vec![0_u32; sets.len()];
    let mut gone: Vec<SetLink> = Vec::new();
    reader::each(
        "SELECT set_id, low, high FROM cdp.set_links",
        args![],
        |row| {
            let (set_id, pair) = (row.want(1), (row.want(2), row.want(3)));
            match sets.position(set_id) {
                Some(set) if star_of(set).any(|link| link == pair) => found[set as usize] += 1,
                _ => gone.push((set_id, pair.0, pair.1)),
            }
            Ok(())
        },
    )?;
    // Of most sets all are there, or none; of the others, those that are there are asked for.
    let short: Vec<u32> = (0..sets.len() as u32)
        .filter(|&set| star_of(set).count() > found[set as usize] as usize)
        .collect();
    let partly = short.iter().filter(|&&set| found[set as usize] > 0);
    let partly: Vec<i64> = partly.map(|&set| sets.id(set)).collect();
    let mut known: HashSet<SetLink> = HashSet::new();
    for part in partly.chunks(PART) {
        reader::each(
            "SELECT set_id, low, high FROM cdp.set_links WHERE set_id = ANY ($1)",
            args![part.to_vec()],
            |row| {
                known.insert((row.want(1), row.want(2), row.want(3)));
                Ok(())
            },
        )?;
    }
    in_parts("links shown no more", &gone, |part| {
        sql::run(
            "DELETE FROM cdp.set_links d USING unnest($1::bigint[], $2::bigint[], $3::bigint[]) \
                 g (set_id, low, high) \
             WHERE d.set_id = g.set_id AND d.low = g.low AND d.high = g.high",
            args![
                column(part, |row| row.0),
                column(part, |row| row.1),
                column(part, |row| row.2)
            ],
        );
    });
    let links_of = |set: u32| {
        let id = sets.id(set);
        star_of(set).map(move |(low, high)| (id, low, high))
    };
    let missing = short.iter().flat_map(|&set| links_of(set));
    let missing = missing.filter(|link| !known.contains(link));
    let table = ("cdp.set_links", &["set_id", "low", "high"][..]);
    append("writing links of sets", table, missing, |values, link| {
        values.put(link.0);
        values.put(link.1);
        values.put(link.2);
    });
    Ok(())
}

/// The profile of each node; those that moved, and those that are in the graph no more.
pub fn clusters(
    nodes: &Nodes,
    present: &[bool],
    resolution: &Resolution,
) -> Result<(Vec<Moved>, Vec<Pair>)> {
    let mut former: Vec<Option<i64>> = vec![None; nodes.len()];
    let mut removed: Vec<(i64, i64)> = Vec::new();
    reader::each(
        "SELECT node_id, profile_id FROM cdp.clusters",
        args![],
        |row| {
            let (node_id, profile) = (row.want(1), row.want(2));
            match nodes.position(node_id) {
                Some(node) if present[node as usize] => former[node as usize] = Some(profile),
                _ => removed.push((node_id, profile)),
            }
            Ok(())
        },
    )?;
    let moved: Vec<Moved> = (0..nodes.len() as u32)
        .filter(|&node| present[node as usize])
        .map(|node| Moved {
            node_id: nodes.id(node),
            from: former[node as usize],
            to: resolution.profile_id(nodes, node),
        })
        .filter(|moved| moved.from != Some(moved.to))
        .collect();
    in_parts("nodes of no profile", &removed, |part| {
        sql::run(
            "DELETE FROM cdp.clusters WHERE node_id = ANY ($1)",
            args![column(part, |row| row.0)],
        );
    });
    let mut others: Vec<&Moved> = moved.iter().filter(|m| m.from.is_some()).collect();
    others.sort_unstable_by_key(|moved| moved.node_id);
    in_parts("nodes of another profile", &others, |part| {
        // Without bounds each part would read the whole table.
        sql::run(
            "UPDATE cdp.clusters c SET profile_id = u.profile_id \
             FROM unnest($1::bigint[], $2::bigint[]) u (node_id, profile_id) \
             WHERE c.node_id = u.node_id AND c.node_id BETWEEN $3 AND $4",
            args![
                column(part, |m| m.node_id),
                column(part, |m| m.to),
                part.first().map(|m| m.node_id),
                part.last().map(|m| m.node_id)
            ],
        );
    });
    let new = moved.iter().filter(|m| m.from.is_none());
    let table = ("cdp.clusters", &["node_id", "profile_id"][..]);
    append("writing clusters", table, new, |values, moved| {
        values.put(moved.node_id);
        values.put(moved.to);
    });
    Ok((moved, removed))
}

/// The observed links with their decisions; of those decided otherwise, and of those that are no
/// more, what history wants.
pub fn links(graph: &Graph, history: &Historic) -> Result<(Vec<Decided>, Vec<Pair>)> {
    let mut seen = vec![false; graph.observed];
    let (mut gone, mut other, mut decided) = (Vec::new(), Vec::new(), Vec::new());
    let mut unlinked = Vec::new();
    reader::each(
        "SELECT low, high, confirmed, first_seen, decision, rule_type, last_seen FROM cdp.links",
        args![],
        |row| {
            let (low, high): (i64, i64) = (row.want(1), row.want(2));
            let ends = (graph.nodes.position(low), graph.nodes.position(high));
            let both = ends.0.zip(ends.1);
            let Some(n) = both.and_then(|(low, high)| graph.links.find(low, high)) else {
                gone.push((low, high));
                if history.tells(ends) {
                    unlinked.push((low, high));
                }
                return Ok(());
            };
            seen[n] = true;
            let (link, now) = graph.link(n);
            let before = decision(graph.rules, row.want(5), row.get(6));
            let dates = (
                row.want::<Micros>(4).0,
                row.get::<Micros>(7).map(|last| last.0),
            );
            let same = (row.want(3), dates) == (link.confirmed, graph.links.dates(n));
            if !same || before != Some(now) {
                other.push(n);
                decided.extend(history.decided(graph, n, before));
            }
            Ok(())
        },
    )?;
    in_parts("links that are no more", &gone, |part| {
        sql::run(
            "DELETE FROM cdp.links l USING unnest($1::bigint[], $2::bigint[]) g (low, high) \
             WHERE l.low = g.low AND l.high = g.high",
            args![column(part, |row| row.0), column(part, |row| row.1)],
        );
    });
    in_parts("links that changed", &other, |part| {
        let links: Vec<(&Link, Decision)> = column(part, |&n| graph.link(n));
        let dates = column(part, |&n| graph.links.dates(n));
        sql::run(
            "UPDATE cdp.links l SET confirmed = u.confirmed, first_seen = u.first_seen, \
                 decision = u.decision, rule_type = u.rule_type, last_seen = u.last_seen \
             FROM unnest($1::bigint[], $2::bigint[], $3::boolean[], $4::timestamptz[], \
                         $5::smallint[], $6::integer[], $7::timestamptz[]) \
                  u (low, high, confirmed, first_seen, decision, rule_type, last_seen) \
             WHERE l.low = u.low AND l.high = u.high",
            args![
                column(&links, |(link, _)| graph.ends(link).0),
                column(&links, |(link, _)| graph.ends(link).1),
                column(&links, |(link, _)| link.confirmed),
                column(&dates, |dates| time::to_pg(dates.0)),
                column(&links, |(_, decision)| decision.as_code()),
                column(&links, |(_, decision)| graph.rule_type(*decision)),
                column(&dates, |dates| dates.1.map(time::to_pg))
            ],
        );
    });
    let new = || (0..graph.observed).filter(|&n| !seen[n]);
    let table = (
        "cdp.links",
        &[
            "low",
            "high",
            "confirmed",
            "first_seen",
            "decision",
            "rule_type",
            "last_seen",
        ][..],
    );
    append("writing links", table, new(), |values, n| {
        let (link, decision) = graph.link(n);
        let (low, high) = graph.ends(link);
        values.put(low);
        values.put(high);
        values.put(link.confirmed);
        let (first_seen, last_seen) = graph.links.dates(n);
        values.put(Time(first_seen));
        values.put(decision.as_code());
        values.put(graph.rule_type(decision));
        values.put(last_seen.map(Time));
    });
    decided.extend(new().filter_map(|n| history.decided(graph, n, None)));
    Ok((decided, unlinked))
}

/// The decisions of links by hand; of those decided otherwise, what history wants.
pub fn asserted_links(
    graph: &Graph,
    links: Vec<(Link, Option<Decision>)>,
    history: &Historic,
) -> Result<Vec<Decided>> {
    let other: Vec<(usize, Option<Decision>)> = (graph.observed..)
        .zip(links)
        .map(|(n, (_, before))| (n, before))
        .filter(|&(n, before)| before != Some(graph.link(n).1))
        .collect();
    in_parts("links by hand", &other, |part| {
        let links: Vec<(&Link, Decision)> = column(part, |&(n, _)| graph.link(n));
        sql::run(
            "UPDATE cdp.asserted_links l SET decision = u.decision, rule_type = u.rule_type \
             FROM unnest($1::bigint[], $2::bigint[], $3::smallint[], $4::integer[]) \
                  u (low, high, decision, rule_type) \
             WHERE l.low = u.low AND l.high = u.high",
            args![
                column(&links, |(link, _)| graph.ends(link).0),
                column(&links, |(link, _)| graph.ends(link).1),
                column(&links, |(_, decision)| decision.as_code()),
                column(&links, |(_, decision)| graph.rule_type(*decision))
            ],
        );
    });
    let decided = other
        .iter()
        .filter_map(|&(n, before)| history.decided(graph, n, before));
    Ok(decided.collect())
}

/// The decisions of matches, from place `first` of the links on; of those decided otherwise, what
/// history wants.
pub fn matches(
    graph: &Graph,
    first: usize,
    links: Vec<(Link, matched::Key, Option<Decision>)>,
    history: &Historic,
) -> Result<Vec<Decided>> {
    let other: Vec<(usize, matched::Key, Option<Decision>)> = (first..)
        .zip(links)
        .map(|(n, (_, key, before))| (n, key, before))
        .filter(|&(n, _, before)| before != Some(graph.link(n).1))
        .collect();
    in_parts("matches", &other, |part| {
        let decisions: Vec<Decision> = column(part, |row| graph.link(row.0).1);
        sql::run(
            "UPDATE cdp.matches m SET decision = u.decision, rule_type = u.rule_type \
             FROM unnest($1::bigint[], $2::bigint[], $3::integer[], $4::smallint[], $5::integer[]) \
                  u (low, high, matcher_id, decision, rule_type) \
             WHERE m.low = u.low AND m.high = u.high AND m.matcher_id = u.matcher_id",
            args![
                column(part, |(_, key, _)| key.0.0),
                column(part, |(_, key, _)| key.0.1),
                column(part, |(_, key, _)| key.1),
                column(&decisions, |decision| decision.as_code()),
                column(&decisions, |decision| graph.rule_type(*decision))
            ],
        );
    });
    let decided = other
        .iter()
        .filter_map(|&(n, _, before)| history.decided(graph, n, before));
    Ok(decided.collect())
}

/// Matches that are not stored yet, their links from place `first` of the links on; of those decided otherwise
/// than before, what history wants.
pub fn found(
    graph: &Graph,
    first: usize,
    found: &[matched::New],
    history: &Historic,
) -> Vec<Decided> {
    const STRIDE: i64 = 1 << 14;
    if found.is_empty() {
        return Vec::new();
    }
    progress::start("identity: writing matches", found.len() as i64);
    let mut decided = Vec::new();
    let mut links = first..;
    let rows = (0i64..).zip(found).map(|(n, new)| {
        if n % STRIDE == 0 {
            progress::step(n);
        }
        let is_link = new.found.kind == Kind::Link;
        let now = is_link.then(|| links.next()).flatten().map(|n| {
            let before = new.decided();
            let before = before.and_then(|(code, by)| decision(graph.rules, code, by));
            decided.extend(history.decided(graph, n, before));
            let now = graph.link(n).1;
            (now.as_code(), graph.rule_type(now))
        });
        (new, now)
    });
    matched::insert(rows);
    decided
}
