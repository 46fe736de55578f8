//! From values to RESP2 or RESP3.
//!
//! Leaves are encoded by `redis-protocol`. The heads of arrays, maps and sets are written here:
//! that crate's maps and sets are hash maps, which would change the order of what they hold.

use crate::kv::reply::{Item, MAX_DEPTH, MalformedReply, ReplyReader};
use redis_protocol::resp2::encode::encode_borrowed;
use redis_protocol::resp2::types::BorrowedFrame as Leaf;
use redis_protocol::resp3::encode::complete::encode_borrowed as encode_borrowed_3;
use redis_protocol::resp3::types::BorrowedFrame as Leaf3;
use std::borrow::Cow;

/// Bytes a leaf takes besides its content, at most: kind, 20 digits, two line ends.
const LEAF_OVERHEAD: usize = 32;

/// The version of the protocol that a connection speaks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Protocol {
    /// RESP2, which every connection starts with.
    #[default]
    Resp2,
    /// RESP3, after `HELLO 3`.
    Resp3,
}

/// Appends replies to a buffer.
pub(super) struct Renderer<'o> {
    out: &'o mut Vec<u8>,
    protocol: Protocol,
}

impl<'o> Renderer<'o> {
    /// Writes to the end of `out`.
    pub(super) fn new(out: &'o mut Vec<u8>, protocol: Protocol) -> Self {
        Self { out, protocol }
    }

    /// A status.
    pub(super) fn text(&mut self, text: &[u8]) {
        self.leaf(text.len(), &Leaf::SimpleString(text));
    }

    /// An error; line ends in it become spaces.
    pub(super) fn error(&mut self, text: &str) {
        let text = if text.contains(['\r', '\n']) {
            Cow::Owned(text.replace(['\r', '\n'], " "))
        } else {
            Cow::Borrowed(text)
        };
        self.leaf(text.len(), &Leaf::Error(&text));
    }

    /// A number.
    pub(super) fn integer(&mut self, number: i64) {
        self.leaf(0, &Leaf::Integer(number));
    }

    /// A string of any bytes.
    pub(super) fn bulk(&mut self, bytes: &[u8]) {
        self.leaf(bytes.len(), &Leaf::BulkString(bytes));
    }

    /// Nothing there.
    pub(super) fn null(&mut self) {
        match self.protocol {
            Protocol::Resp2 => self.leaf(0, &Leaf::Null),
            Protocol::Resp3 => {
                let at = self.out.len();
                self.out.resize(at + LEAF_OVERHEAD, 0);
                let written = encode_borrowed_3(&mut self.out[at..], &Leaf3::Null, false);
                self.out
                    .truncate(at + written.expect("there is room for any null"));
            }
        }
    }

    /// Nothing there, where an array was asked for.
    pub(super) fn null_array(&mut self) {
        match self.protocol {
            Protocol::Resp2 => self.out.extend_from_slice(b"*-1\r\n"),
            Protocol::Resp3 => self.null(),
        }
    }

    /// The head of an array; its values follow.
    pub(super) fn array(&mut self, count: usize) {
        self.head('*', count);
    }

    /// The head of a map; in RESP2 an array of keys and values in turn.
    pub(super) fn map(&mut self, pairs: usize) {
        match self.protocol {
            Protocol::Resp2 => self.head('*', 2 * pairs),
            Protocol::Resp3 => self.head('%', pairs),
        }
    }

    /// The head of a set; in RESP2 an array.
    pub(super) fn set(&mut self, count: usize) {
        self.head(
            if self.protocol == Protocol::Resp2 {
                '*'
            } else {
                '~'
            },
            count,
        );
    }

    /// The next value of a reply with everything in it. On an error nothing is written.
    pub(super) fn value(&mut self, reader: &mut ReplyReader<'_>) -> Result<(), MalformedReply> {
        let start = self.out.len();
        let written = self.nested(reader, 0);
        if written.is_err() {
            self.out.truncate(start);
        }
        written
    }

    fn nested(&mut self, reader: &mut ReplyReader<'_>, depth: usize) -> Result<(), MalformedReply> {
        let item = reader.item()?;
        let values = self.item(&item);
        if values > 0 && depth == MAX_DEPTH {
            return Err(MalformedReply {
                at: 0,
                reason: "values stand too deep in each other",
            });
        }
        for _ in 0..values {
            self.nested(reader, depth + 1)?;
        }
        Ok(())
    }

    /// Writes a leaf or the head of an aggregate; how many values belong to it.
    fn item(&mut self, item: &Item<'_>) -> usize {
        match *item {
            Item::Null => self.null(),
            Item::NullArray => self.null_array(),
            Item::Ok => self.text(b"OK"),
            Item::Text(text) => self.text(text),
            Item::Error(text) => self.error(&String::from_utf8_lossy(text)),
            Item::Bulk(bytes) => self.bulk(bytes),
            Item::Integer(number) => self.integer(number),
            Item::Array(count) => self.array(count),
            Item::Set(count) => self.set(count),
            Item::Map(pairs) => self.map(pairs),
        }
        match *item {
            Item::Array(count) | Item::Set(count) => count,
            Item::Map(pairs) => 2 * pairs,
            _ => 0,
        }
    }

    fn head(&mut self, kind: char, count: usize) {
        self.out
            .extend_from_slice(format!("{kind}{count}\r\n").as_bytes());
    }

    /// The crate estimates sizes by a floating-point logarithm, which is off by one near powers of
    /// ten. So the buffer gets room to spare, and what counts is how much was written.
    fn leaf(&mut self, content: usize, leaf: &Leaf<'_>) {
        let at = self.out.len();
        self.out.resize(at + content + LEAF_OVERHEAD, 0);
        let written = encode_borrowed(&mut self.out[at..], leaf, false);
        self.out
            .truncate(at + written.expect("there is room for content and overhead"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kv::reply::Parsed;
    use proptest::prelude::*;

    fn rendered(protocol: Protocol, write: impl FnOnce(&mut Renderer<'_>)) -> String {
        let mut out = b"before".to_vec();
        write(&mut Renderer::new(&mut out, protocol));
        String::from_utf8(out[6..].to_vec()).unwrap()
    }

    #[test]
    fn leaves() {
        assert_eq!(rendered(Protocol::Resp2, |to| to.bulk(b"a")), "$1\r\na\r\n");
        assert_eq!(
            rendered(Protocol::Resp2, |to| {
                to.null();
            }),
            "$-1\r\n"
        );
        assert_eq!(
            rendered(Protocol::Resp3, |to| {
                to.null();
            }),
            "_\r\n"
        );
        assert_eq!(
            rendered(Protocol::Resp2, |to| {
                to.null_array();
            }),
            "*-1\r\n"
        );
        assert_eq!(
            rendered(Protocol::Resp2, |to| to.error("ERR a\r\nb")),
            "-ERR a  b\r\n"
        );
        assert_eq!(rendered(Protocol::Resp2, |to| to.map(2)), "*4\r\n");
        assert_eq!(rendered(Protocol::Resp3, |to| to.map(2)), "%2\r\n");
        assert_eq!(rendered(Protocol::Resp3, |to| to.set(2)), "~2\r\n");
    }

    #[test]
    fn numbers_near_powers_of_ten_have_their_exact_size() {
        for exponent in 0..19 {
            let power = 10_i64.pow(exponent);
            for number in [power - 1, power, power + 1, -power, 1 - power] {
                let expected = format!(":{number}\r\n");
                assert_eq!(rendered(Protocol::Resp2, |to| to.integer(number)), expected);
            }
        }
        for number in [i64::MAX, i64::MIN] {
            let expected = format!(":{number}\r\n");
            assert_eq!(rendered(Protocol::Resp2, |to| to.integer(number)), expected);
        }
        for length in [9, 10, 99, 100, 999, 1_000, 9_999, 10_000] {
            let content = "x".repeat(length);
            let expected = format!("${length}\r\n{content}\r\n");
            assert_eq!(
                rendered(Protocol::Resp2, |to| to.bulk(content.as_bytes())),
                expected
            );
        }
    }

    proptest! {
        #[test]
        fn arbitrary_replies_never_panic(
            body in prop::collection::vec(prop_oneof![0_u8..12, any::<u8>()], 0..80),
        ) {
            let mut bytes = [1, 0, 1].to_vec();
            bytes.extend_from_slice(&body);
            let Ok(Parsed::Executed(mut reader)) = ReplyReader::new(&bytes) else {
                panic!("the head is valid");
            };
            let mut out = Vec::new();
            let outcome = Renderer::new(&mut out, Protocol::Resp3).value(&mut reader);
            prop_assert!(outcome.is_ok() || out.is_empty());
        }
    }
}
