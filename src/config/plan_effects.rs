//! What applying a document would do to profiles and segments. It is applied, looked at and undone, so
//! what is told is what `cdp.apply()` does.

use std::collections::{BTreeMap, HashSet};

use cdp_engine::graph::regroup::{Group, Regrouping};
use pgrx::JsonB;
use pgrx::prelude::*;
use serde_json::{Value, json};

use super::apply::perform;
use super::document::Document;
use super::effects::{Effects, Mode};
use super::names;
use crate::identity::{Outcome, explain, regrouped};
use crate::pg::error::OrRaise;
use crate::pg::{Error, Result, role, sql, time, transaction};
use crate::rules::Rules;
use crate::worker::progress;
use crate::{args, install};

/// How many profiles of a sample are named.
const MOST_NAMED: usize = 10;

/// One thing that would change.
struct Effect {
    effect: &'static str,
    name: String,
    before: Option<i64>,
    after: Option<i64>,
    detail: Option<Value>,
}

impl Effect {
    fn counted(effect: &'static str, name: &str, before: i64, after: i64) -> Self {
        Self {
            effect,
            name: name.to_owned(),
            before: Some(before),
            after: Some(after),
            detail: None,
        }
    }
}

/// What `cdp.apply()` of this document would do to profiles and segments, with at most `samples`
/// examples of each kind, and why. All is computed as by `cdp.apply()`, and undone.
///
/// # Errors
/// As `cdp.apply()`.
#[pg_extern(volatile, parallel_unsafe)]
#[search_path(pg_catalog, pg_temp)]
#[allow(clippy::type_complexity)]
fn plan_effects(
    config: Option<JsonB>,
    samples: default!(Option<i32>, "10"),
) -> TableIterator<
    'static,
    (
        name!(effect, String),
        name!(name, String),
        name!(before, Option<i64>),
        name!(after, Option<i64>),
        name!(detail, Option<JsonB>),
    ),
> {
    let effects = || {
        let JsonB(config) = names::required(config, "config")?;
        let samples = names::required(samples, "samples")?;
        let samples = usize::try_from(samples)
            .map_err(|_| Error::invalid(format!("samples {samples} is less than 0")))?;
        tried(&config, samples)
    };
    let row = |effect: Effect| {
        (
            effect.effect.to_owned(),
            effect.name,
            effect.before,
            effect.after,
            effect.detail.map(JsonB),
        )
    };
    TableIterator::new(effects().or_raise().into_iter().map(row))
}

fn tried(config: &Value, samples: usize) -> Result<Vec<Effect>> {
    const WHAT: &str = "cdp.plan_effects()";
    transaction::require_primary(WHAT)?;
    let document = Document::read(config)?;
    let caller = role::current();
    role::as_owner(|| {
        install::require_tables()?;
        transaction::require_read_committed(WHAT)?;
        progress::start("plan: waiting for the pipeline", 0);
        // The lock is given back with all else.
        let effects = transaction::undone(|| {
            install::lock_pipeline();
            let drawn = Drawn::now();
            let effects = transaction::undone(|| {
                let mut effects = Effects::new(caller, Mode::Try);
                effects_of(&document, &mut effects, samples)
            });
            drawn.give_back();
            effects
        });
        progress::finish();
        effects
    })
}

/// How far the sequences are that only the holder of the pipeline lock draws from. New identifiers then
/// get the ids that were told.
struct Drawn(Vec<(&'static str, i64, bool)>);

impl Drawn {
    fn now() -> Self {
        let read = |name| {
            let sql = format!("SELECT last_value, is_called FROM {name}");
            sql::first(&sql, args![], |row| (name, row.want(1), row.want(2)))
        };
        let names = ["cdp.node_id_seq", "cdp.set_id_seq"];
        Self(names.into_iter().filter_map(read).collect())
    }

    fn give_back(self) {
        for (name, last, called) in self.0 {
            sql::run(
                "SELECT pg_catalog.setval($1::regclass, $2, $3)",
                args![name, last, called],
            );
        }
    }
}

fn effects_of(document: &Document, effects: &mut Effects, samples: usize) -> Result<Vec<Effect>> {
    progress::start("plan: counting what is", 0);
    let began = time::now();
    let before = Counted::now();
    let last_step = sql::one::<i64>("SELECT max(step_id) FROM cdp.identity_steps", args![]);
    perform(document, effects)?;
    let effects = std::mem::replace(effects, Effects::new(effects.caller, effects.mode));
    progress::start("plan: computing what would be", 0);
    let regraphed = effects.finish().map_err(|fault| document.error(*fault))?;
    progress::start("plan: comparing", 0);
    let after = Counted::now();
    let outcome = regraphed.unwrap_or_default();
    let groups = regrouped::groups(&outcome)?;

    let mut told = before.told(&after, &groups);
    told.extend(largest(&groups)?);
    told.extend(segments(&before, &after, began));
    let last_step = last_step.unwrap_or_default();
    told.extend(sampled(&groups, &outcome, samples, last_step)?);
    Ok(told)
}

/// How much there is.
struct Counted {
    profiles: i64,
    /// Blocked, shared.
    inert: (i64, i64),
    /// Accepted, refused.
    links: (i64, i64),
    /// Members by the name of the segment.
    segments: BTreeMap<String, i64>,
}

impl Counted {
    fn now() -> Self {
        let pair = |sql| {
            sql::first(sql, args![], |row| (row.want::<i64>(1), row.want::<i64>(2)))
                .unwrap_or_default()
        };
        Self {
            // Each is named after one of its identifiers.
            profiles: sql::one(
                "SELECT count(*) FROM cdp.clusters WHERE node_id = profile_id",
                args![],
            )
            .unwrap_or(0),
            inert: pair(
                "SELECT count(*) FILTER (WHERE blocked), count(*) FILTER (WHERE shared AND NOT blocked) \
                   FROM cdp.inert_identifiers",
            ),
            links: pair(
                "SELECT coalesce(sum(accepted), 0)::bigint, coalesce(sum(refused), 0)::bigint FROM ( \
                     SELECT count(*) FILTER (WHERE decision = 0) AS accepted, \
                            count(*) FILTER (WHERE decision > 0) AS refused FROM cdp.links \
                     UNION ALL \
                     SELECT count(*) FILTER (WHERE decision = 0), count(*) FILTER (WHERE decision > 0) \
                       FROM cdp.asserted_links) l",
            ),
            segments: sql::rows(
                "SELECT s.name, count(m.profile_id) FROM cdp.segments s LEFT JOIN cdp.memberships m \
                     ON m.segment_id = s.segment_id AND m.left_at IS NULL GROUP BY s.name",
                args![],
                |row| (row.want(1), row.want(2)),
            )
            .into_iter()
            .collect(),
        }
    }

    /// All but segments, against what is `after` it.
    fn told(&self, after: &Self, groups: &[Group]) -> Vec<Effect> {
        let among = |what: Option<Regrouping>, side: fn(&Group) -> usize| -> i64 {
            let of = groups.iter().filter(|g| what.is_none_or(|w| g.what == w));
            of.map(side).sum::<usize>() as i64
        };
        let unchanged = self.profiles - among(None, |g| g.before.len());
        let mut told = vec![
            Effect::counted("profiles", "all", self.profiles, after.profiles),
            Effect::counted("profiles", "unchanged", unchanged, unchanged),
        ];
        for what in Regrouping::ALL {
            let (before, after) = (
                among(Some(what), |g| g.before.len()),
                among(Some(what), |g| g.after.len()),
            );
            told.push(Effect::counted("profiles", what.name(), before, after));
        }
        for (effect, name, before, after) in [
            ("identifiers", "blocked", self.inert.0, after.inert.0),
            ("identifiers", "shared", self.inert.1, after.inert.1),
            ("links", "accepted", self.links.0, after.links.0),
            ("links", "refused", self.links.1, after.links.1),
        ] {
            told.push(Effect::counted(effect, name, before, after));
        }
        told
    }
}

/// The largest profile among those that would be others than now.
fn largest(groups: &[Group]) -> Result<Option<Effect>> {
    let all = groups
        .iter()
        .flat_map(|group| group.after.iter().map(move |after| (*after, group)));
    let Some(((profile, size), group)) =
        all.max_by_key(|((profile, size), _)| (*size, std::cmp::Reverse(*profile)))
    else {
        return Ok(None);
    };
    let was = group.before.iter().map(|before| before.1).max();
    let by_type = sql::one::<JsonB>(
        "SELECT jsonb_object_agg(name, n) FROM ( \
             SELECT t.name, count(*) AS n FROM cdp.clusters c JOIN cdp.identifiers i USING (node_id) \
               JOIN cdp.identifier_types t USING (type_id) WHERE c.profile_id = $1 GROUP BY 1) x",
        args![profile],
    );
    Ok(Some(Effect {
        effect: "largest",
        name: "identifiers".to_owned(),
        before: was.map(|was| was as i64),
        after: Some(size as i64),
        detail: Some(json!({
            "profile_id": profile,
            "named_by": explain::named(profile)?,
            "effect": group.what.name(),
            "identifiers": by_type.map(|JsonB(counts)| counts),
        })),
    }))
}

/// Each segment's size, and how many would enter and leave.
fn segments(before: &Counted, after: &Counted, began: i64) -> Vec<Effect> {
    let crossing: BTreeMap<String, (i64, i64)> = sql::rows(
        "SELECT s.name, count(*) FILTER (WHERE m.left_at IS NULL), \
                count(*) FILTER (WHERE m.left_at IS NOT NULL) \
           FROM cdp.segments s JOIN cdp.memberships m USING (segment_id) \
          WHERE m.entered_at >= $1 AND m.left_at IS NULL \
             OR m.left_at >= $1 AND m.entered_at < $1 GROUP BY 1",
        args![time::to_pg(began)],
        |row| (row.want(1), (row.want(2), row.want(3))),
    )
    .into_iter()
    .collect();
    let mut names: Vec<&String> = before
        .segments
        .keys()
        .chain(after.segments.keys())
        .collect();
    names.sort();
    names.dedup();
    let told = |name: &String| {
        let was = before.segments.get(name).copied();
        let is = after.segments.get(name).copied();
        let (enter, leave) = crossing.get(name).copied().unwrap_or_default();
        Effect {
            effect: "segment",
            name: name.clone(),
            before: was,
            after: is,
            detail: is.map(|_| json!({"enter": enter, "leave": leave})),
        }
    };
    names.into_iter().map(told).collect()
}

/// The first groups of each kind, and why they are what they would be.
fn sampled(
    groups: &[Group],
    outcome: &Outcome,
    samples: usize,
    last_step: i64,
) -> Result<Vec<Effect>> {
    let rules = Rules::load()?;
    let of_kind = |what| groups.iter().filter(move |g| g.what == what).take(samples);
    let chosen: Vec<&Group> = Regrouping::ALL.into_iter().flat_map(of_kind).collect();
    let profiles = chosen.iter().flat_map(|group| &group.after);
    let profiles: HashSet<i64> = profiles.map(|after| after.0).collect();
    let newcomers = regrouped::newcomers(outcome, &profiles, explain::MOST);
    let told = |group: &Group| {
        pgrx::check_for_interrupts!();
        let because: Vec<Value> = explain::because(&rules, group, &newcomers, last_step)?
            .iter()
            .map(|because| {
                let steps: Vec<Value> = because.steps.iter().map(|s| s.to_json()).collect();
                match because.cut {
                    false => json!({"links": steps}),
                    true => json!({"links": steps, "longer": true}),
                }
            })
            .collect();
        Ok(Effect {
            effect: "sample",
            name: group.what.name().to_owned(),
            before: Some(group.before.len() as i64),
            after: Some(group.after.len() as i64),
            detail: Some(json!({
                "before": named(&group.before)?,
                "after": named(&group.after)?,
                "because": because,
            })),
        })
    };
    chosen.into_iter().map(told).collect()
}

fn named(profiles: &[(i64, u64)]) -> Result<Vec<Value>> {
    let first = profiles.iter().take(MOST_NAMED);
    first
        .map(|&(profile, identifiers)| {
            let name = explain::named(profile)?;
            Ok(json!({"profile_id": profile, "named_by": name, "identifiers": identifiers}))
        })
        .collect()
}
