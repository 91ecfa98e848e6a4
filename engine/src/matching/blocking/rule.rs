//! Rules: which records are compared, said in words.
//!
//! A rule reads as `phonetic(last_name) + year(birth_date) up to 200`: two records are compared when
//! they agree on every term, and no more than 200 records do so together. A term over several columns,
//! `digits(phone|mobile)`, holds whatever any of them says.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::part::Part;

/// How many records may share a key, where a rule says nothing.
pub const DEFAULT_CAP: u32 = 256;

/// One term of a rule: a part of what some columns say.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Term {
    /// The columns, by name; any of them may agree with any of them.
    pub columns: Vec<String>,
    /// What of their values.
    pub part: Part,
}

/// A rule: records that agree on all its terms are compared.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Rule {
    /// What they agree on.
    pub terms: Vec<Term>,
    /// How many records may do so together: a larger block gives no pair.
    pub cap: u32,
}

/// A text that is no rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NoRule {
    /// The text.
    pub text: String,
    /// What is wrong with it.
    pub wrong: String,
}

impl fmt::Display for NoRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "blocking rule \"{}\": {}", self.text, self.wrong)
    }
}

impl std::error::Error for NoRule {}

impl Term {
    /// A part of one column.
    pub fn new(column: impl Into<String>, part: Part) -> Self {
        Term {
            columns: vec![column.into()],
            part,
        }
    }
}

impl Rule {
    /// A rule of these terms, with the default cap.
    pub fn new(terms: Vec<Term>) -> Self {
        Rule {
            terms,
            cap: DEFAULT_CAP,
        }
    }
}

fn is_plain(name: &str) -> bool {
    !name.is_empty()
        && name
            .chars()
            .all(|letter| letter.is_alphanumeric() || letter == '_')
}

impl fmt::Display for Term {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.part != Part::Value {
            write!(f, "{}(", self.part)?;
        }
        for (position, name) in self.columns.iter().enumerate() {
            if position > 0 {
                f.write_str("|")?;
            }
            if is_plain(name) {
                f.write_str(name)?;
            } else {
                write!(f, "\"{}\"", name.replace('"', "\"\""))?;
            }
        }
        if self.part != Part::Value {
            f.write_str(")")?;
        }
        Ok(())
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, term) in self.terms.iter().enumerate() {
            if position > 0 {
                f.write_str(" + ")?;
            }
            write!(f, "{term}")?;
        }
        if self.cap != DEFAULT_CAP {
            write!(f, " up to {}", self.cap)?;
        }
        Ok(())
    }
}

impl From<Rule> for String {
    fn from(rule: Rule) -> Self {
        rule.to_string()
    }
}

impl TryFrom<String> for Rule {
    type Error = NoRule;

    fn try_from(text: String) -> Result<Self, NoRule> {
        text.parse()
    }
}

impl FromStr for Rule {
    type Err = NoRule;

    fn from_str(text: &str) -> Result<Self, NoRule> {
        Reader { rest: text }.rule().map_err(|wrong| NoRule {
            text: text.to_owned(),
            wrong,
        })
    }
}

struct Reader<'a> {
    rest: &'a str,
}

impl Reader<'_> {
    fn takes(&mut self, mark: &str) -> bool {
        let trimmed = self.rest.trim_start();
        match trimmed.strip_prefix(mark) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => {
                self.rest = trimmed;
                false
            }
        }
    }

    fn rule(mut self) -> Result<Rule, String> {
        let mut terms = vec![self.term()?];
        while self.takes("+") {
            terms.push(self.term()?);
        }
        let mut cap = DEFAULT_CAP;
        if self.takes("up to ") {
            let number = self.rest.trim();
            cap = number
                .parse()
                .ok()
                .filter(|cap| *cap >= 2)
                .ok_or_else(|| format!("\"up to\" wants a number from 2, not \"{number}\""))?;
            self.rest = "";
        }
        if !self.rest.trim().is_empty() {
            return Err(format!(
                "\"+\" or \"up to\" expected before \"{}\"",
                self.rest.trim()
            ));
        }
        Ok(Rule { terms, cap })
    }

    fn term(&mut self) -> Result<Term, String> {
        let quoted = self.rest.trim_start().starts_with('"');
        let first = self.name()?;
        if !quoted && self.takes("(") {
            let part = first.parse()?;
            let columns = self.columns(None)?;
            if !self.takes(")") {
                return Err(format!("\")\" expected before \"{}\"", self.rest));
            }
            return Ok(Term { columns, part });
        }
        Ok(Term {
            columns: self.columns(Some(first))?,
            part: Part::Value,
        })
    }

    fn columns(&mut self, first: Option<String>) -> Result<Vec<String>, String> {
        let mut columns = vec![match first {
            Some(name) => name,
            None => self.name()?,
        }];
        while self.takes("|") {
            columns.push(self.name()?);
        }
        Ok(columns)
    }

    fn name(&mut self) -> Result<String, String> {
        if self.takes("\"") {
            let mut name = String::new();
            loop {
                let Some((before, after)) = self.rest.split_once('"') else {
                    return Err("a quoted column name does not end".to_owned());
                };
                name.push_str(before);
                self.rest = after;
                match after.strip_prefix('"') {
                    Some(rest) => {
                        name.push('"');
                        self.rest = rest;
                    }
                    None => break,
                }
            }
            if name.is_empty() {
                return Err("a column name is empty".to_owned());
            }
            return Ok(name);
        }
        let end = self
            .rest
            .find(|letter: char| !(letter.is_alphanumeric() || letter == '_'))
            .unwrap_or(self.rest.len());
        let (name, rest) = self.rest.split_at(end);
        if name.is_empty() {
            return Err(format!("a column name expected before \"{}\"", self.rest));
        }
        self.rest = rest;
        Ok(name.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn same(text: &str) {
        let rule: Rule = text.parse().expect(text);
        assert_eq!(rule.to_string(), text);
        let json = serde_json::to_string(&rule).expect("a string");
        assert_eq!(serde_json::from_str::<Rule>(&json).expect("a rule"), rule);
    }

    #[test]
    fn reads_what_it_writes() {
        same("email");
        same("phonetic(last_name) + year(birth_date) up to 200");
        same("prefix_3(first_name) + suffix_4(phone|\"mobile no\")");
        same("\"a \"\"b\"\" + c\"");
        same("word(Straße) + value_of_nothing");
        let loose: Rule = " email+year( dob ) up to 7 ".parse().expect("spaces");
        assert_eq!(loose.to_string(), "email + year(dob) up to 7");
    }

    #[test]
    fn says_what_is_wrong() {
        for (text, wrong) in [
            ("", "a column name expected before \"\""),
            ("a +", "a column name expected before \"\""),
            ("a b", "\"+\" or \"up to\" expected before \"b\""),
            ("year(a", "\")\" expected before \"\""),
            ("a up to 1", "\"up to\" wants a number from 2, not \"1\""),
            ("a up to x", "\"up to\" wants a number from 2, not \"x\""),
            ("\"a", "a quoted column name does not end"),
            ("\"\"", "a column name is empty"),
        ] {
            assert_eq!(text.parse::<Rule>().expect_err(text).wrong, wrong);
        }
        assert!(
            "sounds(a)"
                .parse::<Rule>()
                .expect_err("no such part")
                .wrong
                .starts_with("there is no part \"sounds\"")
        );
    }
}
