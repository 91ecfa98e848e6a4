//! What PostgreSQL's `numeric` and a double can hold of a JSON number.

/// `numeric` holds at most this many digits before the decimal point …
const MAX_INTEGER_DIGITS: i64 = 131_072;
/// … this many after it …
const MAX_SCALE: i64 = 16_383;
/// … and reads no exponent as large as this, even of zero.
const EXPONENT_LIMIT: i64 = i32::MAX as i64 / 2;

/// The parts of a JSON number, as text.
struct Parts<'a> {
    integer: &'a [u8],
    fraction: &'a [u8],
    exponent: i64,
}

impl<'a> Parts<'a> {
    fn of(number: &'a [u8]) -> Self {
        let number = number.strip_prefix(b"-").unwrap_or(number);
        let (mantissa, exponent) = match number.iter().position(|b| matches!(b, b'e' | b'E')) {
            Some(at) => (&number[..at], &number[at + 1..]),
            None => (number, &b""[..]),
        };
        let (integer, fraction) = match mantissa.iter().position(|&b| b == b'.') {
            Some(at) => (&mantissa[..at], &mantissa[at + 1..]),
            None => (mantissa, &b""[..]),
        };
        Self {
            integer,
            fraction,
            exponent: exponent_value(exponent),
        }
    }

    /// The significant digits, and the power of ten of the first. Zero has none.
    fn significant(&self) -> (Vec<u8>, i64) {
        let mut digits: Vec<u8> = [self.integer, self.fraction].concat();
        let zeros = digits.iter().take_while(|&&b| b == b'0').count();
        digits.drain(..zeros);
        while digits.last() == Some(&b'0') {
            digits.pop();
        }
        if digits.is_empty() {
            return (digits, 0);
        }
        let power = self.integer.len() as i64 - 1 - zeros as i64 + self.exponent;
        (digits, power)
    }
}

/// An exponent, cut off where it is far beyond every limit.
fn exponent_value(text: &[u8]) -> i64 {
    let (negative, digits) = match text {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] => (false, rest),
        _ => (false, text),
    };
    let value = digits.iter().fold(0_i64, |value, byte| {
        (value * 10 + i64::from(byte - b'0')).min(EXPONENT_LIMIT)
    });
    if negative { -value } else { value }
}

/// Whether `numeric`, and so `jsonb`, can hold a number.
pub(super) fn is_storable(number: &[u8]) -> bool {
    // So short a number without an exponent is within every limit.
    if number.len() < 1_000 && !number.iter().any(|b| matches!(b, b'e' | b'E')) {
        return true;
    }
    let parts = Parts::of(number);
    if parts.exponent.abs() >= EXPONENT_LIMIT {
        return false;
    }
    let (digits, power) = parts.significant();
    (digits.is_empty() || power < MAX_INTEGER_DIGITS)
        && parts.fraction.len() as i64 - parts.exponent <= MAX_SCALE
}

/// A number in plain decimal notation, as `jsonb` gives it back: no exponent, and as many decimals as
/// were written.
pub(super) fn plain(text: &str) -> String {
    let parts = Parts::of(text.as_bytes());
    let digits: String = [parts.integer, parts.fraction]
        .into_iter()
        .flatten()
        .map(|&byte| char::from(byte))
        .collect();
    let point = parts.integer.len() as i64 + parts.exponent;
    let mut out = String::with_capacity(plain_length(text.as_bytes()) + 3);
    if text.starts_with('-') {
        out.push('-');
    }
    if point <= 0 {
        out.push_str("0.");
        out.extend(std::iter::repeat_n('0', -point as usize));
        out.push_str(&digits);
        return out;
    }
    let point = point as usize;
    let (whole, fraction) = digits.split_at(point.min(digits.len()));
    let significant = whole.trim_start_matches('0');
    out.push_str(significant);
    if !significant.is_empty() {
        out.extend(std::iter::repeat_n('0', point - whole.len()));
    } else {
        out.push('0');
    }
    if !fraction.is_empty() {
        out.push('.');
        out.push_str(fraction);
    }
    out
}

/// Zeros that [`write_value`] writes out, at most.
const MOST_ZEROS: usize = 32;

/// Writes the value of a number that is storable: the same for each way of writing it. In plain notation
/// where that takes few zeros, else as an integer with an exponent.
pub(super) fn write_value(number: &[u8], out: &mut Vec<u8>) {
    if is_usual(number) {
        out.extend_from_slice(number);
        return;
    }
    let (digits, power) = Parts::of(number).significant();
    if digits.is_empty() {
        out.push(b'0');
        return;
    }
    if number.starts_with(b"-") {
        out.push(b'-');
    }
    let zeros = |count: i64| {
        let count = usize::try_from(count).ok()?;
        (count <= MOST_ZEROS).then(|| std::iter::repeat_n(b'0', count))
    };
    // Places after the first digit: of the decimal point, of the end.
    let (point, end) = (power + 1, digits.len() as i64);
    match (zeros(-point), zeros(point - end)) {
        (Some(zeros), _) if point <= 0 => {
            out.extend_from_slice(b"0.");
            out.extend(zeros);
            out.extend(digits);
        }
        (_, Some(zeros)) if point >= end => {
            out.extend(digits);
            out.extend(zeros);
        }
        _ if 0 < point && point < end => {
            let (whole, fraction) = digits.split_at(point as usize);
            out.extend_from_slice(whole);
            out.push(b'.');
            out.extend_from_slice(fraction);
        }
        _ => {
            out.extend(digits);
            out.push(b'e');
            out.extend((point - end).to_string().bytes());
        }
    }
}

/// Whether a number is written as [`write_value`] writes it, as nearly all are. What it says no to may
/// be so all the same.
fn is_usual(number: &[u8]) -> bool {
    let is_short = number.len() <= MOST_ZEROS && !number.iter().any(|b| matches!(b, b'e' | b'E'));
    is_short
        && match number.contains(&b'.') {
            true => number.last() != Some(&b'0'),
            false => number != b"-0",
        }
}

/// About how many bytes a storable number takes in plain decimal notation.
pub(super) fn plain_length(number: &[u8]) -> usize {
    let parts = Parts::of(number);
    let digits = parts.integer.len() + parts.fraction.len();
    let exponent = parts.exponent.unsigned_abs() as usize;
    match digits + exponent {
        // Zero, whatever its exponent.
        _ if parts.significant().0.is_empty() => digits,
        length => length,
    }
}

/// Whether a double says exactly what a decimal text says.
pub(super) fn same(text: &str, float: f64) -> bool {
    // Fifteen digits always survive the way into a double and back.
    if text.len() <= 16 && !text.bytes().any(|b| matches!(b, b'e' | b'E')) {
        return true;
    }
    // Of two texts that are equally short and near, one is what the double is written as; compared
    // is what serde_json writes.
    serde_json::Number::from_f64(float).is_some_and(|number| {
        Parts::of(text.as_bytes()).significant()
            == Parts::of(number.to_string().as_bytes()).significant()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_are_those_of_numeric() {
        let storable = |text: &str| is_storable(text.as_bytes());
        assert!(storable("0") && storable("-12.50") && storable("1E5"));
        assert!(storable("1e131071") && !storable("1e131072") && !storable("10e131071"));
        assert!(storable("0.1e131072") && !storable("0.1e131073"));
        assert!(storable("1e-16383") && !storable("1e-16384") && !storable("1.0e-16383"));
        assert!(storable("0e200000") && !storable("0e-16384"));
        assert!(!storable("0e99999999999999999999") && !storable("1e-99999999999999999999"));
        assert!(storable(&"9".repeat(131_072)) && !storable(&"9".repeat(131_073)));
        assert!(storable(&format!("0.{}", "1".repeat(16_383))));
        assert!(!storable(&format!("0.{}", "0".repeat(16_384))));
        assert!(storable(&format!("0.{}e20000", "1".repeat(30_000))));
    }

    #[test]
    fn a_value_is_written_in_one_way() {
        let value = |text: &str| {
            let mut out = Vec::new();
            write_value(text.as_bytes(), &mut out);
            String::from_utf8(out).unwrap()
        };
        for (one, others) in [
            (
                "100",
                &["1e2", "1E+2", "100.0", "10.00e1", "0.1e3", "1000e-1"][..],
            ),
            ("1.5", &["1.50", "15e-1", "0.015e2", "150.0E-02"]),
            ("-0.0012", &["-12e-4", "-0.00120", "-1.2e-3"]),
            ("0", &["-0", "0.00", "-0.0e7", "0e-5", "0e131071"]),
            (
                "12345678901234567890.1",
                &["12345678901234567890.10", "123456789012345678901e-1"],
            ),
            ("1e131071", &["10e131070", "0.1e131072", "1.0E131071"]),
            ("-15e9999", &["-1.5e10000", "-150e9998"]),
            ("1e-16383", &["0.1e-16382"]),
        ] {
            assert_eq!(value(one), one);
            for other in others {
                assert_eq!(value(other), one, "{other}");
            }
        }
        // Written out or not, at either side of the limit.
        let (at, past) = (MOST_ZEROS, MOST_ZEROS + 1);
        let long = |zeros: usize| format!("7{}", "0".repeat(zeros));
        assert_eq!(value(&format!("7e{at}")), long(at));
        assert_eq!(value(&long(at)), long(at));
        assert_eq!(value(&format!("7e{past}")), format!("7e{past}"));
        assert_eq!(value(&long(past)), format!("7e{past}"));
        let small = |zeros: usize| format!("0.{}7", "0".repeat(zeros));
        assert_eq!(value(&small(at)), small(at));
        assert_eq!(value(&format!("7e-{past}")), small(at));
        assert_eq!(value(&small(past)), format!("7e-{}", past + 1));
        assert_eq!(
            value(&format!("7e-{}", past + 1)),
            format!("7e-{}", past + 1)
        );
    }

    #[test]
    fn plain_notation_is_that_of_numeric() {
        for (written, plain_text) in [
            ("1e5", "100000"),
            ("-1.50E+1", "-15.0"),
            ("1.5e-3", "0.0015"),
            ("120e-2", "1.20"),
            ("0.0012e4", "12"),
            ("0.0012e3", "1.2"),
            ("0.10", "0.10"),
            ("0e7", "0"),
            ("12345678901234567890.10", "12345678901234567890.10"),
        ] {
            assert_eq!(plain(written), plain_text, "{written}");
        }
        assert_eq!(plain("1e400"), format!("1{}", "0".repeat(400)));
        assert_eq!(plain("1e-400"), format!("0.{}1", "0".repeat(399)));
    }

    #[test]
    fn a_double_is_compared_digit_by_digit() {
        let exact = |text: &str| text.parse().is_ok_and(|float| same(text, float));
        for text in [
            "0.1",
            "1.10",
            "-0.0",
            "1e3",
            "1.7976931348623157e308",
            "0e5",
            "100e-2",
            "-1910321532944555.2",
        ] {
            assert!(exact(text), "{text}");
        }
        for text in [
            "1e400",
            "0.1000000000000000055511151231257827",
            "12345678901234567.5",
            "1e-400",
        ] {
            assert!(!exact(text), "{text}");
        }
    }
}
