//! Matchers: from a mapped table of people to profiles, live and over all, reviewed by people.

use cdp_server_tests::sql::{column, fails, one, run};
use cdp_server_tests::{Client, TestDb, fresh_db};

/// Persons whose records differ by typos, moves and missing values, in `public.contacts`: the person is
/// `id / 10`. Every third has a partner at the same address with the same e-mail. Of `persons`, by no
/// chance.
fn contacts(persons: i32) -> String {
    format!(
        "CREATE TABLE public.contacts (id integer PRIMARY KEY, first_name text, last_name text, dob text, email text,
                                      street text, zip text, city text);
         CREATE FUNCTION public.said(p integer, n integer) RETURNS public.contacts LANGUAGE sql AS $$
            WITH w AS (SELECT ARRAY['ana','rui','eva','joao','maria','pedro','ines','tiago','clara','bruno','sofia','luis','rita','paulo','marta','hugo'] AS f,
                              ARRAY['silva','santos','ferreira','pereira','oliveira','costa','rodrigues','martins','sousa','gomes','lopes','marques','almeida','ribeiro','pinto','carvalho','teixeira','moreira','correia','mendes'] AS l,
                              ARRAY['rua augusta','avenida central','travessa nova','largo do carmo','rua direita','calcada velha'] AS s,
                              ARRAY['lisboa','porto','faro','braga','evora'] AS c),
                 h AS (SELECT abs(hashint4(p * 7919)) AS a, abs(hashint4(p * 104729 + 1)) AS b, abs(hashint4(p * 31 + 5)) AS d),
                 v AS (SELECT p * 10 + n AS id, initcap(w.f[1 + a % 16]) AS f, initcap(w.l[1 + b % 20]) AS l,
                              date '1940-01-01' + d % 22000 AS dob, w.s[1 + (a / 16) % 6] || ' ' || 1 + (b / 20) % 80 AS s,
                              (1000 + (a / 96) % 900)::text AS z, w.c[1 + (d / 7) % 5] AS c,
                              w.f[1 + a % 16] || '.' || w.l[1 + b % 20] || p || '@x.org' AS e FROM w, h)
            SELECT id, CASE n WHEN 2 THEN left(f, 1) || substr(f, 3) ELSE f END, CASE n WHEN 1 THEN l || 'e' ELSE l END,
                   CASE n WHEN 2 THEN NULL ELSE dob::text END, CASE n WHEN 1 THEN NULL ELSE e END,
                   s, z, CASE n WHEN 2 THEN NULL ELSE c END FROM v $$;
         INSERT INTO public.contacts SELECT s.* FROM generate_series(1, {persons}) p, generate_series(0, 2) n, public.said(p, n) s
          WHERE n < 1 + p % 3"
    )
}

const SETTINGS: &str = r#"{"random_pairs": 20000, "training_pairs": 5000}"#;

fn db(persons: i32) -> (TestDb, Client) {
    let db = fresh_db();
    let mut client = db.connect();
    run(&mut client, &contacts(persons));
    run(
        &mut client,
        "SELECT cdp.map_table('crm', 'public.contacts', '{\"traits\": {\"city\": \"city\"}}')",
    );
    run(&mut client, "CALL cdp.process_all()");
    (db, client)
}

fn matched(persons: i32) -> (TestDb, Client) {
    let (db, mut client) = db(persons);
    run(
        &mut client,
        &format!(
            "SELECT cdp.create_matcher('people', settings => '{SETTINGS}'); SELECT cdp.run_matcher('people')"
        ),
    );
    (db, client)
}

/// All that matching stores.
const STORED: &str = "
SELECT 'match ' || (to_jsonb(m) - 'matcher_id')::text FROM cdp.matches m
UNION ALL SELECT 'key ' || (to_jsonb(k) - 'matcher_id')::text FROM cdp.match_keys k
UNION ALL SELECT 'record ' || (to_jsonb(r) - 'matcher_id' - 'shown')::text || (SELECT coalesce(string_agg(n::text, ' ' ORDER BY n), '') FROM unnest(r.shown) n) FROM cdp.match_records r
UNION ALL SELECT 'node ' || c::text FROM cdp.clusters c
ORDER BY 1";

/// What is stored is what a rebuild derives.
#[track_caller]
fn rebuilt(client: &mut Client) {
    let before: Vec<String> = column(client, STORED);
    run(client, "SELECT cdp.rebuild()");
    let after: Vec<String> = column(client, STORED);
    let only = |one: &[String], other: &[String]| -> Vec<String> {
        one.iter()
            .filter(|line| !other.contains(line))
            .take(5)
            .cloned()
            .collect()
    };
    assert_eq!(
        only(&before, &after),
        Vec::<String>::new(),
        "only before the rebuild"
    );
    assert_eq!(
        only(&after, &before),
        Vec::<String>::new(),
        "only after the rebuild"
    );
}

#[test]
fn three_lines_match_a_table_of_contacts() {
    let (_db, mut c) = matched(120);
    let (found, right): (i64, i64) = (
        one(
            &mut c,
            "SELECT count(*) FROM cdp.match_pairs WHERE kind = 'link'",
        ),
        one(
            &mut c,
            "SELECT count(*) FROM cdp.match_pairs WHERE kind = 'link' AND key_a::integer / 10 = key_b::integer / 10",
        ),
    );
    // 40 persons with two records, 40 with three: 160 pairs.
    assert!(
        right >= 140 && right * 100 >= found * 97,
        "{right} of {found} links are right"
    );
    let merged: i64 = one(&mut c, "SELECT count(*) FROM cdp.profiles");
    assert!(
        (115..=135).contains(&merged),
        "{merged} profiles of 120 persons"
    );
    // What each comparison adds makes the weight of the pair.
    let wrong: i64 = one(
        &mut c,
        "SELECT count(*) FROM (SELECT * FROM cdp.match_pairs ORDER BY low, high LIMIT 20) p \
          WHERE weight <> (SELECT sum(e.weight) FROM cdp.explain_match('people', p.key_a, p.key_b) e)",
    );
    assert_eq!(wrong, 0);
    let why: String = one(
        &mut c,
        "SELECT kind || ' ' || reason FROM cdp.explain_identity('record:crm', '20', 'record:crm', '21')",
    );
    assert_eq!(why, "matched matcher people");
    rebuilt(&mut c);
}

#[test]
fn what_comes_in_is_matched_as_running_it_over_all_would() {
    let (_db, mut c) = matched(60);
    for change in [
        "INSERT INTO public.contacts SELECT s.* FROM generate_series(61, 75) p, generate_series(0, 2) n, public.said(p, n) s",
        "INSERT INTO public.contacts SELECT s.id + 3, s.first_name, s.last_name, s.dob, s.email, s.street, s.zip, s.city \
           FROM generate_series(1, 20) p, public.said(p, 0) s",
        "UPDATE public.contacts SET last_name = 'Outro', email = NULL WHERE id % 7 = 0",
        "UPDATE public.contacts SET email = 'familia@x.org' WHERE id < 60",
        "DELETE FROM public.contacts WHERE id % 4 = 1",
        "UPDATE public.contacts SET id = id + 5000 WHERE id % 9 = 0",
        "UPDATE public.contacts SET email = id || '@y.org' WHERE email = 'familia@x.org'",
        "TRUNCATE public.contacts",
    ] {
        run(&mut c, change);
        run(&mut c, "CALL cdp.process_all(7)");
        rebuilt(&mut c);
    }
    assert_eq!(
        one::<i64>(&mut c, "SELECT count(*) FROM cdp.match_records"),
        0
    );
    assert_eq!(one::<i64>(&mut c, "SELECT count(*) FROM cdp.matches"), 0);
}

#[test]
fn a_block_past_its_cap_gives_no_pairs_until_it_is_small_again() {
    let (_db, mut c) = matched(40);
    let before: Vec<String> = column(&mut c, STORED);
    // Placeholders in every column: as many alike as any rule allows, and then more.
    let alike = |from: i32, to: i32| {
        format!(
            "INSERT INTO public.contacts SELECT g, 'Test', 'Test', '1900-01-01', 'test@x.org', 'none 1', '0000', 'lisboa' \
               FROM generate_series({from}, {to}) g"
        )
    };
    for (from, to) in [(9001, 9012), (9013, 9030), (9031, 9400)] {
        run(&mut c, &alike(from, to));
        run(&mut c, "CALL cdp.process_all(50)");
        rebuilt(&mut c);
    }
    for keep in [9030, 9012, 9000] {
        run(
            &mut c,
            &format!("DELETE FROM public.contacts WHERE id > {keep}"),
        );
        run(&mut c, "CALL cdp.process_all(50)");
        rebuilt(&mut c);
    }
    assert_eq!(
        column::<String>(&mut c, STORED),
        before,
        "as if they had never come"
    );
}

#[test]
fn running_again_writes_what_is_not_stored_so_and_nothing_else() {
    let (_db, mut c) = matched(100);
    let rows = "SELECT ctid::text || last_key FROM cdp.match_key_pages UNION ALL SELECT ctid::text || node_id FROM cdp.match_records ORDER BY 1";
    let (stored, written): (Vec<String>, Vec<String>) =
        (column(&mut c, STORED), column(&mut c, rows));
    run(&mut c, "SELECT cdp.run_matcher('people')");
    assert_eq!(column::<String>(&mut c, STORED), stored);
    assert_eq!(
        column::<String>(&mut c, rows),
        written,
        "nothing is written anew"
    );
    run(
        &mut c,
        "DELETE FROM cdp.match_key_pages WHERE last_node % 3 = 0;
         UPDATE cdp.match_key_pages SET last_key = -last_key WHERE last_node % 5 = 0;
         UPDATE cdp.match_key_pages SET nodes = nodes || 7::bigint, keys = keys || last_key WHERE last_node % 5 = 1;
         INSERT INTO cdp.match_key_pages SELECT matcher_id, rule + 100, last_key, last_node, keys, nodes
           FROM cdp.match_key_pages WHERE last_node % 7 = 0;
         INSERT INTO cdp.match_key_changes SELECT keys[1], rule, matcher_id, nodes[1], true FROM cdp.match_key_pages WHERE last_node % 7 = 1;
         INSERT INTO cdp.match_key_changes SELECT key + 1, rule, matcher_id, node_id FROM cdp.match_keys WHERE node_id % 7 = 2;
         DELETE FROM cdp.match_records WHERE node_id % 3 = 0;
         UPDATE cdp.match_records SET said = '[]' WHERE node_id % 5 = 0;
         UPDATE cdp.match_records SET shown = '{-1}' WHERE node_id % 7 = 0;
         INSERT INTO cdp.match_records SELECT -node_id, matcher_id, said, shown FROM cdp.match_records",
    );
    assert_ne!(column::<String>(&mut c, STORED), stored);
    run(&mut c, "SELECT cdp.run_matcher('people')");
    assert_eq!(column::<String>(&mut c, STORED), stored, "it is mended");
    assert_eq!(
        one::<i64>(&mut c, "SELECT count(*) FROM cdp.match_key_changes"),
        0
    );
}

#[test]
fn what_goes_and_comes_back_is_stored_as_before() {
    let (_db, mut c) = matched(100);
    run(
        &mut c,
        "CREATE TABLE public.copy AS SELECT * FROM public.contacts",
    );
    let stored: Vec<String> = column(&mut c, STORED);
    let changes = "SELECT count(*) FILTER (WHERE NOT gone), count(*) FILTER (WHERE gone) FROM cdp.match_key_changes";
    for (change, some_come, back) in [
        (
            "DELETE FROM public.contacts WHERE id % 4 = 1",
            false,
            "INSERT INTO public.contacts SELECT * FROM public.copy WHERE id % 4 = 1",
        ),
        (
            "UPDATE public.contacts SET last_name = 'Outro', email = 'familia@x.org' WHERE id % 3 = 0",
            true,
            "UPDATE public.contacts t SET last_name = c.last_name, email = c.email FROM public.copy c WHERE c.id = t.id AND t.id % 3 = 0",
        ),
    ] {
        run(&mut c, change);
        run(&mut c, "CALL cdp.process_all(20)");
        assert_ne!(column::<String>(&mut c, STORED), stored);
        let row = c.query_one(changes, &[]).expect("counts");
        let (come, gone): (i64, i64) = (row.get(0), row.get(1));
        assert!(
            gone > 0 && (come > 0) == some_come,
            "{come} came, {gone} are gone"
        );
        run(&mut c, back);
        run(&mut c, "CALL cdp.process_all(30)");
        assert_eq!(column::<String>(&mut c, STORED), stored, "after {change}");
        let row = c.query_one(changes, &[]).expect("counts");
        assert_eq!((row.get::<_, i64>(0), row.get::<_, i64>(1)), (0, 0));
    }
}

#[test]
fn keys_as_an_older_version_stored_them_are_found() {
    let (_db, mut c) = matched(60);
    let stored: Vec<String> = column(&mut c, STORED);
    let pages = "SELECT p::text FROM cdp.match_key_pages p ORDER BY 1";
    let in_pages: Vec<String> = column(&mut c, pages);
    // Before there were pages, each was a row.
    let as_before = "CREATE TEMP TABLE old AS SELECT * FROM cdp.match_keys; DELETE FROM cdp.match_key_pages;
         INSERT INTO cdp.match_key_changes (key, rule, matcher_id, node_id) SELECT key, rule, matcher_id, node_id FROM old;
         DROP TABLE old";
    run(&mut c, as_before);
    assert_eq!(column::<String>(&mut c, STORED), stored);
    run(
        &mut c,
        "UPDATE public.contacts SET last_name = 'Outro', email = NULL WHERE id % 7 = 0;
         DELETE FROM public.contacts WHERE id % 4 = 1",
    );
    run(&mut c, "CALL cdp.process_all(7)");
    let keys = "SELECT k::text FROM cdp.match_keys k ORDER BY 1";
    let followed: Vec<String> = column(&mut c, STORED);
    let followed_keys: Vec<String> = column(&mut c, keys);
    assert_ne!(followed, stored);
    run(&mut c, "SELECT cdp.rebuild()");
    assert_eq!(column::<String>(&mut c, STORED), followed);
    assert_eq!(column::<String>(&mut c, keys), followed_keys);
    assert_eq!(
        one::<i64>(&mut c, "SELECT count(*) FROM cdp.match_key_changes"),
        0
    );
    assert_ne!(column::<String>(&mut c, pages), in_pages);
}

#[test]
fn decisions_stand_and_are_learned_from() {
    let (_db, mut c) = matched(60);
    let people = "SELECT string_agg(key, ' ' ORDER BY key) FROM cdp.profile_records GROUP BY profile_id ORDER BY 1";
    let before: Vec<String> = column(&mut c, people);
    // Two that are linked, and two that are not.
    let pair: Vec<String> = column(
        &mut c,
        "SELECT format('''crm'', %L, ''crm'', %L', key_a, key_b) FROM cdp.match_pairs \
          WHERE kind = 'link' AND decision = 'accepted' ORDER BY weight, low, high LIMIT 1",
    );
    let reject: i64 = one(
        &mut c,
        &format!(
            "SELECT cdp.reject_match({}, reason => 'father and son')",
            pair[0]
        ),
    );
    let accept: i64 = one(&mut c, "SELECT cdp.accept_match('crm', '10', 'crm', '30')");
    let decided: Vec<String> = column(&mut c, people);
    assert_ne!(decided, before);
    let one_person: bool = one(
        &mut c,
        "SELECT cdp.resolve('record:crm', '10') = cdp.resolve('record:crm', '30')",
    );
    assert!(one_person);
    assert_eq!(one::<i32>(&mut c, "SELECT cdp.train_matcher('people')"), 2);
    run(&mut c, "SELECT cdp.run_matcher('people')");
    let one_person: bool = one(
        &mut c,
        "SELECT cdp.resolve('record:crm', '10') = cdp.resolve('record:crm', '30')",
    );
    assert!(one_person, "it survives a run");
    let kept: i64 = one(
        &mut c,
        &format!(
            "SELECT count(*) FROM cdp.assertion_log WHERE stands AND reason = 'father and son' AND change_id = {reject}"
        ),
    );
    assert_eq!(kept, 1);
    rebuilt(&mut c);
    run(
        &mut c,
        &format!("SELECT cdp.undo({reject}); SELECT cdp.undo({accept})"),
    );
    run(
        &mut c,
        "SELECT cdp.train_matcher('people'); SELECT cdp.run_matcher('people')",
    );
    assert_eq!(
        column::<String>(&mut c, people),
        before,
        "as if nobody had decided"
    );
    // A pair for review that somebody decides is reviewed no more.
    run(
        &mut c,
        "DELETE FROM cdp.matches m USING cdp.match_pairs p \
          WHERE (m.low, m.high) = (p.low, p.high) AND '10' IN (key_a, key_b) AND '30' IN (key_a, key_b);
         INSERT INTO cdp.matches (low, high, matcher_id, kind, weight, probability, household) \
         SELECT least(a.node_id, b.node_id), greatest(a.node_id, b.node_id), matcher_id, 'review', -50, 0.4, 0 \
           FROM cdp.matchers, cdp.identifiers a, cdp.identifiers b \
          WHERE a.value = '10' AND b.value = '30' AND a.type_id = b.type_id",
    );
    let open: String = one(
        &mut c,
        "SELECT format('%L, %L, %L, %L', source_a, key_a, source_b, key_b) FROM cdp.match_review \
          ORDER BY key_a, key_b LIMIT 1",
    );
    let waiting: i64 = one(&mut c, "SELECT count(*) FROM cdp.match_review");
    run(&mut c, &format!("SELECT cdp.accept_match({open})"));
    assert_eq!(
        one::<i64>(&mut c, "SELECT count(*) FROM cdp.match_review"),
        waiting - 1
    );
}

#[test]
fn a_dropped_matcher_gives_back_what_was() {
    let (_db, mut c) = db(45);
    let ids = "SELECT format('%s %s', node_id, profile_id) FROM cdp.clusters ORDER BY 1";
    let before: Vec<String> = column(&mut c, ids);
    run(
        &mut c,
        &format!(
            "SELECT cdp.create_matcher('people', settings => '{SETTINGS}'); SELECT cdp.run_matcher('people')"
        ),
    );
    let matched: Vec<String> = column(&mut c, ids);
    assert_ne!(matched, before);
    // As a document it is the same, and without it it is dropped.
    let config: String = one(&mut c, "SELECT cdp.config()::text");
    assert_eq!(
        one::<i64>(
            &mut c,
            &format!("SELECT count(*) FROM cdp.plan($config${config}$config$)")
        ),
        0
    );
    run(&mut c, "SELECT cdp.apply('{\"matchers\": []}')");
    assert_eq!(column::<String>(&mut c, ids), before);
    for table in [
        "matchers",
        "matcher_models",
        "matches",
        "match_key_pages",
        "match_key_changes",
        "match_records",
    ] {
        assert_eq!(
            one::<i64>(&mut c, &format!("SELECT count(*) FROM cdp.{table}")),
            0,
            "{table}"
        );
    }
    run(
        &mut c,
        &format!("SELECT cdp.apply($config${config}$config$)"),
    );
    run(&mut c, "SELECT cdp.run_matcher('people')");
    assert_eq!(
        column::<String>(&mut c, ids),
        matched,
        "the same records give the same model"
    );
}

#[test]
fn one_record_is_found_among_all() {
    let (_db, mut c) = matched(60);
    let found: Vec<String> = column(
        &mut c,
        "SELECT concat_ws(' ', source, key, kind, profile_id = cdp.resolve('record:crm', '20')) \
           FROM public.contacts p, cdp.match_candidates('people', to_jsonb(p) - 'id') WHERE p.id = 20 ORDER BY weight DESC",
    );
    for expected in ["crm 20 link t", "crm 21 link t"] {
        assert!(found.iter().any(|line| line == expected), "{found:?}");
    }
    // By what columns mean as well as by their names.
    let by_meaning: i64 = one(
        &mut c,
        "SELECT count(*) FROM public.contacts p, cdp.match_candidates('people', \
             jsonb_build_object('first_name', first_name, 'last_name', last_name, 'birth_date', dob, 'email', email)) \
          WHERE p.id = 20 AND key = '20'",
    );
    assert_eq!(by_meaning, 1);
    let (code, message) = fails(
        &mut c,
        "SELECT cdp.match_candidates('people', '{\"shoe_size\": 43}')",
    );
    assert_eq!(code, "22023", "{message}");
    assert!(message.contains("birth_date"), "{message}");
    let (code, _) = fails(&mut c, "SELECT cdp.match_candidates('others', '{}')");
    assert_eq!(code, "42704");
}

#[test]
fn faults_are_told_with_what_to_do() {
    let db = fresh_db();
    let mut c = db.connect();
    let (code, message) = fails(&mut c, "SELECT cdp.create_matcher('people')");
    assert_eq!(code, "22023");
    assert!(message.contains("cdp.map_table"), "{message}");
    run(
        &mut c,
        "CREATE TABLE public.odd (id integer PRIMARY KEY, a text, b text); \
         SELECT cdp.map_table('odd', 'public.odd', '{\"traits\": {\"city\": \"b\"}}')",
    );
    for (call, code, what) in [
        ("cdp.create_matcher('people')", "22023", "first_name"),
        ("cdp.create_matcher('people', '{web}')", "42704", "web"),
        (
            "cdp.create_matcher('people', columns => '{\"a\": \"shoe_size\"}')",
            "22023",
            "first_name, middle_name",
        ),
        (
            "cdp.create_matcher('people', columns => '{\"c\": \"email\"}')",
            "42704",
            "a, b",
        ),
        (
            "cdp.create_matcher('people', columns => '{\"a\": \"last_name\"}', settings => '{\"fast\": true}')",
            "22023",
            "fast",
        ),
        ("cdp.run_matcher('people')", "42704", "create_matcher"),
        (
            "cdp.accept_match('odd', '1', 'web', '1')",
            "42704",
            "record:web",
        ),
    ] {
        let (found, message) = fails(&mut c, &format!("SELECT {call}"));
        assert_eq!(found, code, "{call}: {message}");
        assert!(message.contains(what), "{call}: {message}");
    }
    // Nobody there, one, two alike, a column without any value.
    run(
        &mut c,
        "SELECT cdp.create_matcher('people', columns => '{\"a\": \"last_name\", \"b\": \"birth_date\"}')",
    );
    for row in ["(1, 'Reis', NULL)", "(2, 'Reis', NULL)"] {
        run(&mut c, "SELECT cdp.run_matcher('people')");
        run(&mut c, &format!("INSERT INTO public.odd VALUES {row}"));
        run(&mut c, "CALL cdp.process_all()");
    }
    run(
        &mut c,
        "SELECT cdp.train_matcher('people'); SELECT cdp.run_matcher('people')",
    );
    rebuilt(&mut c);
}
