//! SQL through SPI. Every call is a connection of its own, so what it allocated is freed when it
//! returns; every call sees what the transaction wrote before.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

use pgrx::datum::DatumWithOid;
use pgrx::prelude::*;
use pgrx::spi::{OwnedPreparedStatement, SpiHeapTupleData, SpiTupleTable};

/// Arguments of a statement.
pub type Args<'a> = [DatumWithOid<'a>];

/// One row of a result.
pub struct Row<'a>(SpiHeapTupleData<'a>);

impl Row<'_> {
    /// The value of column `n`, from 1. NULL is `None`.
    pub fn get<T: FromDatum + IntoDatum>(&self, n: usize) -> Option<T> {
        match self.0.get::<T>(n) {
            Ok(value) => value,
            Err(error) => panic!("column {n}: {error}"),
        }
    }

    /// The value of column `n`, from 1, which is never NULL.
    pub fn want<T: FromDatum + IntoDatum>(&self, n: usize) -> T {
        self.get(n).unwrap_or_else(|| panic!("column {n} is NULL"))
    }
}

/// Builds [`Args`] from values.
#[macro_export]
macro_rules! args {
    ($($value:expr),* $(,)?) => { &[$(pgrx::datum::DatumWithOid::from($value)),*] };
}

/// Runs a statement that writes; the number of rows it processed.
pub fn run(sql: &str, args: &Args) -> usize {
    with(sql, args, None, |table| table.len())
}

/// Runs a statement; each row through `read`.
pub fn rows<T>(sql: &str, args: &Args, mut read: impl FnMut(Row) -> T) -> Vec<T> {
    with(sql, args, None, |table| {
        let mut out = Vec::with_capacity(table.len());
        for tuple in table {
            pgrx::check_for_interrupts!();
            out.push(read(Row(tuple)));
        }
        out
    })
}

/// Runs a statement; its first row through `read`.
pub fn first<T>(sql: &str, args: &Args, mut read: impl FnMut(Row) -> T) -> Option<T> {
    with(sql, args, Some(1), |mut table| {
        table.next().map(|tuple| read(Row(tuple)))
    })
}

/// Runs a statement; the first column of its first row.
pub fn one<T: FromDatum + IntoDatum>(sql: &str, args: &Args) -> Option<T> {
    first(sql, args, |row| row.get::<T>(1)).flatten()
}

/// Runs a statement through a cursor, so that memory stays bounded; each row through `each`.
pub fn stream(
    sql: &str,
    args: &Args,
    mut each: impl FnMut(Row) -> crate::pg::Result<()>,
) -> crate::pg::Result<()> {
    Spi::connect_mut(|client| {
        let mut cursor = client.open_cursor_mut(sql, args);
        loop {
            pgrx::check_for_interrupts!();
            let table = match cursor.fetch(1_000) {
                Ok(table) => table,
                Err(error) => panic!("{error}"),
            };
            if table.is_empty() {
                return Ok(());
            }
            for tuple in table {
                each(Row(tuple))?;
            }
        }
    })
}

/// Like [`first`], without a transaction id, so that it also works on a standby. It sees what
/// earlier statements of the transaction wrote only if they took a transaction id.
pub fn read_first<T>(sql: &str, args: &Args, mut read: impl FnMut(Row) -> T) -> Option<T> {
    Spi::connect(|client| match client.select(sql, Some(1), args) {
        Ok(mut table) => table.next().map(|tuple| read(Row(tuple))),
        Err(error) => panic!("{error}"),
    })
}

/// Like [`rows`], without a transaction id, so that it also works on a standby.
pub fn read_rows<T>(sql: &str, args: &Args, mut read: impl FnMut(Row) -> T) -> Vec<T> {
    Spi::connect(|client| match client.select(sql, None, args) {
        Ok(table) => table.map(|tuple| read(Row(tuple))).collect(),
        Err(error) => panic!("{error}"),
    })
}

thread_local! {
    /// Plans kept for the life of the session, by their SQL.
    static KEPT: RefCell<HashMap<&'static str, Rc<OwnedPreparedStatement>>> = RefCell::default();
}

/// Like [`read_first`], by a plan that is made once a session: for what is read by one key, many
/// times.
pub fn look_up<T>(sql: &'static str, args: &Args, mut read: impl FnMut(Row) -> T) -> Option<T> {
    Spi::connect(|client| {
        let known = KEPT.with_borrow(|kept| kept.get(sql).cloned());
        let plan = known.unwrap_or_else(|| {
            let types: Vec<PgOid> = args.iter().map(|arg| arg.oid().into()).collect();
            let plan = match client.prepare(sql, &types) {
                Ok(plan) => Rc::new(plan.keep()),
                Err(error) => panic!("{error}"),
            };
            KEPT.with_borrow_mut(|kept| kept.insert(sql, plan.clone()));
            plan
        });
        match client.select(&*plan, Some(1), args) {
            Ok(mut table) => table.next().map(|tuple| read(Row(tuple))),
            Err(error) => panic!("{error}"),
        }
    })
}

fn with<T>(
    sql: &str,
    args: &Args,
    limit: Option<i64>,
    use_table: impl FnOnce(SpiTupleTable) -> T,
) -> T {
    // A standby gives no transaction ids; what only reads works without.
    if super::transaction::on_standby() {
        return Spi::connect(|client| match client.select(sql, limit, args) {
            Ok(table) => use_table(table),
            Err(error) => panic!("{error}"),
        });
    }
    Spi::connect_mut(|client| match client.update(sql, limit, args) {
        Ok(table) => use_table(table),
        // PostgreSQL's own errors are raised, not returned: what comes here is a misuse of SPI.
        Err(error) => panic!("{error}"),
    })
}
