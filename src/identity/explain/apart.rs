//! What keeps two profiles apart.

use std::collections::{HashMap, HashSet};

use super::cluster::chain_within;
use super::step::{self, Ground, Refused, Step, Tie};
use crate::args;
use crate::identity::asserted::pair;
use crate::pg::{Error, Result, sql};
use crate::rules::Rules;

/// Refused links that are looked at, at most, for a chain from one profile to another; and how many
/// are told beside it.
const MOST_LINKS: usize = 100_000;
const MOST_BESIDE: i32 = 20;

/// A refused link from one profile to the next.
struct Hop {
    /// The profile that it leads from.
    before: i64,
    /// Its end there, and its end in the next.
    from: i64,
    to: i64,
    ground: Ground,
    confirmed: bool,
    code: i16,
    type_id: Option<i32>,
}

/// Refused links with an end in profiles `$1`: own end, other end, own and other profile, and so on;
/// the strongest first.
const REFUSED: &str = "\
    SELECT r.a, r.b, c.profile_id, o.profile_id, r.ground, r.confirmed, r.decision, r.rule_type \
      FROM unnest($1::bigint[]) p (profile_id) \
      JOIN cdp.clusters c ON c.profile_id = p.profile_id \
     CROSS JOIN LATERAL ( \
        SELECT low AS a, high AS b, 'o' AS ground, confirmed, first_seen, decision, rule_type \
          FROM cdp.links WHERE low = c.node_id AND decision > 0 \
        UNION ALL SELECT high, low, 'o', confirmed, first_seen, decision, rule_type \
          FROM cdp.links WHERE high = c.node_id AND decision > 0 \
        UNION ALL SELECT low, high, 'a', true, first_seen, decision, rule_type \
          FROM cdp.asserted_links WHERE low = c.node_id AND decision > 0 \
        UNION ALL SELECT high, low, 'a', true, first_seen, decision, rule_type \
          FROM cdp.asserted_links WHERE high = c.node_id AND decision > 0 \
        UNION ALL SELECT low, high, 'm', true, NULL, decision, rule_type \
          FROM cdp.matches WHERE low = c.node_id AND decision > 0 \
        UNION ALL SELECT high, low, 'm', true, NULL, decision, rule_type \
          FROM cdp.matches WHERE high = c.node_id AND decision > 0) r \
      JOIN cdp.clusters o ON o.node_id = r.b \
     WHERE o.profile_id <> c.profile_id \
     ORDER BY r.ground <> 'a', NOT r.confirmed, r.first_seen, r.a, r.b LIMIT $2";

fn refused(profiles: &[i64], most: usize) -> Vec<(i64, Hop)> {
    sql::rows(REFUSED, args![profiles.to_vec(), most as i64], |row| {
        let hop = Hop {
            before: row.want(3),
            from: row.want(1),
            to: row.want(2),
            ground: Ground::of(&row.want::<String>(5)),
            confirmed: row.want(6),
            code: row.want(7),
            type_id: row.get(8),
        };
        (row.want(4), hop)
    })
}

/// The chain from a node of one profile to a node of another that would have joined them: over as few
/// refused links as there can be. Empty if nothing ties them.
pub fn chain_between(rules: &Rules, a: (i64, i64), b: (i64, i64)) -> Result<Vec<Step>> {
    let mut reached: HashMap<i64, Hop> = HashMap::new();
    let mut layer = vec![a.0];
    let mut seen = 0;
    while !layer.is_empty() && !reached.contains_key(&b.0) {
        pgrx::check_for_interrupts!();
        let found = refused(&layer, MOST_LINKS - seen);
        seen += found.len();
        layer.clear();
        for (profile, hop) in found {
            if profile != a.0 && !reached.contains_key(&profile) {
                reached.insert(profile, hop);
                layer.push(profile);
            }
        }
        if seen >= MOST_LINKS && !reached.contains_key(&b.0) {
            Error::state(format!(
                "no chain was found among {MOST_LINKS} refused links"
            ))
            .hint("Ask for identifiers that are nearer to each other.")
            .warn();
            return Ok(Vec::new());
        }
    }
    let mut hops = Vec::new();
    let mut at = b.0;
    while at != a.0 {
        let Some(hop) = reached.remove(&at) else {
            return Ok(Vec::new());
        };
        let next = hop.before;
        hops.push((at, hop));
        at = next;
    }
    let mut steps = Vec::new();
    let mut node = a.1;
    for (profile, hop) in hops.into_iter().rev() {
        steps.extend(chain_within(
            rules,
            hop.before,
            (node, hop.from),
            usize::MAX,
        )?);
        steps.push(step::of(rules, &tie(&hop, profile))?);
        node = hop.to;
    }
    steps.extend(chain_within(rules, b.0, (node, b.1), usize::MAX)?);
    Ok(steps)
}

fn tie(hop: &Hop, profile: i64) -> Tie {
    Tie {
        from: hop.from,
        to: hop.to,
        ground: hop.ground,
        confirmed: hop.confirmed,
        refused: Some(Refused {
            code: hop.code,
            type_id: hop.type_id,
            profiles: (hop.before, profile),
        }),
    }
}

/// What else keeps two profiles apart: further refused links between them, and non-matches.
pub fn beside(rules: &Rules, here: i64, there: i64, told: &[Step]) -> Result<Vec<Step>> {
    let told: HashSet<_> = told.iter().map(|step| step.link).collect();
    let mut steps = Vec::new();
    for (profile, hop) in refused(&[here], MOST_LINKS) {
        let (low, high) = pair(hop.from, hop.to);
        if profile == there
            && !told.contains(&(low, high, hop.ground))
            && steps.len() < MOST_BESIDE as usize
        {
            steps.push(Step {
                of_chain: false,
                ..step::of(rules, &tie(&hop, profile))?
            });
        }
    }
    for apart in non_matches((here, there)) {
        steps.push(Step {
            from: step::identifier(apart.from)?,
            to: step::identifier(apart.to)?,
            kind: "non_match",
            decision: "apart",
            rule: Some(format!(
                "non_match: {} holds them for two persons{}",
                step::by_matcher(rules, apart.matcher_id),
                if apart.household {
                    " of one household"
                } else {
                    ""
                }
            )),
            weight: Some(apart.weight),
            ..Step::default()
        });
    }
    Ok(steps)
}

/// An identifier, with its profile if it is in one.
type Side = (Option<i64>, i64);

/// What was unlinked between two identifiers or their profiles.
pub fn unlinked_steps(here: Side, there: Side) -> Result<Vec<Step>> {
    let mut steps = Vec::new();
    for (from, to, change_id, made_at, reason) in cannot_links(here, there) {
        steps.push(Step {
            from: step::identifier(from)?,
            to: step::identifier(to)?,
            kind: "cannot_link",
            decision: "apart",
            rule: Some("cannot_link: unlinked by hand".to_owned()),
            first_seen: Some(made_at),
            last_seen: Some(made_at),
            change_id: Some(change_id),
            reason: Some(reason),
            ..Step::default()
        });
    }
    Ok(steps)
}

/// Two records that a matcher holds for two persons.
struct NonMatch {
    from: i64,
    to: i64,
    matcher_id: i32,
    household: bool,
    weight: i32,
}

/// The non-matches between two profiles, from the first to the other; the surest first.
fn non_matches((here, there): (i64, i64)) -> Vec<NonMatch> {
    sql::rows(
        "SELECT c.node_id, o.node_id, m.matcher_id, m.kind = 'household', m.weight \
           FROM cdp.clusters c \
          CROSS JOIN LATERAL ( \
                SELECT high AS other, matcher_id, kind, weight FROM cdp.matches \
                 WHERE low = c.node_id AND kind IN ('non_match', 'household') \
                UNION ALL SELECT low, matcher_id, kind, weight FROM cdp.matches \
                 WHERE high = c.node_id AND kind IN ('non_match', 'household')) m \
           JOIN cdp.clusters o ON o.node_id = m.other \
          WHERE c.profile_id = $1 AND o.profile_id = $2 \
          ORDER BY m.weight, c.node_id, o.node_id, m.matcher_id LIMIT $3",
        args![here, there, MOST_BESIDE],
        |row| NonMatch {
            from: row.want(1),
            to: row.want(2),
            matcher_id: row.want(3),
            household: row.want(4),
            weight: row.want(5),
        },
    )
}

/// What a matcher holds apart between two profiles, in words.
pub fn held_apart(rules: &Rules, profiles: (i64, i64)) -> Result<Option<String>> {
    let Some(apart) = non_matches(profiles).into_iter().next() else {
        return Ok(None);
    };
    let (a, b) = (step::identifier(apart.from)?, step::identifier(apart.to)?);
    Ok(Some(format!(
        "{} holds {} {} and {} {} for two persons",
        step::by_matcher(rules, apart.matcher_id),
        a.0,
        a.1,
        b.0,
        b.1
    )))
}

type Unlinked = (i64, i64, i64, pgrx::datum::TimestampWithTimeZone, String);

/// What was unlinked between two sides: an end in the first, one in the other, the change. What only
/// an unlink names is in no profile.
fn cannot_links(here: Side, there: Side) -> Vec<Unlinked> {
    sql::rows(
        "SELECT n.node_id, l.other, a.change_id, a.made_at, a.made_by, a.reason \
           FROM (SELECT node_id FROM cdp.clusters WHERE profile_id = $1 UNION SELECT $2) n \
          CROSS JOIN LATERAL ( \
             SELECT high AS other, change_id FROM cdp.cannot_links WHERE low = n.node_id \
             UNION ALL SELECT low, change_id FROM cdp.cannot_links WHERE high = n.node_id) l \
           LEFT JOIN cdp.clusters o ON o.node_id = l.other \
           JOIN cdp.assertions a ON a.change_id = l.change_id \
          WHERE l.other = $4 OR o.profile_id = $3 ORDER BY a.change_id LIMIT $5",
        args![here.0, here.1, there.0, there.1, MOST_BESIDE],
        |row| {
            let reason = step::by(row.want(5), row.get(6));
            (row.want(1), row.want(2), row.want(3), row.want(4), reason)
        },
    )
}

/// What was unlinked between two profiles, in words.
pub fn unlinked(profiles: (i64, i64)) -> Result<Option<String>> {
    let Some((a, b, change_id, _, reason)) = cannot_links(
        (Some(profiles.0), profiles.0),
        (Some(profiles.1), profiles.1),
    )
    .into_iter()
    .next() else {
        return Ok(None);
    };
    let (a, b) = (step::identifier(a)?, step::identifier(b)?);
    Ok(Some(format!(
        "{} {} and {} {} are unlinked by hand (change {change_id}, {reason})",
        a.0, a.1, b.0, b.1
    )))
}

/// Where two nodes were shown together, but one joins nothing: it is blocked, or shared.
pub fn inert(rules: &Rules, from: i64, to: i64) -> Result<Vec<Step>> {
    let standing = sql::rows(
        "SELECT x.node_id, x.blocked, x.degree, x.by_type FROM cdp.inert_identifiers x \
         WHERE x.node_id IN ($1, $2) ORDER BY x.blocked DESC, x.node_id",
        args![from, to],
        |row| {
            (
                row.want::<i64>(1),
                row.want::<bool>(2),
                row.get::<i32>(3),
                row.get::<i32>(4),
            )
        },
    );
    let Some((node, blocked, degree, by_type)) = standing.into_iter().next() else {
        return Ok(Vec::new());
    };
    let (name, value) = step::identifier(node)?;
    let rule = match (blocked, by_type) {
        (false, Some(by_type)) => {
            let other = rules.type_index(by_type)?;
            let index = rules.types.index_of(&name);
            let limits = index.map_or(&[][..], |index| &rules.max_degree[index]);
            let most = limits.iter().find(|limit| limit.0 == other);
            format!(
                "max_degree: {name} {value} is shared: seen with {} or more values of {}, where {} are allowed",
                degree.unwrap_or_default(),
                rules.types.name(other),
                most.map_or(0, |limit| limit.1)
            )
        }
        _ => format!("blocked: {name} {value} stands for nobody"),
    };
    let shown = sql::first(
        "SELECT array_agg(DISTINCT s.name ORDER BY s.name), min(e.first_seen), max(e.last_seen), \
                sum(e.count)::bigint \
           FROM (SELECT set_id FROM cdp.set_members WHERE node_id = $1 \
                 INTERSECT SELECT set_id FROM cdp.set_members WHERE node_id = $2) m \
           JOIN cdp.set_evidence e USING (set_id) JOIN cdp.sources s USING (source_id) \
         HAVING count(*) > 0",
        args![from, to],
        |row| Step {
            kind: "observed",
            decision: "refused",
            sources: row.get(1).unwrap_or_default(),
            first_seen: row.get(2),
            last_seen: row.get(3),
            count: row.get(4),
            ..Step::default()
        },
    );
    let Some(shown) = shown else {
        return Ok(Vec::new());
    };
    Ok(vec![Step {
        from: step::identifier(from)?,
        to: step::identifier(to)?,
        rule: Some(rule),
        ..shown
    }])
}
