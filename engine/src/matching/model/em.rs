//! Expectation and maximisation: how often pairs of each class show each level, from pairs of which
//! nobody knows the class.
//!
//! The pairs come in strata, each of the pairs that share some values. What a stratum shares is left
//! out of its patterns (among those pairs it tells nothing), and how many of each class are among its
//! pairs is its own; how often a class shows a level is one for all strata.

use super::weights::{LevelTerms, part_of};
use super::{Class, Frequencies};
use crate::matching::comparison::{Comparison, Kind, MAX_COMPARISONS, Outcomes, count_of};

/// The outcomes of a pair, a byte each: the level, and the frequency in sixteen steps.
pub(crate) type Pattern = u128;

/// Buckets that count as one here.
const COARSE: u16 = 32;

/// The pattern of outcomes, without the masked ones.
pub(crate) fn pattern(outcomes: &Outcomes, masked: Masked) -> Pattern {
    let mut pattern = 0;
    for (position, outcome) in outcomes.iter().enumerate() {
        if !masked.has(position) {
            let byte = outcome.level() << 4 | (outcome.bucket() / COARSE).min(15) as u8;
            pattern |= u128::from(byte) << (position * 8);
        }
    }
    pattern
}

/// A set of comparisons.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Masked(pub u16);

impl Masked {
    pub(crate) fn has(self, comparison: usize) -> bool {
        self.0 >> comparison & 1 == 1
    }
}

/// Pairs that share some values.
#[derive(Clone, Debug)]
pub(crate) struct Stratum {
    /// The comparisons of those values.
    pub masked: Masked,
    /// How many such pairs there are; the patterns are of some.
    pub pairs: f64,
    /// How often a random pair has those values at all.
    pub filled: f64,
    /// Pattern and how many pairs show it, in each of two halves.
    pub patterns: Vec<(Pattern, [f64; 2])>,
}

/// How often each class shows each level, and strangers do.
#[derive(Clone, Debug)]
pub(crate) struct Parameters {
    pub classes: Vec<Class>,
    /// By class, comparison and level.
    pub m: Vec<Vec<Vec<f64>>>,
    /// By comparison and level.
    pub u: Vec<Vec<f64>>,
    /// How many other records of one person a record has.
    pub duplicates: f64,
    /// By stratum and class.
    pub shares: Vec<Vec<f64>>,
}

/// What came of it.
#[derive(Clone, Debug)]
pub(crate) struct Fit {
    pub parameters: Parameters,
    /// Mean of the logarithm of the likelihood against strangers, a pair.
    pub likelihood: f64,
}

/// The weight of the seeds: as if so many pairs of the class had been seen.
const SEED_PAIRS: f64 = 20.0;
/// How often two of a household agree where a household is not expected to: twins, father and son.
const HOUSEHOLD_CHANCE: f64 = 0.01;
const ITERATIONS: usize = 40;

impl Parameters {
    /// Where training starts: the seeds, those of the person with their errors so many times as
    /// often.
    pub fn seeded(
        comparisons: &[Comparison],
        classes: &[Class],
        u: Vec<Vec<f64>>,
        errors: f64,
    ) -> Self {
        let m = classes
            .iter()
            .map(|class| {
                comparisons
                    .iter()
                    .zip(&u)
                    .map(|(comparison, u)| seed(comparison.kind, *class, u, errors))
                    .collect()
            })
            .collect();
        Parameters {
            classes: classes.to_vec(),
            m,
            u,
            duplicates: 0.0,
            shares: Vec::new(),
        }
    }

    /// The ratio of likelihoods of each class and each byte of a pattern.
    fn ratios(
        &self,
        comparisons: &[Comparison],
        frequencies: &[Vec<Frequencies>],
    ) -> Vec<[Vec<f64>; MAX_COMPARISONS]> {
        (0..self.classes.len())
            .map(|class| {
                std::array::from_fn(|position| {
                    let mut ratios = vec![1.0; 256];
                    let Some(comparison) = comparisons.get(position) else {
                        return ratios;
                    };
                    for (level, kind) in (1_u8..).zip(comparison.kind.levels()) {
                        let at = usize::from(level) - 1;
                        let frequencies = &frequencies[position][part_of(comparison.kind, level)];
                        let terms = LevelTerms {
                            value: kind.value,
                            m: self.m[class][position][at],
                            u: self.u[position][at],
                            same: frequencies.same,
                            total: frequencies.total.max(1) as f64,
                            own: self.duplicates * self.m[0][position][0],
                        };
                        for coarse in 0..16_u16 {
                            ratios[usize::from(level) << 4 | usize::from(coarse)] =
                                terms.ratio(count_of(coarse * COARSE + COARSE / 2));
                        }
                    }
                    ratios
                })
            })
            .collect()
    }
}

fn seed(kind: Kind, class: Class, u: &[f64], errors: f64) -> Vec<f64> {
    let levels = kind.levels();
    let seeds: Vec<f64> = match class {
        Class::Person => {
            let first = (1.0 - (1.0 - levels[0].person) * errors).max(0.3);
            let times = (1.0 - first) / (1.0 - levels[0].person);
            levels
                .iter()
                .enumerate()
                .map(|(level, kind)| {
                    if level == 0 {
                        first
                    } else {
                        kind.person * times
                    }
                })
                .collect()
        }
        Class::Household if kind.of_household() => {
            levels.iter().map(|level| level.household).collect()
        }
        Class::Household => levels
            .iter()
            .zip(u)
            .map(|(level, u)| (1.0 - HOUSEHOLD_CHANCE) * u + HOUSEHOLD_CHANCE * level.person)
            .collect(),
        Class::Namesake if kind.of_name() => levels.iter().map(|level| level.person).collect(),
        Class::Namesake => u.to_vec(),
    };
    let sum: f64 = seeds.iter().sum();
    seeds.iter().map(|seed| seed / sum).collect()
}

/// Whether the levels of a class are found, not given.
fn is_free(class: Class, kind: Kind) -> bool {
    match class {
        Class::Person => true,
        Class::Household => kind.of_household(),
        Class::Namesake => false,
    }
}

/// Which halves of the pairs count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Half {
    First,
    Second,
    Both,
}

impl Half {
    fn of(self, counts: [f64; 2]) -> f64 {
        match self {
            Half::First => counts[0],
            Half::Second => counts[1],
            Half::Both => counts[0] + counts[1],
        }
    }
}

/// Pairs of which somebody has said whether they are one person.
#[derive(Clone, Debug, Default)]
pub(crate) struct Labelled {
    pub patterns: Vec<(Pattern, bool)>,
    /// As how many pairs each counts.
    pub times: f64,
}

/// What the strata are about.
pub(crate) struct Data<'a> {
    pub comparisons: &'a [Comparison],
    pub frequencies: &'a [Vec<Frequencies>],
    pub strata: &'a [Stratum],
    pub labelled: &'a Labelled,
    pub threads: usize,
}

/// The likelihood ratio of each class for a pattern.
fn ratios_of(
    tables: &[[Vec<f64>; MAX_COMPARISONS]],
    comparisons: usize,
    pattern: Pattern,
    into: &mut [f64],
) {
    for (table, ratio) in tables.iter().zip(into) {
        let mut product = 1.0;
        for (position, of_comparison) in table.iter().enumerate().take(comparisons) {
            product *= of_comparison[(pattern >> (position * 8)) as usize & 0xff];
        }
        *ratio = product;
    }
}

/// Fits a model of these parameters to the pairs, from where the parameters stand.
pub(crate) fn fit(
    data: &Data<'_>,
    mut parameters: Parameters,
    half: Half,
    iterations: usize,
) -> Fit {
    let classes = parameters.classes.len();
    let starting = parameters.clone();
    if parameters.shares.len() != data.strata.len() {
        parameters.shares = data.strata.iter().map(|_| vec![0.1; classes]).collect();
    }
    let mut likelihood = f64::NEG_INFINITY;
    for _ in 0..iterations.min(ITERATIONS) {
        let tables = parameters.ratios(data.comparisons, data.frequencies);
        let mut seen: Vec<Vec<Vec<f64>>> = starting
            .m
            .iter()
            .map(|of_class| {
                of_class
                    .iter()
                    .map(|levels| levels.iter().map(|m| m * SEED_PAIRS).collect())
                    .collect()
            })
            .collect();
        let mut ratios = vec![0.0; classes];
        let (mut sum, mut pairs) = (0.0, 0.0);
        let add = |seen: &mut Vec<Vec<Vec<f64>>>, class: usize, pattern: Pattern, by: f64| {
            for (position, levels) in seen[class].iter_mut().enumerate() {
                let level = (pattern >> (position * 8 + 4)) as usize & 0xf;
                if level > 0 {
                    levels[level - 1] += by;
                }
            }
        };
        for (stratum, shares) in data.strata.iter().zip(&mut parameters.shares) {
            let strangers = (1.0 - shares.iter().sum::<f64>()).max(1e-6);
            let mut of_class = vec![0.0; classes];
            let mut all = 0.0;
            for &(pattern, counts) in &stratum.patterns {
                let count = half.of(counts);
                if count == 0.0 {
                    continue;
                }
                ratios_of(&tables, data.comparisons.len(), pattern, &mut ratios);
                let mut total = strangers;
                for (ratio, share) in ratios.iter_mut().zip(shares.iter()) {
                    *ratio *= share;
                    total += *ratio;
                }
                sum += count * total.log2();
                all += count;
                for class in 0..classes {
                    let part = count * ratios[class] / total;
                    of_class[class] += part;
                    add(&mut seen, class, pattern, part);
                }
            }
            pairs += all;
            for (share, of_class) in shares.iter_mut().zip(of_class) {
                *share = ((of_class + 0.1) / (all + 1.0)).clamp(1e-7, 0.999);
            }
            let together: f64 = shares.iter().sum();
            if together > 0.999 {
                for share in shares.iter_mut() {
                    *share *= 0.999 / together;
                }
            }
        }
        for &(pattern, same) in &data.labelled.patterns {
            if same {
                add(&mut seen, 0, pattern, data.labelled.times);
                continue;
            }
            // Not one person: which of the others, the model says.
            ratios_of(&tables, data.comparisons.len(), pattern, &mut ratios);
            let total = 1.0 + ratios[1..].iter().sum::<f64>();
            for class in 1..classes {
                add(
                    &mut seen,
                    class,
                    pattern,
                    data.labelled.times * ratios[class] / total,
                );
            }
        }
        for (class, of_class) in seen.into_iter().enumerate() {
            for (position, levels) in of_class.into_iter().enumerate() {
                if is_free(parameters.classes[class], data.comparisons[position].kind) {
                    let total: f64 = levels.iter().sum();
                    parameters.m[class][position] =
                        levels.iter().map(|level| level / total).collect();
                }
            }
        }
        let now = sum / f64::max(pairs, 1.0);
        let settled = (now - likelihood).abs() < 1e-5;
        likelihood = now;
        if settled {
            break;
        }
    }
    Fit {
        parameters,
        likelihood,
    }
}

/// The likelihood of a half of the pairs under parameters found from the other half.
pub(crate) fn likelihood(data: &Data<'_>, parameters: &Parameters, half: Half) -> f64 {
    let tables = parameters.ratios(data.comparisons, data.frequencies);
    let mut ratios = vec![0.0; parameters.classes.len()];
    let (mut sum, mut pairs) = (0.0, 0.0);
    for (stratum, shares) in data.strata.iter().zip(&parameters.shares) {
        let strangers = (1.0 - shares.iter().sum::<f64>()).max(1e-6);
        for &(pattern, counts) in &stratum.patterns {
            let count = half.of(counts);
            if count > 0.0 {
                ratios_of(&tables, data.comparisons.len(), pattern, &mut ratios);
                let total: f64 = strangers
                    + ratios
                        .iter()
                        .zip(shares)
                        .map(|(ratio, share)| ratio * share)
                        .sum::<f64>();
                sum += count * total.log2();
                pairs += count;
            }
        }
    }
    sum / f64::max(pairs, 1.0)
}

/// How often a random pair is of a class: the pairs of it in the strata, against how many of it each
/// stratum should show.
pub(crate) fn prior(data: &Data<'_>, parameters: &Parameters, class: usize, all_pairs: f64) -> f64 {
    let (mut found, mut expected) = (0.0, 0.0);
    for (stratum, shares) in data.strata.iter().zip(&parameters.shares) {
        let agree: f64 = (0..data.comparisons.len())
            .filter(|&position| stratum.masked.has(position))
            .map(|position| parameters.m[class][position][0])
            .product();
        found += stratum.pairs * shares[class];
        expected += all_pairs * stratum.filled * agree;
    }
    (found / f64::max(expected, 1.0)).clamp(0.01 / all_pairs.max(1.0), 0.5)
}
