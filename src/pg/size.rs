//! How much room a table takes.

use std::ffi::CStr;

use pgrx::prelude::*;

/// Bytes in the partitions of a table, without indexes. Waits for no lock: a partition that is
/// being truncated counts as empty. `None` where there is no such table.
pub fn of_partitions(schema: &CStr, table: &CStr) -> Option<u64> {
    let share = pg_sys::AccessShareLock as pg_sys::LOCKMODE;
    // SAFETY: each relation is locked before it is opened and closed before it is unlocked; the
    // array of partitions is copied before the parent is closed.
    unsafe {
        let namespace = pg_sys::get_namespace_oid(schema.as_ptr(), true);
        let parent = pg_sys::get_relname_relid(table.as_ptr(), namespace);
        if parent == pg_sys::InvalidOid {
            return None;
        }
        let relation = pg_sys::try_relation_open(parent, share);
        if relation.is_null() {
            return None;
        }
        let partitions = (*(*relation).rd_rel).relkind == pg_sys::RELKIND_PARTITIONED_TABLE as i8;
        let oids = if partitions {
            let described = &*pg_sys::RelationGetPartitionDesc(relation, true);
            std::slice::from_raw_parts(described.oids, described.nparts as usize).to_vec()
        } else {
            Vec::new()
        };
        pg_sys::relation_close(relation, share);
        Some(oids.into_iter().map(|oid| of_leaf(oid)).sum())
    }
}

/// # Safety
/// In a transaction.
unsafe fn of_leaf(oid: pg_sys::Oid) -> u64 {
    let share = pg_sys::AccessShareLock as pg_sys::LOCKMODE;
    // SAFETY: see `of_partitions`.
    unsafe {
        if !pg_sys::ConditionalLockRelationOid(oid, share) {
            return 0;
        }
        let relation = pg_sys::try_relation_open(oid, pg_sys::NoLock as pg_sys::LOCKMODE);
        let mut blocks = 0;
        if !relation.is_null() {
            blocks =
                pg_sys::RelationGetNumberOfBlocksInFork(relation, pg_sys::ForkNumber::MAIN_FORKNUM);
            pg_sys::relation_close(relation, pg_sys::NoLock as pg_sys::LOCKMODE);
        }
        pg_sys::UnlockRelationOid(oid, share);
        u64::from(blocks) * u64::from(pg_sys::BLCKSZ)
    }
}
