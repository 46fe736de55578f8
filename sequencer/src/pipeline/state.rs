//! What packets and the control plane change: entries, registers, counters, multicast groups.

use alloc::vec;
use alloc::vec::Vec;

use super::PortNumber;
use super::field::{ones, wide_ones};
use super::table::Table;

/// Packets and bytes. Bytes are those of the frame as it came in, as in bmv2.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CounterValue {
    /// Packets.
    pub packets: u64,
    /// Bytes.
    pub bytes: u64,
}

impl CounterValue {
    #[inline]
    pub(crate) fn count(&mut self, bytes: u32) {
        self.packets = self.packets.wrapping_add(1);
        self.bytes = self.bytes.wrapping_add(u64::from(bytes));
    }
}

/// One copy that a multicast group makes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Replica {
    /// Where the copy leaves.
    pub port: PortNumber,
    /// Replication id: the `egress_rid` under which the egress control sees the copy.
    pub rid: u16,
}

/// An array of cells of at most 128 bits; one word each up to 64 bits, else two.
#[derive(Clone, Debug)]
pub(crate) struct Register {
    words: Vec<u64>,
    width: u8,
    size: usize,
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "cells are truncated to their width on purpose"
)]
impl Register {
    pub(crate) fn new(width: u8, size: usize) -> Self {
        let words = if width > 64 { size * 2 } else { size };
        Self {
            words: vec![0; words],
            width,
            size,
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.size
    }

    /// Cells of up to 64 bits.
    #[inline]
    pub(crate) fn is_narrow(&self) -> bool {
        self.width <= 64
    }

    #[inline]
    pub(crate) fn read(&self, index: usize) -> Option<u128> {
        if self.is_narrow() {
            return self.words.get(index).copied().map(u128::from);
        }
        let words = self.words.get(index * 2..index * 2 + 2)?;
        Some((u128::from(words[0]) << 64) | u128::from(words[1]))
    }

    #[inline]
    pub(crate) fn read_narrow(&self, index: usize) -> Option<u64> {
        self.words.get(index).copied()
    }

    #[inline]
    pub(crate) fn write_narrow(&mut self, index: usize, value: u64) {
        if let Some(cell) = self.words.get_mut(index) {
            *cell = value & ones(self.width);
        }
    }

    /// Writes the low bits of `value`; nothing beyond the array.
    pub(crate) fn write(&mut self, index: usize, value: u128) {
        if self.is_narrow() {
            self.write_narrow(index, value as u64);
        } else if let Some(words) = self.words.get_mut(index * 2..index * 2 + 2) {
            let value = value & wide_ones(self.width);
            words[0] = (value >> 64) as u64;
            words[1] = value as u64;
        }
    }

    pub(crate) fn clear(&mut self) {
        self.words.fill(0);
    }
}

/// What instructions reach besides the vector.
#[derive(Clone, Debug)]
pub(crate) struct Externs {
    pub(crate) registers: Vec<Register>,
    pub(crate) counters: Vec<Vec<CounterValue>>,
}

/// What a packet may change while it is in a control.
#[derive(Clone, Debug)]
pub(crate) struct Live {
    pub(crate) tables: Vec<Table>,
    pub(crate) externs: Externs,
}

/// See the module. Apart from `live`, only the control plane changes it.
#[derive(Clone, Debug)]
pub(crate) struct State {
    pub(crate) live: Live,
    pub(crate) groups: Groups,
}

/// Multicast groups by their number.
#[derive(Clone, Debug, Default)]
pub(crate) struct Groups {
    /// In ascending order of their number.
    groups: Vec<(u16, Vec<Replica>)>,
}

impl Groups {
    fn position(&self, id: u16) -> Result<usize, usize> {
        self.groups.binary_search_by_key(&id, |group| group.0)
    }

    #[inline]
    pub(crate) fn get(&self, id: u16) -> Option<&[Replica]> {
        self.position(id)
            .ok()
            .map(|at| self.groups[at].1.as_slice())
    }

    pub(crate) fn set(&mut self, id: u16, replicas: Vec<Replica>) {
        match self.position(id) {
            Ok(at) => self.groups[at].1 = replicas,
            Err(at) => self.groups.insert(at, (id, replicas)),
        }
    }

    pub(crate) fn remove(&mut self, id: u16) {
        if let Ok(at) = self.position(id) {
            self.groups.remove(at);
        }
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (u16, &[Replica])> {
        self.groups
            .iter()
            .map(|(id, replicas)| (*id, replicas.as_slice()))
    }

    pub(crate) fn clear(&mut self) {
        self.groups.clear();
    }
}
