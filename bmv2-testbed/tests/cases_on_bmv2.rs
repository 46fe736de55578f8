//! The case files of `p4/tests/` on the real bmv2: every byte and every port as the files say.
//!
//! `sequencer/tests/pipeline_cases.rs` runs the same files on this project's own switch, so what
//! passes both is the same on both. Each case gets bmv2 with the program loaded anew, which
//! removes entries and groups and zeroes counters and registers. Frames go in and come out at the
//! far ends of veth pairs, one for each port that the files name.
//!
//! What this cannot run, it tells and does not count: bmv2's clock cannot be set, its P4Runtime
//! does not read registers, and no interface carries a frame shorter than an Ethernet header.
#![allow(
    clippy::unwrap_used,
    reason = "test code, also outside of functions marked as tests"
)]

#[path = "cases_on_bmv2/barrier.rs"]
mod barrier;
#[path = "cases_on_bmv2/hosts.rs"]
mod hosts;
#[path = "cases_on_bmv2/run.rs"]
mod run;
#[path = "cases_on_bmv2/switch.rs"]
mod switch;

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write as _;
use std::path::PathBuf;
use std::time::Instant;

use bmv2_testbed::netns::{Bmv2, Bmv2Options, Bmv2Program, Lab, inside};
use sequencer::cases::{Action, Case, CaseFile, parse};

use hosts::Hosts;
use run::{Bench, run_case};
use switch::Switch;

const NEEDS: &str = "run as root with bmv2's simple_switch_grpc in the path, \
                     see https://github.com/p4lang/behavioral-model";

/// The shortest frame that an interface carries, in bytes: an Ethernet header.
const SHORTEST_FRAME: usize = 14;

#[test]
fn all_cases_hold_on_bmv2() {
    let Some(program) = bmv2() else { return };
    let began = Instant::now();
    let files = case_files();
    let folder = tempfile::tempdir().unwrap();
    let name = format!("cases-{}", std::process::id());
    let lab = Lab::up(&name, &hosts::specs(&ports(&files)), folder.path()).unwrap();
    let hosts = Hosts::open(&lab);
    let bmv2 = Bmv2::start(&lab, &program, &Bmv2Options::default()).unwrap();
    // Sockets belong to the namespace of the thread that makes them, and the client makes its own.
    inside(lab.switch_namespace(), || {
        let mut bench = Bench {
            switch: Switch::connect(&bmv2),
            hosts,
            barriers: 0,
        };
        all_hold(&files, &mut bench, &program.version, began);
        changed_expectations_fail(&files, &mut bench);
    })
    .unwrap();
    bmv2.stop().unwrap();
}

fn all_hold(files: &[(String, CaseFile)], bench: &mut Bench, version: &str, began: Instant) {
    let (mut passed, mut failures) = (0, Vec::new());
    let mut skipped: BTreeMap<(&str, &str), usize> = BTreeMap::new();
    for (name, file) in files {
        assert!(!file.cases.is_empty(), "{name} has cases");
        for case in &file.cases {
            if let Some(reason) = impossible(file, case) {
                *skipped.entry((name, reason)).or_default() += 1;
                continue;
            }
            match run_case(file, case, bench) {
                Ok(()) => passed += 1,
                Err(failure) => failures.push(format!("{name}: {failure}")),
            }
        }
    }
    for ((name, reason), count) in &skipped {
        say(&format!("skip: {count} of the cases of {name}: {reason}"));
    }
    say(&format!(
        "bmv2 {version}: {passed} cases passed, {} failed, {} skipped, in {:.1} s",
        failures.len(),
        skipped.values().sum::<usize>(),
        began.elapsed().as_secs_f64()
    ));
    assert!(failures.is_empty(), "{}", failures.join("\n"));
    assert!(passed > 0, "at least one case can be run");
}

/// A runner that finds no fault in a wrong expectation would find none anywhere. In each file one
/// case of each kind is spoiled: a byte, a frame too many, a frame too few, a counter.
fn changed_expectations_fail(files: &[(String, CaseFile)], bench: &mut Bench) {
    let spoils: [Spoil; 4] = [
        spoil_byte,
        spoil_by_removal,
        spoil_by_addition,
        spoil_counter,
    ];
    let mut found = 0;
    for (name, file) in files {
        for spoil in spoils {
            let cases = file.cases.iter();
            let possible = cases.filter(|case| impossible(file, case).is_none());
            let spoiled = possible.filter_map(|case| {
                let mut broken = case.clone();
                spoil(&mut broken).map(|line| (line, broken))
            });
            for (line, broken) in spoiled.take(1) {
                let failure = run_case(file, &broken, bench).unwrap_err();
                assert_eq!(failure.line, line, "{name}: {failure}");
                found += 1;
            }
        }
    }
    assert!(found > 0, "there are expectations");
    say(&format!("{found} spoiled cases failed, as they must"));
}

/// Changes an expectation of the case; the line at which it must then fail, or nothing if the case
/// has no such expectation.
type Spoil = fn(&mut Case) -> Option<usize>;

fn spoil_byte(case: &mut Case) -> Option<usize> {
    case.steps.iter_mut().find_map(|step| {
        let Action::Expect(expected) = &mut step.action else {
            return None;
        };
        let last = expected.mask.iter().rposition(|mask| *mask != 0)?;
        expected.frame[last] ^= 1;
        Some(step.line)
    })
}

/// A frame that nobody expects is the fault of the `send` before it.
fn spoil_by_removal(case: &mut Case) -> Option<usize> {
    let is_expect = |action: &Action| matches!(action, Action::Expect(_));
    let at = case.steps.iter().position(|step| is_expect(&step.action))?;
    case.steps.remove(at);
    Some(
        case.steps[..at]
            .iter()
            .rfind(|step| matches!(step.action, Action::Send { .. }))?
            .line,
    )
}

fn spoil_by_addition(case: &mut Case) -> Option<usize> {
    let is_expect = |action: &Action| matches!(action, Action::Expect(_));
    let at = case.steps.iter().position(|step| is_expect(&step.action))?;
    let mut added = case.steps[at].clone();
    added.line = usize::MAX;
    case.steps.insert(at + 1, added);
    Some(usize::MAX)
}

fn spoil_counter(case: &mut Case) -> Option<usize> {
    case.steps.iter_mut().find_map(|step| {
        let Action::Counter { packets, .. } = &mut step.action else {
            return None;
        };
        *packets += 1;
        Some(step.line)
    })
}

/// Why bmv2 cannot run the case, if it cannot.
fn impossible(file: &CaseFile, case: &Case) -> Option<&'static str> {
    if file.needs_clock {
        return Some("bmv2's clock cannot be set; run pipeline_cases of sequencer");
    }
    let steps = file.setup.iter().chain(&case.steps);
    steps
        .map(|step| &step.action)
        .find_map(|action| match action {
            Action::Now(_) => Some("bmv2's clock cannot be set; run pipeline_cases of sequencer"),
            Action::Register { .. } => {
                Some("bmv2's P4Runtime does not read registers; run pipeline_cases of sequencer")
            }
            Action::Send { frame, .. } if frame.len() < SHORTEST_FRAME => Some(
                "no interface carries a frame shorter than an Ethernet header; \
             run pipeline_cases of sequencer",
            ),
            _ => None,
        })
}

/// All ports at which the files may make a frame go in or come out.
fn ports(files: &[(String, CaseFile)]) -> BTreeSet<u16> {
    let steps = files.iter().flat_map(|(_, file)| {
        let cases = file.cases.iter().flat_map(|case| &case.steps);
        file.setup.iter().chain(cases)
    });
    steps
        .flat_map(|step| match &step.action {
            Action::Send { port, .. } => vec![port.0],
            Action::Expect(expected) => vec![expected.port.0],
            Action::Multicast { replicas, .. } => {
                replicas.iter().map(|replica| replica.port.0).collect()
            }
            _ => Vec::new(),
        })
        .collect()
}

fn p4_folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../p4")
}

fn case_files() -> Vec<(String, CaseFile)> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(p4_folder().join("tests")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "txt") {
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            let text = std::fs::read_to_string(&path).unwrap();
            let file = parse(&text).unwrap_or_else(|error| panic!("{name}: {error}"));
            files.push((name, file));
        }
    }
    assert!(!files.is_empty(), "there are case files");
    files.sort_by(|left, right| left.0.cmp(&right.0));
    files
}

/// bmv2 where this test can be run; else it says how it could.
fn bmv2() -> Option<Bmv2Program> {
    let missing = match (Lab::preflight(), Bmv2Program::find()) {
        (Ok(()), Ok(program)) => return Some(program),
        (Err(missing), _) => missing.to_string(),
        (Ok(()), Err(error)) => error.to_string(),
    };
    say(&format!("skip: case files on bmv2: {NEEDS} ({missing})"));
    None
}

fn say(line: &str) {
    writeln!(std::io::stderr(), "{line}").expect("stderr can be written to");
}
