//! The service: gRPC around [`Arbitration`] and the [`Device`] in its thread.
//!
//! One lock orders requests: what writes or changes who may write holds it alone, reads share it.
//! It is held while jobs run, so that a read never sees half of a write. Without that, this could
//! happen:
//!
//! 1. the old primary's write is checked and waits for the packet thread;
//! 2. a new primary is elected, told so, and reads;
//! 3. the old write is made, unseen by the new primary.
//!
//! The packet thread never takes the lock.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use p4runtime::v1::p4_runtime_server::P4Runtime;
use p4runtime::v1::stream_message_request::Update as FromController;
use p4runtime::v1::write_request::Atomicity;
use p4runtime::{Code, encode_details, v1};
use tokio::sync::{Notify, RwLock, mpsc, watch};
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status, Streaming};

use super::core::{arbitration_answer, stream_answer};
use super::semantics::{ReadAnswer, check_len, check_read, packet_out_refusal, stream_refusal};
use super::{
    Arbitration, ControlGone, ControlHandle, Device, Failure, MAX_STREAMS, Notice, Pipeline,
    StreamId,
};

/// How many messages wait for a controller. One that does not read them loses its stream.
const OUTBOX_LEN: usize = 64;

/// So many updates are made between two batches of packets.
const UPDATES_PER_JOB: usize = 64;

/// So many entities go into one message of a read.
const ENTITIES_PER_RESPONSE: usize = 256;

/// Details of a status that would be longer lose their messages and keep their codes.
const MAX_DETAILS_BYTES: usize = 1 << 20;

type Answer = Result<v1::StreamMessageResponse, Status>;

#[derive(Clone)]
pub(super) struct Service {
    shared: Arc<Shared>,
}

struct Shared {
    control: ControlHandle,
    state: RwLock<State>,
    next_stream: AtomicU64,
    stopping: watch::Receiver<bool>,
}

struct State {
    arbitration: Arbitration,
    outboxes: BTreeMap<StreamId, Outbox>,
}

struct Outbox {
    answers: mpsc::Sender<Answer>,
    /// Ends the stream from outside.
    overrun: Arc<Notify>,
}

impl State {
    fn deliver(&self, notices: Vec<Notice>) {
        for notice in notices {
            if let Some(outbox) = self.outboxes.get(&notice.to)
                && outbox
                    .answers
                    .try_send(Ok(arbitration_answer(notice.update)))
                    .is_err()
            {
                outbox.overrun.notify_one();
            }
        }
    }
}

impl Service {
    pub(super) fn new(
        device_id: u64,
        control: ControlHandle,
        stopping: watch::Receiver<bool>,
    ) -> Self {
        let arbitration = Arbitration::new(device_id);
        let state = RwLock::new(State {
            arbitration,
            outboxes: BTreeMap::new(),
        });
        let next_stream = AtomicU64::new(1);
        Self {
            shared: Arc::new(Shared {
                control,
                state,
                next_stream,
                stopping,
            }),
        }
    }

    /// Runs a request to its end, also when the caller goes away in the middle of it: a batch must
    /// not be cut, and the lock not be given up, while one of its jobs is still in the queue.
    async fn whole<T: Send + 'static>(
        &self,
        request: impl AsyncRequest<T>,
    ) -> Result<Response<T>, Status> {
        let shared = Arc::clone(&self.shared);
        let task = tokio::spawn(async move { request.run(&shared).await });
        match task.await {
            Ok(result) => result.map(Response::new).map_err(status),
            Err(error) => Err(Status::internal(format!("the request broke: {error}"))),
        }
    }
}

/// A request that runs to its end.
trait AsyncRequest<T>: Send + 'static {
    fn run(self, shared: &Shared) -> impl Future<Output = Result<T, Failure>> + Send;
}

#[tonic::async_trait]
impl P4Runtime for Service {
    type ReadStream = tokio_stream::Iter<std::vec::IntoIter<Result<v1::ReadResponse, Status>>>;
    type StreamChannelStream = ReceiverStream<Answer>;

    async fn write(
        &self,
        request: Request<v1::WriteRequest>,
    ) -> Result<Response<v1::WriteResponse>, Status> {
        self.whole(request.into_inner()).await
    }

    async fn set_forwarding_pipeline_config(
        &self,
        request: Request<v1::SetForwardingPipelineConfigRequest>,
    ) -> Result<Response<v1::SetForwardingPipelineConfigResponse>, Status> {
        self.whole(request.into_inner()).await
    }

    async fn read(
        &self,
        request: Request<v1::ReadRequest>,
    ) -> Result<Response<Self::ReadStream>, Status> {
        let request = request.into_inner();
        let shared = &self.shared;
        let state = shared.state.read().await;
        let device_id = request.device_id;
        state.arbitration.check_device(device_id).map_err(status)?;
        check_read(&request).map_err(status)?;
        shared.check_program().await.map_err(status)?;
        let mut answer = ReadAnswer::default();
        for filter in request.entities {
            let found = shared
                .control
                .run(move |device| device.read_one(&filter))
                .await;
            answer.add(found.unwrap_or_else(|gone| Err(gone.into())));
        }
        drop(state);
        let (entities, result) = answer.finish();
        let mut responses = Vec::with_capacity(entities.len() / ENTITIES_PER_RESPONSE + 2);
        let mut entities = entities.into_iter().peekable();
        while entities.peek().is_some() {
            let entities = entities.by_ref().take(ENTITIES_PER_RESPONSE).collect();
            responses.push(Ok(v1::ReadResponse { entities }));
        }
        responses.extend(result.err().map(|failure| Err(status(failure))));
        Ok(Response::new(tokio_stream::iter(responses)))
    }

    async fn get_forwarding_pipeline_config(
        &self,
        request: Request<v1::GetForwardingPipelineConfigRequest>,
    ) -> Result<Response<v1::GetForwardingPipelineConfigResponse>, Status> {
        let request = request.into_inner();
        let state = self.shared.state.read().await;
        state
            .arbitration
            .check_device(request.device_id)
            .map_err(status)?;
        let response = request.response_type();
        let config = self
            .shared
            .control
            .run(move |device| device.pipeline(response))
            .await;
        let config = config.map_err(|gone| status(gone.into()))?;
        Ok(Response::new(v1::GetForwardingPipelineConfigResponse {
            config,
        }))
    }

    async fn stream_channel(
        &self,
        request: Request<Streaming<v1::StreamMessageRequest>>,
    ) -> Result<Response<Self::StreamChannelStream>, Status> {
        let (answers, outbox) = mpsc::channel(OUTBOX_LEN);
        let id = StreamId(self.shared.next_stream.fetch_add(1, Ordering::Relaxed));
        let overrun = Arc::new(Notify::new());
        let mut state = self.shared.state.write().await;
        if state.outboxes.len() >= MAX_STREAMS {
            let message = format!("{MAX_STREAMS} streams are open, no more may be");
            return Err(Status::resource_exhausted(message));
        }
        let entry = Outbox {
            answers: answers.clone(),
            overrun: Arc::clone(&overrun),
        };
        state.outboxes.insert(id, entry);
        drop(state);
        let stream = ServerStream {
            shared: Arc::clone(&self.shared),
            id,
            answers,
            overrun,
        };
        tokio::spawn(stream.run(request.into_inner()));
        Ok(Response::new(ReceiverStream::new(outbox)))
    }

    async fn capabilities(
        &self,
        request: Request<v1::CapabilitiesRequest>,
    ) -> Result<Response<v1::CapabilitiesResponse>, Status> {
        let device_id = request.into_inner().device_id;
        if device_id != 0 {
            let state = self.shared.state.read().await;
            state.arbitration.check_device(device_id).map_err(status)?;
        }
        Ok(Response::new(v1::CapabilitiesResponse {
            p4runtime_api_version: p4runtime::API_VERSION.to_owned(),
            experimental: None,
        }))
    }
}

impl Shared {
    async fn check_program(&self) -> Result<(), Failure> {
        let has_program = self.control.run(|device| device.switch().is_some()).await?;
        if has_program {
            Ok(())
        } else {
            Err(super::semantics::no_program())
        }
    }
}

impl AsyncRequest<v1::WriteResponse> for v1::WriteRequest {
    async fn run(self, shared: &Shared) -> Result<v1::WriteResponse, Failure> {
        let state = shared.state.write().await;
        let arbitration = &state.arbitration;
        arbitration.admit(self.device_id, &self.role, self.role_id, self.election_id)?;
        shared.check_program().await?;
        check_len(self.updates.len())?;
        let in_pieces = self.atomicity() == Atomicity::ContinueOnError;
        let mut results = Vec::with_capacity(self.updates.len());
        if in_pieces {
            let mut updates = self.updates.into_iter().peekable();
            while updates.peek().is_some() {
                let piece: Vec<_> = updates.by_ref().take(UPDATES_PER_JOB).collect();
                let made = shared
                    .control
                    .run(move |device| device.write_each(&piece))
                    .await;
                results.extend(made??);
            }
        } else {
            let job = move |device: &mut Device| device.write_all_or_none(&self.updates);
            results = shared.control.run(job).await??;
        }
        drop(state);
        Failure::of_batch("write", results).map_or(Ok(v1::WriteResponse {}), Err)
    }
}

impl AsyncRequest<v1::SetForwardingPipelineConfigResponse>
    for v1::SetForwardingPipelineConfigRequest
{
    async fn run(
        self,
        shared: &Shared,
    ) -> Result<v1::SetForwardingPipelineConfigResponse, Failure> {
        let state = shared.state.write().await;
        let arbitration = &state.arbitration;
        arbitration.admit(self.device_id, &self.role, self.role_id, self.election_id)?;
        let action = self.action();
        // Loading takes a while: not in the packet thread, and not in one that others wait for.
        let verified =
            tokio::task::spawn_blocking(move || Pipeline::of_request(action, self.config));
        let verified = verified.await.map_err(|error| {
            Failure::new(
                Code::Internal,
                format!("loading the program broke: {error}"),
            )
        })?;
        if let Some(pipeline) = verified? {
            let job = move |device: &mut Device| device.set_pipeline(action, pipeline);
            let replaced = shared.control.run(job).await??;
            // Freeing the old tables takes a while too.
            drop(tokio::task::spawn_blocking(move || drop(replaced)));
        }
        drop(state);
        Ok(v1::SetForwardingPipelineConfigResponse {})
    }
}

/// One controller's stream.
struct ServerStream {
    shared: Arc<Shared>,
    id: StreamId,
    answers: mpsc::Sender<Answer>,
    overrun: Arc<Notify>,
}

impl ServerStream {
    async fn run(self, mut messages: Streaming<v1::StreamMessageRequest>) {
        let mut stopping = self.shared.stopping.clone();
        let end = loop {
            tokio::select! {
                message = messages.message() => match message {
                    Ok(Some(message)) => {
                        if let Err(failure) = self.take(message).await {
                            break Some(status(failure));
                        }
                    }
                    Ok(None) | Err(_) => break None,
                },
                () = self.answers.closed() => break None,
                () = self.overrun.notified() => break None,
                () = stopped(&mut stopping) => {
                    break Some(Status::unavailable("the switch is shutting down"));
                }
            }
        };
        let mut state = self.shared.state.write().await;
        state.outboxes.remove(&self.id);
        let notices = state.arbitration.close(self.id);
        state.deliver(notices);
        drop(state);
        if let Some(end) = end {
            // A controller that does not read what it is told will not miss this either.
            let _ = self.answers.try_send(Err(end));
        }
    }

    async fn take(&self, message: v1::StreamMessageRequest) -> Result<(), Failure> {
        let error = match message.update {
            Some(FromController::Arbitration(update)) => {
                let mut state = self.shared.state.write().await;
                let notices = state.arbitration.update(self.id, &update)?;
                state.deliver(notices);
                return Ok(());
            }
            Some(FromController::Packet(packet)) => {
                let primary = self.shared.state.read().await.arbitration.primary();
                let is_primary = primary == Some(self.id);
                let job = move |device: &mut Device| packet_out_refusal(device, is_primary, packet);
                self.shared.control.run(job).await?
            }
            other => stream_refusal(other),
        };
        // Errors are a courtesy: they give way when the controller is behind.
        let _ = self.answers.try_send(Ok(stream_answer(error)));
        Ok(())
    }
}

impl From<ControlGone> for Failure {
    fn from(gone: ControlGone) -> Self {
        Self::new(Code::Unavailable, gone.to_string())
    }
}

async fn stopped(stopping: &mut watch::Receiver<bool>) {
    // Who could say "stop" is gone: the server is being dropped, which is the same.
    let _ = stopping.wait_for(|stopping| *stopping).await;
}

fn status(failure: Failure) -> Status {
    let Failure {
        code,
        message,
        mut errors,
    } = failure;
    if errors.is_empty() {
        return Status::new(code.into(), message);
    }
    let mut details = encode_details(code, &message, &errors);
    if details.len() > MAX_DETAILS_BYTES {
        for error in &mut errors {
            error.message.clear();
        }
        details = encode_details(code, &message, &errors);
    }
    Status::with_details(code.into(), message, details.into())
}
