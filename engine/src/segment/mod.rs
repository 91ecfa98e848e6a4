//! The segment language.
