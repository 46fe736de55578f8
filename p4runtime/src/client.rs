//! A client for one switch.
//!
//! ```no_run
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! use p4runtime::client::{Client, ConnectOptions, Pipeline, PipelineAction};
//! use p4runtime::{ElectionId, P4Info};
//! use std::{path::Path, sync::Arc};
//!
//! let info = Arc::new(P4Info::load(Path::new("p4/built/root.p4info.txtpb"))?);
//! let client = Client::connect(ConnectOptions::new("127.0.0.1:9559", 1), info.clone()).await?;
//! client.become_primary(ElectionId(1)).await?;
//! let device_config = std::fs::read("p4/built/root.json")?;
//! let pipeline = Pipeline { info: &info, device_config, cookie: Some(7) };
//! client.set_pipeline(PipelineAction::VerifyAndCommit, pipeline).await?;
//! for group in client.read_multicast_groups().await? {
//!     println!("{}: {:?}", group.id, group.replicas());
//! }
//! # Ok(())
//! # }
//! ```
//!
//! Loss of the stream or of being primary is seen through [`Client::session`]. Nothing is retried
//! behind the caller's back except connecting: who lost a session does not know what another
//! controller wrote since.

mod error;
mod options;
mod read;
mod session;

use std::future::Future;
use std::sync::{Arc, Mutex as StdMutex};
use std::time::Duration;

use tokio::sync::{Mutex, mpsc};
use tonic::transport::{Channel, Endpoint};

pub use error::{ClientError, FailedUpdate, WriteFailure};
pub use options::ConnectOptions;
pub use read::MAX_READ_ENTITIES;
pub use session::{Session, SessionState, SessionWatch};

use crate::v1::p4_runtime_client::P4RuntimeClient;
use crate::v1::set_forwarding_pipeline_config_request::Action as WireAction;
use crate::v1::{self, stream_message_response::Update as FromSwitch};
use crate::{ElectionId, P4Info};
use session::Stream;

/// A message from a switch may have this many bytes: a program with its P4Info fits.
pub const MAX_MESSAGE_BYTES: usize = 64 << 20;

/// The status of a batch comes in headers, which may have this many bytes in all: about 60,000
/// failed updates fit.
pub const MAX_STATUS_BYTES: u32 = 8 << 20;

const SET_PIPELINE: &str = "SetForwardingPipelineConfig";
const GET_PIPELINE: &str = "GetForwardingPipelineConfig";

/// What to do with a program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PipelineAction {
    /// Only say whether it would load.
    Verify,
    /// Keep it for [`PipelineAction::Commit`].
    VerifyAndSave,
    /// Load it; all entries go.
    VerifyAndCommit,
    /// Load what was kept.
    Commit,
    /// Load it; the entries stay.
    ReconcileAndCommit,
}

/// A program in its two forms.
#[derive(Clone, Debug)]
pub struct Pipeline<'a> {
    /// For the controller.
    pub info: &'a P4Info,
    /// For the switch; for BMv2 the JSON that p4c wrote.
    pub device_config: Vec<u8>,
    /// The controller's mark, given back by [`Client::cookie`].
    pub cookie: Option<u64>,
}

/// A session with one switch. Clones share it.
#[derive(Clone)]
pub struct Client {
    shared: Arc<Shared>,
}

struct Shared {
    options: ConnectOptions,
    info: Arc<P4Info>,
    rpc: P4RuntimeClient<Channel>,
    stream: Mutex<Stream>,
    state: SessionWatch,
    notifications: StdMutex<Option<mpsc::Receiver<FromSwitch>>>,
    election_id: StdMutex<ElectionId>,
}

impl Client {
    /// Connects, trying until `options.connect_deadline` is over. `info` is the program that the
    /// switch runs or will be given.
    pub async fn connect(options: ConnectOptions, info: Arc<P4Info>) -> Result<Self, ClientError> {
        let channel = connect(&options).await?;
        let rpc = P4RuntimeClient::new(channel).max_decoding_message_size(MAX_MESSAGE_BYTES);
        let (stream, notifications) = Stream::new(options.device_id);
        let state = stream.subscribe();
        let shared = Shared {
            options,
            info,
            rpc,
            stream: Mutex::new(stream),
            state,
            notifications: StdMutex::new(Some(notifications)),
            election_id: StdMutex::default(),
        };
        Ok(Self {
            shared: Arc::new(shared),
        })
    }

    /// The program by which names are resolved.
    pub fn info(&self) -> &Arc<P4Info> {
        &self.shared.info
    }

    /// The number of the switch.
    pub fn device_id(&self) -> u64 {
        self.shared.options.device_id
    }

    pub(crate) fn options(&self) -> &ConnectOptions {
        &self.shared.options
    }

    pub(crate) fn rpc(&self) -> P4RuntimeClient<Channel> {
        self.shared.rpc.clone()
    }

    /// What we are for the switch, now and whenever it changes.
    pub fn session(&self) -> SessionWatch {
        self.shared.state.clone()
    }

    /// Packets and errors that the switch sends on the stream. The queue holds 256 of them; it is
    /// given to the first who asks.
    pub fn take_notifications(&self) -> Option<mpsc::Receiver<FromSwitch>> {
        let mut slot = self
            .shared
            .notifications
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        slot.take()
    }

    /// How many messages of the switch found that queue full.
    pub async fn dropped_notifications(&self) -> u64 {
        self.shared.stream.lock().await.dropped()
    }

    /// Takes part in the election with this id, on a new stream if there is none or it was lost,
    /// and waits for the answer: [`Session::Primary`] or [`Session::Backup`].
    pub async fn arbitrate(&self, election_id: ElectionId) -> Result<Session, ClientError> {
        let mut stream = self.shared.stream.lock().await;
        let mut state = self.session();
        state.current();
        let unchanged = stream.arbitrate(&self.shared.rpc, election_id)?;
        *self.election_id() = election_id;
        if let Some(session) = unchanged {
            return Ok(session);
        }
        drop(stream);
        let timeout = self.options().request_timeout;
        self.timed("arbitration", timeout, async {
            loop {
                let gone = ClientError::Stream("it ended, arbitrate again");
                let session = state.changed().await.ok_or(gone)?.session;
                match session {
                    Session::Primary => return Ok(session),
                    // A backup with the highest id is news from before the request was heard.
                    Session::Backup {
                        highest: Some(highest),
                        ..
                    } if highest > election_id => {
                        return Ok(session);
                    }
                    Session::Lost { code, reason } => {
                        return Err(ClientError::SessionLost { code, reason });
                    }
                    Session::Backup { .. } | Session::Opening | Session::Closed => {}
                }
            }
        })
        .await
    }

    /// Like [`Client::arbitrate`], and an error unless we are the primary then.
    pub async fn become_primary(&self, election_id: ElectionId) -> Result<(), ClientError> {
        match self.arbitrate(election_id).await? {
            Session::Primary => Ok(()),
            Session::Backup { highest, .. } => Err(ClientError::NotPrimary {
                ours: election_id,
                highest,
            }),
            _ => Err(ClientError::NotPrimary {
                ours: election_id,
                highest: None,
            }),
        }
    }

    /// Ends the session in an orderly way.
    pub async fn close(&self) {
        self.shared
            .stream
            .lock()
            .await
            .close(self.options().request_timeout)
            .await;
    }

    /// Sends a packet out through the program. Errors come as notifications.
    pub async fn packet_out(&self, packet: v1::PacketOut) -> Result<(), ClientError> {
        let message = v1::stream_message_request::Update::Packet(packet);
        self.shared.stream.lock().await.send(message)
    }

    /// Makes a batch of updates. When some fail, the others are made nevertheless, and the error
    /// says of each that failed its object, its key and why.
    pub async fn write(&self, updates: Vec<v1::Update>) -> Result<(), ClientError> {
        self.write_with(updates, v1::write_request::Atomicity::ContinueOnError)
            .await
    }

    /// Makes a batch of updates that hang together as said.
    pub async fn write_with(
        &self,
        updates: Vec<v1::Update>,
        atomicity: v1::write_request::Atomicity,
    ) -> Result<(), ClientError> {
        if updates.is_empty() {
            return Ok(());
        }
        let request = v1::WriteRequest {
            device_id: self.device_id(),
            election_id: Some((*self.election_id()).into()),
            updates: updates.clone(),
            atomicity: atomicity.into(),
            ..Default::default()
        };
        self.timed("Write", self.options().request_timeout, async {
            match self.rpc().write(request).await {
                Ok(_) => Ok(()),
                Err(status) => Err(error::write_error(&status, updates, self.info())),
            }
        })
        .await
    }

    /// Verifies or loads a program. For [`PipelineAction::Commit`] use [`Client::commit_pipeline`].
    pub async fn set_pipeline(
        &self,
        action: PipelineAction,
        pipeline: Pipeline<'_>,
    ) -> Result<(), ClientError> {
        let config = v1::ForwardingPipelineConfig {
            p4info: Some(pipeline.info.message().clone()),
            p4_device_config: pipeline.device_config,
            cookie: pipeline
                .cookie
                .map(|cookie| v1::forwarding_pipeline_config::Cookie { cookie }),
        };
        self.send_pipeline(action, Some(config)).await
    }

    /// Loads the program that was kept by [`PipelineAction::VerifyAndSave`].
    pub async fn commit_pipeline(&self) -> Result<(), ClientError> {
        self.send_pipeline(PipelineAction::Commit, None).await
    }

    async fn send_pipeline(
        &self,
        action: PipelineAction,
        config: Option<v1::ForwardingPipelineConfig>,
    ) -> Result<(), ClientError> {
        let action = match action {
            PipelineAction::Verify => WireAction::Verify,
            PipelineAction::VerifyAndSave => WireAction::VerifyAndSave,
            PipelineAction::VerifyAndCommit => WireAction::VerifyAndCommit,
            PipelineAction::Commit => WireAction::Commit,
            PipelineAction::ReconcileAndCommit => WireAction::ReconcileAndCommit,
        };
        let request = v1::SetForwardingPipelineConfigRequest {
            device_id: self.device_id(),
            election_id: Some((*self.election_id()).into()),
            action: action.into(),
            config,
            ..Default::default()
        };
        let call = Box::pin(async {
            match self.rpc().set_forwarding_pipeline_config(request).await {
                Ok(_) => Ok(()),
                Err(status) => Err(ClientError::rpc(SET_PIPELINE, &status)),
            }
        });
        self.timed(SET_PIPELINE, self.options().pipeline_timeout, call)
            .await
    }

    /// The program that the switch has, or what was asked of it; none if it has no program.
    pub async fn pipeline(
        &self,
        response: v1::get_forwarding_pipeline_config_request::ResponseType,
    ) -> Result<Option<v1::ForwardingPipelineConfig>, ClientError> {
        let request = v1::GetForwardingPipelineConfigRequest {
            device_id: self.device_id(),
            response_type: response.into(),
        };
        self.timed(GET_PIPELINE, self.options().pipeline_timeout, async {
            match self.rpc().get_forwarding_pipeline_config(request).await {
                Ok(answer) => Ok(answer.into_inner().config),
                // bmv2 says so where the specification wants an answer without a program.
                Err(status) if status.code() == tonic::Code::FailedPrecondition => Ok(None),
                Err(status) => Err(ClientError::rpc(GET_PIPELINE, &status)),
            }
        })
        .await
    }

    /// The mark of the program that the switch has; none if it has no program or no mark.
    pub async fn cookie(&self) -> Result<Option<u64>, ClientError> {
        use v1::get_forwarding_pipeline_config_request::ResponseType;
        let config = self.pipeline(ResponseType::CookieOnly).await?;
        Ok(config
            .and_then(|config| config.cookie)
            .map(|cookie| cookie.cookie))
    }

    /// The version of P4Runtime that the switch speaks.
    pub async fn api_version(&self) -> Result<String, ClientError> {
        let request = v1::CapabilitiesRequest {
            device_id: self.device_id(),
        };
        self.timed("Capabilities", self.options().request_timeout, async {
            match self.rpc().capabilities(request).await {
                Ok(answer) => Ok(answer.into_inner().p4runtime_api_version),
                Err(status) => Err(ClientError::rpc("Capabilities", &status)),
            }
        })
        .await
    }

    pub(crate) async fn timed<T>(
        &self,
        what: &'static str,
        timeout: Duration,
        call: impl Future<Output = Result<T, ClientError>>,
    ) -> Result<T, ClientError> {
        tokio::time::timeout(timeout, call)
            .await
            .unwrap_or(Err(ClientError::Timeout {
                what,
                timeout_ms: timeout.as_millis(),
            }))
    }

    fn election_id(&self) -> std::sync::MutexGuard<'_, ElectionId> {
        self.shared
            .election_id
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

async fn connect(options: &ConnectOptions) -> Result<Channel, ClientError> {
    let address = &options.address;
    let bad = |reason: String| ClientError::Address {
        address: address.clone(),
        reason,
    };
    let mut endpoint = Endpoint::from_shared(format!("http://{address}"))
        .map_err(|error| bad(error.to_string()))?
        .connect_timeout(options.connect_deadline)
        .tcp_nodelay(true)
        .http2_max_header_list_size(MAX_STATUS_BYTES);
    if let Some(interval) = options.keep_alive {
        endpoint = endpoint
            .http2_keep_alive_interval(interval)
            .keep_alive_timeout(interval)
            .keep_alive_while_idle(true);
    }
    let mut reason = "no try was made".to_owned();
    let tries = async {
        loop {
            match endpoint.connect().await {
                Ok(channel) => return channel,
                Err(error) => reason = causes(&error),
            }
            tokio::time::sleep(options.retry_pause).await;
        }
    };
    let connected = tokio::time::timeout(options.connect_deadline, tries).await;
    connected.map_err(|_| ClientError::Connect {
        address: address.clone(),
        deadline_ms: options.connect_deadline.as_millis(),
        reason,
    })
}

/// The error with all its causes: the transport's own says only "transport error".
fn causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}
