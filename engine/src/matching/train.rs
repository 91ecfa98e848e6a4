//! From records to a model, without examples.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};

use xxhash_rust::xxh3::xxh3_64;

use super::comparison::{Comparer, Comparison, Kind, ValueTerm, plan_for};
use super::model::{
    Class, ComparisonModel, Data, Fit, FitStatistic, Frequencies, Half, Labelled, LevelModel,
    Masked, Model, Parameters, Pattern, Stratum, VERSION, fit, likelihood, misfit, pattern, prior,
};
use super::prepare::{Field, Prepared, parts};
use super::records::Records;
use super::spec::{Error, Settings, Spec};
use crate::background::Cancel;

/// Told what is being done, and how much of it is done (0 to 1).
pub type Progress<'a> = &'a (dyn Fn(&'static str, f64) + Sync);

/// Trains a model on records. `decisions` are pairs of which somebody has said whether they are one
/// person.
///
/// # Errors
/// When the caller gives up, or the specification does not fit the records.
pub fn train(
    spec: &Spec,
    records: &Records,
    decisions: &[(u32, u32, bool)],
    cancel: &Cancel,
    progress: Progress<'_>,
) -> Result<Model, Error> {
    check(spec, records)?;
    let settings = &spec.settings;
    let comparisons = plan_for(records)?;
    progress("frequencies", 0.0);
    let frequencies: Vec<Vec<Frequencies>> = comparisons
        .iter()
        .map(|comparison| {
            parts(comparison, records)
                .iter()
                .map(|column| Frequencies::of(column))
                .collect()
        })
        .collect();
    let prepared = Prepared::new(comparisons.clone(), records, &frequencies);
    let order = Order::of(records, settings);
    progress("random pairs", 0.1);
    let random = random_levels(&prepared, &order, settings, cancel)?;
    progress("pairs that share values", 0.3);
    let strata = strata(&prepared, &order, settings, cancel)?;
    let labelled = label(&prepared, decisions);
    progress("estimation", 0.6);
    let data = Data {
        comparisons: &comparisons,
        frequencies: &frequencies,
        strata: &strata,
        labelled: &labelled,
        threads: settings.threads,
    };
    let all_pairs = f64::from(records.len()) * (f64::from(records.len()) - 1.0) / 2.0;
    let found = estimate(&data, &random, all_pairs, cancel)?;
    Ok(model(spec, records, &data, found))
}

fn check(spec: &Spec, records: &Records) -> Result<(), Error> {
    let same = spec.columns.len() == records.columns.len()
        && spec
            .columns
            .iter()
            .zip(&records.columns)
            .all(|(spec, column)| spec.name == column.name && spec.meaning == column.meaning);
    if !same {
        return Err(Error::OtherColumns);
    }
    for same in spec.rules.iter().flat_map(|rule| &rule.same) {
        if !spec.columns.iter().any(|column| column.name == same.column) {
            return Err(Error::UnknownColumn(same.column.clone()));
        }
    }
    if spec
        .settings
        .precision
        .is_some_and(|precision| !(0.0..1.0).contains(&precision))
    {
        return Err(Error::Setting("the precision must lie between 0 and 1"));
    }
    Ok(())
}

/// A number that chance might have given (splitmix64).
fn mixed(mut number: u64) -> u64 {
    number = number.wrapping_add(0x9E37_79B9_7F4A_7C15);
    number = (number ^ number >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    number = (number ^ number >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
    number ^ number >> 31
}

/// The records in an order that depends on what they say alone.
struct Order {
    seed: u64,
    /// Of each record, by what it says.
    fingerprints: Vec<u64>,
    records: Vec<u32>,
}

impl Order {
    fn of(records: &Records, settings: &Settings) -> Self {
        let mut fingerprints = vec![0_u64; records.len() as usize];
        for column in &records.columns {
            let hashes: Vec<u64> = column
                .values
                .iter()
                .map(|value| xxh3_64(value.text.as_bytes()))
                .collect();
            for (fingerprint, record) in fingerprints.iter_mut().zip(0..) {
                // The order of several values says nothing.
                let held = column.of(record).iter().fold(0_u64, |sum, &value| {
                    sum.wrapping_add(hashes[value as usize])
                });
                *fingerprint = mixed(fingerprint.wrapping_mul(31).wrapping_add(held));
            }
        }
        let mut order: Vec<u32> = (0..records.len()).collect();
        order.sort_unstable_by_key(|&record| (fingerprints[record as usize], record));
        Order {
            seed: settings.seed,
            fingerprints,
            records: order,
        }
    }
}

/// How many pairs a thread looks at before it asks whether to go on.
const STEP: usize = 8192;

/// Applies work to pieces of a range on several threads; the results come in the order of the pieces.
fn in_pieces<T: Send>(
    len: usize,
    threads: usize,
    cancel: &Cancel,
    work: impl Fn(std::ops::Range<usize>) -> T + Sync,
) -> Result<Vec<T>, Error> {
    let threads = threads.clamp(1, 64);
    let size = len.div_ceil(threads).max(1);
    let results = std::thread::scope(|scope| {
        let work = &work;
        let handles: Vec<_> = (0..threads)
            .map(|thread| (thread * size).min(len)..((thread + 1) * size).min(len))
            .map(|range| scope.spawn(move || work(range)))
            .collect();
        handles
            .into_iter()
            .map(|handle| match handle.join() {
                Ok(result) => result,
                Err(panic) => std::panic::resume_unwind(panic),
            })
            .collect()
    });
    if cancel.is_set() {
        return Err(Error::Cancelled);
    }
    Ok(results)
}

/// How often random pairs show each level, by comparison and level; the first level is "missing".
fn random_levels(
    prepared: &Prepared<'_>,
    order: &Order,
    settings: &Settings,
    cancel: &Cancel,
) -> Result<Vec<Vec<u64>>, Error> {
    let len = order.records.len() as u64;
    let all = len * len.saturating_sub(1) / 2;
    let wanted = u64::from(settings.random_pairs).min(all);
    let count = |range: std::ops::Range<usize>| {
        let mut comparer = Comparer::new(prepared);
        let mut seen: Vec<Vec<u64>> = prepared
            .comparisons
            .iter()
            .map(|comparison| vec![0; comparison.kind.levels().len() + 1])
            .collect();
        for number in range {
            if number % STEP == 0 && cancel.is_set() {
                break;
            }
            let number = number as u64;
            let (a, b) = if wanted == all {
                triangle(number)
            } else {
                let drawn = mixed(order.seed ^ mixed(number));
                let a = ((u128::from(drawn) * u128::from(len)) >> 64) as u64;
                let b = ((u128::from(mixed(drawn)) * u128::from(len - 1)) >> 64) as u64;
                (a, if b >= a { b + 1 } else { b })
            };
            let outcomes = comparer.compare(order.records[a as usize], order.records[b as usize]);
            for (seen, outcome) in seen.iter_mut().zip(outcomes) {
                seen[usize::from(outcome.level())] += 1;
            }
        }
        seen
    };
    let mut sums = in_pieces(wanted as usize, settings.threads, cancel, count)?.into_iter();
    let mut sum = sums.next().unwrap_or_default();
    for other in sums {
        for (sum, other) in sum.iter_mut().flatten().zip(other.into_iter().flatten()) {
            *sum += other;
        }
    }
    Ok(sum)
}

/// The pair of that number, of all pairs in order.
fn triangle(number: u64) -> (u64, u64) {
    let mut high = ((((8 * number + 1) as f64).sqrt() + 1.0) / 2.0) as u64;
    while high * (high - 1) / 2 > number {
        high -= 1;
    }
    while high * (high + 1) / 2 <= number {
        high += 1;
    }
    (high, number - high * (high - 1) / 2)
}

/// A block with more records than this is no sample of persons, but a value that stands for none.
const LARGEST_BLOCK: usize = 1000;
/// A stratum with more pairs than this for each record drowns the matches in it.
const PAIRS_A_RECORD: f64 = 300.0;

/// The sets of values that pairs of a stratum share.
fn keys(comparisons: &[Comparison]) -> Vec<Vec<usize>> {
    let at = |wanted: Kind| {
        comparisons
            .iter()
            .enumerate()
            .filter(move |(_, comparison)| comparison.kind == wanted)
            .map(|(position, _)| position)
    };
    let mut keys: Vec<Vec<usize>> = Vec::new();
    for kind in [
        Kind::Birth,
        Kind::Email,
        Kind::Phone,
        Kind::Address,
        Kind::NationalId,
        Kind::FullName,
        Kind::Family,
    ] {
        keys.extend(at(kind).map(|one| vec![one]));
    }
    for (one, other) in [
        (Kind::Given, Kind::Family),
        (Kind::Family, Kind::Place),
        (Kind::Given, Kind::Place),
        (Kind::Family, Kind::Category),
        (Kind::Given, Kind::Category),
        (Kind::Place, Kind::Category),
    ] {
        for one in at(one) {
            keys.extend(at(other).map(|other| vec![one, other]));
        }
    }
    keys
}

/// Pairs that share values, by the values they share.
fn strata(
    prepared: &Prepared<'_>,
    order: &Order,
    settings: &Settings,
    cancel: &Cancel,
) -> Result<Vec<Stratum>, Error> {
    let hashes: Vec<Vec<u64>> = prepared.fields.iter().map(Field::hashes).collect();
    let keys: Vec<(u64, Vec<usize>)> = (0..).zip(keys(&prepared.comparisons)).collect();
    let strata = in_threads(&keys, settings.threads, |(number, key)| {
        if cancel.is_set() {
            return None;
        }
        let seed = mixed(order.seed ^ *number);
        let sharing = pairs_sharing(prepared, &hashes, order, key, seed, settings)?;
        let masked = Masked(key.iter().fold(0, |mask, position| mask | 1 << position));
        Some(Stratum {
            masked,
            pairs: sharing.all,
            filled: sharing.filled,
            patterns: patterns(prepared, order, &sharing.pairs, masked, cancel),
        })
    });
    if cancel.is_set() {
        return Err(Error::Cancelled);
    }
    Ok(strata.into_iter().flatten().collect())
}

/// Pairs that share the first value of some comparisons.
struct Sharing {
    /// Some of them.
    pairs: Vec<(u32, u32)>,
    /// How many there are.
    all: f64,
    /// How often two records have these values at all.
    filled: f64,
}

/// Some of the pairs that share the first value of each of these comparisons; none if there are none, or
/// so many that they say nothing.
fn pairs_sharing(
    prepared: &Prepared<'_>,
    hashes: &[Vec<u64>],
    order: &Order,
    key: &[usize],
    seed: u64,
    settings: &Settings,
) -> Option<Sharing> {
    let mut keyed: Vec<(u64, u32)> = Vec::new();
    for &record in &order.records {
        let mut hash = seed;
        let mut complete = true;
        for &position in key {
            match prepared.fields[position].of(record).first() {
                Some(&value) => hash = mixed(hash ^ hashes[position][value as usize]),
                None => complete = false,
            }
        }
        if complete {
            keyed.push((hash, record));
        }
    }
    // Stable: within a block in the order of what the records say.
    keyed.sort_by_key(|&(hash, _)| hash);
    let blocks = || {
        keyed
            .chunk_by(|a, b| a.0 == b.0)
            .filter(|block| block.len() <= LARGEST_BLOCK)
    };
    let total: f64 = blocks()
        .map(|block| (block.len() * (block.len() - 1) / 2) as f64)
        .sum();
    let in_blocks: f64 = blocks().map(|block| block.len() as f64).sum();
    if total == 0.0 || total / in_blocks > PAIRS_A_RECORD {
        return None;
    }
    let rate = (f64::from(settings.training_pairs) / total).min(1.0);
    let limit = (rate * u64::MAX as f64) as u64;
    let mut pairs = Vec::new();
    for block in blocks() {
        for (place, &(_, a)) in block.iter().enumerate() {
            for &(_, b) in &block[..place] {
                let of_pair =
                    order.fingerprints[a as usize].wrapping_add(order.fingerprints[b as usize]);
                if rate >= 1.0 || mixed(seed ^ of_pair) < limit {
                    pairs.push((a, b));
                }
            }
        }
    }
    let share = in_blocks / order.records.len() as f64;
    Some(Sharing {
        pairs,
        all: total,
        filled: share * share,
    })
}

/// The patterns of pairs, counted.
fn patterns(
    prepared: &Prepared<'_>,
    order: &Order,
    pairs: &[(u32, u32)],
    masked: Masked,
    cancel: &Cancel,
) -> Vec<(Pattern, [f64; 2])> {
    let mut comparer = Comparer::new(prepared);
    let mut counts: HashMap<Pattern, [u32; 2]> = HashMap::new();
    for (number, &(a, b)) in pairs.iter().enumerate() {
        if number % STEP == 0 && cancel.is_set() {
            break;
        }
        let of_pair = order.fingerprints[a as usize].wrapping_add(order.fingerprints[b as usize]);
        let half = (mixed(of_pair) & 1) as usize;
        counts
            .entry(pattern(&comparer.compare(a, b), masked))
            .or_default()[half] += 1;
    }
    let mut patterns: Vec<(Pattern, [f64; 2])> = counts
        .into_iter()
        .map(|(pattern, counts)| (pattern, counts.map(f64::from)))
        .collect();
    patterns.sort_unstable_by_key(|&(pattern, _)| pattern);
    patterns
}

/// As how many pairs a decision counts.
const DECISION: f64 = 20.0;

fn label(prepared: &Prepared<'_>, decisions: &[(u32, u32, bool)]) -> Labelled {
    let mut comparer = Comparer::new(prepared);
    let mut patterns: Vec<(Pattern, bool)> = decisions
        .iter()
        .map(|&(a, b, same)| (pattern(&comparer.compare(a, b), Masked::default()), same))
        .collect();
    patterns.sort_unstable();
    Labelled {
        patterns,
        times: DECISION,
    }
}

/// How often strangers show each level: exactly where they share a value, by random pairs else.
/// `matches` of the random pairs are matches, and show the levels of `person`.
fn strangers(
    data: &Data<'_>,
    random: &[Vec<u64>],
    share: f64,
    person: Option<&[Vec<f64>]>,
) -> Vec<Vec<f64>> {
    data.comparisons
        .iter()
        .enumerate()
        .map(|(position, comparison)| {
            let seen = &random[position];
            let kinds = comparison.kind.levels();
            let both: f64 = seen[1..].iter().map(|&count| count as f64).sum();
            let less = |level: usize, rate: f64| -> f64 {
                let of_persons = person.map_or(0.0, |m| share * m[position][level]);
                ((rate - of_persons) / (1.0 - share)).max(rate * 0.1)
            };
            let mut rates: Vec<f64> = (0..kinds.len())
                .map(|level| less(level, (seen[level + 1] as f64).max(0.5) / (both + 1.0)))
                .collect();
            let by_value = kinds[0].value == ValueTerm::Same
                && !matches!(comparison.kind, Kind::Address | Kind::Place | Kind::Middle);
            if by_value {
                let frequencies = &data.frequencies[position][0];
                let least = 0.5 / (frequencies.total.max(1) as f64);
                rates[0] = less(0, frequencies.same).max(least * least);
                let others: f64 = rates[1..].iter().sum();
                let times = (1.0 - rates[0]) / others;
                for rate in &mut rates[1..] {
                    *rate *= times;
                }
            }
            for rate in &mut rates {
                *rate = rate.max(1e-9);
            }
            let sum: f64 = rates.iter().sum();
            rates.iter().map(|rate| rate / sum).collect()
        })
        .collect()
}

/// Applies work to each, on several threads; the results come in order.
fn in_threads<T: Sync, R: Send>(
    items: &[T],
    threads: usize,
    work: impl Fn(&T) -> R + Sync,
) -> Vec<R> {
    let next = AtomicUsize::new(0);
    let mut results: Vec<(usize, R)> = std::thread::scope(|scope| {
        let handles: Vec<_> = (0..threads.clamp(1, 64))
            .map(|_| {
                scope.spawn(|| {
                    let mut results = Vec::new();
                    loop {
                        let number = next.fetch_add(1, Ordering::Relaxed);
                        let Some(item) = items.get(number) else {
                            return results;
                        };
                        results.push((number, work(item)));
                    }
                })
            })
            .collect();
        handles
            .into_iter()
            .flat_map(|handle| match handle.join() {
                Ok(results) => results,
                Err(panic) => std::panic::resume_unwind(panic),
            })
            .collect()
    });
    results.sort_unstable_by_key(|&(number, _)| number);
    results.into_iter().map(|(_, result)| result).collect()
}

/// What estimation finds.
struct Found {
    fit: Fit,
    priors: Vec<f64>,
    held_out: f64,
}

/// How often the errors of the person are multiplied, where training starts.
const STARTS: [f64; 3] = [1.0, 0.4, 2.5];
/// Which classes there may be; the later are taken if they explain more.
const CLASSES: [&[Class]; 4] = [
    &[Class::Person],
    &[Class::Person, Class::Household],
    &[Class::Person, Class::Namesake],
    &[Class::Person, Class::Household, Class::Namesake],
];
/// A further class must explain the held-out half by so many bits a pair better.
const WORTH: f64 = 1e-4;

fn estimate(
    data: &Data<'_>,
    random: &[Vec<u64>],
    all_pairs: f64,
    cancel: &Cancel,
) -> Result<Found, Error> {
    let u = strangers(data, random, 0.0, None);
    // Which start is best shows with the person alone.
    let started = in_threads(&STARTS, data.threads, |&errors| {
        let seeded = Parameters::seeded(data.comparisons, &[Class::Person], u.clone(), errors);
        fit(data, seeded, Half::First, 8).likelihood
    });
    let best_start = STARTS
        .into_iter()
        .zip(started)
        .fold((STARTS[0], f64::NEG_INFINITY), |best, next| {
            if next.1 > best.1 { next } else { best }
        })
        .0;
    if cancel.is_set() {
        return Err(Error::Cancelled);
    }
    let tried = in_threads(&CLASSES, data.threads, |classes| {
        let seeded = Parameters::seeded(data.comparisons, classes, u.clone(), best_start);
        let fitted = fit(data, seeded, Half::First, 12);
        let held_out = likelihood(data, &fitted.parameters, Half::Second);
        (fitted, held_out)
    });
    let best = tried.into_iter().reduce(
        |best, next| {
            if next.1 > best.1 + WORTH { next } else { best }
        },
    );
    let Some((mut fitted, held_out)) = best else {
        return Err(Error::NoColumns);
    };
    // How often records of one person are met by chance shows only now.
    for _ in 0..2 {
        if cancel.is_set() {
            return Err(Error::Cancelled);
        }
        let mut parameters = fitted.parameters;
        let of_person = prior(data, &parameters, 0, all_pairs);
        parameters.duplicates =
            of_person * all_pairs * 2.0 / f64::from(records_of(all_pairs)).max(1.0);
        parameters.u = strangers(data, random, of_person, Some(&parameters.m[0]));
        fitted = fit(data, parameters, Half::Both, 25);
    }
    let priors = (0..fitted.parameters.classes.len())
        .map(|class| prior(data, &fitted.parameters, class, all_pairs))
        .collect();
    Ok(Found {
        fit: fitted,
        priors,
        held_out,
    })
}

/// How many records make so many pairs.
fn records_of(pairs: f64) -> u32 {
    ((1.0 + (1.0 + 8.0 * pairs).sqrt()) / 2.0).round() as u32
}

fn model(spec: &Spec, records: &Records, data: &Data<'_>, found: Found) -> Model {
    let parameters = found.fit.parameters;
    let comparisons = data
        .comparisons
        .iter()
        .enumerate()
        .map(|(position, comparison)| ComparisonModel {
            name: comparison.name.clone(),
            kind: comparison.kind,
            columns: comparison.columns.clone(),
            levels: comparison
                .kind
                .levels()
                .iter()
                .enumerate()
                .map(|(level, kind)| LevelModel {
                    label: kind.label.to_owned(),
                    m: parameters
                        .m
                        .iter()
                        .map(|of_class| of_class[position][level])
                        .collect(),
                    u: parameters.u[position][level],
                })
                .collect(),
            frequencies: data.frequencies[position].clone(),
        })
        .collect();
    let pairs = data
        .strata
        .iter()
        .flat_map(|stratum| &stratum.patterns)
        .map(|(_, counts)| counts[0] + counts[1])
        .sum::<f64>();
    Model {
        version: VERSION,
        columns: spec.columns.clone(),
        rules: spec.rules.clone(),
        settings: spec.settings.clone(),
        records: records.len(),
        classes: parameters.classes.clone(),
        priors: found.priors,
        duplicates: parameters.duplicates,
        comparisons,
        fit: FitStatistic {
            pairs: pairs as u64,
            held_out: found.held_out,
            misfit: misfit(data, &parameters),
        },
        threshold: 0,
    }
}
