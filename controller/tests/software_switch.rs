//! The whole controller against our own switch, over loopback.

mod common;

use std::future::Future;
use std::net::SocketAddr;

use common::{DEADLINE, Watcher, artifacts, topology};
use controller::{Config, EventKind, Events, install, run};
use sequencer::server::{Device, control_queue, serve};
use tokio::net::TcpListener;
use tokio::sync::{oneshot, watch};
use tokio::task::JoinHandle;

/// A switch with an empty device, as after a reboot.
struct Switch {
    stop: oneshot::Sender<()>,
    served: JoinHandle<()>,
    address: SocketAddr,
}

impl Switch {
    async fn start(address: &str) -> Self {
        let listener = TcpListener::bind(address).await.expect("a free port");
        let address = listener.local_addr().expect("bound");
        let (control, mut jobs) = control_queue(|| {});
        std::thread::spawn(move || jobs.run_until_closed(&mut Device::new()));
        let (stop, stopped) = oneshot::channel::<()>();
        let served = tokio::spawn(async move {
            let shutdown = async { drop(stopped.await) };
            serve(listener, control, 1, shutdown).await.expect("serves");
        });
        Self {
            stop,
            served,
            address,
        }
    }

    /// Stops, and starts again at the same address with nothing.
    async fn reboot(self) -> Self {
        let address = self.address.to_string();
        self.stop.send(()).expect("it runs");
        self.served.await.expect("it ends");
        Self::start(&address).await
    }
}

fn block_on(test: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build();
    runtime.expect("a runtime").block_on(async {
        tokio::time::timeout(DEADLINE, test)
            .await
            .expect("within the deadline");
    });
}

fn config(folder: &tempfile::TempDir) -> Config {
    Config::new(folder.path().join("terms.json"))
}

#[test]
fn what_is_installed_is_kept_and_comes_back_after_a_reboot_with_a_greater_term() {
    block_on(async {
        let folder = tempfile::tempdir().expect("folder");
        let switch = Switch::start("127.0.0.1:0").await;
        let topology = topology(&switch.address.to_string());
        let (events, queue) = Events::queue();
        let mut watcher = Watcher::new(queue);
        let (stop, shutdown) = watch::channel(false);
        let running = run(
            config(&folder),
            topology.clone(),
            artifacts(),
            events,
            shutdown,
        );
        let running = tokio::spawn(running);

        let (first, installed) = watcher.verified().await;
        assert!(installed);
        assert_eq!(first.len(), 2);
        let expected = [
            EventKind::Connected,
            EventKind::Primary,
            EventKind::OtherProgram,
        ];
        assert_eq!(watcher.seen[..3], expected, "{:#?}", watcher.seen);

        let switch = switch.reboot().await;
        let (second, installed) = watcher.verified().await;
        assert!(installed && second[0].term > first[0].term);
        assert!(second[0].round_base >= first[0].round_base);
        assert!(
            watcher
                .seen
                .iter()
                .any(|kind| matches!(kind, EventKind::StreamLost { .. }))
        );

        stop.send(true).expect("it runs");
        running.await.expect("no panic").expect("no error");

        // The switch runs on; another run of the controller finds all as it should be.
        let found = install(config(&folder), topology, artifacts(), Events::ignored()).await;
        let found = found.expect("compares");
        assert!(!found[0].installed);
        assert_eq!(found[0].groups, second);
        drop(switch);
    });
}

#[test]
fn a_changed_group_gets_a_fresh_term() {
    block_on(async {
        let folder = tempfile::tempdir().expect("folder");
        let switch = Switch::start("127.0.0.1:0").await;
        let mut topology = topology(&switch.address.to_string());
        let mut last = 0;
        for change in 0..4 {
            match change {
                1 => topology.groups[0].round_shift += 1,
                2 => drop(topology.groups[0].members.pop()),
                3 => topology.groups.swap(0, 1),
                _ => {}
            }
            let outcome = install(
                config(&folder),
                topology.clone(),
                artifacts(),
                Events::ignored(),
            )
            .await;
            let outcome = outcome.expect("installs");
            assert!(outcome[0].installed && outcome[0].groups[0].term.0 > last);
            last = outcome[0].groups[0].term.0;
        }
    });
}

#[test]
fn the_second_controller_leads_when_the_first_has_left() {
    block_on(async {
        let folder = tempfile::tempdir().expect("folder");
        let switch = Switch::start("127.0.0.1:0").await;
        let topology = topology(&switch.address.to_string());
        let (events, queue) = Events::queue();
        let mut first_watcher = Watcher::new(queue);
        let (stop_first, shutdown) = watch::channel(false);
        let first = run(
            config(&folder),
            topology.clone(),
            artifacts(),
            events,
            shutdown,
        );
        let first = tokio::spawn(first);
        let (of_first, _) = first_watcher.verified().await;

        let (events, queue) = Events::queue();
        let mut watcher = Watcher::new(queue);
        let (_stop, shutdown) = watch::channel(false);
        let number_one = Config {
            state_file: folder.path().join("terms1.json"),
            controller: 1,
            ..config(&folder)
        };
        tokio::spawn(run(number_one, topology, artifacts(), events, shutdown));
        watcher
            .wait_for("NotPrimary or Primary", |kind| {
                matches!(kind, EventKind::NotPrimary { .. } | EventKind::Primary).then_some(())
            })
            .await;
        stop_first.send(true).expect("it runs");
        first.await.expect("no panic").expect("no error");
        // Its own state file does not know the terms of the first one.
        let (of_second, installed) = watcher.verified().await;
        assert!(installed && of_second[0].term > of_first[0].term);
    });
}

#[test]
fn a_program_that_does_not_load_is_told_and_no_term_is_lost() {
    block_on(async {
        let folder = tempfile::tempdir().expect("folder");
        let switch = Switch::start("127.0.0.1:0").await;
        let mut broken = artifacts();
        broken.json = std::sync::Arc::new(b"{}".to_vec());
        let topology = topology(&switch.address.to_string());
        let error = install(config(&folder), topology, broken, Events::ignored()).await;
        let error = error.expect_err("not a program").to_string();
        assert!(
            error.starts_with("switch s1: program does not run on the switch"),
            "{error}"
        );
        assert!(!folder.path().join("terms.json").exists());
    });
}

#[test]
fn a_switch_that_is_not_there_is_told_by_its_address() {
    block_on(async {
        let folder = tempfile::tempdir().expect("folder");
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("bound").to_string();
        drop(listener);
        let config = Config {
            connect_deadline: std::time::Duration::from_millis(50),
            ..config(&folder)
        };
        let found = install(config, topology(&address), artifacts(), Events::ignored()).await;
        let error = found.expect_err("nobody listens").to_string();
        assert!(error.contains(&address), "{error}");
    });
}
