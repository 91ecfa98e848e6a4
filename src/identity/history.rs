//! The history of who was who: which identifiers went from one profile to another, when, and by which
//! evidence. Written as it happens, never computed anew.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use cdp_engine::graph::{Decision, Evidence, Moved, Update};

use super::asserted::Pair;
use super::graph::Outcome;
use crate::args;
use crate::pg::append::append;
use crate::pg::look_up::LookUp;
use crate::pg::{Result, reader, sql, time};
use crate::worker::progress;

/// Why who is who changes.
pub enum Cause<'a> {
    /// A batch of messages and rows: the one of them that showed a set, if one did.
    Batch(&'a dyn Fn(i64) -> Option<Said>),
    /// Something said by hand.
    ByHand {
        /// The kind of assertion.
        kind: &'static str,
        /// Its id.
        change_id: i64,
        /// The identifiers that it is about, where it is about two.
        pair: Option<(Pair, Verdict)>,
    },
    /// A matcher that was run.
    Match,
    /// Changed rules.
    Rules,
    /// A rebuild.
    Rebuild,
}

/// What an assertion says of a pair.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// One person.
    Linked,
    /// Two persons.
    Apart,
}

/// A message or row, as history names it.
#[derive(Clone)]
pub struct Said {
    /// Its source.
    pub source_id: i32,
    /// The sender's id of it; of a mapped row, its key.
    pub message_id: Option<String>,
    /// Its place in `cdp.events` or `cdp.messages`; none for a record.
    pub event_id: Option<i64>,
}

impl Cause<'_> {
    fn name(&self) -> &'static str {
        match self {
            Self::Batch(_) => "batch",
            Self::ByHand { kind, .. } => kind,
            Self::Match => "match",
            Self::Rules => "rules",
            Self::Rebuild => "rebuild",
        }
    }

    fn change_id(&self) -> Option<i64> {
        match self {
            Self::ByHand { change_id, .. } => Some(*change_id),
            _ => None,
        }
    }
}

/// A node's way: from one profile to another, or into the graph, or out of it.
struct Way {
    node_id: i64,
    from: Option<i64>,
    to: Option<i64>,
}

/// From so many moves on it is told that they are written; and profiles are not looked up one by one.
const MANY: usize = 10_000;

/// Writes down what became of the graph. `sets`: those whose evidence or standing changed.
pub fn record(cause: &Cause, outcome: &Outcome, sets: &[i64]) -> Result<()> {
    let moved = || outcome.update.iter().flat_map(|update| &update.moved);
    if outcome.removed.is_empty() && moved().next().is_none() {
        return Ok(());
    }
    let before = sql::first(
        "SELECT last_node_id, decided_at FROM cdp.identity_steps ORDER BY step_id DESC LIMIT 1",
        args![],
        |row| (row.want::<i64>(1), time::from_pg(row.want(2))),
    );
    let (known, latest) = before.unwrap_or((0, i64::MIN));
    // A node that is new has no way behind it.
    let removed = outcome.removed.iter().map(|&(node_id, profile)| Way {
        node_id,
        from: Some(profile),
        to: None,
    });
    let mut ways: Vec<Way> = moved()
        .filter(|moved| moved.from.is_some() || moved.node_id <= known)
        .map(|moved| Way {
            node_id: moved.node_id,
            from: moved.from,
            to: Some(moved.to),
        })
        .chain(removed)
        .collect();
    ways.sort_unstable_by_key(|way| way.node_id);
    let step_id = begin(cause, latest, ways.len());
    if ways.is_empty() {
        return Ok(());
    }
    if ways.len() > MANY {
        progress::start("identity: history", 0);
    }
    append(
        "cdp.identity_moves",
        &["node_id", "step_id", "from_profile", "to_profile"],
        &ways,
        |values, way| {
            let values = values.put(way.node_id).put(step_id);
            values.put(way.from).put(way.to);
        },
    );
    if ways.iter().any(|way| way.from.is_some()) {
        let changes = changes(&ways, moved())?;
        let links = Links::of(&ways, outcome);
        write(cause, step_id, &changes, &links, sets);
    }
    Ok(())
}

/// Writes the step; its id.
fn begin(cause: &Cause, latest: i64, moves: usize) -> i64 {
    // A clock that was set back reorders nothing.
    let decided_at = time::now().max(latest);
    sql::one::<i64>(
        "INSERT INTO cdp.identity_steps (decided_at, cause, change_id, last_node_id, moves) \
         SELECT $1, $2, $3, last_value, $4 FROM cdp.node_id_seq RETURNING step_id",
        args![
            time::to_pg(decided_at),
            cause.name(),
            cause.change_id(),
            moves as i64
        ],
    )
    .unwrap_or_default()
}

/// Thins what says no more than when identifiers became known: to one step a minute, after a day.
pub fn thin() {
    sql::run(
        "DELETE FROM cdp.identity_steps s \
          WHERE s.moves = 0 AND s.decided_at BETWEEN now() - interval '8 days' AND now() - interval '1 day' \
            AND EXISTS (SELECT 1 FROM cdp.identity_steps n WHERE n.step_id > s.step_id \
                           AND n.decided_at < date_trunc('minute', s.decided_at) + interval '1 minute' \
                           AND n.decided_at >= s.decided_at)",
        args![],
    );
}

/// What became of a profile: where its identifiers went, how many, and what that comes to.
struct Change {
    from: i64,
    to: Option<i64>,
    identifiers: i64,
    kind: &'static str,
}

/// What became of the profiles that lost identifiers; `moved` is all that moved, new nodes too.
fn changes<'a>(ways: &[Way], moved: impl Iterator<Item = &'a Moved>) -> Result<Vec<Change>> {
    let mut groups: BTreeMap<(i64, Option<i64>), i64> = BTreeMap::new();
    for way in ways {
        if let Some(from) = way.from {
            *groups.entry((from, way.to)).or_default() += 1;
        }
    }
    // Of each profile that lost some, where to; and how many came to each that is concerned.
    let mut left: BTreeMap<i64, BTreeSet<i64>> = BTreeMap::new();
    let mut joined: HashMap<i64, usize> = HashMap::new();
    let mut arrived: BTreeMap<i64, i64> = BTreeMap::new();
    for &(from, to) in groups.keys() {
        let ends = left.entry(from).or_default();
        arrived.entry(from).or_default();
        if let Some(to) = to {
            ends.insert(to);
            *joined.entry(to).or_default() += 1;
            arrived.entry(to).or_default();
        }
    }
    for moved in moved {
        if let Some(count) = arrived.get_mut(&moved.to) {
            *count += 1;
        }
    }
    let held = with_more_than(&arrived)?;
    // Existed before: it holds identifiers that did not just come, or lost some that it had.
    let existed = |profile: i64| held.contains(&profile) || left.contains_key(&profile);
    // Exists still: it holds identifiers that stayed, or others came.
    let stands = |profile: i64| held.contains(&profile) || arrived[&profile] > 0;
    Ok(groups
        .into_iter()
        .map(|((from, to), identifiers)| {
            let whole = !stands(from) && left[&from].len() == 1;
            let kind = match to {
                None => "removal",
                Some(to) if whole && (existed(to) || joined[&to] > 1) => "merge",
                Some(_) if whole => "rename",
                Some(to) if existed(to) => "move",
                Some(_) => "split",
            };
            Change {
                from,
                to,
                identifiers,
                kind,
            }
        })
        .collect())
}

/// Those of these profiles that hold more identifiers than said.
fn with_more_than(profiles: &BTreeMap<i64, i64>) -> Result<HashSet<i64>> {
    const LEAST_SHARE: i64 = 10;
    let nodes = || sql::one::<i64>("SELECT last_value FROM cdp.node_id_seq", args![]);
    let count = profiles.len() as i64;
    let held = match profiles.len() > MANY && nodes().is_some_and(|all| all / LEAST_SHARE <= count)
    {
        true => counted(profiles)?,
        false => looked_up(profiles),
    };
    let more = profiles
        .iter()
        .zip(held)
        .filter(|((_, most), held)| held > most);
    Ok(more.map(|((profile, _), _)| *profile).collect())
}

/// How many identifiers each of these profiles holds; no further than one more than said.
fn looked_up(profiles: &BTreeMap<i64, i64>) -> Vec<i64> {
    let mut clusters = LookUp::open("cdp.clusters", &["profile_id"], &["profile_id"]);
    let held = profiles.iter().map(|(&profile, &most)| {
        let mut held = 0;
        clusters.find(
            |values| {
                values.put(profile);
            },
            |_| {
                held += 1;
                held <= most
            },
        );
        held
    });
    let held = held.collect();
    clusters.close();
    held
}

/// How many identifiers each of these profiles holds, by reading all clusters.
fn counted(profiles: &BTreeMap<i64, i64>) -> Result<Vec<i64>> {
    let ids: Vec<i64> = profiles.keys().copied().collect();
    let mut held = vec![0; ids.len()];
    reader::each("SELECT profile_id FROM cdp.clusters", args![], |row| {
        if let Ok(at) = ids.binary_search(&row.want(1)) {
            held[at] += 1;
        }
        Ok(())
    })?;
    Ok(held)
}

/// The links that can have decided what became of profiles: for each, which joins or parted what.
struct Links {
    /// By (from, to): a link out of `from` that is accepted now and was not before.
    joined: HashMap<(i64, i64), Decisive>,
    /// By (from, to): a link within `from` that was accepted before, and is refused or gone.
    parted: HashMap<(i64, Option<i64>), Decisive>,
}

#[derive(Clone, Copy)]
struct Decisive {
    pair: Pair,
    evidence: &'static str,
}

impl Links {
    fn of(ways: &[Way], outcome: &Outcome) -> Self {
        let way: HashMap<i64, &Way> = ways.iter().map(|way| (way.node_id, way)).collect();
        let (new, mut lost) = decisive(outcome.update.as_ref());
        let gone = |pairs: &[Pair], evidence| -> Vec<Decisive> {
            let decisive = |&pair| Decisive { pair, evidence };
            pairs.iter().map(decisive).collect()
        };
        lost.extend(gone(&outcome.unlinked, "observed"));
        lost.extend(gone(&outcome.unmatched, "matched"));
        // The profiles of ends that stayed where they were.
        let stayed: Vec<i64> = lost
            .iter()
            .flat_map(|link| [link.pair.0, link.pair.1])
            .filter(|node| !way.contains_key(node))
            .collect();
        let at: HashMap<i64, i64> = sql::rows(
            "SELECT node_id, profile_id FROM cdp.clusters WHERE node_id = ANY ($1)",
            args![stayed],
            |row| (row.want(1), row.want(2)),
        )
        .into_iter()
        .collect();
        let mut links = Self {
            joined: HashMap::new(),
            parted: HashMap::new(),
        };
        let ends = |link: &Decisive| {
            let (a, b) = link.pair;
            [(a, b), (b, a)]
        };
        for link in &new {
            for (end, other) in ends(link) {
                let Some((from, to)) = way.get(&end).and_then(|w| Some((w.from?, w.to?))) else {
                    continue;
                };
                if way.get(&other).is_none_or(|other| other.from != Some(from)) {
                    links.joined.entry((from, to)).or_insert(*link);
                }
            }
        }
        for link in &lost {
            for (end, other) in ends(link) {
                let Some((from, to)) = way.get(&end).and_then(|w| Some((w.from?, w.to))) else {
                    continue;
                };
                let (was, is) = match way.get(&other) {
                    Some(other) => (other.from, other.to),
                    None => (at.get(&other).copied(), at.get(&other).copied()),
                };
                if was == Some(from) && is != to {
                    links.parted.entry((from, to)).or_insert(*link);
                }
            }
        }
        links
    }

    fn decisive(&self, change: &Change) -> Option<Decisive> {
        let joined = || self.joined.get(&(change.from, change.to?)).copied();
        let parted = || self.parted.get(&(change.from, change.to)).copied();
        match change.kind {
            "merge" | "rename" => joined(),
            _ => parted().or_else(joined),
        }
    }
}

/// The links that an update newly accepted, and those that it newly refused.
fn decisive(update: Option<&Update>) -> (Vec<Decisive>, Vec<Decisive>) {
    let (mut new, mut lost) = (Vec::new(), Vec::new());
    for decided in update.iter().flat_map(|update| &update.decided) {
        let link = Decisive {
            pair: super::asserted::pair(decided.link.a_id, decided.link.b_id),
            evidence: match decided.link.evidence {
                Evidence::Asserted => "asserted",
                Evidence::Observed => "observed",
                Evidence::Matched { .. } => "matched",
            },
        };
        match (decided.link.decision, decided.decision) {
            (_, Decision::Accepted) => new.push(link),
            (Some(Decision::Accepted), _) => lost.push(link),
            _ => {}
        }
    }
    new.sort_unstable_by_key(|link| link.pair);
    lost.sort_unstable_by_key(|link| link.pair);
    (new, lost)
}

fn write(cause: &Cause, step_id: i64, changes: &[Change], links: &Links, sets: &[i64]) {
    let decisive: Vec<Option<Decisive>> = changes
        .iter()
        .map(|change| match cause {
            Cause::ByHand {
                pair: Some((pair, verdict)),
                ..
            } => Some(Decisive {
                pair: *pair,
                evidence: match verdict {
                    Verdict::Linked => "asserted",
                    Verdict::Apart => "cannot_link",
                },
            }),
            _ => links.decisive(change),
        })
        .collect();
    let shown = shown_by(&decisive, sets);
    let said: Vec<Option<Said>> = shown
        .iter()
        .map(|set| match cause {
            Cause::Batch(said) => set.and_then(said),
            _ => None,
        })
        .collect();
    append(
        "cdp.profile_changes",
        &[
            "from_profile",
            "step_id",
            "to_profile",
            "kind",
            "identifiers",
            "evidence",
            "low",
            "high",
            "set_id",
            "source_id",
            "message_id",
            "event_id",
        ],
        changes.iter().zip(decisive).zip(shown.iter().zip(&said)),
        |values, ((change, decisive), (set, said))| {
            let values = values.put(change.from).put(step_id).put(change.to);
            let values = values.put(change.kind).put(change.identifiers);
            let values = values.put(decisive.map(|link| link.evidence));
            let values = values.put(decisive.map(|link| link.pair.0));
            let values = values.put(decisive.map(|link| link.pair.1));
            let said = said.as_ref();
            values
                .put(*set)
                .put(said.map(|said| said.source_id))
                .put(said.and_then(|said| said.message_id.as_deref()))
                .put(said.and_then(|said| said.event_id));
        },
    );
}

/// For each observed link, the first of these sets that holds both its ends.
fn shown_by(links: &[Option<Decisive>], sets: &[i64]) -> Vec<Option<i64>> {
    let observed: Vec<Pair> = links
        .iter()
        .flatten()
        .filter(|link| link.evidence == "observed")
        .map(|link| link.pair)
        .collect();
    if observed.is_empty() || sets.is_empty() {
        return vec![None; links.len()];
    }
    let found: HashMap<Pair, i64> = sql::rows(
        "SELECT u.low, u.high, min(i.set_id) FROM unnest($3::bigint[]) s (set_id) \
         JOIN cdp.identifier_sets i ON i.set_id = s.set_id \
         CROSS JOIN LATERAL unnest(i.nodes) n (node_id) \
         JOIN unnest($1::bigint[], $2::bigint[]) u (low, high) \
           ON u.low = n.node_id AND u.high = ANY (i.nodes) \
         GROUP BY u.low, u.high",
        args![
            observed.iter().map(|pair| pair.0).collect::<Vec<_>>(),
            observed.iter().map(|pair| pair.1).collect::<Vec<_>>(),
            sets.to_vec()
        ],
        |row| ((row.want(1), row.want(2)), row.want(3)),
    )
    .into_iter()
    .collect();
    links
        .iter()
        .map(|link| found.get(&(*link)?.pair).copied())
        .collect()
}
