//! Counting the replies to one request.

use super::Agreement;
use replica::quorum::MAX_REPLICAS;
use wire::message::Reply;
use wire::{SlotNumber, SummaryHash, ViewNumber};

/// What the replies so far amount to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// More are needed.
    Open,
    /// The newest reply completes the request.
    Agreed,
    /// No superquorum can agree any more in the newest view.
    Hopeless,
    /// Equal hashes, different results.
    Contradiction,
}

/// A replica's newest reply.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Vote {
    view: ViewNumber,
    slot: SlotNumber,
    hash: SummaryHash,
    result: Box<[u8]>,
}

#[derive(Clone, Debug)]
pub(super) struct Votes {
    agreement: Agreement,
    newest: [Option<Vote>; MAX_REPLICAS],
}

impl Votes {
    pub(super) fn new(agreement: Agreement) -> Self {
        Self {
            agreement,
            newest: [const { None }; MAX_REPLICAS],
        }
    }

    pub(super) fn add(&mut self, reply: &Reply<'_>) -> Verdict {
        let quorum = match self.agreement {
            Agreement::Committed if reply.committed => return Verdict::Agreed,
            Agreement::Committed | Agreement::WithLeader(_) => return Verdict::Open,
            Agreement::Speculative(quorum) => quorum,
        };
        let index = usize::from(reply.replica.0);
        let newest_view = self.newest.iter().flatten().map(|vote| vote.view).max();
        // A reply of an older view than the newest known is no vote, and a committed one may
        // come from a replica that was left behind: the published client believes it.
        if index >= quorum.n() || newest_view.is_some_and(|view| reply.view < view) {
            return Verdict::Open;
        }
        let same_log = |vote: &&Vote| vote.slot == reply.slot && vote.hash == reply.hash;
        if self
            .newest
            .iter()
            .flatten()
            .filter(same_log)
            .any(|v| *v.result != *reply.result)
        {
            return Verdict::Contradiction;
        }
        let vote = Vote {
            view: reply.view,
            slot: reply.slot,
            hash: reply.hash,
            result: reply.result.into(),
        };
        if reply.committed {
            return Verdict::Agreed;
        }
        self.newest[index] = Some(vote);
        let current = || {
            self.newest
                .iter()
                .flatten()
                .filter(|vote| vote.view == reply.view)
        };
        let matching = |vote: &Vote| current().filter(|other| *other == vote).count();
        let best = current().map(matching).max().unwrap_or(0);
        if best >= quorum.superquorum() {
            return Verdict::Agreed;
        }
        let silent = quorum.n() - current().count();
        if best + silent < quorum.superquorum() {
            Verdict::Hopeless
        } else {
            Verdict::Open
        }
    }
}
