//! Expectation and maximisation: how often pairs of each class show each level, from pairs of which
//! nobody knows the class.
//!
//! The pairs come in strata, each of the pairs that share some values. What a stratum shares is left
//! out of its patterns (among those pairs it tells nothing), and how many of each class are among its
//! pairs is its own; how often a class shows a level is one for all strata.

use super::weights::{LevelTerms, MAX_CLASSES, part_of};
use super::{Class, Frequencies};
use crate::matching::comparison::{Comparison, Kind, Outcomes, count_of};

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
/// Levels of a comparison, "missing" included, that a pattern can hold.
const LEVELS: usize = 16;

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

    /// The ratio of likelihoods of each class, by comparison and byte of a pattern.
    fn ratios(&self, data: &Data<'_>) -> Vec<[f64; MAX_CLASSES]> {
        let mut ratios = vec![[1.0; MAX_CLASSES]; data.comparisons.len() << 8];
        for (position, comparison) in data.comparisons.iter().enumerate() {
            for (level, kind) in (1_usize..).zip(comparison.kind.levels()) {
                let frequencies =
                    &data.frequencies[position][part_of(comparison.kind, level as u8)];
                for (class, m) in self.m.iter().enumerate() {
                    let terms = LevelTerms {
                        value: kind.value,
                        m: m[position][level - 1],
                        u: self.u[position][level - 1],
                        same: frequencies.same,
                        total: frequencies.total.max(1) as f64,
                        own: self.duplicates * self.m[0][position][0],
                    };
                    for coarse in 0..16_usize {
                        let count = count_of((coarse as u16) * COARSE + COARSE / 2);
                        ratios[position << 8 | level << 4 | coarse][class] = terms.ratio(count);
                    }
                }
            }
        }
        ratios
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

/// The ratio of likelihoods of each class for a pattern.
fn ratios_of(table: &[[f64; MAX_CLASSES]], mut pattern: Pattern) -> [f64; MAX_CLASSES] {
    let mut ratios = [1.0; MAX_CLASSES];
    let mut base = 0;
    while pattern != 0 {
        let of_byte = &table[base | (pattern as usize & 0xff)];
        for (ratio, of_byte) in ratios.iter_mut().zip(of_byte) {
            *ratio *= of_byte;
        }
        pattern >>= 8;
        base += 256;
    }
    ratios
}

/// How many pairs of each class showed each level.
struct Seen(Vec<[f64; MAX_CLASSES]>);

impl Seen {
    /// As the seeds would have it.
    fn seeded(parameters: &Parameters) -> Self {
        let comparisons = parameters.u.len();
        let mut seen = vec![[0.0; MAX_CLASSES]; comparisons * LEVELS];
        for (class, of_class) in parameters.m.iter().enumerate() {
            for (position, levels) in of_class.iter().enumerate() {
                for (level, m) in (1..).zip(levels) {
                    seen[position * LEVELS + level][class] = m * SEED_PAIRS;
                }
            }
        }
        Seen(seen)
    }

    fn add(&mut self, mut pattern: Pattern, parts: &[f64; MAX_CLASSES]) {
        let mut base = 0;
        while pattern != 0 {
            let seen = &mut self.0[base + (pattern as usize >> 4 & 0xf)];
            for (seen, part) in seen.iter_mut().zip(parts) {
                *seen += part;
            }
            pattern >>= 8;
            base += LEVELS;
        }
    }

    /// How often each class shows each level, where that is not given.
    fn write(&self, comparisons: &[Comparison], parameters: &mut Parameters) {
        for (class, of_class) in parameters.m.iter_mut().enumerate() {
            for (position, levels) in of_class.iter_mut().enumerate() {
                if is_free(parameters.classes[class], comparisons[position].kind) {
                    let seen = &self.0[position * LEVELS + 1..];
                    let total: f64 = seen[..levels.len()].iter().map(|seen| seen[class]).sum();
                    for (m, seen) in levels.iter_mut().zip(seen) {
                        *m = seen[class] / total;
                    }
                }
            }
        }
    }
}

/// What is left for strangers.
fn strangers(shares: &[f64]) -> f64 {
    (1.0 - shares.iter().sum::<f64>()).max(1e-6)
}

/// Fits a model of these parameters to the pairs, from where the parameters stand.
pub(crate) fn fit(
    data: &Data<'_>,
    mut parameters: Parameters,
    half: Half,
    iterations: usize,
) -> Fit {
    let classes = parameters.classes.len();
    if parameters.shares.len() != data.strata.len() {
        parameters.shares = data.strata.iter().map(|_| vec![0.1; classes]).collect();
    }
    let seeds = Seen::seeded(&parameters).0;
    let mut likelihood = f64::NEG_INFINITY;
    for _ in 0..iterations {
        let table = parameters.ratios(data);
        let mut seen = Seen(seeds.clone());
        let (mut sum, mut pairs) = (0.0, 0.0);
        for (stratum, shares) in data.strata.iter().zip(&mut parameters.shares) {
            let of_strangers = strangers(shares);
            let mut given = [0.0; MAX_CLASSES];
            given[..classes].copy_from_slice(shares);
            let mut of_class = [0.0; MAX_CLASSES];
            let mut all = 0.0;
            for &(pattern, counts) in &stratum.patterns {
                let count = half.of(counts);
                if count == 0.0 {
                    continue;
                }
                let mut parts = ratios_of(&table, pattern);
                let mut total = of_strangers;
                for (part, share) in parts.iter_mut().zip(&given) {
                    *part *= share;
                    total += *part;
                }
                sum += count * total.log2();
                all += count;
                for (part, of_class) in parts.iter_mut().zip(&mut of_class) {
                    *part *= count / total;
                    *of_class += *part;
                }
                seen.add(pattern, &parts);
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
            let mut parts = [0.0; MAX_CLASSES];
            if same {
                parts[0] = data.labelled.times;
            } else {
                // Not one person: which of the others, the model says.
                let ratios = ratios_of(&table, pattern);
                let total = 1.0 + ratios[1..classes].iter().sum::<f64>();
                for class in 1..classes {
                    parts[class] = data.labelled.times * ratios[class] / total;
                }
            }
            seen.add(pattern, &parts);
        }
        seen.write(data.comparisons, &mut parameters);
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
    let table = parameters.ratios(data);
    let (mut sum, mut pairs) = (0.0, 0.0);
    for (stratum, shares) in data.strata.iter().zip(&parameters.shares) {
        for &(pattern, counts) in &stratum.patterns {
            let count = half.of(counts);
            if count > 0.0 {
                let ratios = ratios_of(&table, pattern);
                let of_classes: f64 = ratios.iter().zip(shares).map(|(r, s)| r * s).sum();
                sum += count * (strangers(shares) + of_classes).log2();
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

/// How much two comparisons tell of each other among pairs of one person, where the model has them tell
/// nothing: the most of any two, in bits.
pub(crate) fn misfit(data: &Data<'_>, parameters: &Parameters) -> f64 {
    let table = parameters.ratios(data);
    let comparisons = data.comparisons.len();
    // For each two comparisons, the pairs of a person by whether they agree on the one and the other.
    let mut agree = vec![[0.0_f64; 4]; comparisons * comparisons];
    for (stratum, shares) in data.strata.iter().zip(&parameters.shares) {
        for &(pattern, counts) in &stratum.patterns {
            let ratios = ratios_of(&table, pattern);
            let of_classes: f64 = ratios.iter().zip(shares).map(|(r, s)| r * s).sum();
            let person = ratios[0] * shares[0] / (strangers(shares) + of_classes);
            let persons = person * (counts[0] + counts[1]);
            let level = |position: usize| (pattern >> (position * 8 + 4)) as usize & 0xf;
            for one in 1..comparisons {
                for other in 0..one {
                    if level(one) > 0 && level(other) > 0 {
                        let cell =
                            usize::from(level(one) == 1) * 2 + usize::from(level(other) == 1);
                        agree[one * comparisons + other][cell] += persons;
                    }
                }
            }
        }
    }
    agree
        .iter()
        .map(|cells| {
            let all: f64 = cells.iter().sum();
            if all < SEED_PAIRS {
                return 0.0;
            }
            let of_one = |cell: usize| cells[cell & 2] + cells[cell & 2 | 1];
            let of_other = |cell: usize| cells[cell & 1] + cells[cell & 1 | 2];
            (0..4)
                .filter(|&cell| cells[cell] > 0.0)
                .map(|cell| {
                    cells[cell] / all * (cells[cell] * all / (of_one(cell) * of_other(cell))).log2()
                })
                .sum()
        })
        .fold(0.0, f64::max)
}
