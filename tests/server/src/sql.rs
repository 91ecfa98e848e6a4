//! Asking a database, and comparing all that it holds.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write as _;

use postgres::types::FromSqlOwned;
use postgres::{Client, Error};

/// An error with what the server said, not only "db error".
pub fn describe(error: &Error) -> String {
    let Some(db) = error.as_db_error() else {
        return error.to_string();
    };
    let more = [
        ("DETAIL", db.detail()),
        ("HINT", db.hint()),
        ("CONTEXT", db.where_()),
    ];
    let more = more
        .iter()
        .filter_map(|(label, text)| text.map(|text| format!("\n{label}: {text}")));
    format!(
        "{}: {} ({}){}",
        db.severity(),
        db.message(),
        db.code().code(),
        more.collect::<String>()
    )
}

/// Runs SQL; panics with what the server said if it fails.
#[track_caller]
pub fn run(client: &mut Client, sql: &str) {
    if let Err(error) = client.batch_execute(sql) {
        panic!("{}: {}", excerpt(sql), describe(&error));
    }
}

/// The one value that a query gives.
#[track_caller]
pub fn one<T: FromSqlOwned>(client: &mut Client, sql: &str) -> T {
    match client.query_one(sql, &[]) {
        Ok(row) => row.get(0),
        Err(error) => panic!("{}: {}", excerpt(sql), describe(&error)),
    }
}

/// The first column of what a query gives.
#[track_caller]
pub fn column<T: FromSqlOwned>(client: &mut Client, sql: &str) -> Vec<T> {
    match client.query(sql, &[]) {
        Ok(rows) => rows.iter().map(|row| row.get(0)).collect(),
        Err(error) => panic!("{}: {}", excerpt(sql), describe(&error)),
    }
}

/// Runs SQL that must fail; its SQLSTATE and all that the server said.
#[track_caller]
pub fn fails(client: &mut Client, sql: &str) -> (String, String) {
    match client.batch_execute(sql) {
        Ok(()) => panic!("it did not fail: {}", excerpt(sql)),
        Err(error) => {
            let code = error.code().map(|code| code.code().to_owned());
            (code.unwrap_or_default(), describe(&error))
        }
    }
}

fn excerpt(sql: &str) -> String {
    sql.chars().take(2_000).collect()
}

/// Sends messages that make a path of so many links, t1 to t2 to t3. Its values are blocked until somebody resets
/// `blocked_patterns` of type `token`, so that the one profile comes into being at once.
pub fn send_path(client: &mut Client, links: i64) {
    run(
        client,
        "SELECT cdp.create_identifier_type('token', 40, blocked_patterns => '{^t}')",
    );
    let mut copy = client
        .copy_in("COPY cdp.inbox (message) FROM STDIN")
        .expect("a copy");
    for n in 1..=links {
        let next = n + 1;
        writeln!(
            copy,
            r#"{{"type":"identify","timestamp":"2026-01-01T00:00:00Z","identifiers":{{"token":["t{n}","t{next}"]}}}}"#
        )
        .expect("a message");
    }
    copy.finish().expect("a copy");
}

/// Rows of tables, as sorted text.
pub type Tables = BTreeMap<String, Vec<String>>;

/// Every row of every table of schema cdp (of partitioned ones under the parent's name), but for
/// some tables, and for attempts: a worker may begin one, find nothing to do any more, and forget it.
pub fn tables(client: &mut Client, except: &[&str]) -> Tables {
    let names: Vec<String> = column(
        client,
        "SELECT relname::text FROM pg_class WHERE relnamespace = 'cdp'::regnamespace \
         AND relname <> 'attempts' \
         AND (relkind IN ('r', 'p') AND NOT relispartition AND relname NOT LIKE 'match\\_key\\_%' OR relname = 'match_keys') \
         ORDER BY relname",
    );
    names
        .into_iter()
        .filter(|name| !except.contains(&name.as_str()))
        .map(|name| {
            let sql = format!("SELECT t::text FROM cdp.\"{name}\" t ORDER BY 1");
            (name, column(client, &sql))
        })
        .collect()
}

/// Of every table of schema cdp that holds rows, how many, and a sum of their hashes: for tables that are
/// too large for [`tables`].
pub fn fingerprint(client: &mut Client) -> BTreeMap<String, String> {
    let names: Vec<String> = column(
        client,
        "SELECT relname::text FROM pg_class WHERE relnamespace = 'cdp'::regnamespace \
         AND relkind IN ('r', 'p') AND NOT relispartition AND relname <> 'attempts' ORDER BY relname",
    );
    names
        .into_iter()
        .map(|name| {
            let sql = format!(
                "SELECT concat_ws(' ', count(*), sum(hashtextextended(t::text, 0)::numeric)) FROM cdp.\"{name}\" t"
            );
            let of_rows = one(client, &sql);
            (name, of_rows)
        })
        .collect()
}

/// Panics with what differs, if anything does.
#[track_caller]
pub fn assert_same(what: &str, before: &Tables, after: &Tables) {
    if let Some(difference) = difference(before, after) {
        panic!("{what}:\n{difference}");
    }
}

/// What differs between two states, the first rows of each table.
pub fn difference(before: &Tables, after: &Tables) -> Option<String> {
    let mut out = String::new();
    let names: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
    for name in names {
        let none = Vec::new();
        let (was, is) = (
            before.get(name).unwrap_or(&none),
            after.get(name).unwrap_or(&none),
        );
        if was == is {
            continue;
        }
        let missing = only_in(was, is);
        let new = only_in(is, was);
        out.push_str(&format!(
            "cdp.{name}: {} rows before, {} after\n",
            was.len(),
            is.len()
        ));
        for row in missing.iter().take(8) {
            out.push_str(&format!("  - {row}\n"));
        }
        for row in new.iter().take(8) {
            out.push_str(&format!("  + {row}\n"));
        }
    }
    (!out.is_empty()).then_some(out)
}

/// The rows of one list that another does not hold as often.
fn only_in<'a>(rows: &'a [String], other: &[String]) -> Vec<&'a String> {
    let mut left: BTreeMap<&String, usize> = BTreeMap::new();
    for row in other {
        *left.entry(row).or_default() += 1;
    }
    rows.iter()
        .filter(|row| match left.get_mut(row) {
            Some(count) if *count > 0 => {
                *count -= 1;
                false
            }
            _ => true,
        })
        .collect()
}
