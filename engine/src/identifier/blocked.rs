//! The values that stand for nobody in every business: what programs write for "none", what testers
//! type, and the ids that devices give when they refuse one.
//!
//! Domains are not on the list, not even `example.com`: whoever writes from there is one person, if an
//! invented one. Nor are `info@` and the like, which stand for somebody in a small firm; an identifier
//! that too many share is found by counting.

use std::collections::HashSet;
use std::sync::LazyLock;

use regex::RegexSet;

const VALUES: &[&str] = &[
    "",
    "-",
    "--",
    "?",
    ".",
    "0",
    "-1",
    "n/a",
    "n.a.",
    "na",
    "#n/a",
    "nan",
    "nil",
    "none",
    "null",
    "(null)",
    "<null>",
    "\\n",
    "undefined",
    "[object object]",
    "not set",
    "(not set)",
    "notset",
    "not available",
    "not applicable",
    "empty",
    "blank",
    "missing",
    "unknown",
    "(unknown)",
    "anonymous",
    "anon",
    "anonymous_user",
    "guest",
    "guest_user",
    "nobody",
    "noone",
    "no email",
    "noemail",
    "no-email",
    "default",
    "dummy",
    "test",
    "testing",
    "test_user",
    "testuser",
    "true",
    "false",
    "xxx",
    // An id that a whole series of Android telephones shares, and the hardware address that iOS gives.
    "9774d56d682e549c",
    "02:00:00:00:00:00",
];

const PATTERNS: &[&str] = &[
    // Nothing but zeros: 000000000, +000, 00000000-0000-0000-0000-000000000000, 00:00:00:00:00:00.
    r"^[+-]?[0\-:. ]*0[0\-:. ]*$",
    // The greatest UUID.
    r"^f{8}-?f{4}-?f{4}-?f{4}-?f{12}$",
    // Addresses that nobody reads, and that people give to get past a form.
    r"^(test|tester|testing|none|null|undefined|unknown|anonymous|guest|nobody|fake|dummy|na|n/a|no|no[._-]?e?mail|no[._-]?reply|do[._-]?not[._-]?reply|mailer-daemon)(\+[^@]*)?@",
    r"@(none|null|undefined|unknown|no[._-]?e?mail)(\.[a-z]+)?$",
];

/// Whether a value that is normalised and case-folded is on the built-in list.
pub(super) fn is_builtin(folded: &str) -> bool {
    static VALUE_SET: LazyLock<HashSet<&str>> = LazyLock::new(|| VALUES.iter().copied().collect());
    static PATTERN_SET: LazyLock<RegexSet> =
        LazyLock::new(|| RegexSet::new(PATTERNS).expect("the built-in patterns are valid"));
    VALUE_SET.contains(folded) || PATTERN_SET.is_match(folded)
}
