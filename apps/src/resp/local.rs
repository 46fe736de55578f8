//! Commands that a connection answers itself: they are about the connection or this process, not
//! about the replicated state.

use super::info::{self, Shared};
use super::render::{Protocol, Renderer};
use crate::kv::{self, Description, Failure, printable};
use std::net::SocketAddr;

/// Longest name a connection can give itself, in bytes.
const MAX_NAME: usize = 64;

const NO_PASSWORD: &str = "ERR AUTH: no password is set, and none can be; connect without one";

/// What a connection knows about itself.
#[derive(Clone, Debug)]
pub(super) struct Session {
    /// The protocol its replies are in.
    pub protocol: Protocol,
    id: u64,
    peer: SocketAddr,
    name: Vec<u8>,
}

/// What is to happen after a local reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// The next command.
    Continue,
    /// The end of the connection.
    Close,
}

const fn about(
    name: &'static str,
    arity: i8,
    group: &'static str,
    summary: &'static str,
) -> Description {
    Description {
        name,
        arity,
        is_write: false,
        keys: (0, 0, 0),
        group,
        summary,
    }
}

/// Commands the front answers itself, sorted by name. PING, ECHO and SELECT are in the other
/// table, as they may stand in transactions.
pub const LOCAL: &[Description] = &[
    about("auth", -2, "connection", "Refused: there are no passwords"),
    about(
        "client",
        -2,
        "connection",
        "Names and shows this connection",
    ),
    about("command", -1, "server", "Describes the commands"),
    about("config", -2, "server", "Reads settings"),
    about("discard", 1, "transactions", "Forgets the queued commands"),
    about(
        "exec",
        1,
        "transactions",
        "Executes the queued commands as one",
    ),
    about("hello", -1, "connection", "Chooses the protocol version"),
    about("info", -1, "server", "Facts about this server"),
    about("multi", 1, "transactions", "Starts queueing commands"),
    about("quit", -1, "connection", "Closes the connection"),
    about(
        "reset",
        1,
        "connection",
        "Puts the connection back to its beginning",
    ),
];

/// The description of a local command, if the name is one and the arguments fit.
pub(super) fn find(arguments: &[&[u8]]) -> Option<Result<&'static Description, Failure>> {
    let name = arguments.first()?;
    let about = LOCAL
        .iter()
        .find(|about| name.eq_ignore_ascii_case(about.name.as_bytes()))?;
    Some(if about.accepts(arguments.len()) {
        Ok(about)
    } else {
        Err(Failure::arity(about.name))
    })
}

impl Session {
    /// A connection that has said nothing yet.
    pub(super) fn new(id: u64, peer: SocketAddr) -> Self {
        Self {
            protocol: Protocol::Resp2,
            id,
            peer,
            name: Vec::new(),
        }
    }

    /// Answers a local command other than the transaction ones, or PING, ECHO or SELECT.
    pub(super) fn answer(
        &mut self,
        shared: &Shared,
        name: &str,
        arguments: &[&[u8]],
        out: &mut Vec<u8>,
    ) -> Next {
        let mut to = Renderer::new(out, self.protocol);
        match (name, arguments) {
            ("ping", [_]) => to.text(b"PONG"),
            ("ping" | "echo", [_, argument]) => to.bulk(argument),
            ("ping", _) => to.error(Failure::arity("ping").text()),
            ("select", [_, b"0"]) => to.text(b"OK"),
            ("select", _) => to.error(Failure::DATABASE_RANGE.text()),
            ("hello", _) => self.hello(arguments, out),
            ("client", _) => self.client(arguments, out),
            ("command", _) => command(arguments, &mut to),
            ("config", _) => config(shared, arguments, &mut to),
            ("info", _) => to.bulk(info::text(shared, &arguments[1..]).as_bytes()),
            ("quit", _) => {
                to.text(b"OK");
                return Next::Close;
            }
            ("reset", _) => {
                to.text(b"RESET");
                *self = Self::new(self.id, self.peer);
            }
            _ => to.error(NO_PASSWORD),
        }
        Next::Continue
    }

    fn hello(&mut self, arguments: &[&[u8]], out: &mut Vec<u8>) {
        match self.hello_options(arguments) {
            Ok((protocol, name)) => {
                self.protocol = protocol;
                if let Some(name) = name {
                    self.name = name;
                }
                self.describe_server(&mut Renderer::new(out, protocol));
            }
            Err(text) => Renderer::new(out, self.protocol).error(&text),
        }
    }

    fn hello_options(&self, arguments: &[&[u8]]) -> Result<(Protocol, Option<Vec<u8>>), String> {
        let protocol = match arguments.get(1).copied() {
            None => self.protocol,
            Some(b"2") => Protocol::Resp2,
            Some(b"3") => Protocol::Resp3,
            Some(_) => return Err("NOPROTO unsupported protocol version: 2 or 3".to_owned()),
        };
        let mut words = arguments.iter().skip(2);
        let mut name = None;
        while let Some(word) = words.next() {
            if word.eq_ignore_ascii_case(b"AUTH") {
                return Err(NO_PASSWORD.to_owned());
            }
            match words.next() {
                Some(value) if word.eq_ignore_ascii_case(b"SETNAME") => {
                    name = Some(checked_name(value)?);
                }
                _ => {
                    let word = printable(word);
                    return Err(format!("ERR syntax error in HELLO option '{word}'"));
                }
            }
        }
        Ok((protocol, name))
    }

    fn describe_server(&self, to: &mut Renderer<'_>) {
        to.map(7);
        to.bulk(b"server");
        to.bulk(b"downbeat");
        to.bulk(b"version");
        to.bulk(info::VERSION.as_bytes());
        to.bulk(b"proto");
        to.integer(if self.protocol == Protocol::Resp3 {
            3
        } else {
            2
        });
        to.bulk(b"id");
        to.integer(i64::try_from(self.id).unwrap_or(i64::MAX));
        to.bulk(b"mode");
        to.bulk(b"standalone");
        to.bulk(b"role");
        to.bulk(b"master");
        to.bulk(b"modules");
        to.array(0);
    }

    fn client(&mut self, arguments: &[&[u8]], out: &mut Vec<u8>) {
        let mut to = Renderer::new(out, self.protocol);
        let word = arguments[1].to_ascii_uppercase();
        match (&word[..], &arguments[2..]) {
            (b"ID", []) => to.integer(i64::try_from(self.id).unwrap_or(i64::MAX)),
            (b"GETNAME", []) if self.name.is_empty() => to.null(),
            (b"GETNAME", []) => to.bulk(&self.name),
            (b"SETNAME", [name]) => match checked_name(name) {
                Ok(name) => {
                    self.name = name;
                    to.text(b"OK");
                }
                Err(text) => to.error(&text),
            },
            (b"SETINFO", [_, value]) => match checked_name(value) {
                Ok(_) => to.text(b"OK"),
                Err(text) => to.error(&text),
            },
            (b"LIST" | b"INFO", []) => {
                let protocol = if self.protocol == Protocol::Resp3 {
                    3
                } else {
                    2
                };
                let (id, peer, name) = (self.id, self.peer, printable(&self.name));
                to.bulk(format!("id={id} addr={peer} name={name} resp={protocol}\n").as_bytes());
            }
            _ => to.error(&unknown_subcommand("CLIENT", arguments[1])),
        }
    }
}

fn checked_name(name: &[u8]) -> Result<Vec<u8>, String> {
    if name.len() > MAX_NAME {
        return Err(format!(
            "ERR name of {} bytes is over the limit of {MAX_NAME}",
            name.len()
        ));
    }
    if name.iter().all(u8::is_ascii_graphic) {
        Ok(name.to_vec())
    } else {
        Err("ERR Client names cannot contain spaces, newlines or special characters.".to_owned())
    }
}

fn unknown_subcommand(command: &str, word: &[u8]) -> String {
    let word = printable(word);
    format!("ERR unknown subcommand or wrong number of arguments for '{command} {word}'")
}

fn config(shared: &Shared, arguments: &[&[u8]], to: &mut Renderer<'_>) {
    let word = arguments[1];
    if !word.eq_ignore_ascii_case(b"GET") || arguments.len() < 3 {
        return to.error(&unknown_subcommand("CONFIG", word));
    }
    let settings = info::settings(shared);
    let asked = |name: &str| {
        let name = name.as_bytes();
        arguments[2..]
            .iter()
            .any(|pattern| kv::glob_matches(&pattern.to_ascii_lowercase(), name))
    };
    let found: Vec<_> = settings.iter().filter(|(name, _)| asked(name)).collect();
    to.map(found.len());
    for (name, value) in found {
        to.bulk(name.as_bytes());
        to.bulk(value.as_bytes());
    }
}

fn all_commands() -> impl Iterator<Item = &'static Description> {
    kv::descriptions().chain(LOCAL)
}

fn named(name: &[u8]) -> Option<&'static Description> {
    all_commands().find(|about| name.eq_ignore_ascii_case(about.name.as_bytes()))
}

fn command(arguments: &[&[u8]], to: &mut Renderer<'_>) {
    let Some(word) = arguments.get(1) else {
        to.array(all_commands().count());
        all_commands().for_each(|about| describe(about, to));
        return;
    };
    match (&word.to_ascii_uppercase()[..], &arguments[2..]) {
        (b"COUNT", []) => to.integer(i64::try_from(all_commands().count()).unwrap_or(i64::MAX)),
        (b"LIST", []) => {
            to.array(all_commands().count());
            all_commands().for_each(|about| to.bulk(about.name.as_bytes()));
        }
        (b"INFO", names) => {
            to.array(names.len());
            for name in names {
                match named(name) {
                    Some(about) => describe(about, to),
                    None => to.null_array(),
                }
            }
        }
        (b"DOCS", []) => {
            to.map(all_commands().count());
            all_commands().for_each(|about| document(about, to));
        }
        (b"DOCS", names) => {
            let found: Vec<_> = names.iter().filter_map(|name| named(name)).collect();
            to.map(found.len());
            for about in found {
                document(about, to);
            }
        }
        _ => to.error(&unknown_subcommand("COMMAND", word)),
    }
}

/// The six fields that every version of Redis has in COMMAND INFO.
fn describe(about: &Description, to: &mut Renderer<'_>) {
    let (first, last, step) = about.keys;
    to.array(6);
    to.bulk(about.name.as_bytes());
    to.integer(i64::from(about.arity));
    to.set(1);
    to.text(if about.is_write {
        b"write"
    } else {
        b"readonly"
    });
    to.integer(i64::from(first));
    to.integer(i64::from(last));
    to.integer(i64::from(step));
}

fn document(about: &Description, to: &mut Renderer<'_>) {
    to.bulk(about.name.as_bytes());
    to.map(3);
    to.bulk(b"summary");
    to.bulk(about.summary.as_bytes());
    to.bulk(b"since");
    to.bulk(info::VERSION.as_bytes());
    to.bulk(b"group");
    to.bulk(about.group.as_bytes());
}
