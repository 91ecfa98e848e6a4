//! Telephone numbers in E.164.

use phonenumber::{Mode, country};

use super::normalise::{Invalid, ascii_digit};

/// E.164 allows so many digits, country code included; with fewer than the least, a number is a
/// short code, which means something else in each country.
const DIGITS: std::ops::RangeInclusive<usize> = 7..=15;

/// The country of two letters. The error says what is wrong with them.
pub(super) fn region(code: &str) -> Result<country::Id, String> {
    code.trim()
        .to_ascii_uppercase()
        .parse()
        .map_err(|_| format!("\"{code}\" is no region; give two letters such as PT"))
}

pub(super) fn normalise(raw: &str, region: Option<country::Id>) -> Result<String, Invalid> {
    let wrong = |detail: &str| Err(Invalid::new("phone", detail));
    let Some((number, extension)) = dialled(raw) else {
        return wrong("characters that no telephone number has");
    };
    if region.is_none() && !number.starts_with('+') {
        let detail = "no country code, and the type has no default region";
        return Err(Invalid::new("phone_region", detail));
    }
    // The parser gets nothing but digits, so what it makes of punctuation does not matter here.
    let Ok(parsed) = phonenumber::parse(region, &number) else {
        return wrong("no telephone number");
    };
    let mut value = parsed.format().mode(Mode::E164).to_string();
    if !DIGITS.contains(&(value.len() - 1)) {
        return wrong("too few or too many digits");
    }
    if !extension.is_empty() {
        value.push_str(";ext=");
        value.push_str(&extension);
    }
    Ok(value)
}

/// What is dialled: the number as digits, with a plus sign before a country code, and the extension.
fn dialled(raw: &str) -> Option<(String, String)> {
    let folded = raw.trim().to_lowercase();
    let text = folded.strip_prefix("tel:").unwrap_or(&folded);
    let (number, extension) = match text.find([';', 'e', 'x', '#']) {
        Some(at) => (&text[..at], extension(&text[at..])?),
        None => (text, String::new()),
    };
    let mut digits = String::with_capacity(number.len());
    for c in number.chars() {
        match c {
            '+' | '\u{FF0B}' if digits.is_empty() => digits.push('+'),
            '(' | ')' | '-' | '.' | '/' => {}
            '\u{2010}'..='\u{2015}' | '\u{2212}' | '\u{200B}'..='\u{200F}' => {}
            '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}' => {}
            c if c.is_whitespace() => {}
            c => digits.push(ascii_digit(c)?),
        }
    }
    // `+44 (0)20 …`: the zero is dialled at home only.
    if number.contains("(0)") && digits.starts_with('+') {
        digits = without_home_zero(number, digits);
    }
    // 00 is the way abroad from most of the world; countries with another read it by their region.
    if let Some(abroad) = digits.strip_prefix("00") {
        digits = format!("+{abroad}");
    }
    Some((digits, extension))
}

/// Takes out the digit that stands in the first `(0)`.
fn without_home_zero(number: &str, mut digits: String) -> String {
    let before = number.split("(0)").next().unwrap_or_default();
    let at = 1 + before.chars().filter_map(ascii_digit).count();
    if digits.as_bytes().get(at) == Some(&b'0') {
        digits.remove(at);
    }
    digits
}

/// The digits of `;ext=12`, `ext. 12`, `x12`, `#12`.
fn extension(text: &str) -> Option<String> {
    let digits = [";ext=", "extension", "ext", "x", "#"]
        .iter()
        .find_map(|mark| text.strip_prefix(mark))?
        .trim_start_matches(['.', ':', ' ']);
    let digits: Option<String> = digits.trim().chars().map(ascii_digit).collect();
    digits.filter(|digits| (1..=7).contains(&digits.len()))
}
