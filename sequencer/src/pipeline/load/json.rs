//! A JSON value that knows where it stands, so that every refusal can say so.

use alloc::borrow::ToOwned;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use serde_json::Value;

use super::super::error::LoadError;

/// See the module.
#[derive(Clone)]
pub(super) struct Node<'a> {
    value: &'a Value,
    path: String,
}

impl<'a> Node<'a> {
    pub(super) fn root(value: &'a Value) -> Self {
        Self {
            value,
            path: String::new(),
        }
    }

    pub(super) fn unsupported(&self, construct: impl Into<String>) -> LoadError {
        LoadError::Unsupported {
            construct: construct.into(),
            path: self.place(),
        }
    }

    pub(super) fn invalid(&self, problem: impl Into<String>) -> LoadError {
        LoadError::Invalid {
            problem: problem.into(),
            path: self.place(),
        }
    }

    /// Refuses a value above a limit.
    pub(super) fn at_most(
        &self,
        what: &'static str,
        value: usize,
        limit: usize,
    ) -> Result<usize, LoadError> {
        if value <= limit {
            return Ok(value);
        }
        let (value, limit) = (value as u128, limit as u128);
        Err(LoadError::TooLarge {
            what,
            value,
            limit,
            path: self.place(),
        })
    }

    fn place(&self) -> String {
        if self.path.is_empty() {
            ".".to_owned()
        } else {
            self.path.clone()
        }
    }

    fn wrong_type(&self, expected: &str) -> LoadError {
        let found = match self.value {
            Value::Null => "null",
            Value::Bool(_) => "a boolean",
            Value::Number(_) => "a number",
            Value::String(_) => "a string",
            Value::Array(_) => "an array",
            Value::Object(_) => "an object",
        };
        self.invalid(format!("expected {expected}, found {found}"))
    }

    /// A member that must be there; it may be null.
    pub(super) fn get(&self, key: &str) -> Result<Self, LoadError> {
        let object = self
            .value
            .as_object()
            .ok_or_else(|| self.wrong_type("an object"))?;
        let value = object
            .get(key)
            .ok_or_else(|| self.invalid(format!("`{key}` is missing")))?;
        Ok(self.child(value, key))
    }

    fn child(&self, value: &'a Value, key: &str) -> Self {
        Self {
            value,
            path: format!("{}.{key}", self.path),
        }
    }

    /// A member, or `None` if it is missing or null.
    pub(super) fn optional(&self, key: &str) -> Result<Option<Self>, LoadError> {
        let object = self
            .value
            .as_object()
            .ok_or_else(|| self.wrong_type("an object"))?;
        Ok(object
            .get(key)
            .filter(|value| !value.is_null())
            .map(|value| self.child(value, key)))
    }

    pub(super) fn is_null(&self) -> bool {
        self.value.is_null()
    }

    pub(super) fn is_object(&self) -> bool {
        self.value.is_object()
    }

    /// The elements of an array.
    pub(super) fn items(&self) -> Result<Vec<Self>, LoadError> {
        let array = self
            .value
            .as_array()
            .ok_or_else(|| self.wrong_type("an array"))?;
        let numbered = array.iter().enumerate();
        let items = numbered.map(|(at, value)| Self {
            value,
            path: format!("{}[{at}]", self.path),
        });
        Ok(items.collect())
    }

    /// The elements of an array that must have just `N`.
    pub(super) fn tuple<const N: usize>(&self) -> Result<[Self; N], LoadError> {
        let items = self.items()?;
        let found = items.len();
        items
            .try_into()
            .map_err(|_| self.invalid(format!("{found} elements instead of {N}")))
    }

    /// The elements of a member that is an array.
    pub(super) fn list(&self, key: &str) -> Result<Vec<Self>, LoadError> {
        self.get(key)?.items()
    }

    /// The elements of a member that is an array, or none if it is missing.
    pub(super) fn optional_list(&self, key: &str) -> Result<Vec<Self>, LoadError> {
        self.optional(key)?
            .map_or(Ok(Vec::new()), |node| node.items())
    }

    /// The members of an object.
    pub(super) fn members(&self) -> Result<Vec<(&'a str, Self)>, LoadError> {
        let object = self
            .value
            .as_object()
            .ok_or_else(|| self.wrong_type("an object"))?;
        Ok(object
            .iter()
            .map(|(key, value)| (key.as_str(), self.child(value, key)))
            .collect())
    }

    /// Refuses members that this loader knows nothing of. Comments on the source are fine.
    pub(super) fn only(&self, known: &[&str]) -> Result<(), LoadError> {
        for (key, member) in self.members()? {
            let comment = key == "source_info" || key == "pragmas" || key == "id" || key == "name";
            if !comment && !known.contains(&key) {
                return Err(member.unsupported(format!("member `{key}`")));
            }
        }
        Ok(())
    }

    /// Refuses a member that is a list unless it is missing or empty.
    pub(super) fn empty(&self, key: &str, construct: &str) -> Result<(), LoadError> {
        match self.optional_list(key)?.first() {
            Some(item) => Err(item.unsupported(construct)),
            None => Ok(()),
        }
    }

    pub(super) fn string(&self) -> Result<&'a str, LoadError> {
        self.value
            .as_str()
            .ok_or_else(|| self.wrong_type("a string"))
    }

    pub(super) fn boolean(&self) -> Result<bool, LoadError> {
        self.value
            .as_bool()
            .ok_or_else(|| self.wrong_type("a boolean"))
    }

    /// A member that is a boolean, or `otherwise` if it is missing.
    pub(super) fn flag(&self, key: &str, otherwise: bool) -> Result<bool, LoadError> {
        self.optional(key)?
            .map_or(Ok(otherwise), |node| node.boolean())
    }

    pub(super) fn unsigned(&self) -> Result<u64, LoadError> {
        self.value
            .as_u64()
            .ok_or_else(|| self.wrong_type("an integer from 0"))
    }

    pub(super) fn signed(&self) -> Result<i64, LoadError> {
        self.value
            .as_i64()
            .ok_or_else(|| self.wrong_type("an integer"))
    }

    /// A count or width, with its limit.
    pub(super) fn count(&self, what: &'static str, limit: usize) -> Result<usize, LoadError> {
        let value = self.unsigned()?;
        self.at_most(what, usize::try_from(value).unwrap_or(usize::MAX), limit)
    }

    pub(super) fn name(&self) -> Result<String, LoadError> {
        Ok(self.get("name")?.string()?.to_string())
    }

    /// A hexadecimal string: whether it is negative, and its magnitude.
    pub(super) fn hex(&self) -> Result<(bool, u128), LoadError> {
        let text = self.string()?;
        let (negative, digits) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        let digits = digits.strip_prefix("0x").unwrap_or(digits);
        if digits.is_empty() || !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
            return Err(self.invalid(format!("`{text}` is not a hexadecimal number")));
        }
        let digits = digits.trim_start_matches('0');
        if digits.len() > 32 {
            return Err(self.unsupported("a constant of more than 128 bits"));
        }
        let magnitude = if digits.is_empty() {
            0
        } else {
            u128::from_str_radix(digits, 16)
                .map_err(|_| self.invalid(format!("`{text}` is not a hexadecimal number")))?
        };
        Ok((negative && magnitude != 0, magnitude))
    }

    /// A hexadecimal string that fits `width` bits.
    pub(super) fn hex_of_width(&self, width: u8) -> Result<u128, LoadError> {
        match self.hex()? {
            (false, value) if value & !super::super::field::wide_ones(width) == 0 => Ok(value),
            _ => Err(self.invalid(format!("does not fit into {width} bits"))),
        }
    }
}
