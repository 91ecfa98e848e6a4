//! Functions of texts: their values, what they are declared as, and bad input.

use cdp_server_tests::sql::{column, fails, one, run};
use cdp_server_tests::{TestDb, fresh_db};

fn text(db: &TestDb, expression: &str) -> Option<String> {
    one(&mut db.connect(), &format!("SELECT ({expression})::text"))
}

#[test]
fn they_give_the_published_values() {
    let db = fresh_db();
    for (expression, expected) in [
        (
            "round(cdp.jaro_winkler('MARTHA', 'MARHTA')::numeric, 6)",
            "0.961111",
        ),
        ("cdp.jaro_winkler('', '')", "1"),
        ("cdp.levenshtein('kitten', 'sitting')", "3"),
        ("cdp.levenshtein('田中', '田中さん')", "2"),
        ("cdp.damerau_levenshtein('ca', 'abc')", "2"),
        (
            "round(cdp.jaccard('night', 'nacht')::numeric, 6)",
            "0.142857",
        ),
        ("cdp.jaccard('night', 'thing', 1)", "1"),
        (
            "cdp.jaccard(ARRAY['a', 'b', NULL], ARRAY['b', 'a', 'a'])",
            "1",
        ),
        ("cdp.jaccard('{}'::text[], '{}')", "1"),
        ("cdp.jaccard(ARRAY['a'], '{}')", "0"),
        ("cdp.double_metaphone('Smith')", "{SM0,XMT}"),
        ("cdp.double_metaphone('Thomas')", "{TMS}"),
        ("cdp.double_metaphone('田中')", "{}"),
        (
            "cdp.normalize_email(' Jane <JANE@Example.com>')",
            "jane@example.com",
        ),
        (
            "cdp.normalize_phone('+44 (0)20 7946 0018')",
            "+442079460018",
        ),
        ("cdp.normalize_phone('(201) 555-0123')", "2015550123"),
        (
            "cdp.normalize_phone('(201) 555-0123', 'us')",
            "+12015550123",
        ),
        ("cdp.normalize_name('Dr. JOSÉ  O''Brien')", "jose obrien"),
        ("cdp.normalize_name('Андрей')", "андрей"),
        (
            "cdp.normalize_address('12 North Main Street #4')",
            "12 n main st apt 4",
        ),
    ] {
        assert_eq!(
            text(&db, expression).as_deref(),
            Some(expected),
            "{expression}"
        );
    }
}

#[test]
fn what_is_none_is_null() {
    let db = fresh_db();
    for expression in [
        "cdp.jaro_winkler(NULL, 'a')",
        "cdp.jaccard('a', 'b', NULL)",
        "cdp.double_metaphone(NULL)",
        "cdp.normalize_email('jane at example')",
        "cdp.normalize_email('')",
        "cdp.normalize_phone('n/a')",
        "cdp.normalize_phone('12', 'US')",
        "cdp.normalize_name(' -- ')",
        "cdp.normalize_address('')",
        "cdp.normalize_address(NULL)",
    ] {
        assert_eq!(text(&db, expression), None, "{expression}");
    }
}

#[test]
fn what_cannot_be_compared_is_told() {
    let db = fresh_db();
    let mut client = db.connect();
    // As many as are allowed, of two bytes each.
    assert_eq!(
        one::<i32>(
            &mut client,
            "SELECT cdp.damerau_levenshtein(repeat('é', 2048), repeat('e', 2048))"
        ),
        2048
    );
    for function in ["jaro_winkler", "levenshtein", "damerau_levenshtein"] {
        let (code, said) = fails(
            &mut client,
            &format!("SELECT cdp.{function}('a', repeat('é', 2049))"),
        );
        assert_eq!(code, "22023", "{said}");
        assert!(said.contains(&format!("cdp.{function}()")), "{said}");
    }
    for (sql, part) in [
        ("SELECT cdp.jaccard('a', 'b', 0)", "n is 0"),
        ("SELECT cdp.normalize_phone('1', 'Utopia')", "Utopia"),
    ] {
        let (code, said) = fails(&mut client, sql);
        assert_eq!(code, "22023", "{said}");
        assert!(said.contains(part), "{said}");
    }
}

#[test]
fn they_can_be_indexed_and_run_in_parallel() {
    let db = fresh_db();
    let mut client = db.connect();
    let otherwise: Vec<String> = column(
        &mut client,
        "SELECT oid::regprocedure::text FROM pg_proc \
          WHERE pronamespace = 'cdp'::regnamespace \
            AND (proname LIKE 'normalize%' OR proname IN ('jaro_winkler', 'levenshtein', 'damerau_levenshtein', \
                 'jaccard', 'double_metaphone')) \
            AND NOT (provolatile = 'i' AND proparallel = 's' AND proisstrict)",
    );
    assert_eq!(otherwise, [""; 0]);
    run(
        &mut client,
        "CREATE TABLE contacts (name text);
         INSERT INTO contacts SELECT 'Person ' || n FROM generate_series(1, 1000) n;
         CREATE INDEX ON contacts (cdp.normalize_name(name));
         CREATE INDEX ON contacts USING gin (cdp.double_metaphone(name));
         ANALYZE contacts;
         SET enable_seqscan = off",
    );
    for condition in [
        "cdp.normalize_name(name) = cdp.normalize_name('PERSON 7')",
        "cdp.double_metaphone(name) && cdp.double_metaphone('Parson')",
    ] {
        let plan: Vec<String> = column(
            &mut client,
            &format!("EXPLAIN (COSTS off) SELECT FROM contacts WHERE {condition}"),
        );
        assert!(plan.join("\n").contains("Index"), "{plan:?}");
    }
}
