//! What holds of every rule, shown on random ones.

use cdp_engine::segment::{compile, dependencies, parse};
use proptest::prelude::*;
use regex::Regex;

use crate::catalog::Shop;

/// A rule that parses, built from its parts. Words come in all shapes that the printer must restore.
fn rule() -> impl Strategy<Value = String> {
    let subject = prop_oneof![
        "[a-z_é][a-zA-Z0-9_$]{0,6}",
        Just("\"Lifetime Value\"".to_owned()),
        Just("\"in\"".to_owned()),
        Just("\"a\"\"b\"".to_owned()),
        Just("last.set.0.\"00 x\".not".to_owned()),
    ]
    .prop_filter("reserved", |name| parse(&format!("{name} = 1")).is_ok());
    let value = prop_oneof![
        "'[a-z\\\\ %$é]{0,5}('')?'",
        "-?[0-9]{1,5}(\\.[0-9]{1,3})?",
        Just("TRUE".to_owned()),
        Just("now".to_owned()),
    ];
    let operator = prop_oneof![
        Just("="),
        Just("<>"),
        Just("<"),
        Just(">="),
        Just("contains"),
        Just("not starts  with"),
        Just("ends with"),
        Just("not MATCHES"),
        Just("before"),
        Just("not after"),
    ];
    let ending = prop_oneof![Just(""), Just(" ignoring case")];
    let window = prop_oneof![
        Just(" in last 1 day".to_owned()),
        Just(" in last 6 Months".to_owned()),
        (value.clone(), value.clone()).prop_map(|(a, b)| format!(" between {a} and {b}")),
        value.clone().prop_map(|v| format!(" after {v}")),
        Just(String::new()),
    ];
    let test = prop_oneof![
        (subject.clone(), operator, value.clone(), ending)
            .prop_map(|(s, o, v, e)| format!("{s} {o} {v}{e}")),
        (subject.clone(), value.clone(), value.clone())
            .prop_map(|(s, a, b)| format!("{s} not between {a} and {b}")),
        (subject.clone(), prop::collection::vec(value, 1..4))
            .prop_map(|(s, values)| format!("{s} in ({})", values.join(","))),
        subject.clone().prop_map(|s| format!("{s} is not set")),
        subject.prop_map(|s| format!("{s} not in next 3 weeks")),
    ];
    let condition = nested(test.clone().boxed());
    let count = prop_oneof![
        Just(""),
        Just(" at least 2 times"),
        Just(" at most 1 time"),
        Just(" exactly 0 times"),
    ];
    let did = (any::<bool>(), prop::option::of(condition), count, window).prop_map(
        |(negated, condition, count, window)| {
            let not = if negated { "not " } else { "" };
            let condition = condition.map_or(String::new(), |c| format!(" where {c}"));
            format!("(did {not}'It''s A'{window}{count}{condition})")
        },
    );
    let leaf = prop_oneof![3 => test, 2 => did, 1 => Just("in segment 'x''y'".to_owned())];
    nested(leaf.boxed())
}

/// Joins conditions by `and`, `or`, `not` and parentheses.
fn nested(leaf: BoxedStrategy<String>) -> BoxedStrategy<String> {
    leaf.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 2..4).prop_map(|parts| parts.join(" and ")),
            prop::collection::vec(inner.clone(), 2..4).prop_map(|parts| parts.join(" or ")),
            inner.clone().prop_map(|part| format!("not {part}")),
            inner.prop_map(|part| format!("( {part} )")),
        ]
    })
    .boxed()
}

/// A tree without the places of its parts.
fn shape(rule: &str) -> String {
    let tree = parse(rule).unwrap_or_else(|error| panic!("{error}\n{}", error.excerpt(rule)));
    let span = Regex::new(r"Span \{ start: \d+, end: \d+ \}").unwrap();
    span.replace_all(&format!("{tree:?}"), "_").into_owned()
}

/// Runs of the language's own tokens: they get further into the parser than random text does.
fn scraps() -> impl Strategy<Value = String> {
    let scrap = prop::sample::select(vec![
        "and",
        "or",
        "not",
        "did",
        "where",
        "in",
        "segment",
        "last",
        "next",
        "is",
        "set",
        "between",
        "at least",
        "exactly",
        "times",
        "days",
        "contains",
        "starts",
        "with",
        "matches",
        "before",
        "ignoring",
        "case",
        "now",
        "true",
        "age",
        "country",
        "properties",
        "tags",
        "'x'",
        "'2024-01-01'",
        "\"q\"",
        "5",
        "-2.5",
        "(",
        ")",
        ",",
        ".",
        "=",
        "!=",
        "<",
        ">=",
        "-- c\n",
        "é",
        "'",
        "\\",
    ]);
    prop::collection::vec(scrap, 0..24).prop_map(|scraps| scraps.join(" "))
}

proptest! {
    #[test]
    fn a_printed_tree_parses_to_itself(rule in rule()) {
        let printed = parse(&rule).unwrap().to_string();
        prop_assert_eq!(shape(&rule), shape(&printed));
        prop_assert_eq!(&printed, &parse(&printed).unwrap().to_string());
    }

    #[test]
    fn no_input_panics_and_every_error_has_its_place(rule in prop_oneof![".{0,60}", "\\PC{0,60}", scraps()]) {
        let _ = dependencies(&rule);
        if let Err(error) = compile(&rule, &Shop) {
            prop_assert!(error.span.start <= error.span.end && error.span.end <= rule.len());
            prop_assert!(error.character_position(&rule) <= rule.chars().count() + 1);
            prop_assert!(error.excerpt(&rule).ends_with('^'));
            prop_assert!(!error.message.is_empty() && !error.message.contains('\n'));
        }
    }
}
