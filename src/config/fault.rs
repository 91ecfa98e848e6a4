//! What is wrong with a declaration, and where: said of the argument to those who call a function,
//! and of the JSON path to those who apply a document.

use crate::pg::Error;
use pgrx::PgSqlErrorCode;

/// A declaration that was refused.
#[derive(Debug, Clone)]
pub struct Fault {
    /// The section and name of the declaration at fault, where it may be another than the one at hand.
    pub place: Option<(&'static str, String)>,
    /// The attribute at fault, as a path below the declaration: `type`, `source_priority[1]`.
    pub attribute: Option<String>,
    /// What is wrong.
    pub error: Error,
}

/// The result of reading, checking or changing a declaration.
pub type Outcome<T> = std::result::Result<T, Box<Fault>>;

impl From<Error> for Box<Fault> {
    fn from(error: Error) -> Self {
        Fault::new(error)
    }
}

impl From<Box<Fault>> for Error {
    fn from(fault: Box<Fault>) -> Self {
        fault.error
    }
}

impl Fault {
    /// A fault of a declaration.
    pub fn new(error: Error) -> Box<Self> {
        Box::new(Self {
            place: None,
            attribute: None,
            error,
        })
    }

    /// A fault of one attribute.
    pub fn of(attribute: impl Into<String>, error: Error) -> Box<Self> {
        let mut fault = Self::new(error);
        fault.attribute = Some(attribute.into());
        fault
    }

    /// Says of which declaration.
    pub fn at(mut self: Box<Self>, section: &'static str, name: &str) -> Box<Self> {
        self.place.get_or_insert_with(|| (section, name.to_owned()));
        self
    }

    /// The fault of a document, with the path of the declaration, at which the attribute is appended.
    /// It is 22023, whatever it would be of an argument, but for what no document can mend.
    pub fn in_document(self, path: &str) -> Error {
        let path = match self.attribute {
            Some(attribute) if path != "$" => format!("{path}.{attribute}"),
            _ => path.to_owned(),
        };
        let code = match self.error.code {
            code @ (PgSqlErrorCode::ERRCODE_INSUFFICIENT_PRIVILEGE
            | PgSqlErrorCode::ERRCODE_LOCK_NOT_AVAILABLE
            | PgSqlErrorCode::ERRCODE_FEATURE_NOT_SUPPORTED
            | PgSqlErrorCode::ERRCODE_INTERNAL_ERROR) => code,
            _ => PgSqlErrorCode::ERRCODE_INVALID_PARAMETER_VALUE,
        };
        Error {
            code,
            message: format!("{path}: {}", self.error.message),
            ..self.error
        }
    }
}
