//! Why two identifiers belong to one person, or why not: the chain of links between them, with the
//! links that were refused and the rule that refused each.

mod apart;
mod cluster;
mod regrouped;
mod sliced;
mod step;

use pgrx::prelude::*;

use super::resolve;
use crate::pg::error::OrRaise;
use crate::pg::{Error, Result};
use crate::rules::Rules;

pub use regrouped::{Because, MOST, because, named};
use step::Step;

/// A function of SQL that gives steps.
macro_rules! explains {
    ($(#[$doc:meta])* $name:ident ($($argument:ident: $ty:ty),*) = $body:expr) => {
        $(#[$doc])*
        #[pg_extern(name = "explain_identity", volatile, parallel_unsafe)]
        #[search_path(pg_catalog, pg_temp)]
        #[allow(clippy::type_complexity)]
        fn $name($($argument: $ty),*) -> TableIterator<
            'static,
            (
                name!(step, Option<i32>),
                name!(from_type, String),
                name!(from_value, String),
                name!(to_type, String),
                name!(to_value, String),
                name!(kind, String),
                name!(decision, String),
                name!(rule, Option<String>),
                name!(sources, Vec<String>),
                name!(first_seen, Option<TimestampWithTimeZone>),
                name!(last_seen, Option<TimestampWithTimeZone>),
                name!(count, Option<i64>),
                name!(confirmed, Option<bool>),
                name!(weight, Option<i32>),
                name!(change_id, Option<i64>),
                name!(reason, Option<String>),
            ),
        > {
            let steps = crate::install::require_tables().and_then(|()| $body).or_raise();
            TableIterator::new(steps.into_iter().map(|s| {
                (
                    s.step, s.from.0, s.from.1, s.to.0, s.to.1, s.kind.to_owned(), s.decision.to_owned(),
                    s.rule, s.sources, s.first_seen, s.last_seen, s.count, s.confirmed, s.weight,
                    s.change_id, s.reason,
                )
            }))
        }
    };
}

explains! {
    /// Why two identifiers belong to one person: the shortest chain of links between them, each with
    /// what it rests on. Or why they do not: the chain with the links that were refused, and the rule
    /// that refused each; then, without a step, what else keeps the two apart. A time-sliced identifier
    /// is tied to whom it serves by a step that says when.
    ///
    /// # Errors
    /// 42704 if there is no such identifier type, or the identifier was never seen.
    explain_identifiers(type_a: &str, value_a: &str, type_b: &str, value_b: &str) = {
        let find = |type_name: &str, value: &str| {
            let known = resolve::node(type_name, value)?;
            known.map(|node| node.id).ok_or_else(|| {
                Error::unknown(format!("{type_name} \"{value}\" was never seen"))
                    .hint("Look it up in cdp.identifiers; values are stored in their normal form.")
            })
        };
        find(type_a, value_a).and_then(|a| explain(a, find(type_b, value_b)?))
    }
}

explains! {
    /// The same for the identifiers that two profiles are named after, present or former ones.
    ///
    /// # Errors
    /// 42704 if there never was such a profile.
    explain_profiles(profile_a: i64, profile_b: i64) = {
        let find = |profile: i64| match resolve::profile_of(profile) {
            Some(_) => Ok(profile),
            None => Err(Error::unknown(format!("there is no profile {profile}"))
                .hint("Profile ids are in cdp.profiles; those of before in cdp.identity_changes.")),
        };
        find(profile_a).and_then(|a| explain(a, find(profile_b)?))
    }
}

/// The steps from one node to another.
fn explain(from: i64, to: i64) -> Result<Vec<Step>> {
    if from == to {
        return Ok(Vec::new());
    }
    let rules = Rules::load()?;
    let a = sliced::end(from, resolve::profile_of(to));
    let b = sliced::end(to, a.profile);
    let mut steps = match (a.profile, b.profile) {
        (Some(here), Some(there)) if here == there => {
            cluster::chain_within(&rules, here, (a.node, b.node), usize::MAX)?
        }
        (Some(here), Some(there)) => {
            let mut steps = apart::chain_between(&rules, (here, a.node), (there, b.node))?;
            steps.extend(apart::beside(&rules, here, there, &steps)?);
            steps
        }
        // Who is in no profile has no links.
        _ => Vec::new(),
    };
    let is_chain = a.profile == b.profile || steps.iter().any(|step| step.of_chain);
    if let Some(mut step) = sliced::step(from, &a)? {
        step.of_chain = is_chain;
        steps.insert(0, step);
    }
    if let Some(mut step) = sliced::step(to, &b)? {
        (step.from, step.to) = (step.to, step.from);
        step.of_chain = is_chain;
        let last = steps.iter().rposition(|step| step.of_chain);
        steps.insert(last.map_or(steps.len(), |last| last + 1), step);
    }
    if a.profile.is_none() || a.profile != b.profile || a.node != from || b.node != to {
        steps.extend(apart::unlinked_steps((a.profile, from), (b.profile, to))?);
        steps.extend(apart::inert(&rules, from, to)?);
    }
    let mut number = 0;
    for step in &mut steps {
        if step.of_chain {
            number += 1;
            step.step = Some(number);
        }
    }
    Ok(steps)
}
