//! What matchers found of pairs of records, as evidence: links, and non-matches that keep records
//! apart. A change of it goes the way of any other change of links.

use std::collections::HashMap;

use cdp_engine::graph::{Apart, ApartBy, Decision, Evidence, StoredLink};

use super::asserted::Pair;
use super::links::Concerned;
use crate::args;
use crate::pg::append::append;
use crate::pg::look_up::{Found, LookUp};
use crate::pg::{Result, reader, sql};
use crate::rules::Rules;

/// What a matcher says of a pair of records.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// One person.
    Link,
    /// One person, were it not a weak bridge between dense groups.
    Cut,
    /// It cannot tell: somebody should look.
    Review,
    /// Two persons.
    NonMatch,
    /// Two persons of one household.
    Household,
}

impl Kind {
    /// As it is stored.
    pub fn name(self) -> &'static str {
        match self {
            Self::Link => "link",
            Self::Cut => "cut",
            Self::Review => "review",
            Self::NonMatch => "non_match",
            Self::Household => "household",
        }
    }

    /// The kind of that name.
    pub fn of(name: &str) -> Self {
        match name {
            "link" => Self::Link,
            "cut" => Self::Cut,
            "non_match" => Self::NonMatch,
            "household" => Self::Household,
            _ => Self::Review,
        }
    }

    /// Whether it keeps the two apart.
    pub fn is_apart(self) -> bool {
        matches!(self, Self::NonMatch | Self::Household)
    }

    /// The decision with which it is stored first.
    fn decision(self) -> Option<i16> {
        match self {
            Self::Link => Some(-1),
            Self::Cut => Some(Decision::Refused(cdp_engine::graph::Refusal::WeakBridge).as_code()),
            _ => None,
        }
    }
}

/// What a matcher found of a pair.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Match {
    /// What it says.
    pub kind: Kind,
    /// In hundredths of a bit.
    pub weight: i32,
    /// That they are one person.
    pub probability: f32,
    /// That they are two of one household, where the model has such a class.
    pub household: Option<f32>,
}

/// A pair of records, the smaller node first, and the matcher.
pub type Key = (Pair, i32);

/// What a matcher finds of a pair now; none if it finds nothing any more.
pub type Change = (Key, Option<Match>);

/// The columns that make a [`Stored`].
pub const COLUMNS: [&str; 7] = [
    "low",
    "high",
    "matcher_id",
    "kind",
    "weight",
    "decision",
    "rule_type",
];

/// A row of `cdp.matches`, as far as the graph asks.
pub struct Stored {
    /// Which it is.
    pub key: Key,
    /// What the matcher says.
    pub kind: Kind,
    /// In hundredths of a bit.
    pub weight: i32,
    /// Of a link: code and type.
    pub decided: (i16, Option<i32>),
}

impl Stored {
    /// Reads [`COLUMNS`].
    pub fn found(found: &Found) -> Self {
        Self {
            key: ((found.want(1), found.want(2)), found.want(3)),
            kind: Kind::of(&found.want::<String>(4)),
            weight: found.want(5),
            decided: (found.get(6).unwrap_or(-1), found.get(7)),
        }
    }

    /// What it rests on, as the graph knows it.
    pub fn evidence(&self, rules: &Rules) -> Result<Evidence> {
        Ok(Evidence::Matched {
            priority: rules.matcher_priority(self.key.1)?,
            weight: self.weight,
        })
    }

    /// As a link of the graph; none if it is no link.
    pub fn link(&self, rules: &Rules) -> Result<Option<StoredLink>> {
        if self.kind != Kind::Link {
            return Ok(None);
        }
        let (code, rule_type) = self.decided;
        let rule_type = rule_type.and_then(|id| rules.type_index(id).ok());
        Ok(Some(StoredLink {
            a_id: self.key.0.0,
            b_id: self.key.0.1,
            evidence: self.evidence(rules)?,
            confirmed: true,
            first_seen: 0,
            decision: Decision::from_code(code, rule_type.map(|n| n as u16)),
        }))
    }

    /// As a pair of nodes that are apart; none if it keeps nobody apart.
    pub fn apart(&self, rules: &Rules) -> Result<Option<Apart<i64>>> {
        if !self.kind.is_apart() {
            return Ok(None);
        }
        let priority = rules.matcher_priority(self.key.1)?;
        Ok(Some(Apart {
            a: self.key.0.0,
            b: self.key.0.1,
            by: ApartBy::Matcher { priority },
        }))
    }
}

/// Whether any matcher found anything.
pub fn any(rules: &Rules) -> bool {
    !rules.matchers.is_empty()
        && sql::one::<bool>("SELECT EXISTS (SELECT 1 FROM cdp.matches)", args![]) == Some(true)
}

/// What matchers found of pairs with an end among these nodes, each once.
pub fn at_nodes(nodes: &[i64], mut each: impl FnMut(Stored) -> Result<()>) -> Result<()> {
    let asked: std::collections::HashSet<i64> = nodes.iter().copied().collect();
    let mut result = Ok(());
    for (end, is_low) in [("low", true), ("high", false)] {
        let mut rows = LookUp::open("cdp.matches", &[end], &COLUMNS);
        for &node in nodes {
            rows.find(
                |values| {
                    values.put(node);
                },
                |found| {
                    let stored = Stored::found(found);
                    // One with both ends asked for is found at its lower one.
                    if is_low || !asked.contains(&stored.key.0.0) {
                        result = each(stored);
                    }
                    result.is_ok()
                },
            );
            if result.is_err() {
                break;
            }
        }
        rows.close();
    }
    result
}

/// What matchers found of these pairs, each the smaller node first.
pub fn of_pairs(pairs: &[Pair], mut each: impl FnMut(Stored) -> Result<()>) -> Result<()> {
    let mut rows = LookUp::open("cdp.matches", &["low", "high"], &COLUMNS);
    let mut result = Ok(());
    for &(low, high) in pairs {
        rows.find(
            |values| {
                values.put(low).put(high);
            },
            |found| {
                result = each(Stored::found(found));
                result.is_ok()
            },
        );
        if result.is_err() {
            break;
        }
    }
    rows.close();
    result
}

/// More pairs than this are not looked up one by one: all matches are read.
const MANY: usize = 20_000;

/// The same as [`of_pairs`], by reading all matches; `pairs` are sorted.
fn scan(pairs: &[Pair], mut each: impl FnMut(Stored) -> Result<()>) -> Result<()> {
    reader::each(
        "SELECT low, high, matcher_id, kind, weight, decision, rule_type FROM cdp.matches",
        args![],
        |row| {
            let pair = (row.want(1), row.want(2));
            if pairs.binary_search(&pair).is_err() {
                return Ok(());
            }
            each(Stored {
                key: (pair, row.want(3)),
                kind: Kind::of(row.want(4)),
                weight: row.want(5),
                decided: (row.get(6).unwrap_or(-1), row.get(7)),
            })
        },
    )?;
    Ok(())
}

/// A match that is to be stored.
pub struct New {
    /// Which it is.
    pub key: Key,
    /// What the matcher says.
    pub found: Match,
    /// Of a link that was one before: what became of it.
    decided: Option<(i16, Option<i32>)>,
}

impl New {
    /// What became of the link; none if it is no link, or none yet.
    pub fn decided(&self) -> Option<(i16, Option<i32>)> {
        self.decided.filter(|_| self.found.kind == Kind::Link)
    }
}

/// Writes what matchers find of pairs now, and adds to `concerned` what that is for the graph. Each
/// key at most once.
pub fn replace(changes: &[Change], concerned: &mut Concerned) -> Result<()> {
    let new = take_out(changes, concerned)?;
    insert(new.iter().map(|new| (new, new.decided())));
    Ok(())
}

/// The same, but what is new is given, in order, to be stored by [`insert`].
pub fn take_out(changes: &[Change], concerned: &mut Concerned) -> Result<Vec<New>> {
    let mut pairs: Vec<Pair> = changes.iter().map(|((pair, _), _)| *pair).collect();
    pairs.sort_unstable();
    pairs.dedup();
    let mut before: HashMap<Key, Stored> = HashMap::new();
    let mut keep = |stored: Stored| {
        before.insert(stored.key, stored);
        Ok(())
    };
    match pairs.len() > MANY {
        true => scan(&pairs, &mut keep)?,
        false => of_pairs(&pairs, &mut keep)?,
    }
    let (mut gone, mut new) = (Vec::new(), Vec::new());
    for &(key, now) in changes {
        let was = before.get(&key);
        if was.is_some() {
            gone.push(key);
        }
        // Where its link is what it was, so is what became of it.
        let kept = was
            .filter(|was| now.is_some_and(|now| (now.kind, now.weight) == (was.kind, was.weight)));
        if let Some(found) = now {
            new.push(New {
                key,
                found,
                decided: kept.map(|was| was.decided),
            });
        }
        if kept.is_none() {
            note(key.0, was, now.as_ref(), concerned);
        }
    }
    delete(&gone);
    new.sort_unstable_by_key(|new: &New| new.key);
    Ok(new)
}

/// What a changed match is for the graph.
fn note(pair: Pair, was: Option<&Stored>, now: Option<&Match>, concerned: &mut Concerned) {
    let ends = [pair.0, pair.1];
    let linked = was.filter(|was| was.kind == Kind::Link);
    let links = now.filter(|now| now.kind == Kind::Link);
    let refused = |was: &Stored| was.decided.0 > 0;
    match (linked, links) {
        (None, Some(_)) => concerned.changes.gained.push(pair),
        (Some(was), Some(now)) if refused(was) || now.weight >= was.weight => {
            concerned.changes.gained.push(pair);
        }
        (Some(_), Some(_)) => concerned.changes.disturbed.extend(ends),
        (Some(was), None) => {
            concerned.loosened.extend(ends);
            concerned.unmatched.push(pair);
            if !refused(was) {
                concerned.changes.disturbed.extend(ends);
            }
        }
        (None, None) => {}
    }
    let apart = (
        was.is_some_and(|was| was.kind.is_apart()),
        now.is_some_and(|now| now.kind.is_apart()),
    );
    if apart.0 != apart.1 {
        concerned.changes.disturbed.extend(ends);
        // What only a non-match names is in no graph.
        concerned.loosened.extend(ends);
    }
}

fn delete(keys: &[Key]) {
    if keys.is_empty() {
        return;
    }
    sql::run(
        "DELETE FROM cdp.matches m USING unnest($1::bigint[], $2::bigint[], $3::integer[]) \
             g (low, high, matcher_id) \
         WHERE m.low = g.low AND m.high = g.high AND m.matcher_id = g.matcher_id",
        args![
            keys.iter().map(|key| key.0.0).collect::<Vec<_>>(),
            keys.iter().map(|key| key.0.1).collect::<Vec<_>>(),
            keys.iter().map(|key| key.1).collect::<Vec<_>>()
        ],
    );
}

/// Stores matches, each with what became of the link in the graph: the code of the decision, and the type of
/// the rule.
pub fn insert<'a>(rows: impl Iterator<Item = (&'a New, Option<(i16, Option<i32>)>)>) {
    append(
        "cdp.matches",
        &[
            "low",
            "high",
            "matcher_id",
            "kind",
            "weight",
            "probability",
            "household",
            "decision",
            "rule_type",
        ],
        rows,
        |values, (New { key, found, .. }, decided)| {
            let ((low, high), matcher_id) = *key;
            let decision = decided.map(|(code, _)| code);
            values
                .put(low)
                .put(high)
                .put(matcher_id)
                .put(found.kind.name())
                .put(found.weight)
                .put(found.probability)
                .put(found.household)
                .put(decision.or_else(|| found.kind.decision()))
                .put(decided.and_then(|(_, rule_type)| rule_type));
        },
    );
}
