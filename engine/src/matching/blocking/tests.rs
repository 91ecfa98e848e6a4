//! Against the slow and obvious: every pair of records, every rule, in order.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::AtomicU64;

use proptest::prelude::*;

use super::*;
use crate::background::Cancel;
use crate::matching::{Column, LiveKeys, Meaning, Records};

type Row = Vec<Vec<String>>;

fn columns() -> Vec<Column> {
    vec![
        Column::new("first", Meaning::FirstName),
        Column::new("last", Meaning::LastName),
        Column::new("born", Meaning::BirthDate),
    ]
}

fn records(rows: &[Row]) -> Records {
    let mut records = Records::new(columns());
    for row in rows {
        let row: Vec<Vec<&str>> = row
            .iter()
            .map(|values| values.iter().map(String::as_str).collect())
            .collect();
        records.push_raw(&row);
    }
    records
}

fn settings(threads: usize, second: Option<u32>) -> Settings {
    Settings {
        threads,
        second,
        ..Settings::default()
    }
}

fn build(records: &Records, rules: &[Rule], settings: &Settings) -> Blocks {
    let (cancel, done) = (Cancel::default(), AtomicU64::new(0));
    Blocks::build(&Hashed::new(records), rules, settings, &cancel, &done).expect("blocks")
}

/// Pairs with the rules that have them, as they come; a pair given twice is there twice.
fn streamed(blocks: &Blocks, threads: usize) -> Vec<(u32, u32, u64)> {
    let (cancel, done) = (Cancel::default(), AtomicU64::new(0));
    type Copy = (u32, Vec<(u32, u32)>, Vec<u64>);
    let mut chunks: Vec<Copy> = blocks
        .stream(threads, &cancel, &done, Vec::new, |chunks, chunk| {
            chunks.push((chunk.number, chunk.pairs.to_vec(), chunk.rules.to_vec()));
        })
        .expect("not cancelled")
        .into_iter()
        .flatten()
        .collect();
    assert_eq!(done.into_inner(), blocks.pairs());
    chunks.sort_by_key(|(number, ..)| *number);
    chunks
        .into_iter()
        .flat_map(|(_, pairs, rules)| pairs.into_iter().zip(rules))
        .map(|((a, b), rules)| (a, b, rules))
        .collect()
}

/// What rules say, in texts rather than hashes.
fn keys(records: &Records, rule: &Rule, record: u32) -> BTreeSet<Vec<String>> {
    let mut keys = BTreeSet::from([Vec::new()]);
    for term in &rule.terms {
        let mut parts = BTreeSet::new();
        for column in records
            .columns
            .iter()
            .filter(|column| term.columns.contains(&column.name))
        {
            for value in column.of(record) {
                let text = &column.values[*value as usize].text;
                term.part.of(text, |part| {
                    parts.insert(part.to_owned());
                });
            }
        }
        keys = keys
            .iter()
            .flat_map(|key| {
                parts.iter().map(move |part| {
                    let mut key = key.clone();
                    key.push(part.clone());
                    key
                })
            })
            .collect();
    }
    keys
}

fn by_brute_force(
    records: &Records,
    rules: &[Rule],
    second: Option<u32>,
) -> BTreeMap<(u32, u32), u64> {
    let mut found = BTreeMap::new();
    for (position, rule) in rules.iter().enumerate() {
        let keys: Vec<_> = (0..records.len())
            .map(|record| keys(records, rule, record))
            .collect();
        let across = |a: u32, b: u32| second.is_none_or(|second| a < second && b >= second);
        for a in 0..records.len() {
            for b in a + 1..records.len() {
                let small_enough = |key: &&Vec<String>| {
                    let members: Vec<u32> = (0..records.len())
                        .filter(|record| keys[*record as usize].contains(*key))
                        .collect();
                    let pairs = members
                        .iter()
                        .flat_map(|a| members.iter().map(move |b| (*a, *b)))
                        .filter(|(a, b)| a < b && across(*a, *b))
                        .count() as u64;
                    pairs <= u64::from(rule.cap) * u64::from(rule.cap - 1) / 2
                };
                let mut shared = keys[a as usize].intersection(&keys[b as usize]);
                if across(a, b) && shared.any(|key| small_enough(&key)) {
                    *found.entry((a, b)).or_default() |= 1 << position;
                }
            }
        }
    }
    found
}

fn rules() -> Vec<Rule> {
    [
        "word(first|last) + year(born) up to 5",
        "last up to 3",
        "phonetic(last) + initial(first)",
        "month_day(born) up to 4",
        "phonetic(first|last) up to 6",
    ]
    .iter()
    .map(|text| text.parse().expect("a rule"))
    .collect()
}

fn rows(most: usize) -> impl Strategy<Value = Vec<Row>> {
    let name = || {
        prop::collection::vec(
            prop::sample::select(vec![
                "Ann",
                "Anne",
                "Bob",
                "Ann Bob",
                "Smith",
                "Smyth",
                "Иван",
                "",
                "de la Cruz",
            ])
            .prop_map(str::to_owned),
            0..3,
        )
    };
    let born = prop::collection::vec(
        prop::sample::select(vec!["1980-01-02", "1980-02-01", "1981-01-02", "soon"])
            .prop_map(str::to_owned),
        0..2,
    );
    prop::collection::vec(
        (name(), name(), born).prop_map(|(a, b, c)| vec![a, b, c]),
        0..most,
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn gives_what_brute_force_gives_once_each(
        rows in rows(24),
        second in prop::option::of(0u32..24),
        order in prop::sample::subsequence((0..5usize).collect::<Vec<_>>(), 1..=5).prop_shuffle(),
    ) {
        let rules: Vec<Rule> = order.iter().map(|position| rules()[*position].clone()).collect();
        let records = records(&rows);
        let blocks = build(&records, &rules, &settings(1, second));
        let given = streamed(&blocks, 1);
        let truth = by_brute_force(&records, &rules, second);
        let set: BTreeMap<_, _> = given.iter().map(|(a, b, rule)| ((*a, *b), *rule)).collect();
        prop_assert_eq!(given.len(), set.len(), "a pair was given twice");
        prop_assert_eq!(&set, &truth);
        prop_assert!(given.is_sorted(), "by record");
        prop_assert_eq!(streamed(&build(&records, &rules, &settings(3, second)), 3), given);
        let (cancel, done) = (Cancel::default(), AtomicU64::new(0));
        let predicted = predict(&Hashed::new(&records), &rules, &settings(2, second), &cancel, &done);
        prop_assert_eq!(predicted.expect("a prediction"), blocks.report());
    }

    #[test]
    fn the_order_of_records_does_not_matter(rows in rows(24), seed in any::<u64>()) {
        let mut order: Vec<usize> = (0..rows.len()).collect();
        order.sort_by_key(|position| (*position as u64 + 1).wrapping_mul(seed | 1));
        let shuffled: Vec<Row> = order.iter().map(|position| rows[*position].clone()).collect();
        let pairs = |rows: &[Row], original: &dyn Fn(u32) -> u32| -> BTreeSet<(u32, u32, u64)> {
            let blocks = build(&records(rows), &rules(), &settings(2, None));
            streamed(&blocks, 2)
                .into_iter()
                .map(|(a, b, rule)| (original(a), original(b), rule))
                .map(|(a, b, rule)| (a.min(b), a.max(b), rule))
                .collect()
        };
        let straight = pairs(&rows, &|record| record);
        prop_assert_eq!(straight, pairs(&shuffled, &|record| order[record as usize] as u32));
    }

    #[test]
    fn keys_of_one_record_are_those_of_all(rows in rows(16)) {
        let records = records(&rows);
        let names: Vec<&str> = records.columns.iter().map(|column| column.name.as_str()).collect();
        let live = LiveKeys::new(&rules(), &names).expect("keys");
        let stored: Vec<Vec<(u16, u64)>> = (0..records.len())
            .map(|record| {
                let values: Vec<Vec<&str>> = records
                    .columns
                    .iter()
                    .map(|column| {
                        let texts = column.of(record).iter();
                        texts.map(|value| &*column.values[*value as usize].text).collect()
                    })
                    .collect();
                live.of(&values)
            })
            .collect();
        // As a table of keys would be asked.
        let mut sizes = BTreeMap::<(u16, u64), u64>::new();
        for key in stored.iter().flatten() {
            *sizes.entry(*key).or_default() += 1;
        }
        let mut pairs = BTreeSet::new();
        for a in 0..stored.len() {
            for b in a + 1..stored.len() {
                let found = |key: &(u16, u64)| {
                    stored[b].contains(key) && sizes[key] <= u64::from(live.cap(key.0))
                };
                let keys = stored[a].iter().filter(|key| found(key));
                let rules = keys.fold(0u64, |rules, (rule, _)| rules | 1 << rule);
                if rules != 0 {
                    pairs.insert((a as u32, b as u32, rules));
                }
            }
        }
        let blocks = build(&records, &rules(), &settings(1, None));
        prop_assert_eq!(streamed(&blocks, 1).into_iter().collect::<BTreeSet<_>>(), pairs);
    }

    #[test]
    fn the_choice_does_not_depend_on_order_or_threads(rows in rows(40), seed in any::<u64>()) {
        let mut shuffled = rows.clone();
        shuffled.sort_by_key(|row| {
            let text: String = row.concat().concat();
            (xxhash_rust::xxh3::xxh3_64(text.as_bytes()) ^ seed).wrapping_mul(seed | 1)
        });
        let choice = |rows: &[Row], threads| {
            let records = records(rows);
            choose(
                &Hashed::new(&records),
                &Budget::of(records.len()),
                &settings(threads, None),
                None,
                &Cancel::default(),
            )
            .expect("a choice")
        };
        prop_assert_eq!(choice(&rows, 1), choice(&shuffled, 3));
    }
}

fn row(first: &str, last: &str, born: &str) -> Row {
    vec![
        vec![first.to_owned()],
        vec![last.to_owned()],
        vec![born.to_owned()],
    ]
}

#[test]
fn a_full_block_gives_nothing_and_is_reported() {
    let mut rows: Vec<Row> = (0..50_000)
        .map(|_| row("", "Default", "1980-01-02"))
        .collect();
    rows.push(row("Zoe", "Quine", "1981-03-04"));
    rows.push(row("Zoe", "Quine", "1982-03-04"));
    let blocks = build(&records(&rows), &rules()[1..3], &settings(2, None));
    assert_eq!(streamed(&blocks, 2), [(50_000, 50_001, 0b11)]);
    let report = &blocks.report()[0];
    assert_eq!(
        (report.blocks, report.pairs, report.overfull_blocks),
        (1, 1, 1)
    );
    assert_eq!(
        report.overfull,
        [Overfull {
            key: "default".to_owned(),
            records: 50_000,
            pairs: 50_000 * 49_999 / 2
        }]
    );
}

#[test]
fn large_blocks_are_worked_on_in_pieces() {
    let rows: Vec<Row> = (0..700)
        .map(|_| row("Ann", "Smith", "1980-01-02"))
        .collect();
    let rule: Rule = "last up to 1000".parse().expect("a rule");
    for second in [None, Some(300)] {
        let blocks = build(
            &records(&rows),
            std::slice::from_ref(&rule),
            &settings(2, second),
        );
        let given = streamed(&blocks, 2);
        let pairs: BTreeSet<_> = given.iter().collect();
        let expected = if second.is_some() {
            300 * 400
        } else {
            700 * 699 / 2
        };
        assert_eq!((given.len(), pairs.len()), (expected, expected));
        let numbers = Vec::new;
        let chunks = blocks
            .stream(
                1,
                &Cancel::default(),
                &AtomicU64::new(0),
                numbers,
                |numbers, chunk| {
                    assert!(chunk.pairs.len() <= 1 << 15);
                    numbers.push(chunk.number);
                },
            )
            .expect("not cancelled");
        assert!(chunks[0].len() > 3, "{} chunks", chunks[0].len());
    }
}

#[test]
fn edges() {
    for rows in [
        vec![],
        vec![row("Ann", "Smith", "1980-01-02")],
        vec![vec![vec![]; 3]; 3],
    ] {
        let records = records(&rows);
        assert_eq!(
            streamed(&build(&records, &rules(), &settings(2, None)), 2),
            []
        );
        assert_eq!(streamed(&build(&records, &[], &settings(2, None)), 2), []);
        let chosen = choose(
            &Hashed::new(&records),
            &Budget::of(records.len()),
            &Settings::default(),
            None,
            &Cancel::default(),
        );
        assert_eq!(chosen, Ok(vec![]));
    }
}

#[test]
fn what_cannot_be_done_is_refused() {
    let records = records(&[row("Ann", "Smith", "1980-01-02")]);
    let (cancel, done) = (Cancel::default(), AtomicU64::new(0));
    let refused = |rules: &[Rule], memory| {
        let settings = Settings {
            memory,
            ..Settings::default()
        };
        Blocks::build(&Hashed::new(&records), rules, &settings, &cancel, &done)
            .expect_err("refused")
            .to_string()
    };
    let unknown: Rule = "email".parse().expect("a rule");
    assert_eq!(
        refused(&[unknown], 1 << 20),
        "blocking rule \"email\": there is no column \"email\""
    );
    assert_eq!(
        refused(&rules()[1..2], 10),
        "blocking rule \"last up to 3\" needs 1 MB of memory, more than the 0 MB allowed"
    );
    let many = vec![rules()[0].clone(); 65];
    assert_eq!(
        refused(&many, 1 << 20),
        "there are 65 blocking rules, of at most 64"
    );
}

#[test]
fn less_memory_gives_the_same_pairs() {
    let rows: Vec<Row> = (0..20_000)
        .map(|number| {
            let (first, last) = (format!("Ann {}", number % 9_000), format!("{}", number / 3));
            row(&first, &last, "1980-01-02")
        })
        .collect();
    let records = records(&rows);
    let rules =
        ["last up to 3", "first up to 5", "last + first"].map(|text| text.parse().expect("a rule"));
    let of = |memory| {
        let settings = Settings {
            memory,
            ..settings(2, None)
        };
        let blocks = build(&records, &rules, &settings);
        assert!(blocks.memory() < memory * 3 / 4, "{}", blocks.memory());
        streamed(&blocks, 2)
    };
    // Of a part of the keys at a time, and of some of the pairs.
    assert_eq!(of(700 << 10), of(1 << 30));
}

#[test]
fn the_choice_finds_pairs_and_leaves_placeholders_out() {
    let rows: Vec<Row> = (0..600)
        .map(|number| {
            let name = format!("Smith{}", number / 2 * 7919 % 1000);
            row("Nobody", &name, &format!("19{:02}-01-01", number / 2 % 90))
        })
        .collect();
    let records = records(&rows);
    let budget = Budget {
        pairs_per_record: 20.0,
        ..Budget::of(records.len())
    };
    let (settings, cancel) = (settings(2, None), Cancel::default());
    let rules =
        choose(&Hashed::new(&records), &budget, &settings, None, &cancel).expect("a choice");
    let given = streamed(&build(&records, &rules, &settings), 2);
    let found = given.iter().filter(|(a, b, _)| a / 2 == b / 2).count();
    assert_eq!(found, 300, "{rules:?}");
    assert!(given.len() < 600 * 20, "{} pairs", given.len());
}

#[test]
fn a_rule_that_finds_little_alone_makes_room_for_another() {
    // Couples that have one number alike. `a` finds most of them, and but for sixteen of them so do `b` and `c`.
    let alike = |column: usize, couple: u32| match column {
        0 => !(600..1050).contains(&couple),
        1 => couple < 300 || (600..800).contains(&couple),
        2 => (300..600).contains(&couple) || (800..1000).contains(&couple),
        _ => (1000..1050).contains(&couple),
    };
    let columns = [
        ("a", Meaning::NationalId),
        ("b", Meaning::Email),
        ("c", Meaning::Phone),
        ("d", Meaning::Postcode),
    ];
    let mut records = Records::new(
        columns
            .map(|(name, meaning)| Column::new(name, meaning))
            .to_vec(),
    );
    for record in 0..2 * 1066 {
        let number = |column: usize| {
            let of = if alike(column, record / 2) {
                record / 2
            } else {
                10_000 + record
            };
            format!("{:020}", key::hash(&format!("{column} {of}")))
        };
        let numbers = [0, 1, 2, 3].map(number);
        records.push(&numbers.each_ref().map(|number| vec![number.as_str()]));
    }
    let budget = Budget {
        rules: 3,
        ..Budget::of(records.len())
    };
    let likely = |a: u32, b: u32| if a / 2 == b / 2 { 1.0 } else { 0.0 };
    let chosen = choose(
        &Hashed::new(&records),
        &budget,
        &settings(2, None),
        Some(&likely),
        &Cancel::default(),
    );
    let chosen = chosen.expect("a choice");
    let mut columns: Vec<&str> = chosen
        .iter()
        .map(|rule| rule.terms[0].columns[0].as_str())
        .collect();
    columns.sort_unstable();
    assert_eq!(columns, ["b", "c", "d"], "{chosen:?}");
}

#[test]
fn keys_are_for_ever() {
    let live = LiveKeys::new(&rules()[..2], &["first", "last", "born"]).expect("keys");
    let keys = live.of(&[vec!["ann"], vec!["smith"], vec!["1980-01-02"]]);
    assert_eq!(
        keys,
        [
            (0, 7_574_819_521_280_630_471),
            (0, 16_515_041_261_865_641_434),
            (1, 7_443_249_649_275_253_926),
        ]
    );
}
