//! Random streams of messages: derived state is a pure function of what was accepted and the rules.
//!
//! `PROPTEST_CASES`, `PROPTEST_RNG_SEED` and `PROPTEST_MAX_SHRINK_ITERS` let these look further.

#[path = "invariants/by_hand.rs"]
mod by_hand;
#[path = "invariants/matched.rs"]
mod matched;
#[path = "invariants/planned.rs"]
mod planned;

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

use cdp_server_tests::sql::{column, describe, difference, one, run, tables};
use cdp_server_tests::{Client, Server, ServerOptions};
use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::{Config, RngSeed, TestCaseError, TestRunner};

type Checked = Result<(), TestCaseError>;

const DAY: i64 = 86_400_000;

// ------------------------------------------------------------------------------------- messages

#[derive(Clone, Debug)]
struct Message {
    kind: Kind,
    user: Option<&'static str>,
    anonymous: Option<&'static str>,
    emails: Vec<&'static str>,
    phone: Option<&'static str>,
    device: Option<&'static str>,
    traits: Vec<(&'static str, &'static str)>,
    source: Option<&'static str>,
    /// Days before the base, milliseconds within the day.
    time: (i64, i64),
    /// Hours after the base.
    received: i64,
    id: Id,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Id {
    None,
    /// Its place in the stream.
    Own,
    /// Of a message before it: a conflicting duplicate, where the content differs.
    Of(usize),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Identify,
    Track(&'static str, u8),
    Page,
    Group,
    Alias(&'static str),
}

const USERS: [&str; 6] = ["u1", "u2", "u3", "u4", "u5", "null"];
const EMAILS: [&str; 6] = [
    "a@x.org",
    "b@x.org",
    "C@X.org",
    "c@x.org",
    "test@test.com",
    "no mail",
];
const PHONES: [&str; 4] = ["+12015550123", "+1 (201) 555-0123", "+351912345678", "12"];
const ANONYMOUS: [&str; 4] = ["k1", "k2", "k3", "anonymous"];
const DEVICES: [&str; 2] = ["d1", "00000000-0000-0000-0000-000000000000"];

/// Declared traits: name, type, rule, and values as JSON, misfits among them.
const TRAITS: [(&str, &str, &str, &[&str]); 11] = [
    (
        "city",
        "text",
        "most_recent",
        &[r#""Lisbon""#, r#""Porto""#, "7", "{}", "null"],
    ),
    (
        "age",
        "bigint",
        "max",
        &["17", "30", r#""41""#, "1.5", r#""old""#, "1e30"],
    ),
    (
        "score",
        "numeric",
        "min",
        &["1.50", "1.5", "-2", r#""NaN""#, "1e400", "true"],
    ),
    (
        "plan",
        "text",
        "source_priority",
        &[r#""free""#, r#""pro""#, "[]"],
    ),
    (
        "nick",
        "text",
        "longest",
        &[r#""ana""#, r#""ann""#, r#""anabela""#, r#""éé""#],
    ),
    (
        "born",
        "date",
        "first",
        &[r#""2001-02-03""#, r#""1999-12-31""#, r#""2001-02-30""#],
    ),
    (
        "tags",
        "text[]",
        "union",
        &[r#"["a","b"]"#, r#"["c"]"#, r#""a""#, "[[1]]"],
    ),
    (
        "fav",
        "text",
        "most_frequent",
        &[r#""x""#, r#""y""#, r#""z""#],
    ),
    (
        "prefs",
        "jsonb",
        "most_recent",
        &[r#"{"b":1,"a":[2]}"#, "[]", "12345678901234567890", r#""s""#],
    ),
    (
        "vip",
        "boolean",
        "most_recent",
        &["true", "false", r#""yes""#, r#""maybe""#],
    ),
    (
        "renewed",
        "timestamptz",
        "max",
        &[r#""2024-01-02T03:04:05Z""#, r#""2024-01-02""#, r#""soon""#],
    ),
];

/// Traits that nobody declared.
const OTHERS: [(&str, &[&str]); 2] = [
    (
        "zip",
        &["1000", r#""1000""#, "null", r#"{"a":{"b":[1.10]}}"#],
    ),
    ("Nick", &[r#""x""#, r#""y""#]),
];

const SEGMENTS: [(&str, &str); 8] = [
    ("adult", "age >= 18 and age is set"),
    ("buyer", "did 'Buy' at least 2 times"),
    (
        "fresh",
        "did 'Buy' in last 30 days and not in segment 'adult'",
    ),
    (
        "seen",
        "last_seen in last 30 days and first_seen not in last 30 days",
    ),
    ("viewer", "did not 'View' where properties.n >= 2"),
    (
        "local",
        "city = 'Lisbon' or tags contains 'a' or prefs.b = 1",
    ),
    ("page", "did 'Home' exactly 1 times"),
    (
        "either",
        "in segment 'viewer' and (in segment 'local' or plan = 'pro')",
    ),
];

fn pick(from: &'static [&'static str]) -> impl Strategy<Value = &'static str> {
    prop::sample::select(from)
}

fn some_traits() -> impl Strategy<Value = Vec<(&'static str, &'static str)>> {
    let one = prop::sample::select(
        TRAITS
            .iter()
            .map(|(name, _, _, values)| (*name, *values))
            .chain(OTHERS)
            .collect::<Vec<_>>(),
    )
    .prop_flat_map(|(name, values)| pick(values).prop_map(move |value| (name, value)));
    prop::collection::vec(one, 0..4)
}

fn kind() -> impl Strategy<Value = Kind> {
    let event = prop_oneof![3 => Just("Buy"), 2 => Just("View")];
    prop_oneof![
        5 => Just(Kind::Identify),
        4 => (event, 0_u8..4).prop_map(|(name, n)| Kind::Track(name, n)),
        1 => Just(Kind::Page),
        1 => Just(Kind::Group),
        1 => pick(&USERS).prop_map(Kind::Alias),
    ]
}

fn message() -> impl Strategy<Value = Message> {
    let ids = (
        prop::option::weighted(0.6, pick(&USERS)),
        prop::option::weighted(0.5, pick(&ANONYMOUS)),
        prop_oneof![
            4 => Just(vec![]),
            4 => pick(&EMAILS).prop_map(|e| vec![e]),
            1 => prop::collection::vec(pick(&EMAILS), 2..4),
        ],
        prop::option::weighted(0.2, pick(&PHONES)),
        prop::option::weighted(0.1, pick(&DEVICES)),
    );
    let time = prop_oneof![
        8 => (0_i64..4, prop::sample::select(vec![0, 1, DAY / 2, DAY - 1])),
        2 => (40_i64..43, Just(0)),
        1 => Just((9_000, 5)),
        1 => Just((-9_000, 5)),
    ];
    let source = prop_oneof![
        4 => Just(None),
        2 => Just(Some("app")),
        2 => Just(Some("late")),
    ];
    let id = prop_oneof![3 => Just(Id::Own), 1 => Just(Id::None)];
    (kind(), ids, some_traits(), source, time, 0_i64..60, id).prop_map(
        |(kind, (user, anonymous, emails, phone, device), traits, source, time, received, id)| {
            Message {
                kind,
                user,
                anonymous,
                emails,
                phone,
                device,
                traits,
                source,
                time,
                received,
                id,
            }
        },
    )
}

/// Messages, of which some are sent twice.
#[derive(Clone)]
struct Stream {
    messages: Vec<Message>,
    again: Vec<prop::sample::Index>,
}

fn stream(most: usize) -> impl Strategy<Value = Stream> {
    (
        prop::collection::vec(message(), 1..most),
        prop::collection::vec(any::<prop::sample::Index>(), 0..4),
    )
        .prop_map(|(messages, again)| Stream { messages, again })
}

/// A row for the inbox.
#[derive(Clone)]
struct Row {
    source: Option<&'static str>,
    text: String,
    /// Hours after the base.
    received: i64,
}

impl std::fmt::Debug for Stream {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.rows()).finish()
    }
}

impl std::fmt::Debug for Row {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let source = self.source.unwrap_or_default();
        write!(f, "{source} +{} h {}", self.received, self.text)
    }
}

impl Stream {
    fn rows(&self) -> Vec<Row> {
        let base = base();
        let mut rows: Vec<Row> = self
            .messages
            .iter()
            .enumerate()
            .map(|(n, message)| message.row(n, base))
            .collect();
        for again in &self.again {
            let n = again.index(self.messages.len());
            if self.messages[n].id != Id::None {
                rows.push(rows[n].clone());
            }
        }
        rows
    }
}

impl Message {
    fn row(&self, n: usize, base: i64) -> Row {
        let mut fields = Vec::new();
        let mut field = |name: &str, value: String| fields.push(format!("\"{name}\":{value}"));
        let quoted = |text: &str| format!("\"{text}\"");
        field(
            "type",
            quoted(match self.kind {
                Kind::Identify => "identify",
                Kind::Track(..) => "track",
                Kind::Page => "page",
                Kind::Group => "group",
                Kind::Alias(_) => "alias",
            }),
        );
        match self.kind {
            Kind::Track(name, count) => {
                field("event", quoted(name));
                field("properties", format!("{{\"n\":{count}}}"));
            }
            Kind::Page => field("name", quoted("Home")),
            Kind::Group => field("groupId", "5".to_owned()),
            Kind::Alias(previous) => field("previousId", quoted(previous)),
            Kind::Identify => {}
        }
        if let Some(user) = self.user {
            field("userId", quoted(user));
        }
        if let Some(anonymous) = self.anonymous {
            field("anonymousId", quoted(anonymous));
        }
        let mut traits: Vec<String> = self
            .traits
            .iter()
            .map(|(name, value)| format!("\"{name}\":{value}"))
            .collect();
        match self.emails.as_slice() {
            [] => {}
            [email] => traits.push(format!("\"email\":\"{email}\"")),
            several => {
                let several: Vec<String> = several.iter().map(|e| quoted(e)).collect();
                field(
                    "identifiers",
                    format!("{{\"email\":[{}]}}", several.join(",")),
                );
            }
        }
        if let Some(phone) = self.phone {
            traits.push(format!("\"phone\":\"{phone}\""));
        }
        let traits = format!("{{{}}}", traits.join(","));
        let mut context = Vec::new();
        if let Some(device) = self.device {
            context.push(format!("\"device\":{{\"id\":\"{device}\"}}"));
        }
        if self.kind == Kind::Identify {
            field("traits", traits);
        } else if traits != "{}" {
            context.push(format!("\"traits\":{traits}"));
        }
        if !context.is_empty() {
            field("context", format!("{{{}}}", context.join(",")));
        }
        let (days, milliseconds) = self.time;
        field("timestamp", (base - days * DAY + milliseconds).to_string());
        match self.id {
            Id::None => {}
            Id::Own => field("messageId", quoted(&format!("m{n}"))),
            Id::Of(other) => field("messageId", quoted(&format!("m{other}"))),
        }
        Row {
            source: self.source,
            text: format!("{{{}}}", fields.join(",")),
            received: self.received,
        }
    }
}

/// Midnight two days ago, in milliseconds since the Unix epoch.
fn base() -> i64 {
    static BASE: OnceLock<i64> = OnceLock::new();
    *BASE.get_or_init(|| {
        let seconds = std::time::SystemTime::now()
            .duration_since(std::time::UNIX_EPOCH)
            .expect("it is later than 1970")
            .as_secs();
        let days = i64::try_from(seconds).expect("it is earlier than that") / 86_400;
        (days - 2) * DAY
    })
}

// ------------------------------------------------------------------------------------ databases

/// A server of its own: nothing but the tests processes anything.
fn server() -> &'static Server {
    static SERVER: OnceLock<Server> = OnceLock::new();
    SERVER.get_or_init(|| {
        let server = Server::start(ServerOptions {
            preload: true,
            settings: &[("cdp.workers", "off"), ("autovacuum", "off")],
        });
        for (model, further) in [("model", ""), ("sliced", SLICED)] {
            server.create_cdp_db(model);
            let mut client = server.connect(model);
            run(&mut client, &configuration());
            run(&mut client, further);
        }
        server
    })
}

/// Devices that people take turns on, and e-mails that go to whoever came with them last.
const SLICED: &str = "
SELECT cdp.alter_identifier_type('anonymous_id', time_sliced => true);
SELECT cdp.alter_identifier_type('device_id', time_sliced => true);
SELECT cdp.alter_identifier_type('email', keep => 'last');";

fn configuration() -> String {
    let mut sql = String::from(
        "SELECT cdp.create_source('app'); \
         SELECT cdp.create_source('late', max_backdate => '1 month'); \
         SELECT cdp.alter_identifier_type('email', max_per_profile => 2, max_degree => '{\"user_id\": 2}'); \
         SELECT cdp.alter_identifier_type('phone', max_per_profile => 1, \
             max_degree => '{\"user_id\": 3, \"email\": 1}');",
    );
    for (name, ty, survivorship, _) in TRAITS {
        let ranked = match survivorship {
            "source_priority" => ", source_priority => '{late,app}'",
            _ => "",
        };
        sql.push_str(&format!(
            "SELECT cdp.create_trait('{name}', '{ty}', survivorship => '{survivorship}'{ranked});"
        ));
    }
    for (name, rule) in SEGMENTS {
        let rule = rule.replace('\'', "''");
        sql.push_str(&format!("SELECT cdp.create_segment('{name}', '{rule}');"));
    }
    sql
}

/// A copy of the model, dropped with it.
struct Db {
    name: String,
    client: Option<Client>,
}

impl Db {
    fn new() -> Self {
        Self::of("model")
    }

    fn of(model: &str) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(1);
        let name = format!("case{}", NEXT.fetch_add(1, Ordering::Relaxed));
        let server = server();
        run(
            &mut server.connect("postgres"),
            &format!("CREATE DATABASE {name} TEMPLATE {model} STRATEGY wal_log"),
        );
        let mut client = server.connect(&name);
        run(&mut client, "SELECT cdp.start()");
        Self {
            name,
            client: Some(client),
        }
    }

    fn client(&mut self) -> &mut Client {
        self.client.as_mut().expect("until it is dropped")
    }

    fn arrive(&mut self, rows: &[&Row]) -> Checked {
        let base = base();
        for row in rows {
            let received = (base + row.received * 3_600_000) as f64 / 1000.0;
            self.client()
                .execute(
                    "INSERT INTO cdp.inbox (source, message, received_at) VALUES ($1, $2, to_timestamp($3))",
                    &[&row.source, &row.text, &received],
                )
                .map_err(|e| TestCaseError::fail(describe(&e)))?;
        }
        Ok(())
    }

    /// Processes all that waits in batches of these sizes, in turn.
    fn drain(&mut self, sizes: &[i32]) -> Checked {
        for size in sizes.iter().cycle() {
            let ways = match *size {
                MANY => "SET cdp.batch_size = 3; SET cdp.bulk_batch_size = 10",
                _ => "RESET cdp.batch_size; RESET cdp.bulk_batch_size",
            };
            run(self.client(), ways);
            let read = self
                .client()
                .query_one("SELECT cdp.process($1)", &[size])
                .map_err(|e| TestCaseError::fail(describe(&e)))?
                .get::<_, i64>(0);
            self.check_segments()?;
            if read == 0 {
                return Ok(());
            }
        }
        Ok(())
    }

    /// Incremental membership is that of a full evaluation.
    fn check_segments(&mut self) -> Checked {
        for (name, _) in SEGMENTS {
            let row = self
                .client()
                .query_one(
                    "SELECT entered, \"left\" FROM cdp.refresh_segment($1)",
                    &[&name],
                )
                .map_err(|e| TestCaseError::fail(describe(&e)))?;
            let wrong: (i64, i64) = (row.get(0), row.get(1));
            prop_assert_eq!(
                wrong,
                (0, 0),
                "segment {} was not up to date: (entered, left)",
                name
            );
        }
        Ok(())
    }

    /// A rebuild changes nothing; neither does one that starts from nothing derived.
    fn check_rebuild(&mut self) -> Checked {
        let client = self.client();
        // When a segment was last evaluated for everybody is no derived state.
        let except = ["segments"];
        let mut before = tables(client, &except);
        run(client, "SELECT cdp.rebuild()");
        let after = tables(client, &except);
        if let Some(difference) = difference(&before, &after) {
            return Err(TestCaseError::fail(format!(
                "a rebuild changed\n{difference}"
            )));
        }
        run(
            client,
            "TRUNCATE cdp.set_evidence, cdp.set_nodes, cdp.set_links, cdp.links, cdp.clusters, \
             cdp.inert_identifiers, cdp.switch_points, cdp.sliced_sets, cdp.set_traits, cdp.profile_rows, cdp.asserted_links, cdp.cannot_links",
        );
        run(client, "SELECT cdp.rebuild()");
        let mut anew = tables(client, &except);
        // That all identifiers were in no profile for a while is history now.
        for history in ["identity_steps", "identity_moves", "profile_changes"] {
            before.remove(history);
            anew.remove(history);
        }
        if let Some(difference) = difference(&before, &anew) {
            return Err(TestCaseError::fail(format!(
                "a rebuild from nothing gave other results\n{difference}"
            )));
        }
        Ok(())
    }

    /// All that a reader sees, without node and profile ids.
    fn seen(&mut self) -> Vec<String> {
        column(self.client(), SEEN)
    }
}

impl Drop for Db {
    fn drop(&mut self) {
        self.client = None;
        if let Ok(mut client) = server().try_connect("postgres", "postgres") {
            let _ = client.batch_execute(&format!("DROP DATABASE {} WITH (FORCE)", self.name));
        }
    }
}

/// Every profile by its identifiers, with traits and segments, its events, its links; what is
/// unattributed; counts.
const SEEN: &str = "
WITH named AS (
    SELECT i.node_id, t.name || ':' || i.value AS name
      FROM cdp.identifiers i JOIN cdp.identifier_types t USING (type_id)
), people AS (
    SELECT c.profile_id, string_agg(n.name, ' ' ORDER BY n.name COLLATE \"C\") AS who
      FROM cdp.clusters c JOIN named n USING (node_id) GROUP BY 1
), sets AS (
    SELECT s.set_id, string_agg(n.name, ' ' ORDER BY n.name COLLATE \"C\") AS name
      FROM cdp.identifier_sets s, unnest(s.nodes) m (node_id) JOIN named n USING (node_id)
     WHERE EXISTS (SELECT 1 FROM cdp.set_evidence e WHERE e.set_id = s.set_id) GROUP BY 1
)
SELECT 'profile ' || who || ' ' || (to_jsonb(p) - 'profile_id')::text || ' in ' ||
       coalesce((SELECT string_agg(segment, ',' ORDER BY segment) FROM cdp.segment_members m
                  WHERE m.profile_id = p.profile_id), '')
  FROM people JOIN cdp.profile_rows p USING (profile_id)
UNION ALL
SELECT 'row without people ' || p::text FROM cdp.profile_rows p
 WHERE NOT EXISTS (SELECT 1 FROM people x WHERE x.profile_id = p.profile_id)
UNION ALL
SELECT 'member without row ' || m::text FROM cdp.memberships m
 WHERE left_at IS NULL AND NOT EXISTS (SELECT 1 FROM cdp.profile_rows p WHERE p.profile_id = m.profile_id)
UNION ALL
SELECT 'event of ' || coalesce(who, 'nobody') || ' ' || (to_jsonb(e) - (CASE WHEN so.kind = 'events' THEN '{set_id,event_id,received_at}' ELSE '{set_id,event_id}' END)::text[])::text
  FROM cdp.events e JOIN cdp.sources so USING (source_id)
  LEFT JOIN cdp.set_nodes s ON s.set_id = e.set_id AND (s.starts IS NULL OR e.\"time\" >= s.starts AND e.\"time\" < s.ends)
  LEFT JOIN cdp.clusters USING (node_id)
  LEFT JOIN people USING (profile_id)
UNION ALL
SELECT 'message of ' || coalesce(who, 'nobody') || ' ' || (to_jsonb(e) - (CASE WHEN so.kind = 'events' THEN '{set_id,event_id,received_at}' ELSE '{set_id,event_id}' END)::text[])::text
  FROM cdp.messages e JOIN cdp.sources so USING (source_id)
  LEFT JOIN cdp.set_nodes s ON s.set_id = e.set_id AND (s.starts IS NULL OR e.\"time\" >= s.starts AND e.\"time\" < s.ends)
  LEFT JOIN cdp.clusters USING (node_id)
  LEFT JOIN people USING (profile_id)
UNION ALL
SELECT 'set ' || s.name || ' of ' || coalesce(n.name, 'nobody') || coalesce(' from ' || d.starts || ' to ' || d.ends, '')
  FROM sets s LEFT JOIN cdp.set_nodes d USING (set_id) LEFT JOIN named n USING (node_id)
UNION ALL
SELECT 'switch of ' || k.name || ' to ' || p.name || ' at ' || w.switched_at
  FROM cdp.switch_points w JOIN named k USING (node_id) JOIN named p ON p.node_id = w.person_id
UNION ALL
SELECT 'evidence ' || s.name || ' ' || (to_jsonb(e) - 'set_id')::text
  FROM cdp.set_evidence e JOIN sets s USING (set_id)
UNION ALL
SELECT 'traits ' || s.name || ' ' || (to_jsonb(e) - 'set_id')::text
  FROM cdp.set_traits e JOIN sets s USING (set_id)
UNION ALL
SELECT 'link ' || least(a.name COLLATE \"C\", b.name) || ' - ' || greatest(a.name COLLATE \"C\", b.name) || ' ' ||
       (to_jsonb(l) - '{low,high}'::text[])::text
  FROM cdp.links l JOIN named a ON a.node_id = l.low JOIN named b ON b.node_id = l.high
UNION ALL
SELECT 'by hand ' || least(a.name COLLATE \"C\", b.name) || ' - ' || greatest(a.name COLLATE \"C\", b.name) || ' ' || l.decision
  FROM (SELECT low, high, decision::text FROM cdp.asserted_links
        UNION ALL SELECT low, high, 'apart' FROM cdp.cannot_links) l
  JOIN named a ON a.node_id = l.low JOIN named b ON b.node_id = l.high
UNION ALL
SELECT 'inert ' || n.name || ' ' || (to_jsonb(x) - 'node_id')::text
  FROM cdp.inert_identifiers x JOIN named n USING (node_id)
 WHERE EXISTS (SELECT 1 FROM cdp.identifier_sets s JOIN cdp.set_evidence USING (set_id) WHERE n.node_id = ANY (s.nodes))
UNION ALL
SELECT 'dead ' || (to_jsonb(d) - '{dead_letter_id,recorded_at,inbox_id}'::text[])::text FROM cdp.dead_letter d
UNION ALL
SELECT 'issue ' || (to_jsonb(v) - 'sample')::text FROM cdp.value_issues v
UNION ALL
SELECT 'duplicates ' || coalesce(sum(duplicates), 0) FROM cdp.batches
ORDER BY 1";

fn config(cases: u32) -> Config {
    let chosen = std::env::var_os("PROPTEST_RNG_SEED").is_some();
    let many = std::env::var_os("PROPTEST_CASES").is_some();
    let patient = std::env::var_os("PROPTEST_MAX_SHRINK_ITERS").is_some();
    let default = Config::default();
    Config {
        cases: if many { default.cases } else { cases },
        rng_seed: if chosen {
            default.rng_seed
        } else {
            RngSeed::Fixed(7)
        },
        failure_persistence: None,
        max_shrink_iters: if patient {
            default.max_shrink_iters
        } else {
            40
        },
        ..default
    }
}

fn check<S: Strategy>(cases: u32, strategy: S, property: impl Fn(S::Value) -> Checked) {
    let mut runner = TestRunner::new(config(cases));
    if let Err(error) = runner.run(&strategy, property) {
        panic!("{error}");
    }
}

/// The size of a batch that is read in parts, and derives the identity graph as a whole where a part of
/// it would do.
const MANY: i32 = 999;

fn sizes() -> impl Strategy<Value = Vec<i32>> {
    prop::collection::vec(
        prop_oneof![1 => 1..4, 2 => 4..15, 1 => Just(1_000), 2 => Just(MANY)],
        1..4,
    )
}

// ---------------------------------------------------------------------------------------- tests

/// However a stream comes in, what was derived batch by batch is what a rebuild derives, and no
/// segment is ever behind.
#[test]
fn incremental_state_is_the_rebuilt_state() {
    check_increments("model");
}

/// The same where identifiers serve one person after another, and where the last link is kept.
#[test]
fn incremental_slices_are_the_rebuilt_ones() {
    check_increments("sliced");
}

fn check_increments(model: &str) {
    let conflicting = (stream(40), any::<prop::sample::Index>(), any::<bool>()).prop_map(
        |(mut stream, place, conflict)| {
            // Which of two conflicting copies stands depends on their order: only here.
            let n = place.index(stream.messages.len());
            if conflict && n > 0 {
                stream.messages[n].id = Id::Of(n - 1);
            }
            stream
        },
    );
    let parts = prop::collection::vec(1_usize..20, 1..4);
    check(
        16,
        (conflicting, parts, sizes()),
        |(stream, parts, sizes)| {
            let mut db = Db::of(model);
            let rows = stream.rows();
            let mut rest = rows.iter().collect::<Vec<_>>();
            for part in parts.iter().cycle() {
                if rest.is_empty() {
                    break;
                }
                let next: Vec<&Row> = rest.drain(..rest.len().min(*part)).collect();
                db.arrive(&next)?;
                db.drain(&sizes)?;
            }
            db.check_rebuild()
        },
    );
}

/// The order and the sizes of batches change nothing but ids.
#[test]
fn order_and_batch_sizes_do_not_matter() {
    check_orders("model");
}

/// Nor where identifiers serve one person after another, and where the last link is kept.
#[test]
fn slices_do_not_depend_on_order() {
    check_orders("sliced");
}

fn check_orders(model: &str) {
    let strategy = stream(40)
        .prop_flat_map(|stream| {
            let order: Vec<usize> = (0..stream.rows().len()).collect();
            (
                Just(stream),
                Just(order.clone()),
                Just(order).prop_shuffle(),
            )
        })
        .prop_flat_map(|(stream, a, b)| (Just((stream, a, b)), sizes(), sizes()));
    check(16, strategy, |((stream, a, b), a_sizes, b_sizes)| {
        let rows = stream.rows();
        let mut seen = Vec::new();
        for (order, sizes) in [(a, a_sizes), (b, b_sizes)] {
            let mut db = Db::of(model);
            let ordered: Vec<&Row> = order.iter().map(|&n| &rows[n]).collect();
            db.arrive(&ordered)?;
            db.drain(&sizes)?;
            seen.push(db.seen());
            db.check_rebuild()?;
        }
        let [first, second] = seen.try_into().expect("two");
        let as_table = |rows: Vec<String>| [("seen".to_owned(), rows)].into();
        match difference(&as_table(first), &as_table(second)) {
            Some(difference) => Err(TestCaseError::fail(format!("by order\n{difference}"))),
            None => Ok(()),
        }
    });
}

/// A row of the mapped contacts or orders, as SQL literals.
#[derive(Clone, Debug)]
struct Mapped {
    user: Option<&'static str>,
    email: Option<&'static str>,
    phone: Option<&'static str>,
    city: Option<&'static str>,
    /// Days before the base: of creation, of the last change.
    created: i64,
    updated: i64,
    has_time: bool,
}

#[derive(Clone, Debug)]
enum Change {
    Contact(u8, Mapped),
    Order(u8, Mapped),
    /// Deletes a contact or an order.
    Delete(bool, u8),
    /// Gives a contact or an order another key, if that is free.
    Rekey(bool, u8, u8),
    Truncate(bool),
    Say(Message),
    /// Processes all that waits.
    Process(i32),
}

fn mapped() -> impl Strategy<Value = Mapped> {
    (
        prop::option::weighted(0.7, pick(&USERS)),
        prop::option::weighted(0.6, pick(&EMAILS)),
        prop::option::weighted(0.3, pick(&PHONES)),
        prop::option::weighted(0.6, prop::sample::select(vec!["Lisbon", "Porto"])),
        0_i64..5,
        0_i64..5,
        prop::bool::weighted(0.9),
    )
        .prop_map(
            |(user, email, phone, city, created, updated, has_time)| Mapped {
                user,
                email,
                phone,
                city,
                created,
                updated,
                has_time,
            },
        )
}

fn change() -> impl Strategy<Value = Change> {
    let key = 0_u8..5;
    prop_oneof![
        5 => (key.clone(), mapped()).prop_map(|(key, row)| Change::Contact(key, row)),
        4 => (key.clone(), mapped()).prop_map(|(key, row)| Change::Order(key, row)),
        2 => (any::<bool>(), key.clone()).prop_map(|(order, key)| Change::Delete(order, key)),
        1 => (any::<bool>(), key.clone(), key).prop_map(|(order, a, b)| Change::Rekey(order, a, b)),
        1 => any::<bool>().prop_map(Change::Truncate),
        3 => message().prop_map(Change::Say),
        4 => prop_oneof![1_i32..4, Just(1_000), Just(MANY)].prop_map(Change::Process),
    ]
}

const TABLES: &str = "
CREATE TABLE public.contacts (id integer PRIMARY KEY, login text, email text, phone text, city text,
                              created timestamptz, updated timestamptz);
CREATE TABLE public.orders (id integer PRIMARY KEY, login text, email text, city text, at timestamptz)";

const MAPPINGS: &str = r#"
SELECT cdp.map_table('crm', 'public.contacts', '{"user_id": "login", "email": "email", "phone": "phone",
    "traits": {"city": "city"}, "created_at": "created", "updated_at": "updated"}');
SELECT cdp.map_table('shop', 'public.orders', '{"kind": "events", "user_id": "login", "email": "email", "time": "at", "key": "id",
    "event": "Buy", "properties": {"city": "city"}}')"#;

impl Change {
    fn sql(&self) -> String {
        let text = |value: Option<&str>| value.map_or("NULL".to_owned(), |v| format!("'{v}'"));
        let time = |days: i64| format!("to_timestamp({})", (base() - days * DAY) / 1000);
        let table = |order: bool| if order { "orders" } else { "contacts" };
        match self {
            Self::Contact(key, row) => format!(
                "INSERT INTO public.contacts VALUES ({key}, {}, {}, {}, {}, {}, {}) ON CONFLICT (id) DO UPDATE \
                 SET (login, email, phone, city, created, updated) = \
                     (EXCLUDED.login, EXCLUDED.email, EXCLUDED.phone, EXCLUDED.city, EXCLUDED.created, EXCLUDED.updated)",
                text(row.user),
                text(row.email),
                text(row.phone),
                text(row.city),
                time(row.created),
                time(row.updated)
            ),
            Self::Order(key, row) => format!(
                "INSERT INTO public.orders VALUES ({key}, {}, {}, {}, {}) ON CONFLICT (id) DO UPDATE \
                 SET (login, email, city, at) = (EXCLUDED.login, EXCLUDED.email, EXCLUDED.city, EXCLUDED.at)",
                text(row.user),
                text(row.email),
                text(row.city),
                if row.has_time {
                    time(row.created)
                } else {
                    "NULL".to_owned()
                }
            ),
            Self::Delete(order, key) => {
                format!("DELETE FROM public.{} WHERE id = {key}", table(*order))
            }
            Self::Rekey(order, from, to) => format!(
                "UPDATE public.{0} SET id = {to} WHERE id = {from} AND NOT EXISTS (SELECT 1 FROM public.{0} WHERE id = {to})",
                table(*order)
            ),
            Self::Truncate(order) => format!("TRUNCATE public.{}", table(*order)),
            Self::Say(_) | Self::Process(_) => String::new(),
        }
    }
}

/// However rows came to be what they are, what is derived is what a first mapping of them gives.
#[test]
fn the_history_of_mapped_rows_does_not_matter() {
    check_histories("model");
}

#[test]
fn the_history_of_mapped_rows_does_not_matter_to_slices() {
    check_histories("sliced");
}

fn check_histories(model: &str) {
    let strategy = (
        prop::collection::vec(change(), 1..40),
        any::<prop::sample::Index>(),
    );
    check(12, strategy, |(changes, mapped_from)| {
        let mut seen = Vec::new();
        for lived_through in [true, false] {
            let mut db = Db::of(model);
            run(db.client(), TABLES);
            let mapped_from = match lived_through {
                true => mapped_from.index(changes.len()),
                false => changes.len(),
            };
            for (n, change) in changes.iter().enumerate() {
                if n == mapped_from {
                    run(db.client(), MAPPINGS);
                }
                match change {
                    Change::Say(message) => db.arrive(&[&message.row(n, base())])?,
                    Change::Process(size) if lived_through => db.drain(&[*size])?,
                    Change::Process(_) => {}
                    _ => run(db.client(), &change.sql()),
                }
            }
            if !lived_through {
                run(db.client(), MAPPINGS);
            }
            db.drain(&[1_000])?;
            let mut lines = db.seen();
            // What was found wrong with versions that stand no more is on record, and when each came.
            lines.retain(|line| {
                !["dead ", "issue ", "duplicates "]
                    .iter()
                    .any(|log| line.starts_with(log))
            });
            seen.push(lines);
            db.check_rebuild()?;
        }
        let [lived, fresh] = seen.try_into().expect("two");
        let as_table = |rows: Vec<String>| [("seen".to_owned(), rows)].into();
        match difference(&as_table(lived), &as_table(fresh)) {
            Some(difference) => Err(TestCaseError::fail(format!("by history\n{difference}"))),
            None => Ok(()),
        }
    });
}

fn accept(db: &mut Db, messages: &[&str]) {
    for text in messages {
        let text = text.replace('\'', "\"");
        db.client()
            .execute("INSERT INTO cdp.inbox (message) VALUES ($1)", &[&text])
            .unwrap_or_else(|e| panic!("{}", describe(&e)));
    }
    if let Err(error) = db.drain(&[1_000]) {
        panic!("{error}");
    }
}

/// A node may be in the graph, alone, before any set belongs to it: because its only link is refused.
#[test]
fn the_first_set_of_a_node_without_any_makes_a_profile() {
    let mut db = Db::new();
    // One phone a person: the second is refused, and stands alone.
    accept(
        &mut db,
        &[
            "{'type':'track','event':'x','userId':'u1','timestamp':'2024-01-01','identifiers':{'phone':'+12015550123'}}",
            "{'type':'track','event':'x','userId':'u1','timestamp':'2024-01-02','identifiers':{'phone':'+12015550124'}}",
        ],
    );
    assert_eq!(
        one::<i64>(db.client(), "SELECT count(*) FROM cdp.profile_rows"),
        1
    );
    accept(
        &mut db,
        &["{'type':'track','event':'Buy','identifiers':{'phone':'+12015550124'}}"],
    );
    assert_eq!(
        one::<i64>(db.client(), "SELECT count(*) FROM cdp.profile_rows"),
        2
    );
    db.check_rebuild().expect("a rebuild changes nothing");
}

/// A set can go from one profile to another without any node going: when its centre becomes shared.
#[test]
fn a_set_that_goes_to_another_profile_takes_its_traits_along() {
    let mut db = Db::new();
    let mut messages = vec![
        // k1 is u1's, a@x.org is u2's; what they say together is the e-mail's, so u2's.
        "{'type':'identify','userId':'u1','anonymousId':'k1','timestamp':'2024-01-01'}",
        "{'type':'identify','userId':'u2','traits':{'email':'a@x.org'},'timestamp':'2024-01-02'}",
        "{'type':'identify','anonymousId':'k1','traits':{'email':'a@x.org','city':'Lisbon'},'timestamp':'2024-01-03'}",
    ];
    accept(&mut db, &messages);
    let city = "SELECT city FROM cdp.profiles WHERE profile_id = cdp.resolve('user_id', 'u1')";
    assert_eq!(one::<Option<String>>(db.client(), city), None);
    messages = vec![
        "{'type':'identify','userId':'u3','traits':{'email':'a@x.org'},'timestamp':'2024-01-04'}",
        "{'type':'identify','userId':'u4','traits':{'email':'a@x.org'},'timestamp':'2024-01-05'}",
    ];
    // With a third user id the e-mail is shared: what it said with k1 is k1's, and so u1's.
    accept(&mut db, &messages);
    assert_eq!(
        one::<Option<String>>(db.client(), city).as_deref(),
        Some("Lisbon")
    );
    db.check_rebuild().expect("a rebuild changes nothing");
}

/// What was shared only by evidence that is withdrawn joins again, and leaves no trace.
#[test]
fn an_identifier_is_shared_no_more_once_its_evidence_is_withdrawn() {
    let mut db = Db::new();
    run(db.client(), TABLES);
    run(db.client(), MAPPINGS);
    run(
        db.client(),
        "INSERT INTO public.contacts (id, login, email, created, updated) \
         SELECT g, 'u' || g, 'a@x.org', '2024-01-01', '2024-01-01' FROM generate_series(1, 3) g",
    );
    accept(&mut db, &[]);
    let shared = "SELECT count(*) FROM cdp.inert_identifiers WHERE shared";
    assert_eq!(one::<i64>(db.client(), shared), 1);
    run(db.client(), "DELETE FROM public.contacts WHERE id = 3");
    accept(&mut db, &[]);
    assert_eq!(one::<i64>(db.client(), shared), 0);
    let joined = "SELECT cdp.resolve('email', 'a@x.org') = cdp.resolve('user_id', 'u1')";
    assert!(one::<bool>(db.client(), joined));
    db.check_rebuild().expect("a rebuild changes nothing");
}

/// An event that its row no longer states did not happen: neither before it is mended, nor after it
/// is gone. What is wrong with it is a dead letter, which stands once it is retried.
#[test]
fn a_row_that_can_stand_no_more_is_withdrawn() {
    let mut db = Db::new();
    run(db.client(), TABLES);
    run(db.client(), MAPPINGS);
    let events = "SELECT count(*) FROM cdp.events";
    let letters = "SELECT string_agg(reason, ' ' ORDER BY inbox_id) FROM cdp.dead_letter WHERE retried_at IS NULL";
    let mut step = |sql: &str, count: i64, dead: Option<&str>| {
        run(db.client(), sql);
        accept(&mut db, &[]);
        assert_eq!(one::<i64>(db.client(), events), count, "{sql}");
        let found = one::<Option<String>>(db.client(), letters);
        assert_eq!(found.as_deref(), dead, "{sql}");
        db.check_rebuild().expect("a rebuild changes nothing");
    };
    step(
        "INSERT INTO public.orders VALUES (1, 'u1', NULL, 'x', '2024-01-01')",
        1,
        None,
    );
    step(
        "UPDATE public.orders SET at = NULL",
        0,
        Some("missing_field"),
    );
    step(
        "UPDATE public.orders SET at = '2024-01-02'",
        1,
        Some("missing_field"),
    );
    step(
        "UPDATE public.orders SET login = NULL, email = 'none'",
        0,
        Some("missing_field no_identifier"),
    );
    // With another rule it can be read: the latest version stands, and the one before does not.
    step(
        "SELECT cdp.alter_identifier_type('email', normaliser => 'text'); SELECT cdp.retry_dead_letters()",
        1,
        Some("missing_field"),
    );
    step("DELETE FROM public.orders", 0, Some("missing_field"));
    step("SELECT cdp.retry_dead_letters()", 0, Some("missing_field"));
}

/// The tests above see real merges, refusals, shared identifiers and segments, and not only noise.
#[test]
fn the_streams_reach_the_rules() {
    let mut db = Db::of("sliced");
    let mut runner = TestRunner::new(config(1));
    let mut rows = Vec::new();
    for _ in 0..10 {
        let tree = stream(40).new_tree(&mut runner).expect("a stream");
        rows.extend(tree.current().rows());
    }
    db.arrive(&rows.iter().collect::<Vec<_>>())
        .expect("an inbox");
    db.drain(&[1_000]).expect("a batch");
    let client = db.client();
    for what in [
        "SELECT count(*) FROM cdp.links WHERE decision = 0",
        "SELECT count(*) FROM cdp.links WHERE decision > 0",
        "SELECT count(DISTINCT decision) - 1 FROM cdp.links",
        "SELECT count(*) FROM cdp.inert_identifiers WHERE shared",
        "SELECT count(*) FROM cdp.inert_identifiers WHERE blocked",
        "SELECT count(*) FROM cdp.segment_members",
        "SELECT count(*) FROM cdp.value_issues WHERE kind = 'trait'",
        "SELECT count(*) FROM cdp.value_issues WHERE kind = 'identifier'",
        "SELECT count(*) FROM cdp.profiles WHERE tags IS NOT NULL AND born IS NOT NULL",
        "SELECT sum(duplicates)::bigint FROM cdp.batches",
        "SELECT count(*) FROM cdp.events e JOIN cdp.set_nodes USING (set_id) \
          WHERE starts > '-infinity' AND e.\"time\" >= starts AND e.\"time\" < ends",
        "SELECT count(*) FROM cdp.set_traits JOIN cdp.set_nodes USING (set_id) WHERE starts IS NOT NULL",
    ] {
        let count: i64 = one(client, what);
        assert!(count > 0, "{what}");
    }
}
