//! The segment language from outside: the SQL and the errors of whole rules, and what must hold of
//! every rule.

mod catalog;
mod golden;
mod properties;
