//! Members that leave and come in while the deployment serves.
#![allow(
    clippy::unwrap_used,
    reason = "a test that cannot go on fails where it stands"
)]

mod common;

use common::load::Load;
use common::{BMV2, Deployment, NAMESPACES, may_use_bmv2, may_use_namespaces, skip};
use std::io::Write;
use std::time::Duration;

/// Requests answered between one change and the next.
const STRETCH: usize = 400;
/// Coarse: beside other tests a process may wait long for the processor.
const BOUND: Duration = Duration::from_secs(2);

/// A spare takes a member's place and serves when another member is gone; nothing is lost.
fn members_come_and_go(fabric: &str) {
    let fabric_flag = format!("--fabric={fabric}");
    let deployment = Deployment::up(&[&fabric_flag, "--protocol=rounds", "--spares=1"]);
    deployment.members(&[], &[0, 1, 2]);
    assert_eq!(deployment.status()["roles"]["r3"]["state"], "outside");
    let load = Load::start(deployment.resp, 4, 1);
    load.wait_for(STRETCH);
    deployment.members(&["--add=r3", "--remove=r1"], &[0, 2, 3]);
    load.wait_for(STRETCH);
    deployment.members(&["--add=r1"], &[0, 1, 2, 3]);
    load.wait_for(STRETCH);
    deployment.members(&["--remove=r2"], &[0, 1, 3]);
    load.wait_for(STRETCH);
    if fabric != "embedded" {
        // A majority needs the one that came in, or the one that came back.
        deployment.kill("r0");
        load.wait_for(STRETCH);
    }
    let seen = load.finish();
    let _ = writeln!(
        std::io::stderr(),
        "measured: members come and go, {fabric}: nobody answered for {:.1} ms at most, {} answered",
        seen.longest_gap.as_secs_f64() * 1e3,
        seen.answered
    );
    // Reports and beginnings of epochs go through the switch by TCP. A bmv2 that waits for a
    // processor loses packets, and TCP then waits longer each time: no bound of ours.
    if fabric != "bmv2" {
        assert!(seen.longest_gap < BOUND, "{:?}", seen.longest_gap);
    }
}

#[test]
fn in_one_process() {
    members_come_and_go("embedded");
}

#[test]
fn over_tunnels() {
    members_come_and_go("tunnel");
}

#[test]
fn in_namespaces() {
    if !may_use_namespaces() {
        return skip("members that change in namespaces", NAMESPACES);
    }
    members_come_and_go("netns");
}

#[test]
fn on_bmv2() {
    if !may_use_bmv2() {
        return skip("members that change on bmv2", BMV2);
    }
    members_come_and_go("bmv2");
}

#[test]
fn changes_that_cannot_be_are_refused_with_the_reason() {
    let deployment = Deployment::up(&["--protocol=rounds", "--spares=2"]);
    for (words, reason) in [
        (
            &["--add=r9"][..],
            "there is no replica r9, valid are r0 to r4",
        ),
        (&["--add=r1"], "r1 is a member already: r0 r1 r2"),
        (&["--remove=r3"], "r3 is not a member: r0 r1 r2"),
        (
            &["--add=r3,r4", "--remove=r0,r1"],
            "of 3 new members 1 are members now; at least a majority must be",
        ),
    ] {
        let all = [&["members"], words].concat();
        let refused = common::run(deployment.folder.path(), &all);
        let text = String::from_utf8_lossy(&refused.stderr);
        assert_eq!(refused.status.code(), Some(2), "{words:?}: {text}");
        assert!(text.contains(reason), "{words:?}: {text}");
    }
    deployment.members(&[], &[0, 1, 2]);
}
