//! Programs that nobody here wrote, against the front: `redis-cli` and `redis-benchmark`.
#![allow(
    clippy::unwrap_used,
    reason = "an unwrap that fails is a test that fails"
)]
#![cfg(feature = "front")]

mod common;

use common::Front;
use std::io::Write as _;
use std::process::Stdio;
use std::time::Duration;
use tokio::io::AsyncWriteExt as _;
use tokio::process::Command;

/// How long one run of a tool may take.
const DEADLINE: Duration = Duration::from_mins(1);

/// Runs a tool and returns what it wrote, or `None` when it is not installed.
async fn run(tool: &str, front: &Front, arguments: &[&str], input: &str) -> Option<String> {
    let port = front.address.port().to_string();
    let child = Command::new(tool)
        .args(["-h", "127.0.0.1", "-p", &port])
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn();
    let Ok(mut child) = child else {
        let mut stderr = std::io::stderr();
        let _ = writeln!(stderr, "skip: {tool}: install the redis-tools package");
        return None;
    };
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(input.as_bytes()).await.unwrap();
    drop(stdin);
    let output = tokio::time::timeout(DEADLINE, child.wait_with_output())
        .await
        .unwrap()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(
        output.status.success(),
        "{tool} {arguments:?}: {text} {errors}"
    );
    Some(text + &errors)
}

async fn cli(front: &Front, arguments: &[&str]) -> Option<String> {
    run("redis-cli", front, arguments, "")
        .await
        .map(|text| text.trim_end().to_owned())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn redis_cli_in_resp2() {
    let front = Front::start(100).await;
    let cases: &[(&[&str], &str)] = &[
        (&["ping"], "PONG"),
        (&["set", "a", "1"], "OK"),
        (&["get", "a"], "1"),
        (&["incr", "a"], "2"),
        (&["expire", "a", "100"], "1"),
        (&["ttl", "a"], "100"),
        (&["get", "none"], ""),
        (&["hset", "h", "f", "v"], "1"),
        (&["hgetall", "h"], "f\nv"),
        (&["rpush", "l", "x", "y"], "2"),
        (&["lrange", "l", "0", "-1"], "x\ny"),
        (&["config", "get", "save"], "save"),
        (&["dbsize"], "3"),
        (&["flushall"], "OK"),
    ];
    for (arguments, expected) in cases {
        let Some(text) = cli(&front, arguments).await else {
            return;
        };
        assert_eq!(text, *expected, "{arguments:?}");
    }
    let text = cli(&front, &["nosuch", "x"]).await.unwrap();
    assert!(text.starts_with("ERR unknown command 'nosuch', with args beginning with: 'x'"));
    let info = cli(&front, &["info", "replication"]).await.unwrap();
    assert!(info.contains("protocol:test"), "{info}");
    front.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn redis_cli_transactions_from_a_script() {
    let front = Front::start(100).await;
    let script = "multi\nset a 1\nincr a\nlpush a x\nexec\nget a\nmulti\nnosuch\nexec\n";
    let Some(text) = run("redis-cli", &front, &[], script).await else {
        return;
    };
    let lines: Vec<&str> = text.lines().filter(|line| !line.is_empty()).collect();
    assert_eq!(
        lines[..8],
        [
            "OK",
            "QUEUED",
            "QUEUED",
            "QUEUED",
            "OK",
            "2",
            "WRONGTYPE Operation against a key holding the wrong kind of value",
            "2",
        ]
    );
    assert!(text.contains("EXECABORT"), "{text}");
    front.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn redis_cli_in_resp3() {
    let front = Front::start(100).await;
    let cases: &[(&[&str], &str)] = &[
        (
            &["-3", "--no-raw", "hset", "h", "b", "2", "a", "1"],
            "(integer) 2",
        ),
        (
            &["-3", "--no-raw", "hgetall", "h"],
            "1# \"a\" => \"1\"\n2# \"b\" => \"2\"",
        ),
        (&["-3", "--no-raw", "sadd", "s", "y", "x"], "(integer) 2"),
        (&["-3", "--no-raw", "smembers", "s"], "1~ \"x\"\n2~ \"y\""),
        (&["-3", "--no-raw", "get", "none"], "(nil)"),
    ];
    for (arguments, expected) in cases {
        let Some(text) = cli(&front, arguments).await else {
            return;
        };
        assert_eq!(text, *expected, "{arguments:?}");
    }
    front.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn redis_cli_reads_the_command_documentation() {
    let front = Front::start(100).await;
    let Some(text) = cli(&front, &["--no-raw", "command", "docs", "get"]).await else {
        return;
    };
    assert!(text.contains("Reads a string"), "{text}");
    let text = cli(&front, &["command", "count"]).await.unwrap();
    assert!(text.parse::<usize>().unwrap() > 90, "{text}");
    front.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn redis_benchmark_runs_without_an_error() {
    let front = Front::start(100).await;
    let arguments = [
        "-t",
        "set,get,incr,lpush,hset",
        "-n",
        "2000",
        "-c",
        "50",
        "-P",
        "16",
        "-q",
    ];
    let Some(text) = run("redis-benchmark", &front, &arguments, "").await else {
        return;
    };
    for test in ["SET", "GET", "INCR", "LPUSH", "HSET"] {
        assert!(text.contains(&format!("{test}: ")), "{text}");
    }
    assert!(!text.to_lowercase().contains("err"), "{text}");
    assert!(!text.contains("WARNING"), "{text}");
    let most = front
        .submit
        .with(|state| state.operations.iter().copied().max());
    assert!(
        most > Some(8),
        "a pipelined burst goes as one request: {most:?}"
    );
    front.close().await;
}
