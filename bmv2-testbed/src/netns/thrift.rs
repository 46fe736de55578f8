//! The one call that bmv2 offers through Thrift only: the depth of its egress queues.
//!
//! Follows the Thrift binary protocol (strict encoding, `doc/specs/thrift-binary-protocol.md` of
//! Apache Thrift) and its multiplexed service names. It is not a Thrift client: one call out, its
//! reply in, so that neither Python nor bmv2's own tools need to be installed.

use std::io::{self, Read};

/// First word of a strict message: version 1 in the upper half, message type in the lowest byte.
const VERSION_1: u32 = 0x8001_0000;
const VERSION_MASK: u32 = 0xffff_0000;
const CALL: u32 = 1;
const REPLY: u32 = 2;
const EXCEPTION: u32 = 3;

/// Field types of the binary protocol.
const STOP: u8 = 0;
const I32: u8 = 8;
const STRING: u8 = 11;

/// Service name, a colon, method name: how the multiplexed protocol addresses a method.
const SET_DEPTHS: &str = "simple_switch:set_all_egress_queue_depths";

/// Longest string that is believed in a reply, in bytes. A method name or an error message.
const MAX_STRING_BYTES: usize = 4096;

/// Most fields that are read of one reply.
const MAX_FIELDS: usize = 8;

/// Why the call failed.
#[derive(Debug, thiserror::Error)]
pub(super) enum ThriftError {
    /// The connection broke, timed out or ended early.
    #[error("the reply could not be read: {0}")]
    Io(#[from] io::Error),
    /// The bytes are not a reply to this call.
    #[error("the reply is not one to this call: {0}")]
    Malformed(&'static str),
    /// The switch refused the call.
    #[error("the switch refused: {0}")]
    Refused(String),
}

/// The bytes of the call that sets the depth of every egress queue, in packets.
pub(super) fn set_depths_call(depth: i32) -> Vec<u8> {
    let name_length = u32::try_from(SET_DEPTHS.len()).expect("a constant of a few dozen bytes");
    let mut bytes = Vec::with_capacity(64);
    bytes.extend((VERSION_1 | CALL).to_be_bytes());
    bytes.extend(name_length.to_be_bytes());
    bytes.extend(SET_DEPTHS.as_bytes());
    bytes.extend(0_u32.to_be_bytes());
    bytes.push(I32);
    bytes.extend(1_u16.to_be_bytes());
    bytes.extend(depth.to_be_bytes());
    bytes.push(STOP);
    bytes
}

/// Reads the reply; `Ok` means that the switch has set the depth.
pub(super) fn read_reply(from: &mut impl Read) -> Result<(), ThriftError> {
    let head = u32::from_be_bytes(take(from)?);
    if head & VERSION_MASK != VERSION_1 {
        return Err(ThriftError::Malformed("wrong version"));
    }
    string(from)?;
    let _sequence: [u8; 4] = take(from)?;
    match head & 0xff {
        REPLY => match result(from)? {
            (Some(0), _) => Ok(()),
            (Some(code), _) => Err(ThriftError::Refused(format!("code {code}"))),
            (None, _) => Err(ThriftError::Malformed("no result")),
        },
        EXCEPTION => {
            let (_, message) = result(from)?;
            Err(ThriftError::Refused(
                message.unwrap_or_else(|| "without a message".to_owned()),
            ))
        }
        _ => Err(ThriftError::Malformed("neither reply nor exception")),
    }
}

/// Reads the struct of a reply: the number in field 0 and the text in field 1, where there.
fn result(from: &mut impl Read) -> Result<(Option<i32>, Option<String>), ThriftError> {
    let mut number = None;
    let mut text = None;
    for _ in 0..MAX_FIELDS {
        let [kind] = take(from)?;
        if kind == STOP {
            return Ok((number, text));
        }
        let id = u16::from_be_bytes(take(from)?);
        match (kind, id) {
            (I32, 0) => number = Some(i32::from_be_bytes(take(from)?)),
            (I32, _) => drop(take::<4>(from)?),
            (STRING, 1) => text = Some(string(from)?),
            _ => return Err(ThriftError::Malformed("unexpected field")),
        }
    }
    Err(ThriftError::Malformed("too many fields"))
}

fn string(from: &mut impl Read) -> Result<String, ThriftError> {
    let length = usize::try_from(u32::from_be_bytes(take(from)?))
        .ok()
        .filter(|length| *length <= MAX_STRING_BYTES)
        .ok_or(ThriftError::Malformed("string too long"))?;
    let mut bytes = vec![0; length];
    from.read_exact(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

fn take<const N: usize>(from: &mut impl Read) -> io::Result<[u8; N]> {
    let mut bytes = [0; N];
    from.read_exact(&mut bytes)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn message(kind: u32, body: &[u8]) -> Vec<u8> {
        let mut bytes = (VERSION_1 | kind).to_be_bytes().to_vec();
        bytes.extend([0, 0, 0, 3]);
        bytes.extend(b"set");
        bytes.extend([0, 0, 0, 0]);
        bytes.extend(body);
        bytes
    }

    #[test]
    fn the_call_is_the_published_encoding() {
        let mut expected = vec![0x80, 1, 0, 1, 0, 0, 0, 41];
        expected.extend(b"simple_switch:set_all_egress_queue_depths");
        expected.extend([0, 0, 0, 0, 8, 0, 1, 0, 0, 0x10, 0, 0]);
        assert_eq!(set_depths_call(4096), expected);
    }

    #[test]
    fn a_zero_result_is_success_and_another_is_not() {
        let good = message(REPLY, &[I32, 0, 0, 0, 0, 0, 0, STOP]);
        assert!(read_reply(&mut good.as_slice()).is_ok());
        let bad = message(REPLY, &[I32, 0, 0, 0, 0, 0, 7, STOP]);
        let error = read_reply(&mut bad.as_slice()).unwrap_err();
        assert_eq!(error.to_string(), "the switch refused: code 7");
    }

    #[test]
    fn an_exception_gives_its_message() {
        let mut body = vec![STRING, 0, 1, 0, 0, 0, 4];
        body.extend(b"nope");
        body.extend([I32, 0, 2, 0, 0, 0, 1, STOP]);
        let error = read_reply(&mut message(EXCEPTION, &body).as_slice()).unwrap_err();
        assert_eq!(error.to_string(), "the switch refused: nope");
    }

    #[test]
    fn a_reply_without_result_or_with_a_huge_string_is_refused() {
        let error = read_reply(&mut message(REPLY, &[STOP]).as_slice()).unwrap_err();
        assert!(error.to_string().ends_with("no result"), "{error}");
        let huge = [0x80, 1, 0, 2, 0xff, 0xff, 0xff, 0xff];
        let error = read_reply(&mut huge.as_slice()).unwrap_err();
        assert!(error.to_string().ends_with("string too long"), "{error}");
    }

    proptest! {
        #[test]
        fn no_reply_makes_it_panic(
            head in prop::option::of(0_u32..5), bytes in prop::collection::vec(any::<u8>(), 0..96)
        ) {
            // Half of the cases get past the head, so that the fields are reached too.
            let bytes = head.map_or_else(|| bytes.clone(), |kind| message(kind, &bytes));
            let _ = read_reply(&mut bytes.as_slice());
        }
    }
}
