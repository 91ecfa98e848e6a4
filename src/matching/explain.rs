//! One pair of records explained, and one record against all.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use cdp_engine::matching::PairScore;
use cdp_engine::matching::report::{page, waterfall};
use cdp_engine::matching::score::Scorer;
use pgrx::prelude::*;
use serde_json::Value;

use super::keys::{Blocks, keys_of};
use super::rows::{self, Said};
use super::standalone::name;
use super::store::{self, Matcher, Model, compared};
use crate::args;
use crate::install;
use crate::pg::error::OrRaise;
use crate::pg::look_up::LookUp;
use crate::pg::{Error, Result, role, sql};

/// What each comparison of two records adds to the weight of their match, in hundredths of a bit; their
/// sum is the weight. Where the matcher has several sources, these are named.
///
/// # Errors
/// 42704 if there is no such matcher or record; 55000 if it is not trained.
#[pg_extern(volatile, parallel_unsafe)]
#[search_path(pg_catalog, pg_temp)]
#[allow(clippy::type_complexity)]
fn explain_match(
    matcher: Option<&str>,
    key_a: Option<&str>,
    key_b: Option<&str>,
    source_a: default!(Option<&str>, "NULL"),
    source_b: default!(Option<&str>, "NULL"),
) -> TableIterator<
    'static,
    (
        name!(comparison, String),
        name!(level, String),
        name!(value_a, String),
        name!(value_b, String),
        name!(weight, i32),
    ),
> {
    let score = role::as_owner(|| {
        install::require_tables()?;
        let (_, score) = explained(matcher, (source_a, key_a), (source_b, key_b))?;
        Ok(score)
    })
    .or_raise();
    TableIterator::new(score.contributions.into_iter().map(|one| {
        let [a, b] = one.values;
        (one.name, one.level, a, b, one.weight)
    }))
}

type Given<'a> = (Option<&'a str>, Option<&'a str>);

/// What the model says of two records, and the model.
pub fn explained(
    matcher: Option<&str>,
    a: Given,
    b: Given,
) -> Result<(std::rc::Rc<Model>, PairScore)> {
    let matcher = store::by_name(matcher)?;
    let model = store::model(&matcher)?;
    let mut records = rows::empty(&compared(&matcher.sources));
    for given in [a, b] {
        rows::push(&mut records, &record(&matcher, given)?);
    }
    let scorer = scorer(&model, &records)?;
    let score = scorer.scoring().explain(0, 1);
    drop(scorer);
    Ok((model, score))
}

fn scorer<'a>(model: &'a Model, records: &'a cdp_engine::matching::Records) -> Result<Scorer<'a>> {
    Scorer::with_weights(&model.trained.model, Arc::clone(&model.weights), records)
        .map_err(|error| Error::internal(error.to_string()))
}

/// What a record says to a matcher.
fn record(matcher: &Matcher, (source, key): Given) -> Result<Said> {
    let key = key.ok_or_else(|| Error::invalid("a key is NULL"))?;
    let source = match (source, matcher.sources.len()) {
        (Some(source), _) if matcher.sources.contains_key(source) => source,
        (None, 1) => matcher.sources.keys().next().map_or("", String::as_str),
        (given, _) => {
            let known: Vec<&str> = matcher.sources.keys().map(String::as_str).collect();
            return Err(Error::unknown(match given {
                Some(source) => format!("matcher \"{}\" has no source \"{source}\"", matcher.name),
                None => format!("matcher \"{}\" has several sources", matcher.name),
            })
            .hint(format!(
                "Name source_a and source_b; there are: {}.",
                known.join(", ")
            )));
        }
    };
    let found = rows::some(matcher, source, &[key.to_owned()]);
    found.into_values().next().ok_or_else(|| {
        Error::unknown(format!("source \"{source}\" has no record \"{key}\""))
            .hint("The key is that of the row, as in cdp.profile_records.")
    })
}

/// The same as a picture, an SVG document that needs nothing else.
///
/// # Errors
/// As `cdp.explain_match()`.
#[pg_extern(volatile, parallel_unsafe)]
#[search_path(pg_catalog, pg_temp)]
fn explain_match_svg(
    matcher: Option<&str>,
    key_a: Option<&str>,
    key_b: Option<&str>,
    source_a: default!(Option<&str>, "NULL"),
    source_b: default!(Option<&str>, "NULL"),
) -> String {
    role::as_owner(|| {
        install::require_tables()?;
        let (model, score) = explained(matcher, (source_a, key_a), (source_b, key_b))?;
        let name = |source: Option<&str>, key: Option<&str>| {
            let parts: Vec<&str> = source.into_iter().chain(key).collect();
            parts.join(" ")
        };
        let names = [name(source_a, key_a), name(source_b, key_b)];
        Ok(waterfall(
            [&names[0], &names[1]],
            &score,
            model.trained.thresholds.link,
        ))
    })
    .or_raise()
}

/// What a matcher knows and what its last run found, as one HTML page that needs nothing else. It shows
/// values by which too many records agree, as they are in the data.
///
/// # Errors
/// 42704 if there is no such matcher; 55000 if it is not trained.
#[pg_extern(volatile, parallel_unsafe)]
#[search_path(pg_catalog, pg_temp)]
fn matcher_report(matcher: Option<&str>) -> String {
    role::as_owner(|| {
        install::require_tables()?;
        let matcher = store::by_name(matcher)?;
        let model = store::model(&matcher)?;
        Ok(page(
            &matcher.name,
            &model.trained.model,
            &store::findings(&matcher)?,
        ))
    })
    .or_raise()
}

/// The records that are, or may be, of the same person as a record that is stored nowhere: JSON, by the names
/// of columns. The surest first, `most` of them. Changes nothing, and serves on a standby.
///
/// # Errors
/// 42704 if there is no such matcher; 55000 if it was not run; 22023 if the record has none of its columns.
#[pg_extern(stable, parallel_unsafe)]
#[search_path(pg_catalog, pg_temp)]
#[allow(clippy::type_complexity)]
fn match_candidates(
    matcher: Option<&str>,
    record: Option<pgrx::JsonB>,
    most: default!(i32, 20),
) -> TableIterator<
    'static,
    (
        name!(source, String),
        name!(key, String),
        name!(profile_id, Option<i64>),
        name!(kind, String),
        name!(weight, i32),
        name!(probability, f64),
        name!(household, f64),
    ),
> {
    let found = role::as_owner(|| {
        install::require_tables()?;
        let matcher = store::by_name(matcher)?;
        let record = record
            .and_then(|record| match record.0 {
                Value::Object(fields) => Some(fields),
                _ => None,
            })
            .ok_or_else(|| Error::invalid("record is no JSON object").hint(EXAMPLE))?;
        candidates(&matcher, &record, most.max(0) as usize)
    })
    .or_raise();
    TableIterator::new(found)
}

const EXAMPLE: &str = "For instance: '{\"first_name\": \"Ana\", \"last_name\": \"Reis\"}'.";

type Candidate = (String, String, Option<i64>, String, i32, f64, f64);

fn candidates(
    matcher: &Matcher,
    fields: &serde_json::Map<String, Value>,
    most: usize,
) -> Result<Vec<Candidate>> {
    let model = store::model(matcher)?;
    let said = said_by(matcher, fields)?;
    let keys = keys_of(matcher, &model.trained)?;
    let mut nodes: BTreeSet<i64> = BTreeSet::new();
    let mut blocks = Blocks::open(matcher);
    for (rule, key) in keys.of(&said) {
        let cap = keys.cap(rule) as usize;
        let block = blocks.members((rule as i16, key as i64), cap);
        nodes.extend(block.into_iter().flatten());
    }
    blocks.close();
    let mut records = rows::empty(&compared(&matcher.sources));
    rows::push(&mut records, &said);
    let mut read: Vec<i64> = Vec::with_capacity(nodes.len());
    let mut stored = LookUp::open("cdp.match_records", &["node_id", "matcher_id"], &["said"]);
    for node in nodes {
        stored.find(
            |values| {
                values.put(node).put(matcher.id);
            },
            |found| {
                if let Ok(said) = serde_json::from_str::<Said>(&found.want::<String>(1)) {
                    rows::push(&mut records, &said);
                    read.push(node);
                }
                false
            },
        );
    }
    stored.close();
    let scorer = scorer(&model, &records)?;
    let mut scoring = scorer.scoring();
    let mut found: Vec<_> = (1u32..)
        .zip(&read)
        .filter_map(|(place, &node)| {
            let verdict = scoring.verdict(0, place);
            Some((verdict, model.trained.kind(&verdict, false)?, node))
        })
        .collect();
    found.sort_by_key(|(verdict, _, node)| (-verdict.weight, *node));
    found.truncate(most);
    let mut identifiers = LookUp::open("cdp.identifiers", &["node_id"], &["type_id", "value"]);
    let mut clusters = LookUp::open("cdp.clusters", &["node_id"], &["profile_id"]);
    let mut sources: HashMap<i32, Option<String>> = HashMap::new();
    let mut candidates = Vec::with_capacity(found.len());
    for (verdict, kind, node) in found {
        let mut record: Option<(i32, String)> = None;
        identifiers.find(
            |values| {
                values.put(node);
            },
            |found| {
                record = Some((found.want(1), found.want(2)));
                false
            },
        );
        let Some((type_id, key)) = record else {
            continue;
        };
        let source = sources.entry(type_id).or_insert_with(|| source_of(type_id));
        let Some(source) = source.clone() else {
            continue;
        };
        let mut profile = None;
        clusters.find(
            |values| {
                values.put(node);
            },
            |found| {
                profile = found.get(1);
                false
            },
        );
        candidates.push((
            source,
            key,
            profile,
            name(kind).to_owned(),
            verdict.weight,
            verdict.probability,
            verdict.household,
        ));
    }
    identifiers.close();
    clusters.close();
    Ok(candidates)
}

/// The source whose records are identifiers of this type.
fn source_of(type_id: i32) -> Option<String> {
    sql::look_up(
        "SELECT s.name FROM cdp.identifier_types t JOIN cdp.sources s ON s.source_id = t.record_source_id \
          WHERE t.type_id = $1",
        args![type_id],
        |row| row.want(1),
    )
}

/// What a record in JSON says: its fields are compared columns, or columns of a source.
fn said_by(matcher: &Matcher, fields: &serde_json::Map<String, Value>) -> Result<Said> {
    let compared = compared(&matcher.sources);
    let mut said: Said = vec![Vec::new(); compared.len()];
    let mut known = false;
    for (position, (name, meaning)) in compared.iter().enumerate() {
        let mut names: BTreeSet<&str> = matcher
            .sources
            .keys()
            .flat_map(|source| matcher.columns_of(source)[position].clone())
            .collect();
        names.insert(name);
        for field in names {
            let Some(value) = fields.get(field) else {
                continue;
            };
            known = true;
            rows::in_json(value, &mut |text| {
                said[position].extend(meaning.normalise(text))
            });
        }
    }
    if known {
        return Ok(said);
    }
    let names: Vec<&str> = compared.iter().map(|(name, _)| name.as_str()).collect();
    Err(
        Error::invalid("the record has none of the columns that are compared")
            .hint(format!("They are: {}.", names.join(", "))),
    )
}
