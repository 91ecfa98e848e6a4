//! What is stored, into the engine's arrays.

use std::collections::HashMap;

use cdp_engine::graph::whole::{Nodes, Sets};
use cdp_engine::graph::{Apart, ApartBy, Evidence, Link};

use super::{ByHand, Matched, decision, link};
use crate::args;
use crate::identity::allow;
use crate::identity::matched::{self, Kind};
use crate::pg::reader::{self, Micros};
use crate::pg::{Error, Result};
use crate::rules::Rules;
use crate::worker::progress;

/// Rows between two looks at memory and progress.
const STRIDE: u64 = 1 << 16;

/// All identifiers, and whether each is blocked under the rules in force.
pub fn nodes(rules: &Rules) -> Result<Nodes> {
    let mut nodes = Nodes::default();
    let types: HashMap<i32, usize> = rules
        .type_ids
        .iter()
        .enumerate()
        .map(|(n, &id)| (id, n))
        .collect();
    let mut read = 0;
    reader::each(
        "SELECT node_id, type_id, value FROM cdp.identifiers",
        args![],
        |row| {
            let type_id = row.want::<i32>(2);
            let index = *types
                .get(&type_id)
                .ok_or_else(|| Error::internal(format!("no identifier type with id {type_id}")))?;
            let value: &str = row.want(3);
            let blocked = rules.types.is_blocked(index, value);
            nodes.push(row.want(1), index as u16, value, blocked);
            read += 1;
            if read % STRIDE == 0 {
                progress::step(read as i64);
                allow("the identity graph", nodes.bytes())?;
            }
            Ok(())
        },
    )?;
    nodes.close();
    Ok(nodes)
}

/// All identifier sets, and what shows each.
pub fn sets(rules: &Rules, nodes: &Nodes) -> Result<Sets> {
    let mut sets = Sets::default();
    let mut read = 0;
    reader::each(
        "SELECT set_id, nodes FROM cdp.identifier_sets",
        args![],
        |row| {
            let set_id = row.want(1);
            let members: &[i64] = row.want(2);
            let known = |id: &i64| nodes.position(*id);
            if !members.iter().all(|id| known(id).is_some()) {
                return Err(Error::internal(format!(
                    "identifier set {set_id} holds nodes that are no identifiers"
                )));
            }
            sets.push(set_id, members.iter().filter_map(known));
            read += 1;
            if read % STRIDE == 0 {
                progress::step(read as i64);
                allow("the identity graph", nodes.bytes() + sets.bytes())?;
            }
            Ok(())
        },
    )?;
    sets.close();
    allow("the identity graph", nodes.bytes() + sets.bytes())?;
    let confirm: HashMap<i32, bool> = rules
        .sources
        .values()
        .map(|source| (source.id, source.states_records))
        .collect();
    reader::each(
        "SELECT set_id, source_id, linked_at, first_seen, last_seen FROM cdp.set_evidence",
        args![],
        |row| {
            let set_id = row.want(1);
            let set = sets.position(set_id).ok_or_else(|| {
                Error::internal(format!("evidence of set {set_id}, which does not exist"))
            })?;
            let source: i32 = row.want(2);
            let confirms = confirm.get(&source).copied().unwrap_or_default();
            let time = |n| row.want::<Micros>(n).0;
            sets.show(set, source, confirms, time(3), (time(4), time(5)));
            Ok(())
        },
    )?;
    Ok(sets)
}

/// What was said by hand, between nodes of the graph.
pub fn by_hand(rules: &Rules, nodes: &Nodes) -> Result<ByHand> {
    let mut by_hand = ByHand {
        links: Vec::new(),
        apart: Vec::new(),
    };
    let position = |id: i64| {
        nodes
            .position(id)
            .ok_or_else(|| Error::internal(format!("node {id} is no identifier")))
    };
    reader::each(
        "SELECT low, high, first_seen, decision, rule_type FROM cdp.asserted_links",
        args![],
        |row| {
            let (low, high) = (position(row.want(1))?, position(row.want(2))?);
            let first_seen = row.want::<Micros>(3).0;
            let before = decision(rules, row.want(4), row.get(5));
            let asserted = link(low, high, Evidence::Asserted, true, first_seen);
            by_hand.links.push((asserted, before));
            Ok(())
        },
    )?;
    reader::each("SELECT low, high FROM cdp.cannot_links", args![], |row| {
        let pair = (position(row.want(1))?, position(row.want(2))?);
        by_hand.apart.push(Apart::by_hand(pair));
        Ok(())
    })?;
    Ok(by_hand)
}

/// What matchers found, between nodes of the graph. `found`: what of that is not stored yet.
pub fn matched(rules: &Rules, nodes: &Nodes, found: &[matched::New]) -> Result<Matched> {
    let mut matched = Matched::default();
    if rules.matchers.is_empty() {
        return Ok(matched);
    }
    let position = |id: i64| {
        nodes
            .position(id)
            .ok_or_else(|| Error::internal(format!("node {id} is no identifier")))
    };
    let link_of = |((low, high), matcher): matched::Key, weight: i32| -> Result<Link> {
        let priority = rules.matcher_priority(matcher)?;
        let evidence = Evidence::Matched { priority, weight };
        Ok(link(position(low)?, position(high)?, evidence, true, 0))
    };
    let apart = |((low, high), matcher): matched::Key| -> Result<Apart> {
        let priority = rules.matcher_priority(matcher)?;
        Ok(Apart {
            a: position(low)?,
            b: position(high)?,
            by: ApartBy::Matcher { priority },
        })
    };
    let mut read = 0;
    reader::each(
        "SELECT low, high, matcher_id, weight, decision, rule_type FROM cdp.matches \
          WHERE kind NOT IN ('cut', 'review')",
        args![],
        |row| {
            let key = ((row.want(1), row.want(2)), row.want(3));
            match row.get::<i16>(5) {
                Some(code) => {
                    let before = decision(rules, code, row.get(6));
                    let link = link_of(key, row.want(4))?;
                    matched.links.push((link, key, before));
                }
                None => matched.apart.push(apart(key)?),
            }
            read += 1;
            if read % STRIDE == 0 {
                progress::step(read as i64);
                allow("the identity graph", nodes.bytes() + matched.bytes())?;
            }
            Ok(())
        },
    )?;
    for (n, new) in (1u64..).zip(found) {
        if new.found.kind == Kind::Link {
            matched.found.push(link_of(new.key, new.found.weight)?);
        } else if new.found.kind.is_apart() {
            matched.apart.push(apart(new.key)?);
        }
        if n % STRIDE == 0 {
            pgrx::check_for_interrupts!();
            allow("the identity graph", nodes.bytes() + matched.bytes())?;
        }
    }
    Ok(matched)
}
