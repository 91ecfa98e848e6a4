//! Jobs: SQL that runs on a schedule, with the rights of the role that scheduled it.
//!
//! [`store`] is the table, [`run`] a run from its claim to its result, and [`runner`] the process
//! that a worker starts for the jobs that are due, so that a long job keeps no message waiting.

mod functions;
pub mod run;
pub mod runner;
pub mod store;

pub use run::mark_crashed;
pub use store::{Due, confirm, due};
