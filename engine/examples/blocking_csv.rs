//! Experiment.
use std::collections::HashMap;
use std::sync::atomic::AtomicU64;
use std::time::Instant;

use cdp_engine::background::Cancel;
use cdp_engine::matching::blocking::{Blocks, Budget, Rule, Settings, choose};
use cdp_engine::matching::{Column, Meaning, Records};

fn main() {
    let args: Vec<String> = std::env::args().collect();
    let text = std::fs::read_to_string(&args[1]).unwrap();
    let mut lines = text.lines();
    let head: Vec<&str> = lines.next().unwrap().split('\t').collect();
    let columns = head[2..]
        .iter()
        .map(|h| {
            let (n, m) = h.split_once(':').unwrap();
            Column::new(n, Meaning::named(m).unwrap())
        })
        .collect();
    let t = Instant::now();
    let mut records = Records::new(columns);
    let mut truth: Vec<&str> = vec![];
    let mut second = None;
    for line in lines {
        let f: Vec<&str> = line.split('\t').collect();
        if f[1] == "1" && second.is_none() {
            second = Some(records.len());
        }
        truth.push(f[0]);
        let row: Vec<Vec<&str>> = f[2..]
            .iter()
            .map(|v| v.split('\x1f').filter(|x| !x.is_empty()).collect())
            .collect();
        records.push_raw(&row);
    }
    let read = t.elapsed();
    let settings = Settings {
        second,
        memory: 8 << 30,
        ..Settings::default()
    };
    let mut budget = Budget::of(records.len());
    if let Some(x) = args.get(2) {
        budget.pairs_per_record = x.parse().unwrap();
    }
    if let Some(x) = args.get(3) {
        budget.per_thousand = x.parse().unwrap();
    }
    if let Some(x) = args.get(4) {
        budget.rules = x.parse().unwrap();
    }
    let c = Cancel::default();
    let done = AtomicU64::new(0);
    let ids: HashMap<&str, u32> = truth.iter().copied().zip(0..).collect();
    let truth: Vec<u32> = truth.iter().map(|t| ids[t]).collect();
    let oracle = |a: u32, b: u32| f64::from(truth[a as usize] == truth[b as usize]);
    let t = Instant::now();
    let oracle: Option<&(dyn Fn(u32, u32) -> f64 + Sync)> =
        std::env::var("ORACLE").is_ok().then_some(&oracle);
    let rules: Vec<Rule> = match std::env::var("RULES") {
        Ok(text) => text.split(';').map(|r| r.parse().unwrap()).collect(),
        _ => choose(&records, &budget, &settings, oracle, &c).unwrap(),
    };
    let chosen = t.elapsed();
    let t = Instant::now();
    let blocks = Blocks::build(&records, &rules, &settings, &c, &done).unwrap();
    let built = t.elapsed();
    let t = Instant::now();
    let states = blocks
        .stream(
            2,
            &c,
            &done,
            || vec![(0u64, 0u64); rules.len()],
            |s, chunk| {
                let x = &mut s[chunk.rule as usize];
                x.0 += chunk.pairs.len() as u64;
                for (a, b) in chunk.pairs {
                    x.1 += u64::from(truth[*a as usize] == truth[*b as usize]);
                }
            },
        )
        .unwrap();
    let streamed = t.elapsed();
    let mut per: HashMap<(u32, bool), u64> = HashMap::new();
    for (i, t) in truth.iter().enumerate() {
        *per.entry((*t, second.is_some_and(|s| i as u32 >= s)))
            .or_default() += 1;
    }
    let total: u64 = match second {
        None => per.values().map(|n| n * (n - 1) / 2).sum(),
        Some(_) => per
            .iter()
            .filter(|(k, _)| !k.1)
            .map(|(k, n)| n * per.get(&(k.0, true)).unwrap_or(&0))
            .sum(),
    };
    if let Ok(path) = std::env::var("MASKS") {
        let maps = blocks
            .stream(
                2,
                &c,
                &done,
                HashMap::<(u64, bool), u64>::new,
                |m, chunk| {
                    for (a, b) in chunk.pairs {
                        *m.entry((
                            blocks.mask(*a, *b),
                            truth[*a as usize] == truth[*b as usize],
                        ))
                        .or_default() += 1;
                    }
                },
            )
            .unwrap();
        let mut out = format!("{total}\n");
        for r in &rules {
            out += &format!("R {r}\n");
        }
        for ((mask, t), n) in maps.into_iter().flatten() {
            out += &format!("{mask} {} {n}\n", u8::from(t));
        }
        std::fs::write(path, out).unwrap();
    }
    let (mut pairs, mut hits) = (0, 0);
    for (r, rep) in blocks.report().iter().enumerate() {
        let p: u64 = states.iter().map(|s| s[r].0).sum();
        let h: u64 = states.iter().map(|s| s[r].1).sum();
        pairs += p;
        hits += h;
        if std::env::var("Q").is_err() {
            println!(
                "  {:60} raw {:9} new {:9} true {:7} cum recall {:.4} overfull {} ({} pairs) {}",
                rep.rule.to_string(),
                rep.pairs,
                p,
                h,
                hits as f64 / total as f64,
                rep.overfull_blocks,
                rep.overfull_pairs,
                rep.overfull.first().map_or("", |o| &o.key)
            );
        }
    }
    println!(
        "{} n {} rules {} recall {:.4} ({hits}/{total}) pairs {pairs} per record {:.1} | read {:.2} choose {:.2} build {:.2} stream {:.2} mem {} MB",
        args[1],
        records.len(),
        rules.len(),
        hits as f64 / total as f64,
        pairs as f64 / f64::from(records.len()),
        read.as_secs_f64(),
        chosen.as_secs_f64(),
        built.as_secs_f64(),
        streamed.as_secs_f64(),
        blocks.memory() >> 20
    );
}
