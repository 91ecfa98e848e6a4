//! What survives is a function of what was said, whatever the order and grouping of its arrival.

use std::collections::{BTreeMap, HashMap};

use cdp_engine::traits::{
    Candidate, Candidates, Keep, Survival, Survivorship, TraitSpec, TraitType, canonical_json,
    coerce, survive,
};
use proptest::prelude::*;
use serde_json::{Value, json};

/// One trait said by one message of one source. Times, ties and sources are few, so that they often
/// coincide.
#[derive(Debug, Clone)]
struct Said {
    source_id: i32,
    value: Value,
    time: i64,
    tie: String,
}

/// Values that are equal in one type and not in another, that fit some types and not others.
fn values() -> impl Strategy<Value = Value> {
    prop_oneof![
        4 => prop::sample::select(vec![
            json!(null), json!(1), json!(1.0), json!("1"), json!("1.0"), json!("01"), json!(0),
            json!(-1), json!(true), json!("yes"), json!("No"), json!(10), json!("9"), json!(""),
            json!("2024-05-01"), json!("2024-05-01T00:00:00Z"), json!("2024-05-01T02:00+02:00"),
            json!("1999-12-31"), json!("long text"), json!("lång"), json!(["a", "b"]),
            json!(["b", 1, true]), json!([]), json!([null]), json!({"b": 1e16, "a": [1.50]}),
            json!({}), json!(1e300), json!("1e300"), json!(u64::MAX),
        ]),
        1 => any::<f64>().prop_map(|number| json!(number)),
        1 => any::<i64>().prop_map(|number| json!(number)),
        1 => "[ -~äß€\n]{0,4}".prop_map(|text| json!(text)),
    ]
}

fn said() -> impl Strategy<Value = Vec<Said>> {
    let one = (1..4_i32, values(), -2..3_i64, "[abB]?");
    prop::collection::vec(
        one.prop_map(|(source_id, value, time, tie)| Said {
            source_id,
            value,
            time,
            tie,
        }),
        0..12,
    )
}

fn specs() -> impl Strategy<Value = TraitSpec> {
    let rank = prop::collection::hash_map(1..4_i32, 0..2_u32, 0..3);
    (
        prop::sample::select(TraitType::ALL.to_vec()),
        prop::sample::select(Survivorship::ALL.to_vec()),
        rank,
    )
        .prop_map(
            |(ty, survivorship, source_rank): (_, _, HashMap<i32, u32>)| TraitSpec {
                name: "t".to_string(),
                ty,
                survivorship,
                source_rank,
            },
        )
}

type States = BTreeMap<i32, Candidates>;

fn add(states: &mut States, said: &Said, keep: Keep) {
    let state = states.entry(said.source_id).or_default();
    state
        .add("t", &said.value, said.time, &said.tie, keep)
        .unwrap();
}

fn round_trip(state: &Candidates) -> Candidates {
    Candidates::from_json(&state.to_json()).unwrap()
}

fn survival(spec: &TraitSpec, states: &States) -> Survival {
    let candidates = states
        .iter()
        .flat_map(|(source_id, state)| state.of("t").map(|candidate| (*source_id, candidate)));
    survive(spec, candidates)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    /// Adding one by one, and adding shuffled to several states which are then merged through their
    /// JSON text, give equal states.
    #[test]
    fn states_do_not_depend_on_order_and_grouping(
        (said, shuffled) in said().prop_flat_map(|said| (Just(said.clone()), Just(said).prop_shuffle())),
        groups in prop::collection::vec(0..4_usize, 12),
        merge_order in Just(vec![0, 1, 2, 3]).prop_shuffle(),
        spec in specs(),
    ) {
        let keep = spec.keep();
        let mut whole = States::new();
        for one in &said {
            add(&mut whole, one, keep);
        }
        let mut parts = vec![States::new(); 4];
        for (one, group) in shuffled.iter().zip(groups) {
            add(&mut parts[group], one, keep);
        }
        let mut merged = States::new();
        for part in merge_order {
            for (source_id, state) in &parts[part] {
                let into = merged.entry(*source_id).or_default();
                into.merge(&round_trip(state), |_| keep);
                *into = round_trip(into);
            }
        }
        prop_assert_eq!(survival(&spec, &merged), survival(&spec, &whole));
        prop_assert_eq!(merged, whole);
    }

    /// What a state lets go of could not have won: the survivors of the states are those of all that
    /// was said.
    #[test]
    fn folding_loses_no_winner(said in said(), spec in specs()) {
        let mut states = States::new();
        for one in &said {
            add(&mut states, one, spec.keep());
        }
        let every: Vec<(i32, Candidate)> = said
            .iter()
            .filter(|one| !one.value.is_null())
            .map(|one| (one.source_id, Candidate::new(&one.value, one.time, &one.tie).unwrap()))
            .collect();
        let unfolded = survive(&spec, every.iter().map(|(source_id, one)| (*source_id, one)));
        prop_assert_eq!(survival(&spec, &states), unfolded);
    }

    /// Only the rules that count need more than one value and one misfit.
    #[test]
    fn states_are_bounded(said in said(), spec in specs()) {
        let mut states = States::new();
        for one in &said {
            add(&mut states, one, spec.keep());
        }
        let counts = matches!(spec.survivorship, Survivorship::MostFrequent | Survivorship::Union);
        for state in states.values() {
            prop_assert!(counts || state.of("t").count() <= 2);
        }
    }

    /// A value means the same before and after it was stored.
    #[test]
    fn canonical_json_keeps_the_value(value in values(), ty in prop::sample::select(TraitType::ALL.to_vec())) {
        let text = canonical_json(&value);
        let stored: Value = serde_json::from_str(&text).unwrap();
        prop_assert_eq!(canonical_json(&stored), text);
        prop_assert_eq!(coerce(&stored, ty), coerce(&value, ty));
    }
}
