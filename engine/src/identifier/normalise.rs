//! The one form of a value.

use std::borrow::Cow;
use std::fmt;

use unicode_normalization::{IsNormalized, UnicodeNormalization, is_nfc_quick};

use super::{Normaliser, phone};

/// The most bytes of a normalised value: it is the key of a btree.
pub const MAX_BYTES: usize = 1_024;

/// Why a value is none of its type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invalid {
    /// The code: `empty`, `too_long`, `control_character`, `email`, `phone`, `phone_region` or
    /// `pattern`.
    pub reason: &'static str,
    /// What exactly is wrong, for people.
    pub detail: String,
}

impl Invalid {
    pub(super) fn new(reason: &'static str, detail: impl Into<String>) -> Self {
        Self {
            reason,
            detail: detail.into(),
        }
    }
}

impl fmt::Display for Invalid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.reason, self.detail)
    }
}

impl std::error::Error for Invalid {}

/// A normaliser with its region looked up.
#[derive(Debug)]
pub(super) enum Compiled {
    Text,
    Casefold,
    Email,
    Phone(Option<phonenumber::country::Id>),
    Digits,
    None,
}

impl Compiled {
    /// The error says what is wrong with the normaliser.
    pub(super) fn new(normaliser: &Normaliser) -> Result<Self, String> {
        Ok(match normaliser {
            Normaliser::Text => Self::Text,
            Normaliser::Casefold => Self::Casefold,
            Normaliser::Email => Self::Email,
            Normaliser::Phone { default_region } => {
                Self::Phone(default_region.as_deref().map(phone::region).transpose()?)
            }
            Normaliser::Digits => Self::Digits,
            Normaliser::None => Self::None,
        })
    }

    pub(super) fn apply(&self, raw: &str) -> Result<String, Invalid> {
        let value = match self {
            Self::Text => trim(&nfc(raw)).to_owned(),
            Self::Casefold => trim(&fold(raw)).to_owned(),
            Self::Email => email(raw)?,
            Self::Phone(region) => phone::normalise(raw, *region)?,
            Self::Digits => raw.chars().filter_map(ascii_digit).collect(),
            Self::None => raw.to_owned(),
        };
        if value.trim().is_empty() {
            return Err(Invalid::new("empty", "nothing is left of the value"));
        }
        if value.len() > MAX_BYTES {
            let detail = format!("{} bytes; the most is {MAX_BYTES}", value.len());
            return Err(Invalid::new("too_long", detail));
        }
        if let Some(at) = value.find(char::is_control) {
            let detail = format!("a control character at byte {at}");
            return Err(Invalid::new("control_character", detail));
        }
        Ok(value)
    }
}

fn nfc(text: &str) -> Cow<'_, str> {
    if text.is_ascii() || is_nfc_quick(text.chars()) == IsNormalized::Yes {
        return Cow::Borrowed(text);
    }
    Cow::Owned(text.nfc().collect())
}

/// Unicode's canonical caseless form, composed: equal for texts that differ in case only.
pub(super) fn fold(text: &str) -> Cow<'_, str> {
    if text.is_ascii() {
        return match text.bytes().any(|byte| byte.is_ascii_uppercase()) {
            true => Cow::Owned(text.to_ascii_lowercase()),
            false => Cow::Borrowed(text),
        };
    }
    // Decomposed first, for folding changes some combining marks that composition would hide.
    let decomposed: String = text.nfd().collect();
    let folded = caseless::default_case_fold_str(&decomposed);
    Cow::Owned(folded.nfc().collect())
}

/// Takes off white space and characters that nobody sees, which copying and pasting leaves behind.
fn trim(text: &str) -> &str {
    text.trim_matches(|c: char| {
        c.is_whitespace()
            || c.is_control()
            || matches!(c, '\u{200B}'..='\u{200F}' | '\u{2060}' | '\u{FEFF}')
    })
}

/// A decimal digit of the scripts that people type numbers in, as ASCII.
pub(super) fn ascii_digit(c: char) -> Option<char> {
    const ZEROS: [char; 5] = ['0', '\u{660}', '\u{6F0}', '\u{966}', '\u{FF10}'];
    ZEROS.iter().find_map(|&zero| {
        let digit = u32::from(c).checked_sub(u32::from(zero))?;
        char::from_digit(digit, 10)
    })
}

fn email(raw: &str) -> Result<String, Invalid> {
    let folded = fold(raw);
    let mut address = trim(&folded);
    // `Jane <jane@x>`
    if let Some((_, inner)) = address
        .strip_suffix('>')
        .and_then(|text| text.rsplit_once('<'))
    {
        address = trim(inner);
    }
    while let Some(inner) = address.strip_prefix("mailto:") {
        address = trim(inner);
    }
    address = address.trim_end_matches('.');
    let wrong = |detail: &str| Err(Invalid::new("email", detail));
    let Some((local, host)) = address.split_once('@') else {
        return wrong("no @");
    };
    if local.is_empty() {
        return wrong("nothing before the @");
    }
    if host.contains('@') {
        return wrong("more than one @");
    }
    if host.split('.').any(str::is_empty) {
        return wrong("a part of the host is empty");
    }
    let is_foreign = |c: char| c.is_whitespace() || matches!(c, '<' | '>' | ',' | ';' | ':' | '"');
    if address.contains(is_foreign) {
        return wrong("a character that no address has");
    }
    Ok(address.to_owned())
}
