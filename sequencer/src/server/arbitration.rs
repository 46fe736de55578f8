//! Who may write: the streams of one device, their election ids, and who is to be told what.
//!
//! Pure: streams are numbers, messages are values. The caller must see to it that nothing is
//! written between a call and the delivery of what it returns, see `serve`.
//!
//! P4Runtime 1.4, section "Client Arbitration and Controller Replication".

use std::collections::BTreeMap;

use p4runtime::proto::google::rpc;
use p4runtime::{Code, ElectionId, v1};

use super::Failure;

/// How many streams may take part.
pub const MAX_STREAMS: usize = 64;

/// A stream, as its opener numbers it: no number is used twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StreamId(pub u64);

/// What a stream is to be told.
#[derive(Clone, Debug, PartialEq)]
pub struct Notice {
    /// The stream.
    pub to: StreamId,
    /// The message.
    pub update: v1::MasterArbitrationUpdate,
}

/// The election of one device; it knows only the default role.
#[derive(Clone, Debug)]
pub struct Arbitration {
    device_id: u64,
    /// Streams that took part, with their ids; those without an id never become primary.
    streams: BTreeMap<StreamId, Option<ElectionId>>,
    /// The highest id ever seen from a primary.
    highest: Option<ElectionId>,
    primary: Option<StreamId>,
}

impl Arbitration {
    /// Nobody has come yet. `device_id` is not 0, which means "no device".
    pub fn new(device_id: u64) -> Self {
        Self {
            device_id,
            streams: BTreeMap::new(),
            highest: None,
            primary: None,
        }
    }

    /// The device.
    pub fn device_id(&self) -> u64 {
        self.device_id
    }

    /// The stream that may write.
    pub fn primary(&self) -> Option<StreamId> {
        self.primary
    }

    /// Takes a stream's request in. A failure ends the stream; call [`Arbitration::close`] then.
    pub fn update(
        &mut self,
        stream: StreamId,
        update: &v1::MasterArbitrationUpdate,
    ) -> Result<Vec<Notice>, Failure> {
        self.check(stream, update)?;
        let id = update.election_id.map(ElectionId::from);
        let before = self.streams.insert(stream, id);
        let was_primary = self.primary == Some(stream);
        if id.is_some() && id >= self.highest {
            let is_news = !was_primary || before != Some(id);
            self.highest = id;
            self.primary = Some(stream);
            return Ok(if is_news {
                self.tell_all()
            } else {
                vec![self.notice(stream)]
            });
        }
        if was_primary {
            self.primary = None;
            return Ok(self.tell_all());
        }
        Ok(vec![self.notice(stream)])
    }

    /// Forgets a stream that ended.
    pub fn close(&mut self, stream: StreamId) -> Vec<Notice> {
        self.streams.remove(&stream);
        if self.primary != Some(stream) {
            return Vec::new();
        }
        self.primary = None;
        self.tell_all()
    }

    /// Whether a request of that device, role and id is one of the primary.
    pub fn admit(
        &self,
        device_id: u64,
        role: &str,
        role_id: u64,
        election_id: Option<v1::Uint128>,
    ) -> Result<(), Failure> {
        self.check_device(device_id)?;
        check_role(role, role_id)?;
        let denied = |message: String| Err(Failure::new(Code::PermissionDenied, message));
        let Some(id) = election_id.map(ElectionId::from) else {
            return denied("election id is missing, send the one of the primary".to_owned());
        };
        let primary = self
            .primary
            .and_then(|stream| self.streams.get(&stream).copied().flatten());
        match primary {
            None => denied("there is no primary, arbitrate on a stream first".to_owned()),
            Some(primary) if primary == id => Ok(()),
            Some(primary) => denied(format!("election id {id} is not the primary's, {primary}")),
        }
    }

    /// Whether `device_id` is this device.
    pub fn check_device(&self, device_id: u64) -> Result<(), Failure> {
        if device_id == self.device_id {
            return Ok(());
        }
        let message = format!("there is no device {device_id}, only {}", self.device_id);
        Err(Failure::new(Code::NotFound, message))
    }

    fn check(&self, stream: StreamId, update: &v1::MasterArbitrationUpdate) -> Result<(), Failure> {
        let is_known = self.streams.contains_key(&stream);
        if is_known && update.device_id != self.device_id {
            let message = format!("this stream is for device {}, open another", self.device_id);
            return Err(Failure::new(Code::FailedPrecondition, message));
        }
        self.check_device(update.device_id)?;
        if let Some(role) = &update.role {
            if let Err(failure) = check_role(&role.name, role.id) {
                let change = Failure::new(
                    Code::FailedPrecondition,
                    "this stream has the default role, open another",
                );
                return Err(if is_known { change } else { failure });
            }
            if role.config.is_some() {
                return Err(Failure::invalid(
                    "role config is given, but no scheme is agreed upon",
                ));
            }
        }
        let id = update.election_id.map(ElectionId::from);
        let is_same = |(other, other_id): (&StreamId, &Option<ElectionId>)| {
            *other != stream && *other_id == id
        };
        if let Some(id) = id
            && self.streams.iter().any(is_same)
        {
            let message = format!("election id {id} is another controller's, choose a new one");
            return Err(Failure::invalid(message));
        }
        if !is_known && self.streams.len() >= MAX_STREAMS {
            let message = format!("{MAX_STREAMS} controllers are connected, no more may be");
            return Err(Failure::new(Code::ResourceExhausted, message));
        }
        Ok(())
    }

    fn tell_all(&self) -> Vec<Notice> {
        self.streams
            .keys()
            .map(|stream| self.notice(*stream))
            .collect()
    }

    fn notice(&self, to: StreamId) -> Notice {
        let (code, message) = match self.primary {
            Some(primary) if primary == to => (Code::Ok, "you are the primary"),
            Some(_) => (Code::AlreadyExists, "another controller is the primary"),
            None => (Code::NotFound, "there is no primary"),
        };
        let status = rpc::Status {
            code: code.number(),
            message: message.to_owned(),
            details: Vec::new(),
        };
        let update = v1::MasterArbitrationUpdate {
            device_id: self.device_id,
            role: None,
            election_id: self.highest.map(v1::Uint128::from),
            status: Some(status),
        };
        Notice { to, update }
    }
}

/// Whether it is the default role, the only one there is.
pub(super) fn check_role(name: &str, id: u64) -> Result<(), Failure> {
    if name.is_empty() && id == 0 {
        return Ok(());
    }
    let name: String = name.chars().take(64).collect();
    let message = format!("there is no role {name:?} (id {id}), only the default one");
    Err(Failure::new(Code::NotFound, message))
}
