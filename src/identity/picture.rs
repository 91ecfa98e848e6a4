//! The identity graph of a profile, for people to look at. What is drawn is read here; how it is
//! drawn is the engine's business.

use std::collections::{BTreeSet, HashMap};

use cdp_engine::graph::Decision;
use cdp_engine::picture::{self, Identifier, Kind, LeftOut, Picture, Shown, Slice, Standing};
use pgrx::prelude::*;

use super::resolve;
use crate::args;
use crate::pg::error::OrRaise;
use crate::pg::jsonb::Jsonb;
use crate::pg::{Error, Result, Row, sql, time};
use crate::rules::Rules;

/// More identifiers than this nobody can look at.
const MOST: i32 = 1_000;

/// The identifiers and links of a profile, with those links that a rule refused and what is at their
/// other ends, as JSON. Of a larger profile the `identifiers` most strongly linked, and `left_out`
/// says how many there are besides. NULL if there is no such profile.
///
/// # Errors
/// 22023 if `identifiers` is not from 1 to 1000.
#[pg_extern(volatile, parallel_unsafe)]
#[search_path(pg_catalog, pg_temp)]
fn profile_graph(profile_id: i64, identifiers: default!(i32, 200)) -> Option<Jsonb> {
    drawn(profile_id, identifiers, picture::json).map(Jsonb)
}

/// The same as a graph for Graphviz.
///
/// # Errors
/// As `cdp.profile_graph()`.
#[pg_extern(volatile, parallel_unsafe)]
#[search_path(pg_catalog, pg_temp)]
fn profile_graph_dot(profile_id: i64, identifiers: default!(i32, 200)) -> Option<String> {
    drawn(profile_id, identifiers, picture::dot)
}

/// The same as a picture, an SVG document that needs nothing else.
///
/// # Errors
/// As `cdp.profile_graph()`.
#[pg_extern(volatile, parallel_unsafe)]
#[search_path(pg_catalog, pg_temp)]
fn profile_graph_svg(profile_id: i64, identifiers: default!(i32, 200)) -> Option<String> {
    drawn(profile_id, identifiers, picture::svg)
}

fn drawn(profile_id: i64, identifiers: i32, draw: fn(&Picture) -> String) -> Option<String> {
    crate::install::require_tables()
        .and_then(|()| read(profile_id, identifiers))
        .or_raise()
        .map(|picture| draw(&picture))
}

fn read(asked: i64, identifiers: i32) -> Result<Option<Picture>> {
    if !(1..=MOST).contains(&identifiers) {
        return Err(Error::invalid(format!(
            "identifiers must be from 1 to {MOST}, not {identifiers}"
        )));
    }
    let Some(profile_id) = resolve::profile_of(asked) else {
        return Ok(None);
    };
    let rules = Rules::load()?;
    let own = strongest(profile_id, identifiers as usize);
    let mut links = Links::read(&rules, profile_id, &own, identifiers as usize);
    let all: BTreeSet<i64> = own.iter().copied().chain(links.ends()).collect();
    let nodes = sql::read_rows(
        include_str!("../../sql/picture/nodes.sql"),
        args![all.into_iter().collect::<Vec<_>>()],
        |row| node(&rules, &row),
    )
    .into_iter()
    .collect::<Result<Vec<_>>>()?;
    let size = sql::read_first(
        "SELECT count(*) FROM cdp.clusters WHERE profile_id = $1",
        args![profile_id],
        |row| row.want::<i64>(1),
    );
    let size = size.unwrap_or_default().unsigned_abs();
    let position: HashMap<i64, u32> = (0u32..).zip(&nodes).map(|(n, node)| (node.id, n)).collect();
    links.shown.retain_mut(|(low, high, shown)| {
        let ends = position.get(low).zip(position.get(high));
        if let Some((&a, &b)) = ends {
            (shown.a, shown.b) = (a.min(b), a.max(b));
        }
        ends.is_some()
    });
    Ok(Some(Picture {
        profile_id,
        types: (0..rules.type_ids.len())
            .map(|index| rules.types.name(index).to_owned())
            .collect(),
        nodes,
        links: links.shown.into_iter().map(|(_, _, shown)| shown).collect(),
        left_out: LeftOut {
            identifiers: size.saturating_sub(own.len() as u64),
            links: links.left_out,
        },
    }))
}

/// At most so many identifiers of a profile, from the one that names it on: step by step those that
/// are tied most strongly to what is there already.
fn strongest(profile_id: i64, most: usize) -> Vec<i64> {
    let mut chosen = vec![profile_id];
    let mut frontier = chosen.clone();
    while chosen.len() < most && !frontier.is_empty() {
        pgrx::check_for_interrupts!();
        frontier = sql::read_rows(
            include_str!("../../sql/picture/near.sql"),
            args![frontier, chosen.clone(), (most - chosen.len()) as i64],
            |row| row.want::<i64>(1),
        );
        chosen.extend_from_slice(&frontier);
    }
    chosen
}

/// Links with the node ids of their ends.
struct Links {
    shown: Vec<(i64, i64, Shown)>,
    left_out: u64,
}

impl Links {
    /// The links among these nodes of a profile, and at most about `most` out of it.
    fn read(rules: &Rules, profile_id: i64, own: &[i64], most: usize) -> Self {
        let most = (most / 2).max(10);
        let mut links = Self {
            shown: Vec::new(),
            left_out: 0,
        };
        let found = sql::read_rows(
            include_str!("../../sql/picture/links.sql"),
            args![own.to_vec(), profile_id],
            |row| (row.want::<bool>(7), decided(rules, &row)),
        );
        let mut outside = 0;
        for (is_inside, link) in found {
            outside += usize::from(!is_inside);
            if is_inside || outside <= most {
                links.shown.push(link);
            } else {
                links.left_out += 1;
            }
        }
        links.add_evidence();
        links.add_inert(own, most as i64);
        links.add_sliced(rules, own, most as i64);
        links
    }

    fn ends(&self) -> impl Iterator<Item = i64> {
        self.shown.iter().flat_map(|&(low, high, _)| [low, high])
    }

    fn add_evidence(&mut self) {
        let is_observed = |shown: &Shown| shown.kind == Kind::Observed;
        let (lows, highs): (Vec<i64>, Vec<i64>) = self
            .shown
            .iter()
            .filter(|(_, _, shown)| is_observed(shown))
            .map(|&(low, high, _)| (low, high))
            .unzip();
        let mut found: HashMap<(i64, i64), Shown> = sql::read_rows(
            include_str!("../../sql/picture/evidence.sql"),
            args![lows, highs],
            |row| ((row.want(1), row.want(2)), evidence(&row)),
        )
        .into_iter()
        .collect();
        let observed = self
            .shown
            .iter_mut()
            .filter(|(_, _, shown)| is_observed(shown));
        for (low, high, shown) in observed {
            if let Some(found) = found.remove(&(*low, *high)) {
                *shown = Shown {
                    decision: shown.decision,
                    confirmed: shown.confirmed,
                    ..found
                };
            }
        }
    }

    /// What was seen together with identifiers that join nothing, and so is no link.
    fn add_inert(&mut self, own: &[i64], most: i64) {
        let mut total = 0;
        let found = sql::read_rows(
            include_str!("../../sql/picture/inert.sql"),
            args![own.to_vec(), most],
            |row| {
                total = row.want::<i64>(8);
                let shown = Shown {
                    confirmed: row.want(7),
                    ..evidence(&row)
                };
                (row.want(1), row.want(2), shown)
            },
        );
        self.left_out += total.unsigned_abs().saturating_sub(found.len() as u64);
        self.shown.extend(found);
    }

    /// Time-sliced identifiers that served one of these nodes, and when. They join nothing.
    fn add_sliced(&mut self, rules: &Rules, own: &[i64], most: i64) {
        if !rules.slices_time() {
            return;
        }
        let mut total = 0;
        let found = sql::read_rows(
            include_str!("../../sql/picture/sliced.sql"),
            args![own.to_vec(), rules.sliced_types(), most],
            |row| {
                total = row.want::<i64>(9);
                let ends = |column| row.get::<Vec<Option<TimestampWithTimeZone>>>(column);
                let (from, until) = (ends(7).unwrap_or_default(), ends(8).unwrap_or_default());
                let slices = from.into_iter().zip(until);
                let shown = Shown {
                    kind: Kind::TimeSliced,
                    slices: slices
                        .map(|(from, until)| Slice {
                            from: from.map(time::from_pg),
                            until: until.map(time::from_pg),
                        })
                        .collect(),
                    ..evidence(&row)
                };
                (row.want(1), row.want(2), shown)
            },
        );
        self.left_out += total.unsigned_abs().saturating_sub(found.len() as u64);
        self.shown.extend(found);
    }
}

/// A link as it was decided; of one that was observed, yet without evidence.
fn decided(rules: &Rules, row: &Row) -> (i64, i64, Shown) {
    let rule_type = row
        .get::<i32>(6)
        .and_then(|id| rules.type_index(id).ok())
        .map(|index| index as u16);
    let made_at = row.get(9).map_or(0, time::from_pg);
    let shown = Shown {
        kind: match row.want::<String>(3).as_str() {
            "a" => Kind::Asserted,
            "c" => Kind::AssertedApart,
            "m" => Kind::Matched {
                weight: row.want(11),
            },
            "n" => Kind::NonMatch {
                weight: row.want(11),
            },
            _ => Kind::Observed,
        },
        confirmed: row.want(4),
        decision: Decision::from_code(row.want(5), rule_type),
        sources: row.get(8).into_iter().collect(),
        first_seen: made_at,
        last_seen: made_at,
        reason: row.get(10),
        ..nothing()
    };
    (row.want(1), row.want(2), shown)
}

/// The evidence in columns 3 to 6.
fn evidence(row: &Row) -> Shown {
    Shown {
        sources: row.want(3),
        count: row.want(4),
        first_seen: time::from_pg(row.want(5)),
        last_seen: time::from_pg(row.want(6)),
        ..nothing()
    }
}

fn nothing() -> Shown {
    Shown {
        a: 0,
        b: 0,
        kind: Kind::Observed,
        decision: None,
        confirmed: false,
        sources: Vec::new(),
        count: 0,
        first_seen: 0,
        last_seen: 0,
        reason: None,
        slices: Vec::new(),
    }
}

fn node(rules: &Rules, row: &Row) -> Result<Identifier> {
    let type_index = rules.type_index(row.want(2))?;
    let standing = match (row.want(5), row.want(6), row.get::<i32>(8)) {
        (true, ..) => Standing::Blocked,
        (false, true, Some(by_type)) => Standing::Shared {
            type_idx: rules.type_index(by_type)? as u16,
            degree: row.get::<i32>(7).unwrap_or_default().unsigned_abs(),
        },
        _ if rules.type_rules[type_index].time_sliced => Standing::TimeSliced,
        _ => Standing::Ordinary,
    };
    Ok(Identifier {
        id: row.want(1),
        type_idx: type_index as u16,
        value: row.want(3),
        profile_id: row.get(4),
        standing,
    })
}
