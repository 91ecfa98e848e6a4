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

/// Whether a double says exactly what a decimal text says.
pub(super) fn same(text: &str, float: f64) -> bool {
    // Fifteen digits always survive the way into a double and back.
    if text.len() <= 16 && !text.bytes().any(|b| matches!(b, b'e' | b'E')) {
        return true;
    }
    float.is_finite()
        && Parts::of(text.as_bytes()).significant()
            == Parts::of(format!("{float:e}").as_bytes()).significant()
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
