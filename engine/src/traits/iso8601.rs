//! Dates and times in ISO 8601, read strictly: what is read here, PostgreSQL reads the same whatever
//! its DateStyle and time zone are.

use jiff::SignedDuration;
use jiff::civil::{Date, DateTime, Time};

/// A date, with the time of day and the offset if they were written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Moment {
    /// The date as written, before any offset is applied.
    pub date: Date,
    /// Midnight where no time was written.
    time: Time,
    /// Seconds east of UTC; 0 where no offset was written.
    offset: i64,
}

impl Moment {
    /// Reads `YYYY-MM-DD`, alone or followed by `T` or a space, `HH:MM[:SS[.fraction]]` and
    /// optionally `Z` or `±HH[[:]MM]`. Years are 1 to 9999. What is finer than a microsecond is cut.
    pub fn parse(text: &str) -> Option<Moment> {
        let mut rest = Cursor(text.as_bytes());
        let year = rest.digits(4).filter(|year| *year > 0)?;
        rest.expect(b"-")?;
        let month = rest.digits(2)?;
        rest.expect(b"-")?;
        let day = rest.digits(2)?;
        let mut moment = Moment {
            date: Date::new(year as i16, month as i8, day as i8).ok()?,
            time: Time::midnight(),
            offset: 0,
        };
        if rest.0.is_empty() {
            return Some(moment);
        }
        rest.expect(b"Tt ")?;
        moment.time = time_of_day(&mut rest)?;
        moment.offset = offset(&mut rest)?;
        rest.0.is_empty().then_some(moment)
    }

    /// The moment in UTC; `None` where the offset carries it out of years 1 to 9999.
    pub fn in_utc(&self) -> Option<DateTime> {
        let local = self.date.to_datetime(self.time);
        let utc = local
            .checked_sub(SignedDuration::from_secs(self.offset))
            .ok()?;
        (1..=9999).contains(&utc.year()).then_some(utc)
    }
}

/// Writes a moment that is in UTC, with the fraction only where there is one.
pub(super) fn show_utc(at: DateTime) -> String {
    let fraction = match at.subsec_nanosecond() / 1000 {
        0 => String::new(),
        micros => format!(".{micros:06}"),
    };
    format!(
        "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}{fraction}Z",
        at.year(),
        at.month(),
        at.day(),
        at.hour(),
        at.minute(),
        at.second()
    )
}

fn time_of_day(rest: &mut Cursor) -> Option<Time> {
    let hour = rest.digits(2)?;
    rest.expect(b":")?;
    let minute = rest.digits(2)?;
    let (mut second, mut micros) = (0, 0);
    if rest.expect(b":").is_some() {
        second = rest.digits(2)?;
        if rest.expect(b".,").is_some() {
            let length = rest.0.iter().take_while(|b| b.is_ascii_digit()).count();
            let kept = length.min(6);
            micros = rest.digits(kept)? * 10_i32.pow(6 - kept as u32);
            rest.0 = &rest.0[length - kept..];
        }
    }
    // Refuses hours from 24, and minutes and seconds from 60.
    Time::new(hour as i8, minute as i8, second as i8, micros * 1000).ok()
}

fn offset(rest: &mut Cursor) -> Option<i64> {
    if rest.0.is_empty() || rest.expect(b"Zz").is_some() {
        return Some(0);
    }
    let sign = if rest.expect(b"-").is_some() {
        -1
    } else {
        rest.expect(b"+")?;
        1
    };
    // PostgreSQL, too, takes no offset of 16 hours or more.
    let hours = rest.digits(2).filter(|hours| *hours < 16)?;
    let minutes = if rest.0.is_empty() {
        0
    } else {
        // The colon is optional.
        let _ = rest.expect(b":");
        rest.digits(2).filter(|minutes| *minutes < 60)?
    };
    Some(i64::from(sign * (hours * 60 + minutes) * 60))
}

/// What is still to be read.
struct Cursor<'a>(&'a [u8]);

impl Cursor<'_> {
    /// Takes exactly `count` digits, at least one; at most six are ever asked for.
    fn digits(&mut self, count: usize) -> Option<i32> {
        let (digits, rest) = self.0.split_at_checked(count)?;
        if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
            return None;
        }
        self.0 = rest;
        Some(
            digits
                .iter()
                .fold(0, |n, digit| n * 10 + i32::from(digit - b'0')),
        )
    }

    /// Takes one byte if it is among those allowed.
    fn expect(&mut self, allowed: &[u8]) -> Option<()> {
        let (first, rest) = self.0.split_first()?;
        if !allowed.contains(first) {
            return None;
        }
        self.0 = rest;
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn instant(text: &str) -> Option<String> {
        Moment::parse(text)?.in_utc().map(show_utc)
    }

    #[test]
    fn reads_the_usual_forms() {
        for (text, expected) in [
            ("2024-02-29", "2024-02-29T00:00:00Z"),
            ("2024-05-01T10:30", "2024-05-01T10:30:00Z"),
            ("2024-05-01 10:30:15", "2024-05-01T10:30:15Z"),
            ("2024-05-01T10:30:15.5Z", "2024-05-01T10:30:15.500000Z"),
            (
                "2024-05-01t10:30:15,123456789z",
                "2024-05-01T10:30:15.123456Z",
            ),
            ("2024-05-01T00:30:00+02:00", "2024-04-30T22:30:00Z"),
            ("2024-05-01T00:30:00-0530", "2024-05-01T06:00:00Z"),
            ("2024-05-01T00:30:00+05", "2024-04-30T19:30:00Z"),
            ("0001-01-01T00:00:00Z", "0001-01-01T00:00:00Z"),
            ("9999-12-31T23:59:59.999999Z", "9999-12-31T23:59:59.999999Z"),
            ("1969-12-31T23:59:59.000001Z", "1969-12-31T23:59:59.000001Z"),
        ] {
            assert_eq!(instant(text).as_deref(), Some(expected), "{text}");
        }
    }

    #[test]
    fn refuses_everything_else() {
        for text in [
            "",
            "2024",
            "2024-5-1",
            "24-05-01",
            "2024/05/01",
            "01.05.2024",
            "2023-02-29",
            "2024-13-01",
            "2024-00-10",
            "0000-01-01",
            "-001-01-01",
            "10000-01-01",
            "20240501",
            "2024-05-01T",
            "2024-05-01T10",
            "2024-05-01T24:00",
            "2024-05-01T10:60",
            "2024-05-01T10:30:60",
            "2024-05-01T10:30:15.",
            "2024-05-01T10:30:15 Z",
            "2024-05-01T10:30+16:00",
            "2024-05-01T10:30+1",
            "2024-05-01T10:30+01:0",
            "2024-05-01T10:30Zjunk",
            "2024-05-01 BC",
            " 2024-05-01",
            "now",
            "infinity",
            "2024-05-01T10:30[Europe/Paris]",
            "٢٠٢٤-05-01",
        ] {
            assert_eq!(instant(text), None, "{text}");
        }
        assert_eq!(instant("0001-01-01T00:00+01:00"), None);
        assert_eq!(instant("9999-12-31T23:59-01:00"), None);
    }
}
