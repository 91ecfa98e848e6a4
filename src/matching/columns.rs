//! What the columns of records mean, and the settings of matching, as JSON gives them.

use cdp_engine::matching::spec::SureRule;
use cdp_engine::matching::{Meaning, Settings, Spec};
use serde_json::Value;

use super::store::{Sources, compared};
use crate::pg::{Error, Result, guc};

/// The columns to compare: as stated, or of those there are the ones whose names tell what they mean.
pub fn meanings(stated: Option<&Value>, there: &[String]) -> Result<Vec<(String, Meaning)>> {
    let found: Vec<(String, Meaning)> = match stated {
        None => there
            .iter()
            .filter_map(|name| Some((name.clone(), Meaning::of_column(name)?)))
            .collect(),
        Some(Value::Object(stated)) => stated
            .iter()
            .map(|(name, meaning)| Ok((known(name, there)?, meaning_of(name, meaning)?)))
            .collect::<Result<_>>()?,
        Some(_) => {
            return Err(Error::invalid("columns is no JSON object")
                .hint("For instance: '{\"surname\": \"last_name\", \"born\": \"birth_date\"}'."));
        }
    };
    if found.is_empty() {
        return Err(
            Error::invalid("no column tells by its name what it means").hint(format!(
                "There are: {}. Say what they mean: columns => '{{\"{}\": \"last_name\", …}}'; the meanings are {}.",
                there.join(", "),
                there.last().map_or("a", String::as_str),
                all()
            )),
        );
    }
    Ok(found)
}

fn known(name: &str, there: &[String]) -> Result<String> {
    if there.iter().any(|column| column == name) {
        return Ok(name.to_owned());
    }
    Err(
        Error::unknown(format!("columns names \"{name}\", which is no column"))
            .hint(format!("There are: {}.", there.join(", "))),
    )
}

fn meaning_of(column: &str, meaning: &Value) -> Result<Meaning> {
    meaning.as_str().and_then(Meaning::named).ok_or_else(|| {
        Error::invalid(format!(
            "columns.{column}: {meaning} is no meaning of a column"
        ))
        .hint(format!("One of: {}.", all()))
    })
}

fn all() -> String {
    let names: Vec<&str> = Meaning::ALL.iter().map(|meaning| meaning.name()).collect();
    names.join(", ")
}

/// What to match and how; `settings` as in SQL.
pub fn spec(columns: Vec<(String, Meaning)>, settings: Option<&Value>) -> Result<Spec> {
    let mut spec = Spec::new(
        columns
            .iter()
            .map(|(name, meaning)| (name.as_str(), *meaning)),
    );
    let fault = |error: serde_json::Error| {
        Error::invalid(format!("settings: {error}"))
            .hint("For instance: '{\"precision\": 0.99, \"rules\": [{\"same\": [{\"column\": \"ssn\"}, {\"column\": \"birth_date\", \"part\": {\"prefix\": 4}}]}]}'.")
    };
    let mut settings = match settings {
        None => Value::Object(Default::default()),
        Some(settings) => settings.clone(),
    };
    if let Some(rules) = settings.as_object_mut().and_then(|s| s.remove("rules")) {
        spec.rules = serde_json::from_value::<Vec<SureRule>>(rules).map_err(fault)?;
    }
    let mut settings: Settings = serde_json::from_value(settings).map_err(fault)?;
    settings.threads = threads();
    spec.settings = settings;
    Ok(spec)
}

/// What is wrong with the settings of a matcher.
pub fn settings_fault(sources: &Sources, settings: Option<&Value>) -> Result<()> {
    spec(compared(sources), settings).map(|_| ())
}

/// `cdp.matching_threads`.
pub fn threads() -> usize {
    usize::try_from(guc::MATCHING_THREADS.get()).unwrap_or(1)
}
