//! How things stand, for people: an item, its value, and what to do about it.

use pgrx::prelude::*;

use crate::args;
use crate::install::{self, SCHEMA_VERSION, State};
use crate::pg::{guc, shmem, sql, time, transaction};

/// Counting stops here: a look at a long queue must not take long itself.
const COUNTED: i64 = 1_000_000;

/// The share of the inbox's limit from which on it is an alarm.
const ALARM_PERCENT: i64 = 50;

struct Item {
    item: &'static str,
    value: String,
    advice: Option<String>,
}

impl Item {
    fn new(item: &'static str, value: impl Into<String>) -> Self {
        Self {
            item,
            value: value.into(),
            advice: None,
        }
    }

    fn advise(self, advice: impl Into<String>) -> Self {
        Self {
            advice: Some(advice.into()),
            ..self
        }
    }
}

/// How pg_cdp stands in this database: an item a row, with its value, and what to do where something is
/// to be done. Works before `cdp.init()`, while paused, and on a standby.
#[pg_extern(stable, parallel_unsafe)]
#[search_path(pg_catalog, pg_temp)]
fn status() -> TableIterator<
    'static,
    (
        name!(item, String),
        name!(value, String),
        name!(advice, Option<String>),
    ),
> {
    let row = |item: Item| (item.item.to_owned(), item.value, item.advice);
    TableIterator::new(items().into_iter().map(row))
}

fn items() -> Vec<Item> {
    let state = install::state();
    let mut items = vec![describe_state(state), versions(state)];
    if matches!(state, State::Absent | State::OtherVersion(_)) {
        return items;
    }
    let queue = Queue::look();
    items.push(workers(queue.count));
    items.push(paused());
    items.extend(queue.items());
    items.extend(batches());
    items.push(contents());
    items.push(holder());
    items.push(last_error());
    items.push(dead_letters());
    items.push(value_issues());
    items.push(inbox());
    items.push(mappings());
    items.push(schedules());
    items
}

fn describe_state(state: State) -> Item {
    let standby = transaction::on_standby();
    let item = |value: &str| Item::new("state", value);
    match state {
        State::Absent if standby => {
            item("not initialised").advise("run SELECT cdp.init(); on the primary")
        }
        State::Absent => item("not initialised").advise("run SELECT cdp.init();"),
        State::OtherVersion(version) => {
            let value = format!("the tables are of version {version}, not {SCHEMA_VERSION}");
            let advice = match version < SCHEMA_VERSION {
                true => "run SELECT cdp.init();",
                false => "install the newer pg_cdp on this server",
            };
            item(&value).advise(advice)
        }
        _ if standby => item("standby: read-only, as the primary left it"),
        State::Elsewhere => item("a copy of a database that runs elsewhere, waiting")
            .advise("run SELECT cdp.start(); to let this server process messages"),
        State::Paused => item("paused").advise("run SELECT cdp.resume();"),
        State::Ready => item("ready"),
    }
}

fn versions(state: State) -> Item {
    let tables = match state {
        State::Absent => "no tables".to_owned(),
        State::OtherVersion(version) => format!("tables {version}"),
        _ => format!("tables {SCHEMA_VERSION}"),
    };
    let library = env!("CARGO_PKG_VERSION");
    Item::new("version", format!("library {library}, {tables}"))
}

fn workers(waiting: i64) -> Item {
    let worker = crate::worker::describe();
    let mut value = worker.state.clone();
    if let Some(since) = worker.since {
        value.push_str(&format!(" since {}", moment(since)));
    }
    if let Some(pid) = worker.pid {
        value.push_str(&format!(" (process {pid})"));
    }
    let item = Item::new("worker", value);
    if transaction::on_standby() {
        return item;
    }
    if !shmem::present() {
        item.advise(
            "the library is not preloaded: CALL cdp.process_all(); from cron, \
             or set shared_preload_libraries = 'pg_cdp' and restart",
        )
    } else if !guc::WORKERS.get() && waiting > 0 {
        item.advise("workers are switched off by cdp.workers: CALL cdp.process_all();")
    } else {
        item
    }
}

/// A time in microseconds since 1970, as the session writes it.
fn moment(micros: i64) -> String {
    let text = sql::read_first(
        "SELECT date_trunc('second', $1::timestamptz)::text",
        args![time::to_pg(micros)],
        |row| row.get::<String>(1),
    );
    text.flatten().unwrap_or_default()
}

fn paused() -> Item {
    Item::new(
        "paused",
        super::paused_by().unwrap_or_else(|| "no".to_owned()),
    )
}

struct Queue {
    count: i64,
    oldest: Option<(String, String)>,
}

impl Queue {
    fn look() -> Self {
        sql::read_first(
            include_str!("../../sql/operate/queue.sql"),
            args![COUNTED + 1],
            |row| Self {
                count: row.want(1),
                oldest: row.get(2).zip(row.get(3)),
            },
        )
        .unwrap_or(Self {
            count: 0,
            oldest: None,
        })
    }

    fn items(&self) -> [Item; 2] {
        let oldest = match &self.oldest {
            Some((since, age)) => format!("{age} (received {since})"),
            None => "-".to_owned(),
        };
        [
            Item::new("queue", counted(self.count)),
            Item::new("oldest waiting", oldest),
        ]
    }
}

fn counted(count: i64) -> String {
    match count > COUNTED {
        true => format!("more than {COUNTED}"),
        false => count.to_string(),
    }
}

fn batches() -> [Item; 2] {
    let found = sql::read_first(
        include_str!("../../sql/operate/batches.sql"),
        args![],
        |row| (row.get::<String>(1), row.get::<String>(2)),
    );
    let (last, totals) = found.unwrap_or_default();
    [
        Item::new("last batch", last.unwrap_or_else(|| "none yet".to_owned())),
        Item::new("messages", totals.unwrap_or_default()),
    ]
}

/// How much there is, by the planner's statistics: counting would take long.
fn contents() -> Item {
    let text = sql::read_first(
        include_str!("../../sql/operate/contents.sql"),
        args![],
        |row| row.get::<String>(1),
    );
    Item::new("contents", text.flatten().unwrap_or_default())
}

fn holder() -> Item {
    let holder = sql::read_first(
        include_str!("../../sql/operate/holder.sql"),
        args![],
        |row| row.get::<String>(1),
    );
    Item::new(
        "pipeline lock",
        holder.flatten().unwrap_or_else(|| "free".to_owned()),
    )
}

fn last_error() -> Item {
    let of_batch = sql::read_first(
        "SELECT started_at, error FROM cdp.attempts WHERE error IS NOT NULL \
          ORDER BY attempt_id DESC LIMIT 1",
        args![],
        |row| (time::from_pg(row.want(1)), row.want::<String>(2)),
    );
    let worker = crate::worker::describe();
    let of_worker = worker.last_error_at.zip(worker.last_error);
    match of_batch.into_iter().chain(of_worker).max() {
        Some((at, error)) => Item::new("last error", format!("{}: {error}", moment(at))),
        None => Item::new("last error", "none"),
    }
}

fn dead_letters() -> Item {
    let found = sql::read_first(
        include_str!("../../sql/operate/dead_letters.sql"),
        args![COUNTED + 1],
        |row| (row.want::<i64>(1), row.want::<i64>(2), row.get::<String>(3)),
    );
    let (all, recent, newest) = found.unwrap_or_default();
    if all == 0 {
        return Item::new("dead letters", "none");
    }
    let newest = newest.unwrap_or_default();
    let value = format!(
        "{}, {} in 24 hours, the newest: {newest}",
        counted(all),
        counted(recent)
    );
    Item::new("dead letters", value)
        .advise("look into cdp.dead_letter; when mended, SELECT cdp.retry_dead_letters();")
}

fn value_issues() -> Item {
    let found = sql::read_first(
        "SELECT count(*), sum(count)::bigint FROM cdp.value_issues",
        args![],
        |row| (row.want::<i64>(1), row.get::<i64>(2)),
    );
    let (kinds, values) = found.unwrap_or_default();
    match kinds {
        0 => Item::new("value issues", "none"),
        _ => Item::new(
            "value issues",
            format!("{} values, of {kinds} kinds", values.unwrap_or_default()),
        )
        .advise("see cdp.value_issues"),
    }
}

fn inbox() -> Item {
    let limit = i64::from(guc::INBOX_LIMIT.get()) << 20;
    let size = sql::read_first(
        "SELECT sum(pg_total_relation_size(inhrelid))::bigint, \
                pg_size_pretty(sum(pg_total_relation_size(inhrelid))), pg_size_pretty($1::bigint) \
           FROM pg_catalog.pg_inherits WHERE inhparent = 'cdp.inbox'::regclass",
        args![limit],
        |row| {
            (
                row.get::<i64>(1),
                row.get::<String>(2),
                row.get::<String>(3),
            )
        },
    );
    let Some((Some(bytes), Some(size), Some(most))) = size else {
        return Item::new("inbox", "-");
    };
    let percent = bytes.saturating_mul(100) / limit.max(1);
    let item = Item::new(
        "inbox",
        format!("{size}, {percent} % of cdp.inbox_limit ({most})"),
    );
    match percent >= ALARM_PERCENT {
        true => item.advise(
            "ALARM: from 100 % on ingest is refused; let processing catch up, \
             or raise cdp.inbox_limit",
        ),
        false => item,
    }
}

fn mappings() -> Item {
    let found = sql::read_first(
        "SELECT count(*), count(m.fault), \
                min(format('%s since %s: %s', s.name, date_trunc('second', m.fault_since), m.fault)) \
                    FILTER (WHERE m.fault IS NOT NULL) \
           FROM cdp.mappings m JOIN cdp.sources s USING (source_id)",
        args![],
        |row| (row.want::<i64>(1), row.want::<i64>(2), row.get::<String>(3)),
    );
    let (mapped, faulty, fault) = found.unwrap_or_default();
    match fault {
        None => Item::new("mapped tables", mapped.to_string()),
        Some(fault) => Item::new(
            "mapped tables",
            format!("{mapped}, {faulty} not captured; {fault}"),
        )
        .advise("mend it; until then, changes of that table are missed or wait"),
    }
}

fn schedules() -> Item {
    let found = sql::read_first(
        "SELECT (SELECT count(*) FROM cdp.jobs WHERE enabled), \
                (SELECT min(next_run_at)::text FROM cdp.jobs WHERE enabled), \
                (SELECT count(*) FROM cdp.job_runs \
                  WHERE status IN ('failed', 'crashed') AND started_at > now() - interval '24 hours')",
        args![],
        |row| (row.want::<i64>(1), row.get::<String>(2), row.want::<i64>(3)),
    );
    let (jobs, next, failed) = found.unwrap_or_default();
    let next = next.map_or(String::new(), |next| format!(", the next at {next}"));
    match failed {
        0 => Item::new("schedules", format!("{jobs}{next}")),
        _ => Item::new(
            "schedules",
            format!("{jobs}{next}; {failed} runs failed in 24 hours"),
        )
        .advise("see cdp.job_runs"),
    }
}
