//! The front, byte by byte: order, limits, transactions, failures.
#![allow(
    clippy::unwrap_used,
    reason = "an unwrap that fails is a test that fails"
)]
#![cfg(feature = "front")]

mod common;

use apps::resp::SubmitError;
use common::{Front, OPERATION_LIMIT};
use std::fmt::Write as _;
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

const DEADLINE: Duration = Duration::from_secs(20);

struct Client(TcpStream);

impl Client {
    async fn connect(front: &Front) -> Self {
        Self(TcpStream::connect(front.address).await.unwrap())
    }

    async fn send(&mut self, bytes: &[u8]) {
        self.0.write_all(bytes).await.unwrap();
    }

    async fn expect(&mut self, expected: &str) {
        let mut bytes = vec![0; expected.len()];
        let read = timeout(DEADLINE, self.0.read_exact(&mut bytes)).await;
        let read = read.unwrap_or_else(|_| panic!("no reply; wanted {expected:?}"));
        let text = String::from_utf8_lossy(&bytes);
        assert!(read.is_ok(), "closed; wanted {expected:?}, got {text:?}");
        assert_eq!(text, expected);
    }

    async fn ask(&mut self, request: &str, expected: &str) {
        self.send(request.as_bytes()).await;
        self.expect(expected).await;
    }

    /// The rest up to the end of the stream.
    async fn rest(mut self) -> String {
        let mut bytes = Vec::new();
        timeout(DEADLINE, self.0.read_to_end(&mut bytes))
            .await
            .unwrap()
            .unwrap();
        String::from_utf8(bytes).unwrap()
    }
}

fn array(arguments: &[&str]) -> String {
    let mut out = format!("*{}\r\n", arguments.len());
    for argument in arguments {
        let _ = write!(out, "${}\r\n{argument}\r\n", argument.len());
    }
    out
}

#[tokio::test]
async fn a_burst_is_answered_in_order_and_goes_as_one_request() {
    let front = Front::start(10).await;
    let mut client = Client::connect(&front).await;
    client
        .ask(
            "SET a 1\r\nPING\r\nGET a\r\nECHO x\r\nHSET h f v\r\nHGETALL h\r\nGET none\r\n\
             HELLO 3 SETNAME me\r\nHGETALL h\r\nGET none\r\nSMEMBERS none\r\nCLIENT GETNAME\r\n",
            "+OK\r\n+PONG\r\n$1\r\n1\r\n$1\r\nx\r\n:1\r\n*2\r\n$1\r\nf\r\n$1\r\nv\r\n$-1\r\n\
             %7\r\n$6\r\nserver\r\n$8\r\ndownbeat\r\n$7\r\nversion\r\n$5\r\n0.1.0\r\n\
             $5\r\nproto\r\n:3\r\n$2\r\nid\r\n:1\r\n$4\r\nmode\r\n\
             $10\r\nstandalone\r\n$4\r\nrole\r\n$6\r\nmaster\r\n$7\r\nmodules\r\n*0\r\n\
             %1\r\n$1\r\nf\r\n$1\r\nv\r\n_\r\n~0\r\n$2\r\nme\r\n",
        )
        .await;
    assert_eq!(front.submit.with(|state| state.operations.clone()), [8]);
    front.close().await;
}

#[tokio::test]
async fn a_bare_length_over_the_limit_is_refused_at_once() {
    let front = Front::start(10).await;
    let cases = [
        (
            "*1000000000",
            "-ERR Protocol error: invalid multibulk length",
        ),
        (
            "*1\r\n$1000000000\r\n",
            "-ERR Protocol error: invalid bulk length",
        ),
        ("*1\r\n:5\r\n", "-ERR Protocol error: expected '$', got ':'"),
        (
            "GET \"a\r\n",
            "-ERR Protocol error: unbalanced quotes in request",
        ),
    ];
    for (request, expected) in cases {
        let mut client = Client::connect(&front).await;
        client.ask("SET a 1\r\n", "+OK\r\n").await;
        client.send(request.as_bytes()).await;
        let rest = client.rest().await;
        assert!(rest.starts_with(expected), "{request:?}: {rest:?}");
        assert!(
            rest.ends_with("\r\n") && rest.matches("\r\n").count() == 1,
            "{rest:?}"
        );
    }
    front.close().await;
}

#[tokio::test(start_paused = true)]
async fn a_command_that_does_not_end_is_given_up() {
    let front = Front::start(10).await;
    let mut client = Client::connect(&front).await;
    client.send(b"*2\r\n$3\r\nGET\r\n").await;
    // The paused clock runs on by itself once nothing but the deadline can happen.
    let mut bytes = Vec::new();
    client.0.read_to_end(&mut bytes).await.unwrap();
    let expected = "-ERR Protocol error: the command was not complete within 30 s\r\n";
    assert_eq!(String::from_utf8(bytes).unwrap(), expected);
}

#[tokio::test]
async fn a_command_may_come_byte_by_byte() {
    let front = Front::start(10).await;
    let mut client = Client::connect(&front).await;
    client.0.set_nodelay(true).unwrap();
    for byte in (array(&["SET", "a", "x\r\ny"]) + &array(&["GET", "a"])).bytes() {
        client.send(&[byte]).await;
    }
    client.expect("+OK\r\n$4\r\nx\r\ny\r\n").await;
    front.close().await;
}

#[tokio::test]
async fn a_command_over_the_request_limit_is_named_with_both_sizes() {
    let front = Front::start(10).await;
    let mut client = Client::connect(&front).await;
    let value = "x".repeat(OPERATION_LIMIT);
    // Version and count 3, unit 1, arguments 1, lengths 1 + 1 + 2.
    let size = 3 + 1 + 1 + (1 + 3) + (1 + 1) + (2 + value.len());
    let request = array(&["SET", "a", &value]) + &array(&["PING"]);
    let expected = format!(
        "-ERR command of {size} bytes is over the limit of {OPERATION_LIMIT} bytes for one request\
         \r\n+PONG\r\n"
    );
    client.ask(&request, &expected).await;
    let largest = "x".repeat(value.len() - (size - OPERATION_LIMIT));
    client.ask(&array(&["SET", "a", &largest]), "+OK\r\n").await;
    front.close().await;
}

#[tokio::test]
async fn replies_that_do_not_fit_one_message_come_in_several() {
    let front = Front::start(10).await;
    let mut client = Client::connect(&front).await;
    let value = "x".repeat(500);
    client.ask(&array(&["SET", "a", &value]), "+OK\r\n").await;
    let request = "INCR n\r\nGET a\r\nPING\r\n".repeat(20);
    let expected = (1..=20).fold(String::new(), |all, n| {
        all + &format!(":{n}\r\n$500\r\n{value}\r\n+PONG\r\n")
    });
    client.ask(&request, &expected).await;
    let operations = front.submit.with(|state| state.operations.len());
    assert!(operations > 10, "{operations}");
    front.close().await;
}

#[tokio::test]
async fn a_burst_of_many_commands_is_answered_whole() {
    let front = Front::start(10).await;
    let mut client = Client::connect(&front).await;
    let expected = (1..=5_000).fold(String::new(), |all, n| all + &format!(":{n}\r\n"));
    client.ask(&"INCR n\r\n".repeat(5_000), &expected).await;
    let (operations, most) = front.submit.with(|state| {
        (
            state.operations.len(),
            state.operations.iter().copied().max(),
        )
    });
    assert!(operations < 200 && most > Some(80), "{operations} {most:?}");
    front.close().await;
}

#[tokio::test]
async fn transactions() {
    let front = Front::start(10).await;
    let mut client = Client::connect(&front).await;
    client.ask("EXEC\r\n", "-ERR EXEC without MULTI\r\n").await;
    client
        .ask("DISCARD\r\n", "-ERR DISCARD without MULTI\r\n")
        .await;
    client.ask("MULTI\r\nEXEC\r\n", "+OK\r\n*0\r\n").await;
    client
        .ask(
            "MULTI\r\nSET a 1\r\nMULTI\r\nPING\r\nLPUSH a x\r\nINCR a\r\nEXEC\r\n",
            "+OK\r\n+QUEUED\r\n-ERR MULTI calls can not be nested\r\n\
             +QUEUED\r\n+QUEUED\r\n+QUEUED\r\n\
             *4\r\n+OK\r\n+PONG\r\n\
             -WRONGTYPE Operation against a key holding the wrong kind of value\r\n:2\r\n",
        )
        .await;
    let abort = "-EXECABORT Transaction discarded because of previous errors.\r\n";
    client
        .ask(
            "MULTI\r\nINCR a\r\nINFO\r\nEXEC\r\n",
            &format!("+OK\r\n+QUEUED\r\n-ERR INFO is not supported inside MULTI\r\n{abort}"),
        )
        .await;
    client
        .ask(
            "MULTI\r\nINCR a\r\nGET\r\nEXEC\r\n",
            &format!(
                "+OK\r\n+QUEUED\r\n-ERR wrong number of arguments for 'get' command\r\n{abort}"
            ),
        )
        .await;
    client
        .ask(
            "MULTI\r\nINCR a\r\nDISCARD\r\nGET a\r\n",
            "+OK\r\n+QUEUED\r\n+OK\r\n$1\r\n2\r\n",
        )
        .await;
    client.send(b"WATCH a\r\n").await;
    client.expect("-ERR WATCH is not supported").await;
    front.close().await;
}

#[tokio::test]
async fn a_transaction_over_the_request_limit_is_discarded() {
    let front = Front::start(10).await;
    let mut client = Client::connect(&front).await;
    client.ask("MULTI\r\n", "+OK\r\n").await;
    let command = array(&["SET", "a", &"x".repeat(800)]);
    client.ask(&command, "+QUEUED\r\n").await;
    client
        .ask(
            &command,
            "-ERR transaction of 1627 bytes is over the limit of 1300 bytes",
        )
        .await;
    client
        .ask("EXEC\r\nGET a\r\n", " for one request\r\n-EXECABORT")
        .await;
    client
        .ask(
            "",
            " Transaction discarded because of previous errors.\r\n$-1\r\n",
        )
        .await;
    front.close().await;
}

#[tokio::test]
async fn an_unknown_outcome_stops_the_burst_and_not_the_connection() {
    let front = Front::start(10).await;
    let mut client = Client::connect(&front).await;
    let failure = SubmitError::Unavailable("no quorum within 2 s".to_owned());
    front.submit.with(|state| state.failure = Some(failure));
    let big = array(&["SET", "a", &"x".repeat(1_000)]);
    client
        .ask(
            &format!("{big}PING\r\n{big}"),
            "-UNAVAILABLE outcome unknown: no quorum within 2 s\r\n+PONG\r\n\
             -UNAVAILABLE not sent: the outcome of an earlier command is unknown\r\n",
        )
        .await;
    client.ask("GET a\r\n", "$-1\r\n").await;
    let failure = SubmitError::NotExecuted("the group is full".to_owned());
    front.submit.with(|state| state.failure = Some(failure));
    client
        .ask(
            &format!("{big}PING\r\n{big}"),
            "-TRYAGAIN not executed: the group is full\r\n+PONG\r\n+OK\r\n",
        )
        .await;
    front.close().await;
}

#[tokio::test]
async fn connections_over_the_bound_are_turned_away() {
    let front = Front::start(1).await;
    let mut first = Client::connect(&front).await;
    first.ask("PING\r\n", "+PONG\r\n").await;
    let second = Client::connect(&front).await;
    assert_eq!(
        second.rest().await,
        "-ERR max number of clients reached\r\n"
    );
    first.ask("QUIT\r\n", "+OK\r\n").await;
    assert_eq!(first.rest().await, "");
    // The place is free once the front has seen the connection end.
    let again = async {
        loop {
            let mut client = Client::connect(&front).await;
            let mut byte = [0];
            let _ = client.0.write_all(b"PING\r\n").await;
            if matches!(client.0.read(&mut byte).await, Ok(1)) && byte == *b"+" {
                return;
            }
        }
    };
    timeout(DEADLINE, again).await.unwrap();
    front.close().await;
}

#[tokio::test]
async fn a_closing_front_finishes_and_lets_go() {
    let front = Front::start(10).await;
    let mut client = Client::connect(&front).await;
    client.ask("PING\r\n", "+PONG\r\n").await;
    front.close().await;
    assert_eq!(client.rest().await, "");
}

#[tokio::test]
async fn what_needs_agreed_time_says_so_without_it() {
    let front = Front::start(10).await;
    front.submit.with(|state| state.has_stamps = false);
    let mut client = Client::connect(&front).await;
    client
        .ask("SET a 1\r\nEXPIRE a 5\r\n", "+OK\r\n-ERR no agreed time")
        .await;
    front.close().await;
}

#[tokio::test]
async fn connections_know_themselves() {
    let front = Front::start(10).await;
    let mut client = Client::connect(&front).await;
    client
        .ask("CLIENT ID\r\nCLIENT GETNAME\r\n", ":1\r\n$-1\r\n")
        .await;
    client
        .ask(
            "CLIENT SETNAME me\r\nCLIENT GETNAME\r\n",
            "+OK\r\n$2\r\nme\r\n",
        )
        .await;
    client
        .ask("CLIENT SETINFO LIB-NAME lib\r\n", "+OK\r\n")
        .await;
    client
        .ask(
            "client kill x\r\n",
            "-ERR unknown subcommand or wrong number of",
        )
        .await;
    client.ask("", " arguments for 'CLIENT kill'\r\n").await;
    client
        .ask(
            "SELECT 0\r\nSELECT 1\r\n",
            "+OK\r\n-ERR DB index is out of range",
        )
        .await;
    client.ask("", ": there is only database 0\r\n").await;
    client
        .ask(
            "AUTH x\r\n",
            "-ERR AUTH: no password is set, and none can be; connect",
        )
        .await;
    client
        .ask(
            "HELLO 4\r\n",
            " without one\r\n-NOPROTO unsupported protocol version",
        )
        .await;
    client
        .ask(
            "RESET\r\nCLIENT GETNAME\r\n",
            ": 2 or 3\r\n+RESET\r\n$-1\r\n",
        )
        .await;
    front.close().await;
}

#[tokio::test]
async fn tools_find_what_they_look_for() {
    let front = Front::start(10).await;
    let mut client = Client::connect(&front).await;
    client
        .ask(
            "CONFIG GET save appendonly\r\nCONFIG GET max*s\r\n",
            "*4\r\n$10\r\nappendonly\r\n$2\r\nno\r\n$4\r\nsave\r\n$0\r\n\r\n\
             *2\r\n$10\r\nmaxclients\r\n$2\r\n10\r\n",
        )
        .await;
    client
        .ask(
            "INFO replication\r\n",
            "$43\r\n# Replication\r\nrole:master\r\nprotocol:test\r\n\r\n",
        )
        .await;
    client
        .ask(
            "COMMAND INFO get nosuch\r\n",
            "*2\r\n*6\r\n$3\r\nget\r\n:2\r\n*1\r\n+readonly\r\n:1\r\n:1\r\n:1\r\n*-1\r\n",
        )
        .await;
    client
        .ask(
            "\r\n*0\r\nFOO a b\r\n",
            "-ERR unknown command 'FOO', with args beginning with: 'a' 'b' \r\n",
        )
        .await;
    client.ask("QUIT\r\nPING\r\n", "+OK\r\n").await;
    assert_eq!(client.rest().await, "");
    front.close().await;
}
