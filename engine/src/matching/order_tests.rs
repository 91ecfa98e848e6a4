//! The order of records says nothing: neither which of two comes first, nor which others there are before it.

use proptest::prelude::*;

use std::collections::{BTreeMap, BTreeSet};

use super::blocking::Rule;
use super::comparison::{Comparer, Outcomes, plan_for};
use super::matcher::{Kind, Limits, Matcher, Pair};
use super::prepare::Prepared;
use super::score::Scorer;
use super::{Column, LiveKeys, Meaning, Records, Spec};
use crate::background::Cancel;

/// What one record says: of each column its values.
type Row = Vec<Vec<String>>;

/// Values that are often alike, often the same word twice, seldom the same.
fn value(meaning: Meaning) -> BoxedStrategy<String> {
    let word = || prop_oneof!["[ab]{1,4}", "[a-d]{2,7}", "[aä]{1,4}"];
    let words = || prop::collection::vec(word(), 1..4).prop_map(|words| words.join(" "));
    match meaning {
        Meaning::BirthDate => "19[78]0-0[12]-0[12]|198[0-9]-1[012]-[12][0-9]".boxed(),
        Meaning::Email => "[ab]{1,3}[.]?[ab1]{1,4}@[ab]{1,2}[.]org".boxed(),
        Meaning::Phone | Meaning::NationalId => "[123]{4,9}".boxed(),
        Meaning::Postcode => "[12]{3,5}".boxed(),
        Meaning::Gender => "[mf]".boxed(),
        Meaning::Location => "5[0-2][.]0?[1-3],13[.]0?[1-3]".boxed(),
        Meaning::Street => (words(), "[12]{0,3}")
            .prop_map(|(street, number)| format!("{street} {number}"))
            .boxed(),
        Meaning::HouseNumber => "[12]{1,3}[a]?".boxed(),
        _ => words().boxed(),
    }
}

/// Columns, and records of them.
fn table(records: usize) -> impl Strategy<Value = (Vec<Meaning>, Vec<Row>)> {
    prop::sample::subsequence(Meaning::ALL.to_vec(), 1..8).prop_flat_map(move |meanings| {
        let cells: Vec<_> = meanings
            .iter()
            .map(|meaning| {
                let value = value(*meaning);
                prop_oneof![
                    1 => Just(Vec::new()),
                    8 => prop::collection::vec(value.clone(), 1),
                    1 => prop::collection::vec(value, 2..4),
                ]
            })
            .collect();
        (Just(meanings), prop::collection::vec(cells, 2..records))
    })
}

fn records(meanings: &[Meaning], rows: &[Row]) -> Records {
    let columns = meanings.iter();
    let mut records = Records::new(columns.map(|m| Column::new(m.name(), *m)).collect());
    for row in rows {
        let row: Vec<Vec<&str>> = row
            .iter()
            .map(|values| values.iter().map(String::as_str).collect())
            .collect();
        records.push_raw(&row);
    }
    records
}

/// The levels of all pairs, either way.
fn outcomes(meanings: &[Meaning], rows: &[Row]) -> Vec<Outcomes> {
    let records = records(meanings, rows);
    let Ok(plan) = plan_for(&records) else {
        return Vec::new();
    };
    let (prepared, _) = Prepared::with_frequencies(plan, &records, 1);
    let mut comparer = Comparer::new(&prepared);
    let mut all = Vec::new();
    for a in 0..records.len() {
        all.extend((0..records.len()).map(|b| comparer.compare(a, b)));
    }
    all
}

/// Whether records, by their places, share an identifier.
type Tied = BTreeSet<(u32, u32)>;

/// A table where some say the same as others, with pairs that share an identifier and a seed.
fn repeated() -> impl Strategy<Value = (Vec<Meaning>, Vec<Row>, Tied, u64)> {
    table(12).prop_flat_map(|(meanings, rows)| {
        let len = rows.len() * 3;
        let ends = (0..len as u32, 0..len as u32);
        let tied = prop::collection::btree_set(ends, 0..8)
            .prop_map(|tied| tied.into_iter().filter(|(a, b)| a < b).collect());
        let drawn = prop::collection::vec(prop::sample::select(rows), len);
        (Just(meanings), drawn, tied, any::<u64>())
    })
}

/// Places in an order that a seed gives.
fn shuffled(len: usize, seed: u64) -> Vec<u32> {
    let mut order: Vec<u32> = (0..len as u32).collect();
    order.sort_by_key(|place| super::prepare::mixed(seed ^ u64::from(*place)));
    order
}

fn limits(threads: usize) -> Limits {
    Limits {
        memory: 1 << 30,
        threads,
        second: None,
    }
}

/// What is said of pairs of records, by their names.
type Said = BTreeMap<(u32, u32), (Kind, i32, f64, f64)>;

fn said(order: &[u32], pairs: &[Pair]) -> Said {
    let named = |pair: &Pair| {
        let (a, b) = (order[pair.a as usize], order[pair.b as usize]);
        let said = (pair.kind, pair.weight, pair.probability, pair.household);
        ((a.min(b), a.max(b)), said)
    };
    pairs.iter().map(named).collect()
}

/// The records in that order, which names them.
fn ordered(meanings: &[Meaning], rows: &[Row], order: &[u32]) -> Records {
    let mut records = records(meanings, &[]);
    for &name in order {
        let row = rows[name as usize].iter();
        let row: Vec<Vec<&str>> = row
            .map(|values| values.iter().map(String::as_str).collect())
            .collect();
        records.push_raw(&row);
        records.name_last(name);
    }
    records
}

fn tied_at(order: &[u32], tied: &Tied) -> Vec<(u32, u32)> {
    let place = |name: u32| order.iter().position(|&other| other == name).expect("it") as u32;
    let mut tied: Vec<_> = tied
        .iter()
        .map(|&(a, b)| (place(a).min(place(b)), place(a).max(place(b))))
        .collect();
    tied.sort_unstable();
    tied
}

/// What training on the records in that order gives.
fn trained(
    meanings: &[Meaning],
    rows: &[Row],
    tied: &Tied,
    order: &[u32],
    threads: usize,
) -> Option<(Matcher, Said)> {
    let mut spec = Spec::new(meanings.iter().map(|meaning| (meaning.name(), *meaning)));
    spec.settings.random_pairs = 500;
    spec.settings.training_pairs = 200;
    let records = ordered(meanings, rows, order);
    let (tied, limits) = (tied_at(order, tied), limits(threads));
    let trained = Matcher::train(
        &spec,
        &records,
        &[],
        &tied,
        &limits,
        &Cancel::default(),
        &|_, _| (),
    );
    let (matcher, run) = trained.ok()?;
    Some((matcher, said(order, &run.pairs)))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(50))]

    #[test]
    fn the_order_of_records_does_not_matter((meanings, rows, tied, seed) in repeated()) {
        let as_they_are: Vec<u32> = (0..rows.len() as u32).collect();
        let other = shuffled(rows.len(), seed);
        let one = trained(&meanings, &rows, &tied, &as_they_are, 1);
        let two = trained(&meanings, &rows, &tied, &other, 2);
        let (Some((matcher, found)), Some((by_other, found_by_other))) = (one, two) else {
            return Ok(());
        };
        prop_assert_eq!(&matcher, &by_other);
        prop_assert_eq!(&found, &found_by_other);
        // And as it is read back.
        let text = serde_json::to_string(&matcher).expect("text");
        let again: Matcher = serde_json::from_str(&text).expect("a matcher");
        let records = ordered(&meanings, &rows, &other);
        let tied = tied_at(&other, &tied);
        let run = again.run(&records, &tied, &limits(1), &Cancel::default(), &|_, _| ());
        prop_assert_eq!(&found, &said(&other, &run.expect("a run").pairs));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn which_of_two_records_comes_first_does_not_matter((meanings, rows) in table(7)) {
        let forth = outcomes(&meanings, &rows);
        let mut turned = rows.clone();
        turned.reverse();
        let back = outcomes(&meanings, &turned);
        let len = rows.len();
        for (place, one) in forth.iter().enumerate() {
            let (a, b) = (place / len, place % len);
            prop_assert_eq!(one, &forth[b * len + a], "{:?} and {:?}", &rows[a], &rows[b]);
            let other = &back[(len - 1 - a) * len + len - 1 - b];
            prop_assert_eq!(one, other, "{:?} and {:?}, turned", &rows[a], &rows[b]);
        }
    }
}

/// What the records of [`crowd`] say.
const SAID: [Meaning; 6] = [
    Meaning::FirstName,
    Meaning::LastName,
    Meaning::BirthDate,
    Meaning::Email,
    Meaning::Street,
    Meaning::City,
];

/// A value of a column; of so few that many are the same, or one slip apart.
fn drawn(meaning: Meaning, of: u64, number: u64) -> String {
    // Some of them are of nobody that the matcher was trained on.
    const NAMES: [&str; 12] = [
        "ana",
        "anna",
        "maria",
        "mario",
        "joao",
        "rui",
        "ana maria",
        "eva",
        "zebedeu",
        "zebedea",
        "quaresma",
        "quaresma eva",
    ];
    let name = NAMES[(number % 12) as usize];
    match meaning {
        Meaning::BirthDate => format!("19{}-0{}-1{}", 50 + number % of, 1 + number % 3, number % 2),
        Meaning::Email => format!("{}{}@x.org", name.replace(' ', "."), number % of),
        Meaning::Street => format!("rua {name} {}", 1 + number % of),
        Meaning::LastName => [
            "silva",
            "sylva",
            "costa",
            "santos",
            "sousa",
            "silva costa",
            "silva",
            "costa",
            "xavier",
            "xaviera",
            "yglesias",
            "xavier yglesias",
        ][(number % 12) as usize]
            .to_owned(),
        _ => name.to_owned(),
    }
}

/// A matcher of such records. Its rules have small blocks.
fn matcher() -> &'static Matcher {
    static MATCHER: std::sync::OnceLock<Matcher> = std::sync::OnceLock::new();
    MATCHER.get_or_init(|| {
        let mut rows: Vec<Row> = Vec::new();
        for person in 0..200_u64 {
            let said = |n: u64| {
                let column = |(place, meaning): (u64, &Meaning)| {
                    let chance = super::prepare::mixed(person * 7 + place);
                    let other = super::prepare::mixed(person * 77 + place * 5 + n);
                    // None of the last four names.
                    let value = |by: u64| vec![drawn(*meaning, 40, by / 12 * 12 + by % 8)];
                    match other % 8 {
                        0 if n > 0 => Vec::new(),
                        1 if n > 0 => value(other >> 8),
                        _ => value(chance >> 8),
                    }
                };
                (0..).zip(&SAID).map(column).collect()
            };
            rows.extend([said(0), said(1)]);
        }
        let mut spec = Spec::new(SAID.iter().map(|meaning| (meaning.name(), *meaning)));
        spec.settings.random_pairs = 10_000;
        spec.settings.training_pairs = 5_000;
        let records = records(&SAID, &rows);
        let cancel = Cancel::default();
        let (mut matcher, _) =
            Matcher::train(&spec, &records, &[], &[], &limits(2), &cancel, &|_, _| ())
                .expect("a matcher");
        let rule = |text: &str| text.parse::<Rule>().expect("a rule");
        matcher.rules = [
            "email up to 4",
            "first_name + last_name up to 6",
            "birth_date up to 3",
            "word(street) + initial(first_name) up to 5",
            "phonetic(last_name) + year(birth_date) up to 8",
        ]
        .map(rule)
        .to_vec();
        // Clusters part more often.
        matcher.thresholds.link = 500;
        matcher
    })
}

/// Records of few persons, many of which say the same or little.
fn crowd() -> impl Strategy<Value = (Vec<Row>, Tied, u64)> {
    let cells: Vec<_> = SAID
        .iter()
        .map(|&meaning| {
            let value = (0..12_u64).prop_map(move |number| drawn(meaning, 3, number));
            prop_oneof![
                5 => Just(Vec::new()),
                6 => prop::collection::vec(value.clone(), 1),
                1 => prop::collection::vec(value, 2),
            ]
        })
        .collect();
    let rows = prop::collection::vec(cells, 2..8);
    rows.prop_flat_map(|rows| {
        (2..20_usize).prop_flat_map(move |len| {
            let ends = (0..len as u32, 0..len as u32);
            let tied = prop::collection::btree_set(ends, 0..6)
                .prop_map(|tied| tied.into_iter().filter(|(a, b)| a < b).collect());
            let drawn = prop::collection::vec(prop::sample::select(rows.clone()), len);
            (drawn, tied, any::<u64>())
        })
    })
}

fn run(rows: &[Row], tied: &Tied, order: &[u32], threads: usize) -> Said {
    let records = ordered(&SAID, rows, order);
    let tied = tied_at(order, tied);
    let run = matcher().run(
        &records,
        &tied,
        &limits(threads),
        &Cancel::default(),
        &|_, _| (),
    );
    said(order, &run.expect("a run").pairs)
}

/// The same record by record: those that share a key whose block is within its cap are looked at, and what
/// hangs together is settled without the others.
fn piecemeal(rows: &[Row], tied: &Tied, order: &[u32]) -> Said {
    let matcher = matcher();
    let names: Vec<&str> = SAID.iter().map(|meaning| meaning.name()).collect();
    let live = LiveKeys::new(&matcher.rules, &names).expect("keys");
    let keys: Vec<BTreeSet<(u16, u64)>> = rows
        .iter()
        .map(|row| {
            let one_form = |(values, meaning): (&Vec<String>, &Meaning)| -> Vec<String> {
                values
                    .iter()
                    .filter_map(|value| meaning.normalise(value))
                    .collect()
            };
            let said: Vec<Vec<String>> = row.iter().zip(&SAID).map(one_form).collect();
            live.of(&said).into_iter().collect()
        })
        .collect();
    let mut blocks: BTreeMap<(u16, u64), u32> = BTreeMap::new();
    for key in keys.iter().flatten() {
        *blocks.entry(*key).or_default() += 1;
    }
    let gives = |key: &(u16, u64)| blocks[key] <= live.cap(key.0);
    let mut found = Said::new();
    let mut together: Vec<Pair> = Vec::new();
    let mut group: Vec<u32> = (0..rows.len() as u32).collect();
    for a in 0..rows.len() as u32 {
        for b in a + 1..rows.len() as u32 {
            let (of_a, of_b) = (&keys[a as usize], &keys[b as usize]);
            let is_tied = tied.contains(&(a, b));
            if !is_tied && !of_a.intersection(of_b).any(gives) {
                continue;
            }
            // Alone, and the other way round.
            let two = ordered(&SAID, rows, &[b, a]);
            let scorer = Scorer::new(&matcher.model, &two).expect("a scorer");
            let verdict = scorer.scoring().verdict(0, 1);
            let Some(kind) = matcher.kind(&verdict, is_tied) else {
                continue;
            };
            let (weight, probability, household) =
                (verdict.weight, verdict.probability, verdict.household);
            found.insert((a, b), (kind, weight, probability, household));
            if weight >= matcher.thresholds.review {
                together.push(Pair {
                    a,
                    b,
                    kind,
                    weight,
                    probability,
                    household,
                });
                let (one, other) = (group[a as usize], group[b as usize]);
                group
                    .iter_mut()
                    .filter(|group| **group == other)
                    .for_each(|group| *group = one);
            }
        }
    }
    for &of in group.iter().collect::<BTreeSet<_>>() {
        let members: Vec<u32> = order
            .iter()
            .copied()
            .filter(|&name| group[name as usize] == of)
            .collect();
        if members.len() < 2 {
            continue;
        }
        let records = ordered(&SAID, rows, &members);
        let place = |name: u32| members.iter().position(|&other| other == name).expect("it") as u32;
        let mut pairs: Vec<Pair> = together
            .iter()
            .filter(|pair| group[pair.a as usize] == of)
            .map(|pair| {
                let (a, b) = (place(pair.a), place(pair.b));
                Pair {
                    a: a.min(b),
                    b: a.max(b),
                    ..*pair
                }
            })
            .collect();
        let scorer = Scorer::new(&matcher.model, &records).expect("a scorer");
        let settled = matcher.settle(
            &scorer,
            &records,
            &mut pairs,
            &limits(1),
            &Cancel::default(),
        );
        settled.expect("settled");
        found.extend(said(&members, &pairs));
    }
    found
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn records_that_say_the_same_are_matched_in_any_order((rows, tied, seed) in crowd()) {
        let as_they_are: Vec<u32> = (0..rows.len() as u32).collect();
        let other = shuffled(rows.len(), seed);
        let found = run(&rows, &tied, &as_they_are, 1);
        prop_assert_eq!(&found, &run(&rows, &tied, &other, 2), "in another order");
        prop_assert_eq!(&found, &piecemeal(&rows, &tied, &other), "piecemeal");
    }
}
