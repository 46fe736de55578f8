//! Small texts inside a topology: `s1:1` and `h1:9770`.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::TopologyError;

/// A port of a switch, as text `s1:1`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct SwitchPort {
    /// The name of the switch.
    pub switch: String,
    /// The number of the port.
    pub port: u16,
}

/// A member of a group, as text `h1:9770`, or `h1` for UDP port 9770.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Member {
    /// The name of its host.
    pub host: String,
    /// Where it listens.
    pub udp_port: u16,
}

impl FromStr for SwitchPort {
    type Err = TopologyError;

    fn from_str(text: &str) -> Result<Self, TopologyError> {
        let malformed = || TopologyError::Malformed {
            what: "port of a switch",
            found: text.to_owned(),
            valid: "switch:port such as s1:1",
        };
        let (switch, port) = text.split_once(':').ok_or_else(malformed)?;
        Ok(Self {
            switch: switch.to_owned(),
            port: number(port).ok_or_else(malformed)?,
        })
    }
}

impl FromStr for Member {
    type Err = TopologyError;

    fn from_str(text: &str) -> Result<Self, TopologyError> {
        let malformed = || TopologyError::Malformed {
            what: "member of a group",
            found: text.to_owned(),
            valid: "host:port such as h1:9770",
        };
        let Some((host, port)) = text.split_once(':') else {
            return Ok(Self {
                host: text.to_owned(),
                udp_port: wire::STAMP_PORT,
            });
        };
        Ok(Self {
            host: host.to_owned(),
            udp_port: number(port).ok_or_else(malformed)?,
        })
    }
}

impl fmt::Display for SwitchPort {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}:{}", self.switch, self.port)
    }
}

impl fmt::Display for Member {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}:{}", self.host, self.udp_port)
    }
}

macro_rules! as_text {
    ($($name:ident),*) => {$(
        impl TryFrom<String> for $name {
            type Error = TopologyError;

            fn try_from(text: String) -> Result<Self, TopologyError> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(value: $name) -> Self {
                value.to_string()
            }
        }
    )*};
}
as_text!(SwitchPort, Member);

/// Digits only: no sign, which the standard parser would take.
pub(super) fn number(text: &str) -> Option<u16> {
    text.bytes()
        .all(|byte| byte.is_ascii_digit())
        .then(|| text.parse().ok())?
}
