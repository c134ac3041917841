//! Numbers as they are written: quickly where they are short, as the standard library reads them else.

/// Digits, as many as a word holds, by hand; all else as the standard library reads it.
#[inline]
pub(crate) fn integer(field: &[u8]) -> Option<i64> {
    let digits = field.strip_prefix(b"-").unwrap_or(field);
    if digits.is_empty() || digits.len() > 18 {
        return std::str::from_utf8(field).ok()?.parse().ok();
    }
    let mut value = 0_i64;
    for byte in digits {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            return None;
        }
        value = value * 10 + i64::from(digit);
    }
    Some(if digits.len() == field.len() { value } else { -value })
}

/// The powers of ten that a double holds exactly.
const TENS: [f64; 23] = [
    1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16,
    1e17, 1e18, 1e19, 1e20, 1e21, 1e22,
];

/// The nearest double. Where digits and power of ten are doubles themselves, their quotient is
/// (W. D. Clinger, "How to read floating point numbers accurately", 1990); all else is left to the
/// standard library.
#[inline]
pub(crate) fn float(field: &[u8]) -> Option<f64> {
    let unsigned = field.strip_prefix(b"-").unwrap_or(field);
    let (mut value, mut digits, mut point) = (0_u64, 0, None);
    for (index, byte) in unsigned.iter().enumerate() {
        match byte {
            b'0'..=b'9' => {
                value = value.wrapping_mul(10).wrapping_add(u64::from(byte - b'0'));
                digits += 1;
            }
            b'.' if point.is_none() => point = Some(index),
            _ => return std::str::from_utf8(field).ok()?.parse().ok(),
        }
    }
    let decimals = point.map_or(0, |point| unsigned.len() - point - 1);
    if digits == 0 || digits > 18 || value > 1 << 53 || decimals > 22 {
        return std::str::from_utf8(field).ok()?.parse().ok();
    }
    let value = value as f64 / TENS[decimals];
    Some(if unsigned.len() == field.len() { value } else { -value })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_as_the_standard_library_does() {
        let texts = [
            "0",
            "-0",
            "-0.0",
            "1.",
            ".5",
            "-.5",
            "21.68",
            "9007199254740993",
            "0.1",
            "1e5",
            "nan",
            "9007199254740992.0",
            "0.00000000000000000001234567",
            "123456789012345678",
            "-inf",
            "1.7976931348623157e308",
            "0.30000000000000004",
            "123456.789012345678",
        ];
        for text in texts {
            let expected: f64 = text.parse().expect("a float");
            let found = float(text.as_bytes()).expect("a float");
            assert_eq!(found.to_bits(), expected.to_bits(), "{text}");
        }
        for text in ["-9223372036854775808", "9223372036854775807", "-1", "0", "-0"] {
            assert_eq!(integer(text.as_bytes()), text.parse().ok(), "{text}");
        }
        for text in ["", "-", "1.5", "x", "1x"] {
            assert_eq!(integer(text.as_bytes()), None, "{text}");
        }
        assert_eq!(float(b"."), None);
    }
}
