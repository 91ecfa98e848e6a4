//! Time-sliced identifiers: a tablet that a family takes turns on. They join nothing. A set that shows
//! one with somebody is a sighting; sightings come to switch points; and what such an identifier shows
//! alone belongs, by its time, to whoever the last switch point at or before it names.
//!
//! A sighting that comes late is looked at with the slice that it falls into, and with no other.
//!
//! What is said by hand counts more: linked with somebody, such an identifier is theirs at all times, as
//! any other would be, and has no switch points; a set that shows two identifiers that were unlinked is
//! no sighting.

use std::collections::{BTreeMap, HashMap, HashSet};

use cdp_engine::graph::{Sighting, SwitchPoint, switch_points, torn};

use super::links::Concerned;
use crate::args;
use crate::pg::{Result, sql, time};
use crate::rules::Rules;

/// The ends of time, as PostgreSQL's infinities are read.
const EVER: i64 = i64::MAX;

/// A stretch of time in which sets belong to a node.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Slice {
    /// `None`: from the beginning.
    starts: Option<i64>,
    /// `None`: to the end.
    ends: Option<i64>,
    node: i64,
}

/// The part of an identifier's switch points that a change can reach.
#[derive(Default)]
struct Stretch {
    points: Vec<SwitchPoint>,
    /// Whether an earlier point exists.
    has_former: bool,
    /// The point after the last.
    next: Option<i64>,
}

impl Stretch {
    fn slices(&self, points: &[SwitchPoint]) -> Vec<Slice> {
        let starts = |n: usize| (n > 0 || self.has_former).then(|| points[n].at);
        let ends = |n: usize| points.get(n + 1).map(|point| point.at).or(self.next);
        (0..points.len())
            .map(|n| Slice {
                starts: starts(n),
                ends: ends(n),
                node: points[n].person,
            })
            .collect()
    }
}

/// That identifier `n` is linked with somebody by hand.
const LINKED: &str = "EXISTS ( \
     SELECT 1 FROM cdp.asserted_links h WHERE h.low = n.node_id \
      UNION ALL SELECT 1 FROM cdp.asserted_links h WHERE h.high = n.node_id)";

/// That it was unlinked from one of those that set `s` shows.
const UNLINKED: &str = "EXISTS ( \
     SELECT 1 FROM unnest(s.nodes) o (node_id) \
      JOIN cdp.cannot_links h ON h.low = least(o.node_id, n.node_id) AND h.high = greatest(o.node_id, n.node_id))";

/// Whether there is anything to do here: there mostly is not.
pub fn concerns(rules: &Rules) -> bool {
    rules.slices_time()
        || sql::one::<bool>(
            "SELECT EXISTS (SELECT 1 FROM cdp.sliced_sets) OR EXISTS (SELECT 1 FROM cdp.switch_points)",
            args![],
        ) == Some(true)
}

/// Notes which of these sets show time-sliced identifiers alone, and by which one they go.
pub fn register(
    rules: &Rules,
    sets: &[i64],
    sliced: &HashMap<i64, i64>,
    concerned: &mut Concerned,
) {
    if !concerns(rules) {
        return;
    }
    let known: HashMap<i64, i64> = sql::rows(
        "SELECT s.set_id, s.node_id FROM unnest($1::bigint[]) u (set_id) \
         JOIN cdp.sliced_sets s ON s.set_id = u.set_id",
        args![sets.to_vec()],
        |row| (row.want(1), row.want(2)),
    )
    .into_iter()
    .collect();
    let gone: Vec<i64> = (known.keys().copied())
        .filter(|set| !sliced.contains_key(set))
        .collect();
    if !gone.is_empty() {
        sql::run(
            "DELETE FROM cdp.sliced_sets WHERE set_id = ANY ($1)",
            args![gone.clone()],
        );
        lose(
            sql::rows(
                "DELETE FROM cdp.set_nodes WHERE set_id = ANY ($1) RETURNING node_id",
                args![gone.clone()],
                |row| row.want(1),
            ),
            concerned,
        );
    }
    let (put, nodes): (Vec<i64>, Vec<i64>) = (sliced.iter())
        .filter(|(set, node)| known.get(set) != Some(node))
        .map(|(&set, &node)| (set, node))
        .unzip();
    if !put.is_empty() {
        // Those that belonged to somebody until now were sightings.
        concerned.reshaped.extend(sql::rows(
            "SELECT DISTINCT d.set_id FROM unnest($1::bigint[]) u (set_id) \
             JOIN cdp.set_nodes d ON d.set_id = u.set_id",
            args![put.clone()],
            |row| row.want::<i64>(1),
        ));
        sql::run(
            "INSERT INTO cdp.sliced_sets (set_id, node_id) \
             SELECT * FROM unnest($1::bigint[], $2::bigint[]) \
             ON CONFLICT (set_id) DO UPDATE SET node_id = EXCLUDED.node_id",
            args![put.clone(), nodes],
        );
    }
    concerned.reshaped.extend(gone);
    concerned.sliced.extend(put);
}

/// Brings switch points up to date, and whom sets belong to when. `shown` are sets and times that a
/// batch added; the sightings of other sets that changed, and of those `recounted`, are read anew.
pub fn update(
    rules: &Rules,
    shown: &[(i64, i64)],
    recounted: &[i64],
    concerned: &mut Concerned,
) -> Result<()> {
    if !concerns(rules) {
        return Ok(());
    }
    let mut reshaped = std::mem::take(&mut concerned.reshaped);
    reshaped.extend_from_slice(recounted);
    let anew = members(rules, &reshaped);
    let mut changed = read_anew(rules, &anew)?;
    let anew: HashSet<i64> = anew.into_iter().collect();
    let mut added = sightings(rules, shown);
    added.retain(|node, _| !anew.contains(node));
    changed.extend(add(rules, &added)?);
    let attributed = std::mem::take(&mut concerned.sliced);
    attribute(&attributed, concerned);
    reattribute(&changed, &attributed, concerned);
    Ok(())
}

/// Brings them up to date after something was said by hand of these pairs of nodes.
pub fn update_asserted(
    rules: &Rules,
    pairs: &[(i64, i64)],
    concerned: &mut Concerned,
) -> Result<()> {
    if !rules.slices_time() {
        return Ok(());
    }
    let nodes: Vec<i64> = sql::rows(
        "SELECT DISTINCT i.node_id FROM unnest($1::bigint[]) n (node_id) \
         JOIN cdp.identifiers i ON i.node_id = n.node_id AND i.type_id = ANY ($2)",
        args![
            pairs.iter().flat_map(|&(a, b)| [a, b]).collect::<Vec<_>>(),
            rules.sliced_types()
        ],
        |row| row.want(1),
    );
    let changed = read_anew(rules, &nodes)?;
    reattribute(&changed, &[], concerned);
    Ok(())
}

/// Derives all switch points anew, given all sets that show time-sliced identifiers alone and the one
/// that each goes by, and writes the differences. The nodes that such sets belong to.
pub fn rebuild(rules: &Rules, sliced: &HashMap<i64, i64>) -> Result<Vec<i64>> {
    if !concerns(rules) {
        return Ok(Vec::new());
    }
    let mut put = sliced.clone();
    let mut gone = Vec::new();
    for (set, node) in sql::rows(
        "SELECT set_id, node_id FROM cdp.sliced_sets",
        args![],
        |row| (row.want::<i64>(1), row.want::<i64>(2)),
    ) {
        match sliced.get(&set) {
            Some(&wanted) if wanted == node => {
                put.remove(&set);
            }
            Some(_) => {}
            None => gone.push(set),
        }
    }
    sql::run(
        "DELETE FROM cdp.sliced_sets WHERE set_id = ANY ($1)",
        args![gone],
    );
    sql::run(
        "INSERT INTO cdp.sliced_sets (set_id, node_id) \
         SELECT * FROM unnest($1::bigint[], $2::bigint[]) \
         ON CONFLICT (set_id) DO UPDATE SET node_id = EXCLUDED.node_id",
        args![
            put.keys().copied().collect::<Vec<_>>(),
            put.values().copied().collect::<Vec<_>>()
        ],
    );
    let nodes = sql::rows(
        "SELECT i.node_id FROM cdp.identifiers i WHERE i.type_id = ANY ($1) \
           AND EXISTS (SELECT 1 FROM cdp.set_members m WHERE m.node_id = i.node_id) \
         UNION SELECT node_id FROM cdp.switch_points",
        args![rules.sliced_types()],
        |row| row.want::<i64>(1),
    );
    for part in nodes.chunks(1_000) {
        pgrx::check_for_interrupts!();
        read_anew(rules, part)?;
    }
    let sets: Vec<i64> = sliced.keys().copied().collect();
    for part in sets.chunks(10_000) {
        pgrx::check_for_interrupts!();
        attribute(part, &mut Concerned::default());
    }
    Ok(sql::rows(
        "SELECT DISTINCT d.node_id FROM cdp.sliced_sets s JOIN cdp.set_nodes d USING (set_id)",
        args![],
        |row| row.want::<i64>(1),
    ))
}

/// The profiles that sets belong to at these times, where they belong to one after another.
pub fn profiles_at<I: Iterator<Item = (i64, i64)>>(
    rules: &Rules,
    shown: impl FnOnce() -> I,
) -> Vec<i64> {
    if !rules.slices_time() {
        return Vec::new();
    }
    let shown: Vec<(i64, i64)> = shown().collect();
    sql::rows(
        "SELECT DISTINCT c.profile_id FROM unnest($1::bigint[], $2::timestamptz[]) u (set_id, \"time\") \
         JOIN cdp.sliced_sets x ON x.set_id = u.set_id \
         CROSS JOIN LATERAL (SELECT d.node_id FROM cdp.set_nodes d \
              WHERE d.set_id = u.set_id AND d.starts <= u.\"time\" \
              ORDER BY d.starts DESC LIMIT 1) d \
         JOIN cdp.clusters c ON c.node_id = d.node_id",
        args![
            shown.iter().map(|s| s.0).collect::<Vec<_>>(),
            shown.iter().map(|s| time::to_pg(s.1)).collect::<Vec<_>>()
        ],
        |row| row.want::<i64>(1),
    )
}

/// The time-sliced identifiers that these sets show.
fn members(rules: &Rules, sets: &[i64]) -> Vec<i64> {
    if sets.is_empty() {
        return Vec::new();
    }
    sql::rows(
        "SELECT DISTINCT n.node_id FROM cdp.identifier_sets s, unnest(s.nodes) n (node_id) \
         JOIN cdp.identifiers i ON i.node_id = n.node_id \
         WHERE s.set_id = ANY ($1) AND i.type_id = ANY ($2)",
        args![sets.to_vec(), rules.sliced_types()],
        |row| row.want::<i64>(1),
    )
}

/// What sets and times show of time-sliced identifiers, by identifier.
fn sightings(rules: &Rules, shown: &[(i64, i64)]) -> BTreeMap<i64, Vec<Sighting>> {
    let mut times: HashMap<i64, Vec<i64>> = HashMap::new();
    for &(set, time) in shown {
        times.entry(set).or_default().push(time);
    }
    let mut found: BTreeMap<i64, Vec<Sighting>> = BTreeMap::new();
    if times.is_empty() || !rules.slices_time() {
        return found;
    }
    for (set, node, person) in sql::rows(
        &format!(
            "SELECT u.set_id, n.node_id, d.node_id FROM unnest($1::bigint[]) u (set_id) \
         JOIN cdp.set_nodes d ON d.set_id = u.set_id AND d.starts IS NULL \
         JOIN cdp.identifier_sets s ON s.set_id = u.set_id AND cardinality(s.nodes) > 1 \
         CROSS JOIN LATERAL unnest(s.nodes) n (node_id) \
         JOIN cdp.identifiers i ON i.node_id = n.node_id AND i.type_id = ANY ($2) \
         WHERE NOT EXISTS (SELECT 1 FROM cdp.sliced_sets x WHERE x.set_id = u.set_id) \
           AND NOT EXISTS (SELECT 1 FROM cdp.inert_identifiers b WHERE b.node_id = n.node_id AND b.blocked) \
           AND NOT {LINKED} AND NOT {UNLINKED}"
        ),
        args![
            times.keys().copied().collect::<Vec<_>>(),
            rules.sliced_types()
        ],
        |row| (row.want::<i64>(1), row.want::<i64>(2), row.want::<i64>(3)),
    ) {
        let sightings = times[&set].iter().map(|&time| Sighting { time, person });
        found.entry(node).or_default().extend(sightings);
    }
    found
}

type Changed = HashMap<i64, (Vec<Slice>, Vec<Slice>)>;

/// Adds sightings; the slices that were and are, of the identifiers of which some changed.
fn add(rules: &Rules, added: &BTreeMap<i64, Vec<Sighting>>) -> Result<Changed> {
    let mut changed = Changed::new();
    if added.is_empty() {
        return Ok(changed);
    }
    let mut stretches = stretches(added);
    // What somebody else's slices must be looked through for.
    let mut wanted = Vec::new();
    for (&node, new) in added {
        let stretch = stretches.entry(node).or_default();
        wanted.extend(
            torn(&stretch.points, new)
                .into_iter()
                .map(|torn| (node, torn)),
        );
    }
    let mut again: HashMap<i64, Vec<Sighting>> = HashMap::new();
    for (n, time) in read_between(
        rules,
        &wanted
            .iter()
            .map(|(node, torn)| (*node, torn.person, torn.from, torn.until.unwrap_or(EVER)))
            .collect::<Vec<_>>(),
    ) {
        let (node, torn) = wanted[n];
        let person = torn.person;
        again
            .entry(node)
            .or_default()
            .push(Sighting { time, person });
    }
    let mut known: BTreeMap<i64, Vec<Sighting>> = BTreeMap::new();
    for (&node, new) in added {
        let points = stretches[&node].points.iter().map(|point| Sighting {
            time: point.at,
            person: point.person,
        });
        let again = again.remove(&node).unwrap_or_default();
        known.insert(
            node,
            points.chain(again).chain(new.iter().copied()).collect(),
        );
    }
    settle(rules, &stretches, known, &mut changed)?;
    Ok(changed)
}

/// Reads all sightings of these identifiers anew.
fn read_anew(rules: &Rules, nodes: &[i64]) -> Result<Changed> {
    let mut changed = Changed::new();
    if nodes.is_empty() {
        return Ok(changed);
    }
    let mut stretches: HashMap<i64, Stretch> = HashMap::new();
    for (node, point) in sql::rows(
        "SELECT w.node_id, w.switched_at, w.person_id FROM cdp.switch_points w \
         WHERE w.node_id = ANY ($1) ORDER BY w.node_id, w.switched_at",
        args![nodes.to_vec()],
        read_point,
    ) {
        stretches.entry(node).or_default().points.push(point);
    }
    let shown_with = sql::rows(
        &format!(
            "SELECT DISTINCT n.node_id, d.node_id FROM unnest($1::bigint[]) n (node_id) \
         JOIN cdp.identifiers i ON i.node_id = n.node_id AND i.type_id = ANY ($2) \
         JOIN cdp.set_members m ON m.node_id = n.node_id \
         JOIN cdp.set_nodes d ON d.set_id = m.set_id AND d.starts IS NULL \
         WHERE NOT EXISTS (SELECT 1 FROM cdp.sliced_sets x WHERE x.set_id = m.set_id) \
           AND NOT EXISTS (SELECT 1 FROM cdp.inert_identifiers b WHERE b.node_id = n.node_id AND b.blocked) \
           AND NOT {LINKED}"
        ),
        args![nodes.to_vec(), rules.sliced_types()],
        |row| (row.want::<i64>(1), row.want::<i64>(2), i64::MIN, EVER),
    );
    let mut known: BTreeMap<i64, Vec<Sighting>> =
        nodes.iter().map(|&node| (node, Vec::new())).collect();
    for (n, time) in read_between(rules, &shown_with) {
        let (node, person, ..) = shown_with[n];
        known
            .entry(node)
            .or_default()
            .push(Sighting { time, person });
    }
    for &node in nodes {
        stretches.entry(node).or_default();
    }
    settle(rules, &stretches, known, &mut changed)?;
    Ok(changed)
}

/// The times at which an identifier was seen with a person, in each of these stretches: place among
/// those asked, and time.
fn read_between(rules: &Rules, asked: &[(i64, i64, i64, i64)]) -> Vec<(usize, i64)> {
    if asked.is_empty() {
        return Vec::new();
    }
    let bounded = rules
        .sources
        .values()
        .any(|source| source.max_backdate.is_some());
    sql::rows(
        include_str!("../../sql/sightings.sql"),
        args![
            asked.iter().map(|a| a.0).collect::<Vec<_>>(),
            asked.iter().map(|a| a.1).collect::<Vec<_>>(),
            asked.iter().map(|a| time::to_pg(a.2)).collect::<Vec<_>>(),
            asked.iter().map(|a| time::to_pg(a.3)).collect::<Vec<_>>(),
            bounded
        ],
        |row| (row.want::<i64>(1) as usize - 1, time::from_pg(row.want(2))),
    )
}

/// The switch points from the last one before the sightings added to the first one after them.
fn stretches(added: &BTreeMap<i64, Vec<Sighting>>) -> HashMap<i64, Stretch> {
    let times = |sightings: &[Sighting]| {
        let times = || sightings.iter().map(|sighting| sighting.time);
        (times().min().unwrap_or(0), times().max().unwrap_or(0))
    };
    let bounds: Vec<(i64, i64)> = added.values().map(|sightings| times(sightings)).collect();
    let mut found: HashMap<i64, Stretch> = HashMap::new();
    for ((node, point), has_former, next) in sql::rows(
        "SELECT w.node_id, w.switched_at, w.person_id, \
                EXISTS (SELECT 1 FROM cdp.switch_points o \
                         WHERE o.node_id = w.node_id AND o.switched_at < w.switched_at), \
                (SELECT min(o.switched_at) FROM cdp.switch_points o \
                  WHERE o.node_id = w.node_id AND o.switched_at > w.switched_at) \
         FROM unnest($1::bigint[], $2::timestamptz[], $3::timestamptz[]) u (node_id, low, high) \
         JOIN cdp.switch_points w ON w.node_id = u.node_id \
          AND w.switched_at >= coalesce((SELECT max(o.switched_at) FROM cdp.switch_points o \
                                          WHERE o.node_id = u.node_id AND o.switched_at < u.low), u.low) \
          AND w.switched_at <= coalesce((SELECT min(o.switched_at) FROM cdp.switch_points o \
                                          WHERE o.node_id = u.node_id AND o.switched_at > u.high), u.high) \
         ORDER BY w.node_id, w.switched_at",
        args![
            added.keys().copied().collect::<Vec<_>>(),
            bounds.iter().map(|b| time::to_pg(b.0)).collect::<Vec<_>>(),
            bounds.iter().map(|b| time::to_pg(b.1)).collect::<Vec<_>>()
        ],
        |row| {
            (
                read_point_of(&row),
                row.want::<bool>(4),
                row.get(5).map(time::from_pg),
            )
        },
    ) {
        let stretch = found.entry(node).or_default();
        if stretch.points.is_empty() {
            stretch.has_former = has_former;
        }
        stretch.points.push(point);
        stretch.next = next;
    }
    found
}

fn read_point(row: sql::Row) -> (i64, SwitchPoint) {
    read_point_of(&row)
}

fn read_point_of(row: &sql::Row) -> (i64, SwitchPoint) {
    let point = SwitchPoint {
        at: time::from_pg(row.want(2)),
        person: row.want(3),
    };
    (row.want(1), point)
}

/// Writes the switch points that sightings come to, in the place of those of their stretch.
fn settle(
    rules: &Rules,
    stretches: &HashMap<i64, Stretch>,
    known: BTreeMap<i64, Vec<Sighting>>,
    changed: &mut Changed,
) -> Result<()> {
    let mut persons: Vec<i64> = known.values().flatten().map(|s| s.person).collect();
    persons.sort_unstable();
    persons.dedup();
    let standing: HashMap<i64, (usize, String)> = sql::rows(
        "SELECT i.node_id, i.type_id, i.value FROM unnest($1::bigint[]) n (node_id) \
         JOIN cdp.identifiers i ON i.node_id = n.node_id",
        args![persons],
        |row| {
            Ok((
                row.want(1),
                (rules.type_index(row.want(2))?, row.want::<String>(3)),
            ))
        },
    )
    .into_iter()
    .collect::<Result<_>>()?;
    let mut gone: (Vec<i64>, Vec<i64>) = Default::default();
    let mut new: (Vec<i64>, Vec<i64>, Vec<i64>) = Default::default();
    for (node, sightings) in known {
        let stretch = &stretches[&node];
        let points = switch_points(sightings, |person| &standing[&person]);
        if points == stretch.points {
            continue;
        }
        for point in stretch
            .points
            .iter()
            .filter(|point| !points.contains(point))
        {
            gone.0.push(node);
            gone.1.push(point.at);
        }
        for point in points
            .iter()
            .filter(|point| !stretch.points.contains(point))
        {
            new.0.push(node);
            new.1.push(point.at);
            new.2.push(point.person);
        }
        let slices = (stretch.slices(&stretch.points), stretch.slices(&points));
        changed.insert(node, slices);
    }
    let times = |micros: Vec<i64>| micros.into_iter().map(time::to_pg).collect::<Vec<_>>();
    if !gone.0.is_empty() {
        sql::run(
            "DELETE FROM cdp.switch_points w USING unnest($1::bigint[], $2::timestamptz[]) g (node_id, at) \
             WHERE w.node_id = g.node_id AND w.switched_at = g.at",
            args![gone.0, times(gone.1)],
        );
    }
    if !new.0.is_empty() {
        sql::run(
            "INSERT INTO cdp.switch_points (node_id, switched_at, person_id) \
             SELECT * FROM unnest($1::bigint[], $2::timestamptz[], $3::bigint[])",
            args![new.0, times(new.1), new.2],
        );
    }
    Ok(())
}

/// Writes whom these sets belong to when.
fn attribute(sets: &[i64], concerned: &mut Concerned) {
    if sets.is_empty() {
        return;
    }
    let wanted = "SELECT s.set_id, coalesce(w.person_id, s.node_id) AS node_id, \
                CASE WHEN w.n = 1 THEN '-infinity' ELSE w.switched_at END AS starts, \
                CASE WHEN w.n IS NOT NULL THEN coalesce(w.next, 'infinity') END AS ends \
           FROM unnest($1::bigint[]) u (set_id) \
           JOIN cdp.sliced_sets s ON s.set_id = u.set_id \
           LEFT JOIN LATERAL (SELECT o.person_id, o.switched_at, \
                    row_number() OVER (ORDER BY o.switched_at) AS n, \
                    lead(o.switched_at) OVER (ORDER BY o.switched_at) AS next \
                FROM cdp.switch_points o WHERE o.node_id = s.node_id) w ON true";
    let differs = "d.set_id = w.set_id AND d.node_id = w.node_id \
           AND (d.starts, d.ends) IS NOT DISTINCT FROM (w.starts, w.ends)";
    lose(
        sql::rows(
            &format!(
                "DELETE FROM cdp.set_nodes d WHERE d.set_id = ANY ($1) \
                 AND NOT EXISTS (SELECT 1 FROM ({wanted}) w WHERE {differs}) RETURNING d.node_id"
            ),
            args![sets.to_vec()],
            |row| row.want(1),
        ),
        concerned,
    );
    win(
        sql::rows(
            &format!(
                "INSERT INTO cdp.set_nodes (set_id, node_id, starts, ends) \
                 SELECT w.* FROM ({wanted}) w \
                  WHERE NOT EXISTS (SELECT 1 FROM cdp.set_nodes d WHERE {differs}) \
                 RETURNING node_id"
            ),
            args![sets.to_vec()],
            |row| row.want(1),
        ),
        concerned,
    );
}

/// Writes whom the sets of identifiers belong to when, where that changed, but for those sets that
/// are up to date.
fn reattribute(changed: &Changed, up_to_date: &[i64], concerned: &mut Concerned) {
    if changed.is_empty() {
        return;
    }
    let up_to_date: HashSet<i64> = up_to_date.iter().copied().collect();
    let sets = sql::rows(
        "SELECT s.set_id, s.node_id FROM unnest($1::bigint[]) n (node_id) \
         JOIN cdp.sliced_sets s ON s.node_id = n.node_id",
        args![changed.keys().copied().collect::<Vec<_>>()],
        |row| (row.want::<i64>(1), row.want::<i64>(2)),
    );
    // As columns: sets, times from which on, times before which, nodes.
    let mut gone = Columns::default();
    let mut new = Columns::default();
    for (set, node) in sets
        .into_iter()
        .filter(|(set, _)| !up_to_date.contains(set))
    {
        let (before, now) = &changed[&node];
        // Without a switch point the set is the identifier's own.
        let own = [Slice {
            starts: None,
            ends: None,
            node,
        }];
        for slice in before.iter().filter(|slice| !now.contains(slice)) {
            gone.push(set, slice, true);
        }
        for slice in now.iter().filter(|slice| !before.contains(slice)) {
            new.push(set, slice, true);
        }
        match (before.is_empty(), now.is_empty()) {
            (true, false) => gone.push(set, &own[0], false),
            (false, true) => new.push(set, &own[0], false),
            _ => {}
        }
    }
    lose(
        sql::rows(
            "DELETE FROM cdp.set_nodes d USING unnest($1::bigint[], $2::timestamptz[]) g (set_id, starts) \
             WHERE d.set_id = g.set_id AND d.starts IS NOT DISTINCT FROM g.starts RETURNING d.node_id",
            args![gone.sets, gone.starts],
            |row| row.want(1),
        ),
        concerned,
    );
    win(
        sql::rows(
            "INSERT INTO cdp.set_nodes (set_id, starts, ends, node_id) \
             SELECT * FROM unnest($1::bigint[], $2::timestamptz[], $3::timestamptz[], $4::bigint[]) \
             RETURNING node_id",
            args![new.sets, new.starts, new.ends, new.nodes],
            |row| row.want(1),
        ),
        concerned,
    );
}

type Time = pgrx::datum::TimestampWithTimeZone;

#[derive(Default)]
struct Columns {
    sets: Vec<i64>,
    starts: Vec<Option<Time>>,
    ends: Vec<Option<Time>>,
    nodes: Vec<i64>,
}

impl Columns {
    /// A slice of a set; if it is not `sliced`, the set belongs to the node at all times.
    fn push(&mut self, set: i64, slice: &Slice, sliced: bool) {
        let bound = |bound: Option<i64>, or: Time| sliced.then(|| bound.map_or(or, time::to_pg));
        self.sets.push(set);
        self.starts
            .push(bound(slice.starts, Time::negative_infinity()));
        self.ends.push(bound(slice.ends, Time::positive_infinity()));
        self.nodes.push(slice.node);
    }
}

/// Nodes to which something does not belong any more.
fn lose(nodes: Vec<i64>, concerned: &mut Concerned) {
    concerned.recentred.extend_from_slice(&nodes);
    concerned.loosened.extend(nodes);
}

/// Nodes to which something belongs now.
fn win(nodes: Vec<i64>, concerned: &mut Concerned) {
    concerned.recentred.extend_from_slice(&nodes);
    concerned.changes.nodes.extend(nodes);
}
