//! Which protocols there are, and what whoever deploys, simulates or calls one must know of it
//! beforehand. A new protocol is a line in each of these.

use alloc::string::String;
use alloc::vec::Vec;
use wire::message::fast_paxos;
use wire::message::mencius;
use wire::message::rounds::RoundPacket;
use wire::message::vr;

/// A protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ProtocolName {
    /// Speculative Paxos.
    SpecPaxos,
    /// Synchronous rounds.
    Rounds,
    /// Viewstamped Replication, which is Multi-Paxos with a stable leader.
    Vr,
    /// NOPaxos.
    NoPaxos,
    /// Fast Paxos: replicas vote for what comes as it comes.
    FastPaxos,
    /// Mencius: every server leads, in turn.
    Mencius,
    /// One server, no replication.
    Unreplicated,
}

impl ProtocolName {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::SpecPaxos,
        Self::Rounds,
        Self::Vr,
        Self::NoPaxos,
        Self::FastPaxos,
        Self::Mencius,
        Self::Unreplicated,
    ];

    /// The name on the command line and in files.
    pub const fn name(self) -> &'static str {
        match self {
            Self::SpecPaxos => "spec-paxos",
            Self::Rounds => "rounds",
            Self::Vr => "vr",
            Self::NoPaxos => "nopaxos",
            Self::FastPaxos => "fast-paxos",
            Self::Mencius => "mencius",
            Self::Unreplicated => "unreplicated",
        }
    }

    /// The one with this name.
    pub fn of_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|one| one.name() == name)
    }

    /// The names of those that have a property, for messages that say what is valid.
    pub fn names_of(property: impl Fn(Self) -> bool) -> String {
        let those = Self::ALL.into_iter().filter(|one| property(*one));
        let names: Vec<_> = those.map(Self::name).collect();
        names.join(", ")
    }

    /// Whether there is one server, and no group.
    pub const fn is_one_server(self) -> bool {
        matches!(self, Self::Unreplicated)
    }

    /// Whether clients send to one member; else to the group's address, and the root to all.
    pub const fn asks_one_member(self) -> bool {
        matches!(self, Self::Rounds | Self::Vr | Self::Mencius)
    }

    /// Whether replies are votes, of which a superquorum must agree, or a majority with the leader
    /// in it; else one reply says that the request is committed.
    pub const fn answers_before_commit(self) -> bool {
        matches!(self, Self::SpecPaxos | Self::NoPaxos)
    }

    /// Whether it is only safe, or its figures only mean something, while the root gives each
    /// packet of a term a number of its own, one after the other.
    pub const fn trusts_the_root(self) -> bool {
        matches!(self, Self::SpecPaxos | Self::NoPaxos | Self::Unreplicated)
    }

    /// Whether the root's numbers mean anything to it.
    pub const fn uses_the_roots_order(self) -> bool {
        !matches!(self, Self::Vr | Self::FastPaxos | Self::Mencius)
    }

    /// Whether the members of a group can be changed.
    pub const fn changes_members(self) -> bool {
        matches!(self, Self::Rounds)
    }

    /// Whether replicas can be told to send each request alone.
    pub const fn has_batches_to_leave_out(self) -> bool {
        matches!(self, Self::Vr | Self::Mencius)
    }

    /// Bytes of a packet that a client's operation must leave free, besides what its request
    /// takes, because the member that is asked passes it on with more around it.
    pub const fn reserved_bytes(self) -> usize {
        match self {
            Self::SpecPaxos | Self::NoPaxos | Self::Unreplicated => 0,
            Self::Rounds => RoundPacket::RESERVED,
            Self::Vr => vr::Prepare::RESERVED,
            Self::FastPaxos => fast_paxos::Forward::RESERVED,
            Self::Mencius => mencius::Propose::RESERVED,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_one_protocols_name() {
        for protocol in ProtocolName::ALL {
            assert_eq!(ProtocolName::of_name(protocol.name()), Some(protocol));
        }
        assert_eq!(ProtocolName::of_name("paxos"), None);
    }

    #[test]
    fn those_with_a_property_are_named_in_order() {
        let one_server = ProtocolName::names_of(ProtocolName::is_one_server);
        assert_eq!(one_server, "unreplicated");
        let members_change = ProtocolName::names_of(ProtocolName::changes_members);
        assert_eq!(members_change, "rounds");
        assert_eq!(ProtocolName::names_of(|_| false), "");
    }
}
