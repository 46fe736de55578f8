//! Requests that came while a replica may not execute.

use super::config::Limits;
use crate::history::StoredRequest;
use alloc::collections::VecDeque;
use alloc::vec::Vec;

/// A bounded queue: the oldest are dropped first, their clients ask again.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Deferred {
    requests: VecDeque<StoredRequest>,
    bytes: usize,
}

impl Deferred {
    /// Keeps a request; returns how many were dropped for it.
    pub(super) fn push(&mut self, limits: &Limits, request: StoredRequest) -> u64 {
        self.bytes += request.operation.len();
        self.requests.push_back(request);
        let mut dropped = 0;
        while self.requests.len() > limits.deferred_requests || self.bytes > limits.deferred_bytes {
            let Some(oldest) = self.requests.pop_front() else {
                break;
            };
            self.bytes -= oldest.operation.len();
            dropped += 1;
        }
        dropped
    }

    /// Everything, in the root's order.
    pub(super) fn take(&mut self) -> Vec<StoredRequest> {
        self.bytes = 0;
        let mut requests: Vec<_> = core::mem::take(&mut self.requests).into();
        requests.sort_by_key(|request| request.origin);
        requests
    }

    /// How many requests, and the bytes of their operations.
    pub(super) fn held(&self) -> (usize, usize) {
        (self.requests.len(), self.bytes)
    }

    pub(super) fn check(&self, limits: &Limits) {
        assert!(self.requests.len() <= limits.deferred_requests);
        assert!(self.bytes <= limits.deferred_bytes);
    }
}
