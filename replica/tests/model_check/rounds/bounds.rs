//! What a configuration of the model may do, and how often.

use super::model::{Group, State};
use crate::checking::Configuration;
use crate::firing::{ALL, Firing};
use replica::rounds::{Mutant, Timer};
use wire::{EpochNumber, RoundsEpoch};

/// Clients; each asks for one thing.
pub(crate) const CLIENTS: usize = 2;

/// One configuration.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds {
    /// Per client: the members that get its request, bit i for member i.
    pub(crate) asks: [u8; CLIENTS],
    /// Packets that the root numbers; it loses all later ones.
    pub(crate) packets: usize,
    /// Copies of packets that are overtaken or lost, all members together.
    pub(crate) held_back: u8,
    /// The timers that may fire.
    pub(crate) timers: &'static [Firing<Timer>],
    /// How often the root gives the last number again.
    pub(crate) reused: u8,
    /// Terms after the first.
    pub(crate) terms: u8,
    /// States in which a member has promised a later epoch are not explored.
    pub(crate) epoch_max: RoundsEpoch,
    /// Restarts without the log.
    pub(crate) restarts: u8,
    /// Which members may restart: bit i stands for member i.
    pub(crate) faulty: u8,
    /// The deliberate break, if any.
    pub(crate) mutant: Option<Mutant>,
}

/// The epoch in which the clients come.
pub(crate) const FIRST_EPOCH: RoundsEpoch = epoch(1, 1);

/// An epoch by its term and attempt.
pub(crate) const fn epoch(term: u32, attempt: u32) -> RoundsEpoch {
    RoundsEpoch {
        term: EpochNumber(term),
        attempt,
    }
}

impl Bounds {
    /// One client asks one member, and packets arrive in order.
    pub(crate) const LEAST: Self = Self {
        asks: [0b001, 0],
        packets: 8,
        held_back: 0,
        timers: &[],
        reused: 0,
        terms: 0,
        epoch_max: FIRST_EPOCH,
        restarts: 0,
        faulty: ALL,
        mutant: None,
    };
}

impl Configuration for Bounds {
    type Group = Group;

    fn group(self) -> Group {
        Group::new(self)
    }

    fn mutant(&self) -> Option<&'static str> {
        self.mutant.map(Mutant::name)
    }

    fn tell(end: &State) -> Vec<String> {
        let mut text: Vec<String> = end.violation.iter().cloned().collect();
        text.extend(end.starts.iter().map(|start| format!("  {start:?}")));
        text.push(format!("  decided {:?}", end.decided));
        for seat in &end.seats {
            text.push(format!("  {seat}"));
        }
        text
    }
}
