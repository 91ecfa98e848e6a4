//! From an identifier set to links.

use super::TypeRule;
use super::order::Ranks;

/// An identifier as one member of an identifier set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SetNode<'a> {
    /// The node.
    pub node_id: i64,
    /// Position of its type in the slice of rules.
    pub type_idx: u16,
    /// Its normalised value.
    pub value: &'a str,
    /// Its value identifies nobody (`null`, `test@…`).
    pub blocked: bool,
    /// It belongs to many people (a kiosk, a family phone): it joins nothing.
    pub shared: bool,
}

/// What an identifier set says: its centre is linked with every leaf.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Star {
    /// The node that the set's events belong to; `None` when all its identifiers are blocked, or
    /// time-sliced.
    pub centre: Option<i64>,
    /// The other nodes that it joins, the strongest first.
    pub leaves: Vec<i64>,
    /// Its time-sliced identifiers, the strongest first. With a centre, the set shows who was using
    /// them; without one, its events belong to whoever was using the first.
    pub sliced: Vec<i64>,
}

/// Gives a set, less its blocked, shared and time-sliced identifiers, as a star round its strongest
/// identifier: of the strongest type present, the smallest value as bytes. Where only shared
/// identifiers are left, the strongest of them is a centre without leaves, which still holds its own
/// events; but time-sliced ones come before shared ones.
///
/// Not a clique: when the link of two strong identifiers is refused, the weak ones must stay with
/// the centre, and not pull it into the other's profile. O(n log n).
pub fn star(set: &[SetNode], rules: &[TypeRule]) -> Star {
    let ranks = Ranks::new(rules);
    let mut usable: Vec<&SetNode> = set.iter().filter(|n| !n.blocked).collect();
    usable.sort_by_key(|n| (ranks.rank_of(n.type_idx), n.value));
    let (sliced, lasting): (Vec<&SetNode>, Vec<&SetNode>) = usable
        .into_iter()
        .partition(|n| rules[usize::from(n.type_idx)].time_sliced);
    let mut own = lasting.iter().filter(|n| !n.shared).map(|n| n.node_id);
    let first_own = own.next();
    let first_shared = lasting.first().map(|n| n.node_id);
    Star {
        centre: first_own.or(if sliced.is_empty() {
            first_shared
        } else {
            None
        }),
        leaves: own.collect(),
        sliced: sliced.into_iter().map(|n| n.node_id).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Types 0 and 1 where 1 is the stronger.
    fn star_of(set: &[SetNode]) -> (Option<i64>, Vec<i64>) {
        let rules = [2, 1].map(|priority| TypeRule {
            priority,
            ..TypeRule::default()
        });
        let Star { centre, leaves, .. } = star(set, &rules);
        (centre, leaves)
    }

    fn node(node_id: i64, type_idx: u16, value: &str) -> SetNode<'_> {
        SetNode {
            node_id,
            type_idx,
            value,
            blocked: false,
            shared: false,
        }
    }

    fn blocked(node: SetNode) -> SetNode {
        SetNode {
            blocked: true,
            ..node
        }
    }

    fn shared(node: SetNode) -> SetNode {
        SetNode {
            shared: true,
            ..node
        }
    }

    #[test]
    fn the_strongest_type_and_then_the_smallest_value_is_the_centre() {
        let set = [
            node(1, 0, "a"),
            node(2, 1, "b"),
            node(3, 1, "B"),
            node(4, 0, ""),
        ];
        assert_eq!(star_of(&set), (Some(3), vec![2, 4, 1]));
    }

    #[test]
    fn blocked_and_shared_identifiers_join_nothing() {
        let set = [
            node(1, 0, "a"),
            blocked(node(2, 1, "null")),
            shared(node(3, 1, "kiosk")),
            node(4, 0, "b"),
        ];
        assert_eq!(star_of(&set), (Some(1), vec![4]));
    }

    #[test]
    fn a_shared_identifier_keeps_its_own_events() {
        let set = [
            shared(node(1, 0, "a")),
            shared(node(2, 1, "b")),
            blocked(node(3, 1, "a")),
        ];
        assert_eq!(star_of(&set), (Some(2), vec![]));
    }

    #[test]
    fn what_is_blocked_is_nobody() {
        assert_eq!(star_of(&[blocked(node(1, 0, "0"))]), (None, vec![]));
        assert_eq!(star_of(&[]), (None, vec![]));
    }

    #[test]
    fn time_sliced_identifiers_join_nothing_and_come_before_shared_ones() {
        let rules = [(1, false), (2, true), (3, true)].map(|(priority, time_sliced)| TypeRule {
            priority,
            time_sliced,
            ..TypeRule::default()
        });
        let (device, cookie) = (node(5, 1, "d"), node(4, 2, "c"));
        let of = |set: &[SetNode]| {
            let Star {
                centre,
                leaves,
                sliced,
            } = star(set, &rules);
            (centre, leaves, sliced)
        };
        let person = [cookie, node(1, 0, "u"), device, node(2, 0, "v")];
        assert_eq!(of(&person), (Some(1), vec![2], vec![5, 4]));
        assert_eq!(of(&[cookie, device]), (None, vec![], vec![5, 4]));
        let kiosk = [cookie, shared(node(1, 0, "u")), blocked(device)];
        assert_eq!(of(&kiosk), (None, vec![], vec![4]));
    }
}
