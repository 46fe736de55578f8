//! Speculative Paxos told in small stories: one file of `tests/scenarios/` each.
//!
//! A file says in a comment what it shows; below that are commands, a rule of dashes, and what
//! the commands printed. `DOWNBEAT_REWRITE=1 cargo test -p replica --test scenarios` writes what
//! they print now; the diff is the review. The command language is described in
//! [`scenario_runner::command`]; what must hold whatever is printed in
//! [`scenario_runner::promises`].

mod scenario_runner;

use scenario_runner::{Failure, Verdict, check};
use std::path::{Path, PathBuf};

const REWRITE: &str = "DOWNBEAT_REWRITE";

fn scenario_files() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/scenarios");
    let entries = std::fs::read_dir(&folder).expect("the folder of scenarios");
    let mut files: Vec<_> = entries
        .map(|entry| entry.expect("an entry of the folder").path())
        .collect();
    files.sort();
    files
}

#[test]
fn every_scenario_prints_what_its_file_says() {
    let rewrite = std::env::var_os(REWRITE).is_some_and(|value| value == "1");
    let files = scenario_files();
    assert!(!files.is_empty(), "no scenario was found");
    let mut failures = Vec::new();
    for file in &files {
        let name = Path::new("replica/tests/scenarios").join(file.file_name().expect("a name"));
        let text = std::fs::read_to_string(file).expect("a text file");
        match check(&text) {
            Ok(Verdict::AsWritten) => {}
            Ok(Verdict::Differs { text, .. }) if rewrite => {
                std::fs::write(file, text).expect("the scenario can be written");
            }
            Ok(Verdict::Differs { line, diff, .. }) => {
                failures.push(format!(
                    "{}:{line}: another outcome\n{diff}",
                    name.display()
                ));
            }
            Err(Failure { line, what }) => {
                failures.push(format!("{}:{line}: {what}\n", name.display()));
            }
        }
    }
    assert!(
        failures.is_empty(),
        "{REWRITE}=1 accepts other outcomes, not errors.\n\n{}",
        failures.join("\n")
    );
}

fn failure_of(text: &str) -> String {
    match check(text) {
        Err(Failure { line, what }) => format!("{line}: {what}"),
        Ok(_) => panic!("this was accepted:\n{text}"),
    }
}

#[test]
fn what_is_not_understood_is_named_with_its_line() {
    let cases = [
        (
            "group 3\nshow\n----\n",
            "1: a scenario begins with a comment that says what it shows",
        ),
        ("# A\n\nshow\n----\n", "3: the first command is `group N`"),
        (
            "# A\ngroup 4\nshow\n----\n",
            "2: a group of 4 replicas is not possible: valid are 1, 3, 5, 7, 9, 11, 13 and 15",
        ),
        (
            "# A\ngroup 3\nfrobnicate 1\n----\n",
            "3: unknown command `frobnicate`; there are: group, unlike, request, other, epoch, round, deliver, copy, drop, hold, release, cut, mend, fire, wait, crash, restart, forge, say, show",
        ),
        (
            "# A\ngroup 3\nrequest a to 3\n----\n",
            "3: replica 3 is not in this group; there are 0 to 2",
        ),
        ("# A\ngroup 3\nrequest a\n----\n", "3: `to` is missing"),
        (
            "# A\ngroup 3\nrequest ab to 0\n----\n",
            "3: `ab` is no request; a request is one lowercase letter",
        ),
        (
            "# A\ngroup 3\ndeliver a to 0\n----\n",
            "3: request a was not sent before",
        ),
        (
            "# A\ngroup 3\ndeliver sink to 0\n----\n",
            "3: unknown message `sink`; there are: any, sync, sync-reply, commit, start-view-change, do-view-change, start-view, in-view, fetch-log, log, recover, fetch-packets, packet, prepare, snapshot",
        ),
        (
            "# A\ngroup 3\ndeliver sync to 1\n----\n",
            "3: no `sync to 1` is on the way; on the way are:\n  nothing",
        ),
        (
            "# A\ngroup 3\nfire leader-silent at 0\n----\n",
            "3: timer leader-silent of replica 0 is not armed; armed are: ask",
        ),
        (
            "# A\ngroup 3\nfire nap at 0\n----\n",
            "3: unknown timer `nap`; there are: ask, sync-overdue, answer, fetch-committed, leader-silent, resend, give-up, gap, recover, return",
        ),
        (
            "# A\ngroup 3\ncrash 1\nrequest a to 1\n----\n",
            "4: replica 1 has crashed",
        ),
        (
            "# A\nunlike sleep\ngroup 3\n----\n",
            "2: unknown mutant `sleep`; `replica::Mutant` names them",
        ),
        (
            "# A\ngroup 3\nrequest a to all\n----\n",
            "4: a scenario prints something; there is no `show`",
        ),
        (
            "# A\nunlike no-freeze\ngroup 3\nshow\n----\n",
            "2: mutant no-freeze makes no difference here",
        ),
    ];
    for (text, expected) in cases {
        assert_eq!(failure_of(text), expected, "for:\n{text}");
    }
}

#[test]
fn another_outcome_is_shown_as_a_diff() {
    let text = "# A\ngroup 3\nrequest a to 0\nshow 0\n----\n  R0: asleep\n";
    let Ok(Verdict::Differs { line, diff, text }) = check(text) else {
        panic!("a replica is never asleep");
    };
    assert_eq!(line, 6);
    assert_eq!(
        diff,
        "-  R0: asleep\n+  R0: normal, view 0, last normal 0, log |a, state a\n"
    );
    assert!(matches!(check(&text), Ok(Verdict::AsWritten)));
}
