//! What a column says of a person, and the one form of its values.

use serde::{Deserialize, Serialize};
use unicode_normalization::UnicodeNormalization;

/// What a column says of a person; it gives the normalisation, the comparison and the keys to block by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Meaning {
    /// A given name, or several.
    FirstName,
    /// A middle name or its initial.
    MiddleName,
    /// A family name.
    LastName,
    /// All names in one.
    FullName,
    /// A date of birth, in whatever order of parts.
    BirthDate,
    /// An e-mail address.
    Email,
    /// A telephone number.
    Phone,
    /// Street, with or without the number.
    Street,
    /// The number of the house, or a box.
    HouseNumber,
    /// A flat.
    Unit,
    /// A postal code.
    Postcode,
    /// A city or suburb.
    City,
    /// A state or province.
    Region,
    /// A country.
    Country,
    /// Male, female or else.
    Gender,
    /// A number that the state gives: social security, tax.
    NationalId,
    /// Latitude and longitude in degrees, `52.52,13.405`.
    Location,
    /// One of few values: an occupation, a birth place, a race.
    Category,
    /// Words.
    Text,
}

impl Meaning {
    /// Every meaning.
    pub const ALL: [Meaning; 19] = [
        Meaning::FirstName,
        Meaning::MiddleName,
        Meaning::LastName,
        Meaning::FullName,
        Meaning::BirthDate,
        Meaning::Email,
        Meaning::Phone,
        Meaning::Street,
        Meaning::HouseNumber,
        Meaning::Unit,
        Meaning::Postcode,
        Meaning::City,
        Meaning::Region,
        Meaning::Country,
        Meaning::Gender,
        Meaning::NationalId,
        Meaning::Location,
        Meaning::Category,
        Meaning::Text,
    ];

    /// Its name in SQL and JSON.
    pub fn name(self) -> &'static str {
        match self {
            Meaning::FirstName => "first_name",
            Meaning::MiddleName => "middle_name",
            Meaning::LastName => "last_name",
            Meaning::FullName => "full_name",
            Meaning::BirthDate => "birth_date",
            Meaning::Email => "email",
            Meaning::Phone => "phone",
            Meaning::Street => "street",
            Meaning::HouseNumber => "house_number",
            Meaning::Unit => "unit",
            Meaning::Postcode => "postcode",
            Meaning::City => "city",
            Meaning::Region => "region",
            Meaning::Country => "country",
            Meaning::Gender => "gender",
            Meaning::NationalId => "national_id",
            Meaning::Location => "location",
            Meaning::Category => "category",
            Meaning::Text => "text",
        }
    }

    /// The meaning of that name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|meaning| meaning.name() == name)
    }

    /// The one form of a value; none if it says nothing.
    pub fn normalise(self, raw: &str) -> Option<String> {
        let mut text = String::new();
        self.append(raw, &mut text);
        (!text.is_empty()).then_some(text)
    }

    /// Appends the one form of a value; nothing if it says nothing.
    pub(super) fn append(self, raw: &str, to: &mut String) {
        let raw = raw.trim();
        if says_nothing(raw) {
            return;
        }
        match self {
            Meaning::BirthDate => date(raw, to),
            Meaning::Email => folded(raw, to, |character| !character.is_whitespace()),
            Meaning::Phone => digits(raw, 4, to),
            Meaning::Postcode | Meaning::NationalId => folded(raw, to, in_word),
            Meaning::Gender => gender(raw, to),
            Meaning::Location => location(raw, to),
            Meaning::Street => street(raw, to),
            _ => words(raw, to),
        }
    }
}

/// Written where nothing is known.
fn says_nothing(raw: &str) -> bool {
    const NOTHING: [&str; 8] = ["null", "none", "n/a", "na", "nan", "unknown", "nil", "-"];
    raw.len() <= 7 && (raw.is_empty() || NOTHING.iter().any(|text| raw.eq_ignore_ascii_case(text)))
}

/// The characters that are wanted, small and without accents (in alphabets that write them apart).
fn folded(raw: &str, to: &mut String, wanted: impl Fn(char) -> bool) {
    if raw.is_ascii() {
        let small = raw
            .bytes()
            .map(|byte| char::from(byte.to_ascii_lowercase()));
        to.extend(small.filter(|&character| wanted(character)));
    } else {
        to.extend(without_accents(raw).filter(|&character| wanted(character)));
    }
}

fn without_accents(raw: &str) -> impl Iterator<Item = char> {
    raw.nfkd()
        .filter(|character| !('\u{300}'..='\u{36f}').contains(character))
        .nfc()
        .flat_map(char::to_lowercase)
}

fn is_apostrophe(character: char) -> bool {
    matches!(character, '\'' | '`' | '’' | '‘' | 'ʼ')
}

/// Whether a character stands in a word: letters and digits, and the marks that some scripts write
/// vowels with.
fn in_word(character: char) -> bool {
    character.is_alphanumeric()
        || !character.is_ascii() && unicode_normalization::char::is_combining_mark(character)
}

/// Words with one space between, small, without accents and signs.
fn words(raw: &str, to: &mut String) {
    let start = to.len();
    if raw.is_ascii() {
        let small = raw
            .bytes()
            .map(|byte| char::from(byte.to_ascii_lowercase()));
        add_words(small, to);
    } else {
        add_words(without_accents(raw), to);
    }
    if to.len() > start && to.ends_with(' ') {
        to.pop();
    }
}

fn add_words(characters: impl Iterator<Item = char>, to: &mut String) {
    let mut between = true;
    for character in characters {
        if in_word(character) {
            to.push(character);
            between = false;
        } else if !between && !is_apostrophe(character) {
            to.push(' ');
            between = true;
        }
    }
}

/// At least so many digits.
fn digits(raw: &str, least: usize, to: &mut String) {
    let start = to.len();
    to.extend(raw.chars().filter(char::is_ascii_digit));
    if to.len() - start < least {
        to.truncate(start);
    }
}

fn gender(raw: &str, to: &mut String) {
    let start = to.len();
    words(raw, to);
    let one = match &to[start..] {
        "m" | "man" => "male",
        "f" | "woman" => "female",
        _ => return,
    };
    to.truncate(start);
    to.push_str(one);
}

fn location(raw: &str, to: &mut String) {
    let raw = raw.trim_matches(|character| matches!(character, '(' | ')' | '[' | ']'));
    let part = |text: &str, most: f64| {
        let degrees: f64 = text.trim().parse().ok()?;
        (degrees.abs() <= most).then_some(degrees)
    };
    let Some((latitude, longitude)) = raw.split_once([',', ';']) else {
        return;
    };
    if let (Some(latitude), Some(longitude)) = (part(latitude, 90.0), part(longitude, 180.0)) {
        to.push_str(&format!("{latitude:.5},{longitude:.5}"));
    }
}

/// What a kind of street is shortened to.
fn short(word: &str) -> &str {
    match word {
        "alley" => "aly",
        "avenue" => "ave",
        "boulevard" => "blvd",
        "circle" => "cir",
        "close" => "cl",
        "court" => "ct",
        "crescent" => "cres",
        "drive" => "dr",
        "east" => "e",
        "highway" => "hwy",
        "lane" => "ln",
        "north" => "n",
        "parkway" => "pkwy",
        "place" => "pl",
        "road" => "rd",
        "south" => "s",
        "square" => "sq",
        "street" => "st",
        "terrace" => "ter",
        "trail" => "trl",
        "west" => "w",
        "way" => "wy",
        word => word,
    }
}

fn street(raw: &str, to: &mut String) {
    let start = to.len();
    words(raw, to);
    if to[start..].split(' ').all(|word| short(word) == word) {
        return;
    }
    let long = to.split_off(start);
    for (n, word) in long.split(' ').enumerate() {
        if n > 0 {
            to.push(' ');
        }
        to.push_str(short(word));
    }
}

/// A date as `YYYY-MM-DD` if its parts can be told, whatever digits they have: `1843-81-01` stays.
/// Of two small parts after or before the year, the first is the month, unless it is over 12.
fn date(raw: &str, to: &mut String) {
    if has_form(raw) {
        return to.push_str(raw);
    }
    let mut text = String::with_capacity(raw.len());
    folded(raw, &mut text, |_| true);
    let parts: Vec<&str> = text
        .split(|character: char| !character.is_alphanumeric())
        .filter(|part| !part.is_empty())
        .take(3)
        .collect();
    let mut put = |year: &str, month: &str, day: &str| {
        to.push_str(&format!("{year}-{month:0>2}-{day:0>2}"));
    };
    let in_month = |part: &str| part.parse::<u8>().is_ok_and(|number| number <= 12);
    match parts[..] {
        [year, month, day] if year.len() == 4 && month.len() <= 2 && day.len() <= 2 => {
            put(year, month, day);
        }
        [first, second, year] if year.len() == 4 && first.len() <= 2 && second.len() <= 2 => {
            if !in_month(first) && in_month(second) {
                put(year, second, first);
            } else {
                put(year, first, second);
            }
        }
        [year] if year.len() == 4 && year.bytes().all(|byte| byte.is_ascii_digit()) => {
            put(year, "01", "01");
        }
        [all] if all.len() == 8 && all.is_ascii() => {
            let a_year = |part: &str| {
                part.parse::<u16>()
                    .is_ok_and(|year| (1200..2200).contains(&year))
            };
            if !a_year(&all[..4]) && a_year(&all[4..]) {
                put(&all[4..], &all[..2], &all[2..4]);
            } else {
                put(&all[..4], &all[4..6], &all[6..]);
            }
        }
        _ => words(raw, to),
    }
}

/// Whether a date is `YYYY-MM-DD` already.
fn has_form(raw: &str) -> bool {
    raw.len() == 10
        && raw.bytes().enumerate().all(|(n, byte)| match n {
            4 | 7 => byte == b'-',
            _ => byte.is_ascii_digit(),
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one_form(meaning: Meaning, raw: &str) -> Option<String> {
        meaning.normalise(raw)
    }

    #[test]
    fn names_lose_case_accents_and_signs() {
        let name = |raw| one_form(Meaning::LastName, raw);
        assert_eq!(name("  O'Brien-Núñez "), Some("obrien nunez".to_owned()));
        assert_eq!(name("Mu\u{308}ller"), Some("muller".to_owned()));
        assert_eq!(name("Müller"), name("Mu\u{308}ller"));
        assert_eq!(name("Иванов"), Some("иванов".to_owned()));
        assert_eq!(name("山田"), Some("山田".to_owned()));
        // The vowel signs of Devanagari are part of the word.
        assert_eq!(name("राम"), Some("राम".to_owned()));
        assert_eq!(name("N/A"), None);
        assert_eq!(name(" -- "), None);
        assert_eq!(name(""), None);
    }

    #[test]
    fn dates_have_one_order_of_parts() {
        for raw in ["1994-05-06", "05/06/1994", "19940506", "5/6/1994"] {
            assert_eq!(
                one_form(Meaning::BirthDate, raw),
                Some("1994-05-06".to_owned()),
                "{raw}"
            );
        }
        let date = |raw| one_form(Meaning::BirthDate, raw);
        assert_eq!(date("31.12.1994"), Some("1994-12-31".to_owned()));
        assert_eq!(date("31121994"), Some("1994-31-12".to_owned()));
        assert_eq!(date("1843-81-01"), Some("1843-81-01".to_owned()));
        assert_eq!(date("1862"), Some("1862-01-01".to_owned()));
        assert_eq!(date("soon"), Some("soon".to_owned()));
    }

    #[test]
    fn other_values_have_one_form() {
        assert_eq!(
            one_form(Meaning::Email, " Ann@Example.ORG"),
            Some("ann@example.org".to_owned())
        );
        assert_eq!(
            one_form(Meaning::Phone, "+44 (20) 7946-0000"),
            Some("442079460000".to_owned())
        );
        assert_eq!(one_form(Meaning::Phone, "x1"), None);
        assert_eq!(
            one_form(Meaning::Postcode, "TQ13 8df"),
            Some("tq138df".to_owned())
        );
        assert_eq!(
            one_form(Meaning::Street, "12 High Street"),
            Some("12 high st".to_owned())
        );
        assert_eq!(one_form(Meaning::Gender, "F"), Some("female".to_owned()));
        assert_eq!(
            one_form(Meaning::Location, "(52.52, 13.405)"),
            Some("52.52000,13.40500".to_owned())
        );
        assert_eq!(one_form(Meaning::Location, "here"), None);
        for meaning in Meaning::ALL {
            assert_eq!(Meaning::named(meaning.name()), Some(meaning));
        }
    }
}
