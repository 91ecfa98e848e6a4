//! What arrivals came to before anything is derived from it.

use std::collections::{HashMap, HashSet};

use super::{Outcome, Report};
use crate::evidence::{sets, tally};
use crate::identity::history::Said;

/// What was stored of some arrivals, and what is to be derived anew for that. Some 400 bytes a message
/// that shows a set of its own.
#[derive(Default)]
pub struct Accepted {
    pub report: Report,
    /// What is known of nodes and sets; forgotten where parts are joined, and then looked up.
    pub known: sets::Known,
    /// The evidence that changed.
    pub added: tally::Added,
    /// Profiles that something was withdrawn from.
    pub withdrawn_from: Vec<i64>,
    /// Sets that were counted anew.
    pub recount: Vec<i64>,
    /// Sets that said something of traits.
    pub said: Vec<i64>,
    /// Sets that were shown, with the first and the last time.
    pub shown: HashMap<i64, (i64, i64)>,
    /// Of sets whose evidence changed, who showed them first.
    pub said_first: HashMap<i64, Said>,
    /// Sets and each time that they were shown; only where identifiers serve one person after another.
    pub times: Vec<(i64, i64)>,
    /// Source and key of rows of mapped tables that changed; only where there are matchers.
    pub changed_rows: Vec<(i32, String)>,
    /// Names and sets of events.
    pub events: HashSet<(String, i64)>,
}

impl Outcome for Accepted {
    fn join(mut self, later: Self) -> Self {
        for (set, (earliest, latest)) in later.shown {
            let (first, last) = self.shown.entry(set).or_insert((earliest, latest));
            (*first, *last) = (earliest.min(*first), latest.max(*last));
        }
        for (set, said) in later.said_first {
            self.said_first.entry(set).or_insert(said);
        }
        self.report = self.report.join(later.report);
        self.known = sets::Known::default();
        self.added.join(later.added);
        self.withdrawn_from.extend(later.withdrawn_from);
        self.recount.extend(later.recount);
        self.said.extend(later.said);
        self.times.extend(later.times);
        self.changed_rows.extend(later.changed_rows);
        self.events.extend(later.events);
        self
    }

    fn report(&mut self) -> &mut Report {
        &mut self.report
    }
}
