//! pg_cdp turns a PostgreSQL database into a Customer Data Platform.
//!
//! Read [`pipeline`] next: one batch from the inbox to the segments, in a page. Each folder is an
//! area, with its tables in `sql/`, its functions and its tests; areas meet only in the pipeline.
//! The algorithms are in the crate `cdp_engine`, which knows no PostgreSQL; unsafe code is in
//! [`pg`] alone.

mod assertion;
mod config;
pub mod evidence;
pub mod identity;
pub mod ingest;
pub mod install;
pub mod jobs;
pub mod mapping;
mod matching;
mod operate;
pub mod pg;
pub mod pipeline;
pub mod profile;
pub mod rebuild;
pub mod rules;
pub mod segment;
mod similarity;
pub mod statistics;
pub mod worker;

pgrx::pg_module_magic!(name, version);

#[pgrx::pg_guard]
#[allow(non_snake_case)]
/// Called when the library is loaded.
pub extern "C-unwind" fn _PG_init() {
    pg::guc::register();
    worker::register();
}

// Last of all: nothing for PUBLIC, and a comment on every function.
pgrx::extension_sql_file!("../sql/functions/comments.sql", name = "comments", finalize);

#[cfg(test)]
/// What `cargo pgrx test` asks for.
pub mod pg_test {
    /// Before the tests.
    pub fn setup(_options: Vec<&str>) {}
    /// Settings of the test server.
    pub fn postgresql_conf_options() -> Vec<&'static str> {
        vec!["shared_preload_libraries = 'pg_cdp'"]
    }
}
