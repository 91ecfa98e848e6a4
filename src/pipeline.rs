//! One batch, from the inbox to the segments. Read this page to understand the system.
//!
//! A batch is one transaction: it is all applied or not at all, so a crash anywhere loses nothing
//! and doubles nothing. The same code serves live data, backfill and tests.

use std::cell::OnceCell;
use std::collections::{HashMap, HashSet};

use crate::evidence::{self, Statement, keys, read, revoked, rows, sets, store, tally};
use crate::identity::history::{Cause, Said};
use crate::ingest::inbox::{self, Arrival, Counts};
use crate::pg::{Error, Result, role, time, transaction};
use crate::rules::Rules;
use crate::worker::progress;
use crate::{identity, install, profile, segment, statistics};

/// What a batch did.
#[derive(Debug, Default, Clone, Copy)]
pub struct Report {
    /// Messages read from the inbox.
    pub read: i64,
    /// Messages accepted.
    pub accepted: i64,
    /// Messages recognised as sent before.
    pub duplicates: i64,
    /// Messages put into `cdp.dead_letter`.
    pub rejected: i64,
    /// Whether the inbox held more than the batch took.
    pub more: bool,
}

/// Runs one batch of at most `limit` messages in the current transaction, as the owner role, under
/// the pipeline lock.
///
/// # Errors
/// 55000 when the tables are absent, of another version, elsewhere or paused; what a fault that is
/// not of the data raises (a cancel, a full disk).
pub fn run_batch(limit: i32) -> Result<Report> {
    batch(limit, apply_or_bisect)
}

/// Puts the next message into the dead letters without looking into it: for the message that
/// crashed the server.
///
/// # Errors
/// As [`run_batch`].
pub fn set_aside_next(reason: &str, detail: &str) -> Result<Report> {
    batch(1, |_, _, arrivals| {
        let dead: Vec<_> = arrivals
            .iter()
            .map(|a| read::DeadLetter::of(a, reason, detail))
            .collect();
        read::bury(&dead);
        Ok(Report {
            rejected: dead.len() as i64,
            ..Report::default()
        })
    })
}

fn batch(
    limit: i32,
    apply: impl FnOnce(&Rules, &[segment::Segment], &[Arrival]) -> Result<Report>,
) -> Result<Report> {
    transaction::require_read_committed("processing")?;
    role::as_owner(|| {
        install::require_ready()?;
        // The lock first, and only then the snapshot: one taken before the wait would show rows that
        // another session has drained.
        install::lock_pipeline();
        let began = time::now();
        let from = inbox::position()
            .ok_or_else(|| Error::state("the ledger is empty").hint("Run SELECT cdp.start();"))?;
        let window = inbox::next(&from, limit);
        if window.arrivals.is_empty() && !from.is_within_window() {
            return Ok(Report::default());
        }
        let rules = Rules::load()?;
        let segments = segment::load()?;
        let report = apply(&rules, &segments, &window.arrivals)?;
        let read = window.arrivals.len() as i64;
        let oldest = window
            .arrivals
            .iter()
            .map(|arrival| arrival.received_at)
            .min();
        inbox::advance(
            &window.after,
            Counts {
                read,
                accepted: report.accepted,
                duplicates: report.duplicates,
                rejected: report.rejected,
                milliseconds: ((time::now() - began) / 1_000) as i32,
                lag: oldest.map(|oldest| time::now() - oldest),
            },
        );
        statistics::keep_up();
        progress::finish();
        Ok(Report {
            read,
            more: window.more,
            ..report
        })
    })
}

/// Applies arrivals; where that fails for their sake, halves them until the one at fault stands
/// alone and goes to the dead letters. A subtransaction a half, never one a message.
fn apply_or_bisect(
    rules: &Rules,
    segments: &[segment::Segment],
    arrivals: &[Arrival],
) -> Result<Report> {
    pgrx::check_for_interrupts!();
    if arrivals.is_empty() {
        return Ok(Report::default());
    }
    let error = match transaction::in_subtransaction(|| apply(rules, segments, arrivals)) {
        Ok(report) => return Ok(report),
        Err(error) if !error.blames_data() => return Err(error),
        Err(error) => error,
    };
    if let [arrival] = arrivals {
        read::bury(&[read::DeadLetter::of(arrival, "failed", error.to_string())]);
        return Ok(Report {
            rejected: 1,
            ..Report::default()
        });
    }
    let (first, second) = arrivals.split_at(arrivals.len() / 2);
    let first = apply_or_bisect(rules, segments, first)?;
    let second = apply_or_bisect(rules, segments, second)?;
    Ok(Report {
        read: 0,
        accepted: first.accepted + second.accepted,
        duplicates: first.duplicates + second.duplicates,
        rejected: first.rejected + second.rejected,
        more: false,
    })
}

/// The whole way of some arrivals: evidence, identity, profiles, segments.
fn apply(rules: &Rules, segments: &[segment::Segment], arrivals: &[Arrival]) -> Result<Report> {
    // Parse, normalise, deduplicate.
    let reading = read::read(rules, arrivals)?;
    let fresh = keys::deduplicate(reading.statements, arrivals);
    let mut messages = fresh.statements;
    let mut rows = rows::apply(reading.rows);

    // Store: identifiers and their sets, then events, messages and records.
    let known = sets::resolve(rules, messages.iter_mut().chain(&mut rows.statements))?;
    let events = events(messages.iter().chain(&rows.statements));
    let mut event_ids = store::store(&messages);
    let row_events = store::store(&rows.statements);
    rows.remember(&row_events);
    let accepted = messages.len() as i64 + rows.accepted;
    read::bury(&reading.dead);
    read::bury(&fresh.dead);
    let not_accepted = fresh
        .repeated
        .iter()
        .chain(fresh.dead.iter().map(|dead| &dead.inbox_id))
        .chain(&rows.repeated)
        .copied()
        .collect();
    reading.issues.store(&not_accepted);

    // What somebody revoked is stored like the rest, and counts as never accepted.
    revoked::withhold(rules, &mut messages, &mut event_ids, &mut rows);

    // Evidence: what was added, and what was withdrawn.
    let withdrawn_from = profile::rows::of_sets(&rows.recount);
    let recount = rows.sets_to_recount();
    let mut added = tally::add(rules, messages.iter().chain(rows.added()), &known.new_sets);
    tally::recount(&recount);
    added.changed.extend_from_slice(&recount);
    added.appeared.extend_from_slice(&recount);
    added.recounted.clone_from(&recount);

    // Identity, traits, profiles: only what the changes can reach.
    let first_of_set = OnceCell::new();
    let said = |set: i64| said_of(set, &messages, &event_ids, &rows, &first_of_set);
    let mut moved = identity::update(rules, added, &[], &known, &Cause::Batch(&said))?;
    moved.extend(withdrawn_from);
    moved.extend(profile::rows::of_sets(&recount));
    let all = || messages.iter().chain(&rows.statements);
    moved.extend(identity::slices::profiles_at(rules, || {
        all().map(|said| (said.set_id, said.time))
    }));
    let said = profile::candidates::merge(
        rules,
        profile::candidates::fold(rules, all()),
        &known.new_sets,
    )?;
    let active = profile::rows::by_set(&distinct(all().map(|statement| statement.set_id)));
    let retold: Vec<i64> = said
        .iter()
        .filter_map(|set| active.get(set).copied())
        .collect();
    let touched = distinct(moved.iter().chain(&retold).copied());
    profile::rows::refresh(rules, &touched)?;
    profile::rows::touch(all(), &active, &touched);

    // Segments: each of the profiles that changed in what its rule asks for.
    segment::refresh_changed(
        segments,
        &segment::Changes {
            moved: &moved,
            retold: &retold,
            active: &active,
            events: &events,
        },
    );
    Ok(Report {
        read: 0,
        accepted,
        duplicates: (fresh.repeated.len() + rows.repeated.len()) as i64,
        rejected: (reading.dead.len() + fresh.dead.len()) as i64,
        more: false,
    })
}

/// Brings derived state up to date after some of what is stored was revoked, or stands again: sets,
/// each with the source that showed it. Under the pipeline lock.
pub fn recount(rules: &Rules, changed: &[(i64, i32)], cause: &Cause) -> Result<()> {
    let sets = distinct(changed.iter().map(|pair| pair.0));
    let mut touched = profile::rows::of_sets(&sets);
    for part in sets.chunks(20_000) {
        pgrx::check_for_interrupts!();
        tally::recount(part);
    }
    profile::candidates::recount(rules, changed)?;
    let changes = tally::Added {
        changed: sets.clone(),
        appeared: sets.clone(),
        shown: Vec::new(),
        recounted: sets.clone(),
    };
    touched.extend(identity::update(
        rules,
        changes,
        &[],
        &sets::Known::default(),
        cause,
    )?);
    touched.extend(profile::rows::of_sets(&sets));
    refresh(rules, touched)
}

/// Brings derived state up to date after something was said by hand of these pairs of nodes. Under
/// the pipeline lock.
pub fn assert(rules: &Rules, pairs: &[(i64, i64)], cause: &Cause) -> Result<()> {
    let touched = identity::update_asserted(rules, pairs, cause)?;
    refresh(rules, touched)
}

/// Profiles that changed, and their segments.
fn refresh(rules: &Rules, touched: Vec<i64>) -> Result<()> {
    let touched = distinct(touched.into_iter());
    profile::rows::refresh(rules, &touched)?;
    segment::refresh_changed(
        &segment::load()?,
        &segment::Changes {
            moved: &touched,
            retold: &[],
            active: &HashMap::new(),
            events: &HashSet::new(),
        },
    );
    Ok(())
}

/// The first message or row of a batch that showed this set.
fn said_of(
    set: i64,
    messages: &[Statement],
    event_ids: &[i64],
    rows: &rows::Applied,
    first: &OnceCell<HashMap<i64, usize>>,
) -> Option<Said> {
    let all = || messages.iter().chain(&rows.statements);
    let first = first.get_or_init(|| {
        let mut first = HashMap::new();
        for (n, statement) in all().enumerate() {
            first.entry(statement.set_id).or_insert(n);
        }
        first
    });
    let n = *first.get(&set)?;
    let statement = all().nth(n)?;
    let event_id = event_ids.iter().chain(&rows.event_ids).nth(n)?;
    Some(Said {
        source_id: statement.source_id,
        message_id: statement.message_id.clone(),
        event_id: (*event_id != 0).then_some(*event_id),
    })
}

fn distinct(ids: impl Iterator<Item = i64>) -> Vec<i64> {
    let mut ids: Vec<i64> = ids.collect();
    ids.sort_unstable();
    ids.dedup();
    ids
}

/// The events among them: names and sets.
fn events<'a>(statements: impl Iterator<Item = &'a Statement>) -> HashSet<(String, i64)> {
    statements
        .filter_map(|statement| match &statement.body {
            evidence::Body::Event { name, .. } => Some((name.clone()?, statement.set_id)),
            evidence::Body::Message { .. } | evidence::Body::Record => None,
        })
        .collect()
}
