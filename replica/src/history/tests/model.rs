//! Random walks, compared step by step with a model that keeps every request and computes
//! everything from the beginning.

use super::*;
use proptest::prelude::*;
use std::collections::BTreeMap;

const CLIENTS: u64 = 48;

#[derive(Clone, Debug)]
enum Step {
    /// The client's next request, or with `gap` a later one.
    Ask {
        client: u64,
        gap: u64,
        time: u64,
        len: usize,
    },
    /// Keeps this part of the speculative entries, in 1/16.
    Rollback(u64),
    /// Commits this part of the speculative entries, in 1/16.
    Commit(u64),
    Snapshot,
    /// Goes on with a copy.
    Copy,
    /// Goes on with what a snapshot gives.
    Restore,
}

fn step() -> impl Strategy<Value = Step> {
    let lens = prop_oneof![9 => 0..20_usize, 1 => 0..300_usize];
    let ask = (0..CLIENTS, 1..3_u64, 0..1_000_u64, lens);
    prop_oneof![
        20 => ask.prop_map(|(client, gap, time, len)| Step::Ask { client, gap, time, len }),
        3 => (0..=16_u64).prop_map(Step::Rollback),
        3 => (0..=16_u64).prop_map(Step::Commit),
        1 => Just(Step::Snapshot),
        1 => Just(Step::Copy),
        1 => Just(Step::Restore),
    ]
}

/// Everything that was ever asked and not rolled back.
struct Model {
    clients_max: usize,
    requests: Vec<StoredRequest>,
    committed: usize,
}

/// What the requests come to.
#[derive(Default)]
struct Outcome {
    hash: SummaryHash,
    time: AgreedTime,
    tape: Tape,
    /// Per client: number, slot, hash and result.
    clients: BTreeMap<ClientId, (RequestNumber, u64, SummaryHash, Vec<u8>)>,
}

impl Model {
    fn outcome(&self) -> Outcome {
        let mut outcome = Outcome::default();
        for (slot, request) in (1..).zip(&self.requests) {
            let time = outcome.time.max(request.origin.time);
            let at = Stamp {
                slot: SlotNumber(slot),
                time: Some(time),
            };
            let mut result = Vec::new();
            outcome.tape.execute(at, &request.operation, &mut result);
            outcome.time = time;
            outcome.hash = chain(outcome.hash, time, request.as_ref());
            let clients = &mut outcome.clients;
            if !clients.contains_key(&request.client) && clients.len() == self.clients_max {
                for _ in 0..(self.clients_max / 16).max(1) {
                    let oldest = clients.iter().min_by_key(|(_, record)| record.1);
                    let oldest = *oldest.unwrap().0;
                    clients.remove(&oldest);
                }
            }
            let record = (request.number, slot, outcome.hash, result);
            clients.insert(request.client, record);
        }
        outcome
    }

    fn compare(&self, history: &History<Tape>) {
        let outcome = self.outcome();
        let log = history.log();
        assert_eq!(log.last().0, self.requests.len() as u64);
        assert_eq!(log.last_committed().0, self.committed as u64);
        assert_eq!(
            (log.last_hash(), log.last_time()),
            (outcome.hash, outcome.time)
        );
        assert_eq!(history.machine().digest(), outcome.tape.digest());
        assert_eq!(
            history.speculative_len(),
            self.requests.len() - self.committed
        );
        for (slot, entry) in log.above(log.base()) {
            let index = usize::try_from(slot.0 - 1).unwrap();
            assert_eq!(
                entry.request.to_stored(),
                self.requests[index],
                "slot {slot}"
            );
        }
        for client in (0..CLIENTS).map(ClientId) {
            let expected = outcome.clients.get(&client);
            let expected = expected.map(|(number, slot, hash, result)| SavedReply {
                number: *number,
                slot: SlotNumber(*slot),
                hash: *hash,
                committed: *slot <= self.committed as u64,
                result,
            });
            assert_eq!(history.saved_reply(client), expected, "client {client}");
            let number = expected.map_or(RequestNumber(1), |reply| reply.number);
            let freshness = expected.map_or(Freshness::New, |r| Freshness::Repeated(r.slot));
            assert_eq!(history.freshness(client, number), freshness);
        }
    }

    /// A history that never held anything but the committed prefix, and holds all of it.
    fn committed_only(&self) -> History<Tape> {
        let mut history = bounded(usize::MAX, self.clients_max);
        for request in &self.requests[..self.committed] {
            history.append(ViewNumber(0), request.as_ref());
        }
        history.commit(SlotNumber(self.committed as u64));
        history
    }

    fn part(&self, sixteenths: u64) -> usize {
        let speculative = self.requests.len() - self.committed;
        self.committed + speculative * usize::try_from(sixteenths).unwrap() / 16
    }

    fn next_request(&self, (client, gap): (u64, u64), time: u64, len: usize) -> StoredRequest {
        let outcome = self.outcome();
        let last = outcome.clients.get(&ClientId(client));
        let number = last.map_or(0, |record| record.0.0) + gap;
        let operation = alloc::vec![u8::try_from(number % 200).unwrap(); len];
        request(client, number, time, &operation)
    }
}

fn walk(retained_bytes: usize, clients_max: usize, steps: Vec<Step>) {
    let mut history = bounded(retained_bytes, clients_max);
    let mut model = Model {
        clients_max,
        requests: Vec::new(),
        committed: 0,
    };
    for step in steps {
        match step {
            Step::Ask {
                client,
                gap,
                time,
                len,
            } => {
                let request = model.next_request((client, gap), time, len);
                let slot = history.append(ViewNumber(0), request.as_ref());
                model.requests.push(request);
                assert_eq!(slot.0, model.requests.len() as u64);
            }
            Step::Rollback(part) => {
                let keep = model.part(part);
                let mut expected = model.requests.split_off(keep);
                history.rollback(SlotNumber(keep as u64), |removed| {
                    assert_eq!(Some(removed), expected.pop(), "newest first");
                });
                assert!(expected.is_empty());
            }
            Step::Commit(part) => {
                model.committed = model.part(part);
                history.commit(SlotNumber(model.committed as u64));
            }
            Step::Snapshot => {
                let before = history.clone();
                let expected = snapshot_of(&mut model.committed_only());
                assert_eq!(snapshot_of(&mut history), expected);
                assert_eq!(history, before, "a snapshot leaves no trace");
            }
            Step::Copy => {
                let copy = history.clone();
                assert_eq!((&copy, hash_of(&copy)), (&history, hash_of(&history)));
                history = copy;
            }
            Step::Restore => {
                let (at, bytes) = snapshot_of(&mut history);
                let mut other = bounded(retained_bytes, clients_max);
                other.restore(at, &bytes).unwrap();
                model.requests.truncate(model.committed);
                history.rollback(at.slot, |_| {});
                assert_eq!(snapshot_of(&mut other), (at, bytes));
                history = other;
            }
        }
        history.check_thoroughly();
        model.compare(&history);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn a_history_does_what_its_model_does(
        retained_bytes in prop_oneof![Just(0), 0..3_000_usize, Just(usize::MAX)],
        clients_max in prop_oneof![1..4_usize, 30..36_usize, Just(1_000)],
        steps in prop::collection::vec(step(), 0..120),
    ) {
        walk(retained_bytes, clients_max, steps);
    }
}
