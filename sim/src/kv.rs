//! Between the sequential key-value model and the replicated store: how an operation is asked
//! for, and what a reply means. The two share no code; this is the only place they meet.

use crate::linearizability::kv::{KvOperation, KvOutcome};
use apps::kv::encode;
use apps::kv::reply::{MalformedReply, Reply, Value};

/// Keys that begin like this end by themselves. They are no registers: what the linearizability
/// checker knows of has no time.
pub const ENDING: &str = "end-";

/// The longest that such a key lives, in milliseconds.
const LIFETIMES_MS: u64 = 8;

/// Whether the key of an operation ends by itself.
pub fn ends(operation: &KvOperation) -> bool {
    operation.key().starts_with(ENDING.as_bytes())
}

/// How long a value lives: longer or shorter by its own bytes.
fn lifetime_ms(value: &[u8]) -> u64 {
    let sum: u64 = value.iter().map(|byte| u64::from(*byte)).sum();
    1 + sum % LIFETIMES_MS
}

/// The operation as bytes for the store.
pub fn encode(operation: &KvOperation) -> Vec<u8> {
    match operation {
        KvOperation::Get { key } => encode::get(key),
        KvOperation::Set { key, value } if ends(operation) => {
            encode::set_expiring(key, value, lifetime_ms(value))
        }
        KvOperation::Set { key, value } => encode::set(key, value),
        KvOperation::Del { key } => encode::delete(key),
        KvOperation::Incr { key, by } => encode::increment(key, *by),
        KvOperation::Append { key, value } => encode::append(key, value),
        KvOperation::Cas {
            key,
            expected,
            value,
        } => encode::cas(key, expected.as_deref(), value),
    }
}

/// What the store's reply to `operation` tells.
pub fn decode(operation: &KvOperation, reply: &[u8]) -> Result<KvOutcome, MalformedReply> {
    Ok(match Reply::single(reply)? {
        Value::Null if matches!(operation, KvOperation::Cas { .. }) => KvOutcome::Error,
        Value::Null => KvOutcome::Value(None),
        Value::Bulk(bytes) => KvOutcome::Value(Some(bytes)),
        Value::Integer(number) => KvOutcome::Integer(number),
        Value::Ok => KvOutcome::Ok,
        Value::Error(_) => KvOutcome::Error,
        _ => {
            return Err(MalformedReply {
                at: 0,
                reason: "not a value of a register operation",
            });
        }
    })
}
