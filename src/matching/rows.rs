//! The records of mapped tables, as matchers read them.

use std::collections::HashMap;

use cdp_engine::matching::{Column, Meaning, Records, name};
use serde_json::Value;

use super::store::{Matcher, compared};
use super::work;
use crate::args;
use crate::pg::{Result, reader, sql};
use crate::worker::progress;

/// More records than this that show one identifier are not looked at for it.
pub const MOST_TIED: usize = 16;

/// Records with their nodes.
pub struct Nodes {
    /// What they say.
    pub records: Records,
    /// The node of each.
    pub nodes: Vec<i64>,
    /// Identifiers that records show beside themselves, each with the place of a record; in this order.
    pub shows: Vec<(i64, u32)>,
}

/// What one record says: for each compared column its values, in their one form.
pub type Said = Vec<Vec<String>>;

/// The fields of a source's rows that a matcher reads: the list in SQL, and to which compared column
/// each belongs.
fn fields(matcher: &Matcher, source: &str) -> (String, Vec<usize>) {
    let mut list = String::new();
    let mut of = Vec::new();
    for (position, columns) in matcher.columns_of(source).iter().enumerate() {
        for column in columns {
            list.push_str(&format!(
                ", v.\"row\" ->> {}",
                pgrx::spi::quote_literal(column)
            ));
            of.push(position);
        }
    }
    (list, of)
}

/// The records that stand: of a source and its type of records by their ids ($1, $2), and where more is said,
/// those. What a row said is looked for last and apart: the planner takes a key with its version for rare, and
/// would look up one by one whatever follows.
fn standing(fields: &str, more: &str) -> String {
    format!(
        "SELECT s.node_id, s.nodes{fields} \
           FROM (SELECT i.node_id, m.nodes, r.key, r.version FROM cdp.records r \
                   JOIN cdp.identifier_sets m ON m.set_id = r.set_id \
                   JOIN cdp.identifiers i ON i.type_id = $2 AND i.value = r.key \
                  WHERE r.source_id = $1 AND NOT r.revoked{more} OFFSET 0) s \
           JOIN cdp.row_versions v ON v.source_id = $1 AND v.key = s.key AND v.version = s.version"
    )
}

/// The ids of a source of records and of the type of its records; none if there is none of the name.
fn ids(source: &str) -> Option<(i32, i32)> {
    sql::first(
        "SELECT s.source_id, t.type_id FROM cdp.sources s \
           JOIN cdp.identifier_types t ON t.record_source_id = s.source_id WHERE s.name = $1",
        args![source],
        |row| (row.want(1), row.want(2)),
    )
}

/// All records of a matcher's sources.
pub fn all(matcher: &Matcher) -> Result<Nodes> {
    let compared = compared(&matcher.sources);
    let mut intake = work::intake(empty(&compared))?;
    let mut nodes: Vec<i64> = Vec::new();
    let mut shows: Vec<(i64, u32)> = Vec::new();
    progress::start("matching: reading records", 0);
    for source in matcher.sources.keys() {
        let (mut list, of) = fields(matcher, source);
        list.push_str(", v.key");
        let Some((source_id, type_id)) = ids(source) else {
            continue;
        };
        reader::each(&standing(&list, ""), args![source_id, type_id], |row| {
            let node: i64 = row.want(1);
            let others = row.want::<&[i64]>(2).iter().filter(|&&shown| shown != node);
            shows.extend(others.map(|&shown| (shown, intake.len())));
            for (n, &position) in of.iter().enumerate() {
                if let Some(field) = row.get::<&str>(n + 3) {
                    in_field(field, |text| intake.value(position, text));
                }
            }
            intake.name(name(source, row.want(of.len() + 3)));
            intake.end();
            nodes.push(node);
            if nodes.len().is_multiple_of(1 << 14) {
                progress::step(nodes.len() as i64);
                work::allow("The records alone", intake.bytes() + beside(&nodes, &shows))?;
            }
            Ok(())
        })?;
    }
    let records = work::taken(intake);
    work::allow(
        "The records alone",
        records.bytes() + beside(&nodes, &shows),
    )?;
    shows.sort_unstable();
    shows.dedup();
    Ok(Nodes {
        records,
        nodes,
        shows,
    })
}

fn beside(nodes: &Vec<i64>, shows: &Vec<(i64, u32)>) -> usize {
    nodes.capacity() * size_of::<i64>() + shows.capacity() * size_of::<(i64, u32)>()
}

impl Nodes {
    /// Bytes held beside the records.
    pub fn beside(&self) -> usize {
        beside(&self.nodes, &self.shows)
    }
}

/// The values in a field of a captured row.
fn in_field(field: &str, mut each: impl FnMut(&str)) {
    // An array of the row is one of JSON.
    if field.starts_with('[')
        && let Ok(array @ Value::Array(_)) = serde_json::from_str(field)
    {
        in_json(&array, &mut each);
    } else {
        each(field);
    }
}

/// No records yet.
pub fn empty(compared: &[(String, Meaning)]) -> Records {
    let column = |(name, meaning): &(String, Meaning)| Column::new(name.clone(), *meaning);
    Records::new(compared.iter().map(column).collect())
}

/// Adds a record.
pub fn push(records: &mut Records, said: &Said) {
    let values: Vec<Vec<&str>> = said
        .iter()
        .map(|values| values.iter().map(String::as_str).collect())
        .collect();
    records.push(&values);
}

/// What these records of a source say now, by node; those that do not stand are left out.
pub fn some(matcher: &Matcher, source: &str, keys: &[String]) -> HashMap<i64, Said> {
    let Some((source_id, type_id)) = ids(source) else {
        return HashMap::new();
    };
    let compared = compared(&matcher.sources);
    let (list, of) = fields(matcher, source);
    sql::rows(
        &standing(&list, " AND r.key = ANY ($3)"),
        args![source_id, type_id, keys.to_vec()],
        |row| {
            let mut record: Said = vec![Vec::new(); compared.len()];
            for (n, &position) in of.iter().enumerate() {
                if let Some(field) = row.get::<String>(n + 3) {
                    in_field(&field, |text| {
                        if let Some(form) = compared[position].1.normalise(text)
                            && !record[position].contains(&form)
                        {
                            record[position].push(form);
                        }
                    });
                }
            }
            (row.want::<i64>(1), record)
        },
    )
    .into_iter()
    .collect()
}

/// The values in a field of a record in JSON.
pub fn in_json(field: &Value, each: &mut dyn FnMut(&str)) {
    match field {
        Value::Null => {}
        Value::String(text) => each(text),
        Value::Array(elements) => {
            for element in elements {
                in_json(element, each);
            }
        }
        other => each(&other.to_string()),
    }
}
