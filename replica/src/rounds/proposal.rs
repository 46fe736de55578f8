//! Packets of the group outside of their packets.

use alloc::vec::Vec;
use wire::AgreedTime;
use wire::message::rounds::Value;
use wire::message::rounds::{Batch, Proposal, RoundPacket};

/// The sender byte of a packet that no member sent.
pub(super) const NOBODY: u8 = 255;

/// An owned proposal.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Stored {
    pub(super) sender: u8,
    pub(super) incarnation: u64,
    pub(super) number: u64,
    pub(super) time: AgreedTime,
    batch: Vec<u8>,
}

impl Stored {
    pub(super) fn new(proposal: &Proposal<'_>) -> Self {
        Self {
            sender: proposal.sender,
            incarnation: proposal.incarnation,
            number: proposal.number,
            time: proposal.time,
            batch: proposal.batch.bytes().to_vec(),
        }
    }

    /// A value, owned: `None` is a no-op.
    pub(super) fn of_value(value: &Value<'_>) -> Option<Self> {
        match value {
            Value::NoOp => None,
            Value::Packet(proposal) => Some(Self::new(proposal)),
        }
    }

    /// The value that an owned one is.
    pub(super) fn value_of(owned: Option<&Self>) -> Value<'_> {
        match owned {
            None => Value::NoOp,
            Some(stored) => Value::Packet(stored.as_proposal()),
        }
    }

    pub(super) fn batch(&self) -> Batch<'_> {
        Batch::parse(&self.batch).expect("it was checked when it was parsed")
    }

    pub(super) fn as_proposal(&self) -> Proposal<'_> {
        Proposal {
            sender: self.sender,
            incarnation: self.incarnation,
            number: self.number,
            time: self.time,
            batch: self.batch(),
        }
    }

    pub(super) fn bytes(&self) -> usize {
        self.batch.len()
    }
}

/// What a member's packet proposes, given the time stamped on it.
pub(super) fn proposal_of<'a>(packet: &RoundPacket<'a>, time: AgreedTime) -> Proposal<'a> {
    Proposal {
        sender: packet.replica.0,
        incarnation: packet.incarnation,
        number: packet.number,
        time,
        batch: packet.batch,
    }
}

/// A packet of the group that is no member's: it has a place in the order and proposes nothing.
pub(super) fn foreign(time: AgreedTime) -> Proposal<'static> {
    Proposal {
        sender: NOBODY,
        incarnation: 0,
        number: 0,
        time,
        batch: Batch::EMPTY,
    }
}

/// Whether a value asks for something.
pub(super) fn is_work(value: &Value<'_>) -> bool {
    matches!(value, Value::Packet(proposal) if !proposal.batch.is_empty())
}
