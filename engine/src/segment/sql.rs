//! Writes a checked rule as SQL.
//!
//! Nothing of a rule reaches the SQL but through [`quote`]. Functions, types and operators are
//! qualified, and constructs that look up an operator by its bare name (`IN`, `BETWEEN`, `LIKE`,
//! `CASE x WHEN`, unary minus) are avoided, so that no `search_path` changes what a rule means.

use jiff::civil::DateTime;

use super::ValueType;
use super::ast::{Bound, Comparison, Duration, TextOperator, Unit};
use super::checked::{Case, Check, Condition, Events, Operand, Scalar, Shift, View};

/// The SQL of a condition: true or false, never NULL, and fit to be an operand of AND, OR and NOT.
pub(super) fn expression(condition: &Condition) -> String {
    match condition {
        Condition::All(parts) => joined(parts, " AND "),
        Condition::Any(parts) => joined(parts, " OR "),
        Condition::Not(inner) => format!("NOT {}", expression(inner)),
        Condition::Member(segment) => format!(
            "EXISTS (SELECT 1 FROM cdp.memberships m \
             WHERE m.profile_id OPERATOR(pg_catalog.=) p.profile_id \
             AND m.segment_id OPERATOR(pg_catalog.=) '{segment}'::pg_catalog.int8 \
             AND m.left_at IS NULL)"
        ),
        Condition::Did(events) => did(events),
        Condition::Test(operand, check) => test(operand, check),
    }
}

fn joined(parts: &[Condition], between: &str) -> String {
    let parts: Vec<String> = parts.iter().map(expression).collect();
    format!("({})", parts.join(between))
}

fn did(events: &Events) -> String {
    let found = matching(events);
    let times = u64::from(events.times);
    // Counting stops as soon as the answer is known.
    let count = |limit: u64, operator: &str| {
        format!(
            "((SELECT pg_catalog.count(*) FROM (SELECT 1 {found} LIMIT {limit}) s) \
             OPERATOR(pg_catalog.{operator}) '{times}'::pg_catalog.int8)"
        )
    };
    match (events.bound, events.times) {
        (Bound::AtLeast, 1) => format!("EXISTS (SELECT 1 {found})"),
        (Bound::AtMost | Bound::Exactly, 0) => format!("NOT EXISTS (SELECT 1 {found})"),
        (Bound::AtLeast, _) => count(times, ">="),
        (Bound::AtMost, _) => count(times + 1, "<="),
        (Bound::Exactly, _) => count(times + 1, "="),
    }
}

/// FROM and WHERE of the events that count.
fn matching(events: &Events) -> String {
    let mut sql = format!(
        "FROM cdp.profile_events e WHERE e.profile_id OPERATOR(pg_catalog.=) p.profile_id \
         AND e.name OPERATOR(pg_catalog.=) {}",
        quote(&events.name)
    );
    for (comparison, bound) in &events.window {
        sql += " AND ";
        sql += &compare("e.\"time\"", *comparison, bound, Case::Exact);
    }
    // What has not happened yet does not count.
    sql += " AND e.\"time\" OPERATOR(pg_catalog.<=) $1";
    if let Some(condition) = &events.condition {
        sql += " AND ";
        sql += &expression(condition);
    }
    sql
}

fn test(operand: &Operand, check: &Check) -> String {
    match operand {
        Operand::Column(column, value_type) => {
            if let Check::Set = check {
                return format!("({})", predicate(column, check));
            }
            if let (ValueType::TextArray, Check::Text(_, text, case)) = (value_type, check) {
                return when_set(column, &array_contains(column, text, *case));
            }
            when_set(column, &predicate(column, check))
        }
        Operand::Json {
            document,
            path,
            view,
        } => {
            let path = quote(&array_literal(path));
            let json = format!("({document} OPERATOR(pg_catalog.#>) {path})");
            let text = format!("({document} OPERATOR(pg_catalog.#>>) {path})");
            match (view, check) {
                // As text, a JSON null is NULL as well.
                (_, Check::Set) => format!("({})", predicate(&text, check)),
                (View::Text, Check::Text(TextOperator::Contains, needle, case)) => {
                    let in_array = json_array_contains(&json, needle, *case);
                    let in_text = when_set(&text, &predicate(&text, check));
                    of_kind(&json, "array", &in_array, &in_text)
                }
                (View::Text, _) => when_set(&text, &predicate(&text, check)),
                (View::Number, _) => {
                    let number = format!("{json}::pg_catalog.numeric");
                    of_kind(&json, "number", &predicate(&number, check), "false")
                }
                (View::Boolean, _) => {
                    let boolean = format!("{json}::pg_catalog.bool");
                    of_kind(&json, "boolean", &predicate(&boolean, check), "false")
                }
            }
        }
    }
}

/// A test that is false, and not NULL, where its value is NULL. An index on the value still serves,
/// which it would not within COALESCE or IS TRUE.
fn when_set(value: &str, test: &str) -> String {
    format!("({value} IS NOT NULL AND {test})")
}

/// A test of a JSON value of one kind, and what holds for all others. CASE keeps the cast from
/// values on which it would raise an error.
fn of_kind(json: &str, kind: &str, then: &str, otherwise: &str) -> String {
    format!(
        "CASE WHEN pg_catalog.jsonb_typeof({json}) OPERATOR(pg_catalog.=) '{kind}' \
         THEN {then} ELSE {otherwise} END"
    )
}

/// A check of a value; NULL where the value is, but for [`Check::Set`].
fn predicate(value: &str, check: &Check) -> String {
    match check {
        Check::Set => format!("{value} IS NOT NULL"),
        Check::Compare(comparisons, case) => {
            let comparisons: Vec<String> = comparisons
                .iter()
                .map(|(comparison, with)| compare(value, *comparison, with, *case))
                .collect();
            comparisons.join(" AND ")
        }
        Check::OneOf(values, case) => {
            let values: Vec<String> = values.iter().map(|v| folded(&scalar(v), *case)).collect();
            format!(
                "{} OPERATOR(pg_catalog.=) ANY (ARRAY[{}])",
                folded(value, *case),
                values.join(", ")
            )
        }
        Check::Text(operator, text, case) => text_test(value, *operator, text, *case),
    }
}

fn compare(value: &str, comparison: Comparison, with: &Scalar, case: Case) -> String {
    if let Scalar::Now(Some(shift)) = with
        && let Shift::Back(duration) | Shift::Ahead(duration) = shift
        && matches!(duration.unit, Unit::Month | Unit::Year)
    {
        return within_calendar(value, *shift);
    }
    let mut sql = infix(
        &folded(value, case),
        operator(comparison),
        &folded(&scalar(with), case),
    );
    let ordered = !matches!(comparison, Comparison::Equal | Comparison::NotEqual);
    if ordered && matches!(with, Scalar::Text(_)) {
        // The order of a language differs between servers and versions of their libraries.
        sql += " COLLATE pg_catalog.\"C\"";
    }
    sql
}

/// Whether an instant is within so many months or years of the present.
///
/// Months differ in length: the present less one month goes back when 28 March turns to 29 March, and
/// an instant that had left the window would enter it again. So what decides is the one moment at
/// which the instant itself, moved by the months, leaves or enters the window. CASE keeps instants at
/// the ends of the type's range from being moved out of it.
fn within_calendar(instant: &str, shift: Shift) -> String {
    let moved = |operator: &str, duration: Duration| {
        format!(
            "pg_catalog.timezone('UTC', {})",
            shifted(instant, operator, duration)
        )
    };
    match shift {
        Shift::Back(duration) => format!(
            // The first comparison follows from the second, and can use an index.
            "{} AND CASE WHEN {} THEN {} ELSE false END",
            infix(instant, ">", &scalar(&Scalar::Now(Some(shift)))),
            infix(instant, "<=", "$1"),
            infix(&moved("+", duration), ">", "$1")
        ),
        Shift::Ahead(duration) => format!(
            "CASE WHEN {} THEN {} ELSE false END",
            infix(instant, ">", "$1"),
            infix(&moved("-", duration), "<=", "$1")
        ),
    }
}

fn text_test(value: &str, operator: TextOperator, text: &str, case: Case) -> String {
    let folded_value = folded(value, case);
    let folded_text = folded(&quote(text), case);
    match (operator, case) {
        (TextOperator::Contains, _) => {
            format!("pg_catalog.strpos({folded_value}, {folded_text}) OPERATOR(pg_catalog.>) 0")
        }
        (TextOperator::StartsWith, _) => {
            format!("pg_catalog.starts_with({folded_value}, {folded_text})")
        }
        (TextOperator::EndsWith, _) => format!(
            "pg_catalog.right({folded_value}, pg_catalog.length({folded_text})) \
             OPERATOR(pg_catalog.=) {folded_text}"
        ),
        // Patterns are not folded: \S is not \s.
        (TextOperator::Matches, Case::Exact) => infix(value, "~", &quote(text)),
        (TextOperator::Matches, Case::Ignored) => infix(value, "~*", &quote(text)),
    }
}

fn array_contains(array: &str, text: &str, case: Case) -> String {
    match case {
        Case::Exact => format!(
            "{array} OPERATOR(pg_catalog.@>) ARRAY[{}]::pg_catalog.text[]",
            quote(text)
        ),
        Case::Ignored => any_element(&format!("pg_catalog.unnest({array})"), text),
    }
}

fn json_array_contains(json: &str, text: &str, case: Case) -> String {
    match case {
        Case::Exact => infix(json, "?", &quote(text)),
        Case::Ignored => any_element(
            &format!("pg_catalog.jsonb_array_elements_text({json})"),
            text,
        ),
    }
}

/// Whether one of the elements that a function gives is `text` but for case.
fn any_element(elements: &str, text: &str) -> String {
    format!(
        "EXISTS (SELECT 1 FROM {elements} AS a (v) WHERE {})",
        infix(
            &folded("a.v", Case::Ignored),
            "=",
            &folded(&quote(text), Case::Ignored)
        )
    )
}

fn folded(text: &str, case: Case) -> String {
    match case {
        Case::Exact => text.to_owned(),
        Case::Ignored => format!("pg_catalog.lower({text})"),
    }
}

fn infix(left: &str, operator: &str, right: &str) -> String {
    format!("{left} OPERATOR(pg_catalog.{operator}) {right}")
}

fn operator(comparison: Comparison) -> &'static str {
    match comparison {
        Comparison::NotEqual => "<>",
        other => other.symbol(),
    }
}

fn scalar(value: &Scalar) -> String {
    match value {
        Scalar::Text(text) => quote(text),
        Scalar::Integer(number) => format!("'{number}'::pg_catalog.int8"),
        Scalar::Decimal(number) => format!("{}::pg_catalog.numeric", quote(number)),
        Scalar::Double(number) => format!("'{number:?}'::pg_catalog.float8"),
        Scalar::Boolean(truth) => truth.to_string(),
        Scalar::Date(day) => format!("'{day}'::pg_catalog.date"),
        Scalar::Instant(instant) => instant_literal(*instant),
        Scalar::Now(None) => "$1".to_owned(),
        Scalar::Now(Some(shift)) => {
            format!("pg_catalog.timezone('UTC', {})", shifted_present(*shift))
        }
        Scalar::Today(None) => "pg_catalog.timezone('UTC', $1)::pg_catalog.date".to_owned(),
        Scalar::Today(Some(shift)) => format!("({})::pg_catalog.date", shifted_present(*shift)),
    }
}

fn shifted_present(shift: Shift) -> String {
    match shift {
        Shift::Back(duration) => shifted("$1", "-", duration),
        Shift::Ahead(duration) => shifted("$1", "+", duration),
    }
}

/// An instant moved by a duration, as a `timestamp` in UTC: days and months are those of UTC's
/// calendar whatever the session's time zone.
fn shifted(instant: &str, operator: &str, duration: Duration) -> String {
    let Duration { count, unit, .. } = duration;
    let plural = if count == 1 { "" } else { "s" };
    infix(
        &format!("pg_catalog.timezone('UTC', {instant})"),
        operator,
        &format!("'{count} {}{plural}'::pg_catalog.interval", unit.word()),
    )
}

fn instant_literal(instant: DateTime) -> String {
    // PostgreSQL keeps microseconds; what is finer is cut off.
    let micros = instant.subsec_nanosecond() / 1_000;
    let fraction = if micros == 0 {
        String::new()
    } else {
        format!(".{micros:06}")
    };
    format!(
        "'{} {:02}:{:02}:{:02}{fraction}+00'::pg_catalog.timestamptz",
        instant.date(),
        instant.hour(),
        instant.minute(),
        instant.second()
    )
}

/// A text as a literal of SQL. One with a backslash is written as E'…', which reads the same
/// whether `standard_conforming_strings` is on or off.
fn quote(text: &str) -> String {
    let doubled = text.replace('\'', "''");
    if doubled.contains('\\') {
        format!("E'{}'", doubled.replace('\\', "\\\\"))
    } else {
        format!("'{doubled}'")
    }
}

/// Texts as the input of a `text[]`.
fn array_literal(elements: &[String]) -> String {
    let elements: Vec<String> = elements
        .iter()
        .map(|element| {
            let plain = !element.is_empty()
                && !element.eq_ignore_ascii_case("null")
                && element
                    .bytes()
                    .all(|b| b.is_ascii_alphanumeric() || b == b'_');
            if plain {
                element.clone()
            } else {
                let escaped = element.replace('\\', "\\\\").replace('"', "\\\"");
                format!("\"{escaped}\"")
            }
        })
        .collect();
    format!("{{{}}}", elements.join(","))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quoting_is_safe_under_both_settings() {
        assert_eq!(quote("it's"), "'it''s'");
        assert_eq!(quote(r"a\'b"), r"E'a\\''b'");
        assert_eq!(quote("$1"), "'$1'");
    }

    #[test]
    fn array_elements_are_escaped() {
        let path = ["a", "b c", "NULL", "q\"\\", "", "0"].map(str::to_owned);
        assert_eq!(array_literal(&path), r#"{a,"b c","NULL","q\"\\","",0}"#);
        assert_eq!(array_literal(&[]), "{}");
    }

    #[test]
    fn instants_are_in_utc_with_microseconds() {
        let instant = jiff::civil::datetime(2024, 1, 2, 3, 4, 5, 6_007_008);
        assert_eq!(
            instant_literal(instant),
            "'2024-01-02 03:04:05.006007+00'::pg_catalog.timestamptz"
        );
    }
}
