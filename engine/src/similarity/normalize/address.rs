//! Postal addresses.

use super::words;
use crate::similarity::fold;

/// What a word is written as: sorted by the word. Where postal services agree on a short form, it is
/// that one. A saint and a street are both `st`, as on the envelope.
const SHORT: &[(&str, &str)] = &[
    ("alley", "aly"),
    ("apartment", "apt"),
    ("apmt", "apt"),
    ("appartement", "apt"),
    ("av", "ave"),
    ("aven", "ave"),
    ("avenue", "ave"),
    ("avnue", "ave"),
    ("blv", "blvd"),
    ("boul", "blvd"),
    ("boulevard", "blvd"),
    ("bridge", "brg"),
    ("building", "bldg"),
    ("circ", "cir"),
    ("circle", "cir"),
    ("circuit", "cct"),
    ("close", "cl"),
    ("court", "ct"),
    ("crct", "cres"),
    ("crescent", "cres"),
    ("crossing", "xing"),
    ("crst", "cres"),
    ("crt", "ct"),
    ("department", "dept"),
    ("drive", "dr"),
    ("drv", "dr"),
    ("east", "e"),
    ("eighth", "8th"),
    ("esplanade", "espl"),
    ("estates", "ests"),
    ("expressway", "expy"),
    ("fifth", "5th"),
    ("first", "1st"),
    ("floor", "fl"),
    ("flr", "fl"),
    ("fort", "ft"),
    ("fourth", "4th"),
    ("freeway", "fwy"),
    ("gardens", "gdns"),
    ("grove", "gr"),
    ("grv", "gr"),
    ("heights", "hts"),
    ("highway", "hwy"),
    ("hiway", "hwy"),
    ("junction", "jct"),
    ("lane", "ln"),
    ("lt", "lot"),
    ("mount", "mt"),
    ("mountain", "mtn"),
    ("ninth", "9th"),
    ("north", "n"),
    ("northeast", "ne"),
    ("northwest", "nw"),
    ("num", "no"),
    ("number", "no"),
    ("parade", "pde"),
    ("parkway", "pkwy"),
    ("pkway", "pkwy"),
    ("pky", "pkwy"),
    ("place", "pl"),
    ("plaza", "plz"),
    ("point", "pt"),
    ("promenade", "prom"),
    ("road", "rd"),
    ("room", "rm"),
    ("route", "rte"),
    ("saint", "st"),
    ("sainte", "st"),
    ("second", "2nd"),
    ("seventh", "7th"),
    ("sixth", "6th"),
    ("south", "s"),
    ("southeast", "se"),
    ("southwest", "sw"),
    ("square", "sq"),
    ("str", "st"),
    ("street", "st"),
    ("strt", "st"),
    ("suite", "ste"),
    ("tce", "ter"),
    ("tenth", "10th"),
    ("terr", "ter"),
    ("terrace", "ter"),
    ("third", "3rd"),
    ("tr", "ter"),
    ("trail", "trl"),
    ("turnpike", "tpke"),
    ("unt", "unit"),
    ("village", "vlg"),
    ("west", "w"),
    ("wy", "way"),
];

/// An address, or its street, in its one form: lower case, no accents on Latin letters, words parted by
/// single spaces, and the usual words short: `street`, `avenue`, `apartment`, `north`, `first`. None if
/// nothing is left.
pub fn normalize_address(text: &str) -> Option<String> {
    let words = words(&fold(text).replace('#', " apt "));
    let mut address = String::with_capacity(words.len());
    let mut rest = words.split(' ').filter(|word| !word.is_empty()).peekable();
    while let Some(word) = rest.next() {
        if !address.is_empty() {
            address.push(' ');
        }
        // P.O. Box
        if word == "p" && rest.peek() == Some(&"o") {
            rest.next();
            address.push_str("po");
            continue;
        }
        push_short(&mut address, word);
    }
    (!address.is_empty()).then_some(address)
}

fn push_short(address: &mut String, word: &str) {
    match SHORT.binary_search_by_key(&word, |(long, _)| long) {
        Ok(at) => address.push_str(SHORT[at].1),
        // German writes them as one: Hauptstraße, Hauptstr.
        Err(_) => match word.strip_suffix("strasse") {
            Some(before) => {
                address.push_str(before);
                address.push_str("str");
            }
            None => address.push_str(word),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_is_sorted_and_short_forms_stay() {
        assert!(SHORT.is_sorted_by(|a, b| a.0 < b.0));
        for (_, short) in SHORT {
            let again = SHORT.binary_search_by_key(short, |(long, _)| long);
            assert!(again.is_err(), "{short} is made shorter again");
        }
    }
}
