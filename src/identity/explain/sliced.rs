//! What ties a time-sliced identifier to those whom it serves one after another.

use super::step::{self, Step};
use crate::args;
use crate::identity::resolve;
use crate::pg::{Result, sql};

/// Where an explanation begins or ends.
pub struct End {
    /// The node itself; of a time-sliced identifier, the one of a person whom it serves.
    pub node: i64,
    /// That node's profile.
    pub profile: Option<i64>,
}

/// The end of an explanation at a node. Of those whom a time-sliced identifier serves it is the one of
/// this profile, if there is one there, and else the last.
pub fn end(node: i64, profile: Option<i64>) -> End {
    let own = resolve::cluster_of(node);
    let served = || {
        sql::first(
            "SELECT w.person_id, c.profile_id FROM cdp.switch_points w \
             JOIN cdp.clusters c ON c.node_id = w.person_id WHERE w.node_id = $1 \
             ORDER BY c.profile_id IS NOT DISTINCT FROM $2 DESC, w.switched_at DESC LIMIT 1",
            args![node, profile],
            |row| (row.want(1), row.want(2)),
        )
    };
    match own {
        Some(_) => End { node, profile: own },
        None => served().map_or(
            End {
                node,
                profile: None,
            },
            |(person, profile)| End {
                node: person,
                profile: Some(profile),
            },
        ),
    }
}

/// The step from a time-sliced identifier to the person at its end; none for any other.
pub fn step(node: i64, end: &End) -> Result<Option<Step>> {
    if end.node == node {
        return Ok(None);
    }
    let (name, value) = step::identifier(node)?;
    let person = step::identifier(end.node)?;
    let slices: String = sql::one(
        include_str!("../../../sql/slices_in_words.sql"),
        args![node, end.node],
    )
    .unwrap_or_default();
    let shown = sql::first(
        "SELECT array_agg(DISTINCT s.name ORDER BY s.name), min(e.first_seen), max(e.last_seen), \
                sum(e.count)::bigint \
           FROM cdp.set_nodes d JOIN cdp.set_members m ON m.set_id = d.set_id AND m.node_id = $1 \
           JOIN cdp.set_evidence e ON e.set_id = d.set_id JOIN cdp.sources s ON s.source_id = e.source_id \
          WHERE d.node_id = $2 AND d.starts IS NULL HAVING count(*) > 0",
        args![node, end.node],
        |row| Step {
            sources: row.get(1).unwrap_or_default(),
            first_seen: row.get(2),
            last_seen: row.get(3),
            count: row.get(4),
            ..Step::default()
        },
    );
    Ok(Some(Step {
        rule: Some(format!(
            "time_sliced: {name} {value} serves one person after another, {} {} {slices}",
            person.0, person.1
        )),
        from: (name, value),
        to: person,
        kind: "time_sliced",
        decision: "sliced",
        ..shown.unwrap_or_default()
    }))
}
