//! What people say by hand about who is who: links, cannot-links, evidence that they revoke. Every
//! word is kept, with who, when and why; undoing one adds another. A change goes the way of a batch,
//! in the transaction of who made it.

mod functions;
mod store;

use crate::evidence::revoked;
use crate::identity::asserted::{self, Pair};
use crate::identity::history::{Cause, Verdict};
use crate::pg::{Error, Result, role, sql, transaction};
use crate::rules::Rules;
use crate::worker::progress;
use crate::{args, install, pipeline};

use store::{Kind, Stored};

/// Runs a change by hand as the owner role, under the pipeline lock. `body` stores the assertion and
/// gives its id.
fn change(what: &str, body: impl FnOnce(&Rules, &Author) -> Result<i64>) -> Result<i64> {
    transaction::require_primary(what)?;
    let author = Author {
        role: role::name_of(role::current()).unwrap_or_default(),
    };
    role::as_owner(|| {
        install::require_tables()?;
        // A copy that was not started may give ids that it holds already.
        if install::state() == install::State::Elsewhere {
            install::require_ready()?;
        }
        transaction::require_read_committed(what)?;
        install::lock_pipeline();
        let changed = body(&Rules::load()?, &author);
        progress::finish();
        changed
    })
}

/// Who makes a change.
struct Author {
    /// The role that acts; who logged in is known to the session.
    role: String,
}

/// Brings derived state up to date after `about` began or ceased to stand, by change `change_id` of
/// kind `kind`.
fn follow(rules: &Rules, about: &Stored, kind: Kind, change_id: i64) -> Result<()> {
    let cause = |pair| Cause::ByHand {
        kind: kind.name(),
        change_id,
        pair,
    };
    match about.kind {
        Kind::Link | Kind::Unlink => {
            let Some(pair) = about.pair() else {
                return Ok(());
            };
            let verdict = match about.kind {
                Kind::Link => Verdict::Linked,
                _ => Verdict::Apart,
            };
            pipeline::assert(rules, &[pair], &cause(Some((pair, verdict))))?;
            warn_if_refused(pair);
            Ok(())
        }
        Kind::RevokeSource | Kind::RevokeMessage => {
            let source = about
                .source_id
                .ok_or_else(|| Error::internal("a revocation without a source"))?;
            let scope = match (&about.message_id, about.event_id) {
                (Some(id), _) => revoked::Scope::Message(source, id),
                (None, Some(id)) => revoked::Scope::Event(source, id),
                (None, None) => revoked::Scope::Source(source),
            };
            let changed = revoked::mark(&scope);
            // Whether the source is revoked is part of the rules.
            let rules = Rules::load()?;
            pipeline::recount(&rules, &changed, &cause(None))
        }
        Kind::Undo => Err(Error::internal("an undo says nothing by itself")),
    }
}

/// Says so if a link by hand joins nothing, since something else said by hand forbids it.
fn warn_if_refused((low, high): Pair) {
    let refused = sql::one::<bool>(
        "SELECT decision > 0 FROM cdp.asserted_links WHERE low = $1 AND high = $2",
        args![low, high],
    );
    if refused == Some(true) {
        Error::state("the link joins nothing: others in these profiles are unlinked")
            .hint("Call cdp.explain_identity() to see which, and undo that first.")
            .warn();
    }
}

/// The nodes of two identifiers that somebody names.
fn ends(rules: &Rules, a: (&str, &str), b: (&str, &str)) -> Result<((i32, i64), (i32, i64))> {
    let ends = (
        asserted::named(rules, a.0, a.1)?,
        asserted::named(rules, b.0, b.1)?,
    );
    if ends.0.1 == ends.1.1 {
        return Err(Error::invalid(format!(
            "{} \"{}\" and {} \"{}\" are one identifier",
            a.0, a.1, b.0, b.1
        ))
        .hint("Name two different ones; values are compared in their normal form."));
    }
    Ok(ends)
}
