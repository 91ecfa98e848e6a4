//! A table that is made and filled at once, as CREATE TABLE AS does it, but a thousand rows at a time and
//! without a copy of them in between. It has two columns, of integers or of texts.

use std::ffi::{CStr, CString};

use pgrx::{PgSqlErrorCode, pg_sys};

use super::relation::Relation;
use super::value::push_text;
use super::{Error, Result, sql, transaction};

/// The name of a table that is not there yet, in a schema where the caller may make it.
pub struct NewTable {
    schema: pg_sys::Oid,
    name: CString,
}

/// What its columns hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Nodes {
    /// `bigint`
    Integers,
    /// `text`
    Texts,
}

impl NewTable {
    /// Looks the name up: quoted as in SQL, with or without its schema. Raises what CREATE TABLE would
    /// raise, before any work is done; `caller` is the command to blame.
    ///
    /// # Errors
    /// 42P07 where there is such a table.
    pub fn named(name: &str, caller: &CStr) -> Result<Self> {
        // SAFETY: PostgreSQL's own steps from a text to a name; they raise their errors, and what they
        // give lives in the caller's memory context. A schema that is found is locked.
        unsafe {
            pg_sys::PreventCommandIfReadOnly(caller.as_ptr());
            let text = pg_sys::cstring_to_text_with_len(name.as_ptr().cast(), name.len() as i32);
            let range =
                pg_sys::makeRangeVarFromNameList(pg_sys::textToQualifiedNameList(text.cast()));
            let mut existing = pg_sys::InvalidOid;
            let schema = pg_sys::RangeVarGetAndCheckCreationNamespace(
                range,
                pg_sys::NoLock as pg_sys::LOCKMODE,
                &mut existing,
            );
            let name = CStr::from_ptr((*range).relname).to_owned();
            if existing != pg_sys::InvalidOid {
                return Err(Error::new(
                    PgSqlErrorCode::ERRCODE_DUPLICATE_TABLE,
                    format!("relation \"{}\" already exists", name.to_string_lossy()),
                )
                .hint("The table is made anew: give another name, or drop that one."));
            }
            Ok(Self { schema, name })
        }
    }

    /// Makes the table, with these two columns, as the caller's.
    ///
    /// # Errors
    /// 0A000 where something, which can only be an event trigger, made more of it than a plain table.
    pub fn create(self, columns: [&str; 2], nodes: Nodes) -> Result<Filler> {
        let of_type = match nodes {
            Nodes::Integers => "bigint",
            Nodes::Texts => "text",
        };
        let [one, other] = columns.map(pgrx::spi::quote_identifier);
        // SAFETY: names that live until they are copied; the schema is locked, but may have been dropped
        // by this very transaction.
        let name = unsafe {
            let schema = pg_sys::get_namespace_name(self.schema);
            if schema.is_null() {
                return Err(Error::unknown("the schema is no longer there"));
            }
            CStr::from_ptr(pg_sys::quote_qualified_identifier(
                schema,
                self.name.as_ptr(),
            ))
            .to_string_lossy()
            .into_owned()
        };
        sql::run(
            &format!(
                "CREATE TABLE {name} ({one} {of_type} NOT NULL, {other} {of_type} NOT NULL) USING heap"
            ),
            &[],
        );
        // SAFETY: the table was just made, and is locked until the transaction ends.
        let relation = unsafe {
            let table = pg_sys::get_relname_relid(self.name.as_ptr(), self.schema);
            if table == pg_sys::InvalidOid {
                return Err(changed(&name));
            }
            Relation(pg_sys::table_open(
                table,
                pg_sys::RowExclusiveLock as pg_sys::LOCKMODE,
            ))
        };
        let found = relation.columns();
        let type_oid = match nodes {
            Nodes::Integers => pg_sys::INT8OID,
            Nodes::Texts => pg_sys::TEXTOID,
        };
        let as_made = found.len() == columns.len()
            && found.iter().zip(columns).all(|(found, column)| {
                found.name == column && found.of_type == type_oid && !found.is_dropped
            })
            && relation.kind() == pg_sys::RELKIND_RELATION
            && relation.is_plain()
            && !relation.has_checks()
            && !relation.has_indexes()
            && relation.allows(pg_sys::ACL_INSERT);
        if !as_made {
            relation.close();
            return Err(changed(&name));
        }
        Ok(Filler::open(relation, nodes))
    }
}

fn changed(table: &str) -> Error {
    Error::new(
        PgSqlErrorCode::ERRCODE_FEATURE_NOT_SUPPORTED,
        format!("an event trigger changed table {table} when it was made"),
    )
    .detail(
        "Only a plain table, without triggers, indexes, constraints or policies, can be filled.",
    )
    .hint("Use CREATE TABLE AS or INSERT with SELECT * FROM cdp.connected_components(…).")
}

/// Rows that are written at once.
const ROWS: usize = 1_000;
/// Bytes of texts that wait to be written, less the last row.
const BYTES: usize = 1 << 20;

/// A new table that is being filled. The next statement sees the rows, once it is finished.
pub struct Filler {
    relation: Relation,
    nodes: Nodes,
    bulk: pg_sys::BulkInsertState,
    memory: pg_sys::MemoryContext,
    /// Each holds a tuple: of integers always the same one, whose values change.
    slots: Vec<*mut pg_sys::TupleTableSlot>,
    values: Vec<*mut [i64; 2]>,
    used: usize,
    bytes: usize,
    written: i64,
    /// Of the row at hand; of numbers, since a text begins at a multiple of four bytes.
    texts: Vec<u32>,
}

impl Filler {
    fn open(relation: Relation, nodes: Nodes) -> Self {
        // SAFETY: the slots are of an open relation, and live in a memory context that lasts as long as
        // the caller's; `finish` frees all of it, after an error the end of the transaction does.
        unsafe {
            let memory = pg_sys::AllocSetContextCreateExtended(
                pg_sys::CurrentMemoryContext,
                c"rows of a new table".as_ptr(),
                pg_sys::ALLOCSET_DEFAULT_MINSIZE as usize,
                pg_sys::ALLOCSET_DEFAULT_INITSIZE as usize,
                pg_sys::ALLOCSET_DEFAULT_MAXSIZE as usize,
            );
            let before = pg_sys::MemoryContextSwitchTo(memory);
            let descriptor = (*relation.0).rd_att;
            let slots: Vec<_> = (0..ROWS)
                .map(|_| {
                    pg_sys::MakeSingleTupleTableSlot(descriptor, &raw const pg_sys::TTSOpsHeapTuple)
                })
                .collect();
            let mut values = Vec::new();
            if nodes == Nodes::Integers {
                for &slot in &slots {
                    let mut zeros = [pg_sys::Datum::from(0_i64); 2];
                    let mut nulls = [false; 2];
                    let tuple =
                        pg_sys::heap_form_tuple(descriptor, zeros.as_mut_ptr(), nulls.as_mut_ptr());
                    pg_sys::ExecStoreHeapTuple(tuple, slot, true);
                    // Two values of eight bytes, at a multiple of eight, are all its data.
                    let data = (*tuple).t_data.cast::<u8>();
                    values.push(data.add((*(*tuple).t_data).t_hoff.into()).cast());
                }
            }
            pg_sys::MemoryContextSwitchTo(before);
            Self {
                relation,
                nodes,
                bulk: pg_sys::GetBulkInsertState(),
                memory,
                slots,
                values,
                used: 0,
                bytes: 0,
                written: 0,
                texts: Vec::new(),
            }
        }
    }

    /// Adds a row. Panics when the columns hold texts.
    #[inline]
    pub fn put_integers(&mut self, row: [i64; 2]) {
        // SAFETY: the data of a tuple that its slot owns, which is of two integers: else there is none.
        unsafe { *self.values[self.used] = row };
        self.used += 1;
        if self.used == ROWS {
            self.flush();
        }
    }

    /// Adds a row of texts, in the encoding of the database. Panics when the columns hold integers.
    pub fn put_texts(&mut self, row: [&[u8]; 2]) {
        assert_eq!(self.nodes, Nodes::Texts, "what the columns hold");
        self.texts.clear();
        let mut values = row
            .map(|text| push_text(&mut self.texts, text))
            .map(|at| pg_sys::Datum::from(&raw const self.texts[at]));
        let mut nulls = [false; 2];
        // SAFETY: two texts, which the tuple copies; the slot frees it with the next one.
        unsafe {
            let before = pg_sys::MemoryContextSwitchTo(self.memory);
            let tuple = pg_sys::heap_form_tuple(
                (*self.relation.0).rd_att,
                values.as_mut_ptr(),
                nulls.as_mut_ptr(),
            );
            pg_sys::ExecStoreHeapTuple(tuple, self.slots[self.used], true);
            pg_sys::MemoryContextSwitchTo(before);
        }
        self.used += 1;
        self.bytes += row[0].len() + row[1].len();
        if self.used == ROWS || self.bytes > BYTES {
            self.flush();
        }
    }

    fn flush(&mut self) {
        pgrx::check_for_interrupts!();
        // SAFETY: slots of this open relation, each with a tuple. What writing them allocates, for values
        // that are stored apart, is freed with it.
        unsafe {
            let room = pg_sys::AllocSetContextCreateExtended(
                self.memory,
                c"rows being written".as_ptr(),
                pg_sys::ALLOCSET_DEFAULT_MINSIZE as usize,
                pg_sys::ALLOCSET_DEFAULT_INITSIZE as usize,
                pg_sys::ALLOCSET_DEFAULT_MAXSIZE as usize,
            );
            let before = pg_sys::MemoryContextSwitchTo(room);
            pg_sys::table_multi_insert(
                self.relation.0,
                self.slots.as_mut_ptr(),
                self.used as i32,
                pg_sys::GetCurrentCommandId(true),
                // Its pages are full: nobody need be told of room in them.
                pg_sys::TABLE_INSERT_SKIP_FSM as i32,
                self.bulk,
            );
            pg_sys::MemoryContextSwitchTo(before);
            pg_sys::MemoryContextDelete(room);
        }
        self.written += self.used as i64;
        self.used = 0;
        self.bytes = 0;
    }

    /// Writes what waits, and lets the next statement see all of it. How many rows there are.
    pub fn finish(mut self) -> i64 {
        self.flush();
        // SAFETY: all of it was opened by `open`, and is not used after this.
        unsafe {
            pg_sys::table_finish_bulk_insert(self.relation.0, pg_sys::TABLE_INSERT_SKIP_FSM as i32);
            pg_sys::FreeBulkInsertState(self.bulk);
            for &slot in &self.slots {
                pg_sys::ExecDropSingleTupleTableSlot(slot);
            }
            pg_sys::MemoryContextDelete(self.memory);
        }
        self.relation.close();
        transaction::command_counter_increment();
        self.written
    }
}
