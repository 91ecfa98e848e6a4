//! Times as sources write them, in microseconds since the Unix epoch, UTC.

use jiff::SignedDuration;
use jiff::civil::{DateTime, date};
use jiff::fmt::temporal::DateTimeParser;

const MICROSECONDS: i64 = 1_000_000;

const EPOCH: DateTime = date(1970, 1, 1).at(0, 0, 0, 0);

/// 1900-01-01 00:00 UTC: no earlier time is taken from a source.
pub const EARLIEST_TIME: i64 = -2_208_988_800 * MICROSECONDS;

/// 10000-01-01 00:00 UTC: only earlier times are taken from a source.
pub const TIME_LIMIT: i64 = 253_402_300_800 * MICROSECONDS;

/// Epoch numbers below this are seconds (until the year 5138), others milliseconds (since 1973).
const FIRST_MILLISECOND_NUMBER: f64 = 1e11;

/// Reads ISO 8601 in any year: `2024-01-02T03:04:05.678Z`, with an offset or none (then UTC), with a
/// space instead of the T, without separators, and a date alone (its midnight). What is finer than a
/// microsecond is cut off. A zone's name alone is refused: it would need a database of zones, and the
/// answer would change with it.
pub(crate) fn read_iso(text: &str) -> Option<i64> {
    let text = text.trim();
    read_pieces(text).or_else(|| read_pieces(&close_up(text)?))
}

fn read_pieces(text: &str) -> Option<i64> {
    static PARSER: DateTimeParser = DateTimeParser::new();
    let pieces = PARSER.parse_pieces(text).ok()?;
    let offset = pieces.to_numeric_offset();
    if offset.is_none() && pieces.time_zone_annotation().is_some() {
        return None;
    }
    let time = pieces.time().unwrap_or_default();
    let local = pieces.date().to_datetime(time).duration_since(EPOCH);
    let utc = local - SignedDuration::from_secs(offset.map_or(0, |o| i64::from(o.seconds())));
    // Down, not towards zero, so that order is kept across the epoch.
    let micros = utc.as_nanos().div_euclid(1_000);
    i64::try_from(micros).ok()
}

/// `2024-01-02 03:04:05 UTC` and `… 03:04:05 +0100`, as warehouses and Ruby print them, without the
/// last space.
fn close_up(text: &str) -> Option<String> {
    let (time, zone) = text.rsplit_once(' ')?;
    let zone = match zone {
        "UTC" | "GMT" | "Z" => "Z",
        _ if zone.starts_with(['+', '-']) => zone,
        _ => return None,
    };
    Some(format!("{}{zone}", time.trim_end()))
}

/// Reads a time that a source wrote as a text: ISO 8601, or the digits of an epoch number.
pub(super) fn read_text(text: &str) -> Option<i64> {
    let text = text.trim();
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let is_number = text.bytes().all(|b| b.is_ascii_digit() || b == b'.');
    // Eight digits are a date without separators.
    if is_number && digits > 8 {
        return read_epoch(text);
    }
    read_iso(text).filter(|&time| is_plausible_time(time))
}

/// Reads epoch seconds or milliseconds, with or without a fraction.
pub(super) fn read_epoch(number: &str) -> Option<i64> {
    let number: f64 = number.parse().ok()?;
    let scale = if number.abs() < FIRST_MILLISECOND_NUMBER {
        1e6
    } else {
        1e3
    };
    let micros = (number * scale).round();
    // The range is far within what both types hold exactly.
    let time = micros as i64;
    is_plausible_time(time).then_some(time)
}

/// Whether a time lies in the years 1900 to 9999: what events can be stored with.
pub fn is_plausible_time(time: i64) -> bool {
    (EARLIEST_TIME..TIME_LIMIT).contains(&time)
}

/// Writes a time as ISO 8601 in UTC, with as many decimals as it needs.
pub(crate) fn write_iso(time: i64) -> Option<String> {
    let local = EPOCH.checked_add(SignedDuration::from_micros(time)).ok()?;
    Some(format!("{local}Z"))
}

/// The time of a message, after the Segment spec: `receivedAt − (sentAt − originalTimestamp)`, which
/// takes out the error of the sender's clock.
///
/// A `timestamp` without `originalTimestamp` *is* the original one: libraries send it so, and the
/// spec's own collectors rename it. Without `sentAt` nothing can be corrected, and a stated time
/// stands: `timestamp`, else `originalTimestamp`. Without either it is the time of receipt. That also
/// holds where the correction leaves the years that can be stored: a clock off by that much says
/// nothing.
pub(super) fn corrected(
    timestamp: Option<i64>,
    original: Option<i64>,
    sent_at: Option<i64>,
    received_at: i64,
) -> i64 {
    let Some(stated) = timestamp.or(original) else {
        return received_at;
    };
    let Some(sent_at) = sent_at else {
        return stated;
    };
    let age = sent_at - original.unwrap_or(stated);
    received_at
        .checked_sub(age)
        .filter(|&time| is_plausible_time(time))
        .unwrap_or(received_at)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2024-01-02 03:04:05 UTC.
    const SOME_TIME: i64 = 1_704_164_645 * MICROSECONDS;

    #[test]
    fn iso_in_its_usual_forms() {
        for text in [
            "2024-01-02T03:04:05Z",
            "2024-01-02t03:04:05z",
            " 2024-01-02T03:04:05.000+00:00 ",
            "2024-01-02 03:04:05",
            "2024-01-02T03:04:05",
            "2024-01-02 03:04:05+00",
            "2024-01-02 04:04:05+01",
            "2024-01-02T05:34:05+0230",
            "2024-01-01T19:04:05-08:00",
            "20240102T030405Z",
            "2024-01-02T03:04:05,0Z",
            "2024-01-02 03:04:05 UTC",
            "2024-01-02 04:04:05 +0100",
            "2024-01-02T04:04:05+01:00[Europe/Lisbon]",
            "1704164645",
            "1704164645000",
            "1704164645.0",
        ] {
            assert_eq!(read_text(text), Some(SOME_TIME), "{text}");
        }
        let midnight = SOME_TIME - (3 * 3600 + 4 * 60 + 5) * MICROSECONDS;
        assert_eq!(read_text("2024-01-02"), Some(midnight));
        assert_eq!(read_text("20240102"), Some(midnight));
        assert_eq!(
            read_text("2024-01-02T03:04:05.1234567Z"),
            Some(SOME_TIME + 123_456)
        );
        assert_eq!(
            read_text("2024-01-02T03:04Z"),
            Some(SOME_TIME - 5 * MICROSECONDS)
        );
    }

    #[test]
    fn what_is_no_time_is_refused() {
        for text in [
            "",
            "now",
            "yesterday",
            "2024",
            "2024-13-01",
            "2024-02-30",
            "2024-01-02T25:00:00Z",
            "10000-01-01",
            "10000-01-01T00:00:00Z",
            "+010000-01-01T00:00:00Z",
            "1899-12-31T23:59:59Z",
            "0000-01-01",
            "-000001-01-01T00:00:00Z",
            "2024-01-02T03:04:05[Europe/Lisbon]",
            "99999999999999999999",
            "2024-01-02 03:04:05 CET",
            "infinity",
        ] {
            assert_eq!(read_text(text), None, "{text}");
        }
    }

    #[test]
    fn the_range_is_whole() {
        assert_eq!(read_text("1900-01-01"), Some(EARLIEST_TIME));
        assert_eq!(
            read_text("9999-12-31T23:59:59.999999Z"),
            Some(TIME_LIMIT - 1)
        );
        assert_eq!(read_text("9999-12-31T23:59:59-01:00"), None);
    }

    #[test]
    fn epoch_numbers() {
        assert_eq!(read_epoch("1704164645"), Some(SOME_TIME));
        assert_eq!(read_epoch("1704164645000"), Some(SOME_TIME));
        assert_eq!(read_epoch("1704164645.123456"), Some(SOME_TIME + 123_456));
        assert_eq!(read_epoch("1.704164645e9"), Some(SOME_TIME));
        assert_eq!(read_epoch("0"), Some(0));
        assert_eq!(read_epoch("-1"), Some(-MICROSECONDS));
        assert_eq!(read_epoch("1e300"), None);
        assert_eq!(read_epoch("-1e400"), None);
    }

    #[test]
    fn times_are_written_as_they_are_read() {
        for time in [0, -1, SOME_TIME + 600_000, EARLIEST_TIME, TIME_LIMIT - 1] {
            let text = write_iso(time).expect("in range");
            assert_eq!(read_text(&text), Some(time), "{text}");
        }
        assert_eq!(
            write_iso(SOME_TIME + 600_000).as_deref(),
            Some("2024-01-02T03:04:05.6Z")
        );
    }

    #[test]
    fn clocks_are_corrected() {
        let (t, minute) = (SOME_TIME, 60 * MICROSECONDS);
        // A clock an hour fast, an event a minute before sending.
        let fast = t + 60 * minute;
        assert_eq!(
            corrected(None, Some(fast - minute), Some(fast), t),
            t - minute
        );
        assert_eq!(
            corrected(Some(fast - minute), None, Some(fast), t),
            t - minute
        );
        // The original counts where both are given.
        assert_eq!(
            corrected(Some(0), Some(fast - minute), Some(fast), t),
            t - minute
        );
        // Nothing to correct with.
        assert_eq!(corrected(Some(7), None, None, t), 7);
        assert_eq!(corrected(None, Some(8), None, t), 8);
        assert_eq!(corrected(Some(7), Some(8), None, t), 7);
        assert_eq!(corrected(None, None, Some(fast), t), t);
        // A correction beyond the range.
        assert_eq!(
            corrected(None, Some(EARLIEST_TIME), Some(TIME_LIMIT - 1), t),
            t
        );
        assert_eq!(
            corrected(None, Some(TIME_LIMIT - 1), Some(EARLIEST_TIME), t),
            t
        );
    }
}
