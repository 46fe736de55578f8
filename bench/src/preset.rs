//! Workloads that have names.
//!
//! YCSB (Cooper et al., *Benchmarking Cloud Serving Systems with YCSB*, SoCC 2010) names its core
//! workloads by letters. A record here is one value of 100 bytes, the size of a field there. E
//! (short scans) is not here: the store that it would ask has no scans.

use std::fmt;
use std::str::FromStr;

use crate::keys::Distribution;
use crate::workload::{Mix, WorkloadConfig};

/// Bytes of a YCSB field.
const FIELD_BYTES: u32 = 100;
/// Records of a YCSB workload unless told otherwise.
const RECORDS: u32 = 1000;
/// The skew of YCSB, in thousandths.
const YCSB_EXPONENT: u32 = 990;
/// Bytes of an operation that does nothing.
const NULL_BYTES: u32 = 16;

/// A workload by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Preset {
    /// Operations that do nothing, at a service that does nothing.
    Null,
    /// As many reads as writes.
    YcsbA,
    /// 95 % reads.
    YcsbB,
    /// Reads only.
    YcsbC,
    /// 95 % reads, most of them of what was inserted last; the rest inserts.
    YcsbD,
    /// Reads, and changes of what was there.
    YcsbF,
    /// Writes only, all keys alike.
    Set,
    /// Reads only, all keys alike.
    Get,
}

impl Preset {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::Null,
        Self::YcsbA,
        Self::YcsbB,
        Self::YcsbC,
        Self::YcsbD,
        Self::YcsbF,
        Self::Set,
        Self::Get,
    ];

    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::YcsbA => "ycsb-a",
            Self::YcsbB => "ycsb-b",
            Self::YcsbC => "ycsb-c",
            Self::YcsbD => "ycsb-d",
            Self::YcsbF => "ycsb-f",
            Self::Set => "set",
            Self::Get => "get",
        }
    }

    /// Whether the service that is asked does nothing.
    pub fn is_null(self) -> bool {
        self == Self::Null
    }

    /// What it asks for.
    pub fn config(self) -> WorkloadConfig {
        let none = Mix {
            get: 0,
            set: 0,
            incr: 0,
            append: 0,
            del: 0,
            null: 0,
        };
        let mix = match self {
            Self::Null => Mix { null: 1, ..none },
            Self::YcsbA => Mix {
                get: 50,
                set: 50,
                ..none
            },
            Self::YcsbB | Self::YcsbD => Mix {
                get: 95,
                set: 5,
                ..none
            },
            Self::YcsbC | Self::Get => Mix { get: 1, ..none },
            Self::YcsbF => Mix {
                get: 50,
                incr: 50,
                ..none
            },
            Self::Set => Mix { set: 1, ..none },
        };
        let distribution = match self {
            Self::Null | Self::Set | Self::Get => Distribution::Uniform,
            Self::YcsbD => Distribution::Latest {
                exponent_thousandths: YCSB_EXPONENT,
            },
            _ => Distribution::Zipf {
                exponent_thousandths: YCSB_EXPONENT,
            },
        };
        let bytes = if self.is_null() {
            NULL_BYTES
        } else {
            FIELD_BYTES
        };
        WorkloadConfig {
            mix,
            keys: RECORDS,
            distribution,
            value_bytes_min: bytes,
            value_bytes_max: bytes,
        }
    }
}

/// There is no such workload.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there is no workload {name:?}; valid are {valid}")]
pub struct UnknownPreset {
    name: String,
    valid: String,
}

impl FromStr for Preset {
    type Err = UnknownPreset;

    fn from_str(name: &str) -> Result<Self, UnknownPreset> {
        let found = Self::ALL.into_iter().find(|preset| preset.name() == name);
        found.ok_or_else(|| UnknownPreset {
            name: name.to_owned(),
            valid: Self::ALL.map(Self::name).join(", "),
        })
    }
}

impl fmt::Display for Preset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workload::{Operation, Workload};

    #[test]
    fn each_preset_asks_for_what_its_letter_says() {
        for preset in Preset::ALL {
            assert_eq!(preset.name().parse(), Ok(preset));
            let workload = Workload::new(preset.config(), 1).unwrap();
            let operations: Vec<_> = workload.client(0).take(1_000).collect();
            let reads = |o: &&Operation| matches!(o, Operation::Get { .. });
            let reads = operations.iter().filter(reads).count();
            let valid = match preset {
                Preset::Null | Preset::Set => 0..=0,
                Preset::YcsbA | Preset::YcsbF => 450..=550,
                Preset::YcsbB | Preset::YcsbD => 930..=970,
                Preset::YcsbC | Preset::Get => 1_000..=1_000,
            };
            assert!(valid.contains(&reads), "{preset}: {reads}");
        }
        let error = "ycsb-e".parse::<Preset>().unwrap_err().to_string();
        assert!(error.contains("\"ycsb-e\"") && error.contains("null, ycsb-a"));
    }

    #[test]
    fn every_key_that_is_read_has_a_value_before_the_run() {
        let workload = Workload::new(Preset::YcsbC.config(), 1).unwrap();
        let keys: std::collections::BTreeSet<_> = (0..3)
            .flat_map(|client| workload.loading(client, 3))
            .map(|operation| operation.key().to_vec())
            .collect();
        assert_eq!(keys.len(), 1_000);
        let read = workload.client(0).next_operation();
        assert!(keys.contains(read.key()));
        let null = Workload::new(Preset::Null.config(), 1).unwrap();
        let first: Vec<_> = null.loading(0, 1).collect();
        assert!(matches!(first[..], [Operation::Null { .. }]), "{first:?}");
    }
}
