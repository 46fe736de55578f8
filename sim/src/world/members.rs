//! Who the members are, and an operator who wants others.
//!
//! Replicas that are no members have their hosts, and their wires carry what the group is sent:
//! being a member is a matter of the log, not of the fabric.

use super::traffic::datagram_of_client;
use super::{Node, World, replica_id};
use crate::schedule::Turnover;
use replica::Quorum;
use replica::protocol::RoundsStatus;
use wire::message::rounds::{Change, Membership};
use wire::message::{Message, Request, Wants};
use wire::{ClientId, Members, RequestNumber};

impl World<'_> {
    pub(super) fn rounds_statuses(&self) -> impl Iterator<Item = RoundsStatus> {
        let up = self.nodes.iter().filter_map(|node| node.member.as_deref());
        up.filter_map(|member| member.core().status().rounds)
    }

    /// Who votes in the newest epoch that any replica has installed, and who is decided to.
    fn memberships(&self) -> (Members, Membership) {
        let all = Membership::first(self.settings.replicas_of(self.seed));
        let newest = self.rounds_statuses().max_by_key(|rounds| rounds.epoch);
        let decided = self
            .rounds_statuses()
            .map(|rounds| rounds.decided)
            .max_by_key(|decided| decided.version);
        let voters = newest.map_or(all.members, |rounds| rounds.members);
        (voters, decided.unwrap_or(all))
    }

    /// Whether a replica is a member in the end.
    pub(super) fn is_member(&self, replica: usize) -> bool {
        !self.settings.profile.changes_members()
            || self.memberships().1.members.contains(replica_id(replica))
    }

    /// Whether one more member may fail, whoever is asked.
    pub(super) fn may_one_more_fail(&self, replica: usize) -> bool {
        let (voters, decided) = self.memberships();
        [voters, decided.members].into_iter().all(|members| {
            let is_in = members.contains(replica_id(replica));
            !is_in || self.failing_of(members) < Quorum::of_members(members).f()
        })
    }

    /// How many of these are down, recovering, outside, or will end as soon as they save something.
    fn failing_of(&self, members: Members) -> usize {
        let fails = |node: &Node| !node.is_whole || node.disk.is_full();
        let failing = |member: &wire::ReplicaId| fails(&self.nodes[usize::from(member.0)]);
        members.iter().filter(failing).count()
    }

    /// An operator asks all members for a change.
    pub(super) fn ask_for_change(&mut self, turnover: Turnover) {
        let (_, now) = self.memberships();
        let all = Members::first(self.nodes.len());
        let outsiders = Members(all.0 & !now.members.0);
        let pick = |set: Members, place: Option<usize>| {
            let place = place.filter(|_| !set.is_empty())?;
            set.iter().nth(place % set.len())
        };
        let mut members = now.members;
        if let Some(out) = pick(members, turnover.out).filter(|_| members.len() > 1) {
            members = members.without(out);
        }
        if let Some(come) = pick(outsiders, turnover.come) {
            members = members.with(come);
        }
        // Nobody takes away whom the group cannot do without.
        if self.failing_of(members) > Quorum::of_members(members).f() {
            return;
        }
        let change = Change(Membership {
            version: now.version + 1,
            members,
        });
        let operation = change.operation();
        let operator = self.layout.hosts[self.nodes.len()].address;
        let request = Message::Request(Request {
            client: ClientId::GROUP,
            number: RequestNumber(change.0.version),
            reply_to: operator,
            wants: Wants::Reply,
            operation: &operation,
        });
        let mut message = Vec::new();
        request.emit(&mut message);
        let payload = datagram_of_client(&message);
        for member in now.members.iter() {
            let to = self.layout.hosts[usize::from(member.0)].address;
            self.send_datagram(self.now, self.nodes.len(), to, &payload);
        }
    }
}
