//! How a word sounds.

use crate::similarity::double_metaphone;

/// The double metaphone codes of a word, its one or two; a word that has none, being of another script,
/// stands for itself.
pub(super) fn codes(word: &str, give: &mut impl FnMut(&str)) {
    let (primary, alternate) = double_metaphone(word, 4);
    if primary.is_empty() {
        give(word);
        return;
    }
    give(&primary);
    if !alternate.is_empty() && alternate != primary {
        give(&alternate);
    }
}
