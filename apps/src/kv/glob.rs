//! Key patterns: `*`, `?`, `[set]` with ranges and `^`, and backslash to quote.
//!
//! On a mismatch only the newest star is tried again, which is enough for whole-string matches
//! and bounds the work to the product of the two lengths.

/// Whether the whole of `text` matches.
pub(crate) fn matches(pattern: &[u8], text: &[u8]) -> bool {
    let (mut p, mut t) = (0, 0);
    let mut retry: Option<(usize, usize)> = None;
    while t < text.len() {
        if pattern.get(p) == Some(&b'*') {
            p += 1;
            retry = Some((p, t));
            continue;
        }
        if let Some(used) = one(&pattern[p..], text[t]) {
            p += used;
            t += 1;
        } else {
            let Some((after_star, from)) = retry else {
                return false;
            };
            p = after_star;
            t = from + 1;
            retry = Some((after_star, t));
        }
    }
    pattern[p..].iter().all(|&byte| byte == b'*')
}

/// Matches one byte against the head of a pattern; how many pattern bytes that took.
fn one(pattern: &[u8], byte: u8) -> Option<usize> {
    match pattern {
        [] => None,
        [b'?', ..] => Some(1),
        [b'\\', quoted, ..] => (*quoted == byte).then_some(2),
        [b'[', rest @ ..] => {
            let (used, matched) = set(rest, byte);
            matched.then_some(1 + used)
        }
        [plain, ..] => (*plain == byte).then_some(1),
    }
}

/// Matches one byte against a set whose bracket is open; an unclosed set ends with the pattern.
fn set(body: &[u8], byte: u8) -> (usize, bool) {
    let negated = body.first() == Some(&b'^');
    let mut at = usize::from(negated);
    let mut matched = false;
    while at < body.len() && body[at] != b']' {
        match &body[at..] {
            [b'\\', quoted, ..] => {
                matched |= *quoted == byte;
                at += 2;
            }
            [low, b'-', high, ..] if *high != b']' => {
                matched |= (*low.min(high)..=*low.max(high)).contains(&byte);
                at += 3;
            }
            [plain, ..] => {
                matched |= *plain == byte;
                at += 1;
            }
            [] => break,
        }
    }
    ((at + 1).min(body.len()), matched != negated)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn patterns() {
        let yes = [
            ("*", ""),
            ("*", "abc"),
            ("a*c", "abbbc"),
            ("a?c", "abc"),
            ("[a-c]x", "bx"),
            ("[^a]x", "bx"),
            ("a\\*", "a*"),
            ("**a", "bba"),
            ("*ab", "aab"),
            ("[]", ""),
            ("h[ae]llo*", "hallo!"),
            ("[c-a]", "b"),
            ("[\\]]", "]"),
        ];
        for (pattern, text) in yes {
            let expected = pattern != "[]";
            assert_eq!(
                matches(pattern.as_bytes(), text.as_bytes()),
                expected,
                "{pattern} {text}"
            );
        }
        let no = [
            ("", "a"),
            ("a", ""),
            ("a?", "a"),
            ("[^a]", "a"),
            ("a*b", "ac"),
            ("[ab", "c"),
        ];
        for (pattern, text) in no {
            assert!(
                !matches(pattern.as_bytes(), text.as_bytes()),
                "{pattern} {text}"
            );
        }
    }

    proptest! {
        #[test]
        fn never_panics(
            pattern in prop::collection::vec(prop::sample::select(b"*?[]^-\\ab".to_vec()), 0..20),
            text in prop::collection::vec(prop::sample::select(b"ab-]".to_vec()), 0..20),
        ) {
            let _ = matches(&pattern, &text);
        }

        #[test]
        fn a_plain_pattern_matches_itself_only(a in "[a-c]{0,4}", b in "[a-c]{0,4}") {
            prop_assert_eq!(matches(a.as_bytes(), b.as_bytes()), a == b);
        }
    }
}
