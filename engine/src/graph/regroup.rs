//! What became of profiles when identifiers moved between them.

use std::collections::{BTreeMap, BTreeSet, HashMap};

/// What became of a [`Group`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Regrouping {
    /// Several profiles are one now.
    Merged,
    /// One profile is several now.
    Split,
    /// Several profiles are several others now.
    Rearranged,
    /// One profile is still one, of other identifiers or by another id.
    Changed,
    /// A profile has no identifiers any more.
    Gone,
    /// A profile of identifiers that were in none.
    New,
}

impl Regrouping {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::Merged,
        Self::Split,
        Self::Rearranged,
        Self::Changed,
        Self::Gone,
        Self::New,
    ];

    /// In a word.
    pub fn name(self) -> &'static str {
        match self {
            Self::Merged => "merged",
            Self::Split => "split",
            Self::Rearranged => "rearranged",
            Self::Changed => "changed",
            Self::Gone => "gone",
            Self::New => "new",
        }
    }
}

/// Profiles of before and of after that share identifiers, directly or through others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    /// What became of them.
    pub what: Regrouping,
    /// The profiles of before: id and number of identifiers, by id.
    pub before: Vec<(i64, u64)>,
    /// Those of after.
    pub after: Vec<(i64, u64)>,
}

impl Group {
    /// How many identifiers it had or has, whichever is more.
    pub fn identifiers(&self) -> u64 {
        let sum = |profiles: &[(i64, u64)]| profiles.iter().map(|profile| profile.1).sum();
        let (before, after): (u64, u64) = (sum(&self.before), sum(&self.after));
        before.max(after)
    }
}

/// How many identifiers went where: out of a profile or none, into another or none.
pub type Ways = HashMap<(Option<i64>, Option<i64>), u64>;

/// Groups the profiles that identifiers left or came to. `now`: how many identifiers each of those
/// has now; one that it does not name has none. The greatest groups of a kind come first.
pub fn regroup(ways: &Ways, now: &HashMap<i64, u64>) -> Vec<Group> {
    let mut left: BTreeMap<i64, u64> = BTreeMap::new();
    let mut arrived: BTreeMap<i64, u64> = BTreeMap::new();
    for (&(from, to), &count) in ways {
        if let Some(from) = from {
            *left.entry(from).or_default() += count;
        }
        if let Some(to) = to {
            *arrived.entry(to).or_default() += count;
        }
    }
    let profiles: BTreeSet<i64> = left.keys().chain(arrived.keys()).copied().collect();
    let count = |of: &BTreeMap<i64, u64>, id| of.get(&id).copied().unwrap_or_default();
    let is = |id| now.get(&id).copied().unwrap_or_default();
    let stayed = |id| is(id).saturating_sub(count(&arrived, id));
    let was = |id| stayed(id) + count(&left, id);

    // Each profile twice: as it was, and as it is.
    let place: HashMap<i64, usize> = (0..).zip(&profiles).map(|(n, &id)| (id, 2 * n)).collect();
    let mut forest: Vec<usize> = (0..2 * profiles.len()).collect();
    for &(from, to) in ways.keys() {
        if let (Some(from), Some(to)) = (from, to) {
            join(&mut forest, place[&from], place[&to] + 1);
        }
    }
    for &id in &profiles {
        if stayed(id) > 0 {
            join(&mut forest, place[&id], place[&id] + 1);
        }
    }
    type Sides = (Vec<(i64, u64)>, Vec<(i64, u64)>);
    let mut sides: BTreeMap<usize, Sides> = BTreeMap::new();
    for &id in &profiles {
        if was(id) > 0 {
            let root = find(&mut forest, place[&id]);
            sides.entry(root).or_default().0.push((id, was(id)));
        }
        if is(id) > 0 {
            let root = find(&mut forest, place[&id] + 1);
            sides.entry(root).or_default().1.push((id, is(id)));
        }
    }
    let mut groups: Vec<Group> = sides
        .into_values()
        .map(|(before, after)| Group {
            what: match (before.len(), after.len()) {
                (0, _) => Regrouping::New,
                (_, 0) => Regrouping::Gone,
                (1, 1) => Regrouping::Changed,
                (_, 1) => Regrouping::Merged,
                (1, _) => Regrouping::Split,
                (_, _) => Regrouping::Rearranged,
            },
            before,
            after,
        })
        .collect();
    groups.sort_by_cached_key(|group| {
        let profiles = group.before.len() + group.after.len();
        let first = group.before.first().or(group.after.first()).copied();
        let greatest = std::cmp::Reverse((profiles, group.identifiers()));
        (group.what, greatest, first)
    });
    groups
}

fn find(forest: &mut [usize], mut at: usize) -> usize {
    while forest[at] != at {
        forest[at] = forest[forest[at]];
        at = forest[at];
    }
    at
}

fn join(forest: &mut [usize], a: usize, b: usize) {
    let (a, b) = (find(forest, a), find(forest, b));
    forest[a.max(b)] = a.min(b);
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What becomes of identifiers, each given by its profile before and after.
    fn regrouped(identifiers: &[(i64, i64)]) -> Vec<Group> {
        let some = |id: i64| (id != 0).then_some(id);
        let (mut ways, mut now) = (Ways::new(), HashMap::new());
        for &(from, to) in identifiers {
            if from != to {
                *ways.entry((some(from), some(to))).or_default() += 1;
            }
            if to != 0 {
                *now.entry(to).or_default() += 1;
            }
        }
        regroup(&ways, &now)
    }

    fn group(what: Regrouping, before: &[(i64, u64)], after: &[(i64, u64)]) -> Group {
        Group {
            what,
            before: before.to_vec(),
            after: after.to_vec(),
        }
    }

    #[test]
    fn each_group_is_of_one_kind() {
        use Regrouping::*;
        let cases: [(&[(i64, i64)], Group); 9] = [
            (
                &[(1, 1), (1, 1), (2, 1)],
                group(Merged, &[(1, 2), (2, 1)], &[(1, 3)]),
            ),
            (
                &[(1, 1), (1, 2), (1, 2)],
                group(Split, &[(1, 3)], &[(1, 1), (2, 2)]),
            ),
            // One identifier goes from one to another: both are others now.
            (
                &[(1, 1), (1, 2), (2, 2)],
                group(Rearranged, &[(1, 2), (2, 1)], &[(1, 1), (2, 2)]),
            ),
            (&[(2, 1), (2, 1)], group(Changed, &[(2, 2)], &[(1, 2)])),
            (&[(1, 1), (0, 1)], group(Changed, &[(1, 1)], &[(1, 2)])),
            (&[(1, 1), (1, 0)], group(Changed, &[(1, 2)], &[(1, 1)])),
            (&[(1, 0), (1, 0)], group(Gone, &[(1, 2)], &[])),
            (&[(0, 3), (0, 3)], group(New, &[], &[(3, 2)])),
            // An id that one profile gives up and another takes: they have nothing in common.
            (&[(1, 2), (3, 1)], group(Changed, &[(1, 1)], &[(2, 1)])),
        ];
        for (identifiers, expected) in cases {
            let found = regrouped(identifiers);
            assert_eq!(found[0], expected, "{identifiers:?}");
        }
        assert_eq!(regrouped(&[(1, 2), (3, 1)]).len(), 2);
        assert_eq!(regrouped(&[(1, 1), (2, 2)]), []);
    }

    #[test]
    fn the_greatest_of_a_kind_come_first() {
        let identifiers = [(1, 1), (2, 1), (4, 3), (5, 3), (6, 3), (7, 7), (7, 8)];
        let kinds: Vec<(Regrouping, i64)> = regrouped(&identifiers)
            .iter()
            .map(|group| (group.what, group.after[0].0))
            .collect();
        assert_eq!(
            kinds,
            [
                (Regrouping::Merged, 3),
                (Regrouping::Merged, 1),
                (Regrouping::Split, 7)
            ]
        );
    }
}
