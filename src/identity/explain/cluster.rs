//! The chain of accepted links within one profile.

use std::collections::HashMap;

use cdp_engine::graph::{Evidence, Link, Node, chain};

use super::step::{self, Ground, Step, Tie};
use crate::args;
use crate::pg::{Error, Result, sql, thread, time};
use crate::rules::Rules;

/// The shortest chain of accepted links between two nodes of a profile; of a long one, the first
/// `most` links.
pub fn chain_within(
    rules: &Rules,
    profile: i64,
    (from, to): (i64, i64),
    most: usize,
) -> Result<Vec<Step>> {
    if from == to {
        return Ok(Vec::new());
    }
    let nodes = sql::rows(
        "SELECT i.node_id, i.type_id, i.value FROM cdp.clusters c JOIN cdp.identifiers i USING (node_id) \
         WHERE c.profile_id = $1",
        args![profile],
        |row| {
            Ok(Node {
                id: row.want(1),
                type_idx: rules.type_index(row.want(2))? as u16,
                value: row.want::<String>(3).into_boxed_str(),
            })
        },
    )
    .into_iter()
    .collect::<Result<Vec<Node>>>()?;
    let position: HashMap<i64, u32> = (0u32..).zip(&nodes).map(|(n, node)| (node.id, n)).collect();
    let links = sql::rows(
        "SELECT l.low, l.high, l.confirmed, l.first_seen, 'o', 0, 0 FROM cdp.links l \
         JOIN cdp.clusters c ON c.node_id = l.low \
         WHERE c.profile_id = $1 AND l.decision = 0 \
         UNION ALL \
         SELECT l.low, l.high, true, l.first_seen, 'a', 0, 0 FROM cdp.asserted_links l \
         JOIN cdp.clusters c ON c.node_id = l.low \
         WHERE c.profile_id = $1 AND l.decision = 0 \
         UNION ALL \
         SELECT m.low, m.high, true, NULL, 'm', r.priority, m.weight FROM cdp.matches m \
         JOIN cdp.matchers r USING (matcher_id) JOIN cdp.clusters c ON c.node_id = m.low \
         WHERE c.profile_id = $1 AND m.decision = 0",
        args![profile],
        |row| Link {
            a: position[&row.want::<i64>(1)],
            b: position[&row.want::<i64>(2)],
            evidence: match Ground::of(&row.want::<String>(5)) {
                Ground::Asserted => Evidence::Asserted,
                Ground::Observed => Evidence::Observed,
                Ground::Matched => Evidence::Matched {
                    priority: row.want(6),
                    weight: row.want(7),
                },
            },
            confirmed: row.want(3),
            first_seen: row.get(4).map_or(0, time::from_pg),
        },
    );
    let mut at = position[&from];
    let ends = (at, position[&to]);
    let (nodes, links, found) = chained(rules, nodes, links, ends)?;
    let Some(chain) = found else {
        return Err(Error::internal("a profile that its links do not join"));
    };
    chain
        .into_iter()
        .take(most)
        .map(|n| {
            pgrx::check_for_interrupts!();
            let link = &links[n];
            let next = if link.a == at { link.b } else { link.a };
            let tie = Tie {
                from: nodes[at as usize].id,
                to: nodes[next as usize].id,
                ground: match link.evidence {
                    Evidence::Asserted => Ground::Asserted,
                    Evidence::Observed => Ground::Observed,
                    Evidence::Matched { .. } => Ground::Matched,
                },
                confirmed: link.confirmed,
                refused: None,
            };
            at = next;
            step::of(rules, &tie)
        })
        .collect()
}

/// Where it takes a moment it is left to a thread, so that a cancel is followed at once.
#[allow(clippy::type_complexity)]
fn chained(
    rules: &Rules,
    nodes: Vec<Node>,
    links: Vec<Link>,
    (from, to): (u32, u32),
) -> Result<(Vec<Node>, Vec<Link>, Option<Vec<usize>>)> {
    const FEW: usize = 10_000;
    let few = nodes.len() < FEW;
    let type_rules = rules.type_rules.clone();
    let find = move || {
        let found = chain(&nodes, &links, &type_rules, from, to);
        (nodes, links, found)
    };
    match few {
        true => Ok(find()),
        false => thread::run(move |_| find()),
    }
}
