//! What is written of a profile's graph, whatever its identifiers hold.

use cdp_engine::graph::{Decision, Refusal};
use cdp_engine::picture::{Identifier, Kind, LeftOut, Picture, Shown, Standing, dot, json, svg};
use quick_xml::Reader;
use quick_xml::events::Event;
use serde_json::{Value, json as object};

/// A profile whose other identifiers hang from the first.
fn star(values: &[&str]) -> Picture {
    let mut picture = Picture {
        profile_id: 1,
        types: ["user_id", "email"].map(String::from).to_vec(),
        ..Picture::default()
    };
    for (n, value) in values.iter().enumerate() {
        picture.nodes.push(Identifier {
            id: n as i64 + 1,
            type_idx: u16::from(n > 0),
            value: (*value).to_owned(),
            profile_id: Some(1),
            standing: Standing::Ordinary,
        });
        if n > 0 {
            picture.links.push(link(0, n as u32));
        }
    }
    picture
}

/// Seen on two days.
fn link(a: u32, b: u32) -> Shown {
    Shown {
        a,
        b,
        kind: Kind::Observed,
        decision: Some(Decision::Accepted),
        confirmed: true,
        sources: vec!["web".to_owned()],
        count: 2,
        first_seen: 1_767_607_200_000_000,
        last_seen: 1_767_693_600_000_000,
        reason: None,
        slices: Vec::new(),
    }
}

/// The names of all elements, and the text in `text` and `title` elements, unescaped.
fn read(svg: &str) -> (Vec<String>, Vec<String>, Vec<String>) {
    let mut reader = Reader::from_str(svg);
    let (mut elements, mut texts, mut titles) = (Vec::new(), Vec::new(), Vec::new());
    let (mut open, mut held): (Vec<String>, String) = (Vec::new(), String::new());
    loop {
        match reader.read_event().expect("it is well-formed") {
            Event::Start(tag) => {
                tag.attributes().for_each(|a| {
                    a.expect("attributes are well-formed");
                });
                let name = String::from_utf8_lossy(tag.name().as_ref()).into_owned();
                elements.push(name.clone());
                open.push(name);
                held.clear();
            }
            Event::Empty(tag) => {
                elements.push(String::from_utf8_lossy(tag.name().as_ref()).into_owned());
            }
            Event::Text(text) => held.push_str(&text.decode().expect("it is UTF-8")),
            Event::GeneralRef(name) => match &*name.decode().expect("it is UTF-8") {
                "lt" => held.push('<'),
                "gt" => held.push('>'),
                "amp" => held.push('&'),
                "quot" => held.push('"'),
                "apos" => held.push('\''),
                other => panic!("&{other};"),
            },
            Event::End(_) => match open.pop().as_deref() {
                Some("text") => texts.push(std::mem::take(&mut held)),
                Some("title") => titles.push(std::mem::take(&mut held)),
                _ => {}
            },
            Event::Eof => break,
            other => panic!("{other:?}"),
        }
    }
    assert!(open.is_empty(), "{open:?} are not closed");
    (elements, texts, titles)
}

const HOSTILE: [&str; 8] = [
    "u1",
    "</text><script>alert(1)</script>",
    "\"/><image href='x' onerror=\"alert(1)\"/>",
    "]]><!--&lt;&#60;&amp;",
    "a\u{0}b\u{1b}\u{7}\u{ffff}",
    "moc.\u{202e}live@\u{2066}x",
    "שלום \u{200f}عالم",
    "e\u{301}日本👨‍👩‍👧",
];

#[test]
fn hostile_values_are_text_and_nothing_else() {
    let mut picture = star(&HOSTILE);
    picture.types[1] = "<em>&\"".to_owned();
    picture.links[0].sources = vec!["</title><script/>".to_owned()];
    picture.links[1].kind = Kind::Asserted;
    picture.links[1].reason = Some("\u{8}<&]]>".to_owned());
    let drawn = svg(&picture);
    let (elements, texts, titles) = read(&drawn);
    let known = ["svg", "title", "desc", "rect", "path", "g", "text", "line"];
    let others: Vec<_> = elements
        .iter()
        .filter(|e| !known.contains(&&***e))
        .collect();
    assert!(others.is_empty(), "{others:?}");
    for value in [HOSTILE[0], HOSTILE[1], HOSTILE[3], HOSTILE[7]] {
        assert!(texts.iter().any(|t| t == value), "{value} in {texts:?}");
    }
    for seen in [
        "a␀b␛␇\u{fffd}",
        "moc.\u{fffd}live@\u{fffd}x",
        "שלום \u{fffd}عالم",
    ] {
        assert!(texts.iter().any(|t| t == seen), "{seen} in {texts:?}");
    }
    assert!(titles.iter().any(|t| t.contains("</title><script/>")));
    // What XML cannot hold at all, and what turns text round, is nowhere.
    assert!(!drawn.contains(|c: char| c.is_control() && c != '\n'));
    assert!(!drawn.contains(['\u{202e}', '\u{2066}', '\u{200f}', '\u{ffff}']));
}

#[test]
fn a_value_of_a_kilobyte_ends_with_an_ellipsis_and_stands_whole_beside() {
    let long = "é".repeat(512);
    let (_, texts, titles) = read(&svg(&star(&["u1", &long])));
    let shown = texts.iter().find(|t| t.ends_with('…')).expect("it is cut");
    assert!((10..60).contains(&shown.chars().count()), "{shown}");
    assert!(titles.iter().any(|t| t.contains(&long)));
}

#[test]
fn refused_links_say_by_which_rule_and_whose_the_other_end_is() {
    let mut picture = star(&["u1", "jane@example.com", "u2", "info@example.com", "null"]);
    picture.nodes[2].profile_id = Some(7);
    picture.nodes[2].type_idx = 0;
    picture.links[1] = Shown {
        decision: Some(Decision::Refused(Refusal::MaxPerProfile { type_idx: 0 })),
        ..link(2, 1)
    };
    picture.nodes[3].standing = Standing::Shared {
        type_idx: 0,
        degree: 11,
    };
    picture.links[2].decision = None;
    picture.nodes[4].standing = Standing::Blocked;
    picture.nodes[4].profile_id = None;
    picture.links[3].decision = None;
    let (_, texts, _) = read(&svg(&picture));
    for expected in [
        "Profile 1",
        "3 identifiers, 1 link, 1 refused",
        "user_id · profile 7",
        "refused: max_per_profile of user_id",
        "web · 2× · 2026-01-05 – 2026-01-06",
        "email · shared by 11+ user_id",
        "email · blocked",
        "joins nothing",
    ] {
        assert!(
            texts.iter().any(|t| t == expected),
            "{expected} in {texts:?}"
        );
    }
    assert!(!texts.iter().any(|t| t.starts_with("Not drawn")));
}

#[test]
fn what_is_left_out_is_said() {
    let mut picture = star(&["u1", "a@example.com"]);
    picture.left_out = LeftOut {
        identifiers: 999_998,
        links: 12,
    };
    let expected = "Not drawn: 999,998 identifiers of this profile, the most weakly linked; \
                    12 links to identifiers outside it.";
    let (_, texts, _) = read(&svg(&picture));
    assert!(texts.iter().any(|t| t == expected), "{texts:?}");
    assert!(
        texts
            .iter()
            .any(|t| t == "1,000,000 identifiers, 1 link drawn"),
        "{texts:?}"
    );
    assert!(dot(&picture).contains(expected));
    let whole: Value = serde_json::from_str(&json(&picture)).expect("it is JSON");
    assert_eq!(
        whole["left_out"],
        object!({"identifiers": 999_998, "links": 12})
    );
}

#[test]
fn json_says_it_all() {
    let mut picture = star(&["u1", "a\"@x\u{1}", "u2", "kiosk", "null"]);
    picture.nodes[2].profile_id = Some(7);
    picture.nodes[3].standing = Standing::Shared {
        type_idx: 0,
        degree: 11,
    };
    picture.nodes[4].standing = Standing::Blocked;
    picture.links[2].decision = None;
    picture.links[3].decision = None;
    picture.links[1].decision = Some(Decision::Refused(Refusal::Bridge { type_idx: 0 }));
    let whole: Value = serde_json::from_str(&json(&picture)).expect("it is JSON");
    assert_eq!(
        whole["identifiers"][1],
        object!({"id": 2, "type": "email", "value": "a\"@x\u{1}", "profile_id": 1})
    );
    assert_eq!(
        whole["links"][1],
        object!({"from": 1, "to": 3, "kind": "observed", "decision": "refused", "rule": "bridge", "rule_of": "user_id",
                 "sources": ["web"], "count": 2, "confirmed": true,
                 "first_seen": "2026-01-05T10:00:00Z", "last_seen": "2026-01-06T10:00:00Z"})
    );
    let rules: Vec<[&Value; 3]> = whole["links"]
        .as_array()
        .expect("links are a list")
        .iter()
        .map(|link| [&link["decision"], &link["rule"], &link["rule_of"]])
        .collect();
    let null = Value::Null;
    assert_eq!(
        rules,
        [
            [&object!("accepted"), &null, &null],
            [&object!("refused"), &object!("bridge"), &object!("user_id")],
            [
                &object!("refused"),
                &object!("max_degree"),
                &object!("user_id")
            ],
            [&object!("refused"), &object!("blocked"), &null],
        ]
    );
}

#[test]
fn dot_quotes_what_would_end_its_strings() {
    let drawn = dot(&star(&[
        "a\"]; n9 [label=\"b",
        "back\\slash\\",
        "&quot;\\N",
    ]));
    assert!(
        drawn.contains(r#"label="user_id\na\"]; n9 [label=\"b""#),
        "{drawn}"
    );
    assert!(drawn.contains(r#"label="email\nback\\slash\\""#), "{drawn}");
    assert!(drawn.contains(r#"label="email\n&amp;quot;\\N""#), "{drawn}");
    // Outside of strings there is nothing but what we wrote.
    let mut outside = String::new();
    let mut inside = false;
    let mut characters = drawn.chars();
    while let Some(c) = characters.next() {
        match c {
            '\\' if inside => drop(characters.next()),
            '"' => inside = !inside,
            _ if !inside => outside.push(c),
            _ => {}
        }
    }
    assert!(!inside && !outside.contains("n9"), "{outside}");
}

#[test]
fn one_graph_gives_one_picture() {
    let picture = star(&HOSTILE);
    assert_eq!(svg(&picture), svg(&picture.clone()));
}

#[test]
fn a_chain_of_a_thousand_is_drawn_and_no_wider_than_a_page() {
    let mut picture = star(&["u1"]);
    for n in 1..1_000u32 {
        picture.nodes.push(Identifier {
            id: i64::from(n) + 1,
            type_idx: 1,
            value: format!("e{n}"),
            profile_id: Some(1),
            standing: Standing::Ordinary,
        });
        picture.links.push(link(n - 1, n));
    }
    let drawn = svg(&picture);
    let width = drawn
        .split("width=\"")
        .nth(1)
        .and_then(|rest| rest.split('"').next());
    let width: u32 = width.and_then(|w| w.parse().ok()).expect("it has a width");
    assert!(width < 2_000, "{width}");
}
