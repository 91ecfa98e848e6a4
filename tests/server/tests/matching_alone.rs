//! Matching alone: the rows of any query, with the rights of whoever asks, within its memory.

use std::time::{Duration, Instant};

use cdp_server_tests::fresh_db;
use cdp_server_tests::sql::{column, fails, one, run};

const SETTINGS: &str = r#"'{"random_pairs": 5000, "training_pairs": 2000}'"#;

/// People with a birth date each, and some of them twice, with a typo.
const PEOPLE: &str = "
CREATE TABLE public.people AS
SELECT p * 10 + n AS id, (ARRAY['Ana','Rui','Eva','João','李','Мария','Pedro','Inês'])[1 + p % 8] AS first_name,
       CASE n WHEN 1 THEN 'Si' || s ELSE s END || p % 7 AS surname, (date '1950-01-01' + p * 97)::text AS dob, p % 5 AS n, NULL::text AS email
  FROM generate_series(1, 90) p, generate_series(0, 1) n, (VALUES ('lva')) v (s) WHERE n <= p % 2";

#[test]
fn rows_of_a_query_are_matched_with_the_rights_of_who_asks() {
    let db = fresh_db();
    let mut c = db.connect();
    run(&mut c, PEOPLE);
    let dedupe = |query: &str| format!("cdp.dedupe($${query}$$, settings => {SETTINGS})");
    let (right, all): (i64, i64) = (
        one(
            &mut c,
            &format!(
                "SELECT count(*) FROM {} WHERE kind = 'link' AND a::int / 10 = b::int / 10",
                dedupe("TABLE people;")
            ),
        ),
        one(
            &mut c,
            &format!(
                "SELECT count(*) FROM {} WHERE kind = 'link'",
                dedupe("TABLE people")
            ),
        ),
    );
    assert!(
        right >= 40 && right * 10 >= all * 9,
        "{right} of {all} links, 45 are there"
    );
    // Across two queries: only pairs of both.
    let wrong: i64 = one(
        &mut c,
        &format!(
            "SELECT count(*) FROM cdp.link_records('SELECT * FROM people WHERE id % 10 = 0', \
                 'SELECT * FROM people WHERE id % 10 = 1', settings => {SETTINGS}) WHERE a::int % 10 <> 0 OR b::int % 10 <> 1"
        ),
    );
    assert_eq!(wrong, 0);
    // What does not depend on: threads, and the order of rows.
    let pairs = |client: &mut _, threads: i32, order: &str| -> Vec<String> {
        run(client, &format!("SET cdp.matching_threads = {threads}"));
        column(
            client,
            &format!(
                "SELECT concat_ws(' ', least(a::int, b::int), greatest(a::int, b::int), kind, weight) FROM {} ORDER BY 1",
                dedupe(&format!("SELECT * FROM people ORDER BY {order}"))
            ),
        )
    };
    let first = pairs(&mut c, 1, "id");
    assert_eq!(pairs(&mut c, 4, "id"), first);
    assert_eq!(pairs(&mut c, 2, "md5(id::text)"), first);
    // Nobody, one, two alike; nothing but empty texts.
    for rows in [
        "SELECT * FROM people WHERE false",
        "SELECT * FROM people LIMIT 1",
        "SELECT n, 'Ana' AS first_name, 'Reis' AS surname FROM generate_series(1, 2) n",
        "SELECT n, '' AS first_name, NULL::text AS surname FROM generate_series(1, 20) n",
    ] {
        run(&mut c, &format!("SELECT count(*) FROM {}", dedupe(rows)));
    }

    run(
        &mut c,
        "CREATE ROLE matching_stranger; GRANT cdp_reader TO matching_stranger; SET ROLE matching_stranger",
    );
    let (code, message) = fails(
        &mut c,
        &format!("SELECT * FROM {}", dedupe("TABLE public.people")),
    );
    assert_eq!(code, "42501", "{message}");
    let (code, _) = fails(&mut c, "SELECT cdp.create_matcher('people')");
    assert_eq!(code, "42501");
    run(&mut c, "RESET ROLE; DROP ROLE matching_stranger");

    for (call, code, what) in [
        (
            "cdp.dedupe('SELECT 1 AS id, 2 AS shoe_size')",
            "22023",
            "shoe_size",
        ),
        (
            "cdp.dedupe('TABLE people', key => 'nr')",
            "42704",
            "surname",
        ),
        ("cdp.dedupe('DELETE FROM people')", "42601", ""),
        ("cdp.dedupe(NULL)", "22023", "cdp.dedupe"),
    ] {
        let (found, message) = fails(&mut c, &format!("SELECT * FROM {call}"));
        assert_eq!(found, code, "{call}: {message}");
        assert!(message.contains(what), "{call}: {message}");
    }
}

#[test]
fn memory_is_bounded_and_a_cancel_is_followed() {
    let db = fresh_db();
    let mut c = db.connect();
    let many = "SELECT n, md5(n::text) AS first_name, md5((n / 2)::text) AS surname, (date '1950-01-01' + n % 20000)::text AS dob \
                  FROM generate_series(1, 30000) n";
    run(&mut c, "SET cdp.matching_memory = '1MB'");
    let (code, message) = fails(
        &mut c,
        &format!("SELECT * FROM cdp.dedupe('{}')", many.replace('\'', "''")),
    );
    assert_eq!(code, "53400", "{message}");
    assert!(message.contains("cdp.matching_memory"), "{message}");
    run(
        &mut c,
        "RESET cdp.matching_memory; SET statement_timeout = '200ms'",
    );
    let began = Instant::now();
    let (code, message) = fails(
        &mut c,
        &format!("SELECT * FROM cdp.dedupe('{}')", many.replace('\'', "''")),
    );
    assert_eq!(code, "57014", "{message}");
    assert!(
        began.elapsed() < Duration::from_secs(10),
        "{:?}",
        began.elapsed()
    );
}
