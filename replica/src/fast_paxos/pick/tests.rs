//! The rule, against every way in which replicas can have voted.

use super::*;
use crate::history::Origin;
use alloc::vec;
use std::collections::BTreeSet;
use wire::{ClientId, HostAddress, RequestNumber, ViewNumber};

/// A log is the requests in it; its hash at a slot says which they are.
fn hash_of(log: &[u8]) -> SummaryHash {
    let mut hash = [0; 32];
    hash[..log.len()].copy_from_slice(log);
    hash[31] = u8::try_from(log.len()).unwrap();
    SummaryHash(hash)
}

fn ballot(view: u64, attempt: u64) -> Ballot {
    Ballot {
        view: ViewNumber(view),
        attempt,
    }
}

fn report(replica: usize, accepted: Ballot, settled: u64, committed: usize, log: &[u8]) -> Report {
    let entry = |end: usize| {
        let request = StoredRequest {
            origin: Origin::default(),
            client: ClientId(log[end - 1].into()),
            number: RequestNumber(1),
            reply_to: HostAddress::default(),
            operation: vec![].into(),
        };
        (hash_of(&log[..end]), request)
    };
    Report {
        replica: ReplicaId(u8::try_from(replica).unwrap()),
        accepted,
        settled: SlotNumber(settled),
        incarnations: Incarnations::unknown(3),
        committed: SlotNumber(committed as u64),
        committed_hash: hash_of(&log[..committed]),
        entries: (committed + 1..=log.len()).map(entry).collect(),
    }
}

fn log_of(picked: &Picked) -> SummaryHash {
    picked
        .entries
        .last()
        .map_or(picked.base_hash, |(hash, _)| *hash)
}

/// What a view begins with, as somebody who installs it would have it.
fn whole(picked: &Picked) -> Vec<u64> {
    let entries = picked.entries.iter().map(|(_, request)| request);
    let mut seen = BTreeSet::new();
    let all = entries.chain(&picked.rest).map(|request| request.client.0);
    all.filter(|client| seen.insert(*client)).collect()
}

/// Every log of at most `longest` different requests out of `1..=requests`.
fn logs(requests: u8, longest: usize) -> Vec<Vec<u8>> {
    let mut all = vec![vec![]];
    let mut from = 0;
    for _ in 0..longest {
        let to = all.len();
        for index in from..to {
            for request in 1..=requests {
                let mut log: Vec<u8> = all[index].clone();
                if !log.contains(&request) {
                    log.push(request);
                    all.push(log);
                }
            }
        }
        from = to;
    }
    all
}

/// Every `size` of the numbers below `n`.
fn subsets(n: usize, size: usize) -> Vec<Vec<usize>> {
    let members = |bits: usize| (0..n).filter(move |index| bits & (1 << index) != 0);
    let all = (0..1_usize << n).map(|bits| members(bits).collect());
    all.filter(|subset: &Vec<usize>| subset.len() == size)
        .collect()
}

/// Has `n` replicas vote in one fast ballot, in every way that there is. Returns how often a fast
/// quorum has chosen something, and how often a view begins without it, by whichever reports.
fn chosen_and_lost(n: usize, logs: &[Vec<u8>], mutant: Option<Mutant>) -> (usize, usize) {
    let quorum = Quorum::of(n).unwrap();
    let fast_quorums = subsets(n, quorum.superquorum());
    let majorities = subsets(n, quorum.majority());
    let (mut chosen, mut lost) = (0, 0);
    let mut voted = vec![0; n];
    loop {
        let log = |replica: usize| &logs[voted[replica]];
        for members in &fast_quorums {
            let end = in_common(members.iter().map(|member| log(*member).as_slice()));
            if end == 0 {
                continue;
            }
            chosen += 1;
            let hash = hash_of(&log(members[0])[..end]);
            let loses = |reporters: &&Vec<usize>| {
                let of = |replica: &usize| report(*replica, ballot(0, 0), 0, 0, log(*replica));
                let picked = pick(quorum, reporters.iter().map(of).collect(), mutant);
                picked.entries.get(end - 1).map(|(kept, _)| *kept) != Some(hash)
            };
            lost += majorities.iter().filter(loses).count();
        }
        // The next way to vote, as a number with one digit a replica.
        let Some(digit) = voted.iter().position(|digit| digit + 1 < logs.len()) else {
            return (chosen, lost);
        };
        voted[digit] += 1;
        voted[..digit].fill(0);
    }
}

/// How long a prefix is that all have.
fn in_common<'a>(mut logs: impl Iterator<Item = &'a [u8]>) -> usize {
    let first = logs.next().unwrap();
    logs.fold(first.len(), |end, log| {
        let same = first
            .iter()
            .zip(log)
            .take_while(|(one, other)| one == other);
        end.min(same.count())
    })
}

#[test]
fn nothing_chosen_is_lost_by_three() {
    let logs = logs(3, 3);
    assert_eq!(logs.len(), 16);
    // Five logs begin with each request: three times 5 x 5 x 5.
    assert_eq!(chosen_and_lost(3, &logs, None), (375, 0));
    let (_, lost) = chosen_and_lost(3, &logs, Some(Mutant::PickAny));
    assert!(lost > 0, "the check sees what is lost");
}

#[test]
fn nothing_chosen_is_lost_by_five() {
    let logs = logs(3, 2);
    assert_eq!(logs.len(), 10);
    // Three logs begin with each request; the one outside of the quorum is any: 5 x 3 x 3^4 x 10.
    assert_eq!(chosen_and_lost(5, &logs, None), (12_150, 0));
}

#[test]
fn as_many_votes_are_needed_as_a_fast_quorum_leaves_in_any_reports() {
    for (n, f) in [(3, 1), (5, 2), (7, 3), (9, 4)] {
        let quorum = Quorum::of(n).unwrap();
        let half: usize = usize::div_ceil(f, 2);
        assert_eq!(quorum.superquorum(), f + half + 1);
        assert_eq!(votes_needed(quorum, quorum.majority()), half + 1, "n = {n}");
        assert_eq!(votes_needed(quorum, n), quorum.superquorum());
        assert!(2 * votes_needed(quorum, quorum.majority()) > quorum.majority());
    }
}

#[test]
fn a_minority_of_the_reports_does_not_decide() {
    let quorum = Quorum::of(5).unwrap();
    let reports = vec![
        report(0, ballot(0, 3), 0, 0, &[1, 2, 3]),
        report(1, ballot(0, 3), 0, 0, &[1, 2]),
        report(2, ballot(0, 3), 0, 0, &[2, 1]),
    ];
    let picked = pick(quorum, reports, None);
    assert_eq!(log_of(&picked), hash_of(&[1, 2]));
    assert_eq!(whole(&picked), [1, 2, 3], "what else was asked for follows");
}

#[test]
fn what_was_told_stays_whatever_the_votes_behind_another_log_are() {
    let quorum = Quorum::of(5).unwrap();
    // Replica 2 alone has heard that its log is told up to slot 2.
    let reports = vec![
        report(0, ballot(0, 3), 0, 0, &[3]),
        report(1, ballot(0, 3), 0, 0, &[4]),
        report(2, ballot(0, 3), 2, 0, &[1, 2, 5]),
    ];
    let picked = pick(quorum, reports, None);
    assert_eq!(
        (picked.holder, log_of(&picked)),
        (ReplicaId(2), hash_of(&[1, 2]))
    );
    assert_eq!(whole(&picked), [1, 2, 3, 4, 5]);
}

#[test]
fn votes_of_older_ballots_do_not_count() {
    let quorum = Quorum::of(5).unwrap();
    let reports = vec![
        report(0, ballot(1, 9), 1, 0, &[1, 2, 3, 4]),
        report(1, ballot(1, 9), 1, 0, &[1, 2, 3, 4]),
        report(2, ballot(2, 0), 2, 1, &[1, 9]),
    ];
    let picked = pick(quorum, reports.clone(), None);
    assert_eq!(
        (log_of(&picked), picked.base),
        (hash_of(&[1, 9]), SlotNumber(1))
    );
    assert_eq!(picked.committed, SlotNumber(1));
    let picked = pick(quorum, reports, Some(Mutant::PickStale));
    assert_eq!(log_of(&picked), hash_of(&[1, 2, 3, 4]));
}

#[test]
fn who_has_committed_more_begins_higher() {
    let quorum = Quorum::of(3).unwrap();
    let reports = vec![
        report(0, ballot(0, 0), 0, 0, &[1, 2, 3]),
        report(1, ballot(0, 0), 0, 2, &[1, 2, 3]),
    ];
    let picked = pick(quorum, reports, None);
    assert_eq!(log_of(&picked), hash_of(&[1, 2, 3]));
    assert_eq!(picked.committed, SlotNumber(2));
}
