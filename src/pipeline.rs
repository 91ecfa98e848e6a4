//! One batch, from the inbox to the segments. Read this page to understand the system.
//!
//! A batch is one transaction: it is all applied or not at all, so a crash anywhere loses nothing
//! and doubles nothing. The same code serves live data, backfill and tests.

mod accepted;
mod size;

use std::collections::{HashMap, HashSet};

use crate::evidence::{self, Statement, keys, read, revoked, rows, sets, store, tally};
use crate::identity::history::{Cause, Said};
use crate::identity::matched::Change as Found;
use crate::ingest::inbox::{self, Arrival, Counts, Position, Window};
use crate::pg::{Error, Result, guc, role, sql, time, transaction};
use crate::rules::Rules;
use crate::worker::progress;
use crate::{args, identity, install, matching, profile, segment, statistics};
use accepted::Accepted;

pub use size::of_next;

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
/// the pipeline lock. More than `cdp.batch_size` are read in parts of that size.
///
/// # Errors
/// 55000 when the tables are absent, of another version, elsewhere or paused; what a fault that is
/// not of the data raises (a cancel, a full disk).
pub fn run_batch(limit: i32) -> Result<Report> {
    let part = limit.min(guc::BATCH_SIZE.get());
    batch(part, |rules, segments, first| {
        let mut limit = i64::from(limit);
        // Whom a time-sliced identifier belongs to is derived from what a part shows.
        while first.more && (first.arrivals.len() as i64) < limit && !rules.slices_time() {
            let whole = || apply_in_parts(rules, segments, first, limit);
            match transaction::in_subtransaction(whole) {
                // What follows from good parts failed, or reaches too much: it is found in smaller batches.
                Err(error) if error.blames_data() || identity::is_too_large(&error) => limit /= 2,
                result => return result,
            }
        }
        let report = or_bisect(&first.arrivals, &mut |arrivals| {
            apply(rules, segments, arrivals)
        })?;
        Ok(Read::of(first, report))
    })
}

/// Puts the next message into the dead letters without looking into it: for the message that
/// crashed the server. Nothing is done if `after` is not the newest batch any more: then it is another
/// message.
///
/// # Errors
/// As [`run_batch`].
pub fn set_aside_next(after: i64, reason: &str, detail: &str) -> Result<Report> {
    transaction::require_read_committed("processing")?;
    let newest = role::as_owner(|| {
        install::require_ready()?;
        install::lock_pipeline();
        Ok(sql::one::<i64>(
            "SELECT max(batch_id) FROM cdp.batches",
            args![],
        ))
    })?;
    if newest.unwrap_or(0) != after {
        return Ok(Report::default());
    }
    batch(1, |_, _, first| {
        let dead: Vec<_> = first
            .arrivals
            .iter()
            .map(|a| read::DeadLetter::of(a, reason, detail))
            .collect();
        read::bury(&dead);
        let report = Report {
            rejected: dead.len() as i64,
            ..Report::default()
        };
        Ok(Read::of(first, report))
    })
}

/// How far a batch has read, and what came of it.
struct Read {
    report: Report,
    after: Position,
    /// When the oldest message arrived.
    oldest: Option<i64>,
}

impl Read {
    fn of(window: &Window, report: Report) -> Self {
        Read {
            report: Report {
                read: window.arrivals.len() as i64,
                more: window.more,
                ..report
            },
            after: window.after.clone(),
            oldest: oldest(&window.arrivals),
        }
    }
}

fn oldest(arrivals: &[Arrival]) -> Option<i64> {
    arrivals.iter().map(|arrival| arrival.received_at).min()
}

/// Reads at most `limit` messages, and whatever more `apply` reads.
fn batch(
    limit: i32,
    apply: impl FnOnce(&Rules, &[segment::Segment], &Window) -> Result<Read>,
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
        let mut window = inbox::next(&from, limit);
        if window.arrivals.is_empty() && from.is_within_window() {
            // Its last part was full: who reads until nothing is read would miss what came since.
            window = inbox::next(&window.after, limit);
        }
        if window.arrivals.is_empty() && !from.is_within_window() {
            return Ok(Report::default());
        }
        let rules = Rules::load()?;
        let segments = segment::load()?;
        let Read {
            report,
            after,
            oldest,
        } = apply(&rules, &segments, &window)?;
        inbox::advance(
            &after,
            Counts {
                read: report.read,
                accepted: report.accepted,
                duplicates: report.duplicates,
                rejected: report.rejected,
                milliseconds: i32::try_from((time::now() - began) / 1_000).unwrap_or(i32::MAX),
                lag: oldest.map(|oldest| time::now() - oldest),
            },
        );
        statistics::keep_up();
        progress::finish();
        Ok(report)
    })
}

/// What becomes of some arrivals, and can be joined with what becomes of the next.
trait Outcome: Default {
    fn join(self, later: Self) -> Self;
    fn report(&mut self) -> &mut Report;
}

impl Outcome for Report {
    fn join(self, later: Self) -> Self {
        Report {
            read: 0,
            accepted: self.accepted + later.accepted,
            duplicates: self.duplicates + later.duplicates,
            rejected: self.rejected + later.rejected,
            more: false,
        }
    }

    fn report(&mut self) -> &mut Report {
        self
    }
}

/// Takes a step with arrivals; where that fails for their sake, halves them until the one at fault
/// stands alone and goes to the dead letters. A subtransaction a half, never one a message.
fn or_bisect<T: Outcome>(
    arrivals: &[Arrival],
    step: &mut impl FnMut(&[Arrival]) -> Result<T>,
) -> Result<T> {
    pgrx::check_for_interrupts!();
    let mut outcome = T::default();
    if arrivals.is_empty() {
        return Ok(outcome);
    }
    let error = match transaction::in_subtransaction(|| step(arrivals)) {
        Ok(outcome) => return Ok(outcome),
        Err(error) if !error.blames_data() => return Err(error),
        Err(error) => error,
    };
    if let [arrival] = arrivals {
        read::bury(&[read::DeadLetter::of(arrival, "failed", error.to_string())]);
        outcome.report().rejected = 1;
        return Ok(outcome);
    }
    let (first, second) = arrivals.split_at(arrivals.len() / 2);
    let first = or_bisect(first, step)?;
    Ok(first.join(or_bisect(second, step)?))
}

/// The whole way of some arrivals.
fn apply(rules: &Rules, segments: &[segment::Segment], arrivals: &[Arrival]) -> Result<Report> {
    derive(rules, segments, accept(rules, arrivals)?)
}

/// The way of very many: accepted part after part, and then derived from them all.
fn apply_in_parts(
    rules: &Rules,
    segments: &[segment::Segment],
    first: &Window,
    limit: i64,
) -> Result<Read> {
    progress::start("many rows: taking them in", 0);
    let mut accept = |arrivals: &[Arrival]| accept(rules, arrivals);
    let mut accepted = or_bisect(&first.arrivals, &mut accept)?;
    let mut read = Read::of(first, Report::default());
    while read.report.more && read.report.read < limit {
        progress::step(read.report.read);
        // The first parts would else be followed by plans made for empty tables.
        statistics::keep_up();
        let part = (limit - read.report.read).min(guc::BATCH_SIZE.get().into());
        let window = inbox::next(&read.after, part as i32);
        accepted = accepted.join(or_bisect(&window.arrivals, &mut accept)?);
        let next = Read::of(&window, Report::default());
        read = Read {
            oldest: read.oldest.into_iter().chain(next.oldest).min(),
            report: Report {
                read: read.report.read + next.report.read,
                ..next.report
            },
            after: next.after,
        };
    }
    let report = derive(rules, segments, accepted)?;
    read.report = Report {
        read: read.report.read,
        more: read.report.more,
        ..report
    };
    Ok(read)
}

/// Takes arrivals in: what they say is stored, and counted as evidence.
fn accept(rules: &Rules, arrivals: &[Arrival]) -> Result<Accepted> {
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
    let report = Report {
        read: 0,
        accepted: messages.len() as i64 + rows.accepted,
        duplicates: (fresh.repeated.len() + rows.repeated.len()) as i64,
        rejected: (reading.dead.len() + fresh.dead.len()) as i64,
        more: false,
    };
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

    // What is said of traits.
    let all = || messages.iter().chain(&rows.statements);
    let said = profile::candidates::merge(
        rules,
        profile::candidates::fold(rules, all()),
        &known.new_sets,
    )?;
    let mut shown: HashMap<i64, (i64, i64)> = HashMap::new();
    for statement in all() {
        let time = statement.time;
        let (first, last) = shown.entry(statement.set_id).or_insert((time, time));
        (*first, *last) = (time.min(*first), time.max(*last));
    }
    let said_first = said_first(&added, &messages, &event_ids, &rows);
    let times = match rules.slices_time() {
        true => all().map(|said| (said.set_id, said.time)).collect(),
        false => Vec::new(),
    };
    Ok(Accepted {
        report,
        known,
        added,
        withdrawn_from,
        recount,
        said,
        shown,
        said_first,
        times,
        events,
        changed_rows: match rules.matchers.is_empty() {
            true => Vec::new(),
            false => std::mem::take(&mut rows.changed),
        },
    })
}

/// Derives what follows from what was accepted: identity, traits, profiles, segments; only what the
/// changes can reach.
fn derive(rules: &Rules, segments: &[segment::Segment], accepted: Accepted) -> Result<Report> {
    let Accepted {
        report,
        known,
        added,
        recount,
        said,
        shown,
        said_first,
        times,
        ..
    } = accepted;
    // What the rows that changed share with other records.
    let found = matching::live::follow(rules, &accepted.changed_rows)?;
    let of_batch = |set: i64| said_first.get(&set).cloned();
    let mut moved = identity::update(rules, added, &found, &known, &Cause::Batch(&of_batch))?;
    moved.extend(accepted.withdrawn_from);
    moved.extend(profile::rows::of_sets(&recount));
    moved.extend(identity::slices::profiles_at(rules, || times.into_iter()));
    let active = profile::rows::by_set(&distinct(shown.keys().copied()));
    let retold = distinct(said.iter().filter_map(|set| active.get(set).copied()));
    let touched = distinct(moved.iter().chain(&retold).copied());
    profile::rows::refresh(rules, &touched)?;
    profile::rows::touch(shown.into_iter(), &active, &touched);

    // Segments: each of the profiles that changed in what its rule asks for.
    segment::refresh_changed(
        segments,
        &segment::Changes {
            moved: &moved,
            retold: &retold,
            active: &active,
            events: &accepted.events,
        },
    );
    Ok(report)
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
    let found = matching::live::follow_sets(rules, &sets)?;
    touched.extend(identity::update(
        rules,
        changes,
        &found,
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

/// Brings derived state up to date after matchers found something else of pairs of records. Under the
/// pipeline lock.
pub fn rematch(rules: &Rules, changes: &[Found], cause: &Cause) -> Result<()> {
    let touched = identity::update_matched(rules, changes, cause)?;
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

/// Of each set whose evidence changed, the first message or row that showed it.
fn said_first(
    added: &tally::Added,
    messages: &[Statement],
    event_ids: &[i64],
    rows: &rows::Applied,
) -> HashMap<i64, Said> {
    let changed: HashSet<i64> = added.changed.iter().copied().collect();
    let mut first = HashMap::with_capacity(changed.len());
    let event_ids = event_ids.iter().chain(&rows.event_ids);
    for (statement, &event_id) in messages.iter().chain(&rows.statements).zip(event_ids) {
        if changed.contains(&statement.set_id) {
            first.entry(statement.set_id).or_insert_with(|| Said {
                source_id: statement.source_id,
                message_id: statement.message_id.clone(),
                event_id: (event_id != 0).then_some(event_id),
            });
        }
    }
    first
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
