//! Set evidence: which sources showed a set, when and how often. Kept by adding what a batch says,
//! or, where something was withdrawn, counted anew from what is stored.

use std::collections::{HashMap, HashSet};

use super::Statement;
use crate::args;
use crate::pg::append::append;
use crate::pg::value::Time;
use crate::pg::{look_up, sql, time};
use crate::rules::Rules;

/// Microseconds a day.
pub const DAY: i64 = 86_400_000_000;

#[derive(Debug, Clone, Copy)]
struct Tally {
    linked_at: i64,
    first_seen: i64,
    last_seen: i64,
    count: i64,
}

impl Tally {
    fn of(statement: &Statement) -> Self {
        Self {
            linked_at: statement.linked_at,
            first_seen: statement.time,
            last_seen: statement.time,
            count: 1,
        }
    }

    fn join(&mut self, other: &Self) {
        self.linked_at = self.linked_at.min(other.linked_at);
        self.first_seen = self.first_seen.min(other.first_seen);
        self.last_seen = self.last_seen.max(other.last_seen);
        self.count += other.count;
    }

    /// What the graph knows of it: a link's age, and the days that confirm it; where the last link is
    /// kept, when it was seen last.
    fn seen_by_graph(&self, keeps_last: bool) -> (i64, i64, i64) {
        (
            self.linked_at,
            self.first_seen.div_euclid(DAY),
            match keeps_last {
                true => self.last_seen,
                false => self.last_seen.div_euclid(DAY),
            },
        )
    }
}

/// What a batch added to the evidence.
#[derive(Default)]
pub struct Added {
    /// The sets whose links may have become stronger or older: those that a source showed for the
    /// first time, earlier than before, or on a new day; where a type keeps the last link, also
    /// later than before.
    pub changed: Vec<i64>,
    /// Those among them that a source showed for the first time.
    pub appeared: Vec<i64>,
    /// Sets that were shown, and the times that their links date from; only where identifiers serve
    /// one person after another.
    pub shown: Vec<(i64, i64)>,
    /// Sets of which something was withdrawn.
    pub recounted: Vec<i64>,
}

impl Added {
    /// Adds what a later part of the batch added.
    pub fn join(&mut self, later: Self) {
        self.changed.extend(later.changed);
        self.appeared.extend(later.appeared);
        self.recounted.extend(later.recounted);
        self.shown.extend(later.shown);
    }
}

/// Adds what statements say. `new_sets` are known to have no evidence yet.
pub fn add<'a>(
    rules: &Rules,
    statements: impl Iterator<Item = &'a Statement>,
    new_sets: &HashSet<i64>,
) -> Added {
    let (slices_time, keeps_last) = (rules.slices_time(), rules.keeps_last());
    let mut shown = Vec::new();
    let mut tallies: HashMap<(i64, i32), Tally> = HashMap::new();
    for statement in statements {
        if slices_time {
            shown.push((statement.set_id, statement.linked_at));
        }
        let tally = Tally::of(statement);
        tallies
            .entry((statement.set_id, statement.source_id))
            .and_modify(|known| known.join(&tally))
            .or_insert(tally);
    }
    if tallies.is_empty() {
        return Added::default();
    }
    let mut keys: Vec<(i64, i32)> = tallies.keys().copied().collect();
    keys.sort_unstable();
    let mut before: HashMap<(i64, i32), Tally> = HashMap::new();
    look_up::each(
        ("cdp.set_evidence", &["set_id", "source_id"]),
        &["linked_at", "first_seen", "last_seen", "count"],
        keys.iter()
            .copied()
            .filter(|key| !new_sets.contains(&key.0)),
        |values, (set, source)| {
            values.put(set).put(source);
        },
        |key, found| {
            let tally = Tally {
                linked_at: time::from_pg(found.want(1)),
                first_seen: time::from_pg(found.want(2)),
                last_seen: time::from_pg(found.want(3)),
                count: found.want(4),
            };
            before.insert(key, tally);
        },
    );
    let mut changed: Vec<i64> = keys
        .iter()
        .filter(|key| match before.get(key) {
            None => true,
            Some(old) => {
                let mut joined = *old;
                joined.join(&tallies[key]);
                joined.seen_by_graph(keeps_last) != old.seen_by_graph(keeps_last)
            }
        })
        .map(|key| key.0)
        .collect();
    changed.dedup();
    let (known, new): (Vec<_>, Vec<_>) = keys
        .iter()
        .copied()
        .partition(|key| before.contains_key(key));
    let mut appeared: Vec<i64> = new.iter().map(|key| key.0).collect();
    appeared.dedup();
    append(
        "cdp.set_evidence",
        &[
            "set_id",
            "source_id",
            "linked_at",
            "first_seen",
            "last_seen",
            "count",
        ],
        new,
        |values, key| {
            let tally = &tallies[&key];
            values
                .put(key.0)
                .put(key.1)
                .put(Time(tally.linked_at))
                .put(Time(tally.first_seen))
                .put(Time(tally.last_seen))
                .put(tally.count);
        },
    );
    join_known(&known, &tallies);
    Added {
        changed,
        appeared,
        shown,
        recounted: Vec::new(),
    }
}

/// Adds to the evidence of sets that have some from that source.
fn join_known(keys: &[(i64, i32)], tallies: &HashMap<(i64, i32), Tally>) {
    if keys.is_empty() {
        return;
    }
    let column = |get: fn(&Tally) -> i64| keys.iter().map(|k| get(&tallies[k])).collect::<Vec<_>>();
    let times =
        |get: fn(&Tally) -> i64| column(get).into_iter().map(time::to_pg).collect::<Vec<_>>();
    sql::run(
        "UPDATE cdp.set_evidence e \
         SET linked_at = least(e.linked_at, u.linked_at), \
             first_seen = least(e.first_seen, u.first_seen), \
             last_seen = greatest(e.last_seen, u.last_seen), \
             count = e.count + u.count \
         FROM unnest($1::bigint[], $2::integer[], $3::timestamptz[], $4::timestamptz[], \
             $5::timestamptz[], $6::bigint[]) u (set_id, source_id, linked_at, first_seen, last_seen, count) \
         WHERE e.set_id = u.set_id AND e.source_id = u.source_id",
        args![
            keys.iter().map(|key| key.0).collect::<Vec<_>>(),
            keys.iter().map(|key| key.1).collect::<Vec<_>>(),
            times(|t| t.linked_at),
            times(|t| t.first_seen),
            times(|t| t.last_seen),
            column(|t| t.count)
        ],
    );
}

/// Counts the evidence of these sets anew from what is stored, after something was withdrawn. A set
/// that nothing shows any more has no row left.
pub fn recount(set_ids: &[i64]) {
    if set_ids.is_empty() {
        return;
    }
    let fresh = format!(
        "SELECT * FROM ({}) f WHERE f.set_id = ANY ($1)",
        include_str!("../../sql/evidence_of_sets.sql")
    );
    sql::run(
        "DELETE FROM cdp.set_evidence WHERE set_id = ANY ($1)",
        args![set_ids.to_vec()],
    );
    sql::run(
        &format!("INSERT INTO cdp.set_evidence {fresh}"),
        args![set_ids.to_vec()],
    );
}

/// Counts all evidence anew from what is stored, and writes the differences. The sets that differed.
pub fn recount_all() -> Vec<i64> {
    let fresh = include_str!("../../sql/evidence_of_sets.sql");
    sql::rows(
        &format!(
            "WITH fresh AS MATERIALIZED ({fresh}), \
             gone AS (DELETE FROM cdp.set_evidence e \
                WHERE NOT EXISTS (SELECT 1 FROM fresh f \
                   WHERE f.set_id = e.set_id AND f.source_id = e.source_id) RETURNING e.set_id), \
             put AS (INSERT INTO cdp.set_evidence AS e SELECT * FROM fresh \
                ON CONFLICT (set_id, source_id) DO UPDATE \
                SET linked_at = EXCLUDED.linked_at, first_seen = EXCLUDED.first_seen, \
                    last_seen = EXCLUDED.last_seen, count = EXCLUDED.count \
                WHERE (e.linked_at, e.first_seen, e.last_seen, e.count) IS DISTINCT FROM \
                      (EXCLUDED.linked_at, EXCLUDED.first_seen, EXCLUDED.last_seen, EXCLUDED.count) \
                RETURNING e.set_id) \
             SELECT set_id FROM gone UNION SELECT set_id FROM put"
        ),
        args![],
        |row| row.want::<i64>(1),
    )
}
