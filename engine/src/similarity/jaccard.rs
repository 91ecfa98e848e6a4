//! The share of what two sets have in common.

use std::collections::BTreeSet;

/// The Jaccard similarity of two texts as sets of their runs of `n` characters (n-grams, not padded):
/// how many they share, of all that either has. A text of fewer characters is a run by itself; two
/// empty texts are equal.
pub fn jaccard(a: &str, b: &str, n: usize) -> f64 {
    if a == b {
        return 1.0;
    }
    let (a, b) = (grams(a, n.max(1)), grams(b, n.max(1)));
    shared(&a, &b)
}

/// The Jaccard similarity of two sets: words, e-mail addresses. What stands twice counts once; two
/// empty sets are equal.
pub fn jaccard_of_sets<'a>(
    a: impl IntoIterator<Item = &'a str>,
    b: impl IntoIterator<Item = &'a str>,
) -> f64 {
    let a: BTreeSet<&str> = a.into_iter().collect();
    let b: BTreeSet<&str> = b.into_iter().collect();
    let both = a.intersection(&b).count();
    of(both, a.len(), b.len())
}

/// The distinct runs, sorted: as texts of their own when that is needed, as they stand otherwise.
fn grams(text: &str, n: usize) -> Vec<&str> {
    let mut starts: Vec<usize> = text.char_indices().map(|(at, _)| at).collect();
    starts.push(text.len());
    let mut grams: Vec<&str> = match starts.len() - 1 {
        0 => Vec::new(),
        length if length <= n => vec![text],
        _ => starts
            .iter()
            .zip(&starts[n..])
            .map(|(&from, &to)| &text[from..to])
            .collect(),
    };
    grams.sort_unstable();
    grams.dedup();
    grams
}

/// Of two sorted lists without doubles.
fn shared(a: &[&str], b: &[&str]) -> f64 {
    let (mut i, mut j, mut both) = (0, 0, 0);
    while i < a.len() && j < b.len() {
        match a[i].cmp(b[j]) {
            std::cmp::Ordering::Less => i += 1,
            std::cmp::Ordering::Greater => j += 1,
            std::cmp::Ordering::Equal => {
                both += 1;
                i += 1;
                j += 1;
            }
        }
    }
    of(both, a.len(), b.len())
}

fn of(both: usize, a: usize, b: usize) -> f64 {
    match a + b - both {
        0 => 1.0,
        either => both as f64 / either as f64,
    }
}
