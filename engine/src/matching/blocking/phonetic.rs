//! How a word sounds.

use rphonetic::DoubleMetaphone;

/// The double metaphone codes of a word, its one or two; a word that has none, being of another script,
/// stands for itself.
pub(super) fn codes(word: &str, give: &mut impl FnMut(&str)) {
    let letters: String = word
        .chars()
        .filter(|letter| letter.is_ascii_alphabetic())
        .collect();
    let (primary, alternate) = if letters.is_empty() {
        (String::new(), String::new())
    } else {
        let codes = DoubleMetaphone::new(Some(4)).double_metaphone(&letters);
        (codes.primary(), codes.alternate())
    };
    if primary.is_empty() {
        give(word);
        return;
    }
    give(&primary);
    if !alternate.is_empty() && alternate != primary {
        give(&alternate);
    }
}
