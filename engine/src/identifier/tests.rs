use proptest::prelude::*;

use super::*;

fn spec(name: &str, normaliser: Normaliser) -> TypeSpec {
    TypeSpec {
        name: name.to_owned(),
        paths: vec![],
        normaliser,
        pattern: None,
        blocked_values: vec![],
        blocked_patterns: vec![],
        use_builtin_blocked: true,
    }
}

fn one(spec: TypeSpec) -> IdentifierTypes {
    IdentifierTypes::new(vec![spec]).expect("a valid spec")
}

fn phone(region: Option<&str>) -> Normaliser {
    Normaliser::Phone {
        default_region: region.map(str::to_owned),
    }
}

/// The normalised value, or the code of what is wrong.
fn normalised(normaliser: Normaliser, raw: &str) -> Result<String, &'static str> {
    one(spec("t", normaliser))
        .normalise(0, raw)
        .map_err(|invalid| invalid.reason)
}

#[test]
fn texts() {
    let text = |raw: &str| normalised(Normaliser::Text, raw);
    assert_eq!(text(" \u{FEFF}Ab c\t\u{200B}").as_deref(), Ok("Ab c"));
    assert_eq!(text("e\u{301}").as_deref(), Ok("é"));
    assert_eq!(text("  "), Err("empty"));
    assert_eq!(text("\u{200B}"), Err("empty"));
    assert_eq!(text("a\u{7}b"), Err("control_character"));
    assert_eq!(text("a\nb"), Err("control_character"));
    assert_eq!(text(&"é".repeat(512)).map(|t| t.len()), Ok(MAX_BYTES));
    assert_eq!(text(&"é".repeat(513)), Err("too_long"));
    let verbatim = |raw| normalised(Normaliser::None, raw);
    assert_eq!(verbatim(" e\u{301} ").as_deref(), Ok(" e\u{301} "));
    assert_eq!(verbatim(" "), Err("empty"));
}

#[test]
fn case_folds() {
    let fold = |raw| normalised(Normaliser::Casefold, raw);
    assert_eq!(fold(" ABC ").as_deref(), Ok("abc"));
    assert_eq!(fold("STRASSE"), fold("straße"));
    assert_eq!(fold("ΣΊΣΥΦΟΣ"), fold("σίσυφος"));
    assert_eq!(fold("E\u{301}"), fold("é"));
}

#[test]
fn emails() {
    let email = |raw| normalised(Normaliser::Email, raw);
    for raw in [
        "jane@example.com",
        " Jane@Example.COM ",
        "mailto:jane@example.com",
        "MAILTO:Jane@example.com",
        "Jane Doe <jane@example.com>",
        "<jane@example.com>",
        "jane@example.com.",
        "\u{200B}jane@example.com\u{A0}",
    ] {
        assert_eq!(email(raw).as_deref(), Ok("jane@example.com"), "{raw}");
    }
    assert_eq!(
        email("j.a+tag@gmail.com").as_deref(),
        Ok("j.a+tag@gmail.com")
    );
    assert_eq!(email("a@x").as_deref(), Ok("a@x"));
    assert_eq!(email("ÉVA@münchen.de").as_deref(), Ok("éva@münchen.de"));
    for raw in [
        "jane", "@", "a@", "@x", "a@@x", "a@b@c", "a b@x", "a@x y", "a@.x", "a@x..y", "a@.",
        "a@x,b@y", "\"a\"@x", "a;b@x", "<>", "mailto:",
    ] {
        assert_eq!(email(raw), Err("email"), "{raw}");
    }
}

#[test]
fn phones() {
    let pt = |raw| normalised(phone(Some("pt")), raw);
    for raw in [
        "+351 912 345 678",
        "912345678",
        "912 345 678",
        "00351912345678",
        "tel:+351-912-345-678",
        "(+351) 912.345.678",
        "\u{202A}+351 912\u{A0}345\u{2011}678\u{202C}",
        "\u{FF0B}351 \u{FF19}12345678",
        "+351 ٩١٢٣٤٥٦٧٨",
    ] {
        assert_eq!(pt(raw).as_deref(), Ok("+351912345678"), "{raw}");
    }
    assert_eq!(pt("+44 (0)20 7946 0018").as_deref(), Ok("+442079460018"));
    assert_eq!(pt("+1 (201) 555-0123").as_deref(), Ok("+12015550123"));
    for raw in [
        "+1 201 555 0123 x12",
        "+12015550123;ext=12",
        "+12015550123 Ext. 12",
        "+12015550123#12",
    ] {
        assert_eq!(pt(raw).as_deref(), Ok("+12015550123;ext=12"), "{raw}");
    }
    for raw in [
        "",
        "+",
        "abc",
        "1-800-FLOWERS",
        "112",
        "+1234567890123456789",
        "912345678 or 9",
        "000000000",
        "1+2",
    ] {
        assert_eq!(pt(raw), Err("phone"), "{raw}");
    }
    let any = |raw| normalised(phone(None), raw);
    assert_eq!(any("912345678"), Err("phone_region"));
    assert_eq!(any("00351912345678").as_deref(), Ok("+351912345678"));
    assert_eq!(any("+351912345678").as_deref(), Ok("+351912345678"));
    let us = |raw| normalised(phone(Some("US")), raw);
    assert_eq!(us("011 351 912345678").as_deref(), Ok("+351912345678"));
    assert_eq!(us("1 201 555 0123").as_deref(), Ok("+12015550123"));
    assert_eq!(us("(201) 555-0123").as_deref(), Ok("+12015550123"));
}

#[test]
fn digits() {
    let digits = |raw| normalised(Normaliser::Digits, raw);
    assert_eq!(digits("NIF 123.456-789").as_deref(), Ok("123456789"));
    assert_eq!(digits("١٢٣").as_deref(), Ok("123"));
    assert_eq!(digits("none"), Err("empty"));
}

#[test]
fn a_pattern_must_match_the_normalised_value() {
    let types = one(TypeSpec {
        pattern: Some("^c[0-9]+$".to_owned()),
        ..spec("customer", Normaliser::Casefold)
    });
    assert_eq!(types.normalise(0, " C12 ").as_deref(), Ok("c12"));
    let invalid = types.normalise(0, "12").expect_err("does not match");
    assert_eq!(invalid.reason, "pattern");
}

#[test]
fn built_in_blocked_values() {
    let types = one(spec("t", Normaliser::Text));
    for value in [
        "null",
        "NULL",
        "None",
        "undefined",
        "N/A",
        "anonymous",
        "Guest",
        "unknown",
        "test",
        "0",
        "-1",
        "000000000",
        "+000 000",
        "00000000-0000-0000-0000-000000000000",
        "00:00:00:00:00:00",
        "FFFFFFFF-FFFF-FFFF-FFFF-FFFFFFFFFFFF",
        "test@gmail.com",
        "Test+1@x.pt",
        "none@none.com",
        "noreply@shop.pt",
        "no-reply@shop.pt",
        "do_not_reply@x",
        "x@none.com",
        "[object Object]",
        "9774d56d682e549c",
    ] {
        assert!(types.is_blocked(0, value), "{value}");
    }
    for value in [
        "1",
        "10",
        "100",
        "u0",
        "0a",
        "testa",
        "jane@example.com",
        "jane@test.com",
        "info@shop.pt",
        "tester.jane@x.pt",
        "contest@x.pt",
        "nonell@x.pt",
        "jane@nonesuch.com",
        "a-1",
        "nullo",
        "+351912345678",
        "-10",
    ] {
        assert!(!types.is_blocked(0, value), "{value}");
    }
    let types = one(TypeSpec {
        use_builtin_blocked: false,
        ..spec("t", Normaliser::Text)
    });
    assert!(!types.is_blocked(0, "null"));
}

#[test]
fn declared_blocked_values() {
    let types = one(TypeSpec {
        blocked_values: vec!["+351 210 000 000".to_owned(), "Reception".to_owned()],
        blocked_patterns: vec!["^\\+35180".to_owned()],
        ..spec("phone", phone(Some("PT")))
    });
    assert!(types.is_blocked(0, "+351210000000"));
    assert!(types.is_blocked(0, "RECEPTION"));
    assert!(types.is_blocked(0, "+351800123456"));
    assert!(!types.is_blocked(0, "+351912345678"));
}

#[test]
fn what_is_wrong_with_a_spec_is_said() {
    let field = |specs: Vec<TypeSpec>| IdentifierTypes::new(specs).expect_err("wrong").field;
    let text = || spec("t", Normaliser::Text);
    assert_eq!(field(vec![text(), text()]), "name");
    assert_eq!(field(vec![spec(" ", Normaliser::Text)]), "name");
    assert_eq!(field(vec![spec("t", phone(Some("XX")))]), "normaliser");
    for path in ["", ".", "a.", "a..b"] {
        let paths = vec![path.to_owned()];
        assert_eq!(field(vec![TypeSpec { paths, ..text() }]), "paths");
    }
    let bad = || "(".to_owned();
    assert_eq!(
        field(vec![TypeSpec {
            pattern: Some(bad()),
            ..text()
        }]),
        "pattern"
    );
    let blocked_patterns = vec![bad()];
    assert_eq!(
        field(vec![TypeSpec {
            blocked_patterns,
            ..text()
        }]),
        "blocked_patterns"
    );
}

#[test]
fn types_are_known_by_name() {
    let types = IdentifierTypes::new(vec![
        spec("user_id", Normaliser::Text),
        spec("email", Normaliser::Email),
    ])
    .expect("valid");
    assert_eq!(types.index_of("email"), Some(1));
    assert_eq!(types.index_of("Email"), None);
    assert_eq!(types.name(0), "user_id");
    assert_eq!((types.len(), types.is_empty()), (2, false));
}

fn any_normaliser() -> impl Strategy<Value = Normaliser> {
    prop_oneof![
        Just(Normaliser::Text),
        Just(Normaliser::Casefold),
        Just(Normaliser::Email),
        Just(Normaliser::Digits),
        Just(Normaliser::None),
        prop::sample::select(vec![
            "PT", "US", "BR", "IT", "DE", "AR", "MX", "GB", "JP", "RU", "CI"
        ])
        .prop_map(|region| phone(Some(region))),
        Just(phone(None)),
    ]
}

fn any_raw() -> impl Strategy<Value = String> {
    prop_oneof![
        any::<String>(),
        "\\PC{0,12}",
        "(mailto:|<| |)[A-Za-zÀ-ÿßİΣ.+<>: ]{1,6}@[A-Za-zÀ-ÿ.>]{1,6}",
        "(\\+|00|0|)[0-9() -]{5,16}(x[0-9]{1,3}|)",
        "[ͅ\u{300}-\u{345}A-Zα-ώᾀ-ᾯ]{1,6}",
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn normalising_twice_changes_nothing(normaliser in any_normaliser(), raw in any_raw()) {
        let types = one(spec("t", normaliser));
        if let Ok(value) = types.normalise(0, &raw) {
            prop_assert_eq!(types.normalise(0, &value), Ok(value.clone()));
            prop_assert!(value.len() <= MAX_BYTES);
            types.is_blocked(0, &value);
        }
    }
}
