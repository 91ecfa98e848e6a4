//! What the catalogue says of a relation that is mapped. Read anew whenever it is needed: nothing
//! stops others from changing their tables.

use cdp_engine::mapping::TableColumn;
use pgrx::pg_sys;

use crate::args;
use crate::pg::{Error, Result, role, sql};

/// A column.
#[derive(Debug, Clone)]
pub struct Column {
    /// Its number, which a change of its name leaves as it is.
    pub number: i16,
    /// Its name.
    pub name: String,
    /// The name of its type, with its schema unless that is `pg_catalog`.
    pub type_name: String,
}

/// A table, view or foreign table.
#[derive(Debug, Clone)]
pub struct Relation {
    /// Its object id; changes with a restore.
    pub oid: pg_sys::Oid,
    /// Schema and name, quoted where they must be.
    pub name: String,
    /// Its schema.
    pub schema: String,
    /// `relkind`: `r` table, `p` partitioned, `v` view, `m` materialised view, `f` foreign.
    pub kind: char,
    /// Its owner.
    pub owner: pg_sys::Oid,
    /// The owner's name.
    pub owner_name: String,
    /// Whether it is gone with the session.
    pub temporary: bool,
    /// Whether policies decide which rows are seen.
    pub row_security: bool,
    /// Its columns, in order.
    pub columns: Vec<Column>,
    /// The columns of its primary key.
    pub primary_key: Vec<String>,
}

impl Relation {
    /// Whether an index makes sure that these columns name one row. Of views and foreign tables nobody
    /// can tell: they count as if.
    pub fn has_unique_key(&self, columns: &[String]) -> bool {
        if !matches!(self.kind, 'r' | 'p') {
            return true;
        }
        sql::one::<bool>(
            "SELECT EXISTS (SELECT FROM pg_catalog.pg_index i \
              WHERE i.indrelid = $1 AND i.indisunique AND i.indisvalid AND i.indpred IS NULL \
                AND i.indexprs IS NULL \
                AND NOT EXISTS (SELECT FROM pg_catalog.pg_attribute a \
                      WHERE a.attrelid = $1 AND a.attname <> ALL ($2::text[]) \
                        AND a.attnum = ANY ((i.indkey::smallint[])[0 : i.indnkeyatts - 1])))",
            args![self.oid, columns.to_vec()],
        ) == Some(true)
    }

    /// The relation, if there is one.
    pub fn find(oid: pg_sys::Oid) -> Option<Self> {
        let mut relation = sql::first(
            "SELECT format('%I.%I', n.nspname, c.relname), n.nspname::text, c.relkind::text, \
                    c.relowner, pg_get_userbyid(c.relowner)::text, c.relpersistence = 't', \
                    c.relrowsecurity \
             FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
             WHERE c.oid = $1 AND c.relkind IN ('r', 'p', 'v', 'm', 'f')",
            args![oid],
            |row| Self {
                oid,
                name: row.want(1),
                schema: row.want(2),
                kind: row.want::<String>(3).chars().next().unwrap_or('?'),
                owner: row.want(4),
                owner_name: row.want(5),
                temporary: row.want(6),
                row_security: row.want(7),
                columns: Vec::new(),
                primary_key: Vec::new(),
            },
        )?;
        relation.columns = sql::rows(
            "SELECT attnum, attname::text, format_type(atttypid, NULL) \
             FROM pg_catalog.pg_attribute \
             WHERE attrelid = $1 AND attnum > 0 AND NOT attisdropped ORDER BY attnum",
            args![oid],
            |row| Column {
                number: row.want(1),
                name: row.want(2),
                type_name: row.want(3),
            },
        );
        relation.primary_key = sql::rows(
            "SELECT a.attname::text FROM pg_catalog.pg_index i, \
                    unnest(i.indkey) WITH ORDINALITY k(number, place), pg_catalog.pg_attribute a \
             WHERE i.indrelid = $1 AND i.indisprimary AND k.place <= i.indnkeyatts \
               AND a.attrelid = i.indrelid AND a.attnum = k.number ORDER BY k.place",
            args![oid],
            |row| row.want(1),
        );
        Some(relation)
    }

    /// The columns, as the engine checks a mapping against them.
    pub fn table_columns(&self) -> Vec<TableColumn> {
        let columns = self.columns.iter();
        columns
            .map(|column| TableColumn {
                name: column.name.clone(),
                type_name: column.type_name.clone(),
            })
            .collect()
    }

    /// The names of the columns, for an envelope.
    pub fn column_names(&self) -> Vec<String> {
        self.columns
            .iter()
            .map(|column| column.name.clone())
            .collect()
    }

    /// The names of their types.
    pub fn type_names(&self) -> Vec<String> {
        self.columns
            .iter()
            .map(|column| column.type_name.clone())
            .collect()
    }

    /// The column of that name.
    pub fn column(&self, name: &str) -> Option<&Column> {
        self.columns.iter().find(|column| column.name == name)
    }

    /// The tables that its rows are in: itself, or the leaves of a partitioned one.
    pub fn leaves(&self) -> Vec<pg_sys::Oid> {
        if self.kind != 'p' {
            return vec![self.oid];
        }
        sql::rows(
            "SELECT relid::oid FROM pg_catalog.pg_partition_tree($1::oid::regclass) \
             WHERE isleaf ORDER BY 1",
            args![self.oid],
            |row| row.want(1),
        )
    }

    /// Fails unless the acting role owns it or is a member of its owner.
    pub fn require_ownership(&self, what: &str) -> Result<()> {
        if role::has_rights_of(self.owner) {
            return Ok(());
        }
        Err(
            Error::privilege(format!("must be owner of {} to {what}", self.name)).hint(format!(
                "Run it as {} or as a member of that role, who is a member of {} too.",
                self.owner_name,
                role::OWNER
            )),
        )
    }
}

/// A name, quoted where it must be.
pub fn quote(name: &str) -> String {
    sql::one::<String>("SELECT quote_ident($1)", args![name]).unwrap_or_default()
}

/// A text as a constant.
pub fn quote_literal(text: &str) -> String {
    sql::one::<String>("SELECT quote_literal($1)", args![text]).unwrap_or_default()
}

/// What object ids and transaction ids of now belong to: neither means anything after a restore.
pub fn identity(relation: pg_sys::Oid) -> String {
    use crate::pg::transaction::{database_oid, system_identifier};
    format!(
        "{}/{}/{}",
        system_identifier(),
        database_oid(),
        relation.to_u32()
    )
}
