//! Telephone numbers, numbers of the state, places on the globe.

use super::{Outcome, strings};
use crate::matching::prepare::{Field, Forms};

/// Whether one digit is wrong, missing or too many, or two neighbours are swapped.
fn one_slip(a: &str, b: &str) -> bool {
    a.len().abs_diff(b.len()) <= 1 && a.len().min(b.len()) >= 4 && strings::one_slip(a, b)
}

pub(super) fn phone(field: &Field<'_>, x: u32, y: u32) -> Outcome {
    if x == y {
        return Outcome::new(1, field.bucket(x));
    }
    let (a, b) = (field.text(x), field.text(y));
    let common = a
        .bytes()
        .rev()
        .zip(b.bytes().rev())
        .take_while(|(a, b)| a == b)
        .count();
    if common >= 7 {
        // With or without the country or the area.
        Outcome::new(2, field.bucket(x).max(field.bucket(y)))
    } else if one_slip(a, b) {
        Outcome::level_only(3)
    } else {
        Outcome::level_only(4)
    }
}

pub(super) fn national_id(field: &Field<'_>, x: u32, y: u32) -> Outcome {
    if x == y {
        Outcome::new(1, field.bucket(x))
    } else if one_slip(field.text(x), field.text(y)) {
        Outcome::level_only(2)
    } else {
        Outcome::level_only(3)
    }
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
