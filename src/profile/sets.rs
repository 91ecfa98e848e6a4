//! The sets of profiles, and when they were seen: looked up profile by profile, or, of many, read in one pass
//! over each table.

use std::ops::Range;

use pgrx::datum::TimestampWithTimeZone;

use crate::args;
use crate::pg::look_up::LookUp;
use crate::pg::reader::{self, Micros};
use crate::pg::value::{JsonbText, Values};
use crate::pg::{Result, guc, sql, time};

/// What the sets of a profile come to.
#[derive(Default)]
pub struct Told {
    /// First and last time.
    pub seen: Option<(i64, i64)>,
    /// What was said, by source.
    pub said: Vec<(i32, String)>,
}

/// Widens a first and last time by another.
fn widen(seen: &mut Option<(i64, i64)>, (first, last): (i64, i64)) {
    let seen = seen.get_or_insert((first, last));
    *seen = (seen.0.min(first), seen.1.max(last));
}

/// What the sets of these profiles come to. Profiles without any are left out.
pub fn told(profile_ids: &[i64]) -> Vec<(i64, Told)> {
    let mut clusters = LookUp::open("cdp.clusters", &["profile_id"], &["node_id"]);
    let mut sets = LookUp::open("cdp.set_nodes", &["node_id"], &["set_id", "starts"]);
    let mut evidence = LookUp::open(
        "cdp.set_evidence",
        &["set_id"],
        &["first_seen", "last_seen"],
    );
    let mut traits = traits();
    let mut all = Vec::with_capacity(profile_ids.len());
    let mut of_profile = Vec::new();
    for &profile in profile_ids {
        of_profile.clear();
        clusters.find(
            |values| {
                values.put(profile);
            },
            |found| {
                let node: i64 = found.want(1);
                sets.find(
                    |values| {
                        values.put(node);
                    },
                    |found| {
                        if found.get::<TimestampWithTimeZone>(2).is_none() {
                            of_profile.push(found.want::<i64>(1));
                        }
                        true
                    },
                );
                true
            },
        );
        let mut told = Told::default();
        for &set in &of_profile {
            let by_set = |values: &mut Values| {
                values.put(set);
            };
            evidence.find(by_set, |found| {
                let times = (time::from_pg(found.want(1)), time::from_pg(found.want(2)));
                widen(&mut told.seen, times);
                true
            });
            said(&mut traits, set, &mut told);
        }
        if told.seen.is_some() {
            all.push((profile, told));
        }
    }
    clusters.close();
    sets.close();
    evidence.close();
    traits.close();
    all
}

fn traits() -> LookUp {
    LookUp::open("cdp.set_traits", &["set_id"], &["source_id", "candidates"])
}

fn said(traits: &mut LookUp, set: i64, told: &mut Told) {
    traits.find(
        |values| {
            values.put(set);
        },
        |found| {
            let JsonbText(candidates) = found.want(2);
            told.said.push((found.want(1), candidates));
            true
        },
    );
}

/// The sets of many profiles.
pub struct Sets<'a> {
    profile_ids: &'a [i64],
    /// The place of a profile, with a set of it; in order.
    sets: Vec<(u32, i64)>,
    /// First and last time of each profile.
    seen: Vec<Option<(i64, i64)>>,
}

impl<'a> Sets<'a> {
    /// Reads the sets of these profiles (sorted), where there are so many that looking them up would take longer;
    /// nothing either where that takes more memory than `cdp.graph_memory`.
    pub fn read(profile_ids: &'a [i64]) -> Result<Option<Self>> {
        const LEAST: usize = 20_000;
        const LEAST_SHARE: i64 = 10;
        if profile_ids.len() < LEAST {
            return Ok(None);
        }
        let all = sql::one::<i64>("SELECT last_value FROM cdp.set_id_seq", args![]);
        if all.unwrap_or(i64::MAX) / LEAST_SHARE > profile_ids.len() as i64 {
            return Ok(None);
        }
        let mut seen = vec![None; profile_ids.len()];
        let allowed = guc::graph_memory().saturating_sub(size_of_val(&seen[..]));
        // Nodes and sets are there at once, and room grows by doubling.
        let most = allowed / (4 * size_of::<(i64, u32)>());

        let mut nodes: Vec<(i64, u32)> = Vec::new();
        reader::each(
            "SELECT node_id, profile_id FROM cdp.clusters",
            args![],
            |row| {
                if nodes.len() <= most
                    && let Ok(place) = profile_ids.binary_search(&row.want(2))
                {
                    nodes.push((row.want(1), place as u32));
                }
                Ok(())
            },
        )?;
        nodes.sort_unstable();
        let mut sets: Vec<(i64, u32)> = Vec::new();
        reader::each(
            "SELECT set_id, node_id FROM cdp.set_nodes WHERE starts IS NULL",
            args![],
            |row| {
                let node: i64 = row.want(2);
                if sets.len() <= most
                    && let Ok(at) = nodes.binary_search_by_key(&node, |(node, _)| *node)
                {
                    sets.push((row.want(1), nodes[at].1));
                }
                Ok(())
            },
        )?;
        if nodes.len().max(sets.len()) > most {
            return Ok(None);
        }
        drop(nodes);
        sets.sort_unstable();
        reader::each(
            "SELECT set_id, first_seen, last_seen FROM cdp.set_evidence",
            args![],
            |row| {
                let set: i64 = row.want(1);
                if let Ok(at) = sets.binary_search_by_key(&set, |(set, _)| *set) {
                    let times = (row.want::<Micros>(2).0, row.want::<Micros>(3).0);
                    widen(&mut seen[sets[at].1 as usize], times);
                }
                Ok(())
            },
        )?;
        let mut sets: Vec<(u32, i64)> = sets.into_iter().map(|(set, of)| (of, set)).collect();
        sets.sort_unstable();
        Ok(Some(Self {
            profile_ids,
            sets,
            seen,
        }))
    }

    /// What the sets of some of the profiles, by their places, come to. Profiles without any are left out.
    pub fn told(&self, places: Range<usize>) -> Vec<(i64, Told)> {
        let mut traits = traits();
        let mut all = Vec::with_capacity(places.len());
        let first = self
            .sets
            .partition_point(|&(of, _)| (of as usize) < places.start);
        let mut sets = self.sets[first..].iter().peekable();
        for place in places {
            let mut told = Told {
                seen: self.seen[place],
                said: Vec::new(),
            };
            while let Some(&(_, set)) = sets.next_if(|&&(of, _)| of as usize == place) {
                said(&mut traits, set, &mut told);
            }
            if told.seen.is_some() {
                all.push((self.profile_ids[place], told));
            }
        }
        traits.close();
        all
    }
}
