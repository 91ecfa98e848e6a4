//! Attempts: what lets a worker find the message that crashes the server.
//!
//! Before a batch, a row says how many messages it will read after which batch. A batch that never
//! came of it makes the next one half as large, and so on until the message at fault is alone, and
//! is set aside. The search goes on where it was after each part that went well.
//!
//! While a session is at an attempt it holds a lock of that name, so that those who process at once do
//! not take one another for crashed.

use pgrx::pg_sys;

use crate::pg::lock::Key;
use crate::pg::{Error, Result, sql, transaction};
use crate::pipeline::{self, Report};
use crate::{args, ingest, install};

/// A message alone that has crashed so often is set aside. Once could be anybody's kill -9.
const CRASHES_ALONE: i64 = 3;

/// What to do next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Run a batch.
    Run(Attempt),
    /// Set the next message aside.
    SetAside(Fault),
}

/// A batch that was begun.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Attempt {
    /// The row in `cdp.attempts`.
    pub id: i64,
    /// Messages at most.
    pub messages: i32,
}

/// Why a message is set aside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    reason: &'static str,
    detail: String,
    /// The batch that it follows.
    after: i64,
}

/// The newest attempt, and what came after it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Past {
    /// Messages it was to read.
    messages: i32,
    /// Among how many messages the one at fault was, as far as it was known then.
    suspects: i32,
    /// What it failed with; a crash leaves nothing.
    error: Option<String>,
    /// Messages that batches have read since; `None` if there was no batch since.
    read_since: Option<i64>,
    /// Attempts of one message at the same place that nobody is at any more.
    alone: i64,
}

/// Waits for whoever has the pipeline lock, in a transaction of its own: who is cancelled while he waits has
/// attempted nothing, and nothing that he has read is kept from others meanwhile.
pub fn await_turn() {
    install::lock_pipeline();
}

/// Plans the next batch of at most `full` messages and writes down that it is begun. To be
/// committed before the batch.
pub fn begin(full: i32) -> Result<Step> {
    let newest = sql::one::<i64>("SELECT max(batch_id) FROM cdp.batches", args![]).unwrap_or(0);
    let past = past(newest);
    let waiting = |most: i32| {
        sql::one::<i64>(include_str!("../../sql/inbox_count.sql"), args![most])
            .and_then(|count| i32::try_from(count).ok())
            .unwrap_or(most)
    };
    match plan(full, past.as_ref(), waiting) {
        Planned::SetAside(fault) => Ok(Step::SetAside(Fault {
            after: newest,
            ..fault
        })),
        Planned::Run { messages, suspects } => {
            let id = sql::one::<i64>(
                "INSERT INTO cdp.attempts (after_batch, messages, suspects, started_at) \
                 VALUES ($1, $2, $3, clock_timestamp()) RETURNING attempt_id",
                args![newest, messages, suspects],
            );
            let id = id.ok_or_else(|| Error::internal("no attempt was recorded"))?;
            key(id).try_take_for_session();
            Ok(Step::Run(Attempt { id, messages }))
        }
    }
}

/// Runs the batch of an attempt.
pub fn run(attempt: &Attempt) -> Result<Report> {
    let report = pipeline::run_batch(attempt.messages)?;
    if report.read == 0 {
        // No batch came of it, and none failed.
        forget(attempt);
    }
    if key(attempt.id).held() {
        key(attempt.id).release();
    }
    Ok(report)
}

/// What a session holds from the beginning of an attempt to its end.
fn key(attempt: i64) -> Key {
    let relation = sql::one::<pg_sys::Oid>("SELECT 'cdp.attempts'::regclass::oid", args![]);
    Key {
        relation: relation.unwrap_or(pg_sys::InvalidOid).to_u32(),
        number: attempt as u32,
    }
}

/// Sets the next message aside, unless somebody has read further meanwhile.
pub fn set_aside(fault: &Fault) -> Result<Report> {
    pipeline::set_aside_next(fault.after, fault.reason, &fault.detail)
}

/// Records that the batch of an attempt failed. An error that is not the data's fault leaves no
/// trace, so that it makes no batch smaller.
pub fn note_failure(attempt: &Attempt, error: &Error) -> Result<()> {
    if error.blames_data() {
        sql::run(
            "UPDATE cdp.attempts SET error = $2 WHERE attempt_id = $1",
            args![attempt.id, error.to_string()],
        );
    } else {
        forget(attempt);
    }
    Ok(())
}

/// The attempt of that id, begun in this session or another.
pub fn find(id: i64) -> Option<Attempt> {
    let messages = sql::one::<i32>(
        "SELECT messages FROM cdp.attempts WHERE attempt_id = $1",
        args![id],
    )?;
    Some(Attempt { id, messages })
}

/// Whether anything waits in the inbox.
pub fn anything_to_do() -> bool {
    ingest::inbox::has_more()
}

fn forget(attempt: &Attempt) {
    sql::run(
        "DELETE FROM cdp.attempts WHERE attempt_id = $1",
        args![attempt.id],
    );
}

fn past(newest_batch: i64) -> Option<Past> {
    sql::first(
        "SELECT a.messages, coalesce(a.suspects, 0), a.error, \
                CASE WHEN a.after_batch < $1 THEN \
                    (SELECT coalesce(sum(b.read), 0)::bigint FROM cdp.batches b \
                      WHERE b.batch_id > a.after_batch) END, \
                CASE WHEN a.after_batch < $1 THEN 0 ELSE \
                    (SELECT count(*) FROM cdp.attempts s \
                      WHERE s.after_batch = a.after_batch AND s.messages = 1 \
                        AND s.attempt_id > a.attempt_id - 100 \
                        AND NOT EXISTS (SELECT FROM pg_locks l \
                             WHERE l.locktype = 'object' AND l.database = $2::oid \
                               AND l.classid = 'cdp.attempts'::regclass \
                               AND l.objid = (s.attempt_id & 4294967295)::oid \
                               AND l.pid <> pg_backend_pid())) END \
           FROM cdp.attempts a ORDER BY a.attempt_id DESC LIMIT 1",
        args![newest_batch, transaction::database_oid()],
        |row| Past {
            messages: row.want(1),
            suspects: row.want(2),
            error: row.get(3),
            read_since: row.get(4),
            alone: row.want(5),
        },
    )
}

#[derive(Debug, PartialEq, Eq)]
enum Planned {
    Run {
        messages: i32,
        suspects: Option<i32>,
    },
    SetAside(Fault),
}

/// `waiting(n)` counts what is in the inbox, up to `n`.
fn plan(full: i32, past: Option<&Past>, waiting: impl Fn(i32) -> i32) -> Planned {
    let among = |suspects: i32| Planned::Run {
        messages: (suspects / 2).clamp(1, full),
        suspects: Some(suspects),
    };
    let Some(past) = past else {
        return Planned::Run {
            messages: full,
            suspects: None,
        };
    };
    match past.read_since {
        Some(read) => match i64::from(past.suspects).saturating_sub(read) {
            left if left > 0 => among(left as i32),
            _ => Planned::Run {
                messages: full,
                suspects: None,
            },
        },
        None if past.messages > 1 => among(waiting(past.messages).max(1)),
        None => match &past.error {
            Some(error) => Planned::SetAside(Fault {
                reason: "failed",
                detail: error.clone(),
                after: 0,
            }),
            None if past.alone >= CRASHES_ALONE => Planned::SetAside(Fault {
                reason: "crashed",
                detail: format!("{} batches of this message alone did not end", past.alone),
                after: 0,
            }),
            None => among(1),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Drives the plan against an inbox where message number `bad` crashes the server.
    fn search(full: i32, inbox: i32, bad: i32) -> (i32, Vec<i32>) {
        let (mut position, mut past, mut crashes, mut batches) = (0, None::<Past>, 0, Vec::new());
        loop {
            if position == inbox {
                return (crashes, batches);
            }
            match plan(full, past.as_ref(), |most| most.min(inbox - position)) {
                Planned::SetAside(_) => {
                    assert_eq!(position, bad);
                    position += 1;
                    if let Some(past) = &mut past {
                        past.read_since = Some(past.read_since.unwrap_or(0) + 1);
                    }
                }
                Planned::Run { messages, suspects } => {
                    let crashed = (position..position + messages).contains(&bad);
                    let alone = match &past {
                        Some(past) if past.read_since.is_none() => past.alone,
                        _ => 0,
                    };
                    let read = messages.min(inbox - position);
                    past = Some(Past {
                        messages,
                        suspects: suspects.unwrap_or(0),
                        error: None,
                        read_since: (!crashed).then_some(read.into()),
                        alone: alone + i64::from(messages == 1),
                    });
                    if crashed {
                        crashes += 1;
                        assert!(crashes < 100, "the search does not end");
                    } else {
                        position += read;
                        batches.push(read);
                    }
                }
            }
        }
    }

    #[test]
    fn a_message_that_crashes_is_found_by_halving() {
        for bad in [0, 1, 7, 499, 500, 998, 999] {
            let (crashes, batches) = search(1000, 1000, bad);
            assert!(crashes <= 14, "{crashes} crashes for message {bad}");
            assert_eq!(batches.iter().sum::<i32>(), 999);
        }
    }

    #[test]
    fn a_lone_message_is_found_at_once() {
        let (crashes, _) = search(20_000, 1, 0);
        assert_eq!(crashes, 4);
    }

    #[test]
    fn batches_are_full_again_afterwards() {
        let (_, batches) = search(100, 1000, 130);
        assert_eq!(batches[batches.len() - 2..], [100, 69]);
    }

    #[test]
    fn an_error_that_is_known_sets_a_lone_message_aside_at_once() {
        let past = Past {
            messages: 1,
            suspects: 1,
            error: Some("division by zero".to_owned()),
            read_since: None,
            alone: 1,
        };
        let planned = plan(100, Some(&past), |most| most);
        assert!(matches!(planned, Planned::SetAside(_)));
    }
}
