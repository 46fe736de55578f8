//! A run of entries and its bounds.

use super::*;
use crate::history::Origin;
use alloc::vec;
use wire::{ClientId, HostAddress, RequestNumber};

/// Entries for the slots above `base`, of `bytes` each.
fn run(base: u64, count: usize, bytes: usize, committed: u64) -> Run {
    let request = StoredRequest {
        origin: Origin::default(),
        client: ClientId(7),
        number: RequestNumber(1),
        reply_to: HostAddress::default(),
        operation: vec![0; bytes].into(),
    };
    Run {
        base: SlotNumber(base),
        base_hash: SummaryHash::default(),
        committed: SlotNumber(committed),
        entries: vec![(SummaryHash::default(), request); count],
    }
}

#[test]
fn what_continues_is_kept_until_the_log_reaches_it() {
    let mut ahead = Ahead::default();
    assert_eq!(ahead.keep(run(5, 2, 1, 4)), SlotNumber(5));
    assert_eq!(ahead.keep(run(7, 1, 1, 6)), SlotNumber(5));
    assert_eq!(ahead.take(SlotNumber(4)), None);
    let kept = ahead.take(SlotNumber(6)).expect("the log reaches it");
    assert_eq!((kept.base, kept.end()), (SlotNumber(5), SlotNumber(8)));
    assert_eq!(kept.committed, SlotNumber(6));
    assert_eq!((ahead.held(), ahead.take(SlotNumber(9))), ((0, 0), None));
}

#[test]
fn what_lies_behind_another_hole_or_comes_twice_is_not_kept() {
    let mut ahead = Ahead::default();
    ahead.keep(run(5, 2, 1, 4));
    assert_eq!(ahead.keep(run(9, 1, 1, 8)), SlotNumber(5));
    assert_eq!(ahead.keep(run(5, 2, 1, 4)), SlotNumber(5));
    let kept = ahead.take(SlotNumber(5)).expect("the log reaches it");
    assert_eq!((kept.end(), kept.committed), (SlotNumber(7), SlotNumber(4)));
}

#[test]
fn entries_and_bytes_are_bounded() {
    let mut ahead = Ahead::default();
    ahead.keep(run(5, ENTRIES_MAX, 1, 4));
    ahead.keep(run(5 + ENTRIES_MAX as u64, 1, 1, 4));
    assert_eq!(ahead.held(), (ENTRIES_MAX, ENTRIES_MAX));
    let mut ahead = Ahead::default();
    assert_eq!(ahead.keep(run(5, 1, BYTES_MAX + 1, 4)), SlotNumber(6));
    assert_eq!(ahead.held(), (0, 0));
    ahead.keep(run(5, 1, BYTES_MAX, 4));
    ahead.keep(run(6, 1, 1, 4));
    assert_eq!(ahead.held(), (1, BYTES_MAX));
    ahead.check();
}
