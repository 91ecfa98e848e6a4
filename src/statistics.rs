//! The planner's statistics of our tables. Autovacuum looks once a minute and does not see what a
//! running batch writes: a backfill would spend its first minutes with plans made for empty tables.

use crate::args;
use crate::pg::sql;

/// Takes statistics of the tables that have grown to several times the size that the planner knows
/// of. Autovacuum does the rest.
pub fn keep_up() {
    for statement in sql::rows(include_str!("../sql/statistics_due.sql"), args![], |row| {
        row.want::<String>(1)
    }) {
        sql::run(&statement, args![]);
    }
}
