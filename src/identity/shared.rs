//! Shared identifiers: those seen with more values of another type than its `max_degree` allows (an
//! e-mail with many user ids). They join nothing while that holds, and still hold their own events.

use crate::args;
use crate::pg::{Result, sql};
use crate::rules::Rules;

/// Looks again at the members of these sets. The other sets of those whose standing changed.
pub fn update(rules: &Rules, sets: &[i64]) -> Result<Vec<i64>> {
    let limits = Limits::of(rules);
    if limits.types.is_empty() {
        return Ok(Vec::new());
    }
    let nodes = sql::rows(
        "SELECT DISTINCT n.node_id FROM cdp.identifier_sets s, unnest(s.nodes) n (node_id) \
         JOIN cdp.identifiers i ON i.node_id = n.node_id \
         WHERE s.set_id = ANY ($1) AND cardinality(s.nodes) > 1 AND i.type_id = ANY ($2)",
        args![sets.to_vec(), limits.types.clone()],
        |row| row.want::<i64>(1),
    );
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

/// Looks again at every identifier that can be shared.
pub fn rebuild(rules: &Rules) -> Result<()> {
    let limits = Limits::of(rules);
    sql::run(
        "UPDATE cdp.inert_identifiers SET shared = false, degree = NULL, by_type = NULL \
              WHERE shared AND node_id NOT IN \
                  (SELECT node_id FROM cdp.identifiers WHERE type_id = ANY ($1))",
        args![limits.types.clone()],
    );
    if !limits.types.is_empty() {
        let nodes = sql::rows(
            "SELECT DISTINCT m.node_id FROM cdp.set_members m \
             JOIN cdp.identifiers i USING (node_id) WHERE i.type_id = ANY ($1)",
            args![limits.types.clone()],
            |row| row.want::<i64>(1),
        );
        for part in nodes.chunks(50_000) {
            pgrx::check_for_interrupts!();
            limits.recount(part);
        }
    }
    forget_ordinary();
    Ok(())
}

/// Drops rows of identifiers that are neither blocked nor shared.
pub fn forget_ordinary() {
    sql::run(
        "DELETE FROM cdp.inert_identifiers WHERE NOT blocked AND NOT shared",
        args![],
    );
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
        if nodes.is_empty() {
            return Vec::new();
        }
        sql::rows(
            "SELECT n.node_id FROM unnest($1::bigint[]) n (node_id) \
             LEFT JOIN cdp.inert_identifiers x ON x.node_id = n.node_id \
             CROSS JOIN LATERAL (SELECT sum(cardinality(s.nodes) - 1) AS others \
                 FROM (SELECT m.set_id FROM cdp.set_members m \
                        WHERE m.node_id = n.node_id LIMIT $2::bigint + 1) m \
                 JOIN cdp.identifier_sets s ON s.set_id = m.set_id) d \
             WHERE d.others > $2 AND x.blocked IS NOT TRUE OR x.shared",
            args![
                nodes.to_vec(),
                self.most.iter().copied().min().unwrap_or(i32::MAX - 1)
            ],
            |row| row.want::<i64>(1),
        )
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
