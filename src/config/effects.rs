//! What follows from changed declarations: checks of the whole, and the recomputation of derived
//! state, once however much was changed.

use std::collections::BTreeSet;

use pgrx::pg_sys::Oid;

use super::fault::Outcome;
use super::{columns, identifier_types, segments, traits, view};
use crate::rebuild::{self, Scope};

/// What the changes made so far ask for.
#[derive(Debug)]
pub struct Effects {
    /// The role that asked, before the owner role took over.
    pub caller: Oid,
    /// Whether nothing is to be kept: no lock is taken on what others read, nothing is recomputed.
    pub planning: bool,
    /// Whether other declarations change too, so that references are checked when all is done.
    pub whole: bool,
    /// What bounds the time of links changed, or what a stored message shows as identifiers.
    pub evidence: bool,
    /// Rules of identity changed.
    pub identity: bool,
    /// Rules of traits changed.
    pub traits: bool,
    /// The columns of `cdp.profiles` changed.
    pub view: bool,
    /// The types of traits that rules test changed.
    pub rules: bool,
    /// Segments made or changed.
    pub segments: BTreeSet<String>,
}

impl Effects {
    /// None yet.
    pub fn new(caller: Oid) -> Self {
        Self {
            caller,
            planning: false,
            whole: false,
            evidence: false,
            identity: false,
            traits: false,
            view: false,
            rules: false,
            segments: BTreeSet::new(),
        }
    }

    /// Checks the whole, then recomputes what the changes affect.
    pub fn finish(self) -> Outcome<()> {
        identifier_types::check_all()?;
        traits::check_all()?;
        if self.rules {
            segments::check_all()?;
        }
        if self.planning {
            return Ok(());
        }
        let scope = match (self.evidence, self.identity, self.traits) {
            (true, ..) => Some(Scope::Evidence),
            (false, true, _) => Some(Scope::Identity),
            (false, false, true) => Some(Scope::Traits),
            (false, false, false) => None,
        };
        if let Some(scope) = scope {
            rebuild::apply(scope)?;
        }
        // Also after a rebuild, which evaluates all: it does not say when they were refreshed.
        for segment in segments::with_dependants(&self.segments) {
            crate::segment::refresh(segment)?;
        }
        // Last: from here to the end of the transaction, readers of profiles wait.
        if self.view {
            view::regenerate()?;
            columns::ensure_spares();
        }
        Ok(())
    }
}
