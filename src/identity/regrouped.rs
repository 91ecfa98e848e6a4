//! What became of profiles when identity was derived anew.

use std::collections::{HashMap, HashSet};

use cdp_engine::graph::regroup::{self, Group, Ways};

use super::Outcome;
use crate::args;
use crate::pg::{Result, sql, thread};

/// Profiles that are counted by one statement; identifiers between two looks at interrupts.
const PART: usize = 50_000;

/// The profiles that are others than before, in groups. What was derived must be stored.
pub fn groups(outcome: &Outcome) -> Result<Vec<Group>> {
    let mut ways = Ways::new();
    for &(_, from) in &outcome.removed {
        *ways.entry((Some(from), None)).or_default() += 1;
    }
    let moved = outcome.update.iter().flat_map(|update| &update.moved);
    for (n, moved) in moved.enumerate() {
        if n % PART == 0 {
            pgrx::check_for_interrupts!();
        }
        *ways.entry((moved.from, Some(moved.to))).or_default() += 1;
    }
    let mut profiles: Vec<i64> = ways.keys().flat_map(|&(a, b)| [a, b]).flatten().collect();
    profiles.sort_unstable();
    profiles.dedup();
    let mut now = HashMap::with_capacity(profiles.len());
    for part in profiles.chunks(PART) {
        pgrx::check_for_interrupts!();
        now.extend(sql::rows(
            "SELECT profile_id, count(*) FROM cdp.clusters WHERE profile_id = ANY ($1) GROUP BY 1",
            args![part.to_vec()],
            |row| (row.want::<i64>(1), row.want::<i64>(2) as u64),
        ));
    }
    thread::run(move |_| regroup::regroup(&ways, &now))
}

/// The first identifiers, at most `most`, that came to each of these profiles out of none.
pub fn newcomers(outcome: &Outcome, to: &HashSet<i64>, most: usize) -> HashMap<i64, Vec<i64>> {
    let mut newcomers: HashMap<i64, Vec<i64>> = HashMap::new();
    let moved = outcome.update.iter().flat_map(|update| &update.moved);
    let came = moved.filter(|moved| moved.from.is_none() && to.contains(&moved.to));
    for moved in came {
        let nodes = newcomers.entry(moved.to).or_default();
        let place = nodes.partition_point(|&node| node < moved.node_id);
        if place < most {
            nodes.insert(place, moved.node_id);
            nodes.truncate(most);
        }
    }
    newcomers
}
