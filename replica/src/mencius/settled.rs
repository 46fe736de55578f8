//! Executed batches that are kept for servers that lack them.

use super::lane::StoredBatch;
use alloc::collections::VecDeque;
use wire::InstanceNumber;

/// What was decided above `base`: these batches, and no-ops else.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Settled {
    base: InstanceNumber,
    batches: VecDeque<(InstanceNumber, StoredBatch)>,
    bytes: usize,
}

impl Settled {
    /// Nothing, after a snapshot.
    pub(super) fn above(base: InstanceNumber) -> Self {
        Self {
            base,
            ..Self::default()
        }
    }

    pub(super) fn base(&self) -> InstanceNumber {
        self.base
    }

    /// Keeps a batch; drops the oldest beyond the bounds.
    pub(super) fn push(
        &mut self,
        instance: InstanceNumber,
        batch: StoredBatch,
        (batches, bytes): (usize, usize),
    ) {
        self.bytes += batch.len();
        self.batches.push_back((instance, batch));
        while self.batches.len() > batches || self.bytes > bytes {
            let (instance, dropped) = self.batches.pop_front().expect("one is too many");
            self.base = instance;
            self.bytes -= dropped.len();
        }
    }

    /// The batches above an instance.
    pub(super) fn iter_above(
        &self,
        instance: InstanceNumber,
    ) -> impl Iterator<Item = &(InstanceNumber, StoredBatch)> {
        let from = self.batches.partition_point(|(at, _)| *at <= instance);
        self.batches.range(from..)
    }

    pub(super) fn held(&self) -> (usize, usize) {
        (self.batches.len(), self.bytes)
    }
}
