//! What the demo tells at its end, for people and for programs.

use super::clients::Ran;
use crate::arguments::DemoArguments;
use crate::failure::Failure;
use crate::output::Output;
use bench::machine::source_commit;
use bench::run_directory::RunDirectory;
use bench::summary::{Clock, Labels, Summary};
use bench::table::three_digits;
use replica::driver::Report;
use serde_json::{Value, json};
use std::io::Write;
use std::path::Path;

/// What was found.
pub(super) struct Verdicts {
    /// `None`: the checker ran out of its bounds.
    pub(super) linearizable: Option<bool>,
    pub(super) why: Option<String>,
    pub(super) unanswered: usize,
    pub(super) logs_equal: bool,
    pub(super) digests_equal: bool,
}

impl Verdicts {
    /// The exit code's side of it: lies are worse than silence.
    pub(super) fn into_result(self) -> Result<(), Failure> {
        if self.linearizable == Some(false) {
            let why = self.why.unwrap_or_default();
            return Err(Failure::Safety(format!(
                "the history is not linearizable\n{why}"
            )));
        }
        if self.logs_equal && !self.digests_equal {
            return Err(Failure::Safety(
                "replicas with equal logs have different states".into(),
            ));
        }
        if self.unanswered > 0 {
            return Err(Failure::Check(format!(
                "{} requests were not answered",
                self.unanswered
            )));
        }
        if !self.logs_equal {
            return Err(Failure::Check(
                "the replicas did not agree on one log in time".into(),
            ));
        }
        match self.linearizable {
            Some(_) => Ok(()),
            None => Err(Failure::Check(format!(
                "no verdict: {}",
                self.why.unwrap_or_default()
            ))),
        }
    }

    fn word(&self) -> &'static str {
        match self.linearizable {
            Some(true) => "linearizable",
            Some(false) => "NOT linearizable",
            None => "unknown",
        }
    }
}

fn summary(arguments: &DemoArguments, ran: &Ran, replicas: &[Report]) -> Summary {
    let labels = Labels {
        name: format!("demo {}", arguments.protocol.0.name()),
        clock: Clock::Wall,
        wait: "block".into(),
        offered_ops: None,
    };
    let mut recorder = ran.recorder.clone();
    for replica in replicas {
        recorder.add_rollbacks(replica.status.counters.rolled_back);
    }
    recorder.summary(labels, ran.duration_ns)
}

/// The results as one object.
fn object(
    run: &RunDirectory,
    arguments: &DemoArguments,
    ran: &Ran,
    replicas: &[Report],
    verdicts: &Verdicts,
) -> Value {
    let summary = summary(arguments, ran, replicas);
    json!({
        "schema": 1,
        "seed": arguments.seed,
        "protocol": arguments.protocol.0.name(),
        "replicas": arguments.replicas,
        "clients": arguments.clients,
        "requests": summary.requests,
        "unanswered": verdicts.unanswered,
        "fast_path_share": summary.fast_path_share,
        "rollbacks": summary.rollbacks,
        "view_changes": replicas.iter().map(|r| r.status.counters.view_changes).max(),
        "p50_us": summary.latency.p50_us,
        "p99_us": summary.latency.p99_us,
        "throughput_ops": summary.throughput_ops,
        "longest_gap_us": summary.longest_gap_us,
        "linearizable": verdicts.linearizable,
        "logs_equal": verdicts.logs_equal,
        "digests_equal": verdicts.digests_equal,
        "results": run.path().display().to_string(),
    })
}

/// Writes everything into the run's folder.
pub(super) fn write(
    run: &RunDirectory,
    arguments: &DemoArguments,
    ran: &Ran,
    replicas: &[Report],
    verdicts: &Verdicts,
) -> Result<(), Failure> {
    run.write_facts(
        arguments.seed,
        source_commit(Path::new(env!("CARGO_MANIFEST_DIR"))),
    )?;
    run.write_summary(&summary(arguments, ran, replicas))?;
    run.write_latencies(&ran.recorder)?;
    run.write_json(
        "result.json",
        &object(run, arguments, ran, replicas, verdicts),
    )?;
    let states: Vec<_> = replicas
        .iter()
        .map(bmv2_testbed::status::of_replica)
        .collect();
    run.write_json("replicas.json", &states)?;
    let mut file =
        std::io::BufWriter::new(std::fs::File::create(run.path().join("history.ndjson"))?);
    ran.history.write_to(&mut file)?;
    file.flush()?;
    Ok(())
}

/// Prints the table, the verdict and where the rest is.
pub(super) fn print(
    run: &RunDirectory,
    arguments: &DemoArguments,
    ran: &Ran,
    replicas: &[Report],
    verdicts: &Verdicts,
    output: Output,
) {
    let summary = summary(arguments, ran, replicas);
    output.object(object(run, arguments, ran, replicas, verdicts));
    let number = |value: Option<f64>| value.map_or_else(|| "-".to_owned(), three_digits);
    let share = summary.fast_path_share.map(|share| share * 100.0);
    let view_changes = replicas
        .iter()
        .map(|r| r.status.counters.view_changes)
        .max()
        .unwrap_or(0);
    for (name, value) in [
        ("requests", summary.requests.to_string()),
        ("one round trip (%)", number(share)),
        ("rollbacks", summary.rollbacks.to_string()),
        ("view changes", view_changes.to_string()),
        ("p50 (µs)", number(summary.latency.p50_us)),
        ("p99 (µs)", number(summary.latency.p99_us)),
        ("throughput (ops/s)", three_digits(summary.throughput_ops)),
        ("longest gap (µs)", three_digits(summary.longest_gap_us)),
    ] {
        output.line(&format!("  {name:<20} {value}"));
    }
    let equal = if verdicts.digests_equal {
        "equal"
    } else {
        "NOT equal"
    };
    let operations = ran.history.len();
    output.line(&format!(
        "verdict    {} ({operations} operations checked)",
        verdicts.word()
    ));
    output.line(&format!(
        "states     {equal} on {} replicas",
        replicas.len()
    ));
    output.line(&format!("results    {}", run.path().display()));
    output.line("next       downbeat up --detach, then redis-cli -p 6380");
}
