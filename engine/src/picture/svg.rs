//! The picture itself.

use quick_xml::Writer;
use quick_xml::events::BytesText;

use super::layout::{self, LABEL_SIZE, Layout, Rect, SMALL_SIZE, VALUE_SIZE, number};
use super::{Kind, Picture, Shown, Standing, label, text};
use crate::graph::Decision;

const MARGIN: f64 = 24.0;
const FONT: &str = "Arial, 'Liberation Sans', Helvetica, sans-serif";
const INK: &str = "#1f2933";
const FAINT: &str = "#6b7078";
const REFUSED: &str = "#b3261e";
const SLICED: &str = "#0e7490";

/// The colours of a type.
pub struct Colour {
    pub fill: &'static str,
    pub line: &'static str,
}

/// The colours of a type, by its rank.
pub fn palette(type_idx: u16) -> Colour {
    const COLOURS: [(&str, &str); 10] = [
        ("#dbeafe", "#1d4ed8"),
        ("#fef3c7", "#b45309"),
        ("#dcfce7", "#15803d"),
        ("#ede9fe", "#6d28d9"),
        ("#e2e6ea", "#4b5563"),
        ("#fce7f3", "#be185d"),
        ("#ccfbf1", "#0f766e"),
        ("#ffe4d5", "#c2410c"),
        ("#ecfccb", "#4d7c0f"),
        ("#cff5fd", "#0e7490"),
    ];
    let (fill, line) = COLOURS[usize::from(type_idx) % COLOURS.len()];
    Colour { fill, line }
}

/// How a link is drawn.
struct Stroke {
    colour: &'static str,
    width: &'static str,
    dashes: &'static str,
    name: &'static str,
    /// Its place in the legend.
    rank: u8,
}

fn stroke(link: &Shown) -> Stroke {
    let (rank, colour, width, dashes, name) = match (link.kind, link.decision) {
        (Kind::AssertedApart, _) => (5, REFUSED, "2.5", "2 4", "asserted apart"),
        (Kind::NonMatch { .. }, _) => (8, REFUSED, "1.6", "2 4", "held apart by a matcher"),
        (Kind::TimeSliced, _) => (
            6,
            SLICED,
            "1.6",
            "9 3 2 3",
            "time-sliced: one person after another",
        ),
        (_, None) => (7, "#9aa0a8", "1.3", "1.5 4", "seen together, joins nothing"),
        (_, Some(decision)) if decision != Decision::Accepted => {
            (4, REFUSED, "1.4", "6 4", "refused by a rule")
        }
        (Kind::Asserted, _) => (2, "#1b7f4b", "3", "", "asserted by hand"),
        (Kind::Matched { .. }, _) => (3, "#6a4fb3", "2", "12 3 2 3", "matched"),
        (Kind::Observed, _) if link.confirmed => (0, "#4a5563", "2.2", "", "confirmed"),
        (Kind::Observed, _) => (1, "#8b95a1", "1.2", "", "seen once"),
    };
    Stroke {
        colour,
        width,
        dashes,
        name,
        rank,
    }
}

/// The graph as an SVG document that needs nothing else.
pub fn svg(picture: &Picture) -> String {
    let layout = layout::layout(picture);
    let legend = Legend::new(picture, &layout);
    let canvas = Canvas::new(picture, &layout, &legend);
    let mut writer = Writer::new(Vec::new());
    // Writing into memory does not fail.
    let written = canvas.write(&mut writer, picture, &layout, &legend);
    debug_assert!(written.is_ok());
    String::from_utf8(writer.into_inner()).unwrap_or_default()
}

type Out = Writer<Vec<u8>>;
type Written = std::io::Result<()>;

/// The extent of the picture, and what stands above and below the graph.
struct Canvas {
    left: f64,
    top: f64,
    width: f64,
    height: f64,
    legend_top: f64,
    heading: Vec<(String, &'static str, f64)>,
}

impl Canvas {
    fn new(picture: &Picture, layout: &Layout, legend: &Legend) -> Self {
        let mut heading = vec![
            (label::title(picture), INK, 16.0),
            (label::summary(picture), FAINT, 11.0),
        ];
        heading.extend(label::left_out(picture).map(|note| (note, "#9a5b00", 11.0)));
        if layout.unlabelled > 0 {
            let note = format!(
                "{} links have no room for a label: point at one to read it.",
                layout.unlabelled
            );
            heading.push((note, FAINT, 11.0));
        }
        let mut extent = Extent::default();
        for rect in layout
            .pills
            .iter()
            .chain(layout.labels.iter().map(|l| &l.rect))
        {
            extent.take(rect.x, rect.y);
            extent.take(rect.x + rect.w, rect.y + rect.h);
        }
        for arc in &layout.arcs {
            let (x, y) = arc.at(0.5);
            extent.take(x, y);
        }
        let above: f64 = heading.iter().map(|(_, _, size)| size + 6.0).sum::<f64>() + 14.0;
        let words = heading
            .iter()
            .map(|(words, _, size)| text::width(words) * size * 1.05);
        let inner = (extent.right - extent.left)
            .max(words.fold(0.0, f64::max))
            .max(legend.width);
        let spare = inner - (extent.right - extent.left);
        let legend_top = extent.bottom + 26.0;
        Self {
            left: extent.left - spare / 2.0 - MARGIN,
            top: extent.top - above - MARGIN,
            width: inner + 2.0 * MARGIN,
            height: legend_top + legend.height - extent.top + above + 2.0 * MARGIN,
            legend_top,
            heading,
        }
    }

    fn write(&self, out: &mut Out, picture: &Picture, layout: &Layout, legend: &Legend) -> Written {
        let (width, height) = (number(self.width.ceil()), number(self.height.ceil()));
        let (left, top) = (number(self.left), number(self.top));
        out.create_element("svg")
            .with_attributes([
                ("xmlns", "http://www.w3.org/2000/svg"),
                ("width", width.as_str()),
                ("height", height.as_str()),
                ("viewBox", &format!("{left} {top} {width} {height}")),
                ("font-family", FONT),
                ("role", "img"),
            ])
            .write_inner_content(|out| {
                text_element(out, "title", &label::title(picture))?;
                text_element(out, "desc", &self.description())?;
                out.create_element("rect")
                    .with_attributes([
                        ("x", left.as_str()),
                        ("y", top.as_str()),
                        ("width", width.as_str()),
                        ("height", height.as_str()),
                        ("fill", "#ffffff"),
                    ])
                    .write_empty()?;
                self.write_heading(out)?;
                write_links(out, picture, layout)?;
                for n in 0..picture.nodes.len() as u32 {
                    write_node(out, picture, n, &layout.pills[n as usize], n == layout.root)?;
                }
                write_labels(out, picture, layout)?;
                legend.write(out, self.left + MARGIN, self.legend_top)
            })?;
        Ok(())
    }

    fn description(&self) -> String {
        let words: Vec<&str> = self
            .heading
            .iter()
            .map(|(words, ..)| words.as_str())
            .collect();
        words[1..].join(" ")
    }

    fn write_heading(&self, out: &mut Out) -> Written {
        let mut y = self.top + MARGIN;
        for (n, (words, colour, size)) in self.heading.iter().enumerate() {
            y += size;
            let weight = if n == 0 { "bold" } else { "normal" };
            write_text(
                out,
                (self.left + MARGIN, y),
                *size,
                &[("fill", colour), ("font-weight", weight)],
                words,
            )?;
            y += 6.0;
        }
        Ok(())
    }
}

struct Extent {
    left: f64,
    right: f64,
    top: f64,
    bottom: f64,
}

impl Default for Extent {
    fn default() -> Self {
        Self {
            left: f64::INFINITY,
            right: f64::NEG_INFINITY,
            top: f64::INFINITY,
            bottom: f64::NEG_INFINITY,
        }
    }
}

impl Extent {
    fn take(&mut self, x: f64, y: f64) {
        self.left = self.left.min(x);
        self.right = self.right.max(x);
        self.top = self.top.min(y);
        self.bottom = self.bottom.max(y);
    }
}

fn text_element(out: &mut Out, name: &str, words: &str) -> Written {
    out.create_element(name)
        .write_text_content(BytesText::new(words))?;
    Ok(())
}

fn write_text(
    out: &mut Out,
    at: (f64, f64),
    size: f64,
    attributes: &[(&str, &str)],
    words: &str,
) -> Written {
    out.create_element("text")
        .with_attributes([
            ("x", number(at.0).as_str()),
            ("y", number(at.1).as_str()),
            ("font-size", number(size).as_str()),
        ])
        .with_attributes(attributes.iter().copied())
        .write_text_content(BytesText::new(words))?;
    Ok(())
}

fn write_links(out: &mut Out, picture: &Picture, layout: &Layout) -> Written {
    for entry in &layout.entries {
        write_link(out, picture, entry.link, &entry.path)?;
    }
    for arc in &layout.arcs {
        let [a, b, c, d] = arc
            .points
            .map(|(x, y)| format!("{} {}", number(x), number(y)));
        write_link(out, picture, arc.link, &format!("M{a}C{b},{c},{d}"))?;
    }
    Ok(())
}

fn write_link(out: &mut Out, picture: &Picture, link: u32, path: &str) -> Written {
    let shown = &picture.links[link as usize];
    let stroke = stroke(shown);
    out.create_element("path")
        .with_attributes([
            ("d", path),
            ("fill", "none"),
            ("stroke", stroke.colour),
            ("stroke-width", stroke.width),
        ])
        .with_attributes((!stroke.dashes.is_empty()).then_some(("stroke-dasharray", stroke.dashes)))
        .write_inner_content(|out| text_element(out, "title", &label::whole(picture, shown)))?;
    Ok(())
}

fn write_node(out: &mut Out, picture: &Picture, n: u32, pill: &Rect, is_root: bool) -> Written {
    let node = picture.node(n);
    let colour = palette(node.type_idx);
    let ordinary = node.standing == Standing::Ordinary && picture.is_own(n);
    let middle = number(pill.x + pill.w / 2.0);
    out.create_element("g")
        .with_attribute(("text-anchor", "middle"))
        .write_inner_content(|out| {
            let whole = format!("{} {}", picture.type_name(node.type_idx), node.value);
            text_element(out, "title", &text::clean(&whole))?;
            out.create_element("rect")
                .with_attributes([
                    ("x", number(pill.x).as_str()),
                    ("y", number(pill.y).as_str()),
                    ("width", number(pill.w).as_str()),
                    ("height", number(pill.h).as_str()),
                    ("rx", "9"),
                    ("fill", if ordinary { colour.fill } else { "#ffffff" }),
                    ("stroke", colour.line),
                    ("stroke-width", if is_root { "2.6" } else { "1.2" }),
                ])
                .with_attributes((!ordinary).then_some(("stroke-dasharray", "4 3")))
                .write_empty()?;
            let centre = pill.y + pill.h / 2.0;
            let lines = [
                (
                    label::above(picture, n),
                    centre - 5.0,
                    SMALL_SIZE,
                    colour.line,
                ),
                (label::value(picture, n), centre + 11.0, VALUE_SIZE, INK),
            ];
            for (words, y, size, fill) in lines {
                out.create_element("text")
                    .with_attributes([
                        ("x", middle.as_str()),
                        ("y", number(y).as_str()),
                        ("font-size", number(size).as_str()),
                        ("fill", fill),
                    ])
                    .write_text_content(BytesText::new(&words))?;
            }
            Ok(())
        })?;
    Ok(())
}

/// Labels lie above all lines, each on a little white.
fn write_labels(out: &mut Out, picture: &Picture, layout: &Layout) -> Written {
    out.create_element("g")
        .with_attributes([
            ("font-size", number(LABEL_SIZE).as_str()),
            ("stroke", "#ffffff"),
            ("stroke-width", "3"),
            ("stroke-linejoin", "round"),
            ("paint-order", "stroke"),
        ])
        .write_inner_content(|out| {
            for label in &layout.labels {
                let shown = &picture.links[label.link as usize];
                let (x, anchor) = if label.at_end {
                    (label.rect.x + label.rect.w, "end")
                } else {
                    (label.rect.x, "start")
                };
                let fill = match (label.is_verdict, shown.decision) {
                    (true, _) if shown.kind == Kind::TimeSliced => SLICED,
                    (true, Some(_)) => REFUSED,
                    (true, None) => FAINT,
                    (false, _) => "#47515c",
                };
                let weight = if label.is_verdict { "bold" } else { "normal" };
                out.create_element("text")
                    .with_attributes([
                        ("x", number(x).as_str()),
                        ("y", number(label.rect.y + label.rect.h - 4.0).as_str()),
                        ("text-anchor", anchor),
                        ("fill", fill),
                        ("font-weight", weight),
                    ])
                    .write_text_content(BytesText::new(&label.text))?;
            }
            Ok(())
        })?;
    Ok(())
}

/// What the colours and lines mean: of those that occur.
struct Legend {
    types: Vec<(u16, String)>,
    strokes: Vec<Stroke>,
    width: f64,
    height: f64,
}

const LEGEND_SIZE: f64 = 10.5;
const LEGEND_ROW: f64 = 20.0;
const LEGEND_WIDTH: f64 = 620.0;

impl Legend {
    fn new(picture: &Picture, layout: &Layout) -> Self {
        let mut ranks: Vec<u16> = picture.nodes.iter().map(|n| n.type_idx).collect();
        ranks.sort_unstable();
        ranks.dedup();
        let types = ranks
            .into_iter()
            .map(|rank| (rank, label::type_name(picture, rank)))
            .collect();
        let mut strokes: Vec<Stroke> = Vec::new();
        let drawn = layout.entries.iter().map(|e| e.link);
        for link in drawn.chain(layout.arcs.iter().map(|a| a.link)) {
            let stroke = stroke(&picture.links[link as usize]);
            if strokes.iter().all(|known| known.name != stroke.name) {
                strokes.push(stroke);
            }
        }
        strokes.sort_by_key(|stroke| stroke.rank);
        let mut legend = Self {
            types,
            strokes,
            width: 0.0,
            height: 0.0,
        };
        let (mut width, mut height) = (0.0f64, 0.0f64);
        for (x, y, words) in legend.places() {
            width = width.max(x + 34.0 + text::width(words) * LEGEND_SIZE);
            height = height.max(y + LEGEND_ROW);
        }
        legend.width = width;
        legend.height = height;
        legend
    }

    /// Where each entry stands: types, then lines on a row of their own.
    fn places(&self) -> Vec<(f64, f64, &str)> {
        let types: Vec<&str> = self.types.iter().map(|(_, name)| name.as_str()).collect();
        let strokes: Vec<&str> = self.strokes.iter().map(|stroke| stroke.name).collect();
        let mut places = Vec::new();
        let mut y = 0.0;
        for row in [types, strokes] {
            let mut x = 0.0;
            for words in &row {
                let width = 34.0 + text::width(words) * LEGEND_SIZE + 18.0;
                if x > 0.0 && x + width > LEGEND_WIDTH {
                    x = 0.0;
                    y += LEGEND_ROW;
                }
                places.push((x, y, *words));
                x += width;
            }
            y += if row.is_empty() { 0.0 } else { LEGEND_ROW };
        }
        places
    }

    fn write(&self, out: &mut Out, left: f64, top: f64) -> Written {
        for (n, (x, y, words)) in self.places().into_iter().enumerate() {
            let (x, y) = (left + x, top + y);
            if let Some((rank, _)) = self.types.get(n) {
                let colour = palette(*rank);
                out.create_element("rect")
                    .with_attributes([
                        ("x", number(x).as_str()),
                        ("y", number(y).as_str()),
                        ("width", "26"),
                        ("height", "13"),
                        ("rx", "4"),
                        ("fill", colour.fill),
                        ("stroke", colour.line),
                    ])
                    .write_empty()?;
            } else if let Some(stroke) = self.strokes.get(n - self.types.len()) {
                let middle = number(y + 6.5);
                out.create_element("line")
                    .with_attributes([
                        ("x1", number(x).as_str()),
                        ("y1", middle.as_str()),
                        ("x2", number(x + 28.0).as_str()),
                        ("y2", middle.as_str()),
                        ("stroke", stroke.colour),
                        ("stroke-width", stroke.width),
                    ])
                    .with_attributes(
                        (!stroke.dashes.is_empty()).then_some(("stroke-dasharray", stroke.dashes)),
                    )
                    .write_empty()?;
            }
            let place = (x + 34.0, y + 10.5);
            write_text(out, place, LEGEND_SIZE, &[("fill", FAINT)], words)?;
        }
        Ok(())
    }
}
