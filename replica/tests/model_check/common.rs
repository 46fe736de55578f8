//! What the models of both protocols have in common: no time, cores as values, and outcomes that
//! are worked out once.

use crate::machine::Word;
use replica::history::History;
use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex};
use wire::{ReplicaId, SlotNumber, SummaryHash, Tick};

/// The time of everything: order and duration are the checker's choice.
pub(crate) const NOW: Tick = Tick(0);

/// A number that stands for a value.
pub(crate) fn digest_of(value: impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish()
}

/// A type whose field `digest` stands for everything that matters of a value: values are equal
/// when it is equal.
macro_rules! equal_by_digest {
    ($named:ty) => {
        impl PartialEq for $named {
            fn eq(&self, other: &Self) -> bool {
                self.digest == other.digest
            }
        }

        impl Eq for $named {}

        impl std::hash::Hash for $named {
            fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
                state.write_u64(self.digest);
            }
        }
    };
}
pub(crate) use equal_by_digest;

/// The replica with this index.
pub(crate) fn replica_at(index: usize) -> ReplicaId {
    ReplicaId(u8::try_from(index).expect("few replicas"))
}

/// Runs a core; the error is what it panicked with.
pub(crate) fn guarded(work: impl FnOnce()) -> Result<(), String> {
    let panic_text = |panic: Box<dyn std::any::Any + Send>| {
        let text = panic.downcast_ref::<String>().map(String::as_str);
        let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
        text.unwrap_or("a panic without text").to_owned()
    };
    catch_unwind(AssertUnwindSafe(work)).map_err(panic_text)
}

/// The summary hashes of slots 1 to `last`, all of which are held.
pub(crate) fn hashes(history: &History<Word>, last: SlotNumber) -> Vec<SummaryHash> {
    let log = history.log();
    let hash = |slot| log.hash_at(SlotNumber(slot)).expect("nothing is truncated");
    (1..=last.0).map(hash).collect()
}

/// Whether two committed slots hold one request.
pub(crate) fn commits_twice(history: &History<Word>) -> bool {
    let log = history.log();
    let committed = log.last_committed();
    let requests = || {
        log.above(log.base())
            .take_while(|(slot, _)| *slot <= committed)
            .map(|(slot, entry)| (slot, entry.request.client, entry.request.number))
    };
    let repeated = |(slot, client, number)| {
        requests().any(|other| other.0 < slot && (other.1, other.2) == (client, number))
    };
    requests().any(repeated)
}

const SHARDS: usize = 64;

/// By the state before and the event.
type Outcomes<O> = HashMap<(u64, u64), Arc<O>>;

/// All outcomes so far. A replica is in far fewer states than the group, and a core is
/// deterministic: the same event in the same state has the same outcome. This only saves time.
#[derive(Debug)]
pub(crate) struct Memory<O> {
    shards: [Mutex<Outcomes<O>>; SHARDS],
}

impl<O> Default for Memory<O> {
    fn default() -> Self {
        Self {
            shards: std::array::from_fn(|_| Mutex::default()),
        }
    }
}

impl<O> Memory<O> {
    /// The outcome of an event in a state, by their digests.
    pub(crate) fn of(&self, key: (u64, u64), work: impl FnOnce() -> O) -> Arc<O> {
        let shard = usize::try_from((key.0 ^ key.1) % SHARDS as u64).expect("small");
        let shard = &self.shards[shard];
        let lock = || shard.lock().expect("nobody panics with it");
        let known = lock().get(&key).cloned();
        known.unwrap_or_else(|| {
            let outcome = Arc::new(work());
            lock().insert(key, Arc::clone(&outcome));
            outcome
        })
    }
}
