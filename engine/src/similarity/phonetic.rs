//! How a name sounds.

use rphonetic::DoubleMetaphone;

use super::fold;

/// The Double Metaphone codes of a text (Lawrence Philips, 2000): the primary and the alternate one,
/// equal where it has but one sound, of at most `length` characters (four as published). They are for
/// Latin letters, accents off; a text without any has empty codes.
pub fn double_metaphone(text: &str, length: usize) -> (String, String) {
    // The encoder takes single bytes for letters.
    let letters: String = fold(&text.replace(['ç', 'Ç'], "s"))
        .chars()
        .filter(|c| c.is_ascii_alphabetic() || *c == ' ')
        .collect();
    let codes = DoubleMetaphone::new(Some(length)).double_metaphone(&letters);
    (codes.primary(), codes.alternate())
}
