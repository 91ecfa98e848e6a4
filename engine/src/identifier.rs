//! Declared identifier types: normalisers, validity, blocked values.
