//! Messages of NOPaxos, a line each.

use crate::message::nopaxos::{Answer, Catchup, Committed, NoPaxosMessage, Place, Run};
use core::fmt;

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.session, self.position)
    }
}

impl fmt::Display for Run {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}..={}", self.first, self.last)
    }
}

impl fmt::Display for Committed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "committed {} slot {} {}",
            self.place, self.slot, self.hash
        )
    }
}

pub(super) fn write(f: &mut fmt::Formatter<'_>, message: &NoPaxosMessage<'_>) -> fmt::Result {
    match message {
        NoPaxosMessage::GapCommit(m) => {
            write!(f, "GAP-COMMIT view {} positions {}", m.view, m.run)
        }
        NoPaxosMessage::GapOk(m) => {
            write!(
                f,
                "GAP-OK from {} view {} last {}",
                m.replica, m.view, m.last
            )
        }
        NoPaxosMessage::SyncPrepare(m) => write!(
            f,
            "SYNC-PREPARE view {} head {} above {} to {} {} {} runs of no-ops",
            m.view,
            m.head,
            m.from,
            m.to,
            m.committed,
            m.no_ops.len()
        ),
        NoPaxosMessage::SyncOk(m) => write!(
            f,
            "SYNC-OK from {} view {} position {} committed {}",
            m.replica, m.view, m.position, m.committed
        ),
        NoPaxosMessage::Answer(m) => answer(f, m),
        NoPaxosMessage::Catchup(m) => catchup(f, m),
        NoPaxosMessage::Report(m) => write!(
            f,
            "REPORT from {} view {} last normal {} head {} {} {} runs of no-ops {} entries",
            m.replica,
            m.view,
            m.last_normal_view,
            m.head,
            m.committed,
            m.no_ops.len(),
            m.entries.len()
        ),
        NoPaxosMessage::Start(m) => write!(
            f,
            "START view {} head {} last {} {} {} base {} {} entries",
            m.view,
            m.head,
            m.last,
            m.last_hash,
            m.committed,
            m.base,
            m.entries.len()
        ),
    }
}

fn answer(f: &mut fmt::Formatter<'_>, m: &Answer<'_>) -> fmt::Result {
    write!(
        f,
        "ANSWER from {} view {} position {} client {:x} #{}",
        m.replica, m.view, m.position, m.client.0, m.number
    )?;
    match m.executed {
        None => Ok(()),
        Some(executed) => write!(
            f,
            " slot {} {}{} {} bytes",
            executed.slot,
            executed.hash,
            if executed.committed { " committed" } else { "" },
            executed.result.len()
        ),
    }
}

fn catchup(f: &mut fmt::Formatter<'_>, m: &Catchup<'_>) -> fmt::Result {
    write!(
        f,
        "CATCHUP from {} view {} {}",
        m.replica(),
        m.view(),
        m.committed()
    )?;
    match m {
        Catchup::Entries { base, entries, .. } => {
            write!(f, " base {base} {} entries", entries.len())
        }
        Catchup::State { state, .. } => write!(f, " state of {} bytes", state.len()),
    }
}
