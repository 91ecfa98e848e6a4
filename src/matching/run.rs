//! `cdp.train_matcher()` and `cdp.run_matcher()`, and running all anew for a rebuild.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use cdp_engine::matching::Matcher as Trained;
use cdp_engine::matching::matcher::{Kind as Found, Limits, Pair, Run};
use pgrx::prelude::*;

use super::rows::{self, MOST_TIED, Nodes};
use super::store::{self, Matcher};
use super::{keys, known, work};
use crate::identity::asserted::{Pair as Ends, pair};
use crate::identity::history::Cause;
use crate::identity::matched::{Change, Kind, Match};
use crate::pg::error::OrRaise;
use crate::pg::reader;
use crate::pg::{Error, Result, role, transaction};
use crate::rules::Rules;
use crate::worker::progress;
use crate::{args, install, pipeline};

/// Trains a matcher on the records that there are, and on what was decided by hand; the version of the
/// new model. It is used from the next run on. The pipeline goes on meanwhile.
///
/// # Errors
/// 42704 if there is no such matcher; 53400 past `cdp.matching_memory`.
#[pg_extern(volatile, parallel_unsafe)]
#[search_path(pg_catalog, pg_temp)]
fn train_matcher(matcher: Option<&str>) -> i32 {
    with_rights("cdp.train_matcher()", |by| {
        let asked = store::by_name(matcher)?;
        let (input, model, _) = train(&asked, Input::read(&asked)?)?;
        lock();
        let now = store::by_name(matcher)?;
        if (now.id, &now.sources, &now.settings) != (asked.id, &asked.sources, &asked.settings) {
            return Err(Error::state(format!(
                "matcher \"{}\" was changed while it was trained",
                now.name
            ))
            .hint("Train it again."));
        }
        let version = store::put_model(&now, &model, input.nodes.records.len(), by)?;
        progress::finish();
        Ok(version)
    })
    .or_raise()
}

/// Matches all records of a matcher's sources, by its newest model (it is trained if it has none), and
/// brings profiles up to date. From then on it matches records as they come. How many pairs it found,
/// by kind. The pipeline waits until all that is done and committed: it could change the records meanwhile.
///
/// # Errors
/// As `cdp.train_matcher()`.
#[pg_extern(volatile, parallel_unsafe)]
#[search_path(pg_catalog, pg_temp)]
fn run_matcher(
    matcher: Option<&str>,
) -> TableIterator<'static, (name!(kind, String), name!(pairs, i64))> {
    let counted = with_rights("cdp.run_matcher()", |by| {
        lock();
        let mut matcher = store::by_name(matcher)?;
        matcher.model = store::newest(&matcher);
        let input = Input::read(&matcher)?;
        let (input, run) = match matcher.model {
            Some(_) => run(&matcher, input, 0)?,
            None => {
                let (input, model, run) = train(&matcher, input)?;
                let records = input.nodes.records.len();
                matcher.model = Some(store::put_model(&matcher, &model, records, by)?);
                (input, run)
            }
        };
        store::put_findings(&matcher, &run.findings)?;
        store::put_in_force(&matcher);
        let mut counts: BTreeMap<&'static str, i64> = BTreeMap::new();
        for pair in &run.pairs {
            *counts.entry(as_match(pair).kind.name()).or_default() += 1;
        }
        let changes = write(&matcher, input, run)?;
        pipeline::rematch(&Rules::load()?, &changes, &Cause::Match)?;
        progress::finish();
        Ok(counts)
    });
    let counted = counted.or_raise().into_iter();
    TableIterator::new(counted.map(|(kind, pairs)| (kind.to_owned(), pairs)))
}

/// Runs a change as the owner role, given who asked for it.
fn with_rights<T>(what: &str, body: impl FnOnce(&str) -> Result<T>) -> Result<T> {
    transaction::require_primary(what)?;
    let by = role::name_of(role::current()).unwrap_or_default();
    role::as_owner(|| {
        install::require_tables()?;
        if install::state() == install::State::Elsewhere {
            install::require_ready()?;
        }
        transaction::require_read_committed(what)?;
        body(&by)
    })
}

fn lock() {
    progress::start("matching: waiting for the pipeline", 0);
    install::lock_pipeline();
}

/// What a matcher reads.
struct Input {
    nodes: Nodes,
    /// The pairs of records that show one identifier, each the lower place first.
    tied: Vec<(u32, u32)>,
}

impl Input {
    fn read(matcher: &Matcher) -> Result<Self> {
        let nodes = rows::all(matcher)?;
        let tied = tied(&nodes.shows);
        Ok(Self { nodes, tied })
    }

    /// What matching it may take, where so many bytes are held besides.
    fn limits(&self, others: usize) -> Limits {
        work::limits(
            None,
            self.nodes.beside() + size_of_val(&self.tied[..]) + others,
        )
    }
}

/// Trains a matcher, and runs it.
fn train(matcher: &Matcher, input: Input) -> Result<(Input, Trained, Run)> {
    let decisions = decisions(&input.nodes.nodes)?;
    let spec = matcher.spec()?;
    let limits = input.limits(0);
    work::run("training", move |cancel, tell| {
        let Input { nodes, tied, .. } = &input;
        let records = &nodes.records;
        let (model, run) = Trained::train(&spec, records, &decisions, tied, &limits, cancel, tell)?;
        Ok((input, model, run))
    })
}

/// Runs a matcher by the model in force, where so many bytes are held for others.
fn run(matcher: &Matcher, input: Input, others: usize) -> Result<(Input, Run)> {
    let trained = Arc::clone(&store::model(matcher)?.trained);
    let limits = input.limits(others);
    work::run("matching", move |cancel, tell| {
        let Input { nodes, tied, .. } = &input;
        let run = trained.run(&nodes.records, tied, &limits, cancel, tell)?;
        Ok((input, run))
    })
}

/// What was decided by hand of these records: places, and whether they are one person.
fn decisions(nodes: &[i64]) -> Result<Vec<(u32, u32, bool)>> {
    let mut said: Vec<(i64, i64, bool)> = Vec::new();
    reader::each(
        "SELECT low, high, true FROM cdp.asserted_links UNION ALL SELECT low, high, false FROM cdp.cannot_links",
        args![],
        |row| {
            said.push((row.want(1), row.want(2), row.want(3)));
            Ok(())
        },
    )?;
    if said.is_empty() {
        return Ok(Vec::new());
    }
    let places: HashMap<i64, u32> = (0..).zip(nodes).map(|(n, &node)| (node, n)).collect();
    said.sort_unstable();
    let place = |(low, high, one)| Some((*places.get(&low)?, *places.get(&high)?, one));
    Ok(said.into_iter().filter_map(place).collect())
}

/// The pairs of records that show one identifier, each the lower place first.
fn tied(shows: &[(i64, u32)]) -> Vec<(u32, u32)> {
    let mut tied = Vec::new();
    for group in shows.chunk_by(|one, next| one.0 == next.0) {
        if group.len() > MOST_TIED {
            continue;
        }
        for (n, &(_, a)) in group.iter().enumerate() {
            tied.extend(group[n + 1..].iter().map(|&(_, b)| (a.min(b), a.max(b))));
        }
    }
    tied.sort_unstable();
    tied.dedup();
    tied
}

/// Writes by what records are found and what they say; what is found that is not stored so.
fn write(matcher: &Matcher, input: Input, run: Run) -> Result<Vec<Change>> {
    // As the engine has it, as the graph does, and what differs.
    let of_pair = size_of::<Pair>() + size_of::<(Ends, Match)>() + 1 + size_of::<Change>();
    let records = input.nodes.records.bytes() + input.nodes.beside();
    work::allow("The pairs found", records + run.pairs.len() * of_pair)?;
    let found = found(&input.nodes.nodes, &run.pairs);
    drop(run);
    let changes = differences(matcher, &found)?;
    known::write(matcher, &input.nodes)?;
    keys::write(matcher, input.nodes)?;
    Ok(changes)
}

/// A pair as the graph takes it.
pub fn as_match(pair: &Pair) -> Match {
    Match {
        kind: match pair.kind {
            Found::Link => Kind::Link,
            Found::Cut => Kind::Cut,
            Found::Review => Kind::Review,
            Found::Household => Kind::Household,
            Found::NonMatch => Kind::NonMatch,
        },
        weight: pair.weight,
        probability: pair.probability as f32,
        household: Some(pair.household as f32),
    }
}

fn found(nodes: &[i64], pairs: &[Pair]) -> Vec<(Ends, Match)> {
    let mut found: Vec<_> = pairs
        .iter()
        .map(|one| {
            let ends = pair(nodes[one.a as usize], nodes[one.b as usize]);
            (ends, as_match(one))
        })
        .collect();
    found.sort_unstable_by_key(|(ends, _)| *ends);
    found
}

/// What is found now and was not stored so, or is found no more.
fn differences(matcher: &Matcher, found: &[(Ends, Match)]) -> Result<Vec<Change>> {
    let mut seen = vec![false; found.len()];
    let mut changes: Vec<Change> = Vec::new();
    reader::each(
        "SELECT low, high, kind, weight, probability::text, household::text FROM cdp.matches WHERE matcher_id = $1",
        args![matcher.id],
        |row| {
            let ends = (row.want(1), row.want(2));
            let Ok(at) = found.binary_search_by_key(&ends, |(ends, _)| *ends) else {
                changes.push(((ends, matcher.id), None));
                return Ok(());
            };
            let now = &found[at].1;
            let kind: &str = row.want(3);
            let number = |n| row.get::<&str>(n).and_then(|text| text.parse::<f32>().ok());
            seen[at] = (kind, row.want::<i32>(4), number(5), number(6))
                == (
                    now.kind.name(),
                    now.weight,
                    Some(now.probability),
                    now.household,
                );
            Ok(())
        },
    )?;
    let new = found.iter().zip(seen).filter(|(_, seen)| !seen);
    changes.extend(new.map(|((ends, now), _)| ((*ends, matcher.id), Some(*now))));
    Ok(changes)
}

/// Runs all matchers that were run anew, with the models in force; what they find otherwise. The graph
/// follows. Under the pipeline lock.
pub fn rebuild() -> Result<Vec<Change>> {
    let mut changes = Vec::new();
    for matcher in store::live()? {
        let held = size_of_val(&changes[..]);
        let (input, run) = run(&matcher, Input::read(&matcher)?, held)?;
        changes.extend(write(&matcher, input, run)?);
    }
    Ok(changes)
}
