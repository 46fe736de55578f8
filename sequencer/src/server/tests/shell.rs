//! The public client, p4runtime-shell, against the server.
//!
//! Runs where a Python with `p4runtime_sh` is: named by `P4RUNTIME_SHELL_PYTHON`, or `python3`.

use std::ffi::OsString;
use std::io::Write as _;
use std::process::{Command, Stdio};

use super::loopback::Running;
use super::*;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_public_shell_works() {
    let python = std::env::var_os("P4RUNTIME_SHELL_PYTHON");
    let python = python.unwrap_or_else(|| OsString::from("python3"));
    let probe = Command::new(&python)
        .args(["-c", "import p4runtime_sh.shell"])
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .status();
    if !probe.is_ok_and(|status| status.success()) {
        let mut out = std::io::stderr();
        writeln!(out, "skip: p4runtime-shell: pip install p4runtime-shell").unwrap();
        return;
    }
    let server = Running::empty().await;
    let tests = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/server/tests");
    let mut command = Command::new(python);
    command
        .arg(tests.join("shell.py"))
        .arg(&server.address)
        .arg(tests.join("kinds/kinds.p4info.txtpb"))
        .arg(tests.join("kinds/kinds.json"))
        .stdin(Stdio::null());
    let ran = tokio::task::spawn_blocking(move || command.output()).await;
    let output = ran.unwrap().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
}
