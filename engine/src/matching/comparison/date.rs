//! Birth dates.

use super::Outcome;
use super::strings::one_slip_in;
use crate::matching::prepare::{Date, Field, Forms};

pub(super) fn birth(field: &Field<'_>, x: u32, y: u32) -> Outcome {
    if x == y {
        return Outcome::new(1, field.bucket(x));
    }
    let Forms::Dates(dates) = &field.forms else {
        return Outcome::MISSING;
    };
    Outcome::level_only(level(&dates[x as usize], &dates[y as usize]))
}

/// The level of two dates that are not the same.
fn level(a: &Date, b: &Date) -> u8 {
    if a.digits == [0; 8] || b.digits == [0; 8] {
        return 8;
    }
    let differ = u64::from_le_bytes(a.digits) ^ u64::from_le_bytes(b.digits);
    let (first, last) = (
        differ.trailing_zeros() / 8,
        differ.checked_ilog2().unwrap_or(0) / 8,
    );
    // A slip touches no more than two, side by side.
    let one_slip = last <= first + 1 && one_slip_in(&a.digits, &b.digits);
    let same_year = a.digits[..4] == b.digits[..4];
    let both_default = a.default_day && b.default_day;
    let swapped = same_year && a.digits[4..6] == b.digits[6..] && a.digits[6..] == b.digits[4..6];
    if both_default {
        // Day and month are none, and so many years are one digit apart.
        return if one_slip { 6 } else { 8 };
    }
    if one_slip || swapped {
        return 2;
    }
    let apart = match (a.day, b.day) {
        (Some(a), Some(b)) => Some(a.abs_diff(b)),
        _ => None,
    };
    let a_default = a.default_day || b.default_day;
    if same_year && a_default {
        return 4;
    }
    let parts = usize::from(same_year)
        + usize::from(a.digits[4..6] == b.digits[4..6])
        + usize::from(a.digits[6..] == b.digits[6..]);
    if parts == 2 || apart.is_some_and(|days| days <= 31) {
        3
    } else if same_year {
        5
    } else if apart.is_some_and(|days| days <= 366) {
        7
    } else {
        8
    }
}
