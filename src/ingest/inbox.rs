//! Reading the inbox: exactly what became visible since the last batch, whatever order transactions
//! committed in.
//!
//! The ledger's newest row holds a snapshot: everything visible in it is consumed. The next window
//! is what is visible in a snapshot of now and not in that one. Rows carry the id of the transaction
//! that wrote them, so a window is: the transactions that were running then, and those since. A
//! window larger than a batch is read in parts, in order of (transaction, id).

use crate::args;
use crate::pg::{sql, time};

/// Bytes of messages a batch, at most (one message may be larger).
const BATCH_BYTES: i64 = 64 << 20;

/// A row of the inbox.
#[derive(Debug, Clone)]
pub struct Arrival {
    /// Its id, in order of arrival within a writer, and of row versions of a mapped row.
    pub id: i64,
    /// When its transaction began.
    pub received_at: i64,
    /// Whether it is a captured row of a mapped table, not a message.
    pub is_row: bool,
    /// The name of its source.
    pub source: Option<String>,
    /// The text as it came.
    pub text: Option<String>,
}

/// How far the inbox is consumed: a row of the ledger.
#[derive(Debug, Clone)]
pub struct Position {
    /// Everything visible in this snapshot is consumed.
    consumed: String,
    /// While a window is read in parts: its end, and the last row read.
    part: Option<(String, String, i64)>,
}

impl Position {
    /// Whether a window is being read in parts.
    pub fn is_within_window(&self) -> bool {
        self.part.is_some()
    }
}

/// What [`next`] read.
#[derive(Debug)]
pub struct Window {
    /// The rows, in order.
    pub arrivals: Vec<Arrival>,
    /// Where the next one starts.
    pub after: Position,
    /// Whether this window holds more.
    pub more: bool,
}

/// Where the ledger stands.
pub fn position() -> Option<Position> {
    sql::first(
        "SELECT consumed::text, window_end::text, position_xact::text, position_id \
         FROM cdp.batches ORDER BY batch_id DESC LIMIT 1",
        args![],
        |row| Position {
            consumed: row.want(1),
            part: row
                .get::<String>(2)
                .map(|end| (end, row.want::<String>(3), row.want::<i64>(4))),
        },
    )
}

fn visible_now() -> Option<String> {
    sql::one(include_str!("../../sql/snapshot_of_others.sql"), args![])
}

/// Begins the ledger at this moment: what is visible now is consumed, and what this transaction has
/// written is not.
pub fn begin_ledger() {
    if let Some(consumed) = visible_now() {
        let start = Position {
            consumed,
            part: None,
        };
        advance(&start, Counts::default());
    }
}

/// Reads at most `limit` rows from there. Call it under the pipeline lock.
pub fn next(from: &Position, limit: i32) -> Window {
    let (end, after) = match &from.part {
        Some((end, xact, id)) => (end.clone(), Some((xact.clone(), *id))),
        None => (visible_now().unwrap_or_else(|| from.consumed.clone()), None),
    };
    let (xact, id) = after.unwrap_or_else(|| ("0".to_owned(), -1));
    let mut last = None;
    let arrivals = sql::rows(
        include_str!("../../sql/inbox_next.sql"),
        args![
            from.consumed.as_str(),
            end.as_str(),
            xact.as_str(),
            id,
            limit,
            BATCH_BYTES
        ],
        |row| {
            let id = row.want(1);
            last = Some((row.want::<String>(2), id));
            Arrival {
                id,
                received_at: time::from_pg(row.want(3)),
                is_row: row.want::<bool>(4),
                source: row.get(5),
                text: row.get(6),
            }
        },
    );
    let bytes: usize = arrivals
        .iter()
        .filter_map(|a| a.text.as_ref())
        .map(String::len)
        .sum();
    let full = arrivals.len() >= limit as usize || bytes >= BATCH_BYTES as usize;
    match last {
        Some((xact, id)) if full => Window {
            arrivals,
            after: Position {
                consumed: from.consumed.clone(),
                part: Some((end, xact, id)),
            },
            more: true,
        },
        _ => Window {
            arrivals,
            after: Position {
                consumed: end,
                part: None,
            },
            more: false,
        },
    }
}

/// Whether anything waits, without taking a transaction id.
pub fn has_more() -> bool {
    sql::read_first(
        include_str!("../../sql/inbox_waiting.sql"),
        args![],
        |row| row.get::<bool>(1),
    )
    .flatten()
        == Some(true)
}

/// What a batch did, for the ledger.
#[derive(Debug, Default, Clone, Copy)]
pub struct Counts {
    /// Rows read.
    pub read: i64,
    /// Messages and rows accepted.
    pub accepted: i64,
    /// Messages sent before.
    pub duplicates: i64,
    /// Dead letters.
    pub rejected: i64,
    /// How long the batch took so far.
    pub milliseconds: i32,
    /// How long the oldest message waited, in microseconds.
    pub lag: Option<i64>,
}

/// Writes the ledger: the inbox is consumed up to there.
pub fn advance(to: &Position, counts: Counts) {
    let (end, xact, id) = match &to.part {
        Some((end, xact, id)) => (Some(end.as_str()), Some(xact.as_str()), Some(*id)),
        None => (None, None, None),
    };
    sql::run(
        "INSERT INTO cdp.batches (finished_at, consumed, window_end, position_xact, position_id, \
             read, accepted, duplicates, rejected, milliseconds, lag) \
         VALUES (clock_timestamp(), $1::pg_snapshot, $2::pg_snapshot, $3::xid8, $4, \
             $5, $6, $7, $8, $9, make_interval(secs => $10::double precision / 1000000))",
        args![
            to.consumed.as_str(),
            end,
            xact,
            id,
            counts.read,
            counts.accepted,
            counts.duplicates,
            counts.rejected,
            counts.milliseconds,
            counts.lag
        ],
    );
}
