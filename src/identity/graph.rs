//! The stored graph, as the engine reads it, and what the engine decided, written back.

use std::collections::HashSet;

use cdp_engine::graph::{
    self, Decided, Decision, Evidence, Node, Store, StoredLink, StoredNode, Update,
};

use super::Touched;
use super::links::Concerned;
use crate::args;
use crate::pg::{Error, Result, Row, sql, time};
use crate::rules::Rules;

/// What became of the graph.
#[derive(Default)]
pub struct Outcome {
    /// Profiles whose nodes or sets are others than before.
    pub touched: Touched,
    /// Nodes that left the graph, with the profile that each was in.
    pub removed: Vec<(i64, i64)>,
    /// Nodes in another profile, and links decided otherwise.
    pub update: Option<Update>,
    /// Links that are no more.
    pub unlinked: Vec<(i64, i64)>,
}

/// Brings the clusters of these nodes' region up to date.
pub fn update(rules: &Rules, concerned: Concerned) -> Result<Outcome> {
    let Concerned {
        mut changed,
        loosened,
        recentred,
        unlinked,
    } = concerned;
    if changed.is_empty() {
        return Ok(Outcome::default());
    }
    let mut removed = Vec::new();
    if !loosened.is_empty() {
        let dead = dead_among(&loosened);
        changed.retain(|node| !dead.contains(node));
        removed = remove(dead);
    }
    let mut stored = Stored {
        rules,
        by_hand: anything_by_hand(),
    };
    let update = graph::update(&mut stored, &changed, &rules.type_rules)?;
    let mut touched: Touched = removed.iter().map(|(_, profile)| *profile).collect();
    touched.extend(write(rules, &update));
    touched.extend(profiles_of(&recentred));
    touched.sort_unstable();
    touched.dedup();
    Ok(Outcome {
        touched,
        removed,
        update: Some(update),
        unlinked,
    })
}

/// Whether there are links or cannot-links by hand. Mostly there are none, and nothing need be asked
/// of each region.
fn anything_by_hand() -> bool {
    sql::one::<bool>(
        "SELECT EXISTS (SELECT 1 FROM cdp.asserted_links) OR EXISTS (SELECT 1 FROM cdp.cannot_links)",
        args![],
    ) == Some(true)
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

const LINKS: &str = "SELECT l.low, l.high, l.confirmed, l.first_seen, l.decision, l.rule_type, false \
     FROM cdp.links l";
const ASSERTED: &str = "SELECT l.low, l.high, true, l.first_seen, l.decision, l.rule_type, true \
     FROM cdp.asserted_links l";
const CANNOT: &str = "SELECT l.low, l.high FROM cdp.cannot_links l";

/// That node `n` is held by no set and no link.
const DEAD: &str = "NOT EXISTS (SELECT 1 FROM cdp.set_nodes s WHERE s.node_id = n.node_id) \
     AND NOT EXISTS (SELECT 1 FROM cdp.links l WHERE l.low = n.node_id) \
     AND NOT EXISTS (SELECT 1 FROM cdp.links l WHERE l.high = n.node_id) \
     AND NOT EXISTS (SELECT 1 FROM cdp.asserted_links l WHERE l.low = n.node_id) \
     AND NOT EXISTS (SELECT 1 FROM cdp.asserted_links l WHERE l.high = n.node_id)";

/// Those of these nodes that no set and no link holds any more.
fn dead_among(nodes: &[i64]) -> HashSet<i64> {
    sql::rows(
        &format!("SELECT n.node_id FROM unnest($1::bigint[]) n (node_id) WHERE {DEAD}"),
        args![nodes.to_vec()],
        |row| row.want::<i64>(1),
    )
    .into_iter()
    .collect()
}

/// Takes nodes out of the graph; each with the profile that it was in.
fn remove(nodes: HashSet<i64>) -> Vec<(i64, i64)> {
    sql::rows(
        "DELETE FROM cdp.clusters WHERE node_id = ANY ($1) RETURNING node_id, profile_id",
        args![nodes.into_iter().collect::<Vec<_>>()],
        |row| (row.want::<i64>(1), row.want::<i64>(2)),
    )
}

/// The graph in the tables.
struct Stored<'a> {
    rules: &'a Rules,
    /// Whether there are links or cannot-links by hand.
    by_hand: bool,
}

/// The rows of a selection from a table of pairs that have an end among nodes `$1`.
fn at_nodes(select: &str) -> String {
    format!(
        "{select} JOIN unnest($1::bigint[]) n (node_id) ON l.low = n.node_id \
         UNION {select} JOIN unnest($1::bigint[]) n (node_id) ON l.high = n.node_id"
    )
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
        let mut query = at_nodes(LINKS);
        if self.by_hand {
            query = format!("{query} UNION ALL ({})", at_nodes(ASSERTED));
        }
        Ok(sql::rows(&query, args![node_ids.to_vec()], |row| {
            read_link(self.rules, &row)
        }))
    }

    fn cannot_of(&mut self, node_ids: &[i64]) -> Result<Vec<(i64, i64)>> {
        if !self.by_hand {
            return Ok(Vec::new());
        }
        Ok(sql::rows(
            &at_nodes(CANNOT),
            args![node_ids.to_vec()],
            |row| (row.want(1), row.want(2)),
        ))
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
        evidence: if row.want(7) {
            Evidence::Asserted
        } else {
            Evidence::Observed
        },
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
    for (table, asserted) in [("cdp.links", false), ("cdp.asserted_links", true)] {
        let decided: Vec<&Decided> = outcome
            .decided
            .iter()
            .filter(|d| (d.link.evidence == Evidence::Asserted) == asserted)
            .collect();
        if decided.is_empty() {
            continue;
        }
        let rule_type = |d: &&Decided| d.decision.type_idx().map(|n| rules.type_ids[n as usize]);
        sql::run(
            &format!(
                "UPDATE {table} l SET decision = u.decision, rule_type = u.rule_type \
                 FROM unnest($1::bigint[], $2::bigint[], $3::smallint[], $4::integer[]) \
                      u (low, high, decision, rule_type) \
                 WHERE l.low = u.low AND l.high = u.high"
            ),
            args![
                decided
                    .iter()
                    .map(|d| d.link.a_id.min(d.link.b_id))
                    .collect::<Vec<_>>(),
                decided
                    .iter()
                    .map(|d| d.link.a_id.max(d.link.b_id))
                    .collect::<Vec<_>>(),
                decided
                    .iter()
                    .map(|d| d.decision.as_code())
                    .collect::<Vec<_>>(),
                decided.iter().map(rule_type).collect::<Vec<_>>()
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
