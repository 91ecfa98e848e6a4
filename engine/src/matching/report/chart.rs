//! The charts of the page.

use super::markup::{AGAINST, FAINT, FOR, INK, LIMIT, Markup, NEUTRAL, RULE, number, ticks};
use super::{Histogram, Point, bits, count, percent};

const WIDTH: f64 = 860.0;
const HEIGHT: f64 = 270.0;
const LEFT: f64 = 64.0;
const RIGHT: f64 = 20.0;
const TOP: f64 = 30.0;
const BOTTOM: f64 = 46.0;

/// A plane: weights to the right, something upwards.
struct Plane {
    from: f64,
    to: f64,
    top: f64,
}

impl Plane {
    fn x(&self, weight: i32) -> f64 {
        let share = (f64::from(weight) - self.from) / (self.to - self.from).max(1.0);
        LEFT + share * (WIDTH - LEFT - RIGHT)
    }

    /// Of a height between 0 and `top`.
    fn y(&self, height: f64) -> f64 {
        HEIGHT - BOTTOM - height / self.top * (HEIGHT - TOP - BOTTOM)
    }

    fn weights(&self, out: &mut Markup) {
        for bit in ticks(self.from / 100.0, self.to / 100.0, 10.0) {
            let x = self.x((bit * 100.0).round() as i32);
            let base = HEIGHT - BOTTOM;
            out.line((x, base), (x, base + 4.0), &[("stroke", NEUTRAL)]);
            let words = number(bit).replace('-', "−");
            let middle = [("fill", FAINT), ("text-anchor", "middle")];
            out.words((x, base + 17.0), 10.5, &middle, &words);
        }
        let words = "weight in bits";
        let middle = [("fill", FAINT), ("text-anchor", "middle")];
        out.words(
            ((LEFT + WIDTH - RIGHT) / 2.0, HEIGHT - 10.0),
            10.5,
            &middle,
            words,
        );
    }

    fn height(&self, out: &mut Markup, height: f64, words: &str) {
        let y = self.y(height);
        out.line((LEFT, y), (WIDTH - RIGHT, y), &[("stroke", RULE)]);
        let end = [("fill", FAINT), ("text-anchor", "end")];
        out.words((LEFT - 6.0, y + 3.5), 10.5, &end, words);
    }

    fn limit(&self, out: &mut Markup, threshold: i32, words: &str) {
        let x = self.x(threshold);
        let dashes = [
            ("stroke", LIMIT),
            ("stroke-dasharray", "5 3"),
            ("stroke-width", "1.4"),
        ];
        out.line((x, TOP - 8.0), (x, HEIGHT - BOTTOM), &dashes);
        let (at, anchor) = if x > WIDTH * 0.7 {
            (x - 5.0, "end")
        } else {
            (x + 5.0, "start")
        };
        let label = [("fill", LIMIT), ("text-anchor", anchor)];
        out.words((at, TOP - 10.0), 10.5, &label, words);
    }
}

fn span(histogram: &Histogram, threshold: i32) -> (f64, f64) {
    let lowest = histogram
        .bins()
        .next()
        .map_or(0, |(from, _)| from)
        .min(threshold);
    let highest = histogram
        .bins()
        .next_back()
        .map_or(0, |(from, _)| from)
        .max(threshold);
    (
        f64::from(lowest - 100),
        f64::from(highest + 100 + Histogram::STEP),
    )
}

/// How many by weight, on a logarithmic scale. Of pairs, also how many are expected to be one person;
/// of others, those under the threshold are told apart.
pub fn histogram(out: &mut Markup, histogram: &Histogram, threshold: i32, pairs: bool) {
    let most = histogram
        .bins()
        .map(|(_, count)| count)
        .max()
        .unwrap_or(0)
        .max(10);
    let (from, to) = span(histogram, threshold);
    let decades = (most as f64).log10().ceil();
    // One decade more below, so that a single one shows.
    let height = |count: f64| (count.max(0.1).log10() + 1.0).max(0.0);
    let plane = Plane {
        from,
        to,
        top: decades + 1.0,
    };
    let title = if pairs {
        "pairs by weight"
    } else {
        "records by weight with a copy"
    };
    out.svg((WIDTH, HEIGHT), title, |out| {
        for decade in 0..=decades as u32 {
            plane.height(
                out,
                f64::from(decade) + 1.0,
                &count(10u64.saturating_pow(decade)),
            );
        }
        for (from, of_bin) in histogram.bins().filter(|&(_, count)| count > 0) {
            let left = plane.x(from);
            let width = (plane.x(from + Histogram::STEP) - left - 0.5).max(0.5);
            let said = format!(
                "{} to {}: {}",
                bits(from),
                bits(from + Histogram::STEP),
                count(of_bin)
            );
            let mut bar = |height: f64, fill: &str, said: &str| {
                let y = plane.y(height);
                out.rect(
                    (left, y),
                    (width, HEIGHT - BOTTOM - y),
                    &[("fill", fill)],
                    said,
                );
            };
            if pairs {
                let expected = Histogram::expected(from, of_bin);
                bar(height(of_bin as f64), "#c9d0d8", &said);
                let said = format!("{said}, of them one person: about {expected:.1}");
                bar(height(expected), FOR, &said);
            } else {
                let under = from + Histogram::STEP <= threshold;
                bar(
                    height(of_bin as f64),
                    if under { AGAINST } else { FOR },
                    &said,
                );
            }
        }
        plane.weights(out);
        plane.limit(out, threshold, &format!("threshold {}", bits(threshold)));
    });
}

/// Expected precision and recall.
pub fn rates(out: &mut Markup, points: &[Point], threshold: i32) {
    let (Some(first), Some(last)) = (points.first(), points.last()) else {
        return;
    };
    let plane = Plane {
        from: f64::from(first.threshold.min(threshold)),
        to: f64::from(last.threshold.max(threshold) + 50),
        top: 1.0,
    };
    let path = |value: &dyn Fn(&Point) -> f64| -> String {
        let places = points.iter().map(|point| {
            format!(
                "{},{}",
                number(plane.x(point.threshold)),
                number(plane.y(value(point)))
            )
        });
        places.collect::<Vec<_>>().join(" ")
    };
    out.svg(
        (WIDTH, HEIGHT),
        "expected precision and recall by threshold",
        |out| {
            for tenth in [0, 25, 50, 75, 100] {
                let share = f64::from(tenth) / 100.0;
                plane.height(out, share, &percent(share));
            }
            let upper = path(&|point| point.interval.1);
            let backwards = points.iter().rev().map(|point| {
                format!(
                    "{},{}",
                    number(plane.x(point.threshold)),
                    number(plane.y(point.interval.0))
                )
            });
            let area = format!("{upper} {}", backwards.collect::<Vec<_>>().join(" "));
            out.empty(
                "polygon",
                &[("points", &area), ("fill", FOR), ("fill-opacity", "0.15")],
            );
            type Value = fn(&Point) -> f64;
            let lines: [(&str, &str, Value); 2] = [
                ("precision", FOR, |point| point.precision),
                ("recall", AGAINST, |point| point.recall),
            ];
            for (number, (name, stroke, value)) in (0..).zip(lines) {
                let line = path(&value);
                out.empty(
                    "polyline",
                    &[
                        ("points", &line),
                        ("fill", "none"),
                        ("stroke", stroke),
                        ("stroke-width", "2"),
                    ],
                );
                let x = LEFT + 4.0 + f64::from(number) * 90.0;
                out.rect((x, 6.0), (14.0, 4.0), &[("fill", stroke)], "");
                out.words((x + 19.0, 12.0), 11.0, &[("fill", INK)], name);
            }
            plane.weights(out);
            plane.limit(out, threshold, &format!("threshold {}", bits(threshold)));
        },
    );
}

/// The bar of a share.
pub fn share(out: &mut Markup, share: f64, fill: &str) {
    let said = percent(share);
    out.svg((60.0, 9.0), &said, |out| {
        out.rect((0.0, 1.0), (60.0, 7.0), &[("fill", "#eef0f3")], "");
        out.rect(
            (0.0, 2.0),
            (90.0 * share.clamp(0.0, 1.0), 10.0),
            &[("fill", fill)],
            "",
        );
    });
}

/// The bar of a weight, to either side of the middle; `most` fills a side.
pub fn weight(out: &mut Markup, weight: i32, most: i32) {
    const HALF: f64 = 60.0;
    let said = bits(weight);
    out.svg((2.0 * HALF, 14.0), &said, |out| {
        let long = f64::from(weight.abs()) / f64::from(most.max(1)) * HALF;
        let (left, fill) = if weight < 0 {
            (HALF - long, AGAINST)
        } else {
            (HALF, FOR)
        };
        out.rect((left, 2.0), (long.max(0.5), 10.0), &[("fill", fill)], "");
        out.line((HALF, 0.0), (HALF, 14.0), &[("stroke", NEUTRAL)]);
    });
}
