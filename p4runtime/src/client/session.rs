//! The stream to a switch: its life is the life of the session.
//!
//! One task reads the stream and publishes what it means; see [`SessionState`]. What the switch
//! sends besides arbitration goes to a bounded queue, and what does not fit there is counted.
//!
//! P4Runtime 1.4, section "Client Arbitration and Controller Replication".

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::Channel;

use super::ClientError;
use crate::v1::p4_runtime_client::P4RuntimeClient;
use crate::v1::stream_message_response::Update as FromSwitch;
use crate::v1::{self, stream_message_request::Update as ToSwitch};
use crate::{Code, ElectionId};

/// How many messages wait for the transport, then for the caller.
const QUEUE_LEN: usize = 256;

/// What we are for the switch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Session {
    /// No stream was opened yet, or we closed it.
    Closed,
    /// A stream was opened, the switch has not answered.
    Opening,
    /// We may write.
    Primary,
    /// We may only read.
    Backup {
        /// The highest election id that the switch has seen.
        highest: Option<ElectionId>,
        /// Whether there is a primary now.
        has_primary: bool,
    },
    /// The stream ended. All that the switch knew of us is gone; arbitrate again.
    Lost {
        /// The code.
        code: Code,
        /// What the server or the transport says.
        reason: String,
    },
}

/// What we are for the switch, and how often that was told anew.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionState {
    /// What we are.
    pub session: Session,
    /// Counts the messages of the switch and the ends of streams. A reader that sees `Primary`
    /// twice, but not the same count, may have missed that another was primary in between.
    pub changes: u64,
}

/// Sees what we are for the switch. Each is its own view: what one has seen another has not.
///
/// It gives out copies, not views into the session, which a caller could hold for long and so
/// keep the session from going on.
#[derive(Clone, Debug)]
pub struct SessionWatch {
    state: watch::Receiver<SessionState>,
}

impl SessionWatch {
    /// What we are now.
    pub fn current(&mut self) -> SessionState {
        self.state.borrow_and_update().clone()
    }

    /// Waits until there is news since the last call of any of these; none if the client is gone.
    pub async fn changed(&mut self) -> Option<SessionState> {
        self.state.changed().await.ok()?;
        Some(self.current())
    }

    /// Waits until what we are is `wanted`, which it may be already; none if the client is gone.
    pub async fn wait_for(&mut self, wanted: impl Fn(&Session) -> bool) -> Option<SessionState> {
        let found = self.state.wait_for(|state| wanted(&state.session)).await;
        found.ok().map(|state| state.clone())
    }
}

pub(super) struct Stream {
    device_id: u64,
    state: Arc<watch::Sender<SessionState>>,
    notifications: mpsc::Sender<FromSwitch>,
    dropped: Arc<AtomicU64>,
    to_switch: Option<mpsc::Sender<v1::StreamMessageRequest>>,
    reader: Option<tokio::task::JoinHandle<()>>,
    election_id: Arc<std::sync::Mutex<ElectionId>>,
}

impl Stream {
    pub(super) fn new(device_id: u64) -> (Self, mpsc::Receiver<FromSwitch>) {
        let (notifications, receiver) = mpsc::channel(QUEUE_LEN);
        let state = SessionState {
            session: Session::Closed,
            changes: 0,
        };
        let stream = Self {
            device_id,
            state: Arc::new(watch::Sender::new(state)),
            notifications,
            dropped: Arc::default(),
            to_switch: None,
            reader: None,
            election_id: Arc::default(),
        };
        (stream, receiver)
    }

    pub(super) fn subscribe(&self) -> SessionWatch {
        SessionWatch {
            state: self.state.subscribe(),
        }
    }

    pub(super) fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }

    /// Asks for a place in the election, on a new stream if there is none. What we are already if
    /// that was asked with the same id before: bmv2 does not answer a repetition.
    pub(super) fn arbitrate(
        &mut self,
        client: &P4RuntimeClient<Channel>,
        election_id: ElectionId,
    ) -> Result<Option<Session>, ClientError> {
        let before = std::mem::replace(&mut *lock(&self.election_id), election_id);
        let message = ToSwitch::Arbitration(v1::MasterArbitrationUpdate {
            device_id: self.device_id,
            role: None,
            election_id: Some(election_id.into()),
            status: None,
        });
        let is_alive = self
            .reader
            .as_ref()
            .is_some_and(|reader| !reader.is_finished())
            && !matches!(
                self.state.borrow().session,
                Session::Lost { .. } | Session::Closed
            );
        if is_alive {
            let session = self.state.borrow().session.clone();
            if before == election_id && session != Session::Opening {
                return Ok(Some(session));
            }
            return self.send(message).map(|()| None);
        }
        let (sender, receiver) = mpsc::channel(QUEUE_LEN);
        self.to_switch = Some(sender);
        // The message must wait in the queue before the call: a server may send its headers only
        // with its first answer, and until then the call does not return.
        self.send(message)?;
        publish(&self.state, Session::Opening);
        let reader = Reader {
            state: Arc::clone(&self.state),
            notifications: self.notifications.clone(),
            dropped: Arc::clone(&self.dropped),
            election_id: Arc::clone(&self.election_id),
        };
        let client = client.clone();
        self.reader = Some(tokio::spawn(reader.run(client, receiver)));
        Ok(None)
    }

    pub(super) fn send(&self, message: ToSwitch) -> Result<(), ClientError> {
        let sender = self
            .to_switch
            .as_ref()
            .ok_or(ClientError::Stream("arbitrate first"))?;
        sender
            .try_send(v1::StreamMessageRequest {
                update: Some(message),
            })
            .map_err(|error| {
                ClientError::Stream(match error {
                    mpsc::error::TrySendError::Full(_) => {
                        "256 messages wait, the switch is too slow"
                    }
                    mpsc::error::TrySendError::Closed(_) => "it ended, arbitrate again",
                })
            })
    }

    /// Ends the stream and waits until the switch has ended it too.
    pub(super) async fn close(&mut self, timeout: Duration) {
        self.to_switch = None;
        if let Some(mut reader) = self.reader.take()
            && tokio::time::timeout(timeout, &mut reader).await.is_err()
        {
            reader.abort();
        }
        publish(&self.state, Session::Closed);
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        if let Some(reader) = &self.reader {
            reader.abort();
        }
    }
}

struct Reader {
    state: Arc<watch::Sender<SessionState>>,
    notifications: mpsc::Sender<FromSwitch>,
    dropped: Arc<AtomicU64>,
    election_id: Arc<std::sync::Mutex<ElectionId>>,
}

impl Reader {
    async fn run(
        self,
        mut client: P4RuntimeClient<Channel>,
        receiver: mpsc::Receiver<v1::StreamMessageRequest>,
    ) {
        let (code, reason) = match self.read(&mut client, receiver).await {
            Ok(()) => (Code::Unavailable, "the switch closed the stream".to_owned()),
            Err(status) => (status.code().into(), status.message().to_owned()),
        };
        publish(&self.state, Session::Lost { code, reason });
    }

    async fn read(
        &self,
        client: &mut P4RuntimeClient<Channel>,
        receiver: mpsc::Receiver<v1::StreamMessageRequest>,
    ) -> Result<(), tonic::Status> {
        let mut answers = client
            .stream_channel(ReceiverStream::new(receiver))
            .await?
            .into_inner();
        while let Some(answer) = answers.message().await? {
            match answer.update {
                Some(FromSwitch::Arbitration(update)) => self.arbitration(&update),
                Some(other) => self.notify(other),
                None => {}
            }
        }
        Ok(())
    }

    fn notify(&self, message: FromSwitch) {
        if self.notifications.try_send(message).is_err() {
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn arbitration(&self, update: &v1::MasterArbitrationUpdate) {
        let code = update
            .status
            .as_ref()
            .map_or(Code::Ok, |status| Code::from(status.code));
        let highest = update.election_id.map(ElectionId::from);
        // A switch that says OK with another's id speaks of another.
        let is_ours = highest.is_none_or(|highest| highest == *lock(&self.election_id));
        let session = match code {
            Code::Ok if is_ours => Session::Primary,
            code => Session::Backup {
                highest,
                has_primary: code != Code::NotFound,
            },
        };
        publish(&self.state, session);
    }
}

fn lock(id: &std::sync::Mutex<ElectionId>) -> std::sync::MutexGuard<'_, ElectionId> {
    id.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

fn publish(state: &watch::Sender<SessionState>, session: Session) {
    state.send_modify(|state| {
        state.session = session;
        state.changes += 1;
    });
}
