//! The whole controller against `simple_switch_grpc`, the public reference.
//!
//! bmv2's Thrift server listens on all addresses, so everything here, also the test's own sockets,
//! is in a network namespace made for the test: one thread enters it, and what it opens and starts
//! is inside.

mod common;

use std::fs::File;
use std::os::fd::AsFd as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use common::{DEADLINE, Watcher, artifacts, skip, topology};
use controller::{Config, EventKind, Events, install, run};
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};
use tokio::sync::watch;

const ADDRESS: &str = "127.0.0.1:9559";

fn bmv2() -> Option<PathBuf> {
    let given = std::env::var_os("DOWNBEAT_BMV2").map(PathBuf::from);
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut on_path = std::env::split_paths(&path).map(|folder| folder.join("simple_switch_grpc"));
    given
        .filter(|program| program.is_file())
        .or_else(|| on_path.find(|program| program.is_file()))
}

/// A namespace that goes with the value.
struct Namespace(String);

impl Namespace {
    fn new(name: &str) -> Option<Self> {
        let name = format!("db-{name}-{}", std::process::id());
        let ip = |arguments: &[&str]| {
            let output = Command::new("ip")
                .args(arguments)
                .stderr(Stdio::null())
                .status();
            output.is_ok_and(|status| status.success())
        };
        if !ip(&["netns", "add", &name]) {
            return None;
        }
        let made = Self(name);
        ip(&["-n", &made.0, "link", "set", "lo", "up"]).then_some(made)
    }

    fn enter(&self) {
        let file = File::open(Path::new("/run/netns").join(&self.0)).expect("made by ip");
        move_into_link_name_space(file.as_fd(), Some(LinkNameSpaceType::Network)).expect("root");
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        let _ = Command::new("ip").args(["netns", "del", &self.0]).status();
    }
}

/// A running bmv2 without a program.
struct Switch(Child);

impl Switch {
    fn start(program: &Path, folder: &Path) -> Self {
        let notifications = format!("ipc://{}/notifications.ipc", folder.display());
        let child = Command::new(program)
            .args(["--no-p4", "--device-id", "1", "--thrift-port", "9090"])
            .args(["--notifications-addr", &notifications])
            .args(["--", "--grpc-server-addr", ADDRESS])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        Self(child.expect("bmv2 starts"))
    }
}

impl Drop for Switch {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Runs the test on a thread that is in a namespace, or skips it.
fn in_namespace<F: Future<Output = ()>>(name: &str, test: impl FnOnce(PathBuf) -> F + Send) {
    let Some(program) = bmv2() else {
        skip(
            "controller against bmv2: set DOWNBEAT_BMV2 to simple_switch_grpc, or install p4lang's \
             bmv2 with it",
        );
        return;
    };
    let Some(namespace) = Namespace::new(name) else {
        skip("controller against bmv2: run as root with iproute2 for a network namespace");
        return;
    };
    std::thread::scope(|scope| {
        let running = scope.spawn(|| {
            namespace.enter();
            // On one thread: the others of the process are not in the namespace.
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build();
            runtime.expect("a runtime").block_on(async {
                tokio::time::timeout(DEADLINE, test(program))
                    .await
                    .expect("within the deadline");
            });
        });
        if let Err(panic) = running.join() {
            std::panic::resume_unwind(panic);
        }
    });
}

#[test]
fn what_is_installed_is_kept_and_comes_back_after_a_restart_with_a_greater_term() {
    in_namespace("restart", |program| async move {
        let folder = tempfile::tempdir().expect("folder");
        let config = Config::new(folder.path().join("terms.json"));
        let switch = Switch::start(&program, folder.path());
        let (events, queue) = Events::queue();
        let mut watcher = Watcher::new(queue);
        let (stop, shutdown) = watch::channel(false);
        let running = tokio::spawn(run(
            config.clone(),
            topology(ADDRESS),
            artifacts(),
            events,
            shutdown,
        ));
        let (first, installed) = watcher.verified().await;
        assert!(installed && first.len() == 2, "{:#?}", watcher.seen);

        drop(switch);
        let lost = |kind: &EventKind| matches!(kind, EventKind::StreamLost { .. }).then_some(());
        watcher.wait_for("StreamLost", lost).await;
        let switch = Switch::start(&program, folder.path());
        let (second, installed) = watcher.verified().await;
        assert!(
            installed && second[0].term > first[0].term,
            "{:#?}",
            watcher.seen
        );

        stop.send(true).expect("it runs");
        running.await.expect("no panic").expect("no error");
        let found = install(config, topology(ADDRESS), artifacts(), Events::ignored()).await;
        let found = found.expect("compares");
        assert!(!found[0].installed);
        assert_eq!(found[0].groups, second);
        drop(switch);
    });
}

#[test]
fn the_second_controller_leads_when_the_first_has_left() {
    in_namespace("second", |program| async move {
        let folder = tempfile::tempdir().expect("folder");
        let config = Config::new(folder.path().join("terms.json"));
        let _switch = Switch::start(&program, folder.path());
        let (events, queue) = Events::queue();
        let mut first_watcher = Watcher::new(queue);
        let (stop_first, shutdown) = watch::channel(false);
        let first = tokio::spawn(run(
            config.clone(),
            topology(ADDRESS),
            artifacts(),
            events,
            shutdown,
        ));
        let (of_first, _) = first_watcher.verified().await;

        let (events, queue) = Events::queue();
        let mut watcher = Watcher::new(queue);
        let (_stop, shutdown) = watch::channel(false);
        let state_file = folder.path().join("terms1.json");
        let second = Config {
            state_file,
            controller: 1,
            ..config
        };
        tokio::spawn(run(
            second,
            topology(ADDRESS),
            artifacts(),
            events,
            shutdown,
        ));
        let met = |kind: &EventKind| {
            matches!(kind, EventKind::NotPrimary { .. } | EventKind::Primary).then_some(())
        };
        watcher.wait_for("NotPrimary or Primary", met).await;
        stop_first.send(true).expect("it runs");
        first.await.expect("no panic").expect("no error");
        let (of_second, installed) = watcher.verified().await;
        assert!(
            installed && of_second[0].term > of_first[0].term,
            "{:#?}",
            watcher.seen
        );
    });
}

#[test]
fn a_program_that_bmv2_cannot_load_is_told() {
    in_namespace("broken", |program| async move {
        let folder = tempfile::tempdir().expect("folder");
        let config = Config::new(folder.path().join("terms.json"));
        let _switch = Switch::start(&program, folder.path());
        let mut broken = artifacts();
        broken.json = std::sync::Arc::new(b"{ \"program\": \"nothing\" }".to_vec());
        let found = install(config, topology(ADDRESS), broken, Events::ignored()).await;
        let error = found.expect_err("not a program").to_string();
        assert!(
            error.starts_with("switch s1: program does not run on the switch"),
            "{error}"
        );
    });
}
