//! Sessions that change records, decide about pairs, train and run the matcher at the same time, beside the
//! worker: what comes of it is what a run over all finds, and what a rebuild derives.

use cdp_server_tests::sql::{assert_same, one, run, tables};
use cdp_server_tests::{Client, TestDb, fresh_db};

const FIRST: [&str; 8] = [
    "Ana", "Rui", "Eva", "Maria", "Pedro", "Tiago", "Clara", "Sofia",
];
const LAST: [&str; 9] = [
    "Silva", "Santos", "Ferreira", "Pereira", "Costa", "Martins", "Sousa", "Gomes", "Lopes",
];
const CITIES: [&str; 3] = ["Lisboa", "Porto", "Faro"];

/// A number that chance might have given.
fn drawn(seed: u64) -> u64 {
    let mut mixed = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

/// What a record says: of 24 persons, two of a household each; some of it wrong or not there.
fn said(seed: u64) -> String {
    let person = drawn(seed) % 24;
    let of =
        |seed: u64, among: &[&str]| among[(drawn(seed) % among.len() as u64) as usize].to_owned();
    let values = [
        of(person * 31, &FIRST),
        of(person / 2 * 17, &LAST),
        format!(
            "19{}-0{}-1{}",
            50 + person,
            1 + person % 9,
            drawn(person) % 9
        ),
        format!("{}@x.org", person / 2),
        format!("Rua {} {}", of(person / 2, &LAST), 1 + person / 2),
        of(person / 2 * 7, &CITIES),
    ];
    let values =
        values
            .into_iter()
            .enumerate()
            .map(|(n, value)| match drawn(seed * 77 + n as u64) % 9 {
                0 => "NULL".to_owned(),
                1 => format!("'{value}e'"),
                _ => format!("'{value}'"),
            });
    values.collect::<Vec<_>>().join(", ")
}

/// Two tables of people, mapped, and a matcher of both that was run.
fn db() -> (TestDb, Client) {
    let db = fresh_db();
    let mut client = db.connect();
    for (n, (table, source)) in [("people", "crm"), ("clients", "shop")]
        .into_iter()
        .enumerate()
    {
        run(
            &mut client,
            &format!(
                "CREATE TABLE public.{table} (id bigint PRIMARY KEY, first_name text, last_name text, dob text, \
                 email text, street text, city text)"
            ),
        );
        let rows: Vec<String> = (1..=30)
            .map(|id| format!("({id}, {})", said(id + 100 * n as u64)))
            .collect();
        run(
            &mut client,
            &format!("INSERT INTO public.{table} VALUES {}", rows.join(", ")),
        );
        run(
            &mut client,
            &format!(
                "SELECT cdp.map_table('{source}', 'public.{table}', '{{\"email\": \"email\", \"traits\": {{\"city\": \"city\"}}}}')"
            ),
        );
    }
    run(&mut client, "CALL cdp.process_all()");
    run(
        &mut client,
        "SELECT cdp.create_matcher('people', '{crm,shop}', settings => '{\"random_pairs\": 20000, \"training_pairs\": 5000}')",
    );
    run(&mut client, "SELECT cdp.run_matcher('people')");
    (db, client)
}

/// One change of the records, by the session that works on that table alone.
fn change(table: &str, seed: u64) -> String {
    let some = drawn(seed) % 30 + 1;
    match drawn(seed + 1) % 6 {
        0 | 1 => format!(
            "INSERT INTO public.{table} VALUES ({}, {})",
            1_000 + seed,
            said(seed)
        ),
        2 => format!("DELETE FROM public.{table} WHERE id = {some}"),
        3 => format!(
            "UPDATE public.{table} SET email = 'all@x.org' WHERE id % 4 = {}",
            some % 4
        ),
        4 => {
            format!("UPDATE public.{table} SET last_name = 'Lopes', city = NULL WHERE id = {some}")
        }
        _ => format!(
            "UPDATE public.{table} SET first_name = first_name || 'a' WHERE id % 7 = {}",
            some % 7
        ),
    }
}

/// Something that is said by hand, as SQL that gives the id of the change, or none.
fn by_hand(seed: u64) -> String {
    let pair = |kind: &str| {
        format!(
            "FROM (SELECT source_a, key_a, source_b, key_b FROM cdp.match_pairs WHERE kind = '{kind}' \
              ORDER BY hashint8(low + high * {seed}) LIMIT 1) p"
        )
    };
    match drawn(seed) % 4 {
        0 => format!(
            "SELECT cdp.accept_match(source_a, key_a, source_b, key_b) {}",
            pair("review")
        ),
        1 => format!(
            "SELECT cdp.reject_match(source_a, key_a, source_b, key_b) {}",
            pair("link")
        ),
        2 => format!(
            "SELECT cdp.revoke_message(source_a, key_a) {}",
            pair("link")
        ),
        _ => "SELECT cdp.revoke_source('shop')".to_owned(),
    }
}

#[test]
fn sessions_at_once_come_to_what_a_run_and_a_rebuild_find() {
    let (db, mut c) = db();
    std::thread::scope(|scope| {
        for (table, seed) in [("people", 1_u64), ("clients", 2)] {
            let mut client = db.connect();
            scope.spawn(move || {
                for step in 0..14 {
                    let seed = seed * 1_000 + step * 10;
                    run(&mut client, &change(table, seed));
                    match drawn(seed + 2) % 3 {
                        0 => run(&mut client, "CALL cdp.process_all()"),
                        1 => run(&mut client, "CALL cdp.process_all(3)"),
                        _ => {}
                    }
                }
            });
        }
        let mut client = db.connect();
        scope.spawn(move || {
            let mut said: Vec<i64> = Vec::new();
            for step in 0..14 {
                let found = client.query(&by_hand(step), &[]).expect("said");
                said.extend(found.first().map(|row| row.get::<_, i64>(0)));
                if step % 3 == 2 && !said.is_empty() {
                    let undone = said.remove(drawn(step) as usize % said.len());
                    run(&mut client, &format!("SELECT cdp.undo({undone})"));
                }
            }
            for undone in said.into_iter().step_by(2) {
                run(&mut client, &format!("SELECT cdp.undo({undone})"));
            }
        });
        let mut client = db.connect();
        scope.spawn(move || {
            for sql in ["train", "run", "run", "train", "run", "train"] {
                run(&mut client, &format!("SELECT cdp.{sql}_matcher('people')"));
            }
            run(&mut client, "SELECT cdp.rebuild()");
        });
    });
    // By whatever model is in force: that of the last run, not of the last training.
    run(&mut c, "CALL cdp.process_all()");
    let state = |c: &mut Client| tables(c, &["segments", "matcher_models"]);
    let live = state(&mut c);
    run(&mut c, "SELECT cdp.rebuild()");
    assert_same("a rebuild", &live, &state(&mut c));
    run(&mut c, "SELECT cdp.run_matcher('people')");
    let live = state(&mut c);
    run(&mut c, "SELECT cdp.rebuild()");
    assert_same("a rebuild after a run", &live, &state(&mut c));
    let links: i64 = one(
        &mut c,
        "SELECT count(*) FROM cdp.matches WHERE kind = 'link'",
    );
    assert!(links > 5, "{links}");
}
