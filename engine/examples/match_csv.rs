//! Matches the records of a CSV file and says how well, where a column tells the truth. For
//! `scripts/bench matching` and for experiments.
//!
//! `match_csv SETS.json NAME SET.csv [--pairs FILE] [--clusters FILE] [--seed NUMBER] [--show]`
//!
//! `SETS.json` says for each name whether two sides are linked (column `side`) and what the columns
//! mean; column `unique_id` names records, `cluster` is the truth. One JSON line goes to stdout; with
//! `--show` parameters and a curve of thresholds to stderr.

use std::collections::HashMap;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::sync::atomic::AtomicU64;
use std::time::Instant;

use cdp_engine::background::Cancel;
use cdp_engine::matching::blocking::{self, Blocks, Budget, Captures, Hashed, choose};
use cdp_engine::matching::cluster::{ScoredPair, Settings, Tree};
use cdp_engine::matching::model::probability;
use cdp_engine::matching::score::Scorer;
use cdp_engine::matching::{Intake, Meaning, Model, Records, Spec, train_and_prepare};
use serde::Deserialize;
use serde_json::json;

#[derive(Deserialize)]
struct Set {
    kind: String,
    columns: serde_json::Map<String, serde_json::Value>,
}

/// The cells of a CSV text, row by row.
fn rows(text: &str, mut each: impl FnMut(&[String])) {
    let mut row: Vec<String> = Vec::new();
    let mut cell: Vec<u8> = Vec::new();
    let mut quoted = false;
    let mut bytes = text.bytes().peekable();
    let text_of = |cell: &mut Vec<u8>| {
        let text = String::from_utf8_lossy(cell).into_owned();
        cell.clear();
        text
    };
    while let Some(byte) = bytes.next() {
        match byte {
            b'"' if quoted && bytes.peek() == Some(&b'"') => {
                bytes.next();
                cell.push(b'"');
            }
            b'"' => quoted = !quoted,
            b',' if !quoted => row.push(text_of(&mut cell)),
            b'\r' if !quoted => {}
            b'\n' if !quoted => {
                row.push(text_of(&mut cell));
                each(&row);
                row.clear();
            }
            _ => cell.push(byte),
        }
    }
    if !cell.is_empty() || !row.is_empty() {
        row.push(text_of(&mut cell));
        each(&row);
    }
}

struct Loaded {
    records: Records,
    names: Vec<String>,
    truth: Option<Vec<u32>>,
    /// Where the second side begins.
    second: Option<u32>,
}

/// Where the columns are.
struct Header {
    columns: Vec<Option<usize>>,
    name: Option<usize>,
    side: Option<usize>,
    person: Option<usize>,
}

fn load(path: &str, set: &Set, spec: &Spec) -> Loaded {
    let text = std::fs::read_to_string(path).expect("the file can be read");
    let mut intake = Intake::start(spec.records(), spec.settings.threads).expect("threads");
    let (mut names, mut truth, mut second) = (Vec::new(), Vec::new(), None);
    let mut persons: HashMap<String, u32> = HashMap::new();
    let mut header: Option<Header> = None;
    rows(&text, |row| {
        let Some(header) = &header else {
            let position = |name: &str| row.iter().position(|column| column.trim() == name);
            header = Some(Header {
                columns: set.columns.keys().map(|name| position(name)).collect(),
                name: position("unique_id"),
                side: position("side"),
                person: position("cluster"),
            });
            return;
        };
        if second.is_none() && header.side.is_some_and(|side| row[side] == "b") {
            second = Some(intake.len());
        }
        for (place, at) in header.columns.iter().enumerate() {
            at.iter().for_each(|&at| intake.value(place, &row[at]));
        }
        intake.end();
        names.push(
            header
                .name
                .map_or_else(|| names.len().to_string(), |at| row[at].clone()),
        );
        if let Some(person) = header.person {
            let next = persons.len() as u32;
            truth.push(*persons.entry(row[person].clone()).or_insert(next));
        }
    });
    Loaded {
        records: intake.finish(|| ()),
        names,
        truth: (!truth.is_empty()).then_some(truth),
        second: second.filter(|_| set.kind == "link"),
    }
}

/// How many pairs there are within groups; only those across the two sides, if there are two.
fn pairs_within(second: Option<u32>, groups: impl Iterator<Item = u64>) -> u64 {
    let on_first = |record: u32| second.is_some_and(|second| record < second);
    let mut held: Vec<(u64, bool)> = groups
        .zip(0..)
        .map(|(group, record)| (group, on_first(record)))
        .collect();
    held.sort_unstable();
    held.chunk_by(|one, next| one.0 == next.0)
        .map(|group| {
            let (all, first) = (
                group.len(),
                group.iter().filter(|(_, first)| *first).count(),
            );
            match second {
                Some(_) => first * (all - first),
                None => all * (all - 1) / 2,
            }
        })
        .sum::<usize>() as u64
}

fn all_pairs(groups: &[u32], second: Option<u32>) -> u64 {
    pairs_within(second, groups.iter().copied().map(u64::from))
}

/// Precision, recall and their harmonic mean.
fn f1(right: u64, found: u64, all: u64) -> [f64; 3] {
    let precision = right as f64 / (found as f64).max(1.0);
    let recall = right as f64 / (all as f64).max(1.0);
    [
        precision,
        recall,
        2.0 * right as f64 / ((found + all) as f64).max(1.0),
    ]
}

fn of_clusters(clusters: &[u32], truth: &[u32], second: Option<u32>) -> [f64; 3] {
    let both = clusters
        .iter()
        .zip(truth)
        .map(|(&cluster, &person)| u64::from(cluster) << 32 | u64::from(person));
    f1(
        pairs_within(second, both),
        all_pairs(clusters, second),
        all_pairs(truth, second),
    )
}

fn show(model: &Model) {
    eprintln!(
        "classes {:?} priors {:?} duplicates {} fit {:?}",
        model.classes, model.priors, model.duplicates, model.fit
    );
    for comparison in &model.comparisons {
        eprintln!("{}", comparison.name);
        for level in &comparison.levels {
            let m: Vec<String> = level.m.iter().map(|m| format!("{m:.4}")).collect();
            eprintln!("   {:38} u {:.6} m {}", level.label, level.u, m.join(" "));
        }
    }
}

fn peak_rss_mb() -> u64 {
    std::fs::read_to_string("/proc/self/status")
        .ok()
        .and_then(|status| {
            let line = status.lines().find(|line| line.starts_with("VmHWM"))?;
            line.split_whitespace().nth(1)?.parse::<u64>().ok()
        })
        .map_or(0, |kilobytes| kilobytes / 1024)
}

/// Pairs of a lower weight are not kept.
const KEPT: i32 = -1500;

fn main() {
    let args: Vec<String> = std::env::args().collect();
    let option = |name: &str| {
        args.iter()
            .position(|arg| arg == name)
            .and_then(|at| args.get(at + 1))
    };
    let [_, sets, name, path, ..] = &args[..] else {
        panic!("match_csv SETS.json NAME SET.csv [--pairs FILE] [--clusters FILE] [--show]");
    };
    let sets: HashMap<String, Set> =
        serde_json::from_str(&std::fs::read_to_string(sets).expect("the sets can be read"))
            .expect("sets");
    let set = &sets[name];
    let mut spec = Spec::new(set.columns.iter().map(|(name, meaning)| {
        let meaning = meaning.as_str().and_then(Meaning::named);
        (name.as_str(), meaning.expect("a meaning"))
    }));
    if let Some(seed) = option("--seed") {
        spec.settings.seed = seed.parse().expect("a number");
    }
    let cancel = Cancel::default();
    let done = AtomicU64::new(0);
    let start = Instant::now();
    let mut last = start;
    let mut phases = serde_json::Map::new();
    let mut phase = |name: &str| {
        let now = Instant::now();
        phases.insert(name.to_owned(), json!((now - last).as_secs_f64()));
        last = now;
    };
    let loaded = load(path, set, &spec);
    let records = &loaded.records;
    phase("read");
    let showing = args.iter().any(|arg| arg == "--show");
    let (model, prepared) = train_and_prepare(&spec, records, &[], &cancel, &|stage, _| {
        if showing {
            eprintln!("{:.3} s: {stage}", start.elapsed().as_secs_f64());
        }
    })
    .expect("a model");
    phase("train");
    let blocking = blocking::Settings {
        second: loaded.second,
        ..blocking::Settings::default()
    };
    let scorer = Scorer::trained(&model, records, prepared).expect("of these records");
    phase("prepare");
    let hashed = Hashed::new(records);
    let rules = choose(
        &hashed,
        &Budget::of(records.len()),
        &blocking,
        None,
        &cancel,
    )
    .expect("rules");
    phase("choose");
    let blocks = Blocks::build(&hashed, &rules, &blocking, &cancel, &done).expect("blocks");
    drop(hashed);
    phase("block");
    if showing {
        for rule in blocks.report() {
            eprintln!(
                "{:10} pairs in {:8} blocks of up to {:4}: {}",
                rule.pairs, rule.blocks, rule.largest, rule.rule
            );
        }
    }
    let truth = loaded.truth.as_deref();
    let states = blocks
        .stream(
            blocking.threads,
            &cancel,
            &done,
            || {
                let (kept, captures) = (Vec::new(), Captures::default());
                (scorer.scoring(), kept, captures, [0_u64; 2])
            },
            |(scoring, kept, captures, counts), chunk| {
                scoring.weights(chunk.pairs, |place, weight| {
                    let (a, b) = chunk.pairs[place];
                    counts[0] += 1;
                    counts[1] += u64::from(
                        truth.is_some_and(|truth| truth[a as usize] == truth[b as usize]),
                    );
                    if weight > -500 {
                        captures.add(chunk.rules[place], probability(weight));
                    }
                    if weight >= KEPT {
                        kept.push(ScoredPair { a, b, weight });
                    }
                });
            },
        )
        .expect("pairs");
    let (mut pairs, mut captures, mut counts) = (Vec::new(), Captures::default(), [0, 0]);
    for (_, kept, found, of_thread) in states {
        pairs.extend(kept);
        captures.merge(&found);
        counts = [counts[0] + of_thread[0], counts[1] + of_thread[1]];
    }
    let recall = captures.recall(rules.len());
    phase("score");
    let score = |pairs: &[(u32, u32)]| {
        let mut scoring = scorer.scoring();
        pairs
            .iter()
            .map(|&(a, b)| scoring.weight(a, b))
            .collect::<Vec<i32>>()
    };
    let settings = Settings {
        second: loaded.second,
        ..Settings::default()
    };
    let tree = Tree::build(
        records.len(),
        pairs.iter().copied(),
        records,
        Some(&score),
        &settings,
        &cancel,
    )
    .expect("a tree");
    let own = tree.best(recall.missed).map_or(0, |best| best.threshold);
    let clusters = tree.clusters(own);
    phase("cluster");
    let seconds = start.elapsed().as_secs_f64();
    let mut result = json!({
        "set": name,
        "records": records.len(),
        "seconds": seconds,
        "phases": phases,
        "candidate_pairs": counts[0],
        "peak_rss_mb": peak_rss_mb(),
        "threshold": probability(own),
        "classes": model.classes,
        "blocking_recall_estimate": recall.recall,
    });
    if let Some(truth) = truth {
        let all = all_pairs(truth, loaded.second);
        let [precision, of_all, f1_own] = of_clusters(&clusters, truth, loaded.second);
        let best = (-5..15)
            .map(|step| step * 100)
            .map(|at| (of_clusters(&tree.clusters(at), truth, loaded.second)[2], at))
            .fold(
                (0.0, 0),
                |best, next| if next.0 > best.0 { next } else { best },
            );
        result["blocking_true_pairs"] = json!(counts[1]);
        result["true_pairs"] = json!(all);
        result["cluster_precision"] = json!(precision);
        result["cluster_recall"] = json!(of_all);
        result["cluster_f1"] = json!(f1_own);
        if showing {
            show(&model);
            curve(&pairs, &tree, truth, loaded.second);
        }
        eprintln!(
            "{name:16} P {precision:.4} R {of_all:.4} F1 {f1_own:.4} at {own} | best {:.4} at {} | blocking {:.4} ({:.4} estimated), {} pairs, {} rules, {} records | read {:.2} train {:.2} block {:.2} score {:.2} cluster {:.2} s, {} MB | {:?}",
            best.0,
            best.1,
            counts[1] as f64 / all as f64,
            recall.recall,
            counts[0],
            rules.len(),
            records.len(),
            seconds_of(&result, &["read"]),
            seconds_of(&result, &["train", "prepare"]),
            seconds_of(&result, &["choose", "block"]),
            seconds_of(&result, &["score"]),
            seconds_of(&result, &["cluster"]),
            peak_rss_mb(),
            model.classes
        );
    }
    println!("{result}");
    if let Some(path) = option("--pairs") {
        let mut file = BufWriter::new(File::create(path).expect("a file of pairs"));
        writeln!(file, "a,b,probability").expect("written");
        for pair in pairs.iter().filter(|pair| probability(pair.weight) >= 0.01) {
            let (a, b) = (
                &loaded.names[pair.a as usize],
                &loaded.names[pair.b as usize],
            );
            writeln!(file, "{a},{b},{:.6}", probability(pair.weight)).expect("written");
        }
    }
    if let Some(path) = option("--clusters") {
        let mut file = BufWriter::new(File::create(path).expect("a file of clusters"));
        writeln!(file, "unique_id,cluster_id").expect("written");
        for (name, cluster) in loaded.names.iter().zip(&clusters) {
            writeln!(file, "{name},{cluster}").expect("written");
        }
    }
}

fn seconds_of(result: &serde_json::Value, phases: &[&str]) -> f64 {
    phases
        .iter()
        .filter_map(|phase| result["phases"][phase].as_f64())
        .sum()
}

/// How right pairs and clusters are by threshold, and how right they were expected to be.
fn curve(pairs: &[ScoredPair], tree: &Tree, truth: &[u32], second: Option<u32>) {
    let all = all_pairs(truth, second);
    for threshold in (-10..20).rev().map(|step| step * 100) {
        let (mut found, mut right, mut expected) = (0, 0, 0.0);
        for pair in pairs.iter().filter(|pair| pair.weight >= threshold) {
            found += 1;
            right += u64::from(truth[pair.a as usize] == truth[pair.b as usize]);
            expected += probability(pair.weight);
        }
        let of_pairs = f1(right, found, all);
        let clusters = of_clusters(&tree.clusters(threshold), truth, second);
        eprintln!(
            "{threshold:6} pairs {found:8} P {:.4} (expected {:.4}) R {:.4} F1 {:.4}  cluster P {:.4} R {:.4} F1 {:.4}",
            of_pairs[0],
            expected / f64::max(found as f64, 1.0),
            of_pairs[1],
            of_pairs[2],
            clusters[0],
            clusters[1],
            clusters[2]
        );
    }
}
