//! Telephone numbers, numbers of the state, places on the globe.

use super::{Outcome, strings};
use crate::matching::prepare::{Field, Forms};

/// How many digits two numbers, that are not the same, have in common at their end, and whether they differ
/// by a slip.
fn alike(field: &Field<'_>, x: u32, y: u32) -> (u32, bool) {
    if let Forms::Numbers(numbers) = &field.forms {
        let (a, b) = (numbers[x as usize], numbers[y as usize]);
        if a.0 != 0 && b.0 != 0 {
            let slip = a.count().min(b.count()) >= 4 && a.one_slip(b);
            return (a.common_end(b), slip);
        }
    }
    let (a, b) = (field.text(x), field.text(y));
    let common = a.bytes().rev().zip(b.bytes().rev());
    let common = common.take_while(|(a, b)| a == b).count();
    let slip =
        a.len().abs_diff(b.len()) <= 1 && a.len().min(b.len()) >= 4 && strings::one_slip(a, b);
    (common as u32, slip)
}

pub(super) fn phone(field: &Field<'_>, x: u32, y: u32) -> Outcome {
    if x == y {
        return Outcome::new(1, field.bucket(x));
    }
    match alike(field, x, y) {
        // With or without the country or the area.
        (7.., _) => Outcome::new(2, field.bucket(x).max(field.bucket(y))),
        (_, true) => Outcome::level_only(3),
        _ => Outcome::level_only(4),
    }
}

pub(super) fn national_id(field: &Field<'_>, x: u32, y: u32) -> Outcome {
    if x == y {
        return Outcome::new(1, field.bucket(x));
    }
    Outcome::level_only(if alike(field, x, y).1 { 2 } else { 3 })
}

pub(super) fn location(field: &Field<'_>, x: u32, y: u32) -> Outcome {
    let Forms::Locations(locations) = &field.forms else {
        return Outcome::MISSING;
    };
    let kilometres = distance(locations[x as usize], locations[y as usize]);
    Outcome::level_only(match kilometres {
        _ if kilometres.is_nan() => return Outcome::MISSING,
        ..=0.1 => 1,
        ..=1.0 => 2,
        ..=10.0 => 3,
        ..=50.0 => 4,
        _ => 5,
    })
}

/// Kilometres between two places, given in degrees, on a globe.
fn distance(a: (f64, f64), b: (f64, f64)) -> f64 {
    let (latitude_a, latitude_b) = (a.0.to_radians(), b.0.to_radians());
    let latitude = ((latitude_b - latitude_a) / 2.0).sin();
    let longitude = ((b.1 - a.1).to_radians() / 2.0).sin();
    let half = latitude * latitude + latitude_a.cos() * latitude_b.cos() * longitude * longitude;
    2.0 * 6371.0 * half.sqrt().min(1.0).asin()
}
