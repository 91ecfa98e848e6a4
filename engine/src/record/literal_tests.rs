use proptest::prelude::*;

use super::*;

fn some(text: &str) -> Option<String> {
    Some(text.to_owned())
}

/// As `record_out` and `array_out` decide, but for the characters that only one of them quotes.
fn needs_quotes(text: &str) -> bool {
    text.is_empty()
        || text.eq_ignore_ascii_case("null")
        || text.contains(|c: char| {
            matches!(c, '"' | '\\' | '(' | ')' | '{' | '}' | ',' | '\u{B}')
                || c.is_ascii_whitespace()
        })
}

fn record_out(fields: &[Option<String>]) -> String {
    let written: Vec<String> = fields
        .iter()
        .map(|field| match field {
            None => String::new(),
            Some(text) if needs_quotes(text) => {
                format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\"\""))
            }
            Some(text) => text.clone(),
        })
        .collect();
    format!("({})", written.join(","))
}

fn array_out(elements: &[Option<String>]) -> String {
    let written: Vec<String> = elements
        .iter()
        .map(|element| match element {
            None => "NULL".to_owned(),
            Some(text) if needs_quotes(text) => {
                format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
            }
            Some(text) => text.clone(),
        })
        .collect();
    format!("{{{}}}", written.join(","))
}

#[test]
fn records_as_postgresql_prints_them() {
    assert_eq!(
        parse_record(r#"(1,"a ""quoted"" b",,"x\\y")"#),
        Ok(vec![some("1"), some(r#"a "quoted" b"#), None, some(r"x\y")])
    );
    assert_eq!(parse_record("()"), Ok(vec![None]));
    assert_eq!(parse_record("(,)"), Ok(vec![None, None]));
    assert_eq!(parse_record(r#"("")"#), Ok(vec![some("")]));
    assert_eq!(parse_record(r#"("","")"#), Ok(vec![some(""), some("")]));
    assert_eq!(
        parse_record("(\"two\nlines\",é😀,{})"),
        Ok(vec![some("two\nlines"), some("é😀"), some("{}")])
    );
    assert_eq!(
        parse_record(r#"("{""a"": ""b\\\\c""}","(1,""(2,\\""3 4\\"")"")")"#),
        Ok(vec![some(r#"{"a": "b\\c"}"#), some(r#"(1,"(2,\"3 4\")")"#)])
    );
}

#[test]
fn what_is_no_record_is_refused() {
    for text in [
        "", "(", ")", "1,2", "(1", "(1,", "(\"a)", "(\"a\"b)", "(a\"b\")", "(a b)", "(a)b", "(a) ",
        "(\"a\\", "((a))",
    ] {
        assert!(parse_record(text).is_err(), "{text}");
    }
    assert_eq!(parse_record("(a b)").map_err(|e| e.at), Err(2));
}

#[test]
fn arrays_as_postgresql_prints_them() {
    assert_eq!(
        parse_array(r#"{a,"b c",NULL,"NULL","",null_,"\"\\"}"#),
        Some(vec![
            some("a"),
            some("b c"),
            None,
            some("NULL"),
            some(""),
            some("null_"),
            some(r#""\"#),
        ])
    );
    assert_eq!(parse_array("{}"), Some(vec![]));
    assert_eq!(parse_array("[0:1]={1,2}"), Some(vec![some("1"), some("2")]));
    for text in [
        "",
        "{",
        "}",
        "a",
        "{{1},{2}}",
        "{a",
        "{a,}",
        "{,a}",
        "{a}b",
        "[0:1]",
    ] {
        assert_eq!(parse_array(text), None, "{text}");
    }
}

proptest! {
    #[test]
    fn records_come_back(fields in prop::collection::vec(prop::option::of(any::<String>()), 1..8)) {
        prop_assert_eq!(parse_record(&record_out(&fields)), Ok(fields));
    }

    #[test]
    fn nasty_records_come_back(
        fields in prop::collection::vec(prop::option::of("[\"\\\\,(){} \na]{0,6}"), 1..6)
    ) {
        prop_assert_eq!(parse_record(&record_out(&fields)), Ok(fields));
    }

    #[test]
    fn arrays_come_back(
        elements in prop::collection::vec(prop::option::of("[\"\\\\,(){} \naNUL]{0,6}"), 0..6)
    ) {
        prop_assert_eq!(parse_array(&array_out(&elements)), Some(elements));
    }

    #[test]
    fn nothing_panics(text in any::<String>(), nasty in "[\"\\\\,(){}\\[\\]=é ]{0,16}") {
        for text in [text, nasty] {
            let _ = parse_record(&text);
            let _ = parse_array(&text);
        }
    }
}
