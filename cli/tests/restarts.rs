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
    common::downbeat(folder)
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

/// Kills and restarts each replica in turn under load; nothing acknowledged may be lost.
fn each_in_turn(with_disk: bool) {
    let deployment = Deployment::up(&["--fabric=tunnel"]);
    let load = Load::start(deployment.resp, 4, 1);
    let mut restarted = Vec::new();
    for index in 0..3 {
        load.wait_for(STRETCH);
        let pid = &deployment.status()["roles"][format!("r{index}")]["pid"];
        kill_9(pid.as_u64().unwrap());
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
    let digests = deployment.settled_digests(3);
    assert!(digests.windows(2).all(|pair| pair[0] == pair[1]));
    for mut child in restarted {
        child.kill().unwrap();
        child.wait().unwrap();
    }
}

#[test]
fn each_replica_restarts_in_turn_with_its_disk() {
    each_in_turn(true);
}

#[test]
fn each_replica_restarts_in_turn_without_its_disk() {
    each_in_turn(false);
}

/// The schedule under which the published replicas crash in rollback and their clients hang.
#[test]
fn heavy_reordering_with_five_clients_on_five_replicas() {
    for fabric in ["--fabric=embedded", "--fabric=tunnel"] {
        for reorder in ["--reorder=5%", "--reorder=20%"] {
            let flags = [fabric, "--replicas=5", reorder, "--loss=0.1%", "--seed=7"];
            let deployment = Deployment::up(&flags);
            let load = Load::start(deployment.resp, 5, 7);
            load.wait_for(4 * STRETCH);
            let seen = load.finish();
            say(&format!("{fabric} {reorder}"), &seen);
            let digests = deployment.settled_digests(5);
            assert!(digests.windows(2).all(|pair| pair[0] == pair[1]));
        }
    }
}
