//! Matches the records of CSV files and says how well, against a column that tells the truth. For
//! `scripts/bench matching` and for experiments.
//!
//! `match_csv SET.json`: the set names its files and what their columns mean.

use std::collections::HashMap;
use std::time::Instant;

use cdp_engine::background::Cancel;
use cdp_engine::matching::score::Scorer;
use cdp_engine::matching::spec::ColumnSpec;
use cdp_engine::matching::{Meaning, Records, Settings, Spec, train};
use serde::Deserialize;

#[derive(Deserialize)]
struct Set {
    name: String,
    truth: String,
    /// Which part of the truth between hyphens counts.
    truth_split: Option<usize>,
    columns: Vec<ColumnSpec>,
    files: Vec<File>,
    /// Only pairs across files count.
    #[serde(default)]
    link: bool,
    #[serde(default)]
    settings: Settings,
}

#[derive(Deserialize)]
struct File {
    path: String,
    /// For each column those of the file; by default the one of the same name.
    #[serde(default)]
    map: HashMap<String, Vec<String>>,
}

fn rows(text: &str) -> Vec<Vec<String>> {
    let (mut rows, mut row, mut cell) = (Vec::new(), Vec::new(), String::new());
    let mut quoted = false;
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        match character {
            '"' if quoted && characters.peek() == Some(&'"') => {
                characters.next();
                cell.push('"');
            }
            '"' => quoted = !quoted,
            ',' if !quoted => row.push(std::mem::take(&mut cell)),
            '\r' if !quoted => {}
            '\n' if !quoted => {
                row.push(std::mem::take(&mut cell));
                rows.push(std::mem::take(&mut row));
            }
            _ => cell.push(character),
        }
    }
    if !cell.is_empty() || !row.is_empty() {
        row.push(cell);
        rows.push(row);
    }
    rows
}

struct Loaded {
    records: Records,
    truth: Vec<u32>,
    file: Vec<u32>,
}

fn load(set: &Set, spec: &Spec) -> Loaded {
    let mut records = spec.records();
    let (mut truth, mut file) = (Vec::new(), Vec::new());
    let mut persons: HashMap<String, u32> = HashMap::new();
    for (number, of_set) in (0..).zip(&set.files) {
        let text = std::fs::read_to_string(&of_set.path).expect("the file can be read");
        let mut rows = rows(&text).into_iter();
        let header: Vec<String> = rows
            .next()
            .expect("a header")
            .iter()
            .map(|name| name.trim().to_owned())
            .collect();
        let position = |name: &str| header.iter().position(|column| column == name);
        let columns: Vec<Vec<usize>> = set
            .columns
            .iter()
            .map(|column| match of_set.map.get(&column.name) {
                Some(names) => names.iter().filter_map(|name| position(name)).collect(),
                None if of_set.map.is_empty() => position(&column.name).into_iter().collect(),
                None => Vec::new(),
            })
            .collect();
        let truth_at = position(&set.truth).expect("the column of the truth");
        for row in rows {
            let cells: Vec<Vec<&str>> = columns
                .iter()
                .map(|of| of.iter().map(|&at| row[at].as_str()).collect())
                .collect();
            records.push_raw(&cells);
            let person = match set.truth_split {
                Some(part) => row[truth_at].split('-').nth(part).expect("the part"),
                None => &row[truth_at],
            };
            let next = persons.len() as u32;
            truth.push(*persons.entry(person.to_owned()).or_insert(next));
            file.push(number);
        }
    }
    Loaded {
        records,
        truth,
        file,
    }
}

/// Temporary: all pairs that share two of the whole values, or one rare one.
fn candidates(loaded: &Loaded, link: bool) -> Vec<(u32, u32)> {
    let records = &loaded.records;
    let mut keys: Vec<(u64, u32)> = Vec::new();
    let prefix = |text: &str, len: usize| text.chars().take(len).collect::<String>();
    for record in 0..records.len() {
        let mut parts: Vec<(Meaning, String)> = Vec::new();
        for column in &records.columns {
            for &value in column.of(record) {
                let text = &column.values[value as usize].text;
                match column.meaning {
                    Meaning::BirthDate => {
                        parts.push((Meaning::BirthDate, text.to_string()));
                        parts.push((Meaning::Category, format!("y{}", prefix(text, 4))));
                        parts.push((Meaning::Text, text.chars().skip(5).collect()));
                    }
                    Meaning::LastName | Meaning::FirstName => {
                        parts.push((Meaning::LastName, text.to_string()));
                        parts.push((Meaning::FirstName, prefix(text, 3)));
                    }
                    Meaning::Email => {
                        parts.push((Meaning::Email, text.to_string()));
                        parts.push((
                            Meaning::Email,
                            text.split('@').next().unwrap_or("").to_owned(),
                        ));
                    }
                    Meaning::Gender => {}
                    meaning => parts.push((meaning, text.to_string())),
                }
            }
        }
        for (at, (meaning, text)) in parts.iter().enumerate() {
            if matches!(meaning, Meaning::Email | Meaning::BirthDate) {
                keys.push((cdp_engine::fingerprint(text.as_bytes()) as u64, record));
            }
            for (_, other) in &parts[..at] {
                let both = if text < other {
                    format!("{text}|{other}")
                } else {
                    format!("{other}|{text}")
                };
                keys.push((cdp_engine::fingerprint(both.as_bytes()) as u64, record));
            }
        }
    }
    keys.sort_unstable();
    keys.dedup();
    let mut pairs: Vec<(u32, u32)> = Vec::new();
    for block in keys.chunk_by(|a, b| a.0 == b.0) {
        if block.len() > 60 {
            continue;
        }
        for (place, &(_, a)) in block.iter().enumerate() {
            for &(_, b) in &block[..place] {
                if !link || loaded.file[a as usize] != loaded.file[b as usize] {
                    pairs.push((b, a));
                }
            }
        }
    }
    pairs.sort_unstable();
    pairs.dedup();
    pairs
}

/// Clusters that grow as pairs join them, and how many pairs in them are true.
struct Clusters<'a> {
    loaded: &'a Loaded,
    link: bool,
    parent: Vec<u32>,
    members: Vec<Vec<u32>>,
    pairs: u64,
    right: u64,
}

impl Clusters<'_> {
    fn root(&mut self, mut record: u32) -> u32 {
        while self.parent[record as usize] != record {
            let up = self.parent[self.parent[record as usize] as usize];
            self.parent[record as usize] = up;
            record = up;
        }
        record
    }

    fn join(&mut self, a: u32, b: u32) {
        let (mut a, mut b) = (self.root(a), self.root(b));
        if a == b {
            return;
        }
        if self.members[a as usize].len() < self.members[b as usize].len() {
            std::mem::swap(&mut a, &mut b);
        }
        let of_b = std::mem::take(&mut self.members[b as usize]);
        let mut counts: HashMap<(u32, u32), u64> = HashMap::new();
        let mut of_file: HashMap<u32, u64> = HashMap::new();
        for &record in &self.members[a as usize] {
            let at = record as usize;
            *counts
                .entry((self.loaded.truth[at], self.loaded.file[at]))
                .or_default() += 1;
            *of_file.entry(self.loaded.file[at]).or_default() += 1;
        }
        for &record in &of_b {
            let at = record as usize;
            for (&file, &count) in &of_file {
                if !self.link || file != self.loaded.file[at] {
                    self.pairs += count;
                    self.right += counts
                        .get(&(self.loaded.truth[at], file))
                        .copied()
                        .unwrap_or(0);
                }
            }
        }
        self.members[a as usize].extend(of_b);
        self.parent[b as usize] = a;
    }
}

fn f1(right: u64, found: u64, all: u64) -> (f64, f64, f64) {
    let precision = right as f64 / (found as f64).max(1.0);
    let recall = right as f64 / (all as f64).max(1.0);
    (
        precision,
        recall,
        2.0 * precision * recall / (precision + recall).max(1e-9),
    )
}

fn main() {
    let path = std::env::args().nth(1).expect("a set");
    let set: Set =
        serde_json::from_str(&std::fs::read_to_string(path).expect("the set can be read"))
            .expect("a set");
    let spec = Spec {
        columns: set.columns.clone(),
        rules: Vec::new(),
        settings: set.settings.clone(),
    };
    let start = Instant::now();
    let loaded = load(&set, &spec);
    let load_seconds = start.elapsed().as_secs_f64();
    let start = Instant::now();
    let model =
        train(&spec, &loaded.records, &[], &Cancel::default(), &|_, _| ()).expect("a model");
    let train_seconds = start.elapsed().as_secs_f64();
    if std::env::var("SHOW").is_ok() {
        println!(
            "classes {:?} priors {:?} duplicates {} fit {:?}",
            model.classes, model.priors, model.duplicates, model.fit
        );
        for comparison in &model.comparisons {
            println!("{}", comparison.name);
            for level in &comparison.levels {
                println!(
                    "   {:40} u {:.6} m {:?}",
                    level.label,
                    level.u,
                    level
                        .m
                        .iter()
                        .map(|m| (m * 1e4).round() / 1e4)
                        .collect::<Vec<_>>()
                );
            }
        }
    }
    let start = Instant::now();
    let pairs = candidates(&loaded, set.link);
    let block_seconds = start.elapsed().as_secs_f64();
    let start = Instant::now();
    let scorer = Scorer::new(&model, &loaded.records).expect("of these records");
    let mut scoring = scorer.scoring();
    let mut scored: Vec<(i32, u32, u32)> = pairs
        .iter()
        .map(|&(a, b)| (scoring.weight(a, b), a, b))
        .collect();
    let score_seconds = start.elapsed().as_secs_f64();
    let mut counts: HashMap<(u32, u32), u64> = HashMap::new();
    for (truth, file) in loaded.truth.iter().zip(&loaded.file) {
        *counts.entry((*truth, *file)).or_default() += 1;
    }
    let mut by_truth: HashMap<u32, Vec<u64>> = HashMap::new();
    let mut within: u64 = 0;
    for (&(truth, _), &count) in &counts {
        by_truth.entry(truth).or_default().push(count);
        within += count * (count - 1) / 2;
    }
    let mut all: u64 = by_truth
        .values()
        .map(|counts| counts.iter().sum::<u64>())
        .map(|count| count * (count - 1) / 2)
        .sum();
    if set.link {
        all -= within;
    }
    let met = pairs
        .iter()
        .filter(|&&(a, b)| loaded.truth[a as usize] == loaded.truth[b as usize])
        .count() as u64;
    scored.sort_unstable_by(|a, b| b.cmp(a));
    let mut clusters = Clusters {
        loaded: &loaded,
        link: set.link,
        parent: (0..loaded.records.len()).collect(),
        members: (0..loaded.records.len())
            .map(|record| vec![record])
            .collect(),
        pairs: 0,
        right: 0,
    };
    let mut at = 0;
    let (mut right_pairs, mut expected_right, mut expected_found) = (0_u64, 0.0, 0_u64);
    let mut best = (0.0, 0);
    let mut own = (0.0, 0.0, 0.0);
    let show = std::env::var("CURVE").is_ok();
    for threshold in (-40..60).rev().map(|step| step * 50) {
        while at < scored.len() && scored[at].0 >= threshold {
            let (weight, a, b) = scored[at];
            let right = loaded.truth[a as usize] == loaded.truth[b as usize];
            right_pairs += u64::from(right);
            expected_right += cdp_engine::matching::model::probability(weight);
            expected_found += 1;
            clusters.join(a, b);
            at += 1;
        }
        let pair = f1(right_pairs, at as u64, all);
        let cluster = f1(clusters.right, clusters.pairs, all);
        if cluster.2 > best.0 {
            best = (cluster.2, threshold);
        }
        if threshold == model.threshold {
            own = cluster;
        }
        if show && threshold % 100 == 0 {
            println!(
                "{threshold:6} pairs {at:8} P {:.4} (expected {:.4}) R {:.4} F1 {:.4}  cluster P {:.4} R {:.4} F1 {:.4}",
                pair.0,
                expected_right / (expected_found as f64).max(1.0),
                pair.1,
                pair.2,
                cluster.0,
                cluster.1,
                cluster.2
            );
        }
    }
    println!(
        "{:12} P {:.4} R {:.4} F1 {:.4} at {} | best {:.4} at {} | blocking recall {:.4}, {} pairs of {} records | load {:.2} train {:.2} block {:.2} score {:.2} s | {:?}",
        set.name,
        own.0,
        own.1,
        own.2,
        model.threshold,
        best.0,
        best.1,
        met as f64 / all as f64,
        pairs.len(),
        loaded.records.len(),
        load_seconds,
        train_seconds,
        block_seconds,
        score_seconds,
        model.classes
    );
}
