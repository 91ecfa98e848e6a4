//! Segments that refer to segments must not do so in a circle: neither could be evaluated first.

use std::collections::{BTreeMap, BTreeSet};

/// The circle through `segment`, if there is one: the names from `segment` along the references
/// back to `segment`, which stands at both ends. `dependencies` has, for each segment, those that
/// its rule refers to; for the segment about to be made or changed, those of its new rule.
pub fn cycle(segment: &str, dependencies: &BTreeMap<String, Vec<String>>) -> Option<Vec<String>> {
    // Depth first without recursion: the path is as long as users make it. Each entry is a segment
    // on the path and how many of its references have been followed.
    let mut path: Vec<(&str, usize)> = vec![(segment, 0)];
    let mut visited = BTreeSet::new();
    while let Some((current, followed)) = path.last_mut() {
        let next = dependencies
            .get(*current)
            .and_then(|references| references.get(*followed));
        *followed += 1;
        match next {
            None => {
                path.pop();
            }
            Some(next) if next == segment => {
                let names = path.iter().map(|(name, _)| *name).chain([segment]);
                return Some(names.map(str::to_owned).collect());
            }
            Some(next) => {
                if visited.insert(next) {
                    path.push((next, 0));
                }
            }
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn graph(edges: &[(&str, &[&str])]) -> BTreeMap<String, Vec<String>> {
        edges
            .iter()
            .map(|(from, to)| {
                let to = to.iter().map(|name| (*name).to_owned()).collect();
                ((*from).to_owned(), to)
            })
            .collect()
    }

    #[test]
    fn no_cycle_in_a_diamond_or_beside_a_foreign_circle() {
        let diamond = graph(&[("a", &["b", "c"]), ("b", &["d"]), ("c", &["d"])]);
        assert_eq!(cycle("a", &diamond), None);
        let beside = graph(&[("a", &["b"]), ("b", &["c"]), ("c", &["b"])]);
        assert_eq!(cycle("a", &beside), None);
        assert_eq!(cycle("alone", &beside), None);
    }

    #[test]
    fn the_path_is_given() {
        let own = graph(&[("a", &["a"])]);
        assert_eq!(cycle("a", &own).unwrap(), ["a", "a"]);
        let long = graph(&[("a", &["x", "b"]), ("b", &["x", "c"]), ("c", &["a"])]);
        assert_eq!(cycle("a", &long).unwrap(), ["a", "b", "c", "a"]);
    }

    #[test]
    fn a_long_chain_does_not_exhaust_the_stack() {
        let mut chain: BTreeMap<String, Vec<String>> = (0..100_000)
            .map(|n| (n.to_string(), vec![(n + 1).to_string()]))
            .collect();
        assert_eq!(cycle("0", &chain), None);
        chain.insert("100000".into(), vec!["0".into()]);
        assert_eq!(cycle("0", &chain).unwrap().len(), 100_002);
    }
}
