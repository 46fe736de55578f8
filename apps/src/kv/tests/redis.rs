//! The same random commands to this store and to a real `redis-server`: the replies must agree,
//! but for the order of unordered things.
//!
//! Left out: what depends on the time of day, what only this store has, and DBSIZE, which in Redis
//! counts keys that are due but not yet removed.

use super::*;
use redis_protocol::resp2::decode::decode;
use redis_protocol::resp2::types::OwnedFrame;
use std::io::{Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

const COMMANDS: usize = 20_000;
/// The server must be up, and answer, within this time.
const DEADLINE: Duration = Duration::from_secs(20);
/// Microseconds of Unix time in 2026: a constant, as no deadline here is near it.
const NOW_US: u64 = 1_780_000_000_000_000;

/// Deadlines far from now on both sides; D stands for one in seconds, M in milliseconds.
const WITH_DEADLINES: &[&str] = &[
    "expireat K D",
    "expireat K D NX",
    "expireat K D XX",
    "expireat K D GT",
    "expireat K D LT",
    "pexpireat K M",
    "set K V EXAT D",
    "set K V PXAT M",
    "getex K EXAT D",
    "expiretime K",
    "pexpiretime K",
];

/// A process that ends with the test.
struct Server {
    process: Child,
    stream: UnixStream,
    _directory: tempfile::TempDir,
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Server {
    fn start() -> Option<Self> {
        let directory = tempfile::tempdir().unwrap();
        let socket = directory.path().join("socket");
        let spawned = Command::new("redis-server")
            .args([
                "--port",
                "0",
                "--save",
                "",
                "--appendonly",
                "no",
                "--unixsocket",
            ])
            .arg(&socket)
            .current_dir(directory.path())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        let Ok(process) = spawned else {
            let mut stderr = std::io::stderr();
            let _ = writeln!(
                stderr,
                "skip: redis-server: install the redis-server package"
            );
            return None;
        };
        let start = Instant::now();
        let stream = loop {
            match UnixStream::connect(&socket) {
                Ok(stream) => break stream,
                Err(why) => assert!(start.elapsed() < DEADLINE, "redis-server: {why}"),
            }
            std::thread::yield_now();
        };
        stream.set_read_timeout(Some(DEADLINE)).unwrap();
        Some(Self {
            process,
            stream,
            _directory: directory,
        })
    }

    fn ask(&mut self, command: &[Vec<u8>]) -> OwnedFrame {
        let mut request = format!("*{}\r\n", command.len()).into_bytes();
        for argument in command {
            request.extend_from_slice(format!("${}\r\n", argument.len()).as_bytes());
            request.extend_from_slice(argument);
            request.extend_from_slice(b"\r\n");
        }
        self.stream.write_all(&request).unwrap();
        let mut reply = Vec::new();
        let mut chunk = [0; 4_096];
        loop {
            let count = self.stream.read(&mut chunk).unwrap();
            assert!(count > 0, "redis-server closed the connection");
            reply.extend_from_slice(&chunk[..count]);
            if let Some((frame, used)) = decode(&reply).unwrap() {
                assert_eq!(used, reply.len());
                return frame;
            }
        }
    }
}

/// A small generator with a printed seed; good enough to pick words.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % bound as u64).unwrap()
    }

    fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len())]
    }

    fn command(&mut self, templates: &[&str]) -> Vec<Vec<u8>> {
        let template = self.pick(templates);
        let fill = |word: &str| match word {
            "K" => self.pick(&["a", "b", "c", "d"]),
            "V" => self.pick(&["", "x", "y", "7", "-3", "9223372036854775807", "longer"]),
            "F" => self.pick(&["f", "g", "h", "i"]),
            "I" => self.pick(&["0", "1", "2", "-1", "-2", "5", "-9", "x", "01"]),
            "P" => self.pick(&["*", "[a-c]", "?", "z", "[^a]", "\\a"]),
            "D" => self.pick(&["1", "0", "-5", "4000000000", "5000000000", "x"]),
            "M" => self.pick(&["1", "4000000000123", "5000000000001"]),
            other => template
                .split(' ')
                .find(|word| *word == other)
                .unwrap_or_default(),
        };
        template
            .split(' ')
            .map(fill)
            .map(|word| word.as_bytes().to_vec())
            .collect()
    }
}

/// Both kinds of replies in one form.
fn from_redis(frame: OwnedFrame) -> Value {
    match frame {
        OwnedFrame::SimpleString(text) if text == b"OK" => Value::Ok,
        OwnedFrame::SimpleString(text) => Value::Text(text),
        OwnedFrame::Error(text) => Value::Error(text),
        OwnedFrame::Integer(number) => Value::Integer(number),
        OwnedFrame::BulkString(bytes) => Value::Bulk(bytes),
        OwnedFrame::Array(frames) => Value::Array(frames.into_iter().map(from_redis).collect()),
        OwnedFrame::Null => Value::Null,
    }
}

fn flat(value: Value) -> Value {
    match value {
        Value::Set(values) => Value::Array(values),
        Value::Map(pairs) => Value::Array(
            pairs
                .into_iter()
                .flat_map(|(key, value)| [key, value])
                .collect(),
        ),
        other => other,
    }
}

fn ordered(name: &[u8], value: Value) -> Value {
    let Value::Array(mut values) = value else {
        return value;
    };
    match name {
        b"smembers" | b"sinter" | b"sunion" | b"sdiff" | b"hkeys" | b"hvals" | b"keys" => {
            values.sort_by_key(show);
        }
        b"hgetall" => {
            let mut pairs: Vec<_> = values.chunks(2).map(<[Value]>::to_vec).collect();
            pairs.sort_by_key(|pair| show(&pair[0]));
            values = pairs.concat();
        }
        _ => {}
    }
    Value::Array(values)
}

#[test]
fn replies_agree_with_redis() {
    let Some(mut server) = Server::start() else {
        return;
    };
    let depends_on_time = |template: &&&str| {
        let words: Vec<&str> = template.split(' ').collect();
        let timed = ["T", "A", "GT", "IFEQ"]
            .iter()
            .any(|word| words.contains(word));
        timed || matches!(words[0], "time" | "ttl" | "pttl" | "dbsize")
    };
    let mut templates: Vec<&str> = undo::TEMPLATES
        .iter()
        .filter(|template| !depends_on_time(template))
        .copied()
        .collect();
    templates.extend(WITH_DEADLINES);
    let seed = 0x9e37_79b9_7f4a_7c15;
    let mut random = Random(seed);
    let mut kv = Kv::with_reply_limit(1 << 20).unwrap();
    for step in 0..COMMANDS {
        let command = random.command(&templates);
        let theirs = ordered(&command[0], from_redis(server.ask(&command)));
        let mut values = run(&mut kv, at_us(NOW_US), &encode::command(&command));
        let ours = ordered(&command[0], flat(values.remove(0)));
        let line: Vec<_> = command
            .iter()
            .map(|word| String::from_utf8_lossy(word))
            .collect();
        assert_eq!(
            show(&ours),
            show(&theirs),
            "seed {seed:#x} step {step}: {}",
            line.join(" ")
        );
    }
}
