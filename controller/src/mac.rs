//! An Ethernet address, as text `02:00:0a:00:00:01`.

use std::fmt;
use std::str::FromStr;

use p4runtime::table::FieldValue;
use serde::{Deserialize, Serialize};

use crate::topology::TopologyError;

/// An Ethernet address, in the order of the wire.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(try_from = "String", into = "String")]
pub struct MacAddress(pub [u8; 6]);

impl MacAddress {
    /// Whether it stands for one interface: not a group's, not all zeros.
    pub fn is_unicast(self) -> bool {
        self.0[0] & 1 == 0 && self.0 != [0; 6]
    }
}

impl fmt::Display for MacAddress {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, byte) in self.0.iter().enumerate() {
            let colon = if index == 0 { "" } else { ":" };
            write!(formatter, "{colon}{byte:02x}")?;
        }
        Ok(())
    }
}

impl FromStr for MacAddress {
    type Err = TopologyError;

    fn from_str(text: &str) -> Result<Self, TopologyError> {
        let malformed = || TopologyError::Malformed {
            what: "MAC address",
            found: text.to_owned(),
            valid: "six pairs of hexadecimal digits such as 02:00:0a:00:00:01",
        };
        let mut bytes = [0; 6];
        let mut pairs = text.split(':');
        for byte in &mut bytes {
            let pair = pairs
                .next()
                .filter(|pair| pair.len() == 2)
                .ok_or_else(malformed)?;
            if !pair.bytes().all(|digit| digit.is_ascii_hexdigit()) {
                return Err(malformed());
            }
            *byte = u8::from_str_radix(pair, 16).map_err(|_| malformed())?;
        }
        match pairs.next() {
            None => Ok(Self(bytes)),
            Some(_) => Err(malformed()),
        }
    }
}

impl TryFrom<String> for MacAddress {
    type Error = TopologyError;

    fn try_from(text: String) -> Result<Self, TopologyError> {
        text.parse()
    }
}

impl From<MacAddress> for String {
    fn from(address: MacAddress) -> Self {
        address.to_string()
    }
}

impl FieldValue for MacAddress {
    const BITS: u32 = 48;

    fn to_bits(self) -> u128 {
        self.0.to_bits()
    }

    fn from_bits(bits: u128) -> Option<Self> {
        <[u8; 6]>::from_bits(bits).map(Self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn text_goes_both_ways(bytes: [u8; 6]) {
            let address = MacAddress(bytes);
            prop_assert_eq!(address.to_string().parse::<MacAddress>().expect("own text"), address);
            prop_assert_eq!(MacAddress::from_bits(address.to_bits()), Some(address));
        }

        #[test]
        fn any_text_is_read_or_refused(text in "[0-9a-fA-F:+ ]{0,20}") {
            if let Ok(address) = text.parse::<MacAddress>() {
                prop_assert_eq!(address.to_string(), text.to_lowercase());
            }
        }
    }

    #[test]
    fn a_wrong_address_is_refused_with_a_valid_one() {
        for wrong in [
            "",
            "02:00",
            "02:00:0a:00:00:01:02",
            "02:00:0a:00:00:+1",
            "2:0:a:0:0:1",
        ] {
            let error = wrong.parse::<MacAddress>().expect_err("no address");
            assert!(error.to_string().contains("02:00:0a:00:00:01"), "{error}");
        }
    }
}
