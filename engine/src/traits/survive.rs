//! Survivorship: the winner among the candidates of all the sets and sources of a profile.

use std::cmp::{Ordering, Reverse};
use std::collections::{BTreeMap, BTreeSet, HashMap};

use serde_json::Value;

use super::candidates::{Candidate, Keep};
use super::coerce::{Coerced, coerce};
use super::types::{Survivorship, TraitType};

/// A declared trait.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TraitSpec {
    /// Its name.
    pub name: String,
    /// The type of its column.
    pub ty: TraitType,
    /// The rule by which one value wins.
    pub survivorship: Survivorship,
    /// For `source_priority`: the rank of each source, the lowest first. A source that is not listed
    /// comes after all that are.
    pub source_rank: HashMap<i32, u32>,
}

impl TraitSpec {
    /// A trait that nobody declared: any value fits, and the latest wins.
    pub fn undeclared(name: impl Into<String>) -> TraitSpec {
        TraitSpec {
            name: name.into(),
            ty: Keep::UNDECLARED.ty,
            survivorship: Keep::UNDECLARED.survivorship,
            source_rank: HashMap::new(),
        }
    }

    /// What a state keeps of this trait's candidates.
    pub fn keep(&self) -> Keep {
        Keep {
            ty: self.ty,
            survivorship: self.survivorship,
        }
    }
}

/// The value that a profile shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Winner {
    /// The value as its source said it; for `union`, the array of elements.
    pub value: Value,
    /// The value in the declared type.
    pub coerced: Coerced,
    /// The source that said it, last where several did.
    pub source_id: i32,
    /// When it was said last.
    pub time: i64,
    /// When it was said first, as far as the rule keeps count of it.
    pub first: i64,
}

/// The latest value that does not fit the declared type. It takes no column, but is not lost.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unfit {
    /// The value as its source said it.
    pub value: Value,
    /// Why it does not fit, to be read after the words "the value".
    pub reason: String,
    /// The source that said it.
    pub source_id: i32,
    /// When it was said.
    pub time: i64,
}

/// What becomes of a trait's candidates.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Survival {
    /// The winner among the values that fit the type.
    pub winner: Option<Winner>,
    /// The latest of the others.
    pub misfit: Option<Unfit>,
}

/// Picks the value of a trait among the candidates of a profile, which come with their sources, in
/// any order. Records of mapped tables take part with a [`Candidate::new`] of their own.
///
/// Every rule ends in "the most recent": the latest time, then the greatest tie, then the greatest
/// value, both as bytes, and for one value said by several sources at once, the smallest source id.
pub fn survive<'a>(
    spec: &TraitSpec,
    candidates: impl Iterator<Item = (i32, &'a Candidate)>,
) -> Survival {
    let mut entries = Vec::new();
    let mut misfit: Option<(i32, &Candidate, String)> = None;
    for (source_id, candidate) in candidates {
        match coerce(&candidate.value(), spec.ty) {
            Ok(coerced) => entries.push(Entry {
                source_id,
                candidate,
                coerced,
            }),
            Err(reason) => {
                let is_latest = misfit.as_ref().is_none_or(|(source, latest, _)| {
                    (candidate.recency(), Reverse(source_id)) > (latest.recency(), Reverse(*source))
                });
                if is_latest {
                    misfit = Some((source_id, candidate, reason.reason));
                }
            }
        }
    }
    Survival {
        winner: match spec.survivorship {
            Survivorship::MostFrequent => most_frequent(entries),
            Survivorship::Union => union(entries),
            Survivorship::SourcePriority => entries
                .into_iter()
                .max_by(|a, b| {
                    let rank = |entry: &Entry| match spec.source_rank.get(&entry.source_id) {
                        Some(rank) => (0, *rank),
                        None => (1, 0),
                    };
                    rank(b)
                        .cmp(&rank(a))
                        .then_with(|| a.compare(b, spec.survivorship))
                })
                .map(Entry::into_winner),
            _ => entries
                .into_iter()
                .max_by(|a, b| a.compare(b, spec.survivorship))
                .map(Entry::into_winner),
        },
        misfit: misfit.map(|(source_id, candidate, reason)| Unfit {
            value: candidate.value(),
            reason,
            source_id,
            time: candidate.last(),
        }),
    }
}

/// A candidate that fits the type of its trait.
pub(super) struct Entry<'a> {
    pub source_id: i32,
    pub candidate: &'a Candidate,
    pub coerced: Coerced,
}

impl Entry<'_> {
    /// The order in which the greatest wins. A state that keeps one candidate of a source keeps the
    /// greatest of this order, so folding early can never lose a winner.
    pub fn compare(&self, other: &Entry, survivorship: Survivorship) -> Ordering {
        match survivorship {
            Survivorship::First => {
                return (other.candidate.precedence(), other.source_id)
                    .cmp(&(self.candidate.precedence(), self.source_id));
            }
            Survivorship::Longest => self.coerced.length().cmp(&other.coerced.length()),
            Survivorship::Max => self.coerced.cmp(&other.coerced),
            Survivorship::Min => other.coerced.cmp(&self.coerced),
            Survivorship::MostRecent
            | Survivorship::SourcePriority
            | Survivorship::MostFrequent
            | Survivorship::Union => Ordering::Equal,
        }
        .then_with(|| self.recency().cmp(&other.recency()))
    }

    fn recency(&self) -> ((i64, &str, &str), Reverse<i32>) {
        (self.candidate.recency(), Reverse(self.source_id))
    }

    fn into_winner(self) -> Winner {
        Winner {
            value: self.candidate.value(),
            coerced: self.coerced,
            source_id: self.source_id,
            time: self.candidate.last(),
            first: self.candidate.first(),
        }
    }
}

/// Values are counted as the declared type sees them: 5 and "5" are one bigint.
fn most_frequent(entries: Vec<Entry>) -> Option<Winner> {
    let mut by_value: BTreeMap<Coerced, Vec<Entry>> = BTreeMap::new();
    for entry in entries {
        by_value
            .entry(entry.coerced.clone())
            .or_default()
            .push(entry);
    }
    by_value
        .into_values()
        .filter_map(|group| {
            let count = group.iter().fold(0_u64, |sum, entry| {
                sum.saturating_add(entry.candidate.count())
            });
            let first = group.iter().map(|entry| entry.candidate.first()).min()?;
            let latest = group
                .into_iter()
                .max_by(|a, b| a.recency().cmp(&b.recency()))?;
            Some((count, first, latest))
        })
        .max_by(|(count_a, _, a), (count_b, _, b)| {
            count_a
                .cmp(count_b)
                .then_with(|| a.recency().cmp(&b.recency()))
        })
        .map(|(_, first, latest)| Winner {
            first,
            ..latest.into_winner()
        })
}

/// The elements of all values; the source and the time are those of the latest value.
fn union(entries: Vec<Entry>) -> Option<Winner> {
    let first = entries.iter().map(|entry| entry.candidate.first()).min()?;
    let latest = entries
        .iter()
        .max_by(|a, b| a.recency().cmp(&b.recency()))?;
    let (source_id, time) = (latest.source_id, latest.candidate.last());
    let elements: BTreeSet<String> = entries
        .into_iter()
        .flat_map(|entry| entry.coerced.into_elements())
        .collect();
    let elements: Vec<String> = elements.into_iter().collect();
    Some(Winner {
        value: Value::from(elements.clone()),
        coerced: Coerced::from_elements(elements),
        source_id,
        time,
        first,
    })
}
