//! Byte strings in JSON: a string when the bytes are UTF-8, else an object with hexadecimal digits.
//!
//! Keys and values are bytes, and nearly always text; a history should be readable with `grep` and
//! `jq`. For use with `#[serde(with = "text_bytes")]`. It is not a general base-16 library.

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum TextOrHex {
    Text(String),
    Hex { hex: String },
}

pub(super) fn serialize<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
    encode(bytes).serialize(serializer)
}

pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<u8>, D::Error> {
    decode(TextOrHex::deserialize(from)?).map_err(D::Error::custom)
}

/// The same for bytes that may be absent (`null`).
pub(super) mod optional {
    use super::{Deserialize, Deserializer, Serialize, Serializer, TextOrHex, decode, encode};
    use serde::de::Error as _;

    #[expect(
        clippy::ref_option,
        reason = "serde calls it with a reference to the field"
    )]
    pub(in super::super) fn serialize<S: Serializer>(
        bytes: &Option<Vec<u8>>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        bytes.as_deref().map(encode).serialize(serializer)
    }

    pub(in super::super) fn deserialize<'de, D: Deserializer<'de>>(
        from: D,
    ) -> Result<Option<Vec<u8>>, D::Error> {
        let found = Option::<TextOrHex>::deserialize(from)?;
        found.map(decode).transpose().map_err(D::Error::custom)
    }
}

fn encode(bytes: &[u8]) -> TextOrHex {
    use std::fmt::Write as _;
    if let Ok(text) = str::from_utf8(bytes) {
        return TextOrHex::Text(text.to_owned());
    }
    let mut hex = String::with_capacity(2 * bytes.len());
    for byte in bytes {
        // Writing to a string cannot fail.
        let _ = write!(hex, "{byte:02x}");
    }
    TextOrHex::Hex { hex }
}

fn decode(found: TextOrHex) -> Result<Vec<u8>, String> {
    let hex = match found {
        TextOrHex::Text(text) => return Ok(text.into_bytes()),
        TextOrHex::Hex { hex } => hex,
    };
    let wrong = || format!("`{hex}` is not hexadecimal: give two digits 0-9a-f for each byte");
    if hex.len() % 2 != 0 || !hex.bytes().all(|digit| digit.is_ascii_hexdigit()) {
        return Err(wrong());
    }
    (0..hex.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&hex[at..at + 2], 16).map_err(|_| wrong()))
        .collect()
}
