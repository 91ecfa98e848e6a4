//! The blocks of records by rule.

use std::sync::atomic::{AtomicU64, Ordering};

use super::super::Records;
use super::group::{Grouping, Stopped};
use super::key::{self, Found, Keys};
use super::parts::Hashed;
use super::report::RuleReport;
use super::{BlockingError, MOST_RULES, Rule, Settings, threads};
use crate::background::Cancel;

/// Of the memory allowed, bringing keys together may take this part.
const GROUPING: u64 = 4;

/// The members of the blocks of a rule.
#[derive(Debug, Default)]
pub(super) struct Members {
    /// Where each block ends in `records`.
    pub ends: Vec<u32>,
    /// Block after block, ascending.
    pub records: Vec<u32>,
}

impl Members {
    /// The records of the block at this position.
    pub fn of(&self, position: usize) -> &[u32] {
        let start = if position == 0 {
            0
        } else {
            self.ends[position - 1]
        };
        &self.records[start as usize..self.ends[position] as usize]
    }

    fn memory(&self) -> u64 {
        4 * (self.ends.capacity() as u64 + self.records.capacity() as u64)
    }
}

/// Records by what they agree on.
#[derive(Debug)]
pub struct Blocks {
    pub(super) len: u32,
    pub(super) second: Option<u32>,
    pub(super) members: Vec<Members>,
    /// How many bytes they and their pairs may take.
    pub(super) allowed: u64,
    report: Vec<RuleReport>,
}

impl Blocks {
    /// Puts records into blocks. `done` counts records, once a rule.
    ///
    /// # Errors
    /// When a rule names no column, when memory does not suffice, when told to stop.
    pub fn build(
        hashed: &Hashed<'_>,
        rules: &[Rule],
        settings: &Settings,
        cancel: &Cancel,
        done: &AtomicU64,
    ) -> Result<Self, BlockingError> {
        let held = AtomicU64::new(0);
        let built = each_rule(hashed, rules, settings, cancel, |rule, run| {
            let mut members = Members::default();
            let report = run(&mut |records| {
                members.records.extend_from_slice(records);
                members.ends.push(members.records.len() as u32);
            })?;
            members.records.shrink_to_fit();
            members.ends.shrink_to_fit();
            done.fetch_add(u64::from(hashed.records.len()), Ordering::Relaxed);
            let needed = held.fetch_add(members.memory(), Ordering::Relaxed) + members.memory();
            if needed > settings.memory - settings.memory / GROUPING {
                return Err(BlockingError::Memory {
                    needed: needed + settings.memory / GROUPING,
                    allowed: settings.memory,
                    rule: rule.to_string(),
                });
            }
            Ok((members, report))
        })?;
        let (members, report) = built.into_iter().unzip();
        Ok(Blocks {
            len: hashed.records.len(),
            second: settings.second,
            members,
            allowed: settings.memory,
            report,
        })
    }

    /// What each rule gives.
    pub fn report(&self) -> &[RuleReport] {
        &self.report
    }

    /// How many pairs the rules hold, those that several have counted several times.
    pub fn pairs(&self) -> u64 {
        self.report.iter().map(|rule| rule.pairs).sum()
    }

    /// How many bytes they take.
    pub fn memory(&self) -> u64 {
        self.members.iter().map(Members::memory).sum()
    }
}

/// What rules would give, before any pair is looked at.
///
/// # Errors
/// As [`Blocks::build`].
pub fn predict(
    hashed: &Hashed<'_>,
    rules: &[Rule],
    settings: &Settings,
    cancel: &Cancel,
    done: &AtomicU64,
) -> Result<Vec<RuleReport>, BlockingError> {
    each_rule(hashed, rules, settings, cancel, |_, run| {
        let report = run(&mut |_| {})?;
        done.fetch_add(u64::from(hashed.records.len()), Ordering::Relaxed);
        Ok(report)
    })
}

/// Gives the records of each block of a rule that gives pairs.
type Run<'a> = dyn FnMut(&mut dyn FnMut(&[u32])) -> Result<RuleReport, BlockingError> + 'a;

/// What was made of rules, with their positions.
type Made<R> = Vec<(usize, Result<R, BlockingError>)>;

/// Works on each rule, a thread on one at a time.
fn each_rule<R: Send>(
    hashed: &Hashed<'_>,
    rules: &[Rule],
    settings: &Settings,
    cancel: &Cancel,
    work: impl Fn(&Rule, &mut Run<'_>) -> Result<R, BlockingError> + Sync,
) -> Result<Vec<R>, BlockingError> {
    let found = find(hashed.records, rules)?;
    let parts = hashed.parts(&found, settings.threads);
    let threads = settings.threads.clamp(1, rules.len().max(1));
    let allowed = settings.memory / GROUPING / threads as u64;
    let rules: Vec<(&Rule, &Found)> = rules.iter().zip(&found).collect();
    let mut states: Vec<(Grouping, Made<R>)> = Vec::new();
    states.resize_with(threads, Default::default);
    threads::with_states(&rules, &mut states, |state, position, (rule, found)| {
        let (grouping, made) = state;
        let mut run = |each: &mut dyn FnMut(&[u32])| {
            let mut report = RuleReport::new(rule);
            let mut keys = Keys::by(hashed.records, found, &parts);
            let (records, second) = (hashed.records, settings.second);
            let with_a_key =
                grouping.each_block(records, second, &mut keys, allowed, cancel, |block| {
                    if report.counts(records, found, block) {
                        each(block.records);
                    }
                });
            match with_a_key {
                Ok(with_a_key) => report.records = with_a_key,
                Err(Stopped::Cancelled) => return Err(BlockingError::Cancelled),
                Err(Stopped::Memory(needed)) => {
                    return Err(BlockingError::Memory {
                        needed: needed * threads as u64 * GROUPING,
                        allowed: settings.memory,
                        rule: rule.to_string(),
                    });
                }
            }
            Ok(report)
        };
        made.push((position, work(rule, &mut run)));
    });
    let mut made: Made<R> = states.into_iter().flat_map(|(_, made)| made).collect();
    made.sort_unstable_by_key(|(position, _)| *position);
    made.into_iter().map(|(_, result)| result).collect()
}

fn find(records: &Records, rules: &[Rule]) -> Result<Vec<Found>, BlockingError> {
    if rules.len() > MOST_RULES {
        return Err(BlockingError::TooManyRules(rules.len()));
    }
    let names: Vec<&str> = records
        .columns
        .iter()
        .map(|column| column.name.as_str())
        .collect();
    key::find(rules, &names)
}
