//! Replicas of real processes that are killed and come back under load, and links that lie.
#![allow(
    clippy::unwrap_used,
    reason = "a test that cannot go on fails where it stands"
)]

mod common;

use common::load::{Load, Seen};
use common::{Deployment, PATIENCE, kill_9};
use std::fs;
use std::io::Write;
use std::ops::Range;
use std::process::Child;
use std::thread;
use std::time::{Duration, Instant};

/// Requests answered between one fault and the next.
const STRETCH: usize = 300;

/// What a test measured, where people can see it even when it passes.
fn say(what: &str, seen: &Seen) {
    let rate = f64::from(u32::try_from(seen.answered).unwrap()) / seen.lasted.as_secs_f64();
    let _ = writeln!(
        std::io::stderr(),
        "measured: {what}: {} answered, {rate:.0} a second, longest gap {:.1} ms",
        seen.answered,
        seen.longest_gap.as_secs_f64() * 1e3
    );
}

/// A replica that was killed, started again by hand.
fn start_again(deployment: &Deployment, index: usize, with_disk: bool) -> Child {
    let file = deployment.run_folder().join("deployment.json");
    let flag = format!("--deployment={}", file.display());
    let index_flag = format!("--index={index}");
    let folder = deployment.folder.path();
    if !with_disk {
        fs::remove_dir_all(deployment.run_folder().join(format!("r{index}"))).unwrap();
        let refused = common::run(folder, &["replica", &flag, &index_flag]);
        assert_eq!(
            refused.status.code(),
            Some(2),
            "an empty folder is a lost disk"
        );
        common::output(folder, &["replica", "format-lost", &flag, &index_flag], 0);
    }
    let mut command = match deployment.namespace(index) {
        None => common::downbeat(folder),
        Some(namespace) => common::downbeat_in(&namespace, folder),
    };
    command
        .args(["replica", &flag, &index_flag])
        .spawn()
        .unwrap()
}

fn wait_until_normal(deployment: &Deployment, index: usize) {
    let deadline = Instant::now() + PATIENCE;
    let name = format!("r{index}");
    while deployment.status()["roles"][&name]["state"] != "normal" {
        assert!(Instant::now() < deadline, "{:#}", deployment.status());
        thread::park_timeout(Duration::from_millis(10));
    }
}

fn kill_replica(deployment: &Deployment, index: usize) {
    let pid = &deployment.status()["roles"][format!("r{index}")]["pid"];
    kill_9(pid.as_u64().unwrap());
}

fn assert_equal(deployment: &Deployment, replicas: usize) {
    let digests = deployment.settled_digests(replicas);
    assert!(
        digests.windows(2).all(|pair| pair[0] == pair[1]),
        "{digests:?}"
    );
}

fn end(children: Vec<Child>) {
    for mut child in children {
        child.kill().unwrap();
        child.wait().unwrap();
    }
}

/// Kills and restarts each replica in turn under load; nothing acknowledged may be lost.
fn each_in_turn(with_disk: bool) {
    let deployment = Deployment::up(&["--fabric=tunnel"]);
    let load = Load::start(deployment.resp, 4, 1);
    let mut restarted = Vec::new();
    for index in 0..3 {
        load.wait_for(STRETCH);
        kill_replica(&deployment, index);
        load.wait_for(STRETCH);
        restarted.push(start_again(&deployment, index, with_disk));
        wait_until_normal(&deployment, index);
    }
    load.wait_for(STRETCH);
    let seen = load.finish();
    say(
        "each of three replicas killed and restarted under load",
        &seen,
    );
    assert_equal(&deployment, 3);
    end(restarted);
}

#[test]
fn each_replica_restarts_in_turn_with_its_disk() {
    each_in_turn(true);
}

#[test]
fn each_replica_restarts_in_turn_without_its_disk() {
    each_in_turn(false);
}

/// A crash may cost the callers of other members no more than this. Coarse: beside other tests a
/// process may wait as long for the processor; what was measured is printed.
const UNNOTICED: Duration = Duration::from_millis(250);

/// By synchronous rounds nobody is waited for: each replica is killed in turn under load at all
/// front doors, and the callers of the others are answered all the same. Then it comes back,
/// which takes a new epoch, and has the same state.
fn each_in_turn_by_rounds(fabric: &str, with_disk: bool) {
    let deployment = Deployment::up(&[fabric, "--protocol=rounds", "--doors=3"]);
    let load = Load::start_at(&deployment.doors, 6, 1);
    let mut restarted = Vec::new();
    let (mut crashes, mut returns) = (Vec::new(), Vec::new());
    load.wait_for(3 * STRETCH);
    let undisturbed = Duration::ZERO..load.now();
    for index in 0..3 {
        let before = load.now();
        kill_replica(&deployment, index);
        load.wait_for(6 * STRETCH);
        crashes.push((index, before..load.now()));
        let before = load.now();
        restarted.push(start_again(&deployment, index, with_disk));
        wait_until_normal(&deployment, index);
        load.wait_for(3 * STRETCH);
        returns.push((index, before..load.now()));
    }
    let seen = load.finish();
    say(
        &format!("rounds, {fabric}, each of three killed and restarted"),
        &seen,
    );
    let gap_of_others = |(index, during): &(usize, Range<Duration>)| {
        let mut doors = deployment.doors.clone();
        doors.remove(*index);
        seen.longest_gap_at(&doors, during)
    };
    let crashes: Vec<_> = crashes.iter().map(gap_of_others).collect();
    let returns: Vec<_> = returns.iter().map(gap_of_others).collect();
    let without = seen.longest_gap_at(&deployment.doors, &undisturbed);
    let _ = writeln!(
        std::io::stderr(),
        "measured: rounds, {fabric}: longest gap at the other members' doors: {crashes:.1?} at a \
         crash, {returns:.1?} at a return, {without:.1?} before"
    );
    assert!(crashes.iter().all(|gap| *gap < UNNOTICED), "{crashes:?}");
    assert_equal(&deployment, 3);
    end(restarted);
}

#[test]
fn by_rounds_each_replica_restarts_in_turn_with_its_disk() {
    each_in_turn_by_rounds("--fabric=tunnel", true);
}

#[test]
fn by_rounds_each_replica_restarts_in_turn_without_its_disk() {
    each_in_turn_by_rounds("--fabric=tunnel", false);
}

#[test]
fn by_rounds_each_replica_restarts_in_turn_in_namespaces() {
    if !common::may_use_namespaces() {
        return common::skip("restarts in namespaces", common::NAMESPACES);
    }
    each_in_turn_by_rounds("--fabric=netns", true);
}

/// The schedule under which the published replicas crash in rollback and their clients hang.
#[test]
fn heavy_reordering_with_five_clients_on_five_replicas() {
    for reorder in ["--reorder=5%", "--reorder=20%"] {
        five_on_five("spec-paxos", &[reorder, "--loss=0.1%", "--seed=7"]);
    }
}

#[test]
fn by_rounds_heavy_loss_and_reordering_with_five_clients_on_five_replicas() {
    for seed in ["--seed=1", "--seed=2", "--seed=3"] {
        five_on_five("rounds", &["--loss=1%", "--reorder=5%", seed]);
    }
}

fn five_on_five(protocol: &str, harm: &[&str]) {
    let protocol = format!("--protocol={protocol}");
    for fabric in ["--fabric=embedded", "--fabric=tunnel"] {
        let flags = [&[fabric, &protocol, "--replicas=5"], harm].concat();
        let deployment = Deployment::up(&flags);
        let load = Load::start(deployment.resp, 5, 7);
        load.wait_for(4 * STRETCH);
        let seen = load.finish();
        say(&flags.join(" "), &seen);
        assert_equal(&deployment, 5);
    }
}
