//! Messages of Mencius, a line each.

use crate::message::mencius::{Ballot, Lane, MenciusMessage, Rejoin, Revoke};
use core::fmt;

/// A ballot as people write it.
struct Text(Ballot);

impl fmt::Display for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Ballot {
            round,
            replica,
            incarnation,
        } = self.0;
        write!(f, "{round}.{replica}.{incarnation}")
    }
}

fn lane(f: &mut fmt::Formatter<'_>, name: &str, lane: &Lane) -> fmt::Result {
    write!(
        f,
        "{name} from {} incarnation {} base {} chosen {} last {} next {} executed {}",
        lane.replica,
        lane.life(),
        lane.base,
        lane.chosen,
        lane.last,
        lane.next,
        lane.executed
    )
}

pub(super) fn write(f: &mut fmt::Formatter<'_>, message: &MenciusMessage<'_>) -> fmt::Result {
    match message {
        MenciusMessage::Propose(m) => {
            lane(f, "PROPOSE", &m.lane)?;
            write!(f, " time {} {} requests", m.time, m.batch.iter().count())
        }
        MenciusMessage::Ack(m) => {
            lane(f, "ACK", &m.lane)?;
            write!(
                f,
                " of incarnation {} above {} held {} revoked {}",
                m.owner_incarnation, m.above, m.held, m.revoked
            )
        }
        MenciusMessage::Status(m) => {
            lane(f, "STATUS", &m.lane)?;
            f.write_str(if m.asks { " asks" } else { "" })
        }
        MenciusMessage::Fetch(m) => {
            let what = if m.decisions {
                "decisions"
            } else {
                "proposals"
            };
            write!(f, "FETCH from {} {what} above {}", m.replica, m.above)
        }
        MenciusMessage::Decided(m) => write!(
            f,
            "DECIDED from {} above {} executed {} {} cells",
            m.replica,
            m.above,
            m.executed,
            m.cells.len()
        ),
        MenciusMessage::State(m) => write!(
            f,
            "STATE from {} executed {} slot {} {} bytes",
            m.replica,
            m.executed,
            m.slot,
            m.state.len()
        ),
        MenciusMessage::Revoke(m) => revoke(f, m),
        MenciusMessage::Rejoin(m) => rejoin(f, m),
    }
}

fn revoke(f: &mut fmt::Formatter<'_>, message: &Revoke<'_>) -> fmt::Result {
    match message {
        Revoke::Prepare(m) => write!(
            f,
            "PREPARE from {} owner {} ballot {} up to {}",
            m.replica,
            m.owner,
            Text(m.ballot),
            m.up_to
        ),
        Revoke::Promise(m) => write!(
            f,
            "PROMISE from {} owner {} ballot {} promised {} up to {} executed {} {} cells",
            m.replica,
            m.owner,
            Text(m.ballot),
            Text(m.promised),
            m.up_to,
            m.executed,
            m.cells.len()
        ),
        Revoke::Accept(m) => write!(
            f,
            "{} from {} owner {} ballot {} above {} up to {} {} cells",
            if m.decided { "REVOKED" } else { "ACCEPT" },
            m.replica,
            m.owner,
            Text(m.ballot),
            m.above,
            m.up_to,
            m.cells.len()
        ),
        Revoke::Accepted(m) => write!(
            f,
            "ACCEPTED from {} owner {} ballot {}",
            m.replica,
            m.owner,
            Text(m.ballot)
        ),
    }
}

fn rejoin(f: &mut fmt::Formatter<'_>, message: &Rejoin<'_>) -> fmt::Result {
    match message {
        Rejoin::Welcome(m) => write!(
            f,
            "WELCOME from {} incarnation {} executed {} {} cells",
            m.replica,
            m.incarnation,
            m.executed,
            m.cells.len()
        ),
        Rejoin::Starting(m) => write!(f, "STARTING from {} above {}", m.replica, m.above),
        Rejoin::Started(m) => write!(
            f,
            "STARTED from {} above {} needed {}",
            m.replica, m.above, m.needed
        ),
    }
}
