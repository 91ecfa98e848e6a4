//! The graph in the language of Graphviz.

use std::fmt::Write as _;

use super::svg::palette;
use super::{Kind, Picture, Shown, Standing, label, text};
use crate::graph::Decision;

/// The graph in DOT, with the colours and labels of the picture: `dot -Tpdf`, `neato`, `sfdp`.
pub fn dot(picture: &Picture) -> String {
    let mut out = String::new();
    let mut title = format!("{}: {}", label::title(picture), label::summary(picture));
    if let Some(note) = label::left_out(picture) {
        let _ = write!(title, "\n{note}");
    }
    let _ = writeln!(out, "graph profile_{} {{", text_of_id(picture.profile_id));
    let _ = writeln!(
        out,
        "  label={}; labelloc=t; fontname=Arial; overlap=false;",
        quoted(&title)
    );
    let _ = writeln!(
        out,
        "  rankdir=LR; node [shape=box, style=\"rounded,filled\", fontname=Arial, fontsize=11];"
    );
    let _ = writeln!(out, "  edge [fontname=Arial, fontsize=9];");
    for (n, node) in (0u32..).zip(&picture.nodes) {
        let colour = palette(node.type_idx);
        let label = format!("{}\n{}", label::above(picture, n), label::value(picture, n));
        let (fill, style) = match node.standing {
            Standing::Ordinary if picture.is_own(n) => (colour.fill, "rounded,filled"),
            _ => ("#ffffff", "rounded,filled,dashed"),
        };
        let _ = writeln!(
            out,
            "  n{n} [label={}, tooltip={}, color=\"{}\", fillcolor=\"{fill}\", style=\"{style}\"];",
            quoted(&label),
            quoted(&text::clean(&node.value)),
            colour.line,
        );
    }
    for link in &picture.links {
        let mut label = label::evidence(link);
        if let Some(verdict) = label::verdict(picture, link) {
            label = format!("{verdict}\n{label}");
        }
        let _ = writeln!(
            out,
            "  n{} -- n{} [label={}, {}];",
            link.a,
            link.b,
            quoted(&label),
            style(link)
        );
    }
    out.push_str("}\n");
    out
}

fn text_of_id(id: i64) -> String {
    id.to_string().replace('-', "minus_")
}

fn style(link: &Shown) -> &'static str {
    match (link.kind, link.decision) {
        (Kind::AssertedApart | Kind::NonMatch { .. }, _) => {
            "style=dashed, color=\"#b3261e\", fontcolor=\"#b3261e\", penwidth=2"
        }
        (Kind::TimeSliced, _) => "style=dashed, color=\"#0e7490\", fontcolor=\"#0e7490\"",
        (_, None) => "style=dotted, color=\"#8a8f98\", fontcolor=\"#6b7078\"",
        (_, Some(decision)) if decision != Decision::Accepted => {
            "style=dashed, color=\"#b3261e\", fontcolor=\"#b3261e\""
        }
        (Kind::Asserted, _) => "color=\"#1b7f4b\", penwidth=3",
        (Kind::Matched { .. }, _) => "color=\"#6a4fb3\", style=bold",
        (Kind::Observed, _) if link.confirmed => "color=\"#4a5563\", penwidth=2",
        (Kind::Observed, _) => "color=\"#4a5563\"",
    }
}

/// A quoted string of DOT. In it a backslash begins an escape, and an ampersand an HTML entity; a
/// line break is `\n`.
fn quoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '&' => out.push_str("&amp;"),
            _ => out.push(c),
        }
    }
    out.push('"');
    out
}
