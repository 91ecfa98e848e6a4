//! Connected components agree with a slow, obvious version, however nodes are kept.

use std::collections::{BTreeMap, BTreeSet};

use cdp_engine::graph::components::{Bigints, Forest, Pairs, Stitcher, Texts, TooLarge};
use proptest::prelude::*;

const PLENTY: usize = 1 << 30;

/// Each node with the smallest of its component: names spread along links until nothing changes.
fn obvious<N: Ord + Clone>(links: &[(N, N)]) -> BTreeMap<N, N> {
    let nodes: BTreeSet<&N> = links.iter().flat_map(|(a, b)| [a, b]).collect();
    let mut names: BTreeMap<N, N> = nodes.into_iter().map(|n| (n.clone(), n.clone())).collect();
    loop {
        let mut changed = false;
        for (a, b) in links {
            let least = names[a].clone().min(names[b].clone());
            for end in [a, b] {
                if names[end] != least {
                    names.insert(end.clone(), least.clone());
                    changed = true;
                }
            }
        }
        if !changed {
            return names;
        }
    }
}

/// What a forest has named, and that each node comes once.
fn named(forest: &Bigints) -> BTreeMap<i64, i64> {
    let (mut names, mut block, mut from) = (BTreeMap::new(), Vec::new(), Some(0));
    while let Some(at) = from {
        from = forest.names(at, &mut block);
        for &(node, name) in &block {
            assert_eq!(names.insert(node, name), None, "{node} comes twice");
        }
    }
    assert_eq!(names.len(), forest.len());
    names
}

fn bigints(links: &[(i64, i64)], batch: usize) -> BTreeMap<i64, i64> {
    let mut forest = Bigints::new(PLENTY);
    for links in links.chunks(batch) {
        forest.join(&links.to_vec()).expect("there is room");
    }
    forest.name();
    named(&forest)
}

/// Numbers of one kind: the first that fill their range, the others that do not.
fn numbers() -> impl Strategy<Value = Vec<(i64, i64)>> {
    let number = prop_oneof![
        0..40_i64,
        -20..20_i64,
        (0..40_i64).prop_map(|n| n << 57 | n),
        (0..40_i64).prop_map(|n| n * 3_000_017),
        (0..10_i64).prop_map(|n| i64::MIN + n),
        (0..3_i64).prop_map(|n| i64::from(u32::MAX) - 1 + n),
    ];
    prop::collection::vec((number.clone(), number), 0..60)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn of_numbers(links in numbers(), batch in 1..70_usize) {
        prop_assert_eq!(bigints(&links, batch), obvious(&links));
    }

    #[test]
    fn of_texts(links in prop::collection::vec(("[a-c]{0,3}", "[a-c]{0,3}"), 0..60), batch in 1..70_usize) {
        let mut forest = Texts::new(PLENTY);
        for links in links.chunks(batch) {
            let mut pairs = Pairs::default();
            links.iter().for_each(|(a, b)| pairs.push(a.as_bytes(), b.as_bytes()));
            forest.join(&pairs).expect("there is room");
        }
        forest.name();
        let string = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).expect("as it went in");
        let names: BTreeMap<String, String> = (0..forest.len())
            .map(|n| forest.name_of(n))
            .map(|(node, name)| (string(node), string(name)))
            .collect();
        prop_assert_eq!(names.len(), forest.len());
        prop_assert_eq!(names, obvious(&links));
    }
}

/// Every number below `size` once, in an order that jumps.
fn shuffled(size: i64) -> impl Iterator<Item = i64> {
    (0..size).map(move |n| n * 7_919 % size)
}

/// Chains of ten: 0 to 9, 10 to 19, …
fn chains(numbers: impl Iterator<Item = i64>) -> Vec<(i64, i64)> {
    numbers.map(|n| (n, n - i64::from(n % 10 > 0))).collect()
}

#[test]
fn numbers_that_turn_out_to_be_dense() {
    // They jump about, so that at first few of many are there.
    let size = 1_200_000;
    let names = bigints(&chains(shuffled(size)), 1_000);
    assert_eq!(names.len() as i64, size);
    assert!(names.iter().all(|(node, name)| *name == node / 10 * 10));
}

#[test]
fn numbers_that_turn_out_not_to_be_dense() {
    let mut links = chains(shuffled(1_100_000));
    let far = 1 << 50;
    links.extend([(5, far), (far, 27), (-1, 40), (41, u32::MAX.into())]);
    let names = bigints(&links, 777);
    assert_eq!(names.len(), 1_100_003);
    let expected = |node: i64| match node {
        0..10 | 20..30 => 0,
        40..50 | -1 => -1,
        node if node == far => 0,
        node if node == i64::from(u32::MAX) => -1,
        node => node / 10 * 10,
    };
    assert!(names.iter().all(|(node, name)| *name == expected(*node)));
}

#[test]
fn dense_then_not_then_dense_again() {
    let mut links = chains(0..1_000);
    links.push((1_200_000, 7));
    links.extend(chains(shuffled(1_200_010)));
    let names = bigints(&links, 64);
    assert_eq!(names.len(), 1_200_010);
    let expected = |node: i64| {
        if node / 10 == 120_000 {
            0
        } else {
            node / 10 * 10
        }
    };
    assert!(names.iter().all(|(node, name)| *name == expected(*node)));
}

#[test]
fn long_chains_in_any_direction_are_not_slow() {
    let size = 200_000_i64;
    for far in [1, 1 << 40] {
        let up: Vec<_> = (1..size).map(|n| (n * far, (n - 1) * far)).collect();
        let down: Vec<_> = up.iter().rev().copied().collect();
        for links in [up, down] {
            let names = bigints(&links, 10_000);
            assert!(names.values().all(|&name| name == 0));
        }
    }
}

#[test]
fn hubs_are_not_slow() {
    let links: Vec<_> = (0..300_000_i64).map(|n| (n % 3 + 3, n << 20)).collect();
    assert_eq!(
        bigints(&links, 10_000)
            .values()
            .collect::<BTreeSet<_>>()
            .len(),
        3
    );
}

#[test]
fn memory_is_never_more_than_allowed() {
    for far in [1, 1 << 40] {
        let limit = 1 << 20;
        let mut forest = Bigints::new(limit);
        let mut failed = None;
        for n in 0..1_000_000 {
            match forest.join(&vec![(n * far, n * far)]) {
                Ok(()) => assert!(forest.bytes() <= limit),
                Err(error) => {
                    failed = Some(error);
                    break;
                }
            }
        }
        let TooLarge { nodes, needed } = failed.expect("a million nodes take more than a megabyte");
        assert!(nodes > limit / 60, "{nodes}");
        assert!(needed > limit);
    }
}

#[test]
fn memory_of_texts_is_never_more_than_allowed() {
    let limit = 1 << 20;
    let mut forest = Texts::new(limit);
    let failed = (0..100_000).find_map(|n| {
        let mut pairs = Pairs::default();
        let node = format!("somebody-{n}@example.com");
        pairs.push(node.as_bytes(), node.as_bytes());
        let joined = forest.join(&pairs);
        assert!(forest.bytes() <= limit);
        joined.err()
    });
    assert!(failed.expect("they do not fit").nodes > limit / 120);
}

#[test]
fn a_thread_gives_the_same() {
    let links = chains(shuffled(100_000).map(|n| n - 50_000));
    let mut stitcher = Stitcher::start(Bigints::new(PLENTY)).expect("a thread");
    let mut batch = Vec::new();
    for link in &links {
        batch.push(*link);
        if batch.len() == 999 {
            batch = stitcher.send(batch).expect("there is room");
        }
    }
    stitcher.send(batch).expect("there is room");
    let forest = stitcher.finish(|| ()).expect("there is room");
    assert_eq!(named(&forest), bigints(&links, 1_000));
}

#[test]
fn a_thread_without_memory_says_so() {
    let mut stitcher = Stitcher::start(Bigints::new(100_000)).expect("a thread");
    let failed = (0..1_000_i64).find_map(|n| {
        let batch: Vec<_> = (0..1_000).map(|m| (n << 40 | m, n << 40 | m)).collect();
        stitcher.send(batch).err()
    });
    assert!(failed.expect("it ends").needed > 100_000);
}
