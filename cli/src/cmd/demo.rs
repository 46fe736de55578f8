//! `downbeat demo`: the whole of downbeat in one process and one minute. A software switch runs
//! the compiled P4 program, the controller fills it over gRPC, replicas run the protocol, clients
//! ask, links lose and reorder for a third of the run, and a checker has the last word.

mod clients;
mod report;

use crate::arguments::DemoArguments;
use crate::failure::Failure;
use crate::output::Output;
use bench::run_directory::RunDirectory;
use bmv2_testbed::deployment::{Application, Caller, Harm, Options};
use bmv2_testbed::embedded::Embedded;
use bmv2_testbed::{Deployment, Fabric, Shape};
use clients::{Ran, run_clients};
use link::faults::FaultPlan;
use replica::driver::Report;
use report::Verdicts;
use sim::linearizability::kv::Kv;
use sim::linearizability::{Bounds, Verdict, check};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

/// How long replicas may take to agree after the last request.
const SETTLE: Duration = Duration::from_secs(10);
const LOOK_AGAIN: Duration = Duration::from_millis(5);
const PATIENCE: Duration = Duration::from_secs(5);

/// Runs the verb.
pub(crate) fn run(arguments: &DemoArguments, output: Output) -> Result<(), Failure> {
    output.say(&format!("seed {}", arguments.seed));
    let arguments = adjusted(arguments);
    let run = RunDirectory::create(&arguments.runs, "demo", SystemTime::now())?;
    let deployment = Deployment::plan(&Options {
        fabric: Fabric::Embedded,
        protocol: arguments.protocol.0,
        application: Application::Kv,
        caller: Caller::Front,
        batching: true,
        topology: Shape::Single,
        replicas: arguments.replicas,
        spares: 0,
        mtu: 1_428,
        round_shift: 8,
        gap_awareness: arguments.gap_awareness.is_on(),
        read_barrier: true,
        harm: Harm::default(),
        resp_port: 0,
        doors: 1,
        folder: run.path().to_path_buf(),
        unique: super::up::unique()?,
    })?;
    let begun = Instant::now();
    let mut embedded = Embedded::up(&deployment, arguments.seed)
        .map_err(|error| Failure::usage(error.as_ref()))?;
    output.say(&format!(
        "fabric     1 switch running p4/v1model/root.p4, filled over P4Runtime in {} ms",
        begun.elapsed().as_millis()
    ));
    output.say(&format!(
        "replicas   {} × {}; {} clients; {} lost and {} reordered for a third of the run",
        arguments.replicas,
        arguments.protocol.0.name(),
        arguments.clients,
        arguments.loss,
        arguments.reorder
    ));
    let ran = run_clients(&arguments, &embedded, output)?;
    let replicas = settle(&embedded)?;
    embedded
        .end()
        .map_err(|error| Failure::usage(error.as_ref()))?;
    let verdicts = judge(&ran, &replicas);
    report::write(&run, &arguments, &ran, &replicas, &verdicts)?;
    report::print(&run, &arguments, &ran, &replicas, &verdicts, output);
    verdicts.into_result()
}

/// One server needs no flag to be one server.
fn adjusted(arguments: &DemoArguments) -> DemoArguments {
    let mut arguments = arguments.clone();
    if arguments.protocol.0.is_one_server() && arguments.replicas == 3 {
        arguments.replicas = 1;
    }
    arguments
}

/// What is done to frames while faults are on.
fn fault_plan(arguments: &DemoArguments) -> FaultPlan {
    FaultPlan {
        loss: arguments.loss,
        reordering: arguments.reorder,
        ..FaultPlan::default()
    }
}

/// Waits until all replicas have committed the same log.
fn settle(embedded: &Embedded) -> Result<Vec<Report>, Failure> {
    let deadline = Instant::now() + SETTLE;
    loop {
        let reports: Result<Vec<_>, _> = embedded
            .replicas()
            .iter()
            .map(|replica| replica.status(PATIENCE))
            .collect();
        let reports = reports?;
        let first = &reports[0].status;
        let settled = reports.iter().all(|report| {
            let status = &report.status;
            status.hash == first.hash && status.last_committed == status.last_speculative
        });
        if settled || Instant::now() >= deadline {
            return Ok(reports);
        }
        thread::park_timeout(LOOK_AGAIN);
    }
}

fn judge(ran: &Ran, replicas: &[Report]) -> Verdicts {
    let checked = check::<Kv>(&ran.history, &Bounds::default());
    let (linearizable, why) = match checked.verdict {
        Verdict::Linearizable => (Some(true), None),
        Verdict::Violation(example) => (Some(false), Some(example.to_string())),
        Verdict::Unknown { why } => (None, Some(why.to_string())),
    };
    let first = replicas[0].status;
    Verdicts {
        linearizable,
        why,
        unanswered: ran
            .history
            .calls()
            .iter()
            .filter(|call| call.completion.is_none())
            .count(),
        logs_equal: replicas
            .iter()
            .all(|report| report.status.hash == first.hash),
        digests_equal: replicas
            .iter()
            .all(|report| report.status.digest == first.digest),
    }
}
