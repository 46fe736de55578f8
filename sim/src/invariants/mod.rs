//! What must always hold, one file each. An invariant sees every step of every replica, every
//! message that leaves, every stamp, every answer, and the end; it remembers what it needs, at a
//! cost per step that does not grow with the run.
//!
//! It knows no protocol: a replica's log and mode come as `Observed`, its messages as `wire` has
//! them. Each names the section of the paper that promises it (NSDI'15: Ports et al., *Designing
//! Distributed Systems Using Approximate Synchrony in Data Center Networks*).

mod agreed_time_monotone;
mod bounded_memory;
mod committed_never_lost_or_moved;
mod committed_prefix_agreement;
mod equal_hash_equal_entries;
mod equal_logs_equal_states;
mod exactly_once;
mod linearizable_history;
mod one_start_per_view;
mod results_never_change;
mod stamps_never_reused;
#[cfg(test)]
mod testing;
mod undo_is_exact;
mod votes_only_when_normal;
mod votes_stand;

use crate::history::History;
use crate::linearizability::kv::{KvOperation, KvOutcome};
use crate::settings::Settings;
use crate::world::{Member, Observed, SeenEntry};
use wire::message::Message;
use wire::{
    ClientId, EpochNumber, ReplicaId, RequestNumber, SequenceNumber, SlotNumber, SummaryHash, Tick,
};

/// The name of violations that a core's own assertions found.
pub const CORE_ASSERTION: &str = "core_assertion";

/// A replica handled something.
#[derive(Clone, Copy)]
pub struct Step<'a> {
    /// Which replica.
    pub replica: ReplicaId,
    /// Before.
    pub before: Observed,
    /// After.
    pub after: Observed,
    /// Up to here the log is as it was; above, it is new or gone.
    pub kept: SlotNumber,
    /// The replica.
    pub member: &'a dyn Member,
}

impl<'a> Step<'a> {
    /// Entries that are new in the log.
    pub fn appended(&self) -> impl Iterator<Item = SeenEntry<'a>> + use<'a> {
        entries(self.member, self.kept, self.after.last)
    }

    /// Entries that are newly committed here.
    pub fn committed(&self) -> impl Iterator<Item = SeenEntry<'a>> + use<'a> {
        entries(
            self.member,
            self.before.last_committed,
            self.after.last_committed,
        )
    }
}

fn entries(
    member: &dyn Member,
    above: SlotNumber,
    to: SlotNumber,
) -> impl Iterator<Item = SeenEntry<'_>> {
    (above.0 + 1..=to.0).filter_map(move |slot| member.entry(SlotNumber(slot)))
}

/// A message leaves a replica.
#[derive(Clone, Copy, Debug)]
pub struct Sent<'a> {
    /// Which replica.
    pub replica: ReplicaId,
    /// The message.
    pub message: Message<'a>,
}

/// A stamped packet, at the root as it leaves or at a replica as it comes.
#[derive(Clone, Copy, Debug)]
pub struct Stamped<'a> {
    /// The term.
    pub epoch: EpochNumber,
    /// The number in it.
    pub sequence: SequenceNumber,
    /// What was stamped.
    pub message: &'a [u8],
}

/// A client was answered.
#[derive(Clone, Copy, Debug)]
pub struct Answered<'a> {
    /// Which client.
    pub client: ClientId,
    /// Which request.
    pub number: RequestNumber,
    /// Where it stands in the log.
    pub slot: SlotNumber,
    /// The summary hash there.
    pub hash: SummaryHash,
    /// What it was told.
    pub result: &'a [u8],
}

/// The run is over: everything was answered and the group has healed.
#[derive(Clone, Copy)]
pub struct End<'a> {
    /// Every replica that is up.
    pub members: &'a [(ReplicaId, &'a dyn Member)],
    /// What clients asked and were told.
    pub history: &'a History<KvOperation, KvOutcome>,
}

/// Something that invariants look at.
#[derive(Clone, Copy)]
pub enum Sight<'a> {
    /// A replica handled something.
    Step(Step<'a>),
    /// A message leaves a replica.
    Sent(Sent<'a>),
    /// The root has stamped a packet.
    Stamped(Stamped<'a>),
    /// A replica gets a stamped packet.
    Received(ReplicaId, Stamped<'a>),
    /// A client was answered.
    Answered(Answered<'a>),
    /// A replica starts again.
    Started(ReplicaId, &'a dyn Member),
    /// The run is over.
    End(End<'a>),
}

/// Something that must always hold.
pub trait Invariant: Send {
    /// Its name: that of its file.
    fn name(&self) -> &'static str;

    /// Where it is promised.
    fn paper(&self) -> &'static str;

    /// Whether it is only so if the root tells the truth.
    fn trusts_the_root(&self) -> bool {
        false
    }

    /// Looks; what breaks it is told in words.
    fn see(&mut self, sight: &Sight<'_>) -> Result<(), String>;
}

/// A broken invariant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// Its name.
    pub invariant: &'static str,
    /// Where it is promised.
    pub paper: &'static str,
    /// What was seen.
    pub seen: String,
    /// When.
    pub at: Tick,
}

/// A fresh set of all invariants.
pub fn all() -> Vec<Box<dyn Invariant>> {
    vec![
        Box::<committed_prefix_agreement::CommittedPrefixAgreement>::default(),
        Box::<committed_never_lost_or_moved::CommittedNeverLostOrMoved>::default(),
        Box::<exactly_once::ExactlyOnce>::default(),
        Box::<undo_is_exact::UndoIsExact>::default(),
        Box::<results_never_change::ResultsNeverChange>::default(),
        Box::<equal_hash_equal_entries::EqualHashEqualEntries>::default(),
        Box::<stamps_never_reused::StampsNeverReused>::default(),
        Box::<one_start_per_view::OneStartPerView>::default(),
        Box::<votes_only_when_normal::VotesOnlyWhenNormal>::default(),
        Box::<votes_stand::VotesStand>::default(),
        Box::<agreed_time_monotone::AgreedTimeMonotone>::default(),
        Box::<bounded_memory::BoundedMemory>::default(),
        Box::<equal_logs_equal_states::EqualLogsEqualStates>::default(),
        Box::<linearizable_history::LinearizableHistory>::default(),
    ]
}

/// All of them but those that trust a root that lies; or the one that is asked for.
pub(crate) fn wanted(settings: &Settings) -> Vec<Box<dyn Invariant>> {
    let lies = settings.profile.lies();
    let mut wanted = all();
    wanted.retain(|one| match &settings.only_invariant {
        Some(name) => one.name() == name,
        None => !(lies && one.trusts_the_root()),
    });
    wanted
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn names_are_unique_and_sections_are_given() {
        let all = all();
        let names: BTreeSet<_> = all.iter().map(|one| one.name()).collect();
        assert_eq!(names.len(), all.len());
        assert!(all.iter().all(|one| one.paper().contains("section")));
    }
}
