use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::message::Reason;
use crate::record::parse_capture;

fn columns() -> Vec<TableColumn> {
    [
        ("id", "integer"),
        ("email_address", "text"),
        ("emails", "text[]"),
        ("full_name", "text"),
        ("country", "text"),
        ("created", "timestamp with time zone"),
        ("changed", "timestamp without time zone"),
        ("total", "numeric"),
    ]
    .map(|(name, type_name)| TableColumn {
        name: name.into(),
        type_name: type_name.into(),
    })
    .into()
}

fn types() -> Vec<String> {
    ["user_id", "email", "phone"].map(str::to_owned).into()
}

fn mapping(document: Value) -> Mapping {
    Mapping::parse(&document).expect("a good mapping")
}

fn fault(document: Value) -> MappingError {
    let checked = Mapping::parse(&document).and_then(|m| m.check(&columns(), &types()));
    checked.expect_err("a bad mapping")
}

fn row(columns: &[(&str, &str, Option<&str>)]) -> (Vec<String>, Vec<String>, Vec<Option<String>>) {
    (
        columns.iter().map(|c| c.0.to_owned()).collect(),
        columns.iter().map(|c| c.1.to_owned()).collect(),
        columns.iter().map(|c| c.2.map(str::to_owned)).collect(),
    )
}

fn read(
    mapping: &Mapping,
    columns: &[(&str, &str, Option<&str>)],
) -> Result<Interpreted, crate::message::Rejection> {
    let (columns, types, values) = row(columns);
    interpret(mapping, &columns, &types, &values)
}

#[test]
fn short_and_long_form_say_the_same() {
    let short = mapping(json!({
        "key": "id", "user_id": "id", "email": ["email_address", "emails"],
        "traits": {"country": "country", "name": "full_name"}, "created_at": "created",
    }));
    let long = mapping(json!({
        "kind": "records", "key": ["id"],
        "identifiers": {"user_id": "id", "email": ["email_address", "emails"]},
        "traits": {"country": "country", "name": "full_name"}, "created_at": "created",
    }));
    assert_eq!(
        Mapping {
            short_form: Vec::new(),
            ..short.clone()
        },
        long
    );
    assert_eq!(short.to_json(), long.to_json());
    assert_eq!(mapping(long.to_json()), long);
    assert_eq!(long.check(&columns(), &types()), Ok(()));
    assert_eq!(
        long.columns(),
        [
            "country",
            "created",
            "email_address",
            "emails",
            "full_name",
            "id"
        ]
    );
}

#[test]
fn records_need_no_identifier_but_events_do() {
    let record = mapping(json!({"key": "id", "traits": {"name": "full_name"}}));
    assert_eq!(record.identifiers, []);
    assert_eq!(mapping(record.to_json()), record);
    let event = json!({"key": "id", "time": "created", "event": "Paid", "properties": "*"});
    let fault = Mapping::parse(&event).expect_err("an event of nobody");
    assert_eq!(fault.path, "identifiers");
}

#[test]
fn events_come_back() {
    for event in [json!("Order Completed"), json!({"column": "country"})] {
        for properties in [json!("*"), json!({"sum": "total"})] {
            let document = json!({
                "kind": "events", "key": ["id", "total"], "identifiers": {"user_id": ["id"]},
                "time": "created", "event": event, "properties": properties,
            });
            assert_eq!(mapping(document.clone()).to_json(), document);
        }
    }
    let short = mapping(json!({"user_id": "id", "time": "created", "event": "Paid"}));
    assert_eq!(short.kind, Kind::Events);
}

#[test]
fn faults_name_their_place() {
    for (document, path, message) in [
        (json!([]), "", "expected an object"),
        (json!({}), "identifiers", "no identifier is mapped"),
        (
            json!({"kind": "people", "user_id": "id"}),
            "kind",
            "expected \"records\" or \"events\"",
        ),
        (json!({"kind": 1, "user_id": "id"}), "kind", "found 1"),
        (json!({"user_id": 1}), "user_id", "the name of a column"),
        (json!({"user_id": []}), "user_id", "the names of columns"),
        (
            json!({"user_id": ["id", ""]}),
            "user_id[1]",
            "the name of a column",
        ),
        (
            json!({"user_id": ["id", "id"]}),
            "user_id[1]",
            "there twice",
        ),
        (
            json!({"identifiers": "id"}),
            "identifiers",
            "expected an object",
        ),
        (
            json!({"identifiers": {"user_id": null}}),
            "identifiers.user_id",
            "the name of a column",
        ),
        (
            json!({"identifiers": {"user_id": "id"}, "user_id": "id"}),
            "user_id",
            "is in \"identifiers\" too",
        ),
        (
            json!({"key": "id", "user_id": "id", "traits": 1}),
            "traits",
            "expected \"*\"",
        ),
        (
            json!({"key": "id", "user_id": "id", "traits": {"": "id"}}),
            "traits",
            "empty",
        ),
        (
            json!({"key": "id", "user_id": "id", "traits": {"a": 1}}),
            "traits.a",
            "found 1",
        ),
        (
            json!({"key": "id", "user_id": "id", "properties": "*"}),
            "properties",
            "has no",
        ),
        (
            json!({"key": "id", "user_id": "id", "max_per_profile": 0}),
            "max_per_profile",
            "above 0",
        ),
        (json!({"user_id": "id", "event": "A"}), "time", "needs it"),
        (
            json!({"kind": "events", "user_id": "id", "time": "created"}),
            "event",
            "needs it",
        ),
        (
            json!({"user_id": "id", "time": "created", "event": {"col": 1}}),
            "event",
            "{\"column\"",
        ),
        (
            json!({"user_id": "id", "time": "created", "event": " "}),
            "event",
            "the name of the event",
        ),
        (
            json!({"kind": "events", "user_id": "id", "event": "A", "time": "created", "traits": "*"}),
            "traits",
            "has no",
        ),
        (json!({"user_id": "id"}), "key", "no primary key"),
        (
            json!({"key": "idd", "user_id": "id"}),
            "key",
            "\"idd\" does not exist",
        ),
        (
            json!({"key": ["id", "x"], "user_id": "id"}),
            "key[1]",
            "\"x\" does not exist",
        ),
        (
            json!({"key": "id", "usr_id": "id"}),
            "usr_id",
            "type \"usr_id\" does not exist",
        ),
        (
            json!({"key": "id", "identifiers": {"email": ["emails", "mail"]}}),
            "identifiers.email[1]",
            "\"mail\" does not exist",
        ),
        (
            json!({"key": "id", "user_id": "id", "traits": {"a": "b"}}),
            "traits.a",
            "\"b\" does not exist",
        ),
        (
            json!({"key": "id", "user_id": "id", "created_at": "country"}),
            "created_at",
            "which is no time",
        ),
    ] {
        let error = fault(document.clone());
        assert_eq!(error.path, path, "{document}: {error}");
        assert!(error.message.contains(message), "{document}: {error}");
    }
}

#[test]
fn faults_propose_what_comes_near() {
    let hint = |document| fault(document).hint.unwrap_or_default();
    assert_eq!(
        hint(json!({"key": "id", "email": "email_adress"})),
        "Did you mean \"email_address\"?"
    );
    assert!(hint(json!({"key": "id", "e_mail": "emails"})).starts_with("Did you mean \"email\"?"));
    assert_eq!(
        hint(json!({"key": "id", "email": "zzz"})),
        "Its columns are: id, email_address, emails, full_name, country, created, changed, total."
    );
}

#[test]
fn a_record_says_what_is_mapped() {
    let mapping = mapping(json!({
        "key": "id", "user_id": "id", "email": ["email_address", "emails"],
        "traits": {"country": "country", "name": "full_name"},
        "created_at": "created", "updated_at": "changed",
    }));
    let says = read(
        &mapping,
        &[
            ("id", "integer", Some("7")),
            ("email_address", "text", Some("a@x")),
            ("emails", "text[]", Some("{b@x,NULL,a@x}")),
            ("full_name", "text", None),
            ("country", "text", Some("PT")),
            (
                "created",
                "timestamp with time zone",
                Some("1970-01-01 00:00:01+00"),
            ),
            (
                "changed",
                "timestamp without time zone",
                Some("1970-01-01 00:00:02"),
            ),
        ],
    )
    .expect("a good row");
    assert_eq!(says.key, "7");
    let shown: Vec<_> = says
        .identifiers
        .iter()
        .map(|(t, v)| format!("{t}={v}"))
        .collect();
    // Types in the order of the document's keys, which JSON does not keep.
    assert_eq!(shown, ["email=a@x", "email=b@x", "user_id=7"]);
    assert_eq!(says.traits, [("country".to_owned(), json!("PT"))]);
    assert_eq!(
        (says.created_at, says.time),
        (Some(1_000_000), Some(2_000_000))
    );
    assert_eq!(says.row["full_name"], Value::Null);
    assert_eq!(says.row["emails"], json!(["b@x", null, "a@x"]));
    assert_eq!((says.event, says.properties), (None, json!({})));
    assert!(says.missing.is_empty());
}

#[test]
fn all_columns_are_traits_but_those_with_another_meaning() {
    let mut mapping = mapping(json!({"key": "id", "email": "mail", "traits": "*"}));
    mapping.renamed = vec![("mail".into(), "e_mail".into())];
    let says = read(
        &mapping,
        &[
            ("id", "integer", Some("1")),
            ("e_mail", "text", Some("a@x")),
            ("vip", "boolean", Some("t")),
            ("plan", "text", None),
        ],
    )
    .expect("a good row");
    assert_eq!(says.traits, [("vip".to_owned(), json!(true))]);
    assert_eq!(says.identifiers, [("email".to_owned(), "a@x".to_owned())]);
}

#[test]
fn a_renamed_column_is_found_before_and_after() {
    let mut mapping = mapping(json!({"key": "id", "email": "mail"}));
    mapping.renamed = vec![("mail".into(), "e_mail".into())];
    for name in ["mail", "e_mail"] {
        let says = read(
            &mapping,
            &[("id", "integer", Some("1")), (name, "text", Some("a@x"))],
        );
        assert_eq!(says.expect("a good row").identifiers.len(), 1, "{name}");
    }
}

#[test]
fn a_dropped_column_is_null_and_reported() {
    let mapping =
        mapping(json!({"key": "id", "user_id": "id", "email": "mail", "traits": ["plan"]}));
    let says = read(&mapping, &[("id", "integer", Some("1"))]).expect("a good row");
    assert_eq!(says.missing, ["mail", "plan"]);
    assert_eq!(says.identifiers, [("user_id".to_owned(), "1".to_owned())]);
    assert!(says.traits.is_empty());
}

#[test]
fn keys_of_several_columns_cannot_be_confused() {
    let mapping = mapping(json!({"key": ["a", "b"], "user_id": "a"}));
    let key = |a, b| {
        read(&mapping, &[("a", "text", Some(a)), ("b", "text", Some(b))])
            .expect("a good row")
            .key
    };
    assert_eq!(key("x", "1"), r#"["x","1"]"#);
    assert_ne!(key("x\",\"y", "z"), key("x", "y\",\"z"));
    assert_ne!(key("", "x"), key("x", ""));
}

#[test]
fn an_event_needs_name_and_time() {
    let fixed = mapping(
        json!({"key": "id", "user_id": "id", "time": "at", "event": "Paid", "properties": "*"}),
    );
    let named = mapping(json!({
        "key": "id", "user_id": "id", "time": "at", "event": {"column": "what"},
        "properties": {"sum": "total"},
    }));
    let row = |at, what| {
        vec![
            ("id", "bigint", Some("1")),
            ("at", "date", at),
            ("what", "text", what),
            ("total", "numeric", Some("1.5")),
        ]
    };
    let says = read(&fixed, &row(Some("1970-01-02"), None)).expect("a good row");
    assert_eq!(
        (says.event.as_deref(), says.time),
        (Some("Paid"), Some(86_400_000_000))
    );
    assert_eq!(
        says.properties,
        json!({"id": 1, "at": "1970-01-02", "what": null, "total": 1.5})
    );
    let says = read(&named, &row(Some("1970-01-02"), Some("Refunded"))).expect("a good row");
    assert_eq!(says.event.as_deref(), Some("Refunded"));
    assert_eq!(says.properties, json!({"sum": 1.5}));
    for (at, what, reason) in [
        (None, Some("A"), Reason::MissingField),
        (Some("infinity"), Some("A"), Reason::BadTimestamp),
        (Some("1970-01-02"), None, Reason::MissingField),
        (Some("1970-01-02"), Some("  "), Reason::MissingField),
    ] {
        let rejection = read(&named, &row(at, what)).expect_err("a bad row");
        assert_eq!(rejection.reason, reason, "{at:?} {what:?}");
    }
}

#[test]
fn a_row_without_key_is_refused() {
    let mapping = mapping(json!({"key": ["id", "part"], "user_id": "id"}));
    let of = |columns: &[(&str, &str, Option<&str>)]| read(&mapping, columns).map_err(|r| r.reason);
    assert_eq!(
        of(&[("id", "integer", Some("1"))]),
        Err(Reason::MissingField)
    );
    assert_eq!(
        of(&[("id", "integer", Some("1")), ("part", "text", None)]),
        Err(Reason::MissingField)
    );
    let long = "x".repeat(2_000);
    assert_eq!(
        of(&[("id", "text", Some(&long)), ("part", "text", Some("1"))]),
        Err(Reason::TooLong)
    );
}

#[test]
fn a_changed_key_is_told() {
    let mapping = mapping(json!({"key": "id", "user_id": "id"}));
    let of = |old: &str| {
        let text = format!(
            r#"{{"rel":"t","op":"U","cols":["id","b"],"types":["integer","text"],"row":"(2,x)","old":{old}}}"#
        );
        former_key(&mapping, &parse_capture(&text).expect("a capture"))
    };
    assert_eq!(of("\"(1,x)\""), Some("1".to_owned()));
    assert_eq!(of("\"(2,y)\""), None);
    assert_eq!(of("\"(,y)\""), None);
    assert_eq!(of("null"), None);
}

#[test]
fn a_deletion_tells_its_key_alone() {
    let mapping = mapping(json!({"key": "id", "user_id": "who", "time": "at", "event": "Paid"}));
    let text = r#"{"rel":"t","op":"D","cols":["id"],"types":["integer"],"row":"(5)"}"#;
    let says = interpret_row(&mapping, &parse_capture(text).expect("a capture"));
    assert_eq!(says.map(|says| says.key), Ok("5".to_owned()));
}

#[test]
fn rows_that_do_not_fit_are_refused() {
    let mapping = mapping(json!({"key": "id", "user_id": "id"}));
    let names = ["id".to_owned()];
    let rejection = interpret(&mapping, &names, &[], &[None]).expect_err("a bad row");
    assert_eq!(rejection.reason, Reason::BadRecord);
}

proptest! {
    #[test]
    fn nothing_panics(
        document in "\\{(\"(kind|key|user_id|traits|event|time)\": ?(\"[a-z*]{0,3}\"|\\[\"a\"\\]|1|\\{\"a\": ?\"b\"\\}),?){0,4}\\}",
        names in prop::collection::vec("[a-c]", 0..4),
        value in any::<Option<String>>(),
        type_name in "(text|integer|date)(\\[\\])?",
    ) {
        let Ok(document) = serde_json::from_str(&document) else { return Ok(()) };
        let Ok(mapping) = Mapping::parse(&document) else { return Ok(()) };
        prop_assert_eq!(
            Mapping::parse(&mapping.to_json()).map(|again| again.to_json()),
            Ok(mapping.to_json())
        );
        let types = vec![type_name; names.len()];
        let values = vec![value; names.len()];
        let _ = interpret(&mapping, &names, &types, &values);
        let _ = mapping.check(&columns(), &names);
    }
}
