//! How likely two records are one person, roughly, before there is a model: agreement counts for as much
//! as its value is rare, disagreement against. Rules are chosen by it, pairs never judged.

use super::super::{Column, Meaning, Records};
use crate::similarity::jaro_winkler_either_way;

/// Scores pairs of some records.
pub(super) struct Evidence<'a> {
    records: &'a Records,
    bits: f64,
}

struct Said<'a> {
    column: &'a Column,
    a: &'a [u32],
    b: &'a [u32],
}

impl Said<'_> {
    /// The bits that the rarest shared value is worth.
    fn shared(&self, total: f64, most: f64) -> Option<f64> {
        self.a
            .iter()
            .filter(|value| self.b.contains(value))
            .map(|value| {
                let count = f64::from(self.column.values[*value as usize].count);
                (total - count.log2()).clamp(0.0, most)
            })
            .reduce(f64::max)
    }

    fn any(&self, alike: impl Fn(&str, &str) -> bool) -> bool {
        let text = |value: &u32| &*self.column.values[*value as usize].text;
        self.a
            .iter()
            .any(|a| self.b.iter().any(|b| alike(text(a), text(b))))
    }
}

fn sounds_like(a: &str, b: &str) -> bool {
    jaro_winkler_either_way(a, b) > 0.87
        || a.chars().next() == b.chars().next()
            && (a.chars().count() == 1 || b.chars().count() == 1)
}

fn dates_alike(a: &str, b: &str) -> bool {
    a.len() == b.len() && a.bytes().zip(b.bytes()).filter(|(a, b)| a != b).count() <= 2
}

/// Whether two changes of a letter make one of the other: two put in, left out, changed or swapped.
fn near(a: &str, b: &str) -> bool {
    if a.is_ascii() && b.is_ascii() {
        within(a.as_bytes(), b.as_bytes(), 2)
    } else {
        strsim::osa_distance(a, b) <= 2
    }
}

fn within(a: &[u8], b: &[u8], changes: usize) -> bool {
    let same = a.iter().zip(b).take_while(|(a, b)| a == b).count();
    let (a, b) = (&a[same..], &b[same..]);
    if a.is_empty() || b.is_empty() || changes == 0 || a.len().abs_diff(b.len()) > changes {
        return a.len().max(b.len()) <= changes;
    }
    let left = changes - 1;
    within(&a[1..], &b[1..], left)
        || within(&a[1..], b, left)
        || within(a, &b[1..], left)
        || a.len() > 1 && b.len() > 1 && a[0] == b[1] && a[1] == b[0] && {
            within(&a[2..], &b[2..], left)
        }
}

fn words_shared(a: &str, b: &str) -> bool {
    a.split(' ')
        .any(|word| word.len() > 2 && b.split(' ').any(|other| other == word))
}

impl<'a> Evidence<'a> {
    pub fn of(records: &'a Records) -> Self {
        Evidence {
            records,
            bits: f64::from(records.len().max(2)).log2(),
        }
    }

    /// The probability that two records are one person.
    pub fn probability(&self, a: u32, b: u32) -> f64 {
        let (mut name, mut full, mut place, mut rest) = (None, None, None, 0.0);
        for column in &self.records.columns {
            let said = Said {
                column,
                a: column.of(a),
                b: column.of(b),
            };
            if said.a.is_empty() || said.b.is_empty() {
                continue;
            }
            let judge = |most: f64, alike: fn(&str, &str) -> bool, half: f64, against: f64| {
                said.shared(self.bits, most)
                    .unwrap_or_else(|| if said.any(alike) { half } else { -against })
            };
            match column.meaning {
                Meaning::FirstName => add(&mut name, judge(9.0, sounds_like, 4.0, 4.0)),
                Meaning::LastName => add(&mut name, judge(11.0, sounds_like, 5.0, 4.0)),
                Meaning::FullName => add(&mut full, judge(18.0, words_shared, 6.0, 5.0)),
                Meaning::MiddleName => rest += judge(4.0, sounds_like, 2.0, 2.0),
                Meaning::BirthDate => rest += judge(14.0, dates_alike, 7.0, 5.0),
                Meaning::Email => rest += judge(14.0, near, 10.0, 1.0),
                Meaning::Phone => rest += judge(14.0, near, 9.0, 1.0),
                Meaning::NationalId => rest += judge(20.0, near, 12.0, 6.0),
                Meaning::Gender => rest += judge(1.0, |_, _| false, 0.0, 3.0),
                Meaning::Category => rest += judge(5.0, words_shared, 1.0, 0.5),
                Meaning::Text => rest += judge(8.0, words_shared, 1.0, 0.5),
                Meaning::Street
                | Meaning::HouseNumber
                | Meaning::Unit
                | Meaning::Postcode
                | Meaning::City
                | Meaning::Region
                | Meaning::Country
                | Meaning::Location => add(&mut place, judge(8.0, near, 2.0, 0.5)),
            }
        }
        // A place is shared by a family, and its parts tell much the same.
        let place = place.unwrap_or(0.0f64).clamp(-2.0, 10.0);
        let name = match (name, full) {
            (Some(name), Some(full)) => f64::max(name, full),
            (name, full) => name.or(full).unwrap_or(0.0),
        };
        let bits = name + place + rest - self.bits;
        1.0 / (1.0 + (-bits).exp2())
    }
}

fn add(sum: &mut Option<f64>, bits: f64) {
    *sum = Some(sum.unwrap_or(0.0) + bits);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn near_is_a_distance_of_two(a in "[abc]{0,9}", b in "[abc]{0,9}") {
            prop_assert_eq!(near(&a, &b), strsim::osa_distance(&a, &b) <= 2, "{} {}", a, b);
        }
    }
}
