//! Deployments that stay: real processes, real clients, kill -9.
#![allow(
    clippy::unwrap_used,
    reason = "a test that cannot go on fails where it stands"
)]

mod common;

use common::load::Load;
use common::{
    BMV2, Deployment, NAMESPACES, PATIENCE, Resp, has, json, kill_9, may_use_bmv2,
    may_use_namespaces, output, skip,
};
use std::io::Write;
use std::thread;
use std::time::{Duration, Instant};

/// Coarse: beside other tests a process may wait this long for the processor. On a machine of its
/// own the gap is that of any other moment, 2 to 3 ms.
const UNNOTICED: Duration = Duration::from_millis(250);
const REDIS: &str = "apt install redis-tools";

/// Sets keys one by one through one connection; returns how many were acknowledged.
fn set_keys(resp: u16, from: u32, to: u32) -> Duration {
    let mut client = Resp::connect(resp);
    let mut longest = Duration::ZERO;
    for number in from..to {
        let begun = Instant::now();
        assert_eq!(client.ask(&format!("SET key{number} value{number}")), "+OK");
        longest = longest.max(begun.elapsed());
    }
    longest
}

fn expect_keys(resp: u16, to: u32) {
    let mut client = Resp::connect(resp);
    for number in 0..to {
        let value = format!("value{number}");
        assert_eq!(
            client.ask(&format!("GET key{number}")),
            format!("${}", value.len())
        );
        assert_eq!(client.line(), value, "an acknowledged write is lost");
    }
}

#[test]
fn kv_and_status_and_down() {
    let deployment = Deployment::up(&[]);
    let folder = deployment.folder.path();
    assert_eq!(output(folder, &["kv", "put", "a", "1"], 0), "OK\n");
    assert_eq!(output(folder, &["kv", "get", "a"], 0), "1\n");
    assert_eq!(output(folder, &["kv", "incr", "a"], 0), "2\n");
    output(folder, &["kv", "cas", "a", "7", "8"], 1);
    assert_eq!(output(folder, &["kv", "cas", "a", "2", "8"], 0), "OK\n");
    assert_eq!(output(folder, &["kv", "del", "a"], 0), "1\n");
    output(folder, &["kv", "get", "a"], 1);
    let digests = deployment.settled_digests(3);
    assert!(
        digests.windows(2).all(|pair| pair[0] == pair[1]),
        "{digests:?}"
    );
    let text = output(folder, &["status"], 0);
    assert!(
        text.contains("controller") && text.contains("verified"),
        "{text}"
    );
    let ended = json(folder, &["down", "--json"], 0);
    assert_eq!(ended["ended"], serde_json::json!(["embedded"]));
    output(folder, &["down"], 2);
    // Dropping takes down again: give it something to take down.
    let again = json(folder, &["up", "--detach", "--resp-port=0", "--json"], 0);
    assert_eq!(again["fabric"], "embedded");
}

/// Whoever takes a request must be able to pass it on: what is accepted is answered, and one byte
/// more is refused with its size and the limit.
#[test]
fn the_longest_request_that_is_accepted_is_executed() {
    for protocol in ["rounds", "spec-paxos"] {
        for mtu in ["640", "1400"] {
            let flags = [&format!("--protocol={protocol}"), &format!("--mtu={mtu}")];
            let deployment = Deployment::up(&flags.map(String::as_str));
            let mut client = Resp::connect(deployment.resp);
            let mut set = |bytes: usize| client.ask(&format!("SET key {}", "x".repeat(bytes)));
            let refused = set(2_000);
            let numbers: Vec<usize> = refused
                .split(' ')
                .filter_map(|word| word.parse().ok())
                .collect();
            let [size, limit] = numbers[..] else {
                panic!("{protocol}, {mtu}: {refused}");
            };
            let fits = 2_000 - (size - limit);
            assert_eq!(set(fits), "+OK", "{protocol}, {mtu}: {fits} bytes");
            let refused = set(fits + 1);
            assert!(
                refused.contains(&format!("{} bytes is over the limit of {limit}", limit + 1)),
                "{protocol}, {mtu}: {refused}"
            );
            assert_eq!(client.ask("STRLEN key"), format!(":{fits}"));
        }
    }
}

#[test]
fn redis_tools_over_tunnels() {
    if !has("redis-benchmark") {
        return skip("redis-cli and redis-benchmark over tunnels", REDIS);
    }
    let deployment = Deployment::up(&["--fabric=tunnel"]);
    let cli = |arguments: &[&str]| {
        let output = deployment.redis("redis-cli", arguments);
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    };
    assert_eq!(cli(&["set", "a", "1"]), "OK");
    assert_eq!(cli(&["get", "a"]), "1");
    assert_eq!(cli(&["incr", "a"]), "2");
    assert_eq!(cli(&["expire", "a", "100"]), "1");
    assert!((99..=100).contains(&cli(&["ttl", "a"]).parse::<i32>().unwrap()));
    assert_eq!(cli(&["-3", "hset", "h", "f", "v"]), "1");
    assert!(cli(&["nosuch"]).starts_with("ERR unknown command"));
    let benchmark = [
        "-t",
        "set,get,incr,lpush,hset",
        "-n",
        "5000",
        "-c",
        "50",
        "-P",
        "16",
        "-q",
    ];
    let output = deployment.redis("redis-benchmark", &benchmark);
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(
        output.status.success() && !text.contains("Error"),
        "{text}{errors}"
    );
    assert_eq!(
        text.matches("requests per second").count(),
        5,
        "{text}{errors}"
    );
    let digests = deployment.settled_digests(3);
    assert!(
        digests.windows(2).all(|pair| pair[0] == pair[1]),
        "{digests:?}"
    );
}

#[test]
fn a_replica_killed_under_load_loses_nothing() {
    let deployment = Deployment::up(&["--fabric=tunnel"]);
    let resp = deployment.resp;
    set_keys(resp, 0, 200);
    let status = deployment.status();
    // The leader of view 0: the others must notice and go on without it.
    kill_9(status["roles"]["r0"]["pid"].as_u64().unwrap());
    let longest = set_keys(resp, 200, 400);
    assert!(longest < PATIENCE, "{longest:?}");
    expect_keys(resp, 400);
    let digests = deployment.settled_digests(2);
    assert_eq!(digests[0], digests[1]);
    assert_eq!(deployment.status()["roles"]["r0"]["state"], "unreachable");
}

/// How many reads each replica has answered: it answers those that it was asked for.
fn reads(deployment: &Deployment) -> [u64; 3] {
    let roles = &deployment.status()["roles"];
    ["r0", "r1", "r2"].map(|name| roles[name]["reads"].as_u64().expect("a count"))
}

/// Asks at a door until its member answers, and no other one. When something took long, callers go
/// to another member, and come back when theirs answers in time.
fn wait_until_home(deployment: &Deployment, door: u16, member: usize) {
    let mut client = Resp::connect(door);
    let deadline = Instant::now() + PATIENCE;
    loop {
        let mut expected = reads(deployment);
        expected[member] += 1;
        client.ask("STRLEN key0");
        let now = reads(deployment);
        if now == expected {
            return;
        }
        assert!(Instant::now() < deadline, "{now:?}, not {expected:?}");
        thread::park_timeout(Duration::from_millis(20));
    }
}

/// Waits until the callers of a load ask other members only.
fn wait_until_elsewhere(deployment: &Deployment, load: &Load, member: usize) {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let before = reads(deployment)[member];
        load.wait_for(200);
        if reads(deployment)[member] == before {
            return;
        }
        assert!(Instant::now() < deadline, "member {member} is still asked");
    }
}

#[test]
fn a_member_that_is_killed_is_not_noticed_at_the_front_doors_of_others() {
    let deployment = Deployment::up(&["--fabric=tunnel", "--protocol=rounds", "--doors=3"]);
    let [zero, one, two] = deployment.doors[..] else {
        panic!("three doors: {:?}", deployment.doors);
    };
    set_keys(one, 0, 50);
    // From here on nobody asks at the second door until its member is dead.
    wait_until_home(&deployment, one, 1);
    let others = Load::start_at(&[zero, two], 4, 1);
    others.wait_for(500);
    wait_until_elsewhere(&deployment, &others, 1);
    deployment.kill("r1");
    others.wait_for(2_000);
    let seen = others.finish();
    let gap = seen.longest_gap;
    let _ = writeln!(
        std::io::stderr(),
        "measured: rounds, tunnel: nobody at the doors of others was answered for {:.1} ms at most \
         around a crash",
        gap.as_secs_f64() * 1e3
    );
    assert!(gap < UNNOTICED, "{gap:?}");
    // Its own callers do notice, go to another member, and what they were told still holds.
    let sent_again = || {
        let status = deployment.status();
        let requests = &status["roles"]["front"]["requests"];
        requests["sent_again"].as_u64().unwrap()
    };
    let before = sent_again();
    assert!(set_keys(one, 50, 100) < PATIENCE);
    assert!(
        sent_again() > before,
        "the second door's callers ask another member first"
    );
    expect_keys(one, 100);
    expect_keys(zero, 100);
    let digests = deployment.settled_digests(2);
    assert_eq!(digests[0], digests[1]);
}

#[test]
fn a_switch_that_restarts_empty_is_filled_again_with_a_fresh_term() {
    let deployment = Deployment::up(&["--fabric=tunnel"]);
    set_keys(deployment.resp, 0, 20);
    let before = deployment.status();
    let term = before["roles"]["controller"]["term"].as_u64().unwrap();
    kill_9(before["roles"]["s1"]["pid"].as_u64().unwrap());
    let file = deployment.run_folder().join("deployment.json");
    let mut switch = common::downbeat(deployment.folder.path())
        .arg("switch")
        .arg(format!("--deployment={}", file.display()))
        .spawn()
        .unwrap();
    set_keys(deployment.resp, 20, 40);
    expect_keys(deployment.resp, 40);
    let after = deployment.status()["roles"]["controller"]["term"]
        .as_u64()
        .unwrap();
    assert!(after > term, "term {after} after {term}");
    switch.kill().unwrap();
    switch.wait().unwrap();
}

#[test]
fn namespaces_with_our_switch() {
    if !may_use_namespaces() {
        return skip("up --fabric=netns", NAMESPACES);
    }
    on_namespaces("netns");
}

#[test]
fn namespaces_with_bmv2() {
    if !may_use_bmv2() {
        return skip("up --fabric=bmv2", BMV2);
    }
    on_namespaces("bmv2");
}

fn on_namespaces(fabric: &str) {
    let deployment = Deployment::up(&[&format!("--fabric={fabric}")]);
    set_keys(deployment.resp, 0, 100);
    expect_keys(deployment.resp, 100);
    let digests = deployment.settled_digests(3);
    assert!(
        digests.windows(2).all(|pair| pair[0] == pair[1]),
        "{digests:?}"
    );
    kill_9(deployment.status()["roles"]["r1"]["pid"].as_u64().unwrap());
    set_keys(deployment.resp, 100, 150);
    expect_keys(deployment.resp, 150);
}
