//! The case files of `p4/tests/` on this switch.
#![allow(
    clippy::unwrap_used,
    reason = "test code, also outside of functions marked as tests"
)]

mod pipeline_common;

use std::io::Write as _;

use pipeline_common::p4_folder;
use sequencer::cases::{CaseFile, Failure, parse, run};
use sequencer::pipeline::Switch;

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
    files.sort_by(|left, right| left.0.cmp(&right.0));
    files
}

fn load(program: &str) -> Switch {
    let json = std::fs::read(p4_folder().join(format!("built/{program}.json"))).unwrap();
    Switch::load(&json).unwrap_or_else(|error| panic!("{program}: {error}"))
}

#[test]
fn all_cases_hold() {
    let files = case_files();
    assert!(!files.is_empty(), "there are case files");
    let mut cases = 0;
    let mut failures = Vec::new();
    for (name, file) in files {
        assert!(!file.cases.is_empty(), "{name} has cases");
        cases += file.cases.len();
        let failed = run(&file, &mut load(&file.program));
        failures.extend(
            failed
                .into_iter()
                .map(|failure| format!("{name}: {failure}")),
        );
    }
    writeln!(std::io::stderr(), "{cases} cases").unwrap();
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

/// A runner that finds no fault in a wrong expectation would find none anywhere.
#[test]
fn a_changed_expectation_fails() {
    let mut changed = 0;
    for (name, file) in case_files() {
        let mut switch = load(&file.program);
        for (number, case) in file.cases.iter().enumerate() {
            for (at, step) in case.steps.iter().enumerate() {
                let mut broken = file.clone();
                let action = &mut broken.cases[number].steps[at].action;
                if !spoil(action) {
                    continue;
                }
                changed += 1;
                broken.cases = vec![broken.cases[number].clone()];
                let failed = run(&broken, &mut switch);
                let lines: Vec<usize> = failed
                    .iter()
                    .map(|failure: &Failure| failure.line)
                    .collect();
                assert_eq!(lines, [step.line], "{name}, case `{}`", case.name);
            }
        }
    }
    assert!(changed > 0, "there are expectations");
}

/// Makes a step expect something else; false if it expects nothing.
fn spoil(action: &mut sequencer::cases::Action) -> bool {
    use sequencer::cases::Action;
    match action {
        Action::Expect(expected) => {
            let last = expected.mask.iter().rposition(|mask| *mask != 0).unwrap();
            expected.frame[last] ^= 1;
        }
        Action::Counter { packets, .. } => *packets += 1,
        Action::Register { value, .. } => *value += 1,
        _ => return false,
    }
    true
}

#[test]
fn errors_name_the_line() {
    let error = |text: &str| parse(text).unwrap_err().to_string();
    assert_eq!(error(""), "line 1: no `program NAME`");
    assert_eq!(
        error("program p\nsend 1 00"),
        "line 2: a step before `setup` and any `case`"
    );
    assert_eq!(
        error("program p\ncase c\nsend 1 0g"),
        "line 3: `0g` is not pairs of hexadecimal digits"
    );
    assert_eq!(
        error("program p\ncase c\nsend 1 ??"),
        "line 3: `??` is for expected frames only"
    );
    assert_eq!(
        error("program p\ncase c\nhop 1"),
        "line 3: `hop` with these words is no step"
    );
    assert_eq!(
        error("program p\ncase c\ninsert t 1.2.3 -> a"),
        "line 3: `1.2.3` is no number, IPv4 or MAC address"
    );
    assert_eq!(
        error(" 00"),
        "line 1: the first line cannot go on with one before"
    );
}

proptest::proptest! {
    #[test]
    fn any_text_is_read_or_refused(
        words in proptest::collection::vec("(program|setup|case|send|expect|insert|->|[0-9a-f?:./&@*#]{1,6}|\n| )", 0..60),
        noise in "\\PC{0,40}",
    ) {
        let _ = parse(&words.join(" "));
        let _ = parse(&words.concat());
        let _ = parse(&noise);
    }
}
