//! Whether strings differ by a slip, as the hot path needs it: without memory of its own.

/// Whether at most one character is wrong, missing or too many, or two neighbours are swapped.
pub(super) fn one_slip(a: &str, b: &str) -> bool {
    if a.is_ascii() && b.is_ascii() {
        one_slip_in(a.as_bytes(), b.as_bytes())
    } else if a.chars().count().abs_diff(b.chars().count()) > 1 {
        false
    } else {
        let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
        one_slip_in(&a, &b)
    }
}

/// The same of two lists.
pub(super) fn one_slip_in<T: PartialEq>(a: &[T], b: &[T]) -> bool {
    let (shorter, longer) = if a.len() <= b.len() { (a, b) } else { (b, a) };
    let Some(first) = shorter.iter().zip(longer).position(|(a, b)| a != b) else {
        return longer.len() - shorter.len() <= 1;
    };
    let (rest, others) = (&shorter[first..], &longer[first..]);
    match longer.len() - shorter.len() {
        0 => {
            rest[1..] == others[1..]
                || rest.len() > 1
                    && rest[0] == others[1]
                    && rest[1] == others[0]
                    && rest[2..] == others[2..]
        }
        1 => rest == &others[1..],
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn as_the_library_has_it(a in "[a-d]{0,9}", b in "[a-d]{0,9}") {
            prop_assert_eq!(one_slip(&a, &b), strsim::osa_distance(&a, &b) <= 1);
        }

        #[test]
        fn in_other_scripts_too(a in "[aäя山]{0,5}", b in "[aäя山]{0,5}") {
            prop_assert_eq!(one_slip(&a, &b), strsim::osa_distance(&a, &b) <= 1);
        }
    }
}
