//! One batch, from the inbox to the segments. Read this page to understand the system.
//!
//! A batch is one transaction: it is all applied or not at all, so a crash anywhere loses nothing
//! and doubles nothing. The same code serves live data, backfill and tests.

use std::collections::HashSet;

use crate::evidence::{self, Statement, keys, read, rows, sets, store, tally};
use crate::ingest::inbox::{self, Arrival, Counts};
use crate::pg::{Error, Result, role, time, transaction};
use crate::rules::Rules;
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
    sets::resolve(rules, messages.iter_mut().chain(&mut rows.statements))?;
    let events = events(messages.iter().chain(&rows.statements));
    store::store(&mut messages);
    let row_events = store::store(&mut rows.statements);
    rows.remember(&row_events);
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

    // Evidence: what was added, and what was withdrawn.
    let withdrawn_from = profile::rows::of_sets(&rows.recount);
    let recount = rows.sets_to_recount();
    let mut changed = tally::add(rules, messages.iter().chain(rows.added()));
    tally::recount(&recount);
    changed.extend_from_slice(&recount);

    // Identity, traits, profiles: only what the changes can reach.
    let all = || messages.iter().chain(&rows.statements);
    let linked: Vec<_> = all().map(|said| (said.set_id, said.linked_at)).collect();
    let mut moved = identity::update(rules, &changed, &linked, &recount)?;
    moved.extend(withdrawn_from);
    moved.extend(profile::rows::of_sets(&recount));
    let happened: Vec<_> = all().map(|said| (said.set_id, said.time)).collect();
    moved.extend(identity::slices::profiles_at(rules, &happened));
    let said = profile::candidates::merge(rules, profile::candidates::fold(rules, all()))?;
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
        accepted: messages.len() as i64 + rows.accepted,
        duplicates: (fresh.repeated.len() + rows.repeated.len()) as i64,
        rejected: (reading.dead.len() + fresh.dead.len()) as i64,
        more: false,
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
