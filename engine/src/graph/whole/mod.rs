//! The whole graph at once, from everything that was accepted: which identifiers are shared, the
//! stars of the sets, the links that they show, and what the greedy pass makes of those. The same as
//! the changes would have given one after the other, in flat arrays and near-linear time.
//!
//! Memory, in bytes: 25 a node and its value, 48 a set and 4 for each of its members, then 40 a link
//! ([`Sets::links`]), and beside these what [`resolve`](super::resolve) takes.

use crate::background::Cancel;

mod nodes;
mod places;
mod sets;

pub use nodes::Nodes;
pub use sets::{Limit, Links, Sets, Shared, Stars};

/// Given up because nobody wants the result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cancelled;

/// How often a loop looks whether to give up: every so many steps, some milliseconds.
pub(super) const STRIDE: usize = 1 << 16;

/// Fails once it is cancelled.
pub(super) fn go_on(cancel: &Cancel) -> Result<(), Cancelled> {
    if cancel.is_set() {
        return Err(Cancelled);
    }
    Ok(())
}
