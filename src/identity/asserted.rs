//! Links and cannot-links by hand, derived from the assertions that stand. Of several on one pair of
//! identifiers, the newest that nobody undid counts.

use std::collections::HashMap;

use super::links::Concerned;
use crate::args;
use crate::pg::{Error, Result, sql, time};
use crate::rules::Rules;

/// Two different nodes, the smaller first.
pub type Pair = (i64, i64);

/// A pair of nodes as it is stored.
pub fn pair(a: i64, b: i64) -> Pair {
    (a.min(b), a.max(b))
}

/// What is said by hand of a pair.
#[derive(Clone, Copy, PartialEq)]
struct Said {
    change_id: i64,
    /// Linked, at that time; else kept apart.
    linked: Option<i64>,
}

/// Brings the links and cannot-links of these pairs up to date with what stands.
pub fn derive(pairs: &[Pair]) -> Concerned {
    let mut concerned = Concerned::default();
    if pairs.is_empty() {
        return concerned;
    }
    let said = said(pairs);
    let before = stored(pairs);
    let (mut changed, mut unlinked) = (Vec::new(), Vec::new());
    for pair in pairs {
        let (was, is) = (before.get(pair), said.get(pair));
        if was != is {
            changed.push(*pair);
            if was.is_some_and(|was| was.linked.is_some()) {
                unlinked.push(*pair);
            }
        }
    }
    if changed.is_empty() {
        return concerned;
    }
    replace(&changed, &said);
    let mut ends: Vec<i64> = changed.iter().flat_map(|&(a, b)| [a, b]).collect();
    ends.sort_unstable();
    ends.dedup();
    // What only a cannot-link names is in no graph.
    concerned.loosened.clone_from(&ends);
    concerned.changes.disturbed = ends;
    concerned.unlinked = unlinked;
    concerned
}

/// Finds the nodes of all assertions anew, since a normaliser may have changed.
pub fn reread(rules: &Rules) -> Result<()> {
    let all = sql::rows(
        "SELECT change_id, type_a, value_a, node_a, type_b, value_b, node_b FROM cdp.assertions \
         WHERE kind IN ('link', 'unlink') ORDER BY change_id",
        args![],
        |row| {
            (
                row.want::<i64>(1),
                (row.want::<i32>(2), row.want::<String>(3), row.get::<i64>(4)),
                (row.want::<i32>(5), row.want::<String>(6), row.get::<i64>(7)),
            )
        },
    );
    for (change_id, a, b) in all {
        let node = |(type_id, value, _): &(i32, String, Option<i64>)| -> Result<Option<i64>> {
            let index = rules.type_index(*type_id)?;
            match rules.types.normalise(index, value) {
                Ok(value) => Ok(Some(node_of(rules, index, &value))),
                Err(_) => Ok(None),
            }
        };
        let nodes = (node(&a)?, node(&b)?);
        if nodes != (a.2, b.2) {
            sql::run(
                "UPDATE cdp.assertions SET node_a = $2, node_b = $3 WHERE change_id = $1",
                args![change_id, nodes.0, nodes.1],
            );
        }
    }
    Ok(())
}

/// Brings all of them up to date.
pub fn rebuild() {
    let pairs = sql::rows(
        "SELECT least(node_a, node_b), greatest(node_a, node_b) FROM cdp.assertions \
          WHERE node_a <> node_b \
         UNION SELECT low, high FROM cdp.asserted_links UNION SELECT low, high FROM cdp.cannot_links",
        args![],
        |row| (row.want(1), row.want(2)),
    );
    derive(&pairs);
}

/// The node of an identifier, made if it was never seen.
pub fn node_of(rules: &Rules, type_index: usize, value: &str) -> i64 {
    let type_id = rules.type_ids[type_index];
    if let Some(node) = sql::one::<i64>(
        "SELECT node_id FROM cdp.identifiers WHERE value = $1 AND type_id = $2",
        args![value, type_id],
    ) {
        return node;
    }
    let node = sql::one::<i64>(
        "INSERT INTO cdp.identifiers (value, type_id, node_id) \
         VALUES ($1, $2, nextval('cdp.node_id_seq')) RETURNING node_id",
        args![value, type_id],
    )
    .unwrap_or_default();
    if rules.types.is_blocked(type_index, value) {
        sql::run(
            "INSERT INTO cdp.inert_identifiers (node_id, blocked, shared) VALUES ($1, true, false)",
            args![node],
        );
    }
    node
}

fn columns(pairs: &[Pair]) -> (Vec<i64>, Vec<i64>) {
    pairs.iter().copied().unzip()
}

/// What the standing assertions say of these pairs. A blocked value stands for nobody: it is linked
/// with nothing.
fn said(pairs: &[Pair]) -> HashMap<Pair, Said> {
    let (lows, highs) = columns(pairs);
    sql::rows(
        "SELECT p.low, p.high, a.change_id, a.kind = 'link', a.made_at \
         FROM unnest($1::bigint[], $2::bigint[]) p (low, high) \
         CROSS JOIN LATERAL (SELECT a.change_id, a.kind, a.made_at FROM cdp.assertions a \
              WHERE a.node_a IN (p.low, p.high) AND a.node_b IN (p.low, p.high) \
                AND a.node_a <> a.node_b AND a.undone_by IS NULL \
              ORDER BY a.change_id DESC LIMIT 1) a \
         WHERE a.kind = 'unlink' OR NOT EXISTS ( \
              SELECT 1 FROM cdp.inert_identifiers x \
               WHERE x.node_id IN (p.low, p.high) AND x.blocked)",
        args![lows, highs],
        |row| {
            let said = Said {
                change_id: row.want(3),
                linked: row.want::<bool>(4).then(|| time::from_pg(row.want(5))),
            };
            ((row.want(1), row.want(2)), said)
        },
    )
    .into_iter()
    .collect()
}

fn stored(pairs: &[Pair]) -> HashMap<Pair, Said> {
    let (lows, highs) = columns(pairs);
    sql::rows(
        "SELECT l.low, l.high, l.change_id, l.first_seen \
         FROM unnest($1::bigint[], $2::bigint[]) p (low, high) \
         JOIN cdp.asserted_links l ON l.low = p.low AND l.high = p.high \
         UNION ALL \
         SELECT l.low, l.high, l.change_id, NULL \
         FROM unnest($1::bigint[], $2::bigint[]) p (low, high) \
         JOIN cdp.cannot_links l ON l.low = p.low AND l.high = p.high",
        args![lows, highs],
        |row| {
            let said = Said {
                change_id: row.want(3),
                linked: row.get(4).map(time::from_pg),
            };
            ((row.want(1), row.want(2)), said)
        },
    )
    .into_iter()
    .collect()
}

fn replace(pairs: &[Pair], said: &HashMap<Pair, Said>) {
    for table in ["cdp.asserted_links", "cdp.cannot_links"] {
        let (lows, highs) = columns(pairs);
        sql::run(
            &format!(
                "DELETE FROM {table} l USING unnest($1::bigint[], $2::bigint[]) p (low, high) \
                 WHERE l.low = p.low AND l.high = p.high"
            ),
            args![lows, highs],
        );
    }
    let mut linked = Vec::new();
    let mut apart = Vec::new();
    for (pair, said) in pairs
        .iter()
        .filter_map(|pair| Some((pair, said.get(pair)?)))
    {
        match said.linked {
            Some(since) => linked.push((*pair, said.change_id, since)),
            None => apart.push((*pair, said.change_id)),
        }
    }
    if !linked.is_empty() {
        sql::run(
            "INSERT INTO cdp.asserted_links (low, high, change_id, first_seen) \
             SELECT * FROM unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::timestamptz[])",
            args![
                linked.iter().map(|l| l.0.0).collect::<Vec<_>>(),
                linked.iter().map(|l| l.0.1).collect::<Vec<_>>(),
                linked.iter().map(|l| l.1).collect::<Vec<_>>(),
                linked.iter().map(|l| time::to_pg(l.2)).collect::<Vec<_>>()
            ],
        );
    }
    if !apart.is_empty() {
        sql::run(
            "INSERT INTO cdp.cannot_links (low, high, change_id) \
             SELECT * FROM unnest($1::bigint[], $2::bigint[], $3::bigint[])",
            args![
                apart.iter().map(|l| l.0.0).collect::<Vec<_>>(),
                apart.iter().map(|l| l.0.1).collect::<Vec<_>>(),
                apart.iter().map(|l| l.1).collect::<Vec<_>>()
            ],
        );
    }
}

/// The node of an identifier that somebody names, with why it cannot be linked if it cannot.
pub fn named(rules: &Rules, type_name: &str, value: &str) -> Result<(i32, i64)> {
    let index = rules.types.index_of(type_name).ok_or_else(|| {
        let known: Vec<&str> = (0..rules.type_ids.len())
            .map(|n| rules.types.name(n))
            .filter(|name| !name.starts_with("record:"))
            .collect();
        Error::unknown(format!("no identifier type \"{type_name}\""))
            .hint(format!("Declared: {}.", known.join(", ")))
    })?;
    let value = rules.types.normalise(index, value).map_err(|invalid| {
        Error::invalid(format!(
            "\"{value}\" is no value of identifier type \"{type_name}\": {}",
            invalid.detail
        ))
        .hint("Such a value is never accepted from a source either.")
    })?;
    if rules.types.is_blocked(index, &value) {
        return Err(Error::invalid(format!(
            "{type_name} \"{value}\" is blocked: it stands for nobody"
        ))
        .hint("See blocked_values, blocked_patterns and builtin_blocked of the identifier type."));
    }
    Ok((rules.type_ids[index], node_of(rules, index, &value)))
}
