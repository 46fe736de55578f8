//! Deliberate breaks of what a run is made of: of the replicas' cores, and of what is around them.

use std::fmt;
use std::str::FromStr;

/// One way for the fabric to be wrong: what replicas take from the root on trust.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FabricMutant {
    /// The controller installs a group again under the term that it has on disk.
    KeepTerm,
    /// Two packets that are in the root's pipeline at the same time read the same count.
    CountNotAtomic,
}

impl FabricMutant {
    /// Every one.
    pub const ALL: [Self; 2] = [Self::KeepTerm, Self::CountNotAtomic];

    /// Its name on the command line and in tables.
    pub const fn name(self) -> &'static str {
        match self {
            Self::KeepTerm => "keep-term",
            Self::CountNotAtomic => "count-not-atomic",
        }
    }
}

/// One way to be wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Mutant {
    /// A replica's core is.
    Core(replica::Mutant),
    /// The root or its controller is.
    Fabric(FabricMutant),
}

impl Mutant {
    /// Every one.
    pub fn all() -> impl ExactSizeIterator<Item = Self> {
        let core = replica::Mutant::ALL.map(Self::Core);
        let fabric = FabricMutant::ALL.map(Self::Fabric);
        let all: Vec<Self> = core.into_iter().chain(fabric).collect();
        all.into_iter()
    }

    /// Its name on the command line and in tables.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Core(mutant) => mutant.name(),
            Self::Fabric(mutant) => mutant.name(),
        }
    }

    /// What replicas' cores are told of it.
    pub(crate) fn of_core(self) -> Option<replica::Mutant> {
        match self {
            Self::Core(mutant) => Some(mutant),
            Self::Fabric(_) => None,
        }
    }

    /// What root and controller are told of it.
    pub(crate) fn of_fabric(self) -> Option<FabricMutant> {
        match self {
            Self::Core(_) => None,
            Self::Fabric(mutant) => Some(mutant),
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
#[error("there is no mutant {name} (valid: {valid})")]
pub struct UnknownMutant {
    /// The name that was given.
    name: String,
    /// The names there are.
    valid: String,
}

impl FromStr for Mutant {
    type Err = UnknownMutant;

    fn from_str(name: &str) -> Result<Self, UnknownMutant> {
        let found = Self::all().find(|mutant| mutant.name() == name);
        found.ok_or_else(|| {
            let valid: Vec<_> = Self::all().map(Self::name).collect();
            UnknownMutant {
                name: name.to_owned(),
                valid: valid.join(", "),
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_name_is_one_mutants_name() {
        let names: BTreeSet<_> = Mutant::all().map(Mutant::name).collect();
        assert_eq!(names.len(), Mutant::all().len());
        for mutant in Mutant::all() {
            assert_eq!(mutant.name().parse(), Ok(mutant));
            assert_ne!(mutant.of_core().is_some(), mutant.of_fabric().is_some());
        }
        let error = "no-such".parse::<Mutant>().unwrap_err().to_string();
        assert!(
            error.starts_with("there is no mutant no-such (valid: commit-by-majority, "),
            "{error}"
        );
        assert!(error.contains("keep-term"), "{error}");
    }
}
