//! When a job is due: cron expressions and intervals.

use std::error::Error;
use std::fmt;
use std::str::FromStr;

use croner::Cron;
use croner::parser::{CronParser, Year};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Span, SpanRelativeTo, Timestamp};

/// A schedule or time zone that is not valid, and what would be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScheduleError {
    /// What is wrong, naming the field or word at fault.
    pub message: String,
    /// What is right.
    pub hint: String,
}

impl ScheduleError {
    fn new(message: impl Into<String>, hint: impl Into<String>) -> ScheduleError {
        ScheduleError {
            message: message.into(),
            hint: hint.into(),
        }
    }
}

impl fmt::Display for ScheduleError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.message, self.hint)
    }
}

impl Error for ScheduleError {}

/// A time zone in which a cron expression is read. Its rules are those that the engine was built
/// with, so that every server that runs one release agrees on them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Zone(TimeZone);

impl Zone {
    /// Coordinated Universal Time.
    pub const UTC: Zone = Zone(TimeZone::UTC);

    /// Reads an IANA name such as `Europe/Lisbon`, in any case.
    pub fn parse(name: &str) -> Result<Zone, ScheduleError> {
        TimeZone::get(name.trim()).map(Zone).map_err(|_| {
            ScheduleError::new(
                format!("unknown time zone {name:?}"),
                "use an IANA name such as 'UTC' or 'Europe/Lisbon'",
            )
        })
    }
}

/// When a job runs: by the calendar, or at a fixed interval.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Schedule {
    text: String,
    rule: Rule,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Rule {
    Cron(Box<Cron>),
    /// Microseconds, at least a second.
    Every(i64),
}

const SECOND: i64 = 1_000_000;

const FORMS: &str = "give a cron expression such as '*/15 * * * *' or '@daily', or an interval such \
                     as 'every 10 minutes'";

/// The fields of a cron expression, with what each takes.
const FIELDS: [(&str, &str); 6] = [
    ("second", "0-59"),
    ("minute", "0-59"),
    ("hour", "0-23"),
    (
        "day of month",
        "1-31, L for the last day, or 15W for the weekday nearest to the 15th",
    ),
    ("month", "1-12 or JAN-DEC"),
    (
        "day of week",
        "0-7 or SUN-SAT, 5L for the last Friday, or MON#2 for the second Monday",
    ),
];

const NICKNAMES: [(&str, &str); 7] = [
    ("@hourly", "0 * * * *"),
    ("@daily", "0 0 * * *"),
    ("@midnight", "0 0 * * *"),
    ("@weekly", "0 0 * * 0"),
    ("@monthly", "0 0 1 * *"),
    ("@yearly", "0 0 1 1 *"),
    ("@annually", "0 0 1 1 *"),
];

impl Schedule {
    /// Reads a cron expression of five fields, or of six with seconds first, or a nickname such as
    /// `@daily`; or an interval such as `every 10 minutes`, `90 seconds`, `1 hour 30 minutes` or
    /// `PT15M`, of a second or more. A day of an interval is 24 hours, and it has no months.
    pub fn parse(text: &str) -> Result<Schedule, ScheduleError> {
        let text = text.trim();
        let rule = if text.is_empty() {
            return Err(ScheduleError::new("the schedule is empty", FORMS));
        } else if looks_like_cron(text) {
            Rule::Cron(Box::new(parse_cron(text)?))
        } else {
            Rule::Every(parse_interval(text)?)
        };
        Ok(Schedule {
            text: text.to_string(),
            rule,
        })
    }

    /// The schedule as it was written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The schedule in English.
    pub fn describe(&self) -> String {
        match &self.rule {
            Rule::Cron(cron) => cron.describe().trim_end_matches('.').to_string(),
            Rule::Every(micros) => {
                let parts = [
                    (86_400, "day"),
                    (3_600, "hour"),
                    (60, "minute"),
                    (1, "second"),
                ];
                let mut rest = *micros;
                let mut words = Vec::new();
                for (seconds, unit) in parts {
                    let count = rest / (seconds * SECOND);
                    rest %= seconds * SECOND;
                    match count {
                        0 => {}
                        1 => words.push(format!("1 {unit}")),
                        _ => words.push(format!("{count} {unit}s")),
                    }
                }
                if rest > 0 {
                    words.push(format!("{rest} microseconds"));
                }
                format!("Every {}", words.join(" "))
            }
        }
    }

    /// The first time after `after` at which the schedule is due, in microseconds since the epoch.
    ///
    /// It depends on nothing but its arguments. An interval is due at `anchor` and at every multiple
    /// before and after it, so a late run shifts no later one, whatever the clock did. A cron
    /// expression is read on the wall clock of `zone`: where that clock skips an hour, a job at a
    /// fixed time in it runs right after; where it repeats one, such a job runs once, and a
    /// repeating job (`*/5`) runs through both. `None` is past the end of the calendar.
    pub fn next_after(&self, after: i64, zone: &Zone, anchor: i64) -> Option<i64> {
        match &self.rule {
            Rule::Cron(cron) => {
                let start = Timestamp::from_microsecond(after).ok()?;
                let next = cron.find_next_occurrence(&start.to_zoned(zone.0.clone()), false);
                Some(next.ok()?.timestamp().as_microsecond())
            }
            Rule::Every(every) => {
                // The sum may leave 64 bits on the way although the result does not.
                let since = (i128::from(after) - i128::from(anchor)).rem_euclid((*every).into());
                let next = i128::from(after) - since + i128::from(*every);
                i64::try_from(next).ok()
            }
        }
    }

    /// When a job should run that ran last at `last`, as seen at `now`: it is due if the result is
    /// not after `now`.
    ///
    /// Runs that were missed are made up for by one, since the next is then counted from `now`. A
    /// clock that was set back leaves `last` in the future: a time that was already served does not
    /// come again if the clock went back a little, and the job does not wait for the clock to catch
    /// up if it went back far. It waits for two occurrences from `now` at most.
    pub fn due_at(&self, last: i64, now: i64, zone: &Zone, anchor: i64) -> Option<i64> {
        if last <= now {
            return self.next_after(last, zone, anchor);
        }
        let next = self.next_after(now, zone, anchor)?;
        if next > last {
            return Some(next);
        }
        match self.next_after(next, zone, anchor) {
            Some(second) if second > last => Some(second),
            _ => Some(next),
        }
    }
}

impl fmt::Display for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// Whether a text is to be read, and its errors told, as a cron expression. An interval contains no
/// star, and its second word is a unit.
fn looks_like_cron(text: &str) -> bool {
    let words: Vec<&str> = text.split_whitespace().collect();
    let is_field = |word: &&str| word.starts_with(|c: char| c.is_ascii_digit());
    text.starts_with('@')
        || text.contains('*')
        || (words.len() >= 5 && words[..2].iter().all(is_field))
}

fn parse_cron(text: &str) -> Result<Cron, ScheduleError> {
    let expression = match text.strip_prefix('@') {
        None => text,
        Some(_) => {
            let nickname = NICKNAMES
                .iter()
                .find(|(name, _)| name.eq_ignore_ascii_case(text));
            nickname.map(|(_, expression)| *expression).ok_or_else(|| {
                let names: Vec<&str> = NICKNAMES.iter().map(|(name, _)| *name).collect();
                ScheduleError::new(
                    format!("unknown schedule {text:?}"),
                    format!("use one of: {}", names.join(", ")),
                )
            })?
        }
    };
    let fields: Vec<&str> = expression.split_whitespace().collect();
    let described = match fields.len() {
        5 => &FIELDS[1..],
        6 => &FIELDS[..],
        count => {
            return Err(ScheduleError::new(
                format!("a cron expression has 5 or 6 fields, and {text:?} has {count}"),
                "the fields are [second] minute hour day-of-month month day-of-week",
            ));
        }
    };
    let parser = CronParser::builder().year(Year::Disallowed).build();
    for (at, field) in fields.iter().enumerate() {
        // Alone among stars, so that an error can only be this field's.
        let mut alone = vec!["*"; fields.len()];
        alone[at] = field;
        // The parser passes over an empty item, and a field of nothing else would never match.
        let has_empty_item = field.split(',').any(str::is_empty);
        if has_empty_item || parser.parse(&alone.join(" ")).is_err() {
            let (name, takes) = described[at];
            return Err(ScheduleError::new(
                format!("the {name} field {field:?} of {text:?} is not valid"),
                format!(
                    "{name} takes {takes}; *, a list 1,2, a range 1-5, or steps */5 and 1-30/5"
                ),
            ));
        }
    }
    let never = |_| {
        ScheduleError::new(
            format!("{text:?} never comes"),
            "no year has such a day: check the day of month against the month",
        )
    };
    let cron = parser
        .parse(expression)
        .map_err(|error| ScheduleError::new(format!("{text:?} is not valid: {error}"), FORMS))?;
    // Without a year field, what does not come after the epoch does not come at all.
    cron.find_next_occurrence(&Timestamp::UNIX_EPOCH.to_zoned(TimeZone::UTC), true)
        .map_err(never)?;
    Ok(cron)
}

fn parse_interval(text: &str) -> Result<i64, ScheduleError> {
    let lower = text.to_lowercase();
    let (is_every, amount) = match lower.strip_prefix("every ") {
        Some(rest) => (true, rest.trim()),
        None => (false, lower.as_str()),
    };
    let starts_with_unit = amount.starts_with(|c: char| c.is_alphabetic());
    let span = if is_every && starts_with_unit {
        // "every hour"
        Span::from_str(&format!("1 {amount}"))
    } else {
        Span::from_str(amount)
    };
    let span = span.map_err(|_| ScheduleError::new(format!("{text:?} is no schedule"), FORMS))?;
    if span.get_years() != 0 || span.get_months() != 0 {
        return Err(ScheduleError::new(
            format!("the interval {text:?} has months or years, which differ in length"),
            "use a cron expression, such as '0 0 1 * *' for the first of each month",
        ));
    }
    let duration: SignedDuration = span
        .to_duration(SpanRelativeTo::days_are_24_hours())
        .map_err(|_| ScheduleError::new(format!("the interval {text:?} is too long"), FORMS))?;
    let micros = i64::try_from(duration.as_micros())
        .map_err(|_| ScheduleError::new(format!("the interval {text:?} is too long"), FORMS))?;
    if micros < SECOND {
        return Err(ScheduleError::new(
            format!("the interval {text:?} is shorter than a second"),
            "a job runs once a second at most",
        ));
    }
    Ok(micros)
}
