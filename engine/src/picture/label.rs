//! What is written beside identifiers and links.

use jiff::Timestamp;

use super::{Kind, Picture, Shown, Slice, Standing, text};
use crate::graph::Decision;

/// How wide a value may be, in em.
const VALUE: f64 = 19.0;
/// How wide a source's name, a type's, a reason may be.
const NAME: f64 = 11.0;
const REASON: f64 = 19.0;

/// An identifier's value, as drawn.
pub fn value(picture: &Picture, node: u32) -> String {
    text::shorten(&picture.node(node).value, VALUE)
}

/// What stands above the value: the type, and what sets the identifier apart.
pub fn above(picture: &Picture, node: u32) -> String {
    let identifier = picture.node(node);
    let name = type_name(picture, identifier.type_idx);
    match (identifier.standing, identifier.profile_id) {
        (Standing::Blocked, _) => format!("{name} · blocked"),
        (Standing::TimeSliced, _) => format!("{name} · time-sliced"),
        (Standing::Shared { type_idx, degree }, _) => {
            let by = type_name(picture, type_idx);
            format!("{name} · shared by {degree}+ {by}")
        }
        (Standing::Ordinary, Some(other)) if other != picture.profile_id => {
            format!("{name} · profile {other}")
        }
        (Standing::Ordinary, _) => name,
    }
}

/// A type's name, as drawn.
pub fn type_name(picture: &Picture, type_idx: u16) -> String {
    text::shorten(picture.type_name(type_idx), NAME)
}

/// Why a link joins nothing; `None` for one that joins.
pub fn verdict(picture: &Picture, link: &Shown) -> Option<String> {
    match link.kind {
        Kind::AssertedApart => return Some("asserted apart".to_owned()),
        Kind::NonMatch { .. } => return Some("held apart".to_owned()),
        Kind::TimeSliced => return Some(slices(link)),
        Kind::Observed | Kind::Matched { .. } | Kind::Asserted => {}
    }
    match link.decision {
        Some(Decision::Accepted) => None,
        Some(refused) => Some(match refused.type_idx() {
            Some(type_idx) => {
                let of = type_name(picture, type_idx);
                format!("refused: {} of {of}", refused.name())
            }
            None => format!("refused: {}", refused.name()),
        }),
        None => Some("joins nothing".to_owned()),
    }
}

/// How many slices are written on a link.
const SLICES: usize = 2;

/// When a time-sliced identifier was whose it is linked with, in short.
fn slices(link: &Shown) -> String {
    let mut parts: Vec<String> = link.slices.iter().take(SLICES).map(slice).collect();
    match link.slices.len() {
        0 => return "seen together, never in turn".to_owned(),
        n if n > SLICES => parts.push(format!("{} more", n - SLICES)),
        _ => {}
    }
    parts.join(", ")
}

fn slice(slice: &Slice) -> String {
    match (slice.from, slice.until) {
        (None, None) => "at all times".to_owned(),
        (Some(from), None) => format!("from {}", minute(from)),
        (None, Some(until)) => format!("until {}", minute(until)),
        (Some(from), Some(until)) => format!("{} – {}", minute(from), minute(until)),
    }
}

/// The evidence in short: sources, count, days.
pub fn evidence(link: &Shown) -> String {
    let mut parts = Vec::new();
    if link.kind == Kind::Asserted {
        parts.push("asserted".to_owned());
    }
    if let Some(weight) = link.kind.weight() {
        parts.push(format!("weight {:.2}", f64::from(weight) / 100.0));
    }
    let mut sources: Vec<String> = link
        .sources
        .iter()
        .take(2)
        .map(|name| text::shorten(name, NAME))
        .collect();
    if link.sources.len() > 2 {
        sources.push(format!("{} more", link.sources.len() - 2));
    }
    parts.extend((!sources.is_empty()).then(|| sources.join(", ")));
    parts.extend((link.count > 0).then(|| format!("{}×", link.count)));
    if link.kind.weight().is_none() {
        let (first, last) = (day(link.first_seen), day(link.last_seen));
        parts.push(if first == last {
            first
        } else {
            format!("{first} – {last}")
        });
    }
    if let Some(reason) = &link.reason {
        parts.push(text::shorten(reason, REASON));
    }
    parts.join(" · ")
}

/// Everything about a link, for whoever points at it.
pub fn whole(picture: &Picture, link: &Shown) -> String {
    let end = |node: u32| {
        let identifier = picture.node(node);
        let name = picture.type_name(identifier.type_idx);
        text::clean(&format!("{name} {}", identifier.value))
    };
    let mut lines = vec![
        format!("{} — {}", end(link.a), end(link.b)),
        verdict(picture, link).unwrap_or_else(|| "accepted".to_owned()),
        link.kind.name().to_owned()
            + match link.confirmed {
                true => ", confirmed",
                false => ", seen once",
            },
    ];
    if link.kind != Kind::Observed {
        lines[2] = link.kind.name().to_owned();
    }
    if let Some(weight) = link.kind.weight() {
        lines.push(format!("weight {:.2} bits", f64::from(weight) / 100.0));
    }
    if link.kind == Kind::TimeSliced {
        lines.truncate(1);
        lines.push("time-sliced: one person after another".to_owned());
        lines.extend(link.slices.iter().map(slice));
    }
    if !link.sources.is_empty() {
        lines.push(text::clean(&link.sources.join(", ")));
    }
    if link.count > 0 {
        lines.push(format!("{} times", link.count));
    }
    if link.kind.weight().is_none() {
        let (first, last) = (instant(link.first_seen), instant(link.last_seen));
        lines.push(if first == last {
            first
        } else {
            format!("{first} – {last}")
        });
    }
    lines.extend(link.reason.as_deref().map(text::clean));
    lines.join("\n")
}

/// The title of a picture and what it leaves out.
pub fn title(picture: &Picture) -> String {
    format!("Profile {}", picture.profile_id)
}

/// How many of each there are.
pub fn summary(picture: &Picture) -> String {
    let own = (0..picture.nodes.len() as u32).filter(|&n| picture.is_own(n));
    let accepted = |link: &&Shown| verdict(picture, link).is_none();
    let links = picture.links.iter().filter(accepted).count();
    let refused = |link: &&Shown| {
        !link.kind.is_apart() && matches!(link.decision, Some(d) if d != Decision::Accepted)
    };
    let refused = picture.links.iter().filter(refused).count();
    let mut parts = vec![
        counted(
            own.count() as u64 + picture.left_out.identifiers,
            "identifier",
        ),
        counted(links as u64, "link"),
    ];
    if picture.left_out.identifiers > 0 {
        parts[1].push_str(" drawn");
    }
    parts.extend((refused > 0).then(|| format!("{refused} refused")));
    parts.join(", ")
}

/// A note of what is not drawn.
pub fn left_out(picture: &Picture) -> Option<String> {
    let left = picture.left_out;
    let mut parts = Vec::new();
    if left.identifiers > 0 {
        let what = counted(left.identifiers, "identifier");
        parts.push(format!("{what} of this profile, the most weakly linked"));
    }
    if left.links > 0 {
        let what = counted(left.links, "link");
        parts.push(format!("{what} to identifiers outside it"));
    }
    (!parts.is_empty()).then(|| format!("Not drawn: {}.", parts.join("; ")))
}

fn counted(n: u64, what: &str) -> String {
    let digits = n.to_string();
    let mut grouped = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    format!("{grouped} {what}{}", if n == 1 { "" } else { "s" })
}

/// A time in ISO 8601, UTC.
pub fn instant(micros: i64) -> String {
    Timestamp::from_microsecond(micros).map_or_else(
        |_| if micros < 0 { "-infinity" } else { "infinity" }.to_owned(),
        |time| time.to_string(),
    )
}

/// A time to the minute, UTC; without midnight's zeros.
fn minute(micros: i64) -> String {
    let whole = instant(micros);
    let Some((day, time)) = whole.split_once('T') else {
        return whole;
    };
    match time.get(..5) {
        Some("00:00") | None => day.to_owned(),
        Some(time) => format!("{day} {time}"),
    }
}

fn day(micros: i64) -> String {
    let whole = instant(micros);
    whole.split('T').next().unwrap_or_default().to_owned()
}
