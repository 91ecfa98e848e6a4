//! Typed traits and survivorship.
