//! Why two identifiers belong to one person: the chain of links between them.

use std::collections::HashMap;

use cdp_engine::graph::{Evidence, Link, Node, chain};
use pgrx::prelude::*;

use super::resolve;
use crate::args;
use crate::pg::error::OrRaise;
use crate::pg::{Error, Result, sql, time};
use crate::rules::Rules;

/// One link of a chain.
struct Step {
    from: (String, String),
    to: (String, String),
    sources: Vec<String>,
    first_seen: TimestampWithTimeZone,
    last_seen: TimestampWithTimeZone,
    count: i64,
    confirmed: bool,
}

/// The shortest chain of accepted links between two identifiers: which sources showed each pair
/// together, when and how often. No rows if they belong to different profiles.
///
/// # Errors
/// 42704 if there is no such identifier type, or the identifier was never seen.
#[pg_extern(volatile, parallel_unsafe)]
#[search_path(pg_catalog, pg_temp)]
#[allow(clippy::type_complexity)]
fn explain_identity(
    type_a: &str,
    value_a: &str,
    type_b: &str,
    value_b: &str,
) -> TableIterator<
    'static,
    (
        name!(step, i32),
        name!(from_type, String),
        name!(from_value, String),
        name!(to_type, String),
        name!(to_value, String),
        name!(sources, Vec<String>),
        name!(first_seen, TimestampWithTimeZone),
        name!(last_seen, TimestampWithTimeZone),
        name!(count, i64),
        name!(confirmed, bool),
    ),
> {
    let steps = crate::install::require_tables()
        .and_then(|()| explain((type_a, value_a), (type_b, value_b)))
        .or_raise();
    TableIterator::new((1i32..).zip(steps).map(|(n, s)| {
        (
            n,
            s.from.0,
            s.from.1,
            s.to.0,
            s.to.1,
            s.sources,
            s.first_seen,
            s.last_seen,
            s.count,
            s.confirmed,
        )
    }))
}

fn explain(a: (&str, &str), b: (&str, &str)) -> Result<Vec<Step>> {
    let find = |(type_name, value): (&str, &str)| {
        resolve::node(type_name, value)?.ok_or_else(|| {
            Error::unknown(format!("{type_name} \"{value}\" was never seen"))
                .hint("Look it up in cdp.identifiers; values are stored in their normal form.")
        })
    };
    let (from, to) = (find(a)?.id, find(b)?.id);
    let profile = resolve::profile_of(from);
    if profile.is_none() || profile != resolve::profile_of(to) || from == to {
        return Ok(Vec::new());
    }
    let rules = Rules::load()?;
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
        "SELECT l.low, l.high, l.confirmed, l.first_seen FROM cdp.links l \
         JOIN cdp.clusters c ON c.node_id = l.low \
         WHERE c.profile_id = $1 AND l.decision = 0",
        args![profile],
        |row| Link {
            a: position[&row.want::<i64>(1)],
            b: position[&row.want::<i64>(2)],
            evidence: Evidence::Observed,
            confirmed: row.want(3),
            first_seen: time::from_pg(row.want(4)),
        },
    );
    let Some(chain) = chain(
        &nodes,
        &links,
        &rules.type_rules,
        position[&from],
        position[&to],
    ) else {
        return Ok(Vec::new());
    };
    let mut at = position[&from];
    let mut steps = Vec::with_capacity(chain.len());
    for link in chain.into_iter().map(|n| &links[n]) {
        let next = if link.a == at { link.b } else { link.a };
        steps.push(step(
            &rules,
            &nodes[at as usize],
            &nodes[next as usize],
            link.confirmed,
        )?);
        at = next;
    }
    Ok(steps)
}

fn step(rules: &Rules, from: &Node, to: &Node, confirmed: bool) -> Result<Step> {
    let name = |node: &Node| {
        (
            rules.types.name(node.type_idx.into()).to_owned(),
            node.value.to_string(),
        )
    };
    sql::first(
        "SELECT array_agg(DISTINCT s.name ORDER BY s.name), min(e.first_seen), max(e.last_seen), \
                sum(e.count)::bigint \
         FROM cdp.set_links l JOIN cdp.set_evidence e USING (set_id) JOIN cdp.sources s USING (source_id) \
         WHERE l.low = $1 AND l.high = $2",
        args![from.id.min(to.id), from.id.max(to.id)],
        |row| Step {
            from: name(from),
            to: name(to),
            sources: row.get(1).unwrap_or_default(),
            first_seen: row.want(2),
            last_seen: row.want(3),
            count: row.want(4),
            confirmed,
        },
    )
    .ok_or_else(|| Error::internal("a link without evidence"))
}
