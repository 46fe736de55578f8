//! A view begins with one log: all START-VIEWs of one view number end at the same slot with the
//! same hash. (A hash stands for everything before it, so they describe the same log, however much
//! of it each receiver is sent.)

use super::{Invariant, Sight};
use std::collections::BTreeMap;
use wire::message::Message;
use wire::{ReplicaId, SlotNumber, SummaryHash, ViewNumber};

/// See the module.
#[derive(Debug, Default)]
pub(super) struct OneStartPerView {
    starts: BTreeMap<ViewNumber, (SlotNumber, SummaryHash, ReplicaId)>,
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
        let Message::StartView(start) = sent.message else {
            return Ok(());
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
    use wire::message::{Entries, Incarnations, StartView};

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
