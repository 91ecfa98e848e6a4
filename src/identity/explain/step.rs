//! One link, as people are told of it.

use pgrx::prelude::*;
use serde_json::{Map, Value, json};

use crate::args;
use crate::identity::asserted::pair;
use crate::pg::{Error, Result, sql};
use crate::rules::Rules;

/// One row of an explanation.
#[derive(Default)]
pub struct Step {
    /// Whether it is a step of the chain.
    pub of_chain: bool,
    pub step: Option<i32>,
    pub from: (String, String),
    pub to: (String, String),
    pub kind: &'static str,
    pub decision: &'static str,
    pub rule: Option<String>,
    pub sources: Vec<String>,
    pub first_seen: Option<TimestampWithTimeZone>,
    pub last_seen: Option<TimestampWithTimeZone>,
    pub count: Option<i64>,
    pub confirmed: Option<bool>,
    pub weight: Option<i32>,
    pub change_id: Option<i64>,
    pub reason: Option<String>,
    /// The nodes, and what the link rests on: which link it is.
    pub link: (i64, i64, Ground),
}

impl Step {
    /// As JSON, without what it does not know.
    pub fn to_json(&self) -> Value {
        let of = |(name, value): &(String, String)| format!("{name} {value}");
        let mut out = Map::new();
        let mut put = |key: &str, value: Value| {
            if !value.is_null() && value != json!([]) {
                out.insert(key.to_owned(), value);
            }
        };
        put("from", json!(of(&self.from)));
        put("to", json!(of(&self.to)));
        put("kind", json!(self.kind));
        put("decision", json!(self.decision));
        put("rule", json!(self.rule));
        put("sources", json!(self.sources));
        put("first_seen", json!(self.first_seen));
        put("last_seen", json!(self.last_seen));
        put("count", json!(self.count));
        put("confirmed", json!(self.confirmed));
        put("weight", json!(self.weight));
        put("change_id", json!(self.change_id));
        put("reason", json!(self.reason));
        Value::Object(out)
    }
}

/// What a link rests on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Ground {
    #[default]
    Observed,
    Asserted,
    Matched,
}

impl Ground {
    /// The ground of that letter in statements: `o`, `a`, `m`.
    pub fn of(letter: &str) -> Self {
        match letter {
            "a" => Self::Asserted,
            "m" => Self::Matched,
            _ => Self::Observed,
        }
    }
}

/// A link between two nodes, in the direction in which it is told.
pub struct Tie {
    pub from: i64,
    pub to: i64,
    pub ground: Ground,
    pub confirmed: bool,
    /// Of a refused one: the rule that it would have broken.
    pub refused: Option<Refused>,
}

/// Why a link was refused: code and type, as stored.
#[derive(Clone, Copy)]
pub struct Refused {
    pub code: i16,
    pub type_id: Option<i32>,
    /// The profiles that it would have joined.
    pub profiles: (i64, i64),
}

/// A step of the chain for a link.
pub fn of(rules: &Rules, tie: &Tie) -> Result<Step> {
    let mut step = match tie.ground {
        Ground::Asserted => asserted(tie),
        Ground::Observed => observed(tie),
        Ground::Matched => matched(rules, tie),
    }?;
    step.of_chain = true;
    step.from = identifier(tie.from)?;
    step.to = identifier(tie.to)?;
    step.link = (tie.from.min(tie.to), tie.from.max(tie.to), tie.ground);
    step.decision = "accepted";
    if let Some(refused) = tie.refused {
        step.decision = "refused";
        step.rule = Some(words(rules, tie, refused)?);
    }
    Ok(step)
}

fn observed(tie: &Tie) -> Result<Step> {
    let (low, high) = pair(tie.from, tie.to);
    sql::first(
        "SELECT array_agg(DISTINCT s.name ORDER BY s.name), min(e.first_seen), max(e.last_seen), \
                sum(e.count)::bigint \
         FROM cdp.set_links l JOIN cdp.set_evidence e USING (set_id) JOIN cdp.sources s USING (source_id) \
         WHERE l.low = $1 AND l.high = $2 HAVING count(*) > 0",
        args![low, high],
        |row| Step {
            kind: "observed",
            sources: row.get(1).unwrap_or_default(),
            first_seen: row.get(2),
            last_seen: row.get(3),
            count: row.get(4),
            confirmed: Some(tie.confirmed),
            ..Step::default()
        },
    )
    .ok_or_else(|| Error::internal("a link without evidence"))
}

fn asserted(tie: &Tie) -> Result<Step> {
    let (low, high) = pair(tie.from, tie.to);
    sql::first(
        "SELECT a.change_id, a.made_at, a.made_by, a.reason FROM cdp.asserted_links l \
         JOIN cdp.assertions a USING (change_id) WHERE l.low = $1 AND l.high = $2",
        args![low, high],
        |row| Step {
            kind: "asserted",
            first_seen: row.get(2),
            last_seen: row.get(2),
            change_id: row.get(1),
            reason: Some(by(row.want(3), row.get(4))),
            ..Step::default()
        },
    )
    .ok_or_else(|| Error::internal("a link by hand that nobody made"))
}

/// The strongest match of the pair with the decision that is told.
fn matched(rules: &Rules, tie: &Tie) -> Result<Step> {
    let (low, high) = pair(tie.from, tie.to);
    let refused = tie.refused.map_or(0, |refused| refused.code);
    sql::first(
        "SELECT m.weight, m.matcher_id FROM cdp.matches m JOIN cdp.matchers r USING (matcher_id) \
          WHERE m.low = $1 AND m.high = $2 AND m.kind IN ('link', 'cut') AND m.decision = $3 \
          ORDER BY r.priority, m.weight DESC, m.matcher_id LIMIT 1",
        args![low, high, refused],
        |row| Step {
            kind: "matched",
            weight: row.get(1),
            reason: Some(by_matcher(rules, row.want(2))),
            ..Step::default()
        },
    )
    .ok_or_else(|| Error::internal("a match that no matcher found"))
}

/// A matcher, in words.
pub fn by_matcher(rules: &Rules, matcher_id: i32) -> String {
    let name = rules.matchers.get(&matcher_id).map(|m| m.name.as_str());
    format!("matcher {}", name.unwrap_or_default())
}

/// Who said something, and why.
pub fn by(who: String, reason: Option<String>) -> String {
    match reason {
        Some(reason) => format!("{who}: {reason}"),
        None => who,
    }
}

/// Type and value of a node.
pub fn identifier(node: i64) -> Result<(String, String)> {
    sql::first(
        "SELECT t.name, i.value FROM cdp.identifiers i JOIN cdp.identifier_types t USING (type_id) \
         WHERE i.node_id = $1",
        args![node],
        |row| (row.want(1), row.want(2)),
    )
    .ok_or_else(|| Error::internal(format!("no identifier is node {node}")))
}

/// The name of the weaker type of a link.
fn weaker_type(rules: &Rules, tie: &Tie) -> Result<String> {
    let names = [identifier(tie.from)?.0, identifier(tie.to)?.0];
    let rank = |name: &String| {
        let index = rules.types.index_of(name);
        index.map(|index| (rules.type_rules[index].priority, index))
    };
    Ok(names.into_iter().max_by_key(rank).unwrap_or_default())
}

fn words(rules: &Rules, tie: &Tie, refused: Refused) -> Result<String> {
    let index = refused
        .type_id
        .map(|type_id| rules.type_index(type_id))
        .transpose()?;
    let name = index.map_or("", |index| rules.types.name(index));
    Ok(match refused.code {
        1 => super::apart::unlinked(refused.profiles)?.map_or_else(
            || "cannot_link: identifiers of the two profiles are unlinked".to_owned(),
            |words| format!("cannot_link: {words}"),
        ),
        2 => {
            let most = index.and_then(|index| rules.type_rules[index].max_per_profile);
            format!(
                "max_per_profile: a profile has at most {} {name}, and these two together would have more",
                most.unwrap_or_default()
            )
        }
        3 => format!(
            "bridges: {} does not bridge, and each of the two profiles has a {name}",
            weaker_type(rules, tie)?
        ),
        4 => super::apart::held_apart(rules, refused.profiles)?.map_or_else(
            || "non_match: a matcher holds records of the two profiles for two persons".to_owned(),
            |words| format!("non_match: {words}"),
        ),
        5 => "weak_bridge: this match is all that ties two groups of records that are dense each"
            .to_owned(),
        code => format!("rule {code}"),
    })
}
