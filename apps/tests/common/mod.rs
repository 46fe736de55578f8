//! A store behind a mutex in place of a replica group, and a front on a loopback port.
#![allow(dead_code, reason = "each test file uses a part of this")]

use apps::kv::Kv;
use apps::resp::{Info, Submit, SubmitError, serve_with};
use replica::{Stamp, StateMachine};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::{SystemTime, UNIX_EPOCH};
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use wire::{AgreedTime, SlotNumber};

/// Most bytes of one operation, as in a packet of the default size.
pub(crate) const OPERATION_LIMIT: usize = 1_300;

/// Executes operations in this process.
#[derive(Clone)]
pub(crate) struct LocalSubmit {
    state: Arc<Mutex<State>>,
}

pub(crate) struct State {
    pub(crate) kv: Kv,
    pub(crate) slot: u64,
    /// The agreed time; `None` takes the wall clock's, as a root switch would.
    pub(crate) time_us: Option<u64>,
    /// Whether operations have stamps at all.
    pub(crate) has_stamps: bool,
    /// Answer the next operation with this instead.
    pub(crate) failure: Option<SubmitError>,
    /// Sizes of the operations so far, in units.
    pub(crate) operations: Vec<usize>,
}

impl LocalSubmit {
    pub(crate) fn new() -> Self {
        let state = State {
            kv: Kv::default(),
            slot: 0,
            time_us: None,
            has_stamps: true,
            failure: None,
            operations: Vec::new(),
        };
        Self {
            state: Arc::new(Mutex::new(state)),
        }
    }

    pub(crate) fn with<T>(&self, look: impl FnOnce(&mut State) -> T) -> T {
        look(&mut self.state.lock().unwrap())
    }
}

impl Submit for LocalSubmit {
    async fn submit(&self, operation: Vec<u8>) -> Result<Vec<u8>, SubmitError> {
        self.with(|state| {
            if let Some(failure) = state.failure.take() {
                return Err(failure);
            }
            assert!(
                operation.len() <= OPERATION_LIMIT,
                "the front sent too much"
            );
            state.operations.push(usize::from(u16::from_be_bytes([
                operation[1],
                operation[2],
            ])));
            state.slot += 1;
            let time_us = state.time_us.unwrap_or_else(wall_us);
            let time = state.has_stamps.then_some(AgreedTime(time_us));
            let at = Stamp {
                slot: SlotNumber(state.slot),
                time,
            };
            let mut reply = Vec::new();
            // Each operation runs twice with an undo between, as speculation may have it.
            let undo = state.kv.execute(at, &operation, &mut reply);
            state.kv.undo(undo);
            let first = std::mem::take(&mut reply);
            let _ = state.kv.execute(at, &operation, &mut reply);
            assert_eq!(
                first, reply,
                "an undone operation answers alike the second time"
            );
            Ok(reply)
        })
    }

    fn operation_limit(&self) -> usize {
        OPERATION_LIMIT
    }
}

fn wall_us() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    u64::try_from(since.as_micros()).unwrap()
}

/// Facts as a replica group would have them.
pub(crate) struct Facts;

impl Info for Facts {
    fn replication(&self) -> Vec<(String, String)> {
        vec![
            ("role".to_owned(), "master".to_owned()),
            ("protocol".to_owned(), "test".to_owned()),
        ]
    }
}

/// A front that runs until it is closed.
pub(crate) struct Front {
    pub(crate) address: SocketAddr,
    pub(crate) submit: LocalSubmit,
    close: oneshot::Sender<()>,
    task: JoinHandle<std::io::Result<()>>,
}

impl Front {
    pub(crate) async fn start(max_clients: usize) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let submit = LocalSubmit::new();
        let (close, closed) = oneshot::channel();
        let shutdown = async {
            let _ = closed.await;
        };
        let serving = serve_with(
            listener,
            submit.clone(),
            Arc::new(Facts),
            shutdown,
            max_clients,
        );
        Self {
            address,
            submit,
            close,
            task: tokio::spawn(serving),
        }
    }

    pub(crate) async fn close(self) {
        self.close.send(()).unwrap();
        self.task.await.unwrap().unwrap();
    }
}
