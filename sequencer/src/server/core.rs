//! Arbitration and device together, without sockets: the whole server for the simulator.
//!
//! `serve` does the same with gRPC around it and the device in another thread.

use p4runtime::v1;

use super::semantics::{packet_out_refusal, stream_refusal};
use super::{Arbitration, Device, Failure, Notice, Pipeline, StreamId};

/// A P4Runtime server as a value.
#[derive(Clone, Debug)]
pub struct Core {
    arbitration: Arbitration,
    device: Device,
}

impl Core {
    /// A server for this device, to which nobody has come yet.
    pub fn new(device_id: u64, device: Device) -> Self {
        Self {
            arbitration: Arbitration::new(device_id),
            device,
        }
    }

    /// The device, for its packets.
    pub fn device(&self) -> &Device {
        &self.device
    }

    /// The device, for its packets.
    pub fn device_mut(&mut self) -> &mut Device {
        &mut self.device
    }

    /// The election.
    pub fn arbitration(&self) -> &Arbitration {
        &self.arbitration
    }

    /// Takes a stream's message in and returns what streams are to be told. A failure ends the
    /// stream; call [`Core::close`] then.
    pub fn on_stream(
        &mut self,
        stream: StreamId,
        message: v1::StreamMessageRequest,
    ) -> Result<Vec<(StreamId, v1::StreamMessageResponse)>, Failure> {
        use v1::stream_message_request::Update;
        match message.update {
            Some(Update::Arbitration(update)) => {
                Ok(answers(self.arbitration.update(stream, &update)?))
            }
            Some(Update::Packet(packet)) => {
                let is_primary = self.arbitration.primary() == Some(stream);
                let refusal = packet_out_refusal(&self.device, is_primary, packet);
                Ok(vec![(stream, stream_answer(refusal))])
            }
            other => Ok(vec![(stream, stream_answer(stream_refusal(other)))]),
        }
    }

    /// Forgets a stream that ended and returns what the others are to be told.
    pub fn close(&mut self, stream: StreamId) -> Vec<(StreamId, v1::StreamMessageResponse)> {
        answers(self.arbitration.close(stream))
    }

    /// `Write`.
    pub fn write(&mut self, request: &v1::WriteRequest) -> Result<(), Failure> {
        self.arbitration.admit(
            request.device_id,
            &request.role,
            request.role_id,
            request.election_id,
        )?;
        self.device.write(request)
    }

    /// `Read`. Filters that fail do not keep the others from being answered.
    pub fn read(&self, request: &v1::ReadRequest) -> (Vec<v1::Entity>, Result<(), Failure>) {
        if let Err(failure) = self.arbitration.check_device(request.device_id) {
            return (Vec::new(), Err(failure));
        }
        self.device.read(request)
    }

    /// `SetForwardingPipelineConfig`.
    pub fn set_pipeline(
        &mut self,
        request: v1::SetForwardingPipelineConfigRequest,
    ) -> Result<(), Failure> {
        self.arbitration.admit(
            request.device_id,
            &request.role,
            request.role_id,
            request.election_id,
        )?;
        let action = request.action();
        match Pipeline::of_request(action, request.config)? {
            Some(pipeline) => self.device.set_pipeline(action, pipeline).map(drop),
            None => Ok(()),
        }
    }

    /// `GetForwardingPipelineConfig`.
    pub fn get_pipeline(
        &self,
        request: v1::GetForwardingPipelineConfigRequest,
    ) -> Result<v1::GetForwardingPipelineConfigResponse, Failure> {
        self.arbitration.check_device(request.device_id)?;
        Ok(v1::GetForwardingPipelineConfigResponse {
            config: self.device.pipeline(request.response_type()),
        })
    }
}

pub(super) fn stream_answer(error: v1::StreamError) -> v1::StreamMessageResponse {
    let update = v1::stream_message_response::Update::Error(error);
    v1::StreamMessageResponse {
        update: Some(update),
    }
}

pub(super) fn arbitration_answer(update: v1::MasterArbitrationUpdate) -> v1::StreamMessageResponse {
    let update = v1::stream_message_response::Update::Arbitration(update);
    v1::StreamMessageResponse {
        update: Some(update),
    }
}

fn answers(notices: Vec<Notice>) -> Vec<(StreamId, v1::StreamMessageResponse)> {
    notices
        .into_iter()
        .map(|notice| (notice.to, arbitration_answer(notice.update)))
        .collect()
}
