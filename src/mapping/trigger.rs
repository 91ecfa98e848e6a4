//! Capture by triggers: making them, and keeping up with partitions that come and go.
//!
//! A partitioned table has the row trigger on its root, which PostgreSQL clones to every partition,
//! present and future. TRUNCATE triggers are not cloned: the root has one, and every leaf.

use pgrx::pg_sys;

use crate::args;
use crate::pg::{Error, Result, role, sql};

use super::inbox;
use super::relation::{self, Relation};

const ROW_FUNCTION: &str = "cdp.capture_row";
const TRUNCATE_FUNCTION: &str = "cdp.capture_truncate";

/// A source whose table is captured by triggers.
#[derive(Debug, Clone)]
pub struct Captured {
    /// The source's id.
    pub source_id: i32,
    /// The source's name.
    pub source: String,
}

impl Captured {
    fn row_trigger(&self) -> String {
        format!("cdp_capture_{}", self.source_id)
    }

    fn truncate_trigger(&self) -> String {
        format!("cdp_truncate_{}", self.source_id)
    }

    fn arguments(&self, part: Option<&str>) -> String {
        let mut all = vec![
            relation::quote_literal(&self.source),
            format!("'{}'", self.source_id),
        ];
        all.extend(part.map(relation::quote_literal));
        all.join(", ")
    }

    /// Makes the triggers of the table itself, as the acting role. They fire for replicated rows too.
    pub fn create(&self, relation: &Relation, part: Option<&str>) {
        let name = self.row_trigger();
        let arguments = self.arguments(part);
        sql::run(
            &format!(
                "CREATE TRIGGER {name} AFTER INSERT OR UPDATE OR DELETE ON {} \
                 FOR EACH ROW EXECUTE FUNCTION {ROW_FUNCTION}({arguments})",
                relation.name
            ),
            args![],
        );
        enable_always(&relation.name, &name);
        self.create_truncate(relation, part);
        if relation.kind == 'p' {
            for leaf in relation.leaves().into_iter().filter_map(Relation::find) {
                enable_always(&leaf.name, &name);
                self.create_truncate(&leaf, None);
            }
        }
    }

    fn create_truncate(&self, relation: &Relation, part: Option<&str>) {
        let name = self.truncate_trigger();
        sql::run(
            &format!(
                "CREATE TRIGGER {name} AFTER TRUNCATE ON {} \
                 FOR EACH STATEMENT EXECUTE FUNCTION {TRUNCATE_FUNCTION}({})",
                relation.name,
                self.arguments(part)
            ),
            args![],
        );
        enable_always(&relation.name, &name);
    }

    /// Drops the triggers, as the acting role, who must own the table.
    pub fn drop(&self, relation: &Relation) {
        let mut tables = vec![relation.clone()];
        if relation.kind == 'p' {
            tables.extend(relation.leaves().into_iter().filter_map(Relation::find));
        }
        for table in &tables {
            for statement in self.drops(table) {
                sql::run(&statement, args![]);
            }
        }
    }

    /// The statements that drop the triggers of one table.
    fn drops(&self, table: &Relation) -> Vec<String> {
        // A clone goes with the trigger of its root.
        let own = triggers_of(self, table.oid)
            .into_iter()
            .filter(|trigger| !trigger.cloned);
        own.map(|trigger| {
            let name = relation::quote(&trigger.name);
            format!("DROP TRIGGER {name} ON {}", table.name)
        })
        .collect()
    }
}

fn enable_always(table: &str, trigger: &str) {
    sql::run(
        &format!("ALTER TABLE {table} ENABLE ALWAYS TRIGGER {trigger}"),
        args![],
    );
}

struct Trigger {
    name: String,
    on_rows: bool,
    always: bool,
    cloned: bool,
}

/// The triggers of a source on one table: those that call our functions in its name.
fn triggers_of(captured: &Captured, table: pg_sys::Oid) -> Vec<Trigger> {
    sql::rows(
        "SELECT tgname::text, tgfoid = to_regprocedure('cdp.capture_row()'), tgenabled = 'A', \
                tgparentid <> 0 \
         FROM pg_catalog.pg_trigger \
         WHERE tgrelid = $1 AND NOT tgisinternal OR tgrelid = $1 AND tgparentid <> 0 \
         ORDER BY tgname",
        args![table],
        |row| Trigger {
            name: row.want(1),
            on_rows: row.get(2).unwrap_or(false),
            always: row.want(3),
            cloned: row.want(4),
        },
    )
    .into_iter()
    .filter(|t| t.name == captured.row_trigger() || t.name == captured.truncate_trigger())
    .collect()
}

/// Fails unless the triggers of the table itself stand and fire.
fn require_triggers(captured: &Captured, relation: &Relation) -> Result<()> {
    let found = triggers_of(captured, relation.oid);
    let state = |what: &str| {
        Err(Error::state(format!("{} {what}", relation.name)).hint(
            "Changes since are not captured: run cdp.unmap_table() and cdp.map_table() again, or \
             enable the triggers with ENABLE ALWAYS and change the rows missed.",
        ))
    };
    match found.iter().find(|trigger| trigger.on_rows) {
        None => state("has lost its capture trigger"),
        Some(trigger) if !trigger.always => state("has its capture trigger disabled"),
        Some(_) => Ok(()),
    }
}

/// The leaves of a source that are known, with their parts. As the owner role.
fn known_parts(source_id: i32) -> Vec<(pg_sys::Oid, String)> {
    sql::rows(
        "SELECT leaf::oid, part FROM cdp.mapping_parts WHERE source_id = $1 ORDER BY part",
        args![source_id],
        |row| (row.want(1), row.want(2)),
    )
}

/// Gives a table a part of its own, by its name; the part. As the owner role.
pub fn add_part(source_id: i32, table: &Relation) -> String {
    let name = plain_name(table.oid);
    sql::one::<String>(
        "INSERT INTO cdp.mapping_parts (leaf, source_id, part) \
         SELECT $1::oid::regclass, $2, CASE WHEN EXISTS \
                (SELECT FROM cdp.mapping_parts WHERE source_id = $2 AND part = $3) \
                THEN $3 || '#' || $1::oid ELSE $3 END \
         ON CONFLICT (leaf, source_id) DO UPDATE SET part = mapping_parts.part \
         RETURNING part",
        args![table.oid, source_id, name.as_str()],
    )
    .unwrap_or(name)
}

fn plain_name(table: pg_sys::Oid) -> String {
    Relation::find(table)
        .map(|relation| relation.name)
        .unwrap_or_default()
}

/// Brings the triggers of a partitioned table's leaves, and what is known of their rows, up to date.
/// As the owner role; changes of a table are made as its own owner. How many captures it wrote.
pub fn keep_up(captured: &Captured, relation: &Relation) -> Result<i64> {
    // Only a role with rights on both sides could make the trigger of the root: its being there is
    // the consent to what follows.
    require_triggers(captured, relation)?;
    if relation.kind != 'p' {
        return Ok(0);
    }
    sql::run("SET LOCAL lock_timeout = '2s'", args![]);
    let known = known_parts(captured.source_id);
    let leaves = relation.leaves();
    let mut written = 0;
    for (leaf, part) in &known {
        if !leaves.contains(leaf) {
            written += withdraw_leaf(captured, *leaf, part)?;
        }
    }
    for leaf in leaves.into_iter().filter_map(Relation::find) {
        complete_leaf(captured, &leaf)?;
        if !known.iter().any(|(oid, _)| *oid == leaf.oid) {
            let part = add_part(captured.source_id, &leaf);
            written += inbox::backfill(&captured.source, &part, &leaf)?;
        }
    }
    Ok(written)
}

/// Adds the triggers that a leaf lacks. The locks are held to the end of the transaction, so rows
/// read after are complete.
fn complete_leaf(captured: &Captured, leaf: &Relation) -> Result<()> {
    if leaf.kind == 'f' {
        return Err(
            Error::state(format!("partition {} is a foreign table", leaf.name))
                .hint("Its remote changes fire no triggers. Map the table with capture => 'poll'."),
        );
    }
    let found = triggers_of(captured, leaf.oid);
    let truncate = found.iter().any(|trigger| !trigger.on_rows);
    if truncate && found.iter().all(|trigger| trigger.always) {
        return Ok(());
    }
    let lent = if truncate { Vec::new() } else { lend(leaf)? };
    role::as_user(leaf.owner, "pg_catalog, pg_temp", || {
        if !truncate {
            captured.create_truncate(leaf, None);
        }
        for trigger in found.iter().filter(|trigger| !trigger.always) {
            enable_always(&leaf.name, &relation::quote(&trigger.name));
        }
        Ok(())
    })?;
    for revoke in lent {
        sql::run(&revoke, args![]);
    }
    Ok(())
}

/// A leaf's owner, who need not know of us, has to name our function to make a trigger of it. Grants
/// that, inside this transaction only; the statements that take it back.
fn lend(leaf: &Relation) -> Result<Vec<String>> {
    let owner = relation::quote(&leaf.owner_name);
    let wanted = [
        (
            "SELECT has_schema_privilege($1::oid, 'cdp', 'USAGE')",
            "USAGE ON SCHEMA cdp".to_owned(),
        ),
        (
            "SELECT has_function_privilege($1::oid, 'cdp.capture_truncate()', 'EXECUTE')",
            format!("EXECUTE ON FUNCTION {TRUNCATE_FUNCTION}()"),
        ),
    ];
    let mut revokes = Vec::new();
    for (held, privilege) in wanted {
        if sql::one::<bool>(held, args![leaf.owner]) != Some(true) {
            sql::run(&format!("GRANT {privilege} TO {owner}"), args![]);
            revokes.push(format!("REVOKE {privilege} FROM {owner}"));
        }
    }
    Ok(revokes)
}

/// What a leaf that was detached or dropped held is no more of the table.
fn withdraw_leaf(captured: &Captured, leaf: pg_sys::Oid, part: &str) -> Result<i64> {
    if let Some(table) = Relation::find(leaf) {
        let drops = captured.drops(&table);
        role::as_user(table.owner, "pg_catalog, pg_temp", || {
            for statement in drops {
                sql::run(&statement, args![]);
            }
            Ok(())
        })?;
    }
    inbox::append_truncate(&captured.source, part);
    sql::run(
        "DELETE FROM cdp.mapping_parts WHERE source_id = $1 AND leaf = $2::oid::regclass",
        args![captured.source_id, leaf],
    );
    Ok(1)
}
