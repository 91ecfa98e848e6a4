//! No picture has anything on top of something else, whatever the graph.

use proptest::prelude::*;

use super::layout::{Layout, Rect, layout};
use super::*;
use crate::graph::Refusal;

/// Any picture: nodes of any type and standing, connected by accepted links, and other links at will.
fn picture() -> impl Strategy<Value = Picture> {
    (1usize..70).prop_flat_map(|count| {
        let nodes = proptest::collection::vec((0u16..6, "\\PC{0,40}", 0u8..6), count);
        let towards = proptest::collection::vec(any::<proptest::sample::Index>(), count);
        let beside = proptest::collection::vec((0..count, 0..count, 0u8..7), 0..count);
        (nodes, towards, beside).prop_map(|(nodes, towards, beside)| {
            let mut picture = Picture {
                profile_id: 1,
                types: [
                    "user_id",
                    "email",
                    "phone",
                    "device_id",
                    "anonymous_id",
                    "record:crm",
                ]
                .map(String::from)
                .to_vec(),
                ..Picture::default()
            };
            for (n, (type_idx, value, standing)) in nodes.into_iter().enumerate() {
                picture.nodes.push(Identifier {
                    id: n as i64 + 1,
                    type_idx,
                    value,
                    profile_id: (standing != 1).then_some(if standing == 2 { 9 } else { 1 }),
                    standing: match standing {
                        1 => Standing::Blocked,
                        3 => Standing::Shared {
                            type_idx: 0,
                            degree: 11,
                        },
                        _ => Standing::Ordinary,
                    },
                });
                if n > 0 {
                    let to = towards[n].index(n);
                    picture.links.push(link(n, to, 0));
                }
            }
            let others = beside.into_iter().filter(|(a, b, _)| a != b);
            picture
                .links
                .extend(others.map(|(a, b, what)| link(a, b, what)));
            picture
        })
    })
}

fn link(a: usize, b: usize, what: u8) -> Shown {
    Shown {
        a: a as u32,
        b: b as u32,
        kind: match what {
            3 => Kind::Matched { weight: 12 },
            4 => Kind::Asserted,
            5 => Kind::TimeSliced,
            6 => Kind::NonMatch { weight: -812 },
            _ => Kind::Observed,
        },
        decision: match what {
            1 => Some(Decision::Refused(Refusal::MaxPerProfile { type_idx: 0 })),
            2 | 5 => None,
            _ => Some(Decision::Accepted),
        },
        confirmed: a.is_multiple_of(2),
        sources: vec!["web".to_owned(); 1 + a % 4],
        count: 3,
        first_seen: 0,
        last_seen: 86_400_000_000 * a as i64,
        reason: None,
        slices: (0..a as i64 % 5)
            .map(|n| Slice {
                from: (n > 0).then_some(n * 3_600_000_000),
                until: Some((n + 1) * 3_600_000_000),
            })
            .collect(),
    }
}

fn on_top(layout: &Layout) -> Option<(Rect, Rect)> {
    let mut rects = layout.pills.clone();
    rects.extend(layout.labels.iter().map(|label| label.rect));
    // Lines of one label touch.
    let shrunk = |r: &Rect| Rect {
        y: r.y + 0.01,
        h: r.h - 0.02,
        ..*r
    };
    for (n, one) in rects.iter().enumerate() {
        let other = rects[..n].iter().find(|r| shrunk(r).overlaps(&shrunk(one)));
        if let Some(other) = other {
            return Some((*one, *other));
        }
    }
    None
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn nothing_lies_on_anything(picture in picture()) {
        let layout = layout(&picture);
        prop_assert_eq!(on_top(&layout), None);
        // Every link is drawn once, and says what it is or is counted among those that do not.
        let mut drawn: Vec<u32> = layout.entries.iter().map(|e| e.link).collect();
        drawn.extend(layout.arcs.iter().map(|a| a.link));
        drawn.sort_unstable();
        prop_assert_eq!(drawn, (0..picture.links.len() as u32).collect::<Vec<_>>());
        let mut labelled: Vec<u32> = layout.labels.iter().map(|l| l.link).collect();
        labelled.sort_unstable();
        labelled.dedup();
        prop_assert_eq!(labelled.len() + layout.unlabelled, picture.links.len());
    }
}

#[test]
fn two_identifiers_stand_side_by_side() {
    let mut picture = Picture {
        profile_id: 1,
        types: vec!["user_id".to_owned()],
        ..Picture::default()
    };
    for id in [1, 2] {
        picture.nodes.push(Identifier {
            id,
            type_idx: 0,
            value: "same".to_owned(),
            profile_id: Some(1),
            standing: Standing::Ordinary,
        });
    }
    picture.links.push(link(0, 1, 0));
    let layout = layout(&picture);
    assert_eq!(layout.pills[0].y, layout.pills[1].y);
    assert!(layout.pills[0].x + layout.pills[0].w < layout.labels[0].rect.x);
    assert!(layout.labels[0].rect.x + layout.labels[0].rect.w < layout.pills[1].x);
}
