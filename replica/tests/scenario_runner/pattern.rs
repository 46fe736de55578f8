//! Which messages a command means.

use super::words::Words;
use std::fmt;
use wire::message::Message;
use wire::{ReplicaId, ViewNumber};

/// Names of messages between replicas; `any` is every one.
const KINDS: [&str; 15] = [
    "any",
    "sync",
    "sync-reply",
    "commit",
    "start-view-change",
    "do-view-change",
    "start-view",
    "in-view",
    "fetch-log",
    "log",
    "recover",
    "fetch-packets",
    "packet",
    "prepare",
    "snapshot",
];

/// A description that messages match or not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Pattern {
    kind: &'static str,
    from: Option<Vec<ReplicaId>>,
    to: Option<Vec<ReplicaId>>,
    view: Option<ViewNumber>,
}

impl Pattern {
    pub(crate) fn any() -> Self {
        Self {
            kind: "any",
            from: None,
            to: None,
            view: None,
        }
    }

    pub(crate) fn parse(words: &mut Words<'_>) -> Result<Self, String> {
        let name = words.take("a message")?;
        let kind = KINDS
            .into_iter()
            .find(|kind| *kind == name)
            .ok_or_else(|| format!("unknown message `{name}`; there are: {}", KINDS.join(", ")))?;
        let mut pattern = Self {
            kind,
            ..Self::any()
        };
        while !words.is_empty() {
            if words.skip("from") {
                pattern.from = Some(words.replicas()?);
            } else if words.skip("to") {
                pattern.to = Some(words.replicas()?);
            } else if words.skip("view") {
                pattern.view = Some(words.view()?);
            } else {
                words.end()?;
            }
        }
        Ok(pattern)
    }

    pub(crate) fn matches(&self, from: ReplicaId, to: ReplicaId, message: &Message<'_>) -> bool {
        let is_one_of = |wanted: &Option<Vec<ReplicaId>>, replica: ReplicaId| {
            wanted
                .as_ref()
                .is_none_or(|wanted| wanted.contains(&replica))
        };
        (self.kind == "any" || self.kind == kind_of(message))
            && is_one_of(&self.from, from)
            && is_one_of(&self.to, to)
            && self.view.is_none_or(|view| view_of(message) == Some(view))
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.kind)?;
        for (word, replicas) in [("from", &self.from), ("to", &self.to)] {
            if let Some(replicas) = replicas {
                write!(f, " {word}")?;
                replicas
                    .iter()
                    .try_for_each(|replica| write!(f, " {replica}"))?;
            }
        }
        self.view.map_or(Ok(()), |view| write!(f, " view {view}"))
    }
}

/// A message's name in the language.
pub(crate) fn kind_of(message: &Message<'_>) -> &'static str {
    match message {
        Message::Request(_) => "request",
        Message::Reply(_) => "reply",
        Message::Sync(_) => "sync",
        Message::SyncReply(_) => "sync-reply",
        Message::Commit(_) => "commit",
        Message::StartViewChange(_) => "start-view-change",
        Message::DoViewChange(_) => "do-view-change",
        Message::StartView(_) => "start-view",
        Message::InView(_) => "in-view",
        Message::FetchLog(_) => "fetch-log",
        Message::Log(_) => "log",
        Message::Recover(_) => "recover",
        Message::FetchPackets(_) => "fetch-packets",
        Message::Packet(_) => "packet",
        Message::Prepare(_) => "prepare",
        Message::Snapshot(_) => "snapshot",
        Message::Rounds(_) => "rounds",
        Message::Vr(_) => "vr",
        Message::NoPaxos(_) => "nopaxos",
        Message::FastPaxos(_) => "fast-paxos",
        Message::Mencius(_) => "mencius",
    }
}

/// The view that a message belongs to, if it belongs to one.
fn view_of(message: &Message<'_>) -> Option<ViewNumber> {
    match message {
        Message::Sync(m) => Some(m.view),
        Message::SyncReply(m) => Some(m.view),
        Message::Commit(m) => Some(m.view),
        Message::StartViewChange(m) => Some(m.view),
        Message::DoViewChange(m) => Some(m.view),
        Message::StartView(m) => Some(m.view),
        Message::InView(m) => Some(m.view),
        Message::FetchLog(m) => Some(m.view),
        Message::Log(m) => Some(m.view),
        Message::Prepare(m) => Some(m.view),
        Message::Snapshot(m) => Some(m.view),
        Message::Reply(m) => Some(m.view),
        Message::Request(_)
        | Message::Recover(_)
        | Message::FetchPackets(_)
        | Message::Packet(_)
        | Message::Rounds(_)
        | Message::Vr(_)
        | Message::NoPaxos(_)
        | Message::FastPaxos(_)
        | Message::Mencius(_) => None,
    }
}
