//! The reliable channel between replicas for what does not fit a packet: logs.
//!
//! Here: the sending side's trait and the in-process form, a queue per replica. The form for
//! processes is `bulk_tcp`. A message that cannot be queued is dropped: protocols ask again.

use link::{Inbox, InboxSender, LinkError, Waker};
use std::vec::Vec;
use wire::ReplicaId;

/// Bytes of the longest bulk message.
pub const BULK_LIMIT: usize = 256 << 20;

/// Bulk messages that may wait for one replica.
pub(super) const QUEUE_LIMIT: usize = 16;

/// Bytes of bulk messages that may wait for one replica besides the first of them.
pub(super) const QUEUE_BYTES: usize = 64 << 20;

/// Sends bulk messages to the other replicas of a group.
pub trait BulkSender: Send {
    /// Queues a message of at most [`BULK_LIMIT`] bytes; never blocks. Returns whether it was
    /// taken.
    fn send(&mut self, to: ReplicaId, message: &[u8]) -> bool;
}

/// Bulk within a process: one queue per replica.
#[derive(Clone)]
pub struct LocalBulk {
    peers: Vec<InboxSender<Vec<u8>>>,
}

impl BulkSender for LocalBulk {
    fn send(&mut self, to: ReplicaId, message: &[u8]) -> bool {
        message.len() <= BULK_LIMIT
            && self
                .peers
                .get(usize::from(to.0))
                .is_some_and(|peer| peer.send(message.to_vec()).is_ok())
    }
}

/// A replica's ends of a mesh: where it sends, and where it receives.
pub type LocalEnds = (LocalBulk, Inbox<Vec<u8>>);

/// A sender and an inbox for each of `n` replicas of one process.
pub fn local_mesh(n: usize) -> Result<Vec<LocalEnds>, LinkError> {
    let mut peers = Vec::new();
    let mut inboxes = Vec::new();
    for _ in 0..n {
        let (sender, inbox) = link::inbox::inbox(QUEUE_LIMIT, Waker::new()?);
        peers.push(sender);
        inboxes.push(inbox);
    }
    Ok(inboxes
        .into_iter()
        .map(|inbox| {
            (
                LocalBulk {
                    peers: peers.clone(),
                },
                inbox,
            )
        })
        .collect())
}
