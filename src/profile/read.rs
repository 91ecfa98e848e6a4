//! One person, whole.

use cdp_engine::traits::{Candidates, TraitSpec, survive};
use pgrx::prelude::*;
use serde_json::{Map, Value, json};

use crate::args;
use crate::pg::error::OrRaise;
use crate::pg::jsonb::Jsonb;
use crate::pg::{Error, Result, sql, time};
use crate::rules::Rules;

/// One person, whole: identifiers, traits with the source and time of each value, segments with the
/// time of entry, the latest `events` events. A superseded id gives the profile that it belongs to
/// now; NULL if there is none.
#[pg_extern(volatile, parallel_unsafe)]
#[search_path(pg_catalog, pg_temp)]
fn profile(profile_id: i64, events: default!(i32, 20)) -> Option<Jsonb> {
    // With the caller's rights, as the view cdp.profiles is read.
    crate::install::require_tables()
        .and_then(|()| whole(profile_id, events))
        .or_raise()
        .map(Jsonb)
}

/// Its JSON text. What sources said is spliced in as text: it may hold numbers and depths that no
/// tree of ours does.
fn whole(asked: i64, events: i32) -> Result<Option<String>> {
    let Some(profile_id) = crate::identity::resolve::profile_of(asked) else {
        return Ok(None);
    };
    let Some(seen) = sql::read_first(
        "SELECT to_jsonb(first_seen) #>> '{}', to_jsonb(last_seen) #>> '{}' \
         FROM cdp.profile_rows WHERE profile_id = $1",
        args![profile_id],
        |row| (row.get::<String>(1), row.get::<String>(2)),
    ) else {
        return Ok(None);
    };
    let parts = [
        ("profile_id", profile_id.to_string()),
        ("first_seen", Value::from(seen.0).to_string()),
        ("last_seen", Value::from(seen.1).to_string()),
        (
            "identifiers",
            aggregate(
                "SELECT coalesce(jsonb_agg(jsonb_build_object('type', i.type, 'value', i.value) \
                     ORDER BY t.priority, i.node_id), '[]')::text \
                 FROM cdp.profile_identifiers i JOIN cdp.identifier_types t ON t.name = i.type \
                 WHERE i.profile_id = $1",
                args![profile_id],
            ),
        ),
        ("traits", traits(profile_id)?.to_string()),
        (
            "segments",
            aggregate(
                "SELECT coalesce(jsonb_agg(jsonb_build_object('segment', segment, 'entered_at', entered_at) \
                     ORDER BY segment), '[]')::text \
                 FROM cdp.segment_members WHERE profile_id = $1",
                args![profile_id],
            ),
        ),
        (
            "events",
            aggregate(
                "SELECT coalesce(jsonb_agg(e.event), '[]')::text FROM ( \
                     SELECT jsonb_build_object('time', e.\"time\", 'type', e.type, 'name', e.name, \
                                'source', s.name, 'properties', e.properties) AS event \
                     FROM cdp.profile_events e JOIN cdp.sources s ON s.source_id = e.source_id \
                     WHERE e.profile_id = $1 ORDER BY e.\"time\" DESC, e.event_id DESC LIMIT $2) e",
                args![profile_id, events.max(0)],
            ),
        ),
    ];
    let members: Vec<String> = parts
        .into_iter()
        .map(|(name, json)| format!("\"{name}\":{json}"))
        .collect();
    Ok(Some(format!("{{{}}}", members.join(","))))
}

fn aggregate(sql: &str, args: &crate::pg::Args) -> String {
    sql::read_first(sql, args, |row| row.want::<String>(1)).unwrap_or_default()
}

/// Every trait with where its value comes from and when it was said.
fn traits(profile_id: i64) -> Result<Value> {
    let rules = Rules::load()?;
    let stored = sql::read_rows(
        "SELECT t.source_id, t.candidates::text FROM cdp.profile_sets s JOIN cdp.set_traits t USING (set_id) \
         WHERE s.profile_id = $1",
        args![profile_id],
        |row| (row.want::<i32>(1), row.want::<String>(2)),
    );
    let mut states = stored
        .into_iter()
        .map(|(source, text)| {
            Candidates::from_json(&text)
                .map(|state| (source, state))
                .map_err(|error| Error::internal(error.message))
        })
        .collect::<Result<Vec<_>>>()?;
    if rules.slices_time() {
        let sliced = super::sliced::said(&rules, &[profile_id])?;
        states.extend(sliced.into_iter().map(|(_, source, state)| (source, state)));
    }
    let source_name = |id: i32| {
        rules
            .sources
            .iter()
            .find(|(_, source)| source.id == id)
            .map_or("", |(name, _)| name.as_str())
    };
    let mut names: Vec<&str> = states
        .iter()
        .flat_map(|(_, state)| state.trait_names())
        .collect();
    names.sort_unstable();
    names.dedup();
    let mut out = Map::new();
    for name in names {
        let candidates = states
            .iter()
            .flat_map(|(source, state)| state.of(name).map(move |c| (*source, c)));
        let undeclared = TraitSpec::undeclared(name);
        let spec = rules
            .declared(name)
            .map_or(&undeclared, |declared| &declared.spec);
        let survival = survive(spec, candidates);
        let mut shown = Map::new();
        if let Some(winner) = survival.winner {
            shown.insert("value".to_owned(), winner.value);
            shown.insert("source".to_owned(), source_name(winner.source_id).into());
            shown.insert("time".to_owned(), time_text(winner.time));
        }
        if let Some(misfit) = survival.misfit {
            shown.insert(
                "misfit".to_owned(),
                json!({"value": misfit.value, "reason": misfit.reason,
                       "source": source_name(misfit.source_id), "time": time_text(misfit.time)}),
            );
        }
        out.insert(name.to_owned(), Value::Object(shown));
    }
    Ok(Value::Object(out))
}

fn time_text(micros: i64) -> Value {
    sql::read_first(
        "SELECT to_jsonb($1) #>> '{}'",
        args![time::to_pg(micros)],
        |row| row.get::<String>(1),
    )
    .flatten()
    .into()
}
