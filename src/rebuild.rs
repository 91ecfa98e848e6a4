//! Deriving anew: everything, or what a changed rule concerns. The steps are those of a batch, over
//! all that is stored; only differences are written.

use pgrx::prelude::*;

use crate::evidence::{reread, revoked, tally};
use crate::identity::history::Cause;
use crate::pg::error::OrRaise;
use crate::pg::{Result, role, transaction};
use crate::rules::Rules;
use crate::worker::progress;
use crate::{identity, install, matching, profile, segment};

/// What a changed rule concerns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// What is an identifier, and how it is normalised: sets, and all that follows.
    Evidence,
    /// Identifier types: clusters and all that follows.
    Identity,
    /// Traits: candidates, profiles and segments.
    Traits,
}

/// Applies changed rules to the past. Under the pipeline lock, which the caller holds. What became of
/// the identity graph, if it was derived anew.
///
/// # Errors
/// What the steps raise; nothing is changed then.
pub fn apply(scope: Scope) -> Result<Option<identity::Outcome>> {
    let rules = Rules::load()?;
    if scope == Scope::Evidence {
        derive_evidence(&rules)?;
    }
    let regraphed = match scope {
        Scope::Evidence => {
            let changes = matching::rebuild()?;
            Some(identity::rebuild(&rules, &changes, &Cause::Rules)?)
        }
        Scope::Identity => Some(identity::rebuild(&rules, &[], &Cause::Rules)?),
        Scope::Traits => None,
    };
    derive_profiles(&rules)?;
    progress::finish();
    Ok(regraphed)
}

/// Derives everything anew from what was accepted, and writes what differs: evidence, clusters,
/// traits, profiles, memberships. The number of profiles. In a database that was only ever written
/// by pg_cdp nothing differs.
///
/// # Errors
/// 55000 if the tables are absent or of another version.
#[pg_extern(volatile, parallel_unsafe)]
#[search_path(pg_catalog, pg_temp)]
fn rebuild() -> i64 {
    role::as_owner(|| {
        install::require_tables()?;
        progress::start("rebuild: waiting for the pipeline", 0);
        transaction::require_read_committed("cdp.rebuild()")?;
        install::lock_pipeline();
        let rules = Rules::load()?;
        progress::start("rebuild: evidence", 0);
        derive_evidence(&rules)?;
        progress::start("rebuild: identity", 0);
        let changes = matching::rebuild()?;
        identity::rebuild(&rules, &changes, &Cause::Rebuild)?;
        derive_profiles(&rules)?;
        progress::finish();
        Ok(
            crate::pg::sql::one::<i64>("SELECT count(*) FROM cdp.profile_rows", crate::args![])
                .unwrap_or(0),
        )
    })
    .or_raise()
}

fn derive_evidence(rules: &Rules) -> Result<()> {
    reread::all(rules)?;
    identity::reread(rules)?;
    revoked::mark_all();
    tally::recount_all();
    Ok(())
}

fn derive_profiles(rules: &Rules) -> Result<()> {
    progress::start("traits", 0);
    profile::candidates::rebuild(rules)?;
    profile::rows::refresh(rules, &profile::rows::all())?;
    progress::start("segments", 0);
    segment::refresh_all()
}
