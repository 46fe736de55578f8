//! Why a command has no result: the text a RESP client sees after the minus sign.
//!
//! The standard texts are interface: client libraries look at them, the first word above all.

use alloc::borrow::Cow;
use alloc::format;
use alloc::string::String;

/// At most this much of a name or of arguments is repeated in an error.
const ECHO_LIMIT: usize = 128;

/// An error answer of one command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure(Cow<'static, str>);

impl Failure {
    pub(crate) const WRONG_TYPE: Self =
        Self::fixed("WRONGTYPE Operation against a key holding the wrong kind of value");
    pub(crate) const NOT_INTEGER: Self = Self::fixed("ERR value is not an integer or out of range");
    pub(crate) const OVERFLOW: Self = Self::fixed("ERR increment or decrement would overflow");
    pub(crate) const HASH_NOT_INTEGER: Self = Self::fixed("ERR hash value is not an integer");
    pub(crate) const SYNTAX: Self = Self::fixed("ERR syntax error");
    pub(crate) const NO_SUCH_KEY: Self = Self::fixed("ERR no such key");
    pub(crate) const INDEX_RANGE: Self = Self::fixed("ERR index out of range");
    pub(crate) const NOT_POSITIVE: Self =
        Self::fixed("ERR value is out of range, must be positive");
    pub(crate) const OFFSET_RANGE: Self = Self::fixed("ERR offset is out of range");
    pub(crate) const DATABASE_RANGE: Self =
        Self::fixed("ERR DB index is out of range: there is only database 0");
    pub(crate) const NO_TIME: Self = Self::fixed(
        "ERR no agreed time: this fabric does not stamp packets, so nothing can expire",
    );

    pub(crate) const fn fixed(text: &'static str) -> Self {
        Self(Cow::Borrowed(text))
    }

    pub(crate) const fn owned(text: String) -> Self {
        Self(Cow::Owned(text))
    }

    pub(crate) fn arity(name: &str) -> Self {
        Self::owned(format!(
            "ERR wrong number of arguments for '{name}' command"
        ))
    }

    pub(crate) fn expire_time(name: &str) -> Self {
        Self::owned(format!("ERR invalid expire time in '{name}' command"))
    }

    pub(crate) fn not_supported(name: &str, reason: &str) -> Self {
        Self::owned(format!("ERR {name} is not supported: {reason}"))
    }

    pub(crate) fn unknown(arguments: &[&[u8]]) -> Self {
        let name = arguments
            .first()
            .map_or_else(String::new, |name| printable(name));
        let mut rest = String::new();
        for argument in arguments.iter().skip(1) {
            if rest.len() + 3 >= ECHO_LIMIT {
                break;
            }
            let room = ECHO_LIMIT - rest.len() - 3;
            let shown = &argument[..argument.len().min(room)];
            rest.extend(["'", &printable(shown), "' "]);
        }
        Self::owned(format!(
            "ERR unknown command '{name}', with args beginning with: {rest}"
        ))
    }

    /// The text, one line, without the leading minus sign.
    pub fn text(&self) -> &str {
        &self.0
    }
}

/// Bytes as they may stand in an error line: printable ASCII, anything else as a question mark.
pub(crate) fn printable(bytes: &[u8]) -> String {
    bytes
        .iter()
        .take(ECHO_LIMIT)
        .map(|&byte| {
            if byte == b' ' || byte.is_ascii_graphic() {
                char::from(byte)
            } else {
                '?'
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_command_is_named_with_its_arguments() {
        let failure = Failure::unknown(&[b"foo", b"a\r\nb", b"c"]);
        assert_eq!(
            failure.text(),
            "ERR unknown command 'foo', with args beginning with: 'a??b' 'c' "
        );
    }

    #[test]
    fn long_arguments_are_cut() {
        let long = [b'x'; 1_000];
        let failure = Failure::unknown(&[&long, &long, &long]);
        assert!(failure.text().len() < 320, "{}", failure.text().len());
    }
}
