//! Exact decimal numbers, to compare what `numeric` compares.

use std::cmp::Ordering;
use std::fmt;

/// The most digits accepted on either side of the decimal point: what `numeric(p)` may be declared
/// with, and far within what PostgreSQL stores.
const MAX_DIGITS: usize = 1000;

/// A decimal number of any size up to a thousand digits on either side of the point. It compares by
/// value, and shows the trailing zeros that it was written with, as `numeric` does.
#[derive(Debug, Clone)]
pub(super) struct Decimal {
    negative: bool,
    /// Without leading zeros, so that a longer one is a greater one; empty for 0.
    whole: String,
    /// As written, with its trailing zeros.
    fraction: String,
}

/// Why a text is no [`Decimal`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum DecimalError {
    NotANumber,
    OutOfRange,
}

impl Decimal {
    /// Reads an optional sign, digits with an optional point, and an optional exponent; no spaces,
    /// no thousands separators, no `NaN`, no infinity.
    pub fn parse(text: &str) -> Result<Decimal, DecimalError> {
        let (negative, unsigned) = match text.as_bytes().first() {
            Some(b'-') => (true, &text[1..]),
            Some(b'+') => (false, &text[1..]),
            _ => (false, text),
        };
        let (mantissa, exponent) = match unsigned.find(['e', 'E']) {
            Some(at) => (&unsigned[..at], parse_exponent(&unsigned[at + 1..])?),
            None => (unsigned, 0),
        };
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let is_digits = |part: &str| part.bytes().all(|b| b.is_ascii_digit());
        if whole.len() + fraction.len() == 0 || !is_digits(whole) || !is_digits(fraction) {
            return Err(DecimalError::NotANumber);
        }
        let mut digits = format!("{whole}{fraction}");
        if digits.bytes().all(|b| b == b'0') {
            let scale = fraction.len().min(MAX_DIGITS);
            return Ok(Decimal {
                negative: false,
                whole: String::new(),
                fraction: "0".repeat(scale),
            });
        }
        // The point's place among the digits. Checked before any padding, so that a short text with
        // a huge exponent cannot ask for huge memory.
        let point = whole.len() as i64 + exponent;
        let leading_zeros = digits.bytes().take_while(|b| *b == b'0').count() as i64;
        let max = MAX_DIGITS as i64;
        if point - leading_zeros > max || digits.len() as i64 - point > max {
            return Err(DecimalError::OutOfRange);
        }
        if point < 0 {
            digits.insert_str(0, &"0".repeat(point.unsigned_abs() as usize));
        }
        let point = point.max(0) as usize;
        if point > digits.len() {
            digits.push_str(&"0".repeat(point - digits.len()));
        }
        let fraction = digits.split_off(point);
        Ok(Decimal {
            negative,
            whole: digits.trim_start_matches('0').to_string(),
            fraction,
        })
    }

    /// The same number without trailing zeros after the point.
    pub fn trimmed(mut self) -> Decimal {
        let length = self.fraction.trim_end_matches('0').len();
        self.fraction.truncate(length);
        self
    }

    /// The number as an integer, if it is one and fits.
    pub fn to_i64(&self) -> Result<i64, DecimalError> {
        if self.fraction.bytes().any(|b| b != b'0') {
            return Err(DecimalError::NotANumber);
        }
        let sign = if self.negative { "-" } else { "" };
        format!("{sign}0{}", self.whole)
            .parse()
            .map_err(|_| DecimalError::OutOfRange)
    }

    fn compare_magnitude(&self, other: &Decimal) -> Ordering {
        let fraction = |number: &Decimal| number.fraction.trim_end_matches('0').to_string();
        self.whole
            .len()
            .cmp(&other.whole.len())
            .then_with(|| self.whole.cmp(&other.whole))
            .then_with(|| fraction(self).cmp(&fraction(other)))
    }
}

/// An exponent beyond any that could be in range is as good as the largest, and cannot overflow later.
fn parse_exponent(text: &str) -> Result<i64, DecimalError> {
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return Err(DecimalError::NotANumber);
    }
    let size = digits.parse::<i64>().unwrap_or(i64::MAX).min(1 << 40);
    Ok(if text.starts_with('-') { -size } else { size })
}

impl fmt::Display for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.negative {
            f.write_str("-")?;
        }
        f.write_str(if self.whole.is_empty() {
            "0"
        } else {
            &self.whole
        })?;
        if !self.fraction.is_empty() {
            write!(f, ".{}", self.fraction)?;
        }
        Ok(())
    }
}

impl Ord for Decimal {
    fn cmp(&self, other: &Self) -> Ordering {
        match (self.negative, other.negative) {
            (false, true) => Ordering::Greater,
            (true, false) => Ordering::Less,
            (false, false) => self.compare_magnitude(other),
            (true, true) => other.compare_magnitude(self),
        }
    }
}

impl PartialOrd for Decimal {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Decimal {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Decimal {}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> Result<String, DecimalError> {
        Decimal::parse(text).map(|number| number.to_string())
    }

    #[test]
    fn reads_and_shows() {
        for (text, expected) in [
            ("0", "0"),
            ("-0.00", "0.00"),
            ("007.50", "7.50"),
            (".5", "0.5"),
            ("5.", "5"),
            ("+12", "12"),
            ("-12.25", "-12.25"),
            ("1e3", "1000"),
            ("1.2345E2", "123.45"),
            ("12e-3", "0.012"),
            ("0.001e2", "0.1"),
            ("0e999999999999999999999", "0"),
        ] {
            assert_eq!(shown(text).as_deref(), Ok(expected), "{text}");
        }
    }

    #[test]
    fn refuses_what_is_no_number() {
        for text in [
            "", "-", ".", "e5", "1e", "1e+", "1 2", "1,5", "0x1F", "1_000", "NaN", "inf", "--1",
            "١",
        ] {
            assert_eq!(shown(text), Err(DecimalError::NotANumber), "{text}");
        }
    }

    #[test]
    fn refuses_more_digits_than_fit() {
        assert!(shown(&"9".repeat(1000)).is_ok());
        assert!(shown("1e999").is_ok());
        assert!(shown("1e-1000").is_ok());
        for text in [
            "1e1000",
            "1e-1001",
            "1e99999999999999999999",
            "1e-99999999999999999999",
        ] {
            assert_eq!(shown(text), Err(DecimalError::OutOfRange), "{text}");
        }
        assert_eq!(shown(&"9".repeat(1001)), Err(DecimalError::OutOfRange));
    }

    #[test]
    fn compares_by_value() {
        let ordered = [
            "-1e20", "-10.5", "-10", "-0.001", "0", "0.0099", "0.01", "2", "10", "1e20",
        ];
        for (i, a) in ordered.iter().enumerate() {
            for (j, b) in ordered.iter().enumerate() {
                let (a, b) = (Decimal::parse(a).unwrap(), Decimal::parse(b).unwrap());
                assert_eq!(a.cmp(&b), i.cmp(&j));
            }
        }
        assert_eq!(Decimal::parse("1.50"), Decimal::parse("15e-1"));
    }

    #[test]
    fn gives_integers_in_range_only() {
        let integer = |text: &str| Decimal::parse(text).unwrap().to_i64();
        assert_eq!(integer("-9223372036854775808"), Ok(i64::MIN));
        assert_eq!(integer("9223372036854775807.000"), Ok(i64::MAX));
        assert_eq!(
            integer("9223372036854775808"),
            Err(DecimalError::OutOfRange)
        );
        assert_eq!(integer("0.5"), Err(DecimalError::NotANumber));
        assert_eq!(integer("0.0"), Ok(0));
    }
}
