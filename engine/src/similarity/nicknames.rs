//! Given names that stand for each other: `bob` and `robert`.

use std::collections::HashMap;
use std::sync::LazyLock;

/// A full name with its nicknames a line; a name can stand in several.
const LIST: &str = include_str!("nicknames.txt");

static GROUPS: LazyLock<HashMap<&'static str, Vec<u16>>> = LazyLock::new(|| {
    let mut groups: HashMap<&str, Vec<u16>> = HashMap::new();
    let lines = LIST.lines().filter(|line| !line.starts_with('#'));
    for (group, line) in (0..).zip(lines) {
        for name in line.split(' ') {
            groups.entry(name).or_default().push(group);
        }
    }
    groups
});

/// The groups that a normalised given name is of, ascending; none for a name that is not on the list.
pub fn groups(name: &str) -> &'static [u16] {
    GROUPS.get(name).map_or(&[], Vec::as_slice)
}

/// Whether two given names, normalised, can be one person's: one is short for the other, or both are
/// for a third. (`chris` and `christina`, `bob` and `rob`; not `christopher` and `christina`.) A name
/// that is not on the list stands for none but itself.
pub fn related(a: &str, b: &str) -> bool {
    a == b || intersect(groups(a), groups(b))
}

/// Whether two ascending lists have a member in common.
pub fn intersect(a: &[u16], b: &[u16]) -> bool {
    let (mut i, mut j) = (0, 0);
    while i < a.len() && j < b.len() {
        match a[i].cmp(&b[j]) {
            std::cmp::Ordering::Less => i += 1,
            std::cmp::Ordering::Greater => j += 1,
            std::cmp::Ordering::Equal => return true,
        }
    }
    false
}
