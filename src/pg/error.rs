//! Errors that a user can act on: SQLSTATE, message, detail and hint.

use pgrx::pg_sys::panic::{CaughtError, ErrorReport};
use pgrx::{PgLogLevel, PgSqlErrorCode};

/// What goes wrong in pg_cdp. Raised as a PostgreSQL error by [`Error::raise`], at the border only.
#[derive(Debug, Clone)]
pub struct Error {
    /// The SQLSTATE, one that a client can act on.
    pub code: PgSqlErrorCode,
    /// Lower case, names the object and the limit.
    pub message: String,
    /// What exactly was found.
    pub detail: Option<String>,
    /// What to do.
    pub hint: Option<String>,
}

/// The result of everything that can fail for a reason of the user's.
pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    /// An error with its SQLSTATE.
    pub fn new(code: PgSqlErrorCode, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
            detail: None,
            hint: None,
        }
    }

    /// 22023: a value of an argument is not allowed.
    pub fn invalid(message: impl Into<String>) -> Self {
        Self::new(PgSqlErrorCode::ERRCODE_INVALID_PARAMETER_VALUE, message)
    }

    /// 42704: a named object does not exist.
    pub fn unknown(message: impl Into<String>) -> Self {
        Self::new(PgSqlErrorCode::ERRCODE_UNDEFINED_OBJECT, message)
    }

    /// 42710: a named object exists already.
    pub fn duplicate(message: impl Into<String>) -> Self {
        Self::new(PgSqlErrorCode::ERRCODE_DUPLICATE_OBJECT, message)
    }

    /// 55000: the installation is not in the state that this needs.
    pub fn state(message: impl Into<String>) -> Self {
        Self::new(
            PgSqlErrorCode::ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE,
            message,
        )
    }

    /// 42501: a right is missing.
    pub fn privilege(message: impl Into<String>) -> Self {
        Self::new(PgSqlErrorCode::ERRCODE_INSUFFICIENT_PRIVILEGE, message)
    }

    /// XX000: a fault of ours.
    pub fn internal(message: impl Into<String>) -> Self {
        Self::new(PgSqlErrorCode::ERRCODE_INTERNAL_ERROR, message)
    }

    /// Adds what exactly was found.
    pub fn detail(mut self, detail: impl Into<String>) -> Self {
        self.detail = Some(detail.into());
        self
    }

    /// Adds what to do.
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Raises it as a PostgreSQL ERROR.
    pub fn raise(self) -> ! {
        self.report(PgLogLevel::ERROR);
        unreachable!("an ERROR does not return")
    }

    /// Says it as a WARNING, and goes on.
    pub fn warn(self) {
        self.report(PgLogLevel::WARNING);
    }

    fn report(self, level: PgLogLevel) {
        let mut report = ErrorReport::new(self.code, self.message, "");
        if let Some(detail) = self.detail {
            report = report.set_detail(detail);
        }
        if let Some(hint) = self.hint {
            report = report.set_hint(hint);
        }
        report.report(level);
    }

    /// What PostgreSQL, or code of ours, raised.
    pub(super) fn from_caught(caught: &CaughtError) -> Self {
        let report = match caught {
            CaughtError::PostgresError(report) | CaughtError::ErrorReport(report) => report,
            CaughtError::RustPanic { ereport, .. } => ereport,
        };
        Self {
            code: report.sql_error_code(),
            message: report.message().to_owned(),
            detail: report.detail().map(str::to_owned),
            hint: report.hint().map(str::to_owned),
        }
    }

    /// Whether the fault may lie in the data at hand. A cancel, a shutdown or a full disk does not:
    /// trying a smaller part of the data would hide it.
    pub fn blames_data(&self) -> bool {
        // A SQLSTATE packs six bits a character; the first two name its class.
        let class = (self.code as i32) & 0x0fff;
        let class_of = |code: PgSqlErrorCode| (code as i32) & 0x0fff;
        ![
            PgSqlErrorCode::ERRCODE_QUERY_CANCELED, // 57: operator intervention
            PgSqlErrorCode::ERRCODE_INSUFFICIENT_RESOURCES, // 53
            PgSqlErrorCode::ERRCODE_LOCK_NOT_AVAILABLE, // 55
            PgSqlErrorCode::ERRCODE_T_R_DEADLOCK_DETECTED, // 40
            PgSqlErrorCode::ERRCODE_INSUFFICIENT_PRIVILEGE, // 42: a fault of the installation
            PgSqlErrorCode::ERRCODE_IO_ERROR,       // 58
            PgSqlErrorCode::ERRCODE_READ_ONLY_SQL_TRANSACTION, // 25
            PgSqlErrorCode::ERRCODE_CONNECTION_EXCEPTION, // 08
        ]
        .into_iter()
        .any(|code| class_of(code) == class)
    }
}

impl std::fmt::Display for Error {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.message)?;
        if let Some(detail) = &self.detail {
            write!(f, " ({detail})")?;
        }
        Ok(())
    }
}

/// Raises the error of a result, at the border to PostgreSQL.
pub trait OrRaise<T> {
    /// The value, or the error raised.
    fn or_raise(self) -> T;
}

impl<T> OrRaise<T> for Result<T> {
    fn or_raise(self) -> T {
        self.unwrap_or_else(|error| error.raise())
    }
}
