//! The client against `simple_switch_grpc`, the public reference, in a network namespace of its
//! own: that switch's Thrift server listens on all addresses.
//!
//! Runs where `unshare` may make a namespace and the switch is found: named by
//! `DOWNBEAT_BMV2`, or on the path. Else it says what is missing.

use std::io::Write as _;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use p4runtime::client::{Pipeline, PipelineAction, Session};
use p4runtime::table::{Prefix, TableShape, verify};
use p4runtime::v1::update::Type::{Delete, Insert, Modify};
use p4runtime::{
    BoundTable, Client, ClientError, Code, ConnectOptions, ElectionId, Entry, MulticastGroup,
    P4Info, Replica, p4_table, update_of,
};

p4_table! {
    /// Groups that this switch is the root of.
    table Groups = "group";
    /// The group.
    key GroupKey {
        /// Its address.
        address: Ipv4Addr = "hdr.ipv4.dst_addr": 32,
    }
    /// What is done.
    action GroupAction {
        /// Stamps and replicates.
        Stamp = "stamp_group" {
            register_index: u32 = "register_index": 32,
            group: u32 = "group_id": 32,
            term: u32 = "new_term": 32,
            shift: u8 = "shift": 8,
            base: u64 = "base": 64,
            members: u8 = "member_count": 8,
            copies: u16 = "copies": 16,
        },
        /// Not a group of this root.
        Nothing = "NoAction" {},
    }
}

p4_table! {
    /// Routes.
    table Routes = "forward";
    /// The destination.
    key RouteKey {
        destination: Prefix<Ipv4Addr> = "hdr.ipv4.dst_addr": 32,
    }
    /// What is done.
    action RouteAction {
        /// Sends there.
        ToPort = "to_port" {
            port: u16 = "port": 9,
            next_hop: [u8; 6] = "next_hop": 48,
        },
        /// Drops.
        NoRoute = "no_route" {},
    }
}

const DEVICE: u64 = 4;
const ADDRESS: &str = "127.0.0.1:9559";
const INSIDE: &str = "P4RUNTIME_TEST_IN_NAMESPACE";

fn note(line: &str) {
    // Where notes cannot be written there is nobody to read them.
    let _ = writeln!(std::io::stderr(), "{line}");
}

fn switch() -> Option<PathBuf> {
    if let Some(path) = std::env::var_os("DOWNBEAT_BMV2") {
        return Some(PathBuf::from(path)).filter(|path| path.exists());
    }
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path)
        .map(|folder| folder.join("simple_switch_grpc"))
        .find(|path| path.exists())
}

fn built(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../p4/built")
        .join(name)
}

/// A switch that ends with the test.
struct Bmv2(Child);

impl Bmv2 {
    fn start(path: &Path) -> Self {
        let mut command = Command::new(path);
        command.args([
            "--no-p4",
            "--device-id",
            &DEVICE.to_string(),
            "--log-level",
            "off",
        ]);
        command.args(["--", "--grpc-server-addr", ADDRESS]);
        command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        Self(command.spawn().expect("the switch starts"))
    }

    fn stop(&mut self) {
        self.0.kill().expect("the switch is ours to end");
        self.0.wait().expect("the switch ends");
    }
}

impl Drop for Bmv2 {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Starts this test once more in a namespace that ends with it.
fn again_in_namespace() {
    let program = std::env::current_exe().expect("a test is a program");
    let probe = Command::new("unshare")
        .args(["-n", "true"])
        .stderr(Stdio::null())
        .status();
    if !probe.is_ok_and(|status| status.success()) {
        note("skip: client against bmv2: unshare -n is not permitted: run as root");
        return;
    }
    let status = Command::new("unshare")
        .args(["-n", "sh", "-c", "ip link set lo up && exec \"$0\" \"$@\""])
        .arg(program)
        .args(["--exact", "the_client_works_with_bmv2", "--nocapture"])
        .env(INSIDE, "1")
        .status()
        .expect("unshare ran before");
    assert!(status.success(), "the test in the namespace failed");
}

#[test]
fn the_client_works_with_bmv2() {
    let Some(path) = switch() else {
        note("skip: client against bmv2: no simple_switch_grpc on the path: install p4lang-bmv2");
        return;
    };
    if std::env::var_os(INSIDE).is_none() {
        again_in_namespace();
        return;
    }
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("a runtime");
    runtime.block_on(async {
        let mut bmv2 = Bmv2::start(&path);
        let info = Arc::new(P4Info::load(&built("root.p4info.txtpb")).expect("root compiles"));
        let shapes = [TableShape::of::<Groups>(), TableShape::of::<Routes>()];
        verify(&info, &shapes).expect("the declared tables are the program's");
        let client = client(&info).await;
        before_a_program(&client).await;
        programs(&client, &info).await;
        tables(&client, &info).await;
        groups(&client).await;
        election(&client, &info).await;
        ends(&client, &mut bmv2).await;
    });
}

async fn client(info: &Arc<P4Info>) -> Client {
    let mut options = ConnectOptions::new(ADDRESS, DEVICE);
    options.connect_deadline = Duration::from_secs(20);
    Client::connect(options, Arc::clone(info))
        .await
        .expect("the switch listens")
}

async fn before_a_program(client: &Client) {
    client
        .become_primary(ElectionId(1))
        .await
        .expect("nobody else is there");
    client
        .become_primary(ElectionId(1))
        .await
        .expect("asking again changes nothing");
    client
        .become_primary(ElectionId(2))
        .await
        .expect("a higher id is fine");
    note(&format!("api version {:?}", client.api_version().await));
    assert_eq!(client.cookie().await.expect("it answers"), None);
    let error = client.read_table_entries(0).await.expect_err("no program");
    assert_eq!(error.code(), Some(Code::FailedPrecondition), "{error}");
}

async fn programs(client: &Client, info: &P4Info) {
    let json = std::fs::read(built("root.json")).expect("root compiles");
    let pipeline = |cookie| Pipeline {
        info,
        device_config: json.clone(),
        cookie: Some(cookie),
    };
    client
        .set_pipeline(PipelineAction::VerifyAndCommit, pipeline(u64::MAX))
        .await
        .expect("bmv2 loads what p4c compiled for it");
    assert_eq!(client.cookie().await.expect("it answers"), Some(u64::MAX));
    // bmv2 1.15 replays counters as insertions, which it refuses itself: a program with counters
    // cannot be reconciled. It is half loaded then, takes no other program, and tells the new
    // cookie; COMMIT ends that.
    let reconciled = client
        .set_pipeline(PipelineAction::ReconcileAndCommit, pipeline(6))
        .await;
    if let Err(error) = reconciled {
        note(&format!("{error}"));
        assert_eq!(error.code(), Some(Code::Unknown));
        client.commit_pipeline().await.expect("it can be finished");
    }
    assert_eq!(client.cookie().await.expect("it answers"), Some(6));
    client
        .set_pipeline(PipelineAction::VerifyAndCommit, pipeline(7))
        .await
        .expect("the same program once more");
    assert_eq!(client.cookie().await.expect("it answers"), Some(7));
}

fn group(last: u8, term: u32) -> Entry<Groups> {
    let action = GroupAction::Stamp {
        register_index: 1,
        group: last.into(),
        term,
        shift: 10,
        base: 1 << 40,
        members: 3,
        copies: 1,
    };
    Entry::new(
        GroupKey {
            address: Ipv4Addr::new(239, 77, 0, last),
        },
        action,
    )
}

fn route(address: [u8; 4], length: u32) -> Entry<Routes> {
    let destination = Prefix {
        value: address.into(),
        length,
    };
    let action = RouteAction::ToPort {
        port: 3,
        next_hop: [2, 0, 0, 0, 0, 1],
    };
    Entry::new(RouteKey { destination }, action)
}

async fn tables(client: &Client, info: &P4Info) {
    let groups = BoundTable::<Groups>::new(info).expect("verified");
    let routes = BoundTable::<Routes>::new(info).expect("verified");
    let wanted = [group(1, 1), group(2, 1)];
    let mut updates: Vec<_> = wanted
        .iter()
        .map(|entry| groups.insert(entry).expect("fits"))
        .collect();
    for entry in [
        route([10, 0, 0, 1], 32),
        route([10, 0, 0, 0], 8),
        route([0; 4], 0),
    ] {
        updates.push(routes.insert(&entry).expect("fits"));
    }
    client.write(updates.clone()).await.expect("all is new");
    let mut read = client.read_entries(&groups).await.expect("reads");
    read.sort_by_key(|entry| entry.key);
    assert_eq!(read, wanted);
    let read = client.read_entries(&routes).await.expect("reads");
    assert_eq!(read.len(), 3);
    assert!(
        read.contains(&route([0; 4], 0)),
        "the wildcard comes back: {read:?}"
    );
    assert_eq!(client.read_table_entries(0).await.expect("reads").len(), 5);

    updates.push(groups.modify(&group(1, 2)).expect("fits"));
    updates.push(groups.delete(&group(9, 1).key, 0).expect("fits"));
    let ClientError::Write(failure) = client.write(updates).await.expect_err("most are there")
    else {
        panic!("a write error");
    };
    note(&format!("{failure}"));
    let codes: Vec<_> = failure.failed.iter().map(|failed| failed.code).collect();
    let there = Code::AlreadyExists;
    assert_eq!(failure.failed.len(), 6, "the modification was made");
    assert_eq!(codes[..5], [there; 5]);
    assert_eq!(codes[5], Code::NotFound);
    let default = groups
        .set_default(Some(&GroupAction::Nothing {}))
        .expect("fits");
    client
        .write(vec![default])
        .await
        .expect("the default can be set");
    let reset = groups.set_default(None).expect("fits");
    client
        .write(vec![reset])
        .await
        .expect("the default can be set back");
    let error = client.read_register("sequence_of_group", Some(1)).await;
    note(&format!("registers: {error:?}"));
    note(&format!(
        "counters: {:?}",
        client.read_counter("RootIngress.drops", None).await
    ));
}

async fn groups(client: &Client) {
    let replica = |port, instance| Replica { port, instance };
    let one = MulticastGroup::new(1, [replica(1, 1), replica(2, 2), replica(2, 3)]);
    client
        .write(vec![update_of(Insert, &one)])
        .await
        .expect("a new group");
    assert_eq!(
        client.read_multicast_groups().await.expect("reads"),
        std::slice::from_ref(&one)
    );
    let two = MulticastGroup::new(1, [replica(3, 1)]);
    client
        .write(vec![update_of(Modify, &two)])
        .await
        .expect("a new tree");
    assert_eq!(
        client.read_multicast_groups().await.expect("reads"),
        std::slice::from_ref(&two)
    );
    let error = client
        .write(vec![update_of(Insert, &one)])
        .await
        .expect_err("it is there");
    note(&format!("{error}"));
    client
        .write(vec![update_of(Delete, &two)])
        .await
        .expect("it is there");
    assert_eq!(client.read_multicast_groups().await.expect("reads"), []);
}

async fn election(first: &Client, info: &Arc<P4Info>) {
    let second = client(info).await;
    let error = second
        .become_primary(ElectionId(1))
        .await
        .expect_err("2 is higher");
    assert!(matches!(error, ClientError::NotPrimary { .. }), "{error}");
    let groups = BoundTable::<Groups>::new(info).expect("verified");
    let delete = || vec![groups.delete(&group(2, 1).key, 0).expect("fits")];
    let error = second.write(delete()).await.expect_err("a backup");
    assert_eq!(error.code(), Some(Code::PermissionDenied), "{error}");
    second
        .become_primary(ElectionId(1 << 64))
        .await
        .expect("the highest");
    let mut state = first.session();
    let told = state.wait_for(|session| matches!(session, Session::Backup { .. }));
    let told = tokio::time::timeout(Duration::from_secs(10), told).await;
    assert!(told.is_ok(), "the first is told");
    let error = first.write(delete()).await.expect_err("a backup now");
    assert_eq!(error.code(), Some(Code::PermissionDenied), "{error}");
    second.write(delete()).await.expect("the primary");
    second.close().await;
    note(&format!(
        "after the primary left: {:?}",
        first.session().current().session
    ));
    first
        .become_primary(ElectionId((1 << 64) + 1))
        .await
        .expect("the highest");
}

async fn ends(client: &Client, bmv2: &mut Bmv2) {
    bmv2.stop();
    let mut state = client.session();
    let lost = state.wait_for(|session| matches!(session, Session::Lost { .. }));
    let lost = tokio::time::timeout(Duration::from_secs(10), lost).await;
    assert!(lost.is_ok(), "the end of the switch is noticed");
}
