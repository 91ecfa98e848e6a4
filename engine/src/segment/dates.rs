//! Dates and instants as written in rules: ISO 8601, and UTC where no offset is given, so that a
//! rule means the same in every session.

use jiff::Timestamp;
use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;

/// What a text says about time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Written {
    /// A day without a time: `2024-01-31`.
    Day(Date),
    /// An instant, in UTC: `2024-01-31 18:00`, `2024-01-31T18:00:00+01:00`.
    Instant(DateTime),
}

/// How dates and instants are written, for hints.
pub(super) const FORMATS: &str = "write a day as '2024-01-31', an instant as '2024-01-31 18:00' (UTC) or '2024-01-31T18:00:00+01:00'";

/// Reads a day or an instant.
pub(super) fn read(text: &str) -> Option<Written> {
    // The crate reads more than ISO's extended format. What PostgreSQL, or a reader, could take
    // for something else is left out: years with a sign, dates without dashes, names of zones.
    let bytes = text.as_bytes();
    let plain = bytes
        .iter()
        .all(|b| b.is_ascii_digit() || b"Tt:+-. Zz".contains(b));
    if !plain || bytes.get(4) != Some(&b'-') || bytes.get(7) != Some(&b'-') {
        return None;
    }
    let written = if bytes.len() == 10 {
        Written::Day(text.parse().ok()?)
    } else if bytes[10..].iter().any(|b| b"+-Zz".contains(b)) {
        let instant: Timestamp = text.parse().ok()?;
        Written::Instant(TimeZone::UTC.to_datetime(instant))
    } else {
        Written::Instant(text.parse().ok()?)
    };
    let year = match written {
        Written::Day(day) => day.year(),
        Written::Instant(instant) => instant.year(),
    };
    // PostgreSQL has no year 0.
    (year >= 1).then_some(written)
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::civil::{date, datetime};

    #[test]
    fn days_and_instants() {
        assert_eq!(read("2024-02-29"), Some(Written::Day(date(2024, 2, 29))));
        for text in [
            "2024-01-31 18:00",
            "2024-01-31T18:00:00",
            "2024-01-31T18:00:00Z",
            "2024-01-31T19:00:00+01:00",
        ] {
            let expected = Written::Instant(datetime(2024, 1, 31, 18, 0, 0, 0));
            assert_eq!(read(text), Some(expected), "{text}");
        }
    }

    #[test]
    fn nothing_else() {
        for text in [
            "",
            "x",
            "2024-02-30",
            "2024-13-01",
            "20240131",
            "31/01/2024",
            "2024-01",
            "0000-01-01",
            "2024-01-31T18:00:00+01:00[Europe/Paris]",
            "2024-01-31 25:00",
            "2024-01-31 18:00+99:00",
            "9999-12-31 23:59-12:00",
            "now",
        ] {
            assert_eq!(read(text), None, "{text}");
        }
    }
}
