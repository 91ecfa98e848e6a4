//! What people say by hand, among random messages and rows.

use super::*;

/// Something said by hand.
#[derive(Clone, Debug)]
enum Word {
    Link(Id2, Id2),
    Unlink(Id2, Id2),
    RevokeSource(&'static str),
    /// One of the messages, or rows.
    Revoke(prop::sample::Index),
    /// One of the changes, undos among them.
    Undo(prop::sample::Index),
}

/// An identifier: type and value.
type Id2 = (&'static str, &'static str);

const IDENTIFIERS: [Id2; 14] = [
    ("user_id", "u1"),
    ("user_id", "u2"),
    ("user_id", "u3"),
    ("user_id", "u5"),
    ("user_id", "never seen"),
    ("email", "a@x.org"),
    ("email", "B@x.org"),
    ("email", "c@x.org"),
    ("anonymous_id", "k1"),
    ("anonymous_id", "k2"),
    ("phone", "+1 201 555 0123"),
    ("device_id", "d1"),
    ("record:crm", "1"),
    ("record:crm", "2"),
];

const SOURCES: [&str; 5] = ["default", "app", "late", "crm", "shop"];

fn two(of: &'static [Id2]) -> impl Strategy<Value = (Id2, Id2)> {
    (0..of.len(), 1..of.len()).prop_map(|(a, step)| (of[a], of[(a + step) % of.len()]))
}

fn word() -> impl Strategy<Value = Word> {
    prop_oneof![
        4 => two(&IDENTIFIERS).prop_map(|(a, b)| Word::Link(a, b)),
        4 => two(&IDENTIFIERS).prop_map(|(a, b)| Word::Unlink(a, b)),
        1 => prop::sample::select(&SOURCES[..]).prop_map(Word::RevokeSource),
        3 => any::<prop::sample::Index>().prop_map(Word::Revoke),
        4 => any::<prop::sample::Index>().prop_map(Word::Undo),
    ]
}

impl Db {
    /// Says something by hand; its change id, if there was anything to say it of.
    fn say(&mut self, word: &Word) -> Result<Option<i64>, TestCaseError> {
        let sql = match word {
            Word::Link(a, b) => format!("cdp.link({})", pair(*a, *b)),
            Word::Unlink(a, b) => format!("cdp.unlink({})", pair(*a, *b)),
            Word::RevokeSource(source) => format!("cdp.revoke_source('{source}')"),
            Word::Revoke(index) => {
                let all: Vec<String> = column(
                    self.client(),
                    "SELECT format('cdp.revoke_event(%s)', event_id) FROM (SELECT event_id, source_id FROM cdp.events \
                         UNION ALL SELECT event_id, source_id FROM cdp.messages) e \
                      JOIN cdp.sources s USING (source_id) WHERE s.kind = 'stream' \
                     UNION ALL SELECT format('cdp.revoke_message(%L, %L)', s.name, key) \
                       FROM cdp.records JOIN cdp.sources s USING (source_id) ORDER BY 1",
                );
                match all.is_empty() {
                    true => return Ok(None),
                    false => all[index.index(all.len())].clone(),
                }
            }
            Word::Undo(index) => {
                let all: Vec<i64> = column(
                    self.client(),
                    "SELECT change_id FROM cdp.assertions WHERE undone_by IS NULL ORDER BY 1",
                );
                match all.is_empty() {
                    true => return Ok(None),
                    false => format!("cdp.undo({})", all[index.index(all.len())]),
                }
            }
        };
        let change = self
            .client()
            .query_one(&format!("SELECT {sql}"), &[])
            .map_err(|e| TestCaseError::fail(format!("{sql}: {}", describe(&e))))?
            .get(0);
        self.check_segments()?;
        Ok(Some(change))
    }
}

fn pair(a: Id2, b: Id2) -> String {
    format!(
        "'{}', '{}', '{}', '{}', reason => 'it''s so'",
        a.0, a.1, b.0, b.1
    )
}

#[derive(Clone, Debug)]
enum Act {
    Change(Change),
    Word(Word),
}

fn acts(most: usize) -> impl Strategy<Value = Vec<Act>> {
    let act = prop_oneof![
        3 => message().prop_map(|message| Act::Change(Change::Say(message))),
        3 => change().prop_map(Act::Change),
        3 => word().prop_map(Act::Word),
    ];
    prop::collection::vec(act, 1..most)
}

fn with_mappings(model: &str) -> Db {
    let mut db = Db::of(model);
    run(db.client(), TABLES);
    run(db.client(), MAPPINGS);
    db
}

impl Db {
    fn act(&mut self, n: usize, act: &Act) -> Checked {
        match act {
            Act::Change(Change::Say(message)) => self.arrive(&[&message.row(n, base())]),
            Act::Change(Change::Process(size)) => self.drain(&[*size]),
            Act::Change(change) => {
                run(self.client(), &change.sql());
                Ok(())
            }
            Act::Word(word) => self.say(word).map(|_| ()),
        }
    }

    /// All that is derived, ids included; members of segments without the times.
    pub(super) fn derived(&mut self) -> cdp_server_tests::sql::Tables {
        let client = self.client();
        let mut all = tables(
            client,
            &[
                "segments",
                "memberships",
                "assertions",
                "identity_steps",
                "identity_moves",
                "profile_changes",
            ],
        );
        all.insert(
            "segment_members".to_owned(),
            column(
                client,
                "SELECT format('%s %s', segment, profile_id) FROM cdp.segment_members ORDER BY 1",
            ),
        );
        all
    }
}

/// Whatever is said by hand among messages and rows, and undone, what was derived step by step is what
/// a rebuild derives.
#[test]
fn what_is_said_by_hand_is_part_of_the_rebuilt_state() {
    check_said_by_hand("model");
}

/// The same, where devices serve one person after another.
#[test]
fn what_is_said_by_hand_of_devices_is_part_of_the_rebuilt_state() {
    check_said_by_hand("sliced");
}

fn check_said_by_hand(model: &str) {
    check(10, acts(50), |acts| {
        let mut db = with_mappings(model);
        for (n, act) in acts.iter().enumerate() {
            db.act(n, act)?;
        }
        db.drain(&[1_000])?;
        db.check_rebuild()
    });
}

/// Undoing all that was said by hand, in whatever order, gives back what would have been without it,
/// ids included: also where messages came in between.
#[test]
fn undoing_everything_gives_back_what_was() {
    check_undoing("model");
}

/// The same, where devices serve one person after another.
#[test]
fn undoing_everything_gives_back_slices() {
    check_undoing("sliced");
}

fn check_undoing(model: &str) {
    let words = prop::collection::vec(word(), 1..12);
    let strategy = (acts(25), words, any::<u64>());
    check(8, strategy, |(acts, words, order)| {
        let mut db = with_mappings(model);
        for (n, act) in acts.iter().enumerate() {
            if !matches!(act, Act::Word(_)) {
                db.act(n, act)?;
            }
        }
        db.drain(&[1_000])?;
        // A node of a value that was only said by hand stays, as any that was ever seen.
        for (name, value) in IDENTIFIERS {
            let made =
                format!("SELECT cdp.undo(cdp.link('{name}', '{value}', 'user_id', 'another'))");
            run(db.client(), &made);
        }
        let before = db.derived();
        for word in &words {
            db.say(word)?;
        }
        let standing = "SELECT change_id FROM cdp.assertions WHERE undone_by IS NULL AND kind <> 'undo' ORDER BY change_id";
        let mut order = order;
        loop {
            let open: Vec<i64> = column(db.client(), standing);
            if open.is_empty() {
                break;
            }
            order = order
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            let one = open[(order >> 33) as usize % open.len()];
            run(db.client(), &format!("SELECT cdp.undo({one})"));
            db.check_segments()?;
        }
        match difference(&before, &db.derived()) {
            Some(difference) => Err(TestCaseError::fail(format!("after undoing\n{difference}"))),
            None => db.check_rebuild(),
        }
    });
}

/// What is seen, but for what was rejected, and when.
fn without_logs(mut lines: Vec<String>) -> Vec<String> {
    let logs = ["dead ", "issue ", "duplicates "];
    lines.retain(|line| !logs.iter().any(|log| line.starts_with(log)));
    lines
}

/// It does not matter whether something is said by hand before or after what it is about comes in.
#[test]
fn when_something_is_said_by_hand_does_not_matter() {
    check_when_said("model");
}

/// The same, where devices serve one person after another.
#[test]
fn when_something_is_said_of_devices_does_not_matter() {
    check_when_said("sliced");
}

fn check_when_said(model: &str) {
    let word = prop_oneof![
        4 => two(&IDENTIFIERS).prop_map(|(a, b)| Word::Link(a, b)),
        4 => two(&IDENTIFIERS).prop_map(|(a, b)| Word::Unlink(a, b)),
        1 => prop::sample::select(&SOURCES[..]).prop_map(Word::RevokeSource),
        2 => any::<prop::sample::Index>().prop_map(Word::Undo),
    ];
    let strategy = (acts(30), prop::collection::vec((word, 0_usize..30), 1..8));
    check(6, strategy, |(acts, words)| {
        let mut seen = Vec::new();
        for early in [true, false] {
            let mut db = with_mappings(model);
            let mut waiting = words.iter();
            for (n, act) in acts.iter().enumerate() {
                if matches!(act, Act::Word(_)) {
                    continue;
                }
                if early && n % 3 == 0 {
                    for (word, _) in waiting.by_ref().take(2) {
                        db.say(word)?;
                    }
                }
                db.act(n, act)?;
            }
            db.drain(&[1_000])?;
            for (word, _) in waiting {
                db.say(word)?;
            }
            seen.push(without_logs(db.seen()));
            db.check_rebuild()?;
        }
        let [early, late] = seen.try_into().expect("two");
        let as_table = |rows: Vec<String>| [("seen".to_owned(), rows)].into();
        match difference(&as_table(early), &as_table(late)) {
            Some(difference) => Err(TestCaseError::fail(format!("by time\n{difference}"))),
            None => Ok(()),
        }
    });
}

/// A revoked source is one that never sent anything, but that what it sent is still stored.
#[test]
fn a_revoked_source_never_said_anything() {
    let strategy = (acts(40), prop::sample::select(&SOURCES[..]), any::<bool>());
    check(6, strategy, |(acts, source, early)| {
        let mut seen = Vec::new();
        for revoked in [true, false] {
            let mut db = with_mappings("model");
            let revoke = Word::RevokeSource(source);
            if revoked && early {
                db.say(&revoke)?;
            }
            for (n, act) in acts.iter().enumerate() {
                let from = match act {
                    Act::Word(_) => continue,
                    Act::Change(Change::Say(message)) => message.source.unwrap_or("default"),
                    Act::Change(Change::Contact(..)) => "crm",
                    Act::Change(Change::Order(..)) => "shop",
                    Act::Change(_) => "",
                };
                if revoked || from != source {
                    db.act(n, act)?;
                }
            }
            db.drain(&[1_000])?;
            if revoked && !early {
                db.say(&revoke)?;
            }
            let mut lines = without_logs(db.seen());
            lines.retain(|line| !line.contains("\"revoked\": true"));
            seen.push(lines);
            db.check_rebuild()?;
        }
        let [revoked, never] = seen.try_into().expect("two");
        let as_table = |rows: Vec<String>| [("seen".to_owned(), rows)].into();
        match difference(&as_table(never), &as_table(revoked)) {
            Some(difference) => Err(TestCaseError::fail(format!(
                "than never sent\n{difference}"
            ))),
            None => Ok(()),
        }
    });
}

/// Who is who was decided by: each identifier's profile.
fn who(client: &mut Client, as_of: &str) -> Vec<Option<i64>> {
    let asked: Vec<String> = IDENTIFIERS
        .iter()
        .map(|(name, value)| format!("cdp.resolve('{name}', '{value}'{as_of})"))
        .collect();
    column(
        client,
        &format!("SELECT unnest(ARRAY[{}])", asked.join(", ")),
    )
}

/// At every instant the history knows who was who then; and a profile id of then leads to where its
/// identifiers are now.
#[test]
fn the_history_tells_who_was_who() {
    check(6, acts(40), |acts| {
        let mut db = with_mappings("model");
        let mut then: Vec<(String, Vec<Option<i64>>)> = Vec::new();
        for (n, act) in acts.iter().enumerate() {
            db.act(n, act)?;
            let now = one(db.client(), "SELECT clock_timestamp()::text");
            then.push((now, who(db.client(), "")));
        }
        db.drain(&[3])?;
        run(db.client(), "SELECT cdp.rebuild()");
        let now = who(db.client(), "");
        for (at, was) in &then {
            let told = who(db.client(), &format!(", as_of => '{at}'"));
            prop_assert_eq!(&told, was, "at {}", at);
            for (was, now) in was.iter().zip(&now) {
                if let (Some(was), Some(now)) = (was, now) {
                    let leads: Vec<i64> =
                        column(db.client(), &format!("SELECT cdp.profile_ids({was})"));
                    prop_assert!(
                        leads.contains(now),
                        "{} of {} leads to {:?}, not {}",
                        was,
                        at,
                        leads,
                        now
                    );
                }
            }
        }
        // Every change but the end of an identifier has the link that decided it.
        let unexplained: Vec<String> = column(
            db.client(),
            "SELECT c::text FROM cdp.identity_changes c \
              WHERE from_profile = to_profile OR kind <> 'removal' AND (evidence IS NULL OR value_a IS NULL OR value_b IS NULL)",
        );
        prop_assert_eq!(unexplained, Vec::<String>::new());
        Ok(())
    });
}

/// The tests above see what they are about.
#[test]
fn what_is_said_by_hand_reaches_the_rules() {
    let mut runner = TestRunner::new(config(1));
    let mut counts = std::collections::BTreeMap::<&str, i64>::new();
    for _ in 0..6 {
        let acts = acts(90).new_tree(&mut runner).expect("some acts").current();
        let mut db = with_mappings("model");
        for (n, act) in acts.iter().enumerate() {
            db.act(n, act).expect("an act");
        }
        db.drain(&[1_000]).expect("a batch");
        for what in [
            "SELECT count(*) FROM cdp.asserted_links WHERE decision = 0",
            "SELECT count(*) FROM cdp.asserted_links WHERE decision > 0",
            "SELECT count(*) FROM cdp.cannot_links",
            "SELECT count(*) FROM cdp.links WHERE decision = 1",
            "SELECT count(*) FROM cdp.events WHERE revoked",
            "SELECT count(*) FROM cdp.messages WHERE revoked",
            "SELECT count(*) FROM cdp.records WHERE revoked",
            "SELECT count(*) FROM cdp.assertions WHERE undone_by IS NOT NULL AND kind = 'undo'",
            "SELECT count(*) FROM cdp.profile_changes WHERE kind = 'merge' AND evidence IS NOT NULL",
            "SELECT count(*) FROM cdp.profile_changes WHERE kind = 'rename' AND message_id IS NOT NULL",
            "SELECT count(*) FROM cdp.profile_changes WHERE kind = 'split'",
            "SELECT count(*) FROM cdp.profile_changes WHERE kind = 'move'",
            "SELECT count(*) FROM cdp.profile_changes WHERE kind = 'removal'",
        ] {
            *counts.entry(what).or_default() += one::<i64>(db.client(), what);
        }
    }
    let missing: Vec<_> = counts.iter().filter(|(_, count)| **count == 0).collect();
    assert!(missing.is_empty(), "{missing:?}");
}
