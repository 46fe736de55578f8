//! What the simulator does not say: when packets leave, and when a skip counts.

use super::*;
use crate::Effect;
use crate::quorum::Quorum;
use crate::state_machine::{RestoreError, Stamp};
use std::vec;
use wire::message::mencius::{Ballot, Lane, Prepare, Propose, Revoke, Status};
use wire::message::{Batch, Request, Wants};
use wire::{AgreedTime, ClientId, HostAddress, RequestNumber, SlotNumber, SummaryHash};

/// Counts what it was asked.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
struct Count(u64);

impl StateMachine for Count {
    type Undo = ();

    fn execute(&mut self, _at: Stamp, _operation: &[u8], _reply: &mut Vec<u8>) {
        self.0 += 1;
    }
    fn undo(&mut self, (): ()) {
        self.0 -= 1;
    }
    fn commit(&mut self, _slot: SlotNumber) {}
    fn digest(&self) -> SummaryHash {
        SummaryHash(*blake3::hash(&self.0.to_be_bytes()).as_bytes())
    }
    fn snapshot(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.0.to_be_bytes());
    }
    fn restore(&mut self, snapshot: &[u8]) -> Result<(), RestoreError> {
        let bytes = snapshot.try_into().map_err(|_| RestoreError {
            at: 0,
            reason: "a count has eight bytes",
        })?;
        self.0 = u64::from_be_bytes(bytes);
        Ok(())
    }
}

fn server(me: u8) -> Mencius<Count> {
    let quorum = Quorum::of(3).unwrap();
    Mencius::format(
        Config::new(ReplicaId(me), quorum),
        Count::default(),
        Tick(0),
    )
}

fn request(client: u64, operation: &[u8]) -> Request<'_> {
    Request {
        client: ClientId(client),
        number: RequestNumber(1),
        reply_to: HostAddress::default(),
        wants: Wants::Reply,
        operation,
    }
}

/// Hands a message to a server; returns what it sends to each other one, and counts replies.
fn give(
    to: &mut Mencius<Count>,
    message: Message<'_>,
    replies: &mut usize,
) -> Vec<(ReplicaId, Vec<u8>)> {
    let mut out = Effects::new();
    to.on_message(Tick(1_000), None, message, &mut out);
    to.check();
    let mut sent = Vec::new();
    for effect in out.iter() {
        match effect {
            Effect::Send { to, message } | Effect::SendBulk { to, message } => {
                sent.push((*to, out.bytes(message).to_vec()));
            }
            Effect::Reply { .. } => *replies += 1,
            Effect::Multicast { .. } | Effect::Persist(_) => panic!("no part of Mencius"),
        }
    }
    sent
}

/// How many requests are in each proposal to server 1.
fn proposals(sent: &[(ReplicaId, Vec<u8>)]) -> Vec<usize> {
    let to_one = sent.iter().filter(|(to, _)| *to == ReplicaId(1));
    let parsed = to_one.map(|(_, bytes)| Message::parse(bytes).unwrap());
    parsed
        .filter_map(|message| match message {
            Message::Mencius(MenciusMessage::Propose(m)) => Some(m.batch.iter().count()),
            _ => None,
        })
        .collect()
}

#[test]
fn a_lone_request_goes_at_once_and_what_comes_meanwhile_goes_together() {
    let mut servers = [server(0), server(1), server(2)];
    let mut replies = 0;
    let first = give(
        &mut servers[2],
        Message::Request(request(1, b"a")),
        &mut replies,
    );
    assert_eq!(proposals(&first), [1]);
    for client in 2..=4 {
        let sent = give(
            &mut servers[2],
            Message::Request(request(client, b"b")),
            &mut replies,
        );
        assert_eq!(proposals(&sent), [0; 0], "a proposal is on the way");
    }
    let mut after = Vec::new();
    for (to, bytes) in first {
        let index = usize::from(to.0);
        let answers = give(
            &mut servers[index],
            Message::parse(&bytes).unwrap(),
            &mut replies,
        );
        for (back, bytes) in answers {
            assert_eq!(back, ReplicaId(2));
            let more = give(
                &mut servers[2],
                Message::parse(&bytes).unwrap(),
                &mut replies,
            );
            after.push((proposals(&more), replies));
        }
    }
    // The first acknowledgement makes a majority: the three go out. Only the second tells that
    // all instances below are skipped: the first client is answered.
    assert_eq!(after, [(vec![3], 0), (vec![], 1)]);
    assert_eq!(servers[2].executed(), InstanceNumber(3));
}

#[test]
fn full_packets_follow_each_other_without_waiting() {
    let mut server = server(0);
    let (mut replies, mut sizes) = (0, Vec::new());
    let operation = [7; 300];
    for client in 1..=20 {
        let asked = Message::Request(request(client, &operation));
        sizes.extend(proposals(&give(&mut server, asked, &mut replies)));
    }
    assert_eq!(sizes[0], 1);
    assert!(sizes.len() > 4, "{sizes:?}");
    let room = server.config.payload_limit - Propose::overhead(3);
    let full = room / Batch::cost(operation.len());
    assert!(sizes[1..].iter().all(|size| *size == full), "{sizes:?}");
}

fn lane_of_zero(life: u64, chosen: u64, last: u64, next: u64) -> Lane {
    let mut incarnations = Incarnations::unknown(3);
    incarnations.learn(ReplicaId(0), life);
    Lane {
        incarnations,
        chosen: InstanceNumber(chosen),
        last: InstanceNumber(last),
        next: InstanceNumber(next),
        ..Lane::default()
    }
}

fn status(lane: Lane) -> Message<'static> {
    Message::Mencius(MenciusMessage::Status(Status { lane, asks: false }))
}

/// The race that `next_decided` tells of: server 0 skips instance 1, tells server 1 alone, and
/// forgets it.
#[test]
fn what_was_skipped_in_a_life_that_is_over_may_be_proposed_for_in_the_next() {
    let mut server = server(1);
    let mut replies = 0;
    give(&mut server, status(lane_of_zero(0, 0, 0, 4)), &mut replies);
    assert_eq!(
        server.executed(),
        InstanceNumber(0),
        "nothing is chosen above"
    );
    let mut bytes = Vec::new();
    Batch::push(&mut bytes, &request(1, b"a"));
    let propose = Propose {
        lane: lane_of_zero(1, 0, 0, 1),
        time: AgreedTime(5),
        batch: Batch::parse(&bytes).unwrap(),
    };
    let propose = Message::Mencius(MenciusMessage::Propose(propose));
    give(&mut server, propose, &mut replies);
    assert_eq!(server.executed(), InstanceNumber(0), "nothing is chosen");
    // A word of the life that is over comes late.
    give(&mut server, status(lane_of_zero(0, 0, 0, 7)), &mut replies);
    give(&mut server, status(lane_of_zero(1, 1, 1, 4)), &mut replies);
    assert_eq!(server.executed(), InstanceNumber(1));
    assert_eq!(server.history().machine().0, 1);
}

/// A server that was taken for crashed though it is there must propose beyond what was revoked,
/// also if nobody else asks for anything: its window has to reach there.
#[test]
fn who_was_revoked_wrongly_proposes_beyond() {
    let mut server = server(0);
    let mut replies = 0;
    let ahead = server.config.turn() * server.config.limits.revoke_ahead;
    let prepare = Prepare {
        replica: ReplicaId(1),
        incarnations: Incarnations::unknown(3),
        owner: ReplicaId(0),
        ballot: Ballot {
            round: 1,
            replica: ReplicaId(1),
            incarnation: 0,
        },
        up_to: InstanceNumber(ahead),
    };
    let prepare = Message::Mencius(MenciusMessage::Revoke(Revoke::Prepare(prepare)));
    assert_eq!(give(&mut server, prepare, &mut replies).len(), 1);
    let sent = give(
        &mut server,
        Message::Request(request(1, b"a")),
        &mut replies,
    );
    assert_eq!(proposals(&sent), [1]);
    assert!(server.own_lane().last > InstanceNumber(ahead));
}
