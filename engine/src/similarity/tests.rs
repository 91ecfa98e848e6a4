use proptest::prelude::*;

use super::*;

#[test]
fn metrics_give_the_published_values() {
    // Winkler 1990, as in every implementation since.
    for (a, b, expected) in [
        ("MARTHA", "MARHTA", 0.961_111),
        ("DWAYNE", "DUANE", 0.84),
        ("DIXON", "DICKSONX", 0.813_333),
    ] {
        assert!((jaro_winkler(a, b) - expected).abs() < 1e-6, "{a} {b}");
    }
    assert_eq!(levenshtein("kitten", "sitting"), 3);
    assert_eq!(levenshtein("ca", "abc"), 3);
    // Not restricted: what was transposed can be edited again (3 by optimal string alignment).
    assert_eq!(damerau_levenshtein("ca", "abc"), 2);
    assert_eq!(damerau_levenshtein("smith", "simth"), 1);
}

#[test]
fn jaccard_counts_distinct_runs() {
    // ni ig gh ht / na ac ch ht
    assert_eq!(jaccard("night", "nacht", 2), 1.0 / 7.0);
    assert_eq!(jaccard("aaaa", "aa", 2), 1.0);
    assert_eq!(jaccard("", "", 2), 1.0);
    assert_eq!(jaccard("", "a", 2), 0.0);
    assert_eq!(jaccard("a", "a", 2), 1.0);
    assert_eq!(jaccard("a", "ab", 2), 0.0);
    assert_eq!(jaccard("東京都", "東京", 2), 0.5);
    assert_eq!(jaccard_of_sets(["x", "y", "x"], ["y", "z"]), 1.0 / 3.0);
    assert_eq!(jaccard_of_sets([], []), 1.0);
}

#[test]
fn double_metaphone_gives_the_published_codes() {
    // From the tests of the original and of Apache Commons Codec.
    for (word, primary, alternate) in [
        ("Smith", "SM0", "XMT"),
        ("Schmidt", "XMT", "SMT"),
        ("Thomas", "TMS", "TMS"),
        ("Catherine", "K0RN", "KTRN"),
        ("Katherine", "K0RN", "KTRN"),
        ("Wright", "RT", "RT"),
        ("Bryan", "PRN", "PRN"),
        ("Jose", "HS", "HS"),
        ("Michael", "MKL", "MXL"),
        ("Arnow", "ARN", "ARNF"),
        ("Knight", "NT", "NT"),
        ("Caesar", "SSR", "SSR"),
        ("Xavier", "SF", "SFR"),
    ] {
        let (p, a) = double_metaphone(word, 4);
        assert_eq!((p.as_str(), a.as_str()), (primary, alternate), "{word}");
    }
    assert_eq!(double_metaphone("Müller", 4), double_metaphone("muller", 4));
    assert_eq!(
        double_metaphone("François", 4).0,
        double_metaphone("Fransois", 4).0
    );
    assert_eq!(double_metaphone("田中", 4), (String::new(), String::new()));
    assert_eq!(double_metaphone("", 4), (String::new(), String::new()));
}

#[test]
fn names_have_one_form() {
    for (raw, expected) in [
        ("  Dr. Müller ", "muller"),
        ("O’Brien-Smith", "obrien smith"),
        ("ŁUKASZ Þórðarson", "lukasz thordarson"),
        ("Mr. and", "and"),
        ("Miss", "miss"),
        ("Sammy Davis, Jr.", "sammy davis jr"),
        ("Jane Roe, Ph.D.", "jane roe ph d"),
        ("Jane Roe PhD", "jane roe"),
        ("J.R. Ewing", "j r ewing"),
        ("Ａｎａ", "ana"),
        ("Андрей Ёлкин", "андрей ёлкин"),
        ("दिल्ली", "दिल्ली"),
        ("José\u{301}", "jose"),
        ("김민준", "김민준"),
        ("田中・太郎", "田中 太郎"),
        ("STRAẞE", "strasse"),
    ] {
        assert_eq!(normalize_name(raw).as_deref(), Some(expected), "{raw}");
    }
    for nothing in ["", " ", "--", "\u{301}", "'"] {
        assert_eq!(normalize_name(nothing), None, "{nothing:?}");
    }
}

#[test]
fn addresses_have_one_form() {
    for (raw, expected) in [
        ("123 North Main Street, Apartment 4", "123 n main st apt 4"),
        ("123 N. Main St. #4", "123 n main st apt 4"),
        ("P.O. Box 12", "po box 12"),
        ("PO Box 12", "po box 12"),
        ("Fifth Avenue", "5th ave"),
        ("Hauptstraße 5", "hauptstr 5"),
        ("Hauptstr. 5", "hauptstr 5"),
        ("1 Avenue des Champs-Élysées", "1 ave des champs elysees"),
    ] {
        assert_eq!(normalize_address(raw).as_deref(), Some(expected), "{raw}");
    }
    assert_eq!(normalize_address(" , "), None);
}

#[test]
fn emails_and_phones_are_as_identifiers_have_them() {
    assert_eq!(
        normalize_email(" Jane <JANE@Example.com>").as_deref(),
        Some("jane@example.com")
    );
    assert_eq!(normalize_email("jane at example"), None);
    assert_eq!(
        normalize_phone("+1 (201) 555-0123", None).as_deref(),
        Some("+12015550123")
    );
    assert_eq!(
        normalize_phone("(201) 555-0123", Some("US")).as_deref(),
        Some("+12015550123")
    );
    assert_eq!(
        normalize_phone("(201) 555-0123", None).as_deref(),
        Some("2015550123")
    );
    assert_eq!(normalize_phone("n/a", None), None);
    assert_eq!(normalize_phone("12", None), None);
}

#[test]
fn nicknames_stand_for_each_other() {
    assert!(nicknames::related("bob", "robert"));
    assert!(nicknames::related("bob", "rob"));
    assert!(nicknames::related("liz", "elizabeth"));
    assert!(!nicknames::related("christopher", "christina"));
    assert!(!nicknames::related("bob", "william"));
    assert!(nicknames::related("zzz", "zzz"));
    assert!(nicknames::groups("zzz").is_empty());
    assert!(nicknames::groups("bob").is_sorted());
}

proptest! {
    #[test]
    fn what_has_its_form_keeps_it(text in "\\PC{0,24}") {
        for normalize in [normalize_name, normalize_address] {
            if let Some(once) = normalize(&text) {
                prop_assert_eq!(normalize(&once), Some(once.clone()));
            }
        }
        prop_assert_eq!(fold(&fold(&text)), fold(&text));
    }

    #[test]
    fn any_text_has_codes(text in "\\PC{0,24}") {
        let (primary, alternate) = double_metaphone(&text, 4);
        prop_assert!(primary.len() <= 4 && alternate.len() <= 4);
    }

    #[test]
    fn a_faster_metric_is_the_same_one(a in "[abcé]{0,9}|[ab ]{60,70}", b in "[abcé]{0,9}|[ab ]{60,70}") {
        prop_assert_eq!(jaro_winkler(&a, &b).to_bits(), strsim::jaro_winkler(&a, &b).to_bits());
    }

    #[test]
    fn metrics_are_symmetric(a in "[a-zé ]{0,12}", b in "[a-zé ]{0,12}") {
        prop_assert_eq!(jaccard(&a, &b, 2), jaccard(&b, &a, 2));
        prop_assert_eq!(damerau_levenshtein(&a, &b), damerau_levenshtein(&b, &a));
        prop_assert!(damerau_levenshtein(&a, &b) <= levenshtein(&a, &b));
    }
}
