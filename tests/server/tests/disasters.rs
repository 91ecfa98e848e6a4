//! The usual disasters of identity resolution: none makes a giant profile, each is reported in
//! `cdp.identity_issues` with what to set, and setting that mends it.

mod common;

use std::sync::OnceLock;

use cdp_server_tests::sql::{difference, send_path, tables};
use cdp_server_tests::{Client, Server, ServerOptions};
use common::{error_code, one, run};

fn server() -> &'static Server {
    static SERVER: OnceLock<Server> = OnceLock::new();
    SERVER.get_or_init(|| {
        Server::start(ServerOptions {
            preload: true,
            settings: &[("cdp.workers", "off")],
        })
    })
}

/// A database of its own, in which nothing but the test processes anything.
fn database(name: &str) -> Client {
    server().create_cdp_db(name);
    server().connect(name)
}

/// Another session in such a database.
fn database_again(name: &str) -> Client {
    server().connect(name)
}

/// Sends one message for each row of a query that gives JSON, and processes all.
fn send(client: &mut Client, messages: &str) {
    run(
        client,
        &format!("INSERT INTO cdp.inbox (message) SELECT m::text FROM ({messages}) q (m)"),
    );
    drain(client);
}

fn drain(client: &mut Client) {
    while one::<i64>(client, "SELECT cdp.process(10000)", &[]) > 0 {}
}

/// Identifiers in the largest profile.
fn largest(client: &mut Client) -> i64 {
    one(
        client,
        "SELECT max(n) FROM (SELECT count(*) AS n FROM cdp.clusters GROUP BY profile_id) c",
        &[],
    )
}

fn profiles(client: &mut Client) -> i64 {
    one(client, "SELECT count(*) FROM cdp.profiles", &[])
}

/// The degree of the one issue of a kind, identifier type and value.
fn degree(client: &mut Client, kind: &str, identifier_type: &str, value: &str) -> Option<i64> {
    let found = client
        .query(
            "SELECT degree, what_happened, advice FROM cdp.identity_issues \
             WHERE kind = $1 AND identifier_type = $2 AND value = $3",
            &[&kind, &identifier_type, &value],
        )
        .expect("cdp.identity_issues can be read");
    assert!(found.len() < 2, "{kind} {value} is reported twice");
    let row = found.first()?;
    for column in [1, 2] {
        assert!(!row.get::<_, String>(column).is_empty());
    }
    Some(row.get(0))
}

/// Runs the first statement of the advice of an issue.
fn follow_advice(client: &mut Client, kind: &str, value: &str) {
    let advice: String = one(
        client,
        "SELECT advice FROM cdp.identity_issues WHERE kind = $1 AND value = $2",
        &[&kind, &value],
    );
    let start = advice.find("SELECT ").expect("advice with a statement");
    let end = start + advice[start..].find(')').expect("a call") + 1;
    run(client, &advice[start..end]);
}

fn same_profile(client: &mut Client, a: (&str, &str), b: (&str, &str)) -> bool {
    one(
        client,
        "SELECT cdp.resolve($1, $2) = cdp.resolve($3, $4)",
        &[&a.0, &a.1, &b.0, &b.1],
    )
}

/// A rebuild changes nothing.
fn check_rebuild(client: &mut Client) {
    let before = tables(client, &["segments"]);
    run(client, "SELECT cdp.rebuild()");
    let after = tables(client, &["segments"]);
    if let Some(difference) = difference(&before, &after) {
        panic!("a rebuild changed\n{difference}");
    }
}

#[test]
fn a_kiosk_that_ten_thousand_people_use() {
    let mut client = database("kiosk");
    send(
        &mut client,
        "SELECT json_build_object('type', 'track', 'event', 'x', 'userId', 'u' || g, \
            'anonymousId', 'kiosk', 'timestamp', '2026-01-01Z'::timestamptz + g * interval '1 min') \
         FROM generate_series(1, 10000) g",
    );
    assert_eq!(profiles(&mut client), 10_000);
    assert_eq!(largest(&mut client), 2);
    assert_eq!(
        degree(&mut client, "contested", "anonymous_id", "kiosk"),
        Some(10_000)
    );
    // What nobody was signed in for is the first one's, and that is what the advice is about.
    let anonymous = "SELECT json_build_object('type', 'track', 'event', 'Shown', 'anonymousId', 'kiosk', \
            'timestamp', '2026-01-01Z'::timestamptz + g * interval '1 min' + interval '1 s') \
         FROM generate_series(1, 10000, 100) g";
    send(&mut client, anonymous);
    let of = "SELECT count(*) FROM cdp.profile_events \
               WHERE name = 'Shown' AND profile_id = cdp.resolve('user_id', $1)";
    assert_eq!(one::<i64>(&mut client, of, &[&"u1"]), 100);
    follow_advice(&mut client, "contested", "kiosk");
    assert_eq!(
        degree(&mut client, "contested", "anonymous_id", "kiosk"),
        None
    );
    for user in ["u1", "u101", "u9901"] {
        assert_eq!(one::<i64>(&mut client, of, &[&user]), 1, "{user}");
    }
    assert_eq!((profiles(&mut client), largest(&mut client)), (10_000, 1));
}

#[test]
fn an_email_that_stands_for_nobody_on_fifty_thousand_records() {
    let mut client = database("nobody");
    run(
        &mut client,
        "CREATE TABLE public.contacts (id integer PRIMARY KEY, email text); \
         INSERT INTO public.contacts SELECT g, 'none@none.com' FROM generate_series(1, 50000) g; \
         SELECT cdp.map_table('crm', 'public.contacts', '{\"email\": \"email\"}')",
    );
    drain(&mut client);
    assert_eq!((profiles(&mut client), largest(&mut client)), (50_000, 1));
    assert_eq!(
        degree(&mut client, "blocked", "email", "none@none.com"),
        Some(50_000)
    );
}

#[test]
fn an_email_that_is_on_no_list_but_that_many_people_have() {
    let mut client = database("many");
    send(
        &mut client,
        "SELECT json_build_object('type', 'identify', 'userId', 'u' || g, \
            'traits', json_build_object('email', 'info@shop.example')) \
         FROM generate_series(1, 2000) g",
    );
    assert_eq!(
        degree(&mut client, "shared", "email", "info@shop.example"),
        Some(2_000)
    );
    // It holds what it shows alone, and nobody.
    assert_eq!((profiles(&mut client), largest(&mut client)), (2_000, 1));
    send(
        &mut client,
        "SELECT '{\"type\": \"identify\", \"traits\": {\"email\": \"info@shop.example\"}}'",
    );
    assert_eq!((profiles(&mut client), largest(&mut client)), (2_001, 1));
    check_rebuild(&mut client);
}

#[test]
fn a_phone_of_zeros() {
    let mut client = database("zeros");
    let zeros = "SELECT json_build_object('type', 'identify', 'userId', 'u' || g, \
            'traits', json_build_object('phone', '000000000')) FROM generate_series(1, 500) g";
    send(&mut client, zeros);
    assert_eq!((profiles(&mut client), largest(&mut client)), (500, 1));
    let invalid: i64 = one(
        &mut client,
        "SELECT degree FROM cdp.identity_issues WHERE kind = 'invalid' AND identifier_type = 'phone'",
        &[],
    );
    assert_eq!(invalid, 500);
    // Where a number may be anything, it is a value that stands for nobody.
    run(
        &mut client,
        "SELECT cdp.alter_identifier_type('phone', normaliser => 'digits')",
    );
    assert_eq!(
        degree(&mut client, "blocked", "phone", "000000000"),
        Some(500)
    );
    assert_eq!((profiles(&mut client), largest(&mut client)), (500, 1));
    check_rebuild(&mut client);
}

#[test]
fn two_of_a_family_on_one_address() {
    let mut client = database("family");
    send(
        &mut client,
        "SELECT json_build_object('type', 'identify', 'userId', u, 'timestamp', t, \
            'traits', json_build_object('email', 'home@family.example', 'phone', '+12015550123')) \
         FROM (VALUES ('mum', '2026-01-01'), ('dad', '2026-01-02')) v (u, t)",
    );
    assert_eq!(profiles(&mut client), 2);
    for (kind, value) in [("email", "home@family.example"), ("phone", "+12015550123")] {
        assert!(same_profile(&mut client, (kind, value), ("user_id", "mum")));
        assert_eq!(degree(&mut client, "contested", kind, value), Some(2));
    }
    follow_advice(&mut client, "contested", "home@family.example");
    assert_eq!(
        degree(&mut client, "shared", "email", "home@family.example"),
        Some(2)
    );
    let nobody = "SELECT cdp.resolve('email', 'home@family.example') IS NULL";
    assert!(one::<bool>(&mut client, nobody, &[]));
    assert_eq!(profiles(&mut client), 2);
    check_rebuild(&mut client);
}

#[test]
fn a_test_account_that_every_developer_uses() {
    let mut client = database("developers");
    // 300 developers, each known by themselves; then each signs in as "qa" in the same browser, with an
    // e-mail made up for the test.
    send(
        &mut client,
        "SELECT json_build_object('type', 'identify', 'userId', 'dev' || g, 'anonymousId', 'browser' || g, \
            'timestamp', '2026-01-01', 'traits', json_build_object('email', 'dev' || g || '@firm.example')) \
         FROM generate_series(1, 300) g",
    );
    send(
        &mut client,
        "SELECT json_build_object('type', 'identify', 'userId', 'qa', 'anonymousId', 'browser' || g, \
            'timestamp', '2026-01-02', 'traits', json_build_object('email', 'qa' || g || '@firm.example')) \
         FROM generate_series(1, 300) g",
    );
    let fused = "SELECT count(*) FROM (SELECT FROM cdp.profile_identifiers WHERE type = 'user_id' \
                 GROUP BY profile_id HAVING count(*) > 1) f";
    assert_eq!(one::<i64>(&mut client, fused, &[]), 0);
    assert_eq!(largest(&mut client), 6);
    assert_eq!(
        degree(&mut client, "full_profile", "user_id", "qa"),
        Some(295)
    );
    run(
        &mut client,
        "SELECT cdp.alter_identifier_type('user_id', blocked_values => '{qa}')",
    );
    assert_eq!(degree(&mut client, "full_profile", "user_id", "qa"), None);
    assert_eq!(degree(&mut client, "blocked", "user_id", "qa"), Some(300));
    assert_eq!(largest(&mut client), 3);
    check_rebuild(&mut client);
}

#[test]
fn a_chain_of_identifiers_is_cut() {
    let mut client = database("chain");
    // e-mail, phone, e-mail, phone, …: each message shows two that follow one another.
    send(
        &mut client,
        "SELECT json_build_object('type', 'identify', 'traits', json_build_object( \
            'email', 'e' || (g + 1) / 2 || '@chain.example', 'phone', '+1201555' || lpad((g / 2)::text, 4, '0'))) \
         FROM generate_series(1, 3000) g",
    );
    assert!(largest(&mut client) <= 10, "{}", largest(&mut client));
    assert_eq!(
        one::<i64>(
            &mut client,
            "SELECT count(*) FROM cdp.identity_issues WHERE kind = 'large_profile'",
            &[]
        ),
        0
    );
    let reported = "SELECT count(*) FROM cdp.identity_issues \
        WHERE kind = 'full_profile' AND advice LIKE '%max_per_profile => %'";
    assert!(one::<i64>(&mut client, reported, &[]) > 100);
}

/// A size, which the environment may set: as they are the tests take a minute in a debug build. At full
/// size, in a release build: CDP_PATH=1000000 CDP_TURN=500000 cargo test --test disasters -- --nocapture
fn size(variable: &str, default: i64) -> i64 {
    match std::env::var(variable) {
        Ok(given) => given.parse().expect("a number"),
        Err(_) => default,
    }
}

/// The most memory that the client's backend ever held, without what it shares with others.
fn peak_of_backend(client: &mut Client) -> i64 {
    let pid: i32 = one(client, "SELECT pg_backend_pid()", &[]);
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).expect("a process");
    let of = |name: &str| -> i64 {
        let line = status.lines().find(|line| line.starts_with(name));
        let number = line.and_then(|line| line.split_whitespace().nth(1)?.parse().ok());
        number.expect("a figure in kB")
    };
    (of("VmHWM:") - of("RssShmem:")) << 10
}

#[test]
fn a_path_of_identifiers_without_a_limit_is_one_profile_and_reported() {
    let mut client = database("path");
    let links = size("CDP_PATH", 100_000);
    // Only where somebody declares a type that has no limit at all. Its values are blocked until all is
    // loaded, so that the profile comes into being at once.
    let began = std::time::Instant::now();
    send_path(&mut client, links);
    drain(&mut client);
    assert_eq!(profiles(&mut client), 0);
    let loaded = began.elapsed();
    run(
        &mut client,
        "SELECT cdp.alter_identifier_type('token', reset => '{blocked_patterns}')",
    );
    let joined = began.elapsed() - loaded;
    assert_eq!(largest(&mut client), links + 1);
    let issue = |client: &mut Client, degree: i64| -> i64 {
        one(
            client,
            "SELECT count(*) FROM cdp.identity_issues \
              WHERE kind = 'large_profile' AND identifier_type = 'token' AND degree = $1 AND advice <> ''",
            &[&degree],
        )
    };
    assert_eq!(issue(&mut client, links + 1), 1);
    // The pipeline goes on: one more is one more, others are processed beside it, and its memory stays
    // in bounds.
    let mut other = database_again("path");
    let said = |token: &str| {
        format!(
            "SELECT '{{\"type\": \"identify\", \"identifiers\": {{\"token\": [\"t7\", \"{token}\"]}}}}' \
             UNION ALL SELECT '{{\"type\": \"identify\", \"userId\": \"beside {token}\"}}'"
        )
    };
    let before = std::time::Instant::now();
    send(&mut other, &said("one more"));
    let added = before.elapsed();
    assert_eq!((largest(&mut other), profiles(&mut other)), (links + 2, 2));
    assert_eq!(issue(&mut other, links + 2), 1);
    let peak = peak_of_backend(&mut other);
    let before = std::time::Instant::now();
    run(&mut client, "SELECT cdp.rebuild()");
    let rebuilt = before.elapsed();
    assert_eq!(largest(&mut client), links + 2);
    println!(
        "{links} links: loaded in {loaded:.1?}, joined in {joined:.1?}, one more in {added:.1?} \
         with {} MB, rebuilt in {rebuilt:.1?} with {} MB",
        peak >> 20,
        peak_of_backend(&mut client) >> 20
    );
    let most = (128 << 20) + 1_000 * links;
    assert!(peak < most, "{peak} bytes, at most {most}");
}

#[test]
fn one_message_turns_a_chain_from_end_to_end() {
    let mut client = database("turns");
    run(
        &mut client,
        "SELECT cdp.alter_identifier_type('email', max_per_profile => 1)",
    );
    // u1–e1, u2–e1 (refused), u2–e2, u3–e2 (refused), …
    let people = size("CDP_TURN", 6_000);
    send(
        &mut client,
        &format!(
            "SELECT json_build_object('type', 'identify', 'userId', 'u' || (g + 2) / 2, \
                'timestamp', '2026-01-01Z'::timestamptz + g * interval '1 s', \
                'traits', json_build_object('email', 'e' || (g + 1) / 2 || '@chain.example')) \
             FROM generate_series(1, {}) g",
            2 * people
        ),
    );
    let kept = "SELECT count(*) FROM generate_series(1, $2::bigint) g \
        JOIN cdp.identifiers u ON u.value = 'u' || g \
        JOIN cdp.identifiers e ON e.value = 'e' || g + $1::bigint || '@chain.example' \
        JOIN cdp.clusters cu ON cu.node_id = u.node_id \
        JOIN cdp.clusters ce ON ce.node_id = e.node_id AND ce.profile_id = cu.profile_id";
    let kept = |client: &mut Client, by: i64| -> i64 { one(client, kept, &[&by, &people]) };
    assert_eq!(kept(&mut client, 0), people);
    // The second was there first.
    run(
        &mut client,
        "INSERT INTO cdp.inbox (message) VALUES ('{\"type\": \"identify\", \"userId\": \"u2\", \
            \"timestamp\": \"2025-01-01\", \"traits\": {\"email\": \"e1@chain.example\"}}')",
    );
    // Whenever it is cancelled, it stops at once.
    let mut overshoot = Vec::new();
    for milliseconds in [50, 150, 400, 1_000, 2_500] {
        run(
            &mut client,
            &format!("BEGIN; SET LOCAL statement_timeout = {milliseconds}"),
        );
        let began = std::time::Instant::now();
        if let Err(error) = client.query("SELECT cdp.process()", &[]) {
            assert_eq!(error.code().map(|code| code.code()), Some("57014"));
            overshoot.push(began.elapsed().as_millis() as i64 - milliseconds);
        }
        run(&mut client, "ROLLBACK");
    }
    overshoot.sort_unstable();
    println!("cancelled {overshoot:?} ms late");
    // The others have some room for what else this machine does.
    assert!(overshoot[0] < 1_000 && overshoot.iter().all(|late| *late < 5_000));
    assert_eq!(kept(&mut client, 0), people);

    // It says how far it is, until it is stopped where it has decided everything.
    let mut holder = database_again("turns");
    run(
        &mut holder,
        "BEGIN; LOCK TABLE cdp.identity_moves IN ACCESS EXCLUSIVE MODE",
    );
    let mut turner = database_again("turns");
    let pid: i32 = one(&mut turner, "SELECT pg_backend_pid()", &[]);
    let turning = std::thread::spawn(move || error_code(&mut turner, "SELECT cdp.process()"));
    let mut watcher = database_again("turns");
    let mut phases: Vec<String> = Vec::new();
    server().wait_for(
        "all to be decided",
        std::time::Duration::from_secs(600),
        || {
            let told = watcher
                .query(
                    "SELECT phase, done, total FROM cdp.progress() WHERE pid = $1",
                    &[&pid],
                )
                .expect("progress");
            if let Some(row) = told.first() {
                let (phase, done, total): (String, i64, Option<i64>) =
                    (row.get(0), row.get(1), row.get(2));
                assert!(total.is_some_and(|total| (0..=total).contains(&done)));
                if phases.last() != Some(&phase) {
                    phases.push(phase);
                }
            }
            let waits = "SELECT EXISTS (SELECT 1 FROM pg_locks WHERE pid = $1 AND NOT granted \
                         AND relation = 'cdp.identity_moves'::regclass)";
            one::<bool>(&mut watcher, waits, &[&pid]).then_some(())
        },
    );
    assert_eq!(
        phases.last().map(String::as_str),
        Some("identity: writing what a change moved"),
        "{phases:?}"
    );
    run(&mut watcher, &format!("SELECT pg_cancel_backend({pid})"));
    assert_eq!(turning.join().expect("it failed as it should"), "57014");
    run(&mut holder, "ROLLBACK");
    let tasks = "SELECT count(*) FROM cdp.progress() WHERE database = current_database()";
    assert_eq!(one::<i64>(&mut client, tasks, &[]), 0);
    assert_eq!(kept(&mut client, 0), people);

    // Of a region beyond what it may take it says so, and keeps the message.
    run(&mut client, "SET cdp.graph_memory = '1MB'");
    assert_eq!(error_code(&mut client, "SELECT cdp.process()"), "53400");
    run(&mut client, "RESET cdp.graph_memory");
    let began = std::time::Instant::now();
    drain(&mut client);
    println!(
        "{people} people turned in {:.1?} with {} MB",
        began.elapsed(),
        peak_of_backend(&mut client) >> 20
    );
    assert_eq!(one::<i64>(&mut client, tasks, &[]), 0);
    // Everybody but the first has the e-mail of the one before, and it is reported who claims which.
    assert_eq!(kept(&mut client, -1), people - 1);
    assert_eq!(kept(&mut client, 0), 0);
    let claimed = "SELECT sum(CASE kind WHEN 'contested' THEN degree - 1 ELSE degree END)::bigint \
          FROM cdp.identity_issues \
         WHERE kind IN ('contested', 'full_profile') AND advice LIKE '%cdp.alter_identifier_type%'";
    assert_eq!(one::<i64>(&mut client, claimed, &[]), people);
    check_rebuild(&mut client);
}

#[test]
fn a_back_dated_message_that_takes_an_email_over() {
    let mut client = database("backdated");
    let say = |client: &mut Client, user: &str, said: &str, received: &str| {
        run(
            client,
            &format!(
                "INSERT INTO cdp.inbox (message, received_at) SELECT json_build_object('type', 'identify', \
                    'userId', '{user}', 'timestamp', {said}, \
                    'traits', '{{\"email\": \"jane@x.example\"}}'::json)::text, {received}"
            ),
        );
        drain(client);
    };
    let email = ("email", "jane@x.example");
    say(
        &mut client,
        "jane",
        "now() - interval '30 days'",
        "now() - interval '30 days'",
    );
    say(
        &mut client,
        "mallory",
        "'2001-01-01Z'::timestamptz",
        "now()",
    );
    // Two people still, and it is reported.
    assert_eq!(profiles(&mut client), 2);
    assert!(same_profile(&mut client, email, ("user_id", "mallory")));
    assert_eq!(degree(&mut client, "backdated", email.0, email.1), Some(1));
    follow_advice(&mut client, "backdated", email.1);
    assert!(same_profile(&mut client, email, ("user_id", "jane")));
    assert_eq!(degree(&mut client, "backdated", email.0, email.1), None);
    assert_eq!(
        degree(&mut client, "backdate_bounded", email.0, email.1),
        Some(1)
    );
    check_rebuild(&mut client);
}

#[test]
fn an_id_that_a_source_gives_out_again() {
    let mut client = database("recycled");
    // A row states what is so: what it said before is withdrawn.
    run(
        &mut client,
        "CREATE TABLE public.cards (number integer PRIMARY KEY, card text, email text); \
         SELECT cdp.create_identifier_type('card', 15, max_per_profile => 1); \
         SELECT cdp.map_table('pos', 'public.cards', '{\"card\": \"card\", \"email\": \"email\"}'); \
         INSERT INTO public.cards VALUES (1, 'C1', 'ana@x.example'); \
         UPDATE public.cards SET email = 'bob@x.example'",
    );
    drain(&mut client);
    assert!(same_profile(
        &mut client,
        ("card", "C1"),
        ("email", "bob@x.example")
    ));
    let ana: bool = one(
        &mut client,
        "SELECT cdp.resolve('email', 'ana@x.example') IS NULL",
        &[],
    );
    assert!(ana);
    // A stream says nothing of the kind. Cleo is 42 until March, Dan from May on; Eve only has a new
    // e-mail.
    send(
        &mut client,
        "SELECT json_build_object('type', 'identify', 'userId', u, 'timestamp', t, \
            'traits', json_build_object('email', e || '@x.example', 'phone', p)) \
         FROM (VALUES ('42', 'cleo', '+12015550101', '2026-01-01'), ('42', 'cleo', '+12015550101', '2026-03-01'), \
                      ('42', 'dan', '+12015550102', '2026-05-01'), \
                      ('43', 'eve', '+12015550103', '2026-01-01'), ('43', 'eve2', '+12015550103', '2026-05-01')) \
              v (u, e, p, t)",
    );
    assert_eq!(
        degree(&mut client, "changed_hands", "user_id", "42"),
        Some(2)
    );
    assert_eq!(degree(&mut client, "changed_hands", "user_id", "43"), None);
    // A terminal that gives one id to everybody ends at the limit.
    send(
        &mut client,
        "SELECT json_build_object('type', 'identify', 'userId', 'till', \
            'timestamp', '2026-01-01Z'::timestamptz + g * interval '1 day', \
            'traits', json_build_object('email', 'buyer' || g || '@x.example')) FROM generate_series(1, 40) g",
    );
    assert_eq!(
        degree(&mut client, "full_profile", "user_id", "till"),
        Some(35)
    );
    assert_eq!(largest(&mut client), 6);
    check_rebuild(&mut client);
}
