//! Ingest: how messages come in, and how the pipeline reads them. Writers only append.

pub mod inbox;
pub mod truncate;

pgrx::extension_sql_file!("../../sql/functions/ingest.sql", name = "ingest");
