//! Against the slow and obvious, and cases worked out by hand.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::background::Cancel;

fn pair(a: u32, b: u32, weight: i32) -> ScoredPair {
    ScoredPair { a, b, weight }
}

/// Names by record; some are alike, and what those records say differs.
struct Names(Vec<u64>);

impl Naming for Names {
    fn name(&self, record: u32) -> u32 {
        (self.0[record as usize] >> 3) as u32
    }

    fn content(&self, record: u32) -> u64 {
        self.0[record as usize]
    }
}

fn names(len: u32) -> Names {
    Names((0..u64::from(len)).map(|name| name * 7919 % 1009).collect())
}

fn tree(len: u32, pairs: &[ScoredPair], settings: &Settings) -> Tree {
    build(len, pairs, &names(len), None, settings).expect("a tree")
}

fn build(
    len: u32,
    pairs: &[ScoredPair],
    naming: &dyn Naming,
    score: Option<Score<'_>>,
    settings: &Settings,
) -> Result<Tree, Error> {
    let pairs = pairs.iter().copied();
    Tree::build(len, pairs, naming, score, settings, &Cancel::default())
}

/// Every cluster against every other, until none joins; joins with their level.
fn by_brute_force(
    len: u32,
    pairs: &[ScoredPair],
    names: &[u64],
    settings: &Settings,
    threshold: i32,
) -> Vec<u32> {
    let mut clusters: Vec<(Vec<u32>, i32)> =
        (0..len).map(|record| (vec![record], i32::MAX)).collect();
    let weights: BTreeMap<(u32, u32), i32> = pairs
        .iter()
        .map(|pair| ((pair.a.min(pair.b), pair.a.max(pair.b)), pair.weight))
        .collect();
    let mut taken: Vec<Vec<u32>> = (0..len).map(|record| vec![record]).collect();
    let side = |record: u32| settings.second.is_some_and(|second| record >= second);
    loop {
        let mut best: Option<(i32, _, _, usize, usize, i32)> = None;
        for one in 0..clusters.len() {
            for other in 0..one {
                let (mut sum, mut known, mut counted) = (0i64, 0, 0i64);
                for a in &clusters[one].0 {
                    for b in &clusters[other].0 {
                        match weights.get(&(*a.min(b), *a.max(b))) {
                            Some(weight) => {
                                sum += i64::from((*weight).clamp(-settings.most, settings.most));
                                known += 1;
                                counted += 1;
                            }
                            None if settings.second.is_none() || side(*a) != side(*b) => {
                                sum += i64::from(settings.absent);
                                counted += 1;
                            }
                            None => {}
                        }
                    }
                }
                let both_have = |wanted: bool| {
                    [one, other]
                        .iter()
                        .all(|c| clusters[*c].0.iter().any(|record| side(*record) == wanted))
                };
                let refused =
                    settings.single[0] && both_have(false) || settings.single[1] && both_have(true);
                if known == 0 || refused {
                    continue;
                }
                let height = sum.div_euclid(counted) as i32;
                if height < settings.lowest {
                    continue;
                }
                let evidence = f64::from(height - settings.prior);
                let grown =
                    f64::from(settings.prior) + evidence * f64::from(known).powf(settings.growth);
                let level = (grown.round() as i32)
                    .min(clusters[one].1)
                    .min(clusters[other].1);
                let name = |c: usize| {
                    let named = clusters[c]
                        .0
                        .iter()
                        .map(|record| (names[*record as usize], *record));
                    named.min().expect("a record")
                };
                let low = name(one).min(name(other));
                let high = name(one).max(name(other));
                let step = (height, low, high, one, other, level);
                if best.is_none_or(|best| (step.0, step.1, step.2) > (best.0, best.1, best.2)) {
                    best = Some(step);
                }
            }
        }
        let Some((_, _, _, one, other, level)) = best else {
            break;
        };
        let (joining, _) = clusters.remove(one);
        clusters[other].0.extend(joining);
        clusters[other].1 = level;
        if level >= threshold {
            let whole = clusters[other].0.clone();
            taken.push(whole);
        }
    }
    let mut least: Vec<u32> = (0..len).collect();
    for cluster in &taken {
        let lowest = *cluster.iter().min().expect("a record");
        for record in cluster {
            least[*record as usize] = least[*record as usize].min(lowest);
        }
    }
    least
}

fn pairs(len: u32) -> impl Strategy<Value = Vec<ScoredPair>> {
    prop::collection::btree_map((0..len, 0..len), -900..1800i32, 0..30).prop_map(|weights| {
        let mut pairs: BTreeMap<(u32, u32), i32> = BTreeMap::new();
        for ((a, b), weight) in weights {
            if a != b {
                pairs.insert((a.min(b), a.max(b)), weight);
            }
        }
        pairs
            .into_iter()
            .map(|((a, b), weight)| pair(a, b, weight))
            .collect()
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn joins_as_brute_force_does(
        pairs in pairs(12),
        second in prop::option::of(1u32..11),
        single in any::<[bool; 2]>(),
        growth in 0..4u8,
    ) {
        let second = second.filter(|_| growth > 0);
        let settings = Settings {
            second,
            single: if second.is_some() { single } else { [false; 2] },
            growth: f64::from(growth) / 10.0,
            threads: 1,
            ..Settings::default()
        };
        let pairs: Vec<ScoredPair> = pairs
            .into_iter()
            .filter(|pair| second.is_none_or(|second| (pair.a < second) != (pair.b < second)))
            .collect();
        let Names(names) = names(12);
        let tree = tree(12, &pairs, &settings);
        for threshold in [-2000, -300, 0, 400, 1200] {
            let clusters = tree.clusters(threshold);
            prop_assert_eq!(
                &clusters,
                &by_brute_force(12, &pairs, &names, &settings, threshold)
            );
        }
    }

    #[test]
    fn order_and_threads_do_not_matter(pairs in pairs(40), seed in any::<u64>(), alike in 1..40u64) {
        let settings = |threads| Settings { threads, ..Settings::default() };
        // Many pairs weigh the same, and records say the same.
        let pairs: Vec<ScoredPair> = pairs
            .into_iter()
            .map(|pair| ScoredPair { weight: pair.weight / 400 * 400, ..pair })
            .collect();
        let names: Vec<u64> = (0..40)
            .map(|name: u64| ((name.wrapping_mul(seed | 1) % alike) << 6) | name)
            .collect();
        let mut order: Vec<u32> = (0..40).collect();
        order.sort_by_key(|record| (u64::from(*record) + 3).wrapping_mul(seed | 1) >> 7);
        let place = |record: u32| order.iter().position(|other| *other == record).expect("it") as u32;
        let moved: Vec<ScoredPair> = pairs
            .iter()
            .rev()
            .map(|pair| ScoredPair { a: place(pair.b), b: place(pair.a), weight: pair.weight })
            .collect();
        let moved_names = Names(order.iter().map(|record| names[*record as usize]).collect());
        let one = build(40, &pairs, &Names(names), None, &settings(1)).expect("a tree");
        let two = build(40, &moved, &moved_names, None, &settings(3)).expect("a tree");
        for threshold in [-300, 0, 700] {
            let (one, two) = (one.clusters(threshold), two.clusters(threshold));
            for a in 0..40u32 {
                for b in 0..a {
                    prop_assert_eq!(
                        one[a as usize] == one[b as usize],
                        two[place(a) as usize] == two[place(b) as usize]
                    );
                }
            }
        }
        prop_assert_eq!(one.best(3.0), two.best(3.0));
    }
}

/// Two families of four, all of one at 12 bits, and one wrong pair between them.
fn families() -> Vec<ScoredPair> {
    let mut pairs = Vec::new();
    for family in [0, 4] {
        for a in 0..4 {
            for b in 0..a {
                pairs.push(pair(family + b, family + a, 1200));
            }
        }
    }
    pairs.push(pair(3, 4, 900));
    pairs
}

#[test]
fn one_wrong_pair_joins_no_families() {
    let tree = tree(8, &families(), &Settings::default());
    assert_eq!(tree.clusters(0), [0, 0, 0, 0, 4, 4, 4, 4]);
}

#[test]
fn what_no_rule_found_is_scored() {
    let pairs = [pair(0, 1, 900), pair(1, 2, 900)];
    let scored = |weight: i32| {
        let score = move |pairs: &[(u32, u32)]| {
            assert_eq!(pairs, [(0, 2)]);
            vec![weight]
        };
        build(
            3,
            &pairs,
            &Names(vec![0; 3]),
            Some(&score),
            &Settings::default(),
        )
        .expect("a tree")
    };
    assert_eq!(scored(500).clusters(0), [0, 0, 0]);
    // Of two joins as sure, that of the later names comes first.
    assert_eq!(scored(-1500).clusters(0), [0, 1, 1]);
}

#[test]
fn a_file_without_duplicates_gives_one_record_to_each() {
    let pairs = [pair(0, 2, 900), pair(0, 3, 800), pair(1, 3, 700)];
    let settings = |single| Settings {
        second: Some(2),
        single,
        ..Settings::default()
    };
    assert_eq!(
        tree(4, &pairs, &settings([false, true])).clusters(0),
        [0, 1, 0, 1]
    );
    let both = tree(4, &pairs, &settings([true, true]));
    assert_eq!(both.clusters(0), [0, 1, 0, 1]);
    // Else all are one: two records of a file need not be a pair.
    assert_eq!(
        tree(4, &pairs[..2], &settings([false; 2])).clusters(0),
        [0, 1, 0, 0]
    );
}

#[test]
fn expects_what_weights_say() {
    // Odds of 1, 3 and 1/3: probabilities of 0.5, 0.75 and 0.25.
    let three = (3f64.log2() * 100.0).round() as i32;
    let pairs = [pair(0, 1, three), pair(2, 3, 0), pair(4, 5, -three)];
    let curve = tree(6, &pairs, &Settings::default()).expected(0.5);
    let seen: Vec<(i32, u64)> = curve
        .iter()
        .map(|point| (point.threshold, point.pairs))
        .collect();
    assert_eq!(seen, [(three, 1), (0, 2), (-three, 3)]);
    let close = |one: f64, other: f64| (one - other).abs() < 1e-3;
    assert!(close(curve[0].precision, 0.75) && close(curve[0].recall, 0.75 / 2.0));
    assert!(close(curve[1].precision, 0.625) && close(curve[1].recall, 1.25 / 2.0));
    assert!(close(curve[2].precision, 0.5) && close(curve[2].f1, 2.0 * 1.5 / 5.0));
    let best = tree(6, &pairs, &Settings::default())
        .best(0.5)
        .expect("a point");
    assert_eq!(best.threshold, 0);
}

#[test]
fn a_precision_is_held_if_it_can_be() {
    let mut pairs: Vec<ScoredPair> = (0..1000).map(|n| pair(2 * n, 2 * n + 1, 1400)).collect();
    pairs.extend((1000..1400).map(|n| pair(2 * n, 2 * n + 1, 200)));
    let tree = tree(2800, &pairs, &Settings::default());
    let held = tree.precise(0.99, 0.0).expect("it can be held");
    assert_eq!((held.threshold, held.pairs), (1400, 1000));
    assert!(held.interval.0 >= 0.99 && held.interval.0 <= held.precision);
    assert_eq!(tree.precise(0.9, 0.0).expect("a point").threshold, 200);
    assert_eq!(tree.precise(0.99999, 0.0), None);
}

#[test]
fn giant_components_take_no_giant_time() {
    // A hub with 60,000 neighbours, a chain of as many, and 700 records that are all alike.
    let star = (1..60_000).map(|record| pair(0, record, 500));
    let chain = (60_001..120_000).map(|record| pair(record - 1, record, 500));
    let alike = (120_000..120_700u32).flat_map(|b| (120_000..b).map(move |a| pair(a, b, 1000)));
    let pairs: Vec<ScoredPair> = star.chain(chain).chain(alike).collect();
    let tree = tree(120_700, &pairs, &Settings::default());
    let clusters = tree.clusters(0);
    let largest = |range: std::ops::Range<usize>| {
        let mut sizes: BTreeMap<u32, usize> = BTreeMap::new();
        clusters[range]
            .iter()
            .for_each(|cluster| *sizes.entry(*cluster).or_default() += 1);
        sizes.into_values().max()
    };
    assert_eq!(largest(0..60_000), Some(2));
    assert_eq!(largest(60_000..120_000), Some(2));
    assert_eq!(largest(120_000..120_700), Some(700));
}

#[test]
fn edges() {
    let settings = Settings::default();
    for len in [0, 1, 5] {
        let tree = tree(len, &[], &settings);
        assert_eq!(tree.clusters(0), (0..len).collect::<Vec<_>>());
        assert_eq!(tree.best(1.0), None);
    }
}

/// A component too large for a table, as brute force has it.
#[test]
fn large_components_join_as_small_ones_do() {
    // Copies of one component, with weights that tell no two joins apart by chance.
    let copies = 30;
    let of_copy = |copy: u32| {
        let mut pairs = Vec::new();
        for a in 0..10u32 {
            for b in (a + 1..10).filter(|b| (a * 7 + b * 5) % 4 != 0) {
                let weight = 900 - (a * 131 + b * 197) as i32 % 1301 * 2;
                pairs.push(pair(10 * copy + a, 10 * copy + b, weight));
            }
        }
        pairs
    };
    let mut all: Vec<ScoredPair> = (0..copies).flat_map(of_copy).collect();
    let small = tree(10 * copies, &all, &Settings::default());
    // Pairs too weak to join anything, but enough to make one component of all.
    all.extend((1..copies).map(|copy| pair(10 * copy - 1, 10 * copy, -290)));
    let settings = Settings {
        most: 2000,
        ..Settings::default()
    };
    let large = tree(10 * copies, &all, &settings);
    for threshold in [-250, 0, 300, 700] {
        assert_eq!(small.clusters(threshold), large.clusters(threshold));
    }
    assert!(small.clusters(0).iter().any(|&cluster| cluster % 10 > 0));
}

#[test]
fn takes_no_more_memory_than_it_may() {
    let pairs = families();
    let build = |memory| {
        let settings = Settings {
            memory,
            ..Settings::default()
        };
        build(8, &pairs, &names(8), None, &settings)
    };
    let Err(Error::Memory { needed, allowed }) = build(500) else {
        panic!("500 bytes suffice");
    };
    assert!(needed > 500 && allowed == 500);
    assert!(build(needed).is_ok());
    assert!(matches!(build(100), Err(Error::Memory { .. })));
}
