//! A cursor over received bytes and an appender for sent ones. Network byte order throughout.
//!
//! The reader never trusts a length: taking more than is there is an error, not a panic.

use crate::{
    AgreedTime, ClientId, EpochNumber, HostAddress, InstanceNumber, Position, ReplicaId,
    RequestNumber, RoundsEpoch, SequenceNumber, SlotNumber, SummaryHash, ViewNumber,
};
use alloc::vec::Vec;

/// Why bytes are not a stamp or a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WireError {
    /// The input ended inside a field.
    #[error("{what} needs {needed} bytes, {left} are left")]
    Truncated {
        /// The field or header that was being read.
        what: &'static str,
        /// Bytes it needs.
        needed: usize,
        /// Bytes that were there.
        left: usize,
    },
    /// More input than the message has fields.
    #[error("{left} bytes follow the end of the message")]
    TrailingBytes {
        /// How many.
        left: usize,
    },
    /// The stamp's first two bytes are not ours, or not of this version.
    #[error(
        "magic and version are {found:#06x}, expected {:#06x}",
        crate::stamp::MAGIC_VERSION
    )]
    ForeignStamp {
        /// What stands there.
        found: u16,
    },
    /// A field has a value that means nothing.
    #[error("{what} is {value}, which means nothing")]
    UnknownValue {
        /// The field.
        what: &'static str,
        /// Its value.
        value: u64,
    },
}

/// Reads fields off the front of a slice.
#[derive(Clone, Debug)]
pub(crate) struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    pub(crate) fn bytes(&mut self, what: &'static str, len: usize) -> Result<&'a [u8], WireError> {
        let left = self.rest.len();
        let (taken, rest) = self
            .rest
            .split_at_checked(len)
            .ok_or(WireError::Truncated {
                what,
                needed: len,
                left,
            })?;
        self.rest = rest;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self, what: &'static str) -> Result<[u8; N], WireError> {
        let left = self.rest.len();
        let (taken, rest) = self
            .rest
            .split_first_chunk::<N>()
            .ok_or(WireError::Truncated {
                what,
                needed: N,
                left,
            })?;
        self.rest = rest;
        Ok(*taken)
    }

    pub(crate) fn u8(&mut self, what: &'static str) -> Result<u8, WireError> {
        Ok(u8::from_be_bytes(self.array(what)?))
    }

    pub(crate) fn u16(&mut self, what: &'static str) -> Result<u16, WireError> {
        Ok(u16::from_be_bytes(self.array(what)?))
    }

    pub(crate) fn u32(&mut self, what: &'static str) -> Result<u32, WireError> {
        Ok(u32::from_be_bytes(self.array(what)?))
    }

    pub(crate) fn u64(&mut self, what: &'static str) -> Result<u64, WireError> {
        Ok(u64::from_be_bytes(self.array(what)?))
    }

    pub(crate) fn flag(&mut self, what: &'static str) -> Result<bool, WireError> {
        match self.u8(what)? {
            0 => Ok(false),
            1 => Ok(true),
            other => Err(WireError::UnknownValue {
                what,
                value: other.into(),
            }),
        }
    }

    /// A slice preceded by its length in 32 bits.
    pub(crate) fn counted(&mut self, what: &'static str) -> Result<&'a [u8], WireError> {
        let len = self.u32(what)?;
        let left = self.rest.len();
        let len = usize::try_from(len).map_err(|_| WireError::Truncated {
            what,
            needed: usize::MAX,
            left,
        })?;
        self.bytes(what, len)
    }

    pub(crate) fn hash(&mut self, what: &'static str) -> Result<SummaryHash, WireError> {
        Ok(SummaryHash(self.array(what)?))
    }

    pub(crate) fn address(&mut self, what: &'static str) -> Result<HostAddress, WireError> {
        Ok(HostAddress {
            ip: self.array(what)?,
            port: self.u16(what)?,
        })
    }

    pub(crate) fn slot(&mut self, what: &'static str) -> Result<SlotNumber, WireError> {
        self.u64(what).map(SlotNumber)
    }

    pub(crate) fn view(&mut self) -> Result<ViewNumber, WireError> {
        self.u64("view").map(ViewNumber)
    }

    pub(crate) fn replica(&mut self) -> Result<ReplicaId, WireError> {
        self.u8("replica").map(ReplicaId)
    }

    pub(crate) fn client(&mut self) -> Result<ClientId, WireError> {
        self.u64("client").map(ClientId)
    }

    pub(crate) fn number(&mut self) -> Result<RequestNumber, WireError> {
        self.u64("request number").map(RequestNumber)
    }

    pub(crate) fn epoch(&mut self) -> Result<EpochNumber, WireError> {
        self.u32("epoch").map(EpochNumber)
    }

    pub(crate) fn rounds_epoch(&mut self) -> Result<RoundsEpoch, WireError> {
        Ok(RoundsEpoch {
            term: self.epoch()?,
            attempt: self.u32("attempt")?,
        })
    }

    pub(crate) fn position(&mut self, what: &'static str) -> Result<Position, WireError> {
        self.u64(what).map(Position)
    }

    pub(crate) fn instance(&mut self, what: &'static str) -> Result<InstanceNumber, WireError> {
        self.u64(what).map(InstanceNumber)
    }

    pub(crate) fn sequence(&mut self) -> Result<SequenceNumber, WireError> {
        self.u64("sequence").map(SequenceNumber)
    }

    pub(crate) fn time(&mut self) -> Result<AgreedTime, WireError> {
        self.u64("agreed time").map(AgreedTime)
    }

    /// Whether nothing is left.
    pub(crate) fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// Everything that is left, taken out.
    pub(crate) fn take_rest(&mut self) -> &'a [u8] {
        core::mem::take(&mut self.rest)
    }

    /// Everything that is left.
    pub(crate) fn rest(self) -> &'a [u8] {
        self.rest
    }

    /// Checks that nothing is left.
    pub(crate) fn end(self) -> Result<(), WireError> {
        match self.rest.len() {
            0 => Ok(()),
            left => Err(WireError::TrailingBytes { left }),
        }
    }
}

/// Appends fields to a buffer.
pub(crate) trait Put {
    fn put(&mut self, bytes: &[u8]);

    fn put_u8(&mut self, value: u8) {
        self.put(&[value]);
    }
    fn put_u32(&mut self, value: u32) {
        self.put(&value.to_be_bytes());
    }
    fn put_u64(&mut self, value: u64) {
        self.put(&value.to_be_bytes());
    }
    fn put_rounds_epoch(&mut self, epoch: RoundsEpoch) {
        self.put_u32(epoch.term.0);
        self.put_u32(epoch.attempt);
    }
    fn put_counted(&mut self, bytes: &[u8]) {
        let len = u32::try_from(bytes.len()).expect("callers keep payloads below 4 GiB");
        self.put_u32(len);
        self.put(bytes);
    }
    fn put_address(&mut self, address: HostAddress) {
        self.put(&address.ip);
        self.put(&address.port.to_be_bytes());
    }
}

impl Put for Vec<u8> {
    fn put(&mut self, bytes: &[u8]) {
        self.extend_from_slice(bytes);
    }
}
