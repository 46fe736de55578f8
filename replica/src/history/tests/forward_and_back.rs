//! Single steps of append, rollback, commit and truncation.

use super::*;

#[test]
fn a_rollback_leaves_log_clients_and_state_as_they_were() {
    let mut history = history();
    ask(&mut history, 1, 1);
    history.commit(SlotNumber(1));
    let before = history.clone();
    ask(&mut history, 1, 2);
    ask(&mut history, 2, 1);
    assert_ne!(before, history);
    assert_ne!(before.machine().digest(), history.machine().digest());
    assert_eq!(
        (history.speculative_len(), history.speculative_bytes()),
        (2, 2 * (2 + 10))
    );
    let mut removed = Vec::new();
    history.rollback(SlotNumber(1), |request| removed.push(request.client.0));
    assert_eq!(removed, [2, 1], "newest first");
    assert_eq!(before, history);
    assert_eq!(freshness(&history, 1, 2), Freshness::New);
    assert_eq!(freshness(&history, 2, 1), Freshness::New);
    assert_eq!(
        (history.speculative_len(), history.speculative_bytes()),
        (0, 0)
    );
    history.check_thoroughly();
}

#[test]
fn what_is_rolled_back_can_be_appended_again() {
    let mut history = history();
    let asked = request(3, 1, 7, b"operation");
    history.append(ViewNumber(4), asked.as_ref());
    let before = history.clone();
    let mut removed = None;
    history.rollback(SlotNumber(0), |request| removed = Some(request));
    assert_eq!(removed.as_ref(), Some(&asked));
    history.append(ViewNumber(4), removed.unwrap().as_ref());
    assert_eq!(before, history);
}

#[test]
fn agreed_time_never_runs_back() {
    let mut history = history();
    history.append(ViewNumber(0), request(1, 1, 100, b"a").as_ref());
    history.append(ViewNumber(0), request(2, 1, 40, b"b").as_ref());
    let entries = history.log().above(SlotNumber(0));
    let times: Vec<u64> = entries.map(|(_, e)| e.time.0).collect();
    assert_eq!(times, [100, 100]);
    history.check_thoroughly();
}

#[test]
fn the_hash_covers_everything_that_decides_the_state() {
    let base = request(1, 1, 5, b"operation");
    let hash = |time, request: &StoredRequest| {
        chain(SummaryHash::EMPTY, AgreedTime(time), request.as_ref())
    };
    let reference = hash(5, &base);
    assert_ne!(reference, hash(6, &base), "time");
    let other = |change: fn(&mut StoredRequest)| {
        let mut request = base.clone();
        change(&mut request);
        hash(5, &request)
    };
    assert_ne!(reference, other(|r| r.client = ClientId(2)), "client");
    assert_ne!(reference, other(|r| r.number = RequestNumber(2)), "number");
    assert_ne!(
        reference,
        other(|r| r.operation = [1, 2].into()),
        "operation"
    );
    let elsewhere = other(|r| r.reply_to.port = 9);
    assert_eq!(reference, elsewhere, "the reply address decides nothing");
    let after_another = chain(SummaryHash([1; 32]), AgreedTime(5), base.as_ref());
    assert_ne!(reference, after_another, "the prefix");
}

#[test]
fn the_hash_is_the_same_for_short_and_long_operations() {
    // Written down as a plain sum over the concatenation, whatever way `chain` goes about it.
    for len in [0, 1, 64, 456, 457, 968, 969, 5_000] {
        let request = request(7, 8, 9, &alloc::vec![3; len]);
        let mut bytes = [5; 32].to_vec();
        for field in [7_u64, 8, 9] {
            bytes.extend_from_slice(&field.to_be_bytes());
        }
        bytes.extend_from_slice(&request.operation);
        let hash = chain(SummaryHash([5; 32]), AgreedTime(9), request.as_ref());
        assert_eq!(hash.0, *blake3::hash(&bytes).as_bytes(), "{len} bytes");
    }
}

#[test]
fn memory_is_bounded_and_only_committed_entries_go() {
    let mut history = bounded(1_000, 10);
    for number in 1..=15 {
        ask(&mut history, 1, number);
    }
    assert_eq!(
        history.log().base(),
        SlotNumber(0),
        "speculative entries stay"
    );
    history.commit(SlotNumber(10));
    let base = history.log().base();
    assert!(base > SlotNumber(0) && base <= SlotNumber(10));
    assert!(history.log().hash_at(base).is_some() && history.log().get(base).is_none());
    history.check_thoroughly();
}

#[test]
#[should_panic(expected = "cannot roll back")]
fn what_is_committed_stays() {
    let mut history = history();
    ask(&mut history, 1, 1);
    history.commit(SlotNumber(1));
    history.rollback(SlotNumber(0), |_| {});
}

#[test]
#[should_panic(expected = "the log ends at 1")]
fn what_is_not_there_cannot_be_committed() {
    let mut history = history();
    ask(&mut history, 1, 1);
    history.commit(SlotNumber(2));
}

#[test]
fn a_committed_reply_outlives_its_entry() {
    let mut history = bounded(0, 10);
    ask(&mut history, 1, 1);
    let hash = history.log().last_hash();
    let reply = |committed| SavedReply {
        number: RequestNumber(1),
        slot: SlotNumber(1),
        hash,
        committed,
        result: &[0, 0, 0, 0, 0, 0, 0, 0, 1, 1],
    };
    assert_eq!(history.saved_reply(ClientId(1)), Some(reply(false)));
    history.commit(SlotNumber(1));
    assert!(history.log().get(SlotNumber(1)).is_none());
    assert_eq!(history.saved_reply(ClientId(1)), Some(reply(true)));
    assert_eq!(history.saved_reply(ClientId(2)), None);
}

#[test]
fn an_undo_brings_back_a_reply_that_the_log_dropped_before_or_since() {
    for dropped_since in [false, true] {
        let mut history = bounded(0, 10);
        let first = ask(&mut history, 1, 1);
        let mut expected = history.clone();
        expected.commit(first);
        if dropped_since {
            ask(&mut history, 1, 2);
            ask(&mut history, 1, 3);
            history.commit(first);
        } else {
            history.commit(first);
            ask(&mut history, 1, 2);
            ask(&mut history, 1, 3);
        }
        history.check_thoroughly();
        history.rollback(first, |_| {});
        assert!(
            history
                .saved_reply(ClientId(1))
                .is_some_and(|reply| reply.committed)
        );
        assert_eq!(history, expected);
        history.check_thoroughly();
    }
}

#[test]
fn forgetting_clients_is_undone_with_the_entry_that_caused_it() {
    let mut history = bounded(0, 2);
    ask(&mut history, 1, 1);
    ask(&mut history, 2, 1);
    let mut expected = history.clone();
    ask(&mut history, 3, 1);
    assert_eq!(freshness(&history, 1, 1), Freshness::New, "forgotten");
    ask(&mut history, 1, 1);
    assert_eq!(
        freshness(&history, 2, 1),
        Freshness::New,
        "forgotten in turn"
    );
    // The log drops the entries of clients whose records only undo records hold.
    history.commit(SlotNumber(2));
    expected.commit(SlotNumber(2));
    history.check_thoroughly();
    assert_eq!(history.log().base(), SlotNumber(2));
    history.rollback(SlotNumber(2), |_| {});
    assert_eq!(history, expected);
    assert_eq!(
        freshness(&history, 1, 1),
        Freshness::Repeated(SlotNumber(1))
    );
}

#[test]
fn equality_and_hash_do_not_see_where_bytes_lie() {
    let mut straight = history();
    let mut crooked = history();
    for number in 1..=5 {
        // Leaves another distribution over chunks behind, and used buffers.
        ask(&mut crooked, 9, 1);
        crooked.append(ViewNumber(0), request(8, 1, 0, &[1; 90]).as_ref());
        crooked.append(ViewNumber(0), request(7, 1, 0, &[1; 500]).as_ref());
        crooked.rollback(SlotNumber(number - 1), |_| {});
        ask(&mut straight, 1, number);
        ask(&mut crooked, 1, number);
    }
    assert_eq!(
        (straight == crooked, hash_of(&straight)),
        (true, hash_of(&crooked))
    );
    straight.commit(SlotNumber(3));
    assert_ne!(straight, crooked, "what is committed is part of it");
    crooked.commit(SlotNumber(3));
    assert_eq!(
        (straight == crooked, hash_of(&straight)),
        (true, hash_of(&crooked))
    );
    ask(&mut straight, 2, 1);
    ask(&mut crooked, 3, 1);
    assert_ne!(straight, crooked);
    assert_ne!(hash_of(&straight), hash_of(&crooked));
}
