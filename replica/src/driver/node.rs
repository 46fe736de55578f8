//! A replica as an event-loop node: datagrams and bulk messages in, effects carried out.

use super::bulk::BulkSender;
use super::state_file::StateFile;
use crate::{Effect, Effects, Protocol, Status};
use link::inbox::{InboxError, inbox};
use link::{
    Descriptors, Endpoint, Inbox, InboxSender, LinkCounters, LinkError, Node, NodeError, Poll,
    Waker,
};
use std::boxed::Box;
use std::string::String;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::Duration;
use std::vec::Vec;
use wire::message::rounds::Change;
use wire::message::{Request, Wants};
use wire::{
    ClientId, GroupId, HostAddress, Kind, Message, ReplicaId, RequestNumber, Sender, StampHeader,
    Tick,
};

/// Datagrams handled before effects are carried out.
const BATCH: usize = 64;
/// Operators' questions that may wait.
const COMMANDS: usize = 16;

/// Who is in the group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    /// The group's number.
    pub id: GroupId,
    /// The address that stands for all of them: the root copies what is sent there.
    pub address: HostAddress,
    /// Where each replica listens, by index.
    pub members: Vec<HostAddress>,
}

/// What an operator may ask a running replica.
#[derive(Debug)]
pub enum Command {
    /// How it is.
    Status(SyncSender<Report>),
    /// It is to propose other members.
    Change(Change),
}

/// A replica's state with its driver's counters.
#[derive(Clone, Debug)]
pub struct Report {
    /// The protocol's state.
    pub status: Status,
    /// What the driver has seen.
    pub node: NodeCounters,
    /// Datagrams in and out.
    pub link: LinkCounters,
}

/// Datagrams that the driver did not hand to the protocol, by reason.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NodeCounters {
    /// The stamp is not one.
    pub bad_stamp: u64,
    /// Another group's.
    pub other_group: u64,
    /// The message is not one.
    pub bad_message: u64,
    /// Came by datagram, belongs on the bulk channel, or the other way round.
    pub wrong_channel: u64,
    /// Bulk messages that found no room.
    pub bulk_dropped: u64,
}

/// Asks a replica that runs on another thread.
#[derive(Clone, Debug)]
pub struct ReplicaHandle {
    commands: InboxSender<Command>,
}

/// A replica that does not answer its operator.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StatusError {
    /// Its thread has ended.
    #[error("the replica has ended")]
    Ended,
    /// Its thread is stuck or swamped.
    #[error("the replica did not answer within {0:?}")]
    Silent(Duration),
}

impl ReplicaHandle {
    /// The replica's state; waits at most `patience`.
    pub fn status(&self, patience: Duration) -> Result<Report, StatusError> {
        let (answer, answers): (_, Receiver<Report>) = sync_channel(1);
        self.command(Command::Status(answer))?;
        answers
            .recv_timeout(patience)
            .map_err(|_| StatusError::Silent(patience))
    }

    /// Has the replica propose a change of the members. What comes of it, its status tells.
    pub fn change(&self, change: Change) -> Result<(), StatusError> {
        self.command(Command::Change(change))
    }

    fn command(&self, command: Command) -> Result<(), StatusError> {
        self.commands.send(command).map_err(|error| match error {
            InboxError::Closed(_) => StatusError::Ended,
            InboxError::Full(_) => StatusError::Silent(Duration::ZERO),
        })
    }
}

/// One replica with its endpoint.
pub struct ReplicaNode<P> {
    name: String,
    me: ReplicaId,
    group: Group,
    protocol: P,
    endpoint: Box<dyn Endpoint>,
    bulk: Box<dyn BulkSender>,
    bulk_in: Inbox<Vec<u8>>,
    commands: Inbox<Command>,
    store: Option<StateFile>,
    effects: Effects,
    payload: Vec<u8>,
    counters: NodeCounters,
}

impl<P: Protocol + Send> ReplicaNode<P> {
    /// A replica and its operator's handle. Without `store`, what the protocol persists lives as
    /// long as the process.
    pub fn new(
        me: ReplicaId,
        group: Group,
        protocol: P,
        endpoint: Box<dyn Endpoint>,
        bulk: (Box<dyn BulkSender>, Inbox<Vec<u8>>),
        store: Option<StateFile>,
    ) -> Result<(Self, ReplicaHandle), LinkError> {
        let (handle, commands) = inbox(COMMANDS, Waker::new()?);
        let (bulk, bulk_in) = bulk;
        let node = Self {
            name: std::format!("replica {me}"),
            me,
            group,
            protocol,
            endpoint,
            bulk,
            bulk_in,
            commands,
            store,
            effects: Effects::new(),
            payload: Vec::new(),
            counters: NodeCounters::default(),
        };
        Ok((node, ReplicaHandle { commands: handle }))
    }

    fn take_datagrams(&mut self, now: Tick) -> Result<bool, LinkError> {
        let Self {
            endpoint,
            protocol,
            effects,
            counters,
            group,
            ..
        } = self;
        let group = group.id;
        let count =
            endpoint.receive(BATCH, &mut |_, payload| match StampHeader::parse(payload) {
                Err(_) => counters.bad_stamp += 1,
                Ok((stamp, _)) if stamp.group != group => counters.other_group += 1,
                Ok((stamp, bytes)) => match Message::parse(bytes) {
                    Err(_) => counters.bad_message += 1,
                    Ok(message) if message.is_bulk() => counters.wrong_channel += 1,
                    Ok(message) => protocol.on_message(now, Some(&stamp), message, effects),
                },
            })?;
        Ok(count > 0)
    }

    fn take_bulk(&mut self, now: Tick) -> bool {
        let mut worked = false;
        for _ in 0..BATCH {
            let Some(bytes) = self.bulk_in.receive() else {
                break;
            };
            worked = true;
            match Message::parse(&bytes) {
                Err(_) => self.counters.bad_message += 1,
                Ok(message) if !message.is_bulk() => self.counters.wrong_channel += 1,
                Ok(message) => self
                    .protocol
                    .on_message(now, None, message, &mut self.effects),
            }
        }
        worked
    }

    fn take_commands(&mut self, now: Tick) -> bool {
        let mut worked = false;
        for _ in 0..COMMANDS {
            match self.commands.receive() {
                None => break,
                Some(Command::Status(answer)) => {
                    // The asker may have given up.
                    let _ = answer.try_send(Report {
                        status: self.protocol.status(),
                        node: self.counters,
                        link: self.endpoint.counters(),
                    });
                }
                Some(Command::Change(change)) => self.propose(now, change),
            }
            worked = true;
        }
        worked
    }

    /// As if an operator's client had asked. The reply comes back here and is nothing new.
    fn propose(&mut self, now: Tick, change: Change) {
        let Some(own) = self.group.members.get(usize::from(self.me.0)) else {
            return;
        };
        let request = Request {
            client: ClientId::GROUP,
            number: RequestNumber(change.0.version),
            reply_to: *own,
            wants: Wants::Reply,
            operation: &change.operation(),
        };
        let request = Message::Request(request);
        self.protocol
            .on_message(now, None, request, &mut self.effects);
    }

    /// Carries out what the protocol wants, in order.
    fn carry_out(&mut self) -> Result<(), NodeError> {
        if self.effects.is_empty() {
            return Ok(());
        }
        let sender = Sender::Member(self.me);
        let header_of = |kind| StampHeader::unstamped(kind, sender, self.group.id).to_bytes();
        let header = header_of(Kind::Protocol);
        for effect in self.effects.iter() {
            match effect {
                Effect::Send { to, message } => {
                    let Some(address) = self.group.members.get(usize::from(to.0)) else {
                        continue;
                    };
                    datagram(&mut self.payload, &header, self.effects.bytes(message));
                    self.endpoint.send(*address, &self.payload);
                }
                Effect::Multicast { message } => {
                    let header = header_of(Kind::RoundPacket);
                    datagram(&mut self.payload, &header, self.effects.bytes(message));
                    self.endpoint.send(self.group.address, &self.payload);
                }
                Effect::Reply { to, message } => {
                    datagram(&mut self.payload, &header, self.effects.bytes(message));
                    self.endpoint.send(*to, &self.payload);
                }
                Effect::SendBulk { to, message } => {
                    if !self.bulk.send(*to, self.effects.bytes(message)) {
                        self.counters.bulk_dropped += 1;
                    }
                }
                Effect::Persist(state) => {
                    if let Some(store) = &self.store {
                        // Everything before this may leave; nothing after it before it is safe.
                        self.endpoint.flush()?;
                        store.persist(*state)?;
                    }
                }
            }
        }
        self.effects.clear();
        self.endpoint.flush()?;
        Ok(())
    }
}

fn datagram(payload: &mut Vec<u8>, header: &[u8], message: &[u8]) {
    payload.clear();
    payload.extend_from_slice(header);
    payload.extend_from_slice(message);
}

impl<P: Protocol + Send> Node for ReplicaNode<P> {
    fn name(&self) -> &str {
        &self.name
    }

    fn poll(&mut self, now: Tick) -> Result<Poll, NodeError> {
        let link_deadline = self.endpoint.advance(now);
        let mut worked = self.take_datagrams(now)?;
        worked |= self.take_bulk(now);
        worked |= self.take_commands(now);
        if self
            .protocol
            .deadline()
            .is_some_and(|deadline| deadline <= now)
        {
            self.protocol.on_deadline(now, &mut self.effects);
            worked = true;
        }
        self.carry_out()?;
        let deadline = link::run::earliest(link_deadline, self.protocol.deadline());
        Ok(Poll { worked, deadline })
    }

    fn prepare_to_wait(&mut self) -> bool {
        // All three are armed, whatever the first one says.
        let datagrams = self.endpoint.prepare_to_wait();
        let bulk = self.bulk_in.prepare_to_wait();
        let commands = self.commands.prepare_to_wait();
        datagrams || bulk || commands
    }

    fn readiness<'a>(&'a self, descriptors: &mut Descriptors<'a>) {
        descriptors.add(self.endpoint.readiness());
        descriptors.add(self.bulk_in.readiness());
        descriptors.add(self.commands.readiness());
    }
}
