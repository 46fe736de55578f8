//! `downbeat figure capacity-check`: three ways to say how many requests a second a group with a
//! core for each role can answer, and whether they agree.
//!
//! 1. Real: what a request takes of the dearest replica's processor, turned over.
//! 2. Virtual: what the simulator answers with 64 clients, with what a message takes calibrated
//!    from the unreplicated server of the same run: its request is one message in and one out.
//! 3. Real: what is answered. All roles share the cores of the machine, so on a small one that is
//!    a floor, and says so.

use super::{measured, report, simulated};
use crate::arguments::{Contestant, FigureArguments};
use crate::failure::Failure;
use crate::output::Output;
use bench::html::{self, Part};
use bench::machine::source_commit;
use bench::run_directory::RunDirectory;
use bench::sample::{Place, Sample, write_csv};
use bench::spread::Spread;
use bench::summary::Clock;
use bench::table::{Column, Table, three_digits};
use bmv2_testbed::Fabric;
use serde_json::{Value, json};
use std::fs;
use std::path::Path;
use std::time::SystemTime;

/// What it shows, in a line.
pub(super) const SAYS: &str =
    "capacity by processor time, by simulation and as measured, against each other (needs --real)";

/// Whoever calibrates comes first.
const CONTESTANTS: [&str; 8] = [
    "unreplicated",
    "spec-paxos",
    "nopaxos",
    "fast-paxos",
    "rounds",
    "vr",
    "vr:unbatched",
    "mencius",
];

/// Clients that keep every replica busy.
const CLIENTS: u32 = 64;

/// How far the others may lie from the capacity by processor time.
const AGREE: f64 = 0.2;

/// A line of the table.
struct Row {
    contestant: String,
    replicas: usize,
    quantity: &'static str,
    requests_per_second: Option<Spread>,
    over_capacity: Option<f64>,
    agrees: Option<bool>,
    clock: &'static str,
}

impl Row {
    fn object(&self) -> Value {
        json!({
            "contestant": self.contestant,
            "replicas": self.replicas,
            "quantity": self.quantity,
            "requests_per_second": self.requests_per_second,
            "over_capacity": self.over_capacity,
            "agrees": self.agrees,
            "clock": self.clock,
        })
    }
}

/// Runs it.
pub(super) fn run(arguments: &FigureArguments, output: Output) -> Result<(), Failure> {
    if !arguments.real {
        return Err(Failure::Usage(format!(
            "{} holds the simulator against deployments on this machine; give --real",
            super::CAPACITY_CHECK
        )));
    }
    if arguments.fabric.0 == Fabric::Embedded {
        return Err(Failure::Usage(
            "on fabric embedded all servers share a thread, so nobody's processor time is known; \
             use --fabric=tunnel"
                .into(),
        ));
    }
    output.say(&format!("seed {}", arguments.seed));
    let run = RunDirectory::create(&arguments.runs, super::CAPACITY_CHECK, SystemTime::now())?;
    let folder = fs::canonicalize(run.path())?;
    let contestants = super::contestants(&CONTESTANTS)?;
    let places = [Place::closed(3, CLIENTS)];
    let mut samples = measured::measure(&places, &contestants, arguments, &folder, output)?;
    let costs = calibrated(&samples, arguments)?;
    output.say(&format!(
        "calibrated: {} ns for a message in, {} ns for one out",
        costs.receive_ns, costs.send_ns
    ));
    samples.extend(simulated::simulate(
        &places,
        &contestants,
        costs,
        arguments,
        output,
    )?);
    let rows: Vec<Row> = contestants
        .iter()
        .flat_map(|contestant| rows(*contestant, &samples))
        .collect();
    let objects: Vec<Value> = rows.iter().map(Row::object).collect();
    let notes = notes(costs);
    run.write_facts(arguments.seed, source_commit(Path::new(".")))?;
    run.write_json("samples.json", &samples)?;
    run.write_with("samples.csv", |out| write_csv(out, &samples))?;
    run.write_json("figure.json", &json!({ "rows": objects, "notes": notes }))?;
    let mut parts = report::facts(&run)?;
    parts.push(Part::Table(table(&rows)));
    parts.extend(notes.iter().cloned().map(Part::Text));
    let page = html::page(super::CAPACITY_CHECK, &parts);
    run.write_with("report.html", |out| out.write_all(page.as_bytes()))?;
    output.text(&table(&rows).to_string());
    for note in &notes {
        output.line(note);
    }
    for object in objects {
        output.object(object);
    }
    let path = run.path().display().to_string();
    output.object(json!({
        "figure": super::CAPACITY_CHECK,
        "receive_cost_ns": costs.receive_ns,
        "send_cost_ns": costs.send_ns,
        "disagree": rows.iter().filter(|row| row.agrees == Some(false)).count(),
        "results": path,
    }));
    output.line(&format!("results    {path} (report.html has the table)"));
    Ok(())
}

/// What messages take, so that the simulated unreplicated server has the real one's capacity: its
/// processor time a request, divided as the given costs are.
#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "positive times far below 2^52 ns"
)]
fn calibrated(
    samples: &[Sample],
    arguments: &FigureArguments,
) -> Result<simulated::Costs, Failure> {
    let own = samples
        .iter()
        .filter(|sample| sample.contestant == CONTESTANTS[0]);
    let spread = Spread::of(own.filter_map(|sample| sample.numbers.bottleneck_us));
    let Some(spread) = spread else {
        return Err(Failure::Check(
            "nobody's processor time was seen; give a longer --duration".into(),
        ));
    };
    let (receive, send) = (arguments.receive_cost.0, arguments.send_cost.0);
    let whole = (receive + send).max(1) as f64;
    let request_ns = spread.median * 1e3;
    let share = |part: u64| (request_ns * part as f64 / whole).round() as u64;
    Ok(simulated::Costs {
        receive_ns: share(receive),
        send_ns: share(send),
    })
}

/// The three ways, for one contestant.
fn rows(contestant: Contestant, samples: &[Sample]) -> Vec<Row> {
    let name = contestant.name();
    let own = |clock: Clock| {
        let all = samples.iter();
        all.filter(|sample| sample.contestant == name)
            .filter(move |sample| sample.clock == clock)
    };
    let throughput = |clock| Spread::of(own(clock).filter_map(|one| one.numbers.throughput_ops));
    let capacity = Spread::of(own(Clock::Wall).filter_map(|one| one.numbers.capacity_ops));
    let row = |quantity, spread: Option<Spread>, clock: Clock, is_judged: bool| {
        let over = spread
            .zip(capacity)
            .map(|(spread, capacity)| spread.median / capacity.median);
        Row {
            contestant: name.clone(),
            replicas: if contestant.protocol.is_one_server() {
                1
            } else {
                3
            },
            quantity,
            requests_per_second: spread,
            over_capacity: over,
            agrees: over
                .filter(|_| is_judged)
                .map(|over| (over - 1.0).abs() <= AGREE),
            clock: clock.label(),
        }
    };
    vec![
        row("capacity by processor time", capacity, Clock::Wall, false),
        row(
            "simulated saturation",
            throughput(Clock::Virtual),
            Clock::Virtual,
            // Who calibrates agrees by construction.
            !contestant.protocol.is_one_server(),
        ),
        row(
            "answered, all roles together",
            throughput(Clock::Wall),
            Clock::Wall,
            false,
        ),
    ]
}

fn table(rows: &[Row]) -> Table {
    let mut table = Table::new(vec![
        Column::text("protocol"),
        Column::number("n"),
        Column::text("quantity"),
        Column::number("requests/s (least to most)"),
        Column::number("over capacity"),
        Column::text("within 20 %"),
        Column::text("label"),
    ]);
    for row in rows {
        let agrees = match row.agrees {
            None => "-",
            Some(true) => "yes",
            Some(false) => "NO",
        };
        let text = |spread: Spread| spread.to_string();
        table.row(vec![
            row.contestant.clone(),
            row.replicas.to_string(),
            row.quantity.to_owned(),
            row.requests_per_second.map_or_else(|| "-".into(), text),
            row.over_capacity.map_or_else(|| "-".into(), three_digits),
            agrees.to_owned(),
            row.clock.to_owned(),
        ]);
    }
    table
}

fn notes(costs: simulated::Costs) -> Vec<String> {
    vec![
        format!(
            "64 clients. Calibrated from the unreplicated server of this run: {} ns for a message \
             in, {} ns for one out.",
            costs.receive_ns, costs.send_ns
        ),
        "One cost for every message, whatever its length and kind: batches, which are long, and \
         sleeping and waking of replicas that are not busy are not in it."
            .into(),
        "What is answered is what all roles and the clients' generator together can do on the \
         cores of this machine; with fewer cores than roles it is a floor and not held against \
         the others."
            .into(),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use bench::sample::Numbers;
    use clap::{Args as _, Command, FromArgMatches as _};

    fn arguments() -> FigureArguments {
        let command = FigureArguments::augment_args(Command::new("figure"));
        FigureArguments::from_arg_matches(&command.get_matches_from(["figure"])).unwrap()
    }

    fn sample(contestant: &str, clock: Clock, request_us: f64) -> Sample {
        let of_real_time = (clock == Clock::Wall).then_some(request_us);
        Sample {
            contestant: contestant.into(),
            clock,
            place: Place::closed(3, CLIENTS),
            turn: 1,
            seed: 1,
            numbers: Numbers {
                throughput_ops: Some(1e6 / request_us),
                bottleneck_us: of_real_time,
                capacity_ops: of_real_time.map(|us| 1e6 / us),
                ..Numbers::default()
            },
        }
    }

    #[test]
    fn costs_are_those_of_the_unreplicated_server_divided_as_given() {
        let samples = [
            sample("unreplicated", Clock::Wall, 5.0),
            sample("vr", Clock::Wall, 9.0),
        ];
        let costs = calibrated(&samples, &arguments()).unwrap();
        assert_eq!((costs.receive_ns, costs.send_ns), (2_800, 2_200));
        assert!(calibrated(&samples[1..], &arguments()).is_err());
    }

    #[test]
    fn the_simulator_is_held_against_processor_time_within_a_fifth() {
        for (simulated_us, agrees) in [(10.0, true), (8.4, true), (8.3, false), (12.6, false)] {
            let samples = [
                sample("vr", Clock::Wall, 10.0),
                sample("vr", Clock::Virtual, simulated_us),
            ];
            let rows = rows("vr".parse().unwrap(), &samples);
            let judged: Vec<_> = rows.iter().map(|row| (row.clock, row.agrees)).collect();
            assert_eq!(
                judged,
                [("real", None), ("virtual", Some(agrees)), ("real", None)],
                "{simulated_us}"
            );
        }
    }
}
