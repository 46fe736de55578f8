//! The merge rules on hand-made reports. Requests are letters; a log is a string of them.

use super::*;
use crate::history::{Origin, chain};
use alloc::string::String;
use wire::{AgreedTime, ClientId, EpochNumber, HostAddress, RequestNumber, SequenceNumber};

fn request(letter: char) -> StoredRequest {
    StoredRequest {
        origin: Origin {
            epoch: EpochNumber(1),
            sequence: SequenceNumber(u64::from(letter)),
            time: AgreedTime(0),
        },
        client: ClientId(u64::from(letter)),
        number: RequestNumber(1),
        reply_to: HostAddress::default(),
        operation: [u8::try_from(letter).unwrap()].into(),
    }
}

/// A report: `committed|speculative`, installed in view `last_normal`.
fn report(replica: u8, last_normal: u64, log: &str) -> Report {
    let (committed, speculative) = log
        .split_once('|')
        .expect("a bar ends the committed prefix");
    let mut hash = SummaryHash::EMPTY;
    for letter in committed.chars() {
        hash = chain(hash, AgreedTime(0), request(letter).as_ref());
    }
    let committed_hash = hash;
    let entries = speculative
        .chars()
        .map(|letter| {
            hash = chain(hash, AgreedTime(0), request(letter).as_ref());
            (hash, request(letter))
        })
        .collect();
    Report {
        replica: ReplicaId(replica),
        last_normal_view: ViewNumber(last_normal),
        degraded: false,
        incarnations: Incarnations::unknown(3),
        committed: SlotNumber(committed.len() as u64),
        committed_hash,
        entries,
    }
}

fn letters<'a>(requests: impl Iterator<Item = &'a StoredRequest>) -> String {
    requests
        .map(|request| char::from(request.operation[0]))
        .collect()
}

/// `committed slots, what must stay, what follows`.
fn merged(n: usize, reports: &[Report]) -> (u64, String, String) {
    let merged = merge(Quorum::of(n).unwrap(), None, reports);
    (
        merged.committed.0,
        letters(merged.agreed.iter().map(|(_, request)| request)),
        letters(merged.leftovers.iter()),
    )
}

fn expect(result: impl Into<(u64, String, String)>, committed: u64, agreed: &str, leftovers: &str) {
    assert_eq!(result.into(), (committed, agreed.into(), leftovers.into()));
}

#[test]
fn equal_logs_stay() {
    expect(
        merged(3, &[report(0, 0, "|ab"), report(1, 0, "|ab")]),
        0,
        "ab",
        "",
    );
}

#[test]
fn an_empty_log_vetoes_nothing_but_lends_no_vote() {
    // n = 3: a completed request is in both of any two logs, so `a` alone was not completed.
    expect(
        merged(3, &[report(0, 0, "|a"), report(1, 0, "|")]),
        0,
        "",
        "a",
    );
}

#[test]
fn a_conflict_keeps_neither_side_but_loses_no_request() {
    expect(
        merged(3, &[report(0, 0, "|ab"), report(1, 0, "|ba")]),
        0,
        "",
        "abab",
    );
}

#[test]
fn votes_count_only_on_the_same_prefix() {
    // `c` stands at slot 2 of both, on different prefixes: its hashes differ, it is no vote.
    expect(
        merged(3, &[report(0, 0, "|ac"), report(1, 0, "|bc")]),
        0,
        "",
        "abcc",
    );
}

#[test]
fn the_longest_committed_prefix_wins_over_speculation() {
    expect(
        merged(3, &[report(0, 0, "ab|"), report(1, 0, "|xy")]),
        2,
        "",
        "xy",
    );
    expect(
        merged(3, &[report(0, 0, "ab|c"), report(1, 0, "a|bc")]),
        2,
        "c",
        "b",
    );
}

#[test]
fn only_the_newest_installed_view_counts() {
    // The published code reads the view off the newest entry and counts R0's old log as equal:
    // view 1 began with [x], committed it, and view 2 would begin with [z, x].
    let stale = report(0, 0, "|zx");
    let installed = report(2, 1, "|x");
    expect(merged(3, &[stale, installed]), 0, "x", "");
}

#[test]
fn five_replicas_need_two_of_three_kept_votes() {
    let logs = [
        report(0, 0, "|xa"),
        report(1, 0, "|xb"),
        report(2, 0, "|yb"),
    ];
    expect(merged(5, &logs), 0, "x", "yabb");
    let logs = [
        report(0, 0, "|xa"),
        report(1, 0, "|xa"),
        report(2, 0, "|yb"),
    ];
    expect(merged(5, &logs), 0, "xa", "yb");
}

#[test]
fn with_fewer_kept_logs_than_votes_all_of_them_must_agree() {
    let logs = [report(0, 3, "|xa"), report(1, 2, "|q"), report(2, 1, "|r")];
    expect(merged(5, &logs), 0, "xa", "");
}

#[test]
fn seven_replicas_need_three_of_four() {
    let logs = [
        report(0, 0, "|x"),
        report(1, 0, "|x"),
        report(2, 0, "|y"),
        report(3, 0, "|y"),
    ];
    expect(merged(7, &logs), 0, "", "xxyy");
    let logs = [
        report(0, 0, "|x"),
        report(1, 0, "|x"),
        report(2, 0, "|x"),
        report(3, 0, "|y"),
    ];
    expect(merged(7, &logs), 0, "x", "y");
}

#[test]
fn a_truncated_log_may_repeat_what_the_prefix_holds() {
    // R1 has `a` above its prefix, R0 has it committed: it comes again as a leftover, and the
    // client table at the prefix is what keeps it from being executed twice.
    let result = merged(3, &[report(0, 0, "ab|"), report(1, 0, "|a")]);
    expect(result, 2, "", "a");
}
