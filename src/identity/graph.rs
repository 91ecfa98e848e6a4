//! The stored graph, as the engine reads it, and what the engine decided, written back.

use std::collections::{HashMap, HashSet};

use cdp_engine::graph::{
    self, Changes, Decided, Decision, Evidence, Link, Moved, Node, Store, StoredLink, StoredNode,
    Update,
};

use super::Touched;
use super::links::Concerned;
use crate::args;
use crate::pg::{Error, Result, Row, sql, time};
use crate::rules::Rules;

/// Brings the clusters of these nodes' region up to date.
pub fn update(rules: &Rules, concerned: Concerned) -> Result<Touched> {
    let Concerned {
        mut changes,
        loosened,
        recentred,
        ..
    } = concerned;
    let mut touched = Vec::new();
    if !loosened.is_empty() {
        let dead = dead_among(&loosened);
        changes.nodes.extend(loosened);
        changes.nodes.retain(|node| !dead.contains(node));
        changes.disturbed.retain(|node| !dead.contains(node));
        touched = remove(dead);
    }
    if changes != Changes::default() {
        let outcome = graph::update(&mut Stored { rules }, &changes, &rules.type_rules)?;
        touched.extend(write(rules, &outcome));
    }
    touched.extend(profiles_of(&recentred));
    touched.sort_unstable();
    touched.dedup();
    Ok(touched)
}

fn profiles_of(nodes: &[i64]) -> Vec<i64> {
    if nodes.is_empty() {
        return Vec::new();
    }
    sql::rows(
        "SELECT DISTINCT c.profile_id FROM unnest($1::bigint[]) n (node_id) \
         JOIN cdp.clusters c ON c.node_id = n.node_id",
        args![nodes.to_vec()],
        |row| row.want::<i64>(1),
    )
}

/// Decides the whole graph, and writes the differences.
pub fn rebuild(rules: &Rules) -> Result<Touched> {
    let mut touched = sql::rows(
        "DELETE FROM cdp.clusters c WHERE NOT EXISTS (SELECT 1 FROM cdp.set_nodes s WHERE s.node_id = c.node_id) \
           AND NOT EXISTS (SELECT 1 FROM cdp.links l WHERE l.low = c.node_id) \
           AND NOT EXISTS (SELECT 1 FROM cdp.links l WHERE l.high = c.node_id) \
         RETURNING c.profile_id",
        args![],
        |row| row.want::<i64>(1),
    );
    let stored = sql::rows(
        "SELECT i.node_id, i.type_id, i.value, c.profile_id \
         FROM (SELECT node_id FROM cdp.set_nodes UNION SELECT low FROM cdp.links \
               UNION SELECT high FROM cdp.links) a \
         JOIN cdp.identifiers i USING (node_id) LEFT JOIN cdp.clusters c USING (node_id) \
         ORDER BY i.node_id",
        args![],
        |row| read_node(rules, &row),
    )
    .into_iter()
    .collect::<Result<Vec<_>>>()?;
    let position: HashMap<i64, u32> = (0u32..)
        .zip(&stored)
        .map(|(n, stored)| (stored.node.id, n))
        .collect();
    let stored_links = sql::rows(LINKS, args![], |row| read_link(rules, &row));
    let links: Vec<Link> = stored_links
        .iter()
        .map(|l| Link {
            a: position[&l.a_id],
            b: position[&l.b_id],
            evidence: l.evidence,
            confirmed: l.confirmed,
            first_seen: l.first_seen,
        })
        .collect();
    pgrx::check_for_interrupts!();
    let former: Vec<Option<i64>> = stored.iter().map(|s| s.profile_id).collect();
    let nodes: Vec<Node> = stored.into_iter().map(|s| s.node).collect();
    let resolution = graph::resolve(&nodes, &links, &[], &rules.type_rules);
    let moved = (0u32..)
        .zip(&nodes)
        .zip(&former)
        .map(|((n, node), &from)| Moved {
            node_id: node.id,
            from,
            to: resolution.profile_id(&nodes, n),
        })
        .filter(|moved| moved.from != Some(moved.to))
        .collect();
    let decided = stored_links
        .into_iter()
        .zip(&resolution.decisions)
        .filter(|(link, decision)| link.decision != Some(**decision))
        .map(|(link, &decision)| Decided { link, decision })
        .collect();
    touched.extend(write(rules, &Update { moved, decided }));
    Ok(touched)
}

/// A link's time is that by which it is ordered.
const LINKS: &str = "SELECT l.low, l.high, l.confirmed, coalesce(l.last_seen, l.first_seen), \
     l.decision, l.rule_type FROM cdp.links l";

/// Up to here, looking up all pairs of a cluster's nodes costs no more than reading their links.
const SMALL_CLUSTER: usize = 8;

/// Those of these nodes that no set and no link holds any more.
fn dead_among(nodes: &[i64]) -> HashSet<i64> {
    sql::rows(
        "SELECT n.node_id FROM unnest($1::bigint[]) n (node_id) \
         WHERE NOT EXISTS (SELECT 1 FROM cdp.set_nodes s WHERE s.node_id = n.node_id) \
           AND NOT EXISTS (SELECT 1 FROM cdp.links l WHERE l.low = n.node_id) \
           AND NOT EXISTS (SELECT 1 FROM cdp.links l WHERE l.high = n.node_id)",
        args![nodes.to_vec()],
        |row| row.want::<i64>(1),
    )
    .into_iter()
    .collect()
}

/// Takes nodes out of the graph; the profiles they were in.
fn remove(nodes: HashSet<i64>) -> Vec<i64> {
    sql::rows(
        "DELETE FROM cdp.clusters WHERE node_id = ANY ($1) RETURNING profile_id",
        args![nodes.into_iter().collect::<Vec<_>>()],
        |row| row.want::<i64>(1),
    )
}

/// The graph in the tables.
struct Stored<'a> {
    rules: &'a Rules,
}

impl Store for Stored<'_> {
    type Error = Error;

    fn clusters_of(&mut self, node_ids: &[i64]) -> Result<Vec<StoredNode>> {
        pgrx::check_for_interrupts!();
        sql::rows(
            // Nodes that the graph does not know yet stand alone.
            "WITH asked AS (SELECT a.node_id, c.profile_id FROM unnest($1::bigint[]) a (node_id) \
                            LEFT JOIN cdp.clusters c ON c.node_id = a.node_id), \
                  reached AS ( \
                    SELECT c.node_id, c.profile_id \
                      FROM (SELECT DISTINCT profile_id FROM asked) p \
                      JOIN cdp.clusters c ON c.profile_id = p.profile_id \
                    UNION ALL SELECT DISTINCT node_id, profile_id FROM asked WHERE profile_id IS NULL) \
             SELECT i.node_id, i.type_id, i.value, r.profile_id \
             FROM reached r JOIN cdp.identifiers i ON i.node_id = r.node_id",
            args![node_ids.to_vec()],
            |row| read_node(self.rules, &row),
        )
        .into_iter()
        .collect()
    }

    fn links_of(&mut self, node_ids: &[i64]) -> Result<Vec<StoredLink>> {
        Ok(sql::rows(
            &format!(
                "{LINKS} JOIN unnest($1::bigint[]) n (node_id) ON l.low = n.node_id \
                 UNION {LINKS} JOIN unnest($1::bigint[]) n (node_id) ON l.high = n.node_id"
            ),
            args![node_ids.to_vec()],
            |row| read_link(self.rules, &row),
        ))
    }

    fn accepted_within(&mut self, clusters: &[Vec<i64>]) -> Result<Vec<StoredLink>> {
        // Of a small cluster every pair is looked up: one of its nodes may be a kiosk with thousands of
        // refused links.
        let (small, large): (Vec<_>, Vec<_>) = clusters
            .iter()
            .partition(|cluster| cluster.len() <= SMALL_CLUSTER);
        let mut pairs = Vec::new();
        for cluster in small {
            for (n, &a) in cluster.iter().enumerate() {
                pairs.extend(cluster[n + 1..].iter().map(|&b| (a, b)));
            }
        }
        let mut links = self.links_between(&pairs)?;
        links.retain(|link| link.decision == Some(Decision::Accepted));
        if !large.is_empty() {
            // An accepted link has both ends in one cluster.
            links.extend(sql::rows(
                &format!(
                    "{LINKS} JOIN unnest($1::bigint[]) n (node_id) ON l.low = n.node_id \
                     WHERE l.decision = 0"
                ),
                args![large.into_iter().flatten().copied().collect::<Vec<i64>>()],
                |row| read_link(self.rules, &row),
            ));
        }
        Ok(links)
    }

    fn links_between(&mut self, pairs: &[(i64, i64)]) -> Result<Vec<StoredLink>> {
        if pairs.is_empty() {
            return Ok(Vec::new());
        }
        let (lows, highs): (Vec<i64>, Vec<i64>) =
            pairs.iter().map(|&(a, b)| (a.min(b), a.max(b))).unzip();
        Ok(sql::rows(
            &format!(
                "{LINKS} JOIN unnest($1::bigint[], $2::bigint[]) p (low, high) \
                 ON l.low = p.low AND l.high = p.high"
            ),
            args![lows, highs],
            |row| read_link(self.rules, &row),
        ))
    }

    fn cannot_of(&mut self, _node_ids: &[i64]) -> Result<Vec<(i64, i64)>> {
        // Nobody can assert anything yet.
        Ok(Vec::new())
    }
}

fn read_node(rules: &Rules, row: &Row) -> Result<StoredNode> {
    Ok(StoredNode {
        node: Node {
            id: row.want(1),
            type_idx: rules.type_index(row.want(2))? as u16,
            value: row.want::<String>(3).into_boxed_str(),
        },
        profile_id: row.get(4),
    })
}

fn read_link(rules: &Rules, row: &Row) -> StoredLink {
    let rule_type = row
        .get::<i32>(6)
        .and_then(|id| rules.type_index(id).ok())
        .map(|n| n as u16);
    StoredLink {
        a_id: row.want(1),
        b_id: row.want(2),
        evidence: Evidence::Observed,
        confirmed: row.want(3),
        first_seen: time::from_pg(row.want(4)),
        decision: Decision::from_code(row.want(5), rule_type),
    }
}

/// Writes what was decided; the profiles that lost or gained a node.
fn write(rules: &Rules, outcome: &Update) -> Vec<i64> {
    if !outcome.moved.is_empty() {
        sql::run(
            "INSERT INTO cdp.clusters AS c (node_id, profile_id) \
             SELECT * FROM unnest($1::bigint[], $2::bigint[]) \
             ON CONFLICT (node_id) DO UPDATE SET profile_id = EXCLUDED.profile_id",
            args![
                outcome.moved.iter().map(|m| m.node_id).collect::<Vec<_>>(),
                outcome.moved.iter().map(|m| m.to).collect::<Vec<_>>()
            ],
        );
    }
    if !outcome.decided.is_empty() {
        let rule_type = |d: &Decided| d.decision.type_idx().map(|n| rules.type_ids[n as usize]);
        sql::run(
            "UPDATE cdp.links l SET decision = u.decision, rule_type = u.rule_type \
             FROM unnest($1::bigint[], $2::bigint[], $3::smallint[], $4::integer[]) \
                  u (low, high, decision, rule_type) \
             WHERE l.low = u.low AND l.high = u.high",
            args![
                outcome
                    .decided
                    .iter()
                    .map(|d| d.link.a_id.min(d.link.b_id))
                    .collect::<Vec<_>>(),
                outcome
                    .decided
                    .iter()
                    .map(|d| d.link.a_id.max(d.link.b_id))
                    .collect::<Vec<_>>(),
                outcome
                    .decided
                    .iter()
                    .map(|d| d.decision.as_code())
                    .collect::<Vec<_>>(),
                outcome.decided.iter().map(rule_type).collect::<Vec<_>>()
            ],
        );
    }
    let mut touched: Vec<i64> = outcome
        .moved
        .iter()
        .flat_map(|m| m.from.into_iter().chain([m.to]))
        .collect();
    touched.sort_unstable();
    touched.dedup();
    touched
}
