//! Tables of ours that somebody has made more than their columns and indexes: they are written and
//! read by SQL then, to the same end.

use cdp_server_tests::sql::{column, one, run};
use cdp_server_tests::{Client, TestDb, fresh_db};

/// Messages of the four months before `until`: half of the people come with a second device.
fn messages(until: &str) -> String {
    format!(
        "INSERT INTO cdp.inbox (source, message) \
         SELECT 'default', json_build_object('type', CASE WHEN g % 3 = 0 THEN 'identify' ELSE 'track' END, \
             'event', 'Seen', 'userId', 'u' || g % 40, 'anonymousId', 'a' || g % 60, 'messageId', 'm' || g, \
             'timestamp', timestamptz '{until}' - g * interval '1 day', \
             'properties', json_build_object('n', g), \
             'traits', json_build_object('email', 'e' || g % 40 || '@example.com', 'plan', 'p' || g % 3))::text \
         FROM generate_series(1, 120) g"
    )
}

fn state(client: &mut Client) -> Vec<String> {
    column(
        client,
        "SELECT t.name || ' ' || i.value || ' ' || c.profile_id || ' ' || p.extra::text || ' ' || \
                p.last_seen || ' ' || (SELECT count(*) FROM cdp.profile_events e WHERE e.profile_id = c.profile_id) \
         FROM cdp.clusters c JOIN cdp.identifiers i USING (node_id) JOIN cdp.identifier_types t USING (type_id) \
         JOIN cdp.profile_rows p ON p.profile_id = c.profile_id ORDER BY 1",
    )
}

fn fill(db: &TestDb, until: &str, alterations: &str) -> (Client, Vec<String>) {
    let mut client = db.connect();
    run(&mut client, alterations);
    for _ in 0..2 {
        // The second time all of it is known.
        run(&mut client, &messages(until));
        run(&mut client, "CALL cdp.process_all()");
    }
    assert_eq!(
        one::<i64>(&mut client, "SELECT count(*) FROM cdp.dead_letter"),
        0
    );
    let state = state(&mut client);
    (client, state)
}

#[test]
fn triggers_policies_columns_and_missing_indexes_change_no_result() {
    let (plain, altered) = (fresh_db(), fresh_db());
    let until: String = one(&mut plain.connect(), "SELECT now()::text");
    let (_, expected) = fill(&plain, &until, "SELECT 1");
    assert_eq!(expected.len(), 140, "40 users, 40 addresses, 60 devices");
    let (mut client, state) = fill(
        &altered,
        &until,
        "CREATE TABLE seen (what text); GRANT ALL ON seen TO cdp_owner; \
         CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS \
             $$ BEGIN INSERT INTO public.seen VALUES (TG_TABLE_NAME); RETURN NULL; END $$; \
         CREATE TRIGGER note AFTER INSERT ON cdp.message_keys FOR EACH ROW EXECUTE FUNCTION note(); \
         ALTER TABLE cdp.events_before RENAME TO the_past; \
         ALTER TABLE cdp.identifiers ENABLE ROW LEVEL SECURITY; \
         ALTER TABLE cdp.identifiers FORCE ROW LEVEL SECURITY; \
         CREATE POLICY everything ON cdp.identifiers USING (true) WITH CHECK (true); \
         ALTER TABLE cdp.identifier_sets DROP CONSTRAINT identifier_sets_fingerprint_key; \
         ALTER TABLE cdp.set_evidence ADD COLUMN noted_at timestamptz DEFAULT now(); \
         ALTER TABLE cdp.events ADD COLUMN noted_at timestamptz DEFAULT now()",
    );
    assert_eq!(state, expected);
    assert_eq!(
        column::<String>(&mut client, "SELECT DISTINCT what FROM seen ORDER BY 1"),
        ["message_keys"]
    );
    assert_eq!(
        one::<i64>(
            &mut client,
            "SELECT count(*) FROM cdp.events WHERE noted_at IS NULL"
        ),
        0
    );
}

#[test]
fn a_partition_with_its_own_trigger_gets_its_rows_by_insert_and_the_others_as_ever() {
    let db = fresh_db();
    // Two months before the partitions of months begin.
    let until: String = one(
        &mut db.connect(),
        "SELECT (date_trunc('month', now()) - interval '4 months')::text",
    );
    let (mut client, _) = fill(
        &db,
        &until,
        "CREATE TABLE seen (id bigint); GRANT ALL ON seen TO cdp_owner; \
         CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS \
             $$ BEGIN INSERT INTO public.seen VALUES (NEW.event_id); RETURN NULL; END $$; \
         CREATE TRIGGER note AFTER INSERT ON cdp.events_before FOR EACH ROW EXECUTE FUNCTION note()",
    );
    assert_eq!(
        one::<i64>(&mut client, "SELECT count(*) FROM cdp.events"),
        80
    );
    let before = one::<i64>(&mut client, "SELECT count(*) FROM seen");
    assert!(before > 0 && before < 80, "{before}");
    assert_eq!(
        one::<i64>(
            &mut client,
            "SELECT count(*) FROM cdp.events_before b FULL JOIN seen s ON s.id = b.event_id \
             WHERE s.id IS NULL OR b.event_id IS NULL"
        ),
        0
    );
}
