//! Rows of mapped tables as PostgreSQL prints them.

mod capture;
mod literal;
mod value;

pub use capture::{CapturedColumn, CapturedRow, Operation, parse_capture};
pub use literal::{RecordError, parse_record};
pub use value::{is_time, parse_time, to_json};
