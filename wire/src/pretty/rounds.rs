//! Messages of synchronous rounds, a line each.

use crate::message::rounds::{Frontier, HeldBody, Proposal, RoundPacket, RoundsMessage};
use core::fmt;

pub(super) fn write(f: &mut fmt::Formatter<'_>, message: &RoundsMessage<'_>) -> fmt::Result {
    match message {
        RoundsMessage::Round(m) => round(f, m),
        RoundsMessage::FetchRound(m) => write!(
            f,
            "FETCH-ROUND from {} epoch {} seq {} and {} more",
            m.replica,
            m.epoch,
            m.first,
            m.count.saturating_sub(1)
        ),
        RoundsMessage::Held(m) => {
            let (replica, epoch, sequence) = (m.replica, m.epoch, m.sequence);
            write!(f, "HELD from {replica} epoch {epoch} seq {sequence} ")?;
            match &m.body {
                HeldBody::Lacking => f.write_str("lacking"),
                HeldBody::NoOp => f.write_str("no-op"),
                HeldBody::Packet(proposal) => proposal_of(f, proposal),
            }
        }
        RoundsMessage::Suspect(m) => write!(
            f,
            "SUSPECT from {} wants epoch {} fence {} installed {}",
            m.replica, m.wanted, m.fence, m.installed
        ),
        RoundsMessage::Report(m) => write!(
            f,
            "REPORT from {}{} epoch {} installed {} of {} seen {} locked {} committed {} {} values",
            m.replica,
            if m.forgot { " (forgot)" } else { "" },
            m.epoch,
            m.installed,
            m.membership.members,
            m.seen,
            Prefix(&m.locked),
            m.committed.frontier.position,
            m.values.len()
        ),
        RoundsMessage::StartEpoch(m) => write!(
            f,
            "START-EPOCH from {} epoch {} of {} term base {} below {} {} values",
            m.replica,
            m.epoch,
            m.membership.members,
            m.term_base,
            Prefix(&m.below.frontier),
            m.values.len()
        ),
        RoundsMessage::FetchPositions(m) => {
            write!(f, "FETCH-POSITIONS from {} above {}", m.replica, m.above)
        }
        RoundsMessage::Positions(m) => write!(
            f,
            "POSITIONS from {} below {} committed {} {} values",
            m.replica,
            Prefix(&m.below.frontier),
            m.committed,
            m.values.len()
        ),
        RoundsMessage::State(m) => write!(
            f,
            "STATE from {} at {} slot {} {} bytes",
            m.replica,
            Prefix(&m.at.frontier),
            m.slot,
            m.state.len()
        ),
    }
}

fn round(f: &mut fmt::Formatter<'_>, m: &RoundPacket<'_>) -> fmt::Result {
    write!(
        f,
        "ROUND from {} #{} epoch {} acknowledges {} locked {} committed {}",
        m.replica,
        m.number,
        m.epoch,
        Prefix(&m.acknowledged),
        Prefix(&m.locked),
        m.committed
    )?;
    if m.barrier {
        f.write_str(" barrier")?;
    }
    requests(f, m.batch.iter().count())
}

fn proposal_of(f: &mut fmt::Formatter<'_>, m: &Proposal<'_>) -> fmt::Result {
    write!(f, "packet #{} of {}", m.number, m.sender)?;
    requests(f, m.batch.iter().count())
}

fn requests(f: &mut fmt::Formatter<'_>, count: usize) -> fmt::Result {
    match count {
        0 => Ok(()),
        1 => f.write_str(" 1 request"),
        more => write!(f, " {more} requests"),
    }
}

struct Prefix<'a>(&'a Frontier);

impl fmt::Display for Prefix<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.0.position, self.0.digest)
    }
}
