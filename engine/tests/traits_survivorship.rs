//! Every rule of survivorship, by example.

use std::collections::HashMap;

use cdp_engine::traits::{Candidate, Survival, Survivorship, TraitSpec, TraitType, survive};
use serde_json::{Value, json};

fn spec(ty: TraitType, survivorship: Survivorship) -> TraitSpec {
    TraitSpec {
        name: "t".to_string(),
        ty,
        survivorship,
        source_rank: HashMap::new(),
    }
}

/// What survives of (source, value, time, tie), each said once.
fn survival(spec: &TraitSpec, said: &[(i32, Value, i64, &str)]) -> Survival {
    let candidates: Vec<(i32, Candidate)> = said
        .iter()
        .map(|(source, value, time, tie)| (*source, Candidate::new(value, *time, tie).unwrap()))
        .collect();
    let given = candidates
        .iter()
        .map(|(source, candidate)| (*source, candidate));
    let survival = survive(spec, given.clone());
    assert_eq!(
        survival,
        survive(spec, given.rev()),
        "the order of arrival must not matter"
    );
    survival
}

/// The winner's value, source and time.
fn winner(spec: &TraitSpec, said: &[(i32, Value, i64, &str)]) -> (Value, i32, i64) {
    let winner = survival(spec, said).winner.expect("something wins");
    (winner.value, winner.source_id, winner.time)
}

#[test]
fn nothing_survives_of_nothing() {
    for survivorship in Survivorship::ALL {
        assert_eq!(
            survival(&spec(TraitType::Text, survivorship), &[]),
            Survival::default()
        );
    }
}

#[test]
fn most_recent_takes_the_latest_time_then_tie_then_value_then_source() {
    let spec = spec(TraitType::Text, Survivorship::MostRecent);
    assert_eq!(
        winner(&spec, &[(1, json!("z"), 1, "z"), (1, json!("a"), 2, "a")]),
        (json!("a"), 1, 2)
    );
    assert_eq!(
        winner(&spec, &[(1, json!("z"), 2, "m1"), (1, json!("a"), 2, "m2")]),
        (json!("a"), 1, 2)
    );
    // As bytes: upper case comes before lower case.
    assert_eq!(
        winner(&spec, &[(1, json!("z"), 2, "B"), (1, json!("a"), 2, "a")]),
        (json!("a"), 1, 2)
    );
    assert_eq!(
        winner(&spec, &[(1, json!("a"), 2, "m"), (1, json!("b"), 2, "m")]),
        (json!("b"), 1, 2)
    );
    assert_eq!(
        winner(&spec, &[(2, json!("a"), 2, "m"), (1, json!("a"), 2, "m")]),
        (json!("a"), 1, 2)
    );
}

#[test]
fn first_takes_the_earliest() {
    let spec = spec(TraitType::Text, Survivorship::First);
    assert_eq!(
        winner(
            &spec,
            &[
                (1, json!("b"), -5, "m2"),
                (1, json!("c"), -5, "m1"),
                (1, json!("a"), 0, "")
            ]
        ),
        (json!("c"), 1, -5)
    );
}

#[test]
fn most_frequent_counts_over_sources_as_the_type_sees_values() {
    let spec = spec(TraitType::Bigint, Survivorship::MostFrequent);
    let said = [
        (1, json!(5), 1, "m1"),
        (2, json!("5"), 3, "m3"),
        (1, json!(7), 9, "m9"),
    ];
    let survival = survival(&spec, &said);
    let winner = survival.winner.unwrap();
    assert_eq!((winner.value, winner.source_id), (json!("5"), 2));
    assert_eq!((winner.first, winner.time), (1, 3));
    assert_eq!(winner.coerced.to_text(), "5");
}

#[test]
fn most_frequent_falls_back_to_the_most_recent() {
    let spec = spec(TraitType::Text, Survivorship::MostFrequent);
    assert_eq!(
        winner(&spec, &[(1, json!("b"), 1, "m1"), (1, json!("a"), 2, "m2")]),
        (json!("a"), 1, 2)
    );
}

#[test]
fn source_priority_takes_the_best_source_then_the_most_recent() {
    let spec = TraitSpec {
        source_rank: HashMap::from([(7, 1), (8, 2), (9, u32::MAX)]),
        ..spec(TraitType::Text, Survivorship::SourcePriority)
    };
    let said = [
        (8, json!("crm"), 100, "m"),
        (7, json!("old"), 1, "m"),
        (7, json!("new"), 2, "m"),
        (3, json!("unlisted"), 900, "m"),
    ];
    assert_eq!(winner(&spec, &said), (json!("new"), 7, 2));
    assert_eq!(winner(&spec, &said[3..]), (json!("unlisted"), 3, 900));
    let listed_last = [(9, json!("listed"), 1, "m"), (3, json!("unlisted"), 2, "m")];
    assert_eq!(winner(&spec, &listed_last), (json!("listed"), 9, 1));
}

#[test]
fn longest_counts_characters_or_elements() {
    let text = spec(TraitType::Text, Survivorship::Longest);
    // Three characters of two bytes each are shorter than four of one.
    assert_eq!(
        winner(
            &text,
            &[(1, json!("äöü"), 9, "m"), (1, json!("abcd"), 1, "m")]
        ),
        (json!("abcd"), 1, 1)
    );
    assert_eq!(
        winner(&text, &[(1, json!("ab"), 9, "m"), (1, json!("cd"), 1, "m")]),
        (json!("ab"), 1, 9)
    );
    let array = spec(TraitType::TextArray, Survivorship::Longest);
    assert_eq!(
        winner(
            &array,
            &[
                (1, json!("a long text"), 9, "m"),
                (1, json!(["a", "b"]), 1, "m")
            ]
        ),
        (json!(["a", "b"]), 1, 1)
    );
}

#[test]
fn min_and_max_compare_by_type() {
    let said = [
        (1, json!("9"), 1, "m"),
        (1, json!(10), 2, "m"),
        (1, json!("9.0"), 3, "m"),
    ];
    for (ty, min, max) in [
        (TraitType::Bigint, json!("9.0"), json!(10)),
        (TraitType::Numeric, json!("9.0"), json!(10)),
        (TraitType::Double, json!("9.0"), json!(10)),
        (TraitType::Text, json!(10), json!("9.0")),
    ] {
        assert_eq!(winner(&spec(ty, Survivorship::Min), &said).0, min, "{ty}");
        assert_eq!(winner(&spec(ty, Survivorship::Max), &said).0, max, "{ty}");
    }
    let times = [
        (1, json!("2024-05-01T10:00+05:00"), 1, "m"),
        (1, json!("2024-05-01T06:00Z"), 2, "m"),
    ];
    let latest = winner(&spec(TraitType::Timestamptz, Survivorship::Max), &times);
    assert_eq!(latest.0, json!("2024-05-01T06:00Z"));
    let truths = [(1, json!("yes"), 1, "m"), (1, json!(false), 2, "m")];
    assert_eq!(
        winner(&spec(TraitType::Boolean, Survivorship::Max), &truths).0,
        json!("yes")
    );
}

#[test]
fn union_gathers_sorted_distinct_elements() {
    let spec = spec(TraitType::TextArray, Survivorship::Union);
    let said = [
        (1, json!(["b", "a"]), 5, "m"),
        (2, json!("c"), 9, "m"),
        (1, json!(["a", 7]), 2, "m"),
        (1, json!({"not": "text"}), 10, "m"),
    ];
    let survival = survival(&spec, &said);
    let winner = survival.winner.unwrap();
    assert_eq!(winner.value, json!(["7", "a", "b", "c"]));
    assert_eq!(winner.coerced.to_text(), r#"{"7","a","b","c"}"#);
    assert_eq!((winner.source_id, winner.first, winner.time), (2, 2, 9));
    assert_eq!(survival.misfit.unwrap().value, json!({"not": "text"}));
}

#[test]
fn what_does_not_fit_never_wins_and_is_not_lost() {
    for survivorship in Survivorship::ALL {
        let spec = spec(TraitType::Bigint, survivorship);
        let said = [
            (1, json!(5), 1, "m1"),
            (1, json!("five"), 2, "m2"),
            (1, json!("six"), 3, "m3"),
        ];
        let survival = survival(&spec, &said);
        if survivorship != Survivorship::Union {
            assert_eq!(survival.winner.unwrap().value, json!(5), "{survivorship}");
        }
        let misfit = survival.misfit.unwrap();
        assert_eq!((misfit.value, misfit.time), (json!("six"), 3));
        assert_eq!(misfit.reason, "is not a number");
    }
}

#[test]
fn an_undeclared_trait_takes_any_value() {
    let spec = TraitSpec::undeclared("t");
    let said = [(1, json!({"a": [1]}), 2, "m"), (1, json!("x"), 1, "m")];
    assert_eq!(winner(&spec, &said), (json!({"a": [1]}), 1, 2));
}

#[test]
fn names_are_read_and_unknown_ones_listed() {
    for ty in TraitType::ALL {
        assert_eq!(TraitType::parse(ty.as_sql()), Ok(ty));
    }
    for (alias, ty) in [
        (" Character  Varying ", TraitType::Text),
        ("INT", TraitType::Bigint),
        ("decimal", TraitType::Numeric),
        ("float8", TraitType::Double),
        ("bool", TraitType::Boolean),
        ("timestamp with time zone", TraitType::Timestamptz),
        ("json", TraitType::Jsonb),
        ("varchar[]", TraitType::TextArray),
    ] {
        assert_eq!(TraitType::parse(alias), Ok(ty));
    }
    let error = TraitType::parse("money").unwrap_err();
    assert!(error.message.contains("\"money\"") && error.hint.contains("double precision"));
    assert!(
        TraitType::parse("timestamp")
            .unwrap_err()
            .hint
            .contains("timestamptz")
    );

    for survivorship in Survivorship::ALL {
        assert_eq!(Survivorship::parse(survivorship.as_str()), Ok(survivorship));
    }
    assert!(
        Survivorship::parse("latest")
            .unwrap_err()
            .hint
            .contains("most_recent")
    );
}

#[test]
fn rules_that_mean_nothing_for_a_type_are_refused() {
    for (survivorship, ty, suits) in [
        (Survivorship::Union, TraitType::TextArray, true),
        (Survivorship::Union, TraitType::Text, false),
        (Survivorship::Longest, TraitType::Text, true),
        (Survivorship::Longest, TraitType::Bigint, false),
        (Survivorship::Min, TraitType::Date, true),
        (Survivorship::Max, TraitType::Jsonb, false),
        (Survivorship::MostFrequent, TraitType::Jsonb, true),
    ] {
        assert_eq!(
            survivorship.check(ty).is_ok(),
            suits,
            "{survivorship} of {ty}"
        );
    }
}
