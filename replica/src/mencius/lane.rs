//! One owner's instances as this server knows them: what it has accepted, what is skipped, what
//! was promised to who revokes. Everything up to what is executed is forgotten.

use alloc::collections::BTreeMap;
use alloc::sync::Arc;
use wire::message::Batch;
use wire::message::mencius::{self as message, Ballot, Cell, LanePromise, Start};
use wire::{AgreedTime, InstanceNumber, ReplicaId};

/// A batch that outlives its packet.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct StoredBatch {
    pub(super) time: AgreedTime,
    bytes: Arc<[u8]>,
}

impl StoredBatch {
    pub(super) fn new(time: AgreedTime, batch: Batch<'_>) -> Self {
        Self {
            time,
            bytes: batch.bytes().into(),
        }
    }

    pub(super) fn batch(&self) -> Batch<'_> {
        Batch::parse(&self.bytes).expect("it was checked before it was stored")
    }

    pub(super) fn len(&self) -> usize {
        self.bytes.len()
    }

    pub(super) fn of_cell(cell: &Cell<'_>) -> Option<Self> {
        cell.value.map(|(time, batch)| Self::new(time, batch))
    }
}

/// What stands in an instance; `None`: a no-op.
pub(super) type Value = Option<StoredBatch>;

/// What this server has accepted in an instance.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Held {
    pub(super) ballot: Ballot,
    pub(super) chosen: bool,
    pub(super) value: Value,
}

impl Held {
    pub(super) fn of_cell(cell: &Cell<'_>) -> Self {
        Self {
            ballot: cell.ballot,
            chosen: cell.chosen,
            value: StoredBatch::of_cell(cell),
        }
    }

    /// As a cell of a message.
    pub(super) fn as_cell(&self, instance: InstanceNumber) -> Cell<'_> {
        let value = self.value.as_ref();
        Cell {
            instance,
            ballot: self.ballot,
            chosen: self.chosen,
            value: value.map(|stored| (stored.time, stored.batch())),
        }
    }

    /// Whether, of two reports of one instance, this one says more.
    pub(super) fn outranks(&self, other: &Self) -> bool {
        (self.chosen, self.ballot) > (other.chosen, other.ballot)
    }
}

/// One owner's instances.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct LaneState {
    owner: ReplicaId,
    /// Servers in the group.
    n: u64,
    /// Where the owner's newest life began.
    pub(super) start: Start,
    /// Nothing older is accepted …
    pub(super) promised: Ballot,
    /// … up to here.
    pub(super) up_to: InstanceNumber,
    cells: BTreeMap<InstanceNumber, Held>,
    /// The newest instance of which it was ever known here that a majority has accepted it.
    newest_chosen: InstanceNumber,
    /// Runs of instances that the owner has skipped: first and last. Others' lie between.
    skipped: BTreeMap<InstanceNumber, InstanceNumber>,
    /// All that the owner's life has proposed above `above` up to `held` is accepted here.
    pub(super) above: InstanceNumber,
    pub(super) held: InstanceNumber,
    /// What the owner has said of itself in its newest life: the largest of each.
    pub(super) said: message::Lane,
}

impl LaneState {
    pub(super) fn new(owner: ReplicaId, n: usize) -> Self {
        Self {
            owner,
            n: n as u64,
            start: Start::default(),
            promised: Ballot::default(),
            up_to: InstanceNumber::ZERO,
            cells: BTreeMap::new(),
            newest_chosen: InstanceNumber::ZERO,
            skipped: BTreeMap::new(),
            above: InstanceNumber::ZERO,
            held: InstanceNumber::ZERO,
            said: message::Lane::default(),
        }
    }

    /// The owner's first instance above another.
    pub(super) fn first_above(&self, instance: InstanceNumber) -> InstanceNumber {
        let owner = u64::from(self.owner.0);
        let further = (owner + self.n - instance.0 % self.n) % self.n;
        InstanceNumber(instance.0 + 1 + further)
    }

    /// The owner's instances above one up to another.
    pub(super) fn between(
        &self,
        above: InstanceNumber,
        up_to: InstanceNumber,
    ) -> impl Iterator<Item = InstanceNumber> + use<> {
        let (first, n) = (self.first_above(above).0, self.n);
        (0..)
            .map(move |turn| InstanceNumber(first + turn * n))
            .take_while(move |instance| *instance <= up_to)
    }

    /// The ballot of the owner's life.
    pub(super) fn own_ballot(&self, incarnation: u64) -> Ballot {
        Ballot {
            round: 0,
            replica: self.owner,
            incarnation,
        }
    }

    pub(super) fn is_skipped(&self, instance: InstanceNumber) -> bool {
        let run = self.skipped.range(..=instance).next_back();
        run.is_some_and(|(_, last)| instance <= *last)
    }

    /// The owner's first instance above another of which nothing is known for certain.
    pub(super) fn first_unsettled(&self, above: InstanceNumber) -> InstanceNumber {
        let mut instance = self.first_above(above);
        loop {
            let run = self.skipped.range(..=instance).next_back();
            if let Some((_, last)) = run.filter(|(_, last)| instance <= **last) {
                instance = self.first_above(*last);
            } else if self.cells.get(&instance).is_some_and(|held| held.chosen) {
                instance = self.first_above(instance);
            } else {
                return instance;
            }
        }
    }

    /// The owner says that it has skipped everything between two instances. Keeps at most `runs`
    /// runs: who drops one hears of it again, or of what was decided.
    pub(super) fn skip(&mut self, after: InstanceNumber, before: InstanceNumber, runs: usize) {
        let (mut first, mut last) = (after.next(), InstanceNumber(before.0.saturating_sub(1)));
        if first > last {
            return;
        }
        while let Some((from, to)) = self
            .skipped
            .range(..=last)
            .next_back()
            .filter(|(_, to)| **to >= first)
            .map(|(from, to)| (*from, *to))
        {
            self.skipped.remove(&from);
            (first, last) = (first.min(from), last.max(to));
        }
        if self.skipped.len() < runs {
            self.skipped.insert(first, last);
        }
    }

    pub(super) fn cell(&self, instance: InstanceNumber) -> Option<&Held> {
        self.cells.get(&instance)
    }

    /// Accepts a value, unless one is chosen or a newer ballot's is held.
    pub(super) fn accept(&mut self, instance: InstanceNumber, ballot: Ballot, value: Value) {
        let known = self.cells.get(&instance);
        if known.is_some_and(|held| held.chosen || held.ballot > ballot) {
            return;
        }
        let own = ballot == self.own_ballot(self.said.life());
        let named = instance > self.said.base && instance <= self.said.chosen;
        let held = Held {
            ballot,
            chosen: own && named,
            value,
        };
        self.insert(instance, held);
    }

    /// A value that can no longer change. Panics if another one could not either.
    pub(super) fn choose(&mut self, instance: InstanceNumber, ballot: Ballot, value: Value) {
        if let Some(known) = self.cells.get(&instance).filter(|held| held.chosen) {
            assert!(
                known.value == value,
                "two values are chosen in instance {instance}"
            );
        }
        let held = Held {
            ballot,
            chosen: true,
            value,
        };
        self.insert(instance, held);
    }

    fn insert(&mut self, instance: InstanceNumber, held: Held) {
        if held.chosen {
            self.newest_chosen = self.newest_chosen.max(instance);
        }
        self.cells.insert(instance, held);
    }

    /// What another server has reported as accepted.
    pub(super) fn adopt(&mut self, instance: InstanceNumber, reported: Held) {
        let known = self.cells.get(&instance);
        if known.is_none_or(|held| reported.outranks(held)) {
            self.insert(instance, reported);
        }
    }

    /// The owner, in the life that was heard last, says how its instances stand.
    pub(super) fn note(&mut self, lane: &message::Lane) {
        let ballot = self.own_ballot(lane.life());
        let known = self.said.chosen.max(self.said.base).max(lane.base);
        let said = &mut self.said;
        said.replica = lane.replica;
        said.incarnations = lane.incarnations;
        said.base = lane.base.max(said.base);
        said.chosen = lane.chosen.max(said.chosen);
        said.last = lane.last.max(said.last);
        said.next = lane.next.max(said.next);
        said.executed = lane.executed.max(said.executed);
        if lane.chosen > known {
            let newly = self.cells.range_mut(known.next()..=lane.chosen);
            for (instance, held) in newly.filter(|(_, held)| held.ballot == ballot) {
                held.chosen = true;
                self.newest_chosen = self.newest_chosen.max(*instance);
            }
        }
    }

    /// A proposal of the owner's life is accepted; `previous` is the one before it. If some between
    /// are missing the run goes on only once they are here, or it begins anew above what is
    /// decided.
    pub(super) fn extend(
        &mut self,
        previous: InstanceNumber,
        instance: InstanceNumber,
        executed: InstanceNumber,
    ) {
        if previous <= self.held {
            self.held = self.held.max(instance);
        } else if previous <= executed.max(self.said.base) {
            (self.above, self.held) = (previous, instance);
        }
    }

    pub(super) fn newest_chosen(&self) -> InstanceNumber {
        self.newest_chosen
    }

    /// The newest instance that a batch stands in.
    pub(super) fn newest_batch(&self) -> InstanceNumber {
        let batches = self.cells.iter().rev();
        let mut batches = batches.filter(|(_, held)| held.value.is_some());
        batches
            .next()
            .map_or(InstanceNumber::ZERO, |(instance, _)| *instance)
    }

    /// The owner has begun another life. What it skipped in the one before and is not executed
    /// may be below where the new one begins, or not.
    pub(super) fn begin_life(&mut self) {
        self.skipped.clear();
        self.said = message::Lane::default();
        (self.above, self.held) = Default::default();
    }

    /// Everything that is accepted or chosen, in order.
    pub(super) fn cells(&self) -> impl Iterator<Item = (InstanceNumber, &Held)> {
        self.cells.iter().map(|(instance, held)| (*instance, held))
    }

    /// The newest instance that something stands in.
    pub(super) fn newest(&self) -> InstanceNumber {
        let newest = self.cells.last_key_value();
        newest.map_or(InstanceNumber::ZERO, |(instance, _)| *instance)
    }

    /// Everything up to here is executed.
    pub(super) fn forget_up_to(&mut self, executed: InstanceNumber) {
        while let Some(first) = self.cells.first_entry()
            && *first.key() <= executed
        {
            first.remove();
        }
        while let Some(first) = self.skipped.first_entry()
            && *first.get() <= executed
        {
            first.remove();
        }
    }

    /// What is promised.
    pub(super) fn promise(&self) -> LanePromise {
        LanePromise {
            promised: self.promised,
            up_to: self.up_to,
            start: self.start,
        }
    }

    /// Takes over another server's promise.
    pub(super) fn merge_promise(&mut self, other: &LanePromise) {
        self.promised = self.promised.max(other.promised);
        self.up_to = self.up_to.max(other.up_to);
        self.start = self.start.max(other.start);
    }

    /// How many instances and runs are kept.
    pub(super) fn held(&self) -> (usize, usize) {
        (self.cells.len(), self.skipped.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use wire::message::Incarnations;

    const fn at(instance: u64) -> InstanceNumber {
        InstanceNumber(instance)
    }

    #[test]
    fn instances_are_owned_in_turn() {
        let lanes = [0, 1, 2].map(|owner| LaneState::new(ReplicaId(owner), 3));
        for instance in 0..20 {
            let next = lanes.each_ref().map(|lane| lane.first_above(at(instance)));
            assert!(next.contains(&at(instance + 1)));
            assert!(next.iter().all(|own| own.0 <= instance + 3));
        }
        assert_eq!(lanes[1].first_above(at(0)), at(2));
        let own: alloc::vec::Vec<_> = lanes[1].between(at(2), at(8)).collect();
        assert_eq!(own, [at(5), at(8)]);
    }

    #[test]
    fn runs_that_touch_are_one_and_a_proposal_keeps_them_apart() {
        let mut lane = LaneState::new(ReplicaId(0), 3);
        lane.skip(at(1), at(7), 4);
        lane.skip(at(1), at(10), 4);
        lane.skip(at(10), at(13), 4);
        assert_eq!(lane.held(), (0, 2));
        assert_eq!(lane.first_unsettled(at(1)), at(10));
        assert!(lane.is_skipped(at(7)) && !lane.is_skipped(at(10)));
        lane.choose(at(10), Ballot::default(), None);
        assert_eq!(lane.first_unsettled(at(1)), at(13));
        lane.forget_up_to(at(9));
        assert_eq!(lane.held(), (1, 1));
    }

    #[test]
    fn what_an_owner_says_is_chosen_is_its_own_and_of_its_life() {
        let mut lane = LaneState::new(ReplicaId(0), 3);
        let old = lane.own_ballot(1);
        let new = lane.own_ballot(2);
        lane.accept(at(4), old, None);
        lane.accept(at(7), new, None);
        let mut incarnations = Incarnations::unknown(3);
        incarnations.learn(ReplicaId(0), 2);
        let said = message::Lane {
            incarnations,
            base: at(3),
            chosen: at(10),
            ..message::Lane::default()
        };
        lane.note(&said);
        let is_chosen = |lane: &LaneState, at| lane.cell(at).is_some_and(|held| held.chosen);
        assert!(!is_chosen(&lane, at(4)) && is_chosen(&lane, at(7)));
        lane.accept(at(10), new, None);
        assert!(is_chosen(&lane, at(10)), "it was named before it came");
        lane.accept(at(13), new, None);
        assert!(!is_chosen(&lane, at(13)));
        assert_eq!(lane.newest_chosen(), at(10));
    }
}
