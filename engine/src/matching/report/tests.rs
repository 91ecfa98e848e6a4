use super::*;
use crate::matching::blocking::{Overfull, Part, Rule, Term};
use crate::matching::score::{Contribution, PairScore};
use crate::matching::{Meaning, Model, Spec, train};

fn contribution(name: &str, level: &str, values: [&str; 2], weight: i32) -> Contribution {
    Contribution {
        name: name.to_owned(),
        level: level.to_owned(),
        values: values.map(str::to_owned),
        weight,
    }
}

fn score(contributions: Vec<Contribution>) -> PairScore {
    let weight = contributions.iter().map(|one| one.weight).sum();
    PairScore {
        weight,
        probability: probability(weight),
        household: 0.0,
        contributions,
    }
}

/// What XML readers take: the text of all elements.
fn read(document: &str) -> String {
    let mut reader = quick_xml::Reader::from_str(document);
    reader.config_mut().check_end_names = true;
    let mut texts = String::new();
    loop {
        match reader.read_event().expect("well-formed") {
            quick_xml::events::Event::Eof => return texts,
            quick_xml::events::Event::Text(text) => {
                texts.push_str(&text.decode().expect("UTF-8"));
            }
            quick_xml::events::Event::GeneralRef(name) => {
                let name = name.decode().expect("UTF-8");
                let text = quick_xml::escape::resolve_predefined_entity(&name);
                texts.push_str(text.expect("no other entity"));
            }
            quick_xml::events::Event::End(_) => texts.push('\n'),
            _ => {}
        }
    }
}

#[test]
fn a_waterfall_says_what_adds_up() {
    let pair = score(vec![
        contribution("prior", "", ["", ""], -1520),
        contribution("first_name", "nickname", ["bob", "robert"], 610),
        contribution("birth_date", "exact", ["1980-02-03", "1980-02-03"], 1340),
        contribution("phone", "", ["", "+12015550123"], 0),
        contribution("postcode", "else", ["12345", "54321"], -275),
    ]);
    let picture = waterfall(["crm 17", "shop 4"], &pair, 100);
    let texts = read(&picture);
    for part in [
        "crm 17 and shop 4",
        "−15.20",
        "nickname",
        "bob",
        "robert",
        "+13.40",
        "missing",
        "no value to compare",
        "−2.75",
        // The sum.
        "+1.55",
        "A match: +1.55 bits, threshold +1.00. One person with a probability of 75 %.",
    ] {
        assert!(texts.contains(part), "{part} in {texts}");
    }
    assert!(picture.contains("<svg xmlns=\"http://www.w3.org/2000/svg\""));
}

#[test]
fn a_waterfall_tells_of_no_match_and_of_a_household() {
    let mut pair = score(vec![contribution("prior", "", ["", ""], -900)]);
    pair.household = 0.62;
    let texts = read(&waterfall(["a", "b"], &pair, 300));
    assert!(texts.contains("No match: −9.00 bits"), "{texts}");
    assert!(texts.contains("two of one household with 62 %"), "{texts}");
}

#[test]
fn values_are_text_and_nothing_more() {
    let evil = "</text></svg><script>alert(1)</script>&amp;\u{0}\u{202e}'\"";
    let pair = score(vec![contribution(
        evil,
        evil,
        [evil, &"🦀\u{301}".repeat(500)],
        5,
    )]);
    let picture = waterfall([evil, evil], &pair, 0);
    read(&picture);
    assert!(
        !picture.contains("<script") && !picture.contains('\0') && !picture.contains('\u{202e}')
    );
    let (model, mut findings) = matcher();
    findings.rules[0].overfull[0].key = evil.to_owned();
    let html = page(evil, &model, &findings);
    assert!(!html.contains("<script") && !html.contains('\0') && !html.contains('\u{202e}'));
    read(html.trim_start_matches("<!DOCTYPE html>"));
}

/// A matcher of a hundred records, each with a copy.
fn matcher() -> (Model, Findings) {
    let spec = Spec::new([("name", Meaning::LastName), ("born", Meaning::BirthDate)]);
    let mut records = spec.records();
    for n in 0..100 {
        let name = format!("name{}", (b'a' + n % 26) as char);
        let born = format!("19{:02}-0{}-1{}", 10 + n % 80, 1 + n % 9, n % 7);
        records.push_raw(&[vec![name.as_str()], vec![born.as_str()]]);
        records.push_raw(&[vec![name.as_str()], vec![born.as_str()]]);
    }
    let model = train(
        &spec,
        &records,
        &[],
        &crate::background::Cancel::default(),
        &|_, _| (),
    )
    .expect("a model");
    let mut findings = Findings {
        records: 200,
        recall: Some(0.8),
        rules: vec![RuleReport {
            rule: Rule::new(vec![Term::new("name", Part::Value)]),
            records: 200,
            blocks: 26,
            largest: 8,
            pairs: 12_345,
            overfull_blocks: 1,
            overfull_pairs: 4_950,
            overfull: vec![Overfull {
                key: "unknown".to_owned(),
                records: 100,
                pairs: 4_950,
            }],
        }],
        ..Findings::default()
    };
    for weight in [-1000, -700, -700, 900, 1200] {
        findings.pairs.add(weight);
    }
    findings.copies.add(2000);
    findings.copies.add(-2000);
    (model, findings)
}

#[test]
fn the_page_holds_the_model_and_the_run() {
    let (model, findings) = matcher();
    let html = page("contacts", &model, &findings);
    let texts = read(html.trim_start_matches("<!DOCTYPE html>"));
    for part in [
        "Matcher contacts",
        "Trained on 200 records",
        "12,345",
        "unknown",
        "4,950",
        "find 80 % of the pairs of one person at most",
        "about 1 of 2 (50 %) say too little",
    ] {
        assert!(texts.contains(part), "{part} in {texts}");
    }
    for level in model.comparisons.iter().flat_map(|one| &one.levels) {
        assert!(texts.contains(&level.label), "{}", level.label);
    }
    for remote in [
        "http://", "https://", "<script", "<link", "<img", "@import", "url(",
    ] {
        let elsewhere = html.replace("http://www.w3.org/2000/svg", "");
        assert!(!elsewhere.contains(remote), "{remote}");
    }
}

#[test]
fn a_matcher_that_never_ran_has_a_page() {
    let (model, _) = matcher();
    let html = page("new", &model, &Findings::default());
    let texts = read(html.trim_start_matches("<!DOCTYPE html>"));
    assert!(texts.contains("It has not run yet"), "{texts}");
}

#[test]
fn a_histogram_counts_and_merges() {
    let mut one = Histogram::default();
    for weight in [-1, 0, 49, 50, 149] {
        one.add(weight);
    }
    let bins: Vec<_> = one.bins().collect();
    assert_eq!(bins, [(-50, 1), (0, 2), (50, 1), (100, 1)]);
    let mut other = Histogram::default();
    other.add(-500);
    other.merge(&one);
    other.merge(&Histogram::default());
    assert_eq!(other.total(), 6);
    assert_eq!(other.below(50), 4.0);
    // Half of the bin from 0.
    assert_eq!(other.below(25), 3.0);
}

#[test]
fn precision_and_recall_follow_from_weights() {
    let mut findings = Findings {
        recall: Some(0.5),
        ..Findings::default()
    };
    // Bins whose middle is at ±10 bits: probabilities very nearly 1 and 0.
    for _ in 0..100 {
        findings.pairs.add(1000);
        findings.pairs.add(-1001);
    }
    let points = findings.by_pairs();
    let point = |threshold| {
        points
            .iter()
            .find(|point| point.threshold >= threshold)
            .expect("a point")
    };
    let (low, high) = (point(-1050), point(1000));
    assert!(
        (low.precision - 0.5).abs() < 0.01 && (low.recall - 0.5).abs() < 0.01,
        "{low:?}"
    );
    assert!(
        high.precision > 0.998 && (high.recall - 0.5).abs() < 0.01,
        "{high:?}"
    );
    assert!(high.interval.0 <= high.precision && high.precision <= high.interval.1);
}

#[test]
fn shares_and_counts_are_told_as_people_read_them() {
    assert_eq!(percent(0.5), "50 %");
    assert_eq!(percent(0.987), "98.7 %");
    assert_eq!(percent(0.99987), "99.987 %");
    assert_eq!(percent(0.000004), "< 0.001 %");
    assert_eq!(percent(0.999_999_9), "> 99.999 %");
    assert_eq!(percent(1.0), "100 %");
    assert_eq!(percent(0.0), "0 %");
    assert_eq!(count(0), "0");
    assert_eq!(count(1_234_567), "1,234,567");
    assert_eq!(bits(-205), "−2.05");
}
