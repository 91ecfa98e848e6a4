//! The rows of a user's query as records.

use cdp_engine::matching::{Intake, Meaning, Records, name};
use serde_json::Value;

use super::{columns, rows, work};
use crate::pg::reader::{self, Column, Reader, Row};
use crate::pg::{Error, Result};
use crate::worker::progress;

/// Between the elements of an array.
const BETWEEN: char = '\u{1f}';

/// What a query gives.
pub struct Shape {
    query: String,
    columns: Vec<Column>,
    /// The column that tells rows apart.
    key: String,
}

/// Rows of queries, while they come.
pub struct Table {
    /// What they say.
    intake: Intake,
    keys: Keys,
    /// How many queries were read.
    queries: usize,
}

/// The keys of rows.
#[derive(Default)]
pub struct Keys {
    texts: Vec<u8>,
    /// Where each ends.
    ends: Vec<usize>,
}

impl Keys {
    /// That of a row.
    pub fn of(&self, row: u32) -> &[u8] {
        let row = row as usize;
        let start = if row == 0 { 0 } else { self.ends[row - 1] };
        &self.texts[start..self.ends[row]]
    }

    fn push(&mut self, key: &[u8]) {
        self.texts.extend_from_slice(key);
        self.ends.push(self.texts.len());
    }

    /// Bytes held.
    pub fn bytes(&self) -> usize {
        self.texts.capacity() + self.ends.capacity() * size_of::<usize>()
    }
}

impl Shape {
    /// Looks at a query without running it; `key` names a column, else it is the first.
    pub fn of(query: Option<&str>, key: Option<&str>) -> Result<Self> {
        let query = query.ok_or_else(|| Error::invalid("query is NULL").hint(EXAMPLE))?;
        let query = query.trim_end_matches(|c: char| c == ';' || c.is_whitespace());
        struct Columns(Vec<Column>);
        impl Reader for Columns {
            fn columns(&mut self, columns: &[Column]) -> Result<()> {
                self.0 = columns.to_vec();
                Ok(())
            }
            fn row(&mut self, _: &Row) -> Result<()> {
                Ok(())
            }
        }
        let mut found = Columns(Vec::new());
        reader::each_of_user(
            &format!("SELECT * FROM ({query}\n) rows LIMIT 0"),
            &mut found,
        )?;
        let columns = found.0;
        let names: Vec<&str> = columns.iter().map(|column| column.name.as_str()).collect();
        let key = match key {
            Some(key) if names.contains(&key) => key,
            Some(key) => {
                return Err(
                    Error::unknown(format!("the query has no column \"{key}\" for a key"))
                        .hint(format!("It has: {}.", names.join(", "))),
                );
            }
            None => names
                .first()
                .copied()
                .ok_or_else(|| Error::invalid("the query gives no column").hint(EXAMPLE))?,
        };
        Ok(Shape {
            query: query.to_owned(),
            key: key.to_owned(),
            columns,
        })
    }

    /// Which columns to compare.
    pub fn meanings(&self, stated: Option<&Value>) -> Result<Vec<(String, Meaning)>> {
        let names: Vec<String> = self
            .columns
            .iter()
            .map(|column| column.name.clone())
            .filter(|name| *name != self.key || stated.is_some())
            .collect();
        columns::meanings(stated, &names)
    }

    /// Adds the query's rows to a table. Those columns are compared; each is there.
    pub fn read(&self, compared: &[(String, Meaning)], table: &mut Table) -> Result<()> {
        let quoted = |name: &str| format!("rows.{}", pgrx::spi::quote_identifier(name));
        let mut list = vec![format!("{}::pg_catalog.text", quoted(&self.key))];
        let mut several = Vec::new();
        for (name, _) in compared {
            let Some(column) = self.columns.iter().find(|column| column.name == *name) else {
                return Err(
                    Error::unknown(format!("the query has no column \"{name}\"")).hint(
                        "Both queries give the columns that are compared, by the same names.",
                    ),
                );
            };
            several.push(reader::type_name(column.type_oid).ends_with("[]"));
            list.push(match several.ends_with(&[true]) {
                true => format!(
                    "pg_catalog.array_to_string({}, pg_catalog.chr({}))",
                    quoted(name),
                    BETWEEN as u32
                ),
                false => format!("{}::pg_catalog.text", quoted(name)),
            });
        }
        let sql = format!("SELECT {} FROM ({}\n) rows", list.join(", "), self.query);
        progress::start("matching: reading records", 0);
        let mut rows = Rows { several, table };
        reader::each_of_user(&sql, &mut rows)?;
        rows.table.queries += 1;
        Ok(())
    }
}

const EXAMPLE: &str = "For instance: SELECT * FROM cdp.dedupe('SELECT id, first_name, last_name, email FROM contacts');";

impl Table {
    /// Without rows yet.
    pub fn new(compared: &[(String, Meaning)]) -> Result<Self> {
        Ok(Table {
            intake: work::intake(rows::empty(compared))?,
            keys: Keys::default(),
            queries: 0,
        })
    }

    /// How many rows came.
    pub fn len(&self) -> u32 {
        self.intake.len()
    }

    /// All rows that came.
    pub fn finish(self) -> Result<(Records, Keys)> {
        let records = work::taken(self.intake);
        work::allow("The records alone", records.bytes() + self.keys.bytes())?;
        Ok((records, self.keys))
    }
}

struct Rows<'a> {
    /// Of each column whether it has several values in one.
    several: Vec<bool>,
    table: &'a mut Table,
}

impl Reader for Rows<'_> {
    fn columns(&mut self, _: &[Column]) -> Result<()> {
        Ok(())
    }

    fn row(&mut self, row: &Row) -> Result<()> {
        let Table {
            intake,
            keys,
            queries,
        } = &mut *self.table;
        let Some(key) = row.get::<&[u8]>(1) else {
            return Err(Error::invalid("the key of a row is NULL")
                .hint("Leave such rows out, or name another column as key."));
        };
        keys.push(key);
        intake.name(name(if *queries == 0 { "first" } else { "second" }, key));
        for (place, &several) in self.several.iter().enumerate() {
            let Some(text) = row.get::<&str>(place + 2) else {
                continue;
            };
            if several {
                text.split(BETWEEN)
                    .for_each(|text| intake.value(place, text));
            } else {
                intake.value(place, text);
            }
        }
        intake.end();
        if intake.len().is_multiple_of(1 << 14) {
            progress::step(i64::from(intake.len()));
            work::allow("The records alone", intake.bytes() + keys.bytes())?;
        }
        Ok(())
    }
}
