//! The only unsafe code: what the areas need of PostgreSQL beyond pgrx's safe face. Each block says
//! why it is sound. Nothing here knows what a profile or a segment is.

pub mod append;
pub mod command;
pub mod entry;
pub mod error;
pub mod fill;
pub mod guc;
pub mod jsonb;
pub mod latch;
pub mod lock;
pub mod look_up;
pub mod process;
pub mod reader;
mod relation;
pub mod result_set;
pub mod role;
pub mod row;
pub mod seal;
pub mod shmem;
pub mod size;
pub mod snapshot;
pub mod sql;
pub mod thread;
pub mod time;
pub mod transaction;
pub mod transaction_end;
pub mod value;

pub use error::{Error, Result};
pub use sql::{Args, Row};
