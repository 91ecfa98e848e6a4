use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::identifier::{Normaliser, TypeSpec};

/// 2024-01-02 03:04:05 UTC.
const NOW: i64 = 1_704_164_645_000_000;
const HOUR: i64 = 3_600_000_000;

fn types() -> IdentifierTypes {
    let declared: [(&str, &[&str]); 5] = [
        ("user_id", &["userId", "previousId"]),
        (
            "email",
            &["traits.email", "context.traits.email", "properties.email"],
        ),
        ("device_id", &["context.device.id"]),
        ("anonymous_id", &["anonymousId"]),
        ("loyalty_id", &["loyalty.cards.number"]),
    ];
    let spec = |(name, paths): (&str, &[&str])| TypeSpec {
        name: name.to_owned(),
        paths: paths.iter().map(|&path| path.to_owned()).collect(),
        normaliser: Normaliser::Text,
        pattern: None,
        blocked_values: vec![],
        blocked_patterns: vec![],
        use_builtin_blocked: false,
    };
    IdentifierTypes::new(declared.into_iter().map(spec).collect()).expect("valid specs")
}

fn parsed(text: &str) -> Message<'_> {
    parse(text, NOW, &types()).expect(text)
}

fn rejected(text: &str) -> Reason {
    parse(text, NOW, &types()).expect_err(text).reason
}

/// The identifiers as `type=value`.
fn found(text: &str) -> Vec<String> {
    let types = types();
    let message = parse(text, NOW, &types).expect(text);
    let shown = |found: &Found| format!("{}={}", types.name(found.type_index), found.value);
    message.found.iter().map(shown).collect()
}

fn raw(value: Option<&RawValue>) -> Option<&str> {
    value.map(RawValue::get)
}

#[test]
fn a_track_message() {
    let message = parsed(
        r#"{"type": "track", "event": "Order Completed", "messageId": "m1", "userId": "u1",
            "properties": {"total": 1.50, "a": [ ]}, "context": {"ip": "::1"},
            "integrations": {"All": true}, "x": null}"#,
    );
    assert_eq!(message.kind, Kind::Track);
    assert_eq!(message.message_id.as_deref(), Some("m1"));
    assert_eq!(message.name.as_deref(), Some("Order Completed"));
    assert_eq!(
        raw(message.properties),
        Some(r#"{"total": 1.50, "a": [ ]}"#)
    );
    assert_eq!(raw(message.context), Some(r#"{"ip": "::1"}"#));
    assert_eq!(raw(message.traits), None);
    assert_eq!(
        message.rest,
        r#"{"userId": "u1","integrations": {"All": true},"x": null}"#
    );
    assert_eq!(message.time, NOW);
}

#[test]
fn every_kind() {
    for (fields, kind, is_event) in [
        (r#""type":"identify""#, Kind::Identify, false),
        (r#""type":"track","event":"e""#, Kind::Track, true),
        (r#""type":"page""#, Kind::Page, true),
        (r#""type":"screen","name":"Home""#, Kind::Screen, true),
        (r#""type":"group","groupId":"g""#, Kind::Group, false),
        (r#""type":"alias","previousId":"p""#, Kind::Alias, false),
    ] {
        let text = format!(r#"{{{fields},"userId":"u"}}"#);
        let message = parsed(&text);
        assert_eq!(message.kind, kind);
        assert_eq!(message.kind.is_event(), is_event);
        assert!(fields.contains(kind.as_str()));
    }
}

#[test]
fn only_what_a_column_holds_leaves_the_rest() {
    let rest = |text| parsed(text).rest;
    assert_eq!(
        rest(r#"{"type":"page","anonymousId":"a","name":"N"}"#),
        r#"{"anonymousId":"a"}"#
    );
    // Not the name of a track, nor the properties of an identify, nor a number as a text.
    assert_eq!(
        rest(r#"{"type":"track","event":"e","name":"N","userId":1}"#),
        r#"{"name":"N","userId":1}"#
    );
    assert_eq!(
        rest(r#"{"type":"identify","userId":"u","properties":{},"messageId":7,"context":[]}"#),
        r#"{"userId":"u","properties":{},"messageId":7,"context":[]}"#
    );
    // Of both spellings the spec's counts, and the other stays.
    let message = parsed(r#"{"type":"page","userId":"u","message_id":"b","messageId":"a"}"#);
    assert_eq!(message.message_id.as_deref(), Some("a"));
    assert_eq!(message.rest, r#"{"userId":"u","message_id":"b"}"#);
    assert_eq!(
        rest(r#"{"type":"page","user_id":"u","receivedAt":"x"}"#),
        r#"{"user_id":"u","receivedAt":"x"}"#
    );
}

#[test]
fn snake_case_is_understood() {
    let message = parsed(
        r#"{"type":"page","message_id":"m","user_id":"u","anonymous_id":"a","userId":null,
            "original_timestamp":"2024-01-02T02:04:05Z","sent_at":"2024-01-02T02:04:05Z"}"#,
    );
    assert_eq!(message.message_id.as_deref(), Some("m"));
    assert_eq!(message.found.len(), 2);
    assert_eq!(message.time, NOW);
}

#[test]
fn ids_may_be_numbers_and_blank_ones_are_absent() {
    assert_eq!(
        found(r#"{"type":"page","userId":9007199254740993,"anonymousId":"  "}"#),
        ["user_id=9007199254740993"]
    );
    assert_eq!(
        found(r#"{"type":"page","userId":1.0,"anonymousId":null}"#),
        ["user_id=1.0"]
    );
    assert_eq!(
        found(r#"{"type":"page","userId":"","anonymousId":"a"}"#),
        ["anonymous_id=a"]
    );
}

#[test]
fn identifiers_are_found_wherever_they_are_declared() {
    assert_eq!(
        found(
            r#"{"type":"identify","userId":"u","anonymousId":"a","traits":{"email":["e1","e2","e1",["no"]]},
                "context":{"device":{"id":"d"},"traits":{"email":"e3"}},
                "loyalty":{"cards":[{"number":1},{"number":2},{"other":3}, 4]}}"#
        ),
        [
            "user_id=u",
            "email=e1",
            "email=e2",
            "email=e3",
            "device_id=d",
            "anonymous_id=a",
            "loyalty_id=1",
            "loyalty_id=2"
        ]
    );
    assert_eq!(
        found(r#"{"type":"alias","userId":"new","previousId":"old"}"#),
        ["user_id=new", "user_id=old"]
    );
    assert_eq!(
        found(r#"{"type":"page","userId":"u","previousId":"no"}"#),
        ["user_id=u"]
    );
    // The last of equal keys, at every step.
    assert_eq!(
        found(r#"{"type":"identify","traits":{"email":"x"},"traits":{"email":"y","email":"z"}}"#),
        ["email=z"]
    );
    // Escaped keys and values.
    assert_eq!(
        found(r#"{"type":"page","us\u0065rId":"\u00fc"}"#),
        ["user_id=ü"]
    );
}

#[test]
fn a_group_is_no_person() {
    let text = r#"{"type":"group","groupId":"g","userId":"u","traits":{"email":"info@x","n":1},
        "context":{"traits":{"email":"jane@x"}}}"#;
    assert_eq!(found(text), ["user_id=u", "email=jane@x"]);
    let message = parsed(text);
    assert_eq!(raw(message.traits), Some(r#"{"email":"info@x","n":1}"#));
    assert_eq!(
        message.trait_values,
        [("email".to_owned(), json!("jane@x"))]
    );
}

#[test]
fn external_ids() {
    assert_eq!(
        found(
            r#"{"type":"page","context":{"externalIds":[
                {"id":"1","type":"loyalty_id","collection":"users","encoding":"none"},
                {"id":2,"type":"loyalty_id"},{"id":"3","type":"loyalty_id","collection":"accounts"},
                {"id":"4","type":"unheard_of"},{"id":{},"type":"email"},{"type":"email"},7]}}"#
        ),
        ["loyalty_id=1", "loyalty_id=2"]
    );
    assert_eq!(
        rejected(r#"{"type":"page","context":{"externalIds":{}}}"#),
        Reason::NoIdentifier
    );
}

#[test]
fn our_own_identifiers_object() {
    assert_eq!(
        found(
            r#"{"type":"page","identifiers":{"loyalty_id":1,"email":["a","b","a"],"other":"x","user_id":null}}"#
        ),
        ["email=a", "email=b", "loyalty_id=1"]
    );
    for wrong in [
        r#""x""#,
        "[1]",
        r#"{"email":{}}"#,
        r#"{"email":[[]]}"#,
        r#"{"other":true}"#,
    ] {
        let text = format!(r#"{{"type":"page","userId":"u","identifiers":{wrong}}}"#);
        assert_eq!(rejected(&text), Reason::WrongType, "{wrong}");
    }
    assert_eq!(
        found(r#"{"type":"page","userId":"u","identifiers":[]}"#),
        ["user_id=u"]
    );
}

#[test]
fn traits_of_a_person() {
    let values = |text| parsed(text).trait_values;
    assert_eq!(
        values(
            r#"{"type":"identify","userId":"u","traits":{"a":1,"b":null,"a":[2]},"context":{"traits":{"c":3}}}"#
        ),
        [("a".to_owned(), json!([2])), ("b".to_owned(), json!(null))]
    );
    assert_eq!(
        values(r#"{"type":"page","userId":"u","traits":{"a":1},"context":{"traits":{"c":3}}}"#),
        [("c".to_owned(), json!(3))]
    );
    assert_eq!(
        values(r#"{"type":"page","userId":"u","context":{"traits":[1]}}"#),
        []
    );
}

#[test]
fn what_is_rejected_and_why() {
    for (text, reason) in [
        ("", Reason::NotJson),
        ("{", Reason::NotJson),
        ("[]", Reason::NotAnObject),
        ("null", Reason::NotAnObject),
        (r#""track""#, Reason::NotAnObject),
        ("{}", Reason::MissingField),
        (r#"{"type":null,"userId":"u"}"#, Reason::MissingField),
        (r#"{"type":1,"userId":"u"}"#, Reason::WrongType),
        (r#"{"type":"Track","userId":"u"}"#, Reason::UnknownType),
        (r#"{"type":"delete","userId":"u"}"#, Reason::UnknownType),
        (r#"{"type":"track","userId":"u"}"#, Reason::MissingField),
        (
            r#"{"type":"track","event":" ","userId":"u"}"#,
            Reason::MissingField,
        ),
        (
            r#"{"type":"track","event":5,"userId":"u"}"#,
            Reason::WrongType,
        ),
        (
            r#"{"type":"page","name":{},"userId":"u"}"#,
            Reason::WrongType,
        ),
        (r#"{"type":"group","userId":"u"}"#, Reason::MissingField),
        (r#"{"type":"alias","userId":"u"}"#, Reason::MissingField),
        (r#"{"type":"page","userId":{}}"#, Reason::WrongType),
        (
            r#"{"type":"page","userId":"u","anonymousId":true}"#,
            Reason::WrongType,
        ),
        (
            r#"{"type":"page","userId":"u","messageId":[]}"#,
            Reason::WrongType,
        ),
        (
            r#"{"type":"page","userId":"u","context":"c"}"#,
            Reason::WrongType,
        ),
        (
            r#"{"type":"page","userId":"u","properties":[1]}"#,
            Reason::WrongType,
        ),
        (
            r#"{"type":"identify","userId":"u","traits":1}"#,
            Reason::WrongType,
        ),
        (
            r#"{"type":"page","userId":"u","timestamp":"soon"}"#,
            Reason::BadTimestamp,
        ),
        (
            r#"{"type":"page","userId":"u","timestamp":"10000-01-01"}"#,
            Reason::BadTimestamp,
        ),
        (
            r#"{"type":"page","userId":"u","sentAt":1e30}"#,
            Reason::BadTimestamp,
        ),
        (
            r#"{"type":"page","userId":"u","originalTimestamp":{}}"#,
            Reason::WrongType,
        ),
        (
            r#"{"type":"page","userId":"u","x":"\u0000"}"#,
            Reason::NotStorable,
        ),
        (r#"{"type":"page"}"#, Reason::NoIdentifier),
        (r#"{"type":"page","userId":" "}"#, Reason::NoIdentifier),
    ] {
        assert_eq!(rejected(text), reason, "{text}");
    }
    let long = "m".repeat(MAX_NAME_BYTES + 1);
    for field in ["messageId", "name"] {
        let text = format!(r#"{{"type":"page","userId":"u","{field}":"{long}"}}"#);
        assert_eq!(rejected(&text), Reason::TooLong);
    }
}

#[test]
fn a_rejection_can_be_read() {
    let rejection = parse("{} x", NOW, &types()).expect_err("no message");
    assert_eq!(
        rejection.to_string(),
        "not_json: text after the end, at byte 3"
    );
}

#[test]
fn times() {
    let time = |fields: &str| parsed(&format!(r#"{{"type":"page","userId":"u",{fields}}}"#)).time;
    assert_eq!(time(r#""timestamp":"2024-01-02T02:04:05Z""#), NOW - HOUR);
    assert_eq!(time(r#""timestamp":1704161045"#), NOW - HOUR);
    assert_eq!(time(r#""timestamp":"","sentAt":" ""#), NOW);
    // Sent by a clock a day slow, an hour after it happened.
    let sent = r#""sentAt":"2024-01-01T03:04:05Z""#;
    assert_eq!(
        time(&format!(
            r#""originalTimestamp":"2024-01-01T02:04:05Z",{sent}"#
        )),
        NOW - HOUR
    );
    assert_eq!(
        time(&format!(r#""timestamp":"2024-01-01T02:04:05Z",{sent}"#)),
        NOW - HOUR
    );
    // The message's own time of receipt does not count, not even to be read.
    assert_eq!(time(r#""receivedAt":"nonsense""#), NOW);
}

#[test]
fn a_retry_has_the_same_hash() {
    let hash = |text| parsed(text).content_hash;
    let first = hash(
        r#"{"type":"page","userId":"u","properties":{"a":"é","b":[1,{"d":2,"c":3}]},"sentAt":1}"#,
    );
    let retry = hash(
        r#"{ "sent_at":2, "receivedAt":3, "properties":{"b":[1 , {"c":0,"c":3,"d":2}],"a":"\u00e9"},
            "userId":"u", "type":"page" }"#,
    );
    assert_eq!(first, retry);
    for other in [
        r#"{"type":"page","userId":"v","properties":{"a":"é","b":[1,{"d":2,"c":3}]}}"#,
        r#"{"type":"page","userId":"u","properties":{"a":"é","b":[{"d":2,"c":3},1]}}"#,
        r#"{"type":"page","userId":"u","properties":{"a":"é","b":[1,{"d":2,"c":3}],"sentAt":1}}"#,
        r#"{"type":"page","userId":"u","properties":{"a":"é","b":[1,{"d":2,"c":"3"}]}}"#,
    ] {
        assert_ne!(hash(other), first, "{other}");
    }
}

#[test]
fn numbers_count_by_their_value() {
    let message = |number: &str| {
        format!(r#"{{"type":"page","userId":"u","properties":{{"n":[{number},1.5]}}}}"#)
    };
    let hash = |number: &str| parsed(&message(number)).content_hash;
    for other in ["1e2", "100.0", "0.10E+3", "1000e-1"] {
        assert_eq!(hash(other), hash("100"), "{other}");
    }
    for other in [
        "101",
        "-100",
        "1e3",
        "\"100\"",
        "1e-2",
        "100.00000000000000000001",
    ] {
        assert_ne!(hash(other), hash("100"), "{other}");
    }
    assert_eq!(hash("9007199254740993"), hash("9007199254740993.0"));
    assert_ne!(hash("9007199254740993"), hash("9007199254740992"));
    assert_eq!(hash("1e100000"), hash("10e99999"));
    assert_ne!(hash("1e100000"), hash("1e99999"));
}

#[test]
fn hashes_of_before_are_known() {
    let text =
        |number: &str| format!(r#"{{"type":"page","userId":"u","properties":{{"n":{number}}}}}"#);
    let now = |number: &str| parsed(&text(number)).content_hash;
    let once = |number: &str| former_content_hash(&text(number)).unwrap();
    // As nearly all numbers are written, nothing has changed.
    for usual in [
        "0",
        "-7",
        "12.5",
        "-0.001",
        "1234567890123456789",
        "0.1234567890123456789",
    ] {
        assert_eq!(once(usual), now(usual), "{usual}");
    }
    for (one, other) in [("1e2", "100"), ("12.50", "12.5")] {
        assert_ne!(once(one), once(other));
        assert_ne!(once(one), now(one));
    }
    // Hashes are stored: these are what the first version made.
    assert_eq!(once("12.50"), 5_891_908_487_586_139_576);
    assert_eq!(former_content_hash("[]"), None);
}

#[test]
fn deep_and_large_messages() {
    let deep = |depth: usize| {
        let object = format!("{}1{}", r#"{"a":"#.repeat(depth), "}".repeat(depth));
        format!(r#"{{"type":"identify","userId":"u","traits":{{"t":{object}}}}}"#)
    };
    let text = deep(MAX_DEPTH - 2);
    assert_eq!(parsed(&text).trait_values.len(), 1);
    assert_eq!(rejected(&deep(MAX_DEPTH)), Reason::TooDeep);
    let members: Vec<String> = (0..600_000)
        .map(|n| format!(r#""key{n}":"value""#))
        .collect();
    let properties = format!("{{{}}}", members.join(","));
    assert!(properties.len() > 10_000_000);
    let text = format!(r#"{{"type":"page","userId":"u","properties":{properties}}}"#);
    assert_eq!(raw(parsed(&text).properties), Some(properties.as_str()));
}

proptest! {
    #[test]
    fn nothing_panics(text in any::<String>(), value in r#"[\[\]{}:,"0-9a.eE\\ud +-]{0,24}"#) {
        let types = types();
        let _ = parse(&text, NOW, &types);
        for field in ["type", "userId", "timestamp", "traits", "context", "identifiers"] {
            let text = format!(r#"{{"type":"identify","userId":"u","{field}":{value}}}"#);
            let _ = parse(&text, NOW, &types);
        }
    }

    #[test]
    fn time_is_always_storable(a in any::<i64>(), b in any::<f64>(), c in ".{0,30}") {
        let text = json!({"type": "page", "userId": "u", "timestamp": a, "sentAt": b, "originalTimestamp": c});
        if let Ok(message) = parse(&text.to_string(), NOW, &types()) {
            prop_assert!(is_plausible_time(message.time));
        }
    }
}
