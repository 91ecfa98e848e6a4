//! What `cdp.init()` checks and puts right before any table is made: nothing planted, the roles,
//! the owners.

use pgrx::PgSqlErrorCode;

use crate::args;
use crate::pg::{Error, Result, lock, role, sql, transaction};

/// Fails in a database of another encoding: customer data comes in every script, and JSON is UTF-8.
pub fn require_utf8() -> Result<()> {
    match sql::one::<String>("SELECT pg_catalog.getdatabaseencoding()::text", args![]) {
        Some(encoding) if encoding != "UTF8" => Err(Error::new(
            pgrx::PgSqlErrorCode::ERRCODE_FEATURE_NOT_SUPPORTED,
            format!("pg_cdp needs a database with encoding UTF8, not {encoding}"),
        )
        .hint("Make one: CREATE DATABASE … TEMPLATE template0 ENCODING 'UTF8';")),
        _ => Ok(()),
    }
}

/// Two sessions that run `cdp.init()` wait for each other. Not by an advisory lock, which anybody can
/// take and keep.
pub fn one_at_a_time() {
    let key = lock::Key {
        relation: pgrx::pg_sys::ExtensionRelationId.to_u32(),
        number: 0,
    };
    key.take_for_transaction();
}

/// Schema `cdp_segment`, of the views for those who come from Segment. Made here, since the owner role
/// may make no schema.
pub fn ensure_schema() {
    let exists = sql::one::<bool>(
        "SELECT pg_catalog.to_regnamespace('cdp_segment') IS NOT NULL",
        args![],
    );
    if exists != Some(true) {
        sql::run(
            &format!("CREATE SCHEMA cdp_segment AUTHORIZATION {}", role::OWNER),
            args![],
        );
    }
}

/// Fails if schema `cdp` or `cdp_segment`, or anything in one, belongs to someone other than the owner role, the
/// extension's installer or the caller: it could have been planted to be run by us.
pub fn refuse_planted_objects() -> Result<()> {
    let found = sql::first(
        include_str!("../../sql/planted.sql"),
        args![role::OWNER],
        |row| (row.want::<String>(1), row.want::<String>(2)),
    );
    let Some((object, owner)) = found else {
        return Ok(());
    };
    Err(
        Error::state(format!("{object} belongs to {owner}, not to pg_cdp"))
            .detail("Objects of others in its schemas could be run with the rights of pg_cdp.")
            .hint(
                "Look at it, then drop it or move it to another schema, and run cdp.init() again.",
            ),
    )
}

/// Makes the roles that are missing. Refuses an owner role that can log in or is a superuser.
pub fn ensure_roles() -> Result<()> {
    for name in [role::OWNER, role::INGEST, role::READER] {
        let attributes = sql::first(
            "SELECT rolsuper, rolcanlogin, rolcreaterole, rolbypassrls \
             FROM pg_catalog.pg_roles WHERE rolname = $1",
            args![name],
            |row| (1..=4).any(|n| row.want::<bool>(n)),
        );
        match attributes {
            None => create_role(name)?,
            Some(true) if name == role::OWNER => {
                return Err(
                    Error::state(format!("role {name} is not an ordinary NOLOGIN role")).hint(
                        format!("ALTER ROLE {name} NOLOGIN NOSUPERUSER NOCREATEROLE NOBYPASSRLS;"),
                    ),
                );
            }
            Some(_) => {}
        }
    }
    Ok(())
}

/// Roles belong to all databases: another one may make the same role at this moment.
fn create_role(name: &str) -> Result<()> {
    let made = transaction::in_subtransaction(|| {
        sql::run(&format!("CREATE ROLE {name} NOLOGIN"), args![]);
        Ok(())
    });
    match made {
        Err(error) if error.code == PgSqlErrorCode::ERRCODE_UNIQUE_VIOLATION => Ok(()),
        Err(error) if error.code == PgSqlErrorCode::ERRCODE_DUPLICATE_OBJECT => Ok(()),
        made => made,
    }
}

/// Gives the schemas and everything in them that is not the extension's to the owner role.
pub fn adopt() -> Result<()> {
    for schema in ["cdp", "cdp_segment"] {
        sql::run(
            &format!("ALTER SCHEMA {schema} OWNER TO {}", role::OWNER),
            args![],
        );
    }
    let statements = sql::rows(
        include_str!("../../sql/adopt.sql"),
        args![role::OWNER],
        |row| row.want::<String>(1),
    );
    for statement in statements {
        sql::run(&statement, args![]);
    }
    sql::run(
        &format!(
            "GRANT EXECUTE ON ALL ROUTINES IN SCHEMA cdp TO {}",
            role::OWNER
        ),
        args![],
    );
    Ok(())
}
