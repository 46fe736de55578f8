//! What the controller asks of a kind of switch, in words of the fabric.
//!
//! P4Runtime is one way to answer; see `p4runtime_target`. Nothing here knows of tables, ids or
//! messages, so that hardware with another control interface fits in.

use std::collections::BTreeSet;
use std::fmt;
use std::future::Future;

use thiserror::Error;

use crate::rule::{Place, Rule};

/// A rule that a switch did not take.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FailedWrite {
    /// Where it was to stand.
    pub place: Place,
    /// What the switch says.
    pub reason: String,
}

impl fmt::Display for FailedWrite {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}: {}", self.place, self.reason)
    }
}

/// Why a switch did not do what it was asked. All of these are worth another try.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum TargetError {
    /// Nobody answers there.
    #[error("{0}")]
    Unreachable(String),
    /// A request failed, or its answer did not come: it may have been carried out.
    #[error("{0}")]
    Failed(String),
    /// The program does not load, or loads and does not work.
    #[error("program does not run on the switch: {0}")]
    Program(String),
    /// Some rules were refused; the others were taken.
    #[error("{} rules were refused, the first is {}", .0.len(), first(.0))]
    Refused(Vec<FailedWrite>),
}

fn first(failures: &[FailedWrite]) -> String {
    failures
        .first()
        .map_or_else(|| "unknown".to_owned(), ToString::to_string)
}

/// Who leads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lead {
    /// We do.
    Primary,
    /// Another one does.
    Backup {
        /// The highest election id that the switch has seen.
        highest: Option<u128>,
    },
}

/// What happened to a session in which we led.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// The switch told that we lead, again: another one may have led in between.
    StillPrimary,
    /// Another one leads.
    Superseded,
    /// The session ended.
    Lost {
        /// Why.
        reason: String,
    },
}

/// A switch that can be reached.
pub trait Target: Send + Sync {
    /// A session with it.
    type Session: Session;

    /// Opens a session, within a deadline of the target's own.
    fn connect(&self) -> impl Future<Output = Result<Self::Session, TargetError>> + Send;

    /// The mark of the program that the target loads.
    fn cookie(&self) -> u64;
}

/// A session with a switch. When it is dropped, others may lead.
pub trait Session: Send + Sync {
    /// Tries to lead.
    fn lead(&self) -> impl Future<Output = Result<Lead, TargetError>> + Send;

    /// Waits until nobody leads any more, or we do.
    fn vacant(&self) -> impl Future<Output = Result<(), TargetError>> + Send;

    /// Waits until something happened since [`Session::lead`] or the last change. Can be dropped
    /// while it waits.
    fn changed(&self) -> impl Future<Output = Change> + Send;

    /// Whether the switch runs the very program that the target loads.
    fn has_program(&self) -> impl Future<Output = Result<bool, TargetError>> + Send;

    /// Loads the program anew, which takes all rules away and sets all registers to 0, and makes
    /// sure that it works.
    fn load_program(&self) -> impl Future<Output = Result<(), TargetError>> + Send;

    /// All rules that the switch has.
    fn read(&self) -> impl Future<Output = Result<BTreeSet<Rule>, TargetError>> + Send;

    /// Writes rules whose places are free, in any order.
    fn insert(&self, rules: &[Rule]) -> impl Future<Output = Result<(), TargetError>> + Send;

    /// Puts rules in the places of others, in any order.
    fn modify(&self, rules: &[Rule]) -> impl Future<Output = Result<(), TargetError>> + Send;

    /// Asks for a sign of life, at little cost.
    fn probe(&self) -> impl Future<Output = Result<(), TargetError>> + Send {
        async { self.has_program().await.map(drop) }
    }

    /// Ends the session in an orderly way.
    fn close(&self) -> impl Future<Output = ()> + Send;
}
