//! The server over loopback with raw messages, such as other clients send.

use p4runtime::v1::p4_runtime_client::P4RuntimeClient;
use p4runtime::v1::stream_message_request::Update as ToSwitch;
use p4runtime::v1::stream_message_response::Update as FromSwitch;
use p4runtime::{Code, ElectionId, decode_details};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::Channel;

use super::loopback::{DEVICE, Running, soon};
use super::*;
use crate::server::MAX_STREAMS;

async fn raw(server: &Running) -> P4RuntimeClient<Channel> {
    let endpoint = Channel::from_shared(format!("http://{}", server.address)).unwrap();
    P4RuntimeClient::new(endpoint.connect().await.unwrap())
}

fn pipeline_request(
    action: v1::set_forwarding_pipeline_config_request::Action,
) -> v1::SetForwardingPipelineConfigRequest {
    v1::SetForwardingPipelineConfigRequest {
        device_id: DEVICE,
        election_id: Some(ElectionId(1).into()),
        action: action.into(),
        config: Some(v1::ForwardingPipelineConfig {
            p4info: Some(kinds_info().message().clone()),
            p4_device_config: KINDS_JSON.to_vec(),
            cookie: None,
        }),
        ..Default::default()
    }
}

#[tokio::test]
async fn raw_programs_get_the_codes_of_the_specification() {
    let server = Running::empty().await;
    let client = server.primary().await;
    let mut raw = raw(&server).await;
    let commit = v1::set_forwarding_pipeline_config_request::Action::VerifyAndCommit;
    let load = |change: &dyn Fn(&mut v1::SetForwardingPipelineConfigRequest)| {
        let mut request = pipeline_request(commit);
        change(&mut request);
        request
    };
    let other_role = |request: &mut v1::SetForwardingPipelineConfigRequest| {
        request.role = "half".to_owned();
    };
    let broken = |request: &mut v1::SetForwardingPipelineConfigRequest| {
        request.config.as_mut().unwrap().p4_device_config = b"[]".to_vec();
    };
    let cases = [
        (load(&|r| r.device_id = 1), tonic::Code::NotFound),
        (load(&other_role), tonic::Code::NotFound),
        (
            load(&|r| r.election_id = None),
            tonic::Code::PermissionDenied,
        ),
        (
            load(&|r| r.election_id = Some(ElectionId(2).into())),
            tonic::Code::PermissionDenied,
        ),
        (load(&|r| r.action = 0), tonic::Code::InvalidArgument),
        (load(&|r| r.action = 77), tonic::Code::InvalidArgument),
        (load(&|r| r.config = None), tonic::Code::InvalidArgument),
        (load(&|r| r.action = 2), tonic::Code::Unimplemented),
        (load(&broken), tonic::Code::InvalidArgument),
    ];
    for (request, code) in cases {
        let status = raw
            .set_forwarding_pipeline_config(request.clone())
            .await
            .unwrap_err();
        assert_eq!(status.code(), code, "{status}");
    }
    let request = load(&|_| ());
    raw.set_forwarding_pipeline_config(request).await.unwrap();
    drop(client);
}

#[tokio::test]
async fn raw_writes_and_reads_get_the_codes_of_the_specification() {
    let server = Running::loaded().await;
    let client = server.primary().await;
    let mut raw = raw(&server).await;

    let write = v1::WriteRequest {
        device_id: DEVICE,
        election_id: Some(ElectionId(1).into()),
        updates: vec![v1::Update::default()],
        ..Default::default()
    };
    let status = raw
        .write(v1::WriteRequest {
            device_id: 1,
            ..write.clone()
        })
        .await
        .unwrap_err();
    assert_eq!(status.code(), tonic::Code::NotFound);
    let nobody = v1::WriteRequest {
        election_id: None,
        ..write.clone()
    };
    assert_eq!(
        raw.write(nobody).await.unwrap_err().code(),
        tonic::Code::PermissionDenied
    );
    let status = raw.write(write).await.unwrap_err();
    assert_eq!(status.code(), tonic::Code::Unknown);
    assert_eq!(decode_details(status.details())[0].canonical_code, 3);
    let read = v1::ReadRequest {
        device_id: 1,
        ..Default::default()
    };
    assert_eq!(
        raw.read(read).await.unwrap_err().code(),
        tonic::Code::NotFound
    );
    let get = v1::GetForwardingPipelineConfigRequest {
        device_id: 1,
        response_type: 0,
    };
    let status = raw.get_forwarding_pipeline_config(get).await.unwrap_err();
    assert_eq!(status.code(), tonic::Code::NotFound);
    let status = raw
        .capabilities(v1::CapabilitiesRequest { device_id: 1 })
        .await
        .unwrap_err();
    assert_eq!(status.code(), tonic::Code::NotFound);
    raw.capabilities(v1::CapabilitiesRequest::default())
        .await
        .unwrap();
    drop(client);
}

/// A stream that speaks for itself.
struct RawStream {
    to_switch: mpsc::Sender<v1::StreamMessageRequest>,
    answers: tonic::Streaming<v1::StreamMessageResponse>,
}

impl RawStream {
    async fn open(server: &Running) -> Result<Self, tonic::Status> {
        let (to_switch, receiver) = mpsc::channel(8);
        let answers = raw(server)
            .await
            .stream_channel(ReceiverStream::new(receiver))
            .await?;
        Ok(Self {
            to_switch,
            answers: answers.into_inner(),
        })
    }

    async fn ask(&mut self, update: ToSwitch) -> Result<Option<FromSwitch>, tonic::Code> {
        let message = v1::StreamMessageRequest {
            update: Some(update),
        };
        self.to_switch.send(message).await.unwrap();
        let answer = soon(self.answers.message())
            .await
            .map_err(|status| status.code())?;
        Ok(answer.and_then(|answer| answer.update))
    }
}

fn arbitration(device_id: u64, id: u128) -> ToSwitch {
    ToSwitch::Arbitration(v1::MasterArbitrationUpdate {
        device_id,
        election_id: Some(ElectionId(id).into()),
        ..Default::default()
    })
}

#[tokio::test]
async fn streams_end_with_the_codes_of_the_specification() {
    let server = Running::loaded().await;
    let mut stream = RawStream::open(&server).await.unwrap();
    assert_eq!(
        stream.ask(arbitration(1, 1)).await,
        Err(tonic::Code::NotFound)
    );
    let mut first = RawStream::open(&server).await.unwrap();
    assert!(matches!(
        first.ask(arbitration(DEVICE, 1)).await,
        Ok(Some(FromSwitch::Arbitration(_)))
    ));
    let mut second = RawStream::open(&server).await.unwrap();
    assert_eq!(
        second.ask(arbitration(DEVICE, 1)).await,
        Err(tonic::Code::InvalidArgument)
    );
    assert_eq!(
        first.ask(arbitration(1, 1)).await,
        Err(tonic::Code::FailedPrecondition)
    );
}

#[tokio::test]
async fn packets_and_digests_are_answered_on_the_stream() {
    let server = Running::loaded().await;
    let mut stream = RawStream::open(&server).await.unwrap();
    let packet = || {
        ToSwitch::Packet(v1::PacketOut {
            payload: b"frame".to_vec(),
            metadata: Vec::new(),
        })
    };
    let code = |answer: Result<Option<FromSwitch>, tonic::Code>| match answer {
        Ok(Some(FromSwitch::Error(error))) => Code::from(error.canonical_code),
        other => panic!("not an error: {other:?}"),
    };
    assert_eq!(code(stream.ask(packet()).await), Code::PermissionDenied);
    stream.ask(arbitration(DEVICE, 1)).await.unwrap();
    assert_eq!(code(stream.ask(packet()).await), Code::Unimplemented);
    let ack = ToSwitch::DigestAck(v1::DigestListAck::default());
    assert_eq!(code(stream.ask(ack).await), Code::InvalidArgument);
    let other = ToSwitch::Other(p4runtime::Any::default());
    assert_eq!(code(stream.ask(other).await), Code::Unimplemented);

    let client = server.client().await;
    let mut notifications = client.take_notifications().unwrap();
    client.become_primary(ElectionId(2)).await.unwrap();
    client.packet_out(v1::PacketOut::default()).await.unwrap();
    let error = soon(notifications.recv()).await.unwrap();
    assert!(matches!(error, FromSwitch::Error(_)), "{error:?}");
}

#[tokio::test]
async fn streams_are_bounded_and_come_free_again() {
    let server = Running::loaded().await;
    let mut streams = Vec::new();
    for _ in 0..MAX_STREAMS {
        streams.push(RawStream::open(&server).await.unwrap());
    }
    let status = RawStream::open(&server).await.err().unwrap();
    assert_eq!(status.code(), tonic::Code::ResourceExhausted);
    streams.clear();
    let reopened = async {
        while RawStream::open(&server).await.is_err() {
            tokio::task::yield_now().await;
        }
    };
    soon(reopened).await;
}
