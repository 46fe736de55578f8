//! The whole server over loopback, with our client.

use std::sync::Arc;
use std::time::Duration;

use p4runtime::client::{ConnectOptions, PipelineAction, Session};
use p4runtime::v1::write_request::Atomicity;
use p4runtime::{Client, ClientError, Code, ElectionId};
use tokio::net::TcpListener;
use tokio::sync::oneshot;

use super::*;
use crate::server::{ServeError, control_queue, serve};

pub(super) const DEVICE: u64 = 9;

/// A server on a port of its own, and its device in a thread of its own.
pub(super) struct Running {
    pub(super) address: String,
    stop: Option<oneshot::Sender<()>>,
    serving: tokio::task::JoinHandle<Result<(), ServeError>>,
}

impl Running {
    pub(super) async fn with(mut device: Device) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let (control, mut jobs) = control_queue(|| {});
        std::thread::spawn(move || jobs.run_until_closed(&mut device));
        let (stop, stopped) = oneshot::channel::<()>();
        let shutdown = async move { drop(stopped.await) };
        let serving = tokio::spawn(serve(listener, control, DEVICE, shutdown));
        Self {
            address,
            stop: Some(stop),
            serving,
        }
    }

    pub(super) async fn empty() -> Self {
        Self::with(Device::new()).await
    }

    pub(super) async fn loaded() -> Self {
        Self::with(Device::with_pipeline(kinds())).await
    }

    pub(super) async fn client(&self) -> Client {
        let options = ConnectOptions::new(&self.address, DEVICE);
        Client::connect(options, Arc::new(kinds_info()))
            .await
            .unwrap()
    }

    pub(super) async fn primary(&self) -> Client {
        let client = self.client().await;
        client.become_primary(ElectionId(1)).await.unwrap();
        client
    }
}

/// Every wait of these tests ends.
pub(super) async fn soon<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(20), future)
        .await
        .expect("within 20 s")
}

async fn wait_for(client: &Client, wanted: impl Fn(&Session) -> bool) -> Session {
    let mut state = client.session();
    soon(state.wait_for(wanted)).await.unwrap().session
}

fn pipeline(info: &P4Info, cookie: u64) -> p4runtime::client::Pipeline<'_> {
    p4runtime::client::Pipeline {
        info,
        device_config: KINDS_JSON.to_vec(),
        cookie: Some(cookie),
    }
}

#[tokio::test]
async fn a_controller_loads_writes_and_reads() {
    let server = Running::empty().await;
    let client = server.primary().await;
    assert_eq!(client.api_version().await.unwrap(), "1.4.1");
    assert_eq!(client.cookie().await.unwrap(), None);
    let bench = Bench::new();
    let update = || vec![update_of(Insert, bench.by_value(1))];
    let error = client.write(update()).await.unwrap_err();
    assert_eq!(error.code(), Some(Code::FailedPrecondition), "{error}");
    let error = client.read_multicast_groups().await.unwrap_err();
    assert_eq!(error.code(), Some(Code::FailedPrecondition), "{error}");

    let info = kinds_info();
    client
        .set_pipeline(PipelineAction::Verify, pipeline(&info, 5))
        .await
        .unwrap();
    assert_eq!(client.cookie().await.unwrap(), None, "verified only");
    client
        .set_pipeline(PipelineAction::VerifyAndCommit, pipeline(&info, 5))
        .await
        .unwrap();
    assert_eq!(client.cookie().await.unwrap(), Some(5));
    let all = v1::get_forwarding_pipeline_config_request::ResponseType::All;
    let config = client.pipeline(all).await.unwrap().unwrap();
    assert_eq!(config.p4_device_config, KINDS_JSON);
    assert_eq!(config.p4info.as_ref(), Some(info.message()));

    client.write(update()).await.unwrap();
    client
        .write(vec![update_of(Insert, group(3, &[(1, 1), (2, 2)]))])
        .await
        .unwrap();
    client
        .write(vec![update_of(Modify, register_of(&bench, 2, &[5]))])
        .await
        .unwrap();
    let table = bench.table("by_value");
    assert_eq!(
        client.read_table_entries(table).await.unwrap(),
        [bench.by_value(1)]
    );
    let groups = client.read_multicast_groups().await.unwrap();
    assert_eq!(groups[0].replicas().len(), 2);
    assert_eq!(
        client.read_register("narrow", Some(2)).await.unwrap(),
        [(2, 5)]
    );
    assert_eq!(client.read_register("narrow", None).await.unwrap().len(), 8);
    assert_eq!(client.read_counter("seen", None).await.unwrap().len(), 4);
    assert_eq!(
        client.read_direct_counters("by_value").await.unwrap().len(),
        1
    );

    client
        .set_pipeline(PipelineAction::ReconcileAndCommit, pipeline(&info, 6))
        .await
        .unwrap();
    assert_eq!(client.cookie().await.unwrap(), Some(6));
    assert_eq!(client.read_table_entries(table).await.unwrap().len(), 1);
    assert_eq!(
        client.read_register("narrow", Some(2)).await.unwrap(),
        [(2, 0)]
    );
    client
        .set_pipeline(PipelineAction::VerifyAndCommit, pipeline(&info, 7))
        .await
        .unwrap();
    assert_eq!(client.read_table_entries(table).await.unwrap(), []);
}

fn register_of(bench: &Bench, index: i64, value: &[u8]) -> v1::Entity {
    register(
        bench.info.register("narrow").unwrap().id,
        Some(index),
        value,
    )
}

#[tokio::test]
async fn a_failed_write_names_table_key_and_reason() {
    let server = Running::loaded().await;
    let client = server.primary().await;
    let bench = Bench::new();
    let updates = vec![
        update_of(Insert, bench.by_value(0x0a0b)),
        update_of(Insert, bench.by_value(0x0a0b)),
        update_of(Delete, bench.by_mask()),
        update_of(Delete, group(8, &[])),
    ];
    let ClientError::Write(failure) = client.write(updates).await.unwrap_err() else {
        panic!("a write error");
    };
    let codes: Vec<_> = failure
        .failed
        .iter()
        .map(|failed| (failed.index, failed.code))
        .collect();
    assert_eq!(
        codes,
        [
            (1, Code::AlreadyExists),
            (2, Code::NotFound),
            (3, Code::NotFound)
        ]
    );
    assert_eq!(
        failure.to_string(),
        "3 of 4 updates failed\n  \
         insert into table KindsIngress.by_value [hdr.ethernet.dst_addr=0x0a0b]: ALREADY_EXISTS: \
         table `KindsIngress.by_value` has this entry already; modify it instead\n  \
         delete from table KindsIngress.by_mask [hdr.ethernet.dst_addr=0x010000000000 &&& \
         0xff0000000000, standard_metadata.ingress_port=0x05, ether_type=0x0600..=0x0800, \
         hdr.ethernet.src_addr=0x0a0b0c0d0e0f, priority=10]: NOT_FOUND: \
         table `KindsIngress.by_mask` has no such entry\n  \
         delete from multicast group [id=8]: NOT_FOUND: there is no multicast group 8"
    );
}

#[tokio::test]
async fn large_batches_and_their_errors_come_through() {
    const GROUPS: u32 = 10_000;
    let server = Running::loaded().await;
    let client = server.primary().await;
    let updates: Vec<_> = (1..=GROUPS)
        .map(|id| update_of(Insert, group(id, &[(1, 1), (2, 2)])))
        .collect();
    client.write(updates.clone()).await.unwrap();
    assert_eq!(
        client.read_multicast_groups().await.unwrap().len(),
        GROUPS as usize
    );
    let ClientError::Write(failure) = client.write(updates.clone()).await.unwrap_err() else {
        panic!("a write error");
    };
    assert_eq!(failure.failed.len(), GROUPS as usize);
    let atomic = client
        .write_with(updates, Atomicity::DataplaneAtomic)
        .await
        .unwrap_err();
    assert!(matches!(atomic, ClientError::Write(_)), "{atomic}");
}

#[tokio::test]
async fn the_primary_changes_and_everybody_hears() {
    let server = Running::loaded().await;
    let first = server.primary().await;
    let second = server.client().await;
    let error = second.become_primary(ElectionId(0)).await.unwrap_err();
    let ClientError::NotPrimary { ours, highest } = error else {
        panic!("{error}")
    };
    assert_eq!((ours, highest), (ElectionId(0), Some(ElectionId(1))));
    let bench = Bench::new();
    let write = |address| vec![update_of(Insert, bench.by_value(address))];
    let error = second.write(write(1)).await.unwrap_err();
    assert_eq!(error.code(), Some(Code::PermissionDenied));
    assert_eq!(
        second.read_table_entries(0).await.unwrap().len(),
        2,
        "reading is for all"
    );

    second.become_primary(ElectionId(1 << 70)).await.unwrap();
    let backup = |session: &Session| {
        matches!(
            session,
            Session::Backup {
                has_primary: true,
                ..
            }
        )
    };
    wait_for(&first, backup).await;
    assert_eq!(
        first.write(write(1)).await.unwrap_err().code(),
        Some(Code::PermissionDenied)
    );
    second.write(write(1)).await.unwrap();

    second.close().await;
    let leaderless = |session: &Session| {
        matches!(
            session,
            Session::Backup {
                has_primary: false,
                ..
            }
        )
    };
    let session = wait_for(&first, leaderless).await;
    let highest = Some(ElectionId(1 << 70));
    assert_eq!(
        session,
        Session::Backup {
            highest,
            has_primary: false
        }
    );
    assert_eq!(
        second.write(write(2)).await.unwrap_err().code(),
        Some(Code::PermissionDenied)
    );
    first.become_primary(ElectionId(1 << 71)).await.unwrap();
    first.write(write(2)).await.unwrap();
    second.become_primary(ElectionId(1 << 72)).await.unwrap();
    wait_for(&first, backup).await;
}

#[tokio::test]
async fn an_id_in_use_ends_the_stream() {
    let server = Running::loaded().await;
    let first = server.primary().await;
    let second = server.client().await;
    let error = second.become_primary(ElectionId(1)).await.unwrap_err();
    assert_eq!(error.code(), Some(Code::InvalidArgument), "{error}");
    assert!(matches!(
        second.session().current().session,
        Session::Lost { .. }
    ));
    assert_eq!(first.session().current().session, Session::Primary);
    second.become_primary(ElectionId(2)).await.unwrap();
}

#[tokio::test]
async fn a_server_that_stops_is_noticed() {
    let mut server = Running::loaded().await;
    let client = server.primary().await;
    drop(server.stop.take());
    let lost = wait_for(&client, |session| matches!(session, Session::Lost { .. })).await;
    let Session::Lost { code, reason } = lost else {
        panic!("{lost:?}")
    };
    assert_eq!(
        (code, reason.as_str()),
        (Code::Unavailable, "the switch is shutting down")
    );
    soon(server.serving).await.unwrap().unwrap();
}

#[tokio::test]
async fn a_device_that_stops_is_noticed() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let (control, jobs) = control_queue(|| {});
    drop(jobs);
    tokio::spawn(serve(listener, control, DEVICE, std::future::pending()));
    let options = ConnectOptions::new(address, DEVICE);
    let client = Client::connect(options, Arc::new(kinds_info()))
        .await
        .unwrap();
    let error = client.read_multicast_groups().await.unwrap_err();
    assert_eq!(error.code(), Some(Code::Unavailable), "{error}");
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (control, _jobs) = control_queue(|| {});
    let served = serve(listener, control, 0, std::future::pending()).await;
    assert!(matches!(served, Err(ServeError::DeviceId)));
}

#[tokio::test]
async fn nobody_listening_is_told_with_the_address() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    drop(listener);
    let mut options = ConnectOptions::new(&address, DEVICE);
    options.connect_deadline = Duration::from_millis(100);
    let error = Client::connect(options, Arc::new(kinds_info()))
        .await
        .err()
        .unwrap();
    let text = error.to_string();
    let start = format!("cannot connect to switch at {address} within 100 ms: ");
    assert!(text.starts_with(&start), "{text}");
}

#[tokio::test]
async fn writes_of_the_old_primary_end_before_the_new_one_reads() {
    let server = Running::loaded().await;
    let first = server.primary().await;
    let second = server.client().await;
    let updates: Vec<_> = (1..=2_000)
        .map(|id| update_of(Insert, group(id, &[(1, 1)])))
        .collect();
    let old = tokio::spawn(async move { first.write(updates).await });
    second.become_primary(ElectionId(2)).await.unwrap();
    let then = second.read_multicast_groups().await.unwrap();
    let old = old.await.unwrap();
    let now = second.read_multicast_groups().await.unwrap();
    assert_eq!(then, now, "nothing was written after the change");
    match old {
        Ok(()) => assert_eq!(now.len(), 2_000),
        Err(error) => {
            assert_eq!(error.code(), Some(Code::PermissionDenied), "{error}");
            assert_eq!(now, []);
        }
    }
}
