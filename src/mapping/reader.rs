//! Reading the rows of a relation as their owner, as text, part by part.

use pgrx::prelude::*;

use crate::args;
use crate::pg::{Error, Result, role, sql};

const SEARCH_PATH: &str = "pg_catalog, pg_temp";

/// Rows a fetch, and bytes of text that a fetch should stay near.
const ROWS: usize = 1_000;
const BYTES: usize = 16 << 20;
/// Rows of the first fetch, which tells how wide they are.
const FIRST_ROWS: usize = 10;

/// The settings that decide how values print, as `cdp.capture_row()` pins them, and that no policy
/// may hide rows without an error.
const PIN: &str = "SELECT set_config('datestyle', 'ISO, YMD', true), \
     set_config('timezone', 'UTC', true), set_config('intervalstyle', 'iso_8601', true), \
     set_config('extra_float_digits', '1', true), set_config('bytea_output', 'hex', true), \
     set_config('row_security', 'off', true)";

/// Runs `body` as `role`, in a security-restricted operation, with the settings that captures print by.
pub fn as_reader<T>(role: pg_sys::Oid, body: impl FnOnce() -> Result<T>) -> Result<T> {
    role::as_user(role, SEARCH_PATH, || {
        sql::read_rows(PIN, args![], |_| ());
        body()
    })
}

/// A query being read as a role.
pub struct Reader {
    role: pg_sys::Oid,
    cursor: Option<String>,
    rows: usize,
}

impl Reader {
    /// Opens a query of two columns of text.
    pub fn open(role: pg_sys::Oid, query: &str) -> Result<Self> {
        let cursor = as_reader(role, || {
            Spi::connect_mut(|client| match client.try_open_cursor_mut(query, args![]) {
                Ok(cursor) => Ok(cursor.detach_into_name()),
                Err(error) => Err(Error::internal(error.to_string())),
            })
        })?;
        Ok(Self {
            role,
            cursor: Some(cursor),
            rows: FIRST_ROWS,
        })
    }

    /// The next rows; none at the end. Each call frees what the one before took.
    pub fn next(&mut self) -> Result<Vec<(String, String)>> {
        let Some(name) = self.cursor.clone() else {
            return Ok(Vec::new());
        };
        pgrx::check_for_interrupts!();
        let count = i64::try_from(self.rows).unwrap_or(1);
        let rows = as_reader(self.role, || {
            Spi::connect_mut(|client| {
                let internal = |error: spi::Error| Error::internal(error.to_string());
                let mut cursor = client.find_cursor(&name).map_err(internal)?;
                let mut rows = Vec::new();
                for row in cursor.fetch(count).map_err(internal)? {
                    let text = |n| row.get::<String>(n).map_err(internal);
                    rows.push((text(1)?.unwrap_or_default(), text(2)?.unwrap_or_default()));
                }
                if rows.is_empty() {
                    drop(cursor);
                } else {
                    cursor.detach_into_name();
                }
                Ok(rows)
            })
        })?;
        if rows.is_empty() {
            self.cursor = None;
        } else {
            let bytes: usize = rows.iter().map(|(key, row)| key.len() + row.len()).sum();
            self.rows = (BYTES * rows.len() / bytes.max(1)).clamp(1, ROWS);
        }
        Ok(rows)
    }
}
