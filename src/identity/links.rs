//! From sets to links: the star of each set, and each link's age and confirmation from all the sets
//! that show it.

use std::collections::{HashMap, HashSet};

use cdp_engine::graph::{SetNode, star};

use crate::args;
use crate::pg::{Result, sql};
use crate::rules::Rules;

/// A member of a set, as stored.
struct Member {
    node_id: i64,
    type_index: u16,
    value: String,
    blocked: bool,
    shared: bool,
}

/// Derives the stars of these sets anew, and the links that they showed or show. The nodes whose
/// links, or whose being in the graph at all, may have changed.
pub fn derive(rules: &Rules, sets: &[i64]) -> Result<Vec<i64>> {
    let members = load(rules, sets)?;
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
    let mut changed = write_centres(sets, &centres);
    let pairs = write_edges(sets, edges);
    changed.extend(pairs.iter().flat_map(|&(low, high)| [low, high]));
    recompute(&pairs);
    changed.sort_unstable();
    changed.dedup();
    Ok(changed)
}

/// The members of those of the sets that something still shows.
fn load(rules: &Rules, sets: &[i64]) -> Result<HashMap<i64, Vec<Member>>> {
    let mut loaded: HashMap<i64, Vec<Member>> = HashMap::with_capacity(sets.len());
    let rows = sql::rows(
        "SELECT s.set_id, i.node_id, i.type_id, i.value, \
                coalesce(x.blocked, false), coalesce(x.shared, false) \
         FROM cdp.identifier_sets s \
         CROSS JOIN LATERAL unnest(s.nodes) n (node_id) \
         JOIN cdp.identifiers i ON i.node_id = n.node_id \
         LEFT JOIN cdp.inert_identifiers x ON x.node_id = n.node_id \
         WHERE s.set_id = ANY ($1) \
           AND EXISTS (SELECT 1 FROM cdp.set_evidence e WHERE e.set_id = s.set_id)",
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

/// Writes which node each set belongs to; the nodes concerned by a difference.
fn write_centres(sets: &[i64], centres: &[(i64, i64)]) -> Vec<i64> {
    let mut changed = sql::rows(
        "DELETE FROM cdp.set_nodes d USING unnest($1::bigint[]) s (set_id) \
         WHERE d.set_id = s.set_id AND NOT d.set_id = ANY ($2) RETURNING d.node_id",
        args![
            sets.to_vec(),
            centres.iter().map(|c| c.0).collect::<Vec<_>>()
        ],
        |row| row.want::<i64>(1),
    );
    changed.extend(sql::rows(
        "WITH put AS (SELECT * FROM unnest($1::bigint[], $2::bigint[]) p (set_id, node_id)), \
              old AS (SELECT d.node_id FROM cdp.set_nodes d JOIN put p USING (set_id) \
                      WHERE d.node_id <> p.node_id), \
              new AS (INSERT INTO cdp.set_nodes AS d (set_id, node_id) SELECT * FROM put \
                      ON CONFLICT (set_id) DO UPDATE SET node_id = EXCLUDED.node_id \
                      WHERE d.node_id <> EXCLUDED.node_id RETURNING d.node_id) \
         SELECT node_id FROM old UNION SELECT node_id FROM new",
        args![
            centres.iter().map(|c| c.0).collect::<Vec<_>>(),
            centres.iter().map(|c| c.1).collect::<Vec<_>>()
        ],
        |row| row.want::<i64>(1),
    ));
    changed
}

/// Writes the links that each set shows; every pair that one of them showed or shows.
fn write_edges(sets: &[i64], edges: HashSet<(i64, i64, i64)>) -> Vec<(i64, i64)> {
    let before: HashSet<(i64, i64, i64)> = sql::rows(
        "SELECT set_id, low, high FROM cdp.set_links WHERE set_id = ANY ($1)",
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

/// Computes these links from all the sets that show them. A link's decision stays until the graph
/// has been brought up to date.
fn recompute(pairs: &[(i64, i64)]) {
    if pairs.is_empty() {
        return;
    }
    sql::run(
        include_str!("../../sql/links_recompute.sql"),
        args![
            pairs.iter().map(|p| p.0).collect::<Vec<_>>(),
            pairs.iter().map(|p| p.1).collect::<Vec<_>>()
        ],
    );
}
