//! Between the sequential key-value model and the replicated store: how an operation is asked
//! for, and what a reply means. The two share no code; this is the only place they meet.

use crate::linearizability::kv::{KvOperation, KvOutcome};
use apps::kv::encode;
use apps::kv::reply::{MalformedReply, Reply, Value};

/// The operation as bytes for the store.
pub fn encode(operation: &KvOperation) -> Vec<u8> {
    match operation {
        KvOperation::Get { key } => encode::get(key),
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
