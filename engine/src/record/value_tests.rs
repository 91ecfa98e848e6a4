use proptest::prelude::*;
use serde_json::json;

use super::*;

#[test]
fn values_by_type() {
    for (value, type_name, expected) in [
        ("42", "int4", json!(42)),
        ("-9223372036854775808", "int8", json!(i64::MIN)),
        ("1.50", "numeric", json!(1.5)),
        ("1.50", "numeric(10,2)", json!(1.5)),
        ("1e+20", "float8", json!(1e20)),
        ("0.1", "double precision", json!(0.1)),
        (
            "12345678901234567890.12",
            "numeric",
            json!("12345678901234567890.12"),
        ),
        ("NaN", "numeric", json!("NaN")),
        ("-Infinity", "float8", json!("-Infinity")),
        ("t", "bool", json!(true)),
        ("f", "boolean", json!(false)),
        ("true", "bool", json!("true")),
        (r#"{"a": [1, null]}"#, "jsonb", json!({"a": [1, null]})),
        ("null", "json", json!(null)),
        (r#""\u0000""#, "json", json!(r#""\u0000""#)),
        ("42", "text", json!("42")),
        ("", "text", json!("")),
        ("t", "text", json!("t")),
        ("(1,2)", "point", json!("(1,2)")),
        ("$1.00", "money", json!("$1.00")),
    ] {
        assert_eq!(to_json(value, type_name), expected, "{value} {type_name}");
    }
}

#[test]
fn times_become_iso() {
    for (value, type_name, expected) in [
        (
            "2024-01-02 03:04:05.6+00",
            "timestamptz",
            "2024-01-02T03:04:05.6Z",
        ),
        (
            "2024-01-02 03:04:05+05:30",
            "timestamptz",
            "2024-01-01T21:34:05Z",
        ),
        (
            "1880-01-01 00:00:00-00:36:45",
            "timestamptz",
            "1880-01-01T00:36:45Z",
        ),
        (
            "2024-01-02 03:04:05.6",
            "timestamp",
            "2024-01-02T03:04:05.6",
        ),
        (
            "2024-01-02 03:04:05",
            "timestamp(3) without time zone",
            "2024-01-02T03:04:05",
        ),
        (
            "2024-01-02 03:04:05+00",
            "timestamp(0) with time zone",
            "2024-01-02T03:04:05Z",
        ),
        ("2024-01-02", "date", "2024-01-02"),
        ("infinity", "timestamptz", "infinity"),
        ("-infinity", "date", "-infinity"),
        (
            "0044-03-15 00:00:00+00 BC",
            "timestamptz",
            "0044-03-15 00:00:00+00 BC",
        ),
        ("12024-01-02 03:04:05", "timestamp", "12024-01-02 03:04:05"),
    ] {
        assert_eq!(to_json(value, type_name), json!(expected), "{value}");
    }
}

#[test]
fn arrays_of_one_dimension_become_arrays() {
    for (value, type_name, expected) in [
        (r#"{a,"b c",NULL}"#, "_text", json!(["a", "b c", null])),
        (r#"{a,"b c",NULL}"#, "text[]", json!(["a", "b c", null])),
        ("{1,2}", "_int4", json!([1, 2])),
        ("{t,f}", "boolean[]", json!([true, false])),
        ("{}", "_int4", json!([])),
        ("{{1,2},{3,4}}", "_int4", json!("{{1,2},{3,4}}")),
        (r#"{"{\"a\": 1}"}"#, "_jsonb", json!([{"a": 1}])),
        (
            r#"{"2024-01-02 03:04:05+00"}"#,
            "_timestamptz",
            json!(["2024-01-02T03:04:05Z"]),
        ),
        ("nonsense", "_text", json!("nonsense")),
    ] {
        assert_eq!(to_json(value, type_name), expected, "{value}");
    }
}

#[test]
fn deep_json_is_no_danger() {
    let deep = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
    assert!(to_json(&deep(1_000), "jsonb").is_array());
    assert!(to_json(&deep(100_000), "jsonb").is_string());
}

#[test]
fn times_are_read() {
    let time = 1_704_164_645_600_000;
    assert_eq!(
        parse_time("2024-01-02 03:04:05.6+00", "timestamptz"),
        Some(time)
    );
    assert_eq!(
        parse_time("2024-01-02 04:04:05.6+01", "timestamp with time zone"),
        Some(time)
    );
    assert_eq!(parse_time("2024-01-02 03:04:05.6", "timestamp"), Some(time));
    assert_eq!(parse_time("1970-01-02", "date"), Some(86_400_000_000));
    for (value, type_name) in [
        ("infinity", "timestamptz"),
        ("-infinity", "date"),
        ("0044-03-15 BC", "date"),
        ("1899-12-31", "date"),
        ("10000-01-01", "date"),
        ("2024-01-02", "text"),
        ("1704164645", "int8"),
        ("", "date"),
    ] {
        assert_eq!(parse_time(value, type_name), None, "{value} {type_name}");
    }
}

proptest! {
    #[test]
    fn nothing_panics(value in any::<String>(), type_name in "(_|)(int4|bool|json|timestamptz|date|text)(\\[\\]|\\(|)|.*") {
        to_json(&value, &type_name);
        parse_time(&value, &type_name);
    }
}
