//! Addresses, and the towns they are in.

use super::Outcome;
use super::comparer::{Remembered, best};
use super::name::{Likeness, likeness, sketches, too_different};
use super::strings::one_slip;
use crate::matching::prepare::{Addresses, Field, Forms, NONE, SEVERAL};

pub(super) fn address(field: &Field<'_>, remembered: &mut Remembered, x: u32, y: u32) -> Outcome {
    let Forms::Addresses(addresses) = &field.forms else {
        return Outcome::MISSING;
    };
    let (number_a, street_a) = addresses.parts[x as usize];
    if x == y {
        return Outcome::new(if number_a == 0 { 3 } else { 1 }, field.bucket(x));
    }
    let (number_b, street_b) = addresses.parts[y as usize];
    let same_number = number_a == number_b && number_a != 0;
    let on_value = |level: u8| Outcome::new(level, field.bucket(x).max(field.bucket(y)));
    if street_a == 0 || street_b == 0 {
        return match (same_number, number_a == 0 || number_b == 0) {
            (true, _) => on_value(2),
            (_, true) => Outcome::MISSING,
            _ => Outcome::level_only(5),
        };
    }
    if street_a == street_b {
        let same = same_number || close_numbers(addresses, number_a, number_b);
        return on_value(if same { 2 } else { 3 });
    }
    let close = remembered.get_or(street_a, street_b, || {
        Outcome::level_only(close_streets(addresses, street_a, street_b).into())
    });
    let close = close != Outcome::MISSING;
    if same_number && (close || similar_streets(addresses, street_a, street_b)) {
        on_value(2)
    } else {
        Outcome::level_only(if close { 4 } else { 5 })
    }
}

/// Whether house numbers differ by a slip.
fn close_numbers(addresses: &Addresses<'_>, a: u32, b: u32) -> bool {
    let (a, b) = (
        &addresses.numbers[a as usize],
        &addresses.numbers[b as usize],
    );
    !a.is_empty() && !b.is_empty() && a.len().max(b.len()) >= 3 && one_slip(a, b)
}

/// Whether so few letters are common that two streets are not worth a look.
fn apart(addresses: &Addresses<'_>, a: u32, b: u32) -> bool {
    let letters = |street: u32| addresses.sketches[street as usize].letters;
    let (of_a, of_b) = (letters(a), letters(b));
    (of_a & of_b).count_ones() * 2 < of_a.count_ones().min(of_b.count_ones())
}

/// How many words two streets have in common, and how many they have in all, each word once.
fn words(a: &str, b: &str) -> (usize, usize) {
    let (mut common, mut all) = (0, distinct_words(b).count());
    for word in distinct_words(a) {
        match b.split(' ').any(|other| other == word) {
            true => common += 1,
            false => all += 1,
        }
    }
    (common, all)
}

fn distinct_words(text: &str) -> impl Iterator<Item = &str> {
    let words = || text.split(' ');
    words()
        .enumerate()
        .filter(move |&(place, word)| words().take(place).all(|before| before != word))
        .map(|(_, word)| word)
}

/// Whether one street may be the other, mistyped.
fn close_streets(addresses: &Addresses<'_>, a: u32, b: u32) -> bool {
    let sketch = |street: u32| &addresses.sketches[street as usize];
    if apart(addresses, a, b) || too_different(sketch(a), sketch(b)) {
        return false;
    }
    let (a, b) = (
        &*addresses.streets[a as usize],
        &*addresses.streets[b as usize],
    );
    likeness(a, b) <= Likeness::Close && (a.as_bytes()[0] == b.as_bytes()[0] || words(a, b).0 > 0)
}

/// Whether two streets are similar, also by the words they share.
fn similar_streets(addresses: &Addresses<'_>, a: u32, b: u32) -> bool {
    if apart(addresses, a, b) {
        return false;
    }
    let (a, b) = (
        &*addresses.streets[a as usize],
        &*addresses.streets[b as usize],
    );
    let (common, all) = words(a, b);
    let begin_alike = a.as_bytes()[0] == b.as_bytes()[0];
    common * 2 >= all || (common > 0 || begin_alike) && likeness(a, b) <= Likeness::Similar
}

/// The best that postcode, city and region say. `remembered` begins with what is remembered of postcodes,
/// and `of_part` gives the cells of each of the three.
pub(super) fn place(
    field: &Field<'_>,
    remembered: &mut [Remembered],
    of_part: impl Fn(usize) -> [u32; 2],
    a: u32,
    b: u32,
) -> Outcome {
    let mut differ = false;
    let parts = std::iter::once(field).chain(&field.parts);
    for ((part, field), remembered) in parts.enumerate().zip(remembered) {
        let level = part as u8 * 2 + 1;
        let mut compare = |x: u32, y: u32| {
            if x == y {
                return Outcome::new(level, field.bucket(x));
            }
            let outcome = remembered.get_or(x, y, || {
                let (text_a, text_b) = (field.text(x), field.text(y));
                let close = match part {
                    0 => close_postcodes(text_a, text_b),
                    1 => {
                        let sketches = sketches(field);
                        !too_different(&sketches[x as usize], &sketches[y as usize])
                            && likeness(text_a, text_b) <= Likeness::Close
                    }
                    _ => false,
                };
                match close {
                    true => Outcome::new(level + 1, field.bucket(x).max(field.bucket(y))),
                    false => Outcome::MISSING,
                }
            });
            differ |= outcome == Outcome::MISSING;
            outcome
        };
        let found = match of_part(part) {
            [NONE, _] | [_, NONE] => Outcome::MISSING,
            [x, y] if x < SEVERAL && y < SEVERAL => compare(x, y),
            _ => best(field, (a, b), compare),
        };
        // What the next part says is worse.
        if found != Outcome::MISSING {
            return found;
        }
    }
    match differ {
        true => Outcome::level_only(6),
        false => Outcome::MISSING,
    }
}

/// One sign wrong or two swapped, or the same district.
fn close_postcodes(a: &str, b: &str) -> bool {
    let common = a.bytes().zip(b.bytes()).take_while(|(a, b)| a == b).count();
    common >= 3 || one_slip(a, b)
}
