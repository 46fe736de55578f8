//! Cases of the merge that say why a rule is there.

use super::super::view::view_of;
use super::*;
use crate::history::Origin;
use alloc::vec;
use wire::message::nopaxos::Place;
use wire::{AgreedTime, ClientId, HostAddress, RequestNumber, SlotNumber, SummaryHash};

const SESSION: EpochNumber = EpochNumber(4);

fn request(session: EpochNumber, position: u64) -> StoredRequest {
    StoredRequest {
        origin: Origin {
            epoch: session,
            sequence: SequenceNumber(position),
            time: AgreedTime(position),
        },
        client: ClientId(position),
        number: RequestNumber(1),
        reply_to: HostAddress::default(),
        operation: vec![].into(),
    }
}

/// A log of a session up to `head`, without the positions in `no_ops`, above `committed`.
fn report(replica: u8, leader: u32, head: u64, no_ops: &[u64], committed: u64) -> Reported {
    let positions = (committed + 1..=head).filter(|position| !no_ops.contains(position));
    let run = |position: &u64| Run {
        first: SequenceNumber(*position),
        last: SequenceNumber(*position),
    };
    Reported {
        replica: ReplicaId(replica),
        last_normal_view: view_of(SESSION, leader),
        incarnations: Incarnations::unknown(3),
        committed: Committed {
            place: Place {
                session: SESSION,
                position: SequenceNumber(committed),
            },
            slot: SlotNumber(committed),
            hash: SummaryHash::EMPTY,
        },
        head: SequenceNumber(head),
        no_ops: no_ops.iter().map(run).collect(),
        requests: positions.map(|p| request(SESSION, p)).collect(),
    }
}

fn positions(merged: &Merged) -> Vec<u64> {
    let requests = merged.requests.iter();
    requests.map(|request| request.origin.sequence.0).collect()
}

#[test]
fn the_longest_log_counts_without_what_anybody_knows_to_be_a_no_op() {
    let merged = merge(None, &[report(0, 1, 3, &[2], 0), report(1, 1, 5, &[], 0)]);
    assert_eq!(positions(&merged), [1, 3, 4, 5]);
    assert_eq!(merged.head, SequenceNumber(5));
}

/// R2 was told of a no-op at 2 in a view that went no further: what that view's leader wanted does
/// not concern the log that the next view began with.
#[test]
fn no_ops_of_an_older_view_count_as_little_as_its_requests() {
    let merged = merge(None, &[report(0, 2, 3, &[], 0), report(2, 1, 9, &[2], 0)]);
    assert_eq!(positions(&merged), [1, 2, 3]);
    assert_eq!(merged.head, SequenceNumber(3));
}

/// R1 has missed that 2 is a no-op, and has the longest log; R0 has committed without it and has
/// forgotten why.
#[test]
fn what_is_committed_is_taken_as_it_is_and_who_has_it_is_named() {
    let mut committed = report(0, 1, 4, &[], 3);
    committed.committed.slot = SlotNumber(2);
    let merged = merge(None, &[committed.clone(), report(1, 1, 6, &[], 1)]);
    assert_eq!(positions(&merged), [4, 5, 6]);
    assert_eq!(merged.committed, committed.committed);
    assert_eq!(merged.holder, ReplicaId(0));
}

/// The same position of another session is another position.
#[test]
fn what_a_session_began_with_stays_before_it() {
    let mut one = report(0, 1, 2, &[1], 0);
    let mut other = report(1, 1, 3, &[], 0);
    for report in [&mut one, &mut other] {
        report.committed = Committed::default();
        let before = [1, 7].map(|position| request(EpochNumber(3), position));
        report.requests.splice(0..0, before);
    }
    let merged = merge(None, &[one, other]);
    assert_eq!(positions(&merged), [1, 7, 2, 3]);
}
