//! What the controller tells while it works, for people and for who waits.

use std::fmt;
use std::sync::Arc;

use tokio::sync::mpsc;
use wire::{EpochNumber, GroupId, RoundNumber};

use crate::plan::Difference;
use crate::target::FailedWrite;

/// As many events wait for who reads them; others are dropped then.
pub const EVENT_QUEUE_LEN: usize = 4096;

/// As many differences or failures are shown in the text of an event.
const SHOWN: usize = 8;

/// Something that happened with a switch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// The name of the switch.
    pub switch: String,
    /// What happened.
    pub kind: EventKind,
}

/// A group as it now is on its root.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InstalledGroup {
    /// The group.
    pub group: GroupId,
    /// Its term.
    pub term: EpochNumber,
    /// The round in which the term begins.
    pub round_base: RoundNumber,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EventKind {
    /// The switch answers.
    Connected,
    /// Another controller leads; we wait for it to leave.
    NotPrimary {
        /// The highest election id that the switch has seen.
        highest: Option<u128>,
    },
    /// We lead.
    Primary,
    /// The switch has another program, or none.
    OtherProgram,
    /// The switch has the program, but not the rules that it should have.
    Differs {
        /// All of them.
        differences: Vec<Difference>,
    },
    /// The program was loaded and takes entries.
    PipelinePushed {
        /// Its mark.
        cookie: u64,
    },
    /// Rules were refused.
    WriteFailed {
        /// Each with table, key and reason.
        failures: Vec<FailedWrite>,
    },
    /// All rules were written, with a fresh term.
    Installed {
        /// The term; none if the switch is no group's root.
        term: Option<EpochNumber>,
        /// How many rules.
        rules: usize,
    },
    /// What was read back is what should be there.
    Verified {
        /// The groups of which the switch is the root.
        groups: Vec<InstalledGroup>,
        /// False if all was there already: then nothing was written, and the terms go on.
        installed: bool,
    },
    /// The root of a group is lost, and this switch, which is ready, becomes it.
    GroupMoves {
        /// The group.
        group: GroupId,
        /// The root that it had.
        from: String,
    },
    /// This switch has the group, and the leaf is told to send its packets here.
    GroupMoved {
        /// The group.
        group: GroupId,
        /// The root that it had.
        from: String,
    },
    /// The session ended.
    StreamLost {
        /// Why.
        reason: String,
    },
    /// It did not work, and is tried again.
    Retrying {
        /// Why.
        reason: String,
        /// After this pause.
        pause_ms: u64,
    },
}

/// Where events go. Clones go to the same place.
#[derive(Clone)]
pub struct Events {
    sink: Arc<dyn Fn(Event) + Send + Sync>,
}

impl Events {
    /// To a function, which must not block.
    pub fn to(sink: impl Fn(Event) + Send + Sync + 'static) -> Self {
        Self {
            sink: Arc::new(sink),
        }
    }

    /// Nowhere.
    pub fn ignored() -> Self {
        Self::to(drop)
    }

    /// To a queue of [`EVENT_QUEUE_LEN`] events. When it is full, events are dropped: the
    /// controller waits for nobody.
    pub fn queue() -> (Self, mpsc::Receiver<Event>) {
        let (sender, receiver) = mpsc::channel(EVENT_QUEUE_LEN);
        (
            Self::to(move |event| drop(sender.try_send(event))),
            receiver,
        )
    }

    pub(crate) fn tell(&self, switch: &str, kind: EventKind) {
        (self.sink)(Event {
            switch: switch.to_owned(),
            kind,
        });
    }
}

impl fmt::Debug for Events {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Events")
    }
}

impl fmt::Display for Event {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}: {}", self.switch, self.kind)
    }
}

impl fmt::Display for EventKind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Connected => formatter.write_str("connected"),
            Self::NotPrimary {
                highest: Some(highest),
            } => {
                write!(
                    formatter,
                    "another controller leads with election id {highest}, waiting"
                )
            }
            Self::NotPrimary { highest: None } => {
                formatter.write_str("another controller leads, waiting")
            }
            Self::Primary => formatter.write_str("primary"),
            Self::OtherProgram => formatter.write_str("has another program or none"),
            Self::Differs { differences } => {
                write!(formatter, "differs in {} rules", differences.len())?;
                list(formatter, differences)
            }
            Self::PipelinePushed { cookie } => {
                write!(formatter, "program {cookie:016x} loaded")
            }
            Self::WriteFailed { failures } => {
                write!(formatter, "{} rules were refused", failures.len())?;
                list(formatter, failures)
            }
            Self::Installed {
                term: Some(term),
                rules,
            } => {
                write!(formatter, "{rules} rules installed, term {term}")
            }
            Self::Installed { term: None, rules } => {
                write!(formatter, "{rules} rules installed, no group")
            }
            Self::Verified { groups, installed } => {
                let how = if *installed {
                    "read back"
                } else {
                    "found as it should be"
                };
                write!(formatter, "verified: {how}, {} groups", groups.len())
            }
            Self::GroupMoves { group, from } => {
                write!(
                    formatter,
                    "takes over group {group}, its root {from} is lost"
                )
            }
            Self::GroupMoved { group, from } => {
                write!(
                    formatter,
                    "has group {group}, packets go here and not to {from}"
                )
            }
            Self::StreamLost { reason } => write!(formatter, "session lost: {reason}"),
            Self::Retrying { reason, pause_ms } => {
                write!(formatter, "trying again in {pause_ms} ms: {reason}")
            }
        }
    }
}

fn list(formatter: &mut fmt::Formatter<'_>, items: &[impl fmt::Display]) -> fmt::Result {
    for item in items.iter().take(SHOWN) {
        write!(formatter, "\n  {item}")?;
    }
    match items.len().checked_sub(SHOWN) {
        None | Some(0) => Ok(()),
        Some(more) => write!(formatter, "\n  and {more} more"),
    }
}
