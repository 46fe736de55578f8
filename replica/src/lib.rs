//! Replication protocols as pure cores.
//!
//! A core is a value: inputs are packets and times, outputs are [`Effects`]. It has no socket, no
//! clock, no randomness and no thread; without the feature `driver` this crate is `no_std`, which
//! CI proves by building it for a target that has no operating system. The same core runs in the
//! simulator, in one process, over tunnels, on bmv2 and on hardware.
//!
//! - [`protocol`]: the contract of a core
//! - [`catalogue`]: which protocols there are
//! - [`spec_paxos`]: Speculative Paxos (NSDI'15), split by phase
//! - [`rounds`]: synchronous rounds, all members propose, split by phase
//! - [`vr`]: Viewstamped Replication, which is Multi-Paxos with a stable leader, split by phase
//! - [`nopaxos`]: NOPaxos, which agrees only on what the network has lost, split by phase
//! - [`fast_paxos`]: Fast Paxos, whose replicas vote for what comes as it comes, split by phase
//! - [`mencius`]: Mencius, every server leads in turn, split by phase
//! - [`unreplicated`]: one server, the ceiling that everything is compared with
//! - [`history`], [`client_table`], [`quorum`]: what protocols share
//! - [`mutant`]: deliberate breaks, for tests of the checkers
//! - `driver` (feature): gives a core sockets, time, a bulk channel and a place to persist
#![no_std]

extern crate alloc;
#[cfg(any(feature = "driver", test))]
extern crate std;

mod answer;
pub mod catalogue;
pub mod client_table;
mod deferred;
#[cfg(feature = "driver")]
pub mod driver;
pub mod effects;
pub mod fast_paxos;
mod held;
pub mod history;
pub mod mencius;
pub mod mutant;
pub mod nopaxos;
mod peers;
pub mod protocol;
pub mod quorum;
mod rhythm;
pub mod rounds;
pub mod spec_paxos;
pub mod state_machine;
mod timers;
pub mod unreplicated;
pub mod vr;

pub use catalogue::ProtocolName;
pub use deferred::DeferredLimits;
pub use effects::{Boot, Effect, Effects, Persistent};
pub use held::Held;
pub use mutant::Mutant;
pub use protocol::{Counters, Mode, Protocol, Status};
pub use quorum::Quorum;
pub use state_machine::{RestoreError, Stamp, StateMachine};
