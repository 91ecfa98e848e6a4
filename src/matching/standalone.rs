//! `cdp.dedupe()` and `cdp.link_records()`: matching alone, of the rows of any query.

use cdp_engine::matching::Matcher;
use cdp_engine::matching::matcher::{Kind, Pair, Run};
use pgrx::JsonB;
use pgrx::prelude::*;

use super::table::{Keys, Shape, Table};
use super::{columns, work};
use crate::pg::error::OrRaise;
use crate::pg::result_set::{Cell, ResultSet};
use crate::pg::{Error, Result};
use crate::worker::progress;

/// Finds which rows of a query are of one person: pairs of keys, with what they are, how sure that is, and
/// the cluster that they belong to.
///
/// # Errors
/// 22023 or 42704 for what is wrong in the arguments; 53400 past `cdp.matching_memory`; what the query
/// raises.
#[pg_extern(
    volatile,
    parallel_unsafe,
    // Without SET search_path: the query is the caller's.
    sql = r#"
CREATE FUNCTION cdp."dedupe"("query" text, "columns" jsonb DEFAULT NULL, "key" text DEFAULT NULL, "settings" jsonb DEFAULT NULL)
RETURNS TABLE ("a" text, "b" text, "kind" text, "weight" integer, "probability" double precision, "household" double precision, "cluster" text)
VOLATILE PARALLEL UNSAFE COST 100000 ROWS 10000
LANGUAGE c AS 'MODULE_PATHNAME', '@FUNCTION_NAME@';
"#
)]
fn dedupe(
    query: Option<&str>,
    columns: Option<JsonB>,
    key: Option<&str>,
    settings: Option<JsonB>,
    mut result: ResultSet,
) {
    matched(&[query], key, columns, settings)
        .map(|found| found.put(&mut result))
        .or_raise();
}

/// Finds which rows of one query are of the same persons as rows of another: pairs of a key of the first
/// and one of the second.
///
/// # Errors
/// As `cdp.dedupe()`.
#[pg_extern(
    volatile,
    parallel_unsafe,
    sql = r#"
CREATE FUNCTION cdp."link_records"("query_a" text, "query_b" text, "columns" jsonb DEFAULT NULL, "key" text DEFAULT NULL, "settings" jsonb DEFAULT NULL)
RETURNS TABLE ("a" text, "b" text, "kind" text, "weight" integer, "probability" double precision, "household" double precision, "cluster" text)
VOLATILE PARALLEL UNSAFE COST 100000 ROWS 10000
LANGUAGE c AS 'MODULE_PATHNAME', '@FUNCTION_NAME@';
"#
)]
fn link_records(
    query_a: Option<&str>,
    query_b: Option<&str>,
    columns: Option<JsonB>,
    key: Option<&str>,
    settings: Option<JsonB>,
    mut result: ResultSet,
) {
    matched(&[query_a, query_b], key, columns, settings)
        .map(|found| found.put(&mut result))
        .or_raise();
}

/// The pairs found, and the cluster of each record, as the place of the record that names it.
struct Found {
    keys: Keys,
    pairs: Vec<Pair>,
    clusters: Vec<u32>,
}

fn matched(
    queries: &[Option<&str>],
    key: Option<&str>,
    columns: Option<JsonB>,
    settings: Option<JsonB>,
) -> Result<Found> {
    let shapes: Vec<Shape> = queries
        .iter()
        .map(|query| Shape::of(*query, key))
        .collect::<Result<_>>()?;
    let [first, others @ ..] = &shapes[..] else {
        return Err(Error::internal("no query"));
    };
    let stated = columns.map(|json| json.0);
    let mut compared = first.meanings(stated.as_ref())?;
    if stated.is_none() {
        for other in others {
            let theirs = other.meanings(None)?;
            compared.retain(|column| theirs.contains(column));
        }
        if compared.is_empty() {
            return Err(Error::invalid(
                "the queries have no column in common that tells by its name what it means",
            )
            .hint("Give the columns the same names, by AS, and say what they mean in columns."));
        }
    }
    let settings = settings.map(|json| json.0);
    let spec = columns::spec(compared.clone(), settings.as_ref())?;
    let mut table = Table::new(&compared)?;
    first.read(&compared, &mut table)?;
    let mut second = None;
    for other in others {
        second = Some(table.len());
        other.read(&compared, &mut table)?;
    }
    let (records, keys) = table.finish()?;
    let limits = work::limits(second, keys.bytes());
    let run = work::run("matching", move |cancel, tell| {
        let (_, run) = Matcher::train(&spec, &records, &[], &[], &limits, cancel, tell)?;
        Ok(run)
    })?;
    let Run {
        pairs, clusters, ..
    } = run;
    progress::finish();
    Ok(Found {
        keys,
        pairs,
        clusters,
    })
}

/// A kind, as SQL names it.
pub fn name(kind: Kind) -> &'static str {
    match kind {
        Kind::Link => "link",
        Kind::Cut => "cut",
        Kind::Review => "review",
        Kind::Household => "household",
        Kind::NonMatch => "non_match",
    }
}

impl Found {
    fn put(&self, result: &mut ResultSet) {
        let key = |record: u32| Cell::Text(self.keys.of(record));
        for (n, pair) in self.pairs.iter().enumerate() {
            if n % 4_096 == 0 {
                pgrx::check_for_interrupts!();
            }
            let cluster = match pair.kind {
                Kind::Link => key(self.clusters[pair.a as usize]),
                _ => Cell::Null,
            };
            result.put(&[
                key(pair.a),
                key(pair.b),
                Cell::Text(name(pair.kind).as_bytes()),
                Cell::Integer(i64::from(pair.weight)),
                Cell::Real(pair.probability),
                Cell::Real(pair.household),
                cluster,
            ]);
        }
    }
}
