//! Tables of ours, opened for reading and writing without SQL.

use std::ffi::CStr;

use pgrx::pg_sys;

/// An open relation; its lock is kept to the end of the transaction.
pub(super) struct Relation(pub pg_sys::Relation);

impl Relation {
    /// Opens `schema.table`; raises what SQL would raise if it is not there.
    pub fn open(name: &str, lock: u32) -> Self {
        let oid = oid(name);
        // SAFETY: opened under a lock; closed by `close`, or by the resource owner after an error.
        Self(unsafe { pg_sys::table_open(oid, lock as pg_sys::LOCKMODE) })
    }

    pub fn close(self) {
        // SAFETY: opened by `open`, and not used after this.
        unsafe { pg_sys::table_close(self.0, pg_sys::NoLock as pg_sys::LOCKMODE) }
    }

    /// Whether the current user may do this with all of it, by grants and without row security.
    pub fn allows(&self, right: u32) -> bool {
        // SAFETY: an open relation's descriptor; the check reads the catalogue.
        unsafe {
            let oid = (*self.0).rd_id;
            pg_sys::pg_class_aclcheck(oid, pg_sys::GetUserId(), pg_sys::AclMode::from(right))
                == pg_sys::AclResult::ACLCHECK_OK
                && !(*(*self.0).rd_rel).relrowsecurity
        }
    }

    pub fn kind(&self) -> u8 {
        // SAFETY: an open relation's descriptor.
        unsafe { (*(*self.0).rd_rel).relkind as u8 }
    }

    /// Whether a row is no more than its columns and indexes: a heap without triggers, rules and
    /// generated columns.
    pub fn is_plain(&self) -> bool {
        // SAFETY: an open relation's descriptor.
        unsafe {
            let relation = &*self.0;
            let constraints = (*relation.rd_att).constr;
            let generated = !constraints.is_null() && (*constraints).has_generated_stored;
            let heap = self.kind() == pg_sys::RELKIND_PARTITIONED_TABLE
                || (*relation.rd_rel).relam == pg_sys::HEAP_TABLE_AM_OID;
            heap && relation.trigdesc.is_null() && relation.rd_rules.is_null() && !generated
        }
    }

    /// Whether it has CHECK constraints.
    pub fn has_checks(&self) -> bool {
        // SAFETY: an open relation's descriptor.
        unsafe {
            let constraints = (*(*self.0).rd_att).constr;
            !constraints.is_null() && (*constraints).num_check > 0
        }
    }

    /// Whether it has indexes.
    pub fn has_indexes(&self) -> bool {
        // SAFETY: an open relation's descriptor.
        unsafe { (*(*self.0).rd_rel).relhasindex }
    }

    /// The columns, in order: name, type, whether it may be NULL; a dropped one has no type.
    pub fn columns(&self) -> Vec<Column> {
        // SAFETY: a descriptor holds that many attributes, and lives as long as the relation is open.
        unsafe {
            let descriptor = (*self.0).rd_att;
            let attributes = (*descriptor).attrs.as_slice((*descriptor).natts as usize);
            attributes
                .iter()
                .map(|a| Column {
                    name: CStr::from_ptr(a.attname.data.as_ptr())
                        .to_string_lossy()
                        .into_owned(),
                    of_type: a.atttypid,
                    is_nullable: !a.attnotnull,
                    is_dropped: a.attisdropped,
                    has_default: a.atthasdef,
                })
                .collect()
        }
    }
}

#[derive(Debug, PartialEq)]
pub(super) struct Column {
    pub name: String,
    pub of_type: pg_sys::Oid,
    pub is_nullable: bool,
    pub is_dropped: bool,
    pub has_default: bool,
}

/// Places and types of these columns; none if one is missing.
pub(super) fn places(columns: &[Column], names: &[&str]) -> Option<Vec<(usize, pg_sys::Oid)>> {
    names
        .iter()
        .map(|name| {
            let place = columns
                .iter()
                .position(|c| !c.is_dropped && c.name == *name)?;
            Some((place, columns[place].of_type))
        })
        .collect()
}

fn oid(name: &str) -> pg_sys::Oid {
    let (schema, table) = name.split_once('.').unwrap_or(("pg_catalog", name));
    let (schema, table) = (
        std::ffi::CString::new(schema).unwrap_or_default(),
        std::ffi::CString::new(table).unwrap_or_default(),
    );
    // SAFETY: PostgreSQL's own look-up by name; the names live until it returns.
    unsafe {
        let schema = pg_sys::get_namespace_oid(schema.as_ptr(), false);
        let oid = pg_sys::get_relname_relid(table.as_ptr(), schema);
        if oid == pg_sys::InvalidOid {
            pgrx::error!("relation \"{name}\" does not exist");
        }
        oid
    }
}
