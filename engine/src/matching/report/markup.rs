//! Writing SVG and HTML.

use quick_xml::Writer;
use quick_xml::events::{BytesEnd, BytesStart, BytesText, Event};

use crate::picture::text;

pub const FONT: &str = "Arial, 'Liberation Sans', Helvetica, sans-serif";
pub const INK: &str = "#1f2933";
pub const FAINT: &str = "#6b7078";
pub const RULE: &str = "#e3e6ea";
pub const FOR: &str = "#2563a8";
pub const AGAINST: &str = "#c2571a";
pub const NEUTRAL: &str = "#9aa3ad";
pub const LIMIT: &str = "#b3261e";

/// Elements and text, escaped.
pub struct Markup(Writer<Vec<u8>>);

impl Markup {
    pub fn new() -> Self {
        Markup(Writer::new(Vec::new()))
    }

    fn event(&mut self, event: Event<'_>) {
        // Writing into memory does not fail.
        let written = self.0.write_event(event);
        debug_assert!(written.is_ok());
    }

    fn start<'a>(name: &'a str, attributes: &[(&'a str, &str)]) -> BytesStart<'a> {
        BytesStart::new(name).with_attributes(attributes.iter().copied())
    }

    /// An element with what `inner` writes.
    pub fn element(
        &mut self,
        name: &str,
        attributes: &[(&str, &str)],
        inner: impl FnOnce(&mut Self),
    ) {
        self.event(Event::Start(Self::start(name, attributes)));
        inner(self);
        self.event(Event::End(BytesEnd::new(name)));
    }

    /// An element without content.
    pub fn empty(&mut self, name: &str, attributes: &[(&str, &str)]) {
        self.event(Event::Empty(Self::start(name, attributes)));
    }

    /// An element with text, cleaned of what could break or disguise it.
    pub fn text(&mut self, name: &str, attributes: &[(&str, &str)], words: &str) {
        self.element(name, attributes, |out| {
            out.event(Event::Text(BytesText::new(&text::clean(words))));
        });
    }

    /// Text of ours that is no text of a document: a style sheet.
    pub fn verbatim(&mut self, text: &'static str) {
        self.event(Event::Text(BytesText::from_escaped(text)));
    }

    /// An SVG text.
    pub fn words(&mut self, at: (f64, f64), size: f64, attributes: &[(&str, &str)], words: &str) {
        let place = [at.0, at.1, size].map(number);
        let mut all = vec![
            ("x", &*place[0]),
            ("y", &place[1]),
            ("font-size", &place[2]),
        ];
        all.extend(attributes);
        self.text("text", &all, words);
    }

    /// An SVG line.
    pub fn line(&mut self, from: (f64, f64), to: (f64, f64), attributes: &[(&str, &str)]) {
        let ends = [from.0, from.1, to.0, to.1].map(number);
        let mut all: Vec<(&str, &str)> = ["x1", "y1", "x2", "y2"]
            .into_iter()
            .zip(ends.iter().map(String::as_str))
            .collect();
        all.extend(attributes);
        self.empty("line", &all);
    }

    /// An SVG rectangle.
    pub fn rect(
        &mut self,
        at: (f64, f64),
        size: (f64, f64),
        attributes: &[(&str, &str)],
        title: &str,
    ) {
        let sides = [at.0, at.1, size.0, size.1].map(number);
        let mut all: Vec<(&str, &str)> = ["x", "y", "width", "height"]
            .into_iter()
            .zip(sides.iter().map(String::as_str))
            .collect();
        all.extend(attributes);
        if title.is_empty() {
            self.empty("rect", &all);
        } else {
            self.element("rect", &all, |out| out.text("title", &[], title));
        }
    }

    /// A whole picture; on a page it takes the font of the page.
    pub fn svg(&mut self, size: (f64, f64), title: &str, inner: impl FnOnce(&mut Self)) {
        let (width, height) = (number(size.0), number(size.1));
        self.element(
            "svg",
            &[
                ("xmlns", "http://www.w3.org/2000/svg"),
                ("width", &width),
                ("height", &height),
                ("viewBox", &format!("0 0 {width} {height}")),
                ("font-family", FONT),
                ("role", "img"),
            ],
            |out| {
                out.text("title", &[], title);
                inner(out);
            },
        );
    }

    pub fn finish(self) -> String {
        String::from_utf8(self.0.into_inner()).unwrap_or_default()
    }
}

/// With one digit after the point at most.
pub fn number(value: f64) -> String {
    crate::picture::number(value)
}

/// Steps of an axis that read well, about so many.
pub fn ticks(from: f64, to: f64, about: f64) -> Vec<f64> {
    let rough = ((to - from) / about).max(1e-9);
    let size = 10f64.powf(rough.log10().floor());
    let step = [1.0, 2.0, 5.0, 10.0]
        .into_iter()
        .map(|times| times * size)
        .find(|&step| step >= rough)
        .unwrap_or(10.0 * size);
    let first = (from / step).ceil() as i64;
    let last = (to / step).floor() as i64;
    (first..=last).map(|n| n as f64 * step).collect()
}
