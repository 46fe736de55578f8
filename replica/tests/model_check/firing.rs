//! Which timers may fire, where and how often. Shared by both protocols.

use wire::ReplicaId;

/// Replicas of the group.
pub(crate) const REPLICAS: usize = 3;

/// Every replica: bit i stands for replica i.
pub(crate) const ALL: u8 = (1 << REPLICAS) - 1;

/// A kind of timer that may fire at any time that it is armed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Firing<K> {
    timer: K,
    /// Where: bit i stands for replica i.
    replicas: u8,
    /// How often, all these replicas together.
    times: u8,
}

/// `timer` may fire so often, wherever it is armed.
pub(crate) const fn anywhere<K: Copy>(timer: K, times: u8) -> Firing<K> {
    at(ALL, timer, times)
}

/// `timer` may fire so often at these replicas.
pub(crate) const fn at<K: Copy>(replicas: u8, timer: K, times: u8) -> Firing<K> {
    Firing {
        timer,
        replicas,
        times,
    }
}

/// Whether a timer that has fired so often in the group may fire at a replica.
pub(crate) fn may_fire<K: Copy + PartialEq>(
    firings: &[Firing<K>],
    replica: ReplicaId,
    timer: K,
    fired: u8,
) -> bool {
    firings.iter().any(|firing| {
        let here = firing.replicas & (1 << replica.0) != 0;
        firing.timer == timer && here && fired < firing.times
    })
}
