//! What is to be done to frames, and the handle that changes it while the link runs.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::Probability;

/// Which way a frame goes, seen from the end that has the faults.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Direction {
    /// Sent by this end.
    Outgoing,
    /// Received by this end.
    Incoming,
}

/// What is to be done to the frames of one direction. The default does nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FaultPlan {
    /// Nothing passes.
    pub down: bool,
    /// A frame is lost.
    pub loss: Probability,
    /// A frame comes twice.
    pub duplication: Probability,
    /// A frame is held back until 1 to 3 later ones passed, or until 1 ms went by.
    pub reordering: Probability,
    /// Every frame comes this many microseconds later …
    pub delay_us: u32,
    /// … give or take up to this many, never before it was sent.
    pub jitter_us: u32,
}

impl FaultPlan {
    /// A plan that drops everything.
    pub fn link_down() -> Self {
        Self {
            down: true,
            ..Self::default()
        }
    }

    /// Whether the plan does nothing.
    pub fn is_none(&self) -> bool {
        *self == Self::default()
    }
}

/// Shared handle to the plans of one or several links; clones are the same handle.
#[derive(Clone, Debug, Default)]
pub struct FaultControl(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    /// Grows with every change, so that a link looks into the lock only when it has to.
    version: AtomicU64,
    plans: Mutex<Plans>,
}

#[derive(Debug, Default)]
struct Plans {
    outgoing: FaultPlan,
    incoming: FaultPlan,
}

impl FaultControl {
    /// A handle with the same plan for both directions.
    pub fn new(plan: FaultPlan) -> Self {
        let control = Self::default();
        control.set_both(plan);
        control
    }

    /// Replaces the plan of one direction. Frames already held back keep their times. A link
    /// follows at its next call, so a sleeping thread's links follow when it wakes.
    pub fn set(&self, direction: Direction, plan: FaultPlan) {
        let mut plans = self.lock();
        match direction {
            Direction::Outgoing => plans.outgoing = plan,
            Direction::Incoming => plans.incoming = plan,
        }
        self.0.version.fetch_add(1, Ordering::Release);
    }

    /// Replaces the plans of both directions at once.
    pub fn set_both(&self, plan: FaultPlan) {
        *self.lock() = Plans {
            outgoing: plan,
            incoming: plan,
        };
        self.0.version.fetch_add(1, Ordering::Release);
    }

    /// The plan of one direction.
    pub fn plan(&self, direction: Direction) -> FaultPlan {
        let plans = self.lock();
        match direction {
            Direction::Outgoing => plans.outgoing,
            Direction::Incoming => plans.incoming,
        }
    }

    pub(super) fn version(&self) -> u64 {
        self.0.version.load(Ordering::Acquire)
    }

    fn lock(&self) -> MutexGuard<'_, Plans> {
        // Plans are plain values: a thread that panicked with the lock left whole ones.
        self.0.plans.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
