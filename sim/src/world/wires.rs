//! The wires between hosts and switch: each way has a rate, a delay and a queue with priorities,
//! and does to frames what the faults of the moment say.

use super::queue::{Event, Queue};
use crate::draw::{Draw, Purpose};
use crate::schedule::{HostSet, Noise, Way};
use link::endpoint::frame::FRAME_HEADER;
use std::collections::BTreeMap;
use wire::{StampHeader, Tick};

/// Ten gigabits a second: picoseconds for a byte.
const PS_PER_BYTE: u64 = 800;
/// From one end of a wire to the other.
const DELAY_NS: u64 = 2_000;
/// A frame that finds so many bytes before it is dropped.
const QUEUE_BYTES: usize = 512 * 1_024;
/// The copy of a frame that is delivered twice comes at most so much later.
const DUPLICATE_NS: u64 = 100_000;

/// Why a frame went no further.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lost {
    /// The wire lost it.
    Noise,
    /// The queue before the wire was full.
    QueueFull,
}

impl Lost {
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Noise => "lost on the wire",
            Self::QueueFull => "queue full",
        }
    }
}

/// One way of one host's wire.
#[derive(Debug)]
struct Wire {
    draw: Draw,
    free_at: Tick,
    /// Highest priority first, then first come first served.
    waiting: BTreeMap<(u8, u64), Vec<u8>>,
    waiting_bytes: usize,
}

#[derive(Clone, Copy, Debug)]
struct Harm<T> {
    item: usize,
    hosts: HostSet,
    way: Way,
    what: T,
}

#[derive(Clone, Copy, Debug)]
struct Slowness {
    divisor: u64,
    delay_ns: u64,
    /// Whether only frames are slow that the root has stamped.
    stamped: bool,
}

fn is_stamped(frame: &[u8]) -> bool {
    let payload = frame.get(FRAME_HEADER..).unwrap_or_default();
    StampHeader::parse(payload).is_ok_and(|(stamp, _)| stamp.is_stamped())
}

/// All wires.
#[derive(Debug)]
pub(super) struct Wires {
    replicas: usize,
    /// Wires of hosts; those after them are between switches.
    hosts: usize,
    ways: Vec<Wire>,
    noise: Vec<Harm<Noise>>,
    slow: Vec<Harm<Slowness>>,
    sent: u64,
}

impl Wires {
    /// Wires of `hosts` hosts, and `trunks` ones between switches.
    pub(super) fn new(seed: u64, replicas: usize, hosts: usize, trunks: usize) -> Self {
        let wire = |index: usize| Wire {
            draw: Draw::new(
                seed,
                Purpose::Wire(u16::try_from(index).expect("few wires")),
            ),
            free_at: Tick(0),
            waiting: BTreeMap::new(),
            waiting_bytes: 0,
        };
        Self {
            replicas,
            hosts,
            ways: (0..2 * (hosts + trunks)).map(wire).collect(),
            noise: Vec::new(),
            slow: Vec::new(),
            sent: 0,
        }
    }

    pub(super) fn add_noise(&mut self, item: usize, hosts: HostSet, way: Way, what: Noise) {
        self.noise.push(Harm {
            item,
            hosts,
            way,
            what,
        });
    }

    pub(super) fn add_slowness(
        &mut self,
        item: usize,
        hosts: HostSet,
        divisor: u64,
        delay_ns: u64,
    ) {
        self.slow.push(Harm {
            item,
            hosts,
            way: Way::Both,
            what: Slowness {
                divisor,
                delay_ns,
                stamped: false,
            },
        });
    }

    /// What the root has stamped takes a longer way to these hosts.
    pub(super) fn add_detour(&mut self, item: usize, hosts: HostSet, delay_ns: u64) {
        self.slow.push(Harm {
            item,
            hosts,
            way: Way::Down,
            what: Slowness {
                divisor: 1,
                delay_ns,
                stamped: true,
            },
        });
    }

    /// Ends what an item did.
    pub(super) fn remove(&mut self, item: usize) {
        self.noise.retain(|harm| harm.item != item);
        self.slow.retain(|harm| harm.item != item);
    }

    /// A host hands a frame to its wire.
    pub(super) fn send_up(
        &mut self,
        now: Tick,
        host: usize,
        frame: Vec<u8>,
        queue: &mut Queue,
    ) -> Result<(), Lost> {
        self.send(now, 2 * host, 0, frame, queue)
    }

    /// A switch hands a frame to a wire between switches, upwards from its lower end.
    pub(super) fn send_trunk(
        &mut self,
        now: Tick,
        (trunk, from_lower): (usize, bool),
        priority: u8,
        frame: Vec<u8>,
        queue: &mut Queue,
    ) -> Result<(), Lost> {
        let index = 2 * (self.hosts + trunk) + usize::from(!from_lower);
        self.send(now, index, priority, frame, queue)
    }

    /// The switch hands a frame to a host's wire; higher priorities go first.
    pub(super) fn send_down(
        &mut self,
        now: Tick,
        host: usize,
        priority: u8,
        frame: Vec<u8>,
        queue: &mut Queue,
    ) -> Result<(), Lost> {
        self.send(now, 2 * host + 1, priority, frame, queue)
    }

    fn send(
        &mut self,
        now: Tick,
        index: usize,
        priority: u8,
        frame: Vec<u8>,
        queue: &mut Queue,
    ) -> Result<(), Lost> {
        let wire = &mut self.ways[index];
        if now >= wire.free_at && wire.waiting.is_empty() {
            return self.transmit(now, index, frame, queue);
        }
        if wire.waiting_bytes + frame.len() > QUEUE_BYTES {
            return Err(Lost::QueueFull);
        }
        if wire.waiting.is_empty() {
            queue.push(wire.free_at, Event::WireFree { wire: index });
        }
        self.sent += 1;
        wire.waiting_bytes += frame.len();
        wire.waiting.insert((u8::MAX - priority, self.sent), frame);
        Ok(())
    }

    /// The wire has sent a frame and others wait.
    pub(super) fn on_free(
        &mut self,
        now: Tick,
        index: usize,
        queue: &mut Queue,
    ) -> Result<(), Lost> {
        let wire = &mut self.ways[index];
        let Some((_, frame)) = wire.waiting.pop_first() else {
            return Ok(());
        };
        wire.waiting_bytes -= frame.len();
        let sent = self.transmit(now, index, frame, queue);
        let wire = &self.ways[index];
        if !wire.waiting.is_empty() {
            queue.push(wire.free_at, Event::WireFree { wire: index });
        }
        sent
    }

    fn transmit(
        &mut self,
        now: Tick,
        index: usize,
        frame: Vec<u8>,
        queue: &mut Queue,
    ) -> Result<(), Lost> {
        let (host, up) = (index / 2, index.is_multiple_of(2));
        let (replicas, all) = (self.replicas, self.hosts);
        let affects = |hosts: HostSet, way: Way| {
            let has = if host >= all {
                hosts == HostSet::ALL
            } else if host < replicas {
                hosts.has_replica(host)
            } else {
                hosts.has_client(host - replicas)
            };
            has && way.includes(up)
        };
        let (mut ps, mut delay) = (PS_PER_BYTE * frame.len() as u64, DELAY_NS);
        for harm in self
            .slow
            .iter()
            .filter(|harm| affects(harm.hosts, harm.way))
            .filter(|harm| !harm.what.stamped || is_stamped(&frame))
        {
            ps *= harm.what.divisor;
            delay += harm.what.delay_ns;
        }
        let wire = &mut self.ways[index];
        wire.free_at = Tick(now.0 + ps.div_ceil(1_000));
        let mut arrives = Tick(wire.free_at.0 + delay);
        let mut again = None;
        for harm in self
            .noise
            .iter()
            .filter(|harm| affects(harm.hosts, harm.way))
        {
            let noise = harm.what;
            if wire.draw.happens(noise.loss_ppm) {
                return Err(Lost::Noise);
            }
            if wire.draw.happens(noise.reorder_ppm) {
                arrives.0 += wire.draw.below(noise.reorder_ns.max(1));
            }
            if wire.draw.happens(noise.duplicate_ppm) {
                again = Some(Tick(arrives.0 + wire.draw.below(DUPLICATE_NS)));
            }
        }
        let event = |frame: Vec<u8>| match (host.checked_sub(all), up) {
            (None, true) => Event::AtSwitch { host, frame },
            (None, false) => Event::AtHost { host, frame },
            (Some(trunk), up) => Event::AtTrunkEnd {
                trunk,
                lower: !up,
                frame,
            },
        };
        if let Some(again) = again {
            queue.push(again, event(frame.clone()));
        }
        queue.push(arrives, event(frame));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arrivals(queue: &mut Queue, wires: &mut Wires) -> Vec<(u64, u8)> {
        let mut arrived = Vec::new();
        while let Some((at, event)) = queue.pop() {
            match event {
                Event::AtHost { frame, .. } | Event::AtSwitch { frame, .. } => {
                    arrived.push((at.0, frame[0]));
                }
                Event::WireFree { wire } => wires.on_free(at, wire, queue).unwrap(),
                other => panic!("{other:?}"),
            }
        }
        arrived
    }

    #[test]
    fn a_busy_wire_sends_the_most_important_frame_next() {
        let (mut wires, mut queue) = (Wires::new(1, 2, 3, 0), Queue::default());
        for (priority, mark) in [(0, 1), (0, 2), (7, 3), (0, 4)] {
            wires
                .send_down(Tick(0), 1, priority, vec![mark; 1_000], &mut queue)
                .unwrap();
        }
        let expected = [(2_800, 1), (3_600, 3), (4_400, 2), (5_200, 4)];
        assert_eq!(arrivals(&mut queue, &mut wires), expected);
    }

    #[test]
    fn a_full_queue_drops_and_a_slow_wire_takes_its_time() {
        let (mut wires, mut queue) = (Wires::new(1, 2, 3, 0), Queue::default());
        wires.add_slowness(
            1,
            HostSet {
                replicas: 1,
                clients: 0,
            },
            100,
            50_000,
        );
        for _ in 0..525 {
            let _ = wires.send_up(Tick(0), 0, vec![0; 1_000], &mut queue);
        }
        assert_eq!(
            wires.send_up(Tick(0), 0, vec![0; 1_000], &mut queue),
            Err(Lost::QueueFull)
        );
        let arrived = arrivals(&mut queue, &mut wires);
        assert_eq!(arrived[0].0, 80_000 + 52_000);
        assert_eq!(arrived.len(), 525);
    }

    #[test]
    fn a_detour_is_for_what_the_root_has_stamped() {
        let (mut wires, mut queue) = (Wires::new(1, 2, 3, 0), Queue::default());
        let first = HostSet {
            replicas: 1,
            clients: 0,
        };
        wires.add_detour(4, first, 300_000);
        let sender = wire::Sender::Member(wire::ReplicaId(1));
        let mut stamp = StampHeader::unstamped(wire::Kind::RoundPacket, sender, wire::GroupId(1));
        let mut frame = |epoch: u32, mark: u8| {
            stamp.epoch = wire::EpochNumber(epoch);
            let mut frame = [[0; FRAME_HEADER].as_slice(), &stamp.to_bytes()].concat();
            frame[0] = mark;
            frame.resize(1_000, 0);
            frame
        };
        for (host, epoch, mark) in [(0, 3, 1), (0, 0, 2), (1, 3, 3)] {
            let frame = frame(epoch, mark);
            let sent = wires.send_down(Tick(0), host, 0, frame, &mut queue);
            assert_eq!(sent, Ok(()));
        }
        let expected = [(2_800, 3), (3_600, 2), (302_800, 1)];
        assert_eq!(arrivals(&mut queue, &mut wires), expected);
        wires.remove(4);
        let sent = wires.send_down(Tick(400_000), 0, 0, frame(3, 4), &mut queue);
        assert_eq!(sent, Ok(()));
        assert_eq!(arrivals(&mut queue, &mut wires), [(402_800, 4)]);
    }

    #[test]
    fn noise_hits_whom_it_is_meant_for_and_ends() {
        let (mut wires, mut queue) = (Wires::new(1, 2, 3, 0), Queue::default());
        let noise = Noise {
            loss_ppm: crate::draw::ALWAYS_PPM,
            ..Noise::default()
        };
        let clients = HostSet {
            replicas: 0,
            clients: 1,
        };
        wires.add_noise(7, clients, Way::Up, noise);
        assert_eq!(
            wires.send_up(Tick(0), 2, vec![1], &mut queue),
            Err(Lost::Noise)
        );
        assert!(wires.send_up(Tick(0), 1, vec![1], &mut queue).is_ok());
        assert!(wires.send_down(Tick(0), 2, 0, vec![1], &mut queue).is_ok());
        wires.remove(7);
        assert!(wires.send_up(Tick(9), 2, vec![1], &mut queue).is_ok());
    }
}
