//! How far back the snapshots that are held anywhere on this server reach.

use pgrx::pg_sys;

/// Whether every snapshot held now sees `xid` as finished, for reads of this table. The caller holds
/// a lock on the table.
pub fn all_see(table: pg_sys::Oid, xid: u64) -> bool {
    // SAFETY: the table is locked by the caller, so it can be opened without a lock; the horizon is
    // computed from shared memory by PostgreSQL's own function.
    unsafe {
        let relation = pg_sys::table_open(table, pg_sys::NoLock as pg_sys::LOCKMODE);
        let oldest = pg_sys::GetOldestNonRemovableTransactionId(relation);
        pg_sys::table_close(relation, pg_sys::NoLock as pg_sys::LOCKMODE);
        // The low half of a 64-bit id is the 32-bit id, which wraps around: compared as such.
        let xid = pg_sys::TransactionId::from_inner(xid as u32);
        pg_sys::TransactionIdPrecedes(xid, oldest)
    }
}
