//! Tests of training and scoring as a whole.

use super::comparison::Kind;
use super::matcher::{Failure, Limits, Matcher};
use super::meaning::Meaning;
use super::model::{
    Class, ComparisonModel, FitStatistic, Frequencies, LevelModel, Model, VERSION, probability,
};
use super::prepare::most_bytes;
use super::records::{Column, Records};
use super::score::{SURE, Scorer, pair};
use super::spec::{Error, Same, SamePart, Settings, Spec, SureRule};
use super::train::{train, train_and_prepare};
use crate::background::Cancel;

/// Numbers that chance might have given.
struct Chance(u64);

impl Chance {
    fn below(&mut self, end: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % end
    }

    fn happens(&mut self, share: f64) -> bool {
        (self.below(1 << 30) as f64) < share * f64::from(1 << 30)
    }

    /// A word like no other.
    fn word(&mut self) -> String {
        (0..9)
            .map(|_| char::from(b'a' + self.below(26) as u8))
            .collect()
    }
}

fn records_of(spec: &Spec, rows: &[Vec<String>]) -> Records {
    let mut records = spec.records();
    for row in rows {
        let cells: Vec<Vec<&str>> = row.iter().map(|cell| vec![cell.as_str()]).collect();
        records.push_raw(&cells);
    }
    records
}

fn trained(spec: &Spec, records: &Records, decisions: &[(u32, u32, bool)]) -> Model {
    train(spec, records, decisions, &Cancel::default(), &|_, _| ()).expect("a model")
}

const COLUMNS: [(&str, Meaning); 4] = [
    ("first", Meaning::FirstName),
    ("last", Meaning::LastName),
    ("birth", Meaning::BirthDate),
    ("phone", Meaning::Phone),
];
/// How often a value of the second record of a person is another.
const ERRORS: [f64; 4] = [0.10, 0.05, 0.15, 0.30];

/// Persons with two records each, and how many of each class of value there are.
fn simulated(persons: usize, seed: u64) -> Vec<Vec<String>> {
    let mut chance = Chance(seed);
    let words: Vec<Vec<String>> = [60, 400]
        .into_iter()
        .map(|len| (0..len).map(|_| chance.word()).collect())
        .collect();
    let value = |chance: &mut Chance, column: usize| match column {
        0 | 1 => words[column][chance.below(words[column].len() as u64) as usize].clone(),
        2 => format!(
            "{}-{:02}-{:02}",
            1900 + chance.below(100),
            1 + chance.below(12),
            1 + chance.below(28)
        ),
        _ => format!("{:010}", chance.below(10_000_000_000)),
    };
    let mut rows = Vec::new();
    for _ in 0..persons {
        let first: Vec<String> = (0..4).map(|column| value(&mut chance, column)).collect();
        let second = (0..4)
            .map(|column| {
                if chance.happens(ERRORS[column]) {
                    value(&mut chance, column)
                } else {
                    first[column].clone()
                }
            })
            .collect();
        rows.extend([first, second]);
    }
    rows
}

#[test]
fn weights_are_those_computed_by_hand() {
    let spec = Spec::new([("first", Meaning::FirstName)]);
    let rows: Vec<Vec<String>> = (0..1000)
        .map(|number| {
            vec![match number {
                0..10 => "ann".to_owned(),
                _ => format!("{}", 10_000 + number * 7),
            }]
        })
        .collect();
    let records = records_of(&spec, &rows);
    let levels = Kind::Given.levels();
    let model = Model {
        version: VERSION,
        columns: spec.columns.clone(),
        rules: Vec::new(),
        settings: Settings::default(),
        records: 1000,
        classes: vec![Class::Person, Class::Household],
        priors: vec![0.001, 0.002],
        duplicates: 0.0,
        comparisons: vec![ComparisonModel {
            name: "first".to_owned(),
            kind: Kind::Given,
            columns: vec![0],
            levels: levels
                .iter()
                .enumerate()
                .map(|(level, kind)| LevelModel {
                    label: kind.label.to_owned(),
                    m: match level {
                        0 => vec![0.9, 0.01],
                        6 => vec![0.04, 0.93],
                        _ => vec![0.012, 0.012],
                    },
                    u: match level {
                        0 => 0.01,
                        6 => 0.96,
                        _ => 0.006,
                    },
                })
                .collect(),
            frequencies: vec![Frequencies::of(&records.columns[0])],
        }],
        fit: FitStatistic {
            pairs: 0,
            held_out: 0.0,
            misfit: 0.0,
        },
        threshold: 0,
    };
    let score = pair(&model, &records, 0, 1).expect("a score");
    // The prior: log2(0.001 / 0.997) = -9.961.
    assert_eq!(score.contributions[0].weight, -996);
    // Ten of a thousand: k = 0.89 / 0.99, and log2(1 - k + k / 0.01) = log2(90) = 6.492; the bucket of
    // the count, 53 / 16 doublings, stands for 9.94 of them: 6.500.
    assert_eq!(score.contributions[1].weight, 650);
    assert_eq!(score.contributions[1].level, "same");
    assert_eq!(score.contributions[1].values, ["ann", "ann"]);
    // Among the household the name says nothing: its odds are 0.002 / 0.997, and what they take away is
    // log2(1.002) = 0.003.
    assert_eq!(score.weight, -996 + 650);
    assert!((score.probability - probability(-346)).abs() < 1e-12);
    // Other names: log2(0.04 / 0.96) = -4.585.
    let score = pair(&model, &records, 0, 20).expect("a score");
    assert_eq!(score.contributions[1].weight, -458);
    assert!(score.household > 0.0019 && score.household < 0.0020);
}

#[test]
fn parameters_are_found_again() {
    let spec = Spec::new(COLUMNS);
    let persons = 4000;
    let records = records_of(&spec, &simulated(persons, 7));
    let model = trained(&spec, &records, &[]);
    for (comparison, error) in model.comparisons.iter().zip(ERRORS) {
        // A value drawn anew may be the same one.
        let same = 1.0 - error + error * comparison.frequencies[0].same;
        let found = comparison.levels[0].m[0];
        assert!(
            (found - same).abs() < 0.02,
            "{}: {found} instead of {same}",
            comparison.name
        );
    }
    let u: Vec<f64> = model
        .comparisons
        .iter()
        .map(|one| one.levels[0].u)
        .collect();
    for (u, values) in u.iter().zip([60.0, 400.0, 100.0 * 12.0 * 28.0]) {
        assert!((u * values - 1.0).abs() < 0.2, "{u} of {values} values");
    }
    let prior = persons as f64 / (8000.0 * 7999.0 / 2.0);
    assert!(
        (model.priors[0] / prior - 1.0).abs() < 0.1,
        "{:?}",
        model.priors
    );
    assert!(model.fit.misfit < 0.02, "{:?}", model.fit);
}

#[test]
fn a_bad_fit_shows() {
    // The first name is wrong where the last name is, and only there.
    let mut chance = Chance(3);
    let mut rows = simulated(3000, 11);
    for (number, pair) in rows.chunks_mut(2).enumerate() {
        let [first, second] = pair else {
            unreachable!("two each")
        };
        second.clone_from(first);
        if chance.happens(0.3) {
            second[0] = chance.word();
            second[1] = chance.word();
        }
        for row in pair {
            row.push(format!("{}@example.org", number * 7919));
        }
    }
    let spec = Spec::new(COLUMNS.into_iter().chain([("email", Meaning::Email)]));
    let model = trained(&spec, &records_of(&spec, &rows), &[]);
    assert!(model.fit.misfit > 0.2, "{:?}", model.fit);
}

#[test]
fn neither_threads_nor_order_matter() {
    let spec = Spec::new(COLUMNS);
    let rows = simulated(600, 5);
    let records = records_of(&spec, &rows);
    let model = trained(&spec, &records, &[(0, 1, true), (0, 2, false)]);

    let mut many = spec.clone();
    many.settings.threads = 5;
    let mut by_many = trained(&many, &records, &[(0, 1, true), (0, 2, false)]);
    by_many.settings = model.settings.clone();
    assert!(model == by_many, "threads");

    let mut other: Vec<usize> = (0..rows.len()).collect();
    let mut chance = Chance(9);
    for last in (1..other.len()).rev() {
        other.swap(last, chance.below(last as u64 + 1) as usize);
    }
    let shuffled: Vec<Vec<String>> = other.iter().map(|&row| rows[row].clone()).collect();
    let records_shuffled = records_of(&spec, &shuffled);
    let place = |row: usize| other.iter().position(|&other| other == row).expect("there") as u32;
    let by_other = trained(
        &spec,
        &records_shuffled,
        &[(place(2), place(0), false), (place(1), place(0), true)],
    );
    assert!(model == by_other, "order");
    let (one, two) = (
        Scorer::new(&model, &records).expect("a scorer"),
        Scorer::new(&model, &records_shuffled).expect("a scorer"),
    );
    for a in 0..40 {
        for b in 0..a {
            let weight = one.scoring().weight(a, b);
            assert_eq!(weight, one.scoring().weight(b, a));
            assert_eq!(
                weight,
                two.scoring().weight(place(a as usize), place(b as usize))
            );
        }
    }
}

#[test]
fn a_model_keeps_its_weights_in_json_and_for_other_records() {
    let spec = Spec::new(COLUMNS);
    let rows = simulated(500, 21);
    let records = records_of(&spec, &rows);
    let model = trained(&spec, &records, &[]);
    let text = serde_json::to_string(&model).expect("text");
    let again: Model = serde_json::from_str(&text).expect("a model");
    assert!(model == again);
    // Two records alone weigh what they weigh among all.
    let alone = records_of(&spec, &rows[10..12]);
    let among = pair(&model, &records, 10, 11).expect("a score");
    assert_eq!(pair(&again, &alone, 0, 1).expect("a score"), among);
    let sum: i32 = among.contributions.iter().map(|one| one.weight).sum();
    assert_eq!(sum, among.weight);
}

#[test]
fn many_pairs_weigh_what_each_does() {
    let spec = Spec::new(COLUMNS);
    let mut records = records_of(&spec, &simulated(300, 41));
    // Several values, and none.
    records.push_raw(&[
        vec!["ann", "bob"],
        vec!["lee"],
        vec![],
        vec!["12345678", "5"],
    ]);
    records.push_raw(&[vec!["ann b"], vec!["lee", "ann"], vec![], vec!["12345679"]]);
    let len = records.len();
    let model = trained(&spec, &records, &[]);
    let scorer = Scorer::new(&model, &records).expect("a scorer");
    let mut pairs: Vec<(u32, u32)> = (1..len).map(|b| (b / 2, b)).collect();
    pairs.extend((0..len).map(|b| (len - 1, b)));
    let mut seen = Vec::new();
    scorer.scoring().weights(&pairs, |place, weight| {
        let (a, b) = pairs[place];
        assert_eq!(weight, scorer.scoring().weight(b, a), "{a} and {b}");
        seen.push(place);
    });
    assert!(seen.into_iter().eq(0..pairs.len()));
}

#[test]
fn training_takes_no_more_memory_than_it_says() {
    let spec = Spec::new(COLUMNS.into_iter().chain([
        ("street", Meaning::Street),
        ("number", Meaning::HouseNumber),
        ("other", Meaning::Phone),
        ("note", Meaning::Text),
    ]));
    let mut chance = Chance(19);
    let mut rows = simulated(1000, 43);
    for row in &mut rows {
        let words = [(); 6].map(|()| chance.word());
        row.extend([words[0].clone(), format!("{}", chance.below(90))]);
        row.extend([format!("{:09}", chance.below(1 << 29)), words.join(" ")]);
    }
    let records = records_of(&spec, &rows);
    let cancel = Cancel::default();
    let (model, prepared) =
        train_and_prepare(&spec, &records, &[], &cancel, &|_, _| ()).expect("a model");
    let (held, most) = (prepared.bytes(), most_bytes(&records));
    assert!(held > 0 && held * 2 < most, "{held} of {most}");
    let again = Scorer::new(&model, &records).expect("a scorer");
    assert_eq!(again.bytes(), held);

    let limits = Limits {
        memory: most as u64 / 2,
        threads: 1,
        second: None,
    };
    let failed = Matcher::train(&spec, &records, &[], &[], &limits, &cancel, &|_, _| ());
    assert!(matches!(failed, Err(Failure::Memory { .. })), "{failed:?}");
}

#[test]
fn decisions_teach() {
    let spec = Spec::new(COLUMNS);
    let records = records_of(&spec, &simulated(500, 31));
    let model = trained(&spec, &records, &[]);
    // Somebody says of many pairs with another phone that they are one person.
    let mut decisions = Vec::new();
    let phones = &records.columns[3];
    for first in (0..records.len()).step_by(2) {
        if phones.of(first) != phones.of(first + 1) {
            decisions.push((first, first + 1, true));
        }
    }
    assert!(decisions.len() > 50);
    let taught = trained(&spec, &records, &decisions);
    let same = |model: &Model| model.comparisons[3].levels[0].m[0];
    assert!(same(&taught) < same(&model) - 0.1);
}

#[test]
fn rules_declare_matches() {
    let mut spec = Spec::new([
        ("ssn", Meaning::NationalId),
        ("first", Meaning::FirstName),
        ("birth", Meaning::BirthDate),
    ]);
    spec.rules = vec![SureRule {
        same: vec![
            Same {
                column: "ssn".to_owned(),
                part: SamePart::Whole,
            },
            Same {
                column: "birth".to_owned(),
                part: SamePart::Prefix(4),
            },
        ],
    }];
    let row = |ssn: &str, first: &str, birth: &str| -> Vec<String> {
        [ssn, first, birth].map(str::to_owned).to_vec()
    };
    let records = records_of(
        &spec,
        &[
            row("123-45-6789", "ann", "1970-05-17"),
            row("123456789", "zoe", "1970-11-02"),
            row("123456789", "ann", "1971-05-17"),
            row("", "ann", "1970-05-17"),
            row("", "ann", "1970-05-17"),
        ],
    );
    let model = trained(&spec, &records, &[]);
    let score = pair(&model, &records, 0, 1).expect("a score");
    assert_eq!(score.weight, SURE);
    assert_eq!(score.contributions.last().expect("one").name, "rule");
    assert_eq!(
        score
            .contributions
            .iter()
            .map(|one| one.weight)
            .sum::<i32>(),
        SURE
    );
    let scorer = Scorer::new(&model, &records).expect("a scorer");
    assert_eq!(scorer.rule(0, 1), Some(0));
    assert_eq!(scorer.rule(0, 2), None);
    // What both do not have they do not share.
    assert_eq!(scorer.rule(3, 4), None);

    spec.rules[0].same[0].column = "tax".to_owned();
    let error = train(&spec, &records, &[], &Cancel::default(), &|_, _| ());
    assert_eq!(error, Err(Error::UnknownColumn("tax".to_owned())));
}

#[test]
fn households_are_told_from_persons() {
    let mut chance = Chance(17);
    let word_lists: Vec<Vec<String>> = [80, 600, 900]
        .into_iter()
        .map(|len| (0..len).map(|_| chance.word()).collect())
        .collect();
    let mut rows: Vec<Vec<String>> = Vec::new();
    let mut add = |chance: &mut Chance, row: &[String]| {
        rows.push(row.to_vec());
        if chance.happens(0.5) {
            // Again, with an error here and there.
            let mut other = row.to_vec();
            if chance.happens(0.1) {
                other[0] = chance.word();
            }
            if chance.happens(0.15) {
                other[2] = String::new();
            }
            if chance.happens(0.2) {
                other[3] = format!("{} {}", 1 + chance.below(200), chance.word());
            }
            rows.push(other);
        }
    };
    for _ in 0..1500 {
        let pick = |chance: &mut Chance, list: usize| -> String {
            let list = &word_lists[list];
            list[chance.below(list.len() as u64) as usize].clone()
        };
        let last = pick(&mut chance, 1);
        let street = format!("{} {}", 1 + chance.below(200), pick(&mut chance, 2));
        for _ in 0..1 + chance.below(4) {
            let first = pick(&mut chance, 0);
            let birth = format!(
                "{}-{:02}-{:02}",
                1930 + chance.below(80),
                1 + chance.below(12),
                1 + chance.below(28)
            );
            add(&mut chance, &[first, last.clone(), birth, street.clone()]);
        }
    }
    let spec = Spec::new([
        ("first", Meaning::FirstName),
        ("last", Meaning::LastName),
        ("birth", Meaning::BirthDate),
        ("street", Meaning::Street),
    ]);
    let mut records = records_of(&spec, &rows);
    let model = trained(&spec, &records, &[]);
    assert!(
        model.classes.contains(&Class::Household),
        "{:?}",
        model.classes
    );
    let at = records.len();
    for row in [
        ["anna", "brown", "", "12 some street"],
        ["peter", "brown", "", "12 some street"],
        ["anna", "brown", "", "12 some street"],
    ] {
        records.push_raw(&row.map(|cell| vec![cell]));
    }
    let family = pair(&model, &records, at, at + 1).expect("a score");
    assert!(
        family.household > 0.9 && family.probability < 0.05,
        "{family:?}"
    );
    let person = pair(&model, &records, at, at + 2).expect("a score");
    assert!(person.probability > 0.9, "{person:?}");
}

/// Whatever the records, there is a model, and it scores.
fn any(rows: &[[&str; 4]]) -> Vec<i32> {
    let spec = Spec::new(COLUMNS);
    let mut records = spec.records();
    for row in rows {
        records.push_raw(&row.map(|cell| vec![cell]));
    }
    let model = trained(&spec, &records, &[]);
    for comparison in &model.comparisons {
        for level in &comparison.levels {
            assert!(level.u > 0.0 && level.u <= 1.0, "{level:?}");
            assert!(level.m.iter().all(|m| (0.0..=1.0).contains(m)), "{level:?}");
        }
    }
    let scorer = Scorer::new(&model, &records).expect("a scorer");
    let mut scoring = scorer.scoring();
    (1..records.len().min(5))
        .map(|other| scoring.weight(0, other))
        .collect()
}

#[test]
fn the_strangest_records_have_a_model() {
    assert_eq!(any(&[]), Vec::<i32>::new());
    assert_eq!(
        any(&[["ann", "lee", "1970-01-01", "12345678"]]),
        Vec::<i32>::new()
    );
    assert_eq!(any(&[["ann", "lee", "1970-01-01", "12345678"]; 2]).len(), 1);
    assert_eq!(any(&[["", "", "", ""]; 3]).len(), 2);
    // A column all NULL.
    assert_eq!(
        any(&[["ann", "", "", "123456"], ["bob", "", "", "123456"]]).len(),
        1
    );
    let same = vec![["ann", "lee", "1970-01-01", "12345678"]; 50_000];
    assert_eq!(any(&same).len(), 4);
}

#[test]
fn names_of_every_script_are_compared() {
    let weights = any(&[
        ["José", "Núñez", "1970-03-04", ""],
        ["Jose\u{301}", "Nunez", "1970-03-04", ""],
        ["राम", "山田", "1980-05-06", ""],
        ["राम", "山田", "1980-05-06", ""],
        ["Иван", "Петров", "x", ""],
    ]);
    assert!(
        weights[0] > weights[1] && weights[0] > weights[3],
        "{weights:?}"
    );
}

#[test]
fn what_does_not_fit_is_said() {
    let spec = Spec::new(COLUMNS);
    let cancel = Cancel::default();
    let other = Records::new(vec![Column::new("first", Meaning::FirstName)]);
    assert_eq!(
        train(&spec, &other, &[], &cancel, &|_, _| ()),
        Err(Error::OtherColumns)
    );
    let none = Spec::new([]);
    assert_eq!(
        train(&none, &none.records(), &[], &cancel, &|_, _| ()),
        Err(Error::NoColumns)
    );
    let many: Vec<String> = (0..17).map(|number| format!("c{number}")).collect();
    let many = Spec::new(many.iter().map(|name| (name.as_str(), Meaning::Category)));
    assert_eq!(
        train(&many, &many.records(), &[], &cancel, &|_, _| ()),
        Err(Error::TooManyColumns(16))
    );
    let mut precise = Spec::new(COLUMNS);
    precise.settings.precision = Some(1.5);
    assert_eq!(
        train(&precise, &precise.records(), &[], &cancel, &|_, _| ()),
        Err(Error::Setting("the precision must lie between 0 and 1"))
    );
}
