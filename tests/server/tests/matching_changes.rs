//! Records that change in any way: what a matcher finds as they come is what running it over all finds, and
//! what a rebuild derives. What is revoked or deleted is found no more.

use cdp_server_tests::sql::{Tables, assert_same, column, one, run, tables};
use cdp_server_tests::{Client, TestDb, fresh_db};

/// Numbers drawn from a seed.
struct Drawn(u64);

impl Drawn {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// Less than so many.
    fn below(&mut self, most: usize) -> usize {
        (self.next() % most as u64) as usize
    }

    fn of<'a>(&mut self, among: &[&'a str]) -> &'a str {
        among[self.below(among.len())]
    }
}

const FIRST: [&str; 12] = [
    "Ana", "Rui", "Eva", "João", "Maria", "Pedro", "Inês", "Tiago", "Clara", "Bruno", "Sofia", "李",
];
const LAST: [&str; 14] = [
    "Silva", "Santos", "Ferreira", "Pereira", "Oliveira", "Costa", "Martins", "Sousa", "Gomes",
    "Lopes", "Marques", "Almeida", "Ribeiro", "Pinto",
];
const STREETS: [&str; 5] = [
    "Rua Augusta",
    "Avenida Central",
    "Travessa Nova",
    "Largo do Carmo",
    "Rua Direita",
];
const CITIES: [&str; 4] = ["Lisboa", "Porto", "Faro", "Braga"];
/// Columns, and what stands in them for nothing.
const COLUMNS: [(&str, &str); 7] = [
    ("first_name", "Test"),
    ("last_name", "Test"),
    ("dob", "1900-01-01"),
    ("email", "none@none.com"),
    ("street", "n/a"),
    ("zip", "0000"),
    ("city", "x"),
];

/// What a person says in each column: always the same of the same person.
fn said(person: usize) -> Vec<String> {
    let mut drawn = Drawn(person as u64 * 77);
    let (first, last) = (drawn.of(&FIRST), drawn.of(&LAST));
    let born = format!(
        "{}-{:02}-{:02}",
        1940 + drawn.below(60),
        1 + drawn.below(12),
        1 + drawn.below(28)
    );
    // Two of a household share the e-mail and the address.
    let household = person / 2;
    let mut drawn = Drawn(household as u64 * 31 + 5);
    vec![
        first.to_owned(),
        last.to_owned(),
        born,
        format!("{}{household}@x.org", drawn.of(&LAST).to_lowercase()),
        format!("{} {}", drawn.of(&STREETS), 1 + drawn.below(80)),
        (1000 + drawn.below(900)).to_string(),
        drawn.of(&CITIES).to_owned(),
    ]
}

fn quoted(value: &Option<String>) -> String {
    match value {
        None => "NULL".to_owned(),
        Some(text) => format!("'{}'", text.replace('\'', "''")),
    }
}

/// A record of a person, with faults.
fn record(drawn: &mut Drawn, person: usize) -> Vec<Option<String>> {
    let faulty = |drawn: &mut Drawn, (n, text): (usize, String)| match drawn.below(16) {
        0 => None,
        1 => Some(COLUMNS[n].1.to_owned()),
        2 => Some(text.chars().skip(1).collect()),
        3 => Some(format!("{text}e")),
        4 => Some(String::new()),
        5 => Some(text.to_uppercase()),
        _ => Some(text),
    };
    said(person)
        .into_iter()
        .enumerate()
        .map(|column| faulty(drawn, column))
        .collect()
}

/// One change of the records, in SQL.
fn change(drawn: &mut Drawn, next: &mut i64) -> String {
    let table = ["people", "clients"][usize::from(drawn.below(4) == 0)];
    let person = drawn.below(60);
    let values = record(drawn, person);
    let some = format!(
        "id = (SELECT id FROM public.{table} ORDER BY hashint8(id + {}) LIMIT 1)",
        drawn.below(1_000)
    );
    let insert = |id: i64| {
        let values: Vec<String> = values.iter().map(quoted).collect();
        format!(
            "INSERT INTO public.{table} VALUES ({id}, {})",
            values.join(", ")
        )
    };
    match drawn.below(14) {
        0..=5 => {
            *next += 1;
            insert(*next)
        }
        6 | 7 => {
            let column = drawn.below(COLUMNS.len());
            format!(
                "UPDATE public.{table} SET {} = {} WHERE {some}",
                COLUMNS[column].0,
                quoted(&values[column])
            )
        }
        8 => {
            let all: Vec<String> = COLUMNS
                .iter()
                .zip(&values)
                .map(|((name, _), value)| format!("{name} = {}", quoted(value)))
                .collect();
            format!("UPDATE public.{table} SET {} WHERE {some}", all.join(", "))
        }
        9 => {
            *next += 1;
            format!("UPDATE public.{table} SET id = {next} WHERE {some}")
        }
        10 | 11 => format!("DELETE FROM public.{table} WHERE {some}"),
        // Many alike, or many that were alike and are not any more.
        12 => {
            let (name, nothing) = COLUMNS[drawn.below(COLUMNS.len())];
            let part = 2 + drawn.below(3);
            format!("UPDATE public.{table} SET {name} = '{nothing}' WHERE id % {part} = 0")
        }
        _ => format!("DELETE FROM public.{table} WHERE email = 'none@none.com' AND id % 2 = 1"),
    }
}

/// What somebody says by hand of the records, in SQL.
fn by_hand(drawn: &mut Drawn) -> String {
    let some = |drawn: &mut Drawn| {
        format!(
            "(SELECT key FROM cdp.records JOIN cdp.sources USING (source_id) WHERE name = 'crm' \
              ORDER BY hashtext(key || {}) LIMIT 1)",
            drawn.below(1_000)
        )
    };
    let (a, b) = (some(drawn), some(drawn));
    match drawn.below(5) {
        0 => format!("SELECT cdp.accept_match('crm', {a}, 'crm', {b}) WHERE {a} <> {b}"),
        1 => format!("SELECT cdp.reject_match('crm', {a}, 'crm', {b}) WHERE {a} <> {b}"),
        2 => format!("SELECT cdp.revoke_message('crm', {a})"),
        3 => "SELECT cdp.revoke_source('shop') WHERE NOT EXISTS (SELECT 1 FROM cdp.assertion_log WHERE kind = 'revoke_source' AND stands)"
            .to_owned(),
        _ => format!(
            "SELECT cdp.undo(change_id) FROM (SELECT change_id FROM cdp.assertion_log WHERE stands AND kind <> 'undo' \
              ORDER BY hashint8(change_id + {}) LIMIT 1) c",
            drawn.below(1_000)
        ),
    }
}

const MATCHER: &str = r#"SELECT cdp.create_matcher('people', '{crm,shop}',
    settings => '{"random_pairs": 20000, "training_pairs": 5000}')"#;

/// Two tables of people, mapped, and a matcher of both that was run.
fn db(drawn: &mut Drawn, records: i64, identifiers: &str) -> (TestDb, Client) {
    let db = fresh_db();
    let mut client = db.connect();
    for (table, source) in [("people", "crm"), ("clients", "shop")] {
        let columns: Vec<String> = COLUMNS
            .iter()
            .map(|(name, _)| format!("{name} text"))
            .collect();
        run(
            &mut client,
            &format!(
                "CREATE TABLE public.{table} (id bigint PRIMARY KEY, {})",
                columns.join(", ")
            ),
        );
        for id in 1..=records {
            let person = drawn.below(60);
            let values: Vec<String> = record(drawn, person).iter().map(quoted).collect();
            run(
                &mut client,
                &format!(
                    "INSERT INTO public.{table} VALUES ({id}, {})",
                    values.join(", ")
                ),
            );
        }
        run(
            &mut client,
            &format!(
                "SELECT cdp.map_table('{source}', 'public.{table}', '{{{identifiers}\"traits\": {{\"city\": \"city\"}}}}')"
            ),
        );
    }
    run(&mut client, "CALL cdp.process_all()");
    run(&mut client, MATCHER);
    run(&mut client, "SELECT cdp.run_matcher('people')");
    (db, client)
}

/// All but when segments were evaluated, and what a run told of itself.
fn derived(client: &mut Client) -> Tables {
    tables(client, &["segments", "matcher_models"])
}

/// What is stored is what a run over all finds, and what a rebuild derives.
#[track_caller]
fn check(client: &mut Client, what: &str) {
    let live = derived(client);
    run(client, "SELECT cdp.run_matcher('people')");
    assert_same(&format!("a run {what}"), &live, &derived(client));
    run(client, "SELECT cdp.rebuild()");
    assert_same(&format!("a rebuild {what}"), &live, &derived(client));
}

fn drawn_changes(seed: u64, identifiers: &str) {
    let mut drawn = Drawn(seed);
    let (_db, mut c) = db(&mut drawn, 45, identifiers);
    check(&mut c, "at first");
    let mut next = 1_000;
    let mut said = Vec::new();
    let mut found = 0;
    for batch in 0..12 {
        for _ in 0..1 + drawn.below(8) {
            let sql = match drawn.below(8) {
                0 => by_hand(&mut drawn),
                _ => change(&mut drawn, &mut next),
            };
            said.push(sql.clone());
            run(&mut c, &sql);
        }
        let size = [1, 3, 50][drawn.below(3)];
        run(&mut c, &format!("CALL cdp.process_all({size})"));
        if batch % 5 == 4 {
            said.push("train".to_owned());
            run(
                &mut c,
                "SELECT cdp.train_matcher('people'); SELECT cdp.run_matcher('people')",
            );
        }
        check(
            &mut c,
            &format!("after batch {batch} of seed {seed}:\n{}", said.join(";\n")),
        );
        found += one::<i64>(
            &mut c,
            "SELECT count(*) FROM cdp.matches WHERE kind = 'link'",
        );
    }
    assert!(found > 50, "{found} links in all");
}

/// Seeds: these, or from and to in CDP_SEEDS, as in CDP_SEEDS=100-200.
fn seeds(usual: std::ops::RangeInclusive<u64>) -> std::ops::RangeInclusive<u64> {
    let given = std::env::var("CDP_SEEDS").ok();
    let given = given.as_deref().and_then(|given| given.split_once('-'));
    given.map_or(usual, |(from, to)| {
        let number = |text: &str| text.parse().expect("a number");
        number(from)..=number(to)
    })
}

#[test]
fn drawn_changes_of_records_with_a_common_identifier() {
    for seed in seeds(1..=2) {
        drawn_changes(seed, "\"email\": \"email\", ");
    }
}

#[test]
fn drawn_changes_of_records_without_identifiers() {
    for seed in seeds(3..=3) {
        drawn_changes(seed, "");
    }
}

/// Who is one person, by their records.
fn people(client: &mut Client) -> Vec<String> {
    column(
        client,
        "SELECT string_agg(source || ' ' || key, ', ' ORDER BY source, key) FROM cdp.profile_records \
          GROUP BY profile_id ORDER BY 1",
    )
}

/// What is found: kinds and weights.
fn matches(client: &mut Client) -> Vec<String> {
    column(client, "SELECT m::text FROM cdp.matches m ORDER BY 1")
}

#[track_caller]
fn assert_as_at_first(client: &mut Client, found: &[String], persons: &[String]) {
    for (now, then) in [(matches(client), found), (people(client), persons)] {
        let gone: Vec<_> = then.iter().filter(|row| !now.contains(row)).collect();
        let new: Vec<_> = now.iter().filter(|row| !then.contains(row)).collect();
        assert!(
            gone.is_empty() && new.is_empty(),
            "gone {gone:?}, new {new:?}"
        );
    }
}

#[test]
fn what_is_revoked_or_deleted_is_found_no_more() {
    for identifiers in ["", "\"email\": \"email\", "] {
        let (_db, mut c) = db(&mut Drawn(7), 60, identifiers);
        let (found, persons) = (matches(&mut c), people(&mut c));
        let across =
            "SELECT count(*) FROM cdp.match_pairs WHERE kind = 'link' AND source_a <> source_b";
        let with_shop = "SELECT count(*) FROM cdp.match_pairs WHERE 'shop' IN (source_a, source_b)";
        assert!(one::<i64>(&mut c, across) > 5);

        // All of a source.
        let change: i64 = one(&mut c, "SELECT cdp.revoke_source('shop')");
        assert_eq!(one::<i64>(&mut c, with_shop), 0);
        check(&mut c, "after a source was revoked");
        // What it says now counts for nothing either.
        run(
            &mut c,
            "UPDATE public.clients SET first_name = first_name || 'a' WHERE id % 5 = 0",
        );
        run(&mut c, "CALL cdp.process_all()");
        assert_eq!(one::<i64>(&mut c, with_shop), 0);
        check(&mut c, "after a revoked source went on");
        run(
            &mut c,
            "UPDATE public.clients SET first_name = left(first_name, -1) WHERE id % 5 = 0",
        );
        run(&mut c, "CALL cdp.process_all()");
        run(&mut c, &format!("SELECT cdp.undo({change})"));
        assert_as_at_first(&mut c, &found, &persons);
        check(&mut c, "after that was undone");

        // One record of each link.
        let keys: Vec<String> = column(
            &mut c,
            "SELECT DISTINCT key_a FROM cdp.match_pairs WHERE kind = 'link' AND source_a = 'crm' ORDER BY 1",
        );
        let revoke = |key: &String| format!("SELECT cdp.revoke_message('crm', '{key}')");
        let changes: Vec<i64> = keys.iter().map(|key| one(&mut c, &revoke(key))).collect();
        let left = "SELECT count(*) FROM cdp.match_pairs p JOIN cdp.assertion_log a ON a.kind = 'revoke_message' AND a.stands \
            AND ((source_a, key_a) = ('crm', a.message_id) OR (source_b, key_b) = ('crm', a.message_id))";
        assert_eq!(one::<i64>(&mut c, left), 0);
        check(&mut c, "after records were revoked");
        for change in changes {
            run(&mut c, &format!("SELECT cdp.undo({change})"));
        }
        assert_as_at_first(&mut c, &found, &persons);

        // Deleted, and there again.
        run(
            &mut c,
            "CREATE TABLE public.kept AS SELECT * FROM public.people WHERE id % 3 = 0;
             DELETE FROM public.people WHERE id % 3 = 0",
        );
        run(&mut c, "CALL cdp.process_all()");
        let left = "SELECT count(*) FROM cdp.match_pairs \
            WHERE source_a = 'crm' AND key_a::int % 3 = 0 OR source_b = 'crm' AND key_b::int % 3 = 0";
        assert_eq!(one::<i64>(&mut c, left), 0);
        check(&mut c, "after records were deleted");
        run(
            &mut c,
            "INSERT INTO public.people SELECT * FROM public.kept",
        );
        run(&mut c, "CALL cdp.process_all()");
        assert_as_at_first(&mut c, &found, &persons);
        check(&mut c, "after records came again");
        // All that a source ever said is withdrawn.
        run(&mut c, "SELECT cdp.unmap_table('shop', withdraw => true)");
        run(&mut c, "CALL cdp.process_all()");
        assert_eq!(one::<i64>(&mut c, with_shop), 0);
        check(&mut c, "after a source was withdrawn");
    }
}

/// What was decided of pairs stands whatever is found of them: after a run, a training, a rebuild.
/// What the library found when it compared otherwise hinders nobody: it is judged anew with what it hangs
/// together with.
#[test]
fn what_an_older_version_found_is_judged_anew() {
    let (_db, mut c) = db(&mut Drawn(11), 40, "");
    let strangers = "SELECT a.node_id AS low, b.node_id AS high, a.matcher_id FROM cdp.match_records a \
        JOIN cdp.match_records b USING (matcher_id) \
       WHERE a.node_id < b.node_id AND NOT EXISTS \
             (SELECT FROM cdp.matches m WHERE m.low = a.node_id AND m.high = b.node_id)";
    // A quarter of what is no match at all.
    let stored = format!(
        "INSERT INTO cdp.matches (low, high, matcher_id, kind, weight, probability) \
         SELECT low, high, matcher_id, 'review', 200, 0.8 FROM ({strangers}) s WHERE (low + high) % 4 = 0"
    );
    assert!(c.execute(&stored, &[]).expect("pairs") > 100);
    run(
        &mut c,
        "UPDATE public.people SET city = coalesce(city, '') || 'x' WHERE id % 3 = 0",
    );
    run(&mut c, "CALL cdp.process_all()");
    let dead: Vec<String> = column(&mut c, "SELECT d::text FROM cdp.dead_letter d");
    assert_eq!(dead, [""; 0]);
    let left = "SELECT count(*) FROM cdp.matches WHERE weight = 200";
    assert_eq!(one::<i64>(&mut c, left), 0);
    check(&mut c, "after what an older version found");
}

#[test]
fn decisions_survive_runs_and_trainings() {
    let (_db, mut c) = db(&mut Drawn(11), 60, "");
    let some = |client: &mut Client, kind: &str, more: &str| -> Vec<String> {
        column(
            client,
            &format!(
                "SELECT format('%L, %L, %L, %L', source_a, key_a, source_b, key_b) FROM cdp.match_pairs \
                  WHERE {kind} ORDER BY weight, low, high LIMIT {more}"
            ),
        )
    };
    let rejected = some(&mut c, "kind = 'link' AND decision = 'accepted'", "8");
    let mut accepted = some(&mut c, "kind = 'review' AND profile_a <> profile_b", "4");
    // And of one that no rule would ever find.
    let far: String = one(
        &mut c,
        "SELECT format('%L, %L, %L, %L', 'crm', a.key, 'crm', b.key) FROM cdp.profile_records a, cdp.profile_records b \
          WHERE a.source = 'crm' AND b.source = 'crm' AND a.profile_id <> b.profile_id \
            AND NOT EXISTS (SELECT 1 FROM cdp.match_pairs p \
                             WHERE a.profile_id IN (profile_a, profile_b) OR b.profile_id IN (profile_a, profile_b)) \
          ORDER BY a.key, b.key LIMIT 1",
    );
    accepted.push(far);
    assert_eq!((rejected.len(), accepted.len()), (8, 5));
    for pair in &rejected {
        run(&mut c, &format!("SELECT cdp.reject_match({pair})"));
    }
    for pair in &accepted {
        run(&mut c, &format!("SELECT cdp.accept_match({pair})"));
    }
    let one_person = |client: &mut Client, pair: &String| -> bool {
        one(
            client,
            &format!(
                "SELECT cdp.resolve('record:' || a, b) = cdp.resolve('record:' || c, d) FROM (VALUES ({pair})) p (a, b, c, d)"
            ),
        )
    };
    let decided = |client: &mut Client, when: &str| {
        let review: Vec<String> = column(
            client,
            "SELECT format('%L, %L, %L, %L', source_a, key_a, source_b, key_b) FROM cdp.match_review",
        );
        for (pairs, one) in [(&rejected, false), (&accepted, true)] {
            for pair in pairs {
                assert_eq!(one_person(client, pair), one, "{pair} {when}");
                assert!(
                    !review.contains(pair),
                    "{pair} is to be decided again {when}"
                );
            }
        }
    };
    decided(&mut c, "at once");
    for step in [
        "SELECT cdp.run_matcher('people')",
        "SELECT cdp.train_matcher('people')",
        // By the model of the last run, whose keys are stored.
        "UPDATE public.people SET city = 'Lagos' WHERE id % 3 = 0",
        "CALL cdp.process_all()",
        "SELECT cdp.run_matcher('people')",
        "SELECT cdp.rebuild()",
        "UPDATE public.people SET city = 'Faro' WHERE id % 2 = 0",
        "CALL cdp.process_all()",
    ] {
        run(&mut c, step);
        decided(&mut c, &format!("after {step}"));
    }
    check(&mut c, "at last");
    decided(&mut c, "at last");
}

#[test]
fn a_new_model_is_in_force_from_the_next_run_on() {
    let (_db, mut c) = db(&mut Drawn(11), 60, "");
    let model = "SELECT model FROM cdp.matchers";
    assert_eq!(one::<i32>(&mut c, model), 1);
    // Another model, for what was decided.
    run(
        &mut c,
        "SELECT cdp.reject_match(source_a, key_a, source_b, key_b) FROM cdp.match_pairs WHERE kind = 'link'",
    );
    assert_eq!(one::<i32>(&mut c, "SELECT cdp.train_matcher('people')"), 2);
    assert_eq!(one::<i32>(&mut c, model), 1);
    run(
        &mut c,
        "UPDATE public.people SET city = 'Faro' WHERE id % 2 = 0",
    );
    run(&mut c, "CALL cdp.process_all()");
    let live = derived(&mut c);
    run(&mut c, "SELECT cdp.rebuild()");
    assert_same(
        "a rebuild before the new model was run",
        &live,
        &derived(&mut c),
    );
    run(&mut c, "SELECT cdp.run_matcher('people')");
    assert_eq!(one::<i32>(&mut c, model), 2);
    check(&mut c, "with the new model");
}
