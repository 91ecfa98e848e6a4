//! The graph as JSON.

use serde_json::{Value, json as object};

use super::{Identifier, Kind, Picture, Shown, Standing, label};

/// The graph as a JSON document: the profile's identifiers and those at the other ends of its links,
/// the links with their evidence, and how much was left out. Times are in UTC.
pub fn json(picture: &Picture) -> String {
    let nodes: Vec<Value> = picture.nodes.iter().map(|n| node(picture, n)).collect();
    let links: Vec<Value> = picture.links.iter().map(|l| link(picture, l)).collect();
    object!({
        "profile_id": picture.profile_id,
        "identifiers": nodes,
        "links": links,
        "left_out": {
            "identifiers": picture.left_out.identifiers,
            "links": picture.left_out.links,
        },
    })
    .to_string()
}

fn node(picture: &Picture, node: &Identifier) -> Value {
    let mut shown = object!({
        "id": node.id,
        "type": picture.type_name(node.type_idx),
        "value": node.value,
        "profile_id": node.profile_id,
    });
    match node.standing {
        Standing::Ordinary => {}
        Standing::Blocked => shown["blocked"] = true.into(),
        Standing::Shared { type_idx, degree } => {
            shown["shared"] = object!({"by": picture.type_name(type_idx), "degree": degree});
        }
    }
    shown
}

fn link(picture: &Picture, link: &Shown) -> Value {
    let mut shown = object!({
        "from": picture.node(link.a).id,
        "to": picture.node(link.b).id,
        "kind": link.kind.name(),
        "decision": link.decision.map(crate::graph::Decision::name),
        "sources": link.sources,
        "count": link.count,
        "confirmed": link.confirmed,
        "first_seen": label::instant(link.first_seen),
        "last_seen": label::instant(link.last_seen),
    });
    if let Some(type_idx) = link.decision.and_then(crate::graph::Decision::type_idx) {
        shown["rule_of"] = picture.type_name(type_idx).into();
    }
    if let Kind::Matched { weight } = link.kind {
        shown["weight"] = weight.into();
    }
    if let Some(reason) = &link.reason {
        shown["reason"] = reason.as_str().into();
    }
    shown
}
