//! What one simulated client asks for, by seed.

use crate::linearizability::kv::KvOperation;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

/// Odd constant that spreads client indices over seeds (2^64 / golden ratio).
const SPREAD: u64 = 0x9e37_79b9_7f4a_7c15;

pub(super) struct Workload {
    random: ChaCha8Rng,
    client: u64,
    keys: u64,
    issued: usize,
}

impl Workload {
    pub(super) fn new(seed: u64, client: u64, keys: u64) -> Self {
        let random = ChaCha8Rng::seed_from_u64(seed ^ (client + 1).wrapping_mul(SPREAD));
        Self {
            random,
            client,
            keys,
            issued: 0,
        }
    }

    pub(super) fn issued(&self) -> usize {
        self.issued
    }

    /// Values name their writer and number, so that a read tells which write it saw.
    pub(super) fn next_operation(&mut self) -> KvOperation {
        self.issued += 1;
        let key = format!("k{}", self.random.next_u64() % self.keys).into_bytes();
        let value = format!("{}.{};", self.client, self.issued).into_bytes();
        match self.random.next_u64() % 10 {
            0..4 => KvOperation::Get { key },
            4..7 => KvOperation::Set { key, value },
            7 => KvOperation::Append { key, value },
            8 => KvOperation::Incr {
                key: [b"n".as_slice(), &key].concat(),
                by: 1,
            },
            _ => KvOperation::Del { key },
        }
    }
}
