//! The rows of `cdp.profile_rows`.

use std::collections::{BTreeSet, HashMap, HashSet};

use cdp_engine::traits::{Candidates, TraitSpec, survive};
use pgrx::datum::{DatumWithOid, TimestampWithTimeZone};
use serde_json::{Map, Value};

use super::sets::{Sets, Told, told};
use super::sliced;
use crate::args;
use crate::pg::look_up::{self, LookUp};
use crate::pg::{Error, Result, sql, time};
use crate::rules::Rules;
use crate::worker::progress;

/// The profiles that these sets belong to.
pub fn of_sets(sets: &[i64]) -> Vec<i64> {
    if sets.is_empty() {
        return Vec::new();
    }
    sql::rows(
        "SELECT DISTINCT c.profile_id FROM unnest($1::bigint[]) u (set_id) \
         JOIN cdp.set_nodes s ON s.set_id = u.set_id \
         JOIN cdp.clusters c ON c.node_id = s.node_id",
        args![sets.to_vec()],
        |row| row.want::<i64>(1),
    )
}

/// The profile of each of these sets that belongs to one, at all times.
pub fn by_set(sets: &[i64]) -> HashMap<i64, i64> {
    let mut profiles = HashMap::with_capacity(sets.len());
    if sets.is_empty() {
        return profiles;
    }
    let mut clusters = LookUp::open("cdp.clusters", &["node_id"], &["profile_id"]);
    look_up::each(
        ("cdp.set_nodes", &["set_id"]),
        &["node_id", "starts"],
        sets.iter().copied(),
        |values, set| {
            values.put(set);
        },
        |set, found| {
            if found.get::<TimestampWithTimeZone>(2).is_some() {
                return;
            }
            let node: i64 = found.want(1);
            clusters.find(
                |values| {
                    values.put(node);
                },
                |found| {
                    profiles.insert(set, found.want(1));
                    false
                },
            );
        },
    );
    clusters.close();
    profiles
}

/// Moves `first_seen` and `last_seen` of the profiles of these sets, each with the first and the last
/// time that it was shown; profiles that have just been computed anew (sorted) know them already.
pub fn touch(
    shown: impl Iterator<Item = (i64, (i64, i64))>,
    profiles: &HashMap<i64, i64>,
    except: &[i64],
) {
    let mut seen: HashMap<i64, (i64, i64)> = HashMap::new();
    for (set, (earliest, latest)) in shown {
        let Some(profile) = profiles.get(&set) else {
            continue;
        };
        if except.binary_search(profile).is_err() {
            let (first, last) = seen.entry(*profile).or_insert((earliest, latest));
            (*first, *last) = (earliest.min(*first), latest.max(*last));
        }
    }
    if seen.is_empty() {
        return;
    }
    let mut seen: Vec<(i64, (i64, i64))> = seen.into_iter().collect();
    seen.sort_unstable();
    sql::run(
        "UPDATE cdp.profile_rows p \
         SET first_seen = least(p.first_seen, u.first_seen), last_seen = greatest(p.last_seen, u.last_seen) \
         FROM unnest($1::bigint[], $2::timestamptz[], $3::timestamptz[]) u (profile_id, first_seen, last_seen) \
         WHERE p.profile_id = u.profile_id \
           AND (u.first_seen < p.first_seen OR u.last_seen > p.last_seen)",
        args![
            seen.iter().map(|s| s.0).collect::<Vec<_>>(),
            seen.iter().map(|s| time::to_pg(s.1.0)).collect::<Vec<_>>(),
            seen.iter().map(|s| time::to_pg(s.1.1)).collect::<Vec<_>>()
        ],
    );
}

/// Profiles that are computed at once.
const PART: usize = 20_000;

/// Computes these profiles (sorted) anew; those that no longer exist lose their row.
pub fn refresh(rules: &Rules, profile_ids: &[i64]) -> Result<()> {
    let is_long = profile_ids.len() > PART;
    if is_long {
        progress::start("profiles", profile_ids.len() as i64);
    }
    let sets = Sets::read(profile_ids)?;
    let mut done = 0;
    for part in profile_ids.chunks(PART) {
        pgrx::check_for_interrupts!();
        let next = done + part.len();
        let told = match &sets {
            Some(sets) => sets.told(done..next),
            None => told(part),
        };
        refresh_part(rules, part, told)?;
        done = next;
        if is_long {
            progress::step(done as i64);
        }
    }
    Ok(())
}

fn refresh_part(rules: &Rules, profile_ids: &[i64], told: Vec<(i64, Told)>) -> Result<()> {
    let mut seen = Vec::with_capacity(profile_ids.len());
    let mut said: HashMap<i64, Vec<(i32, Candidates)>> = HashMap::new();
    for (profile_id, told) in told {
        let Some((first, last)) = told.seen else {
            continue;
        };
        seen.push((profile_id, time::to_pg(first), time::to_pg(last)));
        for (source_id, text) in told.said {
            let state = Candidates::from_json(&text)
                .map_err(|error| Error::internal(error.message).hint(error.hint))?;
            said.entry(profile_id).or_default().push((source_id, state));
        }
    }
    if rules.slices_time() {
        sliced::widen(&mut seen, profile_ids);
        for (profile_id, source_id, state) in sliced::said(rules, profile_ids)? {
            said.entry(profile_id).or_default().push((source_id, state));
        }
    }
    let mut columns = Columns::new(rules, seen.len());
    for (profile_id, first_seen, last_seen) in seen {
        let states = said.remove(&profile_id).unwrap_or_default();
        columns.push(rules, profile_id, first_seen, last_seen, &states);
    }
    let standing: HashSet<i64> = columns.profile_id.iter().copied().collect();
    let gone = profile_ids.iter().copied();
    let gone: Vec<i64> = gone.filter(|id| !standing.contains(id)).collect();
    if !gone.is_empty() {
        sql::run(
            "DELETE FROM cdp.profile_rows WHERE profile_id = ANY ($1)",
            args![gone],
        );
    }
    columns.write(rules);
    Ok(())
}

/// The value of every trait of a profile: those declared, in order, and the rest.
pub struct Traits {
    /// Texts for the columns of declared traits.
    pub declared: Vec<Option<String>>,
    /// All others, and values that did not fit.
    pub extra: Map<String, Value>,
}

/// What survives of what was said of a profile.
pub fn traits(rules: &Rules, states: &[(i32, Candidates)]) -> Traits {
    let mut extra = Map::new();
    let candidates = |name: &str| {
        let name = name.to_owned();
        states.iter().flat_map(move |(source, state)| {
            state
                .of(&name)
                .map(|candidate| (*source, candidate))
                .collect::<Vec<_>>()
        })
    };
    let declared = rules
        .traits
        .iter()
        .map(|declared| {
            let survival = survive(&declared.spec, candidates(&declared.spec.name));
            if let Some(misfit) = survival.misfit {
                extra.insert(declared.spec.name.clone(), misfit.value);
            }
            survival.winner.map(|winner| winner.coerced.to_text())
        })
        .collect();
    let names: BTreeSet<&str> = states
        .iter()
        .flat_map(|(_, state)| state.trait_names())
        .collect();
    for name in names
        .into_iter()
        .filter(|name| rules.declared(name).is_none())
    {
        let survival = survive(&TraitSpec::undeclared(name), candidates(name));
        if let Some(winner) = survival.winner {
            extra.insert(name.to_owned(), winner.value);
        }
    }
    Traits { declared, extra }
}

struct Columns {
    profile_id: Vec<i64>,
    first_seen: Vec<TimestampWithTimeZone>,
    last_seen: Vec<TimestampWithTimeZone>,
    extra: Vec<String>,
    declared: Vec<Vec<Option<String>>>,
}

impl Columns {
    fn new(rules: &Rules, rows: usize) -> Self {
        Self {
            profile_id: Vec::with_capacity(rows),
            first_seen: Vec::with_capacity(rows),
            last_seen: Vec::with_capacity(rows),
            extra: Vec::with_capacity(rows),
            declared: vec![Vec::with_capacity(rows); rules.traits.len()],
        }
    }

    fn push(
        &mut self,
        rules: &Rules,
        profile_id: i64,
        first_seen: TimestampWithTimeZone,
        last_seen: TimestampWithTimeZone,
        states: &[(i32, Candidates)],
    ) {
        let traits = traits(rules, states);
        self.profile_id.push(profile_id);
        self.first_seen.push(first_seen);
        self.last_seen.push(last_seen);
        self.extra.push(Value::Object(traits.extra).to_string());
        for (column, value) in self.declared.iter_mut().zip(traits.declared) {
            column.push(value);
        }
    }

    fn write(self, rules: &Rules) {
        if self.profile_id.is_empty() {
            return;
        }
        // One text array a declared trait, cast to its type: the engine made sure that it can be.
        let mut names = Vec::new();
        let mut values = Vec::new();
        let mut arrays = vec![
            "$1::bigint[]".to_owned(),
            "$2::timestamptz[]".to_owned(),
            "$3::timestamptz[]".to_owned(),
            "$4::text[]".to_owned(),
        ];
        let mut aliases = vec![
            "profile_id".to_owned(),
            "first_seen".to_owned(),
            "last_seen".to_owned(),
            "extra".to_owned(),
        ];
        for (n, declared) in rules.traits.iter().enumerate() {
            names.push(pgrx::spi::quote_identifier(&declared.column));
            values.push(format!("u.v{n}::{}", declared.spec.ty.as_sql()));
            arrays.push(format!("${}::text[]", n + 5));
            aliases.push(format!("v{n}"));
        }
        let list = |first: &[&str], rest: &[String]| {
            first
                .iter()
                .map(|s| (*s).to_owned())
                .chain(rest.iter().cloned())
                .collect::<Vec<_>>()
                .join(", ")
        };
        let targets = list(&["first_seen", "last_seen", "extra"], &names);
        let fresh: Vec<String> = targets
            .split(", ")
            .map(|column| format!("EXCLUDED.{column}"))
            .collect();
        let present: Vec<String> = targets
            .split(", ")
            .map(|column| format!("p.{column}"))
            .collect();
        let statement = format!(
            "INSERT INTO cdp.profile_rows AS p (profile_id, {targets}) \
             SELECT {} FROM unnest({}) u ({}) \
             ON CONFLICT (profile_id) DO UPDATE SET ({targets}) = ROW ({}) \
             WHERE ({}) IS DISTINCT FROM ({})",
            list(
                &[
                    "u.profile_id",
                    "u.first_seen",
                    "u.last_seen",
                    "u.extra::jsonb"
                ],
                &values
            ),
            arrays.join(", "),
            aliases.join(", "),
            fresh.join(", "),
            present.join(", "),
            fresh.join(", "),
        );
        let mut arguments: Vec<DatumWithOid> = vec![
            self.profile_id.into(),
            self.first_seen.into(),
            self.last_seen.into(),
            self.extra.into(),
        ];
        arguments.extend(self.declared.into_iter().map(DatumWithOid::from));
        sql::run(&statement, &arguments);
    }
}

/// Every profile, and every row that should be none, in order.
pub fn all() -> Vec<i64> {
    sql::rows(
        "SELECT DISTINCT profile_id FROM cdp.clusters UNION SELECT profile_id FROM cdp.profile_rows \
          ORDER BY 1",
        args![],
        |row| row.want::<i64>(1),
    )
}
