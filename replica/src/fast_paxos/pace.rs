//! How long it takes from a request to the choice, as measured by the coordinator.
//!
//! Only speed depends on what stands here, never safety.

use crate::rhythm::Estimate;
use core::hash::{Hash, Hasher};
use wire::{SlotNumber, Tick};

/// What was measured, one slot at a time.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Pace {
    choice: Estimate,
    probe: Option<(SlotNumber, Tick)>,
}

impl Pace {
    /// A request was appended.
    pub(super) fn appended(&mut self, slot: SlotNumber, now: Tick) {
        if self.probe.is_none() {
            self.probe = Some((slot, now));
        }
    }

    /// Everything up to `slot` is chosen.
    pub(super) fn chosen(&mut self, slot: SlotNumber, now: Tick) {
        if let Some((probe, since)) = self.probe
            && probe <= slot
        {
            self.choice.add(now.since(since));
            self.probe = None;
        }
    }

    /// What was appended may never be chosen as it is.
    pub(super) fn interrupted(&mut self) {
        self.probe = None;
    }

    /// How long a choice may take, in microseconds.
    pub(super) fn patience_us(&self, least_us: u64, most_us: u64) -> u64 {
        let usual = self.choice.bound_ns() / 1_000;
        usual.clamp(least_us, most_us.max(least_us))
    }
}

/// Measurements are no part of a replica's state.
impl PartialEq for Pace {
    fn eq(&self, _other: &Self) -> bool {
        true
    }
}

impl Eq for Pace {}

impl Hash for Pace {
    fn hash<H: Hasher>(&self, _state: &mut H) {}
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patience_follows_what_choices_take_within_bounds() {
        let mut pace = Pace::default();
        assert_eq!(pace.patience_us(500, 6_000), 500);
        for slot in 1..100 {
            let now = Tick(slot * 10_000_000);
            pace.appended(SlotNumber(slot), now);
            pace.chosen(SlotNumber(slot), now.plus_us(1_000));
        }
        let patience = pace.patience_us(500, 6_000);
        assert!((1_000..2_000).contains(&patience), "{patience}");
        pace.appended(SlotNumber(100), Tick(0));
        pace.interrupted();
        pace.chosen(SlotNumber(100), Tick(u64::MAX));
        assert_eq!(pace.patience_us(500, 6_000), patience);
    }
}
