//! Names: what may be one, and which was meant.

use crate::pg::{Error, Result};

/// The most bytes of a name.
const MAX_BYTES: usize = 255;

/// A kind with its article.
fn one(kind: &str) -> String {
    let article = if kind.starts_with(['a', 'e', 'i', 'o', 'u']) {
        "an"
    } else {
        "a"
    };
    format!("{article} {kind}")
}

/// Fails unless `name` can be the name of a `kind`.
pub fn check(kind: &str, name: &str) -> Result<()> {
    if name.trim().is_empty() {
        return Err(Error::invalid(format!("{} needs a name", one(kind))));
    }
    if name.len() > MAX_BYTES {
        return Err(Error::invalid(format!(
            "the name of {} is {} bytes long, and {MAX_BYTES} is the most",
            one(kind),
            name.len()
        )));
    }
    if name.trim() != name || name.chars().any(char::is_control) {
        return Err(Error::invalid(format!(
            "the name {name:?} of {} has white space around it, or a control character",
            one(kind)
        )));
    }
    Ok(())
}

/// The argument, which must not be NULL.
pub fn required<T>(argument: Option<T>, name: &str) -> Result<T> {
    argument.ok_or_else(|| {
        Error::new(
            pgrx::PgSqlErrorCode::ERRCODE_NULL_VALUE_NOT_ALLOWED,
            format!("{name} must not be null"),
        )
    })
}

/// The candidate that `written` was most likely meant to be, if one is near enough.
pub fn nearest<'a>(
    written: &str,
    candidates: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    // The distance costs the product of the lengths; a name as long as this is no slip of the pen.
    const LONGEST: usize = 100;
    if written.len() > LONGEST {
        return None;
    }
    let folded = written.to_lowercase();
    let limit = (folded.chars().count() / 3).max(1);
    candidates
        .into_iter()
        .filter(|candidate| candidate.len() <= LONGEST)
        .map(|candidate| {
            let distance = strsim::damerau_levenshtein(&folded, &candidate.to_lowercase());
            (distance, candidate)
        })
        .filter(|(distance, candidate)| *distance <= limit && *distance < candidate.chars().count())
        .min()
        .map(|(_, candidate)| candidate)
}

/// A hint for a name that is none of `candidates`: the nearest, or all of them.
pub fn hint(written: &str, what: &str, candidates: &[&str]) -> String {
    const MOST: usize = 20;
    match nearest(written, candidates.iter().copied()) {
        Some(near) => format!("Did you mean \"{near}\"?"),
        None if candidates.is_empty() => format!("There are no {what} yet."),
        None if candidates.len() <= MOST => format!("The {what} are: {}.", candidates.join(", ")),
        None => format!(
            "The {what} are: {}, and {} more.",
            candidates[..MOST].join(", "),
            candidates.len() - MOST
        ),
    }
}

/// A hint of the engine's as a sentence.
pub fn sentence(hint: &str) -> String {
    let mut letters = hint.chars();
    match letters.next() {
        None => String::new(),
        Some(first) => format!("{}{}.", first.to_uppercase(), letters.as_str()),
    }
}
