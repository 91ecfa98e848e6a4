//! The forms of values: what a comparison looks at before it looks at the text.

use crate::similarity::nicknames;

use super::address::Addresses;

/// The forms of values.
pub enum Forms<'a> {
    /// The text serves.
    Plain,
    /// Names, towns, categories.
    Names(Vec<Sketch>),
    /// First names, and the groups of nicknames that each is in.
    Given(Vec<Sketch>, Vec<&'static [u16]>),
    /// Middle names, and for each the bucket of the frequency of its initial.
    Middle(Vec<Sketch>, Vec<u16>),
    /// Dates.
    Dates(Vec<Date>),
    /// What is before the `@`; all where there is none.
    Emails(Vec<Sketch>),
    /// Telephone numbers, numbers of the state.
    Numbers(Vec<Digits>),
    /// House numbers and streets.
    Addresses(Addresses<'a>),
    /// Latitude and longitude.
    Locations(Vec<(f64, f64)>),
    /// Words, sorted.
    Words(Vec<Box<[u64]>>),
}

impl Forms<'_> {
    pub(super) fn bytes(&self) -> usize {
        match self {
            Forms::Plain => 0,
            Forms::Names(sketches) | Forms::Emails(sketches) => size_of_val(&**sketches),
            Forms::Given(sketches, groups) => size_of_val(&**sketches) + size_of_val(&**groups),
            Forms::Middle(sketches, initials) => {
                size_of_val(&**sketches) + size_of_val(&**initials)
            }
            Forms::Dates(dates) => size_of_val(&**dates),
            Forms::Numbers(numbers) => size_of_val(&**numbers),
            Forms::Addresses(addresses) => addresses.bytes(),
            Forms::Locations(locations) => size_of_val(&**locations),
            Forms::Words(words) => {
                let held: usize = words.iter().map(|words| size_of_val(&**words)).sum();
                size_of_val(&**words) + held
            }
        }
    }
}

/// What shows of a text that another cannot be similar to it.
#[derive(Clone, Copy, Debug)]
pub struct Sketch {
    /// Which letters it has, each one bit (some share one).
    pub letters: u64,
    /// The first bytes.
    pub head: [u8; 4],
    /// Characters, or [`u16::MAX`] if there are more.
    pub chars: u16,
    /// Whether it has several words.
    pub several: bool,
}

impl Sketch {
    pub(super) fn of(text: &str) -> Self {
        let mut head = [0; 4];
        for (head, byte) in head.iter_mut().zip(text.bytes()) {
            *head = byte;
        }
        let (mut letters, mut chars) = (0, 0_usize);
        for character in text.chars() {
            letters |= 1 << (character as u32 % 64);
            chars += 1;
        }
        Sketch {
            letters,
            head,
            chars: chars.min(usize::from(u16::MAX)) as u16,
            several: text.contains(' '),
        }
    }
}

pub(super) fn nicknames<'a>(texts: impl Iterator<Item = &'a str>) -> Vec<&'static [u16]> {
    texts.map(nicknames::groups).collect()
}

/// A number of at most 16 digits: each of them plus one in four bits, the last one lowest. 0 for a text
/// that is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Digits(pub u64);

impl Digits {
    pub(super) fn of(text: &str) -> Self {
        if text.len() > 16 || !text.bytes().all(|byte| byte.is_ascii_digit()) {
            return Digits(0);
        }
        Digits(
            text.bytes()
                .fold(0, |digits, byte| digits << 4 | u64::from(byte - b'0' + 1)),
        )
    }

    /// How many.
    pub fn count(self) -> u32 {
        16 - self.0.leading_zeros() / 4
    }

    /// How many the two, that are not the same, have in common at their end.
    pub fn common_end(self, other: Self) -> u32 {
        (self.0 ^ other.0).trailing_zeros() / 4
    }

    /// Whether the two, that are not the same, differ by one digit wrong, missing or too many, or by two
    /// neighbours swapped.
    pub fn one_slip(self, other: Self) -> bool {
        let (a, b) = (self.count(), other.count());
        let from_the_left = |digits: Self, len: u32| digits.0 << ((16 - len) * 4);
        let differ = from_the_left(self, a) ^ from_the_left(other, b);
        let start = differ.leading_zeros() / 4;
        let end = self.common_end(other);
        match a.abs_diff(b) {
            0 if start + end + 1 == a => true,
            0 if start + end + 2 == a => {
                let two = |digits: Self| (digits.0 >> (end * 4)) as u8;
                two(self) == two(other).rotate_left(4)
            }
            1 => start + end >= a.min(b),
            _ => false,
        }
    }
}

/// A date, its digits as written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Date {
    /// `YYYYMMDD`.
    pub digits: [u8; 8],
    /// Days since some day, if it is a date.
    pub day: Option<i32>,
    /// Whether day and month are those that stand for "unknown".
    pub default_day: bool,
}

impl Date {
    pub(super) fn of(text: &str, is_default: impl FnOnce(&str) -> bool) -> Self {
        match digits(text) {
            Some(digits) => Date {
                digits,
                day: day_number(&digits),
                default_day: is_default(&String::from_utf8_lossy(&digits[4..])),
            },
            None => Date {
                digits: [0; 8],
                day: None,
                default_day: false,
            },
        }
    }
}

/// What an e-mail address has before its `@`.
pub(in crate::matching) fn before_at(text: &str) -> &str {
    &text[..text.find('@').unwrap_or(text.len())]
}

/// Month and day of a date, if it has the form of one.
pub(super) fn month_and_day(text: &str) -> Option<String> {
    digits(text).map(|digits| String::from_utf8_lossy(&digits[4..]).into_owned())
}

/// The eight digits of a date (some may be no digits), if it has the form of one.
fn digits(text: &str) -> Option<[u8; 8]> {
    let bytes = text.as_bytes();
    if bytes.len() != 10 || bytes[4] != b'-' || bytes[7] != b'-' {
        return None;
    }
    let mut digits = [0; 8];
    digits[..4].copy_from_slice(&bytes[..4]);
    digits[4..6].copy_from_slice(&bytes[5..7]);
    digits[6..].copy_from_slice(&bytes[8..]);
    Some(digits)
}

/// Days since the year 0, as the calendar of today would have it.
fn day_number(digits: &[u8; 8]) -> Option<i32> {
    let number = |range: std::ops::Range<usize>| -> Option<i32> {
        std::str::from_utf8(&digits[range]).ok()?.parse().ok()
    };
    let (year, month, day) = (number(0..4)?, number(4..6)?, number(6..8)?);
    if !(1..=12).contains(&month) || !(1..=31).contains(&day) {
        return None;
    }
    let (year, month) = if month > 2 {
        (year, month - 3)
    } else {
        (year - 1, month + 9)
    };
    Some(year * 365 + year / 4 - year / 100 + year / 400 + (month * 153 + 2) / 5 + day)
}

/// Of each text its words, sorted.
pub(super) fn words<'a>(texts: impl Iterator<Item = &'a str>) -> Vec<Box<[u64]>> {
    texts
        .map(|text| {
            let mut words: Vec<u64> = text
                .split(' ')
                .map(|word| xxhash_rust::xxh3::xxh3_64(word.as_bytes()))
                .collect();
            words.sort_unstable();
            words.dedup();
            words.into_boxed_slice()
        })
        .collect()
}

/// Latitude and longitude.
pub(super) fn location(text: &str) -> (f64, f64) {
    text.split_once(',')
        .and_then(|(latitude, longitude)| Some((latitude.parse().ok()?, longitude.parse().ok()?)))
        .unwrap_or((f64::NAN, f64::NAN))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn numbers_slip_as_texts_do(a in "[0-3]{1,16}", b in "[0-3]{1,16}", at in 0..16_usize, digit in "[0-3]{0,2}") {
            let mut near = a.clone();
            near.replace_range(at.min(a.len())..(at + 1).min(a.len()).max(at.min(a.len())), &digit);
            for other in [b, near] {
                if other != a && (1..=16).contains(&other.len()) {
                    let (x, y) = (Digits::of(&a), Digits::of(&other));
                    prop_assert_eq!(x.count() as usize, a.len());
                    prop_assert_eq!(x.one_slip(y), strsim::osa_distance(&a, &other) <= 1);
                    let end = a.bytes().rev().zip(other.bytes().rev()).take_while(|(a, b)| a == b);
                    prop_assert_eq!(x.common_end(y) as usize, end.count());
                }
            }
        }
    }
}
