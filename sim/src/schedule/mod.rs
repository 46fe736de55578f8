//! The faults of a run as a list of numbered, timed items, made from the seed.
//!
//! Items do not depend on how many clients there are or what they ask, nor on each other: a run
//! with some of them left out has the others as they were. That is what makes a schedule small
//! enough to read (see `shrink`).

mod beats;
mod generate;
mod lie;
mod snare;

pub use beats::beats;
pub use generate::generate;
pub use lie::Lie;
pub use snare::Snare;

use std::fmt;
use wire::Tick;

/// Some hosts: replicas and clients, by index, as bits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HostSet {
    /// Replicas.
    pub replicas: u16,
    /// Clients; those from the 64th on are as the one 64 before.
    pub clients: u64,
}

impl HostSet {
    /// Everybody.
    pub const ALL: Self = Self {
        replicas: u16::MAX,
        clients: u64::MAX,
    };

    /// Whether a replica is in it.
    pub fn has_replica(self, index: usize) -> bool {
        index < 16 && self.replicas & (1 << index) != 0
    }

    /// Whether a client is in it.
    pub fn has_client(self, index: usize) -> bool {
        self.clients & (1 << (index % 64)) != 0
    }
}

impl fmt::Display for HostSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if *self == Self::ALL {
            return write!(f, "all");
        }
        let replicas = (0..16).filter(|index| self.has_replica(*index));
        let names: Vec<String> = replicas.map(|index| format!("r{index}")).collect();
        write!(f, "{}", names.join("+"))?;
        if self.clients != 0 {
            let separator = if names.is_empty() { "" } else { "+" };
            write!(f, "{separator}clients:{:x}", self.clients)?;
        }
        Ok(())
    }
}

/// Which way over a host's wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// To the switch.
    Up,
    /// From the switch.
    Down,
    /// Both.
    Both,
}

impl Way {
    /// Whether it includes the way to the switch (`up`), or the one from it.
    pub fn includes(self, up: bool) -> bool {
        match self {
            Self::Up => up,
            Self::Down => !up,
            Self::Both => true,
        }
    }

    fn word(self) -> &'static str {
        match self {
            Self::Up => "up",
            Self::Down => "down",
            Self::Both => "both ways",
        }
    }
}

/// Between whom a partition is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Between {
    /// All hosts.
    Everybody,
    /// Replicas only: clients reach both sides.
    Replicas,
    /// Replicas: only those of the set hear any, themselves included.
    Hush,
    /// Clients of the set and replicas of the set: requests do not get there.
    ClientsAndReplicas,
}

impl Between {
    fn words(self) -> &'static str {
        match self {
            Self::Everybody => "",
            Self::Replicas => " from other replicas",
            Self::Hush => ": only they hear replicas",
            Self::ClientsAndReplicas => ": these replicas do not hear these clients",
        }
    }
}

/// A change of the members, whoever they are when it is asked for: by place among those that are
/// members, and among those that are not, counted round.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Turnover {
    /// Who leaves.
    pub out: Option<usize>,
    /// Who comes in.
    pub come: Option<usize>,
}

impl fmt::Display for Turnover {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.out, self.come) {
            (Some(out), Some(come)) => {
                write!(f, "member number {out} for outsider number {come}")
            }
            (Some(out), None) => write!(f, "without member number {out}"),
            (None, Some(come)) => write!(f, "with outsider number {come}"),
            (None, None) => f.write_str("the same"),
        }
    }
}

/// What a wire does to frames, in parts per million.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Noise {
    /// Lost.
    pub loss_ppm: u32,
    /// Delivered twice.
    pub duplicate_ppm: u32,
    /// Held back, so that others overtake it.
    pub reorder_ppm: u32,
    /// The longest that a frame is held back.
    pub reorder_ns: u64,
}

/// One fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Wires are noisy.
    Noise {
        /// Whose.
        hosts: HostSet,
        /// Which way.
        way: Way,
        /// What they do.
        noise: Noise,
    },
    /// Wires are slow.
    SlowLink {
        /// Whose.
        hosts: HostSet,
        /// The rate is divided by this.
        divisor: u64,
        /// So much longer a frame takes.
        delay_ns: u64,
    },
    /// Hosts of a set do not hear those outside of it; `one_way`: the others still hear them.
    Partition {
        /// The set.
        hosts: HostSet,
        /// Whom it keeps apart.
        between: Between,
        /// Only one direction is dead.
        one_way: bool,
        /// Connections of the bulk channel across it end, and what is on its way is lost.
        resets: bool,
    },
    /// The next leader that begins a view is heard by only f other replicas, those that follow it
    /// in the group after a few others; from its next commit on, it is heard by clients only.
    /// Under synchronous rounds, who proposes next is caught instead: see `world::traps`.
    Ambush {
        /// How many are left out before the first that hears it.
        skip: usize,
        /// It lies in wait for a commit only, whoever announces one.
        at_commit: bool,
    },
    /// What the root stamps comes so much later to some hosts; everything else does not.
    Detour {
        /// To whom.
        hosts: HostSet,
        /// How much later.
        delay_ns: u64,
    },
    /// An ambush that waits for what members say of epochs.
    Snare {
        /// Which.
        snare: Snare,
    },
    /// A replica's clock differs from the true time. Lasts for the whole run.
    Clock {
        /// Which replica.
        replica: usize,
        /// How far it is ahead at the start.
        offset_ns: u64,
        /// How much faster it runs, in millionths.
        drift_ppm: i32,
    },
    /// A replica's process ends, and starts again at the item's end.
    Crash {
        /// Which replica.
        replica: usize,
        /// Whether what it saved survives.
        keeps_disk: bool,
    },
    /// A replica's process ends and never starts again.
    Stop {
        /// Which replica.
        replica: usize,
    },
    /// A replica that tries to save something ends.
    FullDisk {
        /// Which replica.
        replica: usize,
    },
    /// Saving takes so long.
    SlowDisk {
        /// Which replica.
        replica: usize,
        /// How long.
        latency_ns: u64,
    },
    /// The root loses program, tables and registers, and is dark until the item's end.
    RootReboot,
    /// The root is dark until the item's end and then goes on as it was.
    RootVanishes,
    /// The root lies until the item's end. `noticed`: then it loses everything, and the controller
    /// gives it a greater term; else it goes on from where its lies have led it.
    RootLies {
        /// How.
        lie: Lie,
        /// Whether somebody does something about it.
        noticed: bool,
    },
    /// The root ends for good, if there is another one.
    RootDies,
    /// An operator asks all members for a change, at the beginning and again at the end.
    ChangeMembers {
        /// Which.
        turnover: Turnover,
    },
    /// The controller ends, and starts again at the item's end with the terms it has on disk.
    ControllerRestart,
}

/// Which ways are dead, and what becomes of connections.
fn partition_words(between: Between, one_way: bool, resets: bool) -> (&'static str, &'static str) {
    if between == Between::ClientsAndReplicas {
        return ("", "");
    }
    let ways = if one_way {
        ", they are heard but hear nobody"
    } else {
        ""
    };
    (ways, if resets { ", connections end" } else { "" })
}

fn write_noise(f: &mut fmt::Formatter<'_>, hosts: HostSet, way: Way, noise: &Noise) -> fmt::Result {
    let percent = |ppm: u32| f64::from(ppm) / 10_000.0;
    write!(
        f,
        "noise {hosts} {}: loss {}% duplicate {}% reorder {}% by up to {} µs",
        way.word(),
        percent(noise.loss_ppm),
        percent(noise.duplicate_ppm),
        percent(noise.reorder_ppm),
        noise.reorder_ns / 1_000
    )
}

fn write_ambush(f: &mut fmt::Formatter<'_>, skip: usize, at_commit: bool) -> fmt::Result {
    if at_commit {
        return f.write_str("ambush: who announces a commit reaches no replica from then on");
    }
    write!(
        f,
        "ambush: who begins a view reaches only the f after the next {skip}, and no replica from \
         its commit on"
    )
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let us = |ns: u64| ns / 1_000;
        match *self {
            Self::Noise { hosts, way, noise } => write_noise(f, hosts, way, &noise),
            Self::SlowLink {
                hosts,
                divisor,
                delay_ns,
            } => write!(
                f,
                "slow link {hosts}: rate / {divisor}, {} µs more",
                us(delay_ns)
            ),
            Self::Partition {
                hosts,
                between,
                one_way,
                resets,
            } => {
                let ways = partition_words(between, one_way, resets);
                write!(
                    f,
                    "partition {hosts}{}{}{}",
                    between.words(),
                    ways.0,
                    ways.1
                )
            }
            Self::Ambush { skip, at_commit } => write_ambush(f, skip, at_commit),
            Self::Detour { hosts, delay_ns } => {
                write!(
                    f,
                    "detour: stamped packets reach {hosts} {} µs later",
                    us(delay_ns)
                )
            }
            Self::Snare { snare } => write!(f, "snare: {snare}"),
            Self::Clock {
                replica,
                offset_ns,
                drift_ppm,
            } => write!(
                f,
                "clock r{replica}: {} µs ahead, drift {drift_ppm} ppm",
                us(offset_ns)
            ),
            Self::Crash {
                replica,
                keeps_disk,
            } => {
                let disk = if keeps_disk { "survives" } else { "is lost" };
                write!(f, "crash r{replica}, its disk {disk}")
            }
            Self::Stop { replica } => write!(f, "crash r{replica} for good"),
            Self::FullDisk { replica } => write!(f, "full disk r{replica}"),
            Self::SlowDisk {
                replica,
                latency_ns,
            } => write!(f, "slow disk r{replica}: {} µs a write", us(latency_ns)),
            Self::RootReboot => write!(f, "root reboots"),
            Self::RootVanishes => write!(f, "root vanishes"),
            Self::RootLies { lie, noticed } => {
                let end = if noticed { ", then it reboots" } else { "" };
                write!(f, "root lies: {lie}{end}")
            }
            Self::RootDies => write!(f, "root dies for good"),
            Self::ChangeMembers { turnover } => write!(f, "other members: {turnover}"),
            Self::ControllerRestart => write!(f, "controller restarts"),
        }
    }
}

/// A fault with its number and time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Item {
    /// By which the command line names it; from 1.
    pub number: usize,
    /// From when on.
    pub from: Tick,
    /// Until when.
    pub until: Tick,
    /// What.
    pub fault: Fault,
}

impl fmt::Display for Item {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let us = |tick: Tick| tick.0 / 1_000;
        let (from, until) = (us(self.from), us(self.until));
        write!(
            f,
            "#{:<3} {from:>8} µs to {until:>8} µs  {}",
            self.number, self.fault
        )
    }
}
