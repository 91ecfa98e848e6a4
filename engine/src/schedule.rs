//! When a job is due: cron expressions and intervals.
