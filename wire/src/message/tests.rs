//! Round trips, hostile bytes, and the golden bytes that other implementations are held to.

mod fast_paxos;
mod mencius;
mod nopaxos;
mod rounds;
mod vr;

use super::fast_paxos::FastPaxosMessage;
use super::mencius::{Cells, LanePromises, MenciusMessage};
use super::nopaxos::{Catchup, NoPaxosMessage};
use super::rounds::{Batch, RoundsMessage, Values};
use super::vr::VrMessage;
use super::*;
use crate::{AgreedTime, ClientId, EpochNumber, HostAddress, RequestNumber, SequenceNumber};
use proptest::collection::vec;
use proptest::prelude::*;

/// An owned message: proptest cannot hand out borrowed ones.
#[derive(Clone, Debug)]
struct Owned {
    numbers: [u64; 5],
    replica: u8,
    hash: [u8; 32],
    payload: Vec<u8>,
    entries: Vec<(u64, Vec<u8>)>,
    wants: u8,
}

fn owned() -> impl Strategy<Value = Owned> {
    let entries = vec((any::<u64>(), vec(any::<u8>(), 0..40)), 0..5);
    (
        any::<[u64; 5]>(),
        any::<u8>(),
        any::<[u8; 32]>(),
        vec(any::<u8>(), 0..80),
        entries,
        0..3_u8,
    )
        .prop_map(|(numbers, replica, hash, payload, entries, wants)| Owned {
            numbers,
            replica,
            hash,
            payload,
            entries,
            wants,
        })
}

impl Owned {
    /// What most messages have.
    fn common(&self) -> (ViewNumber, ReplicaId, SummaryHash, SlotNumber, SlotNumber) {
        let [view, slot, committed, ..] = self.numbers;
        (
            ViewNumber(view),
            ReplicaId(self.replica),
            SummaryHash(self.hash),
            SlotNumber(slot),
            SlotNumber(committed),
        )
    }

    fn request<'a>(&self, seed: u64, operation: &'a [u8]) -> Request<'a> {
        Request {
            client: ClientId(self.numbers[0] ^ seed),
            number: RequestNumber(self.numbers[1]),
            reply_to: HostAddress {
                ip: self.numbers[2].to_be_bytes()[..4].try_into().unwrap(),
                port: u16::from(self.replica),
            },
            wants: [Wants::Reply, Wants::Commit, Wants::Reconciliation][usize::from(self.wants)],
            operation,
        }
    }

    fn log_entries(&self) -> impl Iterator<Item = Entry<'_>> {
        self.entries.iter().map(|(seed, operation)| Entry {
            view: ViewNumber(*seed),
            epoch: EpochNumber(u32::from(self.replica)),
            sequence: SequenceNumber(self.numbers[3]),
            time: AgreedTime(self.numbers[4]),
            hash: SummaryHash(self.hash),
            request: self.request(*seed, operation),
        })
    }

    /// One message of each type, in the order of their type bytes.
    fn each<'a>(&'a self, storage: &'a mut Vec<u8>) -> Vec<Message<'a>> {
        let entries = Entries::encode(self.log_entries(), storage);
        let mut each = self.normal_case();
        each.extend(self.view_change(entries));
        each.extend(self.transfer(entries));
        each
    }

    /// Shows `look` one message of each type there is, in the order of their type bytes.
    fn with_each<T>(&self, look: impl FnOnce(&[Message<'_>]) -> T) -> T {
        let (mut entries, mut values, mut cells) = (Vec::new(), Vec::new(), Vec::new());
        let (mut storage, mut runs) = (Vec::new(), Vec::new());
        let entries_of_nopaxos = Entries::encode(self.log_entries(), &mut storage);
        let runs = self.runs(&mut runs);
        let batch = self.batch();
        let batch = Batch::parse(&batch).unwrap();
        let values = Values::encode(self.values(batch), &mut values);
        let mut each = self.each(&mut entries);
        each.extend(self.each_of_rounds(batch, values));
        each.extend(self.each_of_vr(batch));
        each.extend(self.each_of_nopaxos(entries_of_nopaxos, runs));
        let mut storage = Vec::new();
        let entries = Entries::encode(self.log_entries(), &mut storage);
        each.extend(self.each_of_fast_paxos(entries));
        let cells = Cells::encode(self.cells(batch), &mut cells);
        let mut promises = Vec::new();
        let promises = LanePromises::encode(self.promises(), &mut promises);
        each.extend(self.each_of_mencius(batch, cells, promises));
        look(&each)
    }

    fn normal_case(&self) -> Vec<Message<'_>> {
        let (view, replica, hash, slot, committed) = self.common();
        let [a, b, ..] = self.numbers;
        alloc::vec![
            Message::Request(self.request(0, &self.payload)),
            Message::Reply(Reply {
                client: ClientId(a),
                number: RequestNumber(b),
                replica,
                view,
                slot,
                hash,
                committed: self.wants == 1,
                result: &self.payload,
            }),
            Message::Sync(Sync {
                view,
                slot,
                committed,
                committed_hash: hash
            }),
            Message::SyncReply(SyncReply {
                view,
                replica,
                slot,
                reached: committed,
                hash
            }),
            Message::Commit(Commit { view, slot, hash }),
        ]
    }

    fn view_change<'a>(&self, entries: Entries<'a>) -> Vec<Message<'a>> {
        let (view, replica, hash, slot, committed) = self.common();
        alloc::vec![
            Message::StartViewChange(StartViewChange {
                view,
                replica,
                committed,
                degraded: self.wants == 1,
                incarnations: self.incarnations(),
            }),
            Message::DoViewChange(DoViewChange {
                view,
                replica,
                last_normal_view: ViewNumber(self.numbers[3]),
                degraded: self.wants == 1,
                incarnations: self.incarnations(),
                committed,
                committed_hash: hash,
                entries,
            }),
            Message::StartView(StartView {
                view,
                degraded: self.wants == 1,
                incarnations: self.incarnations(),
                base: slot,
                base_hash: hash,
                committed,
                entries
            }),
            Message::InView(InView { view, replica }),
        ]
    }

    fn transfer<'a>(&'a self, entries: Entries<'a>) -> Vec<Message<'a>> {
        let (view, replica, hash, slot, committed) = self.common();
        let [a, _, _, d, _] = self.numbers;
        alloc::vec![
            Message::FetchLog(FetchLog {
                view,
                replica,
                from: slot,
                to: committed
            }),
            Message::Log(Log {
                view,
                replica,
                base: slot,
                base_hash: hash,
                committed,
                entries
            }),
            Message::Recover(Recover {
                replica,
                incarnation: d,
                view
            }),
            Message::FetchPackets(FetchPackets {
                replica,
                epoch: EpochNumber(7),
                first: SequenceNumber(a),
                count: self.replica
            }),
            Message::Packet(Packet {
                replica,
                epoch: EpochNumber(7),
                sequence: SequenceNumber(a),
                time: AgreedTime(d),
                body: match self.wants {
                    0 => Body::Absent,
                    1 => Body::Request(self.request(0, &self.payload)),
                    _ => Body::Other,
                },
            }),
            Message::Prepare(Prepare {
                view,
                base: slot,
                base_hash: hash,
                committed,
                entries
            }),
            Message::Snapshot(Snapshot {
                view,
                replica,
                slot,
                hash,
                time: AgreedTime(d),
                state: &self.payload
            }),
        ]
    }

    fn incarnations(&self) -> Incarnations {
        let mut incarnations = Incarnations::unknown(3);
        for (index, value) in self.numbers.iter().take(3).enumerate() {
            incarnations.learn(ReplicaId(u8::try_from(index).unwrap()), *value);
        }
        incarnations
    }
}

fn ends_with_a_payload(message: &Message<'_>) -> bool {
    matches!(
        message,
        Message::Request(_)
            | Message::Reply(_)
            | Message::Packet(_)
            | Message::Snapshot(_)
            | Message::Rounds(RoundsMessage::Round(_) | RoundsMessage::State(_))
            | Message::Vr(VrMessage::Prepare(_))
            | Message::NoPaxos(
                NoPaxosMessage::Answer(_) | NoPaxosMessage::Catchup(Catchup::State { .. })
            )
            | Message::FastPaxos(FastPaxosMessage::Forward(_))
            | Message::Mencius(MenciusMessage::Propose(_) | MenciusMessage::State(_))
    )
}

fn emitted(message: &Message<'_>) -> Vec<u8> {
    let mut bytes = Vec::new();
    message.emit(&mut bytes);
    bytes
}

proptest! {
    #[test]
    fn what_is_emitted_parses_back(owned in owned()) {
        owned.with_each(|each| {
            for message in each {
                let bytes = emitted(message);
                prop_assert_eq!(Message::parse(&bytes), Ok(*message));
            }
            Ok(())
        })?;
    }

    #[test]
    fn entries_iterate_as_they_were_encoded(owned in owned()) {
        let mut storage = Vec::new();
        let entries = Entries::encode(owned.log_entries(), &mut storage);
        prop_assert!(entries.iter().eq(owned.log_entries()));
        prop_assert_eq!(entries.len(), owned.entries.len());
    }

    #[test]
    fn no_bytes_make_the_parser_panic(bytes in vec(any::<u8>(), 0..300), tag in 0..64_u8) {
        let _ = Message::parse(&bytes);
        let mut tagged = bytes;
        if let Some(first) = tagged.first_mut() { *first = tag; }
        if let Ok(message) = Message::parse(&tagged) {
            prop_assert_eq!(emitted(&message), tagged);
        }
    }

    #[test]
    fn a_cut_message_is_an_error_or_a_shorter_payload(owned in owned(), cut in any::<prop::sample::Index>()) {
        owned.with_each(|each| {
            for message in each {
                let bytes = emitted(message);
                let short = &bytes[..cut.index(bytes.len())];
                if let Ok(parsed) = Message::parse(short) {
                    prop_assert!(ends_with_a_payload(&parsed), "{parsed:?}");
                    prop_assert_eq!(emitted(&parsed), short);
                }
            }
            Ok(())
        })?;
    }
}

fn hex(bytes: &[u8]) -> alloc::string::String {
    use core::fmt::Write;
    let mut text = alloc::string::String::new();
    for byte in bytes {
        write!(text, "{byte:02x}").unwrap();
    }
    text
}

#[test]
fn each_message_has_its_golden_bytes() {
    let owned = Owned {
        numbers: [1, 2, 3, 4, 5],
        replica: 2,
        hash: [0xab; 32],
        payload: alloc::vec![0xde, 0xad],
        entries: alloc::vec![(9, alloc::vec![0x77])],
        wants: 1,
    };
    let hexes = |each: &[Message<'_>]| each.iter().map(|message| hex(&emitted(message))).collect();
    let printed: Vec<_> = owned.with_each(hexes);
    let golden = include_str!("../../tests/golden/messages.hex");
    let golden: Vec<_> = golden
        .lines()
        .filter(|line| !line.starts_with('#'))
        .collect();
    assert_eq!(printed, golden);
}

#[test]
fn a_count_that_lies_is_caught_before_anything_is_allocated() {
    let mut bytes = alloc::vec![tag::LOG];
    bytes.extend([0; 8 + 1 + 8 + 32 + 8]);
    bytes.extend(u32::MAX.to_be_bytes());
    bytes.extend(0_u32.to_be_bytes());
    assert_eq!(
        Message::parse(&bytes),
        Err(WireError::Truncated {
            what: "view",
            needed: 8,
            left: 0
        })
    );
}
