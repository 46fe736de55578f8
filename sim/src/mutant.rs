//! Deliberate breaks of what a run is made of: of the replicas' cores, and of what is around them.

use crate::settings::ProtocolName;
use std::fmt;

/// One way for what is around the cores to be wrong: what they take from the root, or from their
/// state machine, on trust.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FabricMutant {
    /// The controller installs a group again under the term that it has on disk.
    KeepTerm,
    /// Two packets that are in the root's pipeline at the same time read the same count.
    CountNotAtomic,
    /// State machines end keys by clocks of their own, which are not equally fast.
    LocalClock,
}

impl FabricMutant {
    /// Every one.
    pub const ALL: [Self; 3] = [Self::KeepTerm, Self::CountNotAtomic, Self::LocalClock];

    /// Its name on the command line and in tables.
    pub const fn name(self) -> &'static str {
        match self {
            Self::KeepTerm => "keep-term",
            Self::CountNotAtomic => "count-not-atomic",
            Self::LocalClock => "local-clock",
        }
    }
}

/// One way to be wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Mutant {
    /// A replica's core is, under Speculative Paxos.
    SpecPaxos(replica::Mutant),
    /// A replica's core is, with synchronous rounds.
    Rounds(replica::rounds::Mutant),
    /// A replica's core is, under Viewstamped Replication.
    Vr(replica::vr::Mutant),
    /// A replica's core is, under NOPaxos.
    NoPaxos(replica::nopaxos::Mutant),
    /// A replica's core is, under Fast Paxos.
    FastPaxos(replica::fast_paxos::Mutant),
    /// A replica's core is, under Mencius.
    Mencius(replica::mencius::Mutant),
    /// The root or its controller is.
    Fabric(FabricMutant),
}

impl Mutant {
    /// Every one that a protocol's runs can have.
    pub fn all(protocol: ProtocolName) -> Vec<Self> {
        let cores: Vec<Self> = match protocol {
            ProtocolName::SpecPaxos => replica::Mutant::ALL.map(Self::SpecPaxos).into(),
            ProtocolName::Rounds => replica::rounds::Mutant::ALL.map(Self::Rounds).into(),
            ProtocolName::Vr => replica::vr::Mutant::ALL.map(Self::Vr).into(),
            ProtocolName::NoPaxos => replica::nopaxos::Mutant::ALL.map(Self::NoPaxos).into(),
            ProtocolName::FastPaxos => replica::fast_paxos::Mutant::ALL.map(Self::FastPaxos).into(),
            ProtocolName::Mencius => replica::mencius::Mutant::ALL.map(Self::Mencius).into(),
            ProtocolName::Unreplicated => Vec::new(),
        };
        let is_felt = |mutant: &FabricMutant| match mutant {
            FabricMutant::KeepTerm | FabricMutant::CountNotAtomic => {
                protocol.uses_the_roots_order()
            }
            // One state machine alone agrees with itself.
            FabricMutant::LocalClock => !protocol.is_one_server(),
        };
        let fabric = FabricMutant::ALL.into_iter().filter(is_felt);
        let fabric = fabric.map(Self::Fabric);
        cores.into_iter().chain(fabric).collect()
    }

    /// The one with this name.
    pub fn of_name(protocol: ProtocolName, name: &str) -> Result<Self, UnknownMutant> {
        let all = Self::all(protocol);
        let found = all.iter().find(|mutant| mutant.name() == name);
        found.copied().ok_or_else(|| {
            let valid: Vec<_> = all.iter().map(|mutant| mutant.name()).collect();
            UnknownMutant {
                name: name.to_owned(),
                protocol: protocol.name(),
                valid: valid.join(", "),
            }
        })
    }

    /// Its name on the command line and in tables.
    pub const fn name(self) -> &'static str {
        match self {
            Self::SpecPaxos(mutant) => mutant.name(),
            Self::Rounds(mutant) => mutant.name(),
            Self::Vr(mutant) => mutant.name(),
            Self::NoPaxos(mutant) => mutant.name(),
            Self::FastPaxos(mutant) => mutant.name(),
            Self::Mencius(mutant) => mutant.name(),
            Self::Fabric(mutant) => mutant.name(),
        }
    }

    /// What cores under Speculative Paxos are told of it.
    pub(crate) fn of_spec_paxos(self) -> Option<replica::Mutant> {
        match self {
            Self::SpecPaxos(mutant) => Some(mutant),
            _ => None,
        }
    }

    /// What cores with synchronous rounds are told of it.
    pub(crate) fn of_rounds(self) -> Option<replica::rounds::Mutant> {
        match self {
            Self::Rounds(mutant) => Some(mutant),
            _ => None,
        }
    }

    /// What cores under Viewstamped Replication are told of it.
    pub(crate) fn of_vr(self) -> Option<replica::vr::Mutant> {
        match self {
            Self::Vr(mutant) => Some(mutant),
            _ => None,
        }
    }

    /// What cores under NOPaxos are told of it.
    pub(crate) fn of_nopaxos(self) -> Option<replica::nopaxos::Mutant> {
        match self {
            Self::NoPaxos(mutant) => Some(mutant),
            _ => None,
        }
    }

    /// What cores under Fast Paxos are told of it.
    pub(crate) fn of_fast_paxos(self) -> Option<replica::fast_paxos::Mutant> {
        match self {
            Self::FastPaxos(mutant) => Some(mutant),
            _ => None,
        }
    }

    /// What cores under Mencius are told of it.
    pub(crate) fn of_mencius(self) -> Option<replica::mencius::Mutant> {
        match self {
            Self::Mencius(mutant) => Some(mutant),
            _ => None,
        }
    }

    /// What root and controller are told of it.
    pub(crate) fn of_fabric(self) -> Option<FabricMutant> {
        match self {
            Self::Fabric(mutant) => Some(mutant),
            _ => None,
        }
    }
}

impl fmt::Display for Mutant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// There is no such mutant.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("protocol {protocol} has no mutant {name} (valid: {valid})")]
pub struct UnknownMutant {
    /// The name that was given.
    name: String,
    /// The protocol.
    protocol: &'static str,
    /// The names there are.
    valid: String,
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_name_is_one_mutants_name() {
        for protocol in ProtocolName::ALL {
            let all = Mutant::all(protocol);
            let names: BTreeSet<_> = all.iter().map(|mutant| mutant.name()).collect();
            assert_eq!(names.len(), all.len());
            for mutant in all {
                assert_eq!(Mutant::of_name(protocol, mutant.name()), Ok(mutant));
            }
        }
        let error = Mutant::of_name(ProtocolName::SpecPaxos, "no-such").unwrap_err();
        let error = error.to_string();
        let begins = "protocol spec-paxos has no mutant no-such (valid: commit-by-majority, ";
        assert!(error.starts_with(begins), "{error}");
        assert!(error.contains("keep-term"), "{error}");
    }
}
