//! One contestant, measured once, with a deployment of its own: for comparisons and for figures.

use super::super::bench::{BenchResult, Group, MTU, application, load_settings, measure};
use crate::arguments::{Contestant, LoadFlags};
use crate::failure::Failure;
use crate::output::Output;
use bench::sample::{Numbers, Place};
use bmv2_testbed::Fabric;
use bmv2_testbed::deployment::Harm;
use link::StopFlag;
use std::path::Path;

/// What all turns have in common.
pub(in crate::cmd) struct Turns<'a> {
    /// Where deployments are.
    pub(in crate::cmd) fabric: Fabric,
    /// What is asked for, and for how long.
    pub(in crate::cmd) load: &'a LoadFlags,
    /// Raised when somebody has had enough.
    pub(in crate::cmd) interrupted: &'a StopFlag,
}

impl Turns<'_> {
    /// Brings a contestant up in `folder`, measures it and takes it down.
    pub(in crate::cmd) fn take(
        &self,
        place: Place,
        contestant: Contestant,
        (seed, folder): (u64, &Path),
    ) -> Result<Numbers, Failure> {
        let one_server = contestant.protocol.is_one_server();
        let group = Group {
            fabric: self.fabric,
            protocol: contestant.protocol,
            replicas: (!one_server).then_some(place.replicas),
            application: application(self.load),
            mtu: MTU,
            gap_awareness: contestant.gap_awareness,
            read_barrier: true,
            batching: contestant.batching,
            harm: Harm {
                loss_ppm: place.loss_ppm,
                reorder_ppm: place.reorder_ppm,
                seed,
            },
        };
        let deployment = group.plan(folder)?;
        let flags = LoadFlags {
            rate: place.rate_per_second,
            ..self.load.clone()
        };
        let load = load_settings(&flags, place.clients, seed)?;
        let measured = measure(&deployment, &load, seed, self.interrupted, Output::silent())?;
        let result = BenchResult::new(&load, &deployment, &measured);
        if !result.agrees {
            return Err(Failure::Check(format!(
                "{}: the replicas did not agree on one log in time; see {}",
                contestant.name(),
                folder.display()
            )));
        }
        Ok(Numbers {
            throughput_ops: Some(result.summary.throughput_ops),
            p50_us: result.summary.latency.p50_us,
            p99_us: result.summary.latency.p99_us,
            bottleneck_us: result.bottleneck_us(),
            capacity_ops: result.capacity(),
        })
    }
}
