//! Times: microseconds since the Unix epoch in our code, `timestamptz` in SQL.

use pgrx::datum::TimestampWithTimeZone;

/// 2000-01-01, the epoch of PostgreSQL, in microseconds since the Unix epoch.
pub(super) const POSTGRES_EPOCH: i64 = 946_684_800_000_000;

/// The `timestamptz` of a time. Times past what PostgreSQL holds become its infinities.
pub fn to_pg(micros: i64) -> TimestampWithTimeZone {
    TimestampWithTimeZone::try_from(micros.saturating_sub(POSTGRES_EPOCH)).unwrap_or_else(|_| {
        if micros < 0 {
            TimestampWithTimeZone::negative_infinity()
        } else {
            TimestampWithTimeZone::positive_infinity()
        }
    })
}

/// The time of a `timestamptz`.
pub fn from_pg(time: TimestampWithTimeZone) -> i64 {
    i64::from(time).saturating_add(POSTGRES_EPOCH)
}

/// Now, by the clock, not by the start of the transaction.
pub fn now() -> i64 {
    // SAFETY: reads the clock.
    unsafe { pgrx::pg_sys::GetCurrentTimestamp() }.saturating_add(POSTGRES_EPOCH)
}
