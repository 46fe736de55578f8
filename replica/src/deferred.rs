//! Requests that came while a replica may not execute, or may not order.

use crate::history::StoredRequest;
use alloc::collections::VecDeque;
use alloc::vec::Vec;

/// How many requests may wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct DeferredLimits {
    /// Requests. The oldest are dropped first; their clients ask again.
    pub requests: usize,
    /// The same in bytes of operations.
    pub bytes: usize,
}

impl Default for DeferredLimits {
    fn default() -> Self {
        Self {
            requests: 4_096,
            bytes: 8 << 20,
        }
    }
}

/// A bounded queue: the oldest are dropped first, their clients ask again.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Deferred {
    requests: VecDeque<StoredRequest>,
    bytes: usize,
    /// Requests that others ordered since the queue was last looked through.
    executed: usize,
}

impl Deferred {
    /// Keeps a request; returns how many were dropped for it.
    pub(crate) fn push(&mut self, limits: DeferredLimits, request: StoredRequest) -> u64 {
        self.bytes += request.operation.len();
        self.requests.push_back(request);
        let mut dropped = 0;
        while self.requests.len() > limits.requests || self.bytes > limits.bytes {
            let Some(oldest) = self.requests.pop_front() else {
                break;
            };
            self.bytes -= oldest.operation.len();
            dropped += 1;
        }
        dropped
    }

    /// So many requests were executed that somebody else had ordered; keeps only those that are
    /// still `new`. Looks through the queue when as many were executed as are in it, so that a
    /// request costs the same however many wait.
    pub(crate) fn executed(&mut self, count: usize, new: impl Fn(&StoredRequest) -> bool) {
        self.executed += count;
        if self.executed < self.requests.len() {
            return;
        }
        self.executed = 0;
        self.requests.retain(new);
        let operations = self.requests.iter().map(|request| &request.operation);
        self.bytes = operations.map(|operation| operation.len()).sum();
    }

    /// Everything, in the root's order.
    pub(crate) fn take(&mut self) -> Vec<StoredRequest> {
        (self.bytes, self.executed) = (0, 0);
        let mut requests: Vec<_> = core::mem::take(&mut self.requests).into();
        requests.sort_by_key(|request| request.origin);
        requests
    }

    /// How many requests, and the bytes of their operations.
    pub(crate) fn held(&self) -> (usize, usize) {
        (self.requests.len(), self.bytes)
    }

    pub(crate) fn check(&self, limits: DeferredLimits) {
        assert!(self.requests.len() <= limits.requests);
        assert!(self.bytes <= limits.bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::Origin;
    use alloc::vec;
    use wire::{ClientId, HostAddress, RequestNumber};

    fn request(number: u64) -> StoredRequest {
        StoredRequest {
            origin: Origin::default(),
            client: ClientId(7),
            number: RequestNumber(number),
            reply_to: HostAddress::default(),
            operation: vec![0; 10].into(),
        }
    }

    #[test]
    fn what_others_ordered_is_let_go_after_as_many_as_wait() {
        let limits = DeferredLimits::default();
        let mut deferred = Deferred::default();
        for number in 1..=4 {
            assert_eq!(deferred.push(limits, request(number)), 0);
        }
        let new = |request: &StoredRequest| request.number > RequestNumber(3);
        deferred.executed(3, new);
        assert_eq!(deferred.held(), (4, 40));
        deferred.executed(1, new);
        assert_eq!(deferred.held(), (1, 10));
        deferred.executed(1, |_| false);
        assert_eq!(deferred.held(), (0, 0));
    }
}
