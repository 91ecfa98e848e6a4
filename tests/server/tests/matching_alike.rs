//! Very many records that are alike, such as those that somebody filled with placeholders: they neither stall
//! matching nor take more memory than it may.
//!
//! CDP_ALIKE=50000 takes that many in a mapped table too; `--nocapture` tells time and memory.

use std::time::{Duration, Instant};

use cdp_server_tests::sql::{assert_same, one, run, tables};
use cdp_server_tests::{Client, fresh_db};

/// Far more than it takes, in a debug build on a loaded machine; work that grows with the square of the
/// records would take days.
const LONG: Duration = Duration::from_secs(400);

/// The most memory that the client's backend ever held, without what it shares with others, in MB.
fn peak_of_backend(client: &mut Client) -> i64 {
    let pid: i32 = one(client, "SELECT pg_backend_pid()");
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).expect("a process");
    let of = |name: &str| -> i64 {
        let line = status.lines().find(|line| line.starts_with(name));
        let number = line.and_then(|line| line.split_whitespace().nth(1)?.parse().ok());
        number.expect("a figure in kB")
    };
    (of("VmHWM:") - of("RssShmem:")) >> 10
}

/// `alike` rows that say all the same, and `others`, every second of whom is the one before with a typo.
fn rows(alike: i64, others: i64) -> String {
    format!(
        "SELECT n AS id, 'Test' AS first_name, 'Customer' AS last_name, '1900-01-01' AS dob, 'test@shop.org' AS email,
                '0000' AS zip FROM generate_series(1, {alike}) n
         UNION ALL
         SELECT 10000000 + n, 'A' || substr(md5((n / 2)::text), 1, 6), CASE n % 2 WHEN 1 THEN 'x' ELSE '' END || substr(md5((n / 2 * 3)::text), 1, 7),
                (date '1940-01-01' + n / 2 * 13 % 20000)::text, CASE n % 2 WHEN 0 THEN 'm' || n / 2 || '@x.org' END, (1000 + n / 2 % 900)::text
           FROM generate_series(2, {others}) n"
    )
}

/// Runs a statement within time and memory.
#[track_caller]
fn bounded(client: &mut Client, sql: &str, memory: i64) {
    let began = Instant::now();
    run(client, sql);
    let took = began.elapsed();
    let peak = peak_of_backend(client);
    println!("{:.60}: {took:.1?}, {peak} MB", sql.replace('\n', " "));
    assert!(took < LONG, "{took:?}");
    assert!(peak < memory, "{peak} MB");
}

#[test]
fn rows_that_are_alike() {
    let db = fresh_db();
    let mut c = db.connect();
    run(&mut c, "SET cdp.matching_memory = '256MB'");
    for (alike, others) in [(50_000, 0), (50_000, 2_000), (49, 2_000)] {
        let dedupe = format!(
            "CREATE TEMP TABLE found AS SELECT * FROM cdp.dedupe($rows${}$rows$)",
            rows(alike, others)
        );
        bounded(&mut c, &dedupe, 700);
        let right: i64 = one(
            &mut c,
            "SELECT count(*) FROM found WHERE kind = 'link' AND a::int > 10000000 AND a::int / 2 = b::int / 2",
        );
        assert!(others == 0 || right > 900, "{right} links of 999");
        run(&mut c, "DROP TABLE found");
    }
}

#[test]
fn records_that_are_alike_come_and_go() {
    let alike = std::env::var("CDP_ALIKE").map_or(4_000, |given| given.parse().expect("a number"));
    let db = fresh_db();
    let mut c = db.connect();
    run(
        &mut c,
        &format!(
            "CREATE TABLE public.people AS {}; ALTER TABLE public.people ADD PRIMARY KEY (id);
             SELECT cdp.map_table('crm', 'public.people', '{{\"traits\": {{\"zip\": \"zip\"}}}}');
             SELECT cdp.create_matcher('people', settings => '{{\"random_pairs\": 20000, \"training_pairs\": 5000}}')",
            rows(0, 600)
        ),
    );
    run(&mut c, "CALL cdp.process_all()");
    run(
        &mut c,
        "SET cdp.matching_memory = '256MB'; SELECT cdp.run_matcher('people')",
    );
    let found = "SELECT count(*) FROM cdp.matches WHERE kind = 'link'";
    let before: i64 = one(&mut c, found);
    assert!(before > 200, "{before} links");
    run(
        &mut c,
        &format!("INSERT INTO public.people {}", rows(alike, 0)),
    );
    let memory = 400 + alike / 50;
    bounded(&mut c, "CALL cdp.process_all()", memory);
    let live = tables(&mut c, &["segments", "matcher_models"]);
    bounded(&mut c, "SELECT cdp.run_matcher('people')", memory + 256);
    assert_same(
        "a run",
        &live,
        &tables(&mut c, &["segments", "matcher_models"]),
    );
    bounded(&mut c, "SELECT cdp.rebuild()", memory + 512);
    assert_same(
        "a rebuild",
        &live,
        &tables(&mut c, &["segments", "matcher_models"]),
    );
    assert_eq!(
        one::<i64>(&mut c, found),
        before,
        "what is too common tells nobody from anybody"
    );
    // A matcher that learns among them.
    bounded(
        &mut c,
        "SELECT cdp.train_matcher('people'); SELECT cdp.run_matcher('people')",
        memory + 512,
    );
    // One more, one less; few enough to be told, one after the other.
    run(
        &mut c,
        "INSERT INTO public.people SELECT 5000000, first_name, last_name, dob, email, zip FROM public.people WHERE id = 1",
    );
    bounded(&mut c, "CALL cdp.process_all()", memory + 512);
    run(
        &mut c,
        "DELETE FROM public.people WHERE id BETWEEN 40 AND 6000000",
    );
    bounded(&mut c, "CALL cdp.process_all()", memory + 512);
    run(
        &mut c,
        "DELETE FROM public.people WHERE id BETWEEN 11 AND 40",
    );
    bounded(&mut c, "CALL cdp.process_all()", memory + 512);
    let live = tables(&mut c, &["segments", "matcher_models"]);
    run(&mut c, "SELECT cdp.run_matcher('people')");
    assert_same(
        "a run",
        &live,
        &tables(&mut c, &["segments", "matcher_models"]),
    );
}
