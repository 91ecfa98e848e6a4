//! From counted patterns of pairs to how often persons, households and strangers show each level.

use crate::background::Cancel;
use crate::matching::blocking::threads::each_of;
use crate::matching::comparison::{Kind, ValueTerm};
use crate::matching::model::{Class, Data, Fit, Half, Parameters, fit, likelihood, prior};
use crate::matching::spec::Error;

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

/// What estimation finds.
pub(super) struct Found {
    pub fit: Fit,
    pub priors: Vec<f64>,
    pub held_out: f64,
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

pub(super) fn estimate(
    data: &Data<'_>,
    random: &[Vec<u64>],
    records: u32,
    cancel: &Cancel,
) -> Result<Found, Error> {
    let records = f64::from(records);
    let all_pairs = records * (records - 1.0) / 2.0;
    let u = strangers(data, random, 0.0, None);
    // Which start is best shows with the person alone.
    let started = each_of(&STARTS, data.threads, |&errors| {
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
    let tried = each_of(&CLASSES, data.threads, |classes| {
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
        parameters.duplicates = of_person * all_pairs * 2.0 / records.max(1.0);
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
