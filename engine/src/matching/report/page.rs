//! A page about a matcher.

use super::markup::{AGAINST, FOR, Markup, NEUTRAL};
use super::{Findings, Point, bits, chart, count, percent};
use crate::matching::blocking::RuleReport;
use crate::matching::model::{Class, ComparisonModel, Model, probability};

/// Nothing may be loaded and nothing run, whatever a value says.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'";
const STYLE: &str = "
body { font: 14px/1.5 Arial, 'Liberation Sans', Helvetica, sans-serif; color: #1f2933; background: #fff;
       max-width: 960px; margin: 2em auto; padding: 0 1em; }
h1 { font-size: 22px; margin-bottom: 0.2em; }
h2 { font-size: 17px; margin: 2em 0 0.3em; border-bottom: 1px solid #e3e6ea; padding-bottom: 0.2em; }
p { margin: 0.4em 0 0.8em; color: #4a5563; max-width: 50em; }
table { border-collapse: collapse; margin: 0.6em 0; width: 100%; }
th { text-align: left; font-weight: normal; color: #6b7078; font-size: 12px; vertical-align: bottom; }
th, td { padding: 3px 10px 3px 0; border-bottom: 1px solid #eef0f3; }
td.n, th.n { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
tr.group td { font-weight: bold; padding-top: 12px; border-bottom-color: #c9d0d8; }
.facts { display: flex; flex-wrap: wrap; gap: 10px; margin: 1em 0; padding: 0; list-style: none; }
.facts li { border: 1px solid #e3e6ea; border-radius: 6px; padding: 6px 14px; min-width: 90px; }
.facts b { display: block; font-size: 18px; }
.facts span { color: #6b7078; font-size: 12px; }
.note { color: #9a5b00; }
svg { display: block; max-width: 100%; }
td svg { max-width: none; }
td.level { min-width: 11em; }
";
/// How many of the blocks over the cap are named.
const OVERFULL_SHOWN: usize = 12;
/// Comparisons that agree together so many bits more than the model says make it too sure.
const MISFIT: f64 = 1.0;

/// All that is to say of a matcher: its model, and what its last run found. A whole HTML document, which
/// needs nothing else. It shows values by which too many records agree, as they are in the data.
pub fn page(name: &str, model: &Model, findings: &Findings) -> String {
    let points = findings.points();
    let mut out = Markup::new();
    out.element("html", &[("lang", "en")], |out| {
        out.element("head", &[], |out| {
            out.empty("meta", &[("charset", "utf-8")]);
            let policy = [
                ("http-equiv", "Content-Security-Policy"),
                ("content", POLICY),
            ];
            out.empty("meta", &policy);
            out.text("title", &[], &format!("Matcher {name}"));
            out.element("style", &[], |out| out.verbatim(STYLE));
        });
        out.element("body", &[], |out| {
            out.text("h1", &[], &format!("Matcher {name}"));
            out.text("p", &[], &summary(model));
            facts(out, model, findings, &points);
            doubts(out, model, findings);
            weights(out, model, findings);
            rates(out, model, findings, &points);
            copies(out, model, findings);
            classes(out, model);
            parameters(out, model);
            blocking(out, findings);
        });
    });
    format!("<!DOCTYPE html>\n{}\n", out.finish())
}

fn class_name(class: Class) -> &'static str {
    match class {
        Class::Person => "one person",
        Class::Household => "one household",
        Class::Namesake => "one name",
    }
}

fn summary(model: &Model) -> String {
    let columns: Vec<&str> = model
        .columns
        .iter()
        .map(|column| column.name.as_str())
        .collect();
    format!(
        "Trained on {} records and {} pairs of them; compares {}. A pair of {} bits or more is a match \
         (a probability of {}).",
        count(u64::from(model.records)),
        count(model.fit.pairs),
        columns.join(", "),
        bits(model.threshold),
        percent(probability(model.threshold)),
    )
}

/// What is expected at the threshold.
fn at(points: &[Point], threshold: i32) -> Option<&Point> {
    points
        .iter()
        .find(|point| point.threshold >= threshold)
        .or(points.last())
}

fn facts(out: &mut Markup, model: &Model, findings: &Findings, points: &[Point]) {
    let found = &findings.found;
    let mut facts = vec![
        (count(findings.records), "records"),
        (count(findings.pairs.total()), "pairs compared"),
        (count(found.links), "links"),
        (count(found.clusters), "clusters of several records"),
        (count(found.clustered), "records in them"),
        (count(found.review), "pairs to review"),
        (count(found.households), "pairs of one household"),
        (count(found.cuts), "weak bridges cut"),
    ];
    if let Some(point) = at(points, model.threshold) {
        facts.push((percent(point.precision), "expected precision"));
        facts.push((percent(point.recall), "expected recall"));
    }
    if let Some(recall) = findings.recall {
        facts.push((percent(recall), "recall of blocking, at most"));
    }
    out.element("ul", &[("class", "facts")], |out| {
        for (number, what) in facts {
            out.element("li", &[], |out| {
                out.text("b", &[], &number);
                out.text("span", &[], what);
            });
        }
    });
}

/// What the reader should not overlook.
fn doubts(out: &mut Markup, model: &Model, findings: &Findings) {
    let mut doubts = Vec::new();
    if findings.records == 0 {
        doubts.push("It has not run yet: there are no figures of a run.".to_owned());
    }
    if model.fit.misfit > MISFIT {
        doubts.push(format!(
            "Two comparisons agree together by {:.1} bits more than the model expects: they may say the same thing \
             twice, and its probabilities are too sure.",
            model.fit.misfit
        ));
    }
    if let Some(recall) = findings.recall.filter(|&recall| recall < 0.9) {
        doubts.push(format!(
            "The rules of blocking find {} of the pairs of one person at most; no threshold finds the others.",
            percent(recall)
        ));
    }
    for doubt in doubts {
        out.text("p", &[("class", "note")], &doubt);
    }
}

fn weights(out: &mut Markup, model: &Model, findings: &Findings) {
    if findings.pairs.total() == 0 {
        return;
    }
    out.text("h2", &[], "Weights of the pairs compared");
    let words = "All pairs that blocking gave, by weight: grey. Blue: how many of them are expected to be one person, \
                 by the probability that their weight stands for. The scale is logarithmic.";
    out.text("p", &[], words);
    chart::histogram(out, &findings.pairs, model.threshold, true);
}

fn rates(out: &mut Markup, model: &Model, findings: &Findings, points: &[Point]) {
    if points.is_empty() {
        return;
    }
    out.text("h2", &[], "Expected precision and recall");
    let of = if findings.expected.is_empty() {
        "pairs"
    } else {
        "clusters"
    };
    let mut words = format!(
        "Of {of}, by threshold, if the model's probabilities are right; round the precision, where it lies with \
         95 % certainty."
    );
    if let Some(recall) = findings.recall {
        words.push_str(&format!(
            " What blocking misses ({}) counts as missed.",
            percent(1.0 - recall)
        ));
    }
    out.text("p", &[], &words);
    chart::rates(out, points, model.threshold);
}

fn copies(out: &mut Markup, model: &Model, findings: &Findings) {
    let total = findings.copies.total();
    if total == 0 {
        return;
    }
    let under = findings.copies.below(model.threshold);
    out.text("h2", &[], "Records that cannot be linked");
    let words = format!(
        "Each record compared with a copy of itself: about {} of {} ({}) say too little to reach the threshold even \
         then (orange).",
        count(under.round() as u64),
        count(total),
        percent(under / total as f64),
    );
    out.text("p", &[], &words);
    chart::histogram(out, &findings.copies, model.threshold, false);
}

fn classes(out: &mut Markup, model: &Model) {
    out.text("h2", &[], "What two records are to each other");
    let words = "How often two records drawn at random are of each class. The classes were chosen by how well they \
                 explain pairs that were held out.";
    out.text("p", &[], words);
    out.element("table", &[], |out| {
        out.element("tr", &[], |out| {
            out.text("th", &[], "class");
            out.text("th", &[("class", "n")], "one pair in");
            out.text("th", &[("class", "n")], "pairs among these records");
        });
        let records = f64::from(model.records);
        let all = records * (records - 1.0).max(0.0) / 2.0;
        for (&class, &prior) in model.classes.iter().zip(&model.priors) {
            out.element("tr", &[], |out| {
                out.text("td", &[], class_name(class));
                let one_in = if prior > 0.0 {
                    count((1.0 / prior).round() as u64)
                } else {
                    "–".to_owned()
                };
                out.text("td", &[("class", "n")], &one_in);
                out.text(
                    "td",
                    &[("class", "n")],
                    &count((prior * all).round() as u64),
                );
            });
        }
    });
}

fn weight_of(level: &crate::matching::model::LevelModel) -> i32 {
    let person = level.m.first().copied().unwrap_or(0.0);
    ((person.max(1e-9) / level.u.max(1e-12)).log2() * 100.0).round() as i32
}

fn parameters(out: &mut Markup, model: &Model) {
    out.text("h2", &[], "Parameters");
    let words = "For each level of a comparison, how often pairs of each class show it when both records have a value \
                 (m), how often strangers do (u), and the weight that follows for one person, on a value of usual \
                 frequency: a rarer value weighs more, a frequent one less.";
    out.text("p", &[], words);
    let levels = model
        .comparisons
        .iter()
        .flat_map(|comparison| &comparison.levels);
    let most = levels
        .map(|level| weight_of(level).abs())
        .max()
        .unwrap_or(1);
    out.element("table", &[], |out| {
        out.element("tr", &[], |out| {
            out.text("th", &[], "level");
            for &class in &model.classes {
                out.text(
                    "th",
                    &[("class", "n")],
                    &format!("m: {}", class_name(class)),
                );
            }
            out.text("th", &[("class", "n")], "u");
            out.text("th", &[], "");
            out.text("th", &[("class", "n")], "bits");
            out.text("th", &[], "against … for");
        });
        for comparison in &model.comparisons {
            of_comparison(out, model, comparison, most);
        }
    });
}

fn of_comparison(out: &mut Markup, model: &Model, comparison: &ComparisonModel, most: i32) {
    let columns = (model.classes.len() + 5).to_string();
    out.element("tr", &[("class", "group")], |out| {
        out.text(
            "td",
            &[("colspan", &columns)],
            &comparison.name.replace('_', " "),
        );
    });
    for level in &comparison.levels {
        out.element("tr", &[], |out| {
            out.text("td", &[("class", "level")], &level.label);
            for &m in &level.m {
                out.text("td", &[("class", "n")], &percent(m));
            }
            out.text("td", &[("class", "n")], &percent(level.u));
            out.element("td", &[], |out| {
                chart::share(out, level.m.first().copied().unwrap_or(0.0), FOR);
                chart::share(out, level.u, if level.u > 0.0 { NEUTRAL } else { AGAINST });
            });
            let weight = weight_of(level);
            out.text("td", &[("class", "n")], &bits(weight));
            out.element("td", &[], |out| chart::weight(out, weight, most));
        });
    }
}

fn blocking(out: &mut Markup, findings: &Findings) {
    if findings.rules.is_empty() {
        return;
    }
    out.text("h2", &[], "Blocking");
    let words = "Two records are compared when they agree on a rule. A block of more records than the rule's cap gives \
                 no pair by that rule; the other rules go on. A pair that several rules give is compared once.";
    out.text("p", &[], words);
    out.element("table", &[], |out| {
        out.element("tr", &[], |out| {
            out.text("th", &[], "rule");
            for what in [
                "records",
                "blocks",
                "largest",
                "pairs",
                "blocks over the cap",
                "pairs left out",
            ] {
                out.text("th", &[("class", "n")], what);
            }
        });
        for report in &findings.rules {
            out.element("tr", &[], |out| {
                out.text("td", &[], &report.rule.to_string());
                let numbers = [
                    u64::from(report.records),
                    report.blocks,
                    u64::from(report.largest),
                    report.pairs,
                    report.overfull_blocks,
                    report.overfull_pairs,
                ];
                for number in numbers {
                    out.text("td", &[("class", "n")], &count(number));
                }
            });
        }
    });
    overfull(out, &findings.rules);
}

fn overfull(out: &mut Markup, rules: &[RuleReport]) {
    let mut blocks: Vec<_> = rules
        .iter()
        .flat_map(|report| report.overfull.iter().map(move |block| (report, block)))
        .collect();
    if blocks.is_empty() {
        return;
    }
    blocks.sort_by(|a, b| {
        b.1.pairs
            .cmp(&a.1.pairs)
            .then_with(|| a.1.key.cmp(&b.1.key))
    });
    out.text(
        "p",
        &[],
        "The largest blocks over the cap: often a placeholder, or a value of many.",
    );
    out.element("table", &[], |out| {
        out.element("tr", &[], |out| {
            out.text("th", &[], "what the records agree on");
            out.text("th", &[], "rule");
            out.text("th", &[("class", "n")], "records");
            out.text("th", &[("class", "n")], "pairs left out");
        });
        for (report, block) in blocks.into_iter().take(OVERFULL_SHOWN) {
            out.element("tr", &[], |out| {
                out.text("td", &[], &block.key);
                out.text("td", &[], &report.rule.to_string());
                out.text("td", &[("class", "n")], &count(u64::from(block.records)));
                out.text("td", &[("class", "n")], &count(block.pairs));
            });
        }
    });
}
