//! The graph as JSON.

use serde_json::{Value, json as object};

use super::{Identifier, Kind, Picture, Shown, Slice, Standing, label};
use crate::graph::Decision;

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
        Standing::TimeSliced => shown["time_sliced"] = true.into(),
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
        "decision": "accepted",
        "sources": link.sources,
        "count": link.count,
        "confirmed": link.confirmed,
        "first_seen": label::instant(link.first_seen),
        "last_seen": label::instant(link.last_seen),
    });
    if link.kind == Kind::TimeSliced {
        shown["decision"] = "sliced".into();
        shown["slices"] = link.slices.iter().map(slice).collect();
    } else if let Some((rule, about)) = rule(picture, link) {
        shown["decision"] = "refused".into();
        shown["rule"] = rule.into();
        if let Some(type_idx) = about {
            shown["rule_of"] = picture.type_name(type_idx).into();
        }
    }
    if let Some(weight) = link.kind.weight() {
        shown["weight"] = weight.into();
        for date in ["first_seen", "last_seen"] {
            shown.as_object_mut().map(|shown| shown.remove(date));
        }
    }
    if let Some(reason) = &link.reason {
        shown["reason"] = reason.as_str().into();
    }
    shown
}

fn slice(slice: &Slice) -> Value {
    object!({
        "from": slice.from.map(label::instant),
        "until": slice.until.map(label::instant),
    })
}

/// The rule by which a link joins nothing, and the type that it is about.
fn rule(picture: &Picture, link: &Shown) -> Option<(&'static str, Option<u16>)> {
    match link.decision {
        Some(Decision::Accepted) => None,
        Some(refused) => Some((refused.name(), refused.type_idx())),
        None => {
            let ends = [picture.node(link.a), picture.node(link.b)];
            let standings = ends.map(|end| end.standing);
            if standings.contains(&Standing::Blocked) {
                return Some(("blocked", None));
            }
            let by = standings.into_iter().find_map(|standing| match standing {
                Standing::Shared { type_idx, .. } => Some(type_idx),
                Standing::Ordinary | Standing::Blocked | Standing::TimeSliced => None,
            });
            Some(("max_degree", by))
        }
    }
}
