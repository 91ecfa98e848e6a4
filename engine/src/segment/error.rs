//! Faults of a rule, said so that whoever wrote it can mend it: what, where, and what would be right.

use std::fmt;

/// A stretch of a rule, in byte offsets: `start` is in it, `end` is not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// Offset of the first byte.
    pub start: usize,
    /// Offset after the last byte.
    pub end: usize,
}

impl Span {
    /// The stretch from the start of `self` to the end of `last`.
    pub(super) fn to(self, last: Span) -> Span {
        Span {
            start: self.start,
            end: last.end,
        }
    }
}

/// Why a rule was refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuleError {
    /// What is wrong: lower case, one line, no full stop, as PostgreSQL writes its messages.
    pub message: String,
    /// What would be right, where that is known.
    pub hint: Option<String>,
    /// The part of the rule that is at fault; empty at the end of a rule that stops too early.
    pub span: Span,
}

impl RuleError {
    pub(super) fn new(span: Span, message: impl Into<String>) -> Self {
        RuleError {
            // What a rule holds is quoted in messages, and may hold more than a line.
            message: message.into().replace(['\n', '\r'], " "),
            hint: None,
            span,
        }
    }

    pub(super) fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// The place of the fault in `rule`, counted in characters from 1, as PostgreSQL counts an
    /// error's position.
    pub fn character_position(&self, rule: &str) -> usize {
        rule[..self.span.start].chars().count() + 1
    }

    /// The line of `rule` that holds the fault, and a line of carets under the fault. A fault that
    /// goes on over several lines is shown as far as its first.
    pub fn excerpt(&self, rule: &str) -> String {
        let line_start = rule[..self.span.start].rfind('\n').map_or(0, |at| at + 1);
        let line_end = rule[self.span.start..]
            .find('\n')
            .map_or(rule.len(), |at| self.span.start + at);
        let line = rule[line_start..line_end].trim_end_matches('\r');
        // A tab is repeated as a tab, so that the caret stands under its character whatever the
        // width of a tab.
        let indent: String = rule[line_start..self.span.start]
            .chars()
            .map(|c| if c == '\t' { '\t' } else { ' ' })
            .collect();
        let marked = rule[self.span.start..self.span.end.clamp(self.span.start, line_end)]
            .chars()
            .count();
        format!("{line}\n{indent}{}", "^".repeat(marked.max(1)))
    }
}

impl fmt::Display for RuleError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        if let Some(hint) = &self.hint {
            write!(f, " ({hint})")?;
        }
        Ok(())
    }
}

impl std::error::Error for RuleError {}

/// The candidate that `written` was most likely meant to be, if one is near enough.
pub(super) fn nearest<'a>(
    written: &str,
    candidates: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    // The distance costs the product of the lengths; a name as long as this is no slip of the pen.
    const LONGEST: usize = 100;
    if written.len() > LONGEST {
        return None;
    }
    let folded = written.to_lowercase();
    let limit = (folded.chars().count() / 3).max(1);
    candidates
        .into_iter()
        .filter(|candidate| candidate.len() <= LONGEST)
        .map(|candidate| {
            let distance = strsim::damerau_levenshtein(&folded, &candidate.to_lowercase());
            (distance, candidate)
        })
        .filter(|(distance, _)| *distance <= limit)
        .min()
        .map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn position_counts_characters_and_not_bytes() {
        let rule = "cidade = 'São' x";
        let at = rule.len() - 1;
        let error = RuleError::new(
            Span {
                start: at,
                end: at + 1,
            },
            "fault",
        );
        assert_eq!(error.character_position(rule), 16);
        assert_eq!(error.excerpt(rule), format!("{rule}\n{}^", " ".repeat(15)));
    }

    #[test]
    fn excerpt_shows_the_line_at_fault_and_keeps_tabs() {
        let rule = "a = 1 and\r\n\tbc = 2 and\nd = 3";
        let error = RuleError::new(Span { start: 12, end: 14 }, "fault");
        assert_eq!(error.excerpt(rule), "\tbc = 2 and\n\t^^");
        let over_lines = RuleError::new(Span { start: 19, end: 24 }, "fault");
        assert_eq!(over_lines.excerpt(rule), "\tbc = 2 and\n\t       ^^^");
    }

    #[test]
    fn nearest_takes_case_and_slips_but_nothing_far() {
        let names = ["country", "city", "plan"];
        assert_eq!(nearest("contry", names), Some("country"));
        assert_eq!(nearest("Country", names), Some("country"));
        assert_eq!(nearest("paln", names), Some("plan"));
        assert_eq!(nearest("birthday", names), None);
    }
}
