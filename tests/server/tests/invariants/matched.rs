//! What matchers found of records, among random messages and rows.

use super::*;

/// What a matcher says of two rows of a table of people: a link or what keeps them apart, and how
/// sure it is.
#[derive(Clone, Debug)]
struct Pair {
    matcher: usize,
    rows: (i32, i32),
    kind: &'static str,
    weight: i32,
}

#[derive(Clone, Debug)]
enum Act {
    Change(Change),
    /// All that the matchers found till now is replaced.
    Found(Vec<Pair>),
}

/// A matcher above all that joins rows, one below e-mails, one below everything.
const MATCHERS: &str = "
INSERT INTO cdp.matchers (name, priority, spec) VALUES ('strong', 5, '{}'), ('middle', 25, '{}'), ('weak', 2000000000, '{}')";

fn pairs() -> impl Strategy<Value = Vec<Pair>> {
    let kind = prop_oneof![
        4 => Just("link"),
        1 => Just("cut"),
        1 => Just("review"),
        2 => Just("non_match"),
        1 => Just("household"),
    ];
    let rows = (1..=8_i32, 1..8_i32).prop_map(|(a, step)| (a, (a + step - 1) % 8 + 1));
    let pair =
        (1_usize..=3, rows, kind, -2_i32..3).prop_map(|(matcher, rows, kind, weight)| Pair {
            matcher,
            rows,
            kind,
            weight: weight * 100,
        });
    prop::collection::vec(pair, 0..16)
}

fn acts(most: usize) -> impl Strategy<Value = Vec<Act>> {
    let act = prop_oneof![
        4 => message().prop_map(|message| Act::Change(Change::Say(message))),
        6 => change().prop_map(Act::Change),
        1 => pairs().prop_map(Act::Found),
    ];
    prop::collection::vec(act, 1..most)
}

impl Db {
    /// Replaces what the matchers found. A matcher without a model is never run again, so what is
    /// written stands.
    fn found(&mut self, pairs: &[Pair]) -> Checked {
        let client = self.client();
        run(client, "DELETE FROM cdp.matches");
        for pair in pairs {
            let (a, b) = pair.rows;
            run(
                client,
                &format!(
                    "INSERT INTO cdp.matches (low, high, matcher_id, kind, weight, probability, decision) \
                     SELECT least(a.node_id, b.node_id), greatest(a.node_id, b.node_id), {}, '{kind}', {}, 0.5, \
                            CASE '{kind}' WHEN 'link' THEN -1 WHEN 'cut' THEN 5 END \
                       FROM cdp.identifiers a JOIN cdp.identifier_types t USING (type_id), cdp.identifiers b \
                      WHERE t.name = 'record:crm' AND b.type_id = a.type_id AND a.value = '{a}' AND b.value = '{b}' \
                     ON CONFLICT DO NOTHING",
                    pair.matcher,
                    pair.weight,
                    kind = pair.kind
                ),
            );
        }
        run(client, "SELECT cdp.rebuild()");
        self.check_segments()
    }

    fn follow(&mut self, n: usize, act: &Act) -> Checked {
        match act {
            Act::Change(Change::Say(message)) => self.arrive(&[&message.row(n, base())]),
            Act::Change(Change::Process(size)) => self.drain(&[*size]),
            Act::Change(change) => {
                run(self.client(), &change.sql());
                Ok(())
            }
            Act::Found(pairs) => self.found(pairs),
        }
    }
}

fn with_matchers() -> Db {
    let mut db = Db::new();
    for sql in [TABLES, MAPPINGS, MATCHERS] {
        run(db.client(), sql);
    }
    db
}

/// Whatever matchers found, what is derived step by step from then on is what a rebuild derives.
#[test]
fn what_matchers_found_is_part_of_the_rebuilt_state() {
    check(12, acts(60), |acts| {
        let mut db = with_matchers();
        for (n, act) in acts.iter().enumerate() {
            db.follow(n, act)?;
        }
        db.drain(&[1_000])?;
        db.check_rebuild()
    });
}

/// Without what was found, everything is as if it had never been found, ids included; where messages and
/// rows came in between, it is what a rebuild gives.
#[test]
fn what_is_found_no_more_gives_back_what_was() {
    let strategy = (acts(40), acts(8), pairs());
    check(8, strategy, |(acts, between, pairs)| {
        let mut db = with_matchers();
        for (n, act) in acts.iter().enumerate() {
            db.follow(n, act)?;
        }
        db.drain(&[1_000])?;
        db.found(&[])?;
        let before = db.derived();
        db.found(&pairs)?;
        db.found(&[])?;
        if let Some(difference) = difference(&before, &db.derived()) {
            return Err(TestCaseError::fail(format!("after matches\n{difference}")));
        }
        db.found(&pairs)?;
        for (n, act) in (1_000..).zip(&between) {
            db.follow(n, act)?;
        }
        db.drain(&[1_000])?;
        db.found(&[])?;
        db.check_rebuild()
    });
}
