//! Captures that are not written by a trigger.

use crate::args;
use crate::pg::{Error, Result, role, sql};

use super::reader::Reader;
use super::relation::Relation;

/// The part that stands for every part of a source.
pub const EVERY_PART: &str = "*";

/// A query of the rows of one table, each as text, without those of its children.
fn backfill_query(relation: &Relation) -> String {
    format!("SELECT '', format('%s', t.*) FROM ONLY {} t", relation.name)
}

/// Appends every row of a table to the inbox, as new; how many. The rows are read as the table's
/// owner, and written as the acting role.
pub fn backfill(source: &str, part: &str, relation: &Relation) -> Result<i64> {
    let mut reader = Reader::open(relation.owner, &backfill_query(relation))?;
    // Now it is locked against changes of its columns.
    let relation =
        Relation::find(relation.oid).ok_or_else(|| Error::unknown("the table was dropped"))?;
    let (columns, types) = (relation.column_names(), relation.type_names());
    let mut written = 0;
    loop {
        let rows: Vec<String> = reader.next()?.into_iter().map(|(_, row)| row).collect();
        if rows.is_empty() {
            return Ok(written);
        }
        written += i64::try_from(rows.len()).unwrap_or_default();
        role::as_owner(|| {
            append(source, 'I', part, &columns, &types, &rows);
            Ok(())
        })?;
    }
}

/// Appends rows to the inbox. As the owner role.
pub fn append(
    source: &str,
    op: char,
    part: &str,
    columns: &[String],
    types: &[String],
    rows: &[String],
) {
    sql::run(
        "INSERT INTO cdp.inbox (kind, source, message) \
         SELECT 'r', $1, json_build_object('op', $2, 'rel', $3, 'cols', $4, 'types', $5, \
                                           'row', r.\"row\")::text \
         FROM unnest($6) WITH ORDINALITY r(\"row\", n) ORDER BY r.n",
        args![
            source,
            op.to_string(),
            part,
            columns.to_vec(),
            types.to_vec(),
            rows.to_vec()
        ],
    );
}

/// Appends that a part of a source is empty now. As the owner role.
pub fn append_truncate(source: &str, part: &str) {
    sql::run(
        "INSERT INTO cdp.inbox (kind, source, message) \
         VALUES ('r', $1, json_build_object('op', 'T', 'rel', $2)::text)",
        args![source, part],
    );
}
