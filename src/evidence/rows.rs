//! Rows of mapped tables. Every captured version is stored; the newest one of each key stands, and is
//! evidence as it stands: an update replaces what the row said before, a delete withdraws it.

mod read;

use std::collections::{BTreeMap, HashMap, HashSet};

use pgrx::datum::TimestampWithTimeZone;
use serde_json::{Map, Value, json};

use super::read::linked_at;
use super::{Body, Statement};
use crate::args;
use crate::pg::{sql, time};
use crate::profile::candidates;

pub use read::read;

/// A change of one mapped row, or of all rows of a table.
#[derive(Debug)]
pub struct RowChange {
    at: Capture,
    what: Change,
}

/// Where and when a row was captured.
#[derive(Debug, Clone)]
struct Capture {
    source_id: i32,
    /// The inbox id: changes of one row are in its order.
    version: i64,
    received_at: i64,
    /// The table or partition that the row is in.
    part: String,
}

#[derive(Debug)]
enum Change {
    Put(Box<Row>),
    Delete {
        key: String,
    },
    /// All rows of the source, or of one partition of its table.
    Truncate {
        whole: bool,
    },
}

/// A row as it was captured.
#[derive(Debug)]
struct Row {
    key: String,
    /// The whole row, JSON.
    json: String,
    identifiers: Vec<(usize, String)>,
    /// The identifiers as the row shows them: name of the type and raw value.
    shown: Vec<(String, String)>,
    trait_values: Vec<(String, Value)>,
    /// When a record was created; when an event happened.
    time: Option<i64>,
    /// When what the row says was said, by its own word.
    said_at: Option<i64>,
    /// Name and properties, of an event.
    event: Option<(String, String)>,
    max_backdate: Option<i64>,
}

/// What the rows of a batch come to.
#[derive(Default)]
pub struct Applied {
    /// What the rows that stand now, and did not so before, say.
    pub statements: Vec<Statement>,
    /// Where each of them comes from.
    places: Vec<Place>,
    /// The event of each, 0 for records; once they are remembered.
    pub event_ids: Vec<i64>,
    /// Sets that lost evidence, and those of rows that replace others.
    pub recount: Vec<i64>,
    /// Versions stored.
    pub accepted: i64,
    /// Versions known before: their inbox ids.
    pub repeated: Vec<i64>,
    /// Source and key of every row that is another now, or gone.
    pub changed: Vec<(i32, String)>,
}

/// The row that a statement comes from.
struct Place {
    key: String,
    at: Capture,
    captured_at: i64,
    /// What the row shows as identifiers, JSON.
    shown: String,
    /// Whether another version stood before.
    replaces: bool,
}

/// What the tables know of a key.
struct Known {
    version: i64,
    part: String,
    set_id: Option<i64>,
    time: Option<TimestampWithTimeZone>,
    event_id: Option<i64>,
    captured_at: i64,
}

type Key = (i32, String);

/// The newest version of each key of a batch; `None` for a row that is gone.
struct Ledger {
    known: HashMap<Key, Known>,
    latest: BTreeMap<Key, (Capture, Option<Box<Row>>)>,
    versions: Versions,
    repeated: Vec<i64>,
}

impl Ledger {
    fn set(&mut self, at: &Capture, key: String, row: Option<Box<Row>>) {
        let key = (at.source_id, key);
        // A version that could not stand comes again when its dead letter is retried.
        let again = |known: &Known| row.is_some() && known.set_id.is_none();
        if self.known.get(&key).is_some_and(|known| {
            known.version > at.version || (known.version == at.version && !again(known))
        }) {
            self.repeated.push(at.version);
            return;
        }
        self.versions
            .push(at, &key.1, row.as_ref().map(|row| row.json.clone()));
        self.latest.insert(key, (at.clone(), row));
    }

    /// The keys of the rows of a table, or of one partition of it, that stand at this point.
    fn standing(&self, at: &Capture, whole: bool) -> Vec<String> {
        let concerned = |part: &str| whole || part == at.part;
        let mut keys: HashSet<&str> = HashSet::new();
        for ((source, key), known) in &self.known {
            if *source == at.source_id && known.set_id.is_some() && concerned(&known.part) {
                keys.insert(key);
            }
        }
        for ((source, key), (capture, row)) in &self.latest {
            if *source == at.source_id {
                if row.is_some() && concerned(&capture.part) {
                    keys.insert(key);
                } else {
                    keys.remove(key.as_str());
                }
            }
        }
        keys.into_iter().map(str::to_owned).collect()
    }
}

/// Works out which rows stand after these changes, stores every version, and withdraws what no
/// longer stands.
pub fn apply(mut changes: Vec<RowChange>) -> Applied {
    if changes.is_empty() {
        return Applied::default();
    }
    changes.sort_by_key(|change| change.at.version);
    let mut ledger = Ledger {
        known: load(&changes),
        latest: BTreeMap::new(),
        versions: Versions::default(),
        repeated: Vec::new(),
    };
    for RowChange { at, what } in changes {
        match what {
            Change::Put(row) => ledger.set(&at, row.key.clone(), Some(row)),
            Change::Delete { key } => ledger.set(&at, key, None),
            Change::Truncate { whole } => {
                for key in ledger.standing(&at, whole) {
                    ledger.set(&at, key, None);
                }
            }
        }
    }
    let Ledger {
        mut known,
        latest,
        versions,
        repeated,
    } = ledger;
    let mut applied = Applied {
        accepted: versions.store(),
        repeated,
        changed: latest.keys().cloned().collect(),
        ..Applied::default()
    };
    let before: Vec<Option<Known>> = latest.keys().map(|key| known.remove(key)).collect();
    applied.recount = withdraw(latest.keys().zip(&before));
    let mut gone = Vec::new();
    for ((key, (at, row)), before) in latest.into_iter().zip(before) {
        let replaces = before.as_ref().is_some_and(|known| known.set_id.is_some());
        let captured_at = before.map_or(at.received_at, |known| known.captured_at);
        let place = Place {
            key: key.1,
            at,
            captured_at,
            shown: row
                .as_ref()
                .map_or_else(String::new, |row| json!(row.shown).to_string()),
            replaces,
        };
        match row {
            Some(row) => {
                applied.statements.push(state(&place, *row));
                applied.places.push(place);
            }
            None => gone.push(place),
        }
    }
    remember(&gone, &[], &[]);
    applied
}

/// What a row that stands says.
fn state(place: &Place, row: Row) -> Statement {
    // A record's link dates from its creation, else from its first capture, never from an edit.
    let happened = row.time.unwrap_or(place.captured_at);
    let body = match row.event {
        Some((name, properties)) => Body::Event {
            kind: "track",
            name: Some(name),
            properties: Some(properties),
            context: None,
            rest: None,
        },
        None => Body::Record,
    };
    Statement {
        source_id: place.at.source_id,
        inbox_id: place.at.version,
        received_at: place.at.received_at,
        time: happened,
        linked_at: match &body {
            Body::Record => happened,
            _ => linked_at(happened, place.at.received_at, row.max_backdate),
        },
        said_at: row.said_at.unwrap_or(place.at.received_at),
        message_id: Some(place.key.clone()),
        content_hash: cdp_engine::fingerprint(row.json.as_bytes()) as i64,
        identifiers: row.identifiers,
        trait_values: row.trait_values,
        body,
        set_id: 0,
    }
}

/// A row that is taken out of its batch.
pub struct Withheld {
    /// Its source.
    pub source_id: i32,
    /// Its key.
    pub key: String,
    /// Set, time and id of its event, if it is one.
    pub event: Option<(i64, i64, i64)>,
}

impl Applied {
    /// Remembers which rows stand, once their sets and events are stored. `event_ids` are those of
    /// the statements, 0 for records.
    pub fn remember(&mut self, event_ids: &[i64]) {
        remember(&self.places, &self.statements, event_ids);
        self.event_ids = event_ids.to_vec();
    }

    /// Takes out what these statements say, once they are remembered.
    pub fn withhold(&mut self, which: impl Fn(&Statement) -> bool) -> Vec<Withheld> {
        let mut withheld = Vec::new();
        for n in (0..self.statements.len()).rev() {
            if which(&self.statements[n]) {
                let statement = self.statements.remove(n);
                let place = self.places.remove(n);
                let event_id = self.event_ids.remove(n);
                withheld.push(Withheld {
                    source_id: statement.source_id,
                    key: place.key,
                    event: (event_id != 0).then_some((statement.set_id, statement.time, event_id)),
                });
            }
        }
        withheld
    }

    /// Statements of rows that none stood in the place of.
    pub fn added(&self) -> impl Iterator<Item = &Statement> {
        self.statements
            .iter()
            .zip(&self.places)
            .filter(|(_, place)| !place.replaces)
            .map(|(s, _)| s)
    }

    /// The sets whose evidence must be counted anew: those that lost some, and those of rows that
    /// replace others.
    pub fn sets_to_recount(&self) -> Vec<i64> {
        let replacing = self
            .statements
            .iter()
            .zip(&self.places)
            .filter(|(_, place)| place.replaces);
        let mut sets: Vec<i64> = self
            .recount
            .iter()
            .copied()
            .chain(replacing.map(|(s, _)| s.set_id))
            .collect();
        sets.sort_unstable();
        sets.dedup();
        sets
    }
}

/// What the tables know of the keys of these changes, and of all rows of a table that one of them
/// truncates.
fn load(changes: &[RowChange]) -> HashMap<Key, Known> {
    let mut keys: Vec<(i32, &str)> = Vec::new();
    let mut truncated: Vec<i32> = Vec::new();
    for change in changes {
        match &change.what {
            Change::Put(row) => keys.push((change.at.source_id, &row.key)),
            Change::Delete { key } => keys.push((change.at.source_id, key)),
            Change::Truncate { .. } => truncated.push(change.at.source_id),
        }
    }
    sql::rows(
        "SELECT r.source_id, r.key, r.version, r.part, r.set_id, r.\"time\", r.event_id, r.captured_at \
         FROM cdp.records r JOIN unnest($1::integer[], $2::text[]) u (source_id, key) \
           ON u.source_id = r.source_id AND u.key = r.key \
         UNION \
         SELECT r.source_id, r.key, r.version, r.part, r.set_id, r.\"time\", r.event_id, r.captured_at \
         FROM cdp.records r WHERE r.source_id = ANY ($3)",
        args![
            keys.iter().map(|key| key.0).collect::<Vec<_>>(),
            keys.iter().map(|key| key.1).collect::<Vec<_>>(),
            truncated
        ],
        |row| {
            let known = Known {
                version: row.want(3),
                part: row.want(4),
                set_id: row.get(5),
                time: row.get(6),
                event_id: row.get(7),
                captured_at: time::from_pg(row.want(8)),
            };
            ((row.want(1), row.want(2)), known)
        },
    )
    .into_iter()
    .collect()
}

/// Removes the events and trait candidates of rows that no longer stand as they did; their sets.
fn withdraw<'a>(former: impl Iterator<Item = (&'a Key, &'a Option<Known>)>) -> Vec<i64> {
    let (mut sets, mut times, mut events) = (Vec::new(), Vec::new(), Vec::new());
    let mut said = Vec::new();
    let mut withdrawn = Vec::new();
    for ((source_id, _), known) in former {
        let Some(Known {
            set_id: Some(set_id),
            time,
            event_id,
            ..
        }) = known
        else {
            continue;
        };
        withdrawn.push(*set_id);
        match (time, event_id) {
            (Some(time), Some(event_id)) => {
                sets.push(*set_id);
                times.push(*time);
                events.push(*event_id);
            }
            _ => said.push((*set_id, *source_id)),
        }
    }
    if !sets.is_empty() {
        sql::run(
            "DELETE FROM cdp.events e USING unnest($1::bigint[], $2::timestamptz[], $3::bigint[]) \
                 u (set_id, \"time\", event_id) \
             WHERE e.set_id = u.set_id AND e.\"time\" = u.\"time\" AND e.event_id = u.event_id",
            args![sets, times, events],
        );
    }
    candidates::forget(&said);
    withdrawn
}

/// Writes `cdp.records` for rows; without statements, that they are gone.
fn remember(places: &[Place], statements: &[Statement], event_ids: &[i64]) {
    if places.is_empty() {
        return;
    }
    let said = |statement: &Statement| {
        let traits: Map<String, Value> = statement.trait_values.iter().cloned().collect();
        Value::Object(traits).to_string()
    };
    let mut columns: (Vec<_>, Vec<_>, Vec<_>, Vec<_>, Vec<_>) = Default::default();
    for n in 0..places.len() {
        let statement = statements.get(n);
        columns.0.push(statement.map(|s| s.set_id));
        columns.1.push(statement.map(|s| time::to_pg(s.time)));
        columns
            .2
            .push(event_ids.get(n).copied().filter(|&id| id != 0));
        columns.3.push(statement.map(|s| time::to_pg(s.said_at)));
        columns.4.push(statement.map(said));
    }
    sql::run(
        "INSERT INTO cdp.records AS r (source_id, key, version, part, captured_at, set_id, \"time\", \
             event_id, said_at, said, shown) \
         SELECT u.a, u.b, u.c, u.d, u.e, u.f, u.g, u.h, u.i, u.j::jsonb, nullif(u.k, '')::jsonb \
         FROM unnest($1::integer[], $2::text[], $3::bigint[], $4::text[], $5::timestamptz[], \
              $6::bigint[], $7::timestamptz[], $8::bigint[], $9::timestamptz[], $10::text[], \
              $11::text[]) u (a, b, c, d, e, f, g, h, i, j, k) \
         ON CONFLICT (source_id, key) DO UPDATE \
         SET version = EXCLUDED.version, part = EXCLUDED.part, set_id = EXCLUDED.set_id, \
             \"time\" = EXCLUDED.\"time\", event_id = EXCLUDED.event_id, \
             said_at = EXCLUDED.said_at, said = EXCLUDED.said, shown = EXCLUDED.shown, \
             revoked = r.revoked AND EXCLUDED.set_id IS NOT NULL",
        args![
            places.iter().map(|p| p.at.source_id).collect::<Vec<_>>(),
            places.iter().map(|p| p.key.as_str()).collect::<Vec<_>>(),
            places.iter().map(|p| p.at.version).collect::<Vec<_>>(),
            places
                .iter()
                .map(|p| p.at.part.as_str())
                .collect::<Vec<_>>(),
            places
                .iter()
                .map(|p| time::to_pg(p.captured_at))
                .collect::<Vec<_>>(),
            columns.0,
            columns.1,
            columns.2,
            columns.3,
            columns.4,
            places.iter().map(|p| p.shown.as_str()).collect::<Vec<_>>()
        ],
    );
}

/// Versions to store.
#[derive(Default)]
struct Versions {
    captures: Vec<Capture>,
    keys: Vec<String>,
    rows: Vec<Option<String>>,
}

impl Versions {
    fn push(&mut self, at: &Capture, key: &str, row: Option<String>) {
        self.captures.push(at.clone());
        self.keys.push(key.to_owned());
        self.rows.push(row);
    }

    /// Stores them; how many.
    fn store(self) -> i64 {
        let count = self.keys.len() as i64;
        sql::run(
            "INSERT INTO cdp.row_versions (source_id, key, version, part, received_at, \"row\") \
             SELECT u.a, u.b, u.c, u.d, u.e, u.f::jsonb \
             FROM unnest($1::integer[], $2::text[], $3::bigint[], $4::text[], $5::timestamptz[], $6::text[]) \
                  u (a, b, c, d, e, f) \
             ON CONFLICT (source_id, key, version) DO UPDATE SET \"row\" = EXCLUDED.\"row\"",
            args![
                self.captures
                    .iter()
                    .map(|c| c.source_id)
                    .collect::<Vec<_>>(),
                self.keys,
                self.captures.iter().map(|c| c.version).collect::<Vec<_>>(),
                self.captures
                    .iter()
                    .map(|c| c.part.as_str())
                    .collect::<Vec<_>>(),
                self.captures
                    .iter()
                    .map(|c| time::to_pg(c.received_at))
                    .collect::<Vec<_>>(),
                self.rows
            ],
        );
        count
    }
}
