//! What of a value makes a key.

use std::fmt;
use std::str::FromStr;

use super::phonetic;

/// What of a value two records agree on. A value can have several such parts, or none; then a record
/// with this value alone has several keys, or none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Part {
    /// All of it.
    Value,
    /// Its first letters and digits: all, when it has fewer.
    Prefix(u8),
    /// Its last letters and digits: none, when it has fewer.
    Suffix(u8),
    /// How each of its words sounds (double metaphone); a word of another script is itself.
    Phonetic,
    /// Each of its words, of two letters or more.
    Word,
    /// Its words in alphabetical order.
    Sorted,
    /// Its letters and digits, without what is between.
    Compact,
    /// Its first number, as the house number of a street.
    Number,
    /// Each word without a digit in it, as the name of a street.
    Letters,
    /// What is before the `@`, without dots and what follows a plus sign.
    LocalPart,
    /// The year of a date.
    Year,
    /// Year and month of a date.
    YearMonth,
    /// Month and day of a date, in either order.
    MonthDay,
    /// Year and day of a date.
    YearDay,
    /// The four cells, this many decimals of a degree wide, that touch the nearest corner of a place.
    Cell(u8),
}

const NAMES: [(&str, Part); 12] = [
    ("value", Part::Value),
    ("phonetic", Part::Phonetic),
    ("word", Part::Word),
    ("sorted", Part::Sorted),
    ("compact", Part::Compact),
    ("number", Part::Number),
    ("letters", Part::Letters),
    ("local_part", Part::LocalPart),
    ("year", Part::Year),
    ("year_month", Part::YearMonth),
    ("month_day", Part::MonthDay),
    ("year_day", Part::YearDay),
];

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Part::Prefix(1) => f.write_str("initial"),
            Part::Prefix(length) => write!(f, "prefix_{length}"),
            Part::Suffix(length) => write!(f, "suffix_{length}"),
            Part::Cell(decimals) => write!(f, "cell_{decimals}"),
            named => match NAMES.iter().find(|(_, part)| part == named) {
                Some((name, _)) => f.write_str(name),
                None => unreachable!("every other part has a name"),
            },
        }
    }
}

impl FromStr for Part {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "initial" {
            return Ok(Part::Prefix(1));
        }
        if let Some((_, part)) = NAMES.iter().find(|(name, _)| *name == text) {
            return Ok(*part);
        }
        if let Some((kind, number)) = text.rsplit_once('_')
            && let Ok(number @ 0..=64) = number.parse::<u8>()
        {
            match kind {
                "prefix" if number > 0 => return Ok(Part::Prefix(number)),
                "suffix" if number > 0 => return Ok(Part::Suffix(number)),
                "cell" if number <= 6 => return Ok(Part::Cell(number)),
                _ => {}
            }
        }
        let names: Vec<&str> = NAMES.iter().map(|(name, _)| *name).collect();
        Err(format!(
            "there is no part \"{text}\"; there are {}, initial, prefix_N, suffix_N and cell_N",
            names.join(", ")
        ))
    }
}

impl Part {
    /// Gives each such part of a value, as text. The same one may come twice.
    pub fn of(self, text: &str, give: impl FnMut(&str)) {
        self.write(text, &mut String::new(), give);
    }

    /// As [`of`](Self::of), where `written` is overwritten by what is no part of the text as it stands.
    pub(super) fn write(self, text: &str, written: &mut String, mut give: impl FnMut(&str)) {
        written.clear();
        match self {
            Part::Value => give_filled(text, give),
            Part::Prefix(length) => {
                written.extend(solid(text).take(usize::from(length)));
                give_filled(written, give);
            }
            Part::Suffix(length) => {
                let mut letters = text.char_indices().rev();
                let start = letters
                    .by_ref()
                    .filter(|(_, letter)| letter.is_alphanumeric())
                    .nth(usize::from(length).saturating_sub(1));
                if let Some((start, _)) = start {
                    written.extend(solid(&text[start..]));
                    give(written);
                }
            }
            Part::Phonetic => words(text).for_each(|word| phonetic::codes(word, &mut give)),
            Part::Word => words(text)
                .filter(|word| word.chars().nth(1).is_some())
                .for_each(give),
            Part::Sorted => {
                let mut words: Vec<&str> = words(text).collect();
                words.sort_unstable();
                for word in words {
                    if !written.is_empty() {
                        written.push(' ');
                    }
                    written.push_str(word);
                }
                give_filled(written, give);
            }
            Part::Compact => {
                written.extend(solid(text));
                give_filled(written, give);
            }
            Part::Number => {
                if let Some(start) = text.find(|letter: char| letter.is_ascii_digit()) {
                    let rest = &text[start..];
                    let end = rest
                        .find(|letter: char| !letter.is_ascii_digit())
                        .unwrap_or(rest.len());
                    let number = rest[..end].trim_start_matches('0');
                    give_filled(number, give);
                }
            }
            Part::Letters => words(text)
                .filter(|word| {
                    word.chars().nth(2).is_some() && !word.contains(|l: char| l.is_numeric())
                })
                .for_each(give),
            Part::LocalPart => {
                let Some((before, _)) = text.rsplit_once('@') else {
                    return;
                };
                let user = before.split('+').next().unwrap_or(before);
                written.extend(solid(user));
                give_filled(written, give);
            }
            Part::Year | Part::YearMonth | Part::MonthDay | Part::YearDay => {
                let Some((year, month, day)) = date(text) else {
                    return;
                };
                let parts: &[&str] = match self {
                    Part::Year => &[year],
                    Part::YearMonth => &[year, "-", month],
                    Part::YearDay => &[year, "--", day],
                    _ => &[month.min(day), "-", month.max(day)],
                };
                written.extend(parts.iter().copied());
                give(written);
            }
            Part::Cell(decimals) => cells(text, decimals, give),
        }
    }
}

fn give_filled(text: &str, mut give: impl FnMut(&str)) {
    if !text.is_empty() {
        give(text);
    }
}

fn solid(text: &str) -> impl Iterator<Item = char> + '_ {
    text.chars().filter(|letter| letter.is_alphanumeric())
}

pub(super) fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|letter: char| !letter.is_alphanumeric() && !is_mark(letter))
        .filter(|word| !word.is_empty())
}

// A combining mark or an apostrophe is inside a word.
fn is_mark(letter: char) -> bool {
    matches!(letter, '\'' | '’') || unicode_normalization::char::is_combining_mark(letter)
}

/// Year, month and day of `2001-12-31`.
fn date(text: &str) -> Option<(&str, &str, &str)> {
    let mut parts = text.splitn(3, '-');
    let (year, month, day) = (parts.next()?, parts.next()?, parts.next()?);
    let is_part = |part: &str, length: usize| {
        part.len() == length && part.bytes().all(|byte| byte.is_ascii_alphanumeric())
    };
    (is_part(year, 4) && is_part(month, 2) && is_part(day, 2)).then_some((year, month, day))
}

// Places closer than half a cell share one.
fn cells(text: &str, decimals: u8, mut give: impl FnMut(&str)) {
    let Some((latitude, longitude)) = text.split_once(',') else {
        return;
    };
    let (Ok(latitude), Ok(longitude)) = (
        latitude.trim().parse::<f64>(),
        longitude.trim().parse::<f64>(),
    ) else {
        return;
    };
    if !(latitude.is_finite() && longitude.is_finite()) {
        return;
    }
    let scale = 10f64.powi(i32::from(decimals));
    let south = (latitude * scale - 0.5).floor() as i64;
    let west = (longitude * scale - 0.5).floor() as i64;
    for row in [south, south + 1] {
        for column in [west, west + 1] {
            give(&format!("{row},{column}"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(part: Part, text: &str) -> Vec<String> {
        let mut parts = Vec::new();
        part.of(text, |part| parts.push(part.to_owned()));
        parts
    }

    #[test]
    fn has_a_name() {
        for part in NAMES.iter().map(|(_, part)| *part).chain([
            Part::Prefix(1),
            Part::Prefix(4),
            Part::Suffix(7),
            Part::Cell(2),
        ]) {
            assert_eq!(part.to_string().parse(), Ok(part));
        }
        assert!("prefix_0".parse::<Part>().is_err());
        assert!("cell_9".parse::<Part>().is_err());
    }

    #[test]
    fn takes_parts_of_values() {
        assert_eq!(of(Part::Prefix(3), "o'brien"), ["obr"]);
        assert_eq!(of(Part::Prefix(9), "li"), ["li"]);
        assert_eq!(of(Part::Suffix(4), "+44 20 7946 0018"), ["0018"]);
        assert_eq!(of(Part::Suffix(4), "123"), [""; 0]);
        assert_eq!(
            of(Part::Word, "anna-maria o'neil j"),
            ["anna", "maria", "o'neil"]
        );
        assert_eq!(of(Part::Sorted, "smith john"), ["john smith"]);
        assert_eq!(of(Part::Compact, "tq13 8df"), ["tq138df"]);
        assert_eq!(of(Part::Number, "flat 007, 12 high street"), ["7"]);
        assert_eq!(
            of(Part::Letters, "12 st high street 3b"),
            ["high", "street"]
        );
        assert_eq!(of(Part::LocalPart, "j.smith+shop@example.com"), ["jsmith"]);
        assert_eq!(of(Part::Year, "1980-12-31"), ["1980"]);
        assert_eq!(of(Part::YearMonth, "1980-12-31"), ["1980-12"]);
        assert_eq!(
            of(Part::MonthDay, "1980-12-05"),
            of(Part::MonthDay, "1980-05-12")
        );
        assert_eq!(of(Part::YearDay, "1980-12-31"), ["1980--31"]);
        for part in [Part::Year, Part::MonthDay] {
            assert_eq!(of(part, "12/31/1980"), [""; 0]);
        }
        for part in NAMES.iter().map(|(_, part)| *part) {
            assert_eq!(of(part, ""), [""; 0], "{part}");
        }
    }

    #[test]
    fn close_places_share_a_cell() {
        let here = of(Part::Cell(2), "52.5199,13.4049");
        let there = of(Part::Cell(2), "52.5201,13.4051");
        assert!(here.iter().any(|cell| there.contains(cell)));
        assert_eq!(of(Part::Cell(2), "nowhere"), [""; 0]);
        assert_eq!(of(Part::Cell(2), "nan,1"), [""; 0]);
    }
}
