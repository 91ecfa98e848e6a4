//! Addresses, and the towns they are in.

use super::name::{Likeness, likeness, names, too_different};
use super::strings::one_slip;
use super::{Kind, Outcome, Outcomes};
use crate::matching::prepare::{Field, Forms, Name, Prepared};

pub(super) fn address(field: &Field<'_>, x: u32, y: u32) -> Outcome {
    let Forms::Addresses(ends) = &field.forms else {
        return Outcome::MISSING;
    };
    let split = |value: u32| {
        let text = field.text(value);
        let end = ends[value as usize].0 as usize;
        (&text[..end], &text[end + 1..])
    };
    let ((number_a, street_a), (number_b, street_b)) = (split(x), split(y));
    let bucket = field.bucket(x).max(field.bucket(y));
    if x == y {
        return Outcome::new(if number_a.is_empty() { 3 } else { 1 }, bucket);
    }
    let numbers = match (number_a.is_empty(), number_b.is_empty()) {
        (false, false) if number_a == number_b => Likeness::Same,
        (false, false)
            if number_a.len().max(number_b.len()) >= 3 && one_slip(number_a, number_b) =>
        {
            Likeness::Close
        }
        (false, false) => Likeness::Different,
        _ => Likeness::Similar,
    };
    if street_a.is_empty() || street_b.is_empty() {
        return match numbers {
            Likeness::Same => Outcome::new(2, bucket),
            Likeness::Similar => Outcome::MISSING,
            _ => Outcome::level_only(5),
        };
    }
    let street = |value: u32| &ends[value as usize].1;
    let streets = streets((street_a, street(x)), (street_b, street(y)));
    match (numbers, streets) {
        (Likeness::Same, Likeness::Same | Likeness::Close | Likeness::Similar)
        | (Likeness::Close, Likeness::Same) => Outcome::new(2, bucket),
        (_, Likeness::Same) => Outcome::new(3, bucket),
        (_, Likeness::Close) => Outcome::level_only(4),
        _ => Outcome::level_only(5),
    }
}

/// How much two names of streets are alike: also by the words they share.
fn streets((a, name_a): (&str, &Name), (b, name_b): (&str, &Name)) -> Likeness {
    let common = (name_a.letters & name_b.letters).count_ones();
    if common * 2 < name_a.letters.count_ones().min(name_b.letters.count_ones()) {
        return Likeness::Different;
    }
    let (mut common, mut all) = (0, b.split(' ').count());
    for word in a.split(' ') {
        match b.split(' ').any(|other| other == word) {
            true => common += 1,
            false => all += 1,
        }
    }
    if common == 0 && a.as_bytes().first() != b.as_bytes().first() {
        return Likeness::Different;
    }
    let likeness = likeness(a, b);
    if likeness > Likeness::Close && common * 2 >= all {
        likeness.min(Likeness::Similar)
    } else {
        likeness
    }
}

/// Whether house and street agree.
pub(super) fn agree(prepared: &Prepared<'_>, outcomes: &Outcomes) -> bool {
    prepared
        .comparisons
        .iter()
        .zip(outcomes)
        .any(|(comparison, outcome)| {
            comparison.kind == Kind::Address && matches!(outcome.level(), 1 | 2)
        })
}

/// The best that postcode, city and region say.
pub(super) fn place(field: &Field<'_>, a: u32, b: u32) -> Outcome {
    let mut best = Outcome::MISSING;
    let mut differ = false;
    for (part, field) in [field].into_iter().chain(&field.parts).enumerate() {
        for &x in field.of(a) {
            for &y in field.of(b) {
                let level = part as u8 * 2 + 1;
                let outcome = if x == y {
                    Outcome::new(level, field.bucket(x))
                } else {
                    let (text_a, text_b) = (field.text(x), field.text(y));
                    let close = match part {
                        0 => close_postcodes(text_a, text_b),
                        1 => {
                            let names = names(field);
                            !too_different(&names[x as usize], &names[y as usize])
                                && likeness(text_a, text_b) <= Likeness::Close
                        }
                        _ => false,
                    };
                    if close {
                        Outcome::new(level + 1, field.bucket(x).max(field.bucket(y)))
                    } else {
                        differ = true;
                        continue;
                    }
                };
                best = best.better(outcome);
            }
        }
    }
    if best == Outcome::MISSING && differ {
        return Outcome::level_only(6);
    }
    best
}

/// One sign wrong or two swapped, or the same district.
fn close_postcodes(a: &str, b: &str) -> bool {
    let common = a.bytes().zip(b.bytes()).take_while(|(a, b)| a == b).count();
    common >= 3 || one_slip(a, b)
}
