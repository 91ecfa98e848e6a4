//! E-mail addresses.

use super::Outcome;
use super::name::{Likeness, likeness};
use crate::matching::prepare::{Field, Forms};

pub(super) fn email(field: &Field<'_>, x: u32, y: u32) -> Outcome {
    if x == y {
        return Outcome::new(1, field.bucket(x));
    }
    let Forms::Emails(ats) = &field.forms else {
        return Outcome::MISSING;
    };
    let bucket = field.bucket(x).max(field.bucket(y));
    let (text_a, text_b) = (field.text(x), field.text(y));
    let local_a = &text_a[..ats[x as usize] as usize];
    let local_b = &text_b[..ats[y as usize] as usize];
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
