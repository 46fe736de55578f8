//! What happens when: events in the order of their time, those of one time in the order in which
//! they were put in.

use std::cmp::Ordering;
use std::collections::BinaryHeap;
use wire::Tick;

/// Something that will happen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Event {
    /// A frame of a host reaches the switch.
    AtSwitch { host: usize, frame: Vec<u8> },
    /// A frame reaches an end of a wire between switches.
    AtTrunkEnd {
        trunk: usize,
        lower: bool,
        frame: Vec<u8>,
    },
    /// A frame reaches a host; `from` is the host that sent it.
    AtHost { host: usize, frame: Vec<u8> },
    /// A host hands a frame to its wire.
    Leave { host: usize, frame: Vec<u8> },
    /// A wire can take the next frame that waits for it.
    WireFree { wire: usize },
    /// A message of the bulk channel reaches a replica.
    Bulk {
        from: usize,
        to: usize,
        connection: u64,
        message: Vec<u8>,
    },
    /// A replica's timer.
    ReplicaTimer { replica: usize, generation: u64 },
    /// A replica's processor or disk is done.
    ReplicaFree { replica: usize, incarnation: u64 },
    /// A client's timer.
    ClientTimer { client: usize, generation: u64 },
    /// A client asks for its next operation.
    ClientAsks { client: usize },
    /// The controller goes on with a switch.
    Control { switch: usize, generation: u64 },
    /// A switch has been dark for as long as the controller waits for an answer.
    Silent { item: usize, switch: usize },
    /// A fault begins.
    Begin { item: usize },
    /// A fault ends.
    End { item: usize },
    /// An ambush that has sprung goes on.
    Trap { item: usize, step: u32 },
    /// A snare that has sprung goes on.
    Snare { item: usize, step: u32 },
    /// All faults are over.
    Heal,
}

/// Small, for a heap moves what it holds again and again.
#[derive(Debug)]
struct Entry {
    at: Tick,
    number: u64,
    /// Where the event is kept.
    place: usize,
}

impl PartialEq for Entry {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Entry {}

impl PartialOrd for Entry {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Entry {
    /// The heap gives the greatest: the earliest is the greatest.
    fn cmp(&self, other: &Self) -> Ordering {
        (other.at, other.number).cmp(&(self.at, self.number))
    }
}

/// All events to come.
#[derive(Debug, Default)]
pub(super) struct Queue {
    heap: BinaryHeap<Entry>,
    pushed: u64,
    events: Vec<Option<Event>>,
    /// Where no event is kept.
    free: Vec<usize>,
}

impl Queue {
    pub(super) fn push(&mut self, at: Tick, event: Event) {
        self.pushed += 1;
        let place = if let Some(place) = self.free.pop() {
            self.events[place] = Some(event);
            place
        } else {
            self.events.push(Some(event));
            self.events.len() - 1
        };
        self.heap.push(Entry {
            at,
            number: self.pushed,
            place,
        });
    }

    pub(super) fn pop(&mut self) -> Option<(Tick, Event)> {
        let Entry { at, place, .. } = self.heap.pop()?;
        self.free.push(place);
        let event = self.events[place].take().expect("each is taken once");
        Some((at, event))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn earlier_first_and_first_in_first_out_within_a_time() {
        let mut queue = Queue::default();
        for (at, client) in [(5, 0), (3, 1), (5, 2), (3, 3)] {
            queue.push(Tick(at), Event::ClientAsks { client });
        }
        let order: Vec<(Tick, Event)> = std::iter::from_fn(|| queue.pop()).collect();
        let clients = order.iter().map(|(at, event)| match event {
            Event::ClientAsks { client } => (at.0, *client),
            _ => unreachable!(),
        });
        assert_eq!(
            clients.collect::<Vec<_>>(),
            [(3, 1), (3, 3), (5, 0), (5, 2)]
        );
    }
}
