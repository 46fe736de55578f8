//! The bulk channel: between each two replicas a connection that keeps order and loses nothing
//! but by its end. While the way is blocked, messages wait at the sender.

use super::queue::{Event, Queue};
use crate::draw::{Draw, Purpose};
use wire::Tick;

/// A message's way, when nothing is in it.
const WAY_NS: u64 = 60_000;
/// Four gigabits a second of what TCP makes of a wire.
const PS_PER_BYTE: u64 = 2_000;
/// On a noisy fabric one message in so many waits for a retransmission, at most so long.
const RETRANSMITTED_PPM: u32 = 100_000;
const RETRANSMISSION_NS: u64 = 5_000_000;
/// And one in so many arrives a second time, at most so much later.
const REPEATED_PPM: u32 = 50_000;
const REPETITION_NS: u64 = 30_000_000;

/// All connections.
#[derive(Debug)]
pub(super) struct Bulk {
    replicas: usize,
    draw: Draw,
    /// Per pair: which connection it is, and when its newest message arrives.
    connections: Vec<(u64, Tick)>,
    /// Messages that wait for their way, in order.
    waiting: Vec<(usize, usize, Vec<u8>)>,
}

impl Bulk {
    pub(super) fn new(seed: u64, replicas: usize) -> Self {
        Self {
            replicas,
            draw: Draw::new(seed, Purpose::Bulk),
            connections: vec![(0, Tick(0)); replicas * replicas],
            waiting: Vec::new(),
        }
    }

    pub(super) fn is_current(&self, from: usize, to: usize, connection: u64) -> bool {
        self.connections[from * self.replicas + to].0 == connection
    }

    /// Sends a message over a way that is free.
    pub(super) fn send(
        &mut self,
        now: Tick,
        (from, to): (usize, usize),
        message: Vec<u8>,
        noisy: bool,
        queue: &mut Queue,
    ) {
        let mut takes = WAY_NS + PS_PER_BYTE * message.len() as u64 / 1_000;
        if noisy && self.draw.happens(RETRANSMITTED_PPM) {
            takes += self.draw.below(RETRANSMISSION_NS);
        }
        let (connection, newest) = &mut self.connections[from * self.replicas + to];
        *newest = Tick(newest.0.max(now.0 + takes));
        let event = Event::Bulk {
            from,
            to,
            connection: *connection,
            message,
        };
        // A connection that ends leaves open whether the last message arrived: it is sent again.
        if noisy && self.draw.happens(REPEATED_PPM) {
            let later = Tick(newest.0 + self.draw.below(REPETITION_NS));
            queue.push(later, event.clone());
        }
        queue.push(*newest, event);
    }

    /// Keeps a message until its way is free.
    pub(super) fn hold(&mut self, from: usize, to: usize, message: Vec<u8>) {
        self.waiting.push((from, to, message));
    }

    /// Whether a message waits for this way: later ones must then wait behind it.
    pub(super) fn holds(&self, from: usize, to: usize) -> bool {
        self.waiting.iter().any(|(a, b, _)| (*a, *b) == (from, to))
    }

    /// Takes out everything that waits, to be sent or held again.
    pub(super) fn take_waiting(&mut self) -> Vec<(usize, usize, Vec<u8>)> {
        std::mem::take(&mut self.waiting)
    }

    /// Ends the connections that `ends` names; what is on them is lost.
    pub(super) fn reset(&mut self, ends: impl Fn(usize, usize) -> bool) {
        for from in 0..self.replicas {
            for to in 0..self.replicas {
                if ends(from, to) {
                    self.connections[from * self.replicas + to].0 += 1;
                }
            }
        }
        self.waiting.retain(|(from, to, _)| !ends(*from, *to));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_keep_their_order_and_end_with_their_connection() {
        let (mut bulk, mut queue) = (Bulk::new(1, 3), Queue::default());
        bulk.send(Tick(0), (0, 1), vec![1; 100_000], false, &mut queue);
        bulk.send(Tick(1), (0, 1), vec![2], true, &mut queue);
        let mut marks = Vec::new();
        while let Some((_, event)) = queue.pop() {
            let Event::Bulk {
                from,
                to,
                connection,
                message,
            } = event
            else {
                panic!("{event:?}");
            };
            assert!(bulk.is_current(from, to, connection));
            bulk.reset(|from, _| from == 0);
            assert!(!bulk.is_current(from, to, connection));
            marks.push(message[0]);
            if marks.len() == 1 {
                break;
            }
        }
        assert_eq!(marks, [1]);
        let Some((_, Event::Bulk { connection, .. })) = queue.pop() else {
            panic!("the second message");
        };
        assert!(
            !bulk.is_current(0, 1, connection),
            "lost with its connection"
        );
    }

    #[test]
    fn what_waits_is_given_back_in_order_unless_its_connection_ends() {
        let mut bulk = Bulk::new(1, 3);
        bulk.hold(0, 1, vec![1]);
        bulk.hold(0, 2, vec![2]);
        bulk.hold(0, 1, vec![3]);
        assert!(bulk.holds(0, 2) && !bulk.holds(2, 0));
        bulk.reset(|_, to| to == 2);
        let marks: Vec<u8> = bulk
            .take_waiting()
            .into_iter()
            .map(|(_, _, m)| m[0])
            .collect();
        assert_eq!(marks, [1, 3]);
    }
}
