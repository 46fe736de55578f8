//! The end of an epoch: a replica promises to vote in none before the next, tells the coordinator
//! what it has voted for, and the coordinator says what the next begins with.
//!
//! The coordinator of an epoch is the replica that its attempt names (attempt mod 16), whoever is a
//! member. It coordinates a number at most once: it does not after a restart, for the number was
//! promised on disk before.

use super::chain::Cover;
use super::membership::{changed, changes_of, coordinator_of};
use super::merge::{Merged, Merging, Reported};
use super::mutant::Mutant;
use super::proposal::Stored;
use super::{Rounds, Timer, replica_at};
use crate::protocol::Mode;
use crate::quorum::Quorum;
use crate::{Effects, StateMachine};
use alloc::vec::Vec;
use wire::message::Incarnations;
use wire::message::rounds::{Membership, Report, RoundsMessage, StartEpoch, Values};
use wire::{Members, Position, ReplicaId, RoundsEpoch, Tick};

/// So many positions above what is decided an epoch's beginning may settle because their numbers
/// were seen.
const SEEN_MAX: u64 = 65_536;

/// A report and which of the reporter's lives made it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Received {
    replica: ReplicaId,
    /// The lives that the reporter knew of, its own among them.
    lives: Incarnations,
    /// The reporter lacks its votes.
    forgot: bool,
    reported: Reported,
}

/// The coordinator's part.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Agreement {
    /// Reports for the fence, in the order of their arrival, one a member.
    reports: Vec<Received>,
    /// The newest epoch that was started from here.
    started: RoundsEpoch,
    /// Whose log is needed to tell what the epoch begins with.
    lacks_log_of: Option<ReplicaId>,
}

impl Agreement {
    pub(super) fn lacks_log_of(&self) -> Option<ReplicaId> {
        self.lacks_log_of
    }

    /// Another epoch is promised or installed.
    pub(super) fn forget_reports(&mut self) {
        self.reports.clear();
        self.lacks_log_of = None;
    }

    fn add(&mut self, received: Received) {
        self.reports
            .retain(|other| other.replica != received.replica);
        self.reports.push(received);
    }
}

/// Reports of a majority of the voters of the newest epoch that is installed anywhere, and those
/// voters; whoever has installed it first. `reports` are of members that forgot nothing.
fn choose<'a>(reports: &[&'a Received]) -> Option<(Vec<&'a Received>, Membership)> {
    let newest = reports.iter().max_by_key(|one| one.reported.installed())?;
    let voters = newest.reported.membership();
    let majority = Quorum::of_members(voters.members).majority();
    let mut chosen: Vec<_> = reports
        .iter()
        .filter(|one| voters.members.contains(one.replica))
        .copied()
        .collect();
    chosen.sort_by_key(|one| core::cmp::Reverse(one.reported.installed()));
    chosen.truncate(majority);
    (chosen.len() == majority).then_some((chosen, voters))
}

impl<S: StateMachine> Rounds<S> {
    /// No votes before `epoch` from now on.
    pub(super) fn fence_at(&mut self, now: Tick, epoch: RoundsEpoch, out: &mut Effects) {
        assert!(epoch > self.fence, "fences only rise");
        self.fence = epoch;
        if !self.config.breaks(Mutant::NoFence) {
            self.mode = Mode::Reconciling;
        }
        self.counters.view_changes += 1;
        self.persist(out);
        self.agreement.forget_reports();
        self.pending_start = None;
        self.intake.give_up_flight();
        self.hole.forget();
        for timer in [Timer::Beat, Timer::Flight, Timer::Gap, Timer::Stall] {
            self.timers.cancel(timer);
        }
        let timings = self.config.timings;
        self.timers
            .arm(Timer::Resend, now.plus_us(timings.resend_us));
        let usual = self.at_least_flights_us(timings.give_up_us);
        let patience = self.wishes.patience_us(usual);
        self.timers.arm(Timer::GiveUp, now.plus_us(patience));
        self.report(now, out);
    }

    /// Tells the coordinator what this replica has voted for.
    pub(super) fn report(&mut self, now: Tick, out: &mut Effects) {
        let mut storage = Vec::new();
        let committed = self.chain.footing_at(self.committed);
        let report = Report {
            replica: self.config.me,
            epoch: self.fence,
            installed: self.installed,
            membership: self.epoch_membership,
            forgot: self.mode == Mode::Recovering,
            incarnations: self.incarnations,
            term_base: self.term_base,
            seen: self.seen(),
            locked: self.locked_frontier(),
            committed: committed.expect("what is decided last is held"),
            values: Values::encode(self.chain.values_above(self.committed), &mut storage),
        };
        let coordinator = coordinator_of(self.fence);
        if coordinator == self.config.me {
            self.add_report(&report);
            self.try_start(now, out);
        } else {
            Self::send(coordinator, RoundsMessage::Report(report), out);
        }
    }

    /// The highest position that the numbers of the installed term have reached, as far as it is
    /// known here. Bounded: a root that lies may number its packets as it likes.
    fn seen(&self) -> Position {
        let head = self.chain.head();
        if self.arrivals.term() != self.installed.term {
            return head;
        }
        let seen = self.term_base.0.saturating_add(self.arrivals.seen().0);
        head.max(Position(seen.min(self.committed.0 + SEEN_MAX)))
    }

    fn add_report(&mut self, report: &Report<'_>) {
        self.agreement.add(Received {
            replica: report.replica,
            lives: report.incarnations,
            forgot: report.forgot,
            reported: Reported::new(report, Cover::of(self.config.mutant)),
        });
    }

    /// A member has stopped and reports.
    pub(super) fn on_report(&mut self, now: Tick, report: &Report<'_>, out: &mut Effects) {
        self.incarnations.merge(&report.incarnations);
        if report.epoch <= self.installed {
            self.tell_start(report.replica, out);
            return;
        }
        if report.epoch < self.fence || coordinator_of(report.epoch) != self.config.me {
            return;
        }
        if report.epoch > self.fence {
            // The reporter has counted f+1 that want it.
            self.fence_at(now, report.epoch, out);
        }
        self.add_report(report);
        self.try_start(now, out);
    }

    /// With f+1 reports of members that have forgotten nothing, starts the epoch.
    pub(super) fn try_start(&mut self, now: Tick, out: &mut Effects) {
        let epoch = self.fence;
        let due = self.mode == Mode::Reconciling || self.config.breaks(Mutant::NoFence);
        let done = self.agreement.started >= epoch && !self.config.breaks(Mutant::StartTwice);
        if !due || done || self.installed >= epoch {
            return;
        }
        let newest_life = |received: &&Received| {
            let life = received.lives.of(received.replica);
            life == self.incarnations.of(received.replica)
                || self.config.breaks(Mutant::IgnoreIncarnations)
        };
        let reports: Vec<_> = self.agreement.reports.iter().filter(newest_life).collect();
        let of_memory =
            |one: &&&Received| !one.forgot || self.config.breaks(Mutant::CountForgetful);
        let whole: Vec<_> = reports.iter().filter(of_memory).copied().collect();
        let Some((chosen, voters)) = choose(&whole) else {
            return;
        };
        let reported: Vec<_> = chosen.iter().map(|received| &received.reported).collect();
        let merging = Merging {
            epoch,
            decided: self.chain.footing_at(self.committed).expect("it is held"),
            quorum: Quorum::of_members(voters.members),
            mutant: self.config.mutant,
        };
        match merging.merge(&reported) {
            Merged::Lacking(index) => {
                self.agreement.lacks_log_of = Some(chosen[index].replica);
                self.want_positions(now);
            }
            Merged::Overtaken => {}
            Merged::Contradicted => self.counters.rejected += 1,
            Merged::Values {
                values,
                term,
                term_base,
            } => {
                let newest = chosen[0].reported.installed();
                let knows = |one: &&Received| !one.forgot || one.reported.installed() <= newest;
                let reporters = reports.iter().copied().filter(knows).map(|one| one.replica);
                let reporters = reporters.fold(Members::default(), Members::with);
                if !self.is_enough_for_changes(reporters, voters, &values) {
                    return;
                }
                // A new attempt goes on with the numbers of its term, a new term counts from 1.
                let end = Position(self.committed.0 + values.len() as u64);
                let mut storage = Vec::new();
                let start = StartEpoch {
                    replica: self.config.me,
                    epoch,
                    membership: self.membership,
                    incarnations: self.lives_known_to(&chosen),
                    term_base: if epoch.term == term { term_base } else { end },
                    below: self.chain.footing_at(self.committed).expect("it is held"),
                    values: Values::encode(
                        values.iter().map(|value| Stored::value_of(value.as_ref())),
                        &mut storage,
                    ),
                };
                self.send_start(&start, out);
                if self.config.breaks(Mutant::StartTwice) && self.agreement.started < epoch {
                    // It forgets that it has, and makes another one from what comes next.
                    self.agreement.started = epoch;
                    self.agreement.reports.remove(0);
                    return;
                }
                self.agreement.started = epoch;
                self.install(now, &start, out);
            }
        }
    }

    /// Whether a majority has reported of everyone whom a change of the members names that was
    /// made after those voted, decided or not: an epoch of theirs may have begun. A reporter that
    /// lacks its votes counts if it never was in such an epoch.
    fn is_enough_for_changes(
        &self,
        reporters: Members,
        voters: Membership,
        values: &[Option<Stored>],
    ) -> bool {
        if self.config.breaks(Mutant::ChangeWithoutNew) {
            return true;
        }
        if self.membership.version > voters.version + 1 {
            // What was between is not known here; whoever is in a later epoch knows better.
            return false;
        }
        let enough = |members: Members| {
            members.common(reporters).len() >= Quorum::of_members(members).majority()
        };
        let mut at = self.membership;
        let mut all = enough(at.members);
        for value in values {
            for change in changes_of(&Stored::value_of(value.as_ref())) {
                if let Some(next) = changed(at, change) {
                    at = next;
                    all &= enough(at.members);
                }
            }
        }
        all
    }

    /// The lives that an epoch is started for: those that all its reporters knew of when they
    /// reported, and those that the installed epoch was started for. Whoever has restarted since
    /// is not let in: an earlier life of it may have promised a later epoch to a reporter that
    /// could not know better.
    fn lives_known_to(&self, chosen: &[&Received]) -> Incarnations {
        if self.config.breaks(Mutant::LetInUnheard) {
            return self.incarnations;
        }
        let mut lives = self.epoch_incarnations;
        for member in (0..self.config.known).map(replica_at) {
            let own = chosen.iter().find(|received| received.replica == member);
            let known = chosen
                .iter()
                .map(|received| received.lives.of(member))
                .min();
            let life = own.map_or(known, |received| Some(received.lives.of(member)));
            lives.learn(member, life.expect("there are f+1 reports"));
        }
        lives
    }

    fn send_start(&self, start: &StartEpoch<'_>, out: &mut Effects) {
        for member in (0..self.config.known).map(replica_at) {
            if member != self.config.me {
                Self::send(member, RoundsMessage::StartEpoch(*start), out);
            }
        }
    }

    /// The epoch has not begun in time: its coordinator may be gone.
    pub(super) fn on_give_up(&mut self, now: Tick, out: &mut Effects) {
        if self.mode != Mode::Reconciling {
            return;
        }
        self.wishes.on_failure();
        let usual = self.at_least_flights_us(self.config.timings.give_up_us);
        let patience = self.wishes.patience_us(usual);
        self.timers.arm(Timer::GiveUp, now.plus_us(patience));
        self.want(now, self.next_epoch(), out);
    }
}
