//! Numbered migrations of the tables. Released ones are frozen; a change is a new one.

use crate::args;
use crate::pg::{Error, Result, sql};

/// A step from the version before it: SQL files, in order.
struct Migration {
    version: i32,
    scripts: &'static [&'static str],
}

const MIGRATIONS: &[Migration] = &[
    Migration {
        version: 1,
        scripts: &[
            include_str!("../../sql/001_core.sql"),
            include_str!("../../sql/002_inbox.sql"),
            include_str!("../../sql/003_evidence.sql"),
            include_str!("../../sql/004_identity.sql"),
            include_str!("../../sql/005_profiles.sql"),
            include_str!("../../sql/006_segments.sql"),
            include_str!("../../sql/007_jobs.sql"),
            include_str!("../../sql/008_defaults.sql"),
            include_str!("../../sql/009_mapping.sql"),
        ],
    },
    Migration {
        version: 2,
        scripts: &[include_str!("../../sql/010_records.sql")],
    },
    Migration {
        version: 3,
        scripts: &[include_str!("../../sql/011_assertions.sql")],
    },
    Migration {
        version: 4,
        scripts: &[
            include_str!("../../sql/012_time_slices.sql"),
            include_str!("../../sql/013_identity_issues.sql"),
        ],
    },
    Migration {
        version: 5,
        scripts: &[include_str!("../../sql/014_segment_views.sql")],
    },
    Migration {
        version: 6,
        scripts: &[include_str!("../../sql/015_matching.sql")],
    },
    Migration {
        version: 7,
        scripts: &[include_str!("../../sql/016_matchers.sql")],
    },
    Migration {
        version: 8,
        scripts: &[include_str!("../../sql/017_match_keys.sql")],
    },
];

/// The version of the tables that this library works with.
pub const SCHEMA_VERSION: i32 = MIGRATIONS[MIGRATIONS.len() - 1].version;

/// Brings the tables to [`SCHEMA_VERSION`]; the versions before and after. Runs as the owner role.
pub fn run() -> Result<(i32, i32)> {
    let exists = sql::one::<bool>(
        "SELECT pg_catalog.to_regclass('cdp.installation') IS NOT NULL",
        args![],
    );
    let from = if exists == Some(true) {
        sql::one::<i32>("SELECT schema_version FROM cdp.installation", args![]).unwrap_or(0)
    } else {
        0
    };
    if from > SCHEMA_VERSION {
        return Err(Error::state(format!(
            "the tables are of version {from}, newer than this library's {SCHEMA_VERSION}"
        ))
        .hint("Install the newer pg_cdp on this server."));
    }
    if from > 0 {
        super::lock_pipeline();
    }
    for migration in MIGRATIONS
        .iter()
        .filter(|migration| migration.version > from)
    {
        for script in migration.scripts {
            sql::run(script, args![]);
        }
        sql::run(
            "INSERT INTO cdp.installation (schema_version) VALUES ($1) \
             ON CONFLICT (singleton) DO UPDATE SET schema_version = EXCLUDED.schema_version",
            args![migration.version],
        );
    }
    crate::evidence::partitions::ensure_or_later()?;
    crate::config::columns::ensure_spares();
    if 0 < from && from < SCHEMA_VERSION {
        // Views that a migration made know no traits yet.
        crate::config::view::regenerate()?;
    }
    Ok((from, SCHEMA_VERSION))
}
