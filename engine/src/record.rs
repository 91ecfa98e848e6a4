//! Rows of mapped tables as PostgreSQL prints them.
