//! Categories and free text.

use super::Outcome;
use super::name::{Likeness, likeness, sketches, too_different};
use crate::matching::prepare::{Field, Forms};

pub(super) fn gender(_: &Field<'_>, x: u32, y: u32) -> Outcome {
    Outcome::level_only(if x == y { 1 } else { 2 })
}

pub(super) fn category(field: &Field<'_>, x: u32, y: u32) -> Outcome {
    if x == y {
        return Outcome::new(1, field.bucket(x));
    }
    let (a, b) = (field.text(x), field.text(y));
    let (name_a, name_b) = (&sketches(field)[x as usize], &sketches(field)[y as usize]);
    let several = name_a.several && name_b.several;
    if !several && too_different(name_a, name_b) {
        return Outcome::level_only(3);
    }
    let shared = || {
        a.split(' ')
            .any(|word| word.len() > 3 && b.split(' ').any(|o| o == word))
    };
    if likeness(a, b) <= Likeness::Close || shared() {
        Outcome::new(2, field.bucket(x).max(field.bucket(y)))
    } else {
        Outcome::level_only(3)
    }
}

pub(super) fn words(field: &Field<'_>, x: u32, y: u32) -> Outcome {
    if x == y {
        return Outcome::new(1, field.bucket(x));
    }
    let Forms::Words(words) = &field.forms else {
        return Outcome::MISSING;
    };
    let (a, b) = (&words[x as usize], &words[y as usize]);
    let common = a
        .iter()
        .filter(|word| b.binary_search(word).is_ok())
        .count();
    let all = a.len() + b.len() - common;
    let bucket = field.bucket(x).max(field.bucket(y));
    match common * 100 / all.max(1) {
        80.. => Outcome::new(2, bucket),
        50.. => Outcome::new(3, bucket),
        25.. => Outcome::level_only(4),
        _ => Outcome::level_only(5),
    }
}
