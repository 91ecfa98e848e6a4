//! From records to a model, without examples.

mod estimate;
mod sample;

use super::comparison::{Comparer, plan_for};
use super::model::{
    ComparisonModel, Data, FitStatistic, Frequencies, Labelled, LevelModel, Masked, Model, Pattern,
    Stratum, VERSION, misfit, pattern,
};
use super::prepare::Prepared;
use super::records::Records;
use super::spec::{Error, Spec};
use crate::background::Cancel;
use estimate::{Found, estimate};
use sample::Sampler;

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
    train_and_prepare(spec, records, decisions, cancel, progress).map(|(model, _)| model)
}

/// The same, with the records ready for a [`Scorer`](super::score::Scorer::trained) of that model.
///
/// # Errors
/// As [`train`].
pub fn train_and_prepare<'a>(
    spec: &Spec,
    records: &'a Records,
    decisions: &[(u32, u32, bool)],
    cancel: &Cancel,
    progress: Progress<'_>,
) -> Result<(Model, Prepared<'a>), Error> {
    check(spec, records)?;
    let settings = &spec.settings;
    let comparisons = plan_for(records)?;
    progress("frequencies", 0.0);
    let (prepared, frequencies) =
        Prepared::with_frequencies(comparisons, records, settings.threads);
    if cancel.is_set() {
        return Err(Error::Cancelled);
    }
    progress("order", 0.2);
    let sampler = Sampler::of(records, &prepared, settings, cancel);
    progress("random pairs", 0.3);
    let random = sampler.random_levels()?;
    progress("pairs that share values", 0.4);
    let strata = sampler.strata()?;
    drop(sampler);
    let labelled = label(&prepared, decisions);
    progress("estimation", 0.7);
    let data = Data {
        comparisons: &prepared.comparisons,
        frequencies: &frequencies,
        strata: &strata,
        labelled: &labelled,
        threads: settings.threads,
    };
    let found = estimate(&data, &random, records.len(), cancel)?;
    let fit = FitStatistic {
        pairs: pairs_of(&strata),
        held_out: found.held_out,
        misfit: misfit(&data, &found.fit.parameters),
    };
    Ok((
        model(spec, records, &prepared, frequencies, found, fit),
        prepared,
    ))
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

fn pairs_of(strata: &[Stratum]) -> u64 {
    let counts = strata.iter().flat_map(|stratum| &stratum.patterns);
    counts.map(|(_, counts)| counts[0] + counts[1]).sum::<f64>() as u64
}

fn model(
    spec: &Spec,
    records: &Records,
    prepared: &Prepared<'_>,
    frequencies: Vec<Vec<Frequencies>>,
    found: Found,
    fit: FitStatistic,
) -> Model {
    let parameters = found.fit.parameters;
    let comparisons = prepared
        .comparisons
        .iter()
        .zip(frequencies)
        .enumerate()
        .map(|(position, (comparison, frequencies))| ComparisonModel {
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
            frequencies,
        })
        .collect();
    Model {
        version: VERSION,
        columns: spec.columns.clone(),
        rules: spec.rules.clone(),
        settings: spec.settings.clone(),
        records: records.len(),
        classes: parameters.classes,
        priors: found.priors,
        duplicates: parameters.duplicates,
        comparisons,
        fit,
        threshold: 0,
    }
}
