//! What must hold after every event, whatever a scenario prints:
//!
//! - replicas never commit different logs, and what a client may take for completed is never
//!   moved: one hash a slot, for ever
//! - no request is executed twice, equal hashes stand for equal logs and results
//! - each replica's own checks

use super::machine::Letters;
use super::names::Names;
use replica::spec_paxos::SpecPaxos;
use replica::{Mode, Protocol};
use std::collections::BTreeMap;
use wire::message::Reply;
use wire::{ReplicaId, SlotNumber, SummaryHash};

/// What is final.
#[derive(Debug)]
pub(crate) struct Promises {
    /// With a mutant of the core: whether its log is made as ours is not the question then.
    lenient: bool,
    last: BTreeMap<SlotNumber, (SummaryHash, String)>,
}

impl Promises {
    pub(crate) fn new(lenient: bool) -> Self {
        Self {
            lenient,
            last: BTreeMap::new(),
        }
    }

    /// After an event at `replica`.
    pub(crate) fn check(
        &mut self,
        replica: ReplicaId,
        core: &SpecPaxos<Letters>,
        names: &mut Names,
    ) -> Result<(), String> {
        core.check();
        if !self.lenient {
            core.history().check_thoroughly();
        }
        let log = core.history().log();
        names.learn(log)?;
        for (slot, entry) in log.above(log.base()) {
            if slot <= log.last_committed() {
                let who = || format!("replica {replica} committed");
                self.keep(slot, entry.hash, names, who)?;
            }
        }
        let base = (
            log.base(),
            log.hash_at(log.base()).expect("the base is known"),
        );
        if base.0 > SlotNumber::ZERO {
            self.keep(base.0, base.1, names, || {
                format!("replica {replica} dropped")
            })?;
        }
        let state = &core.history().machine().0;
        if names.has_too_many(state) {
            return Err(format!(
                "replica {replica} executed a request twice: {state}"
            ));
        }
        if core.status().mode == Mode::Normal && state.len() as u64 != log.last().0 {
            return Err(format!(
                "replica {replica} has {state} for {} slots",
                log.last()
            ));
        }
        Ok(())
    }

    /// A client may take its request for completed.
    pub(crate) fn complete(&mut self, reply: &Reply<'_>, names: &Names) -> Result<(), String> {
        self.keep(reply.slot, reply.hash, names, || "a client was told".into())
    }

    fn keep(
        &mut self,
        slot: SlotNumber,
        hash: SummaryHash,
        names: &Names,
        who: impl Fn() -> String,
    ) -> Result<(), String> {
        let (first, why) = self.last.entry(slot).or_insert_with(|| (hash, who()));
        if *first == hash {
            return Ok(());
        }
        let (first, now) = (names.hash(*first), names.hash(hash));
        Err(format!(
            "{why} {first} at slot {slot}, then {} {now} there",
            who()
        ))
    }
}
