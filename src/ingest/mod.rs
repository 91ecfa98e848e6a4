//! Ingest: how messages come in, and how the pipeline reads them. Writers only append.

pub mod inbox;
