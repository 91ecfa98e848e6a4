//! Identifiers to nodes, and the identifiers of each statement to its set.

use std::collections::{HashMap, HashSet};

use super::Statement;
use crate::args;
use crate::pg::append::append;
use crate::pg::value::Bits;
use crate::pg::{Error, Result, look_up, sql};
use crate::rules::Rules;

/// Reserves `count` values of a sequence; the first. Under the pipeline lock nobody else takes any.
fn reserve(sequence: &str, count: usize) -> i64 {
    let last = sql::one::<i64>(
        "SELECT setval($1::text::regclass, nextval($1::text::regclass) + $2 - 1)",
        args![sequence, count as i64],
    );
    last.unwrap_or(0) - count as i64 + 1
}

/// Reserves event ids; the first.
pub fn reserve_event_ids(count: usize) -> i64 {
    reserve("cdp.event_id_seq", count)
}

/// What a batch knows of its identifiers and sets, so that nothing need be read back.
#[derive(Default)]
pub struct Known {
    /// The nodes of its identifiers: type index and value.
    pub nodes: HashMap<i64, (u16, String)>,
    /// The members of its sets.
    pub members: HashMap<i64, Vec<i64>>,
    /// Those of its sets that nothing showed before.
    pub new_sets: HashSet<i64>,
    /// The first of the nodes that are new with this batch: none but it knows them.
    first_new_node: Option<i64>,
}

impl Known {
    /// Whether a node is new with this batch.
    pub fn is_new(&self, node: i64) -> bool {
        self.first_new_node.is_some_and(|first| node >= first)
    }
}

/// Gives each statement its set, making nodes and sets that are new.
pub fn resolve<'a>(
    rules: &Rules,
    statements: impl Iterator<Item = &'a mut Statement>,
) -> Result<Known> {
    let mut statements: Vec<&mut Statement> = statements.collect();
    let (nodes, first_new_node) = resolve_nodes(rules, &statements);
    let mut fingerprints: HashMap<u128, Vec<i64>> = HashMap::with_capacity(statements.len());
    let mut of_statement = Vec::with_capacity(statements.len());
    for statement in &statements {
        let mut members = Vec::with_capacity(statement.identifiers.len());
        for (type_index, value) in &statement.identifiers {
            let node = nodes
                .get(&(*type_index, value.as_str()))
                .ok_or_else(|| Error::internal(format!("identifier \"{value}\" has no node")))?;
            members.push(*node);
        }
        members.sort_unstable();
        members.dedup();
        let bytes: Vec<u8> = members.iter().flat_map(|node| node.to_be_bytes()).collect();
        let fingerprint = cdp_engine::fingerprint(&bytes);
        fingerprints.entry(fingerprint).or_insert(members);
        of_statement.push(fingerprint);
    }
    let mut known = Known {
        nodes: nodes
            .into_iter()
            .map(|((index, value), node)| (node, (index as u16, value.to_owned())))
            .collect(),
        first_new_node,
        ..Known::default()
    };
    let ids = resolve_sets(fingerprints, &mut known);
    for (statement, fingerprint) in statements.iter_mut().zip(of_statement) {
        statement.set_id = ids[&fingerprint];
    }
    Ok(known)
}

fn resolve_nodes<'a>(
    rules: &Rules,
    statements: &'a [&mut Statement],
) -> (HashMap<(usize, &'a str), i64>, Option<i64>) {
    let mut wanted: Vec<(usize, &str)> = Vec::new();
    let mut nodes: HashMap<(usize, &str), i64> = HashMap::new();
    for (type_index, value) in statements.iter().flat_map(|s| &s.identifiers) {
        let key = (*type_index, value.as_str());
        if nodes.insert(key, 0).is_none() {
            wanted.push(key);
        }
    }
    look_up::each(
        ("cdp.identifiers", &["value", "type_id"]),
        &["node_id"],
        &wanted,
        |values, (index, value)| {
            values.put(*value).put(rules.type_ids[*index]);
        },
        |key, found| {
            nodes.insert(*key, found.want(1));
        },
    );
    let missing: Vec<_> = wanted.into_iter().filter(|key| nodes[key] == 0).collect();
    if missing.is_empty() {
        return (nodes, None);
    }
    let first = reserve("cdp.node_id_seq", missing.len());
    let ids: Vec<i64> = (first..).take(missing.len()).collect();
    append(
        "cdp.identifiers",
        &["value", "type_id", "node_id"],
        missing.iter().zip(&ids),
        |values, ((index, value), id)| {
            values.put(*value).put(rules.type_ids[*index]).put(*id);
        },
    );
    let blocked: Vec<i64> = missing
        .iter()
        .zip(&ids)
        .filter(|((index, value), _)| rules.types.is_blocked(*index, value))
        .map(|(_, id)| *id)
        .collect();
    if !blocked.is_empty() {
        sql::run(
            "INSERT INTO cdp.inert_identifiers (node_id, blocked, shared) \
             SELECT n, true, false FROM unnest($1::bigint[]) n",
            args![blocked],
        );
    }
    for (key, id) in missing.into_iter().zip(ids) {
        nodes.insert(key, id);
    }
    (nodes, Some(first))
}

fn resolve_sets(mut wanted: HashMap<u128, Vec<i64>>, known: &mut Known) -> HashMap<u128, i64> {
    let mut ids = HashMap::with_capacity(wanted.len());
    look_up::each(
        ("cdp.identifier_sets", &["fingerprint"]),
        &["set_id"],
        wanted.keys(),
        |values, fingerprint| {
            values.put(Bits(*fingerprint));
        },
        |fingerprint, found| {
            ids.insert(*fingerprint, found.want(1));
        },
    );
    for (fingerprint, id) in &ids {
        if let Some(members) = wanted.remove(fingerprint) {
            known.members.insert(*id, members);
        }
    }
    let mut missing: Vec<(u128, Vec<i64>)> = wanted.into_iter().collect();
    if missing.is_empty() {
        return ids;
    }
    missing.sort_unstable_by(|a, b| a.1.cmp(&b.1));
    let first = reserve("cdp.set_id_seq", missing.len());
    let new: Vec<i64> = (first..).take(missing.len()).collect();
    append(
        "cdp.identifier_sets",
        &["set_id", "fingerprint", "nodes"],
        missing.iter().zip(&new),
        |values, ((fingerprint, members), id)| {
            values
                .put(*id)
                .put(Bits(*fingerprint))
                .put(members.as_slice());
        },
    );
    let mut memberships = Vec::new();
    for ((fingerprint, members), id) in missing.into_iter().zip(new) {
        ids.insert(fingerprint, id);
        if members.len() > 1 {
            memberships.extend(members.iter().map(|node| (*node, id)));
        }
        known.members.insert(id, members);
        known.new_sets.insert(id);
    }
    memberships.sort_unstable();
    append(
        "cdp.set_members",
        &["node_id", "set_id"],
        memberships,
        |values, (node, set)| {
            values.put(node).put(set);
        },
    );
    ids
}
