//! Intervals, written alike whatever the session's settings are.

use pgrx::PgSqlErrorCode;

use crate::args;
use crate::pg::{Error, Result, sql, transaction};

/// An interval: months, days and microseconds, none of which follows from another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Interval {
    months: i32,
    days: i32,
    micros: i64,
}

impl From<pgrx::datum::Interval> for Interval {
    fn from(interval: pgrx::datum::Interval) -> Self {
        Self {
            months: interval.months(),
            days: interval.days(),
            micros: interval.micros(),
        }
    }
}

impl Interval {
    /// So many seconds.
    pub const fn seconds(seconds: i64) -> Self {
        Self {
            months: 0,
            days: 0,
            micros: seconds * 1_000_000,
        }
    }

    /// Reads what PostgreSQL takes as an interval.
    pub fn parse(text: &str) -> Result<Self> {
        let parsed = transaction::in_subtransaction(|| {
            let sql = "SELECT $1::pg_catalog.text::pg_catalog.interval";
            Ok(sql::one::<pgrx::datum::Interval>(sql, args![text]).map(Self::from))
        });
        match parsed {
            Ok(Some(interval)) => Ok(interval),
            Ok(None) => Err(Error::invalid("an interval must not be null")),
            Err(error) => Err(Error {
                code: PgSqlErrorCode::ERRCODE_INVALID_DATETIME_FORMAT,
                ..error
            }
            .hint("Write it as '30 days' or '1 hour 30 minutes'.")),
        }
    }

    /// As PostgreSQL has it.
    pub fn to_pg(self) -> Result<pgrx::datum::Interval> {
        pgrx::datum::Interval::new(self.months, self.days, self.micros)
            .map_err(|error| Error::invalid(format!("invalid interval: {error}")))
    }

    /// Whether any part of it is less than nothing.
    pub fn is_negative(self) -> bool {
        self.months < 0 || self.days < 0 || self.micros < 0
    }
}

impl std::fmt::Display for Interval {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        const SECOND: i64 = 1_000_000;
        let seconds = self.micros / SECOND;
        let rest = self.micros % SECOND;
        let mut parts = Vec::new();
        let mut part = |count: i64, unit: &str| match count {
            0 => {}
            1 => parts.push(format!("1 {unit}")),
            _ => parts.push(format!("{count} {unit}s")),
        };
        part(i64::from(self.months / 12), "year");
        part(i64::from(self.months % 12), "month");
        part(i64::from(self.days), "day");
        part(seconds / 3_600, "hour");
        part(seconds % 3_600 / 60, "minute");
        part(seconds % 60, "second");
        part(rest, "microsecond");
        match parts.is_empty() {
            true => f.write_str("0 seconds"),
            false => f.write_str(&parts.join(" ")),
        }
    }
}
