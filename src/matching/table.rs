//! The rows of a user's query as records.

use cdp_engine::matching::{Column as Compared, Meaning, Records};
use serde_json::Value;

use super::{columns, work};
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

/// Its rows.
pub struct Table {
    /// What they say.
    pub records: Records,
    /// The key of each.
    pub keys: Vec<Box<str>>,
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
        for (name, _) in compared {
            let Some(column) = self.columns.iter().find(|column| column.name == *name) else {
                return Err(
                    Error::unknown(format!("the query has no column \"{name}\"")).hint(
                        "Both queries give the columns that are compared, by the same names.",
                    ),
                );
            };
            list.push(match reader::type_name(column.type_oid).ends_with("[]") {
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
        let mut rows = Rows {
            columns: compared.len(),
            next_look: 1 << 16,
            table,
        };
        reader::each_of_user(&sql, &mut rows)?;
        work::allow(rows.table.records.bytes())
    }
}

const EXAMPLE: &str = "For instance: SELECT * FROM cdp.dedupe('SELECT id, first_name, last_name, email FROM contacts');";

impl Table {
    /// Without rows yet.
    pub fn new(compared: &[(String, Meaning)]) -> Self {
        Table {
            records: Records::new(
                compared
                    .iter()
                    .map(|(name, meaning)| Compared::new(name.clone(), *meaning))
                    .collect(),
            ),
            keys: Vec::new(),
        }
    }
}

struct Rows<'a> {
    columns: usize,
    /// When to look at the memory next.
    next_look: usize,
    table: &'a mut Table,
}

impl Reader for Rows<'_> {
    fn columns(&mut self, _: &[Column]) -> Result<()> {
        Ok(())
    }

    fn row(&mut self, row: &Row) -> Result<()> {
        let values: Vec<Vec<&str>> = (2..self.columns + 2)
            .map(|n| {
                let text = row.get::<&str>(n);
                text.into_iter().flat_map(|t| t.split(BETWEEN)).collect()
            })
            .collect();
        let Some(key) = row.get::<&str>(1) else {
            return Err(Error::invalid("the key of a row is NULL")
                .hint("Leave such rows out, or name another column as key."));
        };
        self.table.records.push_raw(&values);
        self.table.keys.push(key.into());
        let read = self.table.keys.len();
        if read >= self.next_look {
            progress::step(read as i64);
            work::allow(self.table.records.bytes())?;
            self.next_look += (read / 2).min(1 << 20);
        }
        Ok(())
    }
}
