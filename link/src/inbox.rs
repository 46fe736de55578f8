//! A bounded queue into a node's thread: control requests, client submissions, anything that is
//! not a frame.
//!
//! Many threads send, one receives. A sender never blocks: a full inbox gives the item back, for
//! the sender knows better than the queue whether to retry. Waking follows [`Waker`].

use std::os::fd::{AsFd, BorrowedFd};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};

use crate::Waker;

/// The receiving end, owned by the node.
#[derive(Debug)]
pub struct Inbox<T> {
    receiver: Receiver<T>,
    /// Found while looking whether to sleep; `std`'s queue cannot be looked at without taking.
    found: Option<T>,
    waker: Waker,
}

/// A sending end; clone it for each thread.
#[derive(Debug)]
pub struct InboxSender<T> {
    sender: SyncSender<T>,
    waker: Waker,
}

/// An item that was not taken, given back.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum InboxError<T> {
    /// The inbox holds as many items as it may; try again later or shed the load.
    #[error("the inbox is full; try again when the node has caught up")]
    Full(T),
    /// The node is gone.
    #[error("the node that owned the inbox has ended")]
    Closed(T),
}

/// Makes an inbox of at most `capacity` items (at least 1) for the thread that waits on `waker`.
pub fn inbox<T>(capacity: usize, waker: Waker) -> (InboxSender<T>, Inbox<T>) {
    // A capacity of 0 would be a rendezvous, in which a sender waits for the node.
    let (sender, receiver) = sync_channel(capacity.max(1));
    let sender = InboxSender {
        sender,
        waker: waker.clone(),
    };
    (
        sender,
        Inbox {
            receiver,
            found: None,
            waker,
        },
    )
}

impl<T> InboxSender<T> {
    /// Hands `item` to the node and wakes it if it sleeps; never blocks.
    pub fn send(&self, item: T) -> Result<(), InboxError<T>> {
        self.sender.try_send(item).map_err(|error| match error {
            TrySendError::Full(item) => InboxError::Full(item),
            TrySendError::Disconnected(item) => InboxError::Closed(item),
        })?;
        self.waker.wake();
        Ok(())
    }
}

impl<T> Clone for InboxSender<T> {
    fn clone(&self) -> Self {
        Self {
            sender: self.sender.clone(),
            waker: self.waker.clone(),
        }
    }
}

impl<T> Inbox<T> {
    /// The next item, if one waits; never blocks.
    pub fn receive(&mut self) -> Option<T> {
        self.waker.disarm();
        self.found.take().or_else(|| self.receiver.try_recv().ok())
    }

    /// Arms the wake-up. True: an item is already here, do not sleep.
    pub fn prepare_to_wait(&mut self) -> bool {
        self.waker.arm();
        if self.found.is_none() {
            self.found = self.receiver.try_recv().ok();
        }
        self.found.is_some()
    }

    /// Readable when an item waits and the wake-up was armed.
    pub fn readiness(&self) -> BorrowedFd<'_> {
        self.waker.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;
    use crate::{Clock, Node, NodeError, Poll, StopFlag, WaitPolicy};

    #[test]
    fn a_full_inbox_gives_the_item_back() {
        let (sender, mut inbox) = inbox(2, Waker::new().unwrap());
        sender.send(1).unwrap();
        sender.send(2).unwrap();
        assert_eq!(sender.send(3), Err(InboxError::Full(3)));
        assert!(inbox.prepare_to_wait());
        assert_eq!(inbox.receive(), Some(1));
        assert_eq!(inbox.receive(), Some(2));
        assert_eq!(inbox.receive(), None);
        drop(inbox);
        assert_eq!(sender.send(4), Err(InboxError::Closed(4)));
    }

    struct Summing {
        inbox: Inbox<u64>,
        left: u64,
        sum: u64,
        stop: StopFlag,
        give_up: wire::Tick,
    }

    impl Node for Summing {
        fn name(&self) -> &'static str {
            "summing"
        }

        fn poll(&mut self, now: wire::Tick) -> Result<Poll, NodeError> {
            let mut worked = false;
            if let Some(item) = self.inbox.receive() {
                self.sum += item;
                self.left -= 1;
                worked = true;
            }
            if self.left == 0 {
                self.stop.stop();
            }
            if now > self.give_up {
                return Err(format!("{} items never arrived", self.left).into());
            }
            Ok(Poll {
                worked,
                deadline: Some(self.give_up),
            })
        }

        fn prepare_to_wait(&mut self) -> bool {
            self.inbox.prepare_to_wait()
        }

        fn readiness<'a>(&'a self, descriptors: &mut crate::Descriptors<'a>) {
            descriptors.add(self.inbox.readiness());
        }
    }

    /// Two threads hand over one item at a time to a node that sleeps in between: a lost wake-up
    /// would leave the node asleep until its deadline and fail the run.
    #[test]
    fn no_item_is_lost_and_no_wake_up_either() {
        const ITEMS: u64 = 20_000;
        let (sender, inbox) = inbox(4, Waker::new().unwrap());
        let stop = StopFlag::new().unwrap();
        let give_up = Clock.now().plus_us(60_000_000);
        let node = Summing {
            inbox,
            left: 2 * ITEMS,
            sum: 0,
            stop: stop.clone(),
            give_up,
        };
        let senders: Vec<_> = (0..2)
            .map(|_| {
                let sender = sender.clone();
                thread::spawn(move || {
                    for item in 1..=ITEMS {
                        let mut next = item;
                        while let Err(InboxError::Full(back)) = sender.send(next) {
                            next = back;
                            thread::yield_now();
                        }
                    }
                })
            })
            .collect();
        let mut nodes = [node];
        crate::run::run_nodes(&mut nodes, &stop, WaitPolicy::Block).unwrap();
        for sender in senders {
            sender.join().unwrap();
        }
        assert_eq!(nodes[0].sum, ITEMS * (ITEMS + 1));
    }
}
