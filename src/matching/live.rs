//! Matching what a batch brings, with the models in force: what is found is what running the matcher over
//! all records would find.
//!
//! A record that is new, other or gone changes blocks: those that it joins give pairs with it; one that it
//! takes past its cap gives no pair any more, one that it leaves at its cap gives all of its pairs again.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use cdp_engine::background::Cancel;
use cdp_engine::matching::matcher::{Limits, Pair as Found};
use cdp_engine::matching::score::Scorer;
use cdp_engine::matching::{LiveKeys, Matcher as Trained, Records, name};

use super::keys::{self, Block, TIED, keys_of};
use super::rows::{self, MOST_TIED, Said};
use super::run::as_match;
use super::store::{self, Matcher, compared};
use super::work;
use crate::args;
use crate::identity::asserted::{Pair, pair};
use crate::identity::matched::{self, Change, Kind};
use crate::pg::append::append;
use crate::pg::look_up::LookUp;
use crate::pg::{Error, Result, sql, thread};
use crate::rules::Rules;

/// What is found otherwise after these records (source and key) changed. As the owner role, under the
/// pipeline lock.
pub fn follow(rules: &Rules, changed: &[(i32, String)]) -> Result<Vec<Change>> {
    let mut found = Vec::new();
    if changed.is_empty() || rules.matchers.is_empty() {
        return Ok(found);
    }
    for matcher in store::live()? {
        let mut records: BTreeMap<i64, Now> = BTreeMap::new();
        for source in matcher.sources.keys() {
            let Some(of) = rules.sources.get(source) else {
                continue;
            };
            let own = changed.iter().filter(|(source_id, _)| *source_id == of.id);
            let keys: Vec<String> = own.map(|(_, key)| key.clone()).collect();
            if !keys.is_empty() {
                read(&matcher, source, &keys, &mut records);
            }
        }
        if !records.is_empty() {
            let model = store::model(&matcher)?;
            found.extend(Blocks::open(&matcher, &model)?.follow(&records)?);
        }
    }
    Ok(found)
}

/// The same after the evidence of these sets changed, as by a revocation.
pub fn follow_sets(rules: &Rules, sets: &[i64]) -> Result<Vec<Change>> {
    if rules.matchers.is_empty() {
        return Ok(Vec::new());
    }
    let changed = sql::rows(
        "SELECT source_id, key FROM cdp.records WHERE set_id = ANY ($1)",
        args![sets.to_vec()],
        |row| (row.want::<i32>(1), row.want::<String>(2)),
    );
    follow(rules, &changed)
}

/// What a record says and shows now; nothing if it does not stand.
#[derive(Default)]
struct Now {
    said: Option<Said>,
    shown: Vec<i64>,
}

/// Reads records of a source as they stand.
fn read(matcher: &Matcher, source: &str, keys: &[String], records: &mut BTreeMap<i64, Now>) {
    let known = sql::rows(
        "SELECT i.node_id, CASE WHEN NOT r.revoked THEN m.nodes END FROM cdp.sources s \
           JOIN cdp.identifier_types t ON t.record_source_id = s.source_id \
           JOIN cdp.identifiers i ON i.type_id = t.type_id AND i.value = ANY ($2) \
           LEFT JOIN cdp.records r ON r.source_id = s.source_id AND r.key = i.value \
           LEFT JOIN cdp.identifier_sets m ON m.set_id = r.set_id \
          WHERE s.name = $1",
        args![source, keys.to_vec()],
        |row| (row.want::<i64>(1), row.get::<Vec<i64>>(2)),
    );
    let mut said = rows::some(matcher, source, keys);
    for (node, nodes) in known {
        let mut shown = nodes.unwrap_or_default();
        shown.retain(|&identifier| identifier != node);
        let said = said.remove(&node);
        records.insert(node, Now { said, shown });
    }
}

/// The blocks of a matcher.
struct Blocks<'a> {
    matcher: &'a Matcher,
    model: &'a store::Model,
    keys: LiveKeys,
    /// Of blocks that were looked at: whether they give pairs.
    gives: HashMap<Block, bool>,
    /// What records say and show, as stored.
    stored: HashMap<i64, (Said, Vec<i64>)>,
}

impl<'a> Blocks<'a> {
    fn open(matcher: &'a Matcher, model: &'a store::Model) -> Result<Self> {
        Ok(Self {
            matcher,
            model,
            keys: keys_of(matcher, &model.trained)?,
            gives: HashMap::new(),
            stored: HashMap::new(),
        })
    }

    fn cap(&self, rule: i16) -> usize {
        match u16::try_from(rule) {
            Ok(rule) => self.keys.cap(rule) as usize,
            Err(_) => MOST_TIED,
        }
    }

    fn keys_of(&self, said: &Said, shown: &[i64]) -> BTreeSet<Block> {
        let by_rules = self.keys.of(said).into_iter();
        by_rules
            .map(|(rule, key)| (rule as i16, key as i64))
            .chain(shown.iter().map(|&identifier| (TIED, identifier)))
            .collect()
    }

    /// Brings blocks up to date, and gives what is found otherwise.
    fn follow(&mut self, records: &BTreeMap<i64, Now>) -> Result<Vec<Change>> {
        self.load(records.keys().copied())?;
        let mut left: Vec<(Block, i64)> = Vec::new();
        let mut joined: Vec<(Block, i64)> = Vec::new();
        let mut standing: BTreeMap<Block, Vec<i64>> = BTreeMap::new();
        for (&node, now) in records {
            pgrx::check_for_interrupts!();
            let before = self.stored.get(&node);
            let before =
                before.map_or_else(BTreeSet::new, |(said, shown)| self.keys_of(said, shown));
            let after = match &now.said {
                Some(said) => self.keys_of(said, &now.shown),
                None => BTreeSet::new(),
            };
            left.extend(before.difference(&after).map(|&key| (key, node)));
            joined.extend(after.difference(&before).map(|&key| (key, node)));
            for &key in &after {
                standing.entry(key).or_default().push(node);
            }
        }
        let mut pairs = self.changed_blocks(&left, &joined, &standing);
        matched::at_nodes(&records.keys().copied().collect::<Vec<_>>(), |stored| {
            if stored.key.1 == self.matcher.id {
                pairs.insert(stored.key.0);
            }
            Ok(())
        })?;
        self.write(records, &left, &joined);
        self.judge(&pairs)
    }

    /// The pairs that a change of blocks concerns. `standing`: the changed records by key, as they are
    /// now.
    fn changed_blocks(
        &mut self,
        left: &[(Block, i64)],
        joined: &[(Block, i64)],
        standing: &BTreeMap<Block, Vec<i64>>,
    ) -> BTreeSet<Pair> {
        let mut leaving: HashMap<Block, Vec<i64>> = HashMap::new();
        let mut joining: HashMap<Block, Vec<i64>> = HashMap::new();
        for &(key, node) in left {
            leaving.entry(key).or_default().push(node);
        }
        for &(key, node) in joined {
            joining.entry(key).or_default().push(node);
        }
        let keys: BTreeSet<Block> = standing.keys().chain(leaving.keys()).copied().collect();
        let mut blocks = keys::Blocks::open(self.matcher);
        let mut pairs = BTreeSet::new();
        for key in keys {
            let none = Vec::new();
            let (gone, new) = (
                leaving.get(&key).unwrap_or(&none),
                joining.get(&key).unwrap_or(&none),
            );
            let cap = self.cap(key.0);
            let Some(before) = blocks.members(key, cap + gone.len()) else {
                self.gives.insert(key, false);
                continue;
            };
            let gone: HashSet<i64> = gone.iter().copied().collect();
            let mut after = before.clone();
            after.retain(|node| !gone.contains(node));
            after.extend(new);
            let (gave, gives) = (before.len() <= cap, after.len() <= cap);
            self.gives.insert(key, gives);
            if gave != gives {
                all_pairs(if gave { &before } else { &after }, &mut pairs);
            } else if gives {
                for &node in standing.get(&key).unwrap_or(&none) {
                    let others = after.iter().filter(|&&other| other != node);
                    pairs.extend(others.map(|&other| pair(node, other)));
                }
            }
        }
        blocks.close();
        pairs
    }

    /// Reads what records say and show, as stored.
    fn load(&mut self, nodes: impl Iterator<Item = i64>) -> Result<()> {
        let mut look_up = LookUp::open(
            "cdp.match_records",
            &["node_id", "matcher_id"],
            &["said", "shown"],
        );
        let mut result = Ok(());
        for node in nodes {
            if self.stored.contains_key(&node) {
                continue;
            }
            look_up.find(
                |values| {
                    values.put(node).put(self.matcher.id);
                },
                |found| {
                    match serde_json::from_str(&found.want::<String>(1)) {
                        Ok(said) => {
                            self.stored.insert(node, (said, found.want(2)));
                        }
                        Err(error) => {
                            result = Err(Error::internal(format!(
                                "what record {node} says cannot be read: {error}"
                            )));
                        }
                    }
                    false
                },
            );
        }
        look_up.close();
        result
    }

    /// Writes what records say and by what they are found.
    fn write(
        &mut self,
        records: &BTreeMap<i64, Now>,
        left: &[(Block, i64)],
        joined: &[(Block, i64)],
    ) {
        let mut gone = Vec::new();
        let mut new = Vec::new();
        for (&node, now) in records {
            let is = now
                .said
                .as_ref()
                .map(|said| (said.clone(), now.shown.clone()));
            if self.stored.get(&node) == is.as_ref() {
                continue;
            }
            if self.stored.remove(&node).is_some() {
                gone.push(node);
            }
            if let Some(is) = is {
                new.push(node);
                self.stored.insert(node, is);
            }
        }
        if !gone.is_empty() {
            sql::run(
                "DELETE FROM cdp.match_records WHERE matcher_id = $1 AND node_id = ANY ($2)",
                args![self.matcher.id, gone],
            );
        }
        append(
            "cdp.match_records",
            &["node_id", "matcher_id", "said", "shown"],
            new,
            |values, node| {
                let (said, shown) = &self.stored[&node];
                let said = serde_json::to_string(said).unwrap_or_default();
                let values = values.put(node).put(self.matcher.id);
                values.put(said.as_str()).put(shown.as_slice());
            },
        );
        keys::change(self.matcher, left, joined);
    }

    /// What is found of these pairs now: of those that some block gives, what the model says.
    fn judge(&mut self, pairs: &BTreeSet<Pair>) -> Result<Vec<Change>> {
        let nodes: BTreeSet<i64> = pairs.iter().flat_map(|&(a, b)| [a, b]).collect();
        self.load(nodes.iter().copied())?;
        let keys: HashMap<i64, BTreeSet<Block>> = nodes
            .iter()
            .filter_map(|node| {
                let (said, shown) = self.stored.get(node)?;
                Some((*node, self.keys_of(said, shown)))
            })
            .collect();
        let mut blocks = keys::Blocks::open(self.matcher);
        let (mut given, mut tied): (HashSet<Pair>, HashSet<Pair>) = Default::default();
        for &(a, b) in pairs {
            pgrx::check_for_interrupts!();
            let (Some(of_a), Some(of_b)) = (keys.get(&a), keys.get(&b)) else {
                continue;
            };
            for &key in of_a.intersection(of_b) {
                let gives = match self.gives.get(&key) {
                    Some(gives) => *gives,
                    None => {
                        let gives = blocks.members(key, self.cap(key.0)).is_some();
                        self.gives.insert(key, gives);
                        gives
                    }
                };
                if gives {
                    given.insert((a, b));
                    if key.0 == TIED {
                        tied.insert((a, b));
                    }
                }
            }
        }
        blocks.close();
        let mut found: BTreeMap<Pair, Option<Found>> = pairs.iter().map(|&p| (p, None)).collect();
        let (place, records) = self.records(&nodes, &HashMap::new());
        let given: Vec<Pair> = found
            .keys()
            .copied()
            .filter(|p| given.contains(p))
            .collect();
        let asked: Vec<Asked> = given
            .iter()
            .map(|ends| ((place[&ends.0], place[&ends.1]), tied.contains(ends)))
            .collect();
        let verdicts = self.compute(records, move |judge, _| Ok(judge.of_all(&asked)))?;
        found.extend(given.into_iter().zip(verdicts));
        self.settle(found)
    }

    /// Lets `work` judge pairs of these records. Of many it is left to a thread, so that a cancel is followed
    /// at once.
    fn compute<T: Send + 'static>(
        &self,
        records: Records,
        work: impl FnOnce(&Judge, &Cancel) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        const FEW: u32 = 500;
        let few = records.len() < FEW;
        let trained = Arc::clone(&self.model.trained);
        let weights = Arc::clone(&self.model.weights);
        let limits = Limits {
            threads: 1,
            ..work::limits(None, records.bytes())
        };
        let whole = move |cancel: &Cancel| {
            let scorer = Scorer::with_weights(&trained.model, weights, &records)
                .map_err(|error| Error::internal(error.to_string()))?;
            let judge = Judge {
                limits,
                trained: &trained,
                records: &records,
                scorer: &scorer,
            };
            work(&judge, cancel)
        };
        match few {
            true => whole(&Cancel::default()),
            false => thread::run(whole)?,
        }
    }

    /// The names of those of these nodes that say the same as another: who is with whom depends on them.
    fn names(&self, nodes: &BTreeSet<i64>) -> HashMap<i64, u32> {
        let mut saying: HashMap<Said, Vec<i64>> = HashMap::new();
        for node in nodes {
            pgrx::check_for_interrupts!();
            if let Some((said, _)) = self.stored.get(node) {
                let mut said = said.clone();
                for values in &mut said {
                    values.sort_unstable();
                    values.dedup();
                }
                saying.entry(said).or_default().push(*node);
            }
        }
        let alike = saying.into_values().filter(|nodes| nodes.len() > 1);
        let alike: Vec<i64> = alike.flatten().collect();
        if alike.is_empty() {
            return HashMap::new();
        }
        sql::rows(
            "SELECT i.node_id, s.name, i.value FROM cdp.identifiers i \
               JOIN cdp.identifier_types t ON t.type_id = i.type_id \
               JOIN cdp.sources s ON s.source_id = t.record_source_id WHERE i.node_id = ANY ($1)",
            args![alike],
            |row| {
                let (source, key): (String, String) = (row.want(2), row.want(3));
                (row.want::<i64>(1), name(&source, key.as_bytes()))
            },
        )
        .into_iter()
        .collect()
    }

    /// Those of these nodes that stand: the place of each, and what it says; `names` of some.
    fn records(
        &self,
        nodes: &BTreeSet<i64>,
        names: &HashMap<i64, u32>,
    ) -> (HashMap<i64, u32>, Records) {
        let mut records = rows::empty(&compared(&self.matcher.sources));
        let mut place = HashMap::with_capacity(nodes.len());
        for node in nodes {
            pgrx::check_for_interrupts!();
            if let Some((said, _)) = self.stored.get(node) {
                place.insert(*node, records.len());
                rows::push(&mut records, said);
                if !names.is_empty() {
                    records.name_last(names.get(node).copied().unwrap_or(0));
                }
            }
        }
        (place, records)
    }

    /// Tells links from weak bridges in all that hangs together with what was found anew.
    fn settle(&mut self, found: BTreeMap<Pair, Option<Found>>) -> Result<Vec<Change>> {
        // Groups are made of pairs that weigh enough for a review.
        let enough = self.model.trained.thresholds.review;
        let mut near: HashMap<i64, Vec<Pair>> = HashMap::new();
        let mut frontier: BTreeSet<i64> = BTreeSet::new();
        for (&(a, b), found) in &found {
            frontier.extend([a, b]);
            if found.is_some_and(|found| found.weight >= enough) {
                near.entry(a).or_default().push((a, b));
                near.entry(b).or_default().push((a, b));
            }
        }
        let mut nodes: BTreeSet<i64> = BTreeSet::new();
        let mut before: BTreeMap<Pair, Kind> = BTreeMap::new();
        let mut together: BTreeSet<Pair> = BTreeSet::new();
        while !frontier.is_empty() {
            pgrx::check_for_interrupts!();
            let asked: Vec<i64> = frontier.iter().copied().collect();
            nodes.extend(&asked);
            let mut next: BTreeSet<i64> = BTreeSet::new();
            matched::at_nodes(&asked, |stored| {
                let (ends, matcher) = stored.key;
                if matcher == self.matcher.id {
                    before.insert(ends, stored.kind);
                    if stored.weight >= enough && !found.contains_key(&ends) {
                        together.insert(ends);
                        next.extend([ends.0, ends.1]);
                    }
                }
                Ok(())
            })?;
            for pair in asked.iter().filter_map(|node| near.get(node)).flatten() {
                together.insert(*pair);
                next.extend([pair.0, pair.1]);
            }
            frontier = &next - &nodes;
        }
        self.load(nodes.iter().copied())?;
        let ends: Vec<Pair> = together.into_iter().collect();
        let (place, records) = self.records(&nodes, &self.names(&nodes));
        let asked: Vec<Asked> = ends
            .iter()
            .map(|(a, b)| ((place[a], place[b]), false))
            .collect();
        let pairs = self.compute(records, move |judge, cancel| {
            let mut pairs = judge.of_all(&asked);
            let mut standing: Vec<Found> = pairs.iter().copied().flatten().collect();
            judge.settle(&mut standing, cancel)?;
            let standing = standing.into_iter();
            for (pair, settled) in pairs.iter_mut().flatten().zip(standing) {
                *pair = settled;
            }
            Ok(pairs)
        })?;
        let key = |ends| (ends, self.matcher.id);
        let mut changes: Vec<Change> = Vec::new();
        let mut settled: HashSet<Pair> = HashSet::new();
        for (&ends, pair) in ends.iter().zip(&pairs) {
            settled.insert(ends);
            // What an earlier version of the library found may be nothing to this one.
            let now = pair.as_ref().map(as_match);
            let kind = now.as_ref().map(|now| now.kind);
            if found.contains_key(&ends) || before.get(&ends).copied() != kind {
                changes.push((key(ends), now));
            }
        }
        for (ends, found) in found {
            if !settled.contains(&ends) {
                changes.push((key(ends), found.as_ref().map(as_match)));
            }
        }
        Ok(changes)
    }
}

/// Two records, by their places, and whether they share an identifier.
type Asked = ((u32, u32), bool);

/// What a model says of records.
struct Judge<'a> {
    limits: Limits,
    trained: &'a Trained,
    records: &'a Records,
    scorer: &'a Scorer<'a>,
}

impl Judge<'_> {
    /// What the model says of each of these pairs by itself.
    fn of_all(&self, pairs: &[Asked]) -> Vec<Option<Found>> {
        let mut scoring = self.scorer.scoring();
        let found = |&((a, b), tied): &Asked| {
            let verdict = scoring.verdict(a, b);
            Some(Found {
                a,
                b,
                kind: self.trained.kind(&verdict, tied)?,
                weight: verdict.weight,
                probability: verdict.probability,
                household: verdict.household,
            })
        };
        pairs.iter().map(found).collect()
    }

    /// Tells links from weak bridges.
    fn settle(&self, pairs: &mut [Found], cancel: &Cancel) -> Result<()> {
        self.trained
            .settle(self.scorer, self.records, pairs, &self.limits, cancel)
            .map_err(work::failure)
    }
}

fn all_pairs(nodes: &[i64], pairs: &mut BTreeSet<Pair>) {
    for (n, &a) in nodes.iter().enumerate() {
        pairs.extend(nodes[n + 1..].iter().map(|&b| pair(a, b)));
    }
}
