//! Rules with what comes of them, kept in text files: each rule in lines that begin with `> `, then
//! its SQL with what it refers to, or its error. `UPDATE_GOLDEN=1` writes the files anew.

use std::fmt::Write;
use std::path::Path;

use cdp_engine::segment::{compile, cycle, dependencies, parse};

use crate::catalog::Shop;

fn outcome(rule: &str) -> String {
    let mut shown = String::new();
    match compile(rule, &Shop) {
        Ok(compiled) => {
            writeln!(shown, "{}", compiled.sql).unwrap();
            writeln!(shown, "traits {:?}", compiled.traits).unwrap();
            for (what, is_empty, list) in [
                (
                    "events",
                    compiled.events.is_empty(),
                    format!("{:?}", compiled.events),
                ),
                (
                    "segments",
                    compiled.segments.is_empty(),
                    format!("{:?}", compiled.segments),
                ),
                (
                    "patterns",
                    compiled.patterns.is_empty(),
                    format!("{:?}", compiled.patterns),
                ),
            ] {
                if !is_empty {
                    writeln!(shown, "{what} {list}").unwrap();
                }
            }
            if compiled.uses_time {
                let how = if compiled.moving { ", moving" } else { "" };
                writeln!(shown, "uses time{how}").unwrap();
            }
        }
        Err(error) => {
            writeln!(shown, "{}", error.excerpt(rule)).unwrap();
            writeln!(
                shown,
                "error at character {}: {}",
                error.character_position(rule),
                error.message
            )
            .unwrap();
            if let Some(hint) = error.hint {
                writeln!(shown, "hint: {hint}").unwrap();
            }
        }
    }
    shown
}

fn rules(golden: &str) -> Vec<String> {
    golden
        .split("\n\n")
        .map(|block| {
            let lines = block.lines().filter_map(|line| line.strip_prefix('>'));
            let lines: Vec<&str> = lines
                .map(|line| line.strip_prefix(' ').unwrap_or(line))
                .collect();
            lines.join("\n")
        })
        .collect()
}

fn check(file: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/segment")
        .join(file);
    let golden = std::fs::read_to_string(&path).unwrap();
    let blocks: Vec<String> = rules(&golden)
        .iter()
        .map(|rule| {
            let shown: Vec<String> = rule
                .split('\n')
                .map(|line| format!("> {line}").trim_end().to_owned())
                .collect();
            format!("{}\n{}", shown.join("\n"), outcome(rule))
        })
        .collect();
    let fresh = blocks.join("\n");
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&path, fresh).unwrap();
        return;
    }
    for (fresh, golden) in fresh.split("\n\n").zip(golden.split("\n\n")) {
        assert_eq!(fresh, golden);
    }
    assert_eq!(fresh.len(), golden.len());
}

#[test]
fn rules_compile_to_the_sql_on_file() {
    check("sql.golden");
}

#[test]
fn errors_are_those_on_file() {
    check("errors.golden");
}

#[test]
fn an_empty_rule_is_an_error() {
    for rule in ["", " \n\t", "-- a comment"] {
        let error = compile(rule, &Shop).unwrap_err();
        assert_eq!(error.message, "the rule is empty");
        assert_eq!(error.character_position(rule), 1);
        assert!(error.excerpt(rule).ends_with("\n^"));
    }
}

#[test]
fn rules_of_the_guide_compile() {
    let guide = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/segments.md");
    let guide = std::fs::read_to_string(guide).unwrap();
    let blocks = guide.split("```segment\n").skip(1);
    let rules: Vec<&str> = blocks
        .flat_map(|block| block.split("```").next().unwrap_or(block).split("\n\n"))
        .collect();
    assert!(rules.len() > 10);
    for rule in rules {
        if let Err(error) = compile(rule, &Shop) {
            panic!("{error}\n{}", error.excerpt(rule));
        }
    }
}

#[test]
fn dependencies_lead_to_cycles() {
    let rule = "in segment 'b' and not (in segment 'c' or did 'X') and in segment 'b'";
    assert_eq!(dependencies(rule).unwrap(), ["b", "c"]);
    assert!(dependencies("in segment").is_err());
    let graph = [("a", rule), ("b", "age > 1"), ("c", "in segment 'a'")]
        .map(|(name, rule)| (name.to_owned(), dependencies(rule).unwrap()));
    assert_eq!(
        cycle("a", &graph.into_iter().collect()).unwrap(),
        ["a", "c", "a"]
    );
}

#[test]
fn nesting_is_bounded_and_length_is_not_nesting() {
    for (open, close) in [("(", ")"), ("not ", "")] {
        let nested = |n: usize| format!("{}age = 1{}", open.repeat(n), close.repeat(n));
        assert!(compile(&nested(200), &Shop).is_ok());
        let error = compile(&nested(201), &Shop).unwrap_err();
        assert_eq!(error.message, "conditions are nested more than 200 deep");
        assert_eq!(error.span.start, 200 * open.len());
        assert!(parse(&nested(10_000)).is_err());
    }
    let long = vec!["age = 1"; 5_000];
    assert!(compile(&long.join(" and "), &Shop).is_ok());
    let too_long = vec!["age = 1"; 6_000].join(" and ");
    assert!(
        parse(&too_long)
            .unwrap_err()
            .message
            .contains("more than 65536")
    );
}
