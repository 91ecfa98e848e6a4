//! Trait candidates of each set and source: the mergeable state from which traits survive.

use std::collections::{BTreeMap, HashSet};

use cdp_engine::traits::Candidates;

use crate::args;
use crate::evidence::{Statement, tie};
use crate::pg::append::append;
use crate::pg::value::{Json, JsonbText};
use crate::pg::{Error, Result, look_up, sql, time};
use crate::rules::Rules;

/// Candidates by set and source.
pub type States = BTreeMap<(i64, i32), Candidates>;

/// What statements say, as states.
pub fn fold<'a>(rules: &Rules, statements: impl Iterator<Item = &'a Statement>) -> States {
    let mut states = States::new();
    for statement in statements.filter(|s| !s.trait_values.is_empty()) {
        let state = states
            .entry((statement.set_id, statement.source_id))
            .or_default();
        let tie = statement.tie();
        for (name, value) in &statement.trait_values {
            add(rules, state, name, value, statement.said_at, &tie);
        }
    }
    states
}

/// Adds a value that was said to a state.
pub(super) fn add(
    rules: &Rules,
    state: &mut Candidates,
    name: &str,
    value: &serde_json::Value,
    time: i64,
    tie: &str,
) {
    // What jsonb cannot hold was refused when the message was read; a value nested too deep to be a
    // trait stays in the stored message.
    let _ = state.add(name, value, time, tie, rules.keep(name));
}

/// Adds states to those stored; `new_sets` have none. The sets concerned.
pub fn merge(rules: &Rules, mut states: States, new_sets: &HashSet<i64>) -> Result<Vec<i64>> {
    // Statements that only said null said nothing.
    states.retain(|_, state| !state.is_empty());
    if states.is_empty() {
        return Ok(Vec::new());
    }
    let mut stored: Vec<((i64, i32), JsonbText)> = Vec::new();
    look_up::each(
        ("cdp.set_traits", &["set_id", "source_id"]),
        &["candidates"],
        states
            .keys()
            .copied()
            .filter(|key| !new_sets.contains(&key.0)),
        |values, (set, source)| {
            values.put(set).put(source);
        },
        |key, found| stored.push((key, found.want(1))),
    );
    let known: HashSet<(i64, i32)> = stored.iter().map(|(key, _)| *key).collect();
    for (key, JsonbText(text)) in stored {
        let mut known = parse(&text)?;
        if let Some(state) = states.get_mut(&key) {
            let before = known.clone();
            known.merge(state, |name| rules.keep(name));
            if known == before {
                states.remove(&key);
            } else {
                *state = known;
            }
        }
    }
    let (known, new): (States, States) =
        states.into_iter().partition(|(key, _)| known.contains(key));
    append(
        "cdp.set_traits",
        &["set_id", "source_id", "candidates"],
        &new,
        |values, (key, state)| {
            values.put(key.0).put(key.1).put(Json(&state.to_json()));
        },
    );
    let mut sets = put(&known);
    sets.extend(new.keys().map(|key| key.0));
    sets.sort_unstable();
    sets.dedup();
    Ok(sets)
}

/// Writes states as they are. The sets concerned.
fn put(states: &States) -> Vec<i64> {
    if states.is_empty() {
        return Vec::new();
    }
    sql::run(
        "INSERT INTO cdp.set_traits AS t (set_id, source_id, candidates) \
         SELECT u.set_id, u.source_id, u.candidates::jsonb \
         FROM unnest($1::bigint[], $2::integer[], $3::text[]) u (set_id, source_id, candidates) \
         ON CONFLICT (set_id, source_id) DO UPDATE SET candidates = EXCLUDED.candidates",
        args![
            states.keys().map(|key| key.0).collect::<Vec<_>>(),
            states.keys().map(|key| key.1).collect::<Vec<_>>(),
            states.values().map(Candidates::to_json).collect::<Vec<_>>()
        ],
    );
    let mut sets: Vec<i64> = states.keys().map(|key| key.0).collect();
    sets.dedup();
    sets
}

/// Forgets what these sets said through one source.
pub fn forget(pairs: &[(i64, i32)]) {
    if pairs.is_empty() {
        return;
    }
    sql::run(
        "DELETE FROM cdp.set_traits t USING unnest($1::bigint[], $2::integer[]) u (set_id, source_id) \
         WHERE t.set_id = u.set_id AND t.source_id = u.source_id",
        args![
            pairs.iter().map(|pair| pair.0).collect::<Vec<_>>(),
            pairs.iter().map(|pair| pair.1).collect::<Vec<_>>()
        ],
    );
}

/// Folds what is stored of these sets and sources anew, after something was revoked or stands again.
pub fn recount(rules: &Rules, pairs: &[(i64, i32)]) -> Result<()> {
    for part in pairs.chunks(20_000) {
        pgrx::check_for_interrupts!();
        forget(part);
        let mut states = stored(
            rules,
            concat!(
                "SELECT * FROM (",
                include_str!("../../sql/said_traits.sql"),
                ") f WHERE f.set_id = ANY ($1)"
            ),
            args![part.iter().map(|pair| pair.0).collect::<Vec<_>>()],
        )?;
        let wanted: std::collections::HashSet<&(i64, i32)> = part.iter().collect();
        states.retain(|key, _| wanted.contains(key));
        put(&states);
    }
    Ok(())
}

/// The states of what is stored.
fn stored(rules: &Rules, said: &str, arguments: &crate::pg::Args) -> Result<States> {
    let mut states = States::new();
    sql::stream(said, arguments, |row| {
        let said: String = row.want(6);
        let traits = cdp_engine::message::trait_values(&said)
            .map_err(|error| Error::internal(format!("stored traits: {error}")))?;
        let state = states.entry((row.want(1), row.want(2))).or_default();
        let tie = tie(row.get::<String>(4).as_deref(), row.want(5));
        let time = time::from_pg(row.want(3));
        for (name, value) in &traits {
            add(rules, state, name, value, time, &tie);
        }
        Ok(())
    })?;
    states.retain(|_, state| !state.is_empty());
    Ok(states)
}

/// Folds all that is stored anew under the rules in force, and writes the differences. The sets
/// concerned.
pub fn rebuild(rules: &Rules) -> Result<Vec<i64>> {
    let mut states = stored(rules, include_str!("../../sql/said_traits.sql"), args![])?;
    let present = sql::rows(
        "SELECT set_id, source_id, candidates::text FROM cdp.set_traits",
        args![],
        |row| {
            (
                (row.want::<i64>(1), row.want::<i32>(2)),
                row.want::<String>(3),
            )
        },
    );
    let mut sets = Vec::new();
    let mut gone = Vec::new();
    for (key, text) in present {
        pgrx::check_for_interrupts!();
        match states.get(&key) {
            Some(state) if *state == parse(&text)? => {
                states.remove(&key);
            }
            Some(_) => {}
            None => {
                gone.push(key);
                sets.push(key.0);
            }
        }
    }
    forget(&gone);
    sets.extend(put(&states));
    sets.sort_unstable();
    sets.dedup();
    Ok(sets)
}

fn parse(text: &str) -> Result<Candidates> {
    Candidates::from_json(text).map_err(|error| Error::internal(error.message).hint(error.hint))
}
