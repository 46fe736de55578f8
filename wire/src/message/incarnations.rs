//! How often each replica of a group has started, as far as the sender knows (a crash vector).
//!
//! A message of a replica's earlier life may still be on its way when the replica has forgotten
//! what it promised in it. Whoever knows of the newer life can tell.

use crate::bytes::{Put, Reader};
use crate::{ReplicaId, WireError};
use alloc::vec::Vec;

/// The largest group that fits.
const REPLICAS_MAX: usize = 15;

/// One incarnation a replica; 0 for a replica of which nothing is known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Incarnations {
    count: u8,
    values: [u64; REPLICAS_MAX],
}

impl Incarnations {
    /// Nothing known about any of `n` replicas. Panics if `n` is over 15.
    pub fn unknown(n: usize) -> Self {
        assert!(n <= REPLICAS_MAX, "a group has at most 15 replicas");
        Self {
            count: u8::try_from(n).expect("at most 15"),
            values: [0; REPLICAS_MAX],
        }
    }

    /// The incarnation of a replica; 0 if the replica is not in the group.
    pub fn of(&self, replica: ReplicaId) -> u64 {
        let index = usize::from(replica.0);
        if replica.0 < self.count {
            self.values[index]
        } else {
            0
        }
    }

    /// Notes an incarnation unless a newer one is known.
    pub fn learn(&mut self, replica: ReplicaId, incarnation: u64) {
        if replica.0 < self.count {
            let known = &mut self.values[usize::from(replica.0)];
            *known = incarnation.max(*known);
        }
    }

    /// Notes everything that another replica knows.
    pub fn merge(&mut self, other: &Self) {
        for (known, value) in self.values[..usize::from(self.count)]
            .iter_mut()
            .zip(other.values)
        {
            *known = value.max(*known);
        }
    }

    pub(super) fn parse(reader: &mut Reader<'_>) -> Result<Self, WireError> {
        let count = reader.u8("replicas in a crash vector")?;
        let mut read = Self {
            count,
            values: [0; REPLICAS_MAX],
        };
        let values = read.values.get_mut(..usize::from(count));
        for value in values.ok_or(WireError::UnknownValue {
            what: "replicas in a crash vector",
            value: count.into(),
        })? {
            *value = reader.u64("incarnation")?;
        }
        Ok(read)
    }

    pub(super) fn emit(&self, out: &mut Vec<u8>) {
        out.put_u8(self.count);
        for value in &self.values[..usize::from(self.count)] {
            out.put_u64(*value);
        }
    }
}
