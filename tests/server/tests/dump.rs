//! A dump is a backup: restored anywhere, it is an equal, working installation that waits until it is
//! told to work, and then counts nothing twice.

mod common;

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use cdp_server_tests::sql::{Tables, assert_same, column, fails, one, run, tables};
use cdp_server_tests::{Client, Server, ServerOptions};
use common::SOON;

/// What a server keeps of its own: where it runs, its ledger, its clock.
const ITS_OWN: [&str; 6] = [
    "installation",
    "batches",
    "attempts",
    "inbox",
    "segments",
    "job_runs",
];

fn server(workers: bool) -> Server {
    Server::start(ServerOptions {
        preload: true,
        settings: &[
            ("cdp.workers", if workers { "on" } else { "off" }),
            ("cdp.poll_interval", "50"),
            ("cdp.discovery_interval", "200"),
        ],
    })
}

/// As `pg_dumpall --roles-only` does.
fn make_roles(server: &Server) {
    let mut client = server.connect("postgres");
    run(
        &mut client,
        "CREATE ROLE cdp_owner; CREATE ROLE cdp_ingest; CREATE ROLE cdp_reader",
    );
}

fn drain(client: &mut Client) {
    while one::<i64>(client, "SELECT cdp.process()") > 0 {}
}

fn successful(command: &mut Command) -> String {
    let output = command
        .output()
        .unwrap_or_else(|e| panic!("{command:?}: {e}"));
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{command:?}: {said}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// Every kind of thing that pg_cdp keeps, some of it processed, some not.
fn fill(client: &mut Client) {
    run(
        client,
        r#"
        CREATE TABLE public.contacts (id integer PRIMARY KEY, email text, city text, created timestamptz);
        INSERT INTO public.contacts SELECT g, 'p' || g || '@x.org', 'Porto', '2024-01-01' FROM generate_series(1, 20) g;
        SELECT cdp.create_source('web', max_backdate => '90 days');
        SELECT cdp.create_identifier_type('loyalty_id', priority => 15);
        SELECT cdp.create_trait('city', 'text');
        SELECT cdp.create_trait('age', 'bigint', survivorship => 'max');
        SELECT cdp.create_segment('porto', 'city = ''Porto''');
        SELECT cdp.create_segment('buyers', 'did ''Buy'' at least 2 times');
        SELECT cdp.map_table('crm', 'public.contacts',
            '{"user_id": "id", "email": "email", "traits": {"city": "city"}, "created_at": "created"}');
        SELECT cdp.schedule('tidy', '@daily', 'SELECT 1');
        "#,
    );
    accept(client);
    drain(client);
    run(
        client,
        "SELECT cdp.link('user_id', 'u1', 'user_id', 'u2', 'they said so'); SELECT cdp.unlink('user_id', 'u3', 'user_id', 'new'); \
         SELECT cdp.link('user_id', 'u4', 'user_id', 'u5'); SELECT cdp.undo(3, 'a mistake'); \
         SELECT cdp.revoke_message('default', 'm7')",
    );
    // Not processed: messages with an id and without, bad ones, rows.
    run(
        client,
        r#"
        SELECT cdp.track('Buy', user_id => 'u' || g % 30, message_id => 'late' || g) FROM generate_series(1, 25) g;
        SELECT cdp.track('Buy', user_id => 'u' || g % 30) FROM generate_series(1, 5) g;
        SELECT cdp.ingest('{"type": "bad again"}');
        UPDATE public.contacts SET city = 'Faro' WHERE id < 5;
        DELETE FROM public.contacts WHERE id = 20;
        "#,
    );
}

/// Messages, some of them bad, some with values that do not fit, some without an id.
fn accept(client: &mut Client) {
    run(
        client,
        r#"
        SELECT cdp.track('Buy', user_id => 'u' || g % 30, message_id => 'm' || g) FROM generate_series(1, 100) g;
        SELECT cdp.identify('u' || g, '{"city": "Porto", "age": "old"}', message_id => 'i' || g, source => 'web') FROM generate_series(1, 20) g;
        SELECT cdp.ingest('{"type": "bad", "messageId": "b1"}');
        SELECT cdp.track('x', user_id => 'u1', source => 'nowhere', message_id => 'b2');
        SELECT cdp.track('x', user_id => 'u1', message_id => 'm1');
        "#,
    );
    if one(client, "SELECT count(*) = 0 FROM cdp.messages") {
        run(
            client,
            "SELECT cdp.track('Look', user_id => 'u' || g) FROM generate_series(1, 7) g",
        );
    }
}

/// What a server answers with, but for what is its own.
fn answers(client: &mut Client) -> Tables {
    let mut answers = tables(client, &ITS_OWN);
    // A job is sealed by the server that it may run on, a mapping knows its table there.
    for log in [
        "dead_letter",
        "memberships",
        "jobs",
        "mappings",
        "identity_steps",
    ] {
        answers.remove(log);
    }
    let logs = column(
        client,
        "SELECT 'dead ' || (to_jsonb(d) - '{dead_letter_id,recorded_at}'::text[])::text FROM cdp.dead_letter d \
         UNION ALL SELECT 'member ' || segment || ' ' || profile_id FROM cdp.segment_members ORDER BY 1",
    );
    answers.insert("logs".to_owned(), logs);
    answers
}

#[test]
fn a_restored_dump_is_equal_waits_and_goes_on() {
    let original = server(false);
    original.create_cdp_db("app");
    let mut there = original.connect("app");
    fill(&mut there);
    let file = original.dump("app");
    let all = tables(&mut there, &[]);

    let other = server(true);
    make_roles(&other);
    other.restore(&file, "copy");
    let mut here = other.connect("copy");
    assert_same("the restored tables", &all, &tables(&mut here, &[]));
    let told: Vec<String> = column(
        &mut here,
        "SELECT advice FROM cdp.status() WHERE item = 'state'",
    );
    assert!(told.concat().contains("cdp.start()"), "{told:?}");
    let (code, said) = fails(&mut here, "SELECT cdp.process()");
    assert_eq!(code, "55000", "{said}");
    assert!(said.contains("cdp.start()"), "{said}");
    assert!(one::<String>(&mut here, "SELECT cdp.init()").starts_with("up to date"));
    // Nobody has touched it: neither did the worker of this server, nor cdp.init().
    assert_same("what waits", &all, &tables(&mut here, &[]));
    // Reading works meanwhile, and writing.
    let profile = "SELECT cdp.profile(cdp.resolve('user_id', 'u1'))::text";
    assert_eq!(
        one::<String>(&mut here, profile),
        one::<String>(&mut there, profile)
    );
    let early = r#"INSERT INTO cdp.inbox (received_at, message) VALUES ('2024-02-02',
        '{"type": "track", "event": "Buy", "userId": "u1", "messageId": "early"}')"#;
    run(&mut here, early);
    run(&mut there, early);

    run(&mut here, "SELECT cdp.start()");
    drain(&mut here);
    drain(&mut there);
    assert_same(
        "what the copy made of it",
        &answers(&mut there),
        &answers(&mut here),
    );

    // Sources send everything again: nothing counts twice.
    let before: i64 = one(&mut here, "SELECT count(*) FROM cdp.events");
    accept(&mut here);
    drain(&mut here);
    assert_eq!(
        one::<i64>(&mut here, "SELECT count(*) FROM cdp.events"),
        before
    );
    // Mapped tables go on, and ids.
    run(
        &mut here,
        "INSERT INTO public.contacts VALUES (50, 'new@x.org', 'Braga', '2024-01-01')",
    );
    drain(&mut here);
    assert!(one::<bool>(
        &mut here,
        "SELECT cdp.resolve('email', 'new@x.org') = cdp.resolve('user_id', '50')"
    ));
    check_rebuild(&mut here);
}

fn check_rebuild(client: &mut Client) {
    let before = tables(client, &["segments"]);
    run(client, "SELECT cdp.rebuild()");
    assert_same("a rebuild changed", &before, &tables(client, &["segments"]));
}

#[test]
fn a_dump_taken_while_writers_write() {
    let original = server(true);
    original.create_cdp_db("app");
    let stop = AtomicBool::new(false);
    let (sent, dumped) = (AtomicUsize::new(0), Mutex::new(None));
    let committed: Mutex<BTreeSet<String>> = Mutex::default();
    std::thread::scope(|scope| {
        for name in 0..3 {
            let (original, stop, sent, committed) = (&original, &stop, &sent, &committed);
            scope.spawn(move || {
                let mut client = original.connect("app");
                for n in 0.. {
                    if stop.load(Ordering::Relaxed) {
                        return;
                    }
                    let ids: Vec<String> = (0..3).map(|m| format!("w{name}-{n}-{m}")).collect();
                    let mut transaction = client.transaction().expect("a transaction");
                    for id in &ids {
                        let sql =
                            "SELECT cdp.track('Buy', user_id => 'u' || $2::text, message_id => $1)";
                        transaction
                            .execute(sql, &[id, &(n % 10).to_string()])
                            .expect("ingest");
                    }
                    transaction.commit().expect("a commit");
                    committed.lock().expect("no panic").extend(ids);
                    sent.fetch_add(3, Ordering::Relaxed);
                }
            });
        }
        let enough = |count| {
            original.wait_for("messages", SOON, || {
                (sent.load(Ordering::Relaxed) > count).then_some(())
            });
        };
        enough(200);
        let before = committed.lock().expect("no panic").clone();
        let file = original.dump("app");
        *dumped.lock().expect("no panic") = Some((before, file));
        enough(sent.load(Ordering::Relaxed) + 50);
        stop.store(true, Ordering::Relaxed);
    });
    let (before, file) = dumped.into_inner().expect("no panic").expect("a dump");
    let all = committed.into_inner().expect("no panic");

    let other = server(true);
    make_roles(&other);
    other.restore(&file, "copy");
    let mut here = other.connect("copy");
    run(&mut here, "SELECT cdp.start()");
    drain(&mut here);
    let ids: Vec<String> = column(&mut here, "SELECT message_id FROM cdp.events");
    let accepted: BTreeSet<String> = ids.iter().cloned().collect();
    assert_eq!(accepted.len(), ids.len(), "something was accepted twice");
    assert!(
        accepted.is_superset(&before),
        "what was committed before the dump is in it"
    );
    assert!(accepted.is_subset(&all), "nothing else is");
    for id in &accepted {
        let (transaction, _) = id.rsplit_once('-').expect("w-n-m");
        let whole = (0..3).all(|m| accepted.contains(&format!("{transaction}-{m}")));
        assert!(whole, "half of transaction {transaction}");
    }
    // At least once, as collectors do after a restore: the rest comes in, the others do not again.
    for id in &all {
        here.execute("SELECT cdp.track('Buy', user_id => 'u' || split_part($1, '-', 2)::integer % 10, message_id => $1)", &[id])
            .expect("ingest");
    }
    drain(&mut here);
    let ids: Vec<String> = column(
        &mut here,
        "SELECT message_id FROM cdp.events ORDER BY message_id COLLATE \"C\"",
    );
    assert_eq!(ids, all.into_iter().collect::<Vec<_>>());
    assert_eq!(
        one::<i64>(&mut here, "SELECT count(*) FROM cdp.dead_letter"),
        0
    );
    check_rebuild(&mut here);
}

/// `pg_restore --no-owner --no-privileges` by a superuser, where the roles never were.
#[test]
fn restored_without_owners_and_rights_init_puts_things_right() {
    let original = server(false);
    original.create_cdp_db("app");
    let mut there = original.connect("app");
    fill(&mut there);
    let rights = all_rights(&mut there);
    let file = original.dump("app");

    let other = server(false);
    restore(
        &other,
        &file,
        "copy",
        &["--no-owner", "--no-privileges", "--exit-on-error"],
    );
    let mut here = other.connect("copy");
    let (code, said) = fails(&mut here, "SELECT cdp.process()");
    assert_eq!(code, "55000", "{said}");
    assert!(one::<String>(&mut here, "SELECT cdp.init()").starts_with("up to date"));
    let strangers: Vec<String> = column(
        &mut here,
        "SELECT c.relname::text FROM pg_class c WHERE relnamespace IN ('cdp'::regnamespace, 'cdp_segment'::regnamespace) \
            AND relowner <> 'cdp_owner'::regrole AND relkind <> 'i' AND relkind <> 'c' \
         UNION ALL SELECT p.proname::text FROM pg_proc p WHERE pronamespace = 'cdp'::regnamespace \
            AND prosecdef AND proowner <> 'cdp_owner'::regrole",
    );
    assert_eq!(strangers, Vec::<String>::new(), "not of cdp_owner");
    assert_eq!(
        all_rights(&mut here),
        rights,
        "the rights are those of the original"
    );
    run(&mut here, "SELECT cdp.start()");
    drain(&mut here);
    drain(&mut there);
    assert_same(
        "what the copy made of it",
        &answers(&mut there),
        &answers(&mut here),
    );
    check_rebuild(&mut here);
}

fn restore(server: &Server, file: &Path, db: &str, options: &[&str]) {
    server.createdb(db);
    successful(
        server
            .client_command("pg_restore", db)
            .args(options)
            .arg(file),
    );
}

/// Who may do what in schema cdp, on the server's own default rights and those given.
fn all_rights(client: &mut Client) -> Vec<String> {
    column(
        client,
        "SELECT what || ' ' || CASE WHEN a.grantee = 0 THEN 'PUBLIC' ELSE a.grantee::regrole::text END || ' ' || a.privilege_type
           FROM (SELECT oid::regprocedure::text AS what, coalesce(proacl, acldefault('f', proowner)) AS acl, proowner AS owner
                   FROM pg_proc WHERE pronamespace = 'cdp'::regnamespace
                 UNION ALL
                 SELECT oid::regclass::text, coalesce(relacl, acldefault(CASE relkind WHEN 'S' THEN 's' ELSE 'r' END::\"char\", relowner)), relowner
                   FROM pg_class WHERE relnamespace IN ('cdp'::regnamespace, 'cdp_segment'::regnamespace) AND relkind IN ('r', 'p', 'v', 'S')
                 UNION ALL
                 SELECT attrelid::regclass || '.' || attname, attacl, 0 FROM pg_attribute
                  WHERE attrelid IN (SELECT oid FROM pg_class WHERE relnamespace IN ('cdp'::regnamespace, 'cdp_segment'::regnamespace))
                 UNION ALL
                 SELECT nspname, nspacl, nspowner FROM pg_namespace WHERE nspname IN ('cdp', 'cdp_segment')) o,
                aclexplode(o.acl) a
          WHERE a.grantee <> o.owner
          ORDER BY 1",
    )
}

#[test]
fn dropping_the_extension_leaves_the_data() {
    let server = server(false);
    server.create_cdp_db("app");
    let mut client = server.connect("app");
    fill(&mut client);
    let all = tables(&mut client, &[]);
    run(&mut client, "DROP EXTENSION pg_cdp CASCADE");
    assert_same("what a drop leaves", &all, &tables(&mut client, &[]));
    // Those who write go on: by COPY and INSERT, and in mapped tables.
    let mut writer = client
        .copy_in("COPY cdp.inbox (message) FROM STDIN")
        .expect("COPY");
    std::io::Write::write_all(
        &mut writer,
        b"{\"type\":\"track\",\"event\":\"Buy\",\"userId\":\"u1\",\"messageId\":\"while gone\"}\n",
    )
    .expect("a line");
    writer.finish().expect("COPY ends");
    run(
        &mut client,
        "UPDATE public.contacts SET city = 'Lagos' WHERE id = 10",
    );
    run(
        &mut client,
        "SELECT count(*) FROM cdp.profiles; SELECT * FROM cdp.segment_members; \
         SELECT * FROM cdp_segment.profile_traits; SELECT * FROM cdp_segment.id_graph_updates",
    );

    run(&mut client, "CREATE EXTENSION pg_cdp");
    assert!(one::<String>(&mut client, "SELECT cdp.init()").starts_with("up to date"));
    drain(&mut client);
    assert_eq!(
        one::<i64>(
            &mut client,
            "SELECT count(*) FROM cdp.events WHERE message_id = 'while gone'"
        ),
        1
    );
    assert_eq!(
        one::<String>(
            &mut client,
            "SELECT city FROM cdp.profiles WHERE profile_id = cdp.resolve('user_id', '10')"
        ),
        "Lagos"
    );
    check_rebuild(&mut client);
}

#[test]
fn a_cloned_database_waits_and_the_original_goes_on() {
    let server = server(false);
    server.create_cdp_db("app");
    let mut client = server.connect("app");
    fill(&mut client);
    drop(client);
    run(
        &mut server.connect("postgres"),
        "CREATE DATABASE clone TEMPLATE app",
    );
    let mut clone = server.connect("clone");
    let mut client = server.connect("app");
    assert_same(
        "a clone",
        &tables(&mut client, &[]),
        &tables(&mut clone, &[]),
    );
    assert_eq!(fails(&mut clone, "SELECT cdp.process()").0, "55000");
    drain(&mut client);
    assert_eq!(fails(&mut clone, "CALL cdp.process_all()").0, "55000");
    run(&mut clone, "SELECT cdp.start()");
    drain(&mut clone);
    assert_same(
        "what the clone made of it",
        &answers(&mut client),
        &answers(&mut clone),
    );
    // To start what is started already changes nothing.
    let before = tables(&mut clone, &[]);
    assert_eq!(
        one::<String>(&mut clone, "SELECT cdp.start()"),
        "running here already"
    );
    assert_same("a second start", &before, &tables(&mut clone, &[]));
}

/// Writers do not stop for `cdp.start()`: whatever they commit before, while or after it runs is read
/// once, whichever transaction is older.
#[test]
fn a_start_loses_nothing_that_writers_commit_meanwhile() {
    let server = server(false);
    server.create_cdp_db("app");
    let mut client = server.connect("app");
    run(&mut client, "UPDATE cdp.installation SET database_oid = 1");
    let send = |client: &mut Client, id: &str| {
        run(
            client,
            &format!("SELECT cdp.track('e', user_id => 'u1', message_id => '{id}')"),
        );
    };
    let [mut oldest, mut older, mut young, mut starting] = [(); 4].map(|()| server.connect("app"));
    send(&mut client, "before");
    // Two transactions older than that of cdp.start(): one has written, one will.
    run(&mut oldest, "BEGIN; SELECT pg_current_xact_id()");
    run(&mut older, "BEGIN");
    send(&mut older, "written");
    let pid: i32 = one(&mut starting, "SELECT pg_backend_pid()");
    std::thread::scope(|scope| {
        // An id of its own before younger ones end, as whoever runs it in a transaction has.
        run(&mut starting, "BEGIN; SELECT pg_current_xact_id()");
        send(&mut young, "younger");
        let started = scope.spawn(|| run(&mut starting, "SELECT cdp.start(); COMMIT"));
        server.wait_for("cdp.start() to wait for a writer", SOON, || {
            let waits = format!("SELECT coalesce(wait_event_type, '') = 'Lock' FROM pg_stat_activity WHERE pid = {pid}");
            one::<bool>(&mut client, &waits).then_some(())
        });
        run(&mut older, "COMMIT");
        started.join().expect("it starts");
    });
    send(&mut oldest, "after");
    drain(&mut client);
    run(&mut oldest, "COMMIT");
    drain(&mut client);
    let ids: Vec<String> = column(&mut client, "SELECT message_id FROM cdp.events ORDER BY 1");
    assert_eq!(ids, ["after", "before", "written", "younger"]);
}

/// The ledger of a busier server, whose transaction ids are far ahead, holds up nothing here.
#[test]
fn the_ledger_of_another_server_means_nothing() {
    let server = server(false);
    server.create_cdp_db("app");
    let mut client = server.connect("app");
    fill(&mut client);
    run(
        &mut client,
        "UPDATE cdp.installation SET system_identifier = 1; \
         UPDATE cdp.inbox SET xact = (xact::text::bigint + 900000000)::text::xid8; \
         UPDATE cdp.batches SET committed_by = '900000000', consumed = '900000000:900000000:'",
    );
    run(&mut client, "SELECT cdp.start()");
    drain(&mut client);
    assert_eq!(
        one::<i64>(
            &mut client,
            "SELECT count(*) FROM cdp.events WHERE name = 'Buy'"
        ),
        130
    );
    drop(client);
    server.reload_with(&[("cdp.workers", "on")]);
    let mut client = server.connect("app");
    server.wait_for("consumed messages to be given back", Duration::from_secs(90), || {
        one::<bool>(
            &mut client,
            "SELECT bool_and(pg_relation_size(inhrelid) = 0) FROM pg_inherits WHERE inhparent = 'cdp.inbox'::regclass",
        )
        .then_some(())
    });
}

/// A dump may have read a sequence before a table: `cdp.start()` moves them on.
#[test]
fn ids_go_on_after_a_start() {
    let server = server(false);
    server.create_cdp_db("app");
    let mut client = server.connect("app");
    fill(&mut client);
    run(
        &mut client,
        "UPDATE cdp.installation SET system_identifier = 1; \
         SELECT setval('cdp.inbox_id_seq', 1, false), setval('cdp.node_id_seq', 1, false), \
                setval('cdp.set_id_seq', 1, false), setval('cdp.event_id_seq', 1, false)",
    );
    run(&mut client, "SELECT cdp.start()");
    let rows: i64 = one(&mut client, "SELECT count(*) FROM cdp.inbox");
    run(
        &mut client,
        "SELECT cdp.track('Buy', user_id => 'n' || g) FROM generate_series(1, 10) g",
    );
    run(
        &mut client,
        "UPDATE public.contacts SET city = 'Sines' WHERE id = 11",
    );
    let ids: i64 = one(&mut client, "SELECT count(DISTINCT id) FROM cdp.inbox");
    assert_eq!(ids, rows + 11);
    drain(&mut client);
    // 100 and 25 with ids, 5 and 10 without; 7 looks.
    assert_eq!(
        one::<i64>(&mut client, "SELECT count(*) FROM cdp.events"),
        147
    );
    assert_eq!(
        one::<String>(
            &mut client,
            "SELECT city FROM cdp.profiles WHERE profile_id = cdp.resolve('user_id', '11')"
        ),
        "Sines"
    );
    for table in ["identifiers", "identifier_sets"] {
        let id = if table == "identifiers" {
            "node_id"
        } else {
            "set_id"
        };
        assert!(one::<bool>(
            &mut client,
            &format!("SELECT count(*) = count(DISTINCT {id}) FROM cdp.{table}")
        ));
    }
    check_rebuild(&mut client);
}
