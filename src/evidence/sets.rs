//! Identifiers to nodes, and the identifiers of each statement to its set.

use std::collections::HashMap;

use pgrx::Uuid;

use super::Statement;
use crate::args;
use crate::pg::{Error, Result, sql};
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

/// Gives each statement its set, making nodes and sets that are new. The new sets.
pub fn resolve<'a>(
    rules: &Rules,
    statements: impl Iterator<Item = &'a mut Statement>,
) -> Result<Vec<i64>> {
    let mut statements: Vec<&mut Statement> = statements.collect();
    let nodes = resolve_nodes(rules, &statements);
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
    let (ids, new) = resolve_sets(fingerprints);
    for (statement, fingerprint) in statements.iter_mut().zip(of_statement) {
        statement.set_id = ids[&fingerprint];
    }
    Ok(new)
}

fn resolve_nodes<'a>(
    rules: &Rules,
    statements: &'a [&mut Statement],
) -> HashMap<(usize, &'a str), i64> {
    let mut wanted: Vec<(usize, &str)> = Vec::new();
    let mut nodes: HashMap<(usize, &str), i64> = HashMap::new();
    for (type_index, value) in statements.iter().flat_map(|s| &s.identifiers) {
        let key = (*type_index, value.as_str());
        if nodes.insert(key, 0).is_none() {
            wanted.push(key);
        }
    }
    let found = sql::rows(
        "SELECT u.n, i.node_id \
         FROM unnest($1::text[], $2::integer[]) WITH ORDINALITY u (value, type_id, n) \
         JOIN cdp.identifiers i ON i.value = u.value AND i.type_id = u.type_id",
        args![
            wanted.iter().map(|(_, value)| *value).collect::<Vec<_>>(),
            wanted
                .iter()
                .map(|(index, _)| rules.type_ids[*index])
                .collect::<Vec<_>>()
        ],
        |row| (row.want::<i64>(1), row.want::<i64>(2)),
    );
    for (n, node) in found {
        nodes.insert(wanted[n as usize - 1], node);
    }
    let missing: Vec<_> = wanted.into_iter().filter(|key| nodes[key] == 0).collect();
    if missing.is_empty() {
        return nodes;
    }
    let first = reserve("cdp.node_id_seq", missing.len());
    let ids: Vec<i64> = (first..).take(missing.len()).collect();
    sql::run(
        "INSERT INTO cdp.identifiers (value, type_id, node_id) \
         SELECT * FROM unnest($1::text[], $2::integer[], $3::bigint[])",
        args![
            missing.iter().map(|(_, value)| *value).collect::<Vec<_>>(),
            missing
                .iter()
                .map(|(index, _)| rules.type_ids[*index])
                .collect::<Vec<_>>(),
            ids.clone()
        ],
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
    nodes
}

fn resolve_sets(wanted: HashMap<u128, Vec<i64>>) -> (HashMap<u128, i64>, Vec<i64>) {
    let uuid = |fingerprint: u128| Uuid::from_bytes(fingerprint.to_be_bytes());
    let mut ids: HashMap<u128, i64> = sql::rows(
        "SELECT s.fingerprint, s.set_id FROM unnest($1::uuid[]) u (fingerprint) \
         JOIN cdp.identifier_sets s ON s.fingerprint = u.fingerprint",
        args![wanted.keys().map(|&f| uuid(f)).collect::<Vec<_>>()],
        |row| {
            (
                u128::from_be_bytes(*row.want::<Uuid>(1).as_bytes()),
                row.want::<i64>(2),
            )
        },
    )
    .into_iter()
    .collect();
    let mut missing: Vec<(u128, Vec<i64>)> = wanted
        .into_iter()
        .filter(|(fingerprint, _)| !ids.contains_key(fingerprint))
        .collect();
    if missing.is_empty() {
        return (ids, Vec::new());
    }
    missing.sort_unstable_by(|a, b| a.1.cmp(&b.1));
    let first = reserve("cdp.set_id_seq", missing.len());
    let new: Vec<i64> = (first..).take(missing.len()).collect();
    // Arrays of arrays cannot differ in length: members travel flat, with the place of each set's.
    let (mut starts, mut ends, mut flat) = (Vec::new(), Vec::new(), Vec::new());
    for (_, members) in &missing {
        starts.push(flat.len() as i32 + 1);
        flat.extend_from_slice(members);
        ends.push(flat.len() as i32);
    }
    sql::run(
        "INSERT INTO cdp.identifier_sets (set_id, fingerprint, nodes) \
         SELECT u.set_id, u.fingerprint, ($3::bigint[])[u.first : u.last] \
         FROM unnest($1::bigint[], $2::uuid[], $4::integer[], $5::integer[]) \
              u (set_id, fingerprint, first, last)",
        args![
            new.clone(),
            missing.iter().map(|(f, _)| uuid(*f)).collect::<Vec<_>>(),
            flat,
            starts,
            ends
        ],
    );
    let (mut nodes, mut sets) = (Vec::new(), Vec::new());
    for ((fingerprint, members), id) in missing.iter().zip(&new) {
        ids.insert(*fingerprint, *id);
        if members.len() > 1 {
            nodes.extend_from_slice(members);
            sets.extend(std::iter::repeat_n(*id, members.len()));
        }
    }
    if !nodes.is_empty() {
        sql::run(
            "INSERT INTO cdp.set_members (node_id, set_id) SELECT * FROM unnest($1::bigint[], $2::bigint[])",
            args![nodes, sets],
        );
    }
    (ids, new)
}
