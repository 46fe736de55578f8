//! Small values around the messages: election ids, multicast groups, updates.

use std::fmt;

use crate::{bytestring, v1};

/// Decides who is the primary: the highest wins.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ElectionId(pub u128);

impl From<v1::Uint128> for ElectionId {
    fn from(id: v1::Uint128) -> Self {
        Self((u128::from(id.high) << 64) | u128::from(id.low))
    }
}

impl From<ElectionId> for v1::Uint128 {
    fn from(id: ElectionId) -> Self {
        let low = u64::try_from(id.0 & u128::from(u64::MAX)).unwrap_or(u64::MAX);
        let high = u64::try_from(id.0 >> 64).unwrap_or(u64::MAX);
        Self { high, low }
    }
}

impl fmt::Display for ElectionId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

/// One copy of a packet: where it goes, and the number by which egress tells it apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Replica {
    /// The port of the switch.
    pub port: u32,
    /// The replication id that egress sees.
    pub instance: u32,
}

/// A multicast group: its copies as a set, because switches give them back in any order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MulticastGroup {
    /// From 1.
    pub id: u32,
    /// Sorted, no two equal.
    replicas: Vec<Replica>,
}

impl MulticastGroup {
    /// Sorts the replicas and drops repetitions.
    pub fn new(id: u32, replicas: impl IntoIterator<Item = Replica>) -> Self {
        let mut replicas: Vec<Replica> = replicas.into_iter().collect();
        replicas.sort_unstable();
        replicas.dedup();
        Self { id, replicas }
    }

    /// The copies, sorted by port and instance.
    pub fn replicas(&self) -> &[Replica] {
        &self.replicas
    }

    /// The message. Ports are written as numbers, which servers of all versions read.
    pub fn to_message(&self) -> v1::MulticastGroupEntry {
        let replicas = self.replicas.iter().map(|replica| v1::Replica {
            port_kind: Some(v1::replica::PortKind::EgressPort(replica.port)),
            instance: replica.instance,
            backup_replicas: Vec::new(),
        });
        v1::MulticastGroupEntry {
            multicast_group_id: self.id,
            replicas: replicas.collect(),
            metadata: Vec::new(),
        }
    }

    /// Reads the message, ports in either form. A replica whose port is no 32-bit number, which
    /// no switch has, is given port `u32::MAX`, so that it differs from all that were written.
    pub fn from_message(message: &v1::MulticastGroupEntry) -> Self {
        let replicas = message.replicas.iter().map(|replica| Replica {
            port: match &replica.port_kind {
                Some(v1::replica::PortKind::EgressPort(port)) => *port,
                Some(v1::replica::PortKind::Port(bytes)) => bytestring::decode(bytes, u32::BITS)
                    .ok()
                    .and_then(|port| u32::try_from(port).ok())
                    .unwrap_or(u32::MAX),
                None => u32::MAX,
            },
            instance: replica.instance,
        });
        Self::new(message.multicast_group_id, replicas)
    }
}

/// A multicast group as an entity.
pub fn entity_of_group(group: v1::MulticastGroupEntry) -> v1::Entity {
    let entry = v1::PacketReplicationEngineEntry {
        r#type: Some(v1::packet_replication_engine_entry::Type::MulticastGroupEntry(group)),
    };
    v1::Entity {
        entity: Some(v1::entity::Entity::PacketReplicationEngineEntry(entry)),
    }
}

/// An update of one entity.
pub fn update_of(kind: v1::update::Type, entity: impl Into<v1::Entity>) -> v1::Update {
    v1::Update {
        r#type: kind.into(),
        entity: Some(entity.into()),
    }
}

impl From<v1::entity::Entity> for v1::Entity {
    fn from(entity: v1::entity::Entity) -> Self {
        Self {
            entity: Some(entity),
        }
    }
}

impl From<v1::TableEntry> for v1::Entity {
    fn from(entry: v1::TableEntry) -> Self {
        v1::entity::Entity::TableEntry(entry).into()
    }
}

impl From<&MulticastGroup> for v1::Entity {
    fn from(group: &MulticastGroup) -> Self {
        entity_of_group(group.to_message())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn groups_are_sets() {
        let replica = |port, instance| Replica { port, instance };
        let one = MulticastGroup::new(1, [replica(2, 1), replica(1, 7), replica(2, 1)]);
        assert_eq!(one.replicas(), [replica(1, 7), replica(2, 1)]);
        let mut message = one.to_message();
        message.replicas.reverse();
        message.replicas[0].port_kind = Some(v1::replica::PortKind::Port(vec![0, 2]));
        assert_eq!(MulticastGroup::from_message(&message), one);
    }

    proptest! {
        #[test]
        fn election_ids_go_both_ways(value: u128) {
            let message = v1::Uint128::from(ElectionId(value));
            prop_assert_eq!(ElectionId::from(message), ElectionId(value));
        }
    }
}
