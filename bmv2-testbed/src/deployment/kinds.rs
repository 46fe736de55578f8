//! What a deployment can be made of.

use super::DeploymentError;
use link::faults::{FaultPlan, Probability};
use replica::ProtocolName;
use serde::{Deserialize, Serialize};
use std::net::SocketAddr;

/// How frames get from host to switch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Fabric {
    /// In-process rings; everything is one process.
    Embedded,
    /// Ethernet frames in UDP datagrams on loopback; one process a role, no root.
    Tunnel,
    /// Network namespaces and veth pairs with our software switch; needs root.
    Netns,
    /// The same with bmv2's simple_switch_grpc.
    Bmv2,
}

impl Fabric {
    /// The name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Embedded => "embedded",
            Self::Tunnel => "tunnel",
            Self::Netns => "netns",
            Self::Bmv2 => "bmv2",
        }
    }
}

/// What is replicated.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Application {
    /// The key-value store.
    #[default]
    Kv,
    /// Nothing: its operations do nothing, so that replication alone is measured.
    Null,
}

/// Who asks the group for operations.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Caller {
    /// A front door of the deployment.
    #[default]
    Front,
    /// Whoever brought the deployment up, by the host that would have the front door.
    Load,
}

/// A protocol in a deployment file: its name.
pub(super) mod protocol_name {
    use super::ProtocolName;
    use serde::de::Error;
    use serde::{Deserialize, Deserializer, Serializer};

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for it")]
    pub(in super::super) fn serialize<S: Serializer>(
        protocol: &ProtocolName,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(protocol.name())
    }

    pub(in super::super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<ProtocolName, D::Error> {
        let name = String::deserialize(deserializer)?;
        ProtocolName::of_name(&name).ok_or_else(|| {
            let valid = ProtocolName::ALL.map(ProtocolName::name).join(", ");
            D::Error::custom(format!("there is no protocol {name:?}; valid are {valid}"))
        })
    }
}

/// The two ends of one tunnel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tunnel {
    /// The host's end.
    pub host: SocketAddr,
    /// The switch's end.
    pub switch: SocketAddr,
}

/// The two ends of a tunnel between switches.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trunk {
    /// The leaf's end.
    pub leaf: SocketAddr,
    /// The root's end.
    pub root: SocketAddr,
}

/// What is done on purpose to the frames that replicas send and receive: for trials.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Harm {
    /// Frames lost, in parts per million.
    pub loss_ppm: u32,
    /// Frames overtaken, in parts per million.
    pub reorder_ppm: u32,
    /// What decides which.
    pub seed: u64,
}

impl Harm {
    /// Whether anything is done at all.
    pub fn is_none(&self) -> bool {
        self.loss_ppm == 0 && self.reorder_ppm == 0
    }

    /// The same as a plan for links.
    pub fn plan(&self) -> Result<FaultPlan, DeploymentError> {
        let probability = |what, ppm| {
            Probability::from_ppm(ppm).ok_or(DeploymentError::Probability { what, ppm })
        };
        Ok(FaultPlan {
            loss: probability("loss", self.loss_ppm)?,
            reordering: probability("reordering", self.reorder_ppm)?,
            ..FaultPlan::default()
        })
    }
}
