//! Matching: which records are of one person, though they share no identifier. The algorithms are the
//! engine's (`cdp_engine::matching`); here are the functions of SQL, what is stored, and when it runs.
//!
//! - [`standalone`]: any query's rows, with its caller's rights; nothing is stored;
//! - [`store`]: declared matchers and their models; [`rows`]: the records that they read;
//! - [`run`]: training, and matching all records at once; [`known`] and [`keys`]: what that stores for
//!   [`live`], which matches those that a batch brings;
//! - [`explain`]: one pair, and one record against all; [`review`]: what people decide.

mod columns;
mod explain;
mod keys;
mod known;
pub mod live;
mod review;
mod rows;
mod run;
mod standalone;
pub mod store;
mod table;
mod work;

pub use columns::{meanings, settings_fault};
pub use run::rebuild;
