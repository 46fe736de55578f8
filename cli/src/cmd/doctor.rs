//! `downbeat doctor`: what is missing for which fabric, and what gets it.

use crate::output::{Output, table};
use bmv2_testbed::netns::Bmv2Program;
use serde_json::json;
use std::env;

/// Something that one of the fabrics or tools needs.
struct Need {
    what: &'static str,
    for_what: &'static str,
    present: bool,
    get: &'static str,
}

/// Runs the verb. Nothing missing here is an error: the embedded and tunnel fabrics need nothing.
pub(crate) fn run(output: Output) {
    let needs = needs();
    let mut rows = vec![
        ["need", "for", "state", "how to get it"]
            .map(String::from)
            .to_vec(),
    ];
    for need in &needs {
        let state = if need.present { "ok" } else { "missing" };
        let get = if need.present { "" } else { need.get };
        rows.push(
            [need.what, need.for_what, state, get]
                .map(String::from)
                .to_vec(),
        );
    }
    output.line(table(&rows).trim_end());
    let report: Vec<_> = needs
        .iter()
        .map(|need| {
            json!({
                "need": need.what, "for": need.for_what, "present": need.present, "get": need.get,
            })
        })
        .collect();
    output.object(json!({ "needs": report }));
}

fn needs() -> Vec<Need> {
    let need = |what, for_what, present, get| Need {
        what,
        for_what,
        present,
        get,
    };
    vec![
        need(
            "nothing",
            "demo, up --fabric=embedded, up --fabric=tunnel",
            true,
            "",
        ),
        need(
            "root",
            "--fabric=netns, --fabric=bmv2",
            rustix::process::geteuid().is_root(),
            "sudo",
        ),
        need(
            "ip",
            "--fabric=netns, --fabric=bmv2",
            in_path("ip"),
            "apt install iproute2",
        ),
        need(
            "ethtool",
            "--fabric=netns, --fabric=bmv2",
            in_path("ethtool"),
            "apt install ethtool",
        ),
        need(
            "simple_switch_grpc",
            "--fabric=bmv2",
            Bmv2Program::find().is_ok(),
            "https://github.com/p4lang/behavioral-model#installation",
        ),
        need(
            "p4c-bm2-ss",
            "p4 build",
            in_path("p4c-bm2-ss"),
            "https://github.com/p4lang/p4c#getting-started",
        ),
        need(
            "redis-cli",
            "talking to the front door",
            in_path("redis-cli"),
            "apt install redis-tools",
        ),
    ]
}

fn in_path(program: &str) -> bool {
    let path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path).any(|folder| folder.join(program).is_file())
}
