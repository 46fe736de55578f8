//! The rules of merging on hand-made reports.
//!
//! A log is a text: a letter a position, `.` for a no-op. Two logs with the same letters are the
//! same up to the first letter that differs.

use super::*;
use crate::rounds::proposal::foreign;
use alloc::string::String;
use wire::message::Incarnations;
use wire::message::rounds::Values;
use wire::{AgreedTime, ReplicaId, ViewNumber};

fn value(letter: u8) -> Value<'static> {
    if letter == b'.' {
        return Value::NoOp;
    }
    let mut proposal = foreign(AgreedTime::ZERO);
    proposal.number = letter.into();
    Value::Packet(proposal)
}

fn footings(log: &str) -> Vec<Footing> {
    let mut at = Footing::default();
    let after = log.bytes().map(|letter| {
        at = extend(Cover::Everything, &at, &value(letter));
        at
    });
    [Footing::default()].into_iter().chain(after).collect()
}

/// A report: the log, how much of it is executed and how much is known to be locked, and the
/// newest epoch installed.
fn report(log: &str, committed: usize, locked: usize, installed: u64) -> Reported {
    report_that_saw(log.len(), log, committed, locked, installed)
}

/// The same, with the highest position whose number has come.
fn report_that_saw(
    seen: usize,
    log: &str,
    committed: usize,
    locked: usize,
    installed: u64,
) -> Reported {
    let footings = footings(log);
    let mut storage = Vec::new();
    let values = log.bytes().skip(committed).map(value);
    let report = Report {
        replica: ReplicaId(0),
        epoch: RoundsEpoch::from_view(ViewNumber(99)),
        installed: RoundsEpoch::from_view(ViewNumber(installed)),
        membership: Membership::first(3),
        forgot: false,
        incarnations: Incarnations::unknown(3),
        term_base: Position::ZERO,
        seen: Position(seen as u64),
        locked: footings[locked].frontier,
        committed: footings[committed],
        values: Values::encode(values, &mut storage),
    };
    Reported::new(&report, Cover::Everything)
}

const OVERTAKEN: usize = usize::MAX;
const CONTRADICTED: usize = usize::MAX - 1;

/// The log that a coordinator gets which has executed `committed` positions of the longest log.
fn merged_above(committed: usize, n: usize, reports: &[Reported]) -> Result<String, usize> {
    let footings = reports
        .iter()
        .filter_map(|report| report.footing(Position(committed as u64)));
    let decided = footings.max_by_key(|footing| footing.frontier.position);
    let decided = decided.unwrap_or(footings_of_any(committed));
    merged_by(EPOCH, decided, n, reports)
}

const EPOCH: RoundsEpoch = RoundsEpoch {
    term: EpochNumber(0),
    attempt: 99,
};

fn footings_of_any(length: usize) -> Footing {
    footings(&"q".repeat(length))[length]
}

fn merged_by(
    epoch: RoundsEpoch,
    decided: Footing,
    n: usize,
    reports: &[Reported],
) -> Result<String, usize> {
    let quorum = Quorum::of(n).unwrap();
    assert_eq!(reports.len(), quorum.majority(), "f+1 reports");
    let merging = Merging {
        epoch,
        decided,
        quorum,
        mutant: None,
    };
    let reports: Vec<_> = reports.iter().collect();
    let letter = |value: &Option<Stored>| match value {
        None => '.',
        Some(stored) => char::from(u8::try_from(stored.number).unwrap()),
    };
    match merging.merge(&reports) {
        Merged::Values { values, .. } => Ok(values.iter().map(letter).collect()),
        Merged::Lacking(index) => Err(index),
        Merged::Overtaken => Err(OVERTAKEN),
        Merged::Contradicted => Err(CONTRADICTED),
    }
}

fn merged(n: usize, reports: &[Reported]) -> String {
    merged_above(0, n, reports).unwrap()
}

#[test]
fn equal_logs_stay() {
    let log = || report("abc", 0, 0, 1);
    assert_eq!(merged(3, &[log(), log()]), "abc");
    assert_eq!(merged(5, &[log(), log(), log()]), "abc");
}

#[test]
fn what_too_few_have_voted_for_becomes_a_no_op() {
    // Two of three reports at n = 5 can be what is left of a superquorum; one cannot.
    let reports = [
        report("ab", 0, 0, 1),
        report("ab", 0, 0, 1),
        report("a", 0, 0, 1),
    ];
    assert_eq!(merged(5, &reports), "ab");
    let reports = [
        report("ab", 0, 0, 1),
        report("a", 0, 0, 1),
        report("a", 0, 0, 1),
    ];
    assert_eq!(merged(5, &reports), "a.");
    assert_eq!(
        merged(3, &[report("ab", 0, 0, 1), report("a", 0, 0, 1)]),
        "a."
    );
}

#[test]
fn a_locked_prefix_stays_whatever_the_others_have_voted_for() {
    let reports = [
        report("ax", 0, 2, 1),
        report("ay", 0, 0, 1),
        report("ay", 0, 0, 1),
    ];
    assert_eq!(merged(5, &reports), "ax");
    assert_eq!(
        merged(3, &[report("x", 0, 1, 1), report("y", 0, 0, 1)]),
        "x"
    );
}

/// f+1 reports cannot tell a packet from a no-op that was decided by as few: this is why f+1
/// votes do not commit.
#[test]
fn votes_count_only_on_the_same_prefix() {
    // Two have voted for c at position 2, but on different prefixes.
    let reports = [
        report("ac", 0, 0, 1),
        report("bc", 0, 0, 1),
        report("a", 0, 0, 1),
    ];
    assert_eq!(merged(5, &reports), "a.");
    // After a no-op that nobody voted for, nothing extends it.
    let reports = [
        report("acd", 0, 0, 1),
        report("bcd", 0, 0, 1),
        report("...", 0, 0, 1),
    ];
    assert_eq!(merged(5, &reports), "...");
}

#[test]
fn a_no_op_that_was_voted_for_is_a_value_like_others() {
    let reports = [
        report(".b", 0, 0, 1),
        report(".b", 0, 0, 1),
        report("ab", 0, 0, 1),
    ];
    assert_eq!(merged(5, &reports), ".b");
}

#[test]
fn only_reports_of_the_newest_installed_epoch_count() {
    let reports = [
        report("xyz", 0, 0, 1),
        report("xyz", 0, 0, 1),
        report("ab", 0, 0, 2),
    ];
    assert_eq!(merged(5, &reports), "ab");
    // A lock of an older epoch may be void.
    assert_eq!(
        merged(3, &[report("x", 0, 1, 1), report("a", 0, 0, 2)]),
        "a"
    );
    // Of two kept reports both must agree.
    let reports = [
        report("xyz", 0, 0, 1),
        report("ab", 0, 0, 2),
        report("ac", 0, 0, 2),
    ];
    assert_eq!(merged(5, &reports), "a.");
}

#[test]
fn a_coordinator_that_has_decided_less_than_the_longest_lock_needs_that_log_first() {
    let reports = [report("ab", 0, 0, 1), report("abcd", 3, 4, 1)];
    assert_eq!(merged_above(2, 3, &reports), Err(1));
    assert_eq!(merged_above(3, 3, &reports), Ok("d".into()));
}

#[test]
fn a_coordinator_that_has_decided_more_goes_on_from_there() {
    let reports = [report("abcd", 1, 2, 1), report("abcd", 3, 3, 1)];
    assert_eq!(merged_above(3, 3, &reports), Ok("d".into()));
}

/// Reports may have waited while the coordinator learnt what a later epoch has decided.
#[test]
fn reports_that_know_less_than_is_decided_start_nothing() {
    let reports = [report("ab", 0, 1, 1), report("ab", 0, 0, 1)];
    assert_eq!(merged_above(3, 3, &reports), Err(OVERTAKEN));
}

/// Else a group that fell far behind its root would have to give up one number after the other,
/// more slowly than new ones come.
#[test]
fn under_the_same_root_all_numbers_that_were_seen_are_settled() {
    let reports = [report_that_saw(6, "ab", 0, 0, 1), report("abc", 0, 0, 1)];
    assert_eq!(merged(3, &reports), "ab....");
    // Another root counts anew.
    let next_term = RoundsEpoch::of_term(EpochNumber(1));
    let log = merged_by(next_term, Footing::default(), 3, &reports);
    assert_eq!(log, Ok("ab.".into()));
    // What a report of an older epoch has seen was of other numbers.
    let reports = [report_that_saw(6, "ab", 0, 0, 1), report("abc", 0, 0, 2)];
    assert_eq!(merged(3, &reports), "abc");
}

#[test]
fn a_coordinator_whose_decisions_a_lock_contradicts_starts_nothing() {
    let decided = |log: &str| footings(log)[log.len()];
    let reports = [report("abc", 0, 2, 1), report("abd", 0, 0, 1)];
    assert_eq!(
        merged_by(EPOCH, decided("ax"), 3, &reports),
        Err(CONTRADICTED)
    );
    assert_eq!(merged_by(EPOCH, decided("ab"), 3, &reports), Ok(".".into()));
    // Votes above every lock may be for what was not decided.
    assert_eq!(
        merged_by(EPOCH, decided("abd"), 3, &reports),
        Ok(String::new())
    );
}
