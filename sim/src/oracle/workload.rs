//! What one client asks for, and when, by seed.

use crate::draw::{Draw, Purpose};
use crate::kv;
use crate::linearizability::kv::KvOperation;
use wire::Tick;

/// A client waits for the next beat after one operation in so many.
const WAIT_EVERY: u64 = 5;

/// The next beat after `now`; now, if there is none.
fn after(beats: &[Tick], now: Tick) -> Tick {
    let next = beats.partition_point(|beat| *beat <= now);
    beats.get(next).copied().unwrap_or(now)
}

/// The operations of one client.
#[derive(Debug)]
pub(super) struct Workload {
    draw: Draw,
    client: usize,
    keys: u64,
    issued: usize,
    /// See `Settings::think_ns`.
    think_ns: u64,
}

impl Workload {
    pub(super) fn new(seed: u64, client: usize, keys: u64, think_ns: u64) -> Self {
        let index = u16::try_from(client).expect("few clients");
        Self {
            draw: Draw::new(seed, Purpose::Client(index)),
            client,
            keys,
            issued: 0,
            think_ns,
        }
    }

    pub(super) fn issued(&self) -> usize {
        self.issued
    }

    /// Values name their writer and number, so that a read tells which write it saw.
    pub(super) fn next_operation(&mut self) -> KvOperation {
        self.issued += 1;
        let key = format!("k{}", self.draw.below(self.keys)).into_bytes();
        let value = format!("{}.{};", self.client, self.issued).into_bytes();
        match self.draw.below(10) {
            0..4 => KvOperation::Get { key },
            4..7 => KvOperation::Set { key, value },
            7 => KvOperation::Append { key, value },
            8 => KvOperation::Incr {
                key: [b"n".as_slice(), &key].concat(),
                by: 1,
            },
            _ => KvOperation::Del { key },
        }
    }

    /// The next operation; some are on keys that end by themselves, which are only set and read.
    pub(super) fn next_with_deadlines(&mut self) -> KvOperation {
        if self.draw.below(2) == 0 {
            return self.next_operation();
        }
        self.issued += 1;
        let key = format!("{}{}", kv::ENDING, self.draw.below(self.keys)).into_bytes();
        if self.draw.below(3) > 0 {
            return KvOperation::Get { key };
        }
        let value = format!("{}.{};", self.client, self.issued).into_bytes();
        KvOperation::Set { key, value }
    }

    /// When the client asks again after an answer: mostly at once, now and then at the next beat;
    /// or after a while of its own if it is one that thinks.
    pub(super) fn next_at(&mut self, now: Tick, beats: &[Tick]) -> Tick {
        if self.think_ns > 0 {
            // Not always the same while, or clients would ask in step for ever.
            let while_ns = self
                .draw
                .below(self.think_ns.saturating_mul(2).saturating_add(1));
            return Tick(now.0.saturating_add(while_ns));
        }
        if self.draw.below(WAIT_EVERY) > 0 {
            now
        } else {
            after(beats, now)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clients_that_think_wait_so_long_in_the_mean_and_never_in_step() {
        let mut workload = Workload::new(1, 3, 5, 1_000);
        let waits: Vec<u64> = (0..1_000)
            .map(|_| workload.next_at(Tick(50), &[]).0 - 50)
            .collect();
        let mean = waits.iter().sum::<u64>() / 1_000;
        assert!((950..=1_050).contains(&mean), "{mean}");
        assert!(waits.iter().all(|wait| *wait <= 2_000));
        assert!(waits.iter().min() < Some(&100) && waits.iter().max() > Some(&1_900));
    }

    #[test]
    fn clients_that_wait_meet_at_the_next_beat() {
        let beats = [Tick(10), Tick(20)];
        assert_eq!(after(&beats, Tick(0)), Tick(10));
        assert_eq!(after(&beats, Tick(10)), Tick(20));
        assert_eq!(after(&beats, Tick(25)), Tick(25));
        let waits = |seed| {
            let mut workload = Workload::new(seed, 3, 5, 0);
            (0..1_000)
                .filter(|_| workload.next_at(Tick(0), &beats) > Tick(0))
                .count()
        };
        assert!((150..250).contains(&waits(1)), "{}", waits(1));
        assert_eq!(waits(2), waits(2));
    }

    #[test]
    fn a_seed_is_a_promise_for_each_client() {
        let operations = |client| {
            let mut workload = Workload::new(1, client, 5, 0);
            (0..9)
                .map(|_| workload.next_operation())
                .collect::<Vec<_>>()
        };
        assert_eq!(operations(0), operations(0));
        assert_ne!(operations(0), operations(1));
    }
}
