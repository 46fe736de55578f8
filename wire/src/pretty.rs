//! One line per packet for people: stamp, then message, in the words of the papers.

mod fast_paxos;
mod mencius;
mod nopaxos;
mod rounds;
mod vr;

use crate::message::{Body, Reply, Request, Wants};
use crate::{Message, Sender, StampHeader};
use core::fmt;

/// Prints a UDP payload (stamp and message); bytes that are neither are said to be so.
pub struct Payload<'a>(pub &'a [u8]);

impl fmt::Display for Payload<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match StampHeader::parse(self.0) {
            Ok((stamp, rest)) => {
                write!(f, "{} | ", Stamp(&stamp))?;
                match Message::parse(rest) {
                    Ok(message) => Text(&message).fmt(f),
                    Err(error) => write!(f, "not a message: {error}"),
                }
            }
            Err(error) => write!(f, "not a stamp: {error}"),
        }
    }
}

/// Prints a stamp header.
pub struct Stamp<'a>(pub &'a StampHeader);

impl fmt::Display for Stamp<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let stamp = self.0;
        write!(f, "group {}", stamp.group)?;
        if let Sender::Member(member) = stamp.sender {
            write!(f, " member {member}")?;
        }
        if stamp.is_stamped() {
            write!(
                f,
                " epoch {} seq {} round {}",
                stamp.epoch, stamp.sequence, stamp.round
            )?;
        }
        Ok(())
    }
}

/// Prints a message.
pub struct Text<'a>(pub &'a Message<'a>);

impl fmt::Display for Text<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Message::Request(m) => request(f, m),
            Message::Reply(m) => reply(f, m),
            Message::Sync(m) => write!(
                f,
                "SYNC view {} slot {} committed {} {}",
                m.view, m.slot, m.committed, m.committed_hash
            ),
            Message::SyncReply(m) => write!(
                f,
                "SYNC-REPLY from {} view {} slot {} reached {} hash {}",
                m.replica, m.view, m.slot, m.reached, m.hash
            ),
            Message::Commit(m) => {
                write!(f, "COMMIT view {} slot {} hash {}", m.view, m.slot, m.hash)
            }
            Message::InView(m) => write!(f, "IN-VIEW from {} view {}", m.replica, m.view),
            Message::StartViewChange(_)
            | Message::DoViewChange(_)
            | Message::StartView(_)
            | Message::Prepare(_) => view_change(f, self.0),
            Message::FetchLog(_)
            | Message::Log(_)
            | Message::Recover(_)
            | Message::FetchPackets(_)
            | Message::Packet(_)
            | Message::Snapshot(_) => transfer(f, self.0),
            Message::Rounds(message) => rounds::write(f, message),
            Message::Vr(message) => vr::write(f, message),
            Message::NoPaxos(message) => nopaxos::write(f, message),
            Message::FastPaxos(message) => fast_paxos::write(f, message),
            Message::Mencius(message) => mencius::write(f, message),
        }
    }
}

fn request(f: &mut fmt::Formatter<'_>, m: &Request<'_>) -> fmt::Result {
    write!(f, "REQUEST client {:x} #{}", m.client.0, m.number)?;
    match m.wants {
        Wants::Reply => {}
        Wants::Commit => write!(f, " wants commit")?,
        Wants::Reconciliation => write!(f, " wants reconciliation")?,
    }
    write!(f, " {} bytes", m.operation.len())
}

fn reply(f: &mut fmt::Formatter<'_>, m: &Reply<'_>) -> fmt::Result {
    let what = if m.committed {
        "COMMITTED-REPLY"
    } else {
        "SPECULATIVE-REPLY"
    };
    write!(
        f,
        "{what} from {} view {} slot {} hash {} client {:x} #{} {} bytes",
        m.replica,
        m.view,
        m.slot,
        m.hash,
        m.client.0,
        m.number,
        m.result.len()
    )
}

fn degraded(degraded: bool) -> &'static str {
    if degraded { " degraded" } else { "" }
}

fn view_change(f: &mut fmt::Formatter<'_>, message: &Message<'_>) -> fmt::Result {
    match message {
        Message::StartViewChange(m) => write!(
            f,
            "START-VIEW-CHANGE from {} view {}{} committed {}",
            m.replica,
            m.view,
            degraded(m.degraded),
            m.committed
        ),
        Message::DoViewChange(m) => write!(
            f,
            "DO-VIEW-CHANGE from {} view {} last normal {}{} committed {} {} entries",
            m.replica,
            m.view,
            m.last_normal_view,
            degraded(m.degraded),
            m.committed,
            m.entries.len()
        ),
        Message::StartView(m) => write!(
            f,
            "START-VIEW view {}{} base {} committed {} {} entries",
            m.view,
            degraded(m.degraded),
            m.base,
            m.committed,
            m.entries.len()
        ),
        Message::Prepare(m) => write!(
            f,
            "PREPARE view {} base {} committed {} {} entries",
            m.view,
            m.base,
            m.committed,
            m.entries.len()
        ),
        _ => Ok(()),
    }
}

fn transfer(f: &mut fmt::Formatter<'_>, message: &Message<'_>) -> fmt::Result {
    match message {
        Message::FetchLog(m) => {
            write!(
                f,
                "FETCH-LOG from {} view {} ({}, {}]",
                m.replica, m.view, m.from, m.to
            )
        }
        Message::Log(m) => write!(
            f,
            "LOG from {} view {} base {} committed {} {} entries",
            m.replica,
            m.view,
            m.base,
            m.committed,
            m.entries.len()
        ),
        Message::Recover(m) => write!(
            f,
            "RECOVER from {} life {} above view {}",
            m.replica, m.incarnation, m.view
        ),
        Message::FetchPackets(m) => write!(
            f,
            "FETCH-PACKETS from {} epoch {} seq {} and {} more",
            m.replica,
            m.epoch,
            m.first,
            m.count.saturating_sub(1)
        ),
        Message::Packet(m) => {
            write!(
                f,
                "PACKET from {} epoch {} seq {} ",
                m.replica, m.epoch, m.sequence
            )?;
            match &m.body {
                Body::Absent => f.write_str("absent"),
                Body::Other => f.write_str("not a request"),
                Body::Request(m) => request(f, m),
            }
        }
        Message::Snapshot(m) => write!(
            f,
            "SNAPSHOT from {} view {} slot {} hash {} {} bytes",
            m.replica,
            m.view,
            m.slot,
            m.hash,
            m.state.len()
        ),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::Commit;
    use crate::{ClientId, GroupId, HostAddress, Kind, RequestNumber};
    use crate::{SlotNumber, SummaryHash, ViewNumber};
    use alloc::{format, vec::Vec};

    #[test]
    fn a_packet_is_one_line() {
        let stamp = StampHeader::unstamped(Kind::Request, Sender::Outsider, GroupId(3));
        let mut payload = Vec::from(stamp.to_bytes());
        Message::Request(Request {
            client: ClientId(0xbeef),
            number: RequestNumber(4),
            reply_to: HostAddress::default(),
            wants: Wants::Commit,
            operation: b"abc",
        })
        .emit(&mut payload);
        assert_eq!(
            format!("{}", Payload(&payload)),
            "group 3 | REQUEST client beef #4 wants commit 3 bytes"
        );
        assert_eq!(
            format!("{}", Payload(b"?")),
            "not a stamp: stamp header needs 44 bytes, 1 are left"
        );
    }

    #[test]
    fn hashes_are_short() {
        let commit = Commit {
            view: ViewNumber(2),
            slot: SlotNumber(9),
            hash: SummaryHash([7; 32]),
        };
        assert_eq!(
            format!("{}", Text(&Message::Commit(commit))),
            "COMMIT view 2 slot 9 hash 07070707"
        );
    }
}
