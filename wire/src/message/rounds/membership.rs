//! Who the members are, and the command that changes it.
//!
//! A change is a request of the client that stands for the group itself
//! ([`ClientId::GROUP`]): its number is the version that it makes, its operation the new members.
//! The answer's result is the membership in force, so that whoever asked sees whether it was
//! changed as asked, changed by somebody else, or refused.

use crate::bytes::{Put, Reader};
use crate::message::Request;
use crate::{ClientId, Members, WireError};
use alloc::vec::Vec;

/// The largest group.
const MEMBERS_MAX: usize = 15;

/// Who votes, after so many changes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Membership {
    /// Changes since the group's first boot.
    pub version: u64,
    /// The members.
    pub members: Members,
}

impl Membership {
    /// Bytes that it takes.
    pub const LEN: usize = 12;

    /// The membership of a group of `n` on its first boot.
    pub fn first(n: usize) -> Self {
        Self {
            version: 0,
            members: Members::first(n),
        }
    }

    pub(super) fn parse(reader: &mut Reader<'_>) -> Result<Self, WireError> {
        let version = reader.u64("version of the membership")?;
        let members = Members(reader.u32("members")?);
        if members.is_empty() || members.common(Members::first(MEMBERS_MAX)) != members {
            return Err(WireError::UnknownValue {
                what: "members",
                value: members.0.into(),
            });
        }
        Ok(Self { version, members })
    }

    pub(super) fn emit(&self, out: &mut Vec<u8>) {
        out.put_u64(self.version);
        out.put_u32(self.members.0);
    }

    /// The bytes of a result.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(Self::LEN);
        self.emit(&mut bytes);
        bytes
    }

    /// Reads what [`to_bytes`](Self::to_bytes) made.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, WireError> {
        let mut reader = Reader::new(bytes);
        let read = Self::parse(&mut reader)?;
        reader.end()?;
        Ok(read)
    }
}

/// A change of the members: what is to be in force after it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Change(pub Membership);

impl Change {
    /// The operation of the request that asks for it; the request's client is
    /// [`ClientId::GROUP`] and its number the version.
    pub fn operation(&self) -> [u8; 4] {
        self.0.members.0.to_be_bytes()
    }

    /// The change that a request asks for; `None`: it asks for something else, or is malformed.
    pub fn of(request: &Request<'_>) -> Option<Self> {
        if request.client != ClientId::GROUP {
            return None;
        }
        let members = u32::from_be_bytes(request.operation.try_into().ok()?);
        Some(Self(Membership {
            version: request.number.0,
            members: Members(members),
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::Wants;
    use crate::{HostAddress, RequestNumber};

    #[test]
    fn a_membership_is_read_back_and_nothing_else_is() {
        let membership = Membership {
            version: 3,
            members: Members(0b10_0101),
        };
        let bytes = membership.to_bytes();
        assert_eq!(bytes.len(), Membership::LEN);
        assert_eq!(Membership::from_bytes(&bytes), Ok(membership));
        assert!(Membership::from_bytes(&bytes[1..]).is_err());
        assert!(Membership::from_bytes(&[0; 13]).is_err());
        // Nobody, and somebody that cannot be.
        for members in [0, 1 << 15] {
            let mut none = bytes.clone();
            none[8..].copy_from_slice(&u32::to_be_bytes(members));
            assert!(Membership::from_bytes(&none).is_err());
        }
    }

    #[test]
    fn only_the_group_itself_asks_for_changes() {
        let change = Change(Membership {
            version: 7,
            members: Members::first(5),
        });
        let operation = change.operation();
        let mut request = Request {
            client: ClientId::GROUP,
            number: RequestNumber(7),
            reply_to: HostAddress::default(),
            wants: Wants::Reply,
            operation: &operation,
        };
        assert_eq!(Change::of(&request), Some(change));
        request.client = ClientId(9);
        assert_eq!(Change::of(&request), None);
        let short = Request {
            client: ClientId::GROUP,
            operation: b"abc",
            ..request
        };
        assert_eq!(Change::of(&short), None);
    }
}
