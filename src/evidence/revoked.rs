//! Revoked evidence: messages and rows that somebody said count as never accepted. They stay where
//! they are stored, marked; whatever is derived passes them over.

use std::collections::HashSet;

use super::Statement;
use super::rows::Applied;
use crate::args;
use crate::pg::{Args, sql, time};
use crate::rules::Rules;

/// What may have been revoked, or may stand again.
pub enum Scope<'a> {
    /// All of a source.
    Source(i32),
    /// What a source sent under this id; of a mapped table, the row of this key.
    Message(i32, &'a str),
    /// What a source sent without an id, by its place in storage.
    Event(i32, i64),
}

/// Marks what is revoked, and unmarks what is not any more. The sets concerned, each with the source
/// that showed it.
pub fn mark(scope: &Scope) -> Vec<(i64, i32)> {
    let (source, of) = match scope {
        Scope::Source(source) => (*source, "t.source_id = $1"),
        Scope::Message(source, _) => (*source, "t.source_id = $1 AND t.ID = $2"),
        Scope::Event(source, _) => (*source, "t.source_id = $1 AND t.event_id = $2"),
    };
    let mut concerned = match scope {
        Scope::Source(_) => mark_where(of, args![source]),
        Scope::Message(_, id) => mark_where(of, args![source, *id]),
        Scope::Event(_, id) => mark_where(of, args![source, *id]),
    };
    concerned.sort_unstable();
    concerned.dedup();
    concerned
}

/// Marks all that is stored as the assertions have it.
pub fn mark_all() {
    // Nothing is ever marked where nobody ever revoked anything.
    let ever = sql::one::<bool>(
        "SELECT EXISTS (SELECT 1 FROM cdp.assertions WHERE kind IN ('revoke_source', 'revoke_message'))",
        args![],
    );
    if ever == Some(true) {
        mark_where("true", args![]);
    }
}

/// `of` selects rows `t`; `ID` in it is the sender's id.
fn mark_where(of: &str, arguments: &Args) -> Vec<(i64, i32)> {
    let mut concerned = Vec::new();
    for (table, id) in [
        ("cdp.events", "message_id"),
        ("cdp.messages", "message_id"),
        ("cdp.records", "key"),
    ] {
        pgrx::check_for_interrupts!();
        let of = of.replace("ID", id);
        concerned.extend(
            sql::rows(
                // Hashed: a row costs three look-ups, however much was revoked. A row that is gone
                // has nothing to revoke.
                &format!(
                    "WITH marked AS (UPDATE {table} t SET revoked = NOT t.revoked \
                       WHERE {of} AND t.revoked <> (t.set_id IS NOT NULL AND ( \
                             t.source_id IN (SELECT a.source_id FROM cdp.assertions a \
                                 WHERE a.kind = 'revoke_source' AND a.undone_by IS NULL) \
                          OR coalesce((t.source_id, t.{id} COLLATE \"C\") IN ( \
                                 SELECT a.source_id, a.message_id COLLATE \"C\" FROM cdp.assertions a \
                                 WHERE a.kind = 'revoke_message' AND a.message_id IS NOT NULL \
                                   AND a.undone_by IS NULL), false) \
                          OR coalesce(t.event_id IN (SELECT a.event_id FROM cdp.assertions a \
                                 WHERE a.kind = 'revoke_message' AND a.event_id IS NOT NULL \
                                   AND a.undone_by IS NULL), false))) \
                       RETURNING t.set_id, t.source_id) \
                     SELECT DISTINCT set_id, source_id FROM marked WHERE set_id IS NOT NULL"
                ),
                arguments,
                |row| (row.want::<i64>(1), row.want::<i32>(2)),
            ),
        );
    }
    concerned
}

/// Marks those of a batch's messages and rows, stored already, that are revoked, and takes them out
/// of the batch: nothing follows from them. `event_ids` are those of the messages.
pub fn withhold(
    rules: &Rules,
    messages: &mut Vec<Statement>,
    event_ids: &mut Vec<i64>,
    rows: &mut Applied,
) {
    let sources: HashSet<i32> = rules
        .sources
        .values()
        .filter(|source| source.revoked)
        .map(|source| source.id)
        .collect();
    let in_part: Vec<i32> = rules
        .sources
        .values()
        .filter(|source| source.revoked_in_part)
        .map(|source| source.id)
        .collect();
    if sources.is_empty() && in_part.is_empty() {
        return;
    }
    let of_source = |statement: &Statement| sources.contains(&statement.source_id);
    let keys: HashSet<(i32, String)> = if rows.statements.is_empty() {
        HashSet::new()
    } else {
        sql::rows(
            "SELECT source_id, message_id FROM cdp.assertions \
             WHERE source_id = ANY ($1) AND kind = 'revoke_message' AND message_id IS NOT NULL \
               AND undone_by IS NULL",
            args![in_part],
            |row| (row.want(1), row.want(2)),
        )
        .into_iter()
        .collect()
    };
    let by_key = |statement: &Statement| {
        statement
            .message_id
            .as_ref()
            .is_some_and(|key| keys.contains(&(statement.source_id, key.clone())))
    };

    let mut places = (Vec::new(), Vec::new(), Vec::new());
    for (statement, id) in messages.iter().zip(event_ids.iter()) {
        if of_source(statement) {
            places.0.push(statement.set_id);
            places.1.push(time::to_pg(statement.time));
            places.2.push(*id);
        }
    }
    let mut kept = messages.iter().map(|statement| !of_source(statement));
    event_ids.retain(|_| kept.next() == Some(true));
    messages.retain(|statement| !of_source(statement));

    let revoked = rows.withhold(|statement| of_source(statement) || by_key(statement));
    for row in &revoked {
        if let Some((set_id, time, event_id)) = row.event {
            places.0.push(set_id);
            places.1.push(time::to_pg(time));
            places.2.push(event_id);
        }
    }
    if !places.0.is_empty() {
        for table in ["cdp.events", "cdp.messages"] {
            sql::run(
                &format!(
                    "UPDATE {table} t SET revoked = true \
                     FROM unnest($1::bigint[], $2::timestamptz[], $3::bigint[]) u (set_id, \"time\", event_id) \
                     WHERE t.set_id = u.set_id AND t.\"time\" = u.\"time\" AND t.event_id = u.event_id"
                ),
                args![places.0.clone(), places.1.clone(), places.2.clone()],
            );
        }
    }
    if !revoked.is_empty() {
        sql::run(
            "UPDATE cdp.records r SET revoked = true \
             FROM unnest($1::integer[], $2::text[]) u (source_id, key) \
             WHERE r.source_id = u.source_id AND r.key = u.key AND NOT r.revoked",
            args![
                revoked.iter().map(|row| row.source_id).collect::<Vec<_>>(),
                revoked
                    .iter()
                    .map(|row| row.key.as_str())
                    .collect::<Vec<_>>()
            ],
        );
    }
}
