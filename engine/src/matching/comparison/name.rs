//! Names: given, family, middle and all in one.

use super::strings::one_slip;
use super::{Kind, Outcome, Outcomes};
use crate::matching::prepare::{Field, Forms, Name, Prepared};
use crate::similarity::jaro_winkler;
use crate::similarity::nicknames;

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
    let similarity = jaro_winkler(a, b);
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

pub(super) fn names<'a>(field: &'a Field<'_>) -> &'a [Name] {
    match &field.forms {
        Forms::Names(names) => names,
        _ => &[],
    }
}

fn more_frequent(field: &Field<'_>, x: u32, y: u32) -> u16 {
    field.bucket(x).max(field.bucket(y))
}

/// Whether two words cannot be similar, by their letters alone: of those that are not in the other word
/// none can match.
pub(super) fn too_different(a: &Name, b: &Name) -> bool {
    let matches = |one: &Name, other: &Name| {
        one.chars
            .saturating_sub((one.letters & !other.letters).count_ones())
    };
    // A similarity of Jaro and Winkler of 0.85 needs one of Jaro of 0.75.
    let most = matches(a, b).min(matches(b, a));
    most * (a.chars + b.chars) * 4 < 5 * a.chars * b.chars
}

/// Whether all words of the shorter are words of the longer.
fn within(a: &str, b: &str) -> bool {
    let (shorter, longer) = if a.len() < b.len() { (a, b) } else { (b, a) };
    shorter
        .split(' ')
        .all(|word| longer.split(' ').any(|other| other == word))
}

pub(super) fn given(field: &Field<'_>, x: u32, y: u32) -> Outcome {
    if x == y {
        return Outcome::new(1, field.bucket(x));
    }
    let (a, b) = (&names(field)[x as usize], &names(field)[y as usize]);
    if a.chars == 1 || b.chars == 1 {
        return Outcome::level_only(if a.initial == b.initial { 5 } else { 7 });
    }
    let (text_a, text_b) = (field.text(x), field.text(y));
    let bucket = more_frequent(field, x, y);
    if (a.several || b.several) && within(text_a, text_b) {
        return Outcome::new(3, bucket);
    }
    if nicknames::intersect(a.nicknames, b.nicknames) {
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
    let (a, b) = (&names(field)[x as usize], &names(field)[y as usize]);
    let (text_a, text_b) = (field.text(x), field.text(y));
    let bucket = more_frequent(field, x, y);
    if (a.several || b.several) && within(text_a, text_b) {
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
    let (a, b) = (&names(field)[x as usize], &names(field)[y as usize]);
    if a.chars == 1 || b.chars == 1 {
        return if a.initial == b.initial {
            Outcome::new(2, field.parts[0].bucket(a.initial_value))
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
    if a.len() > b.len() {
        std::mem::swap(&mut a, &mut b);
    }
    // Each word of the shorter name against the words of the longer.
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
        || jaro_winkler(text_a, text_b) >= CLOSE
    {
        Outcome::new(3, bucket)
    } else if same > 0 {
        Outcome::new(4, bucket)
    } else {
        Outcome::level_only(5)
    }
}

/// Whether the first names say that both are of one gender.
pub(super) fn given_agree(prepared: &Prepared<'_>, outcomes: &Outcomes) -> bool {
    prepared
        .comparisons
        .iter()
        .zip(outcomes)
        .any(|(comparison, outcome)| {
            comparison.kind == Kind::Given && matches!(outcome.level(), 1..=3)
        })
}

/// Whether first and last name, or all names in one, are as good as the same.
pub(super) fn names_agree(prepared: &Prepared<'_>, outcomes: &Outcomes) -> bool {
    let agree = |kind: Kind, last: u8| {
        prepared
            .comparisons
            .iter()
            .zip(outcomes)
            .any(|(comparison, outcome)| {
                comparison.kind == kind && (1..=last).contains(&outcome.level())
            })
    };
    agree(Kind::FullName, 3) || agree(Kind::Given, 3) && agree(Kind::Family, 2)
}

/// First and last names are looked at together: one may stand in the place of the other.
pub(super) fn across(prepared: &Prepared<'_>, a: u32, b: u32, outcomes: &mut Outcomes) {
    let at = |kind: Kind| {
        prepared
            .comparisons
            .iter()
            .position(|comparison| comparison.kind == kind)
    };
    let (Some(given_at), Some(family_at)) = (at(Kind::Given), at(Kind::Family)) else {
        return;
    };
    let (given, family) = (&prepared.fields[given_at], &prepared.fields[family_at]);
    let cross = |given_of: u32, family_of: u32| -> (Likeness, u16) {
        let mut best = (Likeness::Different, 0);
        for &x in given.of(given_of) {
            for &y in family.of(family_of) {
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
    };
    let (given_level, family_level) = (outcomes[given_at].level(), outcomes[family_at].level());
    let given_differs = matches!(given_level, 0 | 4..);
    if given_differs && matches!(family_level, 3..) && given_level != 0 {
        let (one, _) = cross(a, b);
        if one <= Likeness::Close {
            let (other, _) = cross(b, a);
            if other <= Likeness::Close && (one == Likeness::Same || other == Likeness::Same) {
                outcomes[given_at] = Outcome::level_only(6);
                outcomes[family_at] = Outcome::MISSING;
            }
        }
    } else if given_differs && family_level == 0 {
        // One has a single name, in the place of the first.
        let (likeness, bucket) = cross(a, b).min(cross(b, a));
        if likeness <= Likeness::Close {
            outcomes[given_at] = Outcome::MISSING;
            outcomes[family_at] = Outcome::new(5, bucket);
        }
    }
}
