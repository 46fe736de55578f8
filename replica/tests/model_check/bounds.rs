//! What a configuration of the model may do, and how often. Together with the number of
//! replicas and the highest view these are all the bounds there are.

use crate::checking::Configuration;
use crate::firing;
use crate::model::{Group, State};
use replica::Mutant;
use replica::spec_paxos::Timer;
use wire::{ReplicaId, ViewNumber};

pub(crate) use crate::firing::{ALL, REPLICAS, anywhere, at};

/// Clients; each asks once.
pub(crate) const CLIENTS: usize = 2;
/// States in which a replica has promised a later view are not explored.
pub(crate) const VIEW_MAX: ViewNumber = ViewNumber(2);

/// A timer that may fire.
pub(crate) type Firing = firing::Firing<Timer>;

/// The leader of the first view.
pub(crate) const FIRST_LEADER: u8 = 0b001;
/// The leader of the second.
pub(crate) const SECOND_LEADER: u8 = 0b010;
/// The leader of the third.
pub(crate) const THIRD_LEADER: u8 = 0b100;

/// One configuration.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds {
    /// Whether a missed packet is asked for before what follows it is executed.
    pub(crate) gap_awareness: bool,
    /// Per client: whom its request may reach at first.
    pub(crate) reach: [u8; CLIENTS],
    /// Whether requests may reach a replica that has left the first view.
    pub(crate) late_requests: bool,
    /// The timers that may fire.
    pub(crate) timers: &'static [Firing],
    /// How many retransmissions, at most one a client.
    pub(crate) retransmissions: u8,
    /// Crashes for good. A replica that is never heard again is in every configuration, for all
    /// its messages may be lost and its timers need not fire; this one is checked all the same.
    pub(crate) crashes: u8,
    /// Restarts without the log.
    pub(crate) restarts: u8,
    /// Whether the promised view outlives a restart.
    pub(crate) persists: bool,
    /// Which replicas may crash or restart: bit i stands for replica i.
    pub(crate) faulty: u8,
    /// The deliberate break, if any.
    pub(crate) mutant: Option<Mutant>,
}

impl Bounds {
    /// Nothing but requests in any order.
    pub(crate) const LEAST: Self = Self {
        gap_awareness: false,
        reach: [ALL; CLIENTS],
        late_requests: true,
        timers: &[],
        retransmissions: 0,
        crashes: 0,
        restarts: 0,
        persists: true,
        faulty: ALL,
        mutant: None,
    };

    /// Requests in any order, and these timers.
    pub(crate) const fn firing(timers: &'static [Firing]) -> Self {
        Self {
            timers,
            ..Self::LEAST
        }
    }

    /// The same, and no request reaches a replica that has left the first view.
    pub(crate) const fn without_late_requests(self) -> Self {
        Self {
            late_requests: false,
            ..self
        }
    }

    /// Whether a timer that has fired so often in the group may fire at a replica.
    pub(crate) fn may_fire(&self, replica: ReplicaId, timer: Timer, fired: u8) -> bool {
        firing::may_fire(self.timers, replica, timer, fired)
    }
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
        for asker in &end.askers {
            text.extend(asker.completions().map(|done| format!("  {done:?}")));
        }
        text.extend(end.starts.iter().map(|start| format!("  {start:?}")));
        text.push(format!("  committed {:?}", end.decided));
        text
    }
}
