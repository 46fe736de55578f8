//! What the `show` commands print.

use super::command::Command;
use super::grammar::timer_name;
use super::group::Group;
use super::machine::Letters;
use super::render;
use replica::spec_paxos::SpecPaxos;
use replica::{Persistent, Protocol};
use wire::ReplicaId;

impl Group {
    /// The lines that a command prints.
    pub(super) fn show(&mut self, command: &Command) -> Result<Vec<String>, String> {
        let all =
            || (0..self.members.len()).map(|index| ReplicaId(u8::try_from(index).expect("small")));
        match command {
            Command::Show(replicas) if replicas.is_empty() => {
                all().map(|replica| self.replica_line(replica)).collect()
            }
            Command::Show(replicas) => replicas
                .iter()
                .map(|replica| self.replica_line(*replica))
                .collect(),
            Command::ShowReplies(letter) => {
                self.root.packet(*letter)?;
                Ok(self
                    .replies
                    .show(*letter, &self.names, self.quorum.superquorum()))
            }
            Command::ShowMessages(pattern) => {
                let mut lines = self.network.show(pattern, &self.names);
                if lines.is_empty() {
                    lines.push(format!("no `{pattern}` is on the way"));
                }
                Ok(lines)
            }
            Command::ShowCounter(name) => {
                let counts: Result<Vec<_>, _> = all()
                    .filter_map(|replica| self.core(replica).ok())
                    .map(|core| counter(core, name))
                    .collect();
                Ok(vec![format!("{name}: {}", counts?.join(" "))])
            }
            Command::ShowEntries(replica) => {
                let entries = render::entries(self.core(*replica)?.history().log());
                Ok(vec![format!("entries of R{replica}: {entries}")])
            }
            Command::ShowTimers(replica) => Ok(vec![format!(
                "timers of R{replica}: {}",
                armed(self.core(*replica)?)
            )]),
            Command::ShowDisk(replica) => {
                let Persistent {
                    view,
                    last_normal_view,
                } = self.member(*replica)?.persisted;
                Ok(vec![format!(
                    "disk of R{replica}: view {view}, last normal {last_normal_view}"
                )])
            }
            _ => unreachable!("shows nothing"),
        }
    }

    fn replica_line(&self, replica: ReplicaId) -> Result<String, String> {
        let member = self.member(replica)?;
        let Some(core) = &member.core else {
            return Ok(format!("R{replica}: crashed"));
        };
        let status = core.status();
        let state = core.history().machine().0.as_str();
        let degraded = if status.degraded { ", degraded" } else { "" };
        Ok(format!(
            "R{replica}: {}, view {}, last normal {}, log {}, state {}{degraded}",
            status.mode.word(),
            status.view,
            member.persisted.last_normal_view,
            render::log(core.history().log()),
            if state.is_empty() { "empty" } else { state },
        ))
    }
}

/// The names of the timers that are armed.
pub(crate) fn armed(core: &SpecPaxos<Letters>) -> String {
    let names: Vec<_> = core.armed().map(timer_name).collect();
    names.join(" ")
}

fn counter(core: &SpecPaxos<Letters>, name: &str) -> Result<String, String> {
    let counters = core.status().counters;
    let count = match name {
        "throttled" => counters.throttled,
        "rolled-back" => counters.rolled_back,
        "deferred" => counters.deferred,
        "deferred-dropped" => counters.deferred_dropped,
        "unstamped" => counters.unstamped,
        "stale" => counters.stale,
        "resent" => counters.resent,
        "copies" => counters.copies,
        "gaps-filled" => counters.gaps_filled,
        "gaps-given-up" => counters.gaps_given_up,
        "snapshots-sent" => counters.snapshots_sent,
        "snapshots-installed" => counters.snapshots_installed,
        "view-changes" => counters.view_changes,
        "rejected" => counters.rejected,
        other => {
            return Err(format!(
                "unknown counter `{other}`; there are: throttled, rolled-back, deferred, \
                 deferred-dropped, unstamped, stale, resent, copies, gaps-filled, gaps-given-up, \
                 snapshots-sent, snapshots-installed, view-changes, rejected"
            ));
        }
    };
    Ok(count.to_string())
}
