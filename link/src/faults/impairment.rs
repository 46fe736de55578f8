//! The faults of one direction: takes frames, decides, holds, releases. No link, no clock.

use std::collections::VecDeque;

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use wire::Tick;

use super::{Direction, FaultPlan};
use crate::{DropReason, Drops};

/// Most frames held for later in one direction.
pub(super) const HELD_LIMIT: usize = 16_384;
/// Most frames that overtake one that is held back.
const OVERTAKEN_BY: u32 = 3;
/// Longest time a frame is held back to be overtaken.
pub(super) const HELD_BACK_US: u64 = 1_000;

/// What was done to frames of one direction.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FaultCounts {
    /// Frames that came to be treated.
    pub taken: u64,
    /// Lost by probability.
    pub lost: u64,
    /// Doubled.
    pub duplicated: u64,
    /// Held back to be overtaken.
    pub held_back: u64,
}

pub(super) struct Impairment {
    plan: FaultPlan,
    random: ChaCha8Rng,
    /// Frames that later ones overtake.
    held_back: Vec<HeldBack>,
    /// Frames on their way, in order; each leaves at its time, but not before those in front.
    on_the_way: VecDeque<OnTheWay>,
    /// Buffers of frames that left.
    spare: Vec<Vec<u8>>,
    counts: FaultCounts,
}

struct HeldBack {
    frame: Vec<u8>,
    /// Frames that still have to pass first.
    behind: u32,
    until: Tick,
    delay_us: u64,
}

struct OnTheWay {
    frame: Vec<u8>,
    release: Tick,
}

/// Everything random about one frame.
struct Decisions {
    lost: bool,
    duplicated: bool,
    held_behind: Option<u32>,
    delay_us: u64,
}

impl Impairment {
    pub(super) fn new(seed: u64, direction: Direction) -> Self {
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        random.set_stream(match direction {
            Direction::Outgoing => 0,
            Direction::Incoming => 1,
        });
        Self {
            plan: FaultPlan::default(),
            random,
            held_back: Vec::new(),
            on_the_way: VecDeque::new(),
            spare: Vec::new(),
            counts: FaultCounts::default(),
        }
    }

    pub(super) fn set_plan(&mut self, plan: FaultPlan) {
        self.plan = plan;
    }

    pub(super) fn counts(&self) -> FaultCounts {
        self.counts
    }

    /// Whether frames may pass by: nothing is to be done and none waits.
    pub(super) fn is_transparent(&self) -> bool {
        self.plan.is_none() && self.on_the_way.is_empty() && self.held_back.is_empty()
    }

    /// Takes one frame; what becomes of it comes out of [`release`](Self::release).
    pub(super) fn take(&mut self, frame: &[u8], now: Tick, drops: &mut Drops) {
        let decisions = self.decide();
        self.counts.taken += 1;
        if self.plan.down {
            drops.count(DropReason::LinkDown);
            return;
        }
        if decisions.lost {
            self.counts.lost += 1;
            drops.count(DropReason::FaultLoss);
            return;
        }
        let copies = 1 + usize::from(decisions.duplicated);
        if self.on_the_way.len() + self.held_back.len() + copies > HELD_LIMIT {
            drops.count(DropReason::FaultOverflow);
            return;
        }
        let delay_us = decisions.delay_us;
        let already_held = self.held_back.len();
        if let Some(behind) = decisions.held_behind {
            self.counts.held_back += 1;
            let until = now.plus_us(HELD_BACK_US);
            let frame = self.copy(frame);
            self.held_back.push(HeldBack {
                frame,
                behind,
                until,
                delay_us,
            });
        } else {
            let frame = self.copy(frame);
            self.delay(frame, delay_us, now);
        }
        if decisions.duplicated {
            self.counts.duplicated += 1;
            let frame = self.copy(frame);
            self.delay(frame, delay_us, now);
        }
        if decisions.held_behind.is_none() || decisions.duplicated {
            self.overtake(already_held, now);
        }
    }

    /// Calls `each` with at most `limit` frames that are due, in order; returns how many.
    pub(super) fn release(
        &mut self,
        now: Tick,
        limit: usize,
        each: &mut dyn FnMut(&[u8]),
    ) -> usize {
        self.let_go(now, |held| held.until <= now);
        let mut released = 0;
        while released < limit {
            let Some(next) = self.on_the_way.pop_front_if(|next| next.release <= now) else {
                break;
            };
            each(&next.frame);
            self.spare.push(next.frame);
            released += 1;
        }
        released
    }

    /// When the next frame is due.
    pub(super) fn deadline(&self) -> Option<Tick> {
        let front = self.on_the_way.front().map(|next| next.release);
        front
            .into_iter()
            .chain(self.held_back.iter().map(|held| held.until))
            .min()
    }

    /// Draws the same number of random words for every frame, whatever the plan.
    fn decide(&mut self) -> Decisions {
        let plan = self.plan;
        let [loss, duplication, reordering, behind, jitter] =
            std::array::from_fn(|_| self.random.next_u32());
        let jitter_us = u64::from(plan.jitter_us);
        let earliest = u64::from(plan.delay_us).saturating_sub(jitter_us);
        let latest = u64::from(plan.delay_us) + jitter_us;
        let held_behind = plan.reordering.happens(reordering);
        Decisions {
            lost: plan.loss.happens(loss),
            duplicated: plan.duplication.happens(duplication),
            held_behind: held_behind.then_some(1 + behind % OVERTAKEN_BY),
            delay_us: earliest + ((u64::from(jitter) * (latest - earliest + 1)) >> 32),
        }
    }

    /// Counts one frame that passed the first `already_held` held ones and lets those go that
    /// were overtaken often enough.
    fn overtake(&mut self, already_held: usize, now: Tick) {
        for held in &mut self.held_back[..already_held] {
            held.behind -= 1;
        }
        self.let_go(now, |held| held.behind == 0);
    }

    fn let_go(&mut self, now: Tick, is_over: impl Fn(&HeldBack) -> bool) {
        let mut index = 0;
        while index < self.held_back.len() {
            if is_over(&self.held_back[index]) {
                let held = self.held_back.remove(index);
                self.delay(held.frame, held.delay_us, now);
            } else {
                index += 1;
            }
        }
    }

    /// Puts a frame on its way. It does not overtake the ones in front, even if its own delay is
    /// shorter: only the foremost frame is ever looked at.
    fn delay(&mut self, frame: Vec<u8>, delay_us: u64, now: Tick) {
        let release = now.plus_us(delay_us);
        self.on_the_way.push_back(OnTheWay { frame, release });
    }

    fn copy(&mut self, frame: &[u8]) -> Vec<u8> {
        let mut copy = self.spare.pop().unwrap_or_default();
        copy.clear();
        copy.extend_from_slice(frame);
        copy
    }
}
