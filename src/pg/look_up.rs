//! Looking up rows of tables of ours by key: an index scan a key, without SQL. There is no plan that
//! could be a bad one, and no array of arguments. A table that cannot be read so, because somebody
//! put a policy on it or took the index away, is read by SELECT.

use std::borrow::Cow;

use pgrx::datum::DatumWithOid;
use pgrx::prelude::*;
use pgrx::{FromDatum, pg_sys};

use super::reader::Value;
use super::relation::{Relation, places};
use super::value::Values;

/// A table, open for look-ups by some of its columns. What the transaction wrote before it was opened
/// is seen.
pub struct LookUp {
    way: Way,
    key: Vec<(usize, pg_sys::Oid)>,
    columns: Vec<(usize, pg_sys::Oid)>,
}

enum Way {
    Index(Scan),
    Select(String),
}

struct Scan {
    table: Relation,
    index: pg_sys::Relation,
    scan: pg_sys::IndexScanDesc,
    slot: *mut pg_sys::TupleTableSlot,
    keys: Vec<pg_sys::ScanKeyData>,
    snapshot: pg_sys::Snapshot,
    /// Where the scan itself allocates, as it goes: what was current when it began.
    home: pg_sys::MemoryContext,
    /// Where the values of one key live.
    memory: pg_sys::MemoryContext,
    /// The last column that is read.
    width: i32,
}

/// What the value of the last column of a key is.
#[derive(Clone, Copy, PartialEq)]
enum Last {
    Equal,
    Least,
}

/// A row that was found.
pub struct Found<'a> {
    way: FoundWay<'a>,
    columns: &'a [(usize, pg_sys::Oid)],
}

enum FoundWay<'a> {
    Slot(*mut pg_sys::TupleTableSlot),
    Row(&'a super::sql::Row<'a>),
}

impl Found<'_> {
    /// The value of column `n`, from 1, of those asked for. NULL is none.
    pub fn get<T: FromDatum + IntoDatum>(&self, n: usize) -> Option<T> {
        let (place, of_type) = self.columns[n - 1];
        match &self.way {
            FoundWay::Row(row) => row.get(n),
            FoundWay::Slot(slot) => {
                assert!(T::is_compatible_with(of_type), "the type of column {n}");
                // SAFETY: the slot holds a row, deformed as far as the last column asked for; the
                // datum is of that column's type, which T reads.
                unsafe {
                    let is_null = *(**slot).tts_isnull.add(place);
                    T::from_datum(*(**slot).tts_values.add(place), is_null)
                }
            }
        }
    }

    /// The numbers of column `n`, which is a `bigint[]` and never NULL.
    pub fn numbers(&self, n: usize) -> Cow<'_, [i64]> {
        let (place, of_type) = self.columns[n - 1];
        match &self.way {
            FoundWay::Row(row) => Cow::Owned(row.want(n)),
            FoundWay::Slot(slot) => {
                assert!(<&[i64]>::TYPES.contains(&of_type), "the type of column {n}");
                // SAFETY: as in `get`; the row stays where it is while it is looked at, and what is detoasted
                // until the next key.
                unsafe {
                    let is_null = *(**slot).tts_isnull.add(place);
                    assert!(!is_null, "column {n} is NULL");
                    Cow::Borrowed(<&[i64]>::read(*(**slot).tts_values.add(place)))
                }
            }
        }
    }

    /// The value of column `n`, which is never NULL.
    pub fn want<T: FromDatum + IntoDatum>(&self, n: usize) -> T {
        self.get(n).unwrap_or_else(|| panic!("column {n} is NULL"))
    }
}

impl LookUp {
    /// Opens `table` for look-ups by `key`, the first columns of one of its indexes.
    pub fn open(table: &str, key: &[&str], columns: &[&str]) -> Self {
        Self::open_by(table, key, columns, Last::Equal)
    }

    /// The same, but of the last column of `key` the value is the least: rows come in its order.
    pub fn open_from(table: &str, key: &[&str], columns: &[&str]) -> Self {
        Self::open_by(table, key, columns, Last::Least)
    }

    fn open_by(table: &str, key: &[&str], columns: &[&str], last: Last) -> Self {
        let relation = Relation::open(table, pg_sys::AccessShareLock);
        let described = relation.columns();
        let (Some(key_places), Some(column_places)) =
            (places(&described, key), places(&described, columns))
        else {
            pgrx::error!("{table} lacks one of the columns {key:?}, {columns:?}");
        };
        let usable =
            relation.kind() == pg_sys::RELKIND_RELATION && relation.allows(pg_sys::ACL_SELECT);
        let index = usable.then(|| index_on(&relation, &key_places)).flatten();
        let way = match index {
            Some(index) => {
                let width = column_places.iter().map(|c| c.0 + 1).max().unwrap_or(0);
                Way::Index(Scan::begin(
                    relation,
                    index,
                    key_places.len(),
                    last,
                    width as i32,
                ))
            }
            None => {
                relation.close();
                let quoted = |names: &[&str]| -> Vec<String> {
                    names.iter().map(pgrx::spi::quote_identifier).collect()
                };
                let is_least = |n| n == key.len() && last == Last::Least;
                let condition: Vec<String> = (1..)
                    .zip(quoted(key))
                    .map(|(n, name)| match is_least(n) {
                        true => format!("{name} >= ${n} ORDER BY {}", quoted(key).join(", ")),
                        false => format!("{name} = ${n}"),
                    })
                    .collect();
                Way::Select(format!(
                    "SELECT {} FROM {table} WHERE {}",
                    quoted(columns).join(", "),
                    condition.join(" AND ")
                ))
            }
        };
        // Keys are given in order, whatever their places in the table.
        let key = (0..).zip(key_places).map(|(n, (_, ty))| (n, ty)).collect();
        Self {
            way,
            key,
            columns: column_places,
        }
    }

    /// Gives `each` the rows of a key; `put` gives its values. Stops when `each` says false.
    pub fn find(&mut self, put: impl FnOnce(&mut Values), mut each: impl FnMut(&Found) -> bool) {
        pgrx::check_for_interrupts!();
        let mut datums = [pg_sys::Datum::null(); 4];
        let mut nulls = [true; 4];
        match &mut self.way {
            Way::Select(statement) => {
                put(&mut Values {
                    datums: &mut datums,
                    nulls: &mut nulls,
                    columns: &self.key,
                    given: 0,
                });
                let args: Vec<DatumWithOid> = self
                    .key
                    .iter()
                    .map(|&(n, of_type)| {
                        // SAFETY: the datum is of that column's type, as `Values` made sure.
                        unsafe { DatumWithOid::new((!nulls[n]).then_some(datums[n]), of_type) }
                    })
                    .collect();
                let mut more = true;
                let columns = &self.columns;
                super::sql::rows(statement, &args, |row| {
                    more = more
                        && each(&Found {
                            way: FoundWay::Row(&row),
                            columns,
                        });
                });
            }
            Way::Index(scan) => {
                // SAFETY: a scan begun by `begin` and not ended; the key's values live in `memory`
                // until the next one; the slot's row until the scan moves on. Where it is
                // called in turn for each row of another, the current memory lasts for that row only.
                unsafe {
                    pg_sys::MemoryContextReset(scan.memory);
                    let before = pg_sys::MemoryContextSwitchTo(scan.memory);
                    put(&mut Values {
                        datums: &mut datums,
                        nulls: &mut nulls,
                        columns: &self.key,
                        given: 0,
                    });
                    pg_sys::MemoryContextSwitchTo(scan.home);
                    for (key, datum) in scan.keys.iter_mut().zip(datums) {
                        key.sk_argument = datum;
                    }
                    pg_sys::index_rescan(
                        scan.scan,
                        scan.keys.as_mut_ptr(),
                        scan.keys.len() as i32,
                        std::ptr::null_mut(),
                        0,
                    );
                    let mut more = true;
                    while more
                        && pg_sys::index_getnext_slot(
                            scan.scan,
                            pg_sys::ScanDirection::ForwardScanDirection,
                            scan.slot,
                        )
                    {
                        pg_sys::slot_getsomeattrs(scan.slot, scan.width);
                        pg_sys::MemoryContextSwitchTo(scan.memory);
                        more = each(&Found {
                            way: FoundWay::Slot(scan.slot),
                            columns: &self.columns,
                        });
                        pg_sys::MemoryContextSwitchTo(scan.home);
                        // A key may have very many rows, and the index itself does not look.
                        pgrx::check_for_interrupts!();
                    }
                    pg_sys::MemoryContextSwitchTo(before);
                }
            }
        }
    }

    /// Closes it.
    pub fn close(self) {
        let Way::Index(scan) = self.way else { return };
        // SAFETY: begun by `begin`, and not used after this.
        unsafe {
            pg_sys::index_endscan(scan.scan);
            pg_sys::ExecDropSingleTupleTableSlot(scan.slot);
            pg_sys::UnregisterSnapshot(scan.snapshot);
            pg_sys::index_close(scan.index, pg_sys::NoLock as pg_sys::LOCKMODE);
            pg_sys::MemoryContextDelete(scan.memory);
        }
        scan.table.close();
    }
}

/// Looks up one key after another; `each` gets the key with each of its rows.
pub fn each<K: Copy>(
    (table, key): (&str, &[&str]),
    columns: &[&str],
    keys: impl IntoIterator<Item = K>,
    put: impl Fn(&mut Values, K),
    mut each: impl FnMut(K, &Found),
) {
    let mut keys = keys.into_iter().peekable();
    if keys.peek().is_none() {
        return;
    }
    let mut look_up = LookUp::open(table, key, columns);
    for key in keys {
        look_up.find(
            |values| put(values, key),
            |found| {
                each(key, found);
                true
            },
        );
    }
    look_up.close();
}

impl Scan {
    fn begin(table: Relation, index: pg_sys::Oid, keys: usize, last: Last, width: i32) -> Self {
        // SAFETY: an open table and one of its indexes, found by `index_on`, whose first columns are
        // the key's. The snapshot stays registered until `close`; after an error, the resource owner
        // of the transaction releases all of it.
        unsafe {
            let index = pg_sys::index_open(index, pg_sys::AccessShareLock as pg_sys::LOCKMODE);
            let snapshot = pg_sys::RegisterSnapshot(pg_sys::GetTransactionSnapshot());
            #[cfg(not(feature = "pg18"))]
            let scan = pg_sys::index_beginscan(table.0, index, snapshot, keys as i32, 0);
            #[cfg(feature = "pg18")]
            let scan = pg_sys::index_beginscan(
                table.0,
                index,
                snapshot,
                std::ptr::null_mut(),
                keys as i32,
                0,
            );
            let count = keys;
            let keys = (0..count)
                .map(|n| {
                    let family = *(*index).rd_opfamily.add(n);
                    let of_type = *(*index).rd_opcintype.add(n);
                    let strategy = match last {
                        Last::Least if n + 1 == count => pg_sys::BTGreaterEqualStrategyNumber,
                        _ => pg_sys::BTEqualStrategyNumber,
                    } as i16;
                    let operator = pg_sys::get_opfamily_member(family, of_type, of_type, strategy);
                    let mut key = pg_sys::ScanKeyData::default();
                    pg_sys::ScanKeyEntryInitialize(
                        &raw mut key,
                        0,
                        n as i16 + 1,
                        strategy as u16,
                        pg_sys::InvalidOid,
                        *(*index).rd_indcollation.add(n),
                        pg_sys::get_opcode(operator),
                        pg_sys::Datum::null(),
                    );
                    key
                })
                .collect();
            let memory = pg_sys::AllocSetContextCreateExtended(
                pg_sys::CurrentMemoryContext,
                c"key to look up".as_ptr(),
                pg_sys::ALLOCSET_SMALL_MINSIZE as usize,
                pg_sys::ALLOCSET_SMALL_INITSIZE as usize,
                pg_sys::ALLOCSET_SMALL_MAXSIZE as usize,
            );
            let slot = pg_sys::table_slot_create(table.0, std::ptr::null_mut());
            Self {
                table,
                index,
                scan,
                slot,
                keys,
                snapshot,
                home: pg_sys::CurrentMemoryContext,
                memory,
                width,
            }
        }
    }
}

/// An index of the table whose first columns are these, in this order.
fn index_on(table: &Relation, key: &[(usize, pg_sys::Oid)]) -> Option<pg_sys::Oid> {
    // SAFETY: an open table; each index is opened under a lock while it is looked at.
    unsafe {
        let list = pgrx::PgList::<std::ffi::c_void>::from_pg(pg_sys::RelationGetIndexList(table.0));
        list.iter_oid().find(|&oid| {
            let index = pg_sys::index_open(oid, pg_sys::AccessShareLock as pg_sys::LOCKMODE);
            let form = &*(*index).rd_index;
            let columns = form.indkey.values.as_slice(form.indnkeyatts as usize);
            let fits =
                (*(*index).rd_rel).relam == pg_sys::BTREE_AM_OID
                    && form.indisvalid
                    && pg_sys::RelationGetIndexPredicate(index).is_null()
                    && columns.len() >= key.len()
                    && columns.iter().zip(key).enumerate().all(
                        |(n, (column, (place, of_type)))| {
                            i32::from(*column) == *place as i32 + 1
                                && *(*index).rd_opcintype.add(n) == *of_type
                        },
                    );
            pg_sys::index_close(index, pg_sys::NoLock as pg_sys::LOCKMODE);
            fits
        })
    }
}
