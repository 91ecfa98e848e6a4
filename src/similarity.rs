//! How alike two texts are, and the one form of names, addresses and numbers, for SQL.
//!
//! The functions read nothing but their arguments, so they are immutable, and have no settings of
//! their own: those would cost more than most of them.

use cdp_engine::identifier::{Normaliser, normalise};
use cdp_engine::similarity;
use pgrx::prelude::*;

use crate::pg::{Error, Result, error::OrRaise};

/// A metric's time grows with the product of the lengths, and it cannot be cancelled meanwhile.
const MOST_CHARACTERS: usize = 2_048;

/// The letters of a code, as published.
const CODE_LENGTH: usize = 4;

/// The Jaro-Winkler similarity of two texts, from 0 to 1.
///
/// # Errors
/// 22023 if a text has more than 2,048 characters.
#[pg_extern(immutable, parallel_safe, strict, cost = 10)]
fn jaro_winkler(a: &str, b: &str) -> f64 {
    comparable("jaro_winkler", a, b).or_raise();
    similarity::jaro_winkler(a, b)
}

/// How many characters must be inserted, deleted or replaced to make one text of the other.
///
/// # Errors
/// As `cdp.jaro_winkler()`.
#[pg_extern(immutable, parallel_safe, strict, cost = 10)]
fn levenshtein(a: &str, b: &str) -> i32 {
    comparable("levenshtein", a, b).or_raise();
    similarity::levenshtein(a, b) as i32
}

/// As `cdp.levenshtein()`, where swapping two neighbours is one step.
///
/// # Errors
/// As `cdp.jaro_winkler()`.
#[pg_extern(immutable, parallel_safe, strict, cost = 20)]
fn damerau_levenshtein(a: &str, b: &str) -> i32 {
    comparable("damerau_levenshtein", a, b).or_raise();
    similarity::damerau_levenshtein(a, b) as i32
}

/// The share of runs of n characters that two texts have in common.
///
/// # Errors
/// 22023 if n is less than 1.
#[pg_extern(immutable, parallel_safe, strict, cost = 10)]
fn jaccard(a: &str, b: &str, n: default!(i32, 2)) -> f64 {
    let Ok(n @ 1..) = usize::try_from(n) else {
        Error::invalid(format!("n is {n}, and must be 1 or more"))
            .hint("It is the number of characters that are compared as one: mostly 2 or 3.")
            .raise()
    };
    similarity::jaccard(a, b, n)
}

/// The share of elements that two arrays have in common. NULL elements do not count.
#[pg_extern(name = "jaccard", immutable, parallel_safe, strict, cost = 10)]
fn jaccard_of_arrays(a: Array<'_, &str>, b: Array<'_, &str>) -> f64 {
    similarity::jaccard_of_sets(a.iter().flatten(), b.iter().flatten())
}

/// The Double Metaphone codes of a text: primary, and alternate where it differs.
#[pg_extern(immutable, parallel_safe, strict, cost = 50)]
fn double_metaphone(text: &str) -> Vec<String> {
    let (primary, alternate) = similarity::double_metaphone(text, CODE_LENGTH);
    let mut codes = vec![primary, alternate];
    codes.dedup();
    codes.retain(|code| !code.is_empty());
    codes
}

/// An e-mail address in its one form; NULL if it is none.
#[pg_extern(immutable, parallel_safe, strict, cost = 20)]
fn normalize_email(email: &str) -> Option<String> {
    similarity::normalize_email(email)
}

/// A telephone number in its one form; NULL if it is none.
#[pg_extern(immutable, parallel_safe, strict, cost = 200)]
fn normalize_phone(phone: &str) -> Option<String> {
    similarity::normalize_phone(phone, None)
}

/// The same, where numbers without a country code are of a country.
///
/// # Errors
/// 22023 if the country is unknown.
#[pg_extern(name = "normalize_phone", immutable, parallel_safe, strict, cost = 200)]
fn normalize_phone_of(phone: &str, default_region: &str) -> Option<String> {
    let normaliser = Normaliser::Phone {
        default_region: Some(default_region.to_owned()),
    };
    match normalise(&normaliser, phone) {
        Ok(number) => Some(number),
        Err(invalid) if invalid.reason == "phone_region" => {
            Error::invalid(format!("unknown region \"{default_region}\""))
                .hint("Give the two letters of a country, such as PT or US.")
                .raise()
        }
        Err(_) => None,
    }
}

/// The name of a person in its one form; NULL if nothing is left.
#[pg_extern(immutable, parallel_safe, strict, cost = 20)]
fn normalize_name(name: &str) -> Option<String> {
    similarity::normalize_name(name)
}

/// An address in its one form; NULL if nothing is left.
#[pg_extern(immutable, parallel_safe, strict, cost = 20)]
fn normalize_address(address: &str) -> Option<String> {
    similarity::normalize_address(address)
}

fn comparable(function: &str, a: &str, b: &str) -> Result<()> {
    for text in [a, b] {
        if text.len() > MOST_CHARACTERS && text.chars().nth(MOST_CHARACTERS).is_some() {
            return Err(
                Error::invalid(format!("a text is too long for cdp.{function}()"))
                    .detail(format!(
                        "It has {} characters; the most is {MOST_CHARACTERS}.",
                        text.chars().count()
                    ))
                    .hint("Compare left(text, 2048), or use cdp.jaccard()."),
            );
        }
    }
    Ok(())
}
