//! E-mail addresses.

use super::Outcome;
use super::name::{Likeness, likeness, too_different};
use crate::matching::prepare::{Field, Forms, before_at};

pub(super) fn email(field: &Field<'_>, x: u32, y: u32) -> Outcome {
    if x == y {
        return Outcome::new(1, field.bucket(x));
    }
    let Forms::Emails(locals) = &field.forms else {
        return Outcome::MISSING;
    };
    if too_different(&locals[x as usize], &locals[y as usize]) {
        return Outcome::level_only(5);
    }
    let bucket = field.bucket(x).max(field.bucket(y));
    let (text_a, text_b) = (field.text(x), field.text(y));
    let (local_a, local_b) = (before_at(text_a), before_at(text_b));
    match likeness(local_a, local_b) {
        Likeness::Same if local_a.len() >= 4 => Outcome::new(2, bucket),
        Likeness::Same | Likeness::Close => {
            let domain_a = text_a.get(local_a.len()..).unwrap_or("");
            let domain_b = text_b.get(local_b.len()..).unwrap_or("");
            if likeness(domain_a, domain_b) <= Likeness::Close {
                Outcome::new(3, bucket)
            } else {
                Outcome::level_only(4)
            }
        }
        Likeness::Similar => Outcome::level_only(4),
        Likeness::Different => Outcome::level_only(5),
    }
}

/// Whether two addresses are alike because they are made of the names: close before the @, where no
/// number of two digits or more is the same in both. Namesakes at one provider have such addresses.
pub(super) fn alike_by_name(field: &Field<'_>, a: u32, b: u32, outcome: Outcome) -> bool {
    let digits = |value: u32| -> Vec<u8> {
        let local = before_at(field.text(value));
        local.bytes().filter(u8::is_ascii_digit).collect()
    };
    matches!(outcome.level(), 3 | 4)
        && !field.of(a).iter().any(|&x| {
            let of_x = digits(x);
            of_x.len() >= 2 && field.of(b).iter().any(|&y| of_x == digits(y))
        })
}
