//! Segments: rules compiled to SQL, and who is in them. One SQL for preview, full and incremental
//! refresh.

mod preview;

use std::collections::{HashMap, HashSet};

use cdp_engine::segment::{self, Catalog, Compiled, ValueType};
use cdp_engine::traits::TraitType;
use pgrx::PgSqlErrorCode;

use crate::args;
use crate::pg::{Error, Result, sql, time};

/// What a rule can refer to, as declared now.
struct Declared {
    traits: HashMap<String, (ValueType, String)>,
    segments: HashMap<String, i64>,
}

impl Declared {
    fn load() -> Result<Self> {
        let traits = sql::rows(
            "SELECT name, type, column_name FROM cdp.traits",
            args![],
            |row| {
                (
                    row.want::<String>(1),
                    row.want::<String>(2),
                    row.want::<String>(3),
                )
            },
        );
        let mut known = HashMap::with_capacity(traits.len());
        for (name, ty, column) in traits {
            let ty = TraitType::parse(&ty)
                .map_err(|error| Error::invalid(error.message).hint(error.hint))?;
            let column = format!("p.{}", pgrx::spi::quote_identifier(&column));
            known.insert(name, (value_type(ty), column));
        }
        let segments = sql::rows(
            "SELECT name, segment_id FROM cdp.segments",
            args![],
            |row| (row.want::<String>(1), i64::from(row.want::<i32>(2))),
        );
        Ok(Self {
            traits: known,
            segments: segments.into_iter().collect(),
        })
    }
}

fn value_type(ty: TraitType) -> ValueType {
    match ty {
        TraitType::Text => ValueType::Text,
        TraitType::Bigint => ValueType::BigInt,
        TraitType::Numeric => ValueType::Numeric,
        TraitType::Double => ValueType::Double,
        TraitType::Boolean => ValueType::Boolean,
        TraitType::Date => ValueType::Date,
        TraitType::Timestamptz => ValueType::Timestamptz,
        TraitType::Jsonb => ValueType::Jsonb,
        TraitType::TextArray => ValueType::TextArray,
    }
}

impl Catalog for Declared {
    fn trait_type(&self, name: &str) -> Option<ValueType> {
        self.traits.get(name).map(|known| known.0)
    }
    fn trait_names(&self) -> Vec<String> {
        self.traits.keys().cloned().collect()
    }
    fn column(&self, name: &str) -> String {
        self.traits
            .get(name)
            .map(|known| known.1.clone())
            .unwrap_or_default()
    }
    fn segment_id(&self, name: &str) -> Option<i64> {
        self.segments.get(name).copied()
    }
    fn segment_names(&self) -> Vec<String> {
        self.segments.keys().cloned().collect()
    }
}

/// Compiles a rule against what is declared now.
///
/// # Errors
/// 42601 where the rule is wrong, with the place in the detail and what would be right in the hint.
pub fn compile(rule: &str) -> Result<Compiled> {
    let compiled = segment::compile(rule, &Declared::load()?).map_err(|error| {
        let mut raised = Error::new(PgSqlErrorCode::ERRCODE_SYNTAX_ERROR, error.message.clone())
            .detail(format!(
                "At character {}:\n{}",
                error.character_position(rule),
                error.excerpt(rule)
            ));
        raised.hint = error.hint;
        raised
    })?;
    for pattern in &compiled.patterns {
        // Only the server knows its own dialect.
        crate::pg::transaction::in_subtransaction(|| {
            sql::run("SELECT '' ~ $1::text", args![pattern.as_str()]);
            Ok(())
        })
        .map_err(|error| error.hint("Regular expressions are PostgreSQL's own (ARE)."))?;
    }
    Ok(compiled)
}

/// What a refresh changed.
#[derive(Debug, Clone, Copy, Default)]
pub struct Refreshed {
    /// Profiles that entered.
    pub entered: i64,
    /// Profiles that left.
    pub left: i64,
    /// Members now.
    pub members: i64,
}

/// A segment, compiled.
pub struct Segment {
    id: i32,
    compiled: Compiled,
}

/// All segments, each after those that it refers to.
pub fn load() -> Result<Vec<Segment>> {
    let rules = sql::rows(
        "SELECT segment_id, rule FROM cdp.segments ORDER BY segment_id",
        args![],
        |row| (row.want::<i32>(1), row.want::<String>(2)),
    );
    if rules.is_empty() {
        return Ok(Vec::new());
    }
    let declared = Declared::load()?;
    let mut waiting = Vec::with_capacity(rules.len());
    for (id, rule) in rules {
        let compiled = segment::compile(&rule, &declared).map_err(|error| {
            Error::state(format!(
                "segment {id} can no longer be compiled: {}",
                error.message
            ))
            .detail(error.excerpt(&rule))
            .hint("Mend it with cdp.alter_segment, or drop it.")
        })?;
        waiting.push(Segment { id, compiled });
    }
    let mut ordered: Vec<Segment> = Vec::with_capacity(waiting.len());
    while !waiting.is_empty() {
        let ready = |segment: &Segment| {
            segment
                .compiled
                .segments
                .iter()
                .all(|id| ordered.iter().any(|o| i64::from(o.id) == *id))
        };
        let (next, later): (Vec<_>, Vec<_>) = waiting.into_iter().partition(ready);
        if next.is_empty() {
            return Err(Error::internal("segments refer to each other in a circle"));
        }
        ordered.extend(next);
        waiting = later;
    }
    Ok(ordered)
}

/// What a batch changed, as far as segments can tell.
pub struct Changes<'a> {
    /// Profiles with other nodes or events than before, or whose events were withdrawn; some may be
    /// gone.
    pub moved: &'a [i64],
    /// Profiles of which traits were said.
    pub retold: &'a [i64],
    /// The profiles of all new events and messages, by set: they have another `last_seen`.
    pub active: &'a HashMap<i64, i64>,
    /// The new events: names and sets.
    pub events: &'a HashSet<(String, i64)>,
}

impl Changes<'_> {
    /// The profiles that may enter or leave a segment: those that changed in what its rule asks for.
    fn concerning(&self, rule: &Compiled) -> Vec<i64> {
        let mut profiles = self.moved.to_vec();
        if !rule.traits.is_empty() {
            profiles.extend_from_slice(self.retold);
        }
        if rule.seen || !rule.segments.is_empty() {
            profiles.extend_from_slice(self.retold);
            profiles.extend(self.active.values());
        } else if !rule.events.is_empty() {
            let asked = |name: &String| rule.events.binary_search(name).is_ok();
            let events = self.events.iter().filter(|(name, _)| asked(name));
            profiles.extend(events.filter_map(|(_, set)| self.active.get(set)));
        }
        profiles.sort_unstable();
        profiles.dedup();
        profiles
    }
}

/// Brings the membership of changed profiles up to date, in all segments.
pub fn refresh_changed(segments: &[Segment], changes: &Changes) {
    let now = time::now();
    for segment in segments {
        pgrx::check_for_interrupts!();
        let profiles = changes.concerning(&segment.compiled);
        if !profiles.is_empty() {
            evaluate(segment, Some(&profiles), now);
        }
    }
}

/// Evaluates a segment for everybody, and then those that refer to it.
pub fn refresh(segment_id: i32) -> Result<Refreshed> {
    let segments = load()?;
    let mut changed = vec![i64::from(segment_id)];
    let mut done = None;
    for segment in &segments {
        pgrx::check_for_interrupts!();
        if segment.id == segment_id {
            done = Some(evaluate(segment, None, time::now()));
        } else if segment
            .compiled
            .segments
            .iter()
            .any(|id| changed.contains(id))
        {
            evaluate(segment, None, time::now());
            changed.push(i64::from(segment.id));
        }
    }
    let mut done =
        done.ok_or_else(|| Error::unknown(format!("no segment with id {segment_id}")))?;
    done.members = sql::one::<i64>(
        "SELECT count(*) FROM cdp.memberships WHERE segment_id = $1 AND left_at IS NULL",
        args![segment_id],
    )
    .unwrap_or(0);
    sql::run(
        "UPDATE cdp.segments SET refreshed_at = now() WHERE segment_id = $1",
        args![segment_id],
    );
    Ok(done)
}

/// Evaluates all segments for everybody.
pub fn refresh_all() -> Result<()> {
    for segment in load()? {
        pgrx::check_for_interrupts!();
        evaluate(&segment, None, time::now());
    }
    Ok(())
}

/// Runs a segment's SQL for some profiles or all, and writes who entered and who left.
fn evaluate(segment: &Segment, profiles: Option<&[i64]>, at: i64) -> Refreshed {
    let (among, among_members) = match profiles {
        Some(_) => ("p.profile_id = ANY ($3)", "m.profile_id = ANY ($3)"),
        None => ("$3::bigint[] IS NULL", "$3::bigint[] IS NULL"),
    };
    let statement = format!(
        "WITH fits AS MATERIALIZED (\
             SELECT p.profile_id FROM cdp.profile_rows p WHERE {among} AND ({rule})), \
         entered AS (\
             INSERT INTO cdp.memberships AS m (profile_id, segment_id, entered_at) \
             SELECT f.profile_id, $2, $1 FROM fits f \
              WHERE NOT EXISTS (SELECT 1 FROM cdp.memberships o WHERE o.profile_id = f.profile_id \
                                   AND o.segment_id = $2 AND o.left_at IS NULL) \
             ON CONFLICT (profile_id, segment_id, entered_at) DO UPDATE SET left_at = NULL \
             RETURNING 1), \
         gone AS (\
             UPDATE cdp.memberships m SET left_at = $1 \
              WHERE m.segment_id = $2 AND m.left_at IS NULL AND {among_members} \
                AND NOT EXISTS (SELECT 1 FROM fits f WHERE f.profile_id = m.profile_id) \
             RETURNING 1) \
         SELECT (SELECT count(*) FROM entered), (SELECT count(*) FROM gone)",
        rule = segment.compiled.sql,
    );
    sql::first(
        &statement,
        args![time::to_pg(at), segment.id, profiles.map(<[i64]>::to_vec)],
        |row| Refreshed {
            entered: row.want(1),
            left: row.want(2),
            members: 0,
        },
    )
    .unwrap_or_default()
}
