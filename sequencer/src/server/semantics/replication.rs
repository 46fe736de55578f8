//! Multicast groups.
//!
//! P4Runtime 1.4, section "`MulticastGroupEntry`".

use p4runtime::v1::packet_replication_engine_entry::Type as Kind;
use p4runtime::v1::replica::PortKind;
use p4runtime::v1::{self, update::Type};
use p4runtime::{Code, bytestring};

use super::{GroupExtras, Running, check_metadata};
use crate::pipeline::{PortNumber, Replica};
use crate::server::Failure;

impl Running {
    pub(super) fn write_replication(
        &mut self,
        kind: Type,
        entry: &v1::PacketReplicationEngineEntry,
    ) -> Result<(), Failure> {
        match &entry.r#type {
            Some(Kind::MulticastGroupEntry(group)) => self.write_group(kind, group),
            Some(Kind::CloneSessionEntry(_)) => Err(Failure::unimplemented("a clone session")),
            None => Err(Failure::invalid("packet replication engine entry is empty")),
        }
    }

    fn write_group(&mut self, kind: Type, group: &v1::MulticastGroupEntry) -> Result<(), Failure> {
        let id = u16::try_from(group.multicast_group_id)
            .ok()
            .filter(|id| *id != 0);
        let Some(id) = id else {
            let given = group.multicast_group_id;
            let message = format!("multicast group id is {given}, valid is 1 to 65535");
            return Err(Failure::invalid(message));
        };
        if matches!(kind, Type::Delete | Type::Unspecified) {
            self.switch.delete_multicast_group(id)?;
            self.extras.groups.remove(&id);
            return Ok(());
        }
        check_metadata(&group.metadata)?;
        let replicas = group
            .replicas
            .iter()
            .map(|replica| replica_from(id, replica))
            .collect::<Result<Vec<_>, _>>()?;
        if kind == Type::Insert {
            self.switch.insert_multicast_group(id, &replicas)?;
        } else {
            self.switch.modify_multicast_group(id, &replicas)?;
        }
        let is_bytes = |r: &v1::Replica| matches!(r.port_kind, Some(PortKind::Port(_)));
        let extras = GroupExtras {
            metadata: group.metadata.clone(),
            ports_are_bytes: group.replicas.iter().any(is_bytes),
        };
        self.extras.groups.insert(id, extras);
        Ok(())
    }

    /// The group of this id, or all of them for 0; none if there is no such group.
    pub(super) fn read_groups(&self, id: u32) -> Vec<v1::MulticastGroupEntry> {
        let chosen = |found: &u16| id == 0 || u32::from(*found) == id;
        let groups = self
            .switch
            .multicast_groups()
            .filter(|(found, _)| chosen(found));
        groups
            .map(|(id, replicas)| {
                let extras = self.extras.groups.get(&id).cloned().unwrap_or_default();
                let replicas = replicas
                    .iter()
                    .map(|replica| replica_to(*replica, extras.ports_are_bytes));
                v1::MulticastGroupEntry {
                    multicast_group_id: id.into(),
                    replicas: replicas.collect(),
                    metadata: extras.metadata,
                }
            })
            .collect()
    }
}

fn replica_from(id: u16, replica: &v1::Replica) -> Result<Replica, Failure> {
    if !replica.backup_replicas.is_empty() {
        return Err(Failure::unimplemented("a backup replica"));
    }
    let what = format!("multicast group {id}: egress port");
    let port = match &replica.port_kind {
        Some(PortKind::EgressPort(port)) => u128::from(*port),
        Some(PortKind::Port(bytes)) => {
            bytestring::decode(bytes, u32::BITS).map_err(|error| Failure::value(&what, &error))?
        }
        None => return Err(Failure::invalid(format!("{what} is missing"))),
    };
    let port = u16::try_from(port).map_err(|_| {
        Failure::new(
            Code::InvalidArgument,
            format!("{what} is {port}, valid is 0 to 510"),
        )
    })?;
    let rid = u16::try_from(replica.instance).map_err(|_| {
        let given = replica.instance;
        Failure::invalid(format!(
            "multicast group {id}: instance is {given}, valid is 0 to 65535"
        ))
    })?;
    Ok(Replica {
        port: PortNumber(port),
        rid,
    })
}

fn replica_to(replica: Replica, as_bytes: bool) -> v1::Replica {
    let port = replica.port.0;
    let port_kind = if as_bytes {
        PortKind::Port(bytestring::encode(port.into()))
    } else {
        PortKind::EgressPort(port.into())
    };
    v1::Replica {
        port_kind: Some(port_kind),
        instance: replica.rid.into(),
        backup_replicas: Vec::new(),
    }
}
