//! What profiles have of sets that belong to one person after another: the part within their slices.
//! Traits that such a set says are not in its state by set: they are read again with their times.

use std::collections::{BTreeMap, HashMap};

use cdp_engine::traits::Candidates;
use pgrx::datum::TimestampWithTimeZone;

use super::candidates;
use crate::args;
use crate::evidence::tie;
use crate::pg::{Error, Result, sql, time};
use crate::rules::Rules;

/// The slices of profiles `$1`.
const SLICES: &str = "unnest($1::bigint[]) u (profile_id) \
     JOIN cdp.clusters c ON c.profile_id = u.profile_id \
     JOIN cdp.set_nodes s ON s.node_id = c.node_id AND s.starts IS NOT NULL";

/// Widens first and last times (by profile) by what happened in their slices.
pub fn widen(
    seen: &mut [(i64, TimestampWithTimeZone, TimestampWithTimeZone)],
    profile_ids: &[i64],
) {
    let within = "x.set_id = s.set_id AND x.\"time\" >= s.starts AND x.\"time\" < s.ends \
         AND NOT x.revoked";
    let sliced: HashMap<i64, (i64, i64)> = sql::rows(
        &format!(
            "SELECT c.profile_id, min(t.first), max(t.last) FROM {SLICES} \
             CROSS JOIN LATERAL (\
                 SELECT min(x.\"time\"), max(x.\"time\") FROM cdp.events x WHERE {within} \
                 UNION ALL \
                 SELECT min(x.\"time\"), max(x.\"time\") FROM cdp.messages x WHERE {within}) t (first, last) \
             GROUP BY 1 HAVING min(t.first) IS NOT NULL"
        ),
        args![profile_ids.to_vec()],
        |row| {
            let times = (time::from_pg(row.want(2)), time::from_pg(row.want(3)));
            (row.want::<i64>(1), times)
        },
    )
    .into_iter()
    .collect();
    for (profile_id, first, last) in seen {
        if let Some(sliced) = sliced.get(profile_id) {
            *first = time::to_pg(time::from_pg(*first).min(sliced.0));
            *last = time::to_pg(time::from_pg(*last).max(sliced.1));
        }
    }
}

/// What was said in the slices of profiles: profile, source and state.
pub fn said(rules: &Rules, profile_ids: &[i64]) -> Result<Vec<(i64, i32, Candidates)>> {
    let within = "x.set_id = s.set_id AND x.\"time\" >= s.starts AND x.\"time\" < s.ends \
         AND NOT x.revoked";
    let rows = sql::rows(
        &format!(
            "SELECT c.profile_id, t.source_id, t.\"time\", t.message_id, t.content_hash, t.said::text \
             FROM {SLICES} CROSS JOIN LATERAL (\
                 SELECT x.source_id, x.\"time\", x.message_id, x.content_hash, \
                        CASE x.type WHEN 'identify' THEN x.traits ELSE x.context -> 'traits' END AS said \
                   FROM cdp.messages x WHERE {within} \
                 UNION ALL \
                 SELECT x.source_id, x.\"time\", x.message_id, x.content_hash, x.context -> 'traits' \
                   FROM cdp.events x WHERE {within}) t \
             WHERE t.said IS NOT NULL \
               AND EXISTS (SELECT 1 FROM cdp.set_traits h WHERE h.set_id = s.set_id)"
        ),
        args![profile_ids.to_vec()],
        |row| {
            let tie = tie(row.get::<String>(4).as_deref(), row.want(5));
            let key = (row.want::<i64>(1), row.want::<i32>(2));
            (key, time::from_pg(row.want(3)), tie, row.want::<String>(6))
        },
    );
    let mut states: BTreeMap<(i64, i32), Candidates> = BTreeMap::new();
    for (key, time, tie, said) in rows {
        let traits = cdp_engine::message::trait_values(&said)
            .map_err(|error| Error::internal(format!("stored traits: {error}")))?;
        let state = states.entry(key).or_default();
        for (name, value) in &traits {
            candidates::add(rules, state, name, value, time, &tie);
        }
    }
    let states = states.into_iter().filter(|(_, state)| !state.is_empty());
    Ok(states
        .map(|((profile, source), state)| (profile, source, state))
        .collect())
}
