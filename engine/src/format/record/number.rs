//! Numbers by decimal value, never through a float.
//!
//! Key decision: one text for one value, so `400`, `400.0` and `4.0E2` are equal: plain without exponent up to 40
//! digits, else `dE±n`, no `-0`. It does no arithmetic.

/// Digits up to which a number is written without exponent.
const PLAIN_DIGITS: i64 = 40;

/// Appends the canonical form of a JSON number (RFC 8259, section 6); false, and nothing appended, if it is none.
///
/// ```
/// let mut out = Vec::new();
/// assert!(halite_engine::format::record::decimal(b"-4.50E2", &mut out));
/// assert_eq!(out, b"-450");
/// ```
pub fn decimal(text: &[u8], out: &mut Vec<u8>) -> bool {
    let Some(number) = Parts::parse(text) else {
        return false;
    };
    number.write(out);
    true
}

/// The canonical form of a JSON number that is the beginning of its text: without exponent and not too long, as nearly
/// all are. `None` for any other, and for what is no number.
pub(super) fn plain_decimal(text: &[u8]) -> Option<&[u8]> {
    let number = Parts::parse(text)?;
    let fraction = number
        .fraction
        .iter()
        .rposition(|&d| d != b'0')
        .map_or(0, |at| at + 1);
    let sign = usize::from(number.negative);
    let whole = sign + number.whole.len();
    let end = if fraction == 0 {
        whole
    } else {
        whole + 1 + fraction
    };
    let zero = number.whole == b"0" && fraction == 0;
    // Nothing is left out that a point or an exponent could have moved.
    let plain = text.len() <= PLAIN_DIGITS as usize
        && whole + usize::from(!number.fraction.is_empty()) + number.fraction.len() == text.len();
    (plain && !(zero && number.negative)).then(|| &text[..end])
}

/// A number as sign, digits before and after the point, and exponent.
struct Parts<'a> {
    negative: bool,
    whole: &'a [u8],
    fraction: &'a [u8],
    exponent: i64,
}

impl<'a> Parts<'a> {
    fn parse(text: &'a [u8]) -> Option<Self> {
        let (negative, rest) = match text {
            [b'-', rest @ ..] => (true, rest),
            _ => (false, text),
        };
        let (whole, rest) = digits(rest);
        if whole.is_empty() || (whole.len() > 1 && whole[0] == b'0') {
            return None;
        }
        let (fraction, rest) = match rest {
            [b'.', rest @ ..] => digits(rest),
            _ => (&rest[..0], rest),
        };
        if fraction.is_empty() && text.contains(&b'.') {
            return None;
        }
        let exponent = match rest {
            [] => 0,
            [b'e' | b'E', rest @ ..] => exponent(rest)?,
            _ => return None,
        };
        Some(Self {
            negative,
            whole,
            fraction,
            exponent,
        })
    }

    fn write(&self, out: &mut Vec<u8>) {
        let all = || self.whole.iter().chain(self.fraction).copied();
        let zeros = all().take_while(|&d| d == b'0').count();
        let total = self.whole.len() + self.fraction.len();
        if zeros == total {
            out.push(b'0');
            return;
        }
        let trailing = self
            .fraction
            .iter()
            .rev()
            .chain(self.whole.iter().rev())
            .take_while(|&&d| d == b'0')
            .count();
        let significant = all().skip(zeros).take(total - zeros - trailing);
        let len = (total - zeros - trailing) as i64;
        // The power of ten of the last significant digit.
        let scale = self.exponent + trailing as i64 - self.fraction.len() as i64;
        if self.negative {
            out.push(b'-');
        }
        let plain = if scale >= 0 {
            len + scale
        } else {
            len.max(1 - scale)
        };
        if plain > PLAIN_DIGITS {
            out.extend(significant);
            out.extend_from_slice(format!("E{scale:+}").as_bytes());
        } else if scale >= 0 {
            out.extend(significant);
            out.extend((0..scale).map(|_| b'0'));
        } else {
            let point = len + scale;
            if point <= 0 {
                out.extend_from_slice(b"0.");
                out.extend((point..0).map(|_| b'0'));
            }
            for (i, digit) in (0..).zip(significant) {
                if i == point && point > 0 {
                    out.push(b'.');
                }
                out.push(digit);
            }
        }
    }
}

fn digits(text: &[u8]) -> (&[u8], &[u8]) {
    text.split_at(text.iter().take_while(|b| b.is_ascii_digit()).count())
}

/// An exponent of at most nine digits: nothing larger stands in an org.
fn exponent(text: &[u8]) -> Option<i64> {
    let (negative, text) = match text {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] => (false, rest),
        _ => (false, text),
    };
    if text.is_empty() || text.len() > 9 || !text.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let value = text.iter().fold(0, |n, d| n * 10 + i64::from(d - b'0'));
    Some(if negative { -value } else { value })
}

#[cfg(test)]
mod tests {
    use super::{decimal, plain_decimal};

    fn canon(text: &str) -> Option<String> {
        let mut out = Vec::new();
        decimal(text.as_bytes(), &mut out).then(|| String::from_utf8(out).unwrap())
    }

    #[test]
    fn one_value_has_one_text() {
        for (text, want) in [
            ("400", "400"),
            ("400.0", "400"),
            ("4.0E2", "400"),
            ("4e+2", "400"),
            ("-0", "0"),
            ("-0.00", "0"),
            ("0e9", "0"),
            ("0.5", "0.5"),
            ("5E-1", "0.5"),
            ("-12.340", "-12.34"),
            ("0.00100", "0.001"),
            ("1E+39", &format!("1{}", "0".repeat(39))),
            ("1E+40", "1E+40"),
            ("10E+39", "1E+40"),
            ("1.5E-60", "15E-61"),
            ("123456789012345678.87", "123456789012345678.87"),
        ] {
            assert_eq!(canon(text).as_deref(), Some(want), "{text}");
            let plain = plain_decimal(text.as_bytes());
            assert!(plain.is_none_or(|plain| plain == want.as_bytes()), "{text}");
            assert_eq!(canon(want).as_deref(), Some(want), "{want} is a fixed point");
        }
    }

    #[test]
    fn what_json_refuses_is_refused() {
        for text in [
            "",
            "-",
            "01",
            "1.",
            ".5",
            "1e",
            "1e+",
            "+1",
            "0x1",
            "1 ",
            "NaN",
            "1e9999999999",
            "1.e5",
            "--1",
        ] {
            assert_eq!(canon(text), None, "{text}");
            assert_eq!(plain_decimal(text.as_bytes()), None, "{text}");
        }
    }

    proptest::proptest! {
        #[test]
        fn the_value_is_kept(mantissa: i64, scale in -30_i32..30) {
            let one = canon(&format!("{mantissa}E{scale}")).unwrap();
            let other = canon(&format!("{mantissa}0000E{}", scale - 4)).unwrap();
            proptest::prop_assert!(plain_decimal(one.as_bytes()).is_none_or(|plain| plain == one.as_bytes()));
            let padded = if one.contains('.') { format!("{one}00") } else { format!("{one}.0") };
            proptest::prop_assert!(plain_decimal(padded.as_bytes()).is_none_or(|plain| plain == one.as_bytes()));
            proptest::prop_assert_eq!(&one, &other);
            proptest::prop_assert_eq!(one.parse::<f64>().unwrap(), format!("{mantissa}E{scale}").parse::<f64>().unwrap());
        }
    }
}
