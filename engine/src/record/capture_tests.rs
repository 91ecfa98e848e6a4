use proptest::prelude::*;

use super::*;

fn reason(text: &str) -> Option<Reason> {
    parse_capture(text).err().map(|rejection| rejection.reason)
}

#[test]
fn a_capture_gives_its_columns() {
    let text = r#"{"rel":"public.contacts","op":"U","cols":["id","email","vip"],
        "types":["int4","text","bool"],"row":"(7,\"a \"\"b\"\"\",)"}"#;
    let row = parse_capture(text).expect("well-formed");
    assert_eq!(row.relation, "public.contacts");
    assert_eq!(row.operation, Operation::Update);
    let json = |name| row.column(name).map(CapturedColumn::to_json);
    assert_eq!(json("id"), Some(Value::from(7)));
    assert_eq!(json("email"), Some(Value::from("a \"b\"")));
    assert_eq!(json("vip"), Some(Value::Null));
    assert_eq!(json("none"), None);
}

#[test]
fn a_truncate_has_no_row() {
    let row = parse_capture(r#"{"rel":"t","op":"T"}"#).expect("well-formed");
    assert_eq!(row.operation, Operation::Truncate);
    assert!(row.columns.is_empty());
}

#[test]
fn a_row_may_have_no_columns_or_one_null() {
    let of = |cols: &str, types: &str| {
        let text = format!(r#"{{"rel":"t","op":"I","cols":{cols},"types":{types},"row":"()"}}"#);
        parse_capture(&text).expect("well-formed").columns.len()
    };
    assert_eq!(of("[]", "[]"), 0);
    assert_eq!(of(r#"["a"]"#, r#"["text"]"#), 1);
}

#[test]
fn what_is_no_capture_is_refused() {
    for (text, expected) in [
        ("", Reason::NotJson),
        ("{", Reason::NotJson),
        ("[]", Reason::WrongType),
        ("{}", Reason::MissingField),
        (r#"{"op":"T"}"#, Reason::MissingField),
        (r#"{"rel":1,"op":"T"}"#, Reason::WrongType),
        (r#"{"rel":"t","op":"X"}"#, Reason::UnknownType),
        (r#"{"rel":"t","op":"I"}"#, Reason::MissingField),
        (
            r#"{"rel":"t","op":"I","cols":["a"],"types":["text"],"row":"x"}"#,
            Reason::BadRecord,
        ),
        (
            r#"{"rel":"t","op":"I","cols":["a"],"types":["text"],"row":"(1,2)"}"#,
            Reason::BadRecord,
        ),
        (
            r#"{"rel":"t","op":"I","cols":["a"],"types":[],"row":"(1)"}"#,
            Reason::BadRecord,
        ),
    ] {
        assert_eq!(reason(text), Some(expected), "{text}");
    }
}

proptest! {
    #[test]
    fn nothing_panics(text in any::<String>(), row in any::<String>()) {
        let _ = parse_capture(&text);
        let capture = serde_json::json!({
            "rel": "t", "op": "D", "cols": ["a"], "types": ["text"], "row": row,
        });
        let _ = parse_capture(&capture.to_string());
    }
}
