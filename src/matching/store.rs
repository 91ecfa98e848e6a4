//! Matchers and their models, as they are stored.

use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap};
use std::rc::Rc;
use std::sync::Arc;

use cdp_engine::matching::model::Weights;
use cdp_engine::matching::report::Findings;
use cdp_engine::matching::{Matcher as Trained, Meaning, Spec};
use serde_json::Value;

use super::columns;
use crate::args;
use crate::pg::{Error, Result, sql};

/// What the columns of each source mean.
pub type Sources = BTreeMap<String, BTreeMap<String, Meaning>>;

/// A declared matcher.
#[derive(Clone, Debug)]
pub struct Matcher {
    /// Its id.
    pub id: i32,
    /// Its name.
    pub name: String,
    /// What the columns of its sources mean.
    pub sources: Sources,
    /// Its settings, as declared.
    pub settings: Option<Value>,
    /// The version of the model in force.
    pub model: Option<i32>,
}

/// The columns that are compared, in the order of meanings: what sources call by other names is one.
/// Those that only their names tell apart (categories, texts) keep these.
pub fn compared(sources: &Sources) -> Vec<(String, Meaning)> {
    let mut all: Vec<(Meaning, String)> = sources
        .values()
        .flatten()
        .map(|(column, meaning)| (*meaning, compared_name(column, *meaning)))
        .collect();
    all.sort();
    all.dedup();
    all.into_iter()
        .map(|(meaning, name)| (name, meaning))
        .collect()
}

fn compared_name(column: &str, meaning: Meaning) -> String {
    match meaning {
        Meaning::Category | Meaning::Text => column.to_owned(),
        meaning => meaning.name().to_owned(),
    }
}

impl Matcher {
    /// What to match and how.
    pub fn spec(&self) -> Result<Spec> {
        columns::spec(compared(&self.sources), self.settings.as_ref())
    }

    /// Of a source: for each compared column, its columns.
    pub fn columns_of(&self, source: &str) -> Vec<Vec<&str>> {
        let Some(columns) = self.sources.get(source) else {
            return Vec::new();
        };
        compared(&self.sources)
            .iter()
            .map(|(name, meaning)| {
                let are = columns
                    .iter()
                    .filter(|(column, of)| *of == meaning && compared_name(column, **of) == *name);
                are.map(|(column, _)| column.as_str()).collect()
            })
            .collect()
    }
}

fn read(row: &crate::pg::Row) -> Result<Matcher> {
    let name: String = row.want(2);
    let unreadable = |error: serde_json::Error| {
        Error::internal(format!("matcher \"{name}\" cannot be read: {error}"))
    };
    let mut spec: Value = serde_json::from_str(&row.want::<String>(3)).map_err(unreadable)?;
    let sources = serde_json::from_value(spec["sources"].take()).map_err(unreadable)?;
    let settings = Some(spec["settings"].take()).filter(|settings| !settings.is_null());
    Ok(Matcher {
        id: row.want(1),
        name,
        sources,
        settings,
        model: row.get(4),
    })
}

/// All of them that were run.
pub fn live() -> Result<Vec<Matcher>> {
    sql::rows(
        "SELECT matcher_id, name, spec::text, model FROM cdp.matchers \
          WHERE live AND model IS NOT NULL ORDER BY matcher_id",
        args![],
        |row| read(&row),
    )
    .into_iter()
    .collect()
}

/// The matcher of that name. Reads alone, so that it serves on a standby.
pub fn by_name(name: Option<&str>) -> Result<Matcher> {
    let name = name.ok_or_else(|| Error::invalid("matcher is NULL"))?;
    let found = sql::look_up(
        "SELECT matcher_id, name, spec::text, model FROM cdp.matchers WHERE name = $1",
        args![name],
        |row| read(&row),
    );
    found.unwrap_or_else(|| {
        let known = sql::read_rows(
            "SELECT name FROM cdp.matchers ORDER BY name",
            args![],
            |row| row.want::<String>(1),
        );
        Err(
            Error::unknown(format!("matcher \"{name}\" does not exist")).hint(
                match known.is_empty() {
                    true => {
                        "There is none yet: SELECT cdp.create_matcher('people', 'crm');".to_owned()
                    }
                    false => format!("There are: {}.", known.join(", ")),
                },
            ),
        )
    })
}

/// Models by matcher and version, with when each was trained.
type Models = HashMap<(i32, i32), (i64, Rc<Model>)>;

thread_local! {
    /// Those that this session has read.
    static MODELS: RefCell<Models> = RefCell::new(HashMap::new());
}

/// A model, ready for use.
pub struct Model {
    /// The model.
    pub trained: Arc<Trained>,
    /// Its weights.
    pub weights: Arc<Weights>,
}

/// The model in force of a matcher.
pub fn model(matcher: &Matcher) -> Result<Rc<Model>> {
    let untrained = || {
        Error::state(format!("matcher \"{}\" is not trained", matcher.name)).hint(format!(
            "Run SELECT cdp.train_matcher({0}); or SELECT cdp.run_matcher({0});",
            pgrx::spi::quote_literal(&matcher.name)
        ))
    };
    let key = (matcher.id, matcher.model.ok_or_else(untrained)?);
    let trained_at = sql::look_up(
        "SELECT (extract(epoch FROM trained_at) * 1000000)::bigint FROM cdp.matcher_models \
          WHERE matcher_id = $1 AND version = $2",
        args![key.0, key.1],
        |row| row.want::<i64>(1),
    )
    .ok_or_else(untrained)?;
    let known = MODELS.with_borrow(|models| {
        let (at, model) = models.get(&key)?;
        (*at == trained_at).then(|| Rc::clone(model))
    });
    if let Some(known) = known {
        return Ok(known);
    }
    let text = sql::read_first(
        "SELECT model FROM cdp.matcher_models WHERE matcher_id = $1 AND version = $2",
        args![key.0, key.1],
        |row| row.want::<String>(1),
    )
    .ok_or_else(untrained)?;
    let trained: Trained = serde_json::from_str(&text).map_err(|error| {
        Error::state(format!(
            "the model of matcher \"{}\" cannot be read: {error}",
            matcher.name
        ))
        .hint("Train it again: it is of another version of pg_cdp.")
    })?;
    let weights = Arc::new(Weights::new(&trained.model));
    let trained = Arc::new(trained);
    let model = Rc::new(Model { trained, weights });
    MODELS.with_borrow_mut(|models| {
        models.retain(|(id, _), _| *id != key.0);
        models.insert(key, (trained_at, Rc::clone(&model)));
    });
    Ok(model)
}

/// Stores a model; its version. It is in force at once if the matcher was never run, else from the next run on:
/// until then records are matched by what that one stored of others.
pub fn put_model(matcher: &Matcher, model: &Trained, records: u32, by: &str) -> Result<i32> {
    let text = serde_json::to_string(model)
        .map_err(|error| Error::internal(format!("the model cannot be written: {error}")))?;
    let version = sql::one::<i32>(
        "INSERT INTO cdp.matcher_models (matcher_id, version, trained_at, trained_by, records, model) \
         SELECT $1, coalesce(max(version), 0) + 1, clock_timestamp(), $2, $3, $4 \
           FROM cdp.matcher_models WHERE matcher_id = $1 RETURNING version",
        args![matcher.id, by, i64::from(records), text],
    )
    .ok_or_else(|| Error::internal("the model was not stored"))?;
    sql::run(
        "UPDATE cdp.matchers SET model = $2 WHERE matcher_id = $1 AND NOT live",
        args![matcher.id, version],
    );
    Ok(version)
}

/// The newest model of a trained matcher. None is older than what it compares now: changing that takes its
/// model out of force.
pub fn newest(matcher: &Matcher) -> Option<i32> {
    matcher.model?;
    sql::one::<i32>(
        "SELECT max(version) FROM cdp.matcher_models WHERE matcher_id = $1",
        args![matcher.id],
    )
}

/// Puts the model of a run in force.
pub fn put_in_force(matcher: &Matcher) {
    sql::run(
        "UPDATE cdp.matchers SET live = true, model = $2 WHERE matcher_id = $1",
        args![matcher.id, matcher.model],
    );
}

/// Keeps what a run counted with the model in force.
pub fn put_findings(matcher: &Matcher, findings: &Findings) -> Result<()> {
    let report = serde_json::to_string(findings)
        .map_err(|error| Error::internal(format!("findings cannot be written: {error}")))?;
    sql::run(
        "UPDATE cdp.matcher_models SET report = $3::text::pg_catalog.jsonb WHERE matcher_id = $1 AND version = $2",
        args![matcher.id, matcher.model, report],
    );
    Ok(())
}

/// What the last run by the model in force counted.
pub fn findings(matcher: &Matcher) -> Result<Findings> {
    let report = sql::read_first(
        "SELECT report::text FROM cdp.matcher_models WHERE matcher_id = $1 AND version = $2",
        args![matcher.id, matcher.model],
        |row| row.want::<String>(1),
    );
    let findings = report
        .map(|report| serde_json::from_str(&report))
        .transpose();
    let findings =
        findings.map_err(|error| Error::internal(format!("findings cannot be read: {error}")))?;
    Ok(findings.unwrap_or_default())
}
