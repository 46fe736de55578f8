//! Messages and logs in words.

use super::names::Names;
use super::pattern::kind_of;
use replica::history::Log;
use wire::message::{Body, DoViewChange, Entries, Incarnations, Message};
use wire::{ReplicaId, SlotNumber, SummaryHash};

/// `committed|speculative`; a dash is a slot whose entry was dropped.
pub(crate) fn log<U>(log: &Log<U>) -> String {
    let mut text: String = (0..log.base().0).map(|_| '-').collect();
    let bar = |text: &mut String, slot: SlotNumber| {
        if slot == log.last_committed() {
            text.push('|');
        }
    };
    bar(&mut text, log.base());
    for (slot, entry) in log.above(log.base()) {
        text += &String::from_utf8_lossy(entry.request.operation);
        bar(&mut text, slot);
    }
    text
}

/// View labels and agreed times.
pub(crate) fn entries<U>(log: &Log<U>) -> String {
    let words: Vec<_> = log
        .above(log.base())
        .map(|(_, entry)| {
            let letter = String::from_utf8_lossy(entry.request.operation);
            format!("{letter} (view {}, time {})", entry.view, entry.time)
        })
        .collect();
    words.join(", ")
}

/// A log as messages carry it: what stands below `entries`, and these.
fn carried(
    base: SlotNumber,
    base_hash: SummaryHash,
    committed: SlotNumber,
    entries: &Entries<'_>,
    names: &Names,
) -> String {
    let mut text = format!("{}..", names.prefix(base_hash));
    if base == SlotNumber::ZERO {
        text.clear();
    }
    if committed <= base {
        text.push('|');
    }
    for (slot, entry) in (base.0 + 1..).zip(entries) {
        text += &String::from_utf8_lossy(entry.request.operation);
        if slot == committed.0 {
            text.push('|');
        }
    }
    text
}

/// Restarts that a message knows of; nothing if there were none.
fn lives(incarnations: &Incarnations) -> String {
    let lives = (0..15).map(|index| (index, incarnations.of(ReplicaId(index))));
    let known = lives.filter(|(_, life)| *life > 0);
    let words: Vec<_> = known
        .map(|(replica, life)| format!(", life {life} of {replica}"))
        .collect();
    words.concat()
}

fn degraded(degraded: bool) -> &'static str {
    if degraded { ", degraded" } else { "" }
}

/// The log of a vote: what stands above the slot its replica has committed.
fn voted_log(vote: &DoViewChange<'_>, names: &Names) -> String {
    let (base, hash) = (vote.committed, vote.committed_hash);
    carried(base, hash, vote.committed, &vote.entries, names)
}

/// Messages of protocols that no scenario runs.
fn in_one_line(message: &Message<'_>) -> String {
    format!("{}", wire::pretty::Text(message))
}

/// One message.
pub(crate) fn message(message: &Message<'_>, names: &Names) -> String {
    let text = match message {
        Message::Request(_) | Message::Reply(_) => String::new(),
        Message::Sync(m) => {
            let committed = names.hash(m.committed_hash);
            format!("view {}, slot {}, committed {committed}", m.view, m.slot)
        }
        Message::SyncReply(m) => {
            let (hash, reached) = (names.hash(m.hash), m.reached);
            let short = format!(" (at slot {reached} only)");
            let short = if reached < m.slot { short.as_str() } else { "" };
            format!("view {}, slot {}, {hash}{short}", m.view, m.slot)
        }
        Message::Commit(m) => format!("view {}, slot {}, {}", m.view, m.slot, names.hash(m.hash)),
        Message::StartViewChange(m) => format!(
            "view {}, committed up to {}{}{}",
            m.view,
            m.committed,
            degraded(m.degraded),
            lives(&m.incarnations)
        ),
        Message::DoViewChange(m) => format!(
            "view {}, last normal {}, log {}{}{}",
            m.view,
            m.last_normal_view,
            voted_log(m, names),
            degraded(m.degraded),
            lives(&m.incarnations)
        ),
        Message::StartView(m) => format!(
            "view {}, log {}{}{}",
            m.view,
            carried(m.base, m.base_hash, m.committed, &m.entries, names),
            degraded(m.degraded),
            lives(&m.incarnations)
        ),
        Message::InView(m) => format!("view {}", m.view),
        Message::FetchLog(m) => format!("view {}, above {} up to {}", m.view, m.from, m.to),
        Message::Log(m) => {
            let log = carried(m.base, m.base_hash, m.committed, &m.entries, names);
            format!("view {}, log {log}", m.view)
        }
        Message::Recover(m) => format!("life {}, above view {}", m.incarnation, m.view),
        Message::FetchPackets(m) => {
            format!("epoch {}, {} from {} on", m.epoch, m.count, m.first)
        }
        Message::Packet(m) => {
            let body = match m.body {
                Body::Absent => "is not here".into(),
                Body::Other => "is not a request".into(),
                Body::Request(r) => format!("is request {}", names.letter(r.client, r.number)),
            };
            format!("epoch {}, {} {body}", m.epoch, m.sequence)
        }
        Message::Prepare(m) => {
            let log = carried(m.base, m.base_hash, m.committed, &m.entries, names);
            format!("view {}, log {log}", m.view)
        }
        Message::Snapshot(m) => {
            format!("view {}, slot {}, {}", m.view, m.slot, names.hash(m.hash))
        }
        Message::Rounds(_)
        | Message::Vr(_)
        | Message::NoPaxos(_)
        | Message::FastPaxos(_)
        | Message::Mencius(_) => in_one_line(message),
    };
    format!("{} {text}", kind_of(message))
}
