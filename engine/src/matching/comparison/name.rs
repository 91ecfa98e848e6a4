//! Names: given, family, middle and all in one.

use super::comparer::at;
use super::strings::one_slip;
use super::{Kind, Outcome, Outcomes};
use crate::matching::prepare::{Field, Forms, Prepared, Sketch};
use crate::similarity::{jaro_winkler_either_way, nicknames as groups};

/// How much two texts are alike.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Likeness {
    Same,
    Close,
    Similar,
    Different,
}

/// From here on two words may be one, mistyped.
const CLOSE: f64 = 0.92;
/// From here on two words are similar.
const SIMILAR: f64 = 0.85;

/// How much two words are alike.
pub(super) fn likeness(a: &str, b: &str) -> Likeness {
    if a == b {
        return Likeness::Same;
    }
    let similarity = jaro_winkler_either_way(a, b);
    if similarity >= CLOSE {
        return Likeness::Close;
    }
    let (shorter, longer) = (a.len().min(b.len()), a.len().max(b.len()));
    if shorter >= 3 && longer - shorter <= 4 && similarity >= 0.5 && one_slip(a, b) {
        Likeness::Close
    } else if similarity >= SIMILAR {
        Likeness::Similar
    } else {
        Likeness::Different
    }
}

/// Of each name what shows that another cannot be similar.
pub(super) fn sketches<'a>(field: &'a Field<'_>) -> &'a [Sketch] {
    match &field.forms {
        Forms::Names(sketches) | Forms::Given(sketches, _) | Forms::Middle(sketches, _) => sketches,
        _ => &[],
    }
}

fn more_frequent(field: &Field<'_>, x: u32, y: u32) -> u16 {
    field.bucket(x).max(field.bucket(y))
}

/// Whether two texts cannot be similar, by their letters and how they begin: of the letters that are not
/// in the other none can match. What [`likeness`] calls at least similar is none of these.
pub(super) fn too_different(a: &Sketch, b: &Sketch) -> bool {
    let (long, short) = (a.chars.max(b.chars), a.chars.min(b.chars));
    if long == u16::MAX || short == 0 {
        return false;
    }
    let matches = |one: &Sketch, other: &Sketch| {
        u32::from(one.chars).saturating_sub((one.letters & !other.letters).count_ones())
    };
    let most = matches(a, b).min(matches(b, a));
    // One slip leaves all characters but one.
    if most + 1 >= u32::from(long) {
        return false;
    }
    let differ = u32::from_le_bytes(a.head) ^ u32::from_le_bytes(b.head);
    let prefix = f64::from(differ.trailing_zeros() / 8);
    let most = f64::from(most);
    let jaro = (most / f64::from(long) + most / f64::from(short) + 1.0) / 3.0;
    jaro + 0.1 * prefix * (1.0 - jaro) < SIMILAR - 1e-9
}

/// Whether two names, one of several words, are one within the other.
fn one_within(a: &Sketch, b: &Sketch, text_a: &str, text_b: &str) -> bool {
    (a.several || b.several)
        && (a.letters & !b.letters == 0 || b.letters & !a.letters == 0)
        && within(text_a, text_b)
}

/// Whether all words of the shorter are words of the longer; of two of one length, of either.
fn within(a: &str, b: &str) -> bool {
    let holds = |longer: &str, shorter: &str| {
        shorter
            .split(' ')
            .all(|word| longer.split(' ').any(|other| other == word))
    };
    a.len() >= b.len() && holds(a, b) || a.len() <= b.len() && holds(b, a)
}

fn same_initial(a: &str, b: &str) -> bool {
    a.chars().next() == b.chars().next()
}

pub(super) fn given(field: &Field<'_>, x: u32, y: u32) -> Outcome {
    if x == y {
        return Outcome::new(1, field.bucket(x));
    }
    let Forms::Given(sketches, nicknames) = &field.forms else {
        return Outcome::MISSING;
    };
    let (a, b) = (&sketches[x as usize], &sketches[y as usize]);
    let (text_a, text_b) = (field.text(x), field.text(y));
    if a.chars == 1 || b.chars == 1 {
        return Outcome::level_only(if same_initial(text_a, text_b) { 5 } else { 7 });
    }
    let bucket = more_frequent(field, x, y);
    if one_within(a, b, text_a, text_b) {
        return Outcome::new(3, bucket);
    }
    if groups::intersect(nicknames[x as usize], nicknames[y as usize]) {
        return Outcome::new(2, bucket);
    }
    if too_different(a, b) {
        return Outcome::level_only(7);
    }
    match likeness(text_a, text_b) {
        Likeness::Same => Outcome::new(1, bucket),
        Likeness::Close => Outcome::new(3, bucket),
        Likeness::Similar => Outcome::new(4, bucket),
        Likeness::Different => Outcome::level_only(7),
    }
}

pub(super) fn family(field: &Field<'_>, x: u32, y: u32) -> Outcome {
    if x == y {
        return Outcome::new(1, field.bucket(x));
    }
    let (a, b) = (&sketches(field)[x as usize], &sketches(field)[y as usize]);
    let (text_a, text_b) = (field.text(x), field.text(y));
    let bucket = more_frequent(field, x, y);
    if one_within(a, b, text_a, text_b) {
        return Outcome::new(4, bucket);
    }
    if too_different(a, b) {
        return Outcome::level_only(6);
    }
    match likeness(text_a, text_b) {
        Likeness::Same => Outcome::new(1, bucket),
        Likeness::Close => Outcome::new(2, bucket),
        Likeness::Similar => Outcome::new(3, bucket),
        Likeness::Different => Outcome::level_only(6),
    }
}

pub(super) fn middle(field: &Field<'_>, x: u32, y: u32) -> Outcome {
    let Forms::Middle(sketches, initials) = &field.forms else {
        return Outcome::MISSING;
    };
    let (a, b) = (&sketches[x as usize], &sketches[y as usize]);
    if a.chars == 1 || b.chars == 1 {
        return if same_initial(field.text(x), field.text(y)) {
            Outcome::new(2, initials[x as usize])
        } else {
            Outcome::level_only(4)
        };
    }
    if x == y {
        return Outcome::new(1, field.bucket(x));
    }
    match likeness(field.text(x), field.text(y)) {
        Likeness::Same | Likeness::Close => Outcome::new(3, more_frequent(field, x, y)),
        Likeness::Similar | Likeness::Different => Outcome::level_only(4),
    }
}

pub(super) fn full(field: &Field<'_>, x: u32, y: u32) -> Outcome {
    if x == y {
        return Outcome::new(1, field.bucket(x));
    }
    let (text_a, text_b) = (field.text(x), field.text(y));
    let bucket = more_frequent(field, x, y);
    let (mut a, mut b): (Vec<&str>, Vec<&str>) =
        (text_a.split(' ').collect(), text_b.split(' ').collect());
    // Each word of the shorter name against the words of the longer. Of two that are as long it is always the
    // same one: the other way round may say something else.
    if (a.len(), text_a) > (b.len(), text_b) {
        std::mem::swap(&mut a, &mut b);
    }
    let mut same = 0;
    let mut alike = 0;
    for word in &a {
        let best = b
            .iter()
            .map(|other| {
                let initial = word.chars().count() == 1 || other.chars().count() == 1;
                if initial && word.chars().next() == other.chars().next() && word != other {
                    Likeness::Similar
                } else {
                    likeness(word, other)
                }
            })
            .min()
            .unwrap_or(Likeness::Different);
        match best {
            Likeness::Same => same += 1,
            Likeness::Close | Likeness::Similar => alike += 1,
            Likeness::Different => {}
        }
    }
    if same == a.len() && (a.len() > 1 || b.len() == 1) {
        Outcome::new(2, bucket)
    } else if same + alike == a.len() && (a.len() > 1 || b.len() == 1)
        || jaro_winkler_either_way(text_a, text_b) >= CLOSE
    {
        Outcome::new(3, bucket)
    } else if same > 0 {
        Outcome::new(4, bucket)
    } else {
        Outcome::level_only(5)
    }
}

/// Where the comparisons of names are.
#[derive(Clone, Copy)]
pub(super) struct Names {
    given: Option<usize>,
    family: Option<usize>,
    full: Option<usize>,
}

impl Names {
    pub(super) fn of(prepared: &Prepared<'_>) -> Self {
        Names {
            given: at(prepared, Kind::Given),
            family: at(prepared, Kind::Family),
            full: at(prepared, Kind::FullName),
        }
    }

    /// Whether the first names say that both are of one gender.
    pub(super) fn given_agree(self, outcomes: &Outcomes) -> bool {
        up_to(outcomes, self.given, 3)
    }

    /// Whether first and last name, or all names in one, are as good as the same.
    pub(super) fn agree(self, outcomes: &Outcomes) -> bool {
        up_to(outcomes, self.full, 3)
            || up_to(outcomes, self.given, 3) && up_to(outcomes, self.family, 2)
    }

    /// First and last names are looked at together: one may stand in the place of the other.
    pub(super) fn across(self, prepared: &Prepared<'_>, a: u32, b: u32, outcomes: &mut Outcomes) {
        let (Some(given_at), Some(family_at)) = (self.given, self.family) else {
            return;
        };
        let (given_level, family_level) = (outcomes[given_at].level(), outcomes[family_at].level());
        if matches!(given_level, 1..=3) {
            return;
        }
        let (given, family) = (&prepared.fields[given_at], &prepared.fields[family_at]);
        let cross = |given_of: u32, family_of: u32| cross(given, family, given_of, family_of);
        if given_level != 0 && matches!(family_level, 3..) {
            let (one, _) = cross(a, b);
            if one <= Likeness::Close {
                let (other, _) = cross(b, a);
                if other <= Likeness::Close && (one == Likeness::Same || other == Likeness::Same) {
                    outcomes[given_at] = Outcome::level_only(6);
                    outcomes[family_at] = Outcome::MISSING;
                }
            }
        } else if family_level == 0 {
            // One has a single name, in the place of the first.
            let (likeness, bucket) = cross(a, b).min(cross(b, a));
            if likeness <= Likeness::Close {
                outcomes[given_at] = Outcome::MISSING;
                outcomes[family_at] = Outcome::new(5, bucket);
            }
        }
    }
}

fn up_to(outcomes: &Outcomes, at: Option<usize>, last: u8) -> bool {
    at.is_some_and(|at| (1..=last).contains(&outcomes[at].level()))
}

/// How much the first name of one is like the last name of another, and how frequent that is.
fn cross(given: &Field<'_>, family: &Field<'_>, given_of: u32, family_of: u32) -> (Likeness, u16) {
    let mut best = (Likeness::Different, 0);
    for &x in given.of(given_of) {
        for &y in family.of(family_of) {
            if too_different(&sketches(given)[x as usize], &sketches(family)[y as usize]) {
                continue;
            }
            let (text_x, text_y) = (given.text(x), family.text(y));
            // Only what begins alike or has the same length is worth a look.
            if text_x.as_bytes().first() == text_y.as_bytes().first()
                || text_x.len() == text_y.len()
            {
                best = best.min((likeness(text_x, text_y), family.bucket(y)));
            }
        }
    }
    best
}
