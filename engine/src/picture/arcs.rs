//! Links beside the tree: curves along the outer edge of their column, each in a lane of its own.

use super::layout::{Label, Layout, Rect, label_width};
use super::{Picture, label};

const FIRST: f64 = 26.0;
const LANE: f64 = 13.0;
/// Lanes further out would lead away from the picture.
const LANES: usize = 12;
const LINE: f64 = 14.0;

/// A curve from one node to another.
pub struct Arc {
    pub link: u32,
    /// The points of a cubic curve.
    pub points: [(f64, f64); 4],
    side: f64,
}

impl Arc {
    /// The place at `t` of the way, from 0 to 1.
    pub fn at(&self, t: f64) -> (f64, f64) {
        let s = 1.0 - t;
        let weights = [s * s * s, 3.0 * s * s * t, 3.0 * s * t * t, t * t * t];
        let sum = |part: fn(&(f64, f64)) -> f64| {
            let terms = self.points.iter().zip(weights);
            terms.map(|(point, weight)| part(point) * weight).sum()
        };
        (sum(|p| p.0), sum(|p| p.1))
    }
}

/// A link to bend.
pub struct Span {
    pub link: u32,
    pub side: f64,
    /// How far out it must go to pass what stands between its ends.
    pub past: f64,
    pub ends: ((f64, f64), (f64, f64)),
}

impl Span {
    fn rows(&self) -> (f64, f64) {
        let (a, b) = (self.ends.0.1, self.ends.1.1);
        (a.min(b), a.max(b))
    }

    fn length(&self) -> f64 {
        let (low, high) = self.rows();
        high - low
    }
}

/// Bends the curves so that those along one stretch do not lie upon each other: the shorter, the
/// further in.
pub fn bend(mut spans: Vec<Span>) -> Vec<Arc> {
    spans.sort_by(|x, y| x.length().total_cmp(&y.length()).then(x.link.cmp(&y.link)));
    let mut lanes: Vec<Vec<(f64, f64, f64)>> = Vec::new();
    let mut arcs = Vec::with_capacity(spans.len());
    for span in spans {
        let (low, high) = span.rows();
        let free = |lane: &Vec<(f64, f64, f64)>| {
            lane.iter()
                .all(|&(side, from, to)| side != span.side || high <= from || to <= low)
        };
        let lane = lanes.iter().position(free).unwrap_or(lanes.len());
        if lane == lanes.len() {
            lanes.push(Vec::new());
        }
        lanes[lane].push((span.side, low, high));
        let out = FIRST + LANE * (lane % LANES) as f64;
        // The middle of such a curve lies at three quarters of the way to its handles.
        let edge = span.side * (span.past + out * 4.0 / 3.0);
        let (a, b) = span.ends;
        arcs.push(Arc {
            link: span.link,
            points: [a, (edge, a.1), (edge, b.1), b],
            side: span.side,
        });
    }
    arcs
}

/// Writes beside each curve what its link says, where nothing else stands.
pub fn label(picture: &Picture, layout: &mut Layout) {
    let mut taken: Vec<Rect> = layout.pills.clone();
    taken.extend(layout.labels.iter().map(|label| label.rect));
    for arc in &layout.arcs {
        let shown = &picture.links[arc.link as usize];
        let verdict = label::verdict(picture, shown);
        let evidence = label::evidence(shown);
        let lines: Vec<(String, bool)> = verdict
            .map(|words| (words, true))
            .into_iter()
            .chain([(evidence, false)])
            .collect();
        let width = lines
            .iter()
            .map(|(words, is_verdict)| label_width(words, *is_verdict))
            .fold(0.0, f64::max);
        let height = LINE * lines.len() as f64;
        let place = |t: f64| {
            let (x, y) = arc.at(t);
            let x = if arc.side > 0.0 {
                x + 5.0
            } else {
                x - 5.0 - width
            };
            Rect {
                x,
                y: y - height / 2.0,
                w: width,
                h: height,
            }
        };
        let free = [0.5, 0.42, 0.58, 0.34, 0.66, 0.26, 0.74]
            .into_iter()
            .map(place)
            .find(|rect| taken.iter().all(|other| !rect.overlaps(other)));
        let Some(rect) = free else {
            layout.unlabelled += 1;
            continue;
        };
        taken.push(rect);
        for (n, (text, is_verdict)) in lines.into_iter().enumerate() {
            layout.labels.push(Label {
                link: arc.link,
                text,
                is_verdict,
                rect: Rect {
                    y: rect.y + LINE * n as f64,
                    h: LINE,
                    ..rect
                },
                at_end: arc.side < 0.0,
            });
        }
    }
}
