//! What clients ask for: a mix of operations on keys, from a seed.
//!
//! Operations are abstract; whoever sends them puts them into the words of an application. Two
//! families of keys keep the mix free of errors: `key…` holds text (`set`, `append`), `counter…`
//! holds integers (`incr`). `get` and `del` go to either, in proportion to the writes.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use serde::{Deserialize, Serialize};

use crate::keys::{Distribution, KeyChooser, MAX_EXPONENT_THOUSANDTHS, MAX_KEYS};
use crate::random::{Purpose, Random};

/// Longest value, in bytes.
pub const MAX_VALUE_BYTES: u32 = 1 << 20;

/// What a client asks for.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Operation {
    /// Reads the value of a key.
    Get {
        /// The key.
        key: Vec<u8>,
    },
    /// Writes the value of a key.
    Set {
        /// The key.
        key: Vec<u8>,
        /// The value.
        value: Vec<u8>,
    },
    /// Adds one to the integer of a key.
    Incr {
        /// The key.
        key: Vec<u8>,
    },
    /// Appends to the value of a key.
    Append {
        /// The key.
        key: Vec<u8>,
        /// The bytes to append.
        value: Vec<u8>,
    },
    /// Removes a key.
    Del {
        /// The key.
        key: Vec<u8>,
    },
    /// Nothing, by so many bytes.
    Null {
        /// The bytes.
        bytes: Vec<u8>,
    },
}

impl Operation {
    /// The key that the operation is about; of one about nothing, its bytes.
    pub fn key(&self) -> &[u8] {
        match self {
            Self::Get { key }
            | Self::Set { key, .. }
            | Self::Incr { key }
            | Self::Append { key, .. }
            | Self::Del { key } => key,
            Self::Null { bytes } => bytes,
        }
    }
}

/// How often each operation is asked for, relative to the sum of all.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Mix {
    /// Weight of [`Operation::Get`].
    pub get: u32,
    /// Weight of [`Operation::Set`].
    pub set: u32,
    /// Weight of [`Operation::Incr`].
    pub incr: u32,
    /// Weight of [`Operation::Append`].
    pub append: u32,
    /// Weight of [`Operation::Del`].
    pub del: u32,
    /// Weight of [`Operation::Null`].
    #[serde(default)]
    pub null: u32,
}

impl Default for Mix {
    /// Half reads, half writes.
    fn default() -> Self {
        Self {
            get: 50,
            set: 50,
            incr: 0,
            append: 0,
            del: 0,
            null: 0,
        }
    }
}

/// A workload, but for its seed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct WorkloadConfig {
    /// How often each operation is asked for.
    pub mix: Mix,
    /// Keys of each family, 1 to [`MAX_KEYS`].
    pub keys: u32,
    /// How draws are spread over them.
    pub distribution: Distribution,
    /// Shortest value, in bytes.
    pub value_bytes_min: u32,
    /// Longest value, in bytes, at most [`MAX_VALUE_BYTES`]; all lengths between are as likely.
    pub value_bytes_max: u32,
}

impl Default for WorkloadConfig {
    fn default() -> Self {
        Self {
            mix: Mix::default(),
            keys: 1000,
            distribution: Distribution::Uniform,
            value_bytes_min: 16,
            value_bytes_max: 16,
        }
    }
}

/// What makes a workload impossible.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WorkloadError {
    /// No operation has a weight.
    #[error(
        "the weights of all operations are 0: give at least one of get, set, incr, append, \
             del, null a weight"
    )]
    EmptyMix,
    /// No keys, or too many.
    #[error("{keys} keys: give 1 to {MAX_KEYS}")]
    Keys {
        /// The number asked for.
        keys: u32,
    },
    /// An exponent out of range.
    #[error(
        "a Zipf exponent of {exponent_thousandths} thousandths: give 0 to \
             {MAX_EXPONENT_THOUSANDTHS}"
    )]
    Exponent {
        /// The exponent asked for.
        exponent_thousandths: u32,
    },
    /// Keys by their age, and operations for which they have none.
    #[error(
        "operations {operations} on the keys written last: give weights to get and set only, or \
             spread the keys otherwise"
    )]
    Ages {
        /// The operations.
        operations: String,
    },
    /// Lengths out of range or order.
    #[error("values of {minimum} to {maximum} bytes: give a range within 0 to {MAX_VALUE_BYTES}")]
    ValueBytes {
        /// Shortest value asked for.
        minimum: u32,
        /// Longest value asked for.
        maximum: u32,
    },
}

/// A workload that is possible, and its seed. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Workload {
    config: WorkloadConfig,
    seed: u64,
    keys: KeyChooser,
    /// For keys by their age: how many all clients together have written.
    written: Arc<AtomicU64>,
}

impl Workload {
    /// Checks `config` and prepares what all clients share.
    pub fn new(config: WorkloadConfig, seed: u64) -> Result<Self, WorkloadError> {
        let WorkloadConfig {
            keys,
            distribution,
            value_bytes_min,
            value_bytes_max,
            ..
        } = config;
        if config.mix.total() == 0 {
            return Err(WorkloadError::EmptyMix);
        }
        if !(1..=MAX_KEYS).contains(&keys) {
            return Err(WorkloadError::Keys { keys });
        }
        if let Some(exponent_thousandths) = distribution.exponent_thousandths()
            && exponent_thousandths > MAX_EXPONENT_THOUSANDTHS
        {
            return Err(WorkloadError::Exponent {
                exponent_thousandths,
            });
        }
        if matches!(distribution, Distribution::Latest { .. }) {
            config.mix.has_ages()?;
        }
        if value_bytes_min > value_bytes_max || value_bytes_max > MAX_VALUE_BYTES {
            let (minimum, maximum) = (value_bytes_min, value_bytes_max);
            return Err(WorkloadError::ValueBytes { minimum, maximum });
        }
        Ok(Self {
            config,
            seed,
            keys: KeyChooser::new(keys, distribution),
            written: Arc::new(AtomicU64::new(keys.into())),
        })
    }

    /// The operations of the client with this index. They depend on the seed, the configuration
    /// and the index, and on nothing else, unless keys go by their age: then also on how the
    /// clients take turns.
    pub fn client(&self, client: u32) -> Operations {
        Operations {
            workload: self.clone(),
            random: Random::new(self.seed, client, Purpose::Operations),
        }
    }

    /// What comes before the run, in the share of client `client` of `clients`: every key that is
    /// read gets a value, and then each client asks for one operation, so that the run begins
    /// only when the group answers everybody.
    pub fn loading(&self, client: u32, clients: u32) -> Loading {
        let Mix {
            get, set, append, ..
        } = self.config.mix;
        let reads_text = get > 0 && (set > 0 || append > 0 || self.config.mix.incr == 0);
        Loading {
            operations: self.client(client),
            next: if reads_text { client } else { self.config.keys },
            step: clients,
            has_asked: false,
        }
    }

    /// The configuration.
    pub fn config(&self) -> &WorkloadConfig {
        &self.config
    }

    /// The seed.
    pub fn seed(&self) -> u64 {
        self.seed
    }
}

impl Mix {
    fn total(&self) -> u64 {
        let Self {
            get,
            set,
            incr,
            append,
            del,
            null,
        } = *self;
        [get, set, incr, append, del, null]
            .into_iter()
            .map(u64::from)
            .sum()
    }

    /// Whether all its operations are of those that keys by their age are for.
    fn has_ages(&self) -> Result<(), WorkloadError> {
        let others = [
            ("incr", self.incr),
            ("append", self.append),
            ("del", self.del),
        ];
        let asked = others.iter().filter(|(_, weight)| *weight > 0);
        let names: Vec<_> = asked.map(|(name, _)| *name).collect();
        if names.is_empty() {
            return Ok(());
        }
        let operations = names.join(", ");
        Err(WorkloadError::Ages { operations })
    }
}

/// One client's share of what comes before a run: each of its keys once, and one operation more.
#[derive(Clone, Debug)]
pub struct Loading {
    operations: Operations,
    next: u32,
    step: u32,
    has_asked: bool,
}

impl Iterator for Loading {
    type Item = Operation;

    fn next(&mut self) -> Option<Operation> {
        let index = self.next;
        if index >= self.operations.workload.config.keys {
            let is_last = !std::mem::replace(&mut self.has_asked, true);
            return is_last.then(|| self.operations.next_operation());
        }
        self.next = index.saturating_add(self.step);
        Some(Operation::Set {
            key: key_at("key", index.into()),
            value: self.operations.value(),
        })
    }
}

fn key_at(family: &str, index: u64) -> Vec<u8> {
    format!("{family}{index:08}").into_bytes()
}

/// The endless operations of one client.
#[derive(Clone, Debug)]
pub struct Operations {
    workload: Workload,
    random: Random,
}

impl Operations {
    /// The next operation.
    pub fn next_operation(&mut self) -> Operation {
        let Mix {
            get,
            set,
            incr,
            append,
            del,
            null,
        } = self.workload.config.mix;
        let mut point = self.random.below(self.workload.config.mix.total());
        // Whether `point` falls into the next weight.
        let mut within = |weight: u32| {
            let inside = point < u64::from(weight);
            point = point.wrapping_sub(weight.into());
            inside
        };
        if within(get) {
            Operation::Get {
                key: self.either_key(),
            }
        } else if within(set) {
            Operation::Set {
                key: self.written_key(),
                value: self.value(),
            }
        } else if within(incr) {
            Operation::Incr {
                key: self.key("counter"),
            }
        } else if within(append) {
            Operation::Append {
                key: self.key("key"),
                value: self.value(),
            }
        } else if within(del) {
            Operation::Del {
                key: self.either_key(),
            }
        } else {
            assert!(within(null), "the point is below the sum of the weights");
            Operation::Null {
                bytes: self.value(),
            }
        }
    }

    fn key(&mut self, family: &str) -> Vec<u8> {
        let drawn = u64::from(self.workload.keys.draw(&mut self.random));
        let index = if self.has_ages() {
            let written = self.workload.written.load(Ordering::Relaxed);
            written - 1 - drawn
        } else {
            drawn
        };
        key_at(family, index)
    }

    /// The key of a `set`: a new one where keys have ages.
    fn written_key(&mut self) -> Vec<u8> {
        if self.has_ages() {
            key_at("key", self.workload.written.fetch_add(1, Ordering::Relaxed))
        } else {
            self.key("key")
        }
    }

    fn has_ages(&self) -> bool {
        matches!(
            self.workload.config.distribution,
            Distribution::Latest { .. }
        )
    }

    fn either_key(&mut self) -> Vec<u8> {
        let Mix {
            set, incr, append, ..
        } = self.workload.config.mix;
        let writes = u64::from(set) + u64::from(incr) + u64::from(append);
        let counter = writes > 0 && self.random.below(writes) < incr.into();
        self.key(if counter { "counter" } else { "key" })
    }

    /// Random letters, digits, `-` and `_`: readable in a trace, hard to compress, and from about
    /// ten bytes on never twice the same, so that a checker can tell every write from every other.
    fn value(&mut self) -> Vec<u8> {
        const ALPHABET: &[u8; 64] =
            b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_";
        const PER_DRAW: usize = 10;
        let WorkloadConfig {
            value_bytes_min,
            value_bytes_max,
            ..
        } = self.workload.config;
        let spread = u64::from(value_bytes_max - value_bytes_min) + 1;
        let length = value_bytes_min as usize
            + usize::try_from(self.random.below(spread)).expect("at most MAX_VALUE_BYTES");
        let mut value = Vec::with_capacity(length);
        while value.len() < length {
            let mut bits = self.random.bits();
            for _ in 0..PER_DRAW.min(length - value.len()) {
                value.push(ALPHABET[(bits & 63) as usize]);
                bits >>= 6;
            }
        }
        value
    }
}

impl Iterator for Operations {
    type Item = Operation;

    fn next(&mut self) -> Option<Operation> {
        Some(self.next_operation())
    }
}

#[cfg(test)]
mod tests;
