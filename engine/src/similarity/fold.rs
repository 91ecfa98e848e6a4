//! Texts without regard to case, accents and compatibility forms.

use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

/// Folds case, compatibility forms (`ﬁ`, full width) and, on Latin letters only, accents: `Müller` is
/// `muller`, `Łukasz` is `lukasz`. In other scripts a mark is part of the letter, and stays.
pub fn fold(text: &str) -> String {
    if text.is_ascii() {
        return text.to_ascii_lowercase();
    }
    let decomposed: String = text.nfkd().collect();
    let folded = caseless::default_case_fold_str(&decomposed);
    let mut bare = String::with_capacity(folded.len());
    let mut of_latin = true;
    for c in folded.nfkd() {
        if is_combining_mark(c) {
            if !of_latin {
                bare.push(c);
            }
            continue;
        }
        of_latin = is_latin(c);
        match undecomposed(c) {
            Some(letters) => bare.push_str(letters),
            None => bare.push(c),
        }
    }
    bare.nfc().collect()
}

/// Whether a character is of the Latin script, or of none: what stands between words bears no accent.
fn is_latin(c: char) -> bool {
    matches!(c, '\0'..='\u{24F}' | '\u{1E00}'..='\u{1EFF}') || !c.is_alphanumeric()
}

/// Latin letters with a stroke and the like, which Unicode does not decompose.
fn undecomposed(c: char) -> Option<&'static str> {
    Some(match c {
        'ø' => "o",
        'ł' => "l",
        'đ' | 'ð' => "d",
        'ħ' => "h",
        'ı' => "i",
        'ŧ' => "t",
        'æ' => "ae",
        'œ' => "oe",
        'þ' => "th",
        'ß' => "ss",
        _ => return None,
    })
}
