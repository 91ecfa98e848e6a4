//! Why two identifiers are in one cluster.

use super::order::{Classes, Order, Ranks};
use super::{Link, Node, TypeRule};

/// The shortest chain of links from one node to another, as positions in `links`; empty when they
/// are one node, `None` when nothing connects them. `links` must be accepted links.
///
/// A chain is as strong as its weakest link, so of several shortest ones it is the one whose weakest
/// link is strongest, and then the one with the strongest last links.
///
/// A breadth-first search: O(n + m log m) for n nodes and m links, so pass one cluster and not the
/// whole graph.
pub fn chain(
    nodes: &[Node],
    links: &[Link],
    rules: &[TypeRule],
    from: u32,
    to: u32,
) -> Option<Vec<usize>> {
    let ranks = Ranks::new(rules);
    let node_ranks = ranks.of_nodes(nodes);
    let mut order: Vec<u32> = (0u32..).take(links.len()).collect();
    let classes = Classes::new(links, &[], rules, &ranks);
    Order::new(nodes, &node_ranks, links, rules, &ranks, &classes).sort(&mut order);
    // Links at each node as (place in the order, other end), the strongest first.
    let mut at = vec![Vec::new(); nodes.len()];
    for (place, &link) in order.iter().enumerate() {
        let l = &links[link as usize];
        at[l.a as usize].push((place, l.b));
        at[l.b as usize].push((place, l.a));
    }
    // How each node is reached best, as places in the order: weakest link so far, then last link.
    let mut reached: Vec<Option<Step>> = vec![None; nodes.len()];
    reached[from as usize] = Some(Step {
        weakest: 0,
        last: 0,
        before: from,
    });
    let mut layer = vec![from];
    while reached[to as usize].is_none() && !layer.is_empty() {
        let mut next: Vec<(u32, Step)> = Vec::new();
        for &before in &layer {
            let so_far = reached[before as usize].map_or(0, |s| s.weakest);
            for &(last, node) in &at[before as usize] {
                if reached[node as usize].is_none() {
                    let weakest = so_far.max(last);
                    next.push((
                        node,
                        Step {
                            weakest,
                            last,
                            before,
                        },
                    ));
                }
            }
        }
        next.sort_unstable();
        next.dedup_by_key(|(node, _)| *node);
        for &(node, step) in &next {
            reached[node as usize] = Some(step);
        }
        layer = next.into_iter().map(|(node, _)| node).collect();
    }
    let mut found = Vec::new();
    let mut node = to;
    while node != from {
        let step = reached[node as usize]?;
        found.push(order[step.last] as usize);
        node = step.before;
    }
    found.reverse();
    Some(found)
}

/// The last step of the best chain to a node; orders as chains of one length do.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Step {
    weakest: usize,
    last: usize,
    before: u32,
}
