//! How many messages a batch reads.

use crate::args;
use crate::identity;
use crate::pg::{guc, sql};
use crate::rules::Rules;

/// Messages that the next batch should read at most: `cdp.batch_size`, or, when so many rows of mapped
/// tables wait that deriving the identity graph as a whole pays, `cdp.bulk_batch_size`.
pub fn of_next() -> i32 {
    let (usual, bulk) = (guc::BATCH_SIZE.get(), guc::BULK_BATCH_SIZE.get());
    let least = bulk / 5;
    if bulk <= usual || least == 0 {
        return usual;
    }
    let rows_among = |most: i32| {
        let rows = sql::one::<i64>(include_str!("../../sql/inbox_rows.sql"), args![most]);
        rows.unwrap_or(0)
    };
    // Looked at again and again while messages wait: one at first.
    let many = rows_among(1) == 1 && rows_among(least) == i64::from(least);
    let pays = || {
        let rows = rows_among(bulk);
        identity::derives_whole(rows, rows)
    };
    match many && pays() && Rules::load().is_ok_and(|rules| !rules.slices_time()) {
        true => bulk,
        false => usual,
    }
}
