//! Connected components: which nodes hang together when no rule forbids anything.
//!
//! Links come in batches and are joined at once in a union-find forest, so that what is kept is
//! nodes, never links. Nodes are 64-bit integers ([`Bigints`]) or byte strings ([`Texts`]); a
//! component is named by its smallest node.
//!
//! Memory, bytes a node, all of it counted before it is taken:
//!
//! | nodes | held | at most, while a table grows |
//! | --- | --- | --- |
//! | integers that fill at least an eighth of 0 up to the largest | 4 for each number up to the largest | 8 |
//! | any other integers | 23 to 39 | 55 |
//! | byte strings | 27 to 43, and 1.5 times their bytes | 59, and twice their bytes |

mod bigints;
mod dense;
mod stitcher;
mod texts;

pub use bigints::Bigints;
pub use stitcher::Stitcher;
pub use texts::{Pairs, Texts};

/// More memory would be needed than is allowed, or than there is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooLarge {
    /// Nodes so far.
    pub nodes: usize,
    /// Bytes that would be needed to go on.
    pub needed: usize,
}

/// Links, many at once.
pub trait Batch: Default + Send + 'static {
    /// Forgets them, and keeps the room.
    fn clear(&mut self);
}

impl Batch for Vec<(i64, i64)> {
    fn clear(&mut self) {
        self.clear();
    }
}

/// A forest that links are added to.
pub trait Forest: Send + 'static {
    /// Links of such nodes.
    type Links: Batch;

    /// Joins the two nodes of each link; a link of a node with itself adds the node.
    ///
    /// # Errors
    /// When memory runs out; the forest is then of no use.
    fn join(&mut self, links: &Self::Links) -> Result<(), TooLarge>;

    /// Finds the smallest node of each component. Nothing is joined after it.
    fn name(&mut self);
}

/// Makes room for `more` elements, half as many again as there are at least, and never aborts.
/// `others` are the bytes held besides, out of `limit`.
fn reserve<T>(vec: &mut Vec<T>, more: usize, others: usize, limit: usize) -> Result<(), usize> {
    let wanted = vec.len() + more;
    if wanted <= vec.capacity() {
        return Ok(());
    }
    let capacity = wanted.max(vec.capacity() + vec.capacity() / 2);
    let bytes = |capacity: usize| others.saturating_add(capacity.saturating_mul(size_of::<T>()));
    // Near the limit exactly what is needed is better than nothing.
    let capacity = if bytes(capacity) <= limit {
        capacity
    } else {
        wanted
    };
    if bytes(capacity) > limit || vec.try_reserve_exact(capacity - vec.len()).is_err() {
        return Err(bytes(capacity));
    }
    Ok(())
}
