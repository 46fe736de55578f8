//! What can be said on the stream besides arbitration: all of it is refused, by name.
//!
//! P4Runtime 1.4, sections "Packet I/O" and "Stream Error Reporting".

use p4runtime::Code;
use p4runtime::v1::stream_error::Details;
use p4runtime::v1::stream_message_request::Update;
use p4runtime::v1::{self, StreamError};

use super::Device;

/// The answer to a packet from a controller. Packets are not taken: none of our programs has a
/// header for them.
pub(in crate::server) fn packet_out_refusal(
    device: &Device,
    is_primary: bool,
    packet: v1::PacketOut,
) -> StreamError {
    let (code, message) = if !is_primary {
        (
            Code::PermissionDenied,
            "packets are taken only from the primary",
        )
    } else if device.info().is_none() {
        (Code::FailedPrecondition, "no program is loaded")
    } else if device
        .info()
        .is_some_and(|info| info.packet_header("packet_out").is_err())
    {
        (
            Code::Unimplemented,
            "the program has no header with @controller_header(\"packet_out\")",
        )
    } else {
        (
            Code::Unimplemented,
            "packets from the controller are not implemented by this switch",
        )
    };
    let details = Details::PacketOut(v1::PacketOutError {
        packet_out: Some(packet),
    });
    stream_error(code, message, Some(details))
}

/// The answer to anything else.
pub(in crate::server) fn stream_refusal(message: Option<Update>) -> StreamError {
    match message {
        Some(Update::DigestAck(ack)) => {
            let details = Details::DigestListAck(v1::DigestListAckError {
                digest_list_ack: Some(ack),
            });
            stream_error(
                Code::InvalidArgument,
                "the program has no digest",
                Some(details),
            )
        }
        Some(Update::Other(other)) => {
            let details = Details::Other(v1::StreamOtherError { other: Some(other) });
            stream_error(
                Code::Unimplemented,
                "this message is not known",
                Some(details),
            )
        }
        _ => stream_error(Code::InvalidArgument, "stream message is empty", None),
    }
}

fn stream_error(code: Code, message: &str, details: Option<Details>) -> StreamError {
    StreamError {
        canonical_code: code.number(),
        message: message.to_owned(),
        space: "downbeat".to_owned(),
        code: 0,
        details,
    }
}
