//! Load on a front door whose history is checked for linearizability afterwards.

use super::{PATIENCE, Resp};
use sim::history::{Call, Completion, History, Moment};
use sim::linearizability::kv::{Kv, KvOperation, KvOutcome};
use sim::linearizability::{Bounds, Verdict, check};
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// Keys that the clients share.
const KEYS: u64 = 16;

/// One answered request.
struct Exchange {
    client: u64,
    door: u16,
    asked: Duration,
    answered: Duration,
    operation: KvOperation,
    outcome: KvOutcome,
}

/// Clients that ask one request after the other until they are stopped.
pub struct Load {
    begun: Instant,
    stop: Arc<AtomicBool>,
    count: Arc<AtomicUsize>,
    clients: Vec<JoinHandle<Vec<Exchange>>>,
}

/// What the clients saw.
pub struct Seen {
    /// Requests answered; every one that was asked was.
    pub answered: usize,
    /// The longest time in which nobody was answered.
    pub longest_gap: Duration,
    /// The longest time that one request took.
    pub longest_wait: Duration,
    /// How long they asked.
    pub lasted: Duration,
    all: Vec<Exchange>,
}

impl Seen {
    /// The longest time within `during` in which nobody at some of these doors was answered.
    pub fn longest_gap_at(&self, doors: &[u16], during: &Range<Duration>) -> Duration {
        let gap_of = |door: &u16| {
            let of_door = self.all.iter().filter(|one| one.door == *door);
            longest_gap(of_door.filter(|one| during.contains(&one.answered)))
        };
        doors.iter().map(gap_of).max().unwrap_or_default()
    }
}

impl Load {
    /// Starts `clients` closed-loop clients, each with a connection of its own.
    pub fn start(resp: u16, clients: u64, seed: u64) -> Self {
        Self::start_at(&[resp], clients, seed)
    }

    /// The same at several front doors of one group, by turns.
    pub fn start_at(doors: &[u16], clients: u64, seed: u64) -> Self {
        let (stop, count) = (Arc::new(AtomicBool::new(false)), Arc::default());
        let begun = Instant::now();
        let clients = (0..clients)
            .zip(doors.iter().copied().cycle())
            .map(|(client, resp)| {
                let (stop, count) = (Arc::clone(&stop), Arc::clone(&count));
                thread::spawn(move || run_client(resp, client, seed, begun, &stop, &count))
            })
            .collect();
        Self {
            begun,
            stop,
            count,
            clients,
        }
    }

    /// The time since the start, as replies are dated.
    pub fn now(&self) -> Duration {
        self.begun.elapsed()
    }

    /// Waits until `more` further requests have been answered.
    pub fn wait_for(&self, more: usize) {
        let goal = self.count.load(Ordering::Relaxed) + more;
        let deadline = Instant::now() + PATIENCE;
        while self.count.load(Ordering::Relaxed) < goal {
            assert!(Instant::now() < deadline, "clients are not answered");
            thread::park_timeout(Duration::from_millis(2));
        }
    }

    /// Ends the load; panics unless everything that clients were told is linearizable.
    pub fn finish(self) -> Seen {
        self.stop.store(true, Ordering::Relaxed);
        let mut all: Vec<Exchange> = Vec::new();
        for client in self.clients {
            all.extend(client.join().expect("a client that was answered"));
        }
        let waits = all.iter().map(|one| one.answered.saturating_sub(one.asked));
        let verdict = check::<Kv>(&history(&all), &Bounds::default()).verdict;
        assert_eq!(verdict, Verdict::Linearizable);
        Seen {
            answered: all.len(),
            longest_gap: longest_gap(&all),
            longest_wait: waits.max().unwrap_or_default(),
            lasted: all.iter().map(|one| one.answered).max().unwrap_or_default(),
            all,
        }
    }
}

fn longest_gap<'a>(all: impl IntoIterator<Item = &'a Exchange>) -> Duration {
    let mut times: Vec<_> = all.into_iter().map(|one| one.answered).collect();
    times.sort_unstable();
    times
        .windows(2)
        .map(|pair| pair[1].saturating_sub(pair[0]))
        .max()
        .unwrap_or_default()
}

/// Times of several recorders are comparable by tick alone.
fn history(all: &[Exchange]) -> History<KvOperation, KvOutcome> {
    let moment = |at: Duration| Moment::at(u64::try_from(at.as_nanos()).expect("a short run"));
    let mut history = History::new();
    for one in all {
        let completion = Completion {
            returned: moment(one.answered),
            outcome: one.outcome.clone(),
        };
        let call = Call {
            client: one.client,
            operation: one.operation.clone(),
            invoked: moment(one.asked),
            completion: Some(completion),
        };
        history.push(call).expect("asked before it was answered");
    }
    history
}

fn run_client(
    resp: u16,
    client: u64,
    seed: u64,
    begun: Instant,
    stop: &AtomicBool,
    count: &AtomicUsize,
) -> Vec<Exchange> {
    let mut connection = Resp::connect(resp);
    let mut random = seed
        .wrapping_add(client)
        .wrapping_mul(0x9e37_79b9_7f4a_7c15)
        | 1;
    let mut all = Vec::new();
    while !stop.load(Ordering::Relaxed) {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        let (command, operation) = operation(random, client, all.len());
        let asked = begun.elapsed();
        let outcome = outcome(&mut connection, &command);
        all.push(Exchange {
            client,
            door: resp,
            asked,
            answered: begun.elapsed(),
            operation,
            outcome,
        });
        count.fetch_add(1, Ordering::Relaxed);
    }
    all
}

/// Values name their writer and number, so that a read tells which write it saw.
fn operation(random: u64, client: u64, number: usize) -> (String, KvOperation) {
    let name = format!("k{}", random % KEYS);
    let key = name.clone().into_bytes();
    let value = format!("{client}.{number}");
    match (random >> 32) % 4 {
        0 | 1 => (format!("GET {name}"), KvOperation::Get { key }),
        2 => {
            let command = format!("SET {name} {value}");
            let value = value.into_bytes();
            (command, KvOperation::Set { key, value })
        }
        _ => {
            let key = [b"n".as_slice(), &key].concat();
            (format!("INCR n{name}"), KvOperation::Incr { key, by: 1 })
        }
    }
}

fn outcome(connection: &mut Resp, command: &str) -> KvOutcome {
    let line = connection.ask(command);
    match line.split_at(1) {
        ("+", "OK") => KvOutcome::Ok,
        (":", number) => KvOutcome::Integer(number.parse().expect("an integer")),
        ("$", "-1") => KvOutcome::Value(None),
        ("$", _) => KvOutcome::Value(Some(connection.line().into_bytes())),
        _ => panic!("{command}: {line}"),
    }
}
