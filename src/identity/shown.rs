//! What sets show of links: when, and by which sources.

use std::collections::HashSet;

use cdp_engine::graph::Shown;

use super::links::Pair;
use crate::pg::look_up::LookUp;
use crate::pg::time;

/// The sets that show links, and what shows them.
pub struct Sets<'a> {
    sets: LookUp,
    evidence: LookUp,
    /// The sources whose records confirm.
    records: &'a HashSet<i32>,
}

impl<'a> Sets<'a> {
    /// Opens them.
    pub fn open(records: &'a HashSet<i32>) -> Self {
        Self {
            sets: LookUp::open("cdp.set_links", &["low", "high"], &["set_id"]),
            evidence: LookUp::open(
                "cdp.set_evidence",
                &["set_id"],
                &["linked_at", "first_seen", "last_seen", "source_id"],
            ),
            records,
        }
    }

    /// What all the sets that show a link say of it; none if there are none.
    pub fn all(&mut self, pair: Pair) -> Option<Shown> {
        let mut shown = None;
        self.each(pair, |evidence, set| {
            evidence(set, &mut shown);
            true
        });
        shown
    }

    /// What the changed sets say of a link of which more is known than was before. That of all others is
    /// what it was; while the link is not confirmed they all say the same, and one of them speaks for all.
    pub fn grown(&mut self, pair: Pair, changed: &[i64], confirmed: bool) -> Option<Shown> {
        let mut shown = None;
        for &set in changed {
            show(&mut self.evidence, self.records, set, &mut shown);
        }
        if !confirmed {
            let changed: HashSet<i64> = changed.iter().copied().collect();
            self.each(pair, |evidence, set| {
                let other = !changed.contains(&set) && evidence(set, &mut shown);
                !other
            });
        }
        shown
    }

    /// Gives `each` the sets that show a link, and what reads the evidence of one, until it says false.
    fn each(
        &mut self,
        pair: Pair,
        mut each: impl FnMut(&mut dyn FnMut(i64, &mut Option<Shown>) -> bool, i64) -> bool,
    ) {
        let Self {
            sets,
            evidence,
            records,
        } = self;
        sets.find(
            |values| {
                values.put(pair.0).put(pair.1);
            },
            |found| {
                let mut read = |set, shown: &mut Option<Shown>| show(evidence, records, set, shown);
                each(&mut read, found.want(1))
            },
        );
    }

    /// Closes them.
    pub fn close(self) {
        self.sets.close();
        self.evidence.close();
    }
}

/// Adds what a set says of the links that it shows; whether anything shows the set.
fn show(
    evidence: &mut LookUp,
    records: &HashSet<i32>,
    set: i64,
    shown: &mut Option<Shown>,
) -> bool {
    let mut any = false;
    evidence.find(
        |values| {
            values.put(set);
        },
        |found| {
            let source = found.want(4);
            let by_set = Shown {
                linked_at: time::from_pg(found.want(1)),
                first_seen: time::from_pg(found.want(2)),
                last_seen: time::from_pg(found.want(3)),
                source,
                confirmed: records.contains(&source),
            };
            match shown {
                Some(known) => known.join(&by_set),
                None => *shown = Some(by_set),
            }
            any = true;
            true
        },
    );
    any
}
