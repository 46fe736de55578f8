//! What is measured: a deployment that was brought up for it, in this process or in others.

use crate::failure::Failure;
use bmv2_testbed::embedded::Servers;
use bmv2_testbed::load::ProcessorTime;
use bmv2_testbed::netns::{Bmv2Program, Lab};
use bmv2_testbed::processes::{self, Processes};
use bmv2_testbed::roles::{process_endpoint, report};
use bmv2_testbed::{Deployment, Fabric, status};
use link::Endpoint;
use serde_json::Value;
use std::env;

/// The one entry of servers that share a thread.
const ALL_SERVERS: &str = "switch and replicas";

/// A deployment without its client.
pub(super) enum Target {
    /// In this process.
    Embedded(Servers),
    /// One process a role.
    Processes(Processes),
}

impl Target {
    /// Brings it up; also returns the endpoint for the client.
    pub(super) fn up(
        deployment: &Deployment,
        seed: u64,
    ) -> Result<(Self, Box<dyn Endpoint>), Failure> {
        let usage = |error: bmv2_testbed::roles::RoleError| Failure::usage(error.as_ref());
        if deployment.fabric == Fabric::Embedded {
            let (servers, endpoint) = Servers::up(deployment, seed).map_err(usage)?;
            return Ok((Self::Embedded(servers), endpoint));
        }
        if deployment.fabric == Fabric::Bmv2 {
            Bmv2Program::find()?;
        }
        if matches!(deployment.fabric, Fabric::Netns | Fabric::Bmv2) {
            Lab::preflight()?;
        }
        let program = env::current_exe()?;
        let processes = processes::up(deployment.clone(), &program)?;
        let endpoint = process_endpoint(deployment, deployment.front_host()).map_err(usage)?;
        Ok((Self::Processes(processes), endpoint))
    }

    /// What each role has spent on processors so far.
    pub(super) fn processor_times(&self) -> Result<Vec<(String, ProcessorTime)>, Failure> {
        match self {
            Self::Embedded(_) => {
                let time = ProcessorTime::of_own_threads(&["fabric", "node"])?;
                Ok(vec![(ALL_SERVERS.to_owned(), time)])
            }
            Self::Processes(processes) => processes
                .started()
                .map(|role| Ok((role.name.clone(), ProcessorTime::of(role.pid)?)))
                .collect(),
        }
    }

    /// What each replica says of itself.
    pub(super) fn replicas(&self, deployment: &Deployment) -> Vec<Value> {
        match self {
            Self::Embedded(servers) => servers.replicas().iter().map(report).collect(),
            Self::Processes(_) => (0..deployment.replicas)
                .map(|index| status::ask(&deployment.socket(&format!("r{index}"))))
                .collect(),
        }
    }

    /// Takes it down.
    pub(super) fn down(self) -> Result<(), Failure> {
        match self {
            Self::Embedded(mut servers) => servers
                .end()
                .map_err(|error| Failure::usage(error.as_ref())),
            Self::Processes(mut processes) => {
                processes.end();
                Ok(())
            }
        }
    }
}
