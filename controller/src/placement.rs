//! Which root stamps for each group, and to which root the leaf sends the group's packets. Pure.
//!
//! [`Placement`] is the decision, of which plans are made; [`Failover`] changes it as news come
//! from the switches. A group moves in this order:
//!
//! 1. its root is lost, and another one is ready: that becomes its root, and gets the group with a
//!    fresh term,
//! 2. the group is written there: now the leaf sends the group's packets to it.
//!
//! The other way round packets would reach a root that does not know the group. As it is, a root
//! that was lost to the controller only goes on stamping, with the older term, until the new one
//! can: members that have seen the newer term leave older ones alone.
//!
//! A group never moves back by itself: that would cost an epoch and gain nothing. Nor does it move
//! while it may still be installed where it is for the first time.

use std::collections::BTreeMap;

use wire::GroupId;

use crate::topology::Topology;

/// Where one group is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seat {
    /// The switch that has the group's entry.
    pub root: String,
    /// The switch to which the leaf sends the group's packets.
    pub routed_to: String,
}

/// Where all groups are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Placement {
    seats: BTreeMap<GroupId, Seat>,
}

impl Placement {
    /// Every group at the root that suits it best.
    pub fn preferred(topology: &Topology) -> Self {
        Self::recorded(topology, &BTreeMap::new())
    }

    /// Every group at the root for which its newest term was taken, if that is one of its roots.
    pub fn recorded(topology: &Topology, roots: &BTreeMap<GroupId, String>) -> Self {
        let seats = topology.groups.iter().filter_map(|group| {
            let id = GroupId(group.id.into());
            let candidates = topology.roots_of(group);
            let recorded = roots.get(&id);
            let root = candidates
                .iter()
                .find(|candidate| Some(&candidate.name) == recorded)
                .or(candidates.first())?;
            let seat = Seat {
                root: root.name.clone(),
                routed_to: root.name.clone(),
            };
            Some((id, seat))
        });
        Self {
            seats: seats.collect(),
        }
    }

    /// Where a group is.
    pub fn seat(&self, group: GroupId) -> Option<&Seat> {
        self.seats.get(&group)
    }

    /// All groups, with where they are.
    pub fn seats(&self) -> impl Iterator<Item = (GroupId, &Seat)> {
        self.seats.iter().map(|(group, seat)| (*group, seat))
    }
}

/// What is known of a switch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Health {
    /// Nothing yet.
    Unknown,
    /// It is as its plan says.
    Ready,
    /// It does not answer, or not as it should.
    Lost,
}

/// News of a switch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum News {
    /// These groups were written to it, with fresh terms; they were not read back yet.
    Written(Vec<GroupId>),
    /// It is as its plan says, and has these groups.
    Ready(Vec<GroupId>),
    /// It does not answer, or not as it should.
    Lost,
}

/// A group that moves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Move {
    /// The group.
    pub group: GroupId,
    /// From this root.
    pub from: String,
    /// To this one.
    pub to: String,
    /// False: the new root gets the group now. True: it has it, and now packets go there.
    pub done: bool,
}

/// Moves groups away from roots that are lost.
#[derive(Clone, Debug)]
pub struct Failover {
    placement: Placement,
    /// Of each group the roots, best first.
    candidates: BTreeMap<GroupId, Vec<String>>,
    health: BTreeMap<String, Health>,
}

impl Failover {
    /// Begins with groups where `placement` has them.
    pub fn new(topology: &Topology, placement: Placement) -> Self {
        let candidates = topology.groups.iter().map(|group| {
            let roots = topology.roots_of(group);
            let names = roots.iter().map(|root| root.name.clone());
            (GroupId(group.id.into()), names.collect())
        });
        let health = topology.switches.iter();
        Self {
            placement,
            candidates: candidates.collect(),
            health: health
                .map(|switch| (switch.name.clone(), Health::Unknown))
                .collect(),
        }
    }

    /// Where groups are to be now.
    pub fn placement(&self) -> &Placement {
        &self.placement
    }

    /// Takes news in; returns what moves because of them.
    pub fn on_news(&mut self, switch: &str, news: &News) -> Vec<Move> {
        let (health, groups) = match news {
            News::Lost => (Some(Health::Lost), [].as_slice()),
            News::Ready(groups) => (Some(Health::Ready), groups.as_slice()),
            News::Written(groups) => (None, groups.as_slice()),
        };
        if let (Some(health), Some(known)) = (health, self.health.get_mut(switch)) {
            *known = health;
        }
        let mut moves = self.routes_to(switch, groups);
        moves.extend(self.leave_lost());
        moves
    }

    /// The group's members hear nothing from this root although it answers the controller. Nothing
    /// moves if the group has left it already, or has nowhere to go.
    pub fn on_silence(&mut self, group: GroupId, root: &str) -> Vec<Move> {
        let Some(seat) = self.placement.seats.get_mut(&group) else {
            return Vec::new();
        };
        let is_there = seat.root == root && seat.routed_to == root;
        let mut candidates = self.candidates.get(&group).into_iter().flatten();
        let other = candidates
            .find(|other| *other != root && self.health.get(*other) == Some(&Health::Ready));
        match other {
            Some(to) if is_there => {
                seat.root.clone_from(to);
                vec![Move {
                    group,
                    from: root.to_owned(),
                    to: to.clone(),
                    done: false,
                }]
            }
            _ => Vec::new(),
        }
    }

    /// The leaf follows groups to where they have been written.
    fn routes_to(&mut self, switch: &str, groups: &[GroupId]) -> Vec<Move> {
        let mut moves = Vec::new();
        for group in groups {
            let Some(seat) = self.placement.seats.get_mut(group) else {
                continue;
            };
            if seat.root == switch && seat.routed_to != switch {
                let from = std::mem::replace(&mut seat.routed_to, switch.to_owned());
                moves.push(Move {
                    group: *group,
                    from,
                    to: switch.to_owned(),
                    done: true,
                });
            }
        }
        moves
    }

    /// Groups of lost roots go to the best one that is ready, if there is one.
    fn leave_lost(&mut self) -> Vec<Move> {
        let mut moves = Vec::new();
        for (group, seat) in &mut self.placement.seats {
            let is = |root: &String, health| self.health.get(root) == Some(&health);
            if !is(&seat.root, Health::Lost) {
                continue;
            }
            let mut candidates = self.candidates.get(group).into_iter().flatten();
            if let Some(to) = candidates.find(|root| is(root, Health::Ready)) {
                let from = std::mem::replace(&mut seat.root, to.clone());
                moves.push(Move {
                    group: *group,
                    from,
                    to: to.clone(),
                    done: false,
                });
            }
        }
        moves
    }
}

#[cfg(test)]
mod tests;
