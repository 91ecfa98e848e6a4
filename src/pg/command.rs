//! Running a user's SQL for its effect.

use std::ffi::CString;

use pgrx::prelude::*;

use super::{Error, Result};

/// Runs SQL of one or more statements and throws its rows away unread; how many rows the last
/// statement gave or touched. Within a transaction, which the SQL cannot end.
pub fn run(sql: &str) -> Result<i64> {
    let sql = CString::new(sql).map_err(|_| Error::invalid("the command holds a zero byte"))?;
    // SAFETY: an SPI connection of its own, closed in order; an error in between leaves it to the
    // abort of the (sub)transaction. `None_Receiver` is a constant receiver that drops all rows.
    let (code, rows) = unsafe {
        pg_sys::SPI_connect();
        let options = pg_sys::SPIExecuteOptions {
            dest: pg_sys::None_Receiver,
            ..Default::default()
        };
        let code = pg_sys::SPI_execute_extended(sql.as_ptr(), &options);
        let rows = pg_sys::SPI_processed;
        pg_sys::SPI_finish();
        (code, rows)
    };
    match code {
        pg_sys::SPI_ERROR_TRANSACTION => Err(Error::new(
            PgSqlErrorCode::ERRCODE_INVALID_TRANSACTION_TERMINATION,
            "a command runs in one transaction and cannot end it",
        )
        .hint("Leave out BEGIN, COMMIT, ROLLBACK and the like.")),
        pg_sys::SPI_ERROR_COPY => Err(Error::new(
            PgSqlErrorCode::ERRCODE_FEATURE_NOT_SUPPORTED,
            "COPY from or to the client has no client here",
        )),
        code if code < 0 => Err(Error::internal(format!("SPI gave {code}"))),
        _ => Ok(rows.min(i64::MAX as u64) as i64),
    }
}

/// Has what `body` runs cancelled when it takes longer than `statement_timeout`, as in a session of
/// a client. In a session of a client, PostgreSQL does so itself.
pub fn with_statement_timeout<T>(body: impl FnOnce() -> T) -> T {
    // From PostgreSQL's utils/timeout.h; the same number in versions 13 to 18.
    const STATEMENT_TIMEOUT: i32 = 3;
    unsafe extern "C-unwind" {
        fn enable_timeout_after(id: i32, milliseconds: i32);
        fn disable_timeout(id: i32, keep_indicator: bool);
    }
    struct Alarm;
    impl Drop for Alarm {
        fn drop(&mut self) {
            // SAFETY: the alarm that was set below; switching off one that has fired is allowed.
            unsafe { disable_timeout(STATEMENT_TIMEOUT, false) }
        }
    }
    // SAFETY: reads a global of this process.
    let limit = unsafe { pg_sys::StatementTimeout };
    let _alarm = (limit > 0 && super::process::in_background()).then(|| {
        // SAFETY: InitPostgres registered the handler of this alarm for every process with a
        // connection, and in a background process nothing else uses it; the guard switches it off.
        unsafe { enable_timeout_after(STATEMENT_TIMEOUT, limit) };
        Alarm
    });
    body()
}
