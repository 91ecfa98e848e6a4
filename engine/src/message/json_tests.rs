//! The scanner, held against `serde_json` wherever both have an opinion.

use proptest::prelude::*;

use super::super::Reason;
use super::super::scan::{MAX_BYTES, MAX_DEPTH};
use super::*;

fn reason(text: &str) -> Option<Reason> {
    Tree::scan(text).err().map(|rejection| rejection.reason)
}

fn value(text: &str) -> Value {
    let tree = Tree::scan(text).expect(text);
    tree.value(Tree::ROOT)
}

fn nested(depth: usize) -> String {
    format!("{}{}", "[".repeat(depth), "]".repeat(depth))
}

#[test]
fn values_are_those_of_serde_json() {
    for text in [
        "null",
        " true ",
        "[]",
        "{ }",
        r#"{"a":1,"b":[1,-2.5,1e3,{"c":null}],"a":"again","é":"\u00e9\ud83d\ude00\n\/\\\""}"#,
        "[[],{},[[{}]], [1 , 2]\n]",
        "18446744073709551615",
        "-9223372036854775808",
        "0.1",
    ] {
        let expected: Value = serde_json::from_str(text).expect(text);
        assert_eq!(value(text), expected, "{text}");
    }
}

#[test]
fn no_digit_is_lost() {
    for text in [
        "123456789012345678901234567890",
        "-0.10000000000000000000000001000",
        "0.12345678901234567890",
    ] {
        assert_eq!(value(text), Value::from(text));
    }
    // As jsonb gives it back: what is read from what is stored must be the same.
    let written_out = format!("1{}", "0".repeat(400));
    assert_eq!(value("1e400"), Value::from(written_out));
    assert_eq!(value("1.10"), Value::from(1.1));
    assert_eq!(value("-0"), Value::from(0));
}

#[test]
fn what_is_not_json_is_refused() {
    for text in [
        "",
        " ",
        "nul",
        "nullx",
        "{",
        "[",
        "[1",
        "[1,",
        "[1,]",
        "[,1]",
        "{,}",
        "{\"a\"}",
        "{\"a\":}",
        "{\"a\":1,}",
        "{\"a\":1 \"b\":2}",
        "{a:1}",
        "{]",
        "[}",
        "1 2",
        "01",
        "1.",
        ".5",
        "-",
        "1e",
        "+1",
        "NaN",
        "'a'",
        "\"a",
        "\"\\x\"",
        "\"\\u12g4\"",
        "\"\n\"",
        "[1]]",
        "{\"a\":1}}",
        "\u{FEFF}{}",
    ] {
        assert_eq!(reason(text), Some(Reason::NotJson), "{text}");
    }
}

#[test]
fn what_jsonb_cannot_hold_is_refused() {
    for text in [
        r#""\u0000""#,
        r#"{"a\u0000b":1}"#,
        r#""\ud800""#,
        r#""\udc00""#,
        r#""\ud800x""#,
        r#""\ud800\n""#,
        r#""\ud800\ud800""#,
        r#""\udc00\ud800""#,
        "[1e200000]",
    ] {
        assert_eq!(reason(text), Some(Reason::NotStorable), "{text}");
    }
    for text in [
        r#""\\u0000""#,
        r#""\uD83D\uDE00""#,
        r#""\uffff""#,
        "\"\u{7f}\"",
    ] {
        assert_eq!(reason(text), None, "{text}");
    }
}

#[test]
fn depth_has_a_limit_and_no_danger() {
    let deep = value(&nested(MAX_DEPTH));
    assert!(deep.is_array());
    assert_eq!(deep.to_string(), nested(MAX_DEPTH));
    assert_eq!(reason(&nested(MAX_DEPTH + 1)), Some(Reason::TooDeep));
    assert_eq!(reason(&"[".repeat(5_000_000)), Some(Reason::TooDeep));
    assert_eq!(reason(&"{\"a\":".repeat(1_000_000)), Some(Reason::TooDeep));
}

#[test]
fn size_has_a_limit() {
    let longest = format!("\"{}\"", "a".repeat(MAX_BYTES - 2));
    assert_eq!(reason(&longest), None);
    assert_eq!(reason(&(longest + " ")), Some(Reason::TooLarge));
    // Short as they are, written out these are longer than any text can be.
    let numbers = |count| format!("[{}]", vec!["1e131000"; count].join(","));
    assert_eq!(reason(&numbers(200)), None);
    assert_eq!(reason(&numbers(10_000)), Some(Reason::TooLarge));
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        "[^\0]{0,8}".prop_map(Value::from),
    ];
    leaf.prop_recursive(5, 64, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            prop::collection::vec(("[^\0]{0,4}", inner), 0..6)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn every_value_comes_back(json in any_json(), pretty in any::<bool>()) {
        let text = match pretty {
            true => serde_json::to_string_pretty(&json).expect("serialises"),
            false => json.to_string(),
        };
        let parsed = value(&text);
        // As text: serde_json reads some doubles off by one bit, the scanner does not.
        prop_assert_eq!(parsed.to_string(), json.to_string());
    }

    #[test]
    fn what_is_taken_is_json(text in r#"[\[\]{}:,"0-9a.eE\\ud +-]{0,24}|([{\["0a1:,}\]]){0,12}"#) {
        let expected = serde_json::from_str::<&serde_json::value::RawValue>(&text).is_ok();
        match Tree::scan(&text) {
            Ok(_) => prop_assert!(expected),
            Err(rejection) if rejection.reason == Reason::NotJson => prop_assert!(!expected),
            Err(_) => {}
        }
    }

    #[test]
    fn nothing_panics(text in any::<String>()) {
        let _ = Tree::scan(&text).map(|tree| tree.value(Tree::ROOT));
    }
}
