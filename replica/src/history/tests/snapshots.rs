//! Snapshots between replicas, and bytes that are none.

use super::*;
use proptest::prelude::*;

/// Three clients, five committed entries (the first ones dropped when nothing is retained), two
/// speculative ones.
fn busy(retained_bytes: usize) -> History<Tape> {
    let mut history = bounded(retained_bytes, 4);
    for (client, number) in [(1, 1), (2, 1), (1, 2), (3, 1), (2, 2), (1, 3), (4, 1)] {
        ask(&mut history, client, number);
    }
    history.commit(SlotNumber(5));
    history
}

#[test]
fn a_restored_replica_goes_on_like_the_others() {
    let mut old = busy(usize::MAX);
    let (at, bytes) = snapshot_of(&mut old);
    let mut new = bounded(usize::MAX, 4);
    ask(&mut new, 77, 1);
    new.restore(at, &bytes).unwrap();
    new.check_thoroughly();
    assert_eq!(new.log().base(), SlotNumber(5));
    assert_eq!(
        (new.log().last(), new.log().last_committed()),
        (at.slot, at.slot)
    );
    assert_eq!(
        freshness(&new, 77, 1),
        Freshness::New,
        "everything is replaced"
    );
    old.rollback(at.slot, |_| {});
    for history in [&mut old, &mut new] {
        for (client, number) in [(5, 1), (1, 3), (6, 1)] {
            ask(history, client, number);
        }
    }
    assert_eq!(old.log().last_hash(), new.log().last_hash());
    assert_eq!(old.machine(), new.machine());
    for client in (1..=6).map(ClientId) {
        assert_eq!(old.saved_reply(client), new.saved_reply(client));
    }
    new.rollback(at.slot, |_| {});
    assert_eq!(snapshot_of(&mut new), (at, bytes), "and back again");
}

#[test]
fn bytes_follow_from_the_committed_prefix_alone() {
    let all = snapshot_of(&mut busy(usize::MAX));
    assert_eq!(snapshot_of(&mut busy(0)), all, "truncated");
    let mut other = busy(300);
    other.rollback(SlotNumber(5), |_| {});
    assert_eq!(snapshot_of(&mut other), all, "nothing speculative");
    ask(&mut other, 9, 1);
    assert_eq!(snapshot_of(&mut other), all, "something else speculative");
    ask(&mut other, 8, 1);
    other.commit(SlotNumber(6));
    assert_ne!(snapshot_of(&mut other), all);
}

#[test]
fn a_snapshot_is_appended_to_what_is_there() {
    let (_, bytes) = snapshot_of(&mut busy(0));
    let mut out = b"before".to_vec();
    busy(0).snapshot(&mut out);
    assert_eq!(out, [b"before", &*bytes].concat());
}

#[test]
fn a_snapshot_that_forgets_or_contradicts_committed_slots_is_refused() {
    let (at, bytes) = snapshot_of(&mut busy(0));
    let mut ahead = busy(0);
    ahead.commit(SlotNumber(6));
    let unchanged = ahead.clone();
    let error = ahead.restore(at, &bytes).unwrap_err();
    assert_eq!(error.reason, "it ends below a slot that is committed here");
    let (mut at, bytes) = snapshot_of(&mut ahead);
    at.hash.0[0] ^= 1;
    let error = ahead.restore(at, &bytes).unwrap_err();
    assert_eq!(
        error.reason,
        "another log up to its last slot is committed here"
    );
    assert_eq!(ahead, unchanged);
}

/// Offset of the client count: version, length, machine.
fn clients_start(bytes: &[u8]) -> usize {
    9 + usize::from(bytes[8])
}

/// Why the snapshot is then refused, which byte changes, and how.
type Damage = (&'static str, usize, fn(u8) -> u8);

#[test]
fn each_kind_of_damage_is_named() {
    let (at, good) = snapshot_of(&mut busy(0));
    let clients = clients_start(&good);
    let record = clients + 4;
    let damage: [Damage; 9] = [
        ("unknown version of the snapshot format", 0, |_| 9),
        ("a length passes the end of the bytes", 1, |_| 255),
        ("this byte is on no tape", 9, |_| NEVER_ON_TAPE),
        (
            "it has more clients than are remembered here",
            clients,
            |_| 255,
        ),
        ("the bytes end inside a field", clients + 3, |count| {
            count + 1
        }),
        ("more bytes follow the last client", clients + 3, |count| {
            count - 1
        }),
        ("clients are not in ascending order", record, |_| 1),
        (
            "a client's slot is not in the log up to the snapshot",
            record + 16,
            |_| 1,
        ),
        ("a length passes the end of the bytes", record + 56, |_| 1),
    ];
    for (reason, offset, change) in damage {
        let mut bytes = good.to_vec();
        bytes[offset] = change(bytes[offset]);
        let mut history = bounded(0, 4);
        ask(&mut history, 1, 1);
        let unchanged = history.clone();
        let error = history.restore(at, &bytes).unwrap_err();
        assert_eq!(error.reason, reason, "byte {offset}");
        assert_eq!(history, unchanged, "{reason}");
    }
    let mut far = at;
    far.slot = SlotNumber(u64::MAX);
    let error = bounded(0, 4).restore(far, &good).unwrap_err();
    assert_eq!(error.reason, "its last slot leaves no room for a log above");
    let mut other = at;
    other.hash.0[31] ^= 1;
    let error = bounded(0, 4).restore(other, &good).unwrap_err();
    assert_eq!(
        error.reason,
        "the hash at the last slot is not the snapshot's"
    );
}

#[test]
fn a_fault_inside_the_machine_is_located_in_the_whole() {
    let (at, good) = snapshot_of(&mut busy(0));
    let mut bytes = good.to_vec();
    bytes[9 + 3] = NEVER_ON_TAPE;
    assert_eq!(bounded(0, 4).restore(at, &bytes).unwrap_err().at, 12);
}

/// Answers with how often it was called, which no undo takes back.
struct Fickle(u8);

impl StateMachine for Fickle {
    type Undo = ();

    fn execute(&mut self, _at: Stamp, _operation: &[u8], reply: &mut Vec<u8>) {
        self.0 += 1;
        reply.push(self.0);
    }
    fn undo(&mut self, (): ()) {}
    fn commit(&mut self, _slot: SlotNumber) {}
    fn digest(&self) -> SummaryHash {
        SummaryHash::EMPTY
    }
    fn snapshot(&self, _out: &mut Vec<u8>) {}
    fn restore(&mut self, _snapshot: &[u8]) -> Result<(), RestoreError> {
        Ok(())
    }
}

#[test]
#[should_panic(expected = "the state machine is not deterministic, or its undo is not exact")]
fn an_inexact_undo_is_found_out() {
    let mut history = History::new(Fickle(0), true, Bounds::default());
    history.append(ViewNumber(0), request(1, 1, 1, b"x").as_ref());
    history.snapshot(&mut Vec::new());
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let (at, _) = snapshot_of(&mut busy(0));
        prop_assert!(bounded(0, 4).restore(at, &bytes).is_err());
    }

    #[test]
    fn no_change_to_a_snapshot_makes_it_panic_or_half_done(
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4),
        cut in prop::option::weighted(0.3, any::<prop::sample::Index>()),
    ) {
        let (at, bytes) = snapshot_of(&mut busy(0));
        let mut bytes = bytes.to_vec();
        for (index, value) in changes {
            let index = index.index(bytes.len());
            bytes[index] = value;
        }
        if let Some(cut) = cut {
            bytes.truncate(cut.index(bytes.len()));
        }
        let mut history = bounded(0, 4);
        ask(&mut history, 1, 1);
        let unchanged = history.clone();
        if history.restore(at, &bytes).is_ok() {
            // What can be read is a snapshot: it is written back byte for byte.
            prop_assert_eq!(snapshot_of(&mut history), (at, bytes.into()));
        } else {
            prop_assert_eq!(history, unchanged);
        }
    }
}
