use super::*;
use wire::ReplicaId;
use wire::message::fast_paxos::Ballot;

fn hash(byte: u8) -> SummaryHash {
    SummaryHash([byte; 32])
}

fn vote(replica: u8, settled: u64, slot: u64, byte: u8) -> Vote {
    Vote {
        ballot: Ballot::default(),
        replica: ReplicaId(replica),
        settled: SlotNumber(settled),
        slot: SlotNumber(slot),
        hash: hash(byte),
    }
}

/// The coordinator's hash at slot s is s.
fn own(slot: SlotNumber) -> Option<SummaryHash> {
    u8::try_from(slot.0).ok().map(hash)
}

#[test]
fn a_slot_is_chosen_by_a_fast_quorum_of_equal_logs_and_not_by_one_less() {
    for (n, fast) in [(3, 3), (5, 4), (7, 6), (9, 7)] {
        let quorum = Quorum::of(n).unwrap();
        assert_eq!(quorum.superquorum(), fast, "n = {n}");
        let mut tally = Tally::default();
        let me = 1;
        let others = (0..u8::try_from(n).unwrap()).filter(|replica| *replica != 1);
        for (equal, replica) in others.enumerate() {
            let chosen = tally.voted(quorum, me, SlotNumber(7), fast);
            // The coordinator's own log counts as one.
            let expected = if equal + 1 >= fast { 7 } else { 0 };
            assert_eq!(chosen, SlotNumber(expected), "n = {n}, {equal} others");
            tally.add(&vote(replica, 0, 7, 7), SlotNumber(7), own, 10);
        }
        assert_eq!(tally.voted(quorum, me, SlotNumber(7), fast), SlotNumber(7));
    }
}

#[test]
fn what_was_told_is_accepted_by_a_majority() {
    for (n, majority) in [(3, 2), (5, 3), (7, 4), (9, 5)] {
        let quorum = Quorum::of(n).unwrap();
        let mut tally = Tally::default();
        for accepted in 1..majority {
            assert_eq!(tally.accepted(quorum, 0, SlotNumber(4)), SlotNumber(0));
            let replica = u8::try_from(accepted).unwrap();
            // Its own log behind what it was told is another one: that does not matter here.
            tally.add(&vote(replica, 4, 6, 99), SlotNumber(7), own, 10);
        }
        assert_eq!(tally.accepted(quorum, 0, SlotNumber(4)), SlotNumber(4));
        assert_eq!(tally.others(SlotNumber(0)), majority - 1);
    }
}

#[test]
fn nobody_is_beyond_the_coordinator() {
    let quorum = Quorum::of(3).unwrap();
    let mut tally = Tally::default();
    tally.add(&vote(1, 0, 9, 9), SlotNumber(7), own, 10);
    tally.add(&vote(2, 0, 9, 9), SlotNumber(7), own, 10);
    assert_eq!(tally.voted(quorum, 0, SlotNumber(7), 3), SlotNumber(0));
    assert_eq!(tally.ahead(), Some(1));
    tally.reach(SlotNumber(8), hash(8));
    assert_eq!(tally.voted(quorum, 0, SlotNumber(8), 3), SlotNumber(0));
    tally.reach(SlotNumber(9), hash(9));
    assert_eq!(tally.voted(quorum, 0, SlotNumber(9), 3), SlotNumber(9));
    assert_eq!((tally.ahead(), tally.early()), (None, 0));
}

#[test]
fn an_early_vote_for_another_log_is_a_collision_once_the_slot_is_reached() {
    let mut tally = Tally::default();
    tally.add(&vote(2, 0, 8, 77), SlotNumber(7), own, 10);
    assert_eq!(tally.others(SlotNumber(7)), 0);
    tally.reach(SlotNumber(8), hash(8));
    assert_eq!(tally.others(SlotNumber(7)), 1);
    // What is committed by now is no collision any more, and who has come round is none.
    assert_eq!(tally.others(SlotNumber(8)), 0);
    tally.add(&vote(2, 0, 9, 9), SlotNumber(9), own, 10);
    assert_eq!(tally.others(SlotNumber(7)), 0);
    // An older vote that comes late does not undo that.
    tally.add(&vote(2, 0, 6, 66), SlotNumber(9), own, 10);
    assert_eq!(tally.others(SlotNumber(0)), 0);
}

#[test]
fn early_votes_have_a_bound_and_end_with_their_ballot() {
    let mut tally = Tally::default();
    for slot in 1..=5 {
        tally.add(&vote(1, 0, slot, 1), SlotNumber(0), own, 3);
    }
    assert_eq!(tally.early(), 3);
    // A copy is no second vote.
    tally.add(&vote(2, 0, 1, 1), SlotNumber(0), own, 3);
    tally.add(&vote(2, 0, 1, 1), SlotNumber(0), own, 3);
    tally.begin();
    assert_eq!((tally.early(), tally.has_voted(1)), (0, false));
    assert_eq!(tally, Tally::default());
}
