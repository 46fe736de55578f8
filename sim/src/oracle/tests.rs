//! Whom clients ask.

use super::*;
use crate::settings::ProtocolName;
use apps::kv::Kv;
use replica::StateMachine;
use wire::message::Reply;
use wire::{ReplicaId, RequestNumber, SlotNumber, SummaryHash, ViewNumber};

fn oracle(protocol: ProtocolName) -> Oracle {
    let settings = Settings {
        protocol,
        replicas: vec![3],
        clients: 4,
        ..Settings::default()
    };
    let mut oracle = Oracle::new(&settings, 1, (0..4).map(|_| HostAddress::default()));
    for client in 0..4 {
        oracle.ask(Tick(0), client).expect("has something to ask");
    }
    oracle
}

fn asked(oracle: &Oracle) -> Vec<Option<usize>> {
    (0..4).map(|client| oracle.member_to_ask(client)).collect()
}

#[test]
fn clients_of_rounds_spread_over_the_members_and_go_on_to_the_next() {
    let mut oracle = oracle(ProtocolName::Rounds);
    assert_eq!(asked(&oracle), [Some(0), Some(1), Some(2), Some(0)]);
    let (at, generation) = oracle.arm(1).expect("a request has a deadline");
    assert_eq!(oracle.on_timer(at, 1, generation), Ok(Then::Send));
    assert_eq!(asked(&oracle), [Some(0), Some(2), Some(2), Some(0)]);
    let mut request = Vec::new();
    assert!(oracle.request(1, &mut request));
    let Ok(Message::Request(request)) = Message::parse(&request) else {
        panic!("not a request: {request:?}");
    };
    let mut result = Vec::new();
    let stamp = replica::Stamp {
        slot: SlotNumber(1),
        time: None,
    };
    let _ = Kv::default().execute(stamp, request.operation, &mut result);
    let reply = Reply {
        client: request.client,
        number: RequestNumber(1),
        replica: ReplicaId(2),
        view: ViewNumber::ZERO,
        slot: SlotNumber(1),
        hash: SummaryHash::EMPTY,
        committed: true,
        result: &result,
    };
    let then = oracle.on_message(at, 1, &Message::Reply(reply));
    assert!(matches!(then, Ok(Then::Answered(_))), "{then:?}");
    oracle.ask(at, 1).expect("has more to ask");
    assert_eq!(asked(&oracle), [Some(0), Some(2), Some(2), Some(0)]);
}

#[test]
fn clients_of_other_protocols_ask_the_group() {
    let oracle = oracle(ProtocolName::SpecPaxos);
    assert_eq!(asked(&oracle), [None; 4]);
}
