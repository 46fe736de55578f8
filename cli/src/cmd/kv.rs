//! `downbeat kv`: asks the key-value store of a deployment through its front door.

use crate::arguments::{KvArguments, KvQuestion};
use crate::failure::Failure;
use crate::output::Output;
use bmv2_testbed::Deployment;
use bmv2_testbed::deployment;
use redis_protocol::resp2::decode::decode;
use redis_protocol::resp2::encode::encode;
use redis_protocol::resp2::types::{OwnedFrame, Resp2Frame};
use serde_json::json;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// Longer than the front door's own patience.
const PATIENCE: Duration = Duration::from_secs(40);

/// Runs the verb.
pub(crate) fn run(arguments: &KvArguments, output: Output) -> Result<(), Failure> {
    let file = arguments.run.join(deployment::FILE);
    let resp = Deployment::read(&file)?.resp;
    let (command, missing): (Vec<&str>, Option<String>) = match &arguments.question {
        KvQuestion::Get { key } => (vec!["GET", key], Some(format!("there is no key {key}"))),
        KvQuestion::Put { key, value } => (vec!["SET", key, value], None),
        KvQuestion::Cas {
            key,
            expected,
            value,
        } => (
            vec!["SET", key, value, "IFEQ", expected],
            Some(format!("the value of {key} is not {expected}")),
        ),
        KvQuestion::Del { key } => (vec!["DEL", key], Some(format!("there was no key {key}"))),
        KvQuestion::Incr { key } => (vec!["INCR", key], None),
    };
    let deleting = matches!(arguments.question, KvQuestion::Del { .. });
    let answer = match ask(resp, &command)? {
        OwnedFrame::Error(text) => return Err(Failure::Check(text)),
        OwnedFrame::Null => None,
        OwnedFrame::Integer(0) if deleting => None,
        OwnedFrame::Integer(number) => Some(number.to_string()),
        OwnedFrame::BulkString(bytes) | OwnedFrame::SimpleString(bytes) => {
            Some(String::from_utf8_lossy(&bytes).into_owned())
        }
        other @ OwnedFrame::Array(_) => Some(format!("{other:?}")),
    };
    output.object(json!({ "command": command, "answer": answer }));
    match (answer, missing) {
        (Some(text), _) => output.line(&text),
        (None, Some(text)) => return Err(Failure::Check(text)),
        (None, None) => output.line("(nil)"),
    }
    Ok(())
}

/// One command to the front door, one answer.
fn ask(resp: SocketAddr, words: &[&str]) -> Result<OwnedFrame, Failure> {
    let error = |error: std::io::Error| {
        Failure::Usage(format!(
            "the front door at {resp} does not answer: {error}; is the deployment up?"
        ))
    };
    let mut stream = TcpStream::connect_timeout(&resp, PATIENCE).map_err(error)?;
    stream.set_read_timeout(Some(PATIENCE)).map_err(error)?;
    let words = words
        .iter()
        .map(|word| OwnedFrame::BulkString(word.as_bytes().to_vec()));
    let frame = OwnedFrame::Array(words.collect());
    let mut bytes = vec![0; frame.encode_len(false)];
    encode(&mut bytes, &frame, false)?;
    stream.write_all(&bytes).map_err(error)?;
    let mut answer = Vec::new();
    let mut piece = [0; 4_096];
    loop {
        if let Some((frame, _)) = decode(&answer)? {
            return Ok(frame);
        }
        match stream.read(&mut piece).map_err(error)? {
            0 => return Err(error(std::io::ErrorKind::UnexpectedEof.into())),
            count => answer.extend_from_slice(&piece[..count]),
        }
    }
}
