//! What clients have been told, and which requests they may take for completed.

use super::names::Names;
use std::collections::{BTreeMap, BTreeSet};
use wire::message::Reply;
use wire::{ReplicaId, SlotNumber, SummaryHash, ViewNumber};

/// What replies must agree in to count together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Vote {
    letter: char,
    view: ViewNumber,
    slot: SlotNumber,
    hash: SummaryHash,
}

/// Equal replies.
#[derive(Debug)]
struct Group {
    vote: Vote,
    committed: bool,
    from: Vec<ReplicaId>,
}

/// All replies.
#[derive(Debug, Default)]
pub(crate) struct Replies {
    votes: BTreeMap<Vote, BTreeSet<ReplicaId>>,
    /// Not shown yet.
    news: Vec<Group>,
}

impl Replies {
    /// Notes a reply; returns whether its client may take the request for completed with it.
    pub(crate) fn note(
        &mut self,
        reply: &Reply<'_>,
        names: &Names,
        superquorum: usize,
    ) -> Result<bool, String> {
        let vote = Vote {
            letter: names.letter(reply.client, reply.number),
            view: reply.view,
            slot: reply.slot,
            hash: reply.hash,
        };
        let result = String::from_utf8_lossy(reply.result);
        let name = names.hash(reply.hash);
        if name.trim_end_matches('\'') != result {
            return Err(format!("a reply says {result} with the hash of {name}"));
        }
        let voters = self.votes.entry(vote).or_default();
        voters.insert(reply.replica);
        let group = self
            .news
            .iter_mut()
            .find(|group| group.vote == vote && group.committed == reply.committed);
        match group {
            Some(group) => group.from.push(reply.replica),
            None => self.news.push(Group {
                vote,
                committed: reply.committed,
                from: vec![reply.replica],
            }),
        }
        Ok(reply.committed || voters.len() >= superquorum)
    }

    /// Replies to a request that were not shown before, equal ones on one line.
    pub(crate) fn show(&mut self, letter: char, names: &Names, superquorum: usize) -> Vec<String> {
        let shown = self
            .news
            .extract_if(.., |group| group.vote.letter == letter);
        let mut lines: Vec<_> = shown
            .map(
                |Group {
                     vote,
                     committed,
                     from,
                 }| {
                    let name = names.hash(vote.hash);
                    let state = if committed {
                        "committed"
                    } else {
                        "speculative"
                    };
                    let from: Vec<_> = from.iter().map(ToString::to_string).collect();
                    let completes = if committed || self.votes[&vote].len() >= superquorum {
                        ": completed"
                    } else {
                        ""
                    };
                    format!(
                        "reply {letter}: view {}, slot {}, {name}, {state}, from {}{completes}",
                        vote.view,
                        vote.slot,
                        from.join(" ")
                    )
                },
            )
            .collect();
        if lines.is_empty() {
            lines.push(format!("reply {letter}: none"));
        }
        lines
    }
}
