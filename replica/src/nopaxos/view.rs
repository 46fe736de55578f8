//! Views: a session, which is a term of the root, and the number of a leader, in one number.
//!
//! The session is the higher half, so that whatever was promised in an older session is below
//! everything of a newer one. Which sessions there are, the root's stamps say.

use crate::quorum::Quorum;
use wire::{EpochNumber, ReplicaId, ViewNumber};

const NUMBER_BITS: u32 = 32;

/// The view of a session in which the leader has this number.
pub(super) fn view_of(session: EpochNumber, number: u32) -> ViewNumber {
    ViewNumber(u64::from(session.0) << NUMBER_BITS | u64::from(number))
}

/// The view's session.
pub fn session_of(view: ViewNumber) -> EpochNumber {
    EpochNumber(u32::try_from(view.0 >> NUMBER_BITS).expect("half of the number"))
}

/// The number of the view's leader.
pub(super) fn number_of(view: ViewNumber) -> u32 {
    u32::try_from(view.0 & u64::from(u32::MAX)).expect("half of the number")
}

/// The view of the same session with the next leader.
pub(super) fn after(view: ViewNumber) -> ViewNumber {
    let number = number_of(view).checked_add(1);
    view_of(
        session_of(view),
        number.expect("a session has fewer than 2^32 leaders"),
    )
}

/// The view's leader.
pub fn leader_of(view: ViewNumber, quorum: Quorum) -> ReplicaId {
    let n = u32::try_from(quorum.n()).expect("a group is small");
    ReplicaId(u8::try_from(number_of(view) % n).expect("smaller than the group"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_newer_session_is_above_every_leader_of_an_older_one() {
        let old = view_of(EpochNumber(7), u32::MAX - 1);
        let new = view_of(EpochNumber(8), 0);
        assert!(old < after(old) && after(old) < new);
        for view in [old, new] {
            assert_eq!(view, view_of(session_of(view), number_of(view)));
        }
        let quorum = Quorum::of(5).expect("odd and small");
        assert_eq!(
            leader_of(view_of(EpochNumber(u32::MAX), 13), quorum),
            ReplicaId(3)
        );
    }
}
