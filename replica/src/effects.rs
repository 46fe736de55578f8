//! What a core wants done: effects as values, in the order in which they must be carried out.
//!
//! The sink is reused from event to event: messages are emitted straight into one byte arena, so
//! that a steady state allocates nothing per message.

use alloc::vec::Vec;
use core::ops::Range;
use wire::{HostAddress, Message, ReplicaId, ViewNumber};

/// What must survive a crash of the process.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Persistent {
    /// The newest view promised.
    pub view: ViewNumber,
    /// The newest view whose log was installed.
    pub last_normal_view: ViewNumber,
}

/// One thing to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// A packet to one replica. May be lost, copied or overtaken.
    Send {
        /// The receiver.
        to: ReplicaId,
        /// The message in the arena.
        message: Range<usize>,
    },
    /// A packet to the whole group, this replica included, numbered by the root. May be lost, also
    /// for some of the members only, or copied.
    Multicast {
        /// The message in the arena.
        message: Range<usize>,
    },
    /// A packet to a client. May be lost, copied or overtaken.
    Reply {
        /// Where the client listens.
        to: HostAddress,
        /// The message in the arena.
        message: Range<usize>,
    },
    /// A message of any length to one replica, by the reliable bulk channel. Lost only with the
    /// connection.
    SendBulk {
        /// The receiver.
        to: ReplicaId,
        /// The message in the arena.
        message: Range<usize>,
    },
    /// Must be durable before any later effect of the same event is carried out.
    Persist(Persistent),
}

/// A reusable list of effects.
#[derive(Clone, Debug, Default)]
pub struct Effects {
    list: Vec<Effect>,
    arena: Vec<u8>,
}

impl Effects {
    /// An empty list.
    pub fn new() -> Self {
        Self::default()
    }

    /// Forgets everything but keeps the memory.
    pub fn clear(&mut self) {
        self.list.clear();
        self.arena.clear();
    }

    /// The effects in order.
    pub fn iter(&self) -> impl Iterator<Item = &Effect> {
        self.list.iter()
    }

    /// Whether there is nothing to do.
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// The bytes of a message of this list.
    pub fn bytes(&self, message: &Range<usize>) -> &[u8] {
        &self.arena[message.clone()]
    }

    /// Sends `message` to one replica, by packet or bulk as its type asks.
    pub fn send(&mut self, to: ReplicaId, message: &Message<'_>) {
        let bulk = message.is_bulk();
        let message = self.emit(message);
        self.list.push(if bulk {
            Effect::SendBulk { to, message }
        } else {
            Effect::Send { to, message }
        });
    }

    /// Sends `message` to each of `n` replicas but `me`; its bytes are kept once.
    pub fn send_others(&mut self, me: ReplicaId, n: usize, message: &Message<'_>) {
        assert!(
            !message.is_bulk(),
            "bulk messages are made for one receiver"
        );
        let message = self.emit(message);
        let others = (0..n)
            .filter_map(|index| u8::try_from(index).ok())
            .map(ReplicaId);
        for to in others.filter(|replica| *replica != me) {
            self.list.push(Effect::Send {
                to,
                message: message.clone(),
            });
        }
    }

    /// Sends `message` to the whole group through the root; this replica gets its own stamped
    /// copy back like everybody else.
    pub fn multicast(&mut self, message: &Message<'_>) {
        assert!(
            !message.is_bulk(),
            "bulk messages are made for one receiver"
        );
        let message = self.emit(message);
        self.list.push(Effect::Multicast { message });
    }

    /// Answers a client.
    pub fn reply(&mut self, to: HostAddress, message: &Message<'_>) {
        let message = self.emit(message);
        self.list.push(Effect::Reply { to, message });
    }

    /// Asks for durability.
    pub fn persist(&mut self, state: Persistent) {
        self.list.push(Effect::Persist(state));
    }

    fn emit(&mut self, message: &Message<'_>) -> Range<usize> {
        let start = self.arena.len();
        message.emit(&mut self.arena);
        start..self.arena.len()
    }
}
