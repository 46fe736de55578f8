//! A node and its group on loopback sockets; time is passed by hand.

use super::*;
use link::endpoint::SocketSettings;
use link::{Mtu, SocketEndpoint};
use std::pin::pin;
use std::task::{Context, Waker as TaskWaker};
use wire::HostAddress;
use wire::message::Reply;
use wire::{ReplicaId, SlotNumber, SummaryHash, ViewNumber};

const GROUP: GroupId = GroupId(1);
const MS: u64 = 1_000_000;

fn loopback() -> SocketEndpoint {
    let anywhere = HostAddress {
        ip: [127, 0, 0, 1],
        port: 0,
    };
    SocketEndpoint::bind(anywhere, &SocketSettings::default()).unwrap()
}

/// Members that answer only when told to, and a client that asks one at a time.
struct World {
    members: Vec<SocketEndpoint>,
    node: ClientNode,
    client: Client,
}

/// A request as a member sees it: who asks, where it listens, its number.
type Asked = (ClientId, HostAddress, RequestNumber);

impl World {
    fn new(first: usize) -> Self {
        let members: Vec<_> = (0..3).map(|_| loopback()).collect();
        let settings = Settings {
            group: GROUP,
            target: Target::Members {
                addresses: members.iter().map(Endpoint::address).collect(),
                first,
            },
            agreement: Agreement::Committed,
            reserved: 100,
            unique: 7,
            give_up: Duration::from_secs(1),
        };
        let (node, client) = ClientNode::new(settings, Box::new(loopback())).unwrap();
        Self {
            members,
            node,
            client,
        }
    }

    /// Which members were asked since the last look.
    fn asked(&mut self) -> Vec<(usize, Asked)> {
        let mut asked = Vec::new();
        for (index, member) in self.members.iter_mut().enumerate() {
            let mut note = |_, payload: &[u8]| {
                let (stamp, bytes) = StampHeader::parse(payload).unwrap();
                assert_eq!((stamp.kind, stamp.group), (Kind::Request, GROUP));
                assert!(!stamp.is_stamped(), "a unicast packet has no stamp");
                let Ok(Message::Request(request)) = Message::parse(bytes) else {
                    panic!("not a request: {bytes:?}");
                };
                asked.push((index, (request.client, request.reply_to, request.number)));
            };
            member.receive(BATCH, &mut note).unwrap();
        }
        asked
    }

    fn answer(&mut self, by: usize, (client, to, number): Asked) {
        let replica = ReplicaId(u8::try_from(by).unwrap());
        let reply = Reply {
            client,
            number,
            replica,
            view: ViewNumber::ZERO,
            slot: SlotNumber(number.0),
            hash: SummaryHash::EMPTY,
            committed: true,
            result: b"ok",
        };
        let sender = Sender::Member(replica);
        let mut payload =
            Vec::from(StampHeader::unstamped(Kind::Protocol, sender, GROUP).to_bytes());
        Message::Reply(reply).emit(&mut payload);
        self.members[by].send(to, &payload);
        self.members[by].flush().unwrap();
    }

    /// One request from beginning to end with only `alive` answering; returns who was asked, in
    /// order.
    fn call(&mut self, client: &Client, begun: u64, alive: &[usize]) -> Vec<usize> {
        let mut call = pin!(client.call(b"op".to_vec()));
        let mut context = Context::from_waker(TaskWaker::noop());
        let mut order = Vec::new();
        // The longest wait is 100 ms.
        for step in 0..10 {
            assert!(call.as_mut().poll(&mut context).is_pending());
            self.node.poll(Tick(begun + step * 100 * MS)).unwrap();
            for (index, asked) in self.asked() {
                order.push(index);
                if alive.contains(&index) {
                    self.answer(index, asked);
                    self.node.poll(Tick(begun + step * 100 * MS)).unwrap();
                    let answered = call.as_mut().poll(&mut context);
                    assert!(matches!(answered, std::task::Poll::Ready(Ok(_))));
                    return order;
                }
            }
        }
        panic!("nobody answered; asked were {order:?}");
    }
}

#[test]
fn a_retry_goes_to_the_next_member_and_later_requests_to_the_one_that_answered() {
    let mut world = World::new(1);
    let client = world.client.clone();
    assert_eq!(world.call(&client, 0, &[0, 1, 2]), [1]);
    assert_eq!(world.call(&client, 1_000 * MS, &[0]), [1, 2, 0]);
    assert_eq!(world.call(&client, 2_000 * MS, &[0]), [0]);
    let limit = Mtu::default().payload_limit() - STAMP_LEN - Request::OVERHEAD - 100;
    assert_eq!(world.client.operation_limit(), limit);
    let again = world.client.statistics().sent_again.load(Ordering::Relaxed);
    assert_eq!(again, 2);
}

#[test]
fn a_crash_is_noticed_only_by_callers_who_prefer_the_member() {
    let mut world = World::new(0);
    let client = |member| world.client.preferring(member);
    let (zero, one, two) = (client(0), client(1), client(2));
    assert_eq!(world.call(&one, 0, &[0, 2]), [1, 2]);
    assert_eq!(world.call(&zero, 1_000 * MS, &[0, 2]), [0]);
    assert_eq!(world.call(&two, 2_000 * MS, &[0, 2]), [2]);
    // A look at whether it answers again, the next one 100 ms later, and then it does.
    assert_eq!(world.call(&one, 3_000 * MS, &[0, 2]), [1, 2]);
    assert_eq!(world.call(&one, 3_050 * MS, &[0, 2]), [2]);
    assert_eq!(world.call(&one, 3_100 * MS, &[0, 1, 2]), [1]);
    assert_eq!(world.call(&one, 3_110 * MS, &[0, 1, 2]), [1]);
}
