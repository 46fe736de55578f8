//! A lab whose bringer is killed, at every step and afterwards, and what `down` then finds.
//!
//! The bringer is this test program again, told by environment variables to bring a lab up and to
//! kill itself with SIGKILL at a step. They need root.

use std::io::{BufRead, BufReader};
use std::os::unix::process::ExitStatusExt;
use std::process::Stdio;

use rustix::process::{Signal, getpid, kill_process};

use super::super::carriers::carriers_of;
use super::super::command::run;
use super::super::testing::{hosts, lab, possible, run_name};
use super::*;

const FOLDER: &str = "DOWNBEAT_TEST_BRINGER_FOLDER";
const RUN: &str = "DOWNBEAT_TEST_BRINGER_RUN";
const DIE_AT: &str = "DOWNBEAT_TEST_BRINGER_DIES_AT";

/// Number of hosts of a bringer's lab.
const HOSTS: u8 = 2;

fn die() {
    kill_process(getpid(), Signal::KILL).unwrap();
}

/// Not a test of its own: what the bringer does. Without its variables it has nothing to do.
#[test]
fn bringer() {
    let Some(folder) = std::env::var_os(FOLDER).map(PathBuf::from) else {
        return;
    };
    let run_name = std::env::var(RUN).unwrap();
    let die_at: Option<usize> = std::env::var(DIE_AT).ok().map(|step| step.parse().unwrap());
    let plan = Plan::new(&run_name, &hosts(HOSTS), JUMBO_MTU).unwrap();
    let lab = Lab::up_observed(plan, &folder, &mut |step| {
        if Some(step) == die_at {
            die();
        }
    })
    .unwrap();
    // One process that is recorded, with a child of its own, and one that is not.
    let shell = Path::new("/bin/sh");
    let script = ["-c", "sh -c 'echo; echo ready; exec sleep 1000'; true"];
    let mut recorded = lab.command_in(lab.host_namespace(0), shell).unwrap();
    recorded.args(script);
    lab.spawn(&mut recorded, "a shell").unwrap();
    let mut unrecorded = lab.command_in(lab.switch_namespace(), shell).unwrap();
    let mut unrecorded = unrecorded.args(script).spawn().unwrap();
    unrecorded.wait().unwrap();
}

fn start_bringer(folder: &Path, run_name: &str, die_at: Option<usize>) -> std::process::Child {
    let mut command = Command::new(std::env::current_exe().unwrap());
    let name = std::thread::current().name().unwrap().to_owned();
    let module = name.rsplit_once("::").unwrap().0;
    command
        .args(["--exact", &format!("{module}::bringer"), "--nocapture"])
        .env(FOLDER, folder)
        .env(RUN, run_name)
        .stdout(Stdio::piped())
        .stderr(Stdio::null());
    if let Some(step) = die_at {
        command.env(DIE_AT, step.to_string());
    }
    command.spawn().unwrap()
}

fn assert_nothing_left(folder: &Path, run_name: &str) {
    let prefix = format!("db-{run_name}-");
    if let Ok(entries) = std::fs::read_dir("/run/netns") {
        for entry in entries {
            let name = entry.unwrap().file_name().into_string().unwrap();
            assert!(!name.starts_with(&prefix), "{name} is left");
        }
    }
    let manifest = Manifest::read(folder).unwrap().unwrap();
    assert_eq!(manifest.stage, Stage::Down);
    assert_eq!(carriers_of(&manifest.token).unwrap(), []);
    assert!(
        manifest
            .processes
            .iter()
            .all(|(process, _)| !process.is_running())
    );
}

#[test]
fn a_bringer_killed_at_any_step_leaves_nothing_after_down() {
    if !possible("kill -9 in the middle of bringing up") {
        return;
    }
    let plan = Plan::new("count", &hosts(HOSTS), JUMBO_MTU).unwrap();
    let count = steps(&plan, "token").len();
    for step in 0..count {
        let folder = tempfile::tempdir().unwrap();
        let run_name = run_name();
        let status = start_bringer(folder.path(), &run_name, Some(step))
            .wait()
            .unwrap();
        assert_eq!(status.signal(), Some(9), "step {step}");
        let removed = Lab::down_by_manifest(folder.path()).unwrap();
        let total = removed.namespaces.len() + removed.links.len() + removed.gone_already.len();
        assert_eq!(
            total, 5,
            "3 namespaces and 2 links at step {step}: {removed:?}"
        );
        assert_eq!(removed.left_alone, [""; 0], "step {step}");
        assert_nothing_left(folder.path(), &run_name);
    }
}

#[test]
fn a_bringer_killed_with_programs_running_leaves_nothing_after_down() {
    if !possible("kill -9 of a bringer") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let run_name = run_name();
    let mut bringer = start_bringer(folder.path(), &run_name, None);
    let lines = BufReader::new(bringer.stdout.take().unwrap()).lines();
    let ready = lines
        .map(Result::unwrap)
        .filter(|line| line == "ready")
        .take(2)
        .count();
    assert_eq!(ready, 2, "both programs run");
    bringer.kill().unwrap();
    bringer.wait().unwrap();
    let manifest = Manifest::read(folder.path()).unwrap().unwrap();
    assert_eq!(manifest.stage, Stage::Ready);
    assert!(
        manifest.processes[0].0.is_running(),
        "the programs died with their bringer"
    );

    let removed = Lab::down_by_manifest(folder.path()).unwrap();
    assert_eq!(removed.namespaces.len(), 3);
    assert_eq!(removed.links, ["h1-eth0", "h2-eth0"]);
    assert_eq!(
        removed.processes.len(),
        4,
        "two shells and their children: {removed:?}"
    );
    assert_eq!(removed.gone_already, [""; 0]);
    assert_nothing_left(folder.path(), &run_name);

    let again = Lab::down_by_manifest(folder.path()).unwrap();
    assert_eq!(again.gone_already.len(), 6, "{again:?}");
    assert!(
        again
            .to_string()
            .starts_with("removed 0 namespaces, 0 links, 0 processes; gone")
    );
}

#[test]
fn a_half_made_name_is_removed() {
    if !possible("names that are half made") {
        return;
    }
    // `ip netns add` was killed between making the file and putting the namespace behind it.
    let folder = tempfile::tempdir().unwrap();
    let run_name = run_name();
    let plan = Plan::new(&run_name, &hosts(1), JUMBO_MTU).unwrap();
    Manifest::new(&plan, "half.made", &boot_identity().unwrap())
        .write(folder.path())
        .unwrap();
    std::fs::create_dir_all("/run/netns").unwrap();
    File::create(namespace_path(&plan.switch_namespace)).unwrap();
    let removed = Lab::down_by_manifest(folder.path()).unwrap();
    assert_eq!(removed.namespaces, [plan.switch_namespace]);
    assert_nothing_left(folder.path(), &run_name);
}

#[test]
fn the_namespaces_of_another_lab_are_left_alone() {
    let Some((_folder, lab)) = lab("labs of the same name", 1) else {
        return;
    };
    for (stage, boot) in [
        (Stage::Ready, boot_identity().unwrap()),
        (Stage::Down, boot_identity().unwrap()),
        (Stage::Rising, boot_identity().unwrap()),
        (Stage::Rising, "another boot".to_owned()),
    ] {
        // An old manifest of a lab of the same run name.
        let boot = boot.replace(' ', "-");
        let old = tempfile::tempdir().unwrap();
        let manifest = Manifest::new(&lab.plan, "older.lab", &boot);
        Manifest { stage, ..manifest }.write(old.path()).unwrap();
        let removed = Lab::down_by_manifest(old.path()).unwrap();
        assert_eq!(removed.namespaces, [""; 0], "{stage:?}");
        assert_eq!(removed.left_alone.len(), 2, "{stage:?}");
    }
    assert!(namespace_path(lab.switch_namespace()).exists());
    assert_eq!(lab.down().unwrap().links, ["h1-eth0"]);
}

#[test]
fn a_process_that_others_put_into_a_namespace_is_reported_and_left_alone() {
    let Some((_folder, lab)) = lab("strangers' processes", 1) else {
        return;
    };
    let mut command = Command::new(&lab.tools.ip);
    command.args([
        "netns",
        "exec",
        lab.host_namespace(0),
        "sh",
        "-c",
        "echo ready; read x",
    ]);
    let mut stranger = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(stranger.stdout.as_mut().unwrap())
        .read_line(&mut line)
        .unwrap();
    let removed = lab.down().unwrap();
    let sentence = format!("process {} in ", stranger.id());
    assert!(removed.left_alone[0].starts_with(&sentence), "{removed:?}");
    assert_eq!(
        removed.links,
        ["h1-eth0"],
        "the link goes although the namespace lives on"
    );
    assert!(stranger.try_wait().unwrap().is_none(), "it was ended");
    stranger.kill().unwrap();
    stranger.wait().unwrap();
}

#[test]
fn a_folder_without_a_lab_is_an_error() {
    if !possible("taking down nothing") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let error = Lab::down_by_manifest(folder.path()).unwrap_err();
    assert!(matches!(error, LabError::NoManifest { .. }), "{error}");
}

#[test]
fn parts_that_somebody_else_removed_are_reported_as_gone() {
    let Some((_folder, lab)) = lab("parts that are gone", 2) else {
        return;
    };
    let mut command = tokened(&lab.tools.ip, "");
    command.args(["netns", "delete", lab.host_namespace(0)]);
    run(command).unwrap();
    let gone = lab.host_namespace(0).to_owned();
    let removed = lab.down().unwrap();
    assert_eq!(removed.namespaces.len(), 2);
    assert!(removed.gone_already.contains(&gone), "{removed:?}");
}

#[test]
fn a_lab_whose_folder_is_gone_is_still_taken_down_by_its_owner() {
    let Some((folder, lab)) = lab("a run folder that is gone", 1) else {
        return;
    };
    let mut command = lab
        .command_in(lab.host_namespace(0), Path::new("/bin/sh"))
        .unwrap();
    let mut command_running = lab
        .spawn(
            command
                .args(["-c", "echo ready; exec sleep 1000"])
                .stdout(Stdio::piped()),
            "shell",
        )
        .unwrap();
    let mut line = String::new();
    let output = command_running.child().stdout.as_mut().unwrap();
    BufReader::new(output).read_line(&mut line).unwrap();
    drop(folder);
    let removed = lab.down().unwrap();
    assert_eq!(
        (removed.namespaces.len(), removed.processes.len()),
        (2, 1),
        "{removed:?}"
    );
    assert!(!command_running.identity().is_running());
    command_running.kill().unwrap();
}

#[test]
fn an_owner_that_comes_late_leaves_the_next_lab_in_its_folder_alone() {
    let Some((folder, first)) = lab("two labs in one folder", 1) else {
        return;
    };
    Lab::down_by_manifest(folder.path()).unwrap();
    let second = Lab::up(first.run(), &hosts(1), folder.path()).unwrap();
    let removed = first.down().unwrap();
    assert_eq!(removed.namespaces, [""; 0]);
    assert_eq!(removed.left_alone.len(), 2, "{removed:?}");
    assert_eq!(second.down().unwrap().namespaces.len(), 2);
}
