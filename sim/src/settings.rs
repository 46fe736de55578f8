//! What a run is told: together with the seed, everything that decides it.

use crate::invariants;
use crate::mutant::{FabricMutant, Mutant};
use crate::profile::Profile;
use crate::schedule::Noise;
pub use controller::topology::Shape;
pub use replica::ProtocolName;
use replica::Quorum;
use replica::quorum::GroupSizeError;

/// Nanoseconds in a millisecond.
pub const MS: u64 = 1_000_000;

/// The longest that steady reordering holds a frame back.
pub const STEADY_REORDER_NS: u64 = 100_000;

/// Replicas besides the members, where members come and go.
const SPARES: usize = 2;

/// Group sizes of successive seeds when none is given.
pub const SIZES: [usize; 3] = [3, 5, 7];

/// The most clients of a run: each is a host on a port of the switch of its own, of which a
/// topology has 250.
pub const MAX_CLIENTS: usize = 224;

/// What a replica's processor takes for a message, in nanoseconds. All 0: nothing takes time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Costs {
    /// To take one in and handle it.
    pub receive_ns: u64,
    /// To send one.
    pub send_ns: u64,
}

/// What to run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// The protocol.
    pub protocol: ProtocolName,
    /// How switches are wired.
    pub topology: Shape,
    /// Replicas in the group, by turns of the seed.
    pub replicas: Vec<usize>,
    /// Closed-loop clients.
    pub clients: usize,
    /// Operations of each client.
    pub operations: usize,
    /// Keys that they share.
    pub keys: u64,
    /// Whether clients also set keys that end by themselves, after some milliseconds.
    pub expiry: bool,
    /// Which faults there may be.
    pub profile: Profile,
    /// What all wires do, besides, as long as there are faults.
    pub steady: Noise,
    /// Numbers of the faults that happen; all that the profile drew if not given.
    pub only_faults: Option<Vec<usize>>,
    /// How long there may be faults. Then all stop.
    pub fault_ns: u64,
    /// How long the group may take to heal after that.
    pub heal_ns: u64,
    /// What messages cost.
    pub costs: Costs,
    /// Whether clients pause now and then, so that their operations meet all faults; without
    /// pauses each asks again as soon as it was answered.
    pub pauses: bool,
    /// How long clients that never pause wait between an answer and their next request, in the
    /// mean: from nothing to twice as long, all alike.
    pub think_ns: u64,
    /// Whether replicas ask each other for packets that they missed; if not given, two runs of
    /// three do, so that the protocol is also seen without.
    pub gap_awareness: Option<bool>,
    /// Whether a leader sends requests that come while others are on the way together.
    pub batching: bool,
    /// A deliberate break of replicas, root or controller.
    pub mutant: Option<Mutant>,
    /// The only invariant that is looked at; all, and the cores' own checks, if not given. Shows
    /// what one of them catches when no other comes first.
    pub only_invariant: Option<String>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            protocol: ProtocolName::SpecPaxos,
            topology: Shape::Single,
            replicas: SIZES.to_vec(),
            clients: 5,
            operations: 60,
            keys: 6,
            expiry: false,
            profile: Profile::All,
            steady: Noise::default(),
            only_faults: None,
            fault_ns: 300 * MS,
            heal_ns: 20_000 * MS,
            costs: Costs::default(),
            pauses: true,
            think_ns: 0,
            gap_awareness: None,
            batching: true,
            mutant: None,
            only_invariant: None,
        }
    }
}

/// Settings that cannot be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SettingsError {
    /// No such invariant.
    #[error("there is no invariant {name} (valid: {valid})")]
    Invariant {
        /// The name.
        name: String,
        /// The names there are.
        valid: String,
    },
    /// The group's size.
    #[error(transparent)]
    GroupSize(#[from] GroupSizeError),
    /// One server is one server.
    #[error("protocol unreplicated takes exactly 1 replica, not {0}; leave --replicas out")]
    OneServer(usize),
    /// A protocol that builds on what the root says.
    #[error(
        "protocol {protocol} trusts the root: --faults={profile} is not for it (valid with \
         --faults={profile}: {valid})"
    )]
    TrustsTheRoot {
        /// The protocol.
        protocol: &'static str,
        /// The profile.
        profile: &'static str,
        /// Protocols that do not.
        valid: String,
    },
    /// Leaving out the batches of a protocol that cannot do without, or has none.
    #[error(
        "protocol {0} has no batches to leave out (valid with --batching=off: {valid})",
        valid = ProtocolName::names_of(ProtocolName::has_batches_to_leave_out)
    )]
    AlwaysBatches(&'static str),
    /// A protocol whose members stay.
    #[error(
        "protocol {protocol} has the same members for ever: --faults={profile} is not for it \
         (valid with --faults={profile}: rounds)"
    )]
    FixedMembers {
        /// The protocol.
        protocol: &'static str,
        /// The profile.
        profile: &'static str,
    },
    /// Two ways to wait between requests.
    #[error("clients that pause do not think besides: give --steady with --think")]
    PauseAndThink,
    /// How many clients.
    #[error("{0} clients are not possible: valid are 1 to {MAX_CLIENTS}")]
    Clients(usize),
    /// A root that dies, and no other.
    #[error(
        "faults {profile} end a root for good, and topology single has no other one; use \
         --topology=dual-root"
    )]
    OneRoot {
        /// The profile's name.
        profile: &'static str,
    },
    /// Nothing to do.
    #[error("{what} must be at least 1")]
    Zero {
        /// Of what.
        what: &'static str,
    },
}

impl Settings {
    /// Checks what the code relies on.
    pub fn check(&self) -> Result<(), SettingsError> {
        if let Some(name) = &self.only_invariant {
            let names: Vec<_> = invariants::all().iter().map(|one| one.name()).collect();
            if !names.contains(&name.as_str()) {
                return Err(SettingsError::Invariant {
                    name: name.clone(),
                    valid: names.join(", "),
                });
            }
        }
        if self.replicas.is_empty() {
            return Err(SettingsError::Zero {
                what: "the number of group sizes",
            });
        }
        for n in &self.replicas {
            // Sizes that nobody asked for are for protocols that have sizes.
            if !self.protocol.is_one_server() {
                let _ = Quorum::of(*n)?;
            } else if self.replicas != SIZES && *n != 1 {
                return Err(SettingsError::OneServer(*n));
            }
        }
        if self.profile.lies() && self.protocol.trusts_the_root() {
            return Err(SettingsError::TrustsTheRoot {
                protocol: self.protocol.name(),
                profile: self.profile.name(),
                valid: ProtocolName::names_of(|protocol| !protocol.trusts_the_root()),
            });
        }
        if !self.batching && !self.protocol.has_batches_to_leave_out() {
            return Err(SettingsError::AlwaysBatches(self.protocol.name()));
        }
        if self.profile.changes_members() && !self.protocol.changes_members() {
            return Err(SettingsError::FixedMembers {
                protocol: self.protocol.name(),
                profile: self.profile.name(),
            });
        }
        if self.profile.needs_two_roots() && self.topology == Shape::Single {
            return Err(SettingsError::OneRoot {
                profile: self.profile.name(),
            });
        }
        if self.pauses && self.think_ns > 0 {
            return Err(SettingsError::PauseAndThink);
        }
        if !(1..=MAX_CLIENTS).contains(&self.clients) {
            return Err(SettingsError::Clients(self.clients));
        }
        for (what, value) in [("operations", self.operations as u64), ("keys", self.keys)] {
            if value == 0 {
                return Err(SettingsError::Zero { what });
            }
        }
        Ok(())
    }

    /// Whether clients set keys that end by themselves.
    pub fn sets_deadlines(&self) -> bool {
        self.expiry || self.ends_keys_by_local_clocks()
    }

    /// Whether state machines are deliberately broken in that way.
    pub(crate) fn ends_keys_by_local_clocks(&self) -> bool {
        self.mutant == Some(Mutant::Fabric(FabricMutant::LocalClock))
    }

    /// Whether the replicas of a run ask each other for packets that they missed.
    pub fn gap_awareness_of(&self, seed: u64) -> bool {
        // Sizes go by turns of the seed too; by threes, both meet in all combinations.
        let turn = seed / SIZES.len() as u64;
        self.gap_awareness.unwrap_or(!turn.is_multiple_of(3))
    }

    /// Replicas in the group of the run with this seed.
    pub fn replicas_of(&self, seed: u64) -> usize {
        if self.protocol.is_one_server() {
            return 1;
        }
        let sizes = &self.replicas;
        let turn = usize::try_from(seed % sizes.len() as u64).expect("an index");
        sizes[turn]
    }

    /// Replicas that are members, or may become members, in the run with this seed.
    pub fn known_of(&self, seed: u64) -> usize {
        let spares = if self.profile.changes_members() {
            SPARES
        } else {
            0
        };
        self.replicas_of(seed) + spares
    }

    /// The group's quorums in the run with this seed.
    pub fn quorum_of(&self, seed: u64) -> Quorum {
        Quorum::of(self.replicas_of(seed)).expect("settings were checked")
    }

    /// The flags that say which group it is.
    fn add_group(&self, flags: &mut String) {
        use std::fmt::Write as _;
        let default = Self::default();
        if self.protocol != default.protocol {
            let _ = write!(flags, " --protocol={}", self.protocol.name());
        }
        if self.topology != default.topology {
            let _ = write!(flags, " --topology={}", self.topology.name());
        }
        if self.replicas != default.replicas {
            let _ = write!(flags, " --replicas={}", list(&self.replicas));
        }
    }

    /// The command line that runs this seed again with these settings, after the verb.
    pub fn flags(&self, seed: u64) -> String {
        use std::fmt::Write as _;
        let default = Self::default();
        let mut flags = format!("--seed={seed}");
        // Writing to a string cannot fail.
        self.add_group(&mut flags);
        for (flag, ours, theirs) in [
            ("clients", self.clients as u64, default.clients as u64),
            (
                "operations",
                self.operations as u64,
                default.operations as u64,
            ),
            ("keys", self.keys, default.keys),
        ] {
            if ours != theirs {
                let _ = write!(flags, " --{flag}={ours}");
            }
        }
        if self.profile != default.profile {
            let _ = write!(flags, " --faults={}", self.profile.name());
        }
        for (flag, ppm) in [
            ("loss", self.steady.loss_ppm),
            ("reorder", self.steady.reorder_ppm),
        ] {
            if ppm > 0 {
                let _ = write!(flags, " --{flag}={}%", f64::from(ppm) / 10_000.0);
            }
        }
        for (flag, ours, theirs) in [
            ("fault-time", self.fault_ns, default.fault_ns),
            ("heal-time", self.heal_ns, default.heal_ns),
            (
                "receive-cost",
                self.costs.receive_ns,
                default.costs.receive_ns,
            ),
            ("send-cost", self.costs.send_ns, default.costs.send_ns),
            ("think", self.think_ns, default.think_ns),
        ] {
            if ours != theirs {
                let _ = write!(flags, " --{flag}={ours}ns");
            }
        }
        for (flag, on) in [(" --expiry", self.expiry), (" --steady", !self.pauses)] {
            flags.push_str(if on { flag } else { "" });
        }
        if !self.batching {
            flags.push_str(" --batching=off");
        }
        if let Some(on) = self.gap_awareness {
            let _ = write!(flags, " --gap-awareness={}", if on { "on" } else { "off" });
        }
        if let Some(name) = &self.only_invariant {
            let _ = write!(flags, " --invariant={name}");
        }
        if let Some(only) = &self.only_faults {
            let numbers = if only.is_empty() {
                "none".to_owned()
            } else {
                list(only)
            };
            let _ = write!(flags, " --only-faults={numbers}");
        }
        if let Some(mutant) = self.mutant {
            let _ = write!(flags, " --mutant={}", mutant.name());
        }
        flags
    }
}

fn list(numbers: &[usize]) -> String {
    let numbers: Vec<String> = numbers.iter().map(ToString::to_string).collect();
    numbers.join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_names_what_is_not_a_default() {
        let settings = Settings {
            replicas: vec![5],
            clients: 2,
            profile: Profile::Loss,
            only_faults: Some(vec![3, 7]),
            steady: Noise {
                loss_ppm: 1_000,
                ..Noise::default()
            },
            heal_ns: 5,
            pauses: false,
            think_ns: 7,
            gap_awareness: Some(false),
            only_invariant: Some("exactly_once".into()),
            ..Settings::default()
        };
        assert_eq!(
            settings.flags(9),
            "--seed=9 --replicas=5 --clients=2 --faults=loss --loss=0.1% --heal-time=5ns --think=7ns --steady \
             --gap-awareness=off --invariant=exactly_once --only-faults=3,7"
        );
        assert_eq!(Settings::default().flags(1), "--seed=1");
    }

    #[test]
    fn sizes_take_turns_and_wrong_settings_say_what_is_valid() {
        let settings = Settings::default();
        assert_eq!(
            [0, 1, 2, 3].map(|seed| settings.replicas_of(seed)),
            [3, 5, 7, 3]
        );
        let wrong = |settings: Settings| settings.check().unwrap_err().to_string();
        assert!(
            wrong(Settings {
                replicas: vec![3, 4],
                ..Settings::default()
            })
            .contains("valid are 1, 3")
        );
        assert!(
            wrong(Settings {
                clients: 225,
                ..Settings::default()
            })
            .contains("1 to 224")
        );
        assert!(
            wrong(Settings {
                think_ns: 5,
                ..Settings::default()
            })
            .contains("give --steady with --think")
        );
        assert!(
            wrong(Settings {
                operations: 0,
                ..Settings::default()
            })
            .contains("operations")
        );
        let lied_to = Settings {
            profile: Profile::LyingRoot,
            ..Settings::default()
        };
        let text = wrong(lied_to.clone());
        assert!(
            text.contains("protocol spec-paxos trusts the root"),
            "{text}"
        );
        assert!(text.contains("--faults=lying-root: rounds, vr"), "{text}");
        let rounds = Settings {
            protocol: ProtocolName::Rounds,
            ..lied_to
        };
        assert!(rounds.check().is_ok());
        let one = Settings {
            protocol: ProtocolName::Unreplicated,
            ..Settings::default()
        };
        assert!(one.check().is_ok());
        assert!(
            wrong(Settings {
                replicas: vec![3],
                ..one
            })
            .contains("exactly 1")
        );
    }
}
