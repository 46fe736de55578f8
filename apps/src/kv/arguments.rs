//! Reading the arguments of a command: numbers, option words, ranges.

use super::failure::Failure;

/// A decimal 64-bit integer in its one canonical form: no plus sign, no leading zeros, no spaces.
pub(super) fn integer(bytes: &[u8]) -> Option<i64> {
    let digits = bytes.strip_prefix(b"-").unwrap_or(bytes);
    let canonical = match digits {
        [b'0'] => digits.len() == bytes.len(),
        [] | [b'0', ..] => false,
        _ => digits.iter().all(u8::is_ascii_digit),
    };
    if !canonical {
        return None;
    }
    core::str::from_utf8(bytes).ok()?.parse().ok()
}

pub(super) fn require_integer(bytes: &[u8]) -> Result<i64, Failure> {
    integer(bytes).ok_or(Failure::NOT_INTEGER)
}

/// A count that must not be negative.
pub(super) fn require_count(bytes: &[u8]) -> Result<usize, Failure> {
    let count = integer(bytes).ok_or(Failure::NOT_POSITIVE)?;
    usize::try_from(count).map_err(|_| Failure::NOT_POSITIVE)
}

/// Whether an argument is this word, in any case.
pub(super) const fn is_word(argument: &[u8], word: &str) -> bool {
    argument.eq_ignore_ascii_case(word.as_bytes())
}

/// An index that counts from the end when negative, if it lies in `length`.
pub(super) fn index(position: i64, length: usize) -> Option<usize> {
    let index = if position < 0 {
        length.checked_sub(usize::try_from(position.unsigned_abs()).ok()?)?
    } else {
        usize::try_from(position).ok()?
    };
    (index < length).then_some(index)
}

/// The half-open range that the inclusive `first..=last` means in `length`, negative positions
/// counting from the end; empty as `0..0`.
pub(super) fn range(first: i64, last: i64, length: usize) -> core::ops::Range<usize> {
    let clamp = |position: i64| {
        if position < 0 {
            let back = usize::try_from(position.unsigned_abs()).unwrap_or(usize::MAX);
            length.checked_sub(back)
        } else {
            Some(usize::try_from(position).unwrap_or(usize::MAX))
        }
    };
    let start = clamp(first).unwrap_or(0);
    // A last position before the first element leaves nothing.
    let Some(end) = clamp(last) else { return 0..0 };
    let end = end.saturating_add(1).min(length);
    if start < end { start..end } else { 0..0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_have_one_form() {
        assert_eq!(integer(b"-9223372036854775808"), Some(i64::MIN));
        assert_eq!(integer(b"0"), Some(0));
        for bad in [
            "",
            "-",
            "-0",
            "01",
            "+1",
            " 1",
            "1 ",
            "9223372036854775808",
            "1e3",
            "0x1",
        ] {
            assert_eq!(integer(bad.as_bytes()), None, "{bad}");
        }
    }

    #[test]
    fn ranges_clamp() {
        assert_eq!(range(0, -1, 5), 0..5);
        assert_eq!(range(-100, 100, 5), 0..5);
        assert_eq!(range(-2, -1, 5), 3..5);
        assert_eq!(range(3, 1, 5), 0..0);
        assert_eq!(range(0, -6, 5), 0..0);
        assert_eq!(range(i64::MIN, i64::MAX, 5), 0..5);
        assert_eq!(range(0, -1, 0), 0..0);
        assert_eq!(index(-1, 3), Some(2));
        assert_eq!(index(-4, 3), None);
        assert_eq!(index(3, 3), None);
    }
}
