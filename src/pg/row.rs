//! One row of a table by a unique key, without a plan: a microsecond where SPI takes ten. It reads
//! what the running statement sees and asks for the caller's rights as a query does. What is not a
//! plain table is left to SQL. ([`super::look_up`] is for the many keys of a batch, in the snapshot of
//! its transaction.)

use std::cell::RefCell;
use std::ffi::CStr;
use std::rc::Rc;
use std::sync::Once;

use pgrx::prelude::*;

use super::sql::{self, Row};

/// A look-up by a unique key, twice: for a scan of the index, and as the query that says the same.
pub struct Lookup {
    /// The schema and the name of the table.
    pub table: (&'static CStr, &'static CStr),
    /// The columns of a unique index, in its order; two at most.
    pub key: &'static [&'static CStr],
    /// The columns to read.
    pub columns: &'static [&'static CStr],
    /// The query, with the key as its parameters.
    pub sql: &'static str,
}

/// The value of a column of the key.
#[derive(Debug, Clone, Copy)]
pub enum Key<'a> {
    /// Of type `text`.
    Text(&'a str),
    /// Of type `integer`.
    Int(i32),
    /// Of type `bigint`.
    Bigint(i64),
}

impl Key<'_> {
    fn type_oid(self) -> pg_sys::Oid {
        match self {
            Self::Text(_) => pg_sys::TEXTOID,
            Self::Int(_) => pg_sys::INT4OID,
            Self::Bigint(_) => pg_sys::INT8OID,
        }
    }

    fn equality(self) -> pg_sys::Oid {
        pg_sys::Oid::from(match self {
            Self::Text(_) => pg_sys::F_TEXTEQ,
            Self::Int(_) => pg_sys::F_INT4EQ,
            Self::Bigint(_) => pg_sys::F_INT8EQ,
        })
    }

    fn datum(self) -> pg_sys::Datum {
        let datum = match self {
            Self::Text(text) => text.into_datum(),
            Self::Int(number) => number.into_datum(),
            Self::Bigint(number) => number.into_datum(),
        };
        datum.unwrap_or(pg_sys::Datum::null())
    }

    fn argument(&self) -> pgrx::datum::DatumWithOid<'_> {
        match *self {
            Self::Text(text) => text.into(),
            Self::Int(number) => number.into(),
            Self::Bigint(number) => number.into(),
        }
    }
}

/// The row that was found.
pub enum Found<'a> {
    /// By the index.
    Tuple(Tuple<'a>),
    /// By the query.
    Row(Row<'a>),
}

impl Found<'_> {
    /// The value of the `n`-th of the columns, from 1. NULL is `None`.
    pub fn get<T: FromDatum + IntoDatum>(&self, n: usize) -> Option<T> {
        match self {
            Self::Tuple(tuple) => tuple.get(n),
            Self::Row(row) => row.get(n),
        }
    }

    /// The value of the `n`-th of the columns, from 1, which is never NULL.
    pub fn want<T: FromDatum + IntoDatum>(&self, n: usize) -> T {
        self.get(n).unwrap_or_else(|| panic!("column {n} is NULL"))
    }
}

/// A tuple in a buffer, while its scan lasts.
pub struct Tuple<'a> {
    tuple: pg_sys::HeapTuple,
    shape: pg_sys::TupleDesc,
    columns: &'a [i32],
}

impl Tuple<'_> {
    fn get<T: FromDatum + IntoDatum>(&self, n: usize) -> Option<T> {
        let column = self.columns[n - 1];
        let mut is_null = true;
        // SAFETY: the tuple and its shape are of one table, which is open and locked, and the scan
        // holds the buffer; the column is one of the table's, and its type is compared. The value is
        // copied out by `from_datum`: of what is asked for here, nothing borrows.
        unsafe {
            let found = pg_sys::SPI_gettypeid(self.shape, column);
            assert!(
                T::is_compatible_with(found),
                "column {n} is of type {found}"
            );
            let datum = pg_sys::SPI_getbinval(self.tuple, self.shape, column, &mut is_null);
            T::from_datum(datum, is_null)
        }
    }
}

/// Columns of a key.
const MOST_COLUMNS: usize = 2;

const SHARED: pg_sys::LOCKMODE = pg_sys::AccessShareLock as pg_sys::LOCKMODE;
const UNLOCKED: pg_sys::LOCKMODE = pg_sys::NoLock as pg_sys::LOCKMODE;

/// How a table is scanned: worked out once a session, and again after any change of the table.
#[derive(Debug)]
struct Plan {
    sql: &'static str,
    table: pg_sys::Oid,
    index: pg_sys::Oid,
    key: Vec<KeyColumn>,
    columns: Vec<i32>,
}

#[derive(Debug)]
struct KeyColumn {
    number: i32,
    collation: pg_sys::Oid,
}

/// What is kept of this session's plans.
#[derive(Default)]
struct Kept {
    plans: Vec<Rc<Plan>>,
    /// How often any of them, or one being made, may have become wrong.
    changes: u64,
}

thread_local! {
    static KEPT: RefCell<Kept> = RefCell::default();
}

impl Kept {
    fn forget(table: Option<pg_sys::Oid>) {
        KEPT.with_borrow_mut(|kept| {
            kept.changes += 1;
            kept.plans
                .retain(|plan| table.is_some_and(|table| plan.table != table));
        });
    }

    fn changes() -> u64 {
        KEPT.with_borrow(|kept| kept.changes)
    }
}

#[pg_guard]
unsafe extern "C-unwind" fn table_changed(_argument: pg_sys::Datum, table: pg_sys::Oid) {
    Kept::forget((table != pg_sys::InvalidOid).then_some(table));
}

#[pg_guard]
unsafe extern "C-unwind" fn schema_changed(_argument: pg_sys::Datum, _cache: i32, _hash: u32) {
    Kept::forget(None);
}

/// Has the session told of changes of tables, and of schemas, by which they are named.
fn watch() {
    static WATCHED: Once = Once::new();
    // SAFETY: registers functions of this library for the life of this process.
    WATCHED.call_once(|| unsafe {
        let nothing = pg_sys::Datum::null();
        pg_sys::CacheRegisterRelcacheCallback(Some(table_changed), nothing);
        let schemas = pg_sys::SysCacheIdentifier::NAMESPACEOID as i32;
        pg_sys::CacheRegisterSyscacheCallback(schemas, Some(schema_changed), nothing);
    });
}

impl Lookup {
    /// Whether the table is there. Costs nothing once it has been used.
    pub fn exists(&self) -> bool {
        if self.kept().is_some() {
            return true;
        }
        // SAFETY: PostgreSQL's own look-ups by name.
        unsafe {
            let schema = pg_sys::get_namespace_oid(self.table.0.as_ptr(), true);
            pg_sys::get_relname_relid(self.table.1.as_ptr(), schema) != pg_sys::InvalidOid
        }
    }

    /// The row with that key, through `read`; `None` if the running statement sees none. The table
    /// stays locked against changes of its columns to the end of the transaction, as by a query.
    pub fn find<T>(&self, key: &[Key], read: impl FnOnce(Found) -> T) -> Option<T> {
        // SAFETY: as PostgreSQL looks into its own catalogues: the table is locked while it is
        // open, the snapshot is the caller's and outlives the scan, the scan ends before the table is
        // closed. After an error the (sub)transaction's abort releases what is open.
        unsafe {
            let Some((table, plan)) = self.open(key) else {
                let arguments: Vec<_> = key.iter().map(Key::argument).collect();
                let mut read = Some(read);
                let row = sql::look_up(self.sql, &arguments, |row| {
                    read.take().map(|read| read(Found::Row(row)))
                });
                return row.flatten();
            };
            require_select(table, &plan);
            let mut keys = [pg_sys::ScanKeyData::default(); MOST_COLUMNS];
            for ((entry, column), value) in keys.iter_mut().zip(&plan.key).zip(key) {
                pg_sys::ScanKeyEntryInitialize(
                    entry,
                    0,
                    column.number as pg_sys::AttrNumber,
                    pg_sys::BTEqualStrategyNumber as pg_sys::StrategyNumber,
                    pg_sys::InvalidOid,
                    column.collation,
                    value.equality(),
                    value.datum(),
                );
            }
            let scan = pg_sys::systable_beginscan(
                table,
                plan.index,
                true,
                pg_sys::GetActiveSnapshot(),
                plan.key.len() as i32,
                keys.as_mut_ptr(),
            );
            let tuple = pg_sys::systable_getnext(scan);
            let found = (!tuple.is_null()).then(|| {
                read(Found::Tuple(Tuple {
                    tuple,
                    shape: (*table).rd_att,
                    columns: &plan.columns,
                }))
            });
            pg_sys::systable_endscan(scan);
            pg_sys::table_close(table, UNLOCKED);
            found
        }
    }

    /// The table, open and locked, and how to scan it; `None` where a scan would not say what a query
    /// says: of a view, of what is distributed over other servers, with row security.
    fn open(&self, key: &[Key]) -> Option<(pg_sys::Relation, Rc<Plan>)> {
        assert!(key.len() == self.key.len() && key.len() <= MOST_COLUMNS);
        watch();
        // SAFETY: reads a global of this backend.
        if !unsafe { pg_sys::ActiveSnapshotSet() } {
            return None;
        }
        if let Some(plan) = self.kept() {
            // SAFETY: opening takes the lock and note of changes, and gives null for a table that is
            // gone.
            let table = unsafe { pg_sys::try_table_open(plan.table, SHARED) };
            let still = self.kept().is_some_and(|kept| Rc::ptr_eq(&kept, &plan));
            if !table.is_null() && still {
                return Some((table, plan));
            }
            if !table.is_null() {
                // SAFETY: opened above.
                unsafe { pg_sys::table_close(table, UNLOCKED) };
            }
        }
        // SAFETY: the names are constants; the table is open and locked while it is looked at.
        unsafe {
            let name = pg_sys::makeRangeVar(
                self.table.0.as_ptr().cast_mut(),
                self.table.1.as_ptr().cast_mut(),
                -1,
            );
            let table = pg_sys::table_openrv(name, SHARED);
            let changes = Kept::changes();
            let Some(plan) = self.plan(table, key).map(Rc::new) else {
                pg_sys::table_close(table, UNLOCKED);
                return None;
            };
            KEPT.with_borrow_mut(|kept| {
                if kept.changes == changes {
                    kept.plans.push(plan.clone());
                }
            });
            Some((table, plan))
        }
    }

    fn kept(&self) -> Option<Rc<Plan>> {
        KEPT.with_borrow(|kept| {
            let mut plans = kept.plans.iter();
            plans.find(|plan| std::ptr::eq(plan.sql, self.sql)).cloned()
        })
    }

    /// # Safety
    /// The table is open and locked.
    unsafe fn plan(&self, table: pg_sys::Relation, key: &[Key]) -> Option<Plan> {
        // SAFETY: an open relation has its description; columns are looked up by their names.
        unsafe {
            let class = &*(*table).rd_rel;
            let is_plain = class.relkind == pg_sys::RELKIND_RELATION as std::ffi::c_char
                && class.relam == pg_sys::HEAP_TABLE_AM_OID
                && !class.relhassubclass
                && !class.relhasrules
                // What distributes tables puts triggers on them.
                && !class.relhastriggers
                && !class.relrowsecurity;
            if !is_plain {
                return None;
            }
            let shape = (*table).rd_att;
            let number = |name: &&CStr| {
                let number = pg_sys::SPI_fnumber(shape, name.as_ptr());
                (number > 0).then_some(number)
            };
            let columns = self.columns.iter().map(number).collect::<Option<_>>()?;
            let of_key = self.key.iter().zip(key).map(|(name, value)| {
                let number = number(name)?;
                let same_type = pg_sys::SPI_gettypeid(shape, number) == value.type_oid();
                same_type.then(|| KeyColumn {
                    number,
                    collation: collation(table, number),
                })
            });
            let key = of_key.collect::<Option<Vec<_>>>()?;
            Some(Plan {
                sql: self.sql,
                table: (*table).rd_id,
                index: unique_index(table, &key)?,
                key,
                columns,
            })
        }
    }
}

/// The index by which these columns, in this order, are unique.
///
/// # Safety
/// The table is open and locked.
unsafe fn unique_index(table: pg_sys::Relation, key: &[KeyColumn]) -> Option<pg_sys::Oid> {
    // SAFETY: the list is a copy of our own; each index is locked while it is open, and stays locked,
    // so that it is there when the scan opens it.
    unsafe {
        let list = pg_sys::RelationGetIndexList(table);
        let count = if list.is_null() {
            0
        } else {
            (*list).length as usize
        };
        for n in 0..count {
            let oid = (*(*list).elements.add(n)).oid_value;
            let index = pg_sys::index_open(oid, SHARED);
            let form = &*(*index).rd_index;
            let numbers = form.indkey.values.as_slice(form.indnatts as usize);
            let fits = form.indisunique
                && form.indisvalid
                && form.indimmediate
                && !form.indcheckxmin
                && form.indnkeyatts as usize == key.len()
                && (*(*index).rd_rel).relam == pg_sys::BTREE_AM_OID
                && pg_sys::RelationGetIndexPredicate(index).is_null()
                && key.iter().enumerate().all(|(n, column)| {
                    i32::from(numbers[n]) == column.number
                        && *(*index).rd_indcollation.add(n) == column.collation
                });
            pg_sys::index_close(index, UNLOCKED);
            if fits {
                return Some(oid);
            }
        }
        None
    }
}

/// # Safety
/// The table is open and has that column.
unsafe fn collation(table: pg_sys::Relation, column: i32) -> pg_sys::Oid {
    let (mut ty, mut modifier, mut collation) = (pg_sys::InvalidOid, 0, pg_sys::InvalidOid);
    // SAFETY: a look-up in the catalogue of a column that is there.
    unsafe {
        pg_sys::get_atttypetypmodcoll(
            (*table).rd_id,
            column as pg_sys::AttrNumber,
            &mut ty,
            &mut modifier,
            &mut collation,
        );
    }
    collation
}

/// Raises 42501 unless the acting role may select these columns, as the executor does.
///
/// # Safety
/// The table is open and has these columns.
unsafe fn require_select(table: pg_sys::Relation, plan: &Plan) {
    let select = pg_sys::ACL_SELECT as pg_sys::AclMode;
    // SAFETY: look-ups in the catalogue; the name is copied by the error.
    unsafe {
        let role = pg_sys::GetUserId();
        if pg_sys::pg_class_aclcheck(plan.table, role, select) == pg_sys::AclResult::ACLCHECK_OK {
            return;
        }
        let may = |column: i32| {
            let number = column as pg_sys::AttrNumber;
            pg_sys::pg_attribute_aclcheck(plan.table, number, role, select)
                == pg_sys::AclResult::ACLCHECK_OK
        };
        let of_key = plan.key.iter().map(|column| column.number);
        if !of_key.chain(plan.columns.iter().copied()).all(may) {
            pg_sys::aclcheck_error(
                pg_sys::AclResult::ACLCHECK_NO_PRIV,
                pg_sys::ObjectType::OBJECT_TABLE,
                (*(*table).rd_rel).relname.data.as_ptr(),
            );
        }
    }
}
