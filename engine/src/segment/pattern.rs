//! Finds obvious faults of regular expressions.
//!
//! The expressions are PostgreSQL's, whose dialect (lookahead, back references, `\y`) is not that
//! of any crate. So a rule is refused here only for what is a fault in every dialect, while its
//! place can still be pointed at; PostgreSQL has the last word when the SQL is planned.

/// What is wrong with `pattern`, if anything obvious is.
pub(super) fn fault(pattern: &str) -> Option<&'static str> {
    if has_director(pattern) {
        return None;
    }
    let mut open = 0usize;
    let mut characters = pattern.chars().peekable();
    while let Some(c) = characters.next() {
        match c {
            '\\' if characters.next().is_none() => return Some("ends with a lone backslash"),
            '(' => open += 1,
            ')' if open == 0 => return Some("has a ) without a ("),
            ')' => open -= 1,
            '[' => {
                // A ] that comes first is an ordinary character.
                characters.next_if_eq(&'^');
                characters.next_if_eq(&']');
                if !skip_bracket(&mut characters) {
                    return Some("has a [ without a ]");
                }
            }
            _ => {}
        }
    }
    (open > 0).then_some("has a ( without a )")
}

/// Whether the pattern begins with `***` or with embedded options that make it another dialect, in
/// which parentheses or backslashes can be ordinary characters.
fn has_director(pattern: &str) -> bool {
    let options = pattern
        .strip_prefix("(?")
        .and_then(|rest| rest.split_once(')'))
        .map_or("", |(options, _)| options);
    let only_letters = options.bytes().all(|b| b.is_ascii_lowercase());
    pattern.starts_with("***") || (only_letters && options.contains(['b', 'e', 'q']))
}

/// Reads on behind the end of a bracket expression; false if it has none. Within it, `[:alpha:]`,
/// `[.a.]` and `[=a=]` have brackets of their own, and a backslash escapes.
fn skip_bracket(characters: &mut std::iter::Peekable<std::str::Chars<'_>>) -> bool {
    while let Some(c) = characters.next() {
        match c {
            ']' => return true,
            '\\' => {
                characters.next();
            }
            '[' => {
                if let Some(kind) = characters.next_if(|c| matches!(c, ':' | '.' | '=')) {
                    while let Some(c) = characters.next() {
                        if c == kind && characters.next_if_eq(&']').is_some() {
                            break;
                        }
                    }
                }
            }
            _ => {}
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::fault;

    #[test]
    fn good_patterns_of_postgresql_pass() {
        for pattern in [
            r"^Dr\.?",
            r"(?=a)(b)\1",
            r"[]()]",
            r"[^]]",
            r"[[:alpha:](]",
            r"[\](]",
            r"\(",
            "***=(",
            "(?q)(",
            "(?i)a",
            "",
        ] {
            assert_eq!(fault(pattern), None, "{pattern}");
        }
    }

    #[test]
    fn unbalanced_patterns_do_not() {
        for (pattern, expected) in [
            ("(a", "has a ( without a )"),
            ("a)", "has a ) without a ("),
            ("[a", "has a [ without a ]"),
            ("[[:alpha:]", "has a [ without a ]"),
            ("a\\", "ends with a lone backslash"),
            ("(?i)(", "has a ( without a )"),
        ] {
            assert_eq!(fault(pattern), Some(expected), "{pattern}");
        }
    }
}
