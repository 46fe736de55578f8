//! A view begins with one log: all START-VIEWs of one view number end at the same slot with the
//! same hash. (A hash stands for everything before it, so they describe the same log, however much
//! of it each receiver is sent.)
//!
//! The same for START-EPOCHs, whose values are compared position by position: who has installed
//! an epoch tells its beginning too, as values above what is decided there by then.

use super::{Invariant, Sight};
use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use wire::message::Message;
use wire::message::nopaxos::{NoPaxosMessage, Start};
use wire::message::rounds::{RoundsMessage, StartEpoch, Value};
use wire::{Position, ReplicaId, RoundsEpoch, SlotNumber, SummaryHash, ViewNumber};

/// See the module.
#[derive(Debug, Default)]
pub(super) struct OneStartPerView {
    starts: BTreeMap<ViewNumber, (SlotNumber, SummaryHash, ReplicaId)>,
    epochs: BTreeMap<RoundsEpoch, Beginning>,
}

/// What an epoch of synchronous rounds begins with, as far as it was told.
#[derive(Debug)]
struct Beginning {
    end: Position,
    term_base: Position,
    /// By position, a hash of the value there.
    values: BTreeMap<Position, u64>,
}

fn hash_of(value: &Value<'_>) -> u64 {
    let mut hasher = DefaultHasher::new();
    match value {
        Value::NoOp => 0_u8.hash(&mut hasher),
        Value::Packet(proposal) => proposal.hash(&mut hasher),
    }
    hasher.finish()
}

impl OneStartPerView {
    fn on_start_epoch(&mut self, start: &StartEpoch<'_>) -> Result<(), String> {
        let below = start.below.frontier.position;
        let end = Position(below.0 + start.values.len() as u64);
        let first = |end| Beginning {
            end,
            term_base: start.term_base,
            values: BTreeMap::new(),
        };
        let known = self.epochs.entry(start.epoch).or_insert_with(|| first(end));
        // Who has decided more than the epoch began with tells what is decided.
        let decided_more = start.values.is_empty() && end > known.end;
        if (end != known.end && !decided_more) || start.term_base != known.term_base {
            return Err(format!(
                "epoch {} begins with position {} on base {}, and with position {end} on base {} \
                 as replica {} has it",
                start.epoch, known.end, known.term_base, start.term_base, start.replica
            ));
        }
        for (position, value) in (below.0 + 1..).map(Position).zip(start.values.iter()) {
            let hash = hash_of(&value);
            if *known.values.entry(position).or_insert(hash) != hash {
                return Err(format!(
                    "epoch {} begins with two different values at position {position}, one of \
                     them as replica {} has it",
                    start.epoch, start.replica
                ));
            }
        }
        Ok(())
    }
}

impl OneStartPerView {
    /// NOPaxos says what the view began with, however much of it is committed by then.
    fn on_start(&mut self, start: &Start<'_>, replica: ReplicaId) -> Result<(), String> {
        let begun = (start.last, start.last_hash, replica);
        let known = *self.starts.entry(start.view).or_insert(begun);
        if known == begun {
            return Ok(());
        }
        Err(format!(
            "view {} begins with slot {} hash {} as replica {} has it, and with slot {} hash {} \
             as replica {replica} has it",
            start.view, known.0, known.1, known.2, start.last, start.last_hash
        ))
    }
}

impl Invariant for OneStartPerView {
    fn name(&self) -> &'static str {
        "one_start_per_view"
    }

    fn paper(&self) -> &'static str {
        "NSDI'15 section 4.5: the new leader's merged log begins the view"
    }

    fn see(&mut self, sight: &Sight<'_>) -> Result<(), String> {
        let Sight::Sent(sent) = sight else {
            return Ok(());
        };
        let start = match &sent.message {
            Message::StartView(start) => start,
            Message::Rounds(RoundsMessage::StartEpoch(start)) => return self.on_start_epoch(start),
            Message::NoPaxos(NoPaxosMessage::Start(start)) => {
                return self.on_start(start, sent.replica);
            }
            _ => return Ok(()),
        };
        let last = SlotNumber(start.base.0 + start.entries.len() as u64);
        let hash = start
            .entries
            .iter()
            .last()
            .map_or(start.base_hash, |entry| entry.hash);
        let begun = (last, hash, sent.replica);
        let known = *self.starts.entry(start.view).or_insert(begun);
        // The beginning may have been truncated since: then only what is committed above it is
        // sent, and the receiver fetches a snapshot.
        let truncated = start.entries.is_empty() && start.base == start.committed && last > known.0;
        if known == begun || (truncated && sent.replica == known.2) {
            return Ok(());
        }
        Err(format!(
            "view {} begins with slot {} hash {} as replica {} has it, and with slot {last} hash \
             {hash} as replica {} has it",
            start.view, known.0, known.1, known.2, sent.replica
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::sent;
    use super::*;
    use wire::message::nopaxos::Committed;
    use wire::message::rounds::{Batch, Footing, Membership, Proposal, Values};
    use wire::message::{Entries, Incarnations, StartView};
    use wire::{AgreedTime, SequenceNumber};

    fn start(view: u64, base: u64, hash: u8) -> Message<'static> {
        Message::StartView(StartView {
            view: ViewNumber(view),
            degraded: false,
            incarnations: Incarnations::unknown(3),
            base: SlotNumber(base),
            base_hash: SummaryHash([hash; 32]),
            committed: SlotNumber(base),
            entries: Entries::NONE,
        })
    }

    fn start_epoch(
        values: &[Value<'static>],
        term_base: u64,
        see: impl FnOnce(&Sight<'_>) -> Result<(), String>,
    ) -> Result<(), String> {
        let mut storage = Vec::new();
        let start = StartEpoch {
            replica: ReplicaId(1),
            epoch: RoundsEpoch::default(),
            membership: Membership::first(3),
            incarnations: Incarnations::unknown(3),
            term_base: Position(term_base),
            below: Footing::default(),
            values: Values::encode(values.iter().copied(), &mut storage),
        };
        let message = Message::Rounds(RoundsMessage::StartEpoch(start));
        see(&sent(1, message))
    }

    #[test]
    fn an_epoch_that_begins_twice_with_different_values_is_found() {
        let packet = Value::Packet(Proposal {
            sender: 0,
            incarnation: 1,
            number: 1,
            time: AgreedTime::ZERO,
            batch: Batch::EMPTY,
        });
        for (again, base, holds) in [
            ([Value::NoOp, packet], 0, true),
            ([packet, packet], 0, false),
            ([Value::NoOp, packet], 1, false),
        ] {
            let mut invariant = OneStartPerView::default();
            start_epoch(&[Value::NoOp, packet], 0, |sight| invariant.see(sight)).unwrap();
            let seen = start_epoch(&again, base, |sight| invariant.see(sight));
            assert_eq!(seen.is_ok(), holds, "{again:?} {base} {seen:?}");
        }
        let mut invariant = OneStartPerView::default();
        start_epoch(&[packet], 0, |sight| invariant.see(sight)).unwrap();
        let longer = start_epoch(&[packet, packet], 0, |sight| invariant.see(sight));
        assert!(longer.unwrap_err().contains("position 2"));
    }

    #[test]
    fn a_start_of_nopaxos_has_one_end_however_much_is_committed_by_then() {
        let start = |last, committed, mark| {
            Message::NoPaxos(NoPaxosMessage::Start(Start {
                view: ViewNumber(1),
                incarnations: Incarnations::unknown(3),
                committed: Committed {
                    slot: SlotNumber(committed),
                    ..Committed::default()
                },
                head: SequenceNumber(9),
                last: SlotNumber(last),
                last_hash: SummaryHash([mark; 32]),
                base: SlotNumber(0),
                entries: Entries::NONE,
            }))
        };
        let mut invariant = OneStartPerView::default();
        assert_eq!(invariant.see(&sent(1, start(4, 0, 1))), Ok(()));
        assert_eq!(invariant.see(&sent(1, start(4, 3, 1))), Ok(()));
        for (who, last, mark) in [(1, 5, 1), (1, 4, 2), (2, 4, 1)] {
            let seen = invariant.see(&sent(who, start(last, 0, mark))).unwrap_err();
            assert!(seen.starts_with("view 1 begins with slot 4"), "{seen}");
        }
    }

    #[test]
    fn a_view_that_begins_twice_with_different_logs_is_found() {
        for (base, hash, who) in [(4, 2, 1), (3, 1, 1), (4, 1, 2), (5, 1, 2)] {
            let mut invariant = OneStartPerView::default();
            assert_eq!(invariant.see(&sent(1, start(1, 4, 1))), Ok(()));
            assert_eq!(
                invariant.see(&sent(1, start(1, 4, 1))),
                Ok(()),
                "sent again"
            );
            assert_eq!(
                invariant.see(&sent(2, start(2, 6, 3))),
                Ok(()),
                "another view"
            );
            let seen = invariant.see(&sent(who, start(1, base, hash))).unwrap_err();
            assert!(seen.starts_with("view 1 begins with slot 4"), "{seen}");
        }
    }
}
