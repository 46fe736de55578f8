//! From bytes to commands: framing with limits, then decoding.
//!
//! The decoder of `redis-protocol` waits for as many bytes as a length asks for. So a [`Framer`]
//! looks at the lengths first: it says where a command ends, or refuses it at the first length
//! that is over a limit, without waiting for what would follow. It goes on where it stopped when
//! more bytes arrive, so slow senders cost no more than fast ones.

use super::inline;
use crate::kv::printable;
use redis_protocol::resp2::decode::decode_range;
use redis_protocol::resp2::types::RangeFrame;

/// Most bytes of one command on the wire, and so of what a connection buffers.
pub const MAX_BUFFERED: usize = 1 << 20;
/// Most arguments of one command, name included.
pub const MAX_ARGUMENTS: i64 = 1 << 16;
/// Longest inline command in bytes, as in Redis.
pub const MAX_INLINE: usize = 1 << 16;

/// Bytes that are not RESP, or over a limit. The connection cannot go on.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum ProtocolError {
    /// The number after `*` is no number or over [`MAX_ARGUMENTS`].
    #[error("invalid multibulk length: it must be a number up to {MAX_ARGUMENTS}")]
    ArrayLength,
    /// The number after `$` is no number, negative or over [`MAX_BUFFERED`].
    #[error("invalid bulk length: it must be a number up to {MAX_BUFFERED}")]
    BulkLength,
    /// An argument does not start with `$`.
    #[error("expected '$', got '{0}'")]
    NotBulk(String),
    /// The bytes of an argument are not followed by a line end.
    #[error("a bulk string does not end where its length says")]
    BulkEnd,
    /// The whole command is over [`MAX_BUFFERED`].
    #[error("command of over {MAX_BUFFERED} bytes")]
    TooLarge,
    /// An inline command is over [`MAX_INLINE`].
    #[error("too big inline request: over {MAX_INLINE} bytes")]
    InlineTooLarge,
    /// A quote of an inline command is not closed, or not followed by a space.
    #[error("unbalanced quotes in request")]
    Quotes,
    /// The decoder refused what the framer let pass.
    #[error("undecodable command")]
    Undecodable,
    /// The rest of a command did not come in time.
    #[error("the command was not complete within {0} s")]
    Slow(u64),
}

/// A command's arguments.
pub(super) enum Request<'b> {
    /// Nothing to run: an empty line or array.
    Empty,
    /// Parts of the buffer.
    Bulk(Vec<&'b [u8]>),
    /// An inline command, its quotes taken away.
    Inline(Vec<Vec<u8>>),
}

/// Finds where the command at the start of a buffer ends.
#[derive(Clone, Debug, Default)]
pub(super) struct Framer {
    /// Everything before is looked at.
    at: usize,
    /// Arguments still to come, once the array length was read.
    left: Option<usize>,
}

impl Framer {
    /// Looks at what is new in `buffer`, which starts with the command begun before. Returns the
    /// command's length once all of it is there, and is then ready for the next one.
    pub(super) fn advance(&mut self, buffer: &[u8]) -> Result<Option<usize>, ProtocolError> {
        let Some(first) = buffer.first() else {
            return Ok(None);
        };
        let end = if *first == b'*' {
            self.array(buffer)?
        } else {
            self.line(buffer)?
        };
        if end.is_some() {
            *self = Self::default();
        }
        Ok(end)
    }

    fn line(&mut self, buffer: &[u8]) -> Result<Option<usize>, ProtocolError> {
        let seen = self.at;
        let end = buffer[seen..]
            .iter()
            .position(|&byte| byte == b'\n')
            .map(|at| seen + at + 1);
        if end.unwrap_or(buffer.len()) > MAX_INLINE {
            return Err(ProtocolError::InlineTooLarge);
        }
        self.at = buffer.len();
        Ok(end)
    }

    fn array(&mut self, buffer: &[u8]) -> Result<Option<usize>, ProtocolError> {
        let mut left = match self.left {
            Some(left) => left,
            None => match number(buffer, 1, MAX_ARGUMENTS).ok_or(ProtocolError::ArrayLength)? {
                Number::Incomplete => return Ok(None),
                Number::Complete { value, next } => {
                    self.at = next;
                    // Negative lengths are empty commands, as in Redis.
                    usize::try_from(value).unwrap_or(0)
                }
            },
        };
        while left > 0 {
            self.left = Some(left);
            let Some(next) = self.argument(buffer)? else {
                return Ok(None);
            };
            self.at = next;
            left -= 1;
        }
        Ok(Some(self.at))
    }

    /// Where the argument at `self.at` ends, if it is all there.
    fn argument(&self, buffer: &[u8]) -> Result<Option<usize>, ProtocolError> {
        let Some(kind) = buffer.get(self.at) else {
            return Ok(None);
        };
        if *kind != b'$' {
            return Err(ProtocolError::NotBulk(printable(&[*kind])));
        }
        let most = i64::try_from(MAX_BUFFERED).unwrap_or(i64::MAX);
        let header = number(buffer, self.at + 1, most).ok_or(ProtocolError::BulkLength)?;
        let Number::Complete { value, next } = header else {
            return Ok(None);
        };
        let length = usize::try_from(value).map_err(|_| ProtocolError::BulkLength)?;
        let end = next + length + 2;
        if end > MAX_BUFFERED {
            return Err(ProtocolError::TooLarge);
        }
        match buffer.get(next + length..end) {
            None => Ok(None),
            Some(b"\r\n") => Ok(Some(end)),
            Some(_) => Err(ProtocolError::BulkEnd),
        }
    }
}

/// Decodes one whole command as the framer cut it out.
pub(super) fn decode(frame: &[u8]) -> Result<Request<'_>, ProtocolError> {
    if frame.first() != Some(&b'*') {
        let arguments = inline::split(frame).ok_or(ProtocolError::Quotes)?;
        return Ok(if arguments.is_empty() {
            Request::Empty
        } else {
            Request::Inline(arguments)
        });
    }
    if frame.get(1) == Some(&b'-') {
        return Ok(Request::Empty);
    }
    let Ok(Some((RangeFrame::Array(parts), _))) = decode_range(frame) else {
        return Err(ProtocolError::Undecodable);
    };
    let mut arguments = Vec::with_capacity(parts.len());
    for part in &parts {
        let RangeFrame::BulkString((start, end)) = part else {
            return Err(ProtocolError::Undecodable);
        };
        arguments.push(frame.get(*start..*end).ok_or(ProtocolError::Undecodable)?);
    }
    Ok(if arguments.is_empty() {
        Request::Empty
    } else {
        Request::Bulk(arguments)
    })
}

enum Number {
    Incomplete,
    Complete { value: i64, next: usize },
}

/// Reads a decimal line at `start`. `None` as soon as the digits so far cannot become a number in
/// `..=most`, whether or not the line has ended.
fn number(buffer: &[u8], start: usize, most: i64) -> Option<Number> {
    let negative = buffer.get(start) == Some(&b'-');
    let digits = start + usize::from(negative);
    let mut value = 0_i64;
    for (at, &byte) in buffer.iter().enumerate().skip(digits) {
        match byte {
            b'0'..=b'9' => {
                value = value * 10 + i64::from(byte - b'0');
                // A run of zeros is bounded too.
                if value > most || at - digits > 10 {
                    return None;
                }
            }
            b'\r' if at > digits => {
                return match buffer.get(at + 1) {
                    None => Some(Number::Incomplete),
                    Some(b'\n') => {
                        let value = if negative { -value } else { value };
                        Some(Number::Complete {
                            value,
                            next: at + 2,
                        })
                    }
                    Some(_) => None,
                };
            }
            _ => return None,
        }
    }
    Some(Number::Incomplete)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn frame(bytes: &[u8]) -> Result<Option<usize>, ProtocolError> {
        Framer::default().advance(bytes)
    }

    fn arguments(bytes: &[u8]) -> Vec<Vec<u8>> {
        match decode(bytes).unwrap() {
            Request::Empty => Vec::new(),
            Request::Bulk(arguments) => arguments.iter().map(|one| one.to_vec()).collect(),
            Request::Inline(arguments) => arguments,
        }
    }

    fn encode(arguments: &[Vec<u8>]) -> Vec<u8> {
        let mut out = format!("*{}\r\n", arguments.len()).into_bytes();
        for argument in arguments {
            out.extend_from_slice(format!("${}\r\n", argument.len()).as_bytes());
            out.extend_from_slice(argument);
            out.extend_from_slice(b"\r\n");
        }
        out
    }

    #[test]
    fn lengths_over_a_limit_do_not_wait_for_the_rest() {
        assert_eq!(frame(b"*1000000000\r\n"), Err(ProtocolError::ArrayLength));
        assert_eq!(frame(b"*1000000000"), Err(ProtocolError::ArrayLength));
        assert_eq!(frame(b"*00000000000000"), Err(ProtocolError::ArrayLength));
        assert_eq!(frame(b"*1\r\n$1000000000"), Err(ProtocolError::BulkLength));
        assert_eq!(frame(b"*1\r\n$-1\r\n"), Err(ProtocolError::BulkLength));
        assert_eq!(frame(b"*1\r\n$1048576\r\n"), Err(ProtocolError::TooLarge));
        assert_eq!(
            frame(b"*1\r\n:1\r\n"),
            Err(ProtocolError::NotBulk(":".to_owned()))
        );
        assert_eq!(frame(b"*1\r\n$1\r\nabc"), Err(ProtocolError::BulkEnd));
        assert_eq!(frame(b"*x"), Err(ProtocolError::ArrayLength));
        assert_eq!(
            frame(&vec![b'a'; MAX_INLINE + 1]),
            Err(ProtocolError::InlineTooLarge)
        );
    }

    #[test]
    fn empty_commands_are_skipped() {
        for empty in [&b"*0\r\n"[..], b"*-1\r\n", b"\r\n", b"\n"] {
            assert_eq!(frame(empty), Ok(Some(empty.len())), "{empty:?}");
            assert!(matches!(decode(empty), Ok(Request::Empty)), "{empty:?}");
        }
    }

    #[test]
    fn inline_commands_are_read() {
        assert_eq!(frame(b"PING\r\nrest"), Ok(Some(6)));
        assert_eq!(arguments(b"set a \"b c\"\r\n"), [&b"set"[..], b"a", b"b c"]);
        assert!(matches!(
            decode(b"set a \"b\r\n"),
            Err(ProtocolError::Quotes)
        ));
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_never_panic(
            bytes in prop::collection::vec(prop_oneof![
                prop::sample::select(b"*$\r\n0123-:\" 'x\\".to_vec()), any::<u8>(),
            ], 0..100),
        ) {
            let mut framer = Framer::default();
            let mut rest = &bytes[..];
            while let Ok(Some(end)) = framer.advance(rest) {
                prop_assert!(end > 0 && end <= rest.len());
                let _ = decode(&rest[..end]);
                rest = &rest[end..];
            }
        }

        #[test]
        fn commands_come_back_however_they_are_cut(
            commands in prop::collection::vec(prop::collection::vec(
                prop::collection::vec(any::<u8>(), 0..30), 1..5), 1..4),
            step in 1_usize..40,
        ) {
            let bytes: Vec<u8> = commands.iter().flat_map(|command| encode(command)).collect();
            let mut framer = Framer::default();
            let (mut start, mut read) = (0, Vec::new());
            let mut filled = 0;
            while filled < bytes.len() {
                filled = (filled + step).min(bytes.len());
                while let Some(length) = framer.advance(&bytes[start..filled]).unwrap() {
                    read.push(arguments(&bytes[start..start + length]));
                    start += length;
                }
            }
            prop_assert_eq!(start, bytes.len());
            prop_assert_eq!(read, commands);
        }
    }
}
