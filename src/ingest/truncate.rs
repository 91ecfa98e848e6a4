//! Giving back the space of consumed partitions of the inbox.
//!
//! A partition is truncated once everything in it is consumed and every snapshot held on the server
//! is younger than the batch that consumed it: an older one, a running backup for instance, would
//! otherwise see the ledger of before and an inbox without its messages.

use pgrx::pg_sys;

use crate::args;
use crate::pg::{Result, snapshot, sql, transaction};

/// Truncates the partitions that can be; how many. Never waits long for a lock: what cannot be done
/// now is done later.
pub fn truncate_consumed() -> Result<u32> {
    let candidates = sql::rows(
        "SELECT i.inhrelid, i.inhrelid::regclass::text FROM pg_inherits i \
         WHERE i.inhparent = 'cdp.inbox'::regclass AND pg_relation_size(i.inhrelid) > 0",
        args![],
        |row| (row.want::<pg_sys::Oid>(1), row.want::<String>(2)),
    );
    let mut truncated = 0;
    for (table, name) in candidates {
        // A look without a lock first: a busy partition is not locked for nothing.
        if consuming_transaction(&name).is_none() {
            continue;
        }
        let done = transaction::in_subtransaction(|| {
            sql::run("SET LOCAL lock_timeout = '100ms'", args![]);
            sql::run(
                &format!("LOCK TABLE {name} IN ACCESS EXCLUSIVE MODE"),
                args![],
            );
            let Some(consumed_by) = consuming_transaction(&name) else {
                return Ok(false);
            };
            if !snapshot::all_see(table, consumed_by) {
                return Ok(false);
            }
            sql::run(&format!("TRUNCATE {name}"), args![]);
            Ok(true)
        });
        match done {
            Ok(true) => truncated += 1,
            Ok(false) => {}
            Err(error) if error.code == pgrx::PgSqlErrorCode::ERRCODE_LOCK_NOT_AVAILABLE => {}
            Err(error) => return Err(error),
        }
    }
    Ok(truncated)
}

/// The transaction of the first batch after which nothing in this partition was left to read; none
/// while something is.
fn consuming_transaction(partition: &str) -> Option<u64> {
    sql::one::<i64>(
        &format!(
            "SELECT b.committed_by::text::bigint \
             FROM (SELECT max(xact) AS newest FROM {partition}) p \
             CROSS JOIN LATERAL (SELECT committed_by FROM cdp.batches b \
                 WHERE pg_snapshot_xmin(b.consumed) > p.newest ORDER BY b.batch_id LIMIT 1) b"
        ),
        args![],
    )
    .map(|xid| xid as u64)
}
