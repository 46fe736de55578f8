//! The command language: one command a line, `#` begins a comment.
//!
//! Requests are letters. Request `a` is the first of client a, and appends `a` to the string
//! that the state machine keeps; `request b of a` is the next request of client a. A packet that
//! the root has stamped is named by its letter, too.
//!
//! ```text
//! group 5 [gap-awareness off] [unstamped] [retained 0] [speculative 3] [deferred 2]
//! unlike no-freeze              the outcome must be another with this mutant of the core
//! request a [of b] [does x] [wants commit] [seq 7] [unstamped] to 0 1 | all | nobody
//! deliver a to 2                the packet as stamped before gets there late
//! other to 0 1                  a stamped packet that is not a request
//! epoch 2 / round 5             the root's term (its count begins again) and agreed time
//!
//! deliver all                   until nothing is on the way, in the order of sending
//! deliver sync-reply from 1 to 0 [view 2]
//! copy / drop start-view to 2   the same, and a copy stays on the way; it is lost
//! hold / release start-view     stays on the way, now and from now on; no longer
//! cut / mend any from 2         is lost from now on; no longer
//!
//! fire leader-silent at 1 2     a timer, which must be armed
//! wait 16 ms                    time passes; no timer fires by itself
//! crash 1 / restart 1 with disk / restart 1 without disk [life 1]
//! forge in-view from 7 to 0 [view 1]
//!
//! say text                      a line of the outcome
//! show [0 1]                    replicas
//! show replies a                since last shown; who sent equal ones stands on one line
//! show messages [start-view]    what is on the way
//! show entries 0                view labels and agreed times
//! show counter throttled / show timers 0 / show disk 1
//! ```
//!
//! Unless the group has `gap-awareness off`, a request that misses a replica leaves a hole there:
//! what comes after it waits.

use super::pattern::Pattern;
use replica::Mutant;
use replica::spec_paxos::Timer;
use wire::message::Wants;
use wire::{EpochNumber, ReplicaId, RoundNumber, SequenceNumber, ViewNumber};

/// What the group is like.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Settings {
    pub(crate) n: usize,
    pub(crate) no_gap_awareness: bool,
    pub(crate) unstamped: bool,
    pub(crate) retained: Option<usize>,
    pub(crate) speculative: Option<usize>,
    pub(crate) deferred: Option<usize>,
}

/// Which replicas get a packet.
#[derive(Clone, Debug)]
pub(crate) enum Receivers {
    /// All that are up.
    All,
    Some(Vec<ReplicaId>),
}

/// A request on its way through the root.
#[derive(Clone, Debug)]
pub(crate) struct Send {
    pub(crate) letter: char,
    /// Whose request it is, if that is not the letter's own client.
    pub(crate) client: Option<char>,
    /// The operation, if that is not the letter.
    pub(crate) operation: Option<char>,
    pub(crate) wants: Wants,
    pub(crate) sequence: Option<SequenceNumber>,
    pub(crate) unstamped: bool,
    pub(crate) to: Receivers,
}

/// What to do with messages that match.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Handling {
    Deliver,
    Copy,
    Drop,
    Hold,
    Release,
    Cut,
    Mend,
}

/// One command.
#[derive(Clone, Debug)]
pub(crate) enum Command {
    Group(Settings),
    Unlike(Mutant),
    Request(Send),
    DeliverPacket(char, Receivers),
    Other(Receivers),
    Epoch(EpochNumber),
    Round(RoundNumber),
    DeliverAll,
    Messages(Handling, Pattern),
    Fire(Timer, Vec<ReplicaId>),
    Wait(u64),
    Crash(ReplicaId),
    Restart {
        replica: ReplicaId,
        disk: bool,
        /// Which of its lives it takes this for, if not the one after the last.
        life: Option<u64>,
    },
    Forge {
        kind: &'static str,
        from: ReplicaId,
        to: ReplicaId,
        view: ViewNumber,
    },
    Say(String),
    Show(Vec<ReplicaId>),
    ShowReplies(char),
    ShowMessages(Pattern),
    ShowCounter(String),
    ShowEntries(ReplicaId),
    ShowTimers(ReplicaId),
    ShowDisk(ReplicaId),
}
