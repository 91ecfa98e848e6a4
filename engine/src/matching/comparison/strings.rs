//! Metrics of strings as the hot path needs them: without memory of their own.

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

/// The similarity of Jaro and Winkler.
pub(super) fn jaro_winkler(a: &str, b: &str) -> f64 {
    let (x, y) = (a.as_bytes(), b.as_bytes());
    if x.len() > 64 || y.len() > 64 || !a.is_ascii() || !b.is_ascii() {
        return strsim::jaro_winkler(a, b);
    }
    let jaro = jaro(x, y);
    if jaro <= 0.7 {
        return jaro;
    }
    let prefix = x.iter().zip(y).take(4).take_while(|(x, y)| x == y).count();
    jaro + 0.1 * prefix as f64 * (1.0 - jaro)
}

/// The similarity of Jaro, of at most 64 bytes each.
fn jaro(x: &[u8], y: &[u8]) -> f64 {
    if x.is_empty() || y.is_empty() {
        return f64::from(u8::from(x.len() == y.len()));
    }
    let window = (x.len().max(y.len()) / 2).saturating_sub(1);
    let (mut in_x, mut in_y) = (0_u64, 0_u64);
    for (at, byte) in x.iter().enumerate() {
        let from = at.saturating_sub(window);
        let to = (at + window + 1).min(y.len());
        let free = |other: &usize| in_y >> other & 1 == 0 && y[*other] == *byte;
        if let Some(other) = (from..to).find(free) {
            in_x |= 1 << at;
            in_y |= 1 << other;
        }
    }
    let matches = in_x.count_ones();
    if matches == 0 {
        return 0.0;
    }
    let mut misplaced = 0_u32;
    let (mut left_x, mut left_y) = (in_x, in_y);
    while left_x != 0 {
        let (at_x, at_y) = (left_x.trailing_zeros(), left_y.trailing_zeros());
        misplaced += u32::from(x[at_x as usize] != y[at_y as usize]);
        left_x &= left_x - 1;
        left_y &= left_y - 1;
    }
    let matches = f64::from(matches);
    (matches / x.len() as f64
        + matches / y.len() as f64
        + (matches - f64::from(misplaced / 2)) / matches)
        / 3.0
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn as_the_library_has_it(a in "[a-d]{0,9}", b in "[a-d]{0,9}") {
            prop_assert!((jaro_winkler(&a, &b) - strsim::jaro_winkler(&a, &b)).abs() < 1e-9);
            prop_assert_eq!(one_slip(&a, &b), strsim::osa_distance(&a, &b) <= 1);
        }

        #[test]
        fn in_other_scripts_too(a in "[aäя山]{0,5}", b in "[aäя山]{0,5}") {
            prop_assert!((jaro_winkler(&a, &b) - strsim::jaro_winkler(&a, &b)).abs() < 1e-9);
            prop_assert_eq!(one_slip(&a, &b), strsim::osa_distance(&a, &b) <= 1);
        }
    }
}
