//! A leaf and two roots: the root that stamps is killed under load, and the other one takes over.
#![allow(
    clippy::unwrap_used,
    reason = "a test that cannot go on fails where it stands"
)]

mod common;

use common::load::Load;
use common::{
    BMV2, Deployment, NAMESPACES, PATIENCE, kill_9, may_use_bmv2, may_use_namespaces, output, skip,
};
use std::io::Write;
use std::process::{Child, Command};
use std::thread;
use std::time::{Duration, Instant};

/// Requests answered between one fault and the next.
const STRETCH: usize = 400;
/// Coarse: beside other tests a process may wait long for the processor. What was measured is
/// printed.
const BOUND: Duration = Duration::from_secs(2);

/// What the controller says of the root.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Root {
    name: String,
    pid: u64,
    term: u64,
    changes: u64,
}

fn root(deployment: &Deployment) -> Root {
    let status = deployment.status();
    let said = &status["roles"]["controller"];
    let name = said["root"].as_str().expect("a root").to_owned();
    Root {
        pid: status["roles"][&name]["pid"].as_u64().expect("a pid"),
        term: said["term"].as_u64().expect("a term"),
        changes: said["root_changes"].as_u64().expect("a count"),
        name,
    }
}

/// Kills the root that stamps, and waits until there is another one and the load goes on.
fn kill_root(deployment: &Deployment, load: &Load, pid: u64) -> Root {
    let changes = root(deployment).changes;
    load.wait_for(STRETCH);
    kill_9(pid);
    load.wait_for(STRETCH);
    let deadline = Instant::now() + PATIENCE;
    loop {
        let now = root(deployment);
        if now.changes > changes {
            return now;
        }
        assert!(Instant::now() < deadline, "{:#}", deployment.status());
        thread::park_timeout(Duration::from_millis(5));
    }
}

/// Starts a root that was killed; waits until it is a root in waiting.
fn start_again(deployment: &Deployment, name: &str) -> Child {
    let file = deployment.run_folder().join("deployment.json");
    let folder = deployment.folder.path();
    let status = deployment.status();
    let mut command = if status["fabric"] == "netns" {
        let run = status["deployment"].as_str().expect("a name");
        common::downbeat_in(&format!("db-{run}-s1"), folder)
    } else {
        common::downbeat(folder)
    };
    let child = command
        .args(["switch", &format!("--switch={name}")])
        .arg(format!("--deployment={}", file.display()))
        .spawn()
        .unwrap();
    let deadline = Instant::now() + PATIENCE;
    while deployment.status()["roles"]["controller"]["switches"][name] != "verified" {
        assert!(Instant::now() < deadline, "{:#}", deployment.status());
        thread::park_timeout(Duration::from_millis(10));
    }
    child
}

/// Nothing that was acknowledged is lost: the load's history is linearizable.
fn root_is_killed(fabric: &str, protocol: &str, comes_back: bool) {
    let fabric_flag = format!("--fabric={fabric}");
    let protocol_flag = format!("--protocol={protocol}");
    let deployment = Deployment::up(&[&fabric_flag, "--topology=dual-root,3", &protocol_flag]);
    let first = root(&deployment);
    let load = Load::start(deployment.resp, 4, 1);
    let second = kill_root(&deployment, &load, first.pid);
    assert_ne!(second.name, first.name);
    assert!(second.term > first.term, "{second:?} after {first:?}");
    let mut again = None;
    if comes_back {
        let child = start_again(&deployment, &first.name);
        assert_eq!(root(&deployment).name, second.name, "nothing moves back");
        let third = kill_root(&deployment, &load, second.pid);
        assert_eq!(third.name, first.name);
        assert!(third.term > second.term, "{third:?} after {second:?}");
        again = Some(child);
    }
    load.wait_for(STRETCH);
    let seen = load.finish();
    let gap = seen.longest_gap;
    let _ = writeln!(
        std::io::stderr(),
        "measured: {protocol}, {fabric}: nobody answered for {:.1} ms at most while roots were \
         killed, {} answered",
        gap.as_secs_f64() * 1e3,
        seen.answered
    );
    assert!(gap < BOUND, "{gap:?}");
    let digests = deployment.settled_digests(3);
    assert!(
        digests.windows(2).all(|pair| pair[0] == pair[1]),
        "{digests:?}"
    );
    if let Some(mut child) = again {
        child.kill().unwrap();
        child.wait().unwrap();
    }
}

#[test]
fn over_tunnels_by_rounds() {
    root_is_killed("tunnel", "rounds", true);
}

#[test]
fn over_tunnels_by_spec_paxos() {
    root_is_killed("tunnel", "spec-paxos", true);
}

#[test]
fn in_namespaces() {
    if !may_use_namespaces() {
        return skip("root failure in namespaces", NAMESPACES);
    }
    for protocol in ["rounds", "spec-paxos"] {
        root_is_killed("netns", protocol, true);
    }
}

/// The root answers its controller and hears nobody from now on.
fn cut_wire(deployment: &Deployment, root: &Root) {
    let status = deployment.status();
    let namespace = format!("db-{}-s1", status["deployment"].as_str().unwrap());
    let interface = format!("{}-eth1", root.name);
    let cut = ["-n", &namespace, "link", "set", "dev", &interface, "down"];
    assert!(Command::new("ip").args(cut).status().unwrap().success());
}

/// The root answers its controller and hears nobody: members say so.
#[test]
fn by_rounds_a_root_whose_wire_is_cut_is_left() {
    if !may_use_namespaces() {
        return skip("a root's wire is cut in namespaces", NAMESPACES);
    }
    let flags = [
        "--fabric=netns",
        "--topology=dual-root,3",
        "--protocol=rounds",
    ];
    let deployment = Deployment::up(&flags);
    let first = root(&deployment);
    let load = Load::start(deployment.resp, 4, 1);
    load.wait_for(STRETCH);
    cut_wire(&deployment, &first);
    load.wait_for(STRETCH);
    let seen = load.finish();
    let second = root(&deployment);
    assert_ne!(second.name, first.name);
    assert!(second.term > first.term);
    let _ = writeln!(
        std::io::stderr(),
        "measured: rounds, netns: nobody answered for {:.0} ms when the root's wire was cut",
        seen.longest_gap.as_secs_f64() * 1e3
    );
    let digests = deployment.settled_digests(3);
    assert!(
        digests.windows(2).all(|pair| pair[0] == pair[1]),
        "{digests:?}"
    );
    assert_eq!(
        root(&deployment).term,
        second.term,
        "terms are not raised on"
    );
}

/// Two of the three first members have left and are gone, and a third is gone that is a member
/// still. Then the root goes: those who are left are two of five replicas, and a majority of the
/// members.
fn root_goes_after_members_changed(fabric: &str, root_goes: impl Fn(&Deployment, &Root)) {
    let fabric_flag = format!("--fabric={fabric}");
    let flags = [
        &fabric_flag,
        "--topology=dual-root,3",
        "--protocol=rounds",
        "--spares=2",
    ];
    let deployment = Deployment::up(&flags);
    let load = Load::start(deployment.resp, 4, 1);
    load.wait_for(STRETCH);
    deployment.members(&["--add=r3", "--remove=r1"], &[0, 2, 3]);
    load.wait_for(STRETCH);
    deployment.members(&["--add=r4", "--remove=r2"], &[0, 3, 4]);
    for gone in ["r1", "r2", "r0"] {
        deployment.kill(gone);
        load.wait_for(STRETCH);
    }
    let first = root(&deployment);
    root_goes(&deployment, &first);
    load.wait_for(STRETCH);
    let seen = load.finish();
    let second = root(&deployment);
    assert_ne!(second.name, first.name);
    assert!(second.term > first.term);
    let _ = writeln!(
        std::io::stderr(),
        "measured: rounds, {fabric}: members changed, three replicas and the root gone: nobody \
         answered for {:.1} ms at most",
        seen.longest_gap.as_secs_f64() * 1e3
    );
    let digests = deployment.settled_digests(2);
    assert_eq!(digests[0], digests[1]);
}

#[test]
fn a_root_is_killed_after_members_changed() {
    root_goes_after_members_changed("tunnel", |_, root| kill_9(root.pid));
}

/// Only the members can tell that it stamps nothing.
#[test]
fn a_roots_wire_is_cut_after_members_changed() {
    if !may_use_namespaces() {
        return skip("a root's wire is cut after members changed", NAMESPACES);
    }
    root_goes_after_members_changed("netns", cut_wire);
}

#[test]
fn on_bmv2() {
    if !may_use_bmv2() {
        return skip("root failure on bmv2", BMV2);
    }
    for protocol in ["rounds", "spec-paxos"] {
        root_is_killed("bmv2", protocol, false);
    }
}

/// All is one process there: no root can be killed alone, but everything else is the same.
#[test]
fn embedded_has_both_roots() {
    let deployment = Deployment::up(&["--topology=dual-root,3", "--protocol=rounds"]);
    let folder = deployment.folder.path();
    assert_eq!(output(folder, &["kv", "incr", "a"], 0), "1\n");
    let status = deployment.status();
    let switches = &status["roles"]["controller"]["switches"];
    for name in ["s1", "s2", "s3"] {
        assert_eq!(switches[name], "verified", "{status:#}");
    }
    let text = output(folder, &["status"], 0);
    assert!(text.contains("root: s"), "{text}");
}

#[test]
fn a_topology_that_contradicts_the_replicas_is_refused() {
    let folder = common::folder();
    let flags = ["up", "--topology=dual-root,3", "--replicas=5"];
    let refused = common::run(folder.path(), &flags);
    assert_eq!(refused.status.code(), Some(2));
    let text = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(text.contains("leave one of them out"), "{text}");
}
