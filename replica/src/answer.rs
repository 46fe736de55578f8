//! What a leader that answers only what is committed says to clients.

use crate::history::History;
use crate::state_machine::StateMachine;
use wire::message::Reply;
use wire::{ClientId, HostAddress, ReplicaId, SlotNumber, ViewNumber};

/// The answer for the entry at a slot that is being committed, and where it goes.
pub(crate) fn at<S: StateMachine>(
    history: &History<S>,
    me: ReplicaId,
    view: ViewNumber,
    slot: SlotNumber,
) -> (HostAddress, Reply<'_>) {
    let entry = history.log().get(slot);
    let entry = entry.expect("what was not committed is held");
    let reply = Reply {
        client: entry.request.client,
        number: entry.request.number,
        replica: me,
        view,
        slot,
        hash: entry.hash,
        committed: true,
        result: entry.result,
    };
    (entry.request.reply_to, reply)
}

/// The answer to a client's newest request once more, if it is committed.
pub(crate) fn again<S: StateMachine>(
    history: &History<S>,
    me: ReplicaId,
    view: ViewNumber,
    client: ClientId,
) -> Option<Reply<'_>> {
    let saved = history
        .saved_reply(client)
        .filter(|saved| saved.committed)?;
    Some(Reply {
        client,
        number: saved.number,
        replica: me,
        view,
        slot: saved.slot,
        hash: saved.hash,
        committed: true,
        result: saved.result,
    })
}
