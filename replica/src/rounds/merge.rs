//! What an epoch begins with, from f+1 reports. Pure.
//!
//! Of the reports with the newest installed epoch: the longest locked prefix; then, position by
//! position, the value on that very prefix which has min(⌈f/2⌉+1, reports) votes; else a no-op.
//! Under the same root up to the highest position whose number was seen, under another one up to
//! the highest that was voted for.

use super::chain::{Cover, extend};
use super::mutant::Mutant;
use super::proposal::Stored;
use crate::quorum::Quorum;
use alloc::vec::Vec;
use wire::message::rounds::{Footing, Frontier, Membership, Report, Value};
use wire::{EpochNumber, Position, RoundsEpoch};

/// A report, owned, with the prefix that each of its values completes.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Reported {
    installed: RoundsEpoch,
    membership: Membership,
    term_base: Position,
    seen: Position,
    locked: Frontier,
    committed: Footing,
    /// `None`: a no-op.
    values: Vec<(Option<Stored>, Footing)>,
}

impl Reported {
    pub(super) fn new(report: &Report<'_>, cover: Cover) -> Self {
        let mut at = report.committed;
        let values = report.values.iter().map(|value| {
            at = extend(cover, &at, &value);
            (Stored::of_value(&value), at)
        });
        Self {
            installed: report.installed,
            membership: report.membership,
            term_base: report.term_base,
            seen: report.seen,
            locked: report.locked,
            committed: report.committed,
            values: values.collect(),
        }
    }

    /// The newest epoch that the reporter has installed.
    pub(super) fn installed(&self) -> RoundsEpoch {
        self.installed
    }

    /// Who votes in that epoch.
    pub(super) fn membership(&self) -> Membership {
        self.membership
    }

    fn head(&self) -> Position {
        Position(self.committed.frontier.position.0 + self.values.len() as u64)
    }

    /// The reporter's log up to a position, if the report tells.
    fn footing(&self, position: Position) -> Option<Footing> {
        if position == self.committed.frontier.position {
            return Some(self.committed);
        }
        self.entry(position).map(|(_, footing)| *footing)
    }

    fn value(&self, position: Position) -> Option<Value<'_>> {
        let (content, _) = self.entry(position)?;
        Some(Stored::value_of(content.as_ref()))
    }

    fn entry(&self, position: Position) -> Option<&(Option<Stored>, Footing)> {
        let above = position.0.checked_sub(self.committed.frontier.position.0)?;
        self.values
            .get(usize::try_from(above.checked_sub(1)?).ok()?)
    }
}

/// What came of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Merged {
    /// The values above the coordinator's decided prefix, and where the numbers of the newest
    /// installed epoch's term begin: the coordinator may not have got there.
    Values {
        values: Vec<Option<Stored>>,
        term: EpochNumber,
        term_base: Position,
    },
    /// The log of this reporter is needed first: it has decided more than the coordinator.
    Lacking(usize),
    /// The coordinator has learnt since of decisions that nobody here can have reported: a later
    /// epoch has begun.
    Overtaken,
    /// What a reporter has seen locked is not what the coordinator has decided. That cannot be,
    /// and whatever began with either would make it worse.
    Contradicted,
}

/// What merging f+1 reports depends on besides them.
pub(super) struct Merging {
    /// The epoch to come.
    pub(super) epoch: RoundsEpoch,
    /// What the coordinator has executed.
    pub(super) decided: Footing,
    pub(super) quorum: Quorum,
    pub(super) mutant: Option<Mutant>,
}

/// A report that counts, and its place among all.
type Kept<'a> = (usize, &'a Reported);

impl Merging {
    /// What the epoch begins with.
    pub(super) fn merge(&self, reports: &[&Reported]) -> Merged {
        let newest = reports
            .iter()
            .map(|report| report.installed)
            .max()
            .expect("a majority");
        let stale_count = self.mutant == Some(Mutant::MergeStaleReports);
        let kept: Vec<Kept<'_>> = reports
            .iter()
            .copied()
            .enumerate()
            .filter(|(_, report)| report.installed == newest || stale_count)
            .collect();
        let (index, longest) = kept
            .iter()
            .max_by_key(|(_, report)| {
                (
                    report.locked.position,
                    core::cmp::Reverse(report.committed.frontier.position),
                )
            })
            .expect("one has the newest epoch");
        let committed = self.decided.frontier.position;
        if longest.committed.frontier.position > committed {
            return Merged::Lacking(*index);
        }
        if longest.footing(committed).is_none() {
            return Merged::Overtaken;
        }
        if kept.iter().any(|(_, report)| self.contradicts(report)) {
            return Merged::Contradicted;
        }
        Merged::Values {
            values: self.values(&kept, longest, newest),
            term: newest.term,
            term_base: longest.term_base,
        }
    }

    /// Votes above a lock may be for what was not decided; a lock may not.
    fn contradicts(&self, report: &Reported) -> bool {
        let decided = &self.decided.frontier;
        let there = report.footing(decided.position);
        report.locked.position >= decided.position
            && there.is_some_and(|footing| footing.frontier.digest != decided.digest)
    }

    /// The values above what is decided.
    fn values(
        &self,
        kept: &[Kept<'_>],
        longest: &Reported,
        newest: RoundsEpoch,
    ) -> Vec<Option<Stored>> {
        let cover = Cover::of(self.mutant);
        let needed = match self.mutant {
            Some(Mutant::MergeOneVote) => 1,
            _ => self.quorum.merge_votes().min(kept.len()),
        };
        let mut at = self.decided;
        let locked = if self.mutant == Some(Mutant::MergeForgetsLock) {
            at.frontier.position
        } else {
            longest.locked.position
        };
        let mut values = Vec::new();
        while at.frontier.position < locked {
            let value = longest
                .value(at.frontier.position.next())
                .expect("what is locked is held");
            at = extend(cover, &at, &value);
            values.push(value);
        }
        // Under the same root, the numbers that were seen are settled now: who has fallen far
        // behind the root could not vote them down one by one. Another root counts anew.
        let same_root = self.epoch.term == newest.term;
        let ends = kept.iter().map(|(_, report)| {
            if same_root {
                report.seen.max(report.head())
            } else {
                report.head()
            }
        });
        let last = ends.max().expect("one has the newest epoch");
        while at.frontier.position < last {
            let value = voted(kept, &at, needed).unwrap_or(Value::NoOp);
            at = extend(cover, &at, &value);
            values.push(value);
        }
        values.iter().map(Stored::of_value).collect()
    }
}

/// The value after `at` that enough reports with that very prefix have voted for.
fn voted<'a>(kept: &[Kept<'a>], at: &Footing, needed: usize) -> Option<Value<'a>> {
    let next = at.frontier.position.next();
    let extends = |report: &&'a Reported| report.footing(at.frontier.position) == Some(*at);
    let candidates: Vec<(Value<'a>, Footing)> = kept
        .iter()
        .map(|(_, report)| *report)
        .filter(extends)
        .filter_map(|report| Some((report.value(next)?, report.footing(next)?)))
        .collect();
    let votes = |footing: &Footing| {
        candidates
            .iter()
            .filter(|(_, other)| other == footing)
            .count()
    };
    let found = candidates
        .iter()
        .find(|(_, footing)| votes(footing) >= needed)?;
    Some(found.0)
}

#[cfg(test)]
mod tests;
