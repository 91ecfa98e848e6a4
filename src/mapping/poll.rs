//! Capture by polling, for what has no triggers.
//!
//! A poll reads the rows that may have changed and compares each with the hash of what it saw last,
//! so reading a row too often costs time and nothing else. Which rows may have changed:
//!
//! - of a plain table up to [`EXACT_PAGES`]: those that the last poll's snapshot did not see;
//! - else, with a watermark, those at or above a bound: see [`Drain`];
//! - else all. From time to time all anyway, which also finds what is gone.

use std::collections::hash_map::RandomState;
use std::collections::{BTreeMap, HashSet};
use std::hash::BuildHasher;

use cdp_engine::mapping::Mapping;
use pgrx::pg_sys;
use serde_json::{Value, json};

use crate::args;
use crate::pg::{Error, Result, role, sql, time, transaction};

use super::inbox;
use super::reader::{Reader, as_reader};
use super::relation::{self, Relation, identity};

/// The size up to which a plain table is read whole, for the rows that a snapshot did not see: a
/// quarter of a gigabyte takes about a tenth of a second.
const EXACT_PAGES: i64 = 32_768;

/// Keys of rows that are compared at once.
const KEYS: i64 = 10_000;

/// The types that a watermark can have.
pub const WATERMARK_TYPES: [&str; 7] = [
    "timestamp with time zone",
    "timestamp without time zone",
    "date",
    "smallint",
    "integer",
    "bigint",
    "numeric",
];

/// A polled source.
pub struct Polled {
    /// The source's id.
    pub source_id: i32,
    /// The source's name.
    pub source: String,
    /// Its mapping, with the present names of columns.
    pub mapping: Mapping,
    /// What it is mapped to.
    pub relation: pg_sys::Oid,
    /// The part that its rows are captured as.
    pub part: String,
    /// The column that grows with every change.
    pub watermark: Option<String>,
    /// Seconds between comparisons of all.
    pub compare_every: f64,
    /// How far below the watermark a poll reads, as an interval.
    pub overlap: String,
    /// What the last poll left.
    pub state: Value,
}

/// How far a watermark is drained. Rows become visible when their transaction commits, by which time
/// the watermark has moved on. So a poll notes which transactions run, and the next reads from where
/// the watermark was when the oldest of them that was still running began.
#[derive(Debug, Default, Clone, PartialEq)]
struct Drain {
    /// The number of the poll.
    poll: i64,
    /// The highest watermark seen, never more than what the clock allowed.
    high: Option<String>,
    /// Running transactions, each with the poll before which it began, and the watermark then.
    running: BTreeMap<String, (i64, Option<String>)>,
}

impl Drain {
    fn of(state: &Value) -> Self {
        let text = |value: &Value| value.as_str().map(str::to_owned);
        let running = state.get("running").and_then(Value::as_object);
        let running = running.into_iter().flatten().map(|(name, entry)| {
            let poll = entry.get(0).and_then(Value::as_i64).unwrap_or_default();
            (name.clone(), (poll, entry.get(1).and_then(text)))
        });
        Self {
            poll: state
                .get("poll")
                .and_then(Value::as_i64)
                .unwrap_or_default(),
            high: state.get("high").and_then(text),
            running: running.collect(),
        }
    }

    /// Where the next poll reads from; `None` is the beginning.
    fn low(&self) -> Option<&String> {
        let oldest = self.running.values().min_by_key(|(poll, _)| *poll);
        oldest.map_or(self.high.as_ref(), |(_, bound)| bound.as_ref())
    }

    /// The state after a poll that saw these transactions running, and the watermark at `high` before.
    fn next(&self, high: Option<String>, running: Vec<String>) -> Self {
        let oldest = self.running.values().min_by_key(|(poll, _)| *poll);
        let known = |name: String| {
            let entry = self
                .running
                .get(&name)
                .cloned()
                .unwrap_or_else(|| match oldest {
                    // A prepared transaction had another name while it ran.
                    Some(oldest) if name.starts_with("prepared ") => oldest.clone(),
                    _ => (self.poll, self.high.clone()),
                });
            (name, entry)
        };
        Self {
            poll: self.poll + 1,
            high,
            running: running.into_iter().map(known).collect(),
        }
    }
}

/// What a poll reads.
#[derive(Debug, Clone, PartialEq)]
enum Reach {
    /// Everything, and what is gone is found.
    All,
    /// What this condition selects.
    Where(String),
}

/// Reads what changed since the last poll and appends it to the inbox; how many captures, and the
/// state for the next poll. As the owner role; the relation is read as its own owner.
pub fn poll(polled: &Polled, compare: bool) -> Result<(i64, Value)> {
    let relation = Relation::find(polled.relation)
        .ok_or_else(|| Error::unknown("the mapped relation does not exist any more"))?;
    require_consent(&relation)?;
    let here = identity(relation.oid);
    let is_same = polled.state.get("of").and_then(Value::as_str) == Some(&here);
    let last = if is_same {
        polled.state.clone()
    } else {
        json!({})
    };
    let started = time::now();

    let drain = Drain::of(&last);
    let high = match &polled.watermark {
        Some(watermark) => highest(&relation, watermark, drain.high.as_deref())?,
        None => None,
    };
    // Between the highest watermark and the snapshot of the rows: whoever begins later stamps higher.
    let drain_after = drain.next(high, running());
    let snapshot = sql::one::<String>(
        "SELECT pg_snapshot_xmin(pg_current_snapshot())::text",
        args![],
    )
    .unwrap_or_default();

    let reach = match compare || is_compare_due(&last, polled.compare_every, started) {
        true => Reach::All,
        false => reach(polled, &relation, &drain, &last)?,
    };
    let written = read(polled, &relation, &reach)?;
    let compared = match reach {
        Reach::All => json!(started),
        Reach::Where(_) => last.get("compared_at").cloned().unwrap_or_default(),
    };
    let running: Value = drain_after
        .running
        .iter()
        .map(|(name, (poll, bound))| (name.clone(), json!([poll, bound])))
        .collect();
    let state = json!({
        "of": here, "polled_at": started, "compared_at": compared, "snapshot": snapshot,
        "poll": drain_after.poll, "high": drain_after.high, "running": running,
    });
    Ok((written, state))
}

fn is_compare_due(last: &Value, every: f64, now: i64) -> bool {
    let compared = last.get("compared_at").and_then(Value::as_i64);
    #[allow(clippy::cast_precision_loss)]
    compared.is_none_or(|at| (now.saturating_sub(at)) as f64 >= every * 1e6)
}

/// The relation's owner lets `cdp_owner` read it by a GRANT. A row of `cdp.mappings` is no such
/// consent: members of `cdp_owner` can write it.
pub fn require_consent(relation: &Relation) -> Result<()> {
    let granted = sql::one::<bool>(
        "SELECT has_table_privilege($1, $2::oid, 'SELECT')",
        args![role::OWNER, relation.oid],
    );
    let hint = format!(
        "Its owner can run: GRANT SELECT ON {} TO {};",
        relation.name,
        role::OWNER
    );
    if granted != Some(true) {
        return Err(
            Error::privilege(format!("{} may not read {}", role::OWNER, relation.name)).hint(hint),
        );
    }
    if relation.row_security {
        return Err(Error::state(format!(
            "{} has row security, so polling would read past it",
            relation.name
        ))
        .hint(
            "Map it with capture => 'trigger', or map a view of the rows that may be captured.",
        ));
    }
    Ok(())
}

fn highest(relation: &Relation, watermark: &str, before: Option<&str>) -> Result<Option<String>> {
    let type_name = type_of(relation, watermark)?;
    let column = relation::quote(watermark);
    // A watermark in the future would hide all that comes until then.
    let limit = match type_name.as_str() {
        "timestamp with time zone" => Some("clock_timestamp()"),
        // Whatever zone it is in.
        "timestamp without time zone" => {
            Some("clock_timestamp() AT TIME ZONE 'UTC' + interval '14 hours'")
        }
        "date" => Some("(clock_timestamp() AT TIME ZONE 'UTC' + interval '14 hours')::date"),
        _ => None,
    };
    let mut highest = format!("max(t.{column})");
    if let Some(limit) = limit {
        highest = format!("least({highest}, {limit})");
    }
    if let Some(before) = before {
        let before = relation::quote_literal(before);
        highest = format!("greatest({highest}, {before}::{type_name})");
    }
    let query = format!(
        "SELECT format('%s', h), h IS NULL FROM (SELECT {highest} AS h FROM {} t) x",
        relation.name
    );
    as_reader(relation.owner, || {
        let row = sql::first(&query, args![], |row| {
            (row.get::<String>(1), row.get::<bool>(2))
        });
        Ok(row
            .filter(|(_, is_null)| *is_null == Some(false))
            .and_then(|(text, _)| text))
    })
}

fn type_of(relation: &Relation, watermark: &str) -> Result<String> {
    let column = relation.column(watermark).ok_or_else(|| {
        Error::unknown(format!(
            "{} has no column \"{watermark}\", its watermark",
            relation.name
        ))
        .hint("Map it again with another watermark.")
    })?;
    Ok(column.type_name.clone())
}

/// The transactions that run in this database now, but this one.
fn running() -> Vec<String> {
    sql::rows(
        "SELECT l.virtualxid FROM pg_catalog.pg_locks l \
         JOIN pg_catalog.pg_stat_activity a ON a.pid = l.pid \
         WHERE l.locktype = 'virtualxid' AND l.mode = 'ExclusiveLock' AND l.granted \
           AND l.pid <> pg_backend_pid() \
           AND a.datid = (SELECT oid FROM pg_catalog.pg_database WHERE datname = current_database()) \
         UNION ALL SELECT 'prepared ' || x.transaction::text FROM pg_catalog.pg_prepared_xacts x \
         WHERE x.database = current_database()",
        args![],
        |row| row.want(1),
    )
}

fn reach(polled: &Polled, relation: &Relation, drain: &Drain, last: &Value) -> Result<Reach> {
    let snapshot = last.get("snapshot").and_then(Value::as_str);
    if let Some(condition) = snapshot.and_then(|xmin| unseen(relation, xmin)) {
        return Ok(Reach::Where(condition));
    }
    let (Some(watermark), Some(low)) = (&polled.watermark, drain.low()) else {
        return Ok(Reach::All);
    };
    let type_name = type_of(relation, watermark)?;
    let column = relation::quote(watermark);
    let low = format!("{}::{type_name}", relation::quote_literal(low));
    let overlap = format!("{}::interval", relation::quote_literal(&polled.overlap));
    let low = match type_name.as_str() {
        "date" => format!("({low} - {overlap})::date"),
        name if name.starts_with("timestamp") => format!("{low} - {overlap}"),
        _ => low,
    };
    Ok(Reach::Where(format!(
        "t.{column} >= {low} OR t.{column} IS NULL"
    )))
}

/// The condition for rows that a snapshot with this xmin may not have seen, for a plain table that is
/// small enough. Every such row was written by a transaction that is not below the snapshot's xmin.
fn unseen(relation: &Relation, xmin: &str) -> Option<String> {
    if !matches!(relation.kind, 'r' | 'p') {
        return None;
    }
    let leaves: Vec<i64> = relation
        .leaves()
        .into_iter()
        .map(|leaf| i64::from(leaf.to_u32()))
        .collect();
    let fits = sql::one::<bool>(
        "SELECT bool_and(c.relkind = 'r' AND a.amname = 'heap') \
                AND sum(pg_relation_size(c.oid::regclass)) / 8192 <= $2 \
         FROM pg_catalog.pg_class c LEFT JOIN pg_catalog.pg_am a ON a.oid = c.relam \
         WHERE c.oid = ANY ($1::bigint[]::oid[])",
        args![leaves, EXACT_PAGES],
    );
    // Ages are counted in 31 bits.
    let near = sql::one::<bool>(
        "SELECT pg_snapshot_xmax(pg_current_snapshot())::text::numeric - $1::numeric < 2000000000",
        args![xmin],
    );
    if fits != Some(true) || near != Some(true) {
        return None;
    }
    let short = xmin.parse::<u64>().ok()? & u64::from(u32::MAX);
    Some(format!("age(t.xmin) <= age('{short}'::xid)"))
}

fn read(polled: &Polled, relation: &Relation, reach: &Reach) -> Result<i64> {
    let mut key_columns = Vec::new();
    for name in &polled.mapping.key {
        let renamed = polled
            .mapping
            .renamed
            .iter()
            .find(|(former, _)| former == name);
        let present = renamed.map_or(name, |(_, present)| present);
        let column = relation.column(present).ok_or_else(|| {
            Error::unknown(format!(
                "{} has no column \"{present}\", its key",
                relation.name
            ))
            .hint("Map it again with another key.")
        })?;
        key_columns.push(column.clone());
    }
    let key: Vec<String> = key_columns
        .iter()
        .map(|c| format!("t.{}", relation::quote(&c.name)))
        .collect();
    let mut query = format!(
        "SELECT CASE WHEN octet_length(k.k) > 2000 THEN 'md5:' || md5(k.k) ELSE k.k END, \
                format('%s', t.*) \
         FROM {} t, LATERAL (SELECT format('%s', ROW({})) AS k) k",
        relation.name,
        key.join(", ")
    );
    if let Reach::Where(condition) = reach {
        query = format!("{query} WHERE {condition}");
    }
    let mut reader = Reader::open(relation.owner, &query)?;
    // Now it is locked against changes of its columns.
    let locked = Relation::find(relation.oid).unwrap_or_else(|| relation.clone());
    let (columns, types) = (locked.column_names(), locked.type_names());

    let hasher = RandomState::new();
    let mut seen = HashSet::new();
    let mut written = 0;
    loop {
        let rows = reader.next()?;
        if rows.is_empty() {
            break;
        }
        if *reach == Reach::All {
            seen.extend(rows.iter().map(|(key, _)| hasher.hash_one(key)));
        }
        written += append_changed(polled, &columns, &types, rows);
    }
    if *reach == Reach::All {
        let names: Vec<String> = key_columns.iter().map(|c| c.name.clone()).collect();
        let types: Vec<String> = key_columns.iter().map(|c| c.type_name.clone()).collect();
        written += append_gone(polled, &names, &types, |key| {
            seen.contains(&hasher.hash_one(key))
        });
    }
    Ok(written)
}

/// Appends the rows that are new or other than when they were seen last.
fn append_changed(
    polled: &Polled,
    columns: &[String],
    types: &[String],
    rows: Vec<(String, String)>,
) -> i64 {
    let (keys, rows): (Vec<String>, Vec<String>) = rows.into_iter().unzip();
    let written = sql::run(
        "WITH seen AS ( \
             SELECT DISTINCT ON (s.key) s.key, s.\"row\" \
             FROM unnest($2::text[], $3::text[]) s(key, \"row\") ORDER BY s.key, s.\"row\" \
         ), changed AS ( \
             INSERT INTO cdp.polled_keys AS p (source_id, key, row_hash) \
             SELECT $1, s.key, hashtextextended(s.\"row\", 0) FROM seen s \
             ON CONFLICT (source_id, key) DO UPDATE SET row_hash = EXCLUDED.row_hash \
             WHERE p.row_hash <> EXCLUDED.row_hash \
             RETURNING p.key \
         ) \
         INSERT INTO cdp.inbox (kind, source, message) \
         SELECT 'r', $4, json_build_object('op', 'I', 'rel', $5, 'cols', $6, 'types', $7, \
                                           'row', s.\"row\")::text \
         FROM seen s JOIN changed c ON c.key = s.key RETURNING 1",
        args![
            polled.source_id,
            keys,
            rows,
            polled.source.as_str(),
            polled.part.as_str(),
            columns.to_vec(),
            types.to_vec()
        ],
    );
    i64::try_from(written).unwrap_or_default()
}

/// Appends a deletion for every known key that is not there any more.
fn append_gone(
    polled: &Polled,
    columns: &[String],
    types: &[String],
    is_there: impl Fn(&String) -> bool,
) -> i64 {
    let mut after = String::new();
    let mut written = 0;
    loop {
        let keys = sql::rows(
            "SELECT key FROM cdp.polled_keys WHERE source_id = $1 AND key > $2 \
             ORDER BY source_id, key LIMIT $3",
            args![polled.source_id, after.as_str(), KEYS],
            |row| row.want::<String>(1),
        );
        let Some(last) = keys.last() else {
            return written;
        };
        after.clone_from(last);
        let gone: Vec<String> = keys.into_iter().filter(|key| !is_there(key)).collect();
        if gone.is_empty() {
            continue;
        }
        sql::run(
            "DELETE FROM cdp.polled_keys WHERE source_id = $1 AND key = ANY ($2)",
            args![polled.source_id, gone.clone()],
        );
        // A key too long to be kept was too long to be accepted.
        let rows: Vec<String> = gone
            .into_iter()
            .filter(|key| key.starts_with('('))
            .collect();
        inbox::append(&polled.source, 'D', &polled.part, columns, types, &rows);
        written += i64::try_from(rows.len()).unwrap_or_default();
    }
}

/// Whether the time of the transaction allows it: polling needs a snapshot a statement.
pub fn require_snapshots() -> Result<()> {
    transaction::require_read_committed("cdp.poll()")
}
