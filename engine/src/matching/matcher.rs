//! A matcher whole: from records to what is frozen when it is trained, and from that to pairs.

use std::sync::atomic::AtomicU64;

use serde::{Deserialize, Serialize};

use super::blocking::{self, BlockingError, Blocks, Budget, Captures, Hashed, Rule};
use super::cluster::{self, ScoredPair, Tree};
use super::model::Verdict;
use super::prepare::most_bytes;
use super::report::{Findings, Found, Histogram, Point};
use super::score::{SURE, Scorer};
use super::{Error, Model, Progress, Records, Spec, train_and_prepare};
use crate::background::Cancel;

/// Weights at which a pair is one thing or another: hundredths of a bit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Thresholds {
    /// From here on one person.
    pub link: i32,
    /// From here on somebody should look.
    pub review: i32,
    /// Up to here surely two persons.
    pub apart: i32,
}

/// A pair more probable than this to be of one household, and not of one person, is one.
const HOUSEHOLD: f64 = 0.5;
/// A pair of one person in ten: it is worth somebody's look. No cluster is made of less.
const REVIEW: i32 = -317;
/// A pair of one person in a hundred: surely two.
const APART: i32 = -663;

/// What a pair is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// One person.
    Link,
    /// One person by itself, but a weak bridge between two groups that agree well each.
    Cut,
    /// Perhaps one person.
    Review,
    /// Two persons of one household.
    Household,
    /// Two persons, surely.
    NonMatch,
}

/// A pair that was found.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Pair {
    /// The one record, the lower position.
    pub a: u32,
    /// The other.
    pub b: u32,
    /// What it is.
    pub kind: Kind,
    /// Hundredths of a bit.
    pub weight: i32,
    /// That both are one person.
    pub probability: f64,
    /// That they are two of one household.
    pub household: f64,
}

/// What is frozen when a matcher is trained.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Matcher {
    /// How records agree.
    pub model: Model,
    /// Which pairs are looked at.
    pub rules: Vec<Rule>,
    /// What a pair is by its weight.
    pub thresholds: Thresholds,
}

/// Why there is no result.
#[derive(Clone, Debug, PartialEq)]
pub enum Failure {
    /// Of the model.
    Model(Error),
    /// Of the blocks.
    Blocking(BlockingError),
    /// More memory would be needed than is allowed, for what.
    Memory {
        /// What it is needed for.
        what: &'static str,
        /// Bytes.
        needed: u64,
        /// Bytes.
        allowed: u64,
    },
    /// The caller gave up.
    Cancelled,
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        match error {
            Error::Cancelled => Failure::Cancelled,
            error => Failure::Model(error),
        }
    }
}

impl From<BlockingError> for Failure {
    fn from(error: BlockingError) -> Self {
        match error {
            BlockingError::Cancelled => Failure::Cancelled,
            error => Failure::Blocking(error),
        }
    }
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Failure::Model(error) => error.fmt(f),
            Failure::Blocking(error) => error.fmt(f),
            Failure::Memory {
                what,
                needed,
                allowed,
            } => write!(
                f,
                "{what} need {} MB of memory, more than the {} MB allowed",
                needed.div_ceil(1 << 20),
                allowed >> 20
            ),
            Failure::Cancelled => f.write_str("cancelled"),
        }
    }
}

/// What a run may take.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Bytes: the records, and all that is made of them.
    pub memory: u64,
    /// Threads.
    pub threads: usize,
    /// Where the second of two files begins: only pairs across them are looked at.
    pub second: Option<u32>,
}

impl Limits {
    /// What is left beside something that takes so many bytes.
    fn beside(&self, what: &'static str, bytes: usize) -> Result<Self, Failure> {
        match self.memory.checked_sub(bytes as u64) {
            Some(memory) if memory > 0 => Ok(Limits { memory, ..*self }),
            _ => Err(Failure::Memory {
                what,
                needed: bytes as u64,
                allowed: self.memory,
            }),
        }
    }

    fn blocking(&self) -> blocking::Settings {
        blocking::Settings {
            memory: self.memory,
            threads: self.threads,
            second: self.second,
        }
    }
}

/// What a run found.
#[derive(Clone, Debug, PartialEq)]
pub struct Run {
    /// The pairs that are something, in the order of records.
    pub pairs: Vec<Pair>,
    /// For each record its cluster: the lowest record of it.
    pub clusters: Vec<u32>,
    /// What there is to tell of it.
    pub findings: Findings,
}

/// Pairs as they were scored: not yet told what each is.
struct Scored {
    pairs: Vec<Pair>,
    findings: Findings,
    /// How many pairs of one person no rule finds.
    missed: f64,
}

/// What training and scoring look at.
const FORMS: &str = "the forms of values";

/// The sample of records that are weighed with a copy of themselves.
const COPIES: usize = 100_000;

impl Matcher {
    /// Trains a matcher on records, and runs it over them. `decisions` are pairs of which somebody has said
    /// whether they are one person; `tied` as in [`run`](Self::run).
    ///
    /// # Errors
    /// When the specification does not fit the records, when memory does not suffice, when told to stop.
    pub fn train(
        spec: &Spec,
        records: &Records,
        decisions: &[(u32, u32, bool)],
        tied: &[(u32, u32)],
        limits: &Limits,
        cancel: &Cancel,
        progress: Progress<'_>,
    ) -> Result<(Self, Run), Failure> {
        let limits = &limits.beside("the records", records.bytes())?;
        limits.beside(FORMS, most_bytes(records))?;
        let (mut model, prepared) = train_and_prepare(spec, records, decisions, cancel, progress)?;
        let limits = &limits.beside(FORMS, prepared.bytes())?;
        progress("blocking rules", 0.0);
        let budget = Budget::of(records.len());
        let hashed = Hashed::new(records);
        let rules = blocking::choose(&hashed, &budget, &limits.blocking(), None, cancel)?;
        let scorer = Scorer::trained(&model, records, prepared)?;
        let scored = score(&scorer, &rules, hashed, tied, limits, cancel, progress)?;
        let tree = tree(&scorer, records, &scored.pairs, limits, cancel)?;
        let chosen = match spec.settings.precision {
            None => tree.best(scored.missed).map(|best| best.threshold),
            // Where no threshold holds it, only what a rule says is one person.
            Some(precision) => tree
                .precise(precision, scored.missed)
                .map(|precise| precise.threshold)
                .or(Some(SURE)),
        };
        let link = chosen.unwrap_or(model.threshold).clamp(REVIEW + 1, SURE);
        let run = finish(scored, &tree, link);
        drop(scorer);
        model.threshold = link;
        let matcher = Matcher {
            model,
            rules,
            thresholds: Thresholds {
                link,
                review: REVIEW,
                apart: APART,
            },
        };
        Ok((matcher, run))
    }

    /// All pairs of records that are something. `tied` are pairs, the lower position first, that share an
    /// identifier: of them it is also told which are surely two persons. The result does not depend on
    /// the number of threads.
    ///
    /// # Errors
    /// When memory does not suffice, when told to stop.
    pub fn run(
        &self,
        records: &Records,
        tied: &[(u32, u32)],
        limits: &Limits,
        cancel: &Cancel,
        progress: Progress<'_>,
    ) -> Result<Run, Failure> {
        let limits = &limits.beside("the records", records.bytes())?;
        limits.beside(FORMS, most_bytes(records))?;
        let scorer = Scorer::new(&self.model, records)?;
        let limits = &limits.beside(FORMS, scorer.bytes())?;
        let scored = score(
            &scorer,
            &self.rules,
            Hashed::new(records),
            tied,
            limits,
            cancel,
            progress,
        )?;
        let tree = tree(&scorer, records, &scored.pairs, limits, cancel)?;
        Ok(finish(scored, &tree, self.thresholds.link))
    }

    /// What a pair of that verdict is by itself; none where it is nothing to speak of. `tied`: the two share
    /// an identifier that would make them one.
    pub fn kind(&self, verdict: &Verdict, tied: bool) -> Option<Kind> {
        match alone(verdict, tied) {
            Some(Kind::Review) if verdict.weight >= self.thresholds.link => Some(Kind::Link),
            kind => kind,
        }
    }

    /// Tells links from weak bridges: `pairs` are all pairs of some records that weigh enough to be reviewed.
    /// A record that none of them leads to may be missing; what the others are is the same without it.
    ///
    /// # Errors
    /// When told to stop.
    pub fn settle(
        &self,
        scorer: &Scorer<'_>,
        records: &Records,
        pairs: &mut [Pair],
        limits: &Limits,
        cancel: &Cancel,
    ) -> Result<(), Failure> {
        let tree = tree(scorer, records, pairs, limits, cancel)?;
        settle(
            pairs,
            &tree.clusters(self.thresholds.link),
            self.thresholds.link,
        );
        Ok(())
    }
}

/// What a pair is before clusters are known; what may be a link is for review.
fn alone(verdict: &Verdict, tied: bool) -> Option<Kind> {
    if verdict.weight >= REVIEW {
        Some(Kind::Review)
    } else if verdict.household >= HOUSEHOLD {
        Some(Kind::Household)
    } else {
        (tied && verdict.weight <= APART).then_some(Kind::NonMatch)
    }
}

/// Scores the pairs that blocks give, and those that are tied.
fn score(
    scorer: &Scorer<'_>,
    rules: &[Rule],
    hashed: Hashed<'_>,
    tied: &[(u32, u32)],
    limits: &Limits,
    cancel: &Cancel,
    progress: Progress<'_>,
) -> Result<Scored, Failure> {
    progress("blocks", 0.0);
    let done = AtomicU64::new(0);
    let blocks = Blocks::build(&hashed, rules, &limits.blocking(), cancel, &done)?;
    let records = hashed.into_records();
    progress("pairs", 0.0);
    let done = AtomicU64::new(0);
    let total = blocks.pairs().max(1) as f64;
    let allowed = limits.memory.saturating_sub(blocks.memory());
    let most = allowed / size_of::<Pair>() as u64 / limits.threads.max(1) as u64 / 2;
    let start = || {
        let (histogram, captures) = (Histogram::default(), Captures::default());
        (scorer.scoring(), Vec::new(), histogram, captures)
    };
    let states = blocks.stream(limits.threads, cancel, &done, start, |state, chunk| {
        let (scoring, found, histogram, captures) = state;
        scoring.verdicts(chunk.pairs, |place, verdict| {
            histogram.add(verdict.weight);
            if verdict.weight >= REVIEW {
                captures.add(chunk.rules[place], verdict.probability);
            }
            if found.len() as u64 <= most {
                let kind = alone(&verdict, false);
                found.extend(kind.map(|kind| pair(chunk.pairs[place], kind, &verdict)));
            }
        });
        let done = done.load(std::sync::atomic::Ordering::Relaxed) as f64;
        progress("pairs", (done / total).min(1.0));
    });
    let states = states.ok_or(Failure::Cancelled)?;
    let most_found = states.iter().map(|(_, found, ..)| found.len() as u64).max();
    if most_found.is_some_and(|found| found > most) {
        return Err(Failure::Memory {
            what: "the pairs found",
            needed: limits.memory + limits.memory / 2,
            allowed: limits.memory,
        });
    }
    let mut findings = Findings {
        records: u64::from(records.len()),
        rules: blocks.report().to_vec(),
        ..Findings::default()
    };
    let mut pairs: Vec<Pair> = Vec::new();
    let mut captures = Captures::default();
    for (_, found, histogram, others) in states {
        pairs.extend(found);
        findings.pairs.merge(&histogram);
        captures.merge(&others);
    }
    let recall = captures.recall(rules.len());
    drop(blocks);
    findings.recall = Some(recall.recall);
    let mut scoring = scorer.scoring();
    for (n, &(a, b)) in tied.iter().enumerate() {
        if n % 4096 == 0 && cancel.is_set() {
            return Err(Failure::Cancelled);
        }
        let verdict = scoring.verdict(a, b);
        pairs.extend(alone(&verdict, true).map(|kind| pair((a, b), kind, &verdict)));
    }
    let step = (records.len() as usize).div_ceil(COPIES).max(1);
    for record in (0..records.len()).step_by(step) {
        findings.copies.add(scoring.weight(record, record));
    }
    sort(&mut pairs, records.len());
    pairs.dedup_by_key(|pair| (pair.a, pair.b));
    Ok(Scored {
        pairs,
        findings,
        missed: recall.missed,
    })
}

/// Brings pairs into the order of records: each to its place by the one end, which leaves few to compare by the
/// other.
fn sort(pairs: &mut Vec<Pair>, records: u32) {
    let mut next = vec![0usize; records as usize + 1];
    for pair in &*pairs {
        next[pair.a as usize + 1] += 1;
    }
    for record in 1..next.len() {
        next[record] += next[record - 1];
    }
    let mut sorted = pairs.clone();
    for pair in &*pairs {
        let place = &mut next[pair.a as usize];
        sorted[*place] = *pair;
        *place += 1;
    }
    for of_one in sorted.chunk_by_mut(|one, next| one.a == next.a) {
        of_one.sort_unstable_by_key(|pair| pair.b);
    }
    *pairs = sorted;
}

/// The clusters of records at every threshold.
fn tree(
    scorer: &Scorer<'_>,
    records: &Records,
    pairs: &[Pair],
    limits: &Limits,
    cancel: &Cancel,
) -> Result<Tree, Failure> {
    let settings = cluster::Settings {
        second: limits.second,
        threads: limits.threads,
        memory: limits.beside("the pairs found", size_of_val(pairs))?.memory,
        ..cluster::Settings::default()
    };
    let scored = pairs
        .iter()
        .filter(|pair| pair.weight >= settings.lowest)
        .map(|&Pair { a, b, weight, .. }| ScoredPair { a, b, weight });
    let weights = |pairs: &[(u32, u32)]| {
        let mut scoring = scorer.scoring();
        pairs.iter().map(|&(a, b)| scoring.weight(a, b)).collect()
    };
    let tree = Tree::build(
        records.len(),
        scored,
        records,
        Some(&weights),
        &settings,
        cancel,
    );
    tree.map_err(|error| match error {
        cluster::Error::Cancelled => Failure::Cancelled,
        cluster::Error::Memory { needed, allowed } => Failure::Memory {
            what: "the clusters",
            needed,
            allowed,
        },
    })
}

impl cluster::Naming for Records {
    fn name(&self, record: u32) -> u32 {
        Records::name(self, record)
    }

    fn content(&self, record: u32) -> u64 {
        let mut content = 0u64;
        let mut texts: Vec<&str> = Vec::new();
        for column in &self.columns {
            texts.clear();
            let values = column.of(record).iter();
            texts.extend(values.map(|&value| &*column.values[value as usize].text));
            texts.sort_unstable();
            for text in &texts {
                content = xxhash_rust::xxh3::xxh3_64_with_seed(text.as_bytes(), content);
            }
            content = content.rotate_left(5).wrapping_add(1);
        }
        content
    }
}

/// Tells links from weak bridges and from what is for review.
fn settle(pairs: &mut [Pair], clusters: &[u32], link: i32) {
    let mut within: Vec<usize> = Vec::new();
    let mut up: Vec<u32> = (0..clusters.len() as u32).collect();
    for (place, pair) in pairs.iter_mut().enumerate() {
        if pair.weight < REVIEW {
            continue;
        }
        let together = clusters[pair.a as usize] == clusters[pair.b as usize];
        pair.kind = match (together, pair.weight >= link) {
            (true, true) => {
                unite(&mut up, pair.a, pair.b);
                Kind::Link
            }
            (false, true) => Kind::Cut,
            (together, false) => {
                if together {
                    within.push(place);
                }
                Kind::Review
            }
        };
    }
    // Where only weaker pairs lead from one part of a cluster to another, the strongest of them join it.
    within.sort_by_key(|&place| std::cmp::Reverse(pairs[place].weight));
    let mut start = 0;
    while let Some(&first) = within.get(start) {
        let weight = pairs[first].weight;
        let alike = within[start..]
            .iter()
            .take_while(|&&place| pairs[place].weight == weight)
            .count();
        let alike = &within[start..start + alike];
        start += alike.len();
        for &place in alike {
            let Pair { a, b, .. } = pairs[place];
            if root(&mut up, a) != root(&mut up, b) {
                pairs[place].kind = Kind::Link;
            }
        }
        for &place in alike {
            if pairs[place].kind == Kind::Link {
                unite(&mut up, pairs[place].a, pairs[place].b);
            }
        }
    }
}

fn root(up: &mut [u32], mut at: u32) -> u32 {
    while up[at as usize] != at {
        up[at as usize] = up[up[at as usize] as usize];
        at = up[at as usize];
    }
    at
}

fn unite(up: &mut [u32], a: u32, b: u32) {
    let (a, b) = (root(up, a), root(up, b));
    up[a.max(b) as usize] = a.min(b);
}

/// What a run found, at a threshold.
fn finish(scored: Scored, tree: &Tree, link: i32) -> Run {
    let Scored {
        mut pairs,
        mut findings,
        missed,
    } = scored;
    let clusters = tree.clusters(link);
    settle(&mut pairs, &clusters, link);
    let count = |kind: Kind| pairs.iter().filter(|pair| pair.kind == kind).count() as u64;
    let mut sizes = vec![0u32; clusters.len()];
    for &cluster in &clusters {
        sizes[cluster as usize] += 1;
    }
    let several = || sizes.iter().filter(|&&size| size > 1);
    findings.found = Found {
        links: count(Kind::Link),
        cuts: count(Kind::Cut),
        review: count(Kind::Review),
        households: count(Kind::Household),
        clusters: several().count() as u64,
        clustered: several().map(|&size| u64::from(size)).sum(),
    };
    findings.expected = thinned(tree.expected(missed));
    Run {
        pairs,
        clusters,
        findings,
    }
}

/// Of many thresholds, those a quarter of a bit apart.
fn thinned(expected: Vec<cluster::Expected>) -> Vec<Point> {
    const STEP: i32 = 25;
    let mut points: Vec<Point> = Vec::new();
    for one in expected {
        let near =
            |point: &Point| point.threshold.div_euclid(STEP) == one.threshold.div_euclid(STEP);
        if !points.last().is_some_and(near) {
            points.push(Point {
                threshold: one.threshold,
                precision: one.precision,
                interval: one.interval,
                recall: one.recall,
            });
        }
    }
    points
}

fn pair((a, b): (u32, u32), kind: Kind, verdict: &Verdict) -> Pair {
    Pair {
        a,
        b,
        kind,
        weight: verdict.weight,
        probability: verdict.probability,
        household: verdict.household,
    }
}
