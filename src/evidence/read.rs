//! From arrivals to statements, in memory: parsing, sources, normalised identifiers. What cannot be
//! accepted becomes a dead letter; a value that cannot be used is an issue, and the rest stands.

use std::collections::{BTreeMap, HashSet};

use cdp_engine::identifier::Invalid;
use cdp_engine::message::{self, Found, Kind};
use cdp_engine::traits::coerce;

use super::rows::RowChange;
use super::{Body, Statement};
use crate::args;
use crate::ingest::inbox::Arrival;
use crate::mapping;
use crate::pg::{Result, guc, sql, time};
use crate::rules::Rules;

/// What a batch says.
#[derive(Default)]
pub struct Reading {
    /// Messages.
    pub statements: Vec<Statement>,
    /// Changes of mapped rows, in order.
    pub rows: Vec<RowChange>,
    /// What cannot be accepted.
    pub dead: Vec<DeadLetter>,
    /// Values that cannot be used.
    pub issues: Issues,
}

/// What cannot be accepted, and why.
#[derive(Debug)]
pub struct DeadLetter {
    /// The inbox id it came with.
    pub inbox_id: i64,
    /// When it was received.
    pub received_at: i64,
    /// Whether it is a captured row of a mapped table.
    pub is_row: bool,
    /// The name of its source.
    pub source: Option<String>,
    /// A code.
    pub reason: String,
    /// What exactly.
    pub detail: String,
    /// The whole text.
    pub text: Option<String>,
}

impl DeadLetter {
    /// An arrival that cannot be accepted.
    pub fn of(arrival: &Arrival, reason: &str, detail: impl Into<String>) -> Self {
        Self {
            inbox_id: arrival.id,
            received_at: arrival.received_at,
            is_row: arrival.is_row,
            source: arrival.source.clone(),
            reason: reason.to_owned(),
            detail: detail.into(),
            text: arrival.text.clone(),
        }
    }
}

/// Values that cannot be used, each of one arrival.
#[derive(Default)]
pub struct Issues(Vec<Issue>);

struct Issue {
    inbox_id: i64,
    key: IssueKey,
    sample: String,
    at: i64,
}

/// Source, `identifier` or `trait`, its name, the reason.
type IssueKey = (i32, &'static str, String, String);

/// The issues of one key: how many, when, and one of them.
struct Counted {
    count: i64,
    sample: String,
    first_seen: i64,
    last_seen: i64,
}

impl Issues {
    /// Notes one.
    pub fn add(
        &mut self,
        arrival: &Arrival,
        source: i32,
        kind: &'static str,
        name: &str,
        reason: &str,
        sample: &str,
    ) {
        self.0.push(Issue {
            inbox_id: arrival.id,
            key: (source, kind, name.to_owned(), reason.to_owned()),
            sample: sample.chars().take(200).collect(),
            at: arrival.received_at,
        });
    }

    /// Adds them to `cdp.value_issues`, but for those of arrivals that were not accepted.
    pub fn store(self, not_accepted: &HashSet<i64>) {
        let mut counted: BTreeMap<IssueKey, Counted> = BTreeMap::new();
        for issue in self.0 {
            if not_accepted.contains(&issue.inbox_id) {
                continue;
            }
            let counted = counted.entry(issue.key).or_insert_with(|| Counted {
                count: 0,
                sample: issue.sample,
                first_seen: issue.at,
                last_seen: issue.at,
            });
            counted.count += 1;
            counted.first_seen = counted.first_seen.min(issue.at);
            counted.last_seen = counted.last_seen.max(issue.at);
        }
        for ((source, kind, name, reason), issues) in counted {
            sql::run(
                "INSERT INTO cdp.value_issues AS v \
                     (source_id, kind, name, reason, count, sample, first_seen, last_seen) \
                 VALUES ($1, $2, $3, $4, $5, $6, $7, $8) \
                 ON CONFLICT (source_id, kind, name, reason) DO UPDATE \
                 SET count = v.count + EXCLUDED.count, sample = EXCLUDED.sample, \
                     first_seen = least(v.first_seen, EXCLUDED.first_seen), \
                     last_seen = greatest(v.last_seen, EXCLUDED.last_seen)",
                args![
                    source,
                    kind,
                    name,
                    reason,
                    issues.count,
                    issues.sample,
                    time::to_pg(issues.first_seen),
                    time::to_pg(issues.last_seen)
                ],
            );
        }
    }
}

/// Reads arrivals under the rules.
pub fn read(rules: &Rules, arrivals: &[Arrival]) -> Result<Reading> {
    let mut reading = Reading::default();
    let fallback = guc::DEFAULT_SOURCE
        .get()
        .and_then(|name| name.into_string().ok());
    let fallback = fallback.as_deref().unwrap_or("default");
    let mappings = if arrivals.iter().any(|a| a.is_row) {
        mapping::load()?
    } else {
        Vec::new()
    };
    for arrival in arrivals {
        pgrx::check_for_interrupts!();
        let name = arrival.source.as_deref().unwrap_or(fallback);
        let Some(source) = rules.sources.get(name) else {
            reading.dead.push(DeadLetter::of(
                arrival,
                "unknown_source",
                format!("no source \"{name}\"; create it with cdp.create_source, then cdp.retry_dead_letters"),
            ));
            continue;
        };
        let Some(text) = arrival.text.as_deref() else {
            reading
                .dead
                .push(DeadLetter::of(arrival, "not_json", "the message is NULL"));
            continue;
        };
        if arrival.is_row {
            let mapping = mappings.iter().find(|m| m.source_id == source.id);
            let read =
                super::rows::read(rules, source, mapping, arrival, text, &mut reading.issues);
            let fault = match read {
                Ok(read) => {
                    reading.rows.extend(read.changes);
                    read.fault
                }
                Err(fault) => Some(fault),
            };
            if let Some((reason, detail)) = fault {
                reading.dead.push(DeadLetter::of(arrival, &reason, detail));
            }
            continue;
        }
        let parsed = match message::parse(text, arrival.received_at, &rules.types) {
            Ok(parsed) => parsed,
            Err(rejection) => {
                reading.dead.push(DeadLetter::of(
                    arrival,
                    rejection.reason.as_str(),
                    rejection.detail,
                ));
                continue;
            }
        };
        let (identifiers, faults) = normalise(rules, &parsed.found);
        if identifiers.is_empty() {
            let detail = faults
                .iter()
                .map(|(found, invalid)| {
                    format!("{}: {}", rules.types.name(found.type_index), invalid.detail)
                })
                .collect::<Vec<_>>()
                .join("; ");
            reading
                .dead
                .push(DeadLetter::of(arrival, "no_identifier", detail));
            continue;
        }
        for (found, invalid) in &faults {
            reading.issues.add(
                arrival,
                source.id,
                "identifier",
                rules.types.name(found.type_index),
                invalid.reason,
                &found.value,
            );
        }
        for (name, value) in &parsed.undeclared {
            reading.issues.add(
                arrival,
                source.id,
                "identifier",
                name,
                "undeclared_type",
                value,
            );
        }
        check_traits(
            rules,
            source.id,
            arrival,
            &parsed.trait_values,
            &mut reading.issues,
        );
        let owned =
            |json: Option<&serde_json::value::RawValue>| json.map(|raw| raw.get().to_owned());
        let rest = (parsed.rest != "{}").then_some(parsed.rest);
        let kind = parsed.kind.as_str();
        let body = match parsed.kind {
            Kind::Track | Kind::Page | Kind::Screen => Body::Event {
                kind,
                name: parsed.name,
                properties: owned(parsed.properties),
                context: owned(parsed.context),
                rest,
            },
            Kind::Identify | Kind::Group | Kind::Alias => Body::Message {
                kind,
                traits: owned(parsed.traits),
                context: owned(parsed.context),
                rest,
            },
        };
        reading.statements.push(Statement {
            source_id: source.id,
            inbox_id: arrival.id,
            received_at: arrival.received_at,
            time: parsed.time,
            linked_at: linked_at(parsed.time, arrival.received_at, source.max_backdate),
            said_at: parsed.time,
            message_id: parsed.message_id,
            content_hash: parsed.content_hash,
            identifiers,
            trait_values: parsed.trait_values,
            body,
            set_id: 0,
        });
    }
    Ok(reading)
}

/// An identifier that is not valid, and why.
pub type Fault<'a> = (&'a Found, Invalid);

/// The identifiers that are valid, in their normal form and order, each once; and the others.
pub fn normalise<'a>(rules: &Rules, found: &'a [Found]) -> (Vec<(usize, String)>, Vec<Fault<'a>>) {
    let mut identifiers = Vec::with_capacity(found.len());
    let mut faults = Vec::new();
    for found in found {
        match rules.types.normalise(found.type_index, &found.value) {
            Ok(value) => identifiers.push((found.type_index, value)),
            Err(invalid) => faults.push((found, invalid)),
        }
    }
    identifiers.sort_unstable();
    identifiers.dedup();
    (identifiers, faults)
}

/// The time that links date from: a source's `max_backdate` bounds how far before its receipt.
pub fn linked_at(time: i64, received_at: i64, max_backdate: Option<i64>) -> i64 {
    match max_backdate {
        Some(most) => time.max(received_at.saturating_sub(most)),
        None => time,
    }
}

/// Reports values that do not fit the declared type of their trait. They stay candidates, and show
/// up in `extra`.
pub fn check_traits(
    rules: &Rules,
    source_id: i32,
    arrival: &Arrival,
    values: &[(String, serde_json::Value)],
    issues: &mut Issues,
) {
    for (name, value) in values {
        if value.is_null() {
            continue;
        }
        if let Some(declared) = rules.declared(name)
            && let Err(misfit) = coerce(value, declared.spec.ty)
        {
            issues.add(
                arrival,
                source_id,
                "trait",
                name,
                &misfit.reason,
                &value.to_string(),
            );
        }
    }
}

/// Writes dead letters. What a restored inbox still holds, and was rejected before it was dumped, is
/// there already.
pub fn bury(dead: &[DeadLetter]) {
    if dead.is_empty() {
        return;
    }
    let column = |get: fn(&DeadLetter) -> Option<String>| dead.iter().map(get).collect::<Vec<_>>();
    sql::run(
        "INSERT INTO cdp.dead_letter (received_at, source, inbox_id, reason, detail, message, kind) \
         SELECT u.a, u.b, u.c, u.d, u.e, u.f, (CASE WHEN u.g THEN 'r' ELSE 'm' END)::\"char\" \
           FROM unnest($1::timestamptz[], $2::text[], $3::bigint[], $4::text[], $5::text[], $6::text[], \
                       $7::boolean[]) u (a, b, c, d, e, f, g) \
          WHERE NOT EXISTS (SELECT 1 FROM cdp.dead_letter d \
                             WHERE d.inbox_id = u.c AND d.reason = u.d AND d.retried_at IS NULL)",
        args![
            dead.iter()
                .map(|d| time::to_pg(d.received_at))
                .collect::<Vec<_>>(),
            column(|d| d.source.clone()),
            dead.iter().map(|d| d.inbox_id).collect::<Vec<_>>(),
            column(|d| Some(d.reason.clone())),
            column(|d| Some(d.detail.clone())),
            column(|d| d.text.clone()),
            dead.iter().map(|d| d.is_row).collect::<Vec<_>>()
        ],
    );
}
