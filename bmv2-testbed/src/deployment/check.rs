//! A deployment file may have been written by anyone: what the code relies on is checked here.

use super::{Deployment, DeploymentError, Fabric, ProtocolName};
use link::Mtu;
use replica::Quorum;
use replica::quorum::MAX_REPLICAS;

impl Deployment {
    /// A file may have been written by anyone: what the code relies on is checked once, here.
    pub(super) fn check(&self) -> Result<(), DeploymentError> {
        check_spares(self.protocol, self.replicas, self.spares)?;
        if !self.protocol.is_one_server() {
            let _ = Quorum::of(self.replicas - self.spares)?;
        } else if self.replicas != 1 {
            return Err(DeploymentError::OneServer(self.replicas));
        }
        if !self.batching && !self.protocol.has_batches_to_leave_out() {
            return Err(DeploymentError::AlwaysBatches(self.protocol));
        }
        check_doors(self.doors().count(), self.replicas)?;
        Mtu::new(self.mtu)?;
        self.harm.plan()?;
        if !self.harm.is_none() && matches!(self.fabric, Fabric::Netns | Fabric::Bmv2) {
            return Err(DeploymentError::HarmOnKernelLinks(self.fabric));
        }
        let (hosts, replicas) = (self.replicas + 1, self.replicas);
        let above = self.topology.trunks();
        let (tunnels, bulk, trunks) = match self.fabric {
            Fabric::Embedded => (0, 0, 0),
            Fabric::Tunnel => (hosts, replicas, above),
            Fabric::Netns | Fabric::Bmv2 => (0, replicas, 0),
        };
        let tunnels = ("tunnels", self.tunnels.len(), tunnels);
        let bulk = ("bulk addresses", self.bulk.len(), bulk);
        let trunks = ("tunnels between switches", self.trunks.len(), trunks);
        let roots = (
            "P4Runtime addresses of roots",
            self.roots_p4runtime.len(),
            above,
        );
        for (what, count, valid) in [tunnels, bulk, trunks, roots] {
            if count != valid {
                return Err(DeploymentError::Count { what, count, valid });
            }
        }
        self.topology()?;
        Ok(())
    }
}

/// There is room for spares, and a protocol that knows what to do with them.
pub(super) fn check_spares(
    protocol: ProtocolName,
    replicas: usize,
    spares: usize,
) -> Result<(), DeploymentError> {
    if spares > 0 && !protocol.changes_members() {
        return Err(DeploymentError::FixedMembers(protocol));
    }
    if spares >= replicas || replicas > MAX_REPLICAS {
        let most = MAX_REPLICAS - (replicas - spares).min(MAX_REPLICAS);
        return Err(DeploymentError::Spares { spares, most });
    }
    Ok(())
}

pub(super) fn check_doors(doors: usize, replicas: usize) -> Result<(), DeploymentError> {
    if (1..=replicas).contains(&doors) {
        Ok(())
    } else {
        Err(DeploymentError::Doors { doors, replicas })
    }
}
