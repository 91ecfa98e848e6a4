//! The records of mapped tables, as matchers read them.

use std::collections::HashMap;

use cdp_engine::matching::{Column, Meaning, Records};
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

/// The records that stand: of a source by name, and where more is said, those.
fn standing(fields: &str, more: &str) -> String {
    format!(
        "SELECT i.node_id{fields} FROM cdp.sources s \
           JOIN cdp.identifier_types t ON t.record_source_id = s.source_id \
           JOIN cdp.records r ON r.source_id = s.source_id AND r.set_id IS NOT NULL AND NOT r.revoked \
           JOIN cdp.row_versions v ON v.source_id = r.source_id AND v.key = r.key AND v.version = r.version \
           JOIN cdp.identifiers i ON i.type_id = t.type_id AND i.value = r.key \
          WHERE s.name = $1{more}"
    )
}

/// All records of a matcher's sources.
pub fn all(matcher: &Matcher) -> Result<Nodes> {
    let compared = compared(&matcher.sources);
    let mut found = Nodes {
        records: empty(&compared),
        nodes: Vec::new(),
    };
    let mut next_look = 1 << 16;
    progress::start("matching: reading records", 0);
    for source in matcher.sources.keys() {
        let (list, of) = fields(matcher, source);
        let mut record: Said = vec![Vec::new(); compared.len()];
        reader::each(&standing(&list, ""), args![source.as_str()], |row| {
            record.iter_mut().for_each(Vec::clear);
            for (n, &position) in of.iter().enumerate() {
                if let Some(field) = row.get::<&str>(n + 2) {
                    add(&mut record[position], compared[position].1, field);
                }
            }
            push(&mut found.records, &record);
            found.nodes.push(row.want(1));
            let read = found.nodes.len();
            if read >= next_look {
                progress::step(read as i64);
                work::allow(found.records.bytes())?;
                next_look += (read / 2).min(1 << 20);
            }
            Ok(())
        })?;
    }
    work::allow(found.records.bytes())?;
    Ok(found)
}

/// Adds what a field of a captured row says.
fn add(values: &mut Vec<String>, meaning: Meaning, field: &str) {
    // An array of the row is one of JSON.
    if field.starts_with('[')
        && let Ok(array @ Value::Array(_)) = serde_json::from_str(field)
    {
        add_json(values, meaning, &array);
    } else {
        values.extend(meaning.normalise(field));
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
    let compared = compared(&matcher.sources);
    let (list, of) = fields(matcher, source);
    sql::rows(
        &standing(&list, " AND r.key = ANY ($2)"),
        args![source, keys.to_vec()],
        |row| {
            let mut record: Said = vec![Vec::new(); compared.len()];
            for (n, &position) in of.iter().enumerate() {
                if let Some(field) = row.get::<String>(n + 2) {
                    add(&mut record[position], compared[position].1, &field);
                }
            }
            (row.want::<i64>(1), record)
        },
    )
    .into_iter()
    .collect()
}

/// The identifiers that the records of a matcher's sources show, beside themselves: node of the
/// record, nodes of what it shows.
pub fn shown(matcher: &Matcher, mut each: impl FnMut(i64, &[i64])) -> Result<()> {
    for source in matcher.sources.keys() {
        reader::each(
            "SELECT i.node_id, m.nodes FROM cdp.sources s \
               JOIN cdp.identifier_types t ON t.record_source_id = s.source_id \
               JOIN cdp.records r ON r.source_id = s.source_id AND r.set_id IS NOT NULL AND NOT r.revoked \
               JOIN cdp.identifier_sets m ON m.set_id = r.set_id \
               JOIN cdp.identifiers i ON i.type_id = t.type_id AND i.value = r.key \
              WHERE s.name = $1",
            args![source.as_str()],
            |row| {
                each(row.want(1), row.want(2));
                Ok(())
            },
        )?;
    }
    Ok(())
}

/// Adds what a field of a record in JSON says.
pub fn add_json(values: &mut Vec<String>, meaning: Meaning, field: &Value) {
    match field {
        Value::Null => {}
        Value::String(text) => values.extend(meaning.normalise(text)),
        Value::Array(elements) => {
            for element in elements {
                add_json(values, meaning, element);
            }
        }
        other => values.extend(meaning.normalise(&other.to_string())),
    }
}
