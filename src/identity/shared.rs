//! Shared identifiers: those seen with more values of another type than its `max_degree` allows (an
//! e-mail with many user ids). They join nothing while that holds, and still hold their own events.

use super::links::Nodes;
use crate::args;
use crate::evidence::sets::Known;
use crate::pg::look_up::{self, LookUp};
use crate::pg::value::Values;
use crate::pg::{Result, sql};
use crate::rules::Rules;

/// Looks again at the members of these sets, which something shows now and did not before, or the
/// other way round. The other sets of those whose standing changed.
pub fn update(rules: &Rules, sets: &[i64], known: &Known) -> Result<Vec<i64>> {
    let limits = Limits::of(rules);
    if limits.types.is_empty() || sets.is_empty() {
        return Ok(Vec::new());
    }
    let mut members: Vec<i64> = Vec::new();
    let mut unknown: Vec<i64> = Vec::new();
    for set in sets {
        match known.members.get(set) {
            Some(nodes) if nodes.len() > 1 => members.extend_from_slice(nodes),
            Some(_) => {}
            None => unknown.push(*set),
        }
    }
    look_up::each(
        ("cdp.identifier_sets", &["set_id"]),
        &["nodes"],
        unknown,
        |values, set| {
            values.put(set);
        },
        |_, found| {
            let nodes: Vec<i64> = found.want(1);
            if nodes.len() > 1 {
                members.extend(nodes);
            }
        },
    );
    members.sort_unstable();
    members.dedup();
    let mut dictionary = Nodes::open(rules, known);
    let mut nodes = Vec::new();
    for node in members {
        let Some((type_index, _)) = dictionary.get(node)? else {
            continue;
        };
        if !rules.max_degree[usize::from(type_index)].is_empty() {
            nodes.push(node);
        }
    }
    dictionary.close();
    let changed = limits.recount(&limits.near(&nodes));
    if changed.is_empty() {
        return Ok(Vec::new());
    }
    Ok(sql::rows(
        "SELECT DISTINCT set_id FROM cdp.set_members WHERE node_id = ANY ($1)",
        args![changed],
        |row| row.want::<i64>(1),
    ))
}

/// The limits, as columns: identifiers of `types` may be seen with `most` values of `others`.
struct Limits {
    types: Vec<i32>,
    others: Vec<i32>,
    most: Vec<i32>,
}

impl Limits {
    fn of(rules: &Rules) -> Self {
        let mut limits = Self {
            types: Vec::new(),
            others: Vec::new(),
            most: Vec::new(),
        };
        for (index, of_type) in rules.max_degree.iter().enumerate() {
            for &(other, most) in of_type {
                limits.types.push(rules.type_ids[index]);
                limits.others.push(rules.type_ids[other]);
                limits.most.push(i32::try_from(most).unwrap_or(i32::MAX));
            }
        }
        limits
    }

    /// Those of these nodes that may be past a limit, or are shared now: a node in few sets, with few
    /// others in them, cannot be. Nearly all are in few, and need no count.
    fn near(&self, nodes: &[i64]) -> Vec<i64> {
        let least = self.most.iter().copied().min().unwrap_or(i32::MAX - 1) as usize;
        let mut sets = LookUp::open("cdp.set_members", &["node_id"], &["set_id"]);
        let mut members = LookUp::open("cdp.identifier_sets", &["set_id"], &["nodes"]);
        let mut inert = LookUp::open(
            "cdp.inert_identifiers",
            &["node_id"],
            &["shared", "blocked"],
        );
        let mut near = Vec::new();
        for &node in nodes {
            let by_node = |values: &mut Values| {
                values.put(node);
            };
            let (mut is_near, mut is_blocked) = (false, false);
            inert.find(by_node, |found| {
                (is_near, is_blocked) = (found.want(1), found.want(2));
                false
            });
            if is_blocked && !is_near {
                continue;
            }
            let mut others = 0;
            if !is_near {
                sets.find(by_node, |found| {
                    let set: i64 = found.want(1);
                    members.find(
                        |values| {
                            values.put(set);
                        },
                        |found| {
                            others += found.want::<Vec<i64>>(1).len() - 1;
                            false
                        },
                    );
                    others <= least
                });
            }
            if is_near || others > least {
                near.push(node);
            }
        }
        sets.close();
        members.close();
        inert.close();
        near
    }

    /// Counts the degrees of these nodes, less blocked values and withdrawn evidence, never further
    /// than one past the limit. The nodes whose standing changed.
    fn recount(&self, nodes: &[i64]) -> Vec<i64> {
        if nodes.is_empty() {
            return Vec::new();
        }
        sql::rows(
            include_str!("../../sql/shared_recount.sql"),
            args![
                nodes.to_vec(),
                self.types.clone(),
                self.others.clone(),
                self.most.clone()
            ],
            |row| row.want::<i64>(1),
        )
    }
}
