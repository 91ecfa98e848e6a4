//! Identifiers that serve one person after another: a tablet in a family, a till.

/// A time-sliced identifier seen together with somebody.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sighting {
    /// Microseconds since the epoch, UTC.
    pub time: i64,
    /// The node of whoever it was.
    pub person: i64,
}

/// Somebody begins to use a time-sliced identifier, until the next one does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SwitchPoint {
    /// The first sighting after those of somebody else.
    pub at: i64,
    /// The node of the person.
    pub person: i64,
}

/// The sightings of one person from a time on, and before another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Torn {
    /// The node of the person.
    pub person: i64,
    /// From when on.
    pub from: i64,
    /// Before when; `None` for no end.
    pub until: Option<i64>,
}

/// The switch points that all sightings of one identifier come to. Of those at one time only the one
/// counts whose person has the least standing: something that does not depend on ids.
pub fn switch_points<K: Ord>(
    mut sightings: Vec<Sighting>,
    standing: impl Fn(i64) -> K,
) -> Vec<SwitchPoint> {
    sightings.sort_by(|a, b| {
        let by_time = a.time.cmp(&b.time);
        by_time.then_with(|| standing(a.person).cmp(&standing(b.person)))
    });
    sightings.dedup_by_key(|sighting| sighting.time);
    sightings.dedup_by_key(|sighting| sighting.person);
    let point = |s: Sighting| SwitchPoint {
        at: s.time,
        person: s.person,
    };
    sightings.into_iter().map(point).collect()
}

/// What must be read again when sightings are added: the sightings within those slices in which now
/// somebody else is seen, from there on. `points` are in order of time, and reach at least from the
/// last one before the first sighting added to the first one after the last.
///
/// Those points, the new sightings and what is read again, through [`switch_points`], are the points
/// in that stretch of time: within a slice that nobody else is seen in, nothing can change.
pub fn torn(points: &[SwitchPoint], added: &[Sighting]) -> Vec<Torn> {
    let mut found = Vec::new();
    for (n, point) in points.iter().enumerate() {
        let until = points.get(n + 1).map(|next| next.at);
        let others = added.iter().filter(|sighting| {
            sighting.time >= point.at
                && until.is_none_or(|until| sighting.time < until)
                && sighting.person != point.person
        });
        if let Some(from) = others.map(|sighting| sighting.time).min() {
            found.push(Torn {
                person: point.person,
                from,
                until,
            });
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Not in the order of ids.
    fn standing(person: i64) -> i64 {
        person * 5 % 7
    }

    /// The points around some sightings, as a store would read them: from where to where in `points`.
    fn window(points: &[SwitchPoint], added: &[Sighting]) -> std::ops::Range<usize> {
        let first = added.iter().map(|s| s.time).min().unwrap_or(0);
        let last = added.iter().map(|s| s.time).max().unwrap_or(0);
        let start = points.partition_point(|p| p.at < first).saturating_sub(1);
        let end = points.partition_point(|p| p.at <= last);
        start..(end + 1).min(points.len())
    }

    proptest! {
        #[test]
        fn added_in_any_order_they_are_what_all_come_to(
            batches in prop::collection::vec(
                prop::collection::vec((0..12_i64, 1..5_i64), 1..5), 1..8)
        ) {
            let mut stored: Vec<Sighting> = Vec::new();
            let mut points: Vec<SwitchPoint> = Vec::new();
            for batch in batches {
                let added: Vec<Sighting> =
                    batch.into_iter().map(|(time, person)| Sighting { time, person }).collect();
                stored.extend(&added);
                let window = window(&points, &added);
                let around = &points[window.clone()];
                let mut known: Vec<Sighting> = (around.iter())
                    .map(|p| Sighting { time: p.at, person: p.person })
                    .chain(added.iter().copied())
                    .collect();
                for torn in torn(around, &added) {
                    let within = |s: &&Sighting| {
                        s.person == torn.person && s.time >= torn.from
                            && torn.until.is_none_or(|until| s.time < until)
                    };
                    known.extend(stored.iter().filter(within));
                }
                points.splice(window, switch_points(known, standing));
                prop_assert_eq!(&points, &switch_points(stored.clone(), standing));
            }
        }
    }

    #[test]
    fn a_family_takes_turns() {
        let seen = [(1, 7), (2, 7), (5, 8), (9, 7)];
        let seen = seen.map(|(time, person)| Sighting { time, person });
        let points = switch_points(seen.to_vec(), standing);
        let points: Vec<_> = points.iter().map(|p| (p.at, p.person)).collect();
        assert_eq!(points, [(1, 7), (5, 8), (9, 7)]);
    }
}
