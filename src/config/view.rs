//! The views whose columns are the traits that are declared: `cdp.profiles`, and
//! `cdp_segment.profile_traits`.
//!
//! PostgreSQL lets a view that others depend on grow at its end only. So the columns that every
//! profile has come first, then traits in the order in which they were declared. When a trait is
//! dropped, the view is made anew, with its rights, as long as nothing depends on it. Otherwise the
//! column stays, empty, so that views of users live on; a later trait of the same name and type
//! takes it over, one of another type leaves it under a name of its own.

use crate::args;
use crate::pg::{Result, sql};

use super::columns::run_locking;
use super::traits::RESERVED;

/// A view with a column for each declared trait.
struct View {
    name: &'static str,
    /// The columns that it always has, and their names.
    fixed: &'static str,
    names: &'static [&'static str],
    from: &'static str,
}

const VIEWS: [View; 2] = [
    View {
        name: "cdp.profiles",
        fixed: "profile_id, first_seen, last_seen, extra",
        names: &RESERVED,
        from: "cdp.profile_rows",
    },
    View {
        name: "cdp_segment.profile_traits",
        fixed: "m.segment_id AS canonical_segment_id, m.merged_to, r.extra",
        names: &["canonical_segment_id", "merged_to", "extra"],
        from: include_str!("../../sql/config/profile_traits.sql"),
    },
];

struct Column {
    name: String,
    ty: String,
}

struct Shown {
    name: String,
    ty: String,
    column: String,
    description: Option<String>,
}

/// Makes the views show the declared traits.
pub fn regenerate() -> Result<()> {
    let shown = sql::rows(
        "SELECT name, pg_catalog.format_type(type::regtype, NULL), column_name, description \
           FROM cdp.traits ORDER BY trait_id",
        args![],
        |row| Shown {
            name: row.want(1),
            ty: row.want(2),
            column: row.want(3),
            description: row.get(4),
        },
    );
    let ddl: Vec<String> = VIEWS.iter().map(|view| view.ddl(&shown)).collect();
    run_locking(&ddl.join(";\n"))?;
    for trait_shown in &shown {
        describe(&trait_shown.name, trait_shown.description.as_deref());
    }
    Ok(())
}

impl View {
    /// The statements that make it show these traits.
    fn ddl(&self, all: &[Shown]) -> String {
        let is_own = |name: &str| self.names.contains(&name);
        let shown: Vec<&Shown> = all.iter().filter(|shown| !is_own(&shown.name)).collect();
        let present: Vec<Column> = sql::rows(
            "SELECT attname::text, pg_catalog.format_type(atttypid, atttypmod) \
               FROM pg_catalog.pg_attribute \
              WHERE attrelid = $1::text::regclass AND attnum > 0 AND NOT attisdropped \
              ORDER BY attnum",
            args![self.name],
            |row| Column {
                name: row.want(1),
                ty: row.want(2),
            },
        )
        .into_iter()
        .filter(|column| !is_own(&column.name))
        .collect();
        let stands = |column: &Column| {
            let same = |shown: &&&Shown| shown.name == column.name && shown.ty == column.ty;
            shown.iter().find(same).copied()
        };
        if present.iter().all(|column| stands(column).is_some()) {
            // Only appended to, if anything.
            let kept = present.iter().filter_map(stands);
            let new = shown
                .iter()
                .filter(|shown| !present.iter().any(|column| column.name == shown.name));
            let columns: Vec<String> = kept.chain(new.copied()).map(expression).collect();
            format!("CREATE OR REPLACE {}", self.definition(&columns))
        } else if self.has_dependants() {
            let mut ddl = String::new();
            let mut columns = Vec::new();
            for column in &present {
                if let Some(shown) = stands(column) {
                    columns.push(expression(shown));
                    continue;
                }
                let mut name = column.name.clone();
                if shown.iter().any(|shown| shown.name == name) {
                    let taken = |name: &str| {
                        present.iter().any(|column| column.name == name)
                            || shown.iter().any(|shown| shown.name == name)
                    };
                    name = unused(&column.name, taken);
                    ddl.push_str(&format!(
                        "ALTER VIEW {} RENAME COLUMN {} TO {};\n",
                        self.name,
                        quoted(&column.name),
                        quoted(&name)
                    ));
                }
                columns.push(format!("NULL::{} AS {}", column.ty, quoted(&name)));
            }
            let new = shown.iter().filter(|shown| {
                !present
                    .iter()
                    .any(|column| stands(column).is_some_and(|s| s.name == shown.name))
            });
            columns.extend(new.copied().map(expression));
            ddl.push_str(&format!("CREATE OR REPLACE {}", self.definition(&columns)));
            ddl
        } else {
            let columns: Vec<String> = shown.iter().copied().map(expression).collect();
            let mut ddl = format!(
                "DROP VIEW {};\nCREATE {};\n",
                self.name,
                self.definition(&columns)
            );
            ddl.push_str(&self.rights(&shown).join(";\n"));
            ddl
        }
    }

    fn definition(&self, columns: &[String]) -> String {
        let mut all = vec![self.fixed.to_owned()];
        all.extend_from_slice(columns);
        format!(
            "VIEW {}{} AS SELECT {} FROM {}",
            self.name,
            self.options(),
            all.join(", "),
            self.from
        )
    }

    /// The view's options, as a clause.
    fn options(&self) -> String {
        let options = sql::one::<String>(
            "SELECT pg_catalog.array_to_string(reloptions, ', ') FROM pg_catalog.pg_class \
              WHERE oid = $1::text::regclass",
            args![self.name],
        );
        options
            .filter(|options| !options.is_empty())
            .map_or_else(String::new, |options| format!(" WITH ({options})"))
    }

    /// Whether anything of a user's hangs on the view, which making it anew would break or drop.
    fn has_dependants(&self) -> bool {
        let sql = include_str!("../../sql/config/view_dependants.sql");
        sql::one::<bool>(sql, args![self.name]) == Some(true)
    }

    /// The statements that give the view's rights and comment anew, but for columns that are no more.
    fn rights(&self, shown: &[&Shown]) -> Vec<String> {
        let names: Vec<String> = shown
            .iter()
            .map(|shown| shown.name.clone())
            .chain(self.names.iter().map(|&name| name.to_owned()))
            .collect();
        sql::rows(
            include_str!("../../sql/config/view_rights.sql"),
            args![names, self.name],
            |row| row.want::<String>(1),
        )
    }
}

/// Puts the description of a trait on its column.
pub fn describe(of_trait: &str, description: Option<&str>) {
    let sql = "SELECT pg_catalog.format('COMMENT ON COLUMN cdp.profiles.%I IS %L', $1, $2)";
    let args = args![of_trait.to_owned(), description.map(str::to_owned)];
    if let Some(comment) = sql::one::<String>(sql, args) {
        sql::run(&comment, args![]);
    }
}

fn expression(shown: &Shown) -> String {
    format!("{} AS {}", quoted(&shown.column), quoted(&shown.name))
}

fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// A name like `plan_dropped`, `plan_dropped_2` that no column has.
fn unused(name: &str, taken: impl Fn(&str) -> bool) -> String {
    (1..)
        .map(|n| {
            let suffix = match n {
                1 => "_dropped".to_owned(),
                n => format!("_dropped_{n}"),
            };
            // A longer name would be cut by PostgreSQL, within the suffix.
            let mut end = name.len().min(63 - suffix.len());
            while !name.is_char_boundary(end) {
                end -= 1;
            }
            format!("{}{suffix}", &name[..end])
        })
        .find(|candidate| !taken(candidate))
        .unwrap_or_default()
}
