//! Why profiles were merged, split or changed by a step of history.

use std::collections::{BTreeSet, HashMap};

use cdp_engine::graph::regroup::{Group, Regrouping};

use super::step::{self, Ground, Refused, Step, Tie};
use super::{apart, cluster};
use crate::args;
use crate::identity::asserted::Pair;
use crate::pg::{Result, sql};
use crate::rules::Rules;

/// How many explanations a group gets, how many links each, and in how many identifiers a chain is
/// looked for.
pub const MOST: usize = 3;
const MOST_STEPS: usize = 20;
const MOST_IDENTIFIERS: u64 = 100_000;

/// One reason: links between two identifiers.
pub struct Because {
    /// The links.
    pub steps: Vec<Step>,
    /// Whether the chain is longer.
    pub cut: bool,
}

/// Why a group of profiles is what it is now, after the steps of history past `since`. `newcomers`: by
/// profile, some of the identifiers that came to it out of none.
pub fn because(
    rules: &Rules,
    group: &Group,
    newcomers: &HashMap<i64, Vec<i64>>,
    since: i64,
) -> Result<Vec<Because>> {
    if group.what == Regrouping::Merged && group.identifiers() <= MOST_IDENTIFIERS {
        let chains = chains(rules, group)?;
        if !chains.is_empty() {
            return Ok(chains);
        }
    }
    let mut found = Vec::new();
    for pair in decisive(group, since) {
        found.push(Because {
            steps: link(rules, pair)?,
            cut: false,
        });
    }
    if found.is_empty() && group.identifiers() <= MOST_IDENTIFIERS {
        found = joining(rules, group, newcomers)?;
    }
    if found.is_empty() {
        // Without any link, such as a profile of one identifier that is blocked now.
        for &(profile, _) in group.before.iter().take(MOST) {
            let mut steps = apart::inert(rules, profile, profile)?;
            if steps.is_empty() && !is_present(profile) {
                steps.push(lost(rules, profile)?);
            }
            if !steps.is_empty() {
                found.push(Because { steps, cut: false });
            }
        }
    }
    Ok(found)
}

/// What joins merged profiles: chains from one to the others.
fn chains(rules: &Rules, group: &Group) -> Result<Vec<Because>> {
    let Some(&(merged, _)) = group.after.first() else {
        return Ok(Vec::new());
    };
    // Each is named after one of its identifiers; that one may have left the graph.
    let present: Vec<i64> = sql::rows(
        "SELECT node_id FROM cdp.clusters WHERE node_id = ANY ($1) AND profile_id = $2 \
         ORDER BY node_id <> $2, node_id LIMIT $3",
        args![
            group.before.iter().map(|b| b.0).collect::<Vec<_>>(),
            merged,
            MOST as i64 + 1
        ],
        |row| row.want(1),
    );
    let Some((&first, others)) = present.split_first() else {
        return Ok(Vec::new());
    };
    others
        .iter()
        .map(|&other| chain(rules, merged, (first, other)))
        .collect()
}

/// The chain within a profile from one of its identifiers to another.
fn chain(rules: &Rules, profile: i64, ends: Pair) -> Result<Because> {
    let mut steps = cluster::chain_within(rules, profile, ends, MOST_STEPS + 1)?;
    let cut = steps.len() > MOST_STEPS;
    steps.truncate(MOST_STEPS);
    Ok(Because { steps, cut })
}

/// What ties identifiers that were in no profile to the one that they came to. History does not tell it:
/// no profile lost them.
fn joining(
    rules: &Rules,
    group: &Group,
    newcomers: &HashMap<i64, Vec<i64>>,
) -> Result<Vec<Because>> {
    let before: Vec<i64> = group.before.iter().map(|before| before.0).collect();
    let mut found = Vec::new();
    for &(profile, _) in &group.after {
        let Some(came) = newcomers.get(&profile) else {
            continue;
        };
        // From what the profile was named after, if it is there still.
        let first = sql::one::<i64>(
            "SELECT node_id FROM cdp.clusters WHERE profile_id = $1 AND (node_id = ANY ($2) OR node_id = $1) \
             ORDER BY node_id = ANY ($2) DESC, node_id LIMIT 1",
            args![profile, before.clone()],
        );
        let first = first.unwrap_or(profile);
        for &other in came.iter().filter(|&&node| node != first) {
            if found.len() == MOST {
                return Ok(found);
            }
            found.push(chain(rules, profile, (first, other))?);
        }
    }
    Ok(found)
}

/// The links that history names as having decided what became of a group.
fn decisive(group: &Group, since: i64) -> Vec<Pair> {
    let pairs: Vec<Pair> = sql::rows(
        "SELECT low, high FROM cdp.profile_changes \
          WHERE step_id > $1 AND from_profile = ANY ($2) AND low IS NOT NULL \
          ORDER BY identifiers DESC, from_profile, to_profile NULLS LAST LIMIT $3",
        args![
            since,
            group.before.iter().map(|b| b.0).collect::<Vec<_>>(),
            2 * MOST as i64
        ],
        |row| (row.want(1), row.want(2)),
    );
    let mut told = BTreeSet::new();
    let new = pairs.into_iter().filter(|pair| told.insert(*pair));
    new.take(MOST).collect()
}

/// A link as it is now; where it is none any more, why.
fn link(rules: &Rules, (low, high): Pair) -> Result<Vec<Step>> {
    let tie = sql::first(
        "SELECT l.ground, l.confirmed, l.decision, l.rule_type, a.profile_id, b.profile_id \
           FROM (SELECT 'a' AS ground, true AS confirmed, decision, rule_type \
                   FROM cdp.asserted_links WHERE low = $1 AND high = $2 \
                 UNION ALL \
                 SELECT 'o', confirmed, decision, rule_type \
                   FROM cdp.links WHERE low = $1 AND high = $2 \
                 UNION ALL \
                 SELECT 'm', true, decision, rule_type \
                   FROM cdp.matches WHERE low = $1 AND high = $2 AND decision >= 0) l \
           JOIN cdp.clusters a ON a.node_id = $1 JOIN cdp.clusters b ON b.node_id = $2 \
          ORDER BY l.ground, l.decision LIMIT 1",
        args![low, high],
        |row| {
            let code: i16 = row.want(3);
            Tie {
                from: low,
                to: high,
                ground: Ground::of(&row.want::<String>(1)),
                confirmed: row.want(2),
                refused: (code > 0).then(|| Refused {
                    code,
                    type_id: row.get(4),
                    profiles: (row.want(5), row.want(6)),
                }),
            }
        },
    );
    if let Some(tie) = tie {
        return Ok(vec![step::of(rules, &tie)?]);
    }
    let steps = apart::inert(rules, low, high)?;
    if !steps.is_empty() {
        return Ok(steps);
    }
    if let Some(absent) = [low, high].into_iter().find(|node| !is_present(*node)) {
        return Ok(vec![lost(rules, absent)?]);
    }
    let shown = sql::one::<bool>(
        "SELECT EXISTS (SELECT 1 FROM cdp.set_members a JOIN cdp.set_members b USING (set_id) \
                          JOIN cdp.set_evidence e USING (set_id) \
                         WHERE a.node_id = $1 AND b.node_id = $2)",
        args![low, high],
    );
    let rule = match shown {
        Some(true) => "star: what shows the two links each to a stronger identifier",
        _ => "evidence: nothing shows the two together",
    };
    Ok(vec![gone((low, high), rule.to_owned())?])
}

/// Whether an identifier is in the graph.
fn is_present(node: i64) -> bool {
    let sql = "SELECT EXISTS (SELECT 1 FROM cdp.clusters WHERE node_id = $1)";
    sql::one::<bool>(sql, args![node]) == Some(true)
}

/// Why an identifier that joins what it is shown with is in the graph no more.
fn lost(rules: &Rules, node: i64) -> Result<Step> {
    let (name, value) = step::identifier(node)?;
    let index = rules.types.index_of(&name);
    let sliced = index.is_some_and(|index| rules.type_rules[index].time_sliced);
    let rule = match index.map(|index| rules.types.normalise(index, &value)) {
        _ if sliced => format!("time_sliced: {name} {value} serves one person after another"),
        Some(Err(invalid)) => format!("{name} {value} is not valid: {}", invalid.reason),
        Some(Ok(now)) if now != value => {
            format!("normaliser: {name} {value} is read as {now}")
        }
        _ => "evidence: nothing shows it".to_owned(),
    };
    gone((node, node), rule)
}

fn gone((from, to): Pair, rule: String) -> Result<Step> {
    Ok(Step {
        from: step::identifier(from)?,
        to: step::identifier(to)?,
        kind: "observed",
        decision: "gone",
        rule: Some(rule),
        ..Step::default()
    })
}

/// The identifier that a profile is named after, for people.
pub fn named(profile: i64) -> Result<String> {
    let (name, value) = step::identifier(profile)?;
    Ok(format!("{name} {value}"))
}
