//! Where a switch is and how long to wait for it.

use std::time::Duration;

/// Where a switch is and how long to wait for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConnectOptions {
    /// Host and port, such as `127.0.0.1:9559`.
    pub address: String,
    /// The number of the switch at that server, from 1.
    pub device_id: u64,
    /// How long to go on trying to connect.
    pub connect_deadline: Duration,
    /// How long to wait between two tries.
    pub retry_pause: Duration,
    /// How long one call may take.
    pub request_timeout: Duration,
    /// How long loading a program may take.
    pub pipeline_timeout: Duration,
    /// How often to ask over HTTP/2 whether the switch is still there; none means never.
    ///
    /// Only for servers that allow it, such as ours: one built on the C++ library of gRPC, such as
    /// `simple_switch_grpc`, ends the connection when asked more than once in five minutes. A
    /// switch whose process ends is noticed either way.
    pub keep_alive: Option<Duration>,
}

impl ConnectOptions {
    /// The defaults: 5 s to connect, tried every 20 ms; 5 s a call, 30 s to load a program.
    pub fn new(address: impl Into<String>, device_id: u64) -> Self {
        Self {
            address: address.into(),
            device_id,
            connect_deadline: Duration::from_secs(5),
            retry_pause: Duration::from_millis(20),
            request_timeout: Duration::from_secs(5),
            pipeline_timeout: Duration::from_secs(30),
            keep_alive: None,
        }
    }
}
