//! Names of people.

use super::words;
use crate::similarity::fold;

/// Before a name. `don` and `dona` are not here: they are names too.
const BEFORE: &[&str] = &[
    "mr",
    "mrs",
    "ms",
    "miss",
    "mx",
    "mister",
    "dr",
    "doctor",
    "prof",
    "professor",
    "sir",
    "dame",
    "rev",
    "reverend",
    "hon",
    "herr",
    "frau",
    "monsieur",
    "madame",
    "mme",
    "mlle",
    "senor",
    "senora",
    "senhor",
    "senhora",
    "sr",
    "sra",
    "srta",
];

/// After a name. `jr`, `sr`, `iii` are not here: they tell a son from his father.
const AFTER: &[&str] = &[
    "phd", "md", "dds", "mba", "esq", "esquire", "cpa", "rn", "obe", "mbe", "cbe",
];

/// A name in its one form: lower case, no accents on Latin letters, words parted by single spaces,
/// apostrophes gone (`O'Brien` is `obrien`), without titles before it (`Dr.`) and degrees after it
/// (`PhD`). Other scripts stay as they are. None if nothing is left.
pub fn normalize_name(text: &str) -> Option<String> {
    let words = words(&fold(text));
    let mut rest = words.as_str();
    while let Some((first, after)) = rest.split_once(' ')
        && BEFORE.contains(&first)
    {
        rest = after;
    }
    while let Some((before, last)) = rest.rsplit_once(' ')
        && AFTER.contains(&last)
    {
        rest = before;
    }
    (!rest.is_empty()).then(|| rest.to_owned())
}
