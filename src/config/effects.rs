//! What follows from changed declarations: checks of the whole, and the recomputation of derived
//! state, once however much was changed.

use std::collections::BTreeSet;

use pgrx::pg_sys::Oid;

use super::fault::Outcome;
use super::{columns, identifier_types, segments, traits, view};
use crate::identity::Outcome as Regraphed;
use crate::rebuild::{self, Scope};

/// How far changes go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// They are checked and undone: no lock is taken on what others read, nothing is recomputed.
    List,
    /// They are computed and undone: whatever others would notice is left out.
    Try,
    /// They are kept.
    Keep,
}

/// What the changes made so far ask for.
#[derive(Debug)]
pub struct Effects {
    /// The role that asked, before the owner role took over.
    pub caller: Oid,
    /// How far they go.
    pub mode: Mode,
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
    pub fn new(caller: Oid, mode: Mode) -> Self {
        Self {
            caller,
            mode,
            whole: false,
            evidence: false,
            identity: false,
            traits: false,
            view: false,
            rules: false,
            segments: BTreeSet::new(),
        }
    }

    /// Whether all that follows from the changes is computed.
    pub fn computes(&self) -> bool {
        self.mode != Mode::List
    }

    /// Whether the changes are kept.
    pub fn keeps(&self) -> bool {
        self.mode == Mode::Keep
    }

    /// Checks the whole, then recomputes what the changes affect. What became of the identity graph, if
    /// it was derived anew.
    pub fn finish(self) -> Outcome<Option<Regraphed>> {
        identifier_types::check_all()?;
        traits::check_all()?;
        if self.rules {
            segments::check_all()?;
        }
        if !self.computes() {
            return Ok(None);
        }
        let scope = match (self.evidence, self.identity, self.traits) {
            (true, ..) => Some(Scope::Evidence),
            (false, true, _) => Some(Scope::Identity),
            (false, false, true) => Some(Scope::Traits),
            (false, false, false) => None,
        };
        let keeps = self.keeps();
        let regraphed = match scope {
            Some(scope) => rebuild::apply(scope)?,
            None => None,
        };
        // Also after a rebuild, which evaluates all: it does not say when they were refreshed.
        for segment in segments::with_dependants(&self.segments) {
            crate::segment::refresh(segment)?;
        }
        // Last: from here to the end of the transaction, readers of profiles wait.
        if self.view && keeps {
            view::regenerate()?;
            columns::ensure_spares();
        }
        Ok(regraphed)
    }
}
