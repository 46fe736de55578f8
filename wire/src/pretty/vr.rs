//! Messages of Viewstamped Replication, a line each.

use crate::message::vr::VrMessage;
use core::fmt;

pub(super) fn write(f: &mut fmt::Formatter<'_>, message: &VrMessage<'_>) -> fmt::Result {
    match message {
        VrMessage::Prepare(m) => write!(
            f,
            "PREPARE view {} base {} committed {} time {} {} requests",
            m.view,
            m.base,
            m.committed,
            m.time,
            m.batch.iter().count()
        ),
        VrMessage::PrepareOk(m) => write!(
            f,
            "PREPARE-OK from {} view {} slot {}",
            m.replica, m.view, m.slot
        ),
        VrMessage::Welcome(m) => write!(
            f,
            "WELCOME from {} view {} incarnation {} last {}",
            m.replica, m.view, m.incarnation, m.last
        ),
    }
}
