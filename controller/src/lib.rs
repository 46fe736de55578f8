//! The controller of downbeat: it gives P4Runtime switches the rules by which they forward, stamp
//! and replicate, and keeps them so.
//!
//! A pure core with a shell around it:
//!
//! | module | what it holds | pure |
//! |---|---|---|
//! | [`topology`] | switches, hosts and groups; `single,N`, `dual-root,N` and TOML | yes |
//! | [`rule`] | one rule of a switch, in words of the fabric | yes |
//! | [`placement`] | which root has each group, and when that changes | yes |
//! | [`plan`] | which rules a switch should have, in which order, and where it differs | yes |
//! | [`installation`] | what is asked of a switch, step by step, until it is as it should be | yes |
//! | [`terms`] | fresh terms, in a state file that is written before a term is used | its state |
//! | [`target`] | what the controller asks of a kind of switch | a trait |
//! | [`tables`] | the tables of `root.p4` as Rust types | yes |
//! | [`p4runtime_target`] | the target for switches with P4Runtime | no |
//! | [`controller`] | the loop for one switch | no |
//! | [`service`] | everything together: [`run`] and [`install`] | no |
//!
//! Invariant: no P4Runtime message appears outside of `tables` and `p4runtime_target`. Hardware
//! with another control interface gets another [`target::Target`].
//!
//! Invariant: no `group` entry is written with a term that was ever written before. The proof is
//! short: [`installation`] inserts a `group` entry only with a term that it took for it, it never
//! modifies one, and [`terms`] has a term on disk before it hands it out.

pub mod controller;
pub mod event;
pub mod installation;
pub mod mac;
pub mod p4runtime_target;
pub mod placement;
pub mod plan;
pub mod rule;
pub mod service;
pub mod tables;
pub mod target;
pub mod terms;
pub mod topology;

pub use event::{Event, EventKind, Events, InstalledGroup};
pub use mac::MacAddress;
pub use service::{Artifacts, Config, ControllerError, Outcome, install, run, run_hearing_members};
pub use topology::{
    Group, Host, Member, Shape, Switch, SwitchLink, SwitchPort, Topology, TopologyError,
};
