//! Messages of Fast Paxos, a line each.

use crate::message::fast_paxos::{Accept, FastPaxosMessage, Report};
use core::fmt;

pub(super) fn write(f: &mut fmt::Formatter<'_>, message: &FastPaxosMessage<'_>) -> fmt::Result {
    match message {
        FastPaxosMessage::Accept(m) => accept(f, m),
        FastPaxosMessage::Vote(m) => write!(
            f,
            "VOTE from {} ballot {} settled {} slot {} {}",
            m.replica, m.ballot, m.settled, m.slot, m.hash
        ),
        FastPaxosMessage::Chosen(m) => write!(
            f,
            "CHOSEN ballot {} slot {} {}{}",
            m.ballot,
            m.slot,
            m.hash,
            if m.asks { " asks" } else { "" }
        ),
        FastPaxosMessage::Ask(m) => write!(
            f,
            "ASK from {} view {} committed {}",
            m.replica, m.view, m.committed
        ),
        FastPaxosMessage::Forward(m) => write!(
            f,
            "FORWARD from {} view {} time {} client {:x} #{} {} bytes",
            m.replica,
            m.view,
            m.time,
            m.request.client.0,
            m.request.number,
            m.request.operation.len()
        ),
        FastPaxosMessage::Want(m) => write!(f, "WANT ballot {} above {}", m.ballot, m.above),
        FastPaxosMessage::Welcome(m) => write!(
            f,
            "WELCOME from {} ballot {} incarnation {}",
            m.replica, m.ballot, m.incarnation
        ),
        FastPaxosMessage::Report(m) => report(f, m),
    }
}

fn accept(f: &mut fmt::Formatter<'_>, m: &Accept<'_>) -> fmt::Result {
    write!(
        f,
        "ACCEPT ballot {}{} base {} {} committed {} {} entries",
        m.ballot,
        if m.fast { " fast" } else { "" },
        m.base,
        m.base_hash,
        m.committed,
        m.entries.len()
    )
}

fn report(f: &mut fmt::Formatter<'_>, m: &Report<'_>) -> fmt::Result {
    write!(
        f,
        "REPORT from {} view {} accepted {} settled {} committed {} {} {} entries",
        m.replica,
        m.view,
        m.accepted,
        m.settled,
        m.committed,
        m.committed_hash,
        m.entries.len()
    )
}
