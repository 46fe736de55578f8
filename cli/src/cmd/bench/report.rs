//! What a measurement tells, for people and for programs.

use super::measure::{Measured, RoleCost};
use crate::arguments::Thresholds;
use crate::failure::Failure;
use crate::output::Output;
use bench::machine::source_commit;
use bench::run_directory::RunDirectory;
use bench::summary::{Clock, Labels, Summary};
use bench::table::{Column, Table, three_digits};
use bmv2_testbed::load::{LoadSettings, WAIT};
use bmv2_testbed::{Deployment, Fabric};
use serde_json::{Value, json};
use std::path::Path;

/// The result of one measurement.
pub(in crate::cmd) struct BenchResult {
    pub(in crate::cmd) summary: Summary,
    costs: Vec<RoleCost>,
    pub(in crate::cmd) agrees: bool,
    deployment: Deployment,
}

impl BenchResult {
    pub(in crate::cmd) fn new(
        load: &LoadSettings,
        deployment: &Deployment,
        measured: &Measured,
    ) -> Self {
        let protocol = deployment.protocol.name();
        let labels = Labels {
            name: format!("{protocol} on {}", deployment.fabric.name()),
            clock: Clock::Wall,
            wait: WAIT.into(),
            offered_ops: load.arrivals.rate_per_second(),
        };
        let mut recorder = measured.loaded.recorder.clone();
        for replica in &measured.replicas {
            recorder.add_rollbacks(replica["rolled_back"].as_u64().unwrap_or(0));
        }
        Self {
            summary: recorder.summary(labels, measured.loaded.end_ns),
            costs: measured.costs.clone(),
            agrees: measured.agrees(),
            deployment: deployment.clone(),
        }
    }

    /// Processor time of the replica that spends most on a request, in µs.
    pub(in crate::cmd) fn bottleneck_us(&self) -> Option<f64> {
        self.bottleneck().map(|cost| cost.us_per_request)
    }

    /// The replica that spends most on a request.
    fn bottleneck(&self) -> Option<&RoleCost> {
        let is_replica = |cost: &&RoleCost| cost.role.starts_with('r');
        let replicas = self.costs.iter().filter(is_replica);
        replicas.max_by(|one, other| one.us_per_request.total_cmp(&other.us_per_request))
    }

    fn object(&self) -> Value {
        let costs: Vec<_> = self
            .costs
            .iter()
            .map(|cost| json!({ "role": cost.role, "us_per_request": cost.us_per_request }))
            .collect();
        let mut object = json!(self.summary);
        object["protocol"] = self.deployment.protocol.name().into();
        object["fabric"] = self.deployment.fabric.name().into();
        object["replicas"] = self.deployment.replicas.into();
        object["batching"] = self.deployment.batching.into();
        object["processor"] = costs.into();
        object["bottleneck"] = self.bottleneck().map(|cost| cost.role.clone()).into();
        object["capacity_ops"] = self.capacity().into();
        object["replicas_agree"] = self.agrees.into();
        object
    }

    /// Requests per second that one core for the bottleneck replica would give.
    pub(in crate::cmd) fn capacity(&self) -> Option<f64> {
        let cost = self.bottleneck()?.us_per_request;
        (cost > 0.0).then(|| 1e6 / cost)
    }
}

/// Writes everything into the run's folder.
pub(super) fn write(
    run: &RunDirectory,
    (seed, load): (u64, &LoadSettings),
    measured: &Measured,
    result: &BenchResult,
) -> Result<(), Failure> {
    run.write_facts(seed, source_commit(Path::new(".")))?;
    run.write_config(&result.deployment)?;
    run.write_json("load.json", &load_object(load))?;
    run.write_summary(&result.summary)?;
    run.write_latencies(&measured.loaded.recorder)?;
    run.write_json("bench.json", &result.object())?;
    run.write_json("replicas.json", &measured.replicas)?;
    Ok(())
}

fn load_object(load: &LoadSettings) -> Value {
    json!({
        "workload": load.workload.config(),
        "arrivals": load.arrivals,
        "clients": load.clients,
        "warm_up_s": load.warm_up.as_secs_f64(),
        "duration_s": load.duration.as_secs_f64(),
    })
}

/// Prints the table, what must be known to read it, and where everything is.
pub(super) fn print(run: &RunDirectory, result: &BenchResult, output: Output) {
    output.text(&Summary::table(std::slice::from_ref(&result.summary)).to_string());
    output.text(&costs_table(result));
    if let (Some(bottleneck), Some(capacity)) = (result.bottleneck(), result.capacity()) {
        output.line(&format!(
            "capacity   {} requests/s if {}, the bottleneck, had a core of its own",
            three_digits(capacity),
            bottleneck.role
        ));
    } else if result.deployment.fabric == Fabric::Embedded {
        output.line("capacity   not told: here all servers share a thread; see --fabric=tunnel");
    }
    for warning in result.summary.warnings() {
        output.say(&format!("warning: {warning}"));
    }
    let mut object = result.object();
    object["results"] = run.path().display().to_string().into();
    output.object(object);
    output.line(&format!("results    {}", run.path().display()));
}

fn costs_table(result: &BenchResult) -> String {
    if result.costs.is_empty() {
        return String::new();
    }
    let mut table = Table::new(vec![
        Column::text("role"),
        Column::number("processor time (µs/request)"),
    ]);
    for cost in &result.costs {
        table.row(vec![cost.role.clone(), three_digits(cost.us_per_request)]);
    }
    table.to_string()
}

/// The exit code's side of it.
pub(super) fn check(thresholds: &Thresholds, result: &BenchResult) -> Result<(), Failure> {
    if !result.agrees {
        return Err(Failure::Check(
            "the replicas did not agree on one log in time; replicas.json says where each is"
                .into(),
        ));
    }
    let summary = &result.summary;
    let latency = [
        ("p50", thresholds.p50_max, summary.latency.p50_us),
        ("p99", thresholds.p99_max, summary.latency.p99_us),
    ];
    for (name, most, measured) in latency {
        let Some(most) = most else { continue };
        let measured = measured.unwrap_or(f64::INFINITY);
        let most = micros(most.0);
        if measured > most {
            return Err(Failure::Check(format!(
                "{name} is {} µs, --{name}-max allows {} µs",
                three_digits(measured),
                three_digits(most)
            )));
        }
    }
    match thresholds.throughput_min {
        Some(least) if summary.throughput_ops < float(least) => Err(Failure::Check(format!(
            "{} requests/s were answered, --throughput-min asks for {least}",
            three_digits(summary.throughput_ops)
        ))),
        _ => Ok(()),
    }
}

#[expect(clippy::cast_precision_loss, reason = "thresholds are far below 2^52")]
fn float(number: u64) -> f64 {
    number as f64
}

fn micros(ns: u64) -> f64 {
    float(ns) / 1e3
}
