//! The one form of what people write in several.

mod address;
mod name;

pub use address::normalize_address;
pub use name::normalize_name;

use crate::identifier::{Normaliser, normalise};

/// An e-mail address as identifiers of that type have it (see [`Normaliser::Email`]); none if the text
/// is no address.
pub fn normalize_email(text: &str) -> Option<String> {
    normalise(&Normaliser::Email, text).ok()
}

/// A telephone number in E.164 as identifiers of that type have it (see [`Normaliser::Phone`]), where
/// its country is known: by its own code or by `default_region` (two letters). Otherwise its digits.
/// None if the text is no telephone number.
pub fn normalize_phone(text: &str, default_region: Option<&str>) -> Option<String> {
    let normaliser = Normaliser::Phone {
        default_region: default_region.map(str::to_owned),
    };
    match normalise(&normaliser, text) {
        Ok(number) => Some(number),
        Err(invalid) if invalid.reason == "phone_region" && default_region.is_none() => {
            let digits = normalise(&Normaliser::Digits, text).ok()?;
            (6..=15).contains(&digits.len()).then_some(digits)
        }
        Err(_) => None,
    }
}

/// The words of a folded text: letters, digits and the marks on them; an apostrophe is no border, any
/// other character is.
fn words(folded: &str) -> String {
    let mut words = String::with_capacity(folded.len());
    for c in folded.chars() {
        match c {
            '\'' | '`' | '´' | '\u{2BB}' | '\u{2BC}' | '\u{2018}' | '\u{2019}' => {}
            '\u{200B}'..='\u{200F}' | '\u{2060}' | '\u{FEFF}' | '\u{AD}' => {}
            c if c.is_alphanumeric() => words.push(c),
            c if unicode_normalization::char::is_combining_mark(c) && !words.is_empty() => {
                words.push(c);
            }
            _ if words.ends_with(' ') || words.is_empty() => {}
            _ => words.push(' '),
        }
    }
    words.truncate(words.trim_end().len());
    words
}
