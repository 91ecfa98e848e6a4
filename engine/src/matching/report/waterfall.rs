//! One pair: what each comparison adds to its weight.

use super::markup::{AGAINST, FAINT, FOR, INK, LIMIT, Markup, NEUTRAL, RULE, ticks};
use super::{bits, percent};
use crate::matching::model::probability;
use crate::matching::score::{Contribution, PairScore};
use crate::picture::text;

const MARGIN: f64 = 24.0;
const ROW: f64 = 42.0;
const BAR: f64 = 20.0;
const NAME_SIZE: f64 = 12.5;
const SMALL_SIZE: f64 = 10.5;
/// Where the columns begin.
const VALUES: [f64; 2] = [200.0, 360.0];
const VALUE_WIDTH: f64 = 150.0;
const BARS: f64 = 540.0;
const BARS_WIDTH: f64 = 420.0;
const WIDTH: f64 = BARS + BARS_WIDTH + 2.0 * MARGIN;

/// A picture of the weight of a pair, in SVG: it begins with the prior, each comparison moves it for or
/// against, and the last bar is the sum. `names` tell the records apart; pairs of `threshold` and more
/// are matches.
pub fn waterfall(names: [&str; 2], score: &PairScore, threshold: i32) -> String {
    let scale = Scale::new(score, threshold);
    let top = MARGIN + 64.0;
    let rows = score.contributions.len() as f64 + 1.0;
    let bottom = top + 34.0 + rows * ROW;
    let height = bottom + 50.0;
    let title = format!("{} and {}", names[0], names[1]);
    let mut out = Markup::new();
    out.svg((WIDTH, height), &title, |out| {
        out.rect((0.0, 0.0), (WIDTH, height), &[("fill", "#ffffff")], "");
        let words = text::shorten(&title, (WIDTH - 2.0 * MARGIN) / 17.0);
        let bold = [("fill", INK), ("font-weight", "bold")];
        out.words((MARGIN, MARGIN + 14.0), 16.0, &bold, &words);
        let words = verdict(score, threshold);
        out.words((MARGIN, MARGIN + 36.0), 12.0, &[("fill", FAINT)], &words);
        heading(out, names, top);
        scale.axis(out, top + 26.0, bottom);
        scale.limit(out, threshold, top + 26.0, bottom);
        let mut sum = 0;
        for (row, one) in (0..).zip(&score.contributions) {
            let y = top + 34.0 + f64::from(row) * ROW;
            write_row(out, one, y);
            scale.bar(out, y, sum, sum + one.weight, colour(one));
            sum += one.weight;
            // What the next one starts from.
            let x = scale.x(sum);
            let dashes = [("stroke", NEUTRAL), ("stroke-dasharray", "2 2")];
            out.line(
                (x, y + ROW / 2.0 + BAR / 2.0),
                (x, y + ROW * 1.5 - BAR / 2.0),
                &dashes,
            );
        }
        let y = bottom - ROW;
        out.line((MARGIN, y), (WIDTH - MARGIN, y), &[("stroke", NEUTRAL)]);
        out.words((MARGIN, y + 18.0), NAME_SIZE, &bold, "weight");
        let words = format!("probability {}", percent(score.probability));
        out.words((MARGIN, y + 33.0), SMALL_SIZE, &[("fill", FAINT)], &words);
        scale.bar(out, y, 0, score.weight, INK);
    });
    out.finish()
}

fn verdict(score: &PairScore, threshold: i32) -> String {
    let mut words = format!(
        "{}: {} bits, threshold {}. One person with a probability of {}",
        if score.weight >= threshold {
            "A match"
        } else {
            "No match"
        },
        bits(score.weight),
        bits(threshold),
        percent(score.probability),
    );
    if score.household >= 0.005 {
        words.push_str(&format!(
            ", two of one household with {}",
            percent(score.household)
        ));
    }
    words.push('.');
    words
}

fn heading(out: &mut Markup, names: [&str; 2], y: f64) {
    let faint = [("fill", FAINT)];
    out.words((MARGIN, y), SMALL_SIZE, &faint, "comparison");
    for (x, name) in VALUES.into_iter().zip(names) {
        let words = text::shorten(name, VALUE_WIDTH / SMALL_SIZE);
        out.words((x, y), SMALL_SIZE, &faint, &words);
    }
    let words = "weight in bits: each bit doubles the odds";
    out.words((BARS, y), SMALL_SIZE, &faint, words);
}

fn colour(one: &Contribution) -> &'static str {
    match one.weight {
        _ if one.name == "prior" => NEUTRAL,
        0.. => FOR,
        _ => AGAINST,
    }
}

fn write_row(out: &mut Markup, one: &Contribution, y: f64) {
    out.line((MARGIN, y), (WIDTH - MARGIN, y), &[("stroke", RULE)]);
    let name = text::shorten(&one.name.replace('_', " "), 165.0 / NAME_SIZE);
    let bold = [("fill", INK), ("font-weight", "bold")];
    out.words((MARGIN, y + 18.0), NAME_SIZE, &bold, &name);
    let explained = match one.name.as_str() {
        "prior" => "two records, nothing known yet",
        "household or namesake" => "that explains the same as well",
        "rule" => "declared to be one person",
        _ if one.level.is_empty() && one.values.iter().all(|value| !value.is_empty()) => {
            "said by another already"
        }
        _ if one.level.is_empty() => "no value to compare",
        _ => &one.level,
    };
    let words = text::shorten(explained, 172.0 / SMALL_SIZE);
    out.words((MARGIN, y + 33.0), SMALL_SIZE, &[("fill", FAINT)], &words);
    if one.values == [String::new(), String::new()] {
        return;
    }
    for (x, value) in VALUES.into_iter().zip(&one.values) {
        let (words, ink) = match value.as_str() {
            "" => ("missing".to_owned(), NEUTRAL),
            value => (text::shorten(value, VALUE_WIDTH / NAME_SIZE), INK),
        };
        let at = (x, y + 25.0);
        out.element("g", &[], |out| {
            out.text("title", &[], value);
            out.words(at, NAME_SIZE, &[("fill", ink)], &words);
        });
    }
}

/// From weights to places.
struct Scale {
    from: f64,
    to: f64,
}

impl Scale {
    fn new(score: &PairScore, threshold: i32) -> Self {
        let mut ends = vec![0, threshold, score.weight];
        let mut sum = 0;
        for one in &score.contributions {
            sum += one.weight;
            ends.push(sum);
        }
        let lowest = ends.iter().min().copied().unwrap_or(0);
        let highest = ends.iter().max().copied().unwrap_or(0);
        let (lowest, highest) = (f64::from(lowest), f64::from(highest));
        // Room for a number beyond either end.
        let room = ((highest - lowest) * 0.14).max(100.0);
        Scale {
            from: lowest - room,
            to: highest + room,
        }
    }

    fn x(&self, weight: i32) -> f64 {
        let share = (f64::from(weight) - self.from) / (self.to - self.from);
        BARS + share * BARS_WIDTH
    }

    /// Bits above, probabilities below.
    fn axis(&self, out: &mut Markup, top: f64, bottom: f64) {
        for bit in ticks(self.from / 100.0, self.to / 100.0, 7.0) {
            let weight = (bit * 100.0).round() as i32;
            let x = self.x(weight);
            let stroke = if weight == 0 { NEUTRAL } else { RULE };
            out.line((x, top), (x, bottom), &[("stroke", stroke)]);
            let middle = [("fill", FAINT), ("text-anchor", "middle")];
            let above = match weight {
                0 => "0".to_owned(),
                _ => format!("{}{}", if weight < 0 { "−" } else { "+" }, bit.abs()),
            };
            out.words((x, top - 8.0), 10.0, &middle, &above);
            let below = percent(probability(weight));
            out.words(
                (x, bottom + 14.0),
                9.0,
                &middle,
                &below.replace(' ', "\u{a0}"),
            );
        }
    }

    fn bar(&self, out: &mut Markup, y: f64, from: i32, to: i32, fill: &str) {
        let (left, right) = (self.x(from.min(to)), self.x(from.max(to)));
        let at = (left, y + (ROW - BAR) / 2.0);
        let width = (right - left).max(1.5);
        let (fill, ink) = if from == to {
            (NEUTRAL, NEUTRAL)
        } else {
            (fill, INK)
        };
        out.rect(at, (width, BAR), &[("fill", fill), ("rx", "2")], "");
        let (x, anchor) = if to >= from {
            (right + 5.0, "start")
        } else {
            (left - 5.0, "end")
        };
        let own = if from == 0 { to } else { to - from };
        // On a little white, for lines run behind it.
        let label = [
            ("fill", ink),
            ("text-anchor", anchor),
            ("stroke", "#ffffff"),
            ("stroke-width", "3"),
            ("paint-order", "stroke"),
        ];
        out.words(
            (x, y + ROW / 2.0 + 4.0),
            11.0,
            &label,
            &if own == 0 { "0".to_owned() } else { bits(own) },
        );
    }

    fn limit(&self, out: &mut Markup, threshold: i32, top: f64, bottom: f64) {
        let x = self.x(threshold);
        let dashes = [
            ("stroke", LIMIT),
            ("stroke-dasharray", "5 3"),
            ("stroke-width", "1.4"),
        ];
        out.line((x, top), (x, bottom + 22.0), &dashes);
        let label = [("fill", LIMIT), ("text-anchor", "middle")];
        out.words(
            (x, bottom + 34.0),
            10.5,
            &label,
            &format!("threshold {}", bits(threshold)),
        );
    }
}
