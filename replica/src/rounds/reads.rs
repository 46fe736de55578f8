//! Reads: operations that change nothing, answered by the member that is asked, without a place in
//! the log.
//!
//! A read waits for a barrier: a packet of this replica sent after the read came. Whoever
//! acknowledges it acknowledges everything before it, and f+1 members know, between them, of
//! everything that was decided before they do: so with f+1 acknowledgements, and with everything
//! before the barrier executed here, the state here has all that any client was told of before the
//! read came. The next packet is the barrier of all reads that came since the last; one with
//! proposals does as well as an empty one. Not here: when it is sent (`beat`).

use super::config::ReadPath;
use super::mutant::Mutant;
use super::{Rounds, Timer};
use crate::protocol::Mode;
use crate::{Effects, StateMachine};
use alloc::collections::{BTreeMap, VecDeque};
use alloc::vec::Vec;
use wire::message::rounds::RoundPacket;
use wire::message::{Message, Reply, Request};
use wire::{ClientId, HostAddress, Position, RequestNumber, StampHeader, Tick};

/// A read that waits.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Waiting {
    client: ClientId,
    number: RequestNumber,
    reply_to: HostAddress,
    operation: Vec<u8>,
}

/// Reads that came between two packets.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Group {
    /// The number of the packet that was sent last when they came. Any later one of this epoch is
    /// a barrier for them.
    after: u64,
    /// Where the first such packet stands.
    barrier: Option<Position>,
    reads: Vec<Waiting>,
}

/// The reads that wait here, in the order of their arrival.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Reads {
    groups: VecDeque<Group>,
    /// The read of each client that waits.
    underway: BTreeMap<ClientId, RequestNumber>,
    /// The newest barrier of another member.
    awaited: Position,
}

impl Reads {
    /// How many wait.
    pub(super) fn len(&self) -> usize {
        self.groups.iter().map(|group| group.reads.len()).sum()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.groups.is_empty()
    }

    /// Whether some have no barrier.
    pub(super) fn want_packet(&self) -> bool {
        self.groups
            .back()
            .is_some_and(|group| group.barrier.is_none())
    }

    /// The position up to which another member waits for acknowledgements.
    pub(super) fn awaited(&self) -> Position {
        self.awaited
    }

    fn knows(&self, request: &Request<'_>) -> bool {
        let known = self.underway.get(&request.client);
        known.is_some_and(|number| *number >= request.number)
    }

    /// Takes a read that came when packet `after` had been sent last.
    fn take(&mut self, request: &Request<'_>, after: u64) {
        self.underway.insert(request.client, request.number);
        let read = Waiting {
            client: request.client,
            number: request.number,
            reply_to: request.reply_to,
            operation: request.operation.to_vec(),
        };
        match self.groups.back_mut() {
            Some(group) if group.after == after && group.barrier.is_none() => {
                group.reads.push(read);
            }
            _ => self.groups.push_back(Group {
                after,
                barrier: None,
                reads: alloc::vec![read],
            }),
        }
    }

    /// The own packet `number` was voted for at `position`.
    pub(super) fn placed(&mut self, number: u64, position: Position) {
        for group in &mut self.groups {
            if group.barrier.is_none() && group.after < number {
                group.barrier = Some(position);
            }
        }
    }

    /// The log above `kept` is another one.
    pub(super) fn displace_above(&mut self, kept: Position) {
        for group in &mut self.groups {
            group.barrier = group.barrier.filter(|barrier| *barrier <= kept);
        }
    }

    /// Another epoch: only packets after number `sent` are barriers.
    fn on_new_epoch(&mut self, sent: u64) {
        self.awaited = Position::ZERO;
        for group in &mut self.groups {
            group.after = sent;
            group.barrier = None;
        }
    }

    /// The oldest reads, if their barrier is acknowledged and everything before it executed.
    fn take_ready(&mut self, acknowledged: Position, executed: Position) -> Option<Vec<Waiting>> {
        let barrier = self.groups.front()?.barrier?;
        if barrier > acknowledged || barrier > executed.next() {
            return None;
        }
        self.groups.pop_front().map(|group| group.reads)
    }

    /// The read is answered; false if its client has asked for something newer since.
    fn done(&mut self, read: &Waiting) -> bool {
        let is_newest = self.underway.get(&read.client) == Some(&read.number);
        if is_newest {
            self.underway.remove(&read.client);
        }
        is_newest
    }

    pub(super) fn check(&self, limit: usize, head: Position) {
        assert!(self.len() <= limit, "more reads than may wait");
        assert!(self.underway.len() <= self.len());
        let placed = self.groups.iter().map_while(|group| group.barrier);
        assert!(
            placed.clone().is_sorted() && placed.clone().all(|barrier| barrier <= head),
            "barriers stand in the order of their reads"
        );
        let unplaced = self.groups.iter().skip(placed.count());
        assert!(
            unplaced.into_iter().all(|group| group.barrier.is_none()),
            "older reads have their barrier first"
        );
    }
}

impl<S: StateMachine> Rounds<S> {
    /// Whether a request is answered without a place in the log.
    pub(super) fn is_read(&self, request: &Request<'_>) -> bool {
        self.config.reads == ReadPath::Barrier && self.history.is_read(request.operation)
    }

    /// A read that is new. While this replica agrees with others on an epoch it waits: that takes
    /// less than its client waits before it asks another member.
    pub(super) fn on_read(&mut self, now: Tick, request: &Request<'_>, out: &mut Effects) {
        if self.reads.knows(request) {
            return;
        }
        if self.reads.len() >= self.config.limits.reads {
            self.counters.throttled += 1;
            return;
        }
        let sent = self.beat.number();
        let in_flight = self.intake.is_in_flight();
        let after = if in_flight && self.config.breaks(Mutant::ReadInFlightPacket) {
            sent - 1
        } else {
            sent
        };
        self.reads.take(request, after);
        if self.mode == Mode::Normal && self.config.breaks(Mutant::ReadWithoutBarrier) {
            let head = self.committed;
            self.reads.placed(u64::MAX, head);
            self.answer_ready(head, out);
        }
        self.arm_stall(now);
        self.hurry_beat(now);
    }

    /// Notes up to where another member waits for acknowledgements. What a root that is out of its
    /// mind numbers is not believed further than packets are kept.
    pub(super) fn note_barrier(
        &mut self,
        stamp: &StampHeader,
        packet: &RoundPacket<'_>,
        out: &mut Effects,
    ) {
        let installed = stamp.epoch == self.installed.term;
        let sequence = stamp.sequence.0;
        let position = Position(self.term_base.0.saturating_add(sequence));
        if packet.replica == self.config.me {
            if self.config.breaks(Mutant::ReadAfterEpochChange) {
                let position = position.min(self.chain.head());
                self.reads.placed(packet.number, position);
                self.answer_reads(out);
            }
            return;
        }
        let held = self.config.limits.held as u64;
        let near = sequence <= self.next_sequence().0.saturating_add(held);
        if packet.barrier && installed && near {
            self.reads.awaited = self.reads.awaited.max(position);
        }
    }

    /// The epoch is another one: what was sent in the last is no barrier.
    pub(super) fn void_barriers(&mut self) {
        if !self.config.breaks(Mutant::ReadAfterEpochChange) {
            self.reads.on_new_epoch(self.beat.number());
        }
    }

    /// Answers all reads whose turn has come.
    pub(super) fn answer_reads(&mut self, out: &mut Effects) {
        if self.mode != Mode::Normal || self.reads.is_empty() {
            return;
        }
        let (voters, me, head) = (self.voters(), self.config.me, self.chain.head());
        let majority = self.quorum().majority();
        let acknowledged = self.votes.acknowledged_by(voters, me, head, majority);
        self.answer_ready(acknowledged, out);
    }

    fn answer_ready(&mut self, acknowledged: Position, out: &mut Effects) {
        let mut result = core::mem::take(&mut self.scratch);
        let waited = self.reads.len();
        while let Some(reads) = self.reads.take_ready(acknowledged, self.committed) {
            for read in reads {
                if self.reads.done(&read) {
                    self.answer(&read, &mut result, out);
                }
            }
        }
        self.scratch = result;
        if self.reads.len() < waited {
            // Who waits from now on has not waited long: the caller arms the timer again.
            self.timers.cancel(Timer::Stall);
        }
    }

    /// Answers from what is executed, as of the agreed time up to which the log is.
    fn answer(&mut self, read: &Waiting, result: &mut Vec<u8>, out: &mut Effects) {
        let time = self.chain.time(self.committed).expect("it is held");
        result.clear();
        self.history.read(time, &read.operation, result);
        self.counters.reads += 1;
        let log = self.history.log();
        let reply = Reply {
            client: read.client,
            number: read.number,
            replica: self.config.me,
            view: self.installed.as_view(),
            slot: log.last(),
            hash: log.last_hash(),
            committed: true,
            result,
        };
        out.reply(read.reply_to, &Message::Reply(reply));
    }
}
